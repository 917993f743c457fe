//! Making a vault, and adding replicas to one.
//!
//! `vault.json` is written last on each replica: a place without it holds no vault, so a run
//! that was killed is simply run again.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::abilities::require_erasable;
use super::envelope::Recipient;
use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::{self, Role, Signer, TrustRecord};
use super::format::vault::{Encryption, Features, REPLICA_KIND, ReplicaFile, VAULT_KIND, VaultFile};
use super::format::{VERSION, to_json};
use super::item::ItemKey;
use super::layout;
use super::open::parse_vault_file;
use super::places::require_different_places;
use super::replica::Replica;
use super::signing::{SigningKey, VerifyingKey};
use super::trust::wrap_item_key;
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{ReplicaId, VaultId, random};
use crate::objects::Body;

/// What a new vault is to be.
#[derive(Debug)]
pub struct NewVault<'a> {
    /// Who reads content; empty for a vault without encryption.
    pub content_recipients: Vec<Recipient>,
    /// Who reads catalogs besides them.
    pub operator_recipients: Vec<Recipient>,
    /// The key that signs manifests.
    pub signing: VerifyingKey,
    /// The key that signs trust records.
    pub root: &'a SigningKey,
    /// Now.
    pub created: Timestamp,
}

/// Makes a vault on `replicas`, all of which must be empty, and different places.
///
/// # Errors
///
/// [`ErrorKind::AlreadyAVault`] when one of them holds a vault, [`ErrorKind::Refused`] when one
/// holds anything else or two are one place; nothing is written then. Errors of a store; the same call can be made
/// again then.
pub async fn init(replicas: &[Replica], new: NewVault<'_>) -> Result<VaultFile> {
    require_erasable(replicas, !new.content_recipients.is_empty())?;
    require_empty_places(replicas).await?;
    let vault = VaultId(random());
    let encryption = if new.content_recipients.is_empty() { Encryption::None } else { Encryption::Age };
    let mut catalog_recipients = new.operator_recipients;
    catalog_recipients.extend(new.content_recipients.iter().cloned());
    catalog_recipients.sort();
    catalog_recipients.dedup();
    let created = rfc3339(new.created);
    let key = layout::trust(1);
    let record = TrustRecord {
        kind: trust::KIND.to_owned(),
        format: VERSION,
        vault,
        key: key.clone(),
        n: 1,
        created: created.clone(),
        root: new.root.public().clone(),
        signers: vec![Signer { key: new.signing, roles: vec![Role::Snapshot, Role::Maintenance] }],
        content_recipients: new.content_recipients,
        item_key: wrap_item_key(&ItemKey(random()), &catalog_recipients)?,
        catalog_recipients,
        privacy_recipients: Vec::new(),
        erasure_approvals: 1,
        labels: BTreeMap::new(),
    };
    let file = VaultFile {
        kind: VAULT_KIND.to_owned(),
        format: VERSION,
        vault,
        created,
        encryption,
        features: Features::default(),
    };
    let record = to_json(&record);
    let signature = new.root.sign(&record, &key);
    let objects = [(layout::signature(&key), signature.into_bytes()), (key, record)];
    write(replicas, &vault, &objects, &to_json(&file)).await?;
    Ok(file)
}

/// Adds empty replicas to the vault that `source` holds: trust records, then `vault.json`. What
/// older snapshots need is brought by copying, not here.
///
/// # Errors
///
/// As [`init`].
pub async fn join(source: &Replica, vault: &VaultId, new: &[Replica]) -> Result<()> {
    require_empty_places(new).await?;
    let mut objects = Vec::new();
    for object in source.store.list(layout::TRUST).await? {
        objects.push((object.key.clone(), source.store.get(&object.key, 1 << 20).await?.to_vec()));
    }
    // Signatures before what they sign.
    objects.sort_by_key(|(key, _)| !key.ends_with(".minisig"));
    let file = source.store.get(layout::VAULT, 1 << 20).await?;
    let encryption = parse_vault_file(&file, &source.store)?.encryption;
    require_erasable(new, encryption == Encryption::Age)?;
    write(new, vault, &objects, &file).await
}

async fn write(
    replicas: &[Replica],
    vault: &VaultId,
    objects: &[(String, Vec<u8>)],
    file: &[u8],
) -> Result<()> {
    let written = join_all(replicas.iter().map(|replica| async move {
        for (key, bytes) in objects {
            replica.store_new(key, Body::bytes(bytes.clone())).await?;
        }
        replica.store_new(layout::REPLICA, Body::bytes(replica_file(vault))).await?;
        replica.store_new(layout::VAULT, Body::bytes(file.to_vec())).await
    }))
    .await;
    written.into_iter().collect::<Result<()>>()?;
    // Two at once would each think the vault theirs.
    for replica in replicas {
        for (key, bytes) in
            objects.iter().map(|(key, bytes)| (key.as_str(), bytes.as_slice())).chain([(layout::VAULT, file)])
        {
            if replica.find_small(key, 1 << 20).await?.as_deref() != Some(bytes) {
                return Err(VaultError::new(
                    ErrorKind::Refused,
                    format!("{key} on {} was replaced while the vault was made", replica.store),
                )
                .hint("another `init` ran at the same time; empty the place and run one of them again"));
            }
        }
    }
    Ok(())
}

/// Returns the bytes of a new `replica.json`, with a random id.
pub fn replica_file(vault: &VaultId) -> Vec<u8> {
    let replica = ReplicaId(random());
    to_json(&ReplicaFile { kind: REPLICA_KIND.to_owned(), format: VERSION, vault: *vault, replica })
}

/// Checks that a vault can be made on these replicas: all are empty, and no two are one place.
///
/// # Errors
///
/// Those of [`require_empty`]; [`ErrorKind::Refused`] when two are one place.
pub async fn require_empty_places(replicas: &[Replica]) -> Result<()> {
    for replica in replicas {
        require_empty(replica).await?;
    }
    require_different_places(replicas).await
}

/// Checks that a place is empty; what a killed [`init`] left there is removed.
///
/// # Errors
///
/// [`ErrorKind::AlreadyAVault`], or [`ErrorKind::Refused`] when it holds anything else.
pub async fn require_empty(replica: &Replica) -> Result<()> {
    if replica.find_small(layout::VAULT, 1 << 20).await?.is_some() {
        return Err(VaultError::new(
            ErrorKind::AlreadyAVault,
            format!("{} holds a vault already", replica.store),
        )
        .hint("to use it, name its keys in [keys] and its id and root key in [vault]"));
    }
    let rest: Vec<_> = replica.store.list("").await?;
    // What a killed `init` left is no vault: trust records and replica.json only.
    let foreign = rest.iter().find(|object| !layout::is_before_vault(&object.key));
    match foreign {
        Some(object) => Err(VaultError::new(
            ErrorKind::Refused,
            format!("{} is not empty (it holds {}) and is no vault", replica.store, object.key),
        )
        .hint("choose an empty directory or an unused prefix of the bucket")),
        None => {
            // Of a probe and of whoever else is at work here; no vault minds them.
            let stays = |key: &str| [layout::SCRATCH, layout::CLAIMS].iter().any(|one| key.starts_with(one));
            for object in rest.into_iter().filter(|object| !stays(&object.key)) {
                replica.store.delete(&object.key).await?;
            }
            Ok(())
        }
    }
}
