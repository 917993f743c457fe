//! The parts of a package for programs: JSON with its schema, and tables.

use serde::Serialize;

use super::records::{Key, Seen};
use super::texts::{Evidence, PlaceKind, Section, Texts, word};
use super::{FileCopy, NotCopied, Package};
use crate::clock::rfc3339;
use crate::ids::{CaseId, Name, SnapshotId};
use crate::privacy::passage::Reason;
use crate::privacy::processing::{Controller, Entry};
use crate::privacy::right::Right;
use crate::privacy::search::Not;
use crate::spreadsheet;

/// JSON Schema (2020-12) of `data.json`.
pub(super) const SCHEMA: &str = include_str!("data.schema.json");
/// Name of that file in a package.
pub(super) const SCHEMA_FILE: &str = "data.schema.json";
/// Version of the form of `data.json`.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Data<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    format: u32,
    case: &'a CaseId,
    right: Right,
    language: &'static str,
    prepared_on: String,
    searched_on: String,
    records: Vec<Record<'a>>,
    files: Vec<File<'a>>,
    not_searched: Vec<NotSearched<'a>>,
    beyond: Vec<Beyond<'a>>,
}

#[derive(Serialize)]
struct Record<'a> {
    number: usize,
    section: Section,
    repository: Option<&'a Name>,
    path: &'a str,
    place: &'a str,
    kind: PlaceKind,
    kind_in_words: &'a str,
    text: &'a str,
    evidence: Vec<Evidence>,
    hidden: bool,
    first_seen: Option<String>,
    last_seen: Option<String>,
    snapshots: u64,
    live: Option<bool>,
    file: Option<String>,
}

#[derive(Serialize)]
struct File<'a> {
    file: Option<String>,
    why_not: Option<NotCopied>,
    size: u64,
    places: Vec<FilePlace<'a>>,
}

#[derive(Serialize)]
struct FilePlace<'a> {
    repository: &'a Name,
    path: &'a str,
}

#[derive(Serialize)]
struct NotSearched<'a> {
    reason: Reason,
    words: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct Beyond<'a> {
    what: Not,
    words: &'a str,
}

/// The time of a snapshot.
pub(super) fn seen_at(snapshot: Option<&SnapshotId>) -> Option<String> {
    snapshot.map(|snapshot| rfc3339(snapshot.time()))
}

/// `data.json`.
pub(super) fn json(package: &Package, texts: &Texts) -> Vec<u8> {
    let records = package.numbered().map(|(number, key, seen)| Record {
        number,
        section: key.section,
        repository: key.repository.as_ref(),
        path: &key.path,
        place: &key.place,
        kind: key.kind,
        kind_in_words: word(&texts.place, &key.kind),
        text: &key.text,
        evidence: seen.evidence.iter().copied().collect(),
        hidden: seen.is_hidden,
        first_seen: seen_at(seen.first.as_ref()),
        last_seen: seen_at(seen.last.as_ref()),
        snapshots: seen.snapshots,
        live: seen.live,
        file: package.copy_of(key).map(FileCopy::path),
    });
    let files = package.files.values().map(|file| File {
        file: file.not_copied.is_none().then(|| file.path()),
        why_not: file.not_copied,
        size: file.size,
        places: file.places.iter().map(|(repository, path)| FilePlace { repository, path }).collect(),
    });
    let not_searched = package.coverage.unsearchable.iter();
    let data = Data {
        schema: SCHEMA_FILE,
        format: FORMAT,
        case: &package.case,
        right: package.right,
        language: package.language.code(),
        prepared_on: package.prepared_on.to_string(),
        searched_on: package.searched_on.to_string(),
        records: records.collect(),
        files: files.collect(),
        not_searched: not_searched
            .map(|(reason, count)| NotSearched {
                reason: *reason,
                words: word(&texts.unsearchable, reason),
                count: *count,
            })
            .collect(),
        beyond: package
            .coverage
            .beyond
            .iter()
            .map(|what| Beyond { what: *what, words: word(&texts.beyond, what) })
            .collect(),
    };
    pretty(&data)
}

/// Prints JSON for people as well.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("what packages hold always serialises");
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
struct Article15<'a> {
    language: &'static str,
    case: &'a CaseId,
    controller: &'a Controller,
    entries: Vec<Article<'a>>,
}

#[derive(Serialize)]
struct Article<'a> {
    article: &'static str,
    key: Entry,
    title: &'a str,
    text: &'a str,
}

/// `article15.json`.
pub(super) fn article15(package: &Package, texts: &Texts) -> Vec<u8> {
    let processing = &package.processing;
    let entries = processing.entries.iter().map(|(entry, text)| Article {
        article: entry.article(),
        key: *entry,
        title: texts.article15(*entry),
        text,
    });
    pretty(&Article15 {
        language: package.language.code(),
        case: &package.case,
        controller: &processing.controller,
        entries: entries.collect(),
    })
}

fn yes_no(live: Option<bool>) -> String {
    live.map_or("not searched", |live| if live { "yes" } else { "no" }).to_owned()
}

fn evidence(seen: &Seen, texts: &Texts) -> String {
    seen.evidence.iter().map(|one| word(&texts.evidence, one)).collect::<Vec<_>>().join("; ")
}

fn repository(key: &Key) -> String {
    key.repository.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// `data.csv`.
pub(super) fn csv(package: &Package, texts: &Texts) -> Vec<u8> {
    let head = ["number", "section", "repository", "path", "place", "kind", "text", "evidence", "hidden"];
    spreadsheet::write(
        head,
        package.numbered().map(|(number, key, seen)| {
            [
                number.to_string(),
                word(&texts.section, &key.section).to_owned(),
                repository(key),
                key.path.clone(),
                key.place.clone(),
                word(&texts.place, &key.kind).to_owned(),
                key.text.clone(),
                evidence(seen, texts),
                seen.is_hidden.to_string(),
            ]
        }),
    )
}

/// `sources.csv`.
pub(super) fn sources(package: &Package, texts: &Texts) -> Vec<u8> {
    let head =
        ["number", "repository", "path", "place", "first_seen", "last_seen", "snapshots", "live", "evidence"];
    spreadsheet::write(
        head,
        package.numbered().map(|(number, key, seen)| {
            [
                number.to_string(),
                repository(key),
                key.path.clone(),
                key.place.clone(),
                seen_at(seen.first.as_ref()).unwrap_or_default(),
                seen_at(seen.last.as_ref()).unwrap_or_default(),
                seen.snapshots.to_string(),
                yes_no(seen.live),
                evidence(seen, texts),
            ]
        }),
    )
}
