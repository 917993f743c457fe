//! What is left of one pack without the items that were erased.
//!
//! A pack is a sequence of zstd frames. A frame in which nothing was erased is taken over as it is, so
//! neither time nor bytes change with it; of the others what is to stay is compressed once more. Large
//! items have frames of their own, but for the last, where others may follow.

use std::io::{self, Read};
use std::ops::Range;

use crate::ids::ItemId;
use crate::vault::error::{Result, VaultError};
use crate::vault::format::index::{Frame, ItemRecord, PackRecord};
use crate::vault::pack::{BLOCK, END_MARKER, FinishedPack, PackBuilder, RAW_FRAME_MAX, read_entry_header};

/// Why nothing could be made of a pack.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is not what its index says: another copy may be.
    Pack(String),
    /// Something of this machine failed.
    Local(VaultError),
}

impl From<VaultError> for Broken {
    fn from(error: VaultError) -> Self {
        Self::Local(error)
    }
}

/// Writes what is left of a pack: `plain` is its compressed stream, `begin` makes the new pack. `None` when
/// nothing is left.
///
/// # Errors
///
/// See [`Broken`].
pub(super) fn remainder(
    mut plain: impl Read,
    pack: &PackRecord,
    is_gone: impl Fn(&ItemId) -> bool,
    begin: impl FnOnce() -> Result<PackBuilder>,
) -> std::result::Result<Option<FinishedPack>, Broken> {
    if pack.items.iter().all(|item| is_gone(&item.id)) {
        return Ok(None);
    }
    let mut items: Vec<ItemRecord> = pack.items.clone();
    items.sort_unstable_by_key(|item| (item.frame, item.offset));
    let mut items = items.into_iter().peekable();
    let mut out = begin()?;
    // Bytes of an erased item that go on in the next frame.
    let mut carried = 0_u64;
    let (mut ends_archive, count) = (false, pack.frames.len());
    for (number, frame) in (0_u32..).zip(&pack.frames) {
        let stored = read_exactly(&mut plain, frame.stored as usize)?;
        let mut own = Vec::new();
        while let Some(item) = items.next_if(|item| item.frame == number) {
            own.push(item);
        }
        let is_last = number as usize + 1 == count;
        if carried == 0 && own.iter().all(|item| !is_gone(&item.id)) {
            out.copy_frame(&stored, frame.raw, own)?;
            ends_archive = is_last;
            continue;
        }
        let raw = decompress(&stored, *frame)?;
        let (kept, own) = without(&raw, &own, &is_gone, &mut carried)?;
        // The end marker alone is written by the builder.
        if !(kept.is_empty() || is_last && kept.len() <= END_MARKER) {
            out.rewrite_frame(&kept, own)?;
            ends_archive = is_last;
        }
    }
    if carried > 0 || items.next().is_some() {
        return Err(Broken::Pack("it ends within an item".to_owned()));
    }
    Ok(Some(if ends_archive { out.finish_copied()? } else { out.finish()? }))
}

fn read_exactly(plain: &mut impl Read, length: usize) -> std::result::Result<Vec<u8>, Broken> {
    let mut bytes = vec![0; length];
    plain.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Broken::Pack("it is shorter than its index says".to_owned()),
        io::ErrorKind::InvalidData => Broken::Pack("it does not decrypt".to_owned()),
        _ => Broken::Local(VaultError::local("cannot read a spool file", error)),
    })?;
    Ok(bytes)
}

fn decompress(stored: &[u8], frame: Frame) -> std::result::Result<Vec<u8>, Broken> {
    let raw = frame.raw as usize;
    let broken = |why: &str| Broken::Pack(why.to_owned());
    if raw > RAW_FRAME_MAX {
        return Err(broken("a frame is larger than any that is written"));
    }
    let bytes = zstd::bulk::decompress(stored, raw).map_err(|_| broken("a frame does not decompress"))?;
    if bytes.len() != raw {
        return Err(broken("a frame is shorter than its index says"));
    }
    Ok(bytes)
}

/// Returns a frame without the erased items, and the items that stay, at their new offsets. `carried` is
/// what of an erased item lies at its beginning, and afterwards what lies in the next one.
fn without(
    raw: &[u8],
    items: &[ItemRecord],
    is_gone: &impl Fn(&ItemId) -> bool,
    carried: &mut u64,
) -> std::result::Result<(Vec<u8>, Vec<ItemRecord>), Broken> {
    let mut gone: Vec<Range<usize>> = Vec::new();
    let mut cut = |start: usize, length: u64| {
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(raw.len());
        gone.push(start..end);
        length - (end - start) as u64
    };
    *carried = cut(0, *carried);
    for item in items.iter().filter(|item| is_gone(&item.id)) {
        let start = item.offset as usize;
        let mut entry =
            raw.get(start..).ok_or_else(|| Broken::Pack("its index does not fit it".to_owned()))?;
        let before = entry.len();
        let (name, length) = read_entry_header(&mut entry).map_err(Broken::Pack)?;
        if (name.id, length) != (item.id, item.length) {
            return Err(Broken::Pack(format!("another item lies where {} should", item.id)));
        }
        let header = (before - entry.len()) as u64;
        *carried = cut(start, header + length.next_multiple_of(BLOCK as u64));
    }
    let mut kept = Vec::with_capacity(raw.len());
    // Bytes before each place that stay, so that offsets can be told.
    let mut at = 0;
    let mut moved = Vec::with_capacity(gone.len());
    for range in gone {
        if range.start > at {
            kept.extend_from_slice(&raw[at..range.start]);
        }
        at = at.max(range.end);
        moved.push((range.start, range.end));
    }
    kept.extend_from_slice(&raw[at.min(raw.len())..]);
    let removed_before = |offset: usize| {
        moved.iter().filter(|(_, end)| *end <= offset).map(|(start, end)| end - start).sum::<usize>()
    };
    let stay = items.iter().filter(|item| !is_gone(&item.id)).map(|item| {
        let offset = item.offset as usize;
        let offset = offset - removed_before(offset).min(offset);
        ItemRecord { offset: u32::try_from(offset).expect("a frame is far smaller"), ..*item }
    });
    Ok((kept, stay.collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use bytes::Bytes;

    use super::*;
    use crate::ids::{Mac, Salt, random};
    use crate::objects::BodySource;
    use crate::vault::format::index::PackKind;
    use crate::vault::pack::{ItemData, PackOptions, parse_entry_name};

    fn options(spool: &Path) -> PackOptions {
        PackOptions { recipients: Vec::new(), frame_bytes: 4096, zstd_level: 3, spool: spool.to_owned() }
    }

    fn body(pack: &FinishedPack) -> Vec<u8> {
        match pack.body.source() {
            BodySource::File(file) => std::fs::read(&file.path).unwrap(),
            BodySource::Bytes(bytes) => bytes.to_vec(),
            BodySource::Object(_) => unreachable!("packs are built here"),
        }
    }

    /// What `zstd -d | tar x` gives.
    fn unpacked(pack: &FinishedPack) -> Vec<(ItemId, Vec<u8>)> {
        let tar = zstd::stream::decode_all(&body(pack)[..]).unwrap();
        assert!(tar.ends_with(&[0; END_MARKER]) && tar.len().is_multiple_of(BLOCK));
        let mut archive = tar::Archive::new(&tar[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = parse_entry_name(entry.path().unwrap().to_str().unwrap()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(ItemId::of(&name.salt, &bytes), name.id);
            seen.push((name.id, bytes));
        }
        seen
    }

    /// What its index says, item by item.
    fn by_index(pack: &FinishedPack) -> Vec<(ItemId, Vec<u8>)> {
        let stored = body(pack);
        let mut raw = Vec::new();
        let mut starts = Vec::new();
        let mut at = 0;
        for frame in &pack.record.frames {
            starts.push(raw.len());
            let frame_bytes = &stored[at..at + frame.stored as usize];
            let plain = zstd::stream::decode_all(frame_bytes).unwrap();
            assert_eq!(plain.len(), frame.raw as usize);
            raw.extend(plain);
            at += frame.stored as usize;
        }
        assert_eq!(at, stored.len());
        let read = |item: &ItemRecord| {
            let mut reader = &raw[starts[item.frame as usize] + item.offset as usize..];
            let (name, length) = read_entry_header(&mut reader).unwrap();
            assert_eq!((name.id, length), (item.id, item.length));
            (item.id, reader[..length as usize].to_vec())
        };
        pack.record.items.iter().map(read).collect()
    }

    fn pack_of(spool: &Path, items: &[Vec<u8>]) -> (FinishedPack, Vec<ItemId>) {
        let mut pack = PackBuilder::new(PackKind::Content, &options(spool)).unwrap();
        let ids = items
            .iter()
            .enumerate()
            .map(|(n, bytes)| {
                let salt = Salt(random());
                let id = ItemId::of(&salt, bytes);
                // Some names are too long for one header.
                let path =
                    format!("documents/en-us/{}/{n}.json", "t".repeat(if n % 5 == 0 { 200 } else { 4 }));
                let mut data = ItemData::Memory(Bytes::copy_from_slice(bytes));
                pack.add(id, &salt, Mac([n as u8; 16]), &path, &mut data).unwrap();
                id
            })
            .collect();
        (pack.finish().unwrap(), ids)
    }

    fn left(spool: &Path, pack: &FinishedPack, gone: &HashSet<ItemId>) -> Option<FinishedPack> {
        let begin = || PackBuilder::new(PackKind::Content, &options(spool));
        remainder(&body(pack)[..], &pack.record, |id| gone.contains(id), begin).unwrap()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn what_stays_stays_as_it_was_and_nothing_else_does(
            sizes in proptest::collection::vec((0_usize..20_000, proptest::bool::weighted(0.3)), 1..24),
        ) {
            let spool = tempfile::tempdir().unwrap();
            // Bytes that do not compress, so that what is erased can be looked for.
            let items: Vec<Vec<u8>> = sizes
                .iter()
                .map(|(size, _)| (0..size.div_ceil(32)).flat_map(|_| random::<32>()).take(*size).collect())
                .collect();
            let (pack, ids) = pack_of(spool.path(), &items);
            let gone: HashSet<ItemId> =
                ids.iter().zip(&sizes).filter(|(_, (_, gone))| *gone).map(|(id, _)| *id).collect();
            let wanted: Vec<(ItemId, Vec<u8>)> = ids
                .iter()
                .copied()
                .zip(items.iter().cloned())
                .filter(|(id, _)| !gone.contains(id))
                .collect();
            let Some(left) = left(spool.path(), &pack, &gone) else {
                proptest::prop_assert!(wanted.is_empty());
                return Ok(());
            };
            proptest::prop_assert_eq!(&unpacked(&left), &wanted);
            proptest::prop_assert_eq!(&by_index(&left), &wanted);
            let macs = |pack: &FinishedPack| -> Vec<(ItemId, Mac)> {
                pack.record.items.iter().map(|item| (item.id, item.mac)).collect()
            };
            let before: Vec<_> = macs(&pack).into_iter().filter(|(id, _)| !gone.contains(id)).collect();
            proptest::prop_assert_eq!(macs(&left), before);
            // No byte of what was erased, nor the salt that confirms a guess.
            let plain = zstd::stream::decode_all(&body(&left)[..]).unwrap();
            for (id, bytes) in ids.iter().zip(&items).filter(|(id, _)| gone.contains(id)) {
                let name = id.to_string();
                proptest::prop_assert!(memchr::memmem::find(&plain, name.as_bytes()).is_none());
                if bytes.len() >= 16 {
                    proptest::prop_assert!(memchr::memmem::find(&plain, &bytes[..16]).is_none());
                }
            }
        }
    }

    #[test]
    fn frames_without_erased_items_are_taken_over_as_they_are() {
        let spool = tempfile::tempdir().unwrap();
        let items: Vec<Vec<u8>> =
            (0..40).map(|n| format!("{{\"n\":{n}}}").repeat(150).into_bytes()).collect();
        let (pack, ids) = pack_of(spool.path(), &items);
        assert!(pack.record.frames.len() > 5);
        let gone: HashSet<ItemId> = [ids[7]].into();
        let left = left(spool.path(), &pack, &gone).unwrap();
        let frame_of = pack.record.items[7].frame as usize;
        let starts = |pack: &FinishedPack| -> Vec<Vec<u8>> {
            let (body, mut at) = (body(pack), 0);
            let cut = |frame: &Frame| {
                at += frame.stored as usize;
                body[at - frame.stored as usize..at].to_vec()
            };
            pack.record.frames.iter().map(cut).collect()
        };
        let (before, after) = (starts(&pack), starts(&left));
        assert_eq!(before.len(), after.len());
        for (n, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before == after, n != frame_of, "frame {n}");
        }
    }

    #[test]
    fn a_pack_that_is_not_what_its_index_says_gives_nothing() {
        let spool = tempfile::tempdir().unwrap();
        let items: Vec<Vec<u8>> = (0..9).map(|n| vec![n; 1500]).collect();
        let (pack, ids) = pack_of(spool.path(), &items);
        let begin = || PackBuilder::new(PackKind::Content, &options(spool.path()));
        let gone = |id: &ItemId| *id == ids[1];
        let mut shifted = pack.record.clone();
        shifted.items[1].offset += 512;
        let result = remainder(&body(&pack)[..], &shifted, gone, begin);
        assert!(matches!(result, Err(Broken::Pack(_))));
        let mut longer = pack.record.clone();
        longer.items[1].length += 1;
        assert!(matches!(remainder(&body(&pack)[..], &longer, gone, begin), Err(Broken::Pack(_))));
        let short = &body(&pack)[..600];
        assert!(matches!(remainder(short, &pack.record, gone, begin), Err(Broken::Pack(_))));
        let mut damaged = body(&pack);
        let frames = &pack.record.frames[..=pack.record.items[1].frame as usize];
        let end: usize = frames.iter().map(|frame| frame.stored as usize).sum();
        damaged[end - 3] ^= 1;
        assert!(matches!(remainder(&damaged[..], &pack.record, gone, begin), Err(Broken::Pack(_))));
    }
}
