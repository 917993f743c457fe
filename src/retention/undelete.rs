//! Taking removals back, as long as what the snapshots need is still there and stays there.
//!
//! Pruning marks packs and removed manifests and deletes them a grace later, after it has read all
//! manifests and ledgers once more. A removal that is taken back in the first half of that grace is
//! seen by every pruning that could still delete: none acts on a look that is as old as the other
//! half. So nothing of a snapshot is being deleted while its removal can still be taken back.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::holds::decide;
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, Name};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::Decision;
use crate::vault::index::{Listing, PackNumber};
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;
use crate::vault::{clocks, layout};

/// Whether a removal can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "undelete", rename_all = "kebab-case")]
pub enum Undeletable {
    /// Yes; pruning has marked nothing of it.
    Open,
    /// Until then, by the clock of the store that deletes first.
    Until {
        /// RFC 3339.
        until: String,
    },
    /// No longer, or not now.
    No {
        /// Why.
        why: String,
    },
}

/// A replica that holds the manifest of a removed snapshot.
struct Holder<'a> {
    replica: &'a Replica,
    listing: &'a Listing,
    /// When each marked pack was marked first; `None` where the store does not tell.
    packs: HashMap<Digest, Option<Timestamp>>,
    /// The same of marked manifests, by key.
    manifests: HashMap<String, Option<Timestamp>>,
    now: Timestamp,
}

/// Says of each removed snapshot, in the same order, whether its removal can be taken back. Reads
/// the catalogs, no content.
///
/// # Errors
///
/// [`ErrorKind::Identity`] when no identity that reads catalogs is here; those of a store.
pub async fn deadlines(vault: &Vault, removed: &[&Snapshot]) -> Result<Vec<Undeletable>> {
    let mut by_space: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    for (at, snapshot) in removed.iter().enumerate() {
        by_space.entry(&snapshot.manifest.space).or_default().push(at);
    }
    let mut answers: Vec<Option<Undeletable>> = vec![None; removed.len()];
    for (name, places) in by_space {
        let space = Space::load(vault, name).await?;
        let mut holders = Vec::new();
        for (at, replica) in vault.replicas.all().iter().enumerate() {
            if let Some(listing) = space.listing(at).filter(|_| replica.is_live()) {
                holders.push(holder(vault, replica, listing).await?);
            }
        }
        let reader = Reader::new(vault, &space);
        let mut needs = Needs::new(&reader, &space);
        for at in places {
            let needed = needs.of(&removed[at].manifest).await;
            answers[at] = Some(deadline(vault, &space, needed, &holders, removed[at]).await);
        }
    }
    Ok(answers.into_iter().map(|answer| answer.expect("every snapshot is of a space")).collect())
}

async fn holder<'a>(vault: &Vault, replica: &'a Replica, listing: &'a Listing) -> Result<Holder<'a>> {
    fn note<K: std::hash::Hash + Eq>(
        marked: &mut HashMap<K, Option<Timestamp>>,
        key: K,
        written: Option<Timestamp>,
    ) {
        // The oldest counts, and one without a time is older than all.
        let first = marked.entry(key).or_insert(written);
        *first = (*first).min(written);
    }
    let (mut packs, mut manifests) = (HashMap::new(), HashMap::new());
    for found in &listing.marks {
        found.mark.packs.iter().for_each(|pack| note(&mut packs, *pack, found.written));
        found.mark.manifests.iter().for_each(|key| note(&mut manifests, key.clone(), found.written));
    }
    let now = clocks::of(vault, replica).await?;
    Ok(Holder { replica, listing, packs, manifests, now })
}

async fn deadline(
    vault: &Vault,
    space: &Space,
    needed: Result<Needed>,
    holders: &[Holder<'_>],
    snapshot: &Snapshot,
) -> Undeletable {
    let key = layout::manifest(&snapshot.manifest.repository, snapshot.id());
    let no = |why: String| Undeletable::No { why };
    let needed = match needed {
        Ok(needed) => needed,
        Err(error) => return no(format!("its catalog cannot be read: {}", with_causes(&error))),
    };
    let (mut first, mut held) = (None::<Timestamp>, false);
    for holder in holders {
        if vault.check_manifest_on(holder.replica, &key).await.is_err() {
            continue;
        }
        held = true;
        let of_packs = holder.safe_until(vault, space, &needed);
        match of_packs.map(|until| until.min(half_after(vault, holder.manifests.get(&key)))) {
            Some(until) if until <= holder.now => {
                return no(format!("pruning has marked what it needs on {}", holder.replica.name));
            }
            None => return no(format!("what it needs is not whole on {} any more", holder.replica.name)),
            Some(until) if until == Timestamp::MAX_UTC => {}
            Some(until) => first = Some(first.map_or(until, |first| first.min(until))),
        }
    }
    match (held, first) {
        (false, _) => no("no replica that can be read holds it any more".to_owned()),
        (true, None) => Undeletable::Open,
        (true, Some(until)) => Undeletable::Until { until: rfc3339(until) },
    }
}

/// When half the grace after a mark has passed; never, where there is none.
fn half_after(vault: &Vault, marked: Option<&Option<Timestamp>>) -> Timestamp {
    let half = chrono::TimeDelta::from_std(vault.limits().grace() / 2).unwrap_or(chrono::TimeDelta::MAX);
    match marked {
        None => Timestamp::MAX_UTC,
        // A mark without a time may be of any age.
        Some(written) => written.and_then(|at| at.checked_add_signed(half)).unwrap_or(Timestamp::MIN_UTC),
    }
}

impl Holder<'_> {
    /// Until when the replica surely keeps all that is needed; `None` when it lacks something
    /// already.
    fn safe_until(&self, vault: &Vault, space: &Space, needed: &Needed) -> Option<Timestamp> {
        let best = |alternatives: Vec<PackNumber>| {
            let packs = alternatives.into_iter().map(|number| &space.index.packs()[number as usize]);
            let whole = packs.filter(|pack| self.listing.has_pack(pack));
            whole.map(|pack| half_after(vault, self.packs.get(&pack.id))).max()
        };
        let mut all = needed.alternatives(space).map(best);
        all.try_fold(Timestamp::MAX_UTC, |first, until| Some(first.min(until?)))
    }
}

/// Checks that the removals of all these snapshots can be taken back.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when one is not removed from anywhere, [`ErrorKind::Refused`] when it is
/// too late for one.
pub async fn plan_undelete(vault: &Vault, snapshots: &[&Snapshot]) -> Result<Vec<Undeletable>> {
    if let Some(kept) = snapshots.iter().find(|snapshot| snapshot.fate.removed.is_none()) {
        return Err(VaultError::new(ErrorKind::NotFound, format!("{} is not removed", kept.id()))
            .hint("`prismvault list --removed` shows which are"));
    }
    clocks::check(vault, vault.replicas.live()).await?;
    let answers = deadlines(vault, snapshots).await?;
    for (snapshot, answer) in snapshots.iter().zip(&answers) {
        if let Undeletable::No { why } = answer {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!("the removal of {} cannot be taken back: {why}", snapshot.id()),
            )
            .hint(
                "if its content is needed and some copy still has it, restore or export it from there now",
            ));
        }
    }
    Ok(answers)
}

/// Takes the removals of snapshots back, on every replica; returns the keys of the entries.
///
/// # Errors
///
/// As [`plan_undelete`]; without a maintenance key, or when too few replicas take an entry.
pub async fn undelete(vault: &Vault, snapshots: &[&Snapshot], reason: &str) -> Result<Vec<String>> {
    plan_undelete(vault, snapshots).await?;
    decide(vault, snapshots, reason, |repository, snapshots, reason| Decision::Undelete {
        repository,
        snapshots,
        reason,
    })
    .await
}
