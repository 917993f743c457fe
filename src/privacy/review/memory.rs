//! Decisions as they are remembered: by a keyed hash of what was found and where.
//!
//! Two files of the case hold them, both readable for the privacy recipients only: one with the
//! decisions, one with the key. A hash of a short text can be guessed back; without the key nobody can
//! try. When the key's file is destroyed, the decisions still tell how many there were and who made
//! them, and nothing of the person.
//!
//! **If we crash here** before the event that names them is recorded, the files stay and nobody reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Decided, Decision, Question};
use crate::ids::{CaseId, DecisionKey, Digest, random};
use crate::privacy::case::What;
use crate::privacy::matching::{Finding, Rule, Tier};
use crate::privacy::search::{FoundItem, SearchReport};
use crate::privacy::store::StoredCase;
use crate::vault::case_files;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::open::Vault;

/// The decisions of a case, and the key under which they are remembered.
pub struct Review {
    key: [u8; 32],
    key_file: Option<Digest>,
    remembered: BTreeMap<DecisionKey, Remembered>,
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Review").field("remembered", &self.remembered.len()).finish_non_exhaustive()
    }
}

/// A decision that was made, and what it was made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The decision.
    #[serde(flatten)]
    pub decided: Decided,
    /// The evidence when it was made.
    pub tier: Tier,
    /// The rule that gave it.
    pub rule: Rule,
    /// What a second person said who did not know the first decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Decided>,
}

/// How far a review is. Counts findings of the last search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// With a decision other than unsure.
    pub decided: u64,
    /// Of which somebody is unsure.
    pub unsure: u64,
    /// Without a decision.
    pub open: u64,
}

impl Review {
    /// Begins a review in which nothing is decided.
    pub fn begin() -> Self {
        Self { key: random(), key_file: None, remembered: BTreeMap::new() }
    }

    /// Reads the decisions of a case; begins a review where there are none.
    ///
    /// # Errors
    ///
    /// Those of [`case_files::load`], when the files cannot be read.
    pub async fn load(vault: &Vault, stored: &StoredCase) -> Result<Self> {
        let Some((decisions, key_file)) = stored.case.files().decisions else { return Ok(Self::begin()) };
        let id = stored.case.id();
        let unreadable = || {
            VaultError::new(ErrorKind::Integrity, format!("the decisions of case {id} cannot be read"))
                .hint(format!(
                    "repair the replicas first; where that does not help, `prismvault privacy review {id} --anew` decides everything again"
                ))
        };
        let or_anew = |error: VaultError| if error.is_damage() { unreadable().because(error) } else { error };
        let key = case_files::load(vault, id, &key_file).await.map_err(or_anew)?;
        let bytes = case_files::load(vault, id, &decisions).await.map_err(or_anew)?;
        // What serde says may quote what it read.
        let remembered = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        let key = <[u8; 32]>::try_from(&key[..]).map_err(|_| unreadable())?;
        Ok(Self { key, key_file: Some(key_file), remembered })
    }

    /// Stores the decisions; returns the event that names them.
    ///
    /// # Errors
    ///
    /// Those of [`case_files::store`].
    pub async fn store(&mut self, vault: &Vault, case: &CaseId, report: &SearchReport) -> Result<What> {
        let key_file = match self.key_file {
            Some(file) => file,
            None => case_files::store(vault, case, self.key.to_vec()).await?,
        };
        self.key_file = Some(key_file);
        let plain = serde_json::to_vec(&self.remembered).expect("decisions always serialise");
        let decisions = case_files::store(vault, case, plain).await?;
        let Progress { decided, unsure, open } = self.progress(report);
        Ok(What::ReviewChanged { decided, unsure, open, decisions: Some(decisions), key: Some(key_file) })
    }

    /// SHA-256 of the decisions, however they are stored.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&self.remembered).expect("decisions always serialise"))
    }

    /// What a decision on a finding is remembered by, under one of the paths of its item.
    ///
    /// The path counts, as a namesake may stand in another document in the same words. That of a
    /// release is that of the document.
    pub fn key(&self, path: &str, finding: &Finding) -> DecisionKey {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        hmac.update(finding.fingerprint.bytes());
        hmac.update(of_document(path).as_bytes());
        let full: [u8; 32] = hmac.finalize().into_bytes().into();
        let (half, _) = full.split_first_chunk().expect("32 bytes have a first half");
        DecisionKey(*half)
    }

    /// What is remembered under a key.
    pub fn get(&self, key: &DecisionKey) -> Option<&Remembered> {
        self.remembered.get(key)
    }

    /// Whether it was stored before: then its keys stay.
    pub fn is_stored(&self) -> bool {
        self.key_file.is_some()
    }

    /// Remembers a decision; an earlier one and its second look are replaced.
    pub fn decide(&mut self, question: &Question, decided: Decided) {
        let Question { tier, rule, .. } = *question;
        let key = self.key(&question.path, &question.finding);
        self.remembered.insert(key, Remembered { decided, tier, rule, checked: None });
    }

    /// Remembers what a second person says of a finding; says whether they agree. Where they differ,
    /// it becomes unsure.
    ///
    /// # Errors
    ///
    /// When nothing is decided under this key, or the same person decided it.
    pub fn check(&mut self, question: &Question, second: Decided) -> std::result::Result<bool, CheckError> {
        let key = self.key(&question.path, &question.finding);
        let remembered = self.remembered.get_mut(&key).ok_or(CheckError::NotDecided)?;
        if remembered.decided.by == second.by {
            return Err(CheckError::SamePerson);
        }
        let agrees = second.decision == remembered.decided.decision;
        if !agrees {
            remembered.decided.decision = Decision::Unsure;
        }
        remembered.checked = Some(second);
        Ok(agrees)
    }

    /// What was decided of a finding, under all paths of its item. `None` while one of them has no
    /// decision; unsure while one is unsure; otherwise the one that gives most to the person and
    /// most protection to others.
    pub fn of(&self, found: &FoundItem, finding: &Finding) -> Option<Decided> {
        /// Which of several counts.
        const STRONGEST: [Decision; 5] =
            [Decision::Unsure, Decision::ThirdParty, Decision::Keep, Decision::Subject, Decision::NotSubject];
        let paths = paths_of(found);
        let mut all = Vec::with_capacity(paths.len());
        for path in &paths {
            all.push(&self.get(&self.key(path, finding))?.decided);
        }
        let strongest = STRONGEST
            .into_iter()
            .find_map(|decision| all.iter().find(|decided| decided.decision == decision))?;
        let redact: BTreeSet<&String> = all.iter().flat_map(|decided| &decided.redact).collect();
        let redact = redact.into_iter().cloned().collect();
        Some(Decided { redact, ..(**strongest).clone() })
    }

    /// How far the review of what a search found is.
    pub fn progress(&self, report: &SearchReport) -> Progress {
        let mut progress = Progress::default();
        for (found, finding) in report.each() {
            match self.of(found, finding).map(|decided| decided.decision) {
                None => progress.open += 1,
                Some(Decision::Unsure) => progress.unsure += 1,
                Some(_) => progress.decided += 1,
            }
        }
        progress
    }
}

/// Why a second look was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// There is nothing to check.
    #[error("it has no decision yet that a second person could check")]
    NotDecided,
    /// The same person decided it.
    #[error("who decided it cannot check it; another person is needed")]
    SamePerson,
}

/// The paths of an item by which decisions on it are remembered, each once.
pub(super) fn paths_of(found: &FoundItem) -> BTreeSet<String> {
    let live = found.live.iter().map(|live| &*live.path);
    let paths: BTreeSet<String> =
        found.paths().into_iter().chain(live).map(|path| of_document(path).to_owned()).collect();
    match (paths.is_empty(), &found.item) {
        // In no snapshot any more, and not pruned yet.
        (true, Some(item)) => BTreeSet::from([format!("item {item}")]),
        _ => paths,
    }
}

/// The path of the document of which a release shows another state.
fn of_document(path: &str) -> &str {
    path.strip_prefix("releases/").and_then(|rest| rest.split_once('/')).map_or(path, |(_, rest)| rest)
}
