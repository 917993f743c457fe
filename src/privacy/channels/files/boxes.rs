//! Files of boxes (ISO 14496-12): HEIC and AVIF with their items, MP4 and QuickTime with what users say of
//! them, JPEG XL.

use std::collections::HashMap;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::Bytes;
use super::encodings::{decode, runs, utf16};
use super::{exif, xmp};

/// Deepest nesting of boxes; films have eight.
const DEPTH_MAX: usize = 16;
/// Extents of one item that are put together. Metadata lies in one piece.
const EXTENTS_MAX: usize = 64;
/// The extended type of a box that holds XMP.
const XMP_UUID: [u8; 16] =
    [0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac];

/// Reads the metadata of a file of boxes.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let mut reader = Reader { group: desk.group(), items: Items::default() };
    let outcome = reader.boxes(desk, bytes, 0, &mut Vec::new());
    let items = std::mem::take(&mut reader.items);
    for (id, kind) in &items.kinds {
        let Some(place) = items.places.get(id) else { continue };
        let read = match place.bytes(bytes, items.data) {
            None => Err(Stop::Part(Reason::Damaged)),
            Some(body) if kind == "Exif" => {
                // Four bytes say where the TIFF header is.
                let skip = Bytes::big_endian(&body).place(0).unwrap_or(0).saturating_add(4);
                exif::read(desk, body.get(skip..).unwrap_or_default())
            }
            Some(body) => xmp::read(desk, &body),
        };
        desk.settle(kind, read)?;
    }
    outcome
}

struct Reader<'a> {
    group: u32,
    items: Items<'a>,
}

/// Items of a still picture that carry metadata, and where items lie.
#[derive(Default)]
struct Items<'a> {
    kinds: Vec<(u64, String)>,
    places: HashMap<u64, ItemPlace>,
    data: Option<&'a [u8]>,
}

struct ItemPlace {
    in_data_box: bool,
    extents: Vec<(usize, usize)>,
}

impl ItemPlace {
    fn bytes(&self, file: &[u8], data: Option<&[u8]>) -> Option<Vec<u8>> {
        let source = if self.in_data_box { data? } else { file };
        let mut all = Vec::new();
        for (at, length) in &self.extents {
            let end = if *length == 0 { source.len() } else { at.checked_add(*length)? };
            all.extend_from_slice(source.get(*at..end)?);
            // Extents may all name the same place; together they are no more than the file.
            if all.len() > file.len() {
                return None;
            }
        }
        Some(all)
    }
}

impl<'a> Reader<'a> {
    fn boxes(
        &mut self,
        desk: &mut Desk<'_>,
        bytes: &'a [u8],
        depth: usize,
        path: &mut Vec<String>,
    ) -> Outcome {
        if depth > DEPTH_MAX {
            return Err(Stop::Part(Reason::TooDeep));
        }
        let data = Bytes::big_endian(bytes);
        let mut at = 0;
        // A list may end with a zero of four bytes.
        while at + 8 <= bytes.len() {
            desk.tick()?;
            let (Some(short), Some(kind)) = (data.place(at), data.slice(at + 4, 4)) else { break };
            let (header, length) = match short {
                0 => (8, bytes.len() - at),
                1 => (16, usize::try_from(data.number(at + 8, 8).unwrap_or(0)).unwrap_or(usize::MAX)),
                short => (8, short),
            };
            if length < header {
                return Err(Stop::Part(Reason::Damaged));
            }
            let whole = data.slice(at, length).and_then(|all| all.get(header..));
            let body = whole.unwrap_or(bytes.get(at + header..).unwrap_or_default());
            path.push(kind.iter().map(|byte| char::from(*byte)).collect());
            let read = self.one(desk, kind, body, depth, path);
            let place = path.join("/");
            desk.settle(&place, read)?;
            path.pop();
            if whole.is_none() {
                return Err(Stop::Part(Reason::Damaged));
            }
            at += length;
        }
        Ok(())
    }

    fn one(
        &mut self,
        desk: &mut Desk<'_>,
        kind: &[u8],
        body: &'a [u8],
        depth: usize,
        path: &mut Vec<String>,
    ) -> Outcome {
        match kind {
            b"moov" | b"udta" | b"trak" | b"mdia" | b"ilst" | b"moof" => {
                self.boxes(desk, body, depth + 1, path)
            }
            b"meta" => {
                // QuickTime has no version here: then the first box begins at once.
                let has_version = body.get(4..8) != Some(b"hdlr");
                let inner = if has_version { body.get(4..).unwrap_or_default() } else { body };
                self.boxes(desk, inner, depth + 1, path)
            }
            b"iinf" => self.item_kinds(desk, body),
            b"iloc" => self.item_places(desk, body),
            b"idat" => {
                self.items.data = Some(body);
                Ok(())
            }
            b"Exif" if depth == 0 => exif::read(desk, body.get(4..).unwrap_or_default()),
            b"xml " => xmp::read(desk, body),
            b"uuid" if body.starts_with(&XMP_UUID) => xmp::read(desk, &body[16..]),
            // Pixels, samples and tables of them.
            b"mdat" | b"minf" | b"free" | b"skip" | b"ftyp" | b"jxlc" | b"jxlp" | b"iprp" | b"mvhd"
            | b"tkhd" | b"mdhd" | b"edts" | b"traf" | b"sidx" | b"moofhd" => Ok(()),
            _ => self.leaf(desk, kind, body, depth, path),
        }
    }

    /// A box that may hold a text, or boxes `data` with one.
    fn leaf(
        &mut self,
        desk: &mut Desk<'_>,
        kind: &[u8],
        body: &'a [u8],
        depth: usize,
        path: &mut Vec<String>,
    ) -> Outcome {
        if path.iter().any(|name| name == "ilst")
            && body.get(4..8).is_some_and(|inner| matches!(inner, b"data" | b"mean" | b"name"))
        {
            return self.boxes(desk, body, depth + 1, path);
        }
        let place = path.join("/");
        let text = match kind {
            // Type and language, then the value: 1 is UTF-8, 2 is UTF-16, 13 and 14 are pictures.
            b"data" => match (body.get(3), body.get(8..)) {
                (Some(1), Some(text)) => String::from_utf8_lossy(text).into_owned(),
                (Some(2), Some(text)) => utf16(text, true).into_owned(),
                (Some(13 | 14), Some(picture)) => {
                    return desk.within(&place, |desk| super::read(desk, None, picture));
                }
                _ => String::new(),
            },
            // QuickTime: length, language, text.
            [0xa9, ..] => decode(body.get(4..).unwrap_or_default()).into_owned(),
            _ => String::new(),
        };
        if !text.is_empty() {
            let channel = if is_position(&text) { Channel::GeoPoint } else { Channel::ImageText };
            return desk.hand_out(channel, &place, self.group, text.trim_end_matches('\0'));
        }
        // Depth 0 holds boxes of unknown makers; all others are small.
        runs(body).try_for_each(|(_, text)| {
            let channel = if is_position(&text) { Channel::GeoPoint } else { Channel::ImageText };
            desk.hand_out(channel, &place, self.group, &text)
        })
    }

    /// Which items are EXIF or XMP.
    fn item_kinds(&mut self, desk: &mut Desk<'_>, body: &[u8]) -> Outcome {
        let data = Bytes::big_endian(body);
        let mut at = if body.first() == Some(&0) { 6 } else { 8 };
        while let (Some(length), Some(b"infe")) = (data.place(at), data.slice(at + 4, 4)) {
            desk.tick()?;
            let version = body.get(at + 8).copied().unwrap_or(0);
            let id_length = if version == 3 { 4 } else { 2 };
            let id = data.number(at + 12, id_length);
            let kind = data.slice(at + 12 + id_length + 2, 4);
            let rest =
                body.get(at + 18 + id_length..at.saturating_add(length).min(body.len())).unwrap_or_default();
            if let (Some(id), Some(kind)) = (id, kind) {
                if kind == b"Exif" {
                    self.items.kinds.push((id, "Exif".to_owned()));
                } else if kind == b"mime" && super::bytes::find(rest, b"application/rdf+xml", 0).is_some() {
                    self.items.kinds.push((id, "Xmp".to_owned()));
                }
            }
            runs(rest)
                .try_for_each(|(_, text)| desk.hand_out(Channel::ImageText, "iinf", self.group, &text))?;
            at = at.saturating_add(length.max(8));
        }
        Ok(())
    }

    /// Where items lie.
    fn item_places(&mut self, desk: &mut Desk<'_>, body: &[u8]) -> Outcome {
        let damaged = Stop::Part(Reason::Damaged);
        let data = Bytes::big_endian(body);
        let version = *body.first().ok_or(damaged)?;
        let (sizes, more) = (*body.get(4).ok_or(damaged)?, *body.get(5).ok_or(damaged)?);
        let (offset, length, base) =
            (usize::from(sizes >> 4), usize::from(sizes & 15), usize::from(more >> 4));
        let index = if version == 0 { 0 } else { usize::from(more & 15) };
        let wide = if version == 2 { 4 } else { 2 };
        let count = data.number(6, wide).ok_or(damaged)?;
        let mut at = 6 + wide;
        for _ in 0..count {
            desk.tick()?;
            let id = data.number(at, wide).ok_or(damaged)?;
            at += wide;
            let mut in_data_box = false;
            if version > 0 {
                in_data_box = data.u16(at).ok_or(damaged)? & 15 == 1;
                at += 2;
            }
            let from = data.number(at + 2, base).ok_or(damaged)?;
            at += 2 + base;
            let extents_count = data.u16(at).ok_or(damaged)?;
            at += 2;
            let mut extents = Vec::new();
            for _ in 0..extents_count {
                let start = data.number(at + index, offset).ok_or(damaged)?;
                let bytes = data.number(at + index + offset, length).ok_or(damaged)?;
                at += index + offset + length;
                if let (Some(start), Ok(bytes)) = (from.checked_add(start), usize::try_from(bytes))
                    && let Ok(start) = usize::try_from(start)
                    && extents.len() < EXTENTS_MAX
                {
                    extents.push((start, bytes));
                }
            }
            self.items.places.insert(id, ItemPlace { in_data_box, extents });
        }
        Ok(())
    }
}

/// Whether a text is a position as ISO 6709 writes it: `+45.7640+004.8357/`.
fn is_position(text: &str) -> bool {
    let text = text.trim_end_matches(['/', '\0']);
    text.starts_with(['+', '-'])
        && text.bytes().filter(|byte| matches!(byte, b'+' | b'-')).count() >= 2
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'))
}
