//! The orders of a plan, which people sign.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lifted, Plan, PlannedItem, Purpose};
use crate::ids::{Digest, Name};
use crate::privacy::search::Again;
use crate::restore::{RestoreError, open_space};
use crate::vault::format::VERSION;
use crate::vault::format::ledger::Decision;
use crate::vault::format::order::{
    self, Approval, ITEMS_MAX, LIFT_KIND, LiftOrder, Order, RESTRICTION_KIND, Replaced,
};

/// Returns the orders of a plan, one for each space and as many items as one may name, to be signed.
///
/// # Errors
///
/// Those of reading a space.
pub async fn orders(again: &Again<'_>, plan: &Plan) -> Result<Vec<String>, RestoreError> {
    let mut by_space: BTreeMap<&Name, Vec<&PlannedItem>> = BTreeMap::new();
    plan.items.iter().for_each(|item| by_space.entry(&item.space).or_default().push(item));
    let mut orders = lifts(plan);
    for (name, items) in by_space {
        let space = match plan.purpose.destroys() {
            true => Some(open_space(again.vault, again.snapshots, name).await?),
            // Nothing is destroyed, so packs are nobody's concern.
            false => None,
        };
        for items in items.chunks(ITEMS_MAX) {
            let packs: BTreeSet<Digest> = space.iter().flat_map(|space| holding(space, items)).collect();
            let replaced = |item: &&PlannedItem| Replaced {
                id: item.item,
                change: item.change,
                by: item.by,
                size: item.size,
            };
            let kind = match plan.purpose {
                Purpose::Restriction => RESTRICTION_KIND,
                _ => order::KIND,
            };
            orders.push(text(&Order {
                kind: kind.to_owned(),
                format: VERSION,
                vault: plan.vault,
                space: name.clone(),
                case: plan.case.clone(),
                planned: plan.planned.clone(),
                planned_by: plan.planned_by.clone(),
                plan: plan.hash(),
                items: items.iter().map(replaced).collect(),
                packs: packs.into_iter().collect(),
            }));
        }
    }
    Ok(orders)
}

/// The decision with which an order of a plan and its approvals go into the ledger of its space.
pub fn decision(plan: &Plan, order: String, approvals: Vec<Approval>) -> Decision {
    match plan.purpose {
        Purpose::Erasure | Purpose::Rectification => Decision::Erasure { order, approvals },
        Purpose::Restriction => Decision::Restriction { order, approvals },
        Purpose::Lift => Decision::Lift { order, approvals },
    }
}

fn lifts(plan: &Plan) -> Vec<String> {
    let mut by_space: BTreeMap<&Name, Vec<&Lifted>> = BTreeMap::new();
    plan.lifts.iter().for_each(|lifted| by_space.entry(&lifted.space).or_default().push(lifted));
    let orders = by_space.into_iter().flat_map(|(name, all)| {
        let of = |all: &[&Lifted]| {
            text(&LiftOrder {
                kind: LIFT_KIND.to_owned(),
                format: VERSION,
                vault: plan.vault,
                space: name.clone(),
                case: plan.case.clone(),
                planned: plan.planned.clone(),
                planned_by: plan.planned_by.clone(),
                plan: plan.hash(),
                restrictions: all.iter().map(|lifted| lifted.sha256).collect(),
            })
        };
        all.chunks(ITEMS_MAX).map(of).collect::<Vec<_>>()
    });
    orders.collect()
}

/// Packs that hold items.
fn holding<'s>(
    space: &'s crate::vault::space::Space,
    items: &'s [&PlannedItem],
) -> impl Iterator<Item = Digest> + 's {
    let locations = items.iter().flat_map(|item| space.index.locations(&item.item));
    locations.map(|place| space.index.packs()[place.pack as usize].id)
}

fn text(order: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(order).expect("structures of the format always serialise")
}
