//! Words of a folded text, and what stands between them.

use super::fold::{Folded, is_cyrillic_or_greek, is_unspaced, is_word_mark};

/// Separators longer than this part what they stand between, in bytes. `", "` and `"; "` of CSV and
/// the like fit.
const NEAR_MAX: usize = 6;
/// Longer words are left out, in bytes: nobody's name is longer, and a text of one letter a million
/// times is not a word.
pub(super) const WORD_MAX: usize = 128;

/// A word: letters, digits, and marks on them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// First byte in the folded text.
    pub(super) start: u32,
    /// First byte after it.
    pub(super) end: u32,
    /// Whether it mixes Latin letters with those of Cyrillic or Greek.
    pub(super) mixed: bool,
    /// Whether it holds letters of Cyrillic or Greek.
    pub(super) other_alphabet: bool,
}

impl Token {
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Cuts a folded text into words. Scripts without spaces are left out: see [`super::dense`].
pub(super) fn tokens(folded: &Folded) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = None;
    let (mut latin, mut other) = (false, false);
    let mut close = |start: &mut Option<usize>, end: usize, latin: &mut bool, other: &mut bool| {
        if let Some(start) = start.take().filter(|start| end - start <= WORD_MAX)
            && let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end))
        {
            tokens.push(Token { start, end, mixed: *latin && *other, other_alphabet: *other });
        }
        (*latin, *other) = (false, false);
    };
    for (at, char) in folded.text.char_indices() {
        let letter = (char.is_alphanumeric() || is_word_mark(char)) && !is_unspaced(char);
        if !letter {
            close(&mut start, at, &mut latin, &mut other);
        }
        if letter {
            start.get_or_insert(at);
            latin |= char.is_ascii_alphabetic();
            other |= is_cyrillic_or_greek(char);
        }
    }
    close(&mut start, folded.text.len(), &mut latin, &mut other);
    tokens
}

/// Whether no word goes on from the one character to the other. In scripts without spaces every character may
/// begin a word.
pub(in crate::privacy) fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    let is_letter = |char: char| (char.is_alphanumeric() || is_word_mark(char)) && !is_unspaced(char);
    !(before.is_some_and(is_letter) && after.is_some_and(is_letter))
}

/// Cuts a word where its letters turn from small to capital, or into digits: `ErikaMuster2019`.
pub(super) fn pieces(folded: &Folded, token: Token) -> Vec<Token> {
    let mut out = Vec::new();
    let mut start = token.start;
    let mut before: Option<(bool, bool)> = None;
    let text = &folded.text[token.range()];
    for (offset, char) in text.char_indices() {
        let at = token.start as usize + offset;
        let now = (char.is_ascii_digit(), folded.capital[at]);
        let cut = before.is_some_and(|(digit, capital)| digit != now.0 || (!capital && now.1));
        if cut && let Ok(at) = u32::try_from(at) {
            out.push(Token { start, end: at, ..token });
            start = at;
        }
        before = Some(now);
    }
    out.push(Token { start, end: token.end, ..token });
    out
}

/// What stands between two words, as far as names are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// White space only.
    Space,
    /// Hyphens, apostrophes, underscores, dots without a space: what joins words in file names.
    Joint,
    /// A comma, perhaps with white space.
    Comma,
    /// Quotes, brackets, tabs of data.
    Other,
    /// The end of a sentence, or too far.
    Apart,
}

/// Reads what stands between two words; `abbreviated`: the word before may end with a full stop.
pub(super) fn gap(between: &str, abbreviated: bool) -> Gap {
    if between.is_empty() {
        return Gap::Joint;
    }
    if between.chars().count() > NEAR_MAX {
        return if between.chars().all(char::is_whitespace) { Gap::Space } else { Gap::Apart };
    }
    let blank = |char: char| char.is_whitespace();
    if between.chars().all(blank) {
        return Gap::Space;
    }
    let trimmed = between.trim();
    let spaced = between.ends_with(blank);
    match trimmed {
        "." if abbreviated => Gap::Space,
        "." | "!" | "?" | ":" | ";" | "…" if spaced => Gap::Apart,
        "," | "،" | "、" | "，" => Gap::Comma,
        ".," if abbreviated => Gap::Comma,
        ".-" if abbreviated => Gap::Joint,
        _ if trimmed.contains(['!', '?', '…', '=', '&', '<', '>', '{', '}', '@']) => Gap::Apart,
        // A dash between spaces parts; a hyphen at the end of a line joins.
        "-" if between.starts_with(blank) && spaced => Gap::Apart,
        _ if trimmed.chars().all(|char| "-'_.~+/\\·‧".contains(char)) => Gap::Joint,
        _ if trimmed.contains(". ") => Gap::Apart,
        _ => Gap::Other,
    }
}
