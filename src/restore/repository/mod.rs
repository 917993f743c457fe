//! A repository back into Prismic, through its write APIs: slow, complete, resumable and verified.
//!
//! Prismic gives new ids, takes one request a second, and shows nothing of what it took until it is
//! published. So a restore is planned as a whole before the first request (`plan`), written down
//! before and after each (`entries`, [`journal`]), and read back at the end (`read_back`).
//!
//! Where things are:
//!
//! - `source`, `existing`: what the snapshot and the target hold; `choice`: what is wanted of it.
//! - `convert`: one document as the Migration API takes it; pure, and the same walk plans and writes.
//! - `survey`, `models`, `order`, `forecast`, `plan`: what will be done, in which order, for how long.
//! - `fidelity`: what Prismic cannot take back, counted.
//! - `entries`, `journal`, `keeper`: what was done. `apply`: does it.
//! - `read_back`, `report`, `html`: what came of it.
//! - `document`, `field`, `lookup`: the small and exact way, for one document.
//!
//! **Invariants.** Nothing that may have happened is sent again as if it had not. What an editor did in
//! the target is never removed: the APIs cannot delete, and documents that are there are replaced only
//! when that was asked for.
//!
//! **If we crash here**, the same command goes on, on this host or another: see `entries`.

mod apply;
mod choice;
pub mod convert;
mod document;
mod entries;
mod existing;
pub mod fidelity;
mod field;
mod forecast;
mod html;
mod ids;
pub mod journal;
mod keeper;
mod lookup;
mod models;
pub mod order;
mod plan;
mod read_back;
mod report;
mod run;
mod source;
mod survey;

pub use choice::{Choice, OnConflict};
pub use document::{DocumentPlan, DocumentReport, DocumentRestore};
pub use fidelity::FidelityReport;
pub use field::{FieldError, FieldPath};
pub use forecast::{Forecast, Paces};
pub use html::report_page;
pub use ids::IdMap;
pub use plan::{Plan, PlannedStep, Refusal};
pub use read_back::{Difference, ReadBack};
pub use report::{Ending, Report};
pub use run::{RepositoryRestore, journals};
