//! Repair: what verification found wrong on one replica, brought from a good copy on another.
//!
//! Plan, then apply. A plan names for each object the replica that is mended, the one with the
//! good copy, and why. Applying checks every copy again before it is used: an object is only ever
//! replaced by bytes whose digest or signature is right, and the damaged bytes are kept aside
//! until the good ones have been read back. Snapshots that a replica lacks are brought as a whole,
//! their manifest last, by the plan of [`crate::replication`]; so a crash leaves nothing half
//! there, and the same command goes on.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::objects::verify;
use super::report::{Damage, DamageKind, VerifyOptions, VerifyReport};
use crate::ids::{Digest, SnapshotId, VaultId};
use crate::objects::Body;
use crate::progress::Phase;
use crate::replication::{self, How, Request, drop_aside, fetch, is_good, replace, set_aside, uncover};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::init::replica_file;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::places::{SameReplica, is_same_place};
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};

/// What a repair would do.
#[derive(Debug, Clone, Serialize)]
pub struct RepairPlan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// What is uncovered, before anything is brought: somebody hid it.
    pub uncover: Vec<Uncovering>,
    /// What is brought, in the order in which it is written.
    pub steps: Vec<RepairStep>,
    /// Damage of which no good copy is left.
    pub beyond_repair: Vec<Damage>,
    /// Replica and key of objects of which a repair that was interrupted left damaged bytes aside;
    /// they are removed where the object is good by then.
    pub aside: Vec<(String, String)>,
    /// Replica and key of entries of the audit log that are wrong: no signature says which are good.
    #[serde(skip)]
    wrong_entries: BTreeSet<(String, String)>,
    /// Whether a replica comes back by it, so that there may be more to find.
    pub again: bool,
}

/// One object that is brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RepairStep {
    #[serde(skip)]
    order: u64,
    /// SHA-256 that it must have, where neither its name nor a signature says it.
    #[serde(skip)]
    expected: Option<Digest>,
    /// Replica that is mended.
    pub to: String,
    /// Key of the object.
    pub key: String,
    /// Replica with the good copy; empty for a file that is made anew.
    pub from: String,
    /// Why.
    pub reason: String,
}

/// One object that is uncovered: what hides it is deleted for good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Uncovering {
    /// Replica on which it is hidden.
    pub replica: String,
    /// Its key.
    pub key: String,
    /// What hides it.
    pub reason: String,
}

/// What a repair did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RepairReport {
    /// What was uncovered.
    pub uncovered: Vec<Uncovering>,
    /// What could not be, and why.
    pub still_hidden: Vec<(Uncovering, String)>,
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
    let mut plan = RepairPlan {
        vault: vault.file.vault,
        uncover: uncoverings(&report),
        steps: Vec::new(),
        beyond_repair: Vec::new(),
        aside: aside(vault).await,
        wrong_entries: wrong_entries(&report),
        again: false,
    };
    let mut steps: BTreeSet<RepairStep> = BTreeSet::new();
    let snapshots = Snapshots::load(vault, None).await?;
    let mut behind: Vec<(&Snapshot, &Damage)> = Vec::new();
    for damage in report.damage.iter().filter(|damage| damage.kind != DamageKind::Hidden) {
        let to = vault.replicas.named(&damage.replica);
        match to.filter(|_| damage.kind != DamageKind::Content && damage.kind != DamageKind::Unreadable) {
            Some(to) if to.is_live() && layout::is_audit(&damage.key) => {
                match brought_entry(vault, to, damage, &report).await {
                    Some(step) => drop(steps.insert(step)),
                    None => plan.beyond_repair.push(damage.clone()),
                }
            }
            Some(to) if to.is_live() => {
                let lacks = |snapshot: &&Snapshot| {
                    damage.kind == DamageKind::Behind && snapshot.manifest.key == damage.key
                };
                match snapshots.iter().find(lacks) {
                    Some(snapshot) => behind.push((snapshot, damage)),
                    None => match brought(vault, to, damage).await {
                        Some(brought) => steps.extend(brought),
                        None => plan.beyond_repair.push(damage.clone()),
                    },
                }
            }
            Some(to) if damage.kind.is_integrity() && is_of_this_vault(vault, to).await => {
                steps.insert(step(to, layout::VAULT, first_live(vault), &damage.detail));
                plan.again = true;
            }
            Some(_) if damage.kind == DamageKind::Missing => {
                let hint = "`prismvault init` adds an empty replica to the vault, `prismvault replicate` then brings what it is to hold";
                let detail = format!("{}; {hint}", damage.detail);
                plan.beyond_repair.push(Damage { detail, ..damage.clone() });
            }
            // Not here, not readable, or wrong everywhere.
            _ => plan.beyond_repair.push(damage.clone()),
        }
    }
    let (brought, beyond) = snapshots_brought(vault, &behind, options).await?;
    steps.extend(brought);
    plan.beyond_repair.extend(beyond);
    plan.steps = steps.into_iter().collect();
    plan.steps.sort();
    Ok((report, plan))
}

fn wrong_entries(report: &VerifyReport) -> BTreeSet<(String, String)> {
    let entries = report.damage.iter().filter(|damage| layout::is_audit(&damage.key));
    entries.map(|damage| (damage.replica.clone(), damage.key.clone())).collect()
}

fn uncoverings(report: &VerifyReport) -> Vec<Uncovering> {
    let hidden = report.damage.iter().filter(|damage| damage.kind == DamageKind::Hidden);
    let uncovering = |damage: &Damage| Uncovering {
        replica: damage.replica.clone(),
        key: damage.key.clone(),
        reason: damage.detail.split(';').next().unwrap_or_default().to_owned(),
    };
    hidden.map(uncovering).collect()
}

/// Uncovers what the plan names; an object that was mended meanwhile counts as uncovered.
async fn uncover_all(
    vault: &Vault,
    plan: &RepairPlan,
    options: &VerifyOptions<'_>,
    report: &mut RepairReport,
) -> Result<()> {
    for one in &plan.uncover {
        if options.cancel.is_cancelled() {
            return Err(VaultError::cancelled());
        }
        let Some(replica) = vault.replicas.named(&one.replica).filter(|replica| replica.is_live()) else {
            continue;
        };
        match uncover(vault, replica, &one.key).await {
            Ok(()) => report.uncovered.push(one.clone()),
            Err(error) => report.still_hidden.push((one.clone(), with_causes(&error))),
        }
        options.progress.advance(Phase::Repair, 1, 0);
    }
    Ok(())
}

/// Returns what an interrupted repair set aside, on every live replica.
async fn aside(vault: &Vault) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for replica in vault.replicas.live() {
        match set_aside(replica).await {
            Ok(keys) => found.extend(keys.into_iter().map(|key| (replica.name.clone(), key))),
            Err(error) => replica.fail(error),
        }
    }
    found
}

/// Returns what is to be brought to a replica for one damage; `None` where nobody has a good copy.
async fn brought(vault: &Vault, to: &Replica, damage: &Damage) -> Option<Vec<RepairStep>> {
    let from = find_good(vault, to, &damage.key).await?;
    // What is signed is brought with its signature.
    let signature = is_signed(&damage.key).then(|| layout::signature(&damage.key));
    let keys = [Some(damage.key.clone()), signature].into_iter().flatten();
    Some(keys.map(|key| step(to, &key, from.clone(), &damage.detail)).collect())
}

/// Returns what replication would bring for snapshots that replicas lack, and what of it nobody
/// has. A snapshot is brought as a whole or not at all: its manifest says that the rest is there.
async fn snapshots_brought(
    vault: &Vault,
    behind: &[(&Snapshot, &Damage)],
    options: &VerifyOptions<'_>,
) -> Result<(Vec<RepairStep>, Vec<Damage>)> {
    let mut wanted: BTreeMap<&str, Vec<(&Snapshot, &Damage)>> = BTreeMap::new();
    for (snapshot, damage) in behind {
        wanted.entry(&damage.replica).or_default().push((snapshot, damage));
    }
    let (mut steps, mut beyond) = (Vec::new(), Vec::new());
    for (name, wanted) in wanted {
        let request = Request {
            to: vec![name.to_owned()],
            from: None,
            repositories: Vec::new(),
            snapshots: wanted.iter().map(|(snapshot, _)| snapshot.digest).collect(),
            progress: options.progress,
        };
        let plan = replication::plan(vault, &request).await?;
        let Some(to) = vault.replicas.named(name) else { continue };
        let Some(target) = plan.targets.into_iter().find(|target| target.replica == name) else { continue };
        let comes: BTreeSet<&SnapshotId> =
            target.snapshots.iter().map(|snapshot| &snapshot.snapshot).collect();
        for lost in &plan.lost {
            let detail = "a snapshot needs it that this replica lacks, and no replica has a good copy";
            let (kind, key) = (DamageKind::Missing, lost.key.clone());
            beyond.push(Damage { kind, replica: name.to_owned(), key, detail: detail.to_owned() });
        }
        let stays = wanted.iter().filter(|(snapshot, _)| !comes.contains(snapshot.id()));
        beyond.extend(stays.map(|(_, damage)| (*damage).clone()));
        let needed: HashSet<&String> = target.snapshots.iter().flat_map(|snapshot| &snapshot.needs).collect();
        for copy in target.copies.iter().filter(|copy| needed.contains(&copy.key)) {
            // What is there and good is left alone.
            if copy.how == How::Unconfirmed && is_good(vault, to, &copy.key).await {
                continue;
            }
            match find_good(vault, to, &copy.key).await {
                Some(from) => {
                    steps.push(step(to, &copy.key, from, "a snapshot needs it that this replica lacks"));
                }
                None => beyond.push(Damage {
                    kind: DamageKind::Missing,
                    replica: name.to_owned(),
                    key: copy.key.clone(),
                    detail: "a snapshot needs it that this replica lacks, and no replica has a good copy"
                        .to_owned(),
                }),
            }
        }
        for (snapshot, damage) in wanted.iter().filter(|(snapshot, _)| comes.contains(snapshot.id())) {
            let lost =
                |key: &String| beyond.iter().any(|damage| damage.replica == name && damage.key == *key);
            let needs = target.snapshots.iter().filter(|own| own.snapshot == *snapshot.id());
            let whole = !needs.flat_map(|own| &own.needs).any(lost);
            match brought(vault, to, damage).await.filter(|_| whole) {
                Some(brought) => steps.extend(brought),
                None => beyond.push((*damage).clone()),
            }
        }
    }
    Ok((steps, beyond))
}

/// Returns the step that brings an entry of the audit log; `None` where nothing says which bytes
/// are right, or nobody has them.
async fn brought_entry(
    vault: &Vault,
    to: &Replica,
    damage: &Damage,
    report: &VerifyReport,
) -> Option<RepairStep> {
    let expected = *report.audit_digests.get(&damage.key)?;
    for from in vault.replicas.live().filter(|replica| replica.name != to.name) {
        if entry_on(vault, from, &damage.key, expected).await.is_ok() {
            let step = step(to, &damage.key, from.name.clone(), &damage.detail);
            return Some(RepairStep { expected: Some(expected), ..step });
        }
    }
    None
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
    options.progress.start(Phase::Repair, Some((plan.uncover.len() + plan.steps.len()) as u64));
    let mut report = RepairReport::default();
    uncover_all(vault, plan, options, &mut report).await?;
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
    // What is still bad keeps its bytes: they may be all that is left of it.
    for (name, key) in &plan.aside {
        let Some(replica) = vault.replicas.named(name).filter(|replica| replica.is_live()) else { continue };
        let dropped = match layout::is_audit(key) {
            true if plan.wrong_entries.contains(&(name.clone(), key.clone())) => Ok(()),
            true => replica.store.delete(&layout::damaged(key)).await.map_err(VaultError::from),
            false => drop_aside(vault, replica, key).await.map(drop),
        };
        if let Err(error) = dropped {
            tracing::warn!(replica = name, key, error = %with_causes(&error), "cannot remove damaged bytes that were set aside");
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
        // Oldest first, so that a replica lacks the end of a chain and never its middle.
        // Before the record that names them.
        layout::DRILLS if layout::parse_drill_file(key).is_some() => 7,
        layout::AUDIT => 10 + layout::parse_audit(key).map_or(0, |(_, n)| n),
        _ => 8,
    };
    RepairStep {
        order: order + u64::from(!signature && matches!(order, 0 | 6 | 8)),
        expected: None,
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

/// The bytes of an entry of the audit log on a replica, where they are those that it must have.
async fn entry_on(vault: &Vault, replica: &Replica, key: &str, expected: Digest) -> Result<Body> {
    let bytes = replica.store.get(key, vault.limits().small_object_bytes_max).await?;
    let body = Body::bytes(bytes);
    match body.sha256() == expected {
        true => Ok(body),
        false => Err(VaultError::damaged(key, &replica.store, "it is not the entry that the chain says")),
    }
}

/// Brings one object; returns its size.
async fn bring(vault: &Vault, step: &RepairStep) -> Result<u64> {
    let gone = || VaultError::new(ErrorKind::TooFewReplicas, format!("the replica {} is gone", step.to));
    let to = vault.replicas.named(&step.to).ok_or_else(gone)?;
    let body = if step.key == layout::REPLICA {
        require_own_place(vault, to).await?;
        Body::bytes(replica_file(&vault.file.vault))
    } else {
        let from = vault.replicas.named(&step.from).ok_or_else(gone)?;
        match step.expected {
            Some(expected) => entry_on(vault, from, &step.key, expected).await?,
            None => fetch(vault, from, &step.key, None).await?,
        }
    };
    replace(vault, to, &step.key, body).await
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
