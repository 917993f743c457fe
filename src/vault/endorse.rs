//! Endorsing: what a key signed stays good when the key is taken out of service.
//!
//! Before a signer leaves the trust record, or loses a role, a key that stays names everything
//! that the other signed, manifests, ledger entries and index objects, in an `endorsement` of each
//! space. Each file by itself, not only the ends of chains: a manifest that is lost later must not
//! take with it those before it. **If we crash here** some are named already; the next run names
//! the rest.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::erasure::approval;
use super::error::{ErrorKind, Result, VaultError};
use super::format::index::IndexFile;
use super::format::ledger::Decision;
use super::format::trust::{Role, Signer};
use super::layout;
use super::ledger::{self, Ledger};
use super::open::Vault;
use super::rewrap::spaces;
use super::signing::{SigningKey, VerifyingKey};
use super::snapshots::{SIGNERS, Snapshots};
use super::space::{INDEX_SIGNERS, Space, open_index};
use crate::ids::{Digest, Name};

/// Who may vouch for orders of erasure.
const PRIVACY: &[Role] = &[Role::Privacy];

/// A file by a key that leaves, and roles of which one is needed to let it count.
type File = (Digest, &'static [Role]);

/// Files to be named, by space.
#[derive(Debug, Default)]
pub struct Endorsement(BTreeMap<Name, Vec<File>>);

impl Endorsement {
    /// Number of files.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there is nothing to be named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Finds the files that count now and would not if only `staying` were trusted.
///
/// # Errors
///
/// Those of reading the vault; [`ErrorKind::Integrity`] when a ledger is not whole: what is
/// missing would be missing for good.
pub async fn needed(vault: &Vault, staying: &[Signer]) -> Result<Endorsement> {
    let stays = |key: &VerifyingKey, needs: &[Role]| {
        let fits =
            |signer: &&Signer| signer.key == *key && signer.roles.iter().any(|role| needs.contains(role));
        staying.iter().find(fits).is_some()
    };
    let mut files: BTreeMap<Name, Vec<File>> = BTreeMap::new();
    let snapshots = Snapshots::load(vault, None).await?;
    for snapshot in snapshots.iter().chain(snapshots.removed()) {
        if !stays(&snapshot.signer, SIGNERS) {
            files.entry(snapshot.manifest.space.clone()).or_default().push((snapshot.digest, SIGNERS));
        }
    }
    for name in spaces(vault).await? {
        let ledger = Ledger::load(vault, &name).await?;
        ledger.require_whole(vault, [])?;
        let of_space = files.entry(name.clone()).or_default();
        for (digest, key, needs, _) in ledger.authors() {
            if !stays(key, needs) {
                of_space.push((digest, needs));
            }
        }
        // An order counts by those who approved it.
        for (digest, approvers) in ledger.approvers() {
            let stay = approvers.iter().filter(|key| stays(key, PRIVACY)).count();
            if stay < approval::needed(&vault.trust) {
                of_space.push((digest, PRIVACY));
            }
        }
        let space = Space::load(vault, &name).await?;
        let indexes: HashSet<Digest> =
            space.index.packs().iter().flat_map(|pack| pack.indexed_by.iter().copied()).collect();
        for index in indexes {
            if !stays(&index_signer(vault, &name, &index).await?, INDEX_SIGNERS) {
                of_space.push((index, INDEX_SIGNERS));
            }
        }
        // What somebody who stays named already, and may let count.
        let mut named: HashMap<Digest, Vec<&VerifyingKey>> = HashMap::new();
        for (_, key, _, endorsed) in ledger.authors() {
            endorsed.iter().for_each(|digest| named.entry(*digest).or_default().push(key));
        }
        of_space.retain(|(digest, needs)| {
            !named.get(digest).is_some_and(|keys| keys.iter().any(|key| stays(key, needs)))
        });
        of_space.sort_by_key(|(digest, _)| *digest);
        if of_space.is_empty() {
            files.remove(&name);
        }
    }
    Ok(Endorsement(files))
}

async fn index_signer(vault: &Vault, space: &Name, id: &Digest) -> Result<VerifyingKey> {
    let key = layout::index(space, id);
    let signers = vault.all_signers();
    let signer = |place: &dyn std::fmt::Display, stored: &[u8]| {
        let plain = open_index(vault, stored, &key, place)?;
        let signer = IndexFile::signer(&plain, &signers).cloned();
        signer.ok_or_else(|| VaultError::damaged(&key, place, "nobody signed it who was ever trusted"))
    };
    if let Some(stored) = vault.cache.get(&key)
        && let Ok(signer) = signer(&"the cache", &stored)
    {
        return Ok(signer);
    }
    let read = |replica: &super::replica::Replica, stored: bytes::Bytes| signer(&replica.store, &stored);
    let noted = |error: &VaultError| vault.read_around(&key, error);
    vault.replicas.read_any(&key, vault.limits.index_bytes_max, read, noted).await
}

/// Checks that keys are here which may name all of it: trusted by then, as in `trusted`, and
/// trusted on, as in `staying`.
///
/// # Errors
///
/// [`ErrorKind::Identity`] otherwise.
pub fn require_endorsers(
    vault: &Vault,
    files: &Endorsement,
    trusted: &[Signer],
    staying: &[Signer],
) -> Result<()> {
    files.0.values().flatten().try_for_each(|(_, needs)| endorser(vault, trusted, staying, needs).map(drop))
}

/// Names the files in the ledgers, by keys that are here and in `staying`.
///
/// # Errors
///
/// As [`require_endorsers`]; those of the ledger.
pub async fn endorse(vault: &Vault, files: &Endorsement, staying: &[Signer]) -> Result<()> {
    require_endorsers(vault, files, &vault.trust.signers, staying)?;
    for (space, files) in &files.0 {
        let mut by_endorser: BTreeMap<&VerifyingKey, (&SigningKey, Vec<Digest>)> = BTreeMap::new();
        for (digest, needs) in files {
            let key = endorser(vault, &vault.trust.signers, staying, needs)?;
            by_endorser.entry(key.public()).or_insert_with(|| (key, Vec::new())).1.push(*digest);
        }
        for (key, digests) in by_endorser.into_values() {
            for files in digests.chunks(vault.limits.ledger_names_max) {
                let decision = Decision::Endorsement { files: files.to_vec() };
                Ledger::load(vault, space).await?.append_by(vault, space, decision, key).await?;
            }
        }
    }
    Ok(())
}

/// A key that is here, stays, may write endorsements, and has one of the roles that are needed.
fn endorser<'a>(
    vault: &'a Vault,
    trusted: &[Signer],
    staying: &[Signer],
    needs: &[Role],
) -> Result<&'a SigningKey> {
    let may = |roles: &[Role], wanted: &[Role]| roles.iter().any(|role| wanted.contains(role));
    let fits = |key: &&SigningKey| {
        let has = |signers: &[Signer]| {
            signers.iter().any(|signer| {
                signer.key == *key.public() && may(&signer.roles, needs) && may(&signer.roles, ledger::ROLES)
            })
        };
        has(staying) && has(trusted)
    };
    vault.signing_keys().find(fits).ok_or_else(|| {
        let names: Vec<&str> = needs.iter().map(|role| role.name()).collect();
        VaultError::new(
            ErrorKind::Identity,
            format!(
                "what the leaving key signed must be endorsed by a key with the role {} that stays, and none is here",
                names.join(" or ")
            ),
        )
        .hint("add another key with that role first, and set it as `signing` or `maintenance` in [keys]; `prismvault keys rotate` makes one")
    })
}
