//! What a command leaves in the audit log of the vault.
//!
//! Each command says in [`Command::effect`](super::Command) whether it writes; there is no default,
//! so a new one cannot forget. The dispatcher writes the entry when the command has ended, however
//! it ended, into the vault that it opened last: opening one ([`super::Session`]) tells it. A
//! command adds what it is about with [`Record::about`] and [`Record::plan`], and nothing else.
//!
//! A command that opened no vault changed none and leaves no entry. A failing entry is a warning
//! and makes the exit code 3 at least; the command's own result stands.

use std::sync::{Arc, Mutex, MutexGuard};

use super::error::CommandError;
use super::exit::Outcome;
use super::output::Output;
use crate::config::AuditSettings;
use crate::ids::Digest;
use crate::vault::audit::{Event, append};
use crate::vault::format::audit::AuditResult;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;

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

    /// Lets go of the vault, for a command that needs it for itself; it says
    /// [`opened`](Self::opened) again when it is done, however that ended.
    pub(super) fn closed(&self) {
        self.lock().vault = None;
    }

    /// Adds something that the command is about: `<repository>/<snapshot id>`, a repository, the
    /// key of an object. Ids only, never names or texts of content.
    pub fn about(&self, subject: impl Into<String>) {
        self.lock().subjects.push(subject.into());
    }

    /// Says which plan is carried out.
    pub fn plan(&self, plan: Digest) {
        self.lock().plan = Some(plan);
    }

    /// Writes the entry. Returns the outcome of the command, which is graver when the entry is not
    /// on every replica that takes part.
    pub(super) async fn end(
        &self,
        result: Result<Outcome, CommandError>,
        output: &Output,
    ) -> Result<Outcome, CommandError> {
        let Some((vault, event)) = self.event(&result) else { return result };
        let problems = match append(&vault, event).await {
            Ok(appended) => appended.problems,
            Err(error) => {
                output.warning(format!("this command is not in the audit log: {}", with_causes(&error)));
                return result.map(|outcome| outcome.worst(Outcome::Partial));
            }
        };
        for problem in &problems {
            output.warning(format!("audit log: {}: {}", problem.subject, problem.detail));
        }
        let written = problems.is_empty();
        result.map(|outcome| if written { outcome } else { outcome.worst(Outcome::Partial) })
    }

    fn event(&self, result: &Result<Outcome, CommandError>) -> Option<(Arc<Vault>, Event)> {
        let mut collected = self.lock();
        let (vault, who) = collected.vault.take().filter(|_| collected.writes)?;
        let outcome = match result {
            Ok(outcome) => *outcome,
            Err(error) => error.kind.outcome(),
        };
        let event = Event {
            principal: who.principal.or_else(user_number),
            host: who.host.or_else(host_name),
            command: collected.command.to_owned(),
            subjects: std::mem::take(&mut collected.subjects),
            plan: collected.plan,
            result: result_of(outcome),
            exit_code: outcome.code(),
        };
        Some((vault, event))
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().expect("no holder of this lock can panic")
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
fn host_name() -> Option<String> {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let told = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let set = ["HOSTNAME", "COMPUTERNAME"].iter().filter_map(|name| std::env::var(name).ok());
    let plain = |name: &String| (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    told.chain(set).map(|name| name.trim().to_owned()).find(plain)
}
