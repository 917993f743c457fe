//! Reading JSON that a strict parser refuses but that an API may send.
//!
//! Two things are valid by the grammar and still cannot be held in a `Value`: half of a surrogate
//! pair (`"\ud83d"`, left where an editor's text was cut in the middle of an emoji) and a number
//! beyond every float (`1e999`). One such value must not keep a document out of a backup. The
//! bytes are stored as they are; only the copy that is read gets `\ufffd` and `0` instead.

use serde_json::Value;

/// Parses JSON; where that fails, parses it again with unrepresentable values replaced.
///
/// # Errors
///
/// When the text is not JSON at all, or nested more than 128 deep.
pub(crate) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(text).or_else(|error| {
        // The first error is the one to show: it is about the text as it was sent.
        serde_json::from_slice(&representable(text)).map_err(|_| error)
    })
}

fn representable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut in_string = false;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let mut taken = 1;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => match code_unit(rest) {
                Some(0xD800..=0xDBFF)
                    if matches!(rest.get(6..).and_then(code_unit), Some(0xDC00..=0xDFFF)) =>
                {
                    taken = 12;
                }
                Some(0xD800..=0xDFFF) => {
                    out.extend_from_slice(b"\\ufffd");
                    at += 6;
                    continue;
                }
                _ => taken = 2,
            },
            b'-' | b'0'..=b'9' if !in_string => {
                taken = rest
                    .iter()
                    .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
                    .count();
                let number =
                    std::str::from_utf8(&rest[..taken]).ok().and_then(|text| text.parse::<f64>().ok());
                if number.is_some_and(f64::is_infinite) {
                    out.push(b'0');
                    at += taken;
                    continue;
                }
            }
            _ => {}
        }
        out.extend_from_slice(&rest[..taken.min(rest.len())]);
        at += taken;
    }
    out
}

/// The code unit of `\uXXXX` at the beginning of `text`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let hex = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_held_is_replaced() {
        for (sent, expected) in [
            (r#"["\ud83d"]"#, "\u{fffd}"),
            (r#"["\ude00\ud83d x"]"#, "\u{fffd}\u{fffd} x"),
            (r#"["\ud83d\ude00\ud83d"]"#, "\u{1f600}\u{fffd}"),
            (r#"["\\ud83d \ud83d"]"#, "\\ud83d \u{fffd}"),
            (r#"["1e999 \" -1e999", 1e999, -1E+999, 10.5]"#, "1e999 \" -1e999"),
        ] {
            let value = parse(sent.as_bytes()).expect("readable");
            assert_eq!(value[0], expected, "{sent}");
        }
        assert_eq!(parse(b"[-1e999, 1.5e2]").expect("readable"), serde_json::json!([0, 150.0]));
    }

    #[test]
    fn what_is_not_json_stays_an_error() {
        for text in ["", "{", "[\"\\ud8", "[\"\\", "[1e999", "nonsense", "\"\\ud83d"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
