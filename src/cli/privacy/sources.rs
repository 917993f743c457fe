//! Where items of a report are read again from: the vault, and what is live.

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::session::Session;
use crate::cli::snapshot::target;
use crate::ids::Name;
use crate::prismic::Http;
use crate::privacy::channels::Bounds;
use crate::privacy::search::{Again, LiveSource, SearchReport};
use crate::snapshot::Target;
use crate::vault::snapshots::Snapshots;

/// The snapshots of a vault, and the repositories of which something is live and in no snapshot.
pub(super) struct Sources {
    snapshots: Snapshots,
    targets: Vec<Target>,
    http: Http,
}

impl Sources {
    /// Finds what is needed to read a report again. Other repositories are not asked.
    pub(super) async fn of(
        session: &Session,
        context: &Context,
        report: &SearchReport,
    ) -> Result<Self, CommandError> {
        let is_live = |name: &Name| {
            report.found.iter().any(|found| {
                found.item.is_none() && found.live.as_ref().is_some_and(|live| live.repository == *name)
            })
        };
        Self::with(session, context, is_live).await
    }

    /// Finds what is needed to change what is live: every repository in which the person was ever found.
    pub(super) async fn to_change(
        session: &Session,
        context: &Context,
        report: &SearchReport,
    ) -> Result<Self, CommandError> {
        let is_touched = |name: &Name| {
            report.found.iter().any(|found| {
                found.live.as_ref().is_some_and(|live| live.repository == *name)
                    || found.sightings.iter().any(|sighting| sighting.repository == *name)
            })
        };
        Self::with(session, context, is_touched).await
    }

    /// Finds what is needed to look everywhere: every repository of the configuration.
    pub(super) async fn all(session: &Session, context: &Context) -> Result<Self, CommandError> {
        Self::with(session, context, |_| true).await
    }

    async fn with(
        session: &Session,
        context: &Context,
        is_wanted: impl Fn(&Name) -> bool,
    ) -> Result<Self, CommandError> {
        let config = &session.config;
        let wanted = config.repositories.iter().filter(|own| is_wanted(&own.name));
        Ok(Self {
            snapshots: Snapshots::load(&session.vault, None).await?,
            targets: wanted.map(|own| target(own, config)).collect::<Result<_, _>>()?,
            http: context.http(&config.limits)?,
        })
    }

    pub(super) fn live(&self) -> Vec<LiveSource<'_>> {
        self.targets.iter().map(|target| LiveSource { target, http: &self.http }).collect()
    }

    pub(super) fn again<'a>(
        &'a self,
        session: &'a Session,
        context: &'a Context,
        live: &'a [LiveSource<'a>],
    ) -> Again<'a> {
        Again {
            vault: &session.vault,
            snapshots: &self.snapshots,
            live,
            bounds: Bounds::default(),
            progress: &*context.progress,
            cancel: context.cancel.clone(),
        }
    }
}
