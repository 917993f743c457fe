//! `state/leases/<name>/<n>.json`: who may run something now, and until when.
//!
//! A lease is a row of numbered files on one replica, each made by a put that creates only: whoever
//! makes number `n + 1` has taken the lease from, or over, whoever made `n`. So it needs no more of
//! a store than that, and works in a directory as in a bucket.

use serde::{Deserialize, Serialize};

use crate::ids::{Name, VaultId};

/// Kind of [`Lease`].
pub const KIND: &str = "lease";

/// One step in the life of a lease: taken, renewed, or given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
    /// What it is for: the name of a job.
    pub name: Name,
    /// Its number in the row, from 1.
    pub n: u64,
    /// Random id of the process that holds it.
    pub holder: String,
    /// Name of the machine that holds it, for people.
    pub host: String,
    /// Until when, RFC 3339, by the clock of the store. One that was given back ended at once.
    pub until: String,
}
