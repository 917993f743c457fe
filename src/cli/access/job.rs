//! The access review as a job: written where content can be read, said to be due elsewhere.
//!
//! A review names people, so it goes into a new file that only its owner can read, and never to where
//! a scheduler prints. What is printed, told and recorded are names of the configuration, days, counts
//! and commands. On a host that reads no content, which is how it should be, a person has to make the
//! review: then the run says so, with the commands and how old the list is, and ends with 6, so that
//! whoever is told of the job is told of that.
//!
//! **A crash** leaves reviews that were written; the last may be cut off, and the next run writes each
//! of them anew.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Lists, review_of, write_new};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::exit::Outcome;
use crate::cli::output::Page;
use crate::cli::own_files;
use crate::cli::record::Finding;
use crate::cli::restore::ContentSession;
use crate::cli::session::{IdentityOptions, Session};
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::clock::{Timestamp, rfc3339};
use crate::config::Config;
use crate::ids::Name;
use crate::privacy::own_files::OutputKind;
use crate::vault::snapshots::Snapshots;

/// Repositories that one message names; the others it counts.
const NAMED_MAX: usize = 5;

#[derive(Serialize)]
struct Report {
    reviews: Vec<Line>,
}

/// What came of the review of one repository. Names nobody.
#[derive(Serialize)]
struct Line {
    repository: Name,
    /// When its members were last listed.
    listed: Option<String>,
    /// Days since.
    days: Option<i64>,
    /// The review, where it was written.
    file: Option<PathBuf>,
    /// How much stands out in it.
    remarks: Option<usize>,
    /// Why a person has to do something; `None` when the review is there, of a list that is young.
    due: Option<String>,
    /// What to do.
    next: Option<String>,
}

impl Line {
    fn age(&self) -> String {
        match self.days {
            None => "its members were never listed".to_owned(),
            Some(0) => "its members were listed today".to_owned(),
            Some(days) => format!("its members were listed {} ago", counted(days.unsigned_abs(), "day")),
        }
    }
}

/// Where reviews are written, or why they are not.
struct Desk {
    directory: Result<PathBuf, &'static str>,
    /// Command that makes a review by hand, but for the repository.
    by_hand: &'static str,
}

/// Reviews each repository of `names`: writes it into `to`, a directory from that of the configuration,
/// where content can be read here, and says for which it is due otherwise.
///
/// # Errors
///
/// When the vault cannot be opened or no replica can be read. A repository whose list is damaged is told,
/// and the others are reviewed.
pub(in crate::cli) async fn review_all(
    config: Config,
    names: Vec<Name>,
    to: Option<&Path>,
    identity: &IdentityOptions,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let session = Session::open_with(context, config, identity).await?;
    let snapshots = Snapshots::load(&session.vault, None).await?;
    let content = ContentSession { session, snapshots };
    let desk = desk(&content, to);
    let mut outcome = Outcome::Complete;
    let mut reviews = Vec::new();
    for name in names {
        match review_one(&content, &name, &desk).await {
            Ok(line) => {
                if let Some(file) = &line.file {
                    own_files::written(OutputKind::AccessReview, file, &content.session, context);
                }
                reviews.push(line);
            }
            Err(error) => {
                // Usage is said only before any work.
                outcome = outcome.worst(match error.kind.outcome() {
                    Outcome::Usage => Outcome::Failed,
                    outcome => outcome,
                });
                context.output.error(&error.within(format!("who has access to {name} was not reviewed")));
            }
        }
    }
    if let Some(finding) = finding(&reviews, desk.by_hand) {
        context.record.found(finding);
        outcome = outcome.worst(Outcome::ObjectiveMissed);
    }
    let report = Report { reviews };
    context.output.result(outcome, &report, || page(&report))?;
    content.session.warn_of_replicas(context);
    Ok(outcome)
}

fn desk(content: &ContentSession, to: Option<&Path>) -> Desk {
    let Session { vault, config } = &content.session;
    let home = config.file.parent().unwrap_or(Path::new(""));
    match (vault.require_content_identity(), to) {
        (Err(_), _) => Desk {
            directory: Err("no identity that is here reads content"),
            by_hand: "--to FILE --identity recovery.txt",
        },
        (Ok(()), None) => Desk {
            directory: Err("the job does not say where to write it (`to = \"DIRECTORY\"`)"),
            by_hand: "--to FILE",
        },
        (Ok(()), Some(to)) => Desk { directory: Ok(home.join(to)), by_hand: "--to FILE" },
    }
}

async fn review_one(content: &ContentSession, name: &Name, desk: &Desk) -> Result<Line, CommandError> {
    let Session { vault, config } = &content.session;
    let now = vault.now();
    let mut line = Line {
        repository: name.clone(),
        listed: None,
        days: None,
        file: None,
        remarks: None,
        due: None,
        next: None,
    };
    let import = format!("copy its members page, then `prismvault access import FILE --repository {name}`");
    let review = format!("`prismvault access review --repository {name} {}`", desk.by_hand);
    let Some(newest) = content.snapshots.access_lists(name).last() else {
        line.due = Some(line.age());
        line.next = Some(format!("{import}, then {review} where content can be read"));
        return Ok(line);
    };
    let listed = newest.id().time();
    let age = now.signed_duration_since(listed).to_std().unwrap_or_default();
    line.listed = Some(rfc3339(listed));
    line.days = Some(i64::try_from(age.as_secs() / 86_400).unwrap_or(i64::MAX));
    let is_old = age > config.limits.member_list_age_advised;
    match &desk.directory {
        Ok(directory) => {
            let lists = Lists::of(&content.snapshots, name, None, now)?;
            let written = review_of(content, config.repository(name.as_str())?, &lists).await?;
            line.remarks = Some(written.remarks.len());
            line.file = Some(write(directory, name, &written.to_markdown(), now)?);
            if is_old {
                (line.due, line.next) = (Some(line.age()), Some(format!("{import}, and run the job again")));
            }
        }
        Err(why) => {
            line.due = Some(format!("{why}; {}", line.age()));
            line.next = Some(match is_old {
                true => format!("{import}, then {review}"),
                false => format!("{review} where content can be read"),
            });
        }
    }
    Ok(line)
}

/// Writes a review into a new file of a directory that only its owner can read.
fn write(directory: &Path, name: &Name, sheet: &str, now: Timestamp) -> Result<PathBuf, CommandError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| {
        CommandError::because(ErrorKind::Failed, format!("cannot make {}", directory.display()), error)
            .hint("`to` of the job names the directory; this user must be able to write there")
    })?;
    let file = directory.join(format!("access-review-{name}-{}.md", now.format("%Y-%m-%dT%H%M%SZ")));
    write_new(&file, sheet)?;
    Ok(file)
}

/// What whoever is told of the job is told of the reviews that are due.
fn finding(reviews: &[Line], by_hand: &str) -> Option<Finding> {
    let due: Vec<&Line> = reviews.iter().filter(|line| line.due.is_some()).collect();
    if let [line] = due.as_slice() {
        let (name, why) = (&line.repository, line.due.as_deref().unwrap_or_default());
        return Some(Finding {
            what: format!("the access review of {name} is due: {why}"),
            next: line.next.clone().unwrap_or_default(),
        });
    }
    due.first()?;
    let named: Vec<&str> = due.iter().take(NAMED_MAX).map(|line| line.repository.as_str()).collect();
    let more = match due.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let never = due.iter().filter(|line| line.days.is_none()).count();
    let mut ages: Vec<String> = Vec::new();
    ages.extend(due.iter().filter_map(|line| line.days).max().map(|days| {
        format!("the oldest list of members was imported {} ago", counted(days.unsigned_abs(), "day"))
    }));
    ages.extend((never > 0).then(|| format!("the members of {never} were never listed")));
    Some(Finding {
        what: format!(
            "the access review of {} repositories is due ({}{more}): {}",
            due.len(),
            named.join(", "),
            ages.join(", ")
        ),
        next: format!(
            "for each `prismvault access import FILE --repository NAME`, then `prismvault access review --repository NAME {by_hand}` where content can be read"
        ),
    })
}

fn page(report: &Report) -> Page {
    report.reviews.iter().fold(Page::new(), |page, line| {
        let page = match (&line.file, line.remarks) {
            (Some(file), Some(remarks)) => page.line(format!(
                "{}: {} has {}; it names people, so treat it as you treat them",
                line.repository,
                file.display(),
                counted(remarks as u64, "remark")
            )),
            _ => page,
        };
        let Some(due) = &line.due else { return page };
        let text = format!("{}: {due}", line.repository);
        page.line(Text::styled(Style::Yellow, "due ").and(Style::Plain, text))
            .line(format!("  next: {}", line.next.as_deref().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, days: Option<i64>, due: bool) -> Line {
        Line {
            repository: name.parse().unwrap(),
            listed: None,
            days,
            file: None,
            remarks: None,
            due: due.then(|| "no identity that is here reads content".to_owned()),
            next: due.then(|| "`prismvault access review`".to_owned()),
        }
    }

    #[test]
    fn nothing_is_told_when_nothing_is_due() {
        assert_eq!(finding(&[], "--to FILE"), None);
        assert_eq!(finding(&[line("blog", Some(3), false)], "--to FILE"), None);
    }

    #[test]
    fn one_is_told_with_its_own_command_and_many_are_counted() {
        let one = finding(&[line("blog", Some(3), true), line("shop", Some(3), false)], "--to FILE").unwrap();
        assert_eq!(one.what, "the access review of blog is due: no identity that is here reads content");
        assert_eq!(one.next, "`prismvault access review`");
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut lines: Vec<Line> = names.iter().map(|name| line(name, Some(3), true)).collect();
        lines[1].days = Some(104);
        lines[5].days = None;
        let many = finding(&lines, "--to FILE").unwrap();
        assert_eq!(
            many.what,
            "the access review of 6 repositories is due (a, b, c, d, e and 1 more): the oldest list of members was imported 104 days ago, the members of 1 were never listed"
        );
        assert!(
            many.next.contains("`prismvault access review --repository NAME --to FILE`"),
            "{}",
            many.next
        );
    }
}
