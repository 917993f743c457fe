//! A repository as it is now, read as far as it may differ from a snapshot.
//!
//! Every publication has a date, so what was published since the newest one that the snapshot knows is
//! asked for, with the same margin as for incremental snapshots. What is gone no date tells: when the
//! API counts fewer documents than there should be, types and then languages are counted, and where
//! numbers differ all are listed. All of it at one pinned ref.
//!
//! What nobody published is not looked for: copies of other documents in links are metadata. Drafts,
//! and documents of releases, are not compared. The bytes of files are not either: Prismic never
//! replaces one, a new file is a new asset.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::Result;
use super::listing::{Item, Listing};
use super::report::SideReport;
use crate::clock::rfc3339;
use crate::contentapi::{format_millis, parse_millis};
use crate::limits::Limits;
use crate::prismic::{AssetApi, ContentApi, Document, Http, PrismicError, Root, Search, TypesApi, predicate};
use crate::progress::{Phase, Problem, Progress};
use crate::restore::OpenSnapshot;
use crate::restore::paths::METADATA;
use crate::snapshot::{SnapshotError, Target, names, root_member};
use crate::vault::erasure::Applied;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Manifest;
use crate::vault::item::ItemKey;

/// A repository that can be asked what it holds now.
#[derive(Debug)]
pub struct Live {
    target: Target,
    content: ContentApi,
    types: Option<TypesApi>,
    library: Option<AssetApi>,
    limits: Limits,
}

/// Documents as paths and items.
type Items = BTreeMap<Box<str>, Item>;

impl Live {
    /// Returns the repository of the configuration. Without write token its models and its media
    /// library are not compared.
    pub fn new(target: &Target, http: &Http) -> Self {
        let (endpoints, token) = (&target.endpoints, &target.write_token);
        Self {
            content: ContentApi::new(
                http.clone(),
                endpoints.content_api.clone(),
                target.access_token.clone(),
            ),
            types: token.as_ref().map(|token| {
                TypesApi::new(http.clone(), endpoints.types_api.clone(), &target.repository, token.clone())
            }),
            library: token.as_ref().map(|token| {
                AssetApi::new(http.clone(), endpoints.asset_api.clone(), &target.repository, token.clone())
            }),
            limits: http.limits().clone(),
            target: target.clone(),
        }
    }

    fn failed(&self, error: PrismicError) -> SnapshotError {
        SnapshotError::Source { repository: self.target.name.to_string(), error: Box::new(error) }
    }

    /// Reads what may differ from a snapshot. What cannot be compared is taken out of `older`.
    pub(super) async fn listing(
        &self,
        snapshot: &OpenSnapshot<'_>,
        catalog: &[CatalogEntry],
        older: &mut Listing,
        progress: &dyn Progress,
    ) -> Result<Listing> {
        let (manifest, vault) = (snapshot.manifest(), snapshot.vault());
        let key = vault.item_key()?;
        let root = self.content.root().await.map_err(|error| self.failed(error))?;
        let mut not_compared = Vec::new();
        let leave_out = |older: &mut Listing, prefix: &str| {
            older.items.retain(|path, _| !path.starts_with(prefix));
        };
        leave_out(older, "releases/");
        let mut items = Listing::items_of(catalog);
        items.retain(|path, _| older.items.contains_key(path));
        if root.master_ref != manifest.source.master_ref {
            let reading = Reading { live: self, root: &root, manifest, key, progress };
            not_compared.extend(reading.documents(&mut items).await.map_err(|error| self.failed(error))?);
        }
        self.repository(&root, &mut items).await.map_err(|error| self.failed(error))?;
        match (&self.types, &self.library) {
            (Some(types), Some(library)) => {
                models(types, key, &mut items).await.map_err(|error| self.failed(error))?;
                let listed = assets(library, key, &mut items, progress).await;
                listed.map_err(|error| self.failed(error))?;
            }
            _ => {
                for (prefix, what) in [("models/", "models"), ("assets/", "the media library")] {
                    leave_out(older, prefix);
                    items.retain(|path, _| !path.starts_with(prefix));
                    let why = "it can be read with a write token only, and the configuration has none";
                    not_compared.push(Problem::new("no-write-token", what, why));
                }
            }
        }
        let report = SideReport {
            repository: self.target.name.clone(),
            snapshot: None,
            master_ref: root.master_ref.clone(),
            at: rfc3339(vault.now()),
            status: None,
            applied: Applied::default(),
        };
        Ok(Listing { report, items, unknown: Default::default(), not_compared })
    }

    /// Puts the repository's own metadata as it is now.
    async fn repository(&self, root: &Root, items: &mut Items) -> std::result::Result<(), PrismicError> {
        let tags = self.content.tags(root).await?;
        let mut put = |file: &str, bytes: bytes::Bytes| {
            let path = names::repository(file).into_boxed_str();
            items.insert(path, Item::read(bytes));
        };
        put("tags.json", tags.bytes);
        put("api.json", root.bytes.clone());
        if let Some(languages) = root_member(root, "languages") {
            put("languages.json", languages);
        }
        Ok(())
    }
}

/// Puts the models as they are now.
async fn models(types: &TypesApi, key: &ItemKey, items: &mut Items) -> std::result::Result<(), PrismicError> {
    let (customtypes, slices) = futures_util::try_join!(types.custom_types(), types.slices())?;
    items.retain(|path, _| !path.starts_with("models/"));
    for (kind, models) in [("customtypes", customtypes), ("slices", slices)] {
        for model in models {
            let path = names::model(key, kind, &model.id).into_boxed_str();
            items.insert(path, Item::read(model.bytes));
        }
    }
    Ok(())
}

/// Puts what the media library says now. What it said then is read of the vault, where it lies together:
/// its own dates of change are of its clock, and no snapshot keeps the newest of them.
async fn assets(
    library: &AssetApi,
    key: &ItemKey,
    items: &mut Items,
    progress: &dyn Progress,
) -> std::result::Result<(), PrismicError> {
    let list = library.list(|have, total| {
        progress.start(Phase::AssetList, total);
        progress.advance(Phase::AssetList, have, 0);
    });
    let list = list.await?;
    progress.finish(Phase::AssetList);
    let mut listed = BTreeSet::new();
    for asset in list.assets {
        let path = names::asset_metadata(key, &asset.id).into_boxed_str();
        items.insert(path.clone(), Item::read(asset.bytes));
        listed.insert(path);
    }
    // Among them are files that documents use besides the library; their metadata says so.
    let gone: Vec<Box<str>> = items
        .keys()
        .filter(|path| path.starts_with("assets/") && path.ends_with(METADATA) && !listed.contains(*path))
        .cloned()
        .collect();
    for path in &gone {
        let directory = path.strip_suffix(METADATA).unwrap_or_default();
        items.remove(&format!("{directory}original")[..]);
        items.remove(path);
    }
    Ok(())
}

/// Reads the documents of a repository that may differ from a snapshot.
struct Reading<'a> {
    live: &'a Live,
    root: &'a Root,
    manifest: &'a Manifest,
    key: &'a ItemKey,
    progress: &'a dyn Progress,
}

type Read<T> = std::result::Result<T, PrismicError>;

impl Reading<'_> {
    /// Brings documents up to date. Returns what is not sure then.
    async fn documents(&self, items: &mut Items) -> Read<Option<Problem>> {
        let everything = self.everything();
        let published = match self.published_since() {
            Some(since) => {
                let after = predicate::date_after("document.last_publication_date", &since);
                Search { predicates: vec![after], ..everything.clone() }
            }
            None => everything.clone(),
        };
        let total = self.count(&everything).await?;
        let mut places = self.places(items);
        for document in self.read(&published).await? {
            self.put(document, items, &mut places);
        }
        if self.places(items).len() as u64 != total {
            self.sweep(items).await?;
        }
        let found = self.places(items).len() as u64;
        Ok((found != total).then(|| {
            let why = format!("the API counts {total} documents and lists {found}");
            Problem::new("documents-uncertain", "documents", why)
        }))
    }

    fn everything(&self) -> Search {
        let mut search = Search::everything(&*self.root.master_ref, self.live.limits.page_size);
        search.integration_fields_ref.clone_from(&self.root.integration_fields_ref);
        search
    }

    /// The date after which everything was published that the snapshot does not know.
    fn published_since(&self) -> Option<String> {
        let newest = self.manifest.read.as_ref()?.newest_publication.as_deref().and_then(parse_millis)?;
        let began = parse_millis(&self.manifest.started)?;
        let margin = i64::try_from(self.live.limits.publication_margin.as_millis()).unwrap_or(i64::MAX);
        Some(format_millis(newest.min(began).saturating_sub(margin)))
    }

    async fn count(&self, search: &Search) -> Read<u64> {
        let page = self.live.content.search(&Search { page_size: 1, ..search.clone() }).await?;
        Ok(page.total_results_size)
    }

    /// Reads all documents of a search.
    async fn read(&self, search: &Search) -> Read<Vec<Document>> {
        let mut documents = Vec::new();
        let at_once = self.live.limits.content_concurrency;
        self.live
            .content
            .for_each_page(search, at_once, async |page| {
                if page.page == search.page {
                    self.progress.start(Phase::Documents, Some(page.total_results_size));
                }
                self.progress.advance(Phase::Documents, page.documents.len() as u64, 0);
                documents.extend(page.documents);
                Ok::<_, PrismicError>(())
            })
            .await?;
        self.progress.finish(Phase::Documents);
        Ok(documents)
    }

    /// Paths of published documents by the segment that their id is.
    fn places(&self, items: &Items) -> HashMap<String, Box<str>> {
        let documents = items.keys().filter(|path| path.starts_with("documents/"));
        documents.map(|path| (segment_of(path).to_owned(), path.clone())).collect()
    }

    fn put(&self, document: Document, items: &mut Items, places: &mut HashMap<String, Box<str>>) {
        let path = names::document(self.key, None, &document.lang, &document.type_, &document.id);
        let path = path.into_boxed_str();
        // It may have been of another type or language.
        let before = places.insert(segment_of(&path).to_owned(), path.clone());
        if let Some(before) = before.filter(|before| *before != path) {
            items.remove(&before);
        }
        items.insert(path, Item::read(document.bytes));
    }

    /// Finds what is gone: counts by type and language, and lists where numbers differ.
    async fn sweep(&self, items: &mut Items) -> Read<()> {
        let before = &self.manifest.counts;
        let types: BTreeSet<&String> =
            self.root.types.keys().chain(before.documents_by_type.keys()).collect();
        let languages: BTreeSet<&String> = self
            .root
            .languages
            .iter()
            .map(|language| &language.id)
            .chain(before.documents_by_language.keys())
            .collect();
        let mut places = self.places(items);
        let known = |items: &Items, language: Option<&str>, type_: &str| -> Vec<Box<str>> {
            let type_ = names::segment(self.key, type_);
            let language = language.map(|language| names::segment(self.key, language));
            let is_it = |path: &str| {
                let mut parts = path.split('/');
                parts.next() == Some("documents")
                    && parts
                        .next()
                        .is_some_and(|part| language.as_ref().is_none_or(|language| language == part))
                    && parts.next() == Some(&type_)
            };
            items.keys().filter(|path| is_it(path)).cloned().collect()
        };
        for type_ in types {
            let of_type =
                Search { predicates: vec![predicate::at("document.type", type_)], ..self.everything() };
            if self.count(&of_type).await? == known(items, None, type_).len() as u64 {
                continue;
            }
            for language in &languages {
                let cell = Search { lang: (*language).clone(), ..of_type.clone() };
                let there = known(items, Some(language), type_);
                if self.count(&cell).await? == there.len() as u64 {
                    continue;
                }
                let listed = self.read(&cell).await?;
                let paths: BTreeSet<String> = listed
                    .iter()
                    .map(|one| names::document(self.key, None, &one.lang, &one.type_, &one.id))
                    .collect();
                for path in there.iter().filter(|path| !paths.contains(&***path)) {
                    items.remove(path);
                }
                for document in listed {
                    let path = names::document(self.key, None, &document.lang, &document.type_, &document.id);
                    if !items.contains_key(&*path) {
                        self.put(document, items, &mut places);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The id in a path of a document.
fn segment_of(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.strip_suffix(".json")).unwrap_or_default()
}
