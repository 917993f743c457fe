//! What managers read: the result, lights, objectives against what was measured, and drills before this one.

use std::time::Duration;

use super::{LINES_MAX, WHOLE, counted, last_day, or_none, percent, seconds, took, when};
use crate::drill::findings::{Finding, Severity};
use crate::drill::gate::Standing;
use crate::drill::measure::{Judged, Light, in_words, recovery};
use crate::drill::page::charts::Trend;
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::{GateRecord, Report};
use crate::drill::timeline::millis;
use crate::vault::format::drill::DrillResult;

/// Drills that trends are drawn of, this one included.
const POINTS_MAX: usize = 20;

/// How a result stands.
fn of_result(result: DrillResult) -> Mark {
    match result {
        DrillResult::Passed => Mark::Good,
        DrillResult::PassedWithFindings => Mark::Warn,
        DrillResult::Failed => Mark::Bad,
        DrillResult::Abandoned => Mark::None,
    }
}

fn of_light(light: Light) -> (Mark, &'static str) {
    let word = match light {
        Light::Green => "met",
        Light::Grey => "not judged",
        Light::Red => "missed",
    };
    (light.into(), word)
}

/// The name of an objective for people.
fn objective(name: &str) -> String {
    match name {
        "rto" => "Time to recover (RTO)".to_owned(),
        "rpo" => "Loss of edits (RPO)".to_owned(),
        "fidelity" => "Fidelity".to_owned(),
        "erasure-replay" => "Erasure replay".to_owned(),
        other => other.to_owned(),
    }
}

/// Findings that nobody has closed.
pub(super) fn open(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|own| report.closed.iter().all(|closed| closed.finding != own.id))
}

fn overdue(report: &Report) -> usize {
    let today = last_day(report);
    open(report).filter(|own| today.is_some_and(|today| own.is_overdue(today))).count()
}

/// The first gate that is not passed.
fn stands_at(gates: &[GateRecord]) -> Option<&GateRecord> {
    gates.iter().find(|gate| gate.standing != Standing::Passed)
}

/// Title, result, lights, and the drill's own data.
pub(super) fn head(sheet: &mut Sheet, report: &Report) {
    sheet.say_as("lead", &report.outcome);
    sheet.facts(&[
        ("Result", Cell::mark(of_result(report.result), report.result.words())),
        ("Kind", Cell::text(if report.real { "a real disaster" } else { "a rehearsal" })),
        ("Drill", Cell::code(&report.drill)),
        ("Plan", Cell::text(&report.plan)),
        ("Began", Cell::text(when(&report.began))),
        ("Ended", Cell::text(when(&report.ended))),
    ]);
    sheet.contents();
    sheet.section("summary", "Summary");
    sheet.list(lines(report).iter(), LINES_MAX, WHOLE);
    let mut cards: Vec<_> = report.objectives.iter().map(objective_card).collect();
    cards.extend([checks_card(report), gates_card(report), findings_card(report), clean_card(report)]);
    sheet.cards(&cards);
    let mut facts = vec![
        ("Took", Cell::text(format!("{} by the monotonic clock", took(report.took_ms)))),
        ("Vault", Cell::code(report.vault)),
        ("Plan, SHA-256", Cell::code(report.plan_sha256)),
        ("Criteria, SHA-256", Cell::code(report.criteria_sha256)),
    ];
    if let Some(drift) = report.clock_drift_seconds {
        let words = format!(
            "the wall clock went {drift} s another way than the monotonic clock; measured times do not depend on it"
        );
        facts.insert(1, ("Clock", Cell::mark(Mark::Warn, words)));
    }
    sheet.facts(&facts);
}

/// A drill in five lines.
fn lines(report: &Report) -> Vec<String> {
    let repositories: Vec<&str> =
        report.repositories.iter().take(6).map(|own| own.repository.as_str()).collect();
    let rest = report.repositories.len() - repositories.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let what = match repositories.is_empty() {
        true => format!("No repository was recovered; target: {}.", report.environment.target),
        false => {
            format!("Recovered: {}{more}; target: {}.", repositories.join(", "), report.environment.target)
        }
    };
    let time = match recovery(&report.phases) {
        Some(time) => format!("Time to recover: {}.", took(millis(time))),
        None => "The recovery was not gone through whole: there is no time to recover.".to_owned(),
    };
    let slowest =
        report.bottleneck.as_ref().map(|phase| format!(" What took longest: {phase}.")).unwrap_or_default();
    let floor = report.floor.as_ref().map(|floor| {
        format!(
            " Least time into Prismic: {} ({}).",
            in_words(Duration::from_secs(floor.seconds)),
            floor.bound
        )
    });
    let lost: Vec<Option<usize>> =
        report.repositories.iter().map(|own| own.lost_edits.as_ref().map(Vec::len)).collect();
    let known: usize = lost.iter().flatten().sum();
    let unknown = lost.iter().filter(|own| own.is_none()).count();
    let lost = match (lost.len(), unknown) {
        (0, _) => "What is lost is not known: nothing was recovered.".to_owned(),
        (_, 0) => format!("Lost edits: {known}."),
        (_, unknown) => format!(
            "Lost edits: {known} where it could be seen; of {} nobody knows.",
            counted(unknown, "repository", "repositories")
        ),
    };
    let next = match stands_at(&report.gates) {
        None if report.gates.is_empty() => "No gate was set.".to_owned(),
        None => "All gates are passed.".to_owned(),
        Some(gate) => format!("The way back to service: {}.", stands(gate)),
    };
    let open: Vec<&Finding> = open(report).collect();
    let findings =
        format!(" {} open, {} overdue.", counted(open.len(), "finding is", "findings are"), overdue(report));
    vec![what, format!("{time}{slowest}{}", floor.unwrap_or_default()), lost, format!("{next}{findings}")]
}

fn stands(gate: &GateRecord) -> String {
    let owner = gate.owner.as_deref().unwrap_or("somebody whom the plan does not name");
    match gate.standing {
        Standing::Passed => format!("{} is passed", gate.gate),
        Standing::Stopped => format!("{} is stopped", gate.gate),
        Standing::Waits => format!("{} waits for {owner}", gate.gate),
        Standing::NotReached => format!("{} is not reached", gate.gate),
    }
}

type Card = (String, Mark, String, String, String);

fn objective_card(own: &Judged) -> Card {
    let (mark, word) = of_light(own.light);
    (
        objective(&own.objective),
        mark,
        word.to_owned(),
        own.measured.clone(),
        format!("objective: {}", own.target),
    )
}

fn checks_card(report: &Report) -> Card {
    let count = |light| report.checks.iter().filter(|own| own.light == light).count();
    let (green, grey, red) = (count(Light::Green), count(Light::Grey), count(Light::Red));
    let (mark, word) = match (green, grey, red) {
        (_, _, 1..) => (Mark::Bad, format!("{red} not as expected")),
        (0, 0, 0) => (Mark::None, "nothing was checked".to_owned()),
        (_, 1.., _) => (Mark::None, format!("{grey} not looked at")),
        _ => (Mark::Good, "as expected".to_owned()),
    };
    let value = format!("{green} of {} as expected", report.checks.len());
    ("Checks".to_owned(), mark, word, value, format!("{red} not as expected, {grey} not looked at"))
}

fn gates_card(report: &Report) -> Card {
    let passed = report.gates.iter().filter(|own| own.standing == Standing::Passed).count();
    let is_stopped = report.gates.iter().any(|own| own.standing == Standing::Stopped);
    let (mark, word) = match (stands_at(&report.gates), is_stopped) {
        (_, true) => (Mark::Bad, "stopped"),
        (Some(_), false) => (Mark::Warn, "open"),
        (None, false) if report.gates.is_empty() => (Mark::None, "not set"),
        (None, false) => (Mark::Good, "all passed"),
    };
    let value = format!("{passed} of {} passed", report.gates.len());
    (
        "Gates".to_owned(),
        mark,
        word.to_owned(),
        value,
        stands_at(&report.gates).map(stands).unwrap_or_default(),
    )
}

fn findings_card(report: &Report) -> Card {
    let all: Vec<&Finding> = open(report).collect();
    let count = |severity| all.iter().filter(|own| own.severity == severity).count();
    let (critical, overdue) = (count(Severity::Critical), overdue(report));
    let (mark, word) = match (critical, overdue, all.len()) {
        (1.., ..) => (Mark::Bad, "critical"),
        (_, 1.., _) => (Mark::Bad, "overdue"),
        (_, _, 1..) => (Mark::Warn, "open"),
        // Nothing found in what was not looked at says nothing.
        _ if report.result.is_good() => (Mark::Good, "none"),
        _ => (Mark::None, "none"),
    };
    let than = format!(
        "{critical} critical, {} major, {} minor; {overdue} overdue",
        count(Severity::Major),
        count(Severity::Minor)
    );
    ("Findings".to_owned(), mark, word.to_owned(), format!("{} open", all.len()), than)
}

fn clean_card(report: &Report) -> Card {
    let gone = report.cleaned.iter().filter(|own| own.gone).count();
    let all = report.cleaned.len();
    let (mark, word) = match (all, gone == all) {
        (0, _) => (Mark::None, "nothing recorded"),
        (_, true) => (Mark::Good, "gone"),
        (_, false) => (Mark::Bad, "something is left"),
    };
    let value = format!("{gone} of {all} seen to be gone");
    ("Clean-up".to_owned(), mark, word.to_owned(), value, String::new())
}

/// Objectives against what was measured, with how.
pub(super) fn objectives(sheet: &mut Sheet, report: &Report) {
    sheet.section("objectives", "Objectives against what was measured");
    let columns = [
        Column::text("Objective"),
        Column::text("Stands"),
        Column::text("To be reached"),
        Column::text("Measured"),
        Column::wide("How it was measured"),
    ];
    let rows = report.objectives.iter().map(|own| {
        let (mark, word) = of_light(own.light);
        vec![
            Cell::head(objective(&own.objective)),
            Cell::mark(mark, word),
            Cell::text(&own.target),
            Cell::text(&own.measured),
            Cell::text(&own.formula),
        ]
    });
    sheet.table("Of several repositories the worst counts.", &columns, rows, (LINES_MAX, WHOLE));
    or_none(sheet, report.objectives.is_empty(), "No objective was judged.");
    match &report.approved {
        Some(own) => sheet.say(&format!("The objectives were approved by {} on {}.", own.by, own.on)),
        None => sheet.say_as("soft", "The plan does not say who approved the objectives."),
    }
    sheet.say(&format!(
        "The criteria were fixed before the drill began; their SHA-256 is {}.",
        report.criteria_sha256
    ));
}

/// Least share of documents as they were, over the repositories in which any were compared.
fn fidelity(report: &Report) -> Option<f64> {
    let compared = report.repositories.iter().map(|own| own.compared).filter(|(compared, _)| *compared > 0);
    compared.map(|(compared, equal)| equal as f64 / compared as f64).reduce(f64::min)
}

/// Drills of the same plan before this one, as plots and as a table.
pub(super) fn earlier(sheet: &mut Sheet, report: &Report) {
    sheet.section("earlier", "Comparison with earlier drills");
    let own_ms = recovery(&report.phases).map(millis);
    let own_open = open(report).count();
    let older = || report.earlier.iter().take(POINTS_MAX - 1).rev();
    let day = |text: &str| text.get(..10).unwrap_or(text).to_owned();
    let today = day(&report.began);
    let points = |of: &dyn Fn(&super::super::Earlier) -> Option<f64>, own: Option<f64>| {
        let mut points: Vec<(String, Option<f64>)> = older().map(|one| (day(&one.began), of(one))).collect();
        points.push((today.clone(), own));
        points
    };
    let limit = |name: &str| {
        let found = report.objectives.iter().find(|own| own.objective == name);
        found.and_then(|own| own.limit).filter(|limit| limit.is_finite())
    };
    let to_seconds = |ms: Option<u64>| ms.map(|ms| ms as f64 / 1000.0);
    let times = points(&|one| to_seconds(one.recovery_ms), to_seconds(own_ms));
    let shares = points(&|one| one.fidelity, fidelity(report));
    let findings = points(&|one| Some(f64::from(one.findings)), Some(own_open as f64));
    let trends = [
        Trend {
            id: "trend-rto",
            title: "Time to recover",
            points: &times,
            limit: limit("rto"),
            written: in_seconds,
            whole: false,
            most: None,
        },
        Trend {
            id: "trend-fidelity",
            title: "Fidelity",
            points: &shares,
            limit: limit("fidelity"),
            written: |share| format!("{:.3} %", share * 100.0),
            whole: false,
            most: Some(1.0),
        },
        Trend {
            id: "trend-findings",
            title: "Open findings",
            points: &findings,
            limit: None,
            written: |count| format!("{count:.0}"),
            whole: true,
            most: None,
        },
    ];
    sheet.plots(&trends.each_ref().map(|trend| (trend.title.to_owned(), trend.html())));
    earlier_table(sheet, report, own_ms, own_open);
}

/// Seconds, minutes or hours, short enough for an axis.
fn in_seconds(seconds: f64) -> String {
    match seconds {
        0.0..100.0 => format!("{seconds:.1} s"),
        100.0..6000.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn earlier_table(sheet: &mut Sheet, report: &Report, own_ms: Option<u64>, own_open: usize) {
    let columns = [
        Column::text("Drill"),
        Column::time("Began"),
        Column::text("Result"),
        Column::number("Time to recover"),
        Column::number("Fidelity"),
        Column::number("Open findings"),
    ];
    let row = |drill: String, began: &str, result, ms: Option<u64>, share: Option<f64>, findings: usize| {
        vec![
            Cell::Head(drill),
            Cell::text(when(began)),
            Cell::mark(of_result(result), result.words()),
            Cell::text(ms.map_or_else(|| "not measured".to_owned(), seconds)),
            Cell::text(share.map_or_else(|| "not measured".to_owned(), percent)),
            Cell::text(findings),
        ]
    };
    let mut rows =
        vec![row("this one".to_owned(), &report.began, report.result, own_ms, fidelity(report), own_open)];
    rows.extend(report.earlier.iter().map(|one| {
        let findings = one.findings as usize;
        row(one.drill.to_string(), &one.began, one.result, one.recovery_ms, one.fidelity, findings)
    }));
    sheet.table("Drills of this plan, newest first.", &columns, rows.into_iter(), (LINES_MAX, WHOLE));
    or_none(sheet, report.earlier.is_empty(), "This is the first drill of this plan.");
}
