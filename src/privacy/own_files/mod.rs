//! What this program wrote on this host that may hold personal data: exports, restored files, packages, worksheets.
//!
//! A [register](Register) in the state directory has a line for each, so that an erasure finds them again. What
//! is looked into and what is deleted is in the register and nowhere else: links are not followed, and what is
//! not the file that was written (another identity in the file system) is left and told.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`register`] | the lines, and how they get there |
//! | [`mod@find`] | which of these files hold the person |
//! | [`mod@remove`] | deletes them, and says what is left |
//! | [`scan`] | looks into a file as the search looks into an item |
//! | [`mod@sweep`] | all of it in one go, for an erasure |
//!
//! Caches of the vault hold objects as they are stored, encrypted; what no replica lists any more leaves the
//! cache of a host when it next reads that space. Spool files are encrypted or without a name, and go when the vault
//! is opened next. Logs hold no personal data.

pub mod find;
pub mod register;
pub mod remove;
pub mod scan;
pub mod sweep;
#[cfg(test)]
mod tests;

pub use self::find::{Found, Holds, OwnFile, Refused, Why, find};
pub use self::register::{Identity, Output, OutputKind, Register, RegisterError};
pub use self::remove::{Removed, remove};
pub use self::sweep::sweep;
