//! What was looked at: checks with figures, pictures of pages, counts, lost edits, what erasure orders came to.

use bytes::Bytes;

use super::{LINES_MAX, NESTED_MAX, REPOSITORIES_MAX, ROWS_MAX, WHOLE, counted, or_none, percent, seconds};
use crate::drill::gate::Gate;
use crate::drill::measure::Light;
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::{Checked, LostEdit, Recovered, Report};
use crate::drill::timeline::Phase;
use crate::ids::Digest;

/// Pictures of one page, and their bytes in all: browsers hold that, and so does electronic mail.
const PICTURES_MAX: usize = 40;
const PICTURE_BYTES_MAX: usize = 24 << 20;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The first `max` of what is there, with those before others that weigh more, in the order in which they were.
fn weightiest<T>(all: &[T], max: usize, weight: impl Fn(&T) -> u8) -> Vec<&T> {
    let mut chosen: Vec<(usize, &T)> = all.iter().enumerate().collect();
    chosen.sort_by_key(|(at, one)| (std::cmp::Reverse(weight(one)), *at));
    chosen.truncate(max);
    chosen.sort_by_key(|(at, _)| *at);
    chosen.into_iter().map(|(_, one)| one).collect()
}

/// A light with its word.
fn looked(light: Light) -> Cell {
    let word = match light {
        Light::Green => "as expected",
        Light::Grey => "not looked at",
        Light::Red => "not as expected",
    };
    Cell::mark(light, word)
}

/// Every check; where there are more than a page holds, what failed first.
pub(super) fn checks(sheet: &mut Sheet, report: &Report) {
    sheet.section("checks", "Checks");
    let count = |light| report.checks.iter().filter(|own| own.light == light).count();
    sheet.say(&format!(
        "{}: {} as expected, {} not as expected, {} not looked at.",
        counted(report.checks.len(), "check", "checks"),
        count(Light::Green),
        count(Light::Red),
        count(Light::Grey)
    ));
    let columns = [
        Column::text("Check"),
        Column::text("Phase"),
        Column::text("Stands"),
        Column::wide("Expected"),
        Column::wide("Seen"),
        Column::number("Took"),
        Column::text("Shown by"),
    ];
    let weight = |own: &Checked| match own.light {
        Light::Red => 2,
        Light::Grey => 1,
        Light::Green => 0,
    };
    let shown = weightiest(&report.checks, ROWS_MAX, weight);
    let rest = report.checks.len() - shown.len();
    let rows = shown.into_iter().map(|own| {
        vec![
            Cell::head(&own.name),
            Cell::text(&own.phase),
            looked(own.light),
            Cell::text(&own.expected),
            Cell::text(&own.seen),
            Cell::text(seconds(own.took_ms)),
            Cell::code(own.evidence.join("\n")),
        ]
    });
    sheet.table("Everything that was looked at.", &columns, rows, (ROWS_MAX, WHOLE));
    sheet.more(rest, WHOLE);
    if report.checks.is_empty() {
        sheet.say_as("soft", "Nothing was looked at: this drill shows nothing.");
    }
}

/// Pictures of pages, with their digests: a pair for each that is shown.
pub(super) fn pictures(
    sheet: &mut Sheet,
    report: &Report,
    pictures: &dyn Fn(&str) -> Option<Bytes>,
) -> Vec<(String, Digest)> {
    let mut named: Vec<(&str, &Checked)> = Vec::new();
    for own in &report.checks {
        for path in own.evidence.iter().filter(|path| path.ends_with(".png")) {
            if named.iter().all(|(known, _)| *known != path.as_str()) {
                named.push((path.as_str(), own));
            }
        }
    }
    if named.is_empty() {
        return Vec::new();
    }
    sheet.section("pictures", "Pictures of pages");
    let (mut shown, mut left) = (Vec::new(), PICTURE_BYTES_MAX);
    let mut out = 0;
    for (path, own) in &named {
        if shown.len() == PICTURES_MAX {
            out += 1;
            continue;
        }
        let Some(bytes) = pictures(path) else {
            out += 1;
            continue;
        };
        if bytes.len() > left {
            out += 1;
        } else if bytes.starts_with(PNG) {
            left -= bytes.len();
            sheet.picture(&format!("{}: {} ({path})", own.name, own.seen), &bytes);
            shown.push(((*path).to_owned(), Digest::of(&bytes)));
        } else {
            sheet.say(&format!("{path} is not a picture that can be shown."));
        }
    }
    if out > 0 {
        sheet.say_as(
            "more",
            &format!(
                "{} not shown here, and in the files of the drill.",
                counted(out, "picture is", "pictures are")
            ),
        );
    }
    shown
}

/// What was restored, by type and language.
pub(super) fn counts(sheet: &mut Sheet, report: &Report) {
    sheet.section("counts", "Content by type and language");
    for own in report.repositories.iter().take(REPOSITORIES_MAX) {
        sheet.part(own.repository.as_str());
        compared(sheet, own);
        if own.counts.is_empty() {
            sheet.say_as("soft", "Nothing was counted by type and language.");
            continue;
        }
        let columns = [
            Column::text("Type"),
            Column::text("Language"),
            Column::number("In the snapshot"),
            Column::number("Restored"),
            Column::text("Difference"),
        ];
        let shown = weightiest(&own.counts, NESTED_MAX, |(_, _, one, other)| u8::from(one != other));
        let rest = own.counts.len() - shown.len();
        let rows = shown.into_iter().map(|(type_, language, one, other)| {
            let difference = match i128::from(*other) - i128::from(*one) {
                0 => Cell::text("none"),
                difference => Cell::mark(Mark::Bad, format!("{difference:+}")),
            };
            vec![Cell::head(type_), Cell::text(language), Cell::text(one), Cell::text(other), difference]
        });
        sheet.table("Documents by type and language.", &columns, rows, (NESTED_MAX, WHOLE));
        sheet.more(rest, WHOLE);
    }
    sheet.more(report.repositories.len().saturating_sub(REPOSITORIES_MAX), WHOLE);
    or_none(sheet, report.repositories.is_empty(), "Nothing was recovered.");
}

fn compared(sheet: &mut Sheet, own: &Recovered) {
    let (compared, equal) = own.compared;
    let share = match compared {
        0 => "No document was compared field by field.".to_owned(),
        compared => format!(
            "{equal} of {compared} documents that were compared field by field are as they were: {}.",
            percent(equal as f64 / compared as f64)
        ),
    };
    sheet.say(&format!(
        "{share} Documents: {} in the snapshot, {} restored. Assets: {} in the snapshot, {} restored.",
        own.documents.0, own.documents.1, own.assets.0, own.assets.1
    ));
}

/// What was edited after the snapshot, where anybody knows.
pub(super) fn lost_edits(sheet: &mut Sheet, report: &Report) {
    sheet.section("lost-edits", "Lost edits");
    for own in report.repositories.iter().take(REPOSITORIES_MAX) {
        sheet.part(own.repository.as_str());
        match &own.lost_edits {
            None => sheet.say("Nobody knows: what is live could not be read, or was not."),
            Some(lost) if lost.is_empty() => sheet.say("None: what is live is as the snapshot has it."),
            Some(lost) => {
                sheet.say(&format!("{} after the snapshot.", counted(lost.len(), "edit", "edits")));
                let columns = [
                    Column::text("Document"),
                    Column::wide("Title"),
                    Column::text("Type"),
                    Column::text("Edit"),
                ];
                let rows = lost.iter().map(|LostEdit { id, title, type_, what }| {
                    vec![
                        Cell::code(id),
                        Cell::text(title.as_deref().unwrap_or("(not told)")),
                        Cell::text(type_),
                        Cell::text(what),
                    ]
                });
                sheet.table(
                    "Edits that are live and not in the snapshot.",
                    &columns,
                    rows,
                    (NESTED_MAX, WHOLE),
                );
            }
        }
    }
    sheet.more(report.repositories.len().saturating_sub(REPOSITORIES_MAX), WHOLE);
    or_none(sheet, report.repositories.is_empty(), "Nothing was recovered.");
}

/// What orders of erasure, correction and restriction came to: from the phase, the objective and the gate.
pub(super) fn erasure(sheet: &mut Sheet, report: &Report) {
    sheet.section("erasure", "Replay of privacy orders");
    let objective = report.objectives.iter().find(|own| own.objective == "erasure-replay");
    match objective {
        Some(own) => sheet.facts(&[
            ("Resurrection test", looked(own.light)),
            ("Expected", Cell::text(&own.target)),
            ("Seen", Cell::text(&own.measured)),
        ]),
        None => sheet.say_as("soft", "Nothing was judged of erasure."),
    }
    let phase = report.phases.iter().find(|own| own.phase == Phase::Replay);
    match phase {
        Some(own) => {
            sheet.list(own.notes.iter(), LINES_MAX, WHOLE);
            or_none(sheet, own.notes.is_empty(), "The phase noted nothing.");
        }
        None => {
            sheet.say_as("soft", "The phase in which orders of the ledger are applied was not gone through.");
        }
    }
    if let Some(gate) = report.gates.iter().find(|own| own.gate == Gate::Privacy) {
        sheet.say(&format!("The gate for privacy rests on: {}", gate.evidence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_not_cut_off() {
        let all: Vec<u8> = (0..100).map(|at| u8::from(at == 99) * 2 + u8::from(at == 50)).collect();
        let shown = weightiest(&all, 3, |weight| *weight);
        assert_eq!(shown, [&0, &1, &2], "in their order");
        assert_eq!(weightiest(&all[..2], 3, |weight| *weight).len(), 2);
    }
}
