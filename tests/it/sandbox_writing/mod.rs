//! The write side of the sandbox, over HTTP: media library, models, documents, publishes.

mod assets;
mod documents;
mod hostile;
mod losses;
mod property;
mod publishing;
mod synthetic;
mod types;

use prismvault::contentapi::{AccessMode, Language, RepositoryRoot};
use prismvault::sandbox::{Content, Model, Models, RepositoryOptions};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Bench, WRITE_TOKEN, options, value};

/// A PNG of a few pixels, as far as anybody reads it.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A form with files, as browsers and libraries send it.
pub(crate) struct Form(Vec<u8>);

const BOUNDARY: &str = "----boundary-of-the-form";

impl Form {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    fn part(mut self, disposition: &str, bytes: &[u8]) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn file(self, filename: &str, bytes: &[u8]) -> Self {
        self.part(&format!("name=\"file\"; filename=\"{filename}\""), bytes)
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.part(&format!("name=\"{name}\""), text.as_bytes())
    }

    /// Makes it the body of a request.
    pub(crate) fn onto(mut self, request: RequestBuilder) -> RequestBuilder {
        self.0.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}")).body(self.0)
    }
}

/// A repository without content in two languages, with these models.
pub(crate) fn empty(types: &[Value], slices: &[Value]) -> Content {
    let language = |id: &str, is_master| Language { id: id.to_owned(), name: id.to_owned(), is_master };
    let read =
        |models: &[Value]| models.iter().map(|model| Model::parse(&model.to_string()).unwrap()).collect();
    Content {
        root: RepositoryRoot {
            languages: vec![language("en-us", true), language("fr-fr", false)],
            ..RepositoryRoot::default()
        },
        models: Models { custom_types: read(types), slices: read(slices) },
        ..Content::default()
    }
}

/// A type with a UID, a title, and these fields.
pub(crate) fn page_type(fields: Value) -> Value {
    let mut main = json!({
        "uid": {"type": "UID", "config": {}},
        "title": {"type": "StructuredText", "config": {"single": "heading1"}},
    });
    for (name, field) in fields.as_object().unwrap() {
        main[name] = field.clone();
    }
    json!({"id": "page", "label": "Page", "repeatable": true, "status": true, "json": {"Main": main}})
}

pub(crate) fn title(text: &str) -> Value {
    json!([{"type": "heading1", "text": text, "spans": []}])
}

/// What tests send to the write APIs of a bench.
pub(crate) trait Writing {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder;

    async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value);

    async fn upload(&self, filename: &str, bytes: Vec<u8>) -> Value;

    async fn create(&self, body: &Value) -> String;

    async fn publish(&self) -> u64;

    async fn live(&self, id: &str) -> Value;
}

impl Writing for Bench {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/{path}", self.server.base_url());
        self.client.request(method, url).header("repository", "acme").bearer_auth(WRITE_TOKEN)
    }

    /// Returns the status, and the body: `Null` when there is none, a text when it is no JSON.
    async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.ask(method, path).body(body.to_string()).send().await.unwrap()).await
    }

    async fn upload(&self, filename: &str, bytes: Vec<u8>) -> Value {
        let form = Form::new().file(filename, &bytes);
        let response = form.onto(self.ask(Method::POST, "asset-api/assets")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        value(response).await
    }

    async fn create(&self, body: &Value) -> String {
        let (status, answer) = self.send(Method::POST, "migration-api/documents", body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn publish(&self) -> u64 {
        let (status, answer) =
            self.send(Method::POST, "migration-api/migration-release/publish", &json!({})).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        answer["totalItems"].as_u64().unwrap()
    }

    async fn live(&self, id: &str) -> Value {
        let q = format!("[[at(document.id, \"{id}\")]]");
        let (status, page) = self.search(&[("lang", "*"), ("q", &q)]).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["results"][0].clone()
    }
}

pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    };
    (status, body)
}

/// A repository of pages with these fields.
pub(crate) fn pages(fields: Value, slices: &[Value]) -> Bench {
    Bench::new(empty(&[page_type(fields)], slices), options(AccessMode::Open))
}

pub(crate) fn pages_with(fields: Value, options: RepositoryOptions) -> Bench {
    Bench::new(empty(&[page_type(fields)], &[]), options)
}

/// The body of a page.
pub(crate) fn page(uid: &str, lang: &str, data: Value) -> Value {
    json!({"title": uid, "type": "page", "uid": uid, "lang": lang, "tags": [], "data": data})
}
