//! Looks whether a plan did what it was to, and says so in the case.

use std::collections::BTreeSet;

use serde::Serialize;

use super::live::{self, SeenLive};
use super::own;
use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::output::Page;
use crate::cli::privacy::planning::{Ground, of_plan};
use crate::cli::privacy::subject::subject_of;
use crate::cli::session::Session;
use crate::cli::units::{counted, human_bytes};
use crate::privacy::case::What;
use crate::privacy::certificate::OwnFilesState;
use crate::privacy::erasure::live::standing::contradicted;
use crate::privacy::erasure::plan::{Plan, PlanFile, Purpose, decided_under};
use crate::privacy::own_files::{Refused, Why};
use crate::privacy::proof::check::{Checked, Checking, check};
use crate::privacy::proof::evidence::{Evidence, LiveEvidence, UrlEvidence};
use crate::privacy::proof::headers::OldHeaders;
use crate::privacy::proof::rectified::{Allowed, Looking, rectified};
use crate::privacy::proof::seen::Seen;
use crate::privacy::proof::stays::Stays;
use crate::privacy::store::StoredCase;

/// Places that are listed; all are counted.
const LISTED_MAX: usize = 20;

/// What was seen, for people: where something is left, never what.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    /// Findings and leaks that are still there.
    pub(super) remaining: u64,
    /// Whether everything could be looked at.
    pub(super) whole: bool,
    /// Whether the scanner found what was planted for it.
    pub(super) canary: bool,
    scanned: Vec<(String, u64, u64)>,
    restored: u64,
    left: Vec<String>,
    not_seen: Vec<String>,
    horizon: Vec<(String, Option<String>)>,
    /// Identifiers that cannot be looked for in raw bytes.
    weak: Option<u64>,
    /// What is left to people, in words, a line each.
    tasks: Vec<String>,
    /// Ids of tasks of which people said that they are done, and which are seen to be open.
    pub(super) contradicted: BTreeSet<String>,
    /// What the plan was for.
    purpose: Purpose,
    /// All that was seen, as the case keeps it.
    #[serde(skip)]
    pub(super) evidence: Evidence,
}

impl Shown {
    fn of(checked: &Checked, live: &SeenLive, own_left: u64, purpose: Purpose) -> Self {
        let live = &live.looked[..];
        let places = checked.replicas.iter().chain(&checked.local);
        let leaks = places.clone().flat_map(|own| {
            own.leaks
                .iter()
                .map(move |leak| format!("{}: {} ({})", own.name, leak.place, counted(leak.times, "time")))
        });
        let again = checked.restored.found.iter().map(|found| {
            let what = match found.places.is_empty() {
                true => format!("({})", counted(found.findings, "finding")),
                false => found.places.join(", "),
            };
            format!("{} of {}: {} {what}", found.snapshot, found.repository, found.path)
        });
        let opened = checked.headers.iter().filter(|own| own.opened > 0).map(|own| {
            format!("{}: {} of packs that were to go still open", own.replica, counted(own.opened, "header"))
        });
        let again_live = live.iter().flat_map(|own| {
            own.remaining
                .iter()
                .map(move |left| format!("live in {}: {} {}", own.evidence.repository, left.path, left.place))
        });
        let unread = live.iter().flat_map(|own| &own.problems);
        let unscanned = places.clone().flat_map(|own| &own.unscanned);
        let unknown = checked.headers.iter().flat_map(|own| &own.unknown);
        let problems = unscanned.chain(unknown).chain(&checked.restored.problems).chain(unread);
        let unseen = live.iter().flat_map(|own| &own.unseen);
        // Copies of what is restricted are to stay.
        let horizons = checked.horizons.iter().filter(|_| purpose.destroys());
        let away = checked.evidence.replicas.iter().filter(|own| own.id.is_none());
        Self {
            remaining: checked.remaining() + own_left,
            whole: checked.is_whole() && live.iter().all(|own| own.problems.is_empty()),
            canary: checked.canary.is_found(),
            scanned: places.map(|own| (own.name.clone(), own.objects, own.bytes)).collect(),
            restored: checked.evidence.restored.iter().map(|own| own.items).sum(),
            left: leaks.chain(again).chain(opened).chain(again_live).collect(),
            not_seen: away
                .map(|own| format!("{}: it could not be reached", own.name))
                .chain(problems.chain(unseen).map(|own| format!("{}: {}", own.subject, own.detail)))
                .collect(),
            weak: checked.evidence.sought.map(|sought| sought.weak),
            horizon: horizons.map(|own| (own.replica.clone(), own.date())).collect(),
            tasks: Vec::new(),
            contradicted: BTreeSet::new(),
            purpose,
            evidence: checked.evidence.clone(),
        }
    }

    /// Whether nothing is left, and that was seen.
    pub(super) fn is_clean(&self) -> bool {
        self.remaining == 0 && self.whole && self.canary
    }

    pub(super) fn page(&self) -> Page {
        let mut page = Page::new();
        for (name, objects, bytes) in self.scanned.iter().filter(|(_, objects, _)| *objects > 0) {
            page = page.line(format!(
                "Looked through {} of {name} ({})",
                counted(*objects, "object"),
                human_bytes(*bytes)
            ));
        }
        page = page.line(format!(
            "Read {} of old and new snapshots as a restore would",
            counted(self.restored, "item")
        ));
        if !self.canary {
            page = page.line("The scanner did not find what was planted for it: nothing that it says counts");
        }
        page = listed(page, "Still there", &self.left);
        page = listed(page, "Could not be looked at", &self.not_seen);
        for (replica, until) in &self.horizon {
            page = page.line(match until {
                Some(until) => format!("No copy is left on {replica} after {until}"),
                None => format!("Until when {replica} has copies is not known"),
            });
        }
        page = self.tasks.iter().fold(page, |page, line| page.line(line.as_str()));
        for task in &self.contradicted {
            page = page
                .line(format!("Task {task} was said to be done, and is seen not to be: it is open again"));
        }
        if let Some(weak) = self.weak.filter(|weak| *weak > 0) {
            page = page.line(format!(
                "{} of the person {} too short or too common to be looked for in raw bytes: snapshots were searched for it",
                counted(weak, "identifier"),
                if weak == 1 { "is" } else { "are" }
            ));
        }
        page.line(match self.is_clean() {
            true => match self.purpose {
                Purpose::Erasure => "Nothing of the person that was to go was found.",
                Purpose::Rectification => {
                    "No wrong value was found where it was to be corrected, and a right one stands there."
                }
                Purpose::Restriction => "Nothing of what is restricted is handed out or published.",
                Purpose::Lift => "The restriction has ended: snapshots read as before.",
            }
            .to_owned(),
            false => format!("{} left; this is not done yet.", counted(self.remaining, "place")),
        })
    }
}

fn listed(page: Page, what: &str, all: &[String]) -> Page {
    if all.is_empty() {
        return page;
    }
    let page = all
        .iter()
        .take(LISTED_MAX)
        .fold(page.line(format!("{what}:")), |page, own| page.line(format!("  {own}")));
    match all.len().saturating_sub(LISTED_MAX) {
        0 => page,
        more => page.line(format!("  and {more} more")),
    }
}

/// Looks, stores what was seen with the case, and returns the event that says so.
pub(super) async fn look(
    stored: &StoredCase,
    file: &PlanFile,
    headers: &OldHeaders,
    ground: &Ground,
    session: &Session,
    context: &Context,
) -> Result<(What, Shown), CommandError> {
    let (vault, plan) = (&session.vault, &file.plan);
    let earlier = Seen::load(vault, stored).await?.filter(|seen| seen.evidence.plan == plan.hash());
    let urls = earlier.as_ref().map(|seen| &seen.evidence.urls[..]).unwrap_or_default();
    let said = &stored.case.state().tasks_done;
    let seen_live = Box::pin(live::look(plan, ground, urls, said, session, context)).await?;
    let mut own_files = OwnFilesState::default();
    let (mut not_removed, mut not_known) = (Vec::new(), Vec::new());
    if plan.purpose == Purpose::Erasure {
        let removed = earlier.as_ref().map_or(0, |seen| seen.own_files.removed);
        let (state, swept) = own::swept(stored.case.id(), &ground.matcher, removed, session).await?;
        own_files = state;
        (not_known, not_removed) =
            swept.left.into_iter().partition(|own| matches!(own.why, Why::NotKnown(_)));
    }
    let evidence: Vec<LiveEvidence> = seen_live.looked.iter().map(|own| own.evidence.clone()).collect();
    let live = (evidence, seen_live.urls.clone());
    let checked = match plan.purpose {
        Purpose::Rectification => looked_rectified(plan, headers, ground, live, session, context).await,
        _ => looked_through(stored, plan, headers, ground, live, session, context).await,
    };
    let checked = checked?;
    let mut shown = Shown::of(&checked, &seen_live, own_files.left, plan.purpose);
    let words = |own: Refused| format!("{}: {}", own.path.display(), own.why.words());
    shown.left.extend(not_removed.into_iter().map(words));
    shown.not_seen.extend(not_known.into_iter().map(words));
    let tasks = seen_live.looked.iter().flat_map(|own| own.sights.clone()).collect();
    let seen = Seen { evidence: checked.evidence.clone(), own_files, tasks };
    let evidence = seen.store(vault).await?;
    shown.tasks = live::tasks(plan, &seen_live, stored.case.language(), session);
    shown.contradicted = contradicted(&plan.live, said, None, &seen_live.looked);
    let what = What::Verified {
        remaining: shown.remaining,
        canary: shown.canary,
        whole: shown.whole,
        tasks: seen_live.looked.iter().map(|own| own.evidence.tasks).sum(),
        evidence: Some(evidence),
    };
    Ok((what, shown))
}

/// Looks for the person: through every byte after an erasure, through what users are given after a restriction.
async fn looked_through(
    stored: &StoredCase,
    plan: &Plan,
    headers: &OldHeaders,
    ground: &Ground,
    (live, urls): (Vec<LiveEvidence>, Vec<UrlEvidence>),
    session: &Session,
    context: &Context,
) -> Result<Checked, CommandError> {
    let subject = subject_of(&stored.case)?;
    let stays = Stays::of(plan, &ground.report, &|found, finding| ground.review.of(found, finding));
    let sources = ground.sources.live();
    let again = ground.sources.again(session, context, &sources);
    let checking = Checking {
        again: &again,
        plan,
        stays: &stays,
        subject: &subject,
        matcher: &ground.matcher,
        headers,
        directories: &[],
        live,
        urls,
    };
    Ok(Box::pin(check(checking)).await?)
}

/// Looks for wrong values where they were to be corrected, and for right ones.
async fn looked_rectified(
    plan: &Plan,
    headers: &OldHeaders,
    ground: &Ground,
    (live, urls): (Vec<LiveEvidence>, Vec<UrlEvidence>),
    session: &Session,
    context: &Context,
) -> Result<Checked, CommandError> {
    let reviewed = |found: &_, finding: &_| ground.review.of(found, finding);
    let decided = decided_under(&ground.held, &reviewed).map_err(|error| of_plan(error, &plan.case))?;
    let allowed = Allowed::of(plan, &ground.report, &decided);
    let sources = ground.sources.live();
    let again = ground.sources.again(session, context, &sources);
    let looking = Looking { again: &again, plan, allowed: &allowed, headers, live, urls };
    Ok(Box::pin(rectified(looking)).await?)
}
