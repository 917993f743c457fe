//! What of a text may be shown, and its fingerprint.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::fold::{is_invisible, is_unspaced};
use super::{Fingerprint, Hit, Matcher};
use crate::privacy::passage::{Channel, Passage};
use crate::privacy::subject::IdentifierRef;

/// Characters shown before and after a hit: enough to decide by, too little to be a copy.
const AROUND: usize = 40;
/// Characters of a hit that are shown; a hit may stretch over padding.
const HIT_SHOWN: usize = 80;
/// Characters on either side that make a fingerprint.
const FINGERPRINTED: usize = 80;
/// What stands for a letter.
const MASK: char = '▒';

/// The stretch of a text around a hit: its bounds.
fn window(text: &str, hit: &Hit, around: usize) -> Option<(usize, usize)> {
    let before =
        text.get(..hit.start)?.char_indices().rev().take(around).last().map_or(hit.start, |(at, _)| at);
    let behind = text.get(hit.end..)?;
    let end = hit.end + behind.char_indices().nth(around).map_or(behind.len(), |(at, _)| at);
    Some((before, end))
}

/// How what may be personal is masked.
#[derive(Clone, Copy)]
struct Masks<'a> {
    /// Hits: masked in an excerpt, shown in a copy for the person.
    hits: &'a [Range<usize>],
    shows_hits: bool,
    /// Whether first letters stay, so that a person can tell one thing from another.
    keeps_first: bool,
    /// Whether every word may be personal: in addresses, tags and file names nothing has capitals.
    all: bool,
}

/// Kinds of places where names are written in small letters.
fn is_all_personal(channel: Channel) -> bool {
    matches!(
        channel,
        Channel::Uid
            | Channel::Slug
            | Channel::Tag
            | Channel::DocumentId
            | Channel::Relationship
            | Channel::Link
            | Channel::AssetFileName
            | Channel::AssetTag
            | Channel::Member
            | Channel::Integration
            | Channel::Embed
    )
}

/// The text around a hit with whatever may be personal masked: the hit, numbers, words that begin
/// with a capital or have none, and in addresses everything. First letters stay, so that a person
/// can tell one thing from another.
pub(super) fn masked(passage: &Passage<'_>, hit: &Hit, hits: &[Hit]) -> String {
    let text = passage.text;
    let Some((start, end)) = window(text, hit, AROUND) else { return String::new() };
    // Only those near: a passage may have thousands.
    let near: Vec<Range<usize>> =
        hits.iter().filter(|hit| hit.start < end && hit.end > start).map(Hit::range).collect();
    let all = is_all_personal(passage.channel);
    let masks = Masks { hits: &near, shows_hits: false, keeps_first: true, all };
    let mut out = String::new();
    if start > 0 {
        out.push('…');
    }
    mask(text, start..end, Some(hit), masks, &mut out);
    if end < text.len() {
        out.push('…');
    }
    out
}

/// A whole text with whatever may be personal masked, but for these stretches of it.
pub(super) fn masked_around(passage: &Passage<'_>, shown: &[Range<usize>]) -> String {
    let all = is_all_personal(passage.channel);
    let masks = Masks { hits: shown, shows_hits: true, keeps_first: false, all };
    let mut out = String::with_capacity(passage.text.len());
    mask(passage.text, 0..passage.text.len(), None, masks, &mut out);
    out
}

/// Masks a stretch of a text. Of `cut`, a hit that may stretch over padding, only the beginning is shown.
fn mask(text: &str, stretch: Range<usize>, cut: Option<&Hit>, masks: Masks<'_>, out: &mut String) {
    let mut word: Vec<(usize, char)> = Vec::new();
    let mut shown = 0;
    let start = stretch.start;
    for (offset, char) in text[stretch].char_indices() {
        let at = start + offset;
        if cut.is_some_and(|hit| hit.range().contains(&at)) {
            shown += 1;
            if shown > HIT_SHOWN {
                continue;
            }
        }
        if is_invisible(char) {
            continue;
        }
        // Escapes and addresses are words with their signs: what they spell must not show.
        if char.is_alphanumeric() || "@%&;=\\_+".contains(char) || super::fold::is_word_mark(char) {
            word.push((at, char));
        } else {
            push_word(&mut word, masks, out);
            let is_line = masks.shows_hits && char == '\n';
            let is_blank = !is_line && (char.is_whitespace() || char.is_control());
            out.push(if is_blank { ' ' } else { char });
        }
    }
    push_word(&mut word, masks, out);
}

fn push_word(word: &mut Vec<(usize, char)>, masks: Masks<'_>, out: &mut String) {
    let Some((first, _)) = word.first() else { return };
    let end = word.last().map_or(*first, |(at, _)| *at);
    let in_hit = masks.hits.iter().any(|hit| hit.start <= end && *first < hit.end);
    let personal = word.iter().any(|(_, char)| {
        char.is_numeric()
            || char.is_uppercase()
            || is_unspaced(*char)
            || "@%&=\\".contains(*char)
            || !has_case(*char)
    });
    if !(in_hit || masks.all || personal) {
        out.extend(word.drain(..).map(|(_, char)| char));
        return;
    }
    for (index, (at, char)) in word.drain(..).enumerate() {
        // Of a script in which a letter is a word, no letter.
        let is_first = masks.keeps_first && index == 0 && char.is_alphabetic() && !is_unspaced(char);
        let is_shown = masks.shows_hits && masks.hits.iter().any(|hit| hit.contains(&at));
        out.push(if is_first || is_shown { char } else { MASK });
    }
}

fn has_case(char: char) -> bool {
    char.is_lowercase() || char.is_uppercase() || !char.is_alphabetic()
}

/// The text around a hit as it is.
pub(super) fn unmasked(text: &str, hit: &Hit) -> Option<String> {
    let (start, end) = window(text, hit, AROUND)?;
    let shown = text.get(start..end)?;
    let lead = if start > 0 { "…" } else { "" };
    let tail = if end < text.len() { "…" } else { "" };
    Some(format!("{lead}{shown}{tail}"))
}

/// Digest of an identifier, a kind of place, and the text around a hit with its spelling folded.
pub(super) fn fingerprint(
    matcher: &Matcher,
    identifier: IdentifierRef,
    passage: &Passage<'_>,
    hit: &Hit,
) -> Fingerprint {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    };
    // By its text: its number may change when identifiers are added.
    add(identifier.kind.word());
    add(&matcher.fold.string(&matcher.subject.text(identifier).unwrap_or_default()));
    add(&format!("{:?}", passage.channel));
    let (start, end) = window(passage.text, hit, FINGERPRINTED).unwrap_or((hit.start, hit.end));
    for part in [start..hit.start, hit.start..hit.end, hit.end..end] {
        let folded = matcher.fold.string(passage.text.get(part).unwrap_or_default());
        add(&folded.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    Fingerprint(digest.finalize().into())
}
