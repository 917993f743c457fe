//! `export`: one archive that outlives prismvault.
//!
//! A tar archive, compressed by zstd unless its name ends with `.tar`, with everything below one
//! directory: the files as a restore names them, `README.md`, the signed manifest, and
//! `SHA256SUMS` last, made while the content passes through. It is **not encrypted**: it is for
//! handing content over and for archives with protection of their own.
//!
//! Memory does not grow with the content; the list of files with their digests is in memory.
//!
//! **If we crash here** an unfinished `NAME.….partial` stays behind, which the next export to the
//! same name removes. Under its final name there is a whole archive or what was there before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::content::{OpenSnapshot, Watch, extract, only_safe};
use super::error::{RestoreError, Result};
use super::files::blocking;
use super::names::FileNames;
use super::readme;
use crate::ids::{Name, SnapshotId, hex};
use crate::progress::{Phase, Problem, Progress};
use crate::vault::erasure::Applied;
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::format::manifest::{Manifest, Status};
use crate::vault::layout;
use crate::vault::pack::ItemData;
use crate::vault::signing::VerifyingKey;

/// End of the names of unfinished archives.
const PARTIAL: &str = ".partial";
/// Random characters in them.
const RANDOM: usize = 6;

/// How a snapshot is exported.
#[derive(Clone)]
pub struct ExportOptions<'a> {
    /// Whether an existing file is replaced.
    pub overwrite: bool,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two files.
    pub cancel: CancellationToken,
}

/// What became of an export.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// Repository of the snapshot.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Whether the snapshot itself was complete.
    pub status: Status,
    /// What orders of erasure changed of the snapshot.
    pub applied: Applied,
    /// The archive.
    pub archive: PathBuf,
    /// Its bytes.
    pub archive_bytes: u64,
    /// Files of the snapshot in it.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What could not be exported; `MISSING.txt` in the archive names it too.
    pub problems: Vec<Problem>,
    /// What people should know of the vault: damaged copies that were read around.
    pub vault_warnings: Vec<Problem>,
}

/// A manifest as it was signed.
struct Signed {
    manifest: Bytes,
    signature: Bytes,
    signer: VerifyingKey,
}

/// Exports a snapshot into one archive.
///
/// # Errors
///
/// [`Ambiguous`](super::RestoreErrorKind::Ambiguous) when the name does not say what kind of
/// archive is wanted, [`Refused`](super::RestoreErrorKind::Refused) when the file exists and
/// replacing it was not asked for, errors of the vault and of the local disk. What was under that
/// name stays then.
pub async fn export(
    snapshot: &OpenSnapshot<'_>,
    archive: &Path,
    options: ExportOptions<'_>,
) -> Result<ExportReport> {
    let compressed = is_compressed(archive)?;
    require_free(archive, options.overwrite)?;
    let manifest = &snapshot.manifest;
    let signed = read_signed(snapshot).await?;
    let catalog = snapshot.catalog().await?;
    let (wanted, mut problems) = only_safe(catalog.clone());
    let mut names = FileNames::new(&catalog);
    let mut report = ExportReport {
        repository: manifest.repository.clone(),
        snapshot: manifest.snapshot.clone(),
        status: manifest.status,
        applied: snapshot.applied(),
        archive: archive.to_owned(),
        archive_bytes: 0,
        files: 0,
        bytes: 0,
        problems: Vec::new(),
        vault_warnings: Vec::new(),
    };
    let level = compressed.then_some(snapshot.vault.limits().zstd_level);
    let place = archive.to_owned();
    let directory = format!("{}-{}", manifest.repository, manifest.snapshot);
    let modified = u64::try_from(manifest.snapshot.time().timestamp()).unwrap_or(0);
    let head = [
        ("README.md", Bytes::from(readme::text(manifest, &signed.signer))),
        ("manifest.json", signed.manifest),
        ("manifest.json.minisig", signed.signature),
    ];
    let begin = move || {
        let mut archive = Archive::create(&place, level, directory, modified)?;
        for (file, bytes) in head {
            archive.add(file, &mut ItemData::Memory(bytes))?;
        }
        Ok::<_, io::Error>(archive)
    };
    let failed = format!("cannot write the archive {}", archive.display());
    let mut open = Some(blocking(begin).await.map_err(RestoreError::local(&failed))?);
    let watch = Watch { phase: Phase::Export, progress: options.progress, cancel: &options.cancel };
    let lost = extract(snapshot, &catalog, &wanted, &mut names, watch, async |batch| {
        let mut archive = open.take().expect("it is put back after every batch");
        report.files += batch.len() as u64;
        report.bytes += batch.iter().map(|one| one.size).sum::<u64>();
        let (archive, added) = blocking(move || {
            let added = batch.into_iter().try_for_each(|mut one| archive.add(&one.file, &mut one.data));
            (archive, added)
        })
        .await;
        added.map_err(RestoreError::local(&failed))?;
        open = Some(archive);
        Ok(())
    })
    .await?;
    problems.extend(lost);
    problems.sort_unstable();
    let archive = open.take().expect("it is put back after every batch");
    let missing = missing_text(&problems);
    let overwrite = options.overwrite;
    let finish = move || archive.finish(missing, overwrite);
    report.archive_bytes = blocking(finish).await.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(&report.archive),
        _ => RestoreError::local(&failed)(error),
    })?;
    report.problems = problems;
    report.vault_warnings = snapshot.vault.warnings();
    Ok(report)
}

fn is_compressed(archive: &Path) -> Result<bool> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    match name.as_str() {
        name if name.ends_with(".tar.zst") || name.ends_with(".tzst") => Ok(true),
        name if name.ends_with(".tar") => Ok(false),
        _ => Err(RestoreError::Ambiguous {
            what: format!("the name {} does not say what kind of archive is wanted", archive.display()),
            hint: "let it end with .tar.zst, or with .tar for one without compression".to_owned(),
        }),
    }
}

fn require_free(archive: &Path, overwrite: bool) -> Result<()> {
    match fs::symlink_metadata(archive) {
        Ok(there) if there.is_dir() => Err(RestoreError::Refused {
            what: format!("{} is a directory", archive.display()),
            hint: "name a file".to_owned(),
        }),
        Ok(_) if !overwrite => Err(exists(archive)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RestoreError::local(format!("cannot look at {}", archive.display()))(error)),
    }
}

fn exists(archive: &Path) -> RestoreError {
    RestoreError::Refused {
        what: format!("{} exists", archive.display()),
        hint: "name another file, or pass --overwrite".to_owned(),
    }
}

/// Reads the manifest and its signature as they are stored, and tells who signed it.
async fn read_signed(snapshot: &OpenSnapshot<'_>) -> Result<Signed> {
    let vault = snapshot.vault;
    let key = &snapshot.manifest.key;
    let max = vault.limits().small_object_bytes_max;
    let manifest = vault
        .replicas
        .read_any(
            key,
            max,
            |replica, bytes| match serde_json::from_slice::<Manifest>(&bytes) {
                Ok(found) if found == snapshot.manifest => Ok(bytes),
                _ => Err(VaultError::damaged(key, &replica.store, "it is another manifest than was opened")),
            },
            |error| vault.read_around(key, error),
        )
        .await?;
    let signature_key = layout::signature(key);
    let (signature, signer) = vault
        .replicas
        .read_any(
            &signature_key,
            max,
            |replica, bytes| {
                let text = String::from_utf8_lossy(&bytes);
                let signer = vault.trust.signers.iter().find(|signer| signer.key.verifies(&manifest, &text));
                match signer {
                    Some(signer) => Ok((bytes.clone(), signer.key.clone())),
                    None => Err(VaultError::new(
                        ErrorKind::NotTrusted,
                        format!(
                            "{signature_key} on {} is refused: it is not of a trusted key",
                            replica.store
                        ),
                    )),
                }
            },
            |error| vault.read_around(&signature_key, error),
        )
        .await?;
    Ok(Signed { manifest, signature, signer })
}

fn missing_text(problems: &[Problem]) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let head = "These files belong to the snapshot and could not be read when this archive was made.\n\n";
    let lines = problems.iter().map(|problem| format!("{}: {}\n", problem.subject, problem.detail));
    Some(std::iter::once(head.to_owned()).chain(lines).collect())
}

/// An archive that is being written.
struct Archive {
    tar: tar::Builder<Sink>,
    place: PathBuf,
    file: NamedTempFile,
    directory: String,
    modified: u64,
    sums: Vec<(String, [u8; 32])>,
}

enum Sink {
    Plain(BufWriter<File>),
    Compressed(zstd::Encoder<'static, BufWriter<File>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            Self::Compressed(sink) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Compressed(sink) => sink.flush(),
        }
    }
}

impl Archive {
    /// Begins an archive beside its place; `level` is that of compression.
    fn create(place: &Path, level: Option<i32>, directory: String, modified: u64) -> io::Result<Self> {
        let parent = parent(place);
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!("{name}.");
        remove_leftovers(parent, &prefix)?;
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(PARTIAL)
            .rand_bytes(RANDOM)
            .tempfile_in(parent)?;
        // Released when the process ends, however it ends: that is how leftovers are known.
        file.as_file().lock()?;
        let buffered = BufWriter::with_capacity(1 << 18, file.as_file().try_clone()?);
        let sink = match level {
            None => Sink::Plain(buffered),
            Some(level) => {
                let mut encoder = zstd::Encoder::new(buffered, level)?;
                encoder.include_checksum(true)?;
                Sink::Compressed(encoder)
            }
        };
        let mut tar = tar::Builder::new(sink);
        tar.mode(tar::HeaderMode::Deterministic);
        Ok(Self { tar, place: place.to_owned(), file, directory, modified, sums: Vec::new() })
    }

    /// Adds a file, and its digest to the sums.
    fn add(&mut self, file: &str, data: &mut ItemData) -> io::Result<()> {
        let len = data.len();
        let mut reader = HashingReader { inner: data.reader()?, digest: Sha256::new() };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(len);
        header.set_mode(0o644);
        header.set_mtime(self.modified);
        header.set_uid(0);
        header.set_gid(0);
        self.tar.append_data(&mut header, format!("{}/{file}", self.directory), &mut reader)?;
        self.sums.push((file.to_owned(), reader.digest.finalize().into()));
        Ok(())
    }

    /// Writes the sums, makes the archive durable and gives it its name. Returns its size.
    fn finish(mut self, missing: Option<String>, overwrite: bool) -> io::Result<u64> {
        if let Some(missing) = missing {
            self.add("MISSING.txt", &mut ItemData::Memory(missing.into()))?;
        }
        self.sums.sort_unstable();
        let line = |(file, digest): &(String, [u8; 32])| format!("{}  {file}\n", hex(digest));
        let sums: String = self.sums.iter().map(line).collect();
        self.add("SHA256SUMS", &mut ItemData::Memory(sums.into()))?;
        let buffered = match self.tar.into_inner()? {
            Sink::Plain(buffered) => buffered,
            Sink::Compressed(encoder) => encoder.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        let size = self.file.as_file().metadata()?.len();
        let persisted = match overwrite {
            true => self.file.persist(&self.place),
            false => self.file.persist_noclobber(&self.place),
        };
        persisted.map_err(|error| error.error)?;
        File::open(parent(&self.place))?.sync_all()?;
        Ok(size)
    }
}

fn parent(place: &Path) -> &Path {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes unfinished archives of runs that were killed: nobody holds them locked.
fn remove_leftovers(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(PARTIAL));
        let ours = random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if ours && entry.file_type()?.is_file() && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

struct HashingReader<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}
