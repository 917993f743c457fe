//! What a copy does not show because it is of others: GDPR Art. 15(4).

use std::ops::Range;

use super::contacts::{Contact, contacts};
use super::texts::Texts;
use crate::privacy::matching::{Finding, Matcher, Tier};
use crate::privacy::passage::{Channel, Passage};
use crate::privacy::subject::IdentifierKind;

/// A text as it may be handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Redacted {
    /// The text.
    pub(super) text: String,
    /// Whether anything in it is hidden.
    pub(super) is_hidden: bool,
    /// Whether e-mail addresses or telephone numbers of others are among it.
    pub(super) has_contacts: bool,
}

/// What is to be hidden in one text.
pub(super) struct Hiding<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) texts: &'a Texts,
    /// Words of other people that a reviewer named.
    pub(super) words: &'a [String],
    /// Whether all around the person that may name people is masked.
    pub(super) masks_all: bool,
}

/// Kinds of places in which digits are no telephone numbers: when, where and which.
fn has_phones(channel: Channel) -> bool {
    !matches!(
        channel,
        Channel::Date
            | Channel::GeoPoint
            | Channel::DocumentId
            | Channel::Relationship
            | Channel::AssetMetadata
            | Channel::Exif
    )
}

/// Where exact identifiers of the person stand in a text, whatever kind of place it is in.
fn exact_in(matcher: &Matcher, passage: &Passage<'_>) -> Vec<Range<usize>> {
    let found = matcher.search(&[Passage { channel: Channel::KeyText, ..*passage }]);
    let hits = found.iter().flat_map(|finding| &finding.hits).filter(|hit| hit.tier == Tier::A);
    hits.map(crate::privacy::matching::Hit::range).collect()
}

/// Hides what is of others in a text. `own` are the findings in it that are the person.
pub(super) fn redact(passage: &Passage<'_>, own: &[&Finding], hiding: &Hiding<'_>) -> Redacted {
    let text = passage.text;
    let hits = |is_sure: fn(&Finding, Tier) -> bool| -> Vec<Range<usize>> {
        let of = own.iter().flat_map(|finding| {
            let sure = finding.hits.iter().filter(move |hit| is_sure(finding, hit.tier));
            sure.map(crate::privacy::matching::Hit::range)
        });
        of.filter(|range| text.get(range.clone()).is_some()).collect()
    };
    // Fields that are read as one are searched for names only; their addresses and numbers are the person's
    // as well.
    let spread = match passage.channel {
        Channel::Joined => exact_in(hiding.matcher, passage),
        _ => Vec::new(),
    };
    let with_spread = |ranges: Vec<Range<usize>>| -> Vec<Range<usize>> {
        ranges.into_iter().chain(spread.iter().cloned()).collect()
    };
    let any = with_spread(hits(|_, _| true));
    // A family name alone is also that of relatives.
    let sure = with_spread(hits(|_, tier| tier <= Tier::B));
    let exact =
        with_spread(hits(|finding, tier| tier <= Tier::B || finding.identifier.kind != IdentifierKind::Name));
    let touches = |ranges: &[Range<usize>], one: &Range<usize>| {
        ranges.iter().any(|own| own.start < one.end && one.start < own.end)
    };
    let covers = |ranges: &[Range<usize>], one: &Range<usize>| {
        ranges.iter().any(|own| own.start <= one.start && one.end <= own.end)
    };
    let mut hidden: Vec<(Range<usize>, &str)> = Vec::new();
    for (range, contact) in contacts(text) {
        let is_there = contact == Contact::Email || has_phones(passage.channel);
        if is_there && !touches(&exact, &range) {
            let words = match contact {
                Contact::Email => &hiding.texts.hidden.email,
                Contact::Phone => &hiding.texts.hidden.phone,
            };
            hidden.push((range, words));
        }
    }
    let has_contacts = !hidden.is_empty();
    if !hiding.words.is_empty() {
        let places = hiding.matcher.places_of(text, hiding.words).into_iter();
        hidden.extend(
            places.filter(|place| !covers(&sure, place)).map(|place| (place, &*hiding.texts.hidden.person)),
        );
    }
    hidden.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let show = |stretch: Range<usize>, out: &mut String| {
        if hiding.masks_all {
            let within = Passage { text: &text[stretch.clone()], ..*passage };
            let shown: Vec<Range<usize>> = any
                .iter()
                .filter(|own| own.start < stretch.end && stretch.start < own.end)
                .map(|own| {
                    own.start.max(stretch.start) - stretch.start..own.end.min(stretch.end) - stretch.start
                })
                .collect();
            out.push_str(&hiding.matcher.masked_around(&within, &shown));
        } else {
            out.push_str(&text[stretch]);
        }
    };
    for (range, words) in hidden {
        if range.start < at {
            // What overlaps is hidden together.
            at = at.max(range.end);
            continue;
        }
        show(at..range.start, &mut out);
        out.push_str(words);
        at = range.end;
    }
    show(at..text.len(), &mut out);
    let is_hidden = out != text;
    Redacted { text: out, is_hidden, has_contacts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::letters::Language;
    use crate::privacy::subject::Subject;

    fn subject() -> Subject {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, "Perpetua Exampleton").unwrap();
        subject.add(IdentifierKind::Email, "perpetua@example.org").unwrap();
        subject.add_phone("+49 30 7654321", None).unwrap();
        subject
    }

    fn copy(text: &str, words: &[&str], masks_all: bool) -> Redacted {
        copy_in(Channel::RichText, text, words, masks_all)
    }

    fn copy_in(channel: Channel, text: &str, words: &[&str], masks_all: bool) -> Redacted {
        let matcher = Matcher::new(&subject(), &[]);
        let passage = Passage { channel, place: "/data/text", group: 1, text };
        let found = matcher.search(&[passage]);
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let texts = Texts::of(Language::En);
        let hiding = Hiding { matcher: &matcher, texts, words: &words, masks_all };
        redact(&passage, &found.iter().collect::<Vec<_>>(), &hiding)
    }

    #[test]
    fn contacts_of_others_are_hidden_and_those_of_the_person_are_not() {
        let text =
            "Perpetua Exampleton, perpetua@example.org, +49 30 7654321; Max, max@example.org, +49 30 1112233";
        let copy = copy(text, &[], false);
        assert_eq!(
            copy.text,
            "Perpetua Exampleton, perpetua@example.org, +49 30 7654321; Max, \
             [other person's e-mail address], [other person's phone number]"
        );
        assert!(copy.is_hidden && copy.has_contacts);
        let alone = copy_in(Channel::RichText, "Perpetua Exampleton was here", &[], false);
        assert!(!alone.is_hidden && alone.text == "Perpetua Exampleton was here");
    }

    #[test]
    fn words_of_a_reviewer_are_hidden_wherever_they_stand() {
        let text = "Perpetua Exampleton met MAX BEISPIEL; Beispiels dog liked Perpetua Exampleton";
        let copied = copy(text, &["Max Beispiel", "beispiel"], false);
        assert_eq!(
            copied.text,
            "Perpetua Exampleton met [other person]; [other person] dog liked Perpetua Exampleton"
        );
        // A relative of the same name goes, the person stays.
        let copied = copy("Max Exampleton and Perpetua Exampleton", &["Exampleton", "Max"], false);
        assert_eq!(copied.text, "[other person] [other person] and Perpetua Exampleton");
    }

    #[test]
    fn with_third_parties_only_the_person_is_named() {
        let text = "Yesterday Perpetua Exampleton met Max Beispiel and wrote to max@example.org about it";
        let copied = copy(text, &["it"], true);
        assert!(copied.text.contains("Perpetua Exampleton met"), "{}", copied.text);
        for gone in ["Max", "Beispiel", "max", "M▒▒", " it"] {
            assert!(!copied.text.contains(gone), "{gone}: {}", copied.text);
        }
        let slug = copy_in(Channel::Slug, "perpetua-exampleton-and-max-beispiel", &[], true);
        assert!(!slug.text.contains("max") && slug.text.contains("perpetua-exampleton"), "{}", slug.text);
    }

    #[test]
    fn dates_and_ids_stay_faithful() {
        let copied = copy_in(Channel::Exif, "2026:11:23 0301234567", &[], false);
        assert!(!copied.is_hidden);
    }

    proptest::proptest! {
        #[test]
        fn no_address_of_another_survives(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let text = format!("{before} max@example.net {after}");
            for masks_all in [false, true] {
                let copied = copy(&text, &["zzz"], masks_all);
                proptest::prop_assert!(!copied.text.contains("max@example.net"), "{}", copied.text);
            }
        }
    }

    #[test]
    fn fields_read_as_one_show_the_address_of_the_person_and_of_nobody_else() {
        let text = "Perpetua Exampleton perpetua@example.org otto@example.org";
        for masks_all in [false, true] {
            let copy = copy_in(Channel::Joined, text, &[], masks_all);
            assert!(copy.text.contains("perpetua@example.org"), "{}", copy.text);
            assert!(!copy.text.contains("otto@"), "{}", copy.text);
        }
    }
}
