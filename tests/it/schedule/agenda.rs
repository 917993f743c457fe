//! What begins when: the rules of the agenda, told as days in the life of a scheduler.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use prismvault::clock::Timestamp;
use prismvault::limits::Limits;
use prismvault::schedule::{Agenda, Due, Ended, Job, Known, LeftOut, Pace, Reason};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A time of 21 November 2026, a Saturday.
fn day(clock: &str) -> Timestamp {
    at(&format!("2026-11-21T{clock}:00Z"))
}

fn job(name: &str, text: &str) -> Arc<Job> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(format!("{name}.toml"));
    let text = format!("job = \"snapshot\"\nrepositories = [\"*\"]\n{text}\n");
    std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    Arc::new(Job::load(&file, &Limits::default()).unwrap())
}

fn agenda(jobs: &[&Arc<Job>], now: Timestamp) -> Agenda {
    let pace = Pace {
        at_once: 2,
        late_after: Duration::from_mins(5),
        backoff: Duration::from_mins(1),
        backoff_max: Duration::from_hours(1),
        seed: "vault".to_owned(),
    };
    let mut agenda = Agenda::new(pace);
    agenda.set_jobs(jobs.iter().map(|job| Arc::clone(job)), now);
    agenda
}

/// What begins, as `name attempt missed`.
fn begun(due: &Due) -> Vec<String> {
    due.start.iter().map(|start| format!("{} {} {}", start.job.name, start.attempt, start.missed)).collect()
}

fn name(text: &str) -> prismvault::ids::Name {
    text.parse().unwrap()
}

const NONE: [&str; 0] = [];

#[test]
fn a_job_begins_at_its_time_and_not_before_or_twice() {
    let nightly = job("nightly", "cron = \"15 2 * * *\"");
    let mut agenda = agenda(&[&nightly], day("02:00"));
    assert_eq!(agenda.wakes(), Some(day("02:15")));
    assert_eq!(begun(&agenda.due(day("02:14"))), NONE);
    let due = agenda.due(day("02:15"));
    assert_eq!(begun(&due), ["nightly 1 0"]);
    assert_eq!(due.start[0].planned, day("02:15"));
    assert_eq!(begun(&agenda.due(day("02:16"))), NONE, "it runs");
    assert_eq!((agenda.running(), agenda.wakes()), (1, None));
    agenda.ended(&nightly.name, Ended::Done, day("02:20"));
    assert_eq!(begun(&agenda.due(day("02:21"))), NONE);
    assert_eq!(agenda.wakes(), Some(at("2026-11-22T02:15:00Z")));
}

#[test]
fn any_number_of_missed_times_is_made_up_for_by_one_run() {
    let hourly = job("hourly", "cron = \"0 * * * *\"");
    let mut agenda = agenda(&[&hourly], day("09:30"));
    // The machine was replaced: the vault knows of a run three hours ago.
    agenda.learn(&hourly.name, Known { covered: day("06:02"), done: Some(true) }, day("09:30"));
    let due = agenda.due(day("09:30"));
    assert_eq!(begun(&due), ["hourly 1 2"], "7 and 8 o'clock are missed, 9 o'clock is made up for");
    assert_eq!(due.start[0].planned, day("09:00"));
    agenda.ended(&hourly.name, Ended::Done, day("09:40"));
    assert_eq!(begun(&agenda.due(day("09:59"))), NONE);
    assert_eq!(begun(&agenda.due(day("10:00"))), ["hourly 1 0"]);
}

#[test]
fn a_job_that_does_not_catch_up_lets_go_what_is_late() {
    let hourly = job("hourly", "cron = \"0 * * * *\"\ncatch_up = false");
    let mut agenda = agenda(&[&hourly], day("09:30"));
    agenda.learn(&hourly.name, Known { covered: day("06:02"), done: Some(true) }, day("09:30"));
    let due = agenda.due(day("09:30"));
    assert_eq!(begun(&due), NONE);
    assert_eq!(due.left_out, [LeftOut { job: name("hourly"), planned: day("09:00"), why: Reason::TooLate }]);
    assert_eq!(begun(&agenda.due(day("10:04"))), ["hourly 1 0"], "four minutes are not late");
}

#[test]
fn a_job_that_nobody_knows_begins_with_its_next_time() {
    let nightly = job("nightly", "cron = \"15 2 * * *\"");
    let mut agenda = agenda(&[&nightly], day("12:00"));
    assert_eq!(begun(&agenda.due(day("12:00"))), NONE, "nothing was missed");
    // Another scheduler had seen it a day before, and it never ran.
    agenda.learn(&nightly.name, Known { covered: at("2026-11-20T12:00:00Z"), done: None }, day("12:01"));
    assert_eq!(begun(&agenda.due(day("12:01"))), ["nightly 1 0"]);
}

#[test]
fn a_run_that_failed_is_tried_again_with_growing_waits_and_then_let_be() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"\nretries = 2");
    let mut agenda = agenda(&[&nightly], day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["nightly 1 0"]);
    agenda.ended(&nightly.name, Ended::Retry, day("02:10"));
    assert_eq!(agenda.wakes(), Some(day("02:11")));
    assert_eq!(begun(&agenda.due(day("02:11"))), ["nightly 2 0"]);
    agenda.ended(&nightly.name, Ended::Retry, day("02:20"));
    assert_eq!(agenda.wakes(), Some(day("02:22")));
    assert_eq!(begun(&agenda.due(day("02:22"))), ["nightly 3 0"]);
    agenda.ended(&nightly.name, Ended::Retry, day("02:30"));
    assert_eq!(agenda.wakes(), Some(at("2026-11-22T02:00:00Z")), "the next night is the next chance");
}

#[test]
fn what_trying_again_does_not_help_is_not_tried_again() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"\nretries = 2");
    let mut agenda = agenda(&[&nightly], day("01:00"));
    agenda.due(day("02:00"));
    agenda.ended(&nightly.name, Ended::Failed, day("02:10"));
    assert_eq!(begun(&agenda.due(day("03:00"))), NONE);
}

#[test]
fn a_run_longer_than_its_period_never_overlaps_itself() {
    let often = job("often", "cron = \"*/10 * * * *\"");
    let mut agenda = agenda(&[&often], day("01:00"));
    assert_eq!(begun(&agenda.due(day("01:10"))), ["often 1 0"]);
    for clock in ["01:20", "01:30", "01:40"] {
        assert_eq!(begun(&agenda.due(day(clock))), NONE, "{clock}");
    }
    agenda.ended(&often.name, Ended::Done, day("01:45"));
    assert_eq!(begun(&agenda.due(day("01:45"))), ["often 1 2"], "one run for three times");
}

#[test]
fn more_jobs_than_may_run_at_once_wait_for_each_other_in_order() {
    let jobs: Vec<_> = ["c", "a", "b"].map(|name| job(name, "cron = \"0 2 * * *\"")).into();
    let mut agenda = agenda(&jobs.iter().collect::<Vec<_>>(), day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["a 1 0", "b 1 0"]);
    assert_eq!(begun(&agenda.due(day("02:01"))), NONE);
    agenda.ended(&name("b"), Ended::Done, day("02:02"));
    assert_eq!(begun(&agenda.due(day("02:02"))), ["c 1 0"]);
}

#[test]
fn a_job_after_another_waits_for_it_and_is_left_out_when_it_failed() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let copies = job("copies", "cron = \"30 2 * * *\"\nafter = \"nightly\"");
    let mut agenda = agenda(&[&nightly, &copies], day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["nightly 1 0"]);
    assert_eq!(begun(&agenda.due(day("02:30"))), NONE, "nightly still runs");
    agenda.ended(&nightly.name, Ended::Done, day("02:45"));
    assert_eq!(begun(&agenda.due(day("02:45"))), ["copies 1 0"]);
    agenda.ended(&copies.name, Ended::Done, day("02:50"));
    let next = |clock: &str| at(&format!("2026-11-22T{clock}:00Z"));
    agenda.due(next("02:00"));
    agenda.ended(&nightly.name, Ended::Failed, next("02:10"));
    let due = agenda.due(next("02:30"));
    assert_eq!(begun(&due), NONE);
    let why = Reason::Failed(name("nightly"));
    assert_eq!(due.left_out, [LeftOut { job: name("copies"), planned: next("02:30"), why }]);
}

#[test]
fn both_at_the_same_time_run_in_their_order() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let copies = job("copies", "cron = \"0 2 * * *\"\nafter = \"nightly\"");
    let mut agenda = agenda(&[&nightly, &copies], day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["nightly 1 0"]);
    agenda.ended(&nightly.name, Ended::Done, day("02:05"));
    assert_eq!(begun(&agenda.due(day("02:05"))), ["copies 1 0"]);
}

#[test]
fn a_job_without_a_time_runs_each_time_what_it_comes_after_is_done() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let checks = job("checks", "cron = \"0 3 * * *\"");
    let report = job("report", "after = [\"nightly\", \"checks\"]");
    let mut agenda = agenda(&[&nightly, &checks, &report], day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["nightly 1 0"]);
    agenda.ended(&nightly.name, Ended::Done, day("02:10"));
    assert_eq!(begun(&agenda.due(day("02:10"))), NONE, "checks has not run");
    assert_eq!(begun(&agenda.due(day("03:00"))), ["checks 1 0"]);
    agenda.ended(&checks.name, Ended::Done, day("03:10"));
    assert_eq!(begun(&agenda.due(day("03:10"))), ["report 1 0"]);
    agenda.ended(&report.name, Ended::Done, day("03:11"));
    assert_eq!(begun(&agenda.due(day("03:12"))), NONE);
    // The next night only one of them is done so far.
    let next = |clock: &str| at(&format!("2026-11-22T{clock}:00Z"));
    agenda.due(next("02:00"));
    agenda.ended(&nightly.name, Ended::Done, next("02:10"));
    assert_eq!(begun(&agenda.due(next("02:10"))), NONE);
}

#[test]
fn jitter_delays_by_the_same_time_after_a_restart_and_by_others_elsewhere() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"\njitter = \"1h\"");
    let begins = |seed: &str| {
        let pace = Pace {
            at_once: 1,
            late_after: Duration::from_mins(5),
            backoff: Duration::from_mins(1),
            backoff_max: Duration::from_mins(1),
            seed: seed.to_owned(),
        };
        let mut agenda = Agenda::new(pace);
        agenda.set_jobs([Arc::clone(&nightly)], day("01:00"));
        assert_eq!(begun(&agenda.due(day("02:00"))), NONE, "chances are one in 3,600,000 for each seed");
        agenda.wakes().unwrap()
    };
    let delays: Vec<_> = ["one", "two", "three", "one"].map(begins).into();
    assert_eq!(delays[0], delays[3]);
    assert!(delays[0] != delays[1] && delays[1] != delays[2]);
    assert!(delays.iter().all(|delay| (day("02:00")..=day("03:00")).contains(delay)), "{delays:?}");
}

#[test]
fn a_clock_that_was_a_day_ahead_keeps_no_job_from_running() {
    let hourly = job("hourly", "cron = \"0 * * * *\"");
    let mut agenda = agenda(&[&hourly], day("01:30"));
    let tomorrow = at("2026-11-22T02:00:00Z");
    assert_eq!(begun(&agenda.due(tomorrow)).len(), 1);
    agenda.ended(&hourly.name, Ended::Done, tomorrow);
    assert_eq!(begun(&agenda.due(day("02:01"))), NONE, "set right again");
    assert_eq!(begun(&agenda.due(day("03:00"))), ["hourly 1 0"]);
    agenda.ended(&hourly.name, Ended::Done, day("03:01"));
    agenda.learn(&hourly.name, Known { covered: tomorrow, done: Some(true) }, day("03:02"));
    assert_eq!(begun(&agenda.due(day("04:00"))), ["hourly 1 0"], "a record from the future");
}

#[test]
fn a_job_that_follows_another_follows_it_once_after_a_clock_was_a_day_ahead() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let copies = job("copies", "after = \"nightly\"");
    let tomorrow = at("2026-11-22T02:00:00Z");
    let mut agenda = agenda(&[&nightly, &copies], day("01:00"));
    assert_eq!(begun(&agenda.due(tomorrow)), ["nightly 1 1"]);
    agenda.ended(&nightly.name, Ended::Done, tomorrow);
    let mut runs = 0;
    for minute in 10..50 {
        let now = day(&format!("03:{minute}"));
        for start in agenda.due(now).start {
            runs += 1;
            agenda.ended(&start.job.name, Ended::Done, now);
        }
    }
    assert_eq!(runs, 1);
}

#[test]
fn a_job_that_waits_for_a_run_to_end_does_not_keep_the_scheduler_awake() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let copies = job("copies", "cron = \"1 2 * * *\"\nafter = \"nightly\"");
    let others = ["a", "b"].map(|name| job(name, "cron = \"3 2 * * *\""));
    let mut agenda = agenda(&[&nightly, &copies, &others[0], &others[1]], day("01:00"));
    assert_eq!(begun(&agenda.due(day("02:00"))), ["nightly 1 0"]);
    assert_eq!(begun(&agenda.due(day("02:02"))), NONE, "it comes after the other");
    assert_eq!(agenda.wakes(), Some(day("02:03")));
    assert_eq!(begun(&agenda.due(day("02:03"))), ["a 1 0"], "two at once");
    assert_eq!(agenda.wakes(), None, "nothing to do until a run ends");
    agenda.ended(&nightly.name, Ended::Done, day("02:10"));
    assert_eq!(begun(&agenda.due(day("02:10"))), ["copies 1 0"], "the one that was due first");
    assert_eq!(agenda.wakes(), Some(at("2026-11-22T02:00:00Z")));
}

#[test]
fn a_job_that_runs_elsewhere_is_looked_at_again() {
    let nightly = job("nightly", "cron = \"0 2 * * *\"");
    let mut agenda = agenda(&[&nightly], day("01:00"));
    agenda.due(day("02:00"));
    agenda.elsewhere(&nightly.name, day("02:10"));
    assert_eq!(begun(&agenda.due(day("02:09"))), NONE);
    // It was done there.
    agenda.learn(&nightly.name, Known { covered: day("02:01"), done: Some(true) }, day("02:10"));
    assert_eq!(begun(&agenda.due(day("02:10"))), NONE);
    assert_eq!(agenda.wakes(), Some(at("2026-11-22T02:00:00Z")));
}

#[test]
fn jobs_that_change_while_they_run_end_and_go_on_by_the_new_file() {
    let before = job("nightly", "cron = \"0 2 * * *\"");
    let mut agenda = agenda(&[&before, &job("gone", "cron = \"0 2 * * *\"")], day("01:00"));
    assert_eq!(agenda.due(day("02:00")).start.len(), 2);
    agenda.set_jobs([job("nightly", "cron = \"0 3 * * *\"")], day("02:05"));
    assert!(agenda.has(&name("gone")), "it still runs");
    agenda.ended(&name("gone"), Ended::Done, day("02:06"));
    assert!(!agenda.has(&name("gone")));
    agenda.ended(&name("nightly"), Ended::Done, day("02:10"));
    assert_eq!(begun(&agenda.due(day("03:00"))), ["nightly 1 0"]);
}

proptest! {
    /// Whatever goes wrong (crashes, restarts, failures, long runs), each time of a job that
    /// catches up is covered within one period of the scheduler being up, no job overlaps itself,
    /// and no run comes for nothing.
    #[test]
    fn every_time_is_covered_by_exactly_as_many_runs_as_needed(
        steps in prop::collection::vec((0_u8..10, 1_i64..50), 1..400),
        minutes in prop::sample::select(vec![5_u32, 7, 15, 60]),
    ) {
        let cron = format!("cron = \"*/{minutes} * * * *\"").replace("*/60", "0");
        let often = job("often", &cron);
        let mut now = day("00:01");
        // What the vault would hold.
        let mut record = Known { covered: now, done: None };
        let mut live = agenda(&[&often], now);
        let mut running: Option<Timestamp> = None;
        for (what, wait) in steps {
            now += chrono::TimeDelta::minutes(wait);
            match what {
                // The host dies, and another one takes over later.
                0 => {
                    running = None;
                    live = agenda(&[&often], now);
                    live.learn(&often.name, record, now);
                }
                1..=6 => if let Some(began) = running.take() {
                    live.ended(&often.name, Ended::Done, now);
                    record = Known { covered: began, done: Some(true) };
                },
                _ => {}
            }
            let due = live.due(now);
            prop_assert!(due.left_out.is_empty());
            prop_assert!(due.start.len() <= 1);
            let missed = often.cron.as_ref().unwrap().next_after(record.covered).unwrap() <= now;
            match due.start.first() {
                Some(start) => {
                    prop_assert!(running.is_none(), "it overlaps itself");
                    prop_assert!(missed, "nothing was due");
                    prop_assert!(start.planned <= now && start.planned > record.covered);
                    running = Some(now);
                }
                None => prop_assert!(running.is_some() || !missed, "a time that is due was forgotten"),
            }
        }
    }
}
