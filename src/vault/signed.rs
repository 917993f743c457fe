//! Signed files on replicas: read with their signatures, and checked copy by copy.
//!
//! Reading takes the first good copy; checking asks one replica for its own. Either way a file
//! counts only if a signer with the right role signed it, and it is what it says under the key it
//! was stored as. Whether one by a retired key counts is decided in [`standing`](super::standing).

use bytes::Bytes;

use super::error::{ErrorKind, Result, VaultError};
use super::format::trust::Role;
use super::layout;
use super::open::{Vault, parse_vault_file};
use super::replica::Replica;
use super::signing::{VerifyingKey, check_claims};
use super::standing::Author;
use super::trust::read_trust_record_on;
use crate::ids::{Digest, VaultId};
use crate::objects::ErrorKind as StoreKind;

/// A signed file by a key that may, or once might, sign it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) bytes: Bytes,
    pub(super) signature: Bytes,
    pub(super) author: Author,
}

impl Vault {
    /// Reads a signed file and its signature from the cache or the first replica with a copy by a
    /// key that has, or once had, one of these roles; checked for kind, vault and key. One by a
    /// retired key counts only if somebody names it: see [`standing`](super::standing).
    ///
    /// # Errors
    ///
    /// What is wrong with the copies, when none is good.
    pub(super) async fn read_candidate(&self, key: &str, kind: &str, roles: &[Role]) -> Result<Candidate> {
        let signature_key = layout::signature(key);
        if let (Some(bytes), Some(signature)) = (self.cache.get(key), self.cache.get(&signature_key))
            && let Ok(candidate) = self.candidate(bytes, signature, kind, roles, key, &"the cache")
        {
            return Ok(candidate);
        }
        let mut failure: Option<VaultError> = None;
        for replica in self.replicas.live() {
            match self.read_candidate_on(replica, key, kind, roles).await {
                Ok(candidate) => {
                    self.cache.keep(key, &candidate.bytes);
                    self.cache.keep(&signature_key, &candidate.signature);
                    if let Some(error) = failure {
                        self.read_around(key, &error);
                    }
                    return Ok(candidate);
                }
                Err(error) if matches!(error.kind, ErrorKind::Store(StoreKind::NotFound)) => {
                    failure.get_or_insert(error);
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure
            .unwrap_or_else(|| VaultError::new(ErrorKind::TooFewReplicas, "no replica can be reached")))
    }

    /// Reads the copies of a signed file on all live replicas: what the first holds may be a
    /// forgery by a retired key.
    pub(super) async fn read_variants(&self, key: &str, kind: &str, roles: &[Role]) -> Vec<Candidate> {
        let mut variants: Vec<Candidate> = Vec::new();
        for replica in self.replicas.live() {
            if let Ok(candidate) = self.read_candidate_on(replica, key, kind, roles).await
                && !variants.iter().any(|known| known.bytes == candidate.bytes)
            {
                variants.push(candidate);
            }
        }
        variants
    }

    async fn read_candidate_on(
        &self,
        replica: &Replica,
        key: &str,
        kind: &str,
        roles: &[Role],
    ) -> Result<Candidate> {
        let max = self.limits.small_object_bytes_max;
        let candidate = |bytes, signature| self.candidate(bytes, signature, kind, roles, key, &replica.store);
        replica.read_signed(key, max, candidate).await
    }

    fn candidate(
        &self,
        bytes: Bytes,
        signature: Bytes,
        kind: &str,
        roles: &[Role],
        key: &str,
        place: &dyn std::fmt::Display,
    ) -> Result<Candidate> {
        let author = self.author(&bytes, &signature, roles).ok_or_else(|| not_signed(key, place))?;
        check_claims(&bytes, kind, &self.file.vault, key, place)?;
        Ok(Candidate { bytes, signature, author })
    }

    /// Checks the trust records that one replica holds, each by itself: those of which it lacks
    /// the file are missing there.
    pub async fn check_trust_on(&self, replica: &Replica) -> Vec<(String, Result<()>)> {
        let mut signer = self.first_root.clone();
        let mut checks = Vec::new();
        for n in 1..=self.trust.n {
            let key = layout::trust(n);
            match read_trust_record_on(replica, &self.file, n, Some(&signer)).await {
                Ok(stored) => {
                    signer = stored.record.root;
                    checks.push((key, Ok(())));
                }
                Err(error) => checks.push((key, Err(error))),
            }
        }
        checks
    }

    /// Checks the copy of a manifest on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it; [`StoreKind::NotFound`] when this replica does not hold it.
    pub async fn check_manifest_on(&self, replica: &Replica, key: &str) -> Result<()> {
        let signers = self.signers(&[Role::Snapshot]);
        let (bytes, _) = self.read_signed_on(replica, key, super::format::manifest::KIND, &signers).await?;
        super::snapshots::parse_manifest(&bytes, key, &replica.store).map(drop)
    }

    /// Checks the copy of any signed file (manifest, ledger entry, trust record, file of a drill) on one replica.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub async fn check_signed_on(&self, replica: &Replica, key: &str) -> Result<()> {
        if let Some(n) = layout::parse_trust(key) {
            let checks = self.check_trust_on(replica).await;
            let own = checks.into_iter().nth(n.saturating_sub(1) as usize).map(|(_, result)| result);
            return own.unwrap_or_else(|| {
                Err(VaultError::damaged(key, &replica.store, "no such trust record is known"))
            });
        }
        if key.starts_with(layout::SNAPSHOTS) {
            return self.check_manifest_on(replica, key).await;
        }
        if layout::parse_request(key).is_some() {
            return self.check_request_on(replica, key).await;
        }
        if layout::drill_of(key).is_some() {
            return self.check_drill_on(replica, key).await;
        }
        let roles = super::ledger::ROLES;
        self.read_signed_on(replica, key, super::format::ledger::KIND, &self.signers(roles)).await.map(drop)
    }

    /// Checks `vault.json` and `replica.json` of a live replica; returns what is wrong.
    pub async fn check_own_files_on(&self, replica: &Replica) -> Vec<(&'static str, VaultError)> {
        let mut wrong = Vec::new();
        let damaged = |key, why: &str| VaultError::damaged(key, &replica.store, why);
        match replica.find_small(layout::VAULT, 1 << 20).await {
            Ok(Some(bytes)) => {
                let own = parse_vault_file(&bytes, &replica.store);
                if !own.is_ok_and(|own| own == self.file) {
                    wrong.push((
                        layout::VAULT,
                        damaged(layout::VAULT, "it differs from that of the other replicas"),
                    ));
                }
            }
            Ok(None) => wrong.push((layout::VAULT, damaged(layout::VAULT, "it is missing"))),
            Err(error) => wrong.push((layout::VAULT, error)),
        }
        match replica.read_id(&self.file.vault).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                let why = match replica.find_small(layout::REPLICA, 1 << 20).await {
                    Ok(None) => "it is missing",
                    _ => "it is not the file of a replica of this vault",
                };
                wrong.push((layout::REPLICA, damaged(layout::REPLICA, why)));
            }
            Err(error) => wrong.push((layout::REPLICA, error)),
        }
        wrong
    }

    /// Reads a signed file from one replica only.
    pub(super) async fn read_signed_on(
        &self,
        replica: &Replica,
        key: &str,
        kind: &str,
        signers: &[VerifyingKey],
    ) -> Result<(Bytes, Bytes)> {
        let accept = |bytes: Bytes, signature: Bytes| {
            let retired = if self.counts(&Digest::of(&bytes)) { self.all_signers() } else { Vec::new() };
            let signers = if retired.is_empty() { signers } else { &retired };
            check_signed(&bytes, &signature, signers, kind, &self.file.vault, key, &replica.store)?;
            Ok((bytes, signature))
        };
        replica.read_signed(key, self.limits.small_object_bytes_max, accept).await
    }
}

fn not_signed(key: &str, place: &dyn std::fmt::Display) -> VaultError {
    VaultError::new(
        ErrorKind::NotTrusted,
        format!("{key} on {place} is refused: no trusted key signed these bytes"),
    )
    .hint("the file was damaged or replaced; `prismvault verify` compares the replicas, `prismvault repair` mends from a good one")
}

/// Checks signature and claims of a signed file.
pub(super) fn check_signed(
    bytes: &[u8],
    signature: &[u8],
    signers: &[VerifyingKey],
    kind: &str,
    vault: &VaultId,
    key: &str,
    place: &dyn std::fmt::Display,
) -> Result<()> {
    let signature = String::from_utf8_lossy(signature);
    if !signers.iter().any(|signer| signer.verifies(bytes, &signature)) {
        return Err(not_signed(key, place));
    }
    check_claims(bytes, kind, vault, key, place)
}
