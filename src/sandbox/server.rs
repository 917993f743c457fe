//! The HTTP side of the sandbox: all APIs and the asset host on one port.
//!
//! With one repository, its Content API is `/api/v2`, as at a repository's own domain; with
//! several it is `/<name>/api/v2`. Asset, Types and Migration API tell repositories apart by the
//! header, as Prismic's shared hosts do.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::control::Control;
use super::error::SandboxError;
use super::rates::Api;
use super::repository::Repository;
use super::{asset_api, control_api, disturb, files, migration_api, types_api};
use crate::clock::{Clock, SystemClock};
use crate::contentapi::{self, ContentOptions, PageCap};

/// How a sandbox is served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Time for `Retry-After` dates.
    pub clock: Arc<dyn Clock>,
    /// Longest address of the Content API, in bytes; Prismic refuses 2,048 and more.
    pub url_bytes_max: usize,
    /// Assets a page of the media library holds at most; 5,000 is used in production.
    pub asset_page_max: usize,
    /// Whether the sandbox may be changed over HTTP, below `/sandbox`; refused on a listener that
    /// other machines can reach.
    pub control_api: bool,
    /// How long [`Server::stop`] waits for requests that are being answered.
    pub stop_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            url_bytes_max: 2048,
            asset_page_max: 5000,
            control_api: false,
            stop_grace: Duration::from_secs(2),
        }
    }
}

/// Addresses of one repository, for prismvault's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// `content_api`
    pub content_api: String,
    /// `asset_api`
    pub asset_api: String,
    /// `types_api`
    pub types_api: String,
    /// `migration_api`
    pub migration_api: String,
}

/// A sandbox that listens. Dropping it stops it; [`stop`](Self::stop) waits until it has.
#[derive(Debug)]
pub struct Server {
    base_url: String,
    names: Vec<String>,
    control: Control,
    cancel: CancellationToken,
    grace: Duration,
    tasks: JoinSet<()>,
}

/// What every handler may use.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) repositories: HashMap<String, Arc<Repository>>,
    pub(super) control: Control,
    pub(super) options: ServerOptions,
    pub(super) base_url: String,
    pub(super) cancel: CancellationToken,
    /// Publishes that take their time; they end with the sandbox.
    pub(super) publishing: Mutex<JoinSet<()>>,
}

impl Server {
    /// Serves repositories on `listener` (bind it to `127.0.0.1:0` for any free port). Must be
    /// called within a tokio runtime.
    pub fn start(
        repositories: Vec<Arc<Repository>>,
        options: ServerOptions,
        listener: std::net::TcpListener,
    ) -> Result<Self, SandboxError> {
        listener.set_nonblocking(true).map_err(SandboxError::Listen)?;
        let address = listener.local_addr().map_err(SandboxError::Listen)?;
        if options.control_api && !address.ip().is_loopback() {
            return Err(SandboxError::NotLocal);
        }
        let listener = TcpListener::from_std(listener).map_err(SandboxError::Listen)?;
        let names: Vec<String> = repositories.iter().map(|repository| repository.name().to_owned()).collect();
        let mut known = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(name.as_str())) {
            return Err(SandboxError::SameName(twice.clone()));
        }
        if let Some(name) = names.iter().find(|name| !is_repository_name(name)) {
            return Err(SandboxError::InvalidName(name.clone()));
        }
        let sandbox = Arc::new(Sandbox {
            repositories: names.iter().cloned().zip(repositories).collect(),
            control: Control::default(),
            base_url: format!("http://{address}"),
            cancel: CancellationToken::new(),
            publishing: Mutex::default(),
            options,
        });
        let (control, cancel) = (sandbox.control.clone(), sandbox.cancel.clone());
        let (base_url, grace) = (sandbox.base_url.clone(), sandbox.options.stop_grace);
        let router = routes(&sandbox, &names);
        let stopped = cancel.clone().cancelled_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It ends without error: accepting is retried within.
            let listener = listener.tap_io(|connection| {
                // Without it small answers may wait for an acknowledgement; failing costs speed only.
                connection.set_nodelay(true).ok();
            });
            axum::serve(listener, router).with_graceful_shutdown(stopped).await.ok();
        });
        Ok(Self { base_url, names, control, cancel, grace, tasks })
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the addresses for a repository that is served.
    pub fn endpoints(&self, name: &str) -> Option<Endpoints> {
        let base = &self.base_url;
        self.names.iter().any(|known| known == name).then(|| Endpoints {
            content_api: format!("{}/api/v2", content_base(base, &self.names, name)),
            asset_api: format!("{base}/asset-api"),
            types_api: format!("{base}/types-api"),
            migration_api: format!("{base}/migration-api"),
        })
    }

    /// Returns the handle for faults, counters and hooks.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops listening, ends what hangs, and waits for answers under way at most the grace.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Prismic's rule: four and more letters, digits and hyphens, no hyphen at either end. Names become
/// parts of paths here, so those of the other APIs are taken, and that of the control API.
fn is_repository_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let taken = matches!(name, "asset-api" | "types-api" | "migration-api" | "sandbox");
    name.len() >= 4 && plain && !name.starts_with('-') && !name.ends_with('-') && !taken
}

/// Where the Content API of a repository is, without `/api/v2`.
fn content_base(base: &str, names: &[String], name: &str) -> String {
    if names.len() == 1 { base.to_owned() } else { format!("{base}/{name}") }
}

fn routes(sandbox: &Arc<Sandbox>, names: &[String]) -> Router {
    let mut router = Router::new()
        .merge(asset_api::routes())
        .merge(types_api::routes())
        .merge(migration_api::routes())
        .fallback(files::get)
        .with_state(Arc::clone(sandbox));
    for (name, repository) in &sandbox.repositories {
        let base = content_base(&sandbox.base_url, names, name);
        let options = ContentOptions {
            access: repository.options().access.clone(),
            base_url: Some(base),
            asset_host: sandbox.base_url.clone(),
            url_bytes_max: Some(sandbox.options.url_bytes_max),
            ..ContentOptions::default()
        };
        let control = sandbox.control.clone();
        let cap: PageCap = Arc::new(move || control.faults().search_page_cap);
        let source: Arc<dyn contentapi::ContentSource> = Arc::<Repository>::clone(repository);
        let content = contentapi::router(source, options, Some(cap));
        router =
            if names.len() == 1 { router.merge(content) } else { router.nest(&format!("/{name}"), content) };
    }
    let router = router.layer(middleware::from_fn_with_state(Arc::clone(sandbox), observe));
    // Outside of that layer: faults must not lock out whoever wants to end them, nor may looking
    // at the requests change their count.
    if sandbox.options.control_api { router.merge(control_api::router(sandbox)) } else { router }
}

/// Counts a request, runs hooks, and lets the faults have their way with it.
async fn observe(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let (endpoint, verdict) = sandbox.control.arrive(request.method().as_str(), uri.path(), uri.query());
    if let Some(api) = Api::of(uri.path()) {
        let named = request.headers().get("repository").and_then(|name| name.to_str().ok());
        let repository = named.filter(|name| sandbox.repositories.contains_key(*name));
        if !sandbox.control.passes(api, repository.unwrap_or_default()) {
            let response = disturb::over_the_rate();
            sandbox.control.answered(endpoint, response.status().as_u16());
            return response;
        }
    }
    let cancel = sandbox.cancel.clone();
    let answer = disturb::answer(&sandbox, endpoint, verdict, request, next);
    let response = cancel.run_until_cancelled(answer).await.unwrap_or_else(disturb::stopping);
    sandbox.control.answered(endpoint, response.status().as_u16());
    response
}
