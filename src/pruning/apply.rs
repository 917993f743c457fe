//! Carrying out a plan: marks, then deletion.
//!
//! Each phase begins with a look at all replicas. What is deleted is named by the plan that a
//! person saw *and* by the last look; the rest stays and is said.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::decide::decide;
use super::plan::{Deletion, Kept, Kind, MarkPlan, MergePlan, PrunePlan, ReplicaPlan, Tally};
use super::repack::{self, RepackPlan, Repacked};
use super::survey::{Depth, Survey};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, Name, ReplicaId, SnapshotId};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::{Phase, Progress};
use crate::vault::clocks;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::{self, mark};
use crate::vault::index::Headers;
use crate::vault::lease::{self, Step};
use crate::vault::merge::merged;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::writer::write_index;
use crate::vault::{layout, marks};

/// How a plan is carried out.
#[derive(Clone)]
pub struct PruneOptions<'a> {
    /// Whether what the plan deletes for good may be deleted; without, only marks are written.
    pub delete: bool,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two objects.
    pub cancel: CancellationToken,
}

/// What pruning did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PruneReport {
    /// Marks that were written.
    pub marked: Vec<Marked>,
    /// Marks that were taken back because what they name is needed again: replica and key.
    pub released: Vec<(String, String)>,
    /// Index objects that became one.
    pub merged: Vec<Merged>,
    /// What was rewritten, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repacked: Option<Repacked>,
    /// What was deleted, by replica and kind.
    pub deleted: BTreeMap<String, BTreeMap<Kind, Tally>>,
    /// What was to be deleted and is needed again.
    pub kept: Vec<Kept>,
    /// What a lock keeps until it ends: nothing renews it, so a later run deletes it.
    pub pending: Vec<Failed>,
    /// What could not be deleted.
    pub failed: Vec<Failed>,
    /// Files of leases that said nothing any more, and were removed.
    pub leases: u64,
    /// Whether deletions of the plan were left out because nobody allowed them.
    pub held_back: bool,
}

/// A mark that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marked {
    /// Name of the replica.
    pub replica: String,
    /// Its space.
    pub space: Name,
    /// Key of the mark.
    pub key: String,
    /// What it names.
    pub size: Tally,
    /// From when on it may be deleted, RFC 3339.
    pub deletable_after: String,
}

/// Index objects that became one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// Their space.
    pub space: Name,
    /// How many there were.
    pub from: u64,
    /// Bytes of the new one.
    pub bytes: u64,
}

/// Something that could not be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Name of the replica.
    pub replica: String,
    /// Key of the object.
    pub key: String,
    /// Why.
    pub why: String,
}

/// Carries out a plan.
///
/// # Errors
///
/// As [`super::plan`]; [`ErrorKind::Refused`] for a plan of another vault, or one that is not what
/// would be done now; [`ErrorKind::Identity`] before anything is done, when content is to be
/// rewritten that the identities here do not read. A deletion that fails is in the report.
#[tracing::instrument(name = "prune", skip_all)]
pub async fn apply(vault: &Vault, plan: &PrunePlan, options: &PruneOptions<'_>) -> Result<PruneReport> {
    if plan.vault != vault.file.vault {
        return Err(VaultError::new(ErrorKind::Refused, "this plan was made for another vault"));
    }
    let below = plan.repack.as_ref().map(|repack| repack.below_percent);
    if plan.repack.as_ref().is_some_and(RepackPlan::reads_content) {
        vault.require_content_identity()?;
    }
    let mut survey = Survey::load(vault, super::depth(below)).await?;
    let now = decide(vault, &survey, below);
    if now.hash() != plan.hash() {
        return Err(VaultError::new(
            ErrorKind::Refused,
            format!("the plan no longer fits: what would be pruned now has the plan hash {}", now.hash()),
        )
        .hint("something changed since the plan was made; look at `prismvault prune --dry-run` again"));
    }
    let mut report = PruneReport { leases: lease::clear(vault).await, ..PruneReport::default() };
    if plan.marks() || plan.deletes() {
        // A replica that learns of a removal only from others would miss what is deleted on it.
        for state in &survey.spaces {
            state.ledger.bring_up_to_date(vault).await;
        }
        require_live(vault)?;
        vault.require_lease(Step::Removes).await?;
    }
    if plan.marks() {
        mark_all(vault, plan, &survey, options, &mut report).await?;
    }
    if plan.repacks() {
        repack(vault, plan, &survey, options, &mut report).await?;
    }
    report.held_back = !options.delete && plan.destroyed().objects > 0;
    if !plan.deletes() {
        return Ok(report);
    }
    let again = if plan.marks() {
        survey = Survey::load(vault, super::depth(below)).await?;
        decide(vault, &survey, below)
    } else {
        now
    };
    options.progress.start(Phase::Prune, Some(plan.replicas.iter().map(|one| one.delete.len() as u64).sum()));
    for (planned, seen) in plan.replicas.iter().zip(&again.replicas) {
        delete_on(vault, planned, seen, survey.begun, options, &mut report).await?;
    }
    options.progress.finish(Phase::Prune);
    Ok(report)
}

/// Rewrites packs, looks again, and marks those of which everything needed is in others by now.
async fn repack(
    vault: &Vault,
    plan: &PrunePlan,
    survey: &Survey,
    options: &PruneOptions<'_>,
    report: &mut PruneReport,
) -> Result<()> {
    let Some(repack) = &plan.repack else { return Ok(()) };
    repack::rewrite_all(vault, survey, repack, options, report).await?;
    require_live(vault)?;
    let survey = Survey::load(vault, Depth::Items).await?;
    let marks = repack::marks(&survey, plan, vault.limits());
    for (state, marks) in survey.replicas.iter().zip(marks) {
        let replica = replica(vault, &state.id)?;
        write_marks(vault, replica, &marks, options, report).await?;
        for mark in marks {
            let repacked = report.repacked.get_or_insert_default();
            repacked.packs = repacked.packs.max(mark.packs.len() as u64);
        }
    }
    Ok(())
}

/// Ends a run whose look at the vault is so old that a removal may have been taken back since, and
/// that in good time: half the grace is never shorter than the longest run.
fn require_recent(vault: &Vault, look: Timestamp) -> Result<()> {
    let age = vault.now().signed_duration_since(look).to_std().unwrap_or_default();
    if age < vault.limits().max_run {
        return Ok(());
    }
    Err(VaultError::new(
        ErrorKind::Refused,
        format!(
            "pruning looked at the vault {} hours ago, which is too long to delete by",
            age.as_secs() / 3600
        ),
    )
    .hint("what was deleted until now was needed by nothing; run the same command again"))
}

fn check_cancelled(options: &PruneOptions<'_>) -> Result<()> {
    if options.cancel.is_cancelled() { Err(VaultError::cancelled()) } else { Ok(()) }
}

fn require_live(vault: &Vault) -> Result<()> {
    match vault.replicas.failed().into_iter().next() {
        None => Ok(()),
        Some((name, failure)) => Err(VaultError::new(
            ErrorKind::TooFewReplicas,
            format!("pruning stopped because {name} failed: {failure}"),
        )
        .hint("nothing that is needed was touched; mend the replica and run the same command again")),
    }
}

fn replica<'a>(vault: &'a Vault, id: &ReplicaId) -> Result<&'a Replica> {
    let found = vault.replicas.live().find(|replica| replica.id() == Some(*id));
    found.ok_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, format!("the replica {id} is gone")))
}

async fn mark_all(
    vault: &Vault,
    plan: &PrunePlan,
    survey: &Survey,
    options: &PruneOptions<'_>,
    report: &mut PruneReport,
) -> Result<()> {
    for merge in &plan.merges {
        check_cancelled(options)?;
        let headers = survey.headers(&merge.space);
        let bytes = write_merged(vault, merge, headers).await?;
        // Only where the new one is, the old ones may be marked.
        require_live(vault)?;
        let from = merge.indexes.len() as u64;
        report.merged.push(Merged { space: merge.space.clone(), from, bytes });
    }
    for (own, state) in plan.replicas.iter().zip(&survey.replicas) {
        let replica = replica(vault, &own.id)?;
        write_marks(vault, replica, &own.mark, options, report).await?;
        // Marks that are taken back go last: what else they name is marked anew by now.
        for key in &own.release {
            check_cancelled(options)?;
            for key in [key.clone(), layout::signature(key)] {
                if state.marks.contains_key(&key) {
                    replica.delete_for_good(&key).await?;
                }
            }
            report.released.push((own.replica.clone(), key.clone()));
        }
    }
    Ok(())
}

/// Writes one index object with what several say of the packs that stay. A header that it does not
/// name any more is one that the ledger names.
async fn write_merged(vault: &Vault, merge: &MergePlan, headers: &Headers) -> Result<u64> {
    let wanted: BTreeSet<Digest> = merge.packs.iter().copied().collect();
    let packs = merged(vault, &merge.space, &merge.indexes, &wanted, headers).await?;
    if packs.len() != wanted.len() {
        return Err(VaultError::new(
            ErrorKind::Integrity,
            format!("the index objects of {} no longer describe what they did", merge.space),
        )
        .hint("run the same command again"));
    }
    // What a run that was killed had fetched is of use for the next run only, and these are older.
    write_index(vault, &merge.space, packs.into_values().collect(), Vec::new()).await
}

async fn write_marks(
    vault: &Vault,
    replica: &Replica,
    plans: &[MarkPlan],
    options: &PruneOptions<'_>,
    report: &mut PruneReport,
) -> Result<()> {
    for plan in plans {
        check_cancelled(options)?;
        report.marked.push(write_mark(vault, replica, plan).await?);
    }
    Ok(())
}

async fn write_mark(vault: &Vault, replica: &Replica, plan: &MarkPlan) -> Result<Marked> {
    let now = clocks::of(vault, replica).await?;
    let id = SnapshotId::new(now);
    let key = layout::mark(&plan.space, &id);
    let replica_id = replica.id().ok_or_else(|| {
        VaultError::new(ErrorKind::TooFewReplicas, format!("the id of {} is not known", replica.name))
    })?;
    let mark = mark::Mark {
        kind: mark::KIND.to_owned(),
        format: format::VERSION,
        vault: vault.file.vault,
        key: key.clone(),
        space: plan.space.clone(),
        id,
        replica: replica_id,
        packs: plan.packs.clone(),
        indexes: plan.indexes.clone(),
        headers: plan.headers.clone(),
        manifests: plan.manifests.clone(),
    };
    marks::write(vault, replica, &mark).await?;
    let grace = super::decide::ripe_at(now, vault.limits());
    Ok(Marked {
        replica: replica.name.clone(),
        space: plan.space.clone(),
        key,
        size: plan.size,
        deletable_after: rfc3339(grace),
    })
}

/// Deletes on one replica, kind after kind, what both looks name; its marks only if all of it
/// went.
async fn delete_on(
    vault: &Vault,
    planned: &ReplicaPlan,
    seen: &ReplicaPlan,
    look: Timestamp,
    options: &PruneOptions<'_>,
    report: &mut PruneReport,
) -> Result<()> {
    let replica = replica(vault, &planned.id)?;
    let still: BTreeMap<&str, &Deletion> =
        seen.delete.iter().map(|deletion| (deletion.key.as_str(), deletion)).collect();
    report.kept.extend(seen.kept.iter().cloned());
    if !options.delete && planned.destroyed().objects > 0 {
        return Ok(());
    }
    let mut by_kind: BTreeMap<Kind, Vec<&Deletion>> = BTreeMap::new();
    for deletion in &planned.delete {
        match still.get(deletion.key.as_str()) {
            Some(now) if *now == deletion => by_kind.entry(deletion.kind).or_default().push(deletion),
            _ if deletion.kind == Kind::Mark => {}
            _ => report.kept.push(Kept {
                replica: planned.replica.clone(),
                key: deletion.key.clone(),
                reason: "it is needed again since the plan was made".to_owned(),
            }),
        }
    }
    report.kept.sort();
    report.kept.dedup();
    let left = |report: &PruneReport| report.failed.len() + report.pending.len();
    let left_before = left(report);
    for (kind, deletions) in by_kind {
        // A mark whose work is not done stays, for the next run.
        if kind == Kind::Mark && left(report) > left_before {
            break;
        }
        vault.require_lease(Step::Removes).await?;
        let mut results = stream::iter(deletions)
            .map(|deletion| async move {
                let may = check_cancelled(options).and_then(|()| require_recent(vault, look));
                let result = match may {
                    Err(stop) => Err(stop),
                    Ok(()) => delete_one(replica, deletion).await,
                };
                (deletion, result)
            })
            .buffer_unordered(if kind == Kind::Mark { 1 } else { vault.limits().store_concurrency });
        let mut stopped = None;
        while let Some((deletion, result)) = results.next().await {
            match result {
                Ok(true) => {
                    options.progress.advance(Phase::Prune, 1, deletion.bytes);
                    let of_replica = report.deleted.entry(planned.replica.clone()).or_default();
                    of_replica.entry(kind).or_default().add(deletion.bytes);
                }
                Ok(false) => report.kept.push(Kept {
                    replica: planned.replica.clone(),
                    key: deletion.key.clone(),
                    reason: "what lies there is not what was to be deleted".to_owned(),
                }),
                Err(error) if matches!(error.kind, ErrorKind::Cancelled | ErrorKind::Refused) => {
                    stopped = Some(error);
                }
                Err(error) => {
                    let is_locked = error.kind == ErrorKind::Store(StoreKind::Locked);
                    let list = if is_locked { &mut report.pending } else { &mut report.failed };
                    list.push(Failed {
                        replica: planned.replica.clone(),
                        key: deletion.key.clone(),
                        why: with_causes(&error),
                    });
                }
            }
        }
        if let Some(error) = stopped {
            return Err(error);
        }
    }
    Ok(())
}

/// Deletes one object unless it is not what the plan took it for; whether it did.
async fn delete_one(replica: &Replica, deletion: &Deletion) -> Result<bool> {
    if let Some(expected) = deletion.sha256 {
        match replica.store.get(&deletion.key, deletion.bytes).await {
            Ok(bytes) if Digest::of(&bytes) == expected => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind == StoreKind::NotFound => return Ok(true),
            Err(error) if error.kind == StoreKind::TooLarge => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    // Without its signature a file is refused by every reader; a list may have missed the file.
    if let Some(file) = deletion.key.strip_suffix(".minisig") {
        match replica.store.head(file).await {
            Err(error) if error.kind == StoreKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(false),
        }
    }
    replica.delete_for_good(&deletion.key).await.map(|()| true)
}
