//! Looking at keys: who they are, which are here, and whether they work.

use serde::Serialize;

use crate::progress::Problem;
use crate::vault::canary::{Canary, sing};
use crate::vault::envelope::Identity;
use crate::vault::error::Result;
use crate::vault::format::trust::Role;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::rewrap::{self, Pending};
use crate::vault::signing::VerifyingKey;
use crate::vault::space::Space;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// An age recipient that reads content and catalogs.
    ReadsContent,
    /// An age recipient that reads cases of data-subject requests, and content.
    ReadsCases,
    /// An age recipient that reads catalogs.
    ReadsCatalogs,
    /// A minisign key that signs files.
    Signs,
    /// The minisign key that signs the next trust record.
    Root,
    /// A minisign key that no longer signs: what it signed counts where somebody names it.
    Retired,
}

/// A key that the trust records name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    /// What it is for.
    pub kind: KeyKind,
    /// The public key.
    pub key: String,
    /// Roles of a signer.
    pub roles: Vec<&'static str>,
    /// What people call it.
    pub label: Option<String>,
    /// Number of the first trust record that names it.
    pub since: u32,
    /// When that was made, RFC 3339.
    pub date: String,
    /// Whether its private half is here.
    pub here: bool,
}

/// Returns the keys of the newest trust record, and those that signed once. `root` is the root key
/// that is here.
pub fn describe(vault: &Vault, root: Option<&VerifyingKey>) -> Vec<KeyLine> {
    let trust = &vault.trust;
    let line = |kind, key: String, roles: &[Role], here| {
        let names = |key: &str| {
            vault.trust_history().find(|record| {
                record.catalog_recipients.iter().any(|one| one.to_string() == key)
                    || record.privacy_recipients.iter().any(|one| one.to_string() == key)
                    || record.signers.iter().any(|one| one.key.to_string() == key)
                    || record.root.to_string() == key
            })
        };
        let first = names(&key).unwrap_or(trust);
        let label = vault.trust_history().rev().find_map(|record| record.labels.get(&key).cloned());
        let roles = roles.iter().map(|role| role.name()).collect();
        KeyLine { kind, label, since: first.n, date: first.created.clone(), key, roles, here }
    };
    let mut lines = Vec::new();
    let only_cases =
        trust.privacy_recipients.iter().filter(|recipient| !trust.catalog_recipients.contains(recipient));
    for recipient in trust.catalog_recipients.iter().chain(only_cases) {
        let kind = if trust.privacy_recipients.contains(recipient) {
            KeyKind::ReadsCases
        } else if trust.content_recipients.contains(recipient) {
            KeyKind::ReadsContent
        } else {
            KeyKind::ReadsCatalogs
        };
        let here = vault.identities().iter().any(|identity| identity.recipient() == *recipient);
        lines.push(line(kind, recipient.to_string(), &[], here));
    }
    let signs_here = |key: &VerifyingKey| vault.signing_keys().any(|here| here.public() == key);
    for signer in &trust.signers {
        lines.push(line(KeyKind::Signs, signer.key.to_string(), &signer.roles, signs_here(&signer.key)));
    }
    lines.push(line(KeyKind::Root, trust.root.to_string(), &[], root == Some(&trust.root)));
    let mut retired: Vec<&VerifyingKey> = Vec::new();
    for signer in vault.trust_history().flat_map(|record| &record.signers) {
        if !trust.signers.iter().any(|one| one.key == signer.key) && !retired.contains(&&signer.key) {
            retired.push(&signer.key);
            lines.push(line(
                KeyKind::Retired,
                signer.key.to_string(),
                &signer.roles,
                signs_here(&signer.key),
            ));
        }
    }
    lines
}

/// What was found about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The public key.
    pub key: String,
    /// What is good.
    pub good: Vec<String>,
    /// What is not.
    pub problems: Vec<Problem>,
}

/// Tries every identity and signing key that is here; the second part says what is not yet wrapped
/// to the recipients of now.
///
/// # Errors
///
/// Those of reading the vault. What is wrong with a key is in its finding.
pub async fn check(vault: &Vault) -> Result<(Vec<Finding>, Pending)> {
    let mut findings = Vec::new();
    let (mut spaces, mut left) = (Vec::new(), Pending::default());
    if vault.is_encrypted() && vault.item_key().is_ok() {
        for name in rewrap::spaces(vault).await? {
            let space = Space::load(vault, &name).await?;
            let pending = rewrap::pending(vault, &space, None);
            left.to_write += pending.to_write;
            left.to_bring += pending.to_bring;
            left.to_destroy += pending.to_destroy;
            spaces.push(space);
        }
    }
    for identity in vault.identities() {
        findings.push(check_identity(vault, &spaces, identity).await);
    }
    for key in vault.signing_keys() {
        let mut finding = Finding { key: key.public().to_string(), good: Vec::new(), problems: Vec::new() };
        match vault.trust.signers.iter().find(|signer| signer.key == *key.public()) {
            Some(signer) => {
                let roles: Vec<_> = signer.roles.iter().map(|role| role.name()).collect();
                finding.good.push(format!("signs as {}", roles.join(", ")));
            }
            None => finding.problems.push(not_trusted(&finding.key, "signs counts any more")),
        }
        findings.push(finding);
    }
    Ok((findings, left))
}

async fn check_identity(vault: &Vault, spaces: &[Space], identity: &Identity) -> Finding {
    let recipient = identity.recipient();
    let mut finding = Finding { key: recipient.to_string(), good: Vec::new(), problems: Vec::new() };
    let canaries: &[Canary] = if vault.trust.content_recipients.contains(&recipient) {
        &[Canary::Content, Canary::Catalog]
    } else if vault.trust.catalog_recipients.contains(&recipient) {
        &[Canary::Catalog]
    } else if vault.trust.privacy_recipients.contains(&recipient) {
        &[]
    } else {
        finding.problems.push(not_trusted(&finding.key, "could read is written any more"));
        return finding;
    };
    if vault.trust.privacy_recipients.contains(&recipient) {
        finding.good.push("is to read cases of data-subject requests".to_owned());
    }
    for canary in canaries {
        let what = if *canary == Canary::Content { "content" } else { "catalogs" };
        finding.good.push(format!("is to read {what}"));
        for space in spaces {
            match sing(vault, space, *canary, identity).await {
                Ok(Some(pack)) => finding.good.push(format!("opens {what} of {} (pack {pack})", space.name)),
                Ok(None) => {}
                Err(error) => finding.problems.push(Problem::new(
                    "does-not-open",
                    format!("{what} of {}", space.name),
                    with_causes(&error),
                )),
            }
        }
    }
    finding
}

fn not_trusted(key: &str, what: &str) -> Problem {
    Problem::new(
        "not-in-trust-record",
        key,
        format!("the newest trust record does not name it, so nothing that it {what}"),
    )
}
