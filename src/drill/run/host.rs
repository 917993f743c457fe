//! What a drill needs of the program that runs it: how vaults are opened, and how Prismic is asked.

use std::collections::BTreeSet;
use std::path::Path;

use async_trait::async_trait;

use crate::config::Repository;
use crate::drill::scenario::Injection;
use crate::prismic::Http;
use crate::snapshot::Target;
use crate::vault::open::Vault;

/// How a vault is opened for a drill.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// What has happened to replicas; nothing for the vault as it is, to which evidence is written.
    pub scenario: &'a [Injection],
    /// Which packs are damaged is drawn from it.
    pub seed: u64,
    /// Keys that are not there, on any replica.
    pub hidden: &'a BTreeSet<String>,
    /// Directory for caches, memory and spool files that begins empty; those of this user where there is none.
    pub fresh: Option<&'a Path>,
}

impl<'a> Opening<'a> {
    /// The vault as it is.
    pub fn plain(none: &'a BTreeSet<String>) -> Self {
        Self { scenario: &[], seed: 0, hidden: none, fresh: None }
    }

    /// Whether the operator identity is lost.
    pub fn is_without_operator(&self) -> bool {
        self.scenario.contains(&Injection::OperatorLost)
    }
}

/// The program that runs a drill.
#[async_trait]
pub trait Host: Sync {
    /// Opens the vault of the configuration.
    ///
    /// # Errors
    ///
    /// Why it cannot be opened, in words: those of [`Vault::open`], and of reading keys.
    async fn open(&self, opening: Opening<'_>) -> Result<Vault, String>;

    /// Where a repository of the configuration is, with its tokens.
    ///
    /// # Errors
    ///
    /// Why it cannot be asked, in words.
    fn target(&self, repository: &Repository) -> Result<Target, String>;

    /// The client for Prismic.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    fn http(&self) -> Result<Http, String>;
}
