//! Runs the matcher over the corpus and counts.

use std::collections::BTreeMap;

use prismvault::privacy::matching::{Finding, Matcher, Normaliser, Tier};
use prismvault::privacy::passage::{Channel, Passage};

use super::corpus::{Case, Gate, cases, subject};

/// Counts of one cell.
#[derive(Default, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) planted: u32,
    pub(crate) found: u32,
    /// Decoys that were taken for the person without review (tiers A and B).
    pub(crate) wrong: u32,
    pub(crate) decoys: u32,
    /// Findings of any tier that a person has to look at, those about decoys among them.
    pub(crate) shown: u32,
}

/// Cells by class, culture and channel.
pub(crate) type Cells = BTreeMap<(Gate, &'static str, &'static str, String), Cell>;

/// Measures with some normalisers switched off.
pub(crate) fn measure(step: usize, without: &[Normaliser]) -> Cells {
    let mut cells = Cells::new();
    let mut matcher: Option<(usize, Matcher)> = None;
    for case in cases(step) {
        if matcher.as_ref().is_none_or(|(person, _)| *person != case.person) {
            matcher = Some((case.person, Matcher::new(&subject(case.person), without)));
        }
        let Some((_, matcher)) = &matcher else { continue };
        let findings = search(matcher, &case);
        let cell =
            cells.entry((case.gate, case.class, case.culture, format!("{:?}", case.channel))).or_default();
        cell.shown += findings.len() as u32;
        if case.is_decoy {
            cell.decoys += 1;
            cell.wrong += u32::from(findings.iter().any(|finding| finding.tier <= Tier::B));
        } else {
            cell.planted += 1;
            cell.found += u32::from(is_found(&case, &findings));
        }
    }
    cells
}

fn search(matcher: &Matcher, case: &Case) -> Vec<Finding> {
    let texts: Vec<String> = case.texts.iter().map(|(_, text)| text.clone()).collect();
    // The joined text is not in the document: only its fields are.
    let fields: Vec<&String> =
        case.texts.iter().filter(|(channel, _)| *channel != Channel::Joined).map(|(_, text)| text).collect();
    if !matcher.may_contain(serde_json::json!({ "data": fields }).to_string().as_bytes()) {
        return Vec::new();
    }
    let passages: Vec<Passage<'_>> = case
        .texts
        .iter()
        .zip(&texts)
        .map(|((channel, _), text)| Passage { channel: *channel, place: "/data/0", group: 1, text })
        .collect();
    matcher.search(&passages)
}

/// A full name must be known as more than a family name, an exact identifier exactly.
fn is_found(case: &Case, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| match case.gate {
        Gate::Exact => finding.tier == Tier::A,
        Gate::FullName => finding.tier <= Tier::B,
        Gate::Review => !matches!(
            format!("{:?}", finding.rule).as_str(),
            "Surname" | "SurnamePart" | "GivenName" | "GivenNameNear"
        ),
    })
}

/// The classes that miss their gate, with their recall.
pub(crate) fn failures(cells: &Cells) -> Vec<String> {
    let mut classes: BTreeMap<(Gate, &str), Cell> = BTreeMap::new();
    for ((gate, class, ..), cell) in cells {
        let sum = classes.entry((*gate, class)).or_default();
        sum.planted += cell.planted;
        sum.found += cell.found;
        sum.wrong += cell.wrong;
        sum.decoys += cell.decoys;
    }
    let mut failures = Vec::new();
    for ((gate, class), cell) in classes {
        let least = match gate {
            Gate::Exact => 1.0,
            Gate::FullName => 0.99,
            Gate::Review => 0.9,
        };
        let recall = f64::from(cell.found) / f64::from(cell.planted.max(1));
        if cell.planted > 0 && recall < least {
            failures.push(format!("{class}: recall {recall:.3}, wanted {least}"));
        }
        if cell.wrong > 0 {
            failures.push(format!("{class}: {} of {} decoys taken for the person", cell.wrong, cell.decoys));
        }
    }
    failures
}
