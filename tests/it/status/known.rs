//! Facts of a vault in which all is well, to be made worse.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use prismvault::clock::{Timestamp, rfc3339};
use prismvault::config::Objectives;
use prismvault::ids::{Name, SnapshotId, VaultId};
use prismvault::limits::Limits;
use prismvault::status::{
    Assessment, Drill, DrillFacts, ErasedFacts, Facts, JobFacts, LockFacts, Plan, Point, ReplicaFacts,
    RepositoryFacts, RequestCount, SnapshotFacts, TokenFacts, assess,
};
use prismvault::vault::format::job::{JobRecord, KIND, RunRecord};
use prismvault::vault::format::manifest::Status;

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

pub(crate) fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The objectives of the documentation.
pub(crate) fn objectives() -> Objectives {
    let within = |text: &str| Some(text.parse().unwrap());
    Objectives {
        rpo: within("24h"),
        rto: within("4h"),
        verified_within: within("7d"),
        drilled_within: within("400d"),
        copies: Some(2),
    }
}

pub(crate) fn judge(facts: &Facts) -> Assessment {
    judge_by(facts, objectives())
}

pub(crate) fn judge_by(facts: &Facts, objectives: Objectives) -> Assessment {
    let of = |own: &RepositoryFacts| (own.repository.clone(), objectives.clone());
    let all: BTreeMap<Name, Objectives> = facts.repositories.iter().map(of).collect();
    assess(facts, &all, &Limits::default(), facts.at)
}

pub(crate) fn snapshot(taken: Timestamp, status: Status) -> SnapshotFacts {
    SnapshotFacts {
        snapshot: SnapshotId::new(taken),
        status,
        taken,
        committed: taken + TimeDelta::minutes(5),
        documents: 1000,
        assets: 20,
        models: 9,
        bytes: 5_000_000,
        added_items: 12,
        added_bytes: 40_000,
        gaps: 0,
        on: vec!["frankfurt".to_owned(), "office".to_owned()],
    }
}

pub(crate) fn repository(repository: &str) -> RepositoryFacts {
    let newest = snapshot(now() - hours(10), Status::Complete);
    let point = |day| {
        let taken = now() - hours(10) - days(day);
        Point { taken, committed: taken }
    };
    RepositoryFacts {
        repository: name(repository),
        members_listed: Some(now() - days(30)),
        snapshots: 40,
        newest: Some(newest.clone()),
        last_complete: Some(newest),
        oldest: Some(now() - days(300)),
        points: (0..40).map(point).collect(),
        verified: Some(now() - days(2)),
        drill: Some(Drill { ended: now() - days(100), recovery: Some(hours(2)), fidelity: Some(1.0) }),
        failed_drill: None,
        partial_in_a_row: 0,
        partial_since: None,
        shrink: None,
        lost: 0,
        unreadable: 0,
        removed_against_rules: Vec::new(),
    }
}

fn replica(replica: &str) -> ReplicaFacts {
    ReplicaFacts {
        replica: replica.to_owned(),
        wanted: 40,
        clock_offset_seconds: Some(1),
        locks: Some(LockFacts { window_days: 14, days_left: Some(7), failure: None }),
        ..ReplicaFacts::default()
    }
}

/// A run that began so long before now, and took five minutes.
pub(crate) fn run(before: TimeDelta, exit_code: u8) -> RunRecord {
    let started = now() - before;
    RunRecord {
        run: "run-1".to_owned(),
        planned: rfc3339(started),
        started: rfc3339(started),
        ended: rfc3339(started + TimeDelta::minutes(5)),
        exit_code,
        attempts: 1,
        host: "backup-1".to_owned(),
    }
}

pub(crate) fn job(job: &str, does: &str) -> JobFacts {
    let next = now() + hours(14);
    JobFacts {
        job: name(job),
        does: does.to_owned(),
        plan: Some(Plan {
            repositories: vec![name("blog")],
            last_due: Some(now() - hours(10)),
            next: Some(next),
            every: Some(hours(24)),
            jitter: None,
        }),
        record: Some(JobRecord {
            kind: KIND.to_owned(),
            format: 1,
            vault: "00".repeat(16).parse::<VaultId>().unwrap(),
            key: format!("state/jobs/{job}.json"),
            job: name(job),
            does: does.to_owned(),
            known_since: rfc3339(now() - days(100)),
            next: Some(rfc3339(next)),
            last: Some(run(hours(10), 0)),
            last_success: Some(run(hours(10), 0)),
            failures: 0,
            runs: 0,
        }),
    }
}

/// A vault in which all is as promised.
pub(crate) fn good() -> Facts {
    Facts {
        at: now(),
        repositories: vec![repository("blog")],
        replicas: vec![replica("frankfurt"), replica("office")],
        jobs: vec![job("nightly", "snapshot"), job("weekly", "verify")],
        tokens: vec![TokenFacts {
            repository: name("blog"),
            token: "write_token",
            issued: Some(now() - days(80)),
            ends: Some(now() + days(80)),
        }],
        pending: Vec::new(),
        cases: Vec::new(),
        unreadable_cases: Vec::new(),
        erased: ErasedFacts::default(),
        drills: DrillFacts::default(),
        endangered: Vec::new(),
        requests: vec![RequestCount {
            of: "replica office".to_owned(),
            operation: "list".to_owned(),
            count: 12,
        }],
        retries: 3,
    }
}
