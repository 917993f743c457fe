//! Names in scripts that put no spaces between words: Chinese, Japanese, Korean, Thai.
//!
//! The letters of such scripts are read as one stream, without the spaces and middle dots that may
//! stand between family and given name, and names are looked for anywhere in it.

use aho_corasick::AhoCorasick;
use icu_normalizer::DecomposingNormalizerBorrowed;

use super::fold::{Fold, Folded, is_hangul, is_katakana, is_unspaced, is_word_mark};
use super::names::Anchor;
use super::{Normaliser, Raw, Rule};
use crate::privacy::subject::{IdentifierKind, IdentifierRef, PersonName};

/// Bytes of white space and dots that may stand within a name.
pub(super) const GAP_MAX: usize = 4;

/// The names of a subject in scripts without spaces.
#[derive(Debug, Default)]
pub(super) struct DenseNames {
    search: Option<AhoCorasick>,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    name: u32,
    rule: Rule,
    hangul: bool,
    katakana: bool,
}

/// The stream, and where its bytes came from in the folded text.
#[derive(Default)]
struct Stream {
    text: String,
    origin: Vec<u32>,
    /// Characters that follow directly on the one before, without a space.
    glued: Vec<bool>,
}

/// What may stand between the letters of a name: white space and the dots of foreign names.
pub(super) fn is_gap(char: char) -> bool {
    char.is_whitespace() || matches!(char, '・' | '·' | '･' | '‧' | '•' | '=' | '-' | '_')
}

fn letters(word: &str, fold: Fold) -> String {
    let folded = fold.string(word);
    let kept = folded.chars().filter(|char| is_unspaced(*char) || is_word_mark(*char));
    if fold.switches.on(Normaliser::Form) {
        return DecomposingNormalizerBorrowed::new_nfd().normalize_iter(kept).collect();
    }
    kept.collect()
}

/// A name in kana in both of them: what is written in hiragana in one place is in katakana in another.
fn in_both_kana(text: &str) -> Vec<String> {
    let moved = |from: std::ops::RangeInclusive<u32>, by: i64| -> String {
        text.chars()
            .map(|char| {
                let code = u32::from(char);
                let other = u32::try_from(i64::from(code) + by).ok().and_then(char::from_u32);
                other.filter(|_| from.contains(&code)).unwrap_or(char)
            })
            .collect()
    };
    let mut all = vec![text.to_owned(), moved(0x3041..=0x3096, 0x60), moved(0x30a1..=0x30f6, -0x60)];
    all.sort();
    all.dedup();
    all
}

impl DenseNames {
    pub(super) fn new(list: &[PersonName], fold: Fold, anchors: &mut Vec<Anchor>) -> Self {
        let mut texts = Vec::new();
        let mut names = Self::default();
        for (index, name) in list.iter().enumerate().filter(|(_, name)| name.is_unspaced()) {
            let family = letters(&name.family.concat(), fold);
            let given = letters(&name.given.concat(), fold);
            let mut forms = vec![(Rule::NameFull, format!("{family}{given}"))];
            if !given.is_empty() {
                if fold.switches.on(Normaliser::Order) || family.chars().any(is_katakana) {
                    forms.push((Rule::NameFull, format!("{given}{family}")));
                }
                // A family name of one character is in every second word.
                if name.family.concat().chars().count() > 1 {
                    forms.push((Rule::Surname, family));
                }
            }
            let forms = forms.into_iter().filter(|(_, text)| !text.is_empty());
            let forms =
                forms.flat_map(|(rule, text)| in_both_kana(&text).into_iter().map(move |text| (rule, text)));
            for (rule, text) in forms {
                let Ok(index) = u32::try_from(index) else { continue };
                let hangul = text.chars().any(is_hangul);
                let katakana = text.chars().all(is_katakana);
                names.patterns.push(Pattern { name: index, rule, hangul, katakana });
                anchors.push(Anchor { text: text.clone(), begins: false, ends: false });
                texts.push(text);
            }
        }
        if !texts.is_empty() {
            // Too many or too long patterns are the only error, and identifiers are bounded.
            names.search = AhoCorasick::new(&texts).ok();
        }
        names
    }

    pub(super) fn find(&self, folded: &Folded, fold: Fold, found: &mut Vec<Raw>) {
        let Some(search) = &self.search else { return };
        if folded.text.is_ascii() {
            return;
        }
        let stream = Stream::new(folded, fold);
        for hit in search.find_overlapping_iter(&stream.text) {
            let pattern = &self.patterns[hit.pattern().as_usize()];
            if stream.cuts_a_letter(hit.start(), hit.end()) {
                continue;
            }
            let glued_before = stream.glued[hit.start()];
            let glued_after = hit.end() < stream.text.len() && stream.glued[hit.end()];
            let before = stream.text[..hit.start()].chars().next_back().filter(|_| glued_before);
            let after = stream.text[hit.end()..].chars().next().filter(|_| glued_after);
            if (pattern.hangul && before.is_some_and(is_hangul))
                || (pattern.katakana && (before.is_some_and(is_katakana) || after.is_some_and(is_katakana)))
            {
                continue;
            }
            let last = stream.text[..hit.end()].char_indices().next_back().map_or(0, |(at, _)| at);
            let last = stream.origin[last] as usize;
            found.push(Raw {
                identifier: IdentifierRef { kind: IdentifierKind::Name, index: pattern.name },
                rule: pattern.rule,
                start: stream.origin[hit.start()] as usize,
                end: last + folded.text[last..].chars().next().map_or(0, char::len_utf8),
            });
        }
    }
}

impl Stream {
    fn new(folded: &Folded, fold: Fold) -> Self {
        let mut stream = Self::default();
        let mut glued = false;
        // Where the last letter ended; what is between it and the next may be passed over.
        let mut end = 0;
        let mut passable = true;
        let mut part = String::new();
        for (at, char) in folded.text.char_indices() {
            if !(is_unspaced(char) || is_word_mark(char)) {
                glued = false;
                passable &= is_gap(char) && fold.switches.on(Normaliser::Separators);
                continue;
            }
            if at > end && !(passable && at - end <= GAP_MAX) {
                stream.push('\n', at, false);
            }
            part.clear();
            if fold.switches.on(Normaliser::Form) {
                part.extend(DecomposingNormalizerBorrowed::new_nfd().normalize_iter(std::iter::once(char)));
            } else {
                part.push(char);
            }
            for char in part.chars() {
                stream.push(char, at, glued);
                glued = true;
            }
            end = at + char.len_utf8();
            passable = true;
        }
        stream
    }

    fn push(&mut self, char: char, at: usize, glued: bool) {
        self.text.push(char);
        for _ in 0..char.len_utf8() {
            self.origin.push(u32::try_from(at).unwrap_or(u32::MAX));
            self.glued.push(glued);
        }
    }

    /// Whether a match begins or ends within a letter that was taken apart.
    fn cuts_a_letter(&self, start: usize, end: usize) -> bool {
        let goes_on = |char: char| matches!(char, '\u{1160}'..='\u{11ff}' | '\u{3099}' | '\u{309a}');
        self.text[start..].chars().next().is_some_and(goes_on)
            || self.text[end..].chars().next().is_some_and(goes_on)
    }
}
