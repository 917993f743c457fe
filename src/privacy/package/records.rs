//! The entries of a package: each text about the person once, with where it stands and since when.

use std::collections::{BTreeMap, BTreeSet};

use super::redact::{Hiding, Redacted, redact};
use super::texts::{Evidence, PlaceKind, Section, Texts};
use super::{Decisions, FileCopy, NotCopied, PackageError};
use crate::ids::{Name, SnapshotId};
use crate::privacy::matching::{Finding, Matcher, Rule};
use crate::privacy::passage::Channel;
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{FoundItem, PassageText, ReadItem};
use crate::vault::item::ItemKind;

/// Most entries of a package; somebody who wrote a hundred thousand paragraphs is answered by repository.
pub const RECORDS_MAX: usize = 200_000;
/// Most bytes of text in all entries, which are in memory until they are written: a hundred novels.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// What makes two mentions one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) section: Section,
    pub(super) repository: Option<Name>,
    pub(super) path: String,
    pub(super) place: String,
    pub(super) kind: PlaceKind,
    pub(super) text: String,
}

/// What is known of an entry besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) evidence: BTreeSet<Evidence>,
    pub(super) first: Option<SnapshotId>,
    pub(super) last: Option<SnapshotId>,
    pub(super) snapshots: u64,
    /// Whether it was live at the search; `None` where live content was not searched.
    pub(super) live: Option<bool>,
    pub(super) is_hidden: bool,
}

/// All entries of a package, in their order. Personal data.
#[derive(Default)]
pub(super) struct Records {
    pub(super) all: BTreeMap<Key, Seen>,
    bytes: usize,
}

/// Where something stands: a sighting, what is live, or neither.
struct At<'f> {
    repository: Option<&'f Name>,
    path: &'f str,
    span: Option<(&'f SnapshotId, &'f SnapshotId, u64)>,
    live: Option<bool>,
}

/// Gathers the entries of one package from the items that are read again.
pub(super) struct Gathering<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) texts: &'a Texts,
    pub(super) decisions: Decisions<'a>,
    /// Repositories whose live content was searched.
    pub(super) live: &'a [Name],
    pub(super) records: Records,
    /// Files in which the person is, and what becomes of their copies.
    pub(super) files: BTreeMap<usize, FileCopy>,
}

/// What somebody decided of the findings of an item that are the person.
struct Own<'r> {
    finding: &'r Finding,
    decided: Decided,
}

/// Whether a path is that of the bytes of a file.
pub(super) fn is_file(found: &FoundItem) -> bool {
    found.sightings.iter().any(|one| ItemKind::of_path(&one.path) == Some(ItemKind::Asset))
}

impl Gathering<'_> {
    /// Takes in an item, where it is a file under its number; says whether its bytes are to be copied.
    ///
    /// # Errors
    ///
    /// [`PackageError::TooMuch`].
    pub(super) fn take(&mut self, read: &ReadItem<'_>, number: Option<usize>) -> Result<bool, PackageError> {
        let own = self.own(read);
        if own.is_empty() {
            return Ok(false);
        }
        // What somebody named stands nowhere in the item.
        let words: BTreeSet<&str> =
            own.values().flatten().flat_map(|own| own.decided.redact.iter().map(String::as_str)).collect();
        let words: Vec<String> =
            words.into_iter().filter(|word| !word.trim().is_empty()).map(str::to_owned).collect();
        let is_of_others = |own: &Own<'_>| own.decided.decision == Decision::ThirdParty;
        let has_others = own.values().flatten().any(is_of_others) || !words.is_empty();
        let wanted = self.wanted(read, &own);
        let mut has_contacts = false;
        for (at, passage) in read.passages.iter().enumerate() {
            let is_wanted = wanted.passages.contains(&at);
            // Of a file that may be copied all texts are looked through for others.
            if !is_wanted && number.is_none() {
                continue;
            }
            let own_here = own.get(&at).map_or(&[][..], Vec::as_slice);
            let findings: Vec<&Finding> = match own_here.is_empty() && wanted.is_whole {
                // Of a document about the person everything that is found in it is the person, unless
                // somebody said otherwise.
                true => self.undenied(read, at),
                false => own_here.iter().map(|own| own.finding).collect(),
            };
            let masks_all = own_here.iter().any(is_of_others) || wanted.masks_all;
            let hiding = Hiding { matcher: self.matcher, texts: self.texts, words: &words, masks_all };
            let copy = redact(&passage.passage(), &findings, &hiding);
            has_contacts |= copy.has_contacts;
            if is_wanted {
                self.add(read.found, passage, own_here, &copy)?;
            }
        }
        let Some(number) = number else { return Ok(false) };
        let not_copied = match has_others || has_contacts {
            true => Some(NotCopied::Others),
            false => read.bytes.is_empty().then_some(NotCopied::NotRead),
        };
        let sightings = read.found.sightings.iter();
        let copy = FileCopy {
            number,
            extension: super::files::extension(&read.bytes),
            size: read.bytes.len() as u64,
            places: sightings.map(|one| (one.repository.clone(), one.path.clone())).collect(),
            not_copied,
        };
        self.files.insert(number, copy);
        Ok(not_copied.is_none())
    }

    /// What of an item is the person, by passage.
    fn own<'r>(&self, read: &'r ReadItem<'_>) -> BTreeMap<usize, Vec<Own<'r>>> {
        let mut own: BTreeMap<usize, Vec<Own<'r>>> = BTreeMap::new();
        for (finding, located) in read.found.findings.iter().zip(&read.located) {
            let Some(located) = located else { continue };
            let Some(decided) = (self.decisions)(read.found, finding) else { continue };
            if decided.decision.is_the_person() {
                let finding = &located.finding;
                own.entry(located.passage).or_default().push(Own { finding, decided });
            }
        }
        own
    }

    /// Adds the copy of a passage, once for each place of its item.
    fn add(
        &mut self,
        found: &FoundItem,
        passage: &PassageText,
        own: &[Own<'_>],
        copy: &Redacted,
    ) -> Result<(), PackageError> {
        let mut evidence: BTreeSet<Evidence> = own.iter().map(|own| Evidence::of(own.finding.rule)).collect();
        if evidence.is_empty() {
            evidence.insert(Evidence::Record);
        }
        for place in self.places(found) {
            let key = Key {
                section: section_of(place.path),
                repository: place.repository.cloned(),
                path: place.path.to_owned(),
                place: passage.place.clone(),
                kind: PlaceKind::of(passage.channel),
                text: copy.text.clone(),
            };
            let seen = Seen { evidence: evidence.clone(), is_hidden: copy.is_hidden, ..seen_at(&place) };
            self.records.add(key, seen)?;
        }
        Ok(())
    }

    /// Findings of now in a passage that nobody said are somebody else.
    fn undenied<'r>(&self, read: &'r ReadItem<'_>, at: usize) -> Vec<&'r Finding> {
        let denied = |finding: &Finding| {
            read.found.findings.iter().any(|old| {
                old.fingerprint == finding.fingerprint
                    && old.place == finding.place
                    && (self.decisions)(read.found, old)
                        .is_some_and(|decided| !decided.decision.is_the_person())
            })
        };
        read.hits(at).filter(|finding| !denied(finding)).collect()
    }

    /// Which passages of an item are entries.
    fn wanted(&self, read: &ReadItem<'_>, own: &BTreeMap<usize, Vec<Own<'_>>>) -> Wanted {
        // The document is about the person: all that it says is.
        let about = own.values().flatten().find(|own| {
            own.finding.rule == Rule::AuthorDocument && own.finding.channel == Channel::DocumentId
        });
        let masks_all = about.is_some_and(|own| own.decided.decision == Decision::ThirdParty);
        let mut passages: BTreeSet<usize> = own.keys().copied().collect();
        // A member is one person: what stands in their record is theirs.
        let members: BTreeSet<&str> = own
            .keys()
            .filter_map(|at| read.passages.get(*at))
            .filter(|passage| passage.channel == Channel::Member)
            .filter_map(|passage| record_of(&passage.place))
            .collect();
        for (at, passage) in read.passages.iter().enumerate() {
            let is_record = passage.channel == Channel::Member
                && members.iter().any(|record| is_within(&passage.place, record));
            if is_record || (about.is_some() && passage.channel != Channel::Joined) {
                passages.insert(at);
            }
        }
        // What somebody said is another person stays out of it.
        for (finding, located) in read.found.findings.iter().zip(&read.located) {
            let Some(located) = located else { continue };
            let denied = (self.decisions)(read.found, finding)
                .is_some_and(|decided| decided.decision == Decision::NotSubject);
            if denied && !own.contains_key(&located.passage) {
                passages.remove(&located.passage);
            }
        }
        Wanted { passages, is_whole: about.is_some(), masks_all }
    }

    /// Everywhere that an item stands.
    fn places<'f>(&self, found: &'f FoundItem) -> Vec<At<'f>> {
        let live_at = found.live.as_ref();
        let mut places: Vec<At<'f>> = found
            .sightings
            .iter()
            .map(|one| {
                let is_live =
                    live_at.is_some_and(|live| live.repository == one.repository && live.path == one.path);
                At {
                    repository: Some(&one.repository),
                    path: &one.path,
                    span: Some((&one.from, &one.to, one.snapshots)),
                    live: is_live
                        .then_some(true)
                        .or_else(|| self.is_searched(&one.repository).then_some(false)),
                }
            })
            .collect();
        if let Some(live) = live_at
            && !places.iter().any(|place| place.live == Some(true))
        {
            places.push(At {
                repository: Some(&live.repository),
                path: &live.path,
                span: None,
                live: Some(true),
            });
        }
        if places.is_empty() {
            places.push(At { repository: None, path: "", span: None, live: None });
        }
        places
    }

    fn is_searched(&self, repository: &Name) -> bool {
        self.live.contains(repository)
    }
}

/// Which passages of an item are entries.
struct Wanted {
    passages: BTreeSet<usize>,
    is_whole: bool,
    masks_all: bool,
}

/// The element of a list in which a place of JSON is: `/members/3` of `/members/3/email`.
fn record_of(place: &str) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut at = place;
    loop {
        let (before, last) = at.rsplit_once('/')?;
        if is_number(last) {
            return Some(at);
        }
        at = before;
    }
}

/// Whether a place is another one, or within it.
fn is_within(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn seen_at(place: &At<'_>) -> Seen {
    let mut seen = Seen { live: place.live, ..Seen::default() };
    if let Some((from, to, snapshots)) = place.span {
        (seen.first, seen.last, seen.snapshots) = (Some(from.clone()), Some(to.clone()), snapshots);
    }
    seen
}

fn section_of(path: &str) -> Section {
    match ItemKind::of_path(path) {
        Some(ItemKind::Document) if path.starts_with("releases/") => Section::Releases,
        Some(ItemKind::Document) => Section::Documents,
        Some(ItemKind::AssetMetadata) => Section::Library,
        Some(ItemKind::Repository) if path.ends_with("/members.json") => Section::Members,
        Some(ItemKind::Model | ItemKind::Repository) => Section::Repository,
        Some(ItemKind::Asset) => Section::Files,
        Some(ItemKind::Page) | None => Section::Documents,
    }
}

impl Records {
    /// Adds an entry, or what is new of one that is there.
    pub(super) fn add(&mut self, key: Key, seen: Seen) -> Result<(), PackageError> {
        if let Some(there) = self.all.get_mut(&key) {
            there.merge(seen);
            return Ok(());
        }
        self.bytes += key.text.len();
        if self.all.len() >= RECORDS_MAX || self.bytes > TEXT_BYTES_MAX {
            return Err(PackageError::TooMuch);
        }
        self.all.insert(key, seen);
        Ok(())
    }
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.evidence.extend(other.evidence);
        // Ids of snapshots begin with their time.
        self.first = [self.first.take(), other.first].into_iter().flatten().min();
        self.last = [self.last.take(), other.last].into_iter().flatten().max();
        self.snapshots += other.snapshots;
        self.live = match (self.live, other.live) {
            (Some(one), Some(two)) => Some(one || two),
            (one, two) => one.or(two),
        };
        self.is_hidden |= other.is_hidden;
    }
}
