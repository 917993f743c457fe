//! Walking a pack from front to back, without an index: its frames, and where each item is.
//!
//! This is the reader's way turned round. The reader knows from the index where a frame and an
//! item begin; a walk finds that out, and so makes what an index says. Memory is bounded by a
//! few buffers, however large the items are.
//!
//! Every item is hashed on the way: what a walk returns was compared with the id in its name,
//! and its fingerprint is that of the bytes that are there. Nothing is written.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use zstd::stream::raw::{DParameter, Decoder, Operation};

use super::format::index::{Frame, ItemRecord, PackKind};
use super::item::{ItemKey, ItemKind};
use super::pack::{BLOCK, EntryName, RAW_FRAME_MAX, read_entry_header};
use crate::ids::{ItemId, Mac};

/// Bytes read, and bytes decompressed, in one go.
const BUFFER: usize = 128 << 10;

/// What a walk found in a pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// What the pack holds.
    pub(super) kind: PackKind,
    /// Its frames, in order.
    pub(super) frames: Vec<Frame>,
    /// Its items, in order.
    pub(super) items: Vec<ItemRecord>,
    /// Items whose path does not tell their kind; their fingerprint is [`Mac::UNKNOWN`].
    pub(super) unfingerprinted: u64,
    /// Ids in names of entries whose bytes are not those of the id; they are not among the items.
    pub(super) wrong: Vec<ItemId>,
}

/// Walks the compressed stream of a pack.
///
/// # Errors
///
/// A phrase that says what is wrong with the pack: no items of it can be trusted to be where
/// they seem.
pub(super) fn walk(compressed: impl Read, key: &ItemKey) -> Result<Walk, String> {
    let mut frames = FrameReader::new(compressed).map_err(phrase)?;
    let (mut items, mut wrong, mut unfingerprinted) = (Vec::new(), Vec::new(), 0);
    let mut kinds = KindsSeen::default();
    loop {
        let Some((frame, offset)) = frames.position().map_err(phrase)? else {
            return Err("it ends without the end marker of its archive".to_owned());
        };
        let mut block = [0; BLOCK];
        frames.read_exact(&mut block).map_err(phrase)?;
        if block == [0; BLOCK] {
            frames.finish()?;
            break;
        }
        let (name, length) = read_entry_header(&mut block.chain(&mut frames))?;
        // Readers look for header and first byte in one frame.
        if length > 0 && frames.position().map_err(phrase)?.map(|(now, _)| now) != Some(frame) {
            return Err("an entry does not begin in the frame of its header".to_owned());
        }
        let kind = ItemKind::of_path(&name.path);
        let (id, mac) = read_item(&mut frames, &name, length, kind, key)?;
        if id != name.id {
            wrong.push(name.id);
            continue;
        }
        kinds.note(kind);
        unfingerprinted += u64::from(kind.is_none());
        items.push(ItemRecord { mac, id, frame, offset, length });
    }
    Ok(Walk { kind: kinds.pack_kind(), frames: frames.frames, items, unfingerprinted, wrong })
}

/// Reads an item and the padding behind it; returns the id that its bytes have, and their
/// fingerprint.
fn read_item(
    frames: &mut impl Read,
    name: &EntryName,
    length: u64,
    kind: Option<ItemKind>,
    key: &ItemKey,
) -> Result<(ItemId, Mac), String> {
    let mut digest = Sha256::new().chain_update(name.salt.0);
    let mut fingerprint = kind.map(|kind| key.start(kind));
    let mut buffer = vec![0; BUFFER];
    let mut left = length;
    while left > 0 {
        let want = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
        let part = &mut buffer[..want];
        frames.read_exact(part).map_err(phrase)?;
        digest.update(&*part);
        if let Some(fingerprint) = &mut fingerprint {
            fingerprint.update(part);
        }
        left -= want as u64;
    }
    let padding = (BLOCK - (length % BLOCK as u64) as usize) % BLOCK;
    frames.read_exact(&mut buffer[..padding]).map_err(phrase)?;
    let mac = fingerprint.map_or(Mac::UNKNOWN, super::item::Fingerprint::finish);
    Ok((ItemId(digest.finalize().into()), mac))
}

/// The kinds of items that were met, to tell what the pack is for.
#[derive(Default)]
struct KindsSeen {
    pages: bool,
    assets: bool,
    others: bool,
}

impl KindsSeen {
    fn note(&mut self, kind: Option<ItemKind>) {
        match kind.map(ItemKind::pack_kind) {
            Some(PackKind::Catalog) => self.pages = true,
            Some(PackKind::Assets) => self.assets = true,
            // An unknown path is none of a page: those have one path only.
            Some(PackKind::Content) | None => self.others = true,
        }
    }

    /// A pack that nothing else is in is for pages, or for assets.
    fn pack_kind(&self) -> PackKind {
        match (self.pages, self.assets, self.others) {
            (true, false, false) => PackKind::Catalog,
            (false, true, false) => PackKind::Assets,
            _ => PackKind::Content,
        }
    }
}

fn phrase(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ => error.to_string(),
    }
}

/// Decompresses a sequence of frames and counts what belongs to each.
struct FrameReader<R> {
    source: R,
    decoder: Decoder<'static>,
    input: Box<[u8]>,
    /// What of `input` is not decompressed yet.
    waiting: std::ops::Range<usize>,
    output: Box<[u8]>,
    /// What of `output` is not taken yet; all of it is of one frame.
    ready: std::ops::Range<usize>,
    /// Number of that frame, and where in it `output` begins.
    at: (u32, u32),
    /// Frames that have ended.
    frames: Vec<Frame>,
    /// Bytes of the frame that has not: stored, and decompressed.
    open: (u64, u64),
}

impl<R: Read> FrameReader<R> {
    fn new(source: R) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(RAW_FRAME_MAX.ilog2()))?;
        Ok(Self {
            source,
            decoder,
            input: vec![0; BUFFER].into(),
            waiting: 0..0,
            output: vec![0; BUFFER].into(),
            ready: 0..0,
            at: (0, 0),
            frames: Vec::new(),
            open: (0, 0),
        })
    }

    /// Frame of the next byte and its place in it; `None` at the end.
    fn position(&mut self) -> io::Result<Option<(u32, u32)>> {
        if self.ready.is_empty() && !self.fill()? {
            return Ok(None);
        }
        let (frame, start) = self.at;
        Ok(Some((frame, start + self.ready.start as u32)))
    }

    /// Decompresses more; `false` at the end of the last frame.
    fn fill(&mut self) -> io::Result<bool> {
        let too_large = || io::Error::other("a frame is larger than any that is written");
        // What a decoder holds back when its output was full comes without further input.
        let mut more_may_come = self.open.1 > 0;
        loop {
            if self.waiting.is_empty() && !more_may_come {
                let read = self.source.read(&mut self.input)?;
                if read == 0 && self.open == (0, 0) {
                    return Ok(false);
                }
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.waiting = 0..read;
            }
            let step = self
                .decoder
                .run_on_buffers(&self.input[self.waiting.clone()], &mut self.output)
                .map_err(|_| io::Error::other("a frame does not decompress"))?;
            more_may_come = false;
            let frame = u32::try_from(self.frames.len()).map_err(|_| too_large())?;
            self.at = (frame, u32::try_from(self.open.1).map_err(|_| too_large())?);
            self.waiting.start += step.bytes_read;
            self.open.0 += step.bytes_read as u64;
            self.open.1 += step.bytes_written as u64;
            if self.open.1 > RAW_FRAME_MAX as u64 {
                return Err(too_large());
            }
            if step.remaining == 0 && self.open.0 > 0 {
                let stored = u32::try_from(self.open.0).map_err(|_| too_large())?;
                let raw = u32::try_from(self.open.1).map_err(|_| too_large())?;
                self.frames.push(Frame { stored, raw });
                self.open = (0, 0);
            }
            if step.bytes_written > 0 {
                self.ready = 0..step.bytes_written;
                return Ok(true);
            }
        }
    }

    /// Reads what follows the first block of the end marker: zeros, and nothing else.
    fn finish(&mut self) -> Result<(), String> {
        let mut rest = vec![0; BUFFER];
        loop {
            match self.read(&mut rest).map_err(phrase)? {
                0 => return Ok(()),
                read if rest[..read].iter().all(|byte| *byte == 0) => {}
                _ => return Err("something follows the end of its archive".to_owned()),
            }
        }
    }
}

impl<R: Read> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && !self.fill()? {
            return Ok(0);
        }
        let len = buffer.len().min(self.ready.len());
        buffer[..len].copy_from_slice(&self.output[self.ready.start..self.ready.start + len]);
        self.ready.start += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;

    use super::*;
    use crate::ids::{Salt, random};
    use crate::objects::BodySource;
    use crate::vault::pack::{FinishedPack, ItemData, PackBuilder, PackOptions};

    fn pack(kind: PackKind, spool: &Path, items: &[(&str, Vec<u8>)]) -> (FinishedPack, Vec<u8>) {
        let options =
            PackOptions { recipients: Vec::new(), frame_bytes: 4096, zstd_level: 3, spool: spool.to_owned() };
        let mut builder = PackBuilder::new(kind, &options).unwrap();
        let key = ItemKey::for_tests();
        for (path, bytes) in items {
            let salt = Salt(random());
            let mac = ItemKind::of_path(path).map_or(Mac::UNKNOWN, |kind| key.fingerprint(kind, bytes));
            let mut data = ItemData::Memory(Bytes::from(bytes.clone()));
            builder.add(ItemId::of(&salt, bytes), &salt, mac, path, &mut data).unwrap();
        }
        let pack = builder.finish().unwrap();
        let BodySource::File(file) = pack.body.source() else { panic!("it is spooled") };
        let bytes = std::fs::read(&file.path).unwrap();
        (pack, bytes)
    }

    fn noise(len: usize, seed: u8) -> Vec<u8> {
        let mut state = u32::from(seed) + 1;
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*state >> 24) as u8
        };
        (0..len).map(|_| next(&mut state)).collect()
    }

    #[test]
    fn a_walk_finds_exactly_what_the_builder_recorded() {
        let spool = tempfile::tempdir().unwrap();
        let long = format!("documents/en-us/{}/x.json", "t".repeat(120));
        let documents: Vec<(&str, Vec<u8>)> = vec![
            ("documents/en-us/page/a.json", noise(10, 1)),
            ("documents/en-us/page/empty.json", Vec::new()),
            (&long, noise(700, 2)),
            ("releases/r/documents/en-us/page/a.json", noise(4096, 3)),
            ("models/slices/hero.json", noise(4097, 4)),
            ("assets/x/metadata.json", noise(9000, 5)),
            ("repository/api.json", vec![b' '; 512]),
            ("something/else", noise(30, 6)),
        ];
        let assets = vec![("assets/x/original", noise(300_000, 7)), ("assets/y/original", noise(5, 8))];
        let pages = vec![("catalog/page.jsonl", noise(3000, 9)); 3];
        for (kind, items) in
            [(PackKind::Content, documents), (PackKind::Assets, assets), (PackKind::Catalog, pages)]
        {
            let (pack, bytes) = pack(kind, spool.path(), &items);
            let found = walk(&bytes[..], &ItemKey::for_tests()).unwrap();
            assert_eq!((found.kind, &found.frames), (kind, &pack.record.frames));
            assert_eq!(found.items, pack.record.items);
            assert_eq!(found.wrong, []);
            let unknown = items.iter().filter(|(path, _)| ItemKind::of_path(path).is_none()).count();
            assert_eq!(found.unfingerprinted, unknown as u64);
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_never_taken_for_a_pack() {
        let spool = tempfile::tempdir().unwrap();
        let items = vec![("assets/x/original", noise(20_000, 1)), ("assets/y/original", noise(100, 2))];
        let (_, bytes) = pack(PackKind::Assets, spool.path(), &items);
        let key = ItemKey::for_tests();
        for cut in (0..bytes.len()).step_by(251) {
            assert!(walk(&bytes[..cut], &key).is_err(), "{cut}");
        }
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            // A bit that says nothing (a reserved one of a header) may pass, if all items are right.
            if let Ok(found) = walk(&changed[..], &key) {
                assert!(found.wrong.is_empty() && found.items.len() == 2, "{at}");
            }
        }
        let mut longer = bytes.clone();
        longer.extend(zstd::bulk::compress(b"more", 3).unwrap());
        assert!(walk(&longer[..], &key).unwrap_err().contains("follows"));
    }

    #[test]
    fn an_item_with_other_bytes_than_its_id_says_is_left_out() {
        let spool = tempfile::tempdir().unwrap();
        let options = PackOptions {
            recipients: Vec::new(),
            frame_bytes: 4096,
            zstd_level: 3,
            spool: spool.path().to_owned(),
        };
        let mut builder = PackBuilder::new(PackKind::Content, &options).unwrap();
        let salt = Salt([3; 16]);
        let (good, wrong) = (ItemId::of(&salt, b"good"), ItemId::of(&salt, b"promised"));
        for (id, bytes) in [(wrong, &b"other"[..]), (good, b"good")] {
            let mut data = ItemData::Memory(Bytes::copy_from_slice(bytes));
            builder.add(id, &salt, Mac::UNKNOWN, "repository/api.json", &mut data).unwrap();
        }
        let pack = builder.finish().unwrap();
        let BodySource::File(file) = pack.body.source() else { panic!("it is spooled") };
        let found = walk(std::fs::File::open(&file.path).unwrap(), &ItemKey::for_tests()).unwrap();
        assert_eq!(found.wrong, [wrong]);
        assert_eq!(found.items.iter().map(|item| item.id).collect::<Vec<_>>(), [good]);
    }
}
