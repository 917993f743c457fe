//! A repository back into Prismic, through its write APIs.

pub mod journal;
