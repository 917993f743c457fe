//! A directory of jobs.
//!
//! One bad file does not hide the others: mistakes are collected, so that `jobs check` names all
//! of them at once. Only files that end in `.toml` are jobs; whatever else lies there (a README,
//! what an editor left) is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::cron::Cron;
use super::job::Job;
use crate::clock::{Timestamp, rfc3339};
use crate::config::Config;
use crate::config::error::{ConfigError, ConfigErrorKind, closest};
use crate::config::include::{PatternError, expand};
use crate::ids::Name;

/// The jobs of a directory, and what is wrong with the others.
#[derive(Debug)]
pub struct Schedules {
    /// The directory.
    pub directory: PathBuf,
    /// The jobs that can run, by name.
    pub jobs: Vec<Job>,
    /// What is wrong: one mistake a file, the first in it.
    pub mistakes: Vec<ConfigError>,
}

/// One run to come.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its expression.
    pub cron: &'a Cron,
    /// When.
    pub at: Timestamp,
}

impl Schedules {
    /// Loads every job of `directory` and checks it against `config`: its repositories exist, the plan
    /// of a drill is good, and after `now` there is a time at which it runs.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::Missing`] when there is no such directory or it holds no job, since a
    /// backup that is not scheduled must not look like one that is;
    /// [`ConfigErrorKind::Unreadable`] when it cannot be listed. Mistakes in files are collected.
    pub fn load(directory: &Path, config: &Config, now: Timestamp) -> Result<Self, ConfigError> {
        let mut schedules = Self { directory: directory.to_owned(), jobs: Vec::new(), mistakes: Vec::new() };
        let mut seen: Vec<Name> = Vec::new();
        for file in files(directory)? {
            let checked = Job::load(&file, &config.limits).and_then(|job| {
                job.select(config)?;
                job.notify.check(config)?;
                job.check_plan(config)?;
                job.will_run(now)?;
                // On some file systems both are one file, so the directory could not be moved.
                match seen.iter().find(|other| other.as_str().eq_ignore_ascii_case(job.name.as_str())) {
                    Some(other) => {
                        let reason = format!("job \"{}\" differs only in case from \"{other}\"", job.name);
                        Err(ConfigError::new(ConfigErrorKind::Duplicate, &file, reason))
                    }
                    None => Ok(job),
                }
            });
            match checked {
                Ok(job) => {
                    seen.push(job.name.clone());
                    schedules.jobs.push(job);
                }
                Err(mistake) => schedules.mistakes.push(mistake),
            }
        }
        while schedules.take_out_of_order() {}
        Ok(schedules)
    }

    /// Takes out jobs that come after one that is not there, or after themselves by way of others.
    /// Returns whether there were any: those after them go next.
    fn take_out_of_order(&mut self) -> bool {
        let after: BTreeMap<Name, Vec<Name>> =
            self.jobs.iter().map(|job| (job.name.clone(), job.after.clone())).collect();
        let missing = |job: &Job| job.after.iter().find(|name| !after.contains_key(*name)).cloned();
        let (good, bad): (Vec<Job>, Vec<Job>) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|job| missing(job).is_none() && !comes_after_itself(&job.name, &after));
        self.jobs = good;
        for job in &bad {
            let reason = match missing(job) {
                Some(name) => {
                    let meant = closest(name.as_str(), after.keys().map(Name::as_str))
                        .map(|word| format!(", did you mean {word:?}?"))
                        .unwrap_or_default();
                    format!("there is no job \"{name}\" that can run{meant}")
                }
                None => {
                    "the jobs that it comes after come after it: none of them would ever begin".to_owned()
                }
            };
            let error = ConfigError::new(ConfigErrorKind::UnknownName, &job.defined.file, reason);
            self.mistakes.push(error.at_line(job.after_line).at_key("after"));
        }
        !bad.is_empty()
    }

    /// Loads one job. What is wrong with the others does not matter: a backup is not left out for
    /// a mistake in another file.
    ///
    /// # Errors
    ///
    /// [`ConfigErrorKind::UnknownName`] when there is no such job, and those of [`Job::load`] and
    /// [`Job::select`].
    pub fn load_one(directory: &Path, name: &Name, config: &Config) -> Result<Job, ConfigError> {
        // Taken from the listing, so that a name is what it is on every file system.
        let files = files(directory)?;
        let stem = |file: &PathBuf| file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let Some(file) = files.iter().find(|file| stem(file).as_deref() == Some(name.as_str())) else {
            let known: Vec<String> = files.iter().filter_map(stem).collect();
            let meant = closest(name.as_str(), known.iter().map(String::as_str))
                .map(|word| format!(", did you mean {word:?}?"))
                .unwrap_or_default();
            let reason = format!("there is no job \"{name}\"{meant} (known: {})", known.join(", "));
            return Err(ConfigError::new(ConfigErrorKind::UnknownName, directory, reason));
        };
        let job = Job::load(file, &config.limits)?;
        job.select(config)?;
        job.notify.check(config)?;
        job.check_plan(config)?;
        Ok(job)
    }

    /// Returns the next `count` runs of all jobs after `after`, soonest first; those of one moment
    /// by name.
    pub fn next_runs(&self, after: Timestamp, count: usize) -> Vec<Run<'_>> {
        let mut runs: Vec<Run<'_>> = Vec::new();
        for job in &self.jobs {
            let Some(cron) = &job.cron else { continue };
            let times = std::iter::successors(cron.next_after(after), |at| cron.next_after(*at));
            runs.extend(times.take(count).map(|at| Run { job, cron, at }));
            // Sorting is stable and jobs come by name. Cut each time: memory is bounded by
            // `count`, however many jobs there are.
            runs.sort_by_key(|run| run.at);
            runs.truncate(count);
        }
        runs
    }
}

impl Job {
    /// Refuses a job whose last time is over.
    fn will_run(&self, now: Timestamp) -> Result<(), ConfigError> {
        let Some(cron) = self.cron.as_ref().filter(|cron| cron.next_after(now).is_none()) else {
            return Ok(());
        };
        let reason = format!("\"{cron}\" never comes again after {}", rfc3339(now));
        let error = ConfigError::new(ConfigErrorKind::InvalidValue, &self.defined.file, reason);
        Err(error.at_line(self.defined.line).at_key("cron"))
    }
}

/// Whether `name` is reached again on the way along `after`.
fn comes_after_itself(name: &Name, after: &BTreeMap<Name, Vec<Name>>) -> bool {
    let mut open: Vec<&Name> = after.get(name).into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if next == name {
            return true;
        }
        if seen.insert(next) {
            open.extend(after.get(next).into_iter().flatten());
        }
    }
    false
}

/// Lists the files of a directory that are jobs, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let missing = |reason| ConfigError::new(ConfigErrorKind::Missing, directory, reason);
    if !directory.is_dir() {
        return Err(missing("there is no such directory of jobs"));
    }
    let found = expand("*.toml", directory).map_err(|error| match error {
        PatternError::Invalid(reason) => missing(reason),
        PatternError::Unreadable(error) => {
            let reason = "the directory cannot be listed";
            ConfigError::new(ConfigErrorKind::Unreadable, directory, reason).because(error)
        }
    })?;
    match found.is_empty() {
        true => Err(missing("holds no job, that is no file NAME.toml")),
        false => Ok(found),
    }
}
