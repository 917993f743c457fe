//! How many requests a restore takes, and how long under the rates that Prismic allows.
//!
//! Steps run one after the other, and within one the rate of its API decides: one request a second for
//! assets and for documents. What a network adds is small beside that, but for large files, for which a
//! modest line is assumed.

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

/// A step with the time that each of its requests takes.
struct Cost {
    step: &'static str,
    label: String,
    count: u64,
    requests: u64,
    pace: Duration,
    /// Time besides.
    more: Duration,
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
    let mut time = Duration::ZERO;
    for cost in costs(work, paces, (choice, recorded), &mut forecast) {
        let requests = u32::try_from(cost.requests).unwrap_or(u32::MAX);
        let takes = cost.pace.mul_f64(SLACK).saturating_mul(requests) + cost.more;
        time += takes;
        forecast.requests += cost.requests;
        if cost.count > 0 {
            let Cost { step, label, count, requests, .. } = cost;
            steps.push(PlannedStep { step, label, count, requests, done: 0, seconds: takes.as_secs_f64() });
        }
    }
    forecast.seconds = time.as_secs_f64().ceil() as u64;
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
        more: paces.migration + times(paces.assets, listing),
        ..cost("preflight", "preflight", 0, 0, paces.content)
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
        costs.push(cost(step, &label, count, count, paces.types));
    }
    let tags = work.tags.len() as u64;
    costs.push(cost("asset-tags", "tags of the media library", tags, tags, paces.assets));
    let assets = || work.uploads.iter().map(|at| &work.source.assets[*at]);
    forecast.upload_bytes = assets().map(|asset| asset.bytes).sum();
    let (uploads, tagged) =
        (work.uploads.len() as u64, assets().filter(|asset| !asset.tags.is_empty()).count());
    let mut upload = cost("assets", "assets", uploads, uploads + tagged as u64, paces.assets);
    upload.more = assets().map(|asset| beyond(asset.bytes, paces.assets)).sum();
    costs.push(upload);
    costs.extend(documents(work, paces, choice));
    costs
}

fn cost(step: &'static str, label: &str, count: u64, requests: u64, pace: Duration) -> Cost {
    Cost { step, label: label.to_owned(), count, requests, pace, more: Duration::ZERO }
}

fn times(pace: Duration, count: u64) -> Duration {
    pace.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Time that a file takes beyond what the rate keeps it waiting for anyway.
fn beyond(bytes: u64, pace: Duration) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / UPLOAD_BYTES_PER_SECOND).saturating_sub(pace)
}

fn documents(work: &Work, paces: Paces, choice: &Choice) -> Vec<Cost> {
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
        cost("documents", "documents", masters, masters, paces.migration),
        cost("translations", "translations", translations, translations, paces.migration),
        cost("kept", "documents that the target has (left as they are)", kept, 0, paces.migration),
        cost("replaced", "documents that the target has (replaced)", replaced, replaced, paces.migration),
        cost("links", "documents sent again for links to later ones", links, links, paces.migration),
        cost("publish", publish, publishes, by_us, paces.migration),
        Cost {
            more: times(paces.content, pages) + times(paces.assets, listed),
            ..cost(
                "read-back",
                "documents read back and compared",
                work.documents.len() as u64,
                0,
                paces.content,
            )
        },
    ]
}
