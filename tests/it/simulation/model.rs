//! What is true, found out in the plainest way: beside the program, not with it.
//!
//! Manifests are read as JSON from the stores themselves, the rules of retention are written down a
//! second time, and who ran what when is told by the machines of the simulation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prismvault::clock::{Clock as _, Timestamp};
use prismvault::ids::Name;
use prismvault::objects::ObjectStore as _;
use prismvault::vault::layout;

use super::world::World;

/// The rules of the configuration of a simulation: how many of which periods.
const RULES: [(usize, &str); 3] = [(7, "%Y-%m-%d"), (4, "%G-%V"), (6, "%Y-%m")];
/// How many of the newest are kept whatever their dates.
const LAST: usize = 2;

/// A snapshot that was ever seen.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) started: Timestamp,
    pub(super) complete: bool,
    pub(super) revision: u64,
    /// On which replicas its manifest is now.
    pub(super) on: Vec<usize>,
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) host: &'static str,
    pub(super) job: Name,
    /// The time that it was for; `None` for one that something triggered.
    pub(super) planned: Option<Timestamp>,
    /// When it was given to the machine, and its end, by the true clock.
    pub(super) time: (Duration, Duration),
    /// When it began by its own account.
    pub(super) started: Timestamp,
    pub(super) under_lease: bool,
    pub(super) done: bool,
    /// Whether its machine saw nothing but good from before its beginning to its end.
    pub(super) sound: bool,
    /// Since when nothing was wrong with any machine; its end where something is. A machine that is
    /// not sound may have written a record that lets others run the job again.
    pub(super) quiet_since: Duration,
}

/// How often what happened, so that nobody takes an empty story for a good one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) runs: BTreeMap<String, u64>,
    pub(super) crashes: u64,
    pub(super) events: u64,
    pub(super) looks: u64,
    pub(super) covered: u64,
    pub(super) elsewhere: u64,
    pub(super) missed: u64,
    pub(super) removed: u64,
    pub(super) deleted: u64,
    pub(super) restored: u64,
    pub(super) alarms: BTreeMap<String, u64>,
}

/// What is true.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) story: Vec<String>,
    pub(super) broken: Vec<String>,
    /// By id.
    pub(super) taken: BTreeMap<String, Taken>,
    /// Complete ones that the vault listed last.
    pub(super) listed: BTreeSet<String>,
    pub(super) spans: Vec<Span>,
    /// When each job was begun, by the true clock and by that of the machine: a record may say either.
    pub(super) begun: BTreeMap<Name, Vec<Timestamp>>,
    /// When anybody last verified what is there.
    pub(super) verified: Option<Duration>,
    pub(super) counts: Counts,
}

impl Model {
    /// The newest complete snapshot that somebody who reads these replicas can see.
    pub(super) fn newest(&self, sees: impl Fn(usize) -> bool, now: Timestamp) -> Option<&Taken> {
        let seen = self.taken.values().filter(|one| one.complete && one.on.iter().any(|on| sees(*on)));
        seen.filter(|one| one.started <= now).max_by_key(|one| one.started)
    }

    /// Returns a mistake if a run that ended did what another had done, or was doing.
    pub(super) fn end(&mut self, span: Span) -> Option<String> {
        let beside = |other: &&Span| {
            other.job == span.job && other.done && other.under_lease && other.sound && span.sound
        };
        let mut mistake = None;
        for other in self.spans.iter().rev().take(40).filter(beside) {
            if !span.done || !span.under_lease {
                break;
            }
            if span.time.0 < other.time.1 && other.time.0 < span.time.1 {
                mistake = Some(format!(
                    "{} and {} at once, both under the lease: {other:?} and {span:?}",
                    other.host, span.host
                ));
            }
            let is_covered = |planned: Timestamp| {
                other.started >= planned && other.time.1 < span.time.0 && other.time.0 > span.quiet_since
            };
            if span.planned.is_some_and(is_covered) {
                mistake =
                    Some(format!("{} did what {} had done: {span:?} after {other:?}", span.host, other.host));
            }
        }
        self.spans.push(span);
        if self.spans.len() > 400 {
            self.spans.drain(..200);
        }
        mistake
    }

    /// Takes over what the vault lists; returns a mistake if something is gone that a rule keeps.
    pub(super) fn list(&mut self, listed: BTreeSet<String>, now: Timestamp) -> Option<String> {
        let kept = self.kept(self.listed.iter().chain(&listed), now);
        let gone: Vec<&String> = self.listed.difference(&listed).collect();
        self.counts.removed += gone.len() as u64;
        let mistake = gone.into_iter().find(|id| kept.contains(*id)).map(|id| {
            format!("{id} was removed, and a rule keeps it; before: {:?}, now: {listed:?}", self.listed)
        });
        self.listed = listed;
        mistake
    }

    /// What the rules keep of these, at least: a snapshot that comes later takes the place of an
    /// earlier one, and never brings one back.
    fn kept<'a>(&self, all: impl Iterator<Item = &'a String>, now: Timestamp) -> BTreeSet<String> {
        let mut by_time: BTreeMap<Timestamp, Vec<&String>> = BTreeMap::new();
        for id in all.collect::<BTreeSet<_>>() {
            if let Some(known) = self.taken.get(id).filter(|one| one.started <= now) {
                by_time.entry(known.started).or_default().push(id);
            }
        }
        // Of two of one second either may count as the newer one.
        let alone = |same: &Vec<&String>| same.first().filter(|_| same.len() == 1).map(|id| (*id).clone());
        let mut kept: BTreeSet<String> = by_time.values().rev().take(LAST).filter_map(alone).collect();
        for (count, period) in RULES {
            let newest: BTreeMap<String, &Vec<&String>> =
                by_time.iter().map(|(at, same)| (at.format(period).to_string(), same)).collect();
            kept.extend(newest.into_values().rev().take(count).filter_map(alone));
        }
        kept
    }
}

impl World {
    /// Looks at the stores themselves.
    pub(super) async fn look_at_stores(&self) {
        let mut on: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (n, store) in self.raw.iter().enumerate() {
            for object in store.list("snapshots/blog").await.unwrap() {
                let Some(id) = layout::parse_entry(&object.key) else { continue };
                on.entry(id.to_string()).or_default().push(n);
                if self.model().taken.contains_key(id.as_str()) {
                    continue;
                }
                let bytes = store.get(&object.key, 1 << 20).await.unwrap();
                let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let taken = Taken {
                    started: text(&manifest["started"]).parse().unwrap(),
                    complete: manifest["status"] == "complete",
                    revision: text(&manifest["source"]["master_ref"]).parse().unwrap(),
                    on: Vec::new(),
                };
                self.model().taken.insert(id.to_string(), taken);
            }
        }
        let mut model = self.model();
        for (id, taken) in &mut model.taken {
            taken.on = on.remove(id).unwrap_or_default();
        }
    }

    /// Compares what the vault lists with what the rules keep.
    pub(super) fn compare_list(&self, listed: BTreeSet<String>) {
        let now = self.clock.now();
        let mistake = self.model().list(listed, now);
        if let Some(mistake) = mistake {
            self.broken(mistake);
        }
    }
}
