//! The handle of a running sandbox: faults, counters, hooks.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::faults::{Draws, Endpoint, Faults, RateLimit};
use super::rates::{Api, Meter, Rates, Traffic};
use crate::secret::Secret;

/// Requests that the log keeps; enough for every test, and bounded for a sandbox that runs for
/// weeks.
const LOGGED_REQUESTS: usize = 10_000;

/// One request as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// From 1, over all endpoints.
    pub number: u64,
    /// Its group.
    pub endpoint: Endpoint,
    /// Method.
    pub method: String,
    /// Path and query, the access token left out.
    pub target: String,
}

type Hook = Box<dyn FnOnce(&LoggedRequest) + Send>;

#[derive(Default)]
struct Shared {
    faults: Faults,
    searches: u64,
    model_listings: u64,
    writes: BTreeMap<Endpoint, u64>,
    rates: Rates,
    meter: Meter,
    draws: Draws,
    recent: VecDeque<Instant>,
    log: VecDeque<LoggedRequest>,
    seen: u64,
    by_endpoint: BTreeMap<Endpoint, u64>,
    by_status: BTreeMap<(Endpoint, u16), u64>,
    hooks: Vec<(Option<Endpoint>, u64, Hook)>,
}

/// Switches faults, counts requests and runs hooks; clones share one state.
#[derive(Clone, Default)]
pub struct Control {
    shared: Arc<Mutex<Shared>>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// What is to be done to one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Verdict {
    pub(super) latency: Duration,
    pub(super) hang: bool,
    pub(super) limited: Option<RateLimit>,
    pub(super) error: Option<u16>,
    pub(super) truncate: bool,
    pub(super) expire_refs: bool,
    pub(super) publish: bool,
    pub(super) change_models: Option<u64>,
    pub(super) lost: Option<Lost>,
}

/// How a write is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Before it happened.
    Request,
    /// It happened, nobody hears of it.
    Answer,
    /// It happened, and the answer says that it did not.
    Denied(u16),
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no holder of this lock can panic")
    }

    /// Replaces all faults; their own counters begin anew.
    pub fn set_faults(&self, faults: Faults) {
        let mut shared = self.lock();
        shared.faults = faults;
        shared.searches = 0;
        shared.model_listings = 0;
        shared.writes.clear();
        shared.draws = Draws::default();
        shared.recent.clear();
    }

    /// Returns the faults as they are set.
    pub fn faults(&self) -> Faults {
        self.lock().faults.clone()
    }

    /// Returns how many requests there were.
    pub fn request_count(&self) -> u64 {
        self.lock().seen
    }

    /// Returns how many requests an endpoint got.
    pub fn requests_to(&self, endpoint: Endpoint) -> u64 {
        self.lock().by_endpoint.get(&endpoint).copied().unwrap_or(0)
    }

    /// Returns how many requests each endpoint got; those without any are left out.
    pub fn requests_by_endpoint(&self) -> BTreeMap<Endpoint, u64> {
        self.lock().by_endpoint.clone()
    }

    /// Returns how often an endpoint answered with a status; answers that hang have none.
    pub fn answers(&self, endpoint: Endpoint, status: u16) -> u64 {
        self.lock().by_status.get(&(endpoint, status)).copied().unwrap_or(0)
    }

    /// Returns the last requests, oldest first, at most 10,000.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.lock().log.iter().cloned().collect()
    }

    /// Sets every counter to zero and empties the log; faults and hooks stay.
    pub fn reset_counters(&self) {
        let mut shared = self.lock();
        shared.log.clear();
        shared.seen = 0;
        shared.by_endpoint.clear();
        shared.by_status.clear();
        shared.meter.reset();
    }

    /// Sets how many requests a second the write APIs answer; at first, any number.
    pub fn set_rates(&self, rates: Rates) {
        self.lock().rates = rates;
    }

    /// Returns the rates as they are set.
    pub fn rates(&self) -> Rates {
        self.lock().rates
    }

    /// Returns how often an API was asked.
    pub fn traffic(&self, api: Api) -> Traffic {
        self.lock().meter.traffic(api)
    }

    /// Counts a request to an API; returns whether it is within the rate. `repository` is one that
    /// is served, or empty.
    pub(super) fn passes(&self, api: Api, repository: &str) -> bool {
        let mut shared = self.lock();
        let rates = shared.rates;
        shared.meter.passes(api, repository, rates, Instant::now())
    }

    /// Runs `hook` when request number `number` (from 1, over all endpoints) arrives, before it
    /// is answered. Once; a number that has passed never comes.
    pub fn on_request(&self, number: u64, hook: impl FnOnce(&LoggedRequest) + Send + 'static) {
        self.lock().hooks.push((None, number, Box::new(hook)));
    }

    /// Runs `hook` when an endpoint's request number `number` arrives, before it is answered.
    pub fn on_request_to(
        &self,
        endpoint: Endpoint,
        number: u64,
        hook: impl FnOnce(&LoggedRequest) + Send + 'static,
    ) {
        self.lock().hooks.push((Some(endpoint), number, Box::new(hook)));
    }

    /// Records a request, runs its hooks (without holding the lock) and decides its faults.
    pub(super) fn arrive(&self, method: &str, path: &str, query: Option<&str>) -> (Endpoint, Verdict) {
        let endpoint = Endpoint::of(path);
        let (request, due) = {
            let mut shared = self.lock();
            shared.seen += 1;
            let request = LoggedRequest {
                number: shared.seen,
                endpoint,
                method: method.to_owned(),
                target: without_token(path, query),
            };
            let of_endpoint = shared.by_endpoint.entry(endpoint).or_insert(0);
            *of_endpoint += 1;
            let of_endpoint = *of_endpoint;
            if shared.log.len() >= LOGGED_REQUESTS {
                shared.log.pop_front();
            }
            shared.log.push_back(request.clone());
            let hooks = std::mem::take(&mut shared.hooks);
            let (due, later): (Vec<_>, Vec<_>) =
                hooks.into_iter().partition(|(only, number, _)| match only {
                    None => *number == request.number,
                    Some(only) => *only == endpoint && *number == of_endpoint,
                });
            shared.hooks = later;
            (request, due)
        };
        for (_, _, hook) in due {
            hook(&request);
        }
        (endpoint, self.lock().judge(&request))
    }

    /// Records an answer.
    pub(super) fn answered(&self, endpoint: Endpoint, status: u16) {
        *self.lock().by_status.entry((endpoint, status)).or_insert(0) += 1;
    }
}

impl Shared {
    fn judge(&mut self, request: &LoggedRequest) -> Verdict {
        let endpoint = request.endpoint;
        let mut verdict = Verdict::default();
        if endpoint == Endpoint::Search {
            self.searches += 1;
            let passed = |after: Option<u64>| after.is_some_and(|after| self.searches == after + 1);
            verdict.expire_refs = passed(self.faults.expire_refs_after);
            verdict.publish = passed(self.faults.publish_after);
        }
        if endpoint == Endpoint::CustomTypes {
            self.model_listings += 1;
            let changes = self.faults.models_change && self.model_listings > 1;
            verdict.change_models = changes.then_some(self.model_listings);
        }
        let writes = is_write(&request.method) && endpoint != Endpoint::Other;
        if writes {
            let count = self.writes.entry(endpoint).or_insert(0);
            *count += 1;
            let this = (endpoint, *count);
            if self.faults.lost_requests_to.contains(&this) {
                verdict.lost = Some(Lost::Request);
            } else if self.faults.lost_answers_to.contains(&this) {
                verdict.lost = Some(Lost::Answer);
            }
        }
        if !self.faults.applies_to(endpoint) {
            return verdict;
        }
        verdict.latency = self.faults.latency;
        verdict.hang = self.faults.hang;
        if let Some(limit) = &self.faults.rate_limit {
            let now = Instant::now();
            while self.recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
                self.recent.pop_front();
            }
            if self.recent.len() >= limit.per_second {
                verdict.limited = Some(limit.clone());
            } else {
                self.recent.push_back(now);
            }
        }
        let error_share = self.faults.errors.as_ref().map_or(0.0, |errors| errors.share);
        let (mut requests, mut answers) = (self.faults.lost_requests, self.faults.lost_answers);
        let mut late = self.faults.late_errors.as_ref().map_or(0.0, |errors| errors.share);
        if !writes {
            (requests, answers, late) = (0.0, 0.0, 0.0);
        }
        if error_share + self.faults.truncated + requests + answers + late > 0.0 {
            let draw = if writes {
                self.draws.draw(self.faults.seed, &format!("{} {}", request.method, request.target))
            } else {
                self.draws.draw(self.faults.seed, &request.target)
            };
            let truncated = error_share + self.faults.truncated;
            if draw < error_share {
                verdict.error = self.faults.errors.as_ref().map(|errors| errors.status);
            } else if draw < truncated {
                verdict.truncate = true;
            } else if draw < truncated + requests {
                verdict.lost = Some(Lost::Request);
            } else if draw < truncated + requests + answers {
                verdict.lost = Some(Lost::Answer);
            } else if draw < truncated + requests + answers + late {
                verdict.lost = self.faults.late_errors.as_ref().map(|errors| Lost::Denied(errors.status));
            }
        }
        verdict
    }
}

fn is_write(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}

/// Path and query as they may be kept: an access token becomes what [`Secret`] shows.
fn without_token(path: &str, query: Option<&str>) -> String {
    let Some(query) = query else { return path.to_owned() };
    let kept: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("access_token", value)) => format!("access_token={}", Secret::new(value)),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::super::faults::ErrorRate;
    use super::*;

    #[test]
    fn the_log_shows_no_token() {
        assert_eq!(without_token("/api/v2", Some("ref=a&access_token=tok")), "/api/v2?ref=a&access_token=…");
    }

    #[test]
    fn the_same_requests_meet_the_same_faults_in_any_order() {
        let faults =
            Faults { seed: 7, errors: Some(ErrorRate { status: 500, share: 0.5 }), ..Faults::default() };
        let run = |order: &[u32]| {
            let control = Control::default();
            control.set_faults(faults.clone());
            let mut hit: Vec<(u32, bool)> = order
                .iter()
                .map(|page| {
                    let query = format!("page={page}");
                    (*page, control.arrive("GET", "/api/v2/documents/search", Some(&query)).1.error.is_some())
                })
                .collect();
            hit.sort_unstable();
            hit
        };
        let forwards: Vec<u32> = (0..50).collect();
        let backwards: Vec<u32> = (0..50).rev().collect();
        let hit = run(&forwards);
        assert_eq!(hit, run(&backwards));
        let errors = hit.iter().filter(|(_, hit)| *hit).count();
        assert!((10..40).contains(&errors), "{errors}");
    }

    #[test]
    fn a_hook_runs_once_at_its_request_and_may_use_the_control() {
        let control = Control::default();
        let inner = control.clone();
        control.on_request_to(Endpoint::Root, 2, move |request| {
            assert_eq!(request.number, 3);
            inner.set_faults(Faults { hang: true, ..Faults::default() });
        });
        assert!(!control.arrive("GET", "/api/v2", None).1.hang);
        assert!(!control.arrive("GET", "/api/tags", None).1.hang);
        assert!(control.arrive("GET", "/api/v2/", None).1.hang);
        assert_eq!((control.request_count(), control.requests_to(Endpoint::Root)), (3, 2));
    }
}
