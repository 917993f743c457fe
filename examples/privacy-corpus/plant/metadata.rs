//! Places in the metadata of assets and of the repository.

use prismvault::privacy::passage::Channel as C;
use serde_json::{Value, json};

use super::{Place, Takes, percent, plain};

fn asset(member: &str, value: Value) -> Vec<u8> {
    let mut asset = json!({
        "id": "ZoQE4h5LeNNTwtnO", "url": "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_a.jpg?auto=format,compress",
        "filename": "a.jpg", "extension": "jpg", "size": 10, "kind": "image", "width": 1, "height": 1,
        "created_at": 1719928035057_u64, "last_modified": 1720092571453_u64, "notes": null, "tags": [],
    });
    asset[member] = value;
    asset.to_string().into_bytes()
}

const fn at(name: &'static str, channel: C, path: &'static str, write: fn(&str) -> super::Planted) -> Place {
    Place { name, channel, path, file_name: None, takes: Takes::Text, write }
}

const METADATA: &str = "assets/ZoQE4h5LeNNTwtnO/metadata.json";

pub(super) const PLACES: &[Place] = &[
    at("asset.file_name", C::AssetFileName, METADATA, |t| plain(asset("filename", t.into()), t)),
    at("asset.address", C::AssetFileName, METADATA, |t| {
        let url = format!("https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_{}.jpg?auto=format", percent(t));
        plain(asset("url", url.into()), t)
    }),
    at("asset.notes", C::AssetNotes, METADATA, |t| plain(asset("notes", t.into()), t)),
    at("asset.credits", C::AssetCredits, METADATA, |t| plain(asset("credits", t.into()), t)),
    at("asset.alt", C::AssetAlt, METADATA, |t| plain(asset("alt", t.into()), t)),
    at("asset.tag", C::AssetTag, METADATA, |t| plain(asset("tags", json!([{"id": "1", "name": t}])), t)),
    at("asset.uploader", C::AssetMetadata, METADATA, |t| plain(asset("uploader_id", t.into()), t)),
    at("asset.described", C::AssetMetadata, METADATA, |t| {
        plain(asset("ai_metadata", json!({"description": t, "keywords": ["x"]})), t)
    }),
    at("model.label", C::Repository, "models/customtypes/page.json", |t| {
        let model = json!({"id": "page", "json": {"Main": {"a": {"type": "Text", "config": {"label": t}}}}});
        plain(model.to_string(), t)
    }),
    at("model.field", C::Repository, "models/slices/hero.json", |t| {
        let mut fields = json!({});
        fields[t] = json!({"type": "Text"});
        plain(json!({"id": "hero", "variations": [{"primary": fields}]}).to_string(), t)
    }),
    at("repository.tag", C::Repository, "repository/tags.json", |t| plain(json!(["a", t]).to_string(), t)),
    at("repository.release", C::Repository, "repository/api.json", |t| {
        plain(json!({"refs": [{"id": "x", "ref": "y", "label": t}]}).to_string(), t)
    }),
    at("members.name", C::Member, "repository/members.json", |t| {
        plain(json!({"kind": "members", "format": 1, "members": [{"email": "a@b.example", "name": t, "roles": []}]}).to_string(), t)
    }),
    at("members.address", C::Member, "repository/members.json", |t| {
        plain(
            json!({"kind": "members", "format": 1, "members": [{"email": t, "roles": [{"role": "Writer"}]}]})
                .to_string(),
            t,
        )
    }),
];
