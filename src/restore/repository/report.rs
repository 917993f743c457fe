//! What a restore of a repository tells at its end: evidence, as JSON and as a page.
//!
//! Ids, places, counts and times; no content.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::fidelity::FidelityReport;
use super::forecast::Forecast;
use super::ids::IdMap;
use super::plan::PlannedStep;
use super::read_back::ReadBack;
use crate::clock::Timestamp;
use crate::ids::{Name, SnapshotId};
use crate::progress::Problem;
use crate::vault::erasure::Applied;

/// How a run of a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Everything is live, and was read back.
    ReadBack,
    /// A person has to publish the migration release; then the same command goes on.
    WaitsForPublish {
        /// Documents that are in it.
        staged: u64,
    },
    /// Answers were lost, and what became of them could not be found out.
    Open,
}

/// What came of a restore.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its id.
    pub restore: SnapshotId,
    /// Repository of the snapshot.
    pub source: Name,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The target, by its name of the configuration.
    pub target: Name,
    /// Prismic's name of the target.
    pub repository: String,
    /// What orders of erasure changed of the snapshot.
    pub applied: Applied,
    /// When this run began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How.
    pub ending: Ending,
    /// The steps, with how much of each is done.
    pub steps: Vec<PlannedStep>,
    /// What was foretold.
    pub forecast: Forecast,
    /// Requests of this run by API.
    pub requests: BTreeMap<&'static str, u64>,
    /// Documents that may be in the target twice, or not at all: the answer to their creation was lost.
    pub possible_orphans: Vec<String>,
    /// What differs between snapshot and target; `None` where not all is live yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_back: Option<ReadBack>,
    /// What Prismic could not take back.
    pub fidelity: FidelityReport,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// Which id of the snapshot became which.
    #[serde(serialize_with = "id_map")]
    pub ids: IdMap,
}

impl Report {
    /// Whether everything is as it was, but for what was foretold.
    pub fn is_as_foretold(&self) -> bool {
        self.read_back.as_ref().is_some_and(|back| back.defects == 0)
    }
}

fn id_map<S: Serializer>(ids: &IdMap, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Ids<'a> {
        documents: BTreeMap<&'a str, &'a str>,
        assets: BTreeMap<&'a str, &'a str>,
    }
    Ids { documents: ids.documents().collect(), assets: ids.assets().collect() }.serialize(serializer)
}
