//! What a snapshot asks the source for and what it makes of odd answers: one ref in every
//! request, releases, forms of asset addresses, hostile ids.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

use prismvault::contentapi::{AccessMode, TokenScope};
use prismvault::progress::Silent;
use prismvault::restore::{OpenSnapshot, OverwriteMode, RestoreOptions, Selection, restore_files};
use prismvault::sandbox::synthetic::SyntheticOptions;
use prismvault::sandbox::{Changes, Endpoint};
use prismvault::secret::Secret;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::manifest::{Manifest, Status};
use prismvault::vault::reader::Reader;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::Level;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use crate::backups::{ACCESS_TOKEN, Backup, Source, document, image};

/// Path and bytes of everything in a snapshot.
pub(crate) async fn contents(backup: &Backup, manifest: &Manifest) -> BTreeMap<String, Vec<u8>> {
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let reader = Reader::new(&vault, &space);
    let entries: Vec<CatalogEntry> = tree::read_all(&reader, &manifest.catalog).await.unwrap();
    let mut contents = BTreeMap::new();
    for entry in entries {
        contents.insert(entry.path.to_string(), reader.bytes(entry.item).await.unwrap().to_vec());
    }
    contents
}

fn parameter(target: &str, name: &str) -> Option<String> {
    let query = target.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn every_request_of_a_run_has_the_one_pinned_ref() {
    let (source, backup) = (Source::synthetic(450, 4), Backup::in_memory(1).await);
    let pinned = source.repository.master_ref();
    let release = source.repository.releases()[0].id.clone();
    let release_ref = source.repository.release_ref(&release).unwrap();
    // Somebody publishes while it reads.
    let repository = std::sync::Arc::clone(&source.repository);
    source.control().on_request_to(Endpoint::Search, 3, move |_| {
        repository.publish(Changes::default());
    });
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!((&manifest.source.master_ref, manifest.consistency.master_ref_moved), (&pinned, true));
    assert_eq!(manifest.source.releases, BTreeMap::from([(release, release_ref.clone())]));
    let fields = manifest.source.integration_fields_ref.clone().expect("the sandbox has one");
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for request in source.control().log() {
        if request.endpoint == Endpoint::Search {
            *asked.entry(parameter(&request.target, "ref").unwrap()).or_default() += 1;
            assert_eq!(parameter(&request.target, "integrationFieldsRef").as_ref(), Some(&fields));
        }
    }
    assert_eq!(asked.keys().collect::<BTreeSet<_>>(), [&pinned, &release_ref].into());
    assert!(asked[&pinned] >= 5 && asked[&release_ref] >= 5, "{asked:?}");
}

#[tokio::test]
async fn a_release_holds_the_documents_that_differ_and_a_token_without_releases_gives_none() {
    let content =
        SyntheticOptions { documents: 150, assets: 3, asset_bytes: 500, ..SyntheticOptions::default() };
    let tokens = vec![
        (Secret::new(ACCESS_TOKEN), TokenScope::MasterAndReleases),
        (Secret::new("published-only"), TokenScope::Master),
    ];
    let source = Source::with_tokens(&content, AccessMode::Private, tokens);
    let backup = Backup::in_memory(1).await;
    let target = |token: &str| prismvault::snapshot::Target {
        access_token: Some(Secret::new(token)),
        ..source.target.clone()
    };
    let with = backup.snapshot_of(&target(ACCESS_TOKEN)).await.unwrap().committed.manifest;
    assert_eq!(with.status, Status::Complete, "{:?}", with.gaps);
    let release = &source.repository.releases()[0];
    let prefix = format!("releases/{}/", release.id);
    let expected: BTreeSet<String> = release
        .documents
        .iter()
        .map(|d| format!("{prefix}documents/{}/{}/{}.json", d.head.lang(), d.head.type_id(), d.head.id()))
        .collect();
    let stored = contents(&backup, &with).await;
    let found: BTreeSet<String> =
        stored.keys().filter(|path| path.starts_with("releases/")).cloned().collect();
    assert_eq!(found, expected, "what is changed or new there, and nothing else");
    assert_eq!(with.counts.release_documents[&release.id].stored, expected.len() as u64);
    for path in &expected {
        if let Some(master) = stored.get(path.strip_prefix(&prefix).unwrap()) {
            assert_ne!(&stored[path], master, "{path}");
        }
    }

    let without = backup.snapshot_of(&target("published-only")).await.unwrap().committed.manifest;
    assert_eq!(without.status, Status::Complete, "{:?}", without.gaps);
    assert!(without.source.releases.is_empty() && without.counts.release_documents.is_empty());
    let stored = contents(&backup, &without).await;
    assert!(stored.keys().all(|path| !path.starts_with("releases/")));
    assert_eq!(without.counts.documents, with.counts.documents);
}

#[tokio::test]
async fn every_form_of_an_asset_address_is_followed_or_named_without_write_token() {
    let content = SyntheticOptions {
        documents: 3,
        assets: 12,
        asset_bytes: 500,
        releases: 0,
        ..SyntheticOptions::default()
    };
    let (mut source, backup) = (Source::new(&content, AccessMode::Open), Backup::in_memory(1).await);
    source.target.write_token = None;
    let library = source.repository.library();
    // An older file is known by its address only: `{uuid}_{name}` has no asset id.
    let (plain_id, plain) = image(&source.repository, 0);
    let (media_id, media) = image(&source.repository, 1);
    let (old_id, old) = image(&source.repository, 2);
    let media_url = media["url"].as_str().unwrap().split('?').next().unwrap().to_owned();
    let mut encoded = old;
    let slash = encoded["url"].as_str().unwrap().rfind('/').unwrap();
    let mut url = encoded["url"].as_str().unwrap().to_owned();
    url.replace_range(slash..=slash, "%2F");
    encoded["url"] = url.into();
    let external = "https://images.unsplash.com/photo-1?ixid=secret";
    let data = json!({
        "plain": plain,
        "encoded": encoded,
        "media": { "link_type": "Media", "id": media_id, "url": media_url, "name": "report.pdf", "kind": "document",
                   "size": library.assets()[1].content.len().to_string() },
        "stock": { "id": "stock", "url": external, "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null },
        "file": { "id": "file", "url": "file:///etc/passwd", "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null },
        "climbs": { "id": "climbs", "url": "https://images.prismic.io/acme-blog/../x", "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null },
    });
    let put = vec![document("AllTheForms00001", "en-us", &json!([]), &data)];
    source.repository.publish(Changes { put, ..Changes::default() });
    source.control().reset_counters();
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;

    let stored = contents(&backup, &manifest).await;
    for (id, place) in [(&plain_id, 0), (&media_id, 1), (&old_id, 2)] {
        let asset = &library.assets()[place];
        let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
        let original = stored.get(&format!("assets/{id}/original"));
        assert_eq!(
            original.map(Vec::as_slice),
            Some(&bytes[..]),
            "{place}: the original, not what a query makes of it"
        );
    }
    let metadata: Value =
        serde_json::from_slice(&stored[&format!("assets/{media_id}/metadata.json")]).unwrap();
    assert_eq!((&metadata["filename"], &metadata["listed"]), (&json!("report.pdf"), &json!(false)));

    // What lies with others is named, less its query, and never asked for; what is no address of
    // a file is a gap.
    let listed: Vec<String> = serde_json::from_slice(&stored["repository/external-assets.json"]).unwrap();
    assert!(listed.contains(&"https://images.unsplash.com/photo-1".to_owned()), "{listed:?}");
    assert_eq!(listed.len() as u64, manifest.counts.external_assets);
    let path = "documents/en-us/page/AllTheForms00001.json";
    let gaps: BTreeSet<_> =
        manifest.gaps.iter().map(|gap| (gap.code.as_str(), gap.subject.as_str())).collect();
    let expected = [format!("{path}#/data/climbs"), format!("{path}#/data/file")];
    assert_eq!(gaps, expected.iter().map(|subject| ("asset-address-unusable", subject.as_str())).collect());
    assert!(!manifest.gaps.iter().any(|gap| gap.detail.contains("passwd")), "{:?}", manifest.gaps);
    for request in source.control().log() {
        assert!(request.endpoint != Endpoint::File || !request.target.contains('?'), "{}", request.target);
    }
}

#[tokio::test]
async fn files_of_another_host_are_fetched_only_where_the_configuration_allows_it() {
    let content = SyntheticOptions {
        documents: 3,
        assets: 2,
        asset_bytes: 500,
        releases: 0,
        ..SyntheticOptions::default()
    };
    let (mut source, backup) = (Source::new(&content, AccessMode::Open), Backup::in_memory(1).await);
    source.target.write_token = None;
    // Another server with the same files.
    let mirror = Source::new(&content, AccessMode::Open);
    let (id, mut shown) = image(&source.repository, 0);
    let there = format!(
        "{}{}",
        mirror.server.base_url(),
        source.repository.library().assets()[0].path.replace(' ', "%20")
    );
    shown["url"] = there.as_str().into();
    let put = vec![document("OnAnotherHost001", "en-us", &json!([]), &json!({ "picture": shown }))];
    source.repository.publish(Changes { put, ..Changes::default() });
    let forbidden = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(mirror.control().request_count(), 0, "nothing is asked of a host that nobody allowed");
    let listed: Vec<String> =
        serde_json::from_slice(&contents(&backup, &forbidden).await["repository/external-assets.json"])
            .unwrap();
    assert!(listed.contains(&there), "{listed:?}");

    source.repository.publish(Changes::default());
    source.target.asset_hosts = vec![mirror.server.base_url().strip_prefix("http://").unwrap().to_owned()];
    let allowed = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(allowed.status, Status::Complete, "{:?}", allowed.gaps);
    assert_eq!(mirror.control().requests_to(Endpoint::File), 1);
    assert_eq!(allowed.counts.external_assets, forbidden.counts.external_assets - 1);
    assert!(contents(&backup, &allowed).await.contains_key(&format!("assets/{id}/original")));
}

/// All files below a directory.
fn files(place: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![place.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test]
async fn documents_with_hostile_ids_are_stored_and_restored_within_the_target() {
    let content =
        SyntheticOptions { documents: 5, assets: 2, asset_bytes: 500, ..SyntheticOptions::default() };
    let (source, backup) = (Source::new(&content, AccessMode::Open), Backup::in_memory(1).await);
    let long = "x".repeat(300);
    let ids =
        ["../../escaped", "..", ".", "/etc/passwd", "a/b", "a\\b", "é", "e\u{301}", "nul\u{0}byte", &long];
    let put: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| document(id, if n == 0 { "../.." } else { "en-us" }, &json!([]), &json!({ "n": n })))
        .collect();
    source.repository.publish(Changes { put, ..Changes::default() });
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(manifest.counts.documents.stored, source.repository.documents().len() as u64);
    let stored = contents(&backup, &manifest).await;
    let of_ids: BTreeSet<String> = stored
        .iter()
        .filter(|(path, _)| path.starts_with("documents/"))
        .filter_map(|(_, bytes)| {
            serde_json::from_slice::<Value>(bytes).unwrap()["id"].as_str().map(str::to_owned)
        })
        .collect();
    for id in ids {
        assert!(of_ids.contains(id), "{id:?} is stored under a path of its own");
    }
    assert_eq!(backup.verified(Level::Content).await.damage, []);

    let outer = tempfile::tempdir().unwrap();
    let target = outer.path().join("deep/inside/target");
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let snapshot = OpenSnapshot::open(&vault, &snapshots, &manifest).await.unwrap();
    let options = RestoreOptions {
        selection: Selection::default(),
        overwrite: OverwriteMode::Refuse,
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    restore_files(&snapshot, &target, options).await.unwrap();
    let restored = files(outer.path());
    for file in &restored {
        let inside = file.strip_prefix(&target).expect("nothing is written beside the target");
        assert!(inside.components().all(|part| matches!(part, Component::Normal(_))), "{inside:?}");
    }
    let read: BTreeSet<Vec<u8>> = restored.iter().map(|file| std::fs::read(file).unwrap()).collect();
    for (path, bytes) in stored.iter().filter(|(path, _)| path.starts_with("documents/")) {
        assert!(read.contains(bytes), "{path} was restored");
    }
}

#[tokio::test]
async fn an_asset_that_is_removed_during_the_run_stays_and_is_named() {
    let (source, backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
    let id = source.repository.library().assets()[3].id.to_string();
    let (repository, removed) = (Arc::clone(&source.repository), id.clone());
    source.control().on_request_to(Endpoint::Search, 1, move |_| repository.remove_asset(&removed).unwrap());
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    let named = format!("assets/{id}/metadata.json");
    assert!(manifest.consistency.changed_during_run.contains(&named), "{:?}", manifest.consistency);
    assert_eq!(backup.verified(Level::Content).await.damage, [], "what documents use is in it");
    // Once documents are read again, what nobody uses or lists goes; what they use stays.
    source.repository.edit(0.05, 4).unwrap();
    assert_eq!(backup.snapshot(&source).await.unwrap().committed.manifest.status, Status::Complete);
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn an_asset_that_is_edited_during_the_run_is_stored_as_it_is_later() {
    let (source, backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
    let id = source.repository.library().assets()[3].id.to_string();
    let (repository, edited) = (Arc::clone(&source.repository), id.clone());
    source.control().on_request_to(Endpoint::Search, 1, move |_| {
        repository.edit_asset(&edited, "notes of the later state").unwrap();
    });
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    let path = format!("assets/{id}/metadata.json");
    assert!(manifest.consistency.changed_during_run.contains(&path), "{:?}", manifest.consistency);
    let metadata: Value = serde_json::from_slice(&contents(&backup, &manifest).await[&path]).unwrap();
    assert_eq!(metadata["notes"], "notes of the later state");
    assert_eq!(manifest.counts.assets.reported, Some(10));
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}
