//! Objectives, alarms and metrics: what is judged, what is gathered, and the command.

mod alarms;
pub(crate) mod collecting;
mod command;
mod format;
mod judging;
mod known;
