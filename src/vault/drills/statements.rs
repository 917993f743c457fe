//! What people say of a drill after it has run: a chain of files, each signed with the key of who says it.
//!
//! Every statement names the SHA-256 of the record or of the statement before it, so that nobody can take one
//! out, put one in between, or have said it of something else than what they looked at. The chain ends before the
//! first file that no known person signed, that is damaged everywhere, or that does not follow. Two people who
//! speak at once write the same number: the first replica takes one of them. Where both were taken, because they
//! reached different replicas, the one that is continued counts, else the earlier; the other is told.
//!
//! That a finding is closed is a file of its own, signed by a key of the vault.
//!
//! **If we crash here** some replicas lack the newest statement; replication brings it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::{ROLES, StoredDrill, keys, store_signed};
use crate::clock::rfc3339;
use crate::ids::{Digest, SnapshotId};
use crate::progress::Problem;
use crate::vault::envelope;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::drill::{CLOSED_KIND, ClosedFile, STATEMENT_KIND, Statement, StatementFile};
use crate::vault::format::{VERSION, to_json};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::signing::{SigningKey, VerifyingKey};

/// Kind of the problem that a statement does not count, and so nothing behind it.
pub const BROKEN: &str = "drill-statement-refused";

/// Somebody whose signature counts, by the name and the key that the configuration gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatory {
    /// Their name.
    pub name: String,
    /// The public half of their key.
    pub key: VerifyingKey,
}

/// A statement as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// What was said.
    pub file: StatementFile,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its bytes, and the signature over them.
    pub signed: (Bytes, Bytes),
}

/// That a finding is closed, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClosed {
    /// What was said.
    pub file: ClosedFile,
    /// Its bytes, and the signature over them.
    pub signed: (Bytes, Bytes),
}

/// What somebody says.
#[derive(Debug, Clone)]
pub struct Saying<'a> {
    /// Who.
    pub by: &'a str,
    /// In whose place.
    pub for_: Option<&'a str>,
    /// What it is.
    pub what: Statement,
    /// The note, or answers as JSON; sealed before it is stored.
    pub body: &'a str,
    /// Their key.
    pub key: &'a SigningKey,
}

/// Seals a note for the content recipients; as it is in a vault without encryption.
///
/// # Errors
///
/// Those of encrypting.
pub fn seal_note(vault: &Vault, note: &str) -> Result<String> {
    match vault.is_encrypted() {
        false => Ok(note.to_owned()),
        true => Ok(BASE64.encode(envelope::seal(note.as_bytes(), &vault.trust.content_recipients)?)),
    }
}

/// Reads a note; `None` where no identity here reads it.
pub fn open_note(vault: &Vault, sealed: &str) -> Option<String> {
    if !vault.is_encrypted() {
        return Some(sealed.to_owned());
    }
    let bytes = BASE64.decode(sealed).ok()?;
    String::from_utf8(envelope::open(&bytes, vault.identities()).ok()?).ok()
}

/// Returns the statements about a drill that count, in order: each signed with the key of the person whom it
/// names, and following from the record or the statement before it. What does not count is a problem.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn statements(
    vault: &Vault,
    drill: &StoredDrill,
    people: &[Signatory],
) -> Result<(Vec<StoredStatement>, Vec<Problem>)> {
    let id = &drill.file.drill;
    let keys = keys(vault, &layout::drill_statements(id)).await?;
    let (mut all, mut problems) = (Vec::<StoredStatement>::new(), Vec::new());
    let mut next = variants(vault, &keys, id, 1, people).await;
    for n in 1.. {
        let Some((mut found, refused)) = next.take() else { break };
        next = variants(vault, &keys, id, n + 1, people).await;
        let key = layout::drill_statement(id, n);
        let before = all.last().map_or(drill.digest, |last| last.digest);
        found.retain(|one| one.file.n == n && one.file.before == before && one.file.drill == *id);
        let is_continued = |one: &StoredStatement| {
            next.iter().flat_map(|(later, _)| later).any(|later| later.file.before == one.digest)
        };
        found.sort_by_key(|one| (!is_continued(one), one.file.at.clone(), one.digest));
        let mut found = found.into_iter();
        let Some(one) = found.next() else {
            let detail = refused.unwrap_or_else(|| {
                "it does not follow from the record and the statements before it".to_owned()
            });
            let detail = format!("it does not count, and nothing behind it does: {detail}");
            problems.push(Problem::new(BROKEN, key, detail));
            break;
        };
        if let Some(other) = found.next() {
            let (by, at) = (&other.file.by, &other.file.at);
            let detail = format!(
                "two people wrote it at once: what {by} said at {at} does not count, they must say it again"
            );
            problems.push(Problem::new("drill-statement-written-twice", key, detail));
        }
        all.push(one);
    }
    // One behind a gap has lost what it follows from.
    let last = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let behind = keys.iter().filter_map(|key| layout::parse_drill_statement(key)).map(|(_, n)| n).max();
    if let Some(behind) = behind.filter(|behind| problems.is_empty() && *behind > last) {
        let detail = format!("number {} is missing on every replica", last.saturating_add(1));
        problems.push(Problem::new(BROKEN, layout::drill_statement(id, behind), detail));
    }
    Ok((all, problems))
}

/// The different good files of one number on all live replicas, and what is wrong with one that is not; `None`
/// where no replica lists it.
async fn variants(
    vault: &Vault,
    keys: &BTreeSet<String>,
    drill: &SnapshotId,
    n: u32,
    people: &[Signatory],
) -> Option<(Vec<StoredStatement>, Option<String>)> {
    let key = layout::drill_statement(drill, n);
    if !keys.contains(&key) {
        return None;
    }
    let known: Vec<VerifyingKey> = people.iter().map(|person| person.key.clone()).collect();
    let (mut found, mut refused) = (Vec::<StoredStatement>::new(), None);
    for replica in vault.replicas.live() {
        let read = vault.read_signed_on(replica, &key, STATEMENT_KIND, &known).await;
        match read.map_err(|error| with_causes(&error)).and_then(|signed| parse(signed, people)) {
            Ok(one) if found.iter().any(|known| known.digest == one.digest) => {}
            Ok(one) => found.push(one),
            Err(why) => refused = Some(why),
        }
    }
    Some((found, refused))
}

fn parse(signed: (Bytes, Bytes), people: &[Signatory]) -> std::result::Result<StoredStatement, String> {
    let file: StatementFile =
        serde_json::from_slice(&signed.0).map_err(|error| format!("it cannot be read: {error}"))?;
    let signature = String::from_utf8_lossy(&signed.1);
    let is_theirs = |person: &Signatory| person.name == file.by && person.key.verifies(&signed.0, &signature);
    match people.iter().any(is_theirs) {
        true => Ok(StoredStatement { digest: Digest::of(&signed.0), file, signed }),
        false => Err(format!("{:?} did not sign it: the key is somebody else's", file.by)),
    }
}

/// Stores what somebody says on every live replica; `earlier` is all that was said before, as they saw it.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when somebody else spoke meanwhile, or it is larger than what is read back;
/// [`ErrorKind::TooFewReplicas`].
pub async fn state(
    vault: &Vault,
    drill: &StoredDrill,
    earlier: &[StoredStatement],
    saying: &Saying<'_>,
) -> Result<StoredStatement> {
    vault.require_may_write().await?;
    let n = u32::try_from(earlier.len()).unwrap_or(u32::MAX).saturating_add(1);
    let key = layout::drill_statement(&drill.file.drill, n);
    let file = StatementFile {
        kind: STATEMENT_KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: key.clone(),
        drill: drill.file.drill.clone(),
        n,
        before: earlier.last().map_or(drill.digest, |last| last.digest),
        at: rfc3339(vault.now()),
        by: saying.by.to_owned(),
        for_: saying.for_.map(str::to_owned),
        what: saying.what.clone(),
        body: seal_note(vault, saying.body)?,
    };
    let bytes = Bytes::from(to_json(&file));
    if bytes.len() as u64 > vault.limits().small_object_bytes_max {
        let error = VaultError::new(ErrorKind::Refused, "this statement is larger than what is read back");
        return Err(error.hint("say less at once"));
    }
    let signature = Bytes::from(saying.key.sign(&bytes, &key).into_bytes());
    store_signed(vault, &key, &bytes, &signature).await?;
    Ok(StoredStatement { digest: Digest::of(&bytes), file, signed: (bytes, signature) })
}

/// Returns the findings that somebody closed, by their ids, with the signed files; of one that was closed under
/// several drills the earliest. One that no key of the vault signed is a warning, and closes nothing.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn closures(vault: &Vault) -> Result<BTreeMap<String, StoredClosed>> {
    let mut all = BTreeMap::<String, StoredClosed>::new();
    for key in keys(vault, layout::DRILLS).await?.into_iter().filter(|key| layout::is_closed_finding(key)) {
        let candidate = match vault.read_candidate(&key, CLOSED_KIND, ROLES).await {
            Ok(candidate) => candidate,
            Err(error) => {
                vault.warn(Problem::new("drill-finding-not-closed", key, with_causes(&error)));
                continue;
            }
        };
        let file = match serde_json::from_slice::<ClosedFile>(&candidate.bytes) {
            Ok(file) if layout::closed_finding(&file.drill, &file.finding) == key => file,
            Ok(_) => {
                vault.warn(Problem::new("drill-finding-not-closed", key, "it is of another finding"));
                continue;
            }
            Err(error) => {
                vault.warn(Problem::new("drill-finding-not-closed", key, error.to_string()));
                continue;
            }
        };
        if all.get(&file.finding).is_none_or(|known| file.at < known.file.at) {
            let stored = StoredClosed { signed: (candidate.bytes, candidate.signature), file };
            all.insert(stored.file.finding.clone(), stored);
        }
    }
    Ok(all)
}

/// Returns the findings that somebody closed, by their ids.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn closed(vault: &Vault) -> Result<BTreeMap<String, ClosedFile>> {
    let all = closures(vault).await?;
    Ok(all.into_iter().map(|(finding, stored)| (finding, stored.file)).collect())
}

/// Closes a finding, on every live replica.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when it is closed already; [`ErrorKind::Identity`] without a key of the vault;
/// [`ErrorKind::TooFewReplicas`].
pub async fn close(
    vault: &Vault,
    drill: &SnapshotId,
    finding: &str,
    by: &str,
    note: &str,
) -> Result<ClosedFile> {
    let signer = vault.signer(ROLES)?;
    vault.require_may_write().await?;
    let key = layout::closed_finding(drill, finding);
    let file = ClosedFile {
        kind: CLOSED_KIND.to_owned(),
        format: VERSION,
        vault: vault.file.vault,
        key: key.clone(),
        finding: finding.to_owned(),
        drill: drill.clone(),
        at: rfc3339(vault.now()),
        by: by.to_owned(),
        note: seal_note(vault, note)?,
    };
    let bytes = Bytes::from(to_json(&file));
    let signature = Bytes::from(signer.sign(&bytes, &key).into_bytes());
    store_signed(vault, &key, &bytes, &signature).await?;
    Ok(file)
}
