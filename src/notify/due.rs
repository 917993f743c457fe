//! What is to be said now: a pure function of what was said, what is wrong, and the time.
//!
//! **Rules**, for one receiver and one alarm
//! - What is new is said at once, and once. A warning that becomes critical is said at once.
//! - While it lasts it is said again each [`Pace::remind_every`].
//! - That it is over is said at once, and once. If it comes back within [`Pace::calm`], that is
//!   said too, but from then on its end is said only after it stayed away for that time: what comes
//!   and goes makes three messages and then one for each time of calm, not one a minute.
//! - An alarm that turns from critical to warning, or says the same in other words, is no news until
//!   the next reminder.
//! - Times that lie in the future (a clock was wrong) count as now, so that no reminder is put off
//!   for years.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;

use super::notice::{Change, Notice, one_line};
use crate::clock::Timestamp;
use crate::config::{Span, Zone};
use crate::ids::Name;
use crate::status::{Alarm, Severity};
use crate::vault::format::told::Said;

/// How often something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// How often what lasts is said again; no time at all means never.
    pub remind_every: Span,
    /// How long what comes and goes must stay away before it is called over.
    pub calm: Duration,
}

/// What happens with one alarm: what is said of it, and what is remembered of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Key of the alarm.
    pub key: String,
    /// What is said; `None` when only something is noted.
    pub notice: Option<Notice>,
    /// What is remembered once it was said; `None` to forget it.
    pub after: Option<Said>,
}

/// Says what one receiver is to be told, and what is to be noted.
///
/// `said` is what the receiver was told, `alarms` everything that `source` finds wrong now: what it
/// found before and is not among them is over. What other sources found is left alone.
pub fn due(
    said: &BTreeMap<String, Said>,
    source: &str,
    alarms: &[Alarm],
    pace: &Pace,
    now: Timestamp,
) -> Vec<Step> {
    let present: BTreeMap<&str, &Alarm> = alarms.iter().map(|alarm| (alarm.key.as_str(), alarm)).collect();
    let known = said.iter().filter(|(_, said)| said.source == source).map(|(key, _)| key.as_str());
    let keys: BTreeSet<&str> = known.chain(present.keys().copied()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let before = said.get(key);
            let known = before.map(|said| not_after(said.clone(), now));
            let (change, after) = match (present.get(key), known) {
                (Some(alarm), None) => begin(alarm, source, false, now),
                (Some(alarm), Some(known)) => lasts(alarm, known, source, pace, now),
                (None, Some(known)) => gone(known, pace, now),
                (None, None) => return None,
            };
            let notice = change.map(|change| {
                let said = after.as_ref().or(before).expect("something is said of what is known");
                notice(key, change, said)
            });
            (notice.is_some() || after.as_ref() != before).then(|| Step {
                key: key.to_owned(),
                notice,
                after,
            })
        })
        .collect()
}

/// Notes the steps that were said, or need not be.
pub(super) fn note(said: &mut BTreeMap<String, Said>, steps: impl IntoIterator<Item = Step>) {
    for step in steps {
        match step.after {
            Some(after) => drop(said.insert(step.key, after)),
            None => drop(said.remove(&step.key)),
        }
    }
}

fn begin(alarm: &Alarm, source: &str, restless: bool, now: Timestamp) -> (Option<Change>, Option<Said>) {
    let said = Said {
        source: source.to_owned(),
        critical: alarm.severity == Severity::Critical,
        repository: alarm.repository.clone(),
        what: one_line(&alarm.what),
        next: one_line(&alarm.next),
        since: alarm.since.unwrap_or(now).min(now),
        said: now,
        absent: None,
        ended: None,
        restless,
    };
    (Some(Change::Began), Some(said))
}

fn lasts(
    alarm: &Alarm,
    known: Said,
    source: &str,
    pace: &Pace,
    now: Timestamp,
) -> (Option<Change>, Option<Said>) {
    if let Some(ended) = known.ended {
        return begin(alarm, source, since(ended, now) < pace.calm, now);
    }
    let critical = alarm.severity == Severity::Critical;
    let reminds = !pace.remind_every.is_zero() && known.said <= pace.remind_every.before(now, Zone::UTC);
    let change = match () {
        () if critical && !known.critical => Some(Change::Worse),
        () if reminds => Some(Change::Reminder),
        () => None,
    };
    let after = Said { source: source.to_owned(), absent: None, ..known };
    // What the receiver knows stays as it was told until the next message: words that only grow older
    // are no reason to write anything.
    let after = match change {
        None => after,
        Some(_) => {
            Said { critical, what: one_line(&alarm.what), next: one_line(&alarm.next), said: now, ..after }
        }
    };
    (change, Some(after))
}

fn gone(known: Said, pace: &Pace, now: Timestamp) -> (Option<Change>, Option<Said>) {
    if let Some(ended) = known.ended {
        // Remembered for as long as its coming back would be restlessness.
        return (None, (since(ended, now) < pace.calm).then_some(known));
    }
    let absent = known.absent.unwrap_or(now);
    if known.restless && since(absent, now) < pace.calm {
        return (None, Some(Said { absent: Some(absent), ..known }));
    }
    (Some(Change::Ended), Some(Said { said: now, absent: None, ended: Some(now), ..known }))
}

fn notice(key: &str, change: Change, said: &Said) -> Notice {
    Notice {
        key: key.to_owned(),
        change,
        severity: if said.critical { Severity::Critical } else { Severity::Warning },
        repository: said.repository.clone(),
        job: said.source.strip_prefix("job/").and_then(|name| name.parse::<Name>().ok()),
        what: said.what.clone(),
        since: said.since,
        next: said.next.clone(),
    }
}

fn since(at: Timestamp, now: Timestamp) -> Duration {
    (now - at).max(TimeDelta::zero()).to_std().unwrap_or_default()
}

fn not_after(said: Said, now: Timestamp) -> Said {
    Said {
        since: said.since.min(now),
        said: said.said.min(now),
        absent: said.absent.map(|at| at.min(now)),
        ended: said.ended.map(|at| at.min(now)),
        ..said
    }
}

#[cfg(test)]
mod tests;
