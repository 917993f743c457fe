//! `index/<space>/<sha256>`: in which pack, and where in it, an item is.
//!
//! Plaintext, little-endian; stored as one age file to the catalog recipients (as it is in a
//! vault without encryption):
//!
//! ```text
//! "PVINDEX1"        8 bytes
//! length of head    u32
//! head              JSON, [`Head`]
//! items             64 bytes each, pack after pack: fingerprint 16, id 32, frame u32,
//!                   offset u32, length u64
//! signature         text of a minisign signature over all before it
//! its length        u32
//! ```
//!
//! It is signed inside because a false entry would make a writer skip what it should store.

use serde::{Deserialize, Serialize};

use super::super::error::{ErrorKind, Result, VaultError};
use super::super::signing::{SigningKey, VerifyingKey};
use crate::ids::{Digest, ItemId, Mac, Name, VaultId};

const MAGIC: &[u8; 8] = b"PVINDEX1";
const ITEM_LEN: usize = 64;
/// Kind of an index object, in its head.
pub const KIND: &str = "index";

/// What a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackKind {
    /// Documents, models, metadata: small content.
    Content,
    /// Bytes of assets.
    Assets,
    /// Pages of catalogs and links.
    Catalog,
}

impl PackKind {
    /// Whether only content recipients can read it.
    pub fn is_content(self) -> bool {
        self != Self::Catalog
    }
}

/// A pack as the index describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRecord {
    /// SHA-256 of its body.
    pub id: Digest,
    /// What it holds.
    pub kind: PackKind,
    /// Bytes of the body.
    pub size: u64,
    /// Digest and size of the header written with it; `None` without encryption.
    pub header: Option<(Digest, u64)>,
    /// Number of the trust record to whose recipients that header was written; 0 where it is not
    /// known.
    pub trust: u32,
    /// Its zstd frames, in order.
    pub frames: Vec<Frame>,
    /// Its items, in order.
    pub items: Vec<ItemRecord>,
}

/// A zstd frame of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Compressed bytes. Frames follow each other without gaps.
    pub stored: u32,
    /// Decompressed bytes.
    pub raw: u32,
}

/// Where an item is in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRecord {
    /// Fingerprint by which equal items are known.
    pub mac: Mac,
    /// Id of the item.
    pub id: ItemId,
    /// Frame in which its tar header begins.
    pub frame: u32,
    /// Offset of that header in the decompressed frame.
    pub offset: u32,
    /// Bytes of the item; they follow the header and go on in the next frames.
    pub length: u64,
}

/// An index object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Vault it belongs to.
    pub vault: VaultId,
    /// Space its packs lie in.
    pub space: Name,
    /// Number of the trust record to whose catalog recipients it is encrypted; 0 where it is not
    /// known. What it describes may be older: small index objects are merged into new ones.
    pub trust: u32,
    /// New packs.
    pub packs: Vec<PackRecord>,
    /// In an index written while a run goes on: for each asset finished so far the items of its
    /// metadata and of its bytes, so that the next run does not download it again.
    pub originals: Vec<(ItemId, ItemId)>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    kind: String,
    format: u32,
    vault: VaultId,
    space: Name,
    #[serde(default, skip_serializing_if = "is_unknown")]
    trust: u32,
    packs: Vec<HeadPack>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    originals: Vec<(ItemId, ItemId)>,
}

#[derive(Serialize, Deserialize)]
struct HeadPack {
    id: Digest,
    kind: PackKind,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<(Digest, u64)>,
    #[serde(default, skip_serializing_if = "is_unknown")]
    trust: u32,
    frames: Vec<(u32, u32)>,
    items: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_unknown(trust: &u32) -> bool {
    *trust == 0
}

impl IndexFile {
    /// Serialises and signs.
    pub fn encode(&self, signer: &SigningKey) -> Vec<u8> {
        let head = Head {
            kind: KIND.to_owned(),
            format: super::VERSION,
            vault: self.vault,
            space: self.space.clone(),
            trust: self.trust,
            packs: self.packs.iter().map(HeadPack::of).collect(),
            originals: self.originals.clone(),
        };
        let head = serde_json::to_vec(&head).expect("structures of the format always serialise");
        let items: usize = self.packs.iter().map(|pack| pack.items.len()).sum();
        let mut bytes = Vec::with_capacity(12 + head.len() + items * ITEM_LEN + 512);
        bytes.extend(MAGIC);
        bytes.extend(u32::try_from(head.len()).expect("a run adds far fewer packs").to_le_bytes());
        bytes.extend(head);
        for item in self.packs.iter().flat_map(|pack| &pack.items) {
            bytes.extend(item.mac.0);
            bytes.extend(item.id.0);
            bytes.extend(item.frame.to_le_bytes());
            bytes.extend(item.offset.to_le_bytes());
            bytes.extend(item.length.to_le_bytes());
        }
        let signature = signer.sign(&bytes, KIND);
        bytes.extend(signature.as_bytes());
        bytes.extend(u32::try_from(signature.len()).expect("a signature is short").to_le_bytes());
        bytes
    }

    /// Returns which of `signers` signed these bytes, as they are before encryption.
    pub fn signer<'a>(bytes: &[u8], signers: &'a [VerifyingKey]) -> Option<&'a VerifyingKey> {
        let (signed, signature) = split_signature(bytes)?;
        signers.iter().find(|signer| signer.verifies(signed, signature))
    }

    /// Checks signature and claims and reads.
    ///
    /// `key` and `place` are for messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotTrusted`] when none of `signers` signed it or it is of another vault or
    /// space, [`ErrorKind::Integrity`] when it is damaged.
    pub fn decode(
        bytes: &[u8],
        signers: &[VerifyingKey],
        vault: &VaultId,
        space: &Name,
        key: &str,
        place: &dyn std::fmt::Display,
    ) -> Result<Self> {
        let damaged = |why: &str| VaultError::damaged(key, place, why);
        let (signed, _) = split_signature(bytes).ok_or_else(|| damaged("it is cut short"))?;
        if Self::signer(bytes, signers).is_none() {
            return Err(VaultError::new(
                ErrorKind::NotTrusted,
                format!("{key} on {place} is refused: no trusted signing key signed it"),
            )
            .hint("an index object that somebody else put there; `prismvault verify` names all of them"));
        }
        let rest = signed.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no index object"))?;
        let (len, rest) = rest.split_first_chunk().ok_or_else(|| damaged("it is cut short"))?;
        let (head, items) = rest
            .split_at_checked(u32::from_le_bytes(*len) as usize)
            .ok_or_else(|| damaged("it is cut short"))?;
        let head: Head =
            serde_json::from_slice(head).map_err(|error| VaultError::damaged(key, place, error))?;
        if head.format != super::VERSION {
            return Err(super::unknown_version(key, head.format));
        }
        if head.kind != KIND || head.vault != *vault || head.space != *space {
            return Err(VaultError::new(
                ErrorKind::NotTrusted,
                format!("{key} on {place} is refused: it belongs to another vault or space"),
            ));
        }
        let (items, odd) = items.as_chunks::<ITEM_LEN>();
        let mut items = items.iter();
        let mut packs = Vec::with_capacity(head.packs.len());
        for pack in head.packs {
            let count = pack.items as usize;
            let records: Vec<ItemRecord> = items.by_ref().take(count).map(read_item).collect();
            if records.len() != count {
                return Err(damaged("it lists fewer items than it says"));
            }
            packs.push(pack.into_record(records));
        }
        if !odd.is_empty() || items.next().is_some() {
            return Err(damaged("it lists more items than it says"));
        }
        Ok(Self { vault: head.vault, space: head.space, trust: head.trust, packs, originals: head.originals })
    }
}

impl HeadPack {
    fn of(pack: &PackRecord) -> Self {
        Self {
            id: pack.id,
            kind: pack.kind,
            size: pack.size,
            header: pack.header,
            trust: pack.trust,
            frames: pack.frames.iter().map(|frame| (frame.stored, frame.raw)).collect(),
            items: u32::try_from(pack.items.len()).expect("a pack holds far fewer items"),
        }
    }

    fn into_record(self, items: Vec<ItemRecord>) -> PackRecord {
        let frames = self.frames.into_iter().map(|(stored, raw)| Frame { stored, raw }).collect();
        PackRecord {
            id: self.id,
            kind: self.kind,
            size: self.size,
            header: self.header,
            trust: self.trust,
            frames,
            items,
        }
    }
}

fn split_signature(bytes: &[u8]) -> Option<(&[u8], &str)> {
    let (rest, len) = bytes.split_last_chunk::<4>()?;
    let at = rest.len().checked_sub(u32::from_le_bytes(*len) as usize)?;
    let (signed, signature) = rest.split_at(at);
    Some((signed, std::str::from_utf8(signature).ok()?))
}

fn read_item(bytes: &[u8; ITEM_LEN]) -> ItemRecord {
    fn part<const N: usize>(bytes: &[u8; ITEM_LEN], at: usize) -> [u8; N] {
        bytes[at..at + N].try_into().expect("the parts lie within 64 bytes")
    }
    ItemRecord {
        mac: Mac(part(bytes, 0)),
        id: ItemId(part(bytes, 16)),
        frame: u32::from_le_bytes(part(bytes, 48)),
        offset: u32::from_le_bytes(part(bytes, 52)),
        length: u64::from_le_bytes(part(bytes, 56)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::random;

    fn sample() -> IndexFile {
        let item = |n: u8| ItemRecord {
            mac: Mac([n; 16]),
            id: ItemId([n; 32]),
            frame: 1,
            offset: 512,
            length: 1 << 40,
        };
        let pack = |n: u8, items| PackRecord {
            id: Digest([n; 32]),
            kind: PackKind::Content,
            size: 77,
            header: Some((Digest([n; 32]), 300)),
            trust: u32::from(n) - 1,
            frames: vec![Frame { stored: 10, raw: 20 }],
            items,
        };
        IndexFile {
            vault: VaultId(random()),
            space: "blog".parse().unwrap(),
            trust: 3,
            packs: vec![pack(1, vec![item(1), item(2)]), pack(2, vec![item(3)])],
            originals: vec![(ItemId([1; 32]), ItemId([2; 32]))],
        }
    }

    #[test]
    fn an_index_survives_and_every_damage_is_refused() {
        let (index, signer) = (sample(), SigningKey::generate());
        let bytes = index.encode(&signer);
        let trusted = [signer.public().clone()];
        let decode =
            |bytes: &[u8]| IndexFile::decode(bytes, &trusted, &index.vault, &index.space, "index/x", &"here");
        assert_eq!(decode(&bytes).unwrap(), index);
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "{cut}");
        }
        for at in (0..bytes.len() - 4).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            // The untrusted comment, the first line of the signature, is not signed by design.
            let comment = b"untrusted comment".as_slice();
            let from = bytes.windows(comment.len()).position(|w| w == comment).unwrap();
            if !(from..from + 60).contains(&at) {
                assert!(decode(&flipped).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn an_index_of_another_signer_vault_or_space_is_refused() {
        let (index, signer) = (sample(), SigningKey::generate());
        let bytes = index.encode(&signer);
        let trusted = [signer.public().clone()];
        let stranger = [SigningKey::generate().public().clone()];
        let other: Name = "shop".parse().unwrap();
        let kind = |result: Result<IndexFile>| result.unwrap_err().kind;
        assert_eq!(
            kind(IndexFile::decode(&bytes, &stranger, &index.vault, &index.space, "k", &"p")),
            ErrorKind::NotTrusted
        );
        assert_eq!(
            kind(IndexFile::decode(&bytes, &trusted, &VaultId(random()), &index.space, "k", &"p")),
            ErrorKind::NotTrusted
        );
        assert_eq!(
            kind(IndexFile::decode(&bytes, &trusted, &index.vault, &other, "k", &"p")),
            ErrorKind::NotTrusted
        );
    }
}
