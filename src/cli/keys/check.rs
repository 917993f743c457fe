//! `prismvault keys check`.

use serde::Serialize;

use super::list::purpose;
use super::root_key;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::{Context, Outcome};
use crate::config::{Config, SecretRef};
use crate::keys::{Finding, KeyLine, check, describe};
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::rewrap::Pending;
use crate::vault::signing::SigningKey;

/// Arguments of `keys check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    identity: IdentityOptions,
}

/// One key of `[keys]`.
#[derive(Serialize)]
struct File {
    name: &'static str,
    reference: String,
    here: bool,
    /// Its public half, where it can be read.
    public: Option<String>,
    /// What it is for, by the newest trust record.
    purpose: Option<String>,
    /// Since when, RFC 3339.
    date: Option<String>,
    problem: Option<String>,
    warning: Option<String>,
}

#[derive(Serialize)]
struct Report {
    trust: u32,
    files: Vec<File>,
    findings: Vec<Finding>,
    pending: Pending,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let config = &session.config;
    let root = root_key(config).ok().flatten();
    let lines = describe(&session.vault, root.as_ref().map(SigningKey::public));
    let keys = &config.keys;
    let files = [
        ("operator", &keys.operator, public_of_identity as PublicHalf),
        ("signing", &keys.signing, public_of_signing_key),
        ("maintenance", &keys.maintenance, public_of_signing_key),
        ("recovery", &keys.recovery, public_of_identity),
        ("root", &keys.root, public_of_signing_key),
        ("privacy", &keys.privacy, public_of_identity),
        ("privacy_signing", &keys.privacy_signing, public_of_signing_key),
    ];
    let files = files.into_iter().filter_map(|(name, reference, public)| {
        Some(file(name, reference.as_ref()?, public, config, &lines))
    });
    let files: Vec<File> = files.collect();
    let (findings, pending) = check(&session.vault).await?;
    let report = Report { trust: session.vault.trust.n, files, findings, pending };
    let wrong = report.files.iter().any(|file| file.problem.is_some())
        || report.findings.iter().any(|finding| !finding.problems.is_empty());
    let outcome = if wrong {
        Outcome::Failed
    } else if report.pending.is_empty() && session.vault.replicas.failed().is_empty() {
        Outcome::Complete
    } else {
        Outcome::Partial
    };
    context.output.result(outcome, &report, || page(&report))?;
    session.warn(context);
    Ok(outcome)
}

/// Reads the public half of a key, or says why it is none.
type PublicHalf = fn(&Secret) -> Result<String, crate::vault::error::VaultError>;

fn public_of_identity(secret: &Secret) -> Result<String, crate::vault::error::VaultError> {
    Identity::parse(secret).map(|identity| identity.recipient().to_string())
}

fn public_of_signing_key(secret: &Secret) -> Result<String, crate::vault::error::VaultError> {
    SigningKey::parse(secret).map(|key| key.public().to_string())
}

fn file(
    name: &'static str,
    reference: &SecretRef,
    public: PublicHalf,
    config: &Config,
    lines: &[KeyLine],
) -> File {
    let here = reference.absence().is_none();
    let mut file = File {
        name,
        reference: reference.to_string(),
        here,
        public: None,
        purpose: None,
        date: None,
        problem: None,
        warning: None,
    };
    if !here {
        return file;
    }
    match reference.resolve(&config.limits) {
        Err(error) => file.problem = Some(error.to_string()),
        Ok(secret) => match public(&secret) {
            Err(error) => file.problem = Some(error.to_string()),
            Ok(key) => {
                let line = lines.iter().find(|line| line.key == key);
                file.purpose = line.map(purpose);
                file.date = line.map(|line| line.date.clone());
                if line.is_none() {
                    file.problem = Some("no trust record of this vault names it".to_owned());
                }
                file.public = Some(key);
            }
        },
    }
    file.warning = if let Some(mode) = reference.open_to_others() {
        Some(format!("others on this machine can read it (mode {mode:03o}); chmod 600"))
    } else if matches!(name, "recovery" | "root") {
        Some("it belongs elsewhere, not on the backup host".to_owned())
    } else {
        None
    };
    file
}

fn page(report: &Report) -> Page {
    let mut page = Page::new().line(format!("Trust record {}", report.trust));
    for file in &report.files {
        let (style, said) = match (&file.problem, file.here) {
            (Some(problem), _) => (Style::Red, problem.clone()),
            (None, false) if matches!(file.name, "recovery" | "root") => {
                (Style::Green, "not here: good".to_owned())
            }
            (None, false) => (Style::Yellow, "not here".to_owned()),
            (None, true) => {
                let purpose = file.purpose.clone().unwrap_or_default();
                let since = file.date.as_deref().and_then(|date| date.split('T').next()).unwrap_or_default();
                (Style::Green, format!("{purpose}, since {since}"))
            }
        };
        page = page.line(
            Text::styled(style, format!("{} ", file.name))
                .and(Style::Plain, format!("{}: {said}", file.reference)),
        );
        if let Some(warning) = &file.warning {
            page = page.line(Text::styled(Style::Yellow, "  note ").and(Style::Plain, warning.as_str()));
        }
    }
    for finding in &report.findings {
        page = page.line(finding.key.as_str());
        for good in &finding.good {
            page = page.line(Text::styled(Style::Green, "  good ").and(Style::Plain, good.as_str()));
        }
        for problem in &finding.problems {
            page = page.line(
                Text::styled(Style::Red, "  wrong ")
                    .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
            );
        }
    }
    let pending = &report.pending;
    if !pending.is_empty() {
        page = page.line(Text::styled(Style::Yellow, "left ").and(
            Style::Plain,
            format!(
                "{} headers and index objects to write, {} to bring, {} to destroy: `prismvault keys rewrap`",
                pending.to_write, pending.to_bring, pending.to_destroy
            ),
        ));
    }
    page
}
