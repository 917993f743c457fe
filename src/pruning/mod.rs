//! Pruning: what no snapshot needs any more goes from a replica, in two phases and without locks.
//!
//! A *mark* on a replica names what it is about to lose; writers that begin after it do not rely
//! on it. When the mark is older than the grace by that store's own clock
//! ([`Limits::prune_grace`](crate::limits::Limits::prune_grace), at least twice the longest run),
//! every run that might rely on what is named has committed or may not commit any more. Then the
//! manifests are read again, and what is still not needed is deleted for good: removed manifests,
//! index objects, headers, bodies, and last the mark.
//!
//! Plan, then apply: [`plan`] only reads; [`apply`] reads again before each phase, refuses a plan
//! that no longer fits, and deletes only what both the plan and the second look name.
//!
//! **Nothing is marked or deleted** unless the manifests and ledgers of *all* configured replicas
//! were read and understood, every item that they need is found in the index, and the clocks
//! agree: what cannot be read may need what would go.
//!
//! **If we crash here** marks may be there twice, and part of what a mark names may be gone. No
//! snapshot needs any of it; the same command completes.
//!
//! Packs of which little is needed are rewritten where somebody asks for it, who can read content:
//! see [`RepackPlan`].
//!
//! It does not decide which snapshots go (retention does), and does not touch objects that the
//! format does not know.

mod apply;
mod cost;
mod decide;
mod plan;
mod repack;
mod storage;
mod survey;

use crate::vault::error::Result;
use crate::vault::format::trust::Role;
use crate::vault::open::Vault;

pub use apply::{Failed, Marked, Merged, PruneOptions, PruneReport, apply};
pub use plan::{Deletion, Kept, Kind, MarkPlan, MergePlan, PrunePlan, ReplicaPlan, Requests, Tally, Waiting};
pub use repack::{RepackPlan, Repacked, RepackedPack};
pub use storage::{ReplicaStorage, SnapshotStorage, StorageReport, storage};

/// Looks at all replicas and says what pruning would do. Writes nothing.
///
/// # Errors
///
/// [`ErrorKind::Refused`](crate::vault::error::ErrorKind::Refused) when something cannot be read
/// or understood, so that nothing may be deleted;
/// [`ErrorKind::TooFewReplicas`](crate::vault::error::ErrorKind::TooFewReplicas) when a configured
/// replica is away; [`ErrorKind::Identity`](crate::vault::error::ErrorKind::Identity) without a
/// maintenance key or an identity that reads catalogs.
pub async fn plan(vault: &Vault) -> Result<PrunePlan> {
    plan_with(vault, None).await
}

/// The same; with `repack_below`, packs of which less than this share in percent is needed are
/// rewritten. [`Limits::repack_below`](crate::limits::Limits::repack_below) is a good one.
///
/// # Errors
///
/// As [`plan`].
pub async fn plan_with(vault: &Vault, repack_below: Option<u8>) -> Result<PrunePlan> {
    vault.signer(&[Role::Maintenance])?;
    vault.item_key()?;
    let survey = survey::Survey::load(vault, depth(repack_below)).await?;
    Ok(decide::decide(vault, &survey, repack_below))
}

/// How deep to look: which items are needed matters only to whoever rewrites.
fn depth(repack_below: Option<u8>) -> survey::Depth {
    if repack_below.is_some() { survey::Depth::Items } else { survey::Depth::Packs }
}
