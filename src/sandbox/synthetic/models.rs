//! Custom types and shared slices that fit the synthetic documents.

use serde_json::{Map, Value, json};

use super::plan::TYPES;
use crate::sandbox::SandboxError;
use crate::sandbox::models::{Model, Models};

pub(super) fn models() -> Result<Models, SandboxError> {
    let types = TYPES.iter().map(|(id, label, share)| {
        let fields = fields_of(id);
        let mut main = Map::new();
        if *share > 0 {
            main.insert("uid".to_owned(), json!({"type": "UID", "config": {"label": "UID"}}));
        }
        main.extend(fields);
        let mut tabs = Map::new();
        tabs.insert("Main".to_owned(), Value::Object(main));
        let has_body = matches!(*id, "homepage" | "page" | "landing_page" | "blog_post");
        if has_body {
            tabs["Main"]["body"] = slice_zone();
        }
        if has_body || matches!(*id, "event" | "faq") {
            tabs.insert("SEO".to_owned(), group_of(&[("meta_title", text()), ("meta_description", text()), ("meta_image", image(&[]))]));
        }
        let format = if matches!(*id, "page" | "landing_page" | "homepage") { "page" } else { "custom" };
        let model = json!({"id": id, "label": label, "repeatable": *share > 0, "status": true, "format": format, "json": tabs});
        Model::parse(&model.to_string())
    });
    let slices = [
        ("text_block", vec![("text", rich())], vec![]),
        ("hero", vec![("headline", title()), ("image", image(&["32:15"])), ("link", link(None))], vec![]),
        ("gallery", vec![("heading", text())], vec![("image", image(&[])), ("caption", text())]),
        ("quote", vec![("quote", rich()), ("name", text())], vec![]),
        (
            "people",
            vec![(
                "departments",
                group(&[("department", text()), ("members", group(&[("member", link(Some("document")))]))]),
            )],
            vec![],
        ),
    ]
    .into_iter()
    .map(|(id, primary, items)| {
        let variation = |name: &str| {
            json!({
                "id": name, "name": name, "docURL": "…", "version": "initial", "description": id,
                "imageUrl": "", "primary": group_of(&primary), "items": group_of(&items),
            })
        };
        let mut variations = vec![variation("default")];
        if id == "text_block" {
            variations.push(variation("twoColumns"));
        }
        Model::parse(
            &json!({"id": id, "type": "SharedSlice", "name": id, "variations": variations}).to_string(),
        )
    });
    Ok(Models { custom_types: types.collect::<Result<_, _>>()?, slices: slices.collect::<Result<_, _>>()? })
}

fn fields_of(id: &str) -> Map<String, Value> {
    let thumbnails = &["32:15", "square"];
    let fields = match id {
        "homepage" => vec![
            ("title", title()),
            ("hero_image", image(thumbnails)),
            ("intro", rich()),
            ("featured", repeatable(link(Some("document")))),
        ],
        "settings" => vec![
            ("site_name", text()),
            ("contact_email", text()),
            ("phone", text()),
            ("logo", image(&[])),
            ("imprint", rich()),
            ("brand_color", field("Color")),
            ("tracking", field("Boolean")),
            (
                "social",
                group(&[("platform", select(&["Fediverse", "Video"])), ("profile", link(Some("web")))]),
            ),
        ],
        "navigation" => vec![(
            "items",
            group(&[
                ("label", text()),
                ("link", link(Some("document"))),
                ("children", group(&[("label", text()), ("link", link(None))])),
            ]),
        )],
        "landing_page" => vec![("title", title()), ("ends_at", field("Timestamp")), ("call", link(None))],
        "blog_post" => vec![
            ("title", title()),
            ("excerpt", text()),
            ("cover", image(thumbnails)),
            ("author", link(Some("document"))),
            ("published_on", field("Date")),
            ("category", select(&["Design", "Research", "Studio"])),
            ("reading_minutes", field("Number")),
            ("content", rich()),
            ("attachments", repeatable(link(Some("media")))),
            ("related", group(&[("post", link(Some("document")))])),
        ],
        _ => return fields_of_others(id),
    };
    named(fields)
}

fn fields_of_others(id: &str) -> Map<String, Value> {
    let fields = match id {
        "author" => vec![
            ("name", text()),
            ("email", text()),
            ("portrait", image(&["square"])),
            ("biography", rich()),
            ("website", link(Some("web"))),
        ],
        "team_member" => vec![
            ("given_name", text()),
            ("family_name", text()),
            ("email", text()),
            ("phone", text()),
            ("role", text()),
            ("portrait", image(&["square"])),
            ("biography", rich()),
            ("office", link(Some("document"))),
            ("deputies", field("Table")),
        ],
        "event" => vec![
            ("title", title()),
            ("starts_at", field("Timestamp")),
            ("ends_at", field("Timestamp")),
            ("position", field("GeoPoint")),
            ("place", link(Some("document"))),
            ("description", rich()),
            ("speakers", group(&[("speaker", link(Some("document"))), ("topic", text())])),
            ("recording", field("Embed")),
            ("price", field("Number")),
        ],
        "product" => vec![
            ("title", title()),
            ("price", field("Number")),
            ("sku", text()),
            ("color", field("Color")),
            ("in_stock", field("Boolean")),
            ("description", rich()),
            ("gallery", group(&[("image", image(&["32:15", "square"])), ("caption", text())])),
            ("specification", field("Table")),
            ("datasheet", link(Some("media"))),
            (
                "shop_item",
                json!({"type": "IntegrationFields", "config": {"label": "Shop item", "catalog": "shop"}}),
            ),
        ],
        "location" => vec![
            ("title", title()),
            ("address", text()),
            ("position", field("GeoPoint")),
            ("contacts", field("Table")),
            ("directions", rich()),
        ],
        "faq" => vec![("title", title()), ("answer", rich()), ("topics", group(&[("topic", text())]))],
        _ => vec![("title", title()), ("parent", link(Some("document")))],
    };
    named(fields)
}

fn named(fields: Vec<(&str, Value)>) -> Map<String, Value> {
    fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect()
}

fn field(kind: &str) -> Value {
    json!({"type": kind, "config": {"label": kind}})
}

fn text() -> Value {
    json!({"type": "Text", "config": {"label": "Text", "placeholder": ""}})
}

fn title() -> Value {
    json!({"type": "StructuredText", "config": {"label": "Title", "single": "heading1"}})
}

fn rich() -> Value {
    let multi =
        "paragraph,preformatted,heading2,heading3,strong,em,hyperlink,image,embed,list-item,o-list-item";
    json!({"type": "StructuredText", "config": {"label": "Text", "multi": multi, "labels": ["highlight"], "allowTargetBlank": true}})
}

fn image(thumbnails: &[&str]) -> Value {
    let thumbnails: Vec<Value> = thumbnails
        .iter()
        .map(
            |name| json!({"name": name, "width": if *name == "square" { 600 } else { 1600 }, "height": null}),
        )
        .collect();
    json!({"type": "Image", "config": {"label": "Image", "constraint": {}, "thumbnails": thumbnails}})
}

fn link(select: Option<&str>) -> Value {
    json!({"type": "Link", "config": {"label": "Link", "select": select, "allowTargetBlank": true}})
}

fn repeatable(mut link: Value) -> Value {
    link["config"]["repeat"] = true.into();
    link
}

fn select(options: &[&str]) -> Value {
    json!({"type": "Select", "config": {"label": "Select", "options": options}})
}

fn group(fields: &[(&str, Value)]) -> Value {
    json!({"type": "Group", "config": {"label": "Group", "repeat": true, "fields": group_of(fields)}})
}

fn group_of(fields: &[(&str, Value)]) -> Value {
    Value::Object(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect())
}

fn slice_zone() -> Value {
    let shared = |id: &str| (id.to_owned(), json!({"type": "SharedSlice"}));
    let mut choices: Map<String, Value> =
        ["text_block", "hero", "gallery", "quote", "people"].map(shared).into_iter().collect();
    choices.insert(
        "video_embed".to_owned(),
        json!({"type": "Slice", "fieldset": "Video", "non-repeat": {"video": field("Embed")}, "repeat": {}}),
    );
    choices.insert("notice".to_owned(), rich());
    json!({"type": "Slices", "fieldset": "Slices", "config": {"choices": choices}})
}
