//! A snapshot back into a repository of Prismic.
//!
//! What is pure comes first: [`convert`] makes of a document what the write API takes, [`order`] says
//! which request follows which, [`fidelity`] says what cannot come back, and tells at read-back what
//! of a difference was to be expected. [`journal`] keeps what was done.

pub mod convert;
pub mod fidelity;
pub mod journal;
pub mod order;
