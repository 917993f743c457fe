//! Repair: what verification found wrong on one replica, brought from a good copy on another.
//!
//! Plan, then apply. A plan names for each object the replica that is mended, the one with the
//! good copy, and why. Applying checks every copy again before it is used: an object is only ever
//! replaced by bytes whose digest or signature is right. Snapshots that a replica lacks are
//! brought as a whole, their manifest last, so that a crash leaves nothing half there; the same
//! command goes on.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::objects::{verify, wrong_on};
use super::report::{Damage, DamageKind, VerifyOptions, VerifyReport};
use crate::ids::VaultId;
use crate::objects::{Body, PutMode, SpoolFile};
use crate::progress::Phase;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::init::replica_file;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::places::{SameReplica, is_same_place};
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::Snapshots;

/// What a repair would do.
#[derive(Debug, Clone, Serialize)]
pub struct RepairPlan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// What is brought, in the order in which it is written.
    pub steps: Vec<RepairStep>,
    /// Damage of which no good copy is left.
    pub beyond_repair: Vec<Damage>,
    /// Whether a replica comes back by it, so that there may be more to find.
    pub again: bool,
}

/// One object that is brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RepairStep {
    #[serde(skip)]
    order: u8,
    /// Replica that is mended.
    pub to: String,
    /// Key of the object.
    pub key: String,
    /// Replica with the good copy; empty for a file that is made anew.
    pub from: String,
    /// Why.
    pub reason: String,
}

/// What a repair did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RepairReport {
    /// Steps that were carried out.
    pub mended: Vec<RepairStep>,
    /// Steps that failed, and why.
    pub failed: Vec<(RepairStep, String)>,
    /// Bytes that were written.
    pub bytes: u64,
}

/// Verifies and plans what can be mended.
///
/// # Errors
///
/// Those of [`verify`].
pub async fn plan_repair(vault: &Vault, options: &VerifyOptions<'_>) -> Result<(VerifyReport, RepairPlan)> {
    let report = verify(vault, options).await?;
    let mut plan =
        RepairPlan { vault: vault.file.vault, steps: Vec::new(), beyond_repair: Vec::new(), again: false };
    let mut steps: BTreeSet<RepairStep> = BTreeSet::new();
    let snapshots = Snapshots::load(vault, None).await?;
    for damage in &report.damage {
        let to = vault.replicas.all().iter().find(|replica| replica.name == damage.replica);
        match to.filter(|_| damage.kind != DamageKind::Content && damage.kind != DamageKind::Unreadable) {
            Some(to) if to.is_live() => match brought(vault, to, damage, &snapshots, options).await {
                Ok(brought) => steps.extend(brought),
                Err(beyond) => plan.beyond_repair.extend(beyond),
            },
            Some(to) if damage.kind.is_integrity() && is_of_this_vault(vault, to).await => {
                steps.insert(step(to, layout::VAULT, first_live(vault), &damage.detail));
                plan.again = true;
            }
            Some(_) if damage.kind == DamageKind::Missing => {
                let hint = "`prismvault init` adds an empty replica to the vault, `prismvault repair` then brings what it is to hold";
                let detail = format!("{}; {hint}", damage.detail);
                plan.beyond_repair.push(Damage { detail, ..damage.clone() });
            }
            // Not here, not readable, or wrong everywhere.
            _ => plan.beyond_repair.push(damage.clone()),
        }
    }
    plan.steps = steps.into_iter().collect();
    plan.steps.sort();
    Ok((report, plan))
}

/// Returns what is to be brought to a replica for one damage, or what of it nobody has. A snapshot
/// that it lacks is brought as a whole or not at all: its manifest says that the rest is there.
async fn brought(
    vault: &Vault,
    to: &Replica,
    damage: &Damage,
    snapshots: &Snapshots,
    options: &VerifyOptions<'_>,
) -> std::result::Result<Vec<RepairStep>, Vec<Damage>> {
    let mut keys = vec![damage.key.clone()];
    let behind = damage.kind == DamageKind::Behind;
    if behind && let Some(snapshot) = snapshots.iter().find(|snapshot| snapshot.manifest.key == damage.key) {
        match wrong_on(vault, to, snapshot, options).await {
            Ok(wrong) => keys.extend(wrong),
            Err(error) => return Err(vec![Damage { detail: with_causes(&error), ..damage.clone() }]),
        }
    }
    let (mut steps, mut beyond) = (Vec::new(), Vec::new());
    for key in keys {
        // What is signed is brought with its signature.
        let with_signature = [Some(key.clone()), is_signed(&key).then(|| layout::signature(&key))];
        match find_good(vault, to, &key).await {
            Some(from) => {
                steps.extend(
                    with_signature
                        .into_iter()
                        .flatten()
                        .map(|key| step(to, &key, from.clone(), &damage.detail)),
                );
            }
            None if behind && key != damage.key => {
                let detail =
                    "a snapshot needs it that this replica lacks, and no replica has a good copy".to_owned();
                beyond.push(Damage { kind: DamageKind::Missing, key, detail, ..damage.clone() });
            }
            None => beyond.push(Damage { key, ..damage.clone() }),
        }
    }
    if steps.is_empty() || behind && !beyond.is_empty() { Err(beyond) } else { Ok(steps) }
}

/// Carries a plan out.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a plan of another vault. A step that fails is in the report.
pub async fn apply_repair(
    vault: &Vault,
    plan: &RepairPlan,
    options: &VerifyOptions<'_>,
) -> Result<RepairReport> {
    if plan.vault != vault.file.vault {
        return Err(VaultError::new(ErrorKind::Refused, "this plan was made for another vault"));
    }
    options.progress.start(Phase::Repair, Some(plan.steps.len() as u64));
    let mut report = RepairReport::default();
    let mut incomplete: HashSet<&str> = HashSet::new();
    for step in &plan.steps {
        if options.cancel.is_cancelled() {
            return Err(VaultError::cancelled());
        }
        let is_manifest = step.key.starts_with(layout::SNAPSHOTS);
        // A manifest says that the replica holds all it needs.
        let result = if is_manifest && incomplete.contains(step.to.as_str()) {
            Err(VaultError::new(ErrorKind::Refused, "something that it needs could not be brought"))
        } else {
            bring(vault, step).await
        };
        match result {
            Ok(bytes) => {
                report.bytes += bytes;
                options.progress.advance(Phase::Repair, 1, bytes);
                report.mended.push(step.clone());
            }
            Err(error) => {
                incomplete.insert(&step.to);
                report.failed.push((step.clone(), with_causes(&error)));
            }
        }
    }
    options.progress.finish(Phase::Repair);
    Ok(report)
}

fn step(to: &Replica, key: &str, from: String, reason: &str) -> RepairStep {
    let signature = key.ends_with(".minisig");
    // The order of writing: what names another object comes after it.
    let order = match key.split('/').next().unwrap_or_default() {
        layout::TRUST => 0,
        layout::REPLICA | layout::VAULT => 2,
        layout::KEYS => 3,
        layout::PACKS => 4,
        layout::INDEX => 5,
        layout::LEDGER => 6,
        _ => 8,
    };
    RepairStep {
        order: order + u8::from(!signature && matches!(order, 0 | 6 | 8)),
        to: to.name.clone(),
        key: key.to_owned(),
        from,
        reason: reason.to_owned(),
    }
}

fn is_signed(key: &str) -> bool {
    key.ends_with(".json") && !matches!(key, layout::VAULT | layout::REPLICA)
}

fn first_live(vault: &Vault) -> String {
    vault.replicas.live().next().map(|replica| replica.name.clone()).unwrap_or_default()
}

/// Whether a replica without usable `vault.json` is one of this vault: it holds its first trust
/// record, byte for byte.
async fn is_of_this_vault(vault: &Vault, replica: &Replica) -> bool {
    let key = layout::trust(1);
    let Ok(Some(theirs)) = replica.find_small(&key, 1 << 20).await else { return false };
    for good in vault.replicas.live() {
        if let Ok(Some(ours)) = good.find_small(&key, 1 << 20).await {
            return ours == theirs;
        }
    }
    false
}

/// Returns the first other replica whose copy is good.
async fn find_good(vault: &Vault, to: &Replica, key: &str) -> Option<String> {
    if key == layout::REPLICA {
        return Some(String::new());
    }
    for replica in vault.replicas.live().filter(|replica| replica.name != to.name) {
        if is_good(vault, replica, key).await {
            return Some(replica.name.clone());
        }
    }
    None
}

async fn is_good(vault: &Vault, replica: &Replica, key: &str) -> bool {
    match layout::promised_digest(key) {
        Some(promised) => match replica.store.head(key).await {
            Ok(meta) => replica
                .digest(key, meta.size, vault.limits().range_bytes)
                .await
                .is_ok_and(|digest| digest == promised),
            Err(_) => false,
        },
        None if key == layout::VAULT => vault_file_is_good(vault, replica).await,
        None => vault.check_signed_on(replica, key).await.is_ok(),
    }
}

/// Whether the unsigned `vault.json` of a replica says what was held against the trust record.
async fn vault_file_is_good(vault: &Vault, replica: &Replica) -> bool {
    vault.check_own_files_on(replica).await.iter().all(|(key, _)| *key != layout::VAULT)
}

/// Copies one object; returns its size.
async fn bring(vault: &Vault, step: &RepairStep) -> Result<u64> {
    let find = |name: &str| vault.replicas.all().iter().find(|replica| replica.name == name);
    let gone = || VaultError::new(ErrorKind::TooFewReplicas, format!("the replica {} is gone", step.to));
    let to = find(&step.to).ok_or_else(gone)?;
    let body = if step.key == layout::REPLICA {
        require_own_place(vault, to).await?;
        Body::bytes(replica_file(&vault.file.vault))
    } else {
        fetch(vault, find(&step.from).ok_or_else(gone)?, &step.key).await?
    };
    let (len, digest) = (body.len(), body.sha256());
    to.store.put(&step.key, body, PutMode::Overwrite).await?;
    let meta = to.store.head(&step.key).await?;
    if meta.size != len || meta.sha256.is_some_and(|stored| stored != digest) {
        return Err(VaultError::damaged(&step.key, &to.store, "what was written is not what is there"));
    }
    Ok(len)
}

/// Refuses to give a replica a new id when it is the place of another one under a second name:
/// then both would have the new id.
async fn require_own_place(vault: &Vault, to: &Replica) -> Result<()> {
    for same in vault.same_replicas().await.into_iter().filter(|same| same.second == to.name) {
        let first = vault.replicas.all().iter().find(|replica| replica.name == same.first);
        if let Some(first) = first
            && is_same_place(first, to).await?
        {
            let SameReplica { first, second } = same;
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!(
                    "{first} and {second} are two names for one place; remove one of them from the configuration"
                ),
            ));
        }
    }
    Ok(())
}

/// Reads a good copy into a spool file, hashing; refuses one that is not good after all.
async fn fetch(vault: &Vault, from: &Replica, key: &str) -> Result<Body> {
    let size = from.store.head(key).await?.size;
    let (spooled, digest) = from.spool(key, size, vault.spool(), vault.limits().range_bytes).await?;
    match layout::promised_digest(key) {
        Some(promised) if promised != digest => {
            return Err(VaultError::damaged(
                key,
                &from.store,
                "its bytes do not have the digest of its name",
            ));
        }
        Some(_) => {}
        None if key == layout::VAULT => {
            if !vault_file_is_good(vault, from).await {
                return Err(VaultError::damaged(
                    key,
                    &from.store,
                    "it differs from what the trust record says",
                ));
            }
        }
        None => vault.check_signed_on(from, key.strip_suffix(".minisig").unwrap_or(key)).await?,
    }
    Ok(Body::file(Arc::new(SpoolFile::locked(spooled.path, spooled.lock)), size, digest))
}
