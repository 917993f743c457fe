//! One document, or one field of it, back to what it was: as a draft in the migration release.
//!
//! The exact way, for what an editor broke: only what this document needs is read, of the snapshot as
//! of the target, and what would change is shown first. What is written is a whole document (the API
//! replaces), so drafts that are newer than the live version, which no API shows, would be lost: that
//! is said. An editor looks at it and publishes it, or removes it.
//!
//! It is carried out as a small restore of a repository is: same journal, same requests, same care with
//! lost answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::error::{RestoreError, Result};
use super::super::paths::{METADATA, Place, place};
use super::apply::Applied;
use super::convert::{Converted, Finding, FindingKind, NewAsset, NewId, NewIds, TargetModels, convert};
use super::entries::{Entry, Newest};
use super::existing::{Documents, Existing};
use super::field::FieldPath;
use super::ids::AssetNames;
use super::lookup::Lookup;
use super::models::{ModelPlan, is_same};
use super::order::Step;
use super::plan::{Kept, Leader, Plan, Planned, Refusal, Work};
use super::run::{CarriedOut, RepositoryRestore};
use super::source::{CUSTOM_TYPES, SLICES, Source, memory};
use super::survey::Surveyed;
use crate::diff::{Bounds, ItemDiff, Models, SameIds, compare_documents, document_title};
use crate::ids::{ItemId, Name, SnapshotId};
use crate::prismic::model::Model;
use crate::prismic::{AssetHosts, Document, parse_json};
use crate::snapshot::names::{self, segment};
use crate::vault::format::catalog::{CatalogEntry, LinkEntry};
use crate::vault::tree;

/// Documents that linked to one that is gone, of which a report names as many.
const LINKED_BY_MAX: usize = 1000;

/// A restore of one document.
pub struct DocumentRestore<'a> {
    /// What it shares with a restore of a repository. Its choice is this document, with the assets that
    /// it uses, in place of what is there, not published.
    pub restore: RepositoryRestore<'a>,
    /// Id of the document.
    pub id: &'a str,
    /// The one field that is restored; `None`: all of it.
    pub field: Option<&'a FieldPath>,
}

/// What restoring a document will do.
#[derive(Debug, Serialize)]
pub struct DocumentPlan {
    /// Repository of the snapshot.
    pub source: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The target, by its name of the configuration.
    pub target: Name,
    /// Prismic's name of the target.
    pub repository: String,
    /// Id of the document.
    pub id: String,
    /// Id of its custom type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its language.
    pub language: String,
    /// What people call it.
    pub title: Option<String>,
    /// Whether the target has it published.
    pub is_live: bool,
    /// What changes in the live version.
    pub diff: ItemDiff,
    /// Ids of assets that are gone and are uploaded again.
    pub assets: Vec<String>,
    /// Where it is gone: ids of the documents that linked to it when the snapshot was taken, and lead
    /// nowhere until somebody points them to its new id.
    pub linked_by: Vec<String>,
    /// What Prismic cannot take back of it.
    pub findings: Vec<Finding>,
    /// What stands in the way.
    pub refusals: Vec<Refusal>,
    #[serde(skip)]
    plan: Plan,
    #[serde(skip)]
    existing: Existing,
    /// The newest of the target: an upload whose answer is lost is newer.
    #[serde(skip)]
    newest: Newest,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct DocumentReport {
    /// Id of the restore.
    pub restore: SnapshotId,
    /// Id of the document in the target; `None` where the answer to its creation was lost.
    pub new_id: Option<String>,
    /// Whether it is there as a draft.
    pub is_staged: bool,
    /// What went wrong.
    pub problems: Vec<crate::progress::Problem>,
}

/// What is read of the snapshot.
struct Read {
    bytes: Bytes,
    document: Document,
    custom_type: Option<Bytes>,
    slices: BTreeMap<String, Bytes>,
    item: ItemId,
    /// Ids of the assets that it uses.
    assets: Vec<Box<str>>,
}

/// What a document needs.
struct Needs {
    models: Arc<TargetModels>,
    names: AssetNames,
    /// What the snapshot has of assets that are gone.
    source: Source,
    /// Assets that the document uses and the target has.
    assets_there: Vec<Kept>,
    /// What the target has of what the document uses.
    existing: Existing,
    looked: Converted,
}

/// Every id as it is, for a look at what a document needs.
struct SameIdsThere<'a> {
    names: &'a AssetNames,
}

impl NewIds for SameIdsThere<'_> {
    fn document(&self, _old: &str) -> NewId<'_> {
        NewId::Known("AAAAAAAAAAAAAAAA")
    }

    fn asset(&self, _old: &str) -> Option<NewAsset<'_>> {
        Some(NewAsset { id: "AAAAAAAAAAAAAAAA", url: "" })
    }

    fn asset_at(&self, address: &url::Url) -> Option<&str> {
        self.names.asset_at(address)
    }

    fn is_of_library(&self, address: &url::Url) -> bool {
        self.names.is_of_library(address)
    }
}

/// Ids as the target has them, or will have them after the uploads.
struct IdsThere<'a> {
    names: &'a AssetNames,
    documents: &'a Documents,
    assets: &'a HashSet<&'a str>,
}

impl NewIds for IdsThere<'_> {
    fn document(&self, old: &str) -> NewId<'_> {
        self.documents.id(old).map_or(NewId::Absent, NewId::Known)
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        self.assets.get(old).map(|id| NewAsset { id, url: "" })
    }

    fn asset_at(&self, address: &url::Url) -> Option<&str> {
        self.names.asset_at(address)
    }

    fn is_of_library(&self, address: &url::Url) -> bool {
        self.names.is_of_library(address)
    }
}

impl DocumentRestore<'_> {
    /// Reads what is needed, and plans. Nothing is written anywhere.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::super::RestoreErrorKind::NotFound) when the snapshot has no such document or
    /// the field is nowhere; those of the vault and of the target.
    pub async fn plan(&self) -> Result<DocumentPlan> {
        let base = &self.restore;
        let (reader, writer) = base.clients()?;
        writer.check_migration().await.map_err(|error| base.unreachable(error))?;
        let failed = |error| base.unreachable(error);
        let root = reader.content().root().await.map_err(failed)?;
        let live = reader.documents_with(&root, &[self.id.to_owned()]).await.map_err(failed)?;
        let live = live.into_iter().find(|document| document.id == self.id);
        let lookup = Lookup::new(base.snapshot);
        let read = self.read(&lookup, live.as_ref()).await?;
        let wanted = self.wanted(&read, live.as_ref())?;
        let earlier = base.keeper().left().await?.earlier;
        let restored = earlier.new_document(self.id).filter(|id| live.is_none() && *id != self.id);
        let (custom_types, slices) = reader.models().await.map_err(failed)?;
        let mut refusals = self.model_refusals(&read, &custom_types, &slices);
        let models: Vec<Model> = custom_types
            .values()
            .chain(slices.values())
            .filter_map(|bytes| Model::parse(&parse_json(bytes).ok()?).ok())
            .collect();
        let target_models = Arc::new(TargetModels::new(models));
        let (names, looked) = self.look((&lookup, &read), &object(&wanted), &target_models).await?;
        let needed: Vec<String> = looked
            .links
            .iter()
            .chain(read.document.alternate_languages.iter().map(|one| &one.id))
            .cloned()
            .collect();
        let mut documents = Documents::default();
        let there = reader.documents_with(&root, &needed).await.map_err(failed)?;
        there.iter().chain(&live).for_each(|document| documents.add(document));
        let used: Vec<String> = looked.assets.iter().cloned().collect();
        // Itself, or what the restore of another document that uses it uploaded.
        let ids_there: Vec<String> = used
            .iter()
            .map(String::as_str)
            .chain(used.iter().filter_map(|id| earlier.new_asset(id)))
            .map(str::to_owned)
            .collect();
        let assets = reader.assets_with(&ids_there).await.map_err(failed)?;
        let there = |old: &str| -> Option<Kept> {
            let found = [Some(old), earlier.new_asset(old)].into_iter().flatten();
            let new = found.into_iter().find(|id| assets.contains_key(*id))?;
            Some((old.into(), new.into()))
        };
        let assets_there: Vec<Kept> = used.iter().filter_map(|old| there(old)).collect();
        let gone: BTreeSet<&str> =
            used.iter().map(String::as_str).filter(|old| there(old).is_none()).collect();
        let source = self.gone_assets(&lookup, &gone).await?;
        // Now with what is there or comes: what cannot be written is a finding, and never silence.
        let assets_then: HashSet<&str> = assets_there
            .iter()
            .map(|(old, _)| &**old)
            .chain(source.assets.iter().filter(|asset| asset.original.is_some()).map(|asset| &*asset.id))
            .collect();
        let ids = IdsThere { names: &names, documents: &documents, assets: &assets_then };
        let looked = convert(&object(&wanted), &target_models, &ids).unwrap_or(looked);
        refusals.extend(self.costs_of_field(&looked));
        refusals.extend(restored.map(|id| restored_already(self.id, id)));
        let tags =
            if source.tags.is_empty() { BTreeMap::new() } else { reader.tags().await.map_err(failed)? };
        let existing = Existing { root, custom_types, slices, tags, assets, documents };
        let needs = Needs { models: target_models, names, source, assets_there, existing, looked };
        self.planned(read, wanted, live, needs, refusals).await
    }

    /// Looks what a document needs. Where it names files by their addresses only, as old documents do,
    /// all that the snapshot says of files is read to know them.
    async fn look(
        &self,
        (lookup, read): (&Lookup<'_>, &Read),
        wanted: &Map<String, Value>,
        models: &TargetModels,
    ) -> Result<(AssetNames, Converted)> {
        let base = &self.restore;
        let hosts = || AssetHosts::new(&base.target.endpoints, &base.target.asset_hosts);
        let convert = |names: &AssetNames| {
            convert(wanted, models, &SameIdsThere { names }).map_err(|error| RestoreError::Refused {
                what: error.to_string(),
                hint: "restore the model first, with the documents of its type: \
                       `prismvault restore repository … --only type=…`"
                    .to_owned(),
            })
        };
        // The snapshot knows which assets a document uses; most addresses have their ids.
        let names = AssetNames::of_ids(read.assets.iter().map(|id| &**id), hosts());
        let looked = convert(&names)?;
        if looked.findings.iter().all(|finding| finding.kind != FindingKind::AssetGone) {
            return Ok((names, looked));
        }
        let metadata = lookup
            .all()
            .await?
            .iter()
            .filter(|entry| matches!(place(&entry.path), Place::Asset { file: METADATA, .. }));
        let metadata: Vec<CatalogEntry> = metadata.cloned().collect();
        let source = Source::of(base.snapshot, &metadata, base.watch_documents()).await?;
        let names = AssetNames::new(&source, hosts());
        let looked = convert(&names)?;
        Ok((names, looked))
    }

    /// Puts together what the run needs.
    async fn planned(
        &self,
        read: Read,
        wanted: Bytes,
        live: Option<Document>,
        needs: Needs,
        mut refusals: Vec<Refusal>,
    ) -> Result<DocumentPlan> {
        let base = &self.restore;
        if live.is_none() && self.field.is_some() {
            refusals.push(Refusal {
                code: "document-gone",
                what: format!(
                    "the target has no document {}, so one field of it cannot be restored",
                    self.id
                ),
                next: "restore the whole document: without --field".to_owned(),
            });
        }
        let mut models = Models::default();
        read.custom_type.iter().for_each(|bytes| models.add_custom_type(bytes));
        read.slices.values().for_each(|bytes| models.add_slice(bytes));
        let bounds = Bounds::from(base.http.limits());
        let diff = live
            .as_ref()
            .and_then(|live| compare_documents(&live.bytes, &wanted, &models, &SameIds, bounds).ok());
        let newest = if needs.source.assets.is_empty() { Newest::default() } else { self.newest().await? };
        let linked_by = if live.is_none() { self.linked_by().await? } else { Vec::new() };
        let title = parse_json(&read.bytes).ok().and_then(|value| document_title(&value, &models));
        let findings = needs.looked.findings.clone();
        let (work, existing) = self.work(&read, wanted, live.is_some(), needs);
        let manifest = base.snapshot.manifest();
        Ok(DocumentPlan {
            source: manifest.repository.clone(),
            snapshot: manifest.snapshot.clone(),
            target: base.target.name.clone(),
            repository: base.target.repository.clone(),
            id: self.id.to_owned(),
            type_: read.document.type_,
            language: read.document.lang,
            title,
            is_live: live.is_some(),
            diff: diff.unwrap_or_default(),
            assets: work.uploads.iter().map(|at| work.source.assets[*at].id.to_string()).collect(),
            linked_by,
            findings,
            refusals,
            plan: base.small_plan(work),
            existing,
            newest,
        })
    }

    /// The newest asset of the target: an upload whose answer is lost is newer.
    async fn newest(&self) -> Result<Newest> {
        let base = &self.restore;
        let (_, writer) = base.clients()?;
        let newest = writer.newest_assets(1).await.map_err(|error| base.unreachable(error))?;
        let created = newest.iter().filter_map(|asset| asset.created_at).max();
        Ok(Newest { document: None, asset: created.map(|at| at.timestamp_millis()) })
    }

    /// Makes of one document what a restore of a repository is made of.
    fn work(&self, read: &Read, wanted: Bytes, is_live: bool, needs: Needs) -> (Work, Existing) {
        let Needs { models, names, source, assets_there, existing, looked } = needs;
        let document = &read.document;
        let surveyed = Surveyed {
            id: self.id.into(),
            type_: document.type_.as_str().into(),
            language: document.lang.as_str().into(),
            uid: looked.uid.as_deref().map(Into::into),
            item: read.item,
            links: looked.links.iter().map(|id| id.as_str().into()).collect(),
            translations: document.alternate_languages.iter().map(|one| one.id.as_str().into()).collect(),
            content: None,
        };
        let leader = document.alternate_languages.iter().find_map(|one| existing.documents.id(&one.id));
        let planned = Planned {
            there: is_live.then(|| self.id.into()),
            translation_of: leader.map(|id| Leader::There(id.into())),
            overlay: Some(wanted),
            document: surveyed,
        };
        let mut work = Work::new(vec![planned], ModelPlan::default(), models, names);
        work.assets_there = assets_there;
        work.uploads = (0..source.assets.len()).filter(|at| source.assets[*at].original.is_some()).collect();
        let tags = source.tags.iter().filter(|(_, name)| !existing.tags.contains_key(*name));
        work.tags = tags.map(|(id, _)| id.clone()).collect();
        work.steps = match is_live {
            true => vec![Step::Replace { node: 0 }],
            false => vec![Step::Create { node: 0, complete: true }],
        };
        work.source = source;
        (work, existing)
    }

    /// Carries out a plan.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::super::RestoreErrorKind::Refused) when something stands in the way, or another
    /// restore into the target is under way; those of the target, after which the same call goes on.
    pub async fn run(&self, planned: &DocumentPlan) -> Result<DocumentReport> {
        if let Some(refusal) = planned.refusals.first() {
            return Err(RestoreError::Refused { what: refusal.what.clone(), hint: refusal.next.clone() });
        }
        self.restore.leased(Box::pin(self.carry_out(planned))).await
    }

    async fn carry_out(&self, planned: &DocumentPlan) -> Result<DocumentReport> {
        let base = &self.restore;
        let (reader, writer) = base.clients()?;
        let keeper = base.keeper();
        let left = keeper.left().await?;
        let work = (&planned.plan, &planned.existing);
        let begin = (base.clock.now(), planned.newest);
        let carried_out = Box::pin(base.carry_out((&reader, &writer), work, left, begin)).await?;
        let CarriedOut { kept, applied, recorded, mut problems } = carried_out;
        let new_id = recorded.documents.get(self.id).map(|document| document.id.clone());
        let is_staged = matches!(applied, Ok(Applied::WaitsForPublish { .. } | Applied::Live))
            && recorded.unknown().next().is_none()
            && recorded.refused().next().is_none();
        let is_refused = recorded.unknown().next().is_none() && recorded.refused().next().is_some();
        if is_staged || (is_refused && applied.is_ok()) {
            // It is an editor's from here on, or was not taken; the same command begins anew.
            kept.journal.lock().await.append(&Entry::Finished { at: base.clock.now() }).await?;
        }
        problems.extend(keeper.copy(&kept).await);
        applied?;
        Ok(DocumentReport { restore: kept.id, new_id, is_staged, problems })
    }

    /// Finds the document in the snapshot: by its path, which the live version tells, or in the whole
    /// catalog where it is gone.
    async fn find(&self, lookup: &Lookup<'_>, live: Option<&Document>) -> Result<CatalogEntry> {
        let key = self.restore.snapshot.vault().item_key()?;
        if let Some(live) = live {
            let path = names::document(key, None, &live.lang, &live.type_, self.id);
            if let Some(entry) = lookup.entry(&path).await? {
                return Ok(entry);
            }
        }
        let own = segment(key, self.id);
        let is_own = |entry: &&CatalogEntry| matches!(place(&entry.path), Place::Document { release: None, id, .. } if id == own);
        lookup.all().await?.iter().find(is_own).cloned().ok_or_else(|| RestoreError::NotFound {
            what: format!("the snapshot has no published document {}", self.id),
            hint: "`prismvault find ID --all` looks in every snapshot".to_owned(),
        })
    }

    /// Reads the document and its models from the snapshot.
    async fn read(&self, lookup: &Lookup<'_>, live: Option<&Document>) -> Result<Read> {
        let entry = self.find(lookup, live).await?;
        let (item, reader) = (entry.item, lookup.reader());
        let links = lookup.links(&entry.path).await?;
        let bytes = memory(reader.item(item).await?)?;
        let document = Document::parse(&bytes).map_err(|error| RestoreError::NotFound {
            what: format!("what the snapshot has of {} cannot be used: {error}", self.id),
            hint: "choose another snapshot".to_owned(),
        })?;
        let mut used = BTreeSet::new();
        slice_types(&Value::Object(object(&bytes)), &mut used);
        live.iter().for_each(|live| slice_types(&Value::Object(object(&live.bytes)), &mut used));
        let key = self.restore.snapshot.vault().item_key()?;
        let type_path = names::model(key, CUSTOM_TYPES, &document.type_);
        let slice_paths = used.into_iter().map(|id| (names::model(key, SLICES, &id), Some(id)));
        let mut models: HashMap<ItemId, Option<String>> = HashMap::new();
        for (path, slice) in slice_paths.chain([(type_path, None)]) {
            models.extend(lookup.entry(&path).await?.map(|entry| (entry.item, slice)));
        }
        let (mut custom_type, mut slices) = (None, BTreeMap::new());
        let items: Vec<ItemId> = models.keys().copied().collect();
        reader
            .for_each(items, async |id, data| {
                let data = memory(data?)?;
                match models.remove(&id).flatten() {
                    Some(slice) => drop(slices.insert(slice, data)),
                    None => custom_type = Some(data),
                }
                Ok::<_, RestoreError>(())
            })
            .await?;
        let assets = links.map(|links| links.assets).unwrap_or_default();
        Ok(Read { bytes, document, custom_type, slices, item, assets })
    }

    /// Returns the document as it is to be: that of the snapshot, or the live one with one field of it.
    fn wanted(&self, read: &Read, live: Option<&Document>) -> Result<Bytes> {
        let (Some(field), Some(live)) = (self.field, live) else { return Ok(read.bytes.clone()) };
        let merged = field.put(&object(&read.bytes), &object(&live.bytes));
        let merged = merged.map_err(|error| RestoreError::NotFound {
            what: error.to_string(),
            hint: "`prismvault diff SNAPSHOT live --fields` shows the paths of what differs".to_owned(),
        })?;
        Ok(Value::Object(merged).to_string().into())
    }

    /// What is written is the whole document: a field must not cost what stands in the others.
    fn costs_of_field(&self, looked: &Converted) -> Option<Refusal> {
        let field = self.field?;
        let lost = looked.findings.iter().filter(|finding| finding.is_left_out && !field.holds(&finding.at));
        let places: Vec<&str> = lost.map(|finding| finding.at.as_str()).collect();
        (!places.is_empty()).then(|| Refusal {
            code: "field-costs-others",
            what: format!(
                "what is written is the whole document, and other fields of the live one cannot be written: {}",
                places.join(", ")
            ),
            next: "put this field back by hand: `prismvault diff SNAPSHOT live --fields` shows what it was"
                .to_owned(),
        })
    }

    /// A document is not put into a model that it was not made for.
    fn model_refusals(
        &self,
        read: &Read,
        custom_types: &BTreeMap<String, Bytes>,
        slices: &BTreeMap<String, Bytes>,
    ) -> Vec<Refusal> {
        let bounds = Bounds::from(self.restore.http.limits());
        let mut differ = Vec::new();
        let type_ = &read.document.type_;
        match (&read.custom_type, custom_types.get(type_)) {
            (Some(then), Some(now)) if is_same(then, now, bounds) => {}
            _ => differ.push(format!("the custom type {type_}")),
        }
        let mut used = BTreeSet::new();
        slice_types(&Value::Object(object(&read.bytes)), &mut used);
        for id in used.iter().filter(|id| read.slices.contains_key(*id)) {
            if slices.get(id).is_none_or(|now| !is_same(&read.slices[id], now, bounds)) {
                differ.push(format!("the slice {id}"));
            }
        }
        if differ.is_empty() {
            return Vec::new();
        }
        vec![Refusal {
            code: "models-differ",
            what: format!(
                "the target has not the model that the document was made for: {}",
                differ.join(", ")
            ),
            next: "bring the model back first, or restore with `prismvault restore repository … --only id=… \
                   --on-conflict skip`, which says what is lost"
                .to_owned(),
        }]
    }

    /// Reads what the snapshot has of assets that are gone in the target.
    async fn gone_assets(&self, lookup: &Lookup<'_>, gone: &BTreeSet<&str>) -> Result<Source> {
        if gone.is_empty() {
            return Ok(Source::default());
        }
        let key = self.restore.snapshot.vault().item_key()?;
        let paths =
            gone.iter().flat_map(|id| [names::asset_metadata(key, id), names::asset_original(key, id)]);
        let mut wanted = Vec::new();
        for path in paths.chain([names::repository("asset-tags.json")]) {
            wanted.extend(lookup.entry(&path).await?);
        }
        let mut source = Source::of(self.restore.snapshot, &wanted, self.restore.watch_documents()).await?;
        let used: HashSet<String> = source.assets.iter().flat_map(|asset| asset.tags.clone()).collect();
        source.tags.retain(|id, _| used.contains(id));
        Ok(source)
    }

    /// Finds the documents that linked to this one when the snapshot was taken.
    async fn linked_by(&self) -> Result<Vec<String>> {
        let snapshot = self.restore.snapshot;
        let reader = snapshot.reader();
        let links: Vec<LinkEntry> = tree::read_all(&reader, &snapshot.manifest().links).await?;
        let linking = links.iter().filter(|entry| entry.links.iter().any(|id| **id == *self.id));
        let ids = linking.filter_map(|entry| match place(&entry.path) {
            Place::Document { release: None, id, .. } => Some(id.to_owned()),
            _ => None,
        });
        Ok(ids.take(LINKED_BY_MAX).collect())
    }
}

/// A document that came back once is not made a second time.
fn restored_already(old: &str, new: &str) -> Refusal {
    Refusal {
        code: "restored-already",
        what: format!("{old} was restored into the target already: as {new}"),
        next: format!(
            "publish {new} where it is a draft still; to make it once more what it was, or anew where somebody \
             removed it, run `prismvault restore repository … --only id={old} --with-assets --on-conflict update`"
        ),
    }
}

/// Returns the object that a document is; an empty one where it is none.
fn object(bytes: &[u8]) -> Map<String, Value> {
    match parse_json(bytes) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Types of all slices in a document.
fn slice_types(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| slice_types(element, found)),
        Value::Object(members) => {
            found.extend(members.get("slice_type").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| slice_types(member, found));
        }
        _ => {}
    }
}
