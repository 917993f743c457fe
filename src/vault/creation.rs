//! Putting objects that must not replace others.
//!
//! A store that was probed and has create-only puts refuses the second of two. Of others that is not
//! known, or known not to be so: some take the condition and overwrite all the same. There
//! - an object named by its digest is put as the kind of store promises: whoever else puts it has
//!   the same bytes;
//! - one with random numbers in its name is put and read back;
//! - a name that two writers could choose at once ([`layout::is_contended`]) is looked for, put and
//!   read back. Where create-only puts are known to be missing it is *claimed* before that: a small
//!   object of its own says who is about to write, and whoever then sees another's claim steps back.
//!   Of two writers at most one can see itself alone: a claim is put before the others are listed,
//!   and stays until the object is there.
//!
//! A store that was never probed has no claims: it most likely refuses second puts, and a claim
//! that a crash leaves behind would keep the same command from being run again at once. Claims are
//! small, unlocked, and count for an hour; nothing else reads them.

use chrono::TimeDelta;

use super::error::{ErrorKind, Result, VaultError};
use super::layout;
use super::replica::Replica;
use crate::ids::{Digest, random};
use crate::objects::{Body, ErrorKind as StoreKind, PutMode};

/// Age from which on a claim counts no more, by the store's own clock: a put and a read of one small
/// object, each as often as they are tried again and as slow as they may be, take less.
const CLAIM_LASTS: TimeDelta = TimeDelta::hours(1);

/// Largest signed file of a contended name.
const SIGNED_BYTES_MAX: u64 = 16 << 20;

/// The right to write a name; to be given back with [`Replica::release`].
#[derive(Debug)]
pub(super) struct Claim(Option<String>);

impl Replica {
    /// Stores an object that must not replace another, and confirms it: the size, and the
    /// checksum where the store keeps one, else the bytes. Where
    /// the answer of a put counts, nobody asks again.
    ///
    /// An object that is there already with the right size (and checksum) counts as stored: for
    /// names made of digests somebody did the work before. One of another size under such a name is
    /// the rest of a failure that the store should have prevented; it is replaced.
    ///
    /// # Errors
    ///
    /// Those of the store; [`ErrorKind::Refused`] when a file that is not named by its digest is
    /// there with other bytes, or another writer is about to write it; [`ErrorKind::Integrity`]
    /// when what is there afterwards is not it.
    #[tracing::instrument(name = "put", skip_all, fields(replica = self.name, bytes = body.len()))]
    pub async fn store_new(&self, key: &str, body: Body) -> Result<()> {
        let claim = self.claim(key).await?;
        let stored = self.store_claimed(key, body).await;
        self.release(claim).await;
        stored
    }

    /// Whether create-only puts are to be relied on, for names that say nothing of the bytes.
    pub(crate) fn refuses_second_puts(&self) -> bool {
        self.is_probed() && self.store.abilities().create_only
    }

    /// Whether the SHA-256 in the answer of a put is that of what was stored: a probe saw that the
    /// store refuses a wrong one, and reads and lists at once what was put. A look-up would only
    /// tell the same once more.
    pub(crate) fn answers_for_puts(&self) -> bool {
        self.is_probed() && self.store.abilities().stored_checksums
    }

    /// Stores a file that must not replace another, and its signature before it. A signature without
    /// its file is what a killed run left, and is replaced. Both under one claim: the signature of a
    /// file that another writer has just put is not replaced, or put back where that was too late.
    ///
    /// # Errors
    ///
    /// What `conflict` returns, of kind [`ErrorKind::Refused`], when another file is there under this
    /// name; those of [`store_new`](Self::store_new).
    pub(super) async fn store_signed_new(
        &self,
        key: &str,
        bytes: &[u8],
        signature: &[u8],
        conflict: impl Fn() -> VaultError,
    ) -> Result<()> {
        let claim = self.claim(key).await?;
        let stored = self.store_signed_claimed(key, bytes, signature, conflict).await;
        self.release(claim).await;
        stored
    }

    async fn store_signed_claimed(
        &self,
        key: &str,
        bytes: &[u8],
        signature: &[u8],
        conflict: impl Fn() -> VaultError,
    ) -> Result<()> {
        if self.find_small(key, SIGNED_BYTES_MAX).await?.is_some_and(|there| there != bytes) {
            return Err(conflict());
        }
        let signature_key = layout::signature(key);
        let there = self.find_small(&signature_key, SIGNED_BYTES_MAX).await?;
        if there.as_deref() != Some(signature) {
            let body = Body::bytes(signature.to_vec());
            let mode = if there.is_some() || !self.store.abilities().create_only {
                PutMode::Overwrite
            } else {
                PutMode::CreateOnly
            };
            match self.store.put(&signature_key, body, mode).await {
                Ok(_) => {}
                // It was not there a moment ago: somebody else is putting a file under this name.
                Err(error) if error.kind == StoreKind::AlreadyExists => return Err(conflict()),
                Err(error) => return Err(error.into()),
            }
        }
        let stored = self.store_claimed(key, Body::bytes(bytes.to_vec())).await;
        if let (Err(error), Some(theirs)) = (&stored, there.filter(|there| there != signature))
            && error.kind == ErrorKind::Refused
        {
            self.store.put(&signature_key, Body::bytes(theirs), PutMode::Overwrite).await?;
        }
        stored
    }

    /// As [`store_new`](Self::store_new), by the holder of a claim.
    pub(super) async fn store_claimed(&self, key: &str, body: Body) -> Result<()> {
        let promised = layout::promised_digest(key).is_some();
        let can = self.store.abilities().create_only;
        let relied_on = promised || self.refuses_second_puts();
        let mode = if can { PutMode::CreateOnly } else { PutMode::Overwrite };
        let look = !can || (!relied_on && layout::is_contended(key));
        if look && self.is_there(key).await? {
            return self.take_existing(key, &body).await;
        }
        match self.store.put(key, body.clone(), mode).await {
            Ok(meta) if relied_on && self.answers_for_puts() && meta.sha256 == Some(body.sha256()) => Ok(()),
            // The answer does not tell the checksum, or cannot be relied on.
            Ok(_) if relied_on => self.confirm(key, &body).await,
            Ok(_) => self.read_back(key, &body).await,
            Err(error) if error.kind == StoreKind::AlreadyExists => self.take_existing(key, &body).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Confirms what is there already as stored, or replaces it where its name says that it is not
    /// what it should be.
    async fn take_existing(&self, key: &str, body: &Body) -> Result<()> {
        match self.confirm(key, body).await {
            Err(error) if error.kind == ErrorKind::Integrity => {}
            confirmed => return confirmed,
        }
        if layout::promised_digest(key).is_none() {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!("{key} on {} exists already with other bytes", self.store),
            )
            .hint("another run may be writing this vault; wait for it, then run `prismvault verify`"));
        }
        self.store.put(key, body.clone(), PutMode::Overwrite).await?;
        self.confirm(key, body).await
    }

    async fn is_there(&self, key: &str) -> Result<bool> {
        match self.store.head(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == StoreKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn confirm(&self, key: &str, body: &Body) -> Result<()> {
        let meta = self.store.head(key).await?;
        if meta.size != body.len() {
            return Err(VaultError::damaged(
                key,
                &self.store,
                format!("it has {} bytes, {} were sent", meta.size, body.len()),
            ));
        }
        match meta.sha256 {
            Some(stored) if stored == body.sha256() => Ok(()),
            Some(stored) => Err(VaultError::damaged(
                key,
                &self.store,
                format!("it has the SHA-256 {stored} instead of {}", body.sha256()),
            )),
            // No checksum is kept. The put itself compared what it wrote; an object that was there
            // before is known by its name where that is its digest, else by its bytes.
            None if layout::promised_digest(key).is_some() => Ok(()),
            None => self.read_back(key, body).await,
        }
    }

    /// Confirms an object by its bytes: what a store says of it may be what the client said.
    async fn read_back(&self, key: &str, body: &Body) -> Result<()> {
        let stored = match self.store.get(key, body.len()).await {
            Ok(bytes) => Digest::of(&bytes),
            Err(error) if error.kind == StoreKind::TooLarge => {
                let why = format!("it has more than the {} bytes that were sent", body.len());
                return Err(VaultError::damaged(key, &self.store, why).because(error));
            }
            Err(error) => return Err(error.into()),
        };
        if stored == body.sha256() {
            return Ok(());
        }
        Err(VaultError::damaged(
            key,
            &self.store,
            format!("it has the SHA-256 {stored} instead of {}", body.sha256()),
        ))
    }

    /// Claims a name, where the store itself does not keep two writers apart.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when another writer claims it too, or the store does not list what was
    /// put there; those of the store. Nothing is claimed then.
    pub(super) async fn claim(&self, key: &str) -> Result<Claim> {
        let name = layout::signed_file(key);
        if !layout::is_contended(name) || self.store.abilities().create_only {
            return Ok(Claim(None));
        }
        let own = layout::claim(name, &random::<8>());
        // It is to go at once, so it is not locked.
        let store = self.store.locking(None)?;
        store
            .put(&own, Body::bytes(&b"prismvault is about to write this name\n"[..]), PutMode::Overwrite)
            .await?;
        let claim = Claim(Some(own.clone()));
        match self.require_alone(name, &own).await {
            Ok(()) => Ok(claim),
            Err(error) => {
                self.release(claim).await;
                Err(error)
            }
        }
    }

    async fn require_alone(&self, name: &str, own: &str) -> Result<()> {
        let (of_name, mut claims) = (layout::claims(name), self.store.list(layout::CLAIMS).await?);
        claims.retain(|claim| claim.key.starts_with(&of_name));
        let Some(mine) = claims.iter().find(|claim| claim.key == own) else {
            return Err(VaultError::new(
                ErrorKind::Refused,
                format!("{} does not list what was just put there, so {name} is not written", self.store),
            )
            .hint("`prismvault doctor` says what the store does"));
        };
        let counts = |at| match (mine.modified, at) {
            (Some(now), Some(at)) => now - at < CLAIM_LASTS,
            _ => true,
        };
        match claims.iter().any(|claim| claim.key != own && counts(claim.modified)) {
            false => Ok(()),
            true => Err(VaultError::new(
                ErrorKind::Refused,
                format!("another run is about to write {name} on {}", self.store),
            )
            .hint(format!(
                "wait for it, then run the same again; what a killed run left at {}… counts for {} minutes",
                layout::claims(name),
                CLAIM_LASTS.num_minutes()
            ))),
        }
    }

    /// Gives a claim back. One that stays is no harm but to who claims the same name soon.
    pub(super) async fn release(&self, claim: Claim) {
        let Claim(Some(key)) = claim else { return };
        if let Err(error) = self.delete_for_good(&key).await {
            tracing::debug!(%error, "a claim is only hidden");
            if let Err(error) = self.store.delete(&key).await {
                tracing::info!(%error, "a claim is left behind");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use std::sync::Arc;

    use crate::objects::counting::CountingStore;
    use crate::objects::memory::MemoryStore;
    use crate::objects::operation::Operation;
    use crate::objects::{Abilities, ObjectStore as _};
    use crate::vault::replica::Found;

    /// Replicas on stores that can do more and less, and the stores.
    fn replicas() -> Vec<(MemoryStore, Replica)> {
        let abilities = [(true, true), (true, false), (false, true), (false, false)];
        let replica = |(create_only, stored_checksums)| {
            let store = MemoryStore::new("m", Arc::new(SystemClock)).with_abilities(Abilities {
                create_only,
                stored_checksums,
                ..Abilities::NONE
            });
            (store.clone(), Replica::new("r", Arc::new(store)))
        };
        abilities.into_iter().map(replica).collect()
    }

    #[tokio::test]
    async fn what_is_not_named_by_its_digest_is_never_replaced_whatever_the_store_can_do() {
        for (store, replica) in replicas() {
            let key = "snapshots/blog/20261121T020000Z-00000000.json";
            replica.store_new(key, Body::bytes("mine")).await.unwrap();
            replica.store_new(key, Body::bytes("mine")).await.unwrap();
            for other in ["his.", "longer"] {
                let error = replica.store_new(key, Body::bytes(other)).await.unwrap_err();
                assert_eq!(error.kind, ErrorKind::Refused, "{error}");
            }
            assert_eq!(store.get(key, 9).await.unwrap(), "mine");
        }
    }

    #[tokio::test]
    async fn the_rest_of_a_failure_under_the_name_of_a_digest_is_replaced() {
        for (store, replica) in replicas() {
            let body = Body::bytes("the whole pack");
            let key = format!("packs/blog/{}", body.sha256());
            store.put(&key, Body::bytes("the who"), PutMode::Overwrite).await.unwrap();
            replica.store_new(&key, body).await.unwrap();
            assert_eq!(store.get(&key, 99).await.unwrap(), "the whole pack");
        }
    }

    /// Look-ups that storing two objects takes, one of them named by its digest.
    async fn look_ups(store: MemoryStore, found: Option<Abilities>) -> u64 {
        let counting = CountingStore::new(Arc::new(store));
        let replica = Replica::new("r", Arc::new(counting.clone()));
        let replica = match found {
            Some(abilities) => replica.with_found(Found { abilities, refusal: None }),
            None => replica,
        };
        let body = Body::bytes("the whole pack");
        replica.store_new(&format!("packs/blog/{}", body.sha256()), body).await.unwrap();
        let key = "snapshots/blog/20261121T020000Z-00000000.json";
        replica.store_new(key, Body::bytes("a manifest")).await.unwrap();
        counting.counts().of(Operation::Head)
    }

    #[tokio::test]
    async fn a_put_is_not_looked_up_only_where_a_probe_saw_that_its_answer_counts() {
        let store = || MemoryStore::new("m", Arc::new(SystemClock));
        let silent = || store().with_abilities(Abilities { stored_checksums: false, ..store().abilities() });
        let unreliable = Abilities { stored_checksums: false, ..Abilities::ALL };
        assert_eq!(look_ups(store(), Some(Abilities::ALL)).await, 0);
        // A wrong checksum is not refused; or the answers carry none.
        assert_eq!(look_ups(store(), Some(unreliable)).await, 2);
        assert_eq!(look_ups(silent(), Some(Abilities::ALL)).await, 2);
        // Never probed: what is not named by its digest is read back instead.
        assert_eq!(look_ups(store(), None).await, 1);
    }

    #[tokio::test]
    async fn while_one_claims_a_name_another_steps_back_and_leaves_nothing() {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock)).with_locks(None);
        let writer = || overwriting(&memory);
        let (one, two) = (writer(), writer());
        let key = "trust/2.json";
        let claim = one.claim(key).await.unwrap();
        // The signature belongs to the name.
        for key in [key, "trust/2.json.minisig"] {
            let error = two.store_new(key, Body::bytes("his")).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused, "{error}");
        }
        two.store_new("trust/3.json", Body::bytes("another name")).await.unwrap();
        one.store_claimed(key, Body::bytes("mine")).await.unwrap();
        one.release(claim).await;
        let error = two.store_new(key, Body::bytes("his")).await.unwrap_err();
        assert!(error.to_string().ends_with("exists already with other bytes"), "{error}");
        assert_eq!(memory.list_versions(layout::CLAIMS).await.unwrap(), []);
        assert_eq!(memory.get(key, 9).await.unwrap(), "mine");
    }

    #[tokio::test]
    async fn what_a_killed_writer_claimed_counts_for_an_hour() {
        let clock = Arc::new(ManualClock::new("2026-11-21T02:00:00Z".parse().unwrap()));
        let memory = MemoryStore::new("m", Arc::<ManualClock>::clone(&clock));
        let writer = || overwriting(&memory);
        drop(writer().claim("vault.json").await.unwrap());
        clock.advance(CLAIM_LASTS - TimeDelta::seconds(1));
        assert!(writer().store_new("vault.json", Body::bytes("x")).await.is_err());
        clock.advance(TimeDelta::seconds(1));
        writer().store_new("vault.json", Body::bytes("x")).await.unwrap();
    }

    /// A replica on a store that was found to overwrite.
    fn overwriting(memory: &MemoryStore) -> Replica {
        let known = Found { abilities: Abilities { create_only: false, ..Abilities::ALL }, refusal: None };
        Replica::new("r", Arc::new(memory.clone())).with_found(known)
    }

    #[tokio::test]
    async fn only_contended_names_on_stores_that_overwrite_are_claimed() {
        let memory = MemoryStore::new("m", Arc::new(SystemClock));
        let known = Found { abilities: Abilities::ALL, refusal: None };
        let replica = Replica::new("r", Arc::new(memory.clone())).with_found(known);
        assert!(replica.claim("vault.json").await.unwrap().0.is_none());
        assert!(memory.is_empty());
        assert!(Replica::new("r", Arc::new(memory.clone())).claim("vault.json").await.unwrap().0.is_none());
        // Nor does a name that nobody else can choose.
        assert!(
            overwriting(&memory)
                .claim("ledger/blog/20261121T020000Z-00000000.json")
                .await
                .unwrap()
                .0
                .is_none()
        );
        assert!(overwriting(&memory).claim("trust/1.json").await.unwrap().0.is_some());
    }
}
