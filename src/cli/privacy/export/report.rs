//! What `privacy export` tells.

use serde::Serialize;

use crate::cli::output::Page;
use crate::cli::privacy::desk::Shown;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::privacy::case::Case;
use crate::privacy::package::{NotCopied, Survey, Written};
use crate::privacy::right::Right;

#[derive(Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) shown: Shown,
    pub(super) right: Right,
    pub(super) language: &'static str,
    pub(super) survey: Survey,
    /// What stands in the way; only of a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) blocked_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) package: Option<Written>,
    /// The key that signed it, for the letter to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// For people.
pub(super) fn page(report: &Report, case: &Case) -> Page {
    let mut page = Page::new();
    if let Some(package) = &report.package {
        let text = format!(
            " {} with {}, {} and {}",
            package.place.display(),
            counted(package.records, "entry"),
            counted(package.files, "copied file"),
            match package.hidden {
                0 => "nothing hidden".to_owned(),
                hidden => format!("something of others hidden in {}", counted(hidden, "entry")),
            }
        );
        page = page.line(Text::styled(Style::Green, "Made").and(Style::Plain, text));
        page = page.line(format!("Manifest: {}", package.manifest));
        if let Some(key) = &report.key {
            page = page
                .line(format!("Signed by {key}: put this key into the letter, so that the person can check"));
        }
        for file in &package.not_copied {
            let why = match file.why {
                NotCopied::Others => "others are in it as well; the texts about the person are given instead",
                NotCopied::NotRead => "it is larger than what is read",
            };
            page = page.line(format!("Not copied: {}: {why}", file.places.join(", ")));
        }
        if package.is_member {
            page = page.line(
                "The person has an account at Prismic, which answers for it itself: ask-prismic in the package has the words",
            );
        }
    } else {
        let survey = &report.survey;
        page = page.line(format!(
            "{} are the person, in {}, {} among them; {} are somebody else",
            counted(survey.person, "finding"),
            counted(survey.items, "item"),
            counted(survey.files, "file"),
            survey.others
        ));
        for blocked in &report.blocked_by {
            page =
                page.line(Text::styled(Style::Red, "In the way").and(Style::Plain, format!(": {blocked}")));
        }
        if report.blocked_by.is_empty() {
            page = page.line("Nothing stands in the way of the package");
        }
    }
    page.append(report.shown.page(case))
}
