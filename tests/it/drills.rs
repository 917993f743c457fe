//! What happens to a drill after it has run: statements, closures, bundles, and whatever meddles with them.

mod bundles;
mod commands;
mod copies;
pub(crate) mod place;
mod statements;
