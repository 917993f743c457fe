//! JUnit XML, as systems that build and deploy read it: a suite for the checks, one for objectives, one for gates.
//!
//! A check that could not be looked at is *skipped*; one that is not as expected is a *failure*. There is no formal
//! standard; the elements used here are those that every reader knows.

use std::fmt::Write as _;

use super::Report;
use crate::drill::gate::Standing;
use crate::drill::measure::Light;
use crate::escape::html;

/// Characters that XML 1.0 cannot hold, even escaped, become the sign for what is unreadable.
fn text(text: &str) -> String {
    let allowed = |char: char| match char {
        '\t' | '\n' | '\r' => char,
        char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        char => char,
    };
    html(&text.chars().map(allowed).collect::<String>())
}

struct Case {
    suite: &'static str,
    name: String,
    seconds: f64,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Writes the report.
pub fn write(report: &Report) -> String {
    let cases = cases(report);
    let count = |of: &[&Case], is: fn(&Outcome) -> bool| of.iter().filter(|case| is(&case.outcome)).count();
    let failed: fn(&Outcome) -> bool = |outcome| matches!(outcome, Outcome::Failed(_));
    let skipped: fn(&Outcome) -> bool = |outcome| matches!(outcome, Outcome::Skipped(_));
    let all: Vec<&Case> = cases.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let seconds = report.took_ms as f64 / 1000.0;
    let _ = writeln!(
        xml,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\" time=\"{seconds:.3}\">",
        text(report.plan.as_str()),
        all.len(),
        count(&all, failed),
        count(&all, skipped)
    );
    for suite in ["checks", "objectives", "gates"] {
        let own: Vec<&Case> = cases.iter().filter(|case| case.suite == suite).collect();
        let seconds: f64 = own.iter().map(|case| case.seconds).sum();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{suite}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\" time=\"{seconds:.3}\" timestamp=\"{}\">",
            own.len(),
            count(&own, failed),
            count(&own, skipped),
            text(report.began.trim_end_matches('Z'))
        );
        for case in own {
            let _ = write!(
                xml,
                "    <testcase classname=\"{}.{suite}\" name=\"{}\" time=\"{:.3}\"",
                text(report.plan.as_str()),
                text(&case.name),
                case.seconds
            );
            match &case.outcome {
                Outcome::Passed => xml.push_str("/>\n"),
                Outcome::Failed(why) => {
                    let _ = writeln!(xml, "><failure message=\"{}\"/></testcase>", text(why));
                }
                Outcome::Skipped(why) => {
                    let _ = writeln!(xml, "><skipped message=\"{}\"/></testcase>", text(why));
                }
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn cases(report: &Report) -> Vec<Case> {
    let of_light = |light: Light, why: String| match light {
        Light::Green => Outcome::Passed,
        Light::Red => Outcome::Failed(why),
        Light::Grey => Outcome::Skipped(why),
    };
    let checks = report.checks.iter().map(|own| Case {
        suite: "checks",
        name: format!("{}: {}", own.phase, own.name),
        seconds: own.took_ms as f64 / 1000.0,
        outcome: of_light(own.light, format!("expected {}; seen: {}", own.expected, own.seen)),
    });
    let objectives = report.objectives.iter().map(|own| Case {
        suite: "objectives",
        name: own.objective.clone(),
        seconds: 0.0,
        outcome: of_light(own.light, format!("target {}; measured: {}", own.target, own.measured)),
    });
    let gates = report.gates.iter().map(|own| Case {
        suite: "gates",
        name: own.gate.to_string(),
        seconds: 0.0,
        outcome: match own.standing {
            Standing::Passed => Outcome::Passed,
            Standing::Stopped => Outcome::Failed(own.evidence.clone()),
            Standing::Waits => Outcome::Skipped(format!(
                "waits for {}",
                own.owner.as_deref().unwrap_or("a person who is not named in the plan")
            )),
            Standing::NotReached => Outcome::Skipped("a gate before it is not passed".to_owned()),
        },
    });
    checks.chain(objectives).chain(gates).collect()
}
