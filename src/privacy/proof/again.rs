//! Erased people who are looked for again: whose case it is, and what the vault keeps of the look.
//!
//! An erasure ends with a proof; nothing ends that somebody writes of the person again. So cases are looked at
//! again and again, what is live and every snapshot since, and what came of it lies in the vault without
//! personal data ([`erasure_checks`](crate::vault::erasure_checks)): `status` raises its alarms from that.

use std::collections::{BTreeMap, BTreeSet};

use super::restored::Restored;
use crate::clock::Timestamp;
use crate::ids::CaseId;
use crate::limits::Limits;
use crate::privacy::case::state::Verification;
use crate::privacy::case::{Case, Stage};
use crate::privacy::erasure::plan::{Plan, Purpose};
use crate::vault::format::erasure_checks::{CaseCheck, Checks, LISTED_MAX, Next};
use crate::vault::told;

/// Whether the person of a case is to be gone: a plan was carried out and nobody works on the case any more, or
/// only tells others. Whether the plan was to erase says [`is_erasure`].
pub fn is_carried_out(case: &Case) -> bool {
    let state = case.state();
    let is_verified = matches!(state.stage, Stage::NotifyingRecipients | Stage::Responding);
    state.executed && (is_verified || state.stage.is_done())
}

/// Whether a plan was to erase: who was corrected or restricted is still there.
pub fn is_erasure(plan: &Plan) -> bool {
    plan.purpose == Purpose::Erasure
}

/// What follows when the person of a case is found.
pub fn next_of(case: &Case) -> Next {
    let state = case.state();
    match state.stage {
        _ if !state.verified.is_some_and(Verification::is_clean) => Next::Erase,
        Stage::NotifyingRecipients => Next::Search,
        Stage::Responding => Next::Close,
        _ => Next::Reopen,
    }
}

/// What one look at one case saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Places that are live; `None`: it was not looked there.
    pub live: Option<u64>,
    /// Parts of what is live that could not be read.
    pub live_not_read: u64,
    /// Snapshots since the last look.
    pub restored: Restored,
}

impl Seen {
    /// What the vault keeps of it; `before` is what it kept of the last look.
    pub fn check(&self, case: &Case, before: Option<&CaseCheck>, now: Timestamp) -> CaseCheck {
        let nothing = BTreeMap::new();
        let found_in = self.restored.found_in();
        let mut check = CaseCheck {
            looked: now,
            // What was live at the last look is so until somebody looks there again.
            live: self.live.unwrap_or_else(|| before.map_or(0, |before| before.live)),
            stored: self.restored.found.len() as u64,
            snapshots: found_in.len() as u64,
            found_in: found_in.into_iter().take(LISTED_MAX).cloned().collect(),
            not_read: self.live_not_read + self.restored.problems.len() as u64,
            since: None,
            next: next_of(case),
            clean: self.restored.clean(before.map_or(&nothing, |before| &before.clean)),
        };
        if check.places() > 0 {
            check.since = Some(before.and_then(|before| before.since).unwrap_or(now));
        }
        check
    }

    /// Whether everything was looked at.
    pub fn is_whole(&self) -> bool {
        let Restored { problems, unread, .. } = &self.restored;
        self.live.is_some() && self.live_not_read == 0 && problems.is_empty() && unread.is_empty()
    }
}

/// Forgets cases that are no more, or in which nobody will look again: what was said of them stands for nothing.
/// `cases` are all that can be read, `unreadable` those that cannot.
pub fn forget(checks: &mut Checks, cases: &[&Case], unreadable: &BTreeSet<CaseId>) {
    let is_over = |case: &Case| {
        let stage = case.state().stage;
        stage.is_closed() && !stage.is_done()
    };
    let kept: BTreeSet<&CaseId> = cases.iter().filter(|case| !is_over(case)).map(|case| case.id()).collect();
    checks.cases.retain(|case, _| kept.contains(case) || unreadable.contains(case));
}

/// Dates a record: later than the one before it, whatever clocks say. `is_whole` when everybody was looked for,
/// everywhere, and all of it could be read.
pub fn date(checks: &mut Checks, now: Timestamp, is_whole: bool, limits: &Limits) {
    checks.at = Some(told::next_at(checks.at, now, limits));
    if is_whole {
        checks.whole = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Name, SnapshotId};
    use crate::privacy::case::What;
    use crate::privacy::proof::evidence::RestoreEvidence;
    use crate::privacy::proof::restored::FoundAgain;
    use crate::privacy::purge::tests::{case, erased, hold};
    use crate::progress::Problem;

    fn at(hour: u32) -> Timestamp {
        format!("2026-11-23T{hour:02}:00:00Z").parse().unwrap()
    }

    fn blog() -> Name {
        "blog".parse().unwrap()
    }

    /// Snapshots of these hours, with so many findings.
    fn restored(snapshots: &[(&SnapshotId, u64)]) -> Restored {
        let mut restored = Restored::default();
        for (snapshot, remaining) in snapshots {
            restored.chains.push((blog(), (*snapshot).clone()));
            restored.evidence.push(RestoreEvidence {
                repository: blog(),
                snapshot: (*snapshot).clone(),
                items: 3,
                remaining: *remaining,
            });
            if *remaining > 0 {
                restored.found.push(FoundAgain {
                    repository: blog(),
                    snapshot: (*snapshot).clone(),
                    path: "documents/en-us/page/A.json".to_owned(),
                    item: crate::ids::ItemId([1; 32]),
                    findings: *remaining,
                    places: Vec::new(),
                });
            }
        }
        restored
    }

    #[test]
    fn whose_case_is_looked_at_and_what_follows() {
        let until = |count: usize| case(erased().into_iter().take(count).collect());
        let all = erased().len();
        let states: Vec<(bool, Next)> =
            (all - 5..=all).map(|count| (is_carried_out(&until(count)), next_of(&until(count)))).collect();
        assert_eq!(
            states,
            [
                // Carried out and not verified; verified; recipients are told; answered; closed.
                (false, Next::Erase),
                (false, Next::Erase),
                (true, Next::Search),
                (true, Next::Close),
                (true, Next::Close),
                (true, Next::Reopen),
            ]
        );
        let again = case(erased().into_iter().chain([What::Reopened]).collect());
        assert!(!is_carried_out(&again), "somebody works on it");
    }

    #[test]
    fn what_is_found_is_told_since_the_first_look_until_one_finds_nothing() {
        let case = case(erased());
        let ids: Vec<SnapshotId> = (1..4).map(|hour| SnapshotId::new(at(hour))).collect();
        let look = |seen: Seen, before: Option<&CaseCheck>, hour| seen.check(&case, before, at(hour));
        let good = Seen { live: Some(0), restored: restored(&[(&ids[0], 0)]), ..Seen::default() };
        assert!(good.is_whole());
        let first = look(good, None, 5);
        assert_eq!((first.places(), first.since, first.clean.get(&blog())), (0, None, Some(&ids[0])));

        let back =
            || Seen { live: Some(2), restored: restored(&[(&ids[1], 1), (&ids[2], 0)]), ..Seen::default() };
        let second = look(back(), Some(&first), 6);
        assert_eq!((second.live, second.stored, second.snapshots), (2, 1, 1));
        assert_eq!((second.since, &second.found_in[..]), (Some(at(6)), &ids[1..2]));
        assert_eq!(second.clean.get(&blog()), Some(&ids[0]), "the next look begins where it was found");
        assert_eq!(look(back(), Some(&second), 7).since, Some(at(6)));

        // Who does not look at what is live says nothing of it.
        let stored_only = Seen { live: None, restored: restored(&[(&ids[1], 0)]), ..Seen::default() };
        assert!(!stored_only.is_whole());
        let third = look(stored_only, Some(&second), 8);
        assert_eq!((third.live, third.stored, third.since), (2, 0, Some(at(6))));
        let gone = Seen { live: Some(0), ..Seen::default() };
        let last = look(gone, Some(&third), 9);
        assert_eq!((last.places(), last.since, last.clean.get(&blog())), (0, None, Some(&ids[1])));
    }

    #[test]
    fn what_cannot_be_read_is_no_look() {
        let case = case(erased());
        let ids: Vec<SnapshotId> = (1..4).map(|hour| SnapshotId::new(at(hour))).collect();
        let mut part = restored(&[(&ids[0], 0), (&ids[2], 0)]);
        part.chains.insert(1, (blog(), ids[1].clone()));
        part.unread.insert(ids[1].clone(), blog());
        part.problems.push(Problem::new("not-searched", "blog", "no replica has it"));
        let seen = Seen { live: Some(0), live_not_read: 1, restored: part };
        assert!(!seen.is_whole());
        let check = seen.check(&case, None, at(5));
        assert_eq!(
            (check.not_read, check.clean.get(&blog())),
            (2, Some(&ids[0])),
            "it is read the next time"
        );
    }

    #[test]
    fn what_was_said_of_a_case_that_is_no_more_is_forgotten() {
        let (open, closed) = (case(erased()), case(vec![hold(), What::Withdrawn]));
        let check = Seen::default().check(&open, None, at(5));
        let unreadable = CaseId::new(2022);
        let purged = CaseId::new(2021);
        let mut checks = Checks::default();
        for id in [open.id(), &unreadable, &purged] {
            checks.cases.insert(id.clone(), check.clone());
        }
        forget(&mut checks, &[&open], &BTreeSet::from([unreadable.clone()]));
        assert!(checks.cases.contains_key(open.id()) && checks.cases.contains_key(&unreadable));
        assert_eq!(checks.cases.len(), 2);
        forget(&mut checks, &[&closed], &BTreeSet::new());
        assert_eq!(checks.cases.len(), 0, "it was taken back");
        let limits = Limits::default();
        date(&mut checks, at(5), false, &limits);
        date(&mut checks, at(5), true, &limits);
        assert!(checks.at > Some(at(5)) && checks.whole == Some(at(5)), "the later one counts");
    }
}
