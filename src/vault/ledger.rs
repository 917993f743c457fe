//! The ledger of a space: signed entries that only accumulate.
//!
//! It is the union of what all replicas hold. Entries name the entries before them, manifests
//! and clients name its heads, so none can be dropped unseen: when one is missing, reading
//! content fails closed.

use std::collections::{BTreeMap, HashSet};

use super::error::{ErrorKind, Result, VaultError};
use super::format::ledger::{Decision, KIND, LedgerEntry};
use super::format::{self, trust::Role};
use super::layout;
use super::open::Vault;
use super::replica::{in_parallel, with_causes};
use crate::ids::{Digest, Name, SnapshotId};
use crate::objects::Body;
use crate::progress::Problem;

/// Who may sign entries; what each kind of entry asks for is checked where it is used.
pub(super) const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];

/// The entries of one space.
#[derive(Debug)]
pub struct Ledger {
    space: Name,
    /// By id, with the bytes and the signature as stored.
    entries: BTreeMap<SnapshotId, Stored>,
    /// Files in its place of which no replica has a good copy.
    pub unreadable: Vec<Problem>,
}

#[derive(Debug)]
struct Stored {
    entry: LedgerEntry,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    /// Names of replicas that hold it.
    on: HashSet<String>,
}

impl Ledger {
    /// Reads the ledger of a space from every live replica.
    ///
    /// # Errors
    ///
    /// Those of a store. An entry that no replica has a good copy of is in
    /// [`unreadable`](Self::unreadable).
    pub async fn load(vault: &Vault, space: &Name) -> Result<Self> {
        let mut holders: BTreeMap<SnapshotId, HashSet<String>> = BTreeMap::new();
        for replica in vault.replicas.live() {
            match replica.store.list(&format!("{}/{space}", layout::LEDGER)).await {
                Ok(objects) => {
                    for id in objects.iter().filter_map(|object| layout::parse_entry(&object.key)) {
                        holders.entry(id).or_default().insert(replica.name.clone());
                    }
                }
                Err(error) => replica.fail(error),
            }
        }
        let read = in_parallel(holders, vault.limits.store_concurrency, |(id, on)| async move {
            let key = layout::ledger(space, &id);
            let result = async {
                let (bytes, signature) = vault.read_signed(&key, KIND, ROLES).await?;
                let entry: LedgerEntry = serde_json::from_slice(&bytes)
                    .map_err(|error| VaultError::damaged(&key, &"all replicas", error))?;
                Ok::<_, VaultError>(Stored {
                    entry,
                    bytes: bytes.to_vec(),
                    signature: signature.to_vec(),
                    on,
                })
            };
            (result.await, id, key)
        })
        .await;
        let (mut entries, mut unreadable) = (BTreeMap::new(), Vec::new());
        for (stored, id, key) in read {
            match stored {
                Ok(stored) => drop(entries.insert(id, stored)),
                // A file that nobody trusted signed is no entry. A real one that was damaged is
                // missed by whoever names it.
                Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => {
                    unreadable.push(Problem::new("ledger-unreadable", key, with_causes(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { space: space.clone(), entries, unreadable })
    }

    /// Entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.values().map(|stored| &stored.entry)
    }

    /// SHA-256 of the entries that no other names.
    pub fn heads(&self) -> Vec<Digest> {
        let named: HashSet<_> = self.entries().flat_map(|entry| &entry.parents).collect();
        let mut heads: Vec<_> = self.digests().filter(|digest| !named.contains(digest)).collect();
        heads.sort_unstable();
        heads
    }

    fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.values().map(|stored| Digest::of(&stored.bytes))
    }

    /// Checks that no entry that is named by another, by a manifest or by this client's memory is
    /// missing, and that none decides what this program does not understand.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] or [`ErrorKind::UnknownFormat`]; content must not be read then.
    pub fn require_whole<'a>(
        &'a self,
        vault: &Vault,
        named: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<()> {
        let remembered = vault.remembered_ledger(&self.space)?;
        let there: HashSet<_> = self.digests().collect();
        let parents = self.entries().flat_map(|entry| entry.parents.iter().copied());
        let named = named.into_iter().copied();
        if let Some(missing) = parents.chain(named).chain(remembered).find(|digest| !there.contains(digest)) {
            return Err(VaultError::new(
                ErrorKind::Integrity,
                format!("the ledger lacks an entry with the SHA-256 {missing}, which others name"),
            )
            .hint("bring back the replica that holds it; until then content is not read, because the entry may forbid it"));
        }
        match self.entries().find(|entry| entry.critical && entry.decision == Decision::Unknown) {
            Some(entry) => Err(VaultError::new(
                ErrorKind::UnknownFormat,
                format!("{} decides something that this prismvault does not know", entry.key),
            )
            .hint("use a newer prismvault to read content from this vault")),
            None => Ok(()),
        }
    }

    /// Returns the accepted gaps of a repository: path and reason.
    pub fn accepted_gaps(&self, of: &Name) -> BTreeMap<&str, &str> {
        self.entries()
            .filter_map(|entry| match &entry.decision {
                Decision::AcceptedGap { repository, path, reason } if repository == of => {
                    Some((path.as_str(), reason.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// Writes a decision to every live replica.
    ///
    /// # Errors
    ///
    /// Without signing key, when two replicas say to be one, or when fewer than `min_copies`
    /// replicas take it.
    pub async fn append(&self, vault: &Vault, space: &Name, decision: Decision) -> Result<LedgerEntry> {
        let signer = vault.signing_key()?;
        vault.require_different_replicas().await?;
        let id = SnapshotId::new(vault.clock.now());
        let entry = LedgerEntry {
            kind: KIND.to_owned(),
            format: format::VERSION,
            vault: vault.file.vault,
            key: layout::ledger(space, &id),
            space: space.clone(),
            id,
            parents: self.heads(),
            critical: false,
            decision,
        };
        let bytes = format::to_json(&entry);
        let signature = signer.sign(&bytes, &entry.key);
        self.bring_up_to_date(vault).await;
        // The signature first: an entry without one would be refused by every reader.
        vault.replicas.store_everywhere(&layout::signature(&entry.key), &Body::bytes(signature)).await?;
        vault.replicas.store_everywhere(&entry.key, &Body::bytes(bytes.clone())).await?;
        vault.remember_ledger(space, vec![Digest::of(&bytes)])?;
        Ok(entry)
    }

    /// Checks the copy of each entry on each live replica; returns what is wrong.
    pub async fn check_copies(&self, vault: &Vault) -> Vec<(String, String, VaultError)> {
        let signers = vault.signers(ROLES);
        let mut wrong = Vec::new();
        for stored in self.entries.values() {
            for replica in vault.replicas.live() {
                let key = &stored.entry.key;
                if let Err(error) = vault.read_signed_on(replica, key, KIND, &signers).await {
                    wrong.push((replica.name.clone(), key.clone(), error));
                }
            }
        }
        wrong
    }

    /// Copies entries to live replicas that lack them; a replica that refuses leaves the run.
    pub async fn bring_up_to_date(&self, vault: &Vault) {
        for stored in self.entries.values() {
            for replica in vault.replicas.live().filter(|replica| !stored.on.contains(&replica.name)) {
                let key = &stored.entry.key;
                let result = async {
                    replica.store_new(&layout::signature(key), Body::bytes(stored.signature.clone())).await?;
                    replica.store_new(key, Body::bytes(stored.bytes.clone())).await
                };
                if let Err(error) = result.await {
                    replica.fail(error);
                }
            }
        }
    }
}
