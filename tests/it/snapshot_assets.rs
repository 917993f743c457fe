//! Assets that are hard to get right: added while a run goes on, known by odd addresses, back after
//! they were given up.

use std::collections::BTreeMap;
use std::sync::Arc;

use prismvault::contentapi::{ASSET_HOST, AccessMode};
use prismvault::progress::Silent;
use prismvault::restore::{OpenSnapshot, OverwriteMode, RestoreOptions, Selection, restore_files};
use prismvault::sandbox::synthetic::SyntheticOptions;
use prismvault::sandbox::{Asset, AssetContent, Changes, Endpoint, Faults};
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::{Manifest, Status};
use prismvault::vault::ledger::Ledger;
use prismvault::vault::snapshots::Snapshots;
use prismvault::verification::Level;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source, document, image};
use crate::restore::tree;
use crate::snapshot_content::contents;

/// A document of the media library; its file lies at `path` (`/acme-blog/…`, as in an address).
fn asset(id: &str, path: &str, bytes: &'static [u8]) -> Asset {
    let item = json!({
        "id": id, "url": format!("{ASSET_HOST}{path}"), "created_at": 1_700_000_000_000_u64,
        "last_modified": 1_700_000_000_000_u64, "kind": "document", "filename": "as the library knows it.pdf",
        "extension": "pdf", "size": bytes.len(), "tags": [],
    });
    Asset::parse(&item.to_string(), &[ASSET_HOST], AssetContent::Bytes(bytes.into())).unwrap()
}

/// An image field that shows the file at `path`.
fn shown(id: Value, path: &str) -> Value {
    let url = format!("{ASSET_HOST}{path}?auto=format,compress");
    json!({ "id": id, "url": url, "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null })
}

fn few(assets: usize) -> SyntheticOptions {
    SyntheticOptions { documents: 3, assets, asset_bytes: 500, releases: 0, ..SyntheticOptions::default() }
}

fn without_write_token(assets: usize) -> Source {
    let mut source = Source::new(&few(assets), AccessMode::Open);
    source.target.write_token = None;
    source
}

async fn manifest(backup: &Backup, source: &Source) -> Manifest {
    backup.snapshot(source).await.unwrap().committed.manifest
}

#[tokio::test]
async fn assets_that_are_added_during_the_run_are_stored_whole_and_named() {
    let ids: Vec<String> = (0..30).map(|n| format!("NewDuringRun00{n:02}")).collect();
    let path = |id: &str| format!("/acme-blog/{id}_added.pdf");
    for used in [false, true] {
        let (source, backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
        if used {
            // Documents at the pinned ref may know an asset before the library lists it.
            let uses = |id: &String| {
                let data = json!({ "picture": shown(json!(id), &path(id)) });
                document(&format!("Uses{id}"), "en-us", &json!([]), &data)
            };
            let put = ids.iter().map(uses).collect();
            source.repository.publish(Changes { put, ..Changes::default() });
        }
        let (repository, added) = (Arc::clone(&source.repository), ids.clone());
        source.control().on_request_to(Endpoint::Search, 1, move |_| {
            for id in &added {
                repository.put_asset(asset(id, &path(id), b"added while it was read"));
            }
        });
        let manifest = manifest(&backup, &source).await;
        assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
        assert_eq!(manifest.counts.assets.reported, Some(40), "the later state");
        let stored = contents(&backup, &manifest).await;
        for id in &ids {
            let metadata = format!("assets/{id}/metadata.json");
            assert!(
                manifest.consistency.changed_during_run.contains(&metadata),
                "{:?}",
                manifest.consistency
            );
            assert_eq!(stored[&format!("assets/{id}/original")], b"added while it was read");
            let metadata: Value = serde_json::from_slice(&stored[&metadata]).unwrap();
            assert_eq!(metadata["filename"], "as the library knows it.pdf", "{id}, used: {used}");
        }
        assert_eq!(backup.verified(Level::Content).await.damage, []);
        // Nothing of it is left to do.
        let next = backup.snapshot(&source).await.unwrap();
        assert_eq!(next.committed.manifest.added.items, 0, "used: {used}");
    }
}

#[tokio::test]
async fn an_asset_that_is_added_during_the_run_without_its_file_is_a_gap() {
    let (source, backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
    let id = "NewDuringRun0001";
    source.control().set_faults(Faults { missing_files: [id.to_owned()].into(), ..Faults::default() });
    let repository = Arc::clone(&source.repository);
    source.control().on_request_to(Endpoint::Search, 1, move |_| {
        repository.put_asset(asset(id, "/acme-blog/NewDuringRun0001_added.pdf", b"not served yet"));
    });
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Partial);
    let subjects: Vec<_> = first.gaps.iter().map(|gap| gap.subject.as_str()).collect();
    assert_eq!(subjects, [format!("assets/{id}/original")]);
    source.control().set_faults(Faults::default());
    let second = manifest(&backup, &source).await;
    assert_eq!(
        (second.status, second.counts.assets.stored),
        (Status::Complete, first.counts.assets.stored + 1)
    );
}

#[tokio::test]
async fn files_of_documents_that_tell_no_asset_id_are_stored_in_every_form_of_address() {
    let (source, backup) = (without_write_token(2), Backup::in_memory(1).await);
    let (uuid, other) = ("2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5", "3927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5");
    let forms: Vec<(&str, Value, String, &'static [u8])> = vec![
        ("ZoQE4h5LeNNTwtnO", Value::Null, "/acme-blog/ZoQE4h5LeNNTwtnO_plan.pdf".to_owned(), b"id and name"),
        ("WXiuMSoAAPowiXmg", Value::Null, format!("/acme-blog%2F{uuid}_kenarnold.pdf"), b"uuid, no id"),
        (
            "WXiuMSoAAPowiXmh",
            json!("WXiuMSoAAPowiXmh"),
            format!("/acme-blog%2F{other}_k.pdf"),
            b"uuid and id",
        ),
        ("VeryOldFile00001", Value::Null, "/acme-blog/Veronica_Schmidt_cv.pdf".to_owned(), b"a plain name"),
        ("VeryOldFile00002", Value::Null, "/acme-blog%2Fplan%20B.pdf".to_owned(), b"an encoded slash"),
    ];
    let mut data = serde_json::Map::new();
    for (n, (id, told, path, bytes)) in forms.iter().enumerate() {
        source.repository.put_asset(asset(id, path, bytes));
        data.insert(format!("picture{n}"), shown(told.clone(), path));
    }
    let media = json!({ "link_type": "Media", "name": "linked.pdf", "kind": "document", "size": "15",
                        "url": format!("{ASSET_HOST}/acme-blog%2F{uuid}_linked.pdf") });
    source.repository.put_asset(asset(
        "VeryOldFile00003",
        &format!("/acme-blog%2F{uuid}_linked.pdf"),
        b"a link to media",
    ));
    data.insert("media".to_owned(), media);
    let put = vec![document("AllTheForms00001", "en-us", &json!([]), &Value::Object(data))];
    source.repository.publish(Changes { put, ..Changes::default() });

    let taken = manifest(&backup, &source).await;
    assert_eq!(taken.status, Status::Complete, "{:?}", taken.gaps);
    let stored = contents(&backup, &taken).await;
    let by_bytes: BTreeMap<&[u8], &str> = stored
        .iter()
        .filter(|(path, _)| path.ends_with("/original"))
        .map(|(path, bytes)| (bytes.as_slice(), path.as_str()))
        .collect();
    for (_, told, path, bytes) in &forms {
        let stored_as = by_bytes.get(bytes).unwrap_or_else(|| panic!("{path} is not stored"));
        match told.as_str() {
            Some(id) => assert_eq!(*stored_as, format!("assets/{id}/original")),
            None => assert!(stored_as.starts_with("assets/url-"), "{path}: {stored_as}"),
        }
    }
    assert!(by_bytes.contains_key(&b"a link to media"[..]));
    assert_eq!(backup.verified(Level::Content).await.damage, []);
    let again = backup.snapshot(&source).await.unwrap();
    assert!(again.documents_unchanged);
    assert_eq!(again.committed.manifest.catalog, taken.catalog);

    // Names of files come back with the content, where they belong.
    let outer = tempfile::tempdir().unwrap();
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let snapshot = OpenSnapshot::open(&vault, &snapshots, &taken).await.unwrap();
    let options = RestoreOptions {
        selection: Selection::default(),
        overwrite: OverwriteMode::Refuse,
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    restore_files(&snapshot, &outer.path().join("out"), options).await.unwrap();
    let restored = tree(&outer.path().join("out"));
    for name in ["kenarnold.pdf", "Veronica_Schmidt_cv.pdf", "linked.pdf", "plan B.pdf"] {
        assert!(
            restored.keys().any(|path| path.ends_with(&format!("/{name}"))),
            "{name}: {:?}",
            restored.keys()
        );
    }
}

#[tokio::test]
async fn no_name_of_a_file_gets_into_paths_or_manifests_however_it_looks() {
    let (source, backup) = (without_write_token(2), Backup::in_memory(1).await);
    // Sixteen characters, capitals and digits, an underscore: as an id and a name would be.
    let names = ["Veronica_Schmidt_cv.pdf", "Xaver_Meier_1984_letter.pdf", "a-b-Anna-Mueller_x.pdf"];
    let ids = ["VeryOldFile00001", "VeryOldFile00002", "VeryOldFile00003"];
    let mut data = serde_json::Map::new();
    for (n, (name, id)) in names.iter().zip(ids).enumerate() {
        let path = format!("/acme-blog/{name}");
        source.repository.put_asset(asset(id, &path, b"personal"));
        data.insert(format!("picture{n}"), shown(Value::Null, &path));
    }
    let put = vec![document("OldNames00000001", "en-us", &json!([]), &Value::Object(data))];
    source.repository.publish(Changes { put, ..Changes::default() });
    let missing_files = ids.map(str::to_owned).into();
    // Missing and there: what is said of a file in a gap must not name it either.
    for faults in [Faults { missing_files, ..Faults::default() }, Faults::default()] {
        source.control().set_faults(faults);
        let manifest = manifest(&backup, &source).await;
        let text = serde_json::to_string(&manifest).unwrap();
        let paths: Vec<String> = contents(&backup, &manifest).await.into_keys().collect();
        for part in ["Veronica", "Schmidt", "Xaver", "Anna", "letter"] {
            assert!(!text.contains(part), "{part}: {text}");
            assert!(!paths.iter().any(|path| path.contains(part)), "{part}: {paths:?}");
        }
    }
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn an_asset_has_one_name_whichever_document_is_read_first() {
    let path = "/acme-blog/ZoQE4h5LeNNTwtnO_plan.pdf";
    let (told, untold) = (shown(json!("ZoQE4h5LeNNTwtnO"), path), shown(Value::Null, path));
    for (first, second) in [(&told, &untold), (&untold, &told)] {
        let (source, backup) = (without_write_token(2), Backup::in_memory(1).await);
        source.repository.put_asset(asset("ZoQE4h5LeNNTwtnO", path, b"one file"));
        let put = [("UsesIt0000000001", first), ("UsesIt0000000002", second)]
            .map(|(id, shown)| document(id, "en-us", &json!([]), &json!({ "picture": shown })));
        source.repository.publish(Changes { put: put.into(), ..Changes::default() });
        let manifest = manifest(&backup, &source).await;
        let stored = contents(&backup, &manifest).await;
        let names: Vec<_> =
            stored.iter().filter(|(_, bytes)| *bytes == b"one file").map(|(path, _)| path).collect();
        assert_eq!(names, ["assets/ZoQE4h5LeNNTwtnO/original"]);
        assert_eq!(backup.verified(Level::Content).await.damage, [], "links say the same");
    }
}

async fn accept(backup: &Backup, manifest: &Manifest) {
    for gap in &manifest.gaps {
        backup.clock.advance(chrono::TimeDelta::seconds(1));
        let vault = backup.open().await.unwrap();
        let decision = Decision::AcceptedGap {
            repository: manifest.repository.clone(),
            path: gap.subject.clone(),
            reason: "nobody has it".to_owned(),
        };
        let ledger = Ledger::load(&vault, &manifest.space).await.unwrap();
        ledger.append(&vault, &manifest.space, decision).await.unwrap();
    }
}

fn miss(source: &Source, ids: &[String]) {
    let missing_files = ids.iter().cloned().collect();
    source.control().set_faults(Faults { missing_files, ..Faults::default() });
}

/// A repository without write token with seven files that one document each uses, all of them
/// gone and accepted as lost.
async fn seven_accepted() -> (Source, Backup, Vec<String>) {
    let (source, backup) = (without_write_token(7), Backup::in_memory(2).await);
    let mut ids = Vec::new();
    let mut put = Vec::new();
    for place in 0..7 {
        let (id, mut shown) = image(&source.repository, place);
        if place == 3 {
            // Known by its address.
            shown["id"] = Value::Null;
        }
        ids.push(id);
        put.push(document(
            &format!("UsesIt000000000{place}"),
            "en-us",
            &json!([]),
            &json!({ "picture": shown }),
        ));
    }
    source.repository.publish(Changes { put, ..Changes::default() });
    miss(&source, &ids);
    let first = manifest(&backup, &source).await;
    assert_eq!(first.gaps.len(), 7, "{:?}", first.gaps);
    accept(&backup, &first).await;
    // The decision is new, so everything is read once more.
    let second = manifest(&backup, &source).await;
    assert_eq!((second.status, second.accepted_gaps.len()), (Status::Complete, 7));
    (source, backup, ids)
}

#[tokio::test]
async fn an_accepted_file_that_is_back_is_stored_by_an_unchanged_run() {
    let (source, backup, _) = seven_accepted().await;
    source.control().reset_counters();
    let still = backup.snapshot(&source).await.unwrap();
    assert!(still.documents_unchanged);
    let requests = source.control().request_count();
    assert!(requests <= 10, "{requests} requests");
    let files = source.control().requests_to(Endpoint::File);
    assert_eq!(files, backup.limits.accepted_retries as u64, "a few were tried, each once");
    let manifest = still.committed.manifest;
    assert_eq!((manifest.status, manifest.accepted_gaps.len()), (Status::Complete, 7));
    assert_eq!((manifest.added.items, manifest.added.packs), (0, 0), "a loss that stays costs no writes");

    miss(&source, &[]);
    let mut lost = 7;
    for left in [3, 0] {
        backup.clock.advance(chrono::TimeDelta::days(1));
        source.control().reset_counters();
        let run = backup.snapshot(&source).await.unwrap();
        assert!(run.documents_unchanged && source.control().request_count() <= 10);
        let manifest = run.committed.manifest;
        assert_eq!((manifest.status, manifest.accepted_gaps.len()), (Status::Complete, left));
        assert_eq!(manifest.counts.assets.stored, 7 - left as u64);
        assert_eq!(manifest.added.items, lost - left as u64);
        lost = left as u64;
        assert_eq!(backup.verified(Level::Content).await.damage, []);
    }
    let stored = contents(&backup, &self::manifest(&backup, &source).await).await;
    for place in 0..7 {
        let asset = Arc::clone(&source.repository.library().assets()[place]);
        let bytes = asset.content.read(0..asset.content.len()).await.unwrap();
        assert!(stored.values().any(|stored| *stored == bytes), "{place}");
    }
}

#[tokio::test]
async fn every_accepted_file_has_its_turn() {
    let (source, backup, ids) = seven_accepted().await;
    for id in &ids {
        let others: Vec<String> = ids.iter().filter(|other| *other != id).cloned().collect();
        let before = manifest(&backup, &source).await.accepted_gaps.len();
        miss(&source, &others);
        let mut days = 0;
        loop {
            backup.clock.advance(chrono::TimeDelta::days(1));
            let run = backup.snapshot(&source).await.unwrap();
            assert!(run.documents_unchanged);
            days += 1;
            if run.committed.manifest.accepted_gaps.len() < before {
                break;
            }
            assert!(days < 3, "{id} is not asked for");
        }
    }
}
