//! Restored files against the repository that they came from.
//!
//! What is expected is made from the state of the sandbox itself, not from anything that went
//! through the vault. Documents are compared without `href` and `url`, which are no content (one
//! holds the ref, the other answers a route resolver); every other byte counts. A file too many
//! is a difference as well. `repository/` is not compared: it describes the moment of reading.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::AsyncReadExt as _;

use super::files;
use crate::contentapi::{Document, DocumentSet};
use crate::prismic;
use crate::sandbox::{Asset, AssetContent, Library, Models, Release, Repository};

/// Bytes of an asset that are compared at once.
const CHUNK: u64 = 256 << 10;

/// What the repository was at one moment.
#[derive(Debug)]
pub(super) struct Moment {
    documents: Arc<DocumentSet>,
    releases: Vec<Release>,
    library: Arc<Library>,
    models: Arc<Models>,
}

impl Moment {
    /// Returns what the repository is now.
    pub(super) fn of(repository: &Repository) -> Self {
        Self {
            documents: repository.documents(),
            releases: repository.releases(),
            library: repository.library(),
            models: repository.models(),
        }
    }
}

/// What was compared.
#[derive(Debug, Default, Serialize)]
pub(super) struct Comparison {
    /// Published documents.
    pub(super) documents: u64,
    /// Documents of releases.
    pub(super) release_documents: u64,
    /// Custom types and slices.
    pub(super) models: u64,
    /// Assets, each with its metadata.
    pub(super) assets: u64,
    /// Bytes at the source.
    pub(super) bytes: u64,
    /// What differs, one sentence each.
    pub(super) differences: Vec<String>,
}

/// Compares the files of a restored snapshot with the repository as it was at a moment.
/// `asset_host` is where the repository's assets were served.
///
/// # Errors
///
/// When a file cannot be read. Differences are in the result.
pub(super) async fn compare(moment: &Moment, asset_host: &str, directory: &Path) -> io::Result<Comparison> {
    let found = files::list(directory)?;
    let mut comparing = Comparing { directory, found, done: Comparison::default() };
    for document in moment.documents.iter() {
        comparing.small(&path("", document), &sent(document, asset_host)?).await?;
        comparing.done.documents += 1;
    }
    for release in &moment.releases {
        let prefix = format!("releases/{}/", release.id);
        for document in &release.documents {
            comparing.small(&path(&prefix, document), &sent(document, asset_host)?).await?;
            comparing.done.release_documents += 1;
        }
    }
    let models = [("customtypes", &moment.models.custom_types), ("slices", &moment.models.slices)];
    for (kind, model) in
        models.iter().flat_map(|(kind, models)| models.iter().map(move |model| (kind, model)))
    {
        comparing.small(&format!("models/{kind}/{}.json", model.id), model.json.as_bytes()).await?;
        comparing.done.models += 1;
    }
    for asset in moment.library.assets() {
        let mut metadata = Vec::new();
        asset.render(asset_host, &mut metadata);
        comparing.small(&format!("assets/{}/metadata.json", asset.id), &metadata).await?;
        comparing.original(asset).await?;
        comparing.done.assets += 1;
    }
    let Comparing { found, mut done, .. } = comparing;
    let rest = found.into_keys().filter(|path| !path.starts_with("repository/"));
    done.differences.extend(rest.map(|path| format!("{path} is not at the source")));
    Ok(done)
}

fn path(prefix: &str, document: &Document) -> String {
    let head = &document.head;
    format!("{prefix}documents/{}/{}/{}.json", head.lang(), head.type_id(), head.id())
}

/// The document as the repository serves it, less what is no content.
fn sent(document: &Document, asset_host: &str) -> io::Result<bytes::Bytes> {
    let mut served = Vec::with_capacity(document.rendered_len(asset_host));
    document.render("", asset_host, &mut served);
    Ok(prismic::Document::parse(&served).map_err(io::Error::other)?.bytes)
}

struct Comparing<'a> {
    directory: &'a Path,
    /// Restored files that nothing at the source accounts for yet.
    found: BTreeMap<String, u64>,
    done: Comparison,
}

impl Comparing<'_> {
    /// Compares a file with bytes in memory.
    async fn small(&mut self, path: &str, expected: &[u8]) -> io::Result<()> {
        self.done.bytes += expected.len() as u64;
        if self.found.remove(path).is_none() {
            self.done.differences.push(format!("{path} was not restored"));
        } else if tokio::fs::read(self.directory.join(path)).await? != expected {
            self.done.differences.push(format!("{path} differs"));
        }
        Ok(())
    }

    /// Compares an asset's file, which lies beside its metadata under whatever name it has.
    async fn original(&mut self, asset: &Asset) -> io::Result<()> {
        if matches!(asset.content, AssetContent::Missing) {
            return Ok(());
        }
        let directory = format!("assets/{}/", asset.id);
        let file = self.found.keys().find(|path| path.starts_with(&directory)).cloned();
        let Some(path) = file else {
            self.done.differences.push(format!("the file of {directory} was not restored"));
            return Ok(());
        };
        let len = self.found.remove(&path).unwrap_or(0);
        self.done.bytes += asset.content.len();
        let equal = len == asset.content.len() && self.equal(asset, &path).await?;
        if !equal {
            self.done.differences.push(format!("{path} differs"));
        }
        Ok(())
    }

    async fn equal(&self, asset: &Asset, path: &str) -> io::Result<bool> {
        let mut file = tokio::fs::File::open(self.directory.join(path)).await?;
        let mut restored = Vec::new();
        let mut at = 0;
        while at < asset.content.len() {
            let end = asset.content.len().min(at + CHUNK);
            let expected = asset.content.read(at..end).await?;
            restored.resize(expected.len(), 0);
            file.read_exact(&mut restored).await?;
            if restored != expected {
                return Ok(false);
            }
            at = end;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::RepositoryOptions;
    use crate::sandbox::synthetic::{SyntheticOptions, generate};

    const HOST: &str = "http://127.0.0.1:1";

    /// Writes what a restore of the moment would.
    async fn write(moment: &Moment, directory: &Path) {
        let put = async |path: String, bytes: &[u8]| {
            let file = directory.join(path);
            tokio::fs::create_dir_all(file.parent().unwrap()).await.unwrap();
            tokio::fs::write(file, bytes).await.unwrap();
        };
        put("repository/api.json".to_owned(), b"{}").await;
        let document = async |prefix: &str, document: &Document| {
            put(path(prefix, document), &sent(document, HOST).unwrap()).await;
        };
        for one in moment.documents.iter() {
            document("", one).await;
        }
        for release in &moment.releases {
            for one in &release.documents {
                document(&format!("releases/{}/", release.id), one).await;
            }
        }
        for (kind, models) in
            [("customtypes", &moment.models.custom_types), ("slices", &moment.models.slices)]
        {
            for model in models {
                put(format!("models/{kind}/{}.json", model.id), model.json.as_bytes()).await;
            }
        }
        for asset in moment.library.assets() {
            let mut metadata = Vec::new();
            asset.render(HOST, &mut metadata);
            put(format!("assets/{}/metadata.json", asset.id), &metadata).await;
            let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
            put(format!("assets/{}/{}", asset.id, asset.filename), &bytes).await;
        }
    }

    #[tokio::test]
    async fn every_kind_of_difference_is_found() {
        let options =
            SyntheticOptions { documents: 30, assets: 4, asset_bytes: 900, ..SyntheticOptions::default() };
        let content = generate("acme-blog", &options).unwrap();
        let repository = Repository::new("acme-blog", content, RepositoryOptions::default());
        let moment = Moment::of(&repository);
        let place = tempfile::tempdir().unwrap();
        write(&moment, place.path()).await;
        let comparison = compare(&moment, HOST, place.path()).await.unwrap();
        assert_eq!(comparison.differences, Vec::<String>::new());
        assert!(
            comparison.documents == 30
                && comparison.release_documents > 0
                && comparison.models > 5
                && comparison.assets == 4
        );

        let paths: Vec<String> = files::list(place.path()).unwrap().into_keys().collect();
        let compared = paths.iter().filter(|path| !path.starts_with("repository/"));
        for path in compared {
            let file = place.path().join(path);
            let at = files::flip_a_bit(&file).unwrap();
            let damaged = compare(&moment, HOST, place.path()).await.unwrap().differences;
            assert_eq!(damaged, [format!("{path} differs")], "byte {at}");
            files::flip_a_bit(&file).unwrap();
        }
        let first = place.path().join(&paths[0]);
        std::fs::rename(&first, place.path().join("moved")).unwrap();
        let moved = compare(&moment, HOST, place.path()).await.unwrap().differences;
        assert_eq!(moved.len(), 2, "one is missing, one too many: {moved:?}");

        repository.edit(0.1, 1).unwrap();
        let later = compare(&Moment::of(&repository), HOST, place.path()).await.unwrap().differences;
        assert!(later.len() >= 3, "another moment is another content: {later:?}");
    }
}
