//! Whether a certificate is what its maker signed, and whether its claims follow from what was seen.
//!
//! Works without vault, configuration and network. A certificate comes from outside: links are not followed,
//! names in it are only compared with, everything has a bound.

use std::collections::BTreeMap;
use std::path::Path;

use super::claims::claims;
use super::out::{CERTIFICATE, SIGNATURE};
use super::{Certificate, FORMAT, KIND};
use crate::files::digest_of;
use crate::privacy::package::verify::{Fault, VerifyError, list, read_small};
use crate::vault::signing::{UNTRUSTED_COMMENT, VerifyingKey};

/// Largest certificate that is read, in bytes: some hundred bytes for each file that was probed.
const CERTIFICATE_BYTES_MAX: u64 = 64 << 20;
/// Largest signature, in bytes; one has about 300.
const SIGNATURE_BYTES_MAX: u64 = 4096;

/// What came of checking a certificate.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The certificate, where its signature is right.
    pub certificate: Option<Certificate>,
    /// The key that signed it.
    pub key: Option<VerifyingKey>,
    /// All that is wrong.
    pub faults: Vec<Fault>,
}

impl Verified {
    /// Whether nothing is wrong with it; its claims may be open all the same.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.certificate.is_some()
    }

    fn fault(&mut self, path: &str, what: impl Into<String>) {
        self.faults.push(Fault { path: path.escape_debug().to_string(), what: what.into() });
    }
}

/// Checks the certificate in a directory, which one of these keys is to have signed.
///
/// # Errors
///
/// [`VerifyError`], when the directory cannot be read.
pub fn verify(directory: &Path, keys: &[VerifyingKey]) -> Result<Verified, VerifyError> {
    let mut verified = Verified { certificate: None, key: None, faults: Vec::new() };
    let mut there = BTreeMap::new();
    list(directory, "", 0, &mut there, &mut verified.faults)?;
    let mut take = |name: &str, max| match there.remove(name) {
        None => Err("it is missing".to_owned()),
        Some(path) => read_small(&path, max).map_err(|error| error.to_string()),
    };
    let signed = take(CERTIFICATE, CERTIFICATE_BYTES_MAX).map_err(|what| (CERTIFICATE, what));
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
    let Some(key) = signer_of(&signed, &signature, keys) else {
        let what = match keys {
            [] => "there is no key to check it with".to_owned(),
            [key] => format!("it is not the signature of the key {key} on this certificate"),
            _ => {
                format!("it is not the signature of any of the {} known keys on this certificate", keys.len())
            }
        };
        verified.fault(SIGNATURE, what);
        return Ok(verified);
    };
    verified.key = Some(key.clone());
    match serde_json::from_slice::<Certificate>(&signed) {
        Ok(certificate) if certificate.kind == KIND && certificate.format == FORMAT => {
            check(&certificate, there, &mut verified);
            verified.certificate = Some(certificate);
        }
        Ok(other) => {
            let (kind, format) = (other.kind.escape_debug(), other.format);
            verified.fault(
                CERTIFICATE,
                format!("it is a {kind} of format {format}, which this prismvault does not know"),
            );
        }
        Err(error) => verified.fault(
            CERTIFICATE,
            format!(
                "it cannot be read, at line {}, column {}: a newer prismvault may have written it",
                error.line(),
                error.column()
            ),
        ),
    }
    verified.faults.sort();
    Ok(verified)
}

/// The key that signed these bytes. A signature is text to the last byte: what minisign passes over is refused.
pub(crate) fn signer_of<'k>(
    signed: &[u8],
    signature: &[u8],
    keys: &'k [VerifyingKey],
) -> Option<&'k VerifyingKey> {
    let text = std::str::from_utf8(signature).ok()?;
    let first = text.strip_prefix("untrusted comment: ")?.strip_prefix(UNTRUSTED_COMMENT)?;
    if !first.starts_with('\n') || !text.ends_with('\n') || text.lines().count() != 4 {
        return None;
    }
    keys.iter().find(|key| key.verifies(signed, text))
}

/// Checks what a certificate says, and the pages beside it.
fn check(
    certificate: &Certificate,
    mut there: BTreeMap<String, std::path::PathBuf>,
    verified: &mut Verified,
) {
    if certificate.evidence.case != certificate.case {
        verified.fault(CERTIFICATE, "what was seen is of another case");
    }
    if certificate.evidence.plan != certificate.plan.sha256 {
        verified.fault(CERTIFICATE, "what was seen is of another plan");
    }
    let follow = claims(&certificate.basis());
    for ((kind, said), (_, follows)) in certificate.claims.all().into_iter().zip(follow.all()) {
        if said != follows {
            verified.fault(
                CERTIFICATE,
                format!("what it claims of \"{}\" does not follow from what was seen", kind.words()),
            );
        }
    }
    for page in &certificate.pages {
        match there.remove(&page.path) {
            None => verified.fault(&page.path, "it is missing"),
            Some(path) => match digest_of(&path) {
                Ok((size, digest)) if (size, digest) == (page.size, page.sha256) => {}
                Ok(_) => verified.fault(&page.path, "it was changed since it was signed"),
                Err(error) => verified.fault(&page.path, format!("it cannot be read: {error}")),
            },
        }
    }
    for path in there.keys() {
        verified.fault(path, "it does not belong to the certificate: nobody signed it");
    }
}
