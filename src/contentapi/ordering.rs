//! The `orderings` parameter: `[my.product.price desc,document.first_publication_date]`.
//!
//! Freely chosen where Prismic documents nothing: without orderings the newest publication comes
//! first; documents without the value come last in either direction; what is still equal is
//! ordered by id, so that paging never repeats or skips.

use std::cmp::Ordering;

use serde_json::Value;

use super::dates::parse_millis;
use super::document::Document;
use super::head::Head;
use super::lexer::Lexer;
use super::query::{ParsingError, Path};

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// What is compared.
    pub path: Path,
    /// Greatest first.
    pub descending: bool,
}

/// Reads the parameter; empty and `[]` are no order.
pub fn parse_orderings(text: &str, known_type: impl Fn(&str) -> bool) -> Result<Vec<OrderBy>, ParsingError> {
    let mut lexer = Lexer::new(text, 0, "orderings");
    let mut keys = Vec::new();
    if text.trim().is_empty() {
        return Ok(keys);
    }
    let bracketed = lexer.eat("[");
    if bracketed && lexer.eat("]") {
        return lexer.end().map(|()| keys);
    }
    loop {
        let at = lexer.place();
        let word = lexer.word().ok_or_else(|| lexer.unexpected("a field"))?;
        let path = Path::parse(&word)
            .filter(|path| !matches!(path, Path::Document | Path::Tags))
            .filter(|path| path.type_id().is_none_or(&known_type))
            .ok_or_else(|| lexer.error(at, &format!("unexpected field '{word}'")))?;
        let descending = lexer.eat("desc");
        keys.push(OrderBy { path, descending });
        if lexer.eat(",") {
            continue;
        }
        if bracketed {
            lexer.expect(']')?;
        }
        return lexer.end().map(|()| keys);
    }
}

/// The value of a document under one key.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum SortValue {
    Number(f64),
    Text(String),
}

impl OrderBy {
    /// Whether it takes more than a head to know the value.
    pub(super) fn needs_data(&self) -> bool {
        matches!(self.path, Path::Field { .. })
    }

    /// The value of a document; `document` is asked for only where [`needs_data`](Self::needs_data).
    pub(super) fn value(&self, head: &Head, document: Option<&Document>) -> Option<SortValue> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit into 53 bits for 285,000 years")]
        let date = |at: Option<i64>| at.map(|at| SortValue::Number(at as f64));
        match &self.path {
            Path::FirstPublication => date(head.first_publication()),
            Path::LastPublication => date(head.last_publication()),
            Path::Id => Some(SortValue::Text(head.id().to_string())),
            Path::Type => Some(SortValue::Text(head.type_id().to_string())),
            Path::Lang => Some(SortValue::Text(head.lang().to_string())),
            Path::Uid { type_id } if **type_id == *head.type_id() => {
                head.uid().map(|uid| SortValue::Text(uid.to_string()))
            }
            Path::Field { type_id, names } if **type_id == *head.type_id() => {
                let mut value = document?.field(&names[0])?;
                for name in &names[1..] {
                    let first =
                        if let Value::Array(items) = &mut value { items.first_mut()?.take() } else { value };
                    value = first.get(name)?.clone();
                }
                sort_value(&value)
            }
            _ => None,
        }
    }
}

fn sort_value(value: &Value) -> Option<SortValue> {
    match value {
        Value::Number(number) => number.as_f64().map(SortValue::Number),
        Value::Bool(value) => Some(SortValue::Number(f64::from(u8::from(*value)))),
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit into 53 bits for 285,000 years")]
        Value::String(text) => Some(
            parse_millis(text)
                .map_or_else(|| SortValue::Text(text.clone()), |at| SortValue::Number(at as f64)),
        ),
        // Rich text and titles: the text of the first block.
        Value::Array(blocks) => Some(SortValue::Text(blocks.first()?.get("text")?.as_str()?.to_owned())),
        _ => None,
    }
}

/// Compares two documents by their values under `keys`, then by id.
pub(super) fn compare(
    keys: &[OrderBy],
    a: (&[Option<SortValue>], &Head),
    b: (&[Option<SortValue>], &Head),
) -> Ordering {
    keys.iter()
        .zip(a.0.iter().zip(b.0))
        .map(|(key, values)| match values {
            (Some(a), Some(b)) => {
                let order = a.partial_cmp(b).unwrap_or(Ordering::Equal);
                if key.descending { order.reverse() } else { order }
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.1.id().cmp(b.1.id()))
}
