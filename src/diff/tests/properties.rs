//! What holds for all documents.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::{diff_by, document_link, image, paragraph, slice};

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]{1,2}|ß|😀", 0..5).prop_map(|words| words.join(" "))
}

fn any_field() -> impl Strategy<Value = Value> {
    let id = || "[AB]";
    let block = (any_text(), "paragraph|heading1", 0_u64..4, 0_u64..6, proptest::option::of(id())).prop_map(
        |(text, kind, start, end, link)| {
            let span = match link {
                Some(id) => {
                    json!({ "type": "hyperlink", "start": start, "end": end, "data": document_link(&id) })
                }
                None => json!({ "type": "em", "start": start, "end": end }),
            };
            json!({ "type": kind, "text": text, "spans": [span] })
        },
    );
    let leaf = prop_oneof![
        any_text().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!({ "link_type": "Any" })),
        id().prop_map(|id| document_link(&id)),
        (id(), "[012]").prop_map(|(id, crop)| image(&id, &crop)),
        "[ab]".prop_map(|url| json!({ "embed_url": url, "title": "t" })),
        "[ab]".prop_map(|url| json!({ "link_type": "Web", "url": url })),
        proptest::collection::vec(block, 0..4).prop_map(Value::from),
        proptest::collection::vec(id().prop_map(|id| document_link(&id)), 0..4).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let row = proptest::collection::btree_map("[abc]", inner, 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()));
        let slice = (row.clone(), "[xy]", proptest::option::of("[1-4]")).prop_map(|(primary, kind, id)| {
            let mut slice = json!({ "slice_type": kind, "primary": primary });
            if let Some(id) = id {
                slice["id"] = json!(id);
            }
            slice
        });
        prop_oneof![
            proptest::collection::vec(row, 0..4).prop_map(Value::from),
            proptest::collection::vec(slice, 0..5).prop_map(Value::from),
        ]
    })
}

fn any_document() -> impl Strategy<Value = Value> {
    let fields = proptest::collection::btree_map("[a-e]", any_field(), 0..5);
    (fields, proptest::option::of("[uv]"), proptest::collection::vec("[st]", 0..2)).prop_map(
        |(fields, uid, tags)| {
            let data = Value::Object(fields.into_iter().collect());
            json!({ "id": "A", "uid": uid, "type": "page", "lang": "en", "tags": tags, "data": data })
        },
    )
}

/// Changes in an order and form that does not depend on the direction.
fn sorted(changes: Vec<Change>) -> Vec<String> {
    // Trail and kind are those of the newer side.
    let one = |change: Change| {
        let change = Change { trail: Vec::new(), kind: FieldKind::Object, ..change };
        serde_json::to_string(&change).unwrap()
    };
    let mut changes: Vec<String> = changes.into_iter().map(one).collect();
    changes.sort_unstable();
    changes
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(document in any_document()) {
        prop_assert!(diff_by(&document, &document, &Models::default(), &SameIds).is_empty());
    }

    #[test]
    fn whatever_differs_is_told(old in any_document(), new in any_document()) {
        let found = diff_by(&old, &new, &Models::default(), &SameIds);
        prop_assert!(old == new || !found.is_empty() || is_reordered(&old, &new), "{} {}", old, new);
    }

    #[test]
    fn the_way_back_is_the_mirror(old in any_document(), new in any_document()) {
        let there = diff_by(&old, &new, &Models::default(), &SameIds);
        let back = diff_by(&new, &old, &Models::default(), &SameIds);
        let mirrored = |changes: Vec<Change>| sorted(changes.into_iter().map(Change::mirrored).collect());
        prop_assert_eq!(sorted(there.changes), mirrored(back.changes));
        prop_assert_eq!(sorted(there.metadata), mirrored(back.metadata));
    }

    #[test]
    fn one_edit_is_one_change(
        texts in proptest::collection::vec("[a-z]{3,8}( [a-z]{3,8}){2,4}", 1..6),
        at in any::<prop::sample::Index>(),
        edit in 0..5_usize,
    ) {
        let slices = |texts: &[String]| -> Vec<Value> {
            texts.iter().enumerate().map(|(n, text)| slice(&n.to_string(), "hero", &format!("{n} {text}"))).collect()
        };
        let document = |slices: Vec<Value>| json!({ "id": "A", "data": { "title": [paragraph("t")], "body": slices } });
        let old = slices(&texts);
        let mut new = old.clone();
        let at = at.index(texts.len());
        let (path, what) = match edit {
            0 => {
                new[at]["primary"]["text"] = json!("edited");
                (format!("/data/body/{at}/primary/text"), ChangeKind::Changed)
            }
            1 => {
                new.insert(at, slice("new", "quote", "n"));
                (format!("/data/body/{at}"), ChangeKind::Added)
            }
            2 if texts.len() > 1 => {
                new.remove(at);
                (format!("/data/body/{at}"), ChangeKind::Removed)
            }
            3 => {
                new[at]["variation"] = json!("other");
                (format!("/data/body/{at}/variation"), ChangeKind::VariationChanged)
            }
            _ if texts.len() > 2 && at > 1 => {
                let moved = new.remove(at);
                new.insert(0, moved);
                ("/data/body/0".to_owned(), ChangeKind::Moved)
            }
            _ => {
                new[at]["primary"]["image"] = image("A", "1");
                (format!("/data/body/{at}/primary/image"), ChangeKind::Added)
            }
        };
        let found = diff_by(&document(old), &document(new), &Models::default(), &SameIds);
        let told: Vec<(&str, ChangeKind)> = found.changes.iter().map(|change| (change.path(), change.what)).collect();
        prop_assert_eq!(told, [(path.as_str(), what)]);
    }
}

/// Whether two documents differ in nothing but the order of marks, which means nothing.
fn is_reordered(old: &Value, new: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut text: Vec<u8> = value.to_string().into_bytes();
        text.sort_unstable();
        text
    };
    sorted(old) == sorted(new)
}
