//! Values of one piece: what each field may hold, and what is repaired.

use serde_json::{Map, Number, Value, json};
use url::Url;

use super::finding::FindingKind;
use super::walk::Walk;
use crate::contentapi::{format_millis, is_timestamp, parse_millis};
use crate::diff::is_blank;

/// Reads a number, also one that is written as text.
pub(super) fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str::<Number>(text.trim())
            .ok()
            .filter(|number| number.as_f64().is_some_and(f64::is_finite)),
        _ => None,
    }
}

/// Reads a whole number that is not negative, also `3.0` and `"3"`.
pub(super) fn whole_of(value: &Value) -> Option<u64> {
    let number = number_of(value)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    let of_float =
        |float: f64| (float.fract() == 0.0 && (0.0..=9e15).contains(&float)).then(|| float.round() as u64);
    number.as_u64().or_else(|| of_float(number.as_f64()?))
}

/// Whether a value is an object whose members all are blank: emptiness in another form.
fn is_written_out_blank(value: &Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty() && members.values().all(is_blank))
}

impl Walk<'_> {
    fn repaired(&mut self, value: impl Into<Value>) -> Option<Value> {
        self.find(FindingKind::Repaired);
        Some(value.into())
    }

    pub(super) fn boolean(&mut self, value: &Value) -> Option<Value> {
        match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) if text == "true" || text == "false" => self.repaired(text == "true"),
            _ => self.unfit(value),
        }
    }

    pub(super) fn number(&mut self, value: &Value) -> Option<Value> {
        match (value, number_of(value)) {
            (Value::Number(_), _) => Some(value.clone()),
            (_, Some(number)) => self.repaired(number),
            _ => self.unfit(value),
        }
    }

    pub(super) fn text(&mut self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) if text.is_empty() => None,
            Value::String(_) => Some(value.clone()),
            Value::Number(_) | Value::Bool(_) => self.repaired(value.to_string()),
            _ => self.unfit(value),
        }
    }

    pub(super) fn select(&mut self, options: &[String], value: &Value) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return self.unfit(value),
        };
        match (options.contains(&text), value) {
            (true, Value::String(_)) => Some(text.into()),
            (true, _) => self.repaired(text),
            // What nobody chose.
            (false, Value::String(text)) if text.is_empty() => None,
            (false, _) => self.lost(FindingKind::SelectOption),
        }
    }

    pub(super) fn color(&mut self, value: &Value) -> Option<Value> {
        let digits = value.as_str().and_then(|text| text.strip_prefix('#'));
        let is_color = digits.is_some_and(|digits| {
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if is_color { Some(value.clone()) } else { self.unfit(value) }
    }

    pub(super) fn date(&mut self, value: &Value) -> Option<Value> {
        match value.as_str() {
            Some(text) if text.len() == 10 && parse_millis(text).is_some() => Some(value.clone()),
            _ => self.unfit(value),
        }
    }

    /// Times are kept in UTC, so one that is written otherwise comes back so; a date is its midnight.
    pub(super) fn timestamp(&mut self, value: &Value) -> Option<Value> {
        let Some((text, at)) = value.as_str().and_then(|text| Some((text, parse_millis(text)?))) else {
            return self.unfit(value);
        };
        let in_utc = format_millis(at);
        match is_timestamp(text) {
            true if in_utc == text => Some(value.clone()),
            true => self.repaired(text),
            false => self.repaired(in_utc),
        }
    }

    pub(super) fn geopoint(&mut self, value: &Value) -> Option<Value> {
        let side = |key: &str, most: f64| {
            number_of(value.get(key)?).filter(|side| side.as_f64().is_some_and(|side| side.abs() <= most))
        };
        match (side("latitude", 90.0), side("longitude", 180.0)) {
            (Some(latitude), Some(longitude)) => {
                if value["latitude"].is_string() || value["longitude"].is_string() {
                    self.find(FindingKind::Repaired);
                }
                Some(json!({"latitude": latitude, "longitude": longitude}))
            }
            _ if is_written_out_blank(value) => self.lost(FindingKind::Repaired),
            _ => self.unfit(value),
        }
    }

    /// An embed: Prismic asks its provider again, so only its address counts.
    pub(super) fn embed(&mut self, value: &Value) -> Option<Value> {
        let url = value.get("embed_url").and_then(Value::as_str);
        let is_web = |url: &&str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        match url.filter(is_web) {
            Some(url) => {
                self.find(FindingKind::Embed);
                Some(json!({"embed_url": url}))
            }
            None if is_written_out_blank(value) => self.lost(FindingKind::Repaired),
            None => self.unfit(value),
        }
    }

    pub(super) fn integration(&mut self, value: &Value) -> Option<Value> {
        match value.get("id") {
            Some(id @ Value::Number(_)) => self.item_of_catalog(id),
            Some(id @ Value::String(text)) if !text.is_empty() => self.item_of_catalog(id),
            _ if value.as_object().is_some_and(Map::is_empty) => None,
            _ => self.lost(FindingKind::IntegrationWithoutId),
        }
    }

    fn item_of_catalog(&mut self, id: &Value) -> Option<Value> {
        self.find(FindingKind::Integration);
        Some(json!({"id": id}))
    }
}
