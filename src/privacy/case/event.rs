//! What can happen to a case, as it is stored.
//!
//! Events hold personal data: they are stored encrypted to the privacy recipients, and their `Debug`
//! says no more than what kind they are.

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::clock::Timestamp;
use crate::ids::{CaseId, Digest, Name};
use crate::privacy::right::Right;
use crate::privacy::rules::PauseKind;
use crate::vault::signing::VerifyingKey;

/// Longest text of an event, in characters: a letter of some pages, and no copy of a document.
pub const TEXT_MAX: usize = 10_000;
/// Largest value with the identifiers of a subject, in bytes of JSON.
pub const SUBJECT_BYTES_MAX: usize = 256 * 1024;
/// Most tasks of one event: more than a plan of a person in every document of a large repository has.
pub const TASKS_MAX: usize = 20_000;
/// Length of the id of a task, in hexadecimal digits.
const TASK_ID_DIGITS: usize = 16;

/// One thing that happened to a case.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was recorded, by the clock of who did.
    pub at: Timestamp,
    /// Who recorded it.
    pub actor: String,
    /// Why, where the rules ask for it or somebody says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A request came: always the first event, and no other.
    Received {
        /// The day on which it came.
        on: NaiveDate,
        /// How: e-mail, letter, form, telephone.
        channel: String,
        /// What is asked for; at least one.
        rights: Vec<Right>,
        /// Name of the rules that apply.
        rules: String,
        /// Language of letters to the person: `en`, `de`, `fr`.
        language: String,
        /// The case that a released hold or another case made this one from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_case: Option<CaseId>,
    },
    /// The person was told that it came.
    Acknowledged {
        /// The day.
        on: NaiveDate,
    },
    /// The person was asked to prove who they are.
    IdentityAsked {
        /// The day.
        on: NaiveDate,
    },
    /// The person is who they say.
    IdentityVerified(IdentityCheck),
    /// They could not prove it.
    IdentityFailed(IdentityCheck),
    /// By what the person is known: names, addresses, ids.
    SubjectChanged {
        /// The identifiers, as the module that searches reads them.
        subject: SubjectValue,
    },
    /// Where is searched, and why there.
    Scoped {
        /// Repositories.
        repositories: Vec<Name>,
        /// Which snapshots, in words.
        snapshots: String,
    },
    /// A search ended.
    Searched {
        /// Id of the search.
        search: String,
        /// Items that were read.
        items: u64,
        /// Findings.
        findings: u64,
        /// Items, or parts of them, that could not be searched.
        unsearchable: u64,
    },
    /// Findings were decided.
    ReviewChanged {
        /// Findings with a decision other than unsure.
        decided: u64,
        /// Findings of which somebody is unsure.
        unsure: u64,
        /// Findings without a decision.
        open: u64,
        /// The file of the case with the decisions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decisions: Option<Digest>,
        /// The file of the case with the key under which they are remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Digest>,
    },
    /// All findings are decided.
    ReviewFinished,
    /// Exceptions, holds and rights of others were looked at.
    LegalAssessed {
        /// Whether stored data is to be changed or removed.
        changes: bool,
        /// The assessment.
        note: String,
    },
    /// A package with the person's data was made.
    Exported {
        /// For which right: access or portability.
        right: Right,
        /// SHA-256 of its manifest, by which a copy can be recognised.
        manifest: Digest,
        /// Entries in it.
        records: u64,
        /// Copies of files in it.
        files: u64,
        /// Last part of the path at which it was made: the package is to be destroyed where it lies.
        name: String,
    },
    /// A plan is to be approved; earlier approvals are void.
    ApprovalRequested {
        /// SHA-256 of the plan.
        plan: Digest,
        /// The file of the case with the plan and its orders.
        file: Digest,
        /// Orders of the plan.
        orders: u32,
        /// Approvals that the trust record asks for.
        approvals: u32,
        /// The key of who planned it: its approval does not count.
        planned_by: VerifyingKey,
    },
    /// Somebody approves the plan.
    Approved {
        /// SHA-256 of the plan that was looked at.
        plan: Digest,
        /// The key.
        key: VerifyingKey,
        /// Its signatures: over the statement of the plan, then over each order.
        signatures: Vec<String>,
    },
    /// Nothing is carried out before that day.
    CoolingOff {
        /// The first day on which it may be.
        until: NaiveDate,
    },
    /// The plan is being carried out; again after an interruption.
    Executing {
        /// SHA-256 of the plan.
        plan: Digest,
        /// SHA-256 of the ledger entries with its orders, which are on every replica.
        orders: Vec<Digest>,
        /// Whether all that this program does in Prismic was done: from then on people can do what is left.
        #[serde(default, skip_serializing_if = "is_false")]
        live: bool,
    },
    /// All steps of the plan were carried out.
    Executed,
    /// It was looked whether they did what they were to.
    Verified {
        /// Findings that are still there.
        remaining: u64,
        /// Whether the scanner found what was planted for it.
        canary: bool,
        /// Whether everything could be looked at.
        whole: bool,
        /// Tasks for people that are neither seen to be done nor said to be.
        #[serde(default, skip_serializing_if = "is_zero")]
        tasks: u64,
        /// The file of the case with what was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Digest>,
    },
    /// People say that they did tasks of the plan. It counts for what nobody outside of Prismic can see, until
    /// something that is seen speaks against it.
    TaskDone {
        /// SHA-256 of the plan that was carried out.
        plan: Digest,
        /// Ids of the tasks, at least one: 16 hexadecimal digits each, the same in every plan.
        tasks: BTreeSet<String>,
    },
    /// Tasks that people said were done are open again: they were mistaken, or it is seen otherwise.
    TaskReopened {
        /// Ids of the tasks, at least one.
        tasks: BTreeSet<String>,
    },
    /// Recipients of the data were told: GDPR Art. 19.
    RecipientsNotified {
        /// How many.
        recipients: u64,
    },
    /// The person has the answer.
    Answered {
        /// The day.
        on: NaiveDate,
    },
    /// All that was asked for was done.
    Completed,
    /// Some data is kept, with a ground.
    CompletedWithRetention {
        /// The ground.
        ground: String,
    },
    /// Some of it could not be done.
    PartiallyCompleted {
        /// What, in words.
        missing: String,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: String,
        /// Whether trying again may help.
        retryable: bool,
    },
    /// A step that failed is tried again.
    StepRetried,
    /// Something must be kept: GDPR Art. 17(3).
    Hold {
        /// The ground.
        ground: String,
        /// The item; `None`: everything of the case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<String>,
    },
    /// A hold ended.
    HoldReleased {
        /// Number of the hold in the case, from 1.
        hold: u32,
        /// The new request that takes up what was held back, where this case is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_case: Option<CaseId>,
    },
    /// The person was told, with the reason, that more time is needed.
    Extended {
        /// The day.
        told_on: NaiveDate,
    },
    /// The person was asked something without which it cannot go on.
    Paused {
        /// What; identity has events of its own.
        kind: PauseKind,
        /// The day.
        on: NaiveDate,
    },
    /// The answer came.
    Resumed {
        /// To what.
        kind: PauseKind,
        /// The day.
        on: NaiveDate,
    },
    /// It cannot go on for another reason.
    Blocked,
    /// It can again.
    Unblocked,
    /// The request is refused.
    Refused {
        /// The ground.
        ground: String,
        /// When the person was told, with reasons and remedies.
        told_on: NaiveDate,
    },
    /// The person takes it back.
    Withdrawn,
    /// It asks for what another case asks for already.
    DuplicateOf {
        /// The other.
        case: CaseId,
    },
    /// The person never answered the question of identity.
    Expired,
    /// A closed case goes on: new data was found.
    Reopened,
    /// Until when copies in backups can survive.
    HorizonSet {
        /// The last day.
        until: NaiveDate,
    },
    /// No copy is left.
    HorizonReached,
    /// What was stored for the privacy recipients of that day is stored again for those of now.
    Rewrapped {
        /// The file with what the last search found, as in [`Searched`](Self::Searched).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        search: Option<Digest>,
        /// The file with the decisions, as in [`ReviewChanged`](Self::ReviewChanged).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decisions: Option<Digest>,
        /// The file with the key under which they are remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Digest>,
        /// The file with the plan, as in [`ApprovalRequested`](Self::ApprovalRequested).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Digest>,
        /// The file with what was seen, as in [`Verified`](Self::Verified).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Digest>,
    },
    /// Something worth knowing.
    Note {
        /// What.
        text: String,
    },
    /// An event of a later version: the case cannot be judged by this one.
    #[serde(other)]
    Unknown,
}

/// Files of a case, by their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseFiles {
    /// What the last search found.
    pub search: Option<Digest>,
    /// The decisions, and the key under which they are remembered.
    pub decisions: Option<(Digest, Digest)>,
    /// The last plan with its orders.
    pub plan: Option<Digest>,
    /// What was seen after it was carried out.
    pub evidence: Option<Digest>,
}

impl CaseFiles {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Digest> {
        let (decisions, key) = self.decisions.unzip();
        [self.search, decisions, key, self.plan, self.evidence].into_iter().flatten()
    }

    /// These, and of what they do not name what `earlier` names.
    #[must_use]
    pub fn or(self, earlier: Self) -> Self {
        Self {
            search: self.search.or(earlier.search),
            decisions: self.decisions.or(earlier.decisions),
            plan: self.plan.or(earlier.plan),
            evidence: self.evidence.or(earlier.evidence),
        }
    }
}

/// How identity was checked. No copy of a document, and nothing out of one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCheck {
    /// How: a reply from the known e-mail address, a question, a passport shown.
    pub method: String,
    /// What came of it.
    pub result: String,
    /// Who checked.
    pub who: String,
    /// When.
    pub on: NaiveDate,
}

/// The identifiers of a subject, kept for the module that searches.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectValue(pub serde_json::Value);

impl fmt::Debug for SubjectValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectValue(…)")
    }
}

impl What {
    /// Returns which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Received { .. } => Kind::Received,
            Self::Acknowledged { .. } => Kind::Acknowledged,
            Self::IdentityAsked { .. } => Kind::IdentityAsked,
            Self::IdentityVerified(_) => Kind::IdentityVerified,
            Self::IdentityFailed(_) => Kind::IdentityFailed,
            Self::SubjectChanged { .. } => Kind::SubjectChanged,
            Self::Scoped { .. } => Kind::Scoped,
            Self::Searched { .. } => Kind::Searched,
            Self::ReviewChanged { .. } => Kind::ReviewChanged,
            Self::ReviewFinished => Kind::ReviewFinished,
            Self::LegalAssessed { .. } => Kind::LegalAssessed,
            Self::Exported { .. } => Kind::Exported,
            Self::ApprovalRequested { .. } => Kind::ApprovalRequested,
            Self::Approved { .. } => Kind::Approved,
            Self::CoolingOff { .. } => Kind::CoolingOff,
            Self::Executing { .. } => Kind::Executing,
            Self::Executed => Kind::Executed,
            Self::Verified { .. } => Kind::Verified,
            Self::TaskDone { .. } => Kind::TaskDone,
            Self::TaskReopened { .. } => Kind::TaskReopened,
            Self::RecipientsNotified { .. } => Kind::RecipientsNotified,
            Self::Answered { .. } => Kind::Answered,
            Self::Completed => Kind::Completed,
            Self::CompletedWithRetention { .. } => Kind::CompletedWithRetention,
            Self::PartiallyCompleted { .. } => Kind::PartiallyCompleted,
            Self::StepFailed { .. } => Kind::StepFailed,
            Self::StepRetried => Kind::StepRetried,
            Self::Hold { .. } => Kind::Hold,
            Self::HoldReleased { .. } => Kind::HoldReleased,
            Self::Extended { .. } => Kind::Extended,
            Self::Paused { .. } => Kind::Paused,
            Self::Resumed { .. } => Kind::Resumed,
            Self::Blocked => Kind::Blocked,
            Self::Unblocked => Kind::Unblocked,
            Self::Refused { .. } => Kind::Refused,
            Self::Withdrawn => Kind::Withdrawn,
            Self::DuplicateOf { .. } => Kind::DuplicateOf,
            Self::Expired => Kind::Expired,
            Self::Reopened => Kind::Reopened,
            Self::HorizonSet { .. } => Kind::HorizonSet,
            Self::HorizonReached => Kind::HorizonReached,
            Self::Rewrapped { .. } => Kind::Rewrapped,
            Self::Note { .. } => Kind::Note,
            Self::Unknown => Kind::Unknown,
        }
    }

    /// The day on which it happened, where that is another question than when it was recorded.
    pub fn day(&self) -> Option<NaiveDate> {
        match self {
            Self::Received { on, .. }
            | Self::Acknowledged { on }
            | Self::IdentityAsked { on }
            | Self::IdentityVerified(IdentityCheck { on, .. })
            | Self::IdentityFailed(IdentityCheck { on, .. })
            | Self::Answered { on }
            | Self::Extended { told_on: on }
            | Self::Paused { on, .. }
            | Self::Resumed { on, .. }
            | Self::Refused { told_on: on, .. } => Some(*on),
            _ => None,
        }
    }

    /// The files of the case that it names.
    pub fn files(&self) -> CaseFiles {
        let none = CaseFiles::default();
        match self {
            Self::Searched { search, .. } => CaseFiles { search: search.parse().ok(), ..none },
            Self::ReviewChanged { decisions, key, .. } => {
                CaseFiles { decisions: (*decisions).zip(*key), ..none }
            }
            Self::ApprovalRequested { file, .. } => CaseFiles { plan: Some(*file), ..none },
            Self::Verified { evidence, .. } => CaseFiles { evidence: *evidence, ..none },
            Self::Rewrapped { search, decisions, key, plan, evidence } => CaseFiles {
                search: *search,
                decisions: (*decisions).zip(*key),
                plan: *plan,
                evidence: *evidence,
            },
            _ => none,
        }
    }

    /// The tasks that it is about.
    pub(super) fn tasks(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::TaskDone { tasks, .. } | Self::TaskReopened { tasks } => Some(tasks),
            _ => None,
        }
    }

    /// The texts in it that people write; none may be empty.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Received { channel, .. } => vec![channel],
            Self::IdentityVerified(check) | Self::IdentityFailed(check) => {
                vec![&check.method, &check.result, &check.who]
            }
            Self::Scoped { snapshots, .. } => vec![snapshots],
            Self::Searched { search, .. } => vec![search],
            Self::LegalAssessed { note, .. } => vec![note],
            Self::Exported { name, .. } => vec![name],
            Self::CompletedWithRetention { ground } | Self::Refused { ground, .. } => vec![ground],
            Self::PartiallyCompleted { missing } => vec![missing],
            Self::StepFailed { step, .. } => vec![step],
            Self::Hold { ground, item } => [ground].into_iter().chain(item).map(String::as_str).collect(),
            Self::Note { text } => vec![text],
            _ => Vec::new(),
        }
    }
}

/// Whether it has the form of the id of a task.
pub(super) fn is_task_id(text: &str) -> bool {
    text.len() == TASK_ID_DIGITS && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} {:?})", crate::clock::rfc3339(self.at), self.what)
    }
}

impl fmt::Debug for IdentityCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityCheck(…)")
    }
}
