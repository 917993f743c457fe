//! What a restore of a repository will do: every step, counted, before anything is written.
//!
//! A plan is made from what the snapshot holds and what the target holds now. The real run carries out
//! the same plan, so a dry run shows what would happen and how long it takes under the rates that
//! Prismic allows. What stands in the way is a [`Refusal`] with what to do about it; a plan with one is
//! not carried out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::super::content::{OpenSnapshot, Watch};
use super::super::error::Result;
use super::convert::TargetModels;
use super::entries::{Fate, NewDocument, Recorded, Request};
use super::existing::Existing;
use super::fidelity::{AssetFacts, Expected, Fidelity, FidelityReport};
use super::forecast::{self, Forecast, Paces};
use super::ids::{AssetNames, IdMap, PlannedIds};
use super::models::{self, Action, ModelPlan, ModelStep};
use super::order::{self, Node, Order, Step};
use super::source::{CUSTOM_TYPES, SLICES, Source, SourceAsset, SourceDocument};
use super::survey::{Surveyed, survey};
use super::{Choice, OnConflict};
use crate::clock::Timestamp;
use crate::diff::Bounds;
use crate::ids::{Name, SnapshotId};
use crate::limits::Limits;
use crate::prismic::AssetHosts;
use crate::prismic::write::{ASSET_BYTES_MAX, ASSET_TAG_CHARS_MAX};
use crate::progress::Problem;
use crate::vault::erasure::Applied;
use crate::vault::format::manifest::Status;

/// Examples that a refusal names.
const EXAMPLES: usize = 5;

/// What stands in the way of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// For programs: `locale-missing`.
    pub code: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do, in Prismic's interface or with another option.
    pub next: String,
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStep {
    /// For programs: `assets`.
    pub step: &'static str,
    /// For people.
    pub label: String,
    /// How many things.
    pub count: u64,
    /// How many of them are done already, where a restore goes on.
    pub done: u64,
    /// Requests that it takes from the beginning.
    pub requests: u64,
    /// Seconds that it takes from the beginning.
    pub seconds: f64,
}

/// What a restore will do.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Repository of the snapshot.
    pub source: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was taken.
    pub taken: Timestamp,
    /// The target, by its name of the configuration.
    pub target: Name,
    /// Prismic's name of the target.
    pub repository: String,
    /// What orders of erasure changed of the snapshot.
    pub applied: Applied,
    /// Documents that are published there now.
    pub documents_there: u64,
    /// What stands in the way.
    pub refusals: Vec<Refusal>,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// Documents that go live with links left out, until a later publish.
    pub live_incomplete: u64,
    /// Requests and time.
    pub forecast: Forecast,
    /// What Prismic cannot take back.
    pub fidelity: FidelityReport,
    /// What cannot be restored at all.
    pub problems: Vec<Problem>,
    #[serde(skip)]
    pub(super) work: Work,
}

/// What the steps are made of.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) models: ModelPlan,
    pub(super) target_models: Arc<TargetModels>,
    /// Tags that are to be created: their ids in the snapshot.
    pub(super) tags: Vec<String>,
    /// Places of the assets to be uploaded in [`Source::assets`].
    pub(super) uploads: Vec<usize>,
    /// Assets that the target has: under the same id, or as an earlier restore uploaded them.
    pub(super) assets_there: Vec<Kept>,
    /// What earlier restores made in the target.
    pub(super) earlier: IdMap,
    /// Assets that the target lists.
    pub(super) assets_listed: u64,
    /// Those that are written.
    pub(super) documents: Vec<Planned>,
    /// Those that stay as the target has them: id in the snapshot, id in the target.
    pub(super) kept: Vec<Kept>,
    pub(super) steps: Vec<Step>,
    /// What is to be expected at the end.
    pub(super) expected: Expected,
    pub(super) asset_names: AssetNames,
    /// Ids of the documents that are restored.
    pub(super) planned: HashSet<Box<str>>,
    pub(super) source: Source,
}

impl Plan {
    /// Counts what is done already.
    pub(super) fn count_done(&mut self, recorded: &Recorded) {
        let work = &self.work;
        let is_done = |request: Request| u64::from(recorded.fate(&request) == Fate::Done);
        let models = |kind| {
            let all = work.models.steps.iter().chain(&work.models.same);
            let of_kind = all.filter(move |step| step.kind == kind);
            of_kind.map(|step| is_done(model_request(step))).sum::<u64>()
        };
        let of_steps =
            |count: &dyn Fn(&Step) -> Option<u64>| work.steps.iter().filter_map(count).sum::<u64>();
        let id = |node: u32| work.documents[node as usize].document.id.clone();
        let created = |translations: bool| {
            of_steps(&|step| match step {
                Step::Create { node, .. }
                    if work.documents[*node as usize].translation_of.is_some() == translations =>
                {
                    Some(u64::from(recorded.documents.contains_key(&id(*node))))
                }
                _ => None,
            })
        };
        for step in &mut self.steps {
            step.done = match step.step {
                "slices" => models(SLICES),
                "custom-types" => models(CUSTOM_TYPES),
                "asset-tags" => work.tags.iter().map(|tag| is_done(Request::Tag(tag.as_str().into()))).sum(),
                "assets" => {
                    let ids = work.uploads.iter().map(|at| &work.source.assets[*at].id);
                    ids.filter(|id| recorded.assets.contains_key(*id)).count() as u64
                }
                "documents" => created(false),
                "translations" => created(true),
                "replaced" => of_steps(&|step| match step {
                    Step::Replace { node } => Some(is_done(Request::Replace(id(*node)))),
                    _ => None,
                }),
                "links" => of_steps(&|step| match step {
                    Step::Complete { node } => {
                        let document = recorded.documents.get(&id(*node));
                        Some(u64::from(document.is_some_and(|document| !document.incomplete)))
                    }
                    _ => None,
                }),
                "publish" => u64::from(recorded.live()).min(step.count),
                "read-back" if recorded.finished().is_some() => step.count,
                _ => 0,
            };
        }
        let left = |step: &PlannedStep| step.seconds * (1.0 - step.done as f64 / step.count.max(1) as f64);
        self.forecast.seconds_left = self.steps.iter().map(left).sum::<f64>().ceil() as u64;
    }
}

/// The request that writes a model.
pub(super) fn model_request(step: &ModelStep) -> Request {
    match step.kind {
        SLICES => Request::Slice(step.id.as_str().into()),
        _ => Request::CustomType(step.id.as_str().into()),
    }
}

impl Work {
    pub(super) fn new(
        documents: Vec<Planned>,
        models: ModelPlan,
        target_models: Arc<TargetModels>,
        asset_names: AssetNames,
    ) -> Self {
        Self {
            planned: documents.iter().map(|planned| planned.document.id.clone()).collect(),
            models,
            target_models,
            tags: Vec::new(),
            uploads: Vec::new(),
            assets_there: Vec::new(),
            earlier: IdMap::default(),
            assets_listed: 0,
            documents,
            kept: Vec::new(),
            steps: Vec::new(),
            expected: Expected::default(),
            asset_names,
            source: Source::default(),
        }
    }
}

/// A document that is restored.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) document: Surveyed,
    /// Its id in the target, where that has it already.
    pub(super) there: Option<Box<str>>,
    /// The document that it is a translation of: its place, or an id of the target.
    pub(super) translation_of: Option<Leader>,
    /// What is restored in place of what the snapshot has: a document that was put together.
    pub(super) overlay: Option<Bytes>,
}

/// What stays as the target has it: its id in the snapshot, its id there.
pub(super) type Kept = (Box<str>, Box<str>);

/// The document by which translations are linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leader {
    /// One that is restored.
    Planned(u32),
    /// One that the target has.
    There(Box<str>),
}

/// What a plan is made from.
pub(super) struct Planning<'a> {
    pub(super) snapshot: &'a OpenSnapshot<'a>,
    pub(super) target: &'a crate::snapshot::Target,
    pub(super) existing: &'a Existing,
    pub(super) choice: &'a Choice,
    /// What this restore did so far: what it made is no conflict.
    pub(super) recorded: &'a Recorded,
    /// Whether what was published since it began may be its own, although its journal does not know.
    pub(super) is_copy: bool,
    /// What other restores of the same repository made in the target, of what is there still.
    pub(super) earlier: &'a IdMap,
    /// Ids in the target of the documents that it made.
    pub(super) own: &'a HashSet<String>,
    /// Documents of the snapshot of which it is not known whether they were created: what the target has
    /// in their place may be they.
    pub(super) unsure: &'a HashSet<&'a str>,
    pub(super) limits: &'a Limits,
    pub(super) paces: Paces,
    pub(super) watch: Watch<'a>,
}

impl Planning<'_> {
    /// Makes the plan.
    pub(super) async fn plan(&self) -> Result<Plan> {
        let source = Source::read(self.snapshot, self.watch).await?;
        let manifest = self.snapshot.manifest();
        let chosen = self.choice.documents(self.snapshot.vault().item_key()?, &source)?;
        let mut refusals = self.refusals(&source, &chosen);
        let types: BTreeSet<&str> = chosen.iter().map(|at| &*source.documents[*at].type_).collect();
        let needed = (!self.choice.is_everything() && !self.choice.with_links).then_some(&types);
        let bounds = Bounds::from(self.limits);
        let models = models::plan(&source, self.existing, needed, self.choice.on_conflict, bounds);
        refusals.extend(model_conflicts(&models));
        let target_models = Arc::new(TargetModels::new(models.models.iter().cloned()));
        refusals.extend(no_models(&source, &types, &target_models));
        let ids = Arc::new(self.planned_ids(&source, &chosen, &target_models)?);
        let grows = self.choice.with_links && !self.choice.is_everything();
        let key = self.snapshot.vault().item_key()?;
        let with = (key, &target_models, &ids);
        let found = survey(self.snapshot, &source, &chosen, grows, with, self.watch).await?;
        let mut fidelity = found.fidelity;
        let mut problems = found.problems;
        problems.extend(source.problems.iter().cloned());
        let (documents, kept, conflicts) = self.conflicts(found.documents, &source, &target_models);
        refusals.extend(conflicts);
        let mut work = Work::new(documents, models, target_models, self.names(&source));
        work.kept = kept;
        work.earlier = self.earlier.clone();
        work.assets_listed = self.existing.assets.len() as u64;
        self.assets(&source, &found.assets, &mut work, &mut fidelity);
        let order = steps(&work.documents, &source, self.choice);
        work.steps = order.steps;
        fidelity.add_releases(source.releases.0, 0);
        work.expected = fidelity.expected().clone();
        work.source = source;
        let live_incomplete = order.incomplete.len() as u64;
        let (steps, forecast) = forecast::count(&work, self.paces, self.choice, self.recorded);
        Ok(Plan {
            source: manifest.repository.clone(),
            snapshot: manifest.snapshot.clone(),
            taken: manifest.snapshot.time(),
            target: self.target.name.clone(),
            repository: self.target.repository.clone(),
            applied: self.snapshot.applied(),
            documents_there: self.existing.documents.len() as u64,
            refusals,
            steps,
            live_incomplete,
            forecast,
            fidelity: fidelity.report(),
            problems,
            work,
        })
    }

    /// What will have an id: links to documents of a type that takes none are foretold to be lost.
    fn planned_ids(&self, source: &Source, chosen: &[usize], models: &TargetModels) -> Result<PlannedIds> {
        let takes_all = self.choice.is_everything() || self.choice.with_links;
        let is_taken = |document: &&SourceDocument| {
            models.custom_type(&document.type_).is_some_and(|model| model.enabled)
        };
        let segments: Vec<Box<str>> = match takes_all {
            true => segments_of(source.documents.iter().filter(is_taken)),
            false => segments_of(chosen.iter().map(|at| &source.documents[*at]).filter(is_taken)),
        };
        let takes_assets = self.choice.takes_assets();
        let assets = source.assets.iter().filter(|asset| {
            self.asset_there(&asset.id).is_some()
                || (takes_assets && asset.original.is_some() && asset.bytes <= ASSET_BYTES_MAX)
        });
        let assets = assets.map(|asset| asset.id.clone()).collect();
        let key = self.snapshot.vault().item_key()?;
        let there = (self.existing, self.earlier);
        Ok(PlannedIds::new(key, segments.into_iter(), there, assets, self.names(source)))
    }

    /// Returns the id of what the target has of an asset: it itself, or what an earlier restore uploaded.
    fn asset_there<'i>(&'i self, id: &'i str) -> Option<&'i str> {
        match self.existing.assets.contains_key(id) {
            true => Some(id),
            false => self.earlier.new_asset(id),
        }
    }

    fn names(&self, source: &Source) -> AssetNames {
        AssetNames::new(source, AssetHosts::new(&self.target.endpoints, &self.target.asset_hosts))
    }

    /// What is wrong before any document is looked at.
    fn refusals(&self, source: &Source, chosen: &[usize]) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let manifest = self.snapshot.manifest();
        if manifest.status == Status::Partial && !self.choice.allow_partial {
            refusals.push(Refusal {
                code: "snapshot-partial",
                what: format!("the snapshot {} is partial: it lacks things of the source", manifest.snapshot),
                next: format!(
                    "choose a complete one (`prismvault list`), or see what is missing with `prismvault show {}` \
                     and add --allow-partial",
                    manifest.snapshot
                ),
            });
        }
        let settings =
            format!("{} in Prismic, under Settings > Translations & locales", self.target.repository);
        let there: Vec<&str> =
            self.existing.root.languages.iter().map(|language| language.id.as_str()).collect();
        let mut used: BTreeSet<&str> = chosen.iter().map(|at| &*source.documents[*at].language).collect();
        if self.choice.is_everything() {
            used.extend(source.languages.iter().map(String::as_str));
        }
        let missing: Vec<&str> = used.into_iter().filter(|id| !there.contains(id)).collect();
        if !missing.is_empty() {
            refusals.push(Refusal {
                code: "locale-missing",
                what: format!("the target has no locale {}", missing.join(", ")),
                next: format!("add it to {settings}"),
            });
        }
        let (ours, theirs) = (source.master.as_deref(), self.existing.root.master_language());
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            refusals.push(Refusal {
                code: "master-locale-differs",
                what: format!(
                    "the master locale of the snapshot is {ours}, and that of the target is {theirs}"
                ),
                next: format!("make {ours} the master locale of {settings}: later it cannot be changed"),
            });
        }
        refusals
    }

    /// Finds what the target has of these documents already.
    fn conflicts(
        &self,
        documents: Vec<Surveyed>,
        source: &Source,
        models: &TargetModels,
    ) -> (Vec<Planned>, Vec<Kept>, Option<Refusal>) {
        let mut planned = Vec::with_capacity(documents.len());
        let mut kept: Vec<Kept> = Vec::new();
        for document in documents {
            match self.there(&document, models) {
                Some(there) if self.stays(&document, there) => {
                    kept.push((document.id, there.into()));
                }
                there => {
                    let there = there.map(Into::into);
                    planned.push(Planned { document, there, translation_of: None, overlay: None });
                }
            }
        }
        let kept_ids: HashMap<&str, &str> = kept.iter().map(|(old, new)| (&**old, &**new)).collect();
        let places: HashMap<&str, u32> =
            planned.iter().enumerate().map(|(at, one)| (&*one.document.id, number(at))).collect();
        let leaders: Vec<Option<Leader>> =
            (0..planned.len()).map(|at| self.leader(at, &planned, (&places, &kept_ids), source)).collect();
        for (one, leader) in planned.iter_mut().zip(leaders) {
            one.translation_of = leader;
        }
        let conflicting: Vec<&Planned> = planned.iter().filter(|one| one.there.is_some()).collect();
        let refusal = (self.choice.on_conflict == OnConflict::Fail && !conflicting.is_empty()).then(|| {
            let examples: Vec<&str> =
                conflicting.iter().take(EXAMPLES).map(|one| &*one.document.id).collect();
            Refusal {
                code: "documents-there",
                what: format!(
                    "the target has {} of {} documents already, by id or UID: {}",
                    conflicting.len(),
                    planned.len(),
                    examples.join(", ")
                ),
                next: "restore into an empty repository, or say what becomes of them with --on-conflict skip or update"
                    .to_owned(),
            }
        });
        (planned, kept, refusal)
    }

    /// Whether what the target has in the place of a document is left as it is: because that was asked
    /// for, or because it says the same already.
    fn stays(&self, document: &Surveyed, there: &str) -> bool {
        let is_same = || {
            let content = self.existing.documents.get(there).and_then(|there| there.content);
            *there == *document.id && content.is_some() && content == document.content
        };
        match self.choice.on_conflict {
            OnConflict::Fail => false,
            OnConflict::Skip => true,
            OnConflict::Update => {
                is_same() && !self.recorded.documents.get(&document.id).is_some_and(is_staged)
            }
        }
    }

    /// Returns the id of what the target has in the place of a document.
    fn there(&self, document: &Surveyed, models: &TargetModels) -> Option<&str> {
        if self.unsure.contains(&*document.id) {
            return None;
        }
        let existing = &self.existing.documents;
        let same = |id: &str| existing.get(id).is_some_and(|there| there.type_ == document.type_);
        let by_id = existing.id(&document.id).or_else(|| self.earlier.new_document(&document.id));
        let found = by_id.filter(|id| same(id)).or_else(|| match &document.uid {
            Some(uid) => existing.with_uid(&document.type_, &document.language, uid),
            None if models.custom_type(&document.type_).is_some_and(|model| !model.repeatable) => {
                existing.of(&document.type_, &document.language)
            }
            None => None,
        });
        found.filter(|id| !self.own.contains(*id) && !self.may_be_own(id))
    }

    /// Whether a document of the target may have been made by this restore on another host.
    fn may_be_own(&self, id: &str) -> bool {
        let before = self.recorded.begun.as_ref().and_then(|begun| begun.newest.document);
        let is_new = || existing_first(self.existing, id) > before;
        self.is_copy && is_new()
    }

    /// Finds the document by which the translations of this one are linked: the first of them all, the
    /// master language before others. `None` where it is this one.
    fn leader(
        &self,
        at: usize,
        planned: &[Planned],
        (places, kept): (&HashMap<&str, u32>, &HashMap<&str, &str>),
        source: &Source,
    ) -> Option<Leader> {
        let own = &planned[at].document;
        let rank = |place: u32| {
            let language = Some(&*planned[place as usize].document.language);
            (language != source.master.as_deref(), place)
        };
        let others = own.translations.iter().filter_map(|id| places.get(&**id).copied());
        let first = others.filter(|place| rank(*place) < rank(number(at))).min_by_key(|place| rank(*place));
        first.map(Leader::Planned).or_else(|| {
            let mut there = own.translations.iter().filter(|id| !places.contains_key(&***id));
            let id =
                there.find_map(|id| kept.get(&**id).copied().or_else(|| self.existing.documents.id(id)))?;
            Some(Leader::There(id.into()))
        })
    }

    /// Decides what becomes of assets and their tags.
    fn assets(&self, source: &Source, used: &BTreeSet<Box<str>>, work: &mut Work, fidelity: &mut Fidelity) {
        let everything = self.choice.is_everything();
        let mut tags = BTreeSet::new();
        for (at, asset) in source.assets.iter().enumerate() {
            let is_needed = everything || used.contains(&asset.id);
            if let Some(there) = self.asset_there(&asset.id) {
                work.assets_there.push((asset.id.clone(), there.into()));
            } else if !is_needed || !self.choice.takes_assets() {
                continue;
            } else if can_be_uploaded(asset, source, fidelity) {
                work.uploads.push(at);
                tags.extend(asset.tags.iter().filter(|id| source.tags.contains_key(*id)));
            }
        }
        for id in tags {
            let name = &source.tags[id];
            let was_made = self.recorded.fate(&Request::Tag(id.as_str().into())) == Fate::Done;
            let is_needed = was_made || !self.existing.tags.contains_key(name);
            if name.chars().count() <= ASSET_TAG_CHARS_MAX && is_needed {
                work.tags.push(id.clone());
            }
        }
    }
}

/// When a document of the target was first published.
fn existing_first(existing: &Existing, id: &str) -> Option<i64> {
    existing.documents.get(id)?.first
}

/// Whether this restore has written a document already.
fn is_staged(document: &NewDocument) -> bool {
    document.release > 0
}

fn segments_of<'a>(documents: impl Iterator<Item = &'a SourceDocument>) -> Vec<Box<str>> {
    documents.map(|document| document.segment.clone()).collect()
}

/// Counts what the media library will not take of an asset; says whether it takes it at all.
fn can_be_uploaded(asset: &SourceAsset, source: &Source, fidelity: &mut Fidelity) -> bool {
    let texts = [&asset.alt, &asset.credits, &asset.notes].map(|text| text.as_deref().unwrap_or_default());
    let tags: Vec<&str> =
        asset.tags.iter().filter_map(|id| source.tags.get(id)).map(String::as_str).collect();
    let has_bytes = asset.original.is_some();
    let facts = AssetFacts { bytes: asset.bytes, has_bytes, texts: &texts, tags: &tags };
    fidelity.add_asset(&asset.id, facts).is_none()
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("a snapshot has fewer documents than this")
}

fn model_conflicts(models: &ModelPlan) -> Option<Refusal> {
    let names: Vec<String> = models
        .conflicts
        .iter()
        .map(|(kind, id)| if *kind == SLICES { format!("slice {id}") } else { format!("type {id}") })
        .collect();
    (!names.is_empty()).then(|| Refusal {
        code: "models-differ",
        what: format!("the target has content of models that differ from the snapshot's: {}", names.join(", ")),
        next: "--on-conflict update makes them those of the snapshot; skip keeps the target's, and content that they \
               do not have is left out"
            .to_owned(),
    })
}

/// A snapshot that was taken without write token has no models: then the target must have them.
fn no_models(source: &Source, types: &BTreeSet<&str>, models: &TargetModels) -> Option<Refusal> {
    let missing: Vec<&str> =
        types.iter().copied().filter(|type_| models.custom_type(type_).is_none()).collect();
    (source.custom_types.is_empty() && !missing.is_empty()).then(|| Refusal {
        code: "models-missing",
        what: format!("the snapshot holds no models, and the target has no type {}", missing.join(", ")),
        next: "push the models to the target first, or choose a snapshot that was taken with a write token"
            .to_owned(),
    })
}

/// Puts the documents into the order in which they are written.
fn steps(documents: &[Planned], source: &Source, choice: &Choice) -> Order {
    let places: HashMap<&str, u32> =
        documents.iter().enumerate().map(|(at, one)| (&*one.document.id, number(at))).collect();
    let nodes: Vec<Node> = documents
        .iter()
        .map(|one| Node {
            master: Some(&*one.document.language) == source.master.as_deref(),
            existing: one.there.is_some(),
            translation_of: match one.translation_of {
                Some(Leader::Planned(at)) => Some(at),
                _ => None,
            },
            links: one.document.links.iter().filter_map(|id| places.get(&**id).copied()).collect(),
        })
        .collect();
    order::steps(&nodes, choice.release_documents)
}

/// How many models of a kind are written.
pub(super) fn models_of(plan: &ModelPlan, kind: &str) -> (u64, u64) {
    let of =
        |action| plan.steps.iter().filter(|step| step.kind == kind && step.action == action).count() as u64;
    (of(Action::Insert), of(Action::Update))
}
