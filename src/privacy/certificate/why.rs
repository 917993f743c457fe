//! What keeps a claim open, or a certificate incomplete: a code, what it is about, and how many.

use serde::{Deserialize, Serialize};

/// Something that keeps a claim open, or a certificate incomplete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// What.
    pub code: Code,
    /// Of which repository, file or replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Why {
    /// Something of the whole.
    pub fn new(code: Code) -> Self {
        Self { code, of: None, count: None }
    }

    /// Of one repository, file or replica.
    pub fn of(mut self, of: impl std::fmt::Display) -> Self {
        self.of = Some(of.to_string());
        self
    }

    /// So many.
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What keeps a claim open, or a certificate incomplete.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    /// The evidence is of another case or plan.
    OtherPlan,
    /// A date that is none, or lies after the day on which it was seen.
    NotADate,
    /// The scanner did not find what was planted for it: what it did not find means nothing.
    CanaryNotFound,
    /// A repository was not read again.
    NotRead,
    /// A repository was read, and nothing came.
    NothingRead,
    /// Findings in a repository that were to go.
    Remaining,
    /// Tasks for people that are not seen to be done.
    Tasks,
    /// An address was not asked.
    NotAsked,
    /// An address did not answer.
    NoAnswer,
    /// Something is still at an address.
    StillThere,
    /// Nothing was looked at on a replica.
    NotLooked,
    /// A replica could not be reached.
    Unreachable,
    /// Somebody can still open packs on a replica.
    Readable,
    /// Old headers that were opened.
    HeadersOpened,
    /// Objects that are still there on a replica.
    Pending,
    /// Packs on a replica are not gone.
    NotGone,
    /// No object of a replica was looked into.
    NotScanned,
    /// Objects of a replica that could not be looked into.
    Unscanned,
    /// Places on a replica at which the scanner found what was to go.
    Leaks,
    /// None of the person's identifiers can be looked for in raw bytes: what the scanner did not find means nothing.
    NothingSought,
    /// Places on the machine that looked (cache, memory, spool) at which the scanner found what was to go.
    LocalLeaks,
    /// Files there that could not be looked into.
    LocalUnscanned,
    /// No snapshot was read as a restore reads it.
    NotRestored,
    /// Findings in what was restored that were to go.
    RestoredRemaining,
    /// Items of the vault that could not be changed.
    Left,
    /// Nobody looked into the files that this program wrote on this host.
    OwnFilesNotLooked,
    /// Files that this program wrote on this host and that still hold the person.
    OwnFilesLeft,
    /// A bucket copies its objects to another place, where nothing is erased.
    CopiedElsewhere,
    /// Fields of a repository of which nobody has said what they may hold of people.
    Unclassified,
    /// A repository whose fields are not known.
    FieldsNotKnown,
    /// Items that could not even be read when the person was searched.
    SearchUnread,
    /// Snapshots and catalogs that could not be read when the person was searched.
    SearchProblems,
    /// A repository that was not searched live before the plan was made.
    NotSearchedLive,
}
