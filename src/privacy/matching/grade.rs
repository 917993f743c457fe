//! What hits are worth: the evidence tiers, and what a hit gains by what stands near it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Finding, HITS_MAX, Hit, Matcher, Raw, excerpt};
use crate::privacy::passage::Passage;
use crate::privacy::subject::{IdentifierKind, IdentifierRef};

/// Bytes between a weak hit and what supports it, within one passage. Two or three sentences; in
/// passages of one group, which belong together, distance does not count.
const NEAR: usize = 400;

/// How strong evidence is, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    /// An exact identifier: e-mail address, phone number, profile, id.
    A,
    /// The full name, its parts next to each other.
    B,
    /// A family name, part of a name or the like, with something near it that supports it.
    C,
    /// A family name alone, initials, mistypings, other alphabets, inflected forms.
    D,
    /// A given name alone. Told only when asked for.
    E,
}

impl Tier {
    /// All of them, strongest first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];
}

/// The rule by which something was found. Named in reports, so that decisions can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The e-mail address.
    EmailExact,
    /// The e-mail address under the rules of its provider: a tag, dots that do not count.
    EmailProvider,
    /// The e-mail address in words.
    EmailWritten,
    /// The phone number with its country.
    PhoneInternational,
    /// The phone number as dialled within a country.
    PhoneNational,
    /// The address of the profile.
    HandleAddress,
    /// `@name`.
    HandleMention,
    /// The id.
    IdExact,
    /// The id of a document about the person, or a link to it.
    AuthorDocument,
    /// The full name, its parts next to each other in whatever order.
    NameFull,
    /// Both names near each other, but perhaps of two people.
    NameNear,
    /// A given name with one word of the family name, or a later given name with the family name.
    NamePartial,
    /// The given name alone, near other evidence.
    GivenNameNear,
    /// The e-mail address with a tag, at a provider that is not known to leave tags out.
    EmailTag,
    /// The family name alone.
    Surname,
    /// One word of a family name of several.
    SurnamePart,
    /// The family name alone, inflected or in another alphabet.
    SurnameVariant,
    /// An initial with the family name.
    NameInitial,
    /// The full name, inflected.
    NameInflected,
    /// The full name in another alphabet.
    NameTransliterated,
    /// The full name with letters that look alike.
    NameLookAlike,
    /// The full name with one or two mistypings.
    NameFuzzy,
    /// An e-mail address too short to stand for one person.
    EmailShort,
    /// A phone number too short to stand for one person.
    PhoneShort,
    /// The last digits of the phone number, after others.
    PhoneSuffix,
    /// The name of a handle where no platform says that it is one.
    HandleBare,
    /// An id too short to stand for one person.
    IdShort,
    /// The given name alone.
    GivenName,
}

impl Rule {
    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::EmailExact => "e-mail address",
            Self::EmailProvider => "e-mail address, as its provider reads it",
            Self::EmailWritten => "e-mail address in words",
            Self::PhoneInternational => "phone number",
            Self::PhoneNational => "phone number without country",
            Self::HandleAddress => "profile",
            Self::HandleMention => "mention of the handle",
            Self::IdExact => "id",
            Self::AuthorDocument => "document about the person",
            Self::NameFull => "full name",
            Self::NameNear => "both names near each other",
            Self::NamePartial => "part of the name",
            Self::GivenNameNear => "given name near other evidence",
            Self::EmailTag => "e-mail address with a tag",
            Self::Surname => "family name alone",
            Self::SurnamePart => "part of the family name",
            Self::SurnameVariant => "form of the family name",
            Self::NameInitial => "initial and family name",
            Self::NameInflected => "inflected name",
            Self::NameTransliterated => "name in another alphabet",
            Self::NameLookAlike => "name in letters that look alike",
            Self::NameFuzzy => "name with mistypings",
            Self::EmailShort => "short e-mail address",
            Self::PhoneShort => "short phone number",
            Self::PhoneSuffix => "last digits of the phone number",
            Self::HandleBare => "name of the handle",
            Self::IdShort => "short id",
            Self::GivenName => "given name alone",
        }
    }

    /// What a hit is worth by itself.
    pub fn tier(self) -> Tier {
        match self {
            Self::EmailExact
            | Self::EmailProvider
            | Self::EmailWritten
            | Self::PhoneInternational
            | Self::PhoneNational
            | Self::HandleAddress
            | Self::HandleMention
            | Self::IdExact
            | Self::AuthorDocument => Tier::A,
            Self::NameFull => Tier::B,
            Self::NameNear | Self::NamePartial | Self::GivenNameNear | Self::EmailTag => Tier::C,
            Self::Surname
            | Self::SurnameVariant
            | Self::NameInitial
            | Self::NameInflected
            | Self::NameTransliterated
            | Self::NameLookAlike
            | Self::NameFuzzy
            | Self::EmailShort
            | Self::PhoneShort
            | Self::PhoneSuffix
            | Self::HandleBare
            | Self::IdShort => Tier::D,
            Self::GivenName | Self::SurnamePart => Tier::E,
        }
    }

    /// Whether something near it lifts it to tier C. Mistypings, other alphabets and inflected
    /// forms stay in tier D whatever is near.
    fn can_be_supported(self) -> bool {
        matches!(
            self,
            Self::Surname
                | Self::SurnamePart
                | Self::NameInitial
                | Self::EmailShort
                | Self::PhoneShort
                | Self::PhoneSuffix
                | Self::HandleBare
                | Self::IdShort
                | Self::GivenName
        )
    }
}

/// What was read in one passage.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Hits, by place in the passage.
    pub(super) hits: Vec<Raw>,
    /// Where words stand that support others.
    pub(super) context: Vec<usize>,
}

impl Read {
    /// Brings hits in order and drops those that another reading or a stronger rule has as well.
    pub(super) fn tidy(&mut self, text: &str) {
        for hit in &mut self.hits {
            hit.start = floor(text, hit.start);
            hit.end = floor(text, hit.end).max(hit.start);
        }
        // Of one identifier the longest of those that begin at one place come first.
        self.hits.sort_by_key(|hit| {
            (hit.identifier, hit.start, std::cmp::Reverse(hit.end), hit.rule.tier(), hit.rule)
        });
        let mut kept: Vec<Raw> = Vec::with_capacity(self.hits.len());
        for hit in self.hits.drain(..) {
            let mut replaced = false;
            if let Some(last) =
                kept.last_mut().filter(|last| last.identifier == hit.identifier && hit.start < last.end)
            {
                // They overlap: the stronger one stays, over all that both cover.
                let stronger = hit.rule.tier() < last.rule.tier();
                last.end = last.end.max(hit.end);
                if stronger {
                    last.rule = hit.rule;
                }
                replaced = true;
            }
            if !replaced {
                kept.push(hit);
            }
        }
        self.hits = kept;
        self.context.sort_unstable();
        self.context.dedup();
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What supports weak hits in one group of passages.
#[derive(Debug, Default)]
struct Support {
    /// Full names and exact identifiers, with their passage and place.
    strong: Vec<(usize, usize, IdentifierRef)>,
    /// Parts of names: given (`true`) and family names, by name.
    parts: Vec<(usize, usize, IdentifierRef, bool)>,
    /// Context.
    context: Vec<(usize, usize)>,
}

/// Whether a passage is so short that all of it belongs together.
fn near(a: (usize, usize), b: (usize, usize)) -> bool {
    a.0 != b.0 || a.1.abs_diff(b.1) <= NEAR
}

impl Support {
    /// Whether something supports a hit of `identifier` at a place.
    fn holds(&self, raw: &Raw, passage: usize, is_given: bool) -> bool {
        let place = (passage, raw.start);
        let strong = nearest(
            &self.strong,
            place,
            |entry| (entry.0, entry.1),
            |entry| entry.2 != raw.identifier || entry.1 != raw.start || entry.0 != passage,
        );
        if strong {
            return true;
        }
        if is_given {
            return false;
        }
        nearest(&self.context, place, |entry| *entry, |_| true)
            || nearest(
                &self.parts,
                place,
                |entry| (entry.0, entry.1),
                |entry| {
                    // The given name of the same name, or the family name for a handle and the like.
                    let same = entry.2 == raw.identifier;
                    if raw.identifier.kind == IdentifierKind::Name { same && entry.3 } else { !entry.3 }
                },
            )
    }
}

/// Whether an entry near a place is wanted. Entries are in the order of their places; those of
/// other passages are all near, so only the ends need to be looked at.
fn nearest<T>(
    entries: &[T],
    place: (usize, usize),
    at: impl Fn(&T) -> (usize, usize),
    wanted: impl Fn(&T) -> bool,
) -> bool {
    /// Entries looked at on either side: a neighbour that is not wanted is followed by one that is.
    const LOOKED_AT: usize = 64;
    let middle = entries.partition_point(|entry| at(entry) < place);
    let around =
        entries[..middle].iter().rev().take(LOOKED_AT).chain(entries[middle..].iter().take(LOOKED_AT));
    let ends = entries.iter().take(LOOKED_AT).chain(entries.iter().rev().take(LOOKED_AT));
    around.chain(ends).any(|entry| near(at(entry), place) && wanted(entry))
}

/// Grades the hits of all passages of an item.
pub(super) fn findings(matcher: &Matcher, passages: &[Passage<'_>], read: Vec<Read>) -> Vec<Finding> {
    let mut groups: HashMap<u32, Support> = HashMap::new();
    for (index, (passage, read)) in passages.iter().zip(&read).enumerate() {
        if read.hits.is_empty() && read.context.is_empty() {
            continue;
        }
        let group = groups.entry(passage.group).or_default();
        group.context.extend(read.context.iter().map(|at| (index, *at)));
        for hit in &read.hits {
            match hit.rule {
                rule if rule.tier() <= Tier::B => group.strong.push((index, hit.start, hit.identifier)),
                Rule::GivenName => group.parts.push((index, hit.start, hit.identifier, true)),
                Rule::Surname | Rule::SurnamePart | Rule::NamePartial | Rule::NameNear => {
                    group.parts.push((index, hit.start, hit.identifier, false));
                }
                _ => {}
            }
        }
    }
    for group in groups.values_mut() {
        group.strong.sort_unstable();
        group.parts.sort_unstable();
        group.context.sort_unstable();
    }
    let mut findings = Vec::new();
    for (index, (passage, read)) in passages.iter().zip(read).enumerate() {
        let Some(group) = groups.get(&passage.group) else { continue };
        let exact = Exact::of(&read.hits);
        let mut all: Vec<(IdentifierRef, Vec<Hit>, u64)> = Vec::new();
        for raw in read.hits {
            let hit = graded(&raw, index, group);
            if hit.tier > matcher.lowest || (hit.tier > Tier::B && exact.holds(&raw)) {
                continue;
            }
            match all.last_mut().filter(|(identifier, ..)| *identifier == raw.identifier) {
                Some((_, hits, more)) if hits.len() >= HITS_MAX => *more += 1,
                Some((_, hits, _)) => hits.push(hit),
                None => all.push((raw.identifier, vec![hit], 0)),
            }
        }
        let marked: Vec<Hit> = all.iter().flat_map(|(_, hits, _)| hits.iter().copied()).collect();
        for (identifier, mut hits, more_hits) in all {
            hits.sort_by_key(|hit| (hit.tier, hit.rule, hit.start));
            let Some(best) = hits.first().copied() else { continue };
            findings.push(Finding {
                identifier,
                tier: best.tier,
                rule: best.rule,
                channel: passage.channel,
                place: passage.place.to_owned(),
                passage: index,
                hits,
                more_hits,
                excerpt: excerpt::masked(passage, &best, &marked),
                fingerprint: excerpt::fingerprint(matcher, identifier, passage, &best),
            });
        }
    }
    findings
}

/// Where exact identifiers stand in a passage. A name within an e-mail address says no more than the
/// address, and is not asked about again.
struct Exact {
    /// Bounds, by where they begin; each end is the furthest of all so far.
    bounds: Vec<(usize, usize)>,
}

impl Exact {
    fn of(hits: &[Raw]) -> Self {
        let exact = hits.iter().filter(|hit| hit.rule.tier() == Tier::A);
        let mut bounds: Vec<(usize, usize)> = exact.map(|hit| (hit.start, hit.end)).collect();
        bounds.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut bounds {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        Self { bounds }
    }

    /// Whether one of them, or several that touch, hold all of a hit.
    fn holds(&self, hit: &Raw) -> bool {
        let before = self.bounds.partition_point(|(start, _)| *start <= hit.start);
        self.bounds[..before].last().is_some_and(|(_, end)| hit.end <= *end)
    }
}

fn graded(raw: &Raw, passage: usize, group: &Support) -> Hit {
    let own = raw.rule.tier();
    let is_given = raw.rule == Rule::GivenName;
    let supported = own > Tier::C && raw.rule.can_be_supported() && group.holds(raw, passage, is_given);
    let rule = if supported && is_given { Rule::GivenNameNear } else { raw.rule };
    Hit { start: raw.start, end: raw.end, tier: if supported { Tier::C } else { own }, rule }
}
