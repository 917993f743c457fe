//! A plan made again, to see that nothing has changed since.

use std::sync::Arc;

use super::plan::{Held, Making, Plan, PlanError};
use crate::clock::Timestamp;
use crate::ids::{Digest, Name};
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::review::Decided;
use crate::privacy::search::{Again, FoundItem, SearchReport};
use crate::vault::erasure::replacements::NewItem;

/// What a plan is made from now.
pub struct Basis<'a> {
    /// What the search found.
    pub report: &'a SearchReport,
    /// What was decided.
    pub decisions: &'a (dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync),
    /// SHA-256 of both as they are read.
    pub files: (Digest, Digest),
    /// Legal holds that count.
    pub held: &'a [Held],
    /// Whether this host sees live what the planner saw: the media library is shown to holders of a write token
    /// only. Without it the live steps are taken as they were planned; whoever carries them out looks again.
    pub sees_live: bool,
}

/// Makes a plan again from what is there now; each item that is to be read in the place of others is handed to
/// `store`.
///
/// # Errors
///
/// [`PlanError::Drifted`] when it would be another plan now; those of [`Making::make`].
pub async fn made_again(
    plan: &Plan,
    basis: &Basis<'_>,
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    store: impl FnMut(&Name, NewItem),
) -> Result<(), PlanError> {
    let unlike = || PlanError::Drifted;
    let planned: Timestamp = plan.planned.parse().map_err(|_| unlike())?;
    let Digest(seed) = plan.seed.parse().map_err(|_| unlike())?;
    let making = Making {
        purpose: plan.purpose,
        corrections: &plan.corrections,
        held: basis.held,
        over_hold: plan.over_hold.as_ref().map(|over| over.reason.as_str()),
        told: plan.told,
        case: &plan.case,
        planned,
        by: &plan.by,
        planned_by: &plan.planned_by,
        seed,
        files: basis.files,
        report: basis.report,
        decisions: basis.decisions,
    };
    let mut now = making.make(again, matcher, store).await?;
    if !basis.sees_live {
        now.live.clone_from(&plan.live);
    }
    if now.hash() == plan.hash() { Ok(()) } else { Err(unlike()) }
}
