//! JSON that cannot be parsed, and what all readers of JSON share.

use serde_json::Value;

use crate::prismic::parse_json;
use crate::privacy::passage::{Channel, Reason};

use super::desk::{Desk, Outcome, Stop};

/// Parses JSON. Where that cannot be done, everything that looks like a string or number in it is
/// handed out in this channel.
///
/// # Errors
///
/// Says [`Reason::TooDeep`], [`Reason::TooLarge`] or [`Reason::Damaged`] after that: places and shapes
/// are not known.
pub(super) fn parse(desk: &mut Desk<'_>, bytes: &[u8], channel: Channel) -> Outcome<Value> {
    if bytes.len() > desk.bounds.json_bytes_max {
        literals(desk, bytes, channel)?;
        return Err(Stop::Part(Reason::TooLarge));
    }
    match parse_json(bytes) {
        Ok(value) => Ok(value),
        Err(error) => {
            literals(desk, bytes, channel)?;
            // The parser has no name for it; damage has a place in the grammar, depth has not.
            let too_deep = error.to_string().starts_with("recursion limit");
            Err(Stop::Part(if too_deep { Reason::TooDeep } else { Reason::Damaged }))
        }
    }
}

/// Hands out every string literal, and what stands between them, of bytes that are not JSON any more.
fn literals(desk: &mut Desk<'_>, bytes: &[u8], channel: Channel) -> Outcome {
    let group = desk.group();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        if bytes[at] == b'"' {
            at = end_of_string(bytes, at);
            let literal = &bytes[start..at];
            let place = format!("byte {start}");
            match parse_json(literal) {
                Ok(Value::String(text)) => desk.hand_out(channel, &place, group, &text)?,
                _ => desk.hand_out(channel, &place, group, &String::from_utf8_lossy(literal))?,
            }
        } else {
            at = bytes[at..].iter().position(|byte| *byte == b'"').map_or(bytes.len(), |next| at + next);
            let between = String::from_utf8_lossy(&bytes[start..at]);
            if between.chars().any(char::is_alphanumeric) {
                desk.hand_out(channel, &format!("byte {start}"), group, &between)?;
            }
        }
    }
    Ok(())
}

/// Where a string literal ends that begins at `at`: behind its closing quote, or at the end.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(byte) = bytes.get(next) {
        match byte {
            b'"' => return next + 1,
            b'\\' => next += 2,
            _ => next += 1,
        }
    }
    bytes.len()
}

/// File name in the address of a file of Prismic, without the id before it:
/// `https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_PoeticUnity.jpg?auto=format` gives
/// `PoeticUnity.jpg`. `None` for what has no name there.
pub(super) fn file_name_of_url(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let decoded = percent_decoded(path);
    let last = decoded.rsplit('/').next().filter(|last| !last.is_empty() && last.len() < decoded.len())?;
    let after = |length: usize| {
        (last.as_bytes().get(length) == Some(&b'_')).then(|| last.get(length + 1..)).flatten()
    };
    // An id of the library, or a UUID as older addresses have it.
    let name = after(16).or_else(|| after(36)).filter(|name| !name.is_empty()).unwrap_or(last);
    Some(name.to_owned())
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a string is a date or a timestamp as Prismic writes them: `2020-02-03`,
/// `2020-02-03T12:13:14+0000`.
pub(in crate::privacy) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = |from: usize, pattern: &[u8]| {
        bytes.get(from..from + pattern.len()).is_some_and(|part| {
            part.iter().zip(pattern).all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                like => byte == like,
            })
        })
    };
    shaped(0, b"0000-00-00") && (bytes.len() == 10 || (bytes.len() <= 35 && shaped(10, b"T00:00")))
}
