//! `MANIFEST.json`: every file of a package with its checksum, and the signature beside it.
//!
//! It holds no personal data but the number of the case, so it can be kept where the package cannot.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, Digest};
use crate::privacy::right::Right;

/// Name of the file.
pub const MANIFEST: &str = "MANIFEST.json";
/// Name of its signature, in minisign's format.
pub const SIGNATURE: &str = "MANIFEST.json.minisig";
/// What the file says to be.
pub const KIND: &str = "privacy-package";
/// Version of the form of packages.
pub const FORMAT: u32 = 1;

/// For whom a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The person only: it holds their data.
    Subject,
    /// Anybody: it holds nobody's data.
    Public,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Path from the top of the package, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Digest,
    /// For whom it is.
    pub class: Class,
}

/// The rules by which a package was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesUsed {
    /// Of deadlines: name of the profile, such as `de-by`.
    pub profile: String,
    /// Of matching: version of the program that searched.
    pub search: String,
}

/// What a package holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`KIND`].
    pub kind: String,
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the program.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The rules.
    pub rules: RulesUsed,
    /// The case.
    pub case: CaseId,
    /// What was asked for.
    pub right: Right,
    /// When it was made.
    pub prepared_on: NaiveDate,
    /// Every file but this one and its signature, by path.
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("manifests always serialise");
        bytes.push(b'\n');
        bytes
    }
}
