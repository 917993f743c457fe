//! The routes of the Content API over a [`ContentSource`].

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::access::{AccessPolicy, Caller};
use super::answer::{Refusal, json_response, raw_json_response};
use super::search::{Parameters, Place, Search};
use super::source::{ContentSource, RefAnswer};

/// How a repository is served.
#[derive(Debug, Clone, Default)]
pub struct ContentOptions {
    /// Who may read what.
    pub access: AccessPolicy,
    /// Address of this server without the final slash, for the addresses in answers; without it
    /// the request's `Host`.
    pub base_url: Option<String>,
    /// Whether a `Host` is reached by `https://`.
    pub is_https: bool,
    /// Path below the server at which this repository is, without a final slash.
    pub prefix: String,
    /// Scheme and host that fill the places of [`ASSET_HOST`](super::ASSET_HOST); a path is meant
    /// below the address of the repository here.
    pub asset_host: String,
    /// Longest address that is answered, in bytes; Prismic refuses 2,048 and more.
    pub url_bytes_max: Option<usize>,
}

/// Told of a search before it is answered; what it returns lowers `pageSize`. For the sandbox's
/// faults.
pub type PageCap = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

struct Engine {
    source: Arc<dyn ContentSource>,
    options: ContentOptions,
    page_cap: Option<PageCap>,
}

/// Returns `/api/v2`, `/api/v2/`, `/api/v2/documents/search` and `/api/tags` for one repository.
/// Only GET and HEAD, CORS for everybody.
pub fn router(source: Arc<dyn ContentSource>, options: ContentOptions, page_cap: Option<PageCap>) -> Router {
    let engine = Arc::new(Engine { source, options, page_cap });
    Router::new()
        .route("/api/v2", get(root).options(preflight))
        .route("/api/v2/", get(root).options(preflight))
        .route("/api/v2/documents/search", get(search).options(preflight))
        .route("/api/tags", get(tags).options(preflight))
        .layer(middleware::map_response(allow_origin))
        .with_state(engine)
}

async fn allow_origin(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

type Answer = Result<Response, Refusal>;

async fn root(State(engine): State<Arc<Engine>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let root = engine.source.root().await?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    let base = engine.base(&headers);
    match engine.options.access.root(engine.caller(&parameters)) {
        Some(with_releases) => Ok(json_response(StatusCode::OK, &root.to_api(&base, with_releases))),
        None => Err(Refusal::Unauthorized { base }),
    }
}

async fn tags(State(engine): State<Arc<Engine>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let root = engine.source.root().await?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    if engine.options.access.root(engine.caller(&parameters)).is_none() {
        return Err(Refusal::Unauthorized { base: engine.base(&headers) });
    }
    let tags = root.tags.clone().ok_or(Refusal::NoTags)?;
    Ok(json_response(StatusCode::OK, &Value::from(tags)))
}

async fn search(
    State(engine): State<Arc<Engine>>,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let base = engine.base(&headers);
    let length = base.len() + uri.path_and_query().map_or(0, |target| target.as_str().len());
    if engine.options.url_bytes_max.is_some_and(|max| length >= max) {
        return Err(Refusal::AddressTooLong);
    }
    let root = engine.source.root().await?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    let caller = engine.caller(&parameters);
    if engine.options.access.root(caller).is_none() {
        return Err(Refusal::Forbidden(match caller {
            Caller::Impostor => "Invalid access token",
            _ => "Access to this repository requires an access token",
        }));
    }
    let mut search = Search::parse(parameters, &root)?;
    if let Some(cap) = engine.page_cap.as_ref().and_then(|cap| cap()) {
        search.cap(cap);
    }
    let master = || root.master_ref().unwrap_or_default().to_owned();
    let set = match engine.source.documents(&search.reference).await? {
        RefAnswer::Unknown => return Err(Refusal::RefNotFound { master: master() }),
        RefAnswer::Expired => return Err(Refusal::RefExpired { master: master() }),
        RefAnswer::Found(kind, _) if !engine.options.access.allows(caller, kind) => {
            return Err(Refusal::Forbidden("Access to this Ref requires an access token"));
        }
        RefAnswer::Found(_, set) => set,
    };
    let asset_host = match engine.options.asset_host.as_str() {
        path if path.starts_with('/') => format!("{base}{path}"),
        host => host.to_owned(),
    };
    let place = Place { base, asset_host };
    if let Some(body) = search.answer_now(&set, &place, &root) {
        return Ok(raw_json_response(StatusCode::OK, body));
    }
    // Searching, reading and copying are work for threads that may wait.
    let work = move || search.answer(&set, &place, &root);
    let body = tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Evaluation)??;
    Ok(raw_json_response(StatusCode::OK, body))
}

impl Engine {
    fn caller(&self, parameters: &Parameters) -> Caller {
        self.options.access.recognise(parameters.get("access_token"))
    }

    fn base(&self, headers: &HeaderMap) -> String {
        let server = self.options.base_url.clone().unwrap_or_else(|| {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            format!("{}://{host}", if self.options.is_https { "https" } else { "http" })
        });
        format!("{server}{}", self.options.prefix)
    }
}
