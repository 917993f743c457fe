//! What a command leaves in the audit log of the vault.
//!
//! Each command says in [`Command::effect`](super::Command) whether it writes; there is no default,
//! so a new one cannot forget. The dispatcher writes the entry when the command has ended, however
//! it ended, into the vault that it opened last: opening one ([`super::Session`]) tells it. A
//! command adds what it is about with [`Record::about`] and [`Record::plan`], and nothing else.
//!
//! A command that opened no vault changed none and leaves no entry. A failing entry is a warning
//! and makes the exit code 3 at least; the command's own result stands.
//!
//! **A command that is killed** leaves no entry of how it ended. What deletes for good or changes
//! who is trusted therefore says first that it begins ([`Record::begin`]), and does not begin when
//! that cannot be written anywhere.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Context;
use super::error::CommandError;
use super::exit::Outcome;
use super::output::Output;
use super::session::Session;
use crate::config::AuditSettings;
use crate::ids::Digest;
use crate::progress::Problem;
use crate::retention::RetentionPlan;
use crate::vault::audit::{Appended, Event, append};
use crate::vault::format::audit::AuditResult;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshot;

/// What a command does to the vault of its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing there.
    Reads,
    /// It writes or deletes; the name that its entry bears.
    Writes(&'static str),
    /// What it finds decides; it calls [`Record::writes`] when it is to write.
    MayWrite(&'static str),
}

impl Effect {
    /// Returns the effect of a command that writes unless it was asked for the plan only.
    pub(super) fn unless_dry(name: &'static str, dry_run: bool) -> Self {
        if dry_run { Self::Reads } else { Self::Writes(name) }
    }
}

/// What a run found for people to do, where its exit code does not say it: our own words, names of the
/// configuration, numbers and commands, because it is sent to whoever is told of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What.
    pub(super) what: String,
    /// What to do.
    pub(super) next: String,
}

/// Collects, while a command runs, what its entry in the audit log says.
#[derive(Default)]
pub struct Record(Mutex<Collected>);

#[derive(Default)]
struct Collected {
    command: &'static str,
    writes: bool,
    vault: Option<(Arc<Vault>, AuditSettings)>,
    subjects: Vec<String>,
    plan: Option<Digest>,
    /// What whoever is told of the run is told besides.
    finding: Option<Finding>,
    /// Key of the entry that says that the command began.
    begun: Option<String>,
    /// Whether that entry is missing somewhere.
    troubled: bool,
}

impl Record {
    /// Returns a record of a command that is about to run.
    pub(super) fn of(effect: Effect) -> Self {
        let (command, writes) = match effect {
            Effect::Reads => ("", false),
            Effect::Writes(command) => (command, true),
            Effect::MayWrite(command) => (command, false),
        };
        Self(Mutex::new(Collected { command, writes, ..Collected::default() }))
    }

    /// Says that a command which may write does.
    pub fn writes(&self) {
        self.lock().writes = true;
    }

    /// Says which vault was opened; of several the last counts.
    pub(super) fn opened(&self, vault: &Arc<Vault>, who: &AuditSettings) {
        self.lock().vault = Some((Arc::clone(vault), who.clone()));
    }

    /// The vault that was opened last.
    pub(super) fn vault(&self) -> Option<Arc<Vault>> {
        self.lock().vault.as_ref().map(|(vault, _)| Arc::clone(vault))
    }

    /// Lets go of the vault of a session, for a command that changes what the vault is; the record
    /// has it back when what is returned is dropped, however the command ends.
    pub(super) fn lend(&self, session: Session) -> Lent<'_> {
        self.lock().vault = None;
        Lent { record: self, session }
    }

    /// Adds something that the command is about: `<repository>/<snapshot id>`, a repository, the
    /// key of an object. Ids only, never names or texts of content.
    pub fn about(&self, subject: impl Into<String>) {
        self.lock().subjects.push(subject.into());
    }

    /// Says what people have to do; it is told with the end of the run, and is not in the entry.
    pub(super) fn found(&self, finding: Finding) {
        self.lock().finding = Some(finding);
    }

    /// What people have to do.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.lock().finding.clone()
    }

    /// Adds a snapshot that the command is about.
    pub fn about_snapshot(&self, snapshot: &Snapshot) {
        self.about(format!("{}/{}", snapshot.manifest.repository, snapshot.id()));
    }

    /// Adds the snapshots that a plan of retention removes.
    pub(super) fn about_removals(&self, plan: &RetentionPlan) {
        self.plan(plan.hash());
        for (repository, snapshot, _) in plan.removals() {
            self.about(format!("{repository}/{}", snapshot.snapshot));
        }
    }

    /// Says which plan is carried out.
    pub fn plan(&self, plan: Digest) {
        self.lock().plan = Some(plan);
    }

    /// Says in the audit log that the command begins to do what cannot be taken back: with what it
    /// is about and by which plan, as far as [`about`](Self::about) and [`plan`](Self::plan) were
    /// told.
    ///
    /// # Errors
    ///
    /// When no replica took the entry: the command must not go on.
    pub(super) async fn begin(&self, session: &Session, context: &Context) -> Result<(), CommandError> {
        let event = self.lock().event(&session.config.audit, AuditResult::Begun, None);
        let Appended { head, problems } = append(&session.vault, event).await.map_err(|error| {
            CommandError::from(error)
                .within("nothing was done, because the audit log cannot say that it begins")
        })?;
        warn(&problems, &context.output);
        let mut collected = self.lock();
        collected.begun = Some(layout::audit(&head.writer, head.n));
        collected.troubled = !problems.is_empty();
        Ok(())
    }

    /// Writes the entry. Returns the outcome of the command, which is graver when the entry is not
    /// on every replica that takes part.
    pub(super) async fn end(
        &self,
        result: Result<Outcome, CommandError>,
        output: &Output,
    ) -> Result<Outcome, CommandError> {
        let Some((vault, event)) = self.last_event(&result) else { return result };
        let problems = match append(&vault, event).await {
            Ok(appended) => appended.problems,
            Err(error) => {
                output.warning(format!("this command is not in the audit log: {}", with_causes(&error)));
                return result.map(|outcome| outcome.worst(Outcome::Partial));
            }
        };
        warn(&problems, output);
        let written = problems.is_empty() && !self.lock().troubled;
        result.map(|outcome| if written { outcome } else { outcome.worst(Outcome::Partial) })
    }

    fn last_event(&self, result: &Result<Outcome, CommandError>) -> Option<(Arc<Vault>, Event)> {
        let mut collected = self.lock();
        let (vault, who) = collected.vault.take().filter(|_| collected.writes)?;
        let outcome = match result {
            Ok(outcome) => *outcome,
            Err(error) => error.kind.outcome(),
        };
        Some((vault, collected.event(&who, result_of(outcome), Some(outcome.code()))))
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Collected {
    fn event(&self, who: &AuditSettings, result: AuditResult, exit_code: Option<u8>) -> Event {
        Event {
            principal: principal(who),
            host: who.host.clone().or_else(host_name),
            command: self.command.to_owned(),
            subjects: self.subjects.clone(),
            plan: self.plan,
            result,
            exit_code,
            begun: self.begun.clone(),
        }
    }
}

/// A session whose vault nobody else holds.
pub(super) struct Lent<'a> {
    record: &'a Record,
    session: Session,
}

impl Lent<'_> {
    /// Returns the vault, to be changed.
    pub(super) fn vault_mut(&mut self) -> &mut Vault {
        Arc::get_mut(&mut self.session.vault)
            .expect("the record let go of it, and commands share it with nobody")
    }
}

impl Deref for Lent<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.record.opened(&self.session.vault, &self.session.config.audit);
    }
}

fn warn(problems: &[Problem], output: &Output) {
    for problem in problems {
        output.warning(format!("audit log: {}: {}", problem.subject, problem.detail));
    }
}

fn result_of(outcome: Outcome) -> AuditResult {
    match outcome {
        Outcome::Complete => AuditResult::Complete,
        Outcome::Failed | Outcome::Usage => AuditResult::Failed,
        Outcome::Partial => AuditResult::Partial,
        Outcome::Integrity => AuditResult::Integrity,
        Outcome::Refused => AuditResult::Refused,
        Outcome::ObjectiveMissed => AuditResult::ObjectiveMissed,
        Outcome::Interrupted => AuditResult::Interrupted,
    }
}

/// Who runs commands: as the configuration says, else the number of the user.
pub(super) fn principal(who: &AuditSettings) -> Option<String> {
    who.principal.clone().or_else(user_number)
}

/// The number of the user that this process runs as: who a new file belongs to. A number and no
/// name, because the audit log cannot be edited and names are personal data.
#[cfg(unix)]
fn user_number() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = tempfile::tempfile().and_then(|file| file.metadata()).ok()?.uid();
    Some(format!("uid {owner}"))
}

#[cfg(not(unix))]
fn user_number() -> Option<String> {
    None
}

/// The name of this machine as the system tells it in a file or in the environment.
pub(super) fn host_name() -> Option<String> {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let told = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let set = ["HOSTNAME", "COMPUTERNAME"].iter().filter_map(|name| std::env::var(name).ok());
    let plain = |name: &String| (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    told.chain(set).map(|name| name.trim().to_owned()).find(plain)
}
