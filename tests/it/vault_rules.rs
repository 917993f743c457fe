//! Rules of the vault: spaces that repositories share, what the links tree tells, what the backup
//! host cannot open, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{Body, ObjectStore as _, PutMode};
use prismvault::prismic::WALK;
use prismvault::restore::OpenSnapshot;
use prismvault::sandbox::{Changes, Endpoint};
use prismvault::snapshot::{SnapshotError, Target};
use prismvault::vault::envelope::{HeaderError, PayloadKey};
use prismvault::vault::error::{ErrorKind, VaultError};
use prismvault::vault::format::catalog::{CatalogEntry, LinkEntry};
use prismvault::vault::format::index::PackKind;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::{Manifest, Status};
use prismvault::vault::ledger::Ledger;
use prismvault::vault::reader::Reader;
use prismvault::vault::signing::SigningKey;
use prismvault::vault::snapshots::Snapshots;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::{DamageKind, Level};
use serde_json::{Value, json};

use crate::backups::{Backup, Source, as_stores, copy_stores, document, image};
use crate::vaults::TestVault;

/// The same source under another name of the configuration.
fn named(source: &Source, name: &str, space: &str) -> Target {
    Target { name: name.parse().unwrap(), space: space.parse().unwrap(), ..source.target.clone() }
}

async fn entries(backup: &Backup, manifest: &Manifest) -> BTreeMap<String, CatalogEntry> {
    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let entries: Vec<CatalogEntry> =
        tree::read_all(&Reader::new(&vault, &space), &manifest.catalog).await.unwrap();
    entries.into_iter().map(|entry| (entry.path.to_string(), entry)).collect()
}

#[tokio::test]
async fn a_second_repository_of_a_space_writes_only_what_differs() {
    let (source, backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
    let first = backup.snapshot_of(&named(&source, "live", "shared")).await.unwrap().committed;
    source.repository.edit(0.05, 3).unwrap();
    let second = backup.snapshot_of(&named(&source, "staging", "shared")).await.unwrap();
    assert!(!second.documents_unchanged, "nothing is carried over from another repository");
    let second = second.committed;
    let (before, after) = (entries(&backup, &first.manifest).await, entries(&backup, &second.manifest).await);
    let known: BTreeSet<_> = before.values().map(|entry| entry.item).collect();
    let new: BTreeSet<_> = after.values().map(|entry| entry.item).filter(|id| !known.contains(id)).collect();
    assert!((6..20).contains(&new.len()), "{} of {} are new", new.len(), after.len());
    assert_eq!(second.manifest.added.items, new.len() as u64);
    let assets = |path: &&String| path.starts_with("assets/");
    for path in after.keys().filter(assets) {
        assert_eq!(before[path].item, after[path].item, "{path} is stored once");
    }

    // Another space shares nothing, also where the bytes are the same.
    let apart = backup.snapshot_of(&named(&source, "other", "apart")).await.unwrap().committed;
    let others: BTreeSet<_> = entries(&backup, &apart.manifest).await.values().map(|e| e.item).collect();
    assert_eq!(apart.manifest.added.items, others.len() as u64);
    assert!(after.values().all(|entry| !others.contains(&entry.item)));
}

#[tokio::test]
async fn snapshots_of_repositories_that_share_a_space_stand_on_their_own() {
    let (source, backup) = (Source::synthetic(60, 4), Backup::in_memory(1).await);
    let (live, staging) = (named(&source, "live", "shared"), named(&source, "staging", "shared"));
    let first = backup.snapshot_of(&live).await.unwrap().committed;
    let vault = backup.open().await.unwrap();
    let decision = Decision::AcceptedGap {
        repository: live.name.clone(),
        path: "assets/x/original".to_owned(),
        reason: "gone".to_owned(),
    };
    Ledger::load(&vault, &live.space).await.unwrap().append(&vault, &live.space, decision).await.unwrap();
    let second = backup.snapshot_of(&staging).await.unwrap().committed;
    assert_eq!(second.manifest.parents, [], "its chain is its own");
    let ledger = Ledger::load(&backup.open().await.unwrap(), &live.space).await.unwrap();
    assert_eq!(ledger.accepted_gaps(&live.name).len(), 1);
    assert_eq!(ledger.accepted_gaps(&staging.name).len(), 0, "what one accepted the other did not");

    // Without the one whose run wrote the packs, the other is whole.
    for suffix in ["", ".minisig"] {
        backup.stores[0].1.delete(&format!("{}{suffix}", first.manifest.key)).await.unwrap();
    }
    let report = backup.verified(Level::Content).await;
    assert!(report.damage.iter().all(|damage| damage.key == first.manifest.key), "{:?}", report.damage);
    assert_eq!(report.snapshots, 1);
    let third = backup.snapshot_of(&staging).await.unwrap();
    assert_eq!(third.committed.manifest.parents, [second.digest]);
    assert!(third.documents_unchanged);
}

#[tokio::test]
async fn the_links_tree_tells_links_translations_and_assets_of_each_document() {
    let (source, backup) = (Source::synthetic(30, 6), Backup::in_memory(1).await);
    let (first, shown) = image(&source.repository, 1);
    let (second, thumbnail) = image(&source.repository, 2);
    let mut picture = shown.clone();
    picture["square"] = thumbnail;
    let link = |id: &str| json!({ "link_type": "Document", "id": id, "type": "page", "isBroken": false });
    let translation = |id: &str, lang: &str| json!([{ "id": id, "type": "page", "lang": lang }]);
    let put = vec![
        document(
            "MadeByHand000001",
            "en-us",
            &translation("MadeByHand000002", "fr-fr"),
            &json!({ "picture": picture, "again": shown, "b": link("MadeByHand000003"), "a": link("MadeByHand000001"),
                     "text": [{ "type": "paragraph", "text": "see", "spans": [
                         { "type": "hyperlink", "start": 0, "end": 3, "data": link("MadeByHand000003") }] }] }),
        ),
        document(
            "MadeByHand000002",
            "fr-fr",
            &translation("MadeByHand000001", "en-us"),
            &json!({ "c": link("MadeByHand000003") }),
        ),
        document("MadeByHand000003", "en-us", &json!([]), &json!({ "title": "alone" })),
    ];
    source.repository.publish(Changes { put, ..Changes::default() });
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);

    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let links: Vec<LinkEntry> = tree::read_all(&Reader::new(&vault, &space), &manifest.links).await.unwrap();
    let boxed = |ids: &[&str]| -> Vec<Box<str>> { ids.iter().map(|id| (*id).into()).collect() };
    let mut pictures = [first.as_str(), second.as_str()];
    pictures.sort_unstable();
    let of = |path: &str| links.iter().find(|entry| &*entry.path == path).unwrap().clone();
    assert_eq!(
        of("documents/en-us/page/MadeByHand000001.json"),
        LinkEntry {
            path: "documents/en-us/page/MadeByHand000001.json".into(),
            links: boxed(&["MadeByHand000001", "MadeByHand000003"]),
            translations: boxed(&["MadeByHand000002"]),
            assets: boxed(&pictures),
            walk: WALK,
            ..LinkEntry::default()
        }
    );
    assert_eq!(
        of("documents/fr-fr/page/MadeByHand000002.json"),
        LinkEntry {
            path: "documents/fr-fr/page/MadeByHand000002.json".into(),
            links: boxed(&["MadeByHand000003"]),
            translations: boxed(&["MadeByHand000001"]),
            assets: Vec::new(),
            walk: WALK,
            ..LinkEntry::default()
        }
    );
    let alone = of("documents/en-us/page/MadeByHand000003.json");
    assert!(alone.links.is_empty() && alone.translations.is_empty() && alone.assets.is_empty());
    // Every document has its entry, those of releases too.
    let documents = entries(&backup, &manifest).await.into_keys();
    let documents: Vec<_> = documents.filter(|path| path.contains("documents/")).collect();
    assert_eq!(links.iter().map(|entry| entry.path.to_string()).collect::<Vec<_>>(), documents);
}

#[tokio::test]
async fn the_backup_host_opens_every_catalog_header_and_none_of_content() {
    let (source, mut backup) = (Source::synthetic(120, 10), Backup::in_memory(1).await);
    backup.limits.pack_bytes = 64 << 10;
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    let vault = backup.open().await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let (mut content, mut catalogs) = (0, 0);
    for pack in space.index.packs() {
        let (header, _) = pack.header.expect("an encrypted pack has a header");
        let key = format!("keys/{}/{}.{header}", space.name, pack.id);
        let header = backup.stores[0].1.get(&key, 1 << 20).await.unwrap();
        let by_operator = PayloadKey::open(&header, std::slice::from_ref(&backup.operator)).map(drop);
        if pack.kind.is_content() {
            assert_eq!(by_operator, Err(HeaderError::NotARecipient), "{key}");
            content += 1;
        } else {
            assert_eq!(by_operator, Ok(()), "{key}");
            catalogs += 1;
        }
        assert!(PayloadKey::open(&header, std::slice::from_ref(&backup.recovery)).is_ok(), "{key}");
    }
    assert!(content > 3 && catalogs > 0, "{content}, {catalogs}");
    let kinds: BTreeSet<_> = space.index.packs().iter().map(|pack| format!("{:?}", pack.kind)).collect();
    let expected = [PackKind::Content, PackKind::Assets, PackKind::Catalog];
    assert_eq!(kinds, expected.iter().map(|kind| format!("{kind:?}")).collect());

    // Nor does it read an item that it stored itself.
    let reader = Reader::new(&vault, &space);
    for (path, entry) in entries(&backup, &manifest).await {
        let error = reader.bytes(entry.item).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Identity, "{path}: {error}");
    }
}

#[tokio::test]
async fn a_run_that_took_longer_than_a_day_does_not_commit_and_the_next_uses_what_it_stored() {
    let (source, backup) = (Source::synthetic(150, 5), Backup::in_memory(1).await);
    let day = chrono::TimeDelta::from_std(backup.limits.max_run).unwrap();
    let clock = Arc::clone(&backup.clock);
    source.control().on_request_to(Endpoint::Search, 2, move |_| {
        clock.advance(day + chrono::TimeDelta::seconds(1));
    });
    let SnapshotError::Vault(error) = backup.snapshot(&source).await.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("24 hours"), "{error}");
    assert_eq!(backup.stores[0].1.list("snapshots").await.unwrap(), []);

    let again = backup.snapshot(&source).await.unwrap().committed.manifest;
    assert_eq!(again.status, Status::Complete);
    assert_eq!(again.added.items, 0, "everything had been stored");
    assert_eq!(backup.verified(Level::Content).await.damage, []);

    // One that is just in time commits.
    let clock = Arc::clone(&backup.clock);
    let search = source.control().requests_to(Endpoint::Root) + 1;
    source.control().on_request_to(Endpoint::Root, search, move |_| {
        clock.advance(day - chrono::TimeDelta::minutes(1));
    });
    backup.snapshot(&source).await.unwrap();
}

async fn tamper_vault_file(copies: &[(String, MemoryStore)], which: usize, change: &Value) {
    let (_, store) = &copies[which];
    let mut file: Value = serde_json::from_slice(&store.get("vault.json", 1 << 20).await.unwrap()).unwrap();
    for (key, value) in change.as_object().unwrap() {
        file[key] = value.clone();
    }
    assert!(store.tamper("vault.json", |bytes| *bytes = file.to_string().into_bytes()));
}

#[tokio::test]
async fn a_vault_that_needs_what_this_program_lacks_is_refused_untouched() {
    let source = Source::synthetic(20, 2);
    let mut backup = Backup::in_memory(2).await;
    let originals = backup.stores.clone();
    for change in [
        json!({ "features": { "read": ["bundles"], "write": [], "delete": [] } }),
        json!({ "features": { "read": [], "write": ["bundles"], "delete": [] } }),
        json!({ "features": { "write": ["bundles"] } }),
        json!({ "format": 2 }),
        json!({ "format": 2, "encryption": "something else" }),
    ] {
        // On one replica is enough: writing beside it could harm what it holds.
        for which in [0, 1] {
            let copies = copy_stores(&originals, &backup.clock).await;
            tamper_vault_file(&copies, which, &change).await;
            backup.stores = as_stores(&copies);
            let error = backup.open().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::UnknownFormat, "{change}: {error}");
            assert!(error.next_step().is_some(), "{change}");
            let SnapshotError::Vault(error) = backup.snapshot(&source).await.unwrap_err() else {
                panic!("another error")
            };
            assert_eq!(error.kind, ErrorKind::UnknownFormat);
            assert_eq!(copies[1].1.list("packs").await.unwrap(), []);
        }
    }
    // What only deleting asks for hinders neither reading nor writing.
    let copies = copy_stores(&originals, &backup.clock).await;
    for which in [0, 1] {
        tamper_vault_file(&copies, which, &json!({ "features": { "delete": ["bundles"] } })).await;
    }
    backup.stores = as_stores(&copies);
    backup.snapshot(&source).await.unwrap();
}

/// Writes a ledger entry of a later version, signed by who may.
async fn put_unknown_entry(vault: &TestVault, space: &str, critical: bool) {
    let backup = &vault.backup;
    backup.clock.advance(chrono::TimeDelta::seconds(1));
    let opened = backup.open().await.unwrap();
    let name = space.parse().unwrap();
    let ledger = Ledger::load(&opened, &name).await.unwrap();
    let id = prismvault::ids::SnapshotId::new(opened.now());
    let key = format!("ledger/{space}/{id}.json");
    let parents: Vec<String> = ledger.heads().iter().map(ToString::to_string).collect();
    let entry = json!({
        "kind": "ledger-entry", "format": 1, "vault": opened.file.vault, "key": key, "space": space, "id": id,
        "parents": parents, "critical": critical,
        "decision": { "type": "erasure-order", "subject": "somebody", "until": 2030 },
    });
    let bytes = entry.to_string().into_bytes();
    backup.put_signed(&key, &bytes, &backup.sign(&bytes, &key)).await;
}

async fn open_content(vault: &TestVault, manifest: &Manifest) -> Result<usize, VaultError> {
    let opened = vault.reopen().await;
    let snapshots = Snapshots::load(&opened, None).await.unwrap();
    match OpenSnapshot::open(&opened, &snapshots, manifest).await {
        Ok(snapshot) => Ok(snapshot.catalog().await.unwrap().len()),
        Err(prismvault::restore::RestoreError::Vault(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_unknown_decision_stops_reading_content_where_it_is_critical() {
    use prismvault::vault::item::ItemKind;
    let vault = TestVault::new(1, true).await;
    let items: [(&str, ItemKind, &[u8]); 1] =
        [("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A"}"#)];
    let manifest = vault.snapshot("blog", &items).await;
    put_unknown_entry(&vault, "blog", false).await;
    assert_eq!(open_content(&vault, &manifest).await.unwrap(), 1, "it is none of reading's business");
    put_unknown_entry(&vault, "blog", true).await;
    let error = open_content(&vault, &manifest).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownFormat, "{error}");
    assert!(error.next_step().unwrap_or_default().contains("newer prismvault"));
    // It forbids nothing in another space, and backups go on and name it.
    let shop = vault.snapshot("shop", &items).await;
    assert_eq!(open_content(&vault, &shop).await.unwrap(), 1);
    let next = vault.snapshot("blog", &items).await;
    assert_eq!(next.ledger.len(), 1);
    // Nor can it be got rid of: the snapshot names it.
    let critical = vault.keys("ledger/blog").await.into_iter().rfind(|key| key.ends_with(".json")).unwrap();
    vault.lose(&critical).await;
    assert_eq!(open_content(&vault, &next).await.unwrap_err().kind, ErrorKind::Integrity);
}

/// Writes trust record 2: the first with another number.
async fn put_second_trust_record(backup: &Backup, sign: impl Fn(&[u8], &str) -> String) {
    let first = backup.stores[0].1.get("trust/1.json", 1 << 20).await.unwrap();
    let mut record: Value = serde_json::from_slice(&first).unwrap();
    record["n"] = 2.into();
    record["key"] = "trust/2.json".into();
    let bytes = record.to_string().into_bytes();
    backup.put_signed("trust/2.json", &bytes, &sign(&bytes, "trust/2.json")).await;
}

#[tokio::test]
async fn an_older_trust_record_than_the_one_seen_is_refused() {
    let source = Source::synthetic(20, 2);
    let mut backup = Backup::in_memory(2).await;
    backup.snapshot(&source).await.unwrap();
    put_second_trust_record(&backup, |bytes, key| backup.sign_as_root(bytes, key)).await;
    let vault = backup.open().await.unwrap();
    assert_eq!(vault.trust.n, 2);
    assert_eq!(backup.snapshot(&source).await.unwrap().committed.manifest.trust, 2);

    // On one replica it is damage; on all of them an older state was put back.
    let remove = async |store: &dyn prismvault::objects::ObjectStore| {
        store.delete("trust/2.json").await.unwrap();
        store.delete("trust/2.json.minisig").await.unwrap();
    };
    remove(backup.stores[0].1.as_ref()).await;
    let report = backup.verified(Level::Presence).await;
    assert!(report.damage.iter().any(|damage| damage.key == "trust/2.json"), "{:?}", report.damage);
    assert_eq!(backup.open().await.unwrap().trust.n, 2);
    remove(backup.stores[1].1.as_ref()).await;
    let error = backup.open().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotTrusted, "{error}");
    assert!(error.next_step().unwrap_or_default().contains("bring back"), "{error}");
    let SnapshotError::Vault(error) = backup.snapshot(&source).await.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!(error.kind, ErrorKind::NotTrusted);
    // Only who remembers can tell.
    backup.state = None;
    assert_eq!(backup.open().await.unwrap().trust.n, 1);
}

/// The number of the trust record that counts, and of which files it was said that they do not.
async fn trusted(backup: &Backup) -> (u32, Vec<String>) {
    let vault = backup.open().await.unwrap();
    let passed_over = vault.warnings().into_iter().filter(|warning| warning.code == "not-a-trust-record");
    (vault.trust.n, passed_over.map(|warning| warning.subject).collect())
}

#[tokio::test]
async fn a_trust_record_that_the_root_key_did_not_sign_never_counts_and_is_named() {
    let backup = Backup::in_memory(1).await;
    let second = || vec!["trust/2.json".to_owned()];
    let stranger = SigningKey::generate();
    put_second_trust_record(&backup, |bytes, key| stranger.sign(bytes, key)).await;
    assert_eq!(trusted(&backup).await, (1, second()));
    // The key of the backup host signs snapshots; it does not say who may.
    put_second_trust_record(&backup, |bytes, key| backup.sign(bytes, key)).await;
    assert_eq!(trusted(&backup).await, (1, second()));
    put_second_trust_record(&backup, |bytes, key| backup.sign_as_root(bytes, key)).await;
    assert_eq!(trusted(&backup).await, (2, Vec::new()));
    // The signature of the first record does not make a third one.
    let store = &backup.stores[0].1;
    for (from, to) in [("trust/1.json", "trust/3.json"), ("trust/1.json.minisig", "trust/3.json.minisig")] {
        let bytes = store.get(from, 1 << 20).await.unwrap();
        store.put(to, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    }
    assert_eq!(trusted(&backup).await, (2, vec!["trust/3.json".to_owned()]));
    // Who saw the second does not go back to the first when it is forged over.
    put_second_trust_record(&backup, |bytes, key| stranger.sign(bytes, key)).await;
    assert_eq!(backup.open().await.unwrap_err().kind, ErrorKind::NotTrusted);
}

#[tokio::test]
async fn content_that_does_not_hold_together_is_named_although_every_byte_is_good() {
    use prismvault::vault::commit::LinksPart;
    use prismvault::vault::item::ItemKind;
    let document: (&str, ItemKind, &[u8]) =
        ("documents/en-us/page/A.json", ItemKind::Document, br#"{"id":"A"}"#);
    let metadata: (&str, ItemKind, &[u8]) =
        ("assets/X/metadata.json", ItemKind::AssetMetadata, br#"{"id":"X"}"#);
    let original: (&str, ItemKind, &[u8]) = ("assets/X/original", ItemKind::Asset, b"bytes");
    let links = |links: &[&str], assets: &[&str]| {
        let entry = LinkEntry {
            path: document.0.into(),
            links: links.iter().map(|id| (*id).into()).collect(),
            translations: Vec::new(),
            assets: assets.iter().map(|id| (*id).into()).collect(),
            ..LinkEntry::default()
        };
        LinksPart::New(Box::new(std::iter::once(entry)))
    };
    let counted = |draft: &mut prismvault::vault::commit::Draft| draft.counts.documents.stored = 1;
    type Case<'a> = (
        &'a str,
        Vec<(&'a str, ItemKind, &'a [u8])>,
        Box<dyn FnOnce(&mut prismvault::vault::commit::Draft) + 'a>,
    );
    let cases: Vec<Case<'_>> = vec![
        (
            "",
            vec![metadata, original, document],
            Box::new(|draft| {
                counted(draft);
                draft.links = links(&["A"], &["X"]);
            }),
        ),
        ("it counts 2 documents", vec![document], Box::new(|draft| draft.counts.documents.stored = 2)),
        ("assets/X/original is neither", vec![metadata, document], Box::new(counted)),
        (
            "assets/Y/original, which documents use",
            vec![document],
            Box::new(|draft| {
                counted(draft);
                draft.links = links(&[], &["Y"]);
            }),
        ),
        (
            "2 targets of links",
            vec![document],
            Box::new(|draft| {
                counted(draft);
                draft.links = links(&["A", "B", "C"], &[]);
            }),
        ),
        (
            "its catalog says 11",
            vec![document],
            Box::new(|draft| {
                counted(draft);
                draft.entries[0].size = 11;
            }),
        ),
        (
            "it is not JSON (line 2, column 2)",
            vec![("documents/en-us/page/A.json", ItemKind::Document, b"{\n}}")],
            Box::new(counted),
        ),
    ];
    for (told, items, change) in cases {
        let vault = TestVault::new(1, true).await;
        vault.commit("blog", &items, change).await;
        assert_eq!(vault.backup.verified(Level::Bytes).await.damage, [], "{told}: every byte is good");
        let report = vault.backup.verified(Level::Content).await;
        match report.damage.as_slice() {
            [] => assert_eq!(told, "", "nothing was found"),
            [damage] => {
                assert_eq!(damage.kind, DamageKind::Content);
                assert!(!told.is_empty() && damage.detail.contains(told), "{told}: {damage:?}");
                assert!(damage.kind.is_integrity());
            }
            damage => panic!("{told}: {damage:?}"),
        }
    }
}
