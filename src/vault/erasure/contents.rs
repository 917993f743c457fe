//! Files of drills that may show content: what orders of erasure take of them.
//!
//! A drill keeps pictures of pages, what commands printed and titles of lost edits. Nobody can tell whether a
//! person is in a picture, so an order of erasure takes all such files of drills that began before it and
//! recovered a repository of its space; which repository has which space is told by the snapshots, and one that
//! no snapshot names counts as of every space. The signed record stays, and says what was there with its digests.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::orders::Known;
use crate::clock::Timestamp;
use crate::ids::{CaseId, Digest, Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::drill_copies::{Listed, ids_of, listed};
use crate::vault::drills;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::drill::DrillFile;
use crate::vault::layout;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::snapshots::Snapshots;

/// An order that takes files of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentErased {
    /// Id of the ledger entry with the order.
    pub order: SnapshotId,
    /// Its case.
    pub case: CaseId,
}

/// What orders take of drills.
#[derive(Debug, Clone, Default)]
pub struct ErasedContents {
    /// Orders that erase or correct, by space, oldest first.
    orders: BTreeMap<Name, Vec<ContentErased>>,
    /// Spaces of repositories.
    spaces: BTreeMap<Name, BTreeSet<Name>>,
    /// By how much clocks of two hosts may differ.
    slack: TimeDelta,
}

impl ErasedContents {
    /// Reads the orders of all spaces.
    ///
    /// # Errors
    ///
    /// Those of reading ledgers and manifests.
    pub async fn load(vault: &Vault) -> Result<Self> {
        let mut own = Self {
            slack: TimeDelta::from_std(vault.limits.clock_skew_max).unwrap_or_default(),
            ..Self::default()
        };
        for space in Ledger::spaces(vault).await? {
            let ledger = Ledger::load(vault, &space).await?;
            let orders: Vec<ContentErased> = ledger.erased().orders().iter().map(ContentErased::of).collect();
            if !orders.is_empty() {
                own.orders.insert(space, orders);
            }
        }
        if own.orders.is_empty() {
            return Ok(own);
        }
        let snapshots = Snapshots::load(vault, None).await?;
        for snapshot in snapshots.iter().chain(snapshots.removed()) {
            let (repository, space) = (&snapshot.manifest.repository, &snapshot.manifest.space);
            own.spaces.entry(repository.clone()).or_default().insert(space.clone());
        }
        Ok(own)
    }

    /// The oldest order that takes what a drill keeps of content; `None`: none does.
    pub fn order_of(&self, drill: &DrillFile) -> Option<&ContentErased> {
        self.orders_of(drill).min_by_key(|own| &own.order)
    }

    /// Whether an order of this case takes what a drill keeps of content; of any case where none is named.
    pub fn takes(&self, drill: &DrillFile, case: Option<&CaseId>) -> bool {
        self.orders_of(drill).any(|own| case.is_none_or(|case| own.case == *case))
    }

    fn orders_of<'s, 'd>(
        &'s self,
        drill: &'d DrillFile,
    ) -> impl Iterator<Item = &'s ContentErased> + use<'s, 'd> {
        let began = drill.began.parse().unwrap_or_else(|_| drill.drill.time());
        let all = self.orders.iter().filter(move |(space, _)| self.is_of(drill, space));
        all.flat_map(|(_, orders)| orders).filter(move |own| self.is_before(began, own))
    }

    /// Whether a drill recovered a repository of a space, or may have.
    fn is_of(&self, drill: &DrillFile, space: &Name) -> bool {
        let is_in =
            |repository: &Name| self.spaces.get(repository).is_none_or(|spaces| spaces.contains(space));
        drill.repositories.is_empty() || drill.repositories.iter().any(|own| is_in(&own.repository))
    }

    /// Whether a drill began before an order: what it kept may show what the order took.
    fn is_before(&self, began: Timestamp, order: &ContentErased) -> bool {
        began <= order.order.time() + self.slack
    }
}

impl ContentErased {
    fn of(known: &Known) -> Self {
        Self { order: known.entry.clone(), case: known.order.case.clone() }
    }
}

/// Returns the order by which the files of a drill that may show content are erased; `None`: they are to be there.
///
/// # Errors
///
/// Those of reading ledgers and manifests.
pub async fn content_erased(vault: &Vault, drill: &DrillFile) -> Result<Option<ContentErased>> {
    Ok(ErasedContents::load(vault).await?.order_of(drill).cloned())
}

/// Files of drills that orders of a space take.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    /// Keys that are to go.
    pub(super) files: BTreeSet<String>,
    /// Keys of which nobody knows yet whether they hold content, with the reason.
    pub(super) unclear: Vec<Problem>,
}

/// Finds what orders of a space take of drills, on any live replica.
pub(super) async fn doomed(vault: &Vault, space: &Name) -> Result<Doomed> {
    let there = listed(vault).await?;
    let ids = ids_of(&there);
    let mut doomed = Doomed::default();
    if ids.is_empty() {
        return Ok(doomed);
    }
    let mut erased = ErasedContents::load(vault).await?;
    erased.orders.retain(|own, _| own == space);
    for id in ids {
        match drills::load(vault, &id).await {
            Ok(drill) if erased.order_of(&drill.file).is_some() => {
                let stays = |key: &String| {
                    let named = drill.file.files.iter().filter(|file| !file.holds_content());
                    named.map(|file| layout::drill_file(&id, &file.stored)).any(|own| own == *key)
                };
                let content = drill.file.files.iter().filter(|file| file.holds_content());
                doomed.files.extend(content.map(|file| layout::drill_file(&id, &file.stored)));
                // The record comes last, so what it does not name is what a killed drill left.
                doomed.files.extend(files_of(&there, &id).filter(|key| !stays(key)).cloned());
            }
            Ok(_) => {}
            Err(error) => {
                let orders = erased.orders.get(space).into_iter().flatten();
                if !orders.into_iter().any(|own| erased.is_before(id.time(), own)) {
                    continue;
                }
                // What no record names: of a drill that was killed, or one whose record is out of reach.
                let files: BTreeSet<String> = files_of(&there, &id).cloned().collect();
                match why_unclear(vault, &id, &error) {
                    None => doomed.files.extend(files),
                    Some(why) => {
                        let told = |key| Problem::new("not-destroyed", key, why.clone());
                        doomed.unclear.extend(files.into_iter().map(told));
                    }
                }
            }
        }
    }
    Ok(doomed)
}

/// The files beside the record of a drill that any replica lists.
fn files_of<'a>(there: &'a Listed<'_>, id: &'a SnapshotId) -> impl Iterator<Item = &'a String> {
    let keys = there.iter().flat_map(|(_, keys)| keys.keys());
    keys.filter(move |key| layout::parse_drill_file(key).is_some_and(|(own, _)| own == *id))
}

/// Why files of a drill without a record must not go yet.
fn why_unclear(vault: &Vault, id: &SnapshotId, error: &VaultError) -> Option<String> {
    if let Some((away, _)) = vault.replicas.failed().into_iter().next() {
        return Some(format!("no record that can be read says what it holds, and {away} may have one"));
    }
    let longest = TimeDelta::from_std(vault.limits.max_run).unwrap_or(TimeDelta::MAX);
    let is_young = vault.now().signed_duration_since(id.time()) < longest;
    match &error.kind {
        ErrorKind::NotFound if is_young => Some(
            "the drill that wrote it may be under way; run the same command again when it is over".to_owned(),
        ),
        ErrorKind::NotFound | ErrorKind::Integrity | ErrorKind::NotTrusted => None,
        _ => Some(format!("the record that says what it holds cannot be read: {}", with_causes(error))),
    }
}

/// Digests, as they are stored, of files of drills that orders take: of one case, or of all.
///
/// # Errors
///
/// When no replica could be listed; those of reading ledgers and manifests.
pub async fn digests(vault: &Vault, case: Option<&CaseId>) -> Result<BTreeSet<Digest>> {
    let (all, _) = drills::all(vault).await?;
    if all.is_empty() {
        return Ok(BTreeSet::new());
    }
    let erased = ErasedContents::load(vault).await?;
    let taken = all.iter().filter(|drill| erased.takes(&drill.file, case));
    let files = taken.flat_map(|drill| &drill.file.files).filter(|file| file.holds_content());
    Ok(files.map(|file| file.stored).collect())
}
