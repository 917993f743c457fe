//! EXIF: directories of tags in the form of TIFF (CIPA DC-008, TIFF 6.0), as they lie in JPEG, PNG, WebP,
//! HEIC, AVIF and TIFF itself.
//!
//! Values are looked at where they lie and never copied by their count, so that a tag that claims four
//! thousand million values costs nothing. Each directory is read once, wherever it is referred to from.

use std::collections::HashSet;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::Bytes;
use super::encodings::{macintosh, runs, utf8_or_latin1, utf16, utf16_in_doubt};
use super::{iptc, photoshop, xmp};

/// Directories of one file. Cameras write five; a TIFF has one a page.
const DIRECTORIES_MAX: usize = 1_000;

/// Reads EXIF, with or without the words `Exif` and two zeros before it.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let bytes = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
    let big_endian = match bytes {
        [b'I', b'I', 42, 0, ..] => false,
        [b'M', b'M', 0, 42, ..] => true,
        _ => {
            for (_, text) in runs(bytes) {
                desk.hand_out(Channel::Exif, "Exif", 0, &text)?;
            }
            return Err(Stop::Part(Reason::Damaged));
        }
    };
    let tiff = Bytes { all: bytes, big_endian };
    let mut reader =
        Directories { tiff, seen: HashSet::new(), waiting: Vec::new(), group: desk.group(), damaged: false };
    reader.wait_for(tiff.place(4), Directory::Image);
    while let Some((at, directory)) = reader.waiting.pop() {
        reader.read_directory(desk, at, directory)?;
    }
    if reader.damaged { Err(Stop::Part(Reason::Damaged)) } else { Ok(()) }
}

/// What kind of directory tags stand in: the same number means other things in others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directory {
    Image,
    Gps,
}

struct Directories<'a> {
    tiff: Bytes<'a>,
    seen: HashSet<usize>,
    waiting: Vec<(usize, Directory)>,
    group: u32,
    damaged: bool,
}

/// A tag whose value is there.
struct Tag<'a> {
    number: u16,
    format: u16,
    value: &'a [u8],
}

/// Bytes of one value of a format; `None` for a format that there is not.
fn size_of(format: u16) -> Option<usize> {
    Some(match format {
        1 | 2 | 6 | 7 | 129 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => return None,
    })
}

impl<'a> Directories<'a> {
    fn wait_for(&mut self, at: Option<usize>, directory: Directory) {
        match at {
            None => self.damaged = true,
            Some(at) if self.seen.len() >= DIRECTORIES_MAX => self.damaged |= !self.seen.contains(&at),
            Some(at) => {
                if self.seen.insert(at) {
                    self.waiting.push((at, directory));
                }
            }
        }
    }

    fn read_directory(&mut self, desk: &mut Desk<'_>, at: usize, directory: Directory) -> Outcome {
        let Some(count) = self.tiff.u16(at) else {
            self.damaged = true;
            return Ok(());
        };
        let mut gps = GpsPosition::default();
        let mut entry = at + 2;
        for _ in 0..count {
            desk.tick()?;
            match self.tag(entry) {
                Some(tag) if directory == Directory::Gps => self.gps_tag(desk, &tag, &mut gps)?,
                Some(tag) => self.image_tag(desk, &tag)?,
                None => self.damaged = true,
            }
            if entry >= self.tiff.all.len() {
                break;
            }
            entry += 12;
        }
        if let Some(position) = gps.decimal() {
            desk.hand_out(Channel::GeoPoint, "Exif/GPSPosition", self.group, &position)?;
        }
        // The next directory: a thumbnail, or the next page.
        match self.tiff.place(entry) {
            Some(0) | None => {}
            next => self.wait_for(next, directory),
        }
        Ok(())
    }

    /// The tag of an entry. The value of one that ends too early is what there is of it.
    fn tag(&mut self, entry: usize) -> Option<Tag<'a>> {
        let (number, format) = (self.tiff.u16(entry)?, self.tiff.u16(entry + 2)?);
        let count = self.tiff.place(entry + 4)?;
        let length = size_of(format)?.checked_mul(count)?;
        let at = if length <= 4 { entry + 8 } else { self.tiff.place(entry + 8)? };
        let value = self.tiff.all.get(at..)?;
        self.damaged |= value.len() < length;
        Some(Tag { number, format, value: &value[..length.min(value.len())] })
    }

    fn image_tag(&mut self, desk: &mut Desk<'_>, tag: &Tag<'a>) -> Outcome {
        let directory = Bytes { all: tag.value, ..self.tiff };
        match tag.number {
            0x8769 | 0xa005 => self.wait_for(directory.place(0), Directory::Image),
            0x8825 => self.wait_for(directory.place(0), Directory::Gps),
            0x014a => {
                for at in (0..tag.value.len()).step_by(4).take(DIRECTORIES_MAX) {
                    self.wait_for(directory.place(at), Directory::Image);
                }
            }
            0x02bc => {
                let read = xmp::read(desk, tag.value);
                desk.settle("Xmp", read)?;
            }
            0x83bb => {
                let read = iptc::read(desk, tag.value);
                desk.settle("Iptc", read)?;
            }
            0x8649 => photoshop::read(desk, tag.value)?,
            0x9c9b..=0x9c9f => {
                let text = utf16(tag.value, false);
                self.text(desk, tag, text.trim_end_matches('\0'))?;
            }
            0x9286 | 0x001b | 0x001c => self.coded(desk, tag)?,
            _ if tag.format == 2 || tag.format == 129 => self.ascii(desk, tag)?,
            // Notes of the maker, and data of programs: texts in them, if any. What is small is numbers.
            _ if matches!(tag.format, 1 | 7) && tag.value.len() > 4 && !is_picture(tag.number) => {
                for (_, text) in runs(tag.value) {
                    self.text(desk, tag, &text)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn gps_tag(&mut self, desk: &mut Desk<'_>, tag: &Tag<'a>, gps: &mut GpsPosition) -> Outcome {
        match tag.number {
            1 | 3 => {
                let sign =
                    tag.value.first().is_some_and(|letter| matches!(letter, b'S' | b's' | b'W' | b'w'));
                *(if tag.number == 1 { &mut gps.south } else { &mut gps.west }) = sign;
                Ok(())
            }
            2 => {
                gps.latitude = self.degrees(tag);
                Ok(())
            }
            4 => {
                gps.longitude = self.degrees(tag);
                Ok(())
            }
            _ => self.image_tag(desk, tag),
        }
    }

    /// Degrees, minutes and seconds, each as a fraction.
    fn degrees(&self, tag: &Tag<'a>) -> Option<f64> {
        let values = Bytes { all: tag.value, ..self.tiff };
        let part = |index: usize| {
            let (over, under) = (values.u32(index * 8)?, values.u32(index * 8 + 4)?);
            (under != 0).then(|| f64::from(over) / f64::from(under))
        };
        Some(part(0)? + part(1).unwrap_or(0.0) / 60.0 + part(2).unwrap_or(0.0) / 3600.0)
    }

    /// ASCII in the standard, in truth UTF-8 or Latin-1; several texts have zeros between them.
    fn ascii(&self, desk: &mut Desk<'_>, tag: &Tag<'_>) -> Outcome {
        for text in tag.value.split(|byte| *byte == 0).filter(|text| !text.is_empty()) {
            self.text(desk, tag, &utf8_or_latin1(text))?;
            if let Some(text) = macintosh(text) {
                self.text(desk, tag, &text)?;
            }
        }
        Ok(())
    }

    /// A text after eight bytes that name its encoding.
    fn coded(&self, desk: &mut Desk<'_>, tag: &Tag<'_>) -> Outcome {
        let (code, text) = tag.value.split_at_checked(8).unwrap_or((&[], tag.value));
        if code == b"UNICODE\0" {
            return utf16_in_doubt(text, self.tiff.big_endian)
                .iter()
                .try_for_each(|text| self.text(desk, tag, text.trim_end_matches('\0')));
        }
        let text = match code {
            // "JIS" is rare and rarely true; what is left is ASCII, UTF-8 or Latin-1.
            b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" | b"JIS\0\0\0\0\0" => utf8_or_latin1(text),
            _ => utf8_or_latin1(tag.value),
        };
        self.text(desk, tag, text.trim_end_matches('\0'))
    }

    fn text(&self, desk: &mut Desk<'_>, tag: &Tag<'_>, text: &str) -> Outcome {
        let place = match name_of(tag.number) {
            Some(name) => format!("Exif/{name}"),
            None => format!("Exif/0x{:04x}", tag.number),
        };
        desk.hand_out(Channel::Exif, &place, self.group, text)
    }
}

#[derive(Default)]
struct GpsPosition {
    latitude: Option<f64>,
    longitude: Option<f64>,
    south: bool,
    west: bool,
}

impl GpsPosition {
    /// `latitude,longitude` in degrees; six places are a tenth of a metre.
    fn decimal(&self) -> Option<String> {
        let signed = |degrees: f64, is_negative: bool| if is_negative { -degrees } else { degrees };
        let (latitude, longitude) = (self.latitude?, self.longitude?);
        Some(format!("{:.6},{:.6}", signed(latitude, self.south), signed(longitude, self.west)))
    }
}

/// Tags that hold colours or pixels.
fn is_picture(number: u16) -> bool {
    matches!(number, 0x0201 | 0x8773 | 0x9214 | 0xa302 | 0x0111 | 0x0144 | 0x015b)
}

fn name_of(number: u16) -> Option<&'static str> {
    Some(match number {
        0x001b => "GPSProcessingMethod",
        0x001c => "GPSAreaInformation",
        0x010d => "DocumentName",
        0x010e => "ImageDescription",
        0x010f => "Make",
        0x0110 => "Model",
        0x011d => "PageName",
        0x0131 => "Software",
        0x0132 => "DateTime",
        0x013b => "Artist",
        0x013c => "HostComputer",
        0x8298 => "Copyright",
        0x9003 => "DateTimeOriginal",
        0x9004 => "DateTimeDigitized",
        0x927c => "MakerNote",
        0x9286 => "UserComment",
        0x9c9b => "XPTitle",
        0x9c9c => "XPComment",
        0x9c9d => "XPAuthor",
        0x9c9e => "XPKeywords",
        0x9c9f => "XPSubject",
        0xa420 => "ImageUniqueID",
        0xa430 => "CameraOwnerName",
        0xa431 => "BodySerialNumber",
        0xa434 => "LensModel",
        0xa435 => "LensSerialNumber",
        0xa436 => "ImageTitle",
        0xa437 => "Photographer",
        0xa438 => "ImageEditor",
        _ => return None,
    })
}
