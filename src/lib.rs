//! Backup, export and disaster recovery for repositories of the headless CMS Prismic.
//!
//! The house has floors; a module imports from its own floor sparingly and from floors below
//! freely, never from above (`tests/it/tidy.rs` watches).
//!
//! | floor | rooms |
//! | --- | --- |
//! | 0 | [`clock`], [`ids`], [`secret`], [`progress`], [`retry`], [`limits`] |
//! | 1 | [`objects`]: flat storage of whole objects |
//! | 2 | [`contentapi`]: the Content API as an engine; [`sandbox`]: a whole repository on this machine |

pub mod clock;
pub mod contentapi;
pub mod ids;
pub mod limits;
pub mod objects;
pub mod progress;
pub mod retry;
pub mod sandbox;
pub mod secret;
