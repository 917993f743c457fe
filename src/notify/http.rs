//! Webhooks and pings: one small request, and only the status of the answer is read.
//!
//! Redirects are not followed: the address is a secret, and what is sent was meant for it alone.

use std::sync::Arc;
use std::sync::OnceLock;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use super::error::{SendError, SendErrorKind, is_of_tls};
use crate::clock::Clock;
use crate::limits::Limits;
use crate::prismic::{is_plain_loopback, new_client};
use crate::retry::parse_retry_after;
use crate::secret::Secret;

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    /// A run begins.
    Start,
    /// It was done, and complete.
    Success,
    /// It was not.
    Failure,
    /// Nothing happened: somebody tries whether pings arrive.
    Log,
}

/// The HTTP side of the notifications of a process.
pub(super) struct Http {
    limits: Limits,
    clock: Arc<dyn Clock>,
    /// For the world, and for this machine; made at first use.
    clients: [OnceLock<Client>; 2],
}

impl Http {
    pub(super) fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock, clients: Default::default() }
    }

    /// Sends JSON to a webhook, once.
    pub(super) async fn post(&self, address: &Secret, body: &Value) -> Result<(), SendError> {
        let url = parse(address)?;
        let request = self.client(&url)?.post(url).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string())).await
    }

    /// Calls a ping address, once.
    pub(super) async fn ping(&self, address: &Secret, ping: Ping) -> Result<(), SendError> {
        let mut url = parse(address)?;
        let suffix = match ping {
            Ping::Success => None,
            Ping::Start => Some("start"),
            Ping::Failure => Some("fail"),
            Ping::Log => Some("log"),
        };
        if let (Some(suffix), Ok(mut path)) = (suffix, url.path_segments_mut()) {
            path.pop_if_empty().push(suffix);
        }
        self.send(self.client(&url)?.get(url)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<(), SendError> {
        let response = request.timeout(self.limits.notice_timeout).send().await.map_err(|error| {
            if error.is_timeout() {
                SendError::new(SendErrorKind::TimedOut, "the receiver did not answer in time")
            } else if is_of_tls(&error) {
                SendError::new(SendErrorKind::Tls, "no safe connection to the receiver: TLS failed")
                    .hint("is its certificate for this host, and from a CA that this machine believes?")
            } else if error.is_connect() {
                SendError::new(SendErrorKind::Unreachable, "the receiver cannot be reached")
                    .hint("check the host in its address, and that this machine may connect to it")
            } else if error.is_builder() {
                SendError::new(SendErrorKind::Secret, "its address cannot be called")
            } else {
                SendError::new(SendErrorKind::Unreachable, "the receiver cut the connection")
            }
        })?;
        // The body is not read: whatever it says, the status has decided.
        let status = response.status();
        let number = status.as_u16();
        match status {
            _ if status.is_success() => Ok(()),
            _ if status.is_redirection() => Err(SendError::new(
                SendErrorKind::Redirected,
                format!("the receiver answered with status {number}, a redirect, which is not followed"),
            )
            .hint("write the address that it leads to")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                let text = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let mut error = SendError::new(
                    SendErrorKind::Busy,
                    format!("the receiver has had too much (status {number})"),
                );
                error.retry_after = text.and_then(|text| parse_retry_after(text, self.clock.now()));
                Err(error)
            }
            _ if status.is_server_error() => {
                Err(SendError::new(SendErrorKind::Busy, format!("the receiver failed with status {number}")))
            }
            _ => Err(SendError::new(
                SendErrorKind::Refused,
                format!("the receiver refused it with status {number}"),
            )
            .hint("check its address: a webhook that was deleted, or another kind of receiver")),
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, SendError> {
        let loopback = is_plain_loopback(url);
        let slot = &self.clients[usize::from(loopback)];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = new_client(&self.limits, loopback, false).map_err(|_| {
            let why = "this machine has no usable TLS set-up (CA certificates?)";
            SendError::new(SendErrorKind::Local, why)
        })?;
        // Two threads may build at once; the first one's stays.
        Ok(slot.get_or_init(|| client))
    }
}

/// Reads an address, which no error shows.
fn parse(address: &Secret) -> Result<Url, SendError> {
    let url = Url::parse(address.expose().trim()).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        SendError::new(SendErrorKind::Secret, "its address is none: it must begin with https://")
            .hint("look at the secret that its \"url\" names")
    })
}
