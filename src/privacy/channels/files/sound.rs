//! Sound: ID3 of MP3, comments of FLAC and Ogg.

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::{Bytes, find};
use super::encodings::{runs, utf8_or_latin1, utf16, utf16_marked};

const DAMAGED: Stop = Stop::Part(Reason::Damaged);

/// Reads the tags of an MP3: those at the beginning and the old ones at the end.
pub(super) fn read_mp3(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    if let Some(tag) =
        bytes.len().checked_sub(128).map(|at| &bytes[at..]).filter(|tag| tag.starts_with(b"TAG"))
    {
        for field in [&tag[3..33], &tag[33..63], &tag[63..93], &tag[97..127]] {
            let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
            desk.hand_out(Channel::ImageText, "ID3v1", group, &utf8_or_latin1(text))?;
        }
    }
    if bytes.starts_with(b"ID3") { read_id3(desk, bytes) } else { Ok(()) }
}

/// Reads a tag of ID3v2.
pub(super) fn read_id3(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let [b'I', b'D', b'3', version, _, flags, ..] = bytes else { return Err(DAMAGED) };
    let length = synchsafe(bytes.get(6..10).ok_or(DAMAGED)?);
    let body = bytes.get(10..).unwrap_or_default();
    let cut = &body[..length.min(body.len())];
    // Zeros put behind every FF, so that players do not take it for sound.
    let joined: Vec<u8>;
    let body = if flags & 0x80 != 0 && *version < 4 {
        joined = without_stuffing(cut);
        &joined
    } else {
        cut
    };
    let data = Bytes::big_endian(body);
    let (name_length, header) = if *version == 2 { (3, 6) } else { (4, 10) };
    let mut at = 0;
    if flags & 0x40 != 0 && *version > 2 {
        let extended = body.get(..4).ok_or(DAMAGED)?;
        at = if *version == 4 { synchsafe(extended) } else { data.place(0).unwrap_or(0).saturating_add(4) };
    }
    while let Some(name) = data.slice(at, name_length).filter(|name| name[0] != 0) {
        desk.tick()?;
        let length = match version {
            2 => data.number(at + 3, 3).and_then(|length| usize::try_from(length).ok()),
            4 => data.slice(at + 4, 4).map(synchsafe),
            _ => data.place(at + 4),
        };
        let start = at + header;
        let Some(length) = length else { return Err(DAMAGED) };
        let whole = data.slice(start, length);
        let name = String::from_utf8_lossy(name).into_owned();
        frame(desk, &name, whole.unwrap_or(body.get(start..).unwrap_or_default()), group)?;
        if whole.is_none() {
            return Err(DAMAGED);
        }
        at = start + length;
    }
    Ok(())
}

/// A number of seven bits a byte.
fn synchsafe(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f))
}

fn without_stuffing(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut before = 0;
    for byte in bytes {
        if !(before == 0xff && *byte == 0) {
            out.push(*byte);
        }
        before = *byte;
    }
    out
}

fn frame(desk: &mut Desk<'_>, name: &str, body: &[u8], group: u32) -> Outcome {
    let place = format!("ID3/{name}");
    match (name, body) {
        ("APIC" | "PIC", _) => match find(body, b"\xff\xd8\xff", 0).or_else(|| find(body, b"\x89PNG", 0)) {
            Some(at) => desk.within(&place, |desk| super::read(desk, None, &body[at..])),
            None => Ok(()),
        },
        (name, [encoding, text @ ..])
            if name.starts_with('T') || matches!(name, "COMM" | "COM" | "USLT" | "ULT" | "USER") =>
        {
            // Comments and songs have a language of three letters first.
            let text = if name.starts_with('T') { text } else { text.get(3..).unwrap_or_default() };
            let text = match encoding {
                1 => utf16_parts(text),
                2 => utf16(text, true).into_owned(),
                _ => utf8_or_latin1(text).into_owned(),
            };
            text.split('\0').try_for_each(|text| desk.hand_out(Channel::ImageText, &place, group, text))
        }
        _ => runs(body).try_for_each(|(_, text)| desk.hand_out(Channel::ImageText, &place, group, &text)),
    }
}

/// Texts with a mark of their byte order before each.
fn utf16_parts(bytes: &[u8]) -> String {
    let order = bytes.starts_with(&[0xfe, 0xff]);
    utf16_marked(bytes, order).replace('\u{feff}', "")
}

/// Reads the comments of a FLAC file.
pub(super) fn read_flac(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let data = Bytes::big_endian(bytes);
    let mut at = 4;
    loop {
        desk.tick()?;
        let head = *bytes.get(at).ok_or(DAMAGED)?;
        let length = data.number(at + 1, 3).and_then(|length| usize::try_from(length).ok()).ok_or(DAMAGED)?;
        let body = data.slice(at + 4, length).ok_or(DAMAGED)?;
        let read = match head & 0x7f {
            4 => comments(desk, body),
            6 => match find(body, b"\xff\xd8\xff", 0).or_else(|| find(body, b"\x89PNG", 0)) {
                Some(at) => desk.within("FLAC/picture", |desk| super::read(desk, None, &body[at..])),
                None => Ok(()),
            },
            _ => Ok(()),
        };
        desk.settle("FLAC", read)?;
        if head & 0x80 != 0 {
            return Ok(());
        }
        at += 4 + length;
    }
}

/// Reads the comments of an Ogg file, which stand in its first pages.
pub(super) fn read_ogg(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let marks: [&[u8]; 3] = [b"\x03vorbis", b"OpusTags", b"\x81theora"];
    for mark in marks {
        if let Some(at) = find(bytes, mark, 0) {
            let read = comments(desk, &bytes[at + mark.len()..]);
            desk.settle("Ogg", read)?;
        }
    }
    Ok(())
}

/// Comments as Vorbis has them: a maker, a number, and `NAME=value` with its length before each.
fn comments(desk: &mut Desk<'_>, body: &[u8]) -> Outcome {
    let group = desk.group();
    let data = Bytes::little_endian(body);
    let maker = data.place(0).ok_or(DAMAGED)?;
    let mut at = maker.checked_add(4).ok_or(DAMAGED)?;
    let count = data.u32(at).ok_or(DAMAGED)?;
    at += 4;
    for _ in 0..count {
        desk.tick()?;
        let length = data.place(at).ok_or(DAMAGED)?;
        let comment = String::from_utf8_lossy(data.slice(at + 4, length).ok_or(DAMAGED)?);
        let (name, value) = comment.split_once('=').unwrap_or(("", &comment));
        desk.hand_out(Channel::ImageText, &format!("comment/{name}"), group, value)?;
        at += 4 + length;
    }
    Ok(())
}
