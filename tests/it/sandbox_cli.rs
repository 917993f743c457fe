//! The sandbox as a program: what it prints, what it serves, how it is changed and ended.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::client;
use crate::workplace::Workplace;

/// A sandbox that runs until it is told to stop; dropping it ends it the hard way.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    hello: Value,
    client: Client,
    _workplace: Workplace,
}

impl Running {
    /// Starts it on any free port and reads the line it prints.
    fn start(arguments: &[&str]) -> Self {
        let workplace = Workplace::new();
        let mut command = workplace.command(&["sandbox", "--port", "0", "--json"]);
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let hello = serde_json::from_str(&line).unwrap_or_else(|err| {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{err}: {line:?} {said}")
        });
        Self { child, stdout, hello, client: client(), _workplace: workplace }
    }

    fn text(&self, field: &str) -> &str {
        self.hello[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.hello))
    }

    async fn send(&self, method: Method, url: &str, body: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn control(&self, method: Method, path: &str) -> (StatusCode, Value) {
        self.send(method, &format!("{}{path}", self.text("control_api")), None).await
    }

    async fn root(&self) -> (StatusCode, Value) {
        self.send(Method::GET, self.text("content_api"), None).await
    }

    /// Sends a signal and returns the exit code, and what else was printed.
    fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
        let process = self.child.id();
        let sent = Command::new("sh").args(["-c", &format!("kill {signal} {process}")]).status();
        assert!(sent.unwrap().success());
        let (mut rest, mut said) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), rest, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn master_ref(root: &Value) -> String {
    let refs = root["refs"].as_array().unwrap();
    let master = refs.iter().find(|entry| entry["isMasterRef"] == true).unwrap();
    master["ref"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn it_says_where_it_is_serves_and_ends_well_when_told_to_stop() {
    for signal in ["-INT", "-TERM"] {
        let sandbox = Running::start(&["--documents", "30", "--assets", "5", "--asset-bytes", "500"]);
        let base = sandbox.text("base_url");
        assert!(base.starts_with("http://127.0.0.1:"), "{base}");
        assert_eq!(sandbox.hello["schema"], 1);
        assert_eq!(sandbox.text("content_api"), format!("{base}/api/v2"));
        assert_eq!(sandbox.hello["repositories"][0]["name"], "acme-blog");
        assert_eq!(sandbox.hello["repositories"][0]["documents"], 30);
        assert_eq!(sandbox.root().await.0, StatusCode::OK);

        let listing = sandbox.client.get(format!("{}/assets", sandbox.text("asset_api")));
        let listing = listing.bearer_auth(sandbox.text("write_token")).header("repository", "acme-blog");
        let listing: Value =
            serde_json::from_str(&listing.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(listing["total"], 5);

        let (code, rest, said) = sandbox.end(signal);
        assert_eq!((code, rest.as_str()), (Some(0), ""), "{said}");
    }
}

#[tokio::test]
async fn editors_work_is_done_over_http() {
    let sandbox = Running::start(&["--documents", "100", "--assets", "4", "--asset-bytes", "500"]);
    let before = master_ref(&sandbox.root().await.1);

    let (status, edited) = sandbox.control(Method::POST, "/edit?share=0.05&seed=2").await;
    assert_eq!((status, edited["edited"].as_array().unwrap().len()), (StatusCode::OK, 5));
    let after = master_ref(&sandbox.root().await.1);
    assert_ne!(after, before);
    assert_eq!(edited["master_ref"], after);

    let (_, added) = sandbox.control(Method::POST, "/add?documents=3").await;
    let added: Vec<&str> = added["added"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let documents = async || sandbox.control(Method::GET, "").await.1["repositories"][0]["documents"].clone();
    assert_eq!((added.len(), documents().await), (3, json!(103)));
    let (_, removed) = sandbox.control(Method::POST, &format!("/remove?ids={}", added[..2].join(","))).await;
    assert_eq!((&removed["removed"], documents().await), (&json!(2), json!(101)));

    let (status, published) = sandbox.control(Method::POST, "/publish?expire=true").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(published["master_ref"], master_ref(&sandbox.root().await.1));
    let (status, _) = sandbox
        .send(Method::GET, &format!("{}/documents/search?ref={after}", sandbox.text("content_api")), None)
        .await;
    assert_eq!(status, StatusCode::GONE, "older refs expired");
}

#[tokio::test]
async fn assets_are_changed_over_http() {
    let sandbox = Running::start(&["--documents", "20", "--assets", "3", "--asset-bytes", "500"]);
    let list = async || {
        let listing = sandbox.client.get(format!("{}/assets", sandbox.text("asset_api")));
        let listing = listing.bearer_auth(sandbox.text("write_token")).header("repository", "acme-blog");
        serde_json::from_str::<Value>(&listing.send().await.unwrap().text().await.unwrap()).unwrap()
    };
    let id = list().await["items"][0]["id"].as_str().unwrap().to_owned();
    let (status, _) = sandbox.control(Method::POST, &format!("/assets/edit?id={id}&notes=seen")).await;
    assert_eq!((status, &list().await["items"][0]["notes"]), (StatusCode::OK, &json!("seen")));
    let (status, _) = sandbox.control(Method::POST, &format!("/assets/remove?id={id}")).await;
    assert_eq!((status, &list().await["total"]), (StatusCode::OK, &json!(2)));
    let (status, answer) = sandbox.control(Method::POST, &format!("/assets/remove?id={id}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(answer["error"].as_str().unwrap().contains(&id), "{answer}");
}

#[tokio::test]
async fn faults_of_options_and_of_http_do_not_lock_out_control() {
    let sandbox = Running::start(&["--documents", "20", "--assets", "2", "--error-rate", "503:1"]);
    assert_eq!(sandbox.root().await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (_, faults) = sandbox.control(Method::GET, "/faults").await;
    assert_eq!(faults["errors"], json!({"status": 503, "share": 1.0}));

    let url = format!("{}/faults", sandbox.text("control_api"));
    for wrong in [
        "",
        "{",
        r#"{"latency": 3}"#,
        r#"{"errors": {"status": 200, "share": 0.5}}"#,
        r#"{"torn": [0, "missing"]}"#,
    ] {
        let (status, answer) = sandbox.send(Method::PUT, &url, Some(wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer["error"].is_string(), "{wrong}: {answer}");
    }
    assert_eq!(sandbox.root().await.0, StatusCode::SERVICE_UNAVAILABLE, "nothing was changed");

    let (status, now) =
        sandbox.send(Method::PUT, &url, Some(r#"{"errors": {"status": 429, "share": 1}}"#)).await;
    assert_eq!((status, &now["errors"]["status"]), (StatusCode::OK, &json!(429)));
    assert_eq!(sandbox.root().await.0, StatusCode::TOO_MANY_REQUESTS);
    let (_, now) = sandbox.control(Method::DELETE, "/faults").await;
    assert_eq!(now["errors"], Value::Null);
    assert_eq!(sandbox.root().await.0, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_counted_and_looking_does_not_count() {
    let sandbox = Running::start(&["--documents", "20", "--assets", "2"]);
    for _ in 0..3 {
        sandbox.root().await;
    }
    let (_, requests) = sandbox.control(Method::GET, "/requests?last=2").await;
    assert_eq!((&requests["total"], &requests["by_endpoint"]), (&json!(3), &json!({"root": 3})));
    assert_eq!(requests["log"].as_array().unwrap().len(), 2);
    assert_eq!(requests["log"][1]["number"], 3);
    assert_eq!(sandbox.control(Method::DELETE, "/requests").await.0, StatusCode::NO_CONTENT);
    let (_, requests) = sandbox.control(Method::GET, "/requests").await;
    assert_eq!((&requests["total"], &requests["log"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_changes_nothing() {
    let sandbox = Running::start(&["--documents", "20", "--assets", "2"]);
    let before = sandbox.control(Method::GET, "").await.1;
    for (path, expected) in [
        ("/edit", StatusCode::BAD_REQUEST),
        ("/edit?share=2", StatusCode::BAD_REQUEST),
        ("/edit?share=NaN", StatusCode::BAD_REQUEST),
        ("/edit?share=0.1&sed=2", StatusCode::BAD_REQUEST),
        ("/edit?share=0.1&repository=other", StatusCode::NOT_FOUND),
        ("/add?documents=-1", StatusCode::BAD_REQUEST),
        ("/add?documents=99999999999", StatusCode::BAD_REQUEST),
        ("/remove?ids=", StatusCode::BAD_REQUEST),
        ("/remove?ids=nobody", StatusCode::NOT_FOUND),
        ("/publish?expire=perhaps", StatusCode::BAD_REQUEST),
        ("/assets/edit?id=nobody", StatusCode::NOT_FOUND),
    ] {
        let (status, answer) = sandbox.control(Method::POST, path).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(answer["error"].is_string(), "{path}: {answer}");
    }
    // What a page in a browser of this machine sends.
    let url = format!("{}/edit?share=1", sandbox.text("control_api"));
    let page = sandbox.client.post(url).header("origin", "https://attacker.example").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert_eq!(sandbox.control(Method::GET, "").await.1, before);
}

#[tokio::test]
async fn several_repositories_are_told_apart() {
    let arguments = ["--name", "acme-blog", "--name", "acme-shop", "--documents", "20", "--assets", "2"];
    let sandbox = Running::start(&arguments);
    let names: Vec<&Value> =
        sandbox.hello["repositories"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("acme-blog"), &json!("acme-shop")]);
    let (status, _) = sandbox.control(Method::POST, "/publish").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let shop = sandbox.hello["repositories"][1]["content_api"].as_str().unwrap();
    let before = master_ref(&sandbox.send(Method::GET, shop, None).await.1);
    let (status, _) = sandbox.control(Method::POST, "/publish?repository=acme-shop").await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(master_ref(&sandbox.send(Method::GET, shop, None).await.1), before);
}

#[tokio::test]
async fn a_private_repository_wants_its_token() {
    let arguments =
        ["--documents", "20", "--assets", "2", "--access", "private", "--access-token", "let-me-in"];
    let sandbox = Running::start(&arguments);
    assert_eq!(sandbox.root().await.0, StatusCode::UNAUTHORIZED);
    let with_token = format!("{}?access_token=let-me-in", sandbox.text("content_api"));
    assert_eq!(sandbox.send(Method::GET, &with_token, None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_directory_is_served() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let mut file = std::fs::File::create(place.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    write(
        "repository.json",
        r#"{"refs":[{"id":"master","ref":"YRefOfTheMaster1","label":"Master","isMasterRef":true}],
            "types":{"page":"Page"},"languages":[{"id":"en-us","name":"English","is_master":true}]}"#,
    );
    write(
        "documents.jsonl",
        r#"{"id":"YDocumentNumber1","uid":null,"type":"page","lang":"en-us","tags":[],"slugs":[],"linked_documents":[],"alternate_languages":[],"first_publication_date":"2024-01-01T00:00:00+0000","last_publication_date":"2024-01-01T00:00:00+0000","data":{}}"#,
    );
    let sandbox = Running::start(&["--from", place.path().to_str().unwrap()]);
    assert_eq!(sandbox.hello["repositories"][0]["documents"], 1);
    assert_eq!(master_ref(&sandbox.root().await.1), "YRefOfTheMaster1");
}

#[test]
fn wrong_options_are_refused_with_the_next_step() {
    let workplace = Workplace::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, code, said) in [
        (&["--port", &port][..], 1, "hint: --port 0"),
        (&["--port", "0", "--from", "nowhere"], 1, "hint: --from takes a directory"),
        (&["--port", "0", "--name", "x"], 2, "cannot be the name of a repository"),
        (&["--port", "0", "--name", "sandbox"], 2, "cannot be the name of a repository"),
        (&["--port", "0", "--name", "acme", "--name", "acme"], 2, "two repositories are called"),
        (&["--port", "0", "--name", "acme", "--name", "shop", "--from", "x"], 2, "one --name"),
        (&["--port", "0", "--error-rate", "503"], 2, "STATUS:SHARE"),
        (&["--port", "0", "--from", "x", "--documents", "3"], 2, "cannot be used with"),
        (&["--port", "0", "--missing-file", "nobody"], 2, "hint: there is, for example, "),
    ] {
        let run = workplace.run(&[&["sandbox"], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(said), "{arguments:?}: {run:?}");
    }
}

#[tokio::test]
async fn documents_are_written_within_the_rate_that_was_asked_for() {
    let sandbox = Running::start(&[
        "--documents",
        "0",
        "--assets",
        "0",
        "--write-rate",
        "2",
        "--release-documents",
        "1",
        "--publish-delay",
        "10s",
    ]);
    let base = sandbox.text("migration_api").to_owned();
    assert_eq!(sandbox.hello["repositories"][0]["migration_api"], base.as_str());
    let write = async |path: &str, uid: &str| {
        let body = json!({"title": uid, "type": "page", "uid": uid, "lang": "en-us", "data": {}});
        let request = sandbox.client.post(format!("{base}/{path}")).bearer_auth(sandbox.text("write_token"));
        let response = request.header("repository", "acme-blog").body(body.to_string()).send().await.unwrap();
        response.status().as_u16()
    };
    let statuses =
        [write("documents", "a").await, write("documents", "b").await, write("documents", "c").await];
    assert_eq!(statuses, [201, 400, 429], "the second one finds the release full");
    let (_, rates) = sandbox.control(Method::GET, "/rates").await;
    assert_eq!(rates, json!({"asset": 2, "types": null, "migration": 2}));
    let (_, counted) = sandbox.control(Method::GET, "/requests").await;
    assert_eq!(counted["by_api"]["migration"], json!({"requests": 3, "refused": 1, "most_in_a_second": 3}));
    let url = format!("{}/rates", sandbox.text("control_api"));
    for wrong in ["{\"migration\": 0}", "{\"content\": 1}", "x"] {
        assert_eq!(sandbox.send(Method::PUT, &url, Some(wrong)).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(sandbox.send(Method::PUT, &url, Some("{\"asset\": 5}")).await.1["migration"], Value::Null);
    assert_eq!(sandbox.send(Method::DELETE, &url, None).await.1["asset"], Value::Null);
    assert_eq!(write("migration-release/publish", "").await, 202);
    let (_, described) = sandbox.control(Method::GET, "").await;
    assert_eq!(
        (&described["repositories"][0]["documents"], &described["repositories"][0]["staged"]),
        (&json!(0), &json!(0))
    );
}
