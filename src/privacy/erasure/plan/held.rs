//! What must stay: holds of cases on items (GDPR Art. 17(3)), holds of snapshots.
//!
//! A hold never loses silently: what is held stands in the plan as kept, with its ground, and a plan over the hold
//! of a snapshot says so and why.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Plan;
use super::making::PlanError;
use crate::ids::{ItemId, Name, SnapshotId};
use crate::privacy::search::{Again, FoundItem};
use crate::restore::{RestoreError, open_space};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::tree;

/// Shortest text that is taken for the id of a document or asset. Of a folder with so long a name all is held.
const ID_MIN: usize = 8;

/// A legal hold that counts for a plan: of its case, or of another that is open.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// What is held: the id of an item, a path as snapshots have it (with `/` at its end all below it), or the id
    /// of a document or asset; `None`: everything of the case.
    pub item: Option<String>,
    /// The ground.
    pub ground: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("is_all", &self.item.is_none()).finish_non_exhaustive()
    }
}

/// A snapshot under hold that names an item of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldSnapshot {
    /// Its repository.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Why it is held, in words.
    pub reason: String,
}

/// The holds of a plan, each understood.
pub(super) struct Holds<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Holds<'a> {
    /// Reads holds.
    ///
    /// # Errors
    ///
    /// [`PlanError::AllHeld`] for a hold on everything; [`PlanError::HoldUnclear`] for one that names nothing
    /// which can be told from the rest: what it was meant for must not be changed.
    pub(super) fn new(held: &'a [Held]) -> Result<Self, PlanError> {
        let mut holds = Vec::new();
        for (number, hold) in held.iter().enumerate() {
            let Some(item) = hold.item.as_deref().map(str::trim) else {
                return Err(PlanError::AllHeld(number + 1));
            };
            // A path, or an id; words that describe something are neither.
            let is_name = item.contains('/') || item.len() >= ID_MIN;
            if !is_name || item.contains(char::is_whitespace) {
                return Err(PlanError::HoldUnclear(number + 1));
            }
            holds.push((item, hold.ground.as_str()));
        }
        Ok(Self(holds))
    }

    /// How many of them name nothing of what was found.
    pub(super) fn idle(&self, all: &[FoundItem]) -> u64 {
        let names_any = |held: &&str| all.iter().any(|found| names(held, found));
        self.0.iter().filter(|(held, _)| !names_any(held)).count() as u64
    }

    /// The ground on which something found must stay; `None`: it need not.
    pub(super) fn on(&self, found: &FoundItem) -> Option<&'a str> {
        self.0.iter().find(|(held, _)| names(held, found)).map(|(_, ground)| *ground)
    }
}

/// Whether a hold names something that was found.
fn names(held: &str, found: &FoundItem) -> bool {
    let is_item = || found.item.is_some_and(|item| item.to_string() == held);
    let live = found.live.as_ref().map(|live| live.path.as_str());
    is_item() || found.paths().into_iter().chain(live).any(|path| names_path(held, path))
}

/// Whether a hold names a path: itself, all below it, or the document or asset that it is of.
fn names_path(held: &str, path: &str) -> bool {
    let held = held.trim_start_matches('/');
    let is_below = held.ends_with('/') && path.starts_with(held);
    let is_part = || path.split('/').any(|part| part.strip_suffix(".json").unwrap_or(part) == held);
    held == path || is_below || (held.len() >= ID_MIN && is_part())
}

/// Returns the snapshots under hold that name an item of a plan: changed, they would not be what was held.
///
/// # Errors
///
/// Those of reading the vault: what a catalog says that cannot be read may be held.
pub(super) async fn snapshots(again: &Again<'_>, plan: &Plan) -> Result<Vec<HeldSnapshot>, RestoreError> {
    let mut by_space: BTreeMap<&Name, HashSet<ItemId>> = BTreeMap::new();
    for own in &plan.items {
        by_space.entry(&own.space).or_default().insert(own.item);
    }
    let mut held = Vec::new();
    for (name, items) in by_space {
        let is_held = |snapshot: &&Snapshot| snapshot.manifest.space == *name && snapshot.fate.held.is_some();
        let of_space: Vec<&Snapshot> = again.snapshots.iter().filter(is_held).collect();
        if of_space.is_empty() {
            continue;
        }
        let space = open_space(again.vault, again.snapshots, name).await?;
        let reader = Reader::new(again.vault, &space).with_restricted();
        for snapshot in of_space {
            let mut uses = false;
            let each = |entry: CatalogEntry| uses |= items.contains(&entry.item);
            tree::for_each(&reader, &snapshot.manifest.catalog, each).await?;
            if uses {
                held.push(HeldSnapshot {
                    repository: snapshot.manifest.repository.clone(),
                    snapshot: snapshot.id().clone(),
                    reason: snapshot.fate.held.as_ref().map(|held| held.reason.clone()).unwrap_or_default(),
                });
            }
        }
    }
    held.sort();
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(item: Option<&str>) -> Vec<Held> {
        vec![Held { item: item.map(str::to_owned), ground: "a lawsuit".to_owned() }]
    }

    #[test]
    fn a_hold_names_a_path_or_an_id_and_nothing_else() {
        let path = "documents/en-us/page/XAuthor0AAAAAAAA.json";
        for yes in
            [path, "/documents/en-us/page/XAuthor0AAAAAAAA.json", "documents/en-us/", "XAuthor0AAAAAAAA"]
        {
            assert!(names_path(yes, path), "{yes}");
        }
        for no in ["en-us", "page", "documents/en-us/page/XAuthor0", "XAutho0"] {
            assert!(!names_path(no, path), "{no}");
        }
    }

    #[test]
    fn a_hold_that_cannot_be_understood_stops_the_plan() {
        assert!(matches!(Holds::new(&held(None)), Err(PlanError::AllHeld(1))));
        for unclear in ["", " ", "a", "en-us", "the page about the contract", "the page/contract"] {
            assert!(matches!(Holds::new(&held(Some(unclear))), Err(PlanError::HoldUnclear(1))), "{unclear}");
        }
        assert!(Holds::new(&held(Some("documents/en-us/page/A.json"))).is_ok());
    }
}
