//! What the ledger decided about manifests: which are removed, from where, and which are held.
//!
//! The entries of a ledger are folded in the order of their chain into one [`Fate`] a manifest. A
//! hold is stronger than a removal, whichever came first: two hosts may have written them without
//! seeing each other, and only one of the two mistakes can be mended.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::format::ledger::{Decision, LedgerEntry};
use crate::ids::{Digest, ReplicaId, SnapshotId};

/// What was decided about one manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// Why nothing may remove it.
    pub held: Option<Held>,
    /// Why it goes.
    pub removed: Option<Removal>,
    /// Why it may be smaller than the one before.
    pub accepted_shrink: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The entry that says so; it is as old as the hold.
    pub entry: SnapshotId,
    /// Why, in words.
    pub reason: String,
}

/// A removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The newest entry that says so; it is as old as the removal.
    pub entry: SnapshotId,
    /// The rule, or the reason in words.
    pub rule: String,
    /// Replicas that are not to hold it; `None`: none is.
    pub from: Option<BTreeSet<ReplicaId>>,
}

impl Fate {
    /// Whether no replica is to hold it.
    pub fn is_removed(&self) -> bool {
        self.held.is_none() && self.removed.as_ref().is_some_and(|removal| removal.from.is_none())
    }

    /// Whether a replica is not to hold it. One whose id cannot be read keeps what others may lose.
    pub fn is_removed_from(&self, replica: Option<ReplicaId>) -> bool {
        let from = |removal: &Removal| match &removal.from {
            None => true,
            Some(replicas) => replica.is_some_and(|replica| replicas.contains(&replica)),
        };
        self.held.is_none() && self.removed.as_ref().is_some_and(from)
    }
}

/// The fates of all manifests that a ledger speaks of.
#[derive(Debug, Clone, Default)]
pub struct Fates {
    fates: HashMap<Digest, Fate>,
    /// What removed manifests name, so that the chain stays whole without them.
    parents: HashMap<Digest, Vec<Digest>>,
}

impl Fates {
    /// Returns what was decided about a manifest.
    pub fn of(&self, manifest: &Digest) -> Fate {
        self.fates.get(manifest).cloned().unwrap_or_default()
    }

    /// Returns what a manifest that was ever removed names; `None` for one that never was.
    pub fn parents_of_removed(&self, manifest: &Digest) -> Option<&[Digest]> {
        self.parents.get(manifest).map(Vec::as_slice)
    }

    /// Takes in the next entry, oldest first.
    pub(super) fn apply(&mut self, entry: &LedgerEntry) {
        match &entry.decision {
            Decision::Removal { snapshots, replicas, .. } => {
                for snapshot in snapshots {
                    self.parents.insert(snapshot.sha256, snapshot.parents.clone());
                    let fate = self.fates.entry(snapshot.sha256).or_default();
                    let before = fate.removed.take().map(|removal| removal.from);
                    let from = match (before, replicas) {
                        (Some(None), _) | (_, None) => None,
                        (Some(Some(before)), Some(more)) => Some(before.union(more).copied().collect()),
                        (None, Some(more)) => Some(more.clone()),
                    };
                    fate.removed =
                        Some(Removal { entry: entry.id.clone(), rule: snapshot.rule.clone(), from });
                }
            }
            Decision::Undelete { snapshots, .. } => {
                for snapshot in snapshots {
                    self.fates.entry(snapshot.sha256).or_default().removed = None;
                }
            }
            Decision::Hold { snapshots, reason, .. } => {
                for snapshot in snapshots {
                    let held = Held { entry: entry.id.clone(), reason: reason.clone() };
                    self.fates.entry(snapshot.sha256).or_default().held.get_or_insert(held);
                }
            }
            Decision::Release { snapshots, .. } => {
                for snapshot in snapshots {
                    self.fates.entry(snapshot.sha256).or_default().held = None;
                }
            }
            Decision::AcceptedShrink { snapshot, reason, .. } => {
                self.fates.entry(snapshot.sha256).or_default().accepted_shrink = Some(reason.clone());
            }
            Decision::AcceptedGap { .. }
            | Decision::Rewrap { .. }
            | Decision::Endorsement { .. }
            | Decision::Erasure { .. }
            | Decision::Restriction { .. }
            | Decision::Lift { .. }
            | Decision::Receipt(_)
            | Decision::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::VaultId;
    use crate::vault::format::ledger::{Named, Removed};

    const MANIFEST: Digest = Digest([7; 32]);

    fn fold(decisions: Vec<Decision>) -> Fate {
        let mut fates = Fates::default();
        for (n, decision) in decisions.into_iter().enumerate() {
            fates.apply(&LedgerEntry {
                kind: String::new(),
                format: 1,
                vault: VaultId([0; 16]),
                key: String::new(),
                space: "blog".parse().unwrap(),
                id: format!("20261121T{n:02}0000Z-00000000").parse().unwrap(),
                parents: Vec::new(),
                critical: false,
                audit: None,
                decision,
            });
        }
        fates.of(&MANIFEST)
    }

    fn named() -> Vec<Named> {
        vec![Named { snapshot: "20261120T000000Z-00000000".parse().unwrap(), sha256: MANIFEST }]
    }

    fn removal(replicas: Option<&[u8]>) -> Decision {
        Decision::Removal {
            repository: "blog".parse().unwrap(),
            snapshots: vec![Removed {
                snapshot: None,
                sha256: MANIFEST,
                parents: vec![],
                rule: "keep_daily".into(),
            }],
            replicas: replicas.map(|ids| ids.iter().map(|n| ReplicaId([*n; 16])).collect()),
        }
    }

    fn hold() -> Decision {
        Decision::Hold { repository: "blog".parse().unwrap(), snapshots: named(), reason: "court".to_owned() }
    }

    fn release() -> Decision {
        Decision::Release {
            repository: "blog".parse().unwrap(),
            snapshots: named(),
            reason: "over".to_owned(),
        }
    }

    fn undelete() -> Decision {
        Decision::Undelete {
            repository: "blog".parse().unwrap(),
            snapshots: named(),
            reason: "mistake".to_owned(),
        }
    }

    #[test]
    fn removals_from_replicas_add_up_and_undelete_takes_all_back() {
        let one = |n: u8| Some(ReplicaId([n; 16]));
        let fate = fold(vec![removal(Some(&[1])), removal(Some(&[2]))]);
        assert!(fate.is_removed_from(one(1)) && fate.is_removed_from(one(2)));
        assert!(!fate.is_removed_from(one(3)) && !fate.is_removed_from(None) && !fate.is_removed());
        let fate = fold(vec![removal(Some(&[1])), removal(None)]);
        assert!(fate.is_removed() && fate.is_removed_from(None));
        let fate = fold(vec![removal(None), removal(Some(&[1]))]);
        assert!(fate.is_removed(), "removed everywhere stays so");
        assert_eq!(fold(vec![removal(None), undelete()]), Fate::default());
        assert!(fold(vec![removal(None), undelete(), removal(None)]).is_removed());
    }

    #[test]
    fn a_hold_is_stronger_than_a_removal_in_either_order_until_its_release() {
        assert!(!fold(vec![hold(), removal(None)]).is_removed());
        assert!(!fold(vec![removal(None), hold()]).is_removed());
        assert!(fold(vec![removal(None), hold(), release()]).is_removed());
        let fate = fold(vec![hold(), hold()]);
        assert_eq!(fate.held.unwrap().entry.as_str(), "20261121T000000Z-00000000", "as old as the first");
    }
}
