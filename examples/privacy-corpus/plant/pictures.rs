//! Places in pictures.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use prismvault::privacy::passage::Channel as C;

use super::{Place, Takes, file, latin1, plain, utf16_be, utf16_le, xmp, zlib};

fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 30, y as u8 * 30, 90]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a small picture");
    bytes.into_inner()
}

/// A JPEG with a segment behind its first marker.
pub(crate) fn jpeg(marker: u8, body: &[u8]) -> Vec<u8> {
    let picture = encoded(ImageFormat::Jpeg);
    let length = u16::try_from(body.len() + 2).expect("a segment");
    [&picture[..2], &[0xff, marker], &length.to_be_bytes(), body, &picture[2..]].concat()
}

/// A PNG with a chunk before its pixels.
pub(crate) fn png(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let picture = encoded(ImageFormat::Png);
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(body);
    let length = u32::try_from(body.len()).expect("a chunk");
    // Signature and header are 33 bytes.
    let chunk = [&length.to_be_bytes()[..], kind, body, &crc.sum().to_be_bytes()].concat();
    [&picture[..33], &chunk, &picture[33..]].concat()
}

/// A lossless WebP in its extended form, with a chunk behind its pixels.
fn webp(kind: &[u8; 4], flag: u8, body: &[u8]) -> Vec<u8> {
    let picture = encoded(ImageFormat::WebP);
    let chunk = |kind: &[u8], body: &[u8]| {
        let length = u32::try_from(body.len()).expect("a chunk").to_le_bytes();
        [kind, &length, body, &[0][..body.len() % 2]].concat()
    };
    let header = chunk(b"VP8X", &[flag, 0, 0, 0, 7, 0, 0, 7, 0, 0]);
    let all = [b"WEBP", &header[..], &picture[12..], &chunk(kind, body)].concat();
    [b"RIFF", &u32::try_from(all.len()).expect("small").to_le_bytes()[..], &all].concat()
}

/// A GIF of one pixel with a block of extension.
fn gif(label: u8, body: &[u8]) -> Vec<u8> {
    let blocks: Vec<u8> =
        body.chunks(255).flat_map(|block| [&[block.len() as u8][..], block].concat()).collect();
    [
        &b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!"[..],
        &[label],
        &blocks,
        b"\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
    ]
    .concat()
}

/// One tag: number, format, value.
type Tag = (u16, u16, Vec<u8>);

/// EXIF with tags of the picture itself, of its `Exif` directory, and of its position.
pub(crate) fn exif(image: &[Tag], inner: &[Tag], gps: &[Tag]) -> Vec<u8> {
    let mut image = image.to_vec();
    for (number, tags) in [(0x8769, inner), (0x8825, gps)] {
        if !tags.is_empty() {
            image.push((number, 4, vec![0; 4]));
        }
    }
    let mut start = 8 + size_of(&image);
    for (number, tags) in [(0x8769, inner), (0x8825, gps)] {
        for tag in image.iter_mut().filter(|tag| tag.0 == number) {
            tag.2 = u32::try_from(start).expect("small").to_be_bytes().to_vec();
            start += size_of(tags);
        }
    }
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec();
    for tags in [&image[..], inner, gps] {
        if !tags.is_empty() {
            directory(&mut out, tags);
        }
    }
    out
}

/// Bytes of a directory with its values.
fn size_of(tags: &[Tag]) -> usize {
    2 + tags.iter().map(|tag| 12 + if tag.2.len() > 4 { tag.2.len() } else { 0 }).sum::<usize>() + 4
}

/// Writes a directory and the values behind it.
fn directory(out: &mut Vec<u8>, tags: &[Tag]) {
    let mut next_value = out.len() + 2 + tags.len() * 12 + 4;
    let mut behind = Vec::<u8>::new();
    out.extend((tags.len() as u16).to_be_bytes());
    for (number, format, value) in tags {
        let size = match format {
            5 => 8,
            4 => 4,
            _ => 1,
        };
        out.extend(number.to_be_bytes());
        out.extend(format.to_be_bytes());
        out.extend(((value.len() / size) as u32).to_be_bytes());
        if value.len() <= 4 {
            let mut short = value.clone();
            short.resize(4, 0);
            out.extend(short);
        } else {
            out.extend((next_value as u32).to_be_bytes());
            behind.extend(value);
            next_value += value.len();
        }
    }
    out.extend([0; 4]);
    out.extend(behind);
}

/// A rational in degrees, minutes and seconds, to a thousandth of a second.
fn degrees(text: &str) -> Vec<u8> {
    let value = text.trim_start_matches('-').parse::<f64>().expect("a number");
    let (whole, minutes) = (value.trunc(), (value.fract() * 60.0).trunc());
    let seconds = ((value - whole - minutes / 60.0) * 3_600_000.0).round();
    [(whole, 1_u32), (minutes, 1), (seconds, 1000)]
        .into_iter()
        .flat_map(|(over, under)| [(over as u32).to_be_bytes(), under.to_be_bytes()].concat())
        .collect()
}

fn position(text: &str) -> Vec<u8> {
    let (latitude, longitude) = text.split_once(',').expect("two numbers");
    let letter = |text: &str, letters: [u8; 2]| vec![letters[usize::from(text.starts_with('-'))], 0];
    exif(
        &[],
        &[],
        &[
            (1, 2, letter(latitude, [b'N', b'S'])),
            (2, 5, degrees(latitude)),
            (3, 2, letter(longitude, [b'E', b'W'])),
            (4, 5, degrees(longitude)),
        ],
    )
}

fn zero_ended(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

fn with_exif(tiff: &[u8]) -> Vec<u8> {
    jpeg(0xe1, &[b"Exif\0\0", tiff].concat())
}

fn iptc(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
    [&[0x1c, record, number][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn with_iptc(records: &[u8]) -> Vec<u8> {
    let block =
        [b"8BIM\x04\x04\0\0", &(records.len() as u32).to_be_bytes()[..], records, &[0][..records.len() % 2]];
    jpeg(0xed, &[b"Photoshop 3.0\0", &block.concat()[..]].concat())
}

fn with_xmp(packet: &str) -> Vec<u8> {
    jpeg(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat())
}

/// A file of boxes with one item of metadata, as HEIC and AVIF have it.
fn boxes(brand: &[u8; 4], item: &[u8; 4], content_type: &[u8], body: &[u8]) -> Vec<u8> {
    let boxed =
        |kind: &[u8], body: &[u8]| [&((body.len() + 8) as u32).to_be_bytes()[..], kind, body].concat();
    let head = boxed(b"ftyp", &[brand, &b"\0\0\0\0mif1"[..]].concat());
    let entry = boxed(b"infe", &[&[2, 0, 0, 0, 0, 1, 0, 0][..], item, b"\0", content_type].concat());
    let kinds = boxed(b"iinf", &[&[0, 0, 0, 0, 0, 1][..], &entry].concat());
    let meta = |offset: u32| {
        let place = [&offset.to_be_bytes()[..], &(body.len() as u32).to_be_bytes()].concat();
        let places = boxed(b"iloc", &[&[0, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1][..], &place].concat());
        boxed(b"meta", &[&[0, 0, 0, 0][..], &kinds, &places].concat())
    };
    let offset = head.len() + meta(0).len() + 8;
    [head, meta(offset as u32), boxed(b"mdat", body)].concat()
}

fn with_comment(text: &str) -> Vec<u8> {
    let comment = [&b"UNICODE\0"[..], &utf16_be(text)].concat();
    with_exif(&exif(&[], &[(0x9286, 7, comment)], &[]))
}

fn tag(number: u16, value: Vec<u8>) -> Vec<u8> {
    exif(&[(number, 2, value)], &[], &[])
}

fn international(is_packed: u8, keyword: &str, text: &[u8]) -> Vec<u8> {
    png(b"iTXt", &[keyword.as_bytes(), &[0, is_packed, 0, 0, 0], text].concat())
}

pub(super) const PLACES: &[Place] = &[
    file("jpeg.exif_artist", C::Exif, "a.jpg", Takes::Text, |t| {
        plain(with_exif(&tag(0x013b, zero_ended(t))), t)
    }),
    file("jpeg.exif_latin1", C::Exif, "a.jpg", Takes::Latin1, |t| {
        plain(with_exif(&tag(0x8298, [latin1(t), vec![0]].concat())), t)
    }),
    file("jpeg.exif_xp_author", C::Exif, "a.jpg", Takes::Text, |t| {
        plain(with_exif(&exif(&[(0x9c9d, 1, [utf16_le(t), vec![0, 0]].concat())], &[], &[])), t)
    }),
    file("jpeg.exif_user_comment", C::Exif, "a.jpg", Takes::Text, |t| plain(with_comment(t), t)),
    file("jpeg.exif_owner", C::Exif, "a.jpg", Takes::Text, |t| {
        plain(with_exif(&exif(&[], &[(0xa430, 2, zero_ended(t))], &[])), t)
    }),
    file("jpeg.exif_maker_note", C::Exif, "a.jpg", Takes::Latin1, |t| {
        plain(
            with_exif(&exif(
                &[],
                &[(0x927c, 7, [b"Maker\0\x01\x02", t.as_bytes(), b"\0\x05"].concat())],
                &[],
            )),
            t,
        )
    }),
    file("jpeg.exif_position", C::GeoPoint, "a.jpg", Takes::Position, |t| plain(with_exif(&position(t)), t)),
    file("jpeg.iptc_by_line", C::Iptc, "a.jpg", Takes::Text, |t| {
        plain(with_iptc(&[iptc(1, 90, b"\x1b%G"), iptc(2, 80, t.as_bytes())].concat()), t)
    }),
    file("jpeg.iptc_latin1", C::Iptc, "a.jpg", Takes::Latin1, |t| {
        plain(with_iptc(&iptc(2, 120, &latin1(t))), t)
    }),
    file("jpeg.xmp_creator", C::Xmp, "a.jpg", Takes::Text, |t| plain(with_xmp(&xmp(t, "")), t)),
    file("jpeg.xmp_attribute", C::Xmp, "a.jpg", Takes::Text, |t| plain(with_xmp(&xmp("", t)), t)),
    file("jpeg.comment", C::ImageText, "a.jpg", Takes::Text, |t| plain(jpeg(0xfe, t.as_bytes()), t)),
    file("png.text", C::ImageText, "a.png", Takes::Latin1, |t| {
        plain(png(b"tEXt", &[b"Author\0", &latin1(t)[..]].concat()), t)
    }),
    file("png.packed_text", C::ImageText, "a.png", Takes::Latin1, |t| {
        plain(png(b"zTXt", &[b"Author\0\0", &zlib(&latin1(t))[..]].concat()), t)
    }),
    file("png.international", C::ImageText, "a.png", Takes::Text, |t| {
        plain(international(0, "Author", t.as_bytes()), t)
    }),
    file("png.packed_international", C::ImageText, "a.png", Takes::Text, |t| {
        plain(international(1, "Author", &zlib(t.as_bytes())), t)
    }),
    file("png.exif", C::Exif, "a.png", Takes::Text, |t| plain(png(b"eXIf", &tag(0x013b, zero_ended(t))), t)),
    file("png.xmp", C::Xmp, "a.png", Takes::Text, |t| {
        plain(international(0, "XML:com.adobe.xmp", xmp(t, "").as_bytes()), t)
    }),
    file("png.raw_profile", C::Iptc, "a.png", Takes::Text, |t| {
        let profile = iptc(2, 80, t.as_bytes());
        let digits: String = profile.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("\niptc\n{:8}\n{digits}\n", profile.len());
        plain(png(b"zTXt", &[b"Raw profile type iptc\0\0", &zlib(text.as_bytes())[..]].concat()), t)
    }),
    file("gif.comment", C::ImageText, "a.gif", Takes::Text, |t| plain(gif(0xfe, t.as_bytes()), t)),
    file("webp.exif", C::Exif, "a.webp", Takes::Text, |t| {
        plain(webp(b"EXIF", 8, &tag(0x013b, zero_ended(t))), t)
    }),
    file("webp.xmp", C::Xmp, "a.webp", Takes::Text, |t| plain(webp(b"XMP ", 4, xmp(t, "").as_bytes()), t)),
    file("tiff.artist", C::Exif, "a.tiff", Takes::Text, |t| plain(tag(0x013b, zero_ended(t)), t)),
    file("tiff.iptc", C::Iptc, "a.tiff", Takes::Text, |t| {
        plain(exif(&[(0x83bb, 7, iptc(2, 80, t.as_bytes()))], &[], &[]), t)
    }),
    file("tiff.xmp", C::Xmp, "a.tiff", Takes::Text, |t| {
        plain(exif(&[(0x02bc, 1, xmp(t, "").into_bytes())], &[], &[]), t)
    }),
    file("heic.exif", C::Exif, "a.heic", Takes::Text, |t| {
        let body = [&[0, 0, 0, 6][..], b"Exif\0\0", &tag(0x013b, zero_ended(t))].concat();
        plain(boxes(b"heic", b"Exif", b"", &body), t)
    }),
    file("avif.xmp", C::Xmp, "a.avif", Takes::Text, |t| {
        plain(boxes(b"avif", b"mime", b"application/rdf+xml\0", xmp(t, "").as_bytes()), t)
    }),
];
