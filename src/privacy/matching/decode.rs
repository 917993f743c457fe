//! Text inside text: encodings that programs leave in the strings of a CMS.
//!
//! A text is read as it is, and again with each layer of encoding taken off, [`LAYERS_MAX`] deep.
//! Every reading remembers where its bytes came from. The work is linear in the text: a layer is
//! never longer than the one it was made from, but for Base64, which is read once and not again.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Normaliser, Switches};

/// Layers of encoding that are taken off: `%2525` is three. Programs encode twice by mistake; more
/// than one more is somebody who hides something, and has to be looked for by other means.
pub(super) const LAYERS_MAX: usize = 3;
/// Longest name of an HTML entity that is read.
const ENTITY_MAX: usize = 10;
/// Punycode labels of one text that are decoded; a host name has a handful.
const LABELS_MAX: usize = 10_000;

/// A text as it reads with some encodings taken off.
#[derive(Debug)]
pub(super) struct View {
    /// What it reads.
    pub(super) text: String,
    /// Where its bytes came from, in order.
    runs: Vec<Run>,
}

/// Bytes of a view from `at` on came from `source` on; one to one, or all from that place.
#[derive(Debug, Clone, Copy)]
struct Run {
    at: usize,
    source: usize,
    copied: bool,
}

impl View {
    /// Where a byte of the view stands in the text that was given.
    pub(super) fn source(&self, at: usize) -> usize {
        let index = self.runs.partition_point(|run| run.at <= at);
        match index.checked_sub(1).map(|index| self.runs[index]) {
            Some(run) if run.copied => run.source + (at - run.at),
            Some(run) => run.source,
            None => at,
        }
    }
}

/// Collects the decoded bytes with their origin.
struct Writer<'a> {
    bytes: Vec<u8>,
    runs: Vec<Run>,
    below: Option<&'a View>,
}

impl Writer<'_> {
    fn source(&self, at: usize) -> usize {
        self.below.map_or(at, |view| view.source(at))
    }

    /// Takes over a stretch as it is.
    fn copy(&mut self, text: &str, from: usize, to: usize) {
        let Some(below) = self.below else {
            self.runs.push(Run { at: self.bytes.len(), source: from, copied: true });
            self.bytes.extend_from_slice(&text.as_bytes()[from..to]);
            return;
        };
        // The stretch may lie over several runs of the view below.
        let mut at = from;
        let mut index = below.runs.partition_point(|run| run.at <= from);
        while at < to {
            let end = below.runs.get(index).map_or(to, |run| run.at.min(to));
            let copied = index.checked_sub(1).is_none_or(|index| below.runs[index].copied);
            self.runs.push(Run { at: self.bytes.len(), source: below.source(at), copied });
            self.bytes.extend_from_slice(&text.as_bytes()[at..end]);
            at = end;
            index += 1;
        }
    }

    /// Adds what an escape at `from` stands for.
    fn put(&mut self, from: usize, decoded: &[u8]) {
        self.runs.push(Run { at: self.bytes.len(), source: self.source(from), copied: false });
        self.bytes.extend_from_slice(decoded);
    }

    /// The view; bytes that are no UTF-8 are read as Windows-1252, which old forms send.
    fn finish(self) -> View {
        match String::from_utf8(self.bytes) {
            Ok(text) => View { text, runs: self.runs },
            Err(error) => {
                let bytes = error.into_bytes();
                let old = View { text: String::new(), runs: self.runs };
                let (mut text, mut runs) = (String::with_capacity(bytes.len()), Vec::new());
                let mut at = 0;
                for chunk in bytes.utf8_chunks() {
                    let valid = chunk.valid();
                    let mut from = at;
                    while from < at + valid.len() {
                        let index = old.runs.partition_point(|run| run.at <= from);
                        let end = old.runs.get(index).map_or(usize::MAX, |run| run.at).min(at + valid.len());
                        // The bytes of one character may be of several runs: it came from the first.
                        let end = valid.ceil_char_boundary(end - at) + at;
                        let copied = index.checked_sub(1).is_none_or(|index| old.runs[index].copied);
                        runs.push(Run { at: text.len(), source: old.source(from), copied });
                        text.push_str(&valid[from - at..end - at]);
                        from = end;
                    }
                    at += valid.len();
                    for byte in chunk.invalid() {
                        runs.push(Run { at: text.len(), source: old.source(at), copied: false });
                        text.push(char::from(*byte));
                        at += 1;
                    }
                }
                View { text, runs }
            }
        }
    }
}

/// Hands out every reading of `text` but the plain one, which the caller has.
pub(super) fn views(text: &str, switches: Switches, mut each: impl FnMut(&View)) {
    let mut below: Option<View> = None;
    for _ in 0..LAYERS_MAX {
        let current = below.as_ref().map_or(text, |view| view.text.as_str());
        let Some(view) = layer(current, below.as_ref(), switches) else { break };
        each(&view);
        below = Some(view);
    }
    if switches.on(Normaliser::QuotedPrintable)
        && let Some(view) = quoted_printable(text)
    {
        each(&view);
    }
    if switches.on(Normaliser::Base64) {
        base64_uris(text, |view| {
            each(view);
            // What was inside may be escaped again, once.
            if let Some(inner) = layer(&view.text, Some(view), switches) {
                each(&inner);
            }
        });
    }
    if switches.on(Normaliser::Idna)
        && let Some(view) = punycode(text)
    {
        each(&view);
    }
}

/// Bytes in which every escape begins that stands for one character.
pub(super) const ESCAPES: [u8; 4] = [b'%', b'&', b'\\', b'='];
/// Begins an address whose content is Base64.
pub(super) const BASE64_MARK: &[u8] = b";base64,";
/// Is in every label in punycode. What is sought first is rare, and needs no copy of the text.
pub(super) const PUNYCODE_MARK: &[u8] = b"--";

/// Whether one of [`ESCAPES`] stands for another character, in any layer or in the raw text.
pub(super) fn is_escape(text: &str, at: usize) -> bool {
    let (bytes, mut buffer) = (text.as_bytes(), [0; 8]);
    match bytes[at] {
        b'%' => percent(bytes, at, &mut buffer).is_some(),
        b'&' => entity(text, at, &mut buffer).is_some(),
        b'\\' => json_escape(bytes, at, &mut buffer).is_some(),
        b'=' => quoted(bytes, at).is_some(),
        _ => false,
    }
}

/// Takes one layer of `%XX`, HTML entities and `\u` off; `None` where there is none.
fn layer(text: &str, below: Option<&View>, switches: Switches) -> Option<View> {
    let bytes = text.as_bytes();
    let mut writer = Writer { bytes: Vec::new(), runs: Vec::new(), below };
    let mut copied = 0;
    let mut at = 0;
    let mut buffer = [0; 8];
    while let Some(found) = memchr::memchr3(b'%', b'&', b'\\', &bytes[at..]) {
        at += found;
        let decoded = match bytes[at] {
            b'%' if switches.on(Normaliser::Percent) => percent(bytes, at, &mut buffer),
            b'&' if switches.on(Normaliser::Entities) => entity(text, at, &mut buffer),
            b'\\' if switches.on(Normaliser::JsonEscapes) => json_escape(bytes, at, &mut buffer),
            _ => None,
        };
        let Some((length, written)) = decoded else {
            at += 1;
            continue;
        };
        if writer.bytes.is_empty() && writer.runs.is_empty() {
            writer.bytes.reserve(bytes.len());
        }
        writer.copy(text, copied, at);
        writer.put(at, &buffer[..written]);
        at += length;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    writer.copy(text, copied, text.len());
    Some(writer.finish())
}

/// Takes the escapes of JSON off raw bytes, as a parser would; `None` where there are none.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    let mut buffer = [0; 8];
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        let Some((length, written)) = json_escape(bytes, at, &mut buffer) else {
            at += 1;
            continue;
        };
        if copied == 0 {
            out.reserve(bytes.len());
        }
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(&buffer[..written]);
        at += length;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn hex(bytes: &[u8], at: usize, digits: usize) -> Option<u32> {
    let digits = bytes.get(at..at + digits)?;
    let mut value = 0;
    for digit in digits {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    Some(value)
}

fn percent(bytes: &[u8], at: usize, out: &mut [u8; 8]) -> Option<(usize, usize)> {
    // `%u00FC` is what old scripts made of it.
    if bytes.get(at + 1) == Some(&b'u')
        && let Some(char) = hex(bytes, at + 2, 4).and_then(char::from_u32)
    {
        return Some((6, char.encode_utf8(out).len()));
    }
    out[0] = u8::try_from(hex(bytes, at + 1, 2)?).ok()?;
    Some((3, 1))
}

fn json_escape(bytes: &[u8], at: usize, out: &mut [u8; 8]) -> Option<(usize, usize)> {
    let single = match bytes.get(at + 1)? {
        b'"' => b'"',
        b'\\' => b'\\',
        b'/' => b'/',
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let first = hex(bytes, at + 2, 4)?;
            if (0xd800..0xdc00).contains(&first)
                && bytes.get(at + 6..at + 8) == Some(b"\\u")
                && let Some(second) = hex(bytes, at + 8, 4).filter(|second| (0xdc00..0xe000).contains(second))
            {
                let char = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
                return Some((12, char.encode_utf8(out).len()));
            }
            let char = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
            return Some((6, char.encode_utf8(out).len()));
        }
        _ => return None,
    };
    out[0] = single;
    Some((2, 1))
}

fn entity(text: &str, at: usize, out: &mut [u8; 8]) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let end = bytes.len().min(at + 2 + ENTITY_MAX);
    let length = bytes[at + 1..end].iter().position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&bytes[at + 1..at + 1 + length]).ok()?;
    let char = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => named(name)?,
    };
    Some((length + 2, char.encode_utf8(out).len()))
}

/// Named entities that can stand in a name or an address: letters of Latin and Greek, and the
/// signs between them.
fn named(name: &str) -> Option<char> {
    const MARKS: [(&str, char); 13] = [
        ("acute", '\u{301}'),
        ("grave", '\u{300}'),
        ("circ", '\u{302}'),
        ("uml", '\u{308}'),
        ("tilde", '\u{303}'),
        ("ring", '\u{30a}'),
        ("cedil", '\u{327}'),
        ("caron", '\u{30c}'),
        ("ogon", '\u{328}'),
        ("breve", '\u{306}'),
        ("macr", '\u{304}'),
        ("dot", '\u{307}'),
        ("dblac", '\u{30b}'),
    ];
    const GREEK: [&str; 24] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
        "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    ];
    let known = match name {
        "amp" | "AMP" => '&',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "quot" | "QUOT" => '"',
        "apos" | "rsquo" | "lsquo" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "Tab" => '\t',
        "NewLine" => '\n',
        "shy" => '\u{ad}',
        "zwj" => '\u{200d}',
        "zwnj" => '\u{200c}',
        "ZeroWidthSpace" => '\u{200b}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        "hyphen" | "dash" | "ndash" | "mdash" => '-',
        "commat" => '@',
        "period" => '.',
        "comma" => ',',
        "lowbar" => '_',
        "plus" => '+',
        "num" => '#',
        "sol" => '/',
        "colon" => ':',
        "lpar" => '(',
        "rpar" => ')',
        "szlig" => 'ß',
        "aelig" => 'æ',
        "AElig" => 'Æ',
        "oelig" => 'œ',
        "OElig" => 'Œ',
        "eth" => 'ð',
        "ETH" => 'Ð',
        "thorn" => 'þ',
        "THORN" => 'Þ',
        "oslash" => 'ø',
        "Oslash" => 'Ø',
        "lstrok" => 'ł',
        "Lstrok" => 'Ł',
        "dstrok" => 'đ',
        "Dstrok" => 'Đ',
        "hstrok" => 'ħ',
        "inodot" | "imath" => 'ı',
        "sigmaf" | "sigmav" => 'ς',
        _ => '\0',
    };
    if known != '\0' {
        return Some(known);
    }
    let first = name.chars().next()?;
    if let Some((_, mark)) =
        MARKS.iter().find(|(suffix, _)| first.is_ascii_alphabetic() && &name[1..] == *suffix)
    {
        let composed =
            ComposingNormalizerBorrowed::new_nfc().normalize_iter([first, *mark].into_iter()).next();
        return composed.filter(|char| !char.is_ascii());
    }
    let index = GREEK.iter().position(|letter| letter.eq_ignore_ascii_case(name))?;
    // A gap in the block: the place of the final sigma.
    let offset = u32::try_from(if index > 16 { index + 1 } else { index }).ok()?;
    char::from_u32(if first.is_ascii_uppercase() { 0x391 } else { 0x3b1 } + offset)
}

/// What `=` stands for in quoted-printable, and the bytes it takes: nothing at the end of a line.
fn quoted(bytes: &[u8], at: usize) -> Option<(usize, Option<u8>)> {
    let upper = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    let rest = &bytes[at + 1..];
    if rest.starts_with(b"\r\n") {
        Some((3, None))
    } else if rest.starts_with(b"\n") {
        Some((2, None))
    } else if rest.len() >= 2 && rest[..2].iter().all(upper) {
        Some((3, hex(bytes, at + 1, 2).and_then(|value| u8::try_from(value).ok())))
    } else {
        None
    }
}

/// Quoted-printable (RFC 2045): `=C3=BC`, soft line breaks.
fn quoted_printable(text: &str) -> Option<View> {
    let bytes = text.as_bytes();
    let mut writer = Writer { bytes: Vec::new(), runs: Vec::new(), below: None };
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'=', &bytes[at..]) {
        at += found;
        let Some((length, decoded)) = quoted(bytes, at) else {
            at += 1;
            continue;
        };
        writer.copy(text, copied, at);
        match decoded {
            Some(byte) => writer.put(at, &[byte]),
            None => writer.put(at, &[]),
        }
        at += length;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    writer.copy(text, copied, text.len());
    Some(writer.finish())
}

/// Hands out the text in every `data:` address that is Base64 of text.
fn base64_uris(text: &str, mut each: impl FnMut(&View)) {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let bytes = text.as_bytes();
    if memchr::memchr(BASE64_MARK[0], bytes).is_none() {
        return;
    }
    let mut from = 0;
    for at in memchr::memmem::find_iter(bytes, BASE64_MARK) {
        if at < from {
            continue;
        }
        let start = at + BASE64_MARK.len();
        let body = &bytes[start..];
        let length = body
            .iter()
            .position(|byte| {
                !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'='))
            })
            .unwrap_or(body.len());
        from = start + length;
        let standard: Vec<u8> = body[..length]
            .iter()
            .filter(|byte| **byte != b'=')
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => *byte,
            })
            .collect();
        if let Ok(decoded) = ENGINE.decode(&standard)
            && let Ok(text) = String::from_utf8(decoded)
        {
            each(&View { text, runs: vec![Run { at: 0, source: start, copied: false }] });
        }
    }
}

/// The text with its punycode labels (`xn--mller-kva`) as people read them.
fn punycode(text: &str) -> Option<View> {
    const MARK: &[u8] = b"xn--";
    memchr::memmem::find(text.as_bytes(), PUNYCODE_MARK)?;
    let lower = text.to_ascii_lowercase();
    let mut writer = Writer { bytes: Vec::new(), runs: Vec::new(), below: None };
    let mut copied = 0;
    for at in memchr::memmem::find_iter(lower.as_bytes(), MARK).take(LABELS_MAX) {
        if at < copied {
            continue;
        }
        // No label is longer than 63 characters (RFC 1035).
        let part_of_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let length = lower.as_bytes()[at..].iter().take(63).take_while(|byte| part_of_label(byte)).count();
        let label = &lower[at..at + length];
        let (decoded, result) = idna::domain_to_unicode(label);
        if result.is_err() {
            continue;
        }
        writer.copy(text, copied, at);
        writer.put(at, decoded.as_bytes());
        copied = at + label.len();
    }
    if copied == 0 {
        return None;
    }
    writer.copy(text, copied, text.len());
    Some(writer.finish())
}
