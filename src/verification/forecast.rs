//! What a verification costs: requests and bytes, before it is made.
//!
//! Manifests, ledgers, listings and catalogs are read for the forecast itself, as they are by every
//! verification; what is forecast is what comes on top: checksums that are asked for, objects that
//! are read and hashed, content that is decrypted. Nothing is written and nothing remembered.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::budget;
use super::memory::Memory;
use super::objects::{Object, is_left, object_level, presence};
use super::report::{Level, VerifyOptions, VerifyReport};
use crate::ids::{Digest, ItemId, Name};
use crate::objects::traffic::{self, Traffic};
use crate::vault::error::Result;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::snapshots::{Snapshot, Snapshots};
use crate::vault::space::Space;
use crate::vault::tree;

/// What a verification would cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyForecast {
    /// Snapshots that would be verified.
    pub snapshots: u64,
    /// Objects that would be looked at, on all replicas.
    pub objects: u64,
    /// Items whose content would be checked.
    pub items: u64,
    /// How deep, on each replica.
    pub levels: BTreeMap<String, Level>,
    /// Requests and bytes on each replica.
    pub traffic: BTreeMap<String, Traffic>,
}

/// Forecasts a verification with these options. A longest duration cannot be foreseen: what is
/// forecast is the whole of it, or of the sample.
///
/// # Errors
///
/// As [`verify`](super::verify), where it cannot begin; [`Integrity`] when a catalog cannot be read,
/// because nobody knows what it needs then.
///
/// [`Integrity`]: crate::vault::error::ErrorKind::Integrity
pub async fn forecast(vault: &Vault, options: &VerifyOptions<'_>) -> Result<VerifyForecast> {
    if options.level == Some(Level::Content) {
        vault.require_content_identity()?;
    }
    for name in &options.scope.replicas {
        vault.replicas.require_known(name)?;
    }
    let snapshots = Snapshots::load(vault, None).await?;
    let chosen =
        |snapshot: &&Snapshot| options.snapshots.is_empty() || options.snapshots.contains(snapshot.id());
    let mut by_space: BTreeMap<&Name, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots.iter().filter(chosen) {
        by_space.entry(&snapshot.manifest.space).or_default().push(snapshot);
    }
    let mut forecast = VerifyForecast {
        snapshots: by_space.values().map(|of_space| of_space.len() as u64).sum(),
        ..VerifyForecast::default()
    };
    let mut sample = None;
    if options.scope.is_limited() {
        let memory = Memory::load(vault, by_space.keys().copied(), options).await;
        let objects = budget::chosen(vault, &by_space, &memory, options).await?;
        let mut units = HashSet::new();
        for (at, unit, objects) in objects {
            units.insert(unit);
            forecast.add(vault, at, &objects, options)?;
        }
        sample = Some(units);
    }
    for (name, snapshots) in by_space {
        let space = Space::load(vault, name).await?;
        let reader = Reader::new(vault, &space).with_restricted();
        let mut needs = Needs::new(&reader, &space);
        let mut readable: Vec<(&Snapshot, Needed)> = Vec::new();
        let mut items: HashSet<ItemId> = HashSet::new();
        for snapshot in snapshots {
            readable.push((snapshot, needs.of(&snapshot.manifest).await?));
            if options.level == Some(Level::Content) {
                let catalog: Vec<CatalogEntry> = tree::read_all(&reader, &snapshot.manifest.catalog).await?;
                items.extend(catalog.into_iter().map(|entry| entry.item));
            }
        }
        if sample.is_none() {
            forecast.objects_of(vault, &space, &readable, options)?;
        }
        let in_sample = |item: &ItemId| in_sample(&space, item, sample.as_ref());
        items.retain(in_sample);
        forecast.items += items.len() as u64;
        let reading = match sample {
            Some(_) => reader.forecast(items),
            None => reader.forecast_with_bodies(items),
        };
        traffic::add(&mut forecast.traffic, &reading);
    }
    Ok(forecast)
}

/// Whether the pack from which an item is read is one of the sample.
fn in_sample(space: &Space, item: &ItemId, sample: Option<&HashSet<Digest>>) -> bool {
    let Some(sample) = sample else { return true };
    let mut packs = space.index.locations(item).map(|location| location.pack);
    let read_from = packs.find(|pack| space.holders(*pack).next().is_some());
    read_from.is_some_and(|number| sample.contains(&space.index.packs()[number as usize].id))
}

impl VerifyForecast {
    fn objects_of(
        &mut self,
        vault: &Vault,
        space: &Space,
        readable: &[(&Snapshot, Needed)],
        options: &VerifyOptions<'_>,
    ) -> Result<()> {
        for (at, replica) in vault.replicas.all().iter().enumerate() {
            if !replica.is_live() || !options.scope.includes(&replica.name) {
                continue;
            }
            let needed = Needed::on(replica, readable);
            let objects = presence(space, at, replica, &needed, &mut VerifyReport::default());
            // What is hashed while its content is read is not read before.
            let (left, now): (Vec<Object>, Vec<Object>) =
                objects.into_iter().partition(|object| is_left(space, at, object, options));
            self.objects += left.len() as u64;
            self.add(vault, at, &now, options)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        vault: &Vault,
        at: usize,
        objects: &[Object],
        options: &VerifyOptions<'_>,
    ) -> Result<()> {
        let replica = &vault.replicas.all()[at];
        let level = object_level(replica, options)?;
        self.levels.insert(replica.name.clone(), options.level.unwrap_or(level));
        self.objects += objects.len() as u64;
        let traffic = self.traffic.entry(replica.name.clone()).or_default();
        for object in objects {
            match level {
                Level::Presence => {}
                Level::Stored => traffic.head += 1,
                Level::Bytes | Level::Content => traffic.read_whole(object.size.unwrap_or_default()),
            }
        }
        Ok(())
    }
}
