//! `prismvault doctor`: what the stores really do, and whether anything keeps backups from working.
//!
//! It changes nothing but scratch objects and the answer of the probe below `state/`, and sends
//! Prismic nothing but reads. A finding that stops backups decides the exit code: it is the one
//! that the command which meets it would have.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use self::finding::{Finding, Section};
use self::replicas::{Examined, judge};
use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::places::Places;
use super::session::{IdentityOptions, Session, address_of, open_each};
use crate::access::roles::Role;
use crate::config::{Config, ConfigErrorKind};
use crate::ids::Name;
use crate::limits::Limits;
use crate::objects::probe::{CheckName, Probe};
use crate::objects::url::{ReplicaOptions, open_replica};
use crate::objects::{ErrorKind as StoreKind, StoreError};
use crate::vault::abilities::probe_all;
use crate::vault::error::{ErrorKind as VaultErrorKind, VaultError};
use crate::vault::replica::{Replica, Replicas, with_causes};

mod configuration;
mod finding;
mod keys;
mod locks;
mod page;
mod ports;
mod replicas;
mod role;
mod schedules;
mod sources;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Probe only this replica
    #[arg(long, value_name = "NAME")]
    replica: Option<Name>,
    /// Send no requests to Prismic
    #[arg(long)]
    offline: bool,
    /// Only probe this place, without configuration: a directory or s3://bucket/prefix
    #[arg(long, value_name = "DIR_OR_URL", conflicts_with_all = ["replica", "offline"])]
    to: Option<String>,
    /// Prove what the keys and credentials that are here can and cannot do, and hold it against
    /// what this role needs
    #[arg(long = "as", value_name = "ROLE", value_parser = roles(), conflicts_with = "to")]
    role: Option<Role>,
    #[command(flatten)]
    identity: IdentityOptions,
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).map(|name| {
        let role = Role::ALL.into_iter().find(|role| role.name() == name);
        role.expect("the parser takes these names only")
    })
}

#[derive(Debug, Default, Serialize)]
struct Report {
    replicas: Vec<Examined>,
    findings: Vec<Finding>,
}

/// Examines everything, and says what it found.
///
/// # Errors
///
/// A mistake in the configuration, or none and no `--to`; a replica that it does not have. What is
/// wrong otherwise is a finding.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if let Some(role) = args.role {
        return tokio::select! {
            outcome = role::examine(role, &args, context) => outcome,
            () = context.cancel.cancelled() => Err(interrupted()),
        };
    }
    let examine = async {
        match &args.to {
            Some(to) => examine_place(to, context).await,
            None => examine_all(&args, context).await,
        }
    };
    let report = tokio::select! {
        report = examine => report?,
        () = context.cancel.cancelled() => {
            return Err(interrupted());
        }
    };
    let outcome = report.findings.iter().map(|finding| finding.outcome).collect();
    context.output.result(outcome, &report, || page::page(&report))?;
    Ok(outcome)
}

fn interrupted() -> CommandError {
    CommandError::new(ErrorKind::Interrupted, "interrupted")
        .hint("scratch objects that are left go with a later `prismvault doctor`")
}

/// Probes a place that no configuration names.
async fn examine_place(to: &str, context: &Context) -> Result<Report, CommandError> {
    let url = address_of(to)?;
    let name = if url.scheme() == "s3" { "bucket" } else { "local" };
    let limits = Limits::default();
    let options = ReplicaOptions { progress: Arc::clone(&context.progress), ..ReplicaOptions::default() };
    let store = match open_replica(url.as_str(), &options, &limits).await {
        Ok(store) => store,
        Err(error) => {
            return Ok(Report { findings: vec![not_there(name, error)], ..Report::default() });
        }
    };
    let replica = Replica::new(name, store);
    let mut report = Report::default();
    for probe in probe_all(std::slice::from_ref(&replica), &*context.clock, &limits).await {
        report.findings.extend(judge(name, &probe, false, Outcome::Failed, &limits));
        report.replicas.push(Examined { name: name.to_owned(), probe, kept: false });
    }
    Ok(report)
}

/// A directory that is not there yet is no failure before anything was made.
fn not_there(name: &str, error: StoreError) -> Finding {
    match error.kind {
        StoreKind::NotFound => {
            Finding::notice(Section::Replicas, name, "is not there yet, so it was not probed")
                .because(with_causes(&error))
                .then("`prismvault init` makes directories, and probes them; buckets are made by their owner")
        }
        _ => {
            let next = error.next_step().unwrap_or_default().to_owned();
            Finding::error(Section::Replicas, name, "cannot be opened")
                .because(with_causes(&error))
                .then(next)
        }
    }
}

async fn examine_all(args: &Args, context: &Context) -> Result<Report, CommandError> {
    let config = match context.config_file() {
        Ok(file) => Config::load(&file)?,
        Err(error) if error.kind() == ConfigErrorKind::Missing => {
            return Err(CommandError::from(error)
                .hint("or probe a place without one: prismvault doctor --to DIR_OR_URL"));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(name) = &args.replica {
        config.replica(name.as_str())?;
    }
    let mut report = Report { findings: configuration::check(&config), ..Report::default() };
    let (replicas, is_new) = examine_replicas(args, &config, context, &mut report).await?;
    report.findings.extend(keys::places(&config));
    let again = |replica: &Replica| Replica::new(replica.name.clone(), Arc::clone(&replica.store));
    let stores: Vec<Replica> = replicas.all().iter().map(again).collect();
    let session =
        Session::open_on(replicas, Places::of_environment()?, context, config.clone(), &args.identity);
    match session.await {
        Ok(session) => {
            examine_vault(&session, &stores, &mut report).await;
            let named = args.replica.iter().map(ToString::to_string).collect();
            report.findings.extend(locks::check(&session.vault, named, context.cancel.clone()).await);
            let watches = schedules::watches_erased(&session.vault, &config, context.clock.now());
            report.findings.extend(watches.await);
        }
        Err(error) => report.findings.push(keys::not_open(&error, is_new)),
    }
    if !args.offline {
        report.findings.extend(sources::check(&config, context).await?);
    }
    report.findings.extend(schedules::check(&config, context.clock.now()));
    report.findings.extend(ports::check(&config).await);
    Ok(report)
}

/// Opens all replicas and probes those that are asked for; also says whether there is no vault at
/// all yet.
async fn examine_replicas(
    args: &Args,
    config: &Config,
    context: &Context,
    report: &mut Report,
) -> Result<(Replicas, bool), CommandError> {
    let (mut open, mut absent, mut missing) = (Vec::new(), Vec::new(), true);
    for (replica, opened) in open_each(config, context).await? {
        match opened {
            Ok(replica) => open.push(replica),
            Err(error) => {
                missing &= error.kind == VaultErrorKind::Store(StoreKind::NotFound);
                absent.push((replica.name.to_string(), error));
            }
        }
    }
    let (asked, others): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|replica| args.replica.as_ref().is_none_or(|name| *name.as_str() == replica.name));
    let probes = probe_all(&asked, &*context.clock, &config.limits).await;
    // The clock stops more than one replica, and is judged by itself.
    let bad = |probe: &Probe| probe.obstacles().any(|check| check.name != CheckName::Clock);
    let good = others.len() + probes.iter().filter(|probe| !bad(probe)).count();
    let grave = if good >= config.min_copies() { Outcome::Partial } else { Outcome::Failed };
    let mut is_new = missing && config.vault.id.is_none();
    for replica in asked.iter().chain(&others) {
        is_new &= !holds_vault(replica).await;
    }
    for (replica, probe) in asked.iter().zip(probes) {
        let locks = replica.store.lock_rule().is_some();
        report.findings.extend(judge(&replica.name, &probe, locks, grave, &config.limits));
        report.replicas.push(Examined { name: replica.name.clone(), probe, kept: false });
    }
    for (name, error) in &absent {
        report.findings.push(unreachable(name, error, is_new, grave));
    }
    let mut all: Vec<Replica> = asked.into_iter().chain(others).collect();
    all.sort_by_key(|replica| config.replicas.iter().position(|one| one.name.as_str() == replica.name));
    Ok((Replicas::with_absent(all, absent, config.vault.min_copies), is_new))
}

async fn holds_vault(replica: &Replica) -> bool {
    !matches!(replica.find_small(crate::vault::layout::VAULT, 1 << 20).await, Ok(None))
}

fn unreachable(name: &str, error: &VaultError, is_new: bool, grave: Outcome) -> Finding {
    let next = error.next_step().unwrap_or_default().to_owned();
    match is_new && error.kind == VaultErrorKind::Store(StoreKind::NotFound) {
        true => Finding::notice(Section::Replicas, name, "is not there yet, so it was not probed")
            .because(with_causes(error))
            .then("`prismvault init` makes directories, and probes them; buckets are made by their owner"),
        false => Finding::error(Section::Replicas, name, "cannot be reached, so it was not probed")
            .because(with_causes(error))
            .then(next)
            .ends(grave),
    }
}

/// Examines the vault, and keeps the answers of the probes on their replicas.
async fn examine_vault(session: &Session, stores: &[Replica], report: &mut Report) {
    let vault = &session.vault;
    let enough = if vault.replicas.require_enough().is_ok() { Outcome::Partial } else { Outcome::Failed };
    // Those that could not even be opened are named already.
    let failures = vault.replicas.all().iter().filter_map(|replica| Some((replica, replica.failure()?)));
    for (replica, failure) in failures {
        report.findings.push(
            Finding::error(Section::Replicas, replica.name.clone(), "takes no part in the vault")
                .because(failure.why)
                .then(failure.hint.unwrap_or_default())
                .ends(enough),
        );
    }
    for examined in &mut report.replicas {
        let takes_part = vault.replicas.named(&examined.name).is_some_and(Replica::is_live);
        // Through a store of its own: that of the vault may refuse puts by an older answer.
        let Some(replica) = stores.iter().find(|one| takes_part && one.name == examined.name) else {
            continue;
        };
        let why = match vault.remember_probe(replica, &examined.probe).await {
            Ok(true) => {
                examined.kept = true;
                continue;
            }
            Ok(false) => "no key that may sign it is here".to_owned(),
            Err(error) => with_causes(&error),
        };
        report.findings.push(
            Finding::notice(
                Section::Replicas,
                examined.name.clone(),
                "the answer of the probe is not kept there",
            )
            .because(why)
            .then("nothing: without it names are written the safe way, which takes a few more requests"),
        );
    }
    report.findings.extend(keys::examine(session).await);
}
