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
pub(super) fn escaped(text: &str) -> String {
    let harmless = |char: char| match char {
        '\t' | '\n' => char,
        '\r' => '\n',
        char if char.is_control() => '\u{fffd}',
        char => char,
    };
    html(&text.chars().map(harmless).collect::<String>())
}

/// A page in the making.
pub(super) struct Page {
    pub(super) html: String,
}

impl Page {
    pub(super) fn new(language: &str, title: &str) -> Self {
        let hash = BASE64.encode(Sha256::digest(STYLE.as_bytes()));
        let title = escaped(title);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        Self { html }
    }

    pub(super) fn heading(&mut self, level: u8, id: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.html, "<h{level} id=\"{id}\">{text}</h{level}>");
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.html, "<p dir=\"auto\">{text}</p>");
    }

    pub(super) fn list(&mut self, items: impl Iterator<Item = String>) {
        self.html.push_str("<ul>\n");
        for item in items {
            let item = escaped(&item);
            let _ = writeln!(self.html, "<li dir=\"auto\">{item}</li>");
        }
        self.html.push_str("</ul>\n");
    }

    pub(super) fn begin_table(&mut self, caption: &str, heads: &[&str]) {
        let caption = escaped(caption);
        let _ = write!(self.html, "<table>\n<caption>{caption}</caption>\n<thead><tr>");
        for head in heads {
            let head = escaped(head);
            let _ = write!(self.html, "<th scope=\"col\">{head}</th>");
        }
        self.html.push_str("</tr></thead>\n<tbody>\n");
    }

    pub(super) fn end_table(&mut self) {
        self.html.push_str("</tbody>\n</table>\n");
    }

    pub(super) fn cell(&mut self, class: &str, text: &str) {
        let text = escaped(text);
        let _ = write!(self.html, "<td{class} dir=\"auto\">{text}</td>");
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.html.push_str("</main>\n</body>\n</html>\n");
        self.html.into_bytes()
    }
}
