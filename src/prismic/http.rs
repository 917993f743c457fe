//! The one HTTP client of a process: pacing, retries, size bounds, and where tokens may go.
//!
//! Every request to Prismic goes through [`Http`], so that one place keeps the promises: rates
//! are per API host and process (of the Migration API, per repository), a `Retry-After` stops
//! everybody, a failed request is tried again a bounded number of times, no answer outgrows memory,
//! and a token is attached only to a request whose address was built from the endpoint that the
//! token belongs to.
//!
//! Invariants:
//! - A write of which doing it twice makes two is sent again only where it surely had no effect: no
//!   connection came about, the body was not sent to its end, or the API refused it (4xx, which
//!   includes 429). After anything else (no answer, a cut one, one that cannot be read, 5xx) it *may
//!   have happened*, and the caller hears so: [`PrismicError::may_have_happened`].
//! - API calls follow no redirect: it would carry the token elsewhere.
//! - What is on this machine (loopback) is reached without a proxy, and plain `http` to it needs
//!   no certificates of the system.
//! - Errors hold no query: tokens and search terms are in it.
//!
//! Dropping any future here leaves nothing behind but a used slot of a pacer, and a write that may
//! have happened.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind as IoErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta};
use reqwest::header::{
    ACCEPT, AGE, AUTHORIZATION, CONNECTION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use reqwest::{Body, Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Version, redirect};
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::answer::Answer;
use super::call::{Call, Credentials, Payload, Repeat};
use super::error::{ErrorKind, Patience, PrismicError, Result};
use super::form::{Form, Sending};
use super::pacer::{Lane, Pacer, Pass, interval_of};
use crate::clock::Clock;
use crate::limits::Limits;
use crate::progress::{Progress, Silent, Wait, Waiting, notice_after, notice_silence};
use crate::retry::{Backoff, parse_retry_after};

/// Attempts at an answer that will hardly change; see [`Patience::Brief`].
const BRIEF_ATTEMPTS: u32 = 3;

/// Bodies above this size are parsed off the async threads.
const INLINE_PARSE_BYTES_MAX: usize = 64 << 10;

/// One of the services behind a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// Documents.
    Content,
    /// The media library.
    Assets,
    /// Custom types and slices.
    Types,
    /// Documents that are written.
    Migration,
    /// The files of the media library, which a content delivery network serves without limits.
    Files,
}

impl Api {
    /// The words that errors and reports use.
    pub fn label(self) -> &'static str {
        match self {
            Self::Content => "Content API",
            Self::Assets => "Asset API",
            Self::Types => "Types API",
            Self::Migration => "Migration API",
            Self::Files => "file",
        }
    }

    /// Who answers, for people who wait.
    fn server(self) -> &'static str {
        match self {
            Self::Files => "file server",
            api => api.label(),
        }
    }

    /// Requests a second. On Prismic's own hosts never more than Prismic allows, whatever is
    /// configured: 200 uncached requests a second to the Content API, one to the Asset API and to the
    /// Migration API.
    fn rate(self, limits: &Limits, host: &str) -> Option<f64> {
        let at_prismic = host == "prismic.io" || host.ends_with(".prismic.io");
        let cap = |rate: f64, most: f64| Some(if at_prismic { rate.min(most) } else { rate });
        match self {
            Self::Content => cap(limits.content_requests, 195.0),
            Self::Assets => cap(limits.asset_requests, 1.0),
            Self::Types => Some(limits.types_requests),
            Self::Migration => cap(limits.migration_requests, 1.0),
            Self::Files => None,
        }
    }
}

/// The HTTP client; one per process, cheap to clone.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
    progress: Arc<dyn Progress>,
}

/// By API and whatever its limit counts for: a host, or a repository on one.
type Pacers = BTreeMap<(Api, String), Arc<Pacer>>;

struct Inner {
    limits: Limits,
    clock: Arc<dyn Clock>,
    pacers: Arc<Mutex<Pacers>>,
    counts: [AtomicU64; 5],
    downloads: Arc<Semaphore>,
    /// By [`Route`]; made at first use, because reading the system's certificates takes time and
    /// fails where there are none.
    clients: [OnceLock<Client>; 6],
    /// By how much the clocks of hosts were last seen to be ahead of ours.
    clock_offsets: Mutex<BTreeMap<String, TimeDelta>>,
}

/// What kind of client a request needs.
#[derive(Debug, Clone, Copy)]
struct Route {
    loopback: bool,
    way: Way,
}

/// How a client reads, and how patient it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Bodies as they are sent.
    Raw,
    /// Bodies decompressed.
    Decoded,
    /// The same for uploads: how long they take says nothing, so silence is measured by whoever
    /// sends.
    Upload,
}

/// A request as it is sent.
pub(super) struct Outgoing<'a> {
    pub(super) api: Api,
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: &'a Payload,
    pub(super) decode: bool,
    /// For errors.
    pub(super) subject: &'a str,
}

impl Http {
    /// Returns the client of a process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`] when this machine refuses the set-up. Certificates are first needed by
    /// requests, which report their absence.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        let inner = Inner {
            downloads: Arc::new(Semaphore::new(limits.asset_downloads.clamp(1, Semaphore::MAX_PERMITS))),
            limits,
            clock,
            pacers: Arc::default(),
            counts: Default::default(),
            clients: Default::default(),
            clock_offsets: Mutex::default(),
        };
        let http = Self { inner: Arc::new(inner), progress: Arc::new(Silent) };
        http.client(Route { loopback: true, way: Way::Decoded }, "the HTTP client")?;
        Ok(http)
    }

    /// Returns a client for other work of the same process: it keeps the same rates together with
    /// this one, and counts its requests for itself.
    #[must_use]
    pub fn beside(&self) -> Self {
        let inner = Inner {
            limits: self.inner.limits.clone(),
            clock: Arc::clone(&self.inner.clock),
            pacers: Arc::clone(&self.inner.pacers),
            counts: Default::default(),
            downloads: Arc::clone(&self.inner.downloads),
            clients: self.inner.clients.clone(),
            clock_offsets: Mutex::default(),
        };
        Self { inner: Arc::new(inner), progress: Arc::clone(&self.progress) }
    }

    /// Returns the same client, which tells `progress` what it waits for.
    #[must_use]
    pub fn telling(self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self }
    }

    /// The bounds that it keeps.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// How long each pacer held the process up, with its name; longest first.
    pub fn pacer_waits(&self) -> Vec<(String, Duration)> {
        let mut waits: Vec<_> =
            self.pacers().values().map(|pacer| (pacer.name().to_owned(), pacer.waited())).collect();
        waits.sort_by_key(|(_, waited)| std::cmp::Reverse(*waited));
        waits
    }

    /// Time between two requests to an API on the host of `url`, where many are made: what its rate says.
    pub fn interval(&self, api: Api, url: &Url) -> Duration {
        let rate = api.rate(self.limits(), url.host_str().unwrap_or_default());
        rate.map_or(Duration::ZERO, interval_of)
    }

    /// By how much the clock of each API's host was ahead of ours in its last answer that told the
    /// time.
    pub fn clock_offsets(&self) -> BTreeMap<String, TimeDelta> {
        self.inner.clock_offsets.lock().expect("no holder of this lock can panic").clone()
    }

    /// Notes what `Date` says; an answer out of a cache is as much older as `Age` says.
    fn note_clock(&self, url: &Url, headers: &HeaderMap) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE).and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let (Some(date), Some(host)) = (date, url.host_str()) else { return };
        let age = text(AGE).and_then(|age| age.parse::<u32>().ok()).unwrap_or_default();
        let offset = date.to_utc() + TimeDelta::seconds(age.into()) - self.inner.clock.now();
        let mut offsets = self.inner.clock_offsets.lock().expect("no holder of this lock can panic");
        offsets.insert(host.to_owned(), offset);
    }

    /// How many requests went to each API, retries included.
    pub fn request_counts(&self) -> BTreeMap<Api, u64> {
        [Api::Content, Api::Assets, Api::Types, Api::Migration, Api::Files]
            .into_iter()
            .map(|api| (api, self.inner.counts[api as usize].load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Sends a request until `parse` is content with the answer or patience ends.
    ///
    /// `parse` sees every status but 408, 429 and 5xx; its errors are retried by their patience,
    /// unless the call may have happened and must not twice.
    pub(super) async fn call<T, P>(&self, call: &Call<'_>, parse: P) -> Result<T>
    where
        T: Send + 'static,
        P: Fn(Answer) -> Result<T> + Clone + Send + 'static,
    {
        let pacer = self.pacer(call.api, &call.url, call.limited_by());
        let mut failed = 0;
        // Kept until the next answer: after a 429 the pause is waited for at the pacer.
        let mut waiting: Option<Waiting> = None;
        loop {
            let outcome = match self.answer(call, &pacer).await {
                Ok(answer) if answer.body.len() > INLINE_PARSE_BYTES_MAX => {
                    let parse = parse.clone();
                    match tokio::task::spawn_blocking(move || parse(answer)).await {
                        Ok(outcome) => outcome,
                        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                        Err(_) => return Err(stopping(call)),
                    }
                }
                Ok(answer) => parse(answer),
                Err(error) => Err(error),
            };
            drop(waiting.take());
            match outcome {
                Ok(value) => return Ok(value),
                Err(error) if call.repeat == Repeat::UnlessItHappened && error.may_have_happened() => {
                    return Err(error);
                }
                Err(error) => {
                    failed += 1;
                    waiting = Some(self.wait_before_retry(call.api, error, failed, &pacer).await?);
                }
            }
        }
    }

    /// Waits as long as `error` asks for, or returns it when it is not worth another attempt. What
    /// it returns tells people of the wait, which may go on at the pacer; to be kept until then.
    pub(super) async fn wait_before_retry(
        &self,
        api: Api,
        error: PrismicError,
        failed: u32,
        pacer: &Pacer,
    ) -> Result<Waiting> {
        let limits = self.limits();
        let attempts = match error.patience() {
            Patience::None => 1,
            Patience::Brief => limits.request_attempts.min(BRIEF_ATTEMPTS),
            Patience::Full => limits.request_attempts,
        };
        let backoff = Backoff { min: limits.backoff_min, max: limits.backoff_max, attempts };
        let asked = error.retry_after().unwrap_or_default();
        if asked > limits.retry_after_max {
            return Err(error);
        }
        let Some(pause) = backoff.pause(failed) else {
            // This request gives up; what the server asked for holds for all others.
            pacer.pause(asked);
            return Err(error);
        };
        let pause = pause.max(asked);
        tracing::info!(attempt = failed, of = attempts, ?pause, "{}; trying again", error.in_own_words());
        let why = format!("{} {}", api.server(), error.in_brief());
        let wait = Wait::Retry { why, pause, attempt: failed + 1, attempts };
        let waiting = Waiting::begin(&self.progress, wait);
        if error.retry_after().is_some() || *error.kind() == ErrorKind::RateLimited {
            // The next attempt, and everybody else's, waits at the pacer.
            pacer.pause(pause);
        } else {
            tokio::time::sleep(pause).await;
        }
        Ok(waiting)
    }

    /// The pacer of an API on the host of `url`, and for one repository where that is what the limit
    /// counts for.
    pub(super) fn pacer(&self, api: Api, url: &Url, repository: Option<&str>) -> Arc<Pacer> {
        let host = url.host_str().unwrap_or_default();
        let mut place = match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        if let Some(repository) = repository {
            place.push_str(&format!(" for {repository}"));
        }
        let mut pacers = self.pacers();
        let pacer = pacers.entry((api, place)).or_insert_with_key(|(api, place)| {
            Arc::new(Pacer::new(format!("{} at {place}", api.label()), api.rate(self.limits(), host)))
        });
        Arc::clone(pacer)
    }

    /// The permits for downloads at once, for the whole process.
    pub(super) fn downloads(&self) -> &Semaphore {
        &self.inner.downloads
    }

    /// Sends one request and waits for the beginning of the answer. The pass is for whoever reads that.
    pub(super) async fn send<'p>(
        &self,
        outgoing: Outgoing<'_>,
        pacer: &'p Pacer,
    ) -> Result<(Response, Pass<'p>)> {
        let Outgoing { api, url, subject, .. } = outgoing;
        let (way, lane) = match outgoing.payload {
            Payload::Form(_) => (Way::Upload, Lane::Long),
            _ if outgoing.decode => (Way::Decoded, Lane::Short),
            _ => (Way::Raw, Lane::Short),
        };
        let client = self.client(Route { loopback: is_plain_loopback(url), way }, subject)?;
        let request = client.request(outgoing.method, url.clone()).headers(outgoing.headers);
        let mut pass = pacer.pass(lane).await;
        self.inner.counts[api as usize].fetch_add(1, Ordering::Relaxed);
        let outcome = match outgoing.payload {
            Payload::Form(form) => self.upload(api, request, form, &pass, subject).await,
            payload => {
                let request = match payload {
                    Payload::Json(json) => {
                        request.header(CONTENT_TYPE, "application/json").body(json.clone())
                    }
                    _ => request,
                };
                let request = match api {
                    Api::Files => request,
                    _ => request.timeout(self.limits().answer_timeout),
                };
                let outcome = self.noticing_silence(api, request.send()).await;
                outcome.map_err(|error| transport_error(subject, error))
            }
        };
        let response = outcome?;
        pass.answered(response.status() == StatusCode::TOO_MANY_REQUESTS, stays_open(&response));
        Ok((response, pass))
    }

    /// Sends a form, however long that takes, as long as it moves.
    async fn upload(
        &self,
        api: Api,
        request: RequestBuilder,
        form: &Form,
        pass: &Pass<'_>,
        subject: &str,
    ) -> Result<Response> {
        let limits = self.limits();
        pass.is_being_sent();
        let (body, sending) = form.body();
        let request = request.header(CONTENT_TYPE, form.content_type()).body(Body::wrap(body));
        let answer = async {
            let mut answer = std::pin::pin!(request.send());
            tokio::select! {
                outcome = &mut answer => return outcome.map_err(|error| upload_error(subject, error, &sending)),
                () = sending.handed_over() => pass.sent(),
                () = sending.silent_for(limits.upload_silence) => return Err(unmoved(subject, &sending)),
            }
            tokio::select! {
                outcome = answer => outcome.map_err(|error| upload_error(subject, error, &sending)),
                () = sending.silent_for(limits.upload_silence) => Err(unmoved(subject, &sending)),
            }
        };
        let taken = limits.silence_noticed;
        let wait = || Wait::Upload { to: api.server().to_owned(), bytes: form.len(), taken };
        notice_after(&self.progress, taken, wait, answer).await
    }

    /// Awaits something of a server, and tells people when it is late.
    pub(super) async fn noticing_silence<T>(&self, api: Api, answer: impl Future<Output = T>) -> T {
        let limits = self.limits();
        notice_silence(&self.progress, api.server(), limits.silence_noticed, limits.read_timeout, answer)
            .await
    }

    /// Reads `Retry-After`; nonsense is as good as nothing.
    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
        parse_retry_after(text, self.inner.clock.now())
    }

    async fn answer(&self, call: &Call<'_>, pacer: &Pacer) -> Result<Answer> {
        let subject = call.subject();
        let mut url = call.url.clone();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let secret = match call.credentials {
            Credentials::None => None,
            Credentials::Access(token) => {
                url.query_pairs_mut().append_pair("access_token", token.expose());
                Some(token)
            }
            Credentials::Write { token, repository } => {
                headers.insert(AUTHORIZATION, header(&format!("Bearer {}", token.expose()), &subject)?);
                headers.insert("repository", header(repository, &subject)?);
                Some(token)
            }
        };
        let outgoing = Outgoing {
            api: call.api,
            method: call.method.clone(),
            url: &url,
            headers,
            payload: &call.payload,
            decode: true,
            subject: &subject,
        };
        let (mut response, pass) = self.send(outgoing, pacer).await?;
        let status = response.status();
        self.note_clock(&call.url, response.headers());
        let retry_after = self.retry_after(response.headers());
        let body = self.body(call.api, &mut response, &subject);
        let body = match call.payload {
            // Nobody else looks at the time here; the answer to an upload is short.
            Payload::Form(_) => {
                tokio::time::timeout(self.limits().read_timeout, body).await.unwrap_or_else(|_| {
                    Err(PrismicError::new(ErrorKind::Unreachable, &subject, "did not answer in time"))
                })
            }
            _ => body.await,
        }?;
        pass.finished();
        let answer = Answer { subject, status, body, secret: secret.cloned(), retry_after };
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(answer.error(ErrorKind::RateLimited, too_many(answer.retry_after)));
        }
        if status == StatusCode::REQUEST_TIMEOUT || status.is_server_error() {
            let why = format!("failed with status {}{}", status.as_u16(), answer.said());
            return Err(answer.error(ErrorKind::ServerError, why));
        }
        Ok(answer)
    }

    async fn body(&self, api: Api, response: &mut Response, subject: &str) -> Result<Bytes> {
        let max = self.limits().answer_bytes_max;
        let mut body = BytesMut::new();
        loop {
            let chunk = self.noticing_silence(api, response.chunk()).await;
            let Some(chunk) = chunk.map_err(|error| transport_error(subject, error))? else { break };
            if (body.len() + chunk.len()) as u64 > max {
                let why = format!("answered with more than the {max} bytes that are read");
                return Err(PrismicError::new(ErrorKind::TooLarge, subject, why));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn client(&self, route: Route, subject: &str) -> Result<&Client> {
        let slot = &self.inner.clients[usize::from(route.loopback) * 3 + route.way as usize];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = match route.way {
            Way::Upload => builder(self.limits(), route.loopback, true).build(),
            way => new_client(self.limits(), route.loopback, way == Way::Decoded),
        };
        let client = client.map_err(|error| {
            let why = "cannot be reached: this machine has no usable TLS set-up (CA certificates?)";
            PrismicError::new(ErrorKind::Local, subject, why).with_source(error.without_url()).never_sent()
        })?;
        // Two threads may build at once; the first one's stays.
        Ok(slot.get_or_init(|| client))
    }

    fn pacers(&self) -> std::sync::MutexGuard<'_, Pacers> {
        self.inner.pacers.lock().expect("no holder of this lock can panic")
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("requests", &self.request_counts()).finish_non_exhaustive()
    }
}

/// Makes a client as everything here uses it: no redirects, no referrer, and without proxy and the
/// system's certificates for plain HTTP on this machine.
pub(crate) fn new_client(limits: &Limits, loopback: bool, decode: bool) -> reqwest::Result<Client> {
    builder(limits, loopback, decode).read_timeout(limits.read_timeout).build()
}

fn builder(limits: &Limits, loopback: bool, decode: bool) -> ClientBuilder {
    // An error means that the process has a provider already, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("prismvault/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .gzip(decode)
        .connect_timeout(limits.connect_timeout);
    if loopback {
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder
}

/// Whether the connection can be used for another request.
fn stays_open(response: &Response) -> bool {
    let closes = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or("close");
        text.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
    };
    response.version() >= Version::HTTP_11 && !response.headers().get_all(CONNECTION).iter().any(closes)
}

/// Says that the runtime ended while an answer was being read.
fn stopping(call: &Call<'_>) -> PrismicError {
    PrismicError::new(ErrorKind::Local, call.subject(), "was not read to the end: the program is stopping")
}

/// Says that there were too many requests, and for how long.
pub(super) fn too_many(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!("has had too many requests and asks to wait {} s", wait.as_secs()),
        None => "has had too many requests".to_owned(),
    }
}

/// Says what happened to a connection, without the query of the address.
pub(super) fn transport_error(subject: &str, error: reqwest::Error) -> PrismicError {
    // Name not found, refused, no TLS: whatever was to be sent is still here.
    let unsent = error.is_connect() || error.is_builder();
    let (kind, why) = if error.is_timeout() {
        (ErrorKind::Unreachable, "did not answer in time")
    } else if error.is_connect() {
        (ErrorKind::Unreachable, "cannot be reached")
    } else if error.is_builder() {
        (ErrorKind::BadRequest, "cannot be asked: the request is not valid")
    } else if is_undecodable(&error) {
        (ErrorKind::BadAnswer, "sent a body that cannot be decoded")
    } else {
        (ErrorKind::Unreachable, "cut the connection")
    };
    let error = PrismicError::new(kind, subject, why).with_source(error.without_url());
    let error = if unsent { error.never_sent() } else { error };
    if *error.kind() == ErrorKind::BadAnswer { error.with_patience(Patience::Full) } else { error }
}

/// Says what happened to an upload.
fn upload_error(subject: &str, error: reqwest::Error, sending: &Sending) -> PrismicError {
    let error = if sending.is_unreadable() {
        let why = "was not sent the file: it cannot be read here to its end";
        PrismicError::new(ErrorKind::Local, subject, why).with_source(error.without_url())
    } else {
        transport_error(subject, error)
    };
    if sending.is_handed_over() { error } else { error.never_sent() }
}

/// Says that an upload does not move any more.
fn unmoved(subject: &str, sending: &Sending) -> PrismicError {
    if sending.is_handed_over() {
        return PrismicError::new(ErrorKind::Unreachable, subject, "did not answer in time");
    }
    PrismicError::new(ErrorKind::Unreachable, subject, "takes nothing more of the file").never_sent()
}

/// Whether the decompressor is to blame: `reqwest` calls a cut connection a decoding error too.
fn is_undecodable(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return matches!(error.kind(), IoErrorKind::InvalidData | IoErrorKind::InvalidInput);
        }
        source = error.source();
    }
    false
}

fn header(text: &str, subject: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        let why = "cannot be asked: the token or repository name holds characters that no header may hold";
        PrismicError::new(ErrorKind::Unauthorized, subject, why).never_sent()
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether an address is plain HTTP on this machine.
pub(crate) fn is_plain_loopback(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    loopback && url.scheme() == "http"
}
