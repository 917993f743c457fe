//! Standby: snapshots served through Prismic's own Content API, straight out of the vault.
//!
//! When Prismic is down or a repository is lost, a site that reads from here is back after changing
//! one address. Nothing is unpacked first: heads of documents are read once and kept in memory and,
//! encrypted, in the cache; documents and assets are read by ranges when they are asked for.
//!
//! - [`Shelf`] reads items of one open snapshot for as many as ask at once.
//! - [`Heads`] knows the heads of documents by item, so that the next snapshot of a repository
//!   costs only what changed.
//! - [`Edition`] is one snapshot made ready; [`Standby`] the repository that consists of them: a
//!   [`ContentSource`](crate::contentapi::ContentSource), as the sandbox is one.
//!
//! **Invariants.** A ref stands for one snapshot, or for a release over one, and never changes. What
//! is served was checked against its id when it was read. An item that no replica can give is a 503
//! that names nothing; what it was is told in the log.
//!
//! **If we crash here** nothing is lost: nothing is written but the cache, whose files are renamed
//! into place whole.

mod assets;
mod bodies;
mod caches;
mod edition;
mod heads;
mod images;
mod port;
mod shelf;
mod site;
mod source;

pub use assets::FileCache;
pub use bodies::DocumentCache;
pub use caches::Caches;
pub use edition::{Edition, StandbyError, open};
pub use heads::Heads;
pub use port::LocalSite;
pub use shelf::{Requests, Shelf, serve};
pub use site::{Served, SiteOptions, site, tls};
pub use source::Standby;
