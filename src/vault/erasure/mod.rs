//! Erasure: what is read no more, and how it goes.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `applied` | catalogs read under orders, and what that came to |
//! | [`orders`] | what orders say: which items are read no more, and what stands in their place; which are under restriction |
//! | `approval` | which orders count, by who signed them |
//! | [`replacements`] | what is read in their place, stored before the order |
//! | `remainder` | what is left of one pack without the items that were erased |
//! | [`rewrite`] | the remainders of all packs that hold erased items, on every replica, and their index |
//! | [`contents`] | files of drills that may show content, which orders take as well |
//! | [`destroy`] | headers, bodies and index objects that are to go, on one replica, all versions |
//!
//! An order comes first, and from then on nobody is given what it names ([`Erased`]). Then the packs that
//! hold it are rewritten, and only where all that is to stay is in others they are destroyed.
//!
//! A restriction destroys nothing: from its order on nobody but who answers the person is given what it names,
//! and copies, verification and pruning go on as if it were not there.
//!
//! **If we crash here** the same two steps go on: what is to be done is told by the ledger and by what
//! replicas hold, nothing else.

mod applied;
pub(in crate::vault) mod approval;
pub mod contents;
pub mod destroy;
pub mod orders;
mod remainder;
pub mod replacements;
pub mod rewrite;

pub(in crate::vault) use applied::apply;
pub use applied::{Applied, Sight};
pub use contents::{ContentErased, ErasedContents, content_erased};
pub use orders::{Erased, Replacement};
