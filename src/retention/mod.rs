//! Retention: which snapshots stay, and the signed decisions that let others go.
//!
//! What goes is decided in two steps. [`plan_retention`] and [`plan_forget`] read manifests and
//! ledgers and return pure data: every snapshot with the rule that keeps it or the reason it
//! goes. [`apply`] writes the removals of such a plan to the ledger and nothing else: no object is
//! deleted here, so everything can be taken back ([`undelete`]) until pruning deletes for good.
//!
//! Invariants
//! - The newest complete snapshot of a repository and what is under hold stay, on every replica
//!   that is to hold them; so do `min_snapshots`.
//! - Whatever is not understood stops it: a manifest that is missing or unreadable, a ledger entry
//!   of a later version, clocks that differ, a repository that suddenly holds much less than
//!   before ([`Shrink`]).
//! - The hash of a plan is that of what it decides and of what it saw, not of when: a dry run and
//!   the real one minutes later have the same unless something changed.
//!
//! A crash leaves some of the removals written, each whole; the next run writes the others.
//!
//! What this does not do: delete objects, free space, or look at content.

mod apply;
mod holds;
mod lost;
mod plan;
mod planning;
mod policy;
mod shrink;
mod undelete;

pub use apply::{Applied, apply};
pub use holds::{HoldStep, hold, plan_hold, plan_release, release};
pub use lost::{acknowledge_lost, plan_lost};
pub use plan::{Kind, PolicyOn, Refusal, RemoveFrom, RepositoryPlan, RetentionPlan, SnapshotPlan, VerdictOn};
pub use planning::{Policies, plan_forget, plan_retention};
pub use policy::{Candidate, Verdict, evaluate, is_of_partial};
pub use shrink::{Fall, Shrink, accept_shrink, plan_accept_shrink, shrink_of};
pub use undelete::{Undeletable, deadlines, plan_undelete, undelete};
