//! Pictures without what is written about them: every pixel stays as it was compressed.
//!
//! Only what a picture needs to look as it did is taken over: pixels, palettes, colour profiles, animation, and
//! which side is up. All other segments, chunks and blocks go, known or not, and so does what lies behind the
//! end. Nothing is decoded and compressed again; [`same_pixels`] shows it by decoding both.

use std::io::Cursor;

use image::{DynamicImage, ImageReader, Limits};

use crate::privacy::channels::next_marker;

/// Bytes that decoding one picture may take: 100 million pixels of four bytes.
const DECODED_MAX: u64 = 400 << 20;

/// Returns a picture without metadata; `None` for what is no picture that can be stripped, or a damaged one.
pub fn stripped(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg(bytes),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png(bytes),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp(bytes),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif(bytes),
        _ => None,
    }
}

/// Whether two files show the same, pixel by pixel; `None` where that cannot be told: another format, or more
/// pixels than are decoded.
pub fn same_pixels(one: &[u8], other: &[u8]) -> Option<bool> {
    let decoded = |bytes: &[u8]| -> Option<DynamicImage> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(DECODED_MAX);
        reader.limits(limits);
        reader.decode().ok()
    };
    let (one, other) = (decoded(one)?, decoded(other)?);
    Some(one.color() == other.color() && one.width() == other.width() && one.as_bytes() == other.as_bytes())
}

/// EXIF that says nothing but which side is up (TIFF 6.0, section 2); `None` where that is the usual one, or not
/// told.
fn orientation_only(tiff: &[u8]) -> Option<Vec<u8>> {
    const ORIENTATION: u16 = 0x0112;
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = tiff.get(at..at + 2)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let directory = (usize::from(u16_at(if is_little { 4 } else { 6 })?))
        | (usize::from(u16_at(if is_little { 6 } else { 4 })?) << 16);
    let entries = usize::from(u16_at(directory)?);
    let entry =
        (0..entries).map(|entry| directory + 2 + 12 * entry).find(|at| u16_at(*at) == Some(ORIENTATION))?;
    let side = u16_at(entry + 8)?;
    if !(2..=8).contains(&side) {
        return None;
    }
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&ORIENTATION.to_le_bytes());
    // One SHORT.
    exif.extend_from_slice(&[3, 0, 1, 0, 0, 0]);
    exif.extend_from_slice(&u32::from(side).to_le_bytes());
    exif.extend_from_slice(&[0; 4]);
    Some(exif)
}

/// Segments up to the first scan (ITU-T T.81, annex B), then scans and what lies between them.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xff, 0xd8];
    let mut at = 2;
    let mut side = None;
    let mut scanning = false;
    loop {
        let marker = next_marker(bytes, at)?;
        if scanning {
            // What was compressed, restart markers among it.
            out.extend_from_slice(&bytes[at..marker]);
        }
        let code = bytes[marker + 1];
        at = marker + 2;
        match code {
            // The end: what lies behind it is no picture.
            0xd9 => {
                out.extend_from_slice(&[0xff, 0xd9]);
                break;
            }
            0xd0..=0xd7 => {
                out.extend_from_slice(&[0xff, code]);
                continue;
            }
            0x01 => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let body = bytes.get(at + 2..at + length.max(2))?;
        at += length.max(2);
        scanning = code == 0xda;
        let stays = match code {
            0xe0 => body.starts_with(b"JFIF\0"),
            0xe2 => body.starts_with(b"ICC_PROFILE\0"),
            // How colours are coded.
            0xee => body.starts_with(b"Adobe"),
            0xe1 => {
                if let Some(tiff) = body.strip_prefix(b"Exif\0\0".as_slice()) {
                    side = side.or_else(|| orientation_only(tiff));
                }
                false
            }
            0xe3..=0xfe => false,
            _ => true,
        };
        if stays {
            out.extend_from_slice(&bytes[marker..at]);
        }
    }
    if let Some(exif) = side {
        let mut segment = vec![0xff, 0xe1];
        segment.extend_from_slice(&u16::try_from(exif.len() + 8).ok()?.to_be_bytes());
        segment.extend_from_slice(b"Exif\0\0");
        segment.extend_from_slice(&exif);
        out.splice(2..2, segment);
    }
    Some(out)
}

/// Chunks that a picture looks different without (PNG, third edition, section 11).
const PNG_CHUNKS: [&[u8; 4]; 18] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT",
    b"bKGD", b"pHYs", b"hIST", b"acTL", b"fcTL", b"fdAT", b"mDCV",
];

fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..8)?.to_vec();
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let kind: &[u8; 4] = bytes.get(at + 4..at + 8)?.try_into().ok()?;
        let end = at.checked_add(12)?.checked_add(length)?;
        let chunk = bytes.get(at..end)?;
        if PNG_CHUNKS.contains(&kind) {
            out.extend_from_slice(chunk);
        } else if kind == b"eXIf"
            && let Some(exif) = orientation_only(&chunk[8..8 + length])
        {
            out.extend_from_slice(&png_chunk(*b"eXIf", &exif));
        }
        if kind == b"IEND" {
            return Some(out);
        }
        at = end;
    }
}

fn png_chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(body.len()).unwrap_or(0).to_be_bytes().to_vec();
    chunk.extend_from_slice(&kind);
    chunk.extend_from_slice(body);
    let mut crc = flate2::Crc::new();
    crc.update(&chunk[4..]);
    chunk.extend_from_slice(&crc.sum().to_be_bytes());
    chunk
}

/// Chunks of WebP that are the picture (RFC 9649, section 2.7).
const WEBP_CHUNKS: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
/// In the flags of an extended file: there is EXIF, there is XMP.
const WEBP_EXIF: u8 = 0x08;
const WEBP_XMP: u8 = 0x04;

fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let whole = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let bytes = bytes.get(..whole.checked_add(8)?)?;
    let mut out = bytes.get(..12)?.to_vec();
    let (mut at, mut flags, mut side) = (12, None, None);
    while at < bytes.len() {
        let kind: &[u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        let body = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        // A chunk of odd length is followed by a zero.
        let end = (at + 8 + length + (length & 1)).min(bytes.len());
        if WEBP_CHUNKS.contains(&kind) {
            if kind == b"VP8X" {
                flags = Some(out.len() + 8);
            }
            out.extend_from_slice(&bytes[at..end]);
        } else if kind == b"EXIF" {
            side = orientation_only(body.strip_prefix(b"Exif\0\0".as_slice()).unwrap_or(body));
        }
        at = end;
    }
    if let Some(flags) = flags {
        *out.get_mut(flags)? &= !(WEBP_EXIF | WEBP_XMP);
        if let Some(exif) = side {
            out[flags] |= WEBP_EXIF;
            out.extend_from_slice(b"EXIF");
            out.extend_from_slice(&u32::try_from(exif.len()).ok()?.to_le_bytes());
            out.extend_from_slice(&exif);
            out.extend(std::iter::repeat_n(0, exif.len() & 1));
        }
    }
    let length = u32::try_from(out.len() - 8).ok()?;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Some(out)
}

/// Blocks of GIF89a: pictures, what controls them, and how often they are repeated.
fn gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3_usize << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut out = bytes.get(..at)?.to_vec();
    loop {
        let start = at;
        match *bytes.get(at)? {
            b';' => {
                out.push(b';');
                return Some(out);
            }
            b',' => {
                at = after_blocks(bytes, at + 11 + table(*bytes.get(at + 9)?))?;
                out.extend_from_slice(&bytes[start..at]);
            }
            b'!' => {
                let label = *bytes.get(at + 1)?;
                at = after_blocks(bytes, at + 2)?;
                let block = &bytes[start..at];
                let repeats =
                    block.get(3..14).is_some_and(|name| name == b"NETSCAPE2.0" || name == b"ANIMEXTS1.0");
                if label == 0xf9 || label == 0xff && repeats {
                    out.extend_from_slice(block);
                }
            }
            // Padding between blocks.
            0 => at += 1,
            _ => return None,
        }
    }
}

/// Where blocks end that have their length before each.
fn after_blocks(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length => at += 1 + length,
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::*;

    fn picture(format: ImageFormat) -> Vec<u8> {
        let picture =
            RgbImage::from_fn(17, 11, |x, y| image::Rgb([(x * 15) as u8, (y * 23) as u8, (x * y) as u8]));
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(picture).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// EXIF with an artist, and the side that is up where one is given.
    fn exif(side: Option<u16>) -> Vec<u8> {
        let name = b"Perpetua Exampleton\0";
        let count = 1 + u16::from(side.is_some());
        let after = 8 + 2 + 12 * u32::from(count) + 4;
        let mut tiff = b"MM\0*\0\0\0\x08".to_vec();
        tiff.extend_from_slice(&count.to_be_bytes());
        if let Some(side) = side {
            tiff.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1]);
            tiff.extend_from_slice(&side.to_be_bytes());
            tiff.extend_from_slice(&[0, 0]);
        }
        tiff.extend_from_slice(&[0x01, 0x3b, 0, 2, 0, 0, 0, name.len() as u8]);
        tiff.extend_from_slice(&after.to_be_bytes());
        tiff.extend_from_slice(&[0; 4]);
        tiff.extend_from_slice(name);
        tiff
    }

    fn names(bytes: &[u8]) -> bool {
        memchr::memmem::find(bytes, b"Perpetua").is_some()
    }

    fn with_jpeg_segments(mut jpeg: Vec<u8>, segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
        for (code, body) in segments {
            let mut segment = vec![0xff, *code];
            segment.extend_from_slice(&(body.len() as u16 + 2).to_be_bytes());
            segment.extend_from_slice(body);
            jpeg.splice(2..2, segment);
        }
        jpeg.extend_from_slice(b"behind the end: Perpetua");
        jpeg
    }

    #[test]
    fn a_jpeg_keeps_its_pixels_its_colours_and_its_side() {
        let plain = picture(ImageFormat::Jpeg);
        let exif_of = |side| [b"Exif\0\0".to_vec(), exif(side)].concat();
        let written = with_jpeg_segments(
            plain.clone(),
            &[
                (0xfe, b"by Perpetua".to_vec()),
                (0xe1, b"http://ns.adobe.com/xap/1.0/\0<x>Perpetua</x>".to_vec()),
                (0xed, b"Photoshop 3.0\0Perpetua".to_vec()),
                (0xe2, b"ICC_PROFILE\0\x01\x01colours".to_vec()),
                (0xe1, exif_of(Some(6))),
            ],
        );
        assert!(names(&written));
        let left = stripped(&written).unwrap();
        assert!(!names(&left));
        assert!(memchr::memmem::find(&left, b"ICC_PROFILE").is_some());
        assert_eq!(orientation_only(&left[12..]).as_deref(), Some(&left[12..38]), "the side is told, alone");
        assert_eq!(same_pixels(&written, &left), Some(true));
        assert_eq!(stripped(&left).as_deref(), Some(&left[..]), "nothing more goes");
        let upright = stripped(&with_jpeg_segments(plain, &[(0xe1, exif_of(Some(1)))])).unwrap();
        assert!(memchr::memmem::find(&upright, b"Exif").is_none());
    }

    #[test]
    fn a_png_keeps_its_pixels_and_its_side() {
        let plain = picture(ImageFormat::Png);
        let end = plain.len() - 12;
        let mut written = plain[..end].to_vec();
        written.extend(png_chunk(*b"tEXt", b"Author\0Perpetua"));
        written.extend(png_chunk(*b"prIv", b"Perpetua"));
        written.extend(png_chunk(*b"eXIf", &exif(Some(3))));
        written.extend_from_slice(&plain[end..]);
        written.extend_from_slice(b"Perpetua");
        let left = stripped(&written).unwrap();
        assert!(!names(&left) && memchr::memmem::find(&left, b"eXIf").is_some());
        assert_eq!(same_pixels(&written, &left), Some(true));
        assert_eq!(stripped(&plain).unwrap(), plain, "without metadata it stays to the byte");
    }

    #[test]
    fn a_webp_keeps_its_pixels_and_its_flags_are_true() {
        let plain = picture(ImageFormat::WebP);
        let chunk = |kind: &[u8; 4], body: &[u8]| {
            let mut chunk = kind.to_vec();
            chunk.extend_from_slice(&(body.len() as u32).to_le_bytes());
            chunk.extend_from_slice(body);
            chunk.extend(std::iter::repeat_n(0, body.len() & 1));
            chunk
        };
        let mut written = plain[..12].to_vec();
        written.extend(chunk(b"VP8X", &[WEBP_EXIF | WEBP_XMP, 0, 0, 0, 16, 0, 0, 10, 0, 0]));
        written.extend_from_slice(&plain[12..]);
        written.extend(chunk(b"EXIF", &exif(Some(8))));
        written.extend(chunk(b"XMP ", b"<x>Perpetua</x>"));
        let length = written.len() as u32 - 8;
        written[4..8].copy_from_slice(&length.to_le_bytes());
        let left = stripped(&written).unwrap();
        assert!(!names(&left));
        assert_eq!(left[20], WEBP_EXIF, "the side is told");
        assert_eq!(left.len() as u32 - 8, u32::from_le_bytes(left[4..8].try_into().unwrap()));
        assert_eq!(same_pixels(&written, &left), Some(true));
    }

    #[test]
    fn a_gif_keeps_its_pictures_and_its_repetition() {
        let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        let repeats = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
        let pixels = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0";
        gif.extend_from_slice(repeats);
        gif.extend_from_slice(b"!\xfe\x08Perpetua\0");
        gif.extend_from_slice(b"!\xff\x0bXMP DataXMP\x08Perpetua\0");
        gif.extend_from_slice(pixels);
        gif.extend_from_slice(b";Perpetua");
        let left = stripped(&gif).unwrap();
        assert!(!names(&left));
        for kept in [&repeats[..], &pixels[..]] {
            assert!(memchr::memmem::find(&left, kept).is_some());
        }
        assert!(left.ends_with(b";"));
    }

    proptest::proptest! {
        #[test]
        fn damaged_pictures_are_refused_or_stripped_and_nothing_else(
            at in 0_usize..400, byte in proptest::prelude::any::<u8>(), cut in 0_usize..600,
        ) {
            for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
                let mut bytes = picture(format);
                let at = at % bytes.len();
                bytes[at] = byte;
                drop(stripped(&bytes));
                bytes.truncate(cut.min(bytes.len()));
                drop(stripped(&bytes));
            }
        }
    }
}
