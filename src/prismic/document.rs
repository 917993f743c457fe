//! A document as it is stored: the bytes that the API sent, and what is read from them.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::cut::Members;
use super::references::{References, references};
use super::tolerant;

/// Members that are no part of a document's content; see [`cut`](super::cut).
pub const CUT_MEMBERS: [&str; 2] = ["href", "url"];

/// One document of a repository in one language.
///
/// `bytes` is the truth; the other fields are read from it. Ids, types and languages are as the
/// API sent them: whoever makes a path of them checks them first.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Exactly the bytes of the API, less the top-level members `href` and `url`.
    pub bytes: Bytes,
    /// Its id.
    pub id: String,
    /// Its uid, unique in type and language, where the type has one.
    pub uid: Option<String>,
    /// Id of its custom type.
    pub type_: String,
    /// Id of its language.
    pub lang: String,
    /// Its tags. They are what editors typed: never log them.
    pub tags: Vec<String>,
    /// When it was first published, as sent (`2018-04-09T16:21:23+0000`); `None` when it was
    /// not yet, as documents of a release may be.
    pub first_publication_date: Option<String>,
    /// When it was last published, as sent.
    pub last_publication_date: Option<String>,
    /// Its translations.
    pub alternate_languages: Vec<AlternateLanguage>,
}

/// A translation of a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AlternateLanguage {
    /// Id of the translation.
    pub id: String,
    /// Its type, the same as that of the document.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// Its language.
    #[serde(default)]
    pub lang: String,
}

/// What is wrong with bytes that are not a document. It names the document by id only: the
/// messages of a deserialiser would quote values, which can be personal data.
#[derive(Debug, thiserror::Error)]
#[error("{}", match .id {
    Some(id) => format!("document {id:?} {}", .why),
    None => format!("a document {}", .why),
})]
pub struct InvalidDocument {
    id: Option<String>,
    why: &'static str,
    #[source]
    source: Option<serde_json::Error>,
}

impl Document {
    /// Reads a document from the text that the API sent, or from stored bytes.
    ///
    /// Members beside `id`, `type` and `lang` that are absent or of an unknown form are read as
    /// empty: the bytes keep them.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, is nested more than 128 deep, or lacks what every document has:
    /// `id`, `type`, `lang`.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidDocument> {
        // As a whole: what follows passes over most values.
        serde_json::from_slice::<IgnoredAny>(text).map_err(unreadable)?;
        Self::of_json(text)
    }

    /// The same for text that is known to be JSON.
    pub(super) fn of_json(text: &[u8]) -> Result<Self, InvalidDocument> {
        let members = Members::find(text).map_err(|_| InvalidDocument {
            id: None,
            why: "is not one JSON object",
            source: None,
        })?;
        let text_at = |name: &str| members.value(name).map_or(Ok(None), text_of);
        let id = text_at("id")?;
        let needed = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (Some(own_id), Some(type_), Some(lang)) =
            (needed(id.clone()), needed(text_at("type")?), needed(text_at("lang")?))
        else {
            let why = "lacks its id, type or language, or has them in an unknown form";
            return Err(InvalidDocument { id, why, source: None });
        };
        Ok(Self {
            bytes: members.without(&CUT_MEMBERS).into(),
            id: own_id,
            uid: text_at("uid")?,
            type_,
            lang,
            tags: elements_of(members.value("tags"), |value| value.as_str().map(str::to_owned))?,
            first_publication_date: text_at("first_publication_date")?,
            last_publication_date: text_at("last_publication_date")?,
            alternate_languages: elements_of(
                members.value("alternate_languages"),
                AlternateLanguage::from_value,
            )?,
        })
    }

    /// Returns what it refers to. Reads the whole of `data`, which takes its time: off the async
    /// threads, and only for documents where it is needed.
    ///
    /// # Errors
    ///
    /// When it is nested more than 128 deep.
    pub fn references(&self) -> Result<References, InvalidDocument> {
        let value = tolerant::parse(&self.bytes).map_err(|source| InvalidDocument {
            id: Some(self.id.clone()),
            why: "cannot be looked into",
            source: Some(source),
        })?;
        Ok(references(&value))
    }
}

impl AlternateLanguage {
    fn from_value(value: &Value) -> Option<Self> {
        let text_at = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: text_at("id")?,
            type_: text_at("type").unwrap_or_default(),
            lang: text_at("lang").unwrap_or_default(),
        })
    }
}

/// Reads a JSON value as text; `None` for one of another form. Most have no escapes, so that nothing
/// has to be parsed.
fn text_of(value: &[u8]) -> Result<Option<String>, InvalidDocument> {
    if let [b'"', plain @ .., b'"'] = value
        && !plain.contains(&b'\\')
        && let Ok(text) = std::str::from_utf8(plain)
    {
        return Ok(Some(text.to_owned()));
    }
    let parsed = tolerant::parse(value).map_err(unreadable)?;
    Ok(parsed.as_str().map(str::to_owned))
}

/// Reads the elements of a JSON array that `read` understands; none where there is no array.
fn elements_of<T: DeserializeOwned>(
    value: Option<&[u8]>,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, InvalidDocument> {
    let Some(value) = value else { return Ok(Vec::new()) };
    // As they mostly are.
    if let Ok(elements) = serde_json::from_slice::<Vec<T>>(value) {
        return Ok(elements);
    }
    let parsed = tolerant::parse(value).map_err(unreadable)?;
    Ok(parsed.as_array().into_iter().flatten().filter_map(read).collect())
}

fn unreadable(source: serde_json::Error) -> InvalidDocument {
    InvalidDocument { id: None, why: "is not readable JSON", source: Some(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{"id":"WsuS_R8AACS1Nwlx","uid":null,"url":null,"type":"page",
      "href":"https://acme.cdn.prismic.io/api/v2/documents/search?ref=R",
      "tags":["a"],"first_publication_date":"2018-04-09T16:21:23+0000","last_publication_date":null,
      "slugs":["\u00e9"],"linked_documents":[],"lang":"en-gb",
      "alternate_languages":[{"id":"T","type":"page","lang":"fr-fr","uid":"x"}],
      "data":{"n":10.0,"z":1,"a":{"link_type":"Document","id":"D","href":"kept"}}}"#;

    #[test]
    fn a_document_keeps_its_bytes_and_tells_its_members() {
        let document = Document::parse(SENT.as_bytes()).expect("a document");
        let stored = std::str::from_utf8(&document.bytes).expect("text");
        assert!(!stored.contains("ref=R") && !stored.contains("\"url\""));
        for kept in [r#""slugs":["\u00e9"]"#, r#""n":10.0,"z":1,"a""#, r#""href":"kept""#] {
            assert!(stored.contains(kept), "{kept}");
        }
        assert_eq!((document.id.as_str(), document.lang.as_str()), ("WsuS_R8AACS1Nwlx", "en-gb"));
        assert_eq!(document.first_publication_date.as_deref(), Some("2018-04-09T16:21:23+0000"));
        assert_eq!(document.alternate_languages[0].id, "T");
        assert_eq!(document.references().unwrap().documents[0].id, "D");
        assert_eq!((document.uid, document.last_publication_date), (None, None));
    }

    #[test]
    fn a_stored_document_reads_as_itself() {
        let document = Document::parse(SENT.as_bytes()).expect("a document");
        assert_eq!(Document::parse(&document.bytes).expect("also a document"), document);
    }

    #[test]
    fn publishing_again_without_change_gives_the_same_bytes() {
        let again = SENT.replace("ref=R", "ref=another%20ref");
        let first = Document::parse(SENT.as_bytes()).expect("a document");
        assert_eq!(Document::parse(again.as_bytes()).expect("a document").bytes, first.bytes);
    }

    #[test]
    fn what_the_parser_cannot_hold_is_still_stored_as_sent() {
        let sent = r#"{"id":"A","type":"page","lang":"en","data":{"t":"cut \ud83d here","n":1e999}}"#;
        let document = Document::parse(sent.as_bytes()).expect("a document");
        assert_eq!(document.bytes, sent);
    }

    #[test]
    fn members_of_another_form_are_empty_and_those_with_escapes_are_read() {
        let sent = r#"{"id":"A\u0042","type":"page","lang":"e\/n","uid":7,"tags":["a",1,"\u00e9"],
          "first_publication_date":[],"alternate_languages":[{"id":"T","lang":3,"x":1e999},{"lang":"fr"},"y"]}"#;
        let document = Document::parse(sent.as_bytes()).expect("a document");
        assert_eq!((document.id.as_str(), document.lang.as_str(), &document.uid), ("AB", "e/n", &None));
        assert_eq!((document.tags, document.first_publication_date), (vec!["a".into(), "é".into()], None));
        let translation = AlternateLanguage { id: "T".into(), type_: String::new(), lang: String::new() };
        assert_eq!(document.alternate_languages, [translation]);
    }

    #[test]
    fn what_is_not_a_document_is_refused_by_name() {
        for text in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"id":"A","type":"page"}"#,
            r#"{"id":"","type":"p","lang":"l"}"#,
            r#"{"id":7,"type":"p","lang":"l"}"#,
        ] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
        let error = Document::parse(br#"{"id":"A","type":7,"lang":"l"}"#).expect_err("no type");
        assert!(error.to_string().contains("\"A\""), "{error}");
        let deep =
            format!(r#"{{"id":"A","type":"p","lang":"l","data":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        // It is stored as it was sent; only what it refers to cannot be seen.
        let document = Document::parse(deep.as_bytes()).expect("a document");
        assert_eq!(document.bytes, deep);
        assert!(document.references().is_err());
    }
}
