//! `GET /api/v2/documents/search`: parameters, the page they ask for, and its envelope.
//!
//! Freely chosen where Prismic documents nothing: a page past the end is empty, no result makes
//! `total_pages` 0, `after` an id that is not in the result gives nothing (it could only come
//! from another query), `after` leaves the totals as they are, `pageSize` above 100 is 100.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use url::form_urlencoded;

use super::ordering::{OrderBy, parse_orderings};
use super::query::{ParsingError, Query};
use super::set::DocumentSet;
use super::source::RepositoryRoot;

/// Prismic's own maximum.
const PAGE_SIZE_MAX: usize = 100;
const PAGE_SIZE_DEFAULT: usize = 20;

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
    page: usize,
    page_size: usize,
}

impl Search {
    /// Reads the parameters. What this engine cannot do is refused: a projection that is ignored
    /// would answer with something else than was asked for.
    pub(super) fn parse(parameters: Parameters, root: &RepositoryRoot) -> Result<Self, ParsingError> {
        for location in ["fetch", "fetchLinks", "graphQuery", "routes"] {
            if parameters.get(location).is_some_and(|value| value.trim() != "[]") {
                let message = format!("[{location}] this server does not support the parameter '{location}'");
                return Err(ParsingError::parameter(location, message));
            }
        }
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
        let page = parameters.number("page", 1)?;
        let page_size = parameters.number("pageSize", PAGE_SIZE_DEFAULT)?.min(PAGE_SIZE_MAX);
        Ok(Self { reference, query, orderings, lang, page, page_size, parameters })
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

    /// Answers from a set: the whole body.
    pub(super) fn answer(&self, set: &Arc<DocumentSet>, place: &Place<'_>, root: &RepositoryRoot) -> Vec<u8> {
        let all = set.select(&self.key(), &self.query, &self.orderings, self.lang.as_deref());
        let remaining = match self.parameters.get("after") {
            None => &all[..],
            Some(id) => match all.iter().position(|at| *set.document(*at).head.id == *id) {
                Some(at) => &all[at + 1..],
                None => &[],
            },
        };
        let from = (self.page - 1).saturating_mul(self.page_size).min(remaining.len());
        let to = from.saturating_add(self.page_size).min(remaining.len());
        let results = &remaining[from..to];
        let next = (to < remaining.len()).then(|| self.page_address(place, self.page + 1));
        let previous = (self.page > 1).then(|| self.page_address(place, self.page - 1));
        let href = place.href_before(&self.reference);
        let size = results
            .iter()
            .map(|at| set.document(*at).rendered_len(place.asset_host) + href.len())
            .sum::<usize>();
        let mut body = Vec::with_capacity(size + 1024);
        let head = format!(
            r#"{{"page":{},"results_per_page":{},"results_size":{},"total_results_size":{},"total_pages":{},"next_page":{},"prev_page":{},"results":["#,
            self.page,
            self.page_size,
            results.len(),
            all.len(),
            all.len().div_ceil(self.page_size),
            Value::from(next),
            Value::from(previous),
        );
        body.extend_from_slice(head.as_bytes());
        for (index, at) in results.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            set.document(*at).render(&href, place.asset_host, &mut body);
        }
        let version = Value::from(root.version.as_str());
        let license = Value::from(root.license.as_str());
        body.extend_from_slice(format!(r#"],"version":{version},"license":{license}}}"#).as_bytes());
        body
    }

    /// The same search for another page. The token is left out: addresses get logged.
    fn page_address(&self, place: &Place<'_>, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.parameters.0 {
            if !matches!(key.as_str(), "page" | "pageSize" | "access_token") {
                query.append_pair(key, value);
            }
        }
        query.append_pair("page", &page.to_string()).append_pair("pageSize", &self.page_size.to_string());
        format!("{}/api/v2/documents/search?{}", place.base, query.finish())
    }
}

/// Where the answering server is, for the addresses in its answers.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) base: Cow<'a, str>,
    pub(super) asset_host: &'a str,
}

impl Place<'_> {
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
