//! The answer to a request for access or portability: what is handed to the person, as files.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `mod` | the way through, and what the pages and tables are made of |
//! | `order` | what is asked for, what stands in its way, what came of it |
//! | `records` | the entries: each text about the person once, with its places and times |
//! | `redact`, `contacts` | what is hidden because it is of others (GDPR Art. 15(4)) |
//! | `html`, `data` | the same for people and for programs |
//! | `texts` | the words, in the language of the person |
//! | [`portability`] | what was provided by the person (Art. 20) |
//! | [`manifest`], [`verify`] | every file with its checksum, signed; and checking that |
//! | `out`, `files` | a directory, or one encrypted archive |
//!
//! ```text
//! search report ─┬─ decisions: who is the person, who is not, what is of others
//!                │
//! read again     items by id, one at a time → entries, copies of files
//!                │
//! pages, tables  in the language of the case
//!                │
//! manifest       checksums, signature; the name of the package last
//! ```
//!
//! Invariants: nothing undecided is handed over or left out: one finding without a decision, and there is
//! no package. Nothing that cannot be read any more is left out in silence either. Neither who decided nor
//! what they wrote for themselves goes into it. The same input gives the same bytes, but for the signature
//! and what encryption draws.

mod contacts;
mod data;
mod files;
mod html;
pub mod manifest;
mod order;
pub(crate) mod out;
pub mod portability;
mod records;
mod redact;
#[cfg(test)]
mod tests;
pub(in crate::privacy) mod texts;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use order::{Decisions, FileNotCopied, Order, PackageError, Survey, Written};
pub use out::{ARCHIVE_END, PASSPHRASE_MIN, Protection, WriteError, destination};
pub use portability::Scope;
pub use records::{RECORDS_MAX, TEXT_BYTES_MAX};
pub use texts::{Evidence, PlaceKind, Section};

use self::manifest::{Class, FORMAT, KIND, MANIFEST, Manifest, RulesUsed, SIGNATURE};
use self::out::Out;
use self::records::{Gathering, Key, Records, Seen, is_file};
use self::texts::{Texts, fill};
use super::letters::Language;
use super::matching::Matcher;
use super::processing::Processing;
use super::right::Right;
use super::search::{Again, Coverage, FoundItem, read_again};
use crate::ids::{CaseId, Digest, Name};
use crate::restore::blocking;
use crate::vault::signing::VerifyingKey;

/// Why there is no copy of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotCopied {
    /// Others are in it as well.
    Others,
    /// It is larger than what is read.
    NotRead,
}

/// A file in which the person is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileCopy {
    number: usize,
    extension: &'static str,
    size: u64,
    places: BTreeSet<(Name, String)>,
    not_copied: Option<NotCopied>,
}

impl FileCopy {
    /// Path of the copy. Names of files may name people, and the manifest may not.
    fn path(&self) -> String {
        format!("files/{:04}.{}", self.number, self.extension)
    }
}

/// Everything that the pages and tables say.
struct Package {
    case: CaseId,
    right: Right,
    rules: RulesUsed,
    language: Language,
    prepared_on: NaiveDate,
    searched_on: NaiveDate,
    processing: Processing,
    scope: Option<Scope>,
    coverage: Coverage,
    records: Records,
    files: BTreeMap<usize, FileCopy>,
    /// The copied file at each place.
    copies: BTreeMap<(Name, String), usize>,
    key: VerifyingKey,
}

/// Makes a package.
///
/// # Errors
///
/// [`PackageError`]; nothing is at the place then.
pub async fn write(
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    order: Order<'_>,
    place: &Path,
    protection: &Protection,
) -> Result<Written, PackageError> {
    Survey::of(order.report, order.decisions).require_decided()?;
    if let Protection::Passphrase(secret) = protection
        && secret.expose().chars().count() < PASSPHRASE_MIN
    {
        return Err(PackageError::ShortPassphrase);
    }
    let prefix = format!("{}-{}", order.case, order.right);
    let modified = order.prepared_on.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    let (at, sealed) = (place.to_owned(), protection.clone());
    let create = move || Out::create(&at, &prefix, &sealed, u64::try_from(modified).unwrap_or(0));
    let out = blocking(create).await?;
    let signer = order.signer;
    let (package, mut out) = gather(again, matcher, order, out).await?;
    let mut written = package.written(place);
    let (out, manifest) = blocking(move || {
        let manifest = package.fill(&mut out)?;
        Ok::<_, PackageError>((out, manifest))
    })
    .await?;
    written.manifest = Digest(Sha256::digest(&manifest).into());
    let signature = signer.sign(&manifest, MANIFEST);
    blocking(move || {
        let mut out = out;
        out.write(MANIFEST, &manifest)?;
        out.write(SIGNATURE, signature.as_bytes())?;
        out.finish()
    })
    .await?;
    Ok(written)
}

/// Reads what was found again, and copies the files among it.
async fn gather(
    again: &Again<'_>,
    matcher: &Arc<Matcher>,
    order: Order<'_>,
    out: Out,
) -> Result<(Package, Out), PackageError> {
    let Order { report, decisions, right, .. } = order;
    let is_person = |found: &FoundItem| {
        let mut decided = found.findings.iter().filter_map(|finding| decisions(found, finding));
        decided.any(|decided| decided.decision.is_the_person())
    };
    // Numbers of files by the order of the report, whatever the order in which they are read.
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, found) in report.found.iter().enumerate() {
        if right == Right::Access && is_file(found) && is_person(found) {
            numbers.insert(index, numbers.len() + 1);
        }
    }
    let mut gathering = Gathering {
        matcher,
        texts: Texts::of(order.language),
        decisions,
        live: &report.coverage.live,
        records: Records::default(),
        files: BTreeMap::new(),
    };
    let mut open = Some(out);
    let takes_any = order.scope.as_ref().is_none_or(|scope| !scope.is_nothing());
    let wanted = |_: usize, found: &FoundItem| takes_any && is_person(found);
    let problems = read_again(again, report, matcher, wanted, async |read| {
        let number = numbers.get(&read.index).copied();
        let is_copied = gathering.take(&read, number)?;
        let copy = number.filter(|_| is_copied).and_then(|number| gathering.files.get(&number));
        let Some(copy) = copy else { return Ok(()) };
        let mut out = open.take().expect("it is put back after every file");
        let (path, bytes) = (copy.path(), read.bytes.clone());
        let (out, put) = blocking(move || {
            let put = out.put(&path, Class::Subject, &bytes);
            (out, put)
        })
        .await;
        open = Some(out);
        put
    })
    .await?;
    if !problems.is_empty() {
        return Err(PackageError::Changed(problems));
    }
    let Gathering { mut records, files, .. } = gathering;
    if let Some(scope) = &order.scope {
        records.all.retain(|key, _| scope.has(key));
    }
    let package = Package {
        case: order.case.clone(),
        right,
        rules: RulesUsed { profile: order.rules, search: report.version.clone() },
        language: order.language,
        prepared_on: order.prepared_on,
        searched_on: report.at.date_naive(),
        processing: order.processing,
        scope: order.scope,
        coverage: report.coverage.clone(),
        copies: copies_of(&files),
        records,
        files,
        key: order.signer.public().clone(),
    };
    Ok((package, open.expect("it is put back after every file")))
}

/// Which copy is that of the file at a place.
fn copies_of(files: &BTreeMap<usize, FileCopy>) -> BTreeMap<(Name, String), usize> {
    let copied = files.values().filter(|file| file.not_copied.is_none());
    copied.flat_map(|file| file.places.iter().map(|place| (place.clone(), file.number))).collect()
}

impl Package {
    /// Entries with their numbers, from 1.
    fn numbered(&self) -> impl Iterator<Item = (usize, &Key, &Seen)> {
        (1..).zip(&self.records.all).map(|(number, (key, seen))| (number, key, seen))
    }

    /// The copy of the file in which an entry stands.
    fn copy_of(&self, key: &Key) -> Option<&FileCopy> {
        let place = (key.repository.clone()?, key.path.clone());
        self.copies.get(&place).and_then(|number| self.files.get(number))
    }

    fn has_members(&self) -> bool {
        self.records.all.keys().any(|key| key.section == Section::Members)
    }

    fn written(&self, place: &Path) -> Written {
        let not_copied = self.files.values().filter_map(|file| {
            let places = file.places.iter().map(|(repository, path)| format!("{repository}: {path}"));
            Some(FileNotCopied { places: places.collect(), why: file.not_copied? })
        });
        Written {
            place: place.to_owned(),
            manifest: Digest([0; 32]),
            records: self.records.all.len() as u64,
            hidden: self.records.all.values().filter(|seen| seen.is_hidden).count() as u64,
            files: self.files.values().filter(|file| file.not_copied.is_none()).count() as u64,
            not_copied: not_copied.collect(),
            is_member: self.has_members(),
        }
    }

    /// Writes everything but the manifest, and returns that.
    fn fill(&self, out: &mut Out) -> Result<Vec<u8>, PackageError> {
        let texts = Texts::of(self.language);
        let code = self.language.code();
        let mut names: Vec<String> = vec!["index.html".to_owned()];
        let mut put = |name: &str, class: Class, bytes: &[u8], out: &mut Out| {
            names.push(name.to_owned());
            out.put(name, class, bytes)
        };
        let has_data = self.scope.as_ref().is_none_or(|scope| !scope.is_nothing());
        if has_data {
            put("data.json", Class::Subject, &data::json(self, texts), out)?;
            put(data::SCHEMA_FILE, Class::Public, data::SCHEMA.as_bytes(), out)?;
            put("data.csv", Class::Subject, &data::csv(self, texts), out)?;
            put("sources.csv", Class::Subject, &data::sources(self, texts), out)?;
        }
        if self.right == Right::Access {
            put("article15.json", Class::Subject, &data::article15(self, texts), out)?;
        }
        if let Some(scope) = &self.scope {
            put("scope.json", Class::Subject, &data::pretty(&scope_of(scope)), out)?;
        }
        if self.has_members() {
            let name = format!("ask-prismic.{code}.txt");
            put(&name, Class::Public, texts.prismic.letter.as_bytes(), out)?;
        }
        let list: Vec<String> =
            names.iter().map(|name| format!("{name}: {}", texts.file(texts::file_key(name)))).collect();
        let help = fill(
            &texts.how_to_read,
            &[
                ("controller", &self.processing.controller.name),
                ("prepared", &self.language.date(self.prepared_on)),
                ("case", self.case.as_str()),
                ("files", &list.join("\n   ")),
                ("key", &self.key.to_string()),
            ],
        );
        let name = format!("how-to-read.{code}.txt");
        out.put(&name, Class::Subject, help.as_bytes())?;
        names.push(name);
        if self.files.values().any(|file| file.not_copied.is_none()) {
            names.push("files/".to_owned());
        }
        names.push(MANIFEST.to_owned());
        let shown: Vec<&str> = names.iter().map(String::as_str).collect();
        for (name, bytes) in html::pages(self, texts, &shown) {
            out.put(&name, Class::Subject, &bytes)?;
        }
        out.files.sort_by(|a, b| a.path.cmp(&b.path));
        let manifest = Manifest {
            kind: KIND.to_owned(),
            format: FORMAT,
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules: self.rules.clone(),
            case: self.case.clone(),
            right: self.right,
            prepared_on: self.prepared_on,
            files: std::mem::take(&mut out.files),
        };
        Ok(manifest.to_bytes())
    }
}

/// What a scope says to the person: not who decided.
fn scope_of(scope: &Scope) -> serde_json::Value {
    serde_json::json!({
        "basis": scope.basis,
        "reason": scope.reason,
        "provided": scope.provided,
    })
}

/// Words with which a person who is a member asks Prismic for the data of their account.
pub fn ask_prismic(language: Language) -> &'static str {
    &Texts::of(language).prismic.letter
}
