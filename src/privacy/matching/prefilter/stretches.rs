//! The parts of an item in which escapes hide something.
//!
//! They are cut at quotes: in JSON each is a string. What is looked for holds no quotes and is
//! folded alike wherever it stands, so that a stretch alone reads what it reads within the whole.

use std::iter::Peekable;

use memchr::{memchr, memchr_iter, memchr3_iter, memmem, memrchr};

use super::super::decode::{BASE64_MARK, ESCAPES, PUNYCODE_MARK, is_escape};

/// What parts two stretches.
pub(super) const QUOTE: u8 = b'"';

/// Hands out each stretch that may read otherwise with its escapes taken off, in order.
pub(super) fn escaped(text: &str, mut each: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let [percent, ampersand, backslash, equals] = ESCAPES;
    let is_escape = |at: &usize| is_escape(text, *at);
    let mut escapes = memchr3_iter(percent, ampersand, backslash, bytes).filter(is_escape).peekable();
    let mut quoted = memchr_iter(equals, bytes).filter(is_escape).peekable();
    let mut base64 = memmem::find_iter(bytes, BASE64_MARK).peekable();
    let mut punycode = memmem::find_iter(bytes, PUNYCODE_MARK).peekable();
    let mut done = 0;
    loop {
        let next = [
            ahead(&mut escapes, done),
            ahead(&mut quoted, done),
            ahead(&mut base64, done),
            ahead(&mut punycode, done),
        ];
        let Some(at) = next.into_iter().flatten().min() else { break };
        let (start, end) = around(bytes, done, at);
        each(&text[start..end]);
        done = end;
    }
}

/// Whether more than backslashes may hide something.
pub(super) fn hides_more(stretch: &str) -> bool {
    let bytes = stretch.as_bytes();
    let other = |byte: &u8| *byte != b'\\' && ESCAPES.contains(byte);
    bytes.iter().any(other)
        || memmem::find(bytes, BASE64_MARK).is_some()
        || memmem::find(bytes, PUNYCODE_MARK).is_some()
}

/// The next place that is not before `from`.
fn ahead(places: &mut Peekable<impl Iterator<Item = usize>>, from: usize) -> Option<usize> {
    while places.next_if(|at| *at < from).is_some() {}
    places.peek().copied()
}

/// From the quote before a place to the one behind it, both included where there are such. Quotes
/// behind a backslash do not count: most of them are part of a string.
fn around(bytes: &[u8], done: usize, at: usize) -> (usize, usize) {
    let is_cut = |quote: usize| quote == 0 || bytes[quote - 1] != b'\\';
    let mut start = at;
    while let Some(quote) = memrchr(QUOTE, &bytes[done..start]) {
        start = done + quote;
        if is_cut(start) {
            break;
        }
    }
    if bytes.get(start) != Some(&QUOTE) || !is_cut(start) {
        start = done;
    }
    let mut end = at + 1;
    while let Some(quote) = memchr(QUOTE, &bytes[end..]) {
        end += quote + 1;
        if is_cut(end - 1) {
            return (start, end);
        }
    }
    (start, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        escaped(text, |stretch| out.push(stretch.to_owned()));
        out
    }

    #[test]
    fn strings_with_escapes_are_handed_out() {
        for (text, expected) in [
            (r#"{"a":"plain","b":"caf\u00e9","c":"x"}"#, &[r#""caf\u00e9""#] as &[&str]),
            (r#"["a\"b\"c","%41","z"]"#, &[r#""a\"b\"c""#, r#""%41""#]),
            (
                r#"["&amp;","=C3=BC","data:;base64,QQ==","xn--a","w&h=5"]"#,
                &[r#""&amp;""#, r#""=C3=BC""#, r#""data:;base64,QQ==""#, r#""xn--a""#],
            ),
            (r#"["100 % & more = much","a=b","&w=x1"]"#, &[]),
            ("no quotes \\n at all", &["no quotes \\n at all"]),
            ("\\\"%41", &["\\\"%41"]),
            ("\"%41\" %42", &["\"%41\"", " %42"]),
            ("%41\"ü\"%42", &["%41\"", "\"%42"]),
            ("", &[]),
        ] {
            assert_eq!(stretches(text), expected, "{text}");
        }
    }

    #[test]
    fn backslashes_alone_are_told() {
        assert!(!hides_more(r"a\nb\u00e9"));
        for text in ["a%", "a&b", "=", "data:;base64,", "xn--a"] {
            assert!(hides_more(text), "{text}");
        }
    }
}
