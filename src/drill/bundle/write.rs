//! Making a bundle: everything is read and checked before the first byte is written, beside the place where it is
//! to be; it gets its name when it is whole.
//!
//! **If we crash here** an unfinished directory `.NAME.….partial` stays behind, which is no bundle.

use std::path::{Path, PathBuf};

use super::{
    BUNDLE, Bundle, BundleFile, FORMAT, KIND, Keys, LeftOut, PersonKey, SIGNATURE, VaultKey, closure,
    is_plain, keys, now, record, signature, statement,
};
use crate::clock::rfc3339;
use crate::config::Person;
use crate::drill::record::Record;
use crate::drill::report::files::render;
use crate::ids::Digest;
use crate::privacy::package::WriteError;
use crate::privacy::package::out::write_directory;
use crate::vault::drills::read_file;
use crate::vault::error::{ErrorKind, VaultError};
use crate::vault::format::drill::{DrillAttachment, DrillResult};
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::signing::SigningKey;

/// A bundle that is not written yet.
#[derive(Debug)]
pub struct Contents {
    /// Its list; the files are those of [`files`](Self::files).
    pub bundle: Bundle,
    /// Its files by their paths.
    pub files: Vec<(String, Vec<u8>)>,
    /// What should be in it and is damaged everywhere.
    pub damaged: Vec<String>,
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The directory.
    pub place: PathBuf,
    /// Whether a key of the vault signed it.
    pub is_signed: bool,
}

/// Reads everything that is to be in a bundle.
///
/// # Errors
///
/// [`ErrorKind::Identity`] without an identity that reads content; [`ErrorKind::Integrity`] when the report cannot
/// be read, or the record names a path that no bundle has.
pub async fn gather(
    vault: &Vault,
    drill: &Record,
    people: &[Person],
    for_auditors: bool,
) -> Result<Contents, VaultError> {
    vault.require_content_identity()?;
    let report = drill.now();
    // One that was killed has no report, and belongs to the population all the same.
    let is_killed = drill.stored.file.result == DrillResult::Abandoned && drill.stored.file.files.is_empty();
    if report.is_none() && !is_killed {
        let id = &drill.stored.file.drill;
        let why = drill.report.as_ref().err().map(|error| with_causes(error)).unwrap_or_default();
        return Err(VaultError::new(
            ErrorKind::Integrity,
            format!("the report of drill {id} cannot be read: {why}"),
        )
        .hint("`prismvault drill verify` says what is wrong with it on which replica"));
    }
    let mut own = Gathering { files: Vec::new(), left_out: Vec::new(), damaged: Vec::new(), for_auditors };
    own.signed(&record(), &drill.stored.signed, true);
    for one in &drill.statements {
        own.signed(&statement(one.file.n), &one.signed, false);
    }
    for one in &drill.closures {
        own.signed(&closure(&one.file.finding), &one.signed, false);
    }
    own.put(keys(), to_json(&public_keys(vault, people, for_auditors)?));
    for attachment in &drill.stored.file.files {
        own.attachment(vault, drill, attachment).await?;
    }
    let shown = match for_auditors {
        true => report.map(|report| report.for_auditors()),
        // The page of the record has no pictures in it; the one beside it has those that are at hand.
        false => report
            .filter(|_| drill.is_continued() || own.files.iter().any(|(path, _)| path.ends_with(".png"))),
    };
    if let Some(shown) = shown {
        let picture = |path: &str| {
            let (_, bytes) = own.files.iter().find(|(own, _)| own == path)?;
            Some(bytes::Bytes::copy_from_slice(bytes))
        };
        let rendered = render(&shown, &picture);
        rendered.into_iter().for_each(|(name, bytes)| own.put(now(name), bytes));
    }
    let listed = own.files.iter().map(|(path, bytes)| BundleFile {
        path: path.clone(),
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
    });
    let bundle = Bundle {
        kind: KIND.to_owned(),
        format: FORMAT,
        vault: vault.file.vault,
        drill: drill.stored.file.drill.clone(),
        made: rfc3339(vault.now()),
        tool: format!("prismvault {}", env!("CARGO_PKG_VERSION")),
        for_auditors,
        statements: u32::try_from(drill.statements.len()).unwrap_or(u32::MAX),
        files: listed.collect(),
        left_out: own.left_out,
    };
    Ok(Contents { bundle, files: own.files, damaged: own.damaged })
}

struct Gathering {
    files: Vec<(String, Vec<u8>)>,
    left_out: Vec<LeftOut>,
    damaged: Vec<String>,
    for_auditors: bool,
}

impl Gathering {
    fn put(&mut self, path: String, bytes: Vec<u8>) {
        self.files.push((path, bytes));
    }

    fn leave_out(&mut self, path: &str, size: u64, sha256: Digest, why: impl Into<String>) {
        self.left_out.push(LeftOut { path: path.to_owned(), size, sha256, why: why.into() });
    }

    /// A signed file; only the record names nobody.
    fn signed(&mut self, path: &str, signed: &(bytes::Bytes, bytes::Bytes), names_nobody: bool) {
        for (path, bytes) in [(path.to_owned(), &signed.0), (signature(path), &signed.1)] {
            match self.for_auditors && !names_nobody {
                true => self.leave_out(&path, bytes.len() as u64, Digest::of(bytes), "it names people"),
                false => self.put(path, bytes.to_vec()),
            }
        }
    }

    async fn attachment(
        &mut self,
        vault: &Vault,
        drill: &Record,
        attachment: &DrillAttachment,
    ) -> Result<(), VaultError> {
        let DrillAttachment { path, bytes, sha256, .. } = attachment;
        if !is_plain(path) {
            let what = format!("it names {path:?}, which is no path in a bundle");
            return Err(VaultError::damaged(&drill.stored.file.key, &"all replicas", what));
        }
        if self.for_auditors {
            let why = match attachment.holds_content() {
                true => "it may hold content",
                false => "it may name people",
            };
            self.leave_out(path, *bytes, *sha256, why);
            return Ok(());
        }
        match read_file(vault, &drill.stored.file, attachment).await {
            Ok(read) => self.put(path.clone(), read.to_vec()),
            Err(error) if error.kind == ErrorKind::Erased => {
                self.leave_out(path, *bytes, *sha256, with_causes(&error));
            }
            Err(error) if error.is_damage() => {
                let why = with_causes(&error);
                self.damaged.push(format!("{path}: {why}"));
                self.leave_out(path, *bytes, *sha256, format!("no replica has a good copy: {why}"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("structures of bundles always serialise");
    bytes.push(b'\n');
    bytes
}

fn public_keys(vault: &Vault, people: &[Person], for_auditors: bool) -> Result<Keys, VaultError> {
    let mut all: Vec<VaultKey> = Vec::new();
    // The newest record first: what it names is current.
    for (age, record) in vault.trust_history().rev().enumerate() {
        for signer in &record.signers {
            if !all.iter().any(|known| known.key == signer.key) {
                all.push(VaultKey { key: signer.key.clone(), current: age == 0 });
            }
        }
    }
    let people = people.iter().filter(|_| !for_auditors).map(|own| {
        let key = own.key.parse()?;
        Ok(PersonKey { name: own.name.clone(), key, may_sign_off: own.may_sign_off })
    });
    let people = people.collect::<Result<Vec<_>, VaultError>>()?;
    Ok(Keys { root: vault.first_root().clone(), vault: all, people })
}

/// Writes a bundle into a directory that is not there yet, signed where a key is here.
///
/// # Errors
///
/// [`WriteError`].
pub fn write(contents: &Contents, signer: Option<&SigningKey>, place: &Path) -> Result<Written, WriteError> {
    let list = to_json(&contents.bundle);
    let signature = signer.map(|key| key.sign(&list, &format!("bundle of drill {}", contents.bundle.drill)));
    let files = contents.files.iter().map(|(path, bytes)| (&**path, &**bytes)).chain([(BUNDLE, &*list)]);
    write_directory(place, files.chain(signature.iter().map(|text| (SIGNATURE, text.as_bytes()))))?;
    Ok(Written { place: place.to_owned(), is_signed: signature.is_some() })
}
