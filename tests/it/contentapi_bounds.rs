//! What strangers ask to do harm: searches without end, answers without end, nonsense. Each gets the
//! status that is its due, in bounded time, and others are answered meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prismvault::contentapi::{
    AccessMode, AccessPolicy, Bodies, ContentOptions, ContentSource, Document, DocumentSet, Found, Head,
    Language, RefAnswer, RefKind, RepositoryRoot, RootRef, Slots, SourceError, router,
};
use prismvault::limits::Limits;
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::sandbox::{client, value};

/// Documents that are handed over only while the gate is open.
#[derive(Debug)]
struct Gated {
    documents: Vec<Arc<Document>>,
    is_open: Mutex<bool>,
    opened: Condvar,
    /// Whether what is asked for is in memory as well.
    keeps: bool,
    /// How many wait at the gate, or went through.
    came: AtomicUsize,
}

impl Gated {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[derive(Debug)]
struct Shared(Arc<Gated>);

impl Bodies for Shared {
    fn each(&self, places: &[u32], found: &mut Found<'_>) -> Result<(), SourceError> {
        self.0.came.fetch_add(1, Ordering::Relaxed);
        for place in places {
            let mut is_open = self.0.is_open.lock().unwrap();
            while !*is_open {
                is_open = self.0.opened.wait(is_open).unwrap();
            }
            drop(is_open);
            found(*place, &self.0.documents[*place as usize])?;
        }
        Ok(())
    }

    fn kept(&self, place: u32) -> Option<Arc<Document>> {
        self.0.keeps.then(|| Arc::clone(&self.0.documents[place as usize]))
    }
}

#[derive(Debug)]
struct Repository {
    root: Arc<RepositoryRoot>,
    set: Arc<DocumentSet>,
}

#[async_trait]
impl ContentSource for Repository {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        Ok(Arc::clone(&self.root))
    }

    async fn documents(&self, reference: &str) -> Result<RefAnswer, SourceError> {
        Ok(match reference {
            "master" => RefAnswer::Found(RefKind::Master, Arc::clone(&self.set)),
            _ => RefAnswer::Unknown,
        })
    }
}

/// Pages that all link to each other, many times each.
fn web(pages: usize, links: usize) -> Vec<Arc<Document>> {
    let id = |number: usize| format!("Page{number:012}");
    let page = |number: usize| {
        let link = |to: usize| json!({"next": {"link_type": "Document", "id": id((number + to) % pages), "type": "page", "isBroken": false}});
        let text = json!({
            "id": id(number), "uid": format!("page-{number}"), "type": "page", "lang": "en-us", "tags": [],
            "slugs": [], "first_publication_date": null, "last_publication_date": null,
            "data": {"title": "A page", "links": (1..=links).map(link).collect::<Vec<_>>()},
        });
        Arc::new(Document::parse(&text.to_string(), &[]).unwrap())
    };
    (0..pages).map(page).collect()
}

struct Site {
    gate: Arc<Gated>,
    base: String,
    _tasks: JoinSet<()>,
}

impl Site {
    async fn new(documents: Vec<Arc<Document>>, limits: Limits, keeps: bool) -> Self {
        let heads: Vec<(Arc<Head>, u32)> =
            (0..).zip(&documents).map(|(place, document)| (Arc::new(document.head.clone()), place)).collect();
        let gate = Arc::new(Gated {
            documents,
            is_open: Mutex::new(false),
            opened: Condvar::new(),
            keeps,
            came: AtomicUsize::new(0),
        });
        let bodies = Arc::new(Shared(Arc::clone(&gate)));
        let set = Arc::new(DocumentSet::kept_elsewhere(heads, |_| bodies));
        let master = RootRef {
            id: "master".to_owned(),
            reference: "master".to_owned(),
            label: "Master".to_owned(),
            is_master: true,
            scheduled_at: None,
        };
        let language = Language { id: "en-us".to_owned(), name: "English".to_owned(), is_master: true };
        let root = Arc::new(RepositoryRoot {
            refs: vec![master],
            types: vec![("page".to_owned(), "Page".to_owned())],
            languages: vec![language],
            ..RepositoryRoot::default()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v2", listener.local_addr().unwrap());
        let options = ContentOptions {
            access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
            url_bytes_max: Some(8 << 10),
            slots: Arc::new(Slots::new(&limits)),
            limits,
            ..ContentOptions::default()
        };
        let router = router(Arc::new(Repository { root, set }), options, None);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { gate, base, _tasks: tasks }
    }

    async fn opened(documents: Vec<Arc<Document>>) -> Self {
        let site = Self::new(documents, Limits::default(), true).await;
        site.gate.open();
        site
    }

    fn address(&self, parameters: &[(&str, &str)]) -> url::Url {
        let all = [&[("ref", "master")], parameters].concat();
        url::Url::parse_with_params(&format!("{}/documents/search", self.base), all).unwrap()
    }

    async fn search(&self, parameters: &[(&str, &str)]) -> Response {
        client().get(self.address(parameters)).send().await.unwrap()
    }
}

const BY_ID: &[(&str, &str)] = &[("q", "[[at(document.id, \"Page000000000003\")]]")];
const BY_TEXT: &[(&str, &str)] = &[("q", "[[fulltext(document, \"page\")]]")];

async fn error_of(response: Response) -> String {
    value(response).await["error"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_look_into_everything_have_few_places_and_pages_are_answered_beside_them() {
    let limits = Limits {
        heavy_queries: 1,
        light_queries: 1,
        query_wait: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = Site::new(web(10, 2), limits, true).await;
    // Another heavy one fills its place until the gate opens.
    let address = site.address(BY_TEXT);
    let mut first = JoinSet::new();
    first.spawn(async move { client().get(address).send().await.unwrap() });
    while site.gate.came.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let refused = site.search(&[("q", "[[similar(\"Page000000000003\", 10)]]")]).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(error_of(refused).await, "There are too many searches at once.");
    // What is in memory and found by its id waits for nobody.
    assert_eq!(site.search(BY_ID).await.status(), StatusCode::OK);
    site.gate.open();
    assert_eq!(first.join_next().await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(site.search(BY_TEXT).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_hangs_or_takes_too_long_is_a_503_that_says_so() {
    let limits = Limits { query_time: Duration::from_millis(100), ..Limits::default() };
    let site = Site::new(web(10, 2), limits, false).await;
    for query in [BY_ID, BY_TEXT] {
        let response = site.search(query).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(error_of(response).await, "the search takes too long");
    }
    site.gate.open();
    assert_eq!(site.search(BY_ID).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_link_to_each_other_are_not_embedded_without_end() {
    let site = Site::opened(web(40, 40)).await;
    let mut query = "title".to_owned();
    for _ in 0..8 {
        query = format!("title links{{next{{...on page{{{query}}}}}}}");
    }
    let graph = format!("{{page{{{query}}}}}");
    let begun = Instant::now();
    let response = site.search(&[("graphQuery", &graph), ("pageSize", "100")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body = value(response).await;
    assert!(body["message"].as_str().unwrap().contains("embedded too often"), "{body}");
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    // What is asked for in measure is answered.
    let graph = "{page{title links{next{...on page{title}}}}}";
    assert_eq!(site.search(&[("graphQuery", graph), ("pageSize", "100")]).await.status(), StatusCode::OK);
    let limits = Limits { linked_bytes_max: 1_000, ..Limits::default() };
    let small = Site::new(web(40, 40), limits, true).await;
    small.gate.open();
    let response = small.search(&[("fetchLinks", "page.title")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(value(response).await["message"].as_str().unwrap().contains("too large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_parameters_get_their_status_soon_and_break_nothing() {
    let site = Site::opened(web(50, 3)).await;
    let list = |count: usize| (0..count).map(|n| format!("\"x{n}\"")).collect::<Vec<_>>().join(",");
    let nested = |open: &str, count: usize| open.repeat(count);
    let table: Vec<(&str, String, u16)> = vec![
        ("q", format!("[[any(document.id, [{}])]]", list(500)), 200),
        ("q", format!("[[any(document.tags, [{}])]]", list(500)), 200),
        ("q", format!("[[in(my.page.uid, [{}])]]", list(500)), 200),
        ("q", format!("[{}]", "[has(my.page.title)]".repeat(150)), 200),
        ("q", format!("[[at(my.page.{}, 1)]]", "a.".repeat(1_000) + "a"), 200),
        ("q", format!("[[fulltext(document, \"{}\")]]", "a ".repeat(1_500)), 200),
        ("q", format!("[[similar(\"{}\", 1e300)]]", "x".repeat(4_000)), 200),
        ("q", nested("[", 2_000), 400),
        ("q", nested("[[at(", 500), 400),
        ("q", format!("[[at(document.type, {})]]", nested("[", 2_000)), 400),
        ("q", "[[at(document.type, \"\0\u{202e}\u{feff}\")]]".to_owned(), 200),
        ("q", "[[number.lt(my.page.title, 1e999)]]".to_owned(), 400),
        ("q", "[[geopoint.near(my.page.title, NaN, inf, -1)]]".to_owned(), 400),
        ("q", "[[date.between(my.page.title, -9e18, 9e18)]]".to_owned(), 200),
        ("q", "[[date.after(document.last_publication_date, \"9999999-99-99\")]]".to_owned(), 400),
        ("orderings", format!("[{}]", "document.id,".repeat(400) + "document.id"), 200),
        ("graphQuery", nested("{a", 2_000), 400),
        ("graphQuery", nested("{", 2_000), 400),
        ("graphQuery", format!("{{page{{{}}}}}", "title ".repeat(800)), 200),
        ("graphQuery", "{page{...on page{...on page{...}}}}".to_owned(), 400),
        ("fetch", format!("page.{}", "a,page.".repeat(600) + "b"), 200),
        ("fetchLinks", "....".to_owned(), 400),
        ("routes", nested("[", 2_000), 400),
        ("routes", nested("{\"a\":", 500), 400),
        ("routes", format!("[{{\"type\":\"page\",\"path\":\"{}\"}}]", "/a".repeat(1_500)), 200),
        ("page", "99999999999999999999999".to_owned(), 400),
        ("page", "18446744073709551615".to_owned(), 200),
        ("pageSize", "18446744073709551615".to_owned(), 200),
        ("after", "x".repeat(5_000), 200),
        ("lang", "x".repeat(5_000), 200),
        ("ref", "x".repeat(3_000), 200),
        ("q", "x".repeat(9_000), 414),
    ];
    for (name, text, expected) in &table {
        let begun = Instant::now();
        let response = site.search(&[(name, text)]).await;
        let shown: String = text.chars().take(60).collect();
        assert_eq!(
            response.status().as_u16(),
            *expected,
            "{name}={shown}: {}",
            response.text().await.unwrap()
        );
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}={shown}: {:?}", begun.elapsed());
    }
    // Not UTF-8, and not even percent-encoding.
    for (query, expected) in [
        ("q=%FF%FE%C0%80", 400),
        ("q=%5B%5Bat(document.type,%22%FF%22)%5D%5D", 200),
        ("graphQuery=%F0%9F", 400),
        ("routes=%ED%A0%80", 400),
        ("lang=%FF", 200),
        ("q=%ZZ%", 400),
        ("&&&=&=&%00=%00", 200),
    ] {
        let address = format!("{}/documents/search?ref=master&{query}", site.base);
        let response = client().get(&address).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{query}: {}", response.text().await.unwrap());
    }
    let unknown = format!("{}/documents/search?ref={}", site.base, "%FF".repeat(1_000));
    let response = client().get(&unknown).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let body: Value = value(response).await;
    assert!(body["message"].as_str().unwrap().ends_with("Master ref is: master"), "{body}");
    assert_eq!(site.search(BY_ID).await.status(), StatusCode::OK, "it is still there");
}
