//! Phone numbers and ids in a text: by their digits, however they are grouped.

use std::collections::HashMap;

use super::fold::{Fold, Folded};
use super::{Normaliser, Raw, Rule};
use crate::privacy::subject::{IdNumber, IdentifierKind, IdentifierRef, NATIONAL_MIN, PhoneNumber};

/// Bytes between two groups of digits of one number: ` - `, `) `.
pub(super) const GROUP_GAP_MAX: usize = 3;
/// Digits of the longest number that is put together: 15 of E.164, and what is dialled before it.
const DIGITS_MAX: usize = 20;
/// Last digits that tell a number in whatever country. Fewer stand in texts by chance.
pub(super) const SUFFIX_MIN: usize = 7;
/// Last digits that are compared where the number has more.
const SUFFIX_MAX: usize = 9;
/// Digits of a calling code and an area before the rest of a number.
const CODES_MAX: usize = 6;
/// Digits in a row within an id from which its separators may differ from those typed.
pub(super) const ID_DIGITS_MIN: usize = 3;
/// Bytes of separators between the characters of an id.
pub(super) const ID_GAP_MAX: usize = 2;

/// The phone numbers of a subject.
#[derive(Debug, Default)]
pub(super) struct Phones {
    phones: Vec<Phone>,
    /// Numbers by their last digits.
    by_end: HashMap<String, Vec<u32>>,
    /// The number as typed, for the bench: what is found without reading digits.
    literal: bool,
}

#[derive(Debug)]
struct Phone {
    typed: String,
    national: String,
    /// With the calling code, in the ways of dialling it.
    international: Vec<String>,
    /// As dialled within the country.
    local: Vec<String>,
}

/// Whether a byte may stand between the groups of a number.
pub(super) fn is_group_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'_' | b'\t' | b'+' | b',')
}

impl Phones {
    pub(super) fn new(list: &[PhoneNumber], fold: Fold) -> Self {
        let phones = list.iter().map(|phone| {
            let national = phone.national.clone();
            let international = match &phone.country {
                Some(code) => ["", "00", "011", "0011", "810"]
                    .iter()
                    .map(|prefix| format!("{prefix}{code}{national}"))
                    .chain([format!("{code}0{national}"), format!("00{code}0{national}")])
                    .collect(),
                None => Vec::new(),
            };
            let local = ["", "0", "1", "8", "06"].iter().map(|trunk| format!("{trunk}{national}")).collect();
            Phone { typed: fold.string(&phone.typed), national, international, local }
        });
        let phones: Vec<Phone> = phones.collect();
        let mut by_end: HashMap<String, Vec<u32>> = HashMap::new();
        for (index, phone) in (0..).zip(&phones) {
            if let Some(end) = end(&phone.national) {
                by_end.entry(end.to_owned()).or_default().push(index);
            }
        }
        Self { phones, by_end, literal: !fold.switches.on(Normaliser::PhoneDigits) }
    }

    /// The digits by which the prefilter knows each number.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = &str> {
        self.phones.iter().map(|phone| suffix(&phone.national))
    }

    pub(super) fn find(&self, folded: &Folded, found: &mut Vec<Raw>) {
        if self.phones.is_empty() {
            return;
        }
        if self.literal {
            for (index, phone) in (0..).zip(&self.phones) {
                for at in memchr::memmem::find_iter(folded.text.as_bytes(), phone.typed.as_bytes()) {
                    found.push(raw(index, Rule::PhoneInternational, at, at + phone.typed.len()));
                }
            }
            return;
        }
        let groups = groups(folded.text.as_bytes());
        let mut digits = String::new();
        for first in 0..groups.len() {
            digits.clear();
            for last in first..groups.len() {
                if last > first && !groups[last].joined {
                    break;
                }
                digits.push_str(&folded.text[groups[last].start..groups[last].end]);
                if digits.len() > DIGITS_MAX {
                    break;
                }
                for index in end(&digits).and_then(|end| self.by_end.get(end)).into_iter().flatten() {
                    let phone = &self.phones[*index as usize];
                    if let Some(rule) = phone.rule(&digits, &groups[first], &groups[last]) {
                        found.push(raw(*index, rule, groups[first].start, groups[last].end));
                    }
                }
            }
        }
    }
}

/// The digits by which numbers are looked up.
fn end(digits: &str) -> Option<&str> {
    digits.get(digits.len().checked_sub(NATIONAL_MIN)?..)
}

fn suffix(national: &str) -> &str {
    &national[national.len().saturating_sub(SUFFIX_MIN)..]
}

impl Phone {
    fn rule(&self, digits: &str, first: &Group, last: &Group) -> Option<Rule> {
        if !digits.ends_with(suffix(&self.national)) {
            return None;
        }
        let loose = first.touches_letter_before || last.touches_letter_behind || first.is_abroad;
        let rule = if self.international.iter().any(|form| form == digits) {
            Rule::PhoneInternational
        } else if self.local.iter().any(|form| form == digits) {
            if self.national.len() < SUFFIX_MIN { Rule::PhoneShort } else { Rule::PhoneNational }
        } else {
            // All of a subscriber's number without its area, or as many of the last digits as count.
            let length = self.national.len().min(SUFFIX_MAX);
            let enough = length >= SUFFIX_MIN
                && (digits.ends_with(&self.national[self.national.len() - length..])
                    || self.national.ends_with(digits));
            // Only from the first digits on: what stands before may be a year or another number.
            if !enough || first.joined {
                return None;
            }
            Rule::PhoneSuffix
        };
        Some(if loose { Rule::PhoneSuffix } else { rule })
    }
}

/// Digits without anything between them.
#[derive(Debug)]
struct Group {
    start: usize,
    end: usize,
    /// Whether only separators of numbers stand between the group before and this one.
    joined: bool,
    /// Whether a calling code stands before it that the number would have to have.
    is_abroad: bool,
    touches_letter_before: bool,
    touches_letter_behind: bool,
}

fn groups(text: &[u8]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    let mut at = 0;
    // Digits since a plus sign.
    let mut coded: Option<usize> = None;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < text.len() && text[at].is_ascii_digit() {
            at += 1;
        }
        let joined = groups.last().is_some_and(|before| {
            let between = &text[before.end..start];
            between.len() <= GROUP_GAP_MAX && between.iter().all(|byte| is_group_gap(*byte))
        });
        let plus = start.checked_sub(1).is_some_and(|before| text[before] == b'+');
        coded = if !joined {
            plus.then_some(0)
        } else if plus {
            Some(0)
        } else {
            coded
        };
        let is_abroad = coded.is_some_and(|digits| (1..=CODES_MAX).contains(&digits));
        coded = coded.map(|digits| digits + at - start);
        groups.push(Group {
            start,
            end: at,
            joined,
            is_abroad,
            touches_letter_before: letter(start.checked_sub(1).map(|at| &text[at])),
            touches_letter_behind: letter(text.get(at)),
        });
    }
    groups
}

fn raw(index: u32, rule: Rule, start: usize, end: usize) -> Raw {
    Raw { identifier: IdentifierRef { kind: IdentifierKind::Phone, index }, rule, start, end }
}

/// The ids of a subject, and the ids of documents about it.
#[derive(Debug, Default)]
pub(super) struct Ids {
    ids: Vec<Id>,
}

#[derive(Debug)]
struct Id {
    identifier: IdentifierRef,
    rule: Rule,
    /// Folded: letters and digits only where separators may differ, otherwise as typed.
    text: String,
    loose: bool,
}

impl Ids {
    pub(super) fn new(ids: &[IdNumber], documents: &[String], fold: Fold) -> Self {
        let plain = (0..).zip(ids).map(|(index, id)| {
            let folded = fold.string(&id.typed);
            let alone: String = folded.chars().filter(|char| char.is_alphanumeric()).collect();
            let loose = longest_digits(&alone).len() >= ID_DIGITS_MIN && alone.is_ascii();
            let rule = if id.is_weak() { Rule::IdShort } else { Rule::IdExact };
            let identifier = IdentifierRef { kind: IdentifierKind::Id, index };
            Id { identifier, rule, text: if loose { alone } else { folded }, loose }
        });
        let documents = (0..).zip(documents).map(|(index, id)| {
            let identifier = IdentifierRef { kind: IdentifierKind::AuthorDocument, index };
            let rule = if id.len() < 6 { Rule::IdShort } else { Rule::AuthorDocument };
            Id { identifier, rule, text: fold.string(id), loose: false }
        });
        Self { ids: plain.chain(documents).collect() }
    }

    /// By what the prefilter knows each id: digits in a row, or all of it.
    pub(super) fn anchors(&self) -> impl Iterator<Item = Result<&str, &str>> {
        self.ids.iter().map(|id| if id.loose { Ok(longest_digits(&id.text)) } else { Err(id.text.as_str()) })
    }

    pub(super) fn find(&self, folded: &Folded, found: &mut Vec<Raw>) {
        let text = folded.text.as_bytes();
        for id in &self.ids {
            let Some(first) = id.text.as_bytes().first() else { continue };
            let mut from = 0;
            for at in memchr::memchr_iter(*first, text) {
                if at < from {
                    continue;
                }
                let end = if id.loose {
                    loose_end(text, at, id.text.as_bytes())
                } else {
                    strict_end(text, at, id.text.as_bytes())
                };
                let Some(end) = end.filter(|_| is_apart(&folded.text, at, id.loose)) else { continue };
                if ends_apart(&folded.text, end, id.loose) {
                    found.push(Raw { identifier: id.identifier, rule: id.rule, start: at, end });
                    from = end;
                }
            }
        }
    }
}

/// The longest run of digits of an id.
fn longest_digits(text: &str) -> &str {
    text.split(|char: char| !char.is_ascii_digit()).max_by_key(|run| run.len()).unwrap_or_default()
}

fn strict_end(text: &[u8], at: usize, id: &[u8]) -> Option<usize> {
    text[at..].starts_with(id).then_some(at + id.len())
}

/// The end of an id whose separators may differ.
fn loose_end(text: &[u8], at: usize, id: &[u8]) -> Option<usize> {
    let mut now = at;
    for byte in id {
        let mut skipped = 0;
        while skipped < ID_GAP_MAX && now > at && text.get(now).is_some_and(|byte| is_id_gap(*byte)) {
            now += 1;
            skipped += 1;
        }
        if text.get(now) != Some(byte) {
            return None;
        }
        now += 1;
    }
    Some(now)
}

/// Whether a byte may stand between the characters of an id.
pub(super) fn is_id_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'_' | b':')
}

fn is_apart(text: &str, at: usize, loose: bool) -> bool {
    let before = text[..at].chars().next_back();
    !before.is_some_and(|char| char.is_alphanumeric() || (!loose && matches!(char, '-' | '_')))
}

fn ends_apart(text: &str, end: usize, loose: bool) -> bool {
    let behind = text[end..].chars().next();
    !behind.is_some_and(|char| char.is_alphanumeric() || (!loose && matches!(char, '-' | '_')))
}
