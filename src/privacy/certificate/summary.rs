//! What a certificate takes over from the plan, the search, the case and the vault: numbers, ids and codes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::claims::{Basis, OwnFilesState, Scope, claims};
use super::grounds;
use super::why::{Code, Why};
use super::{Certificate, FORMAT, KIND, Limit, Method, Planned, PrismicKeeps};
use crate::clock::{Timestamp, rfc3339};
use crate::ids::{Digest, Name, SnapshotId, hex};
use crate::privacy::case::{Case, What};
use crate::privacy::erasure::plan::Plan;
use crate::privacy::passage::Reason;
use crate::privacy::proof::evidence::Evidence;
use crate::privacy::search::{Not, SearchReport, SearchedRepository};
use crate::vault::format::order::Change;
use crate::vault::item::ItemKind;
use crate::vault::signing::VerifyingKey;

/// How much of what there is the search of this version finds, as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// The day on which it was measured.
    pub measured: NaiveDate,
    /// Version of the program that was measured.
    pub tool: String,
    /// The program that measures.
    pub with: String,
    /// Texts of the corpus that name an invented person.
    pub texts: u64,
    /// Those that were found.
    pub found: u64,
    /// Naming cultures of these people.
    pub cultures: u64,
    /// Texts that only look like a person.
    pub decoys: u64,
    /// Those that were taken for one.
    pub decoys_taken: u64,
    /// Least recall of each class, below which the measurement fails, in thousandths.
    pub least_per_mille: BTreeMap<String, u64>,
}

static RECALL: LazyLock<Recall> = LazyLock::new(|| {
    serde_json::from_str(include_str!("recall.json")).expect("a test reads the file of the program")
});

impl Recall {
    /// What was measured last.
    pub fn measured() -> &'static Self {
        &RECALL
    }
}

/// What was searched for the person, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// When the search began, RFC 3339.
    pub at: String,
    /// Version of the program that searched.
    pub tool: String,
    /// Repositories and their snapshots.
    pub snapshots: Vec<SnapshotsOf>,
    /// Repositories whose live content was searched as well.
    pub live: BTreeSet<Name>,
    /// Distinct items that were looked at.
    pub items: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Items, or parts of them, that could not be searched, by reason.
    pub unsearchable: BTreeMap<Reason, u64>,
    /// What no search can reach.
    pub beyond: Vec<Not>,
}

/// The snapshots of one repository that were searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotsOf {
    /// Its name, or that of its lists of members.
    pub repository: Name,
    /// Snapshots.
    pub snapshots: u64,
    /// The oldest.
    pub from: SnapshotId,
    /// The newest.
    pub to: SnapshotId,
}

/// How well the fields of a repository are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldsOf {
    /// The repository.
    pub repository: Name,
    /// Fields of which somebody has said what they may hold of people.
    pub classified: u64,
    /// Fields of which nobody has; `None`: the models could not be read, or nobody has said anything.
    pub unclassified: Option<u64>,
}

/// An order of erasure, and who approved it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderEntry {
    /// The space of the vault.
    pub space: Name,
    /// Id of its entry in the ledger: the time at which it was written is in it.
    pub entry: SnapshotId,
    /// SHA-256 of that entry.
    pub sha256: Digest,
    /// Ids of the keys that approved it, as minisign shows them.
    pub approved_by: BTreeSet<String>,
}

impl OrderEntry {
    /// The id of a key, as minisign shows it.
    pub fn key_id(key: &VerifyingKey) -> String {
        hex(&key.key_id()).to_uppercase()
    }
}

/// What is known of copies that the storage of a replica makes by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaOutlook {
    /// The replica, by its name in the configuration.
    pub replica: String,
    /// What is known.
    pub copies: Copies,
}

/// Whether the storage of a replica copies objects to another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copies {
    /// Its bucket copies objects nowhere.
    None,
    /// Its bucket copies objects to another place, where nothing is erased.
    Replicated,
    /// The store does not say.
    NotKnown,
    /// A directory: nobody here knows of snapshots of its volume.
    Volume,
}

/// What a certificate is made from.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// When.
    pub made: Timestamp,
    /// The case.
    pub case: &'a Case,
    /// The plan that was carried out.
    pub plan: &'a Plan,
    /// What the search found from which the plan was made.
    pub search: &'a SearchReport,
    /// What was seen afterwards.
    pub evidence: &'a Evidence,
    /// The orders.
    pub orders: &'a [OrderEntry],
    /// Every replica of the configuration, also one that cannot be reached.
    pub outlook: &'a [ReplicaOutlook],
    /// Whether packs of the vault are encrypted.
    pub encrypted: bool,
    /// How well the fields of repositories are known.
    pub fields: &'a [FieldsOf],
    /// What became of this program's own files.
    pub own_files: &'a OwnFilesState,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakingError {
    /// The evidence is of another case or plan.
    #[error("what was seen is of another {0} than the one that is certified")]
    Foreign(&'static str),
    /// A name stands where only an id may: it could be that of a person.
    #[error("a file is named in what was seen by something that is no id")]
    NoId,
}

impl Making<'_> {
    /// Makes the certificate; pages are added when it is written.
    ///
    /// # Errors
    ///
    /// [`MakingError`].
    pub fn make(&self) -> Result<Certificate, MakingError> {
        let (plan, evidence) = (self.plan, self.evidence);
        let sha256 = plan.hash();
        if *self.case.id() != plan.case || evidence.case != plan.case {
            return Err(MakingError::Foreign("case"));
        }
        if evidence.plan != sha256 {
            return Err(MakingError::Foreign("plan"));
        }
        let assets = self.assets();
        let evidence = &without_names(evidence, &assets)?;
        let scope = self.scope(assets.into_values().collect());
        let basis = Basis { scope: &scope, evidence, own_files: self.own_files, is_of_plan: true };
        Ok(Certificate {
            kind: KIND.to_owned(),
            format: FORMAT,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            recall: Recall::measured().clone(),
            vault: plan.vault,
            case: plan.case.clone(),
            made: rfc3339(self.made),
            received: self.case.received_on(),
            claims: claims(&basis),
            incomplete: self.incomplete(),
            plan: planned(plan, sha256),
            kept: grounds::counted(plan.kept.iter().map(|own| &*own.ground)),
            holds: grounds::counted(self.holds()),
            searched: searched(self.search),
            fields: self.fields.to_vec(),
            orders: self.orders.to_vec(),
            outlook: self.outlook.to_vec(),
            own_files: self.own_files.clone(),
            prismic: PrismicKeeps::ALL.to_vec(),
            methods: Method::used(evidence),
            limits: Limit::ALL.to_vec(),
            pages: Vec::new(),
            evidence: evidence.clone(),
            scope,
        })
    }

    /// Ids of files whose bytes were to go, and what stands for each: an id that could be the name of a file
    /// gets a number.
    fn assets(&self) -> BTreeMap<String, String> {
        let in_vault = self.plan.items.iter().flat_map(|item| &item.paths);
        let paths = in_vault.chain(self.plan.live.iter().map(|own| &own.path));
        let ids: BTreeSet<&str> = paths.filter_map(|path| asset_of(path)).collect();
        let shown = |(n, id): (u64, &str)| match is_id(id) {
            true => (id.to_owned(), id.to_owned()),
            false => (id.to_owned(), format!("unnamed-{n}")),
        };
        (1..).zip(ids).map(shown).collect()
    }

    fn scope(&self, assets: BTreeSet<String>) -> Scope {
        let coverage = &self.search.coverage;
        // Lists of members are imported by people: nothing of them is live.
        let searched = coverage.repositories.iter().map(|own| &own.repository);
        let repositories = searched
            .filter(|name| !name.is_access_chain())
            .chain(&coverage.live)
            .chain(self.plan.live.iter().map(|own| &own.repository));
        let copied = self.outlook.iter().filter(|own| own.copies == Copies::Replicated);
        Scope {
            repositories: repositories.cloned().collect(),
            assets,
            replicas: self.outlook.iter().map(|own| own.replica.clone()).collect(),
            encrypted: self.encrypted,
            left: self.plan.left.len() as u64,
            copied: copied.map(|own| own.replica.clone()).collect(),
        }
    }

    /// Why the search was not whole.
    fn incomplete(&self) -> Vec<Why> {
        let coverage = &self.search.coverage;
        let mut why = BTreeSet::new();
        for repository in coverage.repositories.iter().map(|own| &own.repository) {
            if repository.is_access_chain() {
                continue;
            }
            if !coverage.live.contains(repository) {
                why.insert(Why::new(Code::NotSearchedLive).of(repository));
            }
            match self.fields.iter().find(|own| own.repository == *repository).map(|own| own.unclassified) {
                Some(Some(0)) => {}
                Some(Some(count)) => {
                    why.insert(Why::new(Code::Unclassified).of(repository).count(count));
                }
                Some(None) | None => {
                    why.insert(Why::new(Code::FieldsNotKnown).of(repository));
                }
            }
        }
        if coverage.unread > 0 {
            why.insert(Why::new(Code::SearchUnread).count(coverage.unread));
        }
        if !coverage.problems.is_empty() {
            why.insert(Why::new(Code::SearchProblems).count(coverage.problems.len() as u64));
        }
        why.into_iter().collect()
    }

    /// The grounds of the holds that are not released.
    fn holds(&self) -> impl Iterator<Item = &str> {
        let grounds = self.case.events().iter().filter_map(|event| match &event.what {
            What::Hold { ground, .. } => Some(ground.as_str()),
            _ => None,
        });
        grounds.zip(&self.case.state().holds).filter(|(_, hold)| !hold.released).map(|(ground, _)| ground)
    }
}

/// What was seen, with files by what stands for them.
fn without_names(evidence: &Evidence, assets: &BTreeMap<String, String>) -> Result<Evidence, MakingError> {
    let mut evidence = evidence.clone();
    for own in &mut evidence.urls {
        match assets.get(&own.asset) {
            Some(shown) => own.asset.clone_from(shown),
            None if is_id(&own.asset) => {}
            None => return Err(MakingError::NoId),
        }
    }
    Ok(evidence)
}

fn planned(plan: &Plan, sha256: Digest) -> Planned {
    let count = |change: Change| plan.items.iter().filter(|item| item.change == change).count() as u64;
    Planned {
        sha256,
        at: plan.planned.clone(),
        by: OrderEntry::key_id(&plan.planned_by),
        masked: count(Change::Masked),
        corrected: count(Change::Corrected),
        removed: count(Change::Removed),
        left: plan.left.len() as u64,
        live: plan.live.len() as u64,
    }
}

fn searched(search: &SearchReport) -> Searched {
    let coverage = &search.coverage;
    let snapshots = |own: &SearchedRepository| SnapshotsOf {
        repository: own.repository.clone(),
        snapshots: own.snapshots,
        from: own.from.clone(),
        to: own.to.clone(),
    };
    Searched {
        at: rfc3339(search.at),
        tool: search.version.clone(),
        snapshots: coverage.repositories.iter().map(snapshots).collect(),
        live: coverage.live.iter().cloned().collect(),
        items: coverage.items,
        bytes: coverage.bytes,
        unsearchable: coverage.unsearchable.clone(),
        beyond: coverage.beyond.clone(),
    }
}

/// The id of the file whose bytes lie under a path.
fn asset_of(path: &str) -> Option<&str> {
    if ItemKind::of_path(path) != Some(ItemKind::Asset) {
        return None;
    }
    path.split('/').rev().nth(1)
}

/// Whether it has the form of an id: names of files have dots and more.
fn is_id(text: &str) -> bool {
    (1..=120).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
