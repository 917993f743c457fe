//! Whether a bundle is what was signed: every file, none more, none less, and whether it agrees with itself.
//!
//! Works without vault, configuration and network. A bundle comes from outside: paths in it are names to compare
//! with, and are never opened; links are not followed; everything has a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    BUNDLE, Bundle, FORMAT, KIND, Keys, NOW, PersonKey, RECORD, SIGNATURE, keys, now, record, signature,
};
use crate::drill::record::{disagreements, understood};
use crate::drill::report::Report;
use crate::drill::report::after::{Stated, after};
use crate::drill::report::files;
use crate::files::digest_of;
use crate::ids::{Digest, VaultId};
use crate::privacy::certificate::verify::signer_of;
use crate::privacy::package::verify::{Fault, VerifyError, list, read_small};
use crate::vault::format::drill::{
    CLOSED_KIND, ClosedFile, DrillFile, DrillResult, KIND as DRILL_KIND, STATEMENT_KIND, StatementFile,
};
use crate::vault::layout;
use crate::vault::signing::{VerifyingKey, check_claims};

/// Largest list, record, statement or report that is read, in bytes.
const READ_MAX: u64 = 256 << 20;
/// Largest signature, in bytes; one has about 300.
const SIGNATURE_BYTES_MAX: u64 = 4096;

/// Whose keys say that a bundle is what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vouched {
    /// Keys that somebody named.
    Given,
    /// The vault of the configuration, and its people.
    Vault,
    /// Nobody but the bundle itself: whoever made it can have written anything.
    Nobody,
}

/// Whom to believe.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Who says so.
    pub by: Vouched,
    /// Keys that may have signed for the vault; ignored for [`Vouched::Nobody`].
    pub keys: Vec<VerifyingKey>,
    /// People of the configuration; `None`: those that the bundle names.
    pub people: Option<Vec<PersonKey>>,
    /// The vault that it must be of.
    pub vault: Option<VaultId>,
}

impl Trusted {
    /// Nobody: whether a bundle agrees with itself.
    pub fn nobody() -> Self {
        Self { by: Vouched::Nobody, keys: Vec::new(), people: None, vault: None }
    }

    /// These keys.
    pub fn given(keys: Vec<VerifyingKey>) -> Self {
        Self { by: Vouched::Given, keys, ..Self::nobody() }
    }
}

/// What came of checking a bundle.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The record, where its signature is right.
    pub drill: Option<DrillFile>,
    /// The list, where it can be read.
    pub bundle: Option<Bundle>,
    /// The key that signed the record.
    pub record_key: Option<VerifyingKey>,
    /// The key that signed the list, where it is one to believe.
    pub bundle_key: Option<VerifyingKey>,
    /// Statements whose signatures are right.
    pub statements: u32,
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// What is not vouched for, or does not count: nothing that was altered.
    pub notes: Vec<String>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.drill.is_some()
    }

    fn fault(&mut self, path: &str, what: impl Into<String>) {
        self.faults.push(Fault { path: path.escape_debug().to_string(), what: what.into() });
    }
}

/// Checks the bundle in a directory.
///
/// # Errors
///
/// [`VerifyError`], when the directory cannot be read.
pub fn verify(directory: &Path, trusted: &Trusted) -> Result<Verified, VerifyError> {
    let mut verified = Verified {
        drill: None,
        bundle: None,
        record_key: None,
        bundle_key: None,
        statements: 0,
        faults: Vec::new(),
        notes: Vec::new(),
    };
    let mut there = BTreeMap::new();
    list(directory, "", 0, &mut there, &mut verified.faults)?;
    let mut own = Checking { there, trusted, keys: None, verified };
    own.check();
    own.verified.faults.sort();
    own.verified.faults.dedup();
    Ok(own.verified)
}

struct Checking<'a> {
    there: BTreeMap<String, PathBuf>,
    trusted: &'a Trusted,
    /// What the bundle says of keys.
    keys: Option<Keys>,
    verified: Verified,
}

impl Checking<'_> {
    fn check(&mut self) {
        self.keys = self.read_json::<Keys>(&keys());
        let Some(bundle) = self.list() else { return };
        self.verified.bundle = Some(bundle.clone());
        self.files(&bundle);
        let Some(drill) = self.record(&bundle) else { return };
        self.attachments(&bundle, &drill);
        let stated = self.statements(&bundle, &drill);
        self.closures(&drill);
        self.report(&bundle, &drill, &stated);
        self.verified.drill = Some(drill);
    }

    /// Bytes of a file of the bundle; `None`, and a fault, where it is not there or cannot be read.
    fn read(&mut self, path: &str, max: u64) -> Option<Vec<u8>> {
        let read = match self.there.get(path) {
            None => Err("it is missing".to_owned()),
            Some(place) => read_small(place, max).map_err(|error| format!("it cannot be read: {error}")),
        };
        read.map_err(|what| self.verified.fault(path, what)).ok()
    }

    fn read_json<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let bytes = self.read(path, READ_MAX)?;
        self.parsed(path, &bytes)
    }

    fn parsed<T: serde::de::DeserializeOwned>(&mut self, path: &str, bytes: &[u8]) -> Option<T> {
        let wrong = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            format!(
                "it cannot be read, at line {line}, column {column}: a newer prismvault may have written it"
            )
        };
        serde_json::from_slice(bytes).map_err(|error| self.verified.fault(path, wrong(error))).ok()
    }

    /// Keys that sign for the vault, as far as they are to be believed, and as the bundle names them.
    fn vault_keys(&self) -> (Vec<VerifyingKey>, Vec<VerifyingKey>) {
        let named =
            self.keys.iter().flat_map(|keys| &keys.vault).map(|own| own.key.clone()).collect::<Vec<_>>();
        match self.trusted.by {
            Vouched::Nobody => (named.clone(), named),
            _ => (self.trusted.keys.clone(), named),
        }
    }

    /// The list of files, and whether a key that is believed signed it.
    fn list(&mut self) -> Option<Bundle> {
        let bytes = self.read(BUNDLE, READ_MAX)?;
        let bundle: Bundle = self.parsed(BUNDLE, &bytes)?;
        if bundle.kind != KIND || bundle.format != FORMAT {
            let (kind, format) = (bundle.kind.escape_debug(), bundle.format);
            self.verified.fault(
                BUNDLE,
                format!("it is a {kind} of format {format}, which this prismvault does not know"),
            );
            return None;
        }
        if !self.there.contains_key(SIGNATURE) {
            let note = "bundle.json is not signed: what lies in now/ and record/keys.json is on the word of whoever made the bundle";
            self.verified.notes.push(note.to_owned());
            return Some(bundle);
        }
        let signature = self.read(SIGNATURE, SIGNATURE_BYTES_MAX)?;
        let (believed, named) = self.vault_keys();
        match (signer_of(&bytes, &signature, &believed), signer_of(&bytes, &signature, &named)) {
            (Some(key), _) => self.verified.bundle_key = Some(key.clone()),
            (None, Some(key)) => {
                let note = format!("bundle.json is signed by {key}, for which nobody vouches");
                self.verified.notes.push(note);
            }
            (None, None) => {
                self.verified
                    .fault(BUNDLE, "no known key signed it: it was altered, or somebody else made it");
            }
        }
        Some(bundle)
    }

    /// Whether all files are there as the list has them, and no others.
    fn files(&mut self, bundle: &Bundle) {
        let mut listed: BTreeSet<&str> = [BUNDLE, SIGNATURE].into();
        for file in &bundle.files {
            if !listed.insert(&file.path) {
                self.verified.fault(&file.path, "bundle.json lists it twice");
            }
            let Some(place) = self.there.get(&file.path) else {
                self.verified.fault(&file.path, "it is missing");
                continue;
            };
            match digest_of(place) {
                Ok(found) if found == (file.size, file.sha256) => {}
                Ok(_) => self.verified.fault(&file.path, "it was altered: bundle.json has another SHA-256"),
                Err(error) => self.verified.fault(&file.path, format!("it cannot be read: {error}")),
            }
        }
        let added: Vec<String> =
            self.there.keys().filter(|path| !listed.contains(path.as_str())).cloned().collect();
        for path in added {
            self.verified.fault(&path, "it was added: bundle.json does not list it");
        }
    }

    /// A file that one of these keys signed, and that is what it says under the key it lay under.
    fn signed(
        &mut self,
        path: &str,
        kind: &str,
        key: &str,
        vault: &VaultId,
        signers: &[VerifyingKey],
    ) -> Option<(Vec<u8>, VerifyingKey)> {
        let bytes = self.read(path, READ_MAX)?;
        let text = self.read(&signature(path), SIGNATURE_BYTES_MAX)?;
        let Some(signer) = signer_of(&bytes, &text, signers).cloned() else {
            let what = match self.trusted.by {
                Vouched::Nobody => "no key of record/keys.json signed these bytes".to_owned(),
                _ if self
                    .keys
                    .iter()
                    .flat_map(|keys| &keys.vault)
                    .any(|own| signer_of(&bytes, &text, std::slice::from_ref(&own.key)).is_some()) =>
                {
                    "the key that signed it is none of those that are believed".to_owned()
                }
                _ => "no key that is believed signed these bytes: it was altered, or is of another vault"
                    .to_owned(),
            };
            self.verified.fault(path, what);
            return None;
        };
        match check_claims(&bytes, kind, vault, key, &"the bundle") {
            Ok(()) => Some((bytes, signer)),
            Err(error) => {
                self.verified.fault(path, error.to_string());
                None
            }
        }
    }

    fn record(&mut self, bundle: &Bundle) -> Option<DrillFile> {
        let (path, (believed, _)) = (record(), self.vault_keys());
        if let Some(vault) = self.trusted.vault.filter(|vault| *vault != bundle.vault) {
            let own = bundle.vault;
            self.verified
                .fault(&path, format!("it is of the vault {own}, and the configuration's is {vault}"));
        }
        let key = layout::drill(&bundle.drill);
        let (bytes, signer) = self.signed(&path, DRILL_KIND, &key, &bundle.vault, &believed)?;
        let drill: DrillFile = self.parsed(&path, &bytes)?;
        if drill.drill != bundle.drill {
            self.verified.fault(&path, "it is the record of another drill than bundle.json says");
        }
        self.verified.record_key = Some(signer);
        Some(drill)
    }

    /// Whether every file of the record is there, or was left out and is named.
    fn attachments(&mut self, bundle: &Bundle, drill: &DrillFile) {
        for own in &drill.files {
            let left_out = bundle.left_out.iter().find(|left| left.path == own.path);
            match (self.there.get(&own.path).map(|place| digest_of(place)), left_out) {
                (Some(Ok(found)), _) if found == (own.bytes, own.sha256) => {}
                (Some(Ok(_)), _) => {
                    self.verified.fault(&own.path, "it was altered: the signed record has another SHA-256");
                }
                (Some(Err(error)), _) => {
                    self.verified.fault(&own.path, format!("it cannot be read: {error}"));
                }
                (None, Some(left)) if (left.size, left.sha256) == (own.bytes, own.sha256) => {}
                (None, Some(_)) => {
                    self.verified.fault(&own.path, "what was left out has another SHA-256 in the record");
                }
                (None, None) => self.verified.fault(&own.path, "it is missing: the signed record names it"),
            }
        }
        let of_record = |path: &str| drill.files.iter().any(|own| own.path == path);
        let ours =
            |path: &str| path.starts_with(&format!("{RECORD}/")) || path.starts_with(&format!("{NOW}/"));
        for file in bundle.files.iter().filter(|file| !of_record(&file.path) && !ours(&file.path)) {
            self.verified.fault(&file.path, "it was added: the signed record does not name it");
        }
    }

    /// The statements that are there, each signed by the person it names and following from the one before.
    fn statements(&mut self, bundle: &Bundle, drill: &DrillFile) -> Vec<Stated> {
        let mut stated = Vec::new();
        let people = match (&self.trusted.people, &self.keys) {
            (Some(people), _) => people.clone(),
            (None, Some(keys)) => keys.people.clone(),
            (None, None) => Vec::new(),
        };
        let Some(mut before) = self.digest(&record()) else { return stated };
        for n in 1..=bundle.statements {
            let path = super::statement(n);
            if bundle.left_out.iter().any(|left| left.path == path) {
                break;
            }
            let signers: Vec<VerifyingKey> = people.iter().map(|own| own.key.clone()).collect();
            let key = layout::drill_statement(&drill.drill, n);
            let Some((bytes, signer)) = self.signed(&path, STATEMENT_KIND, &key, &drill.vault, &signers)
            else {
                return stated;
            };
            let Some(file) = self.parsed::<StatementFile>(&path, &bytes) else { return stated };
            let person = people.iter().find(|own| own.name == file.by && own.key == signer);
            let Some(person) = person else {
                let by = file.by.escape_debug();
                self.verified.fault(&path, format!("{by} did not sign it: the key is somebody else's"));
                return stated;
            };
            if file.before != before || file.n != n || file.drill != drill.drill {
                self.verified.fault(&path, "it does not follow from the record and the statements before it");
                return stated;
            }
            before = Digest::of(&bytes);
            self.verified.statements = n;
            match understood(&file, None, person.may_sign_off) {
                Ok(one) => stated.push(one),
                Err(why) => self.verified.notes.push(format!("{path}: {why}")),
            }
        }
        stated
    }

    fn digest(&self, path: &str) -> Option<Digest> {
        self.there.get(path).and_then(|place| digest_of(place).ok()).map(|(_, digest)| digest)
    }

    fn closures(&mut self, drill: &DrillFile) {
        let (believed, _) = self.vault_keys();
        let prefix = format!("{RECORD}/closed/");
        let all: Vec<String> = self
            .there
            .keys()
            .filter(|path| path.starts_with(&prefix) && path.ends_with(".json"))
            .cloned()
            .collect();
        for path in all {
            let Some(file) = self.read_json::<ClosedFile>(&path) else { continue };
            let key = layout::closed_finding(&file.drill, &file.finding);
            let named = super::closure(&file.finding);
            if named != path {
                self.verified.fault(&path, "it is of another finding");
            }
            self.signed(&path, CLOSED_KIND, &key, &drill.vault, &believed);
        }
    }

    /// Whether the report agrees with the record, and the report as it stands follows from both.
    fn report(&mut self, bundle: &Bundle, drill: &DrillFile, stated: &[Stated]) {
        // A drill that was killed has none.
        let is_killed =
            drill.result == DrillResult::Abandoned && drill.files.iter().all(|own| own.path != files::JSON);
        let left_out = is_killed || bundle.left_out.iter().any(|left| left.path == files::JSON);
        let own = match left_out {
            true => None,
            false => self.read_json::<Report>(files::JSON),
        };
        for what in own.iter().flat_map(|report| disagreements(drill, report)) {
            self.verified.fault(files::JSON, what);
        }
        let path = now(files::JSON);
        let shown = match self.there.contains_key(&path) {
            true => self.read_json::<Report>(&path),
            false => None,
        };
        for what in shown.iter().flat_map(|report| disagreements(drill, report)) {
            self.verified.fault(&path, what);
        }
        let Some(recorded) = own else { return };
        let follows = after(&recorded, stated, &[]);
        let refused = follows.deviations.iter().filter(|line| !recorded.deviations.contains(line));
        self.verified.notes.extend(refused.cloned());
        let standings = |report: &Report| {
            report.gates.iter().map(|own| (own.gate, own.standing, own.verdict)).collect::<Vec<_>>()
        };
        match shown {
            Some(shown) if standings(&shown) != standings(&follows) => {
                self.verified
                    .fault(&path, "its gates stand otherwise than the record and the statements say");
            }
            None if !stated.is_empty() => {
                self.verified.fault(&path, "it is missing, although people said something since");
            }
            _ => {}
        }
    }
}
