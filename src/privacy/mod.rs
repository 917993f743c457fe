//! Data-subject requests: a person found in every snapshot, and what the law asks for around it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`passage`] | the unit of a search: a piece of text and where it stood |
//! | [`channels`] | every item that can hold personal data, read into passages |

pub mod channels;
pub mod passage;
