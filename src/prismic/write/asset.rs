//! Files, their descriptions and their tags as the Asset API takes and gives them.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::id_of;
use crate::prismic::asset_url;
use crate::prismic::download::AssetData;

/// Largest file that the media library takes: 100 MB, then the Asset API answers 413
/// (<https://prismic.io/docs/asset-api-technical-reference>).
pub const ASSET_BYTES_MAX: u64 = 100_000_000;
/// Characters that the media library takes of a description, note or credit.
pub const ASSET_TEXT_CHARS_MAX: usize = 500;
/// Characters that the media library takes of the name of a tag.
pub const ASSET_TAG_CHARS_MAX: usize = 20;

/// A file that is to be uploaded. `Debug` shows no name and no text.
#[derive(Clone, Copy)]
pub struct Upload<'a> {
    /// Its name, as people know it. The API wants one.
    pub filename: &'a str,
    /// Its bytes.
    pub data: &'a AssetData,
    /// How many bytes of a file on this disk are sent; what is in memory is sent whole.
    pub len: u64,
    /// What it says to be, such as `image/png`.
    pub media_type: Option<&'a str>,
    /// Alternative text; an empty one is not sent, as for the other texts.
    pub alt: &'a str,
    /// To whom it is owed.
    pub credits: &'a str,
    /// Notes of editors.
    pub notes: &'a str,
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("len", &self.len).finish_non_exhaustive()
    }
}

/// What the media library made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedAsset {
    /// Its id.
    pub id: String,
    /// Address of the original, without query; `None` when the answer has none that can be fetched.
    pub url: Option<Url>,
    /// `image`, `audio`, `video` or `document`.
    pub kind: Option<String>,
    /// Bytes that arrived.
    pub size: Option<u64>,
    /// Width of a picture in pixels.
    pub width: Option<u32>,
    /// Height of a picture in pixels.
    pub height: Option<u32>,
}

impl UploadedAsset {
    /// Reads an answer; `None` without an id. All else may be absent or odd.
    pub(super) fn parse(answer: &Value) -> Option<Self> {
        let side = |name: &str| {
            let side = answer.get(name).and_then(Value::as_f64)?;
            (side >= 1.0 && side <= f64::from(u32::MAX)).then_some(side as u32)
        };
        let url = answer.get("url").and_then(Value::as_str);
        Some(Self {
            id: id_of(answer)?,
            url: url.and_then(|url| asset_url::original(url).ok()),
            kind: answer.get("kind").and_then(Value::as_str).map(str::to_owned),
            size: answer.get("size").and_then(Value::as_u64),
            width: side("width"),
            height: side("height"),
        })
    }
}

/// What is to change of an asset; what is `None` stays. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
pub struct AssetChange {
    /// Ids of all its tags: these take the place of those that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Alternative text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// To whom it is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<String>,
    /// Notes of editors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Its name, as people know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

impl fmt::Debug for AssetChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetChange")
            .field("tags", &self.tags.as_ref().map(Vec::len))
            .field("alt", &self.alt.is_some())
            .field("credits", &self.credits.is_some())
            .field("notes", &self.notes.is_some())
            .field("filename", &self.filename.is_some())
            .finish()
    }
}

/// A tag of the media library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetTag {
    /// Its id.
    pub id: String,
    /// Its name, which is unique.
    pub name: String,
}

impl AssetTag {
    /// Reads a tag.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Some(Self { id: id_of(value)?, name: value.get("name")?.as_str()?.to_owned() })
    }

    /// Reads the list of all tags; entries that are none are left out.
    pub(super) fn parse_list(bytes: &[u8]) -> Option<Vec<Self>> {
        let listed: Value = serde_json::from_slice(bytes).ok()?;
        Some(listed.get("items")?.as_array()?.iter().filter_map(Self::parse).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_odd_form_still_tells_the_id() {
        let odd = json!({"id": "A", "url": 7, "size": -1, "width": "wide", "height": 1e300, "kind": null});
        let nothing = UploadedAsset {
            id: "A".to_owned(),
            url: None,
            kind: None,
            size: None,
            width: None,
            height: None,
        };
        assert_eq!(UploadedAsset::parse(&odd), Some(nothing));
        for answer in [json!({}), json!([]), json!({"id": ""}), json!({"id": ".."}), json!({"id": 7})] {
            assert_eq!(UploadedAsset::parse(&answer), None, "{answer}");
        }
        let listed = br#"{"items":[{"id":"T","name":"x","count":1},{"id":"U"},7]}"#;
        assert_eq!(
            AssetTag::parse_list(listed),
            Some(vec![AssetTag { id: "T".to_owned(), name: "x".to_owned() }])
        );
        assert_eq!(AssetTag::parse_list(b"[]"), None);
    }

    #[test]
    fn nothing_of_what_is_sent_is_shown() {
        let data = AssetData::Memory(bytes::Bytes::from_static(b"secret"));
        let upload = Upload {
            filename: "secret",
            data: &data,
            len: 6,
            media_type: None,
            alt: "secret",
            credits: "secret",
            notes: "secret",
        };
        let secret = || Some("secret".to_owned());
        let change =
            AssetChange { tags: None, alt: secret(), credits: secret(), notes: secret(), filename: secret() };
        let shown = format!("{upload:?} {change:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
