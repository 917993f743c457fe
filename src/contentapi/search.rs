//! `GET /api/v2/documents/search`: parameters, the page they ask for, and its envelope.
//!
//! Freely chosen where Prismic documents nothing: a page past the end is empty, no result makes
//! `total_pages` 0, `after` an id that is not in the result gives nothing (it could only come
//! from another query), `after` leaves the totals as they are, `pageSize` above 100 is 100.

use std::sync::Arc;

use serde_json::Value;
use url::form_urlencoded;

use super::answer::Refusal;
use super::document::Document;
use super::evaluate::{is_heavy, is_quick, select};
use super::ordering::{OrderBy, parse_orderings};
use super::projection::{Known, Linked, Object, Projection};
use super::query::{ParsingError, Query};
use super::set::DocumentSet;
use super::slots::Stop;
use super::source::RepositoryRoot;
use crate::ids::Digest;
use crate::limits::Limits;

/// Prismic's own maximum.
const PAGE_SIZE_MAX: usize = 100;
const PAGE_SIZE_DEFAULT: usize = 20;
/// The parameter with the token of whoever asks.
pub(super) const ACCESS_TOKEN: &str = "access_token";
/// Most linked documents that one answer may need: twenty for each of the largest page.
const LINKED_MAX: usize = 2_000;

/// A request's parameters, in order, decoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns the first value that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &'static str, default: usize) -> Result<usize, ParsingError> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                ParsingError::parameter(name, format!("[{name}] '{text}' is not a positive whole number"))
            }),
        }
    }
}

/// A search as it was asked for, everything checked but the ref.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) reference: String,
    parameters: Parameters,
    query: Query,
    orderings: Vec<OrderBy>,
    lang: Option<String>,
    projection: Option<Projection>,
    page: usize,
    page_size: usize,
}

impl Search {
    /// Reads the parameters.
    pub(super) fn parse(parameters: Parameters, root: &RepositoryRoot) -> Result<Self, ParsingError> {
        let reference = parameters
            .get("ref")
            .ok_or_else(|| ParsingError::parameter("ref", "[ref] the parameter 'ref' is required"))?
            .to_owned();
        let known_type = |id: &str| root.types.iter().any(|(known, _)| known == id);
        let queries: Vec<&str> = parameters.all("q").collect();
        let query = Query::parse(&queries, known_type)?;
        let orderings = parse_orderings(parameters.get("orderings").unwrap_or_default(), known_type)?;
        let lang = match parameters.get("lang") {
            Some("*") => None,
            Some(lang) => Some(lang.to_owned()),
            None => root.master_language().map(str::to_owned),
        };
        let projection = Projection::parse(|name| parameters.get(name), root.master_language())?;
        let page = parameters.number("page", 1)?;
        let page_size = parameters.number("pageSize", PAGE_SIZE_DEFAULT)?.min(PAGE_SIZE_MAX);
        Ok(Self { reference, query, orderings, lang, projection, page, page_size, parameters })
    }

    /// Lowers the number of documents a page holds, whatever was asked for.
    pub(super) fn cap(&mut self, page_size: usize) {
        self.page_size = self.page_size.min(page_size.max(1));
    }

    /// Equal for searches that select the same documents in the same order.
    fn key(&self) -> String {
        let mut key = form_urlencoded::Serializer::new(String::new());
        for query in self.parameters.all("q") {
            key.append_pair("q", query);
        }
        key.append_pair("o", self.parameters.get("orderings").unwrap_or_default());
        key.append_pair("l", self.lang.as_deref().unwrap_or("*"));
        key.finish()
    }

    /// Whether it takes more than the heads of documents, and a page of them.
    pub(super) fn is_heavy(&self) -> bool {
        self.projection.is_some() || is_heavy(&self.query, &self.orderings)
    }

    /// Names the answer, which never changes: a ref stands for the same documents for ever. The token
    /// is no part of it.
    pub(super) fn tag(&self, place: &Place) -> String {
        let mut asked = form_urlencoded::Serializer::new(String::new());
        asked.append_pair("", env!("CARGO_PKG_VERSION"));
        asked.append_pair("", &place.base).append_pair("", &place.asset_host);
        asked.append_pair("", self.lang.as_deref().unwrap_or("*"));
        asked.extend_pairs(self.parameters.0.iter().filter(|(name, _)| name != ACCESS_TOKEN));
        format!("W/\"{}\"", Digest::of(asked.finish().as_bytes()))
    }

    /// Answers from a set: the whole body.
    ///
    /// # Errors
    ///
    /// When a document cannot be read, too many would have to be, or `stop` says so.
    pub(super) fn answer(
        &self,
        set: &DocumentSet,
        place: &Place,
        root: &RepositoryRoot,
        limits: &Limits,
        stop: &Stop,
    ) -> Result<Vec<u8>, Refusal> {
        let all = set.select(&self.key(), &self.query, &self.orderings, self.lang.as_deref(), stop)?;
        let page = self.page_of(set, &all);
        let documents = set.load(page.results)?;
        let href = place.href_before(&self.reference);
        let rendering = Rendering { set, href: &href, asset_host: &place.asset_host, limits, stop };
        let results = match &self.projection {
            None => rendering.as_they_are(&documents),
            Some(projection) => rendering.projected(projection, &documents)?,
        };
        Ok(self.envelope(&page, place, root, &results))
    }

    /// The same where nothing has to be waited for, searched or changed; `None` otherwise.
    pub(super) fn answer_now(
        &self,
        set: &DocumentSet,
        place: &Place,
        root: &RepositoryRoot,
        limits: &Limits,
    ) -> Option<Vec<u8>> {
        if self.projection.is_some() || !is_quick(&self.query, &self.orderings) {
            return None;
        }
        let stop = &Stop::never();
        let all = select(set, &self.query, &self.orderings, self.lang.as_deref(), stop).ok()?;
        let page = self.page_of(set, &all);
        let documents = set.loaded(page.results)?;
        let href = place.href_before(&self.reference);
        let rendering = Rendering { set, href: &href, asset_host: &place.asset_host, limits, stop };
        Some(self.envelope(&page, place, root, &rendering.as_they_are(&documents)))
    }

    /// The part of the result that is asked for.
    fn page_of<'r>(&self, set: &DocumentSet, all: &'r [u32]) -> Page<'r> {
        let remaining = match self.parameters.get("after") {
            None => all,
            Some(id) => match all.iter().position(|at| *set.head(*at).id() == *id) {
                Some(at) => &all[at + 1..],
                None => &[],
            },
        };
        let from = (self.page - 1).saturating_mul(self.page_size).min(remaining.len());
        let to = from.saturating_add(self.page_size).min(remaining.len());
        Page { results: &remaining[from..to], total: all.len(), is_last: to == remaining.len() }
    }

    /// What stands around the results.
    fn envelope(&self, page: &Page<'_>, place: &Place, root: &RepositoryRoot, results: &[u8]) -> Vec<u8> {
        let next = (!page.is_last).then(|| self.page_address(place, self.page + 1));
        let previous = (self.page > 1).then(|| self.page_address(place, self.page - 1));
        let head = format!(
            r#"{{"page":{},"results_per_page":{},"results_size":{},"total_results_size":{},"total_pages":{},"next_page":{},"prev_page":{},"results":["#,
            self.page,
            self.page_size,
            page.results.len(),
            page.total,
            page.total.div_ceil(self.page_size),
            Value::from(next),
            Value::from(previous),
        );
        let version = Value::from(root.version.as_str());
        let license = Value::from(root.license.as_str());
        let tail = format!(r#"],"version":{version},"license":{license}}}"#);
        [head.as_bytes(), results, tail.as_bytes()].concat()
    }

    /// The same search for another page. The token is left out: addresses get logged.
    fn page_address(&self, place: &Place, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.parameters.0 {
            if !matches!(key.as_str(), "page" | "pageSize" | ACCESS_TOKEN) {
                query.append_pair(key, value);
            }
        }
        query.append_pair("page", &page.to_string()).append_pair("pageSize", &self.page_size.to_string());
        format!("{}/api/v2/documents/search?{}", place.base, query.finish())
    }
}

/// A part of a result.
struct Page<'r> {
    results: &'r [u32],
    total: usize,
    is_last: bool,
}

/// Documents of one answer, as they are served.
struct Rendering<'a> {
    set: &'a DocumentSet,
    href: &'a str,
    asset_host: &'a str,
    limits: &'a Limits,
    stop: &'a Stop,
}

impl Rendering<'_> {
    /// The documents, with commas between them.
    fn as_they_are(&self, documents: &[Arc<Document>]) -> Vec<u8> {
        let size = |document: &Arc<Document>| document.rendered_len(self.asset_host) + self.href.len() + 1;
        let mut results = Vec::with_capacity(documents.iter().map(size).sum());
        for (index, document) in documents.iter().enumerate() {
            if index > 0 {
                results.push(b',');
            }
            document.render(self.href, self.asset_host, &mut results);
        }
        results
    }

    /// The documents as a projection wants them, with commas between them. Linked documents that it
    /// needs are loaded in rounds.
    fn projected(&self, projection: &Projection, documents: &[Arc<Document>]) -> Result<Vec<u8>, Refusal> {
        let documents: Vec<Object> =
            documents.iter().map(|document| self.object(document)).collect::<Result<_, _>>()?;
        let mut known = Known::new();
        let mut bytes = 0;
        let too_much = |what: String| {
            let message = format!("[pageSize] {what}, ask for a smaller page or for less of each document");
            Refusal::Parsing(ParsingError::parameter("pageSize", message))
        };
        loop {
            let mut linked = Linked::new(&known, self.limits.embedded_bytes_max);
            let mut projected = documents.clone();
            for document in &mut projected {
                self.stop.check()?;
                projection.apply(document, &mut linked);
            }
            if linked.is_too_much() {
                return Err(too_much("linked documents would be embedded too often".to_owned()));
            }
            let missing = linked.into_missing();
            if missing.is_empty() {
                let mut results = Vec::new();
                for (index, document) in projected.iter().enumerate() {
                    if index > 0 {
                        results.push(b',');
                    }
                    serde_json::to_writer(&mut results, document).map_err(|_| Refusal::Evaluation)?;
                }
                return Ok(results);
            }
            if known.len() + missing.len() > LINKED_MAX {
                return Err(too_much(format!(
                    "the linked documents of this page are more than {LINKED_MAX}"
                )));
            }
            let places: Vec<u32> = missing.iter().filter_map(|id| self.set.place(id)).collect();
            known.extend(missing.into_iter().map(|id| (id, None)));
            for document in self.set.load(&places)? {
                self.stop.check()?;
                bytes += document.data().len();
                if bytes > self.limits.linked_bytes_max {
                    return Err(too_much("the linked documents of this page are too large".to_owned()));
                }
                known.insert(document.head.id().to_string(), Some(self.object(&document)?));
            }
        }
    }

    fn object(&self, document: &Document) -> Result<Object, Refusal> {
        let mut text = Vec::with_capacity(document.rendered_len(self.asset_host) + self.href.len());
        document.render(self.href, self.asset_host, &mut text);
        serde_json::from_slice(&text).map_err(|_| Refusal::Evaluation)
    }
}

/// Where the answering server is, for the addresses in its answers.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) base: String,
    pub(super) asset_host: String,
}

impl Place {
    fn href_before(&self, reference: &str) -> String {
        let reference: String = form_urlencoded::byte_serialize(reference.as_bytes()).collect();
        // `~` of release refs stays as it is, as in the live API.
        let reference = reference.replace("%7E", "~");
        format!(
            "{}/api/v2/documents/search?ref={reference}&q=%5B%5B%3Ad+%3D+at%28document.id%2C+%22",
            self.base
        )
    }
}
