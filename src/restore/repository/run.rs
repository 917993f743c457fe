//! A restore from beginning to end, or from where it was left to the end.
//!
//! One restore at a time goes into a target: a lease of the vault says so to other hosts, the lock of
//! the journal to other processes of this one. Where leases cannot be asked, because the vault can only
//! be read on the worst day, the restore goes on and says so.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::super::content::{OpenSnapshot, Watch};
use super::super::error::{RestoreError, Result};
use super::Choice;
use super::apply::{Applied, Applying, Tools};
use super::entries::{Entry, Newest, Recorded, Request};
use super::existing::{Existing, TargetReader};
use super::fidelity::Fidelity;
use super::forecast::{Forecast, Paces};
use super::ids::IdMap;
use super::keeper::{Keeper, Kept, Left};
use super::plan::{Plan, Planning, Work};
use super::read_back::{ReadBack, Reading};
use super::report::{Ending, Report};
use crate::clock::{Clock, Timestamp};
use crate::ids::SnapshotId;
use crate::prismic::write::RepositoryWriter;
use crate::prismic::{Api, Http, PrismicError};
use crate::progress::{Phase, Problem, Progress};
use crate::secret::Secret;
use crate::snapshot::Target;
use crate::vault::lease::Step;
use crate::vault::open::Vault;
use crate::vault::writing::{NotWritten, Writing};

/// What came of carrying out a plan.
pub(super) struct CarriedOut {
    /// The journal.
    pub(super) kept: Kept,
    /// How it ended.
    pub(super) applied: Result<Applied>,
    /// What the journal says now.
    pub(super) recorded: Recorded,
    /// What went wrong on the way.
    pub(super) problems: Vec<Problem>,
}

/// What a restore is made of.
pub struct RepositoryRestore<'a> {
    /// The snapshot.
    pub snapshot: &'a OpenSnapshot<'a>,
    /// The repository that it is restored into.
    pub target: &'a Target,
    /// The client for Prismic.
    pub http: &'a Http,
    /// What of it, and how.
    pub choice: &'a Choice,
    /// Where journals are kept on this host, for its user only.
    pub journals: &'a Path,
    /// Whether other hosts may go on with it: it is under a lease of the vault, and its journal is copied there.
    /// A rehearsal is not, and writes nothing to the vault.
    pub is_shared: bool,
    /// The replica that gives leases; `None`: the first that can.
    pub lease_of: Option<&'a str>,
    /// Name of this host.
    pub host: &'a str,
    /// The clock of this machine.
    pub clock: &'a dyn Clock,
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Ends it between two requests.
    pub cancel: &'a CancellationToken,
}

impl RepositoryRestore<'_> {
    /// Plans a restore, and writes nothing anywhere. Where one is under way, the plan is that of the
    /// whole of it, with what is done already.
    ///
    /// # Errors
    ///
    /// When the snapshot or the target cannot be read, or a token is missing or not right.
    pub async fn plan(&self) -> Result<Plan> {
        let (reader, writer) = self.clients()?;
        writer.check_migration().await.map_err(|error| self.unreachable(error))?;
        let left = self.keeper().left().await?;
        let recorded = left.recorded();
        let existing = reader.read(self.progress).await.map_err(|error| self.unreachable(error))?;
        let mut plan = self.plan_with(&existing, &recorded, (left.earlier.clone(), left.is_copy)).await?;
        plan.count_done(&recorded);
        Ok(plan)
    }

    /// Restores, or goes on with a restore that was left.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::super::RestoreErrorKind::Refused) with the first of what stands in the way,
    /// or when another restore into the target is under way; errors of the vault, of the local disk and
    /// of the target, after which the same call goes on.
    pub async fn run(&self) -> Result<Report> {
        let started = self.clock.now();
        let (reader, writer) = self.clients()?;
        writer.check_migration().await.map_err(|error| self.unreachable(error))?;
        self.leased(Box::pin(self.restore(&reader, &writer, started))).await
    }

    /// Awaits work on the target, under its lease where leases can be asked and the restore is shared.
    ///
    /// # Errors
    ///
    /// Those of the work; [`Refused`](super::super::RestoreErrorKind::Refused) when somebody else has
    /// the lease, and an error when it was lost: another host may go on then.
    pub(super) async fn leased<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.is_shared {
            return work.await;
        }
        let (vault, lease_of, host) = (self.vault(), self.lease_of, self.host);
        let writing = Writing { vault, lease_of, host, step: Step::Adds };
        let tell = |problem| self.progress.problem(&problem);
        match writing.leased(&BTreeSet::from([&self.target.name]), tell, work).await {
            Ok(outcome) => outcome,
            Err(NotWritten::Other(other)) => {
                Err(RestoreError::Refused { what: other.to_string(), hint: other.next_step() })
            }
            // Another host goes on with the restore, from the copy of the journal.
            Err(NotWritten::Lost(error)) => Err(error.into()),
        }
    }

    /// Carries out a plan from where its journal was left, and copies the journal meanwhile.
    ///
    /// # Errors
    ///
    /// When the journal cannot be opened or written. What ended the work itself is in what is returned.
    pub(super) async fn carry_out(
        &self,
        (reader, writer): (&TargetReader, &RepositoryWriter),
        (plan, existing): (&Plan, &Existing),
        left: Left,
        (started, newest): (Timestamp, Newest),
    ) -> Result<CarriedOut> {
        let keeper = self.keeper();
        let (recorded, is_copy) = (left.recorded(), left.is_copy);
        let kept = keeper.open(left, started, newest).await?;
        let tools = Tools {
            snapshot: self.snapshot,
            target: reader,
            writer,
            limits: self.http.limits(),
            clock: self.clock,
            progress: self.progress,
            cancel: self.cancel,
        };
        let mut applying = Applying::new(tools, (plan, self.choice, existing), &kept, recorded);
        if is_copy {
            applying.distrust().await?;
        }
        // On the heap: it is large, and lies in several others.
        let applied = keeper.copying(&kept, Box::pin(applying.run())).await;
        let (recorded, problems) = (applying.recorded, applying.problems);
        Ok(CarriedOut { kept, applied, recorded, problems })
    }

    async fn restore(
        &self,
        reader: &TargetReader,
        writer: &RepositoryWriter,
        started: Timestamp,
    ) -> Result<Report> {
        let left = self.keeper().left().await?;
        let recorded = left.recorded();
        let existing = reader.read(self.progress).await.map_err(|error| self.unreachable(error))?;
        let mut plan = self.plan_with(&existing, &recorded, (left.earlier.clone(), left.is_copy)).await?;
        if let Some(refusal) = plan.refusals.first() {
            return Err(RestoreError::Refused { what: refusal.what.clone(), hint: refusal.next.clone() });
        }
        plan.count_done(&recorded);
        let begin = (started, existing.newest());
        let carried_out = Box::pin(self.carry_out((reader, writer), (&plan, &existing), left, begin)).await?;
        let CarriedOut { kept, applied, recorded, mut problems } = carried_out;
        let keeper = self.keeper();
        let copied = keeper.copy(&kept).await;
        let applied = applied?;
        let read_back = match applied {
            Applied::Live => Some(self.read_back(reader, &plan, &recorded, &existing).await?),
            Applied::WaitsForPublish { .. } | Applied::Open => None,
        };
        if applied == Applied::Live {
            kept.journal.lock().await.append(&Entry::Finished { at: self.clock.now() }).await?;
            // Nobody has to go on with it: whoever has only the recovery keys cannot sign a copy.
            if let Some(problem) = keeper.copy(&kept).await {
                tracing::info!("{}", problem.detail);
            }
        } else {
            problems.extend(copied);
        }
        let id = kept.id;
        let ending = match applied {
            Applied::Live => Ending::ReadBack,
            Applied::WaitsForPublish { staged } => Ending::WaitsForPublish { staged },
            Applied::Open => Ending::Open,
        };
        Ok(self.report((id, started), plan, ending, read_back, (&recorded, problems)))
    }

    fn report(
        &self,
        (id, started): (SnapshotId, Timestamp),
        mut plan: Plan,
        ending: Ending,
        read_back: Option<ReadBack>,
        (recorded, mut problems): (&Recorded, Vec<Problem>),
    ) -> Report {
        plan.count_done(recorded);
        if read_back.is_some() {
            let steps = plan.steps.iter_mut().filter(|step| step.step == "read-back");
            steps.for_each(|step| step.done = step.count);
        }
        problems.splice(0..0, plan.problems.drain(..));
        let possible_orphans = recorded
            .unknown()
            .filter_map(|request| match request {
                Request::Create(id) => Some(id.to_string()),
                _ => None,
            })
            .collect();
        Report {
            restore: id,
            source: plan.source.clone(),
            snapshot: plan.snapshot.clone(),
            target: plan.target.clone(),
            repository: plan.repository.clone(),
            applied: plan.applied,
            started,
            finished: self.clock.now(),
            ending,
            steps: plan.steps,
            forecast: plan.forecast,
            requests: self.http.request_counts().into_iter().map(|(api, n)| (api.label(), n)).collect(),
            possible_orphans,
            read_back,
            fidelity: plan.fidelity,
            problems,
            ids: IdMap::new(recorded),
        }
    }

    async fn read_back(
        &self,
        reader: &TargetReader,
        plan: &Plan,
        recorded: &Recorded,
        existing: &Existing,
    ) -> Result<ReadBack> {
        let before: HashSet<String> = existing.documents.ids().map(str::to_owned).collect();
        let reading = Reading {
            snapshot: self.snapshot,
            target: reader,
            plan,
            recorded,
            before: &before,
            limits: self.http.limits(),
            watch: self.watch(Phase::ReadBack),
        };
        reading.compare().await
    }

    pub(super) fn keeper(&self) -> Keeper<'_> {
        Keeper {
            vault: self.is_shared.then(|| self.vault()),
            directory: self.journals,
            source: &self.snapshot.manifest().repository,
            snapshot: &self.snapshot.manifest().snapshot,
            target: self.target,
            choice: self.choice.digest(),
            clock: self.clock,
        }
    }

    /// What tells how far reading of documents is.
    pub(super) fn watch_documents(&self) -> Watch<'_> {
        self.watch(Phase::Documents)
    }

    /// A plan of which only the work is asked for.
    pub(super) fn small_plan(&self, work: Work) -> Plan {
        let manifest = self.snapshot.manifest();
        Plan {
            source: manifest.repository.clone(),
            snapshot: manifest.snapshot.clone(),
            taken: manifest.snapshot.time(),
            target: self.target.name.clone(),
            repository: self.target.repository.clone(),
            applied: self.snapshot.applied(),
            documents_there: 0,
            refusals: Vec::new(),
            steps: Vec::new(),
            live_incomplete: 0,
            forecast: Forecast::default(),
            fidelity: Fidelity::default().report(),
            problems: Vec::new(),
            work,
        }
    }

    fn vault(&self) -> &Vault {
        self.snapshot.vault()
    }

    fn watch(&self, phase: Phase) -> Watch<'_> {
        Watch { phase, progress: self.progress, cancel: self.cancel }
    }

    pub(super) fn unreachable(&self, error: PrismicError) -> RestoreError {
        let what = format!("cannot restore into {}", self.target.repository);
        RestoreError::Target { what, error: Box::new(error) }
    }

    /// Returns what reads and what writes the target.
    pub(super) fn clients(&self) -> Result<(TargetReader, RepositoryWriter)> {
        let token: &Secret = self.target.write_token.as_ref().ok_or_else(|| RestoreError::Refused {
            what: format!("the configuration has no write token for {}", self.target.name),
            hint: format!(
                "make one in {} under Settings > API & Security > Write APIs, and set `write_token` of [repositories.{}]",
                self.target.repository, self.target.name
            ),
        })?;
        let writer = RepositoryWriter::new(
            self.http.clone(),
            &self.target.endpoints,
            &self.target.repository,
            token.clone(),
        );
        Ok((TargetReader::new(self.target, token, self.http), writer))
    }

    /// `earlier` is what other restores of the same repository made in the target.
    async fn plan_with(
        &self,
        existing: &Existing,
        recorded: &Recorded,
        (mut earlier, is_copy): (IdMap, bool),
    ) -> Result<Plan> {
        earlier.retain(existing);
        let own: HashSet<String> = recorded
            .documents
            .values()
            .filter(|document| !document.taken)
            .map(|document| document.id.clone())
            .collect();
        let unsure: HashSet<&str> = recorded
            .unknown()
            .filter_map(|request| match request {
                Request::Create(id) => Some(&**id),
                _ => None,
            })
            .collect();
        let endpoints = &self.target.endpoints;
        let pace = |api, url| self.http.interval(api, url);
        let paces = Paces {
            content: pace(Api::Content, &endpoints.content_api),
            types: pace(Api::Types, &endpoints.types_api),
            assets: pace(Api::Assets, &endpoints.asset_api),
            migration: pace(Api::Migration, &endpoints.migration_api),
        };
        let planning = Planning {
            snapshot: self.snapshot,
            target: self.target,
            existing,
            choice: self.choice,
            recorded,
            is_copy,
            earlier: &earlier,
            own: &own,
            unsure: &unsure,
            limits: self.http.limits(),
            paces,
            watch: self.watch(Phase::Documents),
        };
        planning.plan().await
    }
}

/// Where the journals of restores are, below the directory of what this client remembers.
pub fn journals(state: &Path) -> PathBuf {
    state.join("restores")
}
