//! `prismvault privacy verify-certificate`: whether a certificate of an erasure is what its maker signed, and
//! whether its claims follow from what was seen.

use std::path::PathBuf;

use serde::Serialize;

use super::verify_package::keys_of_vault;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::text::{Style, Text};
use crate::cli::{Context, Outcome};
use crate::ids::CaseId;
use crate::privacy::certificate::out::CERTIFICATE;
use crate::privacy::certificate::verify::verify;
use crate::privacy::certificate::{Certificate, Claim, Claims, Why};
use crate::privacy::package::verify::Fault;
use crate::vault::signing::VerifyingKey;

/// Arguments of `privacy verify-certificate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory of the certificate, or its certificate.json
    path: PathBuf,
    /// The key that is to have signed it: needs no vault and no configuration. May be repeated; default:
    /// the keys of the vault that sign what happens to requests
    #[arg(long, value_name = "RW…")]
    key: Vec<VerifyingKey>,
}

#[derive(Serialize)]
struct Report {
    directory: PathBuf,
    is_good: bool,
    case: Option<CaseId>,
    /// When it was made.
    made: Option<String>,
    /// When it was looked.
    looked: Option<String>,
    claims: Option<Claims>,
    /// Why the search on which it rests was not whole.
    incomplete: Vec<Why>,
    /// Whether all claims are shown, and the search was whole.
    is_complete: bool,
    /// The key that signed it.
    key: Option<String>,
    /// Whether that key may sign today.
    key_is_current: Option<bool>,
    faults: Vec<Fault>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let directory = directory_of(&args.path)?;
    let (keys, current) = match args.key.is_empty() {
        false => (args.key.clone(), None),
        true => {
            let (all, current) = keys_of_vault(context).await?;
            (all, Some(current))
        }
    };
    let place = directory.clone();
    let checked = tokio::task::spawn_blocking(move || verify(&place, &keys)).await;
    let checked = checked
        .expect("checking a certificate does not panic")
        .map_err(|error| CommandError::new(ErrorKind::Failed, error))?;
    let is_current = current.and_then(|current| checked.key.as_ref().map(|key| current.contains(key)));
    let is_good = checked.is_good();
    // What somebody wrote that does not hold is not repeated as if it did.
    let certificate = checked.certificate.as_ref().filter(|_| is_good);
    let report = Report {
        is_good,
        case: certificate.map(|own| own.case.clone()),
        made: certificate.map(|own| own.made.clone()),
        looked: certificate.map(|own| own.evidence.looked.clone()),
        claims: certificate.map(|own| own.claims.clone()),
        incomplete: certificate.map(|own| own.incomplete.clone()).unwrap_or_default(),
        is_complete: certificate.is_some_and(Certificate::is_complete),
        key: checked.key.as_ref().map(ToString::to_string),
        key_is_current: is_current,
        directory,
        faults: checked.faults,
    };
    let outcome = if is_good { Outcome::Complete } else { Outcome::Integrity };
    context.output.result(outcome, &report, || page(&report))?;
    if is_current == Some(false) {
        context.output.warning(
            "the key that signed this certificate is trusted no longer: it counts for what it signed before only",
        );
    }
    Ok(outcome)
}

/// The directory in which the certificate lies.
fn directory_of(path: &std::path::Path) -> Result<PathBuf, CommandError> {
    if !path.is_file() {
        return Ok(path.to_owned());
    }
    if path.file_name().is_none_or(|name| name != CERTIFICATE) {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("{} is no certificate: name its directory, or its {CERTIFICATE}", path.display()),
        ));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(parent.map_or_else(|| PathBuf::from("."), PathBuf::from))
}

fn page(report: &Report) -> Page {
    let place = report.directory.display();
    let mut page = Page::new();
    if !report.is_good {
        let text = format!(" {place} is not to be relied on");
        page = page.line(Text::styled(Style::Red, "Bad").and(Style::Plain, text));
        for fault in &report.faults {
            page = page.line(format!("  {}: {}", fault.path, fault.what));
        }
        return page.line("Ask whoever sent it for the certificate once more");
    }
    let by = report.key.as_ref().map(|key| format!(" by {key}")).unwrap_or_default();
    let text = format!(" {place}: as signed{by}, and its claims follow from what was seen");
    page = page.line(Text::styled(Style::Green, "Good").and(Style::Plain, text));
    if let (Some(case), Some(made), Some(looked)) = (&report.case, &report.made, &report.looked) {
        page = page.line(format!("Case {case}, certificate of {made}, seen on {looked}"));
    }
    if let Some(claims) = &report.claims {
        page = claims_page(page, claims, &report.incomplete);
    }
    match report.is_complete {
        true => page,
        false => page.line("It does not say that the person's data is erased"),
    }
}

/// What a certificate claims, and why its search was not whole.
pub(super) fn claims_page(mut page: Page, claims: &Claims, incomplete: &[Why]) -> Page {
    for (kind, claim) in claims.all() {
        page = page.line(match claim {
            Claim::Shown { since, of: 0, on_word: 0 } => Text::styled(Style::Green, "  shown")
                .and(Style::Plain, format!("  {}: nothing of that kind on {since}", kind.words())),
            Claim::Shown { since, on_word: 0, .. } => Text::styled(Style::Green, "  shown")
                .and(Style::Plain, format!("  {} since {since}", kind.words())),
            Claim::Shown { since, on_word, .. } => Text::styled(Style::Green, "  shown").and(
                Style::Plain,
                format!(
                    "  {} since {since}; {} on the word of people, as nobody outside of Prismic can see it",
                    kind.words(),
                    if *on_word == 1 {
                        "1 task of it rests".to_owned()
                    } else {
                        format!("{on_word} tasks of it rest")
                    }
                ),
            ),
            Claim::Open { why } => {
                let whys: Vec<String> = why.iter().map(words).collect();
                Text::styled(Style::Yellow, "  open ")
                    .and(Style::Plain, format!("  {}: {}", kind.words(), whys.join("; ")))
            }
        });
    }
    incomplete.iter().fold(page, |page, why| page.line(format!("  incomplete: {}", words(why))))
}

/// What keeps a claim open, in words.
fn words(why: &Why) -> String {
    crate::privacy::certificate::words(why, crate::privacy::letters::Language::En)
}
