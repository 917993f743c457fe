//! Templates: JSON in which `{{what}}` stands for a value.
//!
//! A template is parsed as JSON first, and values are put into its texts afterwards. So the result
//! is JSON for every value there can be, and no value can add a key or end a text: nothing has to
//! be escaped by hand.

use std::fmt;

use serde_json::Value;

use super::error::closest;

/// JSON with places for values.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Value);

/// Text that is no [`Template`]. Names no part of the text but placeholders: people put tokens
/// into templates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// It is not JSON.
    #[error("is not JSON (line {line}, column {column} of the template)")]
    NotJson {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
    },
    /// A `{{` that nothing ends.
    #[error("has a \"{{{{\" without \"}}}}\" in the same text")]
    Open,
    /// A value that does not exist.
    #[error("has the unknown placeholder {{{{{name}}}}}{meant} (known: {known})")]
    Unknown {
        /// What was written, shortened.
        name: String,
        /// What was probably meant, as the end of a sentence.
        meant: String,
        /// All that exist.
        known: String,
    },
    /// A placeholder where a key stands.
    #[error("has a placeholder in a key; only texts are filled in")]
    InKey,
    /// No placeholder at all.
    #[error("has no placeholder, so every message would be the same; write {{{{title}}}} where it is to be")]
    Constant,
}

impl Template {
    /// Reads a template that may use the placeholders `known`.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or a placeholder is wrong.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, InvalidTemplate> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| InvalidTemplate::NotJson { line: error.line(), column: error.column() })?;
        match check(&value, known)? {
            0 => Err(InvalidTemplate::Constant),
            _ => Ok(Self(value)),
        }
    }

    /// Returns the JSON with every `{{name}}` replaced by what `value` returns for the name.
    pub fn render(&self, value: impl Fn(&str) -> String) -> Value {
        filled(&self.0, &value)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(…)")
    }
}

/// A part of a text: as it is, or the name of a value.
enum Part<'a> {
    Plain(&'a str),
    Value(&'a str),
}

/// Cuts a text at its placeholders; `None` when one is not ended.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}")?;
        parts.push(Part::Plain(before));
        parts.push(Part::Value(name.trim()));
        rest = behind;
    }
    parts.push(Part::Plain(rest));
    Some(parts)
}

/// Counts the placeholders, all of which must be known.
fn check(value: &Value, known: &[&str]) -> Result<usize, InvalidTemplate> {
    match value {
        Value::String(text) => {
            let mut count = 0;
            for part in parts(text).ok_or(InvalidTemplate::Open)? {
                if let Part::Value(name) = part {
                    check_name(name, known)?;
                    count += 1;
                }
            }
            Ok(count)
        }
        Value::Array(items) => items.iter().map(|item| check(item, known)).sum(),
        Value::Object(entries) => {
            if entries.keys().any(|key| key.contains("{{")) {
                return Err(InvalidTemplate::InKey);
            }
            entries.values().map(|item| check(item, known)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(0),
    }
}

fn check_name(name: &str, known: &[&str]) -> Result<(), InvalidTemplate> {
    if known.contains(&name) {
        return Ok(());
    }
    let meant = closest(name, known.iter().copied());
    Err(InvalidTemplate::Unknown {
        name: name.chars().take(40).collect(),
        meant: meant.map(|word| format!(", did you mean {{{{{word}}}}}?")).unwrap_or_default(),
        known: known.join(", "),
    })
}

fn filled(template: &Value, value: &impl Fn(&str) -> String) -> Value {
    match template {
        Value::String(text) => {
            let parts = parts(text).expect("checked when it was read");
            Value::String(
                parts
                    .into_iter()
                    .map(|part| match part {
                        Part::Plain(text) => text.to_owned(),
                        Part::Value(name) => value(name),
                    })
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, value)).collect()),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, item)| (key.clone(), filled(item, value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["title", "what", "since"];

    fn parse(text: &str) -> Result<Template, InvalidTemplate> {
        Template::parse(text, KNOWN)
    }

    #[test]
    fn values_are_put_into_texts_and_nothing_else_changes() {
        let template =
            parse(r#"{"b":[1,true,null,"{{title}}: {{ what }}"],"a":{"x":"since {{since}}"}}"#).unwrap();
        let filled = template.render(|name| format!("<{name}>"));
        assert_eq!(filled.to_string(), r#"{"b":[1,true,null,"<title>: <what>"],"a":{"x":"since <since>"}}"#);
    }

    #[test]
    fn a_template_that_could_not_work_is_refused_when_it_is_read() {
        for (text, expected) in [
            ("{\"a\":\n  nonsense}", "is not JSON (line 2, column 4 of the template)"),
            (r#"{"a":"{{title"}"#, "has a \"{{\" without \"}}\" in the same text"),
            (
                r#"{"a":"{{titel}}"}"#,
                "has the unknown placeholder {{titel}}, did you mean {{title}}? (known: title, what, since)",
            ),
            (r#"{"{{title}}":"a"}"#, "has a placeholder in a key; only texts are filled in"),
            (
                r#"{"a":"{title}"}"#,
                "has no placeholder, so every message would be the same; write {{title}} where it is to be",
            ),
            ("", "is not JSON (line 1, column 0 of the template)"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_does_not_quote_the_template() {
        let error = parse(r#"{"token": "hunter2", oops}"#).unwrap_err();
        let template = parse(r#"{"token":"hunter2","a":"{{what}}"}"#).unwrap();
        assert!(!format!("{error} {error:?} {template:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn the_result_is_json_with_the_same_keys_for_any_value(value in any::<String>()) {
            let template = parse(r#"{"text":"a {{what}} b","deep":[{"t":"{{title}}"}]}"#).unwrap();
            let text = template.render(|_| value.clone()).to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read["text"], &Value::String(format!("a {value} b")));
            prop_assert_eq!(&read["deep"][0]["t"], &Value::String(value));
            prop_assert_eq!(read.as_object().unwrap().len(), 2);
        }
    }
}
