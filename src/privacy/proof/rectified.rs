//! What is looked at after a rectification, joined to evidence.
//!
//! The person stays, so nobody can look for them. Looked for are the wrong values at the places that the plan named:
//! every snapshot is asked for these, as a restore asks, under the orders of the ledger. What is read there says no
//! wrong value, but where the plan told that it stays; and where the plan corrected something, it says a right one.
//! Also what is restricted is read: it is handed out again one day.
//!
//! No replica is scanned for wrong values, since the same words are right elsewhere. That nothing of the packs that
//! held them is there is what receipts, listings and their headers say, as after an erasure.
//!
//! The canary are wrong values that must be found: in an invented document, and put back in memory at every place
//! that was corrected. Whoever finds these there finds those that were left.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::ProofError;
use super::canary::Canary;
use super::check::{Checked, horizons, of_replicas};
use super::erased::ErasedPacks;
use super::evidence::{Evidence, LiveEvidence, RestoreEvidence, UrlEvidence};
use super::headers::{self, OldHeaders};
use super::restored::{FoundAgain, Restored};
use super::scan::{Place, listed};
use crate::clock::rfc3339;
use crate::ids::{ItemId, Name};
use crate::prismic::parse_json;
use crate::privacy::channels::Bounds;
use crate::privacy::erasure::correct::{Correction, is_right_at, with_wrong_at, wrong_in};
use crate::privacy::erasure::plan::{Plan, PlannedItem};
use crate::privacy::matching::Finding;
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{Again, FoundItem, SearchReport, likely_path};
use crate::progress::{Phase, Problem};
use crate::restore::open_space;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;
use crate::vault::tree;

/// Where a wrong value may stand, because it is of somebody else, is kept, or cannot be changed. Personal data.
#[derive(Default)]
pub struct Allowed {
    /// Places of somebody else, or kept, by what is read in the place of an item.
    items: HashMap<ItemId, HashSet<String>>,
    /// The same by path, for other versions.
    paths: HashMap<String, HashSet<String>>,
    /// Path and place of what the plan leaves as it is.
    told: HashSet<(String, String)>,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allowed").field("told", &self.told.len()).finish_non_exhaustive()
    }
}

impl Allowed {
    /// Takes it from a plan, and from what it was made of.
    pub fn of(
        plan: &Plan,
        report: &SearchReport,
        decisions: &dyn Fn(&FoundItem, &Finding) -> Option<Decided>,
    ) -> Self {
        let by: HashMap<ItemId, ItemId> = plan.items.iter().map(|item| (item.item, item.by)).collect();
        let mut allowed = Self::default();
        let mut persons: HashSet<(String, String)> = HashSet::new();
        for found in &report.found {
            let (mut stays, mut goes) = (HashSet::new(), HashSet::new());
            for finding in &found.findings {
                let decided = decisions(found, finding).map(|own| own.decision);
                let stay = matches!(decided, Some(Decision::NotSubject | Decision::Keep));
                if stay { &mut stays } else { &mut goes }.insert(finding.place.clone());
            }
            let live = found.live.as_ref().map(|live| &*live.path);
            for path in found.paths().into_iter().chain(live) {
                persons.extend(goes.iter().map(|place| (path.to_owned(), place.clone())));
                allowed.paths.entry(path.to_owned()).or_default().extend(stays.iter().cloned());
            }
            stays.retain(|place| !goes.contains(place));
            if let Some(by) = found.item.and_then(|item| by.get(&item)) {
                allowed.items.entry(*by).or_default().extend(stays);
            }
        }
        for (path, places) in &mut allowed.paths {
            places.retain(|place| !persons.contains(&(path.clone(), place.clone())));
        }
        for left in &plan.left {
            let same = plan.items.iter().filter(|item| item.paths.first() == Some(&left.path));
            let paths = same.flat_map(|item| &item.paths).chain([&left.path]);
            allowed.told.extend(paths.map(|path| (path.clone(), left.place.clone())));
        }
        allowed
    }

    fn others(&self, item: &ItemId, path: &str) -> HashSet<String> {
        self.items.get(item).or_else(|| self.paths.get(path)).cloned().unwrap_or_default()
    }
}

/// What is looked at.
pub struct Looking<'a> {
    /// Vault, snapshots, bounds, progress.
    pub again: &'a Again<'a>,
    /// The plan that was carried out.
    pub plan: &'a Plan,
    /// What stays because of it.
    pub allowed: &'a Allowed,
    /// Names of headers, from before they were destroyed.
    pub headers: &'a OldHeaders,
    /// What is live.
    pub live: Vec<LiveEvidence>,
    /// Public addresses.
    pub urls: Vec<UrlEvidence>,
}

/// Looks at every snapshot, and says what was seen. Writes nothing.
///
/// # Errors
///
/// [`ProofError`]: when something as a whole cannot be looked at. A single item that cannot is told.
pub async fn rectified(looking: Looking<'_>) -> Result<Checked, ProofError> {
    let vault = looking.again.vault;
    let erased = ErasedPacks::load(vault, Some(&looking.plan.case)).await?;
    let live = vault.replicas.live();
    let places: Vec<Place> =
        live.map(|own| Place { name: own.name.clone(), store: Arc::clone(&own.store) }).collect();
    let replicas = listed(&places, &erased.all()).await;
    let headers = headers::try_all(vault, &erased, looking.headers).await?;
    let (restored, canary) = Box::pin(looking.restored()).await?;
    let horizons = horizons(vault, &erased);
    let evidence = Evidence {
        case: looking.plan.case.clone(),
        plan: looking.plan.hash(),
        looked: rfc3339(vault.now()),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        live: looking.live,
        urls: looking.urls,
        replicas: of_replicas(&horizons, &replicas, &headers),
        local: Vec::new(),
        sought: None,
        restored: restored.evidence.clone(),
        canary: canary.is_found(),
    };
    Ok(Checked { evidence, replicas, local: Vec::new(), headers, horizons, restored, canary })
}

/// Places of one item that are not as they are to be; `None`: it could not be read.
type Wrong = Option<Vec<String>>;

/// What was read of one space.
struct OfSpace<'a> {
    looking: &'a Looking<'a>,
    reader: Reader<'a>,
    /// What the plan puts in places.
    planned: HashMap<ItemId, &'a PlannedItem>,
    known: HashMap<(ItemId, String), Wrong>,
    problems: Vec<Problem>,
    canary: Canary,
}

impl Looking<'_> {
    async fn restored(&self) -> Result<(Restored, Canary), ProofError> {
        let again = self.again;
        again.vault.require_content_identity()?;
        let mut by_space: BTreeMap<&Name, Vec<&PlannedItem>> = BTreeMap::new();
        self.plan.items.iter().for_each(|item| by_space.entry(&item.space).or_default().push(item));
        let (mut done, mut canary) = (Restored::default(), invented(&self.plan.corrections, &again.bounds));
        for (name, items) in by_space {
            let space: Space = open_space(again.vault, again.snapshots, name).await?;
            let mut of_space = OfSpace {
                looking: self,
                reader: Reader::new(again.vault, &space).with_restricted(),
                planned: items.iter().map(|item| (item.by, *item)).collect(),
                known: HashMap::new(),
                problems: Vec::new(),
                canary: Canary::default(),
            };
            of_space.look(name, &items, &mut done).await?;
            done.problems.append(&mut of_space.problems);
            canary.planted += of_space.canary.planted;
            canary.missed.append(&mut of_space.canary.missed);
        }
        done.problems.sort();
        done.problems.dedup();
        done.found.sort();
        Ok((done, canary))
    }

    /// Places of an item that are not as they are to be; and what of the canary was planted and missed in it.
    fn wrong(
        &self,
        path: &str,
        (item, bytes): (ItemId, &Bytes),
        planned: Option<&PlannedItem>,
    ) -> (Vec<String>, Canary) {
        let (bounds, corrections) = (&self.again.bounds, &self.plan.corrections);
        let others = self.allowed.others(&item, path);
        let is_other = |place: &str| others.contains(place);
        let places: &[String] = planned.map(|item| &item.places[..]).unwrap_or_default();
        let is_told = |place: &String| {
            !places.contains(place) && self.allowed.told.contains(&(path.to_owned(), place.clone()))
        };
        let wrong = wrong_in(path, bytes, bounds, corrections, &is_other).into_keys();
        let mut left: Vec<String> = wrong.filter(|place| !is_told(place)).collect();
        let value = parse_json(bytes).ok();
        let is_right =
            |place: &String| value.as_ref().is_some_and(|value| is_right_at(value, place, corrections));
        let lacking = places.iter().filter(|place| !left.contains(place) && !is_right(place));
        left.extend(lacking.cloned().collect::<Vec<_>>());
        let mut canary = Canary::default();
        for (number, place) in places.iter().enumerate() {
            let wrong = &corrections[number % corrections.len().max(1)];
            let Some(planted) = with_wrong_at(bytes, place, wrong) else { continue };
            canary.planted += 1;
            if !wrong_in(path, &planted, bounds, corrections, &is_other).contains_key(place) {
                canary.missed.push(format!("{path} {place}"));
            }
        }
        (left, canary)
    }
}

impl OfSpace<'_> {
    async fn look(
        &mut self,
        name: &Name,
        items: &[&PlannedItem],
        done: &mut Restored,
    ) -> Result<(), ProofError> {
        let again = self.looking.again;
        let is_of_it = |snapshot: &&Snapshot| snapshot.manifest.space == *name;
        let snapshots: Vec<&Snapshot> = again.snapshots.iter().filter(is_of_it).collect();
        again.progress.start(Phase::Search, Some((items.len() + snapshots.len()) as u64));
        // Also what no snapshot names any more.
        for item in items {
            let path = item.paths.first().map_or("", String::as_str);
            self.item(item.by, path).await?;
            again.progress.advance(Phase::Search, 1, item.size);
        }
        let paths: BTreeSet<&String> = items.iter().flat_map(|item| &item.paths).collect();
        for snapshot in snapshots {
            let manifest = &snapshot.manifest;
            let (mut read, mut remaining) = (0, 0);
            for path in &paths {
                let found = tree::find::<CatalogEntry>(&self.reader, &manifest.catalog, path).await?;
                let Some(entry) = found else { continue };
                let Some(places) = self.item(entry.item, path).await? else { continue };
                read += 1;
                remaining += places.len() as u64;
                if !places.is_empty() {
                    done.found.push(FoundAgain {
                        repository: manifest.repository.clone(),
                        snapshot: manifest.snapshot.clone(),
                        path: (*path).clone(),
                        item: entry.item,
                        findings: places.len() as u64,
                        places,
                    });
                }
            }
            done.evidence.push(RestoreEvidence {
                repository: manifest.repository.clone(),
                snapshot: manifest.snapshot.clone(),
                items: read,
                remaining,
            });
            again.progress.advance(Phase::Search, 1, 0);
        }
        again.progress.finish(Phase::Search);
        Ok(())
    }

    /// Reads an item under a path once, and looks through it.
    async fn item(&mut self, item: ItemId, path: &str) -> Result<Wrong, ProofError> {
        if self.looking.again.cancel.is_cancelled() {
            return Err(ProofError::Cancelled);
        }
        let key = (item, path.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let wrong = match self.reader.bytes(item).await {
            Ok(bytes) => {
                let planned = self.planned.get(&item).copied();
                let path = if path.is_empty() { likely_path(&bytes) } else { path };
                let (wrong, canary) = self.looking.wrong(path, (item, &bytes), planned);
                self.canary.planted += canary.planted;
                self.canary.missed.extend(canary.missed);
                Some(wrong)
            }
            Err(error) => {
                self.problems.push(Problem::new("not-searched", path, error.to_string()));
                None
            }
        };
        self.known.insert(key, wrong.clone());
        Ok(wrong)
    }
}

/// An invented document in which every wrong value stands, escaped as no reader sees it: what is not found in it is
/// missed. In another one with the right values nothing may be found.
fn invented(corrections: &[Correction], bounds: &Bounds) -> Canary {
    const PATH: &str = "documents/en-us/canary/Canary0000000000.json";
    let mut canary = Canary::default();
    let found = |text: &str| {
        let within = format!("\u{bb} {text} \u{ab}");
        let (plain, within) = (escaped(text), escaped(&within));
        let json = format!(
            r#"{{"id":"Canary0000000000","type":"canary","lang":"en-us","data":{{"plain":{plain},"rich":[{{"type":"paragraph","text":{within},"spans":[]}}]}}}}"#
        );
        wrong_in(PATH, json.as_bytes(), bounds, corrections, &|_| false)
    };
    for (number, one) in (1..).zip(corrections) {
        let of_it = found(&one.wrong);
        for place in ["/data/plain", "/data/rich/0/text"] {
            canary.planted += 1;
            if !of_it.contains_key(place) {
                canary.missed.push(format!("correction {number} at {place}"));
            }
        }
        if !one.right.is_empty() && !found(&one.right).is_empty() {
            canary.missed.push(format!("correction {number}: its right value is taken for a wrong one"));
        }
    }
    canary
}

/// A string of JSON in which every letter is an escape.
fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Vec<Correction> {
        let correction = |(wrong, right): &(&str, &str)| Correction {
            wrong: (*wrong).to_owned(),
            right: (*right).to_owned(),
        };
        pairs.iter().map(correction).collect()
    }

    #[test]
    fn every_wrong_value_is_found_where_it_is_planted() {
        let pairs =
            [("Pérpetua Exampleton", "Perpetua Other-Exampleton"), ("a@example.org", ""), ("1 < 2", "2")];
        let canary = invented(&of(&pairs), &Bounds::default());
        assert_eq!((canary.planted, canary.missed), (6, Vec::new()));
        assert!(!invented(&[], &Bounds::default()).is_found(), "nothing planted proves nothing");
    }

    #[test]
    fn what_is_planted_in_vain_is_told() {
        // Nobody finds these as whole words, so nothing that is said of them counts.
        let blind = invented(&of(&[("", "x")]), &Bounds::default());
        assert!(!blind.is_found() && blind.missed.len() == 2, "{:?}", blind.missed);
        // The right value of one is wrong by another.
        let undone = invented(&of(&[("a b", "c d"), ("c d", "e")]), &Bounds::default());
        assert_eq!(undone.missed, ["correction 1: its right value is taken for a wrong one"]);
        assert_eq!(escaped("é😀"), r#""\u00e9\ud83d\ude00""#);
    }
}
