//! What the journal of a restore says, and what follows from it.
//!
//! Prismic's write APIs know no idempotency key, and what they took as a draft cannot be read back: an
//! answer that was lost may stand for a document that is there. So each request has a line before it is
//! sent and one after it was answered; a line of the first kind without one of the second, as a kill or
//! a lost answer leaves it, means *may have happened*, and is never simply sent again.
//!
//! **Invariants.** [`Recorded`] is a pure fold over the lines: whoever has the lines goes on, on any
//! host. Lines name things of the snapshot by their ids, and hold no content: no titles, UIDs, names of
//! files or tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Name, SnapshotId};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub(super) enum Entry {
    /// The first line: what is restored to where.
    Begun(Begun),
    /// A killed or waiting restore went on.
    Resumed {
        /// When.
        at: Timestamp,
    },
    /// What of the target stands for something of the snapshot, because it was there before.
    Taken {
        /// What of the snapshot.
        thing: Thing,
        /// Its id in the target.
        id: String,
        /// Its address there: of assets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// When it was last published there, as the API says: of documents.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        published: Option<String>,
    },
    /// A request is about to be sent.
    Intent {
        /// Which.
        request: Request,
        /// When.
        at: Timestamp,
    },
    /// A request was answered: it happened.
    Done {
        /// Which.
        request: Request,
        /// Id that the target gave, where it gives one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Address that the target gave: of assets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// Whether a document was sent without links whose targets had no id yet.
        #[serde(default, skip_serializing_if = "is_false")]
        incomplete: bool,
    },
    /// A request surely had no effect: it was refused, never sent, or what it would have made was
    /// looked for and is not there.
    Undone {
        /// Which.
        request: Request,
        /// Whether it was refused for what it says, so that the same again would be refused as well.
        #[serde(default, skip_serializing_if = "is_false")]
        refused: bool,
    },
    /// What was released is live.
    Live {
        /// Number of the release, from 1.
        release: u32,
    },
    /// Everything is restored and was read back.
    Finished {
        /// When.
        at: Timestamp,
    },
}

/// What is restored to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Id of the restore.
    pub(super) restore: SnapshotId,
    /// Repository of the snapshot.
    pub(super) source: Name,
    /// The snapshot.
    pub(super) snapshot: SnapshotId,
    /// The target, by its name of the configuration.
    pub(super) target: Name,
    /// Prismic's name of the target.
    pub(super) repository: String,
    /// Digest of what was chosen of the snapshot and how conflicts end: another choice is another
    /// restore.
    pub(super) choice: String,
    /// When it began.
    pub(super) at: Timestamp,
    /// The newest that the target had then: what this restore makes is newer, by the target's own
    /// clock.
    pub(super) newest: Newest,
    /// Version of the program.
    pub(super) version: String,
}

/// The newest things of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Newest {
    /// When the last of its documents was first published, in milliseconds since 1970; `None` where it
    /// has none.
    pub(super) document: Option<i64>,
    /// When the last of its assets was uploaded.
    pub(super) asset: Option<i64>,
}

/// A thing of the snapshot, by its id there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Thing {
    /// A document.
    Document(Box<str>),
    /// An asset.
    Asset(Box<str>),
}

/// A request that changes the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Insert or update the model of a shared slice.
    Slice(Box<str>),
    /// Insert or update the model of a custom type.
    CustomType(Box<str>),
    /// Create a tag of the media library.
    Tag(Box<str>),
    /// Upload an asset.
    Upload(Box<str>),
    /// Give an asset its tags.
    Describe(Box<str>),
    /// Create a document.
    Create(Box<str>),
    /// Send a document once more, now with all its links.
    Complete(Box<str>),
    /// Replace a document that the target had before.
    Replace(Box<str>),
    /// Publish the migration release for the n-th time.
    Publish(u32),
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    /// It happened.
    Done,
    /// Nobody knows.
    Unknown,
    /// It did not happen, and may be sent.
    Undone,
    /// The target refuses it.
    Refused,
}

/// An asset as the target has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewAsset {
    /// Its id there.
    pub(super) id: String,
    /// Its address there; empty where only the id is known.
    pub(super) url: String,
}

/// A document as the target has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewDocument {
    /// Its id there.
    pub(super) id: String,
    /// Whether links are left out of it still.
    pub(super) incomplete: bool,
    /// Number of the release that last changed it; 0: none of this restore's.
    pub(super) release: u32,
    /// Whether the target had it before.
    pub(super) taken: bool,
    /// When the target's own was last published, before this restore.
    pub(super) published: Option<String>,
}

/// What the lines say so far.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The first line.
    pub(super) begun: Option<Begun>,
    /// By id in the snapshot.
    pub(super) documents: HashMap<Box<str>, NewDocument>,
    /// By id in the snapshot.
    pub(super) assets: HashMap<Box<str>, NewAsset>,
    /// Requests that did not simply succeed.
    fates: BTreeMap<Request, Fate>,
    done: BTreeSet<Request>,
    /// Number of the release that is being filled, from 1.
    release: u32,
    /// Releases that are live.
    live: u32,
    /// Documents of the release that is being filled.
    staged: BTreeSet<Box<str>>,
    finished: Option<Timestamp>,
}

impl Recorded {
    /// Reads lines.
    pub(super) fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut recorded = Self { release: 1, ..Self::default() };
        entries.into_iter().for_each(|entry| recorded.note(entry));
        recorded
    }

    /// Takes in one more line.
    pub(super) fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Begun(begun) => self.begun = Some(begun.clone()),
            Entry::Resumed { .. } => {}
            Entry::Taken { thing: Thing::Document(old), id, published, .. } => {
                let (id, published) = (id.clone(), published.clone());
                let taken = NewDocument { id, taken: true, published, ..NewDocument::default() };
                self.documents.insert(old.clone(), taken);
            }
            Entry::Taken { thing: Thing::Asset(old), id, url, .. } => {
                let url = url.clone().unwrap_or_default();
                self.assets.insert(old.clone(), NewAsset { id: id.clone(), url });
            }
            Entry::Intent { request, .. } => {
                self.fates.insert(request.clone(), Fate::Unknown);
            }
            Entry::Undone { request, refused } => {
                let fate = if *refused { Fate::Refused } else { Fate::Undone };
                self.fates.insert(request.clone(), fate);
            }
            Entry::Done { request, id, url, incomplete } => {
                self.fates.remove(request);
                self.done.insert(request.clone());
                self.done(request, id.as_deref(), url.as_deref(), *incomplete);
            }
            Entry::Live { release } => {
                self.live = self.live.max(*release);
                if *release >= self.release {
                    self.release = release + 1;
                    self.staged.clear();
                }
            }
            Entry::Finished { at } => self.finished = Some(*at),
        }
    }

    fn done(&mut self, request: &Request, id: Option<&str>, url: Option<&str>, incomplete: bool) {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        match request {
            Request::Upload(old) => {
                self.assets.insert(old.clone(), NewAsset { id: text(id), url: text(url) });
            }
            Request::Create(old) => {
                let release = self.release;
                let id = text(id);
                let document = NewDocument { id, incomplete, release, ..NewDocument::default() };
                self.documents.insert(old.clone(), document);
                self.staged.insert(old.clone());
            }
            Request::Complete(old) | Request::Replace(old) => {
                if let Some(document) = self.documents.get_mut(old) {
                    document.incomplete = incomplete;
                    document.release = self.release;
                }
                self.staged.insert(old.clone());
            }
            Request::Slice(_)
            | Request::CustomType(_)
            | Request::Tag(_)
            | Request::Describe(_)
            | Request::Publish(_) => {}
        }
    }

    /// What became of a request; one of which no line tells did not happen.
    pub(super) fn fate(&self, request: &Request) -> Fate {
        match self.fates.get(request) {
            Some(fate) => *fate,
            None if self.done.contains(request) => Fate::Done,
            None => Fate::Undone,
        }
    }

    /// Requests of which nobody knows whether they happened.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &Request> {
        self.fates.iter().filter(|(_, fate)| **fate == Fate::Unknown).map(|(request, _)| request)
    }

    /// Requests that the target refused.
    pub(super) fn refused(&self) -> impl Iterator<Item = &Request> {
        self.fates.iter().filter(|(_, fate)| **fate == Fate::Refused).map(|(request, _)| request)
    }

    /// Number of the release that is being filled, from 1.
    pub(super) fn release(&self) -> u32 {
        self.release
    }

    /// How many releases are live.
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    /// Documents that are in the release, as drafts, by their ids in the snapshot. Those of requests
    /// whose answer was lost may be there besides.
    pub(super) fn staged(&self) -> &BTreeSet<Box<str>> {
        &self.staged
    }

    /// When everything was restored and read back.
    pub(super) fn finished(&self) -> Option<Timestamp> {
        self.finished
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(request: Request, id: &str) -> Entry {
        Entry::Done { request, id: Some(id.to_owned()), url: None, incomplete: false }
    }

    fn intent(request: Request) -> Entry {
        Entry::Intent { request, at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_request_without_an_outcome_may_have_happened() {
        let request = Request::Create("A".into());
        let mut recorded = Recorded::of([]);
        assert_eq!(recorded.fate(&request), Fate::Undone);
        recorded.note(&intent(request.clone()));
        assert_eq!(recorded.fate(&request), Fate::Unknown);
        assert_eq!(recorded.unknown().collect::<Vec<_>>(), [&request]);
        recorded.note(&done(request.clone(), "N"));
        assert_eq!((recorded.fate(&request), &*recorded.documents["A"].id), (Fate::Done, "N"));
        assert_eq!(recorded.unknown().count(), 0);
    }

    #[test]
    fn what_is_staged_is_live_with_its_release_and_not_before() {
        let (create, complete) = (Request::Create("A".into()), Request::Complete("A".into()));
        let mut recorded = Recorded::of(&[done(create, "N")]);
        assert_eq!((recorded.release(), recorded.live(), recorded.staged().len()), (1, 0, 1));
        recorded.note(&Entry::Live { release: 1 });
        assert_eq!((recorded.release(), recorded.live(), recorded.staged().len()), (2, 1, 0));
        recorded.note(&done(complete, "N"));
        assert_eq!((recorded.documents["A"].release, recorded.staged().len()), (2, 1));
    }

    #[test]
    fn a_second_request_that_is_under_way_does_not_hide_that_the_first_one_was_done() {
        let request = Request::Describe("X".into());
        let mut recorded = Recorded::of(&[done(request.clone(), "")]);
        recorded.note(&intent(request.clone()));
        assert_eq!(recorded.fate(&request), Fate::Unknown);
        recorded.note(&Entry::Undone { request: request.clone(), refused: true });
        assert_eq!(recorded.fate(&request), Fate::Refused);
        assert_eq!(recorded.refused().count(), 1);
    }

    #[test]
    fn lines_are_what_they_were_when_they_are_read_again() {
        let entries = [
            intent(Request::Upload("X".into())),
            Entry::Taken {
                thing: Thing::Document("A".into()),
                id: "B".to_owned(),
                url: None,
                published: None,
            },
            Entry::Undone { request: Request::Publish(2), refused: false },
            Entry::Live { release: 3 },
        ];
        for entry in entries {
            let line = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
        }
    }
}
