//! Kinds of events: what they are called in words, and which of them say why.

/// Which kind of event something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the variant of `What` with the same name")]
pub enum Kind {
    Received,
    Acknowledged,
    IdentityAsked,
    IdentityVerified,
    IdentityFailed,
    SubjectChanged,
    Scoped,
    Searched,
    ReviewChanged,
    ReviewFinished,
    LegalAssessed,
    Exported,
    ApprovalRequested,
    Approved,
    CoolingOff,
    Executing,
    Executed,
    Verified,
    TaskDone,
    TaskReopened,
    RecipientsNotified,
    Answered,
    Completed,
    CompletedWithRetention,
    PartiallyCompleted,
    StepFailed,
    StepRetried,
    Hold,
    HoldReleased,
    Extended,
    Paused,
    Resumed,
    Blocked,
    Unblocked,
    Refused,
    Withdrawn,
    DuplicateOf,
    Expired,
    Reopened,
    HorizonSet,
    HorizonReached,
    Rewrapped,
    Note,
    Unknown,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 44] = [
        Self::Received,
        Self::Acknowledged,
        Self::IdentityAsked,
        Self::IdentityVerified,
        Self::IdentityFailed,
        Self::SubjectChanged,
        Self::Scoped,
        Self::Searched,
        Self::ReviewChanged,
        Self::ReviewFinished,
        Self::LegalAssessed,
        Self::Exported,
        Self::ApprovalRequested,
        Self::Approved,
        Self::CoolingOff,
        Self::Executing,
        Self::Executed,
        Self::Verified,
        Self::TaskDone,
        Self::TaskReopened,
        Self::RecipientsNotified,
        Self::Answered,
        Self::Completed,
        Self::CompletedWithRetention,
        Self::PartiallyCompleted,
        Self::StepFailed,
        Self::StepRetried,
        Self::Hold,
        Self::HoldReleased,
        Self::Extended,
        Self::Paused,
        Self::Resumed,
        Self::Blocked,
        Self::Unblocked,
        Self::Refused,
        Self::Withdrawn,
        Self::DuplicateOf,
        Self::Expired,
        Self::Reopened,
        Self::HorizonSet,
        Self::HorizonReached,
        Self::Rewrapped,
        Self::Note,
        Self::Unknown,
    ];

    /// Returns what happens, in words that go on after "to": `to record that the request came`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Received => "open the case",
            Self::Acknowledged => "acknowledge the request",
            Self::IdentityAsked => "ask for proof of identity",
            Self::IdentityVerified => "record that identity is proved",
            Self::IdentityFailed => "record that identity could not be proved",
            Self::SubjectChanged => "say by what the person is known",
            Self::Scoped => "say where is searched",
            Self::Searched => "search",
            Self::ReviewChanged => "decide findings",
            Self::ReviewFinished => "finish the review",
            Self::LegalAssessed => "record the legal assessment",
            Self::Exported => "make the package with the person's data",
            Self::ApprovalRequested => "ask for approval of a plan",
            Self::Approved => "approve the plan",
            Self::CoolingOff => "wait before the plan is carried out",
            Self::Executing => "carry the plan out",
            Self::Executed => "record that the plan was carried out",
            Self::Verified => "verify what was done",
            Self::TaskDone => "mark tasks for people as done",
            Self::TaskReopened => "mark tasks for people as open again",
            Self::RecipientsNotified => "record that recipients were told",
            Self::Answered => "record that the person has the answer",
            Self::Completed => "close the case as completed",
            Self::CompletedWithRetention => "close the case with data that is kept",
            Self::PartiallyCompleted => "close the case as completed in part",
            Self::StepFailed => "record a step that failed",
            Self::StepRetried => "try a failed step again",
            Self::Hold => "put something under hold",
            Self::HoldReleased => "release a hold",
            Self::Extended => "extend the time for the answer",
            Self::Paused => "stop the clock",
            Self::Resumed => "let the clock run again",
            Self::Blocked => "block the case",
            Self::Unblocked => "unblock the case",
            Self::Refused => "refuse the request",
            Self::Withdrawn => "record that the person took the request back",
            Self::DuplicateOf => "close the case as a duplicate",
            Self::Expired => "close the case because proof of identity never came",
            Self::Reopened => "open the case again",
            Self::HorizonSet => "record until when copies in backups survive",
            Self::HorizonReached => "record that no copy in backups is left",
            Self::Rewrapped => "make the case readable for who may read it now",
            Self::Note => "add a note",
            Self::Unknown => "do what a newer prismvault recorded",
        }
    }

    /// Whether an event of this kind says why.
    pub fn needs_reason(self) -> bool {
        matches!(
            self,
            Self::IdentityAsked
                | Self::Scoped
                | Self::TaskReopened
                | Self::StepRetried
                | Self::Hold
                | Self::HoldReleased
                | Self::Extended
                | Self::Paused
                | Self::Blocked
                | Self::Unblocked
                | Self::Refused
                | Self::Withdrawn
                | Self::DuplicateOf
                | Self::PartiallyCompleted
                | Self::CompletedWithRetention
                | Self::Reopened
        )
    }
}
