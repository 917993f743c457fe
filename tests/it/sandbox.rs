//! The sandbox as its clients see it: over HTTP, on a free port of the loopback interface.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use prismvault::contentapi::{AccessMode, AccessPolicy, TokenScope};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{
    Changes, Content, Control, Endpoint, Endpoints, ErrorRate, Faults, Model, RateLimit, Release, Repository,
    RepositoryOptions, RetryAfter, SandboxError, Server, ServerOptions, Torn, load,
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
const WRITE_TOKEN: &str = "write-token";

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
    }
}

fn small() -> Content {
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
    client: reqwest::Client,
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

    fn small(mode: AccessMode) -> Self {
        Self::new(small(), options(mode))
    }

    async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    async fn json(&self, url: &str) -> Value {
        let response = self.get(url).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        value(response).await
    }

    /// A search at the current master ref, in every language.
    pub(crate) async fn search(&self, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let reference = self.repository.master_ref();
        self.search_at(&reference, parameters).await
    }

    async fn search_at(&self, reference: &str, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut url = url::Url::parse(&format!("{}/documents/search", self.endpoints.content_api)).unwrap();
        url.query_pairs_mut().append_pair("ref", reference).extend_pairs(parameters);
        let response = self.client.get(url).send().await.unwrap();
        (response.status(), value(response).await)
    }

    async fn written(&self, url: &str, token: Option<&str>, repository: &str) -> Response {
        let mut request = self.client.get(url).header("repository", repository);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    async fn assets(&self, query: &str) -> Value {
        let url = format!("{}/assets?{query}", self.endpoints.asset_api);
        let response = self.written(&url, Some(WRITE_TOKEN), "acme").await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        value(response).await
    }

    /// Reads every document of a ref, page by page.
    async fn all(&self, reference: &str) -> Vec<Value> {
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
