//! From what people write for a replica to a store that is ready for use.
//!
//! `s3://bucket/prefix`, `file:///var/backups/vault`, or the path of a directory. What comes out
//! limits its requests and tries again what failed for a reason that passes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::limit::LimitStore;
use super::local::LocalStore;
use super::retry::RetryStore;
use super::s3::{S3Credentials, S3Options, S3Store, ServerEncryption};
use super::{ErrorKind, LockRule, ObjectStore, Result, StoreError, lock};
use crate::clock::{Clock, SystemClock};
use crate::limits::Limits;
use crate::progress::{Progress, Silent};

/// Whether a directory that does not exist is an error.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Yes: a mistyped path must not look like an empty vault.
    #[default]
    Existing,
    /// No, it is made. Buckets are never made.
    Create,
}

/// What an address leaves open. The fields about S3 do not concern directories.
#[derive(Debug, Clone)]
pub struct ReplicaOptions {
    /// Whether a directory that does not exist is an error.
    pub opening: Opening,
    /// Where relative paths begin; `None` is the working directory.
    pub base_dir: Option<PathBuf>,
    /// See [`S3Options::region`].
    pub region: Option<String>,
    /// See [`S3Options::endpoint`].
    pub endpoint: Option<Url>,
    /// See [`S3Options::force_path_style`].
    pub force_path_style: bool,
    /// See [`S3Options::profile`].
    pub profile: Option<String>,
    /// See [`S3Options::credentials`].
    pub credentials: Option<S3Credentials>,
    /// See [`S3Options::create_only`].
    pub create_only: bool,
    /// Hears of pauses before a request is tried again.
    pub progress: Arc<dyn Progress>,
    /// See [`S3Options::versions`].
    pub versions: bool,
    /// See [`S3Options::storage_class`].
    pub storage_class: Option<String>,
    /// See [`S3Options::encryption`].
    pub encryption: Option<ServerEncryption>,
    /// See [`S3Options::lock`]; refused for a directory.
    pub lock: Option<LockRule>,
    /// See [`S3Options::clock`].
    pub clock: Arc<dyn Clock>,
}

impl Default for ReplicaOptions {
    fn default() -> Self {
        Self {
            opening: Opening::Existing,
            base_dir: None,
            region: None,
            endpoint: None,
            force_path_style: false,
            profile: None,
            credentials: None,
            create_only: true,
            progress: Arc::new(Silent),
            versions: true,
            storage_class: None,
            encryption: None,
            lock: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Opens a replica by its address.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] for another scheme and for locks in a directory,
/// [`ErrorKind::Permanent`] for an address that cannot be right, and those of [`LocalStore::open`] and [`S3Store::connect`].
pub async fn open_replica(
    address: &str,
    options: &ReplicaOptions,
    limits: &Limits,
) -> Result<Arc<dyn ObjectStore>> {
    let store: Arc<dyn ObjectStore> = match Address::parse(address)? {
        Address::Directory(path) => {
            let path = match &options.base_dir {
                Some(base) => base.join(path),
                None => path,
            };
            if options.lock.is_some() {
                return Err(lock::unsupported("", &path.display()));
            }
            Arc::new(open_directory(&path, options.opening).await?.with_limits(limits))
        }
        Address::Bucket { bucket, prefix } => {
            let options = S3Options {
                region: options.region.clone(),
                endpoint: options.endpoint.clone(),
                force_path_style: options.force_path_style,
                profile: options.profile.clone(),
                credentials: options.credentials.clone(),
                create_only: options.create_only,
                versions: options.versions,
                storage_class: options.storage_class.clone(),
                encryption: options.encryption.clone(),
                lock: options.lock,
                clock: Arc::clone(&options.clock),
                ..S3Options::new(&bucket, &prefix)
            };
            Arc::new(S3Store::connect(options, limits).await?)
        }
    };
    let limited = Arc::new(LimitStore::new(store, limits.store_concurrency));
    Ok(Arc::new(RetryStore::new(limited, limits).telling(Arc::clone(&options.progress))))
}

async fn open_directory(path: &Path, opening: Opening) -> Result<LocalStore> {
    match opening {
        Opening::Existing => LocalStore::open(path).await,
        Opening::Create => LocalStore::create(path).await,
    }
}

/// Where a replica lies, as its address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A directory; the path may be relative.
    Directory(PathBuf),
    /// A bucket and what its keys begin with (`""` for nothing).
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// Prefix without slashes at its ends.
        prefix: String,
    },
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for another scheme, [`ErrorKind::Permanent`] for an address
    /// that cannot be right.
    pub fn parse(address: &str) -> Result<Self> {
        // Scheme and host only: what a mistyped address holds else may be secret.
        let refuse = |kind, why: &str| {
            let shown = match Url::parse(address) {
                Ok(url) if address.contains("://") => crate::secret::SafeUrl(&url).to_string(),
                _ => address.split('@').next_back().unwrap_or_default().to_owned(),
            };
            Err(StoreError::new(kind, "open", "", &shown, why))
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return match address {
                "" => refuse(ErrorKind::Permanent, "the address is empty"),
                path => Ok(Self::Directory(PathBuf::from(path))),
            };
        };
        match scheme {
            "file" => match Url::parse(address).ok().and_then(|url| url.to_file_path().ok()) {
                Some(path) => Ok(Self::Directory(path)),
                None => refuse(
                    ErrorKind::Permanent,
                    "a file address has three slashes and an absolute path, such as file:///var/backups/vault",
                ),
            },
            "s3" => {
                if rest.contains(['@', '?', '#']) {
                    let why =
                        "an s3 address is s3://bucket/prefix; credentials come from the AWS configuration";
                    return refuse(ErrorKind::Permanent, why);
                }
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return refuse(
                        ErrorKind::Permanent,
                        "an s3 address names a bucket, as in s3://bucket/prefix",
                    );
                }
                Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
            }
            _ => refuse(
                ErrorKind::Unsupported,
                "only directories, file:// and s3:// can be replicas; other stores are reached as s3:// with an endpoint",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let bucket =
            |bucket: &str, prefix: &str| Address::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        for (address, expected) in [
            ("./vault", Address::Directory("./vault".into())),
            ("/var/backups", Address::Directory("/var/backups".into())),
            ("C:vault", Address::Directory("C:vault".into())),
            ("file:///var/my%20backups", Address::Directory("/var/my backups".into())),
            ("s3://acme-prismic/vault", bucket("acme-prismic", "vault")),
            ("s3://acme-prismic", bucket("acme-prismic", "")),
            ("s3://acme-prismic/a/b/", bucket("acme-prismic", "a/b")),
        ] {
            assert_eq!(Address::parse(address).unwrap(), expected, "{address}");
        }
    }

    #[test]
    fn other_addresses_are_refused_and_shown_without_secrets() {
        for (address, kind) in [
            ("", ErrorKind::Permanent),
            ("s3://", ErrorKind::Permanent),
            ("s3:///key", ErrorKind::Permanent),
            ("s3://AKIA:hunter2@bucket/x", ErrorKind::Permanent),
            ("s3://bucket/x?token=hunter2", ErrorKind::Permanent),
            ("file://vault", ErrorKind::Permanent),
            ("gs://bucket/x", ErrorKind::Unsupported),
            ("https://me:hunter2@host/bucket?sig=hunter2", ErrorKind::Unsupported),
            ("sftp://me:hunter2@host/", ErrorKind::Unsupported),
        ] {
            let err = Address::parse(address).unwrap_err();
            assert_eq!(err.kind, kind, "{address}");
            assert!(!format!("{err} {err:?}").contains("hunter2"), "{err:?}");
        }
    }

    #[tokio::test]
    async fn a_directory_is_made_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let existing = ReplicaOptions { base_dir: Some(dir.path().to_owned()), ..ReplicaOptions::default() };
        let err = open_replica("./vault", &existing, &limits).await.unwrap_err();
        assert_eq!(err.kind, ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let create = ReplicaOptions { opening: Opening::Create, ..existing.clone() };
        open_replica("./vault", &create, &limits).await.unwrap();
        open_replica("./vault", &existing, &limits).await.unwrap();
        let address = Url::from_file_path(dir.path().join("vault")).unwrap();
        open_replica(address.as_str(), &ReplicaOptions::default(), &limits).await.unwrap();
    }
}
