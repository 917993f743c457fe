//! Restoring what was found whole: a standby of it, and where the plan says so a repository through the write APIs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::host::Opening;
use super::standing::{OnStandby, Playground, Shelves, beside, content_api, edition, site, unpaced};
use super::{Phased, Running};
use crate::drill::plan::Target as PlannedTarget;
use crate::ids::Name;
use crate::prismic::{ContentApi, Http};
use crate::restore::OpenSnapshot;
use crate::restore::repository::{Choice, Ending, Report as RestoreReport, RepositoryRestore};
use crate::snapshot::Target;
use crate::standby::{Caches, LocalSite};
use crate::vault::lease::Step;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::writing::{NotWritten, Writing};

/// Where everything stands once it is restored.
pub(super) struct Standing {
    /// The standby: of what is restored, or of the snapshots, to compare queries with.
    pub(super) site: Option<LocalSite>,
    pub(super) playground: Option<Playground>,
    /// By repository, in the order of the snapshots: its Content API, and what the restore reported.
    pub(super) answering: Vec<(Name, ContentApi, Option<RestoreReport>)>,
    /// The snapshots themselves, for queries whose answer is theirs.
    pub(super) originals: BTreeMap<Name, ContentApi>,
}

impl Running<'_> {
    pub(super) async fn restore<'o>(
        &self,
        opened: &'o [OpenSnapshot<'o>],
        caches: &Caches,
        shelves: &mut Shelves<'o>,
    ) -> Phased<(Standing, Vec<OnStandby>)> {
        let mut editions = Vec::new();
        for snapshot in opened {
            match edition(snapshot, caches, shelves, self.drill.progress).await {
                Ok(ready) => editions.push(ready),
                Err(error) => return Phased::broken(with_causes(&error)),
            }
        }
        let site = match site(&editions, caches, self.limits()).await {
            Ok(site) => site,
            Err(error) => return Phased::broken(format!("no port can be had on this machine: {error}")),
        };
        let http = match Http::new(unpaced(self.limits()), Arc::clone(&self.drill.clock)) {
            Ok(http) => http,
            Err(error) => return Phased::broken(with_causes(&error)),
        };
        let on_site = |name: &Name| {
            let address = content_api(&site.base_url(), name, editions.len());
            let endpoint = address.parse().map_err(|error| format!("{address}: {error}"))?;
            Ok::<_, String>((name.clone(), ContentApi::new(http.clone(), endpoint, None)))
        };
        let originals: Result<Vec<(Name, ContentApi)>, String> =
            editions.iter().map(|own| on_site(&own.name)).collect();
        let originals = match originals {
            Ok(originals) => originals,
            Err(why) => return Phased::broken(why),
        };
        let mut standing = Standing {
            site: Some(site),
            playground: None,
            answering: Vec::new(),
            originals: originals.iter().cloned().collect(),
        };
        let lost: usize = editions.iter().map(|own| own.edition.lost()).sum();
        let mut notes = Vec::new();
        if lost > 0 {
            notes.push(format!("{lost} documents could not be read"));
        }
        match &self.drill.plan.target {
            PlannedTarget::Standby => {
                standing.answering = originals.into_iter().map(|(name, api)| (name, api, None)).collect();
                notes.push("the standby answers".to_owned());
                Phased::of(lost == 0, (standing, editions), notes)
            }
            _ => {
                let restoring = Box::pin(self.restore_into(opened, &editions, &mut standing, &http));
                match beside(shelves, restoring).await {
                    Err(why) => {
                        self.put_away(standing).await;
                        Phased::broken(why)
                    }
                    Ok(more) => {
                        notes.extend(more);
                        Phased::of(lost == 0, (standing, editions), notes)
                    }
                }
            }
        }
    }

    /// Restores through the write APIs, into a sandbox or an environment. Returns what is to be noted.
    async fn restore_into(
        &self,
        opened: &[OpenSnapshot<'_>],
        editions: &[OnStandby],
        standing: &mut Standing,
        unpaced: &Http,
    ) -> Result<Vec<String>, String> {
        let drill = self.drill;
        let names: Vec<String> = (1..=opened.len()).map(|number| format!("drill-target-{number}")).collect();
        let (targets, http) = match drill.selected.environment {
            Some(environment) => {
                let own = drill.host.target(environment)?;
                (vec![own], drill.host.http()?)
            }
            None => {
                let roots = editions.iter().map(|own| own.edition.root().clone());
                let playground = Playground::start(names.iter().cloned().zip(roots).collect(), &drill.clock)
                    .map_err(|error| with_causes(&error))?;
                let targets: Option<Vec<Target>> = editions
                    .iter()
                    .zip(&names)
                    .map(|(own, name)| playground.target(&own.name, name))
                    .collect();
                standing.playground = Some(playground);
                (targets.ok_or("the sandbox has no address")?, unpaced.clone())
            }
        };
        let journals = drill.leftover.directory().join("journals");
        std::fs::create_dir_all(&journals).map_err(|error| format!("{}: {error}", journals.display()))?;
        let mut notes = Vec::new();
        for (snapshot, target) in opened.iter().zip(targets) {
            let restoring = Box::pin(self.restore_one(snapshot, &target, &http, &journals));
            let report = match drill.selected.environment {
                Some(environment) => self.leased(&environment.name, restoring).await?,
                None => restoring.await?,
            };
            notes.push(format!(
                "{}: {} requests that write",
                snapshot.manifest().repository,
                report.forecast.requests
            ));
            let token = target.access_token.clone();
            let api = ContentApi::new(http.clone(), target.endpoints.content_api.clone(), token);
            standing.answering.push((snapshot.manifest().repository.clone(), api, Some(report)));
        }
        Ok(notes)
    }

    /// Awaits work on a repository that others may write to as well, under its lease of the vault as it is.
    async fn leased<T>(
        &self,
        target: &Name,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let drill = self.drill;
        let vault = self.vault_as_it_is().await?;
        let lease_of = drill.config.run.lease.as_deref();
        let writing = Writing { vault: &vault, lease_of, host: &drill.machine, step: Step::Adds };
        let tell = |problem| drill.progress.problem(&problem);
        match writing.leased(&BTreeSet::from([target]), tell, work).await {
            Ok(outcome) => outcome,
            Err(NotWritten::Other(other)) => Err(format!("{other}; {}", other.next_step())),
            Err(NotWritten::Lost(error)) => Err(with_causes(&error)),
        }
    }

    pub(super) async fn vault_as_it_is(&self) -> Result<Vault, String> {
        let none = BTreeSet::new();
        let place = self.drill.leftover.directory().join("look");
        let opening = Opening { fresh: Some(&place), ..Opening::plain(&none) };
        self.drill.host.open(opening).await
    }

    async fn restore_one(
        &self,
        snapshot: &OpenSnapshot<'_>,
        target: &Target,
        http: &Http,
        journals: &Path,
    ) -> Result<RestoreReport, String> {
        let drill = self.drill;
        let choice = Choice {
            publish: true,
            allow_partial: true,
            release_documents: self.limits().release_documents,
            ..Choice::default()
        };
        let restore = RepositoryRestore {
            snapshot,
            target,
            http,
            choice: &choice,
            journals,
            is_shared: false,
            lease_of: None,
            host: &drill.machine,
            clock: &*drill.clock,
            progress: drill.progress,
            cancel: &drill.cancel,
        };
        let plan = restore.plan().await.map_err(|error| with_causes(&error))?;
        // What is in a target that is not empty may be what people see.
        if plan.documents_there > 0 {
            return Err(format!(
                "{} is not empty: it has {} documents. A drill restores into an empty repository only; it has written nothing",
                target.repository, plan.documents_there
            ));
        }
        if let Some(refusal) = plan.refusals.first() {
            return Err(format!("{}: {}; {}", target.repository, refusal.what, refusal.next));
        }
        let report = restore.run().await.map_err(|error| with_causes(&error))?;
        match report.ending {
            Ending::ReadBack => Ok(report),
            Ending::WaitsForPublish { staged } => Err(format!(
                "{staged} documents wait in the migration release of {}: a person has to publish them",
                target.repository
            )),
            Ending::Open => Err(format!(
                "answers of {} were lost, and what became of them is not known",
                target.repository
            )),
        }
    }
}
