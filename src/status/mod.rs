//! How well a vault keeps what was promised: what is wrong now.

mod alarms;

pub use alarms::{Alarm, Severity};
