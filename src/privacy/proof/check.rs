//! Everything that is looked at after an erasure, joined to evidence.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::ProofError;
use super::canary::{self, Canary};
use super::erased::ErasedPacks;
use super::evidence::{Evidence, LiveEvidence, LocalEvidence, ReplicaEvidence, Sought, UrlEvidence};
use super::headers::{self, OldHeaders, Tried};
use super::horizon::{Horizon, OnReplica, horizon};
use super::needles::Needles;
use super::restored::{Restored, restored};
use super::scan::{Place, Scanned, Scanner, listed};
use super::stays::Stays;
use crate::clock::rfc3339;
use crate::privacy::erasure::plan::{Plan, Purpose};
use crate::privacy::matching::Matcher;
use crate::privacy::search::Again;
use crate::privacy::subject::Subject;
use crate::vault::envelope::Identity;
use crate::vault::open::Vault;

/// What is looked at, and how.
pub struct Checking<'a> {
    /// Vault, snapshots, bounds, progress.
    pub again: &'a Again<'a>,
    /// The plan that was carried out.
    pub plan: &'a Plan,
    /// What stays because of it.
    pub stays: &'a Stays,
    /// The person.
    pub subject: &'a Subject,
    /// The same, for texts.
    pub matcher: &'a Arc<Matcher>,
    /// Names of headers, from before they were destroyed; none is known where somebody else destroyed them.
    pub headers: &'a OldHeaders,
    /// Further directories of this machine that are searched, with a name for each: exports, working copies.
    pub directories: &'a [(String, PathBuf)],
    /// What is live.
    pub live: Vec<LiveEvidence>,
    /// Public addresses.
    pub urls: Vec<UrlEvidence>,
}

/// What came of it: the evidence, and what it was made from, with places but without values.
#[derive(Debug, Clone)]
pub struct Checked {
    /// For the certificate.
    pub evidence: Evidence,
    /// What the second scanner saw on each replica that takes part.
    pub replicas: Vec<Scanned>,
    /// The same of directories of this machine: cache, memory, spool files, and what was asked for besides.
    pub local: Vec<Scanned>,
    /// What trying old headers came to.
    pub headers: Vec<Tried>,
    /// The horizon of each replica of the configuration.
    pub horizons: Vec<Horizon>,
    /// What reading snapshots came to.
    pub restored: Restored,
    /// The canary.
    pub canary: Canary,
}

impl Checked {
    /// Findings and leaks that are still there, on this machine too.
    pub fn remaining(&self) -> u64 {
        self.evidence.remaining()
    }

    /// Whether everything could be looked at, by a scanner that works: only then `remaining` of 0 says something.
    pub fn is_whole(&self) -> bool {
        let scanned = self.replicas.iter().chain(&self.local).all(|own| own.unscanned.is_empty());
        let replicas = self.evidence.replicas.iter().all(|own| own.id.is_some());
        let headers = self.headers.iter().all(|own| own.unknown.is_empty());
        let sought = self.evidence.sought.is_none_or(|sought| sought.needles > 0);
        self.canary.is_found()
            && scanned
            && sought
            && replicas
            && headers
            && self.restored.problems.is_empty()
    }
}

/// Looks at everything, and says what was seen. Writes nothing.
///
/// # Errors
///
/// [`ProofError`]: when something as a whole cannot be looked at. A single object or item that cannot is told.
pub async fn check(checking: Checking<'_>) -> Result<Checked, ProofError> {
    let again = checking.again;
    let vault = again.vault;
    let case = &checking.plan.case;
    let erased = ErasedPacks::load(vault, Some(case)).await?;
    let needles = Needles::of(checking.subject)?;
    let sought = Sought { needles: needles.len() as u64, weak: needles.weak() };
    // The person of the canary is looked for by the same automaton.
    let scanner = Scanner::new(
        [needles, canary::needles()?],
        vault.identities(),
        checking.stays.clone(),
        erased.all(),
        again.cancel.clone(),
    )?;
    let recipients = match vault.is_encrypted() {
        true => vault.identities().iter().map(Identity::recipient).collect(),
        false => Vec::new(),
    };
    let canary = Box::pin(canary::sing(&scanner, recipients, vault.spool(), vault.now())).await?;
    // What a restriction withholds is stored as before: only what users are given says whether it holds.
    let purpose = checking.plan.purpose;
    let live = vault.replicas.live();
    let places: Vec<Place> =
        live.map(|own| Place { name: own.name.clone(), store: Arc::clone(&own.store) }).collect();
    let replicas = match purpose.destroys() {
        true => Box::pin(scanner.places(&places, again.progress)).await?,
        false => listed(&places, &erased.all()).await,
    };
    let mut local = Vec::new();
    let own = vault.local_directories().into_iter().map(|(name, directory)| (name.to_owned(), directory));
    let directories = own.chain(checking.directories.iter().cloned());
    for (name, directory) in directories.filter(|_| purpose.destroys()) {
        local.push(Box::pin(scanner.directory(&name, &directory)).await?);
    }
    let headers = headers::try_all(vault, &erased, checking.headers).await?;
    let planned = checking.plan.planned.parse().unwrap_or_else(|_| vault.now());
    let restored = match purpose {
        // What is no longer withheld is there again.
        Purpose::Lift => Restored::default(),
        _ => Box::pin(restored(again, checking.matcher, checking.stays, planned)).await?,
    };
    let horizons = horizons(vault, &erased);
    let evidence = Evidence {
        case: case.clone(),
        plan: checking.plan.hash(),
        looked: rfc3339(vault.now()),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        live: checking.live,
        urls: checking.urls,
        replicas: of_replicas(&horizons, &replicas, &headers),
        local: local.iter().map(of_machine).collect(),
        sought: purpose.destroys().then_some(sought),
        restored: restored.evidence.clone(),
        canary: canary.is_found(),
    };
    Ok(Checked { evidence, replicas, local, headers, horizons, restored, canary })
}

/// The horizon of every replica of the configuration, those that take no part too.
pub fn horizons(vault: &Vault, erased: &ErasedPacks) -> Vec<Horizon> {
    let failed: HashMap<String, String> =
        vault.replicas.failed().into_iter().map(|(name, failure)| (name, failure.to_string())).collect();
    let mut horizons = Vec::new();
    for replica in vault.replicas.all() {
        let on = OnReplica {
            name: &replica.name,
            id: replica.id(),
            failure: failed.get(&replica.name).cloned(),
            receipts: replica.id().map(|id| erased.receipts_of(id)).unwrap_or_default(),
            lock_days: replica.store.lock_rule().map(|rule| rule.window.num_days()),
        };
        horizons.push(horizon(&on, vault.is_encrypted()));
    }
    for (name, failure) in failed.iter().filter(|(name, _)| vault.replicas.named(name).is_none()) {
        let failure = Some(failure.clone());
        let on = OnReplica { name, id: None, failure, receipts: Vec::new(), lock_days: None };
        horizons.push(horizon(&on, vault.is_encrypted()));
    }
    horizons
}

/// What was seen of a directory of this machine.
fn of_machine(scanned: &Scanned) -> LocalEvidence {
    LocalEvidence {
        name: scanned.name.clone(),
        scanned: (scanned.objects, scanned.bytes),
        leaks: scanned.leaked,
        unscanned: scanned.unscanned.len() as u64,
    }
}

/// What receipts say, as far as what was seen does not speak against it.
pub(super) fn of_replicas(
    horizons: &[Horizon],
    scanned: &[Scanned],
    tried: &[Tried],
) -> Vec<ReplicaEvidence> {
    let of = |horizon: &Horizon| {
        let scanned = scanned.iter().find(|own| own.name == horizon.replica);
        let tried = tried.iter().find(|own| own.replica == horizon.replica);
        let has_headers = tried.is_none_or(|tried| tried.there > 0);
        let left = scanned.map_or(0, |scanned| scanned.of_erased);
        ReplicaEvidence {
            name: horizon.replica.clone(),
            id: scanned.and(horizon.id),
            unreadable: horizon.unreadable.clone().filter(|_| !has_headers),
            gone: horizon.gone.clone().filter(|_| scanned.is_some() && left == 0),
            pending: horizon.pending.max(left),
            horizon: horizon.date().filter(|_| !has_headers || !horizon.is_reached()),
            scanned: scanned.map_or((0, 0), |scanned| (scanned.objects, scanned.bytes)),
            leaks: scanned.map_or(0, |scanned| scanned.leaked),
            unscanned: scanned.map_or(0, |scanned| scanned.unscanned.len() as u64),
            headers: tried.map_or((0, 0), |tried| (tried.tried, tried.opened)),
        }
    };
    horizons.iter().map(of).collect()
}
