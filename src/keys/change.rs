//! Changes of keys, and the trust record that they ask for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::vault::envelope::Recipient;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::trust::{Role, Signer, TrustRecord};
use crate::vault::open::Vault;
use crate::vault::signing::VerifyingKey;

/// Longest label, in characters.
const LABEL_MAX: usize = 100;

/// What is to become of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Somebody reads content, and so catalogs.
    AddContent(Recipient),
    /// Somebody reads the cases of data-subject requests, and content.
    AddPrivacy(Recipient),
    /// Somebody reads catalogs.
    AddCatalog(Recipient),
    /// A key signs in these roles, and in no others.
    SetSigner(VerifyingKey, Vec<Role>),
    /// A recipient or signer leaves: its public key, or its label.
    Remove(String),
    /// A recipient takes the place of another, with its label.
    ReplaceRecipient(Recipient, Recipient),
    /// A signer takes the place of another, with its roles and label.
    ReplaceSigner(VerifyingKey, VerifyingKey),
    /// Another root key.
    SetRoot(VerifyingKey),
    /// What people call a key.
    Label(String, String),
}

/// What a trust record is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The key that signs the next one.
    pub root: VerifyingKey,
    /// Who may sign what.
    pub signers: Vec<Signer>,
    /// Who reads content.
    pub content_recipients: Vec<Recipient>,
    /// Who reads catalogs.
    pub catalog_recipients: Vec<Recipient>,
    /// Who of them reads cases of data-subject requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub privacy_recipients: Vec<Recipient>,
    /// What people call the keys.
    pub labels: BTreeMap<String, String>,
}

impl Wanted {
    /// What the newest trust record says.
    pub(super) fn now(vault: &Vault) -> Self {
        let trust = &vault.trust;
        Self {
            root: trust.root.clone(),
            signers: trust.signers.clone(),
            content_recipients: trust.content_recipients.clone(),
            catalog_recipients: trust.catalog_recipients.clone(),
            privacy_recipients: trust.privacy_recipients.clone(),
            labels: trust.labels.clone(),
        }
    }

    /// As a record that follows the newest.
    pub(super) fn to_record(&self, vault: &Vault) -> TrustRecord {
        TrustRecord {
            n: vault.trust.n + 1,
            root: self.root.clone(),
            signers: self.signers.clone(),
            content_recipients: self.content_recipients.clone(),
            catalog_recipients: self.catalog_recipients.clone(),
            privacy_recipients: self.privacy_recipients.clone(),
            labels: self.labels.clone(),
            ..vault.trust.clone()
        }
    }

    /// What is to be said while those who leave still count: those who come besides.
    pub(super) fn with_leaving(&self, vault: &Vault) -> Self {
        let mut both = Self::now(vault);
        for signer in &self.signers {
            match both.signers.iter_mut().find(|known| known.key == signer.key) {
                Some(known) => {
                    let new = signer.roles.iter().filter(|role| !known.roles.contains(role));
                    let new: Vec<Role> = new.copied().collect();
                    known.roles.extend(new);
                }
                None => both.signers.push(signer.clone()),
            }
        }
        both.labels.extend(self.labels.clone());
        both
    }

    /// Takes a change in. One that is made already changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for a key that no trust record ever named, [`ErrorKind::Refused`]
    /// for a change that makes no sense.
    pub(super) fn take(&mut self, change: &Change, vault: &Vault) -> Result<()> {
        match change {
            Change::AddContent(recipient) => {
                require_encryption(vault)?;
                self.add_recipient(recipient, true);
            }
            Change::AddPrivacy(recipient) => {
                // Cases are encrypted also where nothing else is.
                if vault.is_encrypted() {
                    self.add_recipient(recipient, true);
                }
                add(&mut self.privacy_recipients, recipient);
            }
            Change::AddCatalog(recipient) => {
                require_encryption(vault)?;
                self.add_recipient(recipient, false);
            }
            Change::SetSigner(key, roles) => {
                if *key == self.root {
                    return Err(
                        refused("the root key signs trust records only").hint("make a key of its own")
                    );
                }
                let signer = Signer { key: key.clone(), roles: roles.clone() };
                match self.signers.iter_mut().find(|known| known.key == *key) {
                    Some(known) => *known = signer,
                    None => self.signers.push(signer),
                }
            }
            Change::Remove(typed) => self.remove(&self.resolve(typed, vault)?)?,
            Change::ReplaceRecipient(old, new) => {
                let reads_content = self.content_recipients.contains(old);
                let reads_cases = self.privacy_recipients.contains(old);
                if reads_cases {
                    add(&mut self.privacy_recipients, new);
                }
                let reads_catalogs = self.catalog_recipients.contains(old);
                if reads_content || reads_catalogs {
                    self.add_recipient(new, reads_content);
                }
                if reads_content || reads_catalogs || reads_cases {
                    self.move_label(&old.to_string(), new.to_string());
                    self.remove(&old.to_string())?;
                }
            }
            Change::ReplaceSigner(old, new) => {
                if let Some(signer) = self.signers.iter().find(|signer| signer.key == *old).cloned() {
                    self.take(&Change::SetSigner(new.clone(), signer.roles), vault)?;
                    self.move_label(&old.to_string(), new.to_string());
                    self.remove(&old.to_string())?;
                }
            }
            Change::SetRoot(key) => {
                if self.signers.iter().any(|signer| signer.key == *key) {
                    return Err(
                        refused("this key signs in another role already").hint("make a key of its own")
                    );
                }
                self.root = key.clone();
            }
            Change::Label(key, label) => self.label(key, label)?,
        }
        Ok(())
    }

    fn add_recipient(&mut self, recipient: &Recipient, content: bool) {
        let lists = [Some(&mut self.catalog_recipients), content.then_some(&mut self.content_recipients)];
        for list in lists.into_iter().flatten() {
            add(list, recipient);
        }
    }

    fn remove(&mut self, key: &str) -> Result<()> {
        if key == self.root.to_string() {
            return Err(refused("the root key cannot be removed, only replaced")
                .hint("`prismvault keys rotate --root`"));
        }
        self.content_recipients.retain(|recipient| recipient.to_string() != key);
        self.catalog_recipients.retain(|recipient| recipient.to_string() != key);
        self.privacy_recipients.retain(|recipient| recipient.to_string() != key);
        self.signers.retain(|signer| signer.key.to_string() != key);
        self.labels.remove(key);
        Ok(())
    }

    fn move_label(&mut self, old: &str, new: String) {
        if let Some(label) = self.labels.remove(old) {
            self.labels.insert(new, label);
        }
    }

    fn label(&mut self, key: &str, label: &str) -> Result<()> {
        let label = label.trim();
        if label.is_empty() || label.chars().count() > LABEL_MAX || label.chars().any(char::is_control) {
            return Err(refused(format!("a label is one line of 1 to {LABEL_MAX} characters")));
        }
        if self.labels.iter().any(|(other, known)| known == label && other != key) {
            return Err(
                refused(format!("another key is called {label:?} already")).hint("choose another label")
            );
        }
        self.labels.insert(key.to_owned(), label.to_owned());
        Ok(())
    }

    /// Finds a key by itself or its label, in the newest record or, for one that is gone already,
    /// in an earlier.
    fn resolve(&self, typed: &str, vault: &Vault) -> Result<String> {
        let typed = typed.trim();
        for record in vault.trust_history().rev() {
            let recipients = record.catalog_recipients.iter().chain(&record.privacy_recipients);
            let recipients = recipients.map(ToString::to_string);
            let signers = record.signers.iter().map(|signer| signer.key.to_string());
            let mut keys = recipients.chain(signers).chain([record.root.to_string()]);
            let by_label =
                || record.labels.iter().find(|(_, label)| *label == typed).map(|(key, _)| key.clone());
            if let Some(key) = keys.find(|key| key == typed).or_else(by_label) {
                return Ok(key);
            }
        }
        Err(VaultError::new(ErrorKind::NotFound, format!("no trust record names the key {typed:?}"))
            .hint("`prismvault keys list` shows keys and labels"))
    }

    /// Checks that the vault stays usable with these keys.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`].
    pub(super) fn check(&self, vault: &Vault) -> Result<()> {
        if vault.is_encrypted() && self.content_recipients.is_empty() {
            return Err(refused("nobody could read content any more")
                .hint("add another recovery recipient first, with `prismvault keys add --recovery`"));
        }
        for role in [Role::Snapshot, Role::Maintenance] {
            if !self.signers.iter().any(|signer| signer.roles.contains(&role)) {
                return Err(refused(format!("no key would have the role {} any more", role.name()))
                    .hint("add another with that role first, with `prismvault keys add --signing`"));
            }
        }
        if let Some(signer) = self.signers.iter().find(|signer| signer.key == self.root) {
            return Err(refused(format!("{} cannot be root key and signer", signer.key)));
        }
        Ok(())
    }
}

fn add(list: &mut Vec<Recipient>, recipient: &Recipient) {
    if !list.contains(recipient) {
        list.push(recipient.clone());
        list.sort();
    }
}

fn require_encryption(vault: &Vault) -> Result<()> {
    if vault.is_encrypted() {
        return Ok(());
    }
    Err(refused("this vault is not encrypted, so it has no recipients")
        .hint("who can read a replica reads content; make an encrypted vault with `prismvault init`"))
}

fn refused(what: impl Into<String>) -> VaultError {
    VaultError::new(ErrorKind::Refused, what)
}
