//! The Asset API: the media library over HTTP. Its tags are in [`tag_api`](super::tag_api).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::assets::Asset;
use super::gateway::{Answer, Refusal, admit, answer, read_body, read_json};
use super::library_writes::{Refused, Upload, check_text};
use super::rates::Api;
use super::server::Sandbox;
use super::{multipart, tag_api};
use crate::contentapi::ASSET_HOST;

/// Page size without `limit`; Prismic documents none.
const LIMIT_DEFAULT: usize = 20;

/// What a form may have beside the file: texts, boundaries, headers.
const FORM_BYTES: usize = 64 << 10;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/asset-api/assets", get(list).post(upload))
        .route("/asset-api/assets/bulk-delete", post(bulk_delete))
        .route("/asset-api/assets/{id}", patch(change).delete(delete))
        .route("/asset-api/uploaders", get(uploaders))
        .merge(tag_api::routes())
        // Bodies are read with bounds of their own.
        .layer(DefaultBodyLimit::disable())
}

pub(super) fn malformed(message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, json!({"code": "malformed_body", "message": message, "error": message}))
}

fn bad_request(code: &str, message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, json!({"code": code, "message": message}))
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let bad = |body| answer(StatusCode::BAD_REQUEST, body);
        Refusal::new(match refused {
            Refused::NotFound(what) => {
                answer(StatusCode::NOT_FOUND, json!({"error": format!("{what} not found")}))
            }
            Refused::Text(name) => bad(json!({
                "error": "invalid_request",
                "details": [{"property": name, "error": "must be a text of at most 500 characters"}],
            })),
            Refused::Tags(ids) => bad(json!({
                "code": "INVALID_TAGS",
                "message": format!("tags not found: {}", ids.join(", ")),
                "error": "INVALID_TAGS",
            })),
            Refused::Assets(ids) => bad(json!({"error": format!("assets not found: {}", ids.join(", "))})),
            Refused::TagName => bad(json!({"error": "name must have 1 to 20 characters"})),
            Refused::TagExists => bad(json!({"error": "a tag with this name already exists"})),
        })
    }
}

/// What `GET /assets` was asked for.
#[derive(Debug, Default)]
struct Listing {
    limit: Option<usize>,
    cursor: Option<String>,
    kind: Option<String>,
    keyword: Option<String>,
    uploader: Option<String>,
    tags: Vec<String>,
    ids: HashSet<String>,
}

impl Listing {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut listing = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*key {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| *limit > 0);
                    let refusal =
                        || Refusal::new(bad_request("invalid_limit", "limit must be a positive number"));
                    listing.limit = Some(limit.ok_or_else(refusal)?);
                }
                "cursor" => listing.cursor = Some(value),
                "assetType" if value != "all" => listing.kind = Some(value),
                "keyword" => listing.keyword = Some(value.to_lowercase()),
                "uploaderId" => listing.uploader = Some(value),
                "tags" => listing.tags.push(value),
                "ids" => {
                    listing.ids.insert(value);
                }
                _ => {}
            }
        }
        Ok(listing)
    }

    fn wants(&self, asset: &Asset) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == asset.kind)
            && self.tags.iter().all(|tag| asset.tags.contains(tag))
            && (self.ids.is_empty() || self.ids.contains(&asset.id))
            && (self.keyword.is_none() && self.uploader.is_none() || self.wants_text(asset))
    }

    fn wants_text(&self, asset: &Asset) -> bool {
        let item = asset.item();
        let has = |keyword: &String| {
            let texts = ["filename", "notes", "credits", "alt"].map(|name| item[name].as_str());
            texts.into_iter().flatten().any(|text| text.to_lowercase().contains(keyword))
        };
        self.keyword.as_ref().is_none_or(has)
            && self.uploader.as_ref().is_none_or(|uploader| item["uploader_id"] == uploader.as_str())
    }
}

/// The media library, newest first. Every page that is not empty has a cursor: the end is a page
/// shorter than the limit, or an empty one.
async fn list(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    let listing = Listing::parse(query.as_deref().unwrap_or_default())?;
    let library = repository.library();
    let wanted: Vec<&Arc<Asset>> = library.assets().iter().filter(|asset| listing.wants(asset)).collect();
    let rest = match &listing.cursor {
        None => &wanted[..],
        Some(cursor) => match wanted.iter().position(|asset| asset.id == *cursor) {
            Some(at) => &wanted[at + 1..],
            None => {
                return Ok(bad_request("invalid_cursor", "the cursor is not an asset of this listing"));
            }
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
        let known: HashSet<&str> = library.assets().iter().map(|asset| asset.id.as_str()).collect();
        let missing: BTreeSet<&String> =
            listing.ids.iter().filter(|id| !known.contains(id.as_str())).collect();
        body.extend_from_slice(format!(",\"missing_ids\":{}", json!(missing)).as_bytes());
    }
    let database = if listing.keyword.is_some() { "turbopuffer" } else { "postgres" };
    body.extend_from_slice(
        format!(",\"is_opensearch_result\":false,\"database\":\"{database}\"}}").as_bytes(),
    );
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Writes an item with the address of this server.
fn item(sandbox: &Sandbox, item: &Value) -> Response {
    let body = item.to_string().replace(ASSET_HOST, &sandbox.base_url);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn upload(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, request: Request) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    let max = repository.options().writing.asset_bytes_max;
    let form = read_body(&headers, request.into_body(), max.saturating_add(FORM_BYTES)).await?;
    let boundary =
        headers.get(header::CONTENT_TYPE).and_then(|value| multipart::boundary(value.to_str().ok()?));
    let not_a_form = || Refusal::new(malformed("the body must be multipart/form-data"));
    let boundary = boundary.ok_or_else(not_a_form)?;
    let upload = tokio::task::spawn_blocking(move || read_upload(&form, &boundary, max)).await;
    let upload = upload.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR.into_response()))??;
    let uploaded = repository.upload(upload)?;
    Ok(item(&sandbox, &uploaded))
}

fn read_upload(form: &bytes::Bytes, boundary: &str, max: usize) -> Result<Upload, Refusal> {
    let parts = multipart::parse(form, boundary)
        .ok_or_else(|| Refusal::new(malformed("the form cannot be read, or is not whole")))?;
    let mut file = None;
    let mut texts = Vec::new();
    for part in parts {
        if part.name == "file" {
            let filename = part.filename.filter(|name| !name.is_empty());
            let filename = filename.ok_or_else(|| Refusal::new(malformed("the file must have a name")))?;
            if file.replace((filename, part.bytes)).is_some() {
                return Err(Refusal::new(malformed("one file at a time")));
            }
        } else if let Ok(text) = std::str::from_utf8(&part.bytes) {
            // Fields that are none of the three are ignored, tags among them.
            match check_text(&part.name, text) {
                Ok(name) => texts.push((name, text.to_owned())),
                Err(Refused::Text("unknown")) => {}
                Err(refused) => return Err(refused.into()),
            }
        } else {
            return Err(Refusal::new(malformed("a text is not UTF-8")));
        }
    }
    let (filename, bytes) = file.ok_or_else(|| Refusal::new(malformed("there is no file")))?;
    if bytes.len() > max {
        let body = json!({"message": "the file is too large", "error": "the file is too large"});
        return Err(Refusal::new(answer(StatusCode::PAYLOAD_TOO_LARGE, body)));
    }
    Ok(Upload { filename, bytes, texts })
}

async fn change(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    let max = repository.options().writing.body_bytes_max;
    let changes = read_json(&headers, body, max, malformed).await?;
    let changes = changes.as_object().ok_or_else(|| Refusal::new(malformed("the body must be an object")))?;
    Ok(item(&sandbox, &repository.change_asset(&id, changes)?))
}

async fn delete(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    match repository.delete_assets(&HashSet::from([id.as_str()])) {
        0 => Err(Refused::NotFound("asset").into()),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

async fn bulk_delete(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Body) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    let body = read_json(&headers, body, repository.options().writing.body_bytes_max, malformed).await?;
    let ids = texts_of(&body, "ids")?;
    match repository.delete_assets(&ids.into_iter().collect()) {
        0 => Err(Refused::NotFound("asset").into()),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Reads a list of texts, at least one.
pub(super) fn texts_of<'v>(body: &'v Value, name: &str) -> Result<Vec<&'v str>, Refusal> {
    let items = body.get(name).and_then(Value::as_array).filter(|items| !items.is_empty());
    let texts = items.and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<&str>>>());
    texts.ok_or_else(|| Refusal::new(malformed(&format!("{name} must be a list of texts"))))
}

async fn uploaders(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Asset)?;
    let items: Vec<Value> = repository.library().assets().iter().map(|asset| asset.item()).collect();
    let ids: BTreeSet<&str> = items.iter().filter_map(|item| item["uploader_id"].as_str()).collect();
    let items: Vec<Value> = ids.into_iter().map(|id| json!({"id": id})).collect();
    Ok(answer(StatusCode::OK, json!({"items": items})))
}
