//! One test binary; a module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "`allow-unwrap-in-tests` covers test functions, not their helpers"
)]

mod objects;
mod objects_s3;
mod s3_server;
