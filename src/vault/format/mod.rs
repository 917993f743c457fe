//! The structures that reach disk, one file a kind; `docs/vault-format.md` describes them.
//!
//! JSON is written with the fields in the order of the struct and read leniently: fields that
//! are not known are ignored by reading and never rewritten, because no file is.

pub mod abilities;
pub mod audit;
pub mod catalog;
pub mod drill;
pub mod erasure_checks;
pub mod index;
pub mod job;
pub mod lease;
pub mod ledger;
pub mod manifest;
pub mod mark;
pub mod members;
pub mod order;
pub mod receipt;
pub mod request;
pub mod restore;
pub mod told;
pub mod trust;
pub mod vault;
pub mod verified;

use super::error::{ErrorKind, VaultError};

/// The version of the format that this program reads and writes.
pub const VERSION: u32 = 1;

/// Returns the error for a file of another version.
pub fn unknown_version(key: &str, version: u32) -> VaultError {
    VaultError::new(
        ErrorKind::UnknownFormat,
        format!("{key} has format version {version}, this prismvault knows version {VERSION}"),
    )
    .hint("use a prismvault that knows it; nothing was changed")
}

/// Serialises a structure as it goes to disk: indented JSON with a final line break, readable
/// without tools.
pub fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("structures of the format always serialise");
    bytes.push(b'\n');
    bytes
}
