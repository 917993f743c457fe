//! Getting content back out of a vault: as files, as one archive, one item, by a search, or into
//! Prismic ([`repository`]).
//!
//! All of it reads the same way: the ledger must be whole, the identity that reads content must
//! be there (both are checked before the first item is read), and every item is checked against
//! its id. A damaged or missing item is a [`Problem`](crate::progress::Problem) of the report;
//! the rest is still given, because a disaster is when half of a backup is worth most.
//!
//! Catalogs name ids only. People get the names that files had in the media library, made
//! harmless first: see [`names`]. A vault may have been written by someone who meant harm, so
//! neither a path of a catalog nor a file name may lead out of the place that was named.
//!
//! **If we crash here** a file under its final name is whole: every file is written under a
//! temporary name first. The same command again completes the work.
//!
//! Only [`repository`] writes to Prismic, and nothing prints.

mod cat;
mod content;
mod error;
mod export;
mod files;
mod find;
pub mod names;
pub mod paths;
mod readme;
pub mod repository;
mod selection;
mod target;
mod text;

pub use cat::{Found, cat};
pub(crate) use content::{Losses, Watch, open_space};
pub use content::{OpenSnapshot, is_damage};
pub use error::{RestoreError, RestoreErrorKind, Result};
pub use export::{ExportOptions, ExportReport, export};
pub(crate) use files::blocking;
pub use files::{
    Action, PlannedFile, RenamedFile, RestoreOptions, RestorePlan, RestoreReport, plan_files, restore_files,
};
pub use find::{FindOptions, FindReport, Hit, Scope, find};
pub use selection::Selection;
pub use target::OverwriteMode;
pub use text::Match;
