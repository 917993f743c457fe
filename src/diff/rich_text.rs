//! Comparing rich text: blocks matched with blocks, words apart from marks and links.
//!
//! Offsets of marks count in UTF-16 code units. When words change, the marks behind them move without
//! anybody having touched them; so marks are compared by where they stand seen from the words that
//! stayed.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::align::Element;
use super::change::{ChangeKind, FieldKind, Step};
use super::fields::{Comparer, Segment};
use super::identity::Side;
use super::links::owned;
use super::shape::{Prints, hash, is_blank};

type Object = Map<String, Value>;

/// What kind of block it is: blocks of different kinds are never one.
fn class_of(block: &Value) -> u64 {
    match block.get("type").and_then(Value::as_str) {
        Some("image") => 1,
        Some("embed") => 2,
        _ => 0,
    }
}

fn kind_of(block: &Value) -> FieldKind {
    match class_of(block) {
        1 => FieldKind::Image,
        2 => FieldKind::Embed,
        _ => FieldKind::TextBlock,
    }
}

impl Comparer<'_> {
    /// Compares two rich texts.
    pub(super) fn rich_text(&mut self, old: &[Value], new: &[Value]) {
        let elements = |blocks: &[Value], prints: Prints<'_>| -> Vec<Element> {
            let element =
                |block: &Value| Element { print: prints.of(block), class: class_of(block), key: None };
            blocks.iter().map(element).collect()
        };
        let (olds, news) = (elements(old, self.prints(Side::Old)), elements(new, self.prints(Side::New)));
        let matching = self.matching((old, &olds), (new, &news));
        // A title is one block: its words are the field.
        let kind = if (old.len(), new.len()) == (1, 1) { FieldKind::RichText } else { FieldKind::TextBlock };
        for pair in &matching.pairs {
            let (older, newer) = (&old[pair.old], &new[pair.new]);
            let step = Step::Row { number: pair.new + 1 };
            self.within(&Segment::Place(pair.old), &Segment::Place(pair.new), Some(step), |here| {
                if pair.moved {
                    here.note_moved(kind_of(newer));
                }
                if let (Value::Object(older), Value::Object(newer)) = (older, newer) {
                    here.block(kind, older, newer);
                }
            });
        }
        self.came_and_went((old, &matching.removed), (new, &matching.added), &kind_of, &|_, number| {
            Step::Row { number }
        });
    }

    fn block(&mut self, kind: FieldKind, old: &Object, new: &Object) {
        match new.get("type").and_then(Value::as_str) {
            Some("image") => self.image(FieldKind::Image, old, new),
            Some("embed") => {
                let embeds = (old.get("oembed"), new.get("oembed"));
                match embeds {
                    (Some(Value::Object(older)), Some(Value::Object(newer))) => {
                        self.at("oembed", None, |here| here.embed(older, newer));
                    }
                    (older, newer) if older != newer => {
                        self.objects(FieldKind::Embed, ChangeKind::Changed, old, new);
                    }
                    _ => {}
                }
            }
            _ => return self.text_block(kind, old, new),
        }
        self.label(old, new);
    }

    fn label(&mut self, old: &Object, new: &Object) {
        let (old, new) = (old.get("label"), new.get("label"));
        if old != new && ![old, new].iter().flatten().any(|label| label.is_object()) {
            self.at("label", None, |here| {
                here.plain(FieldKind::TextBlock, ChangeKind::FormattingChanged, old, new);
            });
        }
    }

    fn text_block(&mut self, kind: FieldKind, old: &Object, new: &Object) {
        let text = |object: &Object| object.get("text").cloned().unwrap_or_default();
        let (old_text, new_text) = (text(old), text(new));
        if old_text != new_text {
            self.at("text", None, |here| {
                let (old, new) = (Cow::Borrowed(&old_text), Cow::Borrowed(&new_text));
                here.note(kind, ChangeKind::TextChanged, Some(old), Some(new));
            });
        }
        self.label(old, new);
        let edit = Edit::of(old_text.as_str().unwrap_or_default(), new_text.as_str().unwrap_or_default());
        let (marks_differ, links_differ) = self.spans(old, new, &edit);
        let member = |object: &Object, name: &str| object.get(name).cloned().unwrap_or_default();
        let is_written_elsewise = match (old.get("direction"), new.get("direction")) {
            (Some(old), Some(new)) => old != new,
            _ => false,
        };
        if marks_differ || is_written_elsewise || member(old, "type") != member(new, "type") {
            let shown = |object: &Object| {
                let mut shown = json!({ "type": member(object, "type"), "spans": member(object, "spans") });
                if let (true, Some(direction)) = (is_written_elsewise, object.get("direction")) {
                    shown["direction"] = direction.clone();
                }
                Cow::Owned(shown)
            };
            self.note(
                FieldKind::TextBlock,
                ChangeKind::FormattingChanged,
                Some(shown(old)),
                Some(shown(new)),
            );
        }
        if !marks_differ
            && !links_differ
            && is_blank(&member(old, "direction")) != is_blank(&member(new, "direction"))
        {
            let (old, new) = (old.get("direction"), new.get("direction"));
            self.at("direction", None, |here| here.metadata(FieldKind::TextBlock, old, new));
        }
        let handled = |name: &str| matches!(name, "type" | "text" | "spans" | "direction" | "label");
        self.rest_is_metadata(FieldKind::TextBlock, old, new, &handled);
    }

    /// Compares the spans of two blocks. Returns whether marks differ, and whether links do, which it
    /// notes itself.
    fn spans(&mut self, old: &Object, new: &Object, edit: &Edit) -> (bool, bool) {
        if self.is_equal(&old.get("spans"), &new.get("spans")) && edit.is_none() {
            return (false, false);
        }
        let (old_marks, old_links) = self.sorted_spans(old, Side::Old);
        let (new_marks, new_links) = self.sorted_spans(new, Side::New);
        let marks_differ = old_marks.len() != new_marks.len()
            || old_marks.iter().zip(&new_marks).any(|(old, new)| {
                (old.what, old.print) != (new.what, new.print) || !edit.is_same_place(old, new)
            });
        let mut links_differ = false;
        let (mut at, mut of) = (0, 0);
        while at < old_links.len() || of < new_links.len() {
            let (older, newer) = (old_links.get(at), new_links.get(of));
            let together = matches!((older, newer), (Some(old), Some(new)) if edit.is_same_place(old, new));
            // A link whose words changed is the same link; one that came or went leaves more on one side.
            let same_number = old_links.len() - at == new_links.len() - of;
            match (older, newer) {
                (Some(older), Some(newer)) if together || same_number => {
                    links_differ |= self.span_link(Some(older), Some(newer));
                    (at, of) = (at + 1, of + 1);
                }
                (Some(older), None) => {
                    links_differ |= self.span_link(Some(older), None);
                    at += 1;
                }
                (Some(older), Some(_)) if old_links.len() - at > new_links.len() - of => {
                    links_differ |= self.span_link(Some(older), None);
                    at += 1;
                }
                (_, newer) => {
                    links_differ |= self.span_link(None, newer);
                    of += 1;
                }
            }
        }
        (marks_differ, links_differ)
    }

    /// Compares the target of a link in text. Returns whether it was edited.
    fn span_link(&mut self, old: Option<&Span<'_>>, new: Option<&Span<'_>>) -> bool {
        let place = |span: Option<&Span<'_>>| span.map_or(0, |span| span.number);
        fn data<'v>(span: Option<&Span<'v>>) -> Option<&'v Value> {
            span.map(|span| span.data)
        }
        let (old_at, new_at) = (place(old), place(new));
        let mut differs = true;
        self.at("spans", None, |here| {
            here.within(&Segment::Place(old_at), &Segment::Place(new_at), None, |here| {
                here.at("data", None, |here| match (data(old), data(new)) {
                    (Some(Value::Object(older)), Some(Value::Object(newer))) => {
                        differs = !super::shape::is_same(
                            here.identity,
                            &Value::Object(older.clone()),
                            &Value::Object(newer.clone()),
                        );
                        here.link(older, newer);
                    }
                    (older, newer) => {
                        let object =
                            |value: &Value| value.as_object().map_or(Cow::Owned(value.clone()), owned);
                        here.note(
                            FieldKind::Link,
                            ChangeKind::LinkChanged,
                            older.map(object),
                            newer.map(object),
                        );
                    }
                });
            });
        });
        differs
    }

    fn sorted_spans<'v>(&self, block: &'v Object, side: Side) -> (Vec<Span<'v>>, Vec<Span<'v>>) {
        let prints = self.prints(side);
        let all = block.get("spans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let span = |(number, span): (usize, &'v Value)| {
            let place = |name: &str| span.get(name).and_then(Value::as_u64).unwrap_or_default();
            let what = span.get("type").and_then(Value::as_str).unwrap_or_default();
            let data = span.get("data").unwrap_or(&Value::Null);
            let print = if what == "hyperlink" { 0 } else { prints.of(data) };
            Span { what, print: hash(&print), start: place("start"), end: place("end"), data, number }
        };
        let mut spans: Vec<Span<'v>> = all.iter().enumerate().map(span).collect();
        spans.sort_by_key(|span| (span.what, span.print, span.start, span.end));
        spans.into_iter().partition(|span| span.what != "hyperlink")
    }
}

/// A mark or link over part of a text.
struct Span<'v> {
    what: &'v str,
    /// Of what it says besides, such as a label.
    print: u64,
    start: u64,
    end: u64,
    data: &'v Value,
    /// Its place in the array.
    number: usize,
}

/// Which part of a text changed, in UTF-16 code units.
struct Edit {
    before: u64,
    after: u64,
    old: u64,
    new: u64,
}

impl Edit {
    fn of(old: &str, new: &str) -> Self {
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        let (old, new) = (units(old), units(new));
        let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let room = old.len().min(new.len()) - before;
        let after =
            old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(old, new)| old == new).count();
        Self { before: before as u64, after: after as u64, old: old.len() as u64, new: new.len() as u64 }
    }

    fn is_none(&self) -> bool {
        (self.before, self.before) == (self.old, self.new)
    }

    fn is_same_place(&self, old: &Span<'_>, new: &Span<'_>) -> bool {
        self.is_same_point(old.start, new.start) && self.is_same_point(old.end, new.end)
    }

    /// Whether two points are the same seen from the words that stayed: counted from the beginning,
    /// from the end, or both at or within the words that changed.
    fn is_same_point(&self, old: u64, new: u64) -> bool {
        let from_end = |length: u64, at: u64| length.checked_sub(at).filter(|left| *left <= self.after);
        let within = |length: u64, at: u64| at >= self.before && at <= length.saturating_sub(self.after);
        (old == new && (old <= self.before || self.is_none()))
            || (from_end(self.old, old).is_some() && from_end(self.old, old) == from_end(self.new, new))
            || (!self.is_none() && within(self.old, old) && within(self.new, new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_seen_from_the_words_that_stayed() {
        let edit = Edit::of("Hello world", "Hello big world");
        assert!(edit.is_same_point(6, 10) && edit.is_same_point(11, 15) && edit.is_same_point(0, 0));
        assert!(edit.is_same_point(6, 6));
        assert!(!edit.is_same_point(3, 4) && !edit.is_same_point(8, 8));
        // An emoji is two units.
        let edit = Edit::of("a b", "\u{1f600}a b");
        assert!(edit.is_same_point(2, 4) && !edit.is_same_point(2, 3));
        let edit = Edit::of("same", "same");
        assert!(edit.is_same_point(2, 2) && !edit.is_same_point(2, 3) && edit.is_same_point(9, 9));
        assert!(!edit.is_same_point(1, 3));
    }
}
