//! PNG: text chunks, EXIF and XMP.

use std::borrow::Cow;

use flate2::read::ZlibDecoder;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::Bytes;
use super::encodings::{runs, utf8_or_latin1};
use super::{exif, iptc, photoshop, xmp};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Reads all that is text in a PNG.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let data = Bytes::big_endian(bytes);
    let mut at = SIGNATURE.len();
    loop {
        desk.tick()?;
        let (Some(length), Some(kind)) = (data.place(at), data.slice(at + 4, 4)) else {
            return Err(Stop::Part(Reason::Damaged));
        };
        let whole = data.slice(at + 8, length);
        let body = whole.unwrap_or(bytes.get(at + 8..).unwrap_or_default());
        let name = String::from_utf8_lossy(kind).into_owned();
        let read = chunk(desk, kind, body, group);
        desk.settle(&name, read)?;
        if kind == b"IEND" {
            let rest = bytes.get(at + 12 + length..).unwrap_or_default();
            return runs(rest).try_for_each(|(_, text)| {
                desk.hand_out(Channel::ImageText, "after the picture", group, &text)
            });
        }
        if whole.is_none() {
            return Err(Stop::Part(Reason::Damaged));
        }
        at += length + 12;
    }
}

fn chunk(desk: &mut Desk<'_>, kind: &[u8], body: &[u8], group: u32) -> Outcome {
    match kind {
        b"tEXt" => {
            let (keyword, text) = split_at_zero(body)?;
            tell(desk, keyword, utf8_or_latin1(text).as_bytes(), group)
        }
        b"zTXt" => {
            let (keyword, rest) = split_at_zero(body)?;
            // One byte names the method, of which there is one.
            let packed = rest.get(1..).ok_or(Stop::Part(Reason::Damaged))?;
            let text = desk.unpack(ZlibDecoder::new(packed))?;
            tell(desk, keyword, utf8_or_latin1(&text).as_bytes(), group)
        }
        b"iTXt" => {
            let (keyword, rest) = split_at_zero(body)?;
            let [is_packed, _method, rest @ ..] = rest else { return Err(Stop::Part(Reason::Damaged)) };
            let (_language, rest) = split_at_zero(rest)?;
            let (translated, text) = split_at_zero(rest)?;
            desk.hand_out(Channel::ImageText, "iTXt", group, &String::from_utf8_lossy(translated))?;
            let text = if *is_packed == 0 {
                Cow::Borrowed(text)
            } else {
                Cow::Owned(desk.unpack(ZlibDecoder::new(text))?)
            };
            tell(desk, keyword, &text, group)
        }
        b"eXIf" => exif::read(desk, body),
        // Pixels, palettes and profiles.
        b"IHDR" | b"IDAT" | b"PLTE" | b"tRNS" | b"iCCP" | b"fdAT" | b"IEND" | b"gAMA" | b"cHRM" | b"sBIT"
        | b"hIST" => Ok(()),
        _ => {
            let place = String::from_utf8_lossy(kind).into_owned();
            runs(body).try_for_each(|(_, text)| desk.hand_out(Channel::ImageText, &place, group, &text))
        }
    }
}

fn split_at_zero(bytes: &[u8]) -> Outcome<(&[u8], &[u8])> {
    let zero = bytes.iter().position(|byte| *byte == 0).ok_or(Stop::Part(Reason::Damaged))?;
    Ok((&bytes[..zero], &bytes[zero + 1..]))
}

/// A text under its keyword. Some keywords carry other metadata.
fn tell(desk: &mut Desk<'_>, keyword: &[u8], text: &[u8], group: u32) -> Outcome {
    let keyword = utf8_or_latin1(keyword);
    if keyword == "XML:com.adobe.xmp" {
        return xmp::read(desk, text);
    }
    if let Some(kind) = keyword.strip_prefix("Raw profile type ")
        && let Some(profile) = raw_profile(text)
    {
        match kind.trim() {
            "exif" | "APP1" if !profile.starts_with(b"http") => return exif::read(desk, &profile),
            "APP1" | "xmp" => return xmp::packets(&profile).try_for_each(|packet| xmp::read(desk, packet)),
            "iptc" | "8bim" if profile.starts_with(b"8BIM") => return photoshop::read(desk, &profile),
            "iptc" => return iptc::read(desk, &profile),
            _ => {}
        }
    }
    desk.hand_out(Channel::ImageText, &format!("PNG/{keyword}"), group, &utf8_or_latin1(text))
}

/// A profile as ImageMagick writes it: its name, its length, and hexadecimal digits.
fn raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.splitn(4, |byte| *byte == b'\n');
    let digits = lines.nth(3)?;
    let values: Vec<u8> = digits
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    Some(values.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}
