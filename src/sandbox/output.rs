//! What the Content API shows of a document that the Migration API took: its `data`.
//!
//! Every field of the model is there, empty ones in their empty forms. Images get address, size and
//! crops, links what they copy of their targets, slices their ids, tables their keys; embeds are
//! fetched again, which here means made up from their address, so they never are what a backup has.
//!
//! **Why so.** This is the other half of [`conform`](super::conform): what that let through is read
//! here without complaint. What restores is judged by this, so it shares no code with it but the
//! [models](crate::prismic::model).

use serde_json::{Map, Number, Value, json};
use url::{Url, form_urlencoded};

use super::assets::Library;
use super::conform::Slices;
use super::models::Models;
use super::synthetic::Random;
use crate::contentapi::{format_millis, parse_millis};
use crate::prismic::model::{Choice, ChoiceKind, Field, FieldKind, ImageModel, LinkModel, LinkTarget, Sides};

/// What a link copies of the document that it leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinkTargetCopy {
    pub(super) type_id: Value,
    pub(super) tags: Value,
    pub(super) lang: Value,
    pub(super) slug: Value,
    pub(super) first_publication_date: Value,
    pub(super) last_publication_date: Value,
    pub(super) uid: Option<String>,
}

impl LinkTargetCopy {
    /// Writes the copy into a link.
    pub(super) fn fill(self, members: &mut Map<String, Value>) {
        for (key, value) in [
            ("type", self.type_id),
            ("tags", self.tags),
            ("lang", self.lang),
            ("slug", self.slug),
            ("first_publication_date", self.first_publication_date),
            ("last_publication_date", self.last_publication_date),
            ("isBroken", json!(false)),
        ] {
            members.insert(key.to_owned(), value);
        }
        match self.uid {
            Some(uid) => {
                members.insert("uid".to_owned(), uid.into());
            }
            None => {
                members.shift_remove("uid");
            }
        }
    }
}

/// Makes of a link one that leads to no document.
pub(super) fn break_link(members: &mut Map<String, Value>) {
    for (key, broken) in [
        ("type", json!("broken_type")),
        ("tags", json!([])),
        ("lang", Value::Null),
        ("slug", json!("-")),
        ("isBroken", json!(true)),
    ] {
        members.insert(key.to_owned(), broken);
    }
    for key in ["uid", "first_publication_date", "last_publication_date", "url", "data"] {
        members.shift_remove(key);
    }
}

/// Gives what a link copies of a document that will be published, by its id, and the value of one
/// of its fields.
pub(super) trait Targets {
    fn copy(&self, id: &str) -> Option<LinkTargetCopy>;

    /// `Null` where the field is not known yet.
    fn field(&self, id: &str, field: &str) -> Value;
}

/// Makes the `data` of documents.
pub(super) struct Output<'a> {
    pub(super) slices: Slices<'a>,
    library: &'a Library,
    targets: &'a dyn Targets,
    random: Random,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        models: &'a Models,
        library: &'a Library,
        targets: &'a dyn Targets,
        random: Random,
    ) -> Self {
        Self { slices: Slices::new(models), library, targets, random }
    }

    /// Makes an object of fields: the `data` of a document, an item of a group, part of a slice.
    pub(super) fn fields(&mut self, fields: &[Field], input: &Map<String, Value>) -> Map<String, Value> {
        let mut shown = Map::new();
        for field in fields {
            if !matches!(field.kind, FieldKind::Separator | FieldKind::Uid | FieldKind::Unknown(_)) {
                shown.insert(field.name.clone(), self.value(&field.kind, input.get(&field.name)));
            }
        }
        shown
    }

    fn value(&mut self, kind: &FieldKind, input: Option<&Value>) -> Value {
        let items = || input.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        match kind {
            FieldKind::Boolean { default } => input.cloned().unwrap_or_else(|| json!(default)),
            FieldKind::Timestamp => {
                let at = input.and_then(|input| parse_millis(input.as_str()?));
                at.map_or(Value::Null, |at| format_millis(at).into())
            }
            FieldKind::Embed => {
                let url = input.and_then(|input| input.get("embed_url")?.as_str());
                url.map_or_else(|| json!({}), fetched)
            }
            FieldKind::GeoPoint => input.cloned().unwrap_or_else(|| json!({})),
            FieldKind::Image(model) => {
                input.and_then(|input| self.image(model, input)).unwrap_or_else(|| json!({}))
            }
            FieldKind::Integration { catalog } => match input.and_then(|input| input.get("id")) {
                Some(id) => {
                    let catalog = catalog.as_deref().unwrap_or("catalog");
                    json!({"id": id, "title": format!("Item of {catalog}")})
                }
                None => Value::Null,
            },
            FieldKind::Link(model) if model.repeat => {
                items().iter().map(|link| self.link(model, link, true)).collect()
            }
            FieldKind::Link(model) => self.link(model, input.unwrap_or(&Value::Null), false),
            FieldKind::RichText(_) => items().iter().filter_map(|block| self.block(block)).collect(),
            FieldKind::Table => input.map_or(Value::Null, |table| self.table(table)),
            FieldKind::Group(fields) => self.group(fields, items()),
            FieldKind::Slices(choices) => {
                items().iter().filter_map(|slice| self.slice(choices, slice)).collect()
            }
            _ => input.cloned().unwrap_or_default(),
        }
    }

    fn group(&mut self, fields: &[Field], items: &[Value]) -> Value {
        items
            .iter()
            .filter_map(Value::as_object)
            .map(|item| Value::Object(self.fields(fields, item)))
            .collect()
    }

    fn link(&mut self, model: &LinkModel, input: &Value, repeated: bool) -> Value {
        let id = input.get("id").and_then(Value::as_str).unwrap_or_default();
        let mut link = match input.get("link_type").and_then(Value::as_str) {
            Some("Document") => self.document_link(model, id),
            Some("Media") => self.media_link(id),
            Some("Web") => {
                let mut link = json!({"link_type": "Web", "url": input["url"]});
                if let Some(target) = input.get("target") {
                    link["target"] = target.clone();
                }
                link
            }
            _ => json!({"link_type": match model.target {
                LinkTarget::Any => "Any",
                LinkTarget::Document => "Document",
                LinkTarget::Media => "Media",
                LinkTarget::Web => "Web",
            }}),
        };
        if repeated {
            link["key"] = self.random.uuid().into();
        }
        for key in ["key", "text", "variant"] {
            if let Some(text) = input.get(key) {
                link[key] = text.clone();
            }
        }
        link
    }

    fn document_link(&self, model: &LinkModel, id: &str) -> Value {
        let mut link = Map::new();
        link.insert("id".to_owned(), id.into());
        let Some(copy) = self.targets.copy(id) else {
            link.insert("link_type".to_owned(), "Document".into());
            break_link(&mut link);
            return link.into();
        };
        let wanted = model.types.iter().find(|linked| copy.type_id == linked.id.as_str());
        copy.fill(&mut link);
        link.insert("link_type".to_owned(), "Document".into());
        // The model says which fields come along without being asked for.
        if let Some(wanted) = wanted.filter(|wanted| !wanted.fields.is_empty()) {
            let field = |name: &String| (name.clone(), self.targets.field(id, name));
            link.insert("data".to_owned(), wanted.fields.iter().map(field).collect::<Map<_, _>>().into());
        }
        link.into()
    }

    fn media_link(&self, id: &str) -> Value {
        let Some(asset) = self.library.find(id) else { return json!({"link_type": "Media"}) };
        let item = asset.item();
        let text = |value: &Value| value.as_u64().map(|number| Value::from(number.to_string()));
        let mut link = json!({
            "link_type": "Media", "id": id, "name": asset.filename, "kind": asset.kind,
            "url": item["url"].as_str().map(without_query), "size": asset.content.len().to_string(),
        });
        for key in ["width", "height"] {
            if let Some(pixels) = text(&item[key]) {
                link[key] = pixels;
            }
        }
        link
    }

    fn image(&self, model: &ImageModel, input: &Value) -> Option<Value> {
        let mut image = self.view(input, model.constraint, false)?;
        for (name, sides) in &model.thumbnails {
            image[name] = match input.get(name) {
                Some(thumbnail) => self.view(thumbnail, *sides, false).unwrap_or_else(|| json!({})),
                // Cut out of the middle, as editors find it.
                None => self.view(&json!({"id": input["id"]}), *sides, true).unwrap_or_else(|| json!({})),
            };
        }
        Some(image)
    }

    /// One picture: sizes of the model come first, then those of the crop in the address, then those
    /// that are given, then those of the original.
    fn view(&self, input: &Value, sides: Sides, centred: bool) -> Option<Value> {
        let id = input.get("id")?.as_str()?;
        let item = self.library.find(id)?.item();
        let asked = input.get("url").and_then(Value::as_str).map(crop_of).unwrap_or_default();
        let whole = |key: &str| item[key].as_f64().filter(|side| *side > 0.0);
        let given = |key: &str| input.get("dimensions").and_then(|sides| sides.get(key)?.as_f64());
        let original = (
            whole("width").or(given("width")).unwrap_or(1.0),
            whole("height").or(given("height")).unwrap_or(1.0),
        );
        let free = |side: Option<f64>, key: &str| side.or(given(key));
        let (width, height) = match (sides.width.map(f64::from), sides.height.map(f64::from)) {
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => {
                (width, free(asked.height, "height").unwrap_or(width * original.1 / original.0))
            }
            (None, Some(height)) => {
                (free(asked.width, "width").unwrap_or(height * original.0 / original.1), height)
            }
            (None, None) => (
                free(asked.width, "width").unwrap_or(original.0),
                free(asked.height, "height").unwrap_or(original.1),
            ),
        };
        let (width, height) = (width.round().max(1.0), height.round().max(1.0));
        let zoom = if centred { (width / original.0).max(height / original.1) } else { 1.0 };
        let middle = |original: f64, shown: f64| ((original * zoom - shown) / 2.0).round();
        let (x, y) =
            if centred { (middle(original.0, width), middle(original.1, height)) } else { (0.0, 0.0) };
        let plain =
            json!({"x": number(x), "y": number(y), "zoom": number(zoom), "background": "transparent"});
        let edit = match input.get("edit") {
            Some(edit) => json!({
                "x": edit["x"], "y": edit["y"], "zoom": edit["zoom"],
                "background": edit.get("background").filter(|color| color.is_string()).unwrap_or(&plain["background"]),
            }),
            None => plain,
        };
        let mut url = item["url"].as_str().unwrap_or_default().to_owned();
        let cut = asked.rect.unwrap_or_else(|| rect_of(&edit, width, height));
        if cut != rect_of(&json!({"x": 0, "y": 0, "zoom": 1}), original.0, original.1) || asked.is_cut {
            let mark = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{mark}rect={cut}&w={}&h={}", number(width), number(height)));
        }
        let text = |key: &str, of_asset: &str| match input.get(key) {
            Some(text) => text.clone(),
            None => item.get(of_asset).cloned().unwrap_or_default(),
        };
        Some(json!({
            "dimensions": {"width": number(width), "height": number(height)},
            "alt": text("alt", "alt"), "copyright": text("copyright", "credits"),
            "url": url, "id": id, "edit": edit,
        }))
    }

    fn block(&mut self, input: &Value) -> Option<Value> {
        let any = LinkModel::default();
        match input["type"].as_str()? {
            "image" => {
                let mut block = json!({"type": "image"});
                let image = self.image(&ImageModel::default(), input)?;
                for (key, value) in image.as_object()? {
                    block[key] = value.clone();
                }
                if let Some(link) = input.get("linkTo").filter(|link| link.get("link_type").is_some()) {
                    block["linkTo"] = self.link(&any, link, false);
                }
                Some(block)
            }
            "embed" => {
                Some(json!({"type": "embed", "oembed": fetched(input["oembed"]["embed_url"].as_str()?)}))
            }
            kind => {
                let spans = input["spans"].as_array().map_or(&[][..], Vec::as_slice);
                let spans = spans.iter().map(|span| {
                    let mut span = span.clone();
                    if span["type"] == "hyperlink" {
                        span["data"] = self.link(&any, &span["data"], false);
                    }
                    span
                });
                let spans: Value = spans.collect();
                let direction = input.get("direction").cloned().unwrap_or_else(|| json!("ltr"));
                let mut block =
                    json!({"type": kind, "text": input["text"], "spans": spans, "direction": direction});
                if let Some(label) = input.get("label") {
                    block["label"] = label.clone();
                }
                Some(block)
            }
        }
    }

    fn key(&mut self, input: &Value) -> Value {
        input.get("key").filter(|key| key.is_string()).cloned().unwrap_or_else(|| self.random.uuid().into())
    }

    fn table(&mut self, input: &Value) -> Value {
        let mut table = json!({});
        for part in ["head", "body"] {
            let Some(rows) = input.get(part).and_then(|part| part["rows"].as_array()) else { continue };
            let rows = rows.iter().map(|row| {
                let cells = row["cells"].as_array().map_or(&[][..], Vec::as_slice);
                let cells = cells.iter().map(|cell| {
                    let content = cell["content"].as_array().map_or(&[][..], Vec::as_slice);
                    let content: Value = content.iter().filter_map(|block| self.block(block)).collect();
                    json!({"key": self.key(cell), "type": cell["type"], "content": content})
                });
                let cells: Value = cells.collect();
                json!({"key": self.key(row), "cells": cells})
            });
            table[part] = json!({"rows": rows.collect::<Value>()});
        }
        table
    }

    fn slice(&mut self, choices: &[Choice], input: &Value) -> Option<Value> {
        let id = input["slice_type"].as_str()?;
        let choice = choices.iter().find(|choice| choice.id == id)?;
        let key = format!("{id}${}", self.random.uuid());
        let empty = Map::new();
        let primary = input.get("primary").and_then(Value::as_object).unwrap_or(&empty);
        let items = input.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let label = input.get("slice_label").cloned().unwrap_or_default();
        Some(match &choice.kind {
            ChoiceKind::Shared => {
                let model = self.slices.get(id)?;
                let variation = model.variation(input["variation"].as_str()?)?;
                json!({
                    "variation": variation.id, "version": variation.version,
                    "items": self.group(&variation.items, items),
                    "primary": self.fields(&variation.primary, primary),
                    "id": key, "slice_type": id, "slice_label": null,
                })
            }
            ChoiceKind::Composite { primary: fields, items: repeated } => json!({
                "primary": self.fields(fields, primary),
                "items": self.group(repeated, items),
                "id": key, "slice_type": id, "slice_label": label,
            }),
            ChoiceKind::Legacy(kind) => json!({
                "slice_type": id, "slice_label": label, "value": self.value(kind, input.get("value")),
            }),
        })
    }
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// A number, without a fraction where it has none.
#[expect(clippy::cast_possible_truncation, reason = "checked before")]
fn number(value: f64) -> Number {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Number::from(value as i64);
    }
    Number::from_f64((value * 1e6).round() / 1e6).unwrap_or_else(|| Number::from(0))
}

/// The crop that an address asks for.
#[derive(Debug, Default)]
struct Crop {
    rect: Option<String>,
    width: Option<f64>,
    height: Option<f64>,
    is_cut: bool,
}

fn crop_of(url: &str) -> Crop {
    let mut crop = Crop::default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let side = || value.parse::<f64>().ok().filter(|side| (1.0..=1e6).contains(side));
        match &*key {
            "rect" => {
                let parts: Option<Vec<f64>> = value.split(',').map(|part| part.parse().ok()).collect();
                if parts.is_some_and(|parts| parts.len() == 4 && parts.iter().all(|part| part.is_finite())) {
                    crop.rect = Some(value.into_owned());
                    crop.is_cut = true;
                }
            }
            "w" => crop.width = side(),
            "h" => crop.height = side(),
            _ => {}
        }
    }
    crop
}

/// What a crop shows, in pixels of the original.
fn rect_of(edit: &Value, width: f64, height: f64) -> String {
    let of = |key: &str| edit.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let zoom = edit.get("zoom").and_then(Value::as_f64).filter(|zoom| *zoom > 0.0).unwrap_or(1.0);
    let shown = |value: f64| number((value / zoom).round());
    format!("{},{},{},{}", shown(of("x")), shown(of("y")), shown(width), shown(height))
}

/// What the page of an embed answers now.
fn fetched(url: &str) -> Value {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    json!({
        "embed_url": url, "type": "rich", "version": "1.0",
        "title": format!("A page of {host}"), "author_name": null, "author_url": null,
        "provider_name": host, "provider_url": format!("https://{host}/"), "cache_age": "3600",
        "thumbnail_url": null, "thumbnail_width": null, "thumbnail_height": null,
        "html": format!("<iframe src=\"https://embed.invalid/?{}\"></iframe>",
            form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish()),
        "width": 480, "height": null,
    })
}

/// Makes a slug of a title: letters and digits in lower case, hyphens between them, and what is no
/// ASCII percent-encoded.
pub(super) fn slug(title: &str) -> Option<String> {
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let slug: String = form_urlencoded::byte_serialize(words.join("-").as_bytes()).collect();
    (!slug.is_empty()).then_some(slug)
}

/// Returns the text of the first title of a document.
pub(super) fn title_of<'v>(
    fields: impl Iterator<Item = &'v Field>,
    data: &'v Map<String, Value>,
) -> Option<String> {
    let mut titles = fields.filter_map(|field| match &field.kind {
        FieldKind::RichText(model) if model.is_title() => {
            data.get(&field.name)?.get(0)?.get("text")?.as_str().map(str::to_owned)
        }
        _ => None,
    });
    titles.find(|title| !title.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_in_lower_case_with_hyphens() {
        for (title, expected) in
            [("The Library, 2nd!", Some("the-library-2nd")), ("Été", Some("%C3%A9t%C3%A9")), (" - ", None)]
        {
            assert_eq!(slug(title).as_deref(), expected, "{title}");
        }
    }

    #[test]
    fn a_crop_is_read_from_an_address_and_nonsense_is_not() {
        let crop = crop_of("https://h/a.png?auto=format,compress&rect=1,2,3,4&w=30&h=40");
        assert_eq!(
            (crop.rect.as_deref(), crop.width, crop.height),
            (Some("1,2,3,4"), Some(30.0), Some(40.0))
        );
        let crop = crop_of("https://h/a.png?rect=1,2,x,4&w=-1&h=NaN");
        assert!(crop.rect.is_none() && crop.width.is_none() && crop.height.is_none());
        assert_eq!(rect_of(&json!({"x": 10, "y": 20, "zoom": 2}), 100.0, 50.0), "5,10,50,25");
    }
}
