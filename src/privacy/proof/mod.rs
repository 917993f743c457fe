//! Proof of an erasure: what was looked at afterwards, and what came of it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`evidence`] | what was seen, as data without any of the person |

pub mod evidence;
