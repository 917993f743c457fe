//! Findings as CSV (RFC 4180), for tables: a line each, with a header.

use super::Closed;
use crate::drill::findings::Finding;
use crate::escape::spreadsheet;

/// Writes the findings of a drill that has just run, of which none is closed.
///
/// # Panics
///
/// Never: memory takes what is written.
pub fn findings(findings: &[Finding]) -> Vec<u8> {
    findings_since(findings, &[])
}

/// Writes the findings, with those that somebody closed since. Cells that a spreadsheet would take for a formula
/// are defused.
///
/// # Panics
///
/// Never: memory takes what is written.
pub fn findings_since(findings: &[Finding], closed: &[Closed]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = ["id", "severity", "what", "owner", "since", "due", "times", "met", "closed", "closed by"];
    let put = |writer: &mut csv::Writer<Vec<u8>>, record: &[String]| {
        writer.write_record(record).expect("memory takes it");
    };
    put(&mut writer, &header.map(str::to_owned));
    for own in findings {
        let closed = closed.iter().find(|closed| closed.finding == own.id);
        let cells = [
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
        ];
        put(&mut writer, &cells.map(|cell| spreadsheet(&cell)));
    }
    writer.into_inner().expect("memory takes it")
}
