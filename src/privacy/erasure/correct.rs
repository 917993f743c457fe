//! JSON with another value where a wrong one stood (GDPR Art. 16): everything else stays to the byte.
//!
//! A wrong value is looked for as it was typed, as whole words, in the texts that the readers of items hand out:
//! so it is found whatever escapes the JSON writes it with. What makes an item what it is (ids, uids, slugs,
//! addresses, words of the API) is not changed, and told instead; what stands in several fields at once likewise.
//! After that the item is read again: what is still wrong in it is told, whatever the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::Read;
use super::texts;
use crate::prismic::replace::{Edit, Edits, replaced};
use crate::privacy::channels::{Bounds, is_date};
use crate::privacy::matching::is_boundary;
use crate::privacy::passage::Channel;
use crate::privacy::search::PassageText;
use crate::vault::item::ItemKind;

/// How often what one round leaves is corrected by the next: a text, the links in its formatting.
const ROUNDS: u8 = 4;

/// A wrong value, and the right one. Personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// What stands there.
    pub wrong: String,
    /// What is to stand there; empty where nothing is.
    pub right: String,
}

impl fmt::Debug for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Correction(…)")
    }
}

/// Why corrections cannot be made. They are named by their numbers, from 1: what they say is personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// There is none.
    #[error("nothing is to be corrected: name a wrong value and the right one")]
    None,
    /// A wrong value without a letter or digit would be found anywhere.
    #[error("correction {0} has no letter or digit in its wrong value")]
    Empty(usize),
    /// The right value is the wrong one.
    #[error("correction {0} puts what stands there already")]
    Same(usize),
    /// Two have the same wrong value.
    #[error("corrections {0} and {1} have the same wrong value")]
    Twice(usize, usize),
    /// The right value of one is wrong by another: which comes first would decide.
    #[error("correction {1} would change what correction {0} puts")]
    Undone(usize, usize),
}

/// Checks that corrections can be made together, in any order.
///
/// # Errors
///
/// [`CorrectionError`].
pub fn check(corrections: &[Correction]) -> Result<(), CorrectionError> {
    if corrections.is_empty() {
        return Err(CorrectionError::None);
    }
    for (at, one) in corrections.iter().enumerate() {
        if !one.wrong.chars().any(char::is_alphanumeric) || one.wrong.trim() != one.wrong {
            return Err(CorrectionError::Empty(at + 1));
        }
        if one.wrong == one.right {
            return Err(CorrectionError::Same(at + 1));
        }
        if let Some(before) = corrections[..at].iter().position(|other| other.wrong == one.wrong) {
            return Err(CorrectionError::Twice(before + 1, at + 1));
        }
        if let Some((_, other)) = occurrences(&one.right, corrections).first() {
            return Err(CorrectionError::Undone(at + 1, other + 1));
        }
    }
    Ok(())
}

/// An item with the right values.
#[derive(Clone, PartialEq, Eq)]
pub struct Corrected {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Places that were corrected, in order, each once.
    pub places: Vec<String>,
    /// Places where a wrong value stands still, and why.
    pub left: BTreeMap<String, &'static str>,
    /// Which corrections occur in it, from 0; those that were left among them.
    pub seen: BTreeSet<usize>,
}

impl fmt::Debug for Corrected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corrected")
            .field("places", &self.places.len())
            .field("left", &self.left.len())
            .finish_non_exhaustive()
    }
}

/// Returns an item with the right values. `others` says of a place that what stands there is of somebody else,
/// or kept: it stays. What is no JSON is returned as it is, and what is wrong in it told.
pub fn corrected(
    path: &str,
    bytes: &[u8],
    bounds: &Bounds,
    corrections: &[Correction],
    others: &dyn Fn(&str) -> bool,
) -> Corrected {
    let mut now =
        Corrected { bytes: bytes.to_vec(), places: Vec::new(), left: BTreeMap::new(), seen: BTreeSet::new() };
    for round in 0..=ROUNDS {
        let read = Read::of(path, &now.bytes, bounds);
        // A file of JSON in the media library is a file.
        let value: Option<Value> = match ItemKind::of_path(path) {
            Some(ItemKind::Asset) => None,
            _ => serde_json::from_slice(&now.bytes).ok(),
        };
        now.left.clear();
        let mut edits = Edits::default();
        for passage in &read.0 {
            let found = occurrences(&passage.text, corrections);
            if found.is_empty() {
                continue;
            }
            now.seen.extend(found.iter().map(|(_, number)| *number));
            let place = &passage.place;
            let own = value.as_ref().and_then(|value| value.pointer(place)).and_then(Value::as_str);
            let why = match own {
                _ if others(place) => Some("it was decided to be of somebody else, or to be kept"),
                Some(_) if is_structure(value.as_ref(), place) => Some(NAME),
                Some(_) | None => why_not(passage.channel),
            };
            match (&value, own, why) {
                (Some(value), Some(own), None) if round < ROUNDS => {
                    if !edit(value, place, own, passage.channel, corrections, &mut edits) {
                        now.left.insert(place.clone(), SPREAD);
                    }
                }
                (.., why) => drop(now.left.insert(place.clone(), why.unwrap_or(SPREAD))),
            }
        }
        let edited = read.0.iter().filter(|passage| edits.covers(&passage.place));
        let edited: Vec<String> = edited.map(|passage| passage.place.clone()).collect();
        match replaced(&now.bytes, &edits).ok().filter(|bytes| *bytes != now.bytes) {
            Some(bytes) => {
                now.bytes = bytes;
                now.places.extend(edited);
            }
            None => {
                now.left.extend(edited.into_iter().map(|place| (place, SPREAD)));
                break;
            }
        }
    }
    now.places.sort_unstable();
    now.places.dedup();
    now
}

/// Returns the places of an item where a wrong value stands, with the kind of each. `others` as in [`corrected`].
pub fn wrong_in(
    path: &str,
    bytes: &[u8],
    bounds: &Bounds,
    corrections: &[Correction],
    others: &dyn Fn(&str) -> bool,
) -> BTreeMap<String, Channel> {
    let read = Read::of(path, bytes, bounds);
    let found = read.0.iter().filter(|passage| !others(&passage.place)).map(|passage| {
        let seen: BTreeSet<usize> =
            occurrences(&passage.text, corrections).into_iter().map(|own| own.1).collect();
        (passage, seen)
    });
    let found: Vec<(&PassageText, BTreeSet<usize>)> = found.filter(|(_, seen)| !seen.is_empty()).collect();
    // What stands whole in one field stands in the fields read as one as well: told once.
    let direct = found.iter().filter(|(passage, _)| passage.channel != Channel::Joined);
    let direct: BTreeSet<(u32, usize)> =
        direct.flat_map(|(passage, seen)| seen.iter().map(|number| (passage.group, *number))).collect();
    let mut wrong = BTreeMap::new();
    for (passage, seen) in found {
        let is_told = seen.iter().all(|number| direct.contains(&(passage.group, *number)));
        if passage.channel != Channel::Joined || !is_told {
            wrong.entry(passage.place.clone()).or_insert(passage.channel);
        }
    }
    wrong
}

/// Whether one of the right values stands at a place of JSON. One of nothing stands everywhere.
pub fn is_right_at(value: &Value, place: &str, corrections: &[Correction]) -> bool {
    let text = value.pointer(place).and_then(Value::as_str);
    let is_there =
        |one: &Correction| one.right.is_empty() || text.is_some_and(|text| text.contains(&one.right));
    corrections.iter().any(is_there)
}

/// Whether one of the right values stands anywhere in an item. One of nothing stands everywhere.
pub fn is_right_in(path: &str, bytes: &[u8], bounds: &Bounds, corrections: &[Correction]) -> bool {
    let read = Read::of(path, bytes, bounds);
    let has =
        |one: &Correction| one.right.is_empty() || read.0.iter().any(|own| own.text.contains(&one.right));
    corrections.iter().any(has)
}

/// Returns an item with a wrong value at a place: what must be found there by whoever looks. `None` for a place
/// that holds no text.
pub fn with_wrong_at(bytes: &[u8], place: &str, wrong: &Correction) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    value.pointer(place)?.as_str()?;
    let mut edits = Edits::default();
    edits.add(place, Edit::Put(Value::String(wrong.wrong.clone()).to_string()));
    replaced(bytes, &edits).ok()
}

/// Corrects one text; whether anything in it can be.
fn edit(
    value: &Value,
    place: &str,
    own: &str,
    channel: Channel,
    corrections: &[Correction],
    edits: &mut Edits,
) -> bool {
    let found = occurrences(own, corrections);
    let parts: Vec<(Range<usize>, &str)> = found
        .into_iter()
        .filter(|(range, _)| !is_part_of_address(own, range))
        .map(|(range, number)| (range, corrections[number].right.as_str()))
        .collect();
    if parts.is_empty() {
        return false;
    }
    let (put, moved) = texts::with_parts(own, parts);
    // A field of dates takes nothing else.
    if channel == Channel::Date && !is_date(&put) {
        return false;
    }
    texts::put(value, place, own, put, &moved, edits);
    true
}

const NAME: &str =
    "it is a name by which Prismic, links or programs find it, and stays; change it in Prismic";
const SPREAD: &str =
    "it stands in several fields or blocks, in markup, or within an address: correct its parts one by one";

/// Members that say what something is, or which; not what it says.
const STRUCTURE: [&str; 14] = [
    "id",
    "uid",
    "slug",
    "slugs",
    "type",
    "lang",
    "link_type",
    "slice_type",
    "slice_label",
    "variation",
    "version",
    "kind",
    "href",
    "url",
];

/// Whether a place holds what makes a document what it is.
fn is_structure(value: Option<&Value>, place: &str) -> bool {
    let is_document = value.is_some_and(|value| value.get("data").is_some_and(Value::is_object));
    let is_content = place.starts_with("/data/") || place.starts_with("/tags/");
    let name = place.rsplit('/').next().unwrap_or_default();
    is_document && !is_content || STRUCTURE.contains(&name)
}

/// Why what stands in a kind of place is not changed; `None`: it is text.
fn why_not(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::RichText
        | Channel::KeyText
        | Channel::Date
        | Channel::LinkText
        | Channel::Integration
        | Channel::Alt
        | Channel::Copyright
        | Channel::Table
        | Channel::Tag
        | Channel::AssetNotes
        | Channel::AssetCredits
        | Channel::AssetAlt
        | Channel::AssetTag
        | Channel::AssetMetadata
        | Channel::Member => None,
        Channel::Uid | Channel::Slug | Channel::DocumentId | Channel::Relationship => Some(NAME),
        Channel::Link | Channel::Embed | Channel::AssetFileName => {
            Some("an address, and what lies behind it, stays; change it in Prismic")
        }
        Channel::Joined => Some(SPREAD),
        Channel::Number | Channel::GeoPoint => Some("it is a number and no text; change it in Prismic"),
        Channel::Repository => Some(
            "models and settings of a repository are not changed; change it in Prismic, and take a snapshot",
        ),
        Channel::Exif
        | Channel::Iptc
        | Channel::Xmp
        | Channel::ImageText
        | Channel::PdfText
        | Channel::PdfProperties
        | Channel::Svg
        | Channel::OfficeText
        | Channel::OfficeProperties
        | Channel::PlainText => {
            Some("a file is not changed: put a corrected one in its place in Prismic, and erase this one")
        }
    }
}

/// Where wrong values stand in a text, as whole words, with the number of the correction; in order, without
/// overlaps, of several at one place the longest. What is part of the right value already is not wrong.
fn occurrences(text: &str, corrections: &[Correction]) -> Vec<(Range<usize>, usize)> {
    let mut all: Vec<(Range<usize>, usize)> = Vec::new();
    for (number, one) in corrections.iter().enumerate().filter(|(_, one)| !one.wrong.is_empty()) {
        let found = text.match_indices(&one.wrong).map(|(at, wrong)| at..at + wrong.len());
        let wrong = found.filter(|range| is_whole(text, range) && !is_right(text, range, one));
        all.extend(wrong.map(|range| (range, number)));
    }
    all.sort_by_key(|(range, number)| (range.start, std::cmp::Reverse(range.end), *number));
    let mut end = 0;
    all.retain(|(range, _)| {
        let is_free = range.start >= end;
        if is_free {
            end = range.end;
        }
        is_free
    });
    all
}

/// Whether it neither begins nor ends within a word.
fn is_whole(text: &str, range: &Range<usize>) -> bool {
    let inner = &text[range.clone()];
    is_boundary(text[..range.start].chars().next_back(), inner.chars().next())
        && is_boundary(inner.chars().next_back(), text[range.end..].chars().next())
}

/// Whether the right value stands there already, and has the wrong one in it.
fn is_right(text: &str, range: &Range<usize>, one: &Correction) -> bool {
    one.right.match_indices(&one.wrong).any(|(offset, _)| {
        let start = range.start.checked_sub(offset);
        start.is_some_and(|start| text.get(start..start + one.right.len()) == Some(one.right.as_str()))
    })
}

/// Whether it is a part of an address in running text: changed, that would lead elsewhere.
fn is_part_of_address(text: &str, range: &Range<usize>) -> bool {
    let start = text[..range.start].char_indices().rev().find(|(_, char)| char.is_whitespace());
    let start = start.map_or(0, |(at, char)| at + char.len_utf8());
    let end = text[range.end..].find(char::is_whitespace).map_or(text.len(), |at| range.end + at);
    let is_around = |char: char| !char.is_alphanumeric() && !matches!(char, '/' | '@' | '#' | '+');
    let word = text[start..end].trim_matches(is_around);
    let is_address = word.contains("://") || word.contains('@') || word.starts_with("www.");
    is_address && range.len() < word.len()
}

#[cfg(test)]
mod tests;
