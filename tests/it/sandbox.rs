//! The sandbox as its clients see it: over HTTP, on a free port of the loopback interface.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Arc;

use prismvault::contentapi::{AccessMode, AccessPolicy, TokenScope};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate, generate_asset};
use prismvault::sandbox::{
    Asset, AssetContent, Changes, Content, Control, Endpoint, Endpoints, Model, Release, Repository,
    RepositoryOptions, SandboxError, Server, ServerOptions,
};
use prismvault::secret::Secret;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

pub(crate) fn client() -> reqwest::Client {
    // Whichever test comes first installs it.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Reads a body that must be JSON.
pub(crate) async fn value(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub(crate) const MASTER_TOKEN: &str = "master-token";
pub(crate) const RELEASES_TOKEN: &str = "releases-token";
pub(crate) const WRITE_TOKEN: &str = "write-token";

pub(crate) fn options(mode: AccessMode) -> RepositoryOptions {
    RepositoryOptions {
        access: AccessPolicy {
            mode,
            tokens: vec![
                (Secret::new(MASTER_TOKEN), TokenScope::Master),
                (Secret::new(RELEASES_TOKEN), TokenScope::MasterAndReleases),
            ],
        },
        write_tokens: vec![Secret::new(WRITE_TOKEN)],
        kept_versions: 2,
        seed: 9,
        ..RepositoryOptions::default()
    }
}

pub(crate) fn small() -> Content {
    let options =
        SyntheticOptions { documents: 60, assets: 12, asset_bytes: 3000, ..SyntheticOptions::default() };
    generate("acme", &options).unwrap()
}

/// A repository that is served, and a client for it.
pub(crate) struct Bench {
    pub(crate) repository: Arc<Repository>,
    pub(crate) server: Server,
    pub(crate) endpoints: Endpoints,
    pub(crate) control: Control,
    pub(crate) client: reqwest::Client,
}

impl Bench {
    pub(crate) fn new(content: Content, options: RepositoryOptions) -> Self {
        let repository = Repository::new("acme", content, options);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server::start(vec![Arc::clone(&repository)], ServerOptions::default(), listener).unwrap();
        let endpoints = server.endpoints("acme").unwrap();
        let control = server.control();
        Self { repository, server, endpoints, control, client: client() }
    }

    pub(crate) fn small(mode: AccessMode) -> Self {
        Self::new(small(), options(mode))
    }

    pub(crate) async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn json(&self, url: &str) -> Value {
        let response = self.get(url).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        value(response).await
    }

    /// A search at the current master ref, in every language.
    pub(crate) async fn search(&self, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let reference = self.repository.master_ref();
        self.search_at(&reference, parameters).await
    }

    pub(crate) async fn search_at(
        &self,
        reference: &str,
        parameters: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let mut url = url::Url::parse(&format!("{}/documents/search", self.endpoints.content_api)).unwrap();
        url.query_pairs_mut().append_pair("ref", reference).extend_pairs(parameters);
        let response = self.client.get(url).send().await.unwrap();
        (response.status(), value(response).await)
    }

    pub(crate) async fn written(&self, url: &str, token: Option<&str>, repository: &str) -> Response {
        let mut request = self.client.get(url).header("repository", repository);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn assets(&self, query: &str) -> Value {
        let url = format!("{}/assets?{query}", self.endpoints.asset_api);
        let response = self.written(&url, Some(WRITE_TOKEN), "acme").await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        value(response).await
    }

    /// Reads every document of a ref, page by page.
    pub(crate) async fn all(&self, reference: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for page in 1.. {
            let page = page.to_string();
            let (status, answer) =
                self.search_at(reference, &[("lang", "*"), ("pageSize", "25"), ("page", &page)]).await;
            assert_eq!(status, StatusCode::OK);
            found.extend(answer["results"].as_array().unwrap().iter().cloned());
            if answer["next_page"].is_null() {
                break;
            }
        }
        found
    }
}

#[tokio::test]
async fn a_repository_is_served_through_all_its_apis() {
    let bench = Bench::small(AccessMode::Open);
    let root = bench.json(&bench.endpoints.content_api).await;
    assert_eq!(root["refs"][0]["ref"], bench.repository.master_ref());
    assert_eq!(
        root["languages"][0],
        json!({"id": "en-us", "name": "English - United States", "is_master": true})
    );
    assert_eq!(root["forms"]["tags"]["action"], format!("{}/api/tags", bench.server.base_url()));
    let documents = bench.all(&bench.repository.master_ref()).await;
    assert_eq!(documents.len(), 60);
    let tags = bench.json(root["forms"]["tags"]["action"].as_str().unwrap()).await;
    assert!(!tags.as_array().unwrap().is_empty());
    assert_eq!(bench.assets("limit=100").await["items"].as_array().unwrap().len(), 12);
    for (list, count) in [("customtypes", 12), ("slices", 5)] {
        let url = format!("{}/{list}", bench.endpoints.types_api);
        let models = value(bench.written(&url, Some(WRITE_TOKEN), "acme").await).await;
        assert_eq!(models.as_array().unwrap().len(), count, "{list}");
    }
    bench.server.stop().await;
}

/// What a caller gets from the root: status, and whether it names releases.
async fn root_for(bench: &Bench, token: Option<&str>) -> (u16, bool) {
    let query = token.map_or_else(String::new, |token| format!("?access_token={token}"));
    let response = bench.get(&format!("{}{query}", bench.endpoints.content_api)).await;
    let status = response.status().as_u16();
    let body = value(response).await;
    if status == 401 {
        assert!(
            body["message"].is_string()
                && body["oauth_initiate"].is_string()
                && body["oauth_token"].is_string()
        );
        return (status, false);
    }
    (status, body["refs"].as_array().unwrap().len() > 1)
}

async fn search_for(bench: &Bench, token: Option<&str>, reference: &str) -> u16 {
    let token: Vec<(&str, &str)> = token.map(|token| ("access_token", token)).into_iter().collect();
    let (status, body) = bench.search_at(reference, &token).await;
    match status.as_u16() {
        200 => assert!(body["total_results_size"].as_u64() > Some(0)),
        403 => assert!(body["error"].is_string(), "{body}"),
        other => panic!("{other}: {body}"),
    }
    status.as_u16()
}

#[tokio::test]
async fn access_modes_and_tokens_open_what_they_should() {
    use AccessMode::{Open, Private, PublicMaster};
    let (none, wrong, master, releases) = (None, Some("wrong"), Some(MASTER_TOKEN), Some(RELEASES_TOKEN));
    for (mode, token, root, at_master, at_superseded, at_release) in [
        (Private, none, (401, false), 403, 403, 403),
        (Private, wrong, (401, false), 403, 403, 403),
        (Private, master, (200, false), 200, 200, 403),
        (Private, releases, (200, true), 200, 200, 200),
        (PublicMaster, none, (200, false), 200, 403, 403),
        (PublicMaster, wrong, (401, false), 403, 403, 403),
        (PublicMaster, master, (200, false), 200, 200, 403),
        (PublicMaster, releases, (200, true), 200, 200, 200),
        (Open, none, (200, true), 200, 200, 200),
        (Open, wrong, (401, false), 403, 403, 403),
        (Open, master, (200, true), 200, 200, 200),
        (Open, releases, (200, true), 200, 200, 200),
    ] {
        let bench = Bench::small(mode);
        let superseded = bench.repository.master_ref();
        let current = bench.repository.publish(Changes::default());
        let release = bench.repository.release_ref(&bench.repository.releases()[0].id).unwrap();
        let case = format!("{mode:?} {token:?}");
        assert_eq!(root_for(&bench, token).await, root, "{case}");
        assert_eq!(search_for(&bench, token, &current).await, at_master, "{case} master");
        assert_eq!(search_for(&bench, token, &superseded).await, at_superseded, "{case} superseded");
        assert_eq!(search_for(&bench, token, &release).await, at_release, "{case} release");
        let query = token.map_or_else(String::new, |token| format!("?access_token={token}"));
        let tags = bench.get(&format!("{}/api/tags{query}", bench.server.base_url())).await;
        assert_eq!(tags.status().as_u16(), root.0, "{case} tags");
    }
}

#[tokio::test]
async fn a_ref_lives_for_some_publishes_then_says_where_to_go_on() {
    let bench = Bench::small(AccessMode::Open);
    let first = bench.repository.master_ref();
    let release = bench.repository.release_ref(&bench.repository.releases()[0].id).unwrap();
    let before = bench.all(&first).await;
    assert_eq!(release.split('~').nth(1), Some(first.as_str()));
    for _ in 0..2 {
        bench.repository.edit(0.1, 3).unwrap();
        assert_eq!(bench.all(&first).await, before, "what a ref stands for does not change");
        assert_eq!(bench.search_at(&release, &[]).await.0, StatusCode::OK);
    }
    let newest = bench.repository.publish(Changes::default());
    assert!([&first, &newest].iter().all(|reference| reference.len() == 16) && first != newest);
    for gone in [&first, &release] {
        let (status, body) = bench.search_at(gone, &[]).await;
        let message = "The provided ref is no longer accessible, it has expired. Master ref is: ";
        assert_eq!(status, StatusCode::GONE);
        assert_eq!(body, json!({"type": "api_validation_error", "message": format!("{message}{newest}")}));
    }
    for unknown in
        ["YxxxxxxxxxxxxxxY", "https://acme.prismic.io/previews/abc:def?websitePreviewId=1", "{\"a\":1}"]
    {
        let (status, body) = bench.search_at(unknown, &[]).await;
        let message = "Ref not found. Ensure you have the correct ref and try again. Master ref is: ";
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body, json!({"type": "api_notfound_error", "message": format!("{message}{newest}")}));
    }
}

#[tokio::test]
async fn a_release_lies_over_the_master_of_its_ref() {
    let bench = Bench::small(AccessMode::Open);
    let release: Release = bench.repository.releases().remove(0);
    let reference = bench.repository.release_ref(&release.id).unwrap();
    let master = bench.all(&bench.repository.master_ref()).await;
    let ids: HashSet<&str> = master.iter().map(|document| document["id"].as_str().unwrap()).collect();
    let overlaid = bench.all(&reference).await;
    let fresh: Vec<&Value> =
        overlaid.iter().filter(|document| !ids.contains(document["id"].as_str().unwrap())).collect();
    assert_eq!((overlaid.len(), fresh.len()), (62, 2));
    for document in fresh {
        assert_eq!(document["first_publication_date"], Value::Null);
        assert_eq!(document["last_publication_date"], Value::Null);
    }
    let differing = overlaid.iter().filter(|document| {
        let same_id = master.iter().find(|other| other["id"] == document["id"]);
        same_id.is_some_and(|other| other["data"] != document["data"])
    });
    assert!((1..=3).contains(&differing.count()));

    let edited = Release { version: "anotherVersion00".to_owned(), documents: Vec::new(), ..release.clone() };
    bench.repository.put_release(edited);
    let changed = bench.repository.release_ref(&release.id).unwrap();
    assert!(changed.starts_with("anotherVersion00~"));
    assert_eq!(bench.all(&changed).await, {
        let mut expected = master.clone();
        for document in &mut expected {
            let href = document["href"].as_str().unwrap();
            document["href"] = href.replace(&bench.repository.master_ref(), &changed).into();
        }
        expected
    });
    assert_eq!(bench.all(&reference).await, overlaid, "the old ref still stands for the old documents");
    bench.repository.remove_release(&release.id).unwrap();
    let error = bench.repository.remove_release(&release.id).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no release {:?}", release.id));
}

#[tokio::test]
async fn the_media_library_is_paged_newest_first_with_a_cursor_on_every_page() {
    let bench = Bench::small(AccessMode::Open);
    let all = bench.assets("limit=5000").await;
    assert_eq!((&all["total"], &all["database"]), (&json!(12), &json!("postgres")));
    let items = all["items"].as_array().unwrap();
    assert!(items.is_sorted_by(|a, b| a["created_at"].as_i64() >= b["created_at"].as_i64()));
    assert_eq!(all["cursor"], items[11]["id"], "also on the last page");
    let (mut found, mut query) = (Vec::new(), "limit=5".to_owned());
    for expected in [5, 5, 2, 0] {
        let page = bench.assets(&query).await;
        assert_eq!(page["items"].as_array().unwrap().len(), expected);
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) => query = format!("limit=5&cursor={cursor}"),
            None => assert_eq!(expected, 0),
        }
    }
    assert_eq!(&found, items);
    let some = bench.assets(&format!("ids={}&ids=nobody", items[3]["id"].as_str().unwrap())).await;
    assert_eq!((&some["items"], &some["missing_ids"]), (&json!([items[3]]), &json!(["nobody"])));
    let tagged = items.iter().find(|item| item["tags"] != json!([])).unwrap();
    let by_tag = bench.assets(&format!("tags={}", tagged["tags"][0]["id"].as_str().unwrap())).await;
    assert!(by_tag["items"].as_array().unwrap().contains(tagged));
    let images = bench.assets("assetType=image&limit=100").await;
    assert!(images["items"].as_array().unwrap().iter().all(|item| item["kind"] == "image"));
    let tags = bench.written(&format!("{}/tags", bench.endpoints.asset_api), Some(WRITE_TOKEN), "acme").await;
    assert_eq!(value(tags).await["items"].as_array().unwrap().len(), 3);
    for (query, code) in
        [("cursor=nobody", "invalid_cursor"), ("limit=0", "invalid_limit"), ("limit=x", "invalid_limit")]
    {
        let url = format!("{}/assets?{query}", bench.endpoints.asset_api);
        let response = bench.written(&url, Some(WRITE_TOKEN), "acme").await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(value(response).await["code"], code);
    }
}

#[tokio::test]
async fn asset_and_types_api_want_a_write_token_and_the_repositorys_name() {
    let bench = Bench::small(AccessMode::Open);
    let denied =
        "User is not authorized to access this resource with an explicit deny in an identity-based policy";
    let paths = ["asset-api/assets", "asset-api/tags", "types-api/customtypes", "types-api/slices"];
    for path in paths {
        let url = format!("{}/{path}", bench.server.base_url());
        for (token, repository, expected) in [
            (None, "acme", 401),
            (Some("wrong"), "acme", 403),
            (Some(MASTER_TOKEN), "acme", 403),
            (Some(WRITE_TOKEN), "other", 403),
            (Some(WRITE_TOKEN), "acme", 200),
        ] {
            let response = bench.written(&url, token, repository).await;
            assert_eq!(response.status().as_u16(), expected, "{path} {token:?} {repository}");
            let body = response.text().await.unwrap();
            match expected {
                401 if path.starts_with("types") => assert_eq!(body, "Unauthorized"),
                401 => assert_eq!(body, r#"{"message":"Unauthorized"}"#),
                403 => assert_eq!(body, format!(r#"{{"message":"{denied}"}}"#)),
                _ => {}
            }
        }
    }
    let base = bench.server.base_url();
    // The gateways before the APIs differ.
    for (path, status) in
        [("asset-api/nothing", 403), ("types-api/nothing", 403), ("migration-api/documents", 404)]
    {
        let response = bench.written(&format!("{base}/{path}"), Some(WRITE_TOKEN), "acme").await;
        assert_eq!(response.status().as_u16(), status, "{path}");
    }
    let one = bench.written(&format!("{base}/types-api/customtypes/page"), Some(WRITE_TOKEN), "acme").await;
    assert_eq!(value(one).await["id"], "page");
    let none = bench.written(&format!("{base}/types-api/slices/nothing"), Some(WRITE_TOKEN), "acme").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let content = bench.get(&format!("{}?access_token={WRITE_TOKEN}", bench.endpoints.content_api)).await;
    assert_eq!(content.status(), StatusCode::UNAUTHORIZED, "a write token does not read content");
}

#[tokio::test]
async fn a_file_is_its_address_without_parameters() {
    let bench = Bench::small(AccessMode::Private);
    for item in bench.assets("limit=100").await["items"].as_array().unwrap() {
        let url = item["url"].as_str().unwrap();
        let plain = url.split('?').next().unwrap();
        let response = bench.get(plain).await;
        assert_eq!(response.status(), StatusCode::OK, "{plain}: files are public");
        assert_eq!(response.content_length(), item["size"].as_u64());
        let original = response.bytes().await.unwrap();
        assert_eq!(Some(original.len() as u64), item["size"].as_u64());
        if url != plain {
            let transformed = bench.get(url).await.bytes().await.unwrap();
            assert_ne!(transformed, original, "parameters give another picture");
        }
        let part = bench.client.get(plain).header("range", "bytes=10-19").send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()["content-range"], format!("bytes 10-19/{}", original.len()));
        assert_eq!(part.bytes().await.unwrap(), original[10..20]);
        let outside = bench.client.get(plain).header("range", "bytes=9999999-").send().await.unwrap();
        assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        let head = bench.client.head(plain).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], original.len().to_string());
    }
    for path in ["acme/nothing.png", "acme%2F..%2Fsecret", "other/x.png", "%00", "acme"] {
        let response = bench.get(&format!("{}/{path}", bench.server.base_url())).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let posted = bench.client.post(format!("{}/acme/x.png", bench.server.base_url())).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn edits_additions_and_removals_show_at_the_next_ref_only() {
    let bench = Bench::small(AccessMode::Open);
    let old = bench.repository.master_ref();
    let before = bench.all(&old).await;
    let edited = bench.repository.edit(0.1, 5).unwrap();
    assert_eq!(edited.len(), 6);
    let after = bench.all(&bench.repository.master_ref()).await;
    for document in &after {
        let id = document["id"].as_str().unwrap();
        let earlier = before.iter().find(|other| other["id"] == id).unwrap();
        let changed = edited.iter().any(|other| other == id);
        let text = document["data"].to_string();
        let links = edited.iter().any(|other| text.contains(&format!("\"id\":\"{other}\"")));
        assert_eq!(earlier["data"] != document["data"], changed || links, "{id}: links copy dates");
        assert_eq!(earlier["last_publication_date"] != document["last_publication_date"], changed, "{id}");
        assert_eq!(earlier["first_publication_date"], document["first_publication_date"]);
    }
    assert_eq!(bench.all(&old).await, before);

    // Remove a document that others link to.
    let target = before.iter().find(|document| document["type"] == "author").unwrap()["id"].as_str().unwrap();
    assert!(bench.repository.remove_documents(&[target, "nobody"]) == 1);
    let left = bench.all(&bench.repository.master_ref()).await;
    assert_eq!(left.len(), 59);
    for document in &left {
        assert!(!document["alternate_languages"].to_string().contains(target));
        let text = document["data"].to_string();
        let links = text.matches(&format!("\"id\":\"{target}\"")).count();
        let broken = text.matches(&format!("\"id\":\"{target}\",\"type\":\"broken_type\"")).count();
        assert_eq!(links, broken, "{text}");
    }
    let added = bench.repository.add_documents(3, 5).unwrap();
    let grown = bench.all(&bench.repository.master_ref()).await;
    assert_eq!((added.len(), grown.len()), (3, 62));
    let uids: HashSet<String> = grown
        .iter()
        .filter(|d| !d["uid"].is_null())
        .map(|d| format!("{}{}{}", d["type"], d["lang"], d["uid"]))
        .collect();
    assert_eq!(uids.len(), grown.iter().filter(|d| !d["uid"].is_null()).count());
}

#[tokio::test]
async fn assets_and_models_change_without_a_publish() {
    let bench = Bench::small(AccessMode::Open);
    let reference = bench.repository.master_ref();
    let base = bench.server.base_url();
    let item = json!({"id": "ZnewAsset0000000", "url": "https://asset-host.invalid/acme%2Fold_pl%C3%A4n.pdf", "filename": "Plän.pdf",
        "extension": "pdf", "size": 3, "kind": "document", "created_at": 4_000_000_000_000_i64, "last_modified": 1, "tags": []});
    let content = AssetContent::Bytes(bytes::Bytes::from_static(b"abc"));
    bench
        .repository
        .put_asset(Asset::parse(&item.to_string(), &["https://asset-host.invalid"], content).unwrap());
    let newest = bench.assets("limit=1").await;
    assert_eq!(newest["items"][0]["url"], format!("{base}/acme%2Fold_pl%C3%A4n.pdf"));
    for path in ["acme%2Fold_pl%C3%A4n.pdf", "acme/old_pl%c3%a4n.pdf"] {
        assert_eq!(bench.get(&format!("{base}/{path}")).await.text().await.unwrap(), "abc", "{path}");
    }
    bench.repository.remove_asset("ZnewAsset0000000").unwrap();
    assert_eq!(bench.assets("limit=1").await["total"], 12);
    let kept = bench.get(&format!("{base}/acme/old_pl%C3%A4n.pdf")).await;
    assert_eq!(kept.status(), StatusCode::OK, "a removed asset's file stays");
    assert!(matches!(
        bench.repository.remove_asset("nobody"),
        Err(SandboxError::NotFound { what: "asset", .. })
    ));

    let another = generate_asset("acme", &SyntheticOptions::default(), 12).unwrap();
    let id = another.id.clone();
    bench.repository.put_asset(another);
    bench.repository.edit_asset(&id, "previous id: x").unwrap();
    assert!(bench.repository.edit_asset("nobody", "").is_err());
    let listed = bench.assets(&format!("ids={id}")).await;
    assert_eq!(
        (&listed["items"][0]["notes"], &listed["items"][0]["id"]),
        (&json!("previous id: x"), &json!(id))
    );
    let url = listed["items"][0]["url"].as_str().unwrap().split('?').next().unwrap();
    assert_eq!(bench.get(url).await.content_length(), listed["items"][0]["size"].as_u64());

    let model = Model::parse(r#"{"id":"recipe","label":"Recipe","json":{"Main":{}}}"#).unwrap();
    bench.repository.put_custom_type(model);
    bench.repository.put_slice(Model::parse(r#"{"id":"quote","name":"Other"}"#).unwrap());
    bench.repository.remove_custom_type("faq").unwrap();
    assert!(bench.repository.remove_custom_type("faq").is_err());
    let url = format!("{}/customtypes", bench.endpoints.types_api);
    let types = value(bench.written(&url, Some(WRITE_TOKEN), "acme").await).await;
    let has = |id: &str| types.as_array().unwrap().iter().any(|model| model["id"] == id);
    assert!(has("recipe") && !has("faq"));
    assert_eq!(bench.repository.models().slices.len(), 5);
    let root = bench.json(&bench.endpoints.content_api).await;
    assert!(root["types"].get("recipe").is_none(), "the root knows a type by its first document");
    assert_eq!(bench.repository.master_ref(), reference);
}

#[tokio::test]
async fn several_repositories_share_one_server() {
    let one = Repository::new("acme", small(), options(AccessMode::Open));
    let two = Repository::new("other", small(), options(AccessMode::Private));
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let twice = Server::start(vec![Arc::clone(&one), Arc::clone(&one)], ServerOptions::default(), listen());
    assert_eq!(twice.unwrap_err().to_string(), "two repositories are called \"acme\"");
    for name in ["abc", "a/bc", "{name}", "-abcd", "asset-api", ""] {
        let bad = Repository::new(name, Content::default(), options(AccessMode::Open));
        let error = Server::start(vec![bad], ServerOptions::default(), listen()).unwrap_err();
        assert_eq!(error.to_string(), format!("{name:?} cannot be the name of a repository"));
    }
    let server = Server::start(vec![Arc::clone(&one), two], ServerOptions::default(), listen()).unwrap();
    assert_eq!(server.endpoints("nobody"), None);
    for (name, expected) in [("acme", StatusCode::OK), ("other", StatusCode::UNAUTHORIZED)] {
        let api = server.endpoints(name).unwrap().content_api;
        assert_eq!(client().get(&api).send().await.unwrap().status(), expected, "{name}");
    }
    let api = server.endpoints("acme").unwrap().content_api;
    let search = format!("{api}/documents/search?ref={}&pageSize=1", one.master_ref());
    let answer = value(client().get(search).send().await.unwrap()).await;
    assert!(answer["next_page"].as_str().unwrap().starts_with(&api));
    assert_eq!(server.control().requests_to(Endpoint::Search), 1);
    server.stop().await;
    assert!(client().get(&api).send().await.is_err(), "nobody listens any more");
}
