//! How far restores into Prismic got, kept in the vault.
//!
//! Every replica holds the same copy of the journal of a restore, so that another host, with any one
//! replica, goes on without making anything twice. The copy with the most lines counts. What cannot be
//! read counts as not there: the worst that comes of it is what comes of a host that is gone.
//!
//! A copy is replaced at one moment: **if we crash here**, replicas hold the one before or the new one.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;

use super::error::{ErrorKind, Result, VaultError};
use super::format::VERSION;
use super::format::restore::{KIND, RestoreRecord};
use super::open::Vault;
use super::replica::Replica;
use super::{layout, state};
use crate::ids::{Name, SnapshotId};
use crate::progress::Problem;

/// A copy of the journal of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCopy {
    /// Id of the restore.
    pub restore: SnapshotId,
    /// The snapshot that is restored.
    pub snapshot: SnapshotId,
    /// Name of the repository that it is restored into.
    pub target: Name,
    /// How many lines the journal has.
    pub lines: u64,
    /// The journal, all of it.
    pub journal: String,
}

/// Writes a copy to every live replica, over what is there.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without a key that may sign; [`ErrorKind::Refused`] for one that is larger
/// than [`restore_copy_bytes_max`](crate::limits::Limits::restore_copy_bytes_max), which nobody would
/// read; when no replica took it. One replica that did not is warned of.
pub async fn store(vault: &Vault, copy: &RestoreCopy) -> Result<()> {
    let key = layout::restore(&copy.restore);
    let record = RestoreRecord {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: key.clone(),
        restore: copy.restore.clone(),
        snapshot: copy.snapshot.clone(),
        target: copy.target.clone(),
        at: vault.now(),
        lines: copy.lines,
        journal: copy.journal.clone(),
    };
    let body = state::seal_large(vault, &key, record).await?;
    let max = vault.limits.restore_copy_bytes_max;
    if body.len() > max {
        let what = format!("the copy of the journal of restore {} has more than {max} bytes", copy.restore);
        return Err(VaultError::new(ErrorKind::Refused, what)
            .hint("keep this host: only it can go on with the restore"));
    }
    state::put_everywhere(vault, &key, body, "restore-not-copied").await
}

/// Reads the copies of all restores, oldest restore first; of each the one with the most lines on any
/// live replica. A replica that cannot be listed leaves the run.
pub async fn load_all(vault: &Vault) -> Vec<RestoreCopy> {
    let listed = vault
        .replicas
        .live()
        .map(|replica| async move { (replica, replica.store.list(layout::RESTORES).await) });
    let mut copies = Vec::new();
    for (replica, listed) in join_all(listed).await {
        match listed {
            Ok(objects) => {
                let ids = objects.iter().filter_map(|object| layout::parse_restore(&object.key));
                copies.extend(ids.map(|id| (replica, id)));
            }
            Err(error) => replica.fail(error),
        }
    }
    // One after the other where they are large: each is read whole.
    let mut found = stream::iter(copies)
        .map(|(replica, id)| async move { read(vault, replica, &id).await })
        .buffered(vault.limits.check_attempts as usize);
    let mut newest: BTreeMap<SnapshotId, RestoreRecord> = BTreeMap::new();
    while let Some(record) = found.next().await {
        let Some(record) = record else { continue };
        let known = newest.get(&record.restore).map(|known| (known.lines, known.at));
        if known.is_none_or(|known| (record.lines, record.at) > known) {
            newest.insert(record.restore.clone(), record);
        }
    }
    let copies = newest.into_values().map(|record| RestoreCopy {
        restore: record.restore,
        snapshot: record.snapshot,
        target: record.target,
        lines: record.lines,
        journal: record.journal,
    });
    copies.collect()
}

async fn read(vault: &Vault, replica: &Replica, id: &SnapshotId) -> Option<RestoreRecord> {
    let key = layout::restore(id);
    let max = vault.limits.restore_copy_bytes_max;
    let why = match state::read_up_to::<RestoreRecord>(vault, replica, &key, KIND, max).await {
        Ok(found) => {
            let found = found?;
            if found.restore == *id && found.journal.lines().count() as u64 == found.lines {
                return Some(found);
            }
            "it is of another restore, or not whole".to_owned()
        }
        Err(error) => error.to_string(),
    };
    let detail = format!("the copy on {} is not believed: {why}", replica.name);
    vault.warn(Problem::new("not-a-restore-copy", key, detail));
    None
}
