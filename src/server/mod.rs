//! The ports of the daemon: Prismic's webhooks, and health and metrics for those who watch it.
//!
//! What listens on a network is written for those who mean harm: on the daemon's ports every
//! connection is one request with a deadline, a bounded head and a bounded body, and there are never
//! more connections at once than
//! [`Limits::server_connections`](crate::limits::Limits::server_connections). Whoever is not known
//! gets one short answer that says nothing. There is no TLS there: such a port belongs behind a
//! reverse proxy, or on an address that only friends reach.
//!
//! - [`webhook_router`] receives webhooks. What they say is not believed further than *something was
//!   published*: the snapshot that follows asks Prismic itself.
//! - [`Publishes`] remembers which repositories were published, at most one entry each; [`Debounce`]
//!   turns that into snapshots, at most one for each time of quiet; [`StoredRefs`] drops what a
//!   snapshot holds already.
//! - [`watch_router`] answers `/healthz`, `/readyz` and `/metrics`. It holds names of repositories,
//!   so it is a router of its own, for a port that is not open to the world.
//! - [`serve()`] listens; a [`Port`] does so with routes that change; [`listen()`] is the loop below
//!   both, and what a standby listens with, which keeps connections and speaks TLS.
//!
//! Nothing here is remembered over a restart: webhooks get lost anyway, and the root is polled
//! besides.

mod debounce;
mod listen;
mod port;
mod publish;
mod publishes;
mod rate;
mod serve;
mod stored_refs;
mod watch;
mod webhook;

pub use debounce::{Debounce, Waits};
pub use listen::{Bounds, listen};
pub use port::Port;
pub use publish::Publish;
pub use publishes::{Publishes, add_publish, trigger};
pub use serve::serve;
pub use stored_refs::{Asked, AtWork, Polled, StoredRefs};
pub use watch::{GREETING, Watched, watch_router};
pub use webhook::{Webhook, WebhookCounts, webhook_router};
