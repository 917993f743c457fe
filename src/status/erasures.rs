//! Erasures that are not finished on a replica, as the ledger tells.
//!
//! Whoever takes snapshots reads no cases and need not: an order is in the ledger, and so are the receipts of what
//! was destroyed. A replica that is away has no receipt, or one that only its id would tell from others; where it
//! cannot be told, it counts as not finished.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::facts::{Endangered, Pending, PendingKind};
use crate::clock::Timestamp;
use crate::ids::{CaseId, Name, ReplicaId};
use crate::privacy::promise::dangers;
use crate::privacy::proof::check::horizons;
use crate::privacy::proof::erased::ErasedPacks;
use crate::vault::erasure::Erased;
use crate::vault::format::receipt::Receipt;
use crate::vault::format::request::RequestSummary;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

/// Time that both steps of an erasure may take before somebody is told: they are two commands.
const SLACK: TimeDelta = TimeDelta::hours(1);

/// Replicas as far as erasures go.
pub(super) struct Places {
    /// Name and id of those that take part.
    live: Vec<(String, ReplicaId)>,
    /// Names of those that do not.
    away: Vec<String>,
}

impl Places {
    /// Tells them apart; to be asked when it is known who failed.
    pub(super) fn of(vault: &Vault) -> Self {
        let live = vault.replicas.live().filter_map(|own| Some((own.name.clone(), own.id()?)));
        let away = vault.replicas.failed().into_iter().map(|(name, _)| name);
        Self { live: live.collect(), away: away.collect() }
    }
}

/// What is not finished, one for each case and replica.
pub(super) fn erasures(places: &Places, snapshots: &Snapshots) -> Vec<Pending> {
    let spaces: BTreeSet<&Name> = snapshots.iter().map(|snapshot| &snapshot.manifest.space).collect();
    let mut pending = BTreeMap::new();
    for ledger in spaces.into_iter().filter_map(|space| snapshots.ledger(space)) {
        of_space(places, ledger.erased(), &mut pending);
    }
    pending.into_values().collect()
}

fn of_space(places: &Places, erased: &Erased, pending: &mut BTreeMap<(String, CaseId), Pending>) {
    for known in erased.orders() {
        let mut last: BTreeMap<ReplicaId, &Receipt> = BTreeMap::new();
        for receipt in erased.receipts(known.digest) {
            last.insert(receipt.replica, receipt);
        }
        let mut told = |replica: &str, kind| {
            let since = known.entry.time();
            let one = Pending {
                kind,
                replica: replica.to_owned(),
                subject: known.order.case.to_string(),
                since,
                due: since + SLACK,
            };
            let key = (replica.to_owned(), known.order.case.clone());
            let own = pending.entry(key).or_insert_with(|| one.clone());
            // Of several orders of a case: the worst, since the first.
            own.kind = own.kind.min(kind);
            own.since = own.since.min(one.since);
            own.due = own.due.min(one.due);
        };
        for (name, id) in &places.live {
            match last.get(id) {
                Some(receipt) if receipt.gone.is_some() => {}
                Some(receipt) if is_locked(receipt) => told(name, PendingKind::LockedErasure),
                _ => told(name, PendingKind::Erasure),
            }
        }
        // Who is away is one of those with an id that no other has.
        let is_live = |id: &ReplicaId| places.live.iter().any(|(_, own)| own == id);
        let gone = last.iter().filter(|(id, receipt)| !is_live(id) && receipt.gone.is_some()).count();
        if gone < places.away.len() {
            places.away.iter().for_each(|name| told(name, PendingKind::Erasure));
        }
    }
}

/// Promises of cases, closed ones too, that will not hold or may not.
pub(super) fn endangered(
    vault: &Vault,
    snapshots: &Snapshots,
    cases: &[RequestSummary],
    at: Timestamp,
) -> Vec<Endangered> {
    let spaces: BTreeSet<&Name> = snapshots.iter().map(|snapshot| &snapshot.manifest.space).collect();
    let promised = cases.iter().filter_map(|own| Some((&own.case, own.promised?)));
    let mut endangered = Vec::new();
    for (case, promised) in promised {
        let mut packs = ErasedPacks::default();
        for space in &spaces {
            snapshots.ledger(space).into_iter().for_each(|ledger| packs.add(ledger, space, Some(case)));
        }
        let horizons = horizons(vault, &packs);
        endangered.extend(dangers(&horizons, promised, at).into_iter().map(|(replica, why)| Endangered {
            case: case.clone(),
            replica: replica.to_owned(),
            promised,
            why,
        }));
    }
    endangered
}

/// Whether locks keep everything that is left, each to a date.
fn is_locked(receipt: &Receipt) -> bool {
    let dated = |text: &String| text.parse::<Timestamp>().is_ok();
    receipt.pending > 0
        && receipt.listed.len() as u64 == receipt.pending
        && receipt.listed.iter().all(|left| left.until.as_ref().is_some_and(dated))
}
