//! Prismic's Content API as an engine: query grammar, evaluation, envelope, access, routes.
//!
//! It answers as `https://<repository>.cdn.prismic.io/api/v2` does, for whatever implements
//! [`ContentSource`]: the sandbox keeps a repository in memory, the standby serves snapshots.
//! The official clients read it unchanged.
//!
//! **Why this way.** Documents are kept as raw JSON with a small [`Head`]; a page is copied
//! together, not printed, so bytes stay what they were and a set of 200,000 documents is served
//! at copying speed. `data` is parsed only when a predicate or an ordering names a field of it.
//!
//! **Invariants.** A ref stands for one unchanging [`DocumentSet`]. What the engine cannot read
//! is refused with a parsing error, never ignored. Tokens appear in no answer. Whatever is asked, an
//! answer takes bounded time and memory ([`Slots`]). Choices where Prismic documents nothing are
//! listed at the head of each module.
//!
//! **Crash.** Nothing is written; there is nothing to recover.
//!
//! **Not here.** Writing, previews, GraphQL, images.

mod access;
mod answer;
mod answers;
mod dates;
mod document;
mod encoding;
mod evaluate;
pub mod files;
mod head;
mod lexer;
mod ordering;
mod projection;
mod query;
mod router;
mod search;
mod set;
mod slots;
mod source;
mod text;

pub use access::{AccessMode, AccessPolicy, TokenScope};
pub use answers::AnswerCache;
pub use dates::{DatePart, Millis, format_millis, is_timestamp, parse_millis};
pub use document::{ASSET_HOST, Document, DocumentError, HREF_AFTER, Template};
pub use head::{Head, HeadParts};
pub use ordering::{OrderBy, parse_orderings};
pub use query::{Comparison, DateTest, ParsingError, Path, Predicate, Query, Scalar};
pub use router::{ContentOptions, PageCap, router};
pub use set::{Bodies, DocumentSet, Found};
pub use slots::Slots;
pub use source::{
    Collection, ContentSource, Language, RefAnswer, RefKind, RepositoryRoot, RootRef, SourceError,
};
