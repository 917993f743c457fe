//! The routes of the Content API over a [`ContentSource`].

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::access::{AccessPolicy, Caller};
use super::answer::{Refusal, json_response, raw_json_response};
use super::answers::{AnswerCache, Asked};
use super::encoding::{Accepted, Encoded};
use super::search::{ACCESS_TOKEN, Parameters, Place, Search};
use super::set::DocumentSet;
use super::slots::{Slots, Stop};
use super::source::{ContentSource, RefAnswer, RepositoryRoot, SourceError};
use crate::ids::Digest;
use crate::limits::Limits;

/// How long an answer at a ref may be kept: it never changes, but a person may be erased.
const IMMUTABLE: &str = "max-age=86400";
/// For what the next snapshot changes.
const CHANGING: &str = "no-cache";

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
    /// Whether answers are compressed, and named for caches. Not where faults are played with them.
    pub is_for_caches: bool,
    /// Bounds of an evaluation.
    pub limits: Limits,
    /// Places for searches; clones share them.
    pub slots: Arc<Slots>,
    /// Answers that are given again as they were. Only for sources that mean by one [`RepositoryRoot`]
    /// one state: a ref that is found as long as it says the same of itself stands for the same then.
    pub answers: Option<Arc<AnswerCache>>,
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

/// Lets pages of any site read answers, and nobody keep those that do not say for how long.
async fn allow_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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
    let caller = engine.caller(&parameters, &headers);
    match engine.options.access.root(caller) {
        Some(with_releases) => {
            let body = root.to_api(&base, with_releases);
            engine.changing(&headers, &body, caller).await
        }
        None => Err(Refusal::Unauthorized { base }),
    }
}

async fn tags(State(engine): State<Arc<Engine>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let root = engine.source.root().await?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    let caller = engine.caller(&parameters, &headers);
    if engine.options.access.root(caller).is_none() {
        return Err(Refusal::Unauthorized { base: engine.base(&headers) });
    }
    let tags = root.tags.clone().ok_or(Refusal::NoTags)?;
    engine.changing(&headers, &Value::from(tags), caller).await
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
    let query = query.as_deref().unwrap_or_default();
    let answers =
        engine.options.answers.as_deref().map(|answers| (answers, Asked::new(query, &base, &headers)));
    if let Some((answers, asked)) = &answers
        && let Some(response) = answers.get(asked, &root)
    {
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        return Ok(if tag.is_some_and(|tag| is_known(&headers, tag)) {
            not_modified(response)
        } else {
            response
        });
    }
    let parameters = Parameters::parse(query);
    let caller = engine.caller(&parameters, &headers);
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
    let tag = engine.options.is_for_caches.then(|| search.tag(&place));
    if let Some(tag) = &tag
        && is_known(&headers, tag)
    {
        return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), tag, IMMUTABLE, caller));
    }
    let accepted = engine.accepted(&headers);
    let body = match search.answer_now(&set, &place, &root, &engine.options.limits) {
        Some(body) if accepted.is_quick(body.len()) => accepted.encode(body),
        Some(body) => blocking(move || Ok(accepted.encode(body))).await?,
        None => evaluate(&engine, search, set, place, Arc::clone(&root), accepted).await?,
    };
    let (body, encoding) = body.into_parts();
    let body = Bytes::from(body);
    let mut response = encoded_json_response(body.clone(), encoding);
    if let Some(tag) = tag {
        response = with_tag(response, &tag, IMMUTABLE, caller);
    }
    if let Some((answers, asked)) = answers {
        answers.keep(asked, &root, &response, body);
    }
    Ok(response)
}

/// Searches, reads, copies and compresses, in a place of its own and for a bounded time.
async fn evaluate(
    engine: &Engine,
    search: Search,
    set: Arc<DocumentSet>,
    place: Place,
    root: Arc<RepositoryRoot>,
    accepted: Accepted,
) -> Result<Encoded, Refusal> {
    let slots = &engine.options.slots;
    let permit = slots.enter(search.is_heavy()).await?;
    let gone = CancellationToken::new();
    // When nobody waits any more, the work ends at the next document.
    let _waits = gone.clone().drop_guard();
    let (stop, limits) = (Stop::after(slots.time(), gone), engine.options.limits.clone());
    let work = blocking(move || {
        let answered = search.answer(&set, &place, &root, &limits, &stop);
        let encoded = answered.map(|body| accepted.encode(body));
        drop(permit);
        encoded
    });
    // What holds the documents may hang, and then nobody asks whether to stop.
    timeout(slots.time(), work).await.unwrap_or(Err(Refusal::Source(SourceError::TooLong)))
}

/// Does work on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Evaluation))
}

/// Whether a cache has the answer of this tag already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|list| list.split(',')).any(|one| one.trim() == tag)
}

/// What whoever has an answer already is told in its place (RFC 9110, 15.4.5).
fn not_modified(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::empty();
    for about_the_body in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        response.headers_mut().remove(about_the_body);
    }
    response
}

/// Says for how long an answer may be kept, and by whom: what was asked for with a token stays with
/// whoever has it.
fn with_tag(mut response: Response, tag: &str, lasts: &str, caller: Caller) -> Response {
    let whose = if caller == Caller::Anonymous { "public" } else { "private" };
    let headers = response.headers_mut();
    if let (Ok(tag), Ok(control)) = (tag.parse(), format!("{whose}, {lasts}").parse()) {
        headers.insert(header::ETAG, tag);
        headers.insert(header::CACHE_CONTROL, control);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, authorization"));
    response
}

fn encoded_json_response(body: Bytes, encoding: Option<&'static str>) -> Response {
    let mut response = raw_json_response(StatusCode::OK, body);
    Encoded::tell(encoding, &mut response);
    response
}

impl Engine {
    /// Who asks: by the parameter that clients send, or by the header that GraphQL clients do.
    fn caller(&self, parameters: &Parameters, headers: &HeaderMap) -> Caller {
        let in_header = || {
            let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
            let is_token = scheme.eq_ignore_ascii_case("Token") || scheme.eq_ignore_ascii_case("Bearer");
            is_token.then(|| token.trim())
        };
        self.options.access.recognise(parameters.get(ACCESS_TOKEN).or_else(in_header))
    }

    /// How whoever asks takes an answer.
    fn accepted(&self, headers: &HeaderMap) -> Accepted {
        if self.options.is_for_caches { Accepted::of(headers) } else { Accepted::default() }
    }

    /// Answers with what changes from snapshot to snapshot: caches have to ask each time.
    async fn changing(&self, headers: &HeaderMap, body: &Value, caller: Caller) -> Answer {
        if !self.options.is_for_caches {
            return Ok(json_response(StatusCode::OK, body));
        }
        let body = body.to_string().into_bytes();
        let tag = format!("W/\"{}\"", Digest::of(&body));
        if is_known(headers, &tag) {
            return Ok(with_tag(StatusCode::NOT_MODIFIED.into_response(), &tag, CHANGING, caller));
        }
        let accepted = self.accepted(headers);
        let body = match accepted.is_quick(body.len()) {
            true => accepted.encode(body),
            false => blocking(move || Ok(accepted.encode(body))).await?,
        };
        let (body, encoding) = body.into_parts();
        Ok(with_tag(encoded_json_response(body.into(), encoding), &tag, CHANGING, caller))
    }

    fn base(&self, headers: &HeaderMap) -> String {
        let server = self.options.base_url.clone().unwrap_or_else(|| {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            format!("{}://{host}", if self.options.is_https { "https" } else { "http" })
        });
        format!("{server}{}", self.options.prefix)
    }
}
