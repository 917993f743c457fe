//! Names with up to two mistypings. For review only.
//!
//! The distance is Damerau and Levenshtein's with adjacent transpositions, over given and family
//! name together, in either order. How much is allowed depends on the length, so that one piece of
//! at least three letters always survives: by these the prefilter knows where to look.

use super::fold::{Fold, Folded};
use super::tokens::Token;

/// Names that are looked for with mistypings: each costs a comparison a word. Later aliases are
/// looked for as they are.
pub(super) const NAMES_MAX: usize = 64;
/// Letters of both names together from which one mistyping is allowed.
const ONE_FROM: usize = 8;
/// Letters from which two are.
const TWO_FROM: usize = 10;
/// Bytes between two words that are read as one name.
const BETWEEN_MAX: usize = 3;
/// Mistypings allowed on top where letters are reduced: one of Greek may become two.
const REDUCED_MORE: usize = 1;
/// Shortest piece that survives.
const PIECE_MIN: usize = 3;
/// Shortest name that can be halved.
const HALVED_MIN: usize = 2 * PIECE_MIN;

/// A given and a family name that are looked for together.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: u32,
    words: [Word; 2],
    allowed: usize,
}

/// A pair with reduced letters.
#[derive(Debug)]
pub(super) struct Near {
    words: [Word; 2],
    allowed: usize,
}

impl Near {
    /// Bytes of the longest word that is near the given (0) or the family name (1).
    pub(super) fn longest(&self, which: usize) -> usize {
        (self.words[which].letters.len() + self.allowed) * char::MAX_LEN_UTF8
    }

    /// Whether a word is near the given (0) or the family name (1).
    pub(super) fn is_near(&self, which: usize, word: &str) -> bool {
        self.words[which].distance(word, word.chars().count(), mask(word), self.allowed).is_some()
    }
}

#[derive(Debug)]
struct Word {
    letters: Vec<char>,
    mask: u64,
}

impl Word {
    fn new(text: &str) -> Self {
        Self { letters: text.chars().collect(), mask: mask(text) }
    }

    /// The distance, if it is not above `most`.
    fn distance(&self, text: &str, length: usize, bits: u64, most: usize) -> Option<usize> {
        // Each edit changes the length by one at most, and the set of letters by two.
        if self.letters.len().abs_diff(length) > most || (self.mask ^ bits).count_ones() as usize > 2 * most {
            return None;
        }
        let distance = distance(&self.letters, text);
        (distance <= most).then_some(distance)
    }
}

/// Edits and swaps of neighbours.
fn distance(known: &[char], text: &str) -> usize {
    let text: Vec<char> = text.chars().collect();
    strsim::generic_damerau_levenshtein(known, &text)
}

/// The set of letters, folded into 64 bits.
fn mask(text: &str) -> u64 {
    text.chars().fold(0, |mask, char| mask | 1 << (u32::from(char) % 64))
}

impl Pair {
    /// `None` where the names are too short for it.
    pub(super) fn new(name: u32, given: &str, family: &str) -> Option<Self> {
        let (first, last) = (given.chars().count(), family.chars().count());
        if first < PIECE_MIN || last < PIECE_MIN {
            return None;
        }
        let allowed = match first + last {
            sum if sum >= TWO_FROM && first.max(last) >= HALVED_MIN => 2,
            sum if sum >= ONE_FROM => 1,
            _ => return None,
        };
        Some(Self { name, words: [Word::new(given), Word::new(family)], allowed })
    }

    /// Pieces of which one is in every text that holds the name with its mistypings.
    pub(super) fn pieces(&self) -> Vec<String> {
        let text = |letters: &[char]| letters.iter().collect::<String>();
        let [given, family] = &self.words;
        if self.allowed < 2 {
            return vec![text(&given.letters), text(&family.letters)];
        }
        let (halved, whole) =
            if family.letters.len() >= HALVED_MIN { (family, given) } else { (given, family) };
        let middle = halved.letters.len() / 2;
        // Letters swapped over the middle spoil both halves with one edit.
        let mut swapped = halved.letters.clone();
        swapped.swap(middle - 1, middle);
        vec![
            text(&whole.letters),
            text(&halved.letters[..middle]),
            text(&halved.letters[middle..]),
            text(&swapped),
        ]
    }

    /// The pair as the prefilter compares it, with its letters reduced.
    pub(super) fn reduced(&self, reduce: impl Fn(&str) -> String) -> Near {
        let word = |word: &Word| Word::new(&reduce(&word.letters.iter().collect::<String>()));
        Near { words: [word(&self.words[0]), word(&self.words[1])], allowed: self.allowed + REDUCED_MORE }
    }

    fn is(&self, first: &Seen, second: &Seen) -> bool {
        let sum = |a: &Word, b: &Word| {
            let rest = a.distance(&first.text, first.length, first.mask, self.allowed)?;
            let other = b.distance(&second.text, second.length, second.mask, self.allowed - rest)?;
            Some(rest + other)
        };
        let [given, family] = &self.words;
        sum(given, family).or_else(|| sum(family, given)).is_some_and(|sum| sum > 0)
    }
}

/// A word of the text.
struct Seen {
    text: String,
    length: usize,
    mask: u64,
}

/// Hands out the name and the words of every pair of neighbours that is near one.
pub(super) fn find(
    pairs: &[Pair],
    folded: &Folded,
    tokens: &[Token],
    fold: Fold,
    mut each: impl FnMut(u32, usize, usize),
) {
    if pairs.is_empty() {
        return;
    }
    let mut before: Option<Seen> = None;
    for (at, token) in tokens.iter().enumerate() {
        let text = fold.plain(&folded.text[token.range()]);
        let now = Seen { length: text.chars().count(), mask: mask(&text), text };
        if let Some(before) = &before {
            let between = &folded.text[tokens[at - 1].end as usize..token.start as usize];
            if between.len() <= BETWEEN_MAX && !between.contains(['.', '!', '?', ';']) {
                for pair in pairs.iter().filter(|pair| pair.is(before, &now)) {
                    each(pair.name, at - 1, at);
                }
            }
        }
        before = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// One piece survives whatever two edits do.
        #[test]
        fn a_piece_survives(
            given in "[a-d]{3,7}", family in "[a-d]{3,9}",
            edits in proptest::collection::vec((0..3_usize, 0..20_usize, prop::char::range('a', 'd')), 0..3),
        ) {
            let Some(pair) = Pair::new(0, &given, &family) else { return Ok(()) };
            let mut text: Vec<char> = format!("{given} {family}").chars().collect();
            for (kind, at, char) in edits.into_iter().take(pair.allowed) {
                let at = at % text.len();
                if text[at] == ' ' { continue; }
                match kind {
                    0 => text[at] = char,
                    1 => text.insert(at, char),
                    _ if at + 1 < text.len() && text[at + 1] != ' ' => text.swap(at, at + 1),
                    _ => { text.remove(at); }
                }
            }
            let text: String = text.into_iter().collect();
            let Some((first, second)) = text.split_once(' ') else { return Ok(()) };
            let seen = |text: &str| Seen { text: text.to_owned(), length: text.chars().count(), mask: mask(text) };
            if pair.is(&seen(first), &seen(second)) {
                prop_assert!(pair.pieces().iter().any(|piece| text.contains(piece.as_str())), "{text}");
            }
        }
    }
}
