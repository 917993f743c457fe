//! Asks whether a public file is still there, as anybody could.
//!
//! No token is ever sent, no body is read, and only hosts that [`AssetHosts`] knows are asked, also after a
//! redirect. That nothing is there is believed only when it is said to `GET` as well as to `HEAD`: some servers
//! answer one of them otherwise.

use reqwest::header::{CACHE_CONTROL, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode};
use url::Url;

use super::asset_url::{self, AssetHost, AssetHosts};
use super::call::Payload;
use super::download::secured;
use super::error::{ErrorKind, PrismicError, Result};
use super::http::{Api, Http, Outgoing};

/// Redirects that are followed.
const REDIRECTS_MAX: u32 = 5;

/// Asks for public files; cheap to clone.
#[derive(Debug, Clone)]
pub struct FileProbe {
    http: Http,
    hosts: AssetHosts,
}

impl FileProbe {
    /// Returns a probe that asks `hosts`.
    pub fn new(http: Http, hosts: AssetHosts) -> Self {
        Self { http, hosts }
    }

    /// Returns the status with which an address answers, its query included. A redirect that is not followed
    /// answers with its own status.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadRequest`] and [`ErrorKind::NotAllowedHost`] before anything is sent, and where nobody
    /// answers in time.
    pub async fn status(&self, address: &str) -> Result<u16> {
        let url = asset_url::original(address).map_err(|error| {
            PrismicError::new(ErrorKind::BadRequest, "the address of a file", "cannot be asked")
                .with_source(error)
        })?;
        let mut url = secured(url);
        let query = address.split('#').next().and_then(|rest| rest.split_once('?')).map(|(_, query)| query);
        url.set_query(query);
        let head = self.ask(Method::HEAD, &url).await?;
        if head.is_success() {
            return Ok(head.as_u16());
        }
        Ok(self.ask(Method::GET, &url).await?.as_u16())
    }

    async fn ask(&self, method: Method, url: &Url) -> Result<StatusCode> {
        let (mut url, subject) = (url.clone(), format!("the file at {}", asset_url::shown(url)));
        let mut status = None;
        for _ in 0..=REDIRECTS_MAX {
            if self.hosts.classify(&url) == AssetHost::External {
                let why = "is on a host that files are not fetched from";
                return status.ok_or_else(|| PrismicError::new(ErrorKind::NotAllowedHost, &*subject, why));
            }
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            if method == Method::GET {
                headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
            }
            let pacer = self.http.pacer(Api::Files, &url, None);
            let outgoing = Outgoing {
                api: Api::Files,
                method: method.clone(),
                url: &url,
                headers,
                payload: &Payload::Nothing,
                decode: false,
                subject: &subject,
            };
            let limit = self.http.limits().answer_timeout;
            let sending = tokio::time::timeout(limit, self.http.send(outgoing, &pacer)).await;
            let (response, _pass) = sending.unwrap_or_else(|_| {
                Err(PrismicError::new(ErrorKind::Unreachable, &*subject, "did not answer in time"))
            })?;
            let now = response.status();
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = target.filter(|_| now.is_redirection()).and_then(|target| url.join(target).ok());
            let is_usable = |next: &Url| {
                (next.scheme() == "https" || url.scheme() != "https")
                    && next.username().is_empty()
                    && next.password().is_none()
            };
            match next.filter(is_usable) {
                Some(next) => (url, status) = (next, Some(now)),
                None => return Ok(now),
            }
        }
        Ok(status.unwrap_or(StatusCode::LOOP_DETECTED))
    }
}
