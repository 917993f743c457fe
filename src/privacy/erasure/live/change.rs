//! One live document without the person, or with right values, as the Migration API takes it; the same in the plan
//! and when it is carried out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::content::{
    There, copies, embed_of, is_below, loss, may_differ, object, refers_to, taken, without_embed,
};
use super::decided::Says;
use super::purpose::Change;
use super::read::{Item, Repository};
use super::{Cause, Live, Taken};
use crate::ids::Name;
use crate::prismic::{Document, Root};
use crate::privacy::erasure::mask::Kept;
use crate::privacy::matching::Finding;
use crate::privacy::passage::Channel;
use crate::restore::repository::convert::TargetModels;

/// What becomes of a document.
pub(super) struct Changed {
    /// As it is now.
    pub(super) before: Taken,
    /// As it would be sent.
    pub(super) after: Taken,
    /// Places that change in what is sent.
    pub(super) own: Vec<String>,
    /// Places that Prismic copies from elsewhere.
    pub(super) copies: Vec<String>,
    /// What writing it would lose besides, as kind and place.
    pub(super) loses: Option<String>,
    /// Places that may differ afterwards.
    pub(super) may_differ: Vec<String>,
    /// Places at which a wrong value stands still, with the kind of each.
    pub(super) left: BTreeMap<String, Channel>,
}

/// What can be said of a document.
pub(super) enum Becomes {
    /// Nothing in it is to change.
    Clean,
    /// It says things about which nothing was decided: so many.
    Undecided(usize),
    /// What stays cannot be told from what goes: places.
    CannotTell(Vec<String>),
    /// It cannot be masked without the rest.
    Stuck(String),
    /// The models take no document of its type: places.
    NoModel(Vec<String>),
    /// It is to be shown no more for a while: places.
    Hidden(Vec<String>),
    /// It changes.
    Changed(Box<Changed>),
}

/// Findings of something live by what was decided of them.
pub(super) struct Sorted {
    pub(super) goes: Vec<Finding>,
    pub(super) kept: HashSet<Kept>,
    pub(super) undecided: usize,
}

impl Sorted {
    /// Places of what goes, each once.
    pub(super) fn places(&self) -> Vec<String> {
        let places: BTreeSet<&String> = self.goes.iter().map(|finding| &finding.place).collect();
        places.into_iter().cloned().collect()
    }

    /// Places at which somebody else was found, or what is kept, and nothing that goes.
    pub(super) fn others(&self) -> HashSet<String> {
        let goes: HashSet<&String> = self.goes.iter().map(|finding| &finding.place).collect();
        let kept = self.kept.iter().map(|kept| &kept.place);
        kept.filter(|place| !goes.contains(place)).cloned().collect()
    }

    /// Places at which something stays that a mask would not tell from what goes.
    pub(super) fn ambiguous(&self) -> Vec<String> {
        let ambiguous = self.goes.iter().filter(|finding| self.kept.contains(&Kept::of(finding)));
        let places: BTreeSet<&String> = ambiguous.map(|finding| &finding.place).collect();
        places.into_iter().cloned().collect()
    }
}

impl Live<'_> {
    /// Sorts findings of something live.
    pub(super) fn sorted(&self, repository: &Name, path: &str, found: Vec<Finding>) -> Sorted {
        let kept = self.decisions.kept(repository, path);
        let mut sorted = Sorted { goes: Vec::new(), kept, undecided: 0 };
        for finding in found {
            match self.decisions.says(repository, path, &finding) {
                Some(Says::Goes) => sorted.goes.push(finding),
                Some(Says::Stays) => drop(sorted.kept.insert(Kept::of(&finding))),
                None => sorted.undecided += 1,
            }
        }
        sorted
    }

    /// Says what becomes of a document that is live.
    pub(super) async fn becomes(
        &self,
        repository: &Name,
        path: &str,
        bytes: &Bytes,
        there: &Arc<There>,
    ) -> Result<Becomes, Cause> {
        let item = Item { path: path.to_owned(), bytes: bytes.clone() };
        let found = self.found(vec![item]).await?.pop().map(|(_, found)| found).unwrap_or_default();
        let sorted = self.sorted(repository, path, found);
        let mut wrong = Vec::new();
        if let Change::Correcting(own) = self.change {
            wrong.extend(own.wrong(path, bytes, &sorted.others()).into_keys());
            if wrong.is_empty() {
                return Ok(Becomes::Clean);
            }
            // Wrong by what was decided, and the person is not in it as they were then.
            if sorted.goes.is_empty() {
                return Ok(Becomes::Undecided(sorted.undecided.max(1)));
            }
        }
        if sorted.undecided > 0 {
            return Ok(Becomes::Undecided(sorted.undecided));
        }
        if sorted.goes.is_empty() {
            return Ok(Becomes::Clean);
        }
        match self.change {
            Change::Erasing(_) => {
                let ambiguous = sorted.ambiguous();
                if !ambiguous.is_empty() {
                    return Ok(Becomes::CannotTell(ambiguous));
                }
            }
            Change::Correcting(_) => {}
            Change::Hiding => return Ok(Becomes::Hidden(sorted.places())),
            Change::Showing => return Ok(Becomes::Clean),
        }
        let (change, there) = (self.change.clone(), Arc::clone(there));
        let (path, bytes) = (path.to_owned(), bytes.clone());
        let changing = tokio::task::spawn_blocking(move || {
            let now = match change.apply(&path, &bytes, &sorted) {
                Ok(now) => now,
                Err(stuck) => return Becomes::Stuck(stuck.place),
            };
            let Some((before, after)) = object(&bytes).zip(object(&now.bytes)) else {
                return Becomes::Stuck(String::new());
            };
            match changed(&before, after, now.places, (change.is_erasing(), &there)) {
                Some(changed) => Becomes::Changed(Box::new(Changed { left: now.left, ..changed })),
                None if wrong.is_empty() => Becomes::NoModel(sorted.places()),
                None => Becomes::NoModel(wrong),
            }
        });
        Ok(changing.await.expect("changing documents does not panic"))
    }

    /// Reads what documents refer to.
    pub(super) async fn there(
        &self,
        repository: &Repository<'_>,
        root: &Root,
        models: TargetModels,
        documents: impl Iterator<Item = &Document>,
    ) -> Result<Arc<There>, Cause> {
        self.check_cancelled()?;
        let (mut links, mut assets) = (BTreeSet::new(), BTreeSet::new());
        for document in documents {
            let Some(object) = object(&document.bytes) else { continue };
            let refers = refers_to(&object, &models);
            links.extend(refers.0);
            assets.extend(refers.1);
        }
        let ids = |ids: BTreeSet<String>| ids.into_iter().collect::<Vec<_>>();
        let documents = repository.documents(root, &ids(links)).await?.into_keys().collect();
        let assets = repository.assets(&ids(assets)).await?.into_values();
        let address = |asset: crate::prismic::Asset| {
            let url = asset.url.map(String::from).unwrap_or_default();
            (asset.id, url)
        };
        Ok(Arc::new(There { models, documents, assets: assets.map(address).collect() }))
    }
}

/// Compares what would be sent of a document with what it is; `None` where the models take none of its type.
fn changed(
    before: &Map<String, Value>,
    mut after: Map<String, Value>,
    mut places: Vec<String>,
    (is_erasing, there): (bool, &There),
) -> Option<Changed> {
    let now = taken(before, there)?;
    let copied = copies(before, &after, &places, there);
    // An embed whose address goes is gone as a whole: Prismic refuses one that leads nowhere.
    let embeds: BTreeSet<String> = places
        .iter()
        .filter(|place| is_erasing && !copied.contains(place))
        .filter_map(|place| embed_of(&now.findings, place))
        .map(str::to_owned)
        .collect();
    for embed in &embeds {
        without_embed(&mut after, embed);
    }
    let gone = |place: &String| embeds.iter().any(|embed| is_below(place, embed));
    let copied: Vec<String> = copied.into_iter().filter(|place| !gone(place)).collect();
    places.extend(embeds.iter().cloned());
    places.sort_unstable();
    places.dedup();
    let sent = taken(&after, there)?;
    let own = places.iter().filter(|place| !copied.contains(place)).cloned().collect();
    let loses = loss(&sent.findings, &places).map(|finding| {
        let kind = serde_json::to_value(finding.kind).ok();
        let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{kind} {}", finding.at)
    });
    let may_differ = may_differ(&sent.findings);
    Some(Changed { before: now, after: sent, own, copies: copied, loses, may_differ, left: BTreeMap::new() })
}
