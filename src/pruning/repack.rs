//! Rewriting packs of which little is needed any more.
//!
//! A pack goes only as a whole, so one document that a snapshot still needs keeps the other 30 MB.
//! Where less than a share of a pack is needed, what is needed is written into new packs, with an
//! index object, confirmed on every replica that needs it; only then is the old pack marked, and
//! from then on it is like any other that no snapshot needs: it goes when its mark is older than
//! the grace, unless it is needed again.
//!
//! Which of two packs with an item counts is decided by
//! [`Needed::packs_without`](crate::vault::needs::Needed::packs_without): one that is marked only
//! where there is no other.
//!
//! **If we crash here** the new packs are there and the old ones are not marked: the next such run
//! finds that everything needed of them is in others, writes nothing, and marks them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::apply::{Failed, PruneOptions, PruneReport};
use super::plan::{MarkPlan, PrunePlan, Tally};
use super::survey::{SpaceState, Survey};
use crate::ids::{Digest, ItemId, Name};
use crate::limits::Limits;
use crate::progress::{Phase, Problem};
use crate::vault::error::Result;
use crate::vault::format::index::PackKind;
use crate::vault::index::{Listing, PackNumber};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::repack::{Wanted, rewrite};
use crate::vault::rewrap;
use crate::vault::space::Space;

/// What is rewritten, and what is gained by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepackPlan {
    /// Packs are rewritten of which less than this share, in percent, is needed.
    pub below_percent: u8,
    /// The packs, by space.
    pub packs: Vec<RepackedPack>,
}

/// A pack that is rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepackedPack {
    /// Its space.
    pub space: Name,
    /// Its id.
    pub pack: Digest,
    /// What it holds.
    pub kind: PackKind,
    /// Bytes of its body.
    pub bytes: u64,
    /// Items in it.
    pub items: u64,
    /// Those that snapshots need.
    pub needed_items: u64,
    /// Those that are written into new packs: what is needed and in no other.
    pub rewritten_items: u64,
    /// About how many bytes they take there.
    pub rewritten_bytes: u64,
    /// Names of the replicas that are to hold what is rewritten.
    pub replicas: Vec<String>,
}

impl RepackedPack {
    /// Bytes that become free on each replica once the old pack has gone, about.
    pub fn gain(&self) -> u64 {
        self.bytes.saturating_sub(self.rewritten_bytes)
    }
}

impl RepackPlan {
    /// Bytes that become free on each replica once the old packs have gone, about.
    pub fn gain(&self) -> u64 {
        self.packs.iter().map(RepackedPack::gain).sum()
    }

    /// Whether anything is to be read that only who reads content can.
    pub fn reads_content(&self) -> bool {
        self.packs.iter().any(|pack| pack.rewritten_items > 0 && pack.kind.is_content())
    }

    /// The new packs that it takes, and bytes of them, about.
    pub(super) fn writes(&self, limits: &Limits) -> Tally {
        let mut lanes: BTreeMap<(&Name, PackKind), u64> = BTreeMap::new();
        for pack in self.packs.iter().filter(|pack| pack.rewritten_items > 0) {
            *lanes.entry((&pack.space, pack.kind)).or_default() += pack.rewritten_bytes;
        }
        let packs = lanes.values().map(|bytes| bytes.div_ceil(limits.pack_bytes.max(1)).max(1)).sum();
        Tally { objects: packs, bytes: lanes.values().sum() }
    }
}

/// What was rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repacked {
    /// Old packs of which everything needed is in others now.
    pub packs: u64,
    /// New packs.
    pub new_packs: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes that were written to each replica.
    pub bytes: u64,
}

/// What is chosen in one space.
struct Choice {
    /// Packs that are rewritten.
    packs: Vec<RepackedPack>,
    /// Those of which everything needed is in others that stay, as after a run that was killed
    /// before it marked them.
    superseded: HashSet<Digest>,
    wanted: Wanted,
    /// Numbers of the replicas that need any of what is rewritten.
    on: BTreeSet<usize>,
}

/// How much of a pack is needed.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    items: u64,
    bytes: u64,
    needed_items: u64,
    needed_bytes: u64,
}

/// Bytes that an item takes in the archive besides its own.
const ENTRY_BYTES: u64 = 512;

/// Chooses what is worth being rewritten: packs below the share, that no run may just have
/// written, and that no mark names. Returns as well the packs of which everything is in others.
pub(super) fn choose(survey: &Survey, below_percent: u8, limits: &Limits) -> (RepackPlan, HashSet<Digest>) {
    let (mut packs, mut superseded) = (Vec::new(), HashSet::new());
    for state in &survey.spaces {
        let choice = choose_in(survey, state, below_percent, limits);
        packs.extend(choice.packs);
        superseded.extend(choice.superseded);
    }
    (RepackPlan { below_percent, packs }, superseded)
}

/// Whether a pack is older than any run that has not committed, and unmarked, wherever it is.
fn is_old(survey: &Survey, space: &Space, id: &Digest, limits: &Limits) -> bool {
    survey.replicas.iter().enumerate().all(|(at, replica)| {
        space.listing(at).is_none_or(|listing| {
            !listing.marked.contains(id) && !super::decide::is_fresh(listing, id, replica.now, limits)
        })
    })
}

fn choose_in(survey: &Survey, state: &SpaceState, below_percent: u8, limits: &Limits) -> Choice {
    let space = &state.space;
    let mut needed_on: BTreeMap<PackNumber, BTreeSet<usize>> = BTreeMap::new();
    for (at, needed) in state.needed.iter().enumerate() {
        for number in needed.packs_on(space, at) {
            needed_on.entry(number).or_default().insert(at);
        }
    }
    let usage = usage(state);
    let candidates: BTreeSet<PackNumber> = usage
        .iter()
        .filter(|(number, usage)| {
            usage.needed_items > 0
                && usage.needed_bytes * 100 < usage.bytes * u64::from(below_percent)
                && space.holders(**number).next().is_some()
                && is_old(survey, space, &space.index.packs()[**number as usize].id, limits)
        })
        .map(|(number, _)| *number)
        .collect();
    let (mut wanted, mut pending, mut on) = (Wanted::new(), BTreeSet::new(), BTreeSet::new());
    for item in &state.items {
        let places: Vec<PackNumber> = space.index.locations(item).map(|place| place.pack).collect();
        let mine: Vec<PackNumber> = places.iter().filter(|one| candidates.contains(one)).copied().collect();
        let Some(first) = mine.iter().min() else { continue };
        let here: BTreeSet<usize> =
            places.iter().filter_map(|place| needed_on.get(place)).flatten().copied().collect();
        let stays = |number: &PackNumber, described: bool| {
            let pack = &space.index.packs()[*number as usize];
            let keeps =
                |listing: &Listing| listing.keeps_pack(pack) && (!described || listing.describes(pack));
            !candidates.contains(number) && here.iter().all(|at| space.listing(*at).is_some_and(keeps))
        };
        if places.iter().any(|number| stays(number, true)) {
            continue;
        }
        // A new pack that a run which was killed wrote needs no more than its index object.
        if !places.iter().any(|number| stays(number, false)) {
            wanted.entry(*first).or_default().insert(*item);
        }
        pending.extend(mine);
        on.extend(here);
    }
    let id = |number: &PackNumber| space.index.packs()[*number as usize].id;
    let superseded = candidates.difference(&pending).map(id).collect();
    let names = on.iter().map(|at| survey.replicas[*at].name.clone()).collect();
    let packs = describe(state, &usage, &pending, &wanted, names);
    Choice { packs, superseded, wanted, on }
}

/// Says of each pack what is rewritten of it.
fn describe(
    state: &SpaceState,
    usage: &HashMap<PackNumber, Usage>,
    pending: &BTreeSet<PackNumber>,
    wanted: &Wanted,
    replicas: Vec<String>,
) -> Vec<RepackedPack> {
    let lengths = lengths(state, wanted);
    let pack_of = |number: &PackNumber| {
        let (pack, usage) = (&state.space.index.packs()[*number as usize], usage[number]);
        let raw = lengths.get(number).copied().unwrap_or(0);
        RepackedPack {
            space: state.space.name.clone(),
            pack: pack.id,
            kind: pack.kind,
            bytes: pack.size,
            items: usage.items,
            needed_items: usage.needed_items,
            rewritten_items: wanted.get(number).map_or(0, |items| items.len() as u64),
            // As if everything in it were compressed alike.
            rewritten_bytes: (u128::from(pack.size) * u128::from(raw) / u128::from(usage.bytes.max(1)))
                as u64,
            replicas: replicas.clone(),
        }
    };
    pending.iter().map(pack_of).collect()
}

fn usage(state: &SpaceState) -> HashMap<PackNumber, Usage> {
    let mut usage: HashMap<PackNumber, Usage> = HashMap::new();
    for (item, place) in state.space.index.places() {
        let of_pack = usage.entry(place.pack).or_default();
        let bytes = place.length + ENTRY_BYTES;
        of_pack.items += 1;
        of_pack.bytes += bytes;
        if state.items.contains(item) {
            of_pack.needed_items += 1;
            of_pack.needed_bytes += bytes;
        }
    }
    usage
}

/// Bytes of the items that are taken from each pack.
fn lengths(state: &SpaceState, wanted: &Wanted) -> HashMap<PackNumber, u64> {
    let length = |item: &ItemId| state.space.index.locations(item).next().map_or(0, |place| place.length);
    let sum = |items: &BTreeSet<ItemId>| items.iter().map(|item| length(item) + ENTRY_BYTES).sum();
    wanted.iter().map(|(number, items)| (*number, sum(items))).collect()
}

/// Writes what is needed of the chosen packs into new ones.
pub(super) async fn rewrite_all(
    vault: &Vault,
    survey: &Survey,
    plan: &RepackPlan,
    options: &PruneOptions<'_>,
    report: &mut PruneReport,
) -> Result<()> {
    let total = plan.packs.iter().filter(|pack| pack.rewritten_items > 0).count() as u64;
    options.progress.start(Phase::Repack, Some(total));
    for state in &survey.spaces {
        let choice = choose_in(survey, state, plan.below_percent, vault.limits());
        if choice.packs.is_empty() {
            continue;
        }
        let mut brought = rewrap::Report::default();
        rewrap::bring(vault, &state.space, &mut brought).await?;
        report.failed.extend(brought.problems.into_iter().map(not_done));
        if choice.wanted.is_empty() {
            continue;
        }
        let (progress, cancel) = (options.progress, &options.cancel);
        let done = rewrite(vault, &state.space, &choice.wanted, &choice.on, progress, cancel).await?;
        let repacked = report.repacked.get_or_insert_default();
        repacked.new_packs += done.packs;
        repacked.items += done.items;
        repacked.bytes += done.bytes;
        report.failed.extend(done.unread.into_iter().map(not_done));
    }
    options.progress.finish(Phase::Repack);
    Ok(())
}

fn not_done(problem: Problem) -> Failed {
    Failed { replica: String::new(), key: problem.subject, why: problem.detail }
}

/// Returns the marks for those packs of the plan of which everything needed is in others by now:
/// for each replica, in the order of the survey.
pub(super) fn marks(survey: &Survey, plan: &PrunePlan, limits: &Limits) -> Vec<Vec<MarkPlan>> {
    let mut marks: Vec<Vec<MarkPlan>> = vec![Vec::new(); survey.replicas.len()];
    let Some(repack) = &plan.repack else { return marks };
    let planned: HashSet<Digest> = repack.packs.iter().map(|pack| pack.pack).collect();
    for state in &survey.spaces {
        let space = &state.space;
        let choice = choose_in(survey, state, repack.below_percent, limits);
        let done: HashSet<Digest> = choice.superseded.intersection(&planned).copied().collect();
        for (at, marks) in marks.iter_mut().enumerate() {
            let Some(listing) = space.listing(at) else { continue };
            let needed: HashSet<Digest> = state.needed[at]
                .packs_without(space, at, &done)
                .into_iter()
                .map(|number| space.index.packs()[number as usize].id)
                .collect();
            let goes = |id: &&Digest| listing.bodies.contains_key(*id) && !needed.contains(*id);
            let mut packs: Vec<Digest> = done.iter().filter(goes).copied().collect();
            packs.sort_unstable();
            let mut size = Tally::default();
            packs.iter().for_each(|id| size += super::decide::size_of_pack(listing, id));
            if !packs.is_empty() {
                marks.push(MarkPlan {
                    space: space.name.clone(),
                    packs,
                    unindexed: 0,
                    indexes: Vec::new(),
                    headers: Vec::new(),
                    manifests: Vec::new(),
                    size,
                });
            }
        }
    }
    marks
}

impl std::fmt::Display for RepackedPack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} of {} items are needed",
            layout::pack(&self.space, &self.pack),
            self.needed_items,
            self.items
        )
    }
}
