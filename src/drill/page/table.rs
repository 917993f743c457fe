//! Tables: a caption, heads with their scope, rows cut at a number.

use std::fmt::Write as _;

use super::{Mark, Sheet, plain};
use crate::markup::escaped;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(in crate::drill) struct Column {
    head: &'static str,
    class: &'static str,
}

impl Column {
    /// Of words.
    pub(in crate::drill) const fn text(head: &'static str) -> Self {
        Self { head, class: "" }
    }

    /// Of sentences.
    pub(in crate::drill) const fn wide(head: &'static str) -> Self {
        Self { head, class: "wide" }
    }

    /// Of times, which stay on one line.
    pub(in crate::drill) const fn time(head: &'static str) -> Self {
        Self { head, class: "t" }
    }

    /// Of numbers.
    pub(in crate::drill) const fn number(head: &'static str) -> Self {
        Self { head, class: "n" }
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::drill) enum Cell {
    /// What the row is about.
    Head(String),
    /// Words, of which what follows a line feed is a line of its own.
    Text(String),
    /// An id, digest or path.
    Code(String),
    /// How something stands: shape and word.
    Mark(Mark, String),
    /// HTML made by [`charts`](super::charts).
    Drawn(String),
    /// Room to write.
    Blank,
}

impl Cell {
    /// Words.
    pub(in crate::drill) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// What the row is about.
    pub(in crate::drill) fn head(text: impl ToString) -> Self {
        Self::Head(text.to_string())
    }

    /// An id, digest or path.
    pub(in crate::drill) fn code(text: impl ToString) -> Self {
        Self::Code(text.to_string())
    }

    /// How something stands.
    pub(in crate::drill) fn mark(mark: impl Into<Mark>, word: impl ToString) -> Self {
        Self::Mark(mark.into(), word.to_string())
    }

    pub(super) fn class(&self, column: &str) -> String {
        let own = match self {
            Self::Code(_) => "code",
            Self::Blank => "blank",
            _ => "",
        };
        match (own, column) {
            ("", "") => String::new(),
            (own, "") => format!(" class=\"{own}\""),
            ("", column) => format!(" class=\"{column}\""),
            (own, column) => format!(" class=\"{own} {column}\""),
        }
    }

    pub(super) fn html(&self) -> String {
        match self {
            Self::Head(text) | Self::Text(text) => breakable(&plain(text)).replace('\n', "<br>"),
            // Broken anywhere, by the style.
            Self::Code(text) => escaped(&plain(text)).replace('\n', "<br>"),
            Self::Mark(mark, word) => mark.html(word),
            Self::Drawn(html) => html.clone(),
            Self::Blank => String::new(),
        }
    }
}

/// A text as HTML, in which words that are longer than any of a language may be broken: a column is as wide as
/// its longest word, and paper has an edge.
fn breakable(text: &str) -> String {
    const WORD_MAX: usize = 30;
    let (mut html, mut piece, mut length) = (String::new(), String::new(), 0);
    for char in text.chars() {
        length = if char.is_whitespace() { 0 } else { length + 1 };
        piece.push(char);
        if length == WORD_MAX {
            html.push_str(&escaped(&piece));
            html.push_str("<wbr>");
            piece.clear();
            length = 0;
        }
    }
    html.push_str(&escaped(&piece));
    html
}

impl Sheet {
    /// A table of at most `max` rows; says how many more there are, and where all of them are.
    pub(in crate::drill) fn table(
        &mut self,
        caption: &str,
        columns: &[Column],
        rows: impl ExactSizeIterator<Item = Vec<Cell>>,
        (max, whole): (usize, &str),
    ) {
        let rest = rows.len().saturating_sub(max);
        let caption = escaped(&plain(caption));
        let html = &mut self.page.html;
        // A keyboard can scroll only what it can reach.
        let _ = write!(
            html,
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n<table>\n\
             <caption dir=\"auto\">{caption}</caption>\n<thead><tr>"
        );
        for Column { head, class } in columns {
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escaped(head));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in rows.take(max) {
            html.push_str("<tr>");
            for (cell, column) in row.iter().zip(columns) {
                let class = cell.class(column.class);
                let inner = cell.html();
                let _ = match cell {
                    Cell::Head(_) => write!(html, "<th scope=\"row\"{class} dir=\"auto\">{inner}</th>"),
                    _ => write!(html, "<td{class} dir=\"auto\">{inner}</td>"),
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
        self.more(rest, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_too_long_are_broken() {
        assert_eq!(
            breakable("F-20261120T100000Z-1a2b3c4d-1 <b> & \"c\""),
            "F-20261120T100000Z-1a2b3c4d-1 &lt;b&gt; &amp; &quot;c&quot;"
        );
        assert_eq!(breakable(&"x".repeat(80)).matches("<wbr>").count(), 2);
        assert_eq!(
            breakable(&"<".repeat(30)),
            format!("{}<wbr>", "&lt;".repeat(30)),
            "never within an entity"
        );
    }
}
