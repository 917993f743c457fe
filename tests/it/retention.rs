//! Retention: what a policy keeps, plans and their refusals, holds, taking back, and the commands.

mod command;
mod config;
pub(crate) mod history;
mod lost;
mod plans;
mod policy;
mod refusals;
mod undelete;
