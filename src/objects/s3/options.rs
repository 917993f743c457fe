//! Which bucket, how to reach it, and how its objects are stored.

use std::sync::Arc;

use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::objects::LockRule;
use crate::secret::Secret;

/// Which bucket, how to reach it, and how its objects are stored.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Name of the bucket.
    pub bucket: String,
    /// What all keys begin with, without the slash after it; `""` for none.
    pub prefix: String,
    /// Region; without it that of the AWS configuration, and with an endpoint at last
    /// `us-east-1`, which other stores accept.
    pub region: Option<String>,
    /// Address of a store that is not Amazon's.
    pub endpoint: Option<Url>,
    /// Whether the bucket is in the path (`http://host/bucket/key`) and not in the host name.
    pub force_path_style: bool,
    /// Profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Credentials to use instead of those of the usual AWS sources.
    pub credentials: Option<S3Credentials>,
    /// Whether the store honours `If-None-Match: *`. Some accept the header and overwrite.
    pub create_only: bool,
    /// Whether the bucket keeps versions.
    pub versions: bool,
    /// Storage class of every put; without it the bucket's own.
    pub storage_class: Option<String>,
    /// By which keys the store encrypts every put; without it as the bucket says.
    pub encryption: Option<ServerEncryption>,
    /// What every put is locked with. With a rule the store is taken for one that has locks.
    pub lock: Option<LockRule>,
    /// From when locks are counted, and by what credentials expire.
    pub clock: Arc<dyn Clock>,
}

impl S3Options {
    /// Returns options for a bucket of Amazon's with everything else from the usual AWS sources.
    pub fn new(bucket: &str, prefix: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            region: None,
            endpoint: None,
            force_path_style: false,
            profile: None,
            credentials: None,
            create_only: true,
            versions: true,
            storage_class: None,
            encryption: None,
            lock: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A pair of S3 keys.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// The half that is sent.
    pub access_key_id: Secret,
    /// The half that signs.
    pub secret_access_key: Secret,
}

/// Encryption that the store does itself, besides that of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEncryption {
    /// By keys of the store (SSE-S3, `AES256`).
    Aes256,
    /// By a key of AWS KMS (SSE-KMS, `aws:kms`).
    Kms {
        /// Id, ARN or alias of the key; without it the account's own for S3.
        key: Option<String>,
    },
}
