//! What orders of erasure explain, and what of theirs is not carried out yet.

use std::collections::BTreeSet;

use super::report::{ErasedUnder, VerifyReport};
use crate::ids::ItemId;
use crate::progress::Problem;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::space::Space;

/// Says what orders of erasure explain, and what of theirs is not carried out yet.
pub(super) fn tell(vault: &Vault, space: &Space, report: &mut VerifyReport) {
    report.erased.extend(space.erased.orders().iter().map(|known| ErasedUnder {
        order: known.entry.clone(),
        case: known.order.case.clone(),
        items: known.order.items.len() as u64,
    }));
    let restricted: BTreeSet<ItemId> =
        space.erased.restrictions().flat_map(|known| known.order.items.iter().map(|item| item.id)).collect();
    report.restricted += restricted.len() as u64;
    for number in space.retired() {
        let pack = &space.index.packs()[number as usize];
        let on: Vec<&str> = vault
            .replicas
            .all()
            .iter()
            .enumerate()
            .filter(|(at, _)| space.listing(*at).is_some_and(|listing| listing.bodies.contains_key(&pack.id)))
            .map(|(_, replica)| replica.name.as_str())
            .collect();
        if !on.is_empty() {
            let detail = format!(
                "it holds what an order of erasure names, and is still on {}; `prismvault privacy erase` goes on",
                on.join(", ")
            );
            let key = layout::pack(&space.name, &pack.id);
            report.warnings.push(Problem::new("not-destroyed-yet", key, detail));
        }
    }
}
