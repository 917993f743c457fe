//! Schedules, played much faster than they last: `cargo test simulation`.
//!
//! The schedulers, their leases, the records of jobs, snapshots, replication, verification,
//! retention, pruning and `status` are the real ones, on replicas in memory. Everything else is drawn
//! from a seed: machines die at any point, are replaced, and come back; clocks are wrong by minutes
//! or weeks; replicas fail for hours or months; single requests fail, hang, or lose their answer;
//! webhooks get lost; a second scheduler comes and goes.
//!
//! Beside it goes a model of what is true ([`model`]), which uses nothing of the program. After each
//! storm everything is mended, and must heal within the longest period of the jobs.
//!
//! - No objective is missed without an alarm, no time passes untried without one, and none is told
//!   of a replica or an objective that is not so.
//! - No two runs of a job overlap while both hold its lease, and none is done twice under it. A
//!   machine that found anything wrong during a run is left out of this: it may run unsure of the
//!   lease, where that does no harm.
//! - What the rules of retention keep is listed.
//! - Every complete snapshot that is listed restores, byte by byte, from the replicas that are there.
//!
//! `PRISMVAULT_SEED=…` plays one story again; without it one test draws a new, short one and prints it.
//! Together the stories last almost two years; `PRISMVAULT_DAYS=1095` makes three of each, which
//! `.ci/run --full` does.

mod checks;
mod hand;
mod model;
mod story;
mod world;

use story::{Story, Told};

/// Lines of a story that are shown when it goes wrong.
const SHOWN: usize = 60;
/// Days of a story, where nothing is said.
const DAYS: u64 = 150;
/// Days of one that nobody has seen yet: what it finds is new, and is not to hold everything else up.
const NEW_DAYS: u64 = 20;
/// Days in which everything that can happen must have happened.
const YEAR: u64 = 365;

/// Plays a story, in which everything must be as it must be.
fn play(seed: u64) -> Told {
    play_for(seed, DAYS)
}

fn play_for(seed: u64, days: u64) -> Told {
    let given = std::env::var("PRISMVAULT_DAYS").ok();
    let days = given.map_or(days, |text| text.parse().expect("days are a number"));
    let story = Story::of(seed, days);
    let began = std::time::Instant::now();
    let told = story.play();
    let last = &told.story[told.story.len().saturating_sub(SHOWN)..];
    assert!(
        told.broken.is_empty(),
        "{story:?}\n{}\nafter {} days:\n{}\n\nPRISMVAULT_SEED={} plays it again",
        last.join("\n"),
        told.days,
        told.broken.join("\n"),
        story.seed
    );
    show(&format!("{story:?}: {} days in {:?}: {:?}", told.days, began.elapsed(), told.counts));
    told
}

#[expect(clippy::print_stdout, reason = "seeds are shown to whoever looks; tests keep it otherwise")]
fn show(text: &str) {
    println!("{text}");
}

/// Nothing of this may have happened never: an empty story proves nothing.
fn assert_rich(told: &Told) {
    let counts = &told.counts;
    let all = [
        ("crashes", counts.crashes),
        ("runs that another did", counts.covered),
        ("runs that made up for missed ones", counts.missed),
        ("snapshots removed", counts.removed),
        ("objects deleted", counts.deleted),
        ("snapshots restored", counts.restored),
    ];
    for (what, count) in all {
        assert!(count > 0, "{count} {what} in {} days: {counts:?}", told.days);
    }
    for kind in ["rpo", "copies", "replica-away", "replica-behind", "job-failing", "scheduler-silent"] {
        assert!(counts.alarms.contains_key(kind), "no alarm was of {kind}: {counts:?}");
    }
}

#[test]
fn on_two_replicas_of_which_one_is_enough() {
    let told = play(4);
    assert!(told.counts.restored > 0 && told.counts.looks > 0, "{:?}", told.counts);
    if told.days >= YEAR {
        assert_rich(&told);
    }
}

#[test]
fn on_two_replicas_that_are_both_needed() {
    play(2);
}

#[test]
fn on_three_replicas_of_which_one_is_enough() {
    play(1);
}

#[test]
fn on_three_replicas_of_which_two_are_enough() {
    play(3);
}

#[test]
fn of_a_story_that_nobody_has_seen_yet_or_of_a_seed() {
    match std::env::var("PRISMVAULT_SEED") {
        Ok(text) => play(text.parse().expect("a seed is a number")),
        Err(_) => play_for(fastrand::u64(..1 << 32), NEW_DAYS),
    };
}
