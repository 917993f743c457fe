//! What people decide of what a search found.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `decision` | what can be said of a finding |
//! | `question` | each place in which something was found, asked once |
//! | `memory` | decisions by a keyed hash, so that nobody is asked twice |
//! | `sample` | a second look at some of what was rejected |
//! | [`worksheet`] | questions as a file that goes out and comes back |
//!
//! A review ends when every finding of the last search has a decision and none is unsure; the state
//! machine of the [case](super::case) sees to it.

mod decision;
mod memory;
mod question;
mod sample;
#[cfg(test)]
pub(crate) mod tests;
pub mod worksheet;

pub use decision::{Decided, Decision};
pub use memory::{CheckError, Progress, Remembered, Review};
pub use question::Question;
pub use sample::{Checked, Interval};
