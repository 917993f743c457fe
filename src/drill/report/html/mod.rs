//! The report as a page: self-contained, for screens, phones and paper.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `summary` | lights, objectives, earlier drills |
//! | `setting` | scope, scenario, people, environment; a real incident |
//! | `course` | phases, timeline, deviations |
//! | `content` | checks, pictures, counts, lost edits, erasure |
//! | `after` | gates, findings, answers, clean-up, controls, evidence |
//!
//! A pure function of the [`Report`] and its pictures: no clock, no file. Nothing is green that is not green in the
//! report. Lists are cut at a number and say so; the whole is in `report.json`, which lies beside the page.

mod after;
mod content;
mod course;
mod setting;
mod summary;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate};

use super::Report;
use crate::clock::Timestamp;
use crate::drill::measure::in_words;
use crate::drill::page::Sheet;

/// Where everything is that a page leaves out.
const WHOLE: &str = "report.json";
/// Rows of a long table.
const ROWS_MAX: usize = 500;
/// Rows of a table that there is one of for each repository.
const NESTED_MAX: usize = 200;
/// Repositories that are shown one by one.
const REPOSITORIES_MAX: usize = 60;
/// Entries of a short list.
const LINES_MAX: usize = 100;

/// Writes the page. `pictures` gives the bytes of a file of the drill (`pages/1-home.png`), where they are at hand.
pub fn page(report: &Report, pictures: &dyn Fn(&str) -> Option<Bytes>) -> String {
    let kind = if report.real { "Post-incident report" } else { "Drill report" };
    let footer = format!("{kind} {}", report.drill);
    let mut sheet = Sheet::new(&format!("{kind}: {}", report.title), &footer);
    summary::head(&mut sheet, report);
    summary::objectives(&mut sheet, report);
    summary::earlier(&mut sheet, report);
    if let Some(incident) = &report.incident {
        setting::incident(&mut sheet, incident, report);
    }
    setting::scope(&mut sheet, report);
    setting::people(&mut sheet, report);
    setting::environment(&mut sheet, report);
    course::phases(&mut sheet, report);
    course::timeline(&mut sheet, report);
    content::checks(&mut sheet, report);
    let shown = content::pictures(&mut sheet, report, pictures);
    content::counts(&mut sheet, report);
    content::lost_edits(&mut sheet, report);
    content::erasure(&mut sheet, report);
    after::gates(&mut sheet, report);
    course::deviations(&mut sheet, report);
    after::findings(&mut sheet, report);
    after::tabletop(&mut sheet, report);
    after::clean_up(&mut sheet, report);
    after::controls(&mut sheet);
    after::evidence(&mut sheet, report, &shown);
    sheet.finish()
}

/// Seconds to the millisecond.
fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// A span for people, and exactly.
fn took(ms: u64) -> String {
    match ms {
        0..60_000 => seconds(ms),
        _ => format!("{} ({})", in_words(Duration::from_millis(ms)), seconds(ms)),
    }
}

/// A share as per cent.
fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

fn time_of(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// A time of the report as people read it: `2026-11-20 10:00:00 UTC`; what is none stays as it is.
fn when(text: &str) -> String {
    time_of(text).map_or_else(|| text.to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The last moment that the report knows of: what is overdue is overdue then.
fn last_known(report: &Report) -> Option<Timestamp> {
    let said = report.said.iter().map(|said| &said.at);
    let closed = report.closed.iter().map(|closed| &closed.at);
    std::iter::once(&report.ended).chain(said).chain(closed).filter_map(|at| time_of(at)).max()
}

fn last_day(report: &Report) -> Option<NaiveDate> {
    last_known(report).map(|at| at.date_naive())
}

/// `1 finding`, `2 findings`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What is said where a list of the report is empty.
fn or_none(sheet: &mut Sheet, is_empty: bool, words: &str) {
    if is_empty {
        sheet.say_as("soft", words);
    }
}
