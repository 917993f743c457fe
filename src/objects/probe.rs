//! Finds out what a store really does, whatever its kind promises.
//!
//! No store is honest about everything: one takes `If-None-Match` and overwrites, one takes
//! checksums and does not look at them, one deletes what is locked. [`probe`] tries each thing once
//! with small objects below a scratch prefix, and says what it saw.
//!
//! The result is data that can be kept. [`Probe::abilities`] says what may be relied on: what the
//! kind of store promises *and* the probe saw. So a result that somebody forged can make us slower,
//! and never less safe.
//!
//! Scratch objects are deleted at the end, all versions. After a crash they stay; the next probe
//! deletes those that are older than the longest run. Object Lock is tried only on a store that is
//! used with it, with the shortest lock that can be relied on (a minute); the objects that it leaves
//! are named in the result and go with a later probe.
//!
//! What it does not do: try what nothing here uses (multipart uploads), or whether somebody with
//! more rights could bypass a lock.

mod permissions;

use std::future::Future;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Abilities, Body, ErrorKind, LockRule, ObjectStore, PutMode, Result, StoreError, VersionId};
use crate::clock::{Clock, Timestamp, compact, rfc3339};
use crate::ids::{Digest, hex, random};
use crate::limits::Limits;

/// Shortest lock that is tried: long enough for a slow answer to the delete that has to fail.
const LOCK_WINDOW: TimeDelta = TimeDelta::minutes(1);

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// A new object can be put.
    Write,
    /// It is read as it was put.
    ReadBack,
    /// A part of it is read.
    RangeRead,
    /// A put replaces another. Credentials that only create may not do so, which is good.
    Overwrite,
    /// A listing shows at once what was put.
    ListAfterPut,
    /// A look-up tells the SHA-256 of an object.
    StoredChecksum,
    /// A put with a wrong SHA-256 is refused and leaves nothing.
    WrongChecksumRefused,
    /// A second create-only put is refused and leaves the first.
    CreateOnly,
    /// An object can be deleted. Credentials that only create may not do so, which is good.
    Delete,
    /// A put and a delete leave the versions before them.
    Versions,
    /// A delete of a locked version is refused.
    ObjectLock,
    /// A put without a lock is locked all the same, by a rule of the bucket.
    DefaultLock,
    /// The store's clock and ours agree.
    Clock,
    /// Multipart uploads, which are not used.
    Multipart,
    /// The scratch objects are gone again.
    CleanUp,
}

impl CheckName {
    /// Whether a store of which this is not true cannot hold a vault, or not as configured.
    pub fn is_needed(self) -> bool {
        matches!(
            self,
            Self::Write
                | Self::ReadBack
                | Self::RangeRead
                | Self::ListAfterPut
                | Self::ObjectLock
                | Self::Clock
        )
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// It could not be found out; the detail says why.
    Failed,
    /// It was not tried; the detail says why.
    NotAsked,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCheck {
    /// What.
    pub name: CheckName,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// What was seen, in a phrase.
    pub detail: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// Whether these credentials may do something, tried by itself where a check could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What: `write`, `replace`, `read`, `look up`, `list`, `list versions`, `delete`, `delete a version`.
    pub operation: String,
    /// Yes, no (denied), failed (for another reason) or not asked.
    pub outcome: CheckOutcome,
    /// Why not.
    pub detail: String,
}

/// A scratch object that could not be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftObject {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: VersionId,
    /// Why it is still there: a lock and until when, or what failed.
    pub why: String,
    /// Whether it is a lock.
    pub is_locked: bool,
}

/// What a store really does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was found out, by our clock.
    pub at: Timestamp,
    /// The store, as it calls itself.
    pub store: String,
    /// What was tried, in this order.
    pub checks: Vec<ProbeCheck>,
    /// Seconds by which the store's clock is ahead of ours, where it tells the time.
    pub clock_offset_seconds: Option<i64>,
    /// Scratch objects that could not be deleted.
    pub left: Vec<LeftObject>,
    /// Operations one by one, where some check could not be made.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

impl Probe {
    /// Returns a check by its name.
    pub fn check(&self, name: CheckName) -> Option<&ProbeCheck> {
        self.checks.iter().find(|check| check.name == name)
    }

    fn saw(&self, name: CheckName) -> bool {
        self.check(name).is_some_and(|check| check.outcome == CheckOutcome::Yes)
    }

    /// Returns what may be relied on of what the kind of store promises.
    ///
    /// A stored checksum counts only where a wrong one is refused: elsewhere it repeats what
    /// somebody said.
    pub fn abilities(&self, promised: Abilities) -> Abilities {
        promised.and(Abilities {
            create_only: self.saw(CheckName::CreateOnly),
            stored_checksums: self.saw(CheckName::StoredChecksum)
                && self.saw(CheckName::WrongChecksumRefused),
            versions: self.saw(CheckName::Versions),
            locks: self.saw(CheckName::ObjectLock),
        })
    }

    /// Returns what keeps the store from holding a vault as it is configured.
    pub fn obstacles(&self) -> impl Iterator<Item = &ProbeCheck> {
        self.checks.iter().filter(|check| {
            check.name.is_needed() && matches!(check.outcome, CheckOutcome::No | CheckOutcome::Failed)
        })
    }
}

/// Tries `store` with small objects below `scratch`, a key that nothing else uses.
///
/// It never fails: what cannot be found out is in the result with its reason.
pub async fn probe(store: &Arc<dyn ObjectStore>, clock: &dyn Clock, limits: &Limits, scratch: &str) -> Probe {
    let at = clock.now();
    let mut run = Run {
        scratch: scratch.to_owned(),
        area: format!("{scratch}/{}-{}", compact(at), hex(&random::<4>())),
        // Scratch objects are not locked: they are to go.
        store: store.locking(None).unwrap_or_else(|_| Arc::clone(store)),
        rule: store.lock_rule(),
        offset: None,
        checks: Vec::new(),
    };
    run.clock(clock, limits).await;
    run.try_all().await;
    let mut left = run.clean_up(clock, limits).await;
    let mut permissions = Vec::new();
    // What is locked is left as it should be, and can wait.
    let stays = left.iter().any(|left| !left.is_locked);
    if stays || run.checks.iter().any(|check| check.outcome == CheckOutcome::Failed) {
        permissions = permissions::try_each(&run.store, &run.area).await;
        run.checks.pop();
        left = run.clean_up(clock, limits).await;
    }
    let Run { offset, checks, .. } = run;
    let clock_offset_seconds = offset.map(|offset| offset.num_seconds());
    Probe { at, store: store.to_string(), checks, clock_offset_seconds, left, permissions }
}

/// What a check saw.
type Seen = (CheckOutcome, String);

fn yes(detail: impl Into<String>) -> Result<Seen> {
    Ok((CheckOutcome::Yes, detail.into()))
}

fn no(detail: impl Into<String>) -> Result<Seen> {
    Ok((CheckOutcome::No, detail.into()))
}

/// One probe under way.
struct Run {
    scratch: String,
    /// What the keys of this probe's own objects begin with, before a full stop: no directories of
    /// its own, which would stay.
    area: String,
    store: Arc<dyn ObjectStore>,
    /// What the store locks its objects with, outside of the probe.
    rule: Option<LockRule>,
    /// By how much the store's clock is ahead.
    offset: Option<TimeDelta>,
    checks: Vec<ProbeCheck>,
}

impl Run {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.area)
    }

    fn note(&mut self, name: CheckName, outcome: CheckOutcome, detail: impl Into<String>) {
        self.checks.push(ProbeCheck { name, outcome, detail: detail.into(), milliseconds: 0 });
    }

    async fn timed(name: CheckName, check: impl Future<Output = Result<Seen>>) -> ProbeCheck {
        let begun = tokio::time::Instant::now();
        let (outcome, detail) = check.await.unwrap_or_else(|err| (CheckOutcome::Failed, in_one_line(&err)));
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        ProbeCheck { name, outcome, detail, milliseconds }
    }

    async fn clock(&mut self, clock: &dyn Clock, limits: &Limits) {
        let mut found = None;
        let check = Self::timed(CheckName::Clock, async {
            let Some(time) = self.store.server_time().await? else {
                return Ok((CheckOutcome::NotAsked, "the store does not tell the time".to_owned()));
            };
            let offset = time - clock.now();
            found = Some(offset);
            let seen = format!("its clock is {} s ahead of ours", offset.num_seconds());
            let agrees = offset.abs().to_std().is_ok_and(|offset| offset <= limits.clock_skew_max);
            if agrees { yes(seen) } else { no(seen) }
        })
        .await;
        self.offset = found;
        self.checks.push(check);
    }

    async fn try_all(&mut self) {
        let write = Self::timed(CheckName::Write, self.write()).await;
        let written = write.outcome == CheckOutcome::Yes;
        self.checks.push(write);
        let not_asked = "nothing could be written";
        macro_rules! checks {
            ($($name:ident => $check:ident),* $(,)?) => {
                $(match written {
                    true => {
                        let check = Self::timed(CheckName::$name, self.$check()).await;
                        self.checks.push(check);
                    }
                    false => self.note(CheckName::$name, CheckOutcome::NotAsked, not_asked),
                })*
            };
        }
        checks!(
            ReadBack => read_back,
            RangeRead => range_read,
            Overwrite => overwrite,
            ListAfterPut => list_after_put,
            StoredChecksum => stored_checksum,
            WrongChecksumRefused => wrong_checksum_refused,
            CreateOnly => create_only,
            Delete => delete,
            Versions => versions,
            ObjectLock => object_lock,
            DefaultLock => default_lock,
        );
        self.note(CheckName::Multipart, CheckOutcome::NotAsked, "not used: every object is one put");
    }

    async fn put(&self, name: &str, text: &str, mode: PutMode) -> Result<()> {
        self.store.put(&self.key(name), Body::bytes(text.to_owned()), mode).await.map(drop)
    }

    /// Puts a new object in the way the store promises.
    async fn put_new(&self, name: &str, text: &str) -> Result<()> {
        let create_only = self.store.abilities().create_only;
        self.put(name, text, if create_only { PutMode::CreateOnly } else { PutMode::Overwrite }).await
    }

    async fn read(&self, name: &str) -> Result<bytes::Bytes> {
        self.store.get(&self.key(name), 1 << 10).await
    }

    /// Returns the newest version of an object.
    async fn newest(&self, name: &str) -> Result<VersionId> {
        let key = self.key(name);
        let versions = self.store.list_versions(&key).await?;
        let newest = versions.into_iter().find(|version| version.key == key && version.is_latest);
        newest
            .map(|version| version.version)
            .ok_or_else(|| super::version::not_found("look up", &key, &self.store))
    }

    async fn write(&self) -> Result<Seen> {
        self.put_new("written", WRITTEN).await?;
        yes("")
    }

    async fn read_back(&self) -> Result<Seen> {
        match self.read("written").await? == WRITTEN {
            true => yes(""),
            false => no("other bytes are read than were written"),
        }
    }

    async fn range_read(&self) -> Result<Seen> {
        match self.store.get_range(&self.key("written"), 4..9).await? == WRITTEN[4..9] {
            true => yes(""),
            false => no("a range gives other bytes"),
        }
    }

    async fn overwrite(&self) -> Result<Seen> {
        self.put_new("replaced", "first").await?;
        self.put("replaced", "second", PutMode::Overwrite).await?;
        match self.read("replaced").await? == "second" {
            true => yes(""),
            false => no("after a put the object before it is read"),
        }
    }

    async fn list_after_put(&self) -> Result<Seen> {
        for name in ["listed-1", "listed-2", "listed-3"] {
            self.put_new(name, name).await?;
        }
        let own = self.key("listed-");
        let listed = self.store.list(&self.scratch).await?;
        match listed.iter().filter(|object| object.key.starts_with(&own)).count() {
            3 => yes(""),
            count => no(format!("a listing shows {count} of 3 new objects")),
        }
    }

    async fn stored_checksum(&self) -> Result<Seen> {
        match self.store.head(&self.key("written")).await?.sha256 {
            Some(sha256) if sha256 == Digest::of(WRITTEN.as_bytes()) => yes(""),
            Some(_) => no("a look-up tells another SHA-256 than that of the bytes"),
            None => no("a look-up tells no SHA-256"),
        }
    }

    async fn wrong_checksum_refused(&self) -> Result<Seen> {
        let key = self.key("miscalculated");
        let body = Body::claimed("these bytes", Digest::of(b"other bytes"));
        let mode = if self.store.abilities().create_only { PutMode::CreateOnly } else { PutMode::Overwrite };
        let put = self.store.put(&key, body, mode).await;
        let told = match self.store.head(&key).await {
            Ok(meta) => Some(meta.sha256),
            Err(err) if err.kind == ErrorKind::NotFound => None,
            Err(err) => return Err(err),
        };
        match (put, told) {
            (Err(err), None) if err.kind == ErrorKind::Corrupt => yes(""),
            (Err(err), None) => yes(format!("refused in another way: {}", in_one_line(&err))),
            // Then nothing that is told was not compared.
            (Err(_), Some(None)) => yes("the bytes stay all the same, and no SHA-256 is told of them"),
            (Err(_), Some(Some(_))) => no("a wrong SHA-256 is refused, and told all the same"),
            (Ok(_), _) => no("a wrong SHA-256 is not looked at"),
        }
    }

    async fn create_only(&self) -> Result<Seen> {
        if !self.store.abilities().create_only {
            return no("the store is not taken for one that has create-only puts");
        }
        self.put("once", "first", PutMode::CreateOnly).await?;
        let second = self.put("once", "second", PutMode::CreateOnly).await;
        let kept = self.read("once").await? == "first";
        match second {
            Err(err) if err.kind == ErrorKind::AlreadyExists && kept => yes(""),
            Err(err) if err.kind == ErrorKind::AlreadyExists => {
                no("it is refused, and overwrites all the same")
            }
            Err(err) => Err(err),
            Ok(()) if kept => no("it is accepted without effect"),
            Ok(()) => no("it is accepted and overwrites"),
        }
    }

    async fn delete(&self) -> Result<Seen> {
        self.put_new("deleted", "x").await?;
        self.store.delete(&self.key("deleted")).await?;
        match self.read("deleted").await {
            Err(err) if err.kind == ErrorKind::NotFound => yes(""),
            Err(err) => Err(err),
            Ok(_) => no("a deleted object can still be read"),
        }
    }

    async fn versions(&self) -> Result<Seen> {
        let key = self.key("versions");
        for text in ["first", "second"] {
            self.put("versions", text, PutMode::Overwrite).await?;
        }
        self.store.delete(&key).await?;
        let versions = self.store.list_versions(&key).await?;
        let (markers, contents): (Vec<_>, Vec<_>) =
            versions.iter().partition(|version| version.is_delete_marker);
        if markers.is_empty() || contents.len() < 2 {
            let (contents, markers) = (contents.len(), markers.len());
            return no(format!(
                "of two puts and a delete {contents} versions and {markers} delete markers stay"
            ));
        }
        for version in contents {
            let bytes = self.store.get_version(&key, &version.version, 1 << 10).await?;
            if bytes != "first" && bytes != "second" {
                return no("a version has other bytes than were put");
            }
        }
        yes("")
    }

    async fn object_lock(&self) -> Result<Seen> {
        let Some(rule) = self.rule else {
            return Ok((CheckOutcome::NotAsked, "no object_lock is configured".to_owned()));
        };
        // A lock begins by our clock and ends by that of the store.
        let window = LOCK_WINDOW + self.offset.unwrap_or_default().max(TimeDelta::zero());
        let locking = self.store.locking(Some(LockRule { window, ..rule }))?;
        let key = self.key("locked");
        locking.put(&key, Body::bytes("locked"), PutMode::Overwrite).await?;
        let version = self.newest("locked").await?;
        let Some(retention) = locking.lock_of(&key, &version).await?.and_then(|lock| lock.retention) else {
            return no("a put with a lock is stored without one");
        };
        if retention.mode != rule.mode {
            return no(format!("it locks by the mode {} instead of {}", retention.mode, rule.mode));
        }
        match locking.delete_version(&key, &version).await {
            Ok(()) => no("a locked version was deleted"),
            Err(err) if err.kind == ErrorKind::Locked => {
                locking.head_version(&key, &version).await?;
                yes(format!("a delete of a version locked until {} is refused", rfc3339(retention.until)))
            }
            Err(err) => Err(err),
        }
    }

    async fn default_lock(&self) -> Result<Seen> {
        if self.rule.is_none() {
            return Ok((CheckOutcome::NotAsked, "no object_lock is configured".to_owned()));
        }
        self.put_new("unlocked", "x").await?;
        let version = self.newest("unlocked").await?;
        match self.store.lock_of(&self.key("unlocked"), &version).await? {
            Some(lock) => yes(format!("an object put without a lock: {}", lock.describe())),
            None => no(""),
        }
    }

    /// Deletes the objects of this probe, and those of older ones that no probe uses any more.
    async fn clean_up(&mut self, clock: &dyn Clock, limits: &Limits) -> Vec<LeftObject> {
        let now = clock.now() + self.offset.unwrap_or_default();
        let own = format!("{}.", self.area);
        let stale_after = TimeDelta::from_std(limits.max_run).unwrap_or(TimeDelta::MAX);
        let is_stale = |at: Option<Timestamp>| at.is_none_or(|at| now - at > stale_after);
        let mut left = Vec::new();
        let mut removed = 0_u32;
        let check = Self::timed(CheckName::CleanUp, async {
            for version in self.store.list_versions(&self.scratch).await? {
                if !version.key.starts_with(&own) && !is_stale(version.modified) {
                    continue;
                }
                match self.store.delete_version(&version.key, &version.version).await {
                    Ok(()) => removed += 1,
                    Err(err) => {
                        let (why, is_locked) = (in_one_line(&err), err.kind == ErrorKind::Locked);
                        left.push(LeftObject { key: version.key, version: version.version, why, is_locked });
                    }
                }
            }
            match left.len() {
                0 => yes(format!("{removed} scratch objects deleted")),
                count => no(format!("{removed} scratch objects deleted, {count} left")),
            }
        })
        .await;
        self.checks.push(check);
        left
    }
}

const WRITTEN: &str = "prismvault tries what this store does";

fn in_one_line(err: &StoreError) -> String {
    match std::error::Error::source(err) {
        Some(cause) => format!("{err}: {cause}"),
        None => err.to_string(),
    }
}
