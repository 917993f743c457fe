//! The tags of the media library over HTTP: part of the Asset API.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, patch, post};
use serde_json::{Value, json};

use super::asset_api::{malformed, texts_of};
use super::gateway::{Answer, Refusal, admit, answer, read_json};
use super::library_writes::Refused;
use super::rates::Api;
use super::server::Sandbox;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/asset-api/tags", get(list).post(add))
        .route("/asset-api/tags/{id}", patch(rename).delete(delete))
        .route("/asset-api/tags/{id}/assets", post(tag_assets).delete(untag_assets))
}

async fn list(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap) -> Answer {
    let library = admit(&sandbox, &headers, Api::Asset)?.library();
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for id in library.assets().iter().flat_map(|asset| &asset.tags) {
        *counts.entry(id).or_insert(0) += 1;
    }
    let counted = library.tags().iter().cloned().map(|mut tag| {
        let count = tag["id"].as_str().and_then(|id| counts.get(id)).copied().unwrap_or(0);
        tag["count"] = count.into();
        tag
    });
    Ok(answer(StatusCode::OK, json!({"items": counted.collect::<Vec<Value>>()})))
}

async fn name_of(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<super::repository::Repository>, String), Refusal> {
    let repository = admit(sandbox, headers, Api::Asset)?;
    let body = read_json(headers, body, repository.options().writing.body_bytes_max, malformed).await?;
    let name = body.get("name").and_then(Value::as_str).ok_or(Refused::TagName)?;
    Ok((repository, name.to_owned()))
}

async fn add(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Body) -> Answer {
    let (repository, name) = name_of(&sandbox, &headers, body).await?;
    Ok(answer(StatusCode::CREATED, repository.add_tag(&name)?))
}

async fn rename(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (repository, name) = name_of(&sandbox, &headers, body).await?;
    Ok(answer(StatusCode::OK, repository.rename_tag(&id, &name)?))
}

async fn delete(State(sandbox): State<Arc<Sandbox>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    admit(&sandbox, &headers, Api::Asset)?.delete_tag(&id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn tag_assets(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    set_tag(&sandbox, &id, &headers, body, true).await
}

async fn untag_assets(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    set_tag(&sandbox, &id, &headers, body, false).await
}

async fn set_tag(sandbox: &Sandbox, id: &str, headers: &HeaderMap, body: Body, tagged: bool) -> Answer {
    let repository = admit(sandbox, headers, Api::Asset)?;
    let body = read_json(headers, body, repository.options().writing.body_bytes_max, malformed).await?;
    repository.tag_assets(id, &texts_of(&body, "assetIds")?, tagged)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
