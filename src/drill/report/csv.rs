//! Findings as CSV (RFC 4180), for tables: a line each, with a header.

use crate::drill::findings::Finding;
use crate::escape::spreadsheet;

/// Writes the findings. Cells that a spreadsheet would take for a formula are defused.
///
/// # Panics
///
/// Never: memory takes what is written.
pub fn findings(findings: &[Finding]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = ["id", "severity", "what", "owner", "since", "due", "times", "met"];
    let put = |writer: &mut csv::Writer<Vec<u8>>, record: &[String]| {
        writer.write_record(record).expect("memory takes it");
    };
    put(&mut writer, &header.map(str::to_owned));
    for own in findings {
        let cells = [
            own.id.clone(),
            own.severity.to_string(),
            own.what.clone(),
            own.owner.clone(),
            own.since.to_string(),
            own.due.to_string(),
            own.times.to_string(),
            if own.met { "yes" } else { "carried over" }.to_owned(),
        ];
        put(&mut writer, &cells.map(|cell| spreadsheet(&cell)));
    }
    writer.into_inner().expect("memory takes it")
}
