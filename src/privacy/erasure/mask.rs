//! JSON without a person: the values in which they were found are masked, everything else stays to the byte.
//!
//! What is masked is searched again, and masked more widely where something is still found: first the words,
//! then the whole value, then what holds it. So nothing depends on this having understood a shape: either a
//! search finds nothing any more that was to go, or the caller is told that it does.
//!
//! A masked document still has the shape that Prismic takes: uids stay uids, addresses addresses, and the
//! formatting of a text stands where it stood.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;

use super::texts::{self, Moved};
use crate::prismic::replace::{Edit, Edits, holder, replaced, within};
use crate::privacy::channels::{self, Bounds, Item, Sink};
use crate::privacy::matching::{Finding, Hit, Matcher};
use crate::privacy::passage::{Channel, Passage, Unsearchable};
use crate::privacy::search::{PassageText, findings_in};
use crate::privacy::subject::IdentifierRef;

/// What stands in a text in the place of the person.
pub const ERASED: &str = "[erased]";
/// What stands in the place of an address: a name that nobody can register (RFC 2606).
pub const ERASED_URL: &str = "https://erased.invalid/";
/// How often what is left is masked more widely: words, value, and every level that holds it.
const ROUNDS: u8 = 12;

/// A finding of a review that is not to be masked: somebody else, or kept with a ground.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Where in the item.
    pub place: String,
    /// Kind of place.
    pub channel: Channel,
    /// Which identifier.
    pub identifier: IdentifierRef,
}

impl Kept {
    /// The finding as it is recognised in a masked item.
    pub fn of(finding: &Finding) -> Self {
        Self { place: finding.place.clone(), channel: finding.channel, identifier: finding.identifier }
    }
}

/// An item without the person.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Places that were masked, in order, each once.
    pub places: Vec<String>,
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masked").field("places", &self.places.len()).finish_non_exhaustive()
    }
}

/// Why an item cannot be masked: it is about the person as a whole, or the person is in what cannot be
/// changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be masked without the rest of it", if .place.is_empty() { "it" } else { .place.as_str() })]
pub struct Stuck {
    /// Where the person still is.
    pub place: String,
}

/// Masks items of one case.
pub struct Mask<'a> {
    /// Finds the person.
    pub matcher: &'a Matcher,
    /// What reading an item may cost.
    pub bounds: &'a Bounds,
    /// What stands for a uid or a slug: the same for the same one in every item, so that links still lead
    /// where they did. Lower-case letters, digits and dashes.
    pub pseudonym: &'a dyn Fn(&str) -> String,
}

impl Mask<'_> {
    /// Returns an item of JSON without what is found in it, but for what is `kept`.
    ///
    /// # Errors
    ///
    /// [`Stuck`] when the person is in what makes the item what it is, such as its id; or when it is no JSON.
    pub fn json(&self, path: &str, bytes: &[u8], kept: &HashSet<Kept>) -> Result<Masked, Stuck> {
        let mut now = bytes.to_vec();
        let mut places: Vec<String> = Vec::new();
        let mut tried: HashMap<String, u8> = HashMap::new();
        for _ in 0..ROUNDS {
            let read = Read::of(path, &now, self.bounds);
            let found = findings_in(self.matcher, &read.0);
            let left: Vec<&Finding> = found.iter().filter(|one| !kept.contains(&Kept::of(one))).collect();
            if left.is_empty() {
                places.sort_unstable();
                places.dedup();
                return Ok(Masked { bytes: now, places });
            }
            let value: Value = serde_json::from_slice(&now).map_err(|_| Stuck { place: String::new() })?;
            let mut edits = Edits::default();
            for (place, findings) in by_place(&left) {
                let width = tried.entry(place.to_owned()).or_default();
                self.edit(&value, &read, (place, &findings, *width), &mut edits)?;
                *width += 1;
                places.push(place.to_owned());
            }
            now = replaced(&now, &edits).map_err(|_| Stuck { place: String::new() })?;
        }
        Err(Stuck { place: places.pop().unwrap_or_default() })
    }

    /// Edits what was found at one place, more widely at each try.
    fn edit(
        &self,
        value: &Value,
        read: &Read,
        (place, findings, width): (&str, &[&Finding], u8),
        edits: &mut Edits,
    ) -> Result<(), Stuck> {
        let stuck = || Stuck { place: place.to_owned() };
        if findings.iter().any(|one| one.channel == Channel::DocumentId) {
            return Err(stuck());
        }
        if width < 2 {
            // What was found in one text goes together.
            let mut by_passage: BTreeMap<usize, Vec<&Finding>> = BTreeMap::new();
            findings.iter().for_each(|one| by_passage.entry(one.passage).or_default().push(one));
            for (passage, findings) in by_passage {
                let passage = read.0.get(passage).ok_or_else(stuck)?;
                let hits = findings.iter().flat_map(|one| &one.hits).map(Hit::range).collect();
                let is_whole = width > 0 || findings.iter().any(|one| one.more_hits > 0);
                One { mask: self, value, place, passage, hits, is_whole }.edit(edits);
            }
            return Ok(());
        }
        // Two tries for the value itself, then each level that holds it.
        let mut at = place;
        for _ in 2..width {
            at = holder(at).ok_or_else(stuck)?;
        }
        // The envelope of a document, and all of its content, are the document.
        if at.is_empty()
            || at == "/data"
            || (value.get("data").is_some() && !at.starts_with("/data/") && at.matches('/').count() < 2)
        {
            return Err(stuck());
        }
        edits.add(at, Edit::Put("null".to_owned()));
        Ok(())
    }
}

/// What an item says, kept.
pub(super) struct Read(pub(super) Vec<PassageText>);

impl Read {
    pub(super) fn of(path: &str, bytes: &[u8], bounds: &Bounds) -> Self {
        let mut read = Self(Vec::new());
        channels::read(Item { path, file_name: None, bytes }, bounds, &mut read);
        read
    }
}

impl Sink for Read {
    fn passage(&mut self, passage: Passage<'_>) {
        self.0.push(PassageText::of(passage));
    }

    fn unsearchable(&mut self, _: Unsearchable) {}
}

/// Findings by place, in their order.
fn by_place<'a>(findings: &[&'a Finding]) -> Vec<(&'a str, Vec<&'a Finding>)> {
    let mut places: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        match places.iter_mut().find(|(place, _)| *place == finding.place) {
            Some((_, own)) => own.push(finding),
            None => places.push((&finding.place, vec![finding])),
        }
    }
    places
}

/// What was found in one text, and where that stands.
struct One<'a> {
    mask: &'a Mask<'a>,
    value: &'a Value,
    place: &'a str,
    passage: &'a PassageText,
    /// Places in that text.
    hits: Vec<Range<usize>>,
    /// Whether the whole value goes, and not only the words.
    is_whole: bool,
}

impl One<'_> {
    fn edit(&self, edits: &mut Edits) {
        let Some(there) = self.value.pointer(self.place) else { return };
        match self.passage.channel {
            Channel::Joined => self.joined(there, edits),
            Channel::Relationship => self.relationship(edits),
            Channel::Uid | Channel::Slug => {
                if let Value::String(own) = there {
                    edits.add(self.place, text((self.mask.pseudonym)(own)));
                }
            }
            Channel::Tag | Channel::AssetTag => edits.add(self.place, text(ERASED.to_owned())),
            _ => match there {
                Value::String(own) if self.is_whole || self.passage.text != *own => self.whole(own, edits),
                Value::String(own) => self.words(own, edits),
                // A number, a place on earth; or the name of the member.
                _ if self.is_name() => edits.add(self.place, Edit::Remove),
                _ => edits.add(self.place, Edit::Put("null".to_owned())),
            },
        }
    }

    /// Whether it is the name of a member that names the person.
    fn is_name(&self) -> bool {
        let name = self.place.rsplit('/').next().unwrap_or_default();
        name.replace("~1", "/").replace("~0", "~") == self.passage.text
    }

    /// The whole of a text.
    fn whole(&self, own: &str, edits: &mut Edits) {
        if self.is_name() && self.passage.text != own {
            return edits.add(self.place, Edit::Remove);
        }
        let is_address = own.contains("://") || own.starts_with("mailto:") || own.starts_with("tel:");
        let put = match self.passage.channel {
            Channel::AssetFileName if !own.contains("://") => erased_file_name(own),
            Channel::AssetFileName if !self.is_whole => erased_file_address(own),
            _ if is_address => ERASED_URL.to_owned(),
            Channel::Date => return edits.add(self.place, Edit::Put("null".to_owned())),
            _ => ERASED.to_owned(),
        };
        self.put_text(own, put, &Moved::default(), edits);
    }

    /// The words in which the person was found.
    fn words(&self, own: &str, edits: &mut Edits) {
        match self.passage.channel {
            Channel::Link if is_file_address(own) => edits.add(self.place, text(erased_file_address(own))),
            // An address of which some words are others leads elsewhere.
            Channel::Link | Channel::Embed | Channel::Date | Channel::AssetFileName => self.whole(own, edits),
            _ => {
                let (masked, moved) = without(own, &self.hits);
                self.put_text(own, masked, &moved, edits);
            }
        }
    }

    /// Puts a text; in a block of rich text, its formatting where it stands now. Where it is read in two ways, the
    /// next round finds what this one leaves.
    fn put_text(&self, own: &str, put: String, moved: &Moved, edits: &mut Edits) {
        texts::put(self.value, self.place, own, put, moved, edits);
    }

    /// A link to what is the person's, a translation of it, its picture.
    fn relationship(&self, edits: &mut Edits) {
        let Some(object) = holder(self.place) else { return };
        let list = holder(object).unwrap_or_default();
        let there = self.value.pointer(object);
        if list == "/alternate_languages" || list == "/linked_documents" {
            edits.add(object, Edit::Remove);
        } else if there.is_some_and(|there| there.get("link_type").is_some()) {
            edits.add(object, Edit::Put("{\"link_type\":\"Any\"}".to_owned()));
        } else {
            // As Prismic writes an image that is not there.
            edits.add(object, Edit::Put("{}".to_owned()));
        }
    }

    /// Fields that are read as one text: the words of each that are in a hit.
    fn joined(&self, there: &Value, edits: &mut Edits) {
        let mut leaves = Vec::new();
        short_texts(there, self.place, 0, &mut leaves);
        // The block before this one, where the text is what stands over the edge.
        if let Some((list, index)) = self.place.rsplit_once('/')
            && let Some(before) = index.parse::<usize>().ok().and_then(|index| index.checked_sub(1))
        {
            let place = format!("{list}/{before}");
            if let Some(before) = self.value.pointer(&place) {
                short_texts(before, &place, 0, &mut leaves);
            }
        }
        let mut words: HashSet<&str> = HashSet::new();
        for hit in &self.hits {
            words.extend(self.passage.text.get(hit.clone()).unwrap_or_default().split_whitespace());
        }
        for (place, own) in leaves {
            let is_all = self.is_whole && own.split_whitespace().any(|word| words.contains(word));
            let ranges: Vec<Range<usize>> = match is_all {
                true => std::iter::once(0..own.len()).collect(),
                false => ranges_of(own, &words),
            };
            if !ranges.is_empty() {
                let (masked, moved) = without(own, &ranges);
                texts::put(self.value, &place, own, masked, &moved, edits);
            }
        }
    }
}

fn text(text: String) -> Edit {
    Edit::Put(Value::String(text).to_string())
}

/// Texts below a value, with their places: what may be read as one.
fn short_texts<'v>(value: &'v Value, place: &str, depth: u8, texts: &mut Vec<(String, &'v str)>) {
    match value {
        Value::String(text) => texts.push((place.to_owned(), text)),
        Value::Array(elements) if depth < 4 => {
            for (index, element) in elements.iter().enumerate() {
                short_texts(element, &within(place, &index.to_string()), depth + 1, texts);
            }
        }
        Value::Object(members) if depth < 4 => {
            for (key, member) in members.iter().filter(|(key, _)| !matches!(key.as_str(), "type" | "spans")) {
                short_texts(member, &within(place, key), depth + 1, texts);
            }
        }
        _ => {}
    }
}

/// Where words stand in a text, as words.
fn ranges_of(text: &str, words: &HashSet<&str>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    for word in text.split_whitespace() {
        let start = at + text[at..].find(word).unwrap_or(0);
        at = start + word.len();
        if words.contains(word) {
            ranges.push(start..at);
        }
    }
    ranges
}

/// Returns a text with these parts masked.
fn without(own: &str, ranges: &[Range<usize>]) -> (String, Moved) {
    let is_there = |range: &&Range<usize>| own.get((*range).clone()).is_some_and(|part| !part.is_empty());
    let mut ranges: Vec<Range<usize>> = ranges.iter().filter(is_there).cloned().collect();
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    // Those that touch or overlap are one.
    ranges.dedup_by(|next, range| {
        let is_one = next.start <= range.end;
        if is_one {
            range.end = range.end.max(next.end);
        }
        is_one
    });
    texts::with_parts(own, ranges.into_iter().map(|range| (range, ERASED)))
}

/// A file name without what it says, with its ending.
fn erased_file_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((_, ending)) if ending.len() <= 5 && ending.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("erased.{ending}")
        }
        _ => "erased".to_owned(),
    }
}

fn is_file_address(address: &str) -> bool {
    let host = address.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    host.ends_with(".prismic.io") || host == "prismic-io.s3.amazonaws.com" || host == "prismic-io.imgix.net"
}

/// An address of a file of Prismic without the name of the file: behind the id that it begins with.
fn erased_file_address(address: &str) -> String {
    let (path, query) = match address.find(['?', '#']) {
        Some(at) => address.split_at(at),
        None => (address, ""),
    };
    let Some((before, name)) = path.rsplit_once('/') else { return ERASED_URL.to_owned() };
    let id_ends = |length: usize| (name.as_bytes().get(length) == Some(&b'_')).then_some(length);
    match id_ends(16).or_else(|| id_ends(36)).filter(|at| name.is_char_boundary(*at)) {
        Some(at) => format!("{before}/{}_{}{query}", &name[..at], erased_file_name(&name[at + 1..])),
        None => format!("{before}/{}{query}", erased_file_name(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::privacy::subject::{IdentifierKind, Subject};

    const PATH: &str = "documents/en-us/page/A.json";

    fn subject() -> Subject {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, "Perpetua Exampleton").unwrap();
        subject.add(IdentifierKind::Email, "perpetua@example.org").unwrap();
        subject.add_phone("+49 30 7654321", None).unwrap();
        subject.add(IdentifierKind::AuthorDocument, "XAuthor0AAAAAAAA").unwrap();
        subject
    }

    fn masked_at(path: &str, document: &Value, kept: &HashSet<Kept>) -> Result<(Value, Vec<String>), Stuck> {
        let (matcher, bounds) = (Matcher::new(&subject(), &[]), Bounds::default());
        let mask = Mask { matcher: &matcher, bounds: &bounds, pseudonym: &|_| "erased-7".to_owned() };
        let masked = mask.json(path, document.to_string().as_bytes(), kept)?;
        Ok((serde_json::from_slice(&masked.bytes).unwrap(), masked.places))
    }

    fn masked(data: Value) -> Value {
        let document = json!({"id": "A", "uid": null, "type": "page", "data": data});
        masked_at(PATH, &document, &HashSet::new()).unwrap().0["data"].take()
    }

    #[test]
    fn words_go_and_the_sentence_stays() {
        let rich = |text: &str, spans: Value| json!([{"type": "paragraph", "text": text, "spans": spans}]);
        let before = rich(
            "😀 By Perpetua Exampleton, who writes to perpetua@example.org.",
            json!([
                {"start": 0, "end": 5, "type": "em"},
                {"start": 6, "end": 14, "type": "strong"},
                {"start": 15, "end": 30, "type": "em"},
                {"start": 27, "end": 30, "type": "strong"},
            ]),
        );
        let after = masked(json!({"text": before}));
        assert_eq!(after["text"][0]["text"], "😀 By [erased], who writes to [erased].");
        assert_eq!(
            after["text"][0]["spans"],
            json!([
                {"start": 0, "end": 5, "type": "em"},
                {"start": 6, "end": 14, "type": "strong"},
                {"start": 6, "end": 19, "type": "em"},
                {"start": 16, "end": 19, "type": "strong"},
            ])
        );
    }

    #[test]
    fn every_kind_of_field_keeps_its_shape() {
        let after = masked(json!({
            "mail": {"link_type": "Web", "url": "mailto:perpetua@example.org"},
            "author": {"id": "XAuthor0AAAAAAAA", "type": "author", "uid": "perpetua-exampleton", "link_type": "Document"},
            "phone": 49_307_654_321_u64,
            "first": "Perpetua", "last": "Exampleton", "city": "Berlin",
            "portrait": {"url": "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_Perpetua-Exampleton.jpg?auto=format", "alt": "Perpetua Exampleton smiling", "copyright": null, "dimensions": {"width": 1, "height": 1}},
            "video": {"embed_url": "https://youtu.be/x", "author_name": "Perpetua Exampleton", "type": "video"},
            "other": "Max Beispiel",
        }));
        assert_eq!(after["mail"], json!({"link_type": "Web", "url": ERASED_URL}));
        assert_eq!(after["author"], json!({"link_type": "Any"}));
        assert_eq!(after["phone"], Value::Null);
        assert_eq!((&after["first"], &after["last"]), (&json!(ERASED), &json!(ERASED)));
        assert_eq!(
            after["portrait"]["url"],
            "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_erased.jpg?auto=format"
        );
        assert_eq!(after["portrait"]["alt"], "[erased] smiling");
        assert_eq!(after["video"]["author_name"], ERASED);
        assert_eq!((&after["other"], &after["city"]), (&json!("Max Beispiel"), &json!("Berlin")));
    }

    #[test]
    fn a_document_under_the_name_of_the_person_gets_another_and_its_id_stays() {
        let document = json!({
            "id": "A", "uid": "perpetua-exampleton", "slugs": ["perpetua-exampleton"], "tags": ["perpetua exampleton", "news"],
            "alternate_languages": [{"id": "B", "uid": "perpetua-exampleton-de"}, {"id": "XAuthor0AAAAAAAA"}],
            "data": {},
        });
        let (after, places) = masked_at(PATH, &document, &HashSet::new()).unwrap();
        assert_eq!((&after["id"], &after["uid"]), (&json!("A"), &json!("erased-7")));
        assert_eq!(after["slugs"], json!(["erased-7"]));
        assert_eq!(after["tags"], json!([ERASED, "news"]));
        assert_eq!(after["alternate_languages"], json!([{"id": "B", "uid": "erased-7"}]));
        assert!(places.contains(&"/uid".to_owned()));
        let own = json!({"id": "XAuthor0AAAAAAAA", "data": {}});
        assert_eq!(masked_at(PATH, &own, &HashSet::new()), Err(Stuck { place: "/id".to_owned() }));
    }

    #[test]
    fn names_over_fields_cells_and_blocks_go() {
        let after = masked(json!({
            "text": [
                {"type": "paragraph", "text": "This was written by Perpetua", "spans": []},
                {"type": "paragraph", "text": "Exampleton in spring, and Perpetua is a rose", "spans": []},
            ],
            "html": "<b>Perpetua</b> Exampleton",
            "program": {"Perpetua Exampleton": 1, "n": {"deep": ["Perpetua Exampleton"]}},
        }));
        assert_eq!(after["text"][0]["text"], "This was written by [erased]");
        assert!(after["text"][1]["text"].as_str().unwrap().starts_with("[erased] in spring"));
        assert_eq!(after["html"], "<b>[erased]</b> [erased]");
        assert_eq!(after["program"], json!({"n": {"deep": [ERASED]}}));
    }

    #[test]
    fn what_a_reviewer_kept_stays() {
        let document = json!({"id": "A", "data": {"a": "Perpetua Exampleton", "b": "Perpetua Exampleton"}});
        let matcher = Matcher::new(&subject(), &[]);
        let read = Read::of(PATH, document.to_string().as_bytes(), &Bounds::default());
        let found = findings_in(&matcher, &read.0);
        let kept = found.iter().filter(|one| one.place == "/data/a").map(Kept::of).collect();
        let (after, places) = masked_at(PATH, &document, &kept).unwrap();
        assert_eq!(after["data"]["a"], "Perpetua Exampleton");
        assert_eq!(after["data"]["b"], ERASED);
        assert_eq!(places, ["/data/b"]);
    }

    #[test]
    fn metadata_of_a_file_keeps_what_it_needs() {
        let asset = json!({"id": "ZoQE4h5LeNNTwtnO", "filename": "Perpetua Exampleton.JPG", "size": 12, "notes": "by Perpetua Exampleton",
            "url": "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_PerpetuaExampleton.JPG?auto=format", "tags": [{"id": "t", "name": "Perpetua Exampleton"}]});
        let (after, _) = masked_at("assets/ZoQE4h5LeNNTwtnO/metadata.json", &asset, &HashSet::new()).unwrap();
        assert_eq!(after["filename"], "erased.JPG");
        assert_eq!(after["notes"], "by [erased]");
        assert_eq!(after["url"], "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_erased.JPG?auto=format");
        assert_eq!((&after["size"], &after["tags"][0]["name"]), (&json!(12), &json!(ERASED)));
    }
}
