//! Snapshots read as a restore reads them, under the orders of the ledger, and searched for the person.
//!
//! Of each repository a sample: the oldest snapshot, the newest from before the erasure, and the newest. It is also
//! how it is noticed that somebody is stored again whose case is closed ([`again_live`]): then all snapshots are
//! read that were taken since the last look.
//!
//! Memory: the entries of one snapshot, and the ids of those that were read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chrono::SubsecRound as _;
use serde::{Deserialize, Serialize};

use super::ProofError;
use super::evidence::RestoreEvidence;
use super::stays::Stays;
use crate::clock::Timestamp;
use crate::ids::{ItemId, Name, SnapshotId};
use crate::privacy::channels::{self, Bounds, Item, Sink};
use crate::privacy::matching::Matcher;
use crate::privacy::passage::{Passage, Unsearchable};
use crate::privacy::search::{Again, PassageText, findings_in};
use crate::progress::{Phase, Problem};
use crate::restore::open_space;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::item::ItemKind;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;
use crate::vault::tree;

/// What reading a sample of snapshots came to.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Snapshot by snapshot.
    pub evidence: Vec<RestoreEvidence>,
    /// Items that could not be read or searched: nothing is said of them.
    pub problems: Vec<Problem>,
    /// Where the person was found, of all snapshots.
    pub found: Vec<FoundAgain>,
    /// Snapshots of which something could not be read, and of which repository, or list of its members, each is.
    pub unread: BTreeMap<SnapshotId, Name>,
    /// All snapshots that were to be read, each chain from its oldest to its newest: their ids need not be in that
    /// order, as clocks stand still and are set back.
    pub chains: Vec<(Name, SnapshotId)>,
}

/// An item of a snapshot in which the person is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FoundAgain {
    /// The repository.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its path there.
    pub path: String,
    /// The item.
    pub item: ItemId,
    /// Findings that were to go, or are new; after a rectification places that are not as they are to be.
    pub findings: u64,
    /// These places, after a rectification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

/// Reads a sample of snapshots and searches it. `before` is when the erasure was planned.
///
/// # Errors
///
/// Those of the vault: a ledger that is not whole, a catalog that cannot be read, no identity that reads content.
pub async fn restored(
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    stays: &Stays,
    before: Timestamp,
) -> Result<Restored, ProofError> {
    let sample = |of: &'_ [Snapshot]| -> Vec<usize> {
        let newest_before = of.iter().rposition(|snapshot| snapshot.id().time() <= before);
        let mut sample: Vec<usize> =
            [Some(0), newest_before, of.len().checked_sub(1)].into_iter().flatten().collect();
        sample.sort_unstable();
        sample.dedup();
        sample
    };
    search(again, matcher, stays, sample).await
}

/// Where a look for somebody whose erasure is done begins.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a> {
    /// When the erasure was planned: what was taken before was looked through then.
    pub planned: Timestamp,
    /// By repository, or list of its members, the snapshot up to which nothing was found since.
    pub clean: &'a BTreeMap<Name, SnapshotId>,
}

impl Since<'_> {
    /// The place in a chain, oldest first, from which on it is read. Whatever came behind that place is read, also
    /// where a clock that was set back gave it an earlier id.
    fn begin(&self, of: &[Snapshot]) -> usize {
        let clean = of.first().and_then(|first| self.clean.get(&first.manifest.repository));
        if let Some(at) = clean.and_then(|clean| of.iter().position(|own| own.id() == clean)) {
            return at + 1;
        }
        // It was removed meanwhile, or nobody has looked yet. Ids have whole seconds.
        let from = clean.map_or(self.planned, SnapshotId::time).trunc_subsecs(0);
        of.iter().position(|own| own.id().time() >= from).unwrap_or(of.len())
    }
}

/// Searches every snapshot that was taken since the last look, partial ones too, for somebody whose erasure is
/// done: what is found is live again, or was not there when it was planned.
///
/// A snapshot that turns up later, on a replica that was away, and is older than the last look is not read: to
/// look through everything since the erasure, leave [`Since::clean`] empty.
///
/// # Errors
///
/// As [`restored`].
pub async fn again_live(
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    stays: &Stays,
    since: Since<'_>,
) -> Result<Restored, ProofError> {
    let new = |of: &'_ [Snapshot]| -> Vec<usize> { (since.begin(of)..of.len()).collect() };
    search(again, matcher, stays, new).await
}

impl Restored {
    /// By repository, or list of its members, the snapshot up to which all were read and nothing was found;
    /// `before` is what was known of that.
    pub fn clean(&self, before: &BTreeMap<Name, SnapshotId>) -> BTreeMap<Name, SnapshotId> {
        let mut clean = before.clone();
        let found = |snapshot: &SnapshotId| {
            self.evidence.iter().find(|own| own.snapshot == *snapshot).map(|own| own.remaining)
        };
        let mut over: BTreeSet<&Name> = BTreeSet::new();
        for (repository, snapshot) in &self.chains {
            let is_clean = !self.unread.contains_key(snapshot) && found(snapshot) == Some(0);
            if !is_clean {
                over.insert(repository);
            } else if !over.contains(repository) {
                clean.insert(repository.clone(), snapshot.clone());
            }
        }
        clean
    }

    /// The snapshots in which the person was found, oldest first.
    pub fn found_in(&self) -> BTreeSet<&SnapshotId> {
        self.found.iter().map(|found| &found.snapshot).collect()
    }
}

async fn search(
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    stays: &Stays,
    sample: impl Fn(&[Snapshot]) -> Vec<usize>,
) -> Result<Restored, ProofError> {
    again.vault.require_content_identity()?;
    let mut by_space: BTreeMap<&Name, Vec<&Snapshot>> = BTreeMap::new();
    for repository in again.snapshots.repositories() {
        for own in [again.snapshots.of(repository), again.snapshots.access_lists(repository)] {
            let picked = if own.is_empty() { Vec::new() } else { sample(own) };
            for at in picked {
                by_space.entry(&own[at].manifest.space).or_default().push(&own[at]);
            }
        }
    }
    let mut done = Restored::default();
    for (name, snapshots) in by_space {
        let space = open_space(again.vault, again.snapshots, name).await?;
        let mut searching = Searching { again, matcher, stays, space: &space, known: HashMap::new() };
        for snapshot in snapshots {
            done.chains.push((snapshot.manifest.repository.clone(), snapshot.id().clone()));
            match searching.snapshot(snapshot, &mut done).await {
                // One that nobody can read hides no other.
                Err(ProofError::Vault(error)) if error.is_damage() => {
                    let (id, repository) = (snapshot.id(), &snapshot.manifest.repository);
                    done.unread.insert(id.clone(), repository.clone());
                    let subject = format!("{repository}: {id}");
                    done.problems.push(Problem::new("not-searched", subject, error.to_string()));
                }
                searched => searched?,
            }
        }
    }
    done.problems.sort();
    done.problems.dedup();
    done.found.sort();
    Ok(done)
}

/// Searches snapshots of one space.
struct Searching<'a> {
    again: &'a Again<'a>,
    matcher: &'a Arc<Matcher>,
    stays: &'a Stays,
    space: &'a Space,
    /// Findings that are to go in items that were read already, under a path; `None`: it could not be read.
    known: HashMap<(ItemId, String), Option<u64>>,
}

impl Searching<'_> {
    async fn snapshot(&mut self, snapshot: &Snapshot, done: &mut Restored) -> Result<(), ProofError> {
        let manifest = &snapshot.manifest;
        let reader = Reader::new(self.again.vault, self.space);
        let entries: Vec<CatalogEntry> = tree::read_all(&reader, &manifest.catalog).await?;
        let mut paths: HashMap<ItemId, Vec<&str>> = HashMap::new();
        for entry in &entries {
            if !self.known.contains_key(&(entry.item, entry.path.to_string())) {
                paths.entry(entry.item).or_default().push(&entry.path);
            }
        }
        self.again.progress.start(Phase::Search, Some(paths.len() as u64));
        let wanted: Vec<ItemId> = paths.keys().copied().collect();
        let mut problems = Vec::new();
        let mut read = Vec::new();
        reader
            .for_each(wanted, async |item, data| {
                if self.again.cancel.is_cancelled() {
                    return Err(ProofError::Cancelled);
                }
                let paths: Vec<String> = paths[&item].iter().map(|path| (*path).to_owned()).collect();
                let told = |why: String| {
                    Problem::new("not-searched", format!("{}: {}", manifest.repository, paths[0]), why)
                };
                match data {
                    Ok(data) => {
                        self.again.progress.advance(Phase::Search, 1, data.len());
                        match self.item(data, &paths, item).await {
                            Ok(counts) => read.extend(
                                paths
                                    .into_iter()
                                    .zip(counts)
                                    .map(|(path, count)| ((item, path), Some(count))),
                            ),
                            Err(why) => {
                                problems.push(told(why));
                                read.extend(paths.into_iter().map(|path| ((item, path), None)));
                            }
                        }
                    }
                    Err(error) => {
                        problems.push(told(error.to_string()));
                        read.extend(paths.into_iter().map(|path| ((item, path), None)));
                    }
                }
                Ok(())
            })
            .await?;
        self.again.progress.finish(Phase::Search);
        self.known.extend(read);
        done.problems.extend(problems);
        let (mut items, mut remaining) = (0, 0);
        for entry in entries {
            let Some(Some(findings)) = self.known.get(&(entry.item, entry.path.to_string())) else {
                done.unread.insert(manifest.snapshot.clone(), manifest.repository.clone());
                continue;
            };
            items += 1;
            remaining += findings;
            if *findings > 0 {
                done.found.push(FoundAgain {
                    repository: manifest.repository.clone(),
                    snapshot: manifest.snapshot.clone(),
                    path: entry.path.to_string(),
                    item: entry.item,
                    findings: *findings,
                    places: Vec::new(),
                });
            }
        }
        done.evidence.push(RestoreEvidence {
            repository: manifest.repository.clone(),
            snapshot: manifest.snapshot.clone(),
            items,
            remaining,
        });
        Ok(())
    }

    /// Findings in an item that were to go, for each of its paths; or why it cannot be searched.
    async fn item(&self, data: ItemData, paths: &[String], item: ItemId) -> Result<Vec<u64>, String> {
        let (matcher, bounds) = (Arc::clone(self.matcher), self.again.bounds.clone());
        let own = paths.to_vec();
        let work = tokio::task::spawn_blocking(move || {
            let bytes = whole(data, &bounds)?;
            let find = |path: &String| {
                let is_file = matches!(ItemKind::of_path(path), Some(ItemKind::Asset) | None);
                if !is_file && !matcher.may_contain(&bytes) {
                    return Vec::new();
                }
                let mut texts = Texts(Vec::new());
                channels::read(Item { path, file_name: None, bytes: &bytes }, &bounds, &mut texts);
                findings_in(&matcher, &texts.0)
            };
            Ok::<_, String>(own.iter().map(find).collect::<Vec<_>>())
        });
        let found = work.await.expect("searching does not panic")?;
        let of_path = |(path, findings): (&String, Vec<crate::privacy::matching::Finding>)| {
            findings.iter().filter(|finding| !self.stays.is_kept(&item, path, finding)).count() as u64
        };
        Ok(paths.iter().zip(found).map(of_path).collect())
    }
}

fn whole(data: ItemData, bounds: &Bounds) -> Result<Bytes, String> {
    use std::io::Read as _;
    if data.len() > bounds.bytes_max as u64 {
        return Err("it is larger than what is searched".to_owned());
    }
    match data {
        ItemData::Memory(bytes) => Ok(bytes),
        mut data @ ItemData::File(..) => {
            let mut bytes = Vec::new();
            let read = data.reader().and_then(|mut reader| reader.read_to_end(&mut bytes));
            read.map_err(|error| error.to_string())?;
            Ok(bytes.into())
        }
    }
}

/// Keeps texts. What cannot be searched is told by the search before the plan, and no more here.
struct Texts(Vec<PassageText>);

impl Sink for Texts {
    fn passage(&mut self, passage: Passage<'_>) {
        self.0.push(PassageText::of(passage));
    }

    fn unsearchable(&mut self, _: Unsearchable) {}
}
