//! What can go wrong with Prismic, by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What kind of failure it was: the part that callers decide by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such repository, or nothing that speaks the API at its address.
    RepositoryNotFound,
    /// The API wants a token and got none, or not the right one.
    Unauthorized,
    /// The token is known and does not allow this.
    Forbidden,
    /// The ref is unknown, expired, or no longer public. Reading starts again at a new one.
    RefUnavailable {
        /// The master ref that the API named in its answer.
        current: Option<String>,
    },
    /// The API does not understand the request, or does not take what is in it.
    BadRequest,
    /// What was to be made is there already: a document with this UID, a model with this id.
    Conflict,
    /// Too many requests, also after waiting.
    RateLimited,
    /// No answer: name not found, refused, timed out, or cut.
    Unreachable,
    /// The API failed (5xx), also after waiting.
    ServerError,
    /// The answer is not what this API answers.
    BadAnswer,
    /// The answer or file is larger than allowed.
    TooLarge,
    /// The host is none that files may come from.
    NotAllowedHost,
    /// The thing asked for does not exist.
    NotFound,
    /// This machine failed: no certificates, no room for a temporary file.
    Local,
}

/// How often a failed request is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It will not change.
    None,
    /// It will hardly change: a complete answer of the wrong form. A gateway's hiccup looks the
    /// same, so a few attempts, but nobody waits half a minute for a mistyped address.
    Brief,
    /// It is expected to pass.
    Full,
}

/// What an API says is wrong with one part of what was sent. The value itself is content and is not
/// kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is, in the words of the API; empty where it does not say.
    pub property: String,
    /// What is wrong there, in the words of the API.
    pub error: String,
}

/// A failed request to Prismic. `Display` names the API and the address, never tokens, queries or
/// file names. It repeats the beginning of what the API says, which may quote what was sent: it is for
/// people, and what is logged leaves it out.
#[derive(Debug)]
pub struct PrismicError {
    kind: ErrorKind,
    subject: Box<str>,
    why: Box<str>,
    patience: Patience,
    retry_after: Option<Duration>,
    status: Option<u16>,
    never_sent: bool,
    mistakes: Vec<Mistake>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The outcome of a request to Prismic.
pub type Result<T, E = PrismicError> = std::result::Result<T, E>;

impl PrismicError {
    /// `why` goes on where `subject` (`the Content API at https://…`) began the sentence.
    pub(super) fn new(kind: ErrorKind, subject: impl Into<String>, why: impl Into<String>) -> Self {
        let patience = match kind {
            ErrorKind::RateLimited | ErrorKind::Unreachable | ErrorKind::ServerError => Patience::Full,
            ErrorKind::BadAnswer => Patience::Brief,
            _ => Patience::None,
        };
        Self {
            kind,
            subject: subject.into().into(),
            why: why.into().into(),
            patience,
            retry_after: None,
            status: None,
            never_sent: false,
            mistakes: Vec::new(),
            source: None,
        }
    }

    pub(super) fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// The status of an answer that is a failure by it.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status).filter(|status| *status >= 400);
        self
    }

    /// Says that nothing of the request reached the API, or not all of it.
    pub(super) fn never_sent(mut self) -> Self {
        self.never_sent = true;
        self
    }

    pub(super) fn with_mistakes(mut self, mistakes: Vec<Mistake>) -> Self {
        self.mistakes = mistakes;
        self
    }

    pub(super) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What a caller decides by.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whether what was asked for may have been done all the same: the request was sent, and no answer
    /// came, or one that says nothing about it (5xx, a cut or unreadable one). `false`: it was never
    /// sent as a whole, or the API refused it (4xx). Only for writes it means anything.
    pub fn may_have_happened(&self) -> bool {
        // 408 comes from gateways that lost patience, with whom is not said.
        let refused = self.status.is_some_and(|status| (400..500).contains(&status) && status != 408);
        !self.never_sent && !refused
    }

    /// What the API says is wrong with which part of what was sent, at most twenty. For people, not for
    /// logs: it may quote content.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Who was asked, and what happened, without what the server says: for logs.
    pub(crate) fn in_own_words(&self) -> String {
        match self.status {
            Some(status) => format!("{} answered {status}", self.subject),
            None => self.to_string(),
        }
    }

    /// What happened in a few words that go on after the name of the API: `answered 429`. Without
    /// addresses and without what the server says.
    pub(super) fn in_brief(&self) -> String {
        let what = match self.kind {
            ErrorKind::RateLimited => "answered 429",
            ErrorKind::ServerError => "answered with a failure",
            ErrorKind::BadAnswer => "gave an answer that is no good",
            _ => &self.why,
        };
        match self.status {
            Some(status) => format!("answered {status}"),
            None => what.to_owned(),
        }
    }

    /// Whether the same request may succeed later. All attempts that the limits allow were made
    /// already.
    pub fn is_transient(&self) -> bool {
        self.patience != Patience::None
    }

    /// Whether reading has to start again at another ref.
    pub fn is_ref_unavailable(&self) -> bool {
        matches!(self.kind, ErrorKind::RefUnavailable { .. })
    }

    /// What a person can do next, as a sentence without full stop.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.kind {
            ErrorKind::RepositoryNotFound => {
                "check `repository` (the name before .prismic.io) and `content_api` in the configuration"
            }
            ErrorKind::Unauthorized => {
                "set `access_token` (Content API) or `write_token` (Asset, Types and Migration API); both are made in \
                 the repository under Settings > API & Security"
            }
            ErrorKind::Forbidden => {
                "check that the token belongs to this repository and has the scope master+releases, or is a write token"
            }
            ErrorKind::RefUnavailable { .. } => {
                "set an access token: without one a superseded ref may not be readable to the end"
            }
            ErrorKind::RateLimited => "lower the request rates under [limits], or run at a quieter time",
            ErrorKind::Unreachable => "check the network, the proxy settings and https://status.prismic.io",
            ErrorKind::ServerError => "see https://status.prismic.io and try again later",
            ErrorKind::BadAnswer => "check that the endpoint in the configuration is that of the API",
            ErrorKind::NotAllowedHost => {
                "add the host to `asset_hosts` if its files belong to the repository"
            }
            ErrorKind::TooLarge
            | ErrorKind::BadRequest
            | ErrorKind::Conflict
            | ErrorKind::NotFound
            | ErrorKind::Local => return None,
        })
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for PrismicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.why)
    }
}

impl StdError for PrismicError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
