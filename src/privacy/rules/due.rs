//! The day on which an answer is due, as a function of what happened, and the way to it in words.

use std::fmt;

use chrono::{Datelike as _, Days as ChronoDays, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Rules;
use super::data::{Days, Effect, PauseKind, PauseRule};
use super::holidays;
use crate::privacy::right::Right;

/// What moves the clock of a request. Days are those of the calendar where the controller sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockEvents {
    /// When the request was received.
    pub received: NaiveDate,
    /// What was asked for.
    pub rights: Vec<Right>,
    /// When the person was told, with reasons, that more time is needed.
    pub extension_told: Option<NaiveDate>,
    /// Questions to the person that stop the clock, in any order.
    pub pauses: Vec<Pause>,
}

/// A question to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// What was asked for.
    pub kind: PauseKind,
    /// When it was asked for.
    pub from: NaiveDate,
    /// When the answer came; `None`: it is awaited.
    #[serde(default)]
    pub to: Option<NaiveDate>,
}

/// One step of the way to the date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was done, in words.
    pub text: String,
    /// Where the rule is written, in English.
    pub rule: Option<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{} ({rule})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Until when a request must be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    /// Last day on which the answer is in time.
    pub date: NaiveDate,
    /// Last day on which the person can be told of an extension.
    pub extension_by: NaiveDate,
    /// Whether it was extended in time.
    pub extended: bool,
    /// What is waited for while the clock stands still. The date is then the earliest possible one:
    /// as if the answer had come on the day of the question.
    pub waits_for: Option<PauseKind>,
    /// The way to it.
    pub steps: Vec<Step>,
}

/// Adds months as the laws do: the day with the same number, or the last day of a month without it.
pub(super) fn add_months(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// A day as people write it: `Monday 1 March 2027`.
pub fn words(day: NaiveDate) -> String {
    day.format("%A %-d %B %Y").to_string()
}

fn date(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

fn months(count: u32) -> String {
    if count == 1 { "1 month".to_owned() } else { format!("{count} months") }
}

impl Rules {
    /// Returns until when the request must be answered.
    pub fn due(&self, events: &ClockEvents) -> Due {
        let cite = &self.edition.cite;
        let mut steps = Vec::new();
        steps.push(Step {
            text: format!("received on {}; that day does not count", words(events.received)),
            rule: Some(cite.first_day.en.clone()),
        });
        let (start, mut waits_for) = self.start(events, &mut steps);
        let mut first_steps = Vec::new();
        let first = self.end(start, self.edition.months_answer, events, &mut first_steps);
        let extended = events.extension_told.filter(|told| *told <= first);
        let end = match (extended, events.extension_told) {
            (Some(told), _) => {
                let more = self.edition.months_extension;
                steps.push(Step {
                    text: format!(
                        "extended by {}, told on {}, which is not after {}",
                        months(more),
                        date(told),
                        date(first)
                    ),
                    rule: Some(cite.extension.en.clone()),
                });
                self.end(start, self.edition.months_answer + more, events, &mut steps)
            }
            (None, Some(told)) => {
                steps.append(&mut first_steps);
                steps.push(Step {
                    text: format!(
                        "the extension told on {} does not count: it had to be told by {}",
                        date(told),
                        date(first)
                    ),
                    rule: Some(cite.extension.en.clone()),
                });
                first
            }
            (None, None) => {
                steps.append(&mut first_steps);
                first
            }
        };
        if waits_for.is_none() {
            let open = |pause: &&Pause| pause.to.is_none() && self.counts(pause.kind, &events.rights);
            let open = events.pauses.iter().filter(open).filter(|pause| pause.from <= end);
            waits_for = open.min_by_key(|pause| pause.from).map(|pause| pause.kind);
        }
        Due { date: end, extension_by: first, extended: extended.is_some(), waits_for, steps }
    }

    /// The day from which the period runs: that of receipt, or that of the proof which was asked
    /// for, where the rules say that the period begins with it.
    fn start(&self, events: &ClockEvents, steps: &mut Vec<Step>) -> (NaiveDate, Option<PauseKind>) {
        let (mut start, mut waits_for) = (events.received, None);
        for (pause, rule) in self.pauses(events, Effect::Restarts) {
            if pause.from > self.end(start, self.edition.months_answer, events, &mut Vec::new()) {
                steps.push(too_late(&pause, &rule.basis.en));
                continue;
            }
            let what = pause.kind.words();
            let text = match pause.to {
                Some(to) => {
                    start = start.max(to);
                    format!("the period begins anew on {}, when {what} came", words(to))
                }
                None => {
                    start = start.max(pause.from);
                    waits_for.get_or_insert(pause.kind);
                    format!("the period begins when {what} comes, asked for on {}", words(pause.from))
                }
            };
            steps.push(Step { text, rule: Some(rule.basis.en.clone()) });
        }
        (start, waits_for)
    }

    fn pauses(&self, events: &ClockEvents, effect: Effect) -> Vec<(Pause, &'static PauseRule)> {
        let rule = |pause: &Pause| Some((*pause, self.edition.pause(pause.kind, &events.rights)?));
        let mut found: Vec<_> = events.pauses.iter().filter_map(rule).collect();
        found.retain(|(_, rule)| rule.effect == effect);
        found.sort_by_key(|(pause, _)| (pause.from, pause.to.is_none(), pause.to));
        found
    }

    /// The last day of a period of so many months, on a working day.
    fn end(&self, start: NaiveDate, count: u32, events: &ClockEvents, steps: &mut Vec<Step>) -> NaiveDate {
        let cite = &self.edition.cite;
        let mut end = add_months(start, count);
        let short = if end.day() == start.day() {
            String::new()
        } else {
            format!(", the last day of a month without a {}", start.day())
        };
        steps.push(Step {
            text: format!("{} + {} = {}{short}", date(start), months(count), words(end)),
            rule: Some(cite.month.en.clone()),
        });
        // Days before this one do not count twice.
        let mut counted = start;
        for (pause, rule) in self.pauses(events, Effect::Stops) {
            if pause.from > self.working_day(end).0 {
                steps.push(too_late(&pause, &rule.basis.en));
                continue;
            }
            let last = pause.to.unwrap_or(pause.from).max(pause.from);
            let until = match rule.days {
                Days::Between => last,
                Days::Both => last.checked_add_days(ChronoDays::new(1)).unwrap_or(last),
            };
            let days = (until - pause.from.max(counted)).num_days().max(0);
            counted = counted.max(until);
            end = end.checked_add_days(ChronoDays::new(days.unsigned_abs())).unwrap_or(NaiveDate::MAX);
            let what = pause.kind.words();
            let text = match pause.to {
                Some(to) => format!(
                    "the clock stood still for {days} days while {what} was awaited, from {} to {}: {}",
                    date(pause.from),
                    date(to),
                    words(end)
                ),
                None => format!(
                    "the clock stands still since {}, until {what} comes; this is the earliest date",
                    date(pause.from)
                ),
            };
            steps.push(Step { text, rule: Some(rule.basis.en.clone()) });
        }
        let (working, why) = self.working_day(end);
        if let Some(why) = why {
            steps.push(Step {
                text: format!("{} is {why} → {}", date(end), words(working)),
                rule: Some(cite.last_day.en.clone()),
            });
        }
        working
    }

    /// This day or the next working day after it; and why it is another.
    fn working_day(&self, from: NaiveDate) -> (NaiveDate, Option<String>) {
        let holidays: Vec<_> = [from.year(), from.year() + 1]
            .map(|year| holidays::of_year(&self.profile.holidays, self.region, year))
            .into();
        let name = |day: &NaiveDate| holidays.iter().find_map(|year| year.get(day));
        let why = match (name(&from), holidays::is_weekend(from)) {
            (Some(name), _) => Some(format!("a {}, {name}", from.format("%A"))),
            (None, true) => Some(format!("a {}", from.format("%A"))),
            (None, false) => None,
        };
        let works = |day: &NaiveDate| !holidays::is_weekend(*day) && name(day).is_none();
        (from.iter_days().find(works).unwrap_or(from), why)
    }
}

fn too_late(pause: &Pause, rule: &str) -> Step {
    Step {
        text: format!(
            "the question of {} for {} changes nothing: the period had ended",
            date(pause.from),
            pause.kind.words()
        ),
        rule: Some(rule.to_owned()),
    }
}
