//! What was seen when somebody looked whether an erasure did what it was to.
//!
//! After a rectification it claims less, and other things: what remains are places where a wrong value stands, or no
//! right one where it was put, in live content and in every snapshot as a restore reads it. No replica is scanned
//! for wrong values, as the same words may be right elsewhere, so `scanned` is nothing; that the packs with them
//! are gone is what receipts, listings and their headers say. The canary is then a wrong value put back, in memory,
//! at each place that was corrected.
//!
//! Ids, counts, codes and dates only: it stands in certificates, which people outside read. Nothing here says
//! more than was seen: what was not looked at, or could not be reached, is not there or says so.

use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, Digest, Name, ReplicaId, SnapshotId};
use crate::privacy::erasure::live::TaskCode;

/// What was seen of one case, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The case.
    pub case: CaseId,
    /// SHA-256 of the plan that was carried out.
    pub plan: Digest,
    /// When it was looked, RFC 3339.
    pub looked: String,
    /// Version of the program that looked.
    pub tool: String,
    /// What is live, repository by repository.
    pub live: Vec<LiveEvidence>,
    /// Public addresses of files that were to go.
    pub urls: Vec<UrlEvidence>,
    /// Every replica of the vault.
    pub replicas: Vec<ReplicaEvidence>,
    /// What the machine that looked keeps of the vault itself: cache, memory, spool files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local: Vec<LocalEvidence>,
    /// What the second scanner looked for; absent: it was not to look, or an earlier version did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sought: Option<Sought>,
    /// Snapshots that were read as a restore reads them, and searched.
    pub restored: Vec<RestoreEvidence>,
    /// Whether the scanner found what was planted for it in this very run, in every encoding.
    pub canary: bool,
}

/// A repository that was read again through its API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEvidence {
    /// Its name.
    pub repository: Name,
    /// When it was read, RFC 3339; absent: it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// Documents and files that were read.
    pub items: u64,
    /// Findings of the person in them that were to go.
    pub remaining: u64,
    /// Tasks for people that are not seen to be done, nor said to be where nobody can see it.
    pub tasks: u64,
    /// Tasks of which nobody outside of Prismic can see whether they are done, and which people say are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordEvidence>,
    /// Releases that were read; 0: there is none, or the token shows none. Absent: it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<u64>,
}

/// That people say they did a task. Who said it stands in the case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WordEvidence {
    /// Which kind of task.
    pub task: TaskCode,
    /// When it was said, RFC 3339.
    pub said: String,
}

/// One public address of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlEvidence {
    /// The repository.
    pub repository: Name,
    /// The file's id: an address has its name in it.
    pub asset: String,
    /// When it was asked, RFC 3339.
    pub asked: String,
    /// The status of the answer; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Since when it answers that nothing is there (404 or 410), RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
}

/// One replica of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaEvidence {
    /// Its name in the configuration.
    pub name: String,
    /// Its id; absent: it could not be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ReplicaId>,
    /// Since when nobody can open any pack with what was erased, RFC 3339; absent: somebody can, or the vault
    /// is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Since when nothing of these packs is there, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
    /// Objects that are still there.
    pub pending: u64,
    /// The last date any copy can survive here, RFC 3339; absent: it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<String>,
    /// Objects whose every byte was looked at by the second scanner, and bytes after unpacking.
    pub scanned: (u64, u64),
    /// Places where it found what was to go.
    pub leaks: u64,
    /// Objects that it could not look into.
    pub unscanned: u64,
    /// Old headers that were tried with every identity here, and how many opened.
    pub headers: (u64, u64),
}

/// What this program keeps of the vault on the machine that looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalEvidence {
    /// What it is: `cache`, `memory`, `spool`.
    pub name: String,
    /// Files whose every byte was looked at by the second scanner, and bytes after unpacking.
    pub scanned: (u64, u64),
    /// Places where it found what was to go.
    pub leaks: u64,
    /// Files that it could not look into.
    pub unscanned: u64,
}

/// What the second scanner looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// Byte strings and numbers of the person, in all encodings.
    pub needles: u64,
    /// Identifiers of the person that stand in many texts by chance (a family name alone, a short handle), so that
    /// nothing raw can say whose they are. What is restored was searched for them.
    pub weak: u64,
}

/// A snapshot that was read as a restore reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreEvidence {
    /// The repository.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Items that were restored and searched.
    pub items: u64,
    /// Findings of the person that were to go.
    pub remaining: u64,
}

impl Evidence {
    /// Findings and leaks that are still there, everywhere, on the machine that looked too.
    pub fn remaining(&self) -> u64 {
        let live = self.live.iter().map(|own| own.remaining);
        let leaks = self.replicas.iter().map(|own| own.leaks + own.headers.1);
        let restored = self.restored.iter().map(|own| own.remaining);
        let local = self.local.iter().map(|own| own.leaks);
        live.chain(leaks).chain(local).chain(restored).sum()
    }
}
