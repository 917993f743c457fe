//! A bucket of S3 or of a store that speaks its protocol; the only module that knows the AWS SDK.
//!
//! One request an operation (`list`: one a page and perhaps one more), one put an object: S3 takes 5 GiB in one, and only then is the stored checksum the SHA-256 of the whole.
//!
//! Invariants:
//! - Every put carries the SHA-256 of the body, which the store checks before the object appears.
//!   A body from a file is checked here too before the first byte is sent: not every store checks.
//! - The SDK retries nothing; [`super::retry`] does, because only it can tell whether a write
//!   whose answer was lost has happened.
//! - Every request has a deadline from [`Limits`], and a transfer that stalls is given up.
//! - Errors name bucket, key and the service's code. They carry no response bodies and no
//!   headers: those repeat access keys and signatures.
//!
//! After a crash an unfinished put has left nothing: that is the store's promise, and S3 keeps it.
//!
//! What it does not do: multipart uploads, versions, Object Lock.

mod connect;
mod errors;
mod requests;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use bytes::Bytes;
use url::Url;

use self::errors::Call;
use self::requests::DateHeader;
use super::{
    Abilities, Body, BodySource, ErrorKind, ObjectMeta, ObjectStore, PutMode, Result, StoreError, check_key,
    check_prefix, check_range,
};
use crate::clock::Timestamp;
use crate::limits::Limits;
use crate::secret::Secret;

/// Which bucket, and how to reach it.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Name of the bucket.
    pub bucket: String,
    /// What all keys begin with, without the slash after it; `""` for none.
    pub prefix: String,
    /// Region; without it that of the AWS configuration, and with an endpoint at last
    /// `us-east-1`, which other stores accept.
    pub region: Option<String>,
    /// Address of a store that is not Amazon's.
    pub endpoint: Option<Url>,
    /// Whether the bucket is in the path (`http://host/bucket/key`) and not in the host name.
    pub force_path_style: bool,
    /// Profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Credentials to use instead of those of the usual AWS sources.
    pub credentials: Option<S3Credentials>,
    /// Whether the store honours `If-None-Match: *`. Some accept the header and overwrite.
    pub create_only: bool,
}

impl S3Options {
    /// Returns options for a bucket of Amazon's with everything else from the usual AWS sources.
    pub fn new(bucket: &str, prefix: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            region: None,
            endpoint: None,
            force_path_style: false,
            profile: None,
            credentials: None,
            create_only: true,
        }
    }
}

/// A pair of S3 keys.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// The half that is sent.
    pub access_key_id: Secret,
    /// The half that signs.
    pub secret_access_key: Secret,
}

/// A bucket, or the part of it below a prefix. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    place: String,
    create_only: bool,
    timeout: Duration,
    bytes_per_second_min: u64,
}

impl S3Store {
    /// Reads the AWS configuration, gets credentials and returns the store. Sends nothing to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permanent`] for options that cannot be right, [`ErrorKind::Denied`] when no
    /// credentials are found.
    pub async fn connect(options: S3Options, limits: &Limits) -> Result<Self> {
        let place = connect::place_of(&options);
        connect::check_options(&options, &place)?;
        Ok(Self {
            client: connect::client(&options, &place, limits).await?,
            bucket: options.bucket,
            prefix: if options.prefix.is_empty() { String::new() } else { format!("{}/", options.prefix) },
            place,
            create_only: options.create_only,
            timeout: limits.store_timeout,
            bytes_per_second_min: limits.store_bytes_per_second_min.max(1),
        })
    }

    fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        key: &str,
        why: impl Into<String>,
    ) -> StoreError {
        StoreError::new(kind, operation, key, self, why)
    }

    /// Returns the key in the bucket.
    fn full_key(&self, operation: &'static str, key: &str) -> Result<String> {
        check_key(operation, key, self)?;
        let full = format!("{}{key}", self.prefix);
        check_key(operation, &full, self)?;
        Ok(full)
    }

    /// Ends `work` at the deadline of a request with a body of `bytes`.
    async fn within<T>(
        &self,
        call: Call<'_>,
        bytes: u64,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let limit = self.timeout + Duration::from_secs(bytes / self.bytes_per_second_min);
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                let why = format!("the store has not answered within {} s", limit.as_secs());
                Err(self.error(call.interrupted(), call.operation, call.key, why))
            }
        }
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.place)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn abilities(&self) -> Abilities {
        Abilities { create_only: self.create_only, stored_checksums: true }
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let call = Call { operation: "write", key, writes: true };
        let full_key = self.full_key(call.operation, key)?;
        if mode == PutMode::CreateOnly && !self.create_only {
            let why = "this store has no create-only writes";
            return Err(self.error(ErrorKind::Unsupported, call.operation, key, why));
        }
        if matches!(body.source(), BodySource::File(_)) {
            let check = body.clone();
            match tokio::task::spawn_blocking(move || check.verify()).await {
                Ok(verified) => verified.map_err(|err| err.into_store_error(key, self))?,
                Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
                Err(_) => {
                    let why = "the process is shutting down";
                    return Err(self.error(ErrorKind::Transient, call.operation, key, why));
                }
            }
        }
        self.within(call, body.len(), self.send(call, &full_key, &body, mode)).await
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let call = Call { operation: "read", key, writes: false };
        self.within(call, max, self.fetch(call, None, max)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let call = Call { operation: "read", key, writes: false };
        // HTTP has no empty ranges, and no object is as large as this.
        if range.start >= range.end || range.end > i64::MAX as u64 {
            let meta = self.within(call, 0, self.look_up(call)).await?;
            check_range(&range, meta.size, key, self)?;
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let bytes = self.within(call, length, self.fetch(call, Some(range), length)).await?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        let why = format!("the store gave {} of {length} bytes", bytes.len());
        Err(self.error(ErrorKind::Corrupt, call.operation, key, why))
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let call = Call { operation: "look up", key, writes: false };
        self.within(call, 0, self.look_up(call)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let call = Call { operation: "list", key: prefix, writes: false };
        check_prefix(prefix, self)?;
        let mut objects = if prefix.is_empty() {
            self.list_pages(call, &self.prefix).await?
        } else {
            self.list_segment(call, &self.full_key(call.operation, prefix)?).await?
        };
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let call = Call { operation: "delete", key, writes: true };
        let full_key = self.full_key(call.operation, key)?;
        let request = self.client.delete_object().bucket(&self.bucket).key(full_key);
        let deleted = self.within(call, 0, async {
            match request.send().await {
                Err(err)
                    if err.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchKey") =>
                {
                    Ok(())
                }
                Err(err) => Err(self.failed(call, err)),
                Ok(_) => Ok(()),
            }
        });
        deleted.await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let call = Call { operation: "read the clock of", key: "", writes: false };
        let date = DateHeader::default();
        let request = self.client.head_bucket().bucket(&self.bucket).customize().interceptor(date.clone());
        let answer =
            self.within(call, 0, async { request.send().await.map_err(|err| self.failed(call, err)) }).await;
        // A refusal tells the time too, above all the refusal of a request signed at a wrong time.
        match (date.time(), answer) {
            (Some(time), _) => Ok(Some(time)),
            (None, Ok(_)) => Ok(None),
            (None, Err(err)) => Err(err),
        }
    }
}
