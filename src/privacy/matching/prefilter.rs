//! Whether an item can hold the subject at all, told from its raw bytes.
//!
//! The bytes are folded once, letter by letter, to what every spelling that the search knows has
//! in common: small letters without marks, Cyrillic and Greek in their coarse Latin form, nothing
//! that is invisible. In that, a set of strings is looked for of which at least one is in every
//! text that holds the subject. Strings of JSON in which something is hidden behind escapes are
//! unpacked as the search does it, and what they read is looked at together with the rest.
//!
//! Folding a letter at a time, and looking for parts of words only, is what makes this sound: what
//! the search puts together from several fields, with or without marks, has the same letters here.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `reduce` | the folding |
//! | `stretches` | the parts of an item that escapes hide something in |
//! | `grams`, `digits` | strings and numbers looked for |

use std::borrow::Cow;

use memchr::memmem;

use super::addresses::EmailAnchor;
use super::fold::{is_invisible, is_unspaced, is_word_mark};
use super::names::Anchor;
use super::numbers::{Ids, Phones};
use super::{Switches, decode, fuzzy, handles::Handles};

mod digits;
mod grams;
mod reduce;
mod stretches;

use digits::Digits;
use grams::{Candidate, Grams};
use reduce::{reduce, reduced};

/// Shortest local part of an e-mail address by which it is looked for; for a shorter one the
/// domain is.
const LOCAL_MIN: usize = 3;
/// Shorter strings are looked for as words only.
const SUBSTRING_MIN: usize = 4;
/// What is between two readings of an item; no string that is looked for holds it.
const BETWEEN: u8 = stretches::QUOTE;

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
    entries: Vec<Entry>,
    /// Where they may stand.
    search: Option<Grams>,
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
        if text.is_empty() || text.contains(&BETWEEN) {
            // Nothing to go by: letters that reduce to nothing, or a string over several stretches.
            self.everything = true;
        } else {
            self.entries.push(Entry { text, check });
        }
    }

    fn build(mut self) -> Self {
        let texts: Vec<&[u8]> = self.entries.iter().map(|entry| entry.text.as_slice()).collect();
        self.search = Grams::new(&texts);
        self
    }

    /// Whether an item may hold the subject.
    pub(super) fn may_contain(&self, item: &[u8]) -> bool {
        if self.everything {
            return true;
        }
        if self.search.is_none() && self.digits.is_none() {
            return false;
        }
        // Several times as fast as the lossy way, and hardly anything else is met.
        let text = match std::str::from_utf8(item) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(item),
        };
        let mut out = Vec::with_capacity(text.len() + text.len() / 4);
        read_all(&text, Cut::No, &mut out);
        let mut nearly = false;
        if self.holds(&out, &mut nearly) {
            return true;
        }
        // The name may be part of a word, which the search cuts at its capitals.
        nearly && {
            read_all(&text, Cut::AtCapitals, &mut out);
            self.holds(&out, &mut nearly)
        }
    }

    /// Whether a reduced text may hold the subject. `nearly` is set where it may if its words were
    /// cut into parts.
    fn holds(&self, text: &[u8], nearly: &mut bool) -> bool {
        if self.digits.as_ref().is_some_and(|digits| digits.are_in(text)) {
            return true;
        }
        let Some(search) = &self.search else { return false };
        // Names of pairs that are nowhere near in this text: not looked for again.
        let mut missing = vec![[false; 2]; self.pairs.len()];
        search.any(text, |Candidate { string, at }| {
            let entry = &self.entries[string];
            if !text[at..].starts_with(&entry.text) {
                return false;
            }
            let passes = self.passes(entry, text, at, &mut missing);
            *nearly |= !passes && matches!(entry.check, Check::Near(_));
            passes
        })
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
                let pair = &self.pairs[*index];
                (0..2).any(|one| {
                    let other = 1 - one;
                    if missing[*index][other] {
                        return false;
                    }
                    let Some(word) = word_around(text, at, end, pair.longest(one)) else { return false };
                    if !pair.is_near(one, word) {
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

/// The word that begins or goes on at a place of a reduced text; `None` where it is longer than
/// the given number of bytes.
fn word_around(text: &[u8], start: usize, end: usize, longest: usize) -> Option<&str> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    // Of what is no ASCII, only the letters below are part of a word.
    let mut from = text[..start].iter().rev().take(longest + 1).take_while(|byte| part(byte)).count();
    let mut to = text[end..].iter().take(longest + 1).take_while(|byte| part(byte)).count();
    from = start - from;
    to += end;
    // Not in the middle of a character.
    while from < start && !is_boundary(text, from) {
        from += 1;
    }
    while to > end && !is_boundary(text, to) {
        to -= 1;
    }
    let around = std::str::from_utf8(&text[from..to]).ok()?;
    let (before, behind) = (&around[..start - from], &around[end - from..]);
    let first = before.trim_end_matches(is_word_char).len();
    let last = around.len() - behind.trim_start_matches(is_word_char).len();
    Some(&around[first..last]).filter(|word| word.len() <= longest)
}

/// Whether a character begins there, or the text ends.
fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

/// The words of a reduced text.
fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    let valid = text.utf8_chunks().map(|chunk| chunk.valid());
    valid.flat_map(|text| text.split(|char: char| !is_word_char(char))).filter(|word| !word.is_empty())
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

/// Whether words are cut where a small letter stands before a capital, and at digits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    No,
    AtCapitals,
}

/// Appends every reading of an item.
fn read_all(text: &str, cut: Cut, out: &mut Vec<u8>) {
    read(text, cut, out);
    stretches::escaped(text, |stretch| read_unpacked(stretch, cut, out));
}

/// Appends what a text reads.
fn read(text: &str, cut: Cut, out: &mut Vec<u8>) {
    let text = match cut {
        Cut::No => Cow::Borrowed(text),
        Cut::AtCapitals => Cow::Owned(cut_words(text)),
    };
    let mixed = reduce(&text, false, out);
    out.push(BETWEEN);
    if mixed {
        // Words in which alphabets are mixed are read once more by what their letters look like.
        reduce(&text, true, out);
        out.push(BETWEEN);
    }
}

/// Appends what a stretch reads with its escapes taken off.
fn read_unpacked(stretch: &str, cut: Cut, out: &mut Vec<u8>) {
    let unescaped = decode::unescaped(stretch);
    if unescaped.is_none() || stretches::hides_more(stretch) {
        decode::views(stretch, Switches::without(&[]), |view| read(&view.text, cut, out));
    }
    // As a JSON parser reads it; without backslashes that is what was read already.
    if let Some(text) = unescaped {
        read(&text, cut, out);
        decode::views(&text, Switches::without(&[]), |view| read(&view.text, cut, out));
    }
}

/// A text with spaces where `tokens::pieces` cuts words.
fn cut_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut before: Option<(bool, bool)> = None;
    for char in text.chars() {
        if !is_invisible(char) {
            let now = (char.is_numeric(), char.is_uppercase());
            if before.is_some_and(|(digit, capital)| digit != now.0 || (!capital && now.1)) {
                out.push(' ');
            }
            before = Some(now);
        }
        out.push(char);
    }
    out
}
