//! An S3 server in process with versions, Object Lock, checked checksums and conditional writes, as
//! Amazon documents them: the protocol of `s3s` over the strict store in memory. It can be told to
//! have the flaws of real servers.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::TimeDelta;
use futures_util::StreamExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use prismvault::clock::{Clock, ManualClock, SystemClock, Timestamp};
use prismvault::ids::Digest;
use prismvault::objects::memory::MemoryStore;
use prismvault::objects::{
    Abilities, Body, ErrorKind, Lock, LockMode, LockRule, ObjectStore, ObjectVersion, PutMode, Retention,
    StoreError, VersionId,
};
use s3s::access::S3Access;
use s3s::auth::SimpleAuth;
use s3s::dto::{self, TimestampFormat};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::task::JoinSet;

use crate::s3_server::{ACCESS_KEY, SECRET_KEY, listen};

/// What a server gets wrong.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Flaws {
    /// `If-None-Match` is accepted and overwrites, as on Garage.
    pub(crate) overwrites_always: bool,
    /// Wrong checksums are not looked at, as on moto.
    pub(crate) ignores_checksums: bool,
    /// Checksums are not told.
    pub(crate) forgets_checksums: bool,
    /// Locks of puts are accepted and not kept.
    pub(crate) forgets_locks: bool,
    /// Deleting a locked version is said to have happened.
    pub(crate) deletes_locked: bool,
    /// Every put is locked for a day, by a rule of the bucket.
    pub(crate) locks_by_default: bool,
    /// The bucket is copied to another, `elsewhere`.
    pub(crate) is_copied: bool,
    /// A lifecycle rule deletes what is old.
    pub(crate) expires: bool,
}

/// A running server. Ends with its owner.
pub(crate) struct StrictServer {
    pub(crate) address: SocketAddr,
    /// What it holds.
    pub(crate) memory: MemoryStore,
    /// Its clock.
    pub(crate) clock: Arc<ManualClock>,
    _tasks: JoinSet<()>,
}

impl StrictServer {
    /// Starts a server whose buckets are all the same, with at most `page` entries in a listing.
    pub(crate) async fn start(abilities: Abilities, page: usize, flaws: Flaws) -> Self {
        Self::of(abilities, page, flaws, |_| {}).await
    }

    /// A server without flaws that asks before every request.
    pub(crate) async fn guarded(abilities: Abilities, guard: impl S3Access) -> Self {
        Self::of(abilities, 1000, Flaws::default(), |builder| builder.set_access(guard)).await
    }

    async fn of(
        abilities: Abilities,
        page: usize,
        flaws: Flaws,
        set_up: impl FnOnce(&mut S3ServiceBuilder),
    ) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let memory = MemoryStore::new("behind-s3", Arc::<ManualClock>::clone(&clock));
        let memory = memory.with_abilities(abilities);
        let mut builder = S3ServiceBuilder::new(Strict { store: memory.clone(), page, flaws });
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        set_up(&mut builder);
        let service = builder.build();
        let (address, tasks) = listen(move |socket| {
            let service = service.clone();
            async move {
                // A client that goes away is no concern of the server.
                drop(
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await,
                );
            }
        })
        .await;
        Self { address, memory, clock, _tasks: tasks }
    }
}

struct Strict {
    store: MemoryStore,
    page: usize,
    flaws: Flaws,
}

fn refused(err: StoreError) -> S3Error {
    match err.kind {
        ErrorKind::NotFound => s3_error!(NoSuchKey),
        ErrorKind::AlreadyExists => s3_error!(PreconditionFailed),
        ErrorKind::Corrupt => s3_error!(BadDigest),
        // As Amazon says it.
        ErrorKind::Locked => {
            s3_error!(AccessDenied, "Access Denied because object protected by object lock.")
        }
        ErrorKind::Unsupported => s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"),
        ErrorKind::OutOfRange => s3_error!(InvalidRange),
        _ => s3_error!(InvalidArgument, "{}", err),
    }
}

fn to_s3(at: Timestamp) -> dto::Timestamp {
    std::time::SystemTime::from(at).into()
}

fn from_s3(at: &dto::Timestamp) -> S3Result<Timestamp> {
    let mut text = Vec::new();
    at.format(TimestampFormat::DateTime, &mut text).map_err(|_| s3_error!(InvalidArgument))?;
    String::from_utf8_lossy(&text).parse().map_err(|_| s3_error!(InvalidArgument))
}

fn mode_of(mode: &str) -> S3Result<LockMode> {
    match mode {
        "GOVERNANCE" => Ok(LockMode::Governance),
        "COMPLIANCE" => Ok(LockMode::Compliance),
        _ => Err(s3_error!(MalformedXML)),
    }
}

fn name_of(mode: LockMode) -> String {
    mode.to_string().to_uppercase()
}

impl Strict {
    /// Finds the version that a request is about.
    async fn find(&self, key: &str, asked: Option<&str>) -> S3Result<ObjectVersion> {
        let versions = self.store.list_versions(key).await.map_err(refused)?;
        let found = versions.into_iter().find(|version| {
            version.key == key && asked.map_or(version.is_latest, |asked| version.version.as_str() == asked)
        });
        match (found, asked) {
            (Some(found), Some(_)) if found.is_delete_marker => Err(s3_error!(MethodNotAllowed)),
            (Some(found), _) if !found.is_delete_marker => Ok(found),
            (_, Some(_)) => Err(s3_error!(NoSuchVersion)),
            (_, None) => Err(s3_error!(NoSuchKey)),
        }
    }

    fn told(&self, version: &VersionId) -> Option<String> {
        self.store.abilities().versions.then(|| version.to_string())
    }

    /// Returns a handle that locks until a time, counted from the time of the server.
    fn locking(&self, retention: Retention) -> S3Result<Arc<dyn ObjectStore>> {
        let now = self.store_now();
        let rule = LockRule { mode: retention.mode, window: retention.until - now };
        self.store.locking(Some(rule)).map_err(refused)
    }

    fn store_now(&self) -> Timestamp {
        futures_util::FutureExt::now_or_never(self.store.server_time()).unwrap().unwrap().unwrap()
    }

    /// Returns the entries of a page and whether more follow.
    fn cut<T>(&self, mut entries: Vec<T>) -> (Vec<T>, bool) {
        let more = entries.len() > self.page;
        entries.truncate(self.page);
        (entries, more)
    }
}

#[async_trait]
impl S3 for Strict {
    async fn head_bucket(
        &self,
        _: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        Ok(S3Response::new(dto::HeadBucketOutput::default()))
    }

    async fn put_object(
        &self,
        request: S3Request<dto::PutObjectInput>,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let input = request.input;
        let mut bytes = Vec::new();
        let mut body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|_| s3_error!(IncompleteBody))?);
        }
        let announced = input.checksum_sha256.ok_or_else(|| s3_error!(InvalidRequest))?;
        let digest = Digest::of(&bytes);
        if BASE64.encode(digest.0) != announced && !self.flaws.ignores_checksums {
            return Err(s3_error!(BadDigest));
        }
        let asked = match (input.object_lock_mode, &input.object_lock_retain_until_date) {
            (Some(mode), Some(until)) => {
                Some(Retention { mode: mode_of(mode.as_str())?, until: from_s3(until)? })
            }
            _ => None,
        };
        let by_default =
            Retention { mode: LockMode::Governance, until: self.store_now() + TimeDelta::days(1) };
        let retention = asked.or(self.flaws.locks_by_default.then_some(by_default));
        let store = match retention.filter(|_| !self.flaws.forgets_locks) {
            Some(retention) => self.locking(retention)?,
            None => self.store.locking(None).map_err(refused)?,
        };
        let create_only = input.if_none_match.is_some() && !self.flaws.overwrites_always;
        let mode = if create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
        store.put(&input.key, Body::bytes(bytes), mode).await.map_err(refused)?;
        let told = (!self.flaws.forgets_checksums).then(|| BASE64.encode(digest.0));
        Ok(S3Response::new(dto::PutObjectOutput { checksum_sha256: told, ..Default::default() }))
    }

    async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let input = request.input;
        let found = self.find(&input.key, input.version_id.as_deref()).await?;
        let range = match input.range {
            Some(range) => Some(range.check(found.size).map_err(|_| s3_error!(InvalidRange))?),
            None => None,
        };
        let part = range.clone().unwrap_or(0..found.size);
        let content_range =
            range.map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, found.size));
        let bytes = self.store.get_range_version(&input.key, &found.version, part).await.map_err(refused)?;
        let content_length = Some(bytes.len() as i64);
        let body = Some(s3s::Body::from(bytes).into());
        let version_id = self.told(&found.version);
        let output =
            dto::GetObjectOutput { body, content_length, content_range, version_id, ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let input = request.input;
        let found = self.find(&input.key, input.version_id.as_deref()).await?;
        let meta = self.store.head_version(&input.key, &found.version).await.map_err(refused)?;
        let lock = self.store.lock_of(&input.key, &found.version).await.map_err(refused)?;
        let retention = lock.and_then(|lock| lock.retention);
        let told = meta.sha256.filter(|_| !self.flaws.forgets_checksums && input.checksum_mode.is_some());
        let hold = |lock: &Lock| if lock.legal_hold { "ON" } else { "OFF" }.to_owned();
        Ok(S3Response::new(dto::HeadObjectOutput {
            content_length: Some(meta.size as i64),
            last_modified: meta.modified.map(to_s3),
            checksum_sha256: told.map(|digest| BASE64.encode(digest.0)),
            version_id: self.told(&found.version),
            object_lock_mode: retention.map(|retention| name_of(retention.mode).into()),
            object_lock_retain_until_date: retention.map(|retention| to_s3(retention.until)),
            object_lock_legal_hold_status: lock.as_ref().map(|lock| hold(lock).into()),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        let input = request.input;
        let deleted = match &input.version_id {
            None => self.store.delete(&input.key).await,
            Some(version) => self.store.delete_version(&input.key, &VersionId::new(version)).await,
        };
        match deleted {
            Err(err) if err.kind == ErrorKind::Locked && self.flaws.deletes_locked => {}
            deleted => deleted.map_err(refused)?,
        }
        Ok(S3Response::new(dto::DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let mut objects = self.store.list("").await.map_err(refused)?;
        objects.retain(|meta| {
            meta.key.starts_with(&prefix)
                && input.continuation_token.as_ref().is_none_or(|after| meta.key > *after)
        });
        let (objects, more) = self.cut(objects);
        let next = objects.last().filter(|_| more).map(|meta| meta.key.clone());
        let contents = objects.into_iter().map(|meta| dto::Object {
            key: Some(meta.key),
            size: Some(meta.size as i64),
            last_modified: meta.modified.map(to_s3),
            ..Default::default()
        });
        Ok(S3Response::new(dto::ListObjectsV2Output {
            contents: Some(contents.collect()),
            is_truncated: Some(more),
            next_continuation_token: next,
            ..Default::default()
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<dto::ListObjectVersionsInput>,
    ) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let mut found = self.store.list_versions("").await.map_err(refused)?;
        found.retain(|version| version.key.starts_with(&prefix));
        if let Some(after) = &input.key_marker {
            let marker = input.version_id_marker.as_deref();
            let at = found.iter().position(|version| {
                version.key == *after && marker.is_none_or(|marker| version.version.as_str() == marker)
            });
            let at = at.ok_or_else(|| s3_error!(InvalidArgument))?;
            found.drain(..=at);
        }
        let (found, more) = self.cut(found);
        let last = found.last().filter(|_| more).cloned();
        let (markers, versions): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|version| version.is_delete_marker);
        let versions = versions.into_iter().map(|version| dto::ObjectVersion {
            key: Some(version.key),
            version_id: Some(version.version.to_string()),
            size: Some(version.size as i64),
            is_latest: Some(version.is_latest),
            last_modified: version.modified.map(to_s3),
            ..Default::default()
        });
        let markers = markers.into_iter().map(|marker| dto::DeleteMarkerEntry {
            key: Some(marker.key),
            version_id: Some(marker.version.to_string()),
            is_latest: Some(marker.is_latest),
            last_modified: marker.modified.map(to_s3),
            ..Default::default()
        });
        Ok(S3Response::new(dto::ListObjectVersionsOutput {
            versions: Some(versions.collect()),
            delete_markers: Some(markers.collect()),
            is_truncated: Some(more),
            next_key_marker: last.as_ref().map(|version| version.key.clone()),
            next_version_id_marker: last.map(|version| version.version.to_string()),
            ..Default::default()
        }))
    }

    async fn get_object_retention(
        &self,
        request: S3Request<dto::GetObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::GetObjectRetentionOutput>> {
        let input = request.input;
        if !self.store.abilities().locks {
            return Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"));
        }
        let found = self.find(&input.key, input.version_id.as_deref()).await?;
        let lock = self.store.lock_of(&input.key, &found.version).await.map_err(refused)?;
        let retention = lock.and_then(|lock| lock.retention);
        let retention = retention.ok_or_else(|| s3_error!(NoSuchObjectLockConfiguration))?;
        let retention = dto::ObjectLockRetention {
            mode: Some(name_of(retention.mode).into()),
            retain_until_date: Some(to_s3(retention.until)),
        };
        Ok(S3Response::new(dto::GetObjectRetentionOutput { retention: Some(retention) }))
    }

    async fn get_bucket_versioning(
        &self,
        _request: S3Request<dto::GetBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
        let on = self.store.abilities().versions;
        let status =
            on.then(|| dto::BucketVersioningStatus::from_static(dto::BucketVersioningStatus::ENABLED));
        Ok(S3Response::new(dto::GetBucketVersioningOutput { status, ..Default::default() }))
    }

    async fn get_object_lock_configuration(
        &self,
        _request: S3Request<dto::GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetObjectLockConfigurationOutput>> {
        if !self.store.abilities().locks {
            return Err(s3_error!(ObjectLockConfigurationNotFoundError));
        }
        let retention = dto::DefaultRetention {
            days: Some(1),
            mode: Some(name_of(LockMode::Governance).into()),
            years: None,
        };
        let rule = dto::ObjectLockRule { default_retention: Some(retention) };
        let configuration = dto::ObjectLockConfiguration {
            object_lock_enabled: Some(dto::ObjectLockEnabled::from_static(dto::ObjectLockEnabled::ENABLED)),
            rule: self.flaws.locks_by_default.then_some(rule),
        };
        let object_lock_configuration = Some(configuration);
        Ok(S3Response::new(dto::GetObjectLockConfigurationOutput { object_lock_configuration }))
    }

    async fn get_bucket_replication(
        &self,
        _request: S3Request<dto::GetBucketReplicationInput>,
    ) -> S3Result<S3Response<dto::GetBucketReplicationOutput>> {
        if !self.flaws.is_copied {
            return Err(s3_error!(ReplicationConfigurationNotFoundError));
        }
        let rule = dto::ReplicationRule {
            delete_marker_replication: None,
            destination: dto::Destination {
                access_control_translation: None,
                account: None,
                bucket: "arn:aws:s3:::elsewhere".to_owned(),
                encryption_configuration: None,
                metrics: None,
                replication_time: None,
                storage_class: None,
            },
            existing_object_replication: None,
            filter: None,
            id: None,
            prefix: None,
            priority: None,
            source_selection_criteria: None,
            status: dto::ReplicationRuleStatus::from_static(dto::ReplicationRuleStatus::ENABLED),
        };
        let replication_configuration = Some(dto::ReplicationConfiguration {
            role: "arn:aws:iam::1:role/copy".to_owned(),
            rules: vec![rule],
        });
        Ok(S3Response::new(dto::GetBucketReplicationOutput { replication_configuration }))
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        _request: S3Request<dto::GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLifecycleConfigurationOutput>> {
        if !self.flaws.expires {
            return Err(s3_error!(NoSuchLifecycleConfiguration));
        }
        let expiration =
            dto::LifecycleExpiration { date: None, days: Some(90), expired_object_delete_marker: None };
        let rule = dto::LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: Some(expiration),
            filter: None,
            id: Some("tidy".to_owned()),
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: Some(String::new()),
            status: dto::ExpirationStatus::from_static(dto::ExpirationStatus::ENABLED),
            transitions: None,
        };
        let output =
            dto::GetBucketLifecycleConfigurationOutput { rules: Some(vec![rule]), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn put_object_retention(
        &self,
        request: S3Request<dto::PutObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::PutObjectRetentionOutput>> {
        let input = request.input;
        let retention = input.retention.ok_or_else(|| s3_error!(MalformedXML))?;
        let (Some(mode), Some(until)) = (retention.mode, retention.retain_until_date) else {
            return Err(s3_error!(MalformedXML));
        };
        let retention = Retention { mode: mode_of(mode.as_str())?, until: from_s3(&until)? };
        let found = self.find(&input.key, input.version_id.as_deref()).await?;
        let store = self.locking(retention)?;
        store.extend_lock(&input.key, &found.version, retention.until).await.map_err(refused)?;
        Ok(S3Response::new(dto::PutObjectRetentionOutput::default()))
    }
}
