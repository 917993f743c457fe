//! Paths of a snapshot. They hold ids only, never UIDs, titles or file names, and nothing that a
//! hostile source could use to leave a directory.

use crate::vault::item::ItemKey;

/// Turns an id of the source into one segment of a path: itself where it is a plain one, else a
/// keyed name, so that nothing is lost and nothing leaves its place.
pub(crate) fn segment(key: &ItemKey, id: &str) -> String {
    if is_plain(id) { id.to_owned() } else { key.name(id) }
}

/// Whether an id is its own segment.
pub(crate) fn is_plain(id: &str) -> bool {
    (1..=120).contains(&id.len())
        && !matches!(id, "." | "..")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// `documents/<lang>/<type>/<id>.json`, below `releases/<release>/` for what a release changes.
pub(crate) fn document(key: &ItemKey, release: Option<&str>, lang: &str, type_: &str, id: &str) -> String {
    let path = format!("documents/{}/{}/{}.json", segment(key, lang), segment(key, type_), segment(key, id));
    match release {
        Some(release) => format!("{}{path}", release_prefix(key, release)),
        None => path,
    }
}

/// `releases/<release>/`.
pub(crate) fn release_prefix(key: &ItemKey, release: &str) -> String {
    format!("releases/{}/", segment(key, release))
}

/// `models/customtypes/<id>.json` or `models/slices/<id>.json`.
pub(crate) fn model(key: &ItemKey, kind: &str, id: &str) -> String {
    format!("models/{kind}/{}.json", segment(key, id))
}

/// `assets/<id>/metadata.json`.
pub(crate) fn asset_metadata(key: &ItemKey, id: &str) -> String {
    format!("assets/{}/metadata.json", segment(key, id))
}

/// `assets/<id>/original`.
pub(crate) fn asset_original(key: &ItemKey, id: &str) -> String {
    format!("assets/{}/original", segment(key, id))
}

/// `repository/<file>`.
pub(crate) fn repository(file: &str) -> String {
    format!("repository/{file}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::vault::item::ItemKind;

    #[test]
    fn ids_as_prismic_makes_them_stay_what_they_are() {
        let key = ItemKey::for_tests();
        for id in ["ZbFUeBEAACcAXnq5", "a", "fr-fr", "blog_post", "a.b", "...", &"x".repeat(120)] {
            assert_eq!(segment(&key, id), id);
        }
    }

    #[test]
    fn hostile_ids_become_plain_segments_that_do_not_collide() {
        let key = ItemKey::for_tests();
        let (long, longer) = ("x".repeat(121), "x".repeat(300));
        let hostile = [
            "",
            ".",
            "..",
            "../",
            "../../etc/passwd",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "C:",
            "a b",
            "a\0b",
            "a\nb",
            "é",
            "e\u{301}",
            "\u{202e}gpj",
            "日本",
            "~",
            "$(id)",
            "-rf /",
            "a?b",
            "a#b",
            "a%2Fb",
            &long,
            &longer,
        ];
        let mut seen = HashSet::new();
        for id in hostile {
            let name = segment(&key, id);
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(plain && (5..=40).contains(&name.len()), "{id:?}: {name}");
            assert_eq!(segment(&key, id), name, "the same at every run");
            assert!(seen.insert(name), "{id:?} has the name of another");
        }
    }

    #[test]
    fn every_path_tells_what_lies_there() {
        let key = ItemKey::for_tests();
        for id in ["X", "../x", "", "metadata.json"] {
            for (path, kind) in [
                (document(&key, None, id, id, id), ItemKind::Document),
                (document(&key, Some(id), id, id, id), ItemKind::Document),
                (model(&key, "customtypes", id), ItemKind::Model),
                (model(&key, "slices", id), ItemKind::Model),
                (asset_metadata(&key, id), ItemKind::AssetMetadata),
                (asset_original(&key, id), ItemKind::Asset),
                (repository("api.json"), ItemKind::Repository),
            ] {
                assert_eq!(ItemKind::of_path(&path), Some(kind), "{path}");
            }
        }
    }

    #[test]
    fn a_path_of_hostile_ids_has_the_segments_that_it_must() {
        let key = ItemKey::for_tests();
        let path = document(&key, Some("../r"), "../..", "", "..");
        let segments: Vec<_> = path.split('/').collect();
        assert_eq!((segments.len(), segments[0], segments[2]), (6, "releases", "documents"));
        assert!(segments.iter().all(|segment| !segment.is_empty() && !segment.starts_with('.')), "{path}");
        for path in
            [asset_metadata(&key, "../x"), asset_original(&key, "a/b"), model(&key, "slices", "../../x")]
        {
            assert_eq!(path.split('/').count(), 3, "{path}");
            assert!(!path.contains(".."), "{path}");
        }
    }
}
