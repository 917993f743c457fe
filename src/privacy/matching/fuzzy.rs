//! Names with up to two mistypings. For review only.
//!
//! The distance is Damerau and Levenshtein's with adjacent transpositions, over given and family
//! name together, in either order. How much is allowed depends on the length, so that one piece of
//! at least three letters always survives: by these the prefilter knows where to look.

use memchr::memmem::Finder;

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
/// Letters that one of Greek becomes at most where letters are reduced: a mistyping is as many then.
const DOUBLED: usize = 2;
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
    /// Whether one of its letters became two.
    doubled: bool,
}

impl Near {
    /// Bytes of the longest word that is near the given (0) or the family name (1).
    pub(super) fn longest(&self, which: usize) -> usize {
        (self.words[which].letters.len() + self.allowed * DOUBLED) * char::MAX_LEN_UTF8
    }

    /// Edits of both words together at most, in a text in which letters became two or none did.
    pub(super) fn allowed(&self, doubled: bool) -> usize {
        if doubled || self.doubled { self.allowed * DOUBLED } else { self.allowed }
    }

    /// The distance of a word from the given (0) or the family name (1), if it is not above `most`.
    pub(super) fn distance(&self, which: usize, word: &str, most: usize) -> Option<usize> {
        let known = &self.words[which];
        // Letters are bytes at least.
        if word.len() + most < known.letters.len() {
            return None;
        }
        known.distance(word, word.chars().count(), mask(word), most)
    }

    /// The same of the nearest part of a text.
    pub(super) fn distance_within(&self, which: usize, text: &str, most: usize) -> Option<usize> {
        distance(&self.words[which].letters, text, Ends::Free, most)
    }

    /// Whether a part of a text can be as near as that to the given (0) or the family name (1): told by
    /// the letters that are left of it then. `true` where nothing is known.
    pub(super) fn may_be_in(&self, which: usize, text: &[u8], most: usize) -> bool {
        let Some(parts) = self.words[which].parts.get(most) else { return true };
        parts.is_empty() || parts.iter().any(|part| part.find(text).is_some())
    }
}

#[derive(Debug)]
struct Word {
    letters: Vec<char>,
    mask: u64,
    text: String,
    /// For no edit, one and two: parts of which one is there whatever these do; none where they would be
    /// too short.
    parts: [Vec<Finder<'static>>; 3],
}

impl Word {
    fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let finders = |parts: Vec<String>| {
            parts.iter().map(|part| Finder::new(part.as_bytes()).into_owned()).collect::<Vec<_>>()
        };
        let (mut one, mut two) = (Vec::new(), Vec::new());
        if letters.len() >= HALVED_MIN {
            one = halves(&letters).into();
        }
        if letters.len() >= 3 * PIECE_MIN {
            two = thirds(&letters).into();
        }
        let parts = [vec![text.to_owned()], one, two].map(finders);
        Self { letters, mask: mask(text), text: text.to_owned(), parts }
    }

    /// The distance, if it is not above `most`.
    fn distance(&self, text: &str, length: usize, bits: u64, most: usize) -> Option<usize> {
        // Each edit changes the length by one at most, and the set of letters by two.
        if self.letters.len().abs_diff(length) > most || (self.mask ^ bits).count_ones() as usize > 2 * most {
            return None;
        }
        distance(&self.letters, text, Ends::Fixed, most)
    }
}

/// The halves of a word, and the word with the letters in its middle swapped, which spoils both halves
/// with one edit.
fn halves(letters: &[char]) -> [String; 3] {
    let middle = letters.len() / 2;
    let mut swapped = letters.to_vec();
    swapped.swap(middle - 1, middle);
    [&letters[..middle], &letters[middle..], &swapped].map(|part| part.iter().collect())
}

/// The same for two edits: thirds, and what is left where letters are swapped over the bounds between them.
fn thirds(letters: &[char]) -> [String; 6] {
    let (first, second) = (letters.len() / 3, letters.len() * 2 / 3);
    let swapped = |part: &[char], bounds: &[usize]| {
        let mut part = part.to_vec();
        bounds.iter().for_each(|bound| part.swap(bound - 1, *bound));
        part.iter().collect()
    };
    [
        swapped(&letters[..first], &[]),
        swapped(&letters[first..second], &[]),
        swapped(&letters[second..], &[]),
        swapped(&letters[..second], &[first]),
        swapped(&letters[first..], &[second - first]),
        swapped(letters, &[first, second]),
    ]
}

/// Whether all of a text is compared, or the part of it that is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Fixed,
    Free,
}

/// Edits and swaps of neighbours (Damerau and Levenshtein, with edits between what is swapped), if they are
/// not more than `most`. Gives up as early as it can: most words are nowhere near.
fn distance(known: &[char], text: &str, ends: Ends, most: usize) -> Option<usize> {
    let text: Vec<char> = text.chars().collect();
    let columns = text.len() + 1;
    let mut table = vec![0; (known.len() + 1) * columns];
    if ends == Ends::Fixed {
        for (column, cell) in table[..columns].iter_mut().enumerate() {
            *cell = column;
        }
    }
    // For each letter of the text the last row above with the same letter.
    let mut rows = vec![0; text.len()];
    // The least from which a row below can begin: each row that is skipped costs one.
    let mut reach = 0;
    for (row, letter) in (1..).zip(known) {
        table[row * columns] = row;
        let mut least = row;
        let mut same = 0;
        for (column, other) in (1..).zip(&text) {
            let cell = |row: usize, column: usize| table[row * columns + column];
            let is_same = letter == other;
            let mut best = (cell(row - 1, column - 1) + usize::from(!is_same))
                .min(cell(row - 1, column) + 1)
                .min(cell(row, column - 1) + 1);
            let before = rows[column - 1];
            if before > 0 && same > 0 {
                let between = (row - before - 1) + (column - same - 1);
                best = best.min(cell(before - 1, same - 1) + between + 1);
            }
            if is_same {
                same = column;
                rows[column - 1] = row;
            }
            table[row * columns + column] = best;
            least = least.min(best);
        }
        reach = least.min(reach + 1);
        if reach > most {
            return None;
        }
    }
    let last = &table[known.len() * columns..];
    let distance = match ends {
        Ends::Fixed => last.last(),
        Ends::Free => last.iter().min(),
    };
    distance.copied().filter(|distance| *distance <= most)
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
        let mut pieces = vec![text(&whole.letters)];
        pieces.extend(halves(&halved.letters));
        pieces
    }

    /// The pair as the prefilter compares it, with its letters reduced.
    pub(super) fn reduced(&self, reduce: impl Fn(&str) -> String) -> Near {
        let words = self.words.each_ref().map(|word| Word::new(&reduce(&word.text)));
        let letters = |words: &[Word; 2]| words.iter().map(|word| word.letters.len()).sum::<usize>();
        Near { doubled: letters(&words) > letters(&self.words), words, allowed: self.allowed }
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
        #[test]
        fn distances_are_those_of_the_library(known in "[a-dé]{0,9}", text in "[a-dé]{0,9}", most in 0..6_usize) {
            let letters: Vec<char> = known.chars().collect();
            let expected = strsim::damerau_levenshtein(&known, &text);
            prop_assert_eq!(distance(&letters, &text, Ends::Fixed, most), Some(expected).filter(|one| *one <= most));
        }

        #[test]
        fn the_nearest_part_is_that_of_all_parts(known in "[a-d]{1,6}", text in "[a-d]{0,9}", most in 0..6_usize) {
            let letters: Vec<char> = known.chars().collect();
            let parts = (0..=text.len()).flat_map(|from| (from..=text.len()).map(move |to| (from, to)));
            let expected = parts.map(|(from, to)| strsim::damerau_levenshtein(&known, &text[from..to])).min();
            prop_assert_eq!(distance(&letters, &text, Ends::Free, most), expected.filter(|one| *one <= most));
        }

        /// Whatever is as near as that is not ruled out before it is compared.
        #[test]
        fn what_is_near_may_be_in(given in "[a-c]{3,10}", family in "[a-c]{3,10}", text in "[a-c]{0,12}", most in 0..4_usize) {
            let Some(pair) = Pair::new(0, &given, &family) else { return Ok(()) };
            let near = pair.reduced(str::to_owned);
            for which in 0..2 {
                if near.distance_within(which, &text, most).is_some() {
                    prop_assert!(near.may_be_in(which, text.as_bytes(), most));
                }
                if let Some(distance) = near.distance(which, &text, most) {
                    prop_assert!(near.distance_within(which, &text, most).is_some_and(|least| least <= distance));
                }
            }
        }

        /// The same where the text is the name with some edits: such texts are hardly drawn by chance.
        #[test]
        fn edited_names_may_be_in(
            name in "[a-z]{6,12}", edits in proptest::collection::vec((0..4_usize, 0..20_usize, prop::char::range('a', 'z')), 0..3),
        ) {
            let word = Word::new(&name);
            let near = Near { words: [Word::new(&name), Word::new(&name)], allowed: 2, doubled: false };
            let mut text: Vec<char> = name.chars().collect();
            for (kind, at, char) in &edits {
                let at = at % text.len();
                match kind {
                    0 => text[at] = *char,
                    1 => text.insert(at, *char),
                    2 if at + 1 < text.len() => text.swap(at, at + 1),
                    _ => { text.remove(at); }
                }
            }
            let text: String = text.into_iter().collect();
            let within = format!("x {text}y");
            prop_assert!(near.may_be_in(0, within.as_bytes(), edits.len()));
            prop_assert!(word.distance(&text, text.chars().count(), mask(&text), edits.len()).is_some());
        }

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
