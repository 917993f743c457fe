//! Rehearsals of a recovery: injected disasters, phases, gates and signed evidence.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`plan`] | what is rehearsed, as a file of `drills/` says it; criteria, fixed before it begins |
//! | [`scenario`] | what has happened, injected on the read path; nothing is written through it |
//! | [`timeline`] | phases and lines, timed by a monotonic clock |
//! | [`gate`] | the way back to service, and where it stands |
//! | [`measure`] | objectives against what was measured |
//! | [`findings`] | what is wrong, carried over until somebody closes it |
//! | [`run`] | one rehearsal from beginning to end |
//! | [`record`] | a drill of the vault with what people said of it since |
//! | [`bundle`] | a record as files that anybody can check |
//! | [`tabletop`] | what no machine can rehearse: questions for people, and their answers |
//! | `page` | how pages for people are written |
//! | [`report`] | everything that was seen, as data, and how it is rendered |
//!
//! Records lie in the vault: [`vault::drills`](crate::vault::drills).

pub mod bundle;
pub mod findings;
pub mod gate;
pub mod measure;
mod page;
pub mod plan;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod tabletop;
pub mod timeline;
