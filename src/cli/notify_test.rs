//! `prismvault jobs notify-test`: tries whether notifications arrive.

use std::sync::Arc;

use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::text::{Style, Table, Text};
use crate::config::Config;
use crate::ids::Name;
use crate::notify::Notifier;

/// Arguments of `jobs notify-test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Those to try: names of [notifications.NAME], all when none is given
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
}

#[derive(Serialize)]
struct Report {
    notifications: Vec<Tried>,
}

#[derive(Serialize)]
struct Tried {
    name: Name,
    kind: &'static str,
    ok: bool,
    /// What went well, or why it did not.
    detail: String,
    /// What to do about it.
    next: Option<String>,
}

/// Sends a test message to each, and says what came of it.
///
/// # Errors
///
/// A name that the configuration does not have, or none at all.
pub(super) async fn run(args: Args, config: &Config, context: &Context) -> Result<Outcome, CommandError> {
    for name in &args.names {
        config.notification(name.as_str())?;
    }
    if config.notifications.is_empty() {
        let sentence = format!("{} has no [notifications.NAME]", config.file.display());
        return Err(CommandError::new(ErrorKind::Configuration, sentence).hint(
            "write for example [notifications.ops] with kind = \"webhook\", preset = \"slack\", url = { env = \"OPS_WEBHOOK\" }",
        ));
    }
    let tried = Notifier::new(config, Arc::clone(&context.clock)).test(&args.names).await;
    let tried = tried.into_iter().map(|delivery| Tried {
        name: delivery.name,
        kind: delivery.kind,
        ok: delivery.result.is_ok(),
        next: delivery.result.as_ref().err().and_then(|error| error.next_step()).map(str::to_owned),
        detail: match delivery.result {
            Ok(words) => words.to_owned(),
            Err(error) => error.to_string(),
        },
    });
    let report = Report { notifications: tried.collect() };
    let outcome = match report.notifications.iter().all(|tried| tried.ok) {
        true => Outcome::Complete,
        false => Outcome::Failed,
    };
    context.output.report(outcome, &report, || page(&report))?;
    Ok(outcome)
}

fn page(report: &Report) -> Page {
    let mut table = Table::new(["notification", "kind", "result", "what"]);
    for tried in &report.notifications {
        let (style, word) = if tried.ok { (Style::Green, "good") } else { (Style::Red, "failed") };
        let what = match &tried.next {
            Some(next) => format!("{}; {next}", tried.detail),
            None => tried.detail.clone(),
        };
        table.row([tried.name.to_string().into(), tried.kind.into(), Text::styled(style, word), what.into()]);
    }
    Page::new().table(table)
}
