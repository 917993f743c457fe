//! What `docs/deploy` holds is understood by the program; `scripts/test-deploy` checks the rest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workplace::Workplace;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy")
}

/// Files below a directory whose name ends so.
fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// Runs the checks on a configuration with these jobs; returns the names of the jobs.
fn checked(configuration: &str, jobs: &[PathBuf]) -> BTreeSet<String> {
    let place = Workplace::new();
    fs::copy(deploy().join(configuration), place.file("prismvault.toml")).unwrap();
    place.expect(0, &["config"]);
    fs::create_dir(place.file("schedules")).unwrap();
    for job in jobs {
        fs::copy(job, place.file("schedules").join(job.file_name().unwrap())).unwrap();
    }
    // Jobs that rehearse need their plans beside the configuration.
    fs::create_dir(place.file("drills")).unwrap();
    for plan in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drills"), ".toml") {
        fs::copy(&plan, place.file("drills").join(plan.file_name().unwrap())).unwrap();
    }
    place.expect(0, &["jobs", "check"]);
    jobs.iter().map(|job| job.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn configurations_and_jobs_of_the_examples_are_good() {
    let kubernetes = deploy().join("kubernetes");
    let mut jobs = files(&kubernetes.join("repositories"), ".toml");
    jobs.extend(files(&kubernetes.join("shared"), ".toml"));
    let names = checked("kubernetes/prismvault.toml", &jobs);
    let maintenance = files(&kubernetes.join("maintenance/schedules"), ".toml");
    let removing = checked("kubernetes/maintenance/prismvault.toml", &maintenance);
    // Each CronJob starts a job that is there, and what removes is not where snapshots are taken.
    for manifest in files(&kubernetes, ".yaml") {
        let text = fs::read_to_string(&manifest).unwrap();
        for line in text.lines().filter(|line| line.contains("\"jobs\", \"run\"")) {
            let job = line.split('"').nth(7).unwrap();
            // Replaced by that of a repository.
            let is_base = manifest.ends_with("base/snapshot.yaml");
            assert!(
                is_base || names.contains(job) || removing.contains(job),
                "{}: {line}",
                manifest.display()
            );
            assert_eq!(
                manifest.starts_with(kubernetes.join("maintenance")),
                removing.contains(job),
                "{line}"
            );
        }
    }
}

#[test]
fn the_units_give_the_service_every_file_that_its_configuration_names() {
    let place = deploy().join("systemd");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    checked("systemd/prismvault.toml", &files(&ours, ".toml"));
    let configuration = fs::read_to_string(place.join("prismvault.toml")).unwrap();
    let named = configuration.split("file = \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let named: Vec<&str> = named.collect();
    assert!(named.len() >= 4, "{named:?}");
    for unit in files(&place, ".service") {
        let text = fs::read_to_string(&unit).unwrap();
        for name in &named {
            assert!(
                text.contains(&format!("\nLoadCredential={name}:/etc/prismvault/keys/{name}\n")),
                "{name}"
            );
        }
        // What removes, restores or decides who is trusted is on another machine.
        for key in ["recovery", "root.key", "maintenance"] {
            assert!(!text.contains(key), "{}: {key}", unit.display());
        }
    }
}
