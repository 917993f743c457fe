//! Snapshots served through the Content API: the answers are those that the repository gave.

use std::sync::Arc;

use prismvault::contentapi::{AccessMode, AccessPolicy, ContentOptions, router};
use prismvault::objects::{Body, PutMode};
use prismvault::progress::Silent;
use prismvault::restore::OpenSnapshot;
use prismvault::standby::{DocumentCache, Edition, Heads, Standby, open, serve};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::layout;
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::Snapshots;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::backups::{Backup, Source};
use crate::sandbox::{client, value};

/// Bytes of documents that the tests keep in memory: a handful, so that most are read again.
const CACHE: usize = 64 << 10;

/// Makes a snapshot ready and lets `work` use it while its items can be read.
pub(crate) async fn with_edition<T>(
    backup: &Backup,
    manifest: &Manifest,
    heads: &mut Heads,
    work: impl AsyncFnOnce(Arc<Edition>) -> T,
) -> T {
    let vault: Arc<Vault> =
        backup.open_with(vec![backup.operator.clone(), backup.recovery.clone()]).await.unwrap();
    let snapshots = Snapshots::load(&vault, None).await.unwrap();
    let snapshot = OpenSnapshot::open(&vault, &snapshots, manifest).await.unwrap();
    let cache = Arc::new(DocumentCache::new(CACHE));
    let (edition, requests) = open(&snapshot, heads, cache, Arc::from([]), &Silent).await.unwrap();
    tokio::select! {
        () = serve(&snapshot, requests) => panic!("the shelf is in use"),
        done = work(Arc::new(edition)) => done,
    }
}

/// Serves a repository over HTTP; returns the address of its API.
pub(crate) async fn listen(standby: Arc<Standby>, tasks: &mut JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let access = AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() };
    let options = ContentOptions { access, base_url: Some(base.clone()), ..ContentOptions::default() };
    let router = router(standby, options, None);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("{base}/api/v2")
}

async fn get(api: &str, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
    let url = url::Url::parse_with_params(&format!("{api}/documents/search"), parameters).unwrap();
    let answer = client().get(url).send().await.unwrap();
    (answer.status(), value(answer).await)
}

pub(crate) async fn references(api: &str) -> Vec<(String, String)> {
    let root = value(client().get(api).send().await.unwrap()).await;
    let refs = root["refs"].as_array().unwrap().iter();
    refs.map(|entry| (entry["id"].as_str().unwrap().to_owned(), entry["ref"].as_str().unwrap().to_owned()))
        .collect()
}

/// What a repository says at a ref, with everything in it that names server or ref taken out.
async fn said(api: &str, reference: &str, parameters: &[(&str, &str)]) -> String {
    let (status, body) = get(api, &[parameters, &[("ref", reference)]].concat()).await;
    let encoded: String = url::form_urlencoded::byte_serialize(reference.as_bytes()).collect();
    let mut parts = Vec::new();
    for part in body.to_string().split("http://127.0.0.1:") {
        parts.push(part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned());
    }
    let text = parts.join("HOST");
    let text = text.replace(&encoded.replace("%7E", "~"), "REF").replace(&encoded, "REF");
    format!("{status} {text}")
}

const QUERIES: &[&[(&str, &str)]] = &[
    &[],
    &[("lang", "*"), ("pageSize", "100")],
    &[("lang", "*"), ("pageSize", "7"), ("page", "3")],
    &[("lang", "fr-fr")],
    &[("q", r#"[[at(document.type, "blog_post")]]"#), ("lang", "*")],
    &[("q", r#"[[at(my.blog_post.category, "Studio")]]"#), ("lang", "*")],
    &[("q", "[[number.gt(my.product.price, 200)]]"), ("orderings", "[my.product.price desc]")],
    &[("q", "[[has(my.event.position)]]"), ("lang", "*")],
    &[("q", r#"[[geopoint.near(my.event.position, 48.8, 2.3, 20000)]]"#), ("lang", "*")],
    &[("q", r#"[[fulltext(document, "the")]]"#), ("lang", "*"), ("pageSize", "50")],
    &[("q", r#"[[not(document.tags, ["news"])]]"#), ("orderings", "[document.first_publication_date]")],
    &[("q", r#"[[date.after(document.last_publication_date, "2020-01-01")]]"#), ("fetch", "product.price")],
    &[("graphQuery", "{blog_post{...blog_postFields}}"), ("lang", "*"), ("pageSize", "100")],
    &[("fetchLinks", "author.name,author.title,blog_post.category"), ("lang", "*"), ("pageSize", "100")],
    &[("routes", r#"[{"type":"blog_post","path":"/:lang?/blog/:uid"},{"type":"product","path":"/p/:uid"}]"#)],
    &[("q", "[[at(my.nothing.x, 1)]]")],
    &[("q", "[[at(document.type")],
];

#[tokio::test]
async fn a_standby_answers_as_the_repository_did() {
    let source = Source::synthetic(150, 8);
    let backup = Backup::in_memory(1).await;
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    let origin = source.target.endpoints.content_api.as_str().trim_end_matches('/').to_owned();
    let mut heads = Heads::default();
    with_edition(&backup, &manifest, &mut heads, async |edition| {
        assert_eq!((edition.len(), edition.is_complete()), (150, true));
        let mut tasks = JoinSet::new();
        let api = listen(Arc::new(Standby::new(vec![edition])), &mut tasks).await;
        let (here, there) = (references(&api).await, references(&origin).await);
        let ids = |refs: &[(String, String)]| refs.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&here), ids(&there));
        assert!(here.len() > 1, "there is a release");
        assert_eq!(here[0].1, manifest.snapshot.to_string());
        let mut hits = 0;
        for ((_, own), (_, other)) in here.iter().zip(&there) {
            for query in QUERIES {
                let answer = said(&api, own, query).await;
                assert_eq!(answer, said(&origin, other, query).await, "{query:?}");
                hits += usize::from(answer.contains("\"linked_documents\""));
            }
        }
        assert!(hits > 20, "most queries find something: {hits}");
        // By id and by uid, each document.
        let (_, all) = get(&origin, &[("ref", &there[0].1), ("lang", "*"), ("pageSize", "100")]).await;
        for document in all["results"].as_array().unwrap() {
            let by_id = format!("[[at(document.id, {})]]", document["id"]);
            let query = [("q", by_id.as_str()), ("lang", "*")];
            assert_eq!(said(&api, &here[0].1, &query).await, said(&origin, &there[0].1, &query).await);
            let Some(uid) = document["uid"].as_str() else { continue };
            let type_id = document["type"].as_str().unwrap();
            let by_uid = format!(r#"[[at(document.type, "{type_id}")][at(my.{type_id}.uid, "{uid}")]]"#);
            let query = [("q", by_uid.as_str()), ("lang", "*")];
            assert_eq!(said(&api, &here[0].1, &query).await, said(&origin, &there[0].1, &query).await);
        }
    })
    .await;
}

#[tokio::test]
async fn the_next_snapshot_costs_what_changed_and_old_refs_say_where_to_go() {
    let source = Source::synthetic(60, 2);
    let backup = Backup::in_memory(1).await;
    let first = backup.snapshot(&source).await.unwrap().committed.manifest;
    let mut heads = Heads::default();
    let standby = Arc::new(Standby::default());
    let mut tasks = JoinSet::new();
    let api = listen(Arc::clone(&standby), &mut tasks).await;
    let (status, _) = get(&api, &[("ref", "x")]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "nothing is ready");
    with_edition(&backup, &first, &mut heads, async |edition| standby.serve(vec![edition])).await;
    let known = heads.len();
    assert!(known >= 60);

    let changed = source.repository.edit(0.05, 7).unwrap().len();
    let second = backup.snapshot(&source).await.unwrap().committed.manifest;
    with_edition(&backup, &second, &mut heads, async |edition| {
        standby.serve(vec![edition]);
        let (status, body) = get(&api, &[("ref", &first.snapshot.to_string())]).await;
        assert_eq!(status, StatusCode::GONE);
        let end = format!("Master ref is: {}", second.snapshot);
        assert!(body["message"].as_str().unwrap().ends_with(&end), "{body}");
        let (status, body) = get(&api, &[("ref", "never")]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body["message"].as_str().unwrap().ends_with(&end), "{body}");
    })
    .await;
    // Besides those that were edited, those that hold copies of them.
    let learned = heads.len() - known;
    assert!(
        learned >= changed && learned < known / 3,
        "{learned} heads were read, {changed} documents edited"
    );
}

#[tokio::test]
async fn heads_are_kept_for_the_next_start_when_enough_are_new() {
    let source = Source::synthetic(200, 2);
    let mut backup = Backup::in_memory(1).await;
    let cache = tempfile::tempdir().unwrap();
    backup.cache = Some(cache.path().to_owned());
    // Sealed anew each time, so its bytes tell when it was written.
    let key = layout::cached_heads(&source.target.space, &source.target.name);
    let mut manifests = Vec::new();
    for share in [0.0, 0.005, 0.2] {
        if share > 0.0 {
            assert!(!source.repository.edit(share, 7).unwrap().is_empty());
        }
        manifests.push(backup.snapshot(&source).await.unwrap().committed.manifest);
    }
    let open = async |heads: &mut Heads, manifest: &Manifest| {
        with_edition(&backup, manifest, heads, async |edition| assert_eq!(edition.len(), 200)).await;
        backup.open().await.unwrap().cached(&key).unwrap()
    };
    let mut running = Heads::default();
    let first = open(&mut running, &manifests[0]).await;
    assert_eq!(open(&mut running, &manifests[1]).await, first, "one of 200 is read again at the next start");
    let many = open(&mut running, &manifests[2]).await;
    assert_ne!(many, first);
    // Who starts anew reads what the file lacks, and keeps that.
    assert_eq!(open(&mut Heads::default(), &manifests[2]).await, many, "it lacks nothing");
    backup.open().await.unwrap().keep_cached(&key, &first);
    assert_ne!(open(&mut Heads::default(), &manifests[1]).await, first);
}

/// Turns over a byte of the largest pack, near its beginning; returns how many bytes it has.
async fn damage_the_beginning(backup: &Backup) -> usize {
    let store = &backup.stores[0].1;
    let packs = store.list("packs/blog").await.unwrap();
    let largest = packs.iter().max_by_key(|object| object.size).unwrap();
    let mut bytes = store.get(&largest.key, u64::MAX).await.unwrap().to_vec();
    bytes[100] ^= 1;
    let len = bytes.len();
    store.put(&largest.key, Body::bytes(bytes), PutMode::Overwrite).await.unwrap();
    len
}

#[tokio::test]
async fn documents_that_no_replica_gives_are_left_out_and_counted() {
    let source = Source::synthetic(600, 2);
    let mut backup = Backup::in_memory(1).await;
    backup.limits.frame_bytes = 32 << 10;
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    let len = damage_the_beginning(&backup).await;
    assert!(len > 130_000, "several chunks: {len}");
    let mut heads = Heads::default();
    with_edition(&backup, &manifest, &mut heads, async |edition| {
        assert!(edition.lost() > 0 && edition.has_failed());
        assert_eq!(edition.len() + edition.lost(), 600);
        assert!(edition.len() > 100, "{}", edition.len());
        let standby = Arc::new(Standby::new(vec![edition]));
        let mut tasks = JoinSet::new();
        let api = listen(Arc::clone(&standby), &mut tasks).await;
        let master = manifest.snapshot.to_string();
        for page in ["1", "2"] {
            let query = [("ref", master.as_str()), ("lang", "*"), ("pageSize", "50"), ("page", page)];
            assert_eq!(get(&api, &query).await.0, StatusCode::OK);
        }
    })
    .await;
    // Repaired, the next look finds all of it.
    damage_the_beginning(&backup).await;
    with_edition(&backup, &manifest, &mut heads, async |edition| {
        assert_eq!((edition.len(), edition.has_failed()), (600, false));
    })
    .await;
}
