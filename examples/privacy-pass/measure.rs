//! One search, and what it took.

use std::sync::Arc;
use std::time::Instant;

use prismvault::privacy::channels::Bounds;
use prismvault::privacy::matching::Matcher;
use prismvault::privacy::search::{SearchOptions, search as search_vault};
use prismvault::progress::Silent;
use prismvault::vault::snapshots::Snapshots;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::place::{Result, open};
use super::{Arguments, contents};

/// Looks for the person in the vault in a directory.
pub(crate) async fn search(arguments: &Arguments) -> Result<Value> {
    let begun = Instant::now();
    let vault = open(&arguments.directory).await?;
    let snapshots = Snapshots::load(&vault, None).await?;
    let options = SearchOptions {
        repositories: Vec::new(),
        live: &[],
        bounds: Bounds::default(),
        now: vault.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    let opened = begun.elapsed();
    let matcher = Arc::new(Matcher::new(&contents::subject(arguments.frequent)?, &[]));
    let report = search_vault(&vault, &snapshots, matcher, options).await?;
    let coverage = &report.coverage;
    let read = vault.replicas.all()[0].counts().bytes_read;
    Ok(json!({
        "seconds": begun.elapsed().as_secs_f64(), "opened": opened.as_secs_f64(),
        "items": coverage.items, "bytes": coverage.bytes,
        "snapshots": coverage.repositories.iter().map(|one| one.snapshots).sum::<u64>(),
        "found": report.found.len(), "whole": coverage.is_whole(), "read": read,
        "peak_kib": peak_kib(), "cores": std::thread::available_parallelism().map_or(1, usize::from),
    }))
}

/// The most memory that this process had, where the system tells.
pub(crate) fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
