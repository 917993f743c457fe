//! Links of documents that did not change: taken over from the snapshot before, and when not.

use std::sync::Arc;

use prismvault::clock::Clock as _;
use prismvault::ids::SnapshotId;
use prismvault::sandbox::Changes;
use prismvault::vault::commit::{Draft, LinksPart};
use prismvault::vault::format::catalog::{CatalogEntry, LinkEntry};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::ledger::Ledger;
use prismvault::vault::reader::Reader;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::vault::writer::Writer;
use serde_json::{Value, json};

use crate::backups::{Backup, Source, document, image};

const PATH: &str = "documents/en-us/page/MadeByHand000001.json";
const FORGED: &str = "NobodyLinksToThis";

pub(crate) async fn links(backup: &Backup, manifest: &Manifest) -> Vec<LinkEntry> {
    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    tree::read_all(&Reader::new(&vault, &space), &manifest.links).await.unwrap()
}

fn of<'a>(links: &'a [LinkEntry], path: &str) -> &'a LinkEntry {
    links.iter().find(|entry| &*entry.path == path).unwrap()
}

/// Commits the snapshot once more, with other links.
pub(crate) async fn commit_again(backup: &Backup, manifest: &Manifest, links: Vec<LinkEntry>) {
    backup.clock.advance(chrono::TimeDelta::seconds(1));
    let vault = backup.open().await.unwrap();
    let snapshots = Snapshots::load(&vault, Some(&manifest.repository)).await.unwrap();
    let ledger = Ledger::load(&vault, &manifest.space).await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let entries: Vec<CatalogEntry> =
        tree::read_all(&Reader::new(&vault, &space), &manifest.catalog).await.unwrap();
    let started = backup.clock.now();
    let draft = Draft {
        repository: manifest.repository.clone(),
        snapshot: SnapshotId::new(started),
        started,
        trigger: "test".to_owned(),
        source: manifest.source.clone(),
        entries,
        links: LinksPart::New(Box::new(links.into_iter())),
        counts: manifest.counts.clone(),
        consistency: manifest.consistency.clone(),
        read: manifest.read.clone(),
        gaps: Vec::new(),
        accepted_gaps: manifest.accepted_gaps.clone(),
        warnings: Vec::new(),
    };
    Writer::new(vault, space, std::iter::empty()).unwrap().commit(draft, &snapshots, &ledger).await.unwrap();
}

fn page(id: &str, data: &Value) -> Changes {
    Changes { put: vec![document(id, "en-us", &json!([]), data)], ..Changes::default() }
}

/// Takes a snapshot of a document with a picture, forges its links, lets something change and
/// publishes another document; returns whether the next snapshot has the forged link.
async fn keeps_forged_links(forge: impl Fn(&mut LinkEntry), change: impl FnOnce(&Source, &Value)) -> bool {
    let (source, backup) = (Source::synthetic(30, 6), Backup::in_memory(1).await);
    let (_, shown) = image(&source.repository, 1);
    source.repository.publish(page("MadeByHand000001", &json!({ "picture": shown })));
    let first = backup.snapshot(&source).await.unwrap().committed.manifest;
    let mut forged = links(&backup, &first).await;
    assert_eq!(of(&forged, PATH).assets.len(), 1);
    let entry = forged.iter_mut().find(|entry| &*entry.path == PATH).unwrap();
    entry.links.push(FORGED.into());
    forge(entry);
    commit_again(&backup, &first, forged).await;

    change(&source, &shown);
    source.repository.publish(page("MadeByHand000002", &json!({})));
    let report = backup.snapshot(&source).await.unwrap();
    assert!(!report.documents_unchanged);
    let after = links(&backup, &report.committed.manifest).await;
    let kept = of(&after, PATH).links.iter().any(|id| &**id == FORGED);
    let dangling = report
        .committed
        .manifest
        .warnings
        .iter()
        .any(|warning| warning.code == "dangling-links" && !warning.detail.is_empty());
    assert!(dangling || !kept, "a target that was taken over is looked for as well");
    kept
}

#[tokio::test]
async fn links_of_a_document_that_did_not_change_are_those_of_the_snapshot_before() {
    assert!(keeps_forged_links(|_| {}, |_, _| {}).await);
}

#[tokio::test]
async fn a_document_is_looked_into_again_where_its_links_may_have_changed() {
    let unknown_walk = |entry: &mut LinkEntry| entry.walk = 0;
    assert!(!keeps_forged_links(unknown_walk, |_, _| {}).await, "another walk, or not all that it found");
    let later_walk = |entry: &mut LinkEntry| entry.walk += 1;
    assert!(!keeps_forged_links(later_walk, |_, _| {}).await, "a later walk");
    let unlisted = |entry: &mut LinkEntry| entry.assets = vec!["NotInTheLibrary1".into()];
    assert!(!keeps_forged_links(unlisted, |_, _| {}).await, "an asset that nobody lists");
    let edited = |source: &Source, shown: &Value| {
        let data = json!({ "picture": shown, "title": "new" });
        source.repository.publish(page("MadeByHand000001", &data));
    };
    assert!(!keeps_forged_links(|_| {}, edited).await, "the document changed");
    let relisted = |source: &Source, _: &Value| {
        let asset = Arc::clone(&source.repository.library().assets()[3]);
        source.repository.put_asset(asset.with_notes("changed", 1_800_000_000_000).unwrap());
    };
    assert!(!keeps_forged_links(|_| {}, relisted).await, "the media library changed");
}

#[tokio::test]
async fn links_that_are_taken_over_are_those_that_a_first_snapshot_finds() {
    let (source, backup) = (Source::synthetic(150, 12), Backup::in_memory(1).await);
    let external = json!({ "url": "https://images.unsplash.com/photo-1", "alt": null, "copyright": null,
                           "dimensions": { "width": 1, "height": 1 } });
    source.repository.publish(page("MadeByHand000001", &json!({ "picture": external })));
    let first = backup.snapshot(&source).await.unwrap().committed.manifest;
    let before = links(&backup, &first).await;
    assert_eq!(of(&before, PATH).external.len(), 1, "only a keyed name tells its picture");
    assert!(before.iter().filter(|entry| entry.walk > 0).count() > 50);

    source.repository.publish(page("MadeByHand000002", &json!({})));
    let second = backup.snapshot(&source).await.unwrap().committed.manifest;
    let fresh_backup = Backup::in_memory(1).await;
    let fresh = fresh_backup.snapshot(&source).await.unwrap().committed.manifest;
    // The names of external files are under the key of their vault.
    let without_external = |links: Vec<LinkEntry>| -> Vec<LinkEntry> {
        links.into_iter().map(|link| LinkEntry { external: Vec::new(), ..link }).collect()
    };
    assert_eq!(
        without_external(links(&backup, &second).await),
        without_external(links(&fresh_backup, &fresh).await)
    );
    assert_eq!(second.counts, fresh.counts, "external assets among them");
    assert_eq!(second.warnings, fresh.warnings);
    assert_eq!(second.gaps, fresh.gaps);
}
