//! `prismvault access`: the members of a repository, as somebody copied them.
//!
//! `import` needs no identity that reads content, and tells counts only. `diff` and `review` show
//! names and addresses: they need one, and say so before anything is read.

mod job;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub(super) use job::review_all;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::output::Page;
use super::own_files;
use super::record::Effect;
use super::restore::ContentSession;
use super::session::{IdentityOptions, Session};
use super::text::{Style, Table, Text};
use super::units::counted;
use crate::access::{
    Change, ImportTarget, Member, MemberList, MistakenList, Review, TokenAge, chain_of, compare, import,
    parse, read_list, review,
};
use crate::clock::{Timestamp, rfc3339};
use crate::config::{Config, Repository, SecretRef};
use crate::ids::Name;
use crate::prismic::TokenDates;
use crate::privacy::own_files::OutputKind;
use crate::vault::snapshots::{Snapshot, Snapshots};

/// Arguments of `access`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Keep a list of members in the vault, encrypted like content
    Import(ImportArgs),
    /// Who came, went or changed role since the list before
    Diff(DiffArgs),
    /// The access review: what stands out, and every member with an empty decision beside it
    Review(ReviewArgs),
}

/// Which repository.
#[derive(Debug, clap::Args)]
struct Whose {
    /// Repository, by its name in the configuration; needed where there are several
    #[arg(long, value_name = "NAME")]
    repository: Option<Name>,
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// CSV or JSON with e-mail, name and role, as copied from Settings > Users; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    whose: Whose,
    /// Check the file, show what would be kept, and stop
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    #[command(flatten)]
    whose: Whose,
    /// Compare with the newest list at or before this time (2026-11-20, 90d) [default: the list before]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Debug, clap::Args)]
struct ReviewArgs {
    #[command(flatten)]
    whose: Whose,
    /// Compare with the newest list at or before this time (2026-11-20, 90d) [default: the list before]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Form of the review
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Write it into this new file, which only you can read
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    identity: IdentityOptions,
}

/// Form of a review.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For tickets and wikis
    #[default]
    Markdown,
    /// For spreadsheets
    Csv,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        match &self.what {
            What::Import(args) => Effect::unless_dry("access import", args.dry_run),
            What::Diff(_) | What::Review(_) => Effect::Reads,
        }
    }
}

/// Runs the command below `access`.
///
/// # Errors
///
/// Those of the command.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    match args.what {
        What::Import(args) => keep(args, context).await,
        What::Diff(args) => diff(args, context).await,
        What::Review(args) => make_review(args, context).await,
    }
}

impl Whose {
    fn of<'a>(&self, config: &'a Config) -> Result<&'a Repository, CommandError> {
        match (&self.repository, config.repositories.as_slice()) {
            (Some(name), _) => Ok(config.repository(name.as_str())?),
            (None, [only]) => Ok(only),
            (None, all) => {
                let names: Vec<_> = all.iter().take(20).map(|one| one.name.as_str()).collect();
                Err(CommandError::new(ErrorKind::Usage, "whose members are meant is not said")
                    .hint(format!("pass --repository NAME: {}", names.join(", "))))
            }
        }
    }
}

/// Counts only: no name, no address.
#[derive(Serialize)]
struct Imported<'a> {
    dry_run: bool,
    repository: &'a Name,
    members: usize,
    roles: std::collections::BTreeMap<String, u64>,
    snapshot: Option<String>,
    replicas: Vec<String>,
    behind: std::collections::BTreeMap<String, String>,
}

async fn keep(args: ImportArgs, context: &Context) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    let target = args.whose.of(&config)?.clone();
    let list = read_file(&args.file, &config)?;
    context.record.about(target.name.as_str());
    context.record.about(counted(list.members().len() as u64, "member"));
    chain_of(&target.name)?;
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let mut report = Imported {
        dry_run: args.dry_run,
        repository: &target.name,
        members: list.members().len(),
        roles: list.counts(),
        snapshot: None,
        replicas: Vec::new(),
        behind: std::collections::BTreeMap::new(),
    };
    if !args.dry_run {
        let to = ImportTarget {
            repository: target.name.clone(),
            space: target.space.clone(),
            prismic: target.repository.clone(),
        };
        let committed = import(&session.vault, &to, &list).await?;
        let id = committed.manifest.snapshot.to_string();
        context.record.about(format!("{}/{id}", committed.manifest.repository));
        report.snapshot = Some(id);
        report.replicas = committed.on;
        report.behind = committed.behind;
    }
    if !session.vault.is_encrypted() {
        context
            .output
            .warning("this vault is not encrypted: whoever reads a replica reads the list of members");
    }
    let outcome = if report.behind.is_empty() { Outcome::Complete } else { Outcome::Partial };
    context.output.result(outcome, &report, || {
        let verb = if report.dry_run { "Would keep" } else { "Kept" };
        let roles: Vec<String> = report.roles.iter().map(|(role, count)| format!("{count} {role}")).collect();
        let mut page = Page::new().line(format!(
            "{verb} {} of {}: {}",
            counted(report.members as u64, "member"),
            report.repository,
            roles.join(", ")
        ));
        if let Some(id) = &report.snapshot {
            page = page.line(format!("  {id} on {}", report.replicas.join(", ")));
        }
        for (name, why) in &report.behind {
            page = page
                .line(Text::styled(Style::Yellow, "  not on ").and(Style::Plain, format!("{name}: {why}")));
        }
        page
    })?;
    session.warn(context);
    Ok(outcome)
}

fn read_file(file: &Path, config: &Config) -> Result<MemberList, CommandError> {
    let shown = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    // One byte more than is allowed tells that there is more.
    let most = config.limits.member_list_bytes_max.saturating_add(1);
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| {
        CommandError::because(ErrorKind::Usage, format!("cannot read {shown}"), error)
            .hint("name the file that you saved the members to, or - for standard input")
    })?;
    parse(&bytes, &config.limits).map_err(|mistake: MistakenList| {
        CommandError::because(
            ErrorKind::Usage,
            format!("{shown} is no list of members; nothing was kept"),
            mistake,
        )
        .hint("the first line names the columns, name,email,role; each line after it is one member")
    })
}

/// The newest list of a repository, and the one to compare it with.
struct Lists<'a> {
    newest: &'a Snapshot,
    before: Option<&'a Snapshot>,
}

impl<'a> Lists<'a> {
    fn of(
        snapshots: &'a Snapshots,
        repository: &Name,
        since: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, CommandError> {
        let all = snapshots.access_lists(repository);
        let Some((newest, earlier)) = all.split_last() else {
            return Err(CommandError::new(
                ErrorKind::Usage,
                format!("the vault holds no list of the members of {repository}"),
            )
            .hint("copy it from the settings page of the repository, then `prismvault access import FILE`"));
        };
        let before = match since {
            None => earlier.last(),
            Some(when) => {
                let chain = chain_of(repository)?;
                Some(snapshots.select(&format!("{chain}@{when}"), now)?)
            }
        };
        Ok(Self { newest, before })
    }
}

async fn lists_of(
    content: &ContentSession,
    lists: &Lists<'_>,
) -> Result<(MemberList, Option<MemberList>), CommandError> {
    let read = async |snapshot: &Snapshot| {
        read_list(&content.session.vault, &content.snapshots, &snapshot.manifest).await
    };
    let newest = read(lists.newest).await?;
    let before = match lists.before {
        Some(before) => Some(read(before).await?),
        None => None,
    };
    Ok((newest, before))
}

#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
    email: &'a str,
    roles: Vec<String>,
}

impl<'a> Person<'a> {
    fn of(member: &'a Member) -> Self {
        let roles = member.roles.iter().map(ToString::to_string).collect();
        Self { name: &member.name, email: &member.email, roles }
    }
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    change: &'static str,
    #[serde(flatten)]
    member: Person<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Differences<'a> {
    repository: &'a Name,
    from: String,
    to: String,
    changes: Vec<ChangeLine<'a>>,
    unchanged: usize,
}

async fn diff(args: DiffArgs, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let repository = &args.whose.of(&content.session.config)?.name;
    let now = content.session.vault.now();
    let lists = Lists::of(&content.snapshots, repository, args.since.as_deref(), now)?;
    let (newest, before) = lists_of(&content, &lists).await?;
    let (Some(before), Some(earlier)) = (before, lists.before) else {
        return Err(CommandError::new(
            ErrorKind::Usage,
            format!("there is one list of the members of {repository} only, so nothing to compare it with"),
        )
        .hint("`prismvault access review` shows it; import the next one when the page changed"));
    };
    let changes = compare(&before, &newest);
    let report = Differences {
        repository,
        from: rfc3339(earlier.id().time()),
        to: rfc3339(lists.newest.id().time()),
        changes: changes.changes.iter().map(line_of).collect(),
        unchanged: changes.unchanged,
    };
    context.output.report(Outcome::Complete, &report, || diff_page(&report))?;
    content.session.warn_of_replicas(context);
    Ok(Outcome::Complete)
}

fn line_of(change: &Change) -> ChangeLine<'_> {
    let member = Person::of(change.member());
    let (change, before) = match change {
        Change::Came(_) => ("came", None),
        Change::Went(_) => ("went", None),
        Change::Role { before, .. } => ("role", Some(Person::of(before).roles)),
    };
    ChangeLine { change, member, before }
}

fn diff_page(report: &Differences<'_>) -> Page {
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    let mut page = Page::new().line(Text::styled(
        Style::Bold,
        format!("Members of {}, {} to {}", report.repository, day(&report.from), day(&report.to)),
    ));
    if report.changes.is_empty() {
        return page.line(format!("  nothing changed: {}", counted(report.unchanged as u64, "member")));
    }
    let mut table = Table::new(["", "name", "e-mail", "role", "before"]);
    for line in &report.changes {
        let style = match line.change {
            "came" => Style::Green,
            "went" => Style::Red,
            _ => Style::Yellow,
        };
        table.row([
            Text::styled(style, line.change),
            line.member.name.into(),
            line.member.email.into(),
            line.member.roles.join(", ").into(),
            line.before.as_deref().unwrap_or_default().join(", ").into(),
        ]);
    }
    page = page.table(table);
    page.line(format!("  {} unchanged", report.unchanged))
}

#[derive(Serialize)]
struct ReviewReport<'a> {
    repository: &'a Name,
    listed: String,
    before: Option<String>,
    remarks: Vec<RemarkLine<'a>>,
    members: Vec<MemberLine<'a>>,
    tokens: Vec<TokenLine<'a>>,
    file: Option<&'a Path>,
}

#[derive(Serialize)]
struct RemarkLine<'a> {
    code: &'static str,
    what: &'a str,
    next: &'a str,
}

#[derive(Serialize)]
struct MemberLine<'a> {
    name: &'a str,
    email: &'a str,
    roles: &'a str,
    change: &'a str,
    remark: &'a str,
    is_member: bool,
    decision: &'static str,
}

#[derive(Serialize)]
struct TokenLine<'a> {
    token: &'a str,
    days: Option<i64>,
}

async fn make_review(args: ReviewArgs, context: &Context) -> Result<Outcome, CommandError> {
    let content = ContentSession::open(context, &args.identity).await?;
    let config = &content.session.config;
    let repository = args.whose.of(config)?;
    let now = content.session.vault.now();
    let lists = Lists::of(&content.snapshots, &repository.name, args.since.as_deref(), now)?;
    let review = review_of(&content, repository, &lists).await?;
    let sheet = match args.format {
        Format::Markdown => review.to_markdown(),
        Format::Csv => review.to_csv(),
    };
    if let Some(file) = &args.to {
        write_new(file, &sheet)?;
        own_files::written(OutputKind::AccessReview, file, &content.session, context);
    }
    if context.output.is_json() {
        context.output.report(
            Outcome::Complete,
            &report_of(&repository.name, &review, args.to.as_deref()),
            Page::new,
        )?;
    } else if let Some(file) = &args.to {
        let members = counted(review.lines.iter().filter(|line| line.is_member).count() as u64, "member");
        context.output.message(format!(
            "{} has {members} and {}; it names people, so treat it as you treat them",
            file.display(),
            counted(review.remarks.len() as u64, "remark")
        ));
    } else {
        context.output.bytes(sheet.as_bytes())?;
    }
    content.session.warn_of_replicas(context);
    Ok(Outcome::Complete)
}

/// Makes the review of a repository by these lists of its members.
async fn review_of(
    content: &ContentSession,
    repository: &Repository,
    lists: &Lists<'_>,
) -> Result<Review, CommandError> {
    let (config, now) = (&content.session.config, content.session.vault.now());
    let (newest, before) = lists_of(content, lists).await?;
    let tokens = tokens_of(repository, config, now).await;
    let before = before.as_ref().zip(lists.before.map(|before| before.id().time()));
    Ok(review(
        repository.name.as_str(),
        (lists.newest.id().time(), &newest),
        before.map(|(list, at)| (at, list)),
        tokens,
        now,
        &config.limits,
    ))
}

fn report_of<'a>(repository: &'a Name, review: &'a Review, file: Option<&'a Path>) -> ReviewReport<'a> {
    ReviewReport {
        repository,
        listed: rfc3339(review.listed),
        before: review.before.map(rfc3339),
        remarks: review
            .remarks
            .iter()
            .map(|remark| RemarkLine { code: remark.code, what: &remark.what, next: &remark.next })
            .collect(),
        members: review
            .lines
            .iter()
            .map(|line| MemberLine {
                name: &line.name,
                email: &line.email,
                roles: &line.roles,
                change: &line.change,
                remark: &line.note,
                is_member: line.is_member,
                decision: "",
            })
            .collect(),
        tokens: review
            .tokens
            .iter()
            .map(|token| TokenLine { token: &token.name, days: token.days })
            .collect(),
        file,
    }
}

/// The ages of the tokens of a repository: what they say themselves where they are here, else the
/// day of the configuration.
async fn tokens_of(repository: &Repository, config: &Config, now: Timestamp) -> Vec<TokenAge> {
    let mut ages = Vec::new();
    for (name, token, configured) in [
        ("access_token", &repository.access_token, repository.access_token_issued),
        ("write_token", &repository.write_token, repository.write_token_issued),
    ] {
        let Some(token) = token else { continue };
        let configured = configured.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
        let own = match configured {
            Some(_) => None,
            None => issued_of(token.clone(), config).await,
        };
        ages.push(TokenAge::of(name, own.or(configured), now, &config.limits));
    }
    ages
}

/// What a token says of its own age; one that cannot be had says nothing.
async fn issued_of(token: SecretRef, config: &Config) -> Option<Timestamp> {
    if token.absence().is_some() {
        return None;
    }
    let limits = config.limits.clone();
    // It may be a command that asks a person.
    let resolved = tokio::task::spawn_blocking(move || token.resolve(&limits)).await;
    let token = resolved.expect("reading a secret does not panic").ok()?;
    TokenDates::of(&token).issued
}

/// Writes a new file that only its owner can read; one that exists is left as it is.
fn write_new(file: &Path, text: &str) -> Result<(), CommandError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    written.map_err(|error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let kind = if exists { ErrorKind::Refused } else { ErrorKind::Failed };
        let error = CommandError::because(kind, format!("cannot write {}", file.display()), error);
        match exists {
            true => error.hint("name a new file: what people filled in is not overwritten"),
            false => error,
        }
    })
}
