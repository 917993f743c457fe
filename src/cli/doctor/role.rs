//! `doctor --as ROLE`: what the keys and credentials that are here can and cannot do, held against
//! what the role needs.

use serde::Serialize;

use super::finding::{Level, Section};
use super::{Args, Report, examine_replicas, sources};
use crate::access::roles::{
    Ability, Found, Judgement, Proof, Role, Verdict, Wanted, judge, prove_store, prove_vault,
};
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::output::Page;
use crate::cli::places::Places;
use crate::cli::session::Session;
use crate::cli::text::{Style, Table, Text};
use crate::cli::units::counted;
use crate::cli::{Context, keys};
use crate::config::{Config, ConfigErrorKind};
use crate::vault::replica::Replica;
use crate::vault::signing::SigningKey;

#[derive(Serialize)]
struct RoleReport {
    role: Role,
    /// Whether nothing is too little, too much or not proved.
    fits: bool,
    abilities: Vec<Judgement>,
}

/// Tries everything and judges it.
///
/// # Errors
///
/// A mistake in the configuration. What fails otherwise is what is to be found out.
pub(super) async fn examine(role: Role, args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let config = match context.config_file() {
        Ok(file) => Config::load(&file)?,
        Err(error) if error.kind() == ConfigErrorKind::Missing => {
            return Err(CommandError::from(error)
                .hint("what a role can do is tried with the keys and replicas of a configuration"));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(name) = &args.replica {
        config.replica(name.as_str())?;
    }
    let proofs = prove(args, &config, context).await?;
    let mut abilities: Vec<Judgement> = proofs.into_iter().map(|proof| judge(role, proof)).collect();
    abilities.sort_by_key(|one| Ability::ALL.iter().position(|ability| *ability == one.proof.ability));
    let outcome: Outcome = abilities.iter().map(|one| outcome_of(one.verdict)).collect();
    let report = RoleReport { role, fits: outcome == Outcome::Complete, abilities };
    context.output.report(outcome, &report, || page(&report))?;
    Ok(outcome)
}

/// Too little fails, too much breaks a rule of safety, and what nobody knows is half an answer.
fn outcome_of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Fits => Outcome::Complete,
        Verdict::TooLittle => Outcome::Failed,
        Verdict::TooMuch => Outcome::Refused,
        Verdict::NotProved => Outcome::Partial,
    }
}

async fn prove(args: &Args, config: &Config, context: &Context) -> Result<Vec<Proof>, CommandError> {
    let mut probed = Report::default();
    let (replicas, _) = examine_replicas(args, config, context, &mut probed).await?;
    let mut proofs = Vec::new();
    // Those that could not even be opened; a finding names each.
    for finding in &probed.findings {
        let away = finding.section == Section::Replicas
            && !probed.replicas.iter().any(|examined| examined.name == finding.subject);
        if away && matches!(finding.level, Level::Error | Level::Notice) {
            let why = finding.why.clone().unwrap_or_else(|| finding.what.clone());
            proofs.push(Proof::new(Ability::ReadObjects, finding.subject.clone(), Found::NotTold, why));
        }
    }
    let session =
        Session::open_on(replicas, Places::of_environment()?, context, config.clone(), &args.identity).await;
    for examined in &probed.replicas {
        let reads = match &session {
            Ok(session) => match session.vault.replicas.named(&examined.name).map(Replica::failure) {
                Some(None) => Ok(()),
                Some(Some(failure)) => Err(failure.why),
                None => Err("it takes no part in the vault".to_owned()),
            },
            Err(error) => Err(error.sentences().join(": ")),
        };
        let replica = config.replicas.iter().find(|one| one.name.as_str() == examined.name);
        let kind =
            replica.map_or((false, false), |one| (one.url.scheme() == "file", one.object_lock.is_some()));
        proofs.extend(prove_store(&examined.name, kind, &examined.probe, reads));
    }
    match &session {
        Ok(session) => {
            let root = keys::root_key(config).ok().flatten();
            proofs.extend(prove_vault(&session.vault, root.as_ref().map(SigningKey::public)).await);
        }
        Err(error) => {
            let why = format!("the vault does not open: {}", error.sentences().join(": "));
            let of_vault = [
                Ability::ReadCatalogs,
                Ability::ReadContent,
                Ability::SignSnapshots,
                Ability::SignRemovals,
                Ability::SignTrust,
                Ability::ApproveErasures,
                Ability::ReadAudit,
            ];
            let not_told = |ability| Proof::new(ability, "vault", Found::NotTold, why.clone());
            proofs.extend(of_vault.map(not_told));
        }
    }
    proofs.extend(of_source(args, config, context).await?);
    Ok(proofs)
}

/// What the tokens that are here allow at Prismic.
async fn of_source(args: &Args, config: &Config, context: &Context) -> Result<Vec<Proof>, CommandError> {
    let proof = |ability, found, how: String| Proof::new(ability, "Prismic", found, how);
    let all = config.repositories.len();
    let read = match (all, args.offline) {
        (0, _) => (Found::Cannot, "no repository is configured".to_owned()),
        (_, true) => (Found::NotTold, "nothing was sent to Prismic, because of --offline".to_owned()),
        _ => match sources::unanswered(config, context).await? {
            None => {
                (Found::Can, format!("the Content API of {} answered", counted(all as u64, "repository")))
            }
            Some((name, why)) => (Found::Cannot, format!("{name}: {why}")),
        },
    };
    let here = |token: &Option<crate::config::SecretRef>| {
        token.as_ref().is_some_and(|token| token.absence().is_none())
    };
    let tokens = config.repositories.iter().filter(|repository| here(&repository.write_token)).count();
    let write = match tokens {
        0 => (Found::Cannot, "no write_token is here".to_owned()),
        count => (
            Found::Can,
            format!(
                "the write_token of {} is here; nothing was written",
                counted(count as u64, "repository")
            ),
        ),
    };
    Ok(vec![proof(Ability::ReadSource, read.0, read.1), proof(Ability::WriteToSource, write.0, write.1)])
}

fn page(report: &RoleReport) -> Page {
    let mut table =
        Table::new(["ability", "where", "found", "role", "", "how it was proved"]).spare(&["role"]);
    for one in &report.abilities {
        let found = match one.proof.found {
            Found::Can => "can",
            Found::Cannot => "cannot",
            Found::NotTold => "not told",
        };
        let wanted = match one.wanted {
            Wanted::Must => "must",
            Wanted::May => "may",
            Wanted::MustNot => "must not",
        };
        let verdict = match one.verdict {
            Verdict::Fits => Text::styled(Style::Green, "ok"),
            Verdict::TooLittle => Text::styled(Style::Red, "too little"),
            Verdict::TooMuch => Text::styled(Style::Red, "too much"),
            Verdict::NotProved => Text::styled(Style::Yellow, "not proved"),
        };
        table.row([
            one.proof.ability.words().into(),
            one.proof.subject.clone().into(),
            found.into(),
            wanted.into(),
            verdict,
            one.proof.how.clone().into(),
        ]);
    }
    let mut page = Page::new()
        .line(Text::styled(Style::Bold, format!("What is here, as the role {}", report.role.name())))
        .table(table);
    for one in report.abilities.iter().filter(|one| one.verdict != Verdict::Fits) {
        page = page.line(
            Text::styled(Style::Yellow, format!("{} ({})", one.proof.ability.words(), one.proof.subject))
                .and(Style::Plain, format!(": {}", one.next)),
        );
    }
    let count = |verdict| report.abilities.iter().filter(|one| one.verdict == verdict).count();
    page.line(match report.fits {
        true => Text::styled(Style::Green, "It is what the role needs, and no more."),
        false => Text::styled(
            Style::Red,
            format!(
                "{} too little, {} too much, {} not proved",
                count(Verdict::TooLittle),
                count(Verdict::TooMuch),
                count(Verdict::NotProved)
            ),
        ),
    })
}
