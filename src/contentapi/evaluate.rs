//! What predicates mean: which documents of a set a query selects, and in which order.
//!
//! Predicates on the head are tested first, so `data` is parsed only for documents that are
//! still candidates; ids are looked up instead of searched.
//!
//! Known differences from Prismic: fields are not checked against the models (a field that does
//! not exist matches nothing instead of being an error); `similar` compares words of slugs, UID
//! and tags, not of the whole text; `fulltext` knows no stems.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::dates::{Millis, is_timestamp, parse_millis};
use super::document::Document;
use super::ordering::{OrderBy, SortValue, compare};
use super::query::{Comparison, DateTest, Path, Predicate, Query, Scalar};
use super::set::DocumentSet;
use super::text::{each_text, words};

/// Selects from a set and orders; returns places in the set's default order.
pub(super) fn select(
    set: &DocumentSet,
    query: &Query,
    orderings: &[OrderBy],
    lang: Option<&str>,
) -> Vec<u32> {
    let similar: Vec<HashMap<&str, usize>> = query
        .predicates
        .iter()
        .filter_map(|predicate| match predicate {
            Predicate::Similar(id, most) => Some(similar_to(set, id, *most)),
            _ => None,
        })
        .collect();
    let mut predicates: Vec<&Predicate> = query.predicates.iter().collect();
    predicates.sort_by_key(|predicate| cost(predicate));
    let chosen = |place: &u32| {
        let document = set.at(*place);
        lang.is_none_or(|lang| *document.head.lang == *lang)
            && predicates.iter().all(|predicate| holds(predicate, document))
            && similar.iter().all(|found| found.contains_key(&*document.head.id))
    };
    let mut places: Vec<u32> = match candidates(set, query) {
        Some(candidates) => candidates.into_iter().filter(chosen).collect(),
        None => set.places().filter(chosen).collect(),
    };
    if orderings.is_empty() {
        order_by_predicate(set, query, &similar, &mut places);
    } else {
        let mut keyed: Vec<(Vec<Option<SortValue>>, u32)> = places
            .into_iter()
            .map(|place| (orderings.iter().map(|key| key.value(set.at(place))).collect(), place))
            .collect();
        keyed.sort_by(|a, b| compare(orderings, (&a.0, set.at(a.1)), (&b.0, set.at(b.1))));
        places = keyed.into_iter().map(|(_, place)| place).collect();
    }
    places
}

/// Documents that a predicate on the id leaves over, in the set's order; `None` for all.
fn candidates(set: &DocumentSet, query: &Query) -> Option<Vec<u32>> {
    let text = |value: &Scalar| match value {
        Scalar::Text(text) => Some(text.clone()),
        _ => None,
    };
    let ids: Vec<String> = query.predicates.iter().find_map(|predicate| match predicate {
        Predicate::At(Path::Id, values) | Predicate::Any(Path::Id, values) => {
            Some(values.iter().filter_map(text).collect())
        }
        Predicate::In(Path::Id, ids) => Some(ids.clone()),
        _ => None,
    })?;
    let mut places: Vec<u32> = ids.iter().filter_map(|id| set.place(id)).collect();
    places.sort_unstable();
    places.dedup();
    Some(places)
}

fn order_by_predicate(
    set: &DocumentSet,
    query: &Query,
    similar: &[HashMap<&str, usize>],
    places: &mut [u32],
) {
    for predicate in &query.predicates {
        match predicate {
            Predicate::In(path, wanted) => {
                let rank: HashMap<&str, usize> = wanted.iter().map(String::as_str).zip(0..).collect();
                places.sort_by_key(|place| {
                    let head = &set.at(*place).head;
                    let value = if *path == Path::Id { Some(&*head.id) } else { head.uid.as_deref() };
                    value.and_then(|value| rank.get(value).copied())
                });
                return;
            }
            Predicate::Near { path, latitude, longitude, .. } => {
                let distance = |place: &u32| {
                    let mut nearest = f64::INFINITY;
                    each_value(set.at(*place), path, |value| {
                        nearest =
                            nearest.min(distance_to(value, *latitude, *longitude).unwrap_or(f64::INFINITY));
                    });
                    nearest
                };
                let mut keyed: Vec<(f64, u32)> =
                    places.iter().map(|place| (distance(place), *place)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (to, (_, place)) in places.iter_mut().zip(keyed) {
                    *to = place;
                }
                return;
            }
            Predicate::Similar(..) => {
                let shared = similar.first();
                places.sort_by_key(|place| {
                    std::cmp::Reverse(shared.and_then(|found| found.get(&*set.at(*place).head.id)))
                });
                return;
            }
            _ => {}
        }
    }
}

fn cost(predicate: &Predicate) -> u8 {
    match predicate {
        Predicate::Fulltext(Path::Document, _) => 2,
        Predicate::At(path, _)
        | Predicate::Not(path, _)
        | Predicate::Any(path, _)
        | Predicate::Fulltext(path, _)
        | Predicate::Has(path)
        | Predicate::Missing(path)
        | Predicate::Number(path, ..)
        | Predicate::NumberInRange(path, ..)
        | Predicate::Near { path, .. }
        | Predicate::Date(path, _) => u8::from(matches!(path, Path::Field { .. })),
        Predicate::In(..) | Predicate::Similar(..) => 0,
    }
}

/// Tests one document; `similar` is tested by the caller, who knows the set.
fn holds(predicate: &Predicate, document: &Document) -> bool {
    match predicate {
        Predicate::At(path, values) => of_type(path, document) && is_at(document, path, values),
        Predicate::Not(path, values) => of_type(path, document) && !is_at(document, path, values),
        Predicate::Any(path, values) => {
            of_type(path, document)
                && values.iter().any(|value| is_at(document, path, std::slice::from_ref(value)))
        }
        Predicate::In(path, wanted) => {
            let head = &document.head;
            let value = if *path == Path::Id { Some(&*head.id) } else { head.uid.as_deref() };
            of_type(path, document) && value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        }
        Predicate::Fulltext(path, wanted) => of_type(path, document) && has_words(document, path, wanted),
        Predicate::Has(path) => of_type(path, document) && is_filled(document, path),
        Predicate::Missing(path) => of_type(path, document) && !is_filled(document, path),
        Predicate::Similar(..) => true,
        Predicate::Number(path, comparison, wanted) => any_value(document, path, |value| {
            value.as_f64().is_some_and(|found| compares(found, *comparison, *wanted))
        }),
        Predicate::NumberInRange(path, low, high) => any_value(document, path, |value| {
            value.as_f64().is_some_and(|found| (*low..=*high).contains(&found))
        }),
        Predicate::Near { path, latitude, longitude, radius } => any_value(document, path, |value| {
            distance_to(value, *latitude, *longitude).is_some_and(|distance| distance <= *radius)
        }),
        Predicate::Date(path, test) => match path {
            Path::FirstPublication => document.head.first_publication.is_some_and(|at| date_holds(test, at)),
            Path::LastPublication => document.head.last_publication.is_some_and(|at| date_holds(test, at)),
            path => any_value(document, path, |value| {
                value.as_str().and_then(parse_millis).is_some_and(|at| date_holds(test, at))
            }),
        },
    }
}

fn of_type(path: &Path, document: &Document) -> bool {
    path.type_id().is_none_or(|type_id| *type_id == *document.head.type_id)
}

fn compares<T: PartialOrd>(found: T, comparison: Comparison, wanted: T) -> bool {
    match comparison {
        Comparison::Less => found < wanted,
        Comparison::Equal => found == wanted,
        Comparison::Greater => found > wanted,
    }
}

fn date_holds(test: &DateTest, at: Millis) -> bool {
    match test {
        DateTest::Instant(comparison, wanted) => compares(at, *comparison, *wanted),
        DateTest::Between(from, to) => (*from..=*to).contains(&at),
        DateTest::Part(part, comparison, wanted) => {
            part.of(at).is_some_and(|found| compares(found, *comparison, *wanted))
        }
    }
}

fn is_at(document: &Document, path: &Path, values: &[Scalar]) -> bool {
    let head = &document.head;
    let text_is = |found: Option<&str>| match values {
        [Scalar::Text(wanted)] => found == Some(wanted.as_str()),
        _ => false,
    };
    match path {
        Path::Id => text_is(Some(&head.id)),
        Path::Type => text_is(Some(&head.type_id)),
        Path::Lang => text_is(Some(&head.lang)),
        Path::Uid { .. } => text_is(head.uid.as_deref()),
        Path::Tags => values.iter().all(|value| match value {
            Scalar::Text(wanted) => head.tags.iter().any(|tag| **tag == **wanted),
            _ => false,
        }),
        Path::Field { .. } => {
            values.first().is_some_and(|wanted| any_value(document, path, |found| equals(found, wanted)))
        }
        Path::Document | Path::FirstPublication | Path::LastPublication => false,
    }
}

fn equals(found: &Value, wanted: &Scalar) -> bool {
    match (found, wanted) {
        // Prismic: equality works on dates, not on timestamps.
        (Value::String(found), Scalar::Text(wanted)) => found == wanted && !is_timestamp(found),
        (Value::Number(found), Scalar::Number(wanted)) => found.as_f64() == Some(*wanted),
        (Value::Bool(found), Scalar::Bool(wanted)) => found == wanted,
        // Content relationships are found by the id of their target.
        (Value::Object(link), Scalar::Text(wanted)) => {
            link.contains_key("link_type") && link.get("id").and_then(Value::as_str) == Some(wanted)
        }
        _ => false,
    }
}

fn any_value(document: &Document, path: &Path, mut test: impl FnMut(&Value) -> bool) -> bool {
    let mut found = false;
    each_value(document, path, |value| found = found || test(value));
    found
}

/// Hands each value under a field's path to `found`: of every item of groups and lists.
fn each_value(document: &Document, path: &Path, mut found: impl FnMut(&Value)) {
    fn descend(value: &Value, names: &[String], found: &mut impl FnMut(&Value)) {
        match (value, names) {
            (Value::Array(items), _) => items.iter().for_each(|item| descend(item, names, found)),
            (value, []) => found(value),
            (Value::Object(members), [name, deeper @ ..]) => {
                if let Some(member) = members.get(name) {
                    descend(member, deeper, found);
                }
            }
            _ => {}
        }
    }
    if let Path::Field { names, .. } = path
        && of_type(path, document)
        && let Some(value) = document.field(&names[0])
    {
        descend(&value, &names[1..], &mut found);
    }
}

fn has_words(document: &Document, path: &Path, wanted: &[String]) -> bool {
    let mut found = HashSet::new();
    let mut add = |text: &str| found.extend(words(text));
    match path {
        Path::Document => {
            document.head.uid.iter().for_each(|uid| add(uid));
            if let Ok(data) = serde_json::from_slice::<Value>(document.data()) {
                each_text(&data, &mut |text| add(text));
            }
        }
        Path::Uid { .. } => document.head.uid.iter().for_each(|uid| add(uid)),
        Path::Field { names, .. } if names.len() == 1 => {
            if let Some(value) = document.field(&names[0]) {
                each_text(&value, &mut |text| add(text));
            }
        }
        _ => each_value(document, path, |value| each_text(value, &mut |text| add(text))),
    }
    !wanted.is_empty() && wanted.iter().all(|word| found.contains(word))
}

fn is_filled(document: &Document, path: &Path) -> bool {
    match path {
        Path::Uid { .. } => document.head.uid.is_some(),
        Path::Field { names, .. } if names.len() == 1 => {
            document.field(&names[0]).is_some_and(|value| is_value_filled(&value))
        }
        _ => any_value(document, path, is_value_filled),
    }
}

/// Knows the many ways in which Prismic writes "nothing".
fn is_value_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_value_filled),
        Value::Object(members) => {
            let text =
                |key: &str| members.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if members.contains_key("link_type") {
                text("id") || text("url")
            } else if members.contains_key("dimensions") {
                text("url")
            } else if members.contains_key("spans") {
                text("text")
            } else {
                members.values().any(is_value_filled)
            }
        }
    }
}

/// Distance in kilometres on a sphere of the earth's mean radius.
fn distance_to(value: &Value, latitude: f64, longitude: f64) -> Option<f64> {
    const EARTH_RADIUS: f64 = 6371.0;
    let from = value.get("latitude")?.as_f64()?.to_radians();
    let east = (value.get("longitude")?.as_f64()? - longitude).to_radians();
    let to = latitude.to_radians();
    let half = ((from - to) / 2.0).sin().powi(2) + from.cos() * to.cos() * (east / 2.0).sin().powi(2);
    Some(2.0 * EARTH_RADIUS * half.sqrt().min(1.0).asin())
}

fn terms(document: &Document) -> HashSet<String> {
    let head = &document.head;
    let texts = head.slugs.iter().chain(&head.tags).chain(&head.uid);
    texts.flat_map(|text| words(text)).collect()
}

/// Ids of documents that share rare terms with `id`, with the number of terms shared.
fn similar_to<'s>(set: &'s DocumentSet, id: &str, most: f64) -> HashMap<&'s str, usize> {
    let Some(origin) = set.place(id).map(|place| set.at(place)) else { return HashMap::new() };
    let wanted = terms(origin);
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for place in set.places() {
        let document = set.at(place);
        for term in terms(document) {
            if let Some(term) = wanted.get(&term) {
                users.entry(term).or_default().push(&document.head.id);
            }
        }
    }
    let mut shared = HashMap::new();
    #[expect(clippy::cast_precision_loss, reason = "a set has fewer than 2^32 documents")]
    let rare = users.into_values().filter(|users| users.len() as f64 <= most);
    for user in rare.flatten().filter(|user| *user != id) {
        *shared.entry(user).or_insert(0) += 1;
    }
    shared
}
