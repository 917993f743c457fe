//! Whether a package is what its maker signed: every file, none more, none less.
//!
//! Works without vault, configuration and network. A package comes from outside: paths in its manifest are
//! names to compare with, and are never opened; links are not followed; everything has a bound.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::{FORMAT, KIND, MANIFEST, Manifest, SIGNATURE};
use crate::files::digest_of;
use crate::vault::signing::VerifyingKey;

/// Largest manifest that is read, in bytes: a hundred bytes a file, of some hundred thousand files.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Largest signature, in bytes; one has about 300.
const SIGNATURE_BYTES_MAX: u64 = 4096;
/// Most files in a directory tree that are looked at, and deepest directory: packages are flat.
const ENTRIES_MAX: usize = 1_000_000;
const DEPTH_MAX: usize = 8;

/// What is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file, from the top of the package; escaped where it could disturb a terminal.
    pub path: String,
    /// What is wrong, in words.
    pub what: String,
}

/// What came of checking a package.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The manifest, where its signature is right.
    pub manifest: Option<Manifest>,
    /// The key that signed it.
    pub key: Option<VerifyingKey>,
    /// All that is wrong; nothing, where the package is whole and untouched.
    pub faults: Vec<Fault>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.manifest.is_some()
    }
}

/// Why a package could not be checked at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", place.display())]
pub struct VerifyError {
    /// What could not be read.
    pub place: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Checks a package that one of these keys is to have signed.
///
/// # Errors
///
/// [`VerifyError`], when the directory cannot be read.
pub fn verify(directory: &Path, keys: &[VerifyingKey]) -> Result<Verified, VerifyError> {
    let mut verified = Verified { manifest: None, key: None, faults: Vec::new() };
    let mut there = BTreeMap::new();
    list(directory, "", 0, &mut there, &mut verified.faults)?;
    let mut take = |name: &str, max| match there.remove(name) {
        None => Err("it is missing, so nothing says what belongs to the package".to_owned()),
        Some(path) => read_small(&path, max).map_err(|error| error.to_string()),
    };
    let signed = take(MANIFEST, MANIFEST_BYTES_MAX).map_err(|what| (MANIFEST, what));
    let signature = take(SIGNATURE, SIGNATURE_BYTES_MAX).map_err(|what| (SIGNATURE, what));
    let (signed, signature) = match (signed, signature) {
        (Ok(signed), Ok(signature)) => (signed, signature),
        (signed, signature) => {
            for (name, what) in [signed.err(), signature.err()].into_iter().flatten() {
                verified.fault(name, what);
            }
            return Ok(verified);
        }
    };
    let signature = String::from_utf8_lossy(&signature);
    let Some(key) = keys.iter().find(|key| key.verifies(&signed, &signature)) else {
        let what = match keys {
            [] => "there is no key to check it with".to_owned(),
            [key] => format!("it is not the signature of the key {key} on this manifest"),
            _ => format!("it is not the signature of any of the {} known keys on this manifest", keys.len()),
        };
        verified.fault(SIGNATURE, what);
        return Ok(verified);
    };
    verified.key = Some(key.clone());
    let manifest = match serde_json::from_slice::<Manifest>(&signed) {
        Ok(manifest) if manifest.kind == KIND && manifest.format == FORMAT => manifest,
        Ok(manifest) => {
            let what = format!(
                "it is a {} of format {}, which this prismvault does not know",
                manifest.kind.escape_debug(),
                manifest.format
            );
            verified.fault(MANIFEST, what);
            return Ok(verified);
        }
        Err(error) => {
            verified.fault(MANIFEST, format!("it cannot be read: {error}"));
            return Ok(verified);
        }
    };
    for file in &manifest.files {
        match there.remove(&file.path) {
            None => verified.fault(&file.path, "it is missing".to_owned()),
            Some(path) => match digest_of(&path) {
                Ok((size, _)) if size != file.size => {
                    let what = format!("it has {size} bytes, and had {} when it was signed", file.size);
                    verified.fault(&file.path, what);
                }
                Ok((_, digest)) if digest != file.sha256 => {
                    verified.fault(&file.path, "it was changed since it was signed".to_owned());
                }
                Ok(_) => {}
                Err(error) => verified.fault(&file.path, format!("it cannot be read: {error}")),
            },
        }
    }
    for path in there.keys() {
        verified.fault(path, "it does not belong to the package: nobody signed it".to_owned());
    }
    verified.manifest = Some(manifest);
    verified.faults.sort();
    Ok(verified)
}

impl Verified {
    fn fault(&mut self, path: &str, what: String) {
        self.faults.push(Fault { path: path.escape_debug().to_string(), what });
    }
}

/// Lists the files of a directory by their paths from its top.
pub(crate) fn list(
    directory: &Path,
    prefix: &str,
    depth: usize,
    there: &mut BTreeMap<String, PathBuf>,
    faults: &mut Vec<Fault>,
) -> Result<(), VerifyError> {
    let failed = |source| VerifyError { place: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        let path = format!("{prefix}{}", name.to_string_lossy());
        let mut fault = |what: &str| {
            faults.push(Fault { path: path.escape_debug().to_string(), what: what.to_owned() });
        };
        if there.len() >= ENTRIES_MAX {
            fault("there are more files than any package has");
            return Ok(());
        }
        if kind.is_dir() {
            if depth < DEPTH_MAX {
                list(&entry.path(), &format!("{path}/"), depth + 1, there, faults)?;
            } else {
                fault("it is a directory deeper than any of a package");
            }
        } else if kind.is_file() {
            there.insert(path, entry.path());
        } else {
            fault("it is no file: a link, or something else that does not belong here");
        }
    }
    Ok(())
}

pub(crate) fn read_small(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other("it is larger than any of a package"));
    }
    Ok(bytes)
}
