//! Names of people, as far as they can be told apart into parts.

use serde::{Deserialize, Serialize};

use super::{SubjectError, Warning};

/// One name of a person; maiden names and aliases are names of their own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Given names in their order, one an entry; `Jean-Luc` is one.
    pub given: Vec<String>,
    /// Words of the family name without its particles: two for `García Márquez`.
    pub family: Vec<String>,
    /// Particles of the family name: `von der`.
    pub particles: Vec<String>,
    /// Whether the person who typed it said which words are the family name.
    pub split: bool,
}

/// Words before a name that are not part of it. Compared without dots, in lower case.
pub(crate) const TITLES: [&str; 44] = [
    "dr",
    "prof",
    "professor",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "sir",
    "dame",
    "lord",
    "lady",
    "rev",
    "hon",
    "herr",
    "frau",
    "hr",
    "fr",
    "dipl",
    "ing",
    "mag",
    "med",
    "phil",
    "rer",
    "nat",
    "jur",
    "hc",
    "phd",
    "md",
    "msc",
    "bsc",
    "ma",
    "mme",
    "mlle",
    "madame",
    "monsieur",
    "sr",
    "sra",
    "don",
    "dona",
    "señor",
    "señora",
    "pan",
    "pani",
];

/// Words between given and family name that are often left out. Compared without dots, in lower
/// case, without marks.
pub(crate) const PARTICLES: [&str; 46] = [
    "von", "vom", "zu", "zum", "zur", "van", "den", "der", "des", "de", "del", "della", "dello", "delle",
    "di", "da", "das", "do", "dos", "du", "la", "le", "les", "los", "las", "lo", "ten", "ter", "te", "el",
    "al", "ul", "bin", "ibn", "bint", "ben", "bar", "abu", "af", "av", "d", "l", "y", "e", "i", "of",
];

/// Words after a name.
pub(crate) const SUFFIXES: [&str; 6] = ["jr", "jun", "sen", "ii", "iii", "iv"];

/// Words that begin an earlier family name.
const BORN: [&str; 8] = ["geb", "geborene", "née", "nee", "born", "née:", "roz", "rozená"];

/// A word as the lists above have it.
pub(crate) fn bare(word: &str) -> String {
    word.trim_matches(|char: char| !char.is_alphanumeric()).to_lowercase()
}

impl PersonName {
    /// Reads a name as people write it: `Erika Mustermann`, `Mustermann, Erika`,
    /// `Dr. Erika von Mustermann geb. Gabler`, `Gabriel /García Márquez/`. An earlier family name
    /// makes a second name. Without comma or slashes the last word is the family name.
    pub(super) fn parse(text: &str) -> Result<(Vec<Self>, Vec<Warning>), SubjectError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let born = words.iter().position(|word| BORN.contains(&bare(word).as_str())).filter(|at| *at > 0);
        let (now, earlier) = match born {
            Some(at) => (&words[..at], words[at + 1..].join(" ")),
            None => (&words[..], String::new()),
        };
        let (name, warnings) = Self::parse_one(now.join(" ").trim_matches(['(', ' ']))?;
        let mut names = vec![name];
        let earlier = earlier.trim_matches([')', ',', ' ']);
        if !earlier.is_empty() {
            let given = names[0].given.join(" ");
            names.push(Self::from_parts(&given, earlier)?.0);
        }
        Ok((names, warnings))
    }

    fn parse_one(text: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        if let Some((family, given)) = text.split_once(',') {
            // `Erika Mustermann, PhD` names nobody called PhD.
            if given.split_whitespace().any(|word| !is_title(word)) {
                return Self::from_parts(given, family);
            }
            return Self::parse_one(family);
        }
        if let Some((given, rest)) = text.split_once('/')
            && let Some((family, _)) = rest.split_once('/')
        {
            return Self::from_parts(given, family);
        }
        let words: Vec<&str> = text.split_whitespace().filter(|word| !is_title(word)).collect();
        let words: Vec<&str> = match words.split_last() {
            Some((last, rest)) if rest.len() > 1 && SUFFIXES.contains(&bare(last).as_str()) => rest.to_vec(),
            _ => words,
        };
        if words
            .iter()
            .all(|word| word.chars().all(|char| is_unspaced_letter(char) || "・·=＝".contains(char)))
        {
            return Self::unspaced(&words);
        }
        let Some((last, before)) = words.split_last() else { return Err(SubjectError::NoLetters) };
        // Particles right before the family name belong to it.
        let first_particle = before.iter().rposition(|word| !is_particle(word)).map_or(0, |at| at + 1);
        let given = before[..first_particle].join(" ");
        let family = format!("{} {last}", before[first_particle..].join(" "));
        let (mut name, mut warnings) = Self::from_parts(&given, &family)?;
        name.split = false;
        if name.given.len() > 1 {
            warnings.push(Warning::UnclearNameParts);
        }
        Ok((name, warnings))
    }

    /// Names of scripts without spaces: the family name comes first where a space says so; a name
    /// without any is one word.
    fn unspaced(words: &[&str]) -> Result<(Self, Vec<Warning>), SubjectError> {
        let whole = words.concat();
        let katakana = whole.chars().any(|char| matches!(char, '\u{30a0}'..='\u{30ff}'));
        let (given, family) = match words {
            [one] => (Vec::new(), vec![(*one).to_owned()]),
            // Foreign names in katakana keep their own order.
            [given @ .., family] if katakana => {
                (given.iter().map(ToString::to_string).collect(), vec![(*family).to_owned()])
            }
            [family, given @ ..] => {
                (given.iter().map(ToString::to_string).collect(), vec![(*family).to_owned()])
            }
            [] => return Err(SubjectError::NoLetters),
        };
        let warnings = if whole.chars().count() < 3 { vec![Warning::ShortName] } else { Vec::new() };
        Ok((Self { given, family, particles: Vec::new(), split: false }, warnings))
    }

    /// A name whose parts are known; one of them may be empty.
    pub(super) fn from_parts(given: &str, family: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        let words = |text: &str| -> Vec<String> {
            text.split_whitespace()
                .filter(|word| !is_title(word))
                .map(|word| word.trim_matches([',', ';']).to_owned())
                .collect()
        };
        let (mut given, mut family) = (words(given), words(family));
        let mut particles = Vec::new();
        // `Berg, Jan van den` and `van den Berg, Jan`; a family name that is a particle stays one.
        while family.len() > 1 && is_particle(&family[0]) {
            particles.push(family.remove(0));
        }
        while given.len() > 1 && given.last().is_some_and(|word| is_particle(word)) {
            particles.extend(given.pop());
        }
        family.retain(|word| word.chars().any(char::is_alphanumeric));
        given.retain(|word| word.chars().any(char::is_alphanumeric));
        if family.is_empty() {
            // One name of however many words, as of musicians and in Java.
            family.extend(given.pop());
        }
        let letters: usize = family
            .iter()
            .chain(&given)
            .map(|word| word.chars().filter(|char| char.is_alphabetic()).count())
            .sum();
        let dense = family.iter().any(|word| word.chars().any(is_unspaced_letter));
        if letters == 0 || (letters < 2 && !dense) {
            return Err(SubjectError::NoLetters);
        }
        let mut warnings = Vec::new();
        let alone = given.is_empty() && !dense;
        if alone {
            warnings.push(Warning::SurnameOnly);
        } else if letters < if dense { 3 } else { 6 } {
            warnings.push(Warning::ShortName);
        }
        Ok((Self { given, family, particles, split: true }, warnings))
    }

    /// The name in one line, given names first.
    pub fn text(&self) -> String {
        let parts: Vec<&str> =
            self.given.iter().chain(&self.particles).chain(&self.family).map(String::as_str).collect();
        parts.join(" ")
    }

    /// Whether it is a family name and nothing else, which never stands for one person.
    pub fn is_surname_only(&self) -> bool {
        self.given.is_empty() && !self.is_unspaced()
    }

    /// Whether it is written in a script without spaces.
    pub fn is_unspaced(&self) -> bool {
        self.family.iter().any(|word| word.chars().any(is_unspaced_letter))
    }
}

fn is_title(word: &str) -> bool {
    let word = bare(word);
    // `Dr.med.` is typed without a space.
    !word.is_empty() && word.split('.').all(|part| part.is_empty() || TITLES.contains(&part))
}

fn is_particle(word: &str) -> bool {
    // A capital alone is an initial: `E.`, not the Portuguese `e`.
    PARTICLES.contains(&bare(word).as_str())
        && !(bare(word).chars().count() == 1 && word.starts_with(char::is_uppercase))
}

fn is_unspaced_letter(char: char) -> bool {
    crate::privacy::matching::is_unspaced(char)
}
