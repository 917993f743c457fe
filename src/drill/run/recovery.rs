//! Restore, replay, comparison, function: what is done with the snapshots once they are known to be whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};

use super::content::{Compared, compare, each_document};
use super::evidence::Outcome;
use super::function::Answering;
use super::host::Opening;
use super::resurrection;
use super::source::{self, ContentError, Source};
use super::standing::{OnStandby, Playground, Shelves, beside, caches, content_api, edition, site, unpaced};
use super::{Ground, Phased, Running, Verdicts};
use crate::drill::findings::{Met, Severity};
use crate::drill::gate::Verdict;
use crate::drill::plan::Target as PlannedTarget;
use crate::drill::report::Recovered;
use crate::drill::timeline::{Ended, Phase};
use crate::ids::{Name, SnapshotId};
use crate::limits::Limits;
use crate::prismic::{AssetHosts, ContentApi, Downloader, Endpoints, Http};
use crate::restore::OpenSnapshot;
use crate::restore::repository::{Choice, Ending, Report as RestoreReport, RepositoryRestore};
use crate::snapshot::Target;
use crate::standby::{Caches, LocalSite};
use crate::vault::lease::Step;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::writing::{NotWritten, Writing};
use crate::verification::Level;

/// Documents that a report names one by one where something differs.
const NAMED_MAX: usize = 20;
/// Files of the library that are asked for at once.
const FILES_AT_ONCE: usize = 8;

/// What all snapshots hold, in their order.
pub(super) struct Sources {
    all: Vec<Source>,
    pub(super) is_whole: bool,
}

/// Where everything stands once it is restored.
struct Standing {
    /// The standby: of what is restored, or of the snapshots, to compare queries with.
    site: Option<LocalSite>,
    playground: Option<Playground>,
    /// By repository, in the order of the snapshots: its Content API, and what the restore reported.
    answering: Vec<(Name, ContentApi, Option<RestoreReport>)>,
    /// The snapshots themselves, for queries whose answer is theirs.
    originals: BTreeMap<Name, ContentApi>,
}

fn gate(is_good: bool) -> Option<Verdict> {
    Some(if is_good { Verdict::Go } else { Verdict::NoGo })
}

impl Running<'_> {
    /// Decrypts everything and looks at what refers to what.
    pub(super) async fn decrypt(
        &self,
        vault: &Vault,
        ids: &[SnapshotId],
        opened: &[OpenSnapshot<'_>],
    ) -> Phased<Sources> {
        let looked = self.look(vault, Level::Content, ids).await;
        let Some(found) = looked.value else {
            return Phased { ended: Ended::Broken, notes: looked.notes, value: None };
        };
        let (mut all, mut notes, mut is_whole) = (Vec::new(), looked.notes, found.affected.is_empty());
        for snapshot in opened {
            let source = match source::read(snapshot).await {
                Ok(source) => source,
                // What is lost was told above; the rest of it is recovered.
                Err(error) => {
                    notes.push(format!("{}: {}", snapshot.manifest().snapshot, with_causes(&error)));
                    is_whole = false;
                    Source::default()
                }
            };
            is_whole &= self.counts_of_snapshot(snapshot, &source);
            let name = &snapshot.manifest().repository;
            notes.push(format!(
                "{name}: {} documents, {} files, {} models; {} links lead to nothing, {} files are not in the library",
                source.documents.len(),
                source.library.len(),
                source.model_count,
                source.open_links,
                source.open_files
            ));
            all.push(source);
        }
        Phased::of(is_whole && looked.ended == Ended::Good, Sources { all, is_whole }, notes)
    }

    /// Whether a snapshot holds as many documents, files and models as its manifest says.
    fn counts_of_snapshot(&self, snapshot: &OpenSnapshot<'_>, source: &Source) -> bool {
        let begun = Instant::now();
        let manifest = snapshot.manifest();
        let applied = snapshot.applied();
        // What orders removed or withhold is not there, and is told by the replay.
        let gone = applied.removed + applied.restricted;
        let promised = [
            ("documents", manifest.counts.documents.stored, source.documents.len() as u64),
            ("models", manifest.counts.models.stored, source.model_count),
        ];
        let differ: Vec<String> = promised
            .iter()
            .filter(|(_, promised, found)| found > promised || promised - found > gone)
            .map(|(what, promised, found)| format!("{found} of {promised} {what}"))
            .collect();
        let seen = match differ.is_empty() {
            true => format!("{} documents, {} models", source.documents.len(), source.model_count),
            false => differ.join(", "),
        };
        let outcome = Outcome::of(differ.is_empty(), seen, Severity::Critical);
        let name = format!("{}: counts", manifest.repository);
        self.evidence.check(Phase::Decrypt, &name, "as many as the manifest says", begun, outcome);
        differ.is_empty()
    }

    /// Restores what was found whole and looks at it in every way.
    pub(super) async fn restore_and_compare(
        &self,
        ground: &Ground,
        opened: &[OpenSnapshot<'_>],
        sources: Sources,
        is_whole: bool,
    ) -> Verdicts {
        let mut verdicts = Verdicts { integrity: Some(Verdict::NoGo), ..Verdicts::default() };
        let (caches, mut shelves) = (caches(self.limits()), Shelves::new());
        let restoring = self.restore(opened, &caches, &mut shelves);
        let Some((standing, editions)) = self.phase(Phase::Restore, Box::pin(restoring)).await else {
            self.skip_from(Phase::Replay);
            return verdicts;
        };
        verdicts.quarantine = gate(self.quarantine());
        let replayed =
            self.phase(Phase::Replay, Box::pin(beside(&mut shelves, self.replay(opened, &editions))));
        verdicts.privacy = gate(replayed.await.unwrap_or(false));
        let comparing = self.content(opened, &sources.all, &standing);
        let compared = self.phase(Phase::Content, Box::pin(beside(&mut shelves, comparing))).await;
        verdicts.integrity = gate(is_whole && compared.unwrap_or(false));
        let trying = self.function(&standing);
        let functional = self.phase(Phase::Function, Box::pin(beside(&mut shelves, trying))).await;
        verdicts.functional = gate(functional.unwrap_or(false));
        Box::pin(beside(&mut shelves, self.lost_edits(&sources.all, opened))).await;
        drop(editions);
        self.put_away(standing).await;
        let _ = ground;
        verdicts
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.drill.config.limits
    }

    async fn restore<'o>(
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
                    Err(why) => Phased::broken(why),
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

    async fn vault_as_it_is(&self) -> Result<Vault, String> {
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

    /// Whether what was restored is apart from what the public sees.
    fn quarantine(&self) -> bool {
        let begun = Instant::now();
        let seen = match &self.drill.plan.target {
            PlannedTarget::Standby => "a standby on 127.0.0.1, which answers this machine only".to_owned(),
            PlannedTarget::Sandbox => "a sandbox on 127.0.0.1, which answers this machine only".to_owned(),
            PlannedTarget::Environment(name) => {
                format!("the repository {name}, which was empty and is none of those that are recovered")
            }
        };
        let expected = "a place that the public does not see, and a vault that is only read";
        self.evidence.check(Phase::Restore, "quarantine", expected, begun, Outcome::good(seen));
        true
    }

    /// Whether every order of erasure, restriction and rectification that any replica knows of was applied, and
    /// whether what is erased stays so.
    async fn replay(&self, opened: &[OpenSnapshot<'_>], editions: &[OnStandby]) -> Phased<bool> {
        let mut notes = Vec::new();
        let mut is_good = true;
        for (snapshot, own) in opened.iter().zip(editions) {
            let begun = Instant::now();
            let name = &snapshot.manifest().repository;
            let known = self.orders(&snapshot.manifest().space).await;
            let applied = own.edition.applied();
            let outcome = match &known {
                Err(why) => Outcome::bad(format!("the ledger cannot be read: {why}"), Severity::Critical),
                Ok(orders) => {
                    let words = applied.words().unwrap_or_else(|| "nothing of this snapshot".to_owned());
                    let seen = format!("{} orders; {words}", orders.len());
                    Outcome::of(own.edition.is_under(orders), seen, Severity::Critical)
                }
            };
            is_good &= outcome.finding.is_none();
            notes.push(format!("{name}: {}", outcome.seen));
            let check = format!("{name}: orders of erasure");
            self.evidence.check(
                Phase::Replay,
                &check,
                "every order of the ledger is applied",
                begun,
                outcome,
            );
        }
        let begun = Instant::now();
        let directory = self.drill.leftover.directory();
        let tested =
            resurrection::test(self.limits(), &self.drill.clock, &directory, &self.drill.cancel).await;
        let expected = "a person who was erased does not come back from an old snapshot";
        let outcome = match &tested {
            Err(why) => Outcome::bad(format!("the test could not be made: {why}"), Severity::Critical),
            Ok(test) => {
                let seen = format!(
                    "seen in {} documents before the order, in {} of {} after it; {} items replaced",
                    test.before, test.after, test.restored, test.applied
                );
                Outcome::of(test.is_good(), seen, Severity::Critical)
            }
        };
        is_good &= outcome.finding.is_none();
        notes.push(outcome.seen.clone());
        self.evidence.check(Phase::Replay, "resurrection test", expected, begun, outcome);
        self.evidence.lock().erasure_replay = Some(is_good);
        Phased::of(is_good, is_good, notes)
    }

    /// Orders that any replica knows of, the scenario aside: an order that the recovery misses because a replica is
    /// gone is missed all the same.
    async fn orders(&self, space: &Name) -> Result<BTreeSet<SnapshotId>, String> {
        let vault = self.vault_as_it_is().await?;
        let ledger = Ledger::load(&vault, space).await.map_err(|error| with_causes(&error))?;
        Ok(ledger.erased().decided())
    }

    /// Compares what was restored with the snapshots.
    async fn content(
        &self,
        opened: &[OpenSnapshot<'_>],
        sources: &[Source],
        standing: &Standing,
    ) -> Phased<bool> {
        let (mut notes, mut is_good) = (Vec::new(), true);
        let all = opened.iter().zip(sources).zip(&standing.answering);
        for ((snapshot, source), (name, api, report)) in all {
            let begun = Instant::now();
            let compared = match report {
                None => compare(snapshot, source, api, self.drill.progress).await,
                Some(report) => read_back(report, api, self.limits()).await,
            };
            let compared = match compared {
                Ok(compared) => compared,
                Err(error) => return Phased::broken(format!("{name}: {}", with_causes(&error))),
            };
            is_good &= self.documents(name, source, &compared, begun);
            is_good &= self.counts(name, source, &compared);
            is_good &= self.canaries(name, source, &compared);
            let files = match report {
                None => self.files_of_standby(name, source, standing).await,
                Some(report) => self.things_of_report(name, source, report),
            };
            is_good &= files.1;
            notes.push(format!(
                "{name}: {} of {} documents as in the snapshot",
                compared.equal,
                source.documents.len()
            ));
            self.evidence.lock().recovered.push(recovered(snapshot, source, &compared, files.0));
        }
        Phased::of(is_good, is_good, notes)
    }

    fn documents(&self, name: &Name, source: &Source, compared: &Compared, begun: Instant) -> bool {
        let told: Vec<String> =
            compared.told.iter().take(NAMED_MAX).map(|own| format!("{} {}", own.id, own.what)).collect();
        let seen = match compared.differing {
            0 => format!("{} of {}", compared.equal, source.documents.len()),
            differing => format!("{differing} are not: {}", told.join("; ")),
        };
        let outcome = Outcome::of(compared.differing == 0, seen, Severity::Critical);
        let is_good = outcome.finding.is_none();
        let check = format!("{name}: documents");
        self.evidence.check(Phase::Content, &check, "every document is as in the snapshot", begun, outcome);
        is_good
    }

    fn counts(&self, name: &Name, source: &Source, compared: &Compared) -> bool {
        let begun = Instant::now();
        let keys: BTreeSet<&(String, String)> = source.counts.keys().chain(compared.counts.keys()).collect();
        let count =
            |of: &BTreeMap<(String, String), u64>, key: &(String, String)| of.get(key).copied().unwrap_or(0);
        let differ: Vec<String> = keys
            .iter()
            .filter(|key| count(&source.counts, key) != count(&compared.counts, key))
            .map(|key| {
                format!(
                    "{} of {} {} in {}",
                    count(&compared.counts, key),
                    count(&source.counts, key),
                    key.0,
                    key.1
                )
            })
            .collect();
        let seen = match differ.is_empty() {
            true => format!("{} types and languages", keys.len()),
            false => differ.join("; "),
        };
        let outcome = Outcome::of(differ.is_empty(), seen, Severity::Critical);
        let check = format!("{name}: types and languages");
        self.evidence.check(Phase::Content, &check, "as many of each as in the snapshot", begun, outcome);
        differ.is_empty()
    }

    /// Documents that the plan wants to see come back: in the snapshot, and as they were in it.
    fn canaries(&self, name: &Name, source: &Source, compared: &Compared) -> bool {
        let wanted = self
            .drill
            .plan
            .canaries
            .iter()
            .filter(|own| own.repository.as_ref().is_none_or(|own| own == name));
        let mut is_good = true;
        for canary in wanted {
            let begun = Instant::now();
            let found = source.documents.iter().find(|(_, known)| {
                *known.type_ == *canary.type_
                    && known.uid.as_deref() == Some(canary.uid.as_str())
                    && canary.lang.as_deref().is_none_or(|lang| *known.language == *lang)
            });
            let outcome = match found {
                None => Outcome::bad("the snapshot does not hold it", Severity::Critical),
                Some((id, _)) => match compared.told.iter().find(|own| own.id == *id) {
                    Some(own) => Outcome::bad(format!("it {}", own.what), Severity::Critical),
                    None => Outcome::good("it came back as it was"),
                },
            };
            is_good &= outcome.finding.is_none();
            let check = format!("{name}: canary {}/{}", canary.type_, canary.uid);
            self.evidence.check(Phase::Content, &check, "it comes back as it was", begun, outcome);
        }
        is_good
    }

    /// Asks a standby for every file of the library. How many it gave, and whether that is all.
    async fn files_of_standby(&self, name: &Name, source: &Source, standing: &Standing) -> (u64, bool) {
        let begun = Instant::now();
        let (given, wrong) = match &standing.site {
            None => (0, vec!["there is no standby".to_owned()]),
            Some(site) => self.ask_for_files(name, source, site, standing.answering.len()).await,
        };
        let closure = source.open_files;
        let seen = match wrong.len() {
            0 => format!(
                "{given} of {}; {closure} files that documents show were in no library",
                source.library.len()
            ),
            count => format!("{count} were not: {}", wrong[..count.min(NAMED_MAX)].join("; ")),
        };
        let outcome = Outcome::of(wrong.is_empty(), seen, Severity::Critical);
        let check = format!("{name}: files");
        self.evidence.check(
            Phase::Content,
            &check,
            "every file of the library is given, whole",
            begun,
            outcome,
        );
        (given, wrong.is_empty())
    }

    async fn ask_for_files(
        &self,
        name: &Name,
        source: &Source,
        site: &LocalSite,
        repositories: usize,
    ) -> (u64, Vec<String>) {
        let base = site.base_url();
        let Ok(endpoint) = base.parse::<url::Url>() else { return (0, vec![base]) };
        let endpoints = Endpoints {
            content_api: endpoint.clone(),
            asset_api: endpoint.clone(),
            types_api: endpoint.clone(),
            migration_api: endpoint,
        };
        let http = match Http::new(unpaced(self.limits()), Arc::clone(&self.drill.clock)) {
            Ok(http) => http,
            Err(error) => return (0, vec![with_causes(&error)]),
        };
        let spool = self.drill.leftover.directory();
        let downloader = Downloader::new(http, AssetHosts::new(&endpoints, &[]), spool);
        let prefix = match repositories {
            1 => String::new(),
            _ => format!("/{name}"),
        };
        let asked = stream::iter(&source.library).map(|file| {
            let (downloader, address) = (&downloader, format!("{base}{prefix}/files/{}", file.path));
            async move {
                let url = address.parse().map_err(|error| format!("{}: {error}", file.id))?;
                match downloader.download(&url, Some(file.size)).await {
                    Ok(bytes) if bytes.len == file.size => Ok(()),
                    Ok(bytes) => Err(format!("{} has {} bytes, not {}", file.id, bytes.len, file.size)),
                    Err(error) => Err(format!("{}: {}", file.id, error.in_own_words())),
                }
            }
        });
        let answers: Vec<Result<(), String>> = asked.buffer_unordered(FILES_AT_ONCE).collect().await;
        let given = answers.iter().filter(|own| own.is_ok()).count() as u64;
        (given, answers.into_iter().filter_map(Result::err).collect())
    }

    /// What reading back a repository said of its files and models.
    fn things_of_report(&self, name: &Name, source: &Source, report: &RestoreReport) -> (u64, bool) {
        let begun = Instant::now();
        let Some(back) = &report.read_back else { return (0, false) };
        let wrong: Vec<String> = back
            .differences
            .iter()
            .filter(|own| own.expected.is_none() && own.thing != "document")
            .map(|own| format!("{} {} {}", own.thing, own.id, own.what))
            .collect();
        let seen = match wrong.len() {
            0 => format!(
                "{} files of {}, {} models of {}",
                back.assets,
                source.library.len(),
                back.models,
                source.model_count
            ),
            count => format!("{count} are not: {}", wrong[..count.min(NAMED_MAX)].join("; ")),
        };
        let is_good = wrong.is_empty()
            && back.assets >= source.library.len() as u64
            && back.models >= source.model_count;
        let outcome = Outcome::of(is_good, seen, Severity::Critical);
        let check = format!("{name}: files and models");
        self.evidence.check(
            Phase::Content,
            &check,
            "every file and model is as in the snapshot",
            begun,
            outcome,
        );
        (back.assets, is_good)
    }

    /// Queries, programs and pages of the plan.
    async fn function(&self, standing: &Standing) -> Phased<bool> {
        let drill = self.drill;
        let answering = Answering {
            apis: standing.answering.iter().map(|(name, api, _)| (name.clone(), api)).collect(),
            originals: standing.originals.iter().map(|(name, api)| (name.clone(), api)).collect(),
            leftover: drill.leftover,
            directory: working_directory(&drill.config.file),
        };
        let mut is_good = answering.check_all(&drill.plan.checks, &self.evidence).await;
        if let Some(site) = &drill.plan.site {
            let (variables, directory) = (answering.variables(), drill.leftover.directory());
            is_good &= super::site::look(site, &variables, &directory, drill.leftover, &self.evidence).await;
        }
        let count = drill.plan.checks.len() + drill.plan.site.as_ref().map_or(0, |site| site.pages.len());
        if count == 0 {
            let what =
                "the plan declares no query, program or page: that what was restored works was not tried";
            self.evidence.met([Met::new("function:none", Severity::Minor, what)]);
        }
        Phased::of(is_good, is_good, vec![format!("{count} checks of the plan")])
    }

    /// Ends servers; whether they are gone is told by the clean-up.
    async fn put_away(&self, standing: Standing) {
        let Standing { site, playground, answering, originals } = standing;
        drop((answering, originals));
        if let Some(site) = site {
            let address = site.base_url();
            let gone = site.stop().await;
            self.cleaned("the standby", gone, &format!("nobody listens at {address} any more"));
        }
        if let Some(playground) = playground {
            let address = playground.server.base_url().to_owned();
            playground.server.stop().await;
            let gone = match address.strip_prefix("http://") {
                Some(place) => tokio::net::TcpStream::connect(place).await.is_err(),
                None => false,
            };
            self.cleaned(
                "the sandbox, with everything in it",
                gone,
                &format!("nobody listens at {address} any more"),
            );
        }
    }
}

/// Where programs of a plan begin: beside the configuration, from which its relative paths are meant.
fn working_directory(configuration: &Path) -> PathBuf {
    let parent = configuration.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// What reading back a repository came to, by the client that takes snapshots.
async fn read_back(
    report: &RestoreReport,
    api: &ContentApi,
    limits: &Limits,
) -> Result<Compared, ContentError> {
    let mut compared = Compared::default();
    each_document(api, limits.page_size, limits.content_concurrency, |document| {
        *compared.counts.entry((document.type_, document.lang)).or_default() += 1;
        compared.restored += 1;
    })
    .await?;
    let Some(back) = &report.read_back else { return Ok(compared) };
    let mut wrong: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for own in back.differences.iter().filter(|own| own.expected.is_none() && own.thing == "document") {
        wrong.entry(&own.id).or_default().push(match own.path.is_empty() {
            true => &own.what,
            false => &own.path,
        });
    }
    compared.equal = back.documents.saturating_sub(wrong.len() as u64);
    for (id, places) in wrong {
        compared.tell(id, format!("differs: {}", places.join(", ")));
    }
    if back.appeared > 0 {
        compared.tell("-", format!("{} documents appeared that nobody restored", back.appeared));
    }
    Ok(compared)
}

fn recovered(snapshot: &OpenSnapshot<'_>, source: &Source, compared: &Compared, files: u64) -> Recovered {
    let keys: BTreeSet<&(String, String)> = source.counts.keys().chain(compared.counts.keys()).collect();
    let counts = keys.into_iter().map(|key| {
        let of = |counts: &BTreeMap<(String, String), u64>| counts.get(key).copied().unwrap_or(0);
        (key.0.clone(), key.1.clone(), of(&source.counts), of(&compared.counts))
    });
    let manifest = snapshot.manifest();
    Recovered {
        repository: manifest.repository.clone(),
        snapshot: Some(manifest.snapshot.clone()),
        taken: Some(crate::clock::rfc3339(manifest.snapshot.time())),
        newest_edit: source.newest_edit.map(crate::clock::rfc3339),
        documents: (source.documents.len() as u64, compared.restored),
        assets: (source.library.len() as u64, files),
        compared: (source.documents.len() as u64, compared.equal),
        counts: counts.collect(),
        lost_edits: None,
    }
}
