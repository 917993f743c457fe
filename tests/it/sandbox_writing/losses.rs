//! What is lost on the way to the write APIs, and how often they may be asked.

use std::time::Duration;

use prismvault::sandbox::{Api, Endpoint, ErrorRate, Faults, Rates, Traffic};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Form, Writing as _, page, pages, png};
use crate::sandbox::Bench;

async fn is_lost(bench: &Bench, body: &Value) -> bool {
    match bench.ask(Method::POST, "migration-api/documents").body(body.to_string()).send().await {
        Err(error) => {
            assert!(!error.is_timeout() && !error.is_connect(), "{error}");
            true
        }
        Ok(response) => {
            assert_eq!(response.status(), StatusCode::CREATED);
            false
        }
    }
}

#[tokio::test]
async fn a_lost_answer_took_effect_and_a_lost_request_did_not() {
    let bench = pages(json!({}), &[]);
    bench.control.set_faults(Faults {
        lost_answers_to: [(Endpoint::Documents, 2)].into(),
        lost_requests_to: [(Endpoint::Documents, 3)].into(),
        ..Faults::default()
    });
    let mut lost = Vec::new();
    for uid in ["a", "b", "c", "d"] {
        lost.push(is_lost(&bench, &page(uid, "en-us", json!({}))).await);
    }
    assert_eq!(lost, [false, true, true, false]);
    let staged: Vec<Option<String>> =
        bench.repository.staged().into_iter().map(|staged| staged.uid).collect();
    assert_eq!(staged, ["a", "b", "d"].map(|uid| Some(uid.to_owned())));
    bench.control.set_faults(Faults { lost_answers_to: [(Endpoint::Assets, 1)].into(), ..Faults::default() });
    let form = Form::new().file("a.png", &png(1, 1));
    form.onto(bench.ask(Method::POST, "asset-api/assets")).send().await.unwrap_err();
    assert_eq!(bench.repository.library().assets().len(), 1);
    bench
        .control
        .set_faults(Faults { lost_answers_to: [(Endpoint::Publish, 1)].into(), ..Faults::default() });
    bench.ask(Method::POST, "migration-api/migration-release/publish").body("{}").send().await.unwrap_err();
    assert_eq!((bench.repository.staged().len(), bench.repository.documents().len()), (0, 3));
}

#[tokio::test]
async fn a_share_of_the_writes_is_lost_and_no_read() {
    let bench = pages(json!({}), &[]);
    let run = async |from: usize| {
        bench.control.set_faults(Faults {
            seed: 5,
            lost_requests: 0.25,
            lost_answers: 0.25,
            ..Faults::default()
        });
        let before = bench.repository.staged().len();
        let mut lost = 0;
        for number in from..from + 40 {
            lost += usize::from(is_lost(&bench, &page(&format!("p{number}"), "en-us", json!({}))).await);
            bench.assets("limit=1").await;
        }
        (lost, bench.repository.staged().len() - before)
    };
    let first = run(0).await;
    assert!((10..30).contains(&first.0), "{first:?}");
    assert!(first.1 > 40 - first.0 && first.1 < 40, "some of the lost ones happened: {first:?}");
    assert_eq!(run(40).await, first, "the same seed loses the same ones");
}

#[tokio::test]
async fn an_error_may_come_after_the_write_took_effect_or_before() {
    let bench = pages(json!({}), &[]);
    let always = |status| Some(ErrorRate { status, share: 1.0 });
    for (faults, staged) in [
        (Faults { errors: always(503), ..Faults::default() }, 0),
        (Faults { late_errors: always(504), ..Faults::default() }, 1),
    ] {
        bench.control.set_faults(faults);
        let (status, answer) =
            bench.send(Method::POST, "migration-api/documents", &page("a", "en-us", json!({}))).await;
        assert!(status.is_server_error() && answer.as_str().is_some_and(|page| page.starts_with("<html>")));
        assert_eq!(bench.repository.staged().len(), staged, "{status}");
    }
    let reads = bench.ask(Method::GET, "asset-api/tags").send().await.unwrap();
    assert_eq!(reads.status(), StatusCode::OK, "late errors are those of writes");
}

#[tokio::test]
async fn above_the_rate_the_write_apis_answer_429_and_count_it() {
    let bench = pages(json!({}), &[]);
    for number in 0..3 {
        bench.create(&page(&format!("p{number}"), "en-us", json!({}))).await;
    }
    let unlimited = bench.control.traffic(Api::Migration);
    assert_eq!((unlimited.requests, unlimited.refused), (3, 0));
    bench.control.reset_counters();
    bench.control.set_rates(Rates { migration: Some(2), asset: Some(1), types: None });
    // What came before counts as well.
    let mut waited = Duration::ZERO;
    while bench.send(Method::POST, "migration-api/migration-release/publish", &json!({})).await.0
        != StatusCode::ACCEPTED
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited += Duration::from_millis(20);
        assert!(waited < Duration::from_secs(5));
    }
    let traffic = bench.control.traffic(Api::Migration);
    assert_eq!(traffic.requests, traffic.refused + 1, "{traffic:?}");
    let mut statuses = Vec::new();
    for path in ["asset-api/tags", "asset-api/assets", "types-api/slices", "types-api/slices"] {
        let response = bench.ask(Method::GET, path).header("repository", "acme").send().await.unwrap();
        statuses.push(response.status().as_u16());
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(response.headers().get("retry-after"), None);
            assert_eq!(response.text().await.unwrap(), r#"{"message":"API rate limit exceeded"}"#);
        }
    }
    assert_eq!(statuses, [200, 429, 200, 200]);
    assert_eq!(bench.control.traffic(Api::Asset), Traffic { requests: 2, refused: 1, most_in_a_second: 2 });
    // Nobody is let in around it: the limit comes before the token.
    let other =
        bench.client.get(format!("{}/asset-api/nothing", bench.server.base_url())).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::TOO_MANY_REQUESTS);
}
