//! The certificate of an erasure: what is shown of it, since when, and what is not.
//!
//! It says four things, each with a date and each open until it was seen: removed live, public addresses gone,
//! backups unreadable, backups gone. The [evidence](Evidence) from which they follow is in it, so that whoever
//! checks one computes them again, without a vault and without a network. Beside them stands what nobody here can
//! say: what Prismic may still keep, what could not be searched, what is kept and on which ground.
//!
//! **No personal data.** It is read by people outside, so it is made of ids, counts, codes and dates: what people
//! typed (grounds, notes, names of who approved) stays in the case, and places in documents stay in the plan. The
//! case is a random number; of a file stands its id, of who signed the id of a key.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`claims`] | the four claims, as a pure function of what was seen |
//! | `why` | what keeps one open, as codes |
//! | [`grounds`] | legal grounds as codes |
//! | [`gather`] | orders and approvals out of the ledger, what storage does with replicas |
//! | `summary` | what is taken over from plan, search and case |
//! | [`out`] | the signed files: JSON, and pages for people |
//! | `page`, `texts` | such a page, in the languages of the letters |
//! | [`verify`] | whether one is what was signed, and whether its claims follow |

pub mod claims;
pub mod gather;
pub mod grounds;
pub mod out;
mod page;
mod summary;
#[cfg(test)]
mod tests;
mod texts;
pub mod verify;
mod why;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use self::claims::{Basis, Claim, ClaimKind, Claims, OwnFilesState, Scope};
pub use self::grounds::Ground;
pub use self::summary::{
    Copies, FieldsOf, Making, MakingError, OrderEntry, Recall, ReplicaOutlook, Searched,
};
pub use self::why::{Code, Why};
use crate::ids::{CaseId, Digest, VaultId};
use crate::privacy::letters::Language;
use crate::privacy::package::texts::{fill, word};
use crate::privacy::proof::evidence::Evidence;

/// Kind of [`Certificate`].
pub const KIND: &str = "erasure-certificate";
/// Version of its format.
pub const FORMAT: u32 = 1;

/// What is certified of one erasure, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`KIND`].
    pub kind: String,
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program that made it.
    pub tool: String,
    /// How much of what there is its search finds.
    pub recall: Recall,
    /// The vault.
    pub vault: VaultId,
    /// The case, a random number.
    pub case: CaseId,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The day on which the request came.
    pub received: NaiveDate,
    /// The four claims.
    pub claims: Claims,
    /// Why the search on which all rests was not whole; empty: it was.
    pub incomplete: Vec<Why>,
    /// What was planned, as numbers.
    pub plan: Planned,
    /// Findings that are kept, by ground.
    pub kept: BTreeMap<Ground, u64>,
    /// Holds of the case that are not released, by ground.
    pub holds: BTreeMap<Ground, u64>,
    /// What was to be looked at.
    pub scope: Scope,
    /// What was seen.
    pub evidence: Evidence,
    /// What was searched before, and what could not be.
    pub searched: Searched,
    /// How well the fields of each repository are known.
    pub fields: Vec<FieldsOf>,
    /// The orders, by their entries in the ledger of the vault.
    pub orders: Vec<OrderEntry>,
    /// What is known of copies that a replica's storage makes by itself.
    pub outlook: Vec<ReplicaOutlook>,
    /// What became of this program's own files on the host where it ran.
    pub own_files: OwnFilesState,
    /// What Prismic itself may still keep.
    pub prismic: Vec<PrismicKeeps>,
    /// How it was looked.
    pub methods: Vec<Method>,
    /// What this certificate does not say.
    pub limits: Vec<Limit>,
    /// The same for people: pages beside this file.
    pub pages: Vec<PageFile>,
}

/// What was planned, as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// SHA-256 of the plan that was carried out.
    pub sha256: Digest,
    /// When it was made, RFC 3339.
    pub at: String,
    /// Id of the key of who made it.
    pub by: String,
    /// Items in which something is masked.
    pub masked: u64,
    /// Items in which something is corrected.
    pub corrected: u64,
    /// Items that are removed.
    pub removed: u64,
    /// Items that hold the person and could not be changed.
    pub left: u64,
    /// Documents and files that were live.
    pub live: u64,
}

/// A page for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageFile {
    /// Its name, beside the certificate.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Digest,
}

/// What Prismic itself may still keep, and no API shows or deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrismicKeeps {
    /// Earlier versions of each document, in its history.
    History,
    /// Drafts and archived documents.
    Drafts,
    /// Former slugs of documents.
    Slugs,
    /// Files that were removed from the media library, at their addresses.
    RemovedFiles,
    /// Pictures in other sizes, in the delivery network.
    ImageCopies,
    /// Answers of its API at earlier refs.
    EarlierRefs,
    /// Who uploaded, wrote and published, by accounts.
    Accounts,
    /// Its own backups.
    Backups,
    /// Its logs.
    Logs,
}

impl PrismicKeeps {
    /// All of them: nobody outside of Prismic can look.
    pub const ALL: [Self; 9] = [
        Self::History,
        Self::Drafts,
        Self::Slugs,
        Self::RemovedFiles,
        Self::ImageCopies,
        Self::EarlierRefs,
        Self::Accounts,
        Self::Backups,
        Self::Logs,
    ];
}

/// How it was looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Repositories were read again through their APIs, and searched.
    ReadAgain,
    /// The public addresses of files were asked.
    AskedAddresses,
    /// Every byte of the replicas was looked at by a second scanner, in all encodings.
    Scanned,
    /// Old headers were tried with every identity.
    TriedHeaders,
    /// Snapshots were read as a restore reads them, and searched.
    SampleRestore,
    /// The scanner found what was planted for it in the same run.
    Canary,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ReadAgain,
        Self::AskedAddresses,
        Self::Scanned,
        Self::TriedHeaders,
        Self::SampleRestore,
        Self::Canary,
    ];

    /// Which of them were used.
    fn used(evidence: &Evidence) -> Vec<Self> {
        let is_used = |method: &Self| match method {
            Self::ReadAgain => evidence.live.iter().any(|own| own.read.is_some()),
            Self::AskedAddresses => !evidence.urls.is_empty(),
            Self::Scanned => evidence.replicas.iter().any(|own| own.scanned.0 > 0),
            Self::TriedHeaders => evidence.replicas.iter().any(|own| own.headers.0 > 0),
            Self::SampleRestore => evidence.restored.iter().any(|own| own.items > 0),
            Self::Canary => evidence.canary,
        };
        Self::ALL.into_iter().filter(is_used).collect()
    }
}

/// What a certificate does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// It speaks of the moment at which it was looked.
    Moment,
    /// Copies outside of the replicas that it lists.
    OtherCopies,
    /// A replica that is set back to an earlier state holds all of it again.
    RolledBack,
    /// Files of this program on other hosts.
    OtherHosts,
    /// Unreadable is not gone: who copied a header and has its key can read what they copied.
    Unreadable,
    /// What could not be searched may hold the person.
    Unsearchable,
    /// No search finds everything.
    Recall,
    /// Prismic is a processor of its own: nobody outside can look there.
    Prismic,
}

impl Limit {
    /// All of them: each is true of every certificate.
    pub const ALL: [Self; 8] = [
        Self::Moment,
        Self::OtherCopies,
        Self::RolledBack,
        Self::OtherHosts,
        Self::Unreadable,
        Self::Unsearchable,
        Self::Recall,
        Self::Prismic,
    ];
}

/// What keeps a claim open, or a certificate incomplete, in words.
pub fn words(why: &Why, language: Language) -> String {
    let texts = texts::Texts::of(language);
    let count = why.count.map(|count| count.to_string()).unwrap_or_default();
    let of = why.of.as_deref().unwrap_or(texts.page("not_known"));
    fill(word(&texts.why, &why.code), &[("of", of), ("count", &count)])
}

impl Certificate {
    /// The bytes that are signed: canonical JSON (RFC 8785) and a line end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = crate::privacy::erasure::plan::canonical(self);
        bytes.push(b'\n');
        bytes
    }

    /// What its claims are to follow from.
    pub fn basis(&self) -> Basis<'_> {
        Basis {
            scope: &self.scope,
            evidence: &self.evidence,
            own_files: &self.own_files,
            is_of_plan: self.evidence.case == self.case && self.evidence.plan == self.plan.sha256,
        }
    }

    /// Whether all is shown that can be, and the search was whole.
    pub fn is_complete(&self) -> bool {
        self.claims.are_all_shown() && self.incomplete.is_empty()
    }
}
