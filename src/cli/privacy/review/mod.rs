//! `prismvault privacy review`: what was found, decided place by place.

mod answers;
mod dialogue;
mod page;
mod sheet;

use std::path::PathBuf;

use self::answers::Desk;
use super::desk::StepOptions;
use crate::cli::confirm::{can_ask, parse_reason};
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::record::Effect;
use crate::cli::{Context, Outcome};
use crate::privacy::case::What;
use crate::privacy::matching::Tier;
use crate::privacy::review::worksheet::{self, Answer, Purpose};
use crate::privacy::review::{Decision, Progress, Question};

pub(super) use self::answers::record_progress;

/// Arguments of `privacy review`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").args(["worksheet", "from", "decide", "finish"]))]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) step: StepOptions,
    /// Write what is open as a worksheet: FILE.html for a browser, FILE.csv for a spreadsheet
    #[arg(long, value_name = "FILE")]
    worksheet: Option<PathBuf>,
    /// Take in a worksheet that was filled in; nothing is taken while anything in it is wrong
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Decide the places named by --row or --evidence: subject, not-subject, unsure, keep, third-party
    #[arg(long, value_name = "DECISION", requires = "which")]
    decide: Option<Decision>,
    /// The place, by the first letters of its row; may be given several times
    #[arg(long = "row", value_name = "ROW", group = "which", requires = "decide")]
    rows: Vec<String>,
    /// All open places with evidence of this strength: A, B, C, D
    #[arg(long, value_name = "LETTER", group = "which", requires = "decide", value_parser = parse_tier)]
    evidence: Option<Tier>,
    /// With --decide: the legal ground of what is kept, or a remark
    #[arg(long, requires = "decide", value_parser = parse_reason)]
    ground: Option<String>,
    /// With --decide: words of other people that the copy for the person must not show
    #[arg(long, value_name = "WORDS", requires = "decide")]
    hide: Vec<String>,
    /// Show, or write, what is decided as well
    #[arg(long, conflicts_with_all = ["from", "finish", "check"])]
    all: bool,
    /// Show the text as it is, and not only its words in small letters. Reads the items again
    #[arg(long, conflicts_with_all = ["from", "finish", "decide", "anew"])]
    unmasked: bool,
    /// A second look, by another person, at some of the weak evidence that was rejected
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "5%", value_parser = parse_share,
          conflicts_with_all = ["decide", "from", "finish"])]
    check: Option<f64>,
    /// Record that everything is decided
    #[arg(long)]
    finish: bool,
    /// Forget all decisions and begin again, where they cannot be read any more
    #[arg(long, requires = "reason", conflicts_with_all = ["how", "check"])]
    anew: bool,
    /// Why it begins again
    #[arg(long, requires = "anew", value_parser = parse_reason)]
    reason: Option<String>,
}

impl Args {
    /// Whether it writes.
    pub(super) fn effect(&self) -> Effect {
        self.step.effect("privacy review")
    }
}

fn parse_tier(text: &str) -> Result<Tier, String> {
    let known = Tier::ALL.into_iter().find(|tier| format!("{tier:?}").eq_ignore_ascii_case(text.trim()));
    known.ok_or_else(|| "evidence is A (strongest), B, C, D or E".to_owned())
}

fn parse_share(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.map(|percent| percent / 100.0).filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "a share is a number with %, such as 5%, and at most 100%".to_owned())
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Outcome, CommandError> {
    if args.anew {
        return answers::anew(&args, context).await;
    }
    let mut desk = Desk::open(&args.step, context).await?;
    if args.finish {
        return finish(&args, desk, context).await;
    }
    desk.keep_key(args.step.dry_run).await?;
    if args.unmasked {
        desk.unmask(context).await?;
    }
    if let Some(file) = &args.worksheet {
        return sheet::write(&args, file, &desk, context);
    }
    if let Some(file) = &args.from {
        let (purpose, answers) = sheet::read(file, &desk)?;
        let taken = desk.take(purpose, answers, args.step.dry_run).await?;
        return page::show(&args, &desk, Some(&taken), context);
    }
    if let Some(decision) = args.decide {
        let answer =
            worksheet::answer(decision, args.ground.as_deref().unwrap_or_default(), &args.hide.join("|"))
                .map_err(|what| CommandError::new(ErrorKind::Usage, what))?;
        let answers = chosen(&args, &desk)?.into_iter().map(|at| (at, answer.clone())).collect();
        let taken = desk.take(Purpose::Review, answers, args.step.dry_run).await?;
        return page::show(&args, &desk, Some(&taken), context);
    }
    if can_ask() && !context.output.is_json() && !args.step.dry_run {
        return dialogue::hold(&args, desk, context).await;
    }
    page::show(&args, &desk, None, context)
}

/// Which questions `--decide` is about, by their places in the list.
fn chosen(args: &Args, desk: &Desk) -> Result<Vec<usize>, CommandError> {
    let questions = desk.questions();
    let wrong = |what: String| {
        CommandError::new(ErrorKind::Usage, what)
            .hint(format!("`prismvault privacy review {} --all` shows the rows", args.step.case))
    };
    if let Some(tier) = args.evidence {
        let is_open = |question: &Question| question.tier == tier && desk.is_open(question);
        let open = questions.iter().enumerate().filter(|(_, question)| is_open(question));
        return Ok(open.map(|(at, _)| at).collect());
    }
    let mut chosen = Vec::new();
    for row in &args.rows {
        let row = row.trim().to_ascii_lowercase();
        let row = row.strip_prefix('r').unwrap_or(&row);
        let matching: Vec<usize> = questions
            .iter()
            .enumerate()
            .filter(|(_, question)| question.key.to_string().starts_with(row))
            .map(|(at, _)| at)
            .collect();
        match matching[..] {
            [one] if row.len() >= page::ROW_LETTERS => chosen.push(one),
            [] => return Err(wrong(format!("no place has the row {row}"))),
            _ => return Err(wrong(format!("the row {row} names several places; give more of its letters"))),
        }
    }
    Ok(chosen)
}

async fn finish(args: &Args, mut desk: Desk, context: &Context) -> Result<Outcome, CommandError> {
    let Progress { unsure, open, .. } = desk.progress();
    if unsure + open > 0 {
        return Err(CommandError::new(
            ErrorKind::Refused,
            format!("the review is not finished: {open} places have no decision and {unsure} are unsure"),
        )
        .hint(format!("go on with `prismvault privacy review {}`", args.step.case)));
    }
    // What the case says of it may be older than this program, or of nothing to decide.
    desk.keep_key(args.step.dry_run).await?;
    desk.record(What::ReviewFinished, None, args.step.dry_run).await?;
    page::finished(args, &desk, context)
}

/// What was taken in.
#[derive(Debug, Default, serde::Serialize)]
struct Taken {
    /// Decisions that are new or other than before.
    changed: u64,
    /// Decisions that were the same before.
    unchanged: u64,
    /// Second looks that came to the same.
    agreed: u64,
    /// Those that did not; the places are unsure now.
    differing: u64,
    /// Looks that could not be taken as second ones, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

impl Taken {
    /// Something that was not taken is not passed over in silence.
    fn outcome(&self) -> Outcome {
        if self.refused.is_empty() { Outcome::Complete } else { Outcome::Partial }
    }

    fn add(&mut self, other: Self) {
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.agreed += other.agreed;
        self.differing += other.differing;
        self.refused.extend(other.refused);
    }
}

/// A question by its place in the list, and what was said of it.
type Answers = Vec<(usize, Answer)>;
