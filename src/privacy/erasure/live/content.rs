//! A live document as the Migration API takes it: what would be sent, and what that would lose.
//!
//! It is the conversion of a restore into a repository, with every id as it is. Two readings of a document that
//! an editor would call the same have the same digest: what Prismic copies (words of linked documents, addresses
//! of files) and derives (slugs, dates) is not part of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Number, Value};

use crate::ids::Digest;
use crate::prismic::parse_json;
use crate::prismic::write::DocumentContent;
use crate::privacy::erasure::plan::canonical;
use crate::restore::repository::convert::{
    Finding, FindingKind, NewAsset, NewId, NewIds, TargetModels, convert,
};

/// What a repository has that documents refer to.
#[derive(Debug, Default)]
pub(super) struct There {
    pub(super) models: TargetModels,
    /// Ids of published documents.
    pub(super) documents: HashSet<String>,
    /// Addresses of files by id.
    pub(super) assets: HashMap<String, String>,
}

impl NewIds for There {
    fn document(&self, old: &str) -> NewId<'_> {
        self.documents.get(old).map_or(NewId::Absent, |id| NewId::Known(id))
    }

    fn asset(&self, old: &str) -> Option<NewAsset<'_>> {
        self.assets.get_key_value(old).map(|(id, url)| NewAsset { id, url })
    }
}

/// Everything is there: to learn what a document refers to.
struct AllThere;

impl NewIds for AllThere {
    fn document(&self, _: &str) -> NewId<'_> {
        NewId::Known("AAAAAAAAAAAAAAAA")
    }

    fn asset(&self, _: &str) -> Option<NewAsset<'_>> {
        Some(NewAsset { id: "AAAAAAAAAAAAAAAA", url: "" })
    }
}

/// A document as it would be sent.
pub(super) struct Taken {
    /// What is sent.
    pub(super) content: DocumentContent,
    /// SHA-256 of UID, tags and fields.
    pub(super) digest: Digest,
    /// What is not as it was.
    pub(super) findings: Vec<Finding>,
}

/// Returns the ids of the documents and of the files that a document refers to; none where it cannot be
/// converted.
pub(super) fn refers_to(
    document: &Map<String, Value>,
    models: &TargetModels,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let converted = convert(document, models, &AllThere);
    converted.map(|converted| (converted.links, converted.assets)).unwrap_or_default()
}

/// Returns the object that a document is.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match parse_json(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Returns a document as it would be sent; `None` where the models take none of its type.
pub(super) fn taken(document: &Map<String, Value>, there: &There) -> Option<Taken> {
    let converted = convert(document, &there.models, there).ok()?;
    let (title, uid, tags) = (converted.title, converted.uid, converted.tags);
    let content = DocumentContent { title, uid, tags, data: converted.data };
    // The title in the editor is made of the fields, and no interface tells it.
    let written = serde_json::json!({"uid": content.uid, "tags": content.tags, "data": content.data});
    let digest = Digest::of(&canonical(&plain(written)));
    Some(Taken { content, digest, findings: converted.findings })
}

/// Without what Prismic adds by itself and what says nothing: 1.0 is 1, text runs from left to right, flags are
/// not set, keys of links are its own.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|own| own.fract() == 0.0 && own.abs() < 9e15);
            Value::Number(whole.map_or(number, |own| Number::from(own as i64)))
        }
        Value::Array(elements) => elements.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let is_link = members.contains_key("link_type");
            let is_said = |name: &str, value: &Value| match name {
                "direction" => value != "ltr",
                "key" => !is_link,
                _ => !matches!(value, Value::Null | Value::Bool(false)),
            };
            let said = members.into_iter().filter(|(name, value)| is_said(name, value));
            said.map(|(name, value)| (name, plain(value))).collect()
        }
        other => other,
    }
}

/// What would be lost of a document besides what was to go: the first that is found. `places` are those that
/// were changed.
pub(super) fn loss<'f>(findings: &'f [Finding], places: &[String]) -> Option<&'f Finding> {
    findings.iter().find(|finding| loses(finding) && !places.iter().any(|place| is_below(&finding.at, place)))
}

/// Whether something is not there any more, or is something else, after the document was written.
fn loses(finding: &Finding) -> bool {
    match finding.kind {
        // Nothing of what was there goes.
        FindingKind::Repaired => false,
        FindingKind::OldFileAddress
        | FindingKind::BrokenLink
        | FindingKind::AssetByAddress
        | FindingKind::Crop
        | FindingKind::Embed => finding.is_left_out,
        _ => true,
    }
}

/// Places of which Prismic does not promise that they stay to the pixel, or to the letter.
pub(super) fn may_differ(findings: &[Finding]) -> Vec<String> {
    let kinds = [FindingKind::Crop, FindingKind::Embed];
    let places: BTreeSet<&String> =
        findings.iter().filter(|finding| kinds.contains(&finding.kind)).map(|finding| &finding.at).collect();
    places.into_iter().cloned().collect()
}

/// The embed that a place is in.
pub(super) fn embed_of<'f>(findings: &'f [Finding], place: &str) -> Option<&'f str> {
    let is_it = |finding: &&Finding| finding.kind == FindingKind::Embed && is_below(place, &finding.at);
    findings.iter().find(is_it).map(|finding| &*finding.at)
}

/// Takes an embed out of a document: its page names the person, and an address that leads nowhere is refused.
pub(super) fn without_embed(document: &mut Map<String, Value>, at: &str) {
    let Some((member, rest)) = at.strip_prefix('/').map(|at| at.split_once('/').unwrap_or((at, ""))) else {
        return;
    };
    let Some(value) = document.get_mut(member) else { return };
    let place = if rest.is_empty() { String::new() } else { format!("/{rest}") };
    if let Some(embed) = value.pointer_mut(&place) {
        *embed = Value::Null;
    }
}

pub(super) fn is_below(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Of the places at which a document was changed, those that nothing that is sent says: copies that Prismic
/// makes. Each is put back as it was, and it is looked whether what is sent is another then.
pub(super) fn copies(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    places: &[String],
    there: &There,
) -> Vec<String> {
    let (before, after) = (Value::Object(before.clone()), Value::Object(after.clone()));
    let Some(sent) = after.as_object().and_then(|object| taken(object, there)) else { return Vec::new() };
    let is_copy = |place: &&String| {
        if !["/data", "/uid", "/tags"].iter().any(|own| is_below(place, own)) {
            return true;
        }
        let mut partly = after.clone();
        let (Some(old), Some(now)) = (before.pointer(place), partly.pointer_mut(place)) else { return false };
        // What was masked more widely than here is seen at the place that holds it.
        if old == now {
            return false;
        }
        *now = old.clone();
        let again = partly.as_object().and_then(|object| taken(object, there));
        again.is_some_and(|again| again.digest == sent.digest)
    };
    places.iter().filter(is_copy).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::prismic::model::Model;

    fn there() -> There {
        let model = json!({"id": "page", "label": "Page", "repeatable": true, "status": true, "json": {"Main": {
            "uid": {"type": "UID", "config": {}},
            "text": {"type": "Text", "config": {}},
            "count": {"type": "Number", "config": {}},
            "video": {"type": "Embed", "config": {}},
            "link": {"type": "Link", "config": {"select": "document"}},
        }}});
        There {
            models: TargetModels::new([Model::parse(&model).unwrap()]),
            documents: ["B".to_owned()].into(),
            assets: HashMap::new(),
        }
    }

    fn document(data: Value) -> Map<String, Value> {
        let document = json!({"id": "A", "uid": "a", "type": "page", "lang": "en-us", "tags": [],
            "slugs": ["perpetua"], "last_publication_date": "2024-01-01T00:00:00+0000", "data": data});
        document.as_object().cloned().unwrap()
    }

    fn link(slug: &str) -> Value {
        json!({"link_type": "Document", "id": "B", "type": "page", "lang": "en-us", "slug": slug, "tags": []})
    }

    #[test]
    fn what_prismic_copies_is_no_part_of_the_digest() {
        let there = there();
        let one = document(json!({"text": "x", "count": 1, "link": link("perpetua")}));
        let mut other = document(json!({"link": link("erased-1"), "count": 1.0, "text": "x"}));
        let text = |more: Value| {
            let mut block = json!({"type": "paragraph", "text": "x", "spans": [], "flag": true});
            more.as_object().unwrap().iter().for_each(|(name, value)| block[name] = value.clone());
            plain(json!([block]))
        };
        assert_eq!(text(json!({"direction": "ltr", "other": false, "none": null})), text(json!({})));
        for more in [json!({"direction": "rtl"}), json!({"flag": false}), json!({"key": "k"})] {
            assert_ne!(text(more), text(json!({})));
        }
        other["last_publication_date"] = json!("2026-01-01T00:00:00+0000");
        other["slugs"] = json!([]);
        assert_eq!(taken(&one, &there).unwrap().digest, taken(&other, &there).unwrap().digest);
        for data in [json!({"text": "y", "count": 1, "link": link("a")}), json!({"text": "x", "count": 1})] {
            assert_ne!(taken(&one, &there).unwrap().digest, taken(&document(data), &there).unwrap().digest);
        }
    }

    #[test]
    fn a_copy_is_told_from_what_is_sent() {
        let there = there();
        let before = document(json!({"text": "Perpetua", "link": link("perpetua")}));
        let mut after = document(json!({"text": "[erased]", "link": link("erased-1")}));
        after["slugs"] = json!(["erased-1"]);
        let places = ["/data/link/slug", "/data/text", "/slugs/0"].map(str::to_owned);
        assert_eq!(copies(&before, &after, &places, &there), ["/data/link/slug", "/slugs/0"]);
    }

    #[test]
    fn what_would_be_lost_is_found_but_for_what_was_to_go() {
        let there = there();
        let losing = |data: Value, places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
            loss(&taken(&document(data), &there).unwrap().findings, &places).map(|own| own.kind)
        };
        assert_eq!(losing(json!({"text": "x", "link": link("b")}), &[]), None);
        assert_eq!(losing(json!({"gone": "x"}), &[]), Some(FindingKind::FieldNotInModel));
        assert_eq!(losing(json!({"count": "many"}), &[]), Some(FindingKind::WrongKind));
        assert_eq!(losing(json!({"count": "[erased]"}), &["/data/count"]), None);
        let mut absent = link("c");
        absent["id"] = json!("C");
        assert_eq!(losing(json!({"link": absent}), &["/data/link/slug"]), Some(FindingKind::LinkToAbsent));
        let embed = json!({"video": {"embed_url": "https://video.example/1", "author_name": "Perpetua"}});
        let embed = taken(&document(embed), &there).unwrap().findings;
        assert!(
            loss(&embed, &[]).is_none() && embed_of(&embed, "/data/video/author_name") == Some("/data/video")
        );
        assert_eq!(may_differ(&embed), ["/data/video"]);
    }
}
