//! Copies of records of drills: each replica holds them all, and each copy is checked by itself.
//!
//! What counts is what is signed: a record by a key of the vault, which names its files with their digests; that a
//! finding is closed, likewise; statements by people of the configuration. Nothing else is copied, so that what
//! somebody put into one bucket does not spread. Files that an order of erasure took are not brought back by a
//! replica that was away: [`ErasedContents`] says which these are.
//!
//! **If we crash here** a replica lacks the record and holds some of what it names, which comes before it; the
//! next run brings the rest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::future::join_all;

use super::drills::{self, ROLES, STORED_BYTES_MAX, StoredDrill};
use super::erasure::contents::ErasedContents;
use super::error::{ErrorKind, Result, VaultError};
use super::format::drill::{CLOSED_KIND, KIND, STATEMENT_KIND};
use super::layout;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use super::signing::VerifyingKey;
use crate::ids::{Digest, SnapshotId};
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};
use crate::progress::Problem;

/// A copy that is not as it should be.
#[derive(Debug)]
pub struct WrongCopy {
    /// The replica; empty where it is about all of them.
    pub replica: String,
    /// The object.
    pub key: String,
    /// What is wrong; `NotFound` of the store where it is not there.
    pub error: VaultError,
    /// Whether the replica may have been away when it was written: nothing there says that it should be there.
    pub is_behind: bool,
}

/// What came of checking the copies of all drills.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is wrong.
    pub wrong: Vec<WrongCopy>,
    /// Objects that were looked at, by replica.
    pub objects: BTreeMap<String, u64>,
    /// Bytes that were read of files.
    pub bytes: u64,
    /// Objects that no record names, on all replicas: a drill that was killed leaves them. Nobody needs them.
    pub unneeded: u64,
    /// Files that orders of erasure took: explained, not lost.
    pub erased: u64,
    /// What is worth knowing.
    pub warnings: Vec<Problem>,
}

/// The keys of drills on each live replica, with their sizes.
pub(super) type Listed<'a> = Vec<(&'a Replica, BTreeMap<String, u64>)>;

/// Lists everything of drills on every live replica.
///
/// # Errors
///
/// When no replica could be listed.
pub(super) async fn listed(vault: &Vault) -> Result<Listed<'_>> {
    let asked = vault
        .replicas
        .live()
        .map(|replica| async move { (replica, replica.store.list(layout::DRILLS).await) });
    let mut there = Listed::new();
    for (replica, objects) in join_all(asked).await {
        match objects {
            Ok(objects) => {
                let keys = objects.into_iter().map(|object| (object.key, object.size));
                there.push((replica, keys.collect()));
            }
            Err(error) => replica.fail(error),
        }
    }
    vault.replicas.require_any()?;
    Ok(there)
}

/// The drills of which anything is there.
pub(super) fn ids_of(there: &Listed<'_>) -> BTreeSet<SnapshotId> {
    there.iter().flat_map(|(_, keys)| keys.keys()).filter_map(|key| layout::drill_of(key)).collect()
}

/// The signed files beside the record of a drill that any replica lists.
fn said(there: &Listed<'_>, id: &SnapshotId) -> BTreeSet<String> {
    let record = layout::drill(id);
    let is_said = |key: &&String| {
        key.ends_with(".json") && **key != record && layout::drill_of(key).as_ref() == Some(id)
    };
    there.iter().flat_map(|(_, keys)| keys.keys()).filter(is_said).cloned().collect()
}

impl Vault {
    /// Says whose signatures count under what people say of drills: those of the configuration. Later calls
    /// change nothing.
    pub fn know_people(&self, keys: Vec<VerifyingKey>) {
        // Who opened it first knows the configuration.
        drop(self.people.set(keys));
    }

    fn people(&self) -> &[VerifyingKey] {
        self.people.get().map_or(&[], Vec::as_slice)
    }

    /// Reads a signed file of a drill from one replica only.
    async fn read_drill_file_on(&self, replica: &Replica, key: &str) -> Result<(Bytes, Bytes)> {
        if layout::parse_drill(key).is_some() {
            return self.read_signed_on(replica, key, KIND, &self.former_signers(ROLES)).await;
        }
        if layout::is_closed_finding(key) {
            return self.read_signed_on(replica, key, CLOSED_KIND, &self.former_signers(ROLES)).await;
        }
        self.read_signed_on(replica, key, STATEMENT_KIND, self.people()).await
    }

    /// Checks the copy of a signed file of a drill on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it; `NotFound` of the store when this replica does not hold it.
    pub(super) async fn check_drill_on(&self, replica: &Replica, key: &str) -> Result<()> {
        self.read_drill_file_on(replica, key).await.map(drop)
    }
}

/// Brings records of drills, their files and what was said of them to the live replicas that lack some of it;
/// returns what could not be brought.
///
/// # Errors
///
/// When no replica could be listed; those of reading the ledgers.
pub async fn bring(vault: &Vault) -> Result<Vec<Problem>> {
    let there = listed(vault).await?;
    let ids = ids_of(&there);
    let mut problems = Vec::new();
    if ids.is_empty() {
        return Ok(problems);
    }
    let erased = ErasedContents::load(vault).await?;
    for id in ids {
        match drills::load(vault, &id).await {
            Ok(drill) => bring_one(vault, &there, &drill, &erased, &mut problems).await,
            // One that was killed: nothing names what it left.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => {
                problems.push(Problem::new("drill-unreadable", layout::drill(&id), with_causes(&error)));
            }
        }
    }
    Ok(problems)
}

async fn bring_one(
    vault: &Vault,
    there: &Listed<'_>,
    drill: &StoredDrill,
    erased: &ErasedContents,
    problems: &mut Vec<Problem>,
) {
    let id = &drill.file.drill;
    let is_erased = erased.order_of(&drill.file).is_some();
    let files = drill.file.files.iter().filter(|file| !(is_erased && file.holds_content()));
    for digest in files.map(|file| file.stored).collect::<BTreeSet<Digest>>() {
        let key = layout::drill_file(id, &digest);
        let (lack, hold) = lacking(there, &key);
        if lack.is_empty() {
            continue;
        }
        let Some(bytes) = good_file(&hold, &key, &digest).await else {
            let detail = "no replica has a good copy of it, so those that lack it do not get one";
            problems.push(Problem::new("drill-file-lost", key, detail));
            continue;
        };
        for replica in lack {
            match replica.store.put(&key, Body::bytes(bytes.clone()), PutMode::CreateOnly).await {
                Ok(_) => {}
                Err(error) if error.kind == StoreKind::AlreadyExists => {}
                Err(error) => replica.fail(error),
            }
        }
    }
    for key in said(there, id) {
        let (lack, hold) = lacking(there, &key);
        let mut good: Option<(Bytes, Bytes)> = None;
        for replica in hold.iter().filter(|_| !lack.is_empty()) {
            if let Ok(read) = vault.read_drill_file_on(replica, &key).await {
                good.get_or_insert(read);
            }
        }
        let Some((bytes, signature)) = good else { continue };
        store_on(&lack, &key, &bytes, &signature, problems).await;
    }
    // The record comes last: where it is, what it names is.
    let key = layout::drill(id);
    let (lack, _) = lacking(there, &key);
    store_on(&lack, &key, &drill.signed.0, &drill.signed.1, problems).await;
}

/// The replicas that lack an object, and those that hold it.
fn lacking<'a>(there: &Listed<'a>, key: &str) -> (Vec<&'a Replica>, Vec<&'a Replica>) {
    let live = there.iter().filter(|(replica, _)| replica.is_live());
    let (hold, lack): (Vec<_>, Vec<_>) = live.partition(|(_, keys)| keys.contains_key(key));
    let names =
        |all: Vec<&(&'a Replica, BTreeMap<String, u64>)>| all.iter().map(|(replica, _)| *replica).collect();
    (names(lack), names(hold))
}

async fn good_file(hold: &[&Replica], key: &str, digest: &Digest) -> Option<Bytes> {
    for replica in hold {
        match replica.store.get(key, STORED_BYTES_MAX).await {
            Ok(bytes) if Digest::of(&bytes) == *digest => return Some(bytes),
            _ => {}
        }
    }
    None
}

async fn store_on(
    lack: &[&Replica],
    key: &str,
    bytes: &Bytes,
    signature: &Bytes,
    problems: &mut Vec<Problem>,
) {
    let there =
        || VaultError::new(ErrorKind::Refused, format!("{key} is there already, and says something else"));
    for replica in lack {
        match replica.store_signed_new(key, bytes, signature, there).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::Refused => {
                problems.push(Problem::new("drill-differs", key, with_causes(&error)));
            }
            Err(error) => replica.fail(error),
        }
    }
}

/// Checks the copies of all drills on every live replica. `reads` says whether the bytes of files on a replica are
/// to be read and hashed, or only looked for; signed files are always read.
///
/// # Errors
///
/// When no replica could be listed; those of reading the ledgers.
pub async fn check_copies(vault: &Vault, reads: impl Fn(&Replica) -> bool) -> Result<Checked> {
    let there = listed(vault).await?;
    let mut checked = Checked::default();
    let ids = ids_of(&there);
    if ids.is_empty() {
        return Ok(checked);
    }
    let erased = ErasedContents::load(vault).await?;
    for id in ids {
        let mut named: BTreeSet<String> = BTreeSet::new();
        match drills::load(vault, &id).await {
            Ok(drill) => {
                check_one(vault, &there, &drill, &erased, &reads, &mut checked, &mut named).await;
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => {
                let key = layout::drill(&id);
                named.extend([layout::signature(&key), key.clone()]);
                checked.wrong.push(WrongCopy { replica: String::new(), key, error, is_behind: false });
            }
        }
        for (_, keys) in &there {
            let of_it = keys.keys().filter(|key| layout::drill_of(key).as_ref() == Some(&id));
            checked.unneeded += of_it.filter(|key| !named.contains(*key)).count() as u64;
        }
    }
    Ok(checked)
}

async fn check_one(
    vault: &Vault,
    there: &Listed<'_>,
    drill: &StoredDrill,
    erased: &ErasedContents,
    reads: &impl Fn(&Replica) -> bool,
    checked: &mut Checked,
    named: &mut BTreeSet<String>,
) {
    let id = &drill.file.drill;
    let is_erased = erased.order_of(&drill.file).is_some();
    let files: BTreeMap<String, (Digest, bool)> = drill
        .file
        .files
        .iter()
        .map(|file| (layout::drill_file(id, &file.stored), (file.stored, is_erased && file.holds_content())))
        .collect();
    let record = layout::drill(id);
    let said = said(there, id);
    let signed: Vec<&String> = said.iter().chain([&record]).collect();
    named.extend(files.keys().cloned());
    named.extend(signed.iter().flat_map(|key| [(*key).clone(), layout::signature(key)]));
    for (replica, keys) in there.iter().filter(|(replica, _)| replica.is_live()) {
        let has_record = keys.contains_key(&record);
        let count = checked.objects.entry(replica.name.clone()).or_default();
        for (key, (digest, is_erased)) in &files {
            if *is_erased {
                checked.erased += 1;
                continue;
            }
            *count += 1;
            let result = match (keys.get(key), reads(replica)) {
                (None, _) => Err(absent(replica, key)),
                (Some(_), false) => Ok(0),
                (Some(_), true) => hashed(replica, key, digest).await,
            };
            match result {
                Ok(bytes) => checked.bytes += bytes,
                Err(error) => {
                    let (replica, key) = (replica.name.clone(), key.clone());
                    // Where the record is, all that it names was before.
                    let is_behind = !has_record && !keys.contains_key(&key);
                    checked.wrong.push(WrongCopy { replica, key, error, is_behind });
                }
            }
        }
    }
    for key in signed {
        check_signed(vault, there, key, checked).await;
    }
}

/// Checks a signed file on each replica: one that is as good as another but says something else is damage, too.
async fn check_signed(vault: &Vault, there: &Listed<'_>, key: &str, checked: &mut Checked) {
    let mut good: Option<Bytes> = None;
    let mut refused: Vec<WrongCopy> = Vec::new();
    for (replica, keys) in there.iter().filter(|(replica, _)| replica.is_live()) {
        *checked.objects.entry(replica.name.clone()).or_default() += 1;
        let read = match keys.contains_key(key) {
            false => Err(absent(replica, key)),
            true => vault.read_drill_file_on(replica, key).await,
        };
        let error = match read {
            Ok((bytes, _)) => match good.get_or_insert_with(|| bytes.clone()) == &bytes {
                true => continue,
                false => {
                    VaultError::damaged(key, &replica.store, "another replica has another, as well signed")
                }
            },
            Err(error) => error,
        };
        let (replica, key, is_behind) = (replica.name.clone(), key.to_owned(), !keys.contains_key(key));
        refused.push(WrongCopy { replica, key, error, is_behind });
    }
    // Who said it is none of the people of today: `drill verify` says that, and the copies may be as they were.
    let is_by_stranger = |wrong: &WrongCopy| wrong.error.kind == ErrorKind::NotTrusted;
    let is_of_people = layout::parse_drill(key).is_none() && !layout::is_closed_finding(key);
    if is_of_people && good.is_none() && refused.iter().all(is_by_stranger) {
        let detail = "nobody of [people] as it is now signed it; `prismvault drill verify` says what counts";
        checked.warnings.push(Problem::new("drill-said-by-stranger", key, detail));
        return;
    }
    // What nobody has a good copy of is missing nowhere: somebody put it there.
    checked.wrong.extend(refused.into_iter().filter(|wrong| good.is_some() || !wrong.is_behind));
}

fn absent(replica: &Replica, key: &str) -> VaultError {
    VaultError::new(
        ErrorKind::Store(StoreKind::NotFound),
        format!("{key} of a drill is not on {}", replica.store),
    )
}

/// Reads and hashes a file; returns its size.
async fn hashed(replica: &Replica, key: &str, digest: &Digest) -> Result<u64> {
    let bytes = replica.store.get(key, STORED_BYTES_MAX).await?;
    match Digest::of(&bytes) == *digest {
        true => Ok(bytes.len() as u64),
        false => Err(VaultError::damaged(key, &replica.store, "it has other bytes than its name says")),
    }
}
