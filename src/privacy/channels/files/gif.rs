//! GIF: comments, plain text, and XMP.

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::encodings::decode;
use super::xmp;

/// Reads all that is text in a GIF.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    // XMP stands in a block that is not cut as others are.
    for packet in xmp::packets(bytes) {
        let read = xmp::read(desk, packet);
        desk.settle("Xmp", read)?;
    }
    let damaged = Stop::Part(Reason::Damaged);
    let flags = *bytes.get(10).ok_or(damaged)?;
    let mut at = 13 + colour_table(flags);
    loop {
        desk.tick()?;
        match *bytes.get(at).ok_or(damaged)? {
            b';' => return Ok(()),
            b',' => {
                let flags = *bytes.get(at + 9).ok_or(damaged)?;
                // The size of a code, then blocks of pixels.
                at = blocks(bytes, at + 11 + colour_table(flags), |_| ()).ok_or(damaged)?;
            }
            b'!' => {
                let label = *bytes.get(at + 1).ok_or(damaged)?;
                let mut text = Vec::new();
                let end = blocks(bytes, at + 2, |block| text.extend_from_slice(block));
                // Comments and plain text; the latter begins with twelve bytes of layout.
                let place = match label {
                    0xfe => Some("GIF comment"),
                    0x01 => Some("GIF plain text"),
                    _ => None,
                };
                if let Some(place) = place {
                    desk.hand_out(Channel::ImageText, place, group, &decode(&text))?;
                }
                at = end.ok_or(damaged)?;
            }
            // Padding between blocks.
            0 => at += 1,
            _ => return Err(damaged),
        }
    }
}

fn colour_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Goes through blocks with their length before each; returns where the empty one at the end ends.
fn blocks<'a>(bytes: &'a [u8], from: usize, mut tell: impl FnMut(&'a [u8])) -> Option<usize> {
    let mut at = from;
    loop {
        let length = usize::from(*bytes.get(at)?);
        if length == 0 {
            return Some(at + 1);
        }
        let whole = bytes.get(at + 1..at + 1 + length);
        tell(whole.unwrap_or(&bytes[at + 1..]));
        whole?;
        at += 1 + length;
    }
}
