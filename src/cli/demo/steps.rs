//! The steps of a demo, in their order. Each does one thing, checks that it came out as it must,
//! and tells its figures.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::compare::{self, Moment};
use super::files;
use super::show::Told;
use super::stage::{Damaged, REPLICAS, REPOSITORY, Source, Taken, VaultPlace, failed, must, wrong};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::units::human_bytes;
use crate::restore::{OpenSnapshot, OverwriteMode, RestoreOptions, Selection, restore_files};
use crate::sandbox::synthetic::{SyntheticOptions, generate};
use crate::snapshot::SnapshotReport;
use crate::vault::layout;
use crate::vault::snapshots::Snapshots;
use crate::verification::{Level, VerifyReport, apply_repair, plan_repair};

/// Decides the content and what editors change.
const SEED: u64 = 2026;
const EDITED_SHARE: f64 = 0.01;
/// Characters shown of the name of a pack, which is a long one.
const FILE_SHOWN: usize = 24;
/// Differences that an error names; the rest are counted.
const DIFFERENCES_SHOWN: usize = 5;

/// What a step makes, and what it tells.
type Step<T> = Result<(T, Told), CommandError>;

fn told<const N: usize>(lines: [String; N], figures: serde_json::Value) -> Told {
    Told { lines: lines.into(), figures }
}

/// Serves synthetic content.
pub(super) async fn source(documents: usize, assets: usize, context: &Context) -> Step<Source> {
    let options = SyntheticOptions { documents, assets, seed: SEED, ..SyntheticOptions::default() };
    let languages = options.languages.len();
    let made = tokio::task::spawn_blocking(move || generate(REPOSITORY, &options));
    let made = context.cancel.run_until_cancelled(made).await.ok_or_else(CommandError::interrupted)?;
    let cannot = |error| CommandError::because(ErrorKind::Failed, "cannot make content", error);
    let content = made
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot make content", error))?
        .map_err(cannot)?;
    let source = Source::serve(content, context)?;
    let (repository, base_url) = (&source.repository, source.base_url());
    let library = repository.library();
    let asset_bytes: u64 = library.assets().iter().map(|asset| asset.content.len()).sum();
    let told = told(
        [
            format!(
                "{} documents in {languages} languages, {} assets ({})",
                repository.documents().len(),
                library.assets().len(),
                human_bytes(asset_bytes),
            ),
            format!("played by a sandbox with Prismic's APIs at {base_url}"),
        ],
        json!({
            "documents": repository.documents().len(),
            "assets": library.assets().len(),
            "asset_bytes": asset_bytes,
            "base_url": base_url,
        }),
    );
    Ok((source, told))
}

/// Makes keys, vault and configuration as the first run of `snapshot --to` does.
pub(super) async fn vault<'a>(
    source: &Source,
    directory: &Path,
    context: &'a Context,
) -> Step<VaultPlace<'a>> {
    let vault = VaultPlace::make(source, directory, context).await?;
    let id = vault.config.vault.id.map(|id| id.to_string());
    let told = told(
        [
            format!("encrypted with age and signed, on {}", REPLICAS.join(" and ")),
            "operator identity and signing key stay on the machine that takes snapshots;".to_owned(),
            "recovery identity (reads content) and root key are for somewhere else".to_owned(),
        ],
        json!({"vault": id, "replicas": REPLICAS, "encrypted": true}),
    );
    Ok((vault, told))
}

fn requests(report: &SnapshotReport) -> u64 {
    report.requests.values().sum()
}

fn figures(report: &SnapshotReport, objects: usize) -> serde_json::Value {
    let manifest = &report.committed.manifest;
    json!({
        "snapshot": manifest.snapshot,
        "requests": requests(report),
        "documents": manifest.counts.documents.stored,
        "assets": manifest.counts.assets.stored,
        "models": manifest.counts.models.stored,
        "new_items": manifest.added.items,
        "stored_bytes": manifest.added.stored_bytes,
        "objects_per_replica": objects,
    })
}

/// Takes the first snapshot.
pub(super) async fn first_snapshot(source: &Source, vault: &VaultPlace<'_>) -> Step<Taken> {
    let moment = Moment::of(&source.repository);
    let (report, objects) = vault.take().await?;
    let (manifest, counts) = (&report.committed.manifest, &report.committed.manifest.counts);
    must(counts.documents.stored == source.repository.documents().len() as u64, || {
        format!("only {} documents were stored", counts.documents.stored)
    })?;
    let told = told(
        [
            format!(
                "{} documents, {} assets, {} models, read at one pinned ref",
                counts.documents.stored, counts.assets.stored, counts.models.stored,
            ),
            format!(
                "{} requests; {} became {} encrypted, in {objects} objects on each replica",
                requests(&report),
                human_bytes(manifest.added.bytes),
                human_bytes(manifest.added.stored_bytes),
            ),
        ],
        figures(&report, objects),
    );
    Ok((Taken { manifest: report.committed.manifest, moment }, told))
}

/// Takes another snapshot of the same.
pub(super) async fn unchanged_snapshot(_source: &Source, vault: &VaultPlace<'_>, first: &Taken) -> Step<()> {
    let (report, objects) = vault.take().await?;
    must(report.committed.manifest.catalog == first.manifest.catalog, || {
        "the catalog changed, though nothing changed at the source".to_owned()
    })?;
    let told = told(
        [
            format!(
                "{} requests show that nothing changed; {objects} objects on each replica",
                requests(&report),
            ),
            "those are the manifest and its signature; no document was read again".to_owned(),
        ],
        figures(&report, objects),
    );
    Ok(((), told))
}

/// Changes a share of the documents and the notes of an asset.
pub(super) async fn edit(source: &Source) -> Step<()> {
    let cannot = |error| CommandError::because(ErrorKind::Failed, "cannot edit the repository", error);
    let edited = source.repository.edit(EDITED_SHARE, SEED).map_err(cannot)?;
    let library = source.repository.library();
    let asset = library.assets().first().map(|asset| asset.id.clone());
    if let Some(asset) = &asset {
        source.repository.edit_asset(asset, "Checked with legal.").map_err(cannot)?;
    }
    let notes = if asset.is_some() { ", and the notes of an asset" } else { "" };
    let told = told(
        [format!("{} documents have new text{notes}", edited.len())],
        json!({"documents": edited.len(), "assets": asset.iter().count()}),
    );
    Ok(((), told))
}

/// Takes a snapshot of the change.
pub(super) async fn newest_snapshot(source: &Source, vault: &VaultPlace<'_>) -> Step<Taken> {
    let moment = Moment::of(&source.repository);
    let (report, objects) = vault.take().await?;
    let added = report.committed.manifest.added;
    let told = told(
        [
            format!(
                "{} new items, {}, in {objects} objects on each replica",
                added.items,
                human_bytes(added.stored_bytes),
            ),
            "the rest is shared with the snapshots before; each stays complete by itself".to_owned(),
        ],
        figures(&report, objects),
    );
    Ok((Taken { manifest: report.committed.manifest, moment }, told))
}

fn verify_figures(report: &VerifyReport) -> serde_json::Value {
    json!({
        "snapshots": report.snapshots,
        "objects": report.objects,
        "bytes_read": report.bytes_read,
        "items": report.items,
        "damage": report.damage,
    })
}

fn nothing_wrong(report: &VerifyReport) -> Result<(), CommandError> {
    match report.damage.first() {
        None => Ok(()),
        Some(damage) => Err(wrong(format!("{} on {}: {}", damage.key, damage.replica, damage.detail))),
    }
}

/// Verifies everything, content included.
pub(super) async fn verify_all(vault: &VaultPlace<'_>) -> Step<()> {
    let report = vault.verify(Level::Content).await?;
    nothing_wrong(&report)?;
    let told = told(
        [
            format!(
                "{} snapshots, {} objects on two replicas, {} read",
                report.snapshots,
                report.objects,
                human_bytes(report.bytes_read),
            ),
            format!("{} items decrypted and checked against their ids; nothing is wrong", report.items),
        ],
        verify_figures(&report),
    );
    Ok(((), told))
}

/// Flips a bit of the largest pack on one replica.
pub(super) async fn damage(vault: &VaultPlace<'_>) -> Step<Damaged> {
    let replica = REPLICAS[1];
    let packs = vault.directory.join(replica).join(layout::PACKS);
    let listed = files::list(&packs).map_err(failed("cannot list the packs"))?;
    let largest = listed.into_iter().max_by_key(|(_, size)| *size);
    let (file, size) =
        largest.ok_or_else(|| CommandError::new(ErrorKind::Integrity, "there are no packs to damage"))?;
    let at = files::flip_a_bit(&packs.join(&file)).map_err(failed("cannot damage a pack"))?;
    let told = told(
        [
            format!("one bit of the largest pack ({}) on {replica} is flipped:", human_bytes(size)),
            format!("{}/{}…", layout::PACKS, &file[..file.len().min(FILE_SHOWN)]),
        ],
        json!({"replica": replica, "file": packs.join(&file), "byte": at}),
    );
    Ok((Damaged { replica, file }, told))
}

/// Verifies again: exactly that object must be named.
pub(super) async fn notice(vault: &VaultPlace<'_>, damaged: &Damaged) -> Step<()> {
    let report = vault.verify(Level::Bytes).await?;
    must(report.damage.len() == 1 && report.damage.iter().all(|damage| damaged.is(damage)), || {
        format!("{} things were found damaged, and not only the one that is", report.damage.len())
    })?;
    let told = told(
        [
            format!("names that pack on {} and nothing else", damaged.replica),
            "(exit code 4 in a script); this does not need the recovery identity".to_owned(),
        ],
        verify_figures(&report),
    );
    Ok(((), told))
}

/// Repairs, and verifies that it helped.
pub(super) async fn mend(vault: &VaultPlace<'_>, damaged: &Damaged) -> Step<()> {
    let session = vault.open(false).await?;
    let options = vault.verify_options(Level::Bytes);
    let (_, plan) = plan_repair(&session.vault, &options).await?;
    let report = apply_repair(&session.vault, &plan, &options).await?;
    if let Some((step, why)) = report.failed.first() {
        return Err(wrong(format!("{} was not repaired: {why}", step.key)));
    }
    must(report.mended.len() == 1, || format!("{} objects were repaired, not one", report.mended.len()))?;
    let after = vault.verify(Level::Bytes).await?;
    nothing_wrong(&after)?;
    let from = report.mended.first().map(|step| step.from.clone()).unwrap_or_default();
    let told = told(
        [
            format!("{} brought from {from}, after its hash was checked", human_bytes(report.bytes),),
            "verified once more: nothing is wrong".to_owned(),
        ],
        json!({"objects": report.mended.len(), "bytes": report.bytes, "from": from, "to": damaged.replica}),
    );
    Ok(((), told))
}

fn restored(vault: &VaultPlace<'_>, name: &str) -> PathBuf {
    vault.directory.join("restored").join(name)
}

/// Restores snapshots as files, each into a directory of its own.
pub(super) async fn restore(vault: &VaultPlace<'_>, taken: &[(&str, &Taken)]) -> Step<()> {
    let session = vault.open(true).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let (mut files, mut bytes) = (0, 0);
    for (name, taken) in taken {
        let snapshot = OpenSnapshot::open(&session.vault, &snapshots, &taken.manifest).await?;
        let options = RestoreOptions {
            selection: Selection::default(),
            overwrite: OverwriteMode::Refuse,
            progress: &*vault.context.progress,
            cancel: vault.context.cancel.clone(),
        };
        let report = restore_files(&snapshot, &restored(vault, name), options).await?;
        if let Some(problem) = report.problems.first() {
            return Err(wrong(format!("{}: {}", problem.subject, problem.detail)));
        }
        files += report.created;
        bytes += report.bytes;
    }
    let names: Vec<&str> = taken.iter().map(|(name, _)| *name).collect();
    let told = told(
        [format!("{files} files, {}, in restored/{}", human_bytes(bytes), names.join(" and restored/"))],
        json!({"snapshots": names, "files": files, "bytes": bytes}),
    );
    Ok(((), told))
}

/// Compares what was restored with the repository, as it was and as it is.
pub(super) async fn compare(source: &Source, vault: &VaultPlace<'_>, taken: &[(&str, &Taken)]) -> Step<()> {
    let mut done = Vec::new();
    for (name, taken) in taken {
        let directory = restored(vault, name);
        let compared = compare::compare(&taken.moment, source.base_url(), &directory)
            .await
            .map_err(failed("cannot compare the restored files"))?;
        must(compared.differences.is_empty(), || differences(name, &compared.differences))?;
        done.push((*name, compared));
    }
    let mut lines = vec!["all bytes are equal, no file is missing or too many".to_owned()];
    lines.extend(done.iter().map(|(name, compared)| {
        format!(
            "{name}: {} documents, {} of releases, {} models, {} assets",
            compared.documents, compared.release_documents, compared.models, compared.assets,
        )
    }));
    let figures: serde_json::Map<_, _> =
        done.iter().map(|(name, compared)| ((*name).to_owned(), json!(compared))).collect();
    Ok(((), Told { lines, figures: figures.into() }))
}

fn differences(name: &str, all: &[String]) -> String {
    let shown = all.len().min(DIFFERENCES_SHOWN);
    let more = if all.len() > shown { format!(" and {} more", all.len() - shown) } else { String::new() };
    format!("restored/{name} is not what the source was: {}{more}", all[..shown].join(", "))
}
