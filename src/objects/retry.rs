//! The one layer that tries requests to a replica again.
//!
//! Reads, deletes and overwriting puts are simply repeated: doing them twice is doing them once.
//! A create-only put is not like that. When its answer is lost it may have happened, and then the
//! next attempt meets its own object. So after an attempt that ended [`ErrorKind::Unknown`], an
//! [`ErrorKind::AlreadyExists`] is looked into: an object with the size and digest of the body
//! is what was wanted, whoever wrote it; anything else belongs to another writer.
//!
//! Invariant: a write that may have happened is never reported as one that has not. Once an
//! attempt was unknown, a later failure leaves the whole unknown, unless it tells itself that
//! nothing has happened ([`ErrorKind::Locked`]).

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::{
    Abilities, Body, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces, PlaceFacts,
    PutMode, Result, StoreError, VersionId, check_key, lock,
};
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::limits::Limits;
use crate::progress::{Progress, Silent, Wait, Waiting, notice_after};
use crate::retry::Backoff;

/// A store that tries again what failed for a reason that passes.
#[derive(Debug, Clone)]
pub struct RetryStore {
    inner: Arc<dyn ObjectStore>,
    backoff: Backoff,
    progress: Arc<dyn Progress>,
    /// Time after which people are told that an object is still being sent.
    notice: Duration,
    /// Most bytes read at once where a stored object must be compared by reading it.
    range_bytes: u64,
}

impl RetryStore {
    /// Returns `inner` with [`Limits::store_attempts`] attempts and the pauses of the limits.
    pub fn new(inner: Arc<dyn ObjectStore>, limits: &Limits) -> Self {
        let backoff =
            Backoff { min: limits.backoff_min, max: limits.backoff_max, attempts: limits.store_attempts };
        Self {
            inner,
            backoff,
            progress: Arc::new(Silent),
            notice: limits.silence_noticed,
            range_bytes: limits.range_bytes.max(1),
        }
    }

    /// Tells `progress` of the pauses, and of objects that take long to be sent.
    #[must_use]
    pub fn telling(self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self }
    }

    /// Repeats `attempt` until it succeeds, fails for good, or none is left.
    async fn repeat<T, F>(&self, attempt: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let mut failed = 0;
        let mut unknown = false;
        loop {
            let err = match attempt().await {
                Ok(value) => return Ok(value),
                Err(err) => err,
            };
            failed += 1;
            unknown |= err.kind == ErrorKind::Unknown;
            self.pause(failed, unknown, err).await?;
        }
    }

    /// Waits for the next attempt, or returns the error when it cannot help or none is left.
    async fn pause(&self, failed: u32, unknown: bool, err: StoreError) -> Result<()> {
        let pause = if err.is_transient() { self.backoff.pause(failed) } else { None };
        let Some(pause) = pause else {
            // What is locked is there: no earlier attempt has deleted it.
            let unknown = unknown && err.kind != ErrorKind::Locked;
            return Err(if unknown { err.possibly_done() } else { err });
        };
        tracing::info!(attempt = failed, ?pause, error = %err, "trying again");
        let (attempt, attempts) = (failed + 1, self.backoff.attempts);
        let why = format!("{}: {}", self.inner, err.in_brief());
        let _waiting = Waiting::begin(&self.progress, Wait::Retry { why, pause, attempt, attempts });
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Sends an object once; a slow line is not to look like silence.
    async fn send(&self, key: &str, body: &Body, mode: PutMode) -> Result<ObjectMeta> {
        let (to, bytes) = (&self.inner, body.len());
        let wait = || Wait::Upload { to: to.to_string(), bytes, taken: self.notice };
        notice_after(&self.progress, self.notice, wait, to.put(key, body.clone(), mode)).await
    }

    async fn create(&self, key: &str, body: &Body) -> Result<ObjectMeta> {
        let mut failed = 0;
        let mut unknown = false;
        loop {
            let err = match self.send(key, body, PutMode::CreateOnly).await {
                Ok(meta) => return Ok(meta),
                Err(err) => err,
            };
            failed += 1;
            if unknown && err.kind == ErrorKind::AlreadyExists {
                return match self.same(key, body).await {
                    Ok(Some(meta)) => Ok(meta),
                    Ok(None) => Err(err),
                    Err(compared) => Err(compared.possibly_done()),
                };
            }
            unknown |= err.kind == ErrorKind::Unknown;
            self.pause(failed, unknown, err).await?;
        }
    }

    /// Returns the object under `key` when it is the same as `body`.
    async fn same(&self, key: &str, body: &Body) -> Result<Option<ObjectMeta>> {
        let meta = self.head(key).await?;
        if meta.size != body.len() {
            return Ok(None);
        }
        let stored = match meta.sha256 {
            Some(stored) => stored,
            None => self.digest(key, meta.size).await?,
        };
        Ok((stored == body.sha256()).then_some(meta))
    }

    /// Reads an object in pieces for its digest.
    async fn digest(&self, key: &str, size: u64) -> Result<Digest> {
        let mut hasher = Sha256::new();
        let mut start = 0;
        while start < size {
            let end = size.min(start + self.range_bytes);
            let piece = self.get_range(key, start..end).await?;
            // Hashing a piece takes milliseconds: too long for the async threads.
            let hashed = tokio::task::spawn_blocking(move || hasher.chain_update(&piece)).await;
            hasher = match hashed {
                Ok(hasher) => hasher,
                Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
                Err(_) => {
                    let reason = "the process is shutting down";
                    return Err(StoreError::new(ErrorKind::Unknown, "write", key, self, reason));
                }
            };
            start = end;
        }
        Ok(Digest(hasher.finalize().into()))
    }
}

/// What is still to come of an object that is read in pieces.
struct Rest {
    store: RetryStore,
    key: String,
    range: Range<u64>,
    /// `None` after one that failed.
    pieces: Option<Pieces>,
    failed: u32,
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        loop {
            let error = match self.piece().await {
                Ok(Some(piece)) => {
                    self.range.start += piece.len() as u64;
                    return Ok(Some((piece, self)));
                }
                Ok(None) => return Ok(None),
                Err(error) => error,
            };
            // It holds its place among the requests that the store takes at once.
            self.pieces = None;
            self.failed += 1;
            self.store.pause(self.failed, false, error).await?;
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            // It failed when all that was asked for had come.
            None if self.range.is_empty() => return Ok(None),
            none => none.insert(self.store.inner.get_pieces(&self.key, self.range.clone()).await?),
        };
        pieces.next().await.transpose()
    }
}

impl fmt::Display for RetryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for RetryStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    // A key that no store takes is refused before the first attempt: such a write has not happened.

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        check_key("write", key, self)?;
        match mode {
            PutMode::CreateOnly => self.create(key, &body).await,
            PutMode::Overwrite => self.repeat(|| self.send(key, &body, mode)).await,
        }
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        self.repeat(|| self.inner.get(key, max)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.repeat(|| self.inner.get_range(key, range.clone())).await
    }

    /// When a piece fails for a reason that passes, the rest is asked for again from there on.
    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let pieces = self.repeat(|| self.inner.get_pieces(key, range.clone())).await?;
        let rest = Rest { store: self.clone(), key: key.to_owned(), range, pieces: Some(pieces), failed: 0 };
        Ok(stream::try_unfold(rest, Rest::next).boxed())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        self.repeat(|| self.inner.head(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.repeat(|| self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key("delete", key, self)?;
        self.repeat(|| self.inner.delete(key)).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        self.repeat(|| self.inner.server_time()).await
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        self.repeat(|| self.inner.list_versions(prefix)).await
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        self.repeat(|| self.inner.get_version(key, version, max)).await
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        self.repeat(|| self.inner.get_range_version(key, version, range.clone())).await
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        self.repeat(|| self.inner.head_version(key, version)).await
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        check_key("delete", key, self)?;
        self.repeat(|| self.inner.delete_version(key, version)).await
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        self.repeat(|| self.inner.lock_of(key, version)).await
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        check_key(lock::EXTEND, key, self)?;
        self.repeat(|| self.inner.extend_lock(key, version, until)).await
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        self.repeat(|| self.inner.place_facts()).await
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished()
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let inner = self.inner.locking(rule)?;
        Ok(Arc::new(Self {
            inner,
            backoff: self.backoff,
            range_bytes: self.range_bytes,
            notice: self.notice,
            progress: Arc::clone(&self.progress),
        }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::LockMode;
    use crate::objects::counting::CountingStore;
    use crate::objects::faults::{Fault, FaultRule, FaultStore};
    use crate::objects::memory::MemoryStore;
    use crate::objects::operation::Operation;

    struct Setup {
        memory: MemoryStore,
        faults: FaultStore,
        counting: CountingStore,
        store: RetryStore,
    }

    /// Limits without pauses between attempts.
    fn impatient() -> Limits {
        Limits { backoff_min: Duration::ZERO, backoff_max: Duration::ZERO, ..Limits::default() }
    }

    fn setup_with(abilities: Abilities) -> Setup {
        let memory = MemoryStore::new("m", Arc::new(SystemClock)).with_abilities(abilities);
        let faults = FaultStore::new(Arc::new(memory.clone()));
        let counting = CountingStore::new(Arc::new(faults.clone()));
        let limits = Limits { range_bytes: 3, ..impatient() };
        let store = RetryStore::new(Arc::new(counting.clone()), &limits);
        Setup { memory, faults, counting, store }
    }

    fn setup() -> Setup {
        setup_with(Abilities { create_only: true, stored_checksums: true, ..Abilities::NONE })
    }

    /// Puts an object of three pieces and reads it in pieces.
    async fn read_in_pieces(setup: &Setup, rule: FaultRule) -> Result<bool> {
        let bytes: Vec<u8> = (0..(2 << 20) + 9_u32).map(|at| (at % 253) as u8).collect();
        let body = Body::bytes(bytes.clone());
        setup.memory.put("a", body, PutMode::Overwrite).await.unwrap();
        setup.faults.add(rule.on(Operation::GetRange));
        let pieces = setup.store.get_pieces("a", 5..bytes.len() as u64).await?;
        let read: Vec<Bytes> = pieces.try_collect().await?;
        Ok(read.concat() == bytes[5..])
    }

    #[tokio::test]
    async fn pieces_go_on_where_they_were_cut_off() {
        let failing = FaultRule::new(Fault::Fail(ErrorKind::Transient));
        for (rule, calls) in [
            (failing.clone().from(2).times(1), 2),
            (failing.clone().from(3).times(2), 3),
            (failing.clone().times(1), 2),
        ] {
            let setup = setup();
            assert!(read_in_pieces(&setup, rule).await.unwrap());
            let counts = setup.counting.counts();
            assert_eq!(counts.of(Operation::GetRange), calls);
            assert_eq!(counts.bytes_read, (2 << 20) + 4, "nothing is read twice");
        }
        let setup = setup();
        let err = read_in_pieces(&setup, failing.from(2)).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Transient);
        assert_eq!(
            setup.counting.counts().of(Operation::GetRange),
            u64::from(Limits::default().store_attempts)
        );
        let denied = FaultRule::new(Fault::Fail(ErrorKind::Denied)).from(2);
        assert_eq!(read_in_pieces(&super::tests::setup(), denied).await.unwrap_err().kind, ErrorKind::Denied);
    }

    #[tokio::test]
    async fn a_read_that_fails_for_a_while_succeeds_and_one_that_always_fails_ends() {
        let Setup { memory, faults, counting, store } = setup();
        memory.put("a", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        faults.add(FaultRule::new(Fault::Fail(ErrorKind::Transient)).on(Operation::Get).times(4));
        assert_eq!(store.get("a", 9).await.unwrap(), "x");
        assert_eq!(counting.take_counts().of(Operation::Get), 5);

        faults.add(FaultRule::new(Fault::Fail(ErrorKind::Transient)).on(Operation::Get));
        assert_eq!(store.get("a", 9).await.unwrap_err().kind, ErrorKind::Transient);
        assert_eq!(counting.counts().of(Operation::Get), 5);
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_tried_again() {
        for kind in [ErrorKind::Denied, ErrorKind::NoSpace, ErrorKind::Corrupt, ErrorKind::Permanent] {
            let Setup { faults, counting, store, .. } = setup();
            faults.add(FaultRule::new(Fault::Fail(kind)));
            for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
                assert_eq!(store.put("a", Body::bytes("x"), mode).await.unwrap_err().kind, kind);
            }
            assert_eq!(counting.counts().calls(), 2);
        }
    }

    #[tokio::test]
    async fn a_create_whose_answer_was_lost_has_succeeded() {
        for stored_checksums in [true, false] {
            let Setup { faults, store, memory, .. } =
                setup_with(Abilities { create_only: true, stored_checksums, ..Abilities::NONE });
            faults.add(FaultRule::new(Fault::LoseAnswer).on(Operation::Put).times(1));
            let meta = store.put("a", Body::bytes("mine, all of it"), PutMode::CreateOnly).await.unwrap();
            assert_eq!((meta.size, memory.len()), (15, 1));
        }
    }

    #[tokio::test]
    async fn a_create_that_met_the_object_of_another_writer_has_not() {
        for stored_checksums in [true, false] {
            let Setup { faults, store, memory, .. } =
                setup_with(Abilities { create_only: true, stored_checksums, ..Abilities::NONE });
            memory.put("a", Body::bytes("theirs"), PutMode::CreateOnly).await.unwrap();
            for body in ["mine..", "of another size"] {
                faults.add(FaultRule::new(Fault::Fail(ErrorKind::Unknown)).on(Operation::Put).times(1));
                let err = store.put("a", Body::bytes(body), PutMode::CreateOnly).await.unwrap_err();
                assert_eq!(err.kind, ErrorKind::AlreadyExists);
            }
            assert_eq!(memory.get("a", 9).await.unwrap(), "theirs");
        }
    }

    #[tokio::test]
    async fn an_object_that_was_there_before_the_first_attempt_is_refused_at_once() {
        let Setup { counting, store, memory, .. } = setup();
        memory.put("a", Body::bytes("same"), PutMode::CreateOnly).await.unwrap();
        let err = store.put("a", Body::bytes("same"), PutMode::CreateOnly).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::AlreadyExists);
        assert_eq!(counting.counts().calls(), 1);
    }

    #[tokio::test]
    async fn a_write_that_may_have_happened_is_not_reported_as_one_that_has_not() {
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            let Setup { faults, store, .. } = setup();
            faults.add(FaultRule::new(Fault::LoseAnswer).on(Operation::Put).times(1));
            faults.add(FaultRule::new(Fault::Fail(ErrorKind::Denied)).on(Operation::Put).from(2));
            let err = store.put("a", Body::bytes("x"), mode).await.unwrap_err();
            assert_eq!(err.kind, ErrorKind::Unknown);
            assert!(err.to_string().contains("may have happened"), "{err}");
        }
    }

    #[tokio::test]
    async fn what_is_locked_has_not_been_deleted_whatever_an_earlier_attempt_met() {
        let rule = LockRule { mode: LockMode::Governance, window: chrono::TimeDelta::days(1) };
        let memory = MemoryStore::new("m", Arc::new(SystemClock)).with_locks(Some(rule));
        memory.put("a", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        let version = memory.list_versions("a").await.unwrap()[0].version.clone();
        let faults = FaultStore::new(Arc::new(memory));
        faults.add(FaultRule::new(Fault::Fail(ErrorKind::Unknown)).on(Operation::DeleteVersion).times(2));
        let store = RetryStore::new(Arc::new(faults), &impatient());
        let err = store.delete_version("a", &version).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::Locked, "{err}");
        assert!(!err.to_string().contains("may have happened"), "{err}");
    }

    #[tokio::test]
    async fn a_delete_whose_answer_was_lost_is_repeated() {
        let Setup { faults, store, memory, counting } = setup();
        memory.put("a", Body::bytes("x"), PutMode::CreateOnly).await.unwrap();
        faults.add(FaultRule::new(Fault::LoseAnswer).on(Operation::Delete).times(2));
        store.delete("a").await.unwrap();
        assert!(memory.is_empty());
        assert_eq!(counting.counts().of(Operation::Delete), 3);
    }

    /// What was waited for.
    #[derive(Default)]
    struct Told(std::sync::Mutex<Vec<Wait>>);

    impl Progress for Told {
        fn start(&self, _phase: crate::progress::Phase, _total: Option<u64>) {}
        fn advance(&self, _phase: crate::progress::Phase, _items: u64, _bytes: u64) {}
        fn finish(&self, _phase: crate::progress::Phase) {}
        fn problem(&self, _problem: &crate::progress::Problem) {}

        fn wait_begins(&self, wait: &Arc<Wait>) {
            self.0.lock().unwrap().push(Wait::clone(wait));
        }
    }

    // The clock stands still while something is done, so that a busy machine makes nothing slow.
    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_being_sent_for_long_is_told_of_and_a_quick_one_is_not() {
        let limits = Limits { silence_noticed: Duration::from_millis(1), ..impatient() };
        let faults = FaultStore::new(Arc::new(MemoryStore::new("far", Arc::new(SystemClock))));
        faults.add(FaultRule::new(Fault::Delay(Duration::from_millis(50))).key_containing("slow"));
        let told = Arc::new(Told::default());
        let progress: Arc<dyn Progress> = Arc::<Told>::clone(&told);
        let store = RetryStore::new(Arc::new(faults), &limits).telling(progress);
        store.put("quick", Body::bytes("four"), PutMode::CreateOnly).await.unwrap();
        assert_eq!(*told.0.lock().unwrap(), []);
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            store.put("slow", Body::bytes("four"), mode).await.unwrap();
        }
        let told = told.0.lock().unwrap();
        let [Wait::Upload { to, bytes: 4, .. }, Wait::Upload { .. }] = &told[..] else { panic!("{told:?}") };
        assert!(to.contains("far"), "{to}");
    }
}
