//! A worksheet: the questions of a review as a file that goes out, is filled in by people, and comes
//! back.
//!
//! A file that was edited is not believed: its columns may be gone, its rows copied, sorted, cut or
//! of another case, its letters of another encoding. [`read`] names every mistake with its row, and
//! takes nothing while there is one. What the file says beside the decisions (evidence, text) is for
//! people and is not read back.
//!
//! Worksheets are personal data: where the person is found, and by default masked text.

mod csv;
mod html;

use std::collections::BTreeMap;
use std::fmt;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Decision;
use crate::ids::{CaseId, DecisionKey};

/// Bytes of a worksheet that are read; one with 100,000 rows has some 40 MB.
pub const BYTES_MAX: u64 = 128 << 20;
/// Longest ground or remark, in characters.
const GROUND_MAX: usize = 2_000;
/// Words to hide that one row may name.
const REDACTED_MAX: usize = 200;
/// What separates words to hide.
const SEPARATOR: char = '|';

/// What a worksheet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Decisions.
    Review,
    /// A second look at what was rejected: it does not show the first decision.
    Check,
}

impl Purpose {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Check => "check",
        }
    }
}

/// How a worksheet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For spreadsheets, with this between the cells.
    Csv {
        /// `,`, or `;` where spreadsheets expect that.
        delimiter: u8,
    },
    /// A page that needs a browser and nothing else.
    Html,
}

/// A worksheet that goes out.
pub struct Worksheet<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// What it asks for.
    pub purpose: Purpose,
    /// The questions.
    pub rows: Vec<Row>,
}

/// A question of a worksheet.
#[derive(Clone)]
pub struct Row {
    /// What its decision is remembered by.
    pub key: DecisionKey,
    /// What was decided before.
    pub decision: Option<Decision>,
    /// Legal ground or remark.
    pub ground: String,
    /// Words of others to hide in the copy.
    pub redact: Vec<String>,
    /// How strong the evidence is, and by which rule.
    pub evidence: String,
    /// Repositories.
    pub repository: String,
    /// Path of the document or file.
    pub document: String,
    /// Where in it.
    pub place: String,
    /// Day of the first snapshot that has it.
    pub first: String,
    /// Day of the last one, or `newest`, or `live`.
    pub last: String,
    /// The text around it.
    pub text: String,
}

impl Worksheet<'_> {
    /// Writes it.
    pub fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Csv { delimiter } => csv::write(self, delimiter),
            Format::Html => html::write(self).into_bytes(),
        }
    }
}

/// A worksheet that came back.
#[derive(Debug)]
pub struct Returned {
    /// What it was for.
    pub purpose: Purpose,
    /// Rows with a decision, each key once.
    pub answers: BTreeMap<DecisionKey, Answer>,
    /// Rows without one.
    pub unanswered: u64,
}

/// What a row says.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// Legal ground or remark.
    pub ground: Option<String>,
    /// Words of others to hide.
    pub redact: Vec<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("decision", &self.decision).finish_non_exhaustive()
    }
}

/// Something wrong with a worksheet, in words that say what to do. Repeats no text of the file but
/// what was typed as a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Row as spreadsheets count them, the heads being 1; `None`: the whole file.
    pub row: Option<u64>,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "row {row}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Mistake {
    fn file(what: impl Into<String>) -> Vec<Self> {
        vec![Self { row: None, what: what.into() }]
    }
}

/// A row as it was read, before it is believed.
#[derive(Debug, Default)]
struct RawRow {
    number: u64,
    key: String,
    case: String,
    purpose: String,
    decision: String,
    ground: String,
    redact: String,
}

/// Reads a worksheet that came back. `is_asked` says whether a key is of a question of the last search.
///
/// # Errors
///
/// Every mistake in it.
pub fn read(
    bytes: &[u8],
    case: &CaseId,
    is_asked: impl Fn(&DecisionKey) -> bool,
) -> Result<Returned, Vec<Mistake>> {
    let text = decoded(bytes);
    let rows = if html::is_one(&text) { html::read(&text)? } else { csv::read(&text)? };
    let mut reading =
        Reading { case, is_asked, purpose: None, answers: BTreeMap::new(), mistakes: Vec::new() };
    let mut unanswered = 0;
    for row in &rows {
        match reading.row(row) {
            Ok(true) => {}
            Ok(false) => unanswered += 1,
            Err(what) => reading.mistakes.push(Mistake { row: Some(row.number), what }),
        }
    }
    let Some(purpose) = reading.purpose.filter(|_| reading.mistakes.is_empty()) else {
        if reading.mistakes.is_empty() {
            return Err(Mistake::file("the worksheet has no rows"));
        }
        return Err(reading.mistakes);
    };
    let answers = reading.answers.into_iter().map(|(key, (answer, _))| (key, answer)).collect();
    Ok(Returned { purpose, answers, unanswered })
}

/// A worksheet while it is read.
struct Reading<'a, F> {
    case: &'a CaseId,
    is_asked: F,
    purpose: Option<Purpose>,
    /// With the row that said it.
    answers: BTreeMap<DecisionKey, (Answer, u64)>,
    mistakes: Vec<Mistake>,
}

impl<F: Fn(&DecisionKey) -> bool> Reading<'_, F> {
    /// Takes in a row; says whether it has a decision.
    fn row(&mut self, raw: &RawRow) -> Result<bool, String> {
        let says = |what: &str| Err(what.to_owned());
        if !raw.case.trim().eq_ignore_ascii_case(self.case.as_str()) {
            return Err(format!("it is not of case {}; take the worksheet of this case", self.case));
        }
        let purpose = match raw.purpose.trim() {
            purpose if purpose.eq_ignore_ascii_case(Purpose::Review.name()) => Purpose::Review,
            purpose if purpose.eq_ignore_ascii_case(Purpose::Check.name()) => Purpose::Check,
            _ => return says("the column `sheet` was changed; it says `review` or `check`"),
        };
        if *self.purpose.get_or_insert(purpose) != purpose {
            return says("it is of another worksheet than the rows above; give one worksheet at a time");
        }
        let key = raw.key.trim().to_ascii_lowercase();
        let key = key.strip_prefix(KEY_PREFIX).and_then(|key| key.parse::<DecisionKey>().ok());
        let Some(key) = key.filter(|key| (self.is_asked)(key)) else {
            return says(
                "its first cell is not of this search: it was edited, or the person was searched again since; write a new worksheet",
            );
        };
        if raw.decision.trim().is_empty() {
            return match raw.ground.trim().is_empty() && raw.redact.trim().is_empty() {
                true => Ok(false),
                false => says("it has a ground or words to hide, and no decision"),
            };
        }
        let typed: String = raw.decision.trim().chars().take(40).collect();
        let decision: Decision = typed.parse().map_err(|why| format!("the decision `{typed}` {why}"))?;
        let answer = answer(decision, &raw.ground, &raw.redact)?;
        if let Some((earlier, row)) = self.answers.get(&key).filter(|(earlier, _)| *earlier != answer) {
            return Err(format!(
                "row {row} says {} of the same place, and this one {decision}; keep one of them",
                earlier.decision
            ));
        }
        self.answers.insert(key, (answer, raw.number));
        Ok(true)
    }
}

/// Puts an answer together from what was typed.
///
/// # Errors
///
/// What is missing or too much, in words.
pub fn answer(decision: Decision, ground: &str, redact: &str) -> Result<Answer, String> {
    let ground = Some(ground.trim().to_owned()).filter(|ground| !ground.is_empty());
    if decision == Decision::Keep && ground.is_none() {
        return Err(
            "what is kept needs its legal ground, such as `Art. 17(3)(e): claim of 2026, see file 12`"
                .to_owned(),
        );
    }
    if ground.as_ref().is_some_and(|ground| ground.chars().count() > GROUND_MAX) {
        return Err(format!("the ground is longer than {GROUND_MAX} characters"));
    }
    let redact: Vec<String> =
        redact.split(SEPARATOR).map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    if redact.len() > REDACTED_MAX || redact.iter().any(|word| word.chars().count() > GROUND_MAX) {
        return Err(format!("more than {REDACTED_MAX} words to hide, or one of them is a whole text"));
    }
    if !redact.is_empty() && !decision.is_the_person() {
        return Err("words are hidden in what the person gets, and this is not the person's".to_owned());
    }
    Ok(Answer { decision, ground, redact })
}

/// In front of keys, so that no spreadsheet takes one for a number.
const KEY_PREFIX: char = 'r';

fn cell_of(key: &DecisionKey) -> String {
    format!("{KEY_PREFIX}{key}")
}

fn cell_of_words(words: &[String]) -> String {
    words.join(&format!(" {SEPARATOR} "))
}

/// The text of a file, whatever a spreadsheet saved it as.
fn decoded(bytes: &[u8]) -> String {
    for encoding in [UTF_16LE, UTF_16BE] {
        let mark: &[u8] = if encoding == UTF_16LE { &[0xff, 0xfe] } else { &[0xfe, 0xff] };
        if bytes.starts_with(mark) {
            return encoding.decode_with_bom_removal(bytes).0.into_owned();
        }
    }
    match UTF_8.decode_with_bom_removal(bytes) {
        (text, false) => text.into_owned(),
        // What spreadsheets of western Europe write where they are not asked.
        (_, true) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}
