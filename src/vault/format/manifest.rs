//! `snapshots/<repository>/<snapshot id>.json`: one snapshot.
//!
//! Readable without tools and free of personal data: ids, numbers and codes only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, ItemId, Name, SnapshotId, VaultId};
use crate::progress::Problem;
use crate::vault::format::audit::AuditHead;

/// Kind of [`Manifest`].
pub const KIND: &str = "snapshot";

/// A snapshot. It exists once this file does, and not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// Space that holds its items.
    pub space: Name,
    /// Repository, by the name of the configuration.
    pub repository: Name,
    /// Its id.
    pub snapshot: SnapshotId,
    /// Whether anything is missing.
    pub status: Status,
    /// Where it was read.
    pub source: Source,
    /// When the run began, RFC 3339.
    pub started: String,
    /// When it was about to commit, RFC 3339.
    pub finished: String,
    /// What started it.
    pub trigger: String,
    /// The catalog: which item lies under which path.
    pub catalog: TreeRoot,
    /// Who refers to whom.
    pub links: TreeRoot,
    /// What the source says it has, and what was stored.
    pub counts: Counts,
    /// What this run added.
    pub added: Added,
    /// How consistent the parts are with each other.
    pub consistency: Consistency,
    /// How its documents were read, and what an incremental read that follows it needs to know.
    /// Snapshots of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<HowRead>,
    /// What is missing and makes it partial.
    #[serde(default)]
    pub gaps: Vec<Problem>,
    /// What is missing and was accepted by a ledger entry.
    #[serde(default)]
    pub accepted_gaps: Vec<Problem>,
    /// What is worth knowing but not missing here.
    #[serde(default)]
    pub warnings: Vec<Problem>,
    /// SHA-256 of the manifests of this repository that no other names yet.
    pub parents: Vec<Digest>,
    /// SHA-256 of the entries of the ledger that no other names yet.
    pub ledger: Vec<Digest>,
    /// Number of the trust record this was made under.
    pub trust: u32,
    /// The newest entry of the audit log that its writer wrote before, so that this signature
    /// covers the whole chain up to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditHead>,
    /// Random id of the run that took it, as in its logs and its audit entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Version of the program.
    pub tool: String,
}

/// Whether anything is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All that the source said it had is stored, or its absence accepted.
    Complete,
    /// Something is missing; see the gaps.
    Partial,
}

impl Status {
    /// Returns the word shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
        }
    }
}

/// Where a snapshot was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Prismic's repository name.
    pub repository: String,
    /// Content API, without credentials.
    pub content_api: String,
    /// The pinned master ref.
    pub master_ref: String,
    /// The pinned ref of integration fields.
    pub integration_fields_ref: Option<String>,
    /// Release id and the ref it was read at.
    pub releases: BTreeMap<String, String>,
    /// Whether models and the media library could be read (write token).
    pub write_token: bool,
}

/// The root page of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRoot {
    /// The root page.
    pub root: ItemId,
    /// Levels of pages; 1 when the root holds the entries.
    pub levels: u32,
    /// Entries in the whole tree.
    pub entries: u64,
}

/// Expected and stored numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Documents at the master ref.
    pub documents: Tally,
    /// The same by type.
    pub documents_by_type: BTreeMap<String, Tally>,
    /// The same by language.
    pub documents_by_language: BTreeMap<String, Tally>,
    /// Documents that differ in a release, by release id.
    pub release_documents: BTreeMap<String, Tally>,
    /// Custom types and shared slices.
    pub models: Tally,
    /// Assets: files with their metadata.
    pub assets: Tally,
    /// Other files: repository root, languages, tags.
    pub repository: Tally,
    /// Links to files that Prismic does not store (stock photos): named, not fetched.
    pub external_assets: u64,
}

impl Counts {
    /// Bytes of everything, before compression.
    pub fn bytes(&self) -> u64 {
        let releases: u64 = self.release_documents.values().map(|tally| tally.bytes).sum();
        self.documents.bytes + releases + self.models.bytes + self.assets.bytes + self.repository.bytes
    }
}

/// How many there should be and how many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// As the source says; `None` where it does not say.
    pub reported: Option<u64>,
    /// In this snapshot.
    pub stored: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What a run added to the vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Items that the space lacked, catalog pages not counted.
    pub items: u64,
    /// Bytes of them before compression.
    pub bytes: u64,
    /// Packs written.
    pub packs: u64,
    /// Bytes stored on each replica for them: packs, headers, index.
    pub stored_bytes: u64,
}

/// How the parts of a snapshot hang together in time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// Times the run began again because the pinned ref was refused.
    pub restarts: u32,
    /// Whether the master ref was still the pinned one at the end. Content is consistent at the
    /// pinned ref either way.
    pub master_ref_moved: bool,
    /// Paths of models and asset metadata that changed between the start and the end of the run;
    /// these are not versioned by ref. The later state is stored.
    pub changed_during_run: Vec<String>,
}

/// How documents were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HowRead {
    /// In full, or as far as they changed.
    pub documents: ReadMode,
    /// The master ref since which changes were read, or at which the documents that were carried
    /// over had been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Why they were read in full although only changes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_full: Option<String>,
    /// When the last run began that read all documents, RFC 3339.
    pub last_full: String,
    /// The newest publication date of any document, as the API writes it; `None` where not every
    /// document has one, so that changes cannot be asked for by date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_publication: Option<String>,
    /// Whether something was published since the models are as they are here. The API shows
    /// documents by new models only after the next publish, and all of them then.
    pub models_settled: bool,
    /// Whether its assets are those that the media library lists and those that documents refer to
    /// besides, and no others.
    pub assets_settled: bool,
}

/// Which documents were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadMode {
    /// All.
    Full,
    /// Those that changed since the snapshot before, and those that copy something of these.
    Incremental,
    /// None: the master ref was that of the snapshot before.
    CarriedOver,
}

impl ReadMode {
    /// Returns the words shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "in full",
            Self::Incremental => "as far as they changed",
            Self::CarriedOver => "not again",
        }
    }
}
