//! `prismvault restore document`: one document, or one field of it, back as a draft.

use super::ContentSession;
use super::destination::Destination;
use crate::cli::Context;
use crate::cli::confirm::confirm_that;
use crate::cli::diff::one_item;
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::IdentityOptions;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::restore::Selection;
use crate::restore::repository::{
    Choice, DocumentPlan, DocumentReport, DocumentRestore, FieldPath, OnConflict,
};

/// Arguments of `restore document`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, a unique beginning of one, `latest`, or REPOSITORY@WHEN (blog@latest, blog@2026-11-20, blog@3d)
    snapshot: String,
    /// Id of the document, as `prismvault find` and `diff` show it
    id: String,
    /// The repository to restore into, by its name in the configuration
    #[arg(long, value_name = "REPOSITORY")]
    into: String,
    /// Only this field: title, body[0].primary.text, or a path that `diff --fields` shows
    #[arg(long, value_name = "PATH")]
    field: Option<FieldPath>,
    /// Show what would change, and stop
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show the exact values of what changes
    #[arg(long)]
    fields: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

impl Args {
    /// What it does to the vault: it keeps the journal of the restore there.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("restore document", self.dry_run)
    }
}

/// Restores a document as a draft, after what would change was shown.
///
/// # Errors
///
/// When the snapshot or the target has not what is needed, a model differs, or nobody confirms:
/// nothing was written then. After any other error the same command goes on.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let manifest = &content.select(&args.snapshot)?.manifest;
    let config = &content.session.config;
    let destination = Destination::configured(&args.into, config, context)?;
    let snapshot = content.content(manifest).await?;
    let choice = Choice {
        only: Selection { ids: vec![args.id.clone()], ..Selection::default() },
        with_assets: true,
        on_conflict: OnConflict::Update,
        release_documents: config.limits.release_documents,
        field: args.field.as_ref().map(ToString::to_string),
        ..Choice::default()
    };
    let restore = DocumentRestore {
        restore: destination.restore(&snapshot, &choice, context),
        id: &args.id,
        field: args.field.as_ref(),
    };
    let plan = restore.plan().await?;
    if args.dry_run {
        let outcome = if plan.refusals.is_empty() { Outcome::Complete } else { Outcome::Refused };
        context.output.report(outcome, &plan, || plan_page(&plan, args.fields))?;
        content.session.warn_of_replicas(context);
        return Ok(outcome);
    }
    if plan.refusals.is_empty() {
        if !context.output.is_json() {
            context.output.message_page(&plan_page(&plan, args.fields));
        }
        let reason = "this replaces drafts of the document that nobody can see from here";
        confirm_that(reason, "Write it into the migration release, as a draft?", args.yes)?;
    }
    context.record.about(format!("{}/{}", manifest.repository, manifest.snapshot));
    let report = restore.run(&plan).await?;
    let outcome = match (report.is_staged, report.problems.is_empty()) {
        (true, true) => Outcome::Complete,
        (true, false) => Outcome::Partial,
        (false, _) => Outcome::Failed,
    };
    context.output.result(outcome, &report, || report_page(&plan, &report))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

fn plan_page(plan: &DocumentPlan, fields: bool) -> Page {
    let name = plan.title.as_deref().unwrap_or(&plan.id);
    let about = format!("  {}, {}, {}", plan.type_, plan.language, plan.id);
    let head = Text::styled(Style::Bold, name).and(Style::Dim, about);
    let is_same = plan.diff.changes.is_empty() && plan.diff.more == 0;
    let mut page = match (plan.is_live, is_same) {
        (true, false) => one_item(Page::new(), head, &plan.diff, fields),
        (true, true) => Page::new().line(head).line("The live version is the same."),
        (false, _) => {
            Page::new().line(head).line("It is gone from the target, and comes back under a new id.")
        }
    };
    if plan.is_live {
        page = page.line(warning(
            "Drafts of it that are newer than the live version cannot be seen; they are replaced, because what is \
             written is always a whole document.",
        ));
    }
    if !plan.linked_by.is_empty() {
        let linked = counted(plan.linked_by.len() as u64, "document");
        page = page.line(warning(&format!(
            "{linked} linked to it, and must be pointed to its new id: {}",
            plan.linked_by.join(", ")
        )));
    }
    if !plan.assets.is_empty() {
        page = page.line(format!("Assets that are gone, and are uploaded again: {}", plan.assets.join(", ")));
    }
    for finding in &plan.findings {
        page = page.line(format!("  not as it was: {} at {}", finding.kind.label(), finding.at));
    }
    for refusal in &plan.refusals {
        page = page
            .line(Text::styled(Style::Red, "IN THE WAY ").and(Style::Plain, refusal.what.clone()))
            .line(format!("  {}", refusal.next));
    }
    page
}

fn warning(text: &str) -> Text {
    Text::styled(Style::Yellow, "NOTE ").and(Style::Plain, text)
}

fn report_page(plan: &DocumentPlan, report: &DocumentReport) -> Page {
    let mut page = match (&report.new_id, report.is_staged) {
        (Some(id), true) => Page::new()
            .line(Text::styled(Style::Green, "Staged").and(
                Style::Plain,
                format!(": {id} is a draft in the migration release of {}", plan.repository),
            ))
            .line(format!(
                "Look at it and publish it: https://{}.prismic.io/builder/migration",
                plan.repository
            )),
        _ => Page::new().line(
            Text::styled(Style::Red, "Not staged")
                .and(Style::Plain, "; after what is named here, run the same command again"),
        ),
    };
    for problem in &report.problems {
        page = page.line(
            Text::styled(Style::Red, "PROBLEM ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    page
}
