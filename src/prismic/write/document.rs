//! Documents as the Migration API takes them.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A document that is to be made.
#[derive(Clone, PartialEq, Serialize)]
pub struct NewDocument {
    /// Name that editors see.
    pub title: String,
    /// Id of its custom type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its locale, which the repository must have.
    pub lang: String,
    /// Its UID, where the type has such a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Id of a document of the same type in another locale of which it is a translation. It can be
    /// said now and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternate_language_id: Option<String>,
    /// Its fields.
    pub data: Map<String, Value>,
}

/// What takes the place of a document's content.
#[derive(Clone, PartialEq, Serialize)]
pub struct DocumentContent {
    /// Name that editors see.
    pub title: String,
    /// Its UID, where the type has such a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its fields, all of them.
    pub data: Map<String, Value>,
}

impl fmt::Debug for NewDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDocument")
            .field("type", &self.type_)
            .field("lang", &self.lang)
            .field("fields", &self.data.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DocumentContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentContent").field("fields", &self.data.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_is_not_sent_and_content_is_not_shown() {
        let data = json!({"b": 1.0, "a": "secret plan"}).as_object().cloned().expect("an object");
        let document = NewDocument {
            title: "Secret".to_owned(),
            type_: "page".to_owned(),
            lang: "en-us".to_owned(),
            uid: None,
            tags: vec!["secret".to_owned()],
            alternate_language_id: None,
            data: data.clone(),
        };
        assert_eq!(
            serde_json::to_string(&document).expect("JSON"),
            r#"{"title":"Secret","type":"page","lang":"en-us","tags":["secret"],"data":{"b":1.0,"a":"secret plan"}}"#
        );
        let content = DocumentContent { title: "Secret".to_owned(), uid: None, tags: Vec::new(), data };
        for shown in [format!("{document:?}"), format!("{content:?}")] {
            assert!(!shown.to_lowercase().contains("secret"), "{shown}");
        }
    }
}
