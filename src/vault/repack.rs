//! Writing items of old packs into new ones, under the same ids.
//!
//! Packs are immutable, so one of which little is needed any more takes the room of all that it
//! ever held. What is still needed of it is written once more: same id, salt, path and
//! fingerprint, so that catalogs, manifests and the index of writers stay true; only the pack is
//! another. Which one readers use is then a matter of the index.
//!
//! Every item is read from a good copy on any replica, and its id is checked, before it is written.
//! Nothing is deleted here.
//!
//! **If we crash here** there are packs that no index object names; pruning removes them like those
//! of any run that was killed. An index object is written last, for packs that were confirmed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_util::sync::CancellationToken;

use super::anew::{Anew, Written};
use super::error::{ErrorKind, Result, VaultError};
use super::index::PackNumber;
use super::layout;
use super::open::Vault;
use super::reader::Reader;
use super::replica::with_causes;
use super::space::{Space, read_index};
use crate::ids::{Digest, ItemId, Mac};
use crate::progress::{Phase, Problem, Progress};

/// Items to write anew, by the pack that they are taken from.
pub type Wanted = BTreeMap<PackNumber, BTreeSet<ItemId>>;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// New packs.
    pub packs: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes of the new packs, headers and index objects, on each replica.
    pub bytes: u64,
    /// Packs of which an item cannot be read: they stay as they are.
    pub unread: Vec<Problem>,
}

/// Writes items into new packs on the replicas with these numbers, and then index objects.
///
/// # Errors
///
/// [`ErrorKind::Cancelled`], after what was written so far was put into the index;
/// [`ErrorKind::TooFewReplicas`] when one of the replicas does not take a pack; those of the spool
/// disk. An item that cannot be read is in the report.
pub async fn rewrite(
    vault: &Vault,
    space: &Space,
    wanted: &Wanted,
    on: &BTreeSet<usize>,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Rewritten> {
    let macs = fingerprints(vault, space, wanted).await?;
    let reader = Reader::new(vault, space).with_restricted();
    let mut writing = Anew::new(vault, &space.name, on);
    let mut unreadable = Vec::new();
    for (number, items) in wanted {
        if cancel.is_cancelled() {
            break;
        }
        let pack = &space.index.packs()[*number as usize];
        // In the order in which they lie there: a frame is read once.
        let place = |item: &&ItemId| {
            let here = space.index.locations(item).find(|place| place.pack == *number);
            here.map(|place| (place.frame, place.offset))
        };
        let mut items: Vec<&ItemId> = items.iter().collect();
        items.sort_by_cached_key(place);
        let mut unread = None;
        for id in items {
            let read = async { Ok::<_, VaultError>((reader.item(*id).await?, reader.name(*id).await?)) };
            match read.await {
                Ok((data, name)) => {
                    let mac = macs.get(id).copied().unwrap_or(Mac::UNKNOWN);
                    writing.add(pack.kind, mac, name, data).await?;
                }
                Err(error) if matches!(error.kind, ErrorKind::Local | ErrorKind::Cancelled) => {
                    return Err(error);
                }
                Err(error) => drop(unread.get_or_insert_with(|| with_causes(&error))),
            }
        }
        if let Some(why) = unread {
            let key = layout::pack(&space.name, &pack.id);
            unreadable.push(Problem::new("not-rewritten", key, why));
        }
        progress.advance(Phase::Repack, 1, pack.size);
    }
    let Written { packs, items, bytes } = writing.finish().await?;
    if cancel.is_cancelled() {
        return Err(VaultError::cancelled());
    }
    Ok(Rewritten { packs, items, bytes, unread: unreadable })
}

/// Returns the fingerprints of the items of these packs, as index objects say them: whoever reads
/// an item could work its fingerprint out, but one that was taken away is not to come back.
async fn fingerprints(vault: &Vault, space: &Space, wanted: &Wanted) -> Result<HashMap<ItemId, Mac>> {
    let packs: Vec<_> = wanted.keys().map(|number| &space.index.packs()[*number as usize]).collect();
    let indexes: BTreeSet<Digest> = packs
        .iter()
        .flat_map(|pack| pack.indexed_by.first().or(pack.formerly_indexed_by.first()))
        .copied()
        .collect();
    let wanted: BTreeSet<&ItemId> = wanted.values().flatten().collect();
    let mut macs = HashMap::new();
    for index in indexes {
        let file = read_index(vault, &space.name, &index).await?;
        let items = file.packs.iter().flat_map(|pack| &pack.items);
        let items = items.filter(|item| item.mac != Mac::UNKNOWN && wanted.contains(&item.id));
        macs.extend(items.map(|item| (item.id, item.mac)));
    }
    Ok(macs)
}
