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
use std::ops::Range;

use memchr::memmem::Finder;

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
use reduce::{Met, reduce, reduced};

/// Shortest local part of an e-mail address by which it is looked for; for a shorter one the
/// domain is.
const LOCAL_MIN: usize = 3;
/// Shorter strings are looked for as words only.
const SUBSTRING_MIN: usize = 4;
/// What is between two readings of an item; no string that is looked for holds it.
const BETWEEN: u8 = stretches::QUOTE;

/// What a subject wants to be looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) anchors: &'a [Anchor],
    /// For a prefilter of passages.
    pub(super) support: Option<Support<'a>>,
    pub(super) fuzzy: &'a [fuzzy::Pair],
    pub(super) emails: &'a [EmailAnchor],
    pub(super) phones: &'a Phones,
    pub(super) ids: &'a Ids,
    pub(super) handles: &'a Handles,
}

/// What alone makes no finding of an item, and supports those of other passages.
#[derive(Clone, Copy)]
pub(super) struct Support<'a> {
    /// Given names.
    pub(super) given: &'a [Anchor],
    /// Words of context, folded.
    pub(super) context: &'a [String],
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
    WithAny(Vec<Finder<'static>>),
    /// All of these are.
    WithAll(Vec<Finder<'static>>),
    /// The word around it is near one of a pair of names, and the other one is somewhere.
    Near(usize),
}

fn finders(texts: &[Vec<u8>]) -> Vec<Finder<'static>> {
    texts.iter().map(|text| Finder::new(text).into_owned()).collect()
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
        if let Some(Support { given, context }) = wanted.support {
            given.iter().for_each(|anchor| filter.anchor(anchor));
            // The longest word: what is between words may be written in several ways.
            for text in context {
                let words = text.split(|char: char| !char.is_alphanumeric());
                let longest = words.max_by_key(|word| word.len()).unwrap_or_default();
                filter.add(reduced(longest), Check::Word { begins: false, ends: false });
            }
        }
        for email in wanted.emails {
            let local = reduced(&email.local);
            let domain: Vec<Vec<u8>> = email.domain.iter().map(|label| reduced(label)).collect();
            if local.len() >= LOCAL_MIN {
                filter.add(local, Check::WithAny(finders(&domain)));
            } else {
                for label in domain {
                    filter.add(label, Check::WithAll(finders(std::slice::from_ref(&local))));
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
            self.add(pair, Check::WithAll(finders(&letters)));
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
        let doubled = read_all(&text, Cut::No, &mut out);
        let mut nearly = false;
        if self.holds(&out, doubled, &mut nearly) {
            return true;
        }
        // The name may be part of a word, which the search cuts at its capitals.
        nearly && {
            let doubled = read_all(&text, Cut::AtCapitals, &mut out);
            self.holds(&out, doubled, &mut nearly)
        }
    }

    /// Whether a reduced text may hold the subject, in which letters became two or none did. `nearly` is
    /// set where it may if its words were cut into parts.
    fn holds(&self, text: &[u8], doubled: bool, nearly: &mut bool) -> bool {
        if self.digits.as_ref().is_some_and(|digits| digits.are_in(text)) {
            return true;
        }
        let Some(search) = &self.search else { return false };
        let mut looking = Looking { text, doubled, tried: Vec::new(), nearly };
        search.any(text, |Candidate { string, at }| {
            let entry = &self.entries[string];
            text[at..].starts_with(&entry.text) && self.passes(entry, at, &mut looking)
        })
    }

    fn passes(&self, entry: &Entry, at: usize, looking: &mut Looking<'_>) -> bool {
        let (text, end) = (looking.text, at + entry.text.len());
        match &entry.check {
            Check::Word { begins, ends } => {
                let part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                let in_word = *begins && part(at.checked_sub(1).map(|at| &text[at]));
                !(in_word || *ends && part(text.get(end)))
            }
            Check::WithAny(others) => others.iter().any(|other| other.find(text).is_some()),
            Check::WithAll(others) => others.iter().all(|other| other.find(text).is_some()),
            Check::Near(index) => {
                (0..2).any(|one| looking.is_near(&self.pairs[*index], *index, one, at..end))
            }
        }
    }
}

/// A reduced text that is looked through.
struct Looking<'a> {
    text: &'a [u8],
    /// Whether letters of it became two.
    doubled: bool,
    /// What was tried of each pair so far; empty before the first.
    tried: Vec<[Tried<'a>; 2]>,
    /// Whether a pair may be in the text if its words were cut into parts.
    nearly: &'a mut bool,
}

/// What was tried of one name of a pair.
#[derive(Debug, Clone, Copy, Default)]
struct Tried<'a> {
    /// The last word that was no part of the pair. Often it comes again: in addresses, in markup.
    word: &'a str,
    /// From 1, the edits within which the name is nowhere in the text.
    missing: usize,
}

impl Looking<'_> {
    /// Whether the word around a place is near one name of a pair, and the other one is somewhere, with as
    /// many edits as are left.
    fn is_near(&mut self, pair: &fuzzy::Near, index: usize, one: usize, place: Range<usize>) -> bool {
        let (text, other, most) = (self.text, 1 - one, pair.allowed(self.doubled));
        let longest = pair.longest(one);
        let word = word_around(text, place, longest);
        if self.tried.len() <= index {
            self.tried.resize(index + 1, Default::default());
        }
        let tried = &mut self.tried[index];
        if word == tried[one].word {
            return false;
        }
        tried[one].word = word;
        let distance = if word.len() <= longest { pair.distance(one, word, most) } else { None };
        if let Some(distance) = distance {
            let left = most - distance;
            if tried[other].missing <= left && pair.may_be_in(other, text, left) {
                if words(text).any(|word| pair.distance(other, word, left).is_some()) {
                    return true;
                }
                tried[other].missing = left + 1;
            }
        }
        if !*self.nearly {
            let distance = pair.distance_within(one, word, most);
            *self.nearly = distance.is_some_and(|distance| pair.may_be_in(other, text, most - distance));
        }
        false
    }
}

/// As `tokens` cuts words.
fn is_word_char(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_alphanumeric();
    }
    (char.is_alphanumeric() || is_word_mark(char)) && !is_unspaced(char)
}

/// The word that begins or goes on at a place of a reduced text. Of one that is longer than the given
/// number of bytes, a part that is longer, too, with the place in its middle.
fn word_around(text: &[u8], place: Range<usize>, longest: usize) -> &str {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    // Of what is no ASCII, only the letters below are part of a word.
    let mut from = text[..place.start].iter().rev().take(longest + 1).take_while(|byte| part(byte)).count();
    let mut to = text[place.end..].iter().take(longest + 1).take_while(|byte| part(byte)).count();
    from = place.start - from;
    to += place.end;
    // Not in the middle of a character.
    while from < place.start && !is_boundary(text, from) {
        from += 1;
    }
    while to > place.end && !is_boundary(text, to) {
        to -= 1;
    }
    let Ok(around) = std::str::from_utf8(&text[from..to]) else { return "" };
    let (before, behind) = (&around[..place.start - from], &around[place.end - from..]);
    let first = before.trim_end_matches(is_word_char).len();
    let last = around.len() - behind.trim_start_matches(is_word_char).len();
    &around[first..last]
}

/// Whether a character begins there, or the text ends.
fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

/// The words of a reduced text.
fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    // It is UTF-8, which is quickly seen of all at once.
    let whole = std::str::from_utf8(text).ok();
    let chunks = if whole.is_some() { &[] } else { text }.utf8_chunks().map(|chunk| chunk.valid());
    whole
        .into_iter()
        .chain(chunks)
        .flat_map(|text| text.split(|char: char| !is_word_char(char)))
        .filter(|word| !word.is_empty())
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

/// Appends every reading of an item; says whether letters of it became two.
fn read_all(text: &str, cut: Cut, out: &mut Vec<u8>) -> bool {
    let mut doubled = read(text, cut, out);
    stretches::escaped(text, |stretch| doubled |= read_unpacked(stretch, cut, out));
    doubled
}

/// Appends what a text reads.
fn read(text: &str, cut: Cut, out: &mut Vec<u8>) -> bool {
    let text = match cut {
        Cut::No => Cow::Borrowed(text),
        Cut::AtCapitals => Cow::Owned(cut_words(text)),
    };
    let Met { mixed, doubled } = reduce(&text, false, out);
    out.push(BETWEEN);
    if mixed {
        // Words in which alphabets are mixed are read once more by what their letters look like.
        reduce(&text, true, out);
        out.push(BETWEEN);
    }
    doubled
}

/// Appends what a stretch reads with its escapes taken off.
fn read_unpacked(stretch: &str, cut: Cut, out: &mut Vec<u8>) -> bool {
    let mut doubled = false;
    let mut views = |text: &str, out: &mut Vec<u8>| {
        decode::views(text, Switches::without(&[]), |view| doubled |= read(&view.text, cut, out));
    };
    let unescaped = decode::unescaped(stretch);
    if unescaped.is_none() || stretches::hides_more(stretch) {
        views(stretch, out);
    }
    // As a JSON parser reads it; without backslashes that is what was read already.
    if let Some(text) = unescaped {
        views(&text, out);
        doubled |= read(&text, cut, out);
    }
    doubled
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
