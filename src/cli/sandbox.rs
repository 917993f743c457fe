//! `prismvault sandbox`: a Prismic-compatible repository on this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::text::{Style, Text, shell_word};
use super::units::{counted, human_bytes};
use crate::clock::parse_duration;
use crate::contentapi::{AccessMode, AccessPolicy, TokenScope};
use crate::sandbox::synthetic::{SyntheticOptions, generate};
use crate::sandbox::{
    Content, Endpoints, ErrorRate, Faults, RateLimit, Rates, Repository, RepositoryOptions, RetryAfter,
    SandboxError, Server, ServerOptions, Torn, WriteBounds, load,
};
use crate::secret::Secret;

const CONTROL_API: &str = "\
Changing it while it runs (curl -X POST 'http://127.0.0.1:8999/sandbox/…'):
  POST   /sandbox/edit?share=0.01&seed=2     change that share of the documents and publish
  POST   /sandbox/add?documents=10           publish new documents
  POST   /sandbox/remove?ids=A,B             unpublish documents
  POST   /sandbox/publish[?expire=true]      publish without changes; let older refs expire
  POST   /sandbox/assets/edit?id=A           change the notes of an asset
  POST   /sandbox/assets/remove?id=A         remove an asset from the media library
  GET    /sandbox                            repositories, their sizes and refs
  GET    /sandbox/faults                     faults as JSON; PUT replaces, DELETE ends them
  GET    /sandbox/requests[?last=100]        counts by endpoint, last requests; DELETE resets
  GET    /sandbox/rates                      requests a second of the write APIs as JSON; PUT replaces
With several repositories, add &repository=NAME.";

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
#[command(after_help = CONTROL_API)]
pub struct Args {
    /// Port on the loopback interface; 0: any free one
    #[arg(long, default_value_t = 8999)]
    port: u16,
    /// Name of the repository; may be repeated for several
    #[arg(long, value_name = "NAME", default_value = "acme-blog")]
    name: Vec<String>,
    #[command(flatten)]
    content: ContentOptions,
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    writing: WriteOptions,
    #[command(flatten)]
    faults: FaultOptions,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Content")]
struct ContentOptions {
    /// Published documents, in all languages together
    #[arg(long, value_name = "N", default_value_t = 200)]
    documents: usize,
    /// Assets of the media library
    #[arg(long, value_name = "N", default_value_t = 40)]
    assets: usize,
    /// Decides all content: equal seeds, equal bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Average size of an asset, in bytes
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    asset_bytes: u64,
    /// Size of the first asset, in bytes
    #[arg(long, value_name = "N")]
    largest_asset_bytes: Option<u64>,
    /// Languages, the master first
    #[arg(long, value_name = "LANG,…", value_delimiter = ',', default_value = "en-us,fr-fr,de-de")]
    languages: Vec<String>,
    /// Releases
    #[arg(long, value_name = "N", default_value_t = 1)]
    releases: usize,
    /// Serve what is in this directory instead: answers of the APIs as files (repository.json,
    /// documents.jsonl, assets.json, assets/ …)
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "documents", "assets", "asset_bytes", "largest_asset_bytes", "languages", "releases",
    ])]
    from: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access")]
struct AccessOptions {
    /// What can be read without access token: all, what is published, or nothing
    #[arg(long, value_enum, default_value_t = Access::Open)]
    access: Access,
    /// Access token, of the Content API
    #[arg(long, value_name = "TOKEN", default_value = "sandbox-access-token")]
    access_token: String,
    /// Write token, of the Asset, Types and Migration API
    #[arg(long, value_name = "TOKEN", default_value = "sandbox-write-token")]
    write_token: String,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Writing")]
struct WriteOptions {
    /// Requests a second that the Asset API answers, and the Migration API for each repository;
    /// Prismic's rate is 1. Without it, any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    write_rate: Option<u32>,
    /// Documents that the migration release holds
    #[arg(long, value_name = "N", default_value_t = 1000)]
    release_documents: usize,
    /// Time from a publish to its new ref: 20ms, 1.5s; a plain number: milliseconds
    #[arg(long, value_name = "TIME", value_parser = parse_latency, default_value = "0")]
    publish_delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Access {
    /// Everything, releases included
    Open,
    /// What is published
    Public,
    /// Nothing
    Private,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Faults")]
struct FaultOptions {
    /// Time before each answer: 20ms, 1.5s; a plain number: milliseconds
    #[arg(long, alias = "latency-ms", value_name = "TIME", value_parser = parse_latency)]
    latency: Option<Duration>,
    /// Answer this share of requests with an error: 503:0.05, 503:5%
    #[arg(long, value_name = "STATUS:SHARE", value_parser = parse_error_rate)]
    error_rate: Option<ErrorRate>,
    /// Answer 429 above so many requests a second; Retry-After in seconds (10:2), as a date
    /// (10:date), none (10) or nonsense (10:nonsense)
    #[arg(long, value_name = "N[:FORM]", value_parser = parse_rate_limit)]
    rate_limit: Option<RateLimit>,
    /// Cut this share of answers half-way
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    truncate: Option<f64>,
    /// After so many searches every ref expires, once
    #[arg(long, value_name = "N")]
    expire_refs_after: Option<u64>,
    /// Page of each search that contradicts the others: missing, doubled, results-size or total
    #[arg(long, value_name = "PAGE:KIND", value_parser = parse_torn)]
    torn: Option<(usize, Torn)>,
    /// Most assets a page of the media library holds, whatever is asked for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    asset_page_cap: Option<u32>,
    /// Asset whose file is gone; may be repeated
    #[arg(long, value_name = "ID")]
    missing_file: Vec<String>,
    /// Asset whose file is a byte shorter than its metadata say; may be repeated
    #[arg(long, value_name = "ID")]
    short_file: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    base_url: &'a str,
    control_api: String,
    access_token: &'a str,
    write_token: &'a str,
    // Those of the first repository, for scripts that have one.
    content_api: &'a str,
    asset_api: &'a str,
    types_api: &'a str,
    migration_api: &'a str,
    repositories: &'a [Served],
}

#[derive(Serialize)]
struct Served {
    name: String,
    documents: usize,
    assets: usize,
    asset_bytes: u64,
    content_api: String,
    asset_api: String,
    types_api: String,
    migration_api: String,
}

/// Serves until it is told to stop, which is how it ends well.
///
/// # Errors
///
/// When the port is taken, a directory holds no repository, or an option names what is not there.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).map_err(|error| {
        CommandError::because(ErrorKind::Failed, format!("cannot listen on 127.0.0.1:{}", args.port), error)
            .hint("--port 0 takes any free port")
    })?;
    let (names, making) = (args.name.clone(), contents(&args)?);
    let contents = tokio::task::spawn_blocking(move || names.iter().map(|name| making(name)).collect());
    let contents: Vec<Content> = match context.cancel.run_until_cancelled(contents).await {
        None => return Ok(Outcome::Complete),
        Some(made) => {
            let made: Result<Vec<_>, SandboxError> =
                made.map_err(|error| CommandError::because(ErrorKind::Failed, "cannot make content", error))?;
            made.map_err(refused)?
        }
    };
    let options = repository_options(&args);
    let repositories: Vec<Arc<Repository>> = args
        .name
        .iter()
        .zip(contents)
        .map(|(name, content)| Repository::new(name, content, options.clone()))
        .collect();
    let faults = faults(&args, &repositories)?;
    let server_options =
        ServerOptions { clock: Arc::clone(&context.clock), control_api: true, ..ServerOptions::default() };
    let server = Server::start(repositories.clone(), server_options, listener).map_err(refused)?;
    server.control().set_faults(faults);
    let rate = args.writing.write_rate;
    server.control().set_rates(Rates { asset: rate, migration: rate, types: None });

    let served: Vec<Served> = repositories
        .iter()
        .filter_map(|repository| Some(Served::new(repository, server.endpoints(repository.name())?)))
        .collect();
    let first =
        served.first().ok_or_else(|| CommandError::new(ErrorKind::Usage, "no repository is named"))?;
    let report = Report {
        base_url: server.base_url(),
        control_api: format!("{}/sandbox", server.base_url()),
        access_token: &args.access.access_token,
        write_token: &args.access.write_token,
        content_api: &first.content_api,
        asset_api: &first.asset_api,
        types_api: &first.types_api,
        migration_api: &first.migration_api,
        repositories: &served,
    };
    context.output.item(None, &report, || page(&report, args.access.access))?;
    context.cancel.cancelled().await;
    server.stop().await;
    Ok(Outcome::Complete)
}

fn refused(error: SandboxError) -> CommandError {
    let kind = match error {
        SandboxError::SameName(_) | SandboxError::InvalidName(_) => ErrorKind::Usage,
        _ => ErrorKind::Failed,
    };
    let is_directory = matches!(error, SandboxError::Read { .. });
    let error = CommandError::new(kind, error);
    match is_directory {
        true => error.hint("--from takes a directory with at least repository.json and documents.jsonl"),
        false => error,
    }
}

/// Returns what makes the content of a repository of some name.
fn contents(
    args: &Args,
) -> Result<impl Fn(&str) -> Result<Content, SandboxError> + Send + 'static, CommandError> {
    let content = &args.content;
    let from = content.from.clone();
    if from.is_some() && args.name.len() > 1 {
        return Err(CommandError::new(
            ErrorKind::Usage,
            "a directory holds one repository, so --from goes with one --name",
        ));
    }
    let synthetic = SyntheticOptions {
        documents: content.documents,
        assets: content.assets,
        seed: content.seed,
        asset_bytes: content.asset_bytes,
        largest_asset_bytes: content.largest_asset_bytes,
        languages: content.languages.clone(),
        releases: content.releases,
    };
    Ok(move |name: &str| match &from {
        Some(directory) => load(directory, name),
        None => generate(name, &synthetic),
    })
}

fn repository_options(args: &Args) -> RepositoryOptions {
    let access = &args.access;
    RepositoryOptions {
        access: AccessPolicy {
            mode: match access.access {
                Access::Open => AccessMode::Open,
                Access::Public => AccessMode::PublicMaster,
                Access::Private => AccessMode::Private,
            },
            tokens: vec![(Secret::new(&access.access_token), TokenScope::MasterAndReleases)],
        },
        write_tokens: vec![Secret::new(&access.write_token)],
        writing: WriteBounds {
            release_documents_max: args.writing.release_documents,
            publish_delay: args.writing.publish_delay,
            ..WriteBounds::default()
        },
        seed: args.content.seed,
        ..RepositoryOptions::default()
    }
}

fn faults(args: &Args, repositories: &[Arc<Repository>]) -> Result<Faults, CommandError> {
    let options = &args.faults;
    let libraries: Vec<_> = repositories.iter().map(|repository| repository.library()).collect();
    let mut assets = libraries.iter().flat_map(|library| library.assets());
    for id in options.missing_file.iter().chain(&options.short_file) {
        if assets.clone().all(|asset| asset.id != *id) {
            let error = CommandError::new(ErrorKind::Usage, format!("there is no asset {id:?}"));
            return Err(match assets.next() {
                Some(asset) => error.hint(format!("there is, for example, {}", asset.id)),
                None => error,
            });
        }
    }
    let faults = Faults {
        seed: args.content.seed,
        latency: options.latency.unwrap_or_default(),
        errors: options.error_rate.clone(),
        rate_limit: options.rate_limit.clone(),
        truncated: options.truncate.unwrap_or_default(),
        expire_refs_after: options.expire_refs_after,
        torn: options.torn,
        asset_page_cap: options.asset_page_cap.map(|cap| cap as usize),
        missing_files: options.missing_file.iter().cloned().collect(),
        short_files: options.short_file.iter().cloned().collect(),
        ..Faults::default()
    };
    faults.check().map_err(|error| CommandError::new(ErrorKind::Usage, error))?;
    Ok(faults)
}

impl Served {
    fn new(repository: &Repository, endpoints: Endpoints) -> Self {
        let library = repository.library();
        Self {
            name: repository.name().to_owned(),
            documents: repository.documents().len(),
            assets: library.assets().len(),
            asset_bytes: library.assets().iter().map(|asset| asset.content.len()).sum(),
            content_api: endpoints.content_api,
            asset_api: endpoints.asset_api,
            types_api: endpoints.types_api,
            migration_api: endpoints.migration_api,
        }
    }
}

fn page(report: &Report<'_>, access: Access) -> Page {
    let bold = |text: &str| Text::styled(Style::Bold, text);
    let mut page = Page::new()
        .line(bold(&format!("A Prismic-compatible sandbox is at {}", report.base_url)))
        .line("Made up, in memory, on this machine only. Ctrl-C ends it.");
    for served in report.repositories {
        page = page.line(format!(
            "  {}: {}, {} ({})",
            served.name,
            counted(served.documents as u64, "document"),
            counted(served.assets as u64, "asset"),
            human_bytes(served.asset_bytes),
        ));
    }
    let first = &report.repositories[0].name;
    page = page.line("").line(bold("Back it up, from another terminal, in an empty directory:"));
    if access != Access::Open {
        page = page.line(format!("  export PRISMIC_ACCESS_TOKEN={}", shell_word(report.access_token)));
    }
    page = page
        .line(format!("  export PRISMIC_WRITE_TOKEN={}", shell_word(report.write_token)))
        .line(format!("  prismvault snapshot --repository {first} --to ./vault \\"))
        .line(format!("    --content-api {} \\", report.content_api))
        .line(format!("    --asset-api {} \\", report.asset_api))
        .line(format!("    --types-api {}", report.types_api))
        .line("")
        .line(bold("Or for prismvault.toml:"));
    for served in report.repositories {
        page = page
            .line(format!("  [repositories.{}]", served.name))
            .line(format!("  repository = \"{}\"", served.name));
        if access != Access::Open {
            page = page.line("  access_token = { env = \"PRISMIC_ACCESS_TOKEN\" }");
        }
        page = page
            .line("  write_token = { env = \"PRISMIC_WRITE_TOKEN\" }")
            .line(format!("  content_api = \"{}\"", served.content_api))
            .line(format!("  asset_api = \"{}\"", served.asset_api))
            .line(format!("  types_api = \"{}\"", served.types_api))
            .line(format!("  migration_api = \"{}\"", served.migration_api));
    }
    let one_of = if report.repositories.len() > 1 { format!("&repository={first}") } else { String::new() };
    page.line("")
        .line(bold("Change it while it runs (more of this: prismvault sandbox --help):"))
        .line(format!("  curl -X POST '{}/edit?share=0.01{one_of}'", report.control_api))
        .line(format!("  curl -X PUT {}/faults -d '{{\"latency_ms\": 200}}'", report.control_api))
}

fn parse_latency(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        Err(_) => parse_duration(text).ok_or_else(|| "write 20ms or 1.5s".to_owned()),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse().map(|percent: f64| percent / 100.0),
        None => f64::from_str(text),
    };
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is from 0 to 1, or from 0% to 100%".to_owned())
}

fn parse_error_rate(text: &str) -> Result<ErrorRate, String> {
    let (status, share) = text.split_once(':').ok_or("write STATUS:SHARE, as in 503:0.05")?;
    let status = status.parse().ok().filter(|status| (400..600).contains(status));
    Ok(ErrorRate { status: status.ok_or("the status is from 400 to 599")?, share: parse_share(share)? })
}

fn parse_rate_limit(text: &str) -> Result<RateLimit, String> {
    /// Seconds until the date of `Retry-After`: long enough to be seen, short enough to wait for.
    const DATE_AHEAD: i64 = 2;
    let (count, form) = text.split_once(':').unwrap_or((text, "none"));
    let retry_after = match form {
        "none" => RetryAfter::Absent,
        "date" => RetryAfter::Date(DATE_AHEAD),
        "nonsense" => RetryAfter::Text("soon".to_owned()),
        seconds => RetryAfter::Seconds(
            seconds
                .parse()
                .map_err(|_| "after the colon comes a number of seconds, date, none or nonsense")?,
        ),
    };
    let per_second = count.parse().map_err(|_| "a rate is a number of requests a second")?;
    Ok(RateLimit { per_second, retry_after })
}

fn parse_torn(text: &str) -> Result<(usize, Torn), String> {
    const FORM: &str = "write PAGE:KIND, as in 2:missing; kinds are missing, doubled, results-size, total";
    let (page, kind) = text.split_once(':').ok_or(FORM)?;
    let kind = match kind {
        "missing" => Torn::Missing,
        "doubled" => Torn::Doubled,
        "results-size" => Torn::ResultsSize,
        "total" => Torn::Total,
        _ => return Err(FORM.to_owned()),
    };
    Ok((page.parse().ok().filter(|page| *page > 0).ok_or(FORM)?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_people_type_them() {
        assert_eq!(parse_latency("20").unwrap(), Duration::from_millis(20));
        assert_eq!(parse_latency("1.5s").unwrap(), Duration::from_millis(1500));
        assert_eq!(parse_error_rate("503:5%").unwrap(), ErrorRate { status: 503, share: 0.05 });
        let limit = |retry_after| RateLimit { per_second: 10, retry_after };
        for (typed, expected) in [
            ("10", RetryAfter::Absent),
            ("10:none", RetryAfter::Absent),
            ("10:3", RetryAfter::Seconds(3)),
            ("10:date", RetryAfter::Date(2)),
            ("10:nonsense", RetryAfter::Text("soon".to_owned())),
        ] {
            assert_eq!(parse_rate_limit(typed).unwrap(), limit(expected), "{typed}");
        }
        assert_eq!(parse_torn("2:results-size").unwrap(), (2, Torn::ResultsSize));
    }

    #[test]
    fn faults_that_make_no_sense_are_refused() {
        assert!(parse_latency("soon").is_err());
        for share in ["1.1", "-1", "101%", "NaN", ""] {
            assert!(parse_share(share).is_err(), "{share}");
        }
        for rate in ["503", "200:0.5", "503:2", "x:0.5"] {
            assert!(parse_error_rate(rate).is_err(), "{rate}");
        }
        for limit in ["", "x", "10:later", "10:-1"] {
            assert!(parse_rate_limit(limit).is_err(), "{limit}");
        }
        for torn in ["2", "0:missing", "2:half", "x:total"] {
            assert!(parse_torn(torn).is_err(), "{torn}");
        }
    }
}
