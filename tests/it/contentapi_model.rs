//! Answers to hundreds of generated queries, from the sandbox and from a snapshot of it, equal those
//! of a naive model: one that knows nothing of the engine, looks at every document as JSON, and
//! follows the documentation word by word.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};
use fastrand::Rng;
use prismvault::contentapi::{AccessMode, AccessPolicy, Document, Language, RepositoryRoot};
use prismvault::sandbox::{Content, RepositoryOptions};
use prismvault::secret::Secret;
use prismvault::standby::{Heads, Standby};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::backups::{Backup, Source, WRITE_TOKEN};
use crate::sandbox::{client, value};
use crate::standby::{listen, references, with_edition};

const DOCUMENTS: usize = 90;
const QUERIES: usize = 500;
const WORDS: [&str; 8] = ["oak", "Brass", "lamp", "été", "chair", "table", "old", "ÜBER"];
const TAGS: [&str; 4] = ["news", "old", "Été 24", "x"];

fn some_words(random: &mut Rng) -> String {
    let count = random.usize(1..4);
    (0..count).map(|_| WORDS[random.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

fn id(number: usize) -> String {
    format!("Doc{number:013}")
}

fn date(random: &mut Rng) -> String {
    format!("20{:02}-{:02}-{:02}", random.u32(20..24), random.u32(1..13), random.u32(1..29))
}

fn timestamp(random: &mut Rng) -> String {
    format!("{}T{:02}:{:02}:00+0000", date(random), random.u32(0..24), random.u32(0..60))
}

/// A value that is there most of the time.
fn maybe(random: &mut Rng, value: Value) -> Value {
    if random.u8(..4) == 0 { Value::Null } else { value }
}

fn link(random: &mut Rng) -> Value {
    match random.u8(..4) {
        0 => json!({"link_type": "Document"}),
        1 => json!({"link_type": "Web", "url": "https://oak.example/lamp"}),
        _ => {
            json!({"link_type": "Document", "id": id(random.usize(..DOCUMENTS)), "type": "page", "isBroken": false})
        }
    }
}

fn document(random: &mut Rng, number: usize) -> Value {
    let rich = json!([{"type": "paragraph", "text": some_words(random), "spans": []},
                      {"type": "paragraph", "text": some_words(random), "spans": []}]);
    let place =
        json!({"latitude": f64::from(random.i32(-60..60)), "longitude": f64::from(random.i32(-170..170))});
    let parts: Vec<Value> = (0..random.usize(..4))
        .map(|_| {
            let amount = random.u32(..6);
            json!({"name": some_words(random), "amount": maybe(random, amount.into()), "link": link(random)})
        })
        .collect();
    let (count, choice, when, at) = (
        f64::from(random.u32(..8)) / 2.0,
        ["red", "green", ""][random.usize(..3)],
        date(random),
        timestamp(random),
    );
    let mut data = json!({
        "title": if random.bool() { rich } else { json!([]) },
        "count": maybe(random, count.into()),
        "choice": maybe(random, choice.into()),
        "when": maybe(random, when.into()),
        "at": maybe(random, at.into()),
        "place": if random.bool() { place } else { json!({}) },
        "link": link(random),
        "parts": parts,
        "image": if random.bool() { json!({"dimensions": {"width": 1}, "url": "u", "alt": "oak"}) } else { json!({}) },
    });
    if random.bool() {
        data["flag"] = random.bool().into();
    }
    let tags: BTreeSet<&str> = (0..random.usize(..3)).map(|_| TAGS[random.usize(..4)]).collect();
    let first = timestamp(random);
    let last = if random.u8(..5) == 0 { "2022-05-05T05:05:05+0000".to_owned() } else { timestamp(random) };
    let slug = some_words(random).to_lowercase().replace(' ', "-");
    let uid = format!("uid-{}", random.usize(..DOCUMENTS));
    json!({
        "id": id(number),
        "uid": maybe(random, uid.into()),
        "type": if random.u8(..3) == 0 { "post" } else { "page" },
        "tags": tags, "slugs": [slug], "lang": if random.u8(..4) == 0 { "fr-fr" } else { "en-us" },
        "first_publication_date": first, "last_publication_date": last,
        "linked_documents": [], "alternate_languages": [], "data": data,
    })
}

/// A predicate as it is asked for.
#[derive(Debug, Clone)]
enum Asked {
    At(String, Value),
    Not(String, Value),
    Any(String, Vec<Value>),
    In(String, Vec<String>),
    Fulltext(String, String),
    Has(String),
    Missing(String),
    Less(String, f64),
    Greater(String, f64),
    InRange(String, f64, f64),
    Near(String, f64, f64, f64),
    Before(String, String),
    After(String, String),
    Between(String, String, String),
    /// Part, and `-before`, `-after` or nothing.
    Part(&'static str, &'static str, String, i64),
    Similar(String, usize),
}

const VALUE_FIELDS: [&str; 5] = ["count", "choice", "when", "flag", "parts.amount"];
const DATE_PATHS: [&str; 4] =
    ["document.first_publication_date", "document.last_publication_date", "when", "at"];

fn path(random: &mut Rng, field: &str) -> String {
    if field.starts_with("document") {
        return field.to_owned();
    }
    format!("my.{}.{field}", if random.u8(..4) == 0 { "post" } else { "page" })
}

fn pick<T: Clone>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())].clone()
}

/// Something to compare with, where it can be equal now and then.
fn compared(random: &mut Rng) -> (String, Value) {
    let field = match random.u8(..10) {
        0 => return ("document.type".to_owned(), json!(pick(random, &["page", "post", "none"]))),
        1 => return ("document.lang".to_owned(), json!(pick(random, &["en-us", "fr-fr"]))),
        2 => return ("document.id".to_owned(), json!(id(random.usize(..DOCUMENTS)))),
        3 => return (path(random, "uid"), json!(format!("uid-{}", random.usize(..DOCUMENTS)))),
        4 => {
            let field = pick(random, &["link", "parts.link"]);
            return (path(random, field), json!(id(random.usize(..DOCUMENTS))));
        }
        _ => pick(random, &VALUE_FIELDS),
    };
    let value = match field {
        "count" => json!(f64::from(random.u32(..8)) / 2.0),
        "choice" => json!(pick(random, &["red", "green"])),
        "when" => json!(date(random)),
        "flag" => json!(random.bool()),
        _ => json!(random.u32(..6)),
    };
    (path(random, field), value)
}

#[expect(clippy::too_many_lines, reason = "one arm a predicate")]
fn asked(random: &mut Rng) -> Asked {
    let of = |random: &mut Rng, fields: &[&str]| {
        let field = pick(random, fields);
        path(random, field)
    };
    let tags =
        |random: &mut Rng| json!((0..random.usize(1..3)).map(|_| pick(random, &TAGS)).collect::<Vec<_>>());
    match random.u8(..17) {
        0 | 1 => {
            let (path, value) = compared(random);
            Asked::At(path, value)
        }
        2 => Asked::At("document.tags".to_owned(), tags(random)),
        3 => Asked::Not("document.tags".to_owned(), tags(random)),
        4 => {
            let (path, value) = compared(random);
            Asked::Not(path, value)
        }
        5 => {
            let (path, first) = compared(random);
            let more =
                (0..20).map(|_| compared(random)).filter(|(other, _)| *other == path).map(|(_, value)| value);
            let values = std::iter::once(first).chain(more).collect();
            Asked::Any(path, values)
        }
        6 => {
            let numbers: BTreeSet<usize> =
                (0..random.usize(1..40)).map(|_| random.usize(..DOCUMENTS)).collect();
            let mut numbers: Vec<usize> = numbers.into_iter().collect();
            random.shuffle(&mut numbers);
            match random.bool() {
                true => Asked::In("document.id".to_owned(), numbers.into_iter().map(id).collect()),
                false => {
                    let uids = numbers.into_iter().map(|number| format!("uid-{number}")).collect();
                    Asked::In(path(random, "uid"), uids)
                }
            }
        }
        7 | 8 => {
            let words = some_words(random).to_uppercase();
            let path = if random.bool() {
                "document".to_owned()
            } else {
                of(random, &["title", "parts.name", "choice"])
            };
            Asked::Fulltext(path, words)
        }
        9 | 10 => {
            let all = [
                "title",
                "count",
                "choice",
                "place",
                "link",
                "parts",
                "image",
                "flag",
                "uid",
                "parts.amount",
            ];
            let path = of(random, &all);
            if random.bool() { Asked::Has(path) } else { Asked::Missing(path) }
        }
        11 => {
            let (path, number) = (of(random, &["count", "parts.amount"]), f64::from(random.u32(..8)) / 2.0);
            match random.u8(..3) {
                0 => Asked::Less(path, number),
                1 => Asked::Greater(path, number),
                _ => Asked::InRange(path, number, number + f64::from(random.u32(..3))),
            }
        }
        12 => {
            let (latitude, longitude) = (f64::from(random.i32(-60..60)), f64::from(random.i32(-170..170)));
            Asked::Near(
                path(random, "place"),
                latitude + 0.25,
                longitude + 0.25,
                f64::from(random.u32(100..9_000)),
            )
        }
        13 | 14 => {
            let (path, one, other) = (of(random, &DATE_PATHS), timestamp(random), date(random));
            match random.u8(..3) {
                0 => Asked::Before(path, one),
                1 => Asked::After(path, other),
                _ => Asked::Between(path, other.clone().min(one.clone()), other.max(one)),
            }
        }
        15 => {
            let part = pick(random, &["day-of-month", "day-of-week", "month", "hour", "year"]);
            let comparison = if part == "year" { "" } else { pick(random, &["", "-before", "-after"]) };
            let value = match part {
                "day-of-month" => random.i64(1..29),
                "day-of-week" => random.i64(1..8),
                "month" => random.i64(1..13),
                "hour" => random.i64(0..24),
                _ => random.i64(2020..2024),
            };
            Asked::Part(part, comparison, of(random, &DATE_PATHS), value)
        }
        _ => Asked::Similar(id(random.usize(..DOCUMENTS)), random.usize(1..40)),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Asked {
    fn text(&self) -> String {
        let scalar = |value: &Value| match value {
            Value::String(text) => quoted(text),
            Value::Array(list) => {
                format!(
                    "[{}]",
                    list.iter().map(|one| quoted(one.as_str().unwrap())).collect::<Vec<_>>().join(", ")
                )
            }
            other => other.to_string(),
        };
        let list = |values: &[String]| values.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(",");
        match self {
            Self::At(path, value) => format!("[at({path}, {})]", scalar(value)),
            Self::Not(path, value) => format!("[not({path}, {})]", scalar(value)),
            Self::Any(path, values) => {
                format!("[any({path}, [{}])]", values.iter().map(scalar).collect::<Vec<_>>().join(", "))
            }
            Self::In(path, values) => format!("[:d = in({path}, [{}])]", list(values)),
            Self::Fulltext(path, words) => format!("[fulltext({path}, {})]", quoted(words)),
            Self::Has(path) => format!("[has({path})]"),
            Self::Missing(path) => format!("[missing({path})]"),
            Self::Less(path, number) => format!("[number.lt({path}, {number})]"),
            Self::Greater(path, number) => format!("[number.gt({path}, {number})]"),
            Self::InRange(path, low, high) => format!("[number.inRange({path}, {low}, {high})]"),
            Self::Near(path, latitude, longitude, radius) => {
                format!("[geopoint.near({path}, {latitude}, {longitude}, {radius})]")
            }
            Self::Before(path, at) => format!("[date.before({path}, {})]", quoted(at)),
            Self::After(path, at) => format!("[date.after({path}, {})]", quoted(at)),
            Self::Between(path, from, to) => {
                format!("[date.between({path}, {}, {})]", quoted(from), quoted(to))
            }
            Self::Part(part, comparison, path, value) => {
                format!("[date.{part}{comparison}({path}, {value})]")
            }
            Self::Similar(id, most) => format!("[similar({}, {most})]", quoted(id)),
        }
    }
}

/// Whether a document is of the type that a path names, and the values that it has there.
fn at_path<'d>(document: &'d Value, path: &str) -> Option<Vec<&'d Value>> {
    let Some(path) = path.strip_prefix("my.") else {
        return Some(vec![&document[path.strip_prefix("document.").unwrap_or("data")]]);
    };
    let (type_id, names) = path.split_once('.').unwrap();
    if document["type"] != type_id {
        return None;
    }
    if names == "uid" {
        return Some(vec![&document["uid"]]);
    }
    let mut found = vec![&document["data"]];
    for name in names.split('.') {
        let flat = found.into_iter().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            other => vec![other],
        });
        found = flat.filter_map(|value| value.get(name)).collect();
    }
    Some(found)
}

/// The same with the items of lists one by one.
fn one_by_one<'d>(values: &[&'d Value]) -> Vec<&'d Value> {
    let each = |value: &&'d Value| match value {
        Value::Array(items) => items.iter().collect::<Vec<_>>(),
        other => vec![*other],
    };
    values.iter().flat_map(each).collect()
}

fn is(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(link), Value::String(_)) => {
            link.contains_key("link_type") && link.get("id") == Some(wanted)
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (found, wanted) => found == wanted,
    }
}

fn is_equal(document: &Value, path: &str, wanted: &Value) -> Option<bool> {
    let values = at_path(document, path)?;
    if path == "document.tags" {
        let tags = values[0].as_array().unwrap();
        return Some(match wanted {
            Value::Array(all) => all.iter().all(|tag| tags.contains(tag)),
            one => tags.contains(one),
        });
    }
    Some(one_by_one(&values).into_iter().any(|value| is(value, wanted)))
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_filled),
        Value::Object(members) if members.contains_key("link_type") => {
            members.contains_key("id") || members.contains_key("url")
        }
        Value::Object(members) => members.values().any(is_filled),
        _ => true,
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What somebody who reads the page sees.
fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => write!(into, " {text}").unwrap(),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(members) if members.contains_key("spans") => texts(&members["text"], into),
        Value::Object(members) if members.contains_key("link_type") || members.contains_key("dimensions") => {
        }
        Value::Object(members) => members.values().for_each(|member| texts(member, into)),
        _ => {}
    }
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc());
    }
    Some(DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok()?.to_utc())
}

/// Kilometres, by the law of cosines.
fn distance(value: &Value, latitude: f64, longitude: f64) -> Option<f64> {
    let (from, to) = (value.get("latitude")?.as_f64()?.to_radians(), latitude.to_radians());
    let east = (value.get("longitude")?.as_f64()? - longitude).to_radians();
    let cosine = from.sin() * to.sin() + from.cos() * to.cos() * east.cos();
    Some(6371.0 * cosine.clamp(-1.0, 1.0).acos())
}

fn terms(document: &Value) -> BTreeSet<String> {
    let mut text = String::new();
    for key in ["slugs", "tags", "uid"] {
        texts(&document[key], &mut text);
    }
    words(&text)
}

/// By how many rare terms a document is like another.
fn likeness(documents: &[Value], document: &Value, id: &str, most: usize) -> usize {
    let origin = documents.iter().find(|other| other["id"] == id).unwrap();
    if document["id"] == id {
        return 0;
    }
    let users = |term: &String| documents.iter().filter(|other| terms(other).contains(term)).count();
    terms(origin).intersection(&terms(document)).filter(|term| users(term) <= most).count()
}

fn holds(documents: &[Value], document: &Value, asked: &Asked) -> bool {
    let dates = |path: &str| -> Vec<DateTime<Utc>> {
        at_path(document, path).unwrap_or_default().into_iter().filter_map(instant).collect()
    };
    let numbers = |path: &str| -> Vec<f64> {
        let values = at_path(document, path).unwrap_or_default();
        one_by_one(&values).into_iter().filter_map(Value::as_f64).collect()
    };
    let at = |text: &String| instant(&json!(text)).unwrap();
    match asked {
        Asked::At(path, wanted) => is_equal(document, path, wanted) == Some(true),
        Asked::Not(path, wanted) => is_equal(document, path, wanted) == Some(false),
        Asked::Any(path, all) => all.iter().any(|wanted| is_equal(document, path, wanted) == Some(true)),
        Asked::In(path, all) => {
            all.iter().any(|wanted| is_equal(document, path, &json!(wanted)) == Some(true))
        }
        Asked::Fulltext(path, wanted) => {
            let mut text = String::new();
            for value in at_path(document, path).unwrap_or_default() {
                texts(value, &mut text);
            }
            if path == "document" {
                texts(&document["uid"], &mut text);
            }
            words(wanted).is_subset(&words(&text))
        }
        Asked::Has(path) => at_path(document, path).is_some_and(|values| values.into_iter().any(is_filled)),
        Asked::Missing(path) => {
            at_path(document, path).is_some_and(|values| !values.into_iter().any(is_filled))
        }
        Asked::Less(path, bound) => numbers(path).into_iter().any(|number| number < *bound),
        Asked::Greater(path, bound) => numbers(path).into_iter().any(|number| number > *bound),
        Asked::InRange(path, low, high) => {
            numbers(path).into_iter().any(|number| number >= *low && number <= *high)
        }
        Asked::Near(path, latitude, longitude, radius) => at_path(document, path)
            .unwrap_or_default()
            .into_iter()
            .any(|value| distance(value, *latitude, *longitude).is_some_and(|found| found <= *radius)),
        Asked::Before(path, bound) => dates(path).into_iter().any(|found| found < at(bound)),
        Asked::After(path, bound) => dates(path).into_iter().any(|found| found > at(bound)),
        Asked::Between(path, from, to) => {
            dates(path).into_iter().any(|found| found >= at(from) && found <= at(to))
        }
        Asked::Part(part, comparison, path, wanted) => dates(path).into_iter().any(|found| {
            let found: i64 = match *part {
                "day-of-month" => found.day().into(),
                "day-of-week" => found.weekday().number_from_monday().into(),
                "month" => found.month().into(),
                "hour" => found.hour().into(),
                _ => found.year().into(),
            };
            match *comparison {
                "-before" => found < *wanted,
                "-after" => found > *wanted,
                _ => found == *wanted,
            }
        }),
        Asked::Similar(id, most) => likeness(documents, document, id, *most) > 0,
    }
}

/// A whole request.
#[derive(Debug)]
struct Request {
    predicates: Vec<Asked>,
    orderings: Vec<(String, bool)>,
    lang: Option<&'static str>,
    page: usize,
    page_size: usize,
    after: Option<String>,
}

fn request(random: &mut Rng) -> Request {
    let count = [1, 1, 1, 2, 2, 3, 0][random.usize(..7)];
    let keys = [
        "document.first_publication_date",
        "document.last_publication_date",
        "document.type",
        "document.lang",
        "my.page.count",
        "my.page.choice",
        "my.page.when",
        "my.post.flag",
        "my.page.title",
        "my.page.uid",
    ];
    let orderings =
        (0..[0, 0, 1, 2][random.usize(..4)]).map(|_| (pick(random, &keys).to_owned(), random.bool()));
    let orderings = orderings.collect();
    Request {
        predicates: (0..count).map(|_| asked(random)).collect(),
        orderings,
        lang: pick(random, &[Some("*"), Some("*"), None, Some("fr-fr")]),
        page: random.usize(1..4),
        page_size: random.usize(1..40),
        after: (random.u8(..4) == 0).then(|| id(random.usize(..DOCUMENTS))),
    }
}

impl Request {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("page", self.page.to_string()), ("pageSize", self.page_size.to_string())];
        if !self.predicates.is_empty() {
            let texts: Vec<String> = self.predicates.iter().map(Asked::text).collect();
            all.push(("q", format!("[{}]", texts.concat())));
        }
        if !self.orderings.is_empty() {
            let key = |(path, descending): &(String, bool)| {
                format!("{path}{}", if *descending { " desc" } else { "" })
            };
            all.push((
                "orderings",
                format!("[{}]", self.orderings.iter().map(key).collect::<Vec<_>>().join(",")),
            ));
        }
        all.extend(self.lang.map(|lang| ("lang", lang.to_owned())));
        all.extend(self.after.clone().map(|id| ("after", id)));
        all
    }

    /// What should be answered: ids of the page, and how many there are in all.
    fn answer(&self, documents: &[Value]) -> (Vec<String>, usize) {
        let mut found: Vec<&Value> = documents
            .iter()
            .filter(|document| match self.lang {
                Some("*") => true,
                Some(lang) => document["lang"] == lang,
                None => document["lang"] == "en-us",
            })
            .filter(|document| self.predicates.iter().all(|asked| holds(documents, document, asked)))
            .collect();
        found.sort_by_key(|document| document["id"].as_str().unwrap());
        if self.orderings.is_empty() {
            found.sort_by_key(|document| {
                std::cmp::Reverse(document["last_publication_date"].as_str().unwrap())
            });
            self.order_by_predicate(documents, &mut found);
        } else {
            // From the last key to the first, each time without disturbing what is equal.
            for (path, descending) in self.orderings.iter().rev() {
                sort_by_path(&mut found, path, *descending);
            }
        }
        let total = found.len();
        let ids: Vec<String> =
            found.iter().map(|document| document["id"].as_str().unwrap().to_owned()).collect();
        let rest = match &self.after {
            None => &ids[..],
            Some(id) => ids.iter().position(|own| own == id).map_or(&[][..], |at| &ids[at + 1..]),
        };
        let page = rest.iter().skip((self.page - 1) * self.page_size).take(self.page_size);
        (page.cloned().collect(), total)
    }

    fn order_by_predicate(&self, documents: &[Value], found: &mut [&Value]) {
        for asked in &self.predicates {
            match asked {
                Asked::In(path, wanted) => {
                    found.sort_by_key(|document| {
                        wanted.iter().position(|one| is_equal(document, path, &json!(one)) == Some(true))
                    });
                }
                Asked::Near(path, latitude, longitude, _) => found.sort_by(|a, b| {
                    let of = |document: &Value| {
                        distance(at_path(document, path).unwrap()[0], *latitude, *longitude)
                    };
                    of(a).partial_cmp(&of(b)).unwrap()
                }),
                Asked::Similar(id, most) => {
                    found.sort_by_key(|document| std::cmp::Reverse(likeness(documents, document, id, *most)));
                }
                _ => continue,
            }
            return;
        }
    }
}

fn sort_by_path(found: &mut [&Value], path: &str, descending: bool) {
    let key = |document: &Value| -> Option<(f64, String)> {
        let value = at_path(document, path)?.first().copied()?;
        Some(match value {
            Value::Null => return None,
            Value::Number(number) => (number.as_f64()?, String::new()),
            Value::Bool(flag) => (f64::from(u8::from(*flag)), String::new()),
            Value::Array(blocks) => (0.0, blocks.first()?["text"].as_str()?.to_owned()),
            Value::String(text) => (0.0, text.clone()),
            Value::Object(_) => return None,
        })
    };
    found.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) if descending => b.partial_cmp(&a).unwrap(),
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap(),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}

async fn answered(api: &str, reference: &str, request: &Request) -> (Vec<String>, usize) {
    let mut url = url::Url::parse(&format!("{api}/documents/search")).unwrap();
    url.query_pairs_mut().append_pair("ref", reference).extend_pairs(request.parameters());
    let response = client().get(url).send().await.unwrap();
    let status = response.status();
    let body = value(response).await;
    assert!(status.is_success(), "{request:#?}: {body}");
    let ids = body["results"].as_array().unwrap().iter();
    let ids = ids.map(|document| document["id"].as_str().unwrap().to_owned()).collect();
    (ids, usize::try_from(body["total_results_size"].as_u64().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_and_standby_answer_generated_queries_as_a_naive_model_does() {
    let mut random = Rng::with_seed(5);
    let documents: Vec<Value> = (0..DOCUMENTS).map(|number| document(&mut random, number)).collect();
    let language = |id: &str, is_master| Language { id: id.to_owned(), name: id.to_owned(), is_master };
    let content = Content {
        root: RepositoryRoot {
            languages: vec![language("en-us", true), language("fr-fr", false)],
            ..RepositoryRoot::default()
        },
        documents: documents
            .iter()
            .map(|document| Arc::new(Document::parse(&document.to_string(), &[]).unwrap()))
            .collect(),
        ..Content::default()
    };
    let options = RepositoryOptions {
        access: AccessPolicy { mode: AccessMode::Open, tokens: Vec::new() },
        write_tokens: vec![Secret::new(WRITE_TOKEN)],
        ..RepositoryOptions::default()
    };
    let source = Source::of(content, options);
    let sandbox = source.target.endpoints.content_api.as_str().trim_end_matches('/').to_owned();
    let backup = Backup::in_memory(1).await;
    let manifest = backup.snapshot(&source).await.unwrap().committed.manifest;
    with_edition(&backup, &manifest, &mut Heads::default(), async |edition| {
        let mut tasks = JoinSet::new();
        let standby = listen(Arc::new(Standby::new(vec![edition])), &mut tasks).await;
        let mut found = BTreeMap::<bool, usize>::new();
        for number in 0..QUERIES {
            let request = request(&mut random);
            let expected = request.answer(&documents);
            for api in [&sandbox, &standby] {
                let master = references(api).await.remove(0).1;
                let answer = answered(api, &master, &request).await;
                assert_eq!(
                    answer,
                    expected,
                    "number {number} at {api}: {request:#?} {:?}",
                    request.parameters()
                );
            }
            *found.entry(expected.0.is_empty()).or_default() += 1;
        }
        assert!(found[&false] > QUERIES / 4, "enough of them find something: {found:?}");
    })
    .await;
}
