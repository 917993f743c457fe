//! The review as a dialogue on the terminal, place by place.
//!
//! **If we crash here** what was decided since it was last stored is asked again; it is stored every
//! [`STORED_EVERY`] answers, when the person leaves, and when the program is told to end.

use std::io::{BufRead as _, Write as _};

use super::answers::Desk;
use super::page::{evidence, first, last, progress_line, repositories, show, taken_lines, wanted};
use super::{Answers, Args, Taken};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::text::{Style, Text};
use crate::cli::{Context, Outcome};
use crate::privacy::review::worksheet::{self, Answer, Purpose};
use crate::privacy::review::{Decision, Question};

/// Answers after which they are stored.
const STORED_EVERY: usize = 20;

/// What can be typed.
const HELP: [&str; 9] = [
    "s          this is the subject",
    "n          not the subject: somebody else, or nobody",
    "u          unsure; the review cannot end with one of these",
    "k GROUND   the subject's, and kept with this legal ground",
    "t [WORDS]  the subject's, with others in it; hide these words in the copy, with | between",
    "a …        the same for all that are open in this document: a s, a n, …",
    "b          back to the one before",
    "Enter      leave it open and go on",
    "q          store what was decided, and stop",
];

/// Where a person is in the list of questions.
struct Dialogue {
    /// Places in the list of all questions.
    asked: Vec<usize>,
    /// Place in `asked`.
    at: usize,
    /// What was said and is not stored yet.
    given: Answers,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// On to the next question, or the same again.
    Next,
    /// Nothing was taken: why, and what can be typed.
    Again(String),
    /// The person wants to stop.
    Quit,
}

impl Dialogue {
    fn new(asked: Vec<usize>) -> Self {
        Self { asked, at: 0, given: Vec::new() }
    }

    /// The question that is asked now; `None` at the end.
    fn now(&self) -> Option<usize> {
        self.asked.get(self.at).copied()
    }

    /// Takes in what was typed.
    fn hear(&mut self, line: &str, questions: &[Question]) -> Heard {
        let Some(now) = self.now() else { return Heard::Quit };
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (word, rest, all) = match word.eq_ignore_ascii_case("a") {
            true => {
                let rest = rest.trim_start();
                let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                (word, rest, true)
            }
            false => (word, rest, false),
        };
        let decision = match word.to_ascii_lowercase().as_str() {
            "" if !all => {
                self.at += 1;
                return Heard::Next;
            }
            "b" if !all => {
                self.at = self.at.saturating_sub(1);
                return Heard::Next;
            }
            "q" if !all => return Heard::Quit,
            "s" => Decision::Subject,
            "n" => Decision::NotSubject,
            "u" => Decision::Unsure,
            "k" => Decision::Keep,
            "t" => Decision::ThirdParty,
            _ => return Heard::Again(HELP.join("\n")),
        };
        let (ground, redact) = if decision == Decision::ThirdParty { ("", rest) } else { (rest, "") };
        match worksheet::answer(decision, ground, redact) {
            Ok(answer) => {
                self.take(now, all, &answer, questions);
                Heard::Next
            }
            Err(why) => Heard::Again(why),
        }
    }

    fn take(&mut self, now: usize, all: bool, answer: &Answer, questions: &[Question]) {
        let path = |at: usize| questions.get(at).map(|question| &question.path);
        let rest = self.asked.iter().skip(self.at).copied();
        let same: Vec<usize> = match all {
            true => rest.take_while(|at| path(*at) == path(now)).collect(),
            false => vec![now],
        };
        self.at += same.len();
        for at in same {
            self.given.retain(|(other, _)| *other != at);
            self.given.push((at, answer.clone()));
        }
    }
}

/// Asks until everything is answered or the person stops, and stores what was said.
pub(super) async fn hold(args: &Args, mut desk: Desk, context: &Context) -> Result<Outcome, CommandError> {
    let purpose = if args.check.is_some() { Purpose::Check } else { Purpose::Review };
    let keys: Vec<_> = wanted(args, &desk).into_iter().map(|question| question.key).collect();
    let place = |key| desk.questions().iter().position(|question| question.key == key);
    let mut dialogue = Dialogue::new(keys.into_iter().filter_map(place).collect());
    if dialogue.now().is_none() {
        return show(args, &desk, None, context);
    }
    let mut all = Taken::default();
    context.output.message_page(&HELP.into_iter().fold(Page::new(), Page::line));
    while let Some(now) = dialogue.now() {
        let Some(question) = desk.questions().get(now) else { break };
        context.output.message_page(&asking(question, &dialogue, &desk, purpose));
        let line = tokio::select! {
            line = tokio::task::spawn_blocking(typed) => line.expect("reading a line does not panic")?,
            () = context.cancel.cancelled() => None,
        };
        let heard = match line {
            Some(line) => dialogue.hear(&line, desk.questions()),
            None => Heard::Quit,
        };
        match heard {
            Heard::Next => {}
            Heard::Again(why) => {
                context.output.message_page(&why.lines().fold(Page::new(), Page::line));
            }
            Heard::Quit => break,
        }
        if dialogue.given.len() >= STORED_EVERY {
            all.add(desk.take(purpose, std::mem::take(&mut dialogue.given), false).await?);
        }
    }
    if !dialogue.given.is_empty() {
        all.add(desk.take(purpose, dialogue.given, false).await?);
    }
    let mut page = taken_lines(&all).into_iter().fold(Page::new(), Page::line);
    page = page.line(progress_line(desk.progress()));
    let shown = desk.shown(None, false);
    let outcome = desk.outcome(context).worst(all.outcome());
    context.output.result(outcome, &shown, || page.append(shown.page(desk.case())))?;
    Ok(outcome)
}

/// The question, as it is shown.
fn asking(question: &Question, dialogue: &Dialogue, desk: &Desk, purpose: Purpose) -> Page {
    let head = format!("{} of {}  {}", dialogue.at + 1, dialogue.asked.len(), evidence(question));
    let versions = match question.versions {
        0 | 1 => String::new(),
        more => format!(", in {more} versions"),
    };
    let mut page = Page::new()
        .line("")
        .line(Text::styled(Style::Bold, head))
        .line(format!("{}: {} {}", repositories(question), question.path, question.finding.place))
        .line(format!("from {} to {}{versions}", first(question), last(question)))
        .line(format!("  {}", desk.text(question)));
    let said = dialogue.now().and_then(|now| dialogue.given.iter().find(|(at, _)| *at == now));
    let before = question.remembered(desk.review()).map(|remembered| remembered.decided.decision);
    let before = said.map(|(_, answer)| answer.decision).or(before.filter(|_| purpose == Purpose::Review));
    if let Some(decision) = before {
        page = page.line(format!("decided before: {}", decision.words()));
    }
    page
}

/// A line from the terminal; `None` at its end.
fn typed() -> Result<Option<String>, CommandError> {
    let failed = |error| CommandError::because(ErrorKind::Failed, "cannot ask", error);
    let mut terminal = std::io::stderr();
    terminal.write_all(b"s n u k t a b q ? > ").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::review::Review;
    use crate::privacy::review::tests::report;

    fn said(dialogue: &Dialogue) -> Vec<(usize, Decision)> {
        let mut said: Vec<_> = dialogue.given.iter().map(|(at, answer)| (*at, answer.decision)).collect();
        said.sort_unstable();
        said
    }

    #[test]
    fn what_is_typed_decides_goes_back_and_stops() {
        let questions = Review::begin().questions(&report(&[("a", 3), ("b", 2)]));
        assert_eq!(questions.len(), 5);
        let mut dialogue = Dialogue::new((0..5).collect());
        assert_eq!(dialogue.hear("s", &questions), Heard::Next);
        assert!(matches!(dialogue.hear("x", &questions), Heard::Again(_)));
        assert!(matches!(dialogue.hear("k", &questions), Heard::Again(why) if why.contains("legal ground")));
        assert!(matches!(dialogue.hear("a", &questions), Heard::Again(_)));
        assert_eq!(dialogue.hear("  K  Art. 17(3)(e): claim ", &questions), Heard::Next);
        assert_eq!(dialogue.given[1].1.ground.as_deref(), Some("Art. 17(3)(e): claim"));
        assert_eq!(dialogue.hear("b", &questions), Heard::Next);
        assert_eq!(dialogue.hear("t Otto Probe | Lena", &questions), Heard::Next);
        assert_eq!(dialogue.given.last().unwrap().1.redact, ["Otto Probe", "Lena"]);
        assert_eq!(dialogue.hear("", &questions), Heard::Next);
        // The rest of the second document only.
        assert_eq!(dialogue.hear("a n", &questions), Heard::Next);
        assert_eq!(
            said(&dialogue),
            [
                (0, Decision::Subject),
                (1, Decision::ThirdParty),
                (3, Decision::NotSubject),
                (4, Decision::NotSubject)
            ]
        );
        assert_eq!(dialogue.now(), None);
        assert_eq!(dialogue.hear("s", &questions), Heard::Quit);
    }

    #[test]
    fn all_of_a_document_stops_at_its_end() {
        let questions = Review::begin().questions(&report(&[("a", 3), ("b", 2)]));
        let mut dialogue = Dialogue::new((0..5).collect());
        assert_eq!(dialogue.hear("A S", &questions), Heard::Next);
        assert_eq!(dialogue.now(), Some(3));
        assert_eq!(said(&dialogue), [0, 1, 2].map(|at| (at, Decision::Subject)));
        assert_eq!(dialogue.hear("q", &questions), Heard::Quit);
    }
}
