//! What a run came to: gates, lost edits, clean-up, and the report with its record.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::TimeDelta;

use super::evidence::Outcome;
use super::lost::{LISTED_MAX, lost_edits};
use super::source::Source;
use super::{Real, Running, Verdicts};
use crate::clock::{Timestamp, rfc3339};
use crate::drill::findings::{Finding, Making, Met, Severity, findings};
use crate::drill::gate::{Gate, Standing, Verdict, standings};
use crate::drill::measure::{Judged, Light, Measured, bottleneck, in_words, judge, recovery};
use crate::drill::plan::Target;
use crate::drill::report::files::{CRITERIA, PLAN};
use crate::drill::report::{
    Answer, Approved, Attendance, Cleaned, Communication, Earlier, Environment, Floor, GateRecord, Incident,
    LostEdit, Report, SCHEMA,
};
use crate::drill::scenario::Injection;
use crate::drill::tabletop;
use crate::drill::timeline::{Ended, Phase, PhaseRecord, millis};
use crate::ids::{Digest, VaultId};
use crate::limits::Limits;
use crate::prismic::ContentApi;
use crate::restore::OpenSnapshot;
use crate::snapshot::NOT_IN_ANY_SNAPSHOT;
use crate::vault::format::drill::{DrillResult, DrilledRepository};

/// Who decides where no person is named and a machine may.
pub(super) const MACHINE: &str = "machine";
/// How long live Prismic may take to say that it is there.
const LIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Hours in which an authority is told of a breach of personal data (GDPR Art. 33(1)).
const AUTHORITY_HOURS: i64 = 72;

/// What is known of the drills before this one.
#[derive(Debug, Clone)]
pub struct Before {
    /// Id of the vault that the record is stored in.
    pub vault: VaultId,
    /// Drills of the same plan, newest first.
    pub earlier: Vec<Earlier>,
    /// Findings that are open.
    pub open: Vec<Finding>,
    /// Drills that were killed and cleaned up after.
    pub abandoned: Vec<String>,
}

/// A drill that is over.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Everything that was seen.
    pub report: Report,
    /// What may hold content, and the texts of the plan: files of the bundle, but for what is rendered from the
    /// report.
    pub files: Vec<(String, Bytes)>,
    /// What the record says of each repository.
    pub repositories: Vec<DrilledRepository>,
    /// Whether something that was looked at was not as it must be.
    pub is_wrong: bool,
    /// Whether an objective was missed.
    pub is_missed: bool,
    /// Whether somebody ended it.
    pub is_interrupted: bool,
}

impl Running<'_> {
    pub(super) fn cleaned(&self, what: &str, gone: bool, how: &str) {
        self.evidence.lock().cleaned.push(Cleaned { what: what.to_owned(), gone, how: how.to_owned() });
    }

    /// What live Prismic has and the snapshots have not, where it can be asked.
    pub(super) async fn lost_edits(&self, sources: &[Source], opened: &[OpenSnapshot<'_>]) {
        let drill = self.drill;
        if drill.has(&Injection::PrismicUnreachable) {
            return;
        }
        let disaster = drill.disaster(self.timeline.began());
        for (source, snapshot) in sources.iter().zip(opened) {
            let name = &snapshot.manifest().repository;
            let repository = drill.selected.repositories.iter().find(|own| own.name == *name);
            let target = repository.map(|own| drill.host.target(own));
            let pace = (self.limits().page_size, self.limits().content_concurrency);
            let unreadable = |why: &str| {
                let what = format!(
                    "{name}: live content cannot be read, so nobody knows which edits are lost: {why}"
                );
                self.evidence.lock().deviations.push(what);
            };
            let (target, http) = match (target, drill.host.http()) {
                (Some(Ok(target)), Ok(http)) => (target, http),
                (Some(Err(why)), _) | (_, Err(why)) => {
                    unreadable(&why);
                    continue;
                }
                (None, _) => continue,
            };
            let api = ContentApi::new(http, target.endpoints.content_api, target.access_token);
            // Whoever is down is not waited for as a snapshot would.
            let Ok(root) = tokio::time::timeout(LIVE_TIMEOUT, api.root()).await else {
                unreadable("nobody answers");
                continue;
            };
            if let Err(error) = root {
                unreadable(&error.in_own_words());
                continue;
            }
            let looked = tokio::select! {
                () = drill.cancel.cancelled() => return,
                looked = lost_edits(&api, source, disaster, pace) => looked,
            };
            match looked {
                Err(error) => unreadable(&error.in_own_words()),
                Ok(lost) => {
                    self.timeline.note(format!("{name}: {} edits are lost", lost.len()));
                    let bytes = serde_json::to_vec_pretty(&lost).unwrap_or_default();
                    self.evidence.file(format!("lost-edits-{name}.json"), bytes);
                    let mut seen = self.evidence.lock();
                    if let Some(own) = seen.recovered.iter_mut().find(|own| own.repository == *name) {
                        // The report is kept when an order of erasure takes what shows content; titles are content.
                        let untitled = lost.into_iter().map(|edit| LostEdit { title: None, ..edit });
                        own.lost_edits = Some(untitled.take(LISTED_MAX).collect());
                    }
                }
            }
        }
    }

    /// Decides at the gates that are a machine's.
    pub(super) async fn gates(&self, verdicts: Verdicts) {
        self.drill.leftover.doing(Phase::Gates.name());
        let deciding = async {
            let records = self.gate_records(verdicts);
            let notes: Vec<String> =
                records.iter().map(|own| format!("{}: {}", own.gate, standing_words(own.standing))).collect();
            let is_stopped = records.iter().any(|own| own.standing == Standing::Stopped);
            (if is_stopped { Ended::Bad } else { Ended::Good }, notes, ())
        };
        self.timeline.time(Phase::Gates, deciding).await;
    }

    fn gate_records(&self, verdicts: Verdicts) -> Vec<GateRecord> {
        let plan = self.drill.plan;
        let seen = |gate: Gate| match gate {
            Gate::Quarantine => verdicts.quarantine,
            Gate::Integrity => verdicts.integrity,
            Gate::Privacy => verdicts.privacy,
            Gate::Functional => verdicts.functional,
            Gate::Acceptance | Gate::Limited | Gate::Declared => None,
        };
        let owned = |gate: Gate| plan.gates.iter().any(|(own, _)| *own == gate);
        // A machine says no wherever it saw something wrong, and yes where nobody else is to.
        let decided = |gate: Gate| match seen(gate) {
            Some(Verdict::NoGo) => Some(Verdict::NoGo),
            Some(Verdict::Go) if !owned(gate) => Some(Verdict::Go),
            None if gate.is_for_machines() => Some(Verdict::NoGo),
            _ => None,
        };
        let owner = |gate: Gate| match (owned(gate), gate.is_for_machines()) {
            (true, _) => plan.owner_of(gate).map(str::to_owned),
            (false, true) => Some(MACHINE.to_owned()),
            (false, false) => None,
        };
        let records = standings(decided).map(|(gate, standing)| GateRecord {
            gate,
            standing,
            owner: owner(gate),
            verdict: decided(gate).filter(|_| standing != Standing::NotReached),
            evidence: match (gate.is_for_machines(), seen(gate)) {
                (true, Some(Verdict::Go)) => format!("the machine saw that {}", gate.criterion()),
                (true, Some(Verdict::NoGo)) => {
                    format!("the machine saw that it is not so that {}", gate.criterion())
                }
                (true, None) => "nothing was seen that it could rest on".to_owned(),
                (false, _) => format!("a person has to say that {}", gate.criterion()),
            },
        });
        records.into()
    }

    /// Removes what the drill made, and looks whether it is gone.
    pub(super) async fn clean_up(&self) {
        self.drill.leftover.doing(Phase::CleanUp.name());
        let cleaning = async {
            let directory = self.drill.leftover.directory();
            let gone = self.drill.leftover.clear();
            let how = "the directory is not there any more";
            self.cleaned("caches, journals and temporary files on this machine", gone, how);
            if let Target::Environment(name) = &self.drill.plan.target {
                let how = "Prismic has no interface that deletes documents: archive them there before the next drill";
                self.evidence.lock().deviations.push(format!("{name} keeps what was restored. {how}"));
            }
            let left: Vec<String> = self
                .evidence
                .lock()
                .cleaned
                .iter()
                .filter(|own| !own.gone)
                .map(|own| own.what.clone())
                .collect();
            let begun = Instant::now();
            let seen = match left.is_empty() {
                true => "nothing".to_owned(),
                false => format!("{} (below {})", left.join(", "), directory.display()),
            };
            let outcome = Outcome::of(left.is_empty(), seen, Severity::Major);
            self.evidence.check(Phase::CleanUp, "clean-up", "nothing is left", begun, outcome);
            (if left.is_empty() { Ended::Good } else { Ended::Bad }, Vec::new(), ())
        };
        self.timeline.time(Phase::CleanUp, cleaning).await;
    }

    /// Puts the report together.
    pub(super) fn finish(self, verdicts: Verdicts) -> Finished {
        let drill = self.drill;
        let mut report = self.outline();
        let (took, drift) = self.timeline.end(&*drill.clock);
        let began = self.timeline.began();
        report.ended = rfc3339(began + TimeDelta::from_std(took).unwrap_or_default());
        report.took_ms = millis(took);
        report.clock_drift_seconds = drift.map(|drift| drift.num_seconds());
        report.gates = self.gate_records(verdicts);
        report.phases = self.timeline.phases();
        report.timeline = self.timeline.entries();
        let mut seen = std::mem::take(&mut *self.evidence.lock());
        for own in &drill.selected.repositories {
            if seen.recovered.iter().all(|known| known.repository != own.name) {
                seen.recovered.push(nothing_of(&own.name));
            }
        }
        seen.deviations.extend(drift.map(|drift| {
            let seconds = drift.num_seconds();
            format!("the clock of this machine jumped by {seconds} s; times are by the monotonic clock")
        }));
        seen.deviations.extend(drill.before.abandoned.iter().map(|own| {
            format!("an earlier drill was killed ({own}); what it had made on this machine was removed before this one began")
        }));
        report.objectives = self.judged(&report.phases, &seen.recovered, seen.erasure_replay);
        let missed: Vec<&Judged> = report.objectives.iter().filter(|own| own.light == Light::Red).collect();
        let is_interrupted = drill.cancel.is_cancelled();
        seen.met.extend(missed.iter().filter(|_| !is_interrupted).map(|own| {
            let what = format!("{}: wanted {}; measured: {}", own.objective, own.target, own.measured);
            Met::new(format!("objective:{}", own.objective), Severity::Major, what)
        }));
        let is_missed = !missed.is_empty();
        let is_wrong = seen.checks.iter().any(|own| own.light == Light::Red)
            || report.phases.iter().any(|own| matches!(own.ended, Ended::Broken | Ended::Skipped))
            || report.gates.iter().any(|own| own.standing == Standing::Stopped);
        let making =
            Making { drill: drill.id.as_str(), began, owner: self.owner(), due_days: drill.plan.due_days };
        report.findings = findings(&drill.before.open, seen.met, &making);
        report.result = match (is_interrupted, is_wrong || is_missed, report.findings.is_empty()) {
            (true, _, _) => DrillResult::Abandoned,
            (false, true, _) => DrillResult::Failed,
            (false, false, false) => DrillResult::PassedWithFindings,
            (false, false, true) => DrillResult::Passed,
        };
        report.outcome = outcome(report.result, &report.phases, &report.objectives, is_wrong);
        report.bottleneck = bottleneck(&report.phases)
            .map(|own| format!("{}: {}", own.phase.words(), in_words(Duration::from_millis(own.took_ms))));
        report.floor = floor(&seen.recovered);
        report.environment = self.environment();
        let repositories = self.repositories(&seen.recovered, &report.phases, is_wrong);
        report.repositories = seen.recovered;
        (report.checks, report.deviations, report.cleaned) = (seen.checks, seen.deviations, seen.cleaned);
        let mut files = seen.files;
        files.push((PLAN.to_owned(), drill.plan.text.clone().into()));
        files.push((CRITERIA.to_owned(), drill.plan.criteria().bytes().into()));
        Finished { report, files, repositories, is_wrong, is_missed, is_interrupted }
    }

    /// Who owns findings.
    fn owner(&self) -> &str {
        self.drill.plan.owner.as_deref().unwrap_or("nobody yet")
    }

    /// What the plan and the configuration say of a report; nothing of what was seen.
    fn outline(&self) -> Report {
        let drill = self.drill;
        let plan = drill.plan;
        let participants = plan.participants.iter().map(|own| Attendance {
            name: own.name.clone(),
            role: own.role.clone(),
            substitute: own.substitute.clone(),
            absent: plan.is_absent(&own.name),
        });
        let approved = plan.objectives.approved.as_ref();
        Report {
            schema: SCHEMA,
            drill: drill.id.clone(),
            vault: drill.before.vault,
            plan: plan.name.clone(),
            title: plan.title.clone(),
            real: drill.real.is_some(),
            result: DrillResult::Failed,
            outcome: String::new(),
            began: rfc3339(self.timeline.began()),
            ended: String::new(),
            took_ms: 0,
            clock_drift_seconds: None,
            plan_sha256: Digest::of(plan.text.as_bytes()),
            criteria_sha256: plan.criteria().digest(),
            environment: self.environment(),
            scenario: self.scenario(),
            exclusions: plan.exclusions.iter().map(|own| (own.what.clone(), own.reason.clone())).collect(),
            limits: NOT_IN_ANY_SNAPSHOT.iter().map(|(what, why)| format!("{what}: {why}")).collect(),
            participants: participants.collect(),
            contacts: self.contacts(),
            repositories: Vec::new(),
            objectives: Vec::new(),
            phases: Vec::new(),
            floor: None,
            bottleneck: None,
            checks: Vec::new(),
            timeline: Vec::new(),
            gates: Vec::new(),
            deviations: Vec::new(),
            findings: Vec::new(),
            owner: self.owner().to_owned(),
            due_days: plan.due_days,
            cleaned: Vec::new(),
            earlier: drill.before.earlier.clone(),
            abandoned: drill.before.abandoned.clone(),
            approved: approved.map(|(by, on)| Approved { by: by.clone(), on: on.to_string() }),
            incident: drill.real.as_ref().map(|real| self.incident(real)),
            said: Vec::new(),
            tabletop: self.questions(),
            closed: Vec::new(),
        }
    }

    /// Objectives against the worst of the repositories.
    fn judged(
        &self,
        phases: &[PhaseRecord],
        recovered: &[crate::drill::report::Recovered],
        erasure_replay: Option<bool>,
    ) -> Vec<Judged> {
        let disaster = self.drill.disaster(self.timeline.began());
        let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        let is_whole = recovered.iter().all(|own| own.snapshot.is_some());
        let oldest =
            recovered.iter().filter_map(|own| Some((time(&own.taken)?, time(&own.newest_edit)))).min();
        let documents =
            recovered.iter().fold((0, 0), |sum, own| (sum.0 + own.compared.0, sum.1 + own.compared.1));
        let was_compared = phases
            .iter()
            .any(|own| own.phase == Phase::Content && !matches!(own.ended, Ended::Broken | Ended::Skipped));
        let measured = Measured {
            recovery: recovery(phases).filter(|_| is_whole),
            recovered: oldest.filter(|_| is_whole),
            disaster: Some(disaster),
            documents: Some(documents).filter(|_| was_compared && is_whole),
            erasure_replay,
        };
        judge(&self.drill.plan.objectives, &measured)
    }

    fn repositories(
        &self,
        recovered: &[crate::drill::report::Recovered],
        phases: &[PhaseRecord],
        is_wrong: bool,
    ) -> Vec<DrilledRepository> {
        let took = recovery(phases);
        let each = recovered.iter().map(|own| DrilledRepository {
            repository: own.repository.clone(),
            snapshot: own.snapshot.clone(),
            good: !is_wrong && own.snapshot.is_some(),
            recovery_ms: took.filter(|_| own.snapshot.is_some()).map(millis),
            fidelity: own.snapshot.as_ref().map(|_| match own.compared {
                (0, _) => 1.0,
                (compared, equal) => equal as f64 / compared as f64,
            }),
        });
        each.collect()
    }

    fn environment(&self) -> Environment {
        let drill = self.drill;
        let replicas = drill.config.replicas.iter().map(|own| {
            let words: Vec<String> = drill
                .plan
                .scenario
                .iter()
                .filter(|injection| match injection {
                    Injection::ReplicaGone { replica } => *replica == own.name,
                    Injection::RegionGone { region } => own.region.as_ref() == Some(region),
                    Injection::PacksDamaged { replica, .. } => {
                        replica.as_ref().is_none_or(|replica| *replica == own.name)
                    }
                    _ => false,
                })
                .map(Injection::words)
                .collect();
            let what = if words.is_empty() { "as it is".to_owned() } else { words.join("; ") };
            (own.name.to_string(), what)
        });
        Environment {
            tool: format!("prismvault {}", env!("CARGO_PKG_VERSION")),
            configuration: drill.configuration,
            host: drill.machine.clone(),
            target: match &drill.plan.target {
                Target::Standby => "standby".to_owned(),
                Target::Sandbox => "sandbox".to_owned(),
                Target::Environment(name) => name.to_string(),
            },
            isolation: vec![
                "the vault is read through the scenario, which refuses every write".to_owned(),
                "caches and memory begin empty, in a directory that goes with the drill".to_owned(),
                match &drill.plan.target {
                    Target::Standby | Target::Sandbox => {
                        "what is restored answers on the loopback interface only"
                    }
                    Target::Environment(_) => "the target was checked to be empty and none of the sources",
                }
                .to_owned(),
            ],
            replicas: replicas.collect(),
            identities: self
                .timeline
                .phases()
                .into_iter()
                .filter(|own| own.phase == Phase::Keys)
                .flat_map(|own| own.notes)
                .collect(),
        }
    }

    fn scenario(&self) -> Vec<String> {
        let summary = std::iter::once(self.drill.plan.summary.clone());
        summary.chain(self.drill.plan.scenario.iter().map(Injection::words)).collect()
    }

    fn contacts(&self) -> Vec<(crate::ids::Name, Vec<String>)> {
        let plan = self.drill.plan;
        let of = |own: &crate::config::Repository| {
            let named =
                plan.contacts.iter().find(|(name, _)| *name == own.name).map(|(_, whom)| whom.clone());
            (own.name.clone(), named.unwrap_or_else(|| own.contacts.clone()))
        };
        self.drill.selected.repositories.iter().map(|own| of(own)).collect()
    }

    /// What no machine can rehearse, where people take part: it stays open until somebody answers.
    fn questions(&self) -> Vec<Answer> {
        let plan = self.drill.plan;
        if plan.participants.is_empty() && plan.gates.is_empty() {
            return Vec::new();
        }
        let names: Vec<crate::ids::Name> =
            self.drill.selected.repositories.iter().map(|own| own.name.clone()).collect();
        tabletop::asked(&tabletop::questions(plan, &names))
    }

    fn incident(&self, real: &Real) -> Incident {
        Incident {
            struck: rfc3339(real.struck),
            aware: rfc3339(real.aware),
            personal_data: real.personal_data,
            communications: communications(real, &self.contacts()),
        }
    }
}

/// Who is to be told of a real disaster, and until when.
fn communications(real: &Real, contacts: &[(crate::ids::Name, Vec<String>)]) -> Vec<Communication> {
    let mut due: Vec<Communication> = contacts
        .iter()
        .map(|(name, whom)| Communication {
            id: format!("contacts-{name}"),
            to: match whom.is_empty() {
                true => format!("whoever owns {name}; nobody is named in the configuration"),
                false => whom.join(", "),
            },
            why: "contacts of the repository, by the configuration".to_owned(),
            due: None,
            done: None,
        })
        .collect();
    if real.personal_data != Some(false) {
        let until = real.aware.checked_add_signed(TimeDelta::hours(AUTHORITY_HOURS)).map(rfc3339);
        let unknown = match real.personal_data {
            None => "; nobody has said yet whether personal data is concerned",
            Some(_) => "",
        };
        due.push(Communication {
            id: "authority".to_owned(),
            to: "the supervisory authority, by the controller".to_owned(),
            why: format!(
                "loss of availability of personal data is a breach: within 72 hours of becoming aware, unless it is unlikely to result in a risk (GDPR Art. 33(1)){unknown}"
            ),
            due: until,
            done: None,
        });
        due.push(Communication {
            id: "controller".to_owned(),
            to: "the controller, where you are a processor".to_owned(),
            why: format!("without undue delay after becoming aware (GDPR Art. 33(2)){unknown}"),
            due: None,
            done: None,
        });
        due.push(Communication {
            id: "persons".to_owned(),
            to: "the persons concerned, by the controller".to_owned(),
            why: format!("without undue delay where the risk for them is high (GDPR Art. 34){unknown}"),
            due: None,
            done: None,
        });
    }
    due
}

fn nothing_of(name: &crate::ids::Name) -> crate::drill::report::Recovered {
    crate::drill::report::Recovered {
        repository: name.clone(),
        snapshot: None,
        taken: None,
        newest_edit: None,
        documents: (0, 0),
        assets: (0, 0),
        compared: (0, 0),
        counts: Vec::new(),
        lost_edits: None,
    }
}

/// The least time that what was recovered takes through Prismic's write APIs, at their documented rates: one
/// request for each asset and each document, one after the other.
fn floor(recovered: &[crate::drill::report::Recovered]) -> Option<Floor> {
    let rates = Limits::default();
    let (documents, assets) =
        recovered.iter().fold((0u64, 0u64), |sum, own| (sum.0 + own.documents.0, sum.1 + own.assets.0));
    if documents + assets == 0 {
        return None;
    }
    let (of_assets, of_documents) =
        (assets as f64 / rates.asset_requests, documents as f64 / rates.migration_requests);
    let bound = match of_assets > of_documents {
        true => format!("Asset API, {} request a second", rates.asset_requests),
        false => format!("Migration API, {} request a second", rates.migration_requests),
    };
    Some(Floor { seconds: (of_assets + of_documents).ceil() as u64, requests: documents + assets, bound })
}

fn standing_words(standing: Standing) -> &'static str {
    match standing {
        Standing::NotReached => "not reached",
        Standing::Waits => "waits for a person",
        Standing::Passed => "passed",
        Standing::Stopped => "stopped",
    }
}

/// One sentence.
fn outcome(result: DrillResult, phases: &[PhaseRecord], objectives: &[Judged], is_wrong: bool) -> String {
    let broken = phases.iter().find(|own| own.ended == Ended::Broken);
    let missed: Vec<&str> =
        objectives.iter().filter(|own| own.light == Light::Red).map(|own| own.objective.as_str()).collect();
    match (result, broken) {
        (DrillResult::Abandoned, _) => "It was ended before it was over.".to_owned(),
        (_, Some(phase)) => format!("The recovery came to a halt: it could not {}.", phase.phase.words()),
        (DrillResult::Failed, None) if is_wrong => {
            "The recovery came to an end, and something in it is not as it must be.".to_owned()
        }
        (DrillResult::Failed, None) => {
            format!("Everything came back; objectives were missed: {}.", missed.join(", "))
        }
        (DrillResult::PassedWithFindings, None) => {
            "Everything came back as it was; something should be mended.".to_owned()
        }
        (DrillResult::Passed, None) => "Everything came back as it was.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_told_within_72_hours_of_becoming_aware() {
        let real = |personal_data| Real {
            struck: "2026-11-20T08:00:00Z".parse().unwrap(),
            aware: "2026-11-20T10:00:00Z".parse().unwrap(),
            personal_data,
        };
        let contacts = [
            ("blog".parse().unwrap(), vec!["dr@example.org".to_owned()]),
            ("shop".parse().unwrap(), Vec::new()),
        ];
        let ids =
            |real: &Real| communications(real, &contacts).into_iter().map(|own| own.id).collect::<Vec<_>>();
        assert_eq!(ids(&real(Some(false))), ["contacts-blog", "contacts-shop"]);
        let all = ["contacts-blog", "contacts-shop", "authority", "controller", "persons"];
        assert_eq!(ids(&real(Some(true))), all);
        assert_eq!(ids(&real(None)), all, "the clock runs while nobody knows");
        let due =
            communications(&real(None), &contacts).into_iter().find(|own| own.id == "authority").unwrap();
        assert_eq!(due.due.as_deref(), Some("2026-11-23T10:00:00Z"));
        assert!(due.why.contains("nobody has said yet"));
    }

    #[test]
    fn the_floor_is_what_the_documented_rates_allow() {
        let mut own = nothing_of(&"blog".parse().unwrap());
        assert_eq!(floor(std::slice::from_ref(&own)), None);
        (own.documents, own.assets) = ((100, 100), (2000, 2000));
        let floor = floor(&[own]).unwrap();
        assert_eq!((floor.seconds, floor.requests), (2100, 2100));
        assert!(floor.bound.starts_with("Asset API"), "{}", floor.bound);
    }
}
