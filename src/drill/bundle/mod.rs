//! A drill as a directory that anybody can check: the signed record, its files, what people said since, and the
//! keys, without vault and network.
//!
//! ```text
//! bundle.json, bundle.json.minisig    every other file with its SHA-256, and what was left out; signed
//! record/drill.json(.minisig)         the record, as it lies in the vault
//! record/statements/<n>.json(…)       what people said, each with their signature
//! record/closed/<finding>.json(…)     findings that are closed
//! record/keys.json                    public keys of the vault and of people
//! report.json, plan.toml, …           the files of the record, under their own paths
//! now/report.json, …                  the report as it stands after what was said since
//! ```
//!
//! A bundle for auditors outside has no names of people and nothing that may be content: statements, closures and
//! files are left out, listed with their digests, and `now/` is rendered without names.

mod verify;
mod write;

pub use self::verify::{Trusted, Verified, Vouched, verify};
pub use self::write::{Contents, Written, gather, write};

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, SnapshotId, VaultId};
use crate::vault::signing::VerifyingKey;

/// Name of the list of files.
pub const BUNDLE: &str = "bundle.json";
/// Name of its signature, in minisign's format.
pub const SIGNATURE: &str = "bundle.json.minisig";
/// Kind of [`Bundle`].
pub const KIND: &str = "drill-bundle";
/// Version of [`Bundle`].
pub const FORMAT: u32 = 1;

/// Below it: what is signed by itself.
const RECORD: &str = "record";
/// Below it: renderings of the report as it stands.
const NOW: &str = "now";

/// Path of the record.
fn record() -> String {
    format!("{RECORD}/drill.json")
}

/// Path of the keys.
fn keys() -> String {
    format!("{RECORD}/keys.json")
}

/// Path of a statement.
fn statement(n: u32) -> String {
    format!("{RECORD}/statements/{n}.json")
}

/// Path of a closure.
fn closure(finding: &str) -> String {
    format!("{RECORD}/closed/{finding}.json")
}

/// Path of the signature of a file.
fn signature(of: &str) -> String {
    format!("{of}.minisig")
}

/// Path of a rendering of the report as it stands.
fn now(name: &str) -> String {
    format!("{NOW}/{name}")
}

/// Whether a path of a record can be that of a file in a bundle: below its directory, and none of our own.
fn is_plain(path: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_'))
    };
    let mut parts = path.split('/');
    let first = parts.clone().next().unwrap_or_default();
    path.len() <= 200 && parts.all(is_name) && ![RECORD, NOW, BUNDLE, SIGNATURE].contains(&first)
}

/// What is in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// [`KIND`].
    pub kind: String,
    /// [`FORMAT`].
    pub format: u32,
    /// The vault.
    pub vault: VaultId,
    /// The drill.
    pub drill: SnapshotId,
    /// When it was made, RFC 3339.
    pub made: String,
    /// Version of the program.
    pub tool: String,
    /// Whether it is for auditors outside.
    pub for_auditors: bool,
    /// How many statements counted when it was made.
    pub statements: u32,
    /// Every file but this one and its signature.
    pub files: Vec<BundleFile>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
}

/// A file that was left out of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The path that it would have.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// Why.
    pub why: String,
}

/// Public keys by which a bundle can be checked. Whether they are the right ones it cannot say itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The root key of the vault, which configurations pin.
    pub root: VerifyingKey,
    /// Keys that sign for the vault.
    pub vault: Vec<VaultKey>,
    /// Keys of people; none for auditors outside.
    pub people: Vec<PersonKey>,
}

/// A key of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultKey {
    /// The key.
    pub key: VerifyingKey,
    /// Whether it was trusted when the bundle was made; else it once was.
    pub current: bool,
}

/// The key of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonKey {
    /// Their name.
    pub name: String,
    /// The key.
    pub key: VerifyingKey,
    /// Whether they might sign off when the bundle was made.
    pub may_sign_off: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_record_never_leaves_its_bundle_nor_hides_what_is_ours() {
        for path in ["report.json", "checks/smoke-test.txt", "pages/1-home.png"] {
            assert!(is_plain(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "checks/../../x",
            "checks//x",
            "a\\b",
            "C:x",
            "bundle.json",
            "bundle.json.minisig",
            "record/drill.json",
            "now/report.json",
            "a\u{202e}b",
            "a b",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
