//! Changes to the media library, as the Asset API makes them.
//!
//! Nothing is kept of what a client says about a file but its name and texts: id, address and dates
//! are the library's own, kind and size are those of the bytes. The same bytes twice are two assets.
//! Files outlive their assets.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::assets::{Asset, AssetContent, Library};
use super::repository::{Repository, TICK};
use super::sniff::sniff;
use super::synthetic::Random;
use crate::contentapi::ASSET_HOST;

/// Most characters of notes, credits and alternative text.
const TEXT_CHARS_MAX: usize = 500;

/// Most characters of a tag's name. Official clients send three and more; the API takes fewer.
const TAG_CHARS_MAX: usize = 20;

/// Who uploads here.
const UPLOADER: &str = "sandbox";

/// Texts that editors give an asset.
const TEXTS: [&str; 3] = ["notes", "credits", "alt"];

/// A file as it is uploaded.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) filename: String,
    pub(super) bytes: Bytes,
    /// Notes, credits, alternative text: name and text.
    pub(super) texts: Vec<(&'static str, String)>,
}

/// Why the library does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such asset or tag.
    NotFound(&'static str),
    /// A text is too long, or none.
    Text(&'static str),
    /// Tags of an asset that there are not.
    Tags(Vec<String>),
    /// Assets of a tag that there are not.
    Assets(Vec<String>),
    /// The name of a tag is too long or empty.
    TagName,
    /// There is a tag of this name.
    TagExists,
}

type Result<T> = std::result::Result<T, Refused>;

/// Checks a text that an editor gives an asset, by its name.
pub(super) fn check_text(name: &str, text: &str) -> Result<&'static str> {
    let name = TEXTS.into_iter().find(|known| *known == name).ok_or(Refused::Text("unknown"))?;
    if text.chars().count() > TEXT_CHARS_MAX { Err(Refused::Text(name)) } else { Ok(name) }
}

/// The file part of an address: letters, digits and a few marks of the name.
fn sanitised(filename: &str) -> String {
    let kept: String =
        filename.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    let kept = kept.trim_matches('.');
    if kept.is_empty() { "file".to_owned() } else { kept.to_owned() }
}

impl Repository {
    /// Adds an uploaded file; returns its item.
    pub(super) fn upload(&self, upload: Upload) -> Result<Value> {
        for (name, text) in &upload.texts {
            check_text(name, text)?;
        }
        let sniffed = sniff(&upload.bytes, &upload.filename);
        let mut state = self.write();
        state.now += TICK;
        let now = state.now;
        let id = self.next_id(&mut state);
        let file = sanitised(&upload.filename);
        let extension = upload.filename.rsplit_once('.').map_or("", |(_, extension)| extension);
        // Pictures go through the image host, everything else is a plain file.
        let parameters = match sniffed.kind == "image" && !sniffed.is_svg {
            true => "?auto=format,compress",
            false => "",
        };
        let mut item = json!({
            "id": id,
            "url": format!("{ASSET_HOST}/{}/{id}_{file}{parameters}", self.name()),
            "filename": upload.filename,
            "extension": extension.to_ascii_lowercase(),
            "size": upload.bytes.len(),
            "kind": sniffed.kind,
            "created_at": now,
            "last_modified": now,
            "uploader_id": UPLOADER,
            "tags": [],
        });
        if let Some((width, height)) = sniffed.size {
            item["width"] = width.into();
            item["height"] = height.into();
        }
        for (name, text) in upload.texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            item[name] = text.into();
        }
        let content = AssetContent::Bytes(upload.bytes);
        let asset = Asset::parse(&item.to_string(), &[ASSET_HOST], content)
            .expect("an item that was made here has all its members");
        Arc::make_mut(&mut state.library).put(asset);
        Ok(item)
    }

    /// Changes what is named of an asset; returns its item.
    pub(super) fn change_asset(&self, id: &str, changes: &Map<String, Value>) -> Result<Value> {
        let mut state = self.write();
        let asset = state.library.find(id).cloned().ok_or(Refused::NotFound("asset"))?;
        let mut texts: Vec<(&str, Value)> = Vec::new();
        for name in TEXTS {
            match changes.get(name) {
                Some(Value::String(text)) => texts.push((check_text(name, text)?, text.as_str().into())),
                Some(Value::Null) => texts.push((name, Value::Null)),
                Some(_) => return Err(Refused::Text(name)),
                None => {}
            }
        }
        match changes.get("filename") {
            Some(Value::String(name)) if !name.is_empty() => texts.push(("filename", name.as_str().into())),
            None => {}
            Some(_) => return Err(Refused::Text("filename")),
        }
        let tags = changes.get("tags").map(|tags| tags_of(&state.library, tags)).transpose()?;
        state.now += TICK;
        let now = state.now;
        let changed = asset.edited(|item| {
            for (name, text) in texts {
                match (text, item.as_object_mut()) {
                    (Value::Null, Some(item)) => drop(item.shift_remove(name)),
                    (text, _) => item[name] = text,
                }
            }
            if let Some(tags) = tags {
                item["tags"] = tags.into();
            }
            item["last_modified"] = now.into();
        });
        let changed = changed.expect("texts and tags make no item invalid");
        let item = changed.item();
        Arc::make_mut(&mut state.library).put(changed);
        Ok(item)
    }

    /// Removes assets from the listing; returns how many there were.
    pub(super) fn delete_assets(&self, ids: &HashSet<&str>) -> usize {
        let mut state = self.write();
        let library = Arc::make_mut(&mut state.library);
        ids.iter().filter(|id| library.remove(id)).count()
    }

    /// Makes a tag.
    pub(super) fn add_tag(&self, name: &str) -> Result<Value> {
        check_tag_name(name)?;
        let mut state = self.write();
        if state.library.tags().iter().any(|tag| tag["name"] == name) {
            return Err(Refused::TagExists);
        }
        state.now += TICK;
        state.minted += 1;
        let id = Random::new(&[self.salt(), 0x7a6, state.minted]).uuid();
        let tag = json!({
            "id": id, "name": name, "created_at": state.now, "last_modified": state.now,
            "uploader_id": UPLOADER, "count": 0,
        });
        Arc::make_mut(&mut state.library).put_tag(tag.clone());
        Ok(tag)
    }

    /// Gives a tag another name, also where assets have it.
    pub(super) fn rename_tag(&self, id: &str, name: &str) -> Result<Value> {
        check_tag_name(name)?;
        let mut state = self.write();
        let tags = state.library.tags();
        if tags.iter().any(|tag| tag["name"] == name && tag["id"] != id) {
            return Err(Refused::TagExists);
        }
        let mut tag = tags.iter().find(|tag| tag["id"] == id).cloned().ok_or(Refused::NotFound("tag"))?;
        state.now += TICK;
        tag["name"] = name.into();
        tag["last_modified"] = state.now.into();
        let library = Arc::make_mut(&mut state.library);
        library.put_tag(tag.clone());
        let having: Vec<Arc<Asset>> = having(library, id);
        for asset in having {
            retag(library, &asset, |tags| {
                tags.iter_mut().filter(|known| known["id"] == id).for_each(|known| *known = tag.clone());
            });
        }
        Ok(tag)
    }

    /// Removes a tag; the assets stay without it.
    pub(super) fn delete_tag(&self, id: &str) -> Result<()> {
        let mut state = self.write();
        let library = Arc::make_mut(&mut state.library);
        library.remove_tag(id).ok_or(Refused::NotFound("tag"))?;
        let having = having(library, id);
        for asset in having {
            retag(library, &asset, |tags| tags.retain(|known| known["id"] != id));
        }
        Ok(())
    }

    /// Gives assets a tag, or takes it from them.
    pub(super) fn tag_assets(&self, id: &str, assets: &[&str], tagged: bool) -> Result<()> {
        let mut state = self.write();
        let library = Arc::make_mut(&mut state.library);
        let tag = library.tags().iter().find(|tag| tag["id"] == id).cloned();
        let tag = tag.ok_or(Refused::NotFound("tag"))?;
        let wanted: HashSet<&str> = assets.iter().copied().collect();
        let found: Vec<Arc<Asset>> =
            library.assets().iter().filter(|asset| wanted.contains(asset.id.as_str())).cloned().collect();
        if found.len() < wanted.len() {
            let known = |id: &&str| found.iter().all(|asset| asset.id != **id);
            return Err(Refused::Assets(wanted.into_iter().filter(known).map(str::to_owned).collect()));
        }
        for asset in found {
            retag(library, &asset, |tags| {
                tags.retain(|known| known["id"] != id);
                if tagged {
                    tags.push(tag.clone());
                }
            });
        }
        Ok(())
    }
}

fn check_tag_name(name: &str) -> Result<()> {
    if (1..=TAG_CHARS_MAX).contains(&name.chars().count()) { Ok(()) } else { Err(Refused::TagName) }
}

/// Returns the tags that a list of ids names.
fn tags_of(library: &Library, ids: &Value) -> Result<Vec<Value>> {
    let ids = ids.as_array().ok_or_else(|| Refused::Tags(Vec::new()))?;
    let (mut tags, mut unknown) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    for id in ids {
        match library.tags().iter().find(|tag| tag["id"] == *id) {
            Some(tag) if known.insert(id.as_str()) => tags.push(tag.clone()),
            Some(_) => {}
            None => unknown.push(id.as_str().map_or_else(|| id.to_string(), str::to_owned)),
        }
    }
    if unknown.is_empty() { Ok(tags) } else { Err(Refused::Tags(unknown)) }
}

fn having(library: &Library, tag: &str) -> Vec<Arc<Asset>> {
    library.assets().iter().filter(|asset| asset.tags.iter().any(|id| id == tag)).cloned().collect()
}

fn retag(library: &mut Library, asset: &Asset, change: impl FnOnce(&mut Vec<Value>)) {
    let changed = asset.edited(|item| {
        if let Some(tags) = item["tags"].as_array_mut() {
            change(tags);
        }
    });
    library.put(changed.expect("tags make no item invalid"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_in_the_address_what_addresses_do_not_have() {
        for (filename, expected) in [
            ("Poetic Unity.jpg", "PoeticUnity.jpg"),
            ("../é?.pdf", "pdf"),
            ("...", "file"),
            ("a_b-c.PNG", "a_b-c.PNG"),
        ] {
            assert_eq!(sanitised(filename), expected, "{filename}");
        }
    }
}
