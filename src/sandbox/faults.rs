//! What can be made to go wrong, and how the choice is made.
//!
//! Whether a request is hit by a fault with a share depends on the seed, the address and how
//! often that address was asked for, not on the order in which concurrent requests arrive: the
//! same run meets the same faults, and a retry meets the next draw.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::synthetic::Random;

/// A group of addresses, for counting and for limiting faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `GET /api/v2`
    Root,
    /// `GET /api/v2/documents/search`
    Search,
    /// `GET /api/tags`
    Tags,
    /// `/asset-api/assets`
    Assets,
    /// `/asset-api/tags`
    AssetTags,
    /// `/types-api/customtypes`
    CustomTypes,
    /// `/types-api/slices`
    Slices,
    /// `POST /types-api/bulk-update`
    BulkUpdate,
    /// `/migration-api/documents`
    Documents,
    /// `POST /migration-api/migration-release/publish`
    Publish,
    /// Bytes of an asset.
    File,
    /// Whatever does not exist.
    Other,
}

impl Endpoint {
    /// Returns the group of a path.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.ends_with("/api/v2") {
            Self::Root
        } else if path.ends_with("/api/v2/documents/search") {
            Self::Search
        } else if path.ends_with("/api/tags") {
            Self::Tags
        } else if path.starts_with("/asset-api/assets") {
            Self::Assets
        } else if path.starts_with("/asset-api/tags") {
            Self::AssetTags
        } else if path.starts_with("/types-api/customtypes") {
            Self::CustomTypes
        } else if path.starts_with("/types-api/slices") {
            Self::Slices
        } else if path.starts_with("/types-api/bulk-update") {
            Self::BulkUpdate
        } else if path.starts_with("/migration-api/documents") {
            Self::Documents
        } else if path.starts_with("/migration-api/migration-release") {
            Self::Publish
        } else if path.starts_with("/asset-api")
            || path.starts_with("/types-api")
            || path.starts_with("/migration-api")
        {
            Self::Other
        } else {
            Self::File
        }
    }
}

/// The `Retry-After` of a 429.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// No such header, as Prismic's APIs answer.
    #[default]
    Absent,
    /// Seconds.
    Seconds(u64),
    /// The date that is so many seconds from now.
    Date(i64),
    /// Anything.
    Text(String),
}

/// Answers 429 above a rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests answered in any second.
    pub per_second: usize,
    /// What the refusal says.
    #[serde(default)]
    pub retry_after: RetryAfter,
}

/// Answers a share of requests with an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRate {
    /// HTTP status.
    pub status: u16,
    /// 0 to 1.
    pub share: f64,
}

/// A page of a search that contradicts itself or the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Torn {
    /// Its last document is missing; `results_size` says so, the totals do not.
    Missing,
    /// Its last document is a copy of its first.
    Doubled,
    /// `results_size` is one too high.
    ResultsSize,
    /// `total_results_size` is one too high.
    Total,
}

/// Faults of a running sandbox; the default has none. As JSON, what is left out is the default:
/// `{"latency_ms": 20, "errors": {"status": 503, "share": 0.1}, "torn": [2, "missing"]}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Decides what is hit.
    pub seed: u64,
    /// Where latency, errors, rate limit, truncation and hanging apply; `None`: everywhere.
    pub endpoints: Option<BTreeSet<Endpoint>>,
    /// Time before each answer; `latency_ms` as JSON.
    #[serde(rename = "latency_ms", with = "milliseconds")]
    pub latency: Duration,
    /// Errors.
    pub errors: Option<ErrorRate>,
    /// 429.
    pub rate_limit: Option<RateLimit>,
    /// Share of answers that end half-way, the connection with them.
    pub truncated: f64,
    /// Answers never come.
    pub hang: bool,
    /// After so many searches (counted from when the faults were set) every ref expires and the
    /// master gets a new one, once.
    pub expire_refs_after: Option<u64>,
    /// After so many searches something is published, once.
    pub publish_after: Option<u64>,
    /// A ref that is answered as if it had never been.
    pub refused_ref: Option<String>,
    /// A page of each search, from 1, and what is wrong with it.
    pub torn: Option<(usize, Torn)>,
    /// Ids of documents that no listing shows and no total counts, although they are found by
    /// their id.
    pub hidden_documents: BTreeSet<String>,
    /// Most documents a page of a search holds, whatever is asked for.
    pub search_page_cap: Option<usize>,
    /// Most assets a page of the media library holds, whatever is asked for.
    pub asset_page_cap: Option<usize>,
    /// Ids of assets whose files are gone: 404.
    pub missing_files: BTreeSet<String>,
    /// Ids of assets whose files are one byte shorter than their metadata say.
    pub short_files: BTreeSet<String>,
    /// Whether the first custom type is another one at each listing of them after the first.
    pub models_change: bool,
    /// Share of writes (POST, PUT, PATCH, DELETE) whose connection ends before anything happened.
    pub lost_requests: f64,
    /// Share of writes that take effect, and whose connection ends before the answer.
    pub lost_answers: f64,
    /// Answers a share of writes with an error after they took effect, as gateways do that waited
    /// too long.
    pub late_errors: Option<ErrorRate>,
    /// Single writes to lose before they happen: endpoint, and number from 1, counted from when the
    /// faults were set.
    pub lost_requests_to: BTreeSet<(Endpoint, u64)>,
    /// Single writes that happen without an answer, named the same way.
    pub lost_answers_to: BTreeSet<(Endpoint, u64)>,
    /// Time that a publish of the migration release takes longer; `publish_takes_ms` as JSON.
    #[serde(rename = "publish_takes_ms", with = "milliseconds")]
    pub publish_takes: Duration,
    /// Share of documents that a publish leaves in the migration release.
    pub publish_leaves: f64,
    /// Addresses of embeds whose pages are gone: documents with them are refused.
    pub gone_embeds: BTreeSet<String>,
}

/// What is wrong with faults that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFaults(&'static str);

impl Faults {
    /// Checks what the types leave open: shares, statuses, numbers that count from 1.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be meant.
    pub fn check(&self) -> Result<(), InvalidFaults> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let mut errors = self.errors.iter().chain(&self.late_errors);
        let checks = [
            (errors.clone().all(|errors| is_share(errors.share)), "the share of errors is from 0 to 1"),
            (
                errors.all(|errors| (400..600).contains(&errors.status)),
                "the status of errors is from 400 to 599",
            ),
            (is_share(self.truncated), "the share of truncated answers is from 0 to 1"),
            (is_share(self.lost_requests), "the share of lost requests is from 0 to 1"),
            (is_share(self.lost_answers), "the share of lost answers is from 0 to 1"),
            (is_share(self.publish_leaves), "the share of documents left behind is from 0 to 1"),
            (
                self.lost_requests_to.iter().chain(&self.lost_answers_to).all(|(_, number)| *number > 0),
                "writes are counted from 1",
            ),
            (self.torn.is_none_or(|(page, _)| page > 0), "pages are counted from 1"),
            (self.search_page_cap != Some(0) && self.asset_page_cap != Some(0), "a page holds at least 1"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(InvalidFaults(rule)),
            None => Ok(()),
        }
    }

    pub(super) fn applies_to(&self, endpoint: Endpoint) -> bool {
        self.endpoints.as_ref().is_none_or(|only| only.contains(&endpoint))
    }
}

/// A duration as a number of milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Draws for faults with a share.
#[derive(Debug, Default)]
pub(super) struct Draws {
    asked: HashMap<u64, u64>,
}

impl Draws {
    /// Returns a number from 0 to 1 that depends on the seed, the address and how often it was
    /// asked for.
    pub(super) fn draw(&mut self, seed: u64, target: &str) -> f64 {
        let address = target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let asked = self.asked.entry(address).or_insert(0);
        *asked += 1;
        Random::new(&[seed, address, *asked]).unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_back_from_their_json() {
        let faults = Faults {
            seed: 3,
            endpoints: Some([Endpoint::Search, Endpoint::AssetTags].into()),
            latency: Duration::from_millis(20),
            errors: Some(ErrorRate { status: 503, share: 0.5 }),
            rate_limit: Some(RateLimit { per_second: 7, retry_after: RetryAfter::Seconds(2) }),
            torn: Some((2, Torn::ResultsSize)),
            missing_files: ["A".to_owned()].into(),
            hidden_documents: ["B".to_owned()].into(),
            lost_answers_to: [(Endpoint::Documents, 3)].into(),
            publish_takes: Duration::from_millis(5),
            ..Faults::default()
        };
        let json = serde_json::to_string(&faults).unwrap();
        for part in [
            r#""latency_ms":20"#,
            r#"["search","asset-tags"]"#,
            r#"[2,"results-size"]"#,
            r#"[["documents",3]]"#,
        ] {
            assert!(json.contains(part), "{json}");
        }
        assert_eq!(serde_json::from_str::<Faults>(&json).unwrap(), faults);
        assert_eq!(serde_json::from_str::<Faults>("{}").unwrap(), Faults::default());
        assert!(serde_json::from_str::<Faults>(r#"{"latency": 20}"#).is_err(), "unknown keys are mistakes");
    }

    #[test]
    fn faults_that_cannot_be_meant_are_refused() {
        let errors =
            |status, share| Faults { errors: Some(ErrorRate { status, share }), ..Faults::default() };
        for faults in [
            errors(200, 0.5),
            errors(500, 1.5),
            errors(500, f64::NAN),
            Faults { truncated: -0.1, ..Faults::default() },
            Faults { torn: Some((0, Torn::Missing)), ..Faults::default() },
            Faults { asset_page_cap: Some(0), ..Faults::default() },
            Faults { lost_answers: 1.1, ..Faults::default() },
            Faults { late_errors: Some(ErrorRate { status: 200, share: 0.5 }), ..Faults::default() },
            Faults { lost_requests_to: [(Endpoint::Assets, 0)].into(), ..Faults::default() },
        ] {
            assert!(faults.check().is_err(), "{faults:?}");
        }
        assert_eq!(errors(503, 1.0).check(), Ok(()));
    }
}
