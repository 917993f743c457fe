//! Writing items and committing a snapshot.
//!
//! An item is stored only if its space lacks it: known by its fingerprint, in packs that are on each of
//! the `min_copies` replicas on which this run relies. New items go into packs, a finished pack to every replica at
//! once. The commit writes catalog packs, index, signature and manifest, in that order, and each
//! only when what it names was confirmed; the manifest is the one commit point.
//!
//! **If we crash here** the vault holds unreferenced packs at worst. Index objects written on the
//! way make the next run find what this one had stored.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::error::{ErrorKind, Result, VaultError};
use super::format::index::{IndexFile, PackKind, PackRecord};
use super::item::ItemKind;
use super::open::Vault;
use super::pack::{FinishedPack, ItemData, PackBuilder, PackOptions};
use super::replica::with_causes;
use super::space::{INDEX_SIGNERS, Space};
use super::{envelope, layout};
use crate::ids::{Digest, ItemId, Mac, Salt, random};
use crate::objects::Body;

/// An item to be stored.
#[derive(Debug)]
pub struct NewItem {
    /// What it is.
    pub kind: ItemKind,
    /// Path it is stored under, if it is new.
    pub path: String,
    /// Its bytes.
    pub data: ItemData,
}

/// An item that is in the vault, or will be when the snapshot is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredItem {
    /// Its id.
    pub id: ItemId,
    /// Its fingerprint.
    pub mac: Mac,
    /// Bytes of it.
    pub size: u64,
}

/// Stores the items of one snapshot.
pub struct Writer {
    pub(super) vault: Arc<Vault>,
    pub(super) shared: Arc<Shared>,
    uploader: tokio::sync::Mutex<JoinSet<Result<Uploaded>>>,
}

/// What the packing threads and the uploader share.
pub(super) struct Shared {
    pub(super) space: Mutex<Space>,
    /// Numbers of the replicas on which the snapshot must be whole.
    anchors: Vec<usize>,
    vault: Arc<Vault>,
    fresh: Mutex<HashMap<Mac, ItemId>>,
    originals: Mutex<Vec<(ItemId, ItemId)>>,
    lanes: [Mutex<Lane>; 3],
    options: [PackOptions; 3],
    finished: Mutex<Option<mpsc::Sender<FinishedPack>>>,
    /// Why the uploader ended: kind, sentence and next step.
    failure: Mutex<Option<(ErrorKind, String, String)>>,
    new_items: AtomicU64,
    new_bytes: AtomicU64,
}

/// The pack of one kind that is being filled.
#[derive(Default)]
struct Lane(Option<(PackBuilder, Instant)>);

/// What the uploader stored.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    /// Packs that no index object names yet.
    pub(super) unindexed: Vec<PackRecord>,
    /// Packs in all.
    pub(super) packs: u64,
    /// Bytes of packs, headers and index objects, on each replica.
    pub(super) bytes: u64,
}

fn lane(kind: PackKind) -> usize {
    match kind {
        PackKind::Content => 0,
        PackKind::Assets => 1,
        PackKind::Catalog => 2,
    }
}

/// How packs of this kind are made: encrypted to those who are to read it now.
pub(super) fn pack_options(vault: &Vault, kind: PackKind) -> PackOptions {
    let recipients = match kind.is_content() {
        true => &vault.trust.content_recipients,
        false => &vault.trust.catalog_recipients,
    };
    PackOptions {
        recipients: recipients.clone(),
        frame_bytes: vault.limits.frame_bytes,
        zstd_level: vault.limits.zstd_level,
        spool: vault.spool.clone(),
    }
}

impl Writer {
    /// Starts writing into a space, as it was just loaded. What it takes over is relied on where most of
    /// `base` is: the items of the snapshot before, none for a first one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewReplicas`], or [`ErrorKind::Identity`] when signing key or operator
    /// identity are missing: before anything is read from the source.
    pub fn new<'a>(
        vault: Arc<Vault>,
        space: Space,
        base: impl Iterator<Item = &'a ItemId> + Clone,
    ) -> Result<Self> {
        vault.replicas.require_enough()?;
        vault.signing_key()?;
        vault.item_key()?;
        let replicas = vault.replicas.all().iter().enumerate();
        let live = replicas.filter(|(_, replica)| replica.is_live()).map(|(at, _)| at);
        let anchors = space.anchors(vault.replicas.min_copies, live, base);
        let (sender, receiver) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            space: Mutex::new(space),
            anchors,
            fresh: Mutex::default(),
            originals: Mutex::default(),
            lanes: Default::default(),
            options: [PackKind::Content, PackKind::Assets, PackKind::Catalog]
                .map(|kind| pack_options(&vault, kind)),
            finished: Mutex::new(Some(sender)),
            failure: Mutex::default(),
            new_items: AtomicU64::new(0),
            new_bytes: AtomicU64::new(0),
            vault: Arc::clone(&vault),
        });
        let mut uploader = JoinSet::new();
        uploader.spawn(upload_all(Arc::clone(&shared), receiver).in_current_span());
        Ok(Self { vault, shared, uploader: tokio::sync::Mutex::new(uploader) })
    }

    /// Stores items; those that are known cost a fingerprint only. Returns them in order.
    ///
    /// # Errors
    ///
    /// When the spool disk fails, or too few replicas are left.
    pub async fn store(&self, items: Vec<NewItem>) -> Result<Vec<StoredItem>> {
        let shared = Arc::clone(&self.shared);
        let stored = tokio::task::spawn_blocking(move || {
            items.into_iter().map(|item| shared.store(item)).collect::<Result<Vec<_>>>()
        })
        .await
        .expect("packing does not panic");
        match stored {
            Ok(stored) => Ok(stored),
            Err(error) => Err(self.why(error).await),
        }
    }

    /// Returns the id of an equal item that the space holds on enough replicas.
    pub fn known(&self, kind: ItemKind, bytes: &[u8]) -> Option<StoredItem> {
        let mac = self.vault.item_key().ok()?.fingerprint(kind, bytes);
        let id = self.shared.known(&mac)?;
        Some(StoredItem { id, mac, size: bytes.len() as u64 })
    }

    /// Returns the same of several, off the async threads: the ids in order.
    pub async fn known_each(&self, kind: ItemKind, items: Vec<Bytes>) -> Vec<Option<ItemId>> {
        let shared = Arc::clone(&self.shared);
        let looking = tokio::task::spawn_blocking(move || {
            let known = |bytes: &Bytes| {
                let key = shared.vault.item_key().ok()?;
                shared.known(&key.fingerprint(kind, bytes))
            };
            items.iter().map(known).collect()
        });
        looking.await.expect("looking items up does not panic")
    }

    /// Whether an item that an earlier catalog names is where it must be to be carried over.
    pub fn holds(&self, id: &ItemId) -> bool {
        let space = self.shared.space.lock().expect("no holder of this lock can panic");
        self.shared.keeps(&space, id)
    }

    /// Names of the replicas on which the snapshot must be whole, for people.
    pub fn relied_on(&self) -> String {
        let name = |at: &usize| self.vault.replicas.all()[*at].name.as_str();
        self.shared.anchors.iter().map(name).collect::<Vec<_>>().join(" and ")
    }

    /// Whether an item is on any replica.
    pub fn is_anywhere(&self, id: &ItemId) -> bool {
        let space = self.shared.space.lock().expect("no holder of this lock can panic");
        space.index.is_present(id, |pack| space.copies(pack) > 0)
    }

    /// Returns the bytes of the asset with this metadata and their length, if a run that was
    /// killed had stored them.
    pub fn original(&self, metadata: &ItemId) -> Option<(ItemId, u64)> {
        let space = self.shared.space.lock().expect("no holder of this lock can panic");
        let id = space.index.original(metadata).filter(|id| self.shared.keeps(&space, id))?;
        let length = space.index.locations(&id).next()?.length;
        Some((id, length))
    }

    /// Notes that the asset with this metadata has these bytes, for the run after a kill.
    pub fn note_original(&self, metadata: ItemId, original: ItemId) {
        self.shared.originals.lock().expect("no holder of this lock can panic").push((metadata, original));
    }

    /// Items and bytes that were new, catalog pages not counted.
    pub fn added(&self) -> (u64, u64) {
        (self.shared.new_items.load(Ordering::Relaxed), self.shared.new_bytes.load(Ordering::Relaxed))
    }

    /// Keeps what was stored so far for the next run: sends what is still open and writes an index
    /// object for it. For a run that is told to stop; a run that is killed loses what was stored
    /// since its last checkpoint.
    ///
    /// # Errors
    ///
    /// When too few replicas are left.
    pub async fn keep_progress(&self) -> Result<()> {
        let mut uploaded = self.finish_packs().await?;
        if uploaded.unindexed.is_empty() {
            return Ok(());
        }
        let packs = std::mem::take(&mut uploaded.unindexed);
        let originals =
            std::mem::take(&mut *self.shared.originals.lock().expect("no holder of this lock can panic"));
        write_index(&self.vault, &self.shared.name(), packs, originals).await.map(drop)
    }

    /// Sends what is still open and waits until every pack is on the replicas.
    pub(super) async fn finish_packs(&self) -> Result<Uploaded> {
        let shared = Arc::clone(&self.shared);
        let result =
            tokio::task::spawn_blocking(move || shared.finish()).await.expect("packing does not panic");
        let uploaded = match self.uploader.lock().await.join_next().await {
            Some(joined) => joined.expect("the uploader does not panic and is not aborted"),
            None => Err(VaultError::cancelled()),
        };
        match (result, uploaded) {
            (Ok(()), Ok(uploaded)) => Ok(uploaded),
            // What the packing side failed by, unless it only noticed that the uploader is gone.
            (Err(error), Ok(_)) => Err(error),
            (_, Err(error)) => Err(self.why(error).await),
        }
    }

    /// The packing side only knows that the uploader is gone; the uploader noted why.
    async fn why(&self, error: VaultError) -> VaultError {
        if error.kind != ErrorKind::Cancelled {
            return error;
        }
        // It notes before it ends.
        while self.uploader.lock().await.join_next().await.is_some() {}
        let failure = self.shared.failure.lock().expect("no holder of this lock can panic");
        match &*failure {
            Some((kind, what, hint)) => VaultError::new(*kind, what.clone()).hint(hint.clone()),
            None => error,
        }
    }
}

impl Shared {
    fn known(&self, mac: &Mac) -> Option<ItemId> {
        let fresh = self.fresh.lock().expect("no holder of this lock can panic").get(mac).copied();
        fresh.or_else(|| {
            let space = self.space.lock().expect("no holder of this lock can panic");
            space.index.known(mac).filter(|id| !space.erased.contains(id) && self.keeps(&space, id))
        })
    }

    /// Whether an item is on each replica that is relied on.
    fn keeps(&self, space: &Space, id: &ItemId) -> bool {
        let on_all = |pack| self.anchors.iter().all(|replica| space.keeps_pack(*replica, pack));
        // Nearly always one pack is on all of them; else each may have it in a pack of its own.
        space.index.is_present(id, on_all)
            || self.anchors.iter().all(|replica| space.keeps_item(*replica, id))
    }

    /// Stores one item. Blocks while too many packs wait to be sent.
    pub(super) fn store(&self, mut item: NewItem) -> Result<StoredItem> {
        let size = item.data.len();
        let read_error = |error| VaultError::local("cannot read a temporary file", error);
        let mut fingerprint = self.vault.item_key()?.start(item.kind);
        for_each_part(&mut item.data, |part| fingerprint.update(part)).map_err(read_error)?;
        let mac = fingerprint.finish();
        if let Some(id) = self.known(&mac) {
            return Ok(StoredItem { id, mac, size });
        }
        let salt = Salt(random());
        let mut digest = Sha256::new().chain_update(salt.0);
        for_each_part(&mut item.data, |part| digest.update(part)).map_err(read_error)?;
        let id = ItemId(digest.finalize().into());
        // Two threads may have come here with equal items: one of them stores it.
        let first = *self.fresh.lock().expect("no holder of this lock can panic").entry(mac).or_insert(id);
        if first != id {
            return Ok(StoredItem { id: first, mac, size });
        }
        self.pack(id, &salt, mac, &mut item)?;
        if item.kind != ItemKind::Page {
            self.new_items.fetch_add(1, Ordering::Relaxed);
            self.new_bytes.fetch_add(size, Ordering::Relaxed);
        }
        Ok(StoredItem { id, mac, size })
    }

    fn pack(&self, id: ItemId, salt: &Salt, mac: Mac, item: &mut NewItem) -> Result<()> {
        let kind = item.kind.pack_kind();
        let limits = &self.vault.limits;
        let mut lane_guard = self.lanes[lane(kind)].lock().expect("no holder of this lock can panic");
        // A pack is closed before an item that does not fit, so a large asset has its own.
        if let Some((builder, _)) = lane_guard.0.take_if(|(builder, _)| {
            builder.stored_bytes() > 0 && builder.stored_bytes() + item.data.len() > limits.pack_bytes
        }) {
            self.send(builder.finish()?)?;
        }
        let (builder, _) = match &mut lane_guard.0 {
            Some(open) => open,
            none => none.insert((PackBuilder::new(kind, &self.options[lane(kind)])?, Instant::now())),
        };
        builder.add(id, salt, mac, &item.path, &mut item.data)?;
        // One that is open for long is closed as well, so that a checkpoint can name it.
        if let Some((builder, _)) = lane_guard.0.take_if(|(builder, since)| {
            builder.stored_bytes() >= limits.pack_bytes || since.elapsed() >= limits.checkpoint_every
        }) {
            self.send(builder.finish()?)?;
        }
        Ok(())
    }

    /// Sends the packs of these kinds that are being filled.
    pub(super) fn finish_lanes(&self, kinds: &[PackKind]) -> Result<()> {
        for kind in kinds {
            let open = self.lanes[lane(*kind)].lock().expect("no holder of this lock can panic").0.take();
            if let Some((builder, _)) = open {
                self.send(builder.finish()?)?;
            }
        }
        Ok(())
    }

    /// Sends what is left; without sender the uploader ends.
    fn finish(&self) -> Result<()> {
        let result = self.finish_lanes(&[PackKind::Content, PackKind::Assets, PackKind::Catalog]);
        self.finished.lock().expect("no holder of this lock can panic").take();
        result
    }

    fn send(&self, pack: FinishedPack) -> Result<()> {
        let sender = self.finished.lock().expect("no holder of this lock can panic").clone();
        sender.and_then(|sender| sender.blocking_send(pack).ok()).ok_or_else(VaultError::cancelled)
    }
}

fn for_each_part(data: &mut ItemData, mut part: impl FnMut(&[u8])) -> io::Result<()> {
    if let ItemData::Memory(bytes) = data {
        part(bytes);
        return Ok(());
    }
    let mut reader = data.reader()?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            read => part(&buffer[..read]),
        }
    }
}

/// Sends finished packs to every live replica until the last sender is gone, and writes an index
/// object from time to time.
async fn upload_all(shared: Arc<Shared>, packs: mpsc::Receiver<FinishedPack>) -> Result<Uploaded> {
    let result = upload_each(&shared, packs).await;
    if let Err(error) = &result {
        let hint = error.next_step().unwrap_or_default().to_owned();
        let failure = (error.kind, with_causes(error), hint);
        shared.failure.lock().expect("no holder of this lock can panic").get_or_insert(failure);
    }
    result
}

async fn upload_each(shared: &Shared, mut packs: mpsc::Receiver<FinishedPack>) -> Result<Uploaded> {
    let limits = &shared.vault.limits;
    let mut uploaded = Uploaded::default();
    let (mut since_bytes, mut since) = (0, Instant::now());
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            pack = packs.recv(), if sending.len() < limits.packs_in_flight => match pack {
                Some(pack) => {
                    // A catalog pack names items of the packs before it.
                    while pack.record.kind == PackKind::Catalog && !sending.is_empty() {
                        if let Some(record) = sending.next().await {
                            note(shared, record?, &mut uploaded);
                        }
                    }
                    sending.push(upload(shared, pack));
                }
                None if sending.is_empty() => return Ok(uploaded),
                None => {
                    while let Some(record) = sending.next().await {
                        note(shared, record?, &mut uploaded);
                    }
                    return Ok(uploaded);
                }
            },
            Some(record) = sending.next() => {
                let record = record?;
                since_bytes += record.0.size;
                note(shared, record, &mut uploaded);
                if since_bytes >= limits.checkpoint_bytes || since.elapsed() >= limits.checkpoint_every {
                    let originals = std::mem::take(&mut *shared.originals.lock().expect("no holder of this lock can panic"));
                    let packs = std::mem::take(&mut uploaded.unindexed);
                    uploaded.bytes += write_index(&shared.vault, &shared.name(), packs, originals).await?;
                    (since_bytes, since) = (0, Instant::now());
                }
            }
        }
    }
}

impl Shared {
    fn name(&self) -> crate::ids::Name {
        self.space.lock().expect("no holder of this lock can panic").name.clone()
    }
}

fn note(shared: &Shared, (record, on): (PackRecord, HashSet<usize>), uploaded: &mut Uploaded) {
    shared.space.lock().expect("no holder of this lock can panic").add_pack(&record, &on);
    uploaded.packs += 1;
    uploaded.bytes += record.size + record.header.map_or(0, |(_, size)| size);
    uploaded.unindexed.push(record);
}

async fn upload(shared: &Shared, mut pack: FinishedPack) -> Result<(PackRecord, HashSet<usize>)> {
    let stored = store_pack(&shared.vault, &shared.name(), &mut pack, |_| true).await;
    shared.vault.replicas.require_enough()?;
    Ok((pack.record, stored))
}

/// Sends a pack to the live replicas with these numbers, its header first; returns the numbers of
/// those that confirmed it. One that fails leaves the run.
pub(super) async fn store_pack(
    vault: &Vault,
    space: &crate::ids::Name,
    pack: &mut FinishedPack,
    on: impl Fn(usize) -> bool,
) -> HashSet<usize> {
    pack.record.trust = vault.trust.n;
    let pack = &*pack;
    let body_key = &layout::pack(space, &pack.record.id);
    let replicas = vault.replicas.all().iter().enumerate();
    let replicas = replicas.filter(|(at, replica)| replica.is_live() && on(*at));
    let stored = join_all(replicas.map(|(at, replica)| async move {
        let result = async {
            if let Some(header) = &pack.header {
                let key = layout::header(space, &pack.record.id, &header.sha256());
                replica.store_new(&key, header.clone()).await?;
            }
            replica.store_new(body_key, pack.body.clone()).await
        };
        match result.await {
            Ok(()) => Some(at),
            Err(error) => {
                replica.fail(error);
                None
            }
        }
    }));
    stored.await.into_iter().flatten().collect()
}

/// Writes an index object to every live replica; returns its size.
///
/// # Errors
///
/// Without a key that may sign it, and when too few replicas are left.
pub async fn write_index(
    vault: &Vault,
    space: &crate::ids::Name,
    packs: Vec<PackRecord>,
    originals: Vec<(ItemId, ItemId)>,
) -> Result<u64> {
    let (key, stored) = seal_index(vault, space, packs, originals)?;
    let body = Body::bytes(stored.clone());
    vault.replicas.store_everywhere(&key, &body).await?;
    vault.cache.keep(&key, &stored);
    Ok(body.len())
}

/// Returns a new index object, signed and as it is stored, and its key.
pub(super) fn seal_index(
    vault: &Vault,
    space: &crate::ids::Name,
    packs: Vec<PackRecord>,
    originals: Vec<(ItemId, ItemId)>,
) -> Result<(String, bytes::Bytes)> {
    let (of, trust) = (vault.file.vault, vault.trust.n);
    let file = IndexFile { vault: of, space: space.clone(), trust, packs, originals };
    let plain = file.encode(vault.signer(INDEX_SIGNERS)?);
    let stored =
        if vault.is_encrypted() { envelope::seal(&plain, &vault.trust.catalog_recipients)? } else { plain };
    Ok((layout::index(space, &Digest::of(&stored)), stored.into()))
}
