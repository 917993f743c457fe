//! The four claims of a certificate: each is shown, since a date, or open, with everything that is in its way.
//!
//! A pure function of what stands in the certificate, so that whoever verifies one computes them again. What is
//! unknown, was not looked at or could not be reached keeps a claim open: it is shown by what was seen, never by
//! what was not.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::why::{Code, Why};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::Name;
use crate::privacy::proof::evidence::{Evidence, LiveEvidence, ReplicaEvidence};

/// How much a store's clock may be ahead of that of who looked, in hours.
const CLOCK_HOURS: i64 = 1;
/// Reasons that one claim lists; where there are more, it is as open.
const WHYS_MAX: usize = 1_000;

/// What was claimed, each by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Nothing of what was to go is live any more.
    pub live: Claim,
    /// The public addresses of files that were to go answer that nothing is there.
    pub addresses: Claim,
    /// Nobody can open a pack of the vault with what was to go.
    pub unreadable: Claim,
    /// No pack of the vault with what was to go is there, in any version.
    pub gone: Claim,
}

impl Claims {
    /// All of them, in the order in which they are told.
    pub fn all(&self) -> [(ClaimKind, &Claim); 4] {
        [
            (ClaimKind::Live, &self.live),
            (ClaimKind::Addresses, &self.addresses),
            (ClaimKind::Unreadable, &self.unreadable),
            (ClaimKind::Gone, &self.gone),
        ]
    }

    /// Whether every one is shown.
    pub fn are_all_shown(&self) -> bool {
        self.all().iter().all(|(_, claim)| matches!(claim, Claim::Shown { .. }))
    }
}

/// Which claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// Removed live.
    Live,
    /// Public addresses gone.
    Addresses,
    /// Backups unreadable.
    Unreadable,
    /// Backups gone.
    Gone,
}

impl ClaimKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Live, Self::Addresses, Self::Unreadable, Self::Gone];

    /// What is claimed, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Live => "removed live",
            Self::Addresses => "public addresses gone",
            Self::Unreadable => "backups unreadable",
            Self::Gone => "backups gone",
        }
    }
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// It was seen.
    Shown {
        /// Since when, RFC 3339: the date of the last part.
        since: String,
        /// Of how many repositories, addresses or replicas.
        of: u64,
        /// Tasks in it of which nobody outside of Prismic can see whether they are done: for these it rests on the
        /// word of people, and is no older than the last of these words.
        #[serde(default, skip_serializing_if = "is_zero")]
        on_word: u64,
    },
    /// It was not, or not yet.
    Open {
        /// Everything that is in its way, at most 1,000.
        why: Vec<Why>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What was to be looked at: from the plan, the search and the configuration, not from who looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Repositories in whose snapshots or live content the person was looked for.
    pub repositories: BTreeSet<Name>,
    /// Ids of files that were to go, in the vault or live.
    pub assets: BTreeSet<String>,
    /// Replicas of the vault, by name.
    pub replicas: BTreeSet<String>,
    /// Whether packs are encrypted, so that there are headers to destroy.
    pub encrypted: bool,
    /// Items of the vault that hold the person and could not be changed.
    pub left: u64,
    /// Replicas whose bucket copies objects to another place.
    pub copied: BTreeSet<String>,
}

/// What became of the files that this program wrote on the host where it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFilesState {
    /// When it was looked, RFC 3339; absent: nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<String>,
    /// Files that were removed.
    pub removed: u64,
    /// Files that hold the person and are still there, or could not be looked into.
    pub left: u64,
}

/// What the claims follow from.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// What was to be looked at.
    pub scope: &'a Scope,
    /// What was seen.
    pub evidence: &'a Evidence,
    /// What became of this program's own files.
    pub own_files: &'a OwnFilesState,
    /// Whether the evidence is of the case and plan of the certificate.
    pub is_of_plan: bool,
}

/// Computes the claims.
pub fn claims(basis: &Basis<'_>) -> Claims {
    let gone = gone(basis);
    Claims {
        live: live(basis),
        addresses: addresses(basis),
        // Without encryption there is no header to destroy: nobody can read what is not there, and only that.
        unreadable: if basis.scope.encrypted { unreadable(basis) } else { gone.clone() },
        gone,
    }
}

/// A claim in the making.
struct Judge<'a> {
    looked: Option<Timestamp>,
    since: Option<Timestamp>,
    of: u64,
    on_word: u64,
    why: BTreeSet<Why>,
    evidence: &'a Evidence,
}

impl<'a> Judge<'a> {
    fn new(basis: &Basis<'a>) -> Self {
        let evidence = basis.evidence;
        let mut judge = Self {
            looked: time(&evidence.looked),
            since: None,
            of: 0,
            on_word: 0,
            why: BTreeSet::new(),
            evidence,
        };
        if judge.looked.is_none() {
            judge.open(Why::new(Code::NotADate));
        }
        if !basis.is_of_plan {
            judge.open(Why::new(Code::OtherPlan));
        }
        if !evidence.canary {
            judge.open(Why::new(Code::CanaryNotFound));
        }
        judge
    }

    fn open(&mut self, why: Why) {
        if self.why.len() < WHYS_MAX {
            self.why.insert(why);
        }
    }

    /// Takes in a number that must be none.
    fn none(&mut self, count: u64, code: Code, of: &dyn std::fmt::Display) {
        if count > 0 {
            self.open(Why::new(code).of(of).count(count));
        }
    }

    /// Takes in the date of one part.
    fn dated(&mut self, date: &str, of: &dyn std::fmt::Display) {
        self.not_before(date, of);
        self.of += 1;
    }

    /// Takes in the word of people, who cannot have given it after it was looked.
    fn on_word(&mut self, said: &str, of: &dyn std::fmt::Display) {
        self.not_before(said, of);
        self.on_word += 1;
    }

    fn not_before(&mut self, date: &str, of: &dyn std::fmt::Display) {
        let latest = self.looked.and_then(|looked| looked.checked_add_signed(TimeDelta::hours(CLOCK_HOURS)));
        match time(date).filter(|date| latest.is_some_and(|latest| *date <= latest)) {
            Some(date) => self.since = self.since.max(Some(date)),
            None => self.open(Why::new(Code::NotADate).of(of)),
        }
    }

    fn claim(self) -> Claim {
        // Where there is nothing to be seen, it is so since somebody looked.
        match self.since.or(self.looked).filter(|_| self.why.is_empty()) {
            Some(since) => Claim::Shown { since: rfc3339(since), of: self.of, on_word: self.on_word },
            None => Claim::Open { why: self.why.into_iter().collect() },
        }
    }
}

fn time(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

fn live(basis: &Basis<'_>) -> Claim {
    let mut judge = Judge::new(basis);
    let told: BTreeSet<&Name> = judge.evidence.live.iter().map(|own| &own.repository).collect();
    for name in basis.scope.repositories.iter().filter(|name| !told.contains(name)) {
        judge.open(Why::new(Code::NotRead).of(name));
    }
    for LiveEvidence { repository, read, items, remaining, tasks, words, releases: _ } in &judge.evidence.live
    {
        match read {
            None => judge.open(Why::new(Code::NotRead).of(repository)),
            Some(_) if *items == 0 => judge.open(Why::new(Code::NothingRead).of(repository)),
            Some(read) => judge.dated(read, repository),
        }
        judge.none(*remaining, Code::Remaining, repository);
        judge.none(*tasks, Code::Tasks, repository);
        words.iter().for_each(|word| judge.on_word(&word.said, repository));
    }
    judge.claim()
}

fn addresses(basis: &Basis<'_>) -> Claim {
    let mut judge = Judge::new(basis);
    let told: BTreeSet<&String> = judge.evidence.urls.iter().map(|own| &own.asset).collect();
    for asset in basis.scope.assets.iter().filter(|asset| !told.contains(asset)) {
        judge.open(Why::new(Code::NotAsked).of(asset));
    }
    for own in &judge.evidence.urls {
        match (own.status, &own.gone) {
            (Some(404 | 410), Some(gone)) => judge.dated(gone, &own.asset),
            (None, _) => judge.open(Why::new(Code::NoAnswer).of(&own.asset)),
            (Some(_), _) => judge.open(Why::new(Code::StillThere).of(&own.asset)),
        }
    }
    judge.claim()
}

/// What both claims of the vault need: every replica was reached and looked into, and nothing was found.
fn vault<'a>(basis: &Basis<'a>, each: impl Fn(&mut Judge<'a>, &'a ReplicaEvidence)) -> Claim {
    let mut judge = Judge::new(basis);
    let told: BTreeSet<&String> = judge.evidence.replicas.iter().map(|own| &own.name).collect();
    for name in basis.scope.replicas.iter().filter(|name| !told.contains(name)) {
        judge.open(Why::new(Code::NotLooked).of(name));
    }
    if judge.evidence.replicas.is_empty() {
        judge.open(Why::new(Code::NotLooked));
    }
    for own in &judge.evidence.replicas {
        if own.id.is_none() {
            judge.open(Why::new(Code::Unreachable).of(&own.name));
        }
        if own.scanned.0 == 0 {
            judge.open(Why::new(Code::NotScanned).of(&own.name));
        }
        judge.none(own.unscanned, Code::Unscanned, &own.name);
        judge.none(own.leaks, Code::Leaks, &own.name);
        judge.none(own.headers.1, Code::HeadersOpened, &own.name);
        each(&mut judge, own);
    }
    if judge.evidence.sought.is_some_and(|sought| sought.needles == 0) {
        judge.open(Why::new(Code::NothingSought));
    }
    for own in &judge.evidence.local {
        judge.none(own.leaks, Code::LocalLeaks, &own.name);
        judge.none(own.unscanned, Code::LocalUnscanned, &own.name);
    }
    if !judge.evidence.restored.iter().any(|own| own.items > 0) {
        judge.open(Why::new(Code::NotRestored));
    }
    for own in &judge.evidence.restored {
        judge.none(own.remaining, Code::RestoredRemaining, &own.repository);
    }
    for replica in &basis.scope.copied {
        judge.open(Why::new(Code::CopiedElsewhere).of(replica));
    }
    if basis.scope.left > 0 {
        judge.open(Why::new(Code::Left).count(basis.scope.left));
    }
    match &basis.own_files.looked {
        None => judge.open(Why::new(Code::OwnFilesNotLooked)),
        Some(_) if basis.own_files.left > 0 => {
            judge.open(Why::new(Code::OwnFilesLeft).count(basis.own_files.left));
        }
        Some(_) => {}
    }
    judge.claim()
}

fn unreadable(basis: &Basis<'_>) -> Claim {
    vault(basis, |judge, own| match &own.unreadable {
        Some(since) => judge.dated(since, &own.name),
        None => judge.open(Why::new(Code::Readable).of(&own.name)),
    })
}

fn gone(basis: &Basis<'_>) -> Claim {
    vault(basis, |judge, own| {
        judge.none(own.pending, Code::Pending, &own.name);
        match &own.gone {
            Some(since) => judge.dated(since, &own.name),
            None => judge.open(Why::new(Code::NotGone).of(&own.name)),
        }
    })
}
