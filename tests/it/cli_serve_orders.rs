//! A standby that runs while another process writes orders: what is not to be read any more is not answered for
//! long, by no ref and out of no cache.

use std::time::Instant;

use reqwest::{Response, StatusCode, header};
use serde_json::Value;

use crate::cli_privacy_erase::{PERSON, Two};
use crate::cli_run::PATIENCE;
use crate::cli_serve::{ALL, Site};
use crate::sandbox::value;

/// Looks that come often.
const OFTEN: [&str; 2] = ["--look-every", "20ms"];

/// The ref of the published content, as a client finds it; `None` where nothing is answered.
async fn master(site: &Site) -> Option<String> {
    let root = site.get(&site.api(0)).await;
    if root.status() != StatusCode::OK {
        return None;
    }
    Some(value(root).await["refs"][0]["ref"].as_str().unwrap().to_owned())
}

/// All published documents at a ref, as text.
async fn all(site: &Site, reference: &str) -> (StatusCode, String) {
    let response = site.search(&[ALL, &[("ref", reference)]].concat()).await;
    (response.status(), response.text().await.unwrap())
}

/// Waits until the ref of the published content is another than this one, or nothing is answered.
async fn until_not(site: &Site, reference: &str) -> Option<String> {
    let begun = Instant::now();
    loop {
        let now = master(site).await;
        if now.as_deref() != Some(reference) {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "it is served as before");
        tokio::task::yield_now().await;
    }
}

fn etag(response: &Response) -> String {
    response.headers()[header::ETAG].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_erases_is_answered_no_more() {
    let two = Two::new();
    two.approved();
    let site = Site::open(&two.office.place, &[&["latest"][..], &OFTEN].concat());
    let first = master(&site).await.unwrap();
    assert_eq!(first, site.snapshot(), "no order changes what it reads as");
    // Asked twice: the second answer is one that is kept.
    for _ in 0..2 {
        let (status, text) = all(&site, &first).await;
        assert!(status == StatusCode::OK && text.contains(PERSON));
    }
    let one = [("ref", first.as_str()), ("q", r#"[[at(document.id,"ErasePerson00001")]]"#)];
    let kept = site.search(&one).await;
    let tag = etag(&kept);
    assert!(kept.text().await.unwrap().contains(PERSON));

    two.anna(3, &["erase", &two.case, "--yes", "--publish"]);
    let now = until_not(&site, &first).await.expect("it is made ready within the time of a look");
    let (id, mark) = now.split_once('.').unwrap();
    assert_eq!((id, mark.len()), (first.as_str(), 8), "{now}");
    assert!(mark.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let (status, text) = all(&site, &now).await;
    assert!(status == StatusCode::OK && text.contains("[erased]") && !text.contains(PERSON), "{text}");
    assert!(text.contains("otto@example.org"), "what is of others stays");
    // Neither a ref that somebody kept nor an answer that somebody can name brings it back.
    let (status, text) = all(&site, &first).await;
    assert!(status == StatusCode::GONE && !text.contains(PERSON), "{text}");
    assert!(text.contains(&format!("Master ref is: {now}")), "{text}");
    let client = crate::sandbox::client();
    let mut url = url::Url::parse(&format!("{}/documents/search", site.api(0))).unwrap();
    url.query_pairs_mut().extend_pairs(one);
    let asked = client.get(url).header(header::IF_NONE_MATCH, tag).send();
    assert_eq!(asked.await.unwrap().status(), StatusCode::GONE);
    let run = site.end();
    assert!(run.stderr.contains("acme-blog is served as orders of the ledger leave it now"), "{run:?}");
    assert!(!run.stderr.contains("Exampleton"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_restricts_is_answered_no_more_also_by_who_follows() {
    let two = Two::asked("restriction");
    let plan = two.anna(0, &["plan", &two.case, "--json"]).json();
    let hash = plan["summary"]["plan"].as_str().unwrap();
    two.berta(0, &["approve", &two.case, "--plan", hash, "--yes"]);
    let site = Site::open(&two.office.place, &[&["--follow", "acme-blog"][..], &OFTEN].concat());
    let first = master(&site).await.unwrap();
    let (_, before) = all(&site, &first).await;
    assert!(before.contains(PERSON));
    two.office.place.run(&["privacy", "erase", &two.case, "--yes", "--by", "anna"]);
    let now = until_not(&site, &first).await.expect("it is made ready");
    assert!(now.starts_with(&format!("{first}.")), "{now}");
    let (status, text) = all(&site, &now).await;
    assert!(status == StatusCode::OK && !text.contains(PERSON) && !text.contains("ErasePerson00001"));
    assert_eq!(all(&site, &first).await.0, StatusCode::GONE);
    // A snapshot that is taken since is followed, and read under the same order where it holds the same items.
    two.office.place.expect(0, &["snapshot"]);
    until_not(&site, &now).await.expect("it follows");
    let latest = master(&site).await.unwrap();
    assert!(!all(&site, &latest).await.1.contains(PERSON));
    // The one before is answered for a while, under its orders.
    let (status, text) = all(&site, &now).await;
    assert!(status != StatusCode::OK || !text.contains(PERSON));
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_ledger_nothing_is_answered_until_it_is_back() {
    let two = Two::new();
    two.approved();
    two.anna(3, &["erase", &two.case, "--yes", "--publish"]);
    let place = &two.office.place;
    let site = Site::open(place, &[&["latest"][..], &OFTEN].concat());
    let first = master(&site).await.unwrap();
    let moved = |back: bool| {
        for replica in ["one", "two"] {
            let (there, away) =
                (place.file(replica).join("ledger"), place.file(&format!("{replica}-ledger")));
            match back {
                false => std::fs::rename(&there, &away).unwrap(),
                true => {
                    drop(std::fs::remove_dir(&there));
                    std::fs::rename(&away, &there).unwrap();
                }
            }
        }
    };
    moved(false);
    assert_eq!(until_not(&site, &first).await, None, "an entry that lacks may forbid all of it");
    let (status, health) = site.health().await;
    assert_eq!((status, &health["status"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::from("starting")));
    moved(true);
    let begun = Instant::now();
    while master(&site).await.as_deref() != Some(&first) {
        assert!(begun.elapsed() < PATIENCE, "it is not served again");
        tokio::task::yield_now().await;
    }
    let (status, text) = all(&site, &first).await;
    assert!(status == StatusCode::OK && !text.contains(PERSON));
    site.end();
}
