//! Data-subject requests: a person found in every snapshot, and what the law asks for around it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`case`] | a request as the events that happened to it, and what may happen next |
//! | [`right`] | what a person can ask for |
//! | [`rules`] | until when a request must be answered, by which law, and why |
//! | [`store`] | cases in the vault |
//! | [`letters`] | letters to the person, from templates |
//! | [`subject`] | the person a request is about: names, addresses, numbers |
//! | [`passage`] | the unit of a search: a piece of text and where it stood |
//! | [`channels`] | every item that can hold personal data, read into passages |
//! | [`matching`] | a known person found in passages, with the evidence for it |
//! | [`search`] | the pass over everything that a vault holds |
//! | [`found`] | what searches found, kept with the case |
//! | [`review`] | what people decide of it |
//! | [`processing`] | what the controller says of its processing (GDPR Art. 15(1)) |
//! | [`package`] | the answer to a request for access or portability, as files |
//! | [`classification`] | what each field of a repository may hold of people |
//! | [`erasure`] | what becomes of each item in which the person was found |
//! | [`proof`] | what was seen after an erasure |
//! | [`certificate`] | the same for people outside, signed: four claims, each shown or open |
//! | [`own_files`] | what this program wrote on this host, found and removed |
//! | [`promise`] | until when copies of what was erased can survive, and what was promised |
//! | [`purge`] | cases and packages that are kept no longer |

pub mod case;
pub mod certificate;
pub mod channels;
pub mod classification;
pub mod erasure;
pub mod found;
pub mod letters;
pub mod matching;
pub mod own_files;
pub mod package;
pub mod passage;
pub mod processing;
pub mod promise;
pub mod proof;
pub mod purge;
pub mod review;
pub mod right;
pub mod rules;
pub mod search;
pub mod store;
pub mod subject;
