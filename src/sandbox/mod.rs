//! A whole Prismic-compatible repository on this machine: what the demo snapshots, what tests
//! stand on, and where restores are rehearsed.
//!
//! A [`Repository`] holds the state; a [`Server`] serves one or more: the Content API (the
//! engine of [`contentapi`](crate::contentapi)), the Asset, Types and Migration API, and the
//! bytes of assets. Content is [generated](synthetic::generate) from a seed or [loaded](load)
//! from a directory. [`Control`] switches [`Faults`] while it runs, and so does HTTP below
//! `/sandbox`, where [`ServerOptions::control_api`] allows it.
//!
//! **Why this way.** Tests against the real service would need an account, a network and luck;
//! a fake that is laxer than the service would let bugs through. So the sandbox is stricter
//! where the service is vague: refs expire, image addresses with parameters do not give the
//! original, write tokens do not read content.
//!
//! **Invariants.** Equal seeds and equal calls give equal answers, but for the port. Asset
//! addresses in documents lead to the sandbox itself. Nothing of it leaves the loopback
//! interface unless it is given such a listener.
//!
//! **Crash.** All state is in memory.
//!
//! **Writing.** What the Migration API takes is staged in one release that no ref shows
//! (`migration_release`), dropped or refused by the model (`conform`), and becomes what the
//! Content API shows when it is published (`publish`, `output`). [`Rates`] and [`WriteBounds`] are
//! settings, so that tests need not wait.
//!
//! **Not here.** Drafts of editors, previews.

mod asset_api;
mod assets;
mod conform;
mod control;
mod control_api;
mod disturb;
mod edit;
mod editor;
mod error;
mod faults;
mod files;
mod gateway;
mod library_writes;
mod load;
mod mentions;
mod migration_api;
mod migration_release;
mod models;
mod multipart;
mod options;
mod output;
mod publish;
mod rates;
mod repository;
mod server;
mod sniff;
pub mod synthetic;
mod tag_api;
mod type_rules;
mod types_api;

pub use assets::{Asset, AssetContent, Library};
pub use control::{Control, LoggedRequest};
pub use error::SandboxError;
pub use faults::{Endpoint, ErrorRate, Faults, InvalidFaults, RateLimit, RetryAfter, Torn};
pub use load::load;
pub use migration_release::StagedDocument;
pub use models::{Model, Models};
pub use options::{RepositoryOptions, WriteBounds};
pub use rates::{Api, Rates, Traffic};
pub use repository::{Changes, Content, Release, Repository};
pub use server::{Endpoints, Server, ServerOptions};
