//! One test binary; a module a subject.

mod prismic;
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; this covers its helpers too")]

mod cli;
mod config;
mod tidy;
mod workplace;
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "`allow-unwrap-in-tests` covers test functions, not their helpers"
)]

mod objects;
mod objects_s3;
mod s3_server;
