//! IPTC IIM: records of a marker, two numbers, a length and a value (IIM 4.2).

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::bytes::Bytes;
use super::encodings::{macintosh, utf8_or_latin1};

/// Reads IIM records. The text is UTF-8 where it is valid, as the marker of 1:90 says or programs leave
/// out to say, else Latin-1; doubtful bytes are also read as those of old Macintoshes.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let group = desk.group();
    let data = Bytes::big_endian(bytes);
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        desk.tick()?;
        // Padding.
        if rest[0] == 0 {
            at += 1;
            continue;
        }
        let (Some([0x1c, record, number]), Some(length)) = (rest.get(..3), data.u16(at + 3)) else {
            return Err(Stop::Part(Reason::Damaged));
        };
        at += 5;
        let mut length = usize::from(length);
        // A length that does not fit has the number of bytes that it is written in.
        if length & 0x8000 != 0 {
            let digits = length & 0x7fff;
            let Some(long) = (digits <= 4).then(|| data.number(at, digits)).flatten() else {
                return Err(Stop::Part(Reason::Damaged));
            };
            at += digits;
            length = usize::try_from(long).unwrap_or(usize::MAX);
        }
        let whole = data.slice(at, length);
        let value = whole.unwrap_or(&bytes[at.min(bytes.len())..]);
        tell(desk, *record, *number, value, group)?;
        if whole.is_none() {
            return Err(Stop::Part(Reason::Damaged));
        }
        at += length;
    }
    Ok(())
}

fn tell(desk: &mut Desk<'_>, record: u8, number: u8, value: &[u8], group: u32) -> Outcome {
    // The envelope's character set, and versions: no text.
    if (record, number) == (1, 90) || (number == 0 && value.len() == 2) {
        return Ok(());
    }
    let place = match name_of(record, number) {
        Some(name) => format!("Iptc/{name}"),
        None => format!("Iptc/{record}:{number}"),
    };
    desk.hand_out(Channel::Iptc, &place, group, &utf8_or_latin1(value))?;
    match macintosh(value) {
        Some(text) => desk.hand_out(Channel::Iptc, &place, group, &text),
        None => Ok(()),
    }
}

fn name_of(record: u8, number: u8) -> Option<&'static str> {
    if record != 2 {
        return None;
    }
    Some(match number {
        5 => "ObjectName",
        25 => "Keywords",
        40 => "SpecialInstructions",
        55 => "DateCreated",
        80 => "By-line",
        85 => "By-lineTitle",
        90 => "City",
        92 => "Sub-location",
        95 => "Province-State",
        101 => "Country",
        105 => "Headline",
        110 => "Credit",
        115 => "Source",
        116 => "CopyrightNotice",
        118 => "Contact",
        120 => "Caption",
        122 => "Writer-Editor",
        _ => return None,
    })
}
