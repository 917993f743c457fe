//! Whether every replica holds a drill as it was signed: each copy of each file by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{ROLES, STORED_BYTES_MAX, StoredDrill, StoredStatement};
use crate::ids::Digest;
use crate::objects::ErrorKind as StoreKind;
use crate::vault::erasure::content_erased;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::drill::{CLOSED_KIND, KIND};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};

/// Something that is wrong with one copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct CopyFault {
    /// The object.
    pub key: String,
    /// The replica on which it is wrong.
    pub replica: String,
    /// What is wrong, in words.
    pub what: String,
}

/// What came of checking all copies of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopiesChecked {
    /// Copies that were read and are good.
    pub good: u64,
    /// What is wrong, by key and replica.
    pub faults: Vec<CopyFault>,
}

/// Reads every copy of a drill on every live replica. A replica that cannot be read leaves the run, as
/// everywhere: [`Replicas::failed`](crate::vault::replica::Replicas::failed) names it.
///
/// # Errors
///
/// When no replica can be read.
pub async fn check_copies_of(
    vault: &Vault,
    drill: &StoredDrill,
    statements: &[StoredStatement],
) -> Result<CopiesChecked> {
    let mut checked = CopiesChecked::default();
    // What an order of erasure took is not lost.
    let is_erased = content_erased(vault, &drill.file).await?.is_some();
    let files: BTreeMap<Digest, bool> =
        drill.file.files.iter().map(|file| (file.stored, is_erased && file.holds_content())).collect();
    for replica in vault.replicas.live() {
        let one = Checking { vault, replica, checked: &mut checked };
        if let Err(error) = one.check(drill, statements, &files).await {
            replica.fail(error);
        }
    }
    vault.replicas.require_any()?;
    checked.faults.sort();
    Ok(checked)
}

/// One replica.
struct Checking<'a> {
    vault: &'a Vault,
    replica: &'a Replica,
    checked: &'a mut CopiesChecked,
}

impl Checking<'_> {
    /// `files` says which files an order of erasure took.
    async fn check(
        mut self,
        drill: &StoredDrill,
        statements: &[StoredStatement],
        files: &BTreeMap<Digest, bool>,
    ) -> Result<()> {
        let id = &drill.file.drill;
        let listed = self.replica.store.list(&layout::drill_directory(id)).await?;
        let mut there: BTreeSet<String> = listed.into_iter().map(|object| object.key).collect();
        let record = layout::drill(id);
        self.same(&mut there, &record, &drill.signed.0).await?;
        self.signed(&mut there, &record, KIND).await?;
        for statement in statements {
            let key = &statement.file.key;
            self.same(&mut there, key, &statement.signed.0).await?;
            self.same(&mut there, &layout::signature(key), &statement.signed.1).await?;
        }
        for (digest, is_erased) in files {
            let key = layout::drill_file(id, digest);
            match is_erased {
                // A copy that is still there is destroyed when the order gets to this replica.
                true => drop(there.remove(&key)),
                false => self.hashed(&mut there, &key, digest).await?,
            }
        }
        let closed: Vec<String> =
            there.iter().filter(|key| layout::is_closed_finding(key)).cloned().collect();
        for key in closed {
            there.remove(&key);
            self.signed(&mut there, &key, CLOSED_KIND).await?;
        }
        for key in there {
            self.fault(&key, "it does not belong to the drill: nothing that is signed names it");
        }
        Ok(())
    }

    fn fault(&mut self, key: &str, what: impl Into<String>) {
        let replica = self.replica.name.clone();
        self.checked.faults.push(CopyFault { key: key.to_owned(), replica, what: what.into() });
    }

    /// Bytes of a small object; a fault where there are none.
    async fn small(&mut self, key: &str) -> Result<Option<bytes::Bytes>> {
        let found = self.replica.find_small(key, self.vault.limits().small_object_bytes_max).await?;
        if found.is_none() {
            self.fault(key, "it is missing");
        }
        Ok(found)
    }

    /// An object that must have these bytes.
    async fn same(&mut self, there: &mut BTreeSet<String>, key: &str, bytes: &[u8]) -> Result<()> {
        there.remove(key);
        match self.small(key).await? {
            None => {}
            Some(found) if found == bytes => self.checked.good += 1,
            Some(_) => self.fault(key, "it was altered: it has other bytes than what was signed"),
        }
        Ok(())
    }

    /// A file that a key of the vault must have signed; its signature is an object of its own.
    async fn signed(&mut self, there: &mut BTreeSet<String>, key: &str, kind: &str) -> Result<()> {
        let signature = layout::signature(key);
        there.remove(&signature);
        if self.small(&signature).await?.is_none() {
            return Ok(());
        }
        let signers = self.vault.former_signers(ROLES);
        match self.vault.read_signed_on(self.replica, key, kind, &signers).await {
            Ok(_) => self.checked.good += 1,
            // That the file itself is missing was said.
            Err(error) if error.kind == ErrorKind::Store(StoreKind::NotFound) => {}
            Err(error) if is_about_bytes(&error) => self.fault(key, with_causes(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A file that is named by the SHA-256 of its bytes.
    async fn hashed(&mut self, there: &mut BTreeSet<String>, key: &str, digest: &Digest) -> Result<()> {
        there.remove(key);
        match self.replica.store.get(key, STORED_BYTES_MAX).await {
            Ok(bytes) if Digest::of(&bytes) == *digest => self.checked.good += 1,
            Ok(_) => self.fault(key, "it was altered: it has other bytes than its name says"),
            Err(error) if error.kind == StoreKind::NotFound => self.fault(key, "it is missing"),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn is_about_bytes(error: &VaultError) -> bool {
    matches!(error.kind, ErrorKind::NotTrusted | ErrorKind::Integrity | ErrorKind::UnknownFormat)
}
