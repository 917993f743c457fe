//! Names as people type them.

use super::super::{SubjectError, Warning};
use super::words::{
    bare, is_alias, is_behind, is_born, is_particle, is_patronymic, is_rank, is_suffix, may_be_given,
    without_titles,
};
use super::{PersonName, is_unspaced_letter};

/// What opens and closes a name that a person goes by: `Robert "Bob" Sample`.
const QUOTES: [(char, &str); 9] = [
    ('"', "\""),
    ('“', "”“\""),
    ('”', "”"),
    ('„', "“”\""),
    ('‚', "‘’'"),
    ('‘', "’"),
    ('\'', "'"),
    ('«', "»"),
    ('»', "«"),
];

/// A name that stands in quotes or brackets within another.
struct Aside {
    text: String,
    /// Whether nothing follows: then it may be another family name as well.
    is_last: bool,
}

impl PersonName {
    /// Reads a name as people write it: `Erika Mustermann`, `Mustermann, Erika`, `MUSTERMANN Erika`,
    /// `Dr. Erika von Mustermann geb. Gabler`, `Gabriel /García Márquez/`, `Erika "Rike" Mustermann`.
    /// An earlier family name, a nickname or an alias makes a name of its own. Where nothing says
    /// which is the family name, it is the last word.
    pub(in super::super) fn parse(text: &str) -> Result<(Vec<Self>, Vec<Warning>), SubjectError> {
        let (text, asides) = without_asides(text);
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut others = words
            .iter()
            .enumerate()
            .filter(|(at, word)| *at > 0 && at + 1 < words.len() && (is_born(word) || is_alias(word)))
            .map(|(at, _)| at);
        let first = others.next().unwrap_or(words.len());
        let (name, warnings) = Self::parse_one(words[..first].join(" ").trim_matches([',', ' ']))?;
        let mut names = vec![name];
        for (index, aside) in asides.iter().enumerate() {
            let is_last = aside.is_last && index + 1 == asides.len();
            names.extend(names[0].called(&aside.text, is_last));
        }
        let mut at = first;
        while at < words.len() {
            let end = others.next().unwrap_or(words.len());
            let born = is_born(words[at]);
            let rest: Vec<&str> = words[at + 1..end]
                .iter()
                .copied()
                .filter(|word| !matches!(bare(word).as_str(), "as" | ""))
                .collect();
            let rest = rest.join(" ");
            let rest = rest.trim_matches(['(', ')', ',', ' ']);
            if !rest.chars().any(char::is_alphabetic) {
                // `also known as`: the name comes after the next of these words.
            } else if born {
                names.extend(Self::from_parts(&names[0].given.join(" "), rest).ok().map(|(name, _)| name));
            } else if rest.contains(' ') {
                names.extend(Self::parse_one(rest).ok().map(|(name, _)| name));
            } else {
                names.extend(names[0].called(rest, true));
            }
            at = end;
        }
        let mut seen: Vec<Self> = Vec::with_capacity(names.len());
        for name in names {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        Ok((seen, warnings))
    }

    /// The names that a nickname, or where `may_be_family` another family name, makes of this one.
    fn called(&self, other: &str, may_be_family: bool) -> Vec<Self> {
        let family: Vec<&str> = self.particles.iter().chain(&self.family).map(String::as_str).collect();
        let nickname = Self::from_parts(other, &family.join(" ")).ok();
        let given = self.given.join(" ");
        let renamed =
            if may_be_family && !given.is_empty() { Self::from_parts(&given, other).ok() } else { None };
        nickname.into_iter().chain(renamed).map(|(name, _)| name).collect()
    }

    fn parse_one(text: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        if let Some((family, rest)) = text.split_once(',') {
            // `Erika Mustermann, PhD` names nobody called PhD.
            let given: Vec<&str> =
                rest.split(',').filter(|part| !part.trim().is_empty() && !is_behind(part)).collect();
            if given.is_empty() {
                return Self::parse_one(family);
            }
            return Self::from_parts(&given.join(" "), family);
        }
        if let Some((given, rest)) = text.split_once('/')
            && let Some((family, _)) = rest.split_once('/')
        {
            return Self::from_parts(given, family);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut words = without_titles(&words);
        if words.len() > 2 && words.last().is_some_and(|word| is_suffix(word)) {
            words.pop();
        }
        // `Graf Otto von Probe`: the rank is a title there.
        if words.len() > 2 && is_rank(words[0]) {
            words.remove(0);
        }
        let unspaced = |char: char| is_unspaced_letter(char) || "・·=＝".contains(char);
        if words.iter().all(|word| word.chars().all(unspaced)) {
            return Self::unspaced(&words);
        }
        if let Some(name) = Self::told_by_form(&words) {
            return name;
        }
        let Some((last, before)) = words.split_last() else { return Err(SubjectError::NoLetters) };
        // Particles and ranks right before the family name belong to it.
        let mut first =
            before.iter().rposition(|word| !is_particle(word) && !is_rank(word)).map_or(0, |at| at + 1);
        if first == 0
            && before.first().is_some_and(|word| is_rank(word) || (may_be_given(word) && may_begin(before)))
        {
            first = 1;
        }
        let given = before[..first].join(" ");
        let family = format!("{} {last}", before[first..].join(" "));
        let (mut name, mut warnings) = Self::from_parts(&given, &family)?;
        let initial = |word: &String| bare(word).chars().count() == 1;
        name.split = name.given.iter().skip(1).all(initial);
        if name.is_unclear() {
            warnings.push(Warning::UnclearNameParts);
        }
        Ok((name, warnings))
    }

    /// A name whose form tells the family name: in capitals beside words that are not, or before a
    /// given name and a patronymic.
    fn told_by_form(words: &[&str]) -> Option<Result<(Self, Vec<Warning>), SubjectError>> {
        let capitals = |word: &&str| {
            let mut letters = word.chars().filter(|char| char.is_alphabetic());
            word.chars().filter(|char| char.is_alphabetic()).count() > 1 && letters.all(char::is_uppercase)
        };
        let small = |word: &&str| word.chars().any(char::is_lowercase) && !is_particle(word);
        if words.len() > 2 && words.iter().any(small) {
            let leading = words.iter().take_while(|word| capitals(word)).count();
            let trailing = words.iter().rev().take_while(|word| capitals(word)).count();
            let both = words.iter().filter(|word| capitals(word)).count();
            if both > 0 && leading == both {
                return Some(Self::from_parts(&words[leading..].join(" "), &words[..leading].join(" ")));
            }
            if both > 0 && trailing == both {
                let at = words.len() - trailing;
                return Some(Self::from_parts(&words[..at].join(" "), &words[at..].join(" ")));
            }
        }
        if let [first, second, third] = words {
            if is_patronymic(second) {
                return Some(Self::from_parts(&format!("{first} {second}"), third));
            }
            if is_patronymic(third) && !is_patronymic(first) {
                return Some(Self::from_parts(&format!("{second} {third}"), first));
            }
        }
        None
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
}

/// Whether the first of words that are all particles may be a given name: `Ben Sample`, and not
/// `Van Der Sample`.
fn may_begin(before: &[&str]) -> bool {
    before.len() == 1 || matches!(bare(before[0]).as_str(), "ben" | "al" | "bar")
}

/// Takes out what stands in quotes or brackets. An earlier name in brackets stays, without them.
fn without_asides(text: &str) -> (String, Vec<Aside>) {
    let mut kept = String::with_capacity(text.len());
    let mut asides = Vec::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let at_word = kept.chars().next_back().is_none_or(char::is_whitespace);
        let closing = match char {
            '(' => Some(")"),
            '[' => Some("]"),
            _ => QUOTES.iter().find(|(open, _)| *open == char).map(|(_, close)| *close),
        };
        let after = &rest[char.len_utf8()..];
        let end = closing
            .filter(|_| at_word)
            .and_then(|closing| after.find(|char: char| closing.contains(char)))
            .filter(|end| after[*end..].chars().nth(1).is_none_or(|char| !char.is_alphanumeric()));
        let Some(end) = end else {
            kept.push(char);
            rest = after;
            continue;
        };
        let inside = after[..end].trim();
        let close = after[end..].chars().next().map_or(1, char::len_utf8);
        rest = &after[end + close..];
        if inside.split_whitespace().next().is_some_and(|word| is_born(word) || is_alias(word)) {
            kept.push_str(inside);
        } else if inside.chars().any(char::is_alphabetic) {
            let is_last = !rest.chars().any(char::is_alphabetic);
            asides.push(Aside { text: inside.to_owned(), is_last });
        }
    }
    if kept.chars().any(char::is_alphabetic) {
        return (kept, asides);
    }
    (text.replace(['(', ')', '[', ']'], " "), Vec::new())
}
