//! Tables for spreadsheets: RFC 4180, UTF-8.
//!
//! What goes out holds no formula, whoever wrote the text in it. What comes back may have gone through a spreadsheet
//! in any country: semicolons or tabs in place of commas, a mark of the byte order, moved columns, other line ends.

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};

/// Tells spreadsheets that a file is UTF-8, where people open it.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";
/// What may be between cells; of those that are there as often, the last counts.
const DELIMITERS: [u8; 3] = [b'\t', b';', b','];

/// Returns text as a cell that no spreadsheet takes for a formula: what one would compute gets an
/// apostrophe in front (OWASP, "CSV Injection"). Quotes of CSV are somebody else's work.
pub fn cell(text: &str) -> String {
    match is_formula(text) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// Returns what [`cell`] was given.
pub fn text_of(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// Whether a spreadsheet would compute it, in the signs of any keyboard.
fn is_formula(text: &str) -> bool {
    let computed = |char| matches!(char, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(computed)
}

/// Writes a table for programs: a line that names the columns, and one for each row.
pub fn write<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    append(Vec::new(), b',', heads, rows)
}

/// Writes a table that people open in a spreadsheet, with what theirs expects between cells.
pub fn write_for_people<const N: usize>(
    delimiter: u8,
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<u8> {
    append(BYTE_ORDER_MARK.as_bytes().to_vec(), delimiter, heads, rows)
}

fn append<const N: usize>(
    out: Vec<u8>,
    delimiter: u8,
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<u8> {
    let memory = "memory takes what is written";
    let mut writer = WriterBuilder::new().delimiter(delimiter).terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(heads).expect(memory);
    for row in rows {
        writer.write_record(row.map(|text| cell(&text))).expect(memory);
    }
    writer.into_inner().expect(memory)
}

/// A table that came back.
#[derive(Debug)]
pub struct Table {
    heads: StringRecord,
    /// Rows that are not empty, with their numbers as a spreadsheet counts them: from 1, the heads included.
    pub rows: Vec<(u64, Row)>,
}

/// A row of a [`Table`].
#[derive(Debug)]
pub struct Row(StringRecord);

impl Table {
    /// Reads a table whose first row names the columns; `None` where it is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        // Some spreadsheets say first what is between the cells.
        let (said, skipped) = match text.split_once('\n') {
            Some((first, rest)) if first.trim_end_matches('\r').len() == 5 && first.starts_with("sep=") => {
                (rest, 1)
            }
            _ => (text, 0),
        };
        let first = said.lines().next().unwrap_or_default();
        let often = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
        let delimiter = DELIMITERS.into_iter().max_by_key(often).unwrap_or(b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(said.as_bytes());
        let mut records = reader.records();
        let heads = records.next().transpose().ok()?.unwrap_or_default();
        let mut rows = Vec::new();
        for (number, record) in (2 + skipped..).zip(records) {
            let record = record.ok()?;
            if !record.iter().all(|cell| cell.trim().is_empty()) {
                rows.push((number, Row(record)));
            }
        }
        Some(Self { heads, rows })
    }

    /// Where a column is, whatever the case of its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.heads.iter().position(|head| head.trim().eq_ignore_ascii_case(name))
    }
}

impl Row {
    /// The text of a cell; `None` where the row ends before it, as spreadsheets leave out empty cells at the end.
    pub fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column).map(text_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_stay_text() {
        for text in ["=1+1", "@SUM", "-2", "+49 30", "\t=1", " ＝1", "plain", "'quoted", "'"] {
            let cell = cell(text);
            assert!(!is_formula(&cell), "{cell}");
            assert_eq!(text_of(&cell), text);
        }
    }

    #[test]
    fn a_table_comes_back_from_any_spreadsheet() {
        let rows = [["=1".to_owned(), "a;b,\"c\"".to_owned()], [String::new(), "x\ny".to_owned()]];
        for delimiter in DELIMITERS {
            let written = write_for_people(delimiter, ["One", "two"], rows.clone());
            let text = String::from_utf8(written).unwrap();
            let said =
                format!("sep={}\r\n{}", char::from(delimiter), text.trim_start_matches(BYTE_ORDER_MARK));
            for (text, first) in [(text.clone(), 2), (text.replace("\r\n", "\n"), 2), (said, 3)] {
                let table = Table::read(&text).unwrap();
                let (one, two) = (table.column("one").unwrap(), table.column("TWO").unwrap());
                let read = table.rows.iter().map(|(number, row)| (*number, row.text(one), row.text(two)));
                assert_eq!(
                    read.collect::<Vec<_>>(),
                    [(first, Some("=1"), Some("a;b,\"c\"")), (first + 1, Some(""), Some("x\ny"))]
                );
            }
        }
        let short = Table::read("b,a\n\n,\n1\n").unwrap();
        assert_eq!((short.column("a"), short.column("c")), (Some(1), None));
        assert_eq!(
            (short.rows.len(), short.rows[0].1.text(1)),
            (1, None),
            "rows without a text do not count"
        );
        assert!(Table::read("").unwrap().rows.is_empty());
        assert_eq!(write(["a"], [["@x".to_owned()]]), b"a\r\n'@x\r\n");
    }
}
