//! Letters to the person, filled from templates that people edit.
//!
//! A template is text with names in double braces, such as `{{due}}`. A name that is not known is an
//! error: a letter with a hole in it must not be sent. Dates and citations come from the case and
//! its rules, never from the template.

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate};

use super::case::{Case, Kind as EventKind, What};
use super::right::Right;
use super::rules::Citation;

/// Largest template, in bytes: some twenty pages.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Language of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];

    /// Returns its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// Writes a day as letters in this language do.
    pub fn date(self, day: NaiveDate) -> String {
        const DE: [&str; 12] = [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ];
        const FR: [&str; 12] = [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ];
        let (year, month, number) = (day.year(), day.month0() as usize, day.day());
        match self {
            Self::En => day.format("%-d %B %Y").to_string(),
            Self::De => format!("{number}. {} {year}", DE[month]),
            Self::Fr if number == 1 => format!("1er {} {year}", FR[month]),
            Self::Fr => format!("{number} {} {year}", FR[month]),
        }
    }

    fn right(self, right: Right) -> &'static str {
        match (self, right) {
            (Self::En, Right::Access) => "access to your personal data",
            (Self::En, Right::Portability) => "your data in a machine-readable form",
            (Self::En, Right::Erasure) => "erasure of your personal data",
            (Self::En, Right::Rectification) => "correction of your personal data",
            (Self::En, Right::Restriction) => "restriction of the use of your personal data",
            (Self::En, Right::Objection) => "an end to the use of your personal data (objection)",
            (Self::De, Right::Access) => "Auskunft über Ihre personenbezogenen Daten",
            (Self::De, Right::Portability) => "Ihre Daten in maschinenlesbarer Form",
            (Self::De, Right::Erasure) => "Löschung Ihrer personenbezogenen Daten",
            (Self::De, Right::Rectification) => "Berichtigung Ihrer personenbezogenen Daten",
            (Self::De, Right::Restriction) => "Einschränkung der Verarbeitung Ihrer personenbezogenen Daten",
            (Self::De, Right::Objection) => {
                "ein Ende der Verarbeitung Ihrer personenbezogenen Daten (Widerspruch)"
            }
            (Self::Fr, Right::Access) => "l'accès à vos données à caractère personnel",
            (Self::Fr, Right::Portability) => "vos données dans un format lisible par machine",
            (Self::Fr, Right::Erasure) => "l'effacement de vos données à caractère personnel",
            (Self::Fr, Right::Rectification) => "la rectification de vos données à caractère personnel",
            (Self::Fr, Right::Restriction) => {
                "la limitation du traitement de vos données à caractère personnel"
            }
            (Self::Fr, Right::Objection) => {
                "la fin du traitement de vos données à caractère personnel (opposition)"
            }
        }
    }

    fn cite(self, citation: &Citation) -> String {
        match self {
            Self::En => citation.en.clone(),
            Self::De => citation.de.clone(),
            Self::Fr => citation.fr.clone(),
        }
    }
}

impl std::str::FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|language| language.code() == text);
        found.ok_or_else(|| "letters are in en, de or fr".to_owned())
    }
}

/// Which letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Letter {
    /// The request came.
    Receipt,
    /// Who are you?
    Identity,
    /// More time is needed.
    Extension,
    /// It is refused.
    Refusal,
    /// The answer.
    Answer,
}

impl Letter {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Receipt, Self::Identity, Self::Extension, Self::Refusal, Self::Answer];

    /// Returns its name, as people type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Identity => "identity",
            Self::Extension => "extension",
            Self::Refusal => "refusal",
            Self::Answer => "answer",
        }
    }

    /// Returns the template that comes with the program.
    pub fn template(self, language: Language) -> &'static str {
        use {Language as L, Letter as K};
        match (language, self) {
            (L::En, K::Receipt) => include_str!("templates/en/receipt.txt"),
            (L::En, K::Identity) => include_str!("templates/en/identity.txt"),
            (L::En, K::Extension) => include_str!("templates/en/extension.txt"),
            (L::En, K::Refusal) => include_str!("templates/en/refusal.txt"),
            (L::En, K::Answer) => include_str!("templates/en/answer.txt"),
            (L::De, K::Receipt) => include_str!("templates/de/receipt.txt"),
            (L::De, K::Identity) => include_str!("templates/de/identity.txt"),
            (L::De, K::Extension) => include_str!("templates/de/extension.txt"),
            (L::De, K::Refusal) => include_str!("templates/de/refusal.txt"),
            (L::De, K::Answer) => include_str!("templates/de/answer.txt"),
            (L::Fr, K::Receipt) => include_str!("templates/fr/receipt.txt"),
            (L::Fr, K::Identity) => include_str!("templates/fr/identity.txt"),
            (L::Fr, K::Extension) => include_str!("templates/fr/extension.txt"),
            (L::Fr, K::Refusal) => include_str!("templates/fr/refusal.txt"),
            (L::Fr, K::Answer) => include_str!("templates/fr/answer.txt"),
        }
    }
}

impl std::str::FromStr for Letter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|letter| letter.name() == text);
        found.ok_or_else(|| "not a letter: receipt, identity, extension, refusal or answer".to_owned())
    }
}

/// Why a letter cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// The template has a name that is not known.
    #[error("line {line} of the template has {{{{{name}}}}}, which is not known")]
    UnknownName {
        /// Where.
        line: usize,
        /// The name, cut.
        name: String,
    },
    /// Braces without an end.
    #[error("line {line} of the template has {{{{ without }}}}")]
    Unclosed {
        /// Where.
        line: usize,
    },
    /// The template wants something that the case does not have yet.
    #[error("the letter needs a {0}, and the case has none yet")]
    Missing(&'static str),
    /// The template is too large.
    #[error("the template has more than {TEMPLATE_BYTES_MAX} bytes")]
    TooLarge,
}

/// What a letter says that is not in the case yet.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The reason.
    pub reason: Option<String>,
    /// The ground of a refusal.
    pub ground: Option<String>,
}

/// The names that a template may have.
pub const NAMES: [&str; 13] = [
    "case",
    "today",
    "received",
    "rights",
    "due",
    "extension_by",
    "reason",
    "ground",
    "rule_answer",
    "rule_extension",
    "rule_refusal",
    "rule_complaint",
    "rule_identity",
];

/// Writes a letter of a case from a template, on this day.
///
/// # Errors
///
/// [`LetterError`], when the template is wrong or wants what is not there.
pub fn write(
    case: &Case,
    letter: Letter,
    language: Language,
    template: &str,
    said: &Said,
    today: NaiveDate,
) -> Result<String, LetterError> {
    let cite = &case.rules().edition().cite;
    let mut clock = case.clock();
    if letter == Letter::Extension {
        // The letter says what holds when it was sent.
        clock.extension_told.get_or_insert(today);
    }
    let due = case.rules().due(&clock);
    let rights: Vec<&str> = case.rights().iter().map(|right| language.right(*right)).collect();
    let (reason, ground) = recorded(case, letter);
    let mut values: BTreeMap<&str, String> = BTreeMap::from([
        ("case", case.id().to_string()),
        ("today", language.date(today)),
        ("received", language.date(case.received_on())),
        ("rights", rights.join(", ")),
        ("due", language.date(due.date)),
        ("extension_by", language.date(due.extension_by)),
        ("rule_answer", language.cite(&cite.answer)),
        ("rule_extension", language.cite(&cite.extension)),
        ("rule_refusal", language.cite(&cite.refusal)),
        ("rule_complaint", language.cite(&cite.complaint)),
        ("rule_identity", language.cite(&cite.identity)),
    ]);
    values.extend(said.reason.clone().or(reason).map(|reason| ("reason", reason)));
    values.extend(said.ground.clone().or(ground).map(|ground| ("ground", ground)));
    fill(template, &values)
}

/// The reason and the ground that the case says itself.
fn recorded(case: &Case, letter: Letter) -> (Option<String>, Option<String>) {
    let kind = match letter {
        Letter::Identity => EventKind::IdentityAsked,
        Letter::Extension => EventKind::Extended,
        Letter::Refusal => EventKind::Refused,
        Letter::Receipt | Letter::Answer => return (None, None),
    };
    let Some(event) = case.events().iter().rev().find(|event| event.what.kind() == kind) else {
        return (None, None);
    };
    let ground = match &event.what {
        What::Refused { ground, .. } => Some(ground.clone()),
        _ => None,
    };
    (event.reason.clone(), ground)
}

/// Fills a template.
///
/// # Errors
///
/// [`LetterError`]; what a value says is never looked at for names.
pub fn fill(template: &str, values: &BTreeMap<&str, String>) -> Result<String, LetterError> {
    fill_with(&NAMES, template, values)
}

/// Fills a template that may have these names.
///
/// # Errors
///
/// As [`fill`].
pub fn fill_with(
    names: &[&'static str],
    template: &str,
    values: &BTreeMap<&str, String>,
) -> Result<String, LetterError> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(LetterError::TooLarge);
    }
    let mut filled = String::with_capacity(template.len());
    let (mut rest, mut line) = (template, 1);
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        line += before.matches('\n').count();
        let (name, after) = after.split_once("}}").ok_or(LetterError::Unclosed { line })?;
        let name = name.trim();
        let Some(known) = names.iter().copied().find(|known| *known == name) else {
            return Err(LetterError::UnknownName { line, name: name.chars().take(40).collect() });
        };
        filled.push_str(values.get(known).ok_or(LetterError::Missing(known))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::case::Event;

    fn case(rules: &str) -> Case {
        let received = Event {
            at: "2026-03-02T09:00:00Z".parse().unwrap(),
            actor: "anna".to_owned(),
            reason: None,
            what: What::Received {
                on: "2026-03-02".parse().unwrap(),
                channel: "letter".to_owned(),
                rights: vec![Right::Access, Right::Erasure],
                rules: rules.to_owned(),
                language: "en".to_owned(),
                from_case: None,
            },
        };
        Case::open("2026-7K3F9Q".parse().unwrap(), received).unwrap()
    }

    #[test]
    fn every_letter_is_written_in_every_language_and_says_what_the_case_says() {
        let said = Said { reason: Some("because {{due}}".to_owned()), ground: Some("unfounded".to_owned()) };
        let today = "2026-03-03".parse().unwrap();
        for rules in ["eu", "uk", "de-by", "dk", "fr"] {
            let case = case(rules);
            for language in Language::ALL {
                for letter in Letter::ALL {
                    let template = letter.template(language);
                    let text = write(&case, letter, language, template, &said, today).unwrap();
                    assert!(text.contains("2026-7K3F9Q") && text.contains("2026"), "{text}");
                    let left = text.replace("because {{due}}", "");
                    assert!(!left.contains("{{"), "{rules} {language:?} {letter:?}: {left}");
                }
            }
        }
        let letter = |language| {
            write(&case("de"), Letter::Receipt, language, Letter::Receipt.template(language), &said, today)
                .unwrap()
        };
        assert!(letter(Language::De).contains("spätestens am 2. April 2026 (Art. 12 Abs. 3 DSGVO)"));
        assert!(letter(Language::Fr).contains("au plus tard le 2 avril 2026 (art. 12, par. 3, du RGPD)"));
        let more = Letter::Extension.template(Language::En);
        let more = write(&case("eu"), Letter::Extension, Language::En, more, &said, today).unwrap();
        assert!(more.contains("at the latest on 2 June 2026"), "{more}");
    }

    #[test]
    fn a_letter_with_a_hole_is_not_written() {
        let write = |template: &str| {
            let today = "2026-03-03".parse().unwrap();
            write(&case("eu"), Letter::Refusal, Language::En, template, &Said::default(), today)
        };
        assert_eq!(write("a {{ case }} b").unwrap(), "a 2026-7K3F9Q b");
        assert_eq!(write("x\n{{nmae}}"), Err(LetterError::UnknownName { line: 2, name: "nmae".to_owned() }));
        assert_eq!(write("x {{case"), Err(LetterError::Unclosed { line: 1 }));
        assert_eq!(write("{{reason}}"), Err(LetterError::Missing("reason")));
        assert_eq!(write(&"x".repeat(TEMPLATE_BYTES_MAX + 1)), Err(LetterError::TooLarge));
        assert_eq!(Language::Fr.date("2026-05-01".parse().unwrap()), "1er mai 2026");
    }
}
