//! Worksheets for spreadsheets: RFC 4180, in UTF-8 with a mark by which spreadsheets know it.

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};

use super::{Mistake, RawRow, Worksheet, cell_of, cell_of_words};
use crate::escape::{from_spreadsheet, spreadsheet};
use crate::privacy::review::Decision;

const HEADS: [&str; 12] = [
    "row",
    "case",
    "sheet",
    "decision",
    "ground",
    "redact",
    "evidence",
    "repository",
    "document",
    "place",
    "seen",
    "text",
];
/// Tells spreadsheets that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) fn write(sheet: &Worksheet<'_>, delimiter: u8) -> Vec<u8> {
    let mut out = BYTE_ORDER_MARK.to_vec();
    let mut writer =
        WriterBuilder::new().delimiter(delimiter).terminator(Terminator::CRLF).from_writer(&mut out);
    let mut add = |record: &[String]| writer.write_record(record).expect("memory takes it");
    add(&HEADS.map(str::to_owned));
    for row in &sheet.rows {
        add(&[
            cell_of(&row.key),
            sheet.case.to_string(),
            sheet.purpose.name().to_owned(),
            row.decision.map(Decision::name).unwrap_or_default().to_owned(),
            spreadsheet(&row.ground),
            spreadsheet(&cell_of_words(&row.redact)),
            spreadsheet(&row.evidence),
            spreadsheet(&row.repository),
            spreadsheet(&row.document),
            spreadsheet(&row.place),
            spreadsheet(&format!("{} – {}", row.first, row.last)),
            spreadsheet(&row.text),
        ]);
    }
    writer.flush().expect("memory takes it");
    drop(writer);
    out
}

/// Reads the rows of a worksheet.
///
/// # Errors
///
/// When it is no table, or a column is missing that is needed.
pub(super) fn read(text: &str) -> Result<Vec<RawRow>, Vec<Mistake>> {
    // Some spreadsheets say first what is between the cells.
    let (said, skipped) = match text.split_once('\n') {
        Some((first, rest)) if first.trim_end().len() == 5 && first.starts_with("sep=") => (rest, 1),
        _ => (text, 0),
    };
    let first = said.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|delimiter| first.bytes().filter(|byte| byte == delimiter).count())
        .unwrap_or(b',');
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(said.as_bytes());
    let mut records = reader.records();
    let unreadable = |_| Mistake::file("the file is no table that can be read; save it as CSV");
    let heads = records.next().transpose().map_err(unreadable)?.unwrap_or_default();
    let columns = Columns::of(&heads)?;
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for (number, record) in (2 + skipped..).zip(records) {
        let record = record.map_err(unreadable)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        match columns.row(number, &record) {
            Some(row) => rows.push(row),
            None => mistakes.push(Mistake {
                row: Some(number),
                what: "cells are missing; the row was cut or its quotation marks were changed".to_owned(),
            }),
        }
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

/// Where the columns are that are read back: they may have been moved.
struct Columns {
    key: usize,
    case: usize,
    purpose: usize,
    decision: usize,
    ground: usize,
    redact: usize,
}

impl Columns {
    fn of(heads: &StringRecord) -> Result<Self, Vec<Mistake>> {
        let mut missing = Vec::new();
        let mut find = |name: &'static str| {
            let is_it = |head: &str| head.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
            heads.iter().position(is_it).unwrap_or_else(|| {
                missing.push(name);
                0
            })
        };
        let columns = Self {
            key: find("row"),
            case: find("case"),
            purpose: find("sheet"),
            decision: find("decision"),
            ground: find("ground"),
            redact: find("redact"),
        };
        match missing.is_empty() {
            true => Ok(columns),
            false => Err(Mistake::file(format!(
                "the first row does not name the columns {}; leave the heads as they are, or write a new worksheet",
                missing.join(", ")
            ))),
        }
    }

    fn row(&self, number: u64, record: &StringRecord) -> Option<RawRow> {
        let cell = |at: usize| record.get(at).map(str::to_owned);
        // Spreadsheets leave out empty cells at the end.
        let spare = |at: usize| from_spreadsheet(record.get(at).unwrap_or_default()).to_owned();
        Some(RawRow {
            number,
            key: cell(self.key)?,
            case: cell(self.case)?,
            purpose: cell(self.purpose)?,
            decision: spare(self.decision),
            ground: spare(self.ground),
            redact: spare(self.redact),
        })
    }
}
