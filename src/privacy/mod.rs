//! Data-subject requests: a person found in every snapshot, and what the law asks for around it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`passage`] | the unit of a search: a piece of text and where it stood |
//! | [`classification`] | what each field of a repository may hold of people |

pub mod classification;
pub mod passage;
