//! The end of restrictions: which of a case are in force, and what people show again that was live when they began.

use std::collections::{BTreeSet, HashSet};

use super::super::live::{LiveAction, LiveStep, Task, TaskCode, Why};
use super::Lifted;
use super::making::PlanError;
use crate::clock::Timestamp;
use crate::ids::{CaseId, ItemId, SnapshotId};
use crate::privacy::search::{Again, SearchReport, Sighting};
use crate::restore::paths::{Place, place};
use crate::vault::ledger::Ledger;

/// A restriction that is in force.
pub(super) struct InForce {
    pub(super) lifted: Lifted,
    /// When it was planned.
    pub(super) planned: Option<Timestamp>,
    items: HashSet<ItemId>,
}

/// Returns the restrictions of a case that are in force.
///
/// # Errors
///
/// [`PlanError::NothingToLift`] when there is none; those of a ledger that is not whole.
pub(super) async fn restrictions(again: &Again<'_>, case: &CaseId) -> Result<Vec<InForce>, PlanError> {
    let mut all = Vec::new();
    for space in Ledger::spaces(again.vault).await? {
        let ledger = Ledger::load(again.vault, &space).await?;
        let manifests = again.snapshots.iter().map(|snapshot| &snapshot.manifest);
        let of_space = manifests.filter(|manifest| manifest.space == space);
        ledger.require_whole(again.vault, of_space.flat_map(|manifest| &manifest.ledger))?;
        let own = ledger.erased().restrictions().filter(|known| known.order.case == *case);
        all.extend(own.map(|known| InForce {
            lifted: Lifted {
                space: space.clone(),
                entry: known.entry.clone(),
                sha256: known.digest,
                items: known.order.items.len() as u64,
            },
            planned: known.order.planned.parse().ok(),
            items: known.order.items.iter().map(|item| item.id).collect(),
        }));
    }
    if all.is_empty() { Err(PlanError::NothingToLift) } else { Ok(all) }
}

/// Tasks for what was in the newest snapshot when it was restricted: people took it offline, and people decide
/// whether it is shown again. What was only in older snapshots then was not live, and is not asked for.
pub(super) fn shown_again(
    again: &Again<'_>,
    report: &SearchReport,
    restrictions: &[InForce],
) -> Vec<LiveStep> {
    let was_live = |sighting: &Sighting, began: Timestamp| {
        // In the order of their chain: clocks may have been wrong.
        let all = again.snapshots.of(&sighting.repository);
        let at = |id: &SnapshotId| all.iter().position(|snapshot| snapshot.id() == id);
        let newest = all.iter().rposition(|snapshot| snapshot.id().time() <= began);
        let (from, to) = (at(&sighting.from), at(&sighting.to));
        newest.is_some_and(|newest| {
            from.is_some_and(|from| from <= newest) && to.is_some_and(|to| newest <= to)
        })
    };
    let mut steps = BTreeSet::new();
    for own in restrictions {
        let Some(began) = own.planned else { continue };
        let restricted = |item: &Option<ItemId>| item.is_some_and(|item| own.items.contains(&item));
        for found in report.found.iter().filter(|found| restricted(&found.item)) {
            for sighting in found.sightings.iter().filter(|sighting| was_live(sighting, began)) {
                steps.extend(step(sighting));
            }
        }
    }
    steps.into_iter().collect()
}

fn step(sighting: &Sighting) -> Option<LiveStep> {
    let task = match place(&sighting.path) {
        Place::Document { release: None, language, type_, id } => Task {
            id: id.to_owned(),
            type_: type_.to_owned(),
            language: language.to_owned(),
            ..Task::new(TaskCode::ShowDocument, Why::NoInterface)
        },
        Place::Asset { id, .. } => {
            Task { id: id.to_owned(), ..Task::new(TaskCode::ShowFile, Why::NoInterface) }
        }
        _ => return None,
    };
    let (repository, path) = (sighting.repository.clone(), sighting.path.clone());
    Some(LiveStep { repository, path, action: LiveAction::Task(task) })
}
