//! Snapshots: reading a repository at one ref, completely, into a vault.
//!
//! Documents are read at one pinned ref, which is never swapped: when it is refused, the run
//! starts again. Models and assets are not versioned by ref, so they are listed before and after.
//! What the source says it has is compared with what was stored; a shortfall is a *gap*, which
//! makes the snapshot partial unless a person accepted it.
//!
//! **If we crash here** nothing but unreferenced packs is left; the next run uses them.

mod accepted;
mod assets;
mod base;
mod documents;
mod error;
mod incremental;
mod known_links;
mod links;
mod models;
pub(crate) mod names;
mod run;

pub use error::{Result, SnapshotError};
pub(crate) use models::root_member;
pub use run::{Read, SnapshotOptions, SnapshotReport, take};

use crate::ids::Name;
use crate::prismic::Endpoints;
use crate::secret::Secret;

/// A repository to be read, resolved from the configuration.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name of the configuration, under which snapshots are kept.
    pub name: Name,
    /// Space of the vault that holds its items.
    pub space: Name,
    /// Prismic's repository name.
    pub repository: String,
    /// Where its APIs are.
    pub endpoints: Endpoints,
    /// Token of the Content API.
    pub access_token: Option<Secret>,
    /// Token of the Asset and Types APIs.
    pub write_token: Option<Secret>,
    /// Further hosts that assets may come from.
    pub asset_hosts: Vec<String>,
}

/// What no official API of Prismic gives, so no snapshot holds it; shown with every snapshot.
pub const NOT_IN_ANY_SNAPSHOT: &[(&str, &str)] = &[
    ("drafts", "only published documents, and those in releases, can be read"),
    ("archived documents", "they cannot be read"),
    ("titles in the editor, authors, version history", "they are not in the Content API"),
    ("workflow states and schedules of single documents", "they are not in the Content API"),
    ("the migration release", "it has no ref"),
    ("webhooks, previews, access tokens", "only Prismic's own interface shows them"),
    (
        "members and roles",
        "no official API lists them; `prismvault access import` keeps a list that you copy",
    ),
    ("catalogs of integration fields", "documents hold copies of values, not the catalog"),
];
