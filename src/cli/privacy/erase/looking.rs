//! Looks whether a plan did what it was to, and says so in the case.

use serde::Serialize;

use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::output::Page;
use crate::cli::privacy::planning::Ground;
use crate::cli::privacy::subject::subject_of;
use crate::cli::session::Session;
use crate::cli::units::{counted, human_bytes};
use crate::privacy::case::What;
use crate::privacy::erasure::plan::{PlanFile, Purpose};
use crate::privacy::proof::ProofError;
use crate::privacy::proof::check::{Checked, Checking, check};
use crate::privacy::proof::headers::OldHeaders;
use crate::privacy::proof::stays::Stays;
use crate::privacy::store::StoredCase;
use crate::vault::case_files;

/// Places that are listed; all are counted.
const LISTED_MAX: usize = 20;

/// What was seen, for people: where something is left, never what.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
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
}

impl Seen {
    fn of(checked: &Checked) -> Self {
        let places = checked.replicas.iter().chain(&checked.local);
        let leaks = places.clone().flat_map(|own| {
            own.leaks
                .iter()
                .map(move |leak| format!("{}: {} ({})", own.name, leak.place, counted(leak.times, "time")))
        });
        let again = checked.restored.found.iter().map(|found| {
            format!(
                "{} of {}: {} ({})",
                found.snapshot,
                found.repository,
                found.path,
                counted(found.findings, "finding")
            )
        });
        let opened = checked.headers.iter().filter(|own| own.opened > 0).map(|own| {
            format!("{}: {} of packs that were to go still open", own.replica, counted(own.opened, "header"))
        });
        let unscanned = places.clone().flat_map(|own| &own.unscanned);
        let unknown = checked.headers.iter().flat_map(|own| &own.unknown);
        let problems = unscanned.chain(unknown).chain(&checked.restored.problems);
        let away = checked.evidence.replicas.iter().filter(|own| own.id.is_none());
        Self {
            remaining: checked.remaining(),
            whole: checked.is_whole(),
            canary: checked.canary.is_found(),
            scanned: places.map(|own| (own.name.clone(), own.objects, own.bytes)).collect(),
            restored: checked.evidence.restored.iter().map(|own| own.items).sum(),
            left: leaks.chain(again).chain(opened).collect(),
            not_seen: away
                .map(|own| format!("{}: it could not be reached", own.name))
                .chain(problems.map(|own| format!("{}: {}", own.subject, own.detail)))
                .collect(),
            horizon: checked.horizons.iter().map(|own| (own.replica.clone(), own.date())).collect(),
        }
    }

    /// Whether nothing is left, and that was seen.
    pub(super) fn is_clean(&self) -> bool {
        self.remaining == 0 && self.whole && self.canary
    }

    pub(super) fn page(&self) -> Page {
        let mut page = Page::new();
        for (name, objects, bytes) in &self.scanned {
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
        page.line(match self.is_clean() {
            true => "Nothing of the person that was to go was found.".to_owned(),
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

/// Looks, stores what was seen with the case, and returns the event that says so. `None` for plans of which
/// nothing can be seen in this way.
pub(super) async fn look(
    stored: &StoredCase,
    file: &PlanFile,
    headers: &OldHeaders,
    session: &Session,
    context: &Context,
) -> Result<Option<(What, Seen)>, CommandError> {
    if file.plan.purpose == Purpose::Rectification {
        return Ok(None);
    }
    let ground = Ground::load(session, stored, context).await?;
    let subject = subject_of(&stored.case)?;
    let stays = Stays::of(&file.plan, &ground.report, &|found, finding| ground.review.of(found, finding));
    let live = ground.sources.live();
    let again = ground.sources.again(session, context, &live);
    let checking = Checking {
        again: &again,
        plan: &file.plan,
        stays: &stays,
        subject: &subject,
        matcher: &ground.matcher,
        headers,
        directories: &[],
        live: Vec::new(),
        urls: Vec::new(),
    };
    let checked = Box::pin(check(checking)).await.map_err(of_proof)?;
    let plain = serde_json::to_vec(&checked.evidence).expect("evidence always serialises");
    let evidence = case_files::store(&session.vault, stored.case.id(), plain).await?;
    let seen = Seen::of(&checked);
    let what = What::Verified {
        remaining: seen.remaining,
        canary: seen.canary,
        whole: seen.whole,
        evidence: Some(evidence),
    };
    Ok(Some((what, seen)))
}

fn of_proof(error: ProofError) -> CommandError {
    match error {
        ProofError::Vault(error) => error.into(),
        ProofError::Restore(error) => error.into(),
        ProofError::Cancelled => crate::vault::error::VaultError::cancelled().into(),
        other @ ProofError::TooMany(_) => CommandError::new(ErrorKind::Refused, other),
    }
}
