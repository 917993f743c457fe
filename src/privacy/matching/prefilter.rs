//! Whether an item can hold the subject at all, told from its raw bytes.
//!
//! The bytes are folded once, letter by letter, to what every spelling that the search knows has
//! in common: small letters without marks, Cyrillic and Greek in their coarse Latin form, nothing
//! that is invisible. In that, a set of strings is looked for of which at least one is in every
//! text that holds the subject. What is hidden behind escapes is unpacked as the search does it,
//! and looked at in the same way.
//!
//! Folding a letter at a time, and looking for parts of words only, is what makes this sound: what
//! the search puts together from several fields, with or without marks, has the same letters here.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use icu_normalizer::DecomposingNormalizerBorrowed;
use memchr::memmem;

use super::addresses::EmailAnchor;
use super::dense::{GAP_MAX, is_gap};
use super::fold::{Fold, is_cyrillic_or_greek, is_invisible, is_mark, is_unspaced, is_word_mark, look_alike};
use super::names::Anchor;
use super::numbers::{GROUP_GAP_MAX, Ids, Phones, is_group_gap, is_id_gap};
use super::{Switches, decode, fuzzy, handles::Handles, spelling};

/// Shortest local part of an e-mail address by which it is looked for; for a shorter one the
/// domain is.
const LOCAL_MIN: usize = 3;
/// Shorter strings are looked for as words only.
const SUBSTRING_MIN: usize = 4;
/// Digits that a number is looked up by.
const DIGITS_LOOKED_UP: u32 = 3;

/// What a subject wants to be looked for.
pub(super) struct Wanted<'a> {
    pub(super) anchors: &'a [Anchor],
    pub(super) fuzzy: &'a [fuzzy::Pair],
    pub(super) emails: &'a [EmailAnchor],
    pub(super) phones: &'a Phones,
    pub(super) ids: &'a Ids,
    pub(super) handles: &'a Handles,
}

/// The prefilter of one subject.
#[derive(Debug, Default)]
pub(super) struct Prefilter {
    everything: bool,
    search: Option<AhoCorasick>,
    entries: Vec<Entry>,
    /// Entries by their first byte.
    by_first: Vec<Vec<u32>>,
    digits: Option<Digits>,
    pairs: Vec<fuzzy::Near>,
}

/// A string, and what else must hold where it is found.
#[derive(Debug)]
struct Entry {
    text: Vec<u8>,
    check: Check,
}

#[derive(Debug)]
enum Check {
    /// The string begins or ends as a word.
    Word { begins: bool, ends: bool },
    /// One of these is somewhere in the item.
    WithAny(Vec<Vec<u8>>),
    /// All of these are.
    WithAll(Vec<Vec<u8>>),
    /// The word around it is near one of a pair of names, and the other one is somewhere.
    Near(usize),
}

impl Prefilter {
    /// One that rejects nothing.
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        let mut filter = Self::default();
        for anchor in wanted.anchors {
            filter.anchor(anchor);
        }
        for email in wanted.emails {
            let local = reduced(&email.local);
            let domain: Vec<Vec<u8>> = email.domain.iter().map(|label| reduced(label)).collect();
            if local.len() >= LOCAL_MIN {
                filter.add(local, Check::WithAny(domain));
            } else {
                for label in domain {
                    filter.add(label, Check::WithAll(vec![local.clone()]));
                }
            }
        }
        for name in wanted.handles.names() {
            filter.literal(name);
        }
        let mut digits: Vec<String> = wanted.phones.suffixes().map(str::to_owned).collect();
        for anchor in wanted.ids.anchors() {
            match anchor {
                Ok(run) => digits.push(run.to_owned()),
                Err(text) => filter.literal(text),
            }
        }
        filter.digits = Digits::new(&digits);
        for pair in wanted.fuzzy {
            let index = filter.pairs.len();
            filter.pairs.push(pair.reduced(|text| String::from_utf8(reduced(text)).unwrap_or_default()));
            for piece in pair.pieces() {
                filter.add(reduced(&piece), Check::Near(index));
            }
        }
        filter.build()
    }

    fn anchor(&mut self, anchor: &Anchor) {
        if !anchor.text.chars().any(is_unspaced) {
            let (begins, ends) = (anchor.begins, anchor.ends);
            self.add(reduced(&anchor.text), Check::Word { begins, ends });
            return;
        }
        // The parts of such a name may stand in two fields, wherever it is divided: of three
        // letters or more, two are then next to each other.
        let letters: Vec<Vec<u8>> =
            syllables(&anchor.text).into_iter().map(|letter| reduced(&letter)).collect();
        let pairs: Vec<Vec<u8>> = if letters.len() < 3 {
            letters.iter().take(1).cloned().collect()
        } else {
            letters.windows(2).map(<[Vec<u8>]>::concat).collect()
        };
        for pair in pairs {
            self.add(pair, Check::WithAll(letters.clone()));
        }
    }

    /// A string with signs in it that are looked for as they are.
    fn literal(&mut self, text: &str) {
        let text = reduced(text);
        let short = text.len() < SUBSTRING_MIN;
        self.add(text, Check::Word { begins: short, ends: short });
    }

    fn add(&mut self, text: Vec<u8>, check: Check) {
        if text.is_empty() {
            // Nothing to go by: letters that reduce to nothing.
            self.everything = true;
        } else {
            self.entries.push(Entry { text, check });
        }
    }

    fn build(mut self) -> Self {
        if self.everything || (self.entries.is_empty() && self.digits.is_none()) {
            return self;
        }
        self.by_first = vec![Vec::new(); 256];
        for (index, entry) in (0..).zip(&self.entries) {
            self.by_first[usize::from(entry.text[0])].push(index);
        }
        let mut texts: Vec<&[u8]> = self.entries.iter().map(|entry| entry.text.as_slice()).collect();
        texts.sort_unstable();
        // A string that begins with another one is found by that.
        texts.dedup_by(|text, before| text.starts_with(before));
        match AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&texts) {
            Ok(search) => self.search = Some(search),
            Err(_) => self.everything = true,
        }
        self
    }

    /// Whether an item may hold the subject.
    pub(super) fn may_contain(&self, item: &[u8]) -> bool {
        if self.everything {
            return true;
        }
        if self.entries.is_empty() && self.digits.is_none() {
            return false;
        }
        let text = String::from_utf8_lossy(item);
        let mut buffer = Vec::with_capacity(text.len() + text.len() / 8);
        if self.readings(&text, &mut buffer) {
            return true;
        }
        // As a JSON parser reads it; without backslashes that is what was read already.
        decode::unescaped(&text).is_some_and(|text| self.readings(&text, &mut buffer))
    }

    fn readings(&self, text: &str, buffer: &mut Vec<u8>) -> bool {
        let mut found = self.reading(text, buffer);
        if !found {
            decode::views(text, Switches::without(&[]), |view| {
                found = found || self.reading(&view.text, buffer);
            });
        }
        found
    }

    fn reading(&self, text: &str, buffer: &mut Vec<u8>) -> bool {
        let mixed = reduce(text, false, buffer);
        if self.holds(buffer) {
            return true;
        }
        // Words in which alphabets are mixed are read once more by what their letters look like.
        mixed && {
            reduce(text, true, buffer);
            self.holds(buffer)
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        if self.digits.as_ref().is_some_and(|digits| digits.are_in(text)) {
            return true;
        }
        let Some(search) = &self.search else { return false };
        // Names of pairs that are nowhere near in this text: not looked for again.
        let mut missing = vec![[false; 2]; self.pairs.len()];
        let mut from = 0;
        while let Some(hit) = search.find(&text[from..]) {
            let at = from + hit.start();
            for index in &self.by_first[usize::from(text[at])] {
                let entry = &self.entries[*index as usize];
                if text[at..].starts_with(&entry.text) && self.passes(entry, text, at, &mut missing) {
                    return true;
                }
            }
            from = at + 1;
        }
        false
    }

    fn passes(&self, entry: &Entry, text: &[u8], at: usize, missing: &mut [[bool; 2]]) -> bool {
        let end = at + entry.text.len();
        match &entry.check {
            Check::Word { begins, ends } => {
                let part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                let in_word = *begins && part(at.checked_sub(1).map(|at| &text[at]));
                !(in_word || *ends && part(text.get(end)))
            }
            Check::WithAny(others) => others.iter().any(|other| memmem::find(text, other).is_some()),
            Check::WithAll(others) => others.iter().all(|other| memmem::find(text, other).is_some()),
            Check::Near(index) => {
                let Ok(text) = std::str::from_utf8(text) else { return true };
                let word = word_around(text, at, end);
                let pair = &self.pairs[*index];
                (0..2).any(|one| {
                    let other = 1 - one;
                    if missing[*index][other] || !pair.is_near(one, word) {
                        return false;
                    }
                    let found = words(text).any(|word| pair.is_near(other, word));
                    missing[*index][other] = !found;
                    found
                })
            }
        }
    }
}

/// As `tokens` cuts words.
fn is_word_char(char: char) -> bool {
    (char.is_alphanumeric() || is_word_mark(char)) && !is_unspaced(char)
}

/// The word that begins or goes on at a place. What is folded is UTF-8 again.
fn word_around(text: &str, start: usize, end: usize) -> &str {
    let before = text[..start].trim_end_matches(is_word_char).len();
    let behind = text[end..].len() - text[end..].trim_start_matches(is_word_char).len();
    &text[before..end + behind]
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !is_word_char(char)).filter(|word| !word.is_empty())
}

/// Letters with the marks and vowels that belong to them: what a name can be divided into.
fn syllables(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for char in text.chars() {
        let goes_on = is_word_mark(char) || matches!(char, '\u{1160}'..='\u{11ff}');
        match out.last_mut().filter(|_| goes_on) {
            Some(last) => last.push(char),
            None => out.push(char.to_string()),
        }
    }
    out
}

/// A short text reduced: an identifier.
fn reduced(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    reduce(text, false, &mut out);
    out
}

/// What was last in a word: to see where alphabets are mixed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Letter,
    OtherAlphabet,
}

/// Reduces a text; says whether a word in it mixes alphabets.
fn reduce(text: &str, by_looks: bool, out: &mut Vec<u8>) -> bool {
    out.clear();
    let bytes = text.as_bytes();
    let table = table();
    let (mut at, mut last, mut mixed) = (0, Last::Nothing, false);
    // End of the last letter of a script without spaces, in `out`.
    let mut dense_end = None;
    while at < bytes.len() {
        let length = ascii_length(&bytes[at..]);
        if length > 0 {
            let run = &bytes[at..at + length];
            mixed |= last == Last::OtherAlphabet && run[0].is_ascii_alphanumeric();
            last = if run[length - 1].is_ascii_alphanumeric() { Last::Letter } else { Last::Nothing };
            out.extend_from_slice(run);
            at += length;
        }
        let Some(char) = text[at..].chars().next() else { break };
        at += char.len_utf8();
        let other = is_cyrillic_or_greek(char);
        if !is_invisible(char) && !is_mark(char) {
            mixed |= match last {
                Last::OtherAlphabet => !other && char.is_alphanumeric(),
                Last::Letter => other,
                Last::Nothing => false,
            };
            last = match () {
                () if other => Last::OtherAlphabet,
                () if char.is_alphanumeric() => Last::Letter,
                () => Last::Nothing,
            };
        }
        let from = out.len();
        let latin = if by_looks { char.to_lowercase().next().and_then(look_alike) } else { None };
        match latin {
            Some(latin) => out.push(latin as u8),
            None => table.push(char, out),
        }
        if is_unspaced(char) {
            // As `dense` reads it: over the spaces and dots within a name.
            if let Some(end) = dense_end
                && from > end
                && from - end <= GAP_MAX
                && std::str::from_utf8(&out[end..from]).is_ok_and(|gap| gap.chars().all(is_gap))
            {
                out.drain(end..from);
            }
            dense_end = Some(out.len());
        }
    }
    out.make_ascii_lowercase();
    mixed
}

/// How many bytes at the beginning are ASCII.
fn ascii_length(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut length = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes([
            chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
        ]);
        let high = word & HIGH;
        if high != 0 {
            return length + (high.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + bytes[length..].iter().take_while(|byte| byte.is_ascii()).count()
}

/// What each character of the basic plane is reduced to.
struct Table {
    /// Where the letters of a character begin in `letters`; those of the next one end them.
    starts: Vec<u32>,
    letters: Vec<u8>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table { starts: Vec::with_capacity(0x10001), letters: Vec::new() };
        for code in 0..=0xffff_u32 {
            table.starts.push(u32::try_from(table.letters.len()).unwrap_or(u32::MAX));
            if let Some(char) = char::from_u32(code) {
                reduce_char(char, &mut table.letters);
            }
        }
        table.starts.push(u32::try_from(table.letters.len()).unwrap_or(u32::MAX));
        table
    })
}

impl Table {
    fn push(&self, char: char, out: &mut Vec<u8>) {
        let code = u32::from(char) as usize;
        match (self.starts.get(code), self.starts.get(code + 1)) {
            (Some(start), Some(end)) => out.extend_from_slice(&self.letters[*start as usize..*end as usize]),
            _ => reduce_char(char, out),
        }
    }
}

/// What a character has in common with all its spellings.
fn reduce_char(char: char, out: &mut Vec<u8>) {
    let fold = Fold { switches: Switches::without(&[]) };
    let mut folded = String::new();
    fold.char(char, &mut folded);
    let mut buffer = [0; 4];
    for part in DecomposingNormalizerBorrowed::new_nfd().normalize_iter(fold.plain(&folded).chars()) {
        if is_mark(part) {
            continue;
        }
        match spelling::coarse_char(part) {
            Some(letters) => out.extend_from_slice(letters.as_bytes()),
            None => out.extend_from_slice(part.encode_utf8(&mut buffer).as_bytes()),
        }
    }
}

/// Digits in a row, whatever separates their groups.
#[derive(Debug)]
struct Digits {
    /// Numbers by their last three digits: the digits as nibbles, and which of them count.
    by_end: Vec<Vec<(u64, u64)>>,
}

impl Digits {
    /// Numbers of at least three digits; of longer ones the last sixteen count.
    fn new(numbers: &[String]) -> Option<Self> {
        if numbers.is_empty() {
            return None;
        }
        let mut by_end = vec![Vec::new(); 1 << (4 * DIGITS_LOOKED_UP)];
        for number in numbers {
            let value = number.bytes().fold(0_u64, |value, digit| (value << 4) | u64::from(digit - b'0'));
            let mask = u64::MAX >> (64 - 4 * number.len().min(16));
            let value = value & mask;
            by_end[(value & 0xfff) as usize].push((value, mask));
        }
        Some(Self { by_end })
    }

    fn are_in(&self, text: &[u8]) -> bool {
        const CHUNK: usize = 32;
        // A nibble of 15 is no digit.
        let (mut row, mut gap) = (u64::MAX, 0);
        for chunk in text.chunks(CHUNK) {
            let digits = chunk.iter().map(|byte| u8::from(byte.wrapping_sub(b'0') < 10)).sum::<u8>();
            if digits == 0 {
                if chunk.len() > GROUP_GAP_MAX {
                    row = u64::MAX;
                } else {
                    gap += chunk.len();
                }
                continue;
            }
            for byte in chunk {
                if byte.is_ascii_digit() {
                    row = (row << 4) | u64::from(byte - b'0');
                    gap = 0;
                    let numbers = &self.by_end[(row & 0xfff) as usize];
                    if numbers.iter().any(|(value, mask)| row & mask == *value) {
                        return true;
                    }
                } else {
                    gap += 1;
                    if gap > GROUP_GAP_MAX || !(is_group_gap(*byte) || is_id_gap(*byte)) {
                        row = u64::MAX;
                    }
                }
            }
        }
        false
    }
}
