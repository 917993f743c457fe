//! The clients for Prismic against a server that misbehaves in every way.

mod api;
mod assets;
mod server;
mod writing;
