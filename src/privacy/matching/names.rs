//! Names in the words of a text.
//!
//! Each word of a name is a symbol with the keys under which it may be met; a name is a few
//! sequences of symbols (forms): `jean luc` and `jeanluc`. A text is looked up word by word, and
//! around each family name the given names are looked for, in whatever order and with titles,
//! particles and initials between. So the work grows with the text and not with the ways in which
//! a name can be written.

use std::collections::HashMap;

mod keys;
mod reading;

pub(super) use keys::Anchor;
use keys::{Keys, anchor, groupings, joined_and_apart, split_prefix, without_prefix, words};
use reading::Reading;

use super::fold::{Fold, Folded, look_alike};
use super::tokens::Token;
use super::{Normaliser, Raw, Rule, fuzzy, inflection, spelling};
use crate::privacy::subject::PersonName;

/// Shortest part of a word (`portraitMustermann`) that is taken for a family name. The prefilter
/// finds those anywhere in a word; shorter ones only as words of their own.
pub(super) const PIECE_MIN: usize = 5;
/// Forms of one name that begin with the same word, kept: more are aliases that differ in nothing
/// else than what can be seen later in them.
const FORMS_MAX: usize = 4_096;

/// How a word of a text was recognised. Ordered: later ones are weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Via {
    Plain,
    Inflected,
    Transliterated,
    LookAlike,
}

/// What a form is of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A given name; the first one or another.
    Given { first: bool },
    /// The whole family name.
    Family,
    /// One word of a family name of several.
    FamilyPart,
    /// The whole name in one word.
    Whole,
    /// An initial and the family name in one word.
    InitialWhole,
}

#[derive(Debug)]
struct Form {
    name: u32,
    role: Role,
    symbols: Vec<u32>,
}

#[derive(Debug)]
struct Name {
    /// Words of the given names, without marks: initials and abbreviations begin them.
    given: Vec<String>,
    /// Particles of the family name, which may be left out, also those that nobody else has.
    particles: Vec<String>,
    /// Whether nothing says which words are given names.
    unclear: bool,
}

/// The names of a subject, ready to be looked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Name>,
    /// Words without marks.
    plain: HashMap<String, Vec<(u32, Via)>>,
    /// Words that must be met with their marks.
    marked: HashMap<String, Vec<u32>>,
    /// Coarse forms, for words of Cyrillic and Greek.
    coarse: HashMap<String, Vec<u32>>,
    /// Words without the ending that declension takes away.
    stems: HashMap<String, Vec<u32>>,
    forms: HashMap<u32, Vec<Form>>,
    pub(super) fuzzy: Vec<fuzzy::Pair>,
    /// By what the prefilter knows texts with given names. They are met as parts of words, however short.
    pub(super) given: Vec<Anchor>,
    symbols: u32,
    known: HashMap<String, u32>,
}

/// A form found in a text.
#[derive(Debug, Clone, Copy)]
struct Occurrence {
    name: u32,
    role: Role,
    first: usize,
    last: usize,
    via: Via,
}

impl Names {
    /// Prepares names, and says by what the prefilter knows them.
    pub(super) fn new(list: &[PersonName], fold: Fold) -> (Self, Vec<Anchor>) {
        let mut names = Self::default();
        let mut anchors = Vec::new();
        for (index, name) in list.iter().enumerate() {
            names.add(u32::try_from(index).unwrap_or(u32::MAX), name, fold, &mut anchors);
        }
        names.known = HashMap::new();
        names.given.iter_mut().for_each(|anchor| (anchor.begins, anchor.ends) = (false, false));
        (names, anchors)
    }

    fn add(&mut self, index: u32, name: &PersonName, fold: Fold, anchors: &mut Vec<Anchor>) {
        let given: Vec<Vec<String>> = name.given.iter().map(|word| words(word, fold)).collect();
        let unclear = name.is_unclear();
        let particles = name.particles.iter().flat_map(|word| words(word, fold)).collect();
        let known = given.iter().flatten().map(|word| fold.plain(word)).collect();
        self.names.push(Name { given: known, particles, unclear });
        if name.is_unspaced() {
            return;
        }
        let family: Vec<Vec<String>> = name.family.iter().map(|word| words(word, fold)).collect();
        self.add_given(index, &given, fold);
        let all: Vec<String> = family.iter().flatten().cloned().collect();
        let family_forms = self.add_family(index, name, &all, fold);
        // Words that may be part of the family name, which is a guess.
        let guesses: Vec<String> = given.iter().flatten().filter(|_| unclear).cloned().collect();
        for word in guesses.iter().filter(|word| word.chars().count() > 1) {
            self.form(index, Role::FamilyPart, std::slice::from_ref(word), fold);
        }
        if unclear {
            for word in &all {
                self.form(index, Role::Given { first: false }, std::slice::from_ref(word), fold);
            }
        }
        let firsts = [
            given.first().map(|words| words.concat()),
            (given.len() > 1).then(|| given.iter().flatten().cloned().collect()),
        ];
        let families = [
            Some(all.concat()),
            family_forms.last().filter(|form| form.len() == 1).map(|form| form[0].clone()),
        ];
        let mut wholes = Vec::new();
        for family in families.iter().flatten() {
            for first in firsts.iter().flatten() {
                wholes.push((Role::Whole, format!("{first}{family}")));
                if fold.switches.on(Normaliser::Order) {
                    wholes.push((Role::Whole, format!("{family}{first}")));
                }
                if fold.switches.on(Normaliser::Initials)
                    && let Some(initial) = first.chars().next()
                {
                    wholes.push((Role::InitialWhole, format!("{initial}{family}")));
                }
            }
        }
        if !fold.switches.on(Normaliser::Slugs) {
            wholes.clear();
        }
        for (role, whole) in &wholes {
            self.form(index, *role, std::slice::from_ref(whole), fold);
        }
        if let [last] = all.as_slice()
            && fold.switches.on(Normaliser::Fuzzy)
        {
            // The first given name, and the word that stands next to the family name.
            let mut next: Vec<String> = given.first().map(|words| words.concat()).into_iter().collect();
            next.extend(given.last().and_then(|words| words.last()).cloned());
            next.dedup();
            for given in next {
                let pair = fuzzy::Pair::new(index, &fold.plain(&given), &fold.plain(last));
                self.fuzzy.extend(pair.filter(|_| self.fuzzy.len() < fuzzy::NAMES_MAX));
            }
        }
        let wholes = wholes.iter().map(|(_, whole)| whole.as_str());
        let single =
            family_forms.iter().filter(|form| form.len() == 1).flat_map(|form| without_prefix(&form[0]));
        let parts = all.iter().filter(|word| word.chars().count() > 2).map(String::as_str);
        let guesses = guesses.iter().filter(|word| word.chars().count() > 1).map(String::as_str);
        anchor(single.chain(parts).chain(wholes).chain(guesses), fold, anchors);
        if family_forms.iter().all(|form| form.len() > 1) {
            anchor(all.iter().map(String::as_str), fold, anchors);
        }
    }

    /// Adds the given names: each, and two that stand next to each other as one (`Annamaria`).
    fn add_given(&mut self, index: u32, given: &[Vec<String>], fold: Fold) {
        for (at, words) in given.iter().enumerate() {
            let mut forms = joined_and_apart(words, fold);
            if let Some(next) = given.get(at + 1).filter(|_| fold.switches.on(Normaliser::Separators)) {
                forms.push(vec![words.concat() + &next.concat()]);
            }
            if at == 0 && given.len() > 2 && given.iter().flatten().all(|word| word.chars().count() == 1) {
                // `JRR` for J. R. R.
                forms.push(vec![given.iter().flatten().cloned().collect()]);
            }
            for form in forms {
                self.form(index, Role::Given { first: at == 0 }, &form, fold);
                anchor(form.iter().map(String::as_str), fold, &mut self.given);
            }
        }
    }

    /// Adds the family name of the words `all`; gives its forms.
    fn add_family(&mut self, index: u32, name: &PersonName, all: &[String], fold: Fold) -> Vec<Vec<String>> {
        let mut forms = groupings(all, fold);
        if fold.switches.on(Normaliser::Separators) {
            for (word, rest) in all.iter().filter_map(|word| split_prefix(word)).filter(|_| all.len() == 1) {
                forms.push(vec![word.to_owned(), rest.to_owned()]);
            }
            // `Vandenberg` for van den Berg.
            let particles: String = name.particles.iter().map(|word| fold.string(word)).collect();
            if !particles.is_empty() {
                let particles: String = particles.chars().filter(|char| char.is_alphanumeric()).collect();
                forms.push(vec![particles + &all.concat()]);
            }
        }
        for form in &forms {
            self.form(index, Role::Family, form, fold);
        }
        if all.len() > 1 {
            for word in all.iter().filter(|word| word.chars().count() > 2) {
                self.form(index, Role::FamilyPart, std::slice::from_ref(word), fold);
            }
        }
        forms
    }

    /// Adds a form, and its words with all their keys.
    fn form(&mut self, name: u32, role: Role, words: &[String], fold: Fold) {
        let symbols: Vec<u32> = words.iter().map(|word| self.symbol(word, fold)).collect();
        let Some(first) = symbols.first() else { return };
        let forms = self.forms.entry(*first).or_default();
        let known =
            forms.iter().any(|form| form.name == name && form.role == role && form.symbols == symbols);
        if !known && forms.len() < FORMS_MAX {
            forms.push(Form { name, role, symbols });
        }
    }

    fn symbol(&mut self, word: &str, fold: Fold) -> u32 {
        if let Some(symbol) = self.known.get(word) {
            return *symbol;
        }
        let symbol = self.symbols;
        self.symbols += 1;
        self.known.insert(word.to_owned(), symbol);
        let keys = Keys::new(word, fold);
        for key in keys.plain {
            add(&mut self.plain, key, (symbol, Via::Plain));
        }
        for key in keys.latin {
            add(&mut self.plain, key, (symbol, Via::Transliterated));
        }
        for key in keys.marked {
            add(&mut self.marked, key, symbol);
        }
        for key in keys.coarse {
            add(&mut self.coarse, key, symbol);
        }
        for key in keys.stems {
            add(&mut self.stems, key, symbol);
        }
        symbol
    }

    /// Finds names in a folded text.
    pub(super) fn find(&self, folded: &Folded, fold: Fold, found: &mut Vec<Raw>) {
        if self.names.is_empty() {
            return;
        }
        let reading = Reading::new(self, folded, fold);
        let mut taken = vec![false; reading.tokens.len()];
        for occurrence in
            reading.occurrences.iter().filter(|occurrence| !matches!(occurrence.role, Role::Given { .. }))
        {
            let (rule, first, last) = reading.around(occurrence);
            taken[first..=last].fill(true);
            found.push(reading.raw(occurrence.name, rule, first, last));
        }
        for occurrence in &reading.occurrences {
            if matches!(occurrence.role, Role::Given { .. }) && !taken[occurrence.first] {
                found.push(reading.raw(occurrence.name, Rule::GivenName, occurrence.first, occurrence.last));
            }
        }
        fuzzy::find(&self.fuzzy, folded, &reading.tokens, fold, |name, first, last| {
            if !taken[first..=last].iter().all(|taken| *taken) {
                found.push(reading.raw(name, Rule::NameFuzzy, first, last));
            }
        });
    }

    /// The symbols that a word of a text may be.
    fn resolve(&self, word: &str, token: Token, fold: Fold, out: &mut Vec<(u32, Via)>) {
        out.clear();
        let plain = fold.plain(word);
        if let Some(symbols) = self.plain.get(&plain) {
            out.extend(symbols);
        }
        if !self.marked.is_empty()
            && let Some(symbols) = self.marked.get(&fold.marked(word))
        {
            out.extend(symbols.iter().map(|symbol| (*symbol, Via::Plain)));
        }
        if !out.is_empty() {
            return;
        }
        if fold.switches.on(Normaliser::Inflection) {
            inflection::bases(&plain, |base| {
                let symbols = self.plain.get(base).into_iter().flatten();
                out.extend(
                    symbols
                        .filter(|(_, via)| *via == Via::Plain)
                        .map(|(symbol, _)| (*symbol, Via::Inflected)),
                );
                out.extend(
                    self.stems.get(base).into_iter().flatten().map(|symbol| (*symbol, Via::Inflected)),
                );
            });
        }
        if token.other_alphabet
            && !token.mixed
            && fold.switches.on(Normaliser::Transliteration)
            && !self.coarse.is_empty()
        {
            let symbols = self.coarse.get(&spelling::coarse(&plain)).into_iter().flatten();
            out.extend(symbols.map(|symbol| (*symbol, Via::Transliterated)));
        }
        if token.mixed && fold.switches.on(Normaliser::Confusables) {
            let latin: String = plain.chars().map(|char| look_alike(char).unwrap_or(char)).collect();
            let symbols = self.plain.get(&latin).into_iter().flatten();
            out.extend(symbols.map(|(symbol, _)| (*symbol, Via::LookAlike)));
        }
    }
}

fn add<T: PartialEq>(map: &mut HashMap<String, Vec<T>>, key: String, value: T) {
    let list = map.entry(key).or_default();
    if !list.contains(&value) {
        list.push(value);
    }
}
