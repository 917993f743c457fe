//! What was decided of findings, by where they are.

use std::collections::{BTreeMap, HashSet};

use crate::ids::Name;
use crate::privacy::erasure::mask::Kept;
use crate::privacy::matching::{Finding, Fingerprint};
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{FoundItem, SearchReport};

/// What a decision means for something live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It is the person, and goes.
    Goes,
    /// It is somebody else, or kept with a ground.
    Stays,
}

struct One {
    kept: Kept,
    fingerprint: Fingerprint,
    /// Live, or in the newest snapshot, when it was searched.
    is_current: bool,
    says: Says,
}

/// What was decided of everything that was found, by repository and path. Personal data.
#[derive(Default)]
pub struct Decisions {
    by_path: BTreeMap<Name, BTreeMap<String, Vec<One>>>,
    /// Repositories in which the person was ever found.
    touched: Vec<Name>,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions").field("repositories", &self.by_path.len()).finish_non_exhaustive()
    }
}

impl Decisions {
    /// Gathers the decisions of a report. A finding without one is nobody's word: met live, it counts as undecided.
    pub fn of(
        report: &SearchReport,
        decisions: &(dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync),
    ) -> Self {
        let mut all = Self::default();
        for (found, finding) in report.each() {
            let says = match decisions(found, finding).map(|own| own.decision) {
                Some(Decision::Subject | Decision::ThirdParty) => Says::Goes,
                Some(Decision::NotSubject | Decision::Keep) => Says::Stays,
                Some(Decision::Unsure) | None => continue,
            };
            let sightings = found.sightings.iter().map(|one| (&one.repository, &one.path, one.is_in_newest));
            let live = found.live.iter().map(|live| (&live.repository, &live.path, true));
            for (repository, path, is_current) in sightings.chain(live) {
                let (kept, fingerprint) = (Kept::of(finding), finding.fingerprint);
                let paths = all.by_path.entry(repository.clone()).or_default();
                let here = paths.entry(path.clone()).or_default();
                here.push(One { kept, fingerprint, is_current, says });
                if says == Says::Goes {
                    all.touched.push(repository.clone());
                }
            }
        }
        all.touched.sort_unstable();
        all.touched.dedup();
        all
    }

    /// Repositories in which the person was found, whenever.
    pub(super) fn touched(&self) -> &[Name] {
        &self.touched
    }

    /// Paths of a repository at which something that goes is live, or was in the newest snapshot.
    pub(super) fn going(&self, repository: &Name) -> impl Iterator<Item = &str> {
        let paths = self.by_path.get(repository).into_iter().flatten();
        paths
            .filter(|(_, ones)| ones.iter().any(|one| one.is_current && one.says == Says::Goes))
            .map(|(path, _)| &**path)
    }

    /// What was decided of a finding that is live now: of the same words at the same kind of place, or of what
    /// else was found at `path` with the same fingerprint. What was decided of what is current counts before
    /// what was decided of older versions; of two that differ the one that says that it goes.
    pub(super) fn says(&self, repository: &Name, path: &str, finding: &Finding) -> Option<Says> {
        let kept = Kept::of(finding);
        let same: Vec<&One> = self
            .at(repository, path)
            .filter(|one| {
                one.fingerprint == finding.fingerprint
                    && one.kept.identifier == kept.identifier
                    && one.kept.channel == kept.channel
            })
            .collect();
        let of = |ones: Vec<&One>| -> Option<Says> {
            let goes = ones.iter().any(|one| one.says == Says::Goes);
            (!ones.is_empty()).then_some(if goes { Says::Goes } else { Says::Stays })
        };
        let at_place = same.iter().copied().filter(|one| one.kept.place == kept.place).collect::<Vec<_>>();
        let current = |ones: &Vec<&'_ One>| -> Option<Says> {
            of(ones.iter().copied().filter(|one| one.is_current).collect())
        };
        current(&at_place).or_else(|| current(&same)).or_else(|| of(at_place)).or_else(|| of(same))
    }

    /// Findings at a path that stay, as a mask knows them.
    pub(super) fn kept(&self, repository: &Name, path: &str) -> HashSet<Kept> {
        let ones: Vec<&One> = self.at(repository, path).filter(|one| one.is_current).collect();
        let goes: HashSet<&Kept> =
            ones.iter().filter(|one| one.says == Says::Goes).map(|one| &one.kept).collect();
        let stays = ones.iter().filter(|one| one.says == Says::Stays && !goes.contains(&one.kept));
        stays.map(|one| one.kept.clone()).collect()
    }

    /// What was decided at a path; what a release does not change was decided at the path of what is published.
    fn at<'a>(&'a self, repository: &Name, path: &str) -> impl Iterator<Item = &'a One> {
        let paths = self.by_path.get(repository);
        let in_master =
            path.strip_prefix("releases/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
        let of = |path: &str| paths.and_then(|paths| paths.get(path)).into_iter().flatten();
        of(path).chain(in_master.map(of).into_iter().flatten())
    }
}
