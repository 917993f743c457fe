//! Looks for newer snapshots, for replicas that are back, and for orders of the ledger.
//!
//! What an order takes away must not be answered for long: orders are looked for at least each
//! [`ORDERS_EVERY`], however rarely snapshots are, and what cannot be made ready under them within
//! [`READY_WITHIN`] is not answered at all until it is. While no replica can be asked, nobody can know of orders:
//! what is served stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Args, Kept, Shelves};
use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::restore::ContentSession;
use crate::ids::Name;
use crate::standby::{Edition, Standby};
use crate::vault::erasure::Erased;
use crate::vault::error::ErrorKind;
use crate::vault::format::manifest::Manifest;
use crate::vault::ledger::Ledger;
use crate::vault::snapshots::Snapshot;

/// Longest time between two looks for orders.
const ORDERS_EVERY: Duration = Duration::from_secs(60);
/// Time to make ready what orders leave, before nothing is answered.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// When it is looked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How often newer snapshots are looked for.
    follow_every: Duration,
}

impl Pace {
    pub(super) fn new(follow_every: Duration) -> Self {
        Self { follow_every }
    }

    /// Time from one look to the next.
    pub(super) fn look_every(self) -> Duration {
        self.follow_every.min(ORDERS_EVERY)
    }

    /// Whether a look moves to newer snapshots too, so long after one did.
    pub(super) fn follows(self, after: Duration) -> bool {
        self.follow_every <= ORDERS_EVERY || after >= self.follow_every
    }
}

/// What a space is read under.
pub(super) struct Orders {
    erased: Arc<Erased>,
    /// Whether no entry of the ledger lacks: one that does may forbid what is served.
    is_whole: bool,
}

impl Orders {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When no replica can be asked.
    pub(super) async fn load(content: &ContentSession, space: &Name) -> Result<Self, CommandError> {
        let vault = &content.session.vault;
        let ledger = Ledger::load(vault, space).await?;
        let manifests = content.snapshots.iter().map(|snapshot| &snapshot.manifest);
        let named = manifests.filter(|own| own.space == *space).flat_map(|own| &own.ledger);
        let is_whole = match ledger.require_whole(vault, named) {
            Ok(()) => true,
            Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::UnknownFormat) => false,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { erased: Arc::clone(ledger.erased()), is_whole })
    }

    /// Whether an edition is as they leave it.
    pub(super) fn leave(&self, edition: &Edition) -> bool {
        self.is_whole && edition.is_under(&self.erased.decided())
    }
}

/// A repository that is to be made ready once more, or not.
struct Due {
    name: Name,
    newer: Option<Manifest>,
    /// Whether what is served is not what orders leave, or nothing is.
    is_outdated: bool,
}

impl Args {
    /// Looks once; `follows` when it is time to move to newer snapshots too.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read, or what is to be served cannot be made ready. What was served before
    /// still is, unless an order forbids it.
    pub(super) async fn look(
        &self,
        kept: &mut BTreeMap<Name, Kept>,
        shelves: &mut Shelves,
        follows: bool,
        context: &Context,
    ) -> Result<(), CommandError> {
        let content = shelves.meanwhile(ContentSession::open(context, &self.identity)).await?;
        drop(content.session.vault.keep_blocks(shelves.blocks.clone(), u64::from(self.cache_size) << 20));
        let content = Arc::new(content);
        let (mut due, mut all_orders) = (Vec::new(), Vec::new());
        for (name, own) in kept.iter() {
            let (one, orders) = due_of(name, own, &content, follows).await?;
            all_orders.extend(orders);
            due.extend(one);
        }
        // What must not be answered any more comes first.
        due.sort_by_key(|own| !own.is_outdated);
        let deadline = Instant::now() + READY_WITHIN;
        let mut outdated: Vec<Arc<Standby>> = due
            .iter()
            .filter(|own| own.is_outdated)
            .filter_map(|own| Some(Arc::clone(&kept.get(&own.name)?.standby)))
            .collect();
        let mut failure = None;
        for own in due {
            let Some(one) = kept.get_mut(&own.name) else { continue };
            let ready =
                self.make_ready(&own, one, &content, shelves, (&mut outdated, deadline), context).await;
            if let Err(error) = ready {
                if context.cancel.is_cancelled() {
                    return Err(error);
                }
                failure.get_or_insert(error);
            }
        }
        let erased: Vec<Arc<Erased>> = all_orders.into_iter().map(|orders| orders.erased).collect();
        shelves.caches.tidy(kept.values().map(|own| &*own.standby), &erased);
        failure.map_or(Ok(()), Err)
    }

    /// Makes a repository ready once more. `outdated` are those that must not be answered after the deadline.
    async fn make_ready(
        &self,
        due: &Due,
        kept: &mut Kept,
        content: &Arc<ContentSession>,
        shelves: &mut Shelves,
        (outdated, deadline): (&mut Vec<Arc<Standby>>, Instant),
        context: &Context,
    ) -> Result<(), CommandError> {
        let before = kept.manifests.clone();
        if let Some(newer) = &due.newer {
            // The one before stays for those who are just reading it page by page, and so do those
            // that were asked for besides.
            let mut manifests = vec![newer.clone()];
            manifests.extend(before.first().cloned());
            manifests.extend(kept.named.iter().cloned());
            let mut seen = BTreeSet::new();
            manifests.retain(|manifest| seen.insert(manifest.snapshot.clone()));
            kept.manifests = manifests;
        }
        let made = {
            let mut making = std::pin::pin!(shelves.editions(content, kept, context));
            match outdated.is_empty() {
                true => making.await,
                false => match timeout_at(deadline, &mut making).await {
                    Ok(made) => made,
                    Err(_) => {
                        // None of them is answered until it is ready.
                        outdated.drain(..).for_each(|standby| standby.serve(Vec::new()));
                        making.await
                    }
                },
            }
        };
        outdated.retain(|standby| !Arc::ptr_eq(standby, &kept.standby));
        let name = &due.name;
        match made {
            Ok(editions) => kept.standby.serve(editions),
            Err(error) => {
                kept.manifests = before;
                if due.is_outdated {
                    // What was erased since is not served, also where nothing else can be.
                    kept.standby.serve(Vec::new());
                }
                return Err(error.within(format!("{name} could not be made ready")));
            }
        }
        if due.is_outdated {
            context.output.message(format!("{name} is served as orders of the ledger leave it now"));
        }
        if let Some(newer) = &due.newer {
            context.output.message(format!("{name} is served from {} now", newer.snapshot));
        }
        Ok(())
    }
}

/// Whether a repository is to be made ready once more, and the orders of its spaces.
async fn due_of(
    name: &Name,
    kept: &Kept,
    content: &ContentSession,
    follows: bool,
) -> Result<(Option<Due>, Vec<Orders>), CommandError> {
    let editions = kept.standby.editions();
    let newest: Option<&Snapshot> =
        content.snapshots.newest_complete(name).filter(|_| kept.is_followed && follows);
    let served = kept.manifests.first().map(|manifest| &manifest.snapshot);
    let newer = newest.map(|newest| &newest.manifest).filter(|newest| served != Some(&newest.snapshot));
    // Also where nothing could be served the last time.
    let mut is_outdated = editions.is_empty();
    let mut all_orders = Vec::new();
    for manifest in &kept.manifests {
        let orders = Orders::load(content, &manifest.space).await?;
        let of = editions.iter().filter(|one| *one.snapshot() == manifest.snapshot);
        is_outdated |= of.into_iter().any(|one| !orders.leave(one));
        all_orders.push(orders);
    }
    let has_failed = editions.iter().any(|one| one.has_failed());
    let is_due = newer.is_some() || has_failed || is_outdated;
    let due = is_due.then(|| Due { name: name.clone(), newer: newer.cloned(), is_outdated });
    Ok((due, all_orders))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_looked_for_each_minute_however_rarely_snapshots_are() {
        let (often, rarely) = (Pace::new(Duration::from_secs(30)), Pace::new(Duration::from_hours(24)));
        assert_eq!((often.look_every(), rarely.look_every()), (Duration::from_secs(30), ORDERS_EVERY));
        assert!(often.follows(Duration::ZERO), "each look does");
        assert!(!rarely.follows(Duration::from_hours(23)) && rarely.follows(Duration::from_hours(24)));
    }
}
