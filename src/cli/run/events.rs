//! What the scheduler tells: one line, or one JSON object, an event.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cli::exit::Outcome;
use crate::cli::output::{Output, Page};
use crate::cli::text::{Style, Text};
use crate::cli::units::human_duration;
use crate::clock::{Clock, Timestamp, rfc3339};
use crate::ids::Name;
use crate::schedule::{Job, LeftOut, Reason, Start};

/// Something that happened.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Event {
    /// What: `will-run`, `begun`, `ended`, `timed-out`, `elsewhere`, `left-out`, `reloaded`,
    /// `refused`, `needs-restart`, `listening`, `closed`, `stopping`.
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The time that a run is for, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u32>,
    #[serde(rename = "result", skip_serializing_if = "Option::is_none")]
    outcome: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip)]
    style: Style,
}

impl Event {
    fn of(event: &'static str, job: &Name) -> Self {
        Self { event, job: Some(job.clone()), ..Self::default() }
    }

    /// What a job waits for.
    pub(super) fn will_run(job: &Job, now: Timestamp) -> Self {
        let next = job.cron.as_ref().and_then(|cron| Some(cron.local(cron.next_after(now)?)));
        let after: Vec<&str> = job.after.iter().map(Name::as_str).collect();
        let after = match job.on_publish {
            Some(_) => Some("when something is published".to_owned()),
            None => (!after.is_empty()).then(|| format!("after {}", after.join(", "))),
        };
        Self { planned: next.map(|at| at.to_rfc3339()), detail: after, ..Self::of("will-run", &job.name) }
    }

    pub(super) fn begun(start: &Start, run: Option<&str>) -> Self {
        Self {
            planned: Some(rfc3339(start.planned)),
            attempt: Some(start.attempt),
            missed: Some(start.missed),
            run: run.map(str::to_owned),
            ..Self::of("begun", &start.job.name)
        }
    }

    pub(super) fn ended(job: &Name, run: &str, outcome: Outcome, took: Duration) -> Self {
        let style = match outcome {
            Outcome::Complete => Style::Green,
            Outcome::Partial | Outcome::ObjectiveMissed => Style::Yellow,
            _ => Style::Red,
        };
        Self {
            run: Some(run.to_owned()),
            outcome: Some(outcome.code()),
            seconds: Some(took.as_secs_f64()),
            style,
            ..Self::of("ended", job)
        }
    }

    pub(super) fn timed_out(start: &Start) -> Self {
        let after = format!("longer than {}", human_duration(start.job.timeout));
        Self { detail: Some(after), style: Style::Red, ..Self::of("timed-out", &start.job.name) }
    }

    pub(super) fn elsewhere(job: &Name, detail: String) -> Self {
        Self { detail: Some(detail), ..Self::of("elsewhere", job) }
    }

    pub(super) fn left_out(left_out: &LeftOut) -> Self {
        let detail = match &left_out.why {
            Reason::TooLate => "too late, and it does not catch up".to_owned(),
            Reason::Failed(other) => format!("{other}, which it comes after, failed"),
        };
        Self {
            planned: Some(rfc3339(left_out.planned)),
            detail: Some(detail),
            style: Style::Yellow,
            ..Self::of("left-out", &left_out.job)
        }
    }

    pub(super) fn reloaded(jobs: usize) -> Self {
        Self { event: "reloaded", detail: Some(format!("{jobs} jobs")), ..Self::default() }
    }

    pub(super) fn refused() -> Self {
        let detail = Some("the files were not taken over".to_owned());
        Self { event: "refused", detail, style: Style::Red, ..Self::default() }
    }

    /// What changed takes effect only when the scheduler begins again.
    pub(super) fn needs_restart(what: &str) -> Self {
        Self {
            event: "needs-restart",
            detail: Some(format!("{what} changed, and stays as it was until then")),
            style: Style::Yellow,
            ..Self::default()
        }
    }

    pub(super) fn listening(place: &str) -> Self {
        Self { event: "listening", detail: Some(place.to_owned()), ..Self::default() }
    }

    pub(super) fn closed(place: &str) -> Self {
        Self { event: "closed", detail: Some(place.to_owned()), ..Self::default() }
    }

    pub(super) fn stopping(runs: usize) -> Self {
        Self { event: "stopping", detail: Some(format!("{runs} under way")), ..Self::default() }
    }

    /// The line for people.
    fn line(&self, at: &str) -> Text {
        let mut line = String::new();
        if let Some(job) = &self.job {
            // Writing to a string cannot fail.
            let _ = write!(line, " {job}");
        }
        if let Some(planned) = &self.planned {
            let _ = write!(line, " for {planned}");
        }
        if let Some(missed @ 1..) = self.missed {
            let _ = write!(line, ", which makes up for {missed} more");
        }
        if let Some(attempt @ 2..) = self.attempt {
            let _ = write!(line, ", try {attempt}");
        }
        if let (Some(code), Some(seconds)) = (self.outcome, self.seconds) {
            let _ = write!(
                line,
                ", exit code {code}, after {}",
                human_duration(Duration::from_secs_f64(seconds))
            );
        }
        if let Some(detail) = &self.detail {
            let _ = write!(line, "{} {detail}", if line.is_empty() { ":" } else { "," });
        }
        Text::from(format!("{at} ")).and(self.style, self.event).and(Style::Plain, line)
    }
}

#[derive(Serialize)]
struct At<'a> {
    at: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

/// Where events are told.
pub(super) struct Events {
    output: Arc<Output>,
    clock: Arc<dyn Clock>,
}

impl Events {
    pub(super) fn new(output: Arc<Output>, clock: Arc<dyn Clock>) -> Self {
        Self { output, clock }
    }

    /// Tells an event. That nobody reads it any more keeps no backup from being taken.
    pub(super) fn tell(&self, event: &Event) {
        let at = rfc3339(self.clock.now());
        let told = self.output.item(None, &At { at: &at, event }, || Page::new().line(event.line(&at)));
        if let Err(error) = told {
            tracing::warn!(%error, "an event could not be told");
        }
    }
}
