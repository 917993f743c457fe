//! `requests/<case>/<n>.json`: what happened to a data-subject request, one signed file an event; and
//! `requests/<case>/purged.json`, what is left when it is kept no longer.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, Digest, VaultId};

/// Kind of [`RequestFile`].
pub const KIND: &str = "request-event";

/// One event of a case. Signed by a key with the role `privacy`; never replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFile {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// The case.
    pub case: CaseId,
    /// Number of the event, from 1.
    pub n: u32,
    /// SHA-256 of the file of the event before; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// When it was written, RFC 3339. Of two with one number the earlier counts.
    pub written: String,
    /// Number of the trust record to whose privacy recipients it was written.
    pub trust: u32,
    /// [`RequestSummary`] after this event.
    pub summary: SealedSummary,
    /// [`RequestBody`], as an age file to the privacy recipients, base64. Also where the vault itself
    /// is not encrypted.
    pub event: String,
}

/// How a summary is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SealedSummary {
    /// An age file to the catalog recipients, base64.
    Age(String),
    /// In a vault without encryption.
    Clear(RequestSummary),
}

/// What a host without privacy keys knows of a case, so that its alarms work. No personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// The case.
    pub case: CaseId,
    /// How far it got.
    pub state: String,
    /// What is asked for.
    pub rights: Vec<String>,
    /// Last day for the answer; absent when none is owed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    /// What the person was asked, while the clock stands still: the date is then the earliest possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Whether the case is closed.
    pub closed: bool,
    /// Last day on which a copy of what was erased can survive, as it was promised; absent when nothing was
    /// promised, or no copy is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<NaiveDate>,
}

/// What only privacy recipients read.
#[derive(Serialize, Deserialize)]
pub struct RequestBody {
    /// The event, as `privacy::case` writes it.
    pub event: Box<serde_json::value::RawValue>,
    /// All events before it, oldest first, where the recipients changed since one of them: so who came
    /// later can read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Box<serde_json::value::RawValue>>,
}

/// Kind of [`PurgedFile`].
pub const PURGED_KIND: &str = "request-purged";

/// What is left of a case whose file is kept no longer. Signed by a key with the role `privacy`. No personal
/// data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgedFile {
    /// [`PURGED_KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// The case.
    pub case: CaseId,
    /// When that was decided, RFC 3339.
    pub decided: String,
    /// The day on which the case was closed.
    pub closed: NaiveDate,
    /// The last day on which the rules kept its file.
    pub keep_until: NaiveDate,
    /// How many entries it had.
    pub entries: u32,
    /// SHA-256 of the last of them.
    pub last: Digest,
}
