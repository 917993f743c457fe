//! A bucket of S3 or of a store that speaks its protocol; the only module that knows the AWS SDK.
//!
//! One request an operation (`list`: one a page and perhaps one more), one put an object: S3 takes 5 GiB in one, and only then is the stored checksum the SHA-256 of the whole.
//!
//! Invariants:
//! - Every put carries the SHA-256 of the body, which the store checks before the object appears.
//!   A body from a file is checked here too before the first byte is sent, one from another store
//!   before the last byte is: not every store checks.
//! - The SDK retries nothing; [`super::retry`] does, because only it can tell whether a write
//!   whose answer was lost has happened.
//! - Every request has a deadline from [`Limits`], and a transfer that stalls is given up.
//! - Errors name bucket, key and the service's code. They carry no response bodies and no
//!   headers: those repeat access keys and signatures.
//!
//! After a crash an unfinished put has left nothing: that is the store's promise, and S3 keeps it.
//!
//! What it does not do: multipart uploads; switch versions or Object Lock on, which belongs to
//! whoever owns the bucket; bypass a lock.

mod connect;
mod credentials;
mod errors;
mod options;
mod passing;
mod place;
mod requests;
mod versions;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::StorageClass;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use self::credentials::RenewedCredentials;
use self::errors::{Call, code_of};
pub use self::options::{S3Credentials, S3Options, ServerEncryption};
use self::requests::DateHeader;
use super::{
    Abilities, Body, BodySource, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces,
    PlaceFacts, PutMode, Result, StoreError, VersionId, check_key, check_prefix, check_range, lock,
};
use crate::clock::{Clock, Timestamp};
use crate::limits::Limits;

/// A bucket, or the part of it below a prefix. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    place: String,
    abilities: Abilities,
    /// Set once it said that it does not know the request for versions: nobody asks it again.
    knows_no_versions: Arc<AtomicBool>,
    storage_class: Option<StorageClass>,
    encryption: Option<ServerEncryption>,
    rule: Option<LockRule>,
    clock: Arc<dyn Clock>,
    /// Those of the usual sources; `None` for fixed ones, which nobody renews.
    credentials: Option<Arc<RenewedCredentials>>,
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
        let (client, credentials) = connect::client(&options, &place, limits).await?;
        let abilities = Abilities {
            create_only: options.create_only,
            stored_checksums: true,
            // Object Lock is only there where versions are.
            versions: options.versions || options.lock.is_some(),
            locks: options.lock.is_some(),
        };
        Ok(Self {
            client,
            bucket: options.bucket,
            prefix: if options.prefix.is_empty() { String::new() } else { format!("{}/", options.prefix) },
            place,
            abilities,
            knows_no_versions: Arc::default(),
            storage_class: options.storage_class.as_deref().map(StorageClass::from),
            encryption: options.encryption,
            rule: options.lock,
            clock: options.clock,
            credentials,
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

    /// Returns the time for a request with a body of `bytes`.
    fn time_for(&self, bytes: u64) -> Duration {
        self.timeout + Duration::from_secs(bytes / self.bytes_per_second_min)
    }

    /// Ends `work` at the deadline of a request with a body of `bytes`.
    async fn within<T>(
        &self,
        call: Call<'_>,
        bytes: u64,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let limit = self.time_for(bytes);
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

/// HTTP has no empty ranges, and no object is as large as this.
fn can_be_asked_for(range: &Range<u64>) -> bool {
    range.start < range.end && range.end <= i64::MAX as u64
}

impl S3Store {
    fn has_locks(&self) -> bool {
        self.abilities.locks
    }

    async fn read(&self, call: Call<'_>, version: Option<&VersionId>, max: u64) -> Result<Bytes> {
        self.within(call, max, self.fetch(call, version, None, max)).await
    }

    async fn read_range(
        &self,
        call: Call<'_>,
        version: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Bytes> {
        if !can_be_asked_for(&range) {
            let meta = self.within(call, 0, self.look_up(call, version)).await?;
            check_range(&range, meta.size, call.key, self)?;
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let bytes = self.within(call, length, self.fetch(call, version, Some(range), length)).await?;
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        let why = format!("the store gave {} of {length} bytes", bytes.len());
        Err(self.error(ErrorKind::Corrupt, call.operation, call.key, why))
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn abilities(&self) -> Abilities {
        let versions = self.abilities.versions && !self.knows_no_versions.load(Ordering::Relaxed);
        Abilities { versions, ..self.abilities }
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let call = Call::write("write", key);
        let full_key = self.full_key(call.operation, key)?;
        if mode == PutMode::CreateOnly && !self.abilities.create_only {
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
        self.read(Call::read("read", key), None, max).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.read_range(Call::read("read", key), None, range).await
    }

    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        if can_be_asked_for(&range) {
            return self.fetch_pieces(key, range).await;
        }
        let none = self.get_range(key, range).await?;
        Ok(stream::iter([Ok(none)]).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let call = Call::read("look up", key);
        self.within(call, 0, self.look_up(call, None)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        check_prefix(prefix, self)?;
        self.all_objects(Call::read("list", prefix)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let call = Call::write("delete", key);
        let full_key = self.full_key(call.operation, key)?;
        let request = self.client.delete_object().bucket(&self.bucket).key(full_key);
        let deleted = self.within(call, 0, async {
            match request.send().await {
                Err(err) if code_of(&err) == "NoSuchKey" => Ok(()),
                answer => answer.map(drop).map_err(|err| self.failed(call, err)),
            }
        });
        deleted.await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let call = Call::read("read the clock of", "");
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

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        check_prefix(prefix, self)?;
        self.all_versions(Call::read("list", prefix)).await
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.read(Call::read("read", key).of_version(), Some(version), max).await
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.read_range(Call::read("read", key).of_version(), Some(version), range).await
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        let call = Call::read("look up", key).of_version();
        self.within(call, 0, self.look_up(call, Some(version))).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        self.delete_one(Call::write("delete", key).of_version(), version).await
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.read_lock(Call::read("read the lock of", key).of_version(), version).await
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        self.full_key(lock::EXTEND, key)?;
        self.lengthen(Call::write(lock::EXTEND, key).of_version(), version, until).await
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        Ok(Some(self.facts().await))
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.rule
    }

    fn unfinished(&self) -> Option<PathBuf> {
        None
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        if rule.is_some() && !self.has_locks() {
            return Err(lock::unsupported("", self));
        }
        Ok(Arc::new(Self { rule, ..self.clone() }))
    }
}
