//! Leases: one run at a time, of several schedulers on one vault.
//!
//! A lease is asked on one replica only, the same for everybody: two replicas could give it to
//! two. It is a row of numbered files (see [`format::lease`](super::format::lease)); the highest
//! number counts, and a put that creates only decides between two who want the next one.
//!
//! **Invariants**
//! - Whoever was told [`Asked::Granted`] made the highest number, and looked again afterwards: a
//!   number that was free only because the files above it were cleaned away is not taken.
//! - Times are those of the store, so the clocks of two hosts need not agree. In a directory,
//!   which has no clock, they must, by less than the time a lease lasts.
//! - A file that no trusted key signed, or that lasts longer than any lease may, holds nothing up.
//! - Only a replica whose store was probed gives leases: one that overwrites instead of refusing
//!   would give one lease to two.
//! - The highest file of a lease is never removed, neither by whoever takes the next nor by
//!   [`clear`]: numbers only grow.
//! - A host that dies holds a lease until it ends. A lease that another has taken since (the host
//!   slept) is noticed by [`Leases::renew`] and [`Leases::check`], at the latest before the commit. One
//!   that ended and that nobody took may be renewed: nobody was at it meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::Mutex;

use super::error::{ErrorKind, Result, VaultError};
use super::format::VERSION;
use super::format::lease::{KIND, Lease};
use super::format::trust::Role;
use super::open::Vault;
use super::replica::{Replica, with_causes};
use super::{clocks, layout, state};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Name, hex, random};
use crate::objects::{ErrorKind as StoreKind, ObjectMeta, PutMode};
use crate::progress::Problem;

/// Name of the lease under which alarms are told; no job is called so.
pub const ALARMS: &str = "alarms";

/// Who may sign leases. Whoever carries out an erasure writes into Prismic with no other key than that of privacy.
const ROLES: &[Role] = &[Role::Snapshot, Role::Maintenance, Role::Privacy];

/// How often the next number is tried for, when others are faster.
const TRIES: usize = 5;

/// Who asks for leases: one process.
#[derive(Debug, Clone)]
pub struct Holder {
    id: String,
    host: String,
}

impl Holder {
    /// Returns a new holder on the machine of this name.
    pub fn new(host: impl Into<String>) -> Self {
        Self { id: hex(&random::<16>()), host: host.into() }
    }
}

/// The answer to who asks for a lease.
#[derive(Debug)]
pub enum Asked {
    /// It is his until it ends or is given back.
    Granted(Lease),
    /// Another has it.
    Held {
        /// Machine of the other.
        host: String,
        /// Until when, if it is not renewed; by the clock of the store.
        until: Timestamp,
        /// How long that is from now, so that other clocks do not matter.
        wait: Duration,
    },
}

/// What became of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is held.
    Held,
    /// It ended, and nobody has taken it.
    Ended,
    /// Another has taken it.
    Taken {
        /// Machine of the other; `None` where its file is gone again.
        host: Option<String>,
    },
}

/// The leases of a vault, on the replica that gives them.
#[derive(Debug, Clone, Copy)]
pub struct Leases<'a> {
    vault: &'a Vault,
    replica: &'a Replica,
    lasts: Duration,
}

impl<'a> Leases<'a> {
    /// Returns the leases of the replica `named`, or of the first that can give them. Each lasts
    /// `lasts` unless it is renewed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when no replica can: its store overwrites where it should create
    /// only, or nobody has found out; or when the one that gives them cannot be reached. Then
    /// nobody can know who runs what.
    pub fn of(vault: &'a Vault, named: Option<&str>, lasts: Duration) -> Result<Self> {
        let refused = |why: String| Err(VaultError::new(ErrorKind::Refused, why));
        let replica = match named {
            Some(name) => {
                vault.replicas.require_known(name)?;
                vault.replicas.named(name)
            }
            // Of those that could not be opened one may be the first, which others ask.
            None if vault.replicas.configured() > vault.replicas.all().len() => {
                return refused(
                    "a replica cannot be reached, and the configuration does not name the one that gives leases"
                        .into(),
                )
                .map_err(|error| error.hint("name it: `lease = \"REPLICA\"` in [run]"));
            }
            // Also one that failed since: the next one would give the same lease again.
            None => vault.replicas.all().iter().find(|replica| replica.refuses_second_puts()),
        };
        let Some(replica) = replica else {
            return match named {
                Some(name) => refused(format!("the replica {name}, which gives leases, cannot be reached")),
                None => refused(
                    "no replica can give leases: none is known to refuse the second of two puts of one object"
                        .into(),
                )
                .map_err(ask_doctor),
            };
        };
        if !replica.is_live() {
            return refused(format!("the replica {}, which gives leases, cannot be reached", replica.name));
        }
        if !replica.refuses_second_puts() {
            let name = &replica.name;
            return match replica.is_probed() {
                true => refused(format!(
                    "{name} cannot give leases: it overwrites where an object is to be created only once"
                )),
                false => refused(format!(
                    "whether {name} can give leases is not known: it may overwrite where an object is to be \
                     created only once"
                ))
                .map_err(ask_doctor),
            };
        }
        Ok(Self { vault, replica, lasts })
    }

    /// Name of the replica that gives them.
    pub fn place(&self) -> &'a str {
        &self.replica.name
    }

    /// Asks for the lease `name`. Whoever holds it already gets it anew.
    ///
    /// # Errors
    ///
    /// Those of the store; [`ErrorKind::Identity`] without a key that may sign.
    pub async fn acquire(&self, name: &Name, holder: &Holder) -> Result<Asked> {
        let mut highest = self.highest(name).await?;
        for _ in 0..TRIES {
            let now = self.now().await?;
            if let Some(held) = self.held(name, highest, holder, now).await? {
                return Ok(held);
            }
            let made = self.make(name, highest + 1, holder, later(now, self.lasts)).await?;
            let seen = self.highest(name).await?;
            match made {
                Some(lease) if seen <= lease.n => {
                    self.clear_below(name, highest).await;
                    return Ok(Asked::Granted(lease));
                }
                _ => highest = seen.max(highest + 1),
            }
        }
        Err(VaultError::new(
            ErrorKind::Store(StoreKind::Transient),
            format!("others were faster {TRIES} times in asking {} for the lease {name}", self.replica.name),
        ))
    }

    /// Prolongs a lease that is held, or that ended and nobody took.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when another has taken it; those of the store, after which it may be
    /// tried again.
    pub async fn renew(&self, lease: &mut Lease) -> Result<()> {
        let (highest, standing) = self.look(lease).await?;
        if let Standing::Taken { .. } = standing {
            return Err(lost(lease));
        }
        let now = self.now().await?;
        let holder = Holder { id: lease.holder.clone(), host: lease.host.clone() };
        let made = self.make(&lease.name, highest + 1, &holder, later(now, self.lasts)).await?;
        let Some(next) = made else { return Err(lost(lease)) };
        let before = std::mem::replace(lease, next);
        self.clear_below(&lease.name, before.n).await;
        self.check(lease).await
    }

    /// Checks that a lease is still held, now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when it has ended or another has taken it; those of the store.
    pub async fn check(&self, lease: &Lease) -> Result<()> {
        match self.look(lease).await?.1 {
            Standing::Held => Ok(()),
            Standing::Ended | Standing::Taken { .. } => Err(lost(lease)),
        }
    }

    /// Finds out what became of a lease, and the highest number. What its holder made since without
    /// hearing of it, because the answer was lost, is its own as well.
    async fn look(&self, lease: &Lease) -> Result<(u64, Standing)> {
        let now = self.now().await?;
        let highest = self.highest(&lease.name).await?;
        let newest = match highest <= lease.n {
            true => Some(lease.clone()),
            false => match self.read(&lease.name, highest).await? {
                Read::Lease(newest) => Some(newest),
                Read::Gone => None,
                // It holds nobody up.
                Read::NoLease => Some(lease.clone()),
            },
        };
        let standing = match newest {
            Some(newest) if newest.holder == lease.holder => {
                match parse(&newest.until).is_some_and(|until| until > now) {
                    true => Standing::Held,
                    false => Standing::Ended,
                }
            }
            other => Standing::Taken { host: other.map(|other| other.host) },
        };
        Ok((highest, standing))
    }

    /// Gives a lease back, so that nobody waits for its end.
    ///
    /// # Errors
    ///
    /// Those of the store: then it ends by itself.
    pub async fn release(&self, lease: Lease) -> Result<()> {
        let holder = Holder { id: lease.holder.clone(), host: lease.host.clone() };
        let now = self.now().await?;
        if self.make(&lease.name, lease.n + 1, &holder, now).await?.is_some() {
            self.clear_below(&lease.name, lease.n).await;
        }
        Ok(())
    }

    async fn now(&self) -> Result<Timestamp> {
        clocks::of(self.vault, self.replica).await
    }

    /// Returns the highest number there is, 0 for none.
    async fn highest(&self, name: &Name) -> Result<u64> {
        let listed = self.replica.store.list(&layout::leases(name)).await?;
        Ok(listed.iter().filter_map(|meta| layout::parse_lease(&meta.key)).max().unwrap_or(0))
    }

    /// Says who holds number `n`, when that is another and it has not ended.
    async fn held(&self, name: &Name, n: u64, holder: &Holder, now: Timestamp) -> Result<Option<Asked>> {
        if n == 0 {
            return Ok(None);
        }
        let Read::Lease(lease) = self.read(name, n).await? else { return Ok(None) };
        let most = later(now, self.lasts.saturating_mul(2));
        let until = parse(&lease.until).filter(|until| *until > now && *until <= most);
        Ok(until.filter(|_| lease.holder != holder.id).map(|until| Asked::Held {
            host: lease.host,
            until,
            wait: (until - now).to_std().unwrap_or_default(),
        }))
    }

    /// Reads number `n`.
    async fn read(&self, name: &Name, n: u64) -> Result<Read> {
        let key = layout::lease(name, n);
        match self.signed(&key).await {
            Ok(Some(lease)) => Ok(Read::Lease(lease)),
            Ok(None) => Ok(Read::Gone),
            Err(error) if matches!(error.kind, ErrorKind::Integrity | ErrorKind::NotTrusted) => {
                let detail = format!("it holds nothing up: {error}");
                self.vault.warn(Problem::new("not-a-lease", key, detail));
                Ok(Read::NoLease)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a file of a lease; `None` when there is none.
    async fn signed(&self, key: &str) -> Result<Option<Lease>> {
        let max = self.vault.limits.small_object_bytes_max;
        state::read_sealed(self.vault, self.replica, (key, KIND), max, ROLES).await
    }

    /// Makes number `n`; `None` when another was faster.
    async fn make(&self, name: &Name, n: u64, holder: &Holder, until: Timestamp) -> Result<Option<Lease>> {
        let key = layout::lease(name, n);
        let lease = Lease {
            kind: KIND.to_owned(),
            format: VERSION,
            vault: self.vault.file.vault,
            key: key.clone(),
            name: name.clone(),
            n,
            holder: holder.id.clone(),
            host: holder.host.clone(),
            until: rfc3339(until),
        };
        let body = state::seal_by(self.vault.signer(ROLES)?, &key, &lease);
        // It says nothing any more in a few minutes and is to go then, so it is not locked.
        let store = self.replica.store.locking(None)?;
        match store.put(&key, body, PutMode::CreateOnly).await {
            Ok(_) => Ok(Some(lease)),
            // A lost answer: the file that is there may be this one.
            Err(error) if matches!(error.kind, StoreKind::AlreadyExists | StoreKind::Unknown) => {
                let there = self.signed(&key).await;
                match there {
                    Ok(Some(there)) if there == lease => Ok(Some(lease)),
                    Err(read) if error.kind == StoreKind::Unknown => Err(read),
                    Ok(None) => Err(error.into()),
                    _ => Ok(None),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what lies below number `n`: it says nothing any more. What stays is removed next
    /// time.
    async fn clear_below(&self, name: &Name, n: u64) {
        let Ok(listed) = self.replica.store.list(&layout::leases(name)).await else { return };
        for meta in listed {
            if layout::parse_lease(&meta.key).is_some_and(|number| number < n)
                && let Err(error) = self.replica.delete_for_good(&meta.key).await
            {
                tracing::debug!(key = meta.key, %error, "an old lease stays");
            }
        }
    }
}

/// What a number of a lease is.
enum Read {
    Lease(Lease),
    /// It was cleared since it was listed: there is a higher one.
    Gone,
    /// Nobody who may sign made it.
    NoLease,
}

/// A lease that is kept while work goes on in the vault that it was given by.
#[derive(Debug)]
pub struct Held {
    place: String,
    lasts: Duration,
    lease: Mutex<Lease>,
}

impl Held {
    /// Takes over a lease that was [`Asked::Granted`] by these leases.
    pub fn new(leases: &Leases<'_>, lease: Lease) -> Self {
        Self { place: leases.place().to_owned(), lasts: leases.lasts, lease: Mutex::new(lease) }
    }

    /// Checks that it is still held, now.
    ///
    /// # Errors
    ///
    /// As [`Leases::check`].
    pub async fn check(&self, vault: &Vault) -> Result<()> {
        self.leases(vault)?.check(&*self.lease.lock().await).await
    }

    /// What became of it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn standing(&self, vault: &Vault) -> Result<Standing> {
        Ok(self.leases(vault)?.look(&*self.lease.lock().await).await?.1)
    }

    /// Renews it each third of its time, until work of this kind may not go on; returns why. To be
    /// dropped when the work is done.
    ///
    /// What only adds goes on while its place cannot be asked, and without its lease where that ends so: a
    /// second one is harmless, none is not. Where another has taken it, that other does the work.
    pub async fn keep(&self, vault: &Vault, step: Step) -> VaultError {
        let mut wait = self.lasts / 3;
        loop {
            tokio::time::sleep(wait).await;
            let renewed = async { self.leases(vault)?.renew(&mut *self.lease.lock().await).await }.await;
            wait = match renewed {
                Ok(()) => self.lasts / 3,
                Err(error) if error.kind == ErrorKind::Refused => return error,
                Err(error) if step == Step::Removes && self.has_ended(vault).await => {
                    let what = format!("the lease ended, because it could not be renewed: {error}");
                    return VaultError::new(ErrorKind::Store(StoreKind::Transient), what);
                }
                // The store may be back before the lease ends; until then it is held.
                Err(_) => self.lasts / 12,
            };
        }
    }

    /// Gives it back, so that nobody waits for its end.
    ///
    /// # Errors
    ///
    /// Those of the store: then it ends by itself.
    pub async fn release(&self, vault: &Vault) -> Result<()> {
        self.leases(vault)?.release(self.lease.lock().await.clone()).await
    }

    /// The place that gave it, also when it left the run since: what failed there may have been
    /// one pack, and nobody else can say who holds the lease.
    fn leases<'a>(&self, vault: &'a Vault) -> Result<Leases<'a>> {
        let replica = vault.replicas.named(&self.place).ok_or_else(|| {
            let what = format!("the replica {}, which gave the lease, cannot be reached", self.place);
            VaultError::new(ErrorKind::Store(StoreKind::Transient), what)
        })?;
        Ok(Leases { vault, replica, lasts: self.lasts })
    }

    /// By the clock of this machine, where that of the store cannot be asked.
    async fn has_ended(&self, vault: &Vault) -> bool {
        let until = parse(&self.lease.lock().await.until);
        until.is_none_or(|until| until <= vault.now())
    }
}

/// Removes what says nothing any more, of every lease on every replica: all files but the one with the
/// highest number. For maintenance: whoever takes leases clears them as well, but a role that may not
/// delete leaves two files or more a run. Returns how many went; what could not be removed is warned of,
/// and removed next time.
pub async fn clear(vault: &Vault) -> u64 {
    let mut cleared = 0;
    for replica in vault.replicas.live() {
        let of_replica = async {
            let listed = replica.store.list(layout::LEASES).await?;
            clear_all(vault, replica, outdated(&listed)).await
        };
        match of_replica.await {
            Ok(count) => cleared += count,
            Err(error) => {
                let detail = format!("old leases on {} stay: {}", replica.name, with_causes(&error));
                vault.warn(Problem::new("leases-not-cleared", layout::LEASES, detail));
            }
        }
    }
    cleared
}

/// Returns the keys of all files of leases but the highest of each. The highest stays whoever holds it:
/// its number must not be taken again.
fn outdated(listed: &[ObjectMeta]) -> Vec<&str> {
    let files = || listed.iter().filter_map(|meta| Some((layout::lease_name(&meta.key)?, meta)));
    let number = |meta: &ObjectMeta| layout::parse_lease(&meta.key);
    let mut highest: HashMap<&str, u64> = HashMap::new();
    for (name, meta) in files() {
        let of_name = highest.entry(name).or_default();
        *of_name = number(meta).unwrap_or_default().max(*of_name);
    }
    let is_outdated = |(name, meta): &(&str, &ObjectMeta)| number(meta).is_some_and(|n| n < highest[name]);
    files().filter(is_outdated).map(|(_, meta)| meta.key.as_str()).collect()
}

/// Deletes all of these files, however many of them fail.
async fn clear_all(vault: &Vault, replica: &Replica, keys: Vec<&str>) -> Result<u64> {
    let deleted = stream::iter(keys).map(|key| replica.delete_for_good(key));
    let mut deleted = deleted.buffer_unordered(vault.limits.store_concurrency);
    let (mut cleared, mut failure) = (0, None);
    while let Some(result) = deleted.next().await {
        match result {
            Ok(()) => cleared += 1,
            // It ends by itself, like the lock of everything else.
            Err(error) if error.kind == ErrorKind::Store(StoreKind::Locked) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(cleared), Err)
}

/// What a run is about to do under its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Store, or commit a snapshot: two of them do no harm.
    Adds,
    /// Delete, or decide that something goes.
    Removes,
}

impl Vault {
    /// Puts what is done with this vault from now on under a lease.
    pub fn hold(&self, held: &Arc<Held>) {
        *self.held.lock().expect("no holder of this lock can panic") = Some(Arc::clone(held));
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held.lock().expect("no holder of this lock can panic").clone()
    }

    /// Checks, where this run was given a lease, that it is still held. The last thing before a
    /// commit point.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when another has it; for what removes also when it ended, or when that
    /// cannot be found out.
    pub(crate) async fn require_lease(&self, step: Step) -> Result<()> {
        let Some(held) = self.held() else { return Ok(()) };
        let unsure = match held.standing(self).await {
            Ok(Standing::Held) => return Ok(()),
            Ok(Standing::Taken { .. }) => return Err(lost(&*held.lease.lock().await)),
            Ok(Standing::Ended) => lost(&*held.lease.lock().await),
            Err(error) => error,
        };
        match step {
            Step::Removes => Err(unsure),
            Step::Adds => {
                let detail = format!("another host may do the same, which does no harm: {unsure}");
                self.warn(Problem::new("lease-not-held", held.place.clone(), detail));
                Ok(())
            }
        }
    }
}

fn ask_doctor(error: VaultError) -> VaultError {
    error.hint("`prismvault doctor` finds out, and remembers it in the vault")
}

fn lost(lease: &Lease) -> VaultError {
    VaultError::new(
        ErrorKind::Refused,
        format!("the lease {} was lost: it ended, or another host has taken it", lease.name),
    )
    .hint("nothing is wrong with the vault; the other host does the work")
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_lease_all_files_but_the_highest_are_outdated() {
        let listed: Vec<ObjectMeta> = [
            "state/leases/nightly/10.json",
            "state/leases/nightly/9.json",
            "state/leases/nightly/garbage.json",
            "state/leases/nightly/8.json.part",
            "state/leases/nightly-2/3.json",
            "state/leases/weekly/1.json",
            "state/leases/weekly/2.json",
            "state/leases/7.json",
        ]
        .into_iter()
        .map(|key| ObjectMeta { key: key.to_owned(), size: 1, sha256: None, modified: None })
        .collect();
        assert_eq!(outdated(&listed), ["state/leases/nightly/9.json", "state/leases/weekly/1.json"]);
        assert_eq!(outdated(&[]), Vec::<&str>::new());
    }
}
