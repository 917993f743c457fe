//! What differs, told as a changelog: between two documents, two snapshots, a snapshot and live.
//!
//! In layers. [`compare_documents`] is pure: two documents as the API gave them become a list of
//! [`Change`]s, each with what kind of value it is, what happened, where, and the values. Lists
//! (slices, rows, paragraphs) are matched as a person would, so that one inserted slice is one change.
//! What nobody edited in this document (dates, what the API copies of the targets of links) is kept
//! apart, in [`ItemDiff::metadata`]. Whoever compares a repository with what it was restored from says
//! by [`Identity`] which ids mean the same.
//!
//! [`compare_snapshots`] takes two sides, each a list of paths and items, and reads only what differs,
//! in batches of bounded memory; [`Live`] is the side of a repository as it is now, of which only what
//! was published since the snapshot is read.
//!
//! Invariants, each a property that is tested: nothing differs from itself; compared the other way
//! round, added and removed change places, and nothing else. Items that cannot be read are problems of
//! the report, not its end. Nothing is written anywhere, so a crash leaves nothing.
//!
//! Changes hold content: they are for people who may read it, never for logs, errors or manifests.

mod align;
mod change;
mod document;
mod error;
mod fields;
mod identity;
mod items;
mod links;
mod listing;
mod lists;
mod live;
mod models;
mod report;
mod repository;
mod rich_text;
mod shape;
mod snapshots;
#[cfg(test)]
mod tests;
mod title;
mod translations;
mod wording;

pub use change::{Change, ChangeKind, FieldKind, ItemChange, ItemDiff, Step};
pub use document::{Unreadable, compare_assets, compare_documents, compare_values};
pub use error::{DiffError, Result};
pub use fields::Bounds;
pub use identity::{Identity, SameIds};
pub use live::Live;
pub use models::{Models, compare_models};
pub use report::{
    AssetDiff, DiffReport, DocumentDiff, ModelDiff, RepositoryDiff, SideReport, Tallies, Tally,
    TranslationChange,
};
pub(crate) use shape::is_blank;
pub use snapshots::{DiffOptions, compare_snapshots, compare_with_live};
pub use title::{asset_title, document_title};
pub(crate) use title::{text_of, title_of};
pub use wording::phrases;
