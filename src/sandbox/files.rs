//! Bytes of assets, under the address forms of Prismic's image and file hosts.
//!
//! Stricter than the real thing: an image that is asked for with parameters (`auto=format`) is
//! never the original, so a client that forgets to take the query off is found out.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use super::assets::{Asset, AssetContent};
use super::rates::Api;
use super::server::Sandbox;
use crate::contentapi::files::{Asked, content_type, decode_path, parse_range};

/// Bytes that are made or read at once.
const CHUNK: u64 = 64 << 10;

/// What a transformed image has more than its original.
const TRANSFORMED: &[u8] = b"\n";

/// Answers every path that is no API's.
pub(super) async fn get(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let path = request.uri().path();
    if let Some(api) = Api::of(path) {
        return super::gateway::no_route(api);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = decode_path(path);
    let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let Some(asset) =
        sandbox.repositories.get(name).and_then(|repository| repository.library().find_file(&path).cloned())
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let faults = sandbox.control.faults();
    if faults.missing_files.contains(&asset.id) || matches!(asset.content, AssetContent::Missing) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let is_raster = asset.kind == "image" && !path.ends_with(".svg");
    let transformed = is_raster && request.uri().query().is_some_and(|query| !query.is_empty());
    let short = u64::from(faults.short_files.contains(&asset.id));
    serve(asset, transformed, short, request.headers(), request.method() == Method::HEAD)
}

fn serve(asset: Arc<Asset>, transformed: bool, short: u64, headers: &HeaderMap, head: bool) -> Response {
    let original = asset.content.len().saturating_sub(short);
    let whole = if transformed { original + TRANSFORMED.len() as u64 } else { original };
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = match asked.map(|range| parse_range(range, whole)) {
        Some(Asked::Part(range)) => Some(range),
        Some(Asked::Outside) => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{whole}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
        Some(Asked::Unclear) | None => None,
    };
    let (status, range, partial) = match range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone(), Some(range)),
        None => (StatusCode::OK, 0..whole, None),
    };
    let content_type = content_type(&asset.path);
    let length = range.end - range.start;
    let body = if head { Body::empty() } else { body(asset, range, original) };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::ACCEPT_RANGES, header::HeaderValue::from_static("bytes"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    if let Some(part) = partial
        && let Ok(value) = format!("bytes {}-{}/{whole}", part.start, part.end - 1).parse()
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    response
}

/// Streams a range in chunks, so that the size of an asset does not matter.
fn body(asset: Arc<Asset>, range: Range<u64>, original: u64) -> Body {
    let chunks = stream::unfold((asset, range), move |(asset, range)| async move {
        if range.is_empty() {
            return None;
        }
        let chunk: std::io::Result<Bytes> = if range.start >= original {
            Ok(Bytes::from_static(TRANSFORMED))
        } else {
            asset.content.read(range.start..range.end.min(original).min(range.start + CHUNK)).await
        };
        let next = match &chunk {
            Ok(chunk) => range.start + chunk.len() as u64..range.end,
            Err(_) => range.end..range.end,
        };
        Some((chunk, (asset, next)))
    });
    Body::from_stream(chunks)
}
