//! The bytes of assets: what they are is seen in them; a name only says what kind of text a text is.
//!
//! | file | reads |
//! | --- | --- |
//! | `jpeg`, `png`, `gif`, `riff`, `boxes` | pictures, sound and film by their containers |
//! | `exif`, `iptc`, `photoshop`, `xmp` | metadata that lies in those |
//! | `sound` | tags of MP3, FLAC and Ogg |
//! | `pdf` | PDF |
//! | `svg`, `office`, `archive` | SVG, Office documents, archives |
//! | `xml`, `html`, `plain` | text with and without markup |
//! | `encodings`, `bytes` | text and numbers out of bytes |

mod archive;
mod boxes;
mod bytes;
mod encodings;
mod exif;
mod gif;
pub(crate) mod html;
mod iptc;
mod jpeg;
mod office;
mod pdf;
mod photoshop;
mod plain;
mod png;
mod riff;
mod sound;
mod svg;
mod xml;
mod xmp;

use crate::privacy::passage::{Channel, Reason};

pub(in crate::privacy) use jpeg::next_marker;

use super::desk::{Desk, Outcome, Stop};

/// Bytes at the beginning in which a format is looked for that need not begin at once.
const HEAD: usize = 1024;

/// Formats that are known by their first bytes and have no reader here. Their texts are looked for.
const FOREIGN: [&[u8]; 12] = [
    b"\x1a\x45\xdf\xa3",         // Matroska and WebM
    b"Rar!\x1a\x07",             // RAR
    b"7z\xbc\xaf\x27\x1c",       // 7-Zip
    b"\xd0\xcf\x11\xe0\xa1\xb1", // Office before 2007
    b"{\\rtf",                   // RTF
    b"8BPS",                     // Photoshop
    b"%!PS",                     // PostScript
    b"BZh",                      // bzip2
    b"\xfd7zXZ\x00",             // xz
    b"\x28\xb5\x2f\xfd",         // Zstandard
    b"wOFF",                     // fonts
    b"wOF2",
];

/// Reads a file by what it is.
pub(super) fn read(desk: &mut Desk<'_>, name: Option<&str>, bytes: &[u8]) -> Outcome {
    if bytes.is_empty() {
        return Ok(());
    }
    if let Some(read) = picture_or_sound(bytes) {
        let read = read(desk, bytes);
        desk.settle("", read)?;
        // What it shows or says.
        return Err(Stop::Part(Reason::NoText));
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    if bytes::find(head, b"%PDF-", 0).is_some() {
        return pdf::read(desk, bytes);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return archive::read(desk, bytes);
    }
    if head.starts_with(b"\x1f\x8b") {
        let unpacked = desk.unpack(flate2::read::MultiGzDecoder::new(bytes))?;
        return desk.within("gzip", |desk| self::read(desk, name, &unpacked));
    }
    if FOREIGN.iter().any(|magic| head.starts_with(magic)) || !encodings::is_text(bytes) {
        strings(desk, bytes)?;
        return Err(Stop::Part(if is_encrypted_office(bytes) {
            Reason::Encrypted
        } else {
            Reason::UnknownFormat
        }));
    }
    text(desk, name, bytes)
}

type Read = fn(&mut Desk<'_>, &[u8]) -> Outcome;

/// The reader of a picture, sound or film.
fn picture_or_sound(bytes: &[u8]) -> Option<Read> {
    Some(match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg::read,
        [b'G', b'I', b'F', b'8', ..] => gif::read,
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => exif::read,
        [b'R', b'I', b'F', b'F', _, _, _, _, ..] if bytes.len() >= 12 => riff::read,
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2 | 0xfa, ..] => sound::read_mp3,
        [b'f', b'L', b'a', b'C', ..] => sound::read_flac,
        [b'O', b'g', b'g', b'S', ..] => sound::read_ogg,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => boxes::read,
        // Films of QuickTime that say no type.
        [_, _, _, _, b'm', b'o', b'o', b'v', ..] | [0, _, _, _, b'm', b'd', b'a', b't', ..] => boxes::read,
        _ if bytes.starts_with(png::SIGNATURE) => png::read,
        _ => return None,
    })
}

/// Whether this is an Office document that a password was put on: a container of the old kind around it.
fn is_encrypted_office(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.starts_with(b"\xd0\xcf\x11\xe0") && bytes::find(bytes, &name, 0).is_some()
}

/// Whether bytes are an archive that is no document: it is not opened inside of another.
fn archive_in_archive(bytes: &[u8]) -> bool {
    let has = |name: &str| bytes::find(bytes, name.as_bytes(), 0).is_some();
    bytes.starts_with(b"PK\x03\x04") && office::kind_of(has).is_none()
}

/// Hands out all that looks like text in bytes of no known format.
fn strings(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    for (at, text) in encodings::runs(bytes) {
        desk.hand_out(Channel::PlainText, &format!("byte {at}"), group, &text)?;
    }
    Ok(())
}

fn text(desk: &mut Desk<'_>, name: Option<&str>, bytes: &[u8]) -> Outcome {
    let text = encodings::decode(bytes);
    let head = text.get(..text.floor_char_boundary(4 * HEAD)).unwrap_or_default().trim_start();
    let extension = name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
    let extension = extension.as_deref().unwrap_or_default();
    let lower = head.to_ascii_lowercase();
    if lower.starts_with("<!doctype html")
        || lower.starts_with("<html")
        || matches!(extension, "html" | "htm")
    {
        return html::read(desk, &text);
    }
    if head.starts_with('<') && lower.contains("<svg") {
        return svg::read(desk, bytes);
    }
    if head.starts_with("<?xml") || (head.starts_with('<') && extension == "xml") {
        return xml::read_text(desk, "XML", bytes, &xml::PLAIN);
    }
    if head.starts_with(['{', '[']) && plain::read_json(desk, &text)? {
        return Ok(());
    }
    let is_prose = matches!(extension, "txt" | "md" | "markdown" | "vtt" | "srt");
    match plain::delimiter(&text, matches!(extension, "csv" | "tsv")) {
        Some(delimiter) if !is_prose => plain::read_table(desk, &text, delimiter),
        _ => {
            plain::read_text(desk, &text)?;
            // Markup in what is called text.
            match html::visible_text(&text) {
                Some(visible) => plain::read_text(desk, &visible),
                None => Ok(()),
            }
        }
    }
}
