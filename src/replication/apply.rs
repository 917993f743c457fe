//! Carrying a plan out: many objects at once, each read once however many replicas get it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::copy::{self, BadCopy, Copier};
use super::plan::{How, Lost, Plan, stage};
use crate::ids::SnapshotId;
use crate::objects::Body;
use crate::progress::{Phase, Progress};
use crate::vault::abilities::require_erasable;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};

/// What was copied.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One a replica that was to be brought up to date.
    pub targets: Vec<TargetReport>,
    /// Copies that were passed over because they are bad; a good one was found elsewhere, or the
    /// object is among those that are lost.
    pub bad_copies: BTreeSet<BadCopy>,
    /// What snapshots need and nobody has a good copy of.
    pub lost: Vec<Lost>,
    /// Whether it was told to stop; the same command again goes on from there.
    pub interrupted: bool,
}

/// What one replica got.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TargetReport {
    /// Its name.
    pub replica: String,
    /// Objects that were written.
    pub objects: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Objects that an earlier run had left and that are good.
    pub confirmed: u64,
    /// Snapshots that it holds since.
    pub snapshots: Vec<SnapshotId>,
    /// What could not be brought, and why.
    pub failed: Vec<(String, String)>,
}

/// One object and the replicas that are to have it.
struct Job<'a> {
    key: String,
    size: u64,
    from: &'a [String],
    to: Vec<(&'a Replica, How)>,
    /// The snapshot whose manifest it is.
    snapshot: Option<&'a SnapshotId>,
}

/// What became of a job on one replica.
enum Outcome {
    Written {
        objects: u64,
        bytes: u64,
    },
    /// It was there and is good.
    Confirmed,
    Failed(String),
}

/// What became of a job.
struct Done<'a> {
    job: Job<'a>,
    /// In the order of the replicas of the job.
    outcomes: Vec<Outcome>,
    bad: Vec<BadCopy>,
    /// Why no replica has a good copy, if so.
    lost: Option<String>,
}

/// Carries a plan out. A replica that fails in the middle leaves the run, the others go on. When it
/// is cancelled, what is under way is finished and nothing new begun.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a plan of another vault. Whatever cannot be copied is in the report.
#[tracing::instrument(name = "replicate", skip_all)]
pub async fn apply(
    vault: &Vault,
    plan: &Plan,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Report> {
    if plan.vault != vault.file.vault {
        return Err(VaultError::new(ErrorKind::Refused, "this plan was made for another vault"));
    }
    require_erasable(vault.replicas.all(), vault.is_encrypted())?;
    let named = |name: &String| TargetReport { replica: name.clone(), ..TargetReport::default() };
    let targets = plan.targets.iter().map(|target| named(&target.replica)).collect();
    let mut run = Run {
        vault,
        copier: Copier::new(vault),
        progress,
        cancel,
        report: Report { targets, lost: plan.lost.clone(), ..Report::default() },
        missed: HashSet::new(),
    };
    let total: usize = plan.targets.iter().map(|target| target.copies.len() + target.snapshots.len()).sum();
    progress.start(Phase::Replicate, Some(total as u64));
    let stages: BTreeSet<u8> =
        plan.targets.iter().flat_map(|target| &target.copies).map(|copy| stage(&copy.key)).collect();
    for number in stages {
        let jobs = jobs_of(vault, plan, number);
        run.all(jobs).await;
    }
    let jobs = run.manifests(plan);
    run.all(jobs).await;
    progress.finish(Phase::Replicate);
    Ok(run.report)
}

/// Returns the jobs of a stage, the largest first: a large one that began last would be copied alone
/// while everything else waits for it. What several replicas are to get is one job.
fn jobs_of<'a>(vault: &'a Vault, plan: &'a Plan, number: u8) -> Vec<Job<'a>> {
    let mut jobs: BTreeMap<&str, Job<'a>> = BTreeMap::new();
    for target in &plan.targets {
        let Some(replica) = vault.replicas.named(&target.replica) else { continue };
        for copy in target.copies.iter().filter(|copy| stage(&copy.key) == number) {
            let job = jobs.entry(&copy.key).or_insert_with(|| Job {
                key: copy.key.clone(),
                size: copy.size,
                from: &copy.from,
                to: Vec::new(),
                snapshot: None,
            });
            job.to.push((replica, copy.how));
        }
    }
    let mut jobs: Vec<_> = jobs.into_values().collect();
    jobs.sort_by_key(|job| Reverse(job.size));
    jobs
}

struct Run<'a> {
    vault: &'a Vault,
    copier: Copier<'a>,
    progress: &'a dyn Progress,
    cancel: &'a CancellationToken,
    report: Report,
    /// Replica and key of what was to be brought and was not.
    missed: HashSet<(String, String)>,
}

impl<'a> Run<'a> {
    /// Returns the manifests of snapshots of which everything else is there; the others are named.
    fn manifests(&mut self, plan: &'a Plan) -> Vec<Job<'a>> {
        let mut jobs: BTreeMap<String, Job<'a>> = BTreeMap::new();
        for target in &plan.targets {
            let Some(replica) = self.vault.replicas.named(&target.replica) else { continue };
            for snapshot in &target.snapshots {
                let key = layout::manifest(&snapshot.repository, &snapshot.snapshot);
                let missed =
                    |needed: &&String| self.missed.contains(&(target.replica.clone(), (*needed).clone()));
                if let Some(needed) = snapshot.needs.iter().find(missed) {
                    let why = format!("{needed}, which it needs, could not be brought");
                    self.fail(&target.replica, &key, why);
                    continue;
                }
                let job = jobs.entry(key.clone()).or_insert_with(|| Job {
                    key,
                    size: 0,
                    from: &snapshot.from,
                    to: Vec::new(),
                    snapshot: Some(&snapshot.snapshot),
                });
                job.to.push((replica, How::Missing));
            }
        }
        jobs.into_values().collect()
    }

    /// Works jobs off, several at once, until all are done or somebody cancels.
    async fn all(&mut self, jobs: Vec<Job<'a>>) {
        if self.cancel.is_cancelled() {
            self.report.interrupted |= !jobs.is_empty();
            return;
        }
        let (vault, copier, cancel) = (self.vault, &self.copier, self.cancel);
        let mut begun = 0;
        let count = jobs.len();
        let mut done = Vec::new();
        {
            let next = jobs.into_iter().take_while(|_| {
                let goes_on = !cancel.is_cancelled();
                begun += usize::from(goes_on);
                goes_on
            });
            let mut running = stream::iter(next)
                .map(|job| run_job(vault, copier, job))
                .buffer_unordered(vault.limits().copies_in_flight);
            while let Some(job) = running.next().await {
                let bytes = job.outcomes.iter().map(|outcome| match outcome {
                    Outcome::Written { bytes, .. } => *bytes,
                    Outcome::Confirmed | Outcome::Failed(_) => 0,
                });
                self.progress.advance(Phase::Replicate, job.outcomes.len() as u64, bytes.sum());
                done.push(job);
            }
        }
        self.report.interrupted |= begun < count;
        for done in done {
            self.note(done);
        }
    }

    fn note(&mut self, done: Done<'a>) {
        let Done { job, outcomes, bad, lost } = done;
        self.report.bad_copies.extend(bad);
        if let Some(detail) = lost {
            let snapshots = job.snapshot.into_iter().cloned().collect();
            self.report.lost.push(Lost { key: job.key.clone(), detail, snapshots });
        }
        for ((replica, _), outcome) in job.to.iter().zip(outcomes) {
            match outcome {
                Outcome::Failed(why) => self.fail(&replica.name, &job.key, why),
                outcome => {
                    let Some(target) = self.report.targets.iter_mut().find(|own| own.replica == replica.name)
                    else {
                        continue;
                    };
                    match outcome {
                        Outcome::Written { objects, bytes } => {
                            target.objects += objects;
                            target.bytes += bytes;
                        }
                        Outcome::Confirmed | Outcome::Failed(_) => target.confirmed += 1,
                    }
                    target.snapshots.extend(job.snapshot.cloned());
                }
            }
        }
    }

    fn fail(&mut self, replica: &str, key: &str, why: String) {
        self.missed.insert((replica.to_owned(), key.to_owned()));
        if let Some(target) = self.report.targets.iter_mut().find(|target| target.replica == replica) {
            target.failed.push((key.to_owned(), why));
        }
    }
}

async fn run_job<'a>(vault: &Vault, copier: &Copier<'_>, job: Job<'a>) -> Done<'a> {
    let settled = join_all(job.to.iter().map(|(replica, how)| settle(replica, *how, &job.key))).await;
    let mut outcomes = Vec::new();
    let (mut bad, mut lost) = (Vec::new(), None);
    if settled.iter().all(Option::is_some) {
        outcomes.extend(settled.into_iter().flatten());
        return Done { job, outcomes, bad, lost };
    }
    let sources: Vec<&Replica> = job
        .from
        .iter()
        .filter_map(|name| vault.replicas.named(name))
        .filter(|replica| replica.is_live())
        .collect();
    let held = copier.hold(job.size).await;
    if let Some(outcome) = pass(copier, &job, &sources).await {
        return Done { job, outcomes: vec![outcome], bad, lost };
    }
    let (bodies, passed_over) = read(copier, &job.key, job.size, &sources).await;
    bad.extend(passed_over);
    let wanting = job.to.iter().zip(settled);
    match bodies {
        Ok(bodies) => {
            outcomes = join_all(wanting.map(|((replica, how), settled)| {
                let bodies = &bodies;
                async move {
                    match settled {
                        Some(outcome) => outcome,
                        None => write(vault, replica, *how, bodies).await,
                    }
                }
            }))
            .await;
        }
        Err(error) => {
            // Nobody who could be asked has a good copy, and all could be asked.
            if copy::is_damage(&error)
                && job.from.iter().all(|name| sources.iter().any(|one| one.name == *name))
            {
                lost = Some(with_causes(&error));
            }
            let why = with_causes(&error);
            outcomes =
                wanting.map(|(_, settled)| settled.unwrap_or_else(|| Outcome::Failed(why.clone()))).collect();
        }
    }
    drop(held);
    Done { job, outcomes, bad, lost }
}

/// Passes an object on that just one replica lacks; `None` where it is to be read first.
async fn pass(copier: &Copier<'_>, job: &Job<'_>, sources: &[&Replica]) -> Option<Outcome> {
    let ([(replica, How::Missing)], [source, ..]) = (&job.to[..], sources) else { return None };
    let passed = copier.pass(&job.key, job.size, source, replica).await?;
    Some(match passed {
        Ok(()) => Outcome::Written { objects: 1, bytes: job.size },
        Err(error) => failed(replica, error),
    })
}

/// Looks at what is on a replica before anything is read for it; `None` where it needs a copy.
async fn settle(replica: &Replica, how: How, key: &str) -> Option<Outcome> {
    if let Some(failure) = replica.failure() {
        return Some(Outcome::Failed(format!("{} left the run: {failure}", replica.name)));
    }
    let promised = layout::promised_digest(key).filter(|_| how == How::Unconfirmed)?;
    match copy::confirm(replica, key, &promised).await {
        Ok(()) => Some(Outcome::Confirmed),
        Err(error) if copy::is_damage(&error) => None,
        Err(error) => Some(failed(replica, error)),
    }
}

/// An object and, where it is a signed file, before it its signature.
type Bodies = Vec<(String, Body)>;

async fn read(
    copier: &Copier<'_>,
    key: &str,
    size: u64,
    sources: &[&Replica],
) -> (Result<Bodies>, Vec<BadCopy>) {
    let fetched = copier.fetch(key, Some(size), sources).await;
    let mut bad = fetched.bad;
    let (body, from) = match fetched.good {
        Ok(good) => good,
        Err(error) => return (Err(error), bad),
    };
    let mut bodies = Vec::new();
    if layout::promised_digest(key).is_none() && layout::signed_file(key) == key {
        // Of the same replica: two signatures of one file differ.
        let source: Vec<&Replica> = sources.iter().copied().filter(|source| source.name == from).collect();
        let signature = layout::signature(key);
        let fetched = copier.fetch(&signature, None, &source).await;
        bad.extend(fetched.bad);
        match fetched.good {
            Ok((body, _)) => bodies.push((signature, body)),
            Err(error) => return (Err(error), bad),
        }
    }
    bodies.push((key.to_owned(), body));
    (Ok(bodies), bad)
}

async fn write(vault: &Vault, replica: &Replica, how: How, bodies: &Bodies) -> Outcome {
    let (mut objects, mut bytes) = (0, 0);
    for (key, body) in bodies {
        let written = match how {
            How::Missing => replica.store_new(key, body.clone()).await.map(|()| body.len()),
            How::WrongSize | How::Unconfirmed => copy::replace(vault, replica, key, body.clone()).await,
        };
        match written {
            Ok(written) => {
                objects += 1;
                bytes += written;
            }
            Err(error) => return failed(replica, error),
        }
    }
    Outcome::Written { objects, bytes }
}

/// A replica that fails leaves the run; one that holds something else under a key does not.
fn failed(replica: &Replica, error: VaultError) -> Outcome {
    let why = with_causes(&error);
    if matches!(error.kind, ErrorKind::Store(_)) {
        replica.fail(error);
    }
    Outcome::Failed(why)
}
