//! What the paths of a catalog mean.
//!
//! Snapshots write paths of plain ids, but a catalog is as trustworthy as whoever signed it. So
//! a path is taken apart here, and one that could leave a directory is never used as a file.

/// What lies under a path of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `documents/<language>/<type>/<id>.json`, also below `releases/<release>/`.
    Document {
        /// Id of the release that changes it; `None` for what is published.
        release: Option<&'a str>,
        /// Its language.
        language: &'a str,
        /// Id of its custom type.
        type_: &'a str,
        /// Its id.
        id: &'a str,
    },
    /// `models/<kind>/<id>.json`.
    Model {
        /// Id of the custom type or shared slice.
        id: &'a str,
    },
    /// `assets/<id>/<file>`.
    Asset {
        /// Its id.
        id: &'a str,
        /// `metadata.json` or `original`.
        file: &'a str,
    },
    /// Anything else: the repository's own metadata, and what later versions add.
    Other,
}

/// Name of the metadata of an asset, below its directory.
pub const METADATA: &str = "metadata.json";
/// Name of the bytes of an asset, below its directory.
pub const ORIGINAL: &str = "original";

/// Name of the lock file in the target of a restore, and how names of unfinished files begin; no file
/// of a snapshot is named so.
pub(super) const UNFINISHED: &str = ".prismvault-restore";
/// Longest path that is used as a file; Linux takes 4,096 bytes with what stands before it.
const PATH_BYTES_MAX: usize = 2048;
/// Longest name of a file or directory that common file systems take.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// Returns what lies under a path.
pub fn place(path: &str) -> Place<'_> {
    let (release, rest) = match path.strip_prefix("releases/").and_then(|rest| rest.split_once('/')) {
        Some((release, rest)) => (Some(release), rest),
        None => (None, path),
    };
    let mut parts = rest.split('/');
    let parts = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    match (release, parts) {
        (release, [Some("documents"), Some(language), Some(type_), Some(file), None]) => {
            match file.strip_suffix(".json") {
                Some(id) => Place::Document { release, language, type_, id },
                None => Place::Other,
            }
        }
        (None, [Some("models"), Some(_), Some(file), None, None]) => match file.strip_suffix(".json") {
            Some(id) => Place::Model { id },
            None => Place::Other,
        },
        (None, [Some("assets"), Some(id), Some(file), None, None]) => Place::Asset { id, file },
        _ => Place::Other,
    }
}

/// Whether a path may be used as a file below a directory: it stays below it, holds no control
/// characters, and file systems take it.
pub fn is_safe(path: &str) -> bool {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && !segment.starts_with(UNFINISHED)
            && segment.len() <= NAME_BYTES_MAX
            && !segment.contains(|char: char| char.is_control() || matches!(char, '\\' | ':'))
    };
    path.len() <= PATH_BYTES_MAX && path.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_what_they_are() {
        let document = |release| Place::Document { release, language: "en-us", type_: "page", id: "A" };
        for (path, expected) in [
            ("documents/en-us/page/A.json", document(None)),
            ("releases/R/documents/en-us/page/A.json", document(Some("R"))),
            ("models/slices/hero.json", Place::Model { id: "hero" }),
            ("assets/X/original", Place::Asset { id: "X", file: "original" }),
            ("repository/api.json", Place::Other),
            ("releases/R/assets/X/original", Place::Other),
            ("documents/en-us/page/A.json/more", Place::Other),
            ("documents/en-us/A.json", Place::Other),
            ("", Place::Other),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_leaves_its_directory_is_not_safe() {
        assert!(is_safe("documents/en-us/page/A.json"));
        for path in [
            "",
            "/etc/passwd",
            "a/../b",
            "..",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "C:/x",
            "a\0b",
            "a/b\nc",
            &"a".repeat(256),
            &"a/".repeat(1500),
            ".prismvault-restore/1",
            "assets/X/.prismvault-restore-7",
        ] {
            assert!(!is_safe(path), "{path}");
        }
    }
}
