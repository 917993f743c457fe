//! Cases and packages that are kept no longer.
//!
//! The file of a case is personal data itself: it is kept as long as the rules of the case say, counted from the
//! day on which it was closed, and then it goes. A case is kept longer while something of it is open: a hold, or
//! backups in which what was erased may still be (its file is what shows that it was). Packages for people are
//! copies of all that is held on them; where this host wrote one, it is removed some days later.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde::Serialize;

use super::case::Case;
use super::case::state::Horizon;
use super::own_files::find::{OwnFile, Refused};
use super::own_files::register::Outputs;
use super::own_files::{Found, Holds, OutputKind, find};
use super::store::{StoredCase, load_all};
use crate::clock::Timestamp;
use crate::ids::{CaseId, VaultId};
use crate::progress::Problem;
use crate::vault::envelope::Identity;
use crate::vault::error::Result;
use crate::vault::format::request::PurgedFile;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::purged;

/// A case whose file is kept no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DueCase {
    /// The case.
    pub case: CaseId,
    /// The day on which it was closed.
    pub closed: NaiveDate,
    /// The last day on which the rules kept it.
    pub keep_until: NaiveDate,
}

/// Why a case whose time has passed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A hold is on it.
    Hold,
    /// What was erased may still be in backups.
    Horizon,
    /// Something is under restriction because of it.
    Restriction,
}

impl Kept {
    /// Why, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Hold => "a hold is on it",
            Self::Horizon => {
                "what was erased may still be in backups, and its file is what shows that it was erased"
            }
            Self::Restriction => {
                "what it restricted is still under restriction, which only this case can lift"
            }
        }
    }
}

/// What is to become of a case on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its time has not come.
    Stays,
    /// Its time has passed, and something keeps it.
    Kept(Kept),
    /// It goes.
    Due(DueCase),
}

/// What ledgers hold because of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InLedgers {
    /// Cases with orders that erase or correct.
    pub erases: BTreeSet<CaseId>,
    /// Cases with restrictions that are in force.
    pub restricts: BTreeSet<CaseId>,
}

impl InLedgers {
    /// Reads the ledgers of all spaces.
    ///
    /// # Errors
    ///
    /// Those of reading a ledger.
    pub async fn load(vault: &Vault) -> Result<Self> {
        let mut all = Self::default();
        for space in Ledger::spaces(vault).await? {
            let ledger = Ledger::load(vault, &space).await?;
            let erased = ledger.erased();
            all.erases.extend(erased.orders().iter().map(|known| known.order.case.clone()));
            all.restricts.extend(erased.restrictions().map(|known| known.order.case.clone()));
        }
        Ok(all)
    }
}

/// Says what is to become of a case on this day.
pub fn fate(case: &Case, today: NaiveDate, ledgers: &InLedgers) -> Fate {
    let (Some(closed), Some(keep_until)) = (case.closed_at(), case.keep_until()) else { return Fate::Stays };
    if today <= keep_until {
        return Fate::Stays;
    }
    let state = case.state();
    // A case that was closed without being done can have no hold released any more.
    if state.stage.is_done() && state.holds.iter().any(|hold| !hold.released) {
        return Fate::Kept(Kept::Hold);
    }
    if ledgers.restricts.contains(case.id()) {
        return Fate::Kept(Kept::Restriction);
    }
    // Where stored data was changed and nobody has said that no copy is left, one may be.
    if ledgers.erases.contains(case.id()) && state.horizon != Some(Horizon::Reached) {
        return Fate::Kept(Kept::Horizon);
    }
    Fate::Due(DueCase { case: case.id().clone(), closed: closed.date_naive(), keep_until })
}

/// The cases of a vault whose time has passed.
#[derive(Debug, Default)]
pub struct Cases {
    /// Those that go.
    pub due: Vec<(StoredCase, DueCase)>,
    /// Those that something keeps.
    pub kept: Vec<(CaseId, Kept)>,
    /// Those that cannot be read.
    pub problems: Vec<Problem>,
}

/// Looks which cases are kept no longer; none, where no identity is here that reads cases.
///
/// # Errors
///
/// When no replica could be listed.
pub async fn cases(vault: &Vault) -> Result<Cases> {
    let reads = |identity: &Identity| vault.trust.privacy_recipients.contains(&identity.recipient());
    if !vault.identities().iter().any(reads) {
        // A host that only deletes what others decided.
        return Ok(Cases::default());
    }
    let (all, problems) = load_all(vault).await?;
    let ledgers = InLedgers::load(vault).await?;
    let today = vault.now().date_naive();
    let mut cases = Cases { problems, ..Cases::default() };
    for stored in all {
        match fate(&stored.case, today, &ledgers) {
            Fate::Stays => {}
            Fate::Kept(why) => cases.kept.push((stored.case.id().clone(), why)),
            Fate::Due(due) => cases.due.push((stored, due)),
        }
    }
    Ok(cases)
}

/// Decides that a case is kept no longer: see [`purged`].
///
/// # Errors
///
/// Those of [`purged::decide`].
pub async fn decide(vault: &Vault, stored: &StoredCase, due: &DueCase) -> Result<PurgedFile> {
    purged::decide(vault, stored.row(), due.closed, due.keep_until).await
}

/// Packages and worksheets on this host that are kept no longer: packages some days after they were made, and
/// both when their case is. What has another identity than what was written is told, and left.
pub fn packages(
    outputs: &Outputs,
    vault: VaultId,
    now: Timestamp,
    keep: TimeDelta,
    is_purged: impl Fn(&CaseId) -> bool,
) -> (Vec<OwnFile>, Vec<Refused>) {
    let is_due = |kind: OutputKind, at: &str, case: &CaseId| {
        let made = DateTime::parse_from_rfc3339(at).ok();
        // One without a date that can be read is as old as any.
        let is_old =
            made.is_none_or(|made| made.to_utc().checked_add_signed(keep).is_some_and(|end| end < now));
        is_purged(case) || (kind == OutputKind::Package && is_old)
    };
    let own = outputs.all.iter().filter(|output| {
        let is_ours =
            output.vault == vault && matches!(output.kind, OutputKind::Package | OutputKind::Worksheet);
        is_ours && output.case.as_ref().is_some_and(|case| is_due(output.kind, &output.at, case))
    });
    let outputs = Outputs { all: own.cloned().collect(), damaged: 0 };
    let Found { files, refused, .. } = find(&outputs, |_| true, |_, _, _| Ok(Holds::Nothing));
    (files, refused)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::privacy::case::{Event, IdentityCheck, SubjectValue, What};
    use crate::privacy::right::Right;
    use crate::vault::signing::{SigningKey, VerifyingKey};

    const PLAN: crate::ids::Digest = crate::ids::Digest([7; 32]);

    /// A case to which these things happened, in March 2020, a minute after the other.
    pub(crate) fn case(what: Vec<What>) -> Case {
        let on = "2020-03-02".parse().unwrap();
        let first = What::Received {
            on,
            channel: "e-mail".to_owned(),
            rights: vec![Right::Erasure],
            rules: "eu".to_owned(),
            language: "en".to_owned(),
            from_case: None,
        };
        let begin: Timestamp = "2020-03-02T08:00:00Z".parse().unwrap();
        let events = std::iter::once(first).chain(what).enumerate().map(|(minute, what)| Event {
            at: begin + TimeDelta::minutes(minute as i64),
            // Nobody approves what they asked for.
            actor: ["anna", "bert", "cleo"][minute % 3].to_owned(),
            reason: Some("as agreed".to_owned()),
            what,
        });
        Case::from_events("2020-7K3F9Q".parse().unwrap(), events).unwrap()
    }

    /// The key of somebody else each time.
    fn key() -> VerifyingKey {
        SigningKey::generate().public().clone()
    }

    /// Up to the day on which an erasure was carried out and answered.
    pub(crate) fn erased() -> Vec<What> {
        let on = "2020-03-02".parse().unwrap();
        let check = IdentityCheck {
            method: "reply".to_owned(),
            result: "it matches".to_owned(),
            who: "anna".to_owned(),
            on,
        };
        vec![
            What::Acknowledged { on },
            What::IdentityVerified(check),
            What::SubjectChanged { subject: SubjectValue(json!({})) },
            What::Scoped { repositories: vec!["blog".parse().unwrap()], snapshots: "all".to_owned() },
            What::Searched { search: "x".to_owned(), items: 1, findings: 0, unsearchable: 0 },
            What::ReviewFinished,
            What::LegalAssessed { changes: true, note: "none".to_owned() },
            What::ApprovalRequested { plan: PLAN, file: PLAN, orders: 0, approvals: 2, planned_by: key() },
            What::Approved { plan: PLAN, key: key(), signatures: vec!["of the plan".to_owned()] },
            What::Approved { plan: PLAN, key: key(), signatures: vec!["of the plan".to_owned()] },
            What::Executing { plan: PLAN, orders: Vec::new(), live: false },
            What::Executed,
            What::Verified { remaining: 0, canary: true, whole: true, tasks: 0, evidence: None },
            What::RecipientsNotified { recipients: 0 },
            What::Answered { on },
            What::Completed,
        ]
    }

    pub(crate) fn hold() -> What {
        What::Hold { ground: "Art. 17(3)(e)".to_owned(), item: None }
    }

    fn none() -> InLedgers {
        InLedgers::default()
    }

    fn erases() -> InLedgers {
        InLedgers { erases: BTreeSet::from(["2020-7K3F9Q".parse().unwrap()]), ..none() }
    }

    fn late() -> NaiveDate {
        "2040-01-01".parse().unwrap()
    }

    #[test]
    fn a_case_goes_the_day_after_its_time() {
        let withdrawn = case(vec![What::Withdrawn]);
        let until = withdrawn.keep_until().unwrap();
        assert_eq!(fate(&withdrawn, until, &none()), Fate::Stays);
        let Fate::Due(due) = fate(&withdrawn, until.succ_opt().unwrap(), &none()) else {
            panic!("it is due")
        };
        assert_eq!((due.keep_until, due.closed), (until, "2020-03-02".parse().unwrap()));
        assert_eq!(fate(&case(vec![]), late(), &none()), Fate::Stays, "an open case has no time");
        // Nobody can release that hold any more, and nothing was changed that it could keep.
        assert!(matches!(fate(&case(vec![hold(), What::Withdrawn]), late(), &none()), Fate::Due(_)));
    }

    #[test]
    fn a_case_stays_while_a_hold_or_a_backup_is_left() {
        assert_eq!(
            fate(&case(erased()), late(), &erases()),
            Fate::Kept(Kept::Horizon),
            "nobody has said when"
        );
        let with = |more: Vec<What>| case(erased().into_iter().chain(more).collect());
        let set = || What::HorizonSet { until: "2020-09-01".parse().unwrap() };
        assert_eq!(
            fate(&with(vec![set()]), late(), &erases()),
            Fate::Kept(Kept::Horizon),
            "the day alone shows nothing"
        );
        assert!(matches!(fate(&with(vec![set(), What::HorizonReached]), late(), &erases()), Fate::Due(_)));
        let held = with(vec![set(), What::HorizonReached, hold()]);
        assert_eq!(fate(&held, late(), &erases()), Fate::Kept(Kept::Hold));
    }

    #[test]
    fn a_case_that_erased_nothing_stays_while_it_restricts() {
        let done = case(erased());
        assert!(matches!(fate(&done, late(), &none()), Fate::Due(_)), "only live, or lifted again");
        let ledgers = InLedgers { restricts: BTreeSet::from([done.id().clone()]), ..none() };
        assert_eq!(fate(&done, late(), &ledgers), Fate::Kept(Kept::Restriction));
    }
}
