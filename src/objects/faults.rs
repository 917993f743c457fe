//! A store that fails on purpose, the same way every time: for rehearsals and for tests.
//!
//! Three means, which combine:
//! - [`FaultRule`]: the k-th call that matches fails, loses its answer, or loses half of its bytes.
//! - [`Condition`]: everything is refused for one reason until it is switched back.
//! - [`CrashSwitch`]: from the k-th write on everything fails, as if the process had died. One
//!   switch serves all replicas of a vault, because one process writes to them all.
//!
//! Calls are counted in the order in which they begin. What has failed "before" has not reached
//! the inner store. Nothing here waits or draws random numbers.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::operation::Operation;
use super::{Abilities, Body, BodySource, ErrorKind, ObjectMeta, ObjectStore, PutMode, Result, StoreError};
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
    /// first half, a put stores the first half (of a body in memory; of one in a file nothing)
    /// and reports success. It does not concern other operations.
    CutBody,
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

/// Where a crash happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Instead of the n-th write (counted from 1), which does not happen.
    Before(u64),
    /// Right after the n-th write, which has happened but is not answered any more.
    After(u64),
}

/// Stops a "process": shared by the stores it writes to. Clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct CrashSwitch(Arc<Mutex<CrashState>>);

#[derive(Debug, Default)]
struct CrashState {
    point: Option<CrashPoint>,
    writes: u64,
    crashed: bool,
}

/// What a crash switch says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Free,
    /// The process ends with this call.
    CrashesAfter,
    Dead,
}

impl CrashSwitch {
    /// Returns a switch that never crashes and counts writes; so one learns how many there are.
    pub fn never() -> Self {
        Self::default()
    }

    /// Returns a switch that crashes there.
    pub fn at(point: CrashPoint) -> Self {
        Self(Arc::new(Mutex::new(CrashState { point: Some(point), ..CrashState::default() })))
    }

    /// Number of writes so far, those after the crash not counted.
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Whether the process is dead.
    pub fn has_crashed(&self) -> bool {
        self.lock().crashed
    }

    fn lock(&self) -> MutexGuard<'_, CrashState> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    fn pass(&self, operation: Operation) -> Passage {
        let mut state = self.lock();
        if state.crashed {
            return Passage::Dead;
        }
        if !operation.writes() {
            return Passage::Free;
        }
        state.writes += 1;
        match state.point {
            Some(CrashPoint::Before(n)) if state.writes >= n => {
                state.crashed = true;
                Passage::Dead
            }
            Some(CrashPoint::After(n)) if state.writes >= n => Passage::CrashesAfter,
            _ => Passage::Free,
        }
    }
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

    /// Forgets all rules.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Changes the condition.
    pub fn set_condition(&self, condition: Condition) {
        self.lock().condition = condition;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    /// Says what befalls a call.
    fn fault(&self, operation: Operation, key: &str) -> Option<Fault> {
        let mut state = self.lock();
        let mut fault = None;
        for rule in &mut state.rules {
            if rule.strikes(operation, key) {
                fault = fault.or(Some(rule.fault));
            }
        }
        match state.condition {
            Condition::Healthy => fault,
            Condition::ReadOnly if operation.writes() => Some(Fault::Fail(ErrorKind::Denied)),
            Condition::NoSpace if operation == Operation::Put => Some(Fault::Fail(ErrorKind::NoSpace)),
            Condition::ReadOnly | Condition::NoSpace => fault,
            Condition::Denied => Some(Fault::Fail(ErrorKind::Denied)),
            Condition::Unreachable => Some(Fault::Fail(ErrorKind::Transient)),
        }
    }

    fn error(&self, kind: ErrorKind, operation: Operation, key: &str, why: &str) -> StoreError {
        StoreError::new(kind, operation.verb(), key, self, why)
    }

    fn dead(&self, operation: Operation, key: &str) -> StoreError {
        self.error(ErrorKind::Permanent, operation, key, "the process has crashed, as rehearsed")
    }

    /// Begins a call; fails it when it is not to reach the inner store.
    fn begin(&self, operation: Operation, key: &str) -> Result<Ticket> {
        let passage = self.crash.pass(operation);
        if passage == Passage::Dead {
            return Err(self.dead(operation, key));
        }
        let crashes = passage == Passage::CrashesAfter;
        match self.fault(operation, key) {
            Some(Fault::Fail(kind)) => {
                let failed = Err(self.error(kind, operation, key, "it fails, as rehearsed"));
                self.end(operation, key, Ticket { crashes, ..Ticket::default() }, failed)
            }
            fault => {
                let loses_answer = fault == Some(Fault::LoseAnswer);
                Ok(Ticket { loses_answer, cuts: fault == Some(Fault::CutBody), crashes })
            }
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
        if ticket.loses_answer && result.is_ok() {
            let kind = if operation.writes() { ErrorKind::Unknown } else { ErrorKind::Transient };
            return Err(self.error(kind, operation, key, "the answer is lost, as rehearsed"));
        }
        result
    }

    /// Returns a body of the first half of the bytes.
    async fn half(&self, key: &str, body: &Body) -> Result<Body> {
        let bytes = match body.source() {
            BodySource::Bytes(bytes) => bytes.clone(),
            BodySource::File(spool) => {
                tokio::fs::read(&spool.path).await.map(Bytes::from).map_err(|err| {
                    let why = "the spool file of the body cannot be read";
                    self.error(ErrorKind::Permanent, Operation::Put, key, why).because(err)
                })?
            }
        };
        Ok(Body::bytes(first_half(&bytes)))
    }
}

/// What befalls a call that reaches the inner store.
#[derive(Debug, Default, Clone, Copy)]
struct Ticket {
    loses_answer: bool,
    cuts: bool,
    crashes: bool,
}

impl Ticket {
    fn cut(self, result: Result<Bytes>) -> Result<Bytes> {
        if self.cuts { result.map(|bytes| first_half(&bytes)) } else { result }
    }
}

fn first_half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
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
        let ticket = self.begin(Operation::Put, key)?;
        let result = if ticket.cuts {
            let announced = (body.len(), body.sha256());
            let half = self.half(key, &body).await?;
            let stored = self.inner.put(key, half, mode).await;
            stored.map(|meta| ObjectMeta {
                size: announced.0,
                sha256: meta.sha256.map(|_| announced.1),
                ..meta
            })
        } else {
            self.inner.put(key, body, mode).await
        };
        self.end(Operation::Put, key, ticket, result)
    }

    async fn get(&self, key: &str, max: u64) -> Result<Bytes> {
        let ticket = self.begin(Operation::Get, key)?;
        let result = self.inner.get(key, max).await;
        self.end(Operation::Get, key, ticket, ticket.cut(result))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let ticket = self.begin(Operation::GetRange, key)?;
        let result = self.inner.get_range(key, range).await;
        self.end(Operation::GetRange, key, ticket, ticket.cut(result))
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta> {
        let ticket = self.begin(Operation::Head, key)?;
        let result = self.inner.head(key).await;
        self.end(Operation::Head, key, ticket, result)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let ticket = self.begin(Operation::List, prefix)?;
        let result = self.inner.list(prefix).await;
        self.end(Operation::List, prefix, ticket, result)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let ticket = self.begin(Operation::Delete, key)?;
        let result = self.inner.delete(key).await;
        self.end(Operation::Delete, key, ticket, result)
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let ticket = self.begin(Operation::ServerTime, "")?;
        let result = self.inner.server_time().await;
        self.end(Operation::ServerTime, "", ticket, result)
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
