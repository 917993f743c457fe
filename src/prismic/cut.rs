//! Cuts members out of a JSON object without printing it again.
//!
//! A document is stored with the bytes that the API sent, less `href` (it holds the ref, so it
//! changes at every publish) and less `url` (the answer to a route resolver). Parsing and printing
//! would turn `10.0` into `10`, `\u00e9` into `é` and would sort keys; then a document whose
//! content did not change could differ from its last backup, and a backup could differ from its
//! source. So the members are found by a scan over the bytes and everything else is copied.
//!
//! Invariants, each a test:
//! - The result is valid JSON if the input was.
//! - Only top-level members go; a nested `href` stays. All members of the name go, also when a
//!   key is repeated or spelled with escapes (`"\u0068ref"`).
//! - The text of every other member is byte for byte what it was; without such members the whole
//!   input is.

use std::ops::Range;

/// What [`without_members`] says about bytes that are not one JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} does not belong to a JSON object")]
pub struct NotAnObject {
    /// Offset of the first byte that does not fit.
    pub at: usize,
}

/// Returns the JSON object `bytes` without its top-level members called one of `names`.
///
/// With a member goes the comma before it, or the one after it when no member that stays comes
/// before. `names` must be ASCII.
///
/// # Errors
///
/// When `bytes` is not one JSON object. Values are skipped rather than checked: invalid JSON
/// inside of a value may pass, and is then still there.
pub fn without_members(bytes: &[u8], names: &[&str]) -> Result<Vec<u8>, NotAnObject> {
    Ok(Members::find(bytes)?.without(names))
}

/// The top-level members of a JSON object, found by one scan.
pub(super) struct Members<'a> {
    bytes: &'a [u8],
    found: Vec<Member>,
}

impl<'a> Members<'a> {
    /// Finds the members of the object `bytes`.
    pub(super) fn find(bytes: &'a [u8]) -> Result<Self, NotAnObject> {
        Ok(Self { bytes, found: Scanner { bytes, at: 0 }.object()? })
    }

    /// Returns the text of the value under an ASCII name; of several, the last.
    pub(super) fn value(&self, name: &str) -> Option<&'a [u8]> {
        let member = self.found.iter().rev().find(|member| key_is(&self.bytes[member.key.clone()], name))?;
        Some(&self.bytes[member.value_start..member.value_end])
    }

    /// Where each member stands: all of it, its key with the quotes, and its value.
    pub(super) fn places(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>, Range<usize>)> + '_ {
        self.found.iter().map(|member| {
            (member.key.start..member.value_end, member.key.clone(), member.value_start..member.value_end)
        })
    }

    /// Returns the object without those members, as [`without_members`] does.
    pub(super) fn without(&self, names: &[&str]) -> Vec<u8> {
        without(self.bytes, &self.found, names)
    }
}

/// Finds the elements of the array `bytes`.
///
/// # Errors
///
/// When it is not one JSON array.
pub(super) fn elements(bytes: &[u8]) -> Result<Vec<Range<usize>>, NotAnObject> {
    Scanner { bytes, at: 0 }.array()
}

fn without(bytes: &[u8], members: &[Member], names: &[&str]) -> Vec<u8> {
    let kept = |member: &Member| !names.iter().any(|name| key_is(&bytes[member.key.clone()], name));

    let Some(first) = members.first() else { return bytes.to_vec() };
    let last_end = members.last().map_or(first.value_end, |last| last.value_end);
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first.key.start]);
    let mut previous_end = None;
    let mut first_kept = true;
    for member in members {
        if kept(member) {
            if let (false, Some(end)) = (first_kept, previous_end) {
                // The comma and the white space that stood directly before this member.
                out.extend_from_slice(&bytes[end..member.key.start]);
            }
            out.extend_from_slice(&bytes[member.key.start..member.value_end]);
            first_kept = false;
        }
        previous_end = Some(member.value_end);
    }
    out.extend_from_slice(&bytes[last_end..]);
    out
}

/// One member of an object: where its key (with quotes) and its value stand.
struct Member {
    key: Range<usize>,
    value_start: usize,
    value_end: usize,
}

/// A cursor over JSON text.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn object(&mut self) -> Result<Vec<Member>, NotAnObject> {
        self.list(b'{', b'}', |scanner| {
            let start = scanner.at;
            scanner.string()?;
            let key = start..scanner.at;
            scanner.white_space();
            scanner.expect(b':')?;
            scanner.white_space();
            let value_start = scanner.at;
            scanner.value()?;
            Ok(Member { key, value_start, value_end: scanner.at })
        })
    }

    fn array(&mut self) -> Result<Vec<Range<usize>>, NotAnObject> {
        self.list(b'[', b']', |scanner| {
            let start = scanner.at;
            scanner.value()?;
            Ok(start..scanner.at)
        })
    }

    /// Reads what stands between two brackets, with commas between, to the end of the text.
    fn list<T>(
        &mut self,
        open: u8,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Result<T, NotAnObject>,
    ) -> Result<Vec<T>, NotAnObject> {
        let mut parts = Vec::new();
        self.white_space();
        self.expect(open)?;
        self.white_space();
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                self.white_space();
                parts.push(part(self)?);
                self.white_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.unexpected()),
                }
            }
        }
        self.white_space();
        if self.at == self.bytes.len() { Ok(parts) } else { Err(self.unexpected()) }
    }

    /// Skips one value; nesting is counted, not recursed into, so depth costs no stack.
    fn value(&mut self) -> Result<(), NotAnObject> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => {
                let mut depth = 0usize;
                loop {
                    match self.peek() {
                        Some(b'"') => {
                            self.string()?;
                            continue;
                        }
                        Some(b'{' | b'[') => depth += 1,
                        Some(b'}' | b']') => depth -= 1,
                        Some(_) => {}
                        None => return Err(self.unexpected()),
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
            }
            _ => {
                let start = self.at;
                while self
                    .peek()
                    .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
                {
                    self.at += 1;
                }
                if self.at > start { Ok(()) } else { Err(self.unexpected()) }
            }
        }
    }

    fn string(&mut self) -> Result<(), NotAnObject> {
        self.expect(b'"')?;
        loop {
            self.at += plain_length(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                // What follows a backslash never ends the string.
                Some(_) => self.at += 2,
                None => return Err(self.unexpected()),
            }
        }
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotAnObject> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self) -> NotAnObject {
        NotAnObject { at: self.at.min(self.bytes.len()) }
    }
}

/// Number of bytes before the first quote or backslash. Most of a document is text, so it is looked
/// at eight bytes at once.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // The lowest byte that is marked equals `byte`; those above it may be marked wrongly.
    let marks = |word: u64, byte: u8| {
        let zero_where_equal = word ^ (ONES * u64::from(byte));
        zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = marks(word, b'"') | marks(word, b'\\');
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let within = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    within.map_or(bytes.len(), |at| words.len() * 8 + at)
}

/// Whether a key, as written with its quotes, spells the ASCII word `name`.
fn key_is(raw: &[u8], name: &str) -> bool {
    let mut rest = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    for wanted in name.bytes() {
        let (found, after) = match rest {
            [b'\\', b'u', hex @ ..] if hex.len() >= 4 => {
                let code = std::str::from_utf8(&hex[..4]).ok().and_then(|h| u32::from_str_radix(h, 16).ok());
                let Some(found) = code.and_then(|code| u8::try_from(code).ok()) else { return false };
                (found, &hex[4..])
            }
            // Of the short escapes only these three stand for visible ASCII.
            [b'\\', escaped @ (b'"' | b'\\' | b'/'), after @ ..] => (*escaped, after),
            [b'\\', ..] | [] => return false,
            [found, after @ ..] => (*found, after),
        };
        if found != wanted {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn cut(text: &str) -> String {
        let bytes = without_members(text.as_bytes(), &["href", "url"]).expect("an object");
        String::from_utf8(bytes).expect("cut between characters")
    }

    #[test]
    fn members_go_with_one_comma_wherever_they_stand() {
        for (whole, expected) in [
            (r#"{"href":"x","a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"href":"x"}"#, r#"{"a":1}"#),
            (r#"{"a":1,"url":null,"b":2}"#, r#"{"a":1,"b":2}"#),
            (r#"{"href":"x"}"#, "{}"),
            (r#"{"href":1,"url":2}"#, "{}"),
            (r#"{"href":1,"a":1,"url":2}"#, r#"{"a":1}"#),
            (r#"{"a":1,"href":1,"url":2,"b":2}"#, r#"{"a":1,"b":2}"#),
            ("{ \"href\" : 1 ,\n  \"a\" : 10.0 }", "{ \"a\" : 10.0 }"),
            ("{\n  \"a\": 1,\n  \"url\": null\n}", "{\n  \"a\": 1\n}"),
            ("{}", "{}"),
            (" { } ", " { } "),
        ] {
            assert_eq!(cut(whole), expected, "{whole}");
        }
    }

    #[test]
    fn escaped_and_repeated_keys_are_found() {
        assert_eq!(
            cut(r#"{"\u0068ref":1,"h\u0072e\u0066":2,"\u0055rl":3,"url":4,"url":5}"#),
            r#"{"\u0055rl":3}"#
        );
        assert_eq!(cut(r#"{"hre":1,"hreff":2,"\u0168ref":3,"\nhref":4,"":5}"#).matches(':').count(), 5);
    }

    #[test]
    fn what_looks_like_a_member_inside_of_a_value_stays() {
        for text in [
            r#"{"data":{"href":"x","url":"y"},"z":[{"url":1}]}"#,
            r#"{"a":"\"href\":1,","b":"{\"url\":2}","c":"\\"}"#,
            r#"{"a":"}]","b":["\"]"]}"#,
        ] {
            assert_eq!(cut(text), text);
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":\"x",
            "{\"a\\",
            "{\"a\":[1",
        ] {
            assert!(without_members(text.as_bytes(), &["href"]).is_err(), "{text}");
        }
    }

    /// A string literal that is written plainly or with escapes.
    fn string_text() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => any::<String>().prop_map(|s| serde_json::to_string(&s).expect("strings serialise")),
            1 => "[a-z]{0,4}".prop_map(|s| {
                let escaped: String = s.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect();
                format!("\"{escaped}\"")
            }),
            1 => Just(r#""}],{[\\\"""#.to_owned()),
        ]
    }

    fn key_text() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("\"href\"".to_owned()),
            Just("\"url\"".to_owned()),
            Just("\"\\u0075rl\"".to_owned()),
            Just("\"a\"".to_owned()),
            string_text(),
        ]
    }

    fn space() -> impl Strategy<Value = String> {
        "[ \t\r\n]{0,2}"
    }

    fn object_text(members: Vec<(String, String, String)>) -> String {
        let inner: Vec<_> = members.iter().map(|(s, k, v)| format!("{s}{k}{s}:{s}{v}{s}")).collect();
        format!("{{{}}}", inner.join(","))
    }

    fn value_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("10.0".to_owned()),
            Just("-0.5E+3".to_owned()),
            Just("true".to_owned()),
            string_text(),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..4), space())
                    .prop_map(|(values, s)| format!("[{s}{}{s}]", values.join(&format!("{s},")))),
                prop::collection::vec((space(), key_text(), inner), 0..4).prop_map(object_text),
            ]
        })
    }

    proptest! {
        #[test]
        fn cutting_is_parsing_less_the_members_and_leaves_all_other_bytes(
            members in prop::collection::vec((space(), key_text(), value_text()), 0..6)
        ) {
            let whole = object_text(members.clone());
            let result = cut(&whole);

            let mut expected: serde_json::Map<String, Value> = serde_json::from_str(&whole).expect("valid");
            expected.shift_remove("href");
            expected.shift_remove("url");
            let parsed: serde_json::Map<String, Value> = serde_json::from_str(&result).expect("still valid");
            prop_assert_eq!(&parsed, &expected);
            prop_assert!(parsed.keys().eq(expected.keys()));

            let is_cut = |key: &str| {
                let key: String = serde_json::from_str(key).expect("a string");
                key == "href" || key == "url"
            };
            let mut rest = result.as_str();
            for (s, key, value) in members.iter().filter(|(_, key, _)| !is_cut(key)) {
                let text = format!("{key}{s}:{s}{value}");
                let at = rest.find(&text);
                prop_assert!(at.is_some(), "{} lacks {}", result, text);
                rest = &rest[at.unwrap_or(0) + text.len()..];
            }
            if !members.iter().any(|(_, key, _)| is_cut(key)) {
                prop_assert_eq!(&result, &whole);
            }
        }

        #[test]
        fn text_ends_at_the_first_quote_or_backslash(text in "[a-z\"\\\\!#\\[\\]\u{a2}\u{dc}]{0,40}") {
            let one_by_one = text.bytes().position(|byte| byte == b'"' || byte == b'\\');
            prop_assert_eq!(plain_length(text.as_bytes()), one_by_one.unwrap_or(text.len()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _outcome = without_members(&bytes, &["href", "url"]);
        }
    }
}
