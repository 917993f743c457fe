//! Which objects of a replica must stay locked.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{CaseId, Digest, Name};
use crate::objects::{ObjectVersion, VersionId};
use crate::vault::erasure::contents;
use crate::vault::error::Result;
use crate::vault::layout;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::purged::purged;
use crate::vault::reader::Reader;
use crate::vault::replica::Replica;
use crate::vault::see_through::Hidden;
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;

/// A version of an object.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) key: String,
    pub(super) version: VersionId,
}

/// What a replica holds.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// The right version of each live object.
    pub(super) live: Vec<Target>,
    /// All other versions with content.
    pub(super) others: Vec<Target>,
    /// Live objects that are hidden.
    pub(super) hidden: Vec<Hidden>,
    /// Versions and delete markers in all.
    pub(super) listed: u64,
}

/// Which packs, headers and index objects are needed.
#[derive(Debug)]
struct Wanted {
    /// By replica, in the order of the vault's.
    keys: Vec<BTreeSet<String>>,
    /// Spaces of which not everything is understood.
    doubtful: BTreeSet<Name>,
    /// Whether it is not known which spaces those are.
    all: bool,
    /// Cases of which only the decision stays that they are kept no longer.
    purged: BTreeSet<CaseId>,
    /// Files of drills that orders of erasure took: nothing renews what keeps them.
    erased_of_drills: BTreeSet<Digest>,
}

/// Returns what each of these replicas holds, and its number. One that cannot be listed leaves the
/// run.
///
/// # Errors
///
/// When no replica can be read, or no identity that reads catalogs is here.
pub(super) async fn holdings(
    vault: &Vault,
    is_asked: impl Fn(&Replica) -> bool,
) -> Result<Vec<(usize, Holdings)>> {
    let asked: Vec<usize> = (0..vault.replicas.all().len())
        .filter(|at| vault.replicas.all()[*at].is_live() && is_asked(&vault.replicas.all()[*at]))
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let snapshots = Snapshots::load(vault, None).await?;
    let wanted = Wanted::load(vault, &snapshots).await?;
    let mut all = Vec::new();
    for at in asked {
        let replica = &vault.replicas.all()[at];
        match replica.all_versions().await {
            Ok(versions) => all.push((at, wanted.divide(at, replica, &snapshots, versions))),
            Err(error) => replica.fail(error),
        }
    }
    Ok(all)
}

impl Wanted {
    async fn load(vault: &Vault, snapshots: &Snapshots) -> Result<Self> {
        let mut wanted = Self {
            keys: vec![BTreeSet::new(); vault.replicas.all().len()],
            doubtful: BTreeSet::new(),
            all: !snapshots.unreadable.is_empty() || !snapshots.missing(vault)?.is_empty(),
            purged: purged(vault).await?.into_keys().collect(),
            erased_of_drills: contents::digests(vault, None).await?,
        };
        let mut by_space: BTreeMap<&Name, Vec<&Snapshot>> = BTreeMap::new();
        for snapshot in snapshots.iter() {
            by_space.entry(&snapshot.manifest.space).or_default().push(snapshot);
        }
        for (name, snapshots) in by_space {
            let space = Space::load(vault, name).await?;
            if !wanted.add(vault, &space, &snapshots).await {
                wanted.doubtful.insert(name.clone());
            }
        }
        Ok(wanted)
    }

    /// Adds what the snapshots of a space need; whether all of it is understood.
    async fn add(&mut self, vault: &Vault, space: &Space, snapshots: &[&Snapshot]) -> bool {
        let reader = Reader::new(vault, space);
        let mut needs = Needs::new(&reader, space);
        let mut needed = vec![Needed::default(); self.keys.len()];
        for snapshot in snapshots {
            let Ok(own) = needs.of(&snapshot.manifest).await else { return false };
            for (at, replica) in vault.replicas.all().iter().enumerate() {
                if snapshot.is_wanted_on(replica) {
                    needed[at].extend(&own);
                }
            }
        }
        for (at, needed) in needed.iter().enumerate() {
            let Some(listing) = space.listing(at) else { continue };
            for number in needed.packs_on(space, at) {
                let pack = &space.index.packs()[number as usize];
                self.keys[at].insert(layout::pack(&space.name, &pack.id));
                let headers = pack.needed_header().filter(|header| listing.has_header(pack, header));
                // A replica that was away may have an earlier one only.
                let headers: Vec<_> = match headers {
                    Some(header) => vec![header],
                    None => pack.named_headers().collect(),
                };
                let headers = headers.iter().map(|(own, _)| layout::header(&space.name, &pack.id, own));
                self.keys[at].extend(headers);
                self.keys[at].extend(pack.indexed_by.iter().map(|index| layout::index(&space.name, index)));
            }
        }
        space.unreadable.is_empty() && needed.iter().all(|needed| needed.lost().is_empty())
    }

    fn divide(
        &self,
        at: usize,
        replica: &Replica,
        snapshots: &Snapshots,
        versions: Vec<ObjectVersion>,
    ) -> Holdings {
        let unwanted = snapshots.iter().filter(|snapshot| !snapshot.is_wanted_on(replica));
        let gone: BTreeSet<&str> = snapshots
            .removed()
            .iter()
            .chain(unwanted)
            .map(|snapshot| snapshot.manifest.key.as_str())
            .collect();
        let hidden: BTreeMap<String, Hidden> =
            replica.hidden().into_iter().map(|hidden| (hidden.key.clone(), hidden)).collect();
        let mut holdings = Holdings { listed: versions.len() as u64, ..Holdings::default() };
        let mut last_hidden: Option<&str> = None;
        for version in versions.iter().filter(|version| !version.is_delete_marker) {
            let hidden = hidden.get(&version.key);
            let is_right = match hidden {
                Some(hidden) => hidden.version == version.version,
                None => version.is_latest,
            };
            let is_live = is_right && self.is_live(at, &version.key, &gone);
            let target = Target { key: version.key.clone(), version: version.version.clone() };
            if is_live {
                holdings.live.push(target);
                if let Some(hidden) = hidden.filter(|hidden| last_hidden != Some(&hidden.key)) {
                    last_hidden = Some(&hidden.key);
                    holdings.hidden.push(hidden.clone());
                }
            } else {
                holdings.others.push(target);
            }
        }
        holdings
    }

    fn is_live(&self, at: usize, key: &str, gone: &BTreeSet<&str>) -> bool {
        match key.split('/').next().unwrap_or_default() {
            layout::VAULT | layout::REPLICA | layout::TRUST | layout::LEDGER | layout::AUDIT => true,
            layout::REQUESTS => {
                let mut parts = key.split('/').skip(1);
                let case = parts.next().and_then(|case| case.parse::<CaseId>().ok());
                let is_purged = case.is_some_and(|case| self.purged.contains(&case));
                !is_purged || layout::parse_purged(key).is_some()
            }
            layout::DRILLS => {
                let stored = layout::parse_drill_file(key).map(|(_, stored)| stored);
                !stored.is_some_and(|stored| self.erased_of_drills.contains(&stored))
            }
            layout::SNAPSHOTS => !gone.contains(layout::signed_file(key)),
            layout::PACKS | layout::KEYS | layout::INDEX => {
                let is_doubtful = |scope: &str| self.doubtful.iter().any(|space| space.as_str() == scope);
                self.all || layout::scope(key).is_some_and(is_doubtful) || self.keys[at].contains(key)
            }
            _ => false,
        }
    }
}
