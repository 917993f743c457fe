//! Lists of members in the vault: a chain of snapshots of their own.
//!
//! A list is imported as one file under one path, so its manifest holds counts and nothing else.
//! Equal lists are one item: to import the same list again records that it was still true.

use std::io::Read as _;
use std::sync::Arc;

use super::member::MemberList;
use crate::ids::{Name, SnapshotId};
use crate::restore::{OpenSnapshot, RestoreError, cat};
use crate::vault::commit::{Committed, Draft, LinksPart};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::catalog::{CatalogEntry, LinkEntry};
use crate::vault::format::manifest::{Consistency, Counts, Manifest, Source, Tally};
use crate::vault::item::ItemKind;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::snapshots::Snapshots;
use crate::vault::space::Space;
use crate::vault::writer::{NewItem, Writer};

/// Path of the list in its snapshots.
const PATH: &str = "repository/members.json";

/// Whose members a list names.
#[derive(Debug, Clone)]
pub struct ImportTarget {
    /// Repository, by its name in the configuration.
    pub repository: Name,
    /// Space that holds its items.
    pub space: Name,
    /// Prismic's repository name.
    pub prismic: String,
}

/// Returns the name under which the lists of a repository are kept: what `list`, `show` and `cat`
/// take.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the name of the repository is too long for it.
pub fn chain_of(repository: &Name) -> Result<Name> {
    repository.access_chain().ok_or_else(|| {
        VaultError::new(
            ErrorKind::Refused,
            format!("the name {repository} is too long for a list of members beside it"),
        )
        .hint("give the repository a name of at most 56 characters in the configuration")
    })
}

/// Keeps a list of members. It exists when this returns, and not before; nothing is overwritten.
///
/// # Errors
///
/// Those of writing a snapshot: see [`Writer::new`] and [`Writer::commit`].
pub async fn import(vault: &Arc<Vault>, target: &ImportTarget, list: &MemberList) -> Result<Committed> {
    let chain = chain_of(&target.repository)?;
    let started = vault.now();
    vault.require_may_write().await?;
    let snapshots = Snapshots::load(vault, Some(&chain)).await?;
    let ledger = Ledger::load(vault, &target.space).await?;
    let space = Space::load(vault, &target.space).await?;
    let writer = Writer::new(Arc::clone(vault), space, std::iter::empty())?;
    let bytes = list.to_bytes();
    let size = bytes.len() as u64;
    let item =
        NewItem { kind: ItemKind::Repository, path: PATH.to_owned(), data: ItemData::Memory(bytes.into()) };
    let stored = writer.store(vec![item]).await?;
    let entries =
        stored.iter().map(|stored| CatalogEntry { path: PATH.into(), item: stored.id, size: stored.size });
    let draft = Draft {
        repository: chain,
        snapshot: SnapshotId::new(started),
        started,
        trigger: "access import".to_owned(),
        source: Source {
            repository: target.prismic.clone(),
            content_api: String::new(),
            master_ref: String::new(),
            integration_fields_ref: None,
            releases: std::collections::BTreeMap::new(),
            write_token: false,
        },
        entries: entries.collect(),
        links: LinksPart::New(Box::new(std::iter::empty::<LinkEntry>())),
        counts: Counts {
            repository: Tally { reported: Some(1), stored: 1, bytes: size },
            ..Counts::default()
        },
        consistency: Consistency::default(),
        read: None,
        gaps: Vec::new(),
        accepted_gaps: Vec::new(),
        warnings: Vec::new(),
    };
    writer.commit(draft, &snapshots, &ledger).await
}

/// Reads the list of a snapshot of the chain.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when no identity that reads content is here, [`ErrorKind::Integrity`]
/// when it is damaged or no list.
pub async fn read_list(
    vault: &Vault,
    snapshots: &Snapshots,
    manifest: &Manifest,
) -> std::result::Result<MemberList, RestoreError> {
    let snapshot = OpenSnapshot::open(vault, snapshots, manifest).await?;
    let mut found = cat(&snapshot, PATH).await?;
    let max = vault.limits().small_object_bytes_max;
    let mut bytes = Vec::new();
    let reader = found.data.reader().map_err(RestoreError::local("cannot read a temporary file"))?;
    reader.take(max).read_to_end(&mut bytes).map_err(RestoreError::local("cannot read a temporary file"))?;
    MemberList::from_bytes(&bytes).map_err(|error| {
        let what = format!("{PATH} of {} cannot be read", manifest.snapshot);
        RestoreError::Vault(VaultError::new(ErrorKind::Integrity, what).because(error))
    })
}
