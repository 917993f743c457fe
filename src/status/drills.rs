//! What records of drills say: when each repository was last shown to come back, what findings are open, and which
//! gates wait for somebody.
//!
//! Only the clear part of a record is read, which names nobody: the host that looks reads no content. What is not
//! signed by the vault, damaged, or dated in the future is not believed, and told.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::alarms::{Alarm, Severity};
use super::assess::in_words;
use super::facts::{Drill, DrillFacts, Facts, FailedDrill, RepositoryFacts, WaitingGate};
use crate::clock::{Timestamp, rfc3339};
use crate::config::Config;
use crate::ids::Name;
use crate::limits::Limits;
use crate::progress::Problem;
use crate::vault::drills::{self, Signatory, StoredDrill};
use crate::vault::error::Result;
use crate::vault::format::drill::{DrillFile, DrillResult, DrilledRepository, Statement};
use crate::vault::layout;
use crate::vault::open::Vault;

/// What the records say.
pub(super) struct Drills {
    /// Records that count, with when each ended: the newest last.
    all: Vec<(Timestamp, DrillFile)>,
    /// What is left to do.
    pub(super) facts: DrillFacts,
}

impl Drills {
    /// Reads all records.
    ///
    /// # Errors
    ///
    /// When no replica could be listed.
    pub(super) async fn load(vault: &Vault, config: &Config, at: Timestamp) -> Result<Self> {
        let (stored, unreadable) = drills::all(vault).await?;
        let mut own = Self { all: Vec::new(), facts: DrillFacts { unreadable, ..DrillFacts::default() } };
        let skew = TimeDelta::from_std(vault.limits().clock_skew_max).unwrap_or_default();
        let mut newest: BTreeMap<Name, (Timestamp, StoredDrill)> = BTreeMap::new();
        for drill in stored {
            let ended = match drill.file.ended.parse::<Timestamp>() {
                // A clock that was wrong would keep a promise for years.
                Ok(ended) if ended > at + skew => {
                    Err(format!("it says that it ended on {}, in the future", rfc3339(ended)))
                }
                Ok(ended) => Ok(ended),
                Err(_) => Err("it does not say when it ended".to_owned()),
            };
            match ended {
                // It showed nothing, and what is open is in the one before it.
                Ok(_) if drill.file.result == DrillResult::Abandoned => {}
                Ok(ended) => {
                    own.all.push((ended, drill.file.clone()));
                    let known = newest.get(&drill.file.plan).is_some_and(|(known, _)| *known > ended);
                    if !known {
                        newest.insert(drill.file.plan.clone(), (ended, drill));
                    }
                }
                Err(why) => {
                    let key = layout::drill(&drill.file.drill);
                    own.facts.unreadable.push(Problem::new("drill-unreadable", key, why));
                }
            }
        }
        // Of two that ended in one second the one that failed counts as the later.
        let key =
            |(ended, file): &(Timestamp, DrillFile)| (*ended, !file.result.is_good(), file.drill.clone());
        own.all.sort_by_key(key);
        own.left_to_do(vault, config, newest).await?;
        Ok(own)
    }

    /// What the newest drill of each plan leaves to do; what an earlier one left is carried over into it.
    async fn left_to_do(
        &mut self,
        vault: &Vault,
        config: &Config,
        newest: BTreeMap<Name, (Timestamp, StoredDrill)>,
    ) -> Result<()> {
        let some_open = newest.values().any(|(_, drill)| !drill.file.open.is_empty());
        let closed = if some_open { drills::closed(vault).await? } else { BTreeMap::new() };
        for (ended, drill) in newest.into_values() {
            let open = drill.file.open.iter().filter(|finding| !closed.contains_key(&finding.id));
            self.facts.findings.extend(open.cloned());
            if !drill.file.awaits.is_empty() {
                self.facts.waiting.extend(waiting(vault, config, &drill, ended).await?);
            }
        }
        self.facts.findings.sort_by(|a, b| a.due.cmp(&b.due).then_with(|| a.id.cmp(&b.id)));
        Ok(())
    }

    /// The records about a repository, the newest first.
    fn of<'a>(
        &'a self,
        name: &'a Name,
    ) -> impl Iterator<Item = (Timestamp, &'a DrillFile, &'a DrilledRepository)> {
        let about = move |(ended, file): &'a (Timestamp, DrillFile)| {
            let own = file.repositories.iter().find(|own| own.repository == *name)?;
            Some((*ended, file, own))
        };
        self.all.iter().rev().filter_map(about)
    }

    /// The last drill that ended well and in which the repository came back.
    pub(super) fn last_good(&self, name: &Name) -> Option<Drill> {
        let (ended, _, own) = self.of(name).find(|(_, file, own)| file.result.is_good() && own.good)?;
        Some(Drill { ended, recovery: own.recovery_ms.map(millis), fidelity: own.fidelity })
    }

    /// The last drill of the repository, where it failed.
    pub(super) fn last_failed(&self, name: &Name) -> Option<FailedDrill> {
        let (ended, file, own) =
            self.of(name).next().filter(|(_, file, own)| !(file.result.is_good() && own.good))?;
        Some(FailedDrill {
            drill: file.drill.clone(),
            ended,
            came_back: own.good,
            recovery: own.recovery_ms.filter(|_| own.good).map(millis),
            fidelity: own.fidelity,
        })
    }
}

fn millis(count: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(count).unwrap_or(i64::MAX / 2))
}

/// The gate at which a drill waits for somebody, if it does: the first that nobody has decided.
async fn waiting(
    vault: &Vault,
    config: &Config,
    drill: &StoredDrill,
    ended: Timestamp,
) -> Result<Option<WaitingGate>> {
    let people = config
        .people
        .iter()
        .filter_map(|person| Some(Signatory { name: person.name.clone(), key: person.key.parse().ok()? }));
    let (statements, _) = drills::statements(vault, drill, &people.collect::<Vec<_>>()).await?;
    let mut since = ended;
    for awaited in &drill.file.awaits {
        // The last word counts.
        let said = statements.iter().rev().find_map(|one| match &one.file.what {
            Statement::Decision { gate, verdict } if gate == awaited => Some((verdict, &one.file.at)),
            _ => None,
        });
        let Some((verdict, at)) = said else {
            let (drill, gate) = (drill.file.drill.clone(), awaited.clone());
            return Ok(Some(WaitingGate { drill, gate, since }));
        };
        if verdict != "go" {
            // Somebody stopped it: nobody is waited for.
            return Ok(None);
        }
        since = at.parse().unwrap_or(since).max(since);
    }
    Ok(None)
}

/// A rehearsal of this repository that failed, where none ended well since.
fn failed(own: &RepositoryFacts) -> Option<Alarm> {
    let failed = own.failed_drill.as_ref()?;
    let id = &failed.drill;
    let (severity, what) = match failed.came_back {
        false => (Severity::Critical, format!("the last drill, {id}, did not bring this repository back")),
        true => (
            Severity::Warning,
            format!("this repository came back in the last drill, {id}, which failed all the same"),
        ),
    };
    let next = format!("prismvault drill show {id}; mend what it names, and run the drill again");
    let alarm = Alarm::new(format!("drill-failed:{}", own.repository), severity, what, next);
    Some(alarm.of(&own.repository).since(Some(failed.ended)))
}

/// What drills say that somebody should know.
pub(super) fn alarms(facts: &Facts, limits: &Limits, now: Timestamp) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = facts.repositories.iter().filter_map(failed).collect();
    let today = now.date_naive();
    for finding in facts.drills.findings.iter().filter(|finding| today > finding.due) {
        let (id, grave, due) = (&finding.id, &finding.severity, finding.due);
        let severity = if grave == "critical" { Severity::Critical } else { Severity::Warning };
        let what = format!("the {grave} finding {id} of a drill was to be mended by {due}");
        let next = format!("when it is mended: prismvault drill close {id} --note …");
        let since = due.succ_opt().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|since| since.and_utc());
        alarms.push(Alarm::new(format!("drill-finding-overdue:{id}"), severity, what, next).since(since));
    }
    let patience = TimeDelta::from_std(limits.drill_gate_wait).unwrap_or(TimeDelta::MAX);
    for WaitingGate { drill, gate, since } in &facts.drills.waiting {
        let waits = now.signed_duration_since(*since);
        if waits <= patience {
            continue;
        }
        let what =
            format!("the drill {drill} waits for a decision at the gate {gate}, for {}", in_words(waits));
        let next = format!(
            "who decides there: prismvault drill sign-off {drill} --gate {gate} --as NAME --decision go|no-go --note …"
        );
        alarms.push(
            Alarm::new(format!("drill-waits:{drill}"), Severity::Warning, what, next).since(Some(*since)),
        );
    }
    for problem in &facts.drills.unreadable {
        let Problem { subject, detail, .. } = problem;
        let what = format!("the record {subject} is not believed: {detail}");
        let next = "prismvault verify compares the replicas; prismvault repair mends from a good copy";
        alarms.push(Alarm::new(format!("drill-unreadable:{subject}"), Severity::Warning, what, next));
    }
    alarms
}
