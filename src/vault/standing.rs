//! Which files by retired keys count.
//!
//! A signer that an earlier trust record names, and the newest does not, or not with that role any
//! more, is *retired*: its key may be in wrong hands by now. What it signed stays good where
//! somebody names it by its SHA-256 who may decide such a thing himself: the parents of a
//! manifest or ledger entry, or an `endorsement` in the ledger, which a rotation writes for all
//! that the old key signed. A file that a thief makes with a retired key is named by nobody.
//!
//! Naming carries the authority of who names: a key that may sign snapshots only cannot let a
//! removal count that a retired maintenance key signed, or it would be a maintenance key.

use std::collections::{HashMap, HashSet};

use super::error::{ErrorKind, VaultError};
use super::format::trust::{Role, Signer};
use super::open::Vault;
use super::signing::VerifyingKey;
use crate::ids::Digest;

/// Who signed a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author {
    /// The key.
    pub(super) key: VerifyingKey,
    /// Whether the newest trust record gives it a role for this.
    pub(super) is_current: bool,
    /// What it may decide; for a retired one, what it once might.
    pub(super) roles: Vec<Role>,
}

impl Vault {
    /// Returns who signed these bytes, if the key has one of these roles, or once had.
    pub(super) fn author(&self, bytes: &[u8], signature: &[u8], roles: &[Role]) -> Option<Author> {
        let signature = String::from_utf8_lossy(signature);
        let fits = |signer: &&Signer| {
            signer.roles.iter().any(|role| roles.contains(role)) && signer.key.verifies(bytes, &signature)
        };
        let author = |signer: &Signer, is_current| Author {
            key: signer.key.clone(),
            is_current,
            roles: signer.roles.clone(),
        };
        let current = self.trust.signers.iter().find(fits).map(|signer| author(signer, true));
        current.or_else(|| self.former.iter().find(fits).map(|signer| author(signer, false)))
    }

    /// Returns the keys that ever had one of these roles.
    pub fn former_signers(&self, roles: &[Role]) -> Vec<VerifyingKey> {
        let had = |signer: &&Signer| signer.roles.iter().any(|role| roles.contains(role));
        self.former.iter().filter(had).map(|signer| signer.key.clone()).collect()
    }

    /// Returns every key that any trust record names.
    pub(super) fn all_signers(&self) -> Vec<VerifyingKey> {
        self.former.iter().map(|signer| signer.key.clone()).collect()
    }

    /// Whether a file with this SHA-256, by a retired key, was found to count.
    pub(super) fn counts(&self, digest: &Digest) -> bool {
        self.counted.lock().expect("no holder of this lock can panic").contains(digest)
    }

    /// Notes files by retired keys that count.
    pub(super) fn note_counted(&self, digests: impl IntoIterator<Item = Digest>) {
        self.counted.lock().expect("no holder of this lock can panic").extend(digests);
    }
}

/// A file of a chain, of which is to be found out whether it counts.
pub(super) trait Claim {
    /// SHA-256 of its bytes.
    fn digest(&self) -> Digest;
    /// Who signed it.
    fn author(&self) -> &Author;
    /// Roles of which one is needed to decide it.
    fn needs(&self) -> &'static [Role];
    /// What it names.
    fn names(&self) -> Vec<Digest>;
}

/// With what authority files are named by those that count.
#[derive(Debug, Clone, Default)]
pub(super) struct Endorsed(HashMap<Digest, Vec<Role>>);

impl Endorsed {
    /// Whether a file is named by somebody with one of these roles.
    pub(super) fn allows(&self, digest: &Digest, needs: &[Role]) -> bool {
        self.0.get(digest).is_some_and(|roles| roles.iter().any(|role| needs.contains(role)))
    }

    /// Adds what another names.
    pub(super) fn merge(&mut self, other: &Self) {
        for (digest, roles) in &other.0 {
            self.add(*digest, roles);
        }
    }

    /// Adds what is named; returns whether that is new.
    fn add(&mut self, digest: Digest, roles: &[Role]) -> bool {
        let known = self.0.entry(digest).or_default();
        let before = known.len();
        for role in roles {
            if !known.contains(role) {
                known.push(*role);
            }
        }
        known.len() > before
    }
}

/// Finds out which of `claims` count: those by current keys, and what is named by any that
/// counts, or in `endorsed`, with the authority that it needs. `beyond` says what a file names
/// that is no longer there. Returns the SHA-256 of those that count; `endorsed` holds
/// afterwards all that is named.
pub(super) fn close<'a, C: Claim + 'a>(
    claims: impl IntoIterator<Item = &'a C>,
    endorsed: &mut Endorsed,
    beyond: impl Fn(&Digest) -> Vec<Digest>,
) -> HashSet<Digest> {
    let mut by_digest: HashMap<Digest, Vec<&C>> = HashMap::new();
    for claim in claims {
        by_digest.entry(claim.digest()).or_default().push(claim);
    }
    let mut counting = HashSet::new();
    let mut open: Vec<(Digest, Vec<Role>)> = Vec::new();
    let take = |claim: &C, counting: &mut HashSet<Digest>, open: &mut Vec<(Digest, Vec<Role>)>| {
        if counting.insert(claim.digest()) {
            open.extend(claim.names().into_iter().map(|named| (named, claim.author().roles.clone())));
        }
    };
    for claim in by_digest.values().flatten().filter(|claim| claim.author().is_current) {
        take(claim, &mut counting, &mut open);
    }
    open.extend(endorsed.0.iter().map(|(digest, roles)| (*digest, roles.clone())));
    let known = std::mem::take(endorsed);
    while let Some((named, roles)) = open.pop() {
        if !endorsed.add(named, &roles) {
            continue;
        }
        match by_digest.get(&named) {
            Some(claims) => {
                for claim in claims.iter().filter(|claim| endorsed.allows(&named, claim.needs())) {
                    take(claim, &mut counting, &mut open);
                }
            }
            None => open.extend(beyond(&named).into_iter().map(|further| (further, roles.clone()))),
        }
    }
    for (digest, roles) in known.0 {
        endorsed.add(digest, &roles);
    }
    counting
}

/// Returns what is wrong with a file by a retired key that nobody names.
pub(super) fn not_named(key: &str, signer: &VerifyingKey) -> VaultError {
    VaultError::new(
        ErrorKind::NotTrusted,
        format!("{key} is refused: the retired key {signer} signed it, and nothing by a trusted key names it"),
    )
    .hint("somebody used a key that was taken out of service; if a host still has it, give it the new one, and remove this file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::signing::SigningKey;

    struct File {
        digest: Digest,
        author: Author,
        needs: &'static [Role],
        names: Vec<Digest>,
    }

    impl Claim for File {
        fn digest(&self) -> Digest {
            self.digest
        }
        fn author(&self) -> &Author {
            &self.author
        }
        fn needs(&self) -> &'static [Role] {
            self.needs
        }
        fn names(&self) -> Vec<Digest> {
            self.names.clone()
        }
    }

    const SNAPSHOT: &[Role] = &[Role::Snapshot];
    const MAINTENANCE: &[Role] = &[Role::Maintenance];

    fn file(n: u8, is_current: bool, roles: &[Role], needs: &'static [Role], names: &[u8]) -> File {
        let author =
            Author { key: SigningKey::generate().public().clone(), is_current, roles: roles.to_vec() };
        let names = names.iter().map(|n| Digest([*n; 32])).collect();
        File { digest: Digest([n; 32]), author, needs, names }
    }

    fn counting(files: &[File], beyond: impl Fn(&Digest) -> Vec<Digest>) -> Vec<u8> {
        let mut counting: Vec<u8> =
            close(files, &mut Endorsed::default(), beyond).iter().map(|digest| digest.0[0]).collect();
        counting.sort_unstable();
        counting
    }

    #[test]
    fn a_file_by_a_retired_key_counts_by_a_chain_from_a_current_one_only() {
        let files = [
            file(1, false, SNAPSHOT, SNAPSHOT, &[]),
            file(2, false, SNAPSHOT, SNAPSHOT, &[1]),
            file(3, true, SNAPSHOT, SNAPSHOT, &[2]),
            // Made by a thief: it names what counts, and nothing that counts names it.
            file(4, false, SNAPSHOT, SNAPSHOT, &[3]),
            file(5, false, SNAPSHOT, SNAPSHOT, &[4]),
        ];
        assert_eq!(counting(&files, |_| Vec::new()), [1, 2, 3]);
    }

    #[test]
    fn who_names_a_file_must_be_allowed_to_decide_it() {
        let removal = |n| file(n, false, &[Role::Snapshot, Role::Maintenance], MAINTENANCE, &[]);
        let files = [
            removal(1),
            removal(2),
            file(3, true, SNAPSHOT, SNAPSHOT, &[1]),
            file(4, true, MAINTENANCE, MAINTENANCE, &[2]),
        ];
        assert_eq!(counting(&files, |_| Vec::new()), [2, 3, 4]);
    }

    #[test]
    fn what_is_gone_hands_its_parents_on() {
        let files = [file(1, false, SNAPSHOT, SNAPSHOT, &[]), file(3, true, SNAPSHOT, SNAPSHOT, &[2])];
        assert_eq!(counting(&files, |_| Vec::new()), [3]);
        let gone = |digest: &Digest| if digest.0[0] == 2 { vec![Digest([1; 32])] } else { Vec::new() };
        assert_eq!(counting(&files, gone), [1, 3]);
    }
}
