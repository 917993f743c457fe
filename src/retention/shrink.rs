//! The anomaly gate: a repository that suddenly holds much less stops its own expiry.
//!
//! A lost token, a mistaken migration or an intruder with the signing key make new snapshots that
//! are small, well formed and complete; expiry would then let the good ones go, night by night. So
//! the newest complete snapshot is compared with the last one that was plausible. One that fell is
//! not plausible, and neither are those after it, until a person accepts it
//! ([`accept_shrink`]) or the numbers recover.

use std::collections::BTreeMap;

use serde::Serialize;

use super::holds::named;
use crate::clock::Timestamp;
use crate::ids::{Name, SnapshotId};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::ledger::{Decision, Named};
use crate::vault::format::manifest::{Counts, Tally};
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::snapshots::{Snapshot, Snapshots};

/// Falls of fewer things than this are nobody's alarm: three of four pages are 75 %.
const FALL_MIN: u64 = 5;

/// A snapshot that holds much less than one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shrink {
    /// The newest complete snapshot.
    pub snapshot: SnapshotId,
    /// The last plausible one before it.
    pub against: SnapshotId,
    /// What fell.
    pub falls: Vec<Fall>,
}

/// A number that fell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fall {
    /// What was counted: `documents`, `documents of type page`.
    pub what: String,
    /// How many there were.
    pub from: u64,
    /// How many there are.
    pub to: u64,
}

impl std::fmt::Display for Shrink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let falls: Vec<_> = self
            .falls
            .iter()
            .map(|fall| format!("{} from {} to {}", fall.what, fall.from, fall.to))
            .collect();
        write!(f, "{} holds much less than {} before it: {}", self.snapshot, self.against, falls.join(", "))
    }
}

/// Compares the newest complete snapshot of a repository with the last plausible one; `None` when
/// it is plausible itself. `max_shrink` is in per cent.
pub fn shrink_of(
    snapshots: &Snapshots,
    repository: &Name,
    max_shrink: u32,
    now: Timestamp,
) -> Option<Shrink> {
    let accepted = accepted(snapshots, repository);
    let mut plausible: Option<&Snapshot> = None;
    let mut shrink = None;
    let counted = |snapshot: &&Snapshot| snapshot.is_complete() && snapshot.id().time() <= now;
    for snapshot in snapshots.of(repository).iter().filter(counted) {
        let falls = plausible.map_or_else(Vec::new, |before| {
            // What was accepted may be removed by now; it stands between the two all the same.
            let (from, to) = (before.id().time(), snapshot.id().time());
            let between = |id: &SnapshotId| from < id.time() && id.time() <= to;
            let is_accepted =
                accepted.iter().any(|one| one.sha256 == snapshot.digest || between(&one.snapshot));
            match is_accepted {
                true => Vec::new(),
                false => falls(&before.manifest.counts, &snapshot.manifest.counts, max_shrink),
            }
        });
        match plausible {
            Some(before) if !falls.is_empty() => {
                let (snapshot, against) = (snapshot.id().clone(), before.id().clone());
                shrink = Some(Shrink { snapshot, against, falls });
            }
            _ => {
                plausible = Some(snapshot);
                shrink = None;
            }
        }
    }
    shrink
}

/// The snapshots of a repository that may be smaller than those before them.
fn accepted(snapshots: &Snapshots, repository: &Name) -> Vec<Named> {
    let spaces: std::collections::BTreeSet<&Name> =
        snapshots.of(repository).iter().map(|snapshot| &snapshot.manifest.space).collect();
    let ledgers = spaces.into_iter().filter_map(|space| snapshots.ledger(space));
    ledgers
        .flat_map(Ledger::entries)
        .filter_map(|entry| match &entry.decision {
            Decision::AcceptedShrink { repository: of, snapshot, .. } if of == repository => {
                Some(snapshot.clone())
            }
            _ => None,
        })
        .collect()
}

fn falls(before: &Counts, after: &Counts, max_shrink: u32) -> Vec<Fall> {
    let mut falls = Vec::new();
    let mut compare = |what: String, from: u64, to: u64| {
        let lost = from.saturating_sub(to);
        if lost >= FALL_MIN && u128::from(lost) * 100 > u128::from(from) * u128::from(max_shrink) {
            falls.push(Fall { what, from, to });
        }
    };
    compare("documents".to_owned(), before.documents.stored, after.documents.stored);
    compare("assets".to_owned(), before.assets.stored, after.assets.stored);
    let none = Tally::default();
    let mut compare_each = |what: &str, before: &BTreeMap<String, Tally>, after: &BTreeMap<String, Tally>| {
        for (name, tally) in before {
            let now = after.get(name).unwrap_or(&none);
            compare(format!("documents {what} {name}"), tally.stored, now.stored);
        }
    };
    compare_each("of type", &before.documents_by_type, &after.documents_by_type);
    compare_each("in", &before.documents_by_language, &after.documents_by_language);
    falls
}

/// Checks that a snapshot is one whose fall stops expiry, so that nobody accepts by mistake what
/// is yet to come.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when nothing is to be accepted.
pub fn plan_accept_shrink(
    snapshots: &Snapshots,
    snapshot: &Snapshot,
    max_shrink: u32,
    now: Timestamp,
) -> Result<Shrink> {
    let repository = &snapshot.manifest.repository;
    let nothing = |what: String, hint: String| VaultError::new(ErrorKind::NotFound, what).hint(hint);
    let shrink = shrink_of(snapshots, repository, max_shrink, now).ok_or_else(|| {
        nothing(
            format!("expiry of {repository} is not stopped, so there is nothing to accept"),
            format!("`prismvault retain {repository} --dry-run` shows what goes and what stays"),
        )
    })?;
    let place = |id: &SnapshotId| snapshots.of(repository).iter().position(|one| one.id() == id);
    let (own, last) = (place(snapshot.id()), place(&shrink.snapshot));
    if own <= place(&shrink.against) || own > last || !snapshot.is_complete() {
        return Err(nothing(
            format!("{} is not what stops expiry of {repository}", snapshot.id()),
            format!("{shrink}; name {} if that is right", shrink.snapshot),
        ));
    }
    Ok(shrink)
}

/// Records that a snapshot may be smaller than those before it; returns the key of the entry.
///
/// # Errors
///
/// Without a maintenance key, or when too few replicas take the entry.
pub async fn accept_shrink(vault: &Vault, snapshot: &Snapshot, reason: &str) -> Result<String> {
    let space = &snapshot.manifest.space;
    let ledger = Ledger::load(vault, space).await?;
    ledger.require_whole(vault, &snapshot.manifest.ledger)?;
    let decision = Decision::AcceptedShrink {
        repository: snapshot.manifest.repository.clone(),
        snapshot: named(snapshot),
        reason: reason.to_owned(),
    };
    Ok(ledger.append(vault, space, decision).await?.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(documents: u64, assets: u64, types: &[(&str, u64)]) -> Counts {
        let tally = |stored| Tally { reported: None, stored, bytes: 0 };
        Counts {
            documents: tally(documents),
            assets: tally(assets),
            documents_by_type: types
                .iter()
                .map(|(name, count)| ((*name).to_owned(), tally(*count)))
                .collect(),
            ..Counts::default()
        }
    }

    #[test]
    fn a_fall_is_one_of_more_than_the_share_and_of_more_than_a_handful() {
        let before = counts(100, 10, &[("page", 60), ("author", 6)]);
        let told = |after: Counts, share: u32| -> Vec<String> {
            falls(&before, &after, share).into_iter().map(|fall| fall.what).collect()
        };
        assert_eq!(told(before.clone(), 0), Vec::<String>::new());
        assert_eq!(told(counts(70, 10, &[("page", 42), ("author", 6)]), 30), Vec::<String>::new());
        assert_eq!(told(counts(69, 10, &[("page", 42), ("author", 6)]), 30), ["documents"]);
        // Four of six authors are many, and few; a type that is gone counts as none.
        assert_eq!(told(counts(100, 10, &[("page", 60), ("author", 2)]), 30), Vec::<String>::new());
        assert_eq!(told(counts(100, 10, &[("page", 60)]), 30), ["documents of type author"]);
        assert_eq!(told(counts(100, 5, &[("page", 60), ("author", 6)]), 30), ["assets"]);
        assert_eq!(told(counts(0, 0, &[]), 100), Vec::<String>::new(), "100 % switches it off");
    }
}
