//! RIFF: WebP, WAV and AVI.

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::Bytes;
use super::encodings::{decode, runs};
use super::{exif, sound, xmp};

/// Reads the chunks that carry metadata.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let data = Bytes::little_endian(bytes);
    let mut at = 12;
    while at < bytes.len() {
        desk.tick()?;
        let (Some(kind), Some(length)) = (data.slice(at, 4), data.place(at + 4)) else {
            return Err(Stop::Part(Reason::Damaged));
        };
        let start = at + 8;
        // A list is gone into; its frames of film are not.
        if kind == b"LIST" && data.slice(start, 4) != Some(b"movi") {
            at = start + 4;
            continue;
        }
        let whole = data.slice(start, length);
        let body = whole.unwrap_or(bytes.get(start..).unwrap_or_default());
        let name = String::from_utf8_lossy(kind).trim_end().to_owned();
        let read = chunk(desk, kind, &name, body, group);
        desk.settle(&name, read)?;
        if whole.is_none() {
            return Err(Stop::Part(Reason::Damaged));
        }
        at = start + length + (length & 1);
    }
    Ok(())
}

fn chunk(desk: &mut Desk<'_>, kind: &[u8], name: &str, body: &[u8], group: u32) -> Outcome {
    match kind {
        b"EXIF" => exif::read(desk, body),
        b"XMP " | b"_PMX" => xmp::read(desk, body),
        b"id3 " | b"ID3 " => sound::read_id3(desk, body),
        // Pixels, samples, indices.
        b"VP8 " | b"VP8L" | b"VP8X" | b"ALPH" | b"ANIM" | b"ANMF" | b"ICCP" | b"data" | b"fmt " | b"LIST"
        | b"idx1" | b"JUNK" | b"fact" => Ok(()),
        // The texts of INFO: four letters, of which the first is I.
        [b'I', ..] => desk.hand_out(
            Channel::ImageText,
            &format!("RIFF/{name}"),
            group,
            decode(body).trim_end_matches('\0'),
        ),
        _ => runs(body).try_for_each(|(_, text)| {
            desk.hand_out(Channel::ImageText, &format!("RIFF/{name}"), group, &text)
        }),
    }
}
