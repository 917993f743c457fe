//! A plan, from what was found and decided.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::super::correct::{self, Correction, CorrectionError};
use super::super::live::{Correcting, Decisions, Live, LiveError, LiveStep, change_of};
use super::super::mask::{Kept, Mask};
use super::changes::{Becomes, Changed, erased, right, withheld};
use super::held::{self, Held, HeldSnapshot, Holds, decided_under};
use super::lifting;
use super::seed::{pseudonym, salt_of, salt_of_tombstone};
use super::{KIND, KeptFinding, Left, OverHold, Plan, PlannedItem, Purpose};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{CaseId, Digest, Name, VaultId, hex};
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::review::{Decided, Decision};
use crate::privacy::search::{Again, FoundItem, ReadItem, SearchReport, likely_path, read_again};
use crate::restore::RestoreError;
use crate::vault::erasure::replacements::NewItem;
use crate::vault::error::VaultError;
use crate::vault::format::VERSION;
use crate::vault::format::order::Change;
use crate::vault::item::ItemKind;
use crate::vault::signing::VerifyingKey;

/// What a plan is made from.
pub struct Making<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The case.
    pub case: &'a CaseId,
    /// When.
    pub planned: Timestamp,
    /// Who.
    pub by: &'a str,
    /// Their key.
    pub planned_by: &'a VerifyingKey,
    /// Random, and kept in the plan.
    pub seed: [u8; 32],
    /// SHA-256 of what was found, and of what was decided.
    pub files: (Digest, Digest),
    /// What the search found.
    pub report: &'a SearchReport,
    /// What was decided.
    pub decisions: &'a (dyn Fn(&FoundItem, &Finding) -> Option<Decided> + Sync),
    /// What is wrong, and what is right: of a rectification only.
    pub corrections: &'a [Correction],
    /// Legal holds: of this case, and those of other open cases on items. They stop what destroys, nothing else.
    pub held: &'a [Held],
    /// Why the plan goes on although snapshots under hold name items of it; `None`: it does not.
    pub over_hold: Option<&'a str>,
    /// On which day the person was told that the restriction ends: a lift is not planned before.
    pub told: Option<NaiveDate>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Some findings have no decision, or somebody is unsure of one.
    #[error("{0} findings are not decided yet")]
    Undecided(u64),
    /// Something that was found is not as it was: the search is too old.
    #[error("{} of what was found is not there any more as it was, or cannot be read", .0.len())]
    Changed(Vec<crate::progress::Problem>),
    /// The corrections cannot be made.
    #[error(transparent)]
    Corrections(#[from] CorrectionError),
    /// What is live cannot be read.
    #[error(transparent)]
    Live(LiveError),
    /// Corrections, by number from 1, of which the wrong value is in no item that was decided to be about the
    /// person: a slip, or it is live only, and a snapshot comes first.
    #[error("the wrong value of correction {} is nowhere in what was decided to be about the person", numbers(.0))]
    Nowhere(Vec<usize>),
    /// Everything of the case is under this legal hold.
    #[error("the hold {0} keeps everything")]
    AllHeld(String),
    /// A legal hold names nothing that can be told from the rest.
    #[error("the hold {0} names neither a path nor an id of an item, document or asset")]
    HoldUnclear(String),
    /// Snapshots under hold name items of the plan.
    #[error("{}", held_words(.0))]
    SnapshotsHeld(Vec<HeldSnapshot>),
    /// No restriction of the case is in force.
    #[error("no restriction of the case is in force")]
    NothingToLift,
    /// A restriction is to end, and nobody says that the person was told before (GDPR Art. 18(3)).
    #[error("the person is to be told before the restriction ends, and it is not said when that was")]
    NotTold,
    /// The person cannot have been told then: it is after today, or before the restriction began.
    #[error(
        "on {0} nobody can have told the person that the restriction ends: it is after today, or before the restriction"
    )]
    ToldWhen(NaiveDate),
    /// Made again, it is another plan.
    #[error("what was found, what was decided or what the vault holds is not what the plan was made from")]
    Drifted,
    /// The vault cannot be read.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl From<VaultError> for PlanError {
    fn from(error: VaultError) -> Self {
        Self::Restore(error.into())
    }
}

impl PlanError {
    /// What to do next; `CASE` in it stands for the number of the case.
    pub fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Undecided(_) => "decide them with `prismvault privacy review CASE`".to_owned(),
            Self::Changed(_) => "run `prismvault privacy search CASE` again, and review what is new".to_owned(),
            Self::Corrections(_) | Self::Live(_) => return None,
            Self::Nowhere(_) => {
                "type it exactly as it stands there; if it is live only, take a snapshot and search again"
                    .to_owned()
            }
            Self::AllHeld(_) => {
                "release the hold with `prismvault privacy hold CASE --release NUMBER`, or hold single items with `--item`"
                    .to_owned()
            }
            Self::HoldUnclear(_) => {
                "release it, and hold the path of the item as `prismvault privacy search CASE` shows it".to_owned()
            }
            Self::SnapshotsHeld(held) => {
                let ids: Vec<String> = held.iter().map(|held| held.snapshot.to_string()).collect();
                format!(
                    "release them with `prismvault release {} --reason …`, or decide with `--over-hold REASON` that the plan comes first; the reason is approved with it",
                    ids.join(" ")
                )
            }
            Self::Drifted => {
                "no approval of it counts any more; look at what changed, and plan again: `prismvault privacy plan CASE`".to_owned()
            }
            Self::NotTold | Self::ToldWhen(_) => {
                "tell the person; then plan with `--told-on DATE`, the day on which they were told".to_owned()
            }
            Self::NothingToLift => "`prismvault privacy show CASE` says what became of the case".to_owned(),
            Self::Restore(error) => return error.next_step().map(str::to_owned),
        })
    }
}

fn numbers(of: &[usize]) -> String {
    of.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn held_words(held: &[HeldSnapshot]) -> String {
    let each = |held: &HeldSnapshot| format!("{} of {} ({})", held.snapshot, held.repository, held.reason);
    let list: Vec<String> = held.iter().map(each).collect();
    format!("snapshots under hold name items of the plan: {}", list.join(", "))
}

/// A plan that is being made.
struct Draft<S> {
    plan: Plan,
    store: S,
    /// Which corrections occur anywhere.
    seen: BTreeSet<usize>,
    /// Paths of what is live or in a newest snapshot and was read: whether a wrong value is in it.
    current: (BTreeSet<String>, BTreeSet<String>),
}

impl Making<'_> {
    /// Makes the plan; each item that is to be read in the place of others is handed to `store`, with its space.
    ///
    /// # Errors
    ///
    /// [`PlanError`]; nothing is written here.
    pub async fn make(
        &self,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
        store: impl FnMut(&Name, NewItem),
    ) -> Result<Plan, PlanError> {
        let plan = self.begin(again.vault.file.vault);
        let mut draft = Draft { plan, store, seen: BTreeSet::new(), current: Default::default() };
        if self.purpose == Purpose::Lift {
            return self.lift(again, draft.plan).await;
        }
        if self.purpose == Purpose::Rectification {
            correct::check(self.corrections)?;
        }
        let undecided = self.report.each().filter(|(found, finding)| {
            (self.decisions)(found, finding).is_none_or(|own| own.decision == Decision::Unsure)
        });
        match undecided.count() {
            0 => {}
            count => return Err(PlanError::Undecided(count as u64)),
        }
        let held: &[Held] = if self.purpose.destroys() { self.held } else { &[] };
        let holds = Holds::new(held)?;
        self.note_kept(&holds, &mut draft.plan);
        let goes = |found: &FoundItem| self.is_about(found) && holds.on(found).is_none();
        let wanted = |_: usize, found: &FoundItem| found.item.is_some() && goes(found);
        let problems = read_again(again, self.report, matcher, wanted, async |read| {
            self.item(&read, again, matcher, &mut draft).await;
            Ok::<_, RestoreError>(())
        })
        .await?;
        if !problems.is_empty() {
            return Err(PlanError::Changed(problems));
        }
        let nowhere: Vec<usize> = (0..draft.plan.corrections.len())
            .filter(|number| !draft.seen.contains(number))
            .map(|number| number + 1)
            .collect();
        if !nowhere.is_empty() {
            return Err(PlanError::Nowhere(nowhere));
        }
        let (wrong, read) = draft.current;
        let clean = read.difference(&wrong).cloned().collect();
        let mut plan = draft.plan;
        plan.live = Box::pin(self.live_steps(again, matcher, clean)).await?;
        plan.items.sort_by(|a, b| (&a.space, a.item).cmp(&(&b.space, b.item)));
        plan.left.sort();
        plan.left.dedup();
        if self.purpose.destroys() {
            plan.over_hold = self.over_hold(again, &plan).await?;
        }
        Ok(plan)
    }

    fn begin(&self, vault: VaultId) -> Plan {
        let corrections = match self.purpose {
            Purpose::Rectification => self.corrections.to_vec(),
            _ => Vec::new(),
        };
        Plan {
            kind: KIND.to_owned(),
            format: VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            vault,
            case: self.case.clone(),
            purpose: self.purpose,
            planned: rfc3339(self.planned),
            by: self.by.to_owned(),
            planned_by: self.planned_by.clone(),
            seed: hex(&self.seed),
            search: self.files.0,
            decisions: self.files.1,
            corrections,
            items: Vec::new(),
            lifts: Vec::new(),
            told: None,
            kept: Vec::new(),
            idle_holds: 0,
            over_hold: None,
            left: Vec::new(),
            live: Vec::new(),
            unsearchable: self.report.coverage.unsearchable.values().sum(),
        }
    }

    /// Whether anything in an item was decided to be the person's, and not to be kept.
    fn is_about(&self, found: &FoundItem) -> bool {
        let is_subject = |finding: &Finding| {
            let decided = (self.decisions)(found, finding);
            decided.is_some_and(|own| own.decision.is_the_person() && own.decision != Decision::Keep)
        };
        found.findings.iter().any(is_subject)
    }

    /// The plan of a lift: restrictions that end, and what people show again.
    async fn lift(&self, again: &Again<'_>, mut plan: Plan) -> Result<Plan, PlanError> {
        let restrictions = lifting::restrictions(again, self.case).await?;
        let told = self.told.ok_or(PlanError::NotTold)?;
        let began = restrictions.iter().filter_map(|own| own.planned).min();
        if told > self.planned.date_naive() || began.is_some_and(|began| told < began.date_naive()) {
            return Err(PlanError::ToldWhen(told));
        }
        plan.told = Some(told);
        plan.live = lifting::shown_again(again, self.report, &restrictions);
        plan.lifts = restrictions.into_iter().map(|own| own.lifted).collect();
        plan.lifts.sort();
        Ok(plan)
    }

    /// The decision that snapshots under hold do not stop the plan, where any would.
    async fn over_hold(&self, again: &Again<'_>, plan: &Plan) -> Result<Option<OverHold>, PlanError> {
        let snapshots = held::snapshots(again, plan).await?;
        match self.over_hold {
            _ if snapshots.is_empty() => Ok(None),
            None => Err(PlanError::SnapshotsHeld(snapshots)),
            Some(reason) => Ok(Some(OverHold { reason: reason.to_owned(), snapshots })),
        }
    }

    /// What stays although it is the person: told, never silent.
    fn note_kept(&self, holds: &Holds<'_>, plan: &mut Plan) {
        for (found, finding) in self.report.each() {
            let Some(decided) = (self.decisions)(found, finding).filter(|own| own.decision.is_the_person())
            else {
                continue;
            };
            let ground = match (holds.on(found), decided.decision) {
                (Some(ground), _) => ground.to_owned(),
                (None, Decision::Keep) => decided.ground.unwrap_or_default(),
                (None, _) => continue,
            };
            let path = found.paths().first().map(|path| (*path).to_owned());
            let live = || found.live.as_ref().map(|live| live.path.clone());
            let path = path.or_else(live).unwrap_or_default();
            plan.kept.push(KeptFinding { path, place: finding.place.clone(), ground });
        }
        plan.kept.sort_by(|a, b| (&a.path, &a.place, &a.ground).cmp(&(&b.path, &b.place, &b.ground)));
        plan.kept.dedup();
        plan.idle_holds = holds.idle(self.case, &self.report.found);
    }

    /// What is live in Prismic; `clean` as in [`Correcting`].
    async fn live_steps(
        &self,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
        clean: BTreeSet<String>,
    ) -> Result<Vec<LiveStep>, PlanError> {
        let (corrections, bounds) = (self.corrections.to_vec(), again.bounds.clone());
        let correcting = Correcting { corrections, bounds, clean };
        // Holds stop what destroys, and nothing else.
        let held: &[Held] = if self.purpose.destroys() { self.held } else { &[] };
        let live = Live {
            sources: again.live,
            key: again.vault.item_key()?,
            matcher,
            bounds: &again.bounds,
            decisions: &Decisions::of(self.report, &decided_under(held, self.decisions)?),
            change: &change_of(self.purpose, correcting, matcher, &again.bounds, self.seed),
            progress: again.progress,
            cancel: &again.cancel,
        };
        match live.plan().await {
            Ok(steps) => Ok(steps),
            Err(LiveError::Changed(problems)) => Err(PlanError::Changed(problems)),
            Err(LiveError::Cancelled) => Err(RestoreError::Cancelled.into()),
            Err(error) => Err(PlanError::Live(error)),
        }
    }

    /// Decides what becomes of one item.
    async fn item(
        &self,
        read: &ReadItem<'_>,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
        draft: &mut Draft<impl FnMut(&Name, NewItem)>,
    ) {
        let Some(item) = read.found.item else { return };
        let paths: BTreeSet<String> = read.found.paths().into_iter().map(str::to_owned).collect();
        let path = paths.first().cloned().unwrap_or_else(|| likely_path(&read.bytes).to_owned());
        let changed = self.changed(read, &path, again, matcher).await;
        let found = read.found;
        if found.live.is_some() || found.sightings.iter().any(|sighting| sighting.is_in_newest) {
            let live = found.live.iter().map(|live| &live.path);
            let all = paths.iter().chain(live).cloned();
            match changed.seen.is_empty() {
                true => draft.current.1.extend(all),
                false => draft.current.0.extend(all),
            }
        }
        draft.seen.extend(changed.seen);
        let left = changed.left.into_iter();
        draft.plan.left.extend(left.map(|(place, why)| Left {
            path: path.clone(),
            place,
            why: why.to_owned(),
        }));
        let kind = ItemKind::of_path(&path).unwrap_or(ItemKind::Asset).pack_kind();
        let tombstone = || NewItem::tombstone(salt_of_tombstone(&self.seed), self.case);
        let new =
            |bytes: Vec<u8>| NewItem { salt: salt_of(&self.seed, &item), kind, path, bytes: bytes.into() };
        let (change, new, places) = match changed.becomes {
            Becomes::Masked { bytes, places } => (Change::Masked, new(bytes), places),
            Becomes::Corrected { bytes, places } => (Change::Corrected, new(bytes), places),
            Becomes::Removed => (Change::Removed, tombstone(), Vec::new()),
            Becomes::Restricted => (Change::Restricted, tombstone(), Vec::new()),
            Becomes::Stays => return,
        };
        let (by, size) = (new.id(), new.bytes.len() as u64);
        // Of what is restricted nothing is read, not even that something was there.
        if change != Change::Restricted {
            (draft.store)(&read.found.space, new);
        }
        let space = read.found.space.clone();
        draft.plan.items.push(PlannedItem { space, item, paths, change, by, size, places });
    }

    async fn changed(
        &self,
        read: &ReadItem<'_>,
        path: &str,
        again: &Again<'_>,
        matcher: &Arc<Matcher>,
    ) -> Changed {
        let (bounds, bytes, path) = (again.bounds.clone(), read.bytes.clone(), path.to_owned());
        let work: Box<dyn FnOnce() -> Changed + Send> = match self.purpose {
            Purpose::Restriction | Purpose::Lift => return withheld(&path),
            Purpose::Erasure => {
                let (seed, matcher, kept) = (self.seed, Arc::clone(matcher), self.kept(read));
                Box::new(move || {
                    let pseudonym = |own: &str| pseudonym(&seed, own);
                    let mask = Mask { matcher: &matcher, bounds: &bounds, pseudonym: &pseudonym };
                    erased(&mask, &path, &bytes, &kept)
                })
            }
            Purpose::Rectification => {
                let (corrections, others) = (self.corrections.to_vec(), self.of_others(read));
                Box::new(move || right(&path, &bytes, &bounds, &corrections, &others))
            }
        };
        tokio::task::spawn_blocking(work).await.expect("changing an item does not panic")
    }

    /// Findings of an item that are of somebody else, or kept: they stay.
    fn kept(&self, read: &ReadItem<'_>) -> HashSet<Kept> {
        self.staying(read)
            .flat_map(|(finding, now)| std::iter::once(Kept::of(finding)).chain(now.map(Kept::of)))
            .collect()
    }

    /// Places of an item where nobody but somebody else was found, or what is kept.
    fn of_others(&self, read: &ReadItem<'_>) -> HashSet<String> {
        let mut places: HashSet<String> =
            self.staying(read).map(|(finding, _)| finding.place.clone()).collect();
        for finding in &read.found.findings {
            let decided = (self.decisions)(read.found, finding);
            if decided.is_some_and(|own| own.decision.is_the_person() && own.decision != Decision::Keep) {
                places.remove(&finding.place);
            }
        }
        places
    }

    /// Findings of an item that were decided to stay, with where they are now.
    fn staying<'r>(
        &'r self,
        read: &'r ReadItem<'_>,
    ) -> impl Iterator<Item = (&'r Finding, Option<&'r Finding>)> {
        let stays = |finding: &Finding| {
            let decided = (self.decisions)(read.found, finding);
            decided.is_some_and(|own| matches!(own.decision, Decision::NotSubject | Decision::Keep))
        };
        let all = read.found.findings.iter().zip(&read.located);
        all.filter(move |(finding, _)| stays(finding))
            .map(|(finding, located)| (finding, located.as_ref().map(|located| &located.finding)))
    }
}
