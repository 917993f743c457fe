//! Object Lock: until when the store itself refuses to delete a version.
//!
//! The model is that of S3. A version may have a *retention* (a mode and a time) and a *legal
//! hold* (no time). Both protect the version, not the name: a delete or a put hides a locked
//! version behind a marker or a newer one, and the locked one can still be read.
//!
//! Nothing here ever shortens a lock or bypasses one. In the mode governance S3 lets those do that
//! who have `s3:BypassGovernanceRetention`; we never send the header that asks for it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Result, StoreError};
use crate::clock::{Timestamp, rfc3339};

/// Who may shorten a retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// Whoever has a permission of its own for that.
    Governance,
    /// Nobody, not the owner of the account either.
    Compliance,
}

impl std::fmt::Display for LockMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        })
    }
}

/// A lock with an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Who may shorten it.
    pub mode: LockMode,
    /// The first moment at which the version can be deleted, by the store's clock.
    pub until: Timestamp,
}

/// What protects one version from being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The lock with an end; it may have ended.
    pub retention: Option<Retention>,
    /// Whether there is a hold without an end. Stores tell it only to those who may read it
    /// (`s3:GetObjectLegalHold`).
    pub legal_hold: bool,
}

impl Lock {
    /// Whether the version cannot be deleted at `now`.
    pub fn protects_at(&self, now: Timestamp) -> bool {
        self.legal_hold || self.retention.is_some_and(|retention| retention.until > now)
    }

    /// Returns the end of the retention, if there is one.
    pub fn until(&self) -> Option<Timestamp> {
        self.retention.map(|retention| retention.until)
    }

    /// Says in a phrase what the lock is, for errors and reports.
    pub fn describe(&self) -> String {
        match (self.retention, self.legal_hold) {
            (Some(Retention { mode, until }), false) => {
                format!("it is locked until {} ({mode})", rfc3339(until))
            }
            (Some(Retention { mode, until }), true) => {
                format!("it is locked until {} ({mode}) and under a legal hold", rfc3339(until))
            }
            (None, true) => "it is under a legal hold".to_owned(),
            (None, false) => "it is not locked".to_owned(),
        }
    }
}

/// What every put of a store handle locks its object with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockRule {
    /// Mode of the lock.
    pub mode: LockMode,
    /// For how long from the put on; above zero.
    pub window: TimeDelta,
}

impl LockRule {
    /// Returns the lock of an object that is put at `now`.
    pub fn at(&self, now: Timestamp) -> Retention {
        let until = now.checked_add_signed(self.window).unwrap_or(Timestamp::MAX_UTC);
        Retention { mode: self.mode, until: whole_second(until) }
    }
}

/// Rounds up to a whole second: what every store keeps exactly.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    use chrono::SubsecRound as _;
    let cut = at.trunc_subsecs(0);
    if cut == at { at } else { cut.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(cut) }
}

/// Decides what to do when a lock is to last until `until`: the retention to ask the store for, or
/// `None` when it is there already.
///
/// # Errors
///
/// [`ErrorKind::Locked`] for an earlier time than it has, [`ErrorKind::Unsupported`] when neither
/// the version nor the handle says by which mode to lock.
pub(super) fn extension(
    lock: Option<Lock>,
    rule: Option<LockRule>,
    until: Timestamp,
    key: &str,
    place: &dyn std::fmt::Display,
) -> Result<Option<Retention>> {
    let refuse = |kind, why: String| Err(StoreError::new(kind, EXTEND, key, place, why));
    let until = whole_second(until);
    match lock.and_then(|lock| lock.retention) {
        Some(now) if now.until > until => {
            refuse(ErrorKind::Locked, format!("a lock until {} is never shortened", rfc3339(now.until)))
        }
        Some(now) if now.until == until => Ok(None),
        Some(now) => Ok(Some(Retention { until, ..now })),
        None => match rule {
            Some(rule) => Ok(Some(Retention { mode: rule.mode, until })),
            None => refuse(ErrorKind::Unsupported, "no object_lock is configured for this store".to_owned()),
        },
    }
}

/// Verb of errors about extending a lock.
pub(super) const EXTEND: &str = "lock";

/// Returns the error of a store that has no locks.
pub(super) fn unsupported(key: &str, place: &dyn std::fmt::Display) -> StoreError {
    StoreError::new(ErrorKind::Unsupported, EXTEND, key, place, "this store has no Object Lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test writes valid times")
    }

    #[test]
    fn a_lock_begins_at_the_put_and_lasts_whole_seconds() {
        let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(14) };
        let retention = rule.at(at("2026-11-21T02:00:00.250Z"));
        assert_eq!(retention.until, at("2026-12-05T02:00:01Z"));
        let lock = Lock { retention: Some(retention), legal_hold: false };
        assert!(
            lock.protects_at(at("2026-12-05T02:00:00Z")) && !lock.protects_at(at("2026-12-05T02:00:01Z"))
        );
        assert!(Lock { legal_hold: true, ..lock }.protects_at(at("2036-12-05T02:00:01Z")));
        let endless = LockRule { window: TimeDelta::MAX, ..rule }.at(at("2026-11-21T02:00:00Z"));
        assert!(endless.until > at("9999-01-01T00:00:00Z"));
    }

    #[test]
    fn an_extension_keeps_the_mode_and_never_shortens() {
        let end = at("2026-12-05T02:00:00Z");
        let (earlier, later) = (at("2026-12-05T01:59:59Z"), at("2026-12-06T02:00:00Z"));
        let retention = Retention { mode: LockMode::Compliance, until: end };
        let lock = Some(Lock { retention: Some(retention), legal_hold: false });
        let rule = Some(LockRule { mode: LockMode::Governance, window: TimeDelta::days(1) });
        let extend = |lock, rule, until| extension(lock, rule, until, "k", &"s").map_err(|err| err.kind);
        assert_eq!(extend(lock, rule, later), Ok(Some(Retention { until: later, ..retention })));
        assert_eq!(extend(lock, None, end), Ok(None));
        assert_eq!(extend(lock, rule, earlier), Err(ErrorKind::Locked));
        let new = Retention { mode: LockMode::Governance, until: end };
        let held = Some(Lock { retention: None, legal_hold: true });
        assert_eq!(extend(held, rule, end), Ok(Some(new)));
        assert_eq!(extend(None, None, end), Err(ErrorKind::Unsupported));
    }
}
