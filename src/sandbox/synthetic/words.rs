//! Vocabulary in three languages, and people and places that do not exist.
//!
//! Mail addresses are at domains kept free for examples (RFC 2606), telephone numbers from ranges
//! kept free for fiction (NANP 555-01xx, Ofcom 020 7946 0xxx, Arcep 01 99 00 xx xx).

use std::sync::LazyLock;

use super::random::Random;

type Words = LazyLock<Vec<&'static str>>;

static ENGLISH: Words = Words::new(|| {
    "studio harbour we build careful interfaces for museums and small teams with paper before \
     pixels the river market opens early every answer starts as a question about people light \
     colour gardens letters between old stone houses design repair travels slowly through winter \
     archive maps of quiet rooms new"
        .split_whitespace()
        .collect()
});
static FRENCH: Words = Words::new(|| {
    "atelier été nous créons des pages légères pour les musées près du marché où chaque réponse \
     commence par une question déjà posée lumière forêt à côté ville jardin château papier \
     français être même façade rivière thé août noël cœur équipe dessin simple et durable avec \
     soin hiver carte"
        .split_whitespace()
        .collect()
});
static GERMAN: Words = Words::new(|| {
    "werkstatt für größere straßen und kleine gärten wir bauen ruhige oberflächen mit papier über \
     brücken fluss jede antwort beginnt als frage zwölf räume schöne häuser früh öffnet der markt \
     im winter archiv voller karten licht farbe grüße übermorgen müde bücher neue wege langsam \
     durch städte menschen"
        .split_whitespace()
        .collect()
});
const EMOJI: &[&str] = &["🌍", "👩🏽‍💻", "✨", "🎨", "🚲", "𝒟"];
static GIVEN: Words = Words::new(|| {
    "Amélie Bruno Céline Dagmar Elif Fergus Greta Hannes Ines Jörg Katell Lorenz Maëlle Nils Orla \
     Piotr Rosalind Søren Theres Ulrike Víctor Wanda Yusuf Zoé"
        .split_whitespace()
        .collect()
});
static FAMILY: Words = Words::new(|| {
    "Ahlquist Bréhault Castellmar Dornbusch-Keil Eichenlaub Fairwether Grünspecht Hollenstedt \
     Île-Dubourg Jankeviç Kesselring Lindqvast Mürren Nadelhofer O'Farrigan Pellegrain Quistorff \
     Rosenzweck Sørlund Tannhauser Überall Vasselin Weissmoor Zellwegen"
        .split_whitespace()
        .collect()
});
const TOWNS: &[&str] = &[
    "Lindenau",
    "Port Aubray",
    "Kesselbrück",
    "Saint-Orban",
    "Marrowick",
    "Ostergate",
    "Vallemont",
    "Harrowby",
];

/// Returns the words of a language; those of English for others.
pub(super) fn words(lang: &str) -> &'static [&'static str] {
    match lang.split('-').next() {
        Some("fr") => &FRENCH,
        Some("de") => &GERMAN,
        _ => &ENGLISH,
    }
}

/// Writes `count` words, the first with a capital.
pub(super) fn phrase(random: &mut Random, lang: &str, count: usize) -> String {
    let words = words(lang);
    let mut text = String::with_capacity(count * 8);
    for place in 0..count {
        let word = *random.pick(words);
        if place > 0 {
            text.push(' ');
            text.push_str(word);
        } else {
            let mut letters = word.chars();
            text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            text.push_str(letters.as_str());
        }
    }
    text
}

/// Writes some sentences, now and then with an emoji first, so that UTF-16 offsets differ from
/// characters and bytes.
pub(super) fn paragraph(random: &mut Random, lang: &str) -> String {
    let mut text = String::with_capacity(400);
    if random.one_in(5) {
        text.push_str(EMOJI[random.below(EMOJI.len())]);
        text.push(' ');
    }
    for sentence in 0..1 + random.below(4) {
        if sentence > 0 {
            text.push(' ');
        }
        let count = 6 + random.below(10);
        text.push_str(&phrase(random, lang, count));
        text.push('.');
    }
    text
}

/// A person who does not exist.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) email: String,
    pub(super) phone: String,
}

impl Person {
    pub(super) fn new(random: &mut Random) -> Self {
        let (given, family) = (*random.pick(&GIVEN), *random.pick(&FAMILY));
        let domain = *random.pick(&["example.com", "studio.example", "mail.example"]);
        let (local, last) = (format!("{}.{}", slug(given), slug(family)), random.below(100));
        let phone = match random.below(3) {
            0 => format!("+1 202-555-01{last:02}"),
            1 => format!("+44 20 7946 0{:03}", last + 100),
            _ => format!("+33 1 99 00 {last:02} 17"),
        };
        Self { given, family, email: format!("{local}@{domain}"), phone }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// Chooses a town that does not exist.
pub(super) fn town(random: &mut Random) -> &'static str {
    TOWNS[random.below(TOWNS.len())]
}

/// Makes a slug: letters without marks and digits, joined by hyphens.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        let plain = match c {
            'a'..='z' | '0'..='9' => {
                slug.push(c);
                continue;
            }
            'à' | 'á' | 'â' | 'ä' | 'å' => "a",
            'ç' => "c",
            'è' | 'é' | 'ê' | 'ë' => "e",
            'í' | 'î' | 'ï' => "i",
            'ô' | 'ö' | 'ø' => "o",
            'ù' | 'û' | 'ü' => "u",
            'ß' => "ss",
            'œ' => "oe",
            '\'' => "",
            _ if slug.ends_with('-') || slug.is_empty() => "",
            _ => "-",
        };
        slug.push_str(plain);
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("L'Été à Zürich — 2024!"), "lete-a-zurich-2024");
    }
}
