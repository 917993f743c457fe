//! Names in the words of a text.
//!
//! Each word of a name is a symbol with the keys under which it may be met; a name is a few
//! sequences of symbols (forms): `jean luc` and `jeanluc`. A text is looked up word by word, and
//! around each family name the given names are looked for, in whatever order and with titles,
//! particles and initials between. So the work grows with the text and not with the ways in which
//! a name can be written.

use std::collections::HashMap;

mod keys;

pub(super) use keys::Anchor;
use keys::{Keys, anchor, joined_and_apart, split_prefix, without_prefix, words};

use super::fold::{Fold, Folded, look_alike};
use super::tokens::{Gap, Token, gap, pieces, tokens};
use super::{Normaliser, Raw, Rule, fuzzy, inflection, spelling};
use crate::privacy::subject::{IdentifierKind, IdentifierRef, PARTICLES, PersonName, SUFFIXES, TITLES};

/// Words that may stand between given and family name: `Dr.`, `van der`, two initials.
const FILLERS_MAX: usize = 4;
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
    /// First letters of the given names.
    initials: Vec<char>,
    /// Whether a second given name is surely one.
    split: bool,
    /// Whether there is any given name.
    has_given: bool,
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
        let initials = given.iter().flatten().filter_map(|word| fold.plain(word).chars().next()).collect();
        self.names.push(Name { initials, split: name.split, has_given: !given.is_empty() });
        if name.is_unspaced() {
            return;
        }
        let family: Vec<Vec<String>> = name.family.iter().map(|word| words(word, fold)).collect();
        for (at, words) in given.iter().enumerate() {
            for form in joined_and_apart(words, fold) {
                self.form(index, Role::Given { first: at == 0 }, &form, fold);
                anchor(form.iter().map(String::as_str), fold, &mut self.given);
            }
        }
        let all: Vec<String> = family.iter().flatten().cloned().collect();
        let mut family_forms = joined_and_apart(&all, fold);
        if fold.switches.on(Normaliser::Separators) {
            for (word, rest) in all.iter().filter_map(|word| split_prefix(word)).filter(|_| all.len() == 1) {
                family_forms.push(vec![word.to_owned(), rest.to_owned()]);
            }
            // `Vandenberg` for van den Berg.
            let particles: String = name.particles.iter().map(|word| fold.string(word)).collect();
            if !particles.is_empty() {
                let particles: String = particles.chars().filter(|char| char.is_alphanumeric()).collect();
                family_forms.push(vec![particles + &all.concat()]);
            }
        }
        for form in &family_forms {
            self.form(index, Role::Family, form, fold);
        }
        if all.len() > 1 {
            for word in all.iter().filter(|word| word.chars().count() > 2) {
                self.form(index, Role::FamilyPart, std::slice::from_ref(word), fold);
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
        anchor(single.chain(parts).chain(wholes), fold, anchors);
        if family_forms.iter().all(|form| form.len() > 1) {
            anchor(all.iter().map(String::as_str), fold, anchors);
        }
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

/// A text with its words looked up.
struct Reading<'a> {
    names: &'a Names,
    folded: &'a Folded,
    fold: Fold,
    tokens: Vec<Token>,
    /// Forms found, in the order of the text.
    occurrences: Vec<Occurrence>,
    /// Given names by the word they begin and end with, and whose they are.
    given_by_first: HashMap<(usize, u32), usize>,
    given_by_last: HashMap<(usize, u32), usize>,
}

impl<'a> Reading<'a> {
    fn new(names: &'a Names, folded: &'a Folded, fold: Fold) -> Self {
        let mut words = Vec::new();
        let mut symbols: Vec<Vec<(u32, Via)>> = Vec::new();
        let mut found = Vec::new();
        for token in tokens(folded) {
            let word = &folded.text[token.range()];
            names.resolve(word, token, fold, &mut found);
            let splits = found.is_empty() && fold.switches.on(Normaliser::Slugs) && word.len() >= PIECE_MIN;
            let parts = if splits { pieces(folded, token) } else { Vec::new() };
            if parts.len() < 2 {
                words.push(token);
                symbols.push(found.clone());
                continue;
            }
            let mut known = Vec::with_capacity(parts.len());
            for part in &parts {
                names.resolve(&folded.text[part.range()], *part, fold, &mut found);
                found.retain(|(_, via)| *via == Via::Plain);
                known.push(found.clone());
            }
            if known.iter().all(Vec::is_empty) {
                words.push(token);
                symbols.push(Vec::new());
            } else {
                words.extend(parts);
                symbols.append(&mut known);
            }
        }
        let mut reading = Self {
            names,
            folded,
            fold,
            tokens: words,
            occurrences: Vec::new(),
            given_by_first: HashMap::new(),
            given_by_last: HashMap::new(),
        };
        reading.occurrences(&symbols);
        reading
    }

    fn occurrences(&mut self, symbols: &[Vec<(u32, Via)>]) {
        for at in 0..symbols.len() {
            for (symbol, via) in &symbols[at] {
                for form in self.names.forms.get(symbol).into_iter().flatten() {
                    let Some((last, via)) = self.complete(form, at, *via, symbols) else { continue };
                    if self.is_small_piece(at, form) {
                        continue;
                    }
                    let index = self.occurrences.len();
                    if matches!(form.role, Role::Given { .. }) {
                        self.given_by_first.insert((at, form.name), index);
                        self.given_by_last.insert((last, form.name), index);
                    }
                    self.occurrences.push(Occurrence {
                        name: form.name,
                        role: form.role,
                        first: at,
                        last,
                        via,
                    });
                }
            }
        }
        // A word of a family name that is there as a whole is not found once more by itself.
        let mut covered: Vec<(u32, usize, usize)> = self
            .occurrences
            .iter()
            .filter(|found| found.role == Role::Family)
            .map(|found| (found.name, found.first, found.last))
            .collect();
        covered.sort_unstable();
        self.occurrences.retain(|found| {
            let before = covered.partition_point(|whole| (whole.0, whole.1) <= (found.name, found.first));
            found.role != Role::FamilyPart
                || before == 0
                || covered[before - 1].0 != found.name
                || covered[before - 1].2 < found.last
        });
        if covered.len() < self.occurrences.len() {
            // Indices have moved.
            self.given_by_first.clear();
            self.given_by_last.clear();
            for (index, found) in self.occurrences.iter().enumerate() {
                if matches!(found.role, Role::Given { .. }) {
                    self.given_by_first.insert((found.first, found.name), index);
                    self.given_by_last.insert((found.last, found.name), index);
                }
            }
        }
    }

    /// Whether the word is a short part of a longer one, too short to be taken for a family name.
    fn is_small_piece(&self, at: usize, form: &Form) -> bool {
        let token = self.tokens[at];
        let glued = |other: Option<&Token>, is_next: bool| {
            other.is_some_and(
                |other| if is_next { other.start == token.end } else { other.end == token.start },
            )
        };
        !matches!(form.role, Role::Given { .. })
            && self.fold.plain(self.word(at)).chars().count() < PIECE_MIN
            && (glued(at.checked_sub(1).map(|at| &self.tokens[at]), false)
                || glued(self.tokens.get(at + 1), true))
    }

    /// Whether the rest of a form stands behind its first word.
    fn complete(
        &self,
        form: &Form,
        at: usize,
        via: Via,
        symbols: &[Vec<(u32, Via)>],
    ) -> Option<(usize, Via)> {
        let mut via = via;
        for (offset, symbol) in form.symbols.iter().enumerate().skip(1) {
            let now = at + offset;
            let (_, found) = symbols.get(now)?.iter().find(|(other, _)| other == symbol)?;
            if !matches!(self.gap(now - 1, now), Gap::Space | Gap::Joint) {
                return None;
            }
            via = via.max(*found);
        }
        Some((at + form.symbols.len() - 1, via))
    }

    fn word(&self, at: usize) -> &str {
        &self.folded.text[self.tokens[at].range()]
    }

    fn between(&self, first: usize, second: usize) -> &str {
        &self.folded.text[self.tokens[first].end as usize..self.tokens[second].start as usize]
    }

    fn gap(&self, first: usize, second: usize) -> Gap {
        let word = self.word(first);
        let gap = gap(self.between(first, second), word.chars().count() == 1 || is_listed(word, &TITLES));
        if gap == Gap::Joint
            && !self.fold.switches.on(Normaliser::Slugs)
            && self.between(first, second).contains(['_', '.', '/', '+', '-'])
        {
            // Within a name hyphens still count: that is `Separators`.
            let hyphen = self.between(first, second) == "-" && self.fold.switches.on(Normaliser::Separators);
            return if hyphen && self.folded.capital[self.tokens[second].start as usize] {
                gap
            } else {
                Gap::Apart
            };
        }
        gap
    }

    /// Whether a word may stand between the names of `name`.
    fn is_filler(&self, at: usize, name: u32) -> bool {
        let word = self.word(at);
        if self.given_by_first.contains_key(&(at, name)) {
            return true;
        }
        (self.fold.switches.on(Normaliser::Particles)
            && (is_listed(word, &TITLES) || is_listed(word, &PARTICLES) || is_listed(word, &SUFFIXES)))
            || (self.fold.switches.on(Normaliser::Initials) && self.is_initial(at, name))
    }

    fn is_initial(&self, at: usize, name: u32) -> bool {
        let mut letters = self.word(at).chars();
        let first = letters.next().map(|char| self.fold.plain(&char.to_string()));
        let known = &self.names.names[name as usize].initials;
        letters.next().is_none()
            && first.and_then(|first| first.chars().next()).is_some_and(|first| known.contains(&first))
    }

    /// What a form of a family name is together with what stands around it.
    fn around(&self, found: &Occurrence) -> (Rule, usize, usize) {
        match found.role {
            Role::Whole if found.via == Via::Plain => return (Rule::NameFull, found.first, found.last),
            Role::Whole => return (weak(found.via), found.first, found.last),
            Role::InitialWhole => return (Rule::NameInitial, found.first, found.last),
            _ => {}
        }
        let name = &self.names.names[found.name as usize];
        let before = self.given_before(found);
        let after = if self.fold.switches.on(Normaliser::Order) { self.given_after(found) } else { None };
        let side = match (before, after) {
            (Some(before), Some(after)) => Some(if after.0 < before.0 { after } else { before }),
            (before, after) => before.or(after),
        };
        let Some((rank, first, last, via)) = side else {
            let rule =
                if name.has_given || found.role == Role::Family { Rule::Surname } else { Rule::SurnamePart };
            let rule = if found.role == Role::FamilyPart { Rule::SurnamePart } else { rule };
            return (
                if found.via == Via::Plain { rule } else { weak_surname(found.via) },
                found.first,
                found.last,
            );
        };
        let (first, last) = (first.min(found.first), last.max(found.last));
        let via = via.max(found.via);
        let rule = match rank {
            _ if via != Via::Plain => weak(via),
            Rank::Initial => Rule::NameInitial,
            _ if found.role == Role::FamilyPart => Rule::NamePartial,
            Rank::Other if !name.split => Rule::NamePartial,
            _ if self.is_of_two_people(first, last, found) => Rule::NameNear,
            _ => Rule::NameFull,
        };
        (rule, first, last)
    }

    /// The nearest given name before: how good it is, and the words it stretches over.
    fn given_before(&self, found: &Occurrence) -> Option<(Rank, usize, usize, Via)> {
        let mut at = found.first;
        let mut best: Option<(Rank, usize, usize, Via)> = None;
        for _ in 0..=FILLERS_MAX {
            let Some(before) = at.checked_sub(1) else { return best };
            let gap = self.gap(before, at);
            if gap == Gap::Apart {
                return best;
            }
            if let Some(index) = self.given_by_last.get(&(before, found.name)) {
                let given = &self.occurrences[*index];
                let rank =
                    if matches!(given.role, Role::Given { first: true }) { Rank::First } else { Rank::Other };
                best = Some(better(best, (rank, given.first, given.last, given.via)));
                at = given.first;
                continue;
            }
            if !self.is_filler(before, found.name) {
                return best;
            }
            if best.is_none() && self.is_initial(before, found.name) {
                best = Some((Rank::Initial, before, before, Via::Plain));
            }
            at = before;
        }
        best
    }

    fn given_after(&self, found: &Occurrence) -> Option<(Rank, usize, usize, Via)> {
        let mut at = found.last;
        let mut best: Option<(Rank, usize, usize, Via)> = None;
        for _ in 0..=FILLERS_MAX {
            let after = at + 1;
            if after >= self.tokens.len() || self.gap(at, after) == Gap::Apart {
                return best;
            }
            if let Some(index) = self.given_by_first.get(&(after, found.name)) {
                let given = &self.occurrences[*index];
                let rank =
                    if matches!(given.role, Role::Given { first: true }) { Rank::First } else { Rank::Other };
                best = Some(better(best, (rank, given.first, given.last, given.via)));
                at = given.last;
                continue;
            }
            if !self.is_filler(after, found.name) {
                return best;
            }
            if best.is_none() && self.is_initial(after, found.name) {
                best = Some((Rank::Initial, after, after, Via::Plain));
            }
            at = after;
        }
        best
    }

    /// `Peter Müller, Anna Schmidt` is not `Müller, Anna`; `Erika Muster-Weber` may be somebody
    /// else than Erika Muster. Both are told, for review.
    fn is_of_two_people(&self, first: usize, last: usize, family: &Occurrence) -> bool {
        let capital =
            |at: usize| self.folded.capital.get(self.tokens[at].start as usize).copied().unwrap_or(false);
        let next = last + 1;
        if family.last < last && family.first == first {
            let comma = self.between(family.last, family.last + 1).contains(',');
            let before = first.checked_sub(1).is_some_and(|before| {
                self.between(before, first) == " "
                    && capital(before)
                    && !is_listed(self.word(before), &TITLES)
            });
            let behind = next < self.tokens.len() && self.between(last, next) == " " && capital(next);
            return comma && before && behind;
        }
        family.last == last
            && next < self.tokens.len()
            && self.between(last, next) == "-"
            && capital(next)
            && first < family.first
            && self.between(first, first + 1).chars().all(char::is_whitespace)
    }

    fn raw(&self, name: u32, rule: Rule, first: usize, last: usize) -> Raw {
        Raw {
            identifier: IdentifierRef { kind: IdentifierKind::Name, index: name },
            rule,
            start: self.tokens[first].start as usize,
            end: self.tokens[last].end as usize,
        }
    }
}

/// How much a given name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    First,
    Other,
    Initial,
}

type Given = (Rank, usize, usize, Via);

/// The better of two, over all the words of both.
fn better(known: Option<Given>, new: Given) -> Given {
    match known {
        None => new,
        Some(known) if known.0 == Rank::Initial => (new.0, known.1.min(new.1), known.2.max(new.2), new.3),
        Some(known) => (known.0.min(new.0), known.1.min(new.1), known.2.max(new.2), known.3.min(new.3)),
    }
}

fn weak(via: Via) -> Rule {
    match via {
        Via::Plain => Rule::NameFull,
        Via::Inflected => Rule::NameInflected,
        Via::Transliterated => Rule::NameTransliterated,
        Via::LookAlike => Rule::NameLookAlike,
    }
}

fn weak_surname(via: Via) -> Rule {
    match via {
        Via::Plain => Rule::Surname,
        _ => Rule::SurnameVariant,
    }
}

fn add<T: PartialEq>(map: &mut HashMap<String, Vec<T>>, key: String, value: T) {
    let list = map.entry(key).or_default();
    if !list.contains(&value) {
        list.push(value);
    }
}

fn is_listed(word: &str, list: &[&str]) -> bool {
    word.len() < 12 && list.contains(&word)
}
