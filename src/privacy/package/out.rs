//! Where the files of a package go: into a directory, or into one encrypted archive.
//!
//! Either is made beside the place where it is to be, and gets its name when it is whole. Into an archive
//! nothing is written that is not encrypted, not even for a moment.
//!
//! **If we crash here** an unfinished `.NAME.….partial` stays behind, readable for its owner only; it is not
//! the package, and can be deleted.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use age::stream::StreamWriter;
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::PackageError;
use super::manifest::{Class, ManifestFile};
use crate::ids::Digest;
use crate::secret::Secret;
use crate::vault::envelope::Recipient;

/// End of the names of what is unfinished.
const PARTIAL: &str = ".partial";
/// Fewest characters of a passphrase. Age makes each guess cost about a second; with fewer characters that
/// is not enough.
pub const PASSPHRASE_MIN: usize = 12;

/// Who can read a package.
#[derive(Debug, Clone)]
pub enum Protection {
    /// Whoever can read the directory.
    Directory,
    /// Holders of these age identities.
    Recipients(Vec<Recipient>),
    /// Whoever knows the passphrase.
    Passphrase(Secret),
}

impl Protection {
    /// Whether it is one encrypted archive.
    pub fn is_archive(&self) -> bool {
        !matches!(self, Self::Directory)
    }
}

/// The end of the names of archives.
pub const ARCHIVE_END: &str = ".tar.age";

/// Where a package goes that is to be at this place: archives get their end.
pub fn destination(to: &Path, protection: &Protection) -> PathBuf {
    let is_named = to.as_os_str().as_encoded_bytes().ends_with(ARCHIVE_END.as_bytes());
    if !protection.is_archive() || is_named {
        return to.to_owned();
    }
    let mut name = to.as_os_str().to_owned();
    name.push(ARCHIVE_END);
    name.into()
}

type Archive = tar::Builder<StreamWriter<BufWriter<NamedTempFile>>>;

enum Target {
    Directory(TempDir),
    Archive { tar: Box<Archive>, prefix: String, modified: u64 },
}

/// A package that is being written.
pub(crate) struct Out {
    target: Target,
    place: PathBuf,
    pub(crate) files: Vec<ManifestFile>,
}

impl Out {
    /// Begins a package. `modified` is the time of every file in an archive, in seconds since 1970.
    pub(crate) fn create(
        place: &Path,
        name: &str,
        protection: &Protection,
        modified: u64,
    ) -> Result<Self, PackageError> {
        require_free(place)?;
        let parent = parent_of(place);
        let failed = |source| PackageError::Local { place: place.to_owned(), source };
        let file_name = place.file_name().unwrap_or(OsStr::new("package")).to_string_lossy();
        let prefix = format!(".{file_name}.");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(PARTIAL);
        let encryptor = match protection {
            Protection::Directory => {
                #[cfg(unix)]
                builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
                let directory = builder.tempdir_in(parent).map_err(failed)?;
                let target = Target::Directory(directory);
                return Ok(Self { target, place: place.to_owned(), files: Vec::new() });
            }
            Protection::Passphrase(secret) => {
                let words = age::secrecy::SecretString::from(secret.expose().to_owned());
                age::Encryptor::with_user_passphrase(words)
            }
            Protection::Recipients(recipients) => {
                let keys: Vec<age::x25519::Recipient> = recipients
                    .iter()
                    .map(|key| key.to_string().parse().expect("checked when it was read"))
                    .collect();
                age::Encryptor::with_recipients(keys.iter().map(|key| key as _))
                    .map_err(|error| failed(io::Error::other(error.to_string())))?
            }
        };
        // For its owner only, as all temporary files.
        let file = builder.tempfile_in(parent).map_err(failed)?;
        let sealed = encryptor.wrap_output(BufWriter::new(file)).map_err(failed)?;
        let mut tar = tar::Builder::new(sealed);
        tar.mode(tar::HeaderMode::Deterministic);
        let target = Target::Archive { tar: Box::new(tar), prefix: name.to_owned(), modified };
        Ok(Self { target, place: place.to_owned(), files: Vec::new() })
    }

    /// Writes a file, and notes it for the manifest.
    pub(crate) fn put(&mut self, path: &str, class: Class, bytes: &[u8]) -> Result<(), PackageError> {
        self.write(path, bytes)?;
        self.files.push(ManifestFile {
            path: path.to_owned(),
            size: bytes.len() as u64,
            sha256: Digest(Sha256::digest(bytes).into()),
            class,
        });
        Ok(())
    }

    /// Writes a file that no manifest names: the manifest itself.
    pub(crate) fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), PackageError> {
        let done = match &mut self.target {
            Target::Directory(directory) => write_file(directory.path(), path, bytes),
            Target::Archive { tar, prefix, modified } => {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o600);
                header.set_mtime(*modified);
                header.set_entry_type(tar::EntryType::Regular);
                tar.append_data(&mut header, format!("{prefix}/{path}"), bytes)
            }
        };
        done.map_err(|source| PackageError::Local { place: self.place.clone(), source })
    }

    /// Gives the whole package its name.
    pub(crate) fn finish(self) -> Result<(), PackageError> {
        require_free(&self.place)?;
        let place = &self.place;
        let done = match self.target {
            Target::Directory(directory) => (|| {
                sync_directories(directory.path())?;
                fs::rename(directory.path(), place)?;
                // It has another name now, and is not to be removed.
                drop(directory.keep());
                Ok(())
            })(),
            Target::Archive { tar, .. } => (|| {
                let sealed = tar.into_inner()?;
                let file = sealed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist_noclobber(place).map_err(|refused| refused.error)?;
                Ok(())
            })(),
        };
        let synced = done.and_then(|()| File::open(parent_of(place))?.sync_all());
        synced.map_err(|source| PackageError::Local { place: place.clone(), source })
    }
}

/// Why a directory was not written. Nothing is there then.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something is there already.
    #[error("{} is there already, and nothing is replaced", .0.display())]
    Exists(PathBuf),
    /// The local disk failed: full, gone, or not to be written to.
    #[error("cannot write {}", place.display())]
    Local {
        /// Where it was to be.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes files into a directory that is not there yet, readable for its owner only. It is made as a package is.
///
/// # Errors
///
/// [`WriteError`].
pub(crate) fn write_directory<'a>(
    place: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), WriteError> {
    let written = || {
        let mut out = Out::create(place, "", &Protection::Directory, 0)?;
        for (path, bytes) in files {
            out.write(path, bytes)?;
        }
        out.finish()
    };
    written().map_err(|error| match error {
        PackageError::Exists(place) => WriteError::Exists(place),
        PackageError::Local { place, source } => WriteError::Local { place, source },
        other => WriteError::Local { place: place.to_owned(), source: io::Error::other(other) },
    })
}

fn parent_of(place: &Path) -> &Path {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether nothing is there yet: a package never replaces another.
pub(super) fn require_free(place: &Path) -> Result<(), PackageError> {
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(_) => return Err(PackageError::Exists(place.to_owned())),
        Err(source) => return Err(PackageError::Local { place: place.to_owned(), source }),
    }
    match place.file_name() {
        Some(_) => Ok(()),
        None => Err(PackageError::Exists(place.to_owned())),
    }
}

/// Writes one file for its owner only.
fn write_file(directory: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let path = directory.join(path);
    if let Some(parent) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(parent)?;
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directories(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}
