//! Prismic: clients for its APIs, and the model of its documents.
//!
//! The only floor that speaks HTTP to Prismic. Facts about the service (forms of URLs, error
//! bodies, paging) are encoded here and nowhere above.

pub mod asset_url;
pub mod cut;
pub mod document;
pub mod endpoints;
pub mod references;
mod tolerant;
pub mod walk;
