//! `prismvault cat`: one item to standard output.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::replay::with_applied;
use super::restore::ContentSession;
use super::session::IdentityOptions;
use super::{Context, Output};
use crate::ids::{ItemId, Name, SnapshotId};
use crate::restore::{Found, cat};
use crate::vault::erasure::Applied;

/// Bytes that are passed on at once.
const PART: usize = 256 << 10;

/// Arguments of `cat`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    snapshot: String,
    /// Path of the catalog (documents/en-us/page/ID.json, assets/ID/original), or the id of a document
    path: String,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    repository: Name,
    snapshot: SnapshotId,
    path: String,
    item: ItemId,
    size: u64,
    /// What orders of erasure changed of it.
    #[serde(skip_serializing_if = "Applied::is_nothing")]
    applied: Applied,
    /// What the bytes mean, where they are JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<serde_json::Value>,
    /// The bytes, where they are anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// Prints the bytes of one item as they are stored; with `--json` what they mean.
///
/// # Errors
///
/// When the identity that reads content is not here, the path names nothing, or the item is
/// damaged on every replica.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let manifest = &content.select(&args.snapshot)?.manifest;
    let snapshot = content.content(manifest).await?;
    let mut found = cat(&snapshot, &args.path).await?;
    if !found.applied.is_nothing() {
        context.output.message_page(&with_applied(Page::new(), &found.applied));
    }
    if !context.output.is_json() {
        pass_on(&mut found, &context.output)?;
        content.session.warn_of_replicas(context);
        return Ok(Outcome::Complete);
    }
    let max = content.session.vault.limits().small_object_bytes_max;
    if found.data.len() > max {
        let sentence = format!("{} has {} bytes, too many for JSON", found.entry.path, found.data.len());
        return Err(CommandError::new(ErrorKind::Usage, sentence)
            .hint("leave out --json, or use `prismvault restore files --path`"));
    }
    let mut bytes = Vec::new();
    found.data.reader().and_then(|mut reader| reader.read_to_end(&mut bytes)).map_err(unreadable)?;
    let value = serde_json::from_slice(&bytes).ok();
    let report = Report {
        repository: manifest.repository.clone(),
        snapshot: manifest.snapshot.clone(),
        path: found.entry.path.to_string(),
        item: found.entry.item,
        size: found.entry.size,
        applied: found.applied,
        base64: value.is_none().then(|| BASE64.encode(&bytes)),
        content: value,
    };
    context.output.report(Outcome::Complete, &report, Page::new)?;
    content.session.warn_of_replicas(context);
    Ok(Outcome::Complete)
}

fn pass_on(found: &mut Found, output: &Output) -> Result<(), CommandError> {
    let mut reader = found.data.reader().map_err(unreadable)?;
    let mut part = vec![0; PART];
    while !output.is_closed() {
        match reader.read(&mut part).map_err(unreadable)? {
            0 => break,
            read => output.bytes(&part[..read])?,
        }
    }
    Ok(())
}

fn unreadable(error: std::io::Error) -> CommandError {
    CommandError::because(ErrorKind::Failed, "cannot read a temporary file", error)
}
