//! The media library of synthetic content.

use serde_json::{Value, json};

use super::SyntheticOptions;
use super::files::FileFormat;
use super::json::Json;
use super::plan::{Plan, PlannedAsset};
use super::random::Random;
use crate::contentapi::ASSET_HOST;
use crate::sandbox::SandboxError;
use crate::sandbox::assets::{Asset, AssetContent, Library};

/// Tags of the media library.
pub(super) const TAG_NAMES: [&str; 3] = ["team", "press", "licensed"];

/// When the tags were made.
const TAGS_CREATED: i64 = 1_519_862_400_000;

pub(super) fn library(plan: &Plan, options: &SyntheticOptions) -> Result<Library, SandboxError> {
    let tags = tags(options);
    let assets: Result<Vec<Asset>, SandboxError> =
        plan.assets.iter().map(|planned| asset(planned, &tags)).collect();
    Ok(Library::new(assets?, tags))
}

pub(super) fn tags(options: &SyntheticOptions) -> Vec<Value> {
    (0..)
        .zip(TAG_NAMES)
        .map(|(number, name)| {
            let id = Random::new(&[options.seed, 3, number]).uuid();
            json!({"id": id, "name": name, "created_at": TAGS_CREATED, "last_modified": TAGS_CREATED})
        })
        .collect()
}

pub(super) fn asset(planned: &PlannedAsset, tags: &[Value]) -> Result<Asset, SandboxError> {
    Asset::parse(&item(planned, tags), &[ASSET_HOST], AssetContent::Generated(planned.file.clone()))
}

fn item(asset: &PlannedAsset, tags: &[Value]) -> String {
    let file = &asset.file;
    let kind = if asset.is_image() { "image" } else { "document" };
    let raster = matches!(file.format, FileFormat::Png | FileFormat::Jpeg);
    let mut json = Json::with_capacity(512);
    json.object(|json| {
        json.member("id", &asset.id);
        json.member(
            "url",
            &if raster { format!("{}?auto=format,compress", asset.url) } else { asset.url.clone() },
        );
        json.member("filename", &asset.filename).member("extension", file.format.extension());
        json.key("size").number(file.len);
        json.member("kind", kind);
        if raster {
            json.key("width").number(file.width).key("height").number(file.height);
        }
        json.key("created_at").number(asset.created).key("last_modified").number(asset.created + 48);
        if let Some(alt) = &asset.alt {
            json.member("alt", alt);
        }
        if let Some(credits) = &asset.credits {
            json.member("credits", credits);
        }
        json.member("uploader_id", "user-01").key("tags").array(|json| {
            if let Some(tag) = asset.tag {
                json.raw(&tags[tag].to_string());
            }
        });
    });
    json.finish()
}
