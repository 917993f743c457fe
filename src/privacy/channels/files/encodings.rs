//! Bytes that are text in one encoding or another.

use std::borrow::Cow;

use encoding_rs::{MACINTOSH, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Shortest run of printable characters that is taken for a text in bytes that are not text.
const RUN_MIN: usize = 4;

/// Text of a file or field that does not say its encoding: by its byte order mark, else UTF-16 where
/// every other byte is zero, else UTF-8 where it is valid, else Latin-1 as Windows has it.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match utf16_by_zeros(bytes) {
        Some(big_endian) => utf16(bytes, big_endian),
        None => utf8_or_latin1(bytes),
    }
}

/// UTF-8 where it is valid, else Latin-1 as Windows has it.
pub(super) fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => latin1(bytes),
    }
}

/// Latin-1 as Windows has it.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    WINDOWS_1252.decode_without_bom_handling(bytes).0
}

/// The older encoding of Macintosh, for bytes that are letters there and control characters or rare
/// signs in Latin-1; `None` where the two hardly differ.
pub(super) fn macintosh(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let is_doubtful =
        std::str::from_utf8(bytes).is_err() && bytes.iter().any(|byte| (0x80..0xa0).contains(byte));
    is_doubtful.then(|| MACINTOSH.decode_without_bom_handling(bytes).0)
}

/// UTF-16 without a byte order mark.
pub(super) fn utf16(bytes: &[u8], big_endian: bool) -> Cow<'_, str> {
    let encoding = if big_endian { UTF_16BE } else { UTF_16LE };
    encoding.decode_without_bom_handling(bytes).0
}

/// UTF-16 with the byte order mark that it begins with, or in this order.
pub(super) fn utf16_marked(bytes: &[u8], big_endian: bool) -> Cow<'_, str> {
    match bytes {
        [0xfe, 0xff, text @ ..] => utf16(text, true),
        [0xff, 0xfe, text @ ..] => utf16(text, false),
        text => utf16(text, big_endian),
    }
}

/// UTF-16 of which the order is not sure: by its mark or its zeros, else in the order of the file and
/// in the other one, since programs write either.
pub(super) fn utf16_in_doubt(bytes: &[u8], big_endian: bool) -> Vec<Cow<'_, str>> {
    let is_marked = bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]);
    match utf16_by_zeros(bytes) {
        _ if is_marked => vec![utf16_marked(bytes, big_endian)],
        Some(big_endian) => vec![utf16(bytes, big_endian)],
        None => vec![utf16(bytes, big_endian), utf16(bytes, !big_endian)],
    }
}

/// Whether bytes look like UTF-16 of a Latin script, and in which order.
fn utf16_by_zeros(bytes: &[u8]) -> Option<bool> {
    let sample = &bytes[..bytes.len().min(1024) & !1];
    let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), sample.len() / 2);
    // Nearly all of one half and hardly any of the other.
    let is_one_sided = |many: usize, few: usize| pairs >= 2 && many * 10 >= pairs * 7 && few * 10 <= pairs;
    if is_one_sided(even, odd) {
        Some(true)
    } else if is_one_sided(odd, even) {
        Some(false)
    } else {
        None
    }
}

/// Whether bytes are text in one of the encodings that [`decode`] knows: hardly any control characters.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    if encoding_rs::Encoding::for_bom(bytes).is_some() || utf16_by_zeros(bytes).is_some() {
        return true;
    }
    let sample = &bytes[..bytes.len().min(64 << 10)];
    let is_control = |byte: u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    let controls = sample.iter().filter(|byte| is_control(**byte)).count();
    let zeros = sample.iter().filter(|byte| **byte == 0).count();
    let high = sample.iter().filter(|byte| **byte >= 0x80).count();
    // Bytes above ASCII that are not UTF-8 are text only beside much more ASCII: letters of Latin-1.
    let is_latin = match std::str::from_utf8(sample) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() || high * 3 <= sample.len(),
    };
    zeros == 0 && controls * 100 <= sample.len() && is_latin
}

/// Texts in bytes that are something else: runs of printable characters in UTF-8, and of Latin characters in
/// UTF-16. With the place of their first byte.
pub(super) fn runs(bytes: &[u8]) -> impl Iterator<Item = (usize, String)> {
    Utf8Runs { bytes, at: 0 }.chain(Utf16Runs { bytes, at: 0, again: None })
}

struct Utf8Runs<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Utf8Runs<'_> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.bytes.len() {
            let start = self.at;
            while let Some(length) = printable_utf8(&self.bytes[self.at..]) {
                self.at += length;
            }
            let run = &self.bytes[start..self.at];
            if self.at == start {
                self.at += 1;
            }
            if run.len() >= RUN_MIN {
                return Some((start, String::from_utf8_lossy(run).into_owned()));
            }
        }
        None
    }
}

/// Bytes of the printable character at the beginning.
fn printable_utf8(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let length = match first {
        b'\t' | b' '..=b'~' => return Some(1),
        0xc3..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(..length)?).is_ok().then_some(length)
}

struct Utf16Runs<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The same run without its first character.
    again: Option<(usize, String)>,
}

impl Utf16Runs<'_> {
    /// The character of Latin script at `at`, in the order that keeps the zero or small byte behind.
    fn unit(&self, at: usize) -> Option<char> {
        let pair = self.bytes.get(at..at + 2)?;
        let unit = u16::from_le_bytes([pair[0], pair[1]]);
        let is_latin = matches!(unit, 0x20..=0x7e | 0xa0..=0x24f | 0x370..=0x52f);
        is_latin.then(|| char::from_u32(u32::from(unit))).flatten()
    }
}

impl Iterator for Utf16Runs<'_> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(again) = self.again.take() {
            return Some(again);
        }
        while self.at < self.bytes.len() {
            let start = self.at;
            let mut run = String::new();
            while let Some(char) = self.unit(self.at) {
                run.push(char);
                self.at += 2;
            }
            if run.chars().count() >= RUN_MIN {
                // The last letter of a text of single bytes and the zero behind it look like one more.
                let is_after_text = start > 0 && matches!(self.bytes[start - 1], b' '..=b'~');
                if let Some(first) = run.chars().next().filter(|_| is_after_text) {
                    self.again = Some((start + 2, run[first.len_utf8()..].to_owned()));
                }
                return Some((start, run));
            }
            // A run may begin at an odd place as well.
            self.at = start + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_known_by_their_bytes() {
        let le: Vec<u8> = "Zoë Ó".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "Zoë Ó".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&le), "Zoë Ó");
        assert_eq!(decode(&be), "Zoë Ó");
        assert_eq!(decode(&[&[0xff, 0xfe][..], &le].concat()), "Zoë Ó");
        assert_eq!(decode(&[&[0xfe, 0xff][..], &be].concat()), "Zoë Ó");
        assert_eq!(decode("\u{feff}Zoë".as_bytes()), "Zoë");
        assert_eq!(decode(b"Zo\xeb"), "Zoë");
        assert_eq!(decode("Зоя".as_bytes()), "Зоя");
        assert_eq!(macintosh(b"Zo\x91").as_deref(), Some("Zoë"));
        assert_eq!(macintosh(b"Zo\xeb"), None);
        assert_eq!(decode(b""), "");
    }

    #[test]
    fn text_is_told_from_other_bytes() {
        for text in [&b"plain"[..], b"", b"Zo\xeb and others", "Зоя".as_bytes(), b"a\0b\0c\0"] {
            assert!(is_text(text), "{text:?}");
        }
        for other in [&b"\0\0\0\x01abc\xff\xd8"[..], &[0x80; 40], &[1, 2, 3, 4, 5]] {
            assert!(!is_text(other), "{other:?}");
        }
    }

    #[test]
    fn runs_are_found_in_both_encodings_at_any_place() {
        let wide: Vec<u8> = "Nora".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bytes = [&b"\x01\x02Zo\xc3\xab Vale\x00"[..], &wide, b"\x00\xff", b"abc"].concat();
        let found: Vec<_> = runs(&bytes).map(|(_, text)| text).collect();
        assert_eq!(found, ["Zoë Vale", "eNora", "Nora"]);
        assert_eq!(runs(&[0x41; 3]).count(), 0);
    }
}
