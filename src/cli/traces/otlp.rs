//! From spans of the log to an OpenTelemetry collector.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{Builder, Runtime};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::{Spans, set};
use crate::limits::Limits;
use crate::prismic::{is_plain_loopback, new_client};

pub(super) type Provider = SdkTracerProvider;

/// How long the end of the process waits for spans to be sent.
const FINISH: Duration = Duration::from_secs(5);
/// Wait for an answer where the environment sets none, as OpenTelemetry has it.
const ANSWER: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;
/// Name of the service where the environment gives none.
const SERVICE: &str = "prismvault";

/// Returns the layer that exports to what the environment names.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn start<S>(endpoint: &str) -> Result<(Spans<S>, Provider), String>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let url = Url::parse(endpoint).map_err(|_| "the endpoint is no address".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the endpoint must begin with https:// or http://".to_owned());
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(Sender::new()?)
        .build()
        .map_err(|error| error.to_string().replace(endpoint, "…"))?;
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
    let layer = tracing_opentelemetry::layer::<S>()
        .with_tracer(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    Ok((layer.with_filter(filter_fn(is_exported)).boxed(), provider))
}

/// Spans of this program alone; what is logged may hold what nobody outside is to read.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && *metadata.level() <= Level::INFO
        && metadata.target().split("::").next() == Some(SERVICE)
}

fn resource() -> Resource {
    let named = Resource::builder().build();
    let name = named.get(&Key::new("service.name")).map(|name| name.to_string()).unwrap_or_default();
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    match name.starts_with("unknown_service") {
        true => builder.with_service_name(SERVICE).build(),
        false => builder.build(),
    }
}

/// Says so where the environment asks for another protocol than the one there is.
pub(super) fn other_protocol() -> Option<String> {
    let variables = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    let (variable, protocol) = variables.into_iter().find_map(|name| Some((name, set(name)?)))?;
    (protocol != "http/protobuf").then(|| {
        format!("{variable} is not http/protobuf, by which traces are sent (collectors take it on port 4318)")
    })
}

pub(super) fn finish(provider: &Provider) {
    // What went wrong was logged where it did.
    provider.shutdown_with_timeout(FINISH).ok();
}

/// Sends by the client that everything here uses, from the thread of the exporter, which has no
/// runtime and waits for nothing else.
#[derive(Debug)]
struct Sender {
    runtime: Runtime,
    client: OnceLock<reqwest::Client>,
    answer: Duration,
}

impl Sender {
    fn new() -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let milliseconds = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]
            .into_iter()
            .find_map(|name| set(name)?.parse().ok());
        Ok(Self {
            runtime: runtime.map_err(|error| error.to_string())?,
            client: OnceLock::new(),
            answer: milliseconds.map_or(ANSWER, Duration::from_millis),
        })
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = new_client(&Limits::default(), is_plain_loopback(url), false)?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())?;
        let request = self.client(&url)?.request(head.method, url).headers(head.headers).body(body);
        let sent = request.timeout(self.answer).send().await;
        let mut answer = sent.map_err(reqwest::Error::without_url)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > ANSWER_BYTES {
                return Err("the collector answers with more than is read".into());
            }
        }
        let mut response = Response::new(Bytes::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(self.send(request))
    }
}
