//! Keys for years: who may sign and who may read, changed by trust records that the root key signs.
//!
//! A change is planned and then applied. A plan is data: what the next trust record says, how much
//! is to be endorsed, rewrapped and destroyed, and what cannot be undone; applying refuses one that
//! was made from another state. Every step can be repeated: a run that was killed is planned again,
//! and the plan then holds what is left.
//!
//! Order of a change: a trust record that names who comes (where somebody leaves who signed
//! something), endorsements of what the leaving key signed, the trust record without it; then
//! headers and index objects for the readers of now; then, if somebody left, those of the past are
//! destroyed.
//!
//! What no change of keys can do: take from somebody what he copied. Who holds an old identity and
//! old headers keeps reading old packs.

mod apply;
mod change;
mod inspect;
mod plan;

pub use apply::{KeyReport, apply};
pub use change::{Change, Wanted};
pub use inspect::{Finding, KeyKind, KeyLine, check, describe};
pub use plan::{KeyPlan, plan};
