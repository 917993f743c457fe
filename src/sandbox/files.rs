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

use super::assets::{Asset, AssetContent, decode_path};
use super::server::Sandbox;

/// Bytes that are made or read at once.
const CHUNK: u64 = 64 << 10;

/// What a transformed image has more than its original.
const TRANSFORMED: &[u8] = b"\n";

/// Answers every path that is no API's.
pub(super) async fn get(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let path = request.uri().path();
    if ["/asset-api", "/types-api", "/migration-api"].iter().any(|api| path.starts_with(api)) {
        return super::gateway::denied();
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

enum Asked {
    Part(Range<u64>),
    Outside,
    /// Several parts, other units, nonsense: the whole is answered (RFC 9110, 14.2).
    Unclear,
}

fn parse_range(text: &str, len: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Unclear;
    };
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if last >= from => (from, last.saturating_add(1).min(len)),
        (Ok(from), Err(_)) if last.is_empty() => (from, len),
        (Err(_), Ok(suffix)) if first.is_empty() => (len.saturating_sub(suffix), len),
        _ => return Asked::Unclear,
    };
    if from < to { Asked::Part(from..to) } else { Asked::Outside }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-", Some(2..10)),
            ("bytes=5-99", Some(5..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-99", Some(0..10)),
            ("bytes=10-", None),
            ("bytes=-0", None),
        ] {
            let part = match parse_range(text, 10) {
                Asked::Part(range) => Some(range),
                Asked::Outside => None,
                Asked::Unclear => panic!("{text} is clear"),
            };
            assert_eq!(part, expected, "{text}");
        }
        for text in ["bytes=3-1", "bytes=1-2,4-5", "items=1-2", "bytes=a-b", ""] {
            assert!(matches!(parse_range(text, 10), Asked::Unclear), "{text}");
        }
    }
}
