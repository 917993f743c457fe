//! What stays of a person because a plan says so: nobody takes it for a leak.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::ids::ItemId;
use crate::privacy::erasure::mask::Kept;
use crate::privacy::erasure::plan::Plan;
use crate::privacy::matching::Finding;
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{FoundItem, SearchReport};

/// Findings that stay: somebody else's, kept with a ground, or in what this program cannot change.
#[derive(Debug, Clone, Default)]
pub struct Stays {
    /// Findings that stay in an item.
    items: HashMap<ItemId, HashSet<Kept>>,
    /// The same by path, for what is stored later under it.
    paths: BTreeMap<String, HashSet<Kept>>,
    /// Items of which all stays, because the plan leaves them to people.
    left: HashSet<ItemId>,
    /// Items that are to be read no more.
    erased: HashSet<ItemId>,
}

impl Stays {
    /// Takes it from a plan, and from what it was made of.
    pub fn of(
        plan: &Plan,
        report: &SearchReport,
        decisions: &dyn Fn(&FoundItem, &Finding) -> Option<Decided>,
    ) -> Self {
        let by: HashMap<ItemId, ItemId> = plan.items.iter().map(|item| (item.item, item.by)).collect();
        let mut stays = Self { erased: by.keys().copied().collect(), ..Self::default() };
        for found in &report.found {
            let decided: Vec<(&Finding, Option<Decided>)> =
                found.findings.iter().map(|finding| (finding, decisions(found, finding))).collect();
            let is_to_stay = |decided: &Option<Decided>| {
                let decision = decided.as_ref().map(|own| &own.decision);
                matches!(decision, Some(Decision::NotSubject | Decision::Keep))
            };
            let kept: HashSet<Kept> = decided
                .iter()
                .filter(|(_, decided)| is_to_stay(decided))
                .map(|(finding, _)| Kept::of(finding))
                .collect();
            if let Some(item) = found.item {
                let goes = decided.iter().any(|(_, decided)| !is_to_stay(decided));
                match by.get(&item) {
                    None if goes => drop(stays.left.insert(item)),
                    _ if kept.is_empty() => {}
                    replaced => {
                        stays
                            .items
                            .entry(*replaced.unwrap_or(&item))
                            .or_default()
                            .extend(kept.iter().cloned());
                    }
                }
            }
            if !kept.is_empty() {
                let live = found.live.as_ref().map(|live| &*live.path);
                for path in found.paths().into_iter().chain(live) {
                    stays.paths.entry(path.to_owned()).or_default().extend(kept.iter().cloned());
                }
            }
        }
        stays
    }

    /// Whether something of the person may be in the raw bytes of an item, stored under this path.
    pub(super) fn may_hold(&self, item: &ItemId, path: &str) -> bool {
        !self.erased.contains(item)
            && (self.items.contains_key(item) || self.left.contains(item) || self.paths.contains_key(path))
    }

    /// Whether a finding in an item, read under this path, is one that stays.
    pub(super) fn is_kept(&self, item: &ItemId, path: &str, finding: &Finding) -> bool {
        if self.left.contains(item) {
            return true;
        }
        let finding = Kept::of(finding);
        let has = |kept: Option<&HashSet<Kept>>| kept.is_some_and(|kept| kept.contains(&finding));
        has(self.items.get(item)) || has(self.paths.get(path))
    }
}
