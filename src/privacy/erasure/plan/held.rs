//! What must stay: holds of cases on items (GDPR Art. 17(3)), holds of snapshots.
//!
//! A hold never loses silently: what is held stands in the plan as kept, with its ground, and a plan over the hold
//! of a snapshot says so and why.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::Plan;
use super::making::PlanError;
use crate::ids::{CaseId, ItemId, Name, SnapshotId};
use crate::privacy::case::{Case, What};
use crate::privacy::matching::Finding;
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{Again, FoundItem, SearchReport};
use crate::restore::{RestoreError, open_space};
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::tree;

/// Shortest text that is taken for the id of a document or asset. Of a folder with so long a name all is held.
const ID_MIN: usize = 8;

/// A legal hold that counts for a plan: of its case, or of another. See [`own_holds`], [`holds_of_another`].
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// The case that it is of.
    pub case: CaseId,
    /// Its number in that case, from 1.
    pub number: u32,
    /// What is held: the id of an item, a path as snapshots have it (with `/` at its end all below it), or the id
    /// of a document or asset; `None`: everything of the case.
    pub item: Option<String>,
    /// The ground.
    pub ground: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("case", &self.case).field("number", &self.number).finish_non_exhaustive()
    }
}

impl Held {
    /// Which one it is, for people.
    fn name(&self) -> String {
        format!("{} of case {}", self.number, self.case)
    }
}

/// Returns the holds of the case of a plan that were not released, to be given to
/// [`Making`](super::Making) with those of others.
pub fn own_holds(case: &Case) -> Vec<Held> {
    unreleased(case).collect()
}

/// Returns the holds of another case that were not released, whether it is open or not. One on everything of it
/// holds the places at which something was found: `found` is its last search, where there was any. Not single
/// items: another version of one of them may say the same.
pub fn holds_of_another(case: &Case, found: Option<&SearchReport>) -> Vec<Held> {
    let found: BTreeSet<String> =
        found.into_iter().flat_map(|report| &report.found).flat_map(places).collect();
    let each = |held: Held| -> Vec<Held> {
        match held.item {
            Some(_) => vec![held],
            None => found.iter().map(|item| Held { item: Some(item.clone()), ..held.clone() }).collect(),
        }
    };
    unreleased(case).flat_map(each).collect()
}

/// Its paths; the item itself where no snapshot names it any more.
fn places(found: &FoundItem) -> BTreeSet<String> {
    let live = found.live.as_ref().map(|live| live.path.as_str());
    let paths: BTreeSet<String> = found.paths().into_iter().chain(live).map(str::to_owned).collect();
    match found.item {
        Some(item) if paths.is_empty() => BTreeSet::from([item.to_string()]),
        _ => paths,
    }
}

fn unreleased(case: &Case) -> impl Iterator<Item = Held> {
    let holds = case.events().iter().filter_map(|event| match &event.what {
        What::Hold { ground, item } => Some((ground, item)),
        _ => None,
    });
    let states = &case.state().holds;
    let numbered = (1..).zip(holds.zip(states)).filter(|(_, (_, state))| !state.released);
    numbered.map(|(number, ((ground, item), _))| Held {
        case: case.id().clone(),
        number,
        item: item.clone(),
        ground: ground.clone(),
    })
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
pub(super) struct Holds<'a>(Vec<(&'a str, &'a Held)>);

impl<'a> Holds<'a> {
    /// Reads holds.
    ///
    /// # Errors
    ///
    /// [`PlanError::AllHeld`] for a hold on everything; [`PlanError::HoldUnclear`] for one that names nothing
    /// which can be told from the rest: what it was meant for must not be changed.
    pub(super) fn new(held: &'a [Held]) -> Result<Self, PlanError> {
        let mut holds = Vec::new();
        for hold in held {
            let Some(item) = hold.item.as_deref().map(str::trim) else {
                return Err(PlanError::AllHeld(hold.name()));
            };
            // A path, or an id; words that describe something are neither.
            let is_name = item.contains('/') || item.len() >= ID_MIN;
            if !is_name || item.contains(char::is_whitespace) {
                return Err(PlanError::HoldUnclear(hold.name()));
            }
            holds.push((item, hold));
        }
        Ok(Self(holds))
    }

    /// How many holds of a case name nothing of what was found.
    pub(super) fn idle(&self, case: &CaseId, all: &[FoundItem]) -> u64 {
        let names_any = |held: &str| all.iter().any(|found| names(held, found));
        self.0.iter().filter(|(item, hold)| hold.case == *case && !names_any(item)).count() as u64
    }

    /// The ground on which something found must stay; `None`: it need not.
    pub(super) fn on(&self, found: &FoundItem) -> Option<&'a str> {
        self.0.iter().find(|(held, _)| names(held, found)).map(|(_, hold)| hold.ground.as_str())
    }
}

/// Returns the decisions on findings as they are under legal holds: what is held is kept, with the ground of the
/// hold.
///
/// # Errors
///
/// Those of holds that cannot be understood, as in making a plan.
pub fn decided_under<'d>(
    held: &'d [Held],
    decisions: &'d (dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync),
) -> Result<impl Fn(&FoundItem, &Finding) -> Option<Decided> + Sync + 'd, PlanError> {
    let holds = Holds::new(held)?;
    Ok(move |found: &FoundItem, finding: &Finding| {
        let decided = decisions(found, finding)?;
        match holds.on(found).filter(|_| decided.decision.is_the_person()) {
            Some(ground) => {
                Some(Decided { decision: Decision::Keep, ground: Some(ground.to_owned()), ..decided })
            }
            None => Some(decided),
        }
    })
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

/// Returns the snapshots under hold that name items of a plan and were not decided over when it was approved: a
/// hold that came since. Whoever carries a plan out asks before its order goes into the ledger; with any of
/// these it does not.
///
/// # Errors
///
/// Those of reading the vault.
pub async fn holds_since(again: &Again<'_>, plan: &Plan) -> Result<Vec<HeldSnapshot>, RestoreError> {
    if !plan.purpose.destroys() {
        return Ok(Vec::new());
    }
    let mut held = snapshots(again, plan).await?;
    let decided = plan.over_hold.iter().flat_map(|over| &over.snapshots);
    let decided: HashSet<(&Name, &SnapshotId)> =
        decided.map(|held| (&held.repository, &held.snapshot)).collect();
    held.retain(|held| !decided.contains(&(&held.repository, &held.snapshot)));
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::case::Event;
    use crate::privacy::right::Right;
    use crate::privacy::search::Coverage;

    fn held(item: Option<&str>) -> Vec<Held> {
        vec![Held {
            case: "2026-7K3F9Q".parse().unwrap(),
            number: 1,
            item: item.map(str::to_owned),
            ground: "a lawsuit".to_owned(),
        }]
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
        assert!(matches!(Holds::new(&held(None)), Err(PlanError::AllHeld(_))));
        for unclear in ["", " ", "a", "en-us", "the page about the contract", "the page/contract"] {
            assert!(
                matches!(Holds::new(&held(Some(unclear))), Err(PlanError::HoldUnclear(name)) if name == "1 of case 2026-7K3F9Q"),
                "{unclear}"
            );
        }
        assert!(Holds::new(&held(Some("documents/en-us/page/A.json"))).is_ok());
    }

    #[test]
    fn holds_are_read_from_cases_until_they_are_released() {
        let event = |what| Event {
            at: "2026-03-02T09:00:00Z".parse().unwrap(),
            actor: "anna".to_owned(),
            reason: Some("as agreed".to_owned()),
            what,
        };
        let received = What::Received {
            on: "2026-03-02".parse().unwrap(),
            channel: "e-mail".to_owned(),
            rights: vec![Right::Erasure],
            rules: "eu".to_owned(),
            language: "en".to_owned(),
            from_case: None,
        };
        let mut case = Case::open("2026-7K3F9Q".parse().unwrap(), event(received)).unwrap();
        assert!(own_holds(&case).is_empty());
        let hold =
            |item: Option<&str>| What::Hold { ground: "a lawsuit".to_owned(), item: item.map(str::to_owned) };
        case.apply(event(hold(Some("documents/a")))).unwrap();
        case.apply(event(hold(Some("documents/b")))).unwrap();
        case.apply(event(hold(None))).unwrap();
        case.apply(event(What::HoldReleased { hold: 1, new_case: None })).unwrap();
        let names = |held: Vec<Held>| -> Vec<(String, Option<String>)> {
            held.into_iter().map(|held| (held.name(), held.item)).collect()
        };
        let second = ("2 of case 2026-7K3F9Q".to_owned(), Some("documents/b".to_owned()));
        let third = "3 of case 2026-7K3F9Q".to_owned();
        assert_eq!(names(own_holds(&case)), [second.clone(), (third.clone(), None)]);
        // Nothing was found, so nothing is held by the one on everything.
        assert_eq!(names(holds_of_another(&case, None)), std::slice::from_ref(&second));
        let mut report: SearchReport = serde_json::from_value(serde_json::json!({
            "at": "2026-03-02T09:00:00Z", "version": "0", "found": [], "coverage": Coverage::default(),
        }))
        .unwrap();
        report.found.push(FoundItem {
            space: "blog".parse().unwrap(),
            item: Some(ItemId([7; 32])),
            size: 1,
            sightings: Vec::new(),
            live: None,
            findings: Vec::new(),
            score: 0.0,
        });
        let found = Some(ItemId([7; 32]).to_string());
        let held = holds_of_another(&case, Some(&report));
        assert!(Holds::new(&held).unwrap().on(&report.found[0]) == Some("a lawsuit"));
        assert_eq!(names(held), [second, (third, found)]);
    }
}
