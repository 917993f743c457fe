//! Which documents are restored, and what each of them needs.
//!
//! Every chosen document is converted once, as if all that is restored had an id already: so what links
//! to what, which assets are used, and what cannot be said any more is known from the same walk that
//! makes the requests later, and not from a second reading of the same shapes.
//!
//! With `--with-links` the choice grows by what its documents link to, and by the documents that they
//! are translations of, until nothing is missing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::content::{Losses, OpenSnapshot, Watch};
use super::super::error::Result;
use super::super::files::blocking;
use super::convert::{Converted, TargetModels, Unconvertible, convert};
use super::existing::{Content, content_of};
use super::fidelity::Fidelity;
use super::ids::PlannedIds;
use super::source::{Source, memory};
use crate::ids::ItemId;
use crate::prismic::{Document, parse_json};
use crate::progress::Problem;
use crate::snapshot::names::segment;
use crate::vault::item::ItemKey;

/// A document that is restored.
#[derive(Debug)]
pub(super) struct Surveyed {
    /// Its id in the snapshot.
    pub(super) id: Box<str>,
    /// Id of its type.
    pub(super) type_: Box<str>,
    /// Its language.
    pub(super) language: Box<str>,
    /// Its UID.
    pub(super) uid: Option<Box<str>>,
    /// Where its bytes are.
    pub(super) item: ItemId,
    /// Ids of the documents that it links to, once they are there.
    pub(super) links: Box<[Box<str>]>,
    /// Ids of its translations.
    pub(super) translations: Box<[Box<str>]>,
    /// What editors wrote in it.
    pub(super) content: Option<Content>,
}

/// What became of the survey.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order of the snapshot's catalog, those that were added later at the end.
    pub(super) documents: Vec<Surveyed>,
    /// Assets that they use, by their ids in the snapshot.
    pub(super) assets: BTreeSet<Box<str>>,
    /// What Prismic cannot take back of them.
    pub(super) fidelity: Fidelity,
    /// Documents that cannot be restored at all, and items that cannot be read.
    pub(super) problems: Vec<Problem>,
}

/// What is read for a document.
struct Read {
    document: Document,
    content: Option<Content>,
    item: ItemId,
    converted: std::result::Result<Converted, Unconvertible>,
}

/// Reads the documents that are chosen. With `grows`, also what those need.
pub(super) async fn survey(
    snapshot: &OpenSnapshot<'_>,
    source: &Source,
    chosen: &[usize],
    grows: bool,
    (key, models, ids): (&ItemKey, &Arc<TargetModels>, &Arc<PlannedIds>),
    watch: Watch<'_>,
) -> Result<Survey> {
    let places: HashMap<&str, usize> =
        source.documents.iter().enumerate().map(|(at, document)| (&*document.segment, at)).collect();
    let mut survey = Survey::default();
    let mut losses = Losses::default();
    let mut known: HashSet<usize> = chosen.iter().copied().collect();
    let mut next: Vec<usize> = chosen.to_vec();
    watch.progress.start(watch.phase, Some(next.len() as u64));
    while !next.is_empty() {
        let mut found = read(snapshot, source, &next, (models, ids), &mut losses, watch).await?;
        found.sort_unstable_by_key(|(at, _)| *at);
        next.clear();
        for (_, read) in found {
            let Some(surveyed) = survey.add(read) else { continue };
            if grows {
                let needed = surveyed.links.iter().chain(&surveyed.translations);
                let places = needed.filter_map(|id| places.get(&*segment(key, id)));
                next.extend(places.filter(|at| known.insert(**at)));
            }
        }
        next.sort_unstable();
        watch.progress.start(watch.phase, Some(known.len() as u64));
    }
    watch.progress.finish(watch.phase);
    survey.problems.append(&mut losses.problems);
    Ok(survey)
}

/// Reads documents, and converts them off the async threads.
async fn read(
    snapshot: &OpenSnapshot<'_>,
    source: &Source,
    wanted: &[usize],
    (models, ids): (&Arc<TargetModels>, &Arc<PlannedIds>),
    losses: &mut Losses,
    watch: Watch<'_>,
) -> Result<Vec<(usize, Read)>> {
    // Two documents with equal bytes are one item.
    let mut by_item: HashMap<ItemId, Vec<usize>> = HashMap::with_capacity(wanted.len());
    for at in wanted {
        by_item.entry(source.documents[*at].item).or_default().push(*at);
    }
    let items: Vec<ItemId> = by_item.keys().copied().collect();
    let mut found = Vec::with_capacity(wanted.len());
    snapshot
        .reader()
        .for_each_batch(items, async |batch| {
            watch.check_cancelled()?;
            let mut bytes = Vec::with_capacity(batch.len());
            for (item, data) in batch {
                match data {
                    Ok(data) => {
                        losses.item_read();
                        bytes.push((item, memory(data)?));
                    }
                    Err(error) => {
                        let paths = by_item[&item].iter().map(|at| &*source.documents[*at].segment);
                        losses.note(error, paths, &watch)?;
                    }
                }
            }
            let (models, ids) = (Arc::clone(models), Arc::clone(ids));
            let read = blocking(move || {
                let read = bytes.into_iter().map(|(item, bytes)| (item, parse(item, &bytes, &models, &ids)));
                read.collect::<Vec<_>>()
            })
            .await;
            watch.progress.advance(watch.phase, read.len() as u64, 0);
            for (item, read) in read {
                let Some(at) = by_item[&item].first().copied() else { continue };
                match read {
                    Some(read) => found.push((at, read)),
                    None => {
                        let subject = source.documents[at].segment.to_string();
                        let why = "what the snapshot holds of it is no document that can be looked into";
                        losses.problems.push(Problem::new("document-unreadable", subject, why));
                    }
                }
            }
            Ok::<_, super::super::error::RestoreError>(())
        })
        .await?;
    Ok(found)
}

/// Reads one document, as the snapshot has it.
fn parse(item: ItemId, bytes: &[u8], models: &TargetModels, ids: &PlannedIds) -> Option<Read> {
    let document = Document::parse(bytes).ok()?;
    let value: Map<String, Value> = match parse_json(bytes).ok()? {
        Value::Object(object) => object,
        _ => return None,
    };
    let converted = convert(&value, models, ids).map(|converted| Converted {
        // What is sent is made when the document's turn comes, with the ids of then.
        data: Map::new(),
        title: String::new(),
        tags: Vec::new(),
        ..converted
    });
    let content = content_of(bytes);
    // The bytes are not needed again until the document's turn comes.
    Some(Read { document: Document { bytes: bytes::Bytes::new(), ..document }, content, item, converted })
}

impl Survey {
    fn add(&mut self, read: Read) -> Option<&Surveyed> {
        let Read { document, content, item, converted } = read;
        let converted = match converted {
            Ok(converted) => converted,
            Err(unconvertible) => {
                self.fidelity.add_unconvertible(&document.id, &unconvertible);
                self.problems.push(Problem::new("not-restorable", document.id, unconvertible.to_string()));
                return None;
            }
        };
        self.fidelity.add_document(&document.id, &converted);
        self.assets.extend(converted.assets.into_iter().map(String::into_boxed_str));
        let boxed = |ids: Vec<String>| ids.into_iter().map(String::into_boxed_str).collect();
        self.documents.push(Surveyed {
            type_: document.type_.into(),
            language: document.lang.into(),
            uid: converted.uid.map(String::into_boxed_str),
            item,
            links: boxed(converted.links.into_iter().collect()),
            translations: boxed(document.alternate_languages.into_iter().map(|one| one.id).collect()),
            content,
            id: document.id.into(),
        });
        self.documents.last()
    }
}
