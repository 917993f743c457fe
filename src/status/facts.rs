//! What is known at one moment.

use chrono::{NaiveDate, TimeDelta};
use serde::{Serialize, Serializer};

use crate::clock::Timestamp;
use crate::ids::{CaseId, Name, SnapshotId};
use crate::progress::Problem;
use crate::retention::Shrink;
use crate::vault::format::drill::OpenFinding;
use crate::vault::format::erasure_checks::Checks;
use crate::vault::format::job::JobRecord;
use crate::vault::format::manifest::Status;
use crate::vault::format::request::RequestSummary;

/// Everything that an assessment is made from.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// When they were gathered, by the clock here, to the second.
    pub at: Timestamp,
    /// One a repository of the configuration that was asked for, in the order of recovery.
    pub repositories: Vec<RepositoryFacts>,
    /// One a replica of the configuration, those that cannot be reached too.
    pub replicas: Vec<ReplicaFacts>,
    /// Jobs that are scheduled here, or that some scheduler of this vault knows.
    pub jobs: Vec<JobFacts>,
    /// Tokens of which an age or an end is known.
    pub tokens: Vec<TokenFacts>,
    /// What was decided to go and is still there.
    pub pending: Vec<Pending>,
    /// Data-subject requests that are open. No personal data.
    pub cases: Vec<RequestSummary>,
    /// Promises to people that will not hold, or may not: until when copies of what was erased survive.
    pub endangered: Vec<Endangered>,
    /// Cases of which nobody knows whether they are due, and why.
    pub unreadable_cases: Vec<Problem>,
    /// Erasures, and whether anybody looks for the people since. No personal data.
    pub erased: ErasedFacts,
    /// What drills left to do, and records of drills that say nothing.
    pub drills: DrillFacts,
    /// What this process asked of APIs and replicas so far.
    pub requests: Vec<RequestCount>,
    /// How often it asked again after a failure.
    pub retries: u64,
}

/// What is known of erasures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ErasedFacts {
    /// Cases of which an order that erases is in a ledger.
    pub cases: u64,
    /// When the first of them was decided.
    pub since: Option<Timestamp>,
    /// What was found when somebody looked for the people since.
    pub checks: Checks,
}

impl ErasedFacts {
    /// Whether there is nobody to look for.
    pub fn is_nobody(&self) -> bool {
        self.cases == 0 && self.checks.cases.is_empty()
    }

    /// Whether there is somebody to look for, and nobody looks: no job of `jobs` does, and no person did since
    /// `age`.
    pub fn is_unwatched(&self, jobs: &[JobFacts], age: TimeDelta, now: Timestamp) -> bool {
        let is_old = self.checks.whole.is_none_or(|whole| now.signed_duration_since(whole) > age);
        !self.is_nobody() && is_old && !jobs.iter().any(JobFacts::looks_for_erased)
    }
}

/// What is known of one repository.
#[derive(Debug, Clone, Serialize)]
pub struct RepositoryFacts {
    /// Its name.
    pub repository: Name,
    /// When its members were last listed; `None` when nobody ever did.
    pub members_listed: Option<Timestamp>,
    /// Snapshots of it, partial ones too.
    pub snapshots: u64,
    /// The newest, complete or not.
    pub newest: Option<SnapshotFacts>,
    /// The newest complete one.
    pub last_complete: Option<SnapshotFacts>,
    /// When the oldest was taken.
    pub oldest: Option<Timestamp>,
    /// Complete snapshots that are or were, for the burn; in no order.
    #[serde(skip)]
    pub points: Vec<Point>,
    /// When all bytes of some complete snapshot had last been read on every replica that holds it
    /// and can be asked.
    pub verified: Option<Timestamp>,
    /// The last rehearsal of a recovery that ended well; `None` when there never was one.
    pub drill: Option<Drill>,
    /// The last rehearsal, where it failed: it is newer than [`drill`](Self::drill).
    pub failed_drill: Option<FailedDrill>,
    /// Partial snapshots since the last complete one.
    pub partial_in_a_row: u64,
    /// When the first of them was taken.
    pub partial_since: Option<Timestamp>,
    /// That the newest complete one holds much less than the one before.
    pub shrink: Option<Shrink>,
    /// Snapshots that others, or this client, know of, and that neither a replica holds nor a
    /// removal explains.
    pub lost: u64,
    /// Manifests of which no replica has a good copy.
    pub unreadable: u64,
    /// Removed snapshots that `[retention]` as it is now would keep, and that can still be taken back.
    pub removed_against_rules: Vec<SnapshotId>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotFacts {
    /// Its id.
    pub snapshot: SnapshotId,
    /// Whether anything is missing in it.
    pub status: Status,
    /// When it began to read: what was published later is not in it.
    pub taken: Timestamp,
    /// When it was complete on its replicas.
    pub committed: Timestamp,
    /// Documents in it.
    pub documents: u64,
    /// Assets in it.
    pub assets: u64,
    /// Models in it.
    pub models: u64,
    /// Bytes of all that is in it, before compression.
    pub bytes: u64,
    /// Items that it added to its space.
    pub added_items: u64,
    /// Bytes that it stored on each replica.
    pub added_bytes: u64,
    /// What is missing in it.
    pub gaps: u64,
    /// Replicas that hold it.
    pub on: Vec<String>,
}

/// A moment to which one could go back, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The state that it holds.
    pub taken: Timestamp,
    /// Since when it could be used.
    pub committed: Timestamp,
}

/// A rehearsal of a recovery that ended well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drill {
    /// When it ended.
    pub ended: Timestamp,
    /// How long the recovery took, in seconds; `None` where it was not measured.
    #[serde(rename = "recovery_seconds", serialize_with = "in_seconds")]
    pub recovery: Option<TimeDelta>,
    /// Share (0 to 1) of the documents that came back as they were; `None` where nothing was compared.
    pub fidelity: Option<f64>,
}

/// A rehearsal of a recovery that failed, and after which none ended well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedDrill {
    /// Its id.
    pub drill: SnapshotId,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether this repository came back all the same: something else of the drill failed.
    pub came_back: bool,
    /// How long the recovery took, in seconds; `None` where it did not come back, or was not measured.
    #[serde(rename = "recovery_seconds", serialize_with = "in_seconds")]
    pub recovery: Option<TimeDelta>,
    /// Share (0 to 1) of the documents that came back as they were; `None` where nothing was compared.
    pub fidelity: Option<f64>,
}

/// What drills left to do. Nothing of it names a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DrillFacts {
    /// Findings of the newest drill of each plan that nobody has closed.
    pub findings: Vec<OpenFinding>,
    /// Gates at which the newest drill of a plan waits for somebody.
    pub waiting: Vec<WaitingGate>,
    /// Records that are not believed, and why: damaged, signed by nobody who may, of the future.
    pub unreadable: Vec<Problem>,
}

/// A gate at which a drill waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingGate {
    /// The drill.
    pub drill: SnapshotId,
    /// The gate.
    pub gate: String,
    /// Since when: the end of the drill, or the last decision about it.
    pub since: Timestamp,
}

/// What is known of one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaFacts {
    /// Its name.
    pub replica: String,
    /// Why it takes no part; `None` when all is well with it.
    pub failure: Option<String>,
    /// Snapshots that it is to hold.
    pub wanted: u64,
    /// Of these, those that it lacks.
    pub missing: u64,
    /// When the oldest of those was taken.
    pub missing_since: Option<Timestamp>,
    /// How far the clock here is ahead of that of its store, in seconds; `None` where it has none.
    pub clock_offset_seconds: Option<i64>,
    /// Its locks, where it has Object Lock.
    pub locks: Option<LockFacts>,
}

/// What is known of the locks of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockFacts {
    /// Days that a lock lasts when it is new.
    pub window_days: i64,
    /// Whole days until the first lock of a live object ends, of those that were asked for.
    pub days_left: Option<i64>,
    /// Why nothing is known.
    pub failure: Option<String>,
}

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobFacts {
    /// Its name.
    pub job: Name,
    /// What it does, as in its file: `snapshot`, `verify`, ….
    pub does: String,
    /// What its file says, where that is here.
    pub plan: Option<Plan>,
    /// What schedulers recorded in the vault.
    pub record: Option<JobRecord>,
}

impl JobFacts {
    /// Whether it looks for people who were erased.
    pub fn looks_for_erased(&self) -> bool {
        self.does == "privacy-check"
    }
}

/// What the file of a job says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The repositories it is for.
    pub repositories: Vec<Name>,
    /// The last time at or before now at which it was to begin.
    pub last_due: Option<Timestamp>,
    /// The next time.
    pub next: Option<Timestamp>,
    /// Time between the next two, in seconds; `None` for a job that comes after others.
    #[serde(rename = "every_seconds", serialize_with = "in_seconds")]
    pub every: Option<TimeDelta>,
    /// How late it may begin, in seconds.
    #[serde(rename = "jitter_seconds", serialize_with = "in_seconds")]
    pub jitter: Option<TimeDelta>,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenFacts {
    /// The repository that it is for.
    pub repository: Name,
    /// Its key in the configuration: `access_token` or `write_token`.
    pub token: &'static str,
    /// When it was issued.
    pub issued: Option<Timestamp>,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

/// Something that was decided to go and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// What.
    pub kind: PendingKind,
    /// The replica that still has it.
    pub replica: String,
    /// The space that it is of, or the case number of the erasure.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    /// When it should be gone at the latest.
    pub due: Timestamp,
}

/// What is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PendingKind {
    /// Pruning marked it, and has not deleted it.
    Deletion,
    /// What an order of erasure destroys is still there, and nothing explains it; or the replica is away.
    Erasure,
    /// What an order of erasure destroys is still there, and locks keep all of it to a date.
    LockedErasure,
}

/// A promise that will not hold on a replica, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endangered {
    /// The case of the erasure.
    pub case: CaseId,
    /// The replica.
    pub replica: String,
    /// Last day on which a copy can survive, as it was promised.
    pub promised: NaiveDate,
    /// Why it is in danger.
    pub why: String,
}

/// What was asked of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    /// Of whom: an API of Prismic, or `replica NAME`.
    pub of: String,
    /// What: `put`, `get`, `head`, `list`, `delete`, `lock` or `other`.
    pub operation: String,
    /// How often.
    pub count: u64,
}

fn in_seconds<S: Serializer>(span: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.num_seconds()).serialize(serializer)
}
