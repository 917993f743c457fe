//! Locks over the years: what must stay is locked for one rolling window, what may go is not.
//!
//! Every put locks its object for the window of the replica ([`LockRule`]). Here is the rest: at half
//! time the lock of every *live* object is made longer and read back ([`renew`]), and
//! [`survey`] compares what the store really locks with what was promised.
//!
//! **Live** is what a snapshot needs which the replica is to hold, and its manifest; the ledger, trust
//! records, the audit log and the files that say what the place is. Not live is what retention or
//! pruning let go, and `state/`: its locks end, so that it can be deleted. Where a manifest, a catalog
//! or an index object cannot be read, everything that it may need counts as live: a lock too many
//! lasts a window, a lock too few may lose a backup.
//!
//! Renewing belongs to maintenance, never to snapshots: the backup host would have to be allowed to
//! lock, and would ask for thousands of packs each night. What is hidden by somebody is uncovered on
//! the way ([`RenewalPlan`] names it).
//!
//! **If we crash here** some locks are longer and others are not yet; the same command goes on.
//! Nothing is ever made shorter, and nothing longer than the window.
//!
//! [`LockRule`]: crate::objects::LockRule

mod live;
mod place;
mod renew;
mod survey;

pub use place::{PlaceFinding, Severity};
pub use renew::{
    RenewOptions, RenewalPlan, RenewalReport, RenewalRequests, ReplicaRenewal, ReplicaRenewed, plan_renewal,
    renew,
};
pub use survey::{LockFinding, LockProblem, LockReport, Promise, ReplicaLocks, SurveyOptions, survey};
