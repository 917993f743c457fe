//! Whether what was restored works: queries, and programs that decide by how they end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::process::Command;

use super::evidence::{Evidence, Outcome};
use super::leftover::{self, Leftover};
use crate::drill::findings::Severity;
use crate::drill::plan::{Check, Expected, Probe};
use crate::drill::timeline::Phase;
use crate::ids::Name;
use crate::prismic::{ContentApi, PrismicError, Search};

/// Bytes of what a program prints that are kept.
const PRINTED_MAX: usize = 64 * 1024;
/// Name of the variable that says where the restored repository answers.
const VARIABLE: &str = "PRISMVAULT_DRILL_API";

/// Repositories as they answer now.
pub(super) struct Answering<'a> {
    pub(super) apis: BTreeMap<Name, &'a ContentApi>,
    /// The snapshots themselves, as a standby answers.
    pub(super) originals: BTreeMap<Name, &'a ContentApi>,
    pub(super) leftover: &'a Leftover,
    /// The working directory of programs.
    pub(super) directory: PathBuf,
}

impl Answering<'_> {
    /// Makes every check of the plan; returns whether all are good.
    pub(super) async fn check_all(&self, checks: &[Check], evidence: &Evidence) -> bool {
        let mut is_good = true;
        for check in checks {
            let begun = Instant::now();
            let (expected, outcome) = match &check.probe {
                Probe::Query { repository, query, lang, expect } => {
                    (expect.words(), self.query(repository.as_ref(), query, lang, expect).await)
                }
                Probe::Command { command, timeout } => {
                    let outcome = self.command(&check.name, command, *timeout, evidence).await;
                    ("that it ends with 0".to_owned(), outcome)
                }
            };
            is_good &= outcome.finding.is_none();
            evidence.check(Phase::Function, &check.name, &expected, begun, outcome);
        }
        is_good
    }

    async fn query(&self, repository: Option<&Name>, query: &str, lang: &str, expect: &Expected) -> Outcome {
        let own = match (repository, self.apis.len()) {
            (Some(name), _) => self.apis.get_key_value(name),
            (None, 1) => self.apis.iter().next(),
            (None, _) => None,
        };
        let Some((name, api)) = own else {
            return Outcome::bad("the plan names no repository that was restored", Severity::Major);
        };
        let in_snapshot = match (expect, self.originals.get(name)) {
            (Expected::AsInSnapshot, Some(original)) => match found(original, query, lang).await {
                Ok((total, _)) => Some(total),
                Err(error) => return no_answer(&error),
            },
            _ => None,
        };
        match found(api, query, lang).await {
            Ok((total, uids)) => {
                let seen = match in_snapshot {
                    Some(there) => format!("{total} documents, in the snapshot {there}"),
                    None => format!("{total} documents"),
                };
                Outcome::of(expect.is_met(total, &uids, in_snapshot), seen, Severity::Major)
            }
            Err(error) => no_answer(&error),
        }
    }

    /// Runs a program with a time limit; what it prints is kept as a file of the bundle.
    async fn command(
        &self,
        name: &str,
        command: &[String],
        timeout: Duration,
        evidence: &Evidence,
    ) -> Outcome {
        let Some((program, arguments)) = command.split_first() else {
            return Outcome::bad("the plan names no program", Severity::Minor);
        };
        let mut running = Command::new(program);
        running.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        running.envs(self.variables()).current_dir(&self.directory).kill_on_drop(true);
        #[cfg(unix)]
        running.process_group(0);
        let child = match running.spawn() {
            Ok(child) => child,
            Err(error) => {
                return Outcome::bad(format!("{program} cannot be run: {error}"), Severity::Major);
            }
        };
        let group = child.id();
        if let Some(pid) = group {
            self.leftover.started(pid);
        }
        let ended = tokio::time::timeout(timeout, child.wait_with_output()).await;
        // What it started goes with it.
        leftover::end_group(group);
        match ended {
            Err(_) => Outcome::bad(format!("it did not end within {} s", timeout.as_secs()), Severity::Major),
            Ok(Err(error)) => Outcome::bad(format!("{program} failed: {error}"), Severity::Major),
            Ok(Ok(output)) => {
                let mut printed = output.stdout;
                printed.extend(output.stderr);
                let number = evidence.lock().files.len() + 1;
                let file = format!("checks/{number}-{}.txt", slug(name));
                evidence.file(&file, kept(printed));
                let seen = match output.status.code() {
                    Some(code) => format!("it ended with {code}"),
                    None => "a signal ended it".to_owned(),
                };
                let mut outcome = Outcome::of(output.status.success(), seen, Severity::Major);
                outcome.evidence.push(file);
                outcome
            }
        }
    }

    /// Where the restored repositories answer, for programs.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = self
            .apis
            .iter()
            .map(|(name, api)| {
                let name =
                    name.as_str().to_uppercase().replace(|char: char| !char.is_ascii_alphanumeric(), "_");
                (format!("{VARIABLE}_{name}"), api.endpoint().to_string())
            })
            .collect();
        if let (Some(api), 1) = (self.apis.values().next(), self.apis.len()) {
            variables.push((VARIABLE.to_owned(), api.endpoint().to_string()));
        }
        variables
    }
}

fn no_answer(error: &PrismicError) -> Outcome {
    Outcome::bad(format!("no answer: {}", error.in_own_words()), Severity::Major)
}

/// What a program printed, as far as it is kept.
pub(super) fn kept(mut printed: Vec<u8>) -> Bytes {
    printed.truncate(PRINTED_MAX);
    printed.into()
}

/// How many documents a query finds, and the UIDs of those on its first page.
async fn found(api: &ContentApi, query: &str, lang: &str) -> Result<(u64, Vec<String>), PrismicError> {
    let root = api.root().await?;
    let mut search = Search::everything(&*root.master_ref, 100);
    search.integration_fields_ref.clone_from(&root.integration_fields_ref);
    search.predicates = vec![query.to_owned()];
    search.lang = lang.to_owned();
    let page = api.search(&search).await?;
    let uids = page.documents.into_iter().filter_map(|document| document.uid);
    Ok((page.total_results_size, uids.collect()))
}

/// A name as part of a path.
pub(super) fn slug(name: &str) -> String {
    let plain =
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' });
    let slug: String = plain.take(60).collect();
    match slug.trim_matches('-') {
        "" => "root".to_owned(),
        slug => slug.to_owned(),
    }
}
