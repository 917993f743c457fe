//! Reads a repository from a directory: the answers of the public APIs as files.
//!
//! | file | what |
//! | --- | --- |
//! | `repository.json` | answer of `GET /api/v2` |
//! | `documents.jsonl` | the published documents, one a line |
//! | `releases/<release id>.jsonl` | documents that differ in a release |
//! | `tags.json` | answer of `GET /api/tags` |
//! | `assets.json`, `asset_tags.json` | answers of `GET /assets` and `GET /tags` |
//! | `assets/<asset id>/<file>` | original bytes |
//! | `models.json` | `{"folder": "…"}`: where `customtypes/*.json` and `slices/*.json` are |
//!
//! Only `repository.json` and `documents.jsonl` must be there. Addresses at Prismic's asset hosts
//! are served from the sandbox instead; a file that is missing is a 404 there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::assets::{Asset, AssetContent, Library};
use super::error::SandboxError;
use super::models::{Model, Models};
use super::repository::{Content, Release};
use crate::contentapi::{Document, RepositoryRoot};

/// Reads the directory of a repository called `name` (part of its file addresses).
pub fn load(directory: &Path, name: &str) -> Result<Content, SandboxError> {
    let cdn = format!("https://{name}.cdn.prismic.io");
    let hosts = [
        "https://images.prismic.io",
        cdn.as_str(),
        "https://prismic-io.s3.amazonaws.com",
        "https://prismic-io.imgix.net",
    ];
    let root_path = directory.join("repository.json");
    let answer = required_json(&root_path)?;
    let tags = json(&directory.join("tags.json"))?.map(|tags| {
        let tags = tags.as_array().cloned().unwrap_or_default();
        tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
    });
    let root = RepositoryRoot::from_api(&answer, tags).ok_or_else(|| SandboxError::Invalid {
        path: root_path,
        reason: "it has no master ref".to_owned(),
    })?;
    let path = directory.join("documents.jsonl");
    let documents = documents(&path, &hosts)?;
    let mut releases = Vec::new();
    for entry in root.refs.iter().filter(|entry| !entry.is_master) {
        let path = directory.join("releases").join(format!("{}.jsonl", entry.id));
        let documents = if path.exists() { self::documents(&path, &hosts)? } else { Vec::new() };
        releases.push(Release {
            id: entry.id.clone(),
            label: entry.label.clone(),
            scheduled_at: entry.scheduled_at,
            version: entry.reference.split('~').next().unwrap_or_default().to_owned(),
            documents,
        });
    }
    Ok(Content {
        root,
        documents,
        releases,
        library: library(directory, &hosts)?,
        models: models(directory)?,
    })
}

fn text(path: &Path) -> Result<Option<String>, SandboxError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SandboxError::Read { path: path.to_owned(), source }),
    }
}

fn json(path: &Path) -> Result<Option<Value>, SandboxError> {
    let Some(text) = text(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| invalid(path, error.to_string()))
}

fn required_json(path: &Path) -> Result<Value, SandboxError> {
    json(path)?
        .ok_or_else(|| SandboxError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() })
}

fn invalid(path: &Path, reason: impl Into<String>) -> SandboxError {
    SandboxError::Invalid { path: path.to_owned(), reason: reason.into() }
}

fn documents(path: &Path, hosts: &[&str]) -> Result<Vec<Arc<Document>>, SandboxError> {
    let text =
        fs::read_to_string(path).map_err(|source| SandboxError::Read { path: path.to_owned(), source })?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(line, text)| {
            let document = Document::parse(text, hosts);
            document.map(Arc::new).map_err(|source| SandboxError::InvalidLine {
                path: path.to_owned(),
                line,
                source,
            })
        })
        .collect()
}

fn library(directory: &Path, hosts: &[&str]) -> Result<Library, SandboxError> {
    let path = directory.join("assets.json");
    let items = json(&path)?.map(|answer| answer["items"].as_array().cloned().unwrap_or_default());
    let mut assets = Vec::new();
    for item in items.unwrap_or_default() {
        let id =
            item["id"].as_str().filter(|id| plain(id)).ok_or_else(|| invalid(&path, "an asset has no id"))?;
        let content = content(&directory.join("assets").join(id))?;
        assets.push(Asset::parse(&item.to_string(), hosts, content)?);
    }
    let tags = json(&directory.join("asset_tags.json"))?;
    let tags = tags.and_then(|answer| answer["items"].as_array().cloned()).unwrap_or_default();
    Ok(Library::new(assets, tags))
}

/// An id that names a directory must not lead out of its parent.
fn plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The one file in an asset's directory; nothing where there is none.
fn content(directory: &Path) -> Result<AssetContent, SandboxError> {
    let read = |source| SandboxError::Read { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AssetContent::Missing),
        Err(source) => return Err(read(source)),
    };
    for entry in entries {
        let entry = entry.map_err(read)?;
        let metadata = entry.metadata().map_err(read)?;
        if metadata.is_file() {
            return Ok(AssetContent::File { path: entry.path(), len: metadata.len() });
        }
    }
    Ok(AssetContent::Missing)
}

fn models(directory: &Path) -> Result<Models, SandboxError> {
    let path = directory.join("models.json");
    let Some(pointer) = json(&path)? else { return Ok(Models::default()) };
    let folder = pointer["folder"].as_str().ok_or_else(|| invalid(&path, "it names no folder"))?;
    let folder = directory.join(folder);
    Ok(Models {
        custom_types: models_in(&folder.join("customtypes"))?,
        slices: models_in(&folder.join("slices"))?,
    })
}

fn models_in(folder: &Path) -> Result<Vec<Model>, SandboxError> {
    let read = |source| SandboxError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(read(source)),
    };
    let paths: Result<Vec<PathBuf>, io::Error> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(read)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // A directory has no order; the listing must have one.
    paths.sort();
    paths.iter().map(|path| Model::parse(&text(path)?.unwrap_or_default())).collect()
}
