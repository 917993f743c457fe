//! Worksheets for spreadsheets.

use super::{Mistake, RawRow, Worksheet, cell_of, cell_of_words};
use crate::privacy::review::Decision;
use crate::spreadsheet::{Row, Table, write_for_people};

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

pub(super) fn write(sheet: &Worksheet<'_>, delimiter: u8) -> Vec<u8> {
    let rows = sheet.rows.iter().map(|row| {
        [
            cell_of(&row.key),
            sheet.case.to_string(),
            sheet.purpose.name().to_owned(),
            row.decision.map(Decision::name).unwrap_or_default().to_owned(),
            row.ground.clone(),
            cell_of_words(&row.redact),
            row.evidence.clone(),
            row.repository.clone(),
            row.document.clone(),
            row.place.clone(),
            format!("{} – {}", row.first, row.last),
            row.text.clone(),
        ]
    });
    write_for_people(delimiter, HEADS, rows)
}

/// Reads the rows of a worksheet.
///
/// # Errors
///
/// When it is no table, or a column is missing that is needed.
pub(super) fn read(text: &str) -> Result<Vec<RawRow>, Vec<Mistake>> {
    let Some(table) = Table::read(text) else {
        return Err(Mistake::file("the file is no table that can be read; save it as CSV"));
    };
    let columns = Columns::of(&table)?;
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for (number, row) in &table.rows {
        match columns.row(*number, row) {
            Some(row) => rows.push(row),
            None => mistakes.push(Mistake {
                row: Some(*number),
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
    fn of(table: &Table) -> Result<Self, Vec<Mistake>> {
        let mut missing = Vec::new();
        let mut find = |name: &'static str| {
            table.column(name).unwrap_or_else(|| {
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

    fn row(&self, number: u64, row: &Row) -> Option<RawRow> {
        let cell = |at: usize| row.text(at).map(str::to_owned);
        // Spreadsheets leave out empty cells at the end.
        let spare = |at: usize| cell(at).unwrap_or_default();
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
