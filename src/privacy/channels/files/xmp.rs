//! XMP: RDF in XML, inside of images, documents and films (ISO 16684-1).

use crate::privacy::passage::Channel;

use super::super::desk::{Desk, Outcome};
use super::bytes::find;
use super::xml::{Piece, local, pieces};

/// Deepest nesting of which names are kept, for the place of a text.
const NAMES_KEPT: usize = 64;

/// Reads one packet: every text and every attribute, under the name of its property.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let mut names: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    let mut text = String::new();
    let bytes = trimmed(bytes);
    let outcome = pieces(desk, bytes, |desk, piece| {
        match piece {
            Piece::Start { name, attributes } => {
                tell(desk, &names, &mut text, group)?;
                if depth < NAMES_KEPT {
                    names.push(name.to_owned());
                }
                depth += 1;
                for (key, value) in &attributes {
                    if !key.starts_with("xmlns") && !is_of_rdf(key) {
                        desk.hand_out(Channel::Xmp, &format!("Xmp/{key}"), group, value)?;
                    } else if local(key) == "resource" {
                        desk.hand_out(Channel::Xmp, &place(&names), group, value)?;
                    }
                }
            }
            Piece::Text(piece) => text.push_str(piece),
            Piece::End { .. } => {
                tell(desk, &names, &mut text, group)?;
                depth = depth.saturating_sub(1);
                names.truncate(depth);
            }
            Piece::Aside(text) => {
                if !text.starts_with("xpacket") {
                    desk.hand_out(Channel::Xmp, "Xmp", group, text)?;
                }
            }
        }
        Ok(())
    });
    tell(desk, &names, &mut text, group)?;
    outcome
}

fn tell(desk: &mut Desk<'_>, names: &[String], text: &mut String, group: u32) -> Outcome {
    let told = desk.hand_out(Channel::Xmp, &place(names), group, text);
    text.clear();
    told
}

fn is_of_rdf(name: &str) -> bool {
    name.starts_with("rdf:") || name.starts_with("xml:")
}

/// The innermost property; lists and their elements are no properties.
fn place(names: &[String]) -> String {
    match names.iter().rev().find(|name| !is_of_rdf(name)) {
        Some(name) => format!("Xmp/{name}"),
        None => "Xmp".to_owned(),
    }
}

/// The packet without the zeros that some programs pad it with.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // In UTF-16 the last zero belongs to the last character.
    let end = if bytes.starts_with(&[0xff, 0xfe]) { end + end % 2 } else { end };
    &bytes[..end.min(bytes.len())]
}

/// The packets of XMP that lie in bytes of any format, in UTF-8.
pub(super) fn packets(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = find(bytes, b"<x:xmpmeta", at)?;
        let end_tag = b"</x:xmpmeta>";
        let end = find(bytes, end_tag, start).map_or(bytes.len(), |end| end + end_tag.len());
        at = end;
        Some(&bytes[start..end])
    })
}
