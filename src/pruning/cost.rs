//! How many requests pruning costs one replica.
//!
//! Looking at a vault is most of it, and that was just done for the plan, so it is counted and not
//! estimated: carrying the plan out looks again, once or twice more. What is written and deleted
//! follows from the plan.

use std::collections::BTreeSet;

use super::plan::{Kind, MergePlan, ReplicaPlan, Requests};
use super::repack::RepackPlan;
use super::survey::ReplicaState;
use crate::ids::Name;
use crate::limits::Limits;
use crate::objects::counting::Counts;
use crate::objects::operation::Operation;

/// Keys that a store lists in one answer.
const LISTED_AT_ONCE: u64 = 1000;

/// Forecasts the requests of carrying out the plan of one replica.
pub(super) fn of(
    own: &ReplicaPlan,
    replica: &ReplicaState,
    repack: Option<&RepackPlan>,
    merges: &[MergePlan],
    limits: &Limits,
) -> Requests {
    let rewritten = repack.filter(|repack| !repack.packs.is_empty());
    let marks = !own.mark.is_empty() || !merges.is_empty() || rewritten.is_some();
    let looks = 1 + u64::from(rewritten.is_some()) + u64::from(marks && !own.delete.is_empty());
    let count = |kind: Kind| own.delete.iter().filter(|deletion| deletion.kind == kind).count() as u64;
    let merges = merges.len() as u64;
    let mut requests = look(&replica.look, replica.listed + own.stays.objects);
    requests.list *= looks;
    requests.get *= looks;
    // What is written is looked at afterwards; a signed file is read where no checksum is kept.
    requests.put += 2 * own.mark.len() as u64 + merges;
    requests.get += requests.put + merges;
    // Before its signature goes a file must be gone, and a manifest must be the one that was removed.
    let signatures = own.delete.iter().filter(|deletion| deletion.key.ends_with(".minisig")).count() as u64;
    requests.get += count(Kind::Manifest) + signatures;
    requests.delete += own.delete.len() as u64 + 2 * own.release.len() as u64;
    if let Some(repack) = rewritten {
        requests += rewriting(repack, own, limits);
    }
    requests
}

/// What one look took.
fn look(counts: &Counts, listed: u64) -> Requests {
    let of = |operations: &[Operation]| operations.iter().map(|operation| counts.of(*operation)).sum::<u64>();
    Requests {
        // Packs, headers and index objects are listed twice.
        list: of(&[Operation::List, Operation::ListVersions]) + 2 * (listed / LISTED_AT_ONCE),
        get: of(&[
            Operation::Get,
            Operation::GetRange,
            Operation::Head,
            Operation::GetVersion,
            Operation::GetRangeVersion,
            Operation::HeadVersion,
        ]),
        put: 0,
        delete: 0,
    }
}

/// New packs and their index objects, and a mark of each space; reading the old packs is counted on
/// the replica that is asked first.
fn rewriting(repack: &RepackPlan, own: &ReplicaPlan, limits: &Limits) -> Requests {
    let mut requests = Requests::default();
    let here = |names: &[String]| names.contains(&own.replica);
    let concerned = || repack.packs.iter().filter(|pack| here(&pack.replicas));
    let spaces: BTreeSet<&Name> = concerned().map(|pack| &pack.space).collect();
    if spaces.is_empty() {
        return requests;
    }
    // Header and body; an index object, a mark and its signature.
    requests.put = 2 * repack.writes(limits).objects + 3 * spaces.len() as u64;
    requests.get = requests.put;
    let is_first = |names: &[String]| names.first() == Some(&own.replica);
    for pack in concerned().filter(|pack| is_first(&pack.replicas)) {
        // The header, and frame by frame what is needed.
        let frames = pack.rewritten_bytes.div_ceil(limits.frame_bytes.max(1) as u64);
        requests.get += 1 + frames.max(1).min(pack.rewritten_items.max(1));
    }
    requests
}
