//! Reading what is live: published documents, releases, the media library, models.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Cause;
use crate::prismic::model::Model;
use crate::prismic::{
    Asset, AssetApi, ContentApi, Document, RepositoryWriter, Root, Search, TypesApi, parse_json,
};
use crate::privacy::search::LiveSource;
use crate::restore::repository::convert::TargetModels;
use crate::snapshot::names;
use crate::vault::item::ItemKey;

/// What reads one repository.
pub(super) struct Repository<'a> {
    source: &'a LiveSource<'a>,
    /// Searches, whose answers never change at one ref.
    content: ContentApi,
    /// Tells the refs, past every cache.
    origin: ContentApi,
}

/// Something live, with the path that it has in snapshots.
pub(super) struct Item {
    pub(super) path: String,
    pub(super) bytes: Bytes,
}

impl<'a> Repository<'a> {
    pub(super) fn new(source: &'a LiveSource<'a>) -> Self {
        let endpoints = &source.target.endpoints;
        let api = |url| ContentApi::new(source.http.clone(), url, source.target.access_token.clone());
        Self { source, content: api(endpoints.content_api.clone()), origin: api(endpoints.content_origin()) }
    }

    /// What writes to it; `None` without a write token.
    pub(super) fn writer(&self) -> Option<RepositoryWriter> {
        let target = self.source.target;
        let token = target.write_token.clone()?;
        Some(RepositoryWriter::new(self.source.http.clone(), &target.endpoints, &target.repository, token))
    }

    /// Reads the root where it is made, past the delivery network.
    pub(super) async fn root(&self) -> Result<Root, Cause> {
        Ok(self.origin.root().await?)
    }

    fn search(&self, root: &Root, reference: &str) -> Search {
        let mut search = Search::everything(reference, self.source.http.limits().page_size);
        search.integration_fields_ref.clone_from(&root.integration_fields_ref);
        search
    }

    /// Gives `each` the published documents, page by page.
    pub(super) async fn for_each_document(
        &self,
        root: &Root,
        mut each: impl AsyncFnMut(Vec<Document>) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        self.at_ref(root, &root.master_ref, &mut each).await
    }

    /// Gives `each` the documents of each release that master does not show in the same way, with its id.
    pub(super) async fn for_each_of_releases(
        &self,
        root: &Root,
        mut each: impl AsyncFnMut(&str, Vec<Document>) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        for release in &root.releases {
            let mut of_release = async |documents| each(&release.id, documents).await;
            self.at_ref(root, &release.reference, &mut of_release).await?;
        }
        Ok(())
    }

    async fn at_ref(
        &self,
        root: &Root,
        reference: &str,
        each: &mut impl AsyncFnMut(Vec<Document>) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        let at_once = self.source.http.limits().content_concurrency;
        let search = self.search(root, reference);
        self.content.for_each_page(&search, at_once, async |page| each(page.documents).await).await
    }

    /// Reads published documents by their ids, those that there are.
    pub(super) async fn documents(
        &self,
        root: &Root,
        ids: &[String],
    ) -> Result<BTreeMap<String, Document>, Cause> {
        let mut found = BTreeMap::new();
        for batch in self.content.in_ids_batches(&self.search(root, &root.master_ref), ids) {
            let page = self.content.search(&batch.search).await?;
            found.extend(page.documents.into_iter().map(|document| (document.id.clone(), document)));
        }
        Ok(found)
    }

    /// What reads the media library; `None` without a write token.
    pub(super) fn library(&self) -> Option<AssetApi> {
        let target = self.source.target;
        let token = target.write_token.clone()?;
        let (http, endpoint) = (self.source.http.clone(), target.endpoints.asset_api.clone());
        Some(AssetApi::new(http, endpoint, &target.repository, token))
    }

    /// Reads files of the media library by their ids, those that there are.
    pub(super) async fn assets(&self, ids: &[String]) -> Result<BTreeMap<String, Asset>, Cause> {
        let Some(library) = self.library().filter(|_| !ids.is_empty()) else { return Ok(BTreeMap::new()) };
        let found = library.with_ids(ids).await?;
        Ok(found.into_iter().map(|asset| (asset.id.clone(), asset)).collect())
    }

    /// Reads the models, with the kind that their paths name; none without a write token.
    pub(super) async fn models(&self) -> Result<Vec<(&'static str, crate::prismic::Model)>, Cause> {
        let target = self.source.target;
        let Some(token) = target.write_token.clone() else { return Ok(Vec::new()) };
        let (http, endpoint) = (self.source.http.clone(), target.endpoints.types_api.clone());
        let types = TypesApi::new(http, endpoint, &target.repository, token);
        let (custom_types, slices) = futures_util::try_join!(types.custom_types(), types.slices())?;
        let of =
            |kind, models: Vec<crate::prismic::Model>| models.into_iter().map(move |model| (kind, model));
        Ok(of("customtypes", custom_types).chain(of("slices", slices)).collect())
    }

    /// Reads the models as documents are written along them.
    pub(super) async fn target_models(&self) -> Result<TargetModels, Cause> {
        let models = self.models().await?;
        let parsed = models.iter().filter_map(|(_, own)| Model::parse(&parse_json(&own.bytes).ok()?).ok());
        Ok(TargetModels::new(parsed))
    }

    /// Reads the media library and the models as snapshots have them; `None` without a write token.
    pub(super) async fn library_and_models(&self, key: &ItemKey) -> Result<Option<Vec<Item>>, Cause> {
        let Some(library) = self.library() else { return Ok(None) };
        let list = library.list(|_, _| {}).await?;
        if list.missing() > 0 {
            return Err(Cause::Words(format!("the media library did not list {} files", list.missing())));
        }
        let assets = list.assets.into_iter();
        let assets =
            assets.map(|asset| Item { path: names::asset_metadata(key, &asset.id), bytes: asset.bytes });
        let models = self.models().await?.into_iter();
        let models =
            models.map(|(kind, own)| Item { path: names::model(key, kind, &own.id), bytes: own.bytes });
        Ok(Some(assets.chain(models).collect()))
    }
}
