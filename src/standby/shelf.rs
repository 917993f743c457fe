//! Reads items of one open snapshot for as many as ask.
//!
//! An open snapshot belongs to whoever opened it, and requests of a server to nobody in particular.
//! So one task holds the snapshot and reads, and [`Shelf`]s send it what is wanted. Reads of
//! different requests run beside each other, a bounded number of them; the order of answers within
//! one is that of the packs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::contentapi::SourceError;
use crate::ids::ItemId;
use crate::restore::OpenSnapshot;
use crate::vault::error::VaultError;
use crate::vault::pack::ItemData;
use crate::vault::reader::Reader;
use crate::vault::replica::with_causes;

/// Requests that wait for the task that reads; more wait at their own place.
const WAITING_MAX: usize = 64;
/// Requests that are read at once: each holds at most the stretches that one read holds.
const AT_ONCE: usize = 8;
/// Items that were read and wait for whoever asked.
const READ_AHEAD: usize = 16;

type Answer = (ItemId, Result<ItemData, VaultError>);

#[derive(Debug)]
struct Request {
    ids: Vec<ItemId>,
    found: mpsc::Sender<Answer>,
}

/// Reads items of an open snapshot. Clones ask the same task; it ends when all are gone.
#[derive(Debug, Clone)]
pub struct Shelf {
    requests: mpsc::Sender<Request>,
    failures: Arc<AtomicU64>,
}

/// The task's side of a [`Shelf`].
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Request>);

/// Returns a shelf, and what [`serve`] takes to make it work.
pub(super) fn shelf() -> (Shelf, Requests) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Shelf { requests: sender, failures: Arc::default() }, Requests(receiver))
}

/// Reads what is asked for until every shelf is gone. Damaged copies that were read around are told in
/// the log.
pub async fn serve(snapshot: &OpenSnapshot<'_>, mut requests: Requests) {
    let reader = snapshot.reader();
    let mut running = FuturesUnordered::new();
    let mut told = snapshot.vault().warnings().len();
    loop {
        tokio::select! {
            request = requests.0.recv(), if running.len() < AT_ONCE => match request {
                Some(request) => running.push(answer(&reader, request)),
                None => break,
            },
            Some(()) = running.next(), if !running.is_empty() => {
                for warning in snapshot.vault().warnings().into_iter().skip(told) {
                    told += 1;
                    tracing::error!(subject = %warning.subject, "{}", warning.detail);
                }
            }
        }
    }
}

async fn answer(reader: &Reader<'_>, request: Request) {
    let Request { ids, found } = request;
    // Whoever hung up ends the reading; nobody is left to be told.
    let _: Result<(), ()> =
        reader.for_each(ids, async |id, data| found.send((id, data)).await.map_err(drop)).await;
}

impl Shelf {
    /// How many reads failed since it was made.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// What a client is told when something cannot be read; what it is, the log says.
    fn unavailable(&self, error: Option<&VaultError>) -> SourceError {
        self.failures.fetch_add(1, Ordering::Relaxed);
        match error {
            Some(error) => {
                tracing::error!(error = %with_causes(error), "an item of the snapshot cannot be read");
            }
            None => tracing::error!("the snapshot is not open any more"),
        }
        SourceError::Unavailable("a part of the snapshot cannot be read now".to_owned())
    }

    /// Reads many items and hands each to `found`, in the order of the packs. For threads that may
    /// wait.
    ///
    /// # Errors
    ///
    /// [`SourceError::Unavailable`] at the first that no replica gives.
    pub(super) fn read_all(
        &self,
        ids: Vec<ItemId>,
        found: &mut dyn FnMut(ItemId, ItemData) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut left = ids.len();
        let (sender, mut answers) = mpsc::channel(READ_AHEAD);
        self.requests.blocking_send(Request { ids, found: sender }).map_err(|_| self.unavailable(None))?;
        while let Some((id, data)) = answers.blocking_recv() {
            found(id, data.map_err(|error| self.unavailable(Some(&error)))?)?;
            left -= 1;
        }
        if left > 0 { Err(self.unavailable(None)) } else { Ok(()) }
    }

    /// Reads many small items and hands each to `found`; those that cannot be read are left out.
    ///
    /// # Errors
    ///
    /// [`SourceError::Unavailable`] when the snapshot is not open any more.
    pub(super) async fn read_small(
        &self,
        ids: Vec<ItemId>,
        mut found: impl FnMut(ItemId, &[u8]),
    ) -> Result<(), SourceError> {
        let (sender, mut answers) = mpsc::channel(READ_AHEAD);
        let request = Request { ids, found: sender };
        self.requests.send(request).await.map_err(|_| self.unavailable(None))?;
        while let Some((id, data)) = answers.recv().await {
            match data {
                Ok(ItemData::Memory(bytes)) => found(id, &bytes),
                Ok(ItemData::File(..)) => {}
                Err(error) => drop(self.unavailable(Some(&error))),
            }
        }
        Ok(())
    }

    /// Reads one item: in memory when small, else in an anonymous temporary file.
    ///
    /// # Errors
    ///
    /// [`SourceError::Unavailable`] when no replica gives it.
    pub async fn read(&self, id: ItemId) -> Result<ItemData, SourceError> {
        let (sender, mut answers) = mpsc::channel(1);
        self.requests
            .send(Request { ids: vec![id], found: sender })
            .await
            .map_err(|_| self.unavailable(None))?;
        let (_, data) = answers.recv().await.ok_or_else(|| self.unavailable(None))?;
        data.map_err(|error| self.unavailable(Some(&error)))
    }
}
