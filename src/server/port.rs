//! A port that stays open while what it answers by changes.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::serve::serve_current;
use crate::limits::Limits;

/// A port that is listened on until this is dropped; requests under way are answered then.
#[derive(Debug)]
pub struct Port {
    asked: SocketAddr,
    routes: watch::Sender<Router>,
    _open: DropGuard,
}

impl Port {
    /// Answers what comes to `listener` in a task of `tasks`, also no longer than `until`. `asked` is
    /// the address that was asked for, which differs where the port is any that is free.
    pub fn open(
        tasks: &mut JoinSet<()>,
        (asked, listener): (SocketAddr, TcpListener),
        router: Router,
        limits: &Limits,
        until: &CancellationToken,
    ) -> Self {
        let (routes, current) = watch::channel(router);
        let (until, limits) = (until.child_token(), limits.clone());
        let open = until.clone().drop_guard();
        tasks.spawn(async move { serve_current(listener, current, &limits, until).await });
        Self { asked, routes, _open: open }
    }

    /// The address that was asked for.
    pub fn asked(&self) -> SocketAddr {
        self.asked
    }

    /// Answers what comes from now on by other routes.
    pub fn answer_by(&self, router: Router) {
        drop(self.routes.send_replace(router));
    }
}
