//! A standby on a port of this machine, for rehearsals: nobody else reaches it, and it is gone with its handle.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A site that answers on loopback. Dropping it ends it; [`stop`](Self::stop) waits until it has.
#[derive(Debug)]
pub struct LocalSite {
    address: SocketAddr,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl LocalSite {
    /// Serves `site` on any free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start(site: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let cancel = CancellationToken::new();
        let stopped = cancel.clone().cancelled_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It ends without error: accepting is retried within.
            let listener = listener.tap_io(|connection| {
                // Without it small answers may wait for an acknowledgement; failing costs speed only.
                connection.set_nodelay(true).ok();
            });
            axum::serve(listener, site).with_graceful_shutdown(stopped).await.ok();
        });
        Ok(Self { address, cancel, tasks })
    }

    /// Where it answers: `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it; returns whether nobody listens on its port any more.
    pub async fn stop(mut self) -> bool {
        self.cancel.cancel();
        self.tasks.shutdown().await;
        tokio::net::TcpStream::connect(self.address).await.is_err()
    }
}

impl Drop for LocalSite {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
