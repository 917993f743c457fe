//! Puts other values into JSON, and leaves every other byte as it is.
//!
//! Like [`cut`](super::cut), for values at any depth: what nobody asked to change is copied, not printed
//! again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cut::{Members, NotAnObject, elements};
use super::walk::Pointer;

/// What becomes of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// This JSON text stands there.
    Put(String),
    /// The member, or the element, is gone.
    Remove,
}

/// Edits by place; of two where one is within the other, the outer counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    edit: Option<Edit>,
    below: BTreeMap<String, Edits>,
}

impl Edits {
    /// Adds an edit at a place, as [`Pointer`] spells it; one that was there before is replaced.
    pub fn add(&mut self, place: &str, edit: Edit) {
        let mut at = self;
        for segment in place.split('/').skip(1) {
            at = at.below.entry(unescaped(segment)).or_default();
        }
        at.edit = Some(edit);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.edit.is_none() && self.below.is_empty()
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        usize::from(self.edit.is_some()) + self.below.values().map(Self::len).sum::<usize>()
    }

    /// Whether something is edited at or around a place.
    pub fn covers(&self, place: &str) -> bool {
        let mut at = self;
        for segment in place.split('/').skip(1) {
            if at.edit.is_some() {
                return true;
            }
            match at.below.get(&unescaped(segment)) {
                Some(next) => at = next,
                None => return false,
            }
        }
        at.edit.is_some()
    }
}

/// Returns JSON text with these edits; a place that is not in it changes nothing.
///
/// # Errors
///
/// When `json` is not JSON where an edit leads. Values that no edit leads into are copied unread.
pub fn replaced(json: &[u8], edits: &Edits) -> Result<Vec<u8>, NotAnObject> {
    let mut out = Vec::with_capacity(json.len());
    write(json, edits, &mut out)?;
    Ok(out)
}

fn write(json: &[u8], edits: &Edits, out: &mut Vec<u8>) -> Result<(), NotAnObject> {
    if let Some(edit) = &edits.edit {
        // There is nothing that all of it could be removed from.
        out.extend_from_slice(match edit {
            Edit::Put(text) => text.as_bytes(),
            Edit::Remove => b"null",
        });
        return Ok(());
    }
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    let parts: Vec<(Range<usize>, Range<usize>, Option<&Edits>)> = match first {
        Some(b'{') if !edits.below.is_empty() => Members::find(json)?
            .places()
            .map(|(all, key, value)| {
                let name: Option<String> = serde_json::from_slice(&json[key]).ok();
                (all, value, name.and_then(|name| edits.below.get(&name)))
            })
            .collect(),
        Some(b'[') if !edits.below.is_empty() => elements(json)?
            .into_iter()
            .enumerate()
            .map(|(index, range)| (range.clone(), range, edits.below.get(&index.to_string())))
            .collect(),
        _ => {
            out.extend_from_slice(json);
            return Ok(());
        }
    };
    let mut end = None;
    let mut is_first = true;
    out.extend_from_slice(&json[..parts.first().map_or(0, |(all, ..)| all.start)]);
    for (all, value, edits) in &parts {
        let before = end.replace(all.end);
        if edits.is_some_and(|edits| edits.edit == Some(Edit::Remove)) {
            continue;
        }
        if let (Some(before), false) = (before, is_first) {
            out.extend_from_slice(&json[before..all.start]);
        }
        is_first = false;
        out.extend_from_slice(&json[all.start..value.start]);
        match edits {
            Some(edits) => write(&json[value.clone()], edits, out)?,
            None => out.extend_from_slice(&json[value.clone()]),
        }
    }
    out.extend_from_slice(&json[end.unwrap_or(0)..]);
    Ok(())
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// The place of the value that holds another: a shorter pointer; `None` for the whole.
pub fn holder(place: &str) -> Option<&str> {
    place.rfind('/').map(|at| &place[..at])
}

/// Returns the place of a member or element of a value.
pub fn within(place: &str, segment: &str) -> String {
    let mut pointer = Pointer::default();
    pointer.push(segment);
    format!("{place}{}", pointer.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn edits(of: &[(&str, Edit)]) -> Edits {
        let mut edits = Edits::default();
        of.iter().for_each(|(place, edit)| edits.add(place, edit.clone()));
        edits
    }

    fn put(text: &str) -> Edit {
        Edit::Put(text.to_owned())
    }

    #[test]
    fn only_what_was_asked_for_changes() {
        let text = " { \"a\" : 10.0 ,\n \"b\\u0062\": [1, {\"x/y\": \"\\u00e9\"},3 ], \"c\": {} } ";
        let changed =
            |of: &[(&str, Edit)]| String::from_utf8(replaced(text.as_bytes(), &edits(of)).unwrap()).unwrap();
        assert_eq!(changed(&[]), text);
        assert_eq!(changed(&[("/nowhere/1", put("5")), ("/a/b", put("5")), ("/bb/9", Edit::Remove)]), text);
        assert_eq!(
            changed(&[("/bb/1/x~1y", put("\"e\"")), ("/c", put("null"))]),
            " { \"a\" : 10.0 ,\n \"b\\u0062\": [1, {\"x/y\": \"e\"},3 ], \"c\": null } "
        );
        assert_eq!(
            changed(&[("/bb/0", Edit::Remove), ("/a", Edit::Remove)]),
            " { \"b\\u0062\": [{\"x/y\": \"\\u00e9\"},3 ], \"c\": {} } "
        );
        assert_eq!(
            changed(&[("/bb/2", Edit::Remove), ("/c", Edit::Remove)]),
            " { \"a\" : 10.0 ,\n \"b\\u0062\": [1, {\"x/y\": \"\\u00e9\"} ] } "
        );
        assert_eq!(
            changed(&[("/bb", put("1")), ("/bb/1", put("2"))]),
            " { \"a\" : 10.0 ,\n \"b\\u0062\": 1, \"c\": {} } "
        );
        assert_eq!(changed(&[("", put("{}"))]), "{}");
        let all = [("/a", Edit::Remove), ("/bb", Edit::Remove), ("/c", Edit::Remove)];
        assert_eq!(changed(&all), " {  } ");
        let of = edits(&all);
        assert!(of.covers("/a/b/c") && of.covers("/a") && !of.covers("/d") && of.len() == 3);
    }

    #[test]
    fn what_is_no_json_is_refused_where_an_edit_leads() {
        let of = edits(&[("/a/b", put("1"))]);
        for wrong in ["{\"a\":{\"b\":}}", "{\"a\":[1,]}", "{\"a\"", "[1"] {
            assert!(replaced(wrong.as_bytes(), &of).is_err() || !wrong.starts_with('{'), "{wrong}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-c/~]{0,2}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn places(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    places(element, &within(at, &index.to_string()), all);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    places(member, &within(at, key), all);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_value_that_is_put_anywhere_is_there_and_nothing_else_is_another(
            value in value(), chosen in any::<proptest::sample::Index>(),
        ) {
            let mut all = Vec::new();
            places(&value, "", &mut all);
            let place = chosen.get(&all);
            let text = value.to_string();
            let edited = replaced(text.as_bytes(), &edits(&[(place, put("\"put\""))])).unwrap();
            let mut expected = value.clone();
            *expected.pointer_mut(place).unwrap() = json!("put");
            prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), expected);
        }
    }
}
