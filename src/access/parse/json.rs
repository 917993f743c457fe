//! Members of a JSON file: a list of objects, or an object that holds one.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Column, Result, Row, locale, role, roles, row, text};
use crate::access::error::MistakenList;
use crate::access::member::{Assignment, plain_word};

/// Names under which a list of members is found in an object.
const LISTS: [&str; 5] = ["members", "users", "data", "results", "items"];

/// Reads the members.
pub(super) fn rows(whole: &str) -> Result<Vec<Row>> {
    let list = match whole.trim_start().starts_with('{') {
        false => whole,
        true => {
            let object: HashMap<String, &RawValue> = serde_json::from_str(whole).map_err(not_json)?;
            let found = LISTS.iter().find_map(|name| {
                object.iter().find(|(key, _)| plain_word(key) == *name).map(|(_, value)| value.get())
            });
            found.ok_or_else(|| MistakenList::file("it is an object without a list \"members\""))?
        }
    };
    let line_of = |part: &str| {
        let at = part.as_ptr() as usize - whole.as_ptr() as usize;
        whole.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1
    };
    let members: Vec<&RawValue> = match serde_json::from_str(list) {
        Ok(members) => members,
        Err(error) if error.is_data() => {
            return Err(MistakenList::line(line_of(list), "the members are no list"));
        }
        Err(error) => return Err(not_json(error)),
    };
    members.into_iter().map(|member| read_member(line_of(member.get()), member.get())).collect()
}

/// The error without its own words: they may repeat what stands in the file.
fn not_json(error: serde_json::Error) -> MistakenList {
    MistakenList::line(error.line() as u64, "it is no valid JSON here")
}

fn read_member(line: u64, member: &str) -> Result<Row> {
    let wrong = |why: String| MistakenList::line(line, why);
    let Ok(Value::Object(object)) = serde_json::from_str(member) else {
        return Err(wrong("a member is no object".to_owned()));
    };
    let mut fields: HashMap<Column, Value> = HashMap::new();
    for (key, value) in object {
        let Some(column) = Column::of(&key) else { continue };
        if value.is_null() {
            continue;
        }
        // `user: {email, name}` is no name, and what is in it is not looked for.
        if column == Column::Name && value.is_object() {
            continue;
        }
        if fields.insert(column, value).is_some() {
            return Err(wrong(format!("a member has two of \"{}\"", column.word())));
        }
    }
    for (column, value) in &fields {
        let is_list = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        let fits = match column {
            Column::Role => true,
            Column::Locale => value.is_string() || is_list,
            _ => value.is_string(),
        };
        if !fits {
            return Err(wrong(format!("the {} of a member is no text", column.word())));
        }
    }
    let own = read_roles(line, fields.get(&Column::Role))?;
    let field = |column: Column| match fields.get(&column)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        _ => None,
    };
    row(line, field, own)
}

/// `"Writer"`, `["Writer", {"role": …, "locale": …}]`, or `{"fr-fr": "Writer"}` as Prismic's own
/// interface has it.
fn read_roles(line: u64, value: Option<&Value>) -> Result<Vec<Assignment>> {
    match value {
        None => Err(MistakenList::line(line, "the role is missing")),
        Some(Value::String(text)) => roles(line, text),
        Some(Value::Array(list)) if !list.is_empty() => {
            list.iter().map(|one| listed_role(line, one)).collect()
        }
        Some(Value::Object(object)) if object.contains_key("role") || object.contains_key("name") => {
            Ok(vec![listed_role(line, &Value::Object(object.clone()))?])
        }
        Some(Value::Object(object)) if !object.is_empty() => {
            let each = object.iter().map(|(word, value)| {
                let name = value.as_str().ok_or_else(|| MistakenList::line(line, "the role is no text"))?;
                let own = role(text(line, "role", name)?);
                Ok(Assignment { locale: locale(line, word)?, ..own })
            });
            each.collect()
        }
        Some(_) => Err(MistakenList::line(line, "the role is no text, list or object")),
    }
}

fn listed_role(line: u64, value: &Value) -> Result<Assignment> {
    // A name in a list is one role, with whatever commas it has.
    let named = |name: &str| match text(line, "role", name)? {
        "" => Err(MistakenList::line(line, "the role is missing")),
        name => Ok(role(name)),
    };
    match value {
        Value::String(name) => named(name),
        Value::Object(object) => {
            let name = object.get("role").or_else(|| object.get("name")).and_then(Value::as_str);
            let own = named(name.ok_or_else(|| MistakenList::line(line, "the role is missing"))?)?;
            match object.get("locale").or_else(|| object.get("language")) {
                None | Some(Value::Null) => Ok(own),
                Some(Value::String(word)) => Ok(Assignment { locale: locale(line, word)?, ..own }),
                Some(_) => Err(MistakenList::line(line, "the locale is no text")),
            }
        }
        _ => Err(MistakenList::line(line, "the role is no text")),
    }
}
