//! What `fulltext` and `similar` take for words.
//!
//! Prismic analyses text per language and does not publish how. Here a word is a run of letters
//! and digits in lower case, and words match when they are equal.

use serde_json::Value;

/// Returns the words of a text in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Hands every searchable text of a field to `found`: rich text, titles, texts, selects and UIDs,
/// within groups and slices too; not addresses, ids, names of slices, or what a link or an image
/// says of its target.
pub(super) fn each_text<'v>(value: &'v Value, found: &mut impl FnMut(&'v str)) {
    match value {
        Value::String(text) => found(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, found)),
        Value::Object(members) => {
            if ["link_type", "dimensions", "embed_url", "oembed"].iter().any(|key| members.contains_key(*key))
            {
                return;
            }
            let is_block = members.contains_key("spans");
            let is_slice = members.contains_key("slice_type");
            for (key, member) in members {
                let searched = if is_block {
                    key == "text"
                } else {
                    !(is_slice && !matches!(key.as_str(), "primary" | "items" | "value") || key == "key")
                };
                if searched {
                    each_text(member, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_found_in_rich_text_groups_and_slices_only() {
        let data = json!({
            "title": [{"type": "heading1", "text": "Title", "spans": [{"start": 0, "end": 1, "type": "hyperlink",
                "data": {"link_type": "Web", "url": "u1"}}]}],
            "group": [{"name": "Grouped"}],
            "body": [{"slice_type": "no", "id": "no", "variation": "no", "primary": {"text": "Primary"},
                "items": [{"pick": "Item"}]}],
            "image": {"dimensions": {}, "alt": "no", "url": "no"},
            "link": {"link_type": "Document", "slug": "no"},
            "number": 1,
        });
        let mut found = Vec::new();
        each_text(&data, &mut |text| found.push(text));
        assert_eq!(found, ["Title", "Grouped", "Primary", "Item"]);
        assert_eq!(words("L'Été, 2 ÜBER-all"), ["l", "été", "2", "über", "all"]);
    }
}
