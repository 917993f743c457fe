//! Parts of pages about drills: gates, and what to do next.

use crate::cli::output::Page;
use crate::cli::text::{Style, Table, Text};
use crate::drill::gate::{Standing, Verdict};
use crate::drill::measure::Light;
use crate::drill::report::{GateRecord, Report};
use crate::vault::format::drill::DrillResult;

/// A result, with its colour.
pub(super) fn result(result: DrillResult) -> Text {
    let style = match result {
        DrillResult::Passed => Style::Green,
        DrillResult::PassedWithFindings => Style::Yellow,
        DrillResult::Failed | DrillResult::Abandoned => Style::Red,
    };
    Text::styled(style, result.words())
}

/// A light, by word and colour.
pub(super) fn light(light: Light) -> Text {
    match light {
        Light::Green => Text::styled(Style::Green, "met"),
        Light::Grey => Text::styled(Style::Dim, "not judged"),
        Light::Red => Text::styled(Style::Red, "missed"),
    }
}

/// Who decides at a gate, in words.
pub(super) fn decider(gate: &GateRecord) -> &str {
    gate.owner.as_deref().unwrap_or("anybody who may sign off")
}

/// Where the gates stand.
pub(super) fn gates(report: &Report) -> Page {
    let mut table = Table::new(["gate", "stands", "decides", "evidence"]).spare(&["evidence"]);
    for own in &report.gates {
        let stands = match (own.standing, own.verdict) {
            (Standing::Passed, _) => Text::styled(Style::Green, "passed"),
            (Standing::Stopped, _) => Text::styled(Style::Red, "stopped"),
            (Standing::Waits, _) => Text::styled(Style::Yellow, "waits"),
            (Standing::NotReached, Some(Verdict::NoGo)) => Text::styled(Style::Red, "not reached, no-go"),
            (Standing::NotReached, _) => Text::styled(Style::Dim, "not reached"),
        };
        table.row([own.gate.to_string().into(), stands, decider(own).into(), own.evidence.clone().into()]);
    }
    Page::new().table(table)
}

/// What to do next, with commands.
pub(super) fn next_steps(report: &Report) -> Vec<String> {
    let drill = &report.drill;
    let mut steps = Vec::new();
    if let Some(gate) = report.waiting() {
        steps.push(format!(
            "the gate {} waits for {}: `prismvault drill sign-off {drill} --gate {} --as {} --key FILE --decision go|no-go --note TEXT`",
            gate.gate,
            decider(gate),
            gate.gate,
            gate.owner.as_deref().filter(|owner| *owner != "machine").unwrap_or("NAME"),
        ));
    }
    if let Some(gate) = report.gates.iter().find(|own| own.standing == Standing::Stopped) {
        steps.push(format!(
            "it is stopped at the gate {}: mend what was found, then `prismvault drill run {}`",
            gate.gate, report.plan
        ));
    }
    let communications = report.incident.iter().flat_map(|incident| &incident.communications);
    if let Some(open) = communications.into_iter().find(|own| own.done.is_none()) {
        let until = open.due.as_ref().map(|due| format!(" until {due}")).unwrap_or_default();
        steps.push(format!(
            "tell {}{until}, then `prismvault drill note {drill} --communication {} --as NAME --key FILE --note TEXT`",
            open.to, open.id
        ));
    }
    let unanswered = report.tabletop.iter().filter(|own| own.answer.is_none()).count();
    if unanswered > 0 {
        steps.push(format!(
            "{unanswered} of {} questions at the table are not answered: `prismvault drill answers {drill} FILE --as NAME --key FILE`",
            report.tabletop.len()
        ));
    }
    if let Some(open) = report.open_findings().next() {
        steps.push(format!(
            "when a finding is mended: `prismvault drill close {} --as NAME --note TEXT`",
            open.id
        ));
    }
    steps
}
