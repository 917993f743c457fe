//! The Content API: root, search, tags. Read only, and at one ref a call.

use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use super::answer::Answer;
use super::call::{Call, Credentials};
use super::endpoints::join;
use super::error::{ErrorKind, PrismicError, Result};
use super::http::{Api, Http};
use super::root::Root;
use super::search::{IdBatch, Search, SearchPage, predicate};
use crate::secret::{SafeUrl, Secret};

/// Client for the Content API of one repository; cheap to clone.
#[derive(Debug, Clone)]
pub struct ContentApi {
    http: Http,
    endpoint: Url,
    token: Option<Secret>,
}

/// The tags of a repository's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The answer as it was sent; `[]` when the repository never had a tag.
    pub bytes: Bytes,
    /// The tags.
    pub tags: Vec<String>,
}

impl ContentApi {
    /// Returns a client for the API at `endpoint` (`https://{repository}.cdn.prismic.io/api/v2`).
    /// Its access token is sent there and nowhere else.
    pub fn new(http: Http, endpoint: Url, token: Option<Secret>) -> Self {
        Self { http, endpoint, token }
    }

    /// Where the API is.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Whether requests carry a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads the root of the repository.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RepositoryNotFound`], [`ErrorKind::Unauthorized`] for a private repository,
    /// [`ErrorKind::BadAnswer`] where something else than the API answers, and those of every
    /// request.
    pub async fn root(&self) -> Result<Root> {
        let mut url = self.endpoint.clone();
        url.set_query(None);
        let has_token = self.has_token();
        self.http
            .call(&self.asking(url), move |answer| match answer.status.as_u16() {
                200 => Root::parse(&answer),
                _ => Err(refusal(&answer, has_token)),
            })
            .await
    }

    /// Reads one page of a search.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RefUnavailable`] when the ref can no longer be read, [`ErrorKind::BadRequest`]
    /// for predicates that the API does not know or an address that is too long, and those of
    /// every request.
    pub async fn search(&self, search: &Search) -> Result<SearchPage> {
        let url = self.search_url(search);
        let length = url.as_str().len() + self.token_bytes();
        let limit = self.http.limits().url_bytes_max;
        if length > limit {
            let subject = format!("the Content API at {}", SafeUrl(&url));
            let why = format!("cannot be asked: the address has {length} bytes, and {limit} are allowed");
            return Err(PrismicError::new(ErrorKind::BadRequest, subject, why));
        }
        let has_token = self.has_token();
        let search = Arc::new(search.clone());
        self.http
            .call(&self.asking(url), move |answer| match answer.status.as_u16() {
                200 => SearchPage::parse(&answer, &search),
                _ => Err(refusal(&answer, has_token)),
            })
            .await
    }

    /// Reads the tags. A repository that never had one answers 404, which is no error.
    ///
    /// The address in the root is used only if it is on the endpoint's own origin: the token goes
    /// nowhere else. Otherwise the tags are asked for beside the endpoint.
    ///
    /// # Errors
    ///
    /// Those of every request.
    pub async fn tags(&self, root: &Root) -> Result<Tags> {
        let named = root.tags_url.clone().filter(|url| url.origin() == self.endpoint.origin());
        let url = named.unwrap_or_else(|| self.beside("tags"));
        let has_token = self.has_token();
        self.http
            .call(&self.asking(url), move |answer| match answer.status.as_u16() {
                200 => Ok(Tags { tags: answer.json()?, bytes: answer.body.clone() }),
                404 => Ok(Tags { tags: Vec::new(), bytes: Bytes::from_static(b"[]") }),
                _ => Err(refusal(&answer, has_token)),
            })
            .await
    }

    /// Returns searches that together ask for all of `ids`, each as one page whose address is not
    /// too long. Order stays; an id that no address can hold has a search of its own, which
    /// [`search`](Self::search) refuses.
    pub fn in_ids_batches(&self, search: &Search, ids: &[String]) -> Vec<IdBatch> {
        let page_size = self.http.limits().page_size.max(1);
        let with = |ids: &[String]| {
            let mut search = Search { page: 1, page_size, after: None, ..search.clone() };
            search.predicates.push(predicate::in_ids(ids));
            search
        };
        let fixed = self.search_url(&with(&[])).as_str().len() + self.token_bytes();
        let limit = self.http.limits().url_bytes_max;
        let mut batches = Vec::new();
        let mut rest = ids;
        while !rest.is_empty() {
            let mut length = fixed;
            let fitting = rest.iter().take(page_size as usize).take_while(|id| {
                length += encoded_bytes(&format!("\"{}\", ", id.replace('"', "\\\"")));
                length <= limit
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            batches.push(IdBatch { ids: batch.to_vec(), search: with(batch) });
            rest = after;
        }
        batches
    }

    fn search_url(&self, search: &Search) -> Url {
        let mut url = join(&self.endpoint, &["documents", "search"]);
        url.query_pairs_mut().extend_pairs(search.parameters());
        url
    }

    /// The address that differs from the endpoint's in the last segment.
    fn beside(&self, segment: &str) -> Url {
        let mut url = join(&self.endpoint, &[]);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop().push(segment);
        }
        url
    }

    fn asking(&self, url: Url) -> Call<'_> {
        let credentials = self.token.as_ref().map_or(Credentials::None, Credentials::Access);
        Call::get(Api::Content, url, credentials)
    }

    fn token_bytes(&self) -> usize {
        self.token.as_ref().map_or(0, |token| "&access_token=".len() + encoded_bytes(token.expose()))
    }
}

fn encoded_bytes(text: &str) -> usize {
    url::form_urlencoded::byte_serialize(text.as_bytes()).map(str::len).sum()
}

/// What a status other than 200 means, by the bodies that the service is known to send.
fn refusal(answer: &Answer, has_token: bool) -> PrismicError {
    let said = answer.said();
    let lower = said.to_ascii_lowercase();
    let ref_unavailable = || {
        let current = answer.message().and_then(|message| current_ref(&message));
        answer.error(ErrorKind::RefUnavailable { current }, format!("no longer has the ref{said}"))
    };
    match answer.status.as_u16() {
        400 if lower.contains("preview token expired") => ref_unavailable(),
        // A superseded master ref is not public any more, also where master is.
        403 if lower.contains("access to this ref requires") => answer.error(
            ErrorKind::RefUnavailable { current: None },
            format!("refuses the ref, which was superseded or needs an access token{said}"),
        ),
        401 | 403 if !has_token => answer
            .error(ErrorKind::Unauthorized, format!("asks for an access token, and none was given{said}")),
        401 => answer.error(ErrorKind::Unauthorized, format!("does not know the access token{said}")),
        403 => answer.error(ErrorKind::Forbidden, format!("does not allow this with the access token{said}")),
        410 => ref_unavailable(),
        404 if answer.has("type", "api_notfound_error")
            || answer.has("type", "api_security_error")
            || lower.contains("ref not found")
            || lower.contains("master ref is") =>
        {
            ref_unavailable()
        }
        404 if !answer.is_object() => answer.error(ErrorKind::RepositoryNotFound, "knows no such repository"),
        404 => answer.error(ErrorKind::RepositoryNotFound, format!("knows no such repository{said}")),
        _ => answer.unexpected(),
    }
}

/// Reads the ref at the end of `… Master ref is: <ref>`, in any case.
fn current_ref(message: &str) -> Option<String> {
    const BEFORE: &str = "master ref is:";
    let at = message.to_ascii_lowercase().rfind(BEFORE)?;
    let reference = message.get(at + BEFORE.len()..)?.trim();
    let plausible = !reference.is_empty() && !reference.contains(char::is_whitespace);
    plausible.then(|| reference.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::clock::SystemClock;
    use crate::limits::Limits;

    fn api(token: Option<&str>) -> ContentApi {
        let http = Http::new(Limits::default(), Arc::new(SystemClock)).expect("a client");
        let endpoint = "https://acme.cdn.prismic.io/api/v2".parse().expect("valid");
        ContentApi::new(http, endpoint, token.map(Secret::new))
    }

    fn kind(status: u16, body: &str, has_token: bool) -> ErrorKind {
        let answer = Answer {
            subject: "the Content API at https://acme.example/api/v2".to_owned(),
            status: StatusCode::from_u16(status).expect("a status"),
            body: body.to_owned().into(),
            secret: None,
            retry_after: None,
        };
        refusal(&answer, has_token).kind().clone()
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_body() {
        let current = |reference: &str| ErrorKind::RefUnavailable { current: Some(reference.to_owned()) };
        let no_ref = ErrorKind::RefUnavailable { current: None };
        for (status, body, has_token, expected) in [
            (400, r#"{"type":"parsing-error","message":"[function x]"}"#, false, ErrorKind::BadRequest),
            (400, r#"{"error":"Preview token expired"}"#, false, no_ref.clone()),
            (401, r#"{"message":"x","oauth_initiate":"y"}"#, false, ErrorKind::Unauthorized),
            (401, "", true, ErrorKind::Unauthorized),
            (403, r#"{"error":"Access to this Ref requires an access token"}"#, false, no_ref.clone()),
            (403, r#"{"error":"Access to this Ref requires an access token"}"#, true, no_ref.clone()),
            (403, r#"{"error":"x"}"#, false, ErrorKind::Unauthorized),
            (403, r#"{"error":"x"}"#, true, ErrorKind::Forbidden),
            (404, "", false, ErrorKind::RepositoryNotFound),
            (404, "<html>", false, ErrorKind::RepositoryNotFound),
            (
                404,
                r#"{"type":"api_notfound_error","message":"Ref not found. Ensure you have the correct ref and try again. Master ref is: ZxY-1_~a"}"#,
                false,
                current("ZxY-1_~a"),
            ),
            (404, r#"{"type":"api_notfound_error","message":"https://x not found"}"#, false, no_ref.clone()),
            (
                404,
                r#"{"type":"api_security_error","message":"This preview token has expired"}"#,
                false,
                no_ref.clone(),
            ),
            (410, r#"{"message":"It has expired. master ref IS: abc"}"#, false, current("abc")),
            (410, "", false, no_ref),
            (302, "", false, ErrorKind::BadAnswer),
            (418, "", false, ErrorKind::BadAnswer),
        ] {
            assert_eq!(kind(status, body, has_token), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_batch_of_ids_fits_into_an_address_and_none_is_lost() {
        let api = api(Some("a token/with+signs"));
        let ids: Vec<_> = (0..1000).map(|n| format!("id\"{n:013}")).collect();
        let batches = api.in_ids_batches(&Search::everything("a ref", 100), &ids);
        let limit = Limits::default().url_bytes_max;
        for batch in &batches {
            let length = api.search_url(&batch.search).as_str().len() + api.token_bytes();
            assert!(length <= limit, "{length}");
            assert!(batch.ids.len() <= 100 && batch.search.page_size == 100);
        }
        assert_eq!(batches.iter().flat_map(|batch| batch.ids.clone()).collect::<Vec<_>>(), ids);
        assert!(batches.len() < 40, "{} batches waste room", batches.len());
        assert!(api.in_ids_batches(&Search::everything("r", 100), &[]).is_empty());
    }

    #[tokio::test]
    async fn an_address_that_is_too_long_is_refused_before_it_is_sent() {
        let search = Search { predicates: vec!["x".repeat(3000)], ..Search::everything("r", 100) };
        let error = api(None).search(&search).await.expect_err("too long");
        assert_eq!(*error.kind(), ErrorKind::BadRequest);
        assert!(!error.to_string().contains("xxx"), "{error}");
    }

    #[test]
    fn tags_lie_beside_the_endpoint() {
        assert_eq!(api(None).beside("tags").as_str(), "https://acme.cdn.prismic.io/api/tags");
    }
}
