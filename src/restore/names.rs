//! The names under which people get the files of a snapshot.
//!
//! The paths of the catalog, and for the bytes of an asset the name that its file had in the
//! media library (in its address, where only a document refers to it). An editor chose that name, so it
//! is made harmless: no separators, no control characters or marks that reorder a line, no `.` or `..`,
//! at most 255 bytes with its extension kept, and never that of the metadata beside it or of an
//! unfinished file. Other bytes stay as they are.
//!
//! Ids of Prismic differ by case, and many file systems do not: of two paths equal but for case
//! the second gets `~2`. That is decided over the whole catalog and everywhere alike, so a
//! restore of a part, or on another system, gives the same names.

use std::collections::{HashMap, HashSet};

use super::paths::{METADATA, NAME_BYTES_MAX, ORIGINAL, Place, UNFINISHED, place};
use crate::vault::format::catalog::CatalogEntry;

/// Longest extension that is kept when a name is cut.
const EXTENSION_BYTES_MAX: usize = 32;

/// Names of the files of one snapshot.
#[derive(Debug, Default)]
pub struct FileNames {
    /// New names of files, and of directories of assets, that differ from others by case only.
    renamed: HashMap<Box<str>, String>,
    /// By asset id: the file name of its bytes, already harmless.
    originals: HashMap<Box<str>, String>,
}

impl FileNames {
    /// Returns the names for a whole catalog, sorted by path.
    pub fn new(catalog: &[CatalogEntry]) -> Self {
        let mut renamed = HashMap::new();
        let mut taken: HashSet<String> = HashSet::with_capacity(catalog.len());
        let mut last = "";
        for path in catalog.iter().map(|entry| unit(&entry.path)) {
            if std::mem::replace(&mut last, path) == path || taken.insert(path.to_lowercase()) {
                continue;
            }
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let with_number = |number| match directory {
                "" => numbered(name, number),
                _ => format!("{directory}/{}", numbered(name, number)),
            };
            let free = (2_u32..)
                .map(with_number)
                .find(|candidate| taken.insert(candidate.to_lowercase()))
                .expect("a catalog has fewer entries than there are numbers");
            renamed.insert(path.into(), free);
        }
        Self { renamed, originals: HashMap::new() }
    }

    /// Takes the file name of an asset's bytes from its metadata: the one it tells, else that of
    /// its address. Metadata without either leaves the bytes under the name of the catalog,
    /// `original`.
    pub fn learn(&mut self, asset: &str, metadata: &[u8]) {
        let Ok(metadata) = serde_json::from_slice::<serde_json::Value>(metadata) else { return };
        let text = |member: &str| metadata.get(member).and_then(serde_json::Value::as_str);
        let told = text("filename").and_then(harmless);
        let name = told.or_else(|| harmless(&name_in_address(asset, text("url")?)?));
        if let Some(name) = name {
            self.originals.insert(asset.into(), name);
        }
    }

    /// Returns the file of a path of the catalog, below the directory of a restore.
    pub fn file(&self, path: &str) -> String {
        let unit = unit(path);
        let base = self.renamed.get(unit).map_or(unit, String::as_str);
        match place(path) {
            Place::Asset { id, file } => {
                let name = match file {
                    ORIGINAL => self.originals.get(id).map_or(ORIGINAL, String::as_str),
                    other => other,
                };
                format!("{base}/{name}")
            }
            _ => base.to_owned(),
        }
    }
}

/// The part of a path that gets a new name as a whole: the directory of an asset, else all of it.
fn unit(path: &str) -> &str {
    match place(path) {
        Place::Asset { file, .. } => &path[..path.len() - file.len() - 1],
        _ => path,
    }
}

/// Returns the file name in the address of an asset: its last segment, without the asset's id or
/// the UUID that Prismic puts before it.
fn name_in_address(asset: &str, address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let segment = url.path_segments()?.next_back()?;
    let uuid = |prefix: &str| {
        prefix.len() == 36 && prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let own = segment.strip_prefix(asset).and_then(|rest| rest.strip_prefix('_'));
    // Older addresses encode the slash before the last segment: `{repository}%2F{uuid}_{name}`.
    let last = ["%2F", "%2f"].iter().filter_map(|slash| segment.rsplit_once(slash)).map(|(_, last)| last);
    let last = last.min_by_key(|last| last.len()).unwrap_or(segment);
    let other = last.split_once('_').filter(|(prefix, _)| uuid(prefix)).map(|(_, name)| name);
    Some(percent_decoded(own.or(other).unwrap_or(last)))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a file name that is harmless, or `None` when nothing is left of it.
fn harmless(name: &str) -> Option<String> {
    let replace = |char: char| match char {
        '/' | '\\' => '_',
        char if char.is_control() => '_',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '_',
        char => char,
    };
    let name: String = name.chars().map(replace).collect();
    if name.trim().is_empty() || matches!(name.as_str(), "." | "..") {
        return None;
    }
    let lower = name.to_lowercase();
    Some(match lower == METADATA {
        true => numbered(&name, 2),
        false if lower.starts_with(UNFINISHED) => cut(&format!("_{name}"), "", NAME_BYTES_MAX),
        false => cut(&name, "", NAME_BYTES_MAX),
    })
}

/// Returns `name~2.extension`.
fn numbered(name: &str, number: u32) -> String {
    cut(name, &format!("~{number}"), NAME_BYTES_MAX)
}

/// Puts `suffix` before the extension and cuts what stands before it to fit.
fn cut(name: &str, suffix: &str, max: usize) -> String {
    let at = name.rfind('.').filter(|at| *at > 0 && name.len() - at <= EXTENSION_BYTES_MAX);
    let (stem, extension) = name.split_at(at.unwrap_or(name.len()));
    let mut end = stem.len().min(max - suffix.len() - extension.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}{extension}", &stem[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ItemId;

    fn catalog(paths: &[&str]) -> Vec<CatalogEntry> {
        let mut paths = paths.to_vec();
        paths.sort_unstable();
        let entry = |path: &&str| CatalogEntry { path: (*path).into(), item: ItemId([0; 32]), size: 0 };
        paths.iter().map(entry).collect()
    }

    fn named(filename: &str) -> String {
        let mut names = FileNames::new(&catalog(&["assets/A/metadata.json", "assets/A/original"]));
        names.learn("A", serde_json::json!({ "filename": filename }).to_string().as_bytes());
        names.file("assets/A/original")
    }

    #[test]
    fn hostile_names_become_harmless_and_others_stay() {
        let long = "ä".repeat(150);
        for (sent, expected) in [
            ("photo.jpg", "photo.jpg"),
            ("Größe 日本.png", "Größe 日本.png"),
            ("e\u{301}.png", "e\u{301}.png"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("..\\x.exe", ".._x.exe"),
            ("..", "original"),
            (".", "original"),
            ("", "original"),
            ("  ", "original"),
            ("a\0b\nc\u{9b}.txt", "a_b_c_.txt"),
            ("gpj.\u{202e}exe", "gpj._exe"),
            ("metadata.json", "metadata~2.json"),
            ("MetaData.JSON", "MetaData~2.JSON"),
            (".hidden", ".hidden"),
            (".Prismvault-Restore-7", "_.Prismvault-Restore-7"),
            (&format!("{}.jpg", "x".repeat(300)), &format!("{}.jpg", "x".repeat(251))),
            (&format!("{long}.jpeg"), &format!("{}.jpeg", "ä".repeat(125))),
            (&format!("a.{}", "x".repeat(300)), &format!("a.{}", "x".repeat(253))),
        ] {
            assert_eq!(named(sent), format!("assets/A/{expected}"), "{sent:?}");
        }
    }

    #[test]
    fn metadata_without_a_file_name_leaves_the_name_of_the_catalog() {
        let mut names = FileNames::default();
        for metadata in
            ["", "{}", "[]", r#"{"filename":7}"#, r#"{"filename":null}"#, "{\"filename\":\"\\ud83d\"}"]
        {
            names.learn("A", metadata.as_bytes());
            assert_eq!(names.file("assets/A/original"), "assets/A/original", "{metadata}");
        }
    }

    #[test]
    fn an_asset_without_a_file_name_is_named_after_its_address() {
        for (url, expected) in [
            ("https://images.prismic.io/acme/A_photo.jpg?auto=format", "photo.jpg"),
            (
                "https://images.prismic.io/acme/8d7fbf8f-a7b6-4e54-bb46-3e2d3b9a8f66_a%20b%C3%A9.png",
                "a bé.png",
            ),
            ("https://acme.cdn.prismic.io/acme/plain_name.pdf", "plain_name.pdf"),
            ("https://acme.cdn.prismic.io/acme/A_..%2F..%2Fetc%00", ".._.._etc_"),
            (
                "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_kenarnold.jpg",
                "kenarnold.jpg",
            ),
            ("https://images.prismic.io/acme%2fplan%20B.pdf", "plan B.pdf"),
            ("https://acme.cdn.prismic.io/acme/100%.jpg", "100%.jpg"),
            ("https://acme.cdn.prismic.io/", "original"),
            ("not an address", "original"),
        ] {
            let mut names = FileNames::default();
            names.learn("A", serde_json::json!({ "url": url, "filename": "" }).to_string().as_bytes());
            assert_eq!(names.file("assets/A/original"), format!("assets/A/{expected}"), "{url}");
        }
    }

    #[test]
    fn paths_equal_but_for_case_are_kept_apart() {
        let names = FileNames::new(&catalog(&[
            "assets/AbC/metadata.json",
            "assets/AbC/original",
            "assets/abc/metadata.json",
            "assets/abc/original",
            "documents/en/page/WsuS.json",
            "documents/en/page/wsus.json",
            "documents/en/page/wsus~2.json",
            "documents/en/page/wSUS.json",
        ]));
        for (path, file) in [
            ("assets/AbC/original", "assets/AbC/original"),
            ("assets/abc/metadata.json", "assets/abc~2/metadata.json"),
            ("assets/abc/original", "assets/abc~2/original"),
            ("documents/en/page/WsuS.json", "documents/en/page/WsuS.json"),
            ("documents/en/page/wSUS.json", "documents/en/page/wSUS~2.json"),
            ("documents/en/page/wsus.json", "documents/en/page/wsus~3.json"),
            ("documents/en/page/wsus~2.json", "documents/en/page/wsus~2~2.json"),
        ] {
            assert_eq!(names.file(path), file, "{path}");
        }
    }

    #[test]
    fn no_two_files_have_one_name_whatever_editors_typed() {
        let mut names = FileNames::new(&catalog(&["assets/A/metadata.json", "assets/A/original"]));
        for typed in ["metadata.json", "METADATA.JSON", "metadata~2.json"] {
            names.learn("A", serde_json::json!({ "filename": typed }).to_string().as_bytes());
            assert_ne!(names.file("assets/A/original").to_lowercase(), "assets/a/metadata.json", "{typed}");
        }
    }
}
