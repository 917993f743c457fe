//! Each fault of the sandbox, as a client meets it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prismvault::contentapi::AccessMode;
use prismvault::retry::parse_retry_after;
use prismvault::sandbox::{Endpoint, ErrorRate, Faults, RateLimit, RetryAfter, Torn};
use reqwest::StatusCode;
use serde_json::Value;

use crate::sandbox::{Bench, MASTER_TOKEN, WRITE_TOKEN, value};

fn only(endpoint: Endpoint) -> Option<BTreeSet<Endpoint>> {
    Some(BTreeSet::from([endpoint]))
}

async fn page(bench: &Bench, number: &str) -> Value {
    let (status, body) = bench.search(&[("lang", "*"), ("pageSize", "20"), ("page", number)]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

#[tokio::test]
async fn latency_delays_the_endpoints_it_is_for() {
    let bench = Bench::small(AccessMode::Open);
    let latency = Duration::from_millis(40);
    bench.control.set_faults(Faults { latency, endpoints: only(Endpoint::Search), ..Faults::default() });
    let start = Instant::now();
    page(&bench, "1").await;
    assert!(start.elapsed() >= latency);
}

#[tokio::test]
async fn errors_hit_a_share_of_the_requests_and_a_retry_draws_again() {
    let bench = Bench::small(AccessMode::Open);
    let errors = Some(ErrorRate { status: 502, share: 0.5 });
    let run = async || {
        bench.control.set_faults(Faults { seed: 3, errors: errors.clone(), ..Faults::default() });
        let mut statuses = Vec::new();
        for number in 0..20 {
            let number = (number % 10 + 1).to_string();
            let query = format!("ref={}&page={number}", bench.repository.master_ref());
            let response =
                bench.get(&format!("{}/documents/search?{query}", bench.endpoints.content_api)).await;
            statuses.push(response.status().as_u16());
            if response.status() == 502 {
                assert!(
                    response.text().await.unwrap().starts_with("<html>"),
                    "a gateway does not speak JSON"
                );
            }
        }
        statuses
    };
    let first = run().await;
    assert_eq!(first, run().await, "the same seed hits the same requests");
    assert!(first.contains(&200) && first.contains(&502));
    assert_ne!(first[..10], first[10..], "the second time an address is asked for is another draw");
    let (failed, passed) =
        (bench.control.answers(Endpoint::Search, 502), bench.control.answers(Endpoint::Search, 200));
    assert_eq!((failed + passed, failed > 0, passed > 0), (40, true, true));
    bench.control.set_faults(Faults::default());
    page(&bench, "1").await;
}

#[tokio::test]
async fn above_the_rate_the_answer_is_429_with_the_chosen_retry_after() {
    let bench = Bench::small(AccessMode::Open);
    let url = format!("{}/assets", bench.endpoints.asset_api);
    for (retry_after, check) in [
        (RetryAfter::Absent, None),
        (RetryAfter::Seconds(7), Some(7)),
        (RetryAfter::Date(30), Some(30)),
        (RetryAfter::Text("soon".to_owned()), None),
    ] {
        let rate_limit = Some(RateLimit { per_second: 1, retry_after: retry_after.clone() });
        bench.control.set_faults(Faults {
            rate_limit,
            endpoints: only(Endpoint::Assets),
            ..Faults::default()
        });
        // Two at once: whichever comes second is too much.
        let both = [
            bench.written(&url, Some(WRITE_TOKEN), "acme").await,
            bench.written(&url, Some(WRITE_TOKEN), "acme").await,
        ];
        let [first, second] = both;
        assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
        let header = second.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header.is_none(), retry_after == RetryAfter::Absent);
        use prismvault::clock::Clock as _;
        let now = prismvault::clock::SystemClock.now();
        let pause = header.and_then(|header| parse_retry_after(&header, now)).map(|pause| pause.as_secs());
        match (check, pause) {
            (Some(wanted), Some(pause)) => assert!((wanted - 2..=wanted).contains(&pause), "{pause}"),
            (check, pause) => assert_eq!(check, pause),
        }
        assert_eq!(value(second).await["message"], "API rate limit exceeded");
        page(&bench, "1").await;
    }
}

#[tokio::test]
async fn refs_expire_after_some_searches_once() {
    let bench = Bench::small(AccessMode::Open);
    bench.control.set_faults(Faults { expire_refs_after: Some(2), ..Faults::default() });
    let pinned = bench.repository.master_ref();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.search_at(&pinned, &[]).await.0.as_u16());
    }
    assert_eq!(statuses, [200, 200, 410, 410]);
    let (_, body) = bench.search_at(&pinned, &[]).await;
    let next = body["message"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    for _ in 0..4 {
        assert_eq!(bench.search_at(&next, &[]).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_publish_in_the_middle_closes_the_pinned_ref_to_those_without_a_token() {
    let bench = Bench::small(AccessMode::PublicMaster);
    bench.control.set_faults(Faults { publish_after: Some(1), ..Faults::default() });
    let pinned = bench.repository.master_ref();
    assert_eq!(bench.search_at(&pinned, &[]).await.0, StatusCode::OK);
    let (status, body) = bench.search_at(&pinned, &[]).await;
    assert_eq!(
        (status, &body["error"]),
        (StatusCode::FORBIDDEN, &"Access to this Ref requires an access token".into())
    );
    assert_eq!(bench.search_at(&pinned, &[("access_token", MASTER_TOKEN)]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_refused_ref_is_unknown() {
    let bench = Bench::small(AccessMode::Open);
    let master = bench.repository.master_ref();
    bench.control.set_faults(Faults { refused_ref: Some(master.clone()), ..Faults::default() });
    let (status, body) = bench.search(&[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body["message"].as_str().unwrap().ends_with(&format!("Master ref is: {master}")));
}

#[tokio::test]
async fn torn_pages_contradict_themselves() {
    let bench = Bench::small(AccessMode::Open);
    let whole = page(&bench, "2").await;
    let ids = |page: &Value| -> Vec<String> {
        page["results"].as_array().unwrap().iter().map(|document| document["id"].to_string()).collect()
    };
    let all = ids(&whole);
    for torn in [Torn::Missing, Torn::Doubled, Torn::ResultsSize, Torn::Total] {
        bench.control.set_faults(Faults { torn: Some((2, torn)), ..Faults::default() });
        let page_two = page(&bench, "2").await;
        let found = ids(&page_two);
        let sizes =
            (page_two["results_size"].as_u64().unwrap(), page_two["total_results_size"].as_u64().unwrap());
        match torn {
            Torn::Missing => assert_eq!((&found[..], sizes), (&all[..19], (19, 60))),
            Torn::Doubled => assert_eq!((&found[19], sizes), (&all[0], (20, 60))),
            Torn::ResultsSize => assert_eq!((&found, sizes), (&all, (21, 60))),
            Torn::Total => assert_eq!((&found, sizes), (&all, (20, 61))),
        }
        assert_eq!(page(&bench, "1").await["total_results_size"], 60, "other pages are whole");
    }
}

#[tokio::test]
async fn truncated_answers_announce_more_than_comes() {
    let bench = Bench::small(AccessMode::Open);
    let file = bench.assets("limit=1").await["items"][0]["url"].as_str().unwrap().to_owned();
    let file = file.split('?').next().unwrap();
    bench.control.set_faults(Faults { truncated: 1.0, ..Faults::default() });
    for url in [bench.endpoints.content_api.as_str(), file] {
        let response = bench.get(url).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.bytes().await.is_err(), "{url}: half a body is an error of the transfer");
    }
}

#[tokio::test]
async fn files_go_missing_or_are_short() {
    let bench = Bench::small(AccessMode::Open);
    let items = bench.assets("limit=3").await["items"].as_array().unwrap().clone();
    let id = |at: usize| items[at]["id"].as_str().unwrap().to_owned();
    let faults = Faults {
        missing_files: BTreeSet::from([id(0)]),
        short_files: BTreeSet::from([id(1)]),
        ..Faults::default()
    };
    bench.control.set_faults(faults);
    let get =
        async |at: usize| bench.get(items[at]["url"].as_str().unwrap().split('?').next().unwrap()).await;
    assert_eq!(get(0).await.status(), StatusCode::NOT_FOUND);
    let short = get(1).await;
    assert_eq!(short.content_length(), items[1]["size"].as_u64().map(|size| size - 1));
    assert_eq!(short.bytes().await.unwrap().len() as u64, items[1]["size"].as_u64().unwrap() - 1);
    assert_eq!(get(2).await.content_length(), items[2]["size"].as_u64());
}

#[tokio::test]
async fn models_differ_between_two_listings() {
    let bench = Bench::small(AccessMode::Open);
    bench.control.set_faults(Faults { models_change: true, ..Faults::default() });
    let url = format!("{}/customtypes", bench.endpoints.types_api);
    let list = async || bench.written(&url, Some(WRITE_TOKEN), "acme").await.text().await.unwrap();
    let (first, second) = (list().await, list().await);
    assert_ne!(first, second);
    assert_eq!(first, second.replace("Homepage (2)", "Homepage"));
}

#[tokio::test]
async fn pages_are_capped_below_what_is_asked_for() {
    let bench = Bench::small(AccessMode::Open);
    bench.control.set_faults(Faults {
        search_page_cap: Some(7),
        asset_page_cap: Some(4),
        ..Faults::default()
    });
    let (_, answer) = bench.search(&[("pageSize", "100"), ("lang", "*")]).await;
    assert_eq!((&answer["results_size"], &answer["results_per_page"]), (&7.into(), &7.into()));
    let assets = bench.assets("limit=1000").await;
    assert_eq!((assets["items"].as_array().unwrap().len(), &assets["total"]), (4, &12.into()));
}

#[tokio::test]
async fn what_hangs_is_given_up_by_the_client_and_ends_with_the_server() {
    let bench = Bench::small(AccessMode::Open);
    bench.control.set_faults(Faults { hang: true, endpoints: only(Endpoint::Root), ..Faults::default() });
    let hanging = bench.client.get(&bench.endpoints.content_api).timeout(Duration::from_millis(50));
    assert!(hanging.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.control.requests_to(Endpoint::Root), 1);
    page(&bench, "1").await;
    let arrived = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&arrived);
    bench.control.on_request_to(Endpoint::Root, 2, move |_| notify.notify_one());
    let request = bench.client.get(&bench.endpoints.content_api).send();
    let stop = async {
        arrived.notified().await;
        bench.server.stop().await;
    };
    let (answer, ()) = tokio::join!(request, stop);
    assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn hooks_act_at_the_nth_request_and_counters_count() {
    let bench = Bench::small(AccessMode::Open);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    bench.control.on_request(3, move |request| log.lock().unwrap().push(request.clone()));
    let searches = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&searches);
    let repository = Arc::clone(&bench.repository);
    bench.control.on_request_to(Endpoint::Search, 2, move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        repository.publish_and_expire();
    });
    let pinned = bench.repository.master_ref();
    bench.json(&bench.endpoints.content_api).await;
    assert_eq!(bench.search_at(&pinned, &[("access_token", MASTER_TOKEN)]).await.0, StatusCode::OK);
    assert_eq!(bench.search_at(&pinned, &[("access_token", MASTER_TOKEN)]).await.0, StatusCode::GONE);
    assert_eq!(searches.load(Ordering::SeqCst), 1);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0].number, seen[0].endpoint), (1, 3, Endpoint::Search));
    assert!(!seen[0].target.contains(MASTER_TOKEN) && seen[0].target.contains(&pinned));
    assert_eq!((bench.control.request_count(), bench.control.log().len()), (3, 3));
    assert_eq!(bench.control.answers(Endpoint::Search, 410), 1);
    bench.control.reset_counters();
    assert_eq!((bench.control.request_count(), bench.control.requests_to(Endpoint::Search)), (0, 0));
}
