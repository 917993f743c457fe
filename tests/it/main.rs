//! One test binary; a module a subject.
#![expect(clippy::unwrap_used, reason = "in tests a failed step is a failed test")]

mod contentapi;
mod contentapi_answers;
mod sandbox;
mod sandbox_content;
mod sandbox_faults;
