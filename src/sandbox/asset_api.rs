//! The Asset API, read side.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::assets::Asset;
use super::gateway::admit;
use super::server::Sandbox;

/// Page size without `limit`; Prismic documents none.
const LIMIT_DEFAULT: usize = 20;

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, axum::Json(json!({"message": "Unauthorized"}))).into_response()
}

fn bad_request(code: &str, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(json!({"code": code, "message": message}))).into_response()
}

/// The tags of the media library.
pub(super) async fn tags(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Response {
    match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => axum::Json(json!({"items": repository.library().tags()})).into_response(),
        Err(refusal) => *refusal,
    }
}

/// What `GET /assets` was asked for.
#[derive(Debug, Default)]
struct Listing {
    limit: Option<usize>,
    cursor: Option<String>,
    kind: Option<String>,
    keyword: Option<String>,
    tags: Vec<String>,
    ids: Vec<String>,
}

impl Listing {
    fn parse(query: &str) -> Result<Self, Box<Response>> {
        let mut listing = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*key {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| *limit > 0);
                    let refusal =
                        || Box::new(bad_request("invalid_limit", "limit must be a positive number"));
                    listing.limit = Some(limit.ok_or_else(refusal)?);
                }
                "cursor" => listing.cursor = Some(value),
                "assetType" if value != "all" => listing.kind = Some(value),
                "keyword" => listing.keyword = Some(value.to_lowercase()),
                "tags" => listing.tags.push(value),
                "ids" => listing.ids.push(value),
                _ => {}
            }
        }
        Ok(listing)
    }

    fn wants(&self, asset: &Asset) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == asset.kind)
            && self.keyword.as_ref().is_none_or(|keyword| asset.filename.to_lowercase().contains(keyword))
            && self.tags.iter().all(|tag| asset.tags.contains(tag))
            && (self.ids.is_empty() || self.ids.contains(&asset.id))
    }
}

/// The media library, newest first. Every page that is not empty has a cursor: the end is a page
/// shorter than the limit, or an empty one.
pub(super) async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let repository = match admit(&sandbox, &headers, unauthorized) {
        Ok(repository) => repository,
        Err(refusal) => return *refusal,
    };
    let listing = match Listing::parse(query.as_deref().unwrap_or_default()) {
        Ok(listing) => listing,
        Err(refusal) => return *refusal,
    };
    let library = repository.library();
    let wanted: Vec<&Arc<Asset>> = library.assets().iter().filter(|asset| listing.wants(asset)).collect();
    let rest = match &listing.cursor {
        None => &wanted[..],
        Some(cursor) => match wanted.iter().position(|asset| asset.id == *cursor) {
            Some(at) => &wanted[at + 1..],
            None => return bad_request("invalid_cursor", "the cursor is not an asset of this listing"),
        },
    };
    let cap = sandbox.control.faults().asset_page_cap.unwrap_or(usize::MAX).max(1);
    let limit = listing.limit.unwrap_or(LIMIT_DEFAULT).min(sandbox.options.asset_page_max).min(cap);
    let page = &rest[..rest.len().min(limit)];
    let mut body = format!("{{\"total\":{},\"items\":[", wanted.len()).into_bytes();
    for (index, asset) in page.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        asset.render(&sandbox.base_url, &mut body);
    }
    body.push(b']');
    if let Some(last) = page.last() {
        body.extend_from_slice(format!(",\"cursor\":{}", Value::from(last.id.as_str())).as_bytes());
    }
    if !listing.ids.is_empty() {
        let known = |id: &&String| library.assets().iter().all(|asset| asset.id != **id);
        let missing: Vec<&String> = listing.ids.iter().filter(known).collect();
        body.extend_from_slice(format!(",\"missing_ids\":{}", json!(missing)).as_bytes());
    }
    body.extend_from_slice(b",\"is_opensearch_result\":false,\"database\":\"postgres\"}");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
