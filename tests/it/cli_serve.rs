//! `prismvault serve` as people and sites meet it.
#![cfg(unix)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prismvault::contentapi::AccessMode;
use prismvault::sandbox::synthetic::SyntheticOptions;
use prismvault::sandbox::{Faults, Torn};
use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::backups::{Source, WRITE_TOKEN, configuration, first_try, small, words};
use crate::cli_incremental::place_with_token;
use crate::cli_run::{Live, PATIENCE};
use crate::notifications::receivers::fixture;
use crate::restore::tree;
use crate::sandbox::{client, value};
use crate::sandbox_writing::{Form, png};
use crate::workplace::{Run, Workplace};

/// A place in which a first snapshot was taken.
pub(crate) fn place_of(source: &Source) -> Workplace {
    let place = Workplace::new();
    place.expect(0, &words(&first_try(source)));
    place
}

/// A place with two replicas, `one` and `two`, and a first snapshot on both.
fn place_on_two(source: &Source) -> Workplace {
    let place = Workplace::new();
    let config = configuration(source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
    place.write("prismvault.toml", &config);
    place.expect(0, &["init"]);
    place.expect(0, &["snapshot"]);
    place
}

/// A standby that answers.
pub(crate) struct Site {
    pub(crate) live: Live,
    ready: Value,
    client: reqwest::Client,
}

impl Site {
    #[track_caller]
    pub(crate) fn open(place: &Workplace, arguments: &[&str]) -> Self {
        let all = [&["serve", "--listen", "127.0.0.1:0", "--json"], arguments].concat();
        Self::of(place.command(&all))
    }

    #[track_caller]
    pub(crate) fn of(command: Command) -> Self {
        let live = Live::from(command);
        let Ok(line) = live.events.recv_timeout(PATIENCE) else {
            panic!("it does not serve: {:?}", live.end())
        };
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert!(ready["ready_after"].as_f64().is_some_and(|after| after > 0.0), "{line}");
        Self { live, ready, client: client() }
    }

    pub(crate) fn api(&self, at: usize) -> String {
        self.ready["repositories"][at]["content_api"].as_str().unwrap().to_owned()
    }

    /// Scheme and authority.
    fn base(&self) -> String {
        self.api(0).split("/api/v2").next().unwrap().to_owned()
    }

    /// The id of the snapshot that is the published content.
    pub(crate) fn snapshot(&self) -> String {
        self.ready["repositories"][0]["snapshots"][0].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    /// A search at the published content, or at the ref that is among the parameters.
    pub(crate) async fn search(&self, parameters: &[(&str, &str)]) -> Response {
        let mut url = url::Url::parse(&format!("{}/documents/search", self.api(0))).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        if parameters.iter().all(|(name, _)| *name != "ref") {
            url.query_pairs_mut().append_pair("ref", &self.snapshot());
        }
        self.get(url.as_str()).await
    }

    pub(crate) async fn health(&self) -> (StatusCode, Value) {
        let response = self.get(&format!("{}/healthz", self.base())).await;
        (response.status(), value(response).await)
    }

    /// The snapshot that is served now.
    pub(crate) async fn served(&self) -> String {
        let (_, health) = self.health().await;
        health["repositories"][0]["snapshots"][0]["snapshot"].as_str().unwrap().to_owned()
    }

    /// Asks until the answer has this status.
    pub(crate) async fn until(&self, status: StatusCode, parameters: &[(&str, &str)]) -> Response {
        let begun = Instant::now();
        loop {
            let response = self.search(parameters).await;
            if response.status() == status {
                return response;
            }
            assert!(begun.elapsed() < PATIENCE, "{} instead of {status}", response.status());
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn end(self) -> Run {
        let run = self.live.end();
        assert_eq!(run.code, 0, "being asked to end is how it ends: {run:?}");
        run
    }
}

pub(crate) fn text(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Everything in every language, large enough to be worth compressing.
pub(crate) const ALL: &[(&str, &str)] = &[("lang", "*"), ("pageSize", "100")];

#[tokio::test(flavor = "multi_thread")]
async fn a_site_reads_a_snapshot_over_http_and_the_log_holds_no_query() {
    let source = small();
    let place = place_of(&source);
    let site = Site::open(&place, &["latest", "-v"]);
    assert_eq!(site.ready["repositories"][0]["documents"], 120);
    for root in [site.api(0), format!("{}/", site.api(0))] {
        let response = site.get(&root).await;
        assert_eq!(text(&response, header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        assert_eq!(text(&response, header::CACHE_CONTROL), "public, no-cache");
        let root = value(response).await;
        assert_eq!(root["refs"].as_array().unwrap().len(), 1, "releases are not public");
        assert_eq!(root["refs"][0]["ref"], site.snapshot());
    }
    let response = site.search(ALL).await;
    assert_eq!(
        (response.status(), text(&response, header::CACHE_CONTROL)),
        (StatusCode::OK, "public, max-age=86400")
    );
    let tag = text(&response, header::ETAG).to_owned();
    let plain = value(response).await;
    assert_eq!(plain["total_results_size"], 120);
    let address = format!("{}/documents/search?lang=*&pageSize=100&ref={}", site.api(0), site.snapshot());
    let again = site.client.get(&address).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!((again.status(), again.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));
    // One document, which is small enough to be given again as it was.
    let first = plain["results"][0]["id"].as_str().unwrap();
    let one = format!(
        "{}/documents/search?lang=*&q=[[at(document.id,\"{first}\")]]&ref={}",
        site.api(0),
        site.snapshot()
    );
    let given = site.get(&one).await;
    let again = site.get(&one).await;
    assert_eq!(given.headers(), again.headers());
    let tag_of_one = text(&given, header::ETAG).to_owned();
    assert_eq!(given.bytes().await.unwrap(), again.bytes().await.unwrap());
    let known = site.client.get(&one).header(header::IF_NONE_MATCH, &tag_of_one).send().await.unwrap();
    assert_eq!((known.status(), text(&known, header::CONTENT_TYPE)), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(text(&known, header::ETAG), tag_of_one);
    let head = site.client.head(&one).send().await.unwrap();
    assert_eq!((head.status(), head.bytes().await.unwrap().len()), (StatusCode::OK, 0));
    let other = format!("{}/documents/search?lang=*&pageSize=99&ref={}", site.api(0), site.snapshot());
    let other = site.client.get(&other).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);

    for encoding in ["gzip", "br"] {
        let raw = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
        let asked = raw.get(&address).header(header::ACCEPT_ENCODING, encoding);
        let response = asked.send().await.unwrap();
        assert_eq!(text(&response, header::CONTENT_ENCODING), encoding);
        assert!(text(&response, header::VARY).contains("accept-encoding"));
        let packed = response.bytes().await.unwrap();
        let mut whole = Vec::new();
        match encoding {
            "br" => brotli::BrotliDecompress(&mut &packed[..], &mut whole).unwrap(),
            _ => drop(std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut whole).unwrap()),
        }
        assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap()["results"], plain["results"]);
    }
    let preflight = site.client.request(reqwest::Method::OPTIONS, &address).send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert!(text(&preflight, header::ACCESS_CONTROL_ALLOW_METHODS).contains("GET"));
    let head = site.client.head(&address).send().await.unwrap();
    assert_eq!((head.status(), head.bytes().await.unwrap().len()), (StatusCode::OK, 0));
    let posted = site.client.post(&address).body("x").send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    let response = site.get(&format!("{}/graphql?query=%7Ba%7D", site.base())).await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert!(value(response).await["message"].as_str().unwrap().contains("/api/v2/documents/search"));
    assert_eq!(site.get(&format!("{}/api/tags", site.base())).await.status(), StatusCode::OK);
    assert_eq!(site.get(&format!("{}/nothing", site.base())).await.status(), StatusCode::NOT_FOUND);
    let response = site.search(&[("q", "[[fulltext(document, \"embarrassing\")]]")]).await;
    assert_eq!(response.status(), StatusCode::OK);

    let log = site.end().stderr;
    assert!(log.contains("/api/v2/documents/search") && log.contains("status=200"), "{log}");
    for secret in ["embarrassing", "pageSize", "ref="] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_makes_it_https_and_a_wrong_one_is_said_before_anything_is_read() {
    let source = small();
    let place = place_of(&source);
    let (chain, key) = (fixture("server.pem"), fixture("server.key"));
    let site = Site::open(&place, &["latest", "--tls-cert", &chain, "--tls-key", &key]);
    assert!(site.api(0).starts_with("https://127.0.0.1:"), "{}", site.api(0));
    let authority = reqwest::Certificate::from_pem(&fs::read(fixture("ca.pem")).unwrap()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().add_root_certificate(authority).build().unwrap();
    let root = value(trusting.get(site.api(0)).send().await.unwrap()).await;
    let action = root["forms"]["everything"]["action"].as_str().unwrap();
    assert!(action.starts_with("https://127.0.0.1:"), "{action}");
    assert!(site.client.get(site.api(0)).send().await.is_err(), "nobody knows who signed it");
    let plain = site.client.get(site.api(0).replace("https:", "http:")).send().await;
    assert!(plain.is_err());
    site.end();
    for (chain, key, said) in [
        (&key, &key, "no certificate"),
        (&chain, &chain, "no private key"),
        (&"prismvault.toml".to_owned(), &key, "no certificate"),
        (&"nowhere.pem".to_owned(), &key, "cannot read nowhere.pem"),
    ] {
        let run = place.expect(2, &["serve", "latest", "--tls-cert", chain, "--tls-key", key]);
        assert!(run.stderr.contains(said), "{said}: {run:?}");
        assert!(!run.stderr.contains("PRIVATE"), "{run:?}");
    }
    place.expect(2, &["serve", "latest", "--tls-cert", &chain]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_s_own_token_opens_what_the_access_mode_does_not() {
    let source = small();
    let place = place_of(&source);
    place.write("token.txt", "a-token-of-the-site\n");
    let site = Site::open(&place, &["latest", "--access-token-file", "token.txt", "-v"]);
    let root = site.get(&site.api(0)).await;
    assert_eq!(root.status(), StatusCode::UNAUTHORIZED);
    assert!(!text(&root, header::CACHE_CONTROL).contains("max-age"));
    assert_eq!(site.search(ALL).await.status(), StatusCode::FORBIDDEN);
    let wrong = [("access_token", "a-token-of-the-sitf"), ("pageSize", "1")];
    assert_eq!(site.search(&wrong).await.status(), StatusCode::FORBIDDEN);
    let right = [("access_token", "a-token-of-the-site"), ("pageSize", "1")];
    let answer = site.search(&right).await;
    assert_eq!(
        (answer.status(), text(&answer, header::CACHE_CONTROL)),
        (StatusCode::OK, "private, max-age=86400")
    );
    let answer = value(answer).await;
    // What was given to who may have it is not given to who may not.
    assert_eq!(site.search(&right[1..]).await.status(), StatusCode::FORBIDDEN);
    let again = site.search(&right).await;
    assert_eq!(text(&again, header::CACHE_CONTROL), "private, max-age=86400");
    assert_eq!(value(again).await, answer);
    let next = answer["next_page"].as_str().unwrap();
    assert!(!next.contains("token"), "{next}");
    for scheme in ["Token", "Bearer"] {
        let asked = site
            .client
            .get(site.api(0))
            .header(header::AUTHORIZATION, format!("{scheme} a-token-of-the-site"));
        let root = value(asked.send().await.unwrap()).await;
        assert!(root["refs"].as_array().unwrap().len() > 1, "releases are for who has the token: {root}");
    }
    let log = site.end().stderr;
    assert!(!log.contains("a-token-of-the-sit"), "{log}");

    let site = Site::open(&place, &["latest", "--access-token-file", "token.txt", "--access", "public"]);
    assert_eq!(site.search(ALL).await.status(), StatusCode::OK);
    let root = value(site.get(&site.api(0)).await).await;
    assert_eq!(root["refs"].as_array().unwrap().len(), 1);
    assert_eq!(site.search(&wrong).await.status(), StatusCode::FORBIDDEN, "a wrong token is never ignored");
    site.end();
    let run = place.expect(2, &["serve", "latest", "--access", "private"]);
    assert!(run.stderr.contains("--access-token-file"), "{run:?}");
    let run = place.expect(2, &["serve", "latest", "--access-token-file", "nowhere.txt"]);
    assert!(run.stderr.contains("nowhere.txt"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn following_moves_to_each_complete_snapshot_and_no_request_fails_meanwhile() {
    let source = Source::synthetic(60, 2);
    let place = place_of(&source);
    let site = Site::open(&place, &["--follow", "acme-blog", "--look-every", "20ms"]);
    let first = site.snapshot();
    assert_eq!(site.served().await, first);
    let stop = Arc::new(AtomicBool::new(false));
    let (api, stopped) = (site.api(0), Arc::clone(&stop));
    let mut visitor = JoinSet::new();
    visitor.spawn(async move {
        let (client, mut asked) = (client(), 0);
        while !stopped.load(Ordering::Relaxed) {
            // As the official client does: the root, then a search at its ref.
            let root = value(client.get(&api).send().await.unwrap()).await;
            let reference = root["refs"][0]["ref"].as_str().unwrap();
            let page = format!("{api}/documents/search?pageSize=100&ref={reference}");
            assert_eq!(client.get(&page).send().await.unwrap().status(), StatusCode::OK, "{reference}");
            asked += 1;
        }
        asked
    });
    let take = |code: i32, seed: u64| {
        source.repository.edit(0.1, seed).unwrap();
        let taken = place.expect(code, &["snapshot", "--json"]).json();
        taken["manifest"]["id"].as_str().or(taken["manifest"]["snapshot"].as_str()).unwrap().to_owned()
    };
    let second = take(0, 5);
    let begun = Instant::now();
    while site.served().await != second {
        assert!(begun.elapsed() < PATIENCE, "it does not follow");
    }
    // The one before stays for those who are reading it page by page.
    assert_eq!(site.search(&[("ref", &first)]).await.status(), StatusCode::OK);
    // The last document of the only page: the source says that it has one more than it gives.
    source.control().set_faults(Faults { torn: Some((1, Torn::Missing)), ..Faults::default() });
    let partial = take(3, 6);
    source.control().set_faults(Faults::default());
    // Many looks long.
    place.expect(0, &["list"]);
    assert_eq!(site.served().await, second, "it stays with what is complete");
    let third = take(0, 7);
    let begun = Instant::now();
    loop {
        let served = site.served().await;
        assert_ne!(served, partial);
        if served == third {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not follow");
    }
    let expired = site.search(&[("ref", &first)]).await;
    assert_eq!(expired.status(), StatusCode::GONE);
    let message = value(expired).await["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(&format!("Master ref is: {third}")), "{message}");
    stop.store(true, Ordering::Relaxed);
    assert!(visitor.join_next().await.unwrap().unwrap() > 3);
    let run = site.end();
    assert!(run.stderr.contains(&format!("is served from {third} now")), "{run:?}");
    assert!(!run.stderr.contains("error"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_snapshot_is_served_when_it_is_named_and_said_to_be_one() {
    let (source, place) = (small(), Workplace::new());
    let ids = source.repository.library().assets().iter().map(|asset| asset.id.clone()).collect();
    source.control().set_faults(Faults { missing_files: ids, ..Faults::default() });
    place.expect(3, &words(&first_try(&source)));
    let run = place.run(&["serve", "--follow", "acme-blog"]);
    assert!(run.code == 1 && run.stderr.contains("no complete snapshot"), "{run:?}");
    let id = place.expect(0, &["list", "--json"]).json()["snapshots"][0]["id"].as_str().unwrap().to_owned();
    let checked = place.expect(3, &["serve", &id, "--check", "--json"]).json();
    assert_eq!(checked["repositories"][0]["is_complete"], false);
    let site = Site::open(&place, &[&id]);
    assert_eq!(site.search(ALL).await.status(), StatusCode::OK);
    let (status, health) = site.health().await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(health["repositories"][0]["snapshots"][0]["status"], "partial", "{health}");
    let run = site.end();
    assert!(run.stderr.contains("partial snapshot") && run.stderr.contains("prismvault show"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_below_their_names_and_snapshots_are_refs() {
    let source = small();
    let place = place_of(&source);
    let config = place.read("prismvault.toml");
    let (_, section) = config.split_once("[repositories.acme-blog]").unwrap();
    let section = section.split("\n[").next().unwrap();
    place.write("prismvault.toml", &format!("{config}\n[repositories.shop]{section}\n"));
    source.repository.edit(0.2, 3).unwrap();
    place.expect(0, &["snapshot"]);
    let listed = place.expect(0, &["list", "--json"]).json();
    let of_blog = |entry: &&Value| entry["repository"] == "acme-blog";
    let blog: Vec<&str> = listed["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_blog)
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(blog.len(), 2);
    let site = Site::open(&place, &[blog[0], blog[1], "shop@latest", "--access", "open"]);
    assert!(site.api(0).ends_with("/acme-blog/api/v2") && site.api(1).ends_with("/shop/api/v2"));
    let old = value(site.search(&[("ref", blog[0])]).await).await;
    let new = value(site.search(&[("ref", blog[1])]).await).await;
    assert_ne!(old["results"], new["results"], "each as it was");
    let next = new["next_page"].as_str().unwrap();
    assert!(next.contains("/acme-blog/api/v2/documents/search?"), "{next}");
    assert_eq!(site.get(next).await.status(), StatusCode::OK);
    let root = value(site.get(&site.api(0)).await).await;
    let refs: Vec<&str> =
        root["refs"].as_array().unwrap().iter().map(|entry| entry["ref"].as_str().unwrap()).collect();
    assert_eq!((refs[0], refs.contains(&blog[1])), (blog[0], true), "the first is the published content");
    let shop = value(site.get(&site.api(1)).await).await;
    let foreign = format!("{}/documents/search?ref={}", site.api(1), blog[0]);
    assert_eq!(site.get(&foreign).await.status(), StatusCode::NOT_FOUND, "{shop}");
    assert_eq!(
        site.get(&format!("{}/api/v2", site.base().replace("/acme-blog", ""))).await.status(),
        StatusCode::NOT_FOUND
    );
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_go_are_read_around_and_when_all_are_gone_answers_say_nothing_private() {
    let source = Source::synthetic(300, 2);
    let place = place_on_two(&source);
    let site = Site::open(&place, &["latest", "--look-every", "50ms", "--cache-size", "0"]);
    let page = |number: &'static str| [("lang", "*"), ("pageSize", "50"), ("page", number)];
    assert_eq!(site.search(&page("1")).await.status(), StatusCode::OK);
    let away = |name: &str| {
        fs::rename(place.file(&format!("{name}/packs")), place.file(&format!("{name}.away"))).unwrap();
    };
    away("one");
    assert_eq!(site.search(&page("2")).await.status(), StatusCode::OK, "from the other one");
    site.end();
    fs::rename(place.file("one.away"), place.file("one/packs")).unwrap();

    let site = Site::open(&place, &["latest", "--look-every", "50ms", "--cache-size", "0"]);
    assert_eq!(site.search(&page("1")).await.status(), StatusCode::OK);
    away("one");
    away("two");
    let response = site.search(&page("3")).await;
    assert_eq!(
        (response.status(), text(&response, header::RETRY_AFTER)),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    let body = response.text().await.unwrap();
    for private in ["packs", "one", "two", "/", "acme"] {
        assert!(!body.contains(private), "{private}: {body}");
    }
    assert_eq!(site.search(&page("1")).await.status(), StatusCode::OK, "what is in memory is still answered");
    let (status, _) = site.health().await;
    assert_eq!(status, StatusCode::OK);
    fs::rename(place.file("two.away"), place.file("two/packs")).unwrap();
    site.until(StatusCode::OK, &page("3")).await;
    let run = site.end();
    assert!(run.stderr.contains("an item of the snapshot cannot be read"), "{run:?}");
}

/// Turns over a byte in the middle of every content pack of a replica.
fn damage(replica: &Path) {
    for (key, mut bytes) in tree(replica) {
        if key.starts_with("packs/") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            let path = replica.join(key);
            fs::remove_file(&path).unwrap();
            fs::File::create(path).unwrap().write_all(&bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_is_read_around_with_an_alarm_and_what_is_lost_everywhere_is_left_out() {
    let source = Source::synthetic(300, 2);
    let place = place_on_two(&source);
    let site = Site::open(&place, &["latest"]);
    damage(&place.file("one"));
    let all = |number: &'static str| [("lang", "*"), ("pageSize", "100"), ("page", number)];
    for number in ["1", "2", "3"] {
        assert_eq!(site.search(&all(number)).await.status(), StatusCode::OK);
    }
    let run = site.end();
    assert!(
        !run.stderr.contains("repair"),
        "what was read at the start lies in the cache, as it was: {run:?}"
    );
    let bare = ["latest", "--cache-size", "0"];
    let site = Site::open(&place, &bare);
    for number in ["1", "2", "3"] {
        assert_eq!(site.search(&all(number)).await.status(), StatusCode::OK);
    }
    let run = site.end();
    assert!(run.stderr.contains("prismvault repair"), "an alarm: {run:?}");

    let site = Site::open(&place, &bare);
    damage(&place.file("two"));
    let mut statuses = Vec::new();
    for number in ["1", "2", "3"] {
        statuses.push(site.search(&all(number)).await.status());
    }
    assert!(statuses.contains(&StatusCode::SERVICE_UNAVAILABLE), "{statuses:?}");
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_warm_the_next_time_bounded_encrypted_and_a_disk_without_room_harms_nobody() {
    let content =
        SyntheticOptions { documents: 60, assets: 6, asset_bytes: 200_000, ..SyntheticOptions::default() };
    let source = Source::new(&content, AccessMode::Open);
    let place = place_of(&source);
    let library = source.repository.library();
    let files: Vec<String> = library.assets().iter().map(|asset| asset.path.replace(' ', "%20")).collect();
    assert!(files.len() > 3);
    let read_all = async |site: &Site| {
        for file in &files {
            let response = site.get(&format!("{}/files{file}", site.base())).await;
            assert_eq!(response.status(), StatusCode::OK, "{file}");
        }
    };
    let cached = || -> u64 {
        let all = tree(&place.home().join(".cache"));
        all.iter()
            .filter(|(name, _)| name.contains("standby/blocks"))
            .map(|(_, bytes)| bytes.len() as u64)
            .sum()
    };
    let site = Site::open(&place, &["latest", "--cache-size", "1"]);
    read_all(&site).await;
    let answer = value(site.search(ALL).await).await;
    let known = answer["results"][0]["id"].as_str().unwrap().to_owned();
    site.end();
    assert!((100_000..=1 << 20).contains(&cached()), "{}", cached());
    for (name, bytes) in tree(&place.home().join(".cache")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&known), "{name} holds ids of documents");
    }

    // On a small disk no block and no head can be kept.
    fs::remove_dir_all(place.home().join(".cache")).unwrap();
    let site =
        Site::of(place.command_on_small_disk(16, &["serve", "latest", "--listen", "127.0.0.1:0", "--json"]));
    read_all(&site).await;
    assert_eq!(site.search(ALL).await.status(), StatusCode::OK);
    let run = site.end();
    assert!(run.stderr.contains("the local cache cannot be written"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_from_the_vault_by_parts_and_in_the_size_that_is_asked_for() {
    let source = Source::synthetic(60, 12);
    let place = place_of(&source);
    let site = Site::open(&place, &["latest", "--rewrite-asset-urls"]);
    let answer = site.search(ALL).await.text().await.unwrap();
    let files = format!("{}/files/", site.base());
    let from = answer.find(&files).expect("addresses lead here");
    let address = answer[from..].split(['"', '?']).next().unwrap().to_owned();
    let response = site.get(&address).await;
    assert_eq!(response.status(), StatusCode::OK, "{address}");
    let tag = text(&response, header::ETAG).to_owned();
    let kind = text(&response, header::CONTENT_TYPE).to_owned();
    let whole = response.bytes().await.unwrap();
    let known = site.client.get(&address).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    for (range, expected) in [("bytes=0-9", &whole[..10]), ("bytes=-5", &whole[whole.len() - 5..])] {
        let part = site.client.get(&address).header(header::RANGE, range).send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(&part.bytes().await.unwrap()[..], expected);
    }
    let outside = site.client.get(&address).header(header::RANGE, "bytes=99999999-").send().await.unwrap();
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let packed = site.client.get(&address).header(header::ACCEPT_ENCODING, "br, gzip").send().await.unwrap();
    assert_eq!(text(&packed, header::CONTENT_ENCODING), "", "pictures are small already");
    assert_eq!(site.get(&format!("{files}acme-blog/nothing.png")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(site.get(&format!("{files}..%2f..%2fetc/passwd")).await.status(), StatusCode::NOT_FOUND);
    let smaller = site.get(&format!("{address}?w=7&h=5&fit=crop&auto=format,compress")).await;
    assert_eq!(smaller.status(), StatusCode::OK);
    if kind.starts_with("image/png") || kind.starts_with("image/jpeg") {
        let picture = image::load_from_memory(&smaller.bytes().await.unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (7, 5), "{kind}");
    }
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_says_it_is_huge_goes_as_it_is_and_takes_no_memory() {
    let source = small();
    // Eleven gigabytes of pixels in a few bytes, uploaded by somebody with a write token.
    let bomb = png(60_000, 60_000);
    let upload = client().post(format!("{}/assets", source.server.endpoints("acme-blog").unwrap().asset_api));
    let upload = upload.bearer_auth(WRITE_TOKEN).header("repository", "acme-blog");
    let asset = value(Form::new().file("bomb.png", &bomb).onto(upload).send().await.unwrap()).await;
    let path = url::Url::parse(asset["url"].as_str().unwrap()).unwrap().path().to_owned();
    let place = place_with_token(&source);
    place.expect(0, &["snapshot"]);
    let site = Site::open(&place, &["latest"]);
    let before = site.live.memory_peak();
    for query in ["", "?w=100", "?w=100&h=100&fit=crop&auto=format", "?rect=0,0,59000,59000&w=59000"] {
        let response = site.get(&format!("{}/files{path}{query}", site.base())).await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        assert_eq!(text(&response, header::CONTENT_TYPE), "image/png");
        assert_eq!(response.bytes().await.unwrap(), bomb, "{query}");
    }
    if let (Some(before), Some(after)) = (before, site.live.memory_peak()) {
        assert!(after < before + (64 << 10), "from {before} to {after} KiB");
    }
    site.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_start_is_said_with_the_next_step() {
    let source = small();
    let place = place_of(&source);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = place.expect(1, &["serve", "latest", "--listen", &address]);
    assert!(run.stderr.contains("cannot listen") && run.stderr.contains("--listen"), "{run:?}");
    place.expect(2, &["serve"]);
    place.expect(2, &["serve", "nothing"]);
    place.expect(2, &["serve", "latest", "--look-every", "0s"]);
    place.expect(2, &["serve", "latest", "--memory", "0"]);
    place.expect(2, &["serve", "--follow", "nobody"]);
    fs::rename(place.file("keys/recovery.txt"), place.file("moved.txt")).unwrap();
    let run = place.run(&["serve", "latest", "--check"]);
    assert!(run.code == 2 && run.stderr.contains("recovery"), "{run:?}");
    let run = place.expect(0, &["serve", "latest", "--check", "--identity", "moved.txt"]);
    assert!(run.stdout.contains("Ready after") && run.stdout.contains("nothing is served"), "{run:?}");
    fs::rename(place.file("vault"), place.file("elsewhere")).unwrap();
    let run = place.run(&["serve", "latest", "--check", "--identity", "moved.txt"]);
    assert!(run.code != 0 && run.stderr.contains("hint: "), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn being_asked_to_end_finishes_what_is_under_way_also_in_the_middle_of_a_look() {
    let source = small();
    let place = place_of(&source);
    for _ in 0..3 {
        let site = Site::open(&place, &["--follow", "acme-blog", "--look-every", "1ms"]);
        assert_eq!(site.search(ALL).await.status(), StatusCode::OK);
        let begun = Instant::now();
        let run = site.end();
        assert!(begun.elapsed() < Duration::from_secs(20), "{run:?}");
        assert!(!run.stderr.contains("error"), "{run:?}");
    }
}
