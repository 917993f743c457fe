//! Projections: what a request wants of each document, and of those that it links to.
//!
//! `fetch` and `graphQuery` leave fields out, `fetchLinks` and `graphQuery` put fields of linked
//! documents into links, `routes` fills `url`. A document is parsed for that, changed and printed
//! again; requests without any of these never come here and are copied byte by byte.
//!
//! **Why in rounds.** Which linked documents are needed is known only while a document is worked
//! on, and loading them may mean reading a vault. So work is done over [`Linked`], which hands out
//! what is there and remembers what is not; the caller loads that and works again from the
//! beginning. The number of rounds is bounded by how deep a request may reach
//! ([`DEPTH_MAX`]), what each loads by [`Projection::apply`]'s caller, and what is embedded by
//! [`Linked`]: documents that link to each other would be embedded in each other without end.
//!
//! **Invariants.** What a request asks for and this engine cannot read is refused with a parsing
//! error, never ignored. Nothing here reads or writes anything but its arguments.
//!
//! Freely chosen where Prismic documents nothing (docs/compatibility.md): documents of types that
//! `fetch` or `graphQuery` do not name have empty `data`; a link whose target is not published keeps
//! what it has; `fetchLinks` reaches links in rich text as well.

mod fields;
mod graph;
mod routes;

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::query::ParsingError;
use fields::Fields;
use graph::GraphQuery;
use routes::Routes;

/// How many links deep a request may reach from a document. Prismic documents two for resolvers
/// and shows queries of three or four; every level is a round of reading.
pub(super) const DEPTH_MAX: usize = 8;

/// A document as an object.
pub(super) type Object = Map<String, Value>;

/// Documents that links lead to: by id, `None` for one that is not published.
pub(super) type Known = HashMap<String, Option<Object>>;

/// What is known of linked documents, and what else would be needed.
#[derive(Debug)]
pub(super) struct Linked<'a> {
    known: &'a Known,
    missing: BTreeSet<String>,
    /// Bytes that may still be embedded.
    left: usize,
}

impl<'a> Linked<'a> {
    /// Embeds about `bytes_max` bytes of them at most.
    pub(super) fn new(known: &'a Known, bytes_max: usize) -> Self {
        Self { known, missing: BTreeSet::new(), left: bytes_max }
    }

    /// Whether more was asked for than may be embedded; then the answer is not what was asked for.
    pub(super) fn is_too_much(&self) -> bool {
        self.left == 0
    }

    /// Notes what is embedded in a link.
    fn embedded(&mut self, data: &Object) {
        // Besides what is in it, an object takes some bytes itself.
        self.left = self.left.saturating_sub(data.values().map(size_of).sum::<usize>() + 64);
    }

    /// Ids of the documents that were asked for and are not known.
    pub(super) fn into_missing(self) -> BTreeSet<String> {
        self.missing
    }

    fn get(&mut self, id: &str) -> Option<&'a Object> {
        if self.left == 0 {
            return None;
        }
        match self.known.get(id) {
            Some(found) => found.as_ref(),
            None => {
                self.missing.insert(id.to_owned());
                None
            }
        }
    }
}

/// What a request wants of documents.
#[derive(Debug, Default)]
pub(super) struct Projection {
    fetch: Option<Fields>,
    fetch_links: Option<Fields>,
    graph: Option<GraphQuery>,
    routes: Option<Routes>,
}

impl Projection {
    /// Reads the parameters, which `get` returns by name; `None` when documents are wanted as they
    /// are. `master` is the locale that `:lang?` leaves out.
    ///
    /// # Errors
    ///
    /// A parameter that cannot be read, with its name and place.
    pub(super) fn parse<'p>(
        get: impl Fn(&str) -> Option<&'p str>,
        master: Option<&str>,
    ) -> Result<Option<Self>, ParsingError> {
        let projection = Self {
            fetch: get("fetch").map(|text| Fields::parse(text, "fetch")).transpose()?.flatten(),
            fetch_links: get("fetchLinks")
                .map(|text| Fields::parse(text, "fetchLinks"))
                .transpose()?
                .flatten(),
            graph: get("graphQuery").map(GraphQuery::parse).transpose()?,
            routes: get("routes")
                .map(|text| Routes::parse(text, get("brokenRoute"), master))
                .transpose()?
                .flatten(),
        };
        let Self { fetch, fetch_links, graph, routes } = &projection;
        let is_plain = fetch.is_none() && fetch_links.is_none() && graph.is_none() && routes.is_none();
        Ok((!is_plain).then_some(projection))
    }

    /// Changes a document into what is wanted of it, as far as `linked` knows what that needs.
    pub(super) fn apply(&self, document: &mut Object, linked: &mut Linked<'_>) {
        let type_id = document.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        // Resolvers read fields that may be left out below.
        let url = self.routes.as_ref().map(|routes| routes.url_of(document, linked));
        if let Some(Value::Object(data)) = document.get_mut("data") {
            if let Some(fetch) = &self.fetch {
                fetch.keep(&type_id, data);
            }
            if let Some(graph) = &self.graph {
                *data = graph.select(&type_id, data, linked);
            }
        }
        if let Some(data) = document.get_mut("data") {
            if let Some(fields) = &self.fetch_links {
                fields.embed(data, linked);
            }
            if let Some(routes) = &self.routes {
                routes.fill_links(data, linked);
            }
        }
        if let Some(url) = url {
            document.insert("url".to_owned(), url.into());
        }
    }
}

/// About how many bytes a value takes when it is written.
fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 8,
        Value::Array(items) => items.iter().map(size_of).sum::<usize>() + 8,
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + 8 + size_of(member)).sum::<usize>() + 8
        }
    }
}

/// The id of what a value links to, when it is a filled link to a document that is not broken.
fn target_of(link: &Object) -> Option<&str> {
    let is_document = link.get("link_type").and_then(Value::as_str) == Some("Document");
    let is_broken = link.get("isBroken").and_then(Value::as_bool) == Some(true);
    if is_document && !is_broken { link.get("id").and_then(Value::as_str) } else { None }
}

/// Hands every link to a document within a value to `found`, from the inside outwards: what is put
/// into a link is not looked at again, so documents that link to each other come to an end.
fn each_link(value: &mut Value, found: &mut impl FnMut(&mut Object)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_link(item, found)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| each_link(member, found));
            if members.get("link_type").and_then(Value::as_str) == Some("Document") {
                found(members);
            }
        }
        _ => {}
    }
}

/// The members of an object, for tests.
#[cfg(test)]
fn object(value: Value) -> Object {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}
