//! Erasure: what becomes of each item in which a person was found.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`plan`] | what becomes of each item, as canonical JSON; and the orders that people sign |
//! | [`mask`] | JSON without the person: documents, metadata, models |
//! | [`live`] | what becomes of the person in Prismic itself |
//! | [`strip`] | pictures without what is written about them |

pub mod live;
pub mod mask;
pub mod plan;
pub mod strip;
