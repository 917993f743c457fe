//! One text in every encoding in which programs write it: as bytes that can be looked for.
//!
//! Written for the second scanner alone. The matcher *decodes* what it reads; here texts are *encoded*, by code
//! of its own, so that a mistake in one is not repeated in the other.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};
use encoding_rs as legacy;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use serde::{Deserialize, Serialize};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, in any spelling: composed or not, with or without marks, in any case; ASCII among it.
    Text,
    /// `\u` escapes of JSON and JavaScript, also within another string of JSON.
    Json,
    /// Percent-encoding (RFC 3986), once or twice.
    Percent,
    /// Character references of HTML: named, decimal, hexadecimal; once or twice.
    Html,
    /// Quoted-printable (RFC 2045), also the Q encoding of headers.
    QuotedPrintable,
    /// UTF-16, little-endian: EXIF, Windows.
    Utf16Le,
    /// UTF-16, big-endian: PDF.
    Utf16Be,
    /// An encoding of one byte a character, or of the time before Unicode; UTF-8 that was taken for one.
    Legacy,
    /// Base64 of UTF-8 or UTF-16, wherever in the encoded text.
    Base64,
    /// Hexadecimal digits of UTF-8 or UTF-16.
    Hex,
    /// The labels of a host in ASCII (RFC 3492).
    Punycode,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 11] = [
        Self::Text,
        Self::Json,
        Self::Percent,
        Self::Html,
        Self::QuotedPrintable,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::Legacy,
        Self::Base64,
        Self::Hex,
        Self::Punycode,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "JSON escapes",
            Self::Percent => "percent-encoding",
            Self::Html => "HTML references",
            Self::QuotedPrintable => "quoted-printable",
            Self::Utf16Le => "UTF-16 LE",
            Self::Utf16Be => "UTF-16 BE",
            Self::Legacy => "legacy encoding",
            Self::Base64 => "Base64",
            Self::Hex => "hexadecimal",
            Self::Punycode => "Punycode",
        }
    }

    /// Whether its bytes are compared to the letter: there upper and lower case mean different things.
    pub(super) fn is_exact(self) -> bool {
        self == Self::Base64
    }

    /// Whether letters around a place tell whether it is within another word.
    pub(super) fn has_words(self) -> bool {
        !matches!(self, Self::Base64 | Self::Hex)
    }
}

/// Which characters an encoder writes otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those beyond ASCII.
    Foreign,
    /// Those and what is no letter and no digit; `-`, `.`, `_` and `~` stay.
    Reserved,
    /// All but letters and digits of ASCII.
    Signs,
    /// All.
    All,
}

impl Which {
    const EACH: [Self; 4] = [Self::Foreign, Self::Reserved, Self::Signs, Self::All];

    fn takes(self, char: char) -> bool {
        match self {
            Self::Foreign => !char.is_ascii(),
            Self::Reserved => !char.is_ascii_alphanumeric() && !matches!(char, '-' | '.' | '_' | '~'),
            Self::Signs => !char.is_ascii_alphanumeric(),
            Self::All => true,
        }
    }
}

/// How a person may spell a text without its being another one.
pub(super) fn spellings(text: &str) -> Vec<String> {
    let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned();
    let compatible = ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned();
    let mut bases =
        vec![text.to_owned(), nfc.clone(), compatible, plain(&nfc), ascii(&nfc), plain(&ascii(&nfc))];
    bases.dedup();
    let mut all: Vec<String> = Vec::new();
    for base in &bases {
        for cased in [base.clone(), base.to_lowercase(), base.to_uppercase(), title(base)] {
            all.push(DecomposingNormalizerBorrowed::new_nfd().normalize(&cased).into_owned());
            all.push(cased);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Without marks.
fn plain(text: &str) -> String {
    let is_mark = |char: &char| matches!(*char, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}');
    DecomposingNormalizerBorrowed::new_nfkd().normalize(text).chars().filter(|char| !is_mark(char)).collect()
}

/// With the letters that people write where a keyboard lacks one.
fn ascii(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for char in text.chars() {
        written.push_str(match char {
            'ä' | 'æ' => "ae",
            'Ä' | 'Æ' => "Ae",
            'ö' | 'œ' => "oe",
            'Ö' | 'Œ' => "Oe",
            'ü' => "ue",
            'Ü' => "Ue",
            'ß' => "ss",
            'å' => "aa",
            'Å' => "Aa",
            'ø' => "o",
            'Ø' => "O",
            'ł' => "l",
            'Ł' => "L",
            'đ' | 'ð' => "d",
            'Đ' | 'Ð' => "D",
            'þ' => "th",
            'Þ' => "Th",
            'ı' => "i",
            'İ' => "I",
            other => {
                written.push(other);
                continue;
            }
        });
    }
    written
}

/// Each word with one capital.
fn title(text: &str) -> String {
    let mut begins = true;
    let mut titled = String::with_capacity(text.len());
    for char in text.chars() {
        if begins {
            titled.extend(char.to_uppercase());
        } else {
            titled.extend(char.to_lowercase());
        }
        begins = !char.is_alphanumeric();
    }
    titled
}

/// Hands out a text in every encoding; the same bytes may come more than once. Without `all` those are left out
/// that nobody meets but by encoding everything: Base64, digits, escapes of plain letters.
pub(super) fn encoded(text: &str, all: bool, each: &mut impl FnMut(Encoding, Vec<u8>)) {
    each(Encoding::Text, text.as_bytes().to_vec());
    for which in Which::EACH {
        if !text.chars().any(|char| which.takes(char)) || (which == Which::All && !all) {
            continue;
        }
        for json in [
            json(text, which, false),
            json(text, which, true),
            json(text, which, false).replace('\\', "\\\\"),
        ] {
            each(Encoding::Json, json.into_bytes());
        }
        let percent = percent(text.as_bytes(), which);
        each(Encoding::Percent, percent.replace("%20", "+").into_bytes());
        each(Encoding::Percent, percent.replace('%', "%25").into_bytes());
        each(Encoding::Percent, percent.into_bytes());
        for form in [Reference::Named, Reference::Decimal, Reference::Hex, Reference::Padded] {
            let html = html(text, which, form);
            each(Encoding::Html, html.replace('&', "&amp;").into_bytes());
            each(Encoding::Html, html.into_bytes());
        }
        let quoted = quoted(text.as_bytes(), which);
        each(Encoding::QuotedPrintable, quoted.replace("=20", "_").into_bytes());
        each(Encoding::QuotedPrintable, quoted.into_bytes());
    }
    let (le, be) = (utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes));
    if all {
        hexed(&be, each);
        based(&le, each);
        hexed(text.as_bytes(), each);
        based(text.as_bytes(), each);
    }
    each(Encoding::Utf16Le, le);
    each(Encoding::Utf16Be, be);
    legacies(text, all, each);
}

fn json(text: &str, which: Which, in_braces: bool) -> String {
    let mut written = String::new();
    for char in text.chars() {
        if !which.takes(char) {
            written.push(char);
        } else if in_braces {
            written.push_str(&format!("\\u{{{:x}}}", u32::from(char)));
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                written.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    written
}

fn percent(bytes: &[u8], which: Which) -> String {
    escaped(bytes, which, '%')
}

fn quoted(bytes: &[u8], which: Which) -> String {
    escaped(bytes, which, '=')
}

/// Bytes as two digits behind a sign.
fn escaped(bytes: &[u8], which: Which, sign: char) -> String {
    let mut written = String::new();
    for byte in bytes {
        let char = char::from(*byte);
        // What is no ASCII is no character by itself.
        if !byte.is_ascii() || which.takes(char) {
            written.push_str(&format!("{sign}{byte:02X}"));
        } else {
            written.push(char);
        }
    }
    written
}

#[derive(Clone, Copy)]
enum Reference {
    Named,
    Decimal,
    Hex,
    Padded,
}

fn html(text: &str, which: Which, form: Reference) -> String {
    let mut written = String::new();
    for char in text.chars() {
        if !which.takes(char) {
            written.push(char);
            continue;
        }
        let number = u32::from(char);
        match (form, named(char)) {
            (Reference::Named, Some(name)) => written.push_str(&format!("&{name};")),
            (Reference::Named | Reference::Decimal, _) => written.push_str(&format!("&#{number};")),
            (Reference::Hex, _) => written.push_str(&format!("&#x{number:x};")),
            (Reference::Padded, _) => written.push_str(&format!("&#x{number:04x};")),
        }
    }
    written
}

/// Names of HTML for U+00C0 to U+00FF, in their order.
const LATIN: &str = "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml \
ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc \
atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde \
ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

fn named(char: char) -> Option<&'static str> {
    match char {
        '@' => Some("commat"),
        '.' => Some("period"),
        '_' => Some("lowbar"),
        '+' => Some("plus"),
        ',' => Some("comma"),
        '/' => Some("sol"),
        ':' => Some("colon"),
        '&' => Some("amp"),
        '\'' => Some("apos"),
        '\u{a0}' => Some("nbsp"),
        'Š' => Some("Scaron"),
        'š' => Some("scaron"),
        'Ž' => Some("Zcaron"),
        'ž' => Some("zcaron"),
        'Œ' => Some("OElig"),
        'œ' => Some("oelig"),
        'Ÿ' => Some("Yuml"),
        'ł' => Some("lstrok"),
        'Ł' => Some("Lstrok"),
        '\u{c0}'..='\u{ff}' => {
            LATIN.split_whitespace().nth(usize::try_from(u32::from(char) - 0xc0).unwrap_or(usize::MAX))
        }
        _ => None,
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn hexed(bytes: &[u8], each: &mut impl FnMut(Encoding, Vec<u8>)) {
    each(Encoding::Hex, crate::ids::hex(bytes).into_bytes());
}

/// What stands in Base64 wherever these bytes are encoded: at each of three offsets, without the characters
/// that depend on what stands beside them.
fn based(bytes: &[u8], each: &mut impl FnMut(Encoding, Vec<u8>)) {
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for before in 0..3_usize {
            let padded = [&[0; 2][..before], bytes].concat();
            let encoded = engine.encode(&padded);
            let from = (before * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            if let Some(inner) = encoded.get(from..to) {
                each(Encoding::Base64, inner.as_bytes().to_vec());
            }
        }
    }
}

fn legacies(text: &str, all: bool, each: &mut impl FnMut(Encoding, Vec<u8>)) {
    if text.is_ascii() {
        return;
    }
    let encodings = [
        legacy::WINDOWS_1252,
        legacy::MACINTOSH,
        legacy::WINDOWS_1250,
        legacy::ISO_8859_2,
        legacy::WINDOWS_1251,
        legacy::KOI8_R,
        legacy::WINDOWS_1253,
        legacy::WINDOWS_1254,
        legacy::SHIFT_JIS,
        legacy::GBK,
        legacy::BIG5,
        legacy::EUC_KR,
    ];
    for encoding in encodings {
        let (bytes, _, unmapped) = encoding.encode(text);
        if !unmapped {
            // Those escape their bytes as well.
            if encoding == legacy::WINDOWS_1252 {
                each(Encoding::QuotedPrintable, quoted(&bytes, Which::Foreign).into_bytes());
                each(Encoding::Percent, percent(&bytes, Which::Reserved).into_bytes());
                if all {
                    based(&bytes, each);
                    hexed(&bytes, each);
                }
            }
            each(Encoding::Legacy, bytes.into_owned());
        }
    }
    // UTF-8 that somebody took for Windows-1252 and stored as UTF-8 once more.
    let (twice, _) = legacy::WINDOWS_1252.decode_without_bom_handling(text.as_bytes());
    each(Encoding::Legacy, twice.into_owned().into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(Encoding, Vec<u8>)> {
        let mut all = Vec::new();
        encoded(text, true, &mut |encoding, bytes| all.push((encoding, bytes)));
        all
    }

    #[track_caller]
    fn holds(text: &str, encoding: Encoding, bytes: &[u8]) {
        let is = |one: &(Encoding, Vec<u8>)| {
            one.0 == encoding
                && (one.1 == bytes || (!encoding.is_exact() && one.1.eq_ignore_ascii_case(bytes)))
        };
        assert!(all(text).iter().any(is), "{encoding:?} of {text}");
    }

    #[test]
    fn a_text_is_encoded_as_others_do_it() {
        // Written down from what Python's json, urllib, html, quopri and base64 give.
        holds("Zoë Øst", Encoding::Json, br"Zo\u00eb \u00d8st");
        holds("Zoë Øst", Encoding::Json, br"Zo\\u00eb \\u00d8st");
        holds("Zoë Øst", Encoding::Percent, b"Zo%C3%AB%20%C3%98st");
        holds("Zoë Øst", Encoding::Percent, b"Zo%C3%AB+%C3%98st");
        holds("Zoë Øst", Encoding::Percent, b"Zo%25C3%25AB%2520%25C3%2598st");
        holds("Zoë Øst", Encoding::Html, b"Zo&euml; &Oslash;st");
        holds("Zoë Øst", Encoding::Html, b"Zo&#235; &#216;st");
        holds("Zoë Øst", Encoding::Html, b"Zo&#xeb; &#xd8;st");
        holds("Zoë Øst", Encoding::QuotedPrintable, b"Zo=C3=AB =C3=98st");
        holds("Zoë Øst", Encoding::QuotedPrintable, b"Zo=EB =D8st");
        holds("Zoë Øst", Encoding::Legacy, b"Zo\xeb \xd8st");
        holds("Zoë Øst", Encoding::Legacy, "ZoÃ« Ã˜st".as_bytes());
        holds("Zoë", Encoding::Utf16Be, b"\0Z\0o\0\xeb");
        holds("Zoë", Encoding::Utf16Le, b"Z\0o\0\xeb\0");
        holds("Zoë", Encoding::Hex, b"5a6fc3ab");
        holds("a@b.example", Encoding::Html, b"a&#64;b.example");
        holds("a@b.example", Encoding::Html, b"a&commat;b.example");
        holds("a@b.example", Encoding::Percent, b"a%40b.example");
        holds("Nora Vale", Encoding::Json, br"\u004e\u006f\u0072\u0061\u0020\u0056\u0061\u006c\u0065");
    }

    #[test]
    fn base64_is_found_at_every_offset() {
        let engine = &base64::engine::general_purpose::STANDARD;
        for before in ["", "x", "xy", "xyz"] {
            for after in ["", "!", "!?"] {
                let whole = engine.encode(format!("{before}Nora Vale{after}"));
                let is_in = |one: &(Encoding, Vec<u8>)| {
                    one.0 == Encoding::Base64
                        && one.1.len() >= 10
                        && memchr::memmem::find(whole.as_bytes(), &one.1).is_some()
                };
                assert!(all("Nora Vale").iter().any(is_in), "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn a_text_is_spelled_in_many_ways() {
        let of = spellings("Zoë Müßøn");
        for spelled in
            ["Zoë Müßøn", "ZOË MÜSSØN", "zoë müßøn", "Zoe Mußøn", "zoe muesson", "Zoe\u{308} Mu\u{308}ßøn"]
        {
            assert!(of.iter().any(|own| own == spelled), "{spelled}");
        }
    }
}
