//! What strangers can send to the Content API, and put into a repository, as functions of bytes: the
//! targets of `cargo fuzz`, and, with the corpus that is kept, a test of every build
//! (`tests/it/hostile_corpus.rs`).
//!
//! Each entry of the engine panics where the engine does what it never may: panic itself (a request that does is
//! a 500), answer with a status that means nothing, or with a body that is not JSON.

#![allow(dead_code, reason = "each target uses one of the entries")]

use std::cell::OnceCell;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Uri};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use prismvault::contentapi::{
    AccessMode, AccessPolicy, ContentOptions, ContentSource, Document, DocumentSet, Language, Query,
    RefAnswer, RefKind, RepositoryRoot, RootRef, SourceError, parse_orderings, router,
};
use prismvault::privacy::channels::{Bounds, Item, Sink, read};
use prismvault::privacy::passage::{Passage, Unsearchable};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The ref of the published content.
const MASTER: &str = "ZmasterZmasterZm";

/// The repository that is asked: documents that link to each other and to nothing, fields of every
/// kind that predicates and selections look at.
#[derive(Debug)]
struct Memory {
    root: Arc<RepositoryRoot>,
    documents: Arc<DocumentSet>,
}

#[async_trait::async_trait]
impl ContentSource for Memory {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        Ok(Arc::clone(&self.root))
    }

    async fn documents(&self, reference: &str) -> Result<RefAnswer, SourceError> {
        Ok(match reference {
            MASTER => RefAnswer::Found(RefKind::Master, Arc::clone(&self.documents)),
            "expired" => RefAnswer::Expired,
            _ => RefAnswer::Unknown,
        })
    }
}

fn document(number: usize, type_id: &str, lang: &str, data: &Value) -> Arc<Document> {
    let text = json!({
        "id": format!("Z{number:015}"), "uid": format!("uid-{number}"), "type": type_id, "lang": lang,
        "tags": ["a", "été"], "slugs": ["a-slug"], "linked_documents": [], "alternate_languages": [],
        "first_publication_date": "2020-02-29T23:59:59+0000", "last_publication_date": "2024-01-01T00:00:00+0000",
        "data": data,
    });
    Arc::new(Document::parse(&text.to_string(), &[]).expect("a document"))
}

fn link(number: usize, type_id: &str) -> Value {
    json!({"link_type": "Document", "id": format!("Z{number:015}"), "type": type_id, "lang": "en-us",
        "uid": format!("uid-{number}"), "isBroken": false})
}

fn memory() -> Memory {
    let text = |text: &str| json!([{"type": "paragraph", "text": text, "spans": []}]);
    let page = |parent: usize| {
        json!({
            "title": text("A page"), "parent": link(parent, "page"), "price": 10.5, "stock": true, "on": "2024-02-29",
            "at": "2024-02-29T12:00:00+0000", "place": {"latitude": 48.8, "longitude": 2.3}, "category": "Studio",
            "group": [{"name": "a", "link": link(parent, "page")}, {"inner": [{"x": 1}]}],
            "body": [{"slice_type": "quote", "variation": "default", "id": "quote$1", "slice_label": null,
                "primary": {"text": text("Words"), "who": link(3, "author")}, "items": [{"x": text("y")}]}],
        })
    };
    let broken = json!({"name": "Nobody", "home": {"link_type": "Document", "id": "Zgone", "type": "page",
        "isBroken": true}, "nothing": null, "empty": {}});
    let documents = [
        document(1, "page", "en-us", &page(2)),
        // In a circle.
        document(2, "page", "en-us", &page(1)),
        document(3, "author", "fr-fr", &broken),
        document(4, "author", "en-us", &json!({})),
    ];
    let language = |id: &str, is_master| Language { id: id.to_owned(), name: id.to_owned(), is_master };
    let root = RepositoryRoot {
        refs: vec![RootRef {
            id: "master".to_owned(),
            reference: MASTER.to_owned(),
            label: "Master".to_owned(),
            is_master: true,
            scheduled_at: None,
        }],
        types: ["page", "author"].map(|id| (id.to_owned(), id.to_owned())).into(),
        languages: vec![language("en-us", true), language("fr-fr", false)],
        tags: Some(vec!["a".to_owned(), "été".to_owned()]),
        ..RepositoryRoot::default()
    };
    Memory { root: Arc::new(root), documents: Arc::new(DocumentSet::new(documents)) }
}

/// A server without a network.
struct Engine {
    runtime: Runtime,
    service: TowerToHyperService<Router>,
}

impl Engine {
    fn new() -> Self {
        let options = ContentOptions {
            access: AccessPolicy { mode: AccessMode::PublicMaster, tokens: Vec::new() },
            base_url: Some("http://localhost".to_owned()),
            url_bytes_max: Some(64 << 10),
            ..ContentOptions::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { runtime, service: TowerToHyperService::new(router(Arc::new(memory()), options, None)) }
    }

    /// Asks for an address; checks what every answer must be.
    fn get(&self, uri: Uri) -> (StatusCode, Option<Value>) {
        let request = Request::builder().uri(uri).body(Body::empty()).expect("an address is all it has");
        let (status, bytes) = self.runtime.block_on(async {
            let response = self.service.call(request).await.expect("it never fails");
            let status = response.status();
            (status, to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory"))
        });
        let allowed = [200, 204, 400, 401, 403, 404, 405, 410, 414];
        assert!(allowed.contains(&status.as_u16()), "{status}");
        let value = serde_json::from_slice(&bytes).ok();
        assert!(
            value.is_some() || !matches!(status.as_u16(), 200 | 400 | 403 | 410),
            "{status} without JSON"
        );
        (status, value)
    }

    /// Searches; what a parameter says is either answered or refused with a place.
    fn search(&self, parameters: &[(&str, &str)]) {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("ref", MASTER).extend_pairs(parameters);
        let uri = format!("/api/v2/documents/search?{}", query.finish());
        // Longer than an address can be for the library is longer than one is for the server.
        let Ok(uri) = uri.parse() else { return };
        let (status, value) = self.get(uri);
        let value = value.unwrap_or_default();
        match status {
            StatusCode::OK => assert!(value["results"].as_array().is_some_and(|found| found.len() <= 4)),
            StatusCode::BAD_REQUEST => {
                assert_eq!(value["type"], "parsing-error");
                assert!(value["pos"]["line"].as_u64() > Some(0) && value["pos"]["column"].as_u64() > Some(0));
            }
            other => assert_eq!(other, StatusCode::URI_TOO_LONG),
        }
    }
}

fn with_engine(work: impl FnOnce(&Engine)) {
    thread_local! {
        static ENGINE: OnceCell<Engine> = const { OnceCell::new() };
    }
    ENGINE.with(|engine| work(engine.get_or_init(Engine::new)));
}

/// A `q` parameter, and the same as orderings: parsed, and carried out where it can be read.
pub(crate) fn predicates(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = Query::parse(&[&text], |_| true);
    if let Err(error) = &parsed {
        assert!(error.message.len() <= 4 * text.len() + 400, "an error grows with the query, not faster");
    }
    drop(parse_orderings(&text, |_| true));
    with_engine(|engine| engine.search(&[("q", &text), ("lang", "*"), ("orderings", &text)]));
    with_engine(|engine| engine.search(&[("q", &text), ("lang", "*")]));
}

/// A `graphQuery` parameter, and the same as `fetch` and `fetchLinks`.
pub(crate) fn graph_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    with_engine(|engine| {
        engine.search(&[("graphQuery", &text), ("lang", "*")]);
        engine.search(&[("fetch", &text), ("fetchLinks", &text), ("lang", "*")]);
    });
}

/// A `routes` parameter, and the same as `brokenRoute`.
pub(crate) fn routes(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    with_engine(|engine| engine.search(&[("routes", &text), ("brokenRoute", &text), ("lang", "*")]));
}

/// An address as it comes over the network: path and query, not necessarily well-formed.
pub(crate) fn address(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    with_engine(|engine| drop(engine.get(uri)));
}

/// Counts what is handed out.
#[derive(Default)]
struct Handed {
    passages: usize,
    text: usize,
    unsearchable: usize,
}

impl Sink for Handed {
    fn passage(&mut self, passage: Passage<'_>) {
        self.passages += 1;
        self.text += passage.text.len();
    }

    fn unsearchable(&mut self, _: Unsearchable) {
        self.unsearchable += 1;
    }
}

/// A file of the media library, and the same bytes as a document and as what the library says of a file:
/// read for people in it, within the bounds, and never with nothing said.
pub(crate) fn item(bytes: &[u8]) {
    let bounds =
        Bounds { unpacked_max: 16 << 20, text_max: 16 << 20, passages_max: 100_000, ..Bounds::default() };
    for path in
        ["assets/a/original", "documents/en-us/page/a.json", "assets/a/metadata.json", "repository/tags.json"]
    {
        for file_name in [None, Some("a.csv"), Some("a.html")] {
            let mut handed = Handed::default();
            read(Item { path, file_name, bytes }, &bounds, &mut handed);
            assert!(handed.passages <= bounds.passages_max && handed.text <= bounds.text_max);
            assert!(handed.unsearchable <= bounds.unsearchable_max + 2);
        }
    }
}
