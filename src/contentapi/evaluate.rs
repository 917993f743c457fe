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
use super::head::Head;
use super::ordering::{OrderBy, SortValue, compare};
use super::query::{Comparison, DateTest, Path, Predicate, Query, Scalar};
use super::set::DocumentSet;
use super::slots::Stop;
use super::source::SourceError;
use super::text::{each_text, words};

/// A document, or as much of it as is known without reading it.
#[derive(Clone, Copy)]
struct Subject<'d> {
    head: &'d Head,
    document: Option<&'d Document>,
}

impl Subject<'_> {
    fn field(&self, name: &str) -> Option<Value> {
        self.document?.field(name)
    }
}

/// What decides about the place of a document in a result, where it takes more than its head.
struct Keys {
    values: Vec<Option<SortValue>>,
    distance: f64,
}

/// Selects from a set and orders; returns places in the set's default order.
///
/// Documents are read only where a predicate or an ordering looks into them, each once.
pub(super) fn select(
    set: &DocumentSet,
    query: &Query,
    orderings: &[OrderBy],
    lang: Option<&str>,
    stop: &Stop,
) -> Result<Vec<u32>, SourceError> {
    let similar: Vec<HashMap<&str, usize>> = query
        .predicates
        .iter()
        .filter_map(|predicate| match predicate {
            Predicate::Similar(id, most) => Some(similar_to(set, id, *most)),
            _ => None,
        })
        .collect();
    let (mut of_data, of_head): (Vec<&Predicate>, Vec<&Predicate>) =
        query.predicates.iter().partition(|predicate| needs_data(predicate));
    of_data.sort_by_key(|predicate| matches!(predicate, Predicate::Fulltext(Path::Document, _)));
    let chosen = |place: &u32| {
        let head = set.head(*place);
        let subject = Subject { head, document: None };
        lang.is_none_or(|lang| *head.lang() == *lang)
            && of_head.iter().all(|predicate| holds(predicate, subject))
            && of_data.iter().all(|predicate| path_of(predicate).is_none_or(|path| of_type(path, subject)))
            && similar.iter().all(|found| found.contains_key(head.id()))
    };
    let mut places: Vec<u32> = match candidates(set, query) {
        Some(candidates) => candidates.into_iter().filter(chosen).collect(),
        None => set.places().filter(chosen).collect(),
    };
    let mut keys = HashMap::new();
    if !of_data.is_empty() || orderings.iter().any(OrderBy::needs_data) {
        let near = nearness(query);
        set.each(&places, &mut |place, document| {
            stop.check()?;
            let subject = Subject { head: set.head(place), document: Some(document) };
            if of_data.iter().all(|predicate| holds(predicate, subject)) {
                let values = orderings.iter().map(|key| key.value(subject.head, Some(document))).collect();
                let distance = near.map_or(0.0, |near| nearest(subject, near));
                keys.insert(place, Keys { values, distance });
            }
            Ok(())
        })?;
        places.retain(|place| keys.contains_key(place));
    }
    if orderings.is_empty() {
        order_by_predicate(set, query, &similar, &keys, &mut places);
    } else {
        let mut keyed: Vec<(Vec<Option<SortValue>>, u32)> = places
            .into_iter()
            .map(|place| match keys.remove(&place) {
                Some(keys) => (keys.values, place),
                None => (orderings.iter().map(|key| key.value(set.head(place), None)).collect(), place),
            })
            .collect();
        keyed.sort_by(|a, b| compare(orderings, (&a.0, set.head(a.1)), (&b.0, set.head(b.1))));
        places = keyed.into_iter().map(|(_, place)| place).collect();
    }
    Ok(places)
}

/// Documents that a predicate on id or uid leaves over, in the set's order; `None` for all.
pub(super) fn candidates(set: &DocumentSet, query: &Query) -> Option<Vec<u32>> {
    let texts = |values: &[Scalar]| -> Vec<String> {
        let text = |value: &Scalar| match value {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        };
        values.iter().filter_map(text).collect()
    };
    let (wanted, are_ids) = query.predicates.iter().find_map(|predicate| match predicate {
        Predicate::At(path @ (Path::Id | Path::Uid { .. }), values)
        | Predicate::Any(path @ (Path::Id | Path::Uid { .. }), values) => {
            Some((texts(values), *path == Path::Id))
        }
        Predicate::In(path, texts) => Some((texts.clone(), *path == Path::Id)),
        _ => None,
    })?;
    let mut places: Vec<u32> = match are_ids {
        true => wanted.iter().filter_map(|id| set.place(id)).collect(),
        false => wanted.iter().flat_map(|uid| set.places_of_uid(uid)).copied().collect(),
    };
    places.sort_unstable();
    places.dedup();
    Some(places)
}

/// Whether a query is answered from heads alone and from few of them.
pub(super) fn is_quick(query: &Query, orderings: &[OrderBy]) -> bool {
    query.predicates.iter().any(|predicate| match predicate {
        Predicate::At(path, _) => matches!(path, Path::Id | Path::Uid { .. }),
        _ => false,
    }) && !is_heavy(query, orderings)
}

/// Whether a query looks into many documents, or at every head more than once.
pub(super) fn is_heavy(query: &Query, orderings: &[OrderBy]) -> bool {
    query
        .predicates
        .iter()
        .any(|predicate| needs_data(predicate) || matches!(predicate, Predicate::Similar(..)))
        || orderings.iter().any(OrderBy::needs_data)
}

/// The predicate of nearness that orders a result.
fn nearness(query: &Query) -> Option<&Predicate> {
    let orders = |predicate: &&Predicate| {
        matches!(predicate, Predicate::In(..) | Predicate::Near { .. } | Predicate::Similar(..))
    };
    query.predicates.iter().find(orders).filter(|predicate| matches!(predicate, Predicate::Near { .. }))
}

/// Kilometres to the nearest place of a document that a predicate looks at.
fn nearest(subject: Subject<'_>, near: &Predicate) -> f64 {
    let mut nearest = f64::INFINITY;
    if let Predicate::Near { path, latitude, longitude, .. } = near {
        each_value(subject, path, |value| {
            nearest = nearest.min(distance_to(value, *latitude, *longitude).unwrap_or(f64::INFINITY));
        });
    }
    nearest
}

fn order_by_predicate(
    set: &DocumentSet,
    query: &Query,
    similar: &[HashMap<&str, usize>],
    keys: &HashMap<u32, Keys>,
    places: &mut [u32],
) {
    for predicate in &query.predicates {
        match predicate {
            Predicate::In(path, wanted) => {
                let rank: HashMap<&str, usize> = wanted.iter().map(String::as_str).zip(0..).collect();
                places.sort_by_key(|place| {
                    let head = set.head(*place);
                    let value = if *path == Path::Id { Some(head.id()) } else { head.uid() };
                    value.and_then(|value| rank.get(value).copied())
                });
                return;
            }
            Predicate::Near { .. } => {
                let distance = |place: &u32| keys.get(place).map_or(f64::INFINITY, |keys| keys.distance);
                places.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
                return;
            }
            Predicate::Similar(..) => {
                let shared = similar.first();
                places.sort_by_key(|place| {
                    std::cmp::Reverse(shared.and_then(|found| found.get(set.head(*place).id())))
                });
                return;
            }
            _ => {}
        }
    }
}

/// What a predicate looks at.
fn path_of(predicate: &Predicate) -> Option<&Path> {
    match predicate {
        Predicate::At(path, _)
        | Predicate::Not(path, _)
        | Predicate::Any(path, _)
        | Predicate::In(path, _)
        | Predicate::Fulltext(path, _)
        | Predicate::Has(path)
        | Predicate::Missing(path)
        | Predicate::Number(path, ..)
        | Predicate::NumberInRange(path, ..)
        | Predicate::Near { path, .. }
        | Predicate::Date(path, _) => Some(path),
        Predicate::Similar(..) => None,
    }
}

/// Whether it takes more than a head to test a predicate.
fn needs_data(predicate: &Predicate) -> bool {
    matches!(path_of(predicate), Some(Path::Field { .. } | Path::Document))
}

/// Tests one document; `similar` is tested by the caller, who knows the set.
fn holds(predicate: &Predicate, subject: Subject<'_>) -> bool {
    match predicate {
        Predicate::At(path, values) => of_type(path, subject) && is_at(subject, path, values),
        Predicate::Not(path, values) => of_type(path, subject) && !is_at(subject, path, values),
        Predicate::Any(path, values) => {
            of_type(path, subject)
                && values.iter().any(|value| is_at(subject, path, std::slice::from_ref(value)))
        }
        Predicate::In(path, wanted) => {
            let head = subject.head;
            let value = if *path == Path::Id { Some(head.id()) } else { head.uid() };
            of_type(path, subject) && value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        }
        Predicate::Fulltext(path, wanted) => of_type(path, subject) && has_words(subject, path, wanted),
        Predicate::Has(path) => of_type(path, subject) && is_filled(subject, path),
        Predicate::Missing(path) => of_type(path, subject) && !is_filled(subject, path),
        Predicate::Similar(..) => true,
        Predicate::Number(path, comparison, wanted) => any_value(subject, path, |value| {
            value.as_f64().is_some_and(|found| compares(found, *comparison, *wanted))
        }),
        Predicate::NumberInRange(path, low, high) => any_value(subject, path, |value| {
            value.as_f64().is_some_and(|found| (*low..=*high).contains(&found))
        }),
        Predicate::Near { path, latitude, longitude, radius } => any_value(subject, path, |value| {
            distance_to(value, *latitude, *longitude).is_some_and(|distance| distance <= *radius)
        }),
        Predicate::Date(path, test) => match path {
            Path::FirstPublication => subject.head.first_publication().is_some_and(|at| date_holds(test, at)),
            Path::LastPublication => subject.head.last_publication().is_some_and(|at| date_holds(test, at)),
            path => any_value(subject, path, |value| {
                value.as_str().and_then(parse_millis).is_some_and(|at| date_holds(test, at))
            }),
        },
    }
}

fn of_type(path: &Path, subject: Subject<'_>) -> bool {
    path.type_id().is_none_or(|type_id| *type_id == *subject.head.type_id())
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

fn is_at(subject: Subject<'_>, path: &Path, values: &[Scalar]) -> bool {
    let head = subject.head;
    let text_is = |found: Option<&str>| match values {
        [Scalar::Text(wanted)] => found == Some(wanted.as_str()),
        _ => false,
    };
    match path {
        Path::Id => text_is(Some(head.id())),
        Path::Type => text_is(Some(head.type_id())),
        Path::Lang => text_is(Some(head.lang())),
        Path::Uid { .. } => text_is(head.uid()),
        Path::Tags => values.iter().all(|value| match value {
            Scalar::Text(wanted) => head.tags().any(|tag| *tag == **wanted),
            _ => false,
        }),
        Path::Field { .. } => {
            values.first().is_some_and(|wanted| any_value(subject, path, |found| equals(found, wanted)))
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

fn any_value(subject: Subject<'_>, path: &Path, mut test: impl FnMut(&Value) -> bool) -> bool {
    let mut found = false;
    each_value(subject, path, |value| found = found || test(value));
    found
}

/// Hands each value under a field's path to `found`: of every item of groups and lists.
fn each_value(subject: Subject<'_>, path: &Path, mut found: impl FnMut(&Value)) {
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
        && of_type(path, subject)
        && let Some(value) = subject.field(&names[0])
    {
        descend(&value, &names[1..], &mut found);
    }
}

fn has_words(subject: Subject<'_>, path: &Path, wanted: &[String]) -> bool {
    let mut found = HashSet::new();
    let mut add = |text: &str| found.extend(words(text));
    match path {
        Path::Document => {
            subject.head.uid().iter().for_each(|uid| add(uid));
            if let Some(document) = subject.document
                && let Ok(data) = serde_json::from_slice::<Value>(document.data())
            {
                each_text(&data, &mut |text| add(text));
            }
        }
        Path::Uid { .. } => subject.head.uid().iter().for_each(|uid| add(uid)),
        Path::Field { names, .. } if names.len() == 1 => {
            if let Some(value) = subject.field(&names[0]) {
                each_text(&value, &mut |text| add(text));
            }
        }
        _ => each_value(subject, path, |value| each_text(value, &mut |text| add(text))),
    }
    !wanted.is_empty() && wanted.iter().all(|word| found.contains(word))
}

fn is_filled(subject: Subject<'_>, path: &Path) -> bool {
    match path {
        Path::Uid { .. } => subject.head.uid().is_some(),
        Path::Field { names, .. } if names.len() == 1 => {
            subject.field(&names[0]).is_some_and(|value| is_value_filled(&value))
        }
        _ => any_value(subject, path, is_value_filled),
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

fn terms(head: &Head) -> HashSet<String> {
    let texts = head.slugs().chain(head.tags()).chain(head.uid());
    texts.flat_map(words).collect()
}

/// Ids of documents that share rare terms with `id`, with the number of terms shared.
fn similar_to<'s>(set: &'s DocumentSet, id: &str, most: f64) -> HashMap<&'s str, usize> {
    let Some(origin) = set.place(id).map(|place| set.head(place)) else { return HashMap::new() };
    let wanted = terms(origin);
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for place in set.places() {
        let head = set.head(place);
        for term in terms(head) {
            if let Some(term) = wanted.get(&term) {
                users.entry(term).or_default().push(head.id());
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
