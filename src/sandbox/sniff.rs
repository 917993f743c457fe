//! What a file is, by its first bytes: the media library says so of what is uploaded.
//!
//! Only what the listing shows is read: the kind, and the size of pictures in pixels. Whatever the
//! bytes are, reading them is bounded and ends.

use crate::contentapi::files::content_type;

/// Bytes of a file that are looked at: metadata before the size of a JPEG are seldom longer.
const LOOKED_AT: usize = 1 << 20;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sniffed {
    /// `image`, `audio`, `video`, `document`.
    pub(super) kind: &'static str,
    /// Width and height in pixels, of pictures that say so.
    pub(super) size: Option<(u32, u32)>,
    /// Whether it is a drawing, which Prismic serves as a file and not as a picture.
    pub(super) is_svg: bool,
}

/// Looks at a file; its name decides where its bytes do not.
pub(super) fn sniff(bytes: &[u8], filename: &str) -> Sniffed {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    let image = |size| Sniffed { kind: "image", size, is_svg: false };
    let other = |kind| Sniffed { kind, size: None, is_svg: false };
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => image(pair(bytes, 16, 4, u32_be)),
        [0xff, 0xd8, 0xff, ..] => image(jpeg_size(bytes)),
        [b'G', b'I', b'F', b'8', ..] => image(pair(bytes, 6, 2, u16_le)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => image(webp_size(bytes)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => other("audio"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => image(None),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [0x1a, 0x45, 0xdf, 0xa3, ..] => other("video"),
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] | [b'O', b'g', b'g', b'S', ..] => {
            other("audio")
        }
        [b'%', b'P', b'D', b'F', ..] => other("document"),
        _ => svg(bytes).unwrap_or_else(|| {
            other(match content_type(filename).split('/').next() {
                Some("audio") => "audio",
                Some("video") => "video",
                Some("image") => "image",
                _ => "document",
            })
        }),
    }
}

type Number = fn(&[u8], usize) -> Option<u32>;

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn pair(bytes: &[u8], at: usize, step: usize, number: Number) -> Option<(u32, u32)> {
    Some((number(bytes, at)?, number(bytes, at + step)?)).filter(|(first, second)| *first > 0 && *second > 0)
}

/// Goes from marker to marker until one says how large the picture is (ITU T.81, annex B).
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        if bytes[at] != 0xff {
            return None;
        }
        match marker {
            0xff => at += 1,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let (height, width) = pair(bytes, at + 5, 2, u16_be)?;
                return Some((width, height));
            }
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 | 0xda => return None,
            _ => at += 2 + usize::try_from(u16_be(bytes, at + 2)?.max(2)).ok()?,
        }
    }
}

/// The three forms of WebP (RFC 9649).
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8X" => {
            let side = |at: usize| {
                let three = bytes.get(at..at + 3)?;
                Some(u32::from_le_bytes([three[0], three[1], three[2], 0]) + 1)
            };
            Some((side(24)?, side(27)?))
        }
        b"VP8 " => pair(bytes, 26, 2, u16_le).map(|(width, height)| (width & 0x3fff, height & 0x3fff)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(bytes.get(21..25)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        _ => None,
    }
}

/// A drawing: an element `svg` near the beginning of a text.
fn svg(bytes: &[u8]) -> Option<Sniffed> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let begin = text.find("<svg")?;
    let element = text[begin..].split('>').next()?;
    let attribute = |name: &str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()
    };
    let pixels = |text: &str| text.trim_end_matches("px").parse::<u32>().ok().filter(|side| *side > 0);
    let given = attribute("width").and_then(pixels).zip(attribute("height").and_then(pixels));
    let of_box = || {
        let mut sides = attribute("viewBox")?.split([' ', ',']).filter(|part| !part.is_empty()).skip(2);
        Some((pixels(sides.next()?)?, pixels(sides.next()?)?))
    };
    Some(Sniffed { kind: "image", size: given.or_else(of_box), is_svg: true })
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{FileFormat, GeneratedFile};
    use super::*;

    #[test]
    fn pictures_tell_their_size() {
        for format in [FileFormat::Png, FileFormat::Jpeg, FileFormat::Svg] {
            let file = GeneratedFile { seed: 1, format, width: 640, height: 480, len: 2000 };
            let sniffed = sniff(&file.read(0..2000), "x");
            assert_eq!((sniffed.kind, sniffed.size), ("image", Some((640, 480))), "{format:?}");
            assert_eq!(sniffed.is_svg, format == FileFormat::Svg);
        }
        let gif = b"GIF89a\x03\x00\x02\x00rest";
        assert_eq!(sniff(gif, "x").size, Some((3, 2)));
        let vp8x = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x02\0\0\x01\0\0";
        assert_eq!(sniff(vp8x, "x").size, Some((3, 2)));
        let vp8l =
            [b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f".as_slice(), &(2_u32 | 1 << 14).to_le_bytes()].concat();
        assert_eq!(sniff(&vp8l, "x").size, Some((3, 2)));
        let plain = br#"<?xml version="1.0"?><svg width="20px" height="10" viewBox="0 0 1 1"/>"#;
        assert_eq!(sniff(plain, "x").size, Some((20, 10)));
    }

    #[test]
    fn files_are_told_apart_by_their_bytes_then_by_their_name() {
        for (bytes, name, expected) in [
            (b"%PDF-1.4".as_slice(), "x.png", "document"),
            (b"\0\0\0\x18ftypmp42", "x", "video"),
            (b"\x1a\x45\xdf\xa3", "x", "video"),
            (b"ID3\x04", "x", "audio"),
            (b"RIFF\0\0\0\0WAVEfmt ", "x", "audio"),
            (b"nothing", "x.mp3", "audio"),
            (b"nothing", "x.txt", "document"),
            (b"", "x", "document"),
        ] {
            assert_eq!(sniff(bytes, name).kind, expected, "{name}");
        }
    }

    #[test]
    fn cut_and_hostile_pictures_have_no_size() {
        let wholes: [&[u8]; 4] = [
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x48\0\x48\0\0\xff\xc0\0\x11\x08\0\x01\0\x01",
            b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x01\0\x01\0",
            b"<svg width=\"1\" height=\"1\">",
        ];
        for whole in wholes {
            for len in 0..whole.len() {
                sniff(&whole[..len], "x");
            }
            assert_eq!(sniff(whole, "x").kind, "image");
        }
        for bytes in
            [b"\xff\xd8\xff\xe0\0\0".as_slice(), b"\xff\xd8\xff\xff\xff\xff", b"\xff\xd8\xff\xe0\xff\xff"]
        {
            assert_eq!(sniff(bytes, "x").size, None);
        }
    }
}
