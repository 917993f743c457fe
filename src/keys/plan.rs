//! Planning a change of keys.

use std::collections::BTreeMap;

use serde::Serialize;

use super::change::{Change, Wanted};
use crate::ids::{Digest, Name, VaultId};
use crate::vault::endorse;
use crate::vault::envelope::Recipient;
use crate::vault::error::Result;
use crate::vault::format::trust::{Role, Signer};
use crate::vault::open::Vault;
use crate::vault::rewrap::{self, Pending};
use crate::vault::space::Space;

/// What a change of keys would do.
#[derive(Debug, Clone, Serialize)]
pub struct KeyPlan {
    /// Vault it was made for.
    pub vault: VaultId,
    /// Number of the trust record it was made from.
    pub trust: u32,
    /// What is done, one sentence each with its reason, in order.
    pub steps: Vec<String>,
    /// What the next trust record says; `None`: the newest says it already.
    pub record: Option<Wanted>,
    /// What a trust record says before that one, while those who leave still count.
    pub before: Option<Wanted>,
    /// Files that are endorsed, because the key that signed them leaves.
    pub endorsed: u64,
    /// What is rewrapped, brought and destroyed, by space.
    pub spaces: BTreeMap<Name, Pending>,
    /// Whether headers and index objects of the past are destroyed for good.
    pub destroys: bool,
    /// What it cannot do, or cannot be undone.
    pub limits: Vec<String>,
}

impl KeyPlan {
    /// SHA-256 of its JSON.
    pub fn hash(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("plans always serialise"))
    }

    /// Whether all is as it is to be.
    pub fn is_empty(&self) -> bool {
        self.record.is_none() && self.spaces.is_empty()
    }
}

/// Plans changes of keys. Without any, what earlier ones left: replicas that were away, packs of
/// writers that had not seen the newest trust record, a run that was killed.
///
/// # Errors
///
/// [`ErrorKind::Refused`](crate::vault::error::ErrorKind::Refused) for what would leave nobody to
/// read or sign; [`ErrorKind::Identity`](crate::vault::error::ErrorKind::Identity) when a key is
/// missing without which it could not be finished; those of reading the vault.
pub async fn plan(vault: &Vault, changes: &[Change]) -> Result<KeyPlan> {
    let now = Wanted::now(vault);
    let mut wanted = now.clone();
    for change in changes {
        wanted.take(change, vault)?;
    }
    wanted.check(vault)?;
    let record = (wanted != now).then_some(wanted.clone());
    let mut plan = KeyPlan {
        vault: vault.file.vault,
        trust: vault.trust.n,
        steps: Vec::new(),
        before: None,
        endorsed: 0,
        spaces: BTreeMap::new(),
        destroys: changes.is_empty(),
        limits: Vec::new(),
        record,
    };
    if plan.record.is_some() && vault.is_encrypted() {
        vault.item_key()?;
    }
    plan_signers(vault, &now, &wanted, &mut plan).await?;
    let gone = describe_recipients(&now, &wanted, &mut plan);
    let asked =
        changes.iter().any(|change| matches!(change, Change::Remove(_) | Change::ReplaceRecipient(..)));
    plan.destroys |= gone || asked;
    if plan.record.is_some() {
        let reason = if wanted.root == now.root { "" } else { ", which names another root key" };
        let before = u32::from(plan.before.is_some());
        plan.steps.push(format!(
            "trust record {} is signed by the root key {}{reason}",
            plan.trust + 1 + before,
            now.root
        ));
    }
    plan_spaces(vault, &mut plan).await?;
    Ok(plan)
}

/// Plans what the signers' part needs: endorsements, and a record before the last.
async fn plan_signers(vault: &Vault, now: &Wanted, wanted: &Wanted, plan: &mut KeyPlan) -> Result<()> {
    for signer in &wanted.signers {
        let before = now.signers.iter().find(|known| known.key == signer.key);
        if before != Some(signer) {
            plan.steps.push(format!("{} signs as {}", signer.key, role_names(&signer.roles)));
        }
    }
    let lost: Vec<(&Signer, Vec<Role>)> = now
        .signers
        .iter()
        .filter_map(|signer| {
            let staying = wanted.signers.iter().find(|one| one.key == signer.key);
            let keeps = |role: &&Role| !staying.is_some_and(|staying| staying.roles.contains(role));
            let lost: Vec<Role> = signer.roles.iter().filter(keeps).copied().collect();
            (!lost.is_empty()).then_some((signer, lost))
        })
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let files = endorse::needed(vault, &wanted.signers).await?;
    let both = wanted.with_leaving(vault);
    endorse::require_endorsers(vault, &files, &both.signers, &wanted.signers)?;
    plan.endorsed = files.len() as u64;
    for (signer, roles) in lost {
        plan.steps.push(format!("{} signs as {} no longer", signer.key, role_names(&roles)));
        plan.limits.push(format!(
            "whatever {} signed until now stays good; what is signed with it later is refused: stop the hosts that still use it",
            signer.key
        ));
    }
    if !files.is_empty() {
        plan.steps.push(format!("{} files that it signed are endorsed by a key that stays", files.len()));
        if both.signers != now.signers {
            plan.before = Some(both);
        }
    }
    Ok(())
}

/// Says what becomes of recipients; returns whether one leaves.
fn describe_recipients(now: &Wanted, wanted: &Wanted, plan: &mut KeyPlan) -> bool {
    let reads = |wanted: &Wanted, recipient| {
        if wanted.privacy_recipients.contains(recipient) {
            Some(if wanted.content_recipients.contains(recipient) { "content and cases" } else { "cases" })
        } else if wanted.content_recipients.contains(recipient) {
            Some("content")
        } else {
            wanted.catalog_recipients.contains(recipient).then_some("catalogs")
        }
    };
    for recipient in those_of(wanted) {
        let (before, after) = (reads(now, recipient), reads(wanted, recipient));
        if before != after {
            plan.steps.push(format!("{recipient} reads {}", after.unwrap_or_default()));
            plan.limits.push(format!(
                "{recipient} reads all snapshots, those of the past as well; that can be ended, but not for what its holder copied"
            ));
        }
    }
    let mut gone = false;
    if wanted.privacy_recipients.iter().any(|recipient| !now.privacy_recipients.contains(recipient)) {
        plan.limits.push(
            "cases of data-subject requests that are there already become readable for a new privacy recipient when one who reads them runs `prismvault privacy rewrap`".to_owned(),
        );
    }
    for recipient in those_of(now) {
        if reads(wanted, recipient).is_none() {
            gone = true;
            plan.steps.push(format!("{recipient} reads nothing any more"));
            plan.limits.push(format!(
                "against whoever holds the identity of {recipient} and copied old headers or index objects, only packs written from now on help; the key by which equal items are known stays the same"
            ));
        }
    }
    gone
}

/// Everybody who reads something.
fn those_of(wanted: &Wanted) -> impl Iterator<Item = &Recipient> {
    let catalogs = &wanted.catalog_recipients;
    catalogs.iter().chain(wanted.privacy_recipients.iter().filter(|recipient| !catalogs.contains(recipient)))
}

async fn plan_spaces(vault: &Vault, plan: &mut KeyPlan) -> Result<()> {
    let next = plan.record.as_ref().map(|wanted| wanted.to_record(vault));
    for name in rewrap::spaces(vault).await? {
        let space = match Space::load(vault, &name).await {
            Ok(space) => space,
            // Without encryption there is nothing to rewrap, and with it the item key was asked for.
            Err(_) if !vault.is_encrypted() => continue,
            Err(error) => return Err(error),
        };
        let mut pending = rewrap::pending(vault, &space, next.as_ref());
        if !plan.destroys {
            pending.to_destroy = 0;
        }
        if pending.to_write > 0 {
            plan.steps.push(format!(
                "{} headers and index objects of {name} are written for the recipients of now; bodies stay",
                pending.to_write
            ));
        }
        if pending.to_bring > 0 {
            plan.steps.push(format!(
                "{} of them are brought to replicas of {name} that lack them",
                pending.to_bring
            ));
        }
        if pending.to_destroy > 0 {
            plan.steps.push(format!(
                "{} headers and index objects of {name} that earlier readers can open are destroyed",
                pending.to_destroy
            ));
        }
        if !pending.is_empty() {
            plan.spaces.insert(name, pending);
        }
    }
    plan.destroys &= plan.spaces.values().any(|pending| pending.to_destroy > 0);
    Ok(())
}

fn role_names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}
