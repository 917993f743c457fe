//! Heads of documents, by item.
//!
//! Which documents a query means is mostly decided by ids, uids, types, tags and dates, and of these
//! a catalog tells only some. So every document is read once for its head, and heads are kept in
//! a file of the local cache, encrypted for the identity that could read the documents anyway. A
//! document that did not change is the same item in the next snapshot, so that one costs only what
//! changed.
//!
//! A file that is damaged, of another version, or for another identity counts as none.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::edition::StandbyError;
use crate::contentapi::{Head, HeadParts};
use crate::ids::ItemId;
use crate::objects::ErrorKind as StoreKind;
use crate::progress::{Phase, Progress};
use crate::restore::OpenSnapshot;
use crate::vault::envelope::{self, Identity, Recipient};
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::open::Vault;
use crate::vault::pack::ItemData;
use crate::vault::replica::with_causes;
use crate::vault::stretch::Batch;

/// Of what is written; another is not read.
const VERSION: u32 = 1;
/// Compression of the cached file: it is written once and read at every start.
const LEVEL: i32 = 3;
/// Which part of the heads may be missing in the file, each to be read again at the next start: writing the file
/// takes as long as making a snapshot ready, while sites go on asking.
const UNKEPT_SHARE: usize = 50;
/// Largest file of heads that is read: about ten million documents.
const BYTES_MAX: u64 = 4 << 30;

/// How reading heads went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Learned {
    /// Documents that were read.
    pub(super) read: usize,
    /// Documents that no replica gives, or that are none.
    pub(super) lost: usize,
}

/// Heads by item.
#[derive(Debug, Default)]
pub struct Heads {
    known: HashMap<ItemId, Arc<Head>>,
    /// How many of them were learned since they were kept in the cache.
    unkept: usize,
}

/// As it lies in the cache, one JSON object a line after a line with the version.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    item: ItemId,
    #[serde(borrow, flatten)]
    head: HeadParts<'a>,
}

impl Heads {
    /// Returns the head of the document that an item is.
    pub(super) fn get(&self, item: ItemId) -> Option<&Arc<Head>> {
        self.known.get(&item)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Leaves those of these items only.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&ItemId) -> bool) {
        self.known.retain(|item, _| is_wanted(item));
        self.known.shrink_to_fit();
    }

    /// Reads the heads of those items that are not known; returns how many it read, and how many it
    /// could not: those are told in the log.
    ///
    /// # Errors
    ///
    /// When replicas cannot be read, or no document is left.
    pub(super) async fn learn(
        &mut self,
        snapshot: &OpenSnapshot<'_>,
        items: impl IntoIterator<Item = ItemId>,
        progress: &dyn Progress,
    ) -> Result<Learned, StandbyError> {
        let unknown: Vec<ItemId> = items.into_iter().filter(|item| !self.known.contains_key(item)).collect();
        progress.start(Phase::Documents, Some(unknown.len() as u64));
        let reader = snapshot.reader();
        let mut learned = Learned::default();
        reader
            .for_each_batch(unknown, async |batch| {
                let parsed = tokio::task::spawn_blocking(move || parse(batch)).await;
                let parsed = parsed.expect("reading heads does not panic");
                progress.advance(Phase::Documents, parsed.len() as u64, 0);
                for (item, head) in parsed {
                    match head {
                        Ok(head) => {
                            learned.read += 1;
                            self.unkept += 1;
                            self.known.insert(item, Arc::new(head));
                        }
                        // A replica that does not answer will not do so for the others either.
                        Err(error) if learned.read == 0 && is_away(&error) => return Err(error),
                        Err(error) => {
                            learned.lost += 1;
                            let error = with_causes(&error);
                            tracing::error!(
                                error,
                                "a document of the snapshot cannot be read, and is left out"
                            );
                        }
                    }
                }
                Ok(())
            })
            .await?;
        progress.finish(Phase::Documents);
        if learned.lost > 0 && self.known.is_empty() {
            return Err(StandbyError::NothingLeft);
        }
        Ok(learned)
    }

    /// Takes what an earlier run kept in the local cache of the vault.
    pub(super) fn recall(vault: &Vault, key: &str) -> Self {
        let recalled = || {
            let sealed = vault.cached(key)?;
            let packed = envelope::open(&sealed, vault.identities()).ok()?;
            let mut text = String::new();
            let unpacked = zstd::stream::read::Decoder::with_buffer(&packed[..]).ok()?;
            unpacked.take(BYTES_MAX).read_to_string(&mut text).ok()?;
            let (version, lines) = text.split_once('\n')?;
            if version.parse() != Ok(VERSION) {
                return None;
            }
            let line = |line: &str| {
                let line: Line<'_> = serde_json::from_str(line).ok()?;
                Some((line.item, Arc::new(Head::new(&line.head))))
            };
            lines.lines().map(line).collect::<Option<HashMap<_, _>>>()
        };
        Self { known: recalled().unwrap_or_default(), unkept: 0 }
    }

    /// Whether so many were learned since they were kept that keeping them again is worth it.
    pub(super) fn are_due(&self) -> bool {
        self.unkept * UNKEPT_SHARE > self.known.len()
    }

    /// Keeps all for the next run, so that only an identity that is here reads it.
    pub(super) async fn remember(&mut self, vault: &Vault, key: &str) {
        self.unkept = 0;
        let heads = self.known.clone();
        let readers: Vec<Recipient> = vault.identities().iter().map(Identity::recipient).collect();
        // Off the threads that wait: it is work for a processor.
        let sealed = tokio::task::spawn_blocking(move || seal(&heads, &readers)).await;
        match sealed {
            Ok(Some(sealed)) => vault.keep_cached(key, &sealed),
            _ => tracing::debug!("the heads of documents are not kept for the next start"),
        }
    }
}

fn seal(heads: &HashMap<ItemId, Arc<Head>>, readers: &[Recipient]) -> Option<Vec<u8>> {
    let mut text = format!("{VERSION}\n").into_bytes();
    for (item, head) in heads {
        let line = Line { item: *item, head: head.parts() };
        serde_json::to_writer(&mut text, &line).ok()?;
        text.push(b'\n');
    }
    let packed = zstd::bulk::compress(&text, LEVEL).ok()?;
    envelope::seal(&packed, readers).ok()
}

/// Whether it is about a replica, and not about what lies there.
fn is_away(error: &StandbyError) -> bool {
    matches!(error, StandbyError::Vault(error)
        if matches!(error.kind, ErrorKind::Store(kind) if kind != StoreKind::NotFound))
}

fn parse(batch: Batch) -> Vec<(ItemId, Result<Head, StandbyError>)> {
    let head = |item: ItemId, data: Result<ItemData, VaultError>| {
        let mut text = String::new();
        data?
            .reader()
            .and_then(|mut reader| reader.read_to_string(&mut text))
            .map_err(StandbyError::Temporary)?;
        Head::parse(&text).map_err(|source| StandbyError::NoDocument { item, source })
    };
    batch.into_iter().map(|(item, data)| (item, head(item, data))).collect()
}
