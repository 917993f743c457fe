//! Who may do what: the members of a repository, and what the keys and credentials that are here
//! can do with the vault.
//!
//! Prismic has no API that lists members. An administrator copies the list from the settings page
//! ([`parse`]), and [`import`] keeps it in the vault as a chain of snapshots of its own, beside
//! those of the repository and in the same space: `access.<repository>`, one file
//! `repository/members.json` a snapshot. So it is encrypted to whoever reads content, replicated,
//! verified, retained, pruned and erased as everything else is, by programs that know nothing of
//! members. [`compare`] says who came, went or changed role, [`review`] makes the quarterly review.
//!
//! [`roles`] says what each role of this program is to be able to do with a vault, and judges what
//! was proved.
//!
//! Invariants
//! - Names and addresses are in the item and in what `diff` and `review` give out; never in
//!   manifests, paths, errors, logs or `Debug`. A mistake in a file is named by its line.
//! - A list is imported whole or not at all; nothing is overwritten.
//!
//! **If we crash here** nothing but an unreferenced pack is left; the same import again completes.

mod compare;
mod error;
mod lists;
mod member;
mod parse;
mod review;
pub mod roles;
mod sheet;

pub use compare::{Change, Changes, compare};
pub use error::{MistakeAt, MistakenList};
pub use lists::{ImportTarget, chain_of, import, read_list};
pub use member::{Assignment, Member, MemberList, RepositoryRole};
pub use parse::parse;
pub use review::{Remark, Review, ReviewLine, TokenAge, TokenState, review};
