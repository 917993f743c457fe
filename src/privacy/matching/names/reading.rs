//! A text read word by word, and what stands around each family name in it.

use std::collections::HashMap;

use super::super::fold::{Fold, Folded};
use super::super::tokens::{Gap, Token, gap, pieces, tokens};
use super::super::{Normaliser, Raw, Rule};
use super::{Form, Names, Occurrence, PIECE_MIN, Role, Via};
use crate::privacy::subject::{IdentifierKind, IdentifierRef, is_title_word, may_stand_between};

/// Words that may stand between given and family name: `Dr.`, `van der`, two initials.
const FILLERS_MAX: usize = 4;
/// Letters of a given name that is cut short: `Chr.`, `Wilh.`
const SHORT_MAX: usize = 4;

/// A text with its words looked up.
pub(super) struct Reading<'a> {
    names: &'a Names,
    folded: &'a Folded,
    fold: Fold,
    pub(super) tokens: Vec<Token>,
    /// Forms found, in the order of the text.
    pub(super) occurrences: Vec<Occurrence>,
    /// Given names by the word they begin and end with, and whose they are.
    given_by_first: HashMap<(usize, u32), usize>,
    given_by_last: HashMap<(usize, u32), usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(names: &'a Names, folded: &'a Folded, fold: Fold) -> Self {
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
        let gap = gap(self.between(first, second), is_title_word(word) || self.is_short(first));
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

    /// Whether a full stop after it says that it was cut short.
    fn is_short(&self, at: usize) -> bool {
        let letters = self.word(at).chars().count();
        letters == 1
            || (letters <= SHORT_MAX
                && self.is_capital(at)
                && self.fold.switches.on(Normaliser::Initials)
                && self.names.names.iter().any(|name| {
                    let word = self.fold.plain(self.word(at));
                    name.given.iter().any(|given| given.starts_with(&word))
                }))
    }

    /// Whether a word may stand between the names of `name`.
    fn is_filler(&self, at: usize, name: u32) -> bool {
        let word = self.word(at);
        if self.given_by_first.contains_key(&(at, name)) {
            return true;
        }
        let own = &self.names.names[name as usize].particles;
        (self.fold.switches.on(Normaliser::Particles)
            && (may_stand_between(word) || own.iter().any(|particle| particle == word)))
            || (self.fold.switches.on(Normaliser::Initials)
                && (self.is_initial(at, name) || self.is_unknown_initial(at)))
    }

    /// Whether it is an initial of whomever: `Q.`
    fn is_unknown_initial(&self, at: usize) -> bool {
        self.word(at).chars().count() == 1 && self.is_capital(at)
    }

    /// Whether it is an initial of a given name, or begins one: `E.`, `Chr.`
    fn is_initial(&self, at: usize, name: u32) -> bool {
        let word = self.fold.plain(self.word(at));
        let short =
            word.chars().count() == 1 || (word.chars().count() <= SHORT_MAX && self.is_before_a_stop(at));
        short && self.names.names[name as usize].given.iter().any(|given| given.starts_with(&word))
    }

    fn is_before_a_stop(&self, at: usize) -> bool {
        self.folded.text[self.tokens[at].end as usize..].starts_with('.')
    }

    fn is_capital(&self, at: usize) -> bool {
        self.folded.capital.get(self.tokens[at].start as usize).copied().unwrap_or(false)
    }

    /// Whether it is written as a name is: with a capital, or in a script that has none.
    fn may_be_name(&self, at: usize) -> bool {
        self.is_capital(at) || self.word(at).chars().all(|char| char.is_alphabetic() && !char.is_lowercase())
    }

    /// What a form of a family name is together with what stands around it.
    pub(super) fn around(&self, found: &Occurrence) -> (Rule, usize, usize) {
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
            let rule = if !name.given.is_empty() || found.role == Role::Family {
                Rule::Surname
            } else {
                Rule::SurnamePart
            };
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
            Rank::Passed => Rule::NamePartial,
            _ if found.role == Role::FamilyPart => Rule::NamePartial,
            Rank::Other if name.unclear => Rule::NamePartial,
            _ if self.is_of_two_people(first, last, found) => Rule::NameNear,
            _ => Rule::NameFull,
        };
        (rule, first, last)
    }

    /// The nearest given name before: how good it is, and the words it stretches over.
    fn given_before(&self, found: &Occurrence) -> Option<Given> {
        let mut at = found.first;
        let mut best: Option<Given> = None;
        let mut passed = false;
        let mut fillers = 0;
        while fillers <= FILLERS_MAX {
            let Some(before) = at.checked_sub(1) else { return best };
            let gap = self.gap(before, at);
            if gap == Gap::Apart {
                return best;
            }
            if let Some(index) = self.given_by_last.get(&(before, found.name)) {
                let given = &self.occurrences[*index];
                let rank =
                    if matches!(given.role, Role::Given { first: true }) { Rank::First } else { Rank::Other };
                let rank = if passed { Rank::Passed } else { rank };
                best = Some(better(best, (rank, given.first, given.last, given.via)));
                at = given.first;
                continue;
            }
            if !self.is_filler(before, found.name) {
                // One name that is not known: `Erika Maria Mustermann`.
                if passed || best.is_some() || gap != Gap::Space || !self.may_be_name(before) {
                    return best;
                }
                passed = true;
            } else if best.is_none() && !passed && self.is_initial(before, found.name) {
                best = Some((Rank::Initial, before, before, Via::Plain));
            }
            fillers += 1;
            at = before;
        }
        best
    }

    fn given_after(&self, found: &Occurrence) -> Option<Given> {
        let mut at = found.last;
        let mut best: Option<Given> = None;
        let mut fillers = 0;
        while fillers <= FILLERS_MAX {
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
            fillers += 1;
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
                self.between(before, first) == " " && capital(before) && !is_title_word(self.word(before))
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

    pub(super) fn raw(&self, name: u32, rule: Rule, first: usize, last: usize) -> Raw {
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
    /// One that stands behind a name that is not known.
    Passed,
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
