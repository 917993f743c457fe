//! Forms with files: `multipart/form-data` (RFC 7578).
//!
//! The whole form is in memory, bounded by the caller; parts are views of it, not copies. Only what
//! uploads need is read: names, file names, and bytes. Headers are bounded, and so is the number of
//! parts.

use std::io::BufRead as _;

use bytes::Bytes;

/// Most parts of a form; an upload has four.
const PARTS_MAX: usize = 32;

/// Longest headers of a part.
const HEADERS_MAX: usize = 8 << 10;

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Name of the field.
    pub(super) name: String,
    /// Name of the file; fields that are none have no such.
    pub(super) filename: Option<String>,
    /// Its bytes.
    pub(super) bytes: Bytes,
}

/// Reads the boundary from the header `Content-Type`.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    let found = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    // RFC 2046, 5.1.1
    (is_form && (1..=70).contains(&found.len())).then_some(found)
}

/// Reads a form; `None` when it is none, or not whole.
pub(super) fn parse(form: &Bytes, boundary: &str) -> Option<Vec<Part>> {
    let dashes = format!("--{boundary}");
    let mut parts = Vec::new();
    // What is before the first boundary does not count.
    let mut at = if form.starts_with(dashes.as_bytes()) {
        dashes.len()
    } else {
        find_line(form, 0, dashes.as_bytes())? + 2 + dashes.len()
    };
    loop {
        let rest = &form[at..];
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        // Spaces after a boundary are allowed, and nobody sends them.
        let from = at + if rest.starts_with(b"\r\n") { 2 } else { return None };
        let (headers, body) = headers_end(form, from)?;
        let end = find_line(form, body.saturating_sub(2), dashes.as_bytes())?;
        let (name, filename) = disposition(std::str::from_utf8(&form[from..headers]).ok()?)?;
        parts.push(Part { name, filename, bytes: form.slice(body..end.max(body)) });
        if parts.len() > PARTS_MAX {
            return None;
        }
        at = end + 2 + dashes.len();
    }
}

/// Returns where the next line that begins with `mark` has its line break, from `from` on.
fn find_line(form: &[u8], from: usize, mark: &[u8]) -> Option<usize> {
    let mut at = from;
    loop {
        let mut rest = form.get(at..)?;
        let skipped = rest.skip_until(b'\n').ok()?;
        if skipped == 0 || !form[..at + skipped].ends_with(b"\n") {
            return None;
        }
        at += skipped;
        if rest.starts_with(mark) && at >= from + 2 && form[..at].ends_with(b"\r\n") {
            return Some(at - 2);
        }
    }
}

/// Returns where the headers end and where the body begins.
fn headers_end(form: &[u8], from: usize) -> Option<(usize, usize)> {
    let window = &form[from..form.len().min(from + HEADERS_MAX)];
    let at = window.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((from + at, from + at + 4))
}

/// Reads name and file name out of `Content-Disposition: form-data; name="…"; filename="…"`.
fn disposition(headers: &str) -> Option<(String, Option<String>)> {
    let line = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut rest = line.trim().strip_prefix("form-data")?;
    let (mut name, mut filename) = (None, None);
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        let (key, value) = parameter.split_once('=')?;
        let (value, after) = quoted(value)?;
        match key.trim() {
            "name" => name = Some(value),
            "filename" => filename = Some(value),
            _ => {}
        }
        rest = after;
    }
    Some((name?, filename))
}

/// Reads a quoted text, or one up to the next `;`. Browsers write `%22` for quotes and `%0A` for line
/// breaks (the HTML standard), older clients a backslash before a quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.trim_start().strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let value = value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
                return Some((value, &inner[at + 1..]));
            }
            '\\' if matches!(chars.peek(), Some((_, '"'))) => {
                chars.next();
                value.push('"');
            }
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".png\"\r\nContent-Type: image/png\r\n\r\n\r\n--A\r\n\nx\r\n--B\r\ncontent-disposition: form-data; name=alt\r\n\r\n\r\n--B--\r\n";

    #[test]
    fn parts_are_read_with_their_names_and_bytes() {
        let parts = parse(&Bytes::from_static(FORM.as_bytes()), "B").expect("a form");
        let part = |name: &str, filename: Option<&str>, bytes: &'static [u8]| Part {
            name: name.to_owned(),
            filename: filename.map(str::to_owned),
            bytes: Bytes::from_static(bytes),
        };
        assert_eq!(parts, [part("file", Some("a \"b\".png"), b"\r\n--A\r\n\nx"), part("alt", None, b"")]);
        let with_preamble = Bytes::from(format!("to be ignored\r\n{FORM}"));
        assert_eq!(parse(&with_preamble, "B"), Some(parts));
        assert_eq!(parse(&Bytes::from_static(b"--B--"), "B"), Some(Vec::new()));
    }

    #[test]
    fn the_boundary_is_read_from_the_content_type() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("application/json; boundary=abc", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
    }

    #[test]
    fn forms_that_are_cut_anywhere_are_refused() {
        let whole = FORM.trim_end().len();
        for len in 0..whole {
            let cut = Bytes::copy_from_slice(&FORM.as_bytes()[..len]);
            assert_eq!(parse(&cut, "B"), None, "cut after {len}");
        }
    }

    #[test]
    fn hostile_forms_are_refused_soon() {
        let many = "--B\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n".repeat(1000) + "--B--";
        let long = format!("--B\r\nX: {}\r\n\r\n\r\n--B--", "y".repeat(HEADERS_MAX));
        for form in [many, long, "--B\r\n\r\n\r\n--B--".to_owned(), "--B\n".to_owned(), "\n".repeat(1 << 20)]
        {
            assert_eq!(parse(&Bytes::from(form), "B"), None);
        }
    }
}
