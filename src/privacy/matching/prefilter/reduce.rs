//! A text reduced to what all spellings of it have in common, a character at a time.
//!
//! Most of a backup is rejected by its reduced text, so this is the hottest loop of the search:
//! ASCII goes over sixteen bytes at a time, other characters by one look into a table.

use std::sync::OnceLock;

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::super::dense::{GAP_MAX, is_gap};
use super::super::fold::{Fold, is_cyrillic_or_greek, is_invisible, is_mark, is_unspaced, look_alike};
use super::super::{Switches, spelling};

/// A short text reduced: an identifier.
pub(super) fn reduced(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    reduce(text, false, &mut out);
    out
}

/// What was met in a text that was reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    /// A word that mixes alphabets.
    pub(super) mixed: bool,
    /// A letter of another alphabet that became two.
    pub(super) doubled: bool,
}

/// Appends a text reduced, which is UTF-8 again; says what was met in it.
/// `by_looks` reads letters of other alphabets as the Latin ones that they look like.
pub(super) fn reduce(text: &str, by_looks: bool, out: &mut Vec<u8>) -> Met {
    let bytes = text.as_bytes();
    let table = table();
    let start = out.len();
    out.reserve(bytes.len() + STEP);
    let mut state = State { last: NOTHING, mixed: false, doubled: false, dense_end: usize::MAX };
    let mut at = 0;
    while at < bytes.len() {
        at += ascii(&bytes[at..], &mut state, out);
        let mut chars = text[at..].chars();
        while let Some(char) = chars.next() {
            let entry = table.entry(char);
            state.meet(entry.class());
            state.doubled |= entry.is_doubled();
            let from = out.len();
            let latin = if by_looks { char.to_lowercase().next().and_then(look_alike) } else { None };
            match latin {
                Some(latin) => out.push(latin as u8),
                None => table.push(char, entry, out),
            }
            if entry.is_unspaced() {
                state.join(from, out);
            }
            // A single space between two words is not worth leaving for.
            if chars.as_str().as_bytes().first_chunk::<2>().is_some_and(|two| two.is_ascii()) {
                break;
            }
        }
        at = text.len() - chars.as_str().len();
    }
    out[start..].make_ascii_lowercase();
    Met { mixed: state.mixed, doubled: state.doubled }
}

/// Bytes of ASCII that are copied at a time.
const STEP: usize = 16;

/// Copies the ASCII at the beginning; returns how much that is.
fn ascii(bytes: &[u8], state: &mut State, out: &mut Vec<u8>) -> usize {
    const HIGH: u128 = u128::from_le_bytes([0x80; STEP]);
    let from = out.len();
    let mut at = 0;
    loop {
        let step = match bytes[at..].first_chunk::<STEP>() {
            Some(step) => *step,
            None => {
                // What is missing at the end is filled up with what is not ASCII.
                let mut step = [0x80; STEP];
                step[..bytes.len() - at].copy_from_slice(&bytes[at..]);
                step
            }
        };
        let length = ((u128::from_le_bytes(step) & HIGH).trailing_zeros() / 8) as usize;
        // Sixteen bytes and then fewer again are faster than as many as there are.
        let end = out.len() + length;
        out.extend_from_slice(&step);
        out.truncate(end);
        at += length;
        if length < STEP {
            break;
        }
    }
    if let (Some(first), Some(last)) = (out.get(from), out.last().filter(|_| at > 0)) {
        let class = |byte: &u8| if byte.is_ascii_alphanumeric() { LETTER } else { NOTHING };
        state.meet(class(first));
        state.last = class(last);
    }
    at
}

/// Classes of characters, to see where a word mixes alphabets.
const NOTHING: u8 = 0;
const LETTER: u8 = 1;
const OTHER_ALPHABET: u8 = 2;
const UNSEEN: u8 = 3;

struct State {
    /// Class of the character before, those unseen left out.
    last: u8,
    mixed: bool,
    doubled: bool,
    /// End in the reduced text of the last letter of a script without spaces.
    dense_end: usize,
}

impl State {
    fn meet(&mut self, class: u8) {
        if class != UNSEEN {
            self.mixed |= (self.last ^ class) == (LETTER ^ OTHER_ALPHABET);
            self.last = class;
        }
    }

    /// As `dense` reads it: over the spaces and dots within a name. A letter went in at `from`.
    fn join(&mut self, from: usize, out: &mut Vec<u8>) {
        let end = self.dense_end;
        if from > end
            && from - end <= GAP_MAX
            && std::str::from_utf8(&out[end..from]).is_ok_and(|gap| gap.chars().all(is_gap))
        {
            out.drain(end..from);
        }
        self.dense_end = out.len();
    }
}

/// What a character is reduced to, as far as that fits, and what it is: the bytes from the lowest
/// on, and in the highest byte their number, the class, whether its script puts no spaces, and whether it
/// is a letter of another alphabet that became two.
#[derive(Clone, Copy)]
struct Entry(u64);

/// Bytes that an entry has room for.
const ENTRY_BYTES: usize = 6;
/// Number of bytes that says that there are too many.
const TOO_MANY: usize = 7;

impl Entry {
    fn new(char: char, letters: &[u8]) -> Self {
        let class = match () {
            () if is_invisible(char) || is_mark(char) => UNSEEN,
            () if is_cyrillic_or_greek(char) => OTHER_ALPHABET,
            () if char.is_alphanumeric() => LETTER,
            () => NOTHING,
        };
        let mut bytes = [0; 8];
        let fits = letters.len() <= ENTRY_BYTES;
        if fits {
            bytes[..letters.len()].copy_from_slice(letters);
        }
        let length = if fits { letters.len() } else { TOO_MANY };
        let doubled = class == OTHER_ALPHABET && letters.len() > 1;
        bytes[7] =
            length as u8 | (class << 3) | (u8::from(is_unspaced(char)) << 5) | (u8::from(doubled) << 6);
        Self(u64::from_le_bytes(bytes))
    }

    fn length(self) -> usize {
        ((self.0 >> 56) & 7) as usize
    }

    fn class(self) -> u8 {
        ((self.0 >> 59) & 3) as u8
    }

    fn is_unspaced(self) -> bool {
        (self.0 >> 61) & 1 == 1
    }

    fn is_doubled(self) -> bool {
        (self.0 >> 62) & 1 == 1
    }
}

/// The entries of the basic plane.
struct Table(Vec<Entry>);

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut letters = Vec::new();
        let entry = |code| {
            let char = char::from_u32(code).unwrap_or_default();
            letters.clear();
            reduce_char(char, &mut letters);
            Entry::new(char, &letters)
        };
        Table((0..=0xffff).map(entry).collect())
    })
}

impl Table {
    fn entry(&self, char: char) -> Entry {
        match self.0.get(u32::from(char) as usize) {
            Some(entry) => *entry,
            // Its letters are read when they are written.
            None => Entry::new(char, &[0; ENTRY_BYTES + 1]),
        }
    }

    fn push(&self, char: char, entry: Entry, out: &mut Vec<u8>) {
        let length = entry.length();
        if length == TOO_MANY {
            reduce_char(char, out);
            return;
        }
        let end = out.len() + length;
        out.extend_from_slice(&entry.0.to_le_bytes());
        out.truncate(end);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a character at a time and without tables.
    fn naive(text: &str) -> String {
        let mut out = Vec::new();
        for char in text.chars() {
            reduce_char(char, &mut out);
        }
        String::from_utf8(out).unwrap().to_ascii_lowercase()
    }

    proptest! {
        #[test]
        fn the_table_says_what_the_letters_say(text in "[a-zA-Z0-9 äßøΩжЙ\u{ad}\u{301}ﬁㄱ각가Ⅷ𝔸😀ﷺ\"\\PC]{0,60}") {
            let spaced: String = text.chars().filter(|char| !is_unspaced(*char)).collect();
            prop_assert_eq!(String::from_utf8(reduced(&spaced)).unwrap(), naive(&spaced));
        }

        #[test]
        fn ascii_of_any_length_is_copied(before in "[A-z]{0,40}", char in "[äжか]", behind in "[A-z]{0,40}") {
            let text = format!("{before}{char}{behind}");
            prop_assert_eq!(String::from_utf8(reduced(&text)).unwrap(), naive(&text));
        }
    }

    #[test]
    fn letters_of_scripts_without_spaces_come_together() {
        for text in ["山田太郎", "山田 太郎", "山田・太郎", "山 田太-郎"] {
            assert_eq!(reduced(text), "山田太郎".as_bytes(), "{text}");
        }
        assert_eq!(reduced("山田\"太郎"), "山田\"太郎".as_bytes());
        assert_eq!(reduced("각"), "\u{1100}\u{1161}\u{11a8}".as_bytes());
    }

    #[test]
    fn mixed_alphabets_are_seen_within_a_word_only() {
        for (text, mixed) in [
            ("Mustermann Мустерманн", false),
            ("Mustеrmann", true),
            ("Мaрия", true),
            ("а\u{ad}b", true),
            ("b\u{301}а", true),
            ("ж1", true),
            ("1ж", true),
            ("ж-1", false),
            ("がжa", true),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(reduce(text, false, &mut Vec::new()).mixed, mixed, "{text}");
        }
        for (text, doubled) in [("θ", true), ("Aψb", true), ("щяъß", false), ("æ", false)] {
            assert_eq!(reduce(text, false, &mut Vec::new()).doubled, doubled, "{text}");
        }
        let mut out = b"kept ".to_vec();
        reduce("Mustеrmаnn", true, &mut out);
        assert_eq!(out, b"kept mustermann");
    }
}
