//! The vault: packs, catalogs, index, manifests, keys and ledger over replicas.

pub mod cache;
pub mod commit;
pub mod envelope;
pub mod error;
pub mod format;
pub mod index;
pub mod init;
pub mod item;
pub mod layout;
pub mod ledger;
pub mod memory;
pub mod open;
pub mod pack;
pub mod places;
pub mod reader;
pub mod rebuild;
pub mod replica;
mod signed;
pub mod signing;
pub mod snapshots;
pub mod space;
pub mod tree;
mod trust;
mod walk;
pub mod writer;
