//! A search of the Content API: its parameters, its predicates, its page of documents.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::document::Document;
use super::error::{Patience, Result};

/// What to search for. There are no projections (`fetch`, `fetchLinks`, `graphQuery`) and no
/// routes: they change what a document's JSON holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The ref to read at.
    pub reference: String,
    /// Pins the content of integration fields.
    pub integration_fields_ref: Option<String>,
    /// A language, or `*` for all.
    pub lang: String,
    /// The page, from 1.
    pub page: u64,
    /// Documents a page; Prismic allows 1 to 100.
    pub page_size: u32,
    /// Leaves out everything up to and including this document in the order of the result.
    pub after: Option<String>,
    /// Conditions, all of which must hold; see [`predicate`].
    pub predicates: Vec<String>,
    /// Order: `[document.first_publication_date]`. The default never changes, so that pages do
    /// not shift.
    pub orderings: String,
}

impl Search {
    /// Returns a search for all documents in all languages at a ref.
    pub fn everything(reference: impl Into<String>, page_size: u32) -> Self {
        Self {
            reference: reference.into(),
            integration_fields_ref: None,
            lang: "*".to_owned(),
            page: 1,
            page_size,
            after: None,
            predicates: Vec::new(),
            orderings: "[document.first_publication_date]".to_owned(),
        }
    }

    /// Returns the parameters of the address, without token.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![
            ("ref", self.reference.clone()),
            ("lang", self.lang.clone()),
            ("page", self.page.to_string()),
            ("pageSize", self.page_size.to_string()),
        ];
        if !self.orderings.is_empty() {
            parameters.push(("orderings", self.orderings.clone()));
        }
        parameters.extend(self.after.iter().map(|id| ("after", id.clone())));
        parameters.extend(self.predicates.iter().map(|predicate| ("q", format!("[{predicate}]"))));
        parameters
            .extend(self.integration_fields_ref.iter().map(|value| ("integrationFieldsRef", value.clone())));
        parameters
    }
}

/// Conditions of a search, in the API's grammar.
pub mod predicate {
    /// The value at `path` is `value`: `[at(document.type, "page")]`.
    pub fn at(path: &str, value: &str) -> String {
        format!("[at({path}, {})]", quoted(value))
    }

    /// The document is one of these: `[in(document.id, ["a", "b"])]`.
    pub fn in_ids<T: AsRef<str>>(ids: &[T]) -> String {
        let ids: Vec<_> = ids.iter().map(|id| quoted(id.as_ref())).collect();
        format!("[in(document.id, [{}])]", ids.join(", "))
    }

    /// The time at `path` is after `value`: `[date.after(document.last_publication_date, …)]`.
    pub fn date_after(path: &str, value: &str) -> String {
        format!("[date.after({path}, {})]", quoted(value))
    }

    /// The time at `path` is before `value`.
    pub fn date_before(path: &str, value: &str) -> String {
        format!("[date.before({path}, {})]", quoted(value))
    }

    /// As the official client does: only the quote is escaped.
    pub(super) fn quoted(text: &str) -> String {
        format!("\"{}\"", text.replace('"', "\\\""))
    }
}

/// Some ids and the search that asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdBatch {
    /// The ids.
    pub ids: Vec<String>,
    /// One page that holds all of them that exist.
    pub search: Search,
}

/// One page of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchPage {
    /// Its number, from 1.
    pub page: u64,
    /// Documents a page as the API counts, which may be fewer than asked for.
    pub results_per_page: u64,
    /// Documents of the whole result.
    pub total_results_size: u64,
    /// Pages of the whole result; 0 or 1 when it is empty.
    pub total_pages: u64,
    /// Documents of this page.
    pub results_size: u64,
    /// Whether another page follows.
    pub next_page: bool,
    /// The documents.
    pub documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    page: u64,
    results_per_page: Option<u64>,
    results_size: u64,
    total_results_size: u64,
    total_pages: Option<u64>,
    next_page: Option<Value>,
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

impl SearchPage {
    /// Reads a page and checks that it agrees with itself and with what was asked for.
    pub(super) fn parse(answer: &Answer, search: &Search) -> Result<Self> {
        let envelope: Envelope<'_> = answer.parse(serde_json::from_slice(&answer.body))?;
        let torn = |what: &str| {
            Err(answer.bad(format!("answered with a torn page: {what}")).with_patience(Patience::Full))
        };
        let results = envelope.results.len() as u64;
        if envelope.results_size != results {
            return torn("it does not hold as many documents as it says");
        }
        if envelope.page != search.page {
            return torn("it is not the page that was asked for");
        }
        if envelope.total_results_size < results || results > u64::from(search.page_size) {
            return torn("it holds more documents than it can");
        }
        let results_per_page = envelope.results_per_page.unwrap_or_else(|| u64::from(search.page_size));
        let total_pages = envelope
            .total_pages
            .unwrap_or_else(|| envelope.total_results_size.div_ceil(results_per_page.max(1)));
        let next_page = envelope.next_page.is_some_and(|next| !next.is_null());
        // With `after` it is not known what the totals count.
        if search.after.is_none() && !next_page && envelope.page < total_pages {
            return torn("it says that it is the last and is not");
        }
        let documents = envelope.results.iter().map(|result| {
            Document::of_json(result.get().as_bytes()).map_err(|error| {
                answer.bad("answered with something that is not a document").with_source(error)
            })
        });
        Ok(Self {
            documents: documents.collect::<Result<_>>()?,
            page: envelope.page,
            results_per_page,
            total_results_size: envelope.total_results_size,
            total_pages,
            results_size: results,
            next_page,
        })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::super::error::ErrorKind;
    use super::*;

    fn parse(body: &str) -> Result<SearchPage> {
        let answer = Answer {
            subject: "the Content API at https://acme.example/api/v2/documents/search".to_owned(),
            status: StatusCode::OK,
            body: body.to_owned().into(),
            secret: None,
            retry_after: None,
        };
        SearchPage::parse(&answer, &Search { page: 2, ..Search::everything("m", 2) })
    }

    fn envelope() -> Value {
        let document = |id: &str| json!({ "id": id, "type": "page", "lang": "en", "data": {} });
        json!({ "page": 2, "results_per_page": 2, "results_size": 2, "total_results_size": 5, "total_pages": 3,
                "next_page": "https://acme.example/api/v2/documents/search?page=3", "prev_page": null,
                "results": [document("a"), document("b")] })
    }

    #[test]
    fn a_page_that_agrees_with_itself_is_read() {
        let page = parse(&envelope().to_string()).expect("a page");
        assert_eq!((page.page, page.results_size, page.total_results_size, page.total_pages), (2, 2, 5, 3));
        assert!(page.next_page);
        assert_eq!(page.documents[1].id, "b");
    }

    #[test]
    fn a_torn_page_is_a_bad_answer_and_worth_another_attempt() {
        for (key, value) in [
            ("results_size", json!(3)),
            ("page", json!(1)),
            ("total_results_size", json!(1)),
            ("next_page", json!(null)),
            ("results", json!([])),
        ] {
            let mut body = envelope();
            body[key] = value;
            let error = parse(&body.to_string()).expect_err("torn");
            assert_eq!((error.kind(), error.patience()), (&ErrorKind::BadAnswer, Patience::Full), "{key}");
        }
        let whole = envelope().to_string();
        assert_eq!(parse(&whole[..whole.len() / 2]).expect_err("cut off").patience(), Patience::Full);
    }

    #[test]
    fn a_page_of_another_form_is_a_bad_answer() {
        let mut body = envelope();
        body["results"][0] = json!({ "id": "a" });
        for body in [body, json!({ "results": [] }), json!([])] {
            assert_eq!(
                *parse(&body.to_string()).expect_err("no page").kind(),
                ErrorKind::BadAnswer,
                "{body}"
            );
        }
    }

    #[test]
    fn bytes_of_documents_are_those_of_the_answer() {
        let mut body = envelope();
        body["results"] = json!(["HERE"]);
        body["results_size"] = json!(1);
        let sent = "{ \"id\":\"a\",\"type\":\"p\",\n\"lang\":\"l\",\"z\":1,\"b\":10.0,\"e\":\"\\u00e9\" }";
        let page = parse(&body.to_string().replace("\"HERE\"", sent)).expect("a page");
        assert_eq!(page.documents[0].bytes, sent);
    }

    #[test]
    fn an_empty_result_is_a_page() {
        let body = json!({ "page": 2, "results_per_page": 2, "results_size": 0, "total_results_size": 0,
                           "total_pages": 0, "next_page": null, "results": [] });
        assert_eq!(parse(&body.to_string()).expect("a page").documents, []);
    }

    #[test]
    fn predicates_are_written_in_the_grammar_of_the_api() {
        assert_eq!(predicate::at("document.type", "a\"b"), r#"[at(document.type, "a\"b")]"#);
        assert_eq!(predicate::in_ids(&["a", "b"]), r#"[in(document.id, ["a", "b"])]"#);
        let search = Search {
            predicates: vec![predicate::at("document.type", "page")],
            ..Search::everything("m", 100)
        };
        assert!(search.parameters().contains(&("q", r#"[[at(document.type, "page")]]"#.to_owned())));
    }
}
