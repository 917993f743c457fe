//! One test binary; a module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails; clippy's setting covers test functions, not their helpers"
)]

mod cli;
mod config;
mod objects;
mod objects_s3;
mod prismic;
mod s3_server;
mod tidy;
mod workplace;
