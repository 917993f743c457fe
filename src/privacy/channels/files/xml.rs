//! XML, piece by piece. Entities of a document type are never looked up: their declarations are handed
//! out as they stand, references to them stay what they are.

use std::borrow::Cow;
use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::super::joins;
use super::encodings::decode;

/// A piece of XML, decoded.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// An element begins. An empty element is also ended.
    Start { name: &'a str, attributes: Vec<(String, String)> },
    /// Text, with references resolved; one text may come in several pieces.
    Text(&'a str),
    /// An element ends.
    End { name: &'a str },
    /// A comment, processing instruction or declaration; also what is too damaged to be told.
    Aside(&'a str),
}

/// Name without its prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Reads XML in whatever encoding.
///
/// # Errors
///
/// [`Reason::Damaged`] after everything was told that could be.
pub(super) fn pieces(
    desk: &mut Desk<'_>,
    bytes: &[u8],
    mut tell: impl FnMut(&mut Desk<'_>, Piece<'_>) -> Outcome,
) -> Outcome {
    let text = decode(bytes);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        desk.tick()?;
        let before = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) => {
                tell(desk, Piece::Aside(text.get(before..).unwrap_or_default()))?;
                return Err(Stop::Part(Reason::Damaged));
            }
        };
        match event {
            Event::Start(start) => begin(desk, &start, &mut tell)?,
            Event::Empty(start) => {
                begin(desk, &start, &mut tell)?;
                tell(desk, Piece::End { name: &String::from_utf8_lossy(start.name().as_ref()) })?;
            }
            Event::End(end) => {
                tell(desk, Piece::End { name: &String::from_utf8_lossy(end.name().as_ref()) })?;
            }
            Event::Text(text) => tell(desk, Piece::Text(&String::from_utf8_lossy(&text)))?,
            Event::CData(text) => tell(desk, Piece::Text(&String::from_utf8_lossy(&text)))?,
            Event::GeneralRef(reference) => {
                let name = String::from_utf8_lossy(&reference).into_owned();
                tell(desk, Piece::Text(&resolved(&name)))?;
            }
            Event::Comment(text) => tell(desk, Piece::Aside(&String::from_utf8_lossy(&text)))?,
            Event::PI(text) => tell(desk, Piece::Aside(&String::from_utf8_lossy(&text)))?,
            Event::DocType(text) => tell(desk, Piece::Aside(&String::from_utf8_lossy(&text)))?,
            Event::Decl(_) => {}
            Event::Eof => return Ok(()),
        }
    }
}

/// A reference without its `&` and `;`: a character, one of the five names of XML, or what it was.
fn resolved(name: &str) -> Cow<'static, str> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        };
        if let Some(char) = code.and_then(char::from_u32) {
            return Cow::Owned(char.to_string());
        }
    }
    match quick_xml::escape::resolve_predefined_entity(name) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(format!("&{name};")),
    }
}

fn begin(
    desk: &mut Desk<'_>,
    start: &BytesStart<'_>,
    tell: &mut impl FnMut(&mut Desk<'_>, Piece<'_>) -> Outcome,
) -> Outcome {
    let mut attributes = Vec::new();
    let mut is_damaged = false;
    for attribute in start.attributes().with_checks(false) {
        desk.tick()?;
        match attribute {
            Ok(attribute) => {
                let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                attributes.push((name, unescaped(&String::from_utf8_lossy(&attribute.value))));
            }
            Err(_) => is_damaged = true,
        }
    }
    if is_damaged {
        tell(desk, Piece::Aside(&String::from_utf8_lossy(start)))?;
    }
    tell(desk, Piece::Start { name: &String::from_utf8_lossy(start.name().as_ref()), attributes })
}

/// Resolves references in a text; unknown ones stay.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        // Names of references are short; a lone `&` before a far `;` is text.
        match after.find(';').filter(|end| *end > 0 && *end <= 32) {
            Some(end) => {
                out.push_str(&resolved(&after[..end]));
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// How the text of a kind of XML is put together.
pub(super) struct Layout {
    /// Where passages go.
    pub(super) channel: Channel,
    /// Whether the end of an element ends a paragraph.
    pub(super) ends_paragraph: fn(&str) -> bool,
    /// Whether an element holds paragraphs that stand beside each other: a row of a table.
    pub(super) is_row: fn(&str) -> bool,
    /// Whether an element stands for a blank.
    pub(super) is_blank: fn(&str) -> bool,
    /// Whether paragraphs that follow each other are also read over their edge.
    pub(super) joins: bool,
    /// Whether an attribute holds nothing that anybody wrote.
    pub(super) is_machine: fn(name: &str, value: &str) -> bool,
}

/// Text of XML by paragraphs, with the attributes that people wrote, comments and declarations.
pub(super) fn read_text(desk: &mut Desk<'_>, place: &str, bytes: &[u8], layout: &Layout) -> Outcome {
    let mut paragraphs = Paragraphs {
        layout,
        place,
        group: desk.group(),
        text: String::new(),
        last: String::new(),
        row: Vec::new(),
        rows_open: 0,
        told: HashSet::new(),
    };
    let outcome = pieces(desk, bytes, |desk, piece| paragraphs.take(desk, piece));
    paragraphs.end(desk)?;
    outcome
}

struct Paragraphs<'a> {
    layout: &'a Layout,
    place: &'a str,
    group: u32,
    text: String,
    last: String,
    row: Vec<Cow<'static, str>>,
    rows_open: usize,
    /// Values of attributes that were handed out: most stand there a thousand times.
    told: HashSet<String>,
}

impl Paragraphs<'_> {
    fn take(&mut self, desk: &mut Desk<'_>, piece: Piece<'_>) -> Outcome {
        match piece {
            Piece::Text(text) => self.text.push_str(text),
            Piece::Aside(text) => desk.hand_out(self.layout.channel, self.place, self.group, text)?,
            Piece::Start { name, attributes } => {
                let name = local(name);
                if (self.layout.is_row)(name) {
                    self.end(desk)?;
                    self.rows_open += 1;
                    self.group = desk.group();
                }
                if (self.layout.is_blank)(name) {
                    self.text.push(' ');
                }
                for (key, value) in attributes {
                    let is_told = !key.starts_with("xmlns") && value.chars().any(char::is_alphanumeric);
                    if is_told
                        && !(self.layout.is_machine)(local(&key), &value)
                        && !self.told.contains(&value)
                    {
                        desk.hand_out(self.layout.channel, self.place, self.group, &value)?;
                        self.told.insert(value);
                    }
                }
            }
            Piece::End { name } => {
                let name = local(name);
                let is_row = (self.layout.is_row)(name);
                if is_row || (self.layout.ends_paragraph)(name) {
                    self.end(desk)?;
                }
                if is_row {
                    self.rows_open = self.rows_open.saturating_sub(1);
                    joins::siblings(desk, self.place, self.group, &std::mem::take(&mut self.row))?;
                }
                if self.rows_open == 0 && (self.layout.ends_paragraph)(name) {
                    self.group = desk.group();
                }
            }
        }
        Ok(())
    }

    /// Ends a paragraph.
    fn end(&mut self, desk: &mut Desk<'_>) -> Outcome {
        let text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return Ok(());
        }
        desk.hand_out(self.layout.channel, self.place, self.group, &text)?;
        if self.rows_open > 0 {
            if joins::is_part(&text) {
                self.row.push(Cow::Owned(text));
            }
            self.last.clear();
        } else {
            if self.layout.joins && !self.last.is_empty() {
                joins::over_edge(desk, self.place, self.group, &self.last, &text)?;
            }
            self.last = text;
        }
        Ok(())
    }
}

/// XML of no known kind: every element is a paragraph.
pub(super) const PLAIN: Layout = Layout {
    channel: Channel::PlainText,
    ends_paragraph: |_| true,
    is_row: |_| false,
    is_blank: |_| false,
    joins: true,
    is_machine: |_, _| false,
};
