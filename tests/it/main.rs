//! One test binary; a module a subject.

mod prismic;
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; this covers its helpers too")]

mod cli;
mod config;
mod tidy;
mod workplace;
