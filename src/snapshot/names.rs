//! Paths of a snapshot. They hold ids only, never UIDs, titles or file names, and nothing that a
//! hostile source could use to leave a directory.

use crate::vault::item::ItemKey;

/// Turns an id of the source into one segment of a path: itself where it is a plain one, else a
/// keyed name, so that nothing is lost and nothing leaves its place.
pub(super) fn segment(key: &ItemKey, id: &str) -> String {
    let plain = (1..=120).contains(&id.len())
        && !matches!(id, "." | "..")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain { id.to_owned() } else { key.name(id) }
}

/// `documents/<lang>/<type>/<id>.json`, below `releases/<release>/` for what a release changes.
pub(super) fn document(key: &ItemKey, release: Option<&str>, lang: &str, type_: &str, id: &str) -> String {
    let path = format!("documents/{}/{}/{}.json", segment(key, lang), segment(key, type_), segment(key, id));
    match release {
        Some(release) => format!("{}{path}", release_prefix(key, release)),
        None => path,
    }
}

/// `releases/<release>/`.
pub(super) fn release_prefix(key: &ItemKey, release: &str) -> String {
    format!("releases/{}/", segment(key, release))
}

/// `models/customtypes/<id>.json` or `models/slices/<id>.json`.
pub(super) fn model(key: &ItemKey, kind: &str, id: &str) -> String {
    format!("models/{kind}/{}.json", segment(key, id))
}

/// `assets/<id>/metadata.json`.
pub(super) fn asset_metadata(key: &ItemKey, id: &str) -> String {
    format!("assets/{}/metadata.json", segment(key, id))
}

/// `assets/<id>/original`.
pub(super) fn asset_original(key: &ItemKey, id: &str) -> String {
    format!("assets/{}/original", segment(key, id))
}

/// `repository/<file>`.
pub(super) fn repository(file: &str) -> String {
    format!("repository/{file}")
}
