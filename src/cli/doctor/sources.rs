//! Prismic's APIs as the tokens that are here see them. Nothing is written there.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::finding::{Finding, Level, Section};
use super::replicas::offset_finding;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::snapshot::endpoints_of;
use crate::clock::{Timestamp, rfc3339};
use crate::config::{Config, Repository, SecretRef};
use crate::limits::Limits;
use crate::prismic::{AssetApi, ContentApi, Endpoints, Http, PrismicError, TokenDates, TypesApi};
use crate::secret::Secret;
use crate::vault::replica::with_causes;

const SECTION: Section = Section::Tokens;

/// Asks the APIs of every repository, and looks at the clocks they told.
///
/// # Errors
///
/// When no requests can be made at all.
pub(super) async fn check(config: &Config, context: &Context) -> Result<Vec<Finding>, CommandError> {
    let http = http_of(config, context)?;
    let now = context.clock.now();
    let asked = stream::iter(&config.repositories).map(|repository| ask(repository, &http, now));
    let found: Vec<Vec<Finding>> = asked.buffered(http.limits().content_concurrency).collect().await;
    let mut findings = found.concat();
    for (host, offset) in http.clock_offsets() {
        findings.extend(offset_finding(&host, offset.num_seconds(), false, http.limits()));
    }
    Ok(findings)
}

fn http_of(config: &Config, context: &Context) -> Result<Http, CommandError> {
    let limits = Limits {
        request_attempts: config.limits.request_attempts.min(config.limits.check_attempts),
        ..config.limits.clone()
    };
    let http = Http::new(limits, Arc::clone(&context.clock))
        .map_err(|error| CommandError::because(ErrorKind::Failed, "cannot make requests", error))?;
    Ok(http.telling(Arc::clone(&context.progress)))
}

/// Asks the Content API of every repository, and returns the first that does not answer, with the
/// reason.
///
/// # Errors
///
/// As [`check`].
pub(super) async fn unanswered(
    config: &Config,
    context: &Context,
) -> Result<Option<(String, String)>, CommandError> {
    let http = &http_of(config, context)?;
    let asked = stream::iter(&config.repositories).map(|repository| async move {
        let name = repository.name.as_str();
        let mut findings = Vec::new();
        match endpoints_of(repository) {
            Err(error) => findings.push(Finding::error(SECTION, name, error.sentences().join(": "))),
            Ok(endpoints) => {
                let token = repository.access_token.as_ref();
                if let Ok(token) = read(name, "access_token", token, http.limits(), &mut findings).await {
                    findings.extend(ask_content(name, &endpoints, token.as_ref(), http).await);
                }
            }
        }
        let failed = findings.into_iter().find(|finding| finding.level == Level::Error);
        failed.map(|finding| (name.to_owned(), finding.what))
    });
    let found: Vec<Option<_>> = asked.buffered(http.limits().content_concurrency).collect().await;
    Ok(found.into_iter().flatten().next())
}

async fn ask(repository: &Repository, http: &Http, now: Timestamp) -> Vec<Finding> {
    let name = repository.name.as_str();
    let endpoints = match endpoints_of(repository) {
        Ok(endpoints) => endpoints,
        Err(error) => return vec![Finding::error(SECTION, name, error.sentences().join(": "))],
    };
    let limits = http.limits();
    let mut findings = Vec::new();
    let access = read(name, "access_token", repository.access_token.as_ref(), limits, &mut findings).await;
    let write = read(name, "write_token", repository.write_token.as_ref(), limits, &mut findings).await;
    if let Ok(token) = &access {
        findings.extend(ask_content(name, &endpoints, token.as_ref(), http).await);
    }
    for (key, token, issued) in [
        ("access_token", &access, repository.access_token_issued),
        ("write_token", &write, repository.write_token_issued),
    ] {
        if let Ok(Some(token)) = token {
            findings.extend(age(&format!("{key} of {name}"), token, issued, now, limits));
        }
    }
    match write {
        Ok(Some(token)) => findings.extend(ask_write(repository, &endpoints, &token, http).await),
        Ok(None) => findings.push(
            Finding::warning(SECTION, name, "has no write_token")
                .because("models and the list of the media library can only be read with one")
                .then("make one in the repository under Settings > API & Security, and name it by `write_token`"),
        ),
        Err(()) => {}
    }
    findings
}

/// Fetches a token; one that is configured and cannot be had is an error.
async fn read(
    name: &str,
    key: &str,
    token: Option<&SecretRef>,
    limits: &Limits,
    findings: &mut Vec<Finding>,
) -> Result<Option<Secret>, ()> {
    let Some(token) = token.cloned() else { return Ok(None) };
    let limits = limits.clone();
    // It may be a command that asks a person.
    let resolved = tokio::task::spawn_blocking(move || token.resolve(&limits)).await;
    match resolved.expect("reading a secret does not panic") {
        Ok(token) => Ok(Some(token)),
        Err(error) => {
            let next = error.next_step().unwrap_or_default().to_owned();
            findings
                .push(Finding::error(SECTION, format!("{key} of {name}"), with_causes(&error)).then(next));
            Err(())
        }
    }
}

async fn ask_content(name: &str, endpoints: &Endpoints, token: Option<&Secret>, http: &Http) -> Vec<Finding> {
    let api = ContentApi::new(http.clone(), endpoints.content_api.clone(), token.cloned());
    let root = match api.root().await {
        Ok(root) => root,
        Err(error) => return vec![refused(name, &error)],
    };
    let releases = match (root.releases.len(), token) {
        (0, Some(_)) => {
            "no release is to be seen: there is none, or the token has the scope master only".to_owned()
        }
        (0, None) => "no release is to be seen".to_owned(),
        (count, _) => format!("{count} releases are to be seen"),
    };
    let mut findings = vec![Finding::ok(SECTION, name, format!("the Content API answers; {releases}"))];
    if token.is_none() {
        findings.push(
            Finding::notice(SECTION, name, "is read without access_token")
                .because(
                    "without one a ref that was superseded while it is read may not be readable to the end",
                )
                .then("make one with the scope master+releases under Settings > API & Security"),
        );
    }
    findings
}

async fn ask_write(
    repository: &Repository,
    endpoints: &Endpoints,
    token: &Secret,
    http: &Http,
) -> Vec<Finding> {
    let name = repository.name.as_str();
    let prismic = &repository.repository;
    let assets = AssetApi::new(http.clone(), endpoints.asset_api.clone(), prismic, token.clone());
    let types = TypesApi::new(http.clone(), endpoints.types_api.clone(), prismic, token.clone());
    let (assets, types) = tokio::join!(assets.tags(), types.slices());
    let mut findings = Vec::new();
    for (api, failure) in [("Asset API", assets.err()), ("Types API", types.err())] {
        findings.push(match failure {
            None => Finding::ok(SECTION, name, format!("the {api} takes the write_token")),
            Some(error) => refused(name, &error),
        });
    }
    findings.push(
        Finding::notice(SECTION, name, "the Migration API was not asked")
            .because("it has no request that only reads; the same write_token is for all three"),
    );
    findings
}

fn refused(name: &str, error: &PrismicError) -> Finding {
    Finding::error(SECTION, name, with_causes(error)).then(error.hint().unwrap_or_default())
}

/// Judges the age of a token: its own date, else that of the configuration.
fn age(
    subject: &str,
    token: &Secret,
    configured: Option<NaiveDate>,
    now: Timestamp,
    limits: &Limits,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dates = TokenDates::of(token);
    if let Some(ends) = dates.ends {
        let left = ends - now;
        let noticed = TimeDelta::from_std(limits.token_end_noticed).unwrap_or(TimeDelta::MAX);
        if left <= TimeDelta::zero() {
            findings.push(
                Finding::error(SECTION, subject, format!("ended on {}", rfc3339(ends)))
                    .then("make a new one under Settings > API & Security"),
            );
        } else if left <= noticed {
            findings.push(
                Finding::warning(SECTION, subject, format!("ends on {}", rfc3339(ends)))
                    .then("make a new one under Settings > API & Security"),
            );
        }
    }
    let day = configured.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let Some(issued) = dates.issued.or(day) else {
        findings.push(Finding::notice(SECTION, subject, "nothing says how old it is").then(
            "write the day beside the reference, such as issued = \"2026-08-01\", for a warning in time",
        ));
        return findings;
    };
    let age = (now - issued).num_days();
    let advised = limits.token_age_advised.as_secs() / 86_400;
    findings.push(if u64::try_from(age).is_ok_and(|age| age > advised) {
        Finding::warning(SECTION, subject, format!("is {age} days old"))
            .because(format!("the usual advice is to replace tokens every {advised} days"))
            .then("make a new one under Settings > API & Security, put it in place, then remove the old one")
    } else {
        Finding::ok(SECTION, subject, format!("is {} days old", age.max(0)))
    });
    findings
}
