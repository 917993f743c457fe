//! A crash that is rehearsed: from one write on, a process is dead for all its stores.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::objects::operation::Operation;

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
pub(super) struct CrashState {
    point: Option<CrashPoint>,
    writes: u64,
    pub(super) crashed: bool,
}

/// What a crash switch says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
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

    pub(super) fn lock(&self) -> MutexGuard<'_, CrashState> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    pub(super) fn pass(&self, operation: Operation) -> Passage {
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
