//! Texts of which parts are replaced, and the formatting over them.

use std::ops::Range;

use serde_json::Value;

use crate::prismic::replace::{Edit, Edits, holder, within};

/// Where each UTF-16 offset of a text is after parts of it were replaced, as the beginning and as the end of
/// formatting: it is counted in those, and never begins or ends within what was put.
#[derive(Debug, Default)]
pub(super) struct Moved(Vec<(u64, u64)>);

impl Moved {
    fn start(&self, at: u64) -> u64 {
        self.at(at).0
    }

    fn end(&self, at: u64) -> u64 {
        self.at(at).1
    }

    fn at(&self, at: u64) -> (u64, u64) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.0.get(at).or(self.0.last()).copied().unwrap_or_default()
    }
}

/// Returns a text with others in the place of these parts, which are in order and do not overlap.
pub(super) fn with_parts<'p>(
    own: &str,
    parts: impl IntoIterator<Item = (Range<usize>, &'p str)>,
) -> (String, Moved) {
    let units = |text: &str| text.encode_utf16().count() as u64;
    let (mut out, mut moved, mut length) = (String::with_capacity(own.len()), Moved::default(), 0);
    let mut at = 0;
    for (range, put) in parts.into_iter().chain(std::iter::once((own.len()..own.len(), ""))) {
        let shown = &own[at..range.start];
        moved.0.extend((0..units(shown)).map(|unit| (length + unit, length + unit)));
        out.push_str(shown);
        length += units(shown);
        if !range.is_empty() {
            let (from, to) = (length, length + units(put));
            let hidden = units(&own[range.clone()]);
            moved.0.extend((0..hidden).map(|unit| (from, if unit == 0 { from } else { to })));
            out.push_str(put);
            length = to;
        }
        at = range.end;
    }
    moved.0.push((length, length));
    (out, moved)
}

/// Puts a text at a place where `own` stands; in a block of rich text, its formatting where it stands now. A
/// place that is edited already stays as it is.
pub(super) fn put(value: &Value, place: &str, own: &str, put: String, moved: &Moved, edits: &mut Edits) {
    if edits.covers(place) {
        return;
    }
    let length = put.encode_utf16().count() as u64;
    edits.add(place, Edit::Put(Value::String(put).to_string()));
    let Some(block) = holder(place).filter(|_| place.ends_with("/text")) else { return };
    let all = within(block, "spans");
    let spans = value.pointer(&all).and_then(Value::as_array);
    let Some(spans) = spans.filter(|_| !own.is_empty()) else { return };
    for (index, span) in spans.iter().enumerate() {
        let at = |name: &str| span.get(name).and_then(Value::as_u64);
        let (Some(start), Some(end)) = (at("start"), at("end")) else { continue };
        let place = within(&all, &index.to_string());
        let now = (moved.start(start).min(length), moved.end(end).min(length));
        if now.0 >= now.1 {
            edits.add(&place, Edit::Remove);
            continue;
        }
        for (name, before, now) in [("start", start, now.0), ("end", end, now.1)] {
            if before != now {
                edits.add(&within(&place, name), Edit::Put(now.to_string()));
            }
        }
    }
}
