//! How it went: phases with bars, the timeline, deviations.

use std::time::Duration;

use super::{LINES_MAX, ROWS_MAX, WHOLE, or_none, seconds, time_of, took};
use crate::drill::measure::{bottleneck, in_words, recovery};
use crate::drill::page::charts::{Kind, bar};
use crate::drill::page::{Cell, Column, Mark, Sheet};
use crate::drill::report::Report;
use crate::drill::timeline::{Ended, PhaseRecord, millis, wall_time};

fn of_ended(ended: Ended) -> (Mark, &'static str) {
    match ended {
        Ended::Good => (Mark::Good, "done"),
        Ended::Bad => (Mark::Bad, "done, and something is wrong"),
        Ended::Broken => (Mark::Bad, "could not be done"),
        Ended::Skipped => (Mark::None, "not begun"),
    }
}

/// Where the time went.
pub(super) fn phases(sheet: &mut Sheet, report: &Report) {
    sheet.section("phases", "Phases: where the time went");
    let floor_ms = report.floor.as_ref().map_or(0, |floor| floor.seconds.saturating_mul(1000));
    let ends = report.phases.iter().map(|own| own.begun_ms.saturating_add(own.took_ms));
    let whole = ends.max().unwrap_or(0);
    let longest = bottleneck(&report.phases).filter(|own| own.took_ms > 0).map(|own| own.phase);
    let columns = [
        Column::text("Phase"),
        Column::wide("From beginning to end"),
        Column::number("Began at"),
        Column::number("Took"),
        Column::text("Ended"),
        Column::wide("What it came to"),
    ];
    let mut rows: Vec<Vec<Cell>> =
        report.phases.iter().map(|own| row(own, whole, longest == Some(own.phase))).collect();
    if let Some(floor) = &report.floor {
        let title = format!("least possible: {}", took(floor_ms));
        rows.push(vec![
            Cell::head("floor"),
            match floor_ms <= whole {
                true => Cell::Drawn(bar((0, floor_ms), whole, Kind::Floor, &title)),
                // Beside it nothing else could be seen.
                false => Cell::text("longer than all of this drill"),
            },
            Cell::text(""),
            Cell::text(format!("{} s", floor.seconds)),
            Cell::text("least possible"),
            Cell::text(format!("{} requests that write; {}", floor.requests, floor.bound)),
        ]);
    }
    sheet.table(
        "By the monotonic clock, from the beginning of the drill. The longest bar of the recovery is darker.",
        &columns,
        rows.into_iter(),
        (LINES_MAX, WHOLE),
    );
    or_none(sheet, report.phases.is_empty(), "No phase was gone through.");
    match recovery(&report.phases) {
        Some(time) => {
            sheet.say(&format!("Time to recover, from locate to function: {}.", took(millis(time))));
        }
        None => sheet.say("There is no time to recover: a phase of the recovery was not gone through."),
    }
    if let Some(phase) = &report.bottleneck {
        sheet.say(&format!("Bottleneck: {phase}. A recovery becomes faster there first."));
    }
    if let Some(floor) = &report.floor {
        sheet.say(&format!(
            "Floor: a recovery into Prismic takes at least {} under its documented limits ({} requests that write; {}).",
            in_words(Duration::from_secs(floor.seconds)),
            floor.requests,
            floor.bound
        ));
    }
}

fn row(own: &PhaseRecord, whole: u64, is_longest: bool) -> Vec<Cell> {
    let (mark, word) = of_ended(own.ended);
    let end = own.begun_ms.saturating_add(own.took_ms);
    let kind = match own.ended {
        Ended::Broken | Ended::Skipped => Kind::Off,
        _ if is_longest => Kind::Most,
        _ => Kind::Usual,
    };
    let title = format!("from {} to {}", seconds(own.begun_ms), seconds(end));
    let name = match is_longest {
        true => format!("{}\n(bottleneck)", own.phase.name()),
        false => own.phase.name().to_owned(),
    };
    vec![
        Cell::Head(name),
        Cell::Drawn(bar((own.begun_ms, end), whole, kind, &title)),
        Cell::text(seconds(own.begun_ms)),
        Cell::text(seconds(own.took_ms)),
        Cell::mark(mark, word),
        Cell::text(noted(&own.notes)),
    ]
}

/// Notes of a phase, a line each; a page holds the first.
fn noted(notes: &[String]) -> String {
    const NOTES_MAX: usize = 12;
    let mut shown: Vec<String> = notes.iter().take(NOTES_MAX).cloned().collect();
    if notes.len() > NOTES_MAX {
        shown.push(format!("… and {} more, see {WHOLE}", notes.len() - NOTES_MAX));
    }
    shown.join("\n")
}

/// Who noted what, and when.
pub(super) fn timeline(sheet: &mut Sheet, report: &Report) {
    sheet.section("timeline", "Timeline");
    let began = time_of(&report.began);
    let columns =
        [Column::number("After"), Column::time("Time (UTC)"), Column::text("By"), Column::wide("What")];
    let rows = report.timeline.iter().map(|own| {
        vec![
            Cell::text(seconds(own.at_ms)),
            Cell::text(began.map_or_else(String::new, |began| wall_time(began, own.at_ms))),
            Cell::text(&own.by),
            Cell::text(&own.what),
        ]
    });
    let caption = "Offsets are of the monotonic clock; the time is that of the beginning plus the offset.";
    sheet.table(caption, &columns, rows, (ROWS_MAX, WHOLE));
    or_none(sheet, report.timeline.is_empty(), "Nothing was noted.");
}

/// What went another way than planned.
pub(super) fn deviations(sheet: &mut Sheet, report: &Report) {
    sheet.section("deviations", "Deviations from the plan");
    sheet.list(report.deviations.iter(), LINES_MAX, WHOLE);
    or_none(sheet, report.deviations.is_empty(), "None was noted.");
}
