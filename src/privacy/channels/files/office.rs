//! Office documents: those of Microsoft (ECMA-376) and OpenDocument (ISO 26300), part by part.

use std::borrow::Cow;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::super::joins;
use super::xml::{Layout, Piece, local, pieces, read_text};

/// Texts of the cells of a workbook.
pub(super) const SHARED_STRINGS: &str = "xl/sharedStrings.xml";

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A document of Microsoft's kind.
    Office,
    /// A document of OpenDocument's kind.
    OpenDocument,
}

/// Known by the parts that every document of its kind has.
pub(super) fn kind_of(has: impl Fn(&str) -> bool) -> Option<Kind> {
    if has("[Content_Types].xml") {
        Some(Kind::Office)
    } else if has("content.xml") && (has("META-INF/manifest.xml") || has("mimetype")) {
        Some(Kind::OpenDocument)
    } else {
        None
    }
}

const TEXT: Layout = Layout {
    channel: Channel::OfficeText,
    // Paragraphs of texts, slides and sheets; notes and fields that stand in them.
    ends_paragraph: |name| {
        matches!(
            name,
            "p" | "h"
                | "si"
                | "c"
                | "v"
                | "f"
                | "instrText"
                | "delText"
                | "comment"
                | "annotation"
                | "text"
                | "creator"
                | "date"
                | "definedName"
        )
    },
    is_row: |name| matches!(name, "tr" | "row" | "table-row"),
    is_blank: |name| matches!(name, "tab" | "br" | "cr" | "line-break" | "s" | "noBreakHyphen"),
    joins: true,
    is_machine: is_layout,
};

const PROPERTIES: Layout = Layout {
    channel: Channel::OfficeProperties,
    ends_paragraph: |_| true,
    is_row: |_| false,
    is_blank: |_| false,
    joins: false,
    is_machine: |name, _| matches!(name, "fmtid" | "pid" | "type"),
};

/// Attributes of programs: marks of revisions, measures, names of styles and schemas.
fn is_layout(name: &str, value: &str) -> bool {
    name.starts_with("rsid")
        || matches!(
            name,
            "style-name" | "ascii" | "hAnsi" | "eastAsia" | "cs" | "uri" | "typeface" | "paraId" | "textId"
        )
        || value.starts_with("http://schemas.")
        || value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Strings of a workbook, which its cells refer to by number.
#[derive(Default)]
pub(super) struct Shared(Vec<String>);

impl Shared {
    /// Reads the part; handing it out is [`read_part`]'s.
    pub(super) fn read(&mut self, desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
        let mut text = String::new();
        pieces(desk, bytes, |_, piece| {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::End { name } if local(name) == "si" => self.0.push(std::mem::take(&mut text)),
                _ => {}
            }
            Ok(())
        })
    }
}

/// Reads one part of a document.
pub(super) fn read_part(
    desk: &mut Desk<'_>,
    kind: Kind,
    name: &str,
    bytes: &[u8],
    shared: &Shared,
) -> Outcome {
    if kind == Kind::OpenDocument && name == "META-INF/manifest.xml" {
        // The manifest is plain where the document is encrypted, and says so.
        if super::bytes::find(bytes, b"encryption-data", 0).is_some() {
            return Err(Stop::Part(Reason::Encrypted));
        }
    }
    let is_xml = name.ends_with(".xml") || name.ends_with(".rels") || name.ends_with(".vml");
    if !is_xml {
        return desk.within(name, |desk| super::read(desk, Some(name), bytes));
    }
    let is_properties = name.starts_with("docProps/") || name == "meta.xml";
    read_text(desk, name, bytes, if is_properties { &PROPERTIES } else { &TEXT })?;
    if name.starts_with("xl/worksheets/") {
        return rows(desk, name, bytes, shared);
    }
    Ok(())
}

/// Reads the rows of a sheet as one text each: a first and a last name stand in two cells.
fn rows(desk: &mut Desk<'_>, place: &str, bytes: &[u8], shared: &Shared) -> Outcome {
    let (mut row, mut text, mut is_shared) = (Vec::<Cow<'static, str>>::new(), String::new(), false);
    pieces(desk, bytes, |desk, piece| {
        match piece {
            Piece::Start { name, attributes } if local(name) == "c" => {
                is_shared = attributes.iter().any(|(key, value)| key == "t" && value == "s");
                text.clear();
            }
            Piece::Start { name, .. } if matches!(local(name), "v" | "t") => text.clear(),
            Piece::Text(piece) => text.push_str(piece),
            Piece::End { name } => match local(name) {
                "v" | "t" => {
                    let value = std::mem::take(&mut text);
                    let string = value.trim().parse::<usize>().ok().and_then(|index| shared.0.get(index));
                    let value = if is_shared { string.cloned() } else { Some(value) };
                    row.extend(value.filter(|value| joins::is_part(value)).map(Cow::Owned));
                }
                "row" => {
                    let group = desk.group();
                    joins::siblings(desk, place, group, &std::mem::take(&mut row))?;
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    })
}
