//! JPEG: the segments before, between and after the scans.

use std::collections::BTreeMap;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::{Bytes, find};
use super::encodings::{decode, runs};
use super::{exif, photoshop, xmp};

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const XMP_EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// Reads all that is text in a JPEG, also in pictures that follow in the same file.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let mut parts = Parts { group: desk.group(), photoshop: Vec::new(), extensions: BTreeMap::new() };
    let outcome = segments(desk, bytes, &mut parts);
    // Large metadata is cut over several segments.
    let read = photoshop::read(desk, &parts.photoshop);
    desk.settle("Photoshop", read)?;
    for extension in std::mem::take(&mut parts.extensions).into_values() {
        let read = xmp::read(desk, &extension.into_values().collect::<Vec<_>>().concat());
        desk.settle("Xmp", read)?;
    }
    outcome
}

struct Parts<'a> {
    group: u32,
    photoshop: Vec<u8>,
    /// Chunks of extended XMP by their offset, under the digest of the whole.
    extensions: BTreeMap<&'a [u8], BTreeMap<u32, &'a [u8]>>,
}

fn segments<'a>(desk: &mut Desk<'_>, bytes: &'a [u8], parts: &mut Parts<'a>) -> Outcome {
    let data = Bytes::big_endian(bytes);
    let mut at = 0;
    while let Some(marker) = next_marker(bytes, at) {
        desk.tick()?;
        let code = bytes[marker + 1];
        at = marker + 2;
        match code {
            // Beginning of a picture, restarts, and others without length.
            0x01 | 0xd0..=0xd8 => continue,
            // The end: previews and maker's data may follow.
            0xd9 => {
                match find(bytes, b"\xff\xd8\xff", at) {
                    Some(next) => at = next,
                    None => return trailer(desk, bytes, at, parts),
                }
                continue;
            }
            _ => {}
        }
        let Some(length) = data.u16(at).map(usize::from).filter(|length| *length >= 2) else {
            return Err(Stop::Part(Reason::Damaged));
        };
        let whole = data.slice(at + 2, length - 2);
        let body = whole.unwrap_or(&bytes[(at + 2).min(bytes.len())..]);
        segment(desk, code, body, parts)?;
        if whole.is_none() {
            return Err(Stop::Part(Reason::Damaged));
        }
        at += length;
    }
    // No end: it was cut off.
    Err(Stop::Part(Reason::Damaged))
}

/// The next marker: `FF` and what is neither a stuffed zero nor another `FF`.
pub(in crate::privacy) fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(0xff, bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

fn segment<'a>(desk: &mut Desk<'_>, code: u8, body: &'a [u8], parts: &mut Parts<'a>) -> Outcome {
    match code {
        0xe1 if body.starts_with(b"Exif\0\0") => {
            let read = exif::read(desk, body);
            desk.settle("Exif", read)
        }
        0xe1 if body.starts_with(XMP) => {
            let read = xmp::read(desk, &body[XMP.len()..]);
            desk.settle("Xmp", read)
        }
        0xe1 if body.starts_with(XMP_EXTENSION) => {
            let rest = Bytes::big_endian(&body[XMP_EXTENSION.len()..]);
            match (rest.slice(0, 32), rest.u32(36), rest.all.get(40..)) {
                (Some(digest), Some(offset), Some(chunk)) => {
                    parts.extensions.entry(digest).or_default().insert(offset, chunk);
                    Ok(())
                }
                _ => desk.settle("Xmp", Err(Stop::Part(Reason::Damaged))),
            }
        }
        0xed if body.starts_with(PHOTOSHOP) => {
            parts.photoshop.extend_from_slice(&body[PHOTOSHOP.len()..]);
            Ok(())
        }
        0xfe => desk.hand_out(Channel::ImageText, "COM", parts.group, decode(body).trim_end_matches('\0')),
        // Colour profiles say who made the profile, not who made the picture.
        0xe2 if body.starts_with(b"ICC_PROFILE\0") => Ok(()),
        0xe0..=0xef => runs(body).try_for_each(|(_, text)| {
            desk.hand_out(Channel::ImageText, &format!("APP{}", code - 0xe0), parts.group, &text)
        }),
        // Tables and the beginning of a scan.
        _ => Ok(()),
    }
}

/// What telephones put behind the picture.
fn trailer(desk: &mut Desk<'_>, bytes: &[u8], at: usize, parts: &Parts<'_>) -> Outcome {
    /// Bytes of a trailer in which texts are looked for; a film behind a still is larger.
    const TRAILER_MAX: usize = 1 << 20;
    let rest = &bytes[at.min(bytes.len())..];
    for (_, text) in runs(&rest[..rest.len().min(TRAILER_MAX)]) {
        desk.hand_out(Channel::ImageText, "after the picture", parts.group, &text)?;
    }
    if rest.len() > TRAILER_MAX {
        desk.unsearchable("after the picture", Reason::TooLarge);
    }
    Ok(())
}
