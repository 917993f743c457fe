//! The report of a restore as a page that needs nothing else: no scripts, no fonts, no network.

use std::fmt::Write as _;

use super::report::{Ending, Report};
use crate::escape;

/// Differences that the page lists; the JSON beside it has all.
const LISTED_MAX: usize = 1000;

/// Renders a report.
pub fn report_page(report: &Report) -> String {
    let mut page = String::from(HEAD);
    let verdict = match report.ending {
        Ending::ReadBack if report.is_as_foretold() => ("good", "Restored, read back, and as it was"),
        Ending::ReadBack => ("bad", "Restored, read back, and not as it was"),
        Ending::WaitsForPublish { .. } => ("open", "Waits for the migration release to be published"),
        Ending::Open => ("open", "Not finished"),
    };
    put(&mut page, &format!("<h1>Restore of {}</h1>", escape::html(report.source.as_str())));
    put(&mut page, &format!("<p class=\"verdict {}\">{}</p>", verdict.0, verdict.1));
    let facts = [
        ("Restore", report.restore.to_string()),
        ("Snapshot", report.snapshot.to_string()),
        ("Target", format!("{} ({})", report.target, report.repository)),
        ("Began", report.started.to_rfc3339()),
        ("Ended", report.finished.to_rfc3339()),
    ];
    rows(&mut page, &["", ""], facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]));
    put(&mut page, "<h2>Steps</h2>");
    let steps = report.steps.iter().map(|step| {
        vec![step.label.clone(), step.count.to_string(), step.done.to_string(), step.requests.to_string()]
    });
    rows(&mut page, &["Step", "Count", "Done", "Requests"], steps);
    if let Some(back) = &report.read_back {
        put(&mut page, "<h2>Read back</h2>");
        let counts = [
            ("Documents compared", back.documents),
            ("of which equal", back.equal),
            ("Assets compared", back.assets),
            ("Models compared", back.models),
            ("Differences that were foretold", back.expected),
            ("Differences that were not", back.defects),
        ];
        rows(&mut page, &["", ""], counts.iter().map(|(name, n)| vec![(*name).to_owned(), n.to_string()]));
        let listed = back.differences.iter().take(LISTED_MAX).map(|difference| {
            let expected = difference.expected.map_or("no", |kind| kind.label());
            vec![
                difference.thing.to_owned(),
                difference.id.clone(),
                difference.new_id.clone().unwrap_or_default(),
                difference.path.clone(),
                difference.what.clone(),
                expected.to_owned(),
            ]
        });
        rows(&mut page, &["Thing", "Id", "New id", "Where", "What", "Foretold"], listed);
    }
    put(&mut page, "<h2>What Prismic could not take back</h2>");
    let checklist = report.fidelity.found.iter().chain(&report.fidelity.always).map(|row| {
        let count = row.count.map(|count| count.to_string()).unwrap_or_default();
        vec![count, row.label.to_owned(), row.what_to_do.to_owned()]
    });
    rows(&mut page, &["Count", "What", "What remains to be done"], checklist);
    if !report.problems.is_empty() {
        put(&mut page, "<h2>Problems</h2>");
        let problems =
            report.problems.iter().map(|problem| vec![problem.subject.clone(), problem.detail.clone()]);
        rows(&mut page, &["Subject", "Problem"], problems);
    }
    page.push_str("</body></html>\n");
    page
}

fn put(page: &mut String, html: &str) {
    page.push_str(html);
    page.push('\n');
}

/// Adds a table; nothing where it has no rows.
fn rows(page: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    put(page, "<table>");
    if heads.iter().any(|head| !head.is_empty()) {
        let cells: String = heads.iter().fold(String::new(), |cells, head| cells + "<th>" + head);
        put(page, &format!("<tr>{cells}"));
    }
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            // Writing to a string cannot fail.
            let _ = write!(page, "<td>{}", escape::html(&cell));
        }
        page.push('\n');
    }
    put(page, "</table>");
}

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Restore report</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1b1b; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; font-size: 0.9rem }
th, td { text-align: left; padding: 0.3rem 0.6rem; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; vertical-align: top }
.verdict { padding: 0.6rem 1rem; border-left: 0.4rem solid; font-weight: 600 }
.good { border-color: #1a7f37; background: #e9f7ee }
.bad { border-color: #b42318; background: #fdecea }
.open { border-color: #9a6700; background: #fff6dd }
</style></head><body>
"#;
