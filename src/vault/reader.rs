//! Reading one item: location → range read → decrypt → frame → item, its id checked on every read.
//!
//! A copy that is missing or damaged is read around: every place of an item on every replica is
//! tried, and what was wrong is remembered as a warning of the vault.

use std::io::{Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use super::blocks::{self, BLOCK, Blocks};
use super::bodies::{BODIES_KEPT, Bodies, KeptBody};
use super::envelope::{self, HeaderError, PayloadKey};
use super::erasure::{self, Applied, Erased, Sight};
use super::error::{ErrorKind, Result, VaultError};
use super::format::catalog::CatalogEntry;
use super::format::index::{Frame, PackKind};
use super::index::{Index, Location, Pack, PackNumber};
use super::open::Vault;
use super::pack::{EntryName, ItemData, RAW_FRAME_MAX, read_entry_header};
use super::replica::Replica;
use super::space::Space;
use super::{layout, tree};
use crate::ids::{Digest, ItemId, SnapshotId};

/// Decoded frames kept, of about 2 MiB each: pages of a tree lie side by side.
const FRAMES_KEPT: usize = 24;
/// The same for who walks over catalogs from snapshot to snapshot: what is new in each lies in few packs.
const FRAMES_KEPT_WALKING: usize = 8;
/// What to do where index objects are lost.
pub const LOST_INDEX_HINT: &str = "run `prismvault repair` to bring index objects from another replica; if none has them, `prismvault repair --rebuild-index` makes them anew from the packs";
/// A frame of a pack on a replica.
type FrameSlot = (PackNumber, usize, u32);

/// Reads items of one space.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) vault: &'a Vault,
    pub(super) space: &'a Space,
    /// Whether catalog packs are read in parts, where nothing that is read is kept for later.
    sparing: bool,
    /// Whether entries of catalogs name erased items.
    as_written: bool,
    /// Whether what is under restriction is handed out.
    sight: Sight,
    frames: Mutex<Vec<(FrameSlot, Bytes)>>,
    frames_max: usize,
    bodies: Mutex<Bodies>,
}

/// Why one copy could not be used.
pub(super) enum Failure {
    /// It is damaged or missing; another may be good.
    Bad(VaultError),
    /// No other copy would help.
    Final(VaultError),
}

pub(super) type Attempt<T> = std::result::Result<T, Failure>;

impl<'a> Reader<'a> {
    /// Returns a reader.
    pub fn new(vault: &'a Vault, space: &'a Space) -> Self {
        Self {
            vault,
            space,
            sparing: false,
            as_written: false,
            sight: Sight::Users,
            frames: Mutex::default(),
            frames_max: FRAMES_KEPT,
            bodies: Mutex::default(),
        }
    }

    /// Returns a reader for who wants a few entries of a catalog and not all of it: where no cache keeps
    /// what is read, only the parts are read in which they lie.
    #[must_use]
    pub fn sparing(self) -> Self {
        Self { sparing: true, ..self }
    }

    /// Returns a reader for who walks over the catalogs of many snapshots, with little in memory.
    #[must_use]
    pub fn walking(self) -> Self {
        Self { frames_max: FRAMES_KEPT_WALKING, ..self }
    }

    /// Returns another reader of the same space, with nothing in memory yet.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            sparing: self.sparing,
            as_written: self.as_written,
            sight: self.sight,
            frames_max: self.frames_max,
            ..Self::new(self.vault, self.space)
        }
    }

    /// What orders say of the items of the space.
    pub fn orders(&self) -> &Erased {
        &self.space.erased
    }

    /// Returns an entry of a catalog as orders leave it: another item in its place, or none.
    ///
    /// # Errors
    ///
    /// Those of [`Erased::current`].
    pub fn as_it_is_now(&self, entry: &CatalogEntry) -> Result<(Option<CatalogEntry>, Applied)> {
        let mut entries = vec![entry.clone()];
        let applied = erasure::apply(&mut entries, &self.space.erased, self.sight)?;
        Ok((entries.pop(), applied))
    }

    /// Returns a reader that names items as catalogs do, erased ones too: for who carries over what a
    /// snapshot says.
    #[must_use]
    pub fn as_written(self) -> Self {
        Self { as_written: true, ..self }
    }

    /// Returns a reader that also hands out what is under restriction: only for who answers the person, and for
    /// who sees that copies are whole. Never for who restores, exports, compares, serves or searches content for
    /// users (GDPR Art. 18(2)).
    #[must_use]
    pub(crate) fn with_restricted(self) -> Self {
        Self { sight: Sight::Custodians, ..self }
    }

    /// What is known of where items are.
    pub fn index(&self) -> &Index {
        &self.space.index
    }

    /// Reads one item: in memory when small, else in an anonymous temporary file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] when no good copy is left, [`ErrorKind::Identity`] when the
    /// identities that are here do not open it.
    pub async fn item(&self, id: ItemId) -> Result<ItemData> {
        self.require_readable(&id)?;
        let mut last = None;
        for location in self.space.index.locations(&id) {
            for at in self.space.holders(location.pack) {
                match self.read_at(&location, at, id).await {
                    Ok(data) => {
                        if let Some(error) = last {
                            self.note(&error);
                        }
                        return Ok(data);
                    }
                    Err(Failure::Final(error)) => return Err(error),
                    Err(Failure::Bad(error)) => last = Some(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| self.lost(id)))
    }

    /// Reads one small item into memory.
    ///
    /// # Errors
    ///
    /// As [`item`](Self::item).
    pub async fn bytes(&self, id: ItemId) -> Result<Bytes> {
        match self.item(id).await? {
            ItemData::Memory(bytes) => Ok(bytes),
            mut data @ ItemData::File(..) => {
                let mut bytes = Vec::new();
                data.reader()
                    .and_then(|mut reader| reader.read_to_end(&mut bytes))
                    .map_err(|error| VaultError::local("cannot read a temporary file", error))?;
                Ok(bytes.into())
            }
        }
    }

    /// Nothing that an order erased is handed out, also while its pack still lies somewhere; and what is under
    /// restriction only to those who see it.
    fn require_readable(&self, id: &ItemId) -> Result<()> {
        if let Some(now) = self.space.erased.current(id)? {
            return Err(VaultError::new(
                ErrorKind::Erased,
                format!("the item {id} was erased under the order {}", now.order),
            )
            .hint("what stands in its place is read through the catalog of a snapshot"));
        }
        match self.restricted_by(id) {
            None => Ok(()),
            Some(order) => Err(VaultError::new(
                ErrorKind::Restricted,
                format!("the item {id} is under restriction by the order {order}"),
            )
            .hint("it is stored as before, and handed out again once the restriction is lifted: `prismvault privacy` is where that is decided")),
        }
    }

    /// The order by which this reader must not hand out an item.
    fn restricted_by(&self, id: &ItemId) -> Option<&SnapshotId> {
        self.space.erased.restriction(id).filter(|_| self.sight == Sight::Users)
    }

    /// Whether this reader hands out an item, as far as orders say.
    pub(super) fn hands_out(&self, id: &ItemId) -> bool {
        !self.space.erased.contains(id) && self.restricted_by(id).is_none()
    }

    /// Returns the error for an item that no replica gives.
    pub(super) fn lost(&self, id: ItemId) -> VaultError {
        if let Err(refused) = self.require_readable(&id) {
            return refused;
        }
        let known = self
            .space
            .index
            .locations(&id)
            .next()
            .map(|location| self.space.index.packs()[location.pack as usize].id);
        let (what, hint) = match known {
            Some(pack) => (
                format!(
                    "{}, which holds the item {id}, is on no replica that can be read",
                    layout::pack(&self.space.name, &pack)
                ),
                "run `prismvault verify` to see what is missing, `prismvault repair` to bring it from a good replica",
            ),
            None => (format!("no index object says where the item {id} is"), LOST_INDEX_HINT),
        };
        VaultError::new(ErrorKind::Integrity, what).hint(hint)
    }

    fn note(&self, error: &VaultError) {
        self.vault.read_around(self.space.name.as_str(), error);
    }

    async fn read_at(&self, location: &Location, at: usize, id: ItemId) -> Attempt<ItemData> {
        let pack = &self.space.index.packs()[location.pack as usize];
        let replica = &self.vault.replicas.all()[at];
        let window = &mut Window::default();
        let mut frame = location.frame;
        let first = self.frame(location.pack, pack, at, frame, location, window).await?;
        let bad = |why: String| {
            Failure::Bad(VaultError::damaged(&layout::pack(&self.space.name, &pack.id), &replica.store, why))
        };
        let (start, mut digest) = entry_of(&first, location, id).map_err(&bad)?;
        let length = location.length;
        let data = if (first.len() - start) as u64 >= length {
            let bytes = first.slice(start..start + length as usize);
            digest.update(&bytes);
            ItemData::Memory(bytes)
        } else {
            let local = |error| Failure::Final(VaultError::local("cannot write a temporary file", error));
            let mut file = tempfile::tempfile_in(&self.vault.spool).map_err(local)?;
            let mut left = length;
            let mut part = first.slice(start..);
            loop {
                part.truncate(part.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                digest.update(&part);
                file.write_all(&part).map_err(local)?;
                left -= part.len() as u64;
                if left == 0 {
                    break;
                }
                frame += 1;
                if frame as usize >= pack.frames.len() {
                    return Err(bad(format!("it ends within the item {id}")));
                }
                part = self.frame(location.pack, pack, at, frame, location, window).await?;
            }
            ItemData::File(file, length)
        };
        if ItemId(digest.finalize().into()) != id {
            return Err(bad(format!("the item {id} in it has other bytes")));
        }
        Ok(data)
    }

    /// Returns a decompressed frame.
    async fn frame(
        &self,
        number: PackNumber,
        pack: &Pack,
        at: usize,
        frame: u32,
        wanted: &Location,
        window: &mut Window,
    ) -> Attempt<Bytes> {
        let slot = (number, at, frame);
        {
            let kept = self.frames.lock().expect("no holder of this lock can panic");
            if let Some((_, bytes)) = kept.iter().find(|(kept, _)| *kept == slot) {
                return Ok(bytes.clone());
            }
        }
        let key = layout::pack(&self.space.name, &pack.id);
        let place = &self.vault.replicas.all()[at].store;
        let bad = |why: &str| Failure::Bad(VaultError::damaged(&key, place, why));
        let place_in_pack =
            frame_range(&pack.frames, frame).ok_or_else(|| bad("its index does not fit it"))?;
        if !window.covers(slot, &place_in_pack) {
            let end = frame_range(&pack.frames, last_frame(&pack.frames, wanted))
                .map_or(place_in_pack.end, |last| last.end)
                .min(place_in_pack.start + self.vault.limits.range_bytes)
                .max(place_in_pack.end);
            let plain = self.plain(pack, at, place_in_pack.start..end).await?;
            window.fill(slot, place_in_pack.start, plain);
        }
        let stored = window.slice(&place_in_pack);
        let raw = pack.frames[frame as usize].raw as usize;
        if raw > RAW_FRAME_MAX {
            return Err(bad("a frame is larger than any that is written"));
        }
        let decoded = tokio::task::spawn_blocking(move || zstd::bulk::decompress(&stored, raw))
            .await
            .expect("decompressing does not panic");
        let decoded: Bytes = decoded.map_err(|_| bad("a frame does not decompress"))?.into();
        if decoded.len() != raw {
            return Err(bad("a frame is shorter than its index says"));
        }
        let mut kept = self.frames.lock().expect("no holder of this lock can panic");
        if kept.len() >= self.frames_max {
            kept.remove(0);
        }
        kept.push((slot, decoded.clone()));
        Ok(decoded)
    }

    /// Returns part of a pack's compressed stream, decrypted.
    async fn plain(&self, pack: &Pack, at: usize, range: Range<u64>) -> Attempt<Bytes> {
        if !self.vault.is_encrypted() {
            return self.stored(pack, at, range).await;
        }
        let key = self.payload_key(pack).await?;
        let (sealed, first) = envelope::sealed_range(&range, pack.size);
        let bytes = self.stored(pack, at, sealed).await?;
        let size = pack.size;
        let plain = tokio::task::spawn_blocking(move || key.open_chunks(&bytes, first, size))
            .await
            .expect("decrypting does not panic");
        let bad = |why: &str| {
            let place = &self.vault.replicas.all()[at].store;
            Failure::Bad(VaultError::damaged(&layout::pack(&self.space.name, &pack.id), place, why))
        };
        let plain = Bytes::from(plain.ok_or_else(|| bad("it does not decrypt"))?);
        let start = (range.start - first * envelope::CHUNK) as usize;
        let end = start + (range.end - range.start) as usize;
        if plain.len() < end {
            return Err(bad("its index does not fit it"));
        }
        Ok(plain.slice(start..end))
    }

    /// Returns part of a pack's body as it is stored. Bodies of catalog packs are read whole and kept, in the cache
    /// or else in memory.
    pub(super) async fn stored(&self, pack: &Pack, at: usize, range: Range<u64>) -> Attempt<Bytes> {
        let key = layout::pack(&self.space.name, &pack.id);
        let store = &self.vault.replicas.all()[at].store;
        let bad = |error: crate::objects::StoreError| Failure::Bad(error.into());
        if pack.kind != PackKind::Catalog || pack.size > BODIES_KEPT / 2 {
            if let Some(blocks) = self.vault.blocks().filter(|_| pack.kind != PackKind::Catalog) {
                return self.stored_by_blocks(blocks, pack, at, range).await;
            }
            return store.get_range(&key, range).await.map_err(bad);
        }
        let cut = || Failure::Bad(VaultError::damaged(&key, store, "it is cut short"));
        let kept = self.bodies.lock().expect("no holder of this lock can panic").get(&pack.id);
        if let Some(part) = kept.and_then(|kept| kept.part(&range)) {
            return Ok(part);
        }
        let body = match self.vault.cache.open(&key) {
            Some(file) => KeptBody::File(file),
            None if self.sparing && self.vault.cache.directory().is_none() => {
                return store.get_range(&key, range).await.map_err(bad);
            }
            None => {
                let bytes = store.get(&key, pack.size).await.map_err(bad)?;
                let in_memory = KeptBody::Memory(bytes.clone());
                if Digest::of(&bytes) != pack.id {
                    // Damaged somewhere: the frame that is wanted may still be good.
                    return in_memory.part(&range).ok_or_else(cut);
                }
                self.vault.cache.keep_open(&key, &bytes).map_or(in_memory, KeptBody::File)
            }
        };
        let part = body.part(&range);
        self.bodies.lock().expect("no holder of this lock can panic").keep(pack.id, body);
        part.ok_or_else(cut)
    }

    /// The same for a content pack, over the blocks that are kept of it; those that are not are read
    /// in one request, and kept when they decrypt.
    async fn stored_by_blocks(
        &self,
        blocks: &Arc<Blocks>,
        pack: &Pack,
        at: usize,
        range: Range<u64>,
    ) -> Attempt<Bytes> {
        let numbers = blocks::numbers(&range);
        let name = {
            let (space, pack) = (self.space.name.clone(), pack.id);
            move |number: u64| (space.clone(), pack, number)
        };
        let (kept, named, wanted) = (Arc::clone(blocks), name.clone(), numbers.clone());
        let mut found: Vec<Option<Bytes>> =
            tokio::task::spawn_blocking(move || wanted.map(|number| kept.get(&named(number))).collect())
                .await
                .expect("reading blocks does not panic");
        let first = found.iter().position(Option::is_none);
        if let (Some(first), Some(last)) = (first, found.iter().rposition(Option::is_none)) {
            let from = (numbers.start + first as u64) * BLOCK;
            let to = ((numbers.start + last as u64 + 1) * BLOCK).min(pack.size);
            let store = &self.vault.replicas.all()[at].store;
            let key = layout::pack(&self.space.name, &pack.id);
            let bytes = store.get_range(&key, from..to).await.map_err(|error| Failure::Bad(error.into()))?;
            let payload = self.payload_key(pack).await?;
            let (kept, size) = (Arc::clone(blocks), pack.size);
            let mut parts = Vec::new();
            for (number, slot) in (from / BLOCK..).zip(&mut found[first..=last]) {
                let start = usize::try_from(number * BLOCK - from).unwrap_or(usize::MAX).min(bytes.len());
                let part = bytes.slice(start..bytes.len().min(start + BLOCK as usize));
                if slot.is_none() {
                    parts.push((number, part.clone()));
                }
                *slot = Some(part);
            }
            tokio::task::spawn_blocking(move || {
                for (number, part) in parts {
                    let chunk = number * (BLOCK / envelope::SEALED_CHUNK);
                    if payload.open_chunks(&part, chunk, size).is_some() {
                        kept.keep(&name(number), &part);
                    }
                }
            })
            .await
            .expect("keeping blocks does not panic");
        }
        let skip = (range.start - numbers.start * BLOCK) as usize;
        let within = skip..skip + (range.end - range.start) as usize;
        let whole = match &found[..] {
            [Some(one)] => one.clone(),
            several => several.iter().flatten().map(|part| &part[..]).collect::<Vec<_>>().concat().into(),
        };
        whole.get(within).map(|part| whole.slice_ref(part)).ok_or_else(|| {
            let store = &self.vault.replicas.all()[at].store;
            let key = layout::pack(&self.space.name, &pack.id);
            Failure::Bad(VaultError::damaged(&key, store, "it is cut short"))
        })
    }

    /// Returns the key of a pack.
    pub(super) async fn payload_key(&self, pack: &Pack) -> Attempt<PayloadKey> {
        let key = self.space.payload_keys.of(&pack.id);
        key.get_or_try_init(|| self.open_any_header(pack)).await.cloned()
    }

    /// Opens any header of the pack on any replica.
    async fn open_any_header(&self, pack: &Pack) -> Attempt<PayloadKey> {
        let mut last = None;
        for (at, replica) in self.vault.replicas.all().iter().enumerate() {
            let Some(listing) = self.space.listing(at) else { continue };
            // Only those that index or ledger name: anybody who can write to a bucket could add one.
            // The newest first; a retired one opens as long as it is there.
            let mut named: Vec<_> = pack.headers().collect();
            named.reverse();
            named.extend(&pack.retired);
            for (header, size) in named.into_iter().filter(|header| listing.has_header(pack, header)) {
                match self.open_header(replica, pack, &header, size).await {
                    Ok(key) => return Ok(key),
                    Err(error) if error.kind == ErrorKind::Identity => last = Some(error),
                    Err(error) => {
                        self.note(&error);
                        last.get_or_insert(error);
                    }
                }
            }
        }
        Err(Failure::Final(last.unwrap_or_else(|| {
            VaultError::new(
                ErrorKind::Integrity,
                format!(
                    "no header of the pack {} is on any replica that can be read, so nobody can decrypt it",
                    pack.id
                ),
            )
            .hint("run `prismvault repair` when a replica that has it is reachable")
        })))
    }

    async fn open_header(
        &self,
        replica: &Replica,
        pack: &Pack,
        header: &Digest,
        size: u64,
    ) -> Result<PayloadKey> {
        let key = layout::header(&self.space.name, &pack.id, header);
        let bytes = match self.vault.cache.get(&key) {
            Some(bytes) => bytes,
            None => {
                let bytes = read_header(self.vault, replica, &key, header, size).await?;
                // Who keeps blocks reads them also when no replica answers.
                if pack.kind == PackKind::Catalog || self.vault.blocks().is_some() {
                    self.vault.cache.keep(&key, &bytes);
                }
                bytes
            }
        };
        open_header(self.vault, &bytes, &key, &pack.id, replica)
    }
}

/// Reads a header from a replica, checked against the digest in its name.
pub(super) async fn read_header(
    vault: &Vault,
    replica: &Replica,
    key: &str,
    header: &Digest,
    size: u64,
) -> Result<Bytes> {
    let bytes = replica.store.get(key, size.min(vault.limits.small_object_bytes_max)).await?;
    if Digest::of(&bytes) == *header {
        Ok(bytes)
    } else {
        Err(VaultError::damaged(key, &replica.store, "its bytes do not have the digest of its name"))
    }
}

/// Opens the header of a pack with the identities that are here.
pub(super) fn open_header(
    vault: &Vault,
    bytes: &[u8],
    key: &str,
    pack: &Digest,
    replica: &Replica,
) -> Result<PayloadKey> {
    PayloadKey::open(bytes, &vault.keys.identities).map_err(|error| match error {
        HeaderError::Damaged => {
            VaultError::damaged(key, &replica.store, "it is no age header, or its MAC is wrong")
        }
        HeaderError::NotARecipient => VaultError::new(
            ErrorKind::Identity,
            format!("the identities that are here do not open the pack {pack}"),
        )
        .hint("content needs the recovery identity: set `recovery` in [keys] to its file"),
    })
}

impl Reader<'_> {
    /// Returns the name of an item's entry: its salt, and the path that it was first stored under.
    /// Right after [`item`](Self::item) that costs no further request.
    ///
    /// # Errors
    ///
    /// As [`item`](Self::item).
    pub(super) async fn name(&self, id: ItemId) -> Result<EntryName> {
        let mut last = None;
        for location in self.space.index.locations(&id) {
            let pack = &self.space.index.packs()[location.pack as usize];
            for at in self.space.holders(location.pack) {
                let mut window = Window::default();
                let frame = self.frame(location.pack, pack, at, location.frame, &location, &mut window).await;
                let entry = match frame {
                    Ok(frame) => {
                        frame.get(location.offset as usize..).map(|mut rest| read_entry_header(&mut rest))
                    }
                    Err(Failure::Final(error)) => return Err(error),
                    Err(Failure::Bad(error)) => {
                        last = Some(error);
                        continue;
                    }
                };
                match entry {
                    Some(Ok((name, _))) if name.id == id => return Ok(name),
                    _ => {
                        let key = layout::pack(&self.space.name, &pack.id);
                        let place = &self.vault.replicas.all()[at].store;
                        last = Some(VaultError::damaged(&key, place, "its index does not fit it"));
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| self.lost(id)))
    }
}

impl tree::PageSource for Reader<'_> {
    fn page(&self, id: ItemId) -> BoxFuture<'_, Result<Bytes>> {
        Box::pin(self.bytes(id))
    }

    fn erased(&self) -> Option<&Arc<Erased>> {
        (!self.as_written).then_some(&self.space.erased)
    }

    fn sight(&self) -> Sight {
        self.sight
    }
}

/// A decrypted stretch of a pack's compressed stream.
#[derive(Default)]
struct Window {
    of: Option<(PackNumber, usize)>,
    start: u64,
    plain: Bytes,
}

impl Window {
    fn covers(&self, slot: (PackNumber, usize, u32), range: &Range<u64>) -> bool {
        self.of == Some((slot.0, slot.1))
            && self.start <= range.start
            && range.end <= self.start + self.plain.len() as u64
    }

    fn fill(&mut self, slot: (PackNumber, usize, u32), start: u64, plain: Bytes) {
        self.of = Some((slot.0, slot.1));
        self.start = start;
        self.plain = plain;
    }

    fn slice(&self, range: &Range<u64>) -> Bytes {
        self.plain.slice((range.start - self.start) as usize..(range.end - self.start) as usize)
    }
}

/// Where a frame is in the compressed stream.
pub(super) fn frame_range(frames: &[Frame], number: u32) -> Option<Range<u64>> {
    let frame = frames.get(number as usize)?;
    let start: u64 = frames[..number as usize].iter().map(|frame| u64::from(frame.stored)).sum();
    Some(start..start + u64::from(frame.stored))
}

/// Finds an item in the frame in which its tar header begins: returns where its bytes begin, and a
/// hash that has taken in its salt.
///
/// # Errors
///
/// A phrase that says what is wrong with the pack.
pub(super) fn entry_of(
    frame: &[u8],
    location: &Location,
    id: ItemId,
) -> std::result::Result<(usize, Sha256), String> {
    let mut rest = frame.get(location.offset as usize..).ok_or("its index does not fit it")?;
    let (name, length) = read_entry_header(&mut rest)?;
    if name.id != id || length != location.length {
        return Err(format!("it holds another item where {id} should be"));
    }
    Ok((frame.len() - rest.len(), Sha256::new().chain_update(name.salt.0)))
}

/// Last frame that an item reaches into.
pub(super) fn last_frame(frames: &[Frame], item: &Location) -> u32 {
    let mut left = (u64::from(item.offset) + 512).saturating_add(item.length);
    let mut number = item.frame;
    while let Some(frame) = frames.get(number as usize) {
        if left <= u64::from(frame.raw) {
            return number;
        }
        left -= u64::from(frame.raw);
        number += 1;
    }
    number.saturating_sub(1)
}
