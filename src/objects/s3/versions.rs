//! Requests about versions and locks.

use std::sync::atomic::Ordering;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
};

use super::S3Store;
use super::errors::{Call, code_of};
use super::requests::to_timestamp;
use crate::clock::Timestamp;
use crate::objects::{
    ErrorKind, Lock, LockMode, ObjectVersion, Result, Retention, VersionId, is_valid_key, lock, version,
};

/// One page of a listing of versions.
struct Page {
    versions: Vec<ObjectVersion>,
    /// Where the next page begins: a key and one of its versions.
    next: Option<(String, Option<String>)>,
}

impl S3Store {
    /// Lists all versions of `prefix` and below it; a store that does not know the request has
    /// none.
    pub(super) async fn all_versions(&self, call: Call<'_>) -> Result<Vec<ObjectVersion>> {
        let as_objects =
            async { Ok(self.all_objects(call).await?.into_iter().map(ObjectVersion::from).collect()) };
        if self.knows_no_versions.load(Ordering::Relaxed) {
            return as_objects.await;
        }
        let listed = match call.key {
            "" => self.version_pages(call, &self.prefix, None).await,
            prefix => {
                let full_key = self.full_key(call.operation, prefix)?;
                self.segment_versions(call, &full_key).await
            }
        };
        match listed {
            Ok(mut versions) => {
                version::sort(&mut versions);
                Ok(versions)
            }
            Err(err) if err.kind == ErrorKind::Unsupported => {
                self.knows_no_versions.store(true, Ordering::Relaxed);
                as_objects.await
            }
            Err(err) => Err(err),
        }
    }

    /// Lists the versions of the object of this name and of what is below it.
    ///
    /// As for objects the store lists by text, so the versions of `a/bc` come with those of `a/b`.
    /// Those of the very name are first. Once they end on a page that is not the last, what is
    /// below is asked for by itself.
    async fn segment_versions(&self, call: Call<'_>, full_key: &str) -> Result<Vec<ObjectVersion>> {
        let own = full_key.strip_prefix(&self.prefix).unwrap_or(full_key);
        let below = format!("{own}/");
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = self.version_page(call, full_key, from.take()).await?;
            let (itself, others): (Vec<_>, Vec<_>) =
                page.versions.into_iter().partition(|version| version.key == own);
            found.extend(itself);
            let Some(next) = page.next else {
                found.extend(others.into_iter().filter(|version| version.key.starts_with(&below)));
                return Ok(found);
            };
            if !others.is_empty() || next.0 != full_key {
                found.extend(self.version_pages(call, &format!("{full_key}/"), None).await?);
                return Ok(found);
            }
            from = Some(next);
        }
    }

    /// Lists the versions of all keys that begin with this text.
    async fn version_pages(
        &self,
        call: Call<'_>,
        text: &str,
        mut from: Option<(String, Option<String>)>,
    ) -> Result<Vec<ObjectVersion>> {
        let mut versions = Vec::new();
        loop {
            let page = self.version_page(call, text, from).await?;
            versions.extend(page.versions);
            match page.next {
                None => return Ok(versions),
                next => from = next,
            }
        }
    }

    async fn version_page(
        &self,
        call: Call<'_>,
        text: &str,
        from: Option<(String, Option<String>)>,
    ) -> Result<Page> {
        let (key, version) = from.clone().unzip();
        let request = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .set_prefix(Some(text.to_owned()).filter(|text| !text.is_empty()))
            .set_key_marker(key)
            .set_version_id_marker(version.flatten());
        let send = async { request.send().await.map_err(|err| self.failed(call, err)) };
        let page = self.within(call, 0, send).await?;
        let mut versions = Vec::with_capacity(page.versions().len() + page.delete_markers().len());
        for found in page.versions() {
            let Some(key) = self.own_key(found.key()) else { continue };
            let size = found.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| {
                self.error(ErrorKind::Permanent, call.operation, key, "the store does not tell its size")
            })?;
            versions.push(ObjectVersion {
                key: key.to_owned(),
                version: found.version_id().map_or_else(VersionId::null, VersionId::new),
                size,
                modified: found.last_modified().and_then(to_timestamp),
                is_latest: found.is_latest() == Some(true),
                is_delete_marker: false,
            });
        }
        for marker in page.delete_markers() {
            let Some(key) = self.own_key(marker.key()) else { continue };
            versions.push(ObjectVersion {
                key: key.to_owned(),
                version: marker.version_id().map_or_else(VersionId::null, VersionId::new),
                size: 0,
                modified: marker.last_modified().and_then(to_timestamp),
                is_latest: marker.is_latest() == Some(true),
                is_delete_marker: true,
            });
        }
        let next = match page.is_truncated() {
            Some(true) => {
                let next = page
                    .next_key_marker()
                    .map(|key| (key.to_owned(), page.next_version_id_marker().map(str::to_owned)));
                // See the listing of objects: an incomplete list must not look complete, or never end.
                if next.is_none() || next == from {
                    let why = "the store has more versions and does not say how to go on";
                    return Err(self.error(ErrorKind::Permanent, call.operation, call.key, why));
                }
                next
            }
            _ => None,
        };
        Ok(Page { versions, next })
    }

    /// Returns the key in this store of a key in the bucket, if it is one.
    fn own_key<'a>(&self, full_key: Option<&'a str>) -> Option<&'a str> {
        full_key?.strip_prefix(&self.prefix).filter(|key| is_valid_key(key))
    }

    /// Deletes one version. What a lock forbids is told as that: S3 answers `AccessDenied` and
    /// others `InvalidRequest`, as if it were about rights or a mistake of ours.
    pub(super) async fn delete_one(&self, call: Call<'_>, version: &VersionId) -> Result<()> {
        let full_key = self.full_key(call.operation, call.key)?;
        let request =
            self.client.delete_object().bucket(&self.bucket).key(full_key).version_id(version.as_str());
        let deleted = self.within(call, 0, async {
            match request.send().await {
                Err(err) if matches!(code_of(&err), "NoSuchKey" | "NoSuchVersion") => Ok(()),
                answer => answer.map(drop).map_err(|err| self.failed(call, err)),
            }
        });
        let Err(err) = deleted.await else { return Ok(()) };
        match err.kind {
            ErrorKind::Denied | ErrorKind::Permanent | ErrorKind::Locked => {
                match self
                    .read_lock(Call { operation: "read the lock of", writes: false, ..call }, version)
                    .await
                {
                    Ok(Some(lock)) if lock.protects_at(self.clock.now()) => {
                        let why = lock.describe();
                        Err(self.error(ErrorKind::Locked, call.operation, call.key, why))
                    }
                    _ => Err(err),
                }
            }
            _ => Err(err),
        }
    }

    /// Reads the lock of a version.
    ///
    /// A look-up tells it, but not to those who may not read locks: to them it looks as if there
    /// were none. So where it tells none the lock itself is asked for, which is refused clearly.
    pub(super) async fn read_lock(&self, call: Call<'_>, version: &VersionId) -> Result<Option<Lock>> {
        let answer = self.within(call, 0, self.head_answer(call, Some(version))).await?;
        let retention = match (answer.object_lock_mode(), answer.object_lock_retain_until_date()) {
            (Some(mode), Some(until)) => Some(self.retention(call, mode.as_str(), until)?),
            _ => None,
        };
        let legal_hold = answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
        let retention = match retention {
            None => self.ask_for_retention(call, version).await?,
            told => told,
        };
        Ok((retention.is_some() || legal_hold).then_some(Lock { retention, legal_hold }))
    }

    async fn ask_for_retention(&self, call: Call<'_>, version: &VersionId) -> Result<Option<Retention>> {
        let full_key = self.full_key(call.operation, call.key)?;
        let request = self
            .client
            .get_object_retention()
            .bucket(&self.bucket)
            .key(full_key)
            .version_id(version.as_str());
        let answer = self.within(call, 0, async {
            match request.send().await {
                Ok(answer) => Ok(Some(answer)),
                // There is no lock, or the bucket has no Object Lock, or the store knows none.
                Err(err) => match code_of(&err) {
                    "NoSuchObjectLockConfiguration"
                    | "InvalidRequest"
                    | "ObjectLockConfigurationNotFoundError" => Ok(None),
                    _ => Err(self.failed(call, err)),
                },
            }
        });
        let answer = match answer.await {
            Err(err) if err.kind == ErrorKind::Unsupported => None,
            answer => answer?,
        };
        let retention = answer.as_ref().and_then(|answer| answer.retention());
        match retention.and_then(|retention| Some((retention.mode()?, retention.retain_until_date()?))) {
            Some((mode, until)) => self.retention(call, mode.as_str(), until).map(Some),
            None => Ok(None),
        }
    }

    fn retention(&self, call: Call<'_>, mode: &str, until: &DateTime) -> Result<Retention> {
        let mode = match mode {
            "GOVERNANCE" => Some(LockMode::Governance),
            "COMPLIANCE" => Some(LockMode::Compliance),
            _ => None,
        };
        match (mode, to_timestamp(until)) {
            (Some(mode), Some(until)) => Ok(Retention { mode, until }),
            _ => {
                let why = "the store tells a lock that cannot be understood";
                Err(self.error(ErrorKind::Permanent, call.operation, call.key, why))
            }
        }
    }

    /// Makes a lock longer. It is read before: a store must not shorten one, but some do.
    pub(super) async fn lengthen(&self, call: Call<'_>, version: &VersionId, until: Timestamp) -> Result<()> {
        if !self.has_locks() {
            return Err(lock::unsupported(call.key, self));
        }
        let full_key = self.full_key(call.operation, call.key)?;
        let now = self.read_lock(Call { writes: false, ..call }, version).await?;
        let Some(retention) = lock::extension(now, self.rule, until, call.key, self)? else { return Ok(()) };
        let mode = match retention.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        };
        let retention = ObjectLockRetention::builder()
            .mode(mode)
            .retain_until_date(DateTime::from_secs(retention.until.timestamp()))
            .build();
        let request = self
            .client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(full_key)
            .version_id(version.as_str())
            .retention(retention);
        self.within(call, 0, async { request.send().await.map(drop).map_err(|err| self.failed(call, err)) })
            .await
    }
}

/// Returns mode and end of a lock as a put sends them.
pub(super) fn headers(retention: Retention) -> (ObjectLockMode, DateTime) {
    let mode = match retention.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    };
    (mode, DateTime::from_secs(retention.until.timestamp()))
}
