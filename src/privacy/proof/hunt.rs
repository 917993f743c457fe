//! Needles in a stream of bytes, however it is cut into pieces.
//!
//! One automaton over all needles, and beside it one that reads digits, because nobody can list the ways in which
//! people group a phone number. A place within a longer word (`Ann Lee` in `Hannah Leeson`) is somebody else as a
//! rule: it is counted apart and never dropped. Where it is doubtful whether it is, it is not.

use std::collections::{BTreeMap, VecDeque};
use std::ops::AddAssign;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::encodings::Encoding;
use super::needles::{Needle, Needles, Number};
use crate::privacy::subject::IdentifierKind;

/// Bytes that are searched in one go.
const WINDOW: usize = 256 << 10;
/// Bytes before and after a place that tell whether it is within a word.
const BESIDE: usize = 8;
/// Characters that may stand between two digits of one number.
const BETWEEN_MAX: u8 = 4;
/// Digits that are remembered: more than any number with its prefix has.
const DIGITS_KEPT: usize = 40;

/// What was found: kind of identifier and encoding.
pub(super) type What = (IdentifierKind, Encoding);

/// How often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// By itself.
    pub(super) whole: u64,
    /// Within a longer word or number.
    pub(super) within: u64,
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.whole += other.whole;
        self.within += other.within;
    }
}

/// What was found in one stream.
pub(super) type Found = BTreeMap<What, Times>;

/// Looks for needles.
pub(super) struct Hunter {
    automaton: AhoCorasick,
    needles: Vec<Needle>,
    numbers: Vec<Number>,
    longest: usize,
}

impl Hunter {
    /// Takes the needles of all that is looked for.
    ///
    /// # Errors
    ///
    /// When they are more than the automaton takes, which [`Needles::of`] sees to.
    pub(super) fn new(all: impl IntoIterator<Item = Needles>) -> Result<Self, aho_corasick::BuildError> {
        let (mut needles, mut numbers) = (Vec::new(), Vec::new());
        for own in all {
            needles.extend(own.needles);
            numbers.extend(own.numbers);
        }
        // The automaton takes upper for lower case; what must not is compared again.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(needles.iter().map(|needle| &needle.bytes))?;
        let longest = needles.iter().map(|needle| needle.bytes.len()).max().unwrap_or(0);
        Ok(Self { automaton, needles, numbers, longest })
    }

    /// Begins a stream.
    pub(super) fn begin(&self) -> Hunt<'_> {
        Hunt { hunter: self, buffer: Vec::new(), told: 0, digits: Digits::default(), found: Found::new() }
    }

    /// Looks through bytes that are all there.
    pub(super) fn all(&self, bytes: &[u8]) -> Found {
        let mut hunt = self.begin();
        hunt.push(bytes);
        hunt.finish()
    }
}

/// One stream.
pub(super) struct Hunt<'a> {
    hunter: &'a Hunter,
    buffer: Vec<u8>,
    /// Places that end here or before are told already.
    told: usize,
    digits: Digits,
    found: Found,
}

impl Hunt<'_> {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(WINDOW) {
            if !self.hunter.numbers.is_empty() {
                self.digits.read(bytes, &self.hunter.numbers, &mut self.found);
            }
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= WINDOW + self.hunter.longest + 2 * BESIDE {
                self.look(self.buffer.len() - BESIDE);
                let keep = self.hunter.longest + 2 * BESIDE;
                let cut = self.buffer.len() - keep;
                self.buffer.drain(..cut);
                self.told -= cut;
            }
        }
    }

    /// Ends the stream; returns what was found.
    pub(super) fn finish(mut self) -> Found {
        self.look(self.buffer.len());
        self.digits.resolve(None, &mut self.found);
        self.found
    }

    /// Tells the places that end up to `end` and were not told.
    fn look(&mut self, end: usize) {
        let hunter = self.hunter;
        for place in hunter.automaton.find_overlapping_iter(&self.buffer) {
            if place.end() <= self.told || place.end() > end {
                continue;
            }
            let needle = &hunter.needles[place.pattern().as_usize()];
            let bytes = &self.buffer[place.start()..place.end()];
            if needle.encoding.is_exact() && bytes != needle.bytes {
                continue;
            }
            let is_within =
                needle.encoding.has_words() && is_within(&self.buffer, place.start(), place.end(), needle);
            let times = Times { whole: u64::from(!is_within), within: u64::from(is_within) };
            *self.found.entry((needle.kind, needle.encoding)).or_default() += times;
        }
        self.told = end;
    }
}

/// Whether a place is part of a longer word.
fn is_within(buffer: &[u8], start: usize, end: usize, needle: &Needle) -> bool {
    let wide = match needle.encoding {
        Encoding::Utf16Le => Some(0),
        Encoding::Utf16Be => Some(1),
        _ => None,
    };
    let (before, after): (Vec<u8>, Vec<u8>) = match wide {
        None => (
            buffer[start.saturating_sub(BESIDE)..start].to_vec(),
            buffer[end..buffer.len().min(end + 2)].to_vec(),
        ),
        // Of each character the byte that ASCII has; where the other is not zero it is no ASCII.
        Some(at) => {
            let ascii = |pair: &[u8]| if pair.len() == 2 && pair[1 - at] == 0 { pair[at] } else { 0 };
            let from = start.saturating_sub(BESIDE);
            let from = from + (start - from) % 2;
            (
                buffer[from..start].chunks(2).map(ascii).collect(),
                buffer[end..buffer.len().min(end + 4)].chunks(2).map(ascii).collect(),
            )
        }
    };
    let step = if wide.is_some() { 2 } else { 1 };
    let first = buffer.get(start + wide.unwrap_or(0)).copied().unwrap_or(0);
    let last = buffer.get(end.saturating_sub(step) + wide.unwrap_or(0)).copied().unwrap_or(0);
    goes_on_before(&before, first) || goes_on_after(&after, last, needle.kind)
}

fn goes_on_before(before: &[u8], first: u8) -> bool {
    let Some(previous) = before.last().copied().filter(u8::is_ascii_alphanumeric) else { return false };
    if !first.is_ascii_alphanumeric() {
        return false;
    }
    // `byNoraVale`
    if previous.is_ascii_lowercase() && first.is_ascii_uppercase() {
        return false;
    }
    let is_hex = |from: usize| before[before.len() - from..].iter().all(u8::is_ascii_hexdigit);
    let at = |from: usize| before.len().checked_sub(from).map(|at| before[at]);
    let escapes = (at(2) == Some(b'\\') && b"ntrbfv".contains(&previous))
        || (matches!(at(3), Some(b'%' | b'=')) && is_hex(2))
        || (at(4) == Some(b'\\') && at(3) == Some(b'x') && is_hex(2))
        || (at(4) == Some(b'\\') && is_hex(3))
        || (at(6) == Some(b'\\') && at(5) == Some(b'u') && is_hex(4));
    !escapes
}

fn goes_on_after(after: &[u8], last: u8, kind: IdentifierKind) -> bool {
    let Some(next) = after.first().filter(|next| next.is_ascii_alphanumeric()) else { return false };
    if !last.is_ascii_alphanumeric() || (last.is_ascii_lowercase() && next.is_ascii_uppercase()) {
        return false;
    }
    // One more letter is an ending: `Nora Vales Buch`. One more digit is another id.
    kind == IdentifierKind::Id || after.get(1).is_some_and(u8::is_ascii_alphanumeric)
}

/// Reads digits and what stands between them.
#[derive(Default)]
struct Digits {
    /// The last digits, and whether one stands directly behind the one before.
    kept: VecDeque<(u8, bool)>,
    /// Characters since the last digit.
    between: u8,
    /// An escape that is being read.
    escape: Escape,
    /// A number that ended with the last digit, if no other follows directly: whether it began by itself.
    ended: Option<bool>,
}

#[derive(Default, Clone, Copy)]
enum Escape {
    #[default]
    No,
    /// Behind a backslash or an ampersand.
    Begun(u8),
    /// So many hexadecimal digits are to come.
    Hex(u8),
    /// Until a semicolon, at most so many.
    Reference(u8),
}

impl Digits {
    fn read(&mut self, bytes: &[u8], numbers: &[Number], found: &mut Found) {
        for byte in bytes {
            self.byte(*byte, numbers, found);
        }
    }

    fn byte(&mut self, byte: u8, numbers: &[Number], found: &mut Found) {
        match self.escape {
            Escape::No => {}
            Escape::Begun(sign) => {
                self.escape = match (sign, byte) {
                    (b'\\', b'u') => Escape::Hex(4),
                    (b'\\', b'x') => Escape::Hex(2),
                    (b'&', b'#') => Escape::Reference(6),
                    (b'&', b'a'..=b'z' | b'A'..=b'Z') => Escape::Reference(8),
                    _ => Escape::No,
                };
                if !matches!(self.escape, Escape::No) {
                    return;
                }
            }
            Escape::Hex(left) if byte.is_ascii_hexdigit() => {
                self.escape = if left > 1 { Escape::Hex(left - 1) } else { Escape::No };
                return;
            }
            Escape::Reference(left) if byte.is_ascii_alphanumeric() && left > 0 => {
                self.escape = Escape::Reference(left - 1);
                return;
            }
            Escape::Reference(_) if byte == b';' => {
                self.escape = Escape::No;
                return;
            }
            Escape::Hex(_) | Escape::Reference(_) => self.escape = Escape::No,
        }
        if byte.is_ascii_digit() {
            let joins = self.between == 0 && !self.kept.is_empty();
            self.resolve(Some(joins), found);
            self.kept.push_back((byte, joins));
            if self.kept.len() > DIGITS_KEPT {
                self.kept.pop_front();
            }
            self.between = 0;
            self.ended = numbers.iter().filter_map(|number| self.ends(number)).max();
            return;
        }
        // UTF-16 has a zero beside each character.
        if byte == 0 {
            return;
        }
        match byte {
            b'%' => self.escape = Escape::Hex(2),
            b'\\' | b'&' => self.escape = Escape::Begun(byte),
            _ => {}
        }
        if self.kept.is_empty() {
            return;
        }
        self.resolve(None, found);
        // The last: spaces and dashes of Unicode, in UTF-8.
        let may_stand_between = matches!(
            byte,
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+' | b'\t' | b'_' | b'%' | b'\\' | b'&' | 0x80..=0xff
        );
        if byte & 0xc0 != 0x80 {
            self.between += 1;
        }
        if !may_stand_between || self.between > BETWEEN_MAX {
            self.kept.clear();
            self.between = 0;
        }
    }

    /// Whether the digits end with this number; and if so, whether it begins by itself.
    fn ends(&self, number: &Number) -> Option<bool> {
        let len = number.national.len();
        let from = self.kept.len().checked_sub(len)?;
        if !self.kept.iter().skip(from).map(|(digit, _)| digit).eq(&number.national) {
            return None;
        }
        let begins = |prefix: &Vec<u8>| {
            let Some(at) = from.checked_sub(prefix.len()) else { return false };
            let is_prefix = self.kept.iter().skip(at).take(prefix.len()).map(|(digit, _)| digit).eq(prefix);
            is_prefix && self.kept.get(at).is_some_and(|(_, joins)| !joins)
        };
        Some(number.prefixes.iter().any(begins))
    }

    /// Tells a number that ended, now that it is known what follows; `joins`: a digit, directly.
    fn resolve(&mut self, joins: Option<bool>, found: &mut Found) {
        let Some(begins) = self.ended.take() else { return };
        let is_whole = begins && joins != Some(true);
        let times = Times { whole: u64::from(is_whole), within: u64::from(!is_whole) };
        *found.entry((IdentifierKind::Phone, Encoding::Text)).or_default() += times;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::subject::Subject;

    fn hunter() -> Hunter {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, "Ann Lee").unwrap();
        subject.add(IdentifierKind::Email, "ann@lee.example").unwrap();
        subject.add(IdentifierKind::Phone, "+49 30 1234567").unwrap();
        subject.add(IdentifierKind::Id, "KD-20481").unwrap();
        Hunter::new([Needles::of(&subject).unwrap()]).unwrap()
    }

    fn counts(found: &Found, kind: IdentifierKind) -> (u64, u64) {
        let of = found.iter().filter(|((own, _), _)| *own == kind);
        of.fold((0, 0), |(whole, within), (_, times)| (whole + times.whole, within + times.within))
    }

    #[track_caller]
    fn finds(text: impl AsRef<[u8]>, kind: IdentifierKind, expected: (bool, bool)) {
        let (whole, within) = counts(&hunter().all(text.as_ref()), kind);
        let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
        assert_eq!((whole > 0, within > 0), expected, "{shown}");
    }

    #[test]
    fn words_that_hold_a_name_are_counted_apart() {
        let (whole, within) = ((true, false), (false, true));
        for text in [
            "Ann Lee",
            "by ANN LEE.",
            "\\nAnn Lee\\n",
            "%20ann%20lee",
            "x=ann_lee;",
            "\\u00a0Ann Lee",
            "byAnn Lee",
            "Ann Lees Buch",
            "“Ann Lee”",
            "ann-lee",
            "\\344Ann Lee",
        ] {
            finds(text, IdentifierKind::Name, whole);
        }
        for text in ["Hannah Joann Lee", "Ann Leeson", "joann-lee"] {
            finds(text, IdentifierKind::Name, within);
        }
        finds("joann@lee.example", IdentifierKind::Email, within);
        finds("ann@lee.example", IdentifierKind::Email, whole);
        finds("kd-204811", IdentifierKind::Id, within);
        finds("kd-20481", IdentifierKind::Id, whole);
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        finds(wide("x Ann Lee x"), IdentifierKind::Name, whole);
        finds(wide("Joann Leeson"), IdentifierKind::Name, within);
        finds("Anna Lee", IdentifierKind::Name, (false, false));
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        let (whole, within) = ((true, false), (false, true));
        for text in [
            "+49 30 1234567",
            "030/123 45 67",
            "(030) 12-34-567",
            "0049.30.1234567",
            "+49 (0)30 1234567",
            "tel:+49301234567",
            "%2B49%20301234567",
            "+49\u{a0}30\u{a0}123\u{a0}45\u{a0}67",
            "030&nbsp;1234567",
            "030\\u00a01234567",
            "2026: 030 1234567",
            "in 2026 030 1234567 or",
            "030 1234567 11",
        ] {
            finds(text, IdentifierKind::Phone, whole);
        }
        finds("99301234567", IdentifierKind::Phone, within);
        finds("03012345678", IdentifierKind::Phone, within);
        let wide: Vec<u8> = "tel 030 1234567".encode_utf16().flat_map(u16::to_be_bytes).collect();
        finds(wide, IdentifierKind::Phone, whole);
        finds("030 and much later 1234567", IdentifierKind::Phone, (false, false));
        finds("030 7654321", IdentifierKind::Phone, (false, false));
    }

    #[test]
    fn it_does_not_matter_how_a_stream_is_cut() {
        let hunter = hunter();
        let filler = "lorem ipsum ".repeat(60_000);
        let text = format!("Ann Lee {filler}ann@lee.example {filler}030 1234567{filler} Lee, Ann");
        let whole = hunter.all(text.as_bytes());
        assert_eq!(counts(&whole, IdentifierKind::Phone), (1, 0));
        assert!(counts(&whole, IdentifierKind::Email).0 >= 1);
        for piece in [1, 7, 4096, WINDOW - 1, WINDOW, WINDOW + 1] {
            // Pieces of one byte only around what is found: it is slow.
            let text = if piece == 1 { &text[text.len() - 400_000..] } else { &text[..] };
            let mut hunt = hunter.begin();
            text.as_bytes().chunks(piece).for_each(|piece| hunt.push(piece));
            assert_eq!(hunt.finish(), hunter.all(text.as_bytes()), "{piece}");
        }
    }
}
