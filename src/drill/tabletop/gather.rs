//! The [`Inventory`], looked up in configuration and vault. Nothing is written, and no content is read.

use crate::clock::rfc3339;
use crate::config::{self, Config, ConfigError, Repository, SecretRef};
use crate::drill::plan::Plan;
use crate::drill::report::Report;
use crate::vault::drills;
use crate::vault::error::VaultError;
use crate::vault::format::trust::Role;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

use super::inventory::{Copy, Held, Inventory, Key, LastDrill, Newest};

/// Why an inventory could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The plan names what the configuration does not have.
    #[error(transparent)]
    Plan(#[from] ConfigError),
    /// The vault could not be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Looks up what there is to recover by a plan, and with what.
///
/// # Errors
///
/// [`GatherError`]: a plan that does not fit the configuration, or no replica that could be listed. A last drill
/// whose report no identity here reads is no error: its times are not known then.
pub async fn gather(plan: &Plan, config: &Config, vault: &Vault) -> Result<Inventory, GatherError> {
    let selected = plan.select(config)?;
    let snapshots = Snapshots::load(vault, None).await?;
    let last = Box::pin(last_drill(plan, vault)).await?;
    Ok(Inventory {
        vault: vault.file.vault,
        made: rfc3339(vault.now()),
        repositories: selected.repositories.iter().map(|own| held(own, plan, &snapshots, vault)).collect(),
        replicas: config.replicas.iter().map(|own| copy(own, vault)).collect(),
        keys: keys(config, vault),
        people: config.people.iter().filter(|own| own.may_sign_off).map(|own| own.name.clone()).collect(),
        last,
    })
}

fn held(own: &Repository, plan: &Plan, snapshots: &Snapshots, vault: &Vault) -> Held {
    let newest = snapshots.newest_complete(&own.name).map(|snapshot| {
        let counts = &snapshot.manifest.counts;
        Newest {
            snapshot: snapshot.id().clone(),
            // A clock that went back makes nothing older than it is.
            age_seconds: u64::try_from((vault.now() - snapshot.id().time()).num_seconds()).unwrap_or(0),
            documents: counts.documents.stored,
            assets: counts.assets.stored,
            bytes: counts.bytes(),
            on: snapshot.on.clone(),
        }
    });
    let named = plan.contacts.iter().find(|(name, _)| *name == own.name).map(|(_, whom)| whom.clone());
    Held {
        repository: own.name.clone(),
        prismic: own.repository.clone(),
        snapshots: snapshots.of(&own.name).len() as u64,
        newest,
        contacts: named.unwrap_or_else(|| own.contacts.clone()),
    }
}

fn copy(own: &config::Replica, vault: &Vault) -> Copy {
    let opened = vault.replicas.named(own.name.as_str());
    Copy {
        name: own.name.clone(),
        region: own.region.clone(),
        place: own.url.to_string(),
        lock: own.object_lock.map(|rule| format!("{}, {} days", rule.mode, rule.window.num_days())),
        failure: match opened {
            Some(replica) => replica.failure().map(|failure| failure.why),
            None => Some("it was not opened".to_owned()),
        },
    }
}

/// Public halves as the vault trusts them, each with where this host would look for a secret half of its kind.
fn keys(config: &Config, vault: &Vault) -> Vec<Key> {
    let trust = &vault.trust;
    let key = |what: String, public: String, place: Option<&SecretRef>| Key {
        what,
        holder: trust.labels.get(&public).cloned(),
        public: Some(public),
        place: place.map(ToString::to_string),
    };
    let mut keys: Vec<Key> = trust
        .content_recipients
        .iter()
        .map(|own| key("reads content".to_owned(), own.to_string(), config.keys.recovery.as_ref()))
        .collect();
    let operators = trust.catalog_recipients.iter().filter(|own| !trust.content_recipients.contains(own));
    keys.extend(
        operators.map(|own| key("reads catalogs".to_owned(), own.to_string(), config.keys.operator.as_ref())),
    );
    keys.push(key("changes who is trusted".to_owned(), trust.root.to_string(), config.keys.root.as_ref()));
    keys.extend(trust.signers.iter().map(|own| {
        let roles: Vec<&str> = own.roles.iter().map(|role| role.name()).collect();
        let place = match own.roles.as_slice() {
            roles if roles.contains(&Role::Snapshot) => config.keys.signing.as_ref(),
            roles if roles.contains(&Role::Maintenance) => config.keys.maintenance.as_ref(),
            _ => config.keys.privacy_signing.as_ref(),
        };
        key(format!("signs: {}", roles.join(", ")), own.key.to_string(), place)
    }));
    keys
}

/// The newest drill of the plan, with its phases where its report can be read here.
async fn last_drill(plan: &Plan, vault: &Vault) -> Result<Option<LastDrill>, VaultError> {
    let (all, _) = drills::all(vault).await?;
    let Some(last) = all.into_iter().rev().find(|own| own.file.plan == plan.name) else { return Ok(None) };
    let attachment = last.file.files.iter().find(|own| own.path == "report.json");
    let report: Option<Report> = match attachment {
        Some(attachment) => {
            let bytes = drills::read_file(vault, &last.file, attachment).await.ok();
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
        None => None,
    };
    let recovered = report.iter().flat_map(|report| &report.repositories).fold((0u64, 0u64), |sum, own| {
        (sum.0.saturating_add(own.documents.1), sum.1.saturating_add(own.assets.1))
    });
    Ok(Some(LastDrill {
        drill: last.file.drill,
        began: last.file.began,
        result: last.file.result,
        target: last.file.target,
        recovered,
        phases: report.map(|report| report.phases).unwrap_or_default(),
        findings: last.file.findings,
    }))
}
