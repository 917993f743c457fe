//! Names of people, as far as they can be told apart into parts.

use serde::{Deserialize, Serialize};

mod parse;
mod words;

use super::{SubjectError, Warning};
use words::{is_particle, is_rank, is_suffix, may_be_given, split_article, without_titles};
pub(crate) use words::{is_title_word, may_stand_between};

/// One name of a person; maiden names and aliases are names of their own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Given names in their order, one an entry; `Jean-Luc` is one.
    pub given: Vec<String>,
    /// Words of the family name without its particles: two for `García Márquez`.
    pub family: Vec<String>,
    /// Particles of the family name: `von der`.
    pub particles: Vec<String>,
    /// Whether it is certain which words are the family name.
    pub split: bool,
}

impl PersonName {
    /// A name whose parts are known; one of them may be empty.
    pub(super) fn from_parts(given: &str, family: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        let words = |text: &str| -> Vec<String> {
            let words: Vec<&str> = text.split_whitespace().collect();
            without_titles(&words)
                .iter()
                .map(|word| word.trim_matches([',', ';', '"', '“', '”', '„', '(', ')']).to_owned())
                .collect()
        };
        let (mut given, mut family) = (words(given), words(family));
        for part in [&mut given, &mut family] {
            if part.len() > 1 && part.last().is_some_and(|word| is_suffix(word)) {
                part.pop();
            }
        }
        // `Berg, Jan van den` and `van den Berg, Jan`; a family name that is a particle stays one.
        let mut particles = Vec::new();
        while given.len() > 1 && given.last().is_some_and(|word| is_particle(word) && !may_be_given(word)) {
            particles.extend(given.pop());
        }
        particles.reverse();
        while family.len() > 1 && (is_particle(&family[0]) || is_rank(&family[0])) {
            particles.push(family.remove(0));
        }
        if let Some((article, rest)) = family.first().and_then(|word| split_article(word)) {
            particles.push(article.to_owned());
            family[0] = rest.to_owned();
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

    /// Whether it has three words or more and nothing says which are the family name.
    pub fn is_unclear(&self) -> bool {
        !self.split && self.given.len() > 1 && !self.is_unspaced()
    }

    /// Whether it is written in a script without spaces.
    pub fn is_unspaced(&self) -> bool {
        self.family.iter().any(|word| word.chars().any(is_unspaced_letter))
    }
}

fn is_unspaced_letter(char: char) -> bool {
    crate::privacy::matching::is_unspaced(char)
}
