//! Encryption: one age file per pack and index object, header and payload apart.
//!
//! age splits into a *header* (recipients, each with the wrapped file key, and a MAC) and a
//! *payload* of 64 KiB chunks behind a 16-byte nonce (C2SP age.md). The vault stores header and
//! nonce as one object and the chunks as another: destroying the headers makes the chunks
//! unreadable for ever, and new recipients need new headers only. Joined they are the age file.
//!
//! Writing is the `age` crate's. Reading at an arbitrary chunk is done here, because the crate
//! reads the last chunk before it moves: with the file key, chunk `i` is ChaCha20-Poly1305 under
//! `HKDF(file key, nonce, "payload")` with the counter `i` and a flag for the last chunk as nonce.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use age::secrecy::ExposeSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::error::{ErrorKind, Result, VaultError};
use crate::secret::Secret;

/// Plaintext bytes of a chunk.
pub const CHUNK: u64 = 64 * 1024;
/// Stored bytes of a chunk: with its authentication tag.
pub const SEALED_CHUNK: u64 = CHUNK + TAG as u64;
/// Bytes of that tag.
const TAG: usize = 16;
/// Bytes of the nonce that ends a header object.
const NONCE: usize = 16;

/// A public key that content is encrypted to, `age1…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl Recipient {
    fn key(&self) -> age::x25519::Recipient {
        self.0.parse().expect("checked when it was read")
    }
}

impl FromStr for Recipient {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self> {
        text.trim().parse::<age::x25519::Recipient>().map(|key| Self(key.to_string())).map_err(|why| {
            VaultError::new(ErrorKind::Identity, format!("{text:?} is not an age recipient: {why}"))
                .hint("an age recipient begins with `age1`; `age-keygen -y FILE` prints it")
        })
    }
}

impl TryFrom<String> for Recipient {
    type Error = VaultError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A private key that opens what is encrypted to its recipient. Never printed.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// Makes a new identity.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads an age identity file: comment lines and one `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] when there is not exactly one key in it.
    pub fn parse(text: &Secret) -> Result<Self> {
        let mut keys =
            text.expose().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let wrong =
            |why: &str| VaultError::new(ErrorKind::Identity, format!("not an age identity file: {why}"));
        let key = keys.next().ok_or_else(|| wrong("it holds no key"))?;
        if keys.next().is_some() {
            return Err(wrong("it holds more than one key"));
        }
        key.parse().map(Self).map_err(|why: &str| wrong(why))
    }

    /// Returns the text of an age identity file.
    pub fn to_secret_text(&self, comment: &str) -> Secret {
        Secret::new(format!(
            "# {comment}\n# public key: {}\n{}\n",
            self.recipient(),
            self.0.to_string().expose_secret()
        ))
    }

    /// Returns the public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public().to_string())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, …)", self.recipient())
    }
}

/// Encrypts a stream: the header is kept aside, the chunks go to the inner writer.
pub struct Sealer<W: Write>(age::stream::StreamWriter<Split<W>>);

struct Split<W> {
    header: Vec<u8>,
    in_payload: Arc<AtomicBool>,
    payload: W,
}

impl<W: Write> Write for Split<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.in_payload.load(Ordering::Relaxed) {
            self.payload.write(bytes)
        } else {
            self.header.write(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.payload.flush()
    }
}

impl<W: Write> Sealer<W> {
    /// Starts an age file to `recipients` (at least one), whose chunks go to `payload`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Identity`] without recipients.
    pub fn new(recipients: &[Recipient], payload: W) -> Result<Self> {
        let keys: Vec<_> = recipients.iter().map(Recipient::key).collect();
        let encryptor =
            age::Encryptor::with_recipients(keys.iter().map(|key| key as _)).map_err(|error| {
                VaultError::new(ErrorKind::Identity, "cannot encrypt to these recipients").because(error)
            })?;
        let in_payload = Arc::new(AtomicBool::new(false));
        let split = Split { header: Vec::new(), in_payload: Arc::clone(&in_payload), payload };
        let writer = encryptor.wrap_output(split).expect("the header is written to memory");
        in_payload.store(true, Ordering::Relaxed);
        Ok(Self(writer))
    }

    /// Writes the last chunk; returns the header object and the inner writer.
    pub fn finish(self) -> io::Result<(Vec<u8>, W)> {
        let split = self.0.finish()?;
        Ok((split.header, split.payload))
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The key of one payload; opens any chunk of it.
#[derive(Clone)]
pub struct PayloadKey(ChaCha20Poly1305);

/// Why a header does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// None of the identities is among its recipients.
    NotARecipient,
    /// It is not an age header, or its MAC is wrong.
    Damaged,
}

/// Hands the file key on to whoever asks, and remembers it.
struct Capture<'a> {
    identity: &'a Identity,
    seen: RefCell<Option<[u8; 16]>>,
}

impl age::Identity for &Capture<'_> {
    fn unwrap_stanza(
        &self,
        stanza: &age_core::format::Stanza,
    ) -> Option<std::result::Result<age_core::format::FileKey, age::DecryptError>> {
        let unwrapped = self.identity.0.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &unwrapped {
            *self.seen.borrow_mut() = Some(*key.expose_secret());
        }
        unwrapped
    }
}

/// Opens a header object with the first identity that fits; returns its file key and nonce.
fn open_header<'a>(
    header: &'a [u8],
    identities: &[Identity],
) -> std::result::Result<([u8; 16], &'a [u8]), HeaderError> {
    let nonce = header.len().checked_sub(NONCE).map(|at| &header[at..]).ok_or(HeaderError::Damaged)?;
    for identity in identities {
        let decryptor = age::Decryptor::new(header).map_err(|_| HeaderError::Damaged)?;
        let capture = Capture { identity, seen: RefCell::new(None) };
        match decryptor.decrypt(std::iter::once(&&capture as &dyn age::Identity)) {
            // What is left behind the header must be nothing: the nonce is its last part.
            Ok(mut rest) => {
                let mut byte = [0];
                if matches!(rest.read(&mut byte), Ok(1..)) {
                    return Err(HeaderError::Damaged);
                }
                return Ok((capture.seen.take().ok_or(HeaderError::Damaged)?, nonce));
            }
            Err(age::DecryptError::NoMatchingKeys) => {}
            Err(_) => return Err(HeaderError::Damaged),
        }
    }
    Err(HeaderError::NotARecipient)
}

/// Writes a new header object for the payload that `header` opens, to other recipients. The
/// payload stays as it is: file key and nonce are the same.
///
/// The `age` crate makes a new file key for whatever it writes, so the header is put together
/// here, as C2SP age.md says: stanzas of the crate, then a MAC under a key from the file key.
///
/// # Errors
///
/// [`HeaderError`] when no identity opens it; [`HeaderError::NotARecipient`] without recipients.
pub fn rewrap(
    header: &[u8],
    identities: &[Identity],
    recipients: &[Recipient],
) -> std::result::Result<Vec<u8>, HeaderError> {
    let (file_key, nonce) = open_header(header, identities)?;
    if recipients.is_empty() {
        return Err(HeaderError::NotARecipient);
    }
    let mut text = String::from("age-encryption.org/v1\n");
    let wrapped = age_core::format::FileKey::new(Box::new(file_key));
    for recipient in recipients {
        let (stanzas, _) = age::Recipient::wrap_file_key(&recipient.key(), &wrapped)
            .expect("wrapping to an X25519 key cannot fail");
        for stanza in stanzas {
            write_stanza(&mut text, &stanza);
        }
    }
    text.push_str("---");
    let key = age_core::primitives::hkdf(b"", b"header", &file_key);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    text.push(' ');
    text.push_str(&BASE64.encode(mac.finalize().into_bytes()));
    text.push('\n');
    Ok([text.as_bytes(), nonce].concat())
}

/// Appends a stanza: tag and arguments, then its body in lines of 64 characters, the last of
/// which is shorter, and may be empty.
fn write_stanza(text: &mut String, stanza: &age_core::format::Stanza) {
    text.push_str("-> ");
    text.push_str(&stanza.tag);
    for argument in &stanza.args {
        text.push(' ');
        text.push_str(argument);
    }
    text.push('\n');
    let body = BASE64.encode(&stanza.body);
    let mut rest = body.as_str();
    while rest.len() >= 64 {
        let (line, more) = rest.split_at(64);
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(rest);
    text.push('\n');
}

impl PayloadKey {
    /// Opens a header object (age header and nonce) with the first identity that fits.
    ///
    /// # Errors
    ///
    /// Says whether the header is damaged or just not meant for these identities.
    pub fn open(header: &[u8], identities: &[Identity]) -> std::result::Result<Self, HeaderError> {
        let (file_key, nonce) = open_header(header, identities)?;
        let key = age_core::primitives::hkdf(nonce, b"payload", &file_key);
        Ok(Self(ChaCha20Poly1305::new(&key.into())))
    }

    /// Decrypts consecutive whole chunks, the first of them number `first`, of a payload of
    /// `payload_len` stored bytes. `None` when any of them is not authentic.
    pub fn open_chunks(&self, sealed: &[u8], first: u64, payload_len: u64) -> Option<Vec<u8>> {
        let last = payload_len.div_ceil(SEALED_CHUNK).checked_sub(1)?;
        let mut plain = Vec::with_capacity(sealed.len());
        for (chunk, number) in sealed.chunks(SEALED_CHUNK as usize).zip(first..) {
            let mut nonce = [0; 12];
            nonce[3..11].copy_from_slice(&number.to_be_bytes());
            nonce[11] = u8::from(number == last);
            // In place: large restores are as fast as bytes can be moved.
            let (text, tag) = chunk.split_at_checked(chunk.len().checked_sub(TAG)?)?;
            let start = plain.len();
            plain.extend_from_slice(text);
            let (nonce, tag) = (Nonce::from_slice(&nonce), Tag::from_slice(tag));
            self.0.decrypt_in_place_detached(nonce, b"", &mut plain[start..], tag).ok()?;
        }
        Some(plain)
    }
}

/// Chunks decrypted in one go when a payload is read from front to back.
const CHUNKS_AT_ONCE: u64 = 16;

/// Decrypts a payload from front to back in little memory.
pub struct PayloadReader<R> {
    key: PayloadKey,
    sealed: R,
    payload_len: u64,
    /// Stored bytes that were read.
    at: u64,
    plain: Vec<u8>,
    taken: usize,
}

impl PayloadKey {
    /// Returns a reader of the plaintext of `sealed`, a whole payload of `payload_len` stored
    /// bytes. It fails at the first chunk that is not authentic, and when the payload is shorter.
    pub fn reader<R: Read>(self, sealed: R, payload_len: u64) -> PayloadReader<R> {
        PayloadReader { key: self, sealed, payload_len, at: 0, plain: Vec::new(), taken: 0 }
    }
}

impl<R: Read> Read for PayloadReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.plain.len() {
            let want = (self.payload_len - self.at).min(CHUNKS_AT_ONCE * SEALED_CHUNK);
            if want == 0 {
                return Ok(0);
            }
            let mut sealed = Vec::new();
            (&mut self.sealed).take(want).read_to_end(&mut sealed)?;
            if sealed.len() as u64 != want {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let first = self.at / SEALED_CHUNK;
            self.plain = self
                .key
                .open_chunks(&sealed, first, self.payload_len)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not decrypt"))?;
            self.at += want;
            self.taken = 0;
        }
        let len = buffer.len().min(self.plain.len() - self.taken);
        buffer[..len].copy_from_slice(&self.plain[self.taken..self.taken + len]);
        self.taken += len;
        Ok(len)
    }
}

/// Number of plaintext bytes in a payload of `payload_len` stored bytes.
pub fn plain_len(payload_len: u64) -> u64 {
    payload_len - payload_len.div_ceil(SEALED_CHUNK) * 16
}

/// Returns the stored range that holds the plaintext range, and the number of its first chunk.
pub fn sealed_range(plain: &Range<u64>, payload_len: u64) -> (Range<u64>, u64) {
    let first = plain.start / CHUNK;
    let end = plain.end.div_ceil(CHUNK).max(first + 1);
    (first * SEALED_CHUNK..(end * SEALED_CHUNK).min(payload_len), first)
}

/// Encrypts small bytes into one whole age file.
///
/// # Errors
///
/// Without recipients.
pub fn seal(plain: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>> {
    let mut sealer = Sealer::new(recipients, Vec::new())?;
    sealer.write_all(plain).expect("memory takes it");
    let (mut header, payload) = sealer.finish().expect("memory takes it");
    header.extend(payload);
    Ok(header)
}

/// Decrypts one whole age file.
///
/// # Errors
///
/// Says whether it is damaged or not meant for these identities.
pub fn open(sealed: &[u8], identities: &[Identity]) -> std::result::Result<Vec<u8>, HeaderError> {
    let decryptor = age::Decryptor::new(sealed).map_err(|_| HeaderError::Damaged)?;
    let mut reader = decryptor.decrypt(identities.iter().map(|identity| &identity.0 as _)).map_err(
        |error| match error {
            age::DecryptError::NoMatchingKeys => HeaderError::NotARecipient,
            _ => HeaderError::Damaged,
        },
    )?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).map_err(|_| HeaderError::Damaged)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(plain: &[u8], identity: &Identity) -> (Vec<u8>, Vec<u8>) {
        let mut sealer = Sealer::new(&[identity.recipient()], Vec::new()).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_range_reads_as_the_library_reads_the_whole(
            chunks in 0u64..4, extra in 0u64..70_000, start in 0.0..1.0f64, share in 0.0..1.0f64,
        ) {
            let plain: Vec<u8> = (0..chunks * CHUNK + extra).map(|i| (i % 251) as u8).collect();
            let identity = Identity::generate();
            let (header, payload) = sealed(&plain, &identity);
            let joined = [header.clone(), payload.clone()].concat();
            prop_assert_eq!(&open(&joined, std::slice::from_ref(&identity)).unwrap(), &plain);

            let len = plain.len() as u64;
            prop_assert_eq!(plain_len(payload.len() as u64), len);
            let from = (len as f64 * start) as u64;
            let to = from + ((len - from) as f64 * share) as u64;
            let (range, first) = sealed_range(&(from..to), payload.len() as u64);
            let key = PayloadKey::open(&header, &[Identity::generate(), identity]).unwrap();
            let opened = key.open_chunks(&payload[range.start as usize..range.end as usize], first, payload.len() as u64).unwrap();
            let at = (from - first * CHUNK) as usize;
            prop_assert_eq!(&opened[at..at + (to - from) as usize], &plain[from as usize..to as usize]);

            let mut whole = Vec::new();
            key.clone().reader(&payload[..], payload.len() as u64).read_to_end(&mut whole).unwrap();
            prop_assert_eq!(whole, plain);
            let cut = &payload[..payload.len() - 1];
            prop_assert!(key.reader(cut, payload.len() as u64).read_to_end(&mut Vec::new()).is_err());
        }
    }

    #[test]
    fn damage_and_truncation_are_seen() {
        let identity = Identity::generate();
        let (header, payload) = sealed(&vec![7; 100_000], &identity);
        let key = PayloadKey::open(&header, std::slice::from_ref(&identity)).unwrap();
        let len = payload.len() as u64;
        let mut flipped = payload.clone();
        flipped[70_000] ^= 1;
        assert!(key.open_chunks(&flipped, 0, len).is_none());
        // The first chunk alone, taken for the whole: it does not carry the mark of the last one.
        assert!(key.open_chunks(&payload[..SEALED_CHUNK as usize], 0, SEALED_CHUNK).is_none());
        let mut flipped = header.clone();
        flipped[60] ^= 1;
        assert!(PayloadKey::open(&flipped, std::slice::from_ref(&identity)).is_err());
        for cut in [0, 10, header.len() - 1] {
            assert!(PayloadKey::open(&header[..cut], std::slice::from_ref(&identity)).is_err(), "{cut}");
        }
        assert_eq!(
            PayloadKey::open(&header, &[Identity::generate()]).err(),
            Some(HeaderError::NotARecipient)
        );
    }

    #[test]
    fn a_new_header_opens_the_same_payload_for_other_recipients_only() {
        let (old, stays, new) = (Identity::generate(), Identity::generate(), Identity::generate());
        let plain: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let mut sealer = Sealer::new(&[old.recipient(), stays.recipient()], Vec::new()).unwrap();
        sealer.write_all(&plain).unwrap();
        let (header, payload) = sealer.finish().unwrap();
        let recipients = [stays.recipient(), new.recipient()];
        let rewrapped = rewrap(&header, std::slice::from_ref(&old), &recipients).unwrap();
        for reader in [&stays, &new] {
            // The crate itself reads the whole.
            let joined = [rewrapped.clone(), payload.clone()].concat();
            assert_eq!(open(&joined, std::slice::from_ref(reader)).unwrap(), plain);
            let key = PayloadKey::open(&rewrapped, std::slice::from_ref(reader)).unwrap();
            assert_eq!(key.open_chunks(&payload, 0, payload.len() as u64).unwrap(), plain);
        }
        let gone = PayloadKey::open(&rewrapped, std::slice::from_ref(&old));
        assert_eq!(gone.err(), Some(HeaderError::NotARecipient));
        assert_eq!(
            rewrap(&header, &[new], &recipients).unwrap_err(),
            HeaderError::NotARecipient,
            "only who reads can let others read"
        );
        assert!(rewrap(&header, &[old], &[]).is_err());
        for at in [30, rewrapped.len() - 40] {
            let mut flipped = rewrapped.clone();
            flipped[at] ^= 1;
            assert!(PayloadKey::open(&flipped, std::slice::from_ref(&stays)).is_err(), "{at}");
        }
    }

    #[test]
    fn an_identity_survives_its_file_and_is_never_printed() {
        let identity = Identity::generate();
        let text = identity.to_secret_text("recovery identity");
        assert_eq!(Identity::parse(&text).unwrap().recipient(), identity.recipient());
        assert!(!format!("{identity:?}{text:?}").contains("AGE-SECRET"));
        for wrong in ["", "# only a comment", "AGE-SECRET-KEY-1XYZ", "age1xyz"] {
            assert!(Identity::parse(&Secret::new(wrong)).is_err(), "{wrong}");
        }
    }
}
