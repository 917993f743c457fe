//! What a certificate says of the vault itself: orders in its ledger, and what storage does with its replicas.

use std::collections::BTreeSet;

use super::summary::{Copies, OrderEntry, ReplicaOutlook};
use crate::privacy::erasure::plan::Plan;
use crate::vault::error::Result;
use crate::vault::format::ledger::Decision;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;

/// Returns the orders of a plan that count, with the keys whose signatures they bear; the planner's is none.
///
/// # Errors
///
/// Those of reading the ledger.
pub async fn orders(vault: &Vault, plan: &Plan) -> Result<Vec<OrderEntry>> {
    let hash = plan.hash();
    let mut orders = Vec::new();
    for space in Ledger::spaces(vault).await? {
        let ledger = Ledger::load(vault, &space).await?;
        let own = ledger.erased().orders().iter().filter(|known| known.order.plan == hash);
        for known in own {
            let entry = ledger.entries().find(|entry| entry.id == known.entry);
            let Some(Decision::Erasure { order, approvals }) = entry.map(|entry| &entry.decision) else {
                continue;
            };
            let counts = approvals.iter().filter(|approval| {
                approval.key != plan.planned_by
                    && approval.key.verifies(order.as_bytes(), &approval.signature)
            });
            let approved_by: BTreeSet<String> =
                counts.map(|approval| OrderEntry::key_id(&approval.key)).collect();
            orders.push(OrderEntry {
                space: space.clone(),
                entry: known.entry.clone(),
                sha256: known.digest,
                approved_by,
            });
        }
    }
    orders.sort();
    Ok(orders)
}

/// Returns what is known of copies that the storage of each replica makes by itself, also of replicas that
/// cannot be reached.
pub async fn outlook(vault: &Vault) -> Vec<ReplicaOutlook> {
    let opened = vault.replicas.all().iter().map(|replica| replica.name.clone());
    let names: BTreeSet<String> =
        opened.chain(vault.replicas.failed().into_iter().map(|(name, _)| name)).collect();
    let mut outlook = Vec::new();
    for name in names {
        let replica = vault.replicas.named(&name).filter(|replica| replica.is_live());
        let copies = match replica {
            None => Copies::NotKnown,
            Some(replica) => match replica.store.place_facts().await {
                Ok(None) => Copies::Volume,
                Ok(Some(facts)) => match facts.copies_to.known() {
                    Some(to) if to.is_empty() => Copies::None,
                    Some(_) => Copies::Replicated,
                    None => Copies::NotKnown,
                },
                Err(_) => Copies::NotKnown,
            },
        };
        outlook.push(ReplicaOutlook { replica: name, copies });
    }
    outlook
}
