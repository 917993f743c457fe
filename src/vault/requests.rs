//! Data-subject requests: of each case a row of signed, numbered files that only grows.
//!
//! Every replica holds the same files; what counts is the union. Each names the one before it by its
//! SHA-256, so nothing can be taken out of a row or put into it. What happened is encrypted to the
//! privacy recipients, also in a vault without encryption; beside it lies a summary without personal
//! data, so that a host without privacy keys can warn of what is due.
//!
//! A number is written once on each replica. Where two people could not see each other and wrote one
//! number on different replicas, the file that another continues counts, else the earlier one; the
//! other is reported, and what it says is to be recorded again.
//!
//! A row that ends with files by a retired key is read, with a warning, until somebody who may
//! continues it: a case must not lose its last entries because a colleague left.
//!
//! **If we crash here** a replica holds a signature without its file, which nobody reads and the next
//! writer replaces, or lacks the newest file, which the next writer or a replication brings.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::join_all;
use serde_json::value::RawValue;

use super::envelope::{self, HeaderError, Recipient};
use super::error::{ErrorKind, Result, VaultError};
use super::format::request::{KIND, RequestBody, RequestFile, RequestSummary, SealedSummary};
use super::format::trust::Role;
use super::format::{VERSION, to_json};
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use super::signed::Candidate;
use super::{case_files, layout, purged};
use crate::clock::rfc3339;
use crate::ids::{CaseId, Digest};
use crate::progress::Problem;

/// Who signs what happens to a case.
const ROLES: &[Role] = &[Role::Privacy];

/// The files of a case, oldest first.
#[derive(Debug)]
pub struct RequestRow {
    /// The case.
    pub case: CaseId,
    files: Vec<Stored>,
}

#[derive(Debug, Clone)]
struct Stored {
    file: RequestFile,
    digest: Digest,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    is_current: bool,
}

/// On which replicas there is a file of which number, by case.
type Listed = BTreeMap<CaseId, BTreeSet<u32>>;

/// Lists the cases that are kept.
async fn list(vault: &Vault) -> Listed {
    let asked = vault
        .replicas
        .live()
        .map(|replica| async move { (replica, replica.store.list(layout::REQUESTS).await) });
    let (mut listed, mut purged) = (Listed::new(), BTreeSet::new());
    for (replica, objects) in join_all(asked).await {
        match objects {
            Ok(objects) => {
                purged.extend(objects.iter().filter_map(|object| layout::parse_purged(&object.key)));
                for (case, n) in objects.iter().filter_map(|object| layout::parse_request(&object.key)) {
                    listed.entry(case).or_default().insert(n);
                }
            }
            Err(error) => replica.fail(error),
        }
    }
    for case in &purged {
        let below = format!("{}/{case}", layout::REQUESTS);
        vault.cache.forget_unlisted(&below, |key| layout::parse_purged(key).is_some());
    }
    // Of a case that is kept no longer a replica that was away may have entries: it is there no more.
    purged.retain(|case| listed.contains_key(case));
    let purged = purged::among(vault, &purged).await;
    listed.retain(|case, _| !purged.contains(case));
    listed
}

/// Returns the ids of all cases on any live replica.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn cases(vault: &Vault) -> Result<Vec<CaseId>> {
    let listed = list(vault).await;
    vault.replicas.require_any()?;
    Ok(listed.into_keys().collect())
}

/// Reads the summary of every case, by its newest file; one that cannot be read is a problem.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn summaries(vault: &Vault) -> Result<(Vec<RequestSummary>, Vec<Problem>)> {
    let listed = list(vault).await;
    vault.replicas.require_any()?;
    let read = in_parallel(listed, vault.limits.store_concurrency, |(case, numbers)| async move {
        let result = newest_summary(vault, &case, numbers).await;
        (case, result)
    })
    .await;
    let (mut summaries, mut problems) = (Vec::new(), Vec::new());
    for (case, result) in read {
        match result {
            Ok(summary) => summaries.push(summary),
            Err(error) => {
                problems.push(Problem::new("request-unreadable", case.to_string(), with_causes(&error)));
            }
        }
    }
    Ok((summaries, problems))
}

async fn newest_summary(vault: &Vault, case: &CaseId, numbers: BTreeSet<u32>) -> Result<RequestSummary> {
    for n in numbers.into_iter().rev() {
        let key = layout::request(case, n);
        // Any good copy will do, and one that was read before is in the cache.
        match vault.read_candidate(&key, KIND, ROLES).await {
            Ok(candidate) => return stored(candidate, case, n)?.summary(vault),
            // A file that nobody trusted signed is none; anybody may have put it there.
            Err(error) if error.kind == ErrorKind::NotTrusted => {}
            Err(error) => return Err(error),
        }
    }
    Err(damaged(case, "no file of it is signed by a key that may"))
}

/// Reads the files of a case; `None` when no live replica has any.
///
/// # Errors
///
/// [`ErrorKind::Integrity`] when one is missing or does not fit to the one before; those of a store.
pub async fn load(vault: &Vault, case: &CaseId) -> Result<Option<RequestRow>> {
    let Some(numbers) = list(vault).await.remove(case) else {
        vault.replicas.require_any()?;
        return Ok(None);
    };
    let last = numbers.last().copied().unwrap_or(0);
    if numbers.len() != last as usize {
        return Err(damaged(case, "files in the middle of it are on no replica"));
    }
    let mut by_number = in_parallel(numbers, vault.limits.store_concurrency, |n| async move {
        (n, read_number(vault, case, n).await)
    })
    .await
    .into_iter()
    .map(|(n, read)| read.map(|files| (n, files)))
    .collect::<Result<Vec<_>>>()?;
    while let Some((n, _)) = by_number.pop_if(|(_, files)| files.is_empty()) {
        let detail = "no trusted key signed it, so it is passed over; remove it where it lies".to_owned();
        vault.warn(Problem::new("not-a-request-event", layout::request(case, n), detail));
    }
    let files = row_of(vault, case, by_number)?;
    if files.is_empty() {
        return Ok(None);
    }
    if let Some(end) = files.last().filter(|end| !end.is_current) {
        let detail = format!(
            "a key that is trusted no longer signed the last entry of case {case}; if it is right, run `prismvault privacy note {case}` to confirm it"
        );
        vault.warn(Problem::new("request-by-retired-key", end.file.key.clone(), detail));
    }
    Ok(Some(RequestRow { case: case.clone(), files }))
}

/// Chooses, number after number, the file that fits to the one before.
fn row_of(vault: &Vault, case: &CaseId, mut by_number: Vec<(u32, Vec<Stored>)>) -> Result<Vec<Stored>> {
    let mut row: Vec<Stored> = Vec::new();
    // From the end, because what is continued counts.
    let mut named: Option<Option<Digest>> = None;
    while let Some((n, mut files)) = by_number.pop() {
        files.sort_by_key(Stored::age);
        let at = match &named {
            None => (!files.is_empty()).then_some(0),
            Some(digest) => files.iter().position(|file| Some(file.digest) == *digest),
        };
        let Some(at) = at else {
            return Err(damaged(case, &format!("number {} does not follow number {n}", n + 1)));
        };
        let counts = files.remove(at);
        if !files.is_empty() {
            let detail = format!(
                "two people wrote number {n} of case {case} at once; the earlier counts, the other must be recorded again"
            );
            vault.warn(Problem::new("request-written-twice", counts.file.key.clone(), detail));
        }
        named = Some(counts.file.before);
        row.push(counts);
    }
    if named.flatten().is_some() {
        return Err(damaged(case, "its first entry names one before it"));
    }
    row.reverse();
    Ok(row)
}

/// Reads the different files of one number on all live replicas.
async fn read_number(vault: &Vault, case: &CaseId, n: u32) -> Result<Vec<Stored>> {
    let key = layout::request(case, n);
    let candidates = vault.read_variants(&key, KIND, ROLES).await;
    candidates.into_iter().map(|candidate| stored(candidate, case, n)).collect()
}

fn stored(candidate: Candidate, case: &CaseId, n: u32) -> Result<Stored> {
    let key = layout::request(case, n);
    let file: RequestFile = serde_json::from_slice(&candidate.bytes)
        .map_err(|error| VaultError::damaged(&key, &"a replica", error))?;
    if file.case != *case || file.n != n || file.format != VERSION {
        return Err(VaultError::damaged(&key, &"a replica", "it is of another place in the row"));
    }
    Ok(Stored {
        digest: Digest::of(&candidate.bytes),
        bytes: candidate.bytes.to_vec(),
        signature: candidate.signature.to_vec(),
        is_current: candidate.author.is_current,
        file,
    })
}

fn damaged(case: &CaseId, why: &str) -> VaultError {
    VaultError::new(ErrorKind::Integrity, format!("the case {case} is not whole: {why}")).hint(
        "bring back the replica that holds the rest of it; `prismvault privacy list` shows the other cases",
    )
}

impl Stored {
    fn age(&self) -> (bool, String, Digest) {
        (!self.is_current, self.file.written.clone(), self.digest)
    }

    fn summary(&self, vault: &Vault) -> Result<RequestSummary> {
        let summary = match &self.file.summary {
            SealedSummary::Clear(summary) => summary.clone(),
            SealedSummary::Age(text) => {
                let plain = self.open(vault, text, || {
                    vault.item_key().err().unwrap_or_else(|| self.damaged("its summary is for others"))
                })?;
                serde_json::from_slice(&plain).map_err(|error| self.damaged(&error.to_string()))?
            }
        };
        if summary.case != self.file.case {
            return Err(self.damaged("its summary is of another case"));
        }
        Ok(summary)
    }

    /// What only privacy recipients read; `None` where it was not written to one who is here.
    fn body(&self, vault: &Vault) -> Result<Option<RequestBody>> {
        let not_for_us = || VaultError::new(ErrorKind::Identity, "");
        match self.open(vault, &self.file.event, not_for_us) {
            Ok(plain) => {
                // What serde says may quote what it read.
                let body = serde_json::from_slice(&plain).map_err(|_| self.damaged("it is no event"))?;
                Ok(Some(body))
            }
            Err(error) if error.kind == ErrorKind::Identity => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, vault: &Vault, text: &str, not_for_us: impl Fn() -> VaultError) -> Result<Vec<u8>> {
        let sealed = BASE64.decode(text).map_err(|_| self.damaged("it is not base64"))?;
        envelope::open(&sealed, vault.identities()).map_err(|error| match error {
            HeaderError::NotARecipient => not_for_us(),
            HeaderError::Damaged => self.damaged("it cannot be decrypted"),
        })
    }

    fn damaged(&self, why: &str) -> VaultError {
        VaultError::damaged(&self.file.key, &"all replicas", why)
    }
}

impl RequestRow {
    /// Returns the row of a case of which nothing is written yet.
    pub fn new(case: CaseId) -> Self {
        Self { case, files: Vec::new() }
    }

    /// How many events it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// SHA-256 of its last file.
    pub fn last(&self) -> Option<Digest> {
        self.files.last().map(|stored| stored.digest)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the events as JSON, oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when an identity is missing that reads them; [`ErrorKind::Integrity`].
    pub fn events(&self, vault: &Vault) -> Result<Vec<Box<RawValue>>> {
        let mut events: Vec<Option<Box<RawValue>>> = Vec::new();
        for stored in &self.files {
            match stored.body(vault)? {
                Some(body) => {
                    // Who came later reads in it what was written before.
                    if body.history.len() == events.len() {
                        for (slot, earlier) in events.iter_mut().zip(body.history) {
                            slot.get_or_insert(earlier);
                        }
                    }
                    events.push(Some(body.event));
                }
                None => events.push(None),
            }
        }
        let missing = events.iter().filter(|event| event.is_none()).count();
        events.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
            require_reader(vault, &self.case).err().unwrap_or_else(|| {
                VaultError::new(
                    ErrorKind::Identity,
                    format!(
                        "{missing} entries of case {} were written before this identity could read cases",
                        self.case
                    ),
                )
                .hint("let somebody who reads them run `prismvault privacy rewrap`")
            })
        })
    }

    /// Returns the summary after its last event.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when an identity is missing that reads catalogs.
    pub fn summary(&self, vault: &Vault) -> Result<Option<RequestSummary>> {
        self.files.last().map(|stored| stored.summary(vault)).transpose()
    }

    /// Whether a privacy recipient of now may be unable to read some of it.
    pub fn needs_rewrap(&self, vault: &Vault) -> bool {
        // The last file is enough where it was written to all of now: it had the history, if needed.
        !self.files.is_empty() && !self.is_for_all(vault, self.files.len() - 1)
    }

    /// Whether event `at`, from 0, was written to all privacy recipients of now.
    pub fn is_for_all(&self, vault: &Vault, at: usize) -> bool {
        let now: BTreeSet<&Recipient> = vault.trust.privacy_recipients.iter().collect();
        let readers = |n: u32| {
            let record = vault.trust_history().find(|record| record.n == n);
            record.map(|record| record.privacy_recipients.iter().collect::<BTreeSet<_>>()).unwrap_or_default()
        };
        self.files.get(at).is_some_and(|stored| now.is_subset(&readers(stored.file.trust)))
    }

    /// Writes the next event to every live replica. `event` is JSON; `earlier` the events before it, as
    /// [`events`](Self::events) returned them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] without a privacy recipient in the trust record, or a key that signs
    /// cases; [`ErrorKind::Refused`] when somebody else wrote this number meanwhile: then nothing was
    /// recorded; [`ErrorKind::TooFewReplicas`].
    pub async fn append(
        &mut self,
        vault: &Vault,
        event: Box<RawValue>,
        earlier: Vec<Box<RawValue>>,
        summary: RequestSummary,
    ) -> Result<()> {
        require_recipients(vault)?;
        let signer = vault.signer(ROLES)?;
        vault.require_may_write().await?;
        let n = u32::try_from(self.files.len()).unwrap_or(u32::MAX).saturating_add(1);
        let key = layout::request(&self.case, n);
        let recipients = &vault.trust.privacy_recipients;
        let history = if self.needs_rewrap(vault) { earlier } else { Vec::new() };
        let body = serde_json::to_vec(&RequestBody { event, history })
            .expect("structures of the format always serialise");
        let catalog = &vault.trust.catalog_recipients;
        let sealed_summary = if catalog.is_empty() {
            SealedSummary::Clear(summary)
        } else {
            SealedSummary::Age(BASE64.encode(envelope::seal(&to_json(&summary), catalog)?))
        };
        let file = RequestFile {
            kind: KIND.to_owned(),
            format: VERSION,
            vault: vault.file.vault,
            key: key.clone(),
            case: self.case.clone(),
            n,
            before: self.files.last().map(|last| last.digest),
            written: rfc3339(vault.now()),
            trust: vault.trust.n,
            summary: sealed_summary,
            event: BASE64.encode(envelope::seal(&body, recipients)?),
        };
        let bytes = to_json(&file);
        if bytes.len() as u64 > vault.limits.small_object_bytes_max {
            return Err(VaultError::new(ErrorKind::Refused, "this entry is larger than what is read back")
                .hint("record less at once; copies of documents do not belong into a case"));
        }
        let signature = signer.sign(&bytes, &key).into_bytes();
        let stored = Stored { digest: Digest::of(&bytes), file, bytes, signature, is_current: true };
        self.bring_up_to_date(vault).await;
        vault.replicas.require_enough()?;
        self.store(vault, &stored).await?;
        self.files.push(stored);
        Ok(())
    }

    async fn store(&self, vault: &Vault, stored: &Stored) -> Result<()> {
        let mut taken = false;
        // One after the other: the first replica decides between two who write at once.
        for replica in vault.replicas.live() {
            match stored.store_on(replica).await {
                Ok(()) => taken = true,
                Err(error) if error.kind == ErrorKind::Refused && !taken => return Err(error),
                Err(error) => replica.fail(error),
            }
        }
        vault.replicas.require_enough()
    }

    /// Copies what live replicas lack of it; one that refuses is warned of.
    async fn bring_up_to_date(&self, vault: &Vault) {
        vault.bring_trust_up_to_date().await;
        for replica in vault.replicas.live() {
            let prefix = format!("{}/{}", layout::REQUESTS, self.case);
            let there: HashSet<String> = match replica.store.list(&prefix).await {
                Ok(objects) => objects.into_iter().map(|object| object.key).collect(),
                Err(error) => {
                    replica.fail(error);
                    continue;
                }
            };
            for stored in self.files.iter().filter(|stored| !there.contains(&stored.file.key)) {
                if let Err(error) = stored.store_on(replica).await {
                    replica.fail(error);
                    break;
                }
            }
        }
    }
}

impl Stored {
    async fn store_on(&self, replica: &Replica) -> Result<()> {
        let key = &self.file.key;
        let conflict = || {
            VaultError::new(
                ErrorKind::Refused,
                format!("somebody else recorded number {} of case {} on {} meanwhile", self.file.n, self.file.case, replica.store),
            )
            .hint("nothing was recorded: look at the case again with `prismvault privacy show`, then run the same again if it is still right")
        };
        match replica.store_signed_new(key, &self.bytes, &self.signature, conflict).await {
            Err(error) if error.kind == ErrorKind::Refused => Err(conflict().because(error)),
            stored => stored,
        }
    }
}

/// Brings every case to the replicas that lack some of it; returns what is wrong.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn bring_all(vault: &Vault) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    purged::bring(vault).await;
    for case in cases(vault).await? {
        match load(vault, &case).await {
            Ok(Some(row)) => {
                row.bring_up_to_date(vault).await;
                case_files::bring(vault, &case).await;
            }
            Ok(None) => {}
            Err(error) => {
                problems.push(Problem::new("request-unreadable", case.to_string(), with_causes(&error)));
            }
        }
    }
    Ok(problems)
}

/// Checks the copy of each file of each case on each live replica; returns replica, key, and what is
/// wrong. Where a case is not whole on all replicas together the replica is empty.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn check_copies(vault: &Vault) -> Result<Vec<(String, String, VaultError)>> {
    let mut wrong = Vec::new();
    for case in cases(vault).await? {
        let row = match load(vault, &case).await {
            Ok(Some(row)) => row,
            Ok(None) => continue,
            Err(error) => {
                wrong.push((String::new(), format!("{}/{case}", layout::REQUESTS), error));
                continue;
            }
        };
        for stored in &row.files {
            for replica in vault.replicas.live() {
                let key = &stored.file.key;
                if let Err(error) = vault.check_request_on(replica, key).await {
                    wrong.push((replica.name.clone(), key.clone(), error));
                }
            }
        }
    }
    Ok(wrong)
}

impl Vault {
    /// Checks the copy of a file of a case on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it; `NotFound` of the store when this replica does not hold it.
    pub(super) async fn check_request_on(&self, replica: &Replica, key: &str) -> Result<()> {
        // One by a key that was retired since is read as well.
        self.read_signed_on(replica, key, KIND, &self.former_signers(ROLES)).await.map(drop)
    }
}

/// Checks that somebody can read cases at all, before one is opened.
///
/// # Errors
///
/// [`ErrorKind::Identity`], with the commands that make one.
pub fn require_recipients(vault: &Vault) -> Result<()> {
    if !vault.trust.privacy_recipients.is_empty() {
        return Ok(());
    }
    Err(VaultError::new(
        ErrorKind::Identity,
        "nobody of this vault may read data-subject requests yet, so none can be stored",
    )
    .hint(
        "make the keys of a person who works on them: `prismvault keys generate --identity-to privacy.txt` and \
         `prismvault keys generate --signing-to privacy.key`; then the holder of the root key runs \
         `prismvault keys add --privacy AGE1… --approves RW…`",
    ))
}

/// Checks, before anything is read, that cases can be read with what is here.
///
/// # Errors
///
/// [`ErrorKind::Identity`] otherwise.
pub fn require_identity(vault: &Vault) -> Result<()> {
    require_one(
        vault,
        "this command reads data-subject requests and needs an identity that does, which is not here",
    )
}

/// The same, for one case.
///
/// # Errors
///
/// Those of [`require_identity`].
pub(super) fn require_reader(vault: &Vault, case: &CaseId) -> Result<()> {
    require_one(
        vault,
        &format!("reading case {case} needs an identity that reads data-subject requests, which is not here"),
    )
}

fn require_one(vault: &Vault, why: &str) -> Result<()> {
    let reads =
        |identity: &envelope::Identity| vault.trust.privacy_recipients.contains(&identity.recipient());
    if vault.identities().iter().any(reads) {
        return Ok(());
    }
    Err(VaultError::new(ErrorKind::Identity, why).hint(
        "set `privacy` in [keys] to its file, or pass --identity FILE; the recovery identity does not read cases",
    ))
}
