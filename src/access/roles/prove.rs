//! Finding out what keys and credentials that are here can do.

use super::{Ability, Found, Proof};
use crate::objects::probe::{CheckName, CheckOutcome, Probe};
use crate::vault::audit::AuditLog;
use crate::vault::canary::{Canary, sing};
use crate::vault::format::trust::Role as SigningRole;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::rewrap;
use crate::vault::signing::VerifyingKey;
use crate::vault::space::Space;

/// Says what a probe of a replica proved, which may be a directory or configured with locks. `reads` is why nothing of the vault could be read from it,
/// or nothing when it was.
pub fn prove_store(
    name: &str,
    (is_directory, locks): (bool, bool),
    probe: &Probe,
    reads: Result<(), String>,
) -> Vec<Proof> {
    let proof = |ability, (found, how): (Found, String)| Proof::new(ability, name, found, how);
    let tried = |check, operation, what| of_probe(probe, check, operation, what);
    let reads = match reads {
        Ok(()) => (Found::Can, "the vault and its trust record were read from it".to_owned()),
        Err(why) => match operation(probe, "read") {
            Some((CheckOutcome::No, detail)) => (Found::Cannot, detail.to_owned()),
            _ => (Found::NotTold, why),
        },
    };
    let mut proofs = vec![
        proof(Ability::ReadObjects, reads),
        proof(Ability::WriteObjects, tried(CheckName::Write, "write", "a scratch object was put")),
        proof(
            Ability::ReplaceObjects,
            tried(CheckName::Overwrite, "replace", "a scratch object was put over another"),
        ),
        proof(Ability::DeleteObjects, tried(CheckName::Delete, "delete", "a scratch object was deleted")),
        proof(
            Ability::DeleteVersions,
            tried(CheckName::CleanUp, "delete a version", "scratch objects were deleted, all versions"),
        ),
    ];
    if is_directory {
        for proof in proofs.iter_mut().skip(2).filter(|proof| proof.found == Found::Can) {
            proof.inherent = true;
            proof.how.push_str("; in a directory who writes can do so");
        }
    }
    if locks {
        proofs.push(proof(Ability::LockObjects, of_lock(probe)));
        let why = "not tried: it would destroy what is locked; the policies of docs/iam deny it";
        proofs.push(proof(Ability::BypassLocks, (Found::NotTold, why.to_owned())));
    }
    proofs
}

fn of_lock(probe: &Probe) -> (Found, String) {
    let Some(check) = probe.check(CheckName::ObjectLock) else { return (Found::NotTold, String::new()) };
    match check.outcome {
        CheckOutcome::Yes => (Found::Can, "a scratch object was locked for a minute".to_owned()),
        CheckOutcome::No | CheckOutcome::Failed => (Found::Cannot, check.detail.clone()),
        CheckOutcome::NotAsked => {
            (Found::NotTold, format!("{}, and locks are not tried on what others stored", check.detail))
        }
    }
}

/// What a check saw; where it could not be made, what trying the one operation by itself did.
fn of_probe(probe: &Probe, name: CheckName, single: &str, what: &str) -> (Found, String) {
    let check = probe.check(name);
    let alone = operation(probe, single);
    let worked = check.is_some_and(|check| check.outcome == CheckOutcome::Yes);
    // Where nothing was put there is nothing to clean up either, which proves nothing.
    let proves = name != CheckName::CleanUp || alone.is_none();
    if worked && proves {
        return (Found::Can, what.to_owned());
    }
    match alone {
        Some((CheckOutcome::Yes, _)) => (Found::Can, "tried by itself, it was not refused".to_owned()),
        Some((CheckOutcome::No, detail)) => (Found::Cannot, detail.to_owned()),
        Some((_, detail)) => (Found::NotTold, detail.to_owned()),
        None => (Found::NotTold, check.map(|check| check.detail.clone()).unwrap_or_default()),
    }
}

fn operation<'a>(probe: &'a Probe, name: &str) -> Option<(CheckOutcome, &'a str)> {
    let found = probe.permissions.iter().find(|permission| permission.operation == name)?;
    Some((found.outcome, &found.detail))
}

/// Says what the keys that are here can do with an open vault, each tried. `root` is the root key
/// that is here.
pub async fn prove_vault(vault: &Vault, root: Option<&VerifyingKey>) -> Vec<Proof> {
    let mut proofs = read_proofs(vault).await;
    for (ability, role) in [
        (Ability::SignSnapshots, SigningRole::Snapshot),
        (Ability::SignRemovals, SigningRole::Maintenance),
        (Ability::ApproveErasures, SigningRole::Privacy),
    ] {
        proofs.push(match vault.signer(&[role]) {
            Ok(key) => Proof::new(
                ability,
                "vault",
                Found::Can,
                format!(
                    "the key {} is here, trust record {} gives it the role {}",
                    key.public(),
                    vault.trust.n,
                    role.name()
                ),
            ),
            Err(_) => Proof::new(
                ability,
                "vault",
                Found::Cannot,
                format!("no key with the role {} is here", role.name()),
            ),
        });
    }
    proofs.push(match root {
        Some(root) if *root == vault.trust.root => {
            Proof::new(Ability::SignTrust, "vault", Found::Can, "the root key is here")
        }
        Some(_) => Proof::new(
            Ability::SignTrust,
            "vault",
            Found::Cannot,
            format!("the root key that is here is not that of trust record {}", vault.trust.n),
        ),
        None => Proof::new(Ability::SignTrust, "vault", Found::Cannot, "the root key is not here"),
    });
    proofs.push(match AuditLog::load(vault, []).await {
        Ok(log) => Proof::new(
            Ability::ReadAudit,
            "vault",
            Found::Can,
            format!("{} entries were read", log.entries().len()),
        ),
        Err(error) => Proof::new(Ability::ReadAudit, "vault", Found::Cannot, with_causes(&error)),
    });
    proofs
}

async fn read_proofs(vault: &Vault) -> Vec<Proof> {
    let proof = |ability, found, how: String| Proof::new(ability, "vault", found, how);
    if !vault.is_encrypted() {
        let how = || "the vault is not encrypted: who reads a replica reads everything".to_owned();
        return vec![
            proof(Ability::ReadCatalogs, Found::Can, how()),
            proof(Ability::ReadContent, Found::Can, how()),
        ];
    }
    let catalogs = match vault.item_key() {
        Ok(_) => (Found::Can, "an identity that is here opened the item key".to_owned()),
        Err(_) => (Found::Cannot, "no identity that is here is a recipient of catalogs".to_owned()),
    };
    vec![proof(Ability::ReadCatalogs, catalogs.0, catalogs.1), content(vault).await]
}

/// Decrypts the beginning of a pack with each identity that is to read content.
async fn content(vault: &Vault) -> Proof {
    let proof = |found, how: String| Proof::new(Ability::ReadContent, "vault", found, how);
    let readers: Vec<_> = vault
        .identities()
        .iter()
        .filter(|identity| vault.trust.content_recipients.contains(&identity.recipient()))
        .collect();
    if readers.is_empty() {
        return proof(Found::Cannot, "no identity that is here is a recipient of content".to_owned());
    }
    let spaces = match rewrap::spaces(vault).await {
        Ok(spaces) => spaces,
        Err(error) => return proof(Found::NotTold, with_causes(&error)),
    };
    let mut failure = None;
    for name in &spaces {
        let space = match Space::load(vault, name).await {
            Ok(space) => space,
            Err(error) => {
                failure = Some(with_causes(&error));
                continue;
            }
        };
        for identity in &readers {
            match sing(vault, &space, Canary::Content, identity).await {
                Ok(Some(pack)) => {
                    return proof(
                        Found::Can,
                        format!("an identity that is here decrypted the pack {pack} of {name}"),
                    );
                }
                Ok(None) => {}
                Err(error) => failure = Some(with_causes(&error)),
            }
        }
    }
    match failure {
        Some(why) => {
            proof(Found::NotTold, format!("an identity of content is here, and opened nothing: {why}"))
        }
        None => proof(
            Found::Can,
            "an identity of content is here; there is no content yet to try it on".to_owned(),
        ),
    }
}
