//! One document as it is kept and served: raw JSON plus the few values that most queries need.
//!
//! Two hundred thousand documents fit in memory and are served at copying speed because nothing
//! is parsed again: at loading, the top-level members are split once, `href` and `url` are cut
//! out (the first contains the ref, the second answers a route resolver), and the places where a
//! served document differs from a stored one are remembered as slots. Every other byte stays as
//! it came: key order, `10.0`, `\u00e9`. `data` is parsed only when a predicate or an ordering
//! names a field of it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::dates::{Millis, parse_millis};
use super::head::{Head, HeadParts};

/// Stands in stored texts for scheme and host of the server that has the assets, because its
/// port is known only when it listens. The domain can never exist (RFC 6761).
pub const ASSET_HOST: &str = "https://asset-host.invalid";

/// A text that is no document of the Content API.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not an object.
    #[error("the document is not a JSON object")]
    NotJson(#[from] serde_json::Error),
    /// A member that every document has is missing or of another type.
    #[error("the document has no valid {0:?}")]
    Member(&'static str),
    /// Larger than this engine addresses.
    #[error("the document is larger than 4 GiB")]
    TooLarge,
}

/// What goes into a stored text when it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// `"url":null` with a comma where one is needed.
    Url,
    /// `"href":"…"`.
    Href,
    /// Scheme and host of the assets.
    AssetHost,
}

/// A JSON text with slots for what is known only when it is served.
#[derive(Debug, Clone)]
pub struct Template {
    text: Bytes,
    slots: Box<[(u32, Slot)]>,
}

impl Template {
    /// Makes a template of `text`, taking each of `hosts` out wherever it stands before a `/`.
    pub fn new(text: &str, hosts: &[&str]) -> Self {
        let (text, slots) = cut_hosts(text, hosts);
        Self { text: text.into(), slots: slots.into() }
    }

    /// Appends the text with `asset_host` (like `http://127.0.0.1:8080`) in its places.
    pub fn render(&self, asset_host: &str, out: &mut Vec<u8>) {
        self.fill(out, |slot, out| {
            if slot == Slot::AssetHost {
                out.extend_from_slice(asset_host.as_bytes());
            }
        });
    }

    fn fill(&self, out: &mut Vec<u8>, mut slot: impl FnMut(Slot, &mut Vec<u8>)) {
        let mut from = 0;
        for (at, kind) in &self.slots {
            let at = *at as usize;
            out.extend_from_slice(&self.text[from..at]);
            slot(*kind, out);
            from = at;
        }
        out.extend_from_slice(&self.text[from..]);
    }
}

/// Takes the hosts out; returns what is left and where they stood.
fn cut_hosts(text: &str, hosts: &[&str]) -> (String, Vec<(u32, Slot)>) {
    let mut left = String::with_capacity(text.len());
    let mut slots = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("http") {
        let (before, from) = rest.split_at(at);
        left.push_str(before);
        let host =
            hosts.iter().find(|host| from.strip_prefix(**host).is_some_and(|after| after.starts_with('/')));
        let skip = if let Some(host) = host {
            slots.push((offset(left.len()), Slot::AssetHost));
            host.len()
        } else {
            left.push_str("http");
            "http".len()
        };
        rest = &from[skip..];
    }
    left.push_str(rest);
    (left, slots)
}

/// Offsets are 32 bits wide; [`Document::parse`] refuses larger texts first.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A document: [`Head`] and raw JSON.
#[derive(Debug, Clone)]
pub struct Document {
    /// The values most queries need.
    pub head: Head,
    body: Template,
    data: (u32, u32),
}

impl Document {
    /// Reads a document as `results[]` of the Content API has it (or as a vault stores it,
    /// without `href` and `url`), taking out each of `asset_hosts`.
    pub fn parse(text: &str, asset_hosts: &[&str]) -> Result<Self, DocumentError> {
        if u32::try_from(text.len()).is_err() {
            return Err(DocumentError::TooLarge);
        }
        let (text, hosts) = cut_hosts(text, asset_hosts);
        let members: Members<'_> = serde_json::from_str(&text)?;
        let head = head(&members)?;
        let mut assembly = Assembly {
            source: &text,
            hosts: &hosts,
            text: String::with_capacity(text.len()),
            slots: Vec::new(),
        };
        let mut data = None;
        assembly.text.push('{');
        for (key, value) in &members.0 {
            if matches!(key.as_ref(), "href" | "url") {
                continue;
            }
            let span = assembly.member(key, value.get());
            match key.as_ref() {
                // Where the API has them: after `uid` and after `type`.
                "uid" => assembly.slot(Slot::Url),
                "type" => assembly.slot(Slot::Href),
                "data" => data = Some(span),
                _ => {}
            }
        }
        if head.uid().is_none() && !members.has("uid") {
            assembly.slot(Slot::Url);
        }
        assembly.text.push('}');
        let data = data.ok_or(DocumentError::Member("data"))?;
        Ok(Self { head, body: Template { text: assembly.text.into(), slots: assembly.slots.into() }, data })
    }

    /// Appends the document as the API serves it: with `href` (from `href_before`, the id and
    /// [`HREF_AFTER`]), `"url":null` and the host of the assets.
    pub fn render(&self, href_before: &str, asset_host: &str, out: &mut Vec<u8>) {
        self.body.fill(out, |slot, out| match slot {
            Slot::Url => out.extend_from_slice(b",\"url\":null"),
            Slot::Href => {
                out.extend_from_slice(b",\"href\":\"");
                out.extend_from_slice(href_before.as_bytes());
                // Ids are plain; one that is not must not break the JSON around it.
                for part in url::form_urlencoded::byte_serialize(self.head.id().as_bytes()) {
                    out.extend_from_slice(part.as_bytes());
                }
                out.extend_from_slice(HREF_AFTER.as_bytes());
                out.push(b'"');
            }
            Slot::AssetHost => out.extend_from_slice(asset_host.as_bytes()),
        });
    }

    /// Returns the document as it is stored: without `href` and `url`, with [`ASSET_HOST`].
    pub fn stored(&self) -> String {
        let mut out = Vec::with_capacity(self.body.text.len() + self.body.slots.len() * ASSET_HOST.len());
        self.body.render(ASSET_HOST, &mut out);
        String::from_utf8(out).expect("made of texts, cut at their boundaries")
    }

    /// Returns about how many bytes [`render`](Self::render) appends, for one allocation.
    pub fn rendered_len(&self, asset_host: &str) -> usize {
        self.body.text.len() + 256 + self.body.slots.len() * asset_host.len()
    }

    /// Returns the raw `data`, with the host of assets missing from their addresses.
    pub fn data(&self) -> &[u8] {
        &self.body.text[self.data.0 as usize..self.data.1 as usize]
    }

    /// Parses one field of `data`; `None` when the document does not have it.
    pub fn field(&self, name: &str) -> Option<Value> {
        let mut data = serde_json::Deserializer::from_slice(self.data());
        OneField(name).deserialize(&mut data).ok().flatten()
    }
}

/// What follows the id in `href`: the end of an encoded predicate.
pub const HREF_AFTER: &str = "%22%29+%5D%5D";

/// Builds the kept text, moving the slots of hosts along with the values they stand in.
struct Assembly<'a> {
    source: &'a str,
    hosts: &'a [(u32, Slot)],
    text: String,
    slots: Vec<(u32, Slot)>,
}

impl Assembly<'_> {
    fn member(&mut self, key: &str, value: &str) -> (u32, u32) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&Value::from(key).to_string());
        self.text.push(':');
        let begin = self.text.len();
        let origin = value.as_ptr() as usize - self.source.as_ptr() as usize;
        let inside = origin..origin + value.len();
        let first = self.hosts.partition_point(|(at, _)| (*at as usize) < inside.start);
        for (at, slot) in self.hosts[first..].iter().take_while(|(at, _)| inside.contains(&(*at as usize))) {
            self.slots.push((offset(*at as usize - origin + begin), *slot));
        }
        self.text.push_str(value);
        (offset(begin), offset(self.text.len()))
    }

    fn slot(&mut self, slot: Slot) {
        self.slots.push((offset(self.text.len()), slot));
    }
}

/// The top-level members of an object in their order, values unparsed.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    fn get<T: Deserialize<'a>>(&self, key: &'static str) -> Result<T, DocumentError> {
        let (_, value) = self.0.iter().find(|(name, _)| name == key).ok_or(DocumentError::Member(key))?;
        serde_json::from_str(value.get()).map_err(|_| DocumentError::Member(key))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Head {
    /// Reads the head of a document, as [`Document::parse`] does.
    ///
    /// # Errors
    ///
    /// When it is no document.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        head(&serde_json::from_str(text)?)
    }
}

fn head(members: &Members<'_>) -> Result<Head, DocumentError> {
    let date = |key| -> Result<Option<Millis>, DocumentError> {
        let text: Option<Cow<'_, str>> = if members.has(key) { members.get(key)? } else { None };
        text.map(|text| parse_millis(&text).ok_or(DocumentError::Member(key))).transpose()
    };
    let texts = |key| if members.has(key) { members.get(key) } else { Ok(Vec::new()) };
    Ok(Head::new(&HeadParts {
        id: members.get("id")?,
        uid: if members.has("uid") { members.get("uid")? } else { None },
        type_id: members.get("type")?,
        lang: members.get("lang")?,
        tags: texts("tags")?,
        slugs: texts("slugs")?,
        first_publication: date("first_publication_date")?,
        last_publication: date("last_publication_date")?,
    }))
}

/// Reads one member of an object and skips the others without building them.
struct OneField<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for OneField<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneField<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = r#"{"id":"WsuS_R8AACS1Nwlx","uid":null,"url":null,"type":"page","href":"https://x/api","tags":["a"],"first_publication_date":"2018-04-09T16:21:23+0000","last_publication_date":null,"slugs":["caf\u00e9"],"linked_documents":[],"lang":"en-us","alternate_languages":[],"data":{"n":10.0,"i":"https://images.prismic.io/r/a.png","t":"caf\u00e9 https://elsewhere.example/"}}"#;

    fn rendered(document: &Document) -> String {
        let mut out = Vec::new();
        document.render("H", "http://127.0.0.1:1", &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_document_is_served_as_it_came_but_for_href_and_host() {
        let document = Document::parse(RAW, &["https://images.prismic.io"]).expect("a document");
        let expected = RAW
            .replace("https://x/api", &format!("HWsuS_R8AACS1Nwlx{HREF_AFTER}"))
            .replace("https://images.prismic.io", "http://127.0.0.1:1");
        assert_eq!(rendered(&document), expected);
        assert_eq!(document.head.slugs().collect::<Vec<_>>(), ["café"]);
        assert_eq!(document.head.last_publication(), None);
        assert_eq!(document.field("n"), Some(10.0.into()));
        assert_eq!(document.field("none"), None);
    }

    #[test]
    fn a_stored_document_is_read_back_to_the_same_served_bytes() {
        let first = Document::parse(RAW, &["https://images.prismic.io"]).expect("a document");
        let stored = first.stored();
        assert!(!stored.contains("href") && !stored.contains("\"url\"") && stored.contains(ASSET_HOST));
        let second = Document::parse(&stored, &[ASSET_HOST]).expect("a document");
        assert_eq!(rendered(&first), rendered(&second));
    }

    #[test]
    fn what_is_no_document_is_refused_and_said_why() {
        for (text, expected) in [
            ("", "the document is not a JSON object"),
            ("[]", "the document is not a JSON object"),
            ("{}", "the document has no valid \"id\""),
            (r#"{"id":1}"#, "the document has no valid \"id\""),
            (r#"{"id":"a","type":"t","lang":"l"}"#, "the document has no valid \"data\""),
            (
                r#"{"id":"a","type":"t","lang":"l","first_publication_date":"soon","data":{}}"#,
                "the document has no valid \"first_publication_date\"",
            ),
        ] {
            let error = Document::parse(text, &[]).expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
