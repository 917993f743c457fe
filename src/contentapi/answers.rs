//! Answers that were given, to be given again.
//!
//! A ref stands for the same documents for ever, so who asks the same gets the same bytes: a site asks
//! for its few pages all the time, and looking them up is cheaper than reading, evaluating and copying
//! them together.
//!
//! **Invariants.** An answer is kept by the digest of what it was asked by, to the byte: address, host,
//! token and encodings; so no token is kept here. It is given while the repository says the same of itself as then ([`RepositoryRoot`], by
//! identity): with every switch to another snapshot, all kept before count as none.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use lru::LruCache;

use super::source::RepositoryRoot;
use crate::ids::Digest;

/// Bytes that an answer takes besides its body.
const OVERHEAD: usize = 1 << 10;
/// What part of all one answer may take: pages of hundreds of documents are not asked for all the time.
const SHARE_MAX: usize = 16;

/// Answers in memory, those that were given last.
#[derive(Debug)]
pub struct AnswerCache {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    answers: LruCache<Asked, Arc<KeptAnswer>>,
    bytes: usize,
}

#[derive(Debug)]
struct KeptAnswer {
    root: Arc<RepositoryRoot>,
    headers: HeaderMap,
    body: Bytes,
}

impl KeptAnswer {
    fn size(&self) -> usize {
        self.body.len() + OVERHEAD
    }
}

/// Stands for what an answer depends on besides the documents of its ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked(Digest);

impl Asked {
    /// Takes together what is asked, at which address of this server, by whom, and in which encodings.
    pub(super) fn new(query: &str, base: &str, headers: &HeaderMap) -> Self {
        let told = |name| headers.get_all(name).iter().map(|value| value.as_bytes().escape_ascii());
        let mut asked = String::with_capacity(query.len() + base.len() + 64);
        asked.push_str(base);
        // A line cannot be part of an address or of a value here.
        for part in told(header::ACCEPT_ENCODING) {
            asked.push('\n');
            asked.extend(part.map(char::from));
        }
        asked.push_str("\n\n");
        for part in told(header::AUTHORIZATION) {
            asked.push('\n');
            asked.extend(part.map(char::from));
        }
        asked.push_str("\n\n");
        asked.push_str(query);
        Self(Digest::of(asked.as_bytes()))
    }
}

impl AnswerCache {
    /// Returns an empty cache for about so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let kept = Kept { answers: LruCache::unbounded(), bytes: 0 };
        Self { kept: Mutex::new(kept), bytes_max }
    }

    /// Returns the answer that was given to the same, if the repository has not changed since.
    pub(super) fn get(&self, asked: &Asked, root: &Arc<RepositoryRoot>) -> Option<Response> {
        let found = {
            let mut kept = self.kept.lock().expect("no holder of this lock can panic");
            let found = Arc::clone(kept.answers.get(asked)?);
            if !Arc::ptr_eq(&found.root, root) {
                kept.answers.pop(asked);
                kept.bytes -= found.size();
                return None;
            }
            found
        };
        let mut response = Body::from(found.body.clone()).into_response();
        *response.headers_mut() = found.headers.clone();
        Some(response)
    }

    /// Forgets answers of every repository that says something else of itself now.
    pub fn keep_only(&self, roots: &[Arc<RepositoryRoot>]) {
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        let is_old = |answer: &KeptAnswer| !roots.iter().any(|root| Arc::ptr_eq(root, &answer.root));
        let old: Vec<Asked> =
            kept.answers.iter().filter(|(_, answer)| is_old(answer)).map(|(asked, _)| *asked).collect();
        for asked in old {
            if let Some(answer) = kept.answers.pop(&asked) {
                kept.bytes -= answer.size();
            }
        }
    }

    /// Keeps an answer with this body.
    pub(super) fn keep(&self, asked: Asked, root: &Arc<RepositoryRoot>, response: &Response, body: Bytes) {
        let answer = KeptAnswer { root: Arc::clone(root), headers: response.headers().clone(), body };
        let size = answer.size();
        if size > self.bytes_max / SHARE_MAX {
            return;
        }
        let mut kept = self.kept.lock().expect("no holder of this lock can panic");
        if let Some((_, before)) = kept.answers.push(asked, Arc::new(answer)) {
            kept.bytes -= before.size();
        }
        kept.bytes += size;
        while kept.bytes > self.bytes_max {
            let Some((_, oldest)) = kept.answers.pop_lru() else { break };
            kept.bytes -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(query: &str, headers: &[(header::HeaderName, &'static str)]) -> Asked {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Asked::new(query, "http://localhost", &headers.collect())
    }

    fn keep(cache: &AnswerCache, asked: Asked, root: &Arc<RepositoryRoot>, body: &'static str) {
        cache.keep(asked, root, &([(header::ETAG, "W/\"x\"")], body).into_response(), Bytes::from(body));
    }

    #[test]
    fn answers_of_what_is_served_no_more_are_forgotten() {
        let cache = AnswerCache::new(1 << 20);
        let (old, new) = (Arc::new(RepositoryRoot::default()), Arc::new(RepositoryRoot::default()));
        keep(&cache, asked("a", &[]), &old, "of somebody");
        keep(&cache, asked("b", &[]), &new, "of nobody");
        cache.keep_only(&[Arc::clone(&old), Arc::clone(&new)]);
        assert_eq!(cache.kept.lock().unwrap().answers.len(), 2);
        cache.keep_only(std::slice::from_ref(&new));
        let bytes = cache.kept.lock().unwrap().bytes;
        assert_eq!(bytes, "of nobody".len() + OVERHEAD);
        assert!(cache.get(&asked("a", &[]), &old).is_none() && cache.get(&asked("b", &[]), &new).is_some());
    }

    #[test]
    fn only_who_asks_the_same_gets_the_same() {
        let cache = AnswerCache::new(1 << 20);
        let root = Arc::default();
        keep(&cache, asked("q=a", &[]), &root, "answer");
        let found = cache.get(&asked("q=a", &[]), &root).expect("it was kept");
        assert_eq!(found.headers()[header::ETAG], "W/\"x\"");
        let others = [
            asked("q=b", &[]),
            asked("q=a", &[(header::AUTHORIZATION, "Token t")]),
            asked("q=a", &[(header::ACCEPT_ENCODING, "br")]),
            Asked::new("q=a", "http://elsewhere", &HeaderMap::new()),
        ];
        assert!(others.iter().all(|other| cache.get(other, &root).is_none()));
        let keys = [("Token t", "br"), ("br", "Token t")].map(|(one, other)| {
            asked("q", &[(header::AUTHORIZATION, one), (header::ACCEPT_ENCODING, other)])
        });
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn with_another_snapshot_nothing_is_known() {
        let cache = AnswerCache::new(1 << 20);
        let root = Arc::default();
        keep(&cache, asked("q=a", &[]), &root, "answer");
        assert!(cache.get(&asked("q=a", &[]), &Arc::default()).is_none());
        assert!(cache.get(&asked("q=a", &[]), &root).is_none(), "what is over is let go of");
        assert_eq!(cache.kept.lock().expect("nobody panicked").bytes, 0);
    }

    #[test]
    fn it_holds_what_it_may_and_no_large_answer() {
        let cache = AnswerCache::new(64 << 10);
        let root = Arc::default();
        for n in 0..1_000 {
            keep(&cache, asked(&format!("q={n}"), &[]), &root, "answer");
            keep(&cache, asked(&format!("q={n}"), &[]), &root, "another");
        }
        let (length, bytes) = {
            let kept = cache.kept.lock().expect("nobody panicked");
            (kept.answers.len(), kept.bytes)
        };
        assert!((50..=64).contains(&length) && bytes <= 64 << 10, "{length}, {bytes}");
        assert!(cache.get(&asked("q=999", &[]), &root).is_some());
        let large: &'static str = "x".repeat(5_000).leak();
        keep(&cache, asked("q=large", &[]), &root, large);
        assert!(cache.get(&asked("q=large", &[]), &root).is_none());
    }
}
