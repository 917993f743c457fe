//! A person in the snapshots of a vault: found once, with the places and the time.

use std::sync::Arc;

use prismvault::clock::SystemClock;
use prismvault::contentapi::ASSET_HOST;
use prismvault::objects::{Body, PutMode};
use prismvault::prismic::Http;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::matching::{Matcher, Tier};
use prismvault::privacy::passage::{Channel, Reason};
use prismvault::privacy::search::{FoundItem, LiveSource, Not, SearchOptions, SearchReport, search};
use prismvault::privacy::subject::{IdentifierKind, Subject};
use prismvault::progress::Silent;
use prismvault::sandbox::{Asset, AssetContent, Changes, Content};
use prismvault::vault::snapshots::Snapshots;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source};
use crate::privacy_channels::plant::places;
use crate::restoring::crafted::{HOME, LINKING, NOTE, content_of, data, data_with, document};
use crate::restoring::options;

pub(crate) const PERSON: &str = "Perpetua Exampleton";
pub(crate) const ADDRESS: &str = "perpetua.exampleton@example.org";

pub(crate) fn subject() -> Subject {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Name, PERSON).unwrap();
    subject.add(IdentifierKind::Email, ADDRESS).unwrap();
    subject
}

pub(crate) fn page(id: &str, data: &serde_json::Value) -> Arc<prismvault::contentapi::Document> {
    document((id, "article", "en-us"), Some(&id.to_lowercase()), &[], data)
}

/// One document with the name, one with the address, one with neither; and a picture by the person.
pub(crate) fn content() -> Content {
    let mut content = content_of(vec![
        page(HOME, &data_with(&format!("as {PERSON} says"), json!({}))),
        page(
            NOTE,
            &data_with(
                "a note",
                json!({ "content": [
            { "type": "paragraph", "text": format!("write to {ADDRESS} for more"), "spans": [] }] }),
            ),
        ),
        page(LINKING, &data("of nobody")),
    ]);
    let picture =
        places().into_iter().find(|place| place.channel == Channel::Exif && place.takes.accepts(PERSON));
    let picture = picture.unwrap().plant(PERSON);
    let mut item = content.library.assets()[0].item();
    item["size"] = picture.bytes.len().into();
    let bytes = AssetContent::Bytes(picture.bytes.into());
    content.library.put(Asset::parse(&item.to_string(), &[ASSET_HOST], bytes).unwrap());
    content
}

pub(crate) async fn searched(backup: &Backup, live: &[&Source]) -> SearchReport {
    let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let http = Http::new(backup.limits.clone(), Arc::new(SystemClock)).unwrap();
    let live: Vec<LiveSource<'_>> =
        live.iter().map(|source| LiveSource { target: &source.target, http: &http }).collect();
    let options = SearchOptions {
        repositories: Vec::new(),
        live: &live,
        bounds: Bounds::default(),
        now: vault.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    search(&vault, &snapshots, Arc::new(Matcher::new(&subject(), &[])), options).await.unwrap()
}

#[track_caller]
fn at<'r>(report: &'r SearchReport, path: &str) -> &'r FoundItem {
    let is_at = |found: &&FoundItem| {
        found.paths().iter().any(|own| own.contains(path))
            || found.live.as_ref().is_some_and(|live| live.path.contains(path))
    };
    let mut all = report.found.iter().filter(is_at);
    let found = all.next().unwrap_or_else(|| panic!("nothing at {path}"));
    assert_eq!(all.count(), 0, "more than one at {path}");
    found
}

#[tokio::test]
async fn a_person_is_found_once_in_whatever_snapshots_they_are() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(2).await);
    let first = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;
    source
        .repository
        .publish(Changes { put: vec![page(HOME, &data("of nobody now"))], ..Changes::default() });
    backup.clock.advance(chrono::TimeDelta::hours(1));
    let second = backup.snapshot(&source).await.unwrap().committed.manifest.snapshot;

    let report = searched(&backup, &[]).await;
    let home = at(&report, HOME);
    assert_eq!(home.tier(), Some(Tier::B));
    let sighting = &home.sightings[0];
    assert_eq!((&sighting.from, &sighting.to, sighting.snapshots), (&first, &first, 1));
    assert!(!sighting.is_in_newest);
    let note = at(&report, NOTE);
    assert_eq!(note.tier(), Some(Tier::A));
    let sighting = &note.sightings[0];
    assert_eq!((&sighting.from, &sighting.to, sighting.snapshots), (&first, &second, 2));
    assert!(sighting.is_in_newest);
    let picture = at(&report, "/original");
    assert!(
        picture.findings.iter().any(|finding| finding.channel == Channel::Exif),
        "{:?}",
        picture.findings
    );
    assert_eq!(report.found.len(), 3, "{:?}", report.found.iter().map(FoundItem::paths).collect::<Vec<_>>());
    assert!(report.found[0].score >= report.found[2].score);

    let coverage = &report.coverage;
    assert_eq!((coverage.repositories.len(), coverage.repositories[0].snapshots), (1, 2));
    assert!(coverage.unsearchable[&Reason::NoText] > 0, "pictures show what no search reads");
    assert_eq!(coverage.beyond, Not::ALL);
    assert!(coverage.is_whole(), "{:?}", coverage.problems);
    // What is kept of it shows nobody's name.
    for finding in report.found.iter().flat_map(|found| &found.findings) {
        assert!(
            !finding.excerpt.contains("Exampleton") && !finding.excerpt.contains(ADDRESS),
            "{}",
            finding.excerpt
        );
    }
}

#[tokio::test]
async fn what_is_live_is_searched_and_not_told_twice() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(2).await);
    backup.snapshot(&source).await.unwrap();
    source.repository.publish(Changes {
        put: vec![page(HOME, &data("of nobody now")), page(LINKING, &data(&format!("{PERSON} is new here")))],
        ..Changes::default()
    });
    let report = searched(&backup, &[&source]).await;
    assert_eq!(at(&report, HOME).live, None, "it is live no more");
    assert!(at(&report, NOTE).live.is_some());
    let new = at(&report, LINKING);
    assert!(new.item.is_none() && new.sightings.is_empty() && new.live.is_some());
    assert_eq!(report.coverage.live, std::slice::from_ref(&source.target.name));
    assert!(report.coverage.is_whole(), "{:?}", report.coverage.problems);

    source.control().set_faults(prismvault::sandbox::Faults {
        errors: Some(prismvault::sandbox::ErrorRate { status: 500, share: 1.0 }),
        ..Default::default()
    });
    let report = searched(&backup, &[&source]).await;
    assert!(!report.coverage.is_whole() && report.coverage.live.is_empty(), "a search of less says so");
    assert_eq!(report.found.len(), 3, "and the snapshots were searched all the same");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_told_and_the_rest_is_searched() {
    let (source, backup) = (Source::of(content(), options()), Backup::in_memory(1).await);
    backup.snapshot(&source).await.unwrap();
    let store = &backup.stores[0].1;
    let whole = searched(&backup, &[]).await;
    let mut packs = Vec::new();
    for object in store.list("").await.unwrap() {
        if object.key.starts_with("packs/") {
            packs.push((object.key.clone(), store.get(&object.key, u64::MAX).await.unwrap()));
        }
    }
    let mut told = 0;
    for (key, bytes) in &packs {
        let mut bad = bytes.to_vec();
        let middle = bad.len() / 2;
        bad[middle] ^= 0x10;
        store.put(key, Body::bytes(bad), PutMode::Overwrite).await.unwrap();
        let vault = backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let options = SearchOptions {
            repositories: Vec::new(),
            live: &[],
            bounds: Bounds::default(),
            now: vault.now(),
            progress: &Silent,
            cancel: CancellationToken::new(),
        };
        match search(&vault, &snapshots, Arc::new(Matcher::new(&subject(), &[])), options).await {
            // A catalog that is lost: nobody knows what belongs to the snapshot.
            Err(_) => told += 1,
            Ok(report) => {
                assert!(!report.coverage.is_whole(), "{key} is damaged and nothing is said");
                assert!(report.found.len() < whole.found.len() || !report.coverage.unsearched.is_empty());
                told += 1;
            }
        }
        store.put(key, Body::bytes(bytes.clone()), PutMode::Overwrite).await.unwrap();
    }
    assert_eq!(told, packs.len());
}
