//! A store that fails on purpose, the same way every time: for rehearsals and for tests.
//!
//! Five means, which combine:
//! - [`FaultRule`]: the k-th call that matches fails, loses its answer, loses or changes bytes, or
//!   waits.
//! - [`Condition`]: everything is refused for one reason until it is switched back.
//! - [`Chaos`]: every call is struck with a probability, drawn from a seed.
//! - [`FaultStore::set_clock_offset`], [`FaultStore::set_list_lag`]: a wrong clock, and listings that
//!   miss new keys for a while.
//! - [`CrashSwitch`]: from the k-th write on everything fails, as if the process had died. One
//!   switch serves all replicas of a vault, because one process writes to them all.
//!
//! Calls are counted in the order in which they begin. What has failed "before" has not reached
//! the inner store. It waits only where a rule or chaos says so.

mod chaos;
mod crash;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::TryStreamExt as _;

pub use self::chaos::Chaos;
use self::chaos::Dice;
use self::crash::Passage;
pub use self::crash::{CrashPoint, CrashSwitch};
use super::operation::Operation;
use super::{
    Abilities, Body, BodySource, ErrorKind, Lock, LockRule, ObjectMeta, ObjectStore, ObjectVersion, Pieces,
    PlaceFacts, PutMode, Result, StoreError, VersionId, pieces,
};
use crate::clock::Timestamp;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this kind and does nothing.
    Fail(ErrorKind),
    /// It is carried out, but its answer is lost: [`ErrorKind::Unknown`] for a write, otherwise
    /// [`ErrorKind::Transient`].
    LoseAnswer,
    /// Half of the bytes are lost and nobody says so, which no store may do: a read returns the
    /// first half, a put stores the first half and reports success. It does not concern other
    /// operations.
    CutBody,
    /// One bit of what is read or put is another, and nobody says so. It does not concern other
    /// operations.
    FlipBit,
    /// The second half of a listing is missing, and nobody says so. It does not concern other
    /// operations.
    PartialList,
    /// It is carried out after so long.
    Delay(Duration),
}

/// Which calls a fault befalls: all that match, unless narrowed down.
#[derive(Debug, Clone)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<Operation>,
    key_part: String,
    first: u64,
    count: u64,
    seen: u64,
}

impl FaultRule {
    /// Returns a rule for every call.
    pub fn new(fault: Fault) -> Self {
        Self { fault, operation: None, key_part: String::new(), first: 1, count: u64::MAX, seen: 0 }
    }

    /// Only calls of this operation.
    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Only calls whose key or prefix contains this text.
    #[must_use]
    pub fn key_containing(self, part: &str) -> Self {
        Self { key_part: part.to_owned(), ..self }
    }

    /// From the n-th matching call on, counted from 1.
    #[must_use]
    pub fn from(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// For so many calls, then no more.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// Counts a call; whether the fault befalls it.
    fn strikes(&mut self, operation: Operation, key: &str) -> bool {
        if self.operation.is_some_and(|only| only != operation) || !key.contains(&self.key_part) {
            return false;
        }
        self.seen += 1;
        self.seen >= self.first && self.seen - self.first < self.count
    }
}

/// A lasting condition of a store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Everything works.
    #[default]
    Healthy,
    /// Writes are [`ErrorKind::Denied`], reads work.
    ReadOnly,
    /// Everything is [`ErrorKind::Denied`].
    Denied,
    /// Puts are [`ErrorKind::NoSpace`]; the rest works, deleting too.
    NoSpace,
    /// Everything is [`ErrorKind::Transient`], for as long as it lasts.
    Unreachable,
}

/// A store that fails on purpose. Clones share rules and condition.
#[derive(Debug, Clone)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    crash: CrashSwitch,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<FaultRule>,
    condition: Condition,
    dice: Option<Dice>,
    clock_offset: TimeDelta,
    list_lag: u32,
    /// Keys that listings do not show yet, and how often each is still left out.
    unlisted: BTreeMap<String, u32>,
}

impl FaultStore {
    /// Returns `inner`, healthy and without rules.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, crash: CrashSwitch::never(), state: Arc::default() }
    }

    /// Lets the store die with others.
    #[must_use]
    pub fn with_crash(self, crash: CrashSwitch) -> Self {
        Self { crash, ..self }
    }

    /// Adds a rule. Each rule counts every call that it matches; of several that strike at once
    /// the first added decides.
    pub fn add(&self, rule: FaultRule) {
        self.lock().rules.push(rule);
    }

    /// Forgets all rules, chaos, and what is wrong with clock and listings.
    pub fn clear(&self) {
        let condition = self.lock().condition;
        *self.lock() = State { condition, ..State::default() };
    }

    /// Changes the condition.
    pub fn set_condition(&self, condition: Condition) {
        self.lock().condition = condition;
    }

    /// Strikes calls by chance from now on; a rule that strikes too decides.
    pub fn set_chaos(&self, chaos: Chaos) {
        self.lock().dice = Some(Dice::new(chaos));
    }

    /// Lets the store's clock be wrong by `offset`.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.lock().clock_offset = offset;
    }

    /// Lets a key that is put from now on be missing from so many listings that should show it.
    pub fn set_list_lag(&self, listings: u32) {
        self.lock().list_lag = listings;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    /// Says what befalls a call.
    fn fault(&self, operation: Operation, key: &str) -> (Option<Fault>, Option<Duration>, u64) {
        let mut state = self.lock();
        let mut fault = None;
        for rule in &mut state.rules {
            if rule.strikes(operation, key) {
                fault = fault.or(Some(rule.fault));
            }
        }
        let cast = state.dice.as_mut().map(|dice| dice.cast(operation, key)).unwrap_or_default();
        let fault = fault.or(cast.fault);
        let fault = match state.condition {
            Condition::Healthy => fault,
            Condition::ReadOnly if operation.writes() => Some(Fault::Fail(ErrorKind::Denied)),
            Condition::NoSpace if operation == Operation::Put => Some(Fault::Fail(ErrorKind::NoSpace)),
            Condition::ReadOnly | Condition::NoSpace => fault,
            Condition::Denied => Some(Fault::Fail(ErrorKind::Denied)),
            Condition::Unreachable => Some(Fault::Fail(ErrorKind::Transient)),
        };
        match fault {
            Some(Fault::Delay(delay)) => (None, Some(delay), cast.place),
            fault => (fault, cast.delay, cast.place),
        }
    }

    fn error(&self, kind: ErrorKind, operation: Operation, key: &str, why: &str) -> StoreError {
        StoreError::new(kind, operation.verb(), key, self, why)
    }

    fn dead(&self, operation: Operation, key: &str) -> StoreError {
        self.error(ErrorKind::Permanent, operation, key, "the process has crashed, as rehearsed")
    }

    /// Begins a call; fails it when it is not to reach the inner store.
    async fn begin(&self, operation: Operation, key: &str) -> Result<Ticket> {
        let passage = self.crash.pass(operation);
        if passage == Passage::Dead {
            return Err(self.dead(operation, key));
        }
        let crashes = passage == Passage::CrashesAfter;
        let (fault, delay, place) = self.fault(operation, key);
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        match fault {
            Some(Fault::Fail(kind)) => {
                let failed = Err(self.error(kind, operation, key, "it fails, as rehearsed"));
                self.end(operation, key, Ticket { crashes, ..Ticket::default() }, failed)
            }
            fault => Ok(Ticket { fault, crashes, place }),
        }
    }

    /// Ends a call with what the inner store answered.
    fn end<T>(&self, operation: Operation, key: &str, ticket: Ticket, result: Result<T>) -> Result<T> {
        let mut crash = self.crash.lock();
        crash.crashed |= ticket.crashes;
        // An answer that arrives after the crash reaches nobody.
        if crash.crashed {
            return Err(self.dead(operation, key));
        }
        if ticket.fault == Some(Fault::LoseAnswer) && result.is_ok() {
            let kind = if operation.writes() { ErrorKind::Unknown } else { ErrorKind::Transient };
            return Err(self.error(kind, operation, key, "the answer is lost, as rehearsed"));
        }
        result
    }

    /// Puts what is left of a body, and reports the put of the whole.
    async fn put_damaged(&self, key: &str, body: &Body, mode: PutMode, ticket: Ticket) -> Result<ObjectMeta> {
        let bytes = match body.source() {
            BodySource::Bytes(bytes) => bytes.clone(),
            BodySource::File(spool) => {
                tokio::fs::read(&spool.path).await.map(Bytes::from).map_err(|err| {
                    let why = "the spool file of the body cannot be read";
                    self.error(ErrorKind::Permanent, Operation::Put, key, why).because(err)
                })?
            }
            BodySource::Object(object) => {
                let mut pieces = object.pieces(body.len()).await?;
                let mut bytes = Vec::new();
                while let Some(piece) = pieces.try_next().await? {
                    bytes.extend_from_slice(&piece);
                }
                bytes.into()
            }
        };
        let stored = self.inner.put(key, Body::bytes(ticket.damage(bytes)), mode).await;
        stored.map(|meta| ObjectMeta { size: body.len(), sha256: meta.sha256.map(|_| body.sha256()), ..meta })
    }

    /// Notes a key that listings are not to show yet, if it is a new one.
    async fn note_new(&self, key: &str) {
        let lag = self.lock().list_lag;
        if lag > 0 && self.inner.head(key).await.is_err_and(|err| err.kind == ErrorKind::NotFound) {
            self.lock().unlisted.insert(key.to_owned(), lag);
        }
    }

    /// Leaves out of a listing what it is not to show.
    fn listed<T>(&self, ticket: Ticket, result: Result<Vec<T>>, key_of: fn(&T) -> &str) -> Result<Vec<T>> {
        let mut items = result?;
        let mut state = self.lock();
        // A key with several versions is left out once for all of them.
        let mut left_out = Vec::new();
        items.retain(|item| {
            let Some(times) = state.unlisted.get_mut(key_of(item)) else {
                return !left_out.iter().any(|key| key == key_of(item));
            };
            *times -= 1;
            left_out.push(key_of(item).to_owned());
            if *times == 0 {
                state.unlisted.remove(key_of(item));
            }
            false
        });
        if ticket.fault == Some(Fault::PartialList) {
            items.truncate(items.len() / 2);
        }
        Ok(items)
    }
}

/// What befalls a call that reaches the inner store.
#[derive(Debug, Default, Clone, Copy)]
struct Ticket {
    fault: Option<Fault>,
    crashes: bool,
    /// Decides which bit flips.
    place: u64,
}

impl Ticket {
    fn damages(self) -> bool {
        matches!(self.fault, Some(Fault::CutBody | Fault::FlipBit))
    }

    fn damage(self, bytes: Bytes) -> Bytes {
        match self.fault {
            Some(Fault::CutBody) => bytes.slice(..bytes.len() / 2),
            Some(Fault::FlipBit) if !bytes.is_empty() => {
                let mut bytes = bytes.to_vec();
                let bit = self.place % (bytes.len() as u64 * 8);
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                bytes.into()
            }
            _ => bytes,
        }
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> Result<ObjectMeta> {
        let ticket = self.begin(Operation::Put, key).await?;
        self.note_new(key).await;
        let result = match ticket.damages() {
            true => self.put_damaged(key, &body, mode, ticket).await,
            false => self.inner.put(key, body, mode).await,
        };
        self.end(Operation::Put, key, ticket, result)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let ticket = self.begin(Operation::Get, key).await?;
        let result = self.inner.get(key, max).await.map(|bytes| ticket.damage(bytes));
        self.end(Operation::Get, key, ticket, result)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let ticket = self.begin(Operation::GetRange, key).await?;
        let result = self.inner.get_range(key, range).await.map(|bytes| ticket.damage(bytes));
        self.end(Operation::GetRange, key, ticket, result)
    }

    /// Rules and chaos strike each piece as the call that reads it.
    async fn get_pieces(&self, key: &str, range: Range<u64>) -> Result<Pieces> {
        let (store, key) = (self.clone(), key.to_owned());
        pieces::by_ranges(range, move |range| {
            let (store, key) = (store.clone(), key.clone());
            async move { store.get_range(&key, range).await }
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let ticket = self.begin(Operation::Head, key).await?;
        let result = self.inner.head(key).await;
        self.end(Operation::Head, key, ticket, result)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let ticket = self.begin(Operation::List, prefix).await?;
        let result = self.listed(ticket, self.inner.list(prefix).await, |meta| &meta.key);
        self.end(Operation::List, prefix, ticket, result)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let ticket = self.begin(Operation::Delete, key).await?;
        let result = self.inner.delete(key).await;
        self.end(Operation::Delete, key, ticket, result)
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let ticket = self.begin(Operation::ServerTime, "").await?;
        let offset = self.lock().clock_offset;
        let result = self.inner.server_time().await.map(|time| time.map(|time| time + offset));
        self.end(Operation::ServerTime, "", ticket, result)
    }

    async fn list_versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>> {
        let ticket = self.begin(Operation::ListVersions, prefix).await?;
        let result = self.listed(ticket, self.inner.list_versions(prefix).await, |version| &version.key);
        self.end(Operation::ListVersions, prefix, ticket, result)
    }

    async fn get_version(&self, key: &str, version: &VersionId, max: u64) -> Result<Bytes> {
        let ticket = self.begin(Operation::GetVersion, key).await?;
        let result = self.inner.get_version(key, version, max).await.map(|bytes| ticket.damage(bytes));
        self.end(Operation::GetVersion, key, ticket, result)
    }

    async fn get_range_version(&self, key: &str, version: &VersionId, range: Range<u64>) -> Result<Bytes> {
        let ticket = self.begin(Operation::GetRangeVersion, key).await?;
        let result =
            self.inner.get_range_version(key, version, range).await.map(|bytes| ticket.damage(bytes));
        self.end(Operation::GetRangeVersion, key, ticket, result)
    }

    async fn head_version(&self, key: &str, version: &VersionId) -> Result<ObjectMeta> {
        let ticket = self.begin(Operation::HeadVersion, key).await?;
        let result = self.inner.head_version(key, version).await;
        self.end(Operation::HeadVersion, key, ticket, result)
    }

    async fn delete_version(&self, key: &str, version: &VersionId) -> Result<()> {
        let ticket = self.begin(Operation::DeleteVersion, key).await?;
        let result = self.inner.delete_version(key, version).await;
        self.end(Operation::DeleteVersion, key, ticket, result)
    }

    async fn lock_of(&self, key: &str, version: &VersionId) -> Result<Option<Lock>> {
        let ticket = self.begin(Operation::LockOf, key).await?;
        let result = self.inner.lock_of(key, version).await;
        self.end(Operation::LockOf, key, ticket, result)
    }

    async fn extend_lock(&self, key: &str, version: &VersionId, until: Timestamp) -> Result<()> {
        let ticket = self.begin(Operation::ExtendLock, key).await?;
        let result = self.inner.extend_lock(key, version, until).await;
        self.end(Operation::ExtendLock, key, ticket, result)
    }

    async fn place_facts(&self) -> Result<Option<PlaceFacts>> {
        let operation = Operation::PlaceFacts;
        let ticket = self.begin(operation, "").await?;
        let facts = self.inner.place_facts().await;
        self.end(operation, "", ticket, facts)
    }

    fn lock_rule(&self) -> Option<LockRule> {
        self.inner.lock_rule()
    }

    fn unfinished(&self) -> Option<PathBuf> {
        self.inner.unfinished()
    }

    fn locking(&self, rule: Option<LockRule>) -> Result<Arc<dyn ObjectStore>> {
        let inner = self.inner.locking(rule)?;
        Ok(Arc::new(Self { inner, crash: self.crash.clone(), state: Arc::clone(&self.state) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::objects::memory::MemoryStore;

    fn setup() -> (MemoryStore, FaultStore) {
        let memory = MemoryStore::new("m", Arc::new(SystemClock));
        (memory.clone(), FaultStore::new(Arc::new(memory)))
    }

    async fn put(store: &FaultStore, key: &str) -> Result<ObjectMeta> {
        store.put(key, Body::bytes("body"), PutMode::CreateOnly).await
    }

    #[tokio::test]
    async fn a_rule_strikes_the_calls_it_names_and_no_others() {
        let (memory, store) = setup();
        let fault = Fault::Fail(ErrorKind::NoSpace);
        store.add(FaultRule::new(fault).on(Operation::Put).key_containing("packs/").from(2).times(1));
        put(&store, "packs/1").await.unwrap();
        put(&store, "index/1").await.unwrap();
        assert_eq!(put(&store, "packs/2").await.unwrap_err().kind, ErrorKind::NoSpace);
        put(&store, "packs/3").await.unwrap();
        assert_eq!(memory.len(), 3);
    }

    #[tokio::test]
    async fn a_lost_answer_comes_after_the_work() {
        let (memory, store) = setup();
        store.add(FaultRule::new(Fault::LoseAnswer));
        assert_eq!(put(&store, "a").await.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(memory.len(), 1);
        assert_eq!(store.get("a", 9).await.unwrap_err().kind, ErrorKind::Transient);
        assert_eq!(put(&store, "a").await.unwrap_err().kind, ErrorKind::AlreadyExists);
        assert_eq!(store.delete("a").await.unwrap_err().kind, ErrorKind::Unknown);
        assert!(memory.is_empty());
    }

    #[tokio::test]
    async fn a_cut_body_is_half_of_it_and_called_a_success() {
        let (memory, store) = setup();
        store.add(FaultRule::new(Fault::CutBody).on(Operation::Put));
        assert_eq!(put(&store, "a").await.unwrap().size, 4);
        assert_eq!(memory.get("a", 9).await.unwrap(), "bo");
        store.clear();
        store.add(FaultRule::new(Fault::CutBody).on(Operation::Get));
        assert_eq!(store.get("a", 9).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn a_flipped_bit_is_one_bit_and_called_a_success() {
        let (memory, store) = setup();
        store.add(FaultRule::new(Fault::FlipBit).on(Operation::Put));
        put(&store, "a").await.unwrap();
        store.clear();
        let stored = store.get("a", 9).await.unwrap();
        let different: u32 = stored.iter().zip(b"body").map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((stored.len(), different), (4, 1));
        store.add(FaultRule::new(Fault::FlipBit).on(Operation::GetRange));
        assert_ne!(store.get_range("a", 0..4).await.unwrap(), stored);
        assert_eq!(memory.get("a", 9).await.unwrap(), stored);
    }

    #[tokio::test]
    async fn listings_can_be_cut_or_miss_new_keys_for_a_while() {
        let (_, store) = setup();
        for key in ["a/1", "a/2", "b/1"] {
            put(&store, key).await.unwrap();
        }
        store.add(FaultRule::new(Fault::PartialList).on(Operation::List).times(1));
        assert_eq!(store.list("").await.unwrap().len(), 1);
        assert_eq!(store.list("").await.unwrap().len(), 3);
        store.set_list_lag(2);
        put(&store, "a/3").await.unwrap();
        store.put("a/1", Body::bytes("again"), PutMode::Overwrite).await.unwrap();
        assert_eq!(store.list("b").await.unwrap().len(), 1);
        assert_eq!(store.list("a").await.unwrap().len(), 2);
        assert_eq!(store.list_versions("").await.unwrap().len(), 3);
        assert_eq!(store.list("a").await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_delay_is_waited_for_and_a_wrong_clock_is_told() {
        let (_, store) = setup();
        let right = store.server_time().await.unwrap().unwrap();
        store.set_clock_offset(TimeDelta::days(-1));
        let wrong = store.server_time().await.unwrap().unwrap();
        assert_eq!((wrong - right).num_hours(), -23);
        store.add(FaultRule::new(Fault::Delay(Duration::from_millis(7))).on(Operation::Put));
        let begun = tokio::time::Instant::now();
        put(&store, "a").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(7));
        assert_eq!(store.get("a", 9).await.unwrap(), "body");
    }

    #[tokio::test]
    async fn conditions_last_until_they_are_switched_back() {
        let (_, store) = setup();
        put(&store, "a").await.unwrap();
        use ErrorKind::{Denied, NoSpace, Transient};
        for (condition, write, read, delete) in [
            (Condition::ReadOnly, Some(Denied), None, Some(Denied)),
            (Condition::Denied, Some(Denied), Some(Denied), Some(Denied)),
            (Condition::NoSpace, Some(NoSpace), None, None),
            (Condition::Unreachable, Some(Transient), Some(Transient), Some(Transient)),
            (Condition::Healthy, None, None, None),
        ] {
            store.set_condition(condition);
            assert_eq!(put(&store, "b").await.err().map(|err| err.kind), write, "{condition:?}");
            assert_eq!(store.get("a", 9).await.err().map(|err| err.kind), read, "{condition:?}");
            assert_eq!(store.delete("none").await.err().map(|err| err.kind), delete, "{condition:?}");
        }
    }

    #[tokio::test]
    async fn a_crash_stops_all_stores_of_the_process_at_the_same_write() {
        for (point, stored) in [(CrashPoint::Before(3), 2), (CrashPoint::After(3), 3)] {
            let switch = CrashSwitch::at(point);
            let (left, one) = setup();
            let (right, other) = setup();
            let (one, other) = (one.with_crash(switch.clone()), other.with_crash(switch.clone()));
            put(&one, "a").await.unwrap();
            put(&other, "a").await.unwrap();
            one.list("").await.unwrap();
            assert!(!switch.has_crashed());
            assert_eq!(put(&one, "b").await.unwrap_err().kind, ErrorKind::Permanent);
            assert!(switch.has_crashed());
            assert!(put(&other, "b").await.is_err());
            assert!(other.list("").await.is_err());
            assert_eq!((left.len() + right.len(), switch.writes()), (stored, 3));
        }
    }
}
