//! The live side of an erasure: what is written to Prismic, what is left to people, and what is seen afterwards.

mod again;
mod corrections;
mod hiding;
mod kills;
mod leases;
mod steps;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prismvault::clock::{SystemClock, Timestamp};
use prismvault::prismic::Http;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::erasure::correct::Correction;
use prismvault::privacy::erasure::live::carry_out::{CarriedOut, Options, Outcome};
use prismvault::privacy::erasure::live::look::Looked;
use prismvault::privacy::erasure::live::{
    Change, Correcting, Decisions, Live, LiveAction, LiveError, LiveStep, TaskCode, Why, erasing,
};
use prismvault::privacy::matching::Matcher;
use prismvault::privacy::proof::evidence::UrlEvidence;
use prismvault::privacy::search::{LiveSource, SearchOptions, SearchReport, search};
use prismvault::privacy::subject::Subject;
use prismvault::progress::Silent;
use prismvault::vault::item::ItemKey;
use prismvault::vault::open::Vault;
use prismvault::vault::snapshots::Snapshots;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::planning::{Decisions as Deciding, subject_of_all};
use crate::backups::{Backup, Source};
use crate::keys::all;
use crate::privacy_search::{ADDRESS, PERSON, content, subject};
use crate::restoring::crafted::{HOME, NOTE};
use crate::restoring::{documents, options, quick};

/// A repository that was searched, and what was decided.
struct Case {
    source: Source,
    vault: Arc<Vault>,
    matcher: Arc<Matcher>,
    decisions: Decisions,
    backup: Backup,
    /// What the plan is for: an erasure, where nobody says otherwise.
    change: Change,
}

impl Case {
    /// The repository of the searches, where everything found is the person.
    async fn new() -> Self {
        Self::of(Source::of(content(), options()), &subject(), &subject_of_all).await
    }

    /// Snapshots a source, searches snapshot and source, and decides.
    async fn of(source: Source, subject: &Subject, deciding: &Deciding) -> Self {
        let backup = Backup::in_memory(1).await;
        backup.snapshot(&source).await.unwrap();
        Self::searched(source, backup, subject, deciding).await
    }

    async fn searched(source: Source, backup: Backup, subject: &Subject, deciding: &Deciding) -> Self {
        let vault = backup.open_with(all(&backup)).await.unwrap();
        let matcher = Arc::new(Matcher::new(subject, &[]));
        let report = report(&vault, &backup, &source, &matcher).await;
        let decisions = Decisions::of(&report, deciding);
        let change = erasing(&matcher, &Bounds::default(), [7; 32]);
        Self { source, vault, matcher, decisions, backup, change }
    }

    /// The same for a rectification.
    fn correcting(self, corrections: &[(&str, &str)]) -> Self {
        let correction = |(wrong, right): &(&str, &str)| Correction {
            wrong: (*wrong).to_owned(),
            right: (*right).to_owned(),
        };
        let corrections = corrections.iter().map(correction).collect();
        let correcting = Correcting { corrections, ..Correcting::default() };
        Self { change: Change::Correcting(Arc::new(correcting)), ..self }
    }

    fn key(&self) -> &ItemKey {
        self.vault.item_key().unwrap()
    }

    /// Calls `act` with what a command has.
    async fn with<T>(&self, act: impl AsyncFnOnce(&Live<'_>) -> T) -> T {
        let http = Http::new(quick(&self.backup.limits), Arc::new(SystemClock)).unwrap();
        let sources = [LiveSource { target: &self.source.target, http: &http }];
        let (bounds, cancel) = (Bounds::default(), CancellationToken::new());
        let live = Live {
            sources: &sources,
            key: self.key(),
            matcher: &self.matcher,
            bounds: &bounds,
            decisions: &self.decisions,
            change: &self.change,
            progress: &Silent,
            cancel: &cancel,
        };
        act(&live).await
    }

    async fn try_plan(&self) -> Result<Vec<LiveStep>, LiveError> {
        self.with(async |live| live.plan().await).await
    }

    async fn plan(&self) -> Vec<LiveStep> {
        self.try_plan().await.unwrap()
    }

    async fn carry_out(&self, steps: &[LiveStep], publish: bool) -> CarriedOut {
        self.with(async |live| live.carry_out(steps, Options { publish }).await).await.unwrap()
    }

    /// Carries it out again and again until all is done.
    async fn until_done(&self, steps: &[LiveStep]) -> CarriedOut {
        for _ in 0..20 {
            let done = self.carry_out(steps, true).await;
            if done.is_complete() {
                return done;
            }
        }
        panic!("it never ends: {:?}", self.carry_out(steps, true).await);
    }

    async fn look(&self, steps: &[LiveStep], urls: &[UrlEvidence], done: &BTreeSet<String>) -> Looked {
        let said: BTreeMap<String, Timestamp> = done.iter().map(|id| (id.clone(), now(0))).collect();
        let looked = self.with(async |live| live.look(steps, urls, &said, now(1)).await).await.unwrap();
        assert_eq!(looked.len(), 1);
        looked.into_iter().next().unwrap()
    }

    async fn probe(&self, steps: &[LiveStep], earlier: &[UrlEvidence], hour: u32) -> Vec<UrlEvidence> {
        self.with(async |live| live.probe(steps, earlier, now(hour)).await).await
    }

    /// What a published document says.
    fn document(&self, id: &str) -> Value {
        documents(&self.source)[id].clone()
    }

    /// How many requests wrote something.
    fn writes(&self) -> usize {
        let log = self.source.control().log();
        log.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).count()
    }

    /// Whether the person is in anything that the repository publishes or lists.
    fn names_the_person(&self) -> bool {
        let mut all: Vec<String> = documents(&self.source).values().map(Value::to_string).collect();
        all.extend(self.source.repository.library().assets().iter().map(|asset| asset.item().to_string()));
        all.iter().any(|text| text.contains(PERSON) || text.contains(ADDRESS))
    }
}

/// A time of an invented day.
fn now(hour: u32) -> Timestamp {
    format!("2026-11-23T{hour:02}:00:00Z").parse().unwrap()
}

async fn report(vault: &Vault, backup: &Backup, source: &Source, matcher: &Arc<Matcher>) -> SearchReport {
    let snapshots = Snapshots::load(vault, None).await.unwrap();
    let http = Http::new(backup.limits.clone(), Arc::new(SystemClock)).unwrap();
    let live = [LiveSource { target: &source.target, http: &http }];
    let options = SearchOptions {
        repositories: Vec::new(),
        live: &live,
        bounds: Bounds::default(),
        now: vault.now(),
        progress: &Silent,
        cancel: CancellationToken::new(),
    };
    search(vault, &snapshots, Arc::clone(matcher), options).await.unwrap()
}

/// The tasks of a plan, by what and why.
fn tasks(steps: &[LiveStep]) -> Vec<(TaskCode, Why, String)> {
    let tasks = steps.iter().filter_map(LiveStep::task);
    tasks.map(|task| (task.code, task.why, task.id.clone())).collect()
}

/// Ids of the documents that are put.
fn puts(steps: &[LiveStep]) -> Vec<&str> {
    let put = |step: &'_ LiveStep| match &step.action {
        LiveAction::Put(put) => Some(put.id.clone()),
        _ => None,
    };
    let mut ids: Vec<&str> =
        [HOME, NOTE].into_iter().filter(|id| steps.iter().filter_map(put).any(|own| own == **id)).collect();
    ids.sort_unstable();
    assert_eq!(ids.len(), steps.iter().filter_map(put).count(), "no other is put");
    ids
}

/// What became of the step of a document or file that this program does.
fn outcome<'o>(done: &'o CarriedOut, id: &str) -> &'o Outcome {
    let own = done.steps.iter().filter(|step| step.path.contains(id));
    let mut own = own.filter(|step| step.outcome != Outcome::ForOthers);
    let found = own.next().unwrap_or_else(|| panic!("no step of {id}"));
    assert!(own.next().is_none(), "two steps of {id}");
    &found.outcome
}
