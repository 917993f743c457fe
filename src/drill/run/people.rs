//! Who takes part, and whether everybody who is needed can be reached.

use std::time::Instant;

use super::Running;
use super::evidence::Outcome;
use crate::drill::findings::Severity;
use crate::drill::gate::Gate;
use crate::drill::timeline::Phase;

impl Running<'_> {
    /// Looks whether somebody stands in for each person whom the scenario has taken away, and whether somebody
    /// decides at each gate that is for people.
    pub(super) fn people(&self) {
        let plan = self.drill.plan;
        for own in plan.participants.iter().filter(|own| plan.is_absent(&own.name)) {
            let begun = Instant::now();
            let name = format!("somebody stands in for the {}", own.role);
            let outcome = match plan.substitute_of(&own.name) {
                Some(_) => Outcome::good("the substitute that the plan names"),
                None => Outcome::bad("nobody whom the plan names can be reached", Severity::Major),
            };
            self.evidence.check(Phase::Locate, &name, "a substitute", begun, outcome);
        }
        let absent =
            plan.gates.iter().filter(|(gate, owner)| plan.is_absent(owner) && plan.owner_of(*gate).is_none());
        for (gate, _) in absent {
            let begun = Instant::now();
            let name = format!("somebody decides at the gate {gate}");
            let outcome = Outcome::bad("its owner cannot be reached, and nobody stands in", Severity::Major);
            self.evidence.check(Phase::Locate, &name, "an owner", begun, outcome);
        }
        let unowned: Vec<&str> = Gate::ALL
            .into_iter()
            .filter(|gate| !gate.is_for_machines() && plan.gates.iter().all(|(own, _)| own != gate))
            .map(Gate::name)
            .collect();
        if !unowned.is_empty() {
            let what = format!("the plan names nobody who decides at {}", unowned.join(", "));
            self.evidence.lock().deviations.push(what);
        }
    }
}
