//! How long a recovery will take: what the last drill took, by as much larger as there is more now, and never less
//! than Prismic's documented limits allow.

use std::time::Duration;

use serde::Serialize;

use super::inventory::Inventory;
use crate::drill::measure::in_words;
use crate::drill::report::Floor;
use crate::drill::timeline::{Ended, Phase};

/// Requests a second that Prismic's Asset API and Migration API take, by their documentation.
const A_SECOND: u64 = 1;

/// What is predicted of one phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Predicted {
    /// Which.
    pub phase: Phase,
    /// Milliseconds from the beginning to its end; absent: nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<u64>,
    /// Milliseconds that it takes; absent: nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_ms: Option<u64>,
    /// Where that is from.
    pub from: String,
}

/// Whether a phase takes longer where there is more content.
fn grows(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Verify | Phase::Fetch | Phase::Decrypt | Phase::Restore | Phase::Replay | Phase::Content
    )
}

/// Predicts the phases of a recovery, in order. After one of which nobody knows, nobody knows when the next ends.
pub fn predict(inventory: &Inventory) -> Vec<Predicted> {
    let (documents, assets) = inventory.sizes();
    let now = documents.saturating_add(assets);
    let mut clock = Some(0u64);
    let of = |phase: Phase| {
        let (takes_ms, from) = takes(inventory, phase, now);
        clock = clock.zip(takes_ms).map(|(clock, takes)| clock.saturating_add(takes));
        Predicted { phase, ends_ms: clock, takes_ms, from }
    };
    Phase::ALL.into_iter().filter(|phase| phase.counts()).map(of).collect()
}

fn takes(inventory: &Inventory, phase: Phase, now: u64) -> (Option<u64>, String) {
    let Some(last) = &inventory.last else {
        return (None, "no drill of this plan was made yet".to_owned());
    };
    let Some(seen) = last.phases.iter().find(|own| own.phase == phase) else {
        return (None, format!("drill {} tells nothing of it", last.drill));
    };
    if matches!(seen.ended, Ended::Broken | Ended::Skipped) {
        return (None, format!("it was not gone through in drill {}", last.drill));
    }
    let then = last.recovered.0.saturating_add(last.recovered.1);
    let took = in_words(Duration::from_millis(seen.took_ms));
    if !grows(phase) || then == 0 || then == now {
        return (Some(seen.took_ms), format!("{took} in drill {} to {}", last.drill, last.target));
    }
    // In 128 bits nothing of it overflows.
    let scaled = u128::from(seen.took_ms) * u128::from(now) / u128::from(then);
    let from = format!(
        "{took} in drill {} to {}, for {now} documents and assets in place of {then}",
        last.drill, last.target
    );
    (Some(u64::try_from(scaled).unwrap_or(u64::MAX)), from)
}

/// The least time in which everything can be written into Prismic: a request for each asset and each document, and
/// one kind after the other, because documents refer to assets.
pub fn into_prismic(inventory: &Inventory) -> Floor {
    let (documents, assets) = inventory.sizes();
    let requests = documents.saturating_add(assets);
    Floor {
        seconds: requests / A_SECOND,
        requests,
        bound: format!(
            "{assets} assets by the Asset API and {documents} documents by the Migration API, \
             {A_SECOND} request a second each"
        ),
    }
}
