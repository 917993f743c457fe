//! Erasure, rectification and restriction: what becomes of each item in which a person was found.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`plan`] | what becomes of each item, as canonical JSON; and the orders that people sign |
//! | [`mask`] | JSON without the person: documents, metadata, models |
//! | [`approval`] | the plan with its orders in the case, and signatures over them |
//! | [`again`] | a plan made again, to see that nothing has changed since |
//! | [`bring`] | what is read in the place of erased items, brought to replicas that were away |
//! | [`carry_out`] | orders into the ledger, packs rewritten and destroyed, as far as a host may |
//! | [`correct`] | JSON with another value where a wrong one stood |
//! | [`live`] | what becomes of the person in Prismic itself |
//! | [`strip`] | pictures without what is written about them |
//! | `texts` | texts of which parts are replaced, and the formatting over them |

pub mod again;
pub mod approval;
pub mod bring;
pub mod carry_out;
pub mod correct;
pub mod live;
pub mod mask;
pub mod plan;
pub mod strip;
mod texts;
