//! Items of a stored report, read once more: their passages as they are, nothing masked.
//!
//! A report keeps masked excerpts. Who reviews what was found, or hands it over, needs the texts; they are
//! read from the vault by the ids of the items, one item at a time. What was live and is in no snapshot is
//! fetched from Prismic again. A finding is recognised by its place and its fingerprint, not by the number
//! of its passage: another version of the program may number them otherwise. What is not there any more is a
//! problem, never silence.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::live::LiveSource;
use super::reading::{PassageText, TEXT_AT_ONCE, findings_in, likely_path, whole};
use super::report::{FoundItem, SearchReport};
use crate::ids::{ItemId, Name};
use crate::prismic::{AssetApi, ContentApi, PrismicError, Search, TypesApi};
use crate::privacy::channels::{self, Bounds, Item, Sink};
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::passage::{Passage, Unsearchable};
use crate::progress::{Phase, Problem, Progress};
use crate::restore::{RestoreError, Watch, open_space};
use crate::snapshot::names;
use crate::vault::item::ItemKey;
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::snapshots::Snapshots;

/// Where and how items are read again.
#[derive(Clone)]
pub struct Again<'a> {
    /// The vault.
    pub vault: &'a Vault,
    /// Its snapshots.
    pub snapshots: &'a Snapshots,
    /// Repositories from which what is live may be fetched.
    pub live: &'a [LiveSource<'a>],
    /// What reading one item may cost: as in the search.
    pub bounds: Bounds,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two items.
    pub cancel: CancellationToken,
}

/// A finding of the report, where it is now.
#[derive(Debug, Clone)]
pub struct Located {
    /// Which of [`ReadItem::passages`] it is in.
    pub passage: usize,
    /// The finding; its hits are places in that passage.
    pub finding: Finding,
}

/// An item that was read again. Personal data.
pub struct ReadItem<'a> {
    /// Which of [`SearchReport::found`].
    pub index: usize,
    /// The same as the report has it.
    pub found: &'a FoundItem,
    /// Its bytes; empty where they are more than is read.
    pub bytes: Bytes,
    /// Its passages, in its order.
    pub passages: Vec<PassageText>,
    /// What is found in them now, by passage.
    pub findings: Vec<Finding>,
    /// For each finding of the report, in its order, where it is; `None`: it is not there any more, which
    /// is among the problems.
    pub located: Vec<Option<Located>>,
    /// What of it could not be read.
    pub unsearchable: Vec<Unsearchable>,
}

impl std::fmt::Debug for ReadItem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadItem").field("passages", &self.passages.len()).finish_non_exhaustive()
    }
}

impl ReadItem<'_> {
    /// Places of the person in a passage: bytes of its text.
    pub fn hits(&self, passage: usize) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.passage == passage)
    }
}

/// Reads the items of a report again for which `wanted` says so, and hands each to `each`; returns what
/// could not be read, or is not as the report says.
///
/// # Errors
///
/// Those of the vault when a ledger is not whole or the identity that reads content is not here, and those
/// of `each`. An item that cannot be read is a problem.
pub async fn read_again<E: From<RestoreError>>(
    again: &Again<'_>,
    report: &SearchReport,
    matcher: &Arc<Matcher>,
    wanted: impl Fn(usize, &FoundItem) -> bool,
    mut each: impl AsyncFnMut(ReadItem<'_>) -> Result<(), E>,
) -> Result<Vec<Problem>, E> {
    again.vault.require_content_identity().map_err(RestoreError::from)?;
    let watch = Watch { phase: Phase::Search, progress: again.progress, cancel: &again.cancel };
    let mut problems = Vec::new();
    let mut spaces: BTreeMap<&Name, HashMap<ItemId, usize>> = BTreeMap::new();
    let mut live: BTreeMap<&Name, HashMap<&str, usize>> = BTreeMap::new();
    let mut items = 0;
    for (index, found) in report.found.iter().enumerate().filter(|(index, found)| wanted(*index, found)) {
        items += 1;
        match (&found.item, &found.live) {
            (Some(item), _) => {
                spaces.entry(&found.space).or_default().insert(*item, index);
            }
            (None, Some(place)) => {
                live.entry(&place.repository).or_default().insert(&place.path, index);
            }
            (None, None) => problems.push(gone(found, "it has neither an item nor a live place")),
        }
    }
    watch.progress.start(watch.phase, Some(items));
    for (name, of_space) in spaces {
        let space = open_space(again.vault, again.snapshots, name).await?;
        let reader = Reader::new(again.vault, &space).with_restricted();
        reader
            .for_each(of_space.keys().copied().collect::<Vec<_>>(), async |item, data| {
                watch.check_cancelled()?;
                let Some(index) = of_space.get(&item).copied() else { return Ok(()) };
                let found = &report.found[index];
                match data {
                    Ok(data) => {
                        let read = read(again, (index, found), data, matcher).await;
                        watch.progress.advance(watch.phase, 1, read.bytes.len() as u64);
                        problems.extend(missing(&read));
                        each(read).await
                    }
                    Err(error) => {
                        let subject = subject_of(found);
                        problems.push(Problem::new("item-damaged", subject, error.to_string()));
                        Ok(())
                    }
                }
            })
            .await?;
    }
    for (name, of_repository) in live {
        let key = again.vault.item_key().map_err(RestoreError::from)?;
        let mut left = of_repository.clone();
        let fetched = match again.live.iter().find(|source| source.target.name == *name) {
            Some(source) => fetch(source, key, &of_repository).await.map_err(|error| error.in_own_words()),
            None => Err("the configuration does not name this repository".to_owned()),
        };
        let why = match fetched {
            Ok(fetched) => {
                for (path, bytes) in fetched {
                    watch.check_cancelled()?;
                    let Some(index) = left.remove(&*path) else { continue };
                    let read =
                        read(again, (index, &report.found[index]), ItemData::Memory(bytes), matcher).await;
                    problems.extend(missing(&read));
                    each(read).await?;
                }
                "it is changed or gone since the search; search again".to_owned()
            }
            Err(why) => format!("it was live only, and cannot be read now: {why}"),
        };
        problems.extend(left.into_values().map(|index| gone(&report.found[index], &why)));
    }
    watch.progress.finish(watch.phase);
    problems.sort_unstable();
    Ok(problems)
}

/// Where something is, for a problem: ids and paths only.
fn subject_of(found: &FoundItem) -> String {
    let of = |repository: &Name, path: &str| format!("{repository}: {path}");
    found
        .sightings
        .first()
        .map(|one| of(&one.repository, &one.path))
        .or_else(|| found.live.as_ref().map(|live| of(&live.repository, &live.path)))
        .or_else(|| found.item.map(|item| item.to_string()))
        .unwrap_or_default()
}

fn gone(found: &FoundItem, why: &str) -> Problem {
    Problem::new("found-item-gone", subject_of(found), why)
}

/// A problem, where something that was found in an item is not found in it any more.
fn missing(read: &ReadItem<'_>) -> Option<Problem> {
    let lost = read.located.iter().filter(|located| located.is_none()).count();
    (lost > 0).then(|| {
        gone(
            read.found,
            &format!(
                "{lost} of what was found in it is not there any more, or is read otherwise; search again"
            ),
        )
    })
}

/// Reads an item and looks where the findings of the report are in it.
async fn read<'a>(
    again: &Again<'_>,
    (index, found): (usize, &'a FoundItem),
    data: ItemData,
    matcher: &Arc<Matcher>,
) -> ReadItem<'a> {
    let (matcher, bounds, wanted) = (Arc::clone(matcher), again.bounds.clone(), found.findings.clone());
    let path = found.sightings.first().map(|one| one.path.clone());
    let path = path.or_else(|| found.live.as_ref().map(|live| live.path.clone()));
    let work = move || {
        let mut kept = Kept::default();
        let bytes = match whole(data, &bounds) {
            Ok(bytes) => {
                let path = path.as_deref().unwrap_or_else(|| likely_path(&bytes));
                channels::read(Item { path, file_name: None, bytes: &bytes }, &bounds, &mut kept);
                bytes
            }
            Err(reason) => {
                kept.unsearchable.push(Unsearchable { place: String::new(), reason });
                Bytes::new()
            }
        };
        let findings = search(&matcher, &kept.passages);
        let located = locate(&matcher, &wanted, &kept.passages, &findings);
        (bytes, kept, findings, located)
    };
    let (bytes, kept, findings, located) =
        tokio::task::spawn_blocking(work).await.expect("reading items does not panic");
    let Kept { passages, unsearchable } = kept;
    ReadItem { index, found, bytes, passages, findings, located, unsearchable }
}

/// Keeps all that is read of an item.
#[derive(Default)]
struct Kept {
    passages: Vec<PassageText>,
    unsearchable: Vec<Unsearchable>,
}

impl Sink for Kept {
    fn passage(&mut self, passage: Passage<'_>) {
        self.passages.push(PassageText::of(passage));
    }

    fn unsearchable(&mut self, unsearchable: Unsearchable) {
        self.unsearchable.push(unsearchable);
    }
}

/// Searches passages as the search did: groups are never cut.
fn search(matcher: &Matcher, passages: &[PassageText]) -> Vec<Finding> {
    let (mut findings, mut start, mut bytes) = (Vec::new(), 0, 0);
    let mut look = |from: usize, to: usize| {
        let found = findings_in(matcher, &passages[from..to]);
        findings
            .extend(found.into_iter().map(|finding| Finding { passage: finding.passage + from, ..finding }));
    };
    for (at, passage) in passages.iter().enumerate() {
        let is_new_group = at > 0 && passages[at - 1].group != passage.group;
        if bytes >= TEXT_AT_ONCE && is_new_group {
            look(start, at);
            (start, bytes) = (at, 0);
        }
        bytes += passage.text.len();
    }
    look(start, passages.len());
    findings
}

/// Where the findings of a report are, by place and fingerprint.
fn locate(
    matcher: &Matcher,
    wanted: &[Finding],
    passages: &[PassageText],
    now: &[Finding],
) -> Vec<Option<Located>> {
    type Key<'a> = (&'a str, crate::privacy::passage::Channel);
    let mut by_place: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (at, passage) in passages.iter().enumerate() {
        by_place.entry((&passage.place, passage.channel)).or_default().push(at);
    }
    let mut fresh: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (at, finding) in now.iter().enumerate() {
        fresh.entry((&finding.place, finding.channel)).or_default().push(at);
    }
    // Of two that are the same in all but their number the first of the report is the first of now.
    let mut taken = vec![false; now.len()];
    let mut locate_one = |finding: &Finding| {
        let key = (&*finding.place, finding.channel);
        let is_same = |at: &usize| {
            let own = &now[*at];
            own.fingerprint == finding.fingerprint && own.identifier == finding.identifier
        };
        let same: Vec<usize> = fresh.get(&key).into_iter().flatten().copied().filter(is_same).collect();
        if let Some(at) = same.iter().find(|at| !taken[**at]).or(same.first()) {
            taken[*at] = true;
            return Some(Located { passage: now[*at].passage, finding: now[*at].clone() });
        }
        // The rules of this version may be others; the text is the same.
        let candidates = by_place.get(&key).into_iter().flatten().copied();
        let mut holding = candidates.filter(|at| matcher.is_of(&passages[*at].passage(), finding));
        holding.next().map(|passage| Located { passage, finding: Finding { passage, ..finding.clone() } })
    };
    wanted.iter().map(&mut locate_one).collect()
}

/// Fetches what is live at these paths; what is not there any more is left out.
async fn fetch(
    source: &LiveSource<'_>,
    key: &ItemKey,
    wanted: &HashMap<&str, usize>,
) -> Result<Vec<(String, Bytes)>, PrismicError> {
    let LiveSource { target, http } = source;
    let endpoints = &target.endpoints;
    let mut fetched = Vec::new();
    let mut keep = |path: String, bytes: Bytes| {
        if wanted.contains_key(&*path) {
            fetched.push((path, bytes));
        }
    };
    // Documents by their ids, of master and of each release.
    let mut documents: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    let (mut assets, mut models) = (Vec::new(), false);
    for path in wanted.keys() {
        match path.split('/').collect::<Vec<_>>()[..] {
            ["documents", _, _, file] => documents.entry(None).or_default().extend(id_of(file)),
            ["releases", release, "documents", _, _, file] => {
                documents.entry(Some(release)).or_default().extend(id_of(file));
            }
            ["assets", id, _] => assets.push(id.to_owned()),
            ["models", ..] => models = true,
            _ => {}
        }
    }
    if !documents.is_empty() {
        let content =
            ContentApi::new((*http).clone(), endpoints.content_api.clone(), target.access_token.clone());
        let root = content.root().await?;
        for (release, mut ids) in documents {
            let reference = match release {
                None => Some((None, &root.master_ref)),
                Some(segment) => root
                    .releases
                    .iter()
                    .find(|own| names::segment(key, &own.id) == segment)
                    .map(|own| (Some(&*own.id), &own.reference)),
            };
            let Some((release, reference)) = reference else { continue };
            ids.sort_unstable();
            let mut search = Search::everything(reference.clone(), http.limits().page_size);
            search.integration_fields_ref.clone_from(&root.integration_fields_ref);
            for batch in content.in_ids_batches(&search, &ids) {
                for document in content.search(&batch.search).await?.documents {
                    let path = names::document(key, release, &document.lang, &document.type_, &document.id);
                    keep(path, document.bytes);
                }
            }
        }
    }
    let Some(token) = &target.write_token else { return Ok(fetched) };
    if !assets.is_empty() {
        assets.sort_unstable();
        let library =
            AssetApi::new((*http).clone(), endpoints.asset_api.clone(), &target.repository, token.clone());
        for asset in library.with_ids(&assets).await? {
            keep(names::asset_metadata(key, &asset.id), asset.bytes);
        }
    }
    if models {
        let types =
            TypesApi::new((*http).clone(), endpoints.types_api.clone(), &target.repository, token.clone());
        let (custom_types, slices) = futures_util::try_join!(types.custom_types(), types.slices())?;
        for (kind, models) in [("customtypes", custom_types), ("slices", slices)] {
            models.into_iter().for_each(|model| keep(names::model(key, kind, &model.id), model.bytes));
        }
    }
    Ok(fetched)
}

/// The id in the name of a document's file.
fn id_of(file: &str) -> Option<String> {
    file.strip_suffix(".json").map(str::to_owned)
}
