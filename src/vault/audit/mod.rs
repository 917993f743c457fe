//! The audit log: what was done to the vault, by whom, and how it ended.
//!
//! Every command that writes or deletes appends one entry when it ends, also when it failed or was
//! refused; one that deletes for good or changes who is trusted appends another before it begins, so
//! that a run which was killed is on record too. One hash chain a writer, so that hosts never wait for each other: a writer is a signing
//! key on a client, and a client without memory is a new writer every time.
//!
//! Invariants:
//! - An entry names the SHA-256 of the one before it, and is sent to a replica only after all
//!   before it are there. So a replica lacks entries at the end of a chain, if any.
//! - An entry names the replicas that took part, and so were sent it: one of them that lacks it
//!   when another came after lost it. One that was away catches up, by the next entry of that
//!   writer or by a repair. Of the newest entry only who remembers that all took it can tell.
//! - What is about to be written is remembered first. An entry in this client's chain that it
//!   neither remembers nor was about to write is somebody else's: the client begins another chain.
//! - Entries are not signed. The next manifest or ledger entry of the writer names the newest one,
//!   which signs the chain up to there; what came after is known to the client that wrote it.
//!
//! **If we crash here** the entry is on no replica, and the next one takes its place, or on some,
//! and the next run brings it to the others first. The entry of how a command ended is the last
//! thing it writes: one that is killed has none, or only the one that says that it began.
//!
//! What it does not do: keep who can write to a replica and has no key from adding entries at the
//! end of a chain whose writer never comes back.

mod log;

pub use log::{AuditFinding, AuditLog, FindingKind, WriterChain};

use bytes::Bytes;
use futures_util::future::join_all;

use super::error::{ErrorKind, Result, VaultError};
use super::format::audit::{AuditEntry, AuditHead, AuditResult, KIND};
use super::format::{VERSION, to_json};
use super::layout;
use super::memory::RememberedAudit;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use super::signing::check_claims;
use crate::clock::rfc3339;
use crate::ids::{Digest, VaultId, WriterId, hex, random, unhex};
use crate::objects::Body;
use crate::progress::Problem;

/// What is recorded of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who ran it.
    pub principal: Option<String>,
    /// On which machine.
    pub host: Option<String>,
    /// The command, without its arguments.
    pub command: String,
    /// What it was about; ids only.
    pub subjects: Vec<String>,
    /// SHA-256 of the plan that was carried out.
    pub plan: Option<Digest>,
    /// How it ended, or that it begins.
    pub result: AuditResult,
    /// Exit code, when it has ended.
    pub exit_code: Option<u8>,
    /// Key of the entry that said that it began.
    pub begun: Option<String>,
}

/// An entry that was written.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The entry.
    pub head: AuditHead,
    /// What people should know: replicas that did not take it, a chain that was meddled with.
    pub problems: Vec<Problem>,
}

impl Vault {
    /// Returns the newest entry that this client wrote with the key that is here; `None` when it
    /// wrote none, or remembers nothing.
    pub(super) fn audit_head(&self) -> Option<AuditHead> {
        let remembered = self.memory.recall_audit().ok()?;
        let writer = self.audit_writer(remembered.client.as_deref()?)?;
        let (n, sha256) = *remembered.heads.get(&writer)?;
        Some(AuditHead { writer, n, sha256 })
    }

    /// Returns the writer that a client is with the key that is here; without a key it is one too.
    fn audit_writer(&self, client: &str) -> Option<WriterId> {
        let key = self.keys.signing.as_ref().or(self.keys.maintenance.as_ref());
        Some(WriterId::new(key.map_or([0; 8], |key| key.public().key_id()), unhex(client)?))
    }
}

/// Where the next entry goes.
struct Place {
    writer: WriterId,
    /// Number and SHA-256 of the entry before.
    before: Option<(u64, Digest)>,
}

/// Appends an entry to this client's chain, on every live replica.
///
/// # Errors
///
/// When no replica took it, or what this client remembers cannot be read. A replica that did not
/// take it is a problem of the result, not an error.
pub async fn append(vault: &Vault, event: Event) -> Result<Appended> {
    let _lock = vault.memory.lock_audit().await?;
    let mut remembered = vault.memory.recall_audit()?;
    let mut problems = Vec::new();
    let place = place_of_next(vault, &mut remembered, &mut problems).await?;
    let live: Vec<&Replica> = vault.replicas.live().collect();
    if let Some(before) = place.before {
        let brought = live.iter().map(|to| bring_chain(vault, &place.writer, before, to));
        for (replica, result) in live.iter().zip(join_all(brought).await) {
            if let Err(error) = result {
                problems.push(not_on(replica, &layout::audit(&place.writer, before.0), &error));
            }
        }
    }
    let entry = entry_of(vault, &place, event, &live);
    let bytes = to_json(&entry);
    let head = AuditHead { writer: place.writer, n: entry.n, sha256: Digest::of(&bytes) };
    remembered.pending = Some(head.clone());
    remember(vault, &remembered, &mut problems);
    let body = Body::bytes(bytes);
    let results = join_all(live.iter().map(|replica| replica.store_new(&entry.key, body.clone()))).await;
    let mut failure = None;
    let mut stored = 0;
    for (replica, result) in live.iter().zip(results) {
        match result {
            Ok(()) => stored += 1,
            Err(error) => {
                problems.push(not_on(replica, &entry.key, &error));
                failure = Some(error);
            }
        }
    }
    if stored == 0 {
        return Err(failure
            .unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")));
    }
    remembered.heads.insert(head.writer.clone(), (head.n, head.sha256));
    if stored == live.len() {
        remembered.pending = None;
    }
    remember(vault, &remembered, &mut problems);
    Ok(Appended { head, problems })
}

fn entry_of(vault: &Vault, place: &Place, event: Event, live: &[&Replica]) -> AuditEntry {
    let n = place.before.map_or(1, |(n, _)| n + 1);
    let mut subjects = event.subjects;
    let more = subjects.len().saturating_sub(vault.limits.audit_subjects_max);
    subjects.truncate(vault.limits.audit_subjects_max);
    AuditEntry {
        kind: KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: layout::audit(&place.writer, n),
        writer: place.writer.clone(),
        n,
        previous: place.before.map(|(_, digest)| digest),
        at: rfc3339(vault.clock.now()),
        principal: event.principal,
        host: event.host,
        command: event.command,
        subjects,
        more_subjects: more as u64,
        plan: event.plan,
        result: event.result,
        exit_code: event.exit_code,
        begun: event.begun,
        run: vault.run.clone(),
        replicas: live.iter().filter_map(|replica| replica.id()).collect(),
        tool: concat!("prismvault ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// Finds the end of this client's chain: what it remembers, or what it had begun to write. When
/// somebody else wrote there, it begins another chain.
async fn place_of_next(
    vault: &Vault,
    remembered: &mut RememberedAudit,
    problems: &mut Vec<Problem>,
) -> Result<Place> {
    let known = remembered.client.as_deref().and_then(|client| vault.audit_writer(client));
    let Some(writer) = known else { return Ok(new_chain(vault, remembered)) };
    let mut before = remembered.heads.get(&writer).copied();
    let next = before.map_or(1, |(n, _)| n + 1);
    let key = layout::audit(&writer, next);
    let live: Vec<&Replica> = vault.replicas.live().collect();
    let max = vault.limits.small_object_bytes_max;
    let looked = join_all(live.iter().map(|replica| replica.find_small(&key, max))).await;
    for (replica, found) in live.into_iter().zip(looked) {
        match found {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                let found = AuditHead { writer: writer.clone(), n: next, sha256: Digest::of(&bytes) };
                if remembered.pending.as_ref() == Some(&found) {
                    // A run was killed between writing it and remembering that it is written.
                    before = Some((next, found.sha256));
                    continue;
                }
                problems.push(Problem::new(
                    "audit-entry-of-another",
                    key,
                    format!(
                        "{} holds this entry, and this client did not write it: its state was copied to another host, put back from a backup, or somebody added to its log; it begins a new chain",
                        replica.name
                    ),
                ));
                return Ok(new_chain(vault, remembered));
            }
            Err(error) => {
                problems.push(not_on(replica, &key, &error));
                replica.fail(error);
            }
        }
    }
    if let Some((n, digest)) = before {
        remembered.heads.insert(writer.clone(), (n, digest));
    }
    Ok(Place { writer, before })
}

fn new_chain(vault: &Vault, remembered: &mut RememberedAudit) -> Place {
    let client = hex(&random::<8>());
    let writer = vault.audit_writer(&client).expect("eight bytes in hexadecimal are a client");
    remembered.client = Some(client);
    Place { writer, before: None }
}

/// Copies what a replica lacks of a chain, from its end downwards as far as nothing is there, and
/// writes it oldest first. Every entry is known by its hash before it is copied.
async fn bring_chain(vault: &Vault, writer: &WriterId, end: (u64, Digest), to: &Replica) -> Result<()> {
    let (mut n, mut digest) = end;
    let mut lacking = Vec::new();
    loop {
        let key = layout::audit(writer, n);
        match to.find_small(&key, vault.limits.small_object_bytes_max).await? {
            Some(bytes) if Digest::of(&bytes) == digest => break,
            Some(_) => {
                return Err(VaultError::damaged(
                    &key,
                    &to.store,
                    "it is not the entry that was written here",
                ));
            }
            None => {}
        }
        let Some(bytes) = find_copy(vault, &key, digest, to).await else { break };
        let previous = parse_entry(&bytes, &key, &vault.file.vault, &"all replicas")?.previous;
        lacking.push((key, bytes));
        match previous {
            Some(previous) if n > 1 => (n, digest) = (n - 1, previous),
            _ => break,
        }
    }
    while let Some((key, bytes)) = lacking.pop() {
        to.store_new(&key, Body::bytes(bytes)).await?;
    }
    Ok(())
}

/// Returns the copy of an entry that has this SHA-256, from any other live replica.
async fn find_copy(vault: &Vault, key: &str, digest: Digest, but: &Replica) -> Option<Bytes> {
    for replica in vault.replicas.live().filter(|replica| replica.name != but.name) {
        let found = replica.find_small(key, vault.limits.small_object_bytes_max).await;
        if let Ok(Some(bytes)) = found
            && Digest::of(&bytes) == digest
        {
            return Some(bytes);
        }
    }
    None
}

/// Parses an entry and checks that it is what its key says.
fn parse_entry(
    bytes: &[u8],
    key: &str,
    vault: &VaultId,
    place: &dyn std::fmt::Display,
) -> Result<AuditEntry> {
    check_claims(bytes, KIND, vault, key, place)?;
    let entry: AuditEntry =
        serde_json::from_slice(bytes).map_err(|error| VaultError::damaged(key, place, error))?;
    if layout::audit(&entry.writer, entry.n) != key {
        return Err(VaultError::damaged(key, place, "it names another writer or number than its key"));
    }
    if entry.previous.is_some() != (entry.n > 1) {
        return Err(VaultError::damaged(key, place, "only the first entry of a chain has none before it"));
    }
    Ok(entry)
}

fn not_on(replica: &Replica, key: &str, error: &VaultError) -> Problem {
    Problem::new("audit-not-written", key, format!("it is not on {}: {}", replica.name, with_causes(error)))
}

fn remember(vault: &Vault, remembered: &RememberedAudit, problems: &mut Vec<Problem>) {
    if let Err(error) = vault.memory.remember_audit(remembered) {
        let problem = Problem::new("not-remembered", "memory", with_causes(&error));
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}
