//! `prismvault drill run`: a rehearsal by a plan, or the record of a real recovery.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::host::Program;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::jobs::work::host;
use crate::cli::output::Page;
use crate::cli::places::Places;
use crate::cli::record::Effect;
use crate::cli::restore::ContentSession;
use crate::cli::session::IdentityOptions;
use crate::cli::snapshot::target;
use crate::cli::text::{Style, Table, Text};
use crate::cli::units::{counted, human_duration};
use crate::cli::{Context, Outcome};
use crate::clock::{Timestamp, parse_when, rfc3339};
use crate::config::{Config, Person, Repository};
use crate::drill::findings::Finding;
use crate::drill::gate::Standing;
use crate::drill::measure::Light;
use crate::drill::plan::{Plan, Selected, Target};
use crate::drill::record::Record;
use crate::drill::report::files::render;
use crate::drill::report::{Earlier, Report};
use crate::drill::run::leftover::{Leftover, Trace, directory, forget, sweep};
use crate::drill::run::{Before, Drill, Finished, Real, documents_in, run as run_drill};
use crate::drill::scenario::Injection;
use crate::drill::timeline::{Ended, Phase};
use crate::ids::{Digest, Name, SnapshotId, random};
use crate::vault::drills::{self, StoredDrill};
use crate::vault::format::drill::{DrillFile, DrillResult, holds_content};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;

/// Drills before this one that a report compares itself with.
const EARLIER_MAX: usize = 20;

/// Arguments of `drill run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plan: a file, such as drills/weekly.toml
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Show what would be rehearsed, with the criteria and their digest, and stop
    #[arg(long)]
    dry_run: bool,
    /// A real disaster, not a rehearsal: record the incident, and who is to be told until when
    #[arg(long)]
    real: bool,
    /// With --real: when it struck (2026-11-20T12:00:00Z, 3h); by default when the organisation became aware
    #[arg(long, value_name = "WHEN", requires = "real")]
    struck: Option<String>,
    /// With --real: when the organisation became aware of it; by default now. The 72 hours of Art. 33 GDPR begin then
    #[arg(long, value_name = "WHEN", requires = "real")]
    aware: Option<String>,
    /// With --real: whether personal data is concerned; as long as nobody knows, the deadlines run
    #[arg(long, value_name = "YES|NO", value_enum, requires = "real")]
    personal_data: Option<YesNo>,
    /// What is drawn (snapshot, damaged packs) is drawn from it; by default anew for each drill
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum YesNo {
    Yes,
    No,
}

impl Args {
    /// What it does to the vault: it stores the record of the drill there.
    pub(super) fn effect(&self) -> Effect {
        Effect::unless_dry("drill run", self.dry_run)
    }

    fn real(&self, now: Timestamp) -> Result<Option<Real>, CommandError> {
        if !self.real {
            return Ok(None);
        }
        let read = |text: &Option<String>, otherwise: Timestamp| match text {
            None => Ok(otherwise),
            Some(text) => parse_when(text, now).filter(|at| *at <= now).ok_or_else(|| {
                let sentence = format!("{text:?} is no time in the past");
                CommandError::new(ErrorKind::Usage, sentence)
                    .hint("type 2026-11-20T12:00:00Z, or an age such as 3h")
            }),
        };
        let aware = read(&self.aware, now)?;
        let struck = read(&self.struck, aware)?;
        if struck > aware {
            let sentence = "the disaster cannot have struck after somebody became aware of it";
            return Err(CommandError::new(ErrorKind::Usage, sentence));
        }
        let personal_data = self.personal_data.map(|said| said == YesNo::Yes);
        Ok(Some(Real { struck, aware, personal_data }))
    }
}

/// Runs a drill.
///
/// # Errors
///
/// Before anything is begun: a mistake in the plan, a drill of the same plan under way on this machine, the
/// identity that reads content not here, no key that signs the record. After it: when the record cannot be stored;
/// then it is kept on this machine.
pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    let real = args.real(context.clock.now())?;
    let options = Options { real, seed: args.seed, dry_run: args.dry_run };
    run_plan(&args.plan, &options, &args.identity, context).await
}

/// How a plan is run.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Options {
    pub(in crate::cli) real: Option<Real>,
    pub(in crate::cli) seed: Option<u64>,
    pub(in crate::cli) dry_run: bool,
}

/// Runs a plan, for people and for jobs.
///
/// # Errors
///
/// As [`run`].
pub(in crate::cli) async fn run_plan(
    file: &Path,
    options: &Options,
    identities: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let config = context.load_config()?;
    let plan = Plan::load(file)?;
    let selected = plan.select(&config)?;
    if options.dry_run {
        let dry = DryRun::of(&plan, &selected);
        context.output.report(Outcome::Complete, &dry, || dry.page(&plan))?;
        return Ok(Outcome::Complete);
    }
    if let Some(environment) = selected.environment {
        require_empty(environment, &config, context).await?;
    }
    let configuration = Digest::of(&read(&config.file)?);
    let state = Places::of_environment()?.state;
    let swept = sweep(&state).map_err(|error| {
        CommandError::because(ErrorKind::Failed, "cannot clear away what a killed drill left", error)
    })?;
    let content = ContentSession::open(context, identities).await?;
    let vault = &content.session.vault;
    drills::require_signer(vault)?;
    let before = before(vault, (&plan.name, &state), swept, &config.people, context).await?;
    let id = SnapshotId::new(context.clock.now());
    // What fails from here on is a drill that failed.
    let leftover = begin(&state, &id, &plan, options.real.is_some(), vault, context)?;
    context.record.about(format!("drill {id}"));
    let program = Program { context, config: &config, identities };
    let drill = Drill {
        id: id.clone(),
        plan: &plan,
        selected: &selected,
        config: &config,
        configuration,
        host: &program,
        machine: config.audit.host.clone().unwrap_or_else(host),
        clock: std::sync::Arc::clone(&context.clock),
        progress: &*context.progress,
        cancel: context.cancel.clone(),
        leftover: &leftover,
        real: options.real.clone(),
        before,
        seed: options.seed.unwrap_or_else(|| u64::from_be_bytes(random())),
    };
    let finished = Box::pin(run_drill(&drill)).await;
    let mut outcome = outcome(&finished);
    if let Err(error) = store(vault, &plan, &selected, &finished).await {
        outcome = outcome.worst(Outcome::Failed);
        let kept = keep(&state, &finished).map(|place| place.display().to_string());
        let place = kept.unwrap_or_else(|error| format!("nowhere: {error}"));
        context.output.warning(format!(
            "the record of the drill is not stored: {}; its report is kept in {place}, and is no evidence, because nobody has signed it",
            with_causes(&error)
        ));
    }
    leftover.end();
    context.output.result(outcome, &finished.report, || page(&finished.report))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(file).map_err(|error| {
        CommandError::because(ErrorKind::Configuration, format!("cannot read {}", file.display()), error)
    })
}

/// Refuses a target that holds something: it may be what people see.
async fn require_empty(own: &Repository, config: &Config, context: &Context) -> Result<(), CommandError> {
    let (target, http) = (target(own, config)?, context.http(&config.limits)?);
    let there = documents_in(&target, &http).await.map_err(|error| {
        CommandError::because(ErrorKind::Failed, format!("cannot look into {}", own.name), error)
    })?;
    match there {
        0 => Ok(()),
        count => Err(CommandError::new(
            ErrorKind::Refused,
            format!("{} is not empty: {} are published there", own.name, counted(count, "document")),
        )
        .hint("a drill restores into an empty repository only: archive what is in it, make another, or recover to the sandbox")),
    }
}

fn begin(
    state: &Path,
    id: &SnapshotId,
    plan: &Plan,
    real: bool,
    vault: &Vault,
    context: &Context,
) -> Result<Leftover, CommandError> {
    let trace = Trace {
        drill: id.clone(),
        plan: plan.name.clone(),
        real,
        criteria: plan.criteria().digest(),
        vault: vault.file.vault.to_string(),
        began: rfc3339(context.clock.now()),
        phase: String::new(),
        directory: directory(state, id),
        processes: Vec::new(),
    };
    Leftover::begin(state, trace).map_err(|error| match error.kind() {
        std::io::ErrorKind::ResourceBusy => {
            CommandError::new(ErrorKind::Refused, error.to_string()).hint("wait until it is over")
        }
        _ => CommandError::because(ErrorKind::Failed, "the drill cannot begin", error),
    })
}

/// How the command ends: what is wrong weighs more than what is late.
fn outcome(finished: &Finished) -> Outcome {
    if finished.is_interrupted {
        return Outcome::Interrupted;
    }
    match (finished.is_wrong, finished.is_missed) {
        (true, _) => Outcome::Integrity,
        (false, true) => Outcome::ObjectiveMissed,
        (false, false) => Outcome::Complete,
    }
}

/// What is known of the drills before this one. Those that were killed get a record as well.
async fn before(
    vault: &Vault,
    (plan, state): (&Name, &Path),
    swept: Vec<Trace>,
    people: &[Person],
    context: &Context,
) -> Result<Before, CommandError> {
    let own = vault.file.vault.to_string();
    let mut killed = Vec::new();
    for trace in swept.into_iter().filter(|trace| trace.vault == own) {
        if abandoned(vault, &trace).await? {
            killed.push(format!("{} of {} in the phase {}", trace.drill, trace.plan, trace.phase));
        }
        forget(state, &trace).map_err(|error| {
            CommandError::because(ErrorKind::Failed, "cannot clear away what a killed drill left", error)
        })?;
    }
    let (all, problems) = drills::all(vault).await?;
    for problem in problems {
        context.output.warning(format!("{}: {}", problem.subject, problem.detail));
    }
    let same: Vec<&StoredDrill> = all.iter().rev().filter(|own| own.file.plan == *plan).collect();
    let mut open = Vec::new();
    for drill in &same {
        // The newest whose report can be read: it carries what those before it left open.
        if let Some(findings) = open_findings(vault, drill, people, context).await? {
            open = findings;
            break;
        }
    }
    Ok(Before {
        vault: vault.file.vault,
        earlier: same.iter().take(EARLIER_MAX).map(|own| earlier(&own.file)).collect(),
        open,
        abandoned: killed,
    })
}

/// Findings of a drill that nobody has closed, those of answers at the table among them; `None` where its report
/// cannot be read.
async fn open_findings(
    vault: &Vault,
    drill: &StoredDrill,
    people: &[Person],
    context: &Context,
) -> Result<Option<Vec<Finding>>, CommandError> {
    let record = Record::load(vault, drill.clone(), people).await?;
    if let Err(error) = &record.report {
        context.output.warning(format!("drill {}: {}", drill.file.drill, with_causes(error)));
    }
    Ok(record.now().map(|now| now.open_findings().cloned().collect()))
}

fn earlier(file: &DrillFile) -> Earlier {
    Earlier {
        drill: file.drill.clone(),
        began: file.began.clone(),
        result: file.result,
        recovery_ms: file.repositories.iter().filter_map(|own| own.recovery_ms).max(),
        fidelity: file.repositories.iter().filter_map(|own| own.fidelity).min_by(f64::total_cmp),
        findings: file.findings,
    }
}

/// Keeps it that a drill was begun and killed: a population without those that failed is no evidence. Returns
/// whether it was; one that was killed behind its record has come to its end.
async fn abandoned(vault: &Vault, trace: &Trace) -> Result<bool, CommandError> {
    if drills::ids(vault).await?.contains(&trace.drill) {
        return Ok(false);
    }
    let file = DrillFile {
        kind: String::new(),
        format: 0,
        vault: vault.file.vault,
        key: String::new(),
        drill: trace.drill.clone(),
        plan: trace.plan.clone(),
        real: trace.real,
        began: trace.began.clone(),
        ended: rfc3339(vault.now()),
        result: DrillResult::Abandoned,
        criteria: trace.criteria,
        repositories: Vec::new(),
        target: format!("killed in the phase {}", trace.phase),
        scenario: Vec::new(),
        findings: 0,
        open: Vec::new(),
        awaits: Vec::new(),
        tool: format!("prismvault {}", env!("CARGO_PKG_VERSION")),
        files: Vec::new(),
    };
    drills::store(vault, file).await?;
    Ok(true)
}

/// Everything that is stored beside the record. The page has no pictures in it: those are files of their own, which
/// an order of erasure takes, and it leaves the page. A bundle shows both together.
fn files(finished: &Finished) -> Vec<(String, Bytes)> {
    let rendered = render(&finished.report, &|_| None).into_iter();
    let rendered = rendered.map(|(path, bytes)| (path.to_owned(), Bytes::from(bytes)));
    rendered.chain(finished.files.iter().cloned()).collect()
}

async fn store(
    vault: &Vault,
    plan: &Plan,
    selected: &Selected<'_>,
    finished: &Finished,
) -> crate::vault::error::Result<StoredDrill> {
    let report = &finished.report;
    let files = drills::store_files(vault, &report.drill, files(finished)).await?;
    let file = DrillFile {
        kind: String::new(),
        format: 0,
        vault: vault.file.vault,
        key: String::new(),
        drill: report.drill.clone(),
        plan: plan.name.clone(),
        real: report.real,
        began: report.began.clone(),
        ended: report.ended.clone(),
        result: report.result,
        criteria: report.criteria_sha256,
        repositories: finished.repositories.clone(),
        target: match (&plan.target, selected.environment) {
            (Target::Standby, _) => "standby".to_owned(),
            (Target::Sandbox, _) => "sandbox".to_owned(),
            (Target::Environment(name), _) => name.to_string(),
        },
        scenario: plan.scenario.iter().map(|own| own.name().to_owned()).collect(),
        findings: u32::try_from(report.findings.len()).unwrap_or(u32::MAX),
        open: report.open(),
        awaits: report.awaits(),
        tool: report.environment.tool.clone(),
        files,
    };
    drills::store(vault, file).await
}

/// Keeps the report of a drill on this machine, where the vault does not take it. What may hold content is not kept:
/// it would lie there unencrypted.
fn keep(state: &Path, finished: &Finished) -> std::io::Result<PathBuf> {
    let place = state.join("drill-reports").join(finished.report.drill.as_str());
    for (path, bytes) in files(finished).into_iter().filter(|(path, _)| !holds_content(path)) {
        let file = place.join(path);
        crate::cli::places::private_directory(file.parent().unwrap_or(&place))?;
        let mut file = std::fs::File::create_new(file)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
    }
    Ok(place)
}

/// What would be rehearsed.
#[derive(Serialize)]
struct DryRun<'a> {
    plan: &'a Name,
    title: &'a str,
    repositories: Vec<&'a Name>,
    target: &'a Target,
    scenario: Vec<String>,
    criteria: serde_json::Value,
    criteria_sha256: Digest,
}

impl<'a> DryRun<'a> {
    fn of(plan: &'a Plan, selected: &Selected<'a>) -> Self {
        let criteria = plan.criteria();
        Self {
            plan: &plan.name,
            title: &plan.title,
            repositories: selected.repositories.iter().map(|own| &own.name).collect(),
            target: &plan.target,
            scenario: plan.scenario.iter().map(Injection::words).collect(),
            criteria: serde_json::from_slice(&criteria.bytes()).unwrap_or_default(),
            criteria_sha256: criteria.digest(),
        }
    }

    fn page(&self, plan: &Plan) -> Page {
        let names: Vec<&str> = self.repositories.iter().map(|name| name.as_str()).collect();
        let page = Page::new()
            .line(Text::styled(Style::Bold, self.title.to_owned()))
            .line(plan.summary.clone())
            .line(format!("recovers {} to {}", names.join(", "), target_words(self.target)));
        let page = self.scenario.iter().fold(page, |page, line| page.line(format!("- {line}")));
        let page = Phase::ALL.into_iter().enumerate().fold(page.line(""), |page, (number, phase)| {
            page.line(format!("{:>2}. {}", number + 1, phase.words()))
        });
        page.line("").line(format!("criteria, fixed before it begins: SHA-256 {}", self.criteria_sha256))
    }
}

fn target_words(target: &Target) -> String {
    match target {
        Target::Standby => "a standby on this machine".to_owned(),
        Target::Sandbox => "a sandbox on this machine".to_owned(),
        Target::Environment(name) => format!("the repository {name}"),
    }
}

/// A drill for people, in short: `drill show` has everything.
fn page(report: &Report) -> Page {
    let style = if report.result.is_good() { Style::Green } else { Style::Red };
    let head = Text::styled(Style::Bold, format!("{}: ", report.title)).and(style, report.result.words());
    let mut phases = Table::new(["phase", "took", ""]).right(&["took"]);
    for own in &report.phases {
        let (style, word) = match own.ended {
            Ended::Good => (Style::Green, "good"),
            Ended::Bad => (Style::Red, "wrong"),
            Ended::Broken => (Style::Red, "could not be done"),
            Ended::Skipped => (Style::Dim, "not begun"),
        };
        let took = human_duration(Duration::from_millis(own.took_ms));
        phases.row([Text::from(own.phase.words()), took.into(), Text::styled(style, word)]);
    }
    let mut page = Page::new().line(head).line(report.outcome.clone()).line("").table(phases);
    let mut objectives = Table::new(["objective", "wanted", "measured", ""]);
    for own in &report.objectives {
        let (style, word) = match own.light {
            Light::Green => (Style::Green, "met"),
            Light::Grey => (Style::Dim, "not set"),
            Light::Red => (Style::Red, "missed"),
        };
        objectives.row([
            Text::from(own.objective.as_str()),
            own.target.as_str().into(),
            own.measured.as_str().into(),
            Text::styled(style, word),
        ]);
    }
    page = page.line("").table(objectives);
    let failed: Vec<_> = report.failed().collect();
    if !failed.is_empty() {
        page = page
            .line("")
            .line(Text::styled(Style::Red, counted(failed.len() as u64, "check") + " not as expected"));
        for own in failed {
            page = page.line(format!("- {}: expected {}; seen: {}", own.name, own.expected, own.seen));
        }
    }
    if !report.findings.is_empty() {
        page = page
            .line("")
            .line(Text::styled(Style::Yellow, counted(report.findings.len() as u64, "open finding")));
        for own in &report.findings {
            page = page.line(format!("- {} ({}, due {}): {}", own.id, own.severity, own.due, own.what));
        }
    }
    for own in report.incident.iter().flat_map(|incident| &incident.communications) {
        let until = own.due.as_deref().unwrap_or("without undue delay");
        page = page.line(Text::styled(Style::Yellow, format!("tell {}: {until}", own.to)));
    }
    if let Some(waits) = report.gates.iter().find(|own| own.standing == Standing::Waits) {
        let whom = waits.owner.as_deref().unwrap_or("somebody whom the plan does not name");
        page = page.line("").line(format!("The gate {} waits for {whom}:", waits.gate)).line(format!(
            "  prismvault drill sign-off {} --gate {} --as NAME --decision go|no-go --note …",
            report.drill, waits.gate
        ));
    }
    page.line("").line(format!("  prismvault drill show {}", report.drill))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;
    use crate::drill::report::sample::sample;
    use crate::vault::format::drill::DrillAttachment;

    #[test]
    fn what_stays_after_an_erasure_shows_no_picture() {
        let picture = b"\x89PNG\r\n\x1a\n and whoever is in it";
        let mut report = sample();
        report.checks[0].evidence = vec!["pages/1-root.png".to_owned()];
        let finished = Finished {
            report,
            files: vec![("pages/1-root.png".to_owned(), Bytes::from_static(picture))],
            repositories: Vec::new(),
            is_wrong: false,
            is_missed: false,
            is_interrupted: false,
        };
        let encoded = BASE64.encode(picture);
        for (path, bytes) in files(&finished) {
            let attachment = DrillAttachment {
                path: path.clone(),
                bytes: 0,
                sha256: Digest([0; 32]),
                stored: Digest([0; 32]),
            };
            let shows =
                memchr::memmem::find(&bytes, &encoded.as_bytes()[..24]).is_some() || bytes == picture[..];
            assert_eq!(shows, attachment.holds_content() && path.ends_with(".png"), "{path}");
        }
        // A bundle has it in its page.
        let page = render(&finished.report, &|_| Some(Bytes::from_static(picture)));
        assert!(
            page.iter().any(|(_, bytes)| memchr::memmem::find(bytes, &encoded.as_bytes()[..24]).is_some())
        );
    }
}
