//! What a drill needs of this program: vaults through a scenario, and Prismic.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::places::Places;
use crate::cli::session::{IdentityOptions, open_each, open_vault};
use crate::cli::snapshot::target;
use crate::config::{Config, Repository};
use crate::drill::run::host::{Host, Opening};
use crate::drill::scenario::{Disturbance, Disturbed};
use crate::prismic::Http;
use crate::snapshot::Target;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, Replicas, with_causes};

/// This program, with the keys that are here.
pub(super) struct Program<'a> {
    pub(super) context: &'a Context,
    pub(super) config: &'a Config,
    pub(super) identities: &'a IdentityOptions,
}

impl Program<'_> {
    async fn try_open(&self, opening: Opening<'_>) -> Result<Vault, CommandError> {
        let mut config = self.config.clone();
        if opening.is_without_operator() {
            config.keys.operator = None;
        }
        let (mut open, mut absent) = (Vec::new(), Vec::new());
        for (replica, opened) in open_each(&config, self.context).await? {
            let disturbance =
                Disturbance::of(opening.scenario, &replica.name, replica.region.as_deref(), opening.seed);
            let disturbance = Disturbance { hidden: opening.hidden.clone(), ..disturbance };
            match opened {
                Ok(own) => {
                    let store = Arc::new(Disturbed::new(Arc::clone(&own.store), disturbance));
                    open.push(Replica::new(own.name.clone(), store));
                }
                Err(error) => absent.push((replica.name.to_string(), error)),
            }
        }
        let replicas = Replicas::with_absent(open, absent, config.vault.min_copies);
        let places = match opening.fresh {
            Some(directory) => Places::below(directory),
            None => Places::of_environment()?,
        };
        for directory in [&places.cache, &places.state, &places.spool] {
            crate::cli::places::private_directory(directory).map_err(|error| {
                CommandError::because(
                    crate::cli::ErrorKind::Failed,
                    format!("cannot make {}", directory.display()),
                    error,
                )
            })?;
        }
        open_vault(replicas, places, self.context, &config, self.identities).await
    }
}

#[async_trait]
impl Host for Program<'_> {
    async fn open(&self, opening: Opening<'_>) -> Result<Vault, String> {
        Box::pin(self.try_open(opening)).await.map_err(|error| with_causes(&error))
    }

    fn target(&self, repository: &Repository) -> Result<Target, String> {
        target(repository, self.config).map_err(|error| with_causes(&error))
    }

    fn http(&self) -> Result<Http, String> {
        self.context.http(&self.config.limits).map_err(|error| with_causes(&error))
    }
}
