//! SVG: texts, titles, descriptions, metadata, attributes, and pictures inside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::xml::{Layout, Piece, local, pieces, read_text};
use super::{bytes, xmp};

/// Texts of an SVG; pieces of one line (`tspan`) are one text.
const LAYOUT: Layout = Layout {
    channel: Channel::Svg,
    ends_paragraph: |name| !matches!(name, "tspan" | "textPath" | "a" | "tref" | "em" | "strong"),
    is_row: |_| false,
    is_blank: |_| false,
    joins: true,
    is_machine: is_drawing,
};

/// Attributes that draw.
fn is_drawing(name: &str, value: &str) -> bool {
    let draws = matches!(
        name,
        "d" | "points"
            | "transform"
            | "viewBox"
            | "style"
            | "fill"
            | "stroke"
            | "x"
            | "y"
            | "width"
            | "height"
            | "version"
    );
    // A style may name a picture or hold a text.
    let is_plain = name != "style" || !(value.contains("url(") || value.contains("content"));
    (draws && is_plain && !value.contains('@')) || value.starts_with("data:")
}

/// Reads an SVG.
pub(super) fn read(desk: &mut Desk<'_>, text: &[u8]) -> Outcome {
    for packet in xmp::packets(text) {
        let read = xmp::read(desk, packet);
        desk.settle("Xmp", read)?;
    }
    let outcome = read_text(desk, "SVG", text, &LAYOUT);
    if bytes::find(text, b"data:", 0).is_some() {
        // Damage was told above.
        let mut number = 0;
        let read = pieces(desk, text, |desk, piece| {
            let Piece::Start { name, attributes } = piece else { return Ok(()) };
            for (_, value) in attributes.iter().filter(|(_, value)| value.trim_start().starts_with("data:")) {
                number += 1;
                let place = format!("SVG/{} {number}", local(name));
                let read = data_uri(desk, &place, value.trim_start());
                desk.settle(&place, read)?;
            }
            Ok(())
        });
        if let Err(Stop::Item(_)) = read {
            return read;
        }
    }
    outcome
}

/// Reads what an address of the form `data:` holds.
fn data_uri(desk: &mut Desk<'_>, place: &str, uri: &str) -> Outcome {
    let Some((head, body)) = uri.split_once(',') else { return Err(Stop::Part(Reason::Damaged)) };
    if !head.ends_with(";base64") {
        return desk.hand_out(Channel::Svg, place, 0, body);
    }
    let compact: String = body.chars().filter(|char| !char.is_whitespace()).collect();
    let Ok(bytes) = STANDARD.decode(compact) else { return Err(Stop::Part(Reason::Damaged)) };
    desk.unpacked(bytes.len())?;
    desk.within(place, |desk| super::read(desk, None, &bytes))
}
