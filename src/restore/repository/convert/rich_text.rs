//! Rich text, and tables of it.

use serde_json::{Map, Value, json};

use super::finding::FindingKind;
use super::links::SentLink;
use super::scalars::whole_of;
use super::walk::Walk;
use crate::diff::is_blank;
use crate::prismic::model::{ImageModel, RichTextModel, TEXT_BLOCKS};

impl Walk<'_> {
    pub(super) fn rich_text_field(&mut self, model: &RichTextModel, value: &Value) -> Option<Value> {
        match value {
            Value::Array(blocks) if blocks.is_empty() => None,
            Value::Array(blocks) => Some(self.rich_text(blocks)),
            // The field was a text once.
            Value::String(text) if !text.is_empty() => {
                let heading = model.allowed.iter().find(|name| name.starts_with("heading"));
                let kind = heading.filter(|_| model.is_title()).map_or("paragraph", String::as_str);
                self.find(FindingKind::Repaired);
                Some(json!([{"type": kind, "text": text, "spans": []}]))
            }
            _ => self.unfit(value),
        }
    }

    fn rich_text(&mut self, blocks: &[Value]) -> Value {
        self.list(blocks, Self::block).into()
    }

    fn block(&mut self, value: &Value) -> Option<Value> {
        let Value::Object(block) = value else { return self.lost(FindingKind::WrongKind) };
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "image" => self.image_block(value, block),
            "embed" => {
                let embed = block.get("oembed").unwrap_or(&Value::Null);
                match self.within("oembed", |walk| walk.embed(embed)) {
                    Some(embed) => Some(json!({"type": "embed", "oembed": embed})),
                    None => self.lost(FindingKind::WrongKind),
                }
            }
            kind if TEXT_BLOCKS.contains(&kind) => self.text_block(kind, block),
            _ => self.lost(FindingKind::WrongKind),
        }
    }

    fn image_block(&mut self, value: &Value, block: &Map<String, Value>) -> Option<Value> {
        let found = self.gathered.findings.len();
        let Some(mut sent) = self.image(&ImageModel::default(), value) else {
            // One without picture is a block that is gone all the same.
            return if self.gathered.findings.len() == found {
                self.lost(FindingKind::WrongKind)
            } else {
                None
            };
        };
        sent["type"] = "image".into();
        if let Some(link) = block.get("linkTo").filter(|link| !is_blank(link))
            && let SentLink::Filled(link) = self.within("linkTo", |walk| walk.link(link))
        {
            sent["linkTo"] = link.into();
        }
        if let Some(label) = block.get("label").filter(|label| label.is_string()) {
            sent["label"] = label.clone();
        }
        Some(sent)
    }

    fn text_block(&mut self, kind: &str, block: &Map<String, Value>) -> Option<Value> {
        let text = match block.get("text") {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => {
                self.find(FindingKind::Repaired);
                String::new()
            }
            Some(other @ (Value::Number(_) | Value::Bool(_))) => {
                self.find(FindingKind::Repaired);
                other.to_string()
            }
            Some(_) => return self.lost(FindingKind::WrongKind),
        };
        let length = text.encode_utf16().count() as u64;
        let spans = match block.get("spans") {
            Some(Value::Array(spans)) => {
                self.within("spans", |walk| walk.list(spans, |walk, span| walk.span(span, length)))
            }
            other => {
                let other = other.unwrap_or(&Value::Null);
                self.within("spans", |walk| walk.misfit(other)).unwrap_or_default()
            }
        };
        let mut sent = json!({"type": kind, "text": text, "spans": spans});
        for key in ["direction", "label"] {
            match block.get(key) {
                Some(value @ Value::String(_)) => sent[key] = value.clone(),
                None => {}
                Some(other) => {
                    self.within(key, |walk| walk.misfit::<()>(other));
                }
            }
        }
        Some(sent)
    }

    fn span(&mut self, span: &Value, length: u64) -> Option<Value> {
        let place = |key: &str| span.get(key).and_then(whole_of);
        let (start, end) = match (place("start"), place("end")) {
            (Some(start), Some(end)) if start < end && end <= length => (start, end),
            _ => return self.lost(FindingKind::Span),
        };
        let kind = span.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut sent = json!({"type": kind, "start": start, "end": end});
        match kind {
            "strong" | "em" | "list-item" => {}
            "label" => match span.get("data").and_then(|data| data.get("label")) {
                Some(label @ Value::String(_)) => sent["data"] = json!({"label": label}),
                _ => return self.lost(FindingKind::Span),
            },
            "hyperlink" => {
                let data = span.get("data").unwrap_or(&Value::Null);
                match self.within("data", |walk| walk.link(data)) {
                    SentLink::Filled(link) => sent["data"] = link.into(),
                    // A text that links nowhere is plain text.
                    SentLink::Empty(_) | SentLink::None => return self.lost(FindingKind::Span),
                    SentLink::Pending => return None,
                }
            }
            _ => return self.lost(FindingKind::Span),
        }
        if ["start", "end"].iter().any(|key| !span[*key].is_u64()) {
            self.find(FindingKind::Repaired);
        }
        Some(sent)
    }

    pub(super) fn table(&mut self, value: &Value) -> Option<Value> {
        let Value::Object(table) = value else { return self.unfit(value) };
        if table.values().all(is_blank) {
            return if table.is_empty() { None } else { self.lost(FindingKind::Repaired) };
        }
        if !["head", "body"].iter().any(|part| table.get(*part).is_some_and(Value::is_object)) {
            return self.lost(FindingKind::WrongKind);
        }
        let mut sent = json!({});
        for part in ["head", "body"] {
            let rows = match table.get(part) {
                None | Some(Value::Null) if part == "head" => continue,
                None | Some(Value::Null) => Vec::new(),
                Some(value) => self.within(part, |walk| walk.table_rows(value)),
            };
            sent[part] = json!({"rows": rows});
        }
        Some(sent)
    }

    fn table_rows(&mut self, part: &Value) -> Vec<Value> {
        let Some(Value::Array(rows)) = part.get("rows") else {
            return self.misfit(part).unwrap_or_default();
        };
        self.within("rows", |walk| {
            walk.list(rows, |walk, row| {
                let Some(Value::Array(cells)) = row.get("cells") else {
                    return walk.lost(FindingKind::WrongKind);
                };
                let cells = walk.within("cells", |walk| walk.list(cells, Self::cell));
                Some(keyed(row, json!({"cells": cells})))
            })
        })
    }

    fn cell(&mut self, cell: &Value) -> Option<Value> {
        if !cell.is_object() {
            return self.lost(FindingKind::WrongKind);
        }
        let content = match cell.get("content") {
            Some(Value::Array(blocks)) => self.within("content", |walk| walk.rich_text(blocks)),
            None => json!([]),
            Some(other) => self.within("content", |walk| walk.misfit(other)).unwrap_or_else(|| json!([])),
        };
        let kind = match cell.get("type").and_then(Value::as_str) {
            Some(kind @ ("header" | "data")) => kind,
            _ => {
                self.within("type", |walk| walk.find(FindingKind::Repaired));
                "data"
            }
        };
        Some(keyed(cell, json!({"type": kind, "content": content})))
    }
}

/// Keeps the key that a row or cell is known by.
fn keyed(old: &Value, mut sent: Value) -> Value {
    if let Some(key) = old.get("key").filter(|key| key.is_string()) {
        sent["key"] = key.clone();
    }
    sent
}
