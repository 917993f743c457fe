//! HTML of which nothing can break out: texts are escaped, and the page forbids everything but its style.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::escape::html;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem}\
h1,h2,h3{line-height:1.2}\
table{border-collapse:collapse;width:100%;margin:1rem 0}\
caption{text-align:start;font-weight:bold;padding:.25rem 0}\
th,td{border:1px solid;padding:.4rem;text-align:start;vertical-align:top}\
td.text{white-space:pre-wrap;overflow-wrap:anywhere;min-width:16rem}\
td,code{overflow-wrap:anywhere}\
dt{font-weight:bold}\
nav ul{padding-inline-start:1.2rem}\
";

/// Escapes a text for HTML. Characters that no document may hold become the sign for what is unreadable.
pub fn escaped(text: &str) -> String {
    let harmless = |char: char| match char {
        '\t' | '\n' => char,
        '\r' => '\n',
        char if char.is_control() => '\u{fffd}',
        char => char,
    };
    html(&text.chars().map(harmless).collect::<String>())
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    /// What is written so far. Whoever adds to it escapes texts with [`escaped`].
    pub html: String,
}

impl Page {
    /// Begins a page in the plain style. `language` is a code of BCP 47 and no text of somebody else.
    pub fn new(language: &str, title: &str) -> Self {
        Self::styled(language, title, STYLE, false)
    }

    /// Begins a page in a style of its own; with `pictures` it may show those that are part of it (`data:`). The
    /// style is the program's, and is written as it is.
    pub fn styled(language: &str, title: &str, style: &str, pictures: bool) -> Self {
        let hash = BASE64.encode(Sha256::digest(style.as_bytes()));
        let title = escaped(title);
        let pictures = if pictures { "img-src data:; " } else { "" };
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{hash}'; {pictures}base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        Self { html }
    }

    /// A heading; `id` is the program's.
    pub fn heading(&mut self, level: u8, id: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.html, "<h{level} id=\"{id}\">{text}</h{level}>");
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.html, "<p dir=\"auto\">{text}</p>");
    }

    /// A list.
    pub fn list(&mut self, items: impl Iterator<Item = String>) {
        self.html.push_str("<ul>\n");
        for item in items {
            let item = escaped(&item);
            let _ = writeln!(self.html, "<li dir=\"auto\">{item}</li>");
        }
        self.html.push_str("</ul>\n");
    }

    /// Begins a table, until [`end_table`](Self::end_table).
    pub fn begin_table(&mut self, caption: &str, heads: &[&str]) {
        let caption = escaped(caption);
        let _ = write!(self.html, "<table>\n<caption>{caption}</caption>\n<thead><tr>");
        for head in heads {
            let head = escaped(head);
            let _ = write!(self.html, "<th scope=\"col\">{head}</th>");
        }
        self.html.push_str("</tr></thead>\n<tbody>\n");
    }

    /// Ends a table.
    pub fn end_table(&mut self) {
        self.html.push_str("</tbody>\n</table>\n");
    }

    /// A cell; `class` is written as it is: nothing, or an attribute after a space.
    pub fn cell(&mut self, class: &str, text: &str) {
        let text = escaped(text);
        let _ = write!(self.html, "<td{class} dir=\"auto\">{text}</td>");
    }

    /// Ends the page.
    pub fn finish(self) -> Vec<u8> {
        self.finish_text().into_bytes()
    }

    /// As [`finish`](Self::finish), as text.
    pub fn finish_text(mut self) -> String {
        self.html.push_str("</main>\n</body>\n</html>\n");
        self.html
    }
}
