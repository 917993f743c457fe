//! Pages for people about a drill: one file each, which loads nothing, prints on A4 and reads on a phone.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`charts`] | bars and trends as inline SVG |
//! | `table` | tables that scroll in themselves, cell by cell |
//!
//! Whatever stands in a record may be hostile or huge: every text passes through [`plain`], which cuts it and
//! takes away what would turn the direction of its neighbours, and is escaped by [`markup`](crate::markup).
//! How something stands is always said by a word and a shape; colour only repeats it.

pub(super) mod charts;
mod table;

use std::fmt::Write as _;

pub(super) use self::table::{Cell, Column};
use crate::drill::measure::Light;
use crate::markup::{Page, escaped};

const STYLE: &str = include_str!("style.css");

/// Characters of one text that are shown.
pub(super) const TEXT_MAX: usize = 2000;

/// Characters of one text on a card.
const CARD_MAX: usize = 240;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should.
    Good,
    /// Not yet, or not quite.
    Warn,
    /// Not as it should.
    Bad,
    /// Nobody knows, or nobody asked.
    None,
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::None => "none",
        }
    }

    /// A disc with a tick, a triangle, a square with a cross, an empty ring: apart without colour too.
    fn shape(self) -> &'static str {
        match self {
            Self::Good => {
                "<circle cx=\"8\" cy=\"8\" r=\"8\" fill=\"currentColor\"/>\
                 <path d=\"M4 8.5l3 3 5-6\" class=\"cut\"/>"
            }
            Self::Warn => {
                "<path d=\"M8 0l8 15H0z\" fill=\"currentColor\"/>\
                 <path d=\"M8 5v5m0 1.5v2\" class=\"cut\"/>"
            }
            Self::Bad => {
                "<rect width=\"16\" height=\"16\" rx=\"2\" fill=\"currentColor\"/>\
                 <path d=\"M4 4l8 8m0-8l-8 8\" class=\"cut\"/>"
            }
            Self::None => {
                "<circle cx=\"8\" cy=\"8\" r=\"6.5\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/>"
            }
        }
    }

    /// The mark with its word, as HTML.
    fn html(self, word: &str) -> String {
        format!(
            "<span class=\"mark {}\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">{}</svg>{}</span>",
            self.class(),
            self.shape(),
            escaped(&plain(word))
        )
    }
}

impl From<Light> for Mark {
    fn from(light: Light) -> Self {
        match light {
            Light::Green => Self::Good,
            Light::Grey => Self::None,
            Light::Red => Self::Bad,
        }
    }
}

/// A text as pages show it: cut where it is longer than anybody reads, and without the signs that turn the
/// direction of what follows (Unicode UAX #9: embeddings, overrides, isolates).
pub(super) fn plain(text: &str) -> String {
    cut(text, TEXT_MAX)
}

/// As [`plain`], with at most so many characters.
fn cut(text: &str, max: usize) -> String {
    let turns = |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut chars = text.chars();
    let mut shown: String =
        chars.by_ref().take(max).map(|char| if turns(char) { '\u{fffd}' } else { char }).collect();
    let rest = chars.count();
    if rest > 0 {
        let _ = write!(shown, "… and {rest} more characters");
    }
    shown
}

/// A page in the making. Sections have an id of the program, and are in the table of contents.
pub(super) struct Sheet {
    page: Page,
    sections: Vec<(&'static str, &'static str)>,
    /// Where the table of contents goes.
    contents_at: Option<usize>,
}

impl Sheet {
    /// Begins a page. `footer` stands at the foot of every printed page.
    pub(super) fn new(title: &str, footer: &str) -> Self {
        let style = format!(
            "{STYLE}@page{{size:A4;margin:16mm 14mm 18mm;@bottom-left{{content:\"{}\";font:8pt sans-serif}}\
             @bottom-right{{content:counter(page) \" / \" counter(pages);font:8pt sans-serif}}}}\n",
            in_style(footer)
        );
        Self {
            page: Page::styled("en", &plain(title), &style, true),
            sections: Vec::new(),
            contents_at: None,
        }
    }

    /// Says where the table of contents goes: here.
    pub(super) fn contents(&mut self) {
        self.contents_at = Some(self.page.html.len());
    }

    /// Begins a section, and ends the one before.
    pub(super) fn section(&mut self, id: &'static str, heading: &'static str) {
        if !self.sections.is_empty() {
            self.page.html.push_str("</section>\n");
        }
        let _ = writeln!(self.page.html, "<section aria-labelledby=\"{id}\">");
        self.page.heading(2, id, heading);
        self.sections.push((id, heading));
    }

    /// A heading within a section.
    pub(super) fn part(&mut self, heading: &str) {
        let heading = escaped(&plain(heading));
        let _ = writeln!(self.page.html, "<h3 dir=\"auto\">{heading}</h3>");
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: &str) {
        self.page.paragraph(&plain(text));
    }

    /// A paragraph of a class of the style.
    pub(super) fn say_as(&mut self, class: &'static str, text: &str) {
        let text = escaped(&plain(text));
        let _ = writeln!(self.page.html, "<p class=\"{class}\" dir=\"auto\">{text}</p>");
    }

    /// A list of at most `max` items; says how many more there are, and where.
    pub(super) fn list<'t>(
        &mut self,
        items: impl ExactSizeIterator<Item = &'t String>,
        max: usize,
        whole: &str,
    ) {
        let rest = items.len().saturating_sub(max);
        self.page.list(items.take(max).map(|item| plain(item)));
        self.more(rest, whole);
    }

    /// Says how much is left out, and where it is; nothing where nothing is.
    pub(super) fn more(&mut self, rest: usize, whole: &str) {
        if rest > 0 {
            self.say_as("more", &format!("… and {rest} more, see {whole}"));
        }
    }

    /// Terms with what they are.
    pub(super) fn facts(&mut self, facts: &[(&str, Cell)]) {
        self.page.html.push_str("<dl>\n");
        for (term, fact) in facts {
            let _ = writeln!(
                self.page.html,
                "<dt>{}</dt><dd{} dir=\"auto\">{}</dd>",
                escaped(&plain(term)),
                fact.class(""),
                fact.html()
            );
        }
        self.page.html.push_str("</dl>\n");
    }

    /// How a few things stand, at a glance: name, mark with its word, what it is, and what that is held against.
    pub(super) fn cards(&mut self, cards: &[(String, Mark, String, String, String)]) {
        self.page.html.push_str("<ul class=\"cards\">\n");
        for (name, mark, word, value, than) in cards {
            let _ = write!(
                self.page.html,
                "<li class=\"{}\"><span class=\"name\" dir=\"auto\">{}</span>{}\
                 <span class=\"value\" dir=\"auto\">{}</span>",
                mark.class(),
                escaped(&cut(name, CARD_MAX)),
                mark.html(word),
                escaped(&cut(value, CARD_MAX)),
            );
            if !than.is_empty() {
                let _ = write!(
                    self.page.html,
                    "<span class=\"than\" dir=\"auto\">{}</span>",
                    escaped(&cut(than, CARD_MAX))
                );
            }
            self.page.html.push_str("</li>\n");
        }
        self.page.html.push_str("</ul>\n");
    }

    /// Figures side by side: each has a caption, and HTML made by [`charts`].
    pub(super) fn plots(&mut self, plots: &[(String, String)]) {
        self.page.html.push_str("<div class=\"plots\">\n");
        for (caption, drawn) in plots {
            let caption = escaped(&plain(caption));
            let _ = writeln!(self.page.html, "<figure><figcaption>{caption}</figcaption>{drawn}</figure>");
        }
        self.page.html.push_str("</div>\n");
    }

    /// A picture that is part of the page: `png` is one.
    pub(super) fn picture(&mut self, caption: &str, png: &[u8]) {
        use base64::Engine as _;
        let caption = escaped(&plain(caption));
        let _ = write!(
            self.page.html,
            "<figure class=\"picture\"><figcaption dir=\"auto\">{caption}</figcaption>\
             <img alt=\"{caption}\" src=\"data:image/png;base64,"
        );
        base64::engine::general_purpose::STANDARD.encode_string(png, &mut self.page.html);
        self.page.html.push_str("\"></figure>\n");
    }

    /// Begins a part that is set apart, until [`end_inject`](Self::end_inject).
    pub(super) fn begin_inject(&mut self) {
        self.page.html.push_str("<div class=\"inject\">\n");
    }

    /// Ends it.
    pub(super) fn end_inject(&mut self) {
        self.page.html.push_str("</div>\n");
    }

    /// Ends the page.
    pub(super) fn finish(mut self) -> String {
        if !self.sections.is_empty() {
            self.page.html.push_str("</section>\n");
        }
        if let Some(at) = self.contents_at {
            let mut nav = String::from("<nav aria-label=\"Contents\">\n<ul>\n");
            for (id, heading) in &self.sections {
                let _ = writeln!(nav, "<li><a href=\"#{id}\">{}</a></li>", escaped(heading));
            }
            nav.push_str("</ul>\n</nav>\n");
            self.page.html.insert_str(at, &nav);
        }
        self.page.finish_text()
    }
}

/// A text within quotes of a style: letters, digits and little else.
fn in_style(text: &str) -> String {
    let harmless = |char: &char| char.is_ascii_alphanumeric() || matches!(char, ' ' | '-' | '.' | ':' | ',');
    text.chars().filter(harmless).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_turn_nothing_around() {
        assert_eq!(plain("a\u{202e}b\u{2067}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(plain("שלום"), "שלום", "what is written from right to left stays so");
        let long = plain(&"x".repeat(100_000));
        assert!(long.ends_with("… and 98000 more characters") && long.len() < 2100, "{}", long.len());
        assert_eq!(in_style("a\"}</style>b\\2e"), "astyleb2e");
    }

    #[test]
    fn a_mark_is_a_word_and_a_shape_of_its_own() {
        let all = [Mark::Good, Mark::Warn, Mark::Bad, Mark::None];
        for (at, mark) in all.iter().enumerate() {
            assert!(mark.html("a <b>").contains("a &lt;b&gt;</span>"));
            assert!(
                all[..at].iter().all(|other| other.shape() != mark.shape() && other.class() != mark.class())
            );
        }
        let lights = [Light::Green, Light::Grey, Light::Red].map(Mark::from);
        assert_eq!(lights, [Mark::Good, Mark::None, Mark::Bad]);
    }

    #[test]
    fn sections_are_in_the_table_of_contents_and_closed() {
        let mut sheet = Sheet::new("<A> & b", "drill-1");
        sheet.contents();
        sheet.section("one", "One");
        sheet.more(0, "report.json");
        sheet.section("two", "Two");
        sheet.more(7, "report.json");
        let page = sheet.finish();
        assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
        assert!(
            page.contains("<a href=\"#two\">Two</a>") && page.contains("<title>&lt;A&gt; &amp; b</title>")
        );
        assert_eq!(page.matches("… and ").count(), 1);
        assert!(page.contains("… and 7 more, see report.json") && page.contains("content:\"drill-1\""));
    }
}
