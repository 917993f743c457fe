//! The ledger of a space: signed entries that only accumulate.
//!
//! It is the union of what all replicas hold. Entries name the entries before them, manifests
//! and clients name its heads, so none can be dropped unseen: when one is missing, reading
//! content fails closed. An entry by a retired key counts only if another names it: see
//! `standing`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::chain::{self, Link};
use super::erasure::Erased;
use super::erasure::approval::Approved;
use super::error::{ErrorKind, Result, VaultError};
use super::fate::Fates;
use super::format::ledger::{Decision, KIND, LedgerEntry};
use super::format::{self, trust::Role};
use super::index::Headers;
use super::layout;
use super::lease::Step;
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use super::signed::Candidate;
use super::signing::{SigningKey, VerifyingKey};
use super::standing::{self, Author, Claim, Endorsed};
use crate::ids::{Digest, Name, SnapshotId};
use crate::objects::Body;
use crate::progress::Problem;

/// Who may sign entries at all; [`Decision::roles`] says who may sign which.
pub(super) const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];

impl Decision {
    /// Returns the roles of which a signer needs one to decide this. What takes something away
    /// needs the maintenance key, which a backup host can do without.
    pub fn roles(&self) -> &'static [Role] {
        match self {
            Self::AcceptedGap { .. } | Self::Hold { .. } | Self::Endorsement { .. } | Self::Unknown => ROLES,
            Self::Removal { .. }
            | Self::Undelete { .. }
            | Self::Release { .. }
            | Self::AcceptedShrink { .. }
            | Self::Rewrap { .. }
            | Self::Receipt(_) => &[Role::Maintenance],
            // Whoever carries it out; what it counts by are the approvals in it.
            Self::Erasure { .. } | Self::Restriction { .. } | Self::Lift { .. } => {
                &[Role::Maintenance, Role::Privacy]
            }
        }
    }
}

/// The entries of one space.
#[derive(Debug)]
pub struct Ledger {
    space: Name,
    /// Oldest first: by chain, then by time.
    entries: Vec<Stored>,
    fates: Fates,
    headers: Headers,
    erased: Arc<Erased>,
    endorsed: Endorsed,
    /// Files in its place of which no replica has a good copy.
    pub unreadable: Vec<Problem>,
}

/// An entry, with its bytes and its signature as stored.
#[derive(Debug)]
struct Stored {
    entry: LedgerEntry,
    digest: Digest,
    bytes: Vec<u8>,
    signature: Vec<u8>,
    author: Author,
    /// For an order of erasure, restriction or lift: by keys of when it is approved.
    approved: Option<Approved>,
    /// Names of replicas that hold it.
    on: HashSet<String>,
}

impl Ledger {
    /// Reads the ledger of a space from every live replica.
    ///
    /// # Errors
    ///
    /// Those of a store. An entry that no replica has a good copy of is in
    /// [`unreadable`](Self::unreadable).
    pub async fn load(vault: &Vault, space: &Name) -> Result<Self> {
        let mut holders: BTreeMap<SnapshotId, HashSet<String>> = BTreeMap::new();
        for replica in vault.replicas.live() {
            match replica.store.list(&format!("{}/{space}", layout::LEDGER)).await {
                Ok(objects) => {
                    for id in objects.iter().filter_map(|object| layout::parse_entry(&object.key)) {
                        holders.entry(id).or_default().insert(replica.name.clone());
                    }
                }
                Err(error) => replica.fail(error),
            }
        }
        let read = in_parallel(holders, vault.limits.store_concurrency, |(id, on)| async move {
            let key = layout::ledger(space, &id);
            let candidate = vault.read_candidate(&key, KIND, ROLES).await;
            (candidate.and_then(|candidate| stored(vault, candidate, &key, on.clone())), key, on)
        })
        .await;
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        for (stored, key, on) in read {
            match stored {
                Ok(stored) => found.push((stored, on)),
                // A file that nobody trusted signed is no entry. A real one that was damaged is
                // missed by whoever names it.
                Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => {
                    unreadable.push(Problem::new("ledger-unreadable", key, with_causes(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        let (mut entries, endorsed) = those_that_count(vault, found, &mut unreadable).await;
        chain::sort(&mut entries);
        let (mut fates, mut headers) = (Fates::default(), Headers::default());
        for stored in &entries {
            fates.apply(&stored.entry);
            headers.apply(&stored.entry.decision);
        }
        let erased = Arc::new(Erased::of(entries.iter().map(|stored| (&stored.entry, stored.digest))));
        Ok(Self { space: space.clone(), entries, fates, headers, erased, endorsed, unreadable })
    }

    /// Returns the spaces that have entries on any live replica.
    ///
    /// # Errors
    ///
    /// Those of a store.
    pub async fn spaces(vault: &Vault) -> Result<BTreeSet<Name>> {
        let mut spaces = BTreeSet::new();
        for replica in vault.replicas.live() {
            match replica.store.list(layout::LEDGER).await {
                Ok(objects) => {
                    let scopes = objects.iter().filter_map(|object| layout::scope(&object.key)?.parse().ok());
                    spaces.extend(scopes);
                }
                Err(error) => replica.fail(error),
            }
        }
        Ok(spaces)
    }

    /// What the entries decided about manifests.
    pub fn fates(&self) -> &Fates {
        &self.fates
    }

    /// What the entries say about headers of packs, and about index objects.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What the entries say is read no more, and what is under restriction.
    pub fn erased(&self) -> &Arc<Erased> {
        &self.erased
    }

    /// What the entries name that may be by a retired key.
    pub(super) fn endorsed(&self) -> &Endorsed {
        &self.endorsed
    }

    /// Returns SHA-256, signer and needed roles of every entry, and what its signer endorsed by it.
    pub(super) fn authors(
        &self,
    ) -> impl Iterator<Item = (Digest, &VerifyingKey, &'static [Role], &[Digest])> + '_ {
        self.entries.iter().map(|stored| {
            let files: &[Digest] = match &stored.entry.decision {
                Decision::Endorsement { files } => files,
                _ => &[],
            };
            (stored.digest, &stored.author.key, stored.entry.decision.roles(), files)
        })
    }

    /// SHA-256 of the entry with an order, by its text to the letter.
    pub fn decided(&self, order: &str) -> Option<Digest> {
        let is_it = |stored: &&Stored| stored.entry.decision.signed().is_some_and(|(own, _)| own == order);
        self.entries.iter().find(is_it).map(|stored| stored.digest)
    }

    /// Returns SHA-256 and approving keys of every order.
    pub(super) fn approvers(&self) -> impl Iterator<Item = (Digest, Vec<&VerifyingKey>)> + '_ {
        self.entries.iter().filter_map(|stored| {
            let (_, approvals) = stored.entry.decision.signed()?;
            Some((stored.digest, approvals.iter().map(|approval| &approval.key).collect()))
        })
    }

    /// Entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.iter().map(|stored| &stored.entry)
    }

    /// SHA-256 of the entries that no other names.
    pub fn heads(&self) -> Vec<Digest> {
        chain::heads(&self.entries)
    }

    fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.iter().map(|stored| stored.digest)
    }

    /// Checks that no entry that is named by another, by a manifest or by this client's memory is
    /// missing, and that none decides what this program does not understand.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] or [`ErrorKind::UnknownFormat`]; content must not be read then.
    pub fn require_whole<'a>(
        &'a self,
        vault: &Vault,
        named: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<()> {
        let remembered = vault.remembered_ledger(&self.space)?;
        let there: HashSet<_> = self.digests().collect();
        let parents = self.entries().flat_map(|entry| entry.parents.iter().copied());
        let named = named.into_iter().copied();
        if let Some(missing) = parents.chain(named).chain(remembered).find(|digest| !there.contains(digest)) {
            return Err(VaultError::new(
                ErrorKind::Integrity,
                format!("the ledger lacks an entry with the SHA-256 {missing}, which others name"),
            )
            .hint("bring back the replica that holds it; until then content is not read, because the entry may forbid it"));
        }
        match self.entries().find(|entry| entry.critical && entry.decision == Decision::Unknown) {
            Some(entry) => Err(VaultError::new(
                ErrorKind::UnknownFormat,
                format!("{} decides something that this prismvault does not know", entry.key),
            )
            .hint("use a newer prismvault to read content from this vault")),
            None => Ok(()),
        }
    }

    /// Checks that every entry is there, can be read and is understood, as who deletes must: what
    /// is not known may be what forbids it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`], or those of [`require_whole`](Self::require_whole).
    pub fn require_understood<'a>(
        &'a self,
        vault: &Vault,
        named: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<()> {
        self.require_whole(vault, named)?;
        let refused = |what: String, hint: &str| Err(VaultError::new(ErrorKind::Refused, what).hint(hint));
        if let Some(problem) = self.unreadable.first() {
            return refused(
                format!("{} cannot be read, and may forbid it: {}", problem.subject, problem.detail),
                "bring a good copy of it; if nobody of yours wrote it, remove it where it lies",
            );
        }
        match self.entries().find(|entry| entry.decision == Decision::Unknown) {
            Some(entry) => refused(
                format!("{} decides something that this prismvault does not know", entry.key),
                "use a newer prismvault to remove anything from this vault",
            ),
            None => Ok(()),
        }
    }

    /// Returns the keys of manifests that are removed from every replica, as far as their ids are
    /// known.
    pub(super) fn removed_manifests(&self) -> impl Iterator<Item = String> + '_ {
        let removals = self.entries().filter_map(|entry| match &entry.decision {
            Decision::Removal { repository, snapshots, .. } => Some((repository, snapshots)),
            _ => None,
        });
        removals.flat_map(|(repository, snapshots)| {
            let gone = snapshots.iter().filter(|snapshot| self.fates.of(&snapshot.sha256).is_removed());
            gone.filter_map(|snapshot| Some(layout::manifest(repository, snapshot.snapshot.as_ref()?)))
        })
    }

    /// Returns the accepted gaps of a repository: path and reason.
    pub fn accepted_gaps(&self, of: &Name) -> BTreeMap<&str, &str> {
        self.entries()
            .filter_map(|entry| match &entry.decision {
                Decision::AcceptedGap { repository, path, reason } if repository == of => {
                    Some((path.as_str(), reason.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// Writes a decision to every live replica.
    ///
    /// # Errors
    ///
    /// Without a key that may decide this, when two replicas say to be one, or when fewer than
    /// `min_copies` replicas take it.
    pub async fn append(&self, vault: &Vault, space: &Name, decision: Decision) -> Result<LedgerEntry> {
        let signer = vault.signer(decision.roles())?;
        self.append_by(vault, space, decision, signer).await
    }

    /// Writes a decision by this key, which must be one that may decide it.
    pub(super) async fn append_by(
        &self,
        vault: &Vault,
        space: &Name,
        decision: Decision,
        signer: &SigningKey,
    ) -> Result<LedgerEntry> {
        vault.require_may_write().await?;
        vault.require_lease(Step::Removes).await?;
        let id = SnapshotId::new(vault.clock.now());
        let entry = LedgerEntry {
            kind: KIND.to_owned(),
            format: format::VERSION,
            vault: vault.file.vault,
            key: layout::ledger(space, &id),
            space: space.clone(),
            id,
            parents: self.heads(),
            critical: decision.is_critical(),
            audit: vault.audit_head(),
            decision,
        };
        let bytes = format::to_json(&entry);
        let signature = signer.sign(&bytes, &entry.key);
        self.bring_up_to_date(vault).await;
        // The signature first: an entry without one would be refused by every reader.
        vault.replicas.store_everywhere(&layout::signature(&entry.key), &Body::bytes(signature)).await?;
        vault.replicas.store_everywhere(&entry.key, &Body::bytes(bytes.clone())).await?;
        vault.remember_ledger(space, vec![Digest::of(&bytes)])?;
        Ok(entry)
    }

    /// Checks the copy of each entry on each live replica; returns what is wrong.
    pub async fn check_copies(&self, vault: &Vault) -> Vec<(String, String, VaultError)> {
        let signers = vault.signers(ROLES);
        let mut wrong = Vec::new();
        for stored in &self.entries {
            for replica in vault.replicas.live() {
                let key = &stored.entry.key;
                if let Err(error) = vault.read_signed_on(replica, key, KIND, &signers).await {
                    wrong.push((replica.name.clone(), key.clone(), error));
                }
            }
        }
        wrong
    }

    /// Returns the keys of the entries that a replica lacks, oldest first, with the names of those
    /// that hold each.
    pub fn missing_on(&self, replica: &Replica) -> Vec<(String, Vec<String>)> {
        let missing = self.entries.iter().filter(|stored| !stored.on.contains(&replica.name));
        missing
            .map(|stored| {
                let mut on: Vec<String> = stored.on.iter().cloned().collect();
                on.sort_unstable();
                (stored.entry.key.clone(), on)
            })
            .collect()
    }

    /// Copies trust records and entries to live replicas that lack them; a replica that refuses
    /// leaves the run.
    pub async fn bring_up_to_date(&self, vault: &Vault) {
        vault.bring_trust_up_to_date().await;
        for stored in &self.entries {
            for replica in vault.replicas.live().filter(|replica| !stored.on.contains(&replica.name)) {
                let key = &stored.entry.key;
                let result = async {
                    replica.store_new(&layout::signature(key), Body::bytes(stored.signature.clone())).await?;
                    replica.store_new(key, Body::bytes(stored.bytes.clone())).await
                };
                if let Err(error) = result.await {
                    replica.fail(error);
                }
            }
        }
    }
}

impl Link for Stored {
    fn id(&self) -> &SnapshotId {
        &self.entry.id
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn parents(&self) -> &[Digest] {
        &self.entry.parents
    }
}

impl Claim for Stored {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn author(&self) -> &Author {
        &self.author
    }

    fn needs(&self) -> &'static [Role] {
        needs(&self.entry.decision, self.approved)
    }

    fn names(&self) -> Vec<Digest> {
        let mut names = self.entry.parents.clone();
        if let Decision::Endorsement { files } = &self.entry.decision {
            names.extend(files);
        }
        names
    }
}

/// The roles of which one is needed to let an entry count: for an order that only keys of the past
/// approved, a privacy key must vouch.
fn needs(decision: &Decision, approved: Option<Approved>) -> &'static [Role] {
    match approved {
        Some(Approved::Once) => &[Role::Privacy],
        _ => decision.roles(),
    }
}

/// Returns the entries that count. Where the first copy of a file does not, others are looked at:
/// it may be a forgery by a retired key.
async fn those_that_count(
    vault: &Vault,
    found: Vec<(Stored, HashSet<String>)>,
    unreadable: &mut Vec<Problem>,
) -> (Vec<Stored>, Endorsed) {
    let mut candidates: Vec<Stored> = found.into_iter().map(|(stored, _)| stored).collect();
    let mut endorsed = Endorsed::default();
    let mut counting = standing::close(&candidates, &mut endorsed, |_| Vec::new());
    let mut variants = Vec::new();
    for doubtful in candidates.iter().filter(|stored| !counting.contains(&stored.digest)) {
        let key = &doubtful.entry.key;
        for variant in vault.read_variants(key, KIND, ROLES).await {
            if let Ok(variant) = stored(vault, variant, key, doubtful.on.clone())
                && variant.digest != doubtful.digest
            {
                variants.push(variant);
            }
        }
    }
    if !variants.is_empty() {
        candidates.extend(variants);
        endorsed = Endorsed::default();
        counting = standing::close(&candidates, &mut endorsed, |_| Vec::new());
    }
    let (entries, forged): (Vec<Stored>, Vec<Stored>) =
        candidates.into_iter().partition(|stored| counting.contains(&stored.digest));
    vault.note_counted(entries.iter().filter(|stored| !stored.author.is_current).map(|stored| stored.digest));
    for stored in forged {
        let error = standing::not_named(&stored.entry.key, &stored.author.key);
        unreadable.push(Problem::new("ledger-unreadable", stored.entry.key, with_causes(&error)));
    }
    (entries, endorsed)
}

fn stored(vault: &Vault, candidate: Candidate, key: &str, on: HashSet<String>) -> Result<Stored> {
    let (entry, mut author) = parse_entry(vault, &candidate.bytes, &candidate.signature, key)?;
    let approved = match entry.decision.signed() {
        Some((order, approvals)) => Some(vault.check_order(&entry, order, approvals)?),
        None => None,
    };
    author.is_current &= approved != Some(Approved::Once);
    Ok(Stored {
        entry,
        approved,
        digest: Digest::of(&candidate.bytes),
        bytes: candidate.bytes.to_vec(),
        signature: candidate.signature.to_vec(),
        author,
        on,
    })
}

/// Parses an entry whose signature and claims were checked, and checks that its signer may, or
/// once might, decide what it decides.
fn parse_entry(vault: &Vault, bytes: &[u8], signature: &[u8], key: &str) -> Result<(LedgerEntry, Author)> {
    let entry: LedgerEntry =
        serde_json::from_slice(bytes).map_err(|error| VaultError::damaged(key, &"all replicas", error))?;
    if layout::ledger(&entry.space, &entry.id) != key {
        return Err(VaultError::damaged(key, &"all replicas", "it names another space or id than its key"));
    }
    if let Some(author) = vault.author(bytes, signature, entry.decision.roles()) {
        return Ok((entry, author));
    }
    Err(VaultError::new(
        ErrorKind::NotTrusted,
        format!("{key} is refused: the key that signed it may not decide this"),
    )
    .hint("only a maintenance key removes, releases or takes back; somebody used another"))
}
