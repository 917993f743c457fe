//! Text for a terminal: styled, aligned, and harmless.
//!
//! What prismvault shows comes partly from a CMS and from stores: names, paths, error answers.
//! A control character in them could move the cursor, change the window's title or reorder the
//! line. So everything that is printed for people goes through [`Text`], which escapes them;
//! the only escape sequences that reach the terminal are those of [`Style`].

use std::borrow::Cow;
use std::fmt::Write as _;

/// How a piece of text looks, where colour is on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// As the terminal has it.
    #[default]
    Plain,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Green,
    /// Needs a look.
    Yellow,
    /// Bad.
    Red,
    /// Hints.
    Cyan,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Green => Some("32"),
            Self::Yellow => Some("33"),
            Self::Red => Some("1;31"),
            Self::Cyan => Some("36"),
        }
    }
}

/// Pieces of text, each with a style. Line breaks are kept, other control characters escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<(Style, String)>);

impl Text {
    /// Returns text in one style.
    pub fn styled(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    /// Adds a piece.
    #[must_use]
    pub fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// Appends another text.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Renders for a terminal, or without any escape sequence.
    pub fn render(&self, colour: bool) -> String {
        self.0.iter().fold(String::new(), |mut rendered, (style, text)| {
            let text = printable(text);
            match style.code().filter(|_| colour && !text.is_empty()) {
                Some(code) => write!(rendered, "\x1b[{code}m{text}\x1b[0m"),
                None => write!(rendered, "{text}"),
            }
            .expect("writing to a String cannot fail");
            rendered
        })
    }

    /// Renders without colour.
    pub fn to_plain(&self) -> String {
        self.render(false)
    }

    /// Returns the beginning of it, in at most `room` columns, the last of them a sign that there
    /// is more.
    fn cut(&self, room: usize) -> Self {
        let mut left = room.saturating_sub(1);
        let mut pieces = Vec::new();
        for (style, text) in &self.0 {
            // Escaped first, so that what is cut is what is seen.
            let piece: String = printable(text).chars().take(left).collect();
            left -= piece.chars().count();
            pieces.push((*style, piece));
        }
        if room > 0 {
            pieces.push((Style::Plain, "…".to_owned()));
        }
        Self(pieces)
    }

    fn on_one_line(&self) -> Self {
        Self(self.0.iter().map(|(style, text)| (*style, text.replace(['\n', '\r'], " "))).collect())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::styled(Style::Plain, text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::styled(Style::Plain, text)
    }
}

/// Escapes what could steer a terminal or reorder a line: control characters (line breaks stay)
/// and the marks that switch the direction of writing.
fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |char: char| {
        (char.is_control() && char != '\n')
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match harmful(char) {
            true => escaped.extend(char.escape_unicode()),
            false => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

/// Quotes for a shell where that is needed.
pub fn shell_word(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=');
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A table with aligned columns; without rows it prints nothing.
#[derive(Debug, Clone)]
pub struct Table {
    heads: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<Text>>,
    /// Columns that go where there is no room for all, the first of them first.
    spare: Vec<&'static str>,
}

/// Space between two columns.
const GAP: usize = 2;

impl Table {
    /// Returns a table with these column heads.
    pub fn new(heads: impl IntoIterator<Item = &'static str>) -> Self {
        let heads: Vec<_> = heads.into_iter().collect();
        Self { right: vec![false; heads.len()], heads, rows: Vec::new(), spare: Vec::new() }
    }

    /// Aligns the columns with these heads to the right: numbers and sizes.
    #[must_use]
    pub fn right(mut self, heads: &[&str]) -> Self {
        for (right, head) in self.right.iter_mut().zip(&self.heads) {
            *right |= heads.contains(head);
        }
        self
    }

    /// Names columns that a narrow terminal leaves out, the least important first.
    #[must_use]
    pub fn spare(mut self, heads: &[&'static str]) -> Self {
        self.spare = heads.to_vec();
        self
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// When it has not one cell a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Text>) {
        let cells: Vec<_> = cells.into_iter().map(|cell| cell.on_one_line()).collect();
        assert_eq!(cells.len(), self.heads.len(), "a row has one cell a column");
        self.rows.push(cells);
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders all lines, each with its line break. Where `columns` of a terminal are too few,
    /// spare columns are left out; if that is not enough the last column is cut.
    pub fn render(&self, colour: bool, columns: Option<usize>) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let heads = self.heads.iter().map(|head| Text::styled(Style::Bold, *head)).collect();
        let rows: Vec<&Vec<Text>> = std::iter::once(&heads).chain(&self.rows).collect();
        let width = |cell: &Text| cell.to_plain().chars().count();
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0))
            .collect();
        let shown = self.shown(&widths, columns);
        let before_last: usize = shown.iter().rev().skip(1).map(|column| widths[*column] + GAP).sum();
        let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(before_last));
        let mut rendered = String::new();
        for row in rows {
            for (at, column) in shown.iter().copied().enumerate() {
                let last = at + 1 == shown.len();
                let cut;
                let cell = match last && width(&row[column]) > room {
                    true => {
                        cut = row[column].cut(room);
                        &cut
                    }
                    false => &row[column],
                };
                let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
                let text = cell.render(colour);
                match (self.right[column], last) {
                    (true, _) => rendered.extend([padding.as_str(), text.as_str()]),
                    (false, true) => rendered.push_str(&text),
                    (false, false) => rendered.extend([text.as_str(), padding.as_str()]),
                }
                rendered.push_str(if last { "\n" } else { "  " });
            }
        }
        rendered
    }

    /// The columns for which there is room, in their order.
    fn shown(&self, widths: &[usize], columns: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        let Some(columns) = columns else { return shown };
        let needed = |shown: &[usize]| {
            shown.iter().map(|column| widths[*column]).sum::<usize>() + GAP * shown.len().saturating_sub(1)
        };
        for spare in &self.spare {
            if needed(&shown) <= columns {
                break;
            }
            shown.retain(|column| self.heads[*column] != *spare);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_content_never_reach_the_terminal() {
        let hostile = Text::from("a\x1b]0;title\x07b\rc\u{9b}31md\u{202e}e\nf");
        let rendered = hostile.render(true);
        assert_eq!(rendered, "a\\u{1b}]0;title\\u{7}b\\u{d}c\\u{9b}31md\\u{202e}e\nf");
        assert_eq!(Text::from("größe 日本").to_plain(), "größe 日本");
    }

    #[test]
    fn colour_is_added_only_where_it_is_on() {
        let text = Text::styled(Style::Green, "ok").and(Style::Plain, " 3").and(Style::Red, "");
        assert_eq!(text.render(true), "\x1b[32mok\x1b[0m 3");
        assert_eq!(text.render(false), "ok 3");
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["name", "size", "note"]).right(&["size"]);
        table.row(["a".into(), "7".into(), "first".into()]);
        table.row([Text::styled(Style::Green, "größer"), "1,234".into(), "two\nlines".into()]);
        let expected = "name     size  note\na           7  first\ngrößer  1,234  two lines\n";
        assert_eq!(table.render(false, None), expected);
        let coloured = table.render(true, None);
        assert!(coloured.contains("\x1b[32mgrößer\x1b[0m  1,234"), "{coloured}");
    }

    #[test]
    fn a_narrow_terminal_leaves_spare_columns_out_and_cuts_the_last() {
        let mut table =
            Table::new(["name", "size", "new", "where"]).right(&["size", "new"]).spare(&["new", "size"]);
        table.row(["blog".into(), "1.5 KiB".into(), "12 B".into(), "frankfurt, office".into()]);
        let widest = |columns: Option<usize>| {
            let text = table.render(false, columns);
            (text.lines().map(|line| line.chars().count()).max().unwrap(), text)
        };
        assert_eq!(widest(None).0, 4 + 2 + 7 + 2 + 4 + 2 + 17);
        assert_eq!(widest(Some(38)), widest(None));
        let (width, text) = widest(Some(37));
        assert!(width == 32 && !text.contains("new") && text.contains("1.5 KiB"), "{text}");
        let (width, text) = widest(Some(24));
        assert!(width == 23 && !text.contains("size") && text.contains("office"), "{text}");
        assert_eq!(widest(Some(12)).1, "name  where\nblog  frank…\n");
        assert!(widest(Some(1)).1.contains("blog"));
    }

    #[test]
    fn a_table_without_rows_prints_nothing() {
        assert_eq!(Table::new(["name"]).render(true, None), "");
    }

    #[test]
    fn what_is_to_be_pasted_survives_the_shell() {
        assert_eq!(shell_word("abc-1"), "abc-1");
        assert_eq!(shell_word("a b'c"), r"'a b'\''c'");
        assert_eq!(shell_word(""), "''");
    }
}
