//! `prismvault snapshot`: takes a snapshot now.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::init::{NewRepository, first_run};
use super::metrics::MetricsOptions;
use super::output::Page;
use super::session::address_of;
use super::take::{Taking, take_all};
use super::text::{Style, Text};
use super::units::{counted, human_bytes, human_duration};
use crate::clock::parse_duration;
use crate::config::{Config, ConfigErrorKind, Repository};
use crate::prismic::Endpoints;
use crate::progress::Problem;
use crate::snapshot::{Read, SnapshotReport, Target};
use crate::vault::format::manifest::{HowRead, Manifest, ReadMode};

/// Arguments of `snapshot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repositories by name or group (@clients); all when none is named
    #[arg(conflicts_with = "repository")]
    repositories: Vec<String>,
    /// First try without configuration: Prismic's name of the repository
    #[arg(long, value_name = "NAME", requires = "to")]
    repository: Option<String>,
    /// First try without configuration: where the vault is to go; made with keys and a starter
    /// configuration when nothing is there
    #[arg(long, value_name = "DIR_OR_URL", requires = "repository")]
    to: Option<String>,
    /// Content API of the first try, for proxies and sandboxes
    #[arg(long, value_name = "URL", requires = "to")]
    content_api: Option<url::Url>,
    /// Asset API of the first try
    #[arg(long, value_name = "URL", requires = "to")]
    asset_api: Option<url::Url>,
    /// Types API of the first try
    #[arg(long, value_name = "URL", requires = "to")]
    types_api: Option<url::Url>,
    #[command(flatten)]
    read: ReadOptions,
    #[command(flatten)]
    pub(super) metrics: MetricsOptions,
}

/// Which documents are read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReadOptions {
    /// Read only what changed since the snapshot before, where that is sure to give the same
    #[arg(long)]
    incremental: bool,
    /// With --incremental, read everything when that was not done for this long
    #[arg(long, requires = "incremental", value_name = "DURATION", default_value = "7d", value_parser = duration)]
    full_every: Duration,
    /// With --incremental, ids of documents that are said to have changed, as webhooks name them
    #[arg(long, requires = "incremental", value_name = "IDS", value_delimiter = ',')]
    changed: Vec<String>,
}

impl ReadOptions {
    fn read(self) -> Read {
        match self.incremental {
            true => Read::Incremental { full_every: self.full_every, told: self.changed },
            false => Read::Full,
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    repository: &'a str,
    snapshot: &'a str,
    manifest: &'a Manifest,
    replicas: &'a [String],
    behind: &'a BTreeMap<String, String>,
    documents_unchanged: bool,
    lost: &'a [Problem],
    vault_warnings: &'a [Problem],
    requests: &'a BTreeMap<&'static str, u64>,
    pacer_waits: Vec<(String, f64)>,
    seconds: f64,
}

/// Takes a snapshot of each selected repository, a few at once; one that fails does not keep the
/// others from theirs.
///
/// # Errors
///
/// When nothing could be begun, or the only repository failed.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut names = args.repositories.clone();
    if let (Some(repository), Some(to)) = (&args.repository, &args.to) {
        names = vec![first_try(&args, repository, to, context).await?];
    }
    let taking = Taking { trigger: "manual", read: args.read.read(), told: BTreeMap::new() };
    take_all(context.load_config()?, &names, taking, context).await
}

/// Uses the configuration that a first try left here, or makes one. Returns the name.
async fn first_try(
    args: &Args,
    repository: &str,
    to: &str,
    context: &Context,
) -> Result<String, CommandError> {
    let mut new = NewRepository::plain(repository)?;
    let endpoints =
        [("content_api", &args.content_api), ("asset_api", &args.asset_api), ("types_api", &args.types_api)];
    new.endpoints = endpoints.into_iter().filter_map(|(key, url)| Some((key, url.clone()?))).collect();
    match context.config_file() {
        Ok(file) => {
            let config = Config::load(&file)?;
            let url = address_of(to)?;
            let same =
                |one: &url::Url| one.as_str().trim_end_matches('/') == url.as_str().trim_end_matches('/');
            let fits = config.replicas.iter().any(|replica| same(&replica.url));
            match config.repositories.iter().find(|known| known.repository == repository) {
                Some(known) if fits => Ok(known.name.to_string()),
                _ => Err(CommandError::new(
                    ErrorKind::Usage,
                    format!("{} is there already and does not name the repository {repository} and the replica {to}", file.display()),
                )
                .hint("add them to the file and run `prismvault snapshot`, or run this in another directory")),
            }
        }
        Err(error) if error.kind() == ConfigErrorKind::Missing && context.config.is_none() => {
            first_run(to, &new, context).await?;
            Ok(new.name.to_string())
        }
        Err(error) => Err(error.into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is not a duration; write 12h or 7d"))
}

/// Says so when a token is in the environment that the configuration does not use: a first try
/// without it left a configuration without it.
pub(super) fn with_token_hint(error: CommandError, target: &Target, config: &Config) -> CommandError {
    let unused = [
        ("PRISMIC_ACCESS_TOKEN", "access_token", target.access_token.is_none()),
        ("PRISMIC_WRITE_TOKEN", "write_token", target.write_token.is_none()),
    ];
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let unused = unused.into_iter().filter(|(variable, _, unused)| *unused && is_set(variable));
    unused.fold(error, |error, (variable, key, _)| {
        error.hint(format!(
            "{variable} is set, but {} does not use it: add {key} = {{ env = \"{variable}\" }} to [repositories.{}]",
            config.file.display(),
            target.name
        ))
    })
}

/// Resolves a repository of the configuration: endpoints and tokens.
pub(super) fn target(repository: &Repository, config: &Config) -> Result<Target, CommandError> {
    let token = |token: &Option<crate::config::SecretRef>| {
        token.as_ref().map(|token| token.resolve(&config.limits)).transpose()
    };
    Ok(Target {
        name: repository.name.clone(),
        space: repository.space.clone(),
        repository: repository.repository.clone(),
        endpoints: endpoints_of(repository)?,
        access_token: token(&repository.access_token)?,
        write_token: token(&repository.write_token)?,
        asset_hosts: repository.asset_hosts.clone(),
    })
}

/// Returns where the APIs of a repository of the configuration are.
pub(super) fn endpoints_of(repository: &Repository) -> Result<Endpoints, CommandError> {
    let mut endpoints = Endpoints::for_repository(&repository.repository)
        .map_err(|error| CommandError::new(ErrorKind::Configuration, error))?;
    for (endpoint, configured) in [
        (&mut endpoints.content_api, &repository.content_api),
        (&mut endpoints.asset_api, &repository.asset_api),
        (&mut endpoints.types_api, &repository.types_api),
        (&mut endpoints.migration_api, &repository.migration_api),
    ] {
        if let Some(url) = configured {
            *endpoint = url.clone();
        }
    }
    Ok(endpoints)
}

/// Prints what became of a repository; what outcome that is.
pub(super) fn show(
    report: &SnapshotReport,
    target: &Target,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let committed = &report.committed;
    let shown = Report {
        repository: target.name.as_str(),
        snapshot: committed.manifest.snapshot.as_str(),
        manifest: &committed.manifest,
        replicas: &committed.on,
        behind: &committed.behind,
        documents_unchanged: report.documents_unchanged,
        lost: &report.lost,
        vault_warnings: &report.vault_warnings,
        requests: &report.requests,
        pacer_waits: report
            .pacer_waits
            .iter()
            .map(|(name, waited)| (name.clone(), waited.as_secs_f64()))
            .collect(),
        seconds: report.took.as_secs_f64(),
    };
    for problem in &report.vault_warnings {
        context.output.warning(format!("{}: {}", problem.subject, problem.detail));
    }
    let outcome = outcome(report);
    if outcome != Outcome::Complete || !context.output.is_quiet() {
        context.output.item(Some(outcome), &shown, || page(report))?;
    }
    Ok(outcome)
}

/// Lost history weighs most, then what is missing here or there.
fn outcome(report: &SnapshotReport) -> Outcome {
    let committed = &report.committed;
    let unreadable = |problem: &Problem| {
        matches!(problem.code.as_str(), "manifest-unreadable" | "index-unreadable" | "base-unreadable")
    };
    if !report.lost.is_empty() || report.vault_warnings.iter().any(unreadable) {
        Outcome::Integrity
    } else if !committed.manifest.gaps.is_empty() || !committed.behind.is_empty() {
        Outcome::Partial
    } else {
        Outcome::Complete
    }
}

fn page(report: &SnapshotReport) -> Page {
    let (committed, manifest) = (&report.committed, &report.committed.manifest);
    let style = if manifest.gaps.is_empty() { Style::Green } else { Style::Yellow };
    let counts = &manifest.counts;
    let mut page = Page::new()
        .line(
            Text::from(format!("Snapshot {} of {} is ", manifest.snapshot, manifest.repository))
                .and(style, manifest.status.label()),
        )
        .line(format!(
            "  {}{}, {} ({}), {}",
            counted(counts.documents.stored, "document"),
            if report.documents_unchanged { " (unchanged)" } else { "" },
            counted(counts.assets.stored, "asset"),
            human_bytes(counts.assets.bytes),
            counted(counts.models.stored, "model"),
        ))
        .line(format!(
            "  new: {}, {}; stored {} on each of {}",
            counted(manifest.added.items, "item"),
            human_bytes(manifest.added.bytes),
            human_bytes(manifest.added.stored_bytes),
            committed.on.join(", "),
        ))
        .line(format!(
            "  took {}, {}",
            human_duration(report.took),
            counted(report.requests.values().sum(), "request")
        ));
    match &manifest.read {
        Some(HowRead { documents: ReadMode::Incremental, last_full, .. }) => {
            page = page.line(format!("  read only what changed; everything was last read on {last_full}"));
        }
        Some(HowRead { why_full: Some(why), .. }) => {
            page = page.line(format!("  read everything, because {why}"));
        }
        _ => {}
    }
    for problem in &manifest.gaps {
        page = page.line(
            Text::styled(Style::Yellow, "  missing ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    if !manifest.gaps.is_empty() {
        page = page.line(
            "  a gap that will never close can be accepted: prismvault accept REPOSITORY PATH --reason …",
        );
    }
    if !manifest.accepted_gaps.is_empty() {
        page = page.line(format!("  {}", counted(manifest.accepted_gaps.len() as u64, "accepted gap")));
    }
    for problem in &manifest.warnings {
        page = page.line(format!("  note: {}: {}", problem.subject, problem.detail));
    }
    for (replica, why) in &committed.behind {
        page = page
            .line(Text::styled(Style::Yellow, "  not on ").and(Style::Plain, format!("{replica}: {why}")));
    }
    for problem in &report.lost {
        page = page.line(
            Text::styled(Style::Red, "  LOST ")
                .and(Style::Plain, format!("{}: {}", problem.subject, problem.detail)),
        );
    }
    page
}
