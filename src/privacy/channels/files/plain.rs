//! Files that are text: plain, Markdown, subtitles, CSV, JSON.

use std::borrow::Cow;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::super::{joins, metadata};
use super::html::Line;
use crate::prismic::walk::Pointer;

/// Longest paragraph that is one passage, in bytes; a longer one is cut at a blank.
const PARAGRAPH_MAX: usize = 16 << 10;
/// Bytes that the next passage repeats after such a cut, so that no name is torn apart.
const OVERLAP: usize = 256;

/// Reads a text by paragraphs: what stands between empty lines.
pub(super) fn read_text(desk: &mut Desk<'_>, text: &str) -> Outcome {
    let mut line = Line::new(text);
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let end = paragraph_end(rest);
        let place = format!("line {}", line.at_byte(start));
        let group = desk.group();
        let mut from = 0;
        while from < end {
            let to = cut(rest, from, end);
            desk.hand_out(Channel::PlainText, &place, group, &rest[from..to])?;
            joins::over_hyphens(desk, &place, group, &rest[from..to])?;
            if to == end {
                break;
            }
            let back = rest.floor_char_boundary(to - OVERLAP);
            from = back.max(from + 1);
            from = rest.ceil_char_boundary(from);
        }
        start += end;
        start += text[start..].len() - text[start..].trim_start_matches(['\n', '\r']).len();
    }
    Ok(())
}

/// Where the paragraph at the beginning ends: before an empty line, or at the end.
fn paragraph_end(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find('\n').map(|at| from + at + 1) {
        let next = text[at..].trim_start_matches(['\r', ' ', '\t']);
        if next.starts_with('\n') && at > 1 {
            return at;
        }
        from = at;
    }
    text.len()
}

/// Where a passage from `from` ends.
fn cut(text: &str, from: usize, end: usize) -> usize {
    if end - from <= PARAGRAPH_MAX {
        return end;
    }
    let limit = text.floor_char_boundary(from + PARAGRAPH_MAX);
    let half = text.floor_char_boundary(from + PARAGRAPH_MAX / 2);
    text[half..limit].rfind(char::is_whitespace).map_or(limit, |at| half + at)
}

/// Whether text looks like a table, and what divides its cells.
pub(super) fn delimiter(text: &str, is_named_so: bool) -> Option<u8> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(10).collect();
    let first = lines.first()?;
    let mut found = [b'\t', b';', b','].into_iter().map(|delimiter| {
        let count = |line: &str| line.bytes().filter(|byte| *byte == delimiter).count();
        let columns = count(first);
        (delimiter, columns, lines.iter().all(|line| count(line) == columns))
    });
    if is_named_so {
        return found.max_by_key(|(_, columns, _)| *columns).map(|(delimiter, ..)| delimiter);
    }
    // Without the name, only what is a table in every line.
    found.find(|(_, columns, same)| *columns > 0 && *same && lines.len() > 1).map(|(delimiter, ..)| delimiter)
}

/// Reads a table: each cell, and each row as one text.
pub(super) fn read_table(desk: &mut Desk<'_>, text: &str, delimiter: u8) -> Outcome {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(_) => return Err(Stop::Part(Reason::Damaged)),
        }
        let line = record.position().map_or(0, csv::Position::line);
        let group = desk.group();
        for (column, cell) in record.iter().enumerate() {
            let place = format!("line {line}, column {}", column + 1);
            desk.hand_out(Channel::PlainText, &place, group, cell)?;
        }
        let parts: Vec<_> = record.iter().filter(|cell| joins::is_part(cell)).map(Cow::Borrowed).collect();
        joins::siblings(desk, &format!("line {line}"), group, &parts)?;
    }
}

/// Reads JSON; `false` for text that is none or too much, of which nothing was handed out.
pub(super) fn read_json(desk: &mut Desk<'_>, text: &str) -> Outcome<bool> {
    if text.len() > desk.bounds.json_bytes_max {
        return Ok(false);
    }
    let Ok(value) = crate::prismic::parse_json(text.as_bytes()) else { return Ok(false) };
    let group = desk.group();
    metadata::generic(desk, &value, &mut Pointer::default(), Channel::PlainText, group)?;
    Ok(true)
}
