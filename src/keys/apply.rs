//! Applying a plan.

use serde::Serialize;

use super::plan::KeyPlan;
use crate::vault::endorse;
use crate::vault::envelope::Recipient;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::trust::Role;
use crate::vault::ledger::Ledger;
use crate::vault::open::Vault;
use crate::vault::rewrap::{self, Report};
use crate::vault::signing::SigningKey;

/// What became of a plan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KeyReport {
    /// Number of the newest trust record.
    pub trust: u32,
    /// Files that were endorsed.
    pub endorsed: u64,
    /// What was rewrapped, brought and destroyed.
    pub rewrap: Report,
    /// Replicas that were not there: they lack all of it until `replicate` or `repair`, and hold
    /// on to what was destroyed elsewhere.
    pub away: Vec<String>,
}

impl KeyReport {
    /// Whether every replica is as it is to be.
    pub fn is_complete(&self) -> bool {
        self.rewrap.problems.is_empty() && self.away.is_empty()
    }
}

/// Carries a plan out. A run that fails or is killed is planned again, and goes on.
///
/// # Errors
///
/// [`ErrorKind::Refused`] for a plan of another vault or state; [`ErrorKind::Identity`] when the
/// root key, an identity or a maintenance key is missing: before anything is written;
/// [`ErrorKind::TooFewReplicas`].
pub async fn apply(vault: &mut Vault, root: Option<&SigningKey>, plan: &KeyPlan) -> Result<KeyReport> {
    if plan.vault != vault.file.vault || plan.trust != vault.trust.n {
        return Err(VaultError::new(
            ErrorKind::Refused,
            "this plan was made for another vault, or another state of it",
        )
        .hint("somebody changed the keys meanwhile: run the same again"));
    }
    require_keys(vault, plan)?;
    let mut report = KeyReport::default();
    if let Some(wanted) = &plan.record {
        let root = root.ok_or_else(|| {
            VaultError::new(
                ErrorKind::Identity,
                "changing who is trusted needs the root key, which is not here",
            )
            .hint("bring root.key from where it is kept and set `root` in [keys] to it")
        })?;
        if let Some(before) = &plan.before {
            let record = before.to_record(vault);
            vault.append_trust(root, record).await?;
        }
        let files = endorse::needed(vault, &wanted.signers).await?;
        endorse::endorse(vault, &files, &wanted.signers).await?;
        report.endorsed = files.len() as u64;
        let record = wanted.to_record(vault);
        vault.append_trust(root, record).await?;
    } else {
        vault.bring_trust_up_to_date().await;
    }
    for space in plan.spaces.keys() {
        rewrap::rewrap(vault, space, &mut report.rewrap).await?;
        if plan.destroys {
            rewrap::destroy_retired(vault, space, &mut report.rewrap).await?;
        }
    }
    // A run that was killed may have left entries on some replicas only.
    for space in rewrap::spaces(vault).await? {
        Ledger::load(vault, &space).await?.bring_up_to_date(vault).await;
    }
    vault.replicas.require_enough()?;
    report.trust = vault.trust.n;
    report.away = vault.replicas.failed().into_iter().map(|(name, _)| name).collect();
    Ok(report)
}

/// Checks, before anything is written, that it can be finished with the keys that are here.
fn require_keys(vault: &Vault, plan: &KeyPlan) -> Result<()> {
    if !plan.spaces.values().any(|pending| pending.to_write > 0) {
        return Ok(());
    }
    let signers = plan.record.as_ref().map_or(&vault.trust.signers, |wanted| &wanted.signers);
    let maintains = |key: &&SigningKey| {
        signers.iter().any(|signer| signer.key == *key.public() && signer.roles.contains(&Role::Maintenance))
    };
    if vault.signing_keys().find(maintains).is_none() {
        return Err(VaultError::new(
            ErrorKind::Identity,
            "naming new headers in the ledger needs a key with the role maintenance, and none is here",
        )
        .hint("set `maintenance` in [keys] to its file"));
    }
    let content =
        plan.record.as_ref().map_or(&vault.trust.content_recipients, |wanted| &wanted.content_recipients);
    let changes_content = vault.trust_history().any(|record| record.content_recipients != *content);
    let reads = |recipient: &Recipient| {
        vault.trust_history().any(|record| record.content_recipients.contains(recipient))
    };
    if changes_content && !vault.identities().iter().any(|identity| reads(&identity.recipient())) {
        return Err(VaultError::new(
            ErrorKind::Identity,
            "letting others read content needs an identity that reads it, and none is here",
        )
        .hint("bring recovery.txt from where it is kept and set `recovery` in [keys] to it, or pass --identity FILE"));
    }
    Ok(())
}
