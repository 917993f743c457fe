//! Answers of the Content API over HTTP: envelope, paging, headers, sources that fail.

use std::sync::Arc;

use prismvault::contentapi::{
    AccessMode, ContentOptions, ContentSource, DocumentSet, RefAnswer, RefKind, RepositoryRoot, RootRef,
    SourceError, router,
};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::contentapi::{ids, zoo};
use crate::sandbox::{Bench, client, options, value};

#[tokio::test]
async fn the_envelope_counts_and_leads_from_page_to_page() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let (_, master) = bench.search(&[]).await;
    assert_eq!(ids(&master), ["A", "B", "C", "D", "E"], "without lang the master language");
    assert_eq!((&master["page"], &master["results_per_page"]), (&json!(1), &json!(20)));
    assert_eq!((&master["version"], &master["license"]), (&json!("abc1234"), &json!("All Rights Reserved")));

    let (_, second) = bench.search(&[("lang", "*"), ("page", "2"), ("pageSize", "2"), ("x", "a b")]).await;
    assert_eq!(ids(&second), ["C", "D"]);
    let counts = ["page", "results_per_page", "results_size", "total_results_size", "total_pages"];
    assert_eq!(counts.map(|key| second[key].as_u64().unwrap()), [2, 2, 2, 6, 3]);
    let reference = bench.repository.master_ref();
    let base = format!("{}/documents/search?ref={reference}&lang=*&x=a+b", bench.endpoints.content_api);
    assert_eq!(second["next_page"], format!("{base}&page=3&pageSize=2"));
    assert_eq!(second["prev_page"], format!("{base}&page=1&pageSize=2"));
    let next = client().get(second["next_page"].as_str().unwrap()).send().await.unwrap();
    let third = value(next).await;
    assert_eq!((ids(&third), &third["next_page"]), (vec!["E", "F"], &Value::Null));

    let (status, past) = bench.search(&[("page", "99")]).await;
    assert_eq!((status, ids(&past).len(), &past["total_results_size"]), (StatusCode::OK, 0, &json!(5)));
    let (_, none) = bench.search(&[("lang", "xx-xx")]).await;
    assert_eq!((&none["total_pages"], &none["results"]), (&json!(0), &json!([])));
    let (_, large) = bench.search(&[("pageSize", "5000")]).await;
    assert_eq!(large["results_per_page"], 100);
    for (after, expected) in [("B", vec!["C", "D", "E", "F"]), ("F", vec![]), ("nobody", vec![])] {
        let (_, rest) = bench.search(&[("lang", "*"), ("after", after)]).await;
        assert_eq!((ids(&rest), &rest["total_results_size"]), (expected, &json!(6)), "{after}");
    }
}

#[tokio::test]
async fn a_documents_href_finds_it_again() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let (_, answer) = bench.search(&[("q", r#"[[at(document.id, "A")]]"#)]).await;
    let found = &answer["results"][0];
    assert_eq!(found["url"], Value::Null);
    let expected = format!(
        "{}/documents/search?ref={}&q=%5B%5B%3Ad+%3D+at%28document.id%2C+%22A%22%29+%5D%5D",
        bench.endpoints.content_api,
        bench.repository.master_ref()
    );
    assert_eq!(found["href"], expected);
    let again = value(client().get(expected).send().await.unwrap()).await;
    assert_eq!(ids(&again), ["A"]);
}

#[tokio::test]
async fn a_query_that_gets_too_long_is_refused_as_prismic_refuses_it() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let base =
        format!("{}/documents/search?ref={}&x=", bench.endpoints.content_api, bench.repository.master_ref());
    for (length, expected) in [(2047, StatusCode::OK), (2048, StatusCode::URI_TOO_LONG)] {
        let url = format!("{base}{}", "a".repeat(length - base.len()));
        assert_eq!(client().get(url).send().await.unwrap().status(), expected, "{length}");
    }
}

#[tokio::test]
async fn every_page_size_and_order_reads_everything_once() {
    let options_of = SyntheticOptions { documents: 230, assets: 5, ..SyntheticOptions::default() };
    let bench = Bench::new(generate("acme", &options_of).unwrap(), options(AccessMode::Open));
    let (_, first) = bench.search(&[("lang", "*"), ("pageSize", "100")]).await;
    assert_eq!(first["total_results_size"], 230);
    for orderings in ["", "[document.first_publication_date]", "[my.product.price desc,document.type]"] {
        let mut expected: Vec<String> = Vec::new();
        for page_size in ["100", "7"] {
            let mut found = Vec::new();
            for page in 1.. {
                let page = page.to_string();
                let parameters =
                    [("lang", "*"), ("orderings", orderings), ("pageSize", page_size), ("page", &page)];
                let (_, answer) = bench.search(&parameters).await;
                found.extend(ids(&answer).into_iter().map(str::to_owned));
                if answer["next_page"].is_null() {
                    break;
                }
            }
            if expected.is_empty() {
                expected.clone_from(&found);
            }
            assert_eq!(found, expected, "{orderings} {page_size}");
        }
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(expected.len(), 230, "{orderings}");
    }
}

#[tokio::test]
async fn selection_agrees_with_a_naive_reading_of_the_answers() {
    let options_of = SyntheticOptions { documents: 100, assets: 5, seed: 4, ..SyntheticOptions::default() };
    let bench = Bench::new(generate("acme", &options_of).unwrap(), options(AccessMode::Open));
    let (_, all) = bench.search(&[("lang", "*"), ("pageSize", "100")]).await;
    let all = all["results"].as_array().unwrap();
    type Naive = fn(&Value) -> bool;
    let table: [(&str, Naive); 6] = [
        (r#"[[at(document.type, "blog_post")]]"#, |d| d["type"] == "blog_post"),
        ("[[number.gt(my.product.price, 200)]]", |d| {
            d["type"] == "product" && d["data"]["price"].as_f64() > Some(200.0)
        }),
        ("[[has(my.event.position)]]", |d| {
            d["type"] == "event" && d["data"]["position"]["latitude"].is_f64()
        }),
        (r#"[[at(my.blog_post.category, "Studio")]]"#, |d| {
            d["type"] == "blog_post" && d["data"]["category"] == "Studio"
        }),
        (r#"[[date.before(document.first_publication_date, "2021-01-01")]]"#, |d| {
            d["first_publication_date"].as_str() < Some("2021-01-01")
        }),
        (r#"[[not(document.tags, ["news"])]]"#, |d| !d["tags"].as_array().unwrap().contains(&json!("news"))),
    ];
    for (query, naive) in table {
        let expected: Vec<&str> =
            all.iter().filter(|d| naive(d)).map(|d| d["id"].as_str().unwrap()).collect();
        let (_, answer) = bench.search(&[("lang", "*"), ("pageSize", "100"), ("q", query)]).await;
        assert_eq!(ids(&answer), expected, "{query}");
        assert!(!expected.is_empty(), "{query} tests nothing");
    }
}

/// A source that cannot answer.
struct Broken(SourceError);

#[async_trait::async_trait]
impl ContentSource for Broken {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        Err(self.0.clone())
    }

    async fn documents(&self, _reference: &str) -> Result<RefAnswer, SourceError> {
        Err(self.0.clone())
    }
}

/// A source without tags whose only ref is `m`.
struct Plain;

#[async_trait::async_trait]
impl ContentSource for Plain {
    async fn root(&self) -> Result<Arc<RepositoryRoot>, SourceError> {
        let master = RootRef {
            id: "master".to_owned(),
            reference: "m".to_owned(),
            label: "Master".to_owned(),
            is_master: true,
            scheduled_at: None,
        };
        Ok(Arc::new(RepositoryRoot { refs: vec![master], ..RepositoryRoot::default() }))
    }

    async fn documents(&self, _reference: &str) -> Result<RefAnswer, SourceError> {
        Ok(RefAnswer::Found(RefKind::Master, Arc::new(DocumentSet::default())))
    }
}

/// Serves a source until the test ends; returns the base address.
async fn serve(source: impl ContentSource, tasks: &mut tokio::task::JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let access = prismvault::contentapi::AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() };
    let router = router(Arc::new(source), ContentOptions { access, ..ContentOptions::default() }, None);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

#[tokio::test]
async fn a_source_that_fails_is_answered_as_prismic_answers() {
    let mut tasks = tokio::task::JoinSet::new();
    let none = serve(Broken(SourceError::NoRepository), &mut tasks).await;
    let response = client().get(format!("{none}/api/v2")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.bytes().await.unwrap().is_empty(), "no JSON: clients read this as 'no such repository'");
    let broken = serve(Broken(SourceError::Unavailable("away".to_owned())), &mut tasks).await;
    let response = client().get(format!("{broken}/api/v2/documents/search?ref=m")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(value(response).await, json!({"error": "the repository cannot be read: away"}));
}

#[tokio::test]
async fn without_a_base_address_the_host_header_gives_it() {
    let mut tasks = tokio::task::JoinSet::new();
    let base = serve(Plain, &mut tasks).await;
    for path in ["/api/v2", "/api/v2/"] {
        let response = client().get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert_eq!(response.headers()["content-type"], "application/json");
        let root = value(response).await;
        assert_eq!(
            root["forms"]["everything"]["action"],
            format!("{base}/api/v2/documents/search"),
            "{path}"
        );
        assert_eq!((&root["integrationFieldsRef"], &root["tags"]), (&Value::Null, &json!([])));
    }
    let tags = client().get(format!("{base}/api/tags")).send().await.unwrap();
    assert_eq!(tags.status(), StatusCode::NOT_FOUND, "there never was a tag");
    let refused = client().post(format!("{base}/api/v2")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    let preflight =
        client().request(reqwest::Method::OPTIONS, format!("{base}/api/v2")).send().await.unwrap();
    assert_eq!(preflight.headers()["access-control-allow-headers"], "*");
}
