//! Images and their further crops.
//!
//! Which part of a picture is shown stands twice: in the parameters of the address, and in `edit` and
//! `dimensions`. All of it is sent with the new address, because Prismic does not document what counts.

use serde_json::{Map, Value, json};

use super::finding::FindingKind;
use super::scalars::{number_of, whole_of};
use super::walk::Walk;
use crate::diff::is_blank;
use crate::prismic::model::{ImageModel, Sides};

/// Members of an image that are no thumbnails.
const OWN: [&str; 9] = ["id", "url", "dimensions", "edit", "alt", "copyright", "type", "linkTo", "label"];

impl Walk<'_> {
    /// An image field, or the image of a block of rich text.
    pub(super) fn image(&mut self, model: &ImageModel, value: &Value) -> Option<Value> {
        let Value::Object(image) = value else { return self.unfit(value) };
        if !has_picture(image) {
            // Blank, or with thumbnails of nothing: there is no image that could have them.
            let is_nothing = image.iter().all(|(key, value)| key == "type" || is_nothing(value));
            return match is_nothing {
                true if is_blank(value) => None,
                true => self.lost(FindingKind::Repaired),
                false => self.lost(FindingKind::WrongKind),
            };
        }
        let mut sent = self.view(model.constraint, image)?;
        for (name, value) in image.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            let Some((_, sides)) = model.thumbnails.iter().find(|(known, _)| known == name) else {
                if !is_nothing(value) {
                    self.within(name, |walk| walk.lost::<()>(FindingKind::FieldNotInModel));
                }
                continue;
            };
            let thumbnail = self.within(name, |walk| match value {
                Value::Object(view) if has_picture(view) => walk.view(*sides, view).map(Value::Object),
                // One that is empty stays so; without it the target would cut one out.
                _ if is_nothing(value) => {
                    if !is_blank(value) {
                        walk.find(FindingKind::Repaired);
                    }
                    Some(json!({}))
                }
                _ => walk.lost(FindingKind::WrongKind),
            });
            sent.extend(thumbnail.map(|thumbnail| (name.clone(), thumbnail)));
        }
        Some(sent.into())
    }

    /// One picture: the image itself, or a further crop.
    fn view(&mut self, sides: Sides, image: &Map<String, Value>) -> Option<Map<String, Value>> {
        let text = |key: &str| image.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let asset = self.file(text("id"), text("url"))?;
        let mut sent = Map::new();
        sent.insert("id".to_owned(), asset.id.into());
        let query =
            text("url").and_then(|url| url.split('#').next()?.split_once('?')).map(|(_, query)| query);
        let mut url = asset.url.split(['?', '#']).next().unwrap_or_default().to_owned();
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        sent.insert("url".to_owned(), url.into());
        for key in ["alt", "copyright"] {
            // Without them the target would take those of the asset.
            let value = match image.get(key) {
                Some(text @ Value::String(_)) => text.clone(),
                None | Some(Value::Null) => Value::Null,
                Some(other) => self.within(key, |walk| walk.text(other)).unwrap_or_default(),
            };
            sent.insert(key.to_owned(), value);
        }
        if text("url").is_none() || !image.get("dimensions").is_some_and(Value::is_object) {
            // Who knows values by their shape would not take it for an image, or for an empty one.
            self.find(FindingKind::Repaired);
        }
        let dimensions = image.get("dimensions").filter(|value| !is_nothing(value));
        let shown = dimensions.and_then(|value| self.within("dimensions", |walk| walk.dimensions(value)));
        let edit = image.get("edit").filter(|value| !is_nothing(value));
        let edit = edit.and_then(|value| self.within("edit", |walk| walk.edit(value)));
        let is_cut = query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("rect=")));
        let is_edited = edit.as_ref().is_some_and(|edit| {
            [("x", 0.0), ("y", 0.0), ("zoom", 1.0)]
                .iter()
                .any(|(key, plain)| edit[*key].as_f64() != Some(*plain))
        });
        let fits = |side: Option<u32>, key: &str| {
            side.is_none_or(|side| {
                shown.as_ref().is_none_or(|shown: &Value| shown[key].as_u64() == Some(side.into()))
            })
        };
        if is_cut || is_edited || !fits(sides.width, "width") || !fits(sides.height, "height") {
            self.find(FindingKind::Crop);
        }
        sent.extend(shown.map(|shown| ("dimensions".to_owned(), shown)));
        sent.extend(edit.map(|edit| ("edit".to_owned(), edit)));
        Some(sent)
    }

    fn dimensions(&mut self, value: &Value) -> Option<Value> {
        let side = |key: &str| value.get(key).and_then(whole_of).filter(|side| *side > 0);
        match (side("width"), side("height")) {
            (Some(width), Some(height)) => {
                if value["width"].is_string() || value["height"].is_string() {
                    self.find(FindingKind::Repaired);
                }
                Some(json!({"width": width, "height": height}))
            }
            _ => self.unfit(value),
        }
    }

    fn edit(&mut self, value: &Value) -> Option<Value> {
        let number = |key: &str| value.get(key).and_then(number_of);
        let zoom = number("zoom").filter(|zoom| zoom.as_f64().is_some_and(|zoom| zoom > 0.0));
        let (Some(x), Some(y), Some(zoom)) = (number("x"), number("y"), zoom) else {
            return self.unfit(value);
        };
        if ["x", "y", "zoom"].iter().any(|key| value[*key].is_string()) {
            self.find(FindingKind::Repaired);
        }
        let mut edit = json!({"x": x, "y": y, "zoom": zoom});
        match value.get("background") {
            Some(background @ Value::String(_)) => edit["background"] = background.clone(),
            None => {}
            Some(other) => {
                self.within("background", |walk| walk.misfit::<()>(other));
            }
        }
        Some(edit)
    }
}

fn has_picture(image: &Map<String, Value>) -> bool {
    ["id", "url"]
        .iter()
        .any(|key| image.get(*key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()))
}

/// Whether there is nothing in a value, however that is written.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().all(is_blank),
        value => is_blank(value),
    }
}
