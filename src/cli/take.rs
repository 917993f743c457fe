//! Taking snapshots of several repositories, for `snapshot` and for jobs.
//!
//! A few are taken at once ([`Limits::repositories_at_once`](crate::limits::Limits)): most of a run
//! is waiting for Prismic, which counts requests by repository, and where hosts are shared, the
//! pacers of the process are as well. Repositories of one space follow one another, so that the
//! second finds what the first stored. One that fails does not keep the others from theirs.
//!
//! **When it is stopped** nothing more is begun, and all that are under way end cleanly.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Context;
use super::error::{CommandError, ErrorKind};
use super::exit::Outcome;
use super::privacy::tell_of_fields;
use super::session::{IdentityOptions, Session};
use super::snapshot::{show, target, with_token_hint};
use super::together::Together;
use crate::config::{Config, Repository};
use crate::ids::Name;
use crate::progress::Progress;
use crate::snapshot::{Read, SnapshotError, SnapshotOptions, SnapshotReport, Target, take};

/// How snapshots are taken.
#[derive(Debug, Clone)]
pub(super) struct Taking<'a> {
    /// What the manifests call the reason: `manual`, or the name of a job.
    pub(super) trigger: &'a str,
    /// Which documents are read.
    pub(super) read: Read,
    /// Documents of each repository that are said to have changed, besides those of `read`.
    pub(super) told: BTreeMap<Name, Vec<String>>,
}

impl Taking<'_> {
    fn read_of(&self, repository: &Name) -> Read {
        let mut read = self.read.clone();
        if let Read::Incremental { told, .. } = &mut read {
            told.extend(self.told.get(repository).into_iter().flatten().cloned());
        }
        read
    }
}

/// Takes a snapshot of each repository of `names` (all when there is none) and prints it.
///
/// # Errors
///
/// When nothing could be begun, the only repository failed, or it was stopped.
pub(super) async fn take_all(
    config: Config,
    names: &[String],
    taking: Taking<'_>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let repositories: Vec<Repository> = config.select(names)?.into_iter().cloned().collect();
    if repositories.is_empty() {
        return Err(CommandError::new(
            ErrorKind::Configuration,
            format!("{} names no repository", config.file.display()),
        )
        .hint("add [repositories.NAME] with repository = \"…\""));
    }
    let targets =
        repositories.iter().map(|repository| target(repository, &config)).collect::<Result<Vec<_>, _>>()?;
    let session = Session::open_with(context, config, &IdentityOptions::default()).await?;
    let only = targets.len() == 1;
    let together = Together::new(Arc::clone(&context.progress));
    let (of_session, of_taking, of_together) = (&session, &taking, &together);
    let spaces = by_space(&targets).into_iter().map(|targets| {
        Box::pin(stream::iter(targets).then(move |target| async move {
            let progress = of_together.part();
            let progress: &dyn Progress = if only { &*context.progress } else { &progress };
            (target, take_one(of_session, target, of_taking, progress, context).await)
        }))
    });
    let at_once = session.config.limits.repositories_at_once.max(1);
    let mut taken = stream::iter(spaces).flatten_unordered(at_once);
    let mut outcome = Outcome::Complete;
    let mut stopped = None;
    while let Some((target, result)) = taken.next().await {
        let error = match result {
            Ok(report) => {
                context.record.about(format!("{}/{}", target.name, report.committed.manifest.snapshot));
                outcome = outcome.worst(show(&report, target, context)?);
                tell_of_fields(&report, target, &session, context);
                continue;
            }
            Err(error) => with_token_hint(error, target, &session.config),
        };
        context.record.about(target.name.as_str());
        if only || context.cancel.is_cancelled() {
            // The others are let come to their end.
            stopped.get_or_insert(error);
            continue;
        }
        // Usage is said only before any work.
        outcome = outcome.worst(match error.kind.outcome() {
            Outcome::Usage => Outcome::Failed,
            outcome => outcome,
        });
        context.output.error(&error);
    }
    stopped.map_or(Ok(outcome), Err)
}

/// Repositories of one space together, in the order in which they were named.
fn by_space(targets: &[Target]) -> Vec<Vec<&Target>> {
    let mut spaces: Vec<Vec<&Target>> = Vec::new();
    for target in targets {
        match spaces.iter_mut().find(|space| space[0].space == target.space) {
            Some(space) => space.push(target),
            None => spaces.push(vec![target]),
        }
    }
    spaces
}

async fn take_one(
    session: &Session,
    target: &Target,
    taking: &Taking<'_>,
    progress: &dyn Progress,
    context: &Context,
) -> Result<SnapshotReport, CommandError> {
    if context.cancel.is_cancelled() {
        return Err(SnapshotError::Cancelled.into());
    }
    // Of its own, so that its report counts its requests.
    let http = context.http(&session.config.limits)?;
    let at_work = context.stored_refs.begin(&target.name);
    let options = SnapshotOptions {
        trigger: taking.trigger.to_owned(),
        progress,
        cancel: context.cancel.clone(),
        read: taking.read_of(&target.name),
    };
    // Several are kept beside one another; what is moved around is small.
    let taken = Box::pin(take(&session.vault, &http, target, options)).await;
    context.counted.add_requests(&http.request_counts(), &BTreeMap::new());
    if let Ok(report) = &taken {
        at_work.stored(&report.committed.manifest.source.master_ref);
    }
    Ok(taken?)
}
