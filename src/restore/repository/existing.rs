//! What the target holds before, and while, something is restored into it.
//!
//! Read through the same clients as snapshots, at one pinned ref. Of documents only what conflicts are
//! found by is kept; drafts and the migration release are seen by nobody.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::entries::Newest;
use super::source::text;
use crate::contentapi::parse_millis;
use crate::limits::Limits;
use crate::prismic::{
    Asset, AssetApi, ContentApi, Document, Http, PrismicError, Root, Search, TypesApi, parse_json,
};
use crate::progress::{Phase, Progress};
use crate::secret::Secret;
use crate::snapshot::Target;

/// What reads a target.
#[derive(Debug, Clone)]
pub(super) struct TargetReader {
    content: ContentApi,
    types: TypesApi,
    library: AssetApi,
    limits: Limits,
}

/// What a target holds.
#[derive(Debug)]
pub(super) struct Existing {
    /// Its root.
    pub(super) root: Root,
    /// Models of custom types by id.
    pub(super) custom_types: BTreeMap<String, Bytes>,
    /// Models of shared slices by id.
    pub(super) slices: BTreeMap<String, Bytes>,
    /// Tags of the media library: id by name.
    pub(super) tags: BTreeMap<String, String>,
    /// The media library by id.
    pub(super) assets: HashMap<String, Asset>,
    /// What is published.
    pub(super) documents: Documents,
}

/// What is published in a target.
#[derive(Debug, Default)]
pub(super) struct Documents {
    by_id: HashMap<Box<str>, ExistingDocument>,
    by_uid: HashMap<Uid, Box<str>>,
    /// When the last of them was first published.
    newest: Option<i64>,
}

/// Type, language and UID.
type Uid = (Box<str>, Box<str>, Box<str>);

/// A published document of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExistingDocument {
    /// Id of its type.
    pub(super) type_: Box<str>,
    /// Its language.
    pub(super) language: Box<str>,
    /// When it was last published, as the API says.
    pub(super) published: Option<String>,
    /// When it was first published, in milliseconds since 1970.
    pub(super) first: Option<i64>,
    /// What editors wrote in it; see [`content_of`].
    pub(super) content: Option<Content>,
}

/// Digest of what editors wrote in a document.
pub(super) type Content = [u8; 16];

/// Returns the digest of what editors wrote in a document: UID, tags and fields, byte by byte. Equal
/// ones are equal documents of one repository; others may be.
pub(super) fn content_of(bytes: &[u8]) -> Option<Content> {
    #[derive(serde::Deserialize)]
    struct Written<'a> {
        #[serde(borrow, default)]
        uid: Option<&'a RawValue>,
        #[serde(borrow, default)]
        tags: Option<&'a RawValue>,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let written: Written<'_> = serde_json::from_slice(bytes).ok()?;
    let mut digest = Sha256::new();
    for part in [written.uid, written.tags, Some(written.data)] {
        let part = part.map_or("null", RawValue::get);
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize()[..16].try_into().ok()
}

impl TargetReader {
    /// Returns what reads this target.
    pub(super) fn new(target: &Target, write_token: &Secret, http: &Http) -> Self {
        let endpoints = &target.endpoints;
        let content =
            ContentApi::new(http.clone(), endpoints.content_api.clone(), target.access_token.clone());
        let (name, token) = (&target.repository, write_token);
        Self {
            content,
            types: TypesApi::new(http.clone(), endpoints.types_api.clone(), name, token.clone()),
            library: AssetApi::new(http.clone(), endpoints.asset_api.clone(), name, token.clone()),
            limits: http.limits().clone(),
        }
    }

    /// What reads its documents.
    pub(super) fn content(&self) -> &ContentApi {
        &self.content
    }

    /// Reads everything that a plan is made from.
    ///
    /// # Errors
    ///
    /// Those of the APIs: of a repository that is not there, of tokens that are not right.
    pub(super) async fn read(&self, progress: &dyn Progress) -> Result<Existing, PrismicError> {
        let root = self.content.root().await?;
        let (custom_types, slices) = self.models().await?;
        let tags = self.tags().await?;
        let assets = self.assets(progress).await?;
        let documents = self.documents(&root, progress).await?;
        Ok(Existing { root, custom_types, slices, tags, assets, documents })
    }

    /// Reads its models: custom types, and shared slices.
    pub(super) async fn models(
        &self,
    ) -> Result<(BTreeMap<String, Bytes>, BTreeMap<String, Bytes>), PrismicError> {
        let (custom_types, slices) = futures_util::try_join!(self.types.custom_types(), self.types.slices())?;
        let by_id = |models: Vec<crate::prismic::Model>| {
            models.into_iter().map(|model| (model.id, model.bytes)).collect()
        };
        Ok((by_id(custom_types), by_id(slices)))
    }

    /// Reads the tags of its media library: id by name.
    pub(super) async fn tags(&self) -> Result<BTreeMap<String, String>, PrismicError> {
        let bytes = self.library.tags().await?;
        let tags = parse_json(&bytes).unwrap_or_default();
        let tags = tags.get("items").unwrap_or(&tags).as_array().into_iter().flatten();
        Ok(tags.filter_map(|tag: &Value| Some((text(tag, "name")?, text(tag, "id")?))).collect())
    }

    /// Reads its media library.
    pub(super) async fn assets(
        &self,
        progress: &dyn Progress,
    ) -> Result<HashMap<String, Asset>, PrismicError> {
        let mut known = 0;
        let list = self.library.list(|have, total| {
            progress.start(Phase::AssetList, total);
            progress.advance(Phase::AssetList, have.saturating_sub(known), 0);
            known = have;
        });
        let assets = list.await?.assets;
        progress.finish(Phase::AssetList);
        Ok(assets.into_iter().map(|asset| (asset.id.clone(), asset)).collect())
    }

    /// Reads the documents with these ids, of those that are published at the ref of this root.
    pub(super) async fn documents_with(
        &self,
        root: &Root,
        ids: &[String],
    ) -> Result<Vec<Document>, PrismicError> {
        let search = Search::everything(&*root.master_ref, self.limits.page_size);
        let mut found = Vec::new();
        for batch in self.content.in_ids_batches(&search, ids) {
            found.extend(self.content.search(&batch.search).await?.documents);
        }
        Ok(found)
    }

    /// Reads what the media library says of the assets with these ids.
    pub(super) async fn assets_with(&self, ids: &[String]) -> Result<HashMap<String, Asset>, PrismicError> {
        let found = self.library.with_ids(ids).await?;
        Ok(found.into_iter().map(|asset| (asset.id.clone(), asset)).collect())
    }

    /// Reads what is published at the ref of this root.
    pub(super) async fn documents(
        &self,
        root: &Root,
        progress: &dyn Progress,
    ) -> Result<Documents, PrismicError> {
        let mut documents = Documents::default();
        self.for_each_document(root, progress, async |page| {
            page.iter().for_each(|document| documents.add(document));
            Ok::<_, PrismicError>(())
        })
        .await?;
        Ok(documents)
    }

    /// Gives `each` what is published at the ref of this root, page by page. Returns how many there
    /// are as the API counts.
    pub(super) async fn for_each_document<E: From<PrismicError>>(
        &self,
        root: &Root,
        progress: &dyn Progress,
        mut each: impl AsyncFnMut(Vec<Document>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut search = Search::everything(&*root.master_ref, self.limits.page_size);
        search.integration_fields_ref.clone_from(&root.integration_fields_ref);
        let mut total = 0;
        self.content
            .for_each_page(&search, self.limits.content_concurrency, async |page| {
                if page.page == 1 {
                    total = page.total_results_size;
                    progress.start(Phase::Documents, Some(total));
                }
                progress.advance(Phase::Documents, page.documents.len() as u64, 0);
                each(page.documents).await
            })
            .await?;
        progress.finish(Phase::Documents);
        Ok(total)
    }
}

impl Existing {
    /// The newest that there is.
    pub(super) fn newest(&self) -> Newest {
        let created = self.assets.values().filter_map(|asset| asset.created_at);
        Newest { document: self.documents.newest, asset: created.max().map(|at| at.timestamp_millis()) }
    }
}

impl Documents {
    /// Takes in one more.
    pub(super) fn add(&mut self, document: &Document) {
        let (type_, language): (Box<str>, Box<str>) = ((&*document.type_).into(), (&*document.lang).into());
        let id: Box<str> = (&*document.id).into();
        if let Some(uid) = &document.uid {
            self.by_uid.insert((type_.clone(), language.clone(), uid.as_str().into()), id.clone());
        }
        let first = document.first_publication_date.as_deref().and_then(parse_millis);
        self.newest = self.newest.max(first);
        let published = document.last_publication_date.clone();
        let content = content_of(&document.bytes);
        self.by_id.insert(id, ExistingDocument { type_, language, published, first, content });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns the document with this id.
    pub(super) fn get(&self, id: &str) -> Option<&ExistingDocument> {
        self.by_id.get(id)
    }

    /// Returns an id where a document has it.
    pub(super) fn id(&self, id: &str) -> Option<&str> {
        self.by_id.get_key_value(id).map(|(id, _)| &**id)
    }

    /// Returns the id of the document with this UID.
    pub(super) fn with_uid(&self, type_: &str, language: &str, uid: &str) -> Option<&str> {
        self.by_uid.get(&(type_.into(), language.into(), uid.into())).map(|id| &**id)
    }

    /// Returns the id of a document of this type in this language.
    pub(super) fn of(&self, type_: &str, language: &str) -> Option<&str> {
        let mut all = self.by_id.iter();
        let found = all.find(|(_, document)| &*document.type_ == type_ && &*document.language == language);
        found.map(|(id, _)| &**id)
    }

    /// Returns the ids of all.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(|id| &**id)
    }

    /// Whether there is any document of this type.
    pub(super) fn has_type(&self, type_: &str) -> bool {
        self.by_id.values().any(|document| &*document.type_ == type_)
    }
}
