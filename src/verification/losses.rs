//! Losses: what has no good copy anywhere, and which snapshots it belongs to.
//!
//! Damage on one replica is an errand; damage on all of them is a loss. Whoever reads a report at
//! night needs to know which it is, and what cannot be restored. A copy counts as good when
//! nothing was found wrong with it at the level that was asked for.

use std::collections::{BTreeSet, HashSet};

use super::report::{AffectedSnapshot, Damage, DamageKind, VerifyReport};
use crate::ids::{ItemId, Name};
use crate::vault::error::VaultError;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::index::PackNumber;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;
use crate::vault::tree;

/// What was found wrong, by replica and key.
struct Wrong<'a>(HashSet<(&'a str, &'a str)>);

impl<'a> Wrong<'a> {
    fn of(damage: &'a [Damage]) -> Self {
        // What is hidden is read all the same.
        let wrong = damage.iter().filter(|damage| damage.kind != DamageKind::Hidden);
        Self(wrong.map(|damage| (damage.replica.as_str(), damage.key.as_str())).collect())
    }

    fn is_good(&self, replica: &str, key: &str) -> bool {
        !self.0.contains(&(replica, key))
    }
}

/// Returns the packs of a space of which no replica has a good body, or none a good header.
pub(super) fn lost_packs(vault: &Vault, space: &Space, damage: &[Damage]) -> HashSet<PackNumber> {
    let wrong = Wrong::of(damage);
    let live = || vault.replicas.all().iter().enumerate().filter(|(_, replica)| replica.is_live());
    let is_lost = |pack: &crate::vault::index::Pack| {
        let body = layout::pack(&space.name, &pack.id);
        let has_body = live().any(|(at, replica)| {
            let listed = space.listing(at).and_then(|listing| listing.bodies.get(&pack.id));
            listed == Some(&pack.size) && wrong.is_good(&replica.name, &body)
        });
        // Any header that was ever named opens it for somebody.
        let mut headers = pack.named_headers();
        let has_header = pack.header.is_none()
            || headers.any(|header| {
                let key = layout::header(&space.name, &pack.id, &header.0);
                live().any(|(at, replica)| {
                    space.listing(at).is_some_and(|listing| listing.has_header(pack, &header))
                        && wrong.is_good(&replica.name, &key)
                })
            });
        !has_body || !has_header
    };
    let numbered = (0..).zip(space.index.packs());
    numbered.filter(|(_, pack)| is_lost(pack)).map(|(number, _)| number).collect()
}

/// Returns the snapshots of which one of `items` cannot be had any more: every pack that holds it
/// is lost, or its content was found damaged (`damaged`).
pub(super) async fn affected(
    reader: &Reader<'_>,
    space: &Space,
    lost: &HashSet<PackNumber>,
    damaged: &HashSet<ItemId>,
    snapshots: &[&Snapshot],
) -> Vec<AffectedSnapshot> {
    let is_lost = |item: &ItemId| {
        damaged.contains(item) || space.index.locations(item).all(|location| lost.contains(&location.pack))
    };
    let mut affected = Vec::new();
    for snapshot in snapshots {
        // Catalogs are read again only where something may be gone.
        if lost.is_empty() && damaged.is_empty() && space.unreadable.is_empty() {
            break;
        }
        let manifest = &snapshot.manifest;
        let read = async {
            let catalog: Vec<CatalogEntry> = tree::read_all(reader, &manifest.catalog).await?;
            let mut pages = tree::all_pages(reader, &manifest.catalog).await?;
            pages.extend(tree::all_pages(reader, &manifest.links).await?);
            Ok::<_, VaultError>((catalog, pages))
        };
        let Ok((catalog, pages)) = read.await else {
            affected.push(AffectedSnapshot::without_catalog(snapshot));
            continue;
        };
        let gone = catalog.iter().filter(|entry| is_lost(&entry.item));
        let mut paths: Vec<String> = gone.map(|entry| entry.path.to_string()).collect();
        paths.sort_unstable();
        // Pages of the catalog have no path of their own.
        let pages = pages.iter().filter(|page| is_lost(page)).count();
        if pages + paths.len() > 0 {
            affected.push(AffectedSnapshot::new(snapshot, (pages + paths.len()) as u64, paths));
        }
    }
    affected
}

impl AffectedSnapshot {
    pub(super) fn new(snapshot: &Snapshot, items: u64, paths: Vec<String>) -> Self {
        Self {
            repository: snapshot.manifest.repository.clone(),
            snapshot: snapshot.id().clone(),
            catalog_lost: false,
            items,
            paths,
        }
    }

    /// A snapshot whose catalog cannot be read: nobody knows what else belongs to it.
    pub(super) fn without_catalog(snapshot: &Snapshot) -> Self {
        Self { catalog_lost: true, ..Self::new(snapshot, 0, Vec::new()) }
    }
}

/// Returns the keys of damaged objects that no replica has a good copy of.
pub(super) fn lost_keys(vault: &Vault, report: &VerifyReport, packs: &BTreeSet<String>) -> Vec<String> {
    let wrong = Wrong::of(&report.damage);
    let is_pack =
        |key: &str| [layout::PACKS, layout::KEYS].iter().any(|kind| key.split('/').next() == Some(*kind));
    let candidates = report.damage.iter().filter(|damage| {
        // What is behind has its good copy elsewhere; what could not be read may be good.
        damage.kind.is_integrity() && damage.kind != DamageKind::Content && !damage.replica.is_empty()
    });
    let keys: BTreeSet<&str> =
        candidates.map(|damage| damage.key.as_str()).filter(|key| !key.is_empty()).collect();
    let lost = keys.into_iter().filter(|key| match is_pack(key) {
        // Who lists a pack and who does not was looked at by `lost_packs`.
        true => packs.contains(*key),
        false => !vault.replicas.live().any(|replica| wrong.is_good(&replica.name, key)),
    });
    lost.map(str::to_owned).collect()
}

/// The keys of the objects of packs.
pub(super) fn keys_of(space: &Space, name: &Name, packs: &HashSet<PackNumber>) -> Vec<String> {
    let packs = packs.iter().map(|number| &space.index.packs()[*number as usize]);
    packs
        .flat_map(|pack| {
            let headers = pack.named_headers().map(|(header, _)| layout::header(name, &pack.id, &header));
            headers.chain([layout::pack(name, &pack.id)])
        })
        .collect()
}
