//! The ports of the scheduler: one for webhooks, one for those who watch it.
//!
//! They follow the configuration while it runs, all or nothing: what is new is opened first, and
//! only then what is old is closed. So a port that cannot be had leaves everything as it was. A
//! port whose address stays is not closed at all; what it answers by (secrets, networks) is
//! exchanged.
//!
//! The port for webhooks closes when the scheduler is asked to end, the other one when it has ended:
//! whoever watches sees it end.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::events::{Event, Events};
use super::hand::Worker;
use super::publishes::webhook_of;
use crate::cli::error::{CommandError, ErrorKind};
use crate::config::{Config, WebhookSettings};
use crate::server::{Port, Publishes, Waits, Watched, watch_router, webhook_router};

/// The ports that are open.
pub(super) struct Ports {
    worker: Worker,
    events: Arc<Events>,
    publishes: Publishes,
    waits: Waits,
    stop: CancellationToken,
    webhook: Option<Port>,
    metrics: Option<Port>,
    tasks: JoinSet<()>,
}

/// What a port is for: as a sentence goes on, the table of its address, and the path to show.
struct Purpose {
    what: &'static str,
    table: &'static str,
    path: &'static str,
}

const WEBHOOK: Purpose = Purpose { what: "listen for webhooks", table: "webhook", path: "/webhook" };
const METRICS: Purpose = Purpose { what: "serve metrics", table: "metrics", path: "/metrics" };

impl Ports {
    /// Returns what opens none yet. What is published is announced to `publishes`; `waits` are those of
    /// whoever takes it from there. The port for webhooks closes with `stop`.
    pub(super) fn new(
        worker: Worker,
        events: Arc<Events>,
        publishes: Publishes,
        waits: Waits,
        stop: CancellationToken,
    ) -> Self {
        let tasks = JoinSet::new();
        Self { worker, events, publishes, waits, stop, webhook: None, metrics: None, tasks }
    }

    /// Opens and closes what a configuration says.
    ///
    /// # Errors
    ///
    /// When a port cannot be listened on, or a secret of a webhook cannot be had; then all stays as it
    /// was.
    pub(super) async fn take(&mut self, config: &Arc<Config>) -> Result<(), CommandError> {
        let (mut webhook, mut to_webhook) = (None, None);
        if let Some(settings) = &config.webhook {
            to_webhook = bind(self.webhook.as_ref(), settings.listen, &WEBHOOK).await?;
            webhook = Some(Arc::new(webhook_of(config, settings, &self.publishes).await?));
        }
        let mut to_metrics = None;
        if let Some(listen) = config.metrics.listen {
            to_metrics = bind(self.metrics.as_ref(), listen, &METRICS).await?;
        }
        // Nothing fails from here on.
        while self.tasks.try_join_next().is_some() {}
        let waits = |own: &WebhookSettings| (own.quiet, own.longest_wait);
        let (quiet, longest) = config.webhook.as_ref().map_or(WebhookSettings::WAITS, waits);
        self.waits.set(quiet, longest);
        self.worker.numbers().receives(webhook.clone());
        let router = webhook.map(webhook_router);
        self.webhook = match (self.webhook.take(), to_webhook, router) {
            (_, Some(bound), Some(router)) => {
                self.told(&bound.1, &WEBHOOK);
                Some(Port::open(&mut self.tasks, bound, router, &config.limits, &self.stop))
            }
            (Some(open), None, Some(router)) => {
                open.answer_by(router);
                Some(open)
            }
            (before, ..) => self.closed(before.as_ref(), &WEBHOOK),
        };
        let watched: Arc<dyn Watched> = Arc::new(self.worker.clone());
        self.metrics = match (self.metrics.take(), to_metrics, config.metrics.listen) {
            (_, Some(bound), _) => {
                self.told(&bound.1, &METRICS);
                let (router, until) = (watch_router(watched), CancellationToken::new());
                Some(Port::open(&mut self.tasks, bound, router, &config.limits, &until))
            }
            (open, None, Some(_)) => open,
            (before, None, None) => self.closed(before.as_ref(), &METRICS),
        };
        Ok(())
    }

    fn told(&self, listener: &TcpListener, purpose: &Purpose) {
        if let Ok(place) = listener.local_addr() {
            self.events.tell(&Event::listening(&format!("http://{place}{}", purpose.path)));
        }
    }

    fn closed(&self, before: Option<&Port>, purpose: &Purpose) -> Option<Port> {
        if let Some(before) = before {
            self.events.tell(&Event::closed(&format!("http://{}{}", before.asked(), purpose.path)));
        }
        None
    }
}

/// Listens on an address, unless it is that of the port that is open.
async fn bind(
    open: Option<&Port>,
    listen: SocketAddr,
    purpose: &Purpose,
) -> Result<Option<(SocketAddr, TcpListener)>, CommandError> {
    if open.is_some_and(|open| open.asked() == listen) {
        return Ok(None);
    }
    match TcpListener::bind(listen).await {
        Ok(listener) => Ok(Some((listen, listener))),
        Err(error) => {
            let what = format!("cannot {} on {listen}", purpose.what);
            let error = CommandError::because(ErrorKind::Configuration, what, error);
            Err(error.hint(format!(
                "`listen` in [{}] says where; another scheduler, or another program, may have this port: \
                 `prismvault doctor` finds out",
                purpose.table
            )))
        }
    }
}
