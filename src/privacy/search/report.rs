//! What a search came to: what was found, what was searched, and what could not be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::places::Place;
use super::reading::Reading;
use crate::clock::Timestamp;
use crate::ids::{ItemId, Name, SnapshotId};
use crate::privacy::matching::{Finding, Rarity, Tier};
use crate::privacy::passage::{Channel, Reason, Unsearchable};
use crate::progress::Problem;
use crate::vault::format::manifest::Manifest;
use crate::vault::item::ItemKind;

/// Items that could not be searched which a report lists one by one; all are counted.
const LISTED_MAX: usize = 10_000;

/// What a search came to.
///
/// Personal data: it tells where a person is.
#[derive(Clone, Serialize, Deserialize)]
pub struct SearchReport {
    /// When it began.
    pub at: Timestamp,
    /// Version of the program: rules of matching may change with it.
    pub version: String,
    /// Items in which something was found, what is best reviewed first at the top.
    pub found: Vec<FoundItem>,
    /// What was searched.
    pub coverage: Coverage,
}

impl std::fmt::Debug for SearchReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchReport").field("found", &self.found.len()).finish_non_exhaustive()
    }
}

/// One item in which something was found.
#[derive(Clone, Serialize, Deserialize)]
pub struct FoundItem {
    /// Space that it is in.
    pub space: Name,
    /// Its id; `None` for what is live and in no snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Bytes of it.
    pub size: u64,
    /// Where it is; empty where no snapshot names it any more and pruning has not removed it yet.
    pub sightings: Vec<Sighting>,
    /// Where it is live, as far as that was searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LivePlace>,
    /// What was found in it, in its order.
    pub findings: Vec<Finding>,
    /// How urgent it is to look at it: see [`Rarity::score`].
    pub score: f64,
}

impl FoundItem {
    /// The strongest evidence in it.
    pub fn tier(&self) -> Option<Tier> {
        self.findings.iter().map(|finding| finding.tier).min()
    }

    /// Paths under which it is, each once.
    pub fn paths(&self) -> BTreeSet<&str> {
        self.sightings.iter().map(|sighting| &*sighting.path).collect()
    }
}

/// Something that is live now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePlace {
    /// The repository.
    pub repository: Name,
    /// What its path in a snapshot would be.
    pub path: String,
}

/// An item under one path of one repository, and since when until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The repository.
    pub repository: Name,
    /// Its path: type, language and id.
    pub path: String,
    /// The oldest snapshot that names it there.
    pub from: SnapshotId,
    /// The newest one.
    pub to: SnapshotId,
    /// How many snapshots do.
    pub snapshots: u64,
    /// Whether the newest snapshot of the repository is among them.
    pub is_in_newest: bool,
}

/// What was searched, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// By repository.
    pub repositories: Vec<SearchedRepository>,
    /// Distinct items that were looked at.
    pub items: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Of those that may hold the person, and of all files: by kind of item, how many were read in full.
    pub read: BTreeMap<String, KindCount>,
    /// Passages that were read in full, by kind of place.
    pub passages: BTreeMap<Channel, u64>,
    /// Items, or parts of them, that could not be searched, by reason.
    pub unsearchable: BTreeMap<Reason, u64>,
    /// Items among them that could not even be read.
    #[serde(default)]
    pub unread: u64,
    /// The same one by one, at most 10,000; files whose pictures or sound are no text are only counted.
    pub unsearched: Vec<Unsearched>,
    /// Repositories whose live content was searched as well.
    pub live: Vec<Name>,
    /// What no search can reach.
    pub beyond: Vec<Not>,
    /// Snapshots and catalogs that could not be read.
    pub problems: Vec<Problem>,
}

/// How many items of a kind, and how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// Items.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A repository whose snapshots were searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedRepository {
    /// Its name, or that of its lists of members.
    pub repository: Name,
    /// Snapshots.
    pub snapshots: u64,
    /// The oldest.
    pub from: SnapshotId,
    /// The newest.
    pub to: SnapshotId,
}

/// Something that could not be searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsearched {
    /// Where it is: repository and path; the item alone where no snapshot names it.
    pub sightings: Vec<Sighting>,
    /// The item.
    pub item: ItemId,
    /// Where in it; empty for all of it.
    pub place: String,
    /// Why; `None` where it could not even be read.
    pub reason: Option<Reason>,
    /// What reading it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// What nobody can search from outside of Prismic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Not {
    /// Drafts: no API shows them.
    Drafts,
    /// Archived documents.
    Archived,
    /// Earlier versions of documents in Prismic's own history.
    History,
    /// Files that were removed from the media library, and are still at their addresses.
    RemovedFiles,
    /// What pictures show, and sound and film say.
    Pictures,
    /// Copies outside of this vault: caches, exports, other backups.
    Copies,
}

impl Not {
    /// All of them: none can be reached by any version of this program.
    pub const ALL: [Self; 6] =
        [Self::Drafts, Self::Archived, Self::History, Self::RemovedFiles, Self::Pictures, Self::Copies];

    /// What it is and what to do, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Drafts => "drafts in Prismic: no interface shows them; search in Prismic's own editor",
            Self::Archived => "archived documents: no interface shows them; search in Prismic's own editor",
            Self::History => {
                "earlier versions that Prismic keeps of each document: only Prismic can search them"
            }
            Self::RemovedFiles => {
                "files that were removed from the media library: they stay at their addresses until Prismic deletes them"
            }
            Self::Pictures => {
                "what pictures show and recordings say: look at those with the person's name near them"
            }
            Self::Copies => "copies outside of this vault: exports, caches, backups of others",
        }
    }
}

impl SearchReport {
    pub(super) fn begin(at: Timestamp) -> Self {
        let coverage = Coverage { beyond: Not::ALL.to_vec(), ..Coverage::default() };
        Self { at, version: env!("CARGO_PKG_VERSION").to_owned(), found: Vec::new(), coverage }
    }

    /// Takes in what was found in one item of a snapshot.
    pub(super) fn take(&mut self, space: &Name, item: ItemId, reading: Reading, places: &[Place]) {
        let sightings = self.coverage.sightings(places);
        self.coverage.read(places.first().map(|place| &*place.path), &reading);
        for Unsearchable { place, reason } in reading.unsearchable {
            *self.coverage.unsearchable.entry(reason).or_default() += 1;
            if reason != Reason::NoText && self.coverage.unsearched.len() < LISTED_MAX {
                let (sightings, error) = (sightings.clone(), String::new());
                self.coverage.unsearched.push(Unsearched {
                    sightings,
                    item,
                    place,
                    reason: Some(reason),
                    error,
                });
            }
        }
        if !reading.findings.is_empty() {
            let (size, findings) = (reading.size, reading.findings);
            let (space, item, live) = (space.clone(), Some(item), None);
            self.found.push(FoundItem { space, item, size, sightings, live, findings, score: 0.0 });
        }
    }

    /// Takes in what was found in something that is live.
    pub(super) fn take_live(&mut self, live: LivePlace, reading: Reading) {
        self.coverage.read(Some(&live.path), &reading);
        for Unsearchable { reason, .. } in &reading.unsearchable {
            *self.coverage.unsearchable.entry(*reason).or_default() += 1;
        }
        if !reading.findings.is_empty() {
            self.found.push(FoundItem {
                space: live.repository.clone(),
                item: None,
                size: reading.size,
                sightings: Vec::new(),
                live: Some(live),
                findings: reading.findings,
                score: 0.0,
            });
        }
    }

    /// Puts what was found into the order in which it is best looked at.
    pub(super) fn finish(&mut self, rarity: &Rarity) {
        for found in &mut self.found {
            found.score = found.findings.iter().map(|finding| rarity.score(finding)).fold(0.0, f64::max);
        }
        self.found.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| (&a.space, a.item).cmp(&(&b.space, b.item)))
        });
    }

    /// Every finding with its item, in the order in which they are best looked at.
    pub fn each(&self) -> impl Iterator<Item = (&FoundItem, &Finding)> {
        self.found.iter().flat_map(|found| found.findings.iter().map(move |finding| (found, finding)))
    }

    /// Documents whose own UID or slug is the person: by id, with a path each. They are likely to be about
    /// the person as a whole; somebody who knows says so by naming them as author documents.
    pub fn named_after_the_person(&self) -> BTreeMap<&str, &str> {
        let is_name = |finding: &Finding| {
            finding.tier <= Tier::B
                && matches!(finding.channel, Channel::Uid | Channel::Slug)
                && !finding.place.starts_with("/alternate_languages")
        };
        let mut named = BTreeMap::new();
        for found in self.found.iter().filter(|found| found.findings.iter().any(is_name)) {
            let live = found.live.iter().map(|live| &*live.path);
            let paths = found.sightings.iter().map(|sighting| &*sighting.path).chain(live);
            for path in paths.filter(|path| ItemKind::of_path(path) == Some(ItemKind::Document)) {
                let file = path.rsplit('/').next().unwrap_or(path);
                named.entry(file.trim_end_matches(".json")).or_insert(path);
            }
        }
        named
    }

    /// Findings of all items.
    pub fn findings(&self) -> u64 {
        self.found.iter().map(|found| found.findings.len() as u64).sum()
    }
}

impl Coverage {
    /// Whether all that can be searched was: no snapshot, catalog, item or live repository failed.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.unread == 0
    }

    pub(super) fn add_snapshots(&mut self, manifests: &[&Manifest]) {
        let mut by_repository: BTreeMap<&Name, Vec<&SnapshotId>> = BTreeMap::new();
        for manifest in manifests {
            by_repository.entry(&manifest.repository).or_default().push(&manifest.snapshot);
        }
        for (repository, mut snapshots) in by_repository {
            snapshots.sort();
            if let (Some(from), Some(to)) = (snapshots.first(), snapshots.last()) {
                let (from, to) = ((*from).clone(), (*to).clone());
                let snapshots = snapshots.len() as u64;
                self.repositories.push(SearchedRepository {
                    repository: repository.clone(),
                    snapshots,
                    from,
                    to,
                });
            }
        }
    }

    /// Notes an item that could not be read at all.
    pub(super) fn not_read(&mut self, places: &[Place], item: &ItemId, error: String) {
        *self.unsearchable.entry(Reason::Damaged).or_default() += 1;
        self.unread += 1;
        if self.unsearched.len() < LISTED_MAX {
            let (sightings, place) = (self.sightings(places), String::new());
            self.unsearched.push(Unsearched { sightings, item: *item, place, reason: None, error });
        }
    }

    fn sightings(&self, places: &[Place]) -> Vec<Sighting> {
        let newest = |repository: &Name| {
            self.repositories
                .iter()
                .find(|searched| searched.repository == *repository)
                .map(|searched| &searched.to)
        };
        let sighting = |place: &Place| Sighting {
            repository: place.repository.clone(),
            path: place.path.clone(),
            from: place.from.clone(),
            to: place.to.clone(),
            snapshots: place.snapshots,
            is_in_newest: newest(&place.repository) == Some(&place.to),
        };
        places.iter().map(sighting).collect()
    }

    fn read(&mut self, path: Option<&str>, reading: &Reading) {
        let kind = match path.and_then(ItemKind::of_path) {
            Some(ItemKind::Document) => "documents",
            Some(ItemKind::Model) => "models",
            Some(ItemKind::Asset) => "files",
            Some(ItemKind::AssetMetadata) => "what the media library says of files",
            Some(ItemKind::Repository) => "metadata of repositories",
            Some(ItemKind::Page) | None => "others",
        };
        let count = self.read.entry(kind.to_owned()).or_default();
        count.items += 1;
        count.bytes += reading.size;
        for (channel, passages) in &reading.passages {
            *self.passages.entry(*channel).or_default() += passages;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::random;

    fn found(path: &str, channel: &str, place: &str, tier: &str) -> FoundItem {
        let finding = json!({
            "identifier": { "kind": "name", "index": 0 }, "tier": tier, "rule": "name_full", "channel": channel,
            "place": place, "passage": 0, "hits": [], "more_hits": 0, "excerpt": "", "fingerprint": vec![0; 32],
        });
        FoundItem {
            space: "blog".parse().unwrap(),
            item: Some(ItemId(random())),
            size: 1,
            sightings: Vec::new(),
            live: Some(LivePlace { repository: "blog".parse().unwrap(), path: path.to_owned() }),
            findings: vec![serde_json::from_value(finding).unwrap()],
            score: 0.0,
        }
    }

    #[test]
    fn documents_that_bear_the_name_are_told_and_others_are_not() {
        let mut report = SearchReport::begin("2026-03-01T00:00:00Z".parse().unwrap());
        report.found = vec![
            found("documents/en-us/author/Own.json", "uid", "/uid", "B"),
            found("documents/en-us/author/Slug.json", "slug", "/slugs/0", "B"),
            found("documents/fr-fr/author/Other.json", "uid", "/alternate_languages/0/uid", "B"),
            found("documents/en-us/page/Weak.json", "uid", "/uid", "D"),
            found("documents/en-us/page/Text.json", "key_text", "/data/name", "B"),
        ];
        let named: Vec<&str> = report.named_after_the_person().into_keys().collect();
        assert_eq!(named, ["Own", "Slug"]);
    }
}
