//! `drill run`: each scenario, and each way in which a rehearsal has to fail.

mod failing;
mod killed;
mod scenarios;

use std::path::PathBuf;

use prismvault::sandbox::Content;
use serde_json::Value;

use crate::backups::{Source, WRITE_TOKEN, configuration};
use crate::restoring::crafted::{content_of, family};
use crate::restoring::options;
use crate::workplace::{Run, Workplace};

/// Where the plan begins: everything but scenario, target and what a test adds.
const PLAN: &str = "title = \"Weekly\"\nrepositories = [\"acme-blog\"]\nsummary = \"A disaster\"\n";
/// A check, so that no finding says that there is none.
const CHECK: &str =
    "[[check]]\nname = \"articles\"\nquery = '[at(document.type, \"article\")]'\nexpect = 3\n";

/// Somebody with a vault on two replicas, a snapshot in it, and plans.
pub(crate) struct Desk {
    pub(crate) place: Workplace,
    pub(crate) source: Source,
}

impl Desk {
    /// Four documents in two languages, eight files.
    pub(crate) fn new() -> Self {
        Self::of(content_of(family()), "")
    }

    /// The same with another content, and more in the configuration.
    pub(crate) fn of(content: Content, more: &str) -> Self {
        let source = Source::of(content, options());
        let place = Workplace::new();
        place.write("token.txt", WRITE_TOKEN);
        let config = configuration(&source, &[("one", &place.file("one")), ("two", &place.file("two"))]);
        let token = "write_token = { file = \"token.txt\" }\n\n[limits]\ntypes_requests = 10000";
        place.write("prismvault.toml", &format!("{}{more}", config.replacen("[limits]", token, 1)));
        place.expect(0, &["init"]);
        place.expect(0, &["snapshot", "acme-blog"]);
        Self { place, source }
    }

    /// Writes a plan.
    pub(crate) fn plan(&self, scenario: &str, target: &str, more: &str) {
        std::fs::create_dir_all(self.place.file("drills")).unwrap();
        let text = format!("{PLAN}target = \"{target}\"\nscenario = [{scenario}]\n{more}");
        self.place.write("drills/weekly.toml", &text);
    }

    /// Runs the plan.
    #[track_caller]
    pub(crate) fn drill(&self, code: i32) -> Run {
        self.place.expect(code, &["drill", "run", "drills/weekly.toml", "--json", "--seed", "7"])
    }

    /// Writes a plan and runs it.
    #[track_caller]
    pub(crate) fn rehearse(&self, code: i32, scenario: &str, target: &str) -> Value {
        self.plan(scenario, target, CHECK);
        self.drill(code).json()
    }

    /// What is left of drills on this machine.
    pub(crate) fn traces(&self) -> Vec<PathBuf> {
        let directory = self.place.home().join(".local/state/prismvault/drills");
        std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Keys of a replica that begin so.
    pub(crate) fn keys(&self, replica: &str, prefix: &str) -> Vec<String> {
        let tree = crate::restore::tree(&self.place.file(replica));
        tree.into_keys().filter(|key| key.starts_with(prefix)).collect()
    }
}

/// A check of a report, by its name.
#[track_caller]
pub(crate) fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|own| own["name"] == name);
    found.unwrap_or_else(|| panic!("there is no check {name}: {checks:#?}"))
}

/// How a phase ended.
#[track_caller]
pub(crate) fn phase<'r>(report: &'r Value, name: &str) -> &'r str {
    let phases = report["phases"].as_array().unwrap();
    phases.iter().find(|own| own["phase"] == name).unwrap()["ended"].as_str().unwrap()
}

/// An objective.
#[track_caller]
pub(crate) fn objective<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["objectives"].as_array().unwrap().iter().find(|own| own["objective"] == name).unwrap()
}
