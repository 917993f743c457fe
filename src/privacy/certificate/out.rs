//! The files of a certificate: `certificate.json`, its signature, and a page for people in each language.
//!
//! The page is listed in the JSON by its SHA-256, so one signature is over all; `minisign -V` checks it.
//!
//! **If we crash here** an unfinished directory `.NAME.….partial` stays behind, which is no certificate.

use std::path::{Path, PathBuf};

use super::{Certificate, PageFile, page};
use crate::ids::Digest;
use crate::privacy::letters::Language;
use crate::privacy::package::WriteError;
use crate::privacy::package::out::write_directory;
use crate::vault::signing::SigningKey;

/// Name of the certificate for programs.
pub const CERTIFICATE: &str = "certificate.json";
/// Name of its signature, in minisign's format.
pub const SIGNATURE: &str = "certificate.json.minisig";

/// A certificate that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenCertificate {
    /// The directory.
    pub place: PathBuf,
    /// SHA-256 of the JSON: what the case is to hold of it.
    pub sha256: Digest,
}

/// Name of the page in a language.
pub fn page_name(language: Language) -> String {
    format!("certificate.{}.html", language.code())
}

/// Signs a certificate and writes it into a directory that is not there yet, with a page in each of these
/// languages.
///
/// # Errors
///
/// [`WriteError`].
pub fn write(
    certificate: &Certificate,
    languages: &[Language],
    signer: &SigningKey,
    place: &Path,
) -> Result<WrittenCertificate, WriteError> {
    let mut certificate = certificate.clone();
    certificate.pages.clear();
    let key = signer.public();
    let pages: Vec<(String, Vec<u8>)> = languages
        .iter()
        .map(|language| (page_name(*language), page::page(&certificate, *language, key)))
        .collect();
    certificate.pages = pages
        .iter()
        .map(|(path, bytes)| PageFile {
            path: path.clone(),
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
        })
        .collect();
    let bytes = certificate.to_bytes();
    let signature = signer.sign(&bytes, &format!("erasure certificate of case {}", certificate.case));
    let files = pages.iter().map(|(name, bytes)| (&**name, &**bytes));
    write_directory(place, files.chain([(CERTIFICATE, &*bytes), (SIGNATURE, signature.as_bytes())]))?;
    Ok(WrittenCertificate { place: place.to_owned(), sha256: Digest::of(&bytes) })
}
