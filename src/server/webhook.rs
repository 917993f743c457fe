//! Prismic's webhooks: `POST /webhook`.
//!
//! Prismic signs nothing: a shared secret stands in the body, and that is all there is. So a webhook
//! is checked in the order of what a check costs: how often the address asks, whether it is allowed,
//! the header, the size; only then a body is read, and only then the secret in it. A body is never
//! unpacked.
//!
//! - Every refusal is the same few bytes for its status: it does not tell a wrong secret from an
//!   unknown repository. Comparing takes the same time for both.
//! - A good webhook is answered 200 at once; what follows from it happens elsewhere. Prismic
//!   switches a webhook off after five other answers, so what is not understood and carries the
//!   right secret is answered 200 too.
//! - A replay is as good as the first: it says that something was published, and costs what one
//!   does.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::publish::Publish;
use super::publishes::Publishes;
use super::rate::RateLimit;
use crate::config::{Config, Network, SecretError, WebhookSettings};
use crate::ids::{Name, hex, random};
use crate::limits::Limits;
use crate::secret::Secret;

/// Most addresses in an `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 16;

/// Receives webhooks; see the module.
pub struct Webhook {
    allow: Vec<Network>,
    trusted_proxies: Vec<Network>,
    header: Option<(HeaderName, Secret)>,
    /// Name, name at Prismic, secret.
    repositories: Vec<(Name, String, Secret)>,
    /// What those are compared with that are for nobody.
    nobody: Secret,
    publishes: Publishes,
    rate: Mutex<RateLimit>,
    limits: Limits,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    published: AtomicU64,
    tests: AtomicU64,
    others: AtomicU64,
    refused: AtomicU64,
    too_many: AtomicU64,
}

/// How many webhooks came to what, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Something was published.
    pub published: u64,
    /// Somebody pressed *Trigger it* in Prismic.
    pub tests: u64,
    /// Genuine, of a type that is not known.
    pub others: u64,
    /// Refused: wrong secret or address, too large, not a webhook.
    pub refused: u64,
    /// Refused because there were too many.
    pub too_many: u64,
}

/// The part of a webhook's body that is read. What is raw is looked into only when the secret was
/// right, and whatever its form, does no harm then.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: String,
    domain: String,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default, borrow, rename = "masterRef")]
    master_ref: Option<&'a RawValue>,
    #[serde(default, borrow)]
    documents: Option<&'a RawValue>,
    #[serde(default, borrow)]
    releases: Option<&'a RawValue>,
    #[serde(default, borrow)]
    masks: Option<&'a RawValue>,
    #[serde(default, borrow)]
    tags: Option<&'a RawValue>,
}

impl Said<'_> {
    /// What it says of a publish.
    fn publish(&self, limits: &Limits) -> Publish {
        let reference = self.master_ref.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        // Releases, models and tags change without the master ref.
        let says_more = [self.releases, self.masks, self.tags].into_iter().flatten().any(says_something);
        let mut publish = match reference.filter(|_| !says_more) {
            Some(reference) => Publish::at(&reference, limits),
            None => Publish::unknown(limits),
        };
        let documents = self.documents.and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok());
        for id in documents.into_iter().flatten() {
            let id = serde_json::from_str::<std::borrow::Cow<'_, str>>(id.get());
            if !id.map_or(true, |id| publish.add_document(&id)) {
                break;
            }
        }
        publish
    }
}

/// Whether there is anything in a value but empty lists and objects.
fn says_something(raw: &RawValue) -> bool {
    fn is_empty(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Null => true,
            serde_json::Value::Array(values) => values.iter().all(is_empty),
            serde_json::Value::Object(members) => members.values().all(is_empty),
            _ => false,
        }
    }
    // Too deep to be read is not nothing.
    serde_json::from_str(raw.get()).map_or(true, |value| !is_empty(&value))
}

impl Webhook {
    /// Returns the receiver of a configuration, which announces to `publishes`. Blocks while it
    /// fetches secrets.
    ///
    /// # Errors
    ///
    /// When a secret cannot be had.
    pub fn new(
        config: &Config,
        settings: &WebhookSettings,
        publishes: Publishes,
    ) -> Result<Self, SecretError> {
        let limits = &config.limits;
        let mut repositories = Vec::new();
        for repository in &config.repositories {
            if let Some(reference) = &repository.webhook_secret {
                let secret = reference.resolve(limits)?;
                repositories.push((repository.name.clone(), repository.repository.clone(), secret));
            }
        }
        let header = match &settings.header {
            Some(header) => {
                let name = HeaderName::from_bytes(header.name.as_bytes());
                let name = name.expect("checked when the configuration was read");
                Some((name, header.value.resolve(limits)?))
            }
            None => None,
        };
        Ok(Self {
            allow: settings.allow.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            header,
            repositories,
            nobody: Secret::new(hex(&random::<32>())),
            publishes,
            rate: Mutex::new(rate_of(limits)),
            limits: limits.clone(),
            counts: Counts::default(),
        })
    }

    /// How many webhooks came to what.
    pub fn counts(&self) -> WebhookCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WebhookCounts {
            published: read(&self.counts.published),
            tests: read(&self.counts.tests),
            others: read(&self.counts.others),
            refused: read(&self.counts.refused),
            too_many: read(&self.counts.too_many),
        }
    }

    /// Checks all that can be checked without reading the body.
    fn admit(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), StatusCode> {
        let sender = self.sender(peer, headers);
        if !self.rate().admits(sender, Instant::now()) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        if !self.allow.is_empty() && !contains(&self.allow, sender) {
            return Err(StatusCode::FORBIDDEN);
        }
        if let Some((name, expected)) = &self.header {
            let mut given = headers.get_all(name).iter();
            let right = given.next().is_some_and(|given| expected.matches(given.as_bytes()));
            if !right || given.next().is_some() {
                return Err(StatusCode::UNAUTHORIZED);
            }
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
            || headers.contains_key(header::CONTENT_ENCODING)
        {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        match length {
            Some(length) if length > self.limits.webhook_bytes_max as u64 => {
                Err(StatusCode::PAYLOAD_TOO_LARGE)
            }
            _ => Ok(()),
        }
    }

    /// Who sent a request: the peer, or where the peer is a proxy that is trusted, the last address
    /// that it and others of its kind did not add themselves.
    fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut sender = peer;
        let lists = headers.get_all("x-forwarded-for").iter();
        let hops: Vec<&str> =
            lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(',')).collect();
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            if !contains(&self.trusted_proxies, sender) {
                break;
            }
            match hop.trim().parse() {
                Ok(address) => sender = address,
                Err(_) => break,
            }
        }
        sender
    }

    /// Says what a body is worth.
    fn judge(&self, body: &[u8]) -> StatusCode {
        let Ok(said) = serde_json::from_slice::<Said<'_>>(body) else { return StatusCode::BAD_REQUEST };
        let secret = said.secret.as_deref().unwrap_or_default().as_bytes();
        let own = |domain: &str| domain.eq_ignore_ascii_case(&said.domain);
        let mut genuine = Vec::new();
        let mut compared = false;
        for (name, _, expected) in self.repositories.iter().filter(|(_, domain, _)| own(domain)) {
            compared = true;
            if expected.matches(secret) {
                genuine.push(name);
            }
        }
        if !compared {
            // As long as for one that exists; nobody knows this one.
            self.nobody.matches(secret);
        }
        if genuine.is_empty() {
            return StatusCode::UNAUTHORIZED;
        }
        match said.kind.as_str() {
            "api-update" => {
                self.counts.published.fetch_add(1, Ordering::Relaxed);
                let publish = said.publish(&self.limits);
                for name in genuine {
                    tracing::info!(repository = name.as_str(), "a webhook says that something was published");
                    self.publishes.announce(name, publish.clone());
                }
            }
            "test-trigger" => {
                self.counts.tests.fetch_add(1, Ordering::Relaxed);
                tracing::info!(repository = genuine[0].as_str(), "a test webhook arrived");
            }
            _ => {
                self.counts.others.fetch_add(1, Ordering::Relaxed);
                tracing::info!(repository = genuine[0].as_str(), "a webhook of an unknown type arrived");
            }
        }
        StatusCode::OK
    }

    fn rate(&self) -> std::sync::MutexGuard<'_, RateLimit> {
        self.rate.lock().expect("no holder of this lock can panic")
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

/// Returns the route `POST /webhook`. To be served by [`serve`](super::serve()), which says who is at the
/// other end.
pub fn webhook_router(webhook: Arc<Webhook>) -> Router {
    Router::new().route("/webhook", post(receive)).with_state(webhook)
}

async fn receive(
    State(webhook): State<Arc<Webhook>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let status = match webhook.admit(peer.ip(), &headers) {
        // The connection's deadline ends a body that does not come.
        Ok(()) => match axum::body::to_bytes(body, webhook.limits.webhook_bytes_max).await {
            Ok(body) => webhook.judge(&body),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        },
        Err(status) => status,
    };
    match status {
        StatusCode::OK => {}
        StatusCode::TOO_MANY_REQUESTS => drop(webhook.counts.too_many.fetch_add(1, Ordering::Relaxed)),
        _ => drop(webhook.counts.refused.fetch_add(1, Ordering::Relaxed)),
    }
    (status, if status == StatusCode::OK { "ok\n" } else { "refused\n" }).into_response()
}

fn contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

fn rate_of(limits: &Limits) -> RateLimit {
    RateLimit::new(limits.webhook_requests_per_minute, limits.webhook_addresses, Instant::now())
}
