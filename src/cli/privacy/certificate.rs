//! `prismvault privacy certificate`: what is shown of an erasure and what is open, signed, for people outside.

use std::path::PathBuf;

use serde::Serialize;

use super::classify::fields_of_repositories;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::restore::ContentSession;
use crate::cli::session::IdentityOptions;
use crate::cli::{Context, Outcome};
use crate::ids::{CaseId, Digest};
use crate::privacy::certificate::out::write;
use crate::privacy::certificate::{Claims, Making, Why, gather};
use crate::privacy::erasure::approval;
use crate::privacy::erasure::plan::Purpose;
use crate::privacy::found;
use crate::privacy::letters::Language;
use crate::privacy::proof::seen::Seen;
use crate::privacy::store::StoredCase;
use crate::vault::format::trust::Role;

/// Arguments of `privacy certificate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case, such as 2026-7K3F9Q
    case: CaseId,
    /// Where it is to be: a directory that is not there yet
    #[arg(long, value_name = "DIRECTORY")]
    to: PathBuf,
    /// Languages of the pages: en, de, fr; default: that of the case
    #[arg(long = "lang", value_name = "LANGUAGE")]
    languages: Vec<Language>,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Report {
    case: CaseId,
    place: PathBuf,
    sha256: Digest,
    looked: String,
    claims: Claims,
    incomplete: Vec<Why>,
    is_complete: bool,
    key: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let session = &content.session;
    let vault = &session.vault;
    context.record.about(format!("case {}", args.case));
    let stored = StoredCase::load(vault, &args.case).await?;
    let signer = vault.signer(&[Role::Privacy])?;
    let file = approval::load(vault, &stored).await?;
    if file.plan.purpose != Purpose::Erasure {
        let why =
            format!("a certificate is of an erasure, and the plan of this case is a {}", file.plan.purpose);
        return Err(CommandError::new(ErrorKind::Refused, why)
            .hint(format!("`prismvault privacy show {}` says what was done", args.case)));
    }
    let Some(seen) = Seen::load(vault, &stored).await? else {
        return Err(CommandError::new(
            ErrorKind::Refused,
            "nobody has looked yet whether the plan did what it was to",
        )
        .hint(format!("run `prismvault privacy erase {}`", args.case)));
    };
    let search = found::load_last(vault, &stored).await?;
    let names = search.coverage.repositories.iter().map(|own| &own.repository);
    let fields = fields_of_repositories(names, &content).await?;
    let making = Making {
        made: vault.now(),
        case: &stored.case,
        plan: &file.plan,
        search: &search,
        evidence: &seen.evidence,
        orders: &gather::orders(vault, &file.plan).await?,
        outlook: &gather::outlook(vault).await,
        encrypted: vault.is_encrypted(),
        fields: &fields,
        own_files: &seen.own_files,
    };
    let certificate = making.make().map_err(|error| CommandError::new(ErrorKind::Integrity, error))?;
    let own = stored.case.language().parse().unwrap_or(Language::En);
    let languages = if args.languages.is_empty() { vec![own] } else { args.languages.clone() };
    let written = write(&certificate, &languages, signer, &args.to)
        .map_err(|error| CommandError::because(ErrorKind::Usage, "the certificate was not written", error))?;
    let report = Report {
        case: args.case.clone(),
        place: written.place,
        sha256: written.sha256,
        looked: seen.evidence.looked.clone(),
        is_complete: certificate.is_complete(),
        claims: certificate.claims,
        incomplete: certificate.incomplete,
        key: signer.public().to_string(),
    };
    let outcome = ended(session, context);
    context.output.result(outcome, &report, || page(&report))?;
    Ok(outcome)
}

fn page(report: &Report) -> Page {
    let mut page = Page::new().line(format!("Wrote {}", report.place.display()));
    page = super::verify_certificate::claims_page(page, &report.claims, &report.incomplete);
    page.line(format!(
        "Anybody checks it with: prismvault privacy verify-certificate {} --key {}",
        report.place.display(),
        report.key
    ))
}
