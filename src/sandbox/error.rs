//! What can go wrong before a sandbox serves.

use std::io;
use std::path::PathBuf;

use crate::contentapi::DocumentError;

/// Why a sandbox cannot be made, changed or started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file of a repository's directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of a repository's directory is not what it should be.
    #[error("{} is not valid: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of a file of documents is none.
    #[error("line {line} of {} is not valid", path.display())]
    InvalidLine {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// An item of the media library lacks something.
    #[error("the asset is not valid: {0}")]
    InvalidAsset(&'static str),
    /// A model has no id or is not JSON.
    #[error("the model is not valid: {0}")]
    InvalidModel(&'static str),
    /// A document made by a change cannot be read back.
    #[error("the changed document {id:?} is not valid")]
    Document {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// There is no such repository, release, document, asset or model.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// Which kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Two repositories of one server have the same name.
    #[error("two repositories are called {0:?}")]
    SameName(String),
    /// A name that no repository at Prismic can have, or that is the first part of an API's path
    /// here.
    #[error("{0:?} cannot be the name of a repository")]
    InvalidName(String),
    /// The listener can be reached from other machines, and would let them change the sandbox.
    #[error("a sandbox that is changed over HTTP listens on this machine only")]
    NotLocal,
    /// The listener does not work.
    #[error("the sandbox cannot listen")]
    Listen(#[source] io::Error),
}
