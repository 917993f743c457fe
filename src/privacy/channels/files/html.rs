//! Markup that people wrote: HTML of web pages and embeds, as far as its text needs. It is read as
//! leniently as browsers do, without a tree: nothing is ever refused, nested or repaired.

use std::borrow::Cow;

use crate::privacy::passage::Channel;

use super::super::desk::{Desk, Outcome};

/// A piece of markup.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// Text between tags.
    Text(&'a str),
    /// A tag: its name, whether it opens, and what follows the name.
    Tag { name: &'a str, opens: bool, rest: &'a str },
    /// A comment, declaration, or what stands in `script` and `style`.
    Aside(&'a str),
}

/// Cuts markup into pieces. Every byte is in exactly one piece, save for the brackets.
pub(super) struct Pieces<'a> {
    rest: &'a str,
    /// The element whose text is not markup.
    raw: Option<&'static str>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, raw: None }
    }

    /// Bytes that are left.
    fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// Whether a `<` here begins a tag, comment or declaration.
fn begins_tag(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('/') => chars.next().is_some_and(|char| char.is_ascii_alphabetic()),
        Some('!' | '?') => true,
        Some(char) => char.is_ascii_alphabetic(),
        None => false,
    }
}

/// Length of the tag at the beginning, its brackets included: to the first `>` that is not
/// quoted, else to the first at all.
fn tag_length(text: &str) -> Option<usize> {
    let first = text.find('>')?;
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => return Some(at + 1),
            (b'"' | b'\'', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    Some(first + 1)
}

fn find_end_tag(text: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find("</").map(|at| from + at) {
        let after = text.as_bytes().get(at + 2..at + 2 + name.len());
        if after.is_some_and(|after| after.eq_ignore_ascii_case(name.as_bytes())) {
            return at;
        }
        from = at + 2;
    }
    text.len()
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(name) = self.raw.take() {
            let length = find_end_tag(self.rest, name);
            return Some(Piece::Aside(self.take(length)));
        }
        if self.rest.is_empty() {
            return None;
        }
        if !self.rest.starts_with('<') || !begins_tag(self.rest) {
            let next = self
                .rest
                .match_indices('<')
                .map(|(at, _)| at)
                .find(|at| *at > 0 && begins_tag(&self.rest[*at..]));
            return Some(Piece::Text(self.take(next.unwrap_or(self.rest.len()))));
        }
        if let Some(comment) = self.rest.strip_prefix("<!--") {
            let length = comment.find("-->").map_or(self.rest.len(), |end| end + 7);
            return Some(Piece::Aside(self.take(length)));
        }
        let Some(length) = tag_length(self.rest) else {
            // No tag ends any more.
            return Some(Piece::Text(self.take(self.rest.len())));
        };
        let tag = self.take(length);
        let inner = &tag[1..tag.len() - 1];
        if inner.starts_with(['!', '?']) {
            return Some(Piece::Aside(inner));
        }
        let (inner, opens) = inner.strip_prefix('/').map_or((inner, true), |inner| (inner, false));
        let end = inner.find(|char: char| char.is_whitespace() || char == '/').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        if opens {
            self.raw = ["script", "style"].into_iter().find(|raw| name.eq_ignore_ascii_case(raw));
        }
        Some(Piece::Tag { name, opens, rest })
    }
}

/// Elements that stand within a line: their tags divide nothing.
const INLINE: [&str; 29] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "wbr",
];

fn divides(name: &str) -> bool {
    !INLINE.iter().any(|inline| name.eq_ignore_ascii_case(inline))
}

/// The text that a browser shows of a string that holds tags; `None` for one that holds none.
pub(crate) fn visible_text(text: &str) -> Option<String> {
    if !text.contains('<') {
        return None;
    }
    let mut visible = String::new();
    let mut has_tags = false;
    for piece in Pieces::new(text) {
        match piece {
            Piece::Text(text) => visible.push_str(text),
            Piece::Tag { name, .. } => {
                has_tags = true;
                if divides(name) {
                    visible.push('\n');
                }
            }
            Piece::Aside(_) => has_tags = true,
        }
    }
    (has_tags && !visible.trim().is_empty()).then_some(visible)
}

/// Values of attributes, in whatever quotes.
fn attributes(rest: &str) -> impl Iterator<Item = &str> {
    let mut rest = rest;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        rest = next;
        Some(value)
    })
}

/// Reads a page of HTML: text by blocks, attributes, comments and scripts.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) -> Outcome {
    let mut group = desk.group();
    let mut block: Cow<'_, str> = Cow::Borrowed("");
    let mut line = Line { text, at: 0, line: 1 };
    let mut pieces = Pieces::new(text);
    let mut place = "line 1".to_owned();
    while let Some(piece) = pieces.next() {
        desk.tick()?;
        match piece {
            Piece::Text(text) if block.is_empty() => block = Cow::Borrowed(text),
            Piece::Text(text) => block.to_mut().push_str(text),
            Piece::Aside(text) => desk.hand_out(Channel::PlainText, &place, group, text)?,
            Piece::Tag { name, rest, .. } => {
                if divides(name) && !block.is_empty() {
                    desk.hand_out(Channel::PlainText, &place, group, &block)?;
                    block = Cow::Borrowed("");
                    group = desk.group();
                }
                for value in attributes(rest) {
                    desk.hand_out(Channel::PlainText, &place, group, value)?;
                }
            }
        }
        if block.is_empty() {
            place = format!("line {}", line.at_byte(text.len() - pieces.left()));
        }
    }
    desk.hand_out(Channel::PlainText, &place, group, &block)
}

/// Counts lines up to a place, which only goes forward.
pub(super) struct Line<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Line<'a> {
    /// From the beginning of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    pub(super) fn at_byte(&mut self, byte: usize) -> usize {
        let passed = &self.text.as_bytes()[self.at.min(byte)..byte.min(self.text.len())];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = byte;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_shows_is_told_without_tags() {
        for (markup, visible) in [
            ("<b>Nora</b> Vale", Some("Nora Vale")),
            ("No<wbr>ra <i class='x>y'>Vale</i>", Some("Nora Vale")),
            ("<p>Nora</p><p>Vale</p>", Some("\nNora\n\nVale\n")),
            ("a < b and b > c", None),
            ("plain", None),
            ("<script>let x = '<b>';</script>Nora", Some("\n\nNora")),
            ("<!-- <b> -->Nora", Some("Nora")),
            ("Nora <b", None),
            ("<a title=\"unclosed>Nora</a>", Some("Nora")),
            ("<br/>", None),
        ] {
            assert_eq!(visible_text(markup).as_deref(), visible, "{markup}");
        }
    }

    #[test]
    fn attributes_are_read_in_any_quotes() {
        let found: Vec<_> = attributes(r#" a="x y" b='it"s' c=z d e="open"#).collect();
        assert_eq!(found, ["x y", "it\"s", "z", "open"]);
    }
}
