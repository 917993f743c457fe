//! Jobs: whether everything is backed up and verified by itself.

use chrono::TimeDelta;

use super::finding::{Finding, Section};
use crate::cli::jobs::directory_of;
use crate::cli::units::counted;
use crate::clock::Timestamp;
use crate::config::{Config, ConfigErrorKind};
use crate::schedule::{Job, Schedules, Work};
use crate::status::erased;
use crate::vault::jobs::{self, Seen};
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

const SECTION: Section = Section::Schedules;

/// Checks the job files, and what no job does.
pub(super) fn check(config: &Config, now: Timestamp) -> Vec<Finding> {
    let directory = directory_of(config);
    let shown = directory.display().to_string();
    let schedules = match Schedules::load(&directory, config, now) {
        Ok(schedules) => schedules,
        Err(error) if error.kind() == ConfigErrorKind::Missing => {
            return vec![
                Finding::notice(SECTION, shown, "holds no jobs")
                    .because("nothing here says when snapshots are taken; something else may start them")
                    .then("a job is a file such as schedules/nightly.toml: job = \"snapshot\", repositories = [\"*\"], cron = \"15 2 * * *\""),
            ];
        }
        Err(error) => return vec![Finding::error(SECTION, shown, error.to_string())],
    };
    let mut findings: Vec<Finding> = schedules
        .mistakes
        .iter()
        .map(|mistake| {
            Finding::error(SECTION, shown.clone(), mistake.to_string())
                .because("a job with a mistake is not run")
                .then("prismvault jobs check")
        })
        .collect();
    findings.extend(not_covered(config, &schedules.jobs));
    if findings.is_empty() {
        let jobs = schedules.jobs.len();
        findings.push(Finding::ok(SECTION, shown, format!("{jobs} jobs cover every repository")));
    }
    findings
}

/// That people were erased and nothing looks whether they are named again; a job on another host is known by its
/// record.
pub(super) async fn watches_erased(vault: &Vault, config: &Config, now: Timestamp) -> Option<Finding> {
    let snapshots = Snapshots::load(vault, None).await.ok()?;
    let facts = erased(vault, &snapshots).await;
    let here = Schedules::load(&directory_of(config), config, now).map(|schedules| schedules.jobs);
    let is_here = here.is_ok_and(|jobs| jobs.iter().any(|job| job.work == Work::PrivacyCheck));
    let records = jobs::load_all(vault, |_| true, &Seen::default()).await;
    let is_elsewhere = records.values().any(|record| record.does == Work::PrivacyCheck.word());
    let age = TimeDelta::from_std(vault.limits().erased_look_age_advised).unwrap_or_default();
    if is_here || is_elsewhere || !facts.is_unwatched(&[], age, now) {
        return None;
    }
    let cases = counted(facts.cases, "case");
    let what = format!("nothing looks whether people who were erased ({cases}) are named again");
    Some(
        Finding::warning(SECTION, Work::PrivacyCheck.word(), what)
            .because("what somebody writes of them again is in every snapshot from then on")
            .then(
                "where a privacy officer's keys are: a job with job = \"privacy-check\", or prismvault privacy check",
            ),
    )
}

fn not_covered(config: &Config, jobs: &[Job]) -> Vec<Finding> {
    let of = |is: fn(&Work) -> bool| jobs.iter().filter(move |job| is(&job.work));
    let mut findings = Vec::new();
    for repository in &config.repositories {
        let covers = |job: &Job| {
            job.select(config).is_ok_and(|selected| selected.iter().any(|one| one.name == repository.name))
        };
        let name = repository.name.as_str();
        if !of(|work| matches!(work, Work::Snapshot { .. })).any(covers) {
            findings.push(
                Finding::warning(SECTION, name, "no job takes snapshots of it")
                    .then("add it to `repositories` of a snapshot job, or write [\"*\"] there"),
            );
        }
        if !of(|work| matches!(work, Work::Verify { .. })).any(covers) {
            findings.push(
                Finding::warning(SECTION, name, "no job verifies it")
                    .because("damage is found on the day of need")
                    .then("add a job with job = \"verify\", once a week"),
            );
        }
        let is_promised = config.objectives_of(repository).drilled_within.is_some();
        if is_promised && !of(|work| matches!(work, Work::Drill)).any(covers) {
            findings.push(
                Finding::notice(SECTION, name, "drilled_within is promised, and no job rehearses a recovery of it")
                    .then("add a job with job = \"drill\" (schedules/drills), or run `prismvault drill run` by hand in time"),
            );
        }
    }
    if config.replicas.len() > 1 && of(|work| matches!(work, Work::Replicate)).next().is_none() {
        findings.push(
            Finding::warning(SECTION, "replicate", "no job brings replicas what they missed")
                .because("a replica that was away once stays behind")
                .then("add a job with job = \"replicate\", after the nightly snapshots"),
        );
    }
    if config.webhook.is_some() && jobs.iter().all(|job| job.on_publish.is_none()) {
        findings.push(
            Finding::warning(SECTION, "webhook", "no job takes a snapshot when something is published")
                .because("webhooks are received and answered, and nothing follows from them")
                .then("add on_publish = true to a snapshot job, or leave [webhook] out"),
        );
    }
    findings
}
