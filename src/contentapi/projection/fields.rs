//! `fetch` and `fetchLinks`: lists of `type.field`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::query::ParsingError;
use super::{Linked, Object, each_link, target_of};

/// Fields by custom type.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, BTreeSet<String>>);

impl Fields {
    /// Reads `type.field,type.field`, which may stand in brackets; `None` for an empty list.
    pub(super) fn parse(text: &str, location: &'static str) -> Result<Option<Self>, ParsingError> {
        let text = text.trim();
        let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let mut fields = BTreeMap::<String, BTreeSet<String>>::new();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let name = entry.strip_prefix("my.").unwrap_or(entry);
            match name.split_once('.') {
                Some((type_id, field)) if is_name(type_id) && is_name(field) => {
                    fields.entry(type_id.to_owned()).or_default().insert(field.to_owned());
                }
                _ => {
                    let message = format!("[{location}] '{entry}' is not of the form type.field");
                    return Err(ParsingError::parameter(location, message));
                }
            }
        }
        Ok((!fields.is_empty()).then_some(Self(fields)))
    }

    /// Leaves only the fields of the type in `data`.
    pub(super) fn keep(&self, type_id: &str, data: &mut Object) {
        let kept = self.0.get(type_id);
        data.retain(|name, _| kept.is_some_and(|kept| kept.contains(name)));
    }

    /// Puts the fields into the links to documents of their types.
    pub(super) fn embed(&self, data: &mut Value, linked: &mut Linked<'_>) {
        each_link(data, &mut |link| {
            let Some(id) = target_of(link) else { return };
            let type_id = link.get("type").and_then(Value::as_str).unwrap_or_default();
            let Some(wanted) = self.0.get(type_id) else { return };
            let Some(target) = linked.get(id) else { return };
            let Some(Value::Object(fields)) = target.get("data") else { return };
            let found: Map<String, Value> = wanted
                .iter()
                .filter_map(|name| Some((name.clone(), embeddable(fields.get(name)?)?)))
                .collect();
            linked.embedded(&found);
            match link.get_mut("data") {
                Some(Value::Object(data)) => data.extend(found),
                _ => {
                    link.insert("data".to_owned(), found.into());
                }
            }
        });
    }
}

/// Type ids and fields are what is between the dots; what a query could not mean is refused.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// What `fetchLinks` gives of a field: of rich text the first block; no embeds, places, groups or
/// slices, and no links but those to documents (fact sheet 2.7).
fn embeddable(value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => {
            let is_block = |item: &Value| item.get("type").is_some() && item.get("slice_type").is_none();
            match items.first() {
                None => Some(value.clone()),
                Some(first) if is_block(first) => Some(Value::Array(vec![first.clone()])),
                // Repeatable relationships are given like single ones.
                Some(_) if items.iter().all(is_relationship) => Some(value.clone()),
                Some(_) => None,
            }
        }
        Value::Object(members) => {
            let has = |key: &str| members.contains_key(key);
            let is_left_out =
                has("embed_url") || has("latitude") || (has("link_type") && !is_relationship(value));
            (!is_left_out).then(|| {
                let mut value = value.clone();
                // What the target embeds itself is of another query.
                if is_relationship(&value)
                    && let Value::Object(members) = &mut value
                {
                    members.remove("data");
                }
                value
            })
        }
        _ => Some(value.clone()),
    }
}

fn is_relationship(value: &Value) -> bool {
    matches!(value.get("link_type").and_then(Value::as_str), Some("Document" | "Any"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Known, object};
    use super::*;

    fn link(id: &str, type_id: &str) -> Value {
        json!({"link_type": "Document", "id": id, "type": type_id, "isBroken": false})
    }

    #[test]
    fn lists_are_read_with_and_without_brackets() {
        for text in ["a.b,c.d", "[a.b, c.d]", " my.a.b , c.d,", "c.d,a.b,a.b"] {
            let fields = Fields::parse(text, "fetch").expect(text).expect(text);
            assert!(fields.0["a"].contains("b") && fields.0["c"].contains("d"), "{text}");
        }
        assert!(Fields::parse("[]", "fetch").expect("empty").is_none());
        for text in ["a", "a.", ".b", "a.b.c", "a.b\"", "a.b c", "[a.b"] {
            let error = Fields::parse(text, "fetchLinks").expect_err(text);
            assert_eq!(error.location, "fetchLinks");
        }
    }

    #[test]
    fn links_everywhere_get_what_may_be_embedded() {
        let target = json!({"type": "author", "data": {
            "name": "Ann",
            "bio": [{"type": "paragraph", "text": "first", "spans": []}, {"type": "paragraph", "text": "second", "spans": []}],
            "home": {"link_type": "Web", "url": "https://a.example"},
            "place": {"latitude": 1.0, "longitude": 2.0},
            "film": {"embed_url": "https://e.example"},
            "books": [{"title": "x"}],
            "boss": {"link_type": "Document", "id": "b", "type": "author", "data": {"x": 1}},
            "none": null,
        }});
        let known = Known::from([("a".to_owned(), Some(object(target))), ("gone".to_owned(), None)]);
        let names = "author.name,author.bio,author.home,author.place,author.film,author.books,author.boss,author.none,author.absent";
        let fields = Fields::parse(names, "fetchLinks").expect("a list").expect("a list");
        let mut data = json!({
            "direct": link("a", "author"),
            "group": [{"link": link("a", "author")}],
            "text": [{"type": "paragraph", "text": "x", "spans": [{"type": "hyperlink", "data": link("a", "author")}]}],
            "other": link("p", "page"),
            "gone": link("gone", "author"),
            "broken": {"link_type": "Document", "id": "a", "type": "broken_type", "isBroken": true},
            "later": link("later", "author"),
        });
        let before = data.clone();
        let mut linked = Linked::new(&known, usize::MAX);
        fields.embed(&mut data, &mut linked);
        assert_eq!(linked.into_missing().into_iter().collect::<Vec<_>>(), ["later"]);
        let expected = json!({
            "name": "Ann",
            "bio": [{"type": "paragraph", "text": "first", "spans": []}],
            "boss": {"link_type": "Document", "id": "b", "type": "author"},
            "none": null,
        });
        for place in ["/direct/data", "/group/0/link/data", "/text/0/spans/0/data/data"] {
            assert_eq!(data.pointer(place), Some(&expected), "{place}");
        }
        for same in ["other", "gone", "broken", "later"] {
            assert_eq!(data[same], before[same], "{same}");
        }
    }

    #[test]
    fn only_the_fields_of_the_type_are_kept() {
        let fields = Fields::parse("page.title", "fetch").expect("a list").expect("a list");
        let mut data = object(json!({"title": 1, "body": 2}));
        fields.keep("page", &mut data);
        assert_eq!(Value::from(data.clone()), json!({"title": 1}));
        fields.keep("post", &mut data);
        assert_eq!(Value::from(data), json!({}));
    }
}
