//! What an operation tells while it works, and what it found wrong.
//!
//! The library never prints. It tells a [`Progress`] how far it is, and puts every loss into its
//! report as a [`Problem`], which decides the exit code.

use serde::{Deserialize, Serialize};

/// A named part of an operation, shown to people as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Opening the vault and reading what its replicas hold.
    OpenVault,
    /// Reading documents at the pinned ref.
    Documents,
    /// Reading what the releases change.
    Releases,
    /// Listing the media library.
    AssetList,
    /// Downloading the bytes of assets.
    Assets,
    /// Comparing what was read with what the source says it has.
    Completeness,
    /// Writing catalog, index and manifest.
    Commit,
    /// Checking objects or content.
    Verify,
    /// Writing files.
    Restore,
    /// Writing an archive.
    Export,
    /// Searching texts.
    Search,
    /// Mending damaged objects.
    Repair,
    /// Copying objects between replicas.
    Replicate,
}

impl Phase {
    /// Returns the words shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenVault => "opening vault",
            Self::Documents => "documents",
            Self::Releases => "releases",
            Self::AssetList => "media library",
            Self::Assets => "assets",
            Self::Completeness => "completeness",
            Self::Commit => "commit",
            Self::Verify => "verifying",
            Self::Restore => "restoring",
            Self::Export => "exporting",
            Self::Search => "searching",
            Self::Repair => "repairing",
            Self::Replicate => "replicating",
        }
    }
}

/// Receives progress; every method may be called from any thread and must return quickly.
pub trait Progress: Send + Sync {
    /// Says that a phase began, or that its total is known better now. Units are those of
    /// [`advance`](Self::advance): items.
    fn start(&self, phase: Phase, total: Option<u64>);

    /// Adds finished items and the bytes they brought.
    fn advance(&self, phase: Phase, items: u64, bytes: u64);

    /// Says that a phase ended.
    fn finish(&self, phase: Phase);

    /// Shows a problem as it happens; it is in the report as well.
    fn problem(&self, problem: &Problem);
}

/// Progress for those who do not look.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance(&self, _phase: Phase, _items: u64, _bytes: u64) {}
    fn finish(&self, _phase: Phase) {}
    fn problem(&self, _problem: &Problem) {}
}

/// An expected loss that does not end the operation: one asset missing, one object damaged.
///
/// It holds ids, numbers and codes only, never names or texts of content, because it goes into
/// manifests and logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem, for programs: `asset-missing`, `object-damaged`.
    pub code: String,
    /// What it is about: a path of the catalog, an object key, a replica.
    pub subject: String,
    /// One sentence for people, lower case, no full stop.
    pub detail: String,
}

impl Problem {
    /// Returns a problem.
    pub fn new(code: &str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), subject: subject.into(), detail: detail.into() }
    }
}
