//! Listens on a port, for the daemon's one request a connection and for sites that keep theirs: TLS
//! where there is a certificate, and a bound on all that a stranger can make grow.
//!
//! - There are never more connections than [`Bounds::connections`]. One more gets its place from the
//!   connection that is there longest: a site whose kept connection goes opens another at the price
//!   of a handshake, and thousands of idle ones, or half requests, keep nobody out.
//! - A request's head has [`Bounds::idle`] to begin and to come, and [`Bounds::head_bytes`].
//! - Whoever takes nothing of an answer for [`Bounds::stall`] is cut, however large the answer is.

use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::{Extension, Router};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;

/// Headers of a request that are read.
const HEADERS_MAX: usize = 64;
/// Wait after accepting failed, which it does when this process has too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Wait after a connection was asked to go, before the next one is.
const MAKE_ROOM_EVERY: Duration = Duration::from_millis(50);
/// Bytes of an answer whose taking shows that somebody is there.
const TAKEN: usize = 64 << 10;

/// Bounds of a port.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// Time in which a connection must begin a request, and send its head.
    pub idle: Duration,
    /// Time in which something of an answer must be taken.
    pub stall: Duration,
    /// Time for a whole connection; without it as long as the other side goes on.
    pub whole: Option<Duration>,
    /// Whether a connection may send another request.
    pub keeps_alive: bool,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// How long requests under way are waited for at the end.
    pub stop_grace: Duration,
}

impl Bounds {
    /// Those of a port to which sites keep their connections, as a standby has it.
    pub fn of_sites(limits: &Limits, stop_grace: Duration) -> Self {
        Self {
            connections: limits.site_connections,
            idle: limits.site_idle,
            stall: limits.site_idle,
            whole: None,
            keeps_alive: true,
            head_bytes: limits.site_head_bytes_max,
            stop_grace,
        }
    }
}

/// Answers the requests that come to `listener`, until `cancel`; then those under way are finished,
/// within the grace. Each connection is answered by the routes that are current when it comes, so
/// these can change without a moment in which nobody listens. Who asks is in the request as
/// [`ConnectInfo`].
pub async fn listen(
    listener: TcpListener,
    routes: watch::Receiver<Router>,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    cancel: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let crowd = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    loop {
        // What has ended is let go of, so that the set stays as small as what is under way.
        while tasks.try_join_next().is_some() {}
        let accepted = async {
            let accepted = listener.accept().await;
            (accepted, room(&free, &crowd).await)
        };
        let (accepted, permit) = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without it small answers may wait for an acknowledgement; failing costs speed only.
                stream.set_nodelay(true).ok();
                let router = routes.borrow().clone().layer(Extension(ConnectInfo(peer)));
                let connection = Connection {
                    router,
                    tls: tls.clone(),
                    bounds: bounds.clone(),
                    crowd: Arc::clone(&crowd),
                    cancel: cancel.clone(),
                };
                tasks.spawn(async move {
                    connection.answer(stream).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    // From here on nobody new is let in.
    drop(listener);
    let ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(bounds.stop_grace, ended).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Waits for a place, and while there is none asks those that are there longest to go.
async fn room(free: &Arc<Semaphore>, crowd: &Notify) -> Option<OwnedSemaphorePermit> {
    loop {
        let waited = timeout(MAKE_ROOM_EVERY, Arc::clone(free).acquire_owned());
        if free.available_permits() == 0 {
            crowd.notify_one();
        }
        if let Ok(permit) = waited.await {
            // What nobody heard is taken back: it would send away whoever comes now.
            std::pin::pin!(crowd.notified()).as_mut().enable();
            // The semaphore is never closed.
            return permit.ok();
        }
    }
}

/// What a connection is answered with.
struct Connection {
    router: Router,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    crowd: Arc<Notify>,
    cancel: CancellationToken,
}

impl Connection {
    async fn answer(self, stream: TcpStream) {
        let doing = Arc::new(Doing::default());
        let stream = Patient::new(stream, self.bounds.stall, Arc::clone(&doing));
        let whole = self.bounds.whole.unwrap_or(Duration::MAX);
        let answered = async {
            match self.tls.clone() {
                None => self.requests(stream, doing).await,
                Some(tls) => {
                    // A handshake that fails or hangs is the other side's business.
                    if let Ok(Ok(stream)) = timeout(self.bounds.idle, tls.accept(stream)).await {
                        self.requests(stream, doing).await;
                    }
                }
            }
        };
        // That it failed or was cut says nothing that anybody could use.
        drop(timeout(whole, answered).await);
    }

    /// Answers the requests of a connection, one after the other.
    async fn requests<S>(&self, stream: S, doing: Arc<Doing>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service =
            Counted { inner: TowerToHyperService::new(self.router.clone()), doing: Arc::clone(&doing) };
        let connection = http1::Builder::new()
            .keep_alive(self.bounds.keeps_alive)
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.idle)
            .max_headers(HEADERS_MAX)
            .max_buf_size(self.bounds.head_bytes.max(8 << 10))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let asked_to_go = async {
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = self.crowd.notified() => {}
            }
        };
        tokio::select! {
            done = connection.as_mut() => drop(done),
            () = asked_to_go => {
                // An idle one ends at once, one with a request under way after its answer.
                connection.as_mut().graceful_shutdown();
                // Half a request is not waited for.
                if !doing.is_reading() {
                    drop(connection.await);
                }
            }
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Default)]
struct Doing {
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Whether something came since something was last sent.
    has_read: AtomicBool,
}

impl Doing {
    /// Whether it has a part of a request, and owes nothing.
    fn is_reading(&self) -> bool {
        self.has_read.load(Ordering::Relaxed) && self.answering.load(Ordering::Relaxed) == 0
    }
}

/// Routes that note what is being answered.
struct Counted {
    inner: TowerToHyperService<Router>,
    doing: Arc<Doing>,
}

impl Service<Request<Incoming>> for Counted {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (answered, doing) = (self.inner.call(request), Arc::clone(&self.doing));
        doing.answering.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let answered = answered.await;
            doing.answering.fetch_sub(1, Ordering::Relaxed);
            // What is sent now is owed until it is taken.
            doing.has_read.store(false, Ordering::Relaxed);
            answered
        })
    }
}

/// A stream that fails when the other side takes nothing for too long.
struct Patient<S> {
    stream: S,
    stall: Duration,
    /// Since when the other side has been waited for.
    late: Option<Pin<Box<Sleep>>>,
    /// What it took meanwhile.
    taken: usize,
    doing: Arc<Doing>,
}

impl<S> Patient<S> {
    fn new(stream: S, stall: Duration, doing: Arc<Doing>) -> Self {
        Self { stream, stall, late: None, taken: 0, doing }
    }

    /// Notes how writing went; turns waiting for too long into an error.
    fn noted(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let stall = self.stall;
                let late = self.late.get_or_insert_with(|| Box::pin(sleep(stall)));
                ready!(late.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(count)) => {
                if count > 0 {
                    self.doing.has_read.store(false, Ordering::Relaxed);
                }
                self.taken += count;
                if self.taken >= TAKEN {
                    self.is_there();
                }
                Poll::Ready(Ok(count))
            }
            failed => failed,
        }
    }

    fn is_there(&mut self) {
        (self.late, self.taken) = (None, 0);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.doing.has_read.store(true, Ordering::Relaxed);
        }
        // Whoever asks again has the answer before.
        if read.is_ready() {
            self.is_there();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.noted(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| 0);
        self.noted(context, flushed).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context).map_ok(|()| 0);
        self.noted(context, closed).map_ok(drop)
    }
}
