//! What the media library says of a file, as the Asset API changes it.

use serde_json::{Map, Value, json};

use crate::ids::Digest;
use crate::prismic::write::{ASSET_TEXT_CHARS_MAX, AssetChange};
use crate::prismic::{Asset, asset_url};
use crate::privacy::erasure::plan::canonical;

use super::content::object;

/// Texts of a file that the Asset API changes.
pub(super) const TEXTS: [&str; 4] = ["alt", "credits", "filename", "notes"];

/// Texts and tags of a file. Personal data.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Texts {
    texts: [String; 4],
    tags: Vec<String>,
}

impl Texts {
    /// Reads those of a file as the Asset API tells them.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self::of_object(&object(bytes)?))
    }

    fn of_object(asset: &Map<String, Value>) -> Self {
        let text = |name: &str| asset.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tags = asset.get("tags").and_then(Value::as_array).into_iter().flatten();
        Self { texts: TEXTS.map(text), tags: tags.filter_map(tag_id).collect() }
    }

    /// Texts and tags as they are to be: those of the changed metadata, without the tags whose names were changed.
    pub(super) fn changed(before: &[u8], after: &[u8]) -> Option<Self> {
        let (before, after) = (object(before)?, object(after)?);
        let mut own = Self::of_object(&after);
        for text in &mut own.texts {
            // Longer words may stand where there were short ones.
            *text = text.chars().take(ASSET_TEXT_CHARS_MAX).collect();
        }
        let names = |asset: &Map<String, Value>| -> Vec<(String, Value)> {
            let tags = asset.get("tags").and_then(Value::as_array).into_iter().flatten();
            tags.filter_map(|tag| Some((tag_id(tag)?, tag.get("name").cloned().unwrap_or_default())))
                .collect()
        };
        let old = names(&before);
        let kept = names(&after).into_iter().filter(|tag| old.contains(tag));
        own.tags = kept.map(|(id, _)| id).collect();
        Some(own)
    }

    /// Ids of tags that others have and these do not.
    pub(super) fn tags_gone_from(&self, before: &Self) -> Vec<String> {
        before.tags.iter().filter(|tag| !self.tags.contains(tag)).cloned().collect()
    }

    /// SHA-256 of them. The order of tags means nothing.
    pub(super) fn digest(&self) -> Digest {
        let mut tags = self.tags.clone();
        tags.sort_unstable();
        Digest::of(&canonical(&json!({"texts": self.texts, "tags": tags})))
    }

    /// What the Asset API is sent to make these of those before.
    pub(super) fn change_from(&self, before: &Self) -> AssetChange {
        let text = |at: usize| (self.texts[at] != before.texts[at]).then(|| self.texts[at].clone());
        let tags = (self.tags != before.tags).then(|| self.tags.clone());
        AssetChange { alt: text(0), credits: text(1), filename: text(2), notes: text(3), tags }
    }

    /// Names of what differs, in order.
    pub(super) fn differing(&self, before: &Self) -> Vec<String> {
        let texts = TEXTS.iter().enumerate().filter(|(at, _)| self.texts[*at] != before.texts[*at]);
        let names = texts.map(|(_, name)| (*name).to_owned());
        names.chain((self.tags != before.tags).then(|| "tags".to_owned())).collect()
    }
}

/// The id of a tag, which stands alone or in an object.
fn tag_id(tag: &Value) -> Option<String> {
    tag.as_str().or_else(|| tag.get("id").and_then(Value::as_str)).map(str::to_owned)
}

/// SHA-256 of what a file is: its id, address and size.
pub(super) fn identity(asset: &Asset) -> Digest {
    let url = asset.url.as_ref().map(url::Url::as_str);
    Digest::of(&canonical(&json!({"id": asset.id, "url": url, "size": asset.size})))
}

/// Public addresses of a file: as the API tells it, as the original, and as pages ask for it, each once.
pub(super) fn addresses(asset: &Asset) -> Vec<String> {
    let told = object(&asset.bytes).and_then(|own| Some(own.get("url")?.as_str()?.to_owned()));
    let mut all: Vec<String> = told.into_iter().filter(|told| asset_url::original(told).is_ok()).collect();
    if let Some(original) = &asset.url {
        all.push(original.to_string());
        all.push(format!("{original}?auto=format,compress"));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_sent_and_a_tag_that_names_the_person_goes() {
        let before = json!({"id": "A", "filename": "Perpetua.jpg", "notes": "by Perpetua", "alt": null, "credits": "x",
            "tags": [{"id": "T", "name": "Perpetua"}, {"id": "U", "name": "news"}]});
        let after = json!({"id": "A", "filename": "erased.jpg", "notes": "by [erased]", "alt": null, "credits": "x",
            "tags": [{"id": "T", "name": "[erased]"}, {"id": "U", "name": "news"}]});
        let (before, after) = (before.to_string(), after.to_string());
        let own = Texts::of(before.as_bytes()).unwrap();
        let new = Texts::changed(before.as_bytes(), after.as_bytes()).unwrap();
        assert_eq!(
            new.change_from(&own),
            AssetChange {
                tags: Some(vec!["U".to_owned()]),
                filename: Some("erased.jpg".to_owned()),
                notes: Some("by [erased]".to_owned()),
                ..AssetChange::default()
            }
        );
        assert_eq!(new.differing(&own), ["filename", "notes", "tags"]);
        assert_ne!(new.digest(), own.digest());
        assert_eq!(Texts::changed(before.as_bytes(), before.as_bytes()).unwrap().digest(), own.digest());
        assert!(Texts::of(b"[]").is_none());
    }

    #[test]
    fn a_file_is_asked_for_with_and_without_parameters() {
        let bytes =
            json!({"id": "A", "url": "https://images.prismic.io/acme/A_x.jpg?auto=format,compress&w=1"});
        let asset = Asset::parse(bytes.to_string().as_bytes()).unwrap();
        let addresses = addresses(&asset);
        assert_eq!(addresses.len(), 3);
        assert!(addresses.contains(&"https://images.prismic.io/acme/A_x.jpg".to_owned()));
    }
}
