//! The report for people.

use super::Report;
use super::finding::{Finding, Level, Section};
use super::replicas::Examined;
use crate::cli::output::Page;
use crate::cli::text::{Style, Table, Text};
use crate::cli::units::counted;
use crate::objects::probe::{CheckName, CheckOutcome};

/// Renders all of it: a table a replica, findings by section, and the sum.
pub(super) fn page(report: &Report) -> Page {
    let mut page = Page::new();
    for examined in &report.replicas {
        page = with_table(page, examined);
    }
    for section in Section::ALL {
        let of: Vec<&Finding> = report.findings.iter().filter(|finding| finding.section == section).collect();
        if of.is_empty() {
            continue;
        }
        page = page.line(Text::styled(Style::Bold, section.heading()));
        for finding in of {
            page = with_finding(page, finding);
        }
        page = page.line("");
    }
    let count = |level| report.findings.iter().filter(|finding| finding.level == level).count() as u64;
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let style = match (errors, warnings) {
        (0, 0) => Style::Green,
        (0, _) => Style::Yellow,
        _ => Style::Red,
    };
    page.line(Text::styled(style, format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))))
}

fn with_finding(page: Page, finding: &Finding) -> Page {
    let (style, word) = match finding.level {
        Level::Ok => (Style::Green, "ok      "),
        Level::Notice => (Style::Cyan, "notice  "),
        Level::Warning => (Style::Yellow, "warning "),
        Level::Error => (Style::Red, "error   "),
    };
    let mut page = page.line(
        Text::styled(style, format!("  {word}"))
            .and(Style::Plain, format!("{}: {}", finding.subject, finding.what)),
    );
    if let Some(why) = &finding.why {
        page = page.line(format!("            {why}"));
    }
    if let Some(next) = &finding.next {
        page = page.line(Text::styled(Style::Dim, "       next ").and(Style::Plain, next.as_str()));
    }
    page
}

fn with_table(page: Page, examined: &Examined) -> Page {
    let mut table = Table::new([" ", "", "time", "seen"]).right(&["time"]).spare(&["time"]);
    for check in &examined.probe.checks {
        if matches!(check.name, CheckName::Multipart | CheckName::CleanUp)
            || (check.outcome == CheckOutcome::NotAsked && check.name == CheckName::DefaultLock)
        {
            continue;
        }
        let outcome = match check.outcome {
            CheckOutcome::Yes => Text::styled(Style::Green, "yes"),
            CheckOutcome::No => Text::styled(Style::Yellow, "no"),
            CheckOutcome::Failed => Text::styled(Style::Red, "failed"),
            CheckOutcome::NotAsked => Text::styled(Style::Dim, "not asked"),
        };
        table.row([
            format!("  {}", words(check.name)).into(),
            outcome,
            format!("{} ms", check.milliseconds).into(),
            check.detail.clone().into(),
        ]);
    }
    let kept = if examined.kept { "the answer is kept on the replica" } else { "the answer is not kept" };
    page.line(
        Text::styled(Style::Bold, format!("Replica {}", examined.name))
            .and(Style::Plain, format!(" at {}; {kept}", examined.probe.store)),
    )
    .table(table)
    .line("")
}

fn words(check: CheckName) -> &'static str {
    match check {
        CheckName::Write => "write",
        CheckName::ReadBack => "read",
        CheckName::RangeRead => "range read",
        CheckName::Overwrite => "overwrite",
        CheckName::ListAfterPut => "list shows what was put",
        CheckName::StoredChecksum => "stored checksums",
        CheckName::WrongChecksumRefused => "wrong checksum refused",
        CheckName::CreateOnly => "conditional put",
        CheckName::Delete => "delete",
        CheckName::Versions => "versioning",
        CheckName::ObjectLock => "Object Lock",
        CheckName::DefaultLock => "locks by itself",
        CheckName::Clock => "clock",
        CheckName::Multipart => "multipart",
        CheckName::CleanUp => "clean up",
    }
}
