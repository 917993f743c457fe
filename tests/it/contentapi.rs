//! Queries of the Content API over HTTP: grammar, semantics, error bodies.

use std::sync::Arc;

use prismvault::contentapi::{
    AccessMode, Document, Language, Path, Predicate, Query, RepositoryRoot, Scalar, parse_orderings,
};
use prismvault::sandbox::Content;
use proptest::prelude::*;
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
pub(crate) fn zoo() -> Content {
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

pub(crate) fn ids(answer: &Value) -> Vec<&str> {
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
        ("fetch", "product"),
        ("fetchLinks", "author.name.first"),
        ("graphQuery", "{product{title}"),
        ("routes", r#"[{"type":"page","path":"/:section/:uid"}]"#),
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

/// Pieces of queries, so that random ones get past the first bracket.
fn query_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[[".to_owned()),
        Just("]]".to_owned()),
        Just(":d = ".to_owned()),
        Just("at(".to_owned()),
        Just("date.month(my.product.made".to_owned()),
        Just("document.type, ".to_owned()),
        Just("\"é\\\"".to_owned()),
        Just("[1, true]".to_owned()),
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_stops_the_parsers_and_every_error_lies_within_it(text in query_text()) {
        for error in [
            Query::parse(&[&text], |_| true).err(),
            parse_orderings(&text, |_| true).err(),
        ].into_iter().flatten() {
            let lines = text.matches('\n').count() + 1;
            prop_assert!(error.line as usize <= lines);
            prop_assert!(error.column as usize <= text.chars().count() + 1);
        }
        prop_assert!(Document::parse(&text, &["https://a.example"]).is_err());
    }

    #[test]
    fn a_string_survives_the_clients_quoting(text in "[^\\\\]*") {
        let query = format!("[[at(my.product.sku, \"{}\")]]", text.replace('"', "\\\""));
        let parsed = Query::parse(&[&query], |_| true).expect("a valid query");
        let path = Path::Field { type_id: "product".to_owned(), names: vec!["sku".to_owned()] };
        prop_assert_eq!(parsed.predicates, vec![Predicate::At(path, vec![Scalar::Text(text)])]);
    }
}
