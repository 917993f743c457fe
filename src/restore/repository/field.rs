//! One field of a document, put in the place of what another version of it has there.

use serde_json::{Map, Value};

/// Where a field stands in the `data` of a document: `title`, `body[0].primary.text`, or the JSON
/// pointer that `diff --fields` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    typed: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    Place(usize),
}

/// Why a field cannot be put into another version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is no path.
    #[error("{0:?} is no path of a field; type one as in title or body[0].primary.text")]
    NoPath(String),
    /// The snapshot's document has nothing there that leads on.
    #[error("the document of the snapshot has nothing at {0}")]
    NotThen(String),
    /// The live document has nothing there that leads on.
    #[error("the live document has nothing at {0}: restore the whole document, or the list around the field")]
    NotNow(String),
    /// Both have something, and not the same.
    #[error("at {0} the live document has another slice: restore the whole slice zone")]
    AnotherSlice(String),
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.typed)
    }
}

impl std::str::FromStr for FieldPath {
    type Err = FieldError;

    fn from_str(typed: &str) -> Result<Self, FieldError> {
        let no_path = || FieldError::NoPath(typed.to_owned());
        let segments = match typed.strip_prefix('/') {
            Some(pointer) => of_pointer(pointer),
            None => of_dots(typed).ok_or_else(no_path)?,
        };
        match segments.first() {
            Some(Segment::Name(_)) if !segments.contains(&Segment::Name(String::new())) => {
                Ok(Self { typed: typed.to_owned(), segments })
            }
            _ => Err(no_path()),
        }
    }
}

/// RFC 6901, from the document or from its `data`.
fn of_pointer(pointer: &str) -> Vec<Segment> {
    let pointer = pointer.strip_prefix("data/").unwrap_or(pointer);
    let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let segment = |part: &str| match part.parse() {
        Ok(place) => Segment::Place(place),
        Err(_) => Segment::Name(unescaped(part)),
    };
    pointer.split('/').map(segment).collect()
}

fn of_dots(typed: &str) -> Option<Vec<Segment>> {
    let typed = typed.strip_prefix("data.").unwrap_or(typed);
    let mut segments = Vec::new();
    for part in typed.split('.') {
        let (name, places) = part.split_at(part.find('[').unwrap_or(part.len()));
        segments.push(Segment::Name(name.to_owned()));
        let mut rest = places;
        while let Some(inner) = rest.strip_prefix('[') {
            let (place, after) = inner.split_once(']')?;
            segments.push(Segment::Place(place.parse().ok()?));
            rest = after;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(segments)
}

impl FieldPath {
    /// Whether a place in a document, as a JSON pointer, is in this field.
    pub(super) fn holds(&self, pointer: &str) -> bool {
        let place = of_pointer(pointer.trim_start_matches('/'));
        place.starts_with(&self.segments)
    }

    /// Returns the live document with this field as the document of the snapshot has it. A field that
    /// the snapshot's lacks is taken out.
    ///
    /// # Errors
    ///
    /// When one of the two has nothing where the field would stand, or another slice.
    pub fn put(
        &self,
        then: &Map<String, Value>,
        now: &Map<String, Value>,
    ) -> Result<Map<String, Value>, FieldError> {
        let mut merged = now.clone();
        let nothing = Value::Null;
        let mut from = then.get("data").unwrap_or(&nothing);
        let mut to = merged.get_mut("data").ok_or_else(|| FieldError::NotNow("data".to_owned()))?;
        let (last, way) = self.segments.split_last().expect("a path has a segment");
        let mut at = String::new();
        for segment in way {
            segment.write_to(&mut at);
            from = segment.of(from).ok_or_else(|| FieldError::NotThen(at.clone()))?;
            to = segment.of_mut(to).ok_or_else(|| FieldError::NotNow(at.clone()))?;
            if ["slice_type", "variation"].iter().any(|key| from.get(key) != to.get(key)) {
                return Err(FieldError::AnotherSlice(at));
            }
        }
        last.write_to(&mut at);
        let value = last.of(from).cloned();
        match (last, to, value) {
            (Segment::Name(name), Value::Object(members), Some(value)) => {
                members.insert(name.clone(), value);
            }
            (Segment::Name(name), Value::Object(members), None) => {
                if members.shift_remove(name).is_none() {
                    return Err(FieldError::NotThen(at));
                }
            }
            (Segment::Place(place), Value::Array(elements), Some(value)) => match elements.get_mut(*place) {
                Some(element) => *element = value,
                None => return Err(FieldError::NotNow(at)),
            },
            (_, _, None) => return Err(FieldError::NotThen(at)),
            _ => return Err(FieldError::NotNow(at)),
        }
        Ok(merged)
    }
}

impl Segment {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Name(name) => value.get(name),
            Self::Place(place) => value.get(place),
        }
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        match self {
            Self::Name(name) => value.get_mut(name),
            Self::Place(place) => value.get_mut(place),
        }
    }

    fn write_to(&self, text: &mut String) {
        match self {
            Self::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Self::Place(place) => text.push_str(&format!("[{place}]")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put(path: &str, then: Value, now: Value) -> Result<Value, FieldError> {
        let document = |data: Value| match json!({ "id": "A", "data": data }) {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        let merged = path.parse::<FieldPath>()?.put(&document(then), &document(now))?;
        Ok(merged["data"].clone())
    }

    #[test]
    fn a_field_is_put_and_nothing_else_changes() {
        let then = json!({ "title": "old", "text": "old text", "rows": [{ "a": 1 }, { "a": 2 }] });
        let now = json!({ "title": "new", "text": "new text", "rows": [{ "a": 3 }, { "a": 4 }], "more": 1 });
        let merged = put("title", then.clone(), now.clone()).unwrap();
        assert_eq!(
            merged,
            json!({ "title": "old", "text": "new text", "rows": [{ "a": 3 }, { "a": 4 }], "more": 1 })
        );
        for path in ["rows[1].a", "/data/rows/1/a", "/rows/1/a", "data.rows[1].a"] {
            assert_eq!(
                put(path, then.clone(), now.clone()).unwrap()["rows"],
                json!([{ "a": 3 }, { "a": 2 }]),
                "{path}"
            );
        }
        assert_eq!(put("rows[0]", then.clone(), now.clone()).unwrap()["rows"][0], json!({ "a": 1 }));
        assert_eq!(put("more", then, now).unwrap().get("more"), None, "it was not there");
    }

    #[test]
    fn a_field_of_another_slice_or_of_none_is_refused() {
        let zone = |kinds: &[&str]| {
            let slice = |kind: &&str| json!({ "slice_type": kind, "variation": "default", "primary": { "text": kind } });
            json!({ "body": kinds.iter().map(slice).collect::<Vec<_>>() })
        };
        let path = "body[1].primary.text";
        assert!(put(path, zone(&["a", "b"]), zone(&["c", "b"])).is_ok());
        let another = put(path, zone(&["a", "b"]), zone(&["b", "a"]));
        assert_eq!(another, Err(FieldError::AnotherSlice("body[1]".to_owned())));
        assert_eq!(
            put(path, zone(&["a"]), zone(&["a", "b"])),
            Err(FieldError::NotThen("body[1]".to_owned()))
        );
        assert_eq!(put(path, zone(&["a", "b"]), zone(&["a"])), Err(FieldError::NotNow("body[1]".to_owned())));
        assert_eq!(put("none", json!({}), json!({})), Err(FieldError::NotThen("none".to_owned())));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "/", ".", "a..b", "[0]", "a[", "a[x]", "a[0]b", "/data/"] {
            assert!(path.parse::<FieldPath>().is_err(), "{path:?}");
        }
        let path: FieldPath = "/data/a~1b/~0c".parse().unwrap();
        assert_eq!(path.segments, [Segment::Name("a/b".to_owned()), Segment::Name("~c".to_owned())]);
    }
}
