//! The vault: packs, catalogs, index, manifests, keys and ledger over replicas.

pub mod cache;
mod chain;
mod clocks;
pub mod commit;
pub mod envelope;
pub mod error;
pub mod fate;
pub mod format;
pub mod index;
pub mod init;
pub mod item;
pub mod layout;
pub mod ledger;
pub mod marks;
pub mod memory;
pub mod open;
pub mod pack;
pub mod reader;
pub mod replica;
mod signed;
pub mod signing;
pub mod snapshots;
pub mod space;
pub mod tree;
mod trust;
pub mod writer;
