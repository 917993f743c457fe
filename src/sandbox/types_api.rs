//! The Types API: models over HTTP.
//!
//! A model that is changed changes nothing in documents: they are shaped by it when they are
//! published next, and the root of the Content API learns of a type with its first document.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::gateway::{Answer, Refusal, admit, answer, read_body};
use super::models::{Kind, Model, ModelRefused, listing};
use super::rates::Api;
use super::server::Sandbox;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    let mut router = Router::new().route("/types-api/bulk-update", post(bulk_update));
    for kind in [Kind::CustomType, Kind::Slice] {
        type Shared = State<Arc<Sandbox>>;
        let base = format!("/types-api/{}", kind.segment());
        let listed =
            get(move |shared: Shared, headers: HeaderMap| async move { list(kind, &shared, &headers) });
        let write = move |is_new: bool| {
            post(move |shared: Shared, headers: HeaderMap, body: Body| async move {
                write(kind, is_new, &shared, &headers, body).await
            })
        };
        let single = get(move |shared: Shared, Path(id): Path<String>, headers: HeaderMap| async move {
            one(kind, &shared, &id, &headers)
        });
        let single =
            single.delete(move |shared: Shared, Path(id): Path<String>, headers: HeaderMap| async move {
                delete(kind, &shared, &id, &headers)
            });
        router = router
            .route(&base, listed)
            .route(&format!("{base}/insert"), write(true))
            .route(&format!("{base}/update"), write(false))
            .route(&format!("{base}/{{id}}"), single);
    }
    // Bodies are read with bounds of their own.
    router.layer(DefaultBodyLimit::disable())
}

fn text(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into()).into_response()
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

impl From<ModelRefused> for Refusal {
    fn from(refused: ModelRefused) -> Self {
        let (status, said) = match &refused {
            ModelRefused::Exists(_) => (StatusCode::CONFLICT, refused.to_string()),
            ModelRefused::Unknown(_) => (StatusCode::UNPROCESSABLE_ENTITY, refused.to_string()),
            ModelRefused::Invalid(_) | ModelRefused::HasDocuments(_) => {
                (StatusCode::BAD_REQUEST, refused.to_string())
            }
        };
        Refusal::new(text(status, said))
    }
}

fn list(kind: Kind, sandbox: &Sandbox, headers: &HeaderMap) -> Answer {
    let repository = admit(sandbox, headers, Api::Types)?;
    Ok(json_text(listing(kind.of(&repository.models()))))
}

fn one(kind: Kind, sandbox: &Sandbox, id: &str, headers: &HeaderMap) -> Answer {
    let models = admit(sandbox, headers, Api::Types)?.models();
    let found = kind.of(&models).iter().find(|model| model.id == id);
    Ok(found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |model| json_text(model.json.clone())))
}

fn delete(kind: Kind, sandbox: &Sandbox, id: &str, headers: &HeaderMap) -> Answer {
    let repository = admit(sandbox, headers, Api::Types)?;
    match repository.change_models(|models, used| models.remove(kind, id, used)) {
        Err(ModelRefused::Unknown(_)) => Ok(StatusCode::NOT_FOUND.into_response()),
        done => Ok(done.map(|()| StatusCode::NO_CONTENT.into_response())?),
    }
}

async fn body_of(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<super::Repository>, Bytes), Refusal> {
    let repository = admit(sandbox, headers, Api::Types)?;
    let bytes = read_body(headers, body, repository.options().writing.body_bytes_max).await?;
    Ok((repository, bytes))
}

async fn write(kind: Kind, is_new: bool, sandbox: &Sandbox, headers: &HeaderMap, body: Body) -> Answer {
    let (repository, bytes) = body_of(sandbox, headers, body).await?;
    let not_text = |_| ModelRefused::Invalid("the body is not UTF-8".to_owned());
    let model = Model::checked(kind, std::str::from_utf8(&bytes).map_err(not_text)?)?;
    repository.change_models(|models, _| models.write(kind, model, is_new))?;
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT }.into_response())
}

/// All changes, or none.
async fn bulk_update(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Body) -> Answer {
    let (repository, bytes) = body_of(&sandbox, &headers, body).await?;
    let bad = |what: &str| Refusal::new(text(StatusCode::BAD_REQUEST, what));
    let body: Value =
        serde_json::from_slice(&bytes).map_err(|error| bad(&format!("not valid JSON: {error}")))?;
    let changes =
        body.get("changes").and_then(Value::as_array).ok_or_else(|| bad("changes must be a list"))?;
    let mut read = Vec::with_capacity(changes.len());
    for change in changes {
        let what = change.get("type").and_then(Value::as_str).unwrap_or_default();
        let (kind, what) = match (what.strip_prefix("CUSTOM_TYPE_"), what.strip_prefix("SLICE_")) {
            (Some(what), _) => (Kind::CustomType, what),
            (_, Some(what)) => (Kind::Slice, what),
            _ => return Err(bad("the type of a change is not known")),
        };
        let id = change.get("id").and_then(Value::as_str).ok_or_else(|| bad("a change has no id"))?;
        let payload = || Model::checked(kind, &change.get("payload").unwrap_or(&Value::Null).to_string());
        let model = match what {
            "INSERT" => Some((payload()?, true)),
            "UPDATE" => Some((payload()?, false)),
            "DELETE" => None,
            _ => return Err(bad("the type of a change is not known")),
        };
        if model.as_ref().is_some_and(|(model, _)| model.id != id) {
            return Err(bad("the id of a change is not that of its model"));
        }
        read.push((kind, id, model));
    }
    let done = repository.change_models(|models, used| {
        for (kind, id, model) in read {
            match model {
                Some((model, is_new)) => models.write(kind, model, is_new)?,
                None => models.remove(kind, id, used)?,
            }
        }
        Ok(())
    });
    match done {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refused @ ModelRefused::HasDocuments(_)) => {
            let body = json!({"message": refused.to_string(), "hasExistingDocuments": true});
            Ok(answer(StatusCode::FORBIDDEN, body))
        }
        Err(refused) => Err(bad(&refused.to_string())),
    }
}
