//! `prismvault restore`: gets content back, as files. And what all commands that read content
//! have in common.

use super::error::{CommandError, ErrorKind, of_source};
use super::exit::Outcome;
use super::record::Effect;
use super::session::{IdentityOptions, Session};
use super::units::counted;
use super::{Context, Output};
use crate::progress::Problem;
use crate::restore::{OpenSnapshot, RestoreError, RestoreErrorKind, Selection, is_damage};
use crate::vault::format::manifest::{Manifest, Status};
use crate::vault::snapshots::{Snapshot, Snapshots};

mod destination;
pub mod document;
pub mod files;
pub mod repository;

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write a snapshot, or a part of it, as files below a directory
    Files(files::Args),
    /// Write one document, or one field of it, back into Prismic as a draft for an editor
    Document(document::Args),
    /// Write a snapshot back into Prismic, through its write APIs: planned, resumable, read back
    Repository(repository::Args),
}

impl Args {
    /// What it does to the vault.
    pub(super) fn effect(&self) -> Effect {
        match &self.what {
            What::Files(_) => Effect::Reads,
            What::Document(args) => args.effect(),
            What::Repository(args) => args.effect(),
        }
    }
}

/// Runs the command below `restore`.
///
/// # Errors
///
/// Those of the command.
pub async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    match args.what {
        What::Files(args) => files::run(args, context).await,
        What::Document(args) => document::run(args, context).await,
        What::Repository(args) => repository::run(args, context).await,
    }
}

/// Which part of a snapshot. Options of one kind are joined by *or*, kinds by *and*.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Part of the snapshot (one kind of option: any of them; several kinds: all)")]
pub struct SelectionOptions {
    /// Only documents of this custom type; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only documents in this language; may be repeated
    #[arg(long = "lang", value_name = "LANGUAGE")]
    languages: Vec<String>,
    /// Only the document or asset with this id; may be repeated
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Only what lies at or below this path (models, documents/en-us); may be repeated
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
}

impl From<SelectionOptions> for Selection {
    fn from(options: SelectionOptions) -> Self {
        let SelectionOptions { types, languages, ids, paths } = options;
        Self { types, languages, ids, paths }
    }
}

/// A vault that is open for reading content, and its snapshots.
pub(super) struct ContentSession {
    pub(super) session: Session,
    pub(super) snapshots: Snapshots,
}

impl ContentSession {
    /// Opens the vault and checks that content can be read, before anything else is.
    pub(super) async fn open(context: &Context, identity: &IdentityOptions) -> Result<Self, CommandError> {
        let session = Session::open(context, identity).await?;
        session.vault.require_content_identity()?;
        let snapshots = Snapshots::load(&session.vault, None).await?;
        Ok(Self { session, snapshots })
    }

    /// Finds a snapshot by what was typed.
    pub(super) fn select(&self, typed: &str) -> Result<&Snapshot, CommandError> {
        Ok(self.snapshots.select(typed, self.session.vault.now())?)
    }

    /// Opens a snapshot for reading content.
    pub(super) async fn content(&self, manifest: &Manifest) -> Result<OpenSnapshot<'_>, CommandError> {
        Ok(OpenSnapshot::open(&self.session.vault, &self.snapshots, manifest).await?)
    }
}

impl Session {
    /// Shows what people should know of the vault, and which replicas could not be read.
    pub(super) fn warn_of_replicas(&self, context: &Context) {
        self.warn(context);
        for (name, failure) in self.vault.replicas.failed() {
            context.output.warning(format!("the replica {name} was not read: {failure}"));
        }
    }
}

/// Warns that a snapshot lacks something itself. Returns how a command ends that gives all of it.
pub(super) fn outcome_of_status(manifest: &Manifest, output: &Output) -> Outcome {
    if manifest.status == Status::Complete {
        return Outcome::Complete;
    }
    output.warning(format!(
        "the snapshot {id} is partial: it lacks {lacks} of the source, which `prismvault show {id}` names",
        id = manifest.snapshot,
        lacks = counted(manifest.gaps.len() as u64, "thing"),
    ));
    Outcome::Partial
}

/// Returns how a command ends that met these problems.
pub(super) fn outcome_of_problems(problems: &[Problem]) -> Outcome {
    match problems {
        [] => Outcome::Complete,
        problems if problems.iter().any(is_damage) => Outcome::Integrity,
        _ => Outcome::Failed,
    }
}

impl From<RestoreError> for CommandError {
    fn from(err: RestoreError) -> Self {
        let kind = match err.kind() {
            RestoreErrorKind::Vault(_) | RestoreErrorKind::Cancelled => match err {
                RestoreError::Vault(err) => return err.into(),
                _ => return Self::interrupted(),
            },
            RestoreErrorKind::NotFound | RestoreErrorKind::Ambiguous => ErrorKind::Usage,
            RestoreErrorKind::Refused => ErrorKind::Refused,
            RestoreErrorKind::Local => ErrorKind::Failed,
            RestoreErrorKind::Target => match &err {
                RestoreError::Target { error, .. } => of_source(error),
                _ => ErrorKind::Failed,
            },
        };
        let hint = err.next_step().map(str::to_owned);
        let error = Self::new(kind, err);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
