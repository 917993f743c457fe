//! One look at everything that decides what may go; refuses when any of it is not there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::future::try_join_all;

use crate::clock::Timestamp;
use crate::ids::{Digest, ItemId, Name, ReplicaId};
use crate::objects::ObjectMeta;
use crate::objects::counting::Counts;
use crate::vault::clocks;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::index::Headers;
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;

/// What was seen.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) snapshots: Snapshots,
    /// One a replica, in the order of the vault's.
    pub(super) replicas: Vec<ReplicaState>,
    pub(super) spaces: Vec<SpaceState>,
    /// When the look began, by the clock here.
    pub(super) begun: Timestamp,
}

/// How much of what snapshots need is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Packs.
    Packs,
    /// Every item too.
    Items,
}

/// What one replica says besides its packs.
#[derive(Debug)]
pub(super) struct ReplicaState {
    pub(super) name: String,
    pub(super) id: ReplicaId,
    /// By its own clock.
    pub(super) now: Timestamp,
    /// Manifests and their signatures.
    pub(super) manifests: BTreeMap<String, ObjectMeta>,
    /// Marks and their signatures.
    pub(super) marks: BTreeMap<String, ObjectMeta>,
    /// Objects listed in all.
    pub(super) listed: u64,
    /// What the look asked of it.
    pub(super) look: Counts,
}

/// One space on all replicas.
#[derive(Debug)]
pub(super) struct SpaceState {
    pub(super) space: Space,
    pub(super) ledger: Ledger,
    /// What each replica is to hold, in the order of the vault's.
    pub(super) needed: Vec<Needed>,
    /// Every item that any of them is to hold, where the look goes so deep.
    pub(super) items: HashSet<ItemId>,
}

/// Returns the error for something that is not understood well enough to delete anything.
fn refused(why: impl std::fmt::Display) -> VaultError {
    VaultError::new(ErrorKind::Refused, format!("nothing is pruned: {why}"))
}

/// Refuses with the reason and the next step of an error of another kind.
fn refused_by(what: &str, error: &VaultError) -> VaultError {
    let hint = error.next_step().unwrap_or_default().to_owned();
    refused(format_args!("{what} ({})", with_causes(error))).hint(hint)
}

impl Survey {
    /// Reads manifests, ledgers, index and listings of all replicas.
    ///
    /// # Errors
    ///
    /// As [`super::plan`].
    pub(super) async fn load(vault: &Vault, depth: Depth) -> Result<Self> {
        let begun = vault.now();
        let before: Vec<Counts> = vault.replicas.all().iter().map(Replica::counts).collect();
        require_all(vault)?;
        vault.require_may_delete()?;
        require_own_files(vault).await?;
        clocks::check(vault, vault.replicas.live()).await?;
        require_all(vault)?;
        let snapshots = Snapshots::load(vault, None)
            .await
            .map_err(|error| refused_by("the manifests cannot be read", &error))?;
        require_all(vault)?;
        require_manifests(vault, &snapshots)?;
        let replicas = try_join_all(vault.replicas.live().map(|replica| look_at(vault, replica))).await;
        require_all(vault)?;
        let mut replicas = replicas?;
        require_same_manifests(&snapshots, &replicas)?;
        let mut spaces = Vec::new();
        for name in names_of_spaces(vault, &snapshots, &replicas).await? {
            spaces.push(SpaceState::load(vault, &snapshots, &name, depth).await?);
        }
        require_all(vault)?;
        let counted = vault.replicas.all().iter().zip(&before);
        for (state, (replica, before)) in replicas.iter_mut().zip(counted) {
            state.look = replica.counts().since(before);
        }
        Ok(Self { snapshots, replicas, spaces, begun })
    }

    /// Snapshots whose manifests are anywhere, removed ones too.
    pub(super) fn all_snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.iter().chain(self.snapshots.removed())
    }

    /// What the ledger of a space says about headers.
    ///
    /// # Panics
    ///
    /// For a space that is not of this look.
    pub(super) fn headers(&self, space: &Name) -> &Headers {
        let state = self.spaces.iter().find(|state| state.space.name == *space);
        &state.expect("plans name spaces of the look that they are made from").space.headers
    }

    /// SHA-256 of the manifests and the ledger heads: what a plan is made from.
    pub(super) fn digest(&self) -> Digest {
        let manifests: BTreeSet<Digest> = self.all_snapshots().map(|snapshot| snapshot.digest).collect();
        let heads: BTreeMap<&Name, Vec<Digest>> =
            self.spaces.iter().map(|state| (&state.space.name, state.ledger.heads())).collect();
        Digest::of(&serde_json::to_vec(&(manifests, heads)).expect("digests and names serialise"))
    }
}

impl SpaceState {
    async fn load(vault: &Vault, snapshots: &Snapshots, name: &Name, depth: Depth) -> Result<Self> {
        let of_space = |snapshot: &&Snapshot| -> bool { snapshot.manifest.space == *name };
        let ledger = Ledger::load(vault, name)
            .await
            .map_err(|error| refused_by(&format!("the ledger of {name} cannot be read"), &error))?;
        let manifests = snapshots.iter().chain(snapshots.removed()).filter(of_space);
        let named: Vec<Digest> =
            manifests.flat_map(|snapshot| snapshot.manifest.ledger.iter().copied()).collect();
        require_ledger(vault, &ledger, name, &named)?;
        let space = Space::load(vault, name).await?;
        require_all(vault)?;
        if let Some(problem) = space.unreadable.first() {
            return Err(refused(format_args!("{} cannot be read ({})", problem.subject, problem.detail))
                .hint("run `prismvault verify`, then `prismvault repair`: what an unreadable index object describes cannot be told from rubbish"));
        }
        let reader = Reader::new(vault, &space);
        let mut needs = match depth {
            Depth::Packs => Needs::new(&reader, &space),
            Depth::Items => Needs::with_items(&reader, &space),
        };
        let mut needed = vec![Needed::default(); vault.replicas.all().len()];
        for snapshot in snapshots.iter().filter(of_space) {
            let wanted: Vec<usize> =
                (0..needed.len()).filter(|at| snapshot.is_wanted_on(&vault.replicas.all()[*at])).collect();
            if wanted.is_empty() {
                continue;
            }
            let own = needs.of(&snapshot.manifest).await.map_err(|error| {
                refused_by(&format!("the catalog of {} cannot be read", snapshot.id()), &error)
            })?;
            if !own.lost().is_empty() {
                return Err(refused(format_args!(
                    "no index object says where {} items of {} are",
                    own.lost().len(),
                    snapshot.id()
                ))
                .hint("run `prismvault verify`, then `prismvault repair`: what is not in the index cannot be told from rubbish"));
            }
            wanted.into_iter().for_each(|at| needed[at].extend(&own));
        }
        let items = needs.items();
        Ok(Self { space, ledger, needed, items })
    }
}

/// Every configured replica must answer: the manifests of one that is away are not known.
fn require_all(vault: &Vault) -> Result<()> {
    let failed = vault.replicas.failed();
    if failed.is_empty() {
        return Ok(());
    }
    let why: Vec<String> = failed.into_iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    Err(VaultError::new(
        ErrorKind::TooFewReplicas,
        format!(
            "nothing is pruned: a replica is away, and what its manifests need is not known ({})",
            why.join("; ")
        ),
    )
    .hint("bring the replica back, or take it out of the configuration if it is gone for good"))
}

/// `vault.json` and `replica.json` of each replica are what they must be, and no two replicas are
/// the same one: a mark counts for the replica that it names.
async fn require_own_files(vault: &Vault) -> Result<()> {
    for replica in vault.replicas.live() {
        if let Some((key, error)) = vault.check_own_files_on(replica).await.into_iter().next() {
            return Err(refused_by(&format!("{key} of {} is not right", replica.name), &error));
        }
    }
    let mut seen: BTreeMap<ReplicaId, &str> = BTreeMap::new();
    for replica in vault.replicas.live() {
        let Some(id) = replica.id() else { continue };
        if let Some(other) = seen.insert(id, &replica.name) {
            return Err(refused(format_args!("{other} and {} have the same {}", replica.name, layout::REPLICA))
                .hint("one is a copy of the other, or both addresses lead to one place; `prismvault repair` gives a copy an id of its own"));
        }
    }
    Ok(())
}

fn require_manifests(vault: &Vault, snapshots: &Snapshots) -> Result<()> {
    if let Some(problem) = snapshots.unreadable.first() {
        return Err(refused(format_args!("{} cannot be read ({})", problem.subject, problem.detail))
            .hint("run `prismvault verify` and `prismvault repair`; what this snapshot needs is not known"));
    }
    match snapshots.missing(vault)?.first() {
        Some(problem) => Err(refused(format_args!("{}: {}", problem.subject, problem.detail))
            .hint("bring back the replica or copy that holds it; what it needs is not known")),
        None => Ok(()),
    }
}

/// A manifest of which a replica has other bytes could be another snapshot under the same key.
fn require_same_manifests(snapshots: &Snapshots, replicas: &[ReplicaState]) -> Result<()> {
    let mut sizes: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for replica in replicas {
        for (key, object) in replica.manifests.iter().filter(|(key, _)| layout::parse_entry(key).is_some()) {
            let (size, first) = *sizes.entry(key).or_insert((object.size, &replica.name));
            if size != object.size {
                return Err(refused(format_args!(
                    "{key} has other bytes on {} than on {first}",
                    replica.name
                ))
                .hint("run `prismvault verify` and `prismvault repair`"));
            }
        }
    }
    // What was listed a moment ago must have been read; a list may miss new keys.
    let known: BTreeSet<&str> =
        snapshots.iter().chain(snapshots.removed()).map(|snapshot| snapshot.manifest.key.as_str()).collect();
    match sizes.keys().find(|key| !known.contains(*key)) {
        Some(key) => Err(refused(format_args!("{key} appeared while the manifests were read"))
            .hint("a snapshot was taken at this moment; run the same command again")),
        None => Ok(()),
    }
}

fn require_ledger(vault: &Vault, ledger: &Ledger, space: &Name, named: &[Digest]) -> Result<()> {
    ledger
        .require_understood(vault, named)
        .map_err(|error| refused_by(&format!("the ledger of {space} does not say all"), &error))
}

/// Lists a replica; one that cannot be listed leaves the run.
async fn list(replica: &Replica, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let listed = replica.store.list(prefix).await;
    listed.map_err(|error| {
        replica.fail(error);
        VaultError::new(ErrorKind::TooFewReplicas, format!("{} cannot be listed", replica.name))
    })
}

async fn look_at(vault: &Vault, replica: &Replica) -> Result<ReplicaState> {
    let by_key = |objects: Vec<ObjectMeta>| -> BTreeMap<String, ObjectMeta> {
        objects.into_iter().map(|object| (object.key.clone(), object)).collect()
    };
    let manifests = by_key(list(replica, layout::SNAPSHOTS).await?);
    let marks = by_key(list(replica, layout::MARKS).await?);
    // Its own file was just read and found good.
    let id = replica.id().ok_or_else(|| {
        refused(format_args!("{} of {} could not be read at first", layout::REPLICA, replica.name))
            .hint("run the same command again")
    })?;
    let now = clocks::of(vault, replica).await.inspect_err(|error| {
        replica.fail(VaultError::new(error.kind, with_causes(error)));
    })?;
    Ok(ReplicaState {
        name: replica.name.clone(),
        id,
        now,
        listed: (manifests.len() + marks.len()) as u64,
        look: Counts::default(),
        manifests,
        marks,
    })
}

/// Every space of which there is anything anywhere, also without a snapshot: a repository that
/// was forgotten, or whose first run was killed.
async fn names_of_spaces(
    vault: &Vault,
    snapshots: &Snapshots,
    replicas: &[ReplicaState],
) -> Result<BTreeSet<Name>> {
    let mut names: BTreeSet<Name> =
        snapshots.iter().chain(snapshots.removed()).map(|snapshot| snapshot.manifest.space.clone()).collect();
    let scope = |key: &str| layout::scope(key).and_then(|scope| scope.parse().ok());
    names.extend(replicas.iter().flat_map(|replica| replica.marks.keys()).filter_map(|key| scope(key)));
    names.extend(Ledger::spaces(vault).await?);
    for replica in vault.replicas.live() {
        for prefix in [layout::PACKS, layout::KEYS, layout::INDEX] {
            let objects = list(replica, prefix).await;
            require_all(vault)?;
            let objects = objects?;
            names.extend(objects.iter().filter_map(|object| scope(&object.key)));
        }
    }
    Ok(names)
}
