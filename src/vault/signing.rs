//! Signatures in minisign's format, so that `minisign -V` checks them.
//!
//! A signature binds bytes, not meaning: what a file is, of which vault and under which key it
//! must lie is written in the file and checked by its reader
//! ([`check_claims`]).

use std::collections::HashSet;
use std::fmt;
use std::io::Cursor;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex};

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::{ErrorKind, Result, VaultError};
use crate::ids::{Digest, VaultId};
use crate::secret::Secret;

/// The public half of a signing key, `RW…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyingKey(String);

impl VerifyingKey {
    fn key(&self) -> PublicKey {
        PublicKey::from_base64(&self.0).expect("checked when it was read")
    }

    /// The key id, as minisign shows it.
    pub fn key_id(&self) -> [u8; 8] {
        // What is encoded: two bytes for the algorithm, the key id (least significant byte first),
        // the key.
        let mut id = [0; 8];
        id.copy_from_slice(self.key().keynum());
        id.reverse();
        id
    }

    /// Whether `signature` is this key's over `bytes`.
    ///
    /// What was found right in this process is not checked once more: the same key, bytes and
    /// signature are right for ever, and whoever looks at a vault again and again (a scheduler, a
    /// standby) meets the same manifests each time.
    pub fn verifies(&self, bytes: &[u8], signature: &str) -> bool {
        let seen = self.seen(bytes, signature);
        if RIGHT.lock().expect("no holder of this lock can panic").contains(&seen) {
            return true;
        }
        let is_right = SignatureBox::from_string(signature).is_ok_and(|signature| {
            minisign::verify(&self.key(), &signature, Cursor::new(bytes), true, false, false).is_ok()
        });
        if is_right {
            let mut right = RIGHT.lock().expect("no holder of this lock can panic");
            if right.len() >= RIGHT_MAX {
                right.clear();
            }
            right.insert(seen);
        }
        is_right
    }

    /// Names key, bytes and signature together; the lengths keep one from passing into the next.
    fn seen(&self, bytes: &[u8], signature: &str) -> Digest {
        let mut digest = Sha256::new();
        for part in [self.0.as_bytes(), signature.as_bytes(), bytes] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Digest(digest.finalize().into())
    }
}

/// Signatures that were right, in this process.
static RIGHT: LazyLock<Mutex<HashSet<Digest>>> = LazyLock::new(Mutex::default);
/// How many are remembered, of which each takes about 50 bytes.
const RIGHT_MAX: usize = 16_384;

impl FromStr for VerifyingKey {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        PublicKey::from_base64(text).map(|_| Self(text.to_owned())).map_err(|_| {
            VaultError::new(
                ErrorKind::Identity,
                "not a minisign public key (it begins with RW and has 56 characters)",
            )
        })
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = VaultError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        key.0
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in the first line of a signature, which nothing signs.
pub const UNTRUSTED_COMMENT: &str = "signature from prismvault";

/// A key that signs. Never printed.
pub struct SigningKey {
    secret: SecretKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Panics
    ///
    /// When the operating system cannot give random bytes.
    pub fn generate() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().expect("the operating system gives random bytes");
        Self { public: VerifyingKey(pair.pk.to_base64()), secret: pair.sk }
    }

    /// Reads the text of a minisign secret key file without password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] for anything else.
    pub fn parse(text: &Secret) -> Result<Self> {
        let wrong = |why: &str| {
            VaultError::new(ErrorKind::Identity, format!("not a minisign secret key without password: {why}"))
        };
        let secret = SecretKeyBox::from_string(text.expose())
            .and_then(SecretKeyBox::into_unencrypted_secret_key)
            .map_err(|error| wrong(&format!("{:?}", error.kind())))?;
        let public =
            PublicKey::from_secret_key(&secret).map_err(|error| wrong(&format!("{:?}", error.kind())))?;
        Ok(Self { public: VerifyingKey(public.to_base64()), secret })
    }

    /// Reads the text of a minisign secret key file that a password protects, as `minisign -G` makes it. Takes
    /// about a second of one core and up to a GiB of memory, by the parameters in the file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] for a wrong password, and anything that is no such file.
    pub fn parse_protected(text: &Secret, password: &Secret) -> Result<Self> {
        let wrong = |why: &str| {
            VaultError::new(ErrorKind::Identity, format!("not a minisign secret key of this password: {why}"))
        };
        let secret = SecretKeyBox::from_string(text.expose())
            .and_then(|own| own.into_secret_key(Some(password.expose().to_owned())))
            .map_err(|error| wrong(&format!("{:?}", error.kind())))?;
        let public =
            PublicKey::from_secret_key(&secret).map_err(|error| wrong(&format!("{:?}", error.kind())))?;
        Ok(Self { public: VerifyingKey(public.to_base64()), secret })
    }

    /// Returns the text of the minisign secret key file.
    pub fn to_secret_text(&self, comment: &str) -> Secret {
        let text = self.secret.to_box(Some(comment)).expect("a key without password always serialises");
        Secret::new(text.into_string())
    }

    /// Returns the public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs `bytes`; the trusted comment names the object, for people who verify by hand.
    ///
    /// # Panics
    ///
    /// When the operating system cannot give random bytes.
    pub fn sign(&self, bytes: &[u8], key: &str) -> String {
        minisign::sign(
            None,
            &self.secret,
            Cursor::new(bytes),
            Some(&format!("prismvault {key}")),
            Some(UNTRUSTED_COMMENT),
        )
        .expect("signing bytes in memory fails only without random bytes")
        .into_string()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.public)
    }
}

/// What every signed file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// What kind of file it is.
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Key under which it lies.
    pub key: String,
}

/// Checks that a signed file is what it is used as.
///
/// # Errors
///
/// [`ErrorKind::NotTrusted`] when it is another kind of file, of another vault, or was stored
/// under another key; [`ErrorKind::UnknownFormat`] for another version.
pub fn check_claims(
    bytes: &[u8],
    kind: &str,
    vault: &VaultId,
    key: &str,
    place: &dyn fmt::Display,
) -> Result<()> {
    let claims: Claims =
        serde_json::from_slice(bytes).map_err(|error| VaultError::damaged(key, place, error))?;
    let mismatch = |what: &str| {
        VaultError::new(ErrorKind::NotTrusted, format!("{key} on {place} is refused: {what}"))
            .hint("somebody moved or replaced this object; compare the replicas with `prismvault verify`")
    };
    if claims.kind != kind {
        return Err(mismatch(&format!("it says to be a {}, not a {kind}", claims.kind)));
    }
    if claims.vault != *vault {
        return Err(mismatch("it belongs to another vault"));
    }
    if claims.key != key {
        return Err(mismatch(&format!("it was stored as {}", claims.key)));
    }
    if claims.format != super::format::VERSION {
        return Err(super::format::unknown_version(key, claims.format));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signer_over_the_same_bytes_verifies() {
        let (alice, bob) = (SigningKey::generate(), SigningKey::generate());
        let signature = alice.sign(b"bytes", "trust/1.json");
        assert!(alice.public().verifies(b"bytes", &signature));
        assert!(!alice.public().verifies(b"Bytes", &signature));
        assert!(!bob.public().verifies(b"bytes", &signature));
        for broken in [
            "",
            "untrusted comment: x\n",
            &signature[..signature.len() / 2],
            &signature.replace("prismvault", "x"),
        ] {
            assert!(!alice.public().verifies(b"bytes", broken));
        }
    }

    #[test]
    fn a_key_survives_its_file() {
        let key = SigningKey::generate();
        let again = SigningKey::parse(&key.to_secret_text("test")).expect("its own text");
        assert_eq!(again.public(), key.public());
        assert!(key.public().verifies(b"x", &again.sign(b"x", "k")));
        assert!(SigningKey::parse(&Secret::new("untrusted comment: x\nRWQf")).is_err());
    }

    #[test]
    fn a_key_with_a_password_is_read_with_that_password_only() {
        let pair = KeyPair::generate_encrypted_keypair(Some("correct horse".to_owned())).unwrap();
        let text = Secret::new(pair.sk.to_box(None).unwrap().into_string());
        let key = SigningKey::parse_protected(&text, &Secret::new("correct horse")).unwrap();
        assert_eq!(key.public().to_string(), pair.pk.to_base64());
        assert!(key.public().verifies(b"x", &key.sign(b"x", "k")));
        assert!(SigningKey::parse_protected(&text, &Secret::new("correct hors")).is_err());
        assert!(SigningKey::parse(&text).is_err(), "it has a password");
    }

    #[test]
    fn a_signing_key_is_never_printed() {
        let key = SigningKey::generate();
        let text = key.to_secret_text("test");
        let line = text.expose().lines().nth(1).expect("two lines").to_owned();
        assert!(!format!("{key:?}").contains(&line[..20]));
    }
}
