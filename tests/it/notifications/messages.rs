//! Webhooks: what arrives, and what happens where nothing does.

use std::time::Duration;

use prismvault::notify::{Routes, SendErrorKind};

use super::receivers::{Answer, WebReceiver};
use super::{Site, alarm, name};

/// A site with one webhook `ops` that is told of everything.
async fn site(receiver: &WebReceiver, more: &str) -> Site {
    let mut site = Site::new("");
    let url = site.secret("url", &receiver.url("/services/hunter2?token=hunter2"));
    site.add(&format!("[notifications.ops]\nkind = \"webhook\"\ndefault = true\nurl = {url}\n{more}"));
    site
}

/// Tells of these alarms; returns what did not arrive, as text.
async fn tell(site: &Site, alarms: &[prismvault::status::Alarm]) -> Vec<String> {
    let routes = Routes::of(&site.config(), []);
    let problems = site.notifier().alarms(None, &routes, alarms).await;
    problems.into_iter().map(|problem| format!("{}: {}", problem.subject, problem.detail)).collect()
}

#[tokio::test]
async fn every_message_says_repository_what_since_when_and_the_next_command() {
    for preset in ["slack", "teams", "generic"] {
        let receiver = WebReceiver::good().await;
        let site = site(&receiver, &format!("preset = \"{preset}\"")).await;
        assert_eq!(tell(&site, &[alarm(Some("blog"))]).await, [""; 0]);
        let requests = receiver.take();
        assert_eq!(requests.len(), 1, "{preset}");
        assert_eq!(
            (requests[0].method.as_str(), requests[0].path.as_str()),
            ("POST", "/services/hunter2?token=hunter2")
        );
        assert!(requests[0].head.to_ascii_lowercase().contains("content-type: application/json\r\n"));
        let body = requests[0].json().to_string();
        for part in [
            "[critical] blog: the last complete snapshot is older than 24h",
            "2026-11-20T23:00:00Z",
            "prismvault snapshot",
        ] {
            assert!(body.contains(part), "{preset}: {part} in {body}");
        }
    }
}

#[tokio::test]
async fn the_presets_have_the_form_that_their_receivers_want() {
    let receiver = WebReceiver::good().await;
    let alarms = [alarm(Some("blog")), alarm(Some("shop")), alarm(None)];
    tell(&site(&receiver, "preset = \"slack\"").await, &alarms).await;
    tell(&site(&receiver, "preset = \"teams\"").await, &alarms).await;
    tell(&site(&receiver, "").await, &alarms).await;
    let bodies: Vec<_> = receiver.take().iter().map(super::receivers::Request::json).collect();
    let [slack, teams, generic] = bodies.as_slice() else { panic!("three messages: {bodies:?}") };
    assert_eq!(slack["text"].as_str().unwrap().lines().count(), 6);
    assert_eq!(teams["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(teams["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert_eq!(generic["title"], "prismvault: 3 critical");
    let shop = &generic["notices"][1];
    assert_eq!(
        *shop,
        serde_json::json!({
            "key": "rpo:shop", "change": "began", "severity": "critical", "repository": "shop", "job": null,
            "what": "the last complete snapshot is older than 24h", "since": "2026-11-20T23:00:00Z",
            "next": "prismvault snapshot"
        })
    );
}

#[tokio::test]
async fn a_template_is_one_request_a_notice_with_its_values() {
    let receiver = WebReceiver::good().await;
    let template =
        r#"template = '{"dedup_key": "{{key}}", "event": {"action": "{{change}}", "text": "{{title}}"}}'"#;
    let site = site(&receiver, template).await;
    let routes = Routes::of(&site.config(), []);
    let notifier = site.notifier();
    notifier.alarms(None, &routes, &[alarm(Some("blog")), alarm(Some("shop"))]).await;
    notifier.alarms(None, &routes, &[alarm(Some("shop"))]).await;
    let bodies: Vec<_> = receiver.take().iter().map(|request| request.json().to_string()).collect();
    assert_eq!(
        bodies,
        [
            r#"{"dedup_key":"rpo:blog","event":{"action":"began","text":"[critical] blog: the last complete snapshot is older than 24h"}}"#,
            r#"{"dedup_key":"rpo:shop","event":{"action":"began","text":"[critical] shop: the last complete snapshot is older than 24h"}}"#,
            r#"{"dedup_key":"rpo:blog","event":{"action":"ended","text":"[over] blog: the last complete snapshot is older than 24h"}}"#,
        ]
    );
}

#[tokio::test]
async fn of_requests_for_each_notice_those_that_arrived_are_not_repeated() {
    let receiver =
        WebReceiver::answering(|number| Answer::Status(if number == 1 { 400 } else { 200 }, String::new()))
            .await;
    let site = site(&receiver, "template = '{\"key\": \"{{key}}\"}'").await;
    let (routes, notifier) = (Routes::of(&site.config(), []), site.notifier());
    let alarms = [alarm(Some("blog")), alarm(Some("shop"))];
    assert_eq!(notifier.alarms(None, &routes, &alarms).await.len(), 1);
    assert_eq!(notifier.alarms(None, &routes, &alarms).await.len(), 0);
    assert_eq!(notifier.alarms(None, &routes, &alarms).await.len(), 0);
    let keys: Vec<_> = receiver.take().iter().map(|request| request.json()["key"].clone()).collect();
    assert_eq!(keys, ["rpo:blog", "rpo:shop", "rpo:shop"]);
}

#[tokio::test]
async fn two_hundred_alarms_are_one_message_that_counts_what_it_does_not_name() {
    let receiver = WebReceiver::good().await;
    let site = site(&receiver, "preset = \"slack\"").await;
    let alarms: Vec<_> = (0..200).map(|n| alarm(Some(&format!("client-{n:03}")))).collect();
    tell(&site, &alarms).await;
    let requests = receiver.take();
    assert_eq!(requests.len(), 1);
    let text = requests[0].json()["text"].as_str().unwrap().to_owned();
    assert!(text.ends_with("and 180 more, see: prismvault status --problems"), "{text}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    for (status, headers, attempts, arrives) in [
        (503, "", 2, true),
        (429, "Retry-After: 0\r\n", 2, true),
        (429, "Retry-After: 86400\r\n", 1, false),
        (408, "", 2, true),
        (404, "", 1, false),
        (400, "", 1, false),
        (200, "", 1, true),
    ] {
        let answer = move |number| Answer::Status(if number == 0 { status } else { 204 }, headers.to_owned());
        let receiver = WebReceiver::answering(answer).await;
        let problems = tell(&site(&receiver, "").await, &[alarm(Some("blog"))]).await;
        assert_eq!(receiver.take().len(), attempts, "{status} {headers}");
        assert_eq!(problems.is_empty(), arrives, "{status} {headers}: {problems:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_is_given_up_after_a_few_attempts() {
    let receiver = WebReceiver::answering(|_| Answer::Status(500, String::new())).await;
    let problems = tell(&site(&receiver, "").await, &[alarm(Some("blog"))]).await;
    assert_eq!(problems, ["notification ops: the receiver failed with status 500"]);
    assert_eq!(receiver.take().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = WebReceiver::good().await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", elsewhere.url("/steal"));
        let receiver = WebReceiver::answering(move |_| Answer::Status(status, location.clone())).await;
        let site = site(&receiver, "").await;
        let tried = site.test().await;
        let error = tried[0].result.as_ref().unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Redirected, "{status}");
        assert_eq!(receiver.take().len(), 1, "{status}");
    }
    assert!(elsewhere.take().is_empty(), "the other host was asked");
}

#[tokio::test]
async fn no_error_holds_the_address_or_what_was_answered() {
    let mut seen = Vec::new();
    for status in [301, 400, 403, 404, 429, 500] {
        let receiver = WebReceiver::answering(move |_| Answer::Status(status, String::new())).await;
        let site = site(&receiver, "").await;
        seen.push(format!("{:?} {:?}", site.test().await, tell(&site, &[alarm(None)]).await));
    }
    for address in [
        "http://127.0.0.1:1/services/hunter2",
        "https://127.0.0.1:1/services/hunter2",
        "https://user:hunter2@127.0.0.1:1/",
        "hunter2",
        "ftp://127.0.0.1/hunter2",
        "http://hunter2.invalid:99999/",
        "http:///hunter2",
    ] {
        let mut site = Site::new("");
        let url = site.secret("url", address);
        site.add(&format!("[notifications.ops]\nkind = \"webhook\"\ndefault = true\nurl = {url}"));
        let tried = site.test().await;
        assert!(tried[0].result.is_err(), "{address}");
        seen.push(format!("{tried:?} {:?} {:?}", tell(&site, &[alarm(None)]).await, site.notifier()));
    }
    for text in seen {
        assert!(!text.contains("hunter2") && !text.contains("document-body"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named_and_not_tried_again() {
    let sink = super::receivers::MailSink::start(super::receivers::MailTls::Implicit, &["250 ok"]).await;
    let mut site = Site::new("");
    let url = site.secret("url", &format!("https://127.0.0.1:{}/hunter2", sink.address.port()));
    site.add(&format!("[notifications.ops]\nkind = \"webhook\"\nurl = {url}"));
    let tried = site.test().await;
    assert_eq!(tried[0].result.as_ref().unwrap_err().kind, SendErrorKind::Tls);
}

#[tokio::test]
async fn a_secret_that_is_not_here_is_named_by_its_reference() {
    let site =
        Site::new("[notifications.ops]\nkind = \"webhook\"\nurl = { env = \"PRISMVAULT_TEST_NOT_SET\" }");
    let tried = site.test().await;
    let error = tried[0].result.as_ref().unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Secret);
    assert!(error.to_string().contains("environment variable PRISMVAULT_TEST_NOT_SET"), "{error}");
    assert!(error.next_step().is_some());
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_up_another() {
    let (hanging, good) = (WebReceiver::answering(|_| Answer::Silence).await, WebReceiver::good().await);
    let mut site = Site::new("");
    site.limits.notice_timeout = Duration::from_millis(200);
    site.limits.notice_round = Duration::from_millis(300);
    let (first, second) = (site.secret("first", &hanging.url("/")), site.secret("second", &good.url("/")));
    site.add(&format!(
        "[notifications.a]\nkind = \"webhook\"\ndefault = true\nurl = {first}\n\
         [notifications.b]\nkind = \"webhook\"\ndefault = true\nurl = {second}"
    ));
    let (notifier, routes) = (site.notifier(), Routes::of(&site.config(), []));
    let alarms = [alarm(Some("blog"))];
    let told = notifier.alarms(None, &routes, &alarms);
    let arrived = async {
        while good.take().is_empty() {
            tokio::task::yield_now().await;
        }
        // It came while the other is still waited for.
        std::time::Instant::now()
    };
    let begun = std::time::Instant::now();
    let (problems, at) = tokio::join!(told, arrived);
    assert!(at - begun < Duration::from_millis(200), "{:?}", at - begun);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].subject, "notification a");
    // Only the one who was not told is told the next time.
    let told = notifier.alarms(None, &routes, &alarms).await;
    assert_eq!((told.len(), good.take().len()), (1, 0));
}

#[tokio::test]
async fn alarms_go_where_on_alarm_of_the_jobs_leads_them() {
    let receiver = WebReceiver::good().await;
    let mut site = Site::new("");
    let url = site.secret("url", &receiver.url("/"));
    site.add(&format!("[notifications.ops]\nkind = \"webhook\"\nurl = {url}"));
    let mut job = site.job("on_alarm = [\"ops\"]");
    job.repositories[0].text = "@clients".to_owned();
    let routes = Routes::of(&site.config(), [&job]);
    let notifier = site.notifier();
    notifier.alarms(None, &routes, &[alarm(Some("shop"))]).await;
    assert_eq!(receiver.take().len(), 0, "shop is in no group of the job");
    notifier.alarms(None, &routes, &[alarm(Some("shop")), alarm(Some("blog")), alarm(None)]).await;
    let body = receiver.take()[0].json();
    let keys: Vec<_> = body["notices"].as_array().unwrap().iter().map(|n| n["key"].clone()).collect();
    assert_eq!(keys, ["rpo:blog", "rpo:vault"]);
    // A job that no longer covers the repository: the alarm is not over, only somebody else's.
    job.repositories[0].text = "shop".to_owned();
    let routes = Routes::of(&site.config(), [&job]);
    notifier.alarms(None, &routes, &[alarm(Some("blog")), alarm(None)]).await;
    assert_eq!(receiver.take().len(), 0);
    let all = [alarm(Some("blog")), alarm(None)]
        .map(|alarm| prismvault::status::Alarm { key: format!("{}:2", alarm.key), ..alarm });
    job.repositories[0].text = "*".to_owned();
    let routes = Routes::of(&site.config(), [&job]);
    notifier.alarms(None, &routes, &all).await;
    assert!(receiver.take()[0].body.contains("rpo:blog:2"), "a job for all is told of all");
    assert_eq!(Routes::of(&site.config(), []), Routes::default());
    assert_eq!(site.notifier().test(&[name("other")]).await, []);
}
