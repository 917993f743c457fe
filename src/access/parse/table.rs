//! Rows of a table: CSV, semicolons, tabs.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};

use super::{Column, Result, Row, roles, row, trim};
use crate::access::error::MistakenList;

/// In the order in which they are tried: a header is one of names, so the right one finds most.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads the rows of a table whose first line names the columns.
pub(super) fn rows(text: &str) -> Result<Vec<Row>> {
    let (text, skipped) = without_hint(text);
    let tried = DELIMITERS.into_iter().map(|delimiter| {
        let columns = columns_of(&header(text, delimiter));
        (delimiter, columns)
    });
    // Two columns of one name are a mistake in the right table, not a sign of the wrong delimiter.
    let found = |columns: &Result<HashMap<Column, usize>>| columns.as_ref().map_or(2, HashMap::len);
    let (delimiter, columns) = tried.rev().max_by_key(|(_, columns)| found(columns)).expect("there are some");
    let columns = columns?;
    for column in [Column::Email, Column::Role] {
        if !columns.contains_key(&column) {
            return Err(MistakenList::line(
                skipped + 1,
                format!(
                    "no column is called \"{}\"; the first line names the columns: name,email,role",
                    column.word()
                ),
            ));
        }
    }
    let mut found = Vec::new();
    let mut lines = Lines { text, at: 0, line: skipped + 1 };
    let width = header(text, delimiter).len();
    let mut reader = reader(text, delimiter);
    for record in reader.records().skip(1) {
        // The text is valid, and rows may have any number of fields: nothing else can be wrong.
        let record = record.map_err(|_| MistakenList::file("it cannot be read as a table"))?;
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|field| trim(field).is_empty()) {
            continue;
        }
        found.push(read_row(line, &record, &columns, width)?);
    }
    Ok(found)
}

fn read_row(line: u64, record: &StringRecord, columns: &HashMap<Column, usize>, width: usize) -> Result<Row> {
    if record.iter().skip(width).any(|field| !trim(field).is_empty()) {
        return Err(MistakenList::line(
            line,
            format!("it has {} fields, the first line {width}; is a quotation mark missing?", record.len()),
        ));
    }
    // A quotation mark that never ends takes the rest of the file into its field.
    if record.iter().any(|field| field.contains(['\n', '\r'])) {
        return Err(MistakenList::line(
            line,
            "a field runs over the end of a line; is a quotation mark missing?",
        ));
    }
    let field = |column: Column| columns.get(&column).and_then(|at| record.get(*at)).map(str::to_owned);
    row(line, field, roles(line, &field(Column::Role).unwrap_or_default())?)
}

/// Counts lines: those of the reader leave out where empty ones were.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of the record that begins at or after this byte; each later than the last.
    fn of(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let from = usize::try_from(byte).unwrap_or(usize::MAX).min(bytes.len());
        let empty = bytes[from..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let until = from + empty;
        self.line += bytes[self.at..until].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = until;
        self.line
    }
}

/// Excel understands a first line `sep=;`, and some tools write it.
fn without_hint(text: &str) -> (&str, u64) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep=")) {
        true => (rest, 1),
        false => (text, 0),
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes())
}

fn header(text: &str, delimiter: u8) -> StringRecord {
    reader(text, delimiter).records().next().and_then(std::result::Result::ok).unwrap_or_default()
}

fn columns_of(header: &StringRecord) -> Result<HashMap<Column, usize>> {
    let mut columns = HashMap::new();
    for (at, name) in header.iter().enumerate() {
        let Some(column) = Column::of(name) else { continue };
        if columns.insert(column, at).is_some() {
            let why = format!("two columns are called \"{}\"", column.word());
            return Err(MistakenList::line(1, why));
        }
    }
    Ok(columns)
}
