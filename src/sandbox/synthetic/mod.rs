//! Seeded content of any size that looks like a real repository's.
//!
//! Twelve types, translations that know each other, rich text with spans after emoji, shared,
//! composite and legacy slices, groups within groups, tables, links of every kind with their
//! empty forms, some broken, images with crops, stock photos on a foreign host, a number written
//! `10.0`, letters written `\u00e9`, and people who do not exist.
//!
//! **Invariants.** Equal name and options give equal bytes, in every version of this program
//! that does not say otherwise. Each link to a document leads to one, unless it says
//! `isBroken`; each address of an asset leads to one, but for those at `images.unsplash.com`.
//!
//! **Why this way.** Everything about a document follows from its seed, so the plan (ids, uids,
//! dates) comes first, for links to point to, and contents are written one after the other into
//! raw JSON: 200,000 documents need about what their bytes need. Files are never stored.

mod documents;
mod fields;
mod files;
mod json;
mod library;
mod models;
mod plan;
mod random;
mod slices;
mod words;

use std::sync::Arc;

pub use files::{FileFormat, GeneratedFile};
pub use random::Random;

use self::plan::{Plan, PlannedDocument};
use super::assets::Asset;
use super::error::SandboxError;
use super::repository::{Content, Release};
use crate::contentapi::{Collection, Document, Language, Millis, RepositoryRoot};

/// What to make.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticOptions {
    /// Published documents, in all languages together.
    pub documents: usize,
    /// Assets of the media library.
    pub assets: usize,
    /// Decides everything.
    pub seed: u64,
    /// Average size of an asset.
    pub asset_bytes: u64,
    /// Size of the first asset, to have a large one.
    pub largest_asset_bytes: Option<u64>,
    /// Locale ids, the master first; at least one.
    pub languages: Vec<String>,
    /// Releases, with up to five documents each.
    pub releases: usize,
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        Self {
            documents: 200,
            assets: 40,
            seed: 1,
            asset_bytes: 100_000,
            largest_asset_bytes: None,
            languages: ["en-us", "fr-fr", "de-de"].map(str::to_owned).into(),
            releases: 1,
        }
    }
}

/// 2027-01-01: when releases are due, and the time in the ids of what is newer than all content.
const SCHEDULED: Millis = 1_798_761_600_000;

/// Makes the content of a repository called `name`.
pub fn generate(name: &str, options: &SyntheticOptions) -> Result<Content, SandboxError> {
    let mut options = options.clone();
    if options.languages.is_empty() {
        options.languages.push("en-us".to_owned());
    }
    let plan = Plan::new(name, &options);
    let documents: Result<Vec<Arc<Document>>, SandboxError> =
        plan.documents.iter().map(|planned| documents::document(&plan, planned, 0)).collect();
    let languages = options.languages.iter().enumerate().map(|(place, id)| Language {
        id: id.clone(),
        name: match id.as_str() {
            "en-us" => "English - United States".to_owned(),
            "fr-fr" => "French - France".to_owned(),
            "de-de" => "German - Germany".to_owned(),
            other => other.to_owned(),
        },
        is_master: place == 0,
    });
    let models = models::models()?;
    let known = |id: &str| plan.documents.iter().any(|document| document.type_id == id);
    let mut random = Random::new(&[options.seed, 5]);
    let root = RepositoryRoot {
        integration_fields_ref: Some(format!("{}~{}", random.id(SCHEDULED), random.id(SCHEDULED))),
        types: models
            .custom_types
            .iter()
            .filter(|model| known(&model.id))
            .map(|model| (model.id.clone(), model.label.clone()))
            .collect(),
        languages: languages.collect(),
        collections: vec![Collection {
            id: "blog".to_owned(),
            name: "Blog".to_owned(),
            query: "[[:d = any(document.type, [\"blog_post\"])]]".to_owned(),
        }],
        version: "8991d98".to_owned(),
        license: "All Rights Reserved".to_owned(),
        ..RepositoryRoot::default()
    };
    let releases: Result<Vec<Release>, SandboxError> =
        (0..options.releases).map(|number| release(&plan, &options, number as u64)).collect();
    Ok(Content {
        root,
        documents: documents?,
        releases: releases?,
        library: library::library(&plan, &options)?,
        models,
    })
}

/// Makes one asset. Those of [`generate`] have the numbers below `options.assets`; others are new
/// ones, to be [put](super::Repository::put_asset) into the library later.
pub fn generate_asset(name: &str, options: &SyntheticOptions, number: usize) -> Result<Asset, SandboxError> {
    library::asset(&plan::asset(name, options, number), &library::tags(options))
}

/// Makes a release of up to three changed documents and two that were never published.
fn release(plan: &Plan, options: &SyntheticOptions, number: u64) -> Result<Release, SandboxError> {
    let mut random = Random::new(&[options.seed, 4, number]);
    let mut changed: Vec<Arc<Document>> = Vec::new();
    for revision in 1..=3.min(plan.documents.len() as u64) {
        let planned = random.pick(&plan.documents);
        if changed.iter().all(|document| *document.head.id() != *planned.id) {
            changed.push(documents::document(plan, planned, revision)?);
        }
    }
    for fresh in 0..2 {
        let title = format!("Unpublished {number} {fresh}");
        let planned = PlannedDocument {
            id: random.id(SCHEDULED),
            type_id: "page",
            lang: 0,
            uid: Some(format!("unpublished-{number}-{fresh}")),
            slug: words::slug(&title),
            title,
            published: None,
            tags: Vec::new(),
            group: (0, 0),
            seed: random.next(),
        };
        changed.push(documents::document(plan, &planned, 0)?);
    }
    Ok(Release {
        id: random.id(SCHEDULED),
        label: format!("Campaign {}", number + 1),
        scheduled_at: number.is_multiple_of(2).then_some(SCHEDULED),
        version: random.id(SCHEDULED),
        documents: changed,
    })
}
