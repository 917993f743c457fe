//! How faults change what a request gets.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::control::{Lost, Verdict};
use super::faults::{Endpoint, RateLimit, RetryAfter, Torn};
use super::models::Model;
use super::repository::{Changes, Repository};
use super::server::Sandbox;
use crate::contentapi::Document;

/// Largest page that is taken apart to be torn: 100 documents of 250 KB.
const TORN_PAGE_BYTES_MAX: usize = 32 << 20;

/// What is answered to a request that was under way when the sandbox stopped.
pub(super) fn stopping() -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Answers a request, faults included.
pub(super) async fn answer(
    sandbox: &Arc<Sandbox>,
    endpoint: Endpoint,
    verdict: Verdict,
    request: Request,
    next: Next,
) -> Response {
    if !verdict.latency.is_zero() {
        tokio::time::sleep(verdict.latency).await;
    }
    if verdict.hang {
        std::future::pending::<()>().await;
    }
    if let Some(limit) = &verdict.limited {
        return too_many(sandbox, limit);
    }
    if let Some(status) = verdict.error {
        return gateway_error(status);
    }
    if verdict.lost == Some(Lost::Request) {
        // Who is still sending would not notice the end of the connection as such.
        request.into_body().into_data_stream().for_each(|_| std::future::ready(())).await;
        return lost();
    }
    change_repositories(sandbox, &verdict);
    let query = request.uri().query().unwrap_or_default().to_owned();
    if endpoint == Endpoint::Search
        && let Some(response) = refuse_ref(sandbox, &query)
    {
        return response;
    }
    let mut response = next.run(request).await;
    match verdict.lost {
        Some(Lost::Answer) => return lost(),
        Some(Lost::Denied(status)) => return gateway_error(status),
        Some(Lost::Request) | None => {}
    }
    if endpoint == Endpoint::Search
        && response.status().is_success()
        && let Some((page, torn)) = sandbox.control.faults().torn
        && parameter(&query, "page").as_deref().unwrap_or("1") == page.to_string()
    {
        response = tear(response, torn).await;
    }
    if endpoint == Endpoint::Search && response.status().is_success() {
        let hidden = sandbox.control.faults().hidden_documents;
        if !hidden.is_empty() && !query_mentions(&query, "document.id") {
            let counted = count_hidden(sandbox, &hidden, &query);
            response = hide(response, &hidden, counted).await;
        }
    }
    if verdict.truncate { truncate(response) } else { response }
}

/// Gateways answer HTML, not JSON.
fn gateway_error(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
    (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

/// The refusal above the rate of a write API.
pub(super) fn over_the_rate() -> Response {
    let body = json!({"message": "API rate limit exceeded"});
    (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response()
}

/// Ends the connection without a word: an answer of which nothing is sent, because its body fails
/// before its head has left the buffer.
fn lost() -> Response {
    let reset = Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset));
    Response::new(Body::from_stream(stream::once(std::future::ready(reset))))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whether a predicate of a search has this text in it.
fn query_mentions(query: &str, text: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "q" && value.contains(text))
}

/// How many of the hidden documents a listing would count: of its language and type, which is all
/// that listings of whole repositories ask for.
fn count_hidden(sandbox: &Sandbox, hidden: &BTreeSet<String>, query: &str) -> u64 {
    let lang = parameter(query, "lang").filter(|lang| lang != "*");
    let by_type = query_mentions(query, "document.type");
    let counted = |document: &Document| {
        hidden.contains(document.head.id())
            && lang.as_deref().is_none_or(|lang| *document.head.lang() == *lang)
            && (!by_type || query_mentions(query, &format!("\"{}\"", document.head.type_id())))
    };
    let documents = |repository: &Arc<Repository>| {
        repository.documents().iter().filter(|document| counted(document)).count() as u64
    };
    sandbox.repositories.values().map(documents).sum()
}

/// Takes documents out of a page of a search, and out of what it counts.
async fn hide(response: Response, hidden: &BTreeSet<String>, counted: u64) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, TORN_PAGE_BYTES_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(mut page) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    if let Some(results) = page["results"].as_array_mut() {
        results.retain(|result| result["id"].as_str().is_none_or(|id| !hidden.contains(id)));
        page["results_size"] = page["results"].as_array().map_or(0, Vec::len).into();
    }
    let total = page["total_results_size"].as_u64().unwrap_or(0);
    page["total_results_size"] = total.saturating_sub(counted).into();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page.to_string()))
}

fn too_many(sandbox: &Sandbox, limit: &RateLimit) -> Response {
    let mut response = over_the_rate();
    let value = match &limit.retry_after {
        RetryAfter::Absent => None,
        RetryAfter::Seconds(seconds) => Some(seconds.to_string()),
        RetryAfter::Date(seconds) => {
            let at = sandbox.options.clock.now() + TimeDelta::seconds(*seconds);
            Some(at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        }
        RetryAfter::Text(text) => Some(text.clone()),
    };
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn change_repositories(sandbox: &Sandbox, verdict: &Verdict) {
    for repository in sandbox.repositories.values() {
        if verdict.expire_refs {
            repository.publish_and_expire();
        }
        if verdict.publish {
            repository.publish(Changes::default());
        }
        if let Some(time) = verdict.change_models
            && let Some(first) = repository.models().custom_types.first()
            && let Ok(Value::Object(mut members)) = serde_json::from_str(&first.json)
        {
            members.insert("label".to_owned(), format!("{} ({time})", first.label).into());
            let json = Value::Object(members).to_string();
            repository.put_custom_type(Model { id: first.id.clone(), label: first.label.clone(), json });
        }
    }
}

fn refuse_ref(sandbox: &Sandbox, query: &str) -> Option<Response> {
    let refused = sandbox.control.faults().refused_ref?;
    if parameter(query, "ref")? != refused {
        return None;
    }
    let master = sandbox.repositories.values().next()?.master_ref();
    let message =
        format!("Ref not found. Ensure you have the correct ref and try again. Master ref is: {master}");
    let body = json!({"type": "api_notfound_error", "message": message});
    Some((StatusCode::NOT_FOUND, axum::Json(body)).into_response())
}

/// Makes a page of a search contradict itself.
async fn tear(response: Response, torn: Torn) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, TORN_PAGE_BYTES_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(mut page) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let count = page["results"].as_array().map_or(0, Vec::len);
    match torn {
        Torn::Missing if count > 0 => {
            if let Some(results) = page["results"].as_array_mut() {
                results.pop();
            }
            page["results_size"] = (count - 1).into();
        }
        Torn::Doubled if count > 1 => page["results"][count - 1] = page["results"][0].clone(),
        Torn::ResultsSize => page["results_size"] = (count + 1).into(),
        Torn::Total => {
            let total = page["total_results_size"].as_u64().unwrap_or(0);
            page["total_results_size"] = (total + 1).into();
        }
        Torn::Missing | Torn::Doubled => {}
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page.to_string()))
}

/// Announces the whole length, sends the first half and cuts the connection.
fn truncate(response: Response) -> Response {
    use axum::body::HttpBody as _;
    let (mut parts, body) = response.into_parts();
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(len) = body.size_hint().exact().or(declared) else { return Response::from_parts(parts, body) };
    parts.headers.insert(header::CONTENT_LENGTH, len.into());
    let half = usize::try_from(len / 2).unwrap_or(usize::MAX);
    let first_half = body.into_data_stream().scan(half, |left, chunk| {
        let result = match chunk {
            Ok(chunk) if *left > 0 => {
                let part: Bytes = chunk.slice(..chunk.len().min(*left));
                *left -= part.len();
                Some(part)
            }
            _ => None,
        };
        std::future::ready(result)
    });
    let cut = stream::once(async {
        // What waits in the connection's buffer would be dropped with it: let it be sent first.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(parts, Body::from_stream(first_half.map(Ok).chain(cut)))
}
