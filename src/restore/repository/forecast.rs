//! How many requests a restore takes, and how long under the rates that Prismic allows.
//!
//! Steps run one after the other, each request as soon as the pacer of its API lets it go: the first of a
//! step at once where that API was left alone for long enough. What a network adds is small beside that,
//! but for large files, for which a modest line is assumed.

use std::time::Duration;

use serde::Serialize;

use super::Choice;
use super::entries::{Fate, Recorded};
use super::order::Step;
use super::plan::{PlannedStep, Work, model_request, models_of};
use super::source::{CUSTOM_TYPES, SLICES};

/// Bytes a second at which files are assumed to be uploaded.
const UPLOAD_BYTES_PER_SECOND: u64 = 10 << 20;
/// Assets that a page of the media library holds.
const ASSETS_A_PAGE: u64 = 1000;
/// How much longer than the rate says a request takes: what a pacer adds to stay below it.
const SLACK: f64 = 1.01;
/// Time until an answer is there; it counts only where nothing else keeps the next request waiting.
const ANSWER_TAKES: Duration = Duration::from_millis(100);

/// Time between two requests to each API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paces {
    /// Content API.
    pub content: Duration,
    /// Types API.
    pub types: Duration,
    /// Asset API.
    pub assets: Duration,
    /// Migration API.
    pub migration: Duration,
}

/// What a restore costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Requests that change something.
    pub requests: u64,
    /// Bytes of files that are uploaded.
    pub upload_bytes: u64,
    /// How long it takes, in seconds, from the beginning.
    pub seconds: u64,
    /// How long what is left takes, in seconds.
    pub seconds_left: u64,
}

/// The APIs that requests are spaced for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Content,
    Types,
    Assets,
    Migration,
}

/// A step with its requests.
struct Cost {
    step: &'static str,
    label: String,
    count: u64,
    /// Requests that change something.
    requests: u64,
    /// To which API.
    lane: Lane,
    /// Requests that only read, after the others.
    reads: Vec<(Lane, u64)>,
    /// Time besides.
    more: Duration,
}

/// When each API takes the next request, while time is counted.
struct Time {
    paces: Paces,
    now: Duration,
    /// By lane.
    free: [Duration; 4],
}

impl Time {
    fn of(paces: Paces) -> Self {
        Self { paces, now: Duration::ZERO, free: [Duration::ZERO; 4] }
    }

    fn pace(&self, lane: Lane) -> Duration {
        let pace = match lane {
            Lane::Content => self.paces.content,
            Lane::Types => self.paces.types,
            Lane::Assets => self.paces.assets,
            Lane::Migration => self.paces.migration,
        };
        pace.mul_f64(SLACK)
    }

    /// Lets as many requests pass, one after the answer to the other.
    fn pass(&mut self, lane: Lane, requests: u64) {
        let Some(others) = u32::try_from(requests).unwrap_or(u32::MAX).checked_sub(1) else { return };
        let pace = self.pace(lane);
        let last = self.now.max(self.free[lane as usize]) + pace.max(ANSWER_TAKES).saturating_mul(others);
        self.free[lane as usize] = last + pace;
        self.now = last + ANSWER_TAKES;
    }
}

/// Counts the steps of a plan.
pub(super) fn count(
    work: &Work,
    paces: Paces,
    choice: &Choice,
    recorded: &Recorded,
) -> (Vec<PlannedStep>, Forecast) {
    let mut forecast = Forecast::default();
    let mut steps = Vec::new();
    let mut time = Time::of(paces);
    for cost in costs(work, paces, (choice, recorded), &mut forecast) {
        let before = time.now;
        time.pass(cost.lane, cost.requests);
        cost.reads.iter().for_each(|(lane, reads)| time.pass(*lane, *reads));
        time.now += cost.more;
        forecast.requests += cost.requests;
        if cost.count > 0 {
            let seconds = (time.now - before).as_secs_f64();
            let Cost { step, label, count, requests, .. } = cost;
            steps.push(PlannedStep { step, label, count, requests, done: 0, seconds });
        }
    }
    forecast.seconds = time.now.as_secs_f64().ceil() as u64;
    forecast.seconds_left = forecast.seconds;
    (steps, forecast)
}

fn costs(
    work: &Work,
    paces: Paces,
    (choice, recorded): (&Choice, &Recorded),
    forecast: &mut Forecast,
) -> Vec<Cost> {
    // What is read before: who we are, the models, the list of assets and tags.
    let listing = work.assets_listed.div_ceil(ASSETS_A_PAGE) + 2;
    let mut costs = vec![Cost {
        reads: vec![(Lane::Migration, 1), (Lane::Content, 2), (Lane::Types, 2), (Lane::Assets, listing)],
        ..cost("preflight", "preflight", 0, 0, Lane::Content)
    }];
    for (kind, step, label) in
        [(SLICES, "slices", "shared slices"), (CUSTOM_TYPES, "custom-types", "custom types")]
    {
        let (inserted, updated) = models_of(&work.models, kind);
        let label = match updated {
            0 => label.to_owned(),
            _ => format!("{label} ({inserted} new, {updated} changed)"),
        };
        // Those that a run before this one wrote are the same by now.
        let same = work.models.same.iter().filter(|step| step.kind == kind);
        let before = same.filter(|step| recorded.fate(&model_request(step)) == Fate::Done).count() as u64;
        let count = inserted + updated + before;
        costs.push(cost(step, &label, count, count, Lane::Types));
    }
    let tags = work.tags.len() as u64;
    costs.push(cost("asset-tags", "tags of the media library", tags, tags, Lane::Assets));
    let assets = || work.uploads.iter().map(|at| &work.source.assets[*at]);
    forecast.upload_bytes = assets().map(|asset| asset.bytes).sum();
    let (uploads, tagged) =
        (work.uploads.len() as u64, assets().filter(|asset| !asset.tags.is_empty()).count());
    let mut upload = cost("assets", "assets", uploads, uploads + tagged as u64, Lane::Assets);
    upload.more = assets().map(|asset| beyond(asset.bytes, paces.assets)).sum();
    costs.push(upload);
    costs.extend(documents(work, choice));
    costs
}

fn cost(step: &'static str, label: &str, count: u64, requests: u64, lane: Lane) -> Cost {
    Cost { step, label: label.to_owned(), count, requests, lane, reads: Vec::new(), more: Duration::ZERO }
}

/// Time that a file takes beyond what the rate keeps it waiting for anyway.
fn beyond(bytes: u64, pace: Duration) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / UPLOAD_BYTES_PER_SECOND).saturating_sub(pace)
}

fn documents(work: &Work, choice: &Choice) -> Vec<Cost> {
    let (mut masters, mut translations, mut replaced, mut links, mut publishes) = (0, 0, 0, 0, 0);
    for step in &work.steps {
        match step {
            Step::Create { node, .. } => match work.documents[*node as usize].translation_of {
                None => masters += 1,
                Some(_) => translations += 1,
            },
            Step::Replace { .. } => replaced += 1,
            Step::Complete { .. } => links += 1,
            Step::Publish { .. } => publishes += 1,
        }
    }
    let publish = if choice.publish { "publishes" } else { "publishes (yours to click)" };
    let by_us = if choice.publish { publishes } else { 0 };
    let kept = work.kept.len() as u64;
    let pages = (work.documents.len() as u64).div_ceil(100) + 1;
    let listed = match work.uploads.len() as u64 {
        0 => 0,
        uploads => (work.assets_listed + uploads).div_ceil(ASSETS_A_PAGE) + 2,
    };
    vec![
        cost("documents", "documents", masters, masters, Lane::Migration),
        cost("translations", "translations", translations, translations, Lane::Migration),
        cost("kept", "documents that the target has (left as they are)", kept, 0, Lane::Migration),
        cost("replaced", "documents that the target has (replaced)", replaced, replaced, Lane::Migration),
        cost("links", "documents sent again for links to later ones", links, links, Lane::Migration),
        cost("publish", publish, publishes, by_us, Lane::Migration),
        Cost {
            reads: vec![(Lane::Content, pages), (Lane::Types, 2), (Lane::Assets, listed)],
            ..cost(
                "read-back",
                "documents read back and compared",
                work.documents.len() as u64,
                0,
                Lane::Content,
            )
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn time() -> Time {
        let quick = Duration::from_millis(7);
        Time::of(Paces { content: quick, types: SECOND / 4, assets: SECOND, migration: SECOND })
    }

    #[test]
    fn the_first_request_goes_at_once_and_each_further_one_at_its_rate() {
        let mut time = time();
        time.pass(Lane::Migration, 0);
        assert_eq!(time.now, Duration::ZERO);
        time.pass(Lane::Migration, 1);
        assert_eq!(time.now, ANSWER_TAKES);
        time.pass(Lane::Migration, 10);
        assert_eq!(time.now, SECOND.mul_f64(SLACK) * 10 + ANSWER_TAKES);
    }

    #[test]
    fn apis_do_not_wait_for_each_other() {
        let mut time = time();
        time.pass(Lane::Migration, 1);
        time.pass(Lane::Assets, 5);
        let uploaded = time.now;
        time.pass(Lane::Migration, 1);
        assert_eq!(time.now, uploaded + ANSWER_TAKES, "its pause is over long since");
    }

    #[test]
    fn where_the_rate_is_high_the_answers_take_the_time() {
        let mut time = time();
        time.pass(Lane::Content, 10);
        assert_eq!(time.now, ANSWER_TAKES * 10);
    }
}
