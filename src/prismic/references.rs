//! What a document refers to: other documents and files.
//!
//! A snapshot must hold the target of every link and the bytes of every image; without a write
//! token this is also the only way to learn which files there are. Built on [`walk`](super::walk).

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use url::Url;

use super::asset_url::{self, AssetUrlError};
use super::walk::{Image, Link, Pointer, Visitor, walk_document};

/// Number of the walk that [`references`] makes. What it found is kept with every snapshot and
/// believed by later ones as long as the document and this number stay: whoever lets it find more,
/// less or something else gives it another number.
pub const WALK: u32 = 2;

/// What a document refers to, each target once, in the order of first appearance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Documents.
    pub documents: Vec<DocumentRef>,
    /// Files with an address that can be fetched, on any host.
    pub assets: Vec<AssetRef>,
    /// Ids of documents of which only copies of other documents' content tell: links within the
    /// `data` that the API embeds in a link, and the old `linked_documents`. The document does not
    /// refer to them, but its bytes change when they do. Sorted, each once.
    pub copied: Vec<String>,
    /// Files whose address cannot be used. Without this list they would be lost silently.
    pub unusable_assets: Vec<UnusableAsset>,
}

/// A document that is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRef {
    /// Its id.
    pub id: String,
    /// Whether every link to it says that it does not exist.
    pub broken: bool,
}

/// A file that is shown or linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRef {
    /// Id of the asset, where the document tells it. An address never does for certain: names of
    /// files can look like ids.
    pub id: Option<String>,
    /// Address of the original: without query. `%2F` is as sent; compare with
    /// [`asset_url::comparison_key`].
    pub url: Url,
    /// Bytes, where a link to media tells them.
    pub size: Option<u64>,
    /// File name, where a link to media tells it.
    pub name: Option<String>,
    /// Whether it is only known from the address of a web link that an editor typed. Such a file
    /// may belong to another repository or be gone, without anything being wrong here.
    pub pasted: bool,
}

/// A file whose address cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableAsset {
    /// Id of the asset, where the document tells it.
    pub id: Option<String>,
    /// JSON pointer in the document.
    pub at: String,
    /// What is wrong with the address.
    pub why: AssetUrlError,
}

/// Returns what a whole document refers to. Translations (`alternate_languages`) are not
/// included; what embedded copies of other documents refer to is only in
/// [`copied`](References::copied).
pub fn references(document: &Value) -> References {
    let mut collector = Collector::default();
    walk_document(document, &mut collector);
    if let Some(linked) = document.get("linked_documents").and_then(Value::as_array) {
        collector.copied.extend(linked.iter().filter_map(id_of).map(str::to_owned));
    }
    let mut found = collector.found;
    found.copied = collector.copied.into_iter().collect();
    found
}

fn id_of(link: &Value) -> Option<&str> {
    link.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// Collects the targets of all links to documents, those in copies of copies included.
fn copied_targets(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| copied_targets(element, found)),
        Value::Object(members) => {
            if members.get("link_type").and_then(Value::as_str) == Some("Document") {
                found.extend(id_of(value).map(str::to_owned));
            }
            members.values().for_each(|member| copied_targets(member, found));
        }
        _ => {}
    }
}

#[derive(Default)]
struct Collector {
    found: References,
    copied: BTreeSet<String>,
    documents: HashMap<String, usize>,
    assets: HashMap<String, usize>,
}

impl Collector {
    fn asset(
        &mut self,
        at: &Pointer,
        url: Option<&str>,
        new: impl FnOnce(Url) -> AssetRef,
        id: Option<&str>,
    ) {
        let url = match url.map_or(Err(AssetUrlError::Invalid), asset_url::original) {
            Ok(url) => url,
            Err(why) => {
                let unusable = UnusableAsset { id: id.map(str::to_owned), at: at.as_str().to_owned(), why };
                self.found.unusable_assets.push(unusable);
                return;
            }
        };
        let key = asset_url::comparison_key(&url);
        let new = new(url);
        match self.assets.get(&key).and_then(|&index| self.found.assets.get_mut(index)) {
            Some(known) => {
                known.id = known.id.take().or(new.id);
                known.size = known.size.or(new.size);
                known.name = known.name.take().or(new.name);
                known.pasted &= new.pasted;
            }
            None => {
                self.assets.insert(key, self.found.assets.len());
                self.found.assets.push(new);
            }
        }
    }
}

impl Visitor for Collector {
    fn embedded_data(&mut self, _at: &Pointer, data: &Value) {
        copied_targets(data, &mut self.copied);
    }

    fn link(&mut self, at: &Pointer, link: Link<'_>) {
        match link {
            Link::Document { id, broken, .. } => {
                match self.documents.get(id).and_then(|&index| self.found.documents.get_mut(index)) {
                    Some(known) => known.broken &= broken,
                    None => {
                        self.documents.insert(id.to_owned(), self.found.documents.len());
                        self.found.documents.push(DocumentRef { id: id.to_owned(), broken });
                    }
                }
            }
            Link::Media { id, url, name, size, .. } => {
                let new = |url| AssetRef {
                    id: id.map(str::to_owned),
                    url,
                    size,
                    name: name.map(str::to_owned),
                    pasted: false,
                };
                self.asset(at, url, new, id);
            }
            Link::Web { url, .. } => {
                if asset_url::original(url).is_ok_and(|url| asset_url::is_file_of_prismic(&url)) {
                    let new = |url| AssetRef { id: None, url, size: None, name: None, pasted: true };
                    self.asset(at, Some(url), new, None);
                }
            }
            Link::Empty { .. } => {}
        }
    }

    fn image(&mut self, at: &Pointer, image: Image<'_>) {
        if image.url.is_none() && image.id.is_none() {
            return;
        }
        let id = image.id.map(str::to_owned);
        let new = |url| AssetRef { id, url, size: None, name: None, pasted: false };
        self.asset(at, image.url, new, image.id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(id: Value, url: &str) -> Value {
        json!({ "id": id, "url": url, "dimensions": { "width": 1, "height": 1 }, "alt": null, "copyright": null })
    }

    #[test]
    fn each_target_is_listed_once_with_all_that_is_known() {
        let mut thumbnailed = image(
            json!("ZoQE4h5LeNNTwtnO"),
            "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_a.jpg?auto=compress",
        );
        thumbnailed["square"] = image(
            json!("ZoQE4h5LeNNTwtnO"),
            "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_a.jpg?rect=0,0,1,1",
        );
        thumbnailed["wide"] =
            image(json!("ZoQE4h5LeNNTwtnP"), "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnP_b.jpg");
        let found = references(&json!({ "data": {
            "a": thumbnailed,
            "old": image(Value::Null, "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_k.jpg?w=1"),
            "same": { "link_type": "Media", "id": "WXiuMSoAAPowiXmg", "name": "k.jpg", "size": "12",
                      "url": "https://images.prismic.io/acme/2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_k.jpg" },
            "stock": image(json!("x"), "https://images.unsplash.com/p-1?ixid=2"),
            "l": [ { "link_type": "Document", "id": "D1", "isBroken": true },
                   { "link_type": "Document", "id": "D2", "isBroken": true },
                   { "link_type": "Document", "id": "D1", "isBroken": false } ],
        } }));
        let documents: Vec<_> = found.documents.iter().map(|d| (d.id.as_str(), d.broken)).collect();
        assert_eq!(documents, [("D1", false), ("D2", true)]);
        let assets: Vec<_> =
            found.assets.iter().map(|a| (a.id.as_deref().unwrap_or("-"), a.url.as_str(), a.size)).collect();
        assert_eq!(
            assets,
            [
                ("ZoQE4h5LeNNTwtnO", "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_a.jpg", None),
                ("ZoQE4h5LeNNTwtnP", "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnP_b.jpg", None),
                (
                    "WXiuMSoAAPowiXmg",
                    "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_k.jpg",
                    Some(12)
                ),
                ("x", "https://images.unsplash.com/p-1", None),
            ]
        );
        assert_eq!(found.assets[2].name.as_deref(), Some("k.jpg"));
        assert!(found.assets.iter().all(|a| !a.pasted) && found.unusable_assets.is_empty());
    }

    #[test]
    fn targets_in_copies_of_other_documents_are_told_apart() {
        let inner = json!({ "link_type": "Document", "id": "D3", "data": { "x": { "link_type": "Document", "id": "D4" } } });
        let found = references(&json!({
            "data": { "a": { "link_type": "Document", "id": "D1", "data": { "l": [ { "link_type": "Document", "id": "D2" }, inner ] } } },
            "linked_documents": [ { "id": "D5", "tags": [], "type": "page", "slug": "x" } ],
        }));
        assert_eq!(found.documents.iter().map(|target| target.id.as_str()).collect::<Vec<_>>(), ["D1"]);
        assert_eq!(found.copied, ["D2", "D3", "D4", "D5"]);
    }

    #[test]
    fn a_pasted_address_of_a_file_is_an_asset_and_one_of_a_page_is_not() {
        let web = |url: &str| json!({ "link_type": "Web", "url": url });
        let found = references(&json!({ "data": {
            "a": web("https://acme.cdn.prismic.io/acme/ZoQE4h5LeNNTwtnO_plan.pdf"),
            "b": web("https://acme.cdn.prismic.io/api/v2"),
            "c": web("https://acme.example/plan.pdf"),
            "d": web("mailto:a@acme.example"),
        } }));
        assert_eq!(found.assets.len(), 1);
        assert!(found.assets[0].pasted);
        assert_eq!(found.assets[0].id, None, "what looks like an id may be part of a name");
    }

    #[test]
    fn a_file_with_an_unusable_address_is_named() {
        let found = references(&json!({ "data": {
            "a": image(json!("A"), "file:///etc/passwd"),
            "b": { "link_type": "Media", "id": "B" },
            "c": image(json!("C"), "https://u:p@images.prismic.io/a.png"),
        } }));
        let named: Vec<_> = found.unusable_assets.iter().map(|a| (a.at.as_str(), a.why)).collect();
        assert_eq!(
            named,
            [
                ("/data/a", AssetUrlError::Scheme),
                ("/data/b", AssetUrlError::Invalid),
                ("/data/c", AssetUrlError::Credentials),
            ]
        );
        assert!(found.assets.is_empty());
    }
}
