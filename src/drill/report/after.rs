//! A report as it stands after what people said since: a pure function of the signed record and of what follows.
//!
//! What may be said is decided here and nowhere else: before somebody signs a statement ([`refusal`]), and again
//! whenever statements are read ([`after`]), because whoever can write into a vault can write what the command
//! line refuses. A statement that the rules refuse changes nothing, and is told as a deviation.
//!
//! At gates:
//! - a gate is decided when all before it are passed;
//! - what the machine stopped stays stopped: what it found is mended, and drilled again. A person may stop what
//!   the machine passed, and take that back;
//! - the owner that the report names decides, or their substitute; where nobody is named, whoever may sign off;
//! - who was away by the scenario decides nothing;
//! - the last decision at a gate counts. A no makes void what people decided behind it: it is decided anew.

use std::collections::BTreeMap;

use super::{Answer, Closed, Report, Said};
use crate::clock::{Timestamp, rfc3339};
use crate::drill::findings::{Making, Met, findings};
use crate::drill::gate::{self, Gate, Standing, Verdict};
use crate::drill::scenario::Injection;
use crate::drill::tabletop;
use crate::drill::timeline::{Entry, MACHINE};

/// What somebody said, as it was signed and opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// In whose place.
    pub for_: Option<String>,
    /// Whether the configuration lets them sign off.
    pub may_sign_off: bool,
    /// What.
    pub what: What,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A decision.
    Decision {
        /// At which gate.
        gate: Gate,
        /// Which.
        verdict: Verdict,
        /// Why; `None`: no identity here reads it.
        note: Option<String>,
    },
    /// A note.
    Note {
        /// The note; `None`: no identity here reads it.
        text: Option<String>,
    },
    /// A communication has been made.
    Communication {
        /// Which.
        id: String,
        /// A note; `None`: no identity here reads it.
        note: Option<String>,
    },
    /// Answers of a tabletop exercise.
    Answers {
        /// The answers; `None`: no identity here reads them.
        answers: Option<Vec<Answer>>,
    },
}

/// Why a statement does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A gate that this drill has not.
    #[error("this drill has no gate {0}")]
    NoSuchGate(Gate),
    /// A gate before it is not passed.
    #[error("the gate {gate} is not reached: {before} {}", stands(.standing))]
    NotReached {
        /// The gate.
        gate: Gate,
        /// The first that is not passed.
        before: Gate,
        /// How that stands.
        standing: Standing,
    },
    /// The machine said no.
    #[error(
        "the machine stopped the gate {0}, and nobody passes what it stopped: mend what it found, and drill again"
    )]
    StoppedByMachine(Gate),
    /// The machine passed it: there is nothing to agree to.
    #[error("the machine passed the gate {0} already; people may only stop it (no-go)")]
    PassedByMachine(Gate),
    /// It is for the machine to decide, and it could not.
    #[error(
        "the gate {0} is the machine's, which saw nothing that decides it: people may only stop it (no-go)"
    )]
    UndecidedByMachine(Gate),
    /// Somebody else decides.
    #[error("{owner} decides at the gate {gate}{}", or_substitute(.substitute))]
    NotTheirs {
        /// The gate.
        gate: Gate,
        /// Who decides.
        owner: String,
        /// Who stands in for them.
        substitute: Option<String>,
    },
    /// The scenario has taken them away.
    #[error("{0} was away by the scenario of this drill, and decides nothing in it")]
    Away(String),
    /// The configuration does not let them.
    #[error("{0} may not sign off: [people.{0}] of the configuration has no may = [\"sign-off\"]")]
    MayNot(String),
    /// They stand in for nobody there, or for somebody else.
    #[error("{by} does not stand in for {for_} at this gate")]
    StandsInFor {
        /// Who.
        by: String,
        /// For whom they say to.
        for_: String,
    },
    /// No such communication.
    #[error("this drill has no communication {id:?}{}", still_open(.known))]
    NoSuchCommunication {
        /// As it was typed.
        id: String,
        /// Those that are open.
        known: Vec<String>,
    },
    /// It has been made.
    #[error("the communication {id} has been made already, at {at}")]
    AlreadyMade {
        /// Which.
        id: String,
        /// When.
        at: String,
    },
    /// Nobody asked.
    #[error("this drill has no question {0:?}")]
    NoSuchQuestion(String),
}

fn stands(standing: &Standing) -> &'static str {
    match standing {
        Standing::Stopped => "is stopped",
        _ => "is not passed",
    }
}

fn or_substitute(substitute: &Option<String>) -> String {
    substitute.as_ref().map(|name| format!(", or {name} in their place")).unwrap_or_default()
}

fn still_open(ids: &[String]) -> String {
    match ids {
        [] => ": none is open".to_owned(),
        ids => format!("; open are {}", ids.join(", ")),
    }
}

/// The report after all that people said since, in this order.
pub fn after(report: &Report, statements: &[Stated], closed: &[Closed]) -> Report {
    let mut course = Course::new(report);
    for (at, stated) in statements.iter().enumerate() {
        if let Err(refused) = course.say(stated) {
            let (n, by) = (at + 1, &stated.by);
            course.now.deviations.push(format!("statement {n}, by {by}, does not count: {refused}"));
        }
    }
    course.finish(closed)
}

/// Why somebody may not say that now; `None`: they may.
pub fn refusal(report: &Report, statements: &[Stated], next: &Stated) -> Option<Refused> {
    let mut course = Course::new(report);
    for stated in statements {
        // One that does not count changes nothing.
        course.say(stated).ok();
    }
    course.say(next).err()
}

/// In whose place somebody would decide at a gate; `None`: in their own.
pub fn in_place_of(report: &Report, gate: Gate, by: &str) -> Option<String> {
    let owner = report.gates.iter().find(|own| own.gate == gate)?.owner.as_deref()?;
    (owner != by && substitute_of(report, owner) == Some(by)).then(|| owner.to_owned())
}

fn substitute_of<'a>(report: &'a Report, owner: &str) -> Option<&'a str> {
    report.participants.iter().find(|own| own.name == owner)?.substitute.as_deref()
}

/// A report while people speak.
struct Course<'a> {
    recorded: &'a Report,
    now: Report,
    /// What was decided at each gate: by the machine before, by people since.
    decided: BTreeMap<Gate, Verdict>,
    /// What people decided at gates, with when and as whom.
    by_people: BTreeMap<Gate, (Verdict, Timestamp, String, bool)>,
    began: Option<Timestamp>,
}

impl<'a> Course<'a> {
    fn new(report: &'a Report) -> Self {
        let decided = report.gates.iter().filter_map(|own| Some((own.gate, own.verdict?))).collect();
        Self {
            recorded: report,
            now: report.clone(),
            decided,
            by_people: BTreeMap::new(),
            began: report.began.parse().ok(),
        }
    }

    fn standings(&self) -> [(Gate, Standing); 7] {
        gate::standings(|gate| self.decided.get(&gate).copied())
    }

    /// Takes in one statement, or says why it does not count.
    fn say(&mut self, stated: &Stated) -> Result<(), Refused> {
        let mut said = Said {
            at: rfc3339(stated.at),
            by: stated.by.clone(),
            for_: stated.for_.clone(),
            gate: None,
            verdict: None,
            communication: None,
            note: None,
        };
        let line = match &stated.what {
            What::Decision { gate, verdict, note } => {
                self.decide(stated, *gate, *verdict)?;
                (said.gate, said.verdict, said.note) = (Some(*gate), Some(*verdict), note.clone());
                with_note(format!("{} at the gate {gate}", verdict.name()), note.as_deref())
            }
            What::Note { text } => {
                said.note.clone_from(text);
                text.clone().unwrap_or_else(|| "a note, which no identity here reads".to_owned())
            }
            What::Communication { id, note } => {
                self.communicate(stated, id)?;
                (said.communication, said.note) = (Some(id.clone()), note.clone());
                with_note(format!("the communication {id} has been made"), note.as_deref())
            }
            What::Answers { answers } => {
                let words = self.answer(stated, answers.as_deref())?;
                said.note = Some(words.clone());
                words
            }
        };
        let since = self.began.map_or(0, |began| (stated.at - began).num_milliseconds());
        let at_ms = u64::try_from(since).unwrap_or(0);
        self.now.timeline.push(Entry { at_ms, by: stated.by.clone(), what: line });
        self.now.said.push(said);
        Ok(())
    }

    fn decide(&mut self, stated: &Stated, gate: Gate, verdict: Verdict) -> Result<(), Refused> {
        let recorded = self.recorded.gates.iter().find(|own| own.gate == gate);
        let recorded = recorded.ok_or(Refused::NoSuchGate(gate))?;
        if let Some((before, standing)) =
            self.standings().into_iter().find(|(own, standing)| *own < gate && *standing != Standing::Passed)
        {
            return Err(Refused::NotReached { gate, before, standing });
        }
        self.require_right(stated, gate, recorded.owner.as_deref())?;
        let is_machines = recorded.owner.as_deref() == Some(MACHINE);
        match (recorded.verdict, verdict) {
            (Some(Verdict::NoGo), Verdict::Go) => return Err(Refused::StoppedByMachine(gate)),
            (None, Verdict::Go) if is_machines => return Err(Refused::UndecidedByMachine(gate)),
            (Some(Verdict::Go), Verdict::Go) if is_machines && !self.by_people.contains_key(&gate) => {
                return Err(Refused::PassedByMachine(gate));
            }
            _ => {}
        }
        self.decided.insert(gate, verdict);
        self.by_people.insert(gate, (verdict, stated.at, stated.by.clone(), stated.for_.is_some()));
        if verdict == Verdict::NoGo {
            for later in Gate::ALL.into_iter().filter(|later| *later > gate) {
                if self.by_people.remove(&later).is_some() {
                    let before = self.recorded.gates.iter().find(|own| own.gate == later);
                    match before.and_then(|own| own.verdict) {
                        Some(verdict) => drop(self.decided.insert(later, verdict)),
                        None => drop(self.decided.remove(&later)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it is for them to decide.
    fn require_right(&self, stated: &Stated, gate: Gate, owner: Option<&str>) -> Result<(), Refused> {
        let by = &stated.by;
        // A substitute may be away as well, and has no line of their own among those who take part.
        let away = Injection::PersonAbsent { person: by.clone() }.words();
        if self.recorded.participants.iter().any(|own| own.name == *by && own.absent)
            || self.recorded.scenario.contains(&away)
        {
            return Err(Refused::Away(by.clone()));
        }
        if !stated.may_sign_off {
            return Err(Refused::MayNot(by.clone()));
        }
        let owner = owner.filter(|owner| *owner != MACHINE);
        let stands_in = owner.filter(|owner| owner != by).and_then(|_| in_place_of(self.recorded, gate, by));
        if let Some(owner) = owner
            && owner != by
            && stands_in.is_none()
        {
            let substitute = substitute_of(self.recorded, owner).map(str::to_owned);
            return Err(Refused::NotTheirs { gate, owner: owner.to_owned(), substitute });
        }
        match (&stated.for_, stands_in) {
            (Some(for_), stands_in) if stands_in.as_ref() != Some(for_) => {
                Err(Refused::StandsInFor { by: by.clone(), for_: for_.clone() })
            }
            _ => Ok(()),
        }
    }

    fn communicate(&mut self, stated: &Stated, id: &str) -> Result<(), Refused> {
        let all = self.now.incident.as_mut().map(|incident| &mut incident.communications);
        let mut all: Vec<_> = all.into_iter().flatten().collect();
        let open: Vec<String> =
            all.iter().filter(|own| own.done.is_none()).map(|own| own.id.clone()).collect();
        let found = all.iter_mut().find(|own| own.id == id);
        let found =
            found.ok_or_else(|| Refused::NoSuchCommunication { id: id.to_owned(), known: open.clone() })?;
        if let Some(at) = &found.done {
            return Err(Refused::AlreadyMade { id: id.to_owned(), at: at.clone() });
        }
        found.done = Some(rfc3339(stated.at));
        Ok(())
    }

    fn answer(&mut self, stated: &Stated, answers: Option<&[Answer]>) -> Result<String, Refused> {
        let Some(answers) = answers else {
            return Ok("answers at the table, which no identity here reads".to_owned());
        };
        let is_asked = |id: &str| self.now.tabletop.iter().any(|own| own.id == id);
        if let Some(answer) = answers.iter().find(|answer| !is_asked(&answer.id)) {
            return Err(Refused::NoSuchQuestion(answer.id.clone()));
        }
        for answer in answers {
            for own in self.now.tabletop.iter_mut().filter(|own| own.id == answer.id) {
                own.answer.clone_from(&answer.answer);
                own.rating = answer.rating;
                own.by = Some(stated.by.clone());
            }
        }
        Ok(format!("answered {} of {} questions at the table", answers.len(), self.now.tabletop.len()))
    }

    /// What answers at the table show to be wrong: findings like others from then on, under ids of their own.
    fn findings_of_table(&mut self) {
        let is_known = |met: &Met| self.now.findings.iter().any(|own| own.key == met.key);
        let met: Vec<Met> =
            tabletop::findings(&self.now.tabletop).into_iter().filter(|met| !is_known(met)).collect();
        let making = Making {
            drill: &format!("{}-table", self.now.drill),
            began: self.began.unwrap_or_default(),
            owner: &self.now.owner,
            due_days: self.now.due_days,
        };
        let found = findings(&[], met, &making);
        self.now.findings.extend(found);
    }

    fn finish(mut self, closed: &[Closed]) -> Report {
        self.findings_of_table();
        for (gate, standing) in self.standings() {
            let Some(own) = self.now.gates.iter_mut().find(|own| own.gate == gate) else { continue };
            own.standing = standing;
            own.verdict = self.decided.get(&gate).copied();
            let Some((verdict, at, by, is_substitute)) = self.by_people.get(&gate) else { continue };
            let who = match (&own.owner, is_substitute) {
                (_, true) => "the substitute of its owner",
                (Some(owner), false) if owner == by => "its owner",
                _ => "a person",
            };
            let words = format!("{} by {who}, {}", verdict.name(), rfc3339(*at));
            own.evidence = match own.evidence.as_str() {
                "" => words,
                before => format!("{before}; {words}"),
            };
            own.owner.get_or_insert_with(|| by.clone());
            if *verdict == Verdict::NoGo {
                self.now.outcome.push_str(&format!("; stopped by {who} at the gate {gate}"));
            }
        }
        for one in closed {
            let is_met = self.now.findings.iter().any(|own| own.id == one.finding);
            if is_met && !self.now.closed.iter().any(|known| known.finding == one.finding) {
                self.now.closed.push(one.clone());
            }
        }
        self.now.closed.sort_by(|a, b| (&a.at, &a.finding).cmp(&(&b.at, &b.finding)));
        self.now.timeline.sort_by_key(|entry| entry.at_ms);
        self.now
    }
}

fn with_note(words: String, note: Option<&str>) -> String {
    match note {
        Some(note) if !note.is_empty() => format!("{words}: {note}"),
        _ => words,
    }
}
