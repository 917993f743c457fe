//! Translations that came or went, named at the document that they translate.
//!
//! Each document lists the others in its own metadata, so when a translation comes or goes its siblings
//! differ as well: not because anybody edited them.

use std::collections::HashMap;

use serde_json::Value;

use super::change::ItemChange;
use super::items::Names;
use super::report::{DocumentDiff, TranslationChange};

/// What a document says of its translations.
#[derive(Debug)]
pub(super) struct Ties {
    release: Option<String>,
    id: String,
    /// Ids and languages.
    others: Vec<(String, String)>,
}

impl Ties {
    pub(super) fn of(document: &Value, release: Option<&str>, id: &str) -> Self {
        let others = document.get("alternate_languages").and_then(Value::as_array).into_iter().flatten();
        let other = |one: &Value| {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            Some((text("id")?.to_owned(), text("lang").unwrap_or_default().to_owned()))
        };
        Self {
            release: release.map(str::to_owned),
            id: id.to_owned(),
            others: others.filter_map(other).collect(),
        }
    }
}

/// Names each document that came or went among the translations of one that is on both sides: that in
/// the master language where there is one.
pub(super) fn name_translations(documents: &mut [DocumentDiff], ties: Vec<Ties>, names: &Names) {
    type Key = (Option<String>, String);
    let key = |one: &DocumentDiff| -> Key { (one.release.clone(), one.id.clone()) };
    let places: HashMap<Key, usize> = documents.iter().enumerate().map(|(at, one)| (key(one), at)).collect();
    for Ties { release, id, mut others } in ties {
        let Some(own) = places.get(&(release.clone(), id)).copied() else { continue };
        if !matches!(documents[own].what, ItemChange::Added | ItemChange::Removed) {
            continue;
        }
        others.sort_by_key(|(id, language)| (!names.languages.is_master(language), id.clone()));
        let stays = |at: &usize| matches!(documents[*at].what, ItemChange::Changed | ItemChange::Metadata);
        let siblings = others.into_iter().filter_map(|(id, _)| places.get(&(release.clone(), id)).copied());
        let Some(sibling) = siblings.into_iter().find(stays) else { continue };
        let translation = TranslationChange {
            id: documents[own].id.clone(),
            language: documents[own].language.clone(),
            language_name: documents[own].language_name.clone(),
            what: documents[own].what,
        };
        documents[own].translation_of = Some(documents[sibling].id.clone());
        documents[sibling].translations.push(translation);
        documents[sibling].translations.sort_unstable();
        documents[sibling].what = ItemChange::Changed;
    }
}
