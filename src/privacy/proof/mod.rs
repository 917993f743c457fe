//! Proof of an erasure or a rectification: what was looked at afterwards, and what came of it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`seen`] | what was seen last, as the case keeps it |
//! | [`evidence`] | what was seen, as data without any of the person |
//! | [`check`](mod@check) | all of the following, joined to evidence |
//! | [`needles`] | the person in every encoding, as bytes |
//! | [`encodings`] | one text in every encoding |
//! | `hunt` | needles in a stream |
//! | `unpack` | streams with what is packed in them |
//! | `archive` | one object of a vault, by `age`, zstd and tar alone |
//! | [`scan`] | the second scanner: every object of every replica, and local files |
//! | [`canary`] | somebody invented, whom the scanner must find in the same run |
//! | [`headers`] | headers that were destroyed are asked for, and tried |
//! | [`restored`] | snapshots read as a restore does, and searched |
//! | [`rectified`](mod@rectified) | the same after a rectification: wrong values, and right ones |
//! | [`again`] | people who are looked for again, and what is kept of that |
//! | [`stays`] | what stays because the plan says so |
//! | [`erased`] | packs and receipts of orders |
//! | [`horizon`](mod@horizon) | until when a copy can survive on a replica |
//!
//! The scanner is a second path on purpose: it uses neither the matcher nor the reader of the vault, so that a
//! mistake in these does not hide what it leaves behind.

pub mod again;
mod archive;
pub mod canary;
pub mod check;
pub mod encodings;
pub mod erased;
pub mod evidence;
pub mod headers;
pub mod horizon;
mod hunt;
pub mod needles;
pub mod rectified;
pub mod restored;
pub mod scan;
pub mod seen;
pub mod stays;
mod unpack;

use crate::restore::RestoreError;
use crate::vault::error::VaultError;

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The vault cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Snapshots cannot be read.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The person cannot be looked for in raw bytes.
    #[error(transparent)]
    TooMany(#[from] needles::TooMany),
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}
