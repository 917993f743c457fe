//! How far a case got, and which kinds of events lead from where to where.

use std::fmt;

use serde::Serialize;

use super::kind::Kind;

/// How far a case got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It came.
    Received,
    /// The person knows that it came.
    Acknowledged,
    /// Proof of identity is awaited.
    IdentityPending,
    /// The person is who they say.
    IdentityVerified,
    /// It is being found out by what the person is known, and where to search.
    Scoping,
    /// A search is to be made.
    Searching,
    /// Findings are to be decided.
    Review,
    /// Exceptions, holds and rights of others are to be looked at.
    LegalAssessment,
    /// A plan is to be approved.
    AwaitingApproval,
    /// It is.
    Approved,
    /// It is, and waits for its day.
    CoolingOff,
    /// It is being carried out.
    Executing,
    /// It is to be looked whether it did what it was to.
    Verifying,
    /// Recipients are to be told.
    NotifyingRecipients,
    /// The person is to be answered, or was.
    Responding,
    /// Closed: all was done.
    Completed,
    /// Closed: some data is kept with a ground.
    CompletedWithRetention,
    /// Closed: some of it could not be done.
    PartiallyCompleted,
    /// Closed: nobody knows who asked.
    IdentityFailed,
    /// Closed: refused.
    Refused,
    /// Closed: taken back.
    Withdrawn,
    /// Closed: another case asks for the same.
    Duplicate,
    /// Closed: proof of identity never came.
    Expired,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 23] = [
        Self::Received,
        Self::Acknowledged,
        Self::IdentityPending,
        Self::IdentityVerified,
        Self::Scoping,
        Self::Searching,
        Self::Review,
        Self::LegalAssessment,
        Self::AwaitingApproval,
        Self::Approved,
        Self::CoolingOff,
        Self::Executing,
        Self::Verifying,
        Self::NotifyingRecipients,
        Self::Responding,
        Self::Completed,
        Self::CompletedWithRetention,
        Self::PartiallyCompleted,
        Self::IdentityFailed,
        Self::Refused,
        Self::Withdrawn,
        Self::Duplicate,
        Self::Expired,
    ];

    /// Whether nothing is to be done any more.
    pub fn is_closed(self) -> bool {
        self.is_done()
            || matches!(
                self,
                Self::IdentityFailed | Self::Refused | Self::Withdrawn | Self::Duplicate | Self::Expired
            )
    }

    /// Whether it is closed because something was done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithRetention | Self::PartiallyCompleted)
    }

    /// Whether the review is finished and nothing came of it yet that cannot be taken back: one may go
    /// back to the search, the review or the assessment, which voids the plan and its approvals.
    pub fn is_revisable(self) -> bool {
        matches!(
            self,
            Self::LegalAssessment
                | Self::AwaitingApproval
                | Self::Approved
                | Self::CoolingOff
                | Self::Responding
        )
    }

    /// Whether findings can be decided in it.
    pub fn is_reviewed(self) -> bool {
        matches!(self, Self::Review | Self::LegalAssessment)
    }

    /// Returns its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Acknowledged => "acknowledged",
            Self::IdentityPending => "identity_pending",
            Self::IdentityVerified => "identity_verified",
            Self::Scoping => "scoping",
            Self::Searching => "searching",
            Self::Review => "review",
            Self::LegalAssessment => "legal_assessment",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::CoolingOff => "cooling_off",
            Self::Executing => "executing",
            Self::Verifying => "verifying",
            Self::NotifyingRecipients => "notifying_recipients",
            Self::Responding => "responding",
            Self::Completed => "completed",
            Self::CompletedWithRetention => "completed_with_retention",
            Self::PartiallyCompleted => "partially_completed",
            Self::IdentityFailed => "identity_failed",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Duplicate => "duplicate",
            Self::Expired => "expired",
        }
    }

    /// Returns it in words that go on after "the case".
    pub fn words(self) -> &'static str {
        match self {
            Self::Received => "was received",
            Self::Acknowledged => "was acknowledged",
            Self::IdentityPending => "waits for proof of identity",
            Self::IdentityVerified => "has a proved identity",
            Self::Scoping => "is being scoped",
            Self::Searching => "is to be searched",
            Self::Review => "is under review",
            Self::LegalAssessment => "is under legal assessment",
            Self::AwaitingApproval => "waits for approval",
            Self::Approved => "is approved",
            Self::CoolingOff => "is approved and waits for its day",
            Self::Executing => "is being carried out",
            Self::Verifying => "is being verified",
            Self::NotifyingRecipients => "waits until recipients are told",
            Self::Responding => "is to be answered",
            Self::Completed => "is completed",
            Self::CompletedWithRetention => "is completed, with data that is kept",
            Self::PartiallyCompleted => "is completed in part",
            Self::IdentityFailed => "is closed: identity could not be proved",
            Self::Refused => "is closed: refused",
            Self::Withdrawn => "is closed: taken back",
            Self::Duplicate => "is closed: a duplicate",
            Self::Expired => "is closed: proof of identity never came",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns the stage to which a kind of event leads from a stage, before conditions that need more
/// than the stage; `None`: nowhere.
pub fn stage_after(stage: Stage, kind: Kind) -> Option<Stage> {
    use Kind as K;
    use Stage as S;
    let open = !stage.is_closed();
    let stays = Some(stage);
    match (kind, stage) {
        (K::Received | K::Unknown, _) => None,
        (K::Note | K::Rewrapped, _) => stays,
        (K::Acknowledged, S::Received) => Some(S::Acknowledged),
        (K::IdentityAsked, S::Received | S::Acknowledged) => Some(S::IdentityPending),
        (K::IdentityVerified, S::Received | S::Acknowledged | S::IdentityPending) => {
            Some(S::IdentityVerified)
        }
        (K::IdentityFailed, S::IdentityPending) => Some(S::IdentityFailed),
        (K::Expired, S::IdentityPending) => Some(S::Expired),
        (
            K::SubjectChanged,
            S::Received | S::Acknowledged | S::IdentityPending | S::Scoping | S::Searching,
        ) => stays,
        (K::SubjectChanged, S::IdentityVerified) => Some(S::Scoping),
        // What was found was found by other identifiers, or elsewhere.
        (K::SubjectChanged | K::Scoped, S::Review) => Some(S::Searching),
        // Until stored data is changed or the person has the answer, everything can be looked at again.
        (K::SubjectChanged | K::Scoped, _) if stage.is_revisable() => Some(S::Searching),
        (K::ReviewChanged, _) if stage.is_revisable() => Some(S::Review),
        // Also when something of the person turns out to be there still: a second round.
        (
            K::Scoped,
            S::IdentityVerified | S::Scoping | S::Searching | S::Verifying | S::NotifyingRecipients,
        ) => Some(S::Searching),
        (K::Searched, S::Searching | S::Review | S::LegalAssessment) => Some(S::Review),
        (K::ReviewChanged, S::Review) => Some(S::Review),
        (K::ReviewFinished, S::Review) => Some(S::LegalAssessment),
        (K::LegalAssessed, _) if stage.is_revisable() => Some(S::AwaitingApproval),
        // Once everything is decided, and again after the answer.
        (
            K::Exported,
            S::LegalAssessment
            | S::AwaitingApproval
            | S::Approved
            | S::CoolingOff
            | S::Executing
            | S::Verifying
            | S::NotifyingRecipients
            | S::Responding,
        ) => stays,
        (K::Exported, _) if stage.is_done() => stays,
        (K::ApprovalRequested, S::AwaitingApproval | S::Approved | S::CoolingOff) => {
            Some(S::AwaitingApproval)
        }
        (K::Approved, S::AwaitingApproval) => Some(S::Approved),
        (K::CoolingOff, S::Approved) => Some(S::CoolingOff),
        (K::Executing, S::Approved | S::CoolingOff | S::Executing) => Some(S::Executing),
        (K::Executed, S::Executing) => Some(S::Verifying),
        (K::Verified, S::Verifying) => Some(S::NotifyingRecipients),
        // It is looked again: locks end, replicas come back, people do what was left to them.
        (K::Verified, S::NotifyingRecipients | S::Responding) => stays,
        (K::Verified, _) if stage.is_done() => stays,
        // What people do themselves follows what this program does; support may take longer than the answer.
        (
            K::TaskDone | K::TaskReopened,
            S::Executing | S::Verifying | S::NotifyingRecipients | S::Responding,
        ) => stays,
        (K::TaskDone | K::TaskReopened, _) if stage.is_done() => stays,
        (K::RecipientsNotified, S::NotifyingRecipients) => Some(S::Responding),
        (K::Answered, S::Responding) => stays,
        (K::Completed, S::Responding) => Some(S::Completed),
        (K::CompletedWithRetention, S::Responding) => Some(S::CompletedWithRetention),
        (K::PartiallyCompleted, S::Responding) => Some(S::PartiallyCompleted),
        (
            K::StepFailed | K::StepRetried,
            S::Searching | S::Executing | S::Verifying | S::NotifyingRecipients,
        ) => stays,
        (K::Hold | K::HoldReleased, _) if open || stage.is_done() => stays,
        (K::Extended | K::Paused | K::Resumed | K::Blocked | K::Unblocked, _) if open => stays,
        (K::Refused | K::Withdrawn, S::Executing | S::Verifying | S::NotifyingRecipients) => None,
        (K::Refused, _) if open => Some(S::Refused),
        (K::Withdrawn, _) if open => Some(S::Withdrawn),
        // Not before identity is proved: a duplicate has its own check.
        (K::DuplicateOf, S::IdentityVerified | S::Scoping | S::Searching | S::Review) => Some(S::Duplicate),
        (K::Reopened, _) if stage.is_done() => Some(S::Scoping),
        (
            K::HorizonSet | K::HorizonReached,
            S::Executing | S::Verifying | S::NotifyingRecipients | S::Responding,
        ) => stays,
        (K::HorizonSet | K::HorizonReached, _) if stage.is_done() => stays,
        _ => None,
    }
}
