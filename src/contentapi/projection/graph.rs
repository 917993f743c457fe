//! `graphQuery`: a selection that looks like GraphQL and is not.
//!
//! ```text
//! graphQuery = "{" selection* "}"                                (the names are custom types)
//! selection  = name [ "{" selection* "}" ]
//!            | "..." name                                        (`...pageFields`: all fields)
//!            | "..." "on" name "{" selection* "}"
//! ```
//!
//! Commas are spaces. `...on` names the type of a link's target, a kind of slice, or within
//! `variation` a variation; slices have `variation`, composite slices `non-repeat` and `repeat`.
//!
//! Freely chosen where Prismic documents nothing: slices of a kind that is not named are left out; a
//! link keeps what it says of its target besides the selected fields; what has no fields of its own
//! (text, images, links to files) is given whole, whatever is selected of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::query::ParsingError;
use super::{DEPTH_MAX, Linked, Object, target_of};

/// Braces within braces. A query that Prismic documents has nine.
const NESTING_MAX: usize = 32;

/// What to take of an object.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Selection {
    /// Every field, also those that are not named.
    all: bool,
    fields: BTreeMap<String, Selection>,
    on: BTreeMap<String, Selection>,
}

impl Selection {
    /// Whether nothing is said of what is within.
    fn is_whole(&self) -> bool {
        self.fields.is_empty() && self.on.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.all |= other.all;
        for (name, selection) in other.fields {
            self.fields.entry(name).or_default().add(selection);
        }
        for (name, selection) in other.on {
            self.on.entry(name).or_default().add(selection);
        }
    }

    /// The selection on a kind: what is said of all kinds, and of this one.
    fn of_kind(&self, kind: &str) -> Self {
        let mut selection = Self { all: self.all, fields: self.fields.clone(), on: BTreeMap::new() };
        if let Some(on) = self.on.get(kind) {
            selection.add(on.clone());
        }
        selection
    }
}

/// A query as it was read.
#[derive(Debug)]
pub(super) struct GraphQuery(Selection);

impl GraphQuery {
    pub(super) fn parse(text: &str) -> Result<Self, ParsingError> {
        let mut reader = Reader { text, at: 0 };
        let selection = reader.selection(0)?;
        match reader.token()? {
            Token::End => Ok(Self(selection)),
            _ => Err(reader.error("the end is expected after the last brace")),
        }
    }

    /// Returns what is selected of the fields of a document.
    pub(super) fn select(&self, type_id: &str, data: &Object, linked: &mut Linked<'_>) -> Object {
        match self.0.fields.get(type_id) {
            Some(selection) => fields(selection, data, linked, 0),
            None => Map::new(),
        }
    }
}

fn fields(selection: &Selection, data: &Object, linked: &mut Linked<'_>, depth: usize) -> Object {
    let mut selected = Map::new();
    for (name, found) in data {
        let value = match selection.fields.get(name) {
            Some(within) if within.is_whole() => Some(found.clone()),
            Some(within) => value(within, found, linked, depth),
            None => selection.all.then(|| found.clone()),
        };
        if let Some(value) = value {
            selected.insert(name.clone(), value);
        }
    }
    selected
}

fn value(selection: &Selection, found: &Value, linked: &mut Linked<'_>, depth: usize) -> Option<Value> {
    match found {
        Value::Array(items) => {
            // Rich text has no fields.
            let is_text = |item: &Value| item.get("spans").is_some() || item.get("oembed").is_some();
            if items.iter().any(is_text) {
                return Some(found.clone());
            }
            Some(items.iter().filter_map(|item| value(selection, item, linked, depth)).collect())
        }
        Value::Object(members) if members.contains_key("link_type") => {
            Some(link(selection, members, linked, depth).into())
        }
        Value::Object(members) if members.contains_key("slice_type") => {
            slice(selection, members, linked, depth).map(Value::Object)
        }
        Value::Object(members) if members.contains_key("dimensions") || members.contains_key("embed_url") => {
            Some(found.clone())
        }
        Value::Object(members) => Some(fields(selection, members, linked, depth).into()),
        _ => Some(found.clone()),
    }
}

fn link(selection: &Selection, link: &Object, linked: &mut Linked<'_>, depth: usize) -> Object {
    let mut link = link.clone();
    let Some(id) = target_of(&link).filter(|_| depth < DEPTH_MAX) else { return link };
    let type_id = link.get("type").and_then(Value::as_str).unwrap_or_default();
    let selection = selection.of_kind(type_id);
    if let Some(Value::Object(data)) = linked.get(id).and_then(|target| target.get("data")) {
        let data = fields(&selection, data, linked, depth + 1);
        linked.embedded(&data);
        link.insert("data".to_owned(), data.into());
    }
    link
}

/// A slice of a kind that is named, with its parts; `None` for others.
fn slice(selection: &Selection, slice: &Object, linked: &mut Linked<'_>, depth: usize) -> Option<Object> {
    let kind = slice.get("slice_type").and_then(Value::as_str).unwrap_or_default();
    let Some(on) = selection.on.get(kind) else { return selection.all.then(|| slice.clone()) };
    if on.is_whole() {
        return Some(slice.clone());
    }
    let mut on = on.clone();
    if let Some(variations) = on.fields.remove("variation") {
        let variation = slice.get("variation").and_then(Value::as_str).unwrap_or_default();
        on.add(variations.of_kind(variation));
    }
    let mut selected = Map::new();
    for (name, found) in slice {
        let within = match name.as_str() {
            "primary" => on.fields.get("primary").or_else(|| on.fields.get("non-repeat")),
            "items" => on.fields.get("items").or_else(|| on.fields.get("repeat")),
            // Of old slices the one value is all there is; what else a slice has says what it is.
            _ => {
                selected.insert(name.clone(), found.clone());
                continue;
            }
        };
        let part = match within {
            Some(within) => value(within, found, linked, depth)?,
            None if on.all => found.clone(),
            None if found.is_array() => Value::Array(Vec::new()),
            None => Map::new().into(),
        };
        selected.insert(name.clone(), part);
    }
    Some(selected)
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Open,
    Close,
    Spread,
    Name(&'a str),
    End,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn token(&mut self) -> Result<Token<'a>, ParsingError> {
        let rest = self.text[self.at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        self.at = self.text.len() - rest.len();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '$');
        let (token, len) = match rest.chars().next() {
            None => (Token::End, 0),
            Some('{') => (Token::Open, 1),
            Some('}') => (Token::Close, 1),
            Some('.') if rest.starts_with("...") => (Token::Spread, 3),
            Some(c) if is_part(c) => {
                let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (Token::Name(&rest[..len]), len)
            }
            Some(_) => return Err(self.error("a name, `{', `}' or `...' is expected")),
        };
        self.at += len;
        Ok(token)
    }

    /// The next token, left where it is.
    fn peek(&mut self) -> Result<Token<'a>, ParsingError> {
        let at = self.at;
        let token = self.token();
        self.at = at;
        token
    }

    fn name(&mut self) -> Result<&'a str, ParsingError> {
        match self.token()? {
            Token::Name(name) => Ok(name),
            _ => Err(self.error("a name is expected")),
        }
    }

    fn selection(&mut self, nesting: usize) -> Result<Selection, ParsingError> {
        if nesting > NESTING_MAX {
            return Err(self.error("too many braces within each other"));
        }
        if self.token()? != Token::Open {
            return Err(self.error("`{' is expected"));
        }
        let mut selection = Selection::default();
        loop {
            match self.token()? {
                Token::Close => return Ok(selection),
                Token::Name(name) => {
                    let within = match self.peek()? {
                        Token::Open => self.selection(nesting + 1)?,
                        _ => Selection::default(),
                    };
                    selection.fields.entry(name.to_owned()).or_default().add(within);
                }
                Token::Spread => match self.name()? {
                    "on" => {
                        let kind = self.name()?.to_owned();
                        let within = self.selection(nesting + 1)?;
                        selection.on.entry(kind).or_default().add(within);
                    }
                    _ => selection.all = true,
                },
                Token::Open => return Err(self.error("a name is expected before `{'")),
                Token::End => return Err(self.error("`}' is expected but the query ends")),
            }
        }
    }

    fn error(&self, what: &str) -> ParsingError {
        let before = &self.text[..self.at.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        ParsingError {
            message: format!("[graphQuery] {what}"),
            line: number(before.matches('\n').count() + 1),
            column: number(before[line_start..].chars().count() + 1),
            id: 0,
            location: "graphQuery",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Known, object};
    use super::*;

    fn select(query: &str, type_id: &str, data: Value, known: &Known) -> (Value, Vec<String>) {
        let query = GraphQuery::parse(query).expect(query);
        let mut linked = Linked::new(known, usize::MAX);
        let selected = query.select(type_id, &object(data), &mut linked);
        (selected.into(), linked.into_missing().into_iter().collect())
    }

    #[test]
    fn fields_are_named_one_by_one_or_all_at_once() {
        let data = json!({"title": "t", "text": [{"type": "paragraph", "text": "x", "spans": []}], "n": 1});
        let none = Known::new();
        let of = |query: &str| select(query, "page", data.clone(), &none).0;
        assert_eq!(of("{page{title n}}"), json!({"title": "t", "n": 1}));
        assert_eq!(of("{ page { ...pageFields } }"), data);
        assert_eq!(of("{page{text{whatever}}}"), json!({"text": data["text"]}));
        assert_eq!(of("{other{title}}"), json!({}));
        assert_eq!(of("{page{absent}}"), json!({}));
    }

    #[test]
    fn links_are_followed_by_the_type_of_their_target() {
        let author = json!({"link_type": "Document", "id": "a", "type": "author", "isBroken": false});
        let friend = json!({"link_type": "Document", "id": "b", "type": "author", "isBroken": false});
        let known = Known::from([
            ("a".to_owned(), Some(object(json!({"data": {"name": "Ann", "age": 3, "friend": friend}})))),
            ("b".to_owned(), Some(object(json!({"data": {"name": "Bob", "age": 4, "friend": author}})))),
        ]);
        let data = json!({"author": author, "people": [{"who": friend, "role": "x"}]});
        let (selected, missing) = select(
            "{page{ author{ name ...on author{ friend{ ...on author{ age } } } ...on page{ age } }\n people{ who{ name } } }}",
            "page",
            data.clone(),
            &known,
        );
        assert!(missing.is_empty());
        assert_eq!(selected["author"]["data"]["name"], "Ann");
        assert_eq!(selected["author"]["data"]["friend"]["data"], json!({"age": 4}));
        assert_eq!(selected["author"]["data"].as_object().map(Map::len), Some(2));
        assert_eq!(selected["people"][0]["who"]["data"], json!({"name": "Bob"}));
        assert!(selected["people"][0].get("role").is_none());
        let (selected, missing) = select("{page{author{name}}}", "page", data.clone(), &Known::new());
        assert_eq!((selected, missing), (json!({"author": data["author"]}), vec!["a".to_owned()]));
    }

    #[test]
    fn slices_are_selected_by_kind_variation_and_part() {
        let shared = json!({"slice_type": "hero", "id": "1", "variation": "default", "version": "initial",
            "slice_label": null, "primary": {"title": "t", "more": 1}, "items": [{"x": 1, "y": 2}]});
        let composite = json!({"slice_type": "quote", "slice_label": null, "primary": {"q": "q", "z": 1},
            "items": [{"x": 1, "y": 2}]});
        let data = json!({"body": [shared, composite, {"slice_type": "other", "primary": {}, "items": []}]});
        let (selected, _) = select(
            "{page{body{ ...on hero{variation{...on default{primary{title} items{...itemsFields}} ...on wide{primary{more}}}} ...on quote{non-repeat{q} repeat{x}} }}}",
            "page",
            data,
            &Known::new(),
        );
        let body = selected["body"].as_array().expect("a list");
        assert_eq!(body.len(), 2);
        assert_eq!(body[0]["primary"], json!({"title": "t"}));
        assert_eq!(body[0]["items"], json!([{"x": 1, "y": 2}]));
        assert_eq!(body[0]["id"], "1");
        assert_eq!(body[1]["primary"], json!({"q": "q"}));
        assert_eq!(body[1]["items"], json!([{"x": 1}]));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (text, line, column) in [
            ("", 1, 1),
            ("page", 1, 5),
            ("{page{", 1, 7),
            ("{page{title}", 1, 13),
            ("{page{title}}}", 1, 15),
            ("{page(first: 1){title}}", 1, 6),
            ("{page{\n ...on }}", 2, 9),
            ("{{}}", 1, 3),
            ("{\u{e9}t\u{e9}{\"}}", 1, 6),
        ] {
            let error = GraphQuery::parse(text).expect_err(text);
            assert_eq!((error.line, error.column), (line, column), "{text}");
        }
        let deep = "{a".repeat(5_000);
        assert!(GraphQuery::parse(&deep).expect_err("too deep").message.contains("too many braces"));
    }

    #[test]
    fn documents_that_link_to_each_other_come_to_an_end() {
        let link = json!({"link_type": "Document", "id": "a", "type": "t", "isBroken": false});
        let known = Known::from([("a".to_owned(), Some(object(json!({"data": {"l": link}}))))]);
        let query = format!("{{t{}{}}}", "{l".repeat(30), "}".repeat(30));
        let (selected, _) = select(&query, "t", json!({"l": link}), &known);
        let mut depth = 0;
        let mut at = &selected;
        while let Some(deeper) = at.get("l").and_then(|link| link.get("data")) {
            depth += 1;
            at = deeper;
        }
        assert_eq!(depth, DEPTH_MAX);
    }
}
