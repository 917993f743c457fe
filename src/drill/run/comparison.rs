//! What was restored against the snapshots: documents, counts, files, models, canaries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};

use super::content::{Compared, compare, each_document};
use super::evidence::Outcome;
use super::restoring::Standing;
use super::source::{ContentError, Source};
use super::standing::unpaced;
use super::{Phased, Running};
use crate::drill::findings::Severity;
use crate::drill::report::Recovered;
use crate::drill::timeline::Phase;
use crate::ids::Name;
use crate::limits::Limits;
use crate::prismic::{AssetHosts, ContentApi, Downloader, Endpoints, Http};
use crate::restore::OpenSnapshot;
use crate::restore::repository::Report as RestoreReport;
use crate::standby::LocalSite;
use crate::vault::replica::with_causes;

/// Documents that a report names one by one where something differs.
const NAMED_MAX: usize = 20;
/// Files of the library that are asked for at once.
const FILES_AT_ONCE: usize = 8;

impl Running<'_> {
    /// Compares what was restored with the snapshots.
    pub(super) async fn content(
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
