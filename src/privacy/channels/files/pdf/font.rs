//! Fonts of a PDF, as far as text needs: which characters its bytes are, and how wide.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object};

use super::super::super::desk::{Desk, Outcome, Stop};
use super::cmap::CMap;
use crate::privacy::passage::Reason;

/// Widths of one font that are kept.
const WIDTHS_MAX: usize = 1 << 16;
/// Width of a character of which nothing is known, in thousandths of the font's size.
const WIDTH_UNKNOWN: f64 = 550.0;

/// A font.
pub(super) struct Font<'a> {
    /// What the font says of its codes itself: this goes before what they are called.
    map: Option<CMap>,
    codes: Codes<'a>,
    widths: HashMap<u32, f64>,
    width_default: Option<f64>,
    /// What a width is multiplied with: a thousandth, save in fonts that are drawings.
    scale: f64,
    /// Bytes of one character, where that is fixed.
    pub(super) code_bytes: usize,
}

enum Codes<'a> {
    Pdf(Encoding<'a>),
    Legacy(&'static encoding_rs::Encoding),
    /// Numbers of glyphs, with nothing that says what they are.
    Unknown,
}

impl<'a> Font<'a> {
    /// Reads a font.
    ///
    /// # Errors
    ///
    /// When a bound is hit. What is wrong in other ways reads as well as it can.
    pub(super) fn read(
        desk: &mut Desk<'_>,
        document: &'a Document,
        dictionary: &'a Dictionary,
    ) -> Outcome<Self> {
        let is_composite = name(dictionary, b"Subtype", document) == Some(b"Type0");
        let mut font = Self {
            map: to_unicode(desk, document, dictionary)?,
            codes: codes(desk, document, dictionary, is_composite)?,
            widths: HashMap::new(),
            width_default: None,
            scale: 0.001,
            code_bytes: if is_composite { 2 } else { 1 },
        };
        if name(dictionary, b"Subtype", document) == Some(b"Type3") {
            let matrix = dictionary.get_deref(b"FontMatrix", document).and_then(Object::as_array);
            font.scale = matrix.ok().and_then(|matrix| number(matrix.first()?)).unwrap_or(0.001);
        }
        if is_composite {
            let descendants = dictionary.get_deref(b"DescendantFonts", document).and_then(Object::as_array);
            let first = descendants.ok().and_then(|fonts| document.dereference(fonts.first()?).ok());
            if let Some(descendant) = first.and_then(|(_, font)| font.as_dict().ok()) {
                font.width_default =
                    descendant.get_deref(b"DW", document).ok().and_then(number).or(Some(1000.0));
                if let Ok(widths) = descendant.get_deref(b"W", document).and_then(Object::as_array) {
                    font.wide_widths(desk, document, widths)?;
                }
            }
        } else if let Ok(widths) = dictionary.get_deref(b"Widths", document).and_then(Object::as_array) {
            let first = dictionary.get_deref(b"FirstChar", document).and_then(Object::as_i64).unwrap_or(0);
            let first = u32::try_from(first).unwrap_or(0);
            for (code, width) in (first..).zip(widths.iter().take(256)) {
                font.widths.extend(
                    document.dereference(width).ok().and_then(|(_, width)| Some((code, number(width)?))),
                );
            }
        }
        Ok(font)
    }

    /// `[first [w w …] first last w …]`.
    fn wide_widths(&mut self, desk: &mut Desk<'_>, document: &Document, widths: &[Object]) -> Outcome {
        let mut at = 0;
        while let Some(first) = widths.get(at).and_then(|first| first.as_i64().ok()) {
            desk.tick()?;
            let first = u32::try_from(first).unwrap_or(0);
            let Some((_, next)) = widths.get(at + 1).and_then(|next| document.dereference(next).ok()) else {
                break;
            };
            let room = WIDTHS_MAX.saturating_sub(self.widths.len());
            match next {
                Object::Array(each) => {
                    let each = each.iter().take(room).filter_map(number);
                    self.widths.extend((first..).zip(each));
                    at += 2;
                }
                last => {
                    let last = last.as_i64().ok().and_then(|last| u32::try_from(last).ok()).unwrap_or(first);
                    let Some(width) = widths.get(at + 2).and_then(number) else { break };
                    self.widths.extend((first..=last).take(room).map(|code| (code, width)));
                    at += 3;
                }
            }
        }
        Ok(())
    }

    /// Adds the characters of a string. Returns how many of its codes are not known.
    pub(super) fn decode(&self, bytes: &[u8], out: &mut String) -> usize {
        let Some(map) = &self.map else { return self.decode_by_name(bytes, out) };
        let mut unknown = 0;
        map.decode(bytes, self.code_bytes, out, |code, out| unknown += self.decode_by_name(code, out));
        unknown
    }

    fn decode_by_name(&self, bytes: &[u8], out: &mut String) -> usize {
        let before = out.len();
        match &self.codes {
            // What it cannot decode it leaves out.
            Codes::Pdf(encoding) => drop(encoding.write_to_string(bytes, out)),
            Codes::Legacy(encoding) => out.push_str(&encoding.decode_without_bom_handling(bytes).0),
            Codes::Unknown => {}
        }
        if out.len() > before { 0 } else { bytes.len().div_ceil(self.code_bytes) }
    }

    /// Width of a code, as a part of the font's size.
    pub(super) fn width(&self, code: u32) -> f64 {
        let known = self.widths.get(&code).copied().or(self.width_default);
        known.unwrap_or_else(|| usual_width(code)) * self.scale
    }
}

/// Width of a character in the usual sans-serif fonts, which need not say it.
fn usual_width(code: u32) -> f64 {
    match u8::try_from(code) {
        Ok(b'i' | b'j' | b'l' | b'\'' | b'|') => 222.0,
        Ok(b' ' | b'!' | b',' | b'.' | b':' | b';' | b'/' | b'I' | b'f' | b't') => 278.0,
        Ok(b'r' | b'-' | b'(' | b')') => 333.0,
        Ok(b'c' | b'k' | b's' | b'v' | b'x' | b'y' | b'z' | b'J') => 500.0,
        Ok(b'm' | b'M') => 833.0,
        Ok(b'w' | b'C' | b'D' | b'H' | b'N' | b'R' | b'U') => 722.0,
        Ok(b'G' | b'O' | b'Q') => 778.0,
        Ok(b'W' | b'@' | b'%') => 950.0,
        Ok(b'A' | b'B' | b'E' | b'K' | b'P' | b'S' | b'V' | b'X' | b'Y' | b'&') => 667.0,
        Ok(b'F' | b'T' | b'Z') => 611.0,
        _ => WIDTH_UNKNOWN,
    }
}

fn to_unicode(desk: &mut Desk<'_>, document: &Document, dictionary: &Dictionary) -> Outcome<Option<CMap>> {
    let Ok(stream) = dictionary.get_deref(b"ToUnicode", document).and_then(Object::as_stream) else {
        return Ok(None);
    };
    match super::unpacked(desk, stream) {
        Ok(text) => CMap::read(desk, &text).map(Some),
        Err(Stop::Part(Reason::Damaged)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn codes<'a>(
    desk: &mut Desk<'_>,
    document: &'a Document,
    dictionary: &'a Dictionary,
    is_composite: bool,
) -> Outcome<Codes<'a>> {
    let limit = desk.unpack_allowance();
    let encoding = name(dictionary, b"Encoding", document);
    if is_composite {
        let legacy = encoding.map(String::from_utf8_lossy).and_then(|name| legacy(&name));
        return Ok(legacy.map_or(Codes::Unknown, Codes::Legacy));
    }
    Ok(match dictionary.get_font_encoding_with_limit(document, limit) {
        Ok(encoding) => Codes::Pdf(encoding),
        Err(error) if super::reason(&error) == Reason::UnpacksToMore => {
            return Err(Stop::Part(Reason::UnpacksToMore));
        }
        // A font that does not say that it is one.
        Err(_) => Codes::Pdf(Encoding::SimpleEncoding(b"WinAnsiEncoding")),
    })
}

/// Encodings of East Asian scripts that go by a name.
fn legacy(name: &str) -> Option<&'static encoding_rs::Encoding> {
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    Some(if has(&["UCS2", "UTF16"]) {
        encoding_rs::UTF_16BE
    } else if has(&["RKSJ"]) {
        encoding_rs::SHIFT_JIS
    } else if has(&["GBK", "GB-EUC", "GBpc"]) {
        encoding_rs::GBK
    } else if has(&["B5", "ETen"]) {
        encoding_rs::BIG5
    } else if has(&["KSC"]) {
        encoding_rs::EUC_KR
    } else if has(&["EUC"]) {
        encoding_rs::EUC_JP
    } else {
        return None;
    })
}

fn name<'a>(dictionary: &'a Dictionary, key: &[u8], document: &'a Document) -> Option<&'a [u8]> {
    dictionary.get_deref(key, document).and_then(Object::as_name).ok()
}

pub(super) fn number(object: &Object) -> Option<f64> {
    object.as_float().ok().map(f64::from).filter(|number| number.is_finite())
}
