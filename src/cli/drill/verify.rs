//! `prismvault drill verify`: whether a drill, or a bundle of one, is what was signed.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::pages::result;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::config::{Config, ConfigErrorKind};
use crate::drill::bundle::{BUNDLE, PersonKey, Trusted, Verified, Vouched, verify};
use crate::drill::record::{Record, find};
use crate::ids::SnapshotId;
use crate::privacy::package::verify::Fault;
use crate::vault::drills::check_copies_of;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::format::drill::DrillResult;
use crate::vault::format::trust::Role;
use crate::vault::replica::with_causes;
use crate::vault::signing::VerifyingKey;

/// Arguments of `drill verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A drill of the vault (its id or the beginning of it, latest, latest:PLAN), or the directory of a bundle
    drill: String,
    /// The key that is to have signed a bundle: needs no vault and no configuration. May be repeated; default:
    /// the keys of the vault of the configuration, where there is one
    #[arg(long, value_name = "RW…")]
    key: Vec<VerifyingKey>,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// A drill that was checked, wherever it lies.
#[derive(Debug, Serialize)]
struct Report {
    drill: Option<SnapshotId>,
    /// The directory of the bundle; absent: it is the drill of the vault, on its replicas.
    directory: Option<PathBuf>,
    result: Option<DrillResult>,
    is_good: bool,
    /// Whose keys say so.
    vouched: Vouched,
    /// The key that signed the record.
    key: Option<String>,
    /// The key that signed the list of a bundle, where it is one that is believed.
    bundle_key: Option<String>,
    statements: u32,
    /// Files or copies that are good.
    checked: u64,
    faults: Vec<Fault>,
    /// What could not be looked at, or is vouched for by nobody.
    notes: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let path = Path::new(&args.drill);
    let is_bundle = path.is_dir() || path.file_name().is_some_and(|name| name == BUNDLE);
    let (report, outcome) = match is_bundle {
        true => bundle(path, &args, context).await?,
        false if args.key.is_empty() => drill(&args, context).await?,
        false => {
            let sentence = format!("{} is no directory, and --key is for bundles", args.drill);
            return Err(CommandError::new(ErrorKind::Usage, sentence)
                .hint("what a drill of the vault is signed with, the trust records of the vault say"));
        }
    };
    context.output.result(outcome, &report, || page(&report, outcome))?;
    Ok(outcome)
}

/// Checks a bundle.
async fn bundle(path: &Path, args: &Args, context: &Context) -> Result<(Report, Outcome), CommandError> {
    let directory = match path.is_dir() {
        true => path.to_owned(),
        false => match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        },
    };
    let (trusted, mut notes) = match args.key.is_empty() {
        false => (Trusted::given(args.key.clone()), Vec::new()),
        true => trusted_here(context, &args.identity).await?,
    };
    let (place, by) = (directory.clone(), trusted.by);
    let checked = tokio::task::spawn_blocking(move || verify(&place, &trusted)).await;
    let checked = checked
        .expect("checking a bundle does not panic")
        .map_err(|error| CommandError::new(ErrorKind::Failed, error))?;
    let is_good = checked.is_good();
    let is_vouched = by != Vouched::Nobody && checked.bundle_key.is_some();
    let outcome = Outcome::of_reading(!is_good, !is_vouched);
    let Verified { drill, bundle, record_key, bundle_key, statements, faults, notes: more } = checked;
    notes.extend(more);
    let report = Report {
        drill: bundle.as_ref().map(|bundle| bundle.drill.clone()),
        // What does not hold is not repeated as if it did.
        result: drill.filter(|_| is_good).map(|drill| drill.result),
        is_good,
        vouched: by,
        key: record_key.map(|key| key.to_string()),
        bundle_key: bundle_key.map(|key| key.to_string()),
        statements,
        checked: bundle.map_or(0, |bundle| bundle.files.len() as u64),
        faults,
        notes,
        directory: Some(directory),
    };
    Ok((report, outcome))
}

/// Whom to believe where no key was named: the vault and the people of the configuration, where there is one.
async fn trusted_here(
    context: &Context,
    identity: &IdentityOptions,
) -> Result<(Trusted, Vec<String>), CommandError> {
    let config = match context.config_file().and_then(|file| Config::load(&file)) {
        Ok(config) => config,
        // Whoever gets a bundle has none; one that was named and cannot be read is another thing.
        Err(error) if error.kind() == ConfigErrorKind::Missing && context.config.is_none() => {
            return Ok((Trusted::nobody(), Vec::new()));
        }
        Err(error) => return Err(error.into()),
    };
    let people = config.people.iter().map(|own| {
        let key = own.key.parse()?;
        Ok(PersonKey { name: own.name.clone(), key, may_sign_off: own.may_sign_off })
    });
    let people = people.collect::<Result<Vec<_>, VaultError>>()?;
    let (pinned, file) = (config.vault.id, config.file.clone());
    match Session::open_with(context, config, identity).await {
        Ok(session) => {
            let roles = [Role::Snapshot, Role::Maintenance, Role::Privacy];
            let trusted = Trusted {
                by: Vouched::Vault,
                keys: session.vault.former_signers(&roles),
                people: Some(people),
                vault: Some(session.vault.file.vault),
            };
            Ok((trusted, Vec::new()))
        }
        Err(error) => {
            let why = error.sentences().join(": ");
            let note = format!("the vault of {} was not asked for its keys: {why}", file.display());
            Ok((Trusted { people: Some(people), vault: pinned, ..Trusted::nobody() }, vec![note]))
        }
    }
}

/// Checks a drill of the vault, on every replica.
async fn drill(args: &Args, context: &Context) -> Result<(Report, Outcome), CommandError> {
    let session = Session::open(context, &args.identity).await?;
    let vault = &session.vault;
    let stored = find(vault, &args.drill).await?;
    let record = Record::load(vault, stored, &session.config.people).await?;
    let copies = check_copies_of(vault, &record.stored, &record.statements).await?;
    let mut faults: Vec<Fault> = copies
        .faults
        .iter()
        .map(|own| Fault { path: format!("{} on {}", own.key, own.replica), what: own.what.clone() })
        .collect();
    faults.extend(
        record.problems.iter().map(|own| Fault { path: own.subject.clone(), what: own.detail.clone() }),
    );
    let mut notes = Vec::new();
    let is_killed = record.stored.file.result == DrillResult::Abandoned;
    match &record.report {
        Ok(_) => {}
        Err(error) if error.kind == VaultErrorKind::NotFound && is_killed => {
            notes.push("it was killed, and has no report".to_owned());
        }
        Err(error) if error.kind == VaultErrorKind::Identity => {
            notes.push(format!("the report was not compared with the record: {}", with_causes(error)));
        }
        Err(error) => faults.push(Fault { path: "report.json".to_owned(), what: with_causes(error) }),
    }
    if let Some(now) = record.now() {
        let recorded = record.report.as_ref().map_or(0, |report| report.deviations.len());
        notes.extend(now.deviations.iter().skip(recorded).cloned());
    }
    let failed = vault.replicas.failed();
    notes.extend(failed.iter().map(|(name, why)| format!("the replica {name} was not looked at: {why}")));
    let is_unread = matches!(&record.report, Err(error) if error.kind == VaultErrorKind::Identity);
    let outcome = Outcome::of_reading(!faults.is_empty(), is_unread || !failed.is_empty());
    session.warn(context);
    let file = &record.stored.file;
    let report = Report {
        drill: Some(file.drill.clone()),
        directory: None,
        result: Some(file.result),
        is_good: faults.is_empty(),
        vouched: Vouched::Vault,
        key: None,
        bundle_key: None,
        statements: u32::try_from(record.statements.len()).unwrap_or(u32::MAX),
        checked: copies.good,
        faults,
        notes,
    };
    Ok((report, outcome))
}

fn page(report: &Report, outcome: Outcome) -> Page {
    let place = match &report.directory {
        Some(directory) => directory.display().to_string(),
        None => report.drill.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    let what = if report.directory.is_some() { "file" } else { "copy" };
    let mut page = match outcome {
        Outcome::Complete => {
            let statements = counted(u64::from(report.statements), "statement");
            let text = format!(" {place}: {} as signed, {statements}", counted(report.checked, what));
            Page::new().line(Text::styled(Style::Green, "Good").and(Style::Plain, text))
        }
        Outcome::Partial => {
            let text =
                format!(" {place}: nothing was altered as far as could be looked, and that is not all");
            Page::new().line(Text::styled(Style::Yellow, "Consistent").and(Style::Plain, text))
        }
        _ => Page::new().line(
            Text::styled(Style::Red, "Bad").and(Style::Plain, format!(" {place} is not what was signed")),
        ),
    };
    for fault in &report.faults {
        page = page.line(format!("  {}: {}", fault.path, fault.what));
    }
    page = page.line(match (report.vouched, &report.key) {
        (Vouched::Vault, Some(key)) => format!("Signed by {key}: a key of the vault of the configuration"),
        (Vouched::Vault, None) => "Checked with the keys of the vault".to_owned(),
        (Vouched::Given, Some(key)) => format!("Signed by {key}: the key that you named"),
        (Vouched::Nobody, Some(key)) => format!(
            "Signed by {key}: only the bundle itself says whose that is. Ask whoever made it over another way, then pass --key {key}"
        ),
        (_, None) => "No key that is believed signed the record".to_owned(),
    });
    for note in &report.notes {
        page = page.line(Text::styled(Style::Yellow, "  note ").and(Style::Plain, note.as_str()));
    }
    match (report.result, &report.drill) {
        (Some(drilled), Some(drill)) => {
            page.line(Text::from(format!("Drill {drill}: ")).joined(result(drilled)))
        }
        _ => page,
    }
}
