//! Changing a running sandbox over HTTP, for scripts, rehearsals and people with curl.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /sandbox` | repositories, their sizes and refs |
//! | `POST /sandbox/edit?share=0.01&seed=2` | changes that share of the documents and publishes |
//! | `POST /sandbox/edit?documents=10&linkers=100` | changes 10 documents that 100 others link to; with `&later=3600` so many seconds later |
//! | `POST /sandbox/add?documents=10&seed=2` | publishes new documents |
//! | `POST /sandbox/remove?ids=A,B` | unpublishes documents |
//! | `POST /sandbox/publish` | publishes without changes; `?expire=true`: older refs expire |
//! | `POST /sandbox/assets/edit?id=A&notes=…` | changes the notes of an asset |
//! | `POST /sandbox/assets/remove?id=A` | removes an asset from the media library |
//! | `GET`, `PUT`, `DELETE /sandbox/faults` | shows, replaces (JSON of [`Faults`]), ends faults |
//! | `GET`, `PUT`, `DELETE /sandbox/rates` | shows, replaces (JSON of [`Rates`]), ends limits of the write APIs |
//! | `GET /sandbox/requests?last=100` | counts by endpoint and by write API, and the last requests |
//! | `DELETE /sandbox/requests` | counts from zero again |
//!
//! With several repositories, what changes one takes `&repository=NAME`. Answers are JSON; a
//! request that cannot be meant gets 400 or 404 with `{"error": "…"}` and changes nothing.
//!
//! **Why this way.** There is no token: the listener is on the loopback interface, and what is
//! changed is made up. Pages in a browser of this machine can reach that interface too, so
//! requests that a browser sends for a page (they have an `Origin`) are refused.
//!
//! **Invariants.** Requests here are neither counted nor disturbed by faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::error::SandboxError;
use super::faults::Faults;
use super::rates::{Api, Rates, Traffic};
use super::repository::{Changes, Repository};
use super::server::Sandbox;

/// Requests that `GET /sandbox/requests` lists when it is not told how many.
const LAST_DEFAULT: usize = 100;

/// Documents that one `add` may publish: as many as the largest benchmark has.
const ADDED_MAX: usize = 1_000_000;

/// An answer, or the refusal.
type Answer = Result<axum::Json<Value>, Refusal>;

/// Why a request was not carried out.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(what: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, what.into())
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        let status = match error {
            SandboxError::NotFound { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, axum::Json(json!({"error": self.1}))).into_response()
    }
}

/// Returns the routes below `/sandbox`.
pub(super) fn router(sandbox: &Arc<Sandbox>) -> Router {
    Router::new()
        .route("/sandbox", get(describe))
        .route("/sandbox/edit", post(edit))
        .route("/sandbox/add", post(add))
        .route("/sandbox/remove", post(remove))
        .route("/sandbox/publish", post(publish))
        .route("/sandbox/assets/edit", post(edit_asset))
        .route("/sandbox/assets/remove", post(remove_asset))
        .route("/sandbox/faults", get(show_faults).put(set_faults).delete(end_faults))
        .route("/sandbox/rates", get(show_rates).put(set_rates).delete(end_rates))
        .route("/sandbox/requests", get(show_requests).delete(reset_requests))
        .with_state(Arc::clone(sandbox))
        .layer(middleware::from_fn(refuse_pages))
}

/// Refuses what a browser sends on behalf of a page.
async fn refuse_pages(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return Refusal(StatusCode::FORBIDDEN, "pages in a browser may not change the sandbox".to_owned())
            .into_response();
    }
    next.run(request).await
}

/// The parameters of a request.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them; one that is not among `known` is a mistake that would otherwise be silent.
    fn read(query: Option<String>, known: &[&str]) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => {
                Err(Refusal::bad(format!("unknown parameter {key:?} (known: {})", known.join(", "))))
            }
            None => Ok(Self(pairs)),
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.find(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::bad(format!("{name} is missing")))
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, default: Option<T>) -> Result<T, Refusal> {
        match (self.find(name), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(Refusal::bad(format!("{name} is missing"))),
            (Some(text), _) => text.parse().map_err(|_| Refusal::bad(format!("{name} cannot be {text:?}"))),
        }
    }

    fn repository(&self, sandbox: &Sandbox) -> Result<Arc<Repository>, Refusal> {
        let all = &sandbox.repositories;
        match self.find("repository") {
            Some(name) => all
                .get(name)
                .cloned()
                .ok_or_else(|| SandboxError::NotFound { what: "repository", id: name.to_owned() }.into()),
            None if all.len() == 1 => Ok(all.values().map(Arc::clone).next().expect("there is one")),
            None => Err(Refusal::bad("there are several repositories, so repository=NAME is needed")),
        }
    }
}

/// Changes a repository off the threads that serve: sorting many documents takes its time.
async fn change<T: Send + 'static>(
    repository: &Arc<Repository>,
    change: impl FnOnce(&Repository) -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, Refusal> {
    let repository = Arc::clone(repository);
    let changed = tokio::task::spawn_blocking(move || change(&repository)).await;
    let failed = |error: tokio::task::JoinError| {
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("the change failed: {error}"))
    };
    Ok(changed.map_err(failed)??)
}

async fn describe(State(sandbox): State<Arc<Sandbox>>) -> axum::Json<Value> {
    let mut repositories: Vec<&Arc<Repository>> = sandbox.repositories.values().collect();
    repositories.sort_by_key(|repository| repository.name());
    let one = |repository: &&Arc<Repository>| {
        json!({
            "name": repository.name(),
            "documents": repository.documents().len(),
            "assets": repository.library().assets().len(),
            "releases": repository.releases().len(),
            "staged": repository.staged().len(),
            "master_ref": repository.master_ref(),
        })
    };
    axum::Json(json!({"repositories": repositories.iter().map(one).collect::<Vec<_>>()}))
}

async fn edit(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters =
        Parameters::read(query, &["share", "documents", "linkers", "later", "seed", "repository"])?;
    let repository = parameters.repository(&sandbox)?;
    if parameters.find("documents").is_some() {
        let (count, linkers) = (parameters.parse("documents", None)?, parameters.parse("linkers", Some(0))?);
        let seed = parameters.parse("seed", Some(1))?;
        let later: u32 = parameters.parse("later", Some(0))?;
        repository.shift_clock(i64::from(later) * 1000);
        let edited =
            change(&repository, move |repository| repository.edit_linked(count, linkers, seed)).await?;
        return Ok(axum::Json(json!({"edited": edited, "master_ref": repository.master_ref()})));
    }
    let share: f64 = parameters.parse("share", None)?;
    if !(0.0..=1.0).contains(&share) {
        return Err(Refusal::bad("share is from 0 to 1"));
    }
    let seed = parameters.parse("seed", Some(1))?;
    let edited = change(&repository, move |repository| repository.edit(share, seed)).await?;
    Ok(axum::Json(json!({"edited": edited, "master_ref": repository.master_ref()})))
}

async fn add(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query, &["documents", "seed", "repository"])?;
    let repository = parameters.repository(&sandbox)?;
    let (documents, seed) = (parameters.parse("documents", None)?, parameters.parse("seed", Some(1))?);
    if documents > ADDED_MAX {
        return Err(Refusal::bad(format!("at most {ADDED_MAX} documents at once")));
    }
    let added = change(&repository, move |repository| repository.add_documents(documents, seed)).await?;
    Ok(axum::Json(json!({"added": added, "master_ref": repository.master_ref()})))
}

async fn remove(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query, &["ids", "repository"])?;
    let repository = parameters.repository(&sandbox)?;
    let ids: Vec<String> = parameters.text("ids")?.split(',').map(str::to_owned).collect();
    let documents = repository.documents();
    if let Some(id) = ids.iter().find(|id| documents.find(id).is_none()) {
        return Err(SandboxError::NotFound { what: "document", id: id.clone() }.into());
    }
    let removed = change(&repository, move |repository| {
        Ok(repository.remove_documents(&ids.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let removed = removed.await?;
    Ok(axum::Json(json!({"removed": removed, "master_ref": repository.master_ref()})))
}

async fn publish(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query, &["expire", "repository"])?;
    let repository = parameters.repository(&sandbox)?;
    let reference = match parameters.parse("expire", Some(false))? {
        true => repository.publish_and_expire(),
        false => repository.publish(Changes::default()),
    };
    Ok(axum::Json(json!({"master_ref": reference})))
}

async fn edit_asset(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query, &["id", "notes", "repository"])?;
    let id = parameters.text("id")?;
    let notes = parameters.find("notes").unwrap_or("edited");
    parameters.repository(&sandbox)?.edit_asset(id, notes)?;
    Ok(axum::Json(json!({"edited": [id]})))
}

async fn remove_asset(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query, &["id", "repository"])?;
    let id = parameters.text("id")?;
    parameters.repository(&sandbox)?.remove_asset(id)?;
    Ok(axum::Json(json!({"removed": 1})))
}

async fn show_faults(State(sandbox): State<Arc<Sandbox>>) -> axum::Json<Faults> {
    axum::Json(sandbox.control.faults())
}

async fn set_faults(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Result<axum::Json<Faults>, Refusal> {
    // Whatever type the client declares: curl says it is a form.
    let faults: Faults = serde_json::from_slice(&body).map_err(|error| Refusal::bad(error.to_string()))?;
    faults.check().map_err(|error| Refusal::bad(error.to_string()))?;
    sandbox.control.set_faults(faults);
    Ok(axum::Json(sandbox.control.faults()))
}

async fn end_faults(State(sandbox): State<Arc<Sandbox>>) -> axum::Json<Faults> {
    sandbox.control.set_faults(Faults::default());
    axum::Json(sandbox.control.faults())
}

async fn show_rates(State(sandbox): State<Arc<Sandbox>>) -> axum::Json<Rates> {
    axum::Json(sandbox.control.rates())
}

async fn set_rates(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Result<axum::Json<Rates>, Refusal> {
    let rates: Rates = serde_json::from_slice(&body).map_err(|error| Refusal::bad(error.to_string()))?;
    if [rates.asset, rates.types, rates.migration].contains(&Some(0)) {
        return Err(Refusal::bad("a rate is at least 1"));
    }
    sandbox.control.set_rates(rates);
    Ok(axum::Json(sandbox.control.rates()))
}

async fn end_rates(State(sandbox): State<Arc<Sandbox>>) -> axum::Json<Rates> {
    sandbox.control.set_rates(Rates::default());
    axum::Json(sandbox.control.rates())
}

async fn show_requests(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Answer {
    let last = Parameters::read(query, &["last"])?.parse("last", Some(LAST_DEFAULT))?;
    let control = &sandbox.control;
    let log = control.log();
    let log = &log[log.len().saturating_sub(last)..];
    let by_api: BTreeMap<Api, Traffic> = Api::ALL.map(|api| (api, control.traffic(api))).into();
    Ok(axum::Json(json!({
        "total": control.request_count(),
        "by_api": by_api,
        "by_endpoint": control.requests_by_endpoint(),
        "log": log,
    })))
}

async fn reset_requests(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.control.reset_counters();
    StatusCode::NO_CONTENT
}
