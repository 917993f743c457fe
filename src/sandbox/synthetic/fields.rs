//! Writes fields of every kind as the Content API shows them, filled and empty.

use super::json::Json;
use super::plan::{Plan, PlannedAsset, PlannedDocument};
use super::random::Random;
use super::words::{Person, paragraph, phrase, town};
use crate::contentapi::format_millis;

/// Writes the content of one document.
pub(super) struct Fields<'p> {
    pub(super) json: Json,
    pub(super) random: Random,
    pub(super) plan: &'p Plan,
    pub(super) document: &'p PlannedDocument,
}

/// Kinds of text blocks that follow one another in a rich text.
const BLOCKS: [&str; 8] = [
    "paragraph",
    "paragraph",
    "heading2",
    "paragraph",
    "list-item",
    "o-list-item",
    "preformatted",
    "heading3",
];

/// Types that links go to when any will do.
const LINKED: [&str; 6] = ["page", "blog_post", "product", "event", "landing_page", "faq"];

fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

impl Fields<'_> {
    pub(super) fn words(&mut self, count: usize) -> String {
        let plan = self.plan;
        phrase(&mut self.random, &plan.languages[self.document.lang as usize], count)
    }

    pub(super) fn prose(&mut self) -> String {
        let plan = self.plan;
        paragraph(&mut self.random, &plan.languages[self.document.lang as usize])
    }

    /// A text field; now and then in one of its two empty forms.
    pub(super) fn text(&mut self, name: &str, words: usize) {
        match self.random.below(24) {
            0 => self.json.key(name).null(),
            1 => self.json.member(name, ""),
            _ => {
                let text = self.words(words);
                self.json.member(name, &text)
            }
        };
    }

    pub(super) fn title(&mut self, name: &str, text: &str) {
        self.json.key(name).begin('[').begin('{').member("type", "heading1").member("text", text);
        self.json.raw_member("spans", "[]");
        self.direction();
        self.json.end('}').end(']');
    }

    /// Only documents published since its introduction have it.
    fn direction(&mut self) {
        const INTRODUCED: i64 = 1_672_531_200_000;
        if self.document.published.is_none_or(|(_, last)| last > INTRODUCED) {
            self.json.member("direction", "ltr");
        }
    }

    /// A rich text field of about `blocks` blocks.
    pub(super) fn rich(&mut self, name: &str, blocks: usize) {
        self.json.key(name).begin('[');
        for place in 0..blocks {
            match self.random.below(30) {
                0 => self.image_block(),
                1 => {
                    self.json.begin('{').member("type", "embed").key("oembed");
                    self.embed();
                    self.json.end('}');
                }
                _ => {
                    let other = *self.random.pick(&BLOCKS);
                    self.block(if place == 0 { "paragraph" } else { other });
                }
            }
        }
        self.json.end(']');
    }

    fn block(&mut self, kind: &str) {
        let text = if kind.starts_with("heading") { self.words(5) } else { self.prose() };
        self.json.begin('{').member("type", kind).member("text", &text);
        self.json.key("spans").begin('[');
        for _ in 0..self.random.below(4) {
            self.span(&text);
        }
        self.json.end(']');
        self.direction();
        self.json.end('}');
    }

    /// A span over a few words; offsets are UTF-16 code units.
    fn span(&mut self, text: &str) {
        let starts: Vec<usize> = text
            .split(' ')
            .scan(0, |at, word| {
                let start = *at;
                *at += utf16_len(word) + 1;
                Some(start)
            })
            .collect();
        let words: Vec<&str> = text.split(' ').collect();
        let first = self.random.below(words.len());
        let last = (first + self.random.below(3)).min(words.len() - 1);
        let (start, end) = (starts[first], starts[last] + utf16_len(words[last]));
        self.json.begin('{').key("start").number(start).key("end").number(end);
        match self.random.below(6) {
            0 | 1 => {
                self.json.member("type", "hyperlink").key("data");
                self.filled_link();
            }
            2 => {
                self.json.member("type", "label").raw_member("data", r#"{"label":"highlight"}"#);
            }
            3 => {
                self.json.member("type", "em");
            }
            _ => {
                self.json.member("type", "strong");
            }
        }
        self.json.end('}');
    }

    fn image_block(&mut self) {
        let Some(asset) = self.plan.image(&mut self.random) else { return self.block("paragraph") };
        self.json.begin('{').member("type", "image");
        self.image_members(asset, None);
        if self.random.one_in(2) {
            self.json.key("linkTo");
            self.filled_link();
        }
        self.json.end('}');
    }

    fn filled_link(&mut self) {
        match self.random.below(4) {
            0 => self.web_link(),
            1 => self.media_link(),
            _ => self.document_link(&LINKED),
        }
    }

    pub(super) fn web_link(&mut self) {
        let place = self.random.below(10_000);
        let kind = self.random.below(6);
        self.json.begin('{').member("link_type", "Web");
        match kind {
            0 => {
                let person = Person::new(&mut self.random);
                self.json.member("url", &format!("mailto:{}", person.email));
            }
            1 => {
                self.json
                    .member("url", &format!("https://www.example.com/{place}?a=1&b=%C3%A9"))
                    .member("target", "_blank");
            }
            _ => {
                self.json.member("url", &format!("https://news.example/articles/{place}"));
            }
        }
        self.json.end('}');
    }

    /// A link to a file or an image; numbers are texts, old ones have no id.
    pub(super) fn media_link(&mut self) {
        let file = if self.random.one_in(3) {
            self.plan.image(&mut self.random)
        } else {
            self.plan.file(&mut self.random)
        };
        let Some(asset) = file else {
            self.json.raw(r#"{"link_type":"Media"}"#);
            return;
        };
        let kind = if asset.is_image() { "image" } else { "document" };
        self.json.begin('{').member("link_type", "Media");
        self.json.member("name", &asset.filename).member("kind", kind).member("url", &asset.url);
        self.json.member("size", &asset.file.len.to_string());
        if asset.is_image() {
            self.json
                .member("width", &asset.file.width.to_string())
                .member("height", &asset.file.height.to_string());
        }
        if !asset.old {
            self.json.member("id", &asset.id);
        }
        self.json.end('}');
    }

    /// A link to a document of one of `types` in this language; about one in a hundred is broken.
    pub(super) fn document_link(&mut self, types: &[&'static str]) {
        let type_id = *self.random.pick(types);
        if self.random.one_in(100) {
            let id = self.random.id(1_600_000_000_000);
            self.json
                .begin('{')
                .member("id", &id)
                .member("type", "broken_type")
                .raw_member("tags", "[]")
                .key("lang")
                .null();
            self.json
                .member("slug", "-")
                .member("link_type", "Document")
                .raw_member("isBroken", "true")
                .end('}');
            return;
        }
        let Some(target) = self.plan.target(&mut self.random, type_id, self.document.lang) else {
            self.json.raw(r#"{"link_type":"Document"}"#);
            return;
        };
        self.json.begin('{').member("id", &target.id).member("type", target.type_id).key("tags").begin('[');
        for tag in &target.tags {
            self.json.text(tag);
        }
        self.json
            .end(']')
            .member("lang", &self.plan.languages[target.lang as usize])
            .member("slug", &target.slug);
        if let Some((first, last)) = target.published {
            self.json.member("first_publication_date", &format_millis(first));
            self.json.member("last_publication_date", &format_millis(last));
        }
        if let Some(uid) = &target.uid {
            self.json.member("uid", uid);
        }
        self.json.member("link_type", "Document");
        if self.random.one_in(3) {
            let key = self.random.uuid();
            self.json.member("key", &key);
        }
        self.json.raw_member("isBroken", "false").end('}');
    }

    /// A link of any kind, also empty in one of the ways that occur.
    pub(super) fn any_link(&mut self) {
        match self.random.below(10) {
            0 => {
                self.json.raw(r#"{"link_type":"Any"}"#);
            }
            1 => {
                self.json.raw(r#"{"link_type":"Document"}"#);
            }
            2 => {
                self.json.raw(r#"{"link_type":"Any","text":"…"}"#);
            }
            _ => self.filled_link(),
        }
    }

    /// A repeatable link.
    pub(super) fn links(&mut self, name: &str, types: &[&'static str]) {
        self.json.key(name).begin('[');
        for _ in 0..self.random.below(4) {
            self.document_link(types);
        }
        self.json.end(']');
    }

    /// An image with thumbnails; empty in both forms that occur, sometimes a stock photo.
    pub(super) fn image(&mut self, name: &str, thumbnails: &[(&str, u32, u32)]) {
        self.json.key(name);
        let asset = if self.random.one_in(10) { None } else { self.plan.image(&mut self.random) };
        let Some(asset) = asset else {
            self.json.raw(match self.random.below(2) {
                0 => "{}",
                _ => r#"{"id":null,"url":null,"dimensions":null,"edit":null,"alt":null,"copyright":null}"#,
            });
            return;
        };
        self.json.begin('{');
        if self.random.one_in(60) {
            let id = self.random.id(1_600_000_000_000);
            let url = format!(
                "https://images.unsplash.com/photo-{}?crop=entropy&cs=srgb&fm=jpg&q=85",
                self.random.uuid()
            );
            self.json
                .raw_member("dimensions", r#"{"width":1200,"height":630}"#)
                .key("alt")
                .null()
                .key("copyright")
                .null();
            self.json.member("url", &url).member("id", &id);
            self.json.raw_member("edit", r#"{"x":0,"y":0,"zoom":1,"background":"transparent"}"#).end('}');
            return;
        }
        self.image_members(asset, None);
        for (thumbnail, width, height) in thumbnails {
            self.json.key(thumbnail);
            if self.random.one_in(30) {
                self.json.raw("{}");
                continue;
            }
            self.json.begin('{');
            self.image_members(asset, Some((*width, *height)));
            self.json.end('}');
        }
        self.json.end('}');
    }

    fn image_members(&mut self, asset: &PlannedAsset, crop: Option<(u32, u32)>) {
        let (full_width, full_height) = (asset.file.width, asset.file.height);
        let (width, height) = crop.unwrap_or((full_width, full_height));
        self.json.raw_member("dimensions", &format!("{{\"width\":{width},\"height\":{height}}}"));
        match &asset.alt {
            Some(alt) => self.json.member("alt", alt),
            None => self.json.key("alt").null(),
        };
        match &asset.credits {
            Some(credits) => self.json.member("copyright", credits),
            None => self.json.key("copyright").null(),
        };
        let mut url = format!("{}?auto=format,compress", asset.url);
        let (x, y) = (full_width / 16, full_height / 16);
        if crop.is_some() {
            let (w, h) = (full_width / 2, full_height / 2);
            url.push_str(&format!("&rect={x},{y},{w},{h}&w={width}&h={height}"));
        }
        self.json.member("url", &url);
        if !asset.old {
            self.json.member("id", &asset.id);
            let edit = if crop.is_some() {
                format!("\"x\":{x},\"y\":{y},\"zoom\":2")
            } else {
                "\"x\":0,\"y\":0,\"zoom\":1.0".to_owned()
            };
            self.json.raw_member("edit", &format!("{{{edit},\"background\":\"transparent\"}}"));
        }
    }

    /// The value of an embed.
    pub(super) fn embed(&mut self) {
        let number = self.random.below(1_000_000_000);
        let title = self.words(4);
        self.json
            .begin('{')
            .member("embed_url", &format!("https://video.example/watch/{number}"))
            .member("type", "video");
        self.json.member("version", "1.0").member("title", &title).member("author_name", "Studio Lindenau");
        self.json.member("provider_name", "Videobox").member("provider_url", "https://video.example/");
        self.json.member("cache_age", "86400").member("is_plus", "0").key("thumbnail_width").number(480);
        let html =
            format!("<iframe src=\"https://video.example/player/{number}\" title=\"{title}\"></iframe>");
        self.json.member("html", &html).key("width").number(200).key("height").null().end('}');
    }

    pub(super) fn geopoint(&mut self, name: &str) {
        self.json.key(name);
        if self.random.one_in(12) {
            self.json.raw("{}");
            return;
        }
        let (latitude, longitude) = (36.0 + self.random.unit() * 20.0, -8.0 + self.random.unit() * 26.0);
        self.json.raw(&format!("{{\"latitude\":{latitude:.6},\"longitude\":{longitude:.6}}}"));
    }

    /// A table of people, a place where personal data hides.
    pub(super) fn table(&mut self, name: &str) {
        self.json.key(name);
        if self.random.one_in(6) {
            self.json.null();
            return;
        }
        self.json.begin('{').key("head").begin('{').key("rows").begin('[');
        self.row("header", &["Name", "Mail", "Ort"]);
        self.json.end(']').end('}').key("body").begin('{').key("rows").begin('[');
        for _ in 0..1 + self.random.below(3) {
            let person = Person::new(&mut self.random);
            let town = town(&mut self.random);
            self.row("data", &[&person.name(), &person.email, town]);
        }
        self.json.end(']').end('}').end('}');
    }

    fn row(&mut self, kind: &str, cells: &[&str]) {
        let key = self.random.uuid();
        self.json.begin('{').member("key", &key).key("cells").begin('[');
        for cell in cells {
            let key = self.random.uuid();
            self.json.begin('{').member("key", &key).member("type", kind).key("content");
            self.json
                .begin('[')
                .begin('{')
                .member("type", "paragraph")
                .member("text", cell)
                .raw_member("spans", "[]");
            self.json.end('}').end(']').end('}');
        }
        self.json.end(']').end('}');
    }
}
