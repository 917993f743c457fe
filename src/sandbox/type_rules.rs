//! What the Types API takes for a model.
//!
//! Rules are those of Prismic's published schemas (`@prismicio/types-internal`), read strictly:
//! where a rule came with a version of the schema, only models that name it are held to it.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::prismic::model::{ChoiceKind, CustomType, Field, FieldKind, Model, SharedSlice};

/// Deepest nesting of a model; those of editors have about fifteen levels.
const DEPTH_MAX: usize = 48;

/// Longest id of a type or slice.
const ID_CHARS_MAX: usize = 255;

/// The schema from which on the key of the UID is fixed and fields are unique over all tabs.
const SCHEMA_OF_UNIQUE_FIELDS: [u32; 3] = [4, 5, 0];

type Checked = Result<(), String>;

/// Checks a model of a custom type.
pub(super) fn check_custom_type(value: &Value) -> Result<CustomType, String> {
    let Model::CustomType(model) = read(value)? else { return Err("json is missing".to_owned()) };
    for (key, allowed) in
        [("repeatable", Value::is_boolean as fn(&Value) -> bool), ("status", Value::is_boolean)]
    {
        if value.get(key).is_some_and(|given| !allowed(given)) {
            return Err(format!("{key} must be true or false"));
        }
    }
    if value.get("format").is_some_and(|format| format != "page" && format != "custom") {
        return Err("format must be page or custom".to_owned());
    }
    let tabs = value.get("json").and_then(Value::as_object);
    for (name, tab) in tabs.into_iter().flatten() {
        if !tab.is_object() {
            return Err(format!("the tab {name:?} must be an object of fields"));
        }
    }
    for (_, fields) in &model.tabs {
        check_fields(fields, Place::Document)?;
    }
    let uids: Vec<&Field> = model.fields().filter(|field| field.kind == FieldKind::Uid).collect();
    if uids.len() > 1 {
        return Err("a custom type has at most one UID".to_owned());
    }
    if model.schema.as_deref().is_some_and(is_strict) {
        if let Some(field) = uids.iter().find(|field| field.name != "uid") {
            return Err(format!("the key of the UID must be uid, not {:?}", field.name));
        }
        let mut known = HashSet::new();
        if let Some(twice) = model.fields().find(|field| !known.insert(field.name.as_str())) {
            return Err(format!("the field {:?} is in two tabs", twice.name));
        }
    }
    Ok(model)
}

/// Checks a model of a shared slice.
pub(super) fn check_slice(value: &Value) -> Result<SharedSlice, String> {
    let Model::SharedSlice(model) = read(value)? else {
        return Err("a shared slice has variations, and no json".to_owned());
    };
    if value["type"] != "SharedSlice" {
        return Err("type must be SharedSlice".to_owned());
    }
    text(value.as_object(), "name")?;
    let variations = value["variations"].as_array().map_or(&[][..], Vec::as_slice);
    if variations.is_empty() {
        return Err("a shared slice has at least one variation".to_owned());
    }
    for variation in variations {
        for key in ["id", "name", "docURL", "version", "description"] {
            text(variation.as_object(), key).map_err(|error| format!("variation: {error}"))?;
        }
        for key in ["primary", "items"] {
            if variation.get(key).is_some_and(|fields| !fields.is_object()) {
                return Err(format!("variation: {key} must be an object of fields"));
            }
        }
    }
    let mut known = HashSet::new();
    for variation in &model.variations {
        if !known.insert(variation.id.as_str()) {
            return Err(format!("two variations are called {:?}", variation.id));
        }
        check_fields(&variation.primary, Place::Slice)?;
        check_fields(&variation.items, Place::Items)?;
    }
    Ok(model)
}

fn read(value: &Value) -> Result<Model, String> {
    if depth(value) > DEPTH_MAX {
        return Err(format!("the model is nested deeper than {DEPTH_MAX} levels"));
    }
    let model = Model::parse(value).map_err(|error| error.to_string())?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | '?' | '#' | '%');
    if model.id().chars().count() > ID_CHARS_MAX || !model.id().chars().all(is_plain) {
        return Err("the id has characters that no id has".to_owned());
    }
    Ok(model)
}

fn text(members: Option<&Map<String, Value>>, key: &str) -> Checked {
    match members.and_then(|members| members.get(key)) {
        Some(Value::String(_)) => Ok(()),
        _ => Err(format!("{key} must be a text")),
    }
}

/// Where fields are: it decides which kinds there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    /// `primary` of a shared slice.
    Slice,
    /// Where no group may be: items, composite slices, a group within a group.
    Items,
    /// A group, in which one more level may be.
    Group,
}

fn check_fields(fields: &[Field], place: Place) -> Checked {
    for field in fields {
        if field.name.is_empty() || field.name.contains(['<', '>']) {
            return Err(format!("{:?} cannot be the key of a field", field.name));
        }
        check_kind(&field.kind, place).map_err(|error| format!("field {:?}: {error}", field.name))?;
    }
    Ok(())
}

fn check_kind(kind: &FieldKind, place: Place) -> Checked {
    match kind {
        FieldKind::Unknown(kind) => Err(format!("there is no kind of field {kind:?}")),
        FieldKind::Uid if place != Place::Document => Err("a UID stands in a tab".to_owned()),
        FieldKind::Slices(choices) => {
            if place != Place::Document {
                return Err("a slice zone stands in a tab".to_owned());
            }
            for choice in choices {
                let checked = match &choice.kind {
                    ChoiceKind::Shared => Ok(()),
                    ChoiceKind::Composite { primary, items } => {
                        check_fields(primary, Place::Items).and_then(|()| check_fields(items, Place::Items))
                    }
                    ChoiceKind::Legacy(kind) => check_kind(kind, Place::Group),
                };
                checked.map_err(|error| format!("slice {:?}: {error}", choice.id))?;
            }
            Ok(())
        }
        FieldKind::Group(fields) => match place {
            Place::Document | Place::Slice => check_fields(fields, Place::Group),
            Place::Group => check_fields(fields, Place::Items),
            Place::Items => Err("a group cannot be here: groups nest two levels deep".to_owned()),
        },
        _ => Ok(()),
    }
}

fn is_strict(schema: &str) -> bool {
    let mut parts = schema.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version >= SCHEMA_OF_UNIQUE_FIELDS
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn type_of(tabs: Value) -> Value {
        json!({"id": "t", "label": "T", "json": tabs})
    }

    fn group(fields: Value) -> Value {
        json!({"type": "Group", "config": {"fields": fields}})
    }

    #[test]
    fn models_that_prismic_refuses_are_refused_with_the_reason() {
        let (text, uid) = (json!({"type": "Text"}), json!({"type": "UID"}));
        let strict = |tabs: Value| {
            let mut model = type_of(tabs);
            model["schema"] = "@prismicio/types-internal@4.5.0".into();
            model
        };
        let two_levels = group(json!({"g": group(json!({"t": text}))}));
        for model in [
            type_of(json!({})),
            type_of(json!({"Main": {"name": uid, "a": text}, "SEO": {"a": text}})),
            strict(json!({"Main": {"uid": uid, "a": text}, "SEO": {"b": text}})),
            type_of(json!({"Main": {"g": two_levels}})),
        ] {
            assert_eq!(check_custom_type(&model).map(|model| model.id), Ok("t".to_owned()), "{model}");
        }
        for (model, part) in [
            (json!(3), "not an object"),
            (type_of(json!({"Main": {"a": {"type": "Hologram"}}})), "no kind of field"),
            (type_of(json!({"Main": {"a<b": text}})), "cannot be the key"),
            (type_of(json!({"Main": {"u": uid, "v": uid}})), "at most one UID"),
            (type_of(json!({"Main": {"g": group(json!({"u": uid}))}})), "a UID stands in a tab"),
            (type_of(json!({"Main": {"g": group(json!({"h": two_levels}))}})), "two levels deep"),
            (type_of(json!({"Main": []})), "must be an object of fields"),
            (strict(json!({"Main": {"name": uid}})), "must be uid"),
            (strict(json!({"Main": {"a": text}, "SEO": {"a": text}})), "in two tabs"),
            (json!({"id": "t", "json": {}, "status": "yes"}), "true or false"),
            (json!({"id": "a/b", "json": {}}), "characters that no id has"),
            (type_of((0..60).fold(json!({}), |inner, _| json!([inner]))), "deeper than"),
        ] {
            let error = check_custom_type(&model).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn slices_need_variations_with_all_their_texts() {
        let variation = |id: &str, primary: Value, items: Value| {
            json!({"id": id, "name": id, "docURL": "", "version": "initial", "description": "",
                "primary": primary, "items": items})
        };
        let slice = |variations: Value| json!({"id": "s", "type": "SharedSlice", "name": "S", "variations": variations});
        let nested = json!({"g": group(json!({"h": group(json!({}))}))});
        assert!(check_slice(&slice(json!([variation("default", nested.clone(), json!({}))]))).is_ok());
        for (model, part) in [
            (slice(json!([])), "at least one variation"),
            (slice(json!([{"id": "default"}])), "must be a text"),
            (
                slice(json!([variation("a", json!({}), json!({})), variation("a", json!({}), json!({}))])),
                "two variations",
            ),
            (slice(json!([variation("a", json!({}), nested)])), "two levels deep"),
            (slice(json!([variation("a", json!({"s": {"type": "Slices"}}), json!({}))])), "stands in a tab"),
            (type_of(json!({})), "has variations"),
        ] {
            let error = check_slice(&model).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}
