//! What no machine can rehearse, prepared from what is known: a pack for people around a table, and what becomes of
//! their answers.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`inventory`] | what there is to recover, and with what: repositories, copies, keys, the last drill |
//! | `injects` | what is thrown in, minute by minute, with questions whose ids stay the same |
//! | `gather` | that inventory, looked up in configuration and vault |
//! | [`mod@predict`] | how long a recovery takes, by the last drill and by Prismic's limits |
//! | `page` | the pack as a page that prints |
//! | [`worksheet`] | answers as a table, written and read back |
//!
//! Everything but `gather` is a pure function of a plan and an [`Inventory`]. Questions name roles and never people, because
//! they go into reports that leave the house.

mod gather;
mod injects;
pub mod inventory;
mod page;
pub mod predict;
#[cfg(test)]
mod tests;
pub mod worksheet;

use serde::Serialize;

pub use self::gather::{GatherError, gather};
pub use self::injects::{Question, questions};
pub use self::inventory::Inventory;
use self::predict::{Predicted, predict};
pub use self::worksheet::{RowError, parse_answers};
use super::findings::{Met, Severity};
use super::plan::Plan;
use super::report::{Answer, Floor, Rating};
use crate::ids::Name;

/// Version of the pack's JSON.
pub const SCHEMA: u32 = 1;

/// Everything that lies on the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pack {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the plan.
    pub plan: Name,
    /// What it is called.
    pub title: String,
    /// What has happened, in words.
    pub summary: String,
    /// What is injected, in words.
    pub scenario: Vec<String>,
    /// What is to be reached: objective and target.
    pub objectives: Vec<(String, String)>,
    /// Who takes part: role, name, substitute, whether the scenario has taken them away.
    pub participants: Vec<Seat>,
    /// Who decides at which gate, and by what: nobody where nobody is named.
    pub gates: Vec<(String, Option<String>, String)>,
    /// What there is.
    pub inventory: Inventory,
    /// How long it takes.
    pub predicted: Vec<Predicted>,
    /// Least time of a recovery of all of it into Prismic.
    pub floor: Floor,
    /// What is thrown in, in order.
    pub questions: Vec<Question>,
}

/// Somebody at the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// What they do.
    pub role: String,
    /// Their name.
    pub name: String,
    /// Who does it when they are not there.
    pub substitute: Option<String>,
    /// Whether the scenario has taken them away.
    pub absent: bool,
}

impl Pack {
    /// Puts a pack together.
    pub fn new(plan: &Plan, inventory: Inventory) -> Self {
        let names: Vec<Name> = inventory.repositories.iter().map(|own| own.repository.clone()).collect();
        Self {
            schema: SCHEMA,
            plan: plan.name.clone(),
            title: plan.title.clone(),
            summary: plan.summary.clone(),
            scenario: plan.scenario.iter().map(super::scenario::Injection::words).collect(),
            objectives: objectives(plan),
            participants: plan
                .participants
                .iter()
                .map(|own| Seat {
                    role: own.role.clone(),
                    name: own.name.clone(),
                    substitute: own.substitute.clone(),
                    absent: plan.is_absent(&own.name),
                })
                .collect(),
            gates: super::gate::Gate::ALL
                .map(|gate| {
                    let owner = match plan.gates.iter().find(|(own, _)| *own == gate) {
                        Some((_, owner)) => Some(owner.clone()),
                        None => gate.is_for_machines().then(|| "machine".to_owned()),
                    };
                    (gate.name().to_owned(), owner, gate.criterion().to_owned())
                })
                .into(),
            predicted: predict(&inventory),
            floor: predict::into_prismic(&inventory),
            questions: questions(plan, &names),
            inventory,
        }
    }

    /// The pack as a page that prints.
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// The worksheet, see [`worksheet::write`].
    pub fn csv(&self) -> Vec<u8> {
        worksheet::write(&asked(&self.questions))
    }

    /// The pack as JSON.
    ///
    /// # Panics
    ///
    /// Never: everything in it can be written as JSON.
    pub fn json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a pack can be written");
        bytes.push(b'\n');
        bytes
    }
}

fn objectives(plan: &Plan) -> Vec<(String, String)> {
    let own = &plan.objectives;
    let time = |time: Option<std::time::Duration>| {
        time.map_or_else(|| "not set".to_owned(), super::measure::in_words)
    };
    let erased = if own.erasure_replay { "nothing erased comes back" } else { "not set" };
    vec![
        ("Time to recover (RTO)".to_owned(), time(own.rto)),
        ("Loss of edits (RPO)".to_owned(), time(own.rpo)),
        ("Fidelity".to_owned(), format!("at least {:.3} % of the documents", own.fidelity * 100.0)),
        ("Erasure replay".to_owned(), erased.to_owned()),
    ]
}

/// Questions as a report carries them until somebody answers: each says that it is not answered.
pub fn asked(questions: &[Question]) -> Vec<Answer> {
    let open = |own: &Question| Answer {
        id: own.id.clone(),
        question: own.words(),
        answer: None,
        rating: None,
        by: None,
    };
    questions.iter().map(open).collect()
}

/// What answers show to be wrong. The answer itself stays out of it: it may name people.
pub fn findings(answers: &[Answer]) -> Vec<Met> {
    let met = |own: &Answer| {
        let (severity, words) = match own.rating? {
            Rating::Performed | Rating::SomeChallenges => return None,
            Rating::MajorChallenges => (Severity::Major, "had major challenges"),
            Rating::Unable => (Severity::Critical, "could not be done"),
        };
        let what = format!("at the table, {:?} {words}: {}", own.id, own.question);
        Some(Met::new(format!("tabletop:{}", own.id), severity, what))
    };
    answers.iter().filter_map(met).collect()
}
