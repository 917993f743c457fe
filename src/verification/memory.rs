//! What is remembered of verifications: which pack was good on which replica, when, and how deep
//! one looked.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};

use super::report::{DamageKind, Level, VerifyOptions, VerifyReport};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::clocks;
use crate::vault::error::ErrorKind;
use crate::vault::format::verified::{Times, Verified};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshot;
use crate::vault::verified;

impl Times {
    /// When it was verified this deep or deeper. A time to come is none: some clock was wrong.
    pub fn at(&self, level: Level, now: Timestamp) -> Option<Timestamp> {
        let deeper =
            [(Level::Stored, &self.stored), (Level::Bytes, &self.bytes), (Level::Content, &self.content)];
        let times = deeper.into_iter().filter(|(own, _)| *own >= level);
        let parse = |time: &String| Some(chrono::DateTime::parse_from_rfc3339(time).ok()?.to_utc());
        times.filter_map(|(_, time)| time.as_ref().and_then(parse)).filter(|time| *time <= now).max()
    }

    fn set(&mut self, level: Level, time: Option<Timestamp>) {
        let slot = match level {
            Level::Presence => return,
            Level::Stored => &mut self.stored,
            Level::Bytes => &mut self.bytes,
            Level::Content => &mut self.content,
        };
        *slot = time.map(rfc3339);
    }
}

/// The levels that are remembered.
const LEVELS: [Level; 3] = [Level::Stored, Level::Bytes, Level::Content];

/// Name of the pack or index object that an object belongs to: a pack is verified with its header.
pub(super) fn unit_of(key: &str) -> Option<Digest> {
    match layout::parse_header(key) {
        Some((pack, _)) => Some(pack),
        None => layout::promised_digest(key),
    }
}

/// What is remembered, by replica and space.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<(String, Name), Verified>);

impl Memory {
    /// Reads what is remembered of these spaces on the replicas that are looked at.
    pub(super) async fn load(
        vault: &Vault,
        spaces: impl IntoIterator<Item = &Name>,
        options: &VerifyOptions<'_>,
    ) -> Self {
        let mut memory = Self::default();
        for space in spaces {
            for replica in vault.replicas.live().filter(|replica| options.scope.includes(&replica.name)) {
                if let Some(found) = verified::load(vault, replica, space).await {
                    memory.0.insert((replica.name.clone(), space.clone()), found);
                }
            }
        }
        memory
    }

    /// When a pack or index object was last verified on a replica, this deep or deeper.
    pub(super) fn last(
        &self,
        replica: &str,
        space: &Name,
        unit: &Digest,
        level: Level,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.0.get(&(replica.to_owned(), space.clone()))?.objects.get(unit)?.at(level, now)
    }

    /// Takes in what a verification found, and writes it. What cannot be written is a warning: the
    /// next run verifies the same again.
    pub(super) async fn keep(
        mut self,
        vault: &Vault,
        options: &VerifyOptions<'_>,
        report: &mut VerifyReport,
    ) {
        // Asked once for each replica, however many spaces it has.
        let mut corrections: BTreeMap<&str, TimeDelta> = BTreeMap::new();
        for ((name, space), verified) in &mut self.0 {
            let Some(replica) = vault.replicas.named(name).filter(|replica| replica.is_live()) else {
                continue;
            };
            let kept = async {
                let correction = match corrections.get(&*replica.name) {
                    Some(known) => *known,
                    None => clocks::correction(vault, replica).await?,
                };
                corrections.insert(&replica.name, correction);
                let now = vault.now() + correction;
                take_in(verified, name, space, vault.is_encrypted(), now, options, report);
                verified::store(vault, replica, verified).await
            };
            if let Err(error) = kept.await {
                let mut detail =
                    format!("what was verified on {name} is not remembered: {}", with_causes(&error));
                if error.kind == ErrorKind::Identity {
                    detail.push_str("; a verification by itself does not need that key");
                }
                report.warnings.push(Problem::new("not-remembered", verified.key.clone(), detail));
            }
        }
    }
}

fn take_in(
    verified: &mut Verified,
    replica: &str,
    space: &Name,
    encrypted: bool,
    now: Timestamp,
    options: &VerifyOptions<'_>,
    report: &VerifyReport,
) {
    let is_of_space = |key: &str| layout::scope(key) == Some(space.as_str());
    let good: BTreeSet<&str> = report
        .good
        .iter()
        .filter(|(own, key, _)| own == replica && is_of_space(key))
        .map(|(_, key, _)| key.as_str())
        .collect();
    let level_of = |key: &str| {
        report.good.iter().find(|(own, other, _)| own == replica && other == key).map(|(_, _, level)| *level)
    };
    let level = good.first().and_then(|key| level_of(key));
    let mut with_header: BTreeSet<Digest> =
        good.iter().filter_map(|key| layout::parse_header(key)).map(|(pack, _)| pack).collect();
    for key in &good {
        let Some(unit) = layout::promised_digest(key).filter(|_| layout::parse_header(key).is_none()) else {
            continue;
        };
        let is_pack = key.split('/').next() == Some(layout::PACKS);
        if is_pack && encrypted && !with_header.remove(&unit) {
            continue;
        }
        let times = verified.objects.entry(unit).or_default();
        times.set(level.unwrap_or(Level::Presence), Some(now));
        // An index object has been opened and its signature checked by whoever loaded the space.
        let index_at_content = !is_pack && options.level == Some(Level::Content);
        if report.good_content.contains(&unit) || index_at_content {
            times.set(Level::Content, Some(now));
        }
    }
    // What is hidden is whole.
    let bad =
        report.damage.iter().filter(|damage| damage.replica == replica && damage.kind != DamageKind::Hidden);
    let bad_keys: BTreeSet<&str> = bad.clone().map(|damage| damage.key.as_str()).collect();
    let bad: BTreeSet<Digest> =
        bad.filter(|damage| is_of_space(&damage.key)).filter_map(|damage| unit_of(&damage.key)).collect();
    verified.objects.retain(|unit, _| !bad.contains(unit));
    if !bad.is_empty() {
        // Which of those that were not looked at need it, is not known.
        verified.snapshots.clear();
    }
    let needs = || report.needs.iter().filter(|needs| needs.replica == replica && needs.space == *space);
    if options.snapshots.is_empty() && !options.cancel.is_cancelled() {
        verified.objects.retain(|unit, _| report.there.contains(&(replica.to_owned(), *unit)));
        verified.snapshots.clear();
    }
    for needs in needs() {
        let mut times = Times::default();
        let manifest_is_bad = bad_keys.contains(needs.manifest.as_str());
        for level in LEVELS.into_iter().filter(|_| !manifest_is_bad && !needs.units.is_empty()) {
            // As old as the oldest of what it needs.
            let all: Option<Vec<Timestamp>> =
                needs.units.iter().map(|unit| verified.objects.get(unit)?.at(level, now)).collect();
            times.set(level, all.and_then(|times| times.into_iter().min()));
        }
        verified.snapshots.insert(needs.snapshot.clone(), times);
    }
}

/// When a snapshot was last verified on a replica.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastVerified {
    /// The replica.
    pub replica: String,
    /// When all bytes that it needs had been read and hashed there: the oldest of them, RFC 3339.
    pub bytes: Option<String>,
    /// The same for its content, decrypted and checked.
    pub content: Option<String>,
}

/// Returns when snapshots were last verified, one entry a replica that holds them.
pub async fn last_verified(
    vault: &Vault,
    snapshots: &[&Snapshot],
) -> BTreeMap<SnapshotId, Vec<LastVerified>> {
    let spaces: BTreeSet<&Name> = snapshots.iter().map(|snapshot| &snapshot.manifest.space).collect();
    let now = vault.now();
    let mut found: BTreeMap<SnapshotId, Vec<LastVerified>> = BTreeMap::new();
    let places =
        spaces.into_iter().flat_map(|space| vault.replicas.live().map(move |replica| (space, replica)));
    let loaded = stream::iter(places)
        .map(|(space, replica)| async move { (space, replica, verified::load(vault, replica, space).await) })
        .buffered(vault.limits().store_concurrency);
    let loaded: Vec<_> = loaded.collect().await;
    let mut by_space: BTreeMap<&Name, Vec<&Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        by_space.entry(&snapshot.manifest.space).or_default().push(snapshot);
    }
    for (space, replica, verified) in loaded {
        let Some(verified) = verified else { continue };
        let own = by_space.get(space).into_iter().flatten();
        for snapshot in own.filter(|snapshot| snapshot.on.contains(&replica.name)) {
            let times = verified.snapshots.get(snapshot.id()).cloned().unwrap_or_default();
            found.entry(snapshot.id().clone()).or_default().push(LastVerified {
                replica: replica.name.clone(),
                bytes: times.at(Level::Bytes, now).map(rfc3339),
                content: times.at(Level::Content, now).map(rfc3339),
            });
        }
    }
    found
}
