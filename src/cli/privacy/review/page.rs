//! The review as a table, and what follows.

use serde::Serialize;

use super::answers::Desk;
use super::{Args, Taken};
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::privacy::desk::Shown;
use crate::cli::text::Table;
use crate::cli::units::counted;
use crate::cli::{Context, Outcome};
use crate::ids::{DecisionKey, Name};
use crate::privacy::case::Kind;
use crate::privacy::review::{Checked, Decided, Decision, Progress, Question};

/// Letters of a row that are shown, and needed to name it.
pub(super) const ROW_LETTERS: usize = 8;
/// Rows that are shown; worksheets have all.
const SHOWN_MAX: usize = 100;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    shown: Shown,
    review: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<Checked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<&'a Taken>,
    questions: Vec<Line<'a>>,
}

/// A question as it is shown.
#[derive(Serialize)]
struct Line<'a> {
    row: DecisionKey,
    evidence: String,
    #[serde(flatten)]
    place: Where<'a>,
    first: String,
    last: String,
    versions: u64,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a Decided>,
}

#[derive(Serialize)]
struct Where<'a> {
    repositories: String,
    document: &'a str,
    place: &'a str,
}

/// The evidence, in words.
pub(super) fn evidence(question: &Question) -> String {
    format!("{:?} {}", question.tier, question.rule.words())
}

/// Since when.
pub(super) fn first(question: &Question) -> String {
    question.from.as_ref().map(|from| from.time().date_naive().to_string()).unwrap_or_default()
}

/// Until when.
pub(super) fn last(question: &Question) -> String {
    match (question.is_live, question.is_in_newest, &question.to) {
        (true, ..) => "live".to_owned(),
        (_, true, _) => "newest".to_owned(),
        (_, _, Some(to)) => to.time().date_naive().to_string(),
        _ => "in no snapshot any more".to_owned(),
    }
}

/// The repositories it is in.
pub(super) fn repositories(question: &Question) -> String {
    question.repositories.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// The questions that a command is about.
pub(super) fn wanted<'d>(args: &Args, desk: &'d Desk) -> Vec<&'d Question> {
    match args.check {
        Some(share) => desk.review().sample(desk.questions(), share, &desk.actor),
        None => desk.questions().iter().filter(|question| args.all || desk.is_open(question)).collect(),
    }
}

/// Shows what is asked, and what was taken in.
pub(super) fn show(
    args: &Args,
    desk: &Desk,
    taken: Option<&Taken>,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let questions = wanted(args, desk);
    let lines = questions
        .iter()
        .map(|question| Line {
            row: question.key,
            evidence: evidence(question),
            place: Where {
                repositories: repositories(question),
                document: &question.path,
                place: &question.finding.place,
            },
            first: first(question),
            last: last(question),
            versions: question.versions,
            text: desk.text(question),
            // A second look is one that does not know the first.
            decision: match args.check {
                Some(_) => None,
                None => question.remembered(desk.review()).map(|remembered| &remembered.decided),
            },
        })
        .collect();
    let done = taken.filter(|taken| taken.changed + taken.differing + taken.agreed > 0);
    let checked = Some(desk.checked()).filter(|checked| checked.checked > 0);
    let report = Report {
        shown: desk.shown(done.map(|_| Kind::ReviewChanged), args.step.dry_run),
        review: desk.progress(),
        checked,
        taken,
        questions: lines,
    };
    let outcome = desk.outcome(context).worst(taken.map_or(Outcome::Complete, Taken::outcome));
    context.output.result(outcome, &report, || page(&report, desk, args.check.is_some()))?;
    Ok(outcome)
}

fn page(report: &Report<'_>, desk: &Desk, is_check: bool) -> Page {
    let mut page = Page::new();
    if let Some(taken) = report.taken {
        page = taken_lines(taken).into_iter().fold(page, Page::line);
    }
    if !report.questions.is_empty() {
        let mut table = Table::new(["row", "evidence", "where", "since", "until", "decision", "text"]);
        for line in report.questions.iter().take(SHOWN_MAX) {
            let row: String = line.row.to_string().chars().take(ROW_LETTERS).collect();
            let Where { repositories, document, place } = &line.place;
            table.row([
                row.into(),
                line.evidence.clone().into(),
                format!("{repositories}: {document} {place}").into(),
                line.first.clone().into(),
                line.last.clone().into(),
                line.decision.map(|decided| decided.decision.name()).unwrap_or_default().into(),
                line.text.into(),
            ]);
        }
        page = page.table(table);
        if let Some(more) = report.questions.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            page = page.line(format!("and {more} more: --worksheet FILE.html has all of them"));
        }
        page = page.line(match is_check {
            true => "Answer them on a terminal, or write them with --worksheet FILE.html".to_owned(),
            false => format!(
                "Decide them with --worksheet FILE.html, or one by one with --decide WHAT --row ROW: {}",
                Decision::ALL.map(Decision::name).join(", ")
            ),
        });
    } else if is_check {
        page = page.line(
            "Nothing is left for a second look by you: who decided cannot check it; --by NAME says who you are",
        );
    }
    page = page.line(progress_line(report.review));
    if let Some(checked) = &report.checked {
        page = page.line(checked_line(checked));
    }
    page.append(report.shown.page(desk.case()))
}

/// What was taken in, in words.
pub(super) fn taken_lines(taken: &Taken) -> Vec<String> {
    let mut lines = Vec::new();
    if taken.agreed + taken.differing + taken.refused.len() as u64 > 0 {
        lines.push(format!(
            "Took in {}, {} of which came to something else; those are unsure now",
            counted(taken.agreed + taken.differing, "second look"),
            taken.differing
        ));
    } else {
        lines.push(format!(
            "Took in {}; {} were there before",
            counted(taken.changed, "decision"),
            taken.unchanged
        ));
    }
    lines.extend(taken.refused.iter().map(|why| format!("Not taken: {why}")));
    lines
}

/// How far it is, in words.
pub(super) fn progress_line(Progress { decided, unsure, open }: Progress) -> String {
    format!("{} decided, {unsure} unsure, {open} open", counted(decided, "finding"))
}

fn checked_line(checked: &Checked) -> String {
    let Checked { rejected, checked, missed, rate } = *checked;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rate = rate.map(|rate| {
        format!(", {} (95 % interval {} to {})", percent(rate.share), percent(rate.low), percent(rate.high))
    });
    format!(
        "Second looks at {checked} of {rejected} rejected places of weak evidence; {missed} were decided otherwise{}",
        rate.unwrap_or_default()
    )
}

/// Shows that the review is finished.
pub(super) fn finished(args: &Args, desk: &Desk, context: &Context) -> Result<Outcome, CommandError> {
    let checked = Some(desk.checked()).filter(|checked| checked.checked > 0);
    let report = Report {
        shown: desk.shown(Some(Kind::ReviewFinished), args.step.dry_run),
        review: desk.progress(),
        checked,
        taken: None,
        questions: Vec::new(),
    };
    let outcome = desk.outcome(context);
    context.output.result(outcome, &report, || page(&report, desk, false))?;
    Ok(outcome)
}
