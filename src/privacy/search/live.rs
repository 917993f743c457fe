//! What is live in a repository now: documents, releases, models, and what the media library says of files.
//!
//! What says the same in the newest snapshot is not told twice; it is marked as live there. Bytes of files are
//! not read again: Prismic never replaces a file, and the snapshots have them. A repository that cannot be
//! read is a problem of the report.

use std::sync::Arc;

use bytes::Bytes;

use super::reading::Reading;
use super::report::{FoundItem, LivePlace, SearchReport};
use crate::ids::Name;
use crate::prismic::{AssetApi, ContentApi, Http, PrismicError, Root, Search, TypesApi};
use crate::privacy::channels::Bounds;
use crate::privacy::matching::{Fingerprint, Matcher, Rarity};
use crate::progress::Problem;
use crate::restore::{RestoreError, Result, Watch};
use crate::snapshot::{Target, names};
use crate::vault::item::ItemKey;
use crate::vault::pack::ItemData;

/// A repository whose live content is searched as well.
pub struct LiveSource<'a> {
    /// The repository, with its tokens.
    pub target: &'a Target,
    /// The client for Prismic.
    pub http: &'a Http,
}

/// Where live content is searched from.
pub(super) struct SearchingLive<'a> {
    pub(super) source: &'a LiveSource<'a>,
    pub(super) matcher: &'a Arc<Matcher>,
    pub(super) bounds: &'a Bounds,
    pub(super) key: &'a ItemKey,
    pub(super) watch: Watch<'a>,
}

/// Why live content could not be searched.
enum LiveError {
    Api(PrismicError),
    Cancelled,
}

impl From<PrismicError> for LiveError {
    fn from(error: PrismicError) -> Self {
        Self::Api(error)
    }
}

impl SearchingLive<'_> {
    /// Searches what is live, and adds it to the report.
    ///
    /// # Errors
    ///
    /// Only when it is cancelled.
    pub(super) async fn search(&self, report: &mut SearchReport, rarity: &mut Rarity) -> Result<()> {
        let name = &self.source.target.name;
        match self.read(report, rarity).await {
            Ok(()) => report.coverage.live.push(name.clone()),
            Err(LiveError::Cancelled) => return Err(RestoreError::Cancelled),
            Err(LiveError::Api(error)) => report.coverage.problems.push(Problem::new(
                "live-not-searched",
                name.as_str(),
                format!("what is live was not searched, or not all of it: {}", error.in_own_words()),
            )),
        }
        Ok(())
    }

    async fn read(
        &self,
        report: &mut SearchReport,
        rarity: &mut Rarity,
    ) -> std::result::Result<(), LiveError> {
        let LiveSource { target, http } = self.source;
        let endpoints = &target.endpoints;
        let content =
            ContentApi::new((*http).clone(), endpoints.content_api.clone(), target.access_token.clone());
        let root = content.root().await?;
        let mut refs = vec![(None, root.master_ref.clone())];
        refs.extend(root.releases.iter().map(|release| (Some(&*release.id), release.reference.clone())));
        for (release, reference) in refs {
            self.documents(&content, &root, (release, reference), (report, rarity)).await?;
        }
        let Some(token) = &target.write_token else {
            report.coverage.problems.push(Problem::new(
                "no-write-token",
                target.name.as_str(),
                "the live media library and models are not searched: they can be read with a write token only",
            ));
            return Ok(());
        };
        let library =
            AssetApi::new((*http).clone(), endpoints.asset_api.clone(), &target.repository, token.clone());
        let assets = library.list(|_, _| {}).await?.assets;
        let assets =
            assets.into_iter().map(|asset| (names::asset_metadata(self.key, &asset.id), asset.bytes));
        let types =
            TypesApi::new((*http).clone(), endpoints.types_api.clone(), &target.repository, token.clone());
        let (custom_types, slices) = futures_util::try_join!(types.custom_types(), types.slices())?;
        let models =
            [("customtypes", custom_types), ("slices", slices)].into_iter().flat_map(|(kind, models)| {
                models.into_iter().map(move |model| (names::model(self.key, kind, &model.id), model.bytes))
            });
        self.look(assets.chain(models).collect(), (report, rarity)).await
    }

    /// Searches the documents of a ref. Those of a release are all that it shows which master does not.
    async fn documents(
        &self,
        content: &ContentApi,
        root: &Root,
        (release, reference): (Option<&str>, String),
        (report, rarity): (&mut SearchReport, &mut Rarity),
    ) -> std::result::Result<(), LiveError> {
        let limits = self.source.http.limits();
        let mut search = Search::everything(reference, limits.page_size);
        search.integration_fields_ref.clone_from(&root.integration_fields_ref);
        content
            .for_each_page(&search, limits.content_concurrency, async |page| {
                let items = page
                    .documents
                    .into_iter()
                    .map(|document| {
                        let path =
                            names::document(self.key, release, &document.lang, &document.type_, &document.id);
                        (path, document.bytes)
                    })
                    .collect();
                self.look(items, (&mut *report, &mut *rarity)).await
            })
            .await
    }

    async fn look(
        &self,
        items: Vec<(String, Bytes)>,
        (report, rarity): (&mut SearchReport, &mut Rarity),
    ) -> std::result::Result<(), LiveError> {
        self.watch.check_cancelled().map_err(|_| LiveError::Cancelled)?;
        let (matcher, bounds, count) = (Arc::clone(self.matcher), self.bounds.clone(), items.len() as u64);
        let read = tokio::task::spawn_blocking(move || {
            let may_hold = items.into_iter().filter(|(_, bytes)| matcher.may_contain(bytes));
            may_hold
                .map(|(path, bytes)| {
                    let reading = Reading::of(ItemData::Memory(bytes), Some(&path), &matcher, &bounds);
                    (path, reading)
                })
                .collect::<Vec<_>>()
        });
        let read = read.await.expect("reading items does not panic");
        self.watch.progress.advance(self.watch.phase, count, 0);
        rarity.count_others(count - read.len() as u64);
        for (path, reading) in read {
            rarity.count(&reading.findings);
            take(report, &self.source.target.name, path, reading);
        }
        Ok(())
    }
}

/// Adds what was found in something live, unless the newest snapshot says the same in the same place.
fn take(report: &mut SearchReport, repository: &Name, path: String, reading: Reading) {
    let prints = |found: &[crate::privacy::matching::Finding]| -> Vec<Fingerprint> {
        found.iter().map(|finding| finding.fingerprint).collect()
    };
    let own = prints(&reading.findings);
    // What a release does not change is shown by its ref as well.
    let in_master =
        path.strip_prefix("releases/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let is_at = |found: &FoundItem, path: &str| {
        found
            .sightings
            .iter()
            .any(|one| one.is_in_newest && one.repository == *repository && one.path == path)
            || found.live.iter().any(|live| live.repository == *repository && live.path == path)
    };
    let same = report.found.iter_mut().find(|found| {
        let is_there = is_at(found, &path) || in_master.is_some_and(|path| is_at(found, path));
        is_there && prints(&found.findings) == own
    });
    match same {
        Some(found) => {
            found.live.get_or_insert_with(|| LivePlace { repository: repository.clone(), path });
        }
        None => report.take_live(LivePlace { repository: repository.clone(), path }, reading),
    }
}
