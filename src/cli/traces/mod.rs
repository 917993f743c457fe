//! Traces for OpenTelemetry: what a run did, and how long each part took.
//!
//! They are exported by the cargo feature `otel`, and only where the environment names an endpoint
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`), over OTLP by HTTP and protobuf; the standard variables set the
//! rest. Without the feature such a variable is answered by a warning: silence would look as if
//! traces went somewhere.
//!
//! A span is a command, a run of a job, a snapshot, one object that is put to one replica: never an
//! item. Its attributes are ids, names of the configuration, words and numbers. Events of the log
//! are no part of it, and neither is anything of other crates.
//!
//! Spans are sent in the background. What cannot be sent is lost, and that is logged: no backup
//! waits for it, but for a moment at the end of the process.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

#[cfg(feature = "otel")]
mod otlp;

/// Where OTLP goes; the first that is set.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// A layer of the log that makes traces.
pub(super) type Spans<S> = Box<dyn Layer<S> + Send + Sync>;

/// The traces of this process.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// What somebody should know who asked for traces.
    pub(super) warning: Option<String>,
    #[cfg(feature = "otel")]
    provider: Option<otlp::Provider>,
}

impl Traces {
    /// Sends what is left.
    pub(super) fn finish(self) {
        #[cfg(feature = "otel")]
        if let Some(provider) = self.provider {
            otlp::finish(&provider);
        }
    }
}

/// Returns the layer, where the environment asks for traces.
pub(super) fn start<S>() -> (Option<Spans<S>>, Traces)
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    match endpoint() {
        Some((variable, endpoint)) => export(variable, &endpoint),
        None => (None, Traces::default()),
    }
}

/// The variable that asks for traces, and its value. An empty one is an unset one, as OpenTelemetry
/// wants it.
fn endpoint() -> Option<(&'static str, String)> {
    let says = |name: &str, word: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    ENDPOINTS.into_iter().find_map(|name| Some((name, set(name)?)))
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(not(feature = "otel"))]
fn export<S: Subscriber>(variable: &str, _endpoint: &str) -> (Option<Spans<S>>, Traces) {
    let warning = format!(
        "{variable} is set, and no traces are exported: this prismvault was built without the feature otel"
    );
    (None, Traces { warning: Some(warning) })
}

#[cfg(feature = "otel")]
fn export<S>(variable: &str, endpoint: &str) -> (Option<Spans<S>>, Traces)
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    match otlp::start(endpoint) {
        Ok((spans, provider)) => {
            (Some(spans), Traces { warning: otlp::other_protocol(), provider: Some(provider) })
        }
        // Its value is not shown: people put tokens into addresses.
        Err(why) => {
            let warning = format!("no traces are exported, {variable} and the others are not good: {why}");
            (None, Traces { warning: Some(warning), provider: None })
        }
    }
}
