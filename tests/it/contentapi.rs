//! The Content API over HTTP: grammar, semantics, envelope and error bodies.

use std::sync::Arc;

use prismvault::contentapi::{
    AccessMode, ContentOptions, ContentSource, Document, DocumentSet, Language, Query, RefAnswer, RefKind,
    RepositoryRoot, RootRef, SourceError, router,
};
use prismvault::sandbox::Content;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::{Bench, client, options, value};

fn document(id: &str, type_id: &str, head: Value, data: Value) -> Arc<Document> {
    let mut document = json!({
        "id": id, "uid": null, "type": type_id, "tags": [], "lang": "en-us", "slugs": ["-"],
        "first_publication_date": "2020-01-01T00:00:00+0000",
        "last_publication_date": "2020-01-01T00:00:00+0000",
        "alternate_languages": [], "data": data,
    });
    for (key, value) in head.as_object().unwrap() {
        document[key] = value.clone();
    }
    Arc::new(Document::parse(&document.to_string(), &[]).unwrap())
}

fn rich(text: &str) -> Value {
    json!([{"type": "paragraph", "text": text, "spans": []}])
}

/// Six documents that differ in everything a predicate can ask for. By default the newest
/// publication comes first: A, B, C, D, E, F.
fn zoo() -> Content {
    let product = |id: &str, day: u32, uid: &str, tags: Value, slug: &str, data: Value| {
        let date = format!("2024-02-{day:02}T13:30:00+0000");
        let head = json!({"uid": uid, "tags": tags, "slugs": [slug], "first_publication_date": "2021-06-15T08:00:00+0000",
            "last_publication_date": date});
        document(id, "product", head, data)
    };
    let documents = vec![
        product(
            "A",
            29,
            "lamp",
            json!(["news", "Été"]),
            "brass-lamp",
            json!({
                "title": rich("Brass Lamp"), "price": 10.0, "sku": "L-1", "sold": true, "made": "2020-02-03",
                "at": "2020-02-03T12:13:14+0000", "place": {"latitude": 48.85, "longitude": 2.35},
                "maker": {"link_type": "Document", "id": "E", "type": "author"},
                "parts": [{"name": "shade", "link": {"link_type": "Document", "id": "E"}}, {"name": "foot"}],
                "image": {"id": "i", "url": "u", "dimensions": {"width": 1, "height": 1}},
            }),
        ),
        product(
            "B",
            28,
            "chair",
            json!(["news"]),
            "oak-chair",
            json!({
                "title": rich("Oak chair, \"old\" style"), "price": 25, "sku": "C-1", "sold": false, "made": "2021-12-31",
                "place": {"latitude": 51.5, "longitude": -0.12}, "maker": {"link_type": "Document"},
                "parts": [{}], "image": {"id": null, "url": null, "dimensions": null},
            }),
        ),
        product(
            "C",
            27,
            "table",
            json!([]),
            "brass-table",
            json!({
                "title": rich("Table"), "price": null, "sku": "", "place": {}, "maker": {"link_type": "Any"}, "parts": [],
                "image": {},
            }),
        ),
        product(
            "D",
            26,
            "lampe",
            json!(["old"]),
            "lampe",
            json!({"title": rich("Lampe à huile"), "price": 7.5}),
        ),
        document(
            "E",
            "author",
            json!({"uid": "ann", "lang": "en-us", "last_publication_date": "2022-03-07T00:30:00+0000"}),
            json!({"name": "Ann O'Brass", "bio": [{"type": "image", "url": "brass", "dimensions": {"width": 1}}]}),
        ),
        document(
            "F",
            "author",
            json!({"uid": "anne", "lang": "fr-fr", "first_publication_date": null, "last_publication_date": null}),
            json!({"name": "Anne"}),
        ),
    ];
    let root = RepositoryRoot {
        languages: vec![
            Language { id: "en-us".to_owned(), name: "English".to_owned(), is_master: true },
            Language { id: "fr-fr".to_owned(), name: "French".to_owned(), is_master: false },
        ],
        version: "abc1234".to_owned(),
        license: "All Rights Reserved".to_owned(),
        ..RepositoryRoot::default()
    };
    Content { root, documents, ..Content::default() }
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|document| document["id"].as_str().unwrap()).collect()
}

async fn expect_ids(bench: &Bench, table: &[(&str, &str)]) {
    for (query, expected) in table {
        let (status, answer) = bench.search(&[("lang", "*"), ("q", query)]).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(ids(&answer), expected, "{query}");
        assert_eq!(answer["total_results_size"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn every_predicate_selects_what_its_documentation_says() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    expect_ids(&bench, &[
        (r#"[[at(document.type, "product")]]"#, "A B C D"),
        (r#"[[:d = at(document.id, "B")]]"#, "B"),
        (r#"[[at(document.lang, "fr-fr")]]"#, "F"),
        (r#"[[at(document.tags, ["news"])]]"#, "A B"),
        (r#"[[at(document.tags, ["news", "Été"])]]"#, "A"),
        (r#"[[at(document.tags, "old")]]"#, "D"),
        (r#"[[at(my.product.uid, "lamp")]]"#, "A"),
        (r#"[[at(my.author.uid, "lamp")]]"#, ""),
        (r#"[[at(my.product.sku, "L-1")]]"#, "A"),
        (r#"[[at(my.product.price, 10)]]"#, "A"),
        (r#"[[at(my.product.price, 25.0)]]"#, "B"),
        (r#"[[at(my.product.sold, false)]]"#, "B"),
        (r#"[[at(my.product.made, "2020-02-03")]]"#, "A"),
        // Equality does not work on timestamps.
        (r#"[[at(my.product.at, "2020-02-03T12:13:14+0000")]]"#, ""),
        (r#"[[at(my.product.maker, "E")]]"#, "A"),
        (r#"[[at(my.product.parts.link, "E")]]"#, "A"),
        (r#"[[at(my.product.parts.name, "foot")]]"#, "A"),
        (r#"[[at(my.product.nothing, "x")]]"#, ""),
        (r#"[[not(document.type, "product")]]"#, "E F"),
        (r#"[[not(document.tags, ["news"])]]"#, "C D E F"),
        (r#"[[not(my.product.sku, "L-1")]]"#, "B C D"),
        (r#"[[any(document.type, ["author", "nobody"])]]"#, "E F"),
        (r#"[[any(document.id, ["F", "A", "A"])]]"#, "A F"),
        (r#"[[any(document.tags, ["old", "Été"])]]"#, "A D"),
        (r#"[[any(my.product.price, [25, 7.5])]]"#, "B D"),
        (r#"[[any(document.type, [])]]"#, ""),
        (r#"[[in(document.id, ["D", "nobody", "A"])]]"#, "D A"),
        (r#"[[in(my.product.uid, ["table", "lamp", "ann"])]]"#, "C A"),
        (r#"[[fulltext(document, "brass")]]"#, "A E"),
        (r#"[[fulltext(document, "BRASS lamp")]]"#, "A"),
        (r#"[[fulltext(document, "chair \"old")]]"#, "B"),
        (r#"[[fulltext(my.product.title, "à")]]"#, "D"),
        (r#"[[fulltext(my.product.uid, "lampe")]]"#, "D"),
        (r#"[[fulltext(document, "")]]"#, ""),
        ("[[has(my.product.price)]]", "A B D"),
        ("[[missing(my.product.price)]]", "C"),
        ("[[missing(my.product.sku)]]", "C D"),
        ("[[has(my.product.maker)]]", "A"),
        ("[[has(my.product.image)]]", "A"),
        ("[[missing(my.product.parts)]]", "B C D"),
        ("[[has(my.product.sold)]]", "A B"),
        ("[[number.lt(my.product.price, 10)]]", "D"),
        ("[[number.gt(my.product.price, 10)]]", "B"),
        ("[[number.inRange(my.product.price, 7.5, 10)]]", "A D"),
        ("[[geopoint.near(my.product.place, 51.0, 0.0, 1000)]]", "B A"),
        ("[[geopoint.near(my.product.place, 48.8, 2.3, 50)]]", "A"),
        (r#"[[similar("A", 10)]]"#, "B C"),
        (r#"[[similar("A", 1)]]"#, ""),
        (r#"[[similar("nobody", 10)]]"#, ""),
        (r#"[[at(document.type, "product")][at(document.tags, ["news"])][number.gt(my.product.price, 10)]]"#, "B"),
        (" [ [ at ( document.type , \"author\" ) ] ] ", "E F"),
    ])
    .await;
}

#[tokio::test]
async fn dates_are_compared_as_instants_and_by_their_parts() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    expect_ids(&bench, &[
        (r#"[[date.after(document.last_publication_date, "2024-02-28")]]"#, "A B"),
        (r#"[[date.after(document.last_publication_date, "2024-02-28T13:30:00+0000")]]"#, "A"),
        (r#"[[date.after(document.last_publication_date, "2024-02-28T14:29:59+0100")]]"#, "A B"),
        ("[[date.before(document.last_publication_date, 1646613000001)]]", "E"),
        ("[[date.before(document.last_publication_date, 1646613000000)]]", ""),
        (r#"[[date.between(document.last_publication_date, "2024-02-27T13:30:00+0000", "2024-02-28T13:30:00+0000")]]"#, "B C"),
        (r#"[[date.before(my.product.made, "2021-12-31")]]"#, "A"),
        (r#"[[date.after(my.product.at, "2020-02-03T12:13:13+0000")]]"#, "A"),
        ("[[date.day-of-month(document.last_publication_date, 29)]]", "A"),
        ("[[date.day-of-month-before(my.product.made, 31)]]", "A"),
        ("[[date.day-of-month-after(my.product.made, 3)]]", "B"),
        // 2024-02-29 was a Thursday, 2022-03-07 a Monday.
        (r#"[[date.day-of-week(document.last_publication_date, "Thursday")]]"#, "A"),
        (r#"[[date.day-of-week-before(document.last_publication_date, "TUE")]]"#, "D E"),
        ("[[date.day-of-week-after(document.last_publication_date, 3)]]", "A"),
        (r#"[[date.month(document.last_publication_date, "march")]]"#, "E"),
        ("[[date.month-before(document.last_publication_date, 3)]]", "A B C D"),
        (r#"[[date.month-after(my.product.made, "Feb")]]"#, "B"),
        ("[[date.year(document.first_publication_date, 2020)]]", "E"),
        ("[[date.hour(document.last_publication_date, 0)]]", "E"),
        ("[[date.hour-before(document.last_publication_date, 13)]]", "E"),
        ("[[date.hour-after(document.first_publication_date, 7)]]", "A B C D"),
        ("[[date.hour(my.product.made, 0)]]", "A B"),
    ])
    .await;
}

#[tokio::test]
async fn orderings_put_values_in_order_and_what_has_none_last() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    for (orderings, expected) in [
        ("", "A B C D E F"),
        ("[]", "A B C D E F"),
        ("[document.first_publication_date]", "E A B C D F"),
        ("[document.last_publication_date desc]", "A B C D E F"),
        ("[document.last_publication_date]", "E D C B A F"),
        ("[my.product.price]", "D A B C E F"),
        ("[my.product.price desc]", "B A D C E F"),
        ("[my.product.title]", "A D B C E F"),
        ("[document.type, my.product.uid desc]", "E F C D A B"),
        ("my.product.sold desc", "A B C D E F"),
        ("[document.lang desc,document.id desc]", "F E D C B A"),
    ] {
        let (status, answer) = bench.search(&[("lang", "*"), ("orderings", orderings)]).await;
        assert_eq!(status, StatusCode::OK, "{orderings}: {answer}");
        assert_eq!(ids(&answer).join(" "), expected, "{orderings}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_gets_prismics_error_with_its_place() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    for (query, column, what) in [
        ("", 1, "`[' expected but end of query found"),
        ("[]", 2, "`[' expected but `]' found"),
        ("[[]]", 3, "a function expected but `]' found"),
        ("[[at]]", 5, "`(' expected but `]' found"),
        (r#"[[at(document.type "x")]]"#, 20, "`,' expected but `\"' found"),
        (r#"[[at(document.type, "x"]]"#, 24, "`,' expected but `]' found"),
        (r#"[[at(document.type, "x")]"#, 26, "`[' expected but end of query found"),
        (r#"[[at(document.type, "x")]]]"#, 27, "end of query expected but `]' found"),
        (r#"[[at(document.type, "x)]]"#, 26, "`\"' expected but end of query found"),
        (r"[[at(document.type, x)]]", 21, "a value expected but `x' found"),
        (r#"[[at(document.nothing, "x")]]"#, 6, "[function at(..)] unexpected field 'document.nothing'"),
        (r#"[[at(my.unknown.x, "x")]]"#, 6, "[function at(..)] unexpected field 'my.unknown.x'"),
        (r#"[[at(my.product, "x")]]"#, 6, "[function at(..)] unexpected field 'my.product'"),
        (r#"[[at(document, "x")]]"#, 6, "[function at(..)] unexpected field 'document'"),
        (r#"[[at(document.first_publication_date, "x")]]"#, 6, "[function at(..)] unexpected field"),
        (r#"[[at("x")]]"#, 6, "[function at(..)] a field is expected"),
        (r#"[[at(document.type, "x", "y")]]"#, 26, "[function at(..)] unexpected number of values"),
        (r#"[[at(document.type, ["x"])]]"#, 21, "[function at(..)] unexpected list"),
        (r#"[[at(document.type, [["x"]])]]"#, 22, "a value expected but `[' found"),
        (r#"[[any(document.type, "x")]]"#, 22, "[function any(..)] a list is expected"),
        (r#"[[in(document.type, ["x"])]]"#, 6, "[function in(..)] unexpected field 'document.type'"),
        ("[[in(document.id, [1])]]", 19, "[function in(..)] a list of strings is expected"),
        (r#"[[fulltext(document.id, "x")]]"#, 12, "[function fulltext(..)] unexpected field"),
        (r#"[[has(my.product.price, "x")]]"#, 25, "[function has(..)] unexpected number of values"),
        ("[[missing(document.tags)]]", 11, "[function missing(..)] unexpected field"),
        ("[[number.lt(my.product.price, \"1\")]]", 31, "[function number.lt(..)] a number is expected"),
        ("[[number.le(my.product.price, 1)]]", 3, "unknown function 'number.le'"),
        ("[[number.lt(document.id, 1)]]", 13, "[function number.lt(..)] unexpected field"),
        ("[[geopoint.near(my.product.place, 1, 2)]]", 3, "[function geopoint.near(..)] unexpected number"),
        (r#"[[date.after(my.product.made, "soon")]]"#, 31, "[function date.after(..)] a date is expected"),
        ("[[date.month(my.product.made, 13)]]", 31, "[function date.month(..)] unexpected value"),
        (r#"[[date.month(my.product.made, "mAy")]]"#, 31, "[function date.month(..)] unexpected value"),
        ("[[date.year-after(my.product.made, 1)]]", 3, "unknown function 'date.year-after'"),
        ("[[similar(document.id, \"A\", 1)]]", 11, "[function similar(..)] unexpected field"),
        ("[[at(document.type, 1e999)]]", 21, "a value expected"),
        ("[[near(document.type, 1)]]", 3, "unknown function 'near'"),
    ] {
        // An empty parameter is left out by clients; the parser itself refuses it.
        let error = Query::parse(&[query], |id| id != "unknown").expect_err(query);
        assert!(error.message.starts_with(what), "{query}: {}", error.message);
        assert_eq!((error.line, error.column), (1, column), "{query}");
        if query.is_empty() {
            continue;
        }
        let (status, body) = bench.search(&[("q", query)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(body["type"], "parsing-error");
        assert_eq!(
            body["pos"],
            json!({"line": 1, "column": column, "id": 0, "location": "query"}),
            "{query}"
        );
        assert!(body["message"].as_str().unwrap().starts_with(what), "{query}: {body}");
    }
}

#[tokio::test]
async fn the_error_shows_the_query_and_a_caret_as_prismic_does() {
    let query = "[[at(document.type, \"product\")][at(my.article.title, \"x\")]]";
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    let (status, body) = bench.search(&[("q", "[[has(my.product.price)]]"), ("q", query)]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let caret = format!("{}^", " ".repeat(35));
    let expected = format!(
        "[function at(..)] unexpected field 'my.article.title' on line:1 col:36 in query '{query}'\n{query}\n{caret}\n"
    );
    let pos = json!({"line": 1, "column": 36, "id": 1, "location": "query"});
    assert_eq!(body, json!({"type": "parsing-error", "message": expected, "pos": pos}));
    let error = Query::parse(&["[\n [at(é)]]"], |_| true).expect_err("a field without values");
    assert_eq!((error.line, error.column), (2, 6), "{}", error.message);
}

#[tokio::test]
async fn parameters_that_would_change_the_answer_are_refused_not_ignored() {
    let bench = Bench::new(zoo(), options(AccessMode::Open));
    for (name, text) in [
        ("fetch", "product.title"),
        ("fetchLinks", "author.name"),
        ("graphQuery", "{product{title}}"),
        ("routes", r#"[{"type":"page","path":"/:uid"}]"#),
        ("page", "0"),
        ("page", "two"),
        ("pageSize", "-1"),
        ("orderings", "[my.nothing.x]"),
        ("orderings", "[document.id up]"),
        ("orderings", "[document.tags]"),
    ] {
        let (status, body) = bench.search(&[(name, text)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}={text}: {body}");
        assert_eq!(
            (&body["type"], &body["pos"]["location"]),
            (&json!("parsing-error"), &json!(name)),
            "{body}"
        );
    }
    // Unknown ones and empty ones are ignored, as Prismic ignores them.
    let (status, body) = bench
        .search(&[
            ("x-c", "js-7"),
            ("format", "json"),
            ("fetch", ""),
            ("integrationFieldsRef", "x"),
            ("routes", "[]"),
        ])
        .await;
    assert_eq!((status, &body["total_results_size"]), (StatusCode::OK, &json!(5)));
    let without_ref = format!("{}/documents/search", bench.endpoints.content_api);
    let response = client().get(without_ref).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(value(response).await["type"], "parsing-error");
}

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
