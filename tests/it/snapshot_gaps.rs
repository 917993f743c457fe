//! What a snapshot says when the source is incomplete, changes meanwhile, or misbehaves.

use std::collections::BTreeSet;
use std::time::Duration;

use prismvault::contentapi::AccessMode;
use prismvault::prismic::ErrorKind as SourceErrorKind;
use prismvault::sandbox::synthetic::SyntheticOptions;
use prismvault::sandbox::{Changes, Endpoint, ErrorRate, Faults, RateLimit, RetryAfter, Torn};
use prismvault::secret::Secret;
use prismvault::snapshot::SnapshotError;
use prismvault::vault::format::catalog::CatalogEntry;
use prismvault::vault::format::ledger::Decision;
use prismvault::vault::format::manifest::{Manifest, Status, Tally};
use prismvault::vault::ledger::Ledger;
use prismvault::vault::reader::Reader;
use prismvault::vault::space::Space;
use prismvault::vault::tree;
use prismvault::verification::Level;

use crate::backups::{ACCESS_TOKEN, Backup, Source, document};

async fn manifest(backup: &Backup, source: &Source) -> Manifest {
    backup.snapshot(source).await.unwrap().committed.manifest
}

fn codes(manifest: &Manifest) -> BTreeSet<&str> {
    manifest.gaps.iter().map(|gap| gap.code.as_str()).collect()
}

fn an_asset(source: &Source) -> String {
    source.repository.library().assets()[2].id.to_string()
}

#[tokio::test]
async fn a_file_gone_at_the_source_is_a_gap_until_it_is_accepted() {
    let (source, backup) = (Source::synthetic(60, 8), Backup::in_memory(2).await);
    let id = an_asset(&source);
    source.control().set_faults(Faults { missing_files: [id.clone()].into(), ..Faults::default() });
    let path = format!("assets/{id}/original");
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Partial);
    assert_eq!(first.gaps.len(), 1, "{:?}", first.gaps);
    assert_eq!((first.gaps[0].code.as_str(), &first.gaps[0].subject), ("asset-missing", &path));
    assert_eq!(first.counts.assets.reported, Some(8));

    let vault = backup.open().await.unwrap();
    let ledger = Ledger::load(&vault, &first.space).await.unwrap();
    let decision = Decision::AcceptedGap {
        repository: first.repository.clone(),
        path: path.clone(),
        reason: "deleted in 2024, nobody has it".to_owned(),
    };
    ledger.append(&vault, &first.space, decision).await.unwrap();
    let second = manifest(&backup, &source).await;
    assert_eq!(second.status, Status::Complete, "{:?}", second.gaps);
    assert_eq!(second.accepted_gaps.len(), 1);
    assert_eq!(second.accepted_gaps[0].subject, path);
    assert_eq!(second.ledger.len(), 1, "the manifest names the decision it rests on");

    // Only new gaps make a snapshot partial, and a file that comes back is stored.
    source.control().set_faults(Faults::default());
    let third = manifest(&backup, &source).await;
    assert_eq!((third.status, third.accepted_gaps.len()), (Status::Complete, 0));
    assert_eq!(third.counts.assets.stored, second.counts.assets.stored + 1);
}

#[tokio::test]
async fn a_file_of_another_length_is_stored_named_and_fetched_again_later() {
    let (source, backup) = (Source::synthetic(60, 8), Backup::in_memory(1).await);
    let id = an_asset(&source);
    source.control().set_faults(Faults { short_files: [id.clone()].into(), ..Faults::default() });
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Partial);
    assert!(first.gaps.iter().all(|gap| gap.subject == format!("assets/{id}/original")), "{:?}", first.gaps);
    source.control().set_faults(Faults::default());
    let second = manifest(&backup, &source).await;
    assert_eq!(second.status, Status::Complete, "{:?}", second.gaps);
}

#[tokio::test]
async fn what_numbered_pages_lose_is_found_by_reading_after_each_document() {
    let (source, backup) = (Source::synthetic(450, 2), Backup::in_memory(1).await);
    let all = source.repository.documents().len() as u64;
    for torn in [Torn::Missing, Torn::Doubled, Torn::Total] {
        source.control().set_faults(Faults { torn: Some((2, torn)), ..Faults::default() });
        source.control().reset_counters();
        let manifest = manifest(&backup, &source).await;
        assert_eq!((manifest.status, manifest.gaps.as_slice()), (Status::Complete, &[][..]), "{torn:?}");
        let stored = manifest.counts.documents;
        assert_eq!((stored.reported, stored.stored), (Some(all), all), "{torn:?}");
        let after = source.control().log().iter().filter(|request| request.target.contains("after=")).count();
        assert!(after >= 4, "{torn:?}: {after}");
        source.repository.edit(0.01, 1).unwrap();
    }
}

#[tokio::test]
async fn a_document_that_is_counted_and_never_given_makes_the_snapshot_partial() {
    let (source, backup) = (Source::synthetic(30, 2), Backup::in_memory(1).await);
    let all = source.repository.documents().len() as u64;
    assert!(all < 100, "one page: reading by `after` ends at the same document");
    source.control().set_faults(Faults { torn: Some((1, Torn::Missing)), ..Faults::default() });
    let manifest = manifest(&backup, &source).await;
    assert_eq!(manifest.status, Status::Partial);
    let stored = manifest.counts.documents;
    assert_eq!((stored.reported, stored.stored), (Some(all), all - 1));
    let lost = |tallies: &std::collections::BTreeMap<String, Tally>| {
        let short =
            |(name, tally): (&String, &Tally)| (tally.reported != Some(tally.stored)).then(|| name.clone());
        let names: Vec<String> = tallies.iter().filter_map(short).collect();
        let [name] = names.as_slice() else { panic!("{names:?}") };
        name.clone()
    };
    let counts = &manifest.counts;
    let expected = [
        "documents".to_owned(),
        format!("documents/language/{}", lost(&counts.documents_by_language)),
        format!("documents/type/{}", lost(&counts.documents_by_type)),
    ];
    let of_master: Vec<_> =
        manifest.gaps.iter().filter(|gap| !gap.subject.starts_with("releases/")).collect();
    assert_eq!(
        of_master.iter().map(|gap| &gap.subject).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert!(manifest.gaps.iter().all(|gap| gap.code == "documents-missing"), "{:?}", manifest.gaps);
}

#[tokio::test]
async fn a_total_that_is_too_high_everywhere_is_a_gap_of_every_type_and_language() {
    let (source, backup) = (Source::synthetic(250, 2), Backup::in_memory(1).await);
    source.control().set_faults(Faults { torn: Some((1, Torn::Total)), ..Faults::default() });
    let manifest = manifest(&backup, &source).await;
    assert_eq!(manifest.status, Status::Partial);
    let stored = manifest.counts.documents;
    assert_eq!(stored.stored, source.repository.documents().len() as u64, "all that there is is stored");
    assert_eq!(stored.reported, Some(stored.stored + 1));
    let subjects: BTreeSet<_> = manifest.gaps.iter().map(|gap| gap.subject.clone()).collect();
    let types = manifest.counts.documents_by_type.keys().map(|name| format!("documents/type/{name}"));
    let languages =
        manifest.counts.documents_by_language.keys().map(|name| format!("documents/language/{name}"));
    for subject in types.chain(languages).chain(["documents".to_owned()]) {
        assert!(subjects.contains(&subject), "{subject}: {subjects:?}");
    }
}

#[tokio::test]
async fn a_page_that_contradicts_itself_is_never_believed() {
    let (source, backup) = (Source::synthetic(250, 2), Backup::in_memory(1).await);
    source.control().set_faults(Faults { torn: Some((2, Torn::ResultsSize)), ..Faults::default() });
    let error = backup.snapshot(&source).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Source { .. }), "{error}");
    assert_eq!(backup.stores[0].1.list("snapshots").await.unwrap(), []);
    source.control().set_faults(Faults::default());
    assert_eq!(manifest(&backup, &source).await.status, Status::Complete);
}

fn link(id: &str) -> serde_json::Value {
    serde_json::json!({ "l": { "link_type": "Document", "id": id, "type": "page" } })
}

#[tokio::test]
async fn a_document_that_the_list_leaves_out_is_found_by_who_links_to_it() {
    let (source, backup) = (Source::synthetic(60, 2), Backup::in_memory(1).await);
    let none = serde_json::json!([]);
    let (hidden, linker) = ("HiddenOne0000001", "LinksToIt0000001");
    let put = vec![
        document(hidden, "fr-fr", &none, &link("NobodyHas0000001")),
        document(linker, "en-us", &none, &link(hidden)),
    ];
    source.repository.publish(Changes { put, ..Changes::default() });
    let all = source.repository.documents().len() as u64;
    source.control().set_faults(Faults { hidden_documents: [hidden.to_owned()].into(), ..Faults::default() });
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Partial);
    let [gap] = first.gaps.as_slice() else { panic!("{:?}", first.gaps) };
    let path = format!("documents/fr-fr/page/{hidden}.json");
    assert_eq!((gap.code.as_str(), &gap.subject), ("document-not-listed", &path));
    assert_eq!(first.counts.documents.stored, all, "it is stored");
    assert_eq!(first.counts.documents.reported, Some(all - 1));

    source.control().set_faults(Faults::default());
    let second = manifest(&backup, &source).await;
    assert_eq!(second.status, Status::Complete, "{:?}", second.gaps);
    assert_eq!(second.counts.documents.reported, Some(all));
}

#[tokio::test]
async fn links_to_documents_that_nobody_has_are_listed_and_leave_the_snapshot_complete() {
    let (source, backup) = (Source::synthetic(60, 2), Backup::in_memory(1).await);
    let none = serde_json::json!([]);
    let put = vec![
        document("LinksAway0000001", "en-us", &none, &link("NobodyHas0000002")),
        document("LinksAway0000002", "en-us", &none, &link("NobodyHas0000001")),
        document("LinksAway0000003", "en-us", &none, &link("NobodyHas0000002")),
        document("LinksAway0000004", "en-us", &none, &link("../../etc/passwd")),
    ];
    source.repository.publish(Changes { put, ..Changes::default() });
    let manifest = manifest(&backup, &source).await;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    let path = "repository/dangling-links.json";
    assert!(
        manifest.warnings.iter().any(|w| w.code == "dangling-links" && w.subject == path),
        "{:?}",
        manifest.warnings
    );
    let vault = backup.open_with(vec![backup.recovery.clone()]).await.unwrap();
    let space = Space::load(&vault, &manifest.space).await.unwrap();
    let reader = Reader::new(&vault, &space);
    let entries: Vec<CatalogEntry> = tree::read_all(&reader, &manifest.catalog).await.unwrap();
    let entry = entries.iter().find(|entry| &*entry.path == path).unwrap();
    let listed: Vec<String> = serde_json::from_slice(&reader.bytes(entry.item).await.unwrap()).unwrap();
    for id in ["NobodyHas0000001", "NobodyHas0000002"] {
        assert_eq!(listed.iter().filter(|one| *one == id).count(), 1, "{listed:?}");
    }
    // A hostile id is named as paths would have it.
    assert!(listed.iter().any(|id| id.starts_with("url-")) && listed.iter().all(|id| !id.contains("..")));
    assert!(listed.is_sorted());
    assert_eq!(backup.verified(Level::Content).await.damage, []);
}

#[tokio::test]
async fn a_file_that_always_fails_is_tried_again_then_named_and_the_run_goes_on() {
    let (source, backup) = (Source::synthetic(60, 8), Backup::in_memory(1).await);
    source.control().set_faults(Faults {
        errors: Some(ErrorRate { status: 500, share: 1.0 }),
        endpoints: Some([Endpoint::File].into()),
        ..Faults::default()
    });
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Partial);
    let expected: BTreeSet<String> = source
        .repository
        .library()
        .assets()
        .iter()
        .map(|asset| format!("assets/{}/original", asset.id))
        .collect();
    let missing: BTreeSet<String> = first.gaps.iter().map(|gap| gap.subject.clone()).collect();
    assert!(expected.is_subset(&missing), "{:?}", first.gaps);
    assert_eq!(codes(&first), ["asset-missing"].into());
    assert_eq!(first.counts.assets.stored, 0);
    assert_eq!(first.counts.documents.stored, source.repository.documents().len() as u64);
    let attempts = u64::from(backup.limits.request_attempts);
    assert_eq!(
        source.control().requests_to(Endpoint::File),
        attempts * missing.len() as u64,
        "each was retried"
    );
    assert_eq!(backup.verified(Level::Content).await.damage, [], "what is missing is named");

    source.control().set_faults(Faults::default());
    let second = manifest(&backup, &source).await;
    assert_eq!(second.status, Status::Complete, "{:?}", second.gaps);
    assert!(second.counts.assets.stored >= 8);
}

#[tokio::test]
async fn a_media_library_that_serves_smaller_pages_than_asked_is_read_to_its_end() {
    let (source, backup) = (Source::synthetic(60, 30), Backup::in_memory(1).await);
    source.control().set_faults(Faults { asset_page_cap: Some(7), ..Faults::default() });
    let manifest = manifest(&backup, &source).await;
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
    assert_eq!(manifest.counts.assets.reported, Some(30));
    assert!(manifest.counts.assets.stored >= 30);
}

#[tokio::test]
async fn models_that_change_during_the_run_are_named_and_stored_as_they_are_later() {
    let (source, backup) = (Source::synthetic(60, 4), Backup::in_memory(1).await);
    source.control().set_faults(Faults { models_change: true, ..Faults::default() });
    let manifest = manifest(&backup, &source).await;
    assert!(
        manifest.consistency.changed_during_run.iter().any(|path| path.starts_with("models/")),
        "{:?}",
        manifest.consistency
    );
}

#[tokio::test]
async fn a_publish_in_the_middle_is_noticed_and_the_pinned_ref_is_kept() {
    let (source, backup) = (Source::synthetic(450, 4), Backup::in_memory(1).await);
    let pinned = source.repository.master_ref();
    source.control().set_faults(Faults { publish_after: Some(3), ..Faults::default() });
    let manifest = manifest(&backup, &source).await;
    assert_eq!(manifest.source.master_ref, pinned);
    assert!(manifest.consistency.master_ref_moved);
    assert_eq!(manifest.status, Status::Complete, "{:?}", manifest.gaps);
}

#[tokio::test]
async fn errors_cut_bodies_and_rate_limits_are_retried() {
    let (source, mut backup) = (Source::synthetic(250, 12), Backup::in_memory(1).await);
    backup.limits.request_attempts = 12;
    for faults in [
        Faults { errors: Some(ErrorRate { status: 500, share: 0.3 }), seed: 1, ..Faults::default() },
        Faults { errors: Some(ErrorRate { status: 503, share: 0.3 }), seed: 2, ..Faults::default() },
        Faults { truncated: 0.3, seed: 3, ..Faults::default() },
        Faults {
            rate_limit: Some(RateLimit { per_second: 40, retry_after: RetryAfter::Text("soon".to_owned()) }),
            endpoints: Some([Endpoint::Search].into()),
            ..Faults::default()
        },
    ] {
        backup.limits.backoff_min = match faults.rate_limit {
            Some(_) => Duration::from_millis(200),
            None => Duration::ZERO,
        };
        backup.limits.backoff_max = backup.limits.backoff_min * 4;
        let what = format!("{faults:?}");
        source.control().set_faults(faults);
        let manifest = manifest(&backup, &source).await;
        assert_eq!(manifest.status, Status::Complete, "{what}: {:?}", manifest.gaps);
        source.control().set_faults(Faults::default());
        source.repository.edit(0.02, 9).unwrap();
    }
}

#[tokio::test]
async fn without_write_token_the_assets_that_documents_use_are_stored() {
    let (mut source, backup) = (Source::synthetic(120, 20), Backup::in_memory(1).await);
    source.target.write_token = None;
    let first = manifest(&backup, &source).await;
    assert_eq!(first.status, Status::Complete, "{:?}", first.gaps);
    assert!(first.counts.assets.stored > 0);
    assert_eq!((first.counts.models.stored, first.source.write_token), (0, false));
    assert!(first.warnings.iter().any(|warning| warning.code == "no-write-token"));
    assert!(first.counts.external_assets > 0, "stock photos are named");
    let second = backup.snapshot(&source).await.unwrap();
    assert!(second.documents_unchanged);
    assert_eq!(second.committed.manifest.catalog, first.catalog);
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_told_apart_from_a_wrong_name_and_nothing_is_written() {
    let content =
        SyntheticOptions { documents: 20, assets: 2, asset_bytes: 500, ..SyntheticOptions::default() };
    let source = Source::new(&content, AccessMode::Private);
    let backup = Backup::in_memory(1).await;
    let before = backup.stores[0].1.list("").await.unwrap().len();
    let mut target = source.target.clone();
    let kind_of = |error: SnapshotError| match error {
        SnapshotError::Source { error, .. } => error.kind().clone(),
        other => panic!("{other}"),
    };
    assert_eq!(kind_of(backup.snapshot_of(&target).await.unwrap_err()), SourceErrorKind::Unauthorized);
    target.access_token = Some(Secret::new("not-the-token"));
    let error = backup.snapshot_of(&target).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("not-the-token"));
    assert_eq!(kind_of(error), SourceErrorKind::Unauthorized);
    target.access_token = Some(Secret::new(ACCESS_TOKEN));
    target.write_token = Some(Secret::new("nor-this"));
    let kind = kind_of(backup.snapshot_of(&target).await.unwrap_err());
    assert!(matches!(kind, SourceErrorKind::Unauthorized | SourceErrorKind::Forbidden), "{kind:?}");
    target.endpoints.content_api = format!("{}/nothing/api/v2", source.server.base_url()).parse().unwrap();
    assert_eq!(kind_of(backup.snapshot_of(&target).await.unwrap_err()), SourceErrorKind::RepositoryNotFound);
    assert_eq!(backup.stores[0].1.list("").await.unwrap().len(), before, "nothing was written");
    let target = prismvault::snapshot::Target {
        access_token: Some(Secret::new(ACCESS_TOKEN)),
        ..source.target.clone()
    };
    assert_eq!(backup.snapshot_of(&target).await.unwrap().committed.manifest.status, Status::Complete);
}

#[tokio::test]
async fn a_ref_that_is_refused_again_and_again_ends_the_run() {
    let (source, backup) = (Source::synthetic(450, 2), Backup::in_memory(1).await);
    source
        .control()
        .set_faults(Faults { refused_ref: Some(source.repository.master_ref()), ..Faults::default() });
    let error = backup.snapshot(&source).await.unwrap_err();
    assert!(matches!(error, SnapshotError::RefKeepsMoving { times: 4, .. }), "{error}");
}
