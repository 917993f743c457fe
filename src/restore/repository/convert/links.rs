//! Links of every kind, and what became of the files and documents that they lead to.

use serde_json::{Map, Value, json};

use super::finding::FindingKind;
use super::ids::{NewAsset, NewId};
use super::walk::Walk;
use crate::diff::is_blank;
use crate::prismic::asset_url::{is_file_of_prismic, original};
use crate::prismic::model::LinkModel;
use crate::prismic::walk::{Link, as_link};

/// The id by which the write API knows a link to a document that is gone, as the official client sends
/// it.
const BROKEN: &str = "_____broken_____";

/// What is sent of a link.
pub(super) enum SentLink {
    /// One that leads somewhere, or is broken.
    Filled(Map<String, Value>),
    /// One that leads nowhere, with what it says besides.
    Empty(Map<String, Value>),
    /// Nothing for now: its document comes later.
    Pending,
    /// Nothing: it is no link.
    None,
}

impl<'a> Walk<'a> {
    pub(super) fn link_field(&mut self, model: &LinkModel, value: &Value) -> Option<Value> {
        match (model.repeat, value) {
            (false, Value::Object(_)) => self.single_link(value),
            (true, Value::Array(links)) if links.is_empty() => None,
            (true, Value::Array(links)) => Some(self.list(links, Self::listed_link).into()),
            // The model was made repeatable, or was so once.
            (true, Value::Object(_)) => {
                let link = self.single_link(value)?;
                self.find(FindingKind::Repaired);
                Some(json!([link]))
            }
            (false, Value::Array(links)) if links.len() == 1 => {
                let link = self.list(links, Self::single_link).pop();
                if link.is_some() || !is_blank(value) {
                    self.find(FindingKind::Repaired);
                }
                link
            }
            _ => self.unfit(value),
        }
    }

    /// A link alone: an empty one that says nothing is the same as none.
    fn single_link(&mut self, value: &Value) -> Option<Value> {
        match self.link(value) {
            SentLink::Filled(link) => Some(link.into()),
            SentLink::Empty(link) if link.len() > 1 => Some(link.into()),
            _ => None,
        }
    }

    /// A link of a list: an empty one keeps its place.
    fn listed_link(&mut self, value: &Value) -> Option<Value> {
        match self.link(value) {
            SentLink::Filled(link) | SentLink::Empty(link) => Some(link.into()),
            // One of nothing: the list is one shorter.
            SentLink::None if is_blank(value) => self.lost(FindingKind::Repaired),
            SentLink::Pending | SentLink::None => None,
        }
    }

    /// A link, wherever it stands.
    pub(super) fn link(&mut self, value: &Value) -> SentLink {
        let Some((object, link)) = value.as_object().and_then(|object| Some((object, as_link(object)?)))
        else {
            self.unfit::<()>(value);
            return SentLink::None;
        };
        let mut sent = Map::new();
        let mut is_filled = true;
        match link {
            Link::Document { id, broken, .. } => {
                let id = if broken {
                    self.find(FindingKind::BrokenLink);
                    None
                } else {
                    match self.ids.document(id) {
                        NewId::Known(new) => {
                            self.gathered.links.insert(id.to_owned());
                            Some(new)
                        }
                        NewId::Pending => {
                            self.gathered.is_pending = true;
                            return SentLink::Pending;
                        }
                        NewId::Absent => {
                            self.find(FindingKind::LinkToAbsent);
                            None
                        }
                    }
                };
                sent.insert("link_type".to_owned(), "Document".into());
                sent.insert("id".to_owned(), id.unwrap_or(BROKEN).into());
                if id.is_none() {
                    sent.insert("isBroken".to_owned(), true.into());
                }
            }
            Link::Media { id, url, .. } => match self.file(id, url) {
                Some(asset) => {
                    sent.insert("link_type".to_owned(), "Media".into());
                    sent.insert("id".to_owned(), asset.id.into());
                }
                None => is_filled = false,
            },
            Link::Web { url, .. } => {
                if original(url).is_ok_and(|url| is_file_of_prismic(&url)) {
                    self.find(FindingKind::OldFileAddress);
                }
                sent.insert("link_type".to_owned(), "Web".into());
                sent.insert("url".to_owned(), url.into());
            }
            Link::Empty { .. } => is_filled = false,
        }
        if !is_filled {
            sent.insert("link_type".to_owned(), "Any".into());
        }
        self.options(object, matches!(link, Link::Web { .. }), &mut sent);
        if is_filled { SentLink::Filled(sent) } else { SentLink::Empty(sent) }
    }

    /// What a link says besides where it leads.
    fn options(&mut self, object: &Map<String, Value>, is_web: bool, sent: &mut Map<String, Value>) {
        for key in ["target", "text", "variant", "key"] {
            match object.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if key == "target" && text.is_empty() => {}
                Some(Value::String(_)) if key == "target" && !is_web => {
                    self.within(key, |walk| walk.lost::<()>(FindingKind::LinkOption));
                }
                Some(text @ Value::String(_)) => {
                    sent.insert(key.to_owned(), text.clone());
                }
                Some(other) => {
                    let text = self
                        .within(key, |walk| if key == "text" { walk.text(other) } else { walk.unfit(other) });
                    sent.extend(text.map(|text| (key.to_owned(), text)));
                }
            }
        }
    }

    /// What became of a file that a document tells by its id, its address, or both. Without one it says
    /// why.
    pub(super) fn file(&mut self, id: Option<&str>, url: Option<&str>) -> Option<NewAsset<'a>> {
        if let Some(id) = id
            && let Some(asset) = self.ids.asset(id)
        {
            self.gathered.assets.insert(id.to_owned());
            return Some(asset);
        }
        let address = url.and_then(|url| original(url).ok());
        let by_address = address.as_ref().and_then(|address| {
            let id = self.ids.asset_at(address)?;
            Some((id, self.ids.asset(id)?))
        });
        if let Some((id, asset)) = by_address {
            self.gathered.assets.insert(id.to_owned());
            self.find(FindingKind::AssetByAddress);
            return Some(asset);
        }
        let is_foreign = address.is_some_and(|address| !self.ids.is_of_library(&address));
        self.lost(if is_foreign { FindingKind::StockPhoto } else { FindingKind::AssetGone })
    }
}
