//! Data-subject requests: a person found in every snapshot, and what the law asks for around it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`passage`] | the unit of a search: a piece of text and where it stood |
//! | [`subject`] | the person a request is about: names, addresses, numbers |
//! | [`matching`] | a known person found in passages, with the evidence for it |

pub mod matching;
pub mod passage;
pub mod subject;
