//! `prismvault keys list`.

use serde::Serialize;

use super::root_key;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::Table;
use crate::cli::{Context, Outcome};
use crate::keys::{KeyKind, KeyLine, describe};
use crate::vault::signing::SigningKey;

#[derive(Serialize)]
struct Report {
    trust: u32,
    created: String,
    encrypted: bool,
    erasure_approvals: u32,
    /// The root key that configurations pin: that of the first trust record.
    pinned_root: String,
    keys: Vec<KeyLine>,
}

pub(super) async fn run(context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &IdentityOptions::default()).await?;
    let root = root_key(&session.config)?;
    let vault = &session.vault;
    let report = Report {
        trust: vault.trust.n,
        created: vault.trust.created.clone(),
        encrypted: vault.is_encrypted(),
        erasure_approvals: vault.trust.erasure_approvals,
        pinned_root: vault.first_root().to_string(),
        keys: describe(vault, root.as_ref().map(SigningKey::public)),
    };
    let outcome = if vault.replicas.failed().is_empty() { Outcome::Complete } else { Outcome::Partial };
    context.output.report(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
}

/// What a key is for, in words.
pub(super) fn purpose(line: &KeyLine) -> String {
    match line.kind {
        KeyKind::ReadsContent => "reads content".to_owned(),
        KeyKind::ReadsCases => "reads cases and content".to_owned(),
        KeyKind::ReadsCatalogs => "reads catalogs".to_owned(),
        KeyKind::Signs => format!("signs: {}", line.roles.join(", ")),
        KeyKind::Root => "root: signs trust records".to_owned(),
        KeyKind::Retired => "retired: signed once".to_owned(),
    }
}

fn here(line: &KeyLine) -> &'static str {
    match (line.kind, line.here) {
        (KeyKind::ReadsContent | KeyKind::ReadsCases | KeyKind::Root, true) => "here; belongs elsewhere",
        (KeyKind::ReadsContent | KeyKind::ReadsCases | KeyKind::Root | KeyKind::Retired, false) => {
            "not here: good"
        }
        (KeyKind::Retired, true) => "here; of no use any more",
        (_, true) => "here",
        (_, false) => "not here",
    }
}

fn page(report: &Report) -> Page {
    let mut table = Table::new(["key", "for", "called", "since", "private half"]);
    for line in &report.keys {
        table.row([
            line.key.clone().into(),
            purpose(line).into(),
            line.label.clone().unwrap_or_else(|| "-".to_owned()).into(),
            format!("{} (record {})", line.date.split('T').next().unwrap_or_default(), line.since).into(),
            here(line).into(),
        ]);
    }
    let mut page =
        Page::new().line(format!("Trust record {} of {}", report.trust, report.created)).table(table);
    if !report.encrypted {
        page = page.line("This vault is not encrypted: who can read a replica reads content.");
    }
    page
}
