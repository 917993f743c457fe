//! The snapshots of a vault: manifests, their chain, and finding one by what people type.
//!
//! Each manifest names the SHA-256 of every manifest of its repository that no other named yet.
//! Two writers at once, or a replica that was away, make a fork, which the next run joins; so the
//! chain needs no lock. It is whole when every named parent is there. Cutting off its newest end
//! everywhere is noticed by whoever remembers a later head: see [`super::memory`].

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::chain::{self, Link};
use super::error::{ErrorKind, Result, VaultError};
use super::fate::Fate;
use super::format::audit::AuditHead;
use super::format::manifest::{KIND, Manifest, Status};
use super::format::trust::Role;
use super::layout;
use super::ledger::Ledger;
use super::open::Vault;
use super::replica::{Replica, in_parallel, with_causes};
use super::signed::Candidate;
use super::signing::VerifyingKey;
use super::standing::{self, Author, Claim, Endorsed};
use crate::clock::{Timestamp, parse_when, rfc3339};
use crate::ids::{Digest, Name, ReplicaId, SnapshotId};
use crate::progress::Problem;

/// Who may sign manifests.
pub(super) const SIGNERS: &[Role] = &[Role::Snapshot];

/// One snapshot and where it is.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest, by which others name it.
    pub digest: Digest,
    /// Names of the replicas that hold the manifest, and so all that it needs; those that are no
    /// longer to hold it are not among them.
    pub on: Vec<String>,
    /// What the ledger decided about it.
    pub fate: Fate,
    /// The key that signed it.
    pub signer: VerifyingKey,
}

impl Snapshot {
    /// Its id.
    pub fn id(&self) -> &SnapshotId {
        &self.manifest.snapshot
    }

    /// Whether nothing is missing in it.
    pub fn is_complete(&self) -> bool {
        self.manifest.status == Status::Complete
    }

    /// Whether a replica is to hold it.
    pub fn is_wanted_on(&self, replica: &Replica) -> bool {
        !self.fate.is_removed_from(replica.id())
    }
}

/// Takes manifests out of the cache that no replica lists any more; not while one is away that
/// may.
fn forget_unlisted(
    vault: &Vault,
    repository: Option<&Name>,
    listed: &BTreeMap<(Name, SnapshotId), Vec<String>>,
) {
    if vault.replicas.live().count() < vault.replicas.configured() {
        return;
    }
    let keys: HashSet<String> = listed.keys().map(|(name, id)| layout::manifest(name, id)).collect();
    let mut repositories: BTreeSet<&Name> = listed.keys().map(|(name, _)| name).collect();
    repositories.extend(repository);
    for name in repositories {
        let is_listed = |key: &str| keys.contains(layout::signed_file(key));
        vault.cache.forget_unlisted(&format!("{}/{name}", layout::SNAPSHOTS), is_listed);
    }
}

impl Link for Snapshot {
    fn id(&self) -> &SnapshotId {
        &self.manifest.snapshot
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn parents(&self) -> &[Digest] {
        &self.manifest.parents
    }
}

/// A manifest that others name and nobody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// SHA-256 of the manifest.
    pub sha256: Digest,
    /// Its id, where this client remembers it.
    pub snapshot: Option<SnapshotId>,
}

/// Whether a problem is one of the manifests of a repository.
pub fn is_about(problem: &Problem, repository: &Name) -> bool {
    // A chain that is not whole is a problem of all of `snapshots/<repository>`.
    layout::scope(&format!("{}/", problem.subject)) == Some(repository.as_str())
}

/// All snapshots of a vault, or of one of its repositories.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// By repository, oldest first: by chain, then by time.
    by_repository: BTreeMap<Name, Vec<Snapshot>>,
    /// Removed ones that pruning has not deleted yet, in the same order.
    removed: Vec<Snapshot>,
    /// Ledgers of the spaces of these repositories.
    ledgers: BTreeMap<Name, Ledger>,
    /// Manifests that no replica has a good copy of.
    pub unreadable: Vec<Problem>,
    /// The one repository that was loaded; `None`: all.
    only: Option<Name>,
    /// What this client remembered when they were loaded.
    remembered: BTreeMap<Name, (SnapshotId, Digest)>,
    /// Ids of the replicas that took part.
    ids: Vec<ReplicaId>,
    /// Whether a replica is away, or its id cannot be read.
    is_some_away: bool,
}

impl Snapshots {
    /// Reads the manifests of all repositories, or of one.
    ///
    /// A manifest of which no replica has a good copy is named in
    /// [`unreadable`](Self::unreadable), so that one bad file does not hide the others. What the
    /// ledger removed is not among them, see [`removed`](Self::removed).
    ///
    /// # Errors
    ///
    /// When no replica can be listed, or a manifest has a newer format.
    pub async fn load(vault: &Vault, repository: Option<&Name>) -> Result<Self> {
        let prefix = match repository {
            Some(name) => format!("{}/{name}", layout::SNAPSHOTS),
            None => layout::SNAPSHOTS.to_owned(),
        };
        let mut holders: BTreeMap<(Name, SnapshotId), Vec<String>> = BTreeMap::new();
        for replica in vault.replicas.live() {
            match replica.store.list(&prefix).await {
                Ok(objects) => {
                    for object in objects {
                        let scope = layout::scope(&object.key).and_then(|scope| scope.parse().ok());
                        if let Some(entry) = scope.zip(layout::parse_entry(&object.key)) {
                            holders.entry(entry).or_default().push(replica.name.clone());
                        }
                    }
                }
                Err(error) => replica.fail(error),
            }
        }
        vault.replicas.require_any()?;
        forget_unlisted(vault, repository, &holders);
        let read = in_parallel(holders, vault.limits.store_concurrency, |((name, id), on)| async move {
            let key = layout::manifest(&name, &id);
            let read = vault.read_candidate(&key, KIND, SIGNERS).await;
            (read.and_then(|candidate| Read::of(&candidate, &key, on)), key)
        })
        .await;
        let remembered = vault.memory.recall()?.heads;
        let mut snapshots = Self { only: repository.cloned(), remembered, ..Self::default() };
        let mut found = Vec::new();
        for (read, key) in read {
            match read {
                Ok(read) => found.push(read),
                Err(error) if error.kind == ErrorKind::UnknownFormat => return Err(error),
                Err(error) => {
                    snapshots.unreadable.push(Problem::new("manifest-unreadable", key, with_causes(&error)));
                }
            }
        }
        let spaces = found.iter().map(|read| read.manifest.space.clone()).collect();
        snapshots.load_ledgers(vault, spaces).await?;
        for Read { manifest, digest, on, author } in snapshots.those_that_count(vault, found).await {
            let (fate, signer) = (Fate::default(), author.key);
            let list = snapshots.by_repository.entry(manifest.repository.clone()).or_default();
            list.push(Snapshot { manifest, digest, on, fate, signer });
        }
        snapshots.by_repository.values_mut().for_each(chain::sort);
        // Where the newest is gone or cannot be read, a ledger may say why, but no manifest which.
        let gone = |(name, (_, digest)): (&Name, &(SnapshotId, Digest))| {
            repository.is_none_or(|only| only == name)
                && !snapshots.of(name).iter().any(|snapshot| snapshot.digest == *digest)
        };
        if snapshots.remembered.iter().any(gone) || !snapshots.unreadable.is_empty() {
            let spaces = Ledger::spaces(vault).await?;
            snapshots.load_ledgers(vault, spaces).await?;
        }
        snapshots.take_removed(vault);
        Ok(snapshots)
    }

    async fn load_ledgers(&mut self, vault: &Vault, spaces: BTreeSet<Name>) -> Result<()> {
        let new = spaces.into_iter().filter(|space| !self.ledgers.contains_key(space));
        let new: Vec<Name> = new.collect();
        let loaded = in_parallel(new, vault.limits.store_concurrency, |space| async move {
            (Ledger::load(vault, &space).await, space)
        })
        .await;
        for (ledger, space) in loaded {
            self.ledgers.insert(space, ledger?);
        }
        Ok(())
    }

    /// Returns the manifests that count; those by retired keys that nobody names are
    /// [`unreadable`](Self::unreadable). Where the first copy of a file does not count, others are
    /// looked at: it may be a forgery.
    async fn those_that_count(&mut self, vault: &Vault, mut found: Vec<Read>) -> Vec<Read> {
        let close = |found: &[Read], ledgers: &BTreeMap<Name, Ledger>| {
            let mut endorsed = Endorsed::default();
            ledgers.values().for_each(|ledger| endorsed.merge(ledger.endorsed()));
            let beyond = |digest: &Digest| {
                let removed = |ledger: &Ledger| Some(ledger.fates().parents_of_removed(digest)?.to_vec());
                ledgers.values().find_map(removed).unwrap_or_default()
            };
            standing::close(found, &mut endorsed, beyond)
        };
        let mut counting = close(&found, &self.ledgers);
        let mut variants = Vec::new();
        for doubtful in found.iter().filter(|read| !counting.contains(&read.digest)) {
            let key = &doubtful.manifest.key;
            for variant in vault.read_variants(key, KIND, SIGNERS).await {
                match Read::of(&variant, key, doubtful.on.clone()) {
                    Ok(variant) if variant.digest != doubtful.digest => variants.push(variant),
                    _ => {}
                }
            }
        }
        if !variants.is_empty() {
            found.extend(variants);
            counting = close(&found, &self.ledgers);
        }
        let (counted, forged): (Vec<Read>, Vec<Read>) =
            found.into_iter().partition(|read| counting.contains(&read.digest));
        vault.note_counted(counted.iter().filter(|read| !read.author.is_current).map(|read| read.digest));
        for read in forged {
            let error = standing::not_named(&read.manifest.key, &read.author.key);
            // With a good copy on another replica, that one is all that verification needs to know.
            if !counted.iter().any(|good| good.manifest.key == read.manifest.key) {
                self.unreadable.push(Problem::new(
                    "manifest-unreadable",
                    read.manifest.key,
                    with_causes(&error),
                ));
            }
        }
        counted
    }

    /// Applies what the ledgers decided.
    fn take_removed(&mut self, vault: &Vault) {
        self.ids = vault.replicas.live().filter_map(Replica::id).collect();
        self.is_some_away = self.ids.len() < vault.replicas.configured();
        let ids: BTreeMap<&str, _> =
            vault.replicas.all().iter().map(|replica| (replica.name.as_str(), replica.id())).collect();
        for list in self.by_repository.values_mut() {
            for snapshot in list.iter_mut() {
                let Some(ledger) = self.ledgers.get(&snapshot.manifest.space) else { continue };
                snapshot.fate = ledger.fates().of(&snapshot.digest);
                let fate = &snapshot.fate;
                snapshot.on.retain(|name| !fate.is_removed_from(ids.get(name.as_str()).copied().flatten()));
            }
            let (gone, there) = std::mem::take(list).into_iter().partition(|snapshot| {
                snapshot.fate.is_removed() || (snapshot.on.is_empty() && snapshot.fate.removed.is_some())
            });
            *list = there;
            self.removed.extend::<Vec<_>>(gone);
        }
        self.by_repository.retain(|_, list| !list.is_empty());
        // Nobody misses what was removed, damaged or not.
        let gone: HashSet<String> = self.ledgers.values().flat_map(Ledger::removed_manifests).collect();
        self.unreadable.retain(|problem| !gone.contains(&problem.subject));
    }

    /// Returns removed snapshots whose manifest is still somewhere: they can be taken back.
    pub fn removed(&self) -> &[Snapshot] {
        &self.removed
    }

    /// Returns the entries of the audit log that manifests (those of removed snapshots too) and
    /// ledgers name: signatures cover the log up to them.
    pub fn audit_heads(&self) -> impl Iterator<Item = &AuditHead> {
        let manifests = self.iter().chain(&self.removed).filter_map(|one| one.manifest.audit.as_ref());
        let entries = self.ledgers.values().flat_map(Ledger::entries);
        manifests.chain(entries.filter_map(|entry| entry.audit.as_ref()))
    }

    /// Returns the ledger of a space that has snapshots.
    pub fn ledger(&self, space: &Name) -> Option<&Ledger> {
        self.ledgers.get(space)
    }

    /// What a manifest names that no replica is to hold; `None` for one that was never removed, that
    /// was taken back, or that some replica is to keep.
    fn parents_of_removed(&self, digest: &Digest) -> Option<&[Digest]> {
        self.ledgers.values().find_map(|ledger| {
            let parents = ledger.fates().parents_of_removed(digest)?;
            self.is_to_be_nowhere(&ledger.fates().of(digest)).then_some(parents)
        })
    }

    fn is_to_be_nowhere(&self, fate: &Fate) -> bool {
        let everywhere = || self.ids.iter().all(|id| fate.is_removed_from(Some(*id)));
        // What only a replica keeps that is away cannot be missed yet.
        fate.is_removed()
            || (fate.held.is_none() && fate.removed.is_some() && (self.is_some_away || everywhere()))
    }

    /// Returns the snapshots of a repository, oldest first.
    pub fn of(&self, repository: &Name) -> &[Snapshot] {
        self.by_repository.get(repository).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns all snapshots, by repository, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Snapshot> {
        self.by_repository.values().flatten()
    }

    /// Returns the repositories that have snapshots. Lists of members are none of theirs: see
    /// [`access_lists`](Self::access_lists).
    pub fn repositories(&self) -> impl Iterator<Item = &Name> {
        self.by_repository.keys().filter(|name| !name.is_access_chain())
    }

    /// Returns the lists of the members of a repository, oldest first: snapshots under a name of
    /// their own.
    pub fn access_lists(&self, repository: &Name) -> &[Snapshot] {
        repository.access_chain().map(|chain| self.of(&chain)).unwrap_or_default()
    }

    /// SHA-256 of the manifests of a repository that no other names: parents of the next one. One
    /// that this client remembers and nobody holds any more is among them: its loss stays visible
    /// to everybody.
    pub fn parents_of_next(&self, repository: &Name) -> Vec<Digest> {
        let mut parents = self.heads(repository);
        if let Some((_, digest)) = self.remembered.get(repository)
            && !self.is_accounted_for(repository, digest)
        {
            parents.push(*digest);
        }
        parents
    }

    /// SHA-256 of the manifests of a repository that no other names.
    pub fn heads(&self, repository: &Name) -> Vec<Digest> {
        chain::heads(self.of(repository))
    }

    /// Returns the newest snapshot of a repository that is complete, to build the next one on.
    pub fn newest_complete(&self, repository: &Name) -> Option<&Snapshot> {
        self.of(repository).iter().rev().find(|snapshot| snapshot.is_complete())
    }

    /// Returns what the chain of manifests and this client's memory say is missing.
    ///
    /// # Errors
    ///
    /// When the memory cannot be read.
    pub fn missing(&self, vault: &Vault) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for (repository, list) in &self.by_repository {
            for (child, missing) in self.missing_parents(repository, list) {
                problems.push(Problem::new(
                    "manifest-missing",
                    format!("{}/{repository}", layout::SNAPSHOTS),
                    format!("{child} names a manifest before it (SHA-256 {missing}) that no replica holds"),
                ));
            }
        }
        let mut remembered = vault.memory.recall()?;
        for (repository, (id, digest)) in &remembered.heads {
            if self.only.as_ref().is_some_and(|only| only != repository) {
                continue;
            }
            let unreadable = |problem: &Problem| problem.subject == layout::manifest(repository, id);
            if !self.is_accounted_for(repository, digest) && !self.unreadable.iter().any(unreadable) {
                problems.push(Problem::new(
                    "newest-missing",
                    layout::manifest(repository, id),
                    "this client saw this snapshot, and now no replica that can be read holds it; bring back the replica or copy that does. If it is gone for good, later snapshots name it as lost",
                ));
            }
        }
        // Whoever sees a newer head remembers it, unless something is amiss.
        if problems.is_empty() && self.unreadable.is_empty() {
            let before = remembered.clone();
            for (repository, list) in &self.by_repository {
                if let Some(newest) = list.last() {
                    remembered.heads.insert(repository.clone(), (newest.id().clone(), newest.digest));
                }
            }
            if remembered != before
                && let Err(error) = vault.memory.remember(&remembered)
            {
                vault.warn(Problem::new("not-remembered", "memory", with_causes(&error)));
            }
        }
        Ok(problems)
    }

    /// Returns what the manifests of a repository or this client's memory name, and nobody holds.
    pub fn lost(&self, repository: &Name) -> Vec<Lost> {
        let remembered = self.remembered.get(repository);
        let mut lost: Vec<Lost> = self
            .missing_parents(repository, self.of(repository))
            .into_iter()
            .map(|(_, sha256)| Lost { sha256, snapshot: None })
            .collect();
        if let Some((id, sha256)) =
            remembered.filter(|(_, digest)| !self.is_accounted_for(repository, digest))
        {
            lost.retain(|lost| lost.sha256 != *sha256);
            lost.push(Lost { sha256: *sha256, snapshot: Some(id.clone()) });
        }
        lost
    }

    /// Whether a manifest is there, or removed by the ledger.
    fn is_accounted_for(&self, repository: &Name, digest: &Digest) -> bool {
        self.of(repository).iter().any(|snapshot| snapshot.digest == *digest)
            || self.parents_of_removed(digest).is_some()
    }

    /// Returns what is named by a manifest, directly or through removed ones, and is not there.
    fn missing_parents(&self, repository: &Name, list: &[Snapshot]) -> Vec<(SnapshotId, Digest)> {
        let there: HashSet<Digest> = list.iter().map(|snapshot| snapshot.digest).collect();
        let (mut seen, mut missing) = (HashSet::new(), Vec::new());
        let of_removed = self.removed.iter().filter(|snapshot| snapshot.manifest.repository == *repository);
        let mut open: Vec<(&SnapshotId, &Digest)> = list
            .iter()
            .chain(of_removed)
            .flat_map(|snapshot| snapshot.manifest.parents.iter().map(|parent| (snapshot.id(), parent)))
            .collect();
        while let Some((child, parent)) = open.pop() {
            if there.contains(parent) || !seen.insert(parent) {
                continue;
            }
            match self.parents_of_removed(parent) {
                Some(parents) => open.extend(parents.iter().map(|parent| (child, parent))),
                None => missing.push((child.clone(), *parent)),
            }
        }
        missing.sort();
        missing
    }

    /// Finds one removed snapshot, whose manifest is still somewhere, by its id or a unique
    /// beginning of it.
    pub fn find_removed(&self, typed: &str) -> Option<&Snapshot> {
        let mut matching =
            self.removed.iter().filter(|one| !typed.is_empty() && one.id().as_str().starts_with(typed));
        matching.next().filter(|_| matching.next().is_none())
    }

    /// Finds one snapshot by what people type: an id, a unique prefix of one, `latest`, or
    /// `REPOSITORY@WHEN`: the newest complete one at or before that time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] with what there is instead.
    pub fn select(&self, typed: &str, now: Timestamp) -> Result<&Snapshot> {
        if let Some((repository, when)) = typed.split_once('@') {
            return self.at_time(repository, when, now);
        }
        if typed == "latest" {
            let mut names = self.repositories();
            return match (names.next(), names.next()) {
                (Some(only), None) => self.at_time(only.as_str(), "latest", now),
                (None, _) => Err(self.nothing("the vault holds no snapshots")),
                _ => Err(not_found(
                    "the vault holds several repositories, so `latest` is ambiguous".to_owned(),
                )
                .hint(format!(
                    "name one: {}",
                    self.names().map(|name| format!("{name}@latest")).collect::<Vec<_>>().join(", ")
                ))),
            };
        }
        let mut matching =
            self.iter().filter(|snapshot| snapshot.id().as_str().starts_with(typed) && !typed.is_empty());
        match (matching.next(), matching.next()) {
            (Some(only), None) => Ok(only),
            (Some(first), Some(second)) => {
                Err(not_found(format!("{typed} begins more than one id: {}, {}, …", first.id(), second.id()))
                    .hint("type more of it"))
            }
            (None, _) => Err(match self.find_removed(typed) {
                Some(removed) => was_removed(removed),
                None => self.nothing(&format!("no snapshot has an id that begins with {typed:?}")),
            }),
        }
    }

    fn at_time(&self, repository: &str, when: &str, now: Timestamp) -> Result<&Snapshot> {
        let list = self.by_repository.get(repository).ok_or_else(|| {
            let known: Vec<_> = self.names().collect();
            let hint = if self.removed.iter().any(|one| one.manifest.repository.as_str() == repository) {
                "all its snapshots were removed; `prismvault list --removed` shows which can be taken back"
                    .to_owned()
            } else if known.is_empty() {
                "take one with `prismvault snapshot`".to_owned()
            } else {
                format!("repositories with snapshots: {}", known.join(", "))
            };
            not_found(format!("the vault holds no snapshot of a repository named {repository:?}")).hint(hint)
        })?;
        let until = if when == "latest" {
            Timestamp::MAX_UTC
        } else {
            parse_when(when, now).ok_or_else(|| {
                not_found(format!("{when:?} is not a point in time"))
                    .hint("write `latest`, 2026-11-20T12:00:00Z, 2026-11-20, 12h or 3d")
            })?
        };
        let earlier = list.iter().rev().filter(|snapshot| snapshot.id().time() <= until);
        earlier.clone().find(|snapshot| snapshot.is_complete()).ok_or_else(|| {
            let at = if when == "latest" { String::new() } else { format!(" at or before {when}") };
            match (earlier.clone().next(), list.first()) {
                (Some(partial), _) => not_found(format!(
                    "there is no complete snapshot of {repository}{at}, only partial ones"
                ))
                .hint(format!(
                    "name the newest of them by its id to use it all the same: {}; `prismvault show` says what it lacks",
                    partial.id()
                )),
                (None, Some(oldest)) => {
                    not_found(format!("there is no snapshot of {repository}{at}"))
                        .hint(format!("the oldest is {}", oldest.id()))
                }
                (None, None) => not_found(format!("there is no snapshot of {repository}"))
                    .hint("take one with `prismvault snapshot`"),
            }
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.repositories().map(Name::as_str)
    }

    fn nothing(&self, what: &str) -> VaultError {
        let newest = self.iter().map(Snapshot::id).max();
        not_found(what.to_owned()).hint(match newest {
            Some(id) => format!("`prismvault list` shows all; the newest is {id}"),
            None => "take one with `prismvault snapshot`".to_owned(),
        })
    }
}

fn was_removed(snapshot: &Snapshot) -> VaultError {
    let id = snapshot.id();
    let (rule, at) = match &snapshot.fate.removed {
        Some(removal) => (removal.rule.as_str(), removal.entry.time()),
        None => ("", id.time()),
    };
    not_found(format!("{id} was removed at {}: {rule}", rfc3339(at))).hint(format!(
        "`prismvault undelete {id} --reason …` brings it back, as long as pruning has not deleted what it needs"
    ))
}

fn not_found(what: String) -> VaultError {
    VaultError::new(ErrorKind::NotFound, what)
}

/// A manifest that was read, of which is to be found out whether it counts.
struct Read {
    manifest: Manifest,
    digest: Digest,
    on: Vec<String>,
    author: Author,
}

impl Read {
    fn of(candidate: &Candidate, key: &str, on: Vec<String>) -> Result<Self> {
        let manifest = parse_manifest(&candidate.bytes, key, &"all replicas")?;
        Ok(Self { manifest, digest: Digest::of(&candidate.bytes), on, author: candidate.author.clone() })
    }
}

impl Claim for Read {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn author(&self) -> &Author {
        &self.author
    }

    fn needs(&self) -> &'static [Role] {
        SIGNERS
    }

    fn names(&self) -> Vec<Digest> {
        self.manifest.parents.clone()
    }
}

/// Parses a manifest whose signature and claims were checked.
pub(super) fn parse_manifest(bytes: &[u8], key: &str, place: &dyn std::fmt::Display) -> Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| VaultError::damaged(key, place, error))?;
    if layout::manifest(&manifest.repository, &manifest.snapshot) != key {
        return Err(VaultError::damaged(key, place, "it names another repository or id than its key"));
    }
    Ok(manifest)
}
