//! The keys under which the words of a name are met, and by which the prefilter knows them.

use super::super::fold::Fold;
use super::super::tokens::tokens;
use super::super::{Normaliser, inflection, spelling};
use super::PIECE_MIN;

/// What must be in a text for a family name to be found in it; for the prefilter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::privacy::matching) struct Anchor {
    /// Letters in their own script, folded, without marks.
    pub(in crate::privacy::matching) text: String,
    /// Whether it must begin and end as a word.
    pub(in crate::privacy::matching) begins: bool,
    pub(in crate::privacy::matching) ends: bool,
}

/// The keys under which one word of a name is met.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) plain: Vec<String>,
    pub(super) marked: Vec<String>,
    pub(super) latin: Vec<String>,
    pub(super) coarse: Vec<String>,
    pub(super) stems: Vec<String>,
}

impl Keys {
    pub(super) fn new(word: &str, fold: Fold) -> Self {
        let marked = fold.marked(word);
        let mut keys = Self { plain: vec![fold.plain(word)], ..Self::default() };
        if fold.switches.on(Normaliser::Transliteration) {
            keys.plain.extend(spelling::expanded(&marked).iter().map(|word| fold.plain(word)));
            keys.marked = spelling::contracted(&marked);
            keys.latin = spelling::latin(&marked).iter().map(|word| fold.plain(word)).collect();
            if keys.plain[0].is_ascii() {
                keys.coarse = spelling::readings(&keys.plain[0]);
            }
        }
        if fold.switches.on(Normaliser::Inflection) {
            keys.stems = inflection::stems(&keys.plain[0]);
        }
        keys
    }
}

/// The words of one part of a name: `Jean-Luc` is two, `O'Brien` is two.
pub(super) fn words(part: &str, fold: Fold) -> Vec<String> {
    // What divides a word of Persian and nobody sees is a space elsewhere; the half rings of
    // transcriptions are apostrophes elsewhere.
    let folded = fold.text(&part.replace(['\u{200c}', '\u{2bb}', '\u{2bd}', '\u{2be}', '\u{2bf}'], "-"));
    tokens(&folded).into_iter().map(|token| folded.text[token.range()].to_owned()).collect()
}

/// Words apart, and joined into one.
pub(super) fn joined_and_apart(words: &[String], fold: Fold) -> Vec<Vec<String>> {
    let mut forms = vec![words.to_vec()];
    if words.len() > 1 && fold.switches.on(Normaliser::Separators) {
        forms.push(vec![words.concat()]);
    }
    forms
}

/// Words in all the ways in which neighbours are joined: `o connor muster`, `oconnor muster`, …
pub(super) fn groupings(words: &[String], fold: Fold) -> Vec<Vec<String>> {
    /// Names of more words are joined as a whole only.
    const JOINED_MAX: usize = 4;
    if words.len() < 3 || words.len() > JOINED_MAX || !fold.switches.on(Normaliser::Separators) {
        return joined_and_apart(words, fold);
    }
    let mut all: Vec<Vec<String>> = vec![Vec::new()];
    for word in words {
        let joined = all.iter().filter_map(|form| {
            let (last, before) = form.split_last()?;
            Some([before, &[format!("{last}{word}")]].concat())
        });
        let joined: Vec<Vec<String>> = joined.collect();
        all.iter_mut().for_each(|form| form.push(word.clone()));
        all.extend(joined);
    }
    // The whole in one word comes last.
    all.sort_by_key(|form| std::cmp::Reverse(form.len()));
    all
}

/// Beginnings of family names that are also written apart.
const PREFIXES: [&str; 22] = [
    "o", "mc", "mac", "d", "l", "de", "da", "di", "del", "della", "van", "vande", "von", "al", "el", "fitz",
    "la", "le", "du", "st", "san", "bin",
];

/// A family name of one word as it is written in two: `obrien`, `o` and `brien`.
pub(super) fn split_prefix(word: &str) -> Option<(&str, &str)> {
    let mut best = None;
    for prefix in PREFIXES {
        if let Some(rest) = word.strip_prefix(prefix)
            && rest.chars().count() >= 4
        {
            best = Some((prefix, rest));
        }
    }
    best
}

/// The word, and what of it stands alone where it is written in two.
pub(super) fn without_prefix(word: &str) -> Vec<&str> {
    let mut out = vec![word];
    out.extend(split_prefix(word).map(|(_, rest)| rest));
    out
}

/// What the prefilter looks for: each word of a family name, in all its keys.
pub(super) fn anchor<'a>(words: impl Iterator<Item = &'a str>, fold: Fold, anchors: &mut Vec<Anchor>) {
    for word in words {
        let keys = Keys::new(word, fold);
        let marked = keys.marked.iter().map(|key| fold.plain(key));
        let all = keys.plain.iter().cloned().chain(keys.latin).chain(keys.coarse).chain(marked);
        for text in all {
            let length = text.chars().count();
            let begins = length < PIECE_MIN;
            let ends = length < inflection::BASE_MIN;
            anchors.push(Anchor { text, begins, ends });
        }
        for text in keys.stems {
            let begins = text.chars().count() < PIECE_MIN;
            anchors.push(Anchor { text, begins, ends: false });
        }
    }
}
