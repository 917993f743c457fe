//! Verification: is what the manifests promise really there, on every replica?
//!
//! Four levels, each including the ones before:
//! - **presence**: every object that a manifest on this replica needs is listed, of the right
//!   size; vault file, trust records, ledger and manifests are authentic; the chain is whole;
//! - **stored**: the store's own checksums say what the names promise;
//! - **bytes**: every object is read and hashed;
//! - **content**: every item is decrypted, hashed against its id and parsed; links and assets
//!   lead to something in the same snapshot, or to what the source itself lacked.
//!
//! Files of data-subject requests and records of drills are checked with every level.
//!
//! Objects that no manifest needs are counted, not damage: a run that was killed leaves them.
//! A [`Scope`] narrows it down to replicas, to a share of the bytes or to a duration; what was
//! verified longest ago comes first. Verifying writes nothing but what it remembers of itself,
//! below `state/`, and that only when it is asked to. [`plan_repair`] and [`apply_repair`] mend what it finds.

mod audit;
mod budget;
mod content;
mod drills;
mod erased;
mod forecast;
mod hidden;
mod losses;
mod memory;
mod objects;
mod repair;
mod report;
mod requests;

pub use budget::{Scope, Share};
pub use forecast::{VerifyForecast, forecast};
pub use memory::{LastVerified, last_verified};
pub use objects::verify;
pub use repair::{RepairPlan, RepairReport, RepairStep, Uncovering, apply_repair, plan_repair};
pub use report::{AffectedSnapshot, Damage, DamageKind, ErasedUnder, Level, VerifyOptions, VerifyReport};
