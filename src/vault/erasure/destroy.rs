//! Destroying what orders of erasure name, replica by replica, all versions.
//!
//! Of a pack that holds an erased item go: every header, named or not, so that nobody can open its body,
//! copies included; the body; what repair kept aside of either. Then the index objects that describe it,
//! because they hold fingerprints of what was erased. And files of drills that may show it
//! ([`contents`](super::contents)).
//!
//! **Only where all that stays of a pack is in others** on the same replica
//! ([`rewrite`](super::rewrite) sees to it), and all that is read in the place of what goes is there too
//! ([`replacements`](super::replacements)), the pack goes; else it is told why not.
//!
//! What a lock of the store keeps is tried again by the next run: nothing renews the lock. What a run did and
//! what is left is written into the ledger as a [receipt](Receipt) for each order and replica. A first one names
//! the packs *before* the first of their objects goes, so that what is left of them after a kill is known for
//! what it is, when no index object describes them any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::contents::{Doomed, doomed};
use super::orders::{Erased, Known};
use super::rewrite::{records_of, stays_on};
use crate::clock::rfc3339;
use crate::ids::{Digest, ItemId, Name};
use crate::objects::ErrorKind as StoreKind;
use crate::progress::{Phase, Problem, Progress};
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::index::PackRecord;
use crate::vault::format::ledger::Decision;
use crate::vault::format::order::Change;
use crate::vault::format::receipt::{PENDING_MAX, Pending, Receipt};
use crate::vault::format::trust::Role;
use crate::vault::index::{Listing, PackNumber};
use crate::vault::lease::Step;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::{Replica, with_causes};
use crate::vault::space::Space;
use crate::vault::{clocks, layout};

/// What was destroyed on one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    /// Name of the replica.
    pub replica: String,
    /// Headers.
    pub headers: u64,
    /// Bodies.
    pub bodies: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Index objects.
    pub indexes: u64,
    /// Files of drills that might show what was erased.
    pub drill_files: u64,
    /// Objects that are still there: locked, or not to be deleted now.
    pub pending: Vec<Pending>,
    /// Packs that stay for now, because what is to stay of them is in no other pack on this replica.
    pub blocked: Vec<Problem>,
}

impl Destroyed {
    /// Whether nothing of what was erased is left on the replica.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty() && self.blocked.is_empty()
    }
}

/// Destroys on every live replica what the orders of a space name.
///
/// # Errors
///
/// [`ErrorKind::Refused`] without a maintenance key, before anything goes; [`ErrorKind::Cancelled`]; those of
/// writing a receipt. An object that cannot be deleted is in the report.
pub async fn destroy(
    vault: &Vault,
    name: &Name,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Vec<Destroyed>> {
    vault.signer(&[Role::Maintenance])?;
    vault.require_lease(Step::Removes).await?;
    let ledger = Ledger::load(vault, name).await?;
    if ledger.erased().orders().is_empty() {
        return Ok(Vec::new());
    }
    // An order that this replica does not know yet must not be carried out on it before it does.
    ledger.bring_up_to_date(vault).await;
    let space = Space::load_after(vault, name, &ledger).await?;
    let needed = needed(vault, &space).await?;
    let doomed = doomed(vault, name).await?;
    let mut all = Vec::new();
    for (at, replica) in vault.replicas.all().iter().enumerate() {
        let Some(listing) = space.listing(at) else { continue };
        let on = OneReplica {
            vault,
            space: &space,
            needed: &needed,
            doomed: &doomed,
            replica,
            at,
            listing,
            progress,
            cancel,
        };
        all.push(on.destroy().await?);
    }
    Ok(all)
}

/// By pack that is to be destroyed: the items that must be on the replica in another.
type Needed = BTreeMap<PackNumber, Wanted>;

/// What a pack leaves behind.
struct Wanted {
    /// Items in it that are to stay.
    stay: Vec<ItemId>,
    /// What is read in the place of others in it.
    instead: Vec<ItemId>,
    /// Items in it of which orders do not say what is read in their place: they contradict each other.
    unclear: usize,
}

impl Wanted {
    fn of(record: &PackRecord, erased: &Erased) -> Self {
        let mut wanted = Self { stay: Vec::new(), instead: Vec::new(), unclear: 0 };
        for item in &record.items {
            match erased.current(&item.id) {
                Ok(None) => wanted.stay.push(item.id),
                // What is gone from every catalog is read by nobody.
                Ok(Some(now)) if now.change == Change::Removed => {}
                Ok(Some(now)) => wanted.instead.push(now.item),
                Err(_) => wanted.unclear += 1,
            }
        }
        wanted
    }
}

async fn needed(vault: &Vault, space: &Space) -> Result<Needed> {
    let packs: BTreeSet<PackNumber> = space.retired().collect();
    let records = records_of(vault, space, &packs).await?;
    Ok(records.into_iter().map(|(number, record)| (number, Wanted::of(&record, &space.erased))).collect())
}

/// A replica on which something is destroyed.
struct OneReplica<'a> {
    vault: &'a Vault,
    space: &'a Space,
    needed: &'a Needed,
    doomed: &'a Doomed,
    replica: &'a Replica,
    at: usize,
    listing: &'a Listing,
    progress: &'a dyn Progress,
    cancel: &'a CancellationToken,
}

impl OneReplica<'_> {
    async fn destroy(&self) -> Result<Destroyed> {
        let mut done = Destroyed { replica: self.replica.name.clone(), ..Destroyed::default() };
        let (by_order, blocked) = self.doomed();
        done.blocked = blocked;
        let packs: BTreeSet<Digest> = by_order.values().flatten().copied().collect();
        let headers = self.headers(&packs);
        let bodies: BTreeMap<String, u64> = packs
            .iter()
            .filter_map(|pack| Some((layout::pack(&self.space.name, pack), *self.listing.bodies.get(pack)?)))
            .collect();
        if !packs.is_empty() {
            self.name_found(&by_order).await?;
            self.progress.start(Phase::Prune, Some((headers.len() + bodies.len()) as u64));
            // First what makes them unreadable.
            done.headers = self.delete(&headers, &mut done).await?;
            done.bodies = self.delete(&bodies, &mut done).await?;
            let aside = self.aside(&packs).await?;
            self.delete(&aside, &mut done).await?;
        }
        if done.blocked.is_empty() {
            let (indexes, needed) = self.indexes();
            done.blocked = needed;
            done.indexes = self.delete(&indexes, &mut done).await?;
        }
        let contents = self.contents(&mut done).await?;
        done.drill_files = self.delete(&contents, &mut done).await?;
        for key in headers.keys().chain(bodies.keys()) {
            self.vault.cache.forget(key);
        }
        if let Some(blocks) = self.vault.blocks() {
            blocks.retain(&self.space.name, |pack| !packs.contains(pack));
        }
        self.progress.finish(Phase::Prune);
        self.receipts(&by_order, &done).await?;
        Ok(done)
    }

    /// The packs on this replica that are to go, by order; and why others are not yet.
    fn doomed(&self) -> (HashMap<Digest, BTreeSet<Digest>>, Vec<Problem>) {
        let (erased, index) = (&self.space.erased, &self.space.index);
        let mut blocked = BTreeMap::new();
        let mut by_order: HashMap<Digest, BTreeSet<Digest>> = HashMap::new();
        for Known { digest, order, .. } in erased.orders() {
            let items = order.items.iter().flat_map(|item| index.locations(&item.id));
            let found = items.map(|place| index.packs()[place.pack as usize].id);
            let named = order.packs.iter().copied();
            let told = erased.receipts(*digest).flat_map(|receipt| receipt.packs.iter().copied());
            let is_here = |pack: &Digest| {
                self.listing.bodies.contains_key(pack) || self.listing.headers.contains_key(pack)
            };
            for pack in found.chain(named).chain(told).filter(is_here) {
                match self.why_not(&pack, digest) {
                    None => drop(by_order.entry(*digest).or_default().insert(pack)),
                    Some(why) => drop(blocked.insert(layout::pack(&self.space.name, &pack), why)),
                }
            }
        }
        let problem = |(key, why)| Problem::new("not-destroyed", key, why);
        (by_order, blocked.into_iter().map(problem).collect())
    }

    /// Why a pack must not be destroyed yet.
    fn why_not(&self, pack: &Digest, order: &Digest) -> Option<String> {
        let lacks =
            |items: &[ItemId]| items.iter().filter(|item| !stays_on(self.space, self.at, item)).count();
        let name = &self.replica.name;
        let Some(number) = self.space.index.number(pack) else {
            // Whoever destroyed its index objects said before that it goes, and that all that stays is in others.
            let mut told = self.space.erased.receipts(*order).flat_map(|receipt| &receipt.packs);
            let was_rewritten = told.any(|own| own == pack);
            return (!was_rewritten).then(|| {
                "no index object describes it, so nobody knows what of it is to stay; `prismvault repair --rebuild-index` makes one".to_owned()
            });
        };
        let Some(wanted) = self.needed.get(&number) else {
            return Some("nobody knows what of it is to stay; run the same command again".to_owned());
        };
        match (lacks(&wanted.stay), lacks(&wanted.instead), wanted.unclear) {
            (0, 0, 0) => None,
            (0, 0, unclear) => Some(format!(
                "orders contradict each other on what is read in the place of {unclear} items in it; plan their erasure once more"
            )),
            (0, instead, _) => Some(format!(
                "{instead} items that are read in the place of what goes with it are not on {name}; `prismvault privacy erase --pending` brings them"
            )),
            (stay, ..) => Some(format!(
                "{stay} items in it that are to stay are in no other pack on {name}; they are rewritten where content can be read"
            )),
        }
    }

    /// Every header of these packs, whoever put it there.
    fn headers(&self, packs: &BTreeSet<Digest>) -> BTreeMap<String, u64> {
        let there = packs.iter().flat_map(|pack| {
            let headers = self.listing.headers.get(pack).into_iter().flatten();
            headers.map(|(header, size)| (layout::header(&self.space.name, pack, header), *size))
        });
        there.collect()
    }

    /// What repair kept aside of these packs.
    async fn aside(&self, packs: &BTreeSet<Digest>) -> Result<BTreeMap<String, u64>> {
        let objects = self.replica.store.list(layout::DAMAGED).await?;
        let is_of = |key: &str| {
            let of = layout::parse_damaged(key)?;
            let pack = layout::parse_header(of).map(|(pack, _)| pack).or_else(|| layout::parse_digest(of))?;
            Some(packs.contains(&pack))
        };
        let of_packs = objects.into_iter().filter(|object| is_of(&object.key) == Some(true));
        Ok(of_packs.map(|object| (object.key, object.size)).collect())
    }

    /// Files of drills on this replica that are to go, and what repair kept aside of them. Where nobody knows
    /// whether one is to go, it stays for now, and that is told.
    async fn contents(&self, done: &mut Destroyed) -> Result<BTreeMap<String, u64>> {
        if self.doomed.files.is_empty() && self.doomed.unclear.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut objects = self.replica.store.list(layout::DRILLS).await?;
        objects.extend(self.replica.store.list(layout::DAMAGED).await?);
        let is_here = |problem: &&Problem| objects.iter().any(|object| object.key == problem.subject);
        let pending = |problem: &Problem| Pending {
            key: problem.subject.clone(),
            until: None,
            why: problem.detail.clone(),
        };
        done.pending.extend(self.doomed.unclear.iter().filter(is_here).map(pending));
        let is_doomed = |key: &String| self.doomed.files.contains(layout::parse_damaged(key).unwrap_or(key));
        let go = objects.into_iter().filter(|object| is_doomed(&object.key));
        Ok(go.map(|object| (object.key, object.size)).collect())
    }

    /// The index objects on this replica that are to go: those that describe packs which are to be
    /// destroyed. Those that alone here describe a pack that stays are told instead.
    fn indexes(&self) -> (BTreeMap<String, u64>, Vec<Problem>) {
        let stays =
            |index: &Digest| !self.space.is_retired_index(index) && self.listing.indexes.contains_key(index);
        let mut needed: BTreeSet<&Digest> = BTreeSet::new();
        for (number, pack) in (0..).zip(self.space.index.packs()) {
            let is_here = self.listing.has_body(pack) && !self.space.is_retired(number);
            if is_here && !pack.indexed_by.iter().any(stays) {
                needed.extend(&pack.indexed_by);
            }
        }
        let (mut go, mut stay) = (BTreeMap::new(), Vec::new());
        for index in self.space.retired_indexes() {
            let Some(size) = self.listing.indexes.get(index) else { continue };
            let key = layout::index(&self.space.name, index);
            match needed.contains(index) {
                false => drop(go.insert(key, *size)),
                true => {
                    let why = format!(
                        "it alone describes packs that stay on {}; another is written where content can be read",
                        self.replica.name
                    );
                    stay.push(Problem::new("not-destroyed", key, why));
                }
            }
        }
        (go, stay)
    }

    /// Deletes objects for good; returns how many went.
    async fn delete(&self, objects: &BTreeMap<String, u64>, done: &mut Destroyed) -> Result<u64> {
        let mut results = stream::iter(objects)
            .map(|(key, size)| async move {
                let result = match self.cancel.is_cancelled() {
                    true => Err(VaultError::cancelled()),
                    false => self.replica.delete_for_good(key).await,
                };
                (key, *size, result)
            })
            .buffer_unordered(self.vault.limits.store_concurrency);
        let (mut gone, mut stopped) = (0, None);
        while let Some((key, size, result)) = results.next().await {
            match result {
                Ok(()) => {
                    gone += 1;
                    done.bytes += size;
                    self.progress.advance(Phase::Prune, 1, size);
                }
                Err(error) if error.kind == ErrorKind::Cancelled => stopped = Some(error),
                Err(error) => {
                    let until = match error.kind {
                        ErrorKind::Store(StoreKind::Locked) => self.locked_until(key).await,
                        _ => None,
                    };
                    done.pending.push(Pending { key: key.clone(), until, why: with_causes(&error) });
                }
            }
        }
        done.pending.sort();
        match stopped {
            None => Ok(gone),
            Some(error) => Err(error),
        }
    }

    /// Until when the last lock of any version of an object ends, as far as the store tells.
    async fn locked_until(&self, key: &str) -> Option<String> {
        let versions = self.replica.store.list_versions(key).await.ok()?;
        let mut last = None;
        for version in versions.into_iter().filter(|version| version.key == key) {
            let lock = self.replica.store.lock_of(key, &version.version).await.ok().flatten();
            last = last.max(lock.and_then(|lock| lock.until()));
        }
        last.map(rfc3339)
    }

    /// Names packs in a receipt that no earlier one names, before they go.
    async fn name_found(&self, by_order: &HashMap<Digest, BTreeSet<Digest>>) -> Result<()> {
        for Known { digest, .. } in self.space.erased.orders() {
            let Some(packs) = by_order.get(digest) else { continue };
            let known: BTreeSet<&Digest> =
                self.space.erased.receipts(*digest).flat_map(|receipt| &receipt.packs).collect();
            if packs.iter().any(|pack| !known.contains(pack)) {
                let pending = packs.iter().map(|pack| layout::pack(&self.space.name, pack));
                let pending =
                    pending.map(|key| Pending { key, until: None, why: "it is about to go".to_owned() });
                self.append(*digest, packs, false, pending.collect()).await?;
            }
        }
        Ok(())
    }

    /// Writes what became of each order here, where the last receipt does not say it.
    async fn receipts(&self, by_order: &HashMap<Digest, BTreeSet<Digest>>, done: &Destroyed) -> Result<()> {
        let none = BTreeSet::new();
        for Known { digest, .. } in self.space.erased.orders() {
            let packs = by_order.get(digest).unwrap_or(&none);
            let is_of = |key: &str| {
                let pack =
                    layout::parse_header(key).map(|(pack, _)| pack).or_else(|| layout::parse_digest(key));
                pack.is_some_and(|pack| packs.contains(&pack))
            };
            // What is of no pack is told of every order.
            let is_of_all = |key: &str| is_index(key) || is_of_drill(key);
            let mut pending: Vec<Pending> = done
                .pending
                .iter()
                .filter(|left| is_of(&left.key) || is_of_all(&left.key))
                .cloned()
                .collect();
            let still = |problem: &Problem| Pending {
                key: problem.subject.clone(),
                until: None,
                why: problem.detail.clone(),
            };
            pending.extend(done.blocked.iter().map(still));
            let is_told = self.last_receipt(digest).is_some_and(|last| {
                let is_same = last.gone.is_some() == pending.is_empty()
                    && last.listed.iter().eq(pending.iter().take(PENDING_MAX));
                // What turned up again and is gone now is told once more.
                is_same && (packs.is_empty() || last.gone.is_none())
            });
            if !is_told {
                // Also one that lies aside.
                let opens =
                    |left: &Pending| layout::parse_header(&left.key).is_some() || is_of_drill(&left.key);
                let readable = pending.iter().any(opens) || !done.blocked.is_empty();
                self.append(*digest, packs, !readable, pending).await?;
            }
        }
        Ok(())
    }

    fn last_receipt(&self, order: &Digest) -> Option<&Receipt> {
        let id = self.replica.id()?;
        self.space.erased.receipts(*order).filter(|receipt| receipt.replica == id).last()
    }

    async fn append(
        &self,
        order: Digest,
        packs: &BTreeSet<Digest>,
        is_unreadable: bool,
        pending: Vec<Pending>,
    ) -> Result<()> {
        let Some(replica) = self.replica.id() else { return Ok(()) };
        let now = rfc3339(clocks::of(self.vault, self.replica).await?);
        let before = self.last_receipt(&order);
        // Dates stay those of the first time, until something turns up again.
        let since =
            |earlier: Option<&String>| Some(earlier.filter(|_| packs.is_empty()).unwrap_or(&now).clone());
        let count = pending.len() as u64;
        let receipt = Receipt {
            order,
            replica,
            at: now.clone(),
            packs: packs.iter().copied().collect(),
            unreadable: (is_unreadable && self.vault.is_encrypted())
                .then(|| since(before.and_then(|before| before.unreadable.as_ref())))
                .flatten(),
            gone: pending.is_empty().then(|| since(before.and_then(|before| before.gone.as_ref()))).flatten(),
            pending: count,
            listed: pending.into_iter().take(PENDING_MAX).collect(),
        };
        // Read afresh: each receipt names the one before.
        let ledger = Ledger::load(self.vault, &self.space.name).await?;
        ledger.append(self.vault, &self.space.name, Decision::Receipt(receipt)).await.map(drop)
    }
}

/// Whether it is a file of a drill, or a damaged one that lies aside.
fn is_of_drill(key: &str) -> bool {
    layout::parse_drill_file(layout::parse_damaged(key).unwrap_or(key)).is_some()
}

fn is_index(key: &str) -> bool {
    key.strip_prefix(layout::INDEX).is_some_and(|rest| rest.starts_with('/'))
}
