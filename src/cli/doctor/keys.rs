//! The vault as it opens, and the keys that are here.

use super::configuration::{keys as configured, replica_around, replica_beside};
use super::finding::{Finding, Section};
use crate::cli::error::CommandError;
use crate::cli::exit::Outcome;
use crate::cli::session::Session;
use crate::config::{Config, SecretRef};
use crate::keys::check;
use crate::vault::abilities::require_erasable;
use crate::vault::replica::with_causes;

const SECTION: Section = Section::Keys;

/// Says where keys are that belong elsewhere, and which that belong here are not.
pub(super) fn places(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, secret) in configured(config) {
        let elsewhere = matches!(name, "recovery" | "root");
        match (secret.absence(), elsewhere) {
            // Who works on requests has them; the backup host works without.
            (Some(_), _) if name.starts_with("privacy") => {}
            (Some(_), true) => {
                findings.push(Finding::ok(SECTION, name, format!("the {} is not here, which is good: it belongs elsewhere", long(name))));
            }
            (Some(absence), false) => findings.push(
                Finding::warning(SECTION, name, format!("the {} is not here: {absence}", long(name)))
                    .because("without it this machine takes no snapshots, or deletes nothing")
                    .then(format!("bring it, or set `{name}` in [keys] to where it is; nothing, where this machine only restores")),
            ),
            (None, true) => findings.push(here(config, name, secret)),
            (None, false) => {}
        }
        if let SecretRef::File { path } = secret
            && secret.absence().is_none()
            && let Some(replica) = replica_around(config, path)
        {
            findings.push(
                Finding::error(SECTION, name, format!("{} lies inside the replica {}", path.display(), replica.name))
                    .because("whoever gets that copy of the backup gets the key to it")
                    .then("move it out of there; replace the key (`prismvault keys rotate`) if others could read it"),
            );
        }
    }
    findings
}

fn long(name: &str) -> String {
    match name {
        "operator" | "recovery" | "privacy" => format!("{name} identity"),
        "privacy_signing" => "signing key of who works on requests".to_owned(),
        _ => format!("{name} key"),
    }
}

/// A key that belongs elsewhere.
fn here(config: &Config, name: &str, secret: &SecretRef) -> Finding {
    let what = format!("the {} is on this machine ({secret})", long(name));
    let why = match name {
        "recovery" => "whoever breaks in here can read all content of all snapshots",
        _ => "whoever breaks in here can decide who is trusted",
    };
    let beside = match secret {
        SecretRef::File { path } => replica_beside(config, path),
        _ => None,
    };
    let why = match beside {
        Some(replica) => {
            format!("{why}; and it is on the disk of the replica {}: one loss takes both", replica.name)
        }
        None => why.to_owned(),
    };
    Finding::warning(SECTION, name, what).because(why).then("keep two copies offline, and remove this one")
}

/// Says why the vault does not open.
pub(super) fn not_open(error: &CommandError, is_new: bool) -> Finding {
    let sentences = error.sentences();
    let why = sentences[1..].join(": ");
    if is_new {
        return Finding::notice(SECTION, "vault", "there is no vault yet")
            .because(sentences.join(": "))
            .then("prismvault init");
    }
    let outcome = match error.kind.outcome() {
        // That is said before any work, and this was some.
        Outcome::Usage => Outcome::Failed,
        outcome => outcome,
    };
    Finding::error(SECTION, "vault", format!("does not open: {}", sentences[0]))
        .because(why)
        .then(error.hints().join("; "))
        .ends(outcome)
}

/// Checks an open vault: who is in it, and whether the keys that are here work.
pub(super) async fn examine(session: &Session) -> Vec<Finding> {
    let vault = &session.vault;
    let mut findings = vec![Finding::ok(
        SECTION,
        "vault",
        format!("{} opens, trust record {}", vault.file.vault, vault.trust.n),
    )];
    for warning in vault.warnings() {
        findings.push(Finding::warning(SECTION, warning.subject, warning.detail));
    }
    for same in vault.same_replicas().await {
        findings.push(
            Finding::error(Section::Replicas, same.second.clone(), same.sentence())
                .because("one copy could count as two, so no snapshot is taken")
                .then("remove one of the names; or, if it is a copy at another place, `prismvault repair`")
                .ends(Outcome::Refused),
        );
    }
    if let Err(error) = require_erasable(vault.replicas.live(), vault.is_encrypted()) {
        let next = error.next_step().unwrap_or_default().to_owned();
        findings.push(
            Finding::error(Section::Replicas, "object_lock", error.to_string())
                .because("nothing is written to it")
                .then(next)
                .ends(Outcome::Refused),
        );
    }
    match check(vault).await {
        Err(error) => {
            let outcome = CommandError::from(error).within("keys cannot be tried");
            findings.push(not_open(&outcome, false));
        }
        Ok((tried, pending)) => {
            for finding in tried {
                let good = finding.good.join("; ");
                if finding.problems.is_empty() {
                    findings.push(Finding::ok(SECTION, finding.key.clone(), good));
                }
                for problem in finding.problems {
                    findings.push(
                        Finding::error(
                            SECTION,
                            finding.key.clone(),
                            format!("{}: {}", problem.subject, problem.detail),
                        )
                        .then("`prismvault keys check` says more"),
                    );
                }
            }
            if !pending.is_empty() {
                findings.push(
                    Finding::warning(SECTION, "keys", "not everything is wrapped to the recipients of now")
                        .then("prismvault keys rewrap"),
                );
            }
        }
    }
    if let Err(error) = vault.signing_key() {
        findings.push(
            Finding::warning(SECTION, "signing", with_causes(&error))
                .then(error.next_step().unwrap_or_default().to_owned()),
        );
    }
    findings
}
