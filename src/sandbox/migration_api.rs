//! The Migration API over HTTP: three calls, and no way to look at what they did.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{post, put};
use serde_json::{Map, Value, json};

use super::gateway::{Answer, Refusal, admit, answer, no_route, read_json};
use super::migration_release::Refused;
use super::rates::Api;
use super::repository::Repository;
use super::server::Sandbox;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/migration-api/documents", post(create))
        .route("/migration-api/documents/{id}", put(update))
        .route("/migration-api/migration-release/publish", post(publish))
        .method_not_allowed_fallback(async || no_route(Api::Migration))
        // Bodies are read with bounds of their own.
        .layer(DefaultBodyLimit::disable())
}

fn malformed(message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, json!({"message": message}))
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let mut body = json!({"message": refused.message});
        if !refused.details.is_empty() {
            let details = refused.details.into_iter().map(|mistake| {
                json!({"property": mistake.property, "value": mistake.value, "error": mistake.error})
            });
            body["details"] = details.collect();
        }
        Refusal::new(answer(refused.status, body))
    }
}

type Change =
    fn(&Repository, &str, &Map<String, Value>, &std::collections::BTreeSet<String>) -> Result<Value, Refused>;

/// Reads a document, and takes it off the threads that serve: a long one takes its time.
async fn take(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: Body,
    id: String,
    status: StatusCode,
    change: Change,
) -> Answer {
    let repository = admit(sandbox, headers, Api::Migration)?;
    let body = read_json(headers, body, repository.options().writing.body_bytes_max, malformed).await?;
    let gone_embeds = sandbox.control.faults().gone_embeds;
    let taken = tokio::task::spawn_blocking(move || match body {
        Value::Object(members) => change(&repository, &id, &members, &gone_embeds),
        _ => Err(Refused::bad("the body must be an object")),
    });
    let taken =
        taken.await.map_err(|_| Refusal::new(answer(StatusCode::INTERNAL_SERVER_ERROR, json!({}))))?;
    Ok(answer(status, taken?))
}

async fn create(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Body) -> Answer {
    let change: Change = |repository, _, body, gone| repository.create_document(body, gone);
    take(&sandbox, &headers, body, String::new(), StatusCode::CREATED, change).await
}

async fn update(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    take(&sandbox, &headers, body, id, StatusCode::OK, Repository::update_document).await
}

/// Takes what is staged and answers; the documents come after the delay. Without one they are there
/// before the answer.
async fn publish(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Body) -> Answer {
    let repository = admit(&sandbox, &headers, Api::Migration)?;
    read_json(&headers, body, repository.options().writing.body_bytes_max, malformed).await?;
    let total = repository.begin_publish();
    let faults = sandbox.control.faults();
    let delay = repository.options().writing.publish_delay + faults.publish_takes;
    let finish = async move {
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
        let finish = move || repository.finish_publish(faults.publish_leaves);
        tokio::task::spawn_blocking(finish).await.ok();
    };
    if total > 0 && delay.is_zero() {
        finish.await;
    } else if total > 0 {
        let mut publishing = sandbox.publishing.lock().expect("no holder of this lock can panic");
        while publishing.try_join_next().is_some() {}
        publishing.spawn(finish);
    }
    Ok(answer(StatusCode::ACCEPTED, json!({"totalItems": total})))
}
