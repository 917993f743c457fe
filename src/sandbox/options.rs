//! How a repository of the sandbox behaves: who may read and write, and how much.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rates::Api;
use crate::contentapi::AccessPolicy;
use crate::secret::Secret;

/// How a repository behaves.
#[derive(Debug, Clone)]
pub struct RepositoryOptions {
    /// Who may read content.
    pub access: AccessPolicy,
    /// Tokens for the Asset, Types and Migration API; none: nobody gets in.
    pub write_tokens: Vec<Secret>,
    /// Tokens for some of these APIs only.
    pub limited_tokens: Vec<(Secret, BTreeSet<Api>)>,
    /// Publishes that a master ref survives. Prismic's support once named five.
    pub kept_versions: usize,
    /// What the write APIs take.
    pub writing: WriteBounds,
    /// Decides refs and ids.
    pub seed: u64,
}

/// What the write APIs take at most, and how long a publish takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBounds {
    /// Documents of the migration release; Prismic's is 1,000.
    pub release_documents_max: usize,
    /// Bytes of an uploaded file; Prismic's is 100 MB.
    pub asset_bytes_max: usize,
    /// Bytes of a request with JSON. Prismic publishes none; its legacy import took 250 KB a
    /// document, and gateways of the kind before it take 10 MB.
    pub body_bytes_max: usize,
    /// Time from the answer to a publish to the new master ref; none: it is there before the answer.
    pub publish_delay: Duration,
}

impl Default for WriteBounds {
    fn default() -> Self {
        Self {
            release_documents_max: 1000,
            asset_bytes_max: 100_000_000,
            body_bytes_max: 10 << 20,
            publish_delay: Duration::ZERO,
        }
    }
}

impl Default for RepositoryOptions {
    fn default() -> Self {
        Self {
            access: AccessPolicy::default(),
            write_tokens: Vec::new(),
            limited_tokens: Vec::new(),
            kept_versions: 5,
            writing: WriteBounds::default(),
            seed: 0,
        }
    }
}
