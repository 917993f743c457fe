//! Texts that stand beside each other, read as one: `first_name` and `last_name` in two fields, in two
//! cells of a row, at the end of one block and the beginning of the next.
//!
//! Order is kept. Whoever compares names knows them in both orders, so `last_name` before `first_name`
//! needs no second join.

use std::borrow::Cow;

use crate::privacy::passage::Channel;

use super::desk::{Desk, Outcome};

/// Longest text that is taken to be one part of something; longer ones are prose. In bytes.
const PART_MAX: usize = 120;
/// Texts in one join. More are several joins that overlap by one text, so that no two neighbours
/// are torn apart.
const PARTS_MAX: usize = 24;
/// With at most so many texts, also those that are not neighbours are joined by twos: a title
/// may stand between the names. The pairs grow with the square.
const PARTS_FOR_PAIRS: usize = 6;
/// Words taken from the end of one block and the beginning of the next: names have few more.
const WORDS_OVER_EDGE: usize = 4;

/// Whether a text is one that may be a part.
pub(super) fn is_part(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= PART_MAX
}

/// Hands out the joins of texts that are siblings.
pub(super) fn siblings(desk: &mut Desk<'_>, place: &str, group: u32, parts: &[Cow<'_, str>]) -> Outcome {
    if parts.len() < 2 {
        return Ok(());
    }
    let mut from = 0;
    while from + 1 < parts.len() {
        let to = (from + PARTS_MAX).min(parts.len());
        desk.hand_out(Channel::Joined, place, group, &parts[from..to].join(" "))?;
        from = to - 1;
    }
    if parts.len() <= PARTS_FOR_PAIRS {
        for (first, one) in parts.iter().enumerate() {
            for other in parts.iter().skip(first + 2) {
                desk.hand_out(Channel::Joined, place, group, &format!("{one} {other}"))?;
            }
        }
    }
    Ok(())
}

/// Hands out what stands over the edge between two texts that follow each other.
pub(super) fn over_edge(desk: &mut Desk<'_>, place: &str, group: u32, before: &str, after: &str) -> Outcome {
    let last: Vec<&str> = before.split_whitespace().rev().take(WORDS_OVER_EDGE).collect();
    let first: Vec<&str> = after.split_whitespace().take(WORDS_OVER_EDGE).collect();
    // Where words are not divided by blanks, a line of text is one word.
    if last.is_empty() || first.is_empty() || !last.iter().chain(&first).all(|word| is_part(word)) {
        return Ok(());
    }
    let words: Vec<&str> = last.into_iter().rev().chain(first).collect();
    desk.hand_out(Channel::Joined, place, group, &words.join(" "))
}

/// Hands out the words that a hyphen divides at the end of a line as one, with those around them.
pub(super) fn over_hyphens(desk: &mut Desk<'_>, place: &str, group: u32, text: &str) -> Outcome {
    let mut from = 0;
    while let Some(at) = text[from..].find('\n').map(|at| from + at) {
        from = at + 1;
        let (before, after) = (text[..at].trim_end(), text[from..].trim_start());
        let Some(before) = before.strip_suffix(['-', '\u{2010}', '\u{ad}']) else { continue };
        // `Muster-` and `Gabler` are two words; `Muster-` and `mann` are one, or were two.
        if !before.ends_with(char::is_alphabetic) || !after.starts_with(char::is_alphabetic) {
            continue;
        }
        // A line is short: what is behind it need not be looked through.
        let before = &before[before.ceil_char_boundary(before.len().saturating_sub(PART_MAX))..];
        let after = &after[..after.floor_char_boundary(PART_MAX)];
        let last: Vec<&str> = before.split_whitespace().rev().take(WORDS_OVER_EDGE).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        let first: Vec<&str> = after.split_whitespace().take(WORDS_OVER_EDGE).collect();
        desk.hand_out(Channel::Joined, place, group, &format!("{}{}", last.join(" "), first.join(" ")))?;
    }
    Ok(())
}
