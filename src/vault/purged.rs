//! Cases whose files are kept no longer: what is left of each, and how the rest goes.
//!
//! The file of a case is itself personal data, and is kept as long as the rules say. Then a privacy key signs
//! `requests/<case>/purged.json`, without personal data: which case, when it was closed, what the last entry was.
//! From then on the case is there no more for anybody, and nothing lacks: whoever misses its entries finds this.
//! A maintenance key deletes the entries and files, on each replica, all versions. The two steps may be taken on
//! different hosts.
//!
//! **If we crash here** some replicas have the decision and others not, or some entries are gone and others not.
//! One replica with the decision is enough for all, and the same two steps again do the rest; nothing copies
//! entries of such a case to a replica any more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use futures_util::future::join_all;
use serde::Serialize;

use super::error::{ErrorKind, Result, VaultError};
use super::format::request::{PURGED_KIND, PurgedFile};
use super::format::trust::Role;
use super::format::{VERSION, to_json};
use super::layout;
use super::lease::Step;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use super::requests::RequestRow;
use crate::clock::rfc3339;
use crate::ids::CaseId;
use crate::progress::Problem;

/// Who decides.
const ROLES: &[Role] = &[Role::Privacy];

/// What of a case was deleted, and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// The case.
    pub case: CaseId,
    /// Objects that went, on all replicas.
    pub objects: u64,
    /// Objects that are still there, and why: locked, for the most part.
    pub left: Vec<Problem>,
}

/// A decision as it is stored.
#[derive(Debug, Clone)]
struct Stored {
    bytes: Vec<u8>,
    signature: Vec<u8>,
    file: PurgedFile,
}

/// Returns the cases that were decided to be kept no longer, with what is left of them.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn purged(vault: &Vault) -> Result<BTreeMap<CaseId, PurgedFile>> {
    let keys = keys(vault).await;
    vault.replicas.require_any()?;
    let stored = decided(vault, keys.keys()).await;
    Ok(stored.into_iter().map(|(case, stored)| (case, stored.file)).collect())
}

/// Of these keys, the cases with a decision that counts.
pub(super) async fn among(vault: &Vault, keys: &BTreeSet<CaseId>) -> BTreeSet<CaseId> {
    decided(vault, keys.iter()).await.into_keys().collect()
}

async fn decided(vault: &Vault, cases: impl Iterator<Item = &CaseId>) -> BTreeMap<CaseId, Stored> {
    let mut decided = BTreeMap::new();
    for case in cases {
        let key = layout::purged(case);
        match vault.read_candidate(&key, PURGED_KIND, ROLES).await {
            Ok(candidate) => match serde_json::from_slice::<PurgedFile>(&candidate.bytes) {
                Ok(file) if file.case == *case && file.format == VERSION => {
                    if !candidate.author.is_current {
                        let detail = format!(
                            "a key that is trusted no longer decided that case {case} is kept no longer"
                        );
                        vault.warn(Problem::new("request-by-retired-key", key, detail));
                    }
                    let (bytes, signature) = (candidate.bytes.to_vec(), candidate.signature.to_vec());
                    decided.insert(case.clone(), Stored { bytes, signature, file });
                }
                _ => {
                    let detail =
                        "it is no decision of this version on this case, so it is passed over".to_owned();
                    vault.warn(Problem::new("not-a-request-event", key, detail));
                }
            },
            Err(error) if error.kind == ErrorKind::NotTrusted => {
                let detail =
                    "no trusted key signed it, so it is passed over; remove it where it lies".to_owned();
                vault.warn(Problem::new("not-a-request-event", key, detail));
            }
            // A signature without its file: somebody was killed before the decision was there.
            Err(_) => {}
        }
    }
    decided
}

/// The keys below each case, by replica, for cases with a decision or its signature.
async fn keys(vault: &Vault) -> BTreeMap<CaseId, Vec<(&Replica, Vec<String>)>> {
    let asked = vault
        .replicas
        .live()
        .map(|replica| async move { (replica, replica.store.list(layout::REQUESTS).await) });
    let mut on_replicas = Vec::new();
    let mut decided = BTreeSet::new();
    for (replica, objects) in join_all(asked).await {
        match objects {
            Ok(objects) => {
                let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
                decided.extend(keys.iter().filter_map(|key| layout::parse_purged(key)));
                on_replicas.push((replica, keys));
            }
            Err(error) => replica.fail(error),
        }
    }
    let mut all: BTreeMap<CaseId, Vec<(&Replica, Vec<String>)>> = BTreeMap::new();
    for case in decided {
        let begin = format!("{}/{case}/", layout::REQUESTS);
        let own = on_replicas.iter().map(|(replica, keys)| {
            let own = keys.iter().filter(|key| key.starts_with(&begin));
            (*replica, own.cloned().collect())
        });
        all.insert(case, own.collect());
    }
    all
}

/// Decides that a case is kept no longer, on every live replica. `closed` and `keep_until` are what the case
/// says; the caller has seen to it that they have passed, and that no hold is on it.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the case has no entry; [`ErrorKind::Identity`] without a key that signs cases;
/// [`ErrorKind::TooFewReplicas`].
pub async fn decide(
    vault: &Vault,
    row: &RequestRow,
    closed: NaiveDate,
    keep_until: NaiveDate,
) -> Result<PurgedFile> {
    let signer = vault.signer(ROLES)?;
    vault.require_may_write().await?;
    let Some(last) = row.last() else {
        return Err(VaultError::new(ErrorKind::Refused, format!("the case {} has no entry", row.case)));
    };
    let key = layout::purged(&row.case);
    let file = PurgedFile {
        kind: PURGED_KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: key.clone(),
        case: row.case.clone(),
        decided: rfc3339(vault.now()),
        closed,
        keep_until,
        entries: u32::try_from(row.len()).unwrap_or(u32::MAX),
        last,
    };
    let bytes = to_json(&file);
    let signature = signer.sign(&bytes, &key).into_bytes();
    let stored = Stored { bytes, signature, file };
    for replica in vault.replicas.live() {
        if let Err(error) = stored.store_on(replica).await {
            replica.fail(error);
        }
    }
    vault.replicas.require_enough()?;
    Ok(stored.file)
}

impl Stored {
    /// Writes it; another decision on the same case counts as well.
    async fn store_on(&self, replica: &Replica) -> Result<()> {
        let there = || VaultError::new(ErrorKind::Refused, "another decision is there");
        match replica.store_signed_new(&self.file.key, &self.bytes, &self.signature, there).await {
            Err(error) if error.kind == ErrorKind::Refused => Ok(()),
            stored => stored,
        }
    }
}

/// Deletes what is left of the cases that were decided to be kept no longer, on every live replica, all versions;
/// returns those of which there was anything. Each replica has the decision before anything goes.
///
/// # Errors
///
/// [`ErrorKind::Refused`] and [`ErrorKind::Identity`] without a maintenance key, before anything goes; when no
/// replica could be listed. An object that cannot be deleted is in the report.
pub async fn delete(vault: &Vault, dry_run: bool) -> Result<Vec<Deleted>> {
    if !dry_run {
        vault.signer(&[Role::Maintenance])?;
        vault.require_lease(Step::Removes).await?;
    }
    let keys = keys(vault).await;
    vault.replicas.require_any()?;
    let decided = decided(vault, keys.keys()).await;
    let mut all = Vec::new();
    for (case, stored) in decided {
        let mut done = Deleted { case: case.clone(), objects: 0, left: Vec::new() };
        for (replica, own) in keys.get(&case).into_iter().flatten() {
            let (decision, entries): (Vec<_>, Vec<_>) =
                own.iter().partition(|key| layout::parse_purged(key).is_some());
            if !dry_run
                && decision.len() < 2
                && let Err(error) = stored.store_on(replica).await
            {
                replica.fail(error);
                continue;
            }
            let aside = aside_of(replica, &case).await?;
            for key in entries.into_iter().chain(&aside) {
                if dry_run {
                    done.objects += 1;
                    continue;
                }
                vault.cache.forget(key);
                match replica.delete_for_good(key).await {
                    Ok(()) => done.objects += 1,
                    Err(error) => {
                        let subject = format!("{key} on {}", replica.name);
                        done.left.push(Problem::new("not-deleted", subject, with_causes(&error)));
                    }
                }
            }
        }
        if done.objects > 0 || !done.left.is_empty() {
            all.push(done);
        }
    }
    Ok(all)
}

/// What repair kept aside of a case.
async fn aside_of(replica: &Replica, case: &CaseId) -> Result<Vec<String>> {
    let below = layout::damaged(&format!("{}/{case}", layout::REQUESTS));
    let objects = replica.store.list(&below).await?;
    Ok(objects.into_iter().map(|object| object.key).collect())
}

/// Brings each decision to the replicas that lack it, so that nobody takes the case up there.
pub(super) async fn bring(vault: &Vault) {
    let keys = keys(vault).await;
    let decided = decided(vault, keys.keys()).await;
    for (case, stored) in decided {
        for (replica, own) in keys.get(&case).into_iter().flatten() {
            let there = own.iter().filter(|key| layout::parse_purged(key).is_some()).count();
            if there < 2
                && let Err(error) = stored.store_on(replica).await
            {
                replica.fail(error);
            }
        }
    }
}
