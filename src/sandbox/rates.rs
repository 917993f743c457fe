//! How often the write APIs may be asked, and how often they were.
//!
//! Prismic lets one request a second through: to the Asset API from each client, whatever
//! repository, to the Migration API for each repository. Tests need not wait for that, so rates are
//! a setting; what is counted is counted either way.
//!
//! **Why this way.** A request counts against those that were let through in the second before it.
//! That is stricter than windows that begin with the clock's second: a client that keeps to this
//! keeps to those. A refused request is counted as asked, not as let through.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// An API that takes write tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// The media library.
    Asset,
    /// Custom types and slices.
    Types,
    /// Documents.
    Migration,
}

impl Api {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Asset, Self::Types, Self::Migration];

    /// Returns the API that a path belongs to.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.trim_start_matches('/').split('/').next()? {
            "asset-api" => Some(Self::Asset),
            "types-api" => Some(Self::Types),
            "migration-api" => Some(Self::Migration),
            _ => None,
        }
    }
}

/// Requests that each API answers in any second; none: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// The Asset API, whatever the repository.
    pub asset: Option<u32>,
    /// The Types API, whatever the repository.
    pub types: Option<u32>,
    /// The Migration API, for each repository.
    pub migration: Option<u32>,
}

impl Rates {
    /// What Prismic documents. It publishes none for the Types API.
    pub const PRISMIC: Self = Self { asset: Some(1), types: None, migration: Some(1) };

    fn of(self, api: Api) -> Option<u32> {
        match api {
            Api::Asset => self.asset,
            Api::Types => self.types,
            Api::Migration => self.migration,
        }
    }
}

/// How often an API was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Those that were above the rate.
    pub refused: u64,
    /// Most requests in any one second, refused ones included; of the Migration API for one
    /// repository.
    pub most_in_a_second: u64,
}

#[derive(Debug, Default)]
struct Window {
    asked: VecDeque<Instant>,
    let_through: VecDeque<Instant>,
}

/// Counts requests, and refuses what is above the rate.
#[derive(Debug, Default)]
pub(super) struct Meter {
    traffic: BTreeMap<Api, Traffic>,
    windows: BTreeMap<(Api, String), Window>,
}

impl Meter {
    /// Counts a request that arrives; returns whether it may pass. `repository` is one that is
    /// served, or empty.
    pub(super) fn passes(&mut self, api: Api, repository: &str, rates: Rates, now: Instant) -> bool {
        let whose = if api == Api::Migration { repository } else { "" };
        let window = self.windows.entry((api, whose.to_owned())).or_default();
        for times in [&mut window.asked, &mut window.let_through] {
            while times.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
                times.pop_front();
            }
        }
        window.asked.push_back(now);
        let passes = rates.of(api).is_none_or(|rate| window.let_through.len() < rate as usize);
        if passes {
            window.let_through.push_back(now);
        }
        let traffic = self.traffic.entry(api).or_default();
        traffic.requests += 1;
        traffic.refused += u64::from(!passes);
        traffic.most_in_a_second = traffic.most_in_a_second.max(window.asked.len() as u64);
        passes
    }

    pub(super) fn traffic(&self, api: Api) -> Traffic {
        self.traffic.get(&api).copied().unwrap_or_default()
    }

    /// Counts from zero again; what was let through a moment ago still counts against the rate.
    pub(super) fn reset(&mut self) {
        self.traffic.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_one_in_any_second_for_each_repository() {
        let mut meter = Meter::default();
        let start = Instant::now();
        let mut passes = |api, repository: &str, ms: u64| {
            meter.passes(api, repository, Rates::PRISMIC, start + Duration::from_millis(ms))
        };
        assert!(passes(Api::Migration, "one", 0));
        assert!(passes(Api::Migration, "two", 1), "each repository has its own");
        assert!(!passes(Api::Migration, "one", 999));
        assert!(passes(Api::Migration, "one", 1000), "what was refused does not count");
        assert!(passes(Api::Asset, "one", 1000));
        assert!(!passes(Api::Asset, "two", 1500), "the media library counts all repositories together");
        assert!(passes(Api::Types, "one", 1500) && passes(Api::Types, "one", 1500));
        let migration = Traffic { requests: 4, refused: 1, most_in_a_second: 2 };
        assert_eq!(meter.traffic(Api::Migration), migration);
        meter.reset();
        assert_eq!(meter.traffic(Api::Migration), Traffic::default());
    }

    #[test]
    fn a_path_belongs_to_the_api_that_it_begins_with() {
        for (path, expected) in [
            ("/asset-api/assets", Some(Api::Asset)),
            ("/types-api", Some(Api::Types)),
            ("/migration-api/documents/x", Some(Api::Migration)),
            ("/migration-apis", None),
            ("/api/v2", None),
        ] {
            assert_eq!(Api::of(path), expected, "{path}");
        }
    }
}
