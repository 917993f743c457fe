//! Answers as a table that spreadsheets read and write, a row for each question.
//!
//! What is not understood is refused with its row, and then nothing is taken: half a table of answers is no record.

use std::collections::BTreeMap;
use std::fmt;

use crate::drill::report::{Answer, Rating};
use crate::spreadsheet::{Table, write_for_people};

/// The columns.
pub const HEADS: [&str; 4] = ["id", "question", "answer", "rating"];
/// Bytes of a whole table: a thousand long answers.
pub const BYTES_MAX: usize = 8 << 20;
/// Characters of one answer.
const ANSWER_MAX: usize = 10_000;

/// What is wrong with a table of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The row as a spreadsheet counts it, from 1, the heads included; absent: the whole file.
    pub row: Option<u64>,
    /// What is wrong, and what would be right. It holds ids and ratings, no answers.
    pub what: String,
}

impl RowError {
    fn file(what: impl Into<String>) -> Self {
        Self { row: None, what: what.into() }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "row {row}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for RowError {}

/// A rating as tables spell it.
pub fn name_of(rating: Rating) -> &'static str {
    match rating {
        Rating::Performed => "performed",
        Rating::SomeChallenges => "some-challenges",
        Rating::MajorChallenges => "major-challenges",
        Rating::Unable => "unable",
    }
}

const RATINGS: [Rating; 4] =
    [Rating::Performed, Rating::SomeChallenges, Rating::MajorChallenges, Rating::Unable];

/// Writes the table, with what was answered so far.
pub fn write(answers: &[Answer]) -> Vec<u8> {
    let rows = answers.iter().map(|own| {
        let rating = own.rating.map_or("", name_of).to_owned();
        [own.id.clone(), own.question.clone(), own.answer.clone().unwrap_or_default(), rating]
    });
    write_for_people(b',', HEADS, rows)
}

/// Reads a table that was filled in. `asked` is what the pack asks, as the report of the drill carries it; the
/// answers come back in its order, questions without an answer among them. Who answered is for the caller to say.
///
/// # Errors
///
/// Every row that is wrong: an id that is not in the pack, or there twice; a rating that is none; an answer without
/// a rating or the other way round.
pub fn parse_answers(table: &[u8], asked: &[Answer]) -> Result<Vec<Answer>, Vec<RowError>> {
    let whole = |what: &str| vec![RowError::file(what)];
    if table.len() > BYTES_MAX {
        return Err(whole("the file is larger than a table of answers can be"));
    }
    let Ok(text) = std::str::from_utf8(table) else {
        return Err(whole("the file is not UTF-8: save it as \"CSV UTF-8\""));
    };
    let (rows, mut wrong) = rows(text)?;
    let mut answers: BTreeMap<&str, Answer> = BTreeMap::new();
    for (number, row) in rows {
        let refused = |what: String| RowError { row: Some(number), what };
        let Some(known) = asked.iter().find(|own| own.id == row.id) else {
            wrong.push(refused(format!("no question of this drill has the id {:?}", short(&row.id))));
            continue;
        };
        if answers.contains_key(known.id.as_str()) {
            wrong.push(refused(format!("{} is there twice", known.id)));
            continue;
        }
        match answered(known, &row) {
            Ok(answer) => {
                answers.insert(&known.id, answer);
            }
            Err(what) => wrong.push(refused(what)),
        }
    }
    if !wrong.is_empty() {
        wrong.sort_by_key(|own| own.row);
        return Err(wrong);
    }
    Ok(asked.iter().map(|own| answers.remove(own.id.as_str()).unwrap_or_else(|| own.clone())).collect())
}

/// The cells of a row that are read.
struct Row {
    id: String,
    answer: String,
    rating: String,
}

/// The beginning of what somebody typed, for messages.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn answered(known: &Answer, row: &Row) -> Result<Answer, String> {
    let typed = row.rating.trim().to_lowercase().replace([' ', '_'], "-");
    let rating = match typed.as_str() {
        "" => None,
        typed => {
            let found = RATINGS.into_iter().find(|rating| name_of(*rating) == typed);
            let names = || RATINGS.map(name_of).join(", ");
            Some(found.ok_or_else(|| format!("{:?} is no rating: {}", short(&row.rating), names()))?)
        }
    };
    let answer = Some(row.answer.trim()).filter(|answer| !answer.is_empty()).map(str::to_owned);
    match (&answer, rating) {
        (None, Some(_)) => return Err(format!("{} is rated and has no answer", known.id)),
        (Some(_), None) => return Err(format!("{} has an answer and no rating", known.id)),
        _ => {}
    }
    if answer.as_ref().is_some_and(|answer| answer.chars().count() > ANSWER_MAX) {
        return Err(format!("the answer to {} has more than {ANSWER_MAX} characters", known.id));
    }
    Ok(Answer { id: known.id.clone(), question: known.question.clone(), answer, rating, by: None })
}

type Rows = (Vec<(u64, Row)>, Vec<RowError>);

/// Every row with its number; rows without an id are wrong.
fn rows(text: &str) -> Result<Rows, Vec<RowError>> {
    let Some(table) = Table::read(text) else {
        return Err(vec![RowError::file("the file is no table that can be read: save it as CSV")]);
    };
    let (Some(id), Some(answer), Some(rating)) =
        (table.column("id"), table.column("answer"), table.column("rating"))
    else {
        let what = format!("the first row must name the columns {}", HEADS.join(", "));
        return Err(vec![RowError::file(what)]);
    };
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (number, row) in &table.rows {
        // Spreadsheets leave out empty cells at the end, and never those in front.
        let cell = |at: usize| row.text(at).unwrap_or_default().trim().to_owned();
        match cell(id) {
            none if none.is_empty() => {
                wrong.push(RowError { row: Some(*number), what: "it has no id".to_owned() });
            }
            id => rows.push((*number, Row { id, answer: cell(answer), rating: cell(rating) })),
        }
    }
    Ok((rows, wrong))
}
