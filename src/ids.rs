//! Identities: digests and names that cannot be mistaken for one another.
//!
//! Every id of a vault is a type of its own, so a pack's id cannot be passed where an item's is
//! wanted. Names that become part of object keys and file paths are checked once, here.

mod case;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use case::CaseId;

/// What [`FromStr`] of an id says about text that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidId {
    text: String,
    expected: &'static str,
}

impl InvalidId {
    fn new(text: &str, expected: &'static str) -> Self {
        let text = text.chars().take(80).collect();
        Self { text, expected }
    }
}

/// Writes bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text
}

/// Stands for a byte that is no digit; has all the bits of those that are.
const NO_DIGIT: u8 = 0xff;

/// What each byte is worth as a hexadecimal digit in lower case.
const DIGIT_VALUES: [u8; 256] = {
    let (mut values, mut value) = ([NO_DIGIT; 256], 0);
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Reads exactly `N` bytes of lower-case hexadecimal; `None` for anything else.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    // Without branches: digits are random, so half of them would be guessed wrongly.
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let (high, low) = (DIGIT_VALUES[usize::from(pair[0])], DIGIT_VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | (low & 15);
    }
    (seen != NO_DIGIT).then_some(bytes)
}

macro_rules! binary_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                unhex(text).map(Self).ok_or_else(|| InvalidId::new(text, $expected))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}

binary_id!(
    /// SHA-256 of the stored bytes of an object: the name of packs, headers and index objects.
    Digest,
    32,
    "a SHA-256 in 64 hexadecimal digits"
);
binary_id!(
    /// Id of an item: SHA-256 of its salt and its bytes.
    ItemId,
    32,
    "an item id of 64 hexadecimal digits"
);
binary_id!(
    /// Random bytes that are hashed before an item's bytes, so that its id confirms no guess.
    Salt,
    16,
    "a salt of 32 hexadecimal digits"
);
binary_id!(
    /// Keyed fingerprint of an item's kind and bytes; decides whether it is known.
    Mac,
    16,
    "a fingerprint of 32 hexadecimal digits"
);
binary_id!(
    /// Keyed hash of something that was found of a person, and where: what a decision is remembered by.
    DecisionKey,
    16,
    "a row of 32 hexadecimal digits"
);
binary_id!(
    /// Random id of a vault, in `vault.json` and in every signed file.
    VaultId,
    16,
    "a vault id of 32 hexadecimal digits"
);
binary_id!(
    /// Random id of one replica of a vault.
    ReplicaId,
    16,
    "a replica id of 32 hexadecimal digits"
);

impl Mac {
    /// Stands for no fingerprint: of an item that was found in a pack under a path that does not
    /// tell its kind. Such an item can be read, and is never taken for an equal one.
    pub const UNKNOWN: Self = Self([0; 16]);
}

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl ItemId {
    /// Returns the id of an item with these bytes under this salt.
    pub fn of(salt: &Salt, bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update(salt.0).chain_update(bytes).finalize().into())
    }
}

/// Returns `N` bytes from the operating system's random number generator.
///
/// # Panics
///
/// When the operating system cannot give random bytes: nothing secure can be done then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Id of a snapshot: `20261121T020000Z-1a2b3c4d`, the time of its start and 32 random bits.
///
/// Ids sort by time as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(String);

impl SnapshotId {
    /// Returns a new id for a snapshot started at `at`.
    pub fn new(at: crate::clock::Timestamp) -> Self {
        Self(format!("{}-{}", crate::clock::compact(at), hex(&random::<4>())))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the time in the id.
    pub fn time(&self) -> crate::clock::Timestamp {
        compact_time(self.0.as_bytes()).expect("checked when the id was made").and_utc()
    }
}

/// Reads the time at the beginning of a snapshot id, such as `20261122T021500Z`. Each line of each listing
/// is asked, so without a parser of formats.
fn compact_time(text: &[u8]) -> Option<chrono::NaiveDateTime> {
    let (date, rest) = text.split_at_checked(8)?;
    let [b'T', time @ .., b'Z'] = rest.get(..8)? else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number: u32, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u32::from(*digit - b'0'))
        })
    };
    let year = i32::try_from(number(&date[..4])?).ok()?;
    chrono::NaiveDate::from_ymd_opt(year, number(&date[4..6])?, number(&date[6..])?)?.and_hms_opt(
        number(&time[..2])?,
        number(&time[2..4])?,
        number(&time[4..])?,
    )
}

impl FromStr for SnapshotId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let valid = text.is_ascii()
            && text.len() == 25
            && text.as_bytes()[16] == b'-'
            && compact_time(text.as_bytes()).is_some()
            && unhex::<4>(&text[17..]).is_some();
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidId::new(text, "a snapshot id")) }
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Id of a writer of the audit log: the key id of its signing key (8 bytes, as minisign shows it)
/// and 8 random bytes of the client, so that two hosts with one key have a chain each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WriterId(String);

impl WriterId {
    /// Returns the id of the client `client` that signs with the key `key`.
    pub fn new(key: [u8; 8], client: [u8; 8]) -> Self {
        Self(format!("{}-{}", hex(&key), hex(&client)))
    }

    /// Returns the half that is the client's.
    pub fn client(&self) -> &str {
        &self.0[17..]
    }
}

impl FromStr for WriterId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let halves = text.split_once('-').and_then(|(key, client)| Some((unhex(key)?, unhex(client)?)));
        let (key, client) = halves
            .ok_or_else(|| InvalidId::new(text, "a writer of the audit log (twice 16 hexadecimal digits)"))?;
        Ok(Self::new(key, client))
    }
}

impl TryFrom<String> for WriterId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<WriterId> for String {
    fn from(id: WriterId) -> Self {
        id.0
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A name that people give (a repository, a space, a replica) and that becomes part of keys and
/// paths: 1 to 63 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit.
///
/// Two names that differ only in case are different names but would share a directory on some
/// file systems; configuration refuses such pairs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the names under which lists of members are kept begin with; no repository of a
    /// configuration is called so.
    pub const ACCESS: &str = "access.";

    /// Returns the name under which the lists of the members of this repository are kept, beside
    /// its snapshots; `None` where that would be too long.
    pub fn access_chain(&self) -> Option<Self> {
        format!("{}{self}", Self::ACCESS).parse().ok()
    }

    /// Whether it is such a name. Without case, because names are directories as well.
    pub fn is_access_chain(&self) -> bool {
        self.0.get(..Self::ACCESS.len()).is_some_and(|start| start.eq_ignore_ascii_case(Self::ACCESS))
    }
}

impl FromStr for Name {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let valid = (1..=63).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::new(
                text,
                "a name (1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit)",
            ))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_json() {
        let id = ItemId::of(&Salt(random()), b"bytes");
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).expect("ids serialise");
        assert_eq!(serde_json::from_str::<ItemId>(&json).expect("and read back"), id);
    }

    #[test]
    fn the_salt_is_part_of_the_id() {
        let bytes = b"the same bytes";
        assert_ne!(ItemId::of(&Salt([0; 16]), bytes), ItemId::of(&Salt([1; 16]), bytes));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "zz", "AB", "é", &"a".repeat(63), &"A".repeat(64)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        for text in ["20261121T020000Z-1a2b3c4", "20261321T020000Z-1a2b3c4d", "../../../../../../../etc1"] {
            assert!(text.parse::<SnapshotId>().is_err(), "{text}");
        }
        let half = "0123456789abcdef";
        for text in ["", half, "-", &format!("{half}-{half}0"), &format!("{half}/{half}")] {
            assert!(text.parse::<WriterId>().is_err(), "{text}");
        }
        assert!(format!("{half}-{half}").parse::<WriterId>().is_ok_and(|id| id.client() == half));
        for text in ["", ".", "..", "a/b", "-x", "é", "a b", &"a".repeat(64)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_snapshot_id_tells_its_time() {
        let at = "2026-11-21T02:00:00Z".parse().expect("a valid time");
        let id = SnapshotId::new(at);
        assert_eq!(id.time(), at);
        assert_eq!(id.as_str().parse(), Ok(id));
    }
}
