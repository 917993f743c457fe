//! Image resources of Photoshop, which carry IPTC, and XMP and EXIF at times.

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome};
use super::bytes::Bytes;
use super::encodings::runs;
use super::{exif, iptc, xmp};

/// Reads blocks of `8BIM`, a number, a name, a length and a value.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let data = Bytes::big_endian(bytes);
    let mut at = 0;
    while data.slice(at, 4) == Some(b"8BIM") {
        desk.tick()?;
        let (Some(number), Some(name_length)) = (data.u16(at + 4), data.number(at + 6, 1)) else { break };
        // Name and value are padded to even lengths.
        let after_name = at + 6 + ((usize::try_from(name_length).unwrap_or(0) + 2) & !1);
        let Some(length) = data.place(after_name) else { break };
        let start = after_name + 4;
        let whole = data.slice(start, length);
        let value = whole.unwrap_or(bytes.get(start..).unwrap_or_default());
        if let Some(name) = data.slice(at + 7, usize::try_from(name_length).unwrap_or(0)) {
            desk.hand_out(Channel::ImageText, "Photoshop", group, &String::from_utf8_lossy(name))?;
        }
        let read = match number {
            0x0404 => iptc::read(desk, value),
            0x0422 | 0x0423 => exif::read(desk, value),
            0x0424 => xmp::read(desk, value),
            // Thumbnails and colour profiles.
            0x0409 | 0x040c | 0x040f => Ok(()),
            _ => runs(value).try_for_each(|(_, text)| {
                desk.hand_out(Channel::ImageText, &format!("Photoshop/0x{number:04x}"), group, &text)
            }),
        };
        desk.settle("Photoshop", read)?;
        if whole.is_none() {
            break;
        }
        at = start + length + (length & 1);
    }
    // What does not begin with the mark ends early: is it padding, or was it cut?
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.iter().any(|byte| *byte != 0) {
        for (_, text) in runs(rest) {
            desk.hand_out(Channel::ImageText, "Photoshop", group, &text)?;
        }
        desk.unsearchable("Photoshop", Reason::Damaged);
    }
    Ok(())
}
