//! What is common to all that people say of a drill: who says it, with which key, and what is shown afterwards.

use std::path::PathBuf;

use serde::Serialize;

use super::pages::{gates, next_steps};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::hold::ended;
use crate::cli::output::Page;
use crate::cli::record::Effect;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::{Context, Outcome};
use crate::config::{Config, SecretRef};
use crate::drill::record::{Record, RecordError, find};
use crate::drill::report::after::{What, after};
use crate::drill::report::{GateRecord, Report};
use crate::ids::SnapshotId;
use crate::progress::Problem;
use crate::vault::signing::SigningKey;

/// Who speaks.
#[derive(Debug, clap::Args)]
pub(super) struct Speaking {
    /// Who says it: a name of [people] in the configuration
    #[arg(long = "as", value_name = "NAME")]
    by: String,
    /// Their secret key, as `prismvault keys generate --signing-to FILE` or `minisign -G` made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File with the password of that key, where it has one
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Say whether it would be recorded, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    identity: IdentityOptions,
}

#[derive(Serialize)]
struct Shown<'a> {
    drill: &'a SnapshotId,
    dry_run: bool,
    /// What was recorded, in words.
    done: &'a str,
    by: &'a str,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    for_: Option<&'a str>,
    /// Where gates stand now.
    gates: &'a [GateRecord],
    next: Vec<String>,
}

impl Speaking {
    pub(super) fn effect(&self, command: &'static str) -> Effect {
        Effect::unless_dry(command, self.dry_run)
    }

    /// The key, read off the async threads: a password is worth a second of work.
    async fn signing_key(&self, config: &Config) -> Result<SigningKey, CommandError> {
        let read = |path: &PathBuf| SecretRef::File { path: path.clone() }.resolve(&config.limits);
        let text = read(&self.key)?;
        let password = self.passphrase_file.as_ref().map(read).transpose()?;
        let parsed = tokio::task::spawn_blocking(move || match password {
            Some(password) => SigningKey::parse_protected(&text, &password),
            None => SigningKey::parse(&text),
        });
        parsed.await.expect("reading a key does not panic").map_err(|error| {
            let sentence = format!("{} cannot be used", self.key.display());
            let error = CommandError::because(ErrorKind::Configuration, sentence, error);
            match self.passphrase_file {
                None => {
                    error.hint("where the key has a password, name a file with it: --passphrase-file FILE")
                }
                Some(_) => error,
            }
        })
    }

    /// Says something of a drill and shows what follows. `what` is told the report as it stands.
    pub(super) async fn speak(
        &self,
        drill: &str,
        context: &Context,
        what: impl FnOnce(&Report) -> Result<(What, String), CommandError>,
    ) -> Result<Outcome, CommandError> {
        let session = Session::open(context, &self.identity).await?;
        let (vault, people) = (&session.vault, &session.config.people);
        let stored = find(vault, drill).await?;
        context.record.about(format!("drill {}", stored.file.drill));
        let key = self.signing_key(&session.config).await?;
        let mut record = Record::load(vault, stored, people).await?;
        warn(&record.problems, context);
        // Where the report cannot be read, the judge says so.
        let (what, done) = match record.now() {
            Some(report) => what(&report)?,
            None => (What::Note { text: None }, String::new()),
        };
        let stated = record.judge(vault, people, &self.by, &key, what)?;
        if !self.dry_run {
            record.say(vault, people, &self.by, &key, stated.what.clone()).await?;
        }
        let mut all = record.stated.clone();
        if self.dry_run {
            all.push(stated.clone());
        }
        let Ok(recorded) = &record.report else {
            return Err(CommandError::new(ErrorKind::Failed, "the report cannot be read any more"));
        };
        let now = after(recorded, &all, &record.closed);
        let next = next_steps(&now);
        let shown = Shown {
            drill: &record.stored.file.drill,
            dry_run: self.dry_run,
            done: &done,
            by: &self.by,
            for_: stated.for_.as_deref(),
            gates: &now.gates,
            next,
        };
        let outcome = ended(&session, context);
        context.output.result(outcome, &shown, || {
            let verb = if self.dry_run { "Would be recorded" } else { "Recorded" };
            let for_ = shown.for_.map(|name| format!(" for {name}")).unwrap_or_default();
            let page = Page::new().line(format!("{verb} by {}{for_}: {}", self.by, shown.done));
            shown.next.iter().fold(page.append(gates(&now)), |page, line| page.line(format!("Next: {line}")))
        })?;
        Ok(outcome)
    }
}

/// Says what does not count.
pub(super) fn warn(problems: &[Problem], context: &Context) {
    for problem in problems {
        context.output.warning(format!("{}: {}", problem.subject, problem.detail));
    }
}

impl From<RecordError> for CommandError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Vault(error) => error.into(),
            RecordError::Stranger { ref known, .. } => {
                let hint = match known.as_slice() {
                    [] => "add [people.NAME] with key = \"RW…\" and may = [\"sign-off\"]".to_owned(),
                    known => format!("known are {}", known.join(", ")),
                };
                Self::new(ErrorKind::Refused, error).hint(hint)
            }
            RecordError::NotTheirKey { .. } => Self::new(ErrorKind::Refused, error)
                .hint("everybody signs with the key that only they hold; whoever lost theirs gets a new one in [people]"),
            RecordError::Refused(_) => Self::new(ErrorKind::Refused, error)
                .hint("`prismvault drill show` says where the gates stand, and who decides"),
            RecordError::Unknown(_) => {
                Self::new(ErrorKind::Usage, error).hint("`prismvault drill list` shows the drills")
            }
        }
    }
}
