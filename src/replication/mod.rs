//! Replication: every replica gets what the manifests that it is to hold need.
//!
//! By need, not by listing: what no wanted manifest needs is never copied, so nothing that was
//! removed comes back from a stale replica, and nothing that somebody else put into a bucket
//! spreads. What was removed is decided by the union of all ledgers, which crosses first; a space
//! whose ledger lacks an entry is left alone, because the entry may be a removal.
//!
//! Plan, then apply. The plan is data: which object goes where, from whom, and why; with a forecast
//! of bytes and requests. It neither deletes nor replaces anything but objects that are cut short,
//! and every copy is checked again when it is made, so a plan that has aged does no harm.
//!
//! **Order of writes** on each replica: trust records and ledger entries (signature before file),
//! headers, bodies, index objects, and for each snapshot, when all that it needs is confirmed
//! there, signature and manifest. **If we crash here**, the replica holds objects that no manifest
//! of its needs yet; the next run finds them by their names and copies the rest.
//!
//! What it does not do: look for damage in objects of the right size (that is verification), or
//! free what is no longer needed (that is pruning).

mod apply;
mod compare;
mod copy;
mod forecast;
mod plan;

pub use apply::{Report, TargetReport, apply};
pub use copy::BadCopy;
pub(crate) use copy::{drop_aside, fetch, is_good, replace, set_aside, uncover};
pub use forecast::traffic_of;

pub use crate::objects::traffic::Traffic;
pub use plan::{How, Lost, ObjectCopy, Plan, Removed, Request, SnapshotCopy, Target, Waiting, plan};
