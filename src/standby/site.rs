//! All that a standby answers over HTTP: the repositories, and how it is.
//!
//! One repository is at `/api/v2`, several are each below their name: `/NAME/api/v2`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::assets::{self, Shop};
use super::caches::Caches;
use super::source::Standby;
use crate::contentapi::{AccessPolicy, ContentOptions, ContentSource, Slots, router};
use crate::ids::Name;
use crate::limits::Limits;

/// Longest address that is answered. Prismic's own limit is 2,048, so no site has longer ones.
const URL_BYTES_MAX: usize = 8 << 10;

/// Where the files of a repository are, below it.
const FILES: &str = "/files";

/// How repositories are served.
#[derive(Debug, Clone, Default)]
pub struct SiteOptions {
    /// Who may read what.
    pub access: AccessPolicy,
    /// Address that answers name, without a final slash; the request's `Host` without it.
    pub public_url: Option<String>,
    /// Whether a `Host` is reached by `https://`.
    pub is_https: bool,
    /// Whether answers name the files here instead of those on Prismic's hosts.
    pub rewrites_files: bool,
    /// Bounds of what one request may cost.
    pub limits: Limits,
}

/// A repository that is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its name in the configuration.
    pub name: Name,
    /// Its snapshots.
    pub standby: Arc<Standby>,
}

/// Returns everything that is answered: the Content API of each repository, and `/healthz`. What is answered
/// often is kept in `caches`.
pub fn site(repositories: Vec<Served>, options: &SiteOptions, caches: &Caches) -> Router {
    let repositories: Arc<[Served]> = repositories.into();
    let slots = Arc::new(Slots::new(&options.limits));
    let mut site = Router::new().route("/healthz", get(health)).with_state(Arc::clone(&repositories));
    for served in &*repositories {
        let prefix = match repositories.len() {
            1 => String::new(),
            _ => format!("/{}", served.name),
        };
        let content = ContentOptions {
            access: options.access.clone(),
            base_url: options.public_url.clone(),
            is_https: options.is_https,
            prefix: prefix.clone(),
            asset_host: if options.rewrites_files { FILES.to_owned() } else { String::new() },
            url_bytes_max: Some(URL_BYTES_MAX),
            is_for_caches: true,
            limits: options.limits.clone(),
            slots: Arc::clone(&slots),
            answers: caches.answers.clone(),
        };
        let source: Arc<dyn ContentSource> = Arc::<Standby>::clone(&served.standby);
        let shop = Shop { standby: Arc::clone(&served.standby), cache: Arc::clone(&caches.files) };
        let files = Router::new().route(&format!("{FILES}/{{*path}}"), any(assets::get)).with_state(shop);
        let content = router(source, content, None).merge(files).route("/graphql", any(no_graphql));
        site = if prefix.is_empty() { site.merge(content) } else { site.nest(&prefix, content) };
    }
    site.layer(middleware::from_fn(log))
}

/// Reads a certificate chain and its key from PEM.
///
/// # Errors
///
/// What is wrong with them, in a sentence that shows nothing of the key.
pub fn tls(certificates: &[u8], key: &[u8]) -> Result<TlsAcceptor, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|_| "the certificate is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|_| "there is no private key in the file".to_owned())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not go together: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Says how it is: 200 when every repository answers, which snapshot it is, and whether that is whole.
async fn health(State(repositories): State<Arc<[Served]>>) -> Response {
    let mut is_ready = true;
    let list: Vec<Value> = repositories
        .iter()
        .map(|served| {
            let editions = served.standby.editions();
            is_ready &= !editions.is_empty();
            let snapshots: Vec<Value> = editions
                .iter()
                .map(|edition| {
                    json!({
                        "snapshot": edition.snapshot(),
                        "status": if edition.is_complete() { "complete" } else { "partial" },
                        "documents": edition.len(),
                        "lost_documents": edition.lost(),
                        "failed_reads": edition.shelf().failures(),
                    })
                })
                .collect();
            json!({"repository": served.name, "snapshots": snapshots})
        })
        .collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let state = if is_ready { "ok" } else { "starting" };
    (status, Json(json!({"status": state, "repositories": list}))).into_response()
}

/// GraphQL would be another engine; what it answers, the REST API does.
async fn no_graphql() -> Response {
    let message = "GraphQL is not answered by a standby. The same content is at /api/v2/documents/search, \
                   with graphQuery or fetchLinks for selections.";
    (StatusCode::NOT_IMPLEMENTED, Json(json!({"type": "not-implemented", "message": message})))
        .into_response()
}

/// One line a request: who, what, how it ended and how long it took. Queries are left out: they hold
/// tokens, and words that people search for.
async fn log(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let response = next.run(request).await;
    tracing::info!(
        target: "prismvault::access",
        peer = peer.map(tracing::field::display),
        %method,
        path,
        status = response.status().as_u16(),
        milliseconds = begun.elapsed().as_secs_f64() * 1e3,
        "answered"
    );
    response
}
