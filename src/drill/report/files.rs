//! All renderings of a report, under the names that they have in records and bundles.

use bytes::Bytes;

use super::{Report, csv, html, junit};

/// Name of the report as data.
pub const JSON: &str = "report.json";
/// Name of the report for systems that build and deploy.
pub const JUNIT: &str = "junit.xml";
/// Name of the table of findings.
pub const FINDINGS: &str = "findings.csv";
/// Name of the report for people.
pub const HTML: &str = "report.html";
/// Name of the plan.
pub const PLAN: &str = "plan.toml";
/// Name of the criteria.
pub const CRITERIA: &str = "criteria.json";

/// The report as data.
///
/// # Panics
///
/// Never: a report always serialises.
pub fn json(report: &Report) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(report).expect("a report always serialises");
    bytes.push(b'\n');
    bytes
}

/// Every rendering of a report. `pictures` gives files of the drill that the page shows, where they are at hand.
pub fn render(report: &Report, pictures: &dyn Fn(&str) -> Option<Bytes>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (JSON, json(report)),
        (HTML, html::page(report, pictures).into_bytes()),
        (JUNIT, junit::write(report).into_bytes()),
        (FINDINGS, csv::findings_since(&report.findings, &report.closed)),
    ]
}
