//! Whether a text says anything.

use super::{Entry, Lack};

/// Words that stand for a text to be written, wherever they stand in it.
const MARKS: [&str; 5] = ["todo", "tbd", "fixme", "xxx", "lorem ipsum"];
/// Texts that are placeholders when there is nothing else.
const PLACEHOLDERS: [&str; 24] = [
    "n/a",
    "na",
    "n.a",
    "k.a",
    "s.o",
    "nvt",
    "none",
    "nil",
    "null",
    "keine",
    "kein",
    "keiner",
    "aucun",
    "aucune",
    "néant",
    "nothing",
    "entfällt",
    "unknown",
    "unbekannt",
    "inconnu",
    "not applicable",
    "nicht zutreffend",
    "sans objet",
    "to be determined",
];
/// What says "none" where that is an answer.
const NONE: [&str; 9] = ["none", "keine", "keiner", "aucun", "aucune", "néant", "nothing", "no", "nein"];
/// Texts that could stand in the answer of anybody: CJEU C-154/21 asks for who it really was.
const GENERAL: [&str; 58] = [
    "various",
    "various purposes",
    "various recipients",
    "various sources",
    "several",
    "different",
    "other",
    "others",
    "etc",
    "general",
    "personal data",
    "data",
    "business purposes",
    "legitimate interest",
    "legitimate interests",
    "third parties",
    "partners",
    "our partners",
    "service providers",
    "suppliers",
    "processors",
    "as required by law",
    "as long as necessary",
    "as long as needed",
    "see privacy policy",
    "see our privacy policy",
    "privacy policy",
    "see website",
    "verschiedene",
    "verschiedenes",
    "diverse",
    "mehrere",
    "allgemein",
    "sonstige",
    "personenbezogene daten",
    "geschäftszwecke",
    "berechtigtes interesse",
    "dritte",
    "partner",
    "dienstleister",
    "auftragsverarbeiter",
    "solange erforderlich",
    "solange nötig",
    "siehe datenschutzerklärung",
    "siehe website",
    "divers",
    "diverses",
    "différents",
    "plusieurs",
    "autres",
    "données personnelles",
    "intérêt légitime",
    "tiers",
    "partenaires",
    "prestataires",
    "sous-traitants",
    "aussi longtemps que nécessaire",
    "voir la politique de confidentialité",
];

/// What is wrong with a text; `None`: it may stand in an answer. `entry` is what it is for; `None` for what
/// is about the controller.
pub(super) fn lack_of(text: &str, entry: Option<Entry>) -> Option<Lack> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Lack::Empty);
    }
    let lower = text.to_lowercase();
    // A text that says something may end with a full stop, and one that says nothing too.
    let bare = lower.trim_matches(|char: char| !char.is_alphanumeric() && char != '/').trim();
    if !bare.chars().any(char::is_alphabetic) {
        return Some(Lack::Placeholder);
    }
    if entry.is_some_and(Entry::may_be_none) && NONE.contains(&bare) {
        return None;
    }
    let mut words = lower.split(|char: char| !char.is_alphanumeric());
    let has_mark = words.any(|word| MARKS.contains(&word)) || lower.contains("lorem ipsum");
    if has_mark || PLACEHOLDERS.contains(&bare) || has_brackets(text) {
        return Some(Lack::Placeholder);
    }
    if entry.is_some() && GENERAL.contains(&bare) {
        return Some(Lack::TooGeneral);
    }
    // Too short to be a name, or an address.
    (bare.chars().count() < 2).then_some(Lack::Placeholder)
}

/// Whether something in brackets asks to be replaced: `[name of the authority]`, `<name>`, `{{name}}`.
fn has_brackets(text: &str) -> bool {
    text.contains("{{")
        || [('[', ']'), ('<', '>')].into_iter().any(|(open, close)| {
            text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).is_some_and(|(within, _)| {
                within.chars().any(char::is_alphabetic) && !within.contains(['@', ':', '\n'])
                    || within.trim() == "…"
                    || within.trim() == "..."
            })
        })
}
