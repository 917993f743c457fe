//! Downloads the original bytes of assets.
//!
//! Files are public, so no token is ever sent. What is fetched is the address without its query,
//! with no transformation and no compression asked for: that is the file as it was uploaded. It
//! may be as large as a video, so what outgrows a small buffer goes to an anonymous temporary
//! file; whoever holds it needs memory for a buffer only.
//!
//! - Only hosts that [`AssetHosts`] knows are asked, also after a redirect.
//! - A failed download begins again from its first byte; nothing half-read is ever returned.
//! - Bytes of another length than the metadata says are returned and flagged
//!   ([`AssetBytes::size_mismatch`]): a backup that has them and says so is worth more than none.
//!
//! A temporary file has no name: a crash leaves nothing behind.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::asset_url::{self, AssetHost, AssetHosts};
use super::call::Payload;
use super::error::{ErrorKind, Patience, PrismicError, Result};
use super::http::{Api, Http, Outgoing, too_many, transport_error};
use crate::files::read_at;
use crate::progress::Waiting;

/// Redirects that a download follows. One is usual where a host has moved.
const REDIRECTS_MAX: u32 = 5;

/// Downloads assets; cheap to clone. Downloads at once are bounded for the whole process.
#[derive(Debug, Clone)]
pub struct Downloader {
    http: Http,
    hosts: Arc<AssetHosts>,
    spool: Arc<Path>,
}

/// The bytes of a downloaded file.
#[derive(Debug)]
pub struct AssetBytes {
    /// Number of bytes.
    pub len: u64,
    /// What the server says they are.
    pub content_type: Option<String>,
    /// Where they are.
    pub data: AssetData,
    expected: Option<u64>,
}

/// Where the bytes of a file are.
#[derive(Debug)]
pub enum AssetData {
    /// In memory: small ones.
    Memory(Bytes),
    /// In a temporary file that has no name and goes when this is dropped.
    File(File),
}

impl AssetBytes {
    /// Returns a reader from the first byte. Readers are independent of one another. Those of
    /// files block: use them off the async threads.
    pub fn reader(&self) -> AssetReader<'_> {
        AssetReader { data: &self.data, at: 0 }
    }

    /// The length that the metadata says, when it is another one. The bytes may have been
    /// transformed on their way, or the metadata be wrong.
    pub fn size_mismatch(&self) -> Option<u64> {
        self.expected.filter(|expected| *expected != self.len)
    }
}

/// Reads the bytes of a file; see [`AssetBytes::reader`].
#[derive(Debug)]
pub struct AssetReader<'a> {
    data: &'a AssetData,
    at: u64,
}

impl io::Read for AssetReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.data {
            AssetData::Memory(bytes) => {
                let start = usize::try_from(self.at).unwrap_or(usize::MAX).min(bytes.len());
                let count = buffer.len().min(bytes.len() - start);
                buffer[..count].copy_from_slice(&bytes[start..start + count]);
                count
            }
            AssetData::File(file) => read_at(file, buffer, self.at)?,
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Downloader {
    /// Returns a downloader that asks `hosts` and keeps large files in the directory `spool`,
    /// which must exist.
    pub fn new(http: Http, hosts: AssetHosts, spool: impl Into<PathBuf>) -> Self {
        Self { http, hosts: Arc::new(hosts), spool: spool.into().into() }
    }

    /// The hosts that it asks.
    pub fn hosts(&self) -> &AssetHosts {
        &self.hosts
    }

    /// Downloads the original behind `url`, whose query is left out. `expected_size` is what the
    /// metadata says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAllowedHost`] before anything is sent, [`ErrorKind::NotFound`],
    /// [`ErrorKind::Forbidden`], [`ErrorKind::TooLarge`], [`ErrorKind::Local`] when the temporary
    /// file cannot be written, and those of every request.
    pub async fn download(&self, url: &Url, expected_size: Option<u64>) -> Result<AssetBytes> {
        let shown = asset_url::shown(url);
        let url = asset_url::original(url.as_str()).map_err(|error| {
            PrismicError::new(ErrorKind::BadRequest, format!("the file at {shown}"), "cannot be fetched")
                .with_source(error)
        })?;
        let url = secured(url);
        let subject = format!("the file at {shown}");
        self.check_host(&url, &subject)?;
        self.check_size(expected_size.unwrap_or_default(), &subject)?;

        let _permit = self.http.downloads().acquire().await.expect("this semaphore is never closed");
        let pacer = self.http.pacer(Api::Files, &url, None);
        let mut failed = 0;
        // Kept until the next answer, as for the other APIs.
        let mut waiting: Option<Waiting> = None;
        loop {
            let outcome = self.attempt(&url, expected_size, &subject).await;
            drop(waiting.take());
            let (error, bytes) = match outcome {
                Ok(bytes) if bytes.size_mismatch().is_none() => return Ok(bytes),
                // Worth another attempt: a page of some proxy has another length too.
                Ok(bytes) => (mismatch(&bytes, &subject), Some(bytes)),
                Err(error) => (error, None),
            };
            failed += 1;
            match self.http.wait_before_retry(Api::Files, error, failed, &pacer).await {
                Ok(pause) => waiting = Some(pause),
                Err(error) => return bytes.ok_or(error),
            }
        }
    }

    async fn attempt(&self, url: &Url, expected: Option<u64>, subject: &str) -> Result<AssetBytes> {
        let response = self.open(url, false, subject).await?;
        let encoding =
            response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
        let mut response = match encoding.as_deref() {
            None | Some(b"identity" | b"") => response,
            // Some stores keep files compressed and send them so whatever one asks for. The
            // client that decodes gives the file itself.
            Some(b"gzip" | b"x-gzip") => self.open(url, true, subject).await?,
            Some(_) => {
                let why = "was sent in an encoding that was not asked for";
                return Err(PrismicError::new(ErrorKind::BadAnswer, subject, why));
            }
        };
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if expected.is_none() && is_web_page(content_type.as_deref()) && !names_web_page(url) {
            let why = "was answered with a web page";
            return Err(PrismicError::new(ErrorKind::BadAnswer, subject, why));
        }
        let announced = response.content_length();
        self.check_size(announced.unwrap_or_default(), subject)?;
        let (len, data) = self.body(&mut response, subject).await?;
        if announced.is_some_and(|announced| announced != len) {
            return Err(PrismicError::new(ErrorKind::Unreachable, subject, "was cut off"));
        }
        Ok(AssetBytes { len, content_type, data, expected })
    }

    /// Follows redirects to the beginning of an answer with status 200.
    async fn open(&self, url: &Url, decode: bool, subject: &str) -> Result<Response> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut headers = HeaderMap::new();
            if !decode {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            let pacer = self.http.pacer(Api::Files, &url, None);
            let outgoing = Outgoing {
                api: Api::Files,
                method: Method::GET,
                url: &url,
                headers,
                payload: &Payload::Nothing,
                decode,
                subject,
            };
            let (response, _pass) = self.http.send(outgoing, &pacer).await?;
            let status = response.status();
            if status == StatusCode::OK {
                return Ok(response);
            }
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let (true, Some(target)) = (status.is_redirection(), target) else {
                return Err(self.refused(&response, subject));
            };
            url = self.redirected(&url, target, subject)?;
        }
        Err(PrismicError::new(ErrorKind::BadAnswer, subject, "is redirected again and again"))
    }

    fn redirected(&self, from: &Url, target: &str, subject: &str) -> Result<Url> {
        let refused = |why| PrismicError::new(ErrorKind::NotAllowedHost, subject, why);
        let url = from.join(target).map_err(|_| refused("is redirected to something that is no address"))?;
        if from.scheme() == "https" && url.scheme() != "https" {
            return Err(refused("is redirected to an address without encryption"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("is redirected to an address with a user name or password"));
        }
        self.check_host(&url, subject)?;
        Ok(url)
    }

    fn refused(&self, response: &Response, subject: &str) -> PrismicError {
        let status = response.status();
        let retry_after = self.http.retry_after(response.headers());
        let (kind, why) = match status.as_u16() {
            404 | 410 => (ErrorKind::NotFound, "does not exist".to_owned()),
            401 | 403 => (ErrorKind::Forbidden, format!("is not public (status {})", status.as_u16())),
            429 => (ErrorKind::RateLimited, too_many(retry_after)),
            408 | 500.. => (ErrorKind::ServerError, format!("failed with status {}", status.as_u16())),
            other => (ErrorKind::BadAnswer, format!("was answered with status {other}")),
        };
        PrismicError::new(kind, subject, why).with_retry_after(retry_after).with_status(status.as_u16())
    }

    async fn body(&self, response: &mut Response, subject: &str) -> Result<(u64, AssetData)> {
        let in_memory = self.http.limits().asset_memory_bytes;
        let mut buffer = BytesMut::new();
        let mut file = None;
        let mut len = 0u64;
        loop {
            let chunk = self.http.noticing_silence(Api::Files, response.chunk()).await;
            let Some(chunk) = chunk.map_err(|error| transport_error(subject, error))? else { break };
            len += chunk.len() as u64;
            self.check_size(len, subject)?;
            if file.is_none() && buffer.len() + chunk.len() > in_memory {
                let created = tempfile::tempfile_in(&self.spool).map_err(|error| self.spool_error(error))?;
                let mut created = tokio::fs::File::from_std(created);
                created.write_all(&buffer).await.map_err(|error| self.spool_error(error))?;
                buffer = BytesMut::new();
                file = Some(created);
            }
            match &mut file {
                Some(file) => file.write_all(&chunk).await.map_err(|error| self.spool_error(error))?,
                None => buffer.extend_from_slice(&chunk),
            }
        }
        let data = match file {
            Some(mut file) => {
                // Errors of the last write are told here only.
                file.flush().await.map_err(|error| self.spool_error(error))?;
                AssetData::File(file.into_std().await)
            }
            None => AssetData::Memory(buffer.freeze()),
        };
        Ok((len, data))
    }

    fn check_host(&self, url: &Url, subject: &str) -> Result<()> {
        if self.hosts.classify(url) != AssetHost::External {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        let why = format!("is on {host}, a host that files are not fetched from");
        Err(PrismicError::new(ErrorKind::NotAllowedHost, subject, why))
    }

    fn check_size(&self, bytes: u64, subject: &str) -> Result<()> {
        let max = self.http.limits().asset_bytes_max;
        if bytes <= max {
            return Ok(());
        }
        let why = format!("has more than the {max} bytes that are fetched");
        Err(PrismicError::new(ErrorKind::TooLarge, subject, why))
    }

    fn spool_error(&self, error: io::Error) -> PrismicError {
        let subject = format!("a temporary file in {}", self.spool.display());
        PrismicError::new(ErrorKind::Local, subject, "cannot be written").with_source(error)
    }
}

fn mismatch(bytes: &AssetBytes, subject: &str) -> PrismicError {
    let why = format!("has {} bytes and not {}", bytes.len, bytes.expected.unwrap_or_default());
    PrismicError::new(ErrorKind::BadAnswer, subject, why).with_patience(Patience::Brief)
}

/// Old documents hold `http` addresses of hosts that have long spoken `https`. Read over the
/// latter, nobody on the way can change a backup.
pub(super) fn secured(mut url: Url) -> Url {
    if url.scheme() == "http" && asset_url::is_prismic(&url) {
        // Cannot fail between these two schemes; if it did, the address would stay usable.
        let _unchanged = url.set_scheme("https");
    }
    url
}

fn is_web_page(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|text| text.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

fn names_web_page(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    [".html", ".htm", ".xhtml"].iter().any(|extension| path.ends_with(extension))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn only_prismics_own_hosts_are_asked_over_https_instead_of_http() {
        for (sent, expected) in [
            ("http://images.prismic.io/a/b.png", "https://images.prismic.io/a/b.png"),
            ("http://127.0.0.1:8080/a/b.png", "http://127.0.0.1:8080/a/b.png"),
            ("http://assets.acme.example/b.png", "http://assets.acme.example/b.png"),
        ] {
            assert_eq!(secured(asset_url::original(sent).expect("usable")).as_str(), expected);
        }
    }

    #[test]
    fn readers_of_memory_and_of_files_give_the_same_and_do_not_disturb_one_another() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&bytes).expect("room for it");
        for data in [AssetData::Memory(bytes.clone().into()), AssetData::File(file)] {
            let asset = AssetBytes { len: 10_000, content_type: None, data, expected: Some(1) };
            let (mut first, mut second) = (asset.reader(), asset.reader());
            let mut head = [0; 100];
            first.read_exact(&mut head).expect("there are as many");
            for reader in [&mut first, &mut second] {
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest).expect("readable");
                assert!(bytes.ends_with(&rest) && rest.len() >= 9_900);
            }
            assert_eq!(asset.size_mismatch(), Some(1));
        }
    }
}
