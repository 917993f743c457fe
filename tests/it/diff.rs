//! Comparing snapshots: what is read, what is told, and what happens where something is damaged.

use std::sync::Arc;

use prismvault::diff::{
    Change, ChangeKind, DiffOptions, DiffReport, DocumentDiff, ItemChange, compare_snapshots,
};
use prismvault::limits::Limits;
use prismvault::objects::ObjectStore;
use prismvault::objects::counting::CountingStore;
use prismvault::progress::{Problem, Silent};
use prismvault::restore::{OpenSnapshot, RestoreError, Selection};
use prismvault::vault::format::manifest::{Manifest, Status};
use prismvault::vault::item::ItemKind;
use prismvault::vault::snapshots::Snapshots;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::vaults::TestVault;

type Item<'a> = (&'a str, ItemKind, &'a [u8]);

fn options(values: bool) -> DiffOptions<'static> {
    DiffOptions {
        selection: Selection::default(),
        values,
        progress: &Silent,
        cancel: CancellationToken::new(),
    }
}

async fn compare_with(
    vault: &TestVault,
    old: &Manifest,
    new: &Manifest,
    options: DiffOptions<'_>,
) -> Result<DiffReport, prismvault::diff::DiffError> {
    let open = vault.reopen().await;
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let older = OpenSnapshot::open(&open, &snapshots, old).await?;
    let newer = older.open_another(&snapshots, new).await?;
    compare_snapshots(&older, &newer, options).await
}

async fn compare(vault: &TestVault, old: &Manifest, new: &Manifest) -> DiffReport {
    compare_with(vault, old, new, options(true)).await.unwrap()
}

fn document(id: &str, lang: &str, text: &str) -> String {
    let heading = json!([{ "type": "heading1", "text": text, "spans": [] }]);
    json!({ "id": id, "uid": id.to_lowercase(), "type": "page", "lang": lang, "data": { "title": heading } })
        .to_string()
}

fn what(report: &DiffReport) -> Vec<(&str, ItemChange)> {
    report.documents.iter().map(|one| (one.id.as_str(), one.what)).collect()
}

#[tokio::test]
async fn ten_changed_documents_among_many_are_read_in_a_few_requests() {
    let mut vault = TestVault::new(1, true).await;
    let count = 4000;
    let paths: Vec<_> = (0..count).map(|n| format!("documents/en/page/{n:06}.json")).collect();
    let bytes: Vec<_> = (0..count).map(|n| document(&format!("{n:06}"), "en", "before")).collect();
    let edited: Vec<_> = (0..count).map(|n| document(&format!("{n:06}"), "en", "after")).collect();
    let items = |is_edited: &dyn Fn(usize) -> bool| -> Vec<Item<'_>> {
        let bytes_of = |n: usize| if is_edited(n) { edited[n].as_bytes() } else { bytes[n].as_bytes() };
        paths.iter().enumerate().map(|(n, path)| (&**path, ItemKind::Document, bytes_of(n))).collect()
    };
    let old = vault.snapshot("blog", &items(&|_| false)).await;
    let new = vault.snapshot("blog", &items(&|n| n % 400 == 7)).await;
    let counting = Arc::new(CountingStore::new(Arc::clone(&vault.backup.stores[0].1)));
    vault.backup.stores[0].1 = Arc::<CountingStore>::clone(&counting) as Arc<dyn ObjectStore>;
    let open = vault.reopen().await;
    let snapshots = Snapshots::load(&open, None).await.unwrap();
    let older = OpenSnapshot::open(&open, &snapshots, &old).await.unwrap();
    counting.take_counts();
    let newer = older.open_another(&snapshots, &new).await.unwrap();
    assert_eq!(counting.counts().calls(), 0, "what is known of the space is shared");
    let report = compare_snapshots(&older, &newer, options(false)).await.unwrap();
    assert_eq!(report.documents.len(), 10);
    assert_eq!((report.summary.documents.changed, report.problems.len()), (10, 0));
    // Two packs of catalogs and two of content, with a header each.
    assert!(counting.counts().calls() <= 8, "{:?}", counting.counts());
    // Without values none are kept.
    let values = |change: &Change| change.old.is_some() || change.new.is_some();
    assert!(!report.documents.iter().flat_map(|one| &one.diff.changes).any(values));
    counting.take_counts();
    let same = compare_snapshots(&newer, &newer, options(true)).await.unwrap();
    assert!(same.is_empty() && same.documents.is_empty());
}

#[tokio::test]
async fn documents_come_go_and_change_and_one_of_another_type_is_still_the_same() {
    let vault = TestVault::new(1, true).await;
    let [gone, stays, before, after, came] = [
        document("A", "en", "Gone"),
        document("B", "en", "Stays"),
        document("C", "en", "Before"),
        document("C", "en", "After").replace("\"page\"", "\"post\""),
        document("D", "en", "Came"),
    ];
    let item = |path: &'static str, text: &'static str| -> Item<'static> {
        (path, ItemKind::Document, text.as_bytes())
    };
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let old = [
        item("documents/en/page/A.json", leak(&gone)),
        item("documents/en/page/B.json", leak(&stays)),
        item("documents/en/page/C.json", leak(&before)),
        item("releases/R/documents/en/page/B.json", leak(&before)),
    ];
    let new = [
        item("documents/en/page/B.json", leak(&stays)),
        item("documents/en/post/C.json", leak(&after)),
        item("documents/en/page/D.json", leak(&came)),
    ];
    let (old, new) = (vault.snapshot("blog", &old).await, vault.snapshot("blog", &new).await);
    let report = compare(&vault, &old, &new).await;
    assert_eq!(
        what(&report),
        [
            ("D", ItemChange::Added),
            ("A", ItemChange::Removed),
            ("C", ItemChange::Changed),
            ("C", ItemChange::Removed)
        ]
    );
    let changed = |one: &&DocumentDiff| one.what == ItemChange::Changed;
    let changed = report.documents.iter().find(changed).unwrap();
    let kinds: Vec<ChangeKind> = changed.diff.changes.iter().map(|change| change.what).collect();
    assert_eq!(kinds, [ChangeKind::Changed, ChangeKind::TextChanged], "the type, and the title");
    assert_eq!((changed.title.as_deref(), changed.uid.as_deref()), (Some("After"), Some("c")));
    assert_eq!(changed.diff.changes[1].new, Some("After".into()));
    assert_eq!(report.documents[3].release.as_deref(), Some("R"));
    // The other way round.
    let back = compare(&vault, &new, &old).await;
    assert_eq!((back.summary.documents.added, back.summary.documents.removed), (2, 1));
    // A choice that neither side has anything for is a mistake.
    let chosen = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        DiffOptions { selection: Selection { ids, ..Selection::default() }, ..options(true) }
    };
    let report = compare_with(&vault, &old, &new, chosen(&["A"])).await.unwrap();
    assert_eq!(what(&report), [("A", ItemChange::Removed)]);
    let error = compare_with(&vault, &old, &new, chosen(&["nothing"])).await.unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_and_the_rest_is_told() {
    let vault = TestVault::new(1, true).await;
    let (a, b) = (document("A", "en", "one"), document("B", "en", "one"));
    let (other_a, other_b) = (document("A", "en", "two"), document("B", "en", "two"));
    let path_a = "documents/en/page/A.json";
    let path_b = "documents/en/page/B.json";
    let kind = ItemKind::Document;
    let old = vault.snapshot("blog", &[(path_a, kind, a.as_bytes())]).await;
    let packs = vault.keys("packs/blog").await;
    let both = [(path_a, kind, a.as_bytes()), (path_b, kind, b.as_bytes())];
    let middle = vault.snapshot("blog", &both).await;
    let new = [(path_a, kind, other_a.as_bytes()), (path_b, kind, other_b.as_bytes())];
    let new = vault.snapshot("blog", &new).await;
    for key in &packs {
        vault.damage(key);
    }
    let report = compare(&vault, &middle, &new).await;
    assert_eq!(what(&report), [("B", ItemChange::Changed)]);
    assert_eq!(report.problems.iter().map(|problem| &*problem.subject).collect::<Vec<_>>(), [path_a]);
    drop(old);
}

#[tokio::test]
async fn what_a_partial_snapshot_lacks_is_not_told_as_removed() {
    let vault = TestVault::new(1, true).await;
    let a = document("A", "en", "one");
    let path = "documents/en/page/A.json";
    let metadata = br#"{"id":"X","filename":"a.jpg"}"#;
    let all: &[Item<'_>] = &[
        (path, ItemKind::Document, a.as_bytes()),
        ("assets/X/metadata.json", ItemKind::AssetMetadata, metadata),
        ("assets/X/original", ItemKind::Asset, b"bytes"),
    ];
    let old = vault.snapshot("blog", all).await;
    let less = [all[1]];
    let gaps =
        vec![Problem::new("missing", path, "gone"), Problem::new("missing", "assets/X/original", "gone")];
    let new = vault
        .commit("blog", &less, |draft| {
            draft.gaps = gaps;
        })
        .await;
    assert_eq!(new.status, Status::Partial);
    let report = compare(&vault, &old, &new).await;
    assert!(report.is_empty(), "{report:?}");
    let left: Vec<&str> = report.not_compared.iter().map(|problem| &*problem.subject).collect();
    assert!(left.contains(&path) && left.contains(&new.snapshot.to_string().as_str()), "{left:?}");
}

#[tokio::test]
async fn documents_that_no_parser_holds_differ_as_a_whole() {
    let vault = TestVault::new(1, true).await;
    let deep = |n: u32| {
        format!(r#"{{"id":"A","type":"page","lang":"en","data":{}{n}{}}}"#, "[".repeat(500), "]".repeat(500))
    };
    let path = "documents/en/page/A.json";
    let old = vault.snapshot("blog", &[(path, ItemKind::Document, deep(1).as_bytes())]).await;
    let new = vault.snapshot("blog", &[(path, ItemKind::Document, deep(2).as_bytes())]).await;
    let report = compare(&vault, &old, &new).await;
    assert_eq!(what(&report), [("A", ItemChange::Changed)]);
    assert_eq!(report.documents[0].diff.changes.len(), 1);
}

#[tokio::test]
async fn values_and_batches_are_bounded() {
    let mut vault = TestVault::new(1, true).await;
    vault.backup.limits =
        Limits { diff_batch_bytes: 2000, diff_value_bytes: 5000, ..vault.backup.limits.clone() };
    let text = |n: usize, word: &str| document(&format!("{n:03}"), "en", &word.repeat(100));
    let paths: Vec<String> = (0..100).map(|n| format!("documents/en/page/{n:03}.json")).collect();
    let old: Vec<String> = (0..100).map(|n| text(n, "old ")).collect();
    let new: Vec<String> = (0..100).map(|n| text(n, "new ")).collect();
    let items = |texts: &'_ [String]| -> Vec<(String, Vec<u8>)> {
        paths.iter().zip(texts).map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect()
    };
    let mut taken = Vec::new();
    for side in [items(&old), items(&new)] {
        let side: Vec<Item<'_>> =
            side.iter().map(|(path, bytes)| (&**path, ItemKind::Document, &**bytes)).collect();
        taken.push(vault.snapshot("blog", &side).await);
    }
    let report = compare(&vault, &taken[0], &taken[1]).await;
    assert_eq!((report.documents.len(), report.values_left_out), (100, true));
    let with_values = report.documents.iter().filter(|one| one.diff.changes[0].old.is_some()).count();
    assert!((1..10).contains(&with_values), "{with_values}");
    // It is ended between two batches.
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ended = compare_with(&vault, &taken[0], &taken[1], DiffOptions { cancel, ..options(true) }).await;
    let error = ended.unwrap_err();
    assert!(matches!(error, prismvault::diff::DiffError::Snapshot(RestoreError::Cancelled)), "{error}");
}
