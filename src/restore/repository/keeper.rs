//! The journal of a restore on this host and its copy in the vault: finding, opening, copying.
//!
//! A restore is known by what it restores to where: whoever gives the same command goes on with it, on
//! this host from its own file, on another from the copy. The copy may be older by a minute: the requests
//! that a minute holds count as lost then, and are looked for before they are sent again.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::super::error::Result;
use super::entries::{Begun, Entry, Newest, Recorded};
use super::ids::IdMap;
use super::journal::Journal;
use crate::clock::{Clock, Timestamp};
use crate::ids::{Name, SnapshotId};
use crate::progress::Problem;
use crate::snapshot::Target;
use crate::vault::open::Vault;
use crate::vault::restores::{self, RestoreCopy};

/// How often the journal is copied to the vault while a restore runs.
pub(super) const COPY_EVERY: Duration = Duration::from_secs(60);

/// Keeps the journal of one restore.
pub(super) struct Keeper<'a> {
    /// Where copies of the journal are; `None` where nobody else is to go on with the restore.
    pub(super) vault: Option<&'a Vault>,
    /// Where journals are kept on this host.
    pub(super) directory: &'a Path,
    /// Repository of the snapshot.
    pub(super) source: &'a Name,
    pub(super) snapshot: &'a SnapshotId,
    pub(super) target: &'a Target,
    /// Digest of what was chosen.
    pub(super) choice: String,
    pub(super) clock: &'a dyn Clock,
}

/// A restore that was left, or none.
#[derive(Debug, Default)]
pub(super) struct Left {
    own: Option<(SnapshotId, Vec<Entry>)>,
    /// Whether it is that of another host, as it was when it was last copied: what was done since is not
    /// in it.
    pub(super) is_copy: bool,
    /// What other restores of the same repository into the same target made there.
    pub(super) earlier: IdMap,
}

impl Left {
    /// What its lines say.
    pub(super) fn recorded(&self) -> Recorded {
        Recorded::of(self.own.iter().flat_map(|(_, entries)| entries))
    }
}

/// The open journal of a restore, as the run and whoever copies it share it.
pub(super) struct Kept {
    /// Id of the restore.
    pub(super) id: SnapshotId,
    pub(super) journal: Arc<Mutex<Journal<Entry>>>,
    /// Told after each step.
    pub(super) step_done: Notify,
    /// The first line, or that of going on.
    pub(super) first: Entry,
    /// Lines of the newest copy.
    copied: AtomicU64,
}

impl Keeper<'_> {
    /// Finds the journal of this restore, if it was left: of those on this host and in the vault the
    /// one with more lines. One that is finished is not gone on with.
    ///
    /// # Errors
    ///
    /// When a journal on this host cannot be read.
    pub(super) async fn left(&self) -> Result<Left> {
        let mut found: Vec<(SnapshotId, Vec<Entry>)> = Vec::new();
        for id in Journal::<Entry>::list(self.directory)? {
            let entries = Journal::read(self.directory, &id)?;
            found.push((id, entries));
        }
        let here: HashMap<SnapshotId, usize> =
            found.iter().map(|(id, entries)| (id.clone(), entries.len())).collect();
        let copies = match self.vault {
            Some(vault) => restores::load_all(vault).await,
            None => Vec::new(),
        };
        for copy in copies {
            match Journal::<Entry>::parse(&copy.journal) {
                Ok(entries) => found.push((copy.restore, entries)),
                Err(error) => {
                    let detail = format!("its copy of the journal is not believed: {error}");
                    tracing::warn!(restore = copy.restore.as_str(), "{detail}");
                }
            }
        }
        let recorded = |entries: &Vec<Entry>| Recorded::of(entries);
        // One that is finished here may be older in the vault.
        let finished: HashSet<SnapshotId> = found
            .iter()
            .filter(|(_, entries)| recorded(entries).finished().is_some())
            .map(|(id, _)| id.clone())
            .collect();
        found.retain(|(_, entries)| {
            recorded(entries).begun.is_some_and(|begun| {
                begun.source == *self.source
                    && begun.target == self.target.name
                    && begun.repository == self.target.repository
            })
        });
        found.sort_by_key(|(id, entries)| (id.time(), entries.len()));
        let is_it = |(id, entries): &(SnapshotId, Vec<Entry>)| {
            let begun = recorded(entries).begun;
            let is_same = |begun: Begun| begun.snapshot == *self.snapshot && begun.choice == self.choice;
            !finished.contains(id) && begun.is_some_and(is_same)
        };
        let own = found.iter().rposition(is_it).map(|at| found.remove(at));
        let is_copy = own.as_ref().is_some_and(|(id, entries)| here.get(id) != Some(&entries.len()));
        let mut earlier = IdMap::default();
        let others = found.iter().filter(|(id, _)| own.as_ref().is_none_or(|(own, _)| own != id));
        others.for_each(|(_, entries)| earlier.extend(IdMap::new(&recorded(entries))));
        Ok(Left { own, is_copy, earlier })
    }

    /// Opens the journal that was left, or a new one, and writes its first line or that it goes on.
    ///
    /// # Errors
    ///
    /// Those of the local disk, and when another process has it open.
    pub(super) async fn open(&self, left: Left, at: Timestamp, newest: Newest) -> Result<Kept> {
        let (id, mut journal, first) = match left.own {
            Some((id, entries)) => {
                let journal = Journal::go_on(self.directory, &id, &entries)?;
                (id, journal, Entry::Resumed { at })
            }
            None => {
                let id = SnapshotId::new(self.clock.now());
                let journal = Journal::create(self.directory, &id)?;
                let begun = Begun {
                    restore: id.clone(),
                    source: self.source.clone(),
                    snapshot: self.snapshot.clone(),
                    target: self.target.name.clone(),
                    repository: self.target.repository.clone(),
                    choice: self.choice.clone(),
                    at,
                    newest,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                };
                (id, journal, Entry::Begun(begun))
            }
        };
        journal.append(&first).await?;
        Ok(Kept {
            id,
            journal: Arc::new(Mutex::new(journal)),
            step_done: Notify::new(),
            first,
            copied: AtomicU64::default(),
        })
    }

    /// Awaits work on a restore, and copies its journal to the vault each minute and after each step.
    pub(super) async fn copying<T>(&self, kept: &Kept, work: impl Future<Output = T>) -> T {
        let copies = async {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(COPY_EVERY) => {}
                    () = kept.step_done.notified() => {}
                }
                if let Some(problem) = self.copy(kept).await {
                    tracing::warn!("{}", problem.detail);
                }
            }
        };
        tokio::select! {
            done = work => done,
            never = copies => never,
        }
    }

    /// Copies the journal to the vault. That it cannot be is a problem, and does not end the restore: on
    /// the worst day the vault may be readable only.
    pub(super) async fn copy(&self, kept: &Kept) -> Option<Problem> {
        let vault = self.vault?;
        let (journal, lines) = {
            let journal = kept.journal.lock().await;
            // A bucket with versions keeps each copy.
            if journal.lines() == kept.copied.load(Ordering::Relaxed) {
                return None;
            }
            (journal.text().await, journal.lines())
        };
        let copied = match journal {
            Ok(journal) => {
                let copy = RestoreCopy {
                    restore: kept.id.clone(),
                    snapshot: self.snapshot.clone(),
                    target: self.target.name.clone(),
                    lines,
                    journal,
                };
                restores::store(vault, &copy).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let Err(why) = copied else {
            kept.copied.store(lines, Ordering::Relaxed);
            return None;
        };
        let detail = format!(
            "no replica holds the newest lines of the journal, so another host could not go on: {why}"
        );
        Some(Problem::new("journal-not-copied", kept.id.as_str(), detail))
    }
}
