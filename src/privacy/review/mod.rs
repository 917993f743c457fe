//! What people decide of findings.

mod decision;

pub use decision::{Decided, Decision};
