//! A repository of the sandbox, snapshotted, and restored into another one through its write APIs.

mod bad_input;
mod conflicts;
pub(crate) mod crafted;
mod documents;
mod faults;
mod meanwhile;
mod refusals;
mod round_trips;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prismvault::clock::SystemClock;
use prismvault::limits::Limits;
use prismvault::prismic::Http;
use prismvault::progress::Silent;
use prismvault::restore::repository::{Choice, Plan, Report, RepositoryRestore};
use prismvault::restore::{OpenSnapshot, RestoreError};
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use prismvault::sandbox::{Content, Control, Endpoint, RepositoryOptions};
use prismvault::vault::format::manifest::Manifest;
use prismvault::vault::snapshots::Snapshots;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::backups::{Backup, Source, WRITE_TOKEN};

/// A snapshot of one repository, and another one to restore it into.
pub(crate) struct Rehearsal {
    pub(crate) source: Source,
    pub(crate) backup: Backup,
    pub(crate) manifest: Manifest,
    pub(crate) target: Source,
    pub(crate) choice: Choice,
    pub(crate) limits: Limits,
    /// Where journals are kept.
    pub(crate) host: TempDir,
}

/// Content as an editor of many years has it.
pub(crate) fn content(documents: usize, assets: usize, seed: u64) -> Content {
    let options =
        SyntheticOptions { documents, assets, seed, asset_bytes: 500, ..SyntheticOptions::default() };
    generate("acme-blog", &options).unwrap()
}

pub(crate) fn options() -> RepositoryOptions {
    RepositoryOptions {
        write_tokens: vec![prismvault::secret::Secret::new(WRITE_TOKEN)],
        seed: 77,
        ..RepositoryOptions::default()
    }
}

/// A repository with the languages of this content and nothing else.
pub(crate) fn bare(content: &Content) -> Content {
    Content { root: content.root.clone(), ..Content::default() }
}

impl Rehearsal {
    /// Snapshots this content, and has an empty repository for it.
    pub(crate) async fn of(content: Content) -> Self {
        let target = bare(&content);
        Self::into(content, target, options()).await
    }

    /// The same, into a repository that holds something already.
    pub(crate) async fn into(content: Content, target: Content, options: RepositoryOptions) -> Self {
        Self::from(Source::of(content, self::options()), target, options).await
    }

    /// The same of a source that is served already.
    pub(crate) async fn from(source: Source, target: Content, options: RepositoryOptions) -> Self {
        let backup = Backup::in_memory(2).await;
        let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
        let mut target = Source::of(target, options);
        target.target.name = "staging".parse().unwrap();
        let limits = quick(&backup.limits);
        let choice = Choice { publish: true, release_documents: 1000, ..Choice::default() };
        Self { source, backup, manifest, target, choice, limits, host: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn control(&self) -> Control {
        self.target.control()
    }

    /// Calls `act` with a restore that is ready to be planned or run.
    pub(crate) async fn with<T>(
        &self,
        cancel: &CancellationToken,
        act: impl AsyncFnOnce(RepositoryRestore<'_>) -> T,
    ) -> T {
        let identities = vec![self.backup.operator.clone(), self.backup.recovery.clone()];
        let vault = self.backup.open_with(identities).await.unwrap();
        let snapshots = Snapshots::load(&vault, None).await.unwrap();
        let snapshot = OpenSnapshot::open(&vault, &snapshots, &self.manifest).await.unwrap();
        let http = Http::new(self.limits.clone(), Arc::new(SystemClock)).unwrap();
        let restore = RepositoryRestore {
            snapshot: &snapshot,
            target: &self.target.target,
            http: &http,
            choice: &self.choice,
            journals: self.host.path(),
            is_shared: true,
            lease_of: None,
            host: "test-host",
            clock: &SystemClock,
            progress: &Silent,
            cancel,
        };
        act(restore).await
    }

    pub(crate) async fn plan(&self) -> Result<Plan, RestoreError> {
        self.with(&CancellationToken::new(), async |restore| restore.plan().await).await
    }

    pub(crate) async fn run(&self) -> Result<Report, RestoreError> {
        self.with(&CancellationToken::new(), async |restore| restore.run().await).await
    }

    /// Runs it, and drops it at the n-th write to this endpoint, as a kill does.
    pub(crate) async fn killed_at(&self, endpoint: Endpoint, n: u64) -> Option<Result<Report, RestoreError>> {
        let killed = CancellationToken::new();
        let kill = killed.clone();
        self.control().on_request_to(endpoint, n, move |_| kill.cancel());
        self.with(&CancellationToken::new(), async |restore| {
            tokio::select! {
                () = killed.cancelled() => None,
                outcome = restore.run() => Some(outcome),
            }
        })
        .await
    }

    /// Asserts that the target is the source, by what a reader of the Content API sees: the same number
    /// of documents of each type and language, and under the map of ids the same words and links.
    #[track_caller]
    pub(crate) fn assert_restored(&self, report: &Report) {
        let back = report.read_back.as_ref().expect("everything is live");
        let defects: Vec<_> =
            back.differences.iter().filter(|difference| difference.expected.is_none()).collect();
        assert_eq!(defects, [] as [&_; 0], "{report:#?}");
        assert_eq!(back.appeared, 0);
        let ids: BTreeMap<String, String> =
            report.ids.documents().map(|(old, new)| (old.to_owned(), new.to_owned())).collect();
        let (ours, theirs) = (documents(&self.source), documents(&self.target));
        assert_eq!(ours.len(), theirs.len(), "every document is there once");
        for (old, document) in &ours {
            let new = &theirs[&ids[old]];
            for member in ["type", "lang", "uid", "tags"] {
                assert_eq!(document[member], new[member], "{member} of {old}");
            }
            let translations = |document: &Value, map: &dyn Fn(&str) -> String| -> BTreeSet<String> {
                let all = document["alternate_languages"].as_array().unwrap().iter();
                all.map(|one| map(one["id"].as_str().unwrap())).collect()
            };
            assert_eq!(
                translations(document, &|id| ids[id].clone()),
                translations(new, &str::to_owned),
                "translations of {old}"
            );
            let mut links = (Vec::new(), Vec::new());
            link_ids(&document["data"], &mut links.0);
            link_ids(&new["data"], &mut links.1);
            let mapped: Vec<String> = links.0.iter().filter_map(|id| ids.get(id).cloned()).collect();
            let kept: Vec<String> = links.1.into_iter().filter(|id| theirs.contains_key(id)).collect();
            assert_eq!(mapped, kept, "links of {old}");
        }
        assert_eq!(
            self.source.repository.library().assets().len(),
            self.target.repository.library().assets().len()
        );
    }
}

/// What a person does in Prismic: publishes the migration release.
pub(crate) async fn publish(target: &Source) {
    let url = format!("{}/migration-release/publish", target.target.endpoints.migration_api);
    let request = crate::sandbox::client().post(url).bearer_auth(WRITE_TOKEN);
    let response = request.header("repository", "acme-blog").body("{}").send().await.unwrap();
    assert_eq!(response.status(), reqwest::StatusCode::ACCEPTED);
}

/// Everything that is published, by id.
pub(crate) fn documents(source: &Source) -> BTreeMap<String, Value> {
    let documents = source.repository.documents();
    let parsed = documents.iter().map(|document| {
        let value: Value = serde_json::from_str(&document.stored()).unwrap();
        (value["id"].as_str().unwrap().to_owned(), value)
    });
    parsed.collect()
}

/// Ids of the documents that links lead to, in the order of the text; copies in links are passed over.
fn link_ids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| link_ids(element, found)),
        Value::Object(members) if members.get("link_type").is_some_and(|kind| kind == "Document") => {
            let broken = members.get("isBroken").is_some_and(|broken| broken == true);
            if let Some(id) = members.get("id").and_then(Value::as_str).filter(|_| !broken) {
                found.push(id.to_owned());
            }
        }
        Value::Object(members) => {
            // Order of members means nothing.
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            names.into_iter().for_each(|name| link_ids(&members[name], found));
        }
        _ => {}
    }
}

/// Limits with which nobody waits.
pub(crate) fn quick(limits: &Limits) -> Limits {
    Limits {
        asset_requests: 100_000.0,
        types_requests: 100_000.0,
        migration_requests: 100_000.0,
        content_requests: 100_000.0,
        publish_patience: std::time::Duration::from_secs(4),
        ..limits.clone()
    }
}
