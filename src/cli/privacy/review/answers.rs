//! The review of a case while somebody works on it: what is asked, what was said, and storing it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Answers, Args, Taken};
use crate::cli::error::CommandError;
use crate::cli::hold::ended;
use crate::cli::privacy::desk::{Shown, StepOptions, actor, open_case};
use crate::cli::privacy::sources::Sources;
use crate::cli::privacy::subject::subject_of;
use crate::cli::session::Session;
use crate::cli::{Context, Outcome};
use crate::privacy::case::{Case, Event, Kind, What};
use crate::privacy::found;
use crate::privacy::matching::Matcher;
use crate::privacy::review::worksheet::Purpose;
use crate::privacy::review::{Checked, Decided, Decision, Progress, Question, Review};
use crate::privacy::search::{SearchReport, read_again};
use crate::privacy::store::StoredCase;
use crate::retry::Backoff;
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::open::Vault;

/// How often decisions are put into a case that somebody else is just writing to. No store tells when
/// that is done; with jitter, two do not meet again and again.
const ATTEMPTS: Backoff =
    Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1), attempts: 12 };

/// A case, what its last search found, and what was decided.
pub(super) struct Desk {
    pub(super) session: Session,
    pub(super) actor: String,
    stored: StoredCase,
    /// The case as it would be, in a dry run.
    rehearsed: Option<Case>,
    report: SearchReport,
    review: Review,
    questions: Vec<Question>,
    /// Texts as they are, by item of the report and finding in it, where they are wanted.
    texts: HashMap<(usize, usize), String>,
}

impl Desk {
    pub(super) async fn open(step: &StepOptions, context: &Context) -> Result<Self, CommandError> {
        let (session, stored) = open_case(&step.case, &step.identity, context).await?;
        let report = found::load_last(&session.vault, &stored).await?;
        let review = Review::load(&session.vault, &stored).await?;
        let questions = review.questions(&report);
        let actor = actor(step.by.as_deref(), &session.config);
        let texts = HashMap::new();
        Ok(Self { session, actor, stored, rehearsed: None, report, review, questions, texts })
    }

    /// The case; in a dry run as it would be.
    pub(super) fn case(&self) -> &Case {
        self.rehearsed.as_ref().unwrap_or(&self.stored.case)
    }

    pub(super) fn review(&self) -> &Review {
        &self.review
    }

    pub(super) fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The text around a finding: masked, unless it was read again.
    pub(super) fn text<'d>(&'d self, question: &'d Question) -> &'d str {
        self.texts.get(&(question.item, question.nth)).unwrap_or(&question.finding.excerpt)
    }

    /// Reads the texts of all questions as they are. What cannot be read any more stays masked, and is told.
    pub(super) async fn unmask(&mut self, context: &Context) -> Result<(), CommandError> {
        let matcher = Arc::new(Matcher::new(&subject_of(&self.stored.case)?, &[]));
        let wanted: HashSet<usize> = self.questions.iter().map(|question| question.item).collect();
        let sources = Sources::of(&self.session, context, &self.report).await?;
        let live = sources.live();
        let again = sources.again(&self.session, context, &live);
        let (mut texts, is_wanted) = (HashMap::new(), |item: usize, _: &_| wanted.contains(&item));
        let problems = read_again(&again, &self.report, &matcher, is_wanted, async |read| {
            for (nth, located) in read.located.iter().enumerate() {
                let Some(located) = located else { continue };
                let Some(passage) = read.passages.get(located.passage) else { continue };
                if let Some(text) = matcher.unmasked_excerpt(&passage.passage(), &located.finding) {
                    texts.insert((read.index, nth), text);
                }
            }
            Ok::<_, CommandError>(())
        })
        .await?;
        for problem in problems {
            context.output.warning(format!("{}: {}", problem.subject, problem.detail));
        }
        self.texts = texts;
        Ok(())
    }

    /// Whether nobody said anything of it yet, or nobody could tell.
    pub(super) fn is_open(&self, question: &Question) -> bool {
        question
            .remembered(&self.review)
            .is_none_or(|remembered| remembered.decided.decision == Decision::Unsure)
    }

    pub(super) fn progress(&self) -> Progress {
        self.review.progress(&self.report)
    }

    pub(super) fn checked(&self) -> Checked {
        self.review.checked(&self.questions)
    }

    pub(super) fn outcome(&self, context: &Context) -> Outcome {
        ended(&self.session, context)
    }

    pub(super) fn shown(&self, done: Option<Kind>, dry_run: bool) -> Shown {
        Shown::of(self.case(), done, dry_run)
    }

    fn event(&self, what: What, reason: Option<String>) -> Event {
        Event { at: self.session.vault.now(), actor: self.actor.clone(), reason, what }
    }

    /// Records an event, or in a dry run only looks whether it may be.
    pub(super) async fn record(
        &mut self,
        what: What,
        reason: Option<String>,
        dry_run: bool,
    ) -> Result<(), CommandError> {
        let event = self.event(what, reason);
        if dry_run {
            let mut case = self.case().clone();
            case.apply(event).map_err(VaultError::from)?;
            self.rehearsed = Some(case);
            return Ok(());
        }
        Ok(self.stored.record(&self.session.vault, event).await?)
    }

    /// Stores the key of a review that was never stored: rows that are shown or written now must be
    /// the same the next time.
    pub(super) async fn keep_key(&mut self, dry_run: bool) -> Result<(), CommandError> {
        if self.review.is_stored() || dry_run || !self.stored.case.state().stage.is_reviewed() {
            return Ok(());
        }
        self.save(None).await.map(drop)
    }

    /// Takes answers in and stores them. What somebody else recorded of the case meanwhile stays, and
    /// these come on top.
    pub(super) async fn take(
        &mut self,
        purpose: Purpose,
        answers: Answers,
        dry_run: bool,
    ) -> Result<Taken, CommandError> {
        // Whether it may be recorded at all, before anything is stored.
        let Progress { decided, unsure, open } = self.progress();
        let rehearsal = What::ReviewChanged { decided, unsure, open, decisions: None, key: None };
        self.stored.after(self.event(rehearsal, None))?;
        let said = Said { purpose, answers };
        let mut taken = self.apply(&said);
        if dry_run {
            let Progress { decided, unsure, open } = self.progress();
            let what = What::ReviewChanged { decided, unsure, open, decisions: None, key: None };
            self.record(what, None, true).await?;
        } else if taken.changed + taken.differing + taken.agreed > 0
            && let Some(again) = self.save(Some(&said)).await?
        {
            taken = again;
        }
        Ok(taken)
    }

    /// Stores the decisions and records that they changed; returns what was taken in where that had to be
    /// done again.
    async fn save(&mut self, said: Option<&Said>) -> Result<Option<Taken>, CommandError> {
        let mut again = None;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let vault = &self.session.vault;
            let what = self.review.store(vault, self.stored.case.id(), &self.report).await?;
            let event = self.event(what, None);
            match self.stored.record(&self.session.vault, event).await {
                Ok(()) => return Ok(again),
                // Somebody else records something at the same time: theirs first, then ours.
                Err(error) if error.kind == ErrorKind::Refused => {
                    let Some(pause) = ATTEMPTS.pause(attempt) else { return Err(error.into()) };
                    tokio::time::sleep(pause).await;
                    let stored = StoredCase::load(&self.session.vault, self.stored.case.id()).await?;
                    self.reload(stored).await?;
                    again = said.map(|said| self.apply(said));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the case as it is now. The same search is under review, or nothing is taken.
    async fn reload(&mut self, stored: StoredCase) -> Result<(), CommandError> {
        let search =
            |case: &Case| case.events().iter().filter(|event| event.what.kind() == Kind::Searched).count();
        if search(&stored.case) != search(&self.stored.case) {
            return Err(VaultError::new(
                ErrorKind::Refused,
                "the person was searched again while this review went on, so its rows are of an older search",
            )
            .hint(format!(
                "run `prismvault privacy review {}` again: what was decided before stays",
                stored.case.id()
            ))
            .into());
        }
        self.review = Review::load(&self.session.vault, &stored).await?;
        self.stored = stored;
        // In the same order, as they are of the same report; keys may be others.
        self.questions = self.review.questions_like(&self.questions);
        Ok(())
    }

    /// Puts what was said into the review.
    fn apply(&mut self, said: &Said) -> Taken {
        let mut taken = Taken::default();
        let at = self.session.vault.now();
        for (index, answer) in &said.answers {
            let Some(question) = self.questions.get(*index) else { continue };
            let decided = Decided {
                decision: answer.decision,
                ground: answer.ground.clone(),
                redact: answer.redact.clone(),
                by: self.actor.clone(),
                at,
            };
            match said.purpose {
                Purpose::Review => {
                    let is_same = question.remembered(&self.review).is_some_and(|before| {
                        let before = &before.decided;
                        (before.decision, &before.ground, &before.redact)
                            == (decided.decision, &decided.ground, &decided.redact)
                    });
                    if is_same {
                        taken.unchanged += 1;
                    } else {
                        taken.changed += 1;
                        self.review.decide(question, decided);
                    }
                }
                Purpose::Check => match self.review.check(question, decided) {
                    Ok(true) => taken.agreed += 1,
                    Ok(false) => taken.differing += 1,
                    Err(why) => taken.refused.push(format!("row r{}: {why}", question.key)),
                },
            }
        }
        taken
    }
}

/// What was said, of which questions.
struct Said {
    purpose: Purpose,
    answers: Answers,
}

/// Records how far the review of a new search is: what was decided before holds on.
pub(in crate::cli::privacy) async fn record_progress(
    stored: &mut StoredCase,
    vault: &Vault,
    report: &SearchReport,
    actor: &str,
) -> Result<(), CommandError> {
    let mut review = Review::load(vault, stored).await?;
    let what = review.store(vault, stored.case.id(), report).await?;
    let event = Event { at: vault.now(), actor: actor.to_owned(), reason: None, what };
    Ok(stored.record(vault, event).await?)
}

/// Forgets every decision.
pub(super) async fn anew(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let (session, mut stored) = open_case(&args.step.case, &args.step.identity, context).await?;
    let report = found::load_last(&session.vault, &stored).await?;
    let (vault, mut review) = (&session.vault, Review::begin());
    let Progress { decided, unsure, open } = review.progress(&report);
    let event = |what| Event {
        at: vault.now(),
        actor: actor(args.step.by.as_deref(), &session.config),
        reason: args.reason.clone(),
        what,
    };
    let what = What::ReviewChanged { decided, unsure, open, decisions: None, key: None };
    let mut case = stored.after(event(what))?;
    if !args.step.dry_run {
        let what = review.store(vault, stored.case.id(), &report).await?;
        stored.record(vault, event(what)).await?;
        case = stored.case;
    }
    let shown = Shown::of(&case, Some(Kind::ReviewChanged), args.step.dry_run);
    let outcome = ended(&session, context);
    context.output.result(outcome, &shown, || shown.page(&case))?;
    Ok(outcome)
}
