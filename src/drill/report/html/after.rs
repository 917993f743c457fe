//! What is done with it: gates and what people decided, findings, answers, clean-up, controls, evidence.

use super::summary::open;
use super::{LINES_MAX, NESTED_MAX, ROWS_MAX, WHOLE, last_day, or_none, when};
use crate::drill::findings::{Finding, Severity};
use crate::drill::gate::Standing;
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::controls::CONTROLS;
use crate::drill::report::{Rating, Report, Said};
use crate::ids::Digest;

/// Gates, and what people said at them and besides.
pub(super) fn gates(sheet: &mut Sheet, report: &Report) {
    sheet.section("gates", "Gates and sign-offs");
    let columns = [
        Column::text("Gate"),
        Column::text("Stands"),
        Column::wide("Criterion"),
        Column::text("Who decides"),
        Column::text("Decision"),
        Column::wide("Rests on"),
    ];
    let rows = report.gates.iter().map(|own| {
        let (mark, word) = match own.standing {
            Standing::Passed => (Mark::Good, "passed"),
            Standing::Waits => (Mark::Warn, "waits"),
            Standing::Stopped => (Mark::Bad, "stopped"),
            Standing::NotReached => (Mark::None, "not reached"),
        };
        vec![
            Cell::head(own.gate),
            Cell::mark(mark, word),
            Cell::text(own.gate.criterion()),
            Cell::text(own.owner.as_deref().unwrap_or("nobody is named")),
            Cell::text(own.verdict.map_or("none yet", |verdict| verdict.name())),
            Cell::text(&own.evidence),
        ]
    });
    sheet.table(
        "The way back to service; none is passed before those above it.",
        &columns,
        rows,
        (LINES_MAX, WHOLE),
    );
    or_none(sheet, report.gates.is_empty(), "No gate was set.");
    sheet.part("What people decided and noted, signed");
    if report.said.is_empty() {
        sheet.say_as("soft", "Nobody has said anything yet.");
        return;
    }
    let columns = [
        Column::time("When"),
        Column::text("Who"),
        Column::text("About"),
        Column::text("Decision"),
        Column::wide("Note"),
    ];
    let rows = report.said.iter().map(|own| {
        let by = match &own.for_ {
            Some(other) => format!("{}\nin place of {other}", own.by),
            None => own.by.clone(),
        };
        vec![
            Cell::text(when(&own.at)),
            Cell::Head(by),
            Cell::Text(about(own)),
            Cell::text(own.verdict.map_or("", |verdict| verdict.name())),
            Cell::text(own.note.as_deref().unwrap_or("(not told)")),
        ]
    });
    sheet.table(
        "In the order in which it was said; each names what it follows.",
        &columns,
        rows,
        (ROWS_MAX, WHOLE),
    );
}

fn about(said: &Said) -> String {
    match (said.gate, &said.communication) {
        (Some(gate), None) => format!("gate {gate}"),
        (Some(gate), Some(told)) => format!("gate {gate}\ntold: {told}"),
        (None, Some(told)) => format!("told: {told}"),
        (None, None) => "a note".to_owned(),
    }
}

/// Findings that are open, and those that somebody closed.
pub(super) fn findings(sheet: &mut Sheet, report: &Report) {
    sheet.section("findings", "Findings");
    let today = last_day(report);
    let columns = [
        Column::text("Finding"),
        Column::text("Severity"),
        Column::wide("What"),
        Column::text("Owner"),
        Column::time("Since"),
        Column::time("Due"),
        Column::text("Stands"),
        Column::number("Met in drills"),
    ];
    let all: Vec<&Finding> = open(report).collect();
    if all.is_empty() {
        sheet.say_as("soft", "No finding is open.");
    } else {
        let rows = all.iter().map(|own| {
            let severity = match own.severity {
                Severity::Critical => Mark::Bad,
                Severity::Major => Mark::Warn,
                Severity::Minor => Mark::None,
            };
            let is_overdue = today.is_some_and(|today| own.is_overdue(today));
            let stands = match (is_overdue, own.met) {
                (true, _) => Cell::mark(Mark::Bad, "overdue"),
                (false, true) => Cell::text("open"),
                (false, false) => Cell::text("open, carried over"),
            };
            vec![
                Cell::Head(format!("{}\n{}", own.id, own.key)),
                Cell::mark(severity, own.severity),
                Cell::text(&own.what),
                Cell::text(&own.owner),
                Cell::text(own.since),
                Cell::text(own.due),
                stands,
                Cell::text(own.times),
            ]
        });
        sheet.table("Open, the gravest first.", &columns, rows, (ROWS_MAX, WHOLE));
    }
    if let Some(today) = today {
        sheet.say_as(
            "soft",
            &format!("Overdue is meant as of {today}, the last day that this report knows of."),
        );
    }
    closed(sheet, report);
}

fn closed(sheet: &mut Sheet, report: &Report) {
    sheet.part("Closed");
    if report.closed.is_empty() {
        sheet.say_as("soft", "No finding of this drill was closed since.");
        return;
    }
    let columns = [Column::text("Finding"), Column::time("When"), Column::text("Who"), Column::wide("How")];
    let rows = report.closed.iter().map(|own| {
        vec![
            Cell::head(&own.finding),
            Cell::text(when(&own.at)),
            Cell::text(&own.by),
            Cell::text(own.note.as_deref().unwrap_or("(not told)")),
        ]
    });
    sheet.table("Findings that somebody closed since.", &columns, rows, (ROWS_MAX, WHOLE));
}

/// What people answered to questions that no machine can answer.
pub(super) fn tabletop(sheet: &mut Sheet, report: &Report) {
    sheet.section("tabletop", "What no machine can rehearse");
    if report.tabletop.is_empty() {
        sheet.say_as("soft", "No question was asked: prismvault drill tabletop makes a pack of them.");
        return;
    }
    let missing = report.tabletop.iter().filter(|own| own.answer.is_none()).count();
    sheet.say(&format!(
        "{} of {} questions are answered.",
        report.tabletop.len() - missing,
        report.tabletop.len()
    ));
    let columns = [
        Column::text("Id"),
        Column::wide("Question"),
        Column::text("Went"),
        Column::wide("Answer"),
        Column::text("Who"),
    ];
    let rows = report.tabletop.iter().map(|own| {
        let went = match (own.answer.is_some(), own.rating) {
            (_, Some(Rating::Performed)) => Cell::mark(Mark::Good, "performed"),
            (_, Some(Rating::SomeChallenges)) => Cell::mark(Mark::Warn, "some challenges"),
            (_, Some(Rating::MajorChallenges)) => Cell::mark(Mark::Bad, "major challenges"),
            (_, Some(Rating::Unable)) => Cell::mark(Mark::Bad, "unable"),
            (true, None) => Cell::mark(Mark::None, "not rated"),
            (false, None) => Cell::mark(Mark::None, "not answered"),
        };
        vec![
            Cell::head(&own.id),
            Cell::text(&own.question),
            went,
            Cell::text(own.answer.as_deref().unwrap_or("not answered")),
            Cell::text(own.by.as_deref().unwrap_or("")),
        ]
    });
    sheet.table("Rated as HSEEP does.", &columns, rows, (ROWS_MAX, WHOLE));
}

/// What the drill made, and whether it is gone.
pub(super) fn clean_up(sheet: &mut Sheet, report: &Report) {
    sheet.section("clean-up", "Clean-up");
    let columns = [Column::wide("What"), Column::text("Gone"), Column::wide("How that was seen")];
    if report.cleaned.is_empty() {
        sheet.say_as("soft", "Nothing is recorded.");
        return;
    }
    let rows = report.cleaned.iter().map(|own| {
        let gone = match own.gone {
            true => Cell::mark(Mark::Good, "gone"),
            false => Cell::mark(Mark::Bad, "still there"),
        };
        vec![Cell::head(&own.what), gone, Cell::text(&own.how)]
    });
    sheet.table("What the drill made.", &columns, rows, (NESTED_MAX, WHOLE));
}

/// Requirements that this is evidence for.
pub(super) fn controls(sheet: &mut Sheet) {
    sheet.section("controls", "Control mapping");
    sheet.say(
        "What this report is evidence for, and where in it. Whether a requirement is met is an auditor's to say; \
         clauses are paraphrased.",
    );
    let columns = [
        Column::text("Standard"),
        Column::text("Clause"),
        Column::wide("Asks for"),
        Column::wide("Evidence here"),
    ];
    let rows = CONTROLS.iter().map(|own| {
        vec![Cell::head(own.standard), Cell::text(own.clause), Cell::text(own.asks), Cell::text(own.evidence)]
    });
    sheet.table("Requirements.", &columns, rows, (CONTROLS.len(), WHOLE));
}

/// Files beside the page, what they show, and how all is verified. `pictures` are those of the page.
pub(super) fn evidence(sheet: &mut Sheet, report: &Report, pictures: &[(String, Digest)]) {
    sheet.section("evidence", "Evidence, and how to verify it");
    let signed = || Cell::text("in the signed record");
    let mut rows: Vec<Vec<Cell>> = [
        ("report.json", "everything on this page, as data", None),
        ("junit.xml", "checks, objectives and gates for systems that build and deploy", None),
        ("findings.csv", "findings as a table", None),
        ("plan.toml", "the plan as it was read", Some(report.plan_sha256)),
        ("criteria.json", "what had to be shown, fixed before it began", Some(report.criteria_sha256)),
    ]
    .into_iter()
    .map(|(path, shows, digest)| {
        vec![Cell::Head(path.to_owned()), Cell::text(shows), digest.map_or_else(signed, Cell::code)]
    })
    .collect();
    let mut known: Vec<&str> = Vec::new();
    let mut rest = 0;
    for own in &report.checks {
        for path in &own.evidence {
            if known.contains(&path.as_str()) {
                continue;
            }
            if known.len() == NESTED_MAX {
                rest += 1;
                continue;
            }
            known.push(path);
            let digest = pictures.iter().find(|(shown, _)| shown == path).map(|(_, digest)| *digest);
            let shows = format!("check {}", own.name);
            rows.push(vec![Cell::head(path), Cell::text(shows), digest.map_or_else(signed, Cell::code)]);
        }
    }
    let columns = [Column::text("File"), Column::wide("What it shows"), Column::wide("SHA-256")];
    sheet.table("Files of this drill.", &columns, rows.into_iter(), (ROWS_MAX, WHOLE));
    sheet.more(rest, WHOLE);
    sheet.say(&format!(
        "The record of this drill names every file with its SHA-256 and is signed with a key of the vault {}. It lies \
         on every replica. Decisions, notes and closed findings are signed by whoever made them, each naming what it \
         follows. Nothing that was signed changes any more.",
        report.vault
    ));
    sheet.say(&format!(
        "To verify: prismvault drill verify {} checks the stored record; prismvault drill export {} --to DIR writes \
         all files, and prismvault drill verify DIR --key RW… checks them without a network. A file that was altered is named.",
        report.drill, report.drill
    ));
}
