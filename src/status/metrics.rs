//! The facts and what they mean as numbers, in Prometheus' text format 0.0.4.
//!
//! The one place in which metrics are named. Units are in the names, base units as Prometheus
//! wants them: seconds, bytes, ratios. Labels are names of the configuration, ids and words; no
//! personal data. What is not known has no line: a 0 would be a time in 1970.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::alarms::Severity;
use super::assess::{Assessment, Objective, Standing, State};
use super::facts::{Facts, JobFacts, RepositoryFacts, RequestCount};
use crate::clock::Timestamp;
use crate::ids::Name;

/// Media type of what [`render`] returns, for an answer of HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes all metrics of one look.
pub fn render(facts: &Facts, assessment: &Assessment) -> String {
    let mut page = Page::new();
    state(&mut page, facts, assessment);
    requests(&mut page, &facts.requests, facts.retries);
    page.0
}

/// What a scheduler knows of itself.
#[derive(Debug, Clone, Default)]
pub struct SchedulerNumbers {
    /// When it began.
    pub started: Option<Timestamp>,
    /// When its loop was last at its beginning.
    pub turned: Option<Timestamp>,
    /// Jobs that it has.
    pub jobs: u64,
    /// Most of them that it runs at once.
    pub at_once: u64,
    /// Runs under way.
    pub running: u64,
    /// Runs that ended here or elsewhere, by job and how.
    pub runs: BTreeMap<(Name, &'static str), u64>,
    /// Seconds that the runs here took, by job.
    pub seconds: BTreeMap<Name, f64>,
    /// Looks at the vault, by how they ended.
    pub looks: BTreeMap<&'static str, u64>,
    /// Files read again, by what came of it.
    pub reloads: BTreeMap<&'static str, u64>,
    /// Webhooks, by what they came to.
    pub webhooks: BTreeMap<&'static str, u64>,
}

/// Writes all metrics of a scheduler: what it last saw, judged for now, where it has seen anything,
/// what it asked for since it began, and its own.
pub fn render_of_scheduler(
    seen: Option<(&Facts, &Assessment)>,
    asked: (&[RequestCount], u64),
    scheduler: &SchedulerNumbers,
) -> String {
    let mut page = Page::new();
    if let Some((facts, assessment)) = seen {
        state(&mut page, facts, assessment);
    }
    requests(&mut page, asked.0, asked.1);
    itself(&mut page, scheduler);
    page.0
}

fn state(page: &mut Page, facts: &Facts, assessment: &Assessment) {
    page.gauge("status_timestamp_seconds", "When this was found out.", |add| {
        add(&[], Some(seconds(facts.at)));
    });
    repositories(page, facts);
    last_snapshots(page, facts);
    objectives(page, assessment);
    expected(page, facts, assessment);
    replicas(page, facts, assessment.at);
    jobs(page, facts);
    erased(page, facts);
    tokens_and_alarms(page, facts, assessment);
}

/// Hands labels and a value to the page; `None` is left out.
type Add<'a> = dyn FnMut(&[(&str, &str)], Option<f64>) + 'a;

struct Page(String);

impl Page {
    fn new() -> Self {
        let mut page = Self(String::new());
        page.gauge("build_info", "Version of the program that wrote this.", |add| {
            add(&[("version", env!("CARGO_PKG_VERSION"))], Some(1.0));
        });
        page
    }

    fn counter(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Add<'_>)) {
        self.metric("counter", name, help, fill);
    }

    fn gauge(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Add<'_>)) {
        self.metric("gauge", name, help, fill);
    }

    /// Writes one metric: its help and type, then its samples, next to each other as the format
    /// demands; nothing at all where it has none.
    fn metric(&mut self, kind: &str, name: &str, help: &str, fill: impl FnOnce(&mut Add<'_>)) {
        let mut samples = String::new();
        fill(&mut |labels, value| {
            let Some(value) = value else { return };
            let labels: Vec<String> =
                labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(samples, "prismvault_{name}{labels} {value}").expect("writing to a string works");
        });
        if !samples.is_empty() {
            let text = &mut self.0;
            *text += &format!("# HELP prismvault_{name} {help}\n# TYPE prismvault_{name} {kind}\n{samples}");
        }
    }

    /// One sample a repository.
    fn of_repositories(
        &mut self,
        facts: &Facts,
        name: &str,
        help: &str,
        value: impl Fn(&RepositoryFacts) -> Option<f64>,
    ) {
        self.gauge(name, help, |add| {
            for own in &facts.repositories {
                add(&[("repository", own.repository.as_str())], value(own));
            }
        });
    }
}

/// Escapes the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(at: Timestamp) -> f64 {
    at.timestamp() as f64
}

fn number(count: u64) -> Option<f64> {
    Some(count as f64)
}

fn repositories(page: &mut Page, facts: &Facts) {
    page.of_repositories(
        facts,
        "last_success_timestamp_seconds",
        "When the newest snapshot was taken, partial ones too.",
        |own| own.newest.as_ref().map(|newest| seconds(newest.taken)),
    );
    page.of_repositories(
        facts,
        "last_complete_timestamp_seconds",
        "When the newest complete snapshot was taken.",
        |own| own.last_complete.as_ref().map(|last| seconds(last.taken)),
    );
    page.of_repositories(
        facts,
        "last_verified_timestamp_seconds",
        "When all bytes of a complete snapshot had last been read on every replica that holds it.",
        |own| own.verified.map(seconds),
    );
    page.of_repositories(
        facts,
        "last_drill_timestamp_seconds",
        "When a recovery was last rehearsed with success.",
        |own| own.drill.as_ref().map(|drill| seconds(drill.ended)),
    );
    page.of_repositories(
        facts,
        "oldest_snapshot_timestamp_seconds",
        "When the oldest snapshot was taken.",
        |own| own.oldest.map(seconds),
    );
    page.of_repositories(
        facts,
        "newest_snapshot_timestamp_seconds",
        "When the newest snapshot was committed.",
        |own| own.newest.as_ref().map(|newest| seconds(newest.committed)),
    );
    page.of_repositories(facts, "snapshots", "Snapshots that are kept, partial ones too.", |own| {
        number(own.snapshots)
    });
    page.of_repositories(
        facts,
        "snapshots_partial_in_a_row",
        "Partial snapshots since the last complete one.",
        |own| number(own.partial_in_a_row),
    );
    page.of_repositories(
        facts,
        "snapshots_lost",
        "Snapshots that are gone or cannot be read, and that no removal explains.",
        |own| number(own.lost + own.unreadable),
    );
}

fn last_snapshots(page: &mut Page, facts: &Facts) {
    page.of_repositories(
        facts,
        "snapshot_copies",
        "Replicas that hold the newest complete snapshot.",
        |own| own.last_complete.as_ref().map(|last| last.on.len() as f64),
    );
    page.of_repositories(
        facts,
        "snapshot_size_bytes",
        "Bytes of what the newest snapshot holds, before compression.",
        |own| own.newest.as_ref().map(|newest| newest.bytes as f64),
    );
    page.of_repositories(
        facts,
        "snapshot_added_bytes",
        "Bytes that the newest snapshot stored on each replica.",
        |own| own.newest.as_ref().map(|newest| newest.added_bytes as f64),
    );
    page.of_repositories(facts, "snapshot_added_items", "Items that the newest snapshot added.", |own| {
        own.newest.as_ref().map(|newest| newest.added_items as f64)
    });
    page.of_repositories(facts, "snapshot_gaps", "What is missing in the newest snapshot.", |own| {
        own.newest.as_ref().map(|newest| newest.gaps as f64)
    });
    page.of_repositories(facts, "snapshot_duration_seconds", "How long the newest snapshot took.", |own| {
        let newest = own.newest.as_ref()?;
        Some(newest.committed.signed_duration_since(newest.taken).num_seconds().max(0) as f64)
    });
    page.gauge("snapshot_items", "What the newest snapshot holds, by kind.", |add| {
        for own in &facts.repositories {
            let Some(newest) = &own.newest else { continue };
            let kinds =
                [("documents", newest.documents), ("assets", newest.assets), ("models", newest.models)];
            for (kind, count) in kinds {
                add(&[("repository", own.repository.as_str()), ("kind", kind)], number(count));
            }
        }
    });
}

fn objectives(page: &mut Page, assessment: &Assessment) {
    let all = || {
        let of = |own: &'_ Standing| own.objectives.len();
        assessment.repositories.iter().filter(move |own| of(own) > 0)
    };
    page.gauge(
        "restore_confidence",
        "From 0 to 1: what was shown of a restore and how long ago; no probability.",
        |add| {
            for own in &assessment.repositories {
                add(&[("repository", own.repository.as_str())], Some(own.confidence.value));
            }
        },
    );
    page.gauge("objective_state", "0 as promised, 1 at risk, 2 missed.", |add| {
        for own in all() {
            for judged in &own.objectives {
                let value = match judged.state {
                    State::Ok | State::NotSet => 0.0,
                    State::AtRisk => 1.0,
                    State::Missed => 2.0,
                };
                let labels =
                    [("repository", own.repository.as_str()), ("objective", judged.objective.word())];
                add(&labels, Some(value));
            }
        }
    });
    page.gauge("snapshot_age_seconds", "Age of the newest complete snapshot.", |add| {
        for own in &assessment.repositories {
            add(&[("repository", own.repository.as_str())], own.age_seconds.map(|age| age as f64));
        }
    });
    page.gauge(
        "objective_burn_ratio",
        "Share of the last 30 days in which the recovery point objective was not met.",
        |add| {
            for own in all() {
                let labels = [("repository", own.repository.as_str()), ("objective", Objective::Rpo.word())];
                add(&labels, own.burn);
            }
        },
    );
}

/// What is promised, and how often a snapshot is expected.
fn expected(page: &mut Page, facts: &Facts, assessment: &Assessment) {
    page.gauge("objective_limit_seconds", "What the objective allows.", |add| {
        for own in &assessment.repositories {
            for judged in &own.objectives {
                let labels =
                    [("repository", own.repository.as_str()), ("objective", judged.objective.word())];
                add(&labels, judged.limit_seconds.map(|limit| limit as f64));
            }
        }
    });
    page.gauge(
        "objective_age_ratio",
        "Age of the newest complete snapshot against what is allowed; above 1 the objective is missed.",
        |add| {
            for own in &assessment.repositories {
                let rpo = own.objectives.iter().find(|judged| judged.objective == Objective::Rpo);
                let limit = rpo.and_then(|judged| judged.limit_seconds).filter(|limit| *limit > 0);
                let ratio = own.age_seconds.zip(limit).map(|(age, limit)| age as f64 / limit as f64);
                add(&[("repository", own.repository.as_str())], ratio);
            }
        },
    );
    page.of_repositories(
        facts,
        "expected_interval_seconds",
        "Time between two scheduled snapshots.",
        |own| {
            let covers = |job: &&JobFacts| {
                let of = |plan: &super::Plan| plan.repositories.contains(&own.repository);
                job.does == "snapshot" && job.plan.as_ref().is_some_and(of)
            };
            let every = facts.jobs.iter().filter(covers).filter_map(|job| job.plan.as_ref()?.every);
            every.min().map(|every| every.num_seconds() as f64)
        },
    );
}

fn replicas(page: &mut Page, facts: &Facts, now: Timestamp) {
    let mut of = |name: &str, help: &str, value: &dyn Fn(&super::ReplicaFacts) -> Option<f64>| {
        page.gauge(name, help, |add| {
            for own in &facts.replicas {
                add(&[("replica", &own.replica)], value(own));
            }
        });
    };
    of("replica_up", "Whether the replica takes part.", &|own| {
        Some(if own.failure.is_none() { 1.0 } else { 0.0 })
    });
    of("replica_lag_snapshots", "Snapshots that the replica is to hold and lacks.", &|own| {
        own.failure.is_none().then_some(own.missing as f64)
    });
    of("replica_lag_seconds", "Age of the oldest snapshot that the replica lacks.", &|own| {
        let lag = own.missing_since.map_or(0, |since| now.signed_duration_since(since).num_seconds().max(0));
        own.failure.is_none().then_some(lag as f64)
    });
    of("replica_clock_offset_seconds", "How far the clock here is ahead of that of the store.", &|own| {
        own.clock_offset_seconds.map(|offset| offset as f64)
    });
    const DAY: f64 = 86_400.0;
    of("lock_left_seconds", "Time until the first lock of a live object ends, in whole days.", &|own| {
        Some(own.locks.as_ref()?.days_left? as f64 * DAY)
    });
    of("lock_window_seconds", "Time that a new lock lasts.", &|own| {
        Some(own.locks.as_ref()?.window_days as f64 * DAY)
    });
}

fn jobs(page: &mut Page, facts: &Facts) {
    let mut of = |name: &str, help: &str, value: &dyn Fn(&JobFacts) -> Option<f64>| {
        page.gauge(name, help, |add| {
            for own in &facts.jobs {
                // Not `job`: Prometheus itself gives that label to what it scrapes.
                add(&[("job_name", own.job.as_str()), ("does", &own.does)], value(own));
            }
        });
    };
    let time = |text: &str| text.parse::<Timestamp>().ok();
    of("job_last_run_timestamp_seconds", "When the last run of the job ended.", &|own| {
        time(&own.record.as_ref()?.last.as_ref()?.ended).map(seconds)
    });
    of("job_last_success_timestamp_seconds", "When the last good run of the job ended.", &|own| {
        time(&own.record.as_ref()?.last_success.as_ref()?.ended).map(seconds)
    });
    of("job_next_run_timestamp_seconds", "When the job is to run next.", &|own| {
        let planned = own.plan.as_ref().and_then(|plan| plan.next);
        planned.or_else(|| time(own.record.as_ref()?.next.as_ref()?)).map(seconds)
    });
    of("job_duration_seconds", "How long the last run of the job took.", &|own| {
        let last = own.record.as_ref()?.last.as_ref()?;
        Some(time(&last.ended)?.signed_duration_since(time(&last.started)?).num_seconds().max(0) as f64)
    });
    of("job_failures_in_a_row", "Runs of the job that failed since the last good one.", &|own| {
        Some(f64::from(own.record.as_ref()?.failures))
    });
}

fn erased(page: &mut Page, facts: &Facts) {
    let erased = &facts.erased;
    if erased.is_nobody() {
        return;
    }
    page.gauge("erased_cases", "Cases of which an order that erases is in a ledger.", |add| {
        add(&[], number(erased.cases));
    });
    page.gauge(
        "erased_look_timestamp_seconds",
        "When everybody who was erased was last looked for, everywhere.",
        |add| add(&[], erased.checks.whole.map(seconds)),
    );
    page.gauge("erased_found_places", "Places in which somebody was found who was erased.", |add| {
        for (case, check) in &erased.checks.cases {
            add(&[("case", case.as_str())], number(check.places()));
        }
    });
}

fn tokens_and_alarms(page: &mut Page, facts: &Facts, assessment: &Assessment) {
    page.gauge("token_age_seconds", "Age of the token.", |add| {
        for own in &facts.tokens {
            let age =
                own.issued.map(|issued| assessment.at.signed_duration_since(issued).num_seconds().max(0));
            let labels = [("repository", own.repository.as_str()), ("token", own.token)];
            add(&labels, age.map(|age| age as f64));
        }
    });
    page.gauge("alarm", "An alarm that is on; docs/monitoring says what each means.", |add| {
        for alarm in &assessment.alarms {
            let repository = alarm.repository.as_ref().map_or("", |name| name.as_str());
            let labels = [
                ("kind", alarm.kind()),
                ("key", alarm.key.as_str()),
                ("severity", alarm.severity.label()),
                ("repository", repository),
            ];
            add(&labels, Some(1.0));
        }
    });
    page.gauge("alarms", "Alarms that are on, by severity.", |add| {
        for severity in [Severity::Critical, Severity::Warning] {
            let count = assessment.alarms.iter().filter(|alarm| alarm.severity == severity).count();
            add(&[("severity", severity.label())], Some(count as f64));
        }
    });
}

fn requests(page: &mut Page, requests: &[RequestCount], retries: u64) {
    page.counter("requests_total", "Requests of this process, by whom they were sent to.", |add| {
        for count in requests {
            add(&[("of", &count.of), ("operation", &count.operation)], number(count.count));
        }
    });
    page.counter("retries_total", "Requests that this process sent again after a failure.", |add| {
        add(&[], number(retries));
    });
}

fn itself(page: &mut Page, scheduler: &SchedulerNumbers) {
    let time = |at: Option<Timestamp>| at.map(seconds);
    page.gauge("scheduler_start_timestamp_seconds", "When the scheduler began.", |add| {
        add(&[], time(scheduler.started));
    });
    page.gauge("scheduler_turn_timestamp_seconds", "When the scheduler last looked what is due.", |add| {
        add(&[], time(scheduler.turned));
    });
    page.gauge("scheduler_jobs", "Jobs of the scheduler.", |add| add(&[], number(scheduler.jobs)));
    page.gauge("scheduler_jobs_at_once", "Most jobs that the scheduler runs at once.", |add| {
        add(&[], number(scheduler.at_once));
    });
    page.gauge("scheduler_jobs_running", "Runs under way here.", |add| add(&[], number(scheduler.running)));
    page.counter("scheduler_runs_total", "Runs since the scheduler began, by how they ended.", |add| {
        for ((job, how), count) in &scheduler.runs {
            add(&[("job_name", job.as_str()), ("result", *how)], number(*count));
        }
    });
    page.counter("scheduler_run_seconds_total", "How long runs took since the scheduler began.", |add| {
        for (job, seconds) in &scheduler.seconds {
            add(&[("job_name", job.as_str())], Some(*seconds));
        }
    });
    let mut of = |name: &str, help: &str, counts: &BTreeMap<&'static str, u64>| {
        page.counter(name, help, |add| {
            for (result, count) in counts {
                add(&[("result", *result)], number(*count));
            }
        });
    };
    of("scheduler_looks_total", "Looks at the vault since the scheduler began.", &scheduler.looks);
    of("scheduler_reloads_total", "Times that the files were read again.", &scheduler.reloads);
    of("webhooks_total", "Webhooks since the port was opened, by what they came to.", &scheduler.webhooks);
}
