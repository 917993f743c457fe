//! Findings as a table: a line each, with a header.

use super::Closed;
use crate::drill::findings::Finding;
use crate::spreadsheet;

/// Writes the findings of a drill that has just run, of which none is closed.
pub fn findings(findings: &[Finding]) -> Vec<u8> {
    findings_since(findings, &[])
}

/// Writes the findings, with those that somebody closed since.
pub fn findings_since(findings: &[Finding], closed: &[Closed]) -> Vec<u8> {
    let heads = ["id", "severity", "what", "owner", "since", "due", "times", "met", "closed", "closed by"];
    let rows = findings.iter().map(|own| {
        let closed = closed.iter().find(|closed| closed.finding == own.id);
        [
            own.id.clone(),
            own.severity.to_string(),
            own.what.clone(),
            own.owner.clone(),
            own.since.to_string(),
            own.due.to_string(),
            own.times.to_string(),
            if own.met { "yes" } else { "carried over" }.to_owned(),
            closed.map(|closed| closed.at.clone()).unwrap_or_default(),
            closed.map(|closed| closed.by.clone()).unwrap_or_default(),
        ]
    });
    spreadsheet::write(heads, rows)
}
