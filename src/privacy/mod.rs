//! Data-subject requests: a person found in every snapshot, and what the law asks for around it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`case`] | a request as the events that happened to it, and what may happen next |
//! | [`passage`] | the unit of a search: a piece of text and where it stood |
//! | [`right`] | what a person can ask for |
//! | [`rules`] | until when a request must be answered, by which law, and why |
//! | [`store`] | cases in the vault |
//! | [`letters`] | letters to the person, from templates |

pub mod case;
pub mod letters;
pub mod passage;
pub mod right;
pub mod rules;
pub mod store;
