//! What the commands have in common that write into a repository.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::jobs::work::host;
use crate::cli::places::{Places, private_directory};
use crate::cli::snapshot::target;
use crate::config::Config;
use crate::prismic::Http;
use crate::restore::OpenSnapshot;
use crate::restore::repository::{Choice, RepositoryRestore, journals};
use crate::snapshot::Target;

/// A repository to write into, and where this host keeps what it did.
pub(super) struct Destination {
    target: Target,
    http: Http,
    host: String,
    lease_of: Option<String>,
    /// Where journals are, and reports that nobody wants elsewhere.
    pub(super) journals: PathBuf,
}

impl Destination {
    /// Finds the repository in the configuration.
    ///
    /// # Errors
    ///
    /// When the configuration names none, a secret cannot be had, or the directory for journals cannot
    /// be made.
    pub(super) fn configured(name: &str, config: &Config, context: &Context) -> Result<Self, CommandError> {
        let Some(repository) = config.repositories.iter().find(|own| own.name.as_str() == name) else {
            let there: Vec<&str> = config.repositories.iter().map(|own| own.name.as_str()).collect();
            let sentence = format!("{} names no repository {name}", config.file.display());
            return Err(CommandError::new(ErrorKind::Usage, sentence).hint(format!(
                "it names {}; to restore into another, add it as [repositories.{name}] with its write_token",
                there.join(", ")
            )));
        };
        let journals = journals(&Places::of_environment()?.state);
        private_directory(&journals).map_err(|error| {
            CommandError::because(ErrorKind::Failed, format!("cannot make {}", journals.display()), error)
        })?;
        Ok(Self {
            target: target(repository, config)?,
            http: context.http(&config.limits)?,
            host: host(),
            lease_of: config.run.lease.clone(),
            journals,
        })
    }

    /// Returns a restore of a snapshot into it.
    pub(super) fn restore<'a>(
        &'a self,
        snapshot: &'a OpenSnapshot<'a>,
        choice: &'a Choice,
        context: &'a Context,
    ) -> RepositoryRestore<'a> {
        RepositoryRestore {
            snapshot,
            target: &self.target,
            http: &self.http,
            choice,
            journals: &self.journals,
            is_shared: true,
            lease_of: self.lease_of.as_deref(),
            host: &self.host,
            clock: &*context.clock,
            progress: &*context.progress,
            cancel: &context.cancel,
        }
    }
}
