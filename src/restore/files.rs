//! `restore files`: a snapshot as files below a directory.
//!
//! Invariants
//! - Nothing is written before content may be read, the selection matches, the target is empty or
//!   overwriting was asked for, and no link stands in the way.
//! - A file under its final name is whole; see the module of the target for crashes.
//! - What cannot be read is a problem and leaves no file; a file that was there stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::content::{OpenSnapshot, Watch, extract, forecast, learn_names, only_safe};
use super::error::Result;
use super::names::FileNames;
use super::paths::{ORIGINAL, Place, place};
use super::selection::Selection;
use super::target::{OverwriteMode, Target, There, Written, look, require_usable, require_way};
use crate::ids::{Name, SnapshotId};
use crate::objects::traffic::Traffic;
use crate::progress::{Phase, Problem, Progress};
use crate::vault::erasure::Applied;
use crate::vault::format::catalog::CatalogEntry;
use crate::vault::format::manifest::Status;

/// How files are restored.
#[derive(Clone)]
pub struct RestoreOptions<'a> {
    /// Which part of the snapshot.
    pub selection: Selection,
    /// What happens to files that are there already.
    pub overwrite: OverwriteMode,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two files.
    pub cancel: CancellationToken,
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
pub struct RestorePlan {
    /// Repository of the snapshot.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Where the files would go.
    pub target: PathBuf,
    /// What would happen to files that are there already.
    pub overwrite: OverwriteMode,
    /// Each file, sorted by path of the catalog.
    pub files: Vec<PlannedFile>,
    /// Bytes of all files.
    pub bytes: u64,
    /// What reading the content costs, by replica.
    pub forecast: BTreeMap<String, Traffic>,
    /// What orders of erasure change of the snapshot.
    pub applied: Applied,
    /// Paths that cannot become files.
    pub problems: Vec<Problem>,
}

/// One file of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// Path of the catalog.
    pub path: String,
    /// File below the target.
    pub file: String,
    /// Bytes of it.
    pub size: u64,
    /// What would happen.
    pub action: Action,
}

/// What would happen to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// There is none of that name: it is written.
    Create,
    /// There is another: it is replaced.
    Replace,
    /// There is one of the same size: it is replaced where its bytes differ.
    Compare,
}

/// What became of a restore.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// Repository of the snapshot.
    pub repository: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Whether the snapshot itself was complete.
    pub status: Status,
    /// What orders of erasure changed of the snapshot.
    pub applied: Applied,
    /// Where the files are.
    pub target: PathBuf,
    /// Files that were selected.
    pub selected: u64,
    /// Files that are new.
    pub created: u64,
    /// Files that replaced others.
    pub replaced: u64,
    /// Files that were there with the same bytes.
    pub unchanged: u64,
    /// Bytes of created and replaced files.
    pub bytes: u64,
    /// Files that have another name than their path of the catalog, names of assets not counted.
    pub renamed: Vec<RenamedFile>,
    /// What could not be restored.
    pub problems: Vec<Problem>,
    /// What people should know of the vault: damaged copies that were read around.
    pub vault_warnings: Vec<Problem>,
}

/// A file with another name than its path, because it would equal another's but for case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenamedFile {
    /// Path of the catalog.
    pub path: String,
    /// File below the target.
    pub file: String,
}

/// What plan and restore have in common: the files, and that the target can take them.
struct Preparation {
    catalog: Vec<CatalogEntry>,
    wanted: Vec<CatalogEntry>,
    names: FileNames,
    problems: Vec<Problem>,
}

async fn prepare(
    snapshot: &OpenSnapshot<'_>,
    target: &Path,
    options: &RestoreOptions<'_>,
) -> Result<Preparation> {
    require_usable(target, options.overwrite)?;
    let catalog = snapshot.catalog().await?;
    let wanted = options.selection.apply(snapshot.vault.item_key()?, &catalog)?;
    let (wanted, problems) = only_safe(wanted);
    let root = target.to_owned();
    blocking(move || {
        let names = FileNames::new(&catalog);
        let mut directory = String::new();
        for entry in &wanted {
            let file = names.file(&entry.path);
            let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
            if parent != directory {
                require_way(&root, &file)?;
                directory = parent.to_owned();
            }
            // The name of an asset's file is known when its metadata was read.
            if !is_original(entry) {
                look(&root, &file)?;
            }
        }
        Ok(Preparation { catalog, wanted, names, problems })
    })
    .await
}

/// Says what [`restore_files`] would do, without writing anything. It reads the metadata of
/// assets, for the names of their files.
///
/// # Errors
///
/// Those with which the restore would refuse to begin.
pub async fn plan_files(
    snapshot: &OpenSnapshot<'_>,
    target: &Path,
    options: RestoreOptions<'_>,
) -> Result<RestorePlan> {
    let Preparation { catalog, wanted, mut names, problems } = prepare(snapshot, target, &options).await?;
    let watch = Watch { phase: Phase::Restore, progress: options.progress, cancel: &options.cancel };
    learn_names(snapshot, &catalog, &wanted, &mut names, watch).await?;
    let forecast = forecast(snapshot, &catalog, &wanted);
    let (root, mode) = (target.to_owned(), options.overwrite);
    let files = blocking(move || {
        let plan = |entry: &CatalogEntry| {
            let file = names.file(&entry.path);
            let action = match look(&root, &file)? {
                There::Nothing => Action::Create,
                There::File(size) if mode == OverwriteMode::IfChanged && size == entry.size => {
                    Action::Compare
                }
                There::File(_) | There::Special => Action::Replace,
            };
            Ok(PlannedFile { path: entry.path.to_string(), file, size: entry.size, action })
        };
        wanted.iter().map(plan).collect::<Result<Vec<_>>>()
    })
    .await?;
    Ok(RestorePlan {
        repository: snapshot.manifest.repository.clone(),
        snapshot: snapshot.manifest.snapshot.clone(),
        target: target.to_owned(),
        overwrite: options.overwrite,
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        forecast,
        applied: snapshot.applied(),
        problems,
    })
}

/// Restores a snapshot, or the selected part of it, as files below `target`, which is made when
/// it is not there.
///
/// # Errors
///
/// [`Refused`](super::RestoreErrorKind::Refused) when the target is not empty and overwriting was
/// not asked for, or a link or directory stands in the way;
/// [`NotFound`](super::RestoreErrorKind::NotFound) when the selection matches nothing. Nothing was
/// written then. [`Local`](super::RestoreErrorKind::Local) when the disk fails: files that are
/// there are whole, and the same restore with [`OverwriteMode::IfChanged`] completes it.
pub async fn restore_files(
    snapshot: &OpenSnapshot<'_>,
    target: &Path,
    options: RestoreOptions<'_>,
) -> Result<RestoreReport> {
    let Preparation { catalog, wanted, mut names, mut problems } =
        prepare(snapshot, target, &options).await?;
    let renamed = wanted.iter().filter_map(|entry| renamed(entry, &names)).collect();
    let manifest = &snapshot.manifest;
    let mut report = RestoreReport {
        repository: manifest.repository.clone(),
        snapshot: manifest.snapshot.clone(),
        status: manifest.status,
        applied: snapshot.applied(),
        target: target.to_owned(),
        selected: (wanted.len() + problems.len()) as u64,
        created: 0,
        replaced: 0,
        unchanged: 0,
        bytes: 0,
        renamed,
        problems: Vec::new(),
        vault_warnings: Vec::new(),
    };
    let root = target.to_owned();
    let (mode, writes) = (options.overwrite, snapshot.vault.limits().file_writes);
    let mut open = Some(blocking(move || Target::open(&root, mode)).await?);
    let watch = Watch { phase: Phase::Restore, progress: options.progress, cancel: &options.cancel };
    let lost = extract(snapshot, &catalog, &wanted, &mut names, watch, async |batch| {
        let mut target = open.take().expect("it is put back after every batch");
        let (target, written) = blocking(move || {
            let written = target.write_all(batch, writes);
            (target, written)
        })
        .await;
        open = Some(target);
        for (written, size) in written? {
            match written {
                Written::Created => report.created += 1,
                Written::Replaced => report.replaced += 1,
                Written::Unchanged => report.unchanged += 1,
            }
            report.bytes += if written == Written::Unchanged { 0 } else { size };
        }
        Ok(())
    })
    .await?;
    problems.extend(lost);
    let target = open.take().expect("it is put back after every batch");
    let at_once = snapshot.vault.limits().directory_syncs;
    blocking(move || target.finish(at_once)).await?;
    problems.sort_unstable();
    report.problems = problems;
    report.vault_warnings = snapshot.vault.warnings();
    Ok(report)
}

fn renamed(entry: &CatalogEntry, names: &FileNames) -> Option<RenamedFile> {
    let file = names.file(&entry.path);
    (file != *entry.path).then(|| RenamedFile { path: entry.path.to_string(), file })
}

fn is_original(entry: &CatalogEntry) -> bool {
    matches!(place(&entry.path), Place::Asset { file: ORIGINAL, .. })
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("file work does not panic")
}
