//! `cat`: one item.

use super::content::OpenSnapshot;
use super::error::{RestoreError, Result};
use super::paths::{Place, place};
use super::selection::{below, no_path};
use crate::vault::erasure::Applied;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::pack::ItemData;
use crate::vault::tree;

/// One item with its bytes.
#[derive(Debug)]
pub struct Found {
    /// Path of the catalog, id and size.
    pub entry: CatalogEntry,
    /// The bytes, checked against the id.
    pub data: ItemData,
    /// What orders of erasure changed of it.
    pub applied: Applied,
}

/// Reads one item by its path, or a document by its id alone when that is unique. By path it
/// reads one page of the catalog a level and the item.
///
/// # Errors
///
/// [`NotFound`](super::RestoreErrorKind::NotFound) with what there is instead,
/// [`Ambiguous`](super::RestoreErrorKind::Ambiguous) with the paths to choose from, errors of the
/// vault when the item is damaged on every replica, or erased and nothing stands in its place.
pub async fn cat(snapshot: &OpenSnapshot<'_>, typed: &str) -> Result<Found> {
    let reader = snapshot.reader();
    // As it was written: of what an order took away it is told that one did.
    let as_written = reader.again().as_written();
    let root = &snapshot.manifest.catalog;
    let path = typed.trim_start_matches('/');
    let written = match tree::find::<CatalogEntry>(&as_written, root, path).await? {
        Some(entry) => entry,
        // The whole catalog is read only to say what there is, or to look for an id.
        None => by_id(path, &tree::read_all::<CatalogEntry>(&as_written, root).await?)?,
    };
    let (now, applied) = reader.as_it_is_now(&written)?;
    let entry = now.unwrap_or(written);
    let data = reader.item(entry.item).await?;
    Ok(Found { entry, data, applied })
}

fn by_id(typed: &str, catalog: &[CatalogEntry]) -> Result<CatalogEntry> {
    let mut documents = Vec::new();
    let mut others = Vec::new();
    for entry in catalog {
        match place(&entry.path) {
            Place::Document { id, release: None, .. } if id == typed => documents.push(entry),
            Place::Document { id, .. } | Place::Asset { id, .. } | Place::Model { id, .. } if id == typed => {
                others.push(entry);
            }
            _ => {}
        }
    }
    // What is published comes before what a release would change.
    match (documents.as_slice(), others.as_slice()) {
        ([only], _) => Ok((*only).clone()),
        ([], [only]) if matches!(place(&only.path), Place::Document { .. }) => Ok((*only).clone()),
        ([], []) => Err(folder(typed, catalog).unwrap_or_else(|| no_path(typed, catalog))),
        _ => Err(RestoreError::Ambiguous {
            what: format!("{typed:?} is an id, and not of one document only"),
            hint: format!(
                "name a path: {}",
                documents.iter().chain(&others).map(|entry| &*entry.path).collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

/// Returns the error for a path that has items below it and is none itself.
fn folder(typed: &str, catalog: &[CatalogEntry]) -> Option<RestoreError> {
    let path = typed.trim_end_matches('/');
    let there = below(path, catalog)?;
    Some(RestoreError::NotFound {
        what: match path {
            "" => "that is the whole snapshot, not one item".to_owned(),
            path => format!("{path} is a folder, not one item"),
        },
        hint: format!("{there}; `prismvault restore files --path` writes all of it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ItemId;

    fn find(typed: &str) -> std::result::Result<String, String> {
        let catalog: Vec<_> = [
            "assets/X/metadata.json",
            "assets/X/original",
            "documents/en/page/A.json",
            "documents/en/page/B.json",
            "documents/fr/page/B.json",
            "releases/R/documents/en/page/A.json",
            "releases/R/documents/en/page/C.json",
        ]
        .map(|path| CatalogEntry { path: path.into(), item: ItemId([0; 32]), size: 0 })
        .into();
        match by_id(typed, &catalog) {
            Ok(entry) => Ok(entry.path.to_string()),
            Err(error) => Err(format!("{error}; {}", error.next_step().unwrap())),
        }
    }

    #[test]
    fn an_id_alone_finds_one_document() {
        assert_eq!(find("A").unwrap(), "documents/en/page/A.json");
        assert_eq!(find("C").unwrap(), "releases/R/documents/en/page/C.json");
        let error = find("B").unwrap_err();
        assert!(error.contains("documents/en/page/B.json, documents/fr/page/B.json"), "{error}");
        let error = find("X").unwrap_err();
        assert!(error.contains("assets/X/metadata.json, assets/X/original"), "{error}");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = find("nothing").unwrap_err();
        assert!(error.ends_with("at the top there is: assets, documents, releases"), "{error}");
        let error = find("documents/en/page/Z.json").unwrap_err();
        assert!(error.ends_with("below documents/en/page there is: A.json, B.json"), "{error}");
        for typed in ["documents/en", "documents/en/"] {
            let error = find(typed).unwrap_err();
            assert!(error.starts_with("documents/en is a folder, not one item; "), "{error}");
            assert!(error.contains("below documents/en there is: page;"), "{error}");
        }
        assert!(find("").unwrap_err().contains("at the top there is: assets, documents, releases;"));
        let error = find("documents/de/page/A.json").unwrap_err();
        assert!(error.ends_with("below documents there is: en, fr"), "{error}");
    }
}
