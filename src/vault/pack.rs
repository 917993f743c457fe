//! Packs: immutable archives of many items.
//!
//! A pack is a tar archive, compressed as a sequence of zstd frames, inside one age file whose
//! header is stored apart: `cat keys/… packs/… | age -d -i key.txt | zstd -d | tar x` unpacks it.
//! A frame holds about 1 MiB of items; a larger item has frames of its own. The end marker of
//! tar is in the last frame only, so a reader that knows an item's frame needs just that range.
//!
//! Entries are named `items/<id>/<salt>/<path>`: unpacking many packs overwrites nothing, every
//! item can be checked with `sha256sum`, and an index can be rebuilt from packs alone.
//!
//! A pack is finished in a spool file, already encrypted, before its first byte is sent: its
//! name is the SHA-256 of its body. A crash leaves at worst a spool file, which holds nothing
//! readable.

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::envelope::{Recipient, Sealer};
use super::error::{Result, VaultError};
use super::format::index::{Frame, ItemRecord, PackKind, PackRecord};
use crate::files::read_piece;
use crate::ids::{Digest, ItemId, Mac, Salt};
use crate::objects::{Body, SpoolFile};

/// Size of a tar block.
pub(super) const BLOCK: usize = 512;

/// Bytes of zeros that end a tar archive.
pub(super) const END_MARKER: usize = 2 * BLOCK;

/// Largest decompressed frame that is believed; those that are written have about 2 MiB.
pub(super) const RAW_FRAME_MAX: usize = 64 << 20;

/// Bytes of an item: in memory, or in a temporary file when they are many.
#[derive(Debug)]
pub enum ItemData {
    /// In memory.
    Memory(Bytes),
    /// In a file, of this length.
    File(File, u64),
}

impl ItemData {
    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, len) => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a part. Readers of one item do not disturb each other.
    ///
    /// # Errors
    ///
    /// When it does not have these bytes; those of the temporary file.
    pub fn part(&self, range: Range<u64>) -> io::Result<Bytes> {
        let too_long = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
        match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(range.start).map_err(too_long)?;
                let to = usize::try_from(range.end).map_err(too_long)?;
                match bytes.get(from..to) {
                    Some(_) => Ok(bytes.slice(from..to)),
                    None => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            Self::File(file, _) => {
                read_piece(file, range.start, usize::try_from(range.end - range.start).map_err(too_long)?)
            }
        }
    }

    /// Returns a reader from the first byte; one at a time.
    ///
    /// # Errors
    ///
    /// Those of the temporary file.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(&bytes[..]),
            Self::File(file, len) => {
                file.rewind()?;
                Box::new(BufReader::with_capacity(1 << 16, file).take(*len))
            }
        })
    }

    /// Writes all bytes to `to`.
    ///
    /// # Errors
    ///
    /// Those of the temporary file and of `to`.
    pub fn write_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => to.write_all(bytes),
            Self::File(..) => io::copy(&mut self.reader()?, to).map(drop),
        }
    }
}

/// How packs are made; the same for all packs of a run.
#[derive(Debug, Clone)]
pub struct PackOptions {
    /// To whom they are encrypted; empty in a vault without encryption.
    pub recipients: Vec<Recipient>,
    /// Uncompressed bytes of items in one frame.
    pub frame_bytes: usize,
    /// Zstandard level.
    pub zstd_level: i32,
    /// Directory for spool files.
    pub spool: PathBuf,
}

/// A finished pack, ready to be sent to every replica.
#[derive(Debug, Clone)]
pub struct FinishedPack {
    /// What the index says of it.
    pub record: PackRecord,
    /// The body.
    pub body: Body,
    /// The header, in an encrypted vault.
    pub header: Option<Body>,
}

/// Writes one pack into a spool file.
pub struct PackBuilder {
    kind: PackKind,
    frame_bytes: usize,
    compressor: zstd::bulk::Compressor<'static>,
    frame: Vec<u8>,
    sink: Sink,
    path: tempfile::TempPath,
    lock: File,
    frames: Vec<Frame>,
    items: Vec<ItemRecord>,
    stored: u64,
}

enum Sink {
    Plain(HashingFile),
    Sealed(Box<Sealer<HashingFile>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(sealer) => sealer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that knows the digest of what was written to it.
struct HashingFile {
    file: File,
    digest: Sha256,
    len: u64,
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl PackBuilder {
    /// Starts an empty pack.
    ///
    /// # Errors
    ///
    /// When the spool directory cannot be written.
    pub fn new(kind: PackKind, options: &PackOptions) -> Result<Self> {
        let spool_error = |error| {
            VaultError::local(format!("cannot write a spool file in {}", options.spool.display()), error)
        };
        let SpoolDraft { file, path, lock } = SpoolDraft::create(&options.spool).map_err(spool_error)?;
        let file = HashingFile { file, digest: Sha256::new(), len: 0 };
        let sink = if options.recipients.is_empty() {
            Sink::Plain(file)
        } else {
            Sink::Sealed(Box::new(Sealer::new(&options.recipients, file)?))
        };
        let mut compressor = zstd::bulk::Compressor::new(options.zstd_level).map_err(spool_error)?;
        compressor.include_checksum(true).map_err(spool_error)?;
        Ok(Self {
            kind,
            frame_bytes: options.frame_bytes,
            compressor,
            frame: Vec::with_capacity(options.frame_bytes + (64 << 10)),
            sink,
            path,
            lock,
            frames: Vec::new(),
            items: Vec::new(),
            stored: 0,
        })
    }

    /// Compressed bytes so far.
    pub fn stored_bytes(&self) -> u64 {
        self.stored + self.frame.len() as u64
    }

    /// Adds an item whose id, salt and fingerprint are known.
    ///
    /// # Errors
    ///
    /// When the spool file or the item's temporary file fails; the pack is then useless.
    pub fn add(&mut self, id: ItemId, salt: &Salt, mac: Mac, path: &str, data: &mut ItemData) -> Result<()> {
        let len = data.len();
        let large = len > self.frame_bytes as u64;
        if large || self.frame.len() as u64 + len > self.frame_bytes as u64 {
            self.end_frame()?;
        }
        self.items.push(ItemRecord {
            mac,
            id,
            frame: u32::try_from(self.frames.len()).expect("a pack has far fewer frames"),
            offset: u32::try_from(self.frame.len()).expect("a frame is far smaller"),
            length: len,
        });
        append_tar_header(&mut self.frame, &format!("items/{id}/{salt}/{path}"), len);
        let mut reader = data.reader().map_err(|error| self.spool_error(error))?;
        let mut left = len;
        while left > 0 {
            let want = left.min((self.frame_bytes.saturating_sub(self.frame.len()).max(BLOCK)) as u64);
            let from = self.frame.len();
            io::copy(&mut reader.by_ref().take(want), &mut self.frame)
                .map_err(|error| self.spool_error(error))?;
            if (self.frame.len() - from) as u64 != want {
                return Err(self.spool_error(io::ErrorKind::UnexpectedEof.into()));
            }
            left -= want;
            if large && left > 0 {
                self.end_frame()?;
            }
        }
        let padding = (BLOCK - (len % BLOCK as u64) as usize) % BLOCK;
        self.frame.extend(std::iter::repeat_n(0, padding));
        if self.frame.len() >= self.frame_bytes {
            self.end_frame()?;
        }
        Ok(())
    }

    /// Takes a frame of another pack over as it is, compressed: `stored`, which has `raw` bytes when it
    /// is decompressed, and the items that begin in it.
    ///
    /// # Errors
    ///
    /// When the spool file fails; the pack is then useless.
    pub(super) fn copy_frame(
        &mut self,
        stored: &[u8],
        raw: u32,
        items: impl IntoIterator<Item = ItemRecord>,
    ) -> Result<()> {
        self.end_frame()?;
        self.take_items(items);
        self.sink.write_all(stored).map_err(|error| self.spool_error(error))?;
        let length = u32::try_from(stored.len()).expect("a frame is far smaller");
        self.frames.push(Frame { stored: length, raw });
        self.stored += stored.len() as u64;
        Ok(())
    }

    /// Takes over what is left of a frame of another pack, decompressed, and the items that begin in it.
    ///
    /// # Errors
    ///
    /// When the spool file fails; the pack is then useless.
    pub(super) fn rewrite_frame(
        &mut self,
        raw: &[u8],
        items: impl IntoIterator<Item = ItemRecord>,
    ) -> Result<()> {
        self.end_frame()?;
        self.take_items(items);
        self.frame.extend_from_slice(raw);
        self.end_frame()
    }

    /// Items that begin in the next frame, at the offsets that they have there.
    fn take_items(&mut self, items: impl IntoIterator<Item = ItemRecord>) {
        let frame = u32::try_from(self.frames.len()).expect("a pack has far fewer frames");
        self.items.extend(items.into_iter().map(|item| ItemRecord { frame, ..item }));
    }

    /// Ends the archive and returns the pack.
    ///
    /// # Errors
    ///
    /// When the spool file fails.
    pub fn finish(mut self) -> Result<FinishedPack> {
        self.frame.extend([0; END_MARKER]);
        self.end_frame()?;
        self.finish_copied()
    }

    /// Returns the pack, where the last frame that was taken over ends the archive already.
    ///
    /// # Errors
    ///
    /// When the spool file fails.
    pub(super) fn finish_copied(mut self) -> Result<FinishedPack> {
        self.end_frame()?;
        let path = self.path.to_path_buf();
        let spool_error =
            |error| VaultError::local(format!("cannot write the spool file {}", path.display()), error);
        let (header, file) = match self.sink {
            Sink::Plain(file) => (None, file),
            Sink::Sealed(sealer) => {
                let (header, file) = sealer.finish().map_err(spool_error)?;
                (Some(Body::bytes(header)), file)
            }
        };
        let id = Digest(file.digest.finalize().into());
        let record = PackRecord {
            id,
            kind: self.kind,
            size: file.len,
            header: header.as_ref().map(|body| (body.sha256(), body.len())),
            trust: 0,
            frames: self.frames,
            items: self.items,
        };
        let body = Body::file(Arc::new(SpoolFile::locked(self.path, self.lock)), file.len, id);
        Ok(FinishedPack { record, body, header })
    }

    fn end_frame(&mut self) -> Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let result = self
            .compressor
            .compress(&self.frame)
            .and_then(|frame| self.sink.write_all(&frame).map(|()| frame.len()));
        let stored = result.map_err(|error| self.spool_error(error))?;
        self.frames.push(Frame {
            stored: u32::try_from(stored).expect("a frame is far smaller"),
            raw: u32::try_from(self.frame.len()).expect("a frame is far smaller"),
        });
        self.stored += stored as u64;
        self.frame.clear();
        Ok(())
    }

    fn spool_error(&self, error: io::Error) -> VaultError {
        VaultError::local(format!("cannot write the spool file {}", self.path.display()), error)
    }
}

/// Appends the tar header of an entry: POSIX ustar, with a pax record before it where the path
/// is too long for that.
fn append_tar_header(out: &mut Vec<u8>, path: &str, len: u64) {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o600);
    header.set_size(len);
    header.set_mtime(0);
    if header.set_path(path).is_err() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("path", path.as_bytes())]).expect("memory takes it");
        let written = builder.get_ref().len();
        let mut bytes = builder.into_inner().expect("memory takes it");
        // The builder ends the archive, which is not wanted here.
        bytes.truncate(written);
        out.extend(bytes);
        let short: String = path.chars().take(90).collect();
        header.set_path(short.trim_end_matches('/')).expect("90 ASCII characters fit");
    }
    header.set_cksum();
    out.extend(header.as_bytes());
}

/// The name of an entry of a pack, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryName {
    /// Id of the item.
    pub id: ItemId,
    /// Its salt.
    pub salt: Salt,
    /// The path it was first stored under.
    pub path: String,
}

/// Reads the tar header at the start of `reader` (decompressed frames) and returns the entry's
/// name and length; the reader stands at the item's first byte then.
///
/// # Errors
///
/// A phrase that says what is wrong with the header.
pub fn read_entry_header(reader: &mut impl Read) -> std::result::Result<(EntryName, u64), String> {
    let mut long_path = None;
    loop {
        let mut header = tar::Header::new_ustar();
        reader.read_exact(header.as_mut_bytes()).map_err(|_| "it ends within a tar header")?;
        let stored = header.cksum().map_err(|_| "its tar header has no checksum")?;
        let bytes = header.as_bytes();
        let sum: u32 = bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        if sum != stored {
            return Err("its tar header has a wrong checksum".to_owned());
        }
        let len = header.entry_size().map_err(|_| "its tar header has no size")?;
        if header.entry_type().is_pax_local_extensions() {
            if len > 1 << 16 {
                return Err("its pax header is too long".to_owned());
            }
            let padded = len.next_multiple_of(BLOCK as u64);
            let mut pax = vec![0; padded as usize];
            reader.read_exact(&mut pax).map_err(|_| "it ends within a pax header")?;
            let path = tar::PaxExtensions::new(&pax[..len as usize])
                .filter_map(std::result::Result::ok)
                .find(|extension| extension.key_bytes() == b"path")
                .ok_or("its pax header names no path")?;
            long_path = Some(path.value_bytes().to_vec());
            continue;
        }
        let path = long_path.unwrap_or_else(|| header.path_bytes().into_owned());
        let path = String::from_utf8(path).map_err(|_| "its name is not text")?;
        let name = parse_entry_name(&path).ok_or("its name is not items/<id>/<salt>/<path>")?;
        return Ok((name, len));
    }
}

/// Takes the name of an entry apart.
pub fn parse_entry_name(path: &str) -> Option<EntryName> {
    let rest = path.strip_prefix("items/")?;
    let (id, rest) = rest.split_once('/')?;
    let (salt, path) = rest.split_once('/')?;
    Some(EntryName { id: id.parse().ok()?, salt: salt.parse().ok()?, path: path.to_owned() })
}

/// What names of spool files begin with.
const SPOOL_PREFIX: &str = "pack-";

/// A new spool file, locked: that is how others know that its owner lives.
pub(crate) struct SpoolDraft {
    /// To write to.
    pub(crate) file: File,
    /// Removes it when dropped.
    pub(crate) path: tempfile::TempPath,
    /// The same open file, which holds the lock until the last of both is closed.
    pub(crate) lock: File,
}

impl SpoolDraft {
    /// Makes one.
    pub(crate) fn create(spool: &Path) -> io::Result<Self> {
        loop {
            let (file, path) = tempfile::Builder::new().prefix(SPOOL_PREFIX).tempfile_in(spool)?.into_parts();
            // A file system without locks leaves it to the age of a file whether it is removed.
            drop(file.lock());
            // Another run may have taken it for a leftover just before it was locked.
            if path.try_exists()? {
                let lock = file.try_clone()?;
                return Ok(Self { file, path, lock });
            }
        }
    }
}

/// Makes the spool directory, and removes what runs that were killed left there: files that
/// nobody holds locked, or where the file system knows no locks, those older than `stale_after`.
///
/// # Errors
///
/// When the directory cannot be made.
pub fn prepare_spool(
    dir: &Path,
    now: crate::clock::Timestamp,
    stale_after: std::time::Duration,
) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|error| {
        VaultError::local(format!("cannot make the spool directory {}", dir.display()), error)
    })?;
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(SPOOL_PREFIX) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        let abandoned = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(_)) => {
                file.metadata().and_then(|meta| meta.modified()).is_ok_and(|modified| {
                    let modified = crate::clock::Timestamp::from(modified);
                    now.signed_duration_since(modified).to_std().is_ok_and(|age| age > stale_after)
                })
            }
        };
        if abandoned {
            // A leftover that cannot be removed costs space, nothing else.
            drop(std::fs::remove_file(entry.path()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::random;
    use crate::objects::BodySource;
    use crate::vault::envelope::{Identity, open};

    fn options(spool: &Path, recipients: Vec<Recipient>) -> PackOptions {
        PackOptions { recipients, frame_bytes: 4096, zstd_level: 3, spool: spool.to_owned() }
    }

    fn add(pack: &mut PackBuilder, path: &str, bytes: &[u8]) -> ItemId {
        let salt = Salt(random());
        let id = ItemId::of(&salt, bytes);
        pack.add(id, &salt, Mac([0; 16]), path, &mut ItemData::Memory(Bytes::copy_from_slice(bytes)))
            .unwrap();
        id
    }

    fn body(pack: &FinishedPack) -> Vec<u8> {
        match pack.body.source() {
            BodySource::File(file) => std::fs::read(&file.path).unwrap(),
            BodySource::Bytes(bytes) => bytes.to_vec(),
            BodySource::Object(_) => unreachable!("packs are built here"),
        }
    }

    #[test]
    fn a_pack_is_an_age_file_of_zstd_frames_of_one_tar() {
        let spool = tempfile::tempdir().unwrap();
        let identity = Identity::generate();
        let mut pack =
            PackBuilder::new(PackKind::Content, &options(spool.path(), vec![identity.recipient()])).unwrap();
        let long = format!("documents/en-us/{}/x.json", "t".repeat(240));
        let contents: Vec<(String, Vec<u8>)> = vec![
            ("documents/en-us/page/a.json".into(), b"{\"a\":1}".to_vec()),
            (long, b"{}".to_vec()),
            ("assets/x/original".into(), (0..20_000u32).map(|i| (i * i % 253) as u8).collect()),
            ("empty".into(), Vec::new()),
            ("block".into(), vec![9; 512]),
        ];
        let ids: Vec<_> = contents.iter().map(|(path, bytes)| add(&mut pack, path, bytes)).collect();
        let pack = pack.finish().unwrap();
        assert_eq!(Digest::of(&body(&pack)), pack.record.id);

        let header = match pack.header.as_ref().unwrap().source() {
            BodySource::Bytes(bytes) => bytes.to_vec(),
            BodySource::File(_) | BodySource::Object(_) => unreachable!("headers are in memory"),
        };
        let plain = open(&[header, body(&pack)].concat(), &[identity]).unwrap();
        let stored: u64 = pack.record.frames.iter().map(|frame| u64::from(frame.stored)).sum();
        assert_eq!(plain.len() as u64, stored);
        let tar = zstd::stream::decode_all(&plain[..]).unwrap();
        let mut archive = tar::Archive::new(&tar[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = parse_entry_name(entry.path().unwrap().to_str().unwrap()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(ItemId::of(&name.salt, &bytes), name.id);
            seen.push((name.path, bytes));
        }
        assert_eq!(seen, contents);

        // Each item is found by its frame and offset alone.
        for (record, (id, (path, bytes))) in pack.record.items.iter().zip(ids.iter().zip(&contents)) {
            let at: u64 =
                pack.record.frames[..record.frame as usize].iter().map(|frame| u64::from(frame.stored)).sum();
            let raw = zstd::stream::decode_all(&plain[at as usize..]).unwrap();
            let mut reader = &raw[record.offset as usize..];
            let (name, len) = read_entry_header(&mut reader).unwrap();
            assert_eq!((name.id, &name.path, len), (*id, path, bytes.len() as u64));
            assert_eq!(&reader[..bytes.len()], &bytes[..]);
        }
    }

    #[test]
    fn the_spool_file_goes_with_its_last_holder() {
        let spool = tempfile::tempdir().unwrap();
        let mut pack = PackBuilder::new(PackKind::Catalog, &options(spool.path(), Vec::new())).unwrap();
        add(&mut pack, "catalog/page.jsonl", b"{}\n");
        let pack = pack.finish().unwrap();
        let body = pack.body.clone();
        drop(pack);
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 1);
        drop(body);
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_tar_header_is_refused() {
        let mut block = Vec::new();
        append_tar_header(&mut block, &format!("items/{}/{}/a", ItemId([1; 32]), Salt([2; 16])), 5);
        assert!(read_entry_header(&mut &block[..]).is_ok());
        for at in 0..345 {
            let mut flipped = block.clone();
            flipped[at] ^= 1;
            assert!(read_entry_header(&mut &flipped[..]).is_err(), "{at}");
        }
        assert!(read_entry_header(&mut &block[..100]).is_err());
    }

    #[test]
    fn leftovers_of_killed_runs_are_removed_and_files_of_live_ones_stay() {
        let spool = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<_> =
                std::fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let sweep = || {
            let now = crate::clock::Clock::now(&crate::clock::SystemClock);
            prepare_spool(spool.path(), now, std::time::Duration::from_hours(24)).unwrap();
            names().len()
        };
        File::create(spool.path().join("pack-left-behind")).unwrap();
        File::create(spool.path().join("other")).unwrap();
        let mut pack = PackBuilder::new(PackKind::Catalog, &options(spool.path(), Vec::new())).unwrap();
        assert_eq!((names().len(), sweep()), (3, 2), "one that is being written stays");
        add(&mut pack, "catalog/page.jsonl", b"{}\n");
        let pack = pack.finish().unwrap();
        assert_eq!(sweep(), 2, "one that is being sent stays");
        // What a kill does: the file stays, its lock goes.
        let BodySource::File(file) = pack.body.source() else { panic!("a pack is spooled") };
        std::fs::copy(&file.path, spool.path().join("pack-of-a-killed-run")).unwrap();
        assert_eq!((names().len(), sweep()), (3, 2));
        drop(pack);
        assert_eq!(names(), ["other"]);
    }
}
