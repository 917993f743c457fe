//! Bodies of catalog packs while they are read: files of the cache, or memory where there is none.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::cache::CachedFile;
use crate::ids::Digest;

/// Bytes of catalog packs kept in memory, where there is no cache that has them.
pub(super) const BODIES_KEPT: u64 = 64 << 20;
/// Files of the cache kept open, each a catalog pack.
const FILES_KEPT: usize = 256;

/// Bodies of catalog packs that are at hand: their pages are read again and again.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    known: HashMap<Digest, KeptBody>,
    /// Bytes of those in memory.
    bytes: u64,
}

/// A body, whole.
#[derive(Debug, Clone)]
pub(super) enum KeptBody {
    Memory(Bytes),
    File(CachedFile),
}

impl KeptBody {
    /// A part of it; `None` where it is shorter.
    pub(super) fn part(&self, range: &Range<u64>) -> Option<Bytes> {
        match self {
            Self::Memory(body) => Some(body.slice_ref(body.get(range.start as usize..range.end as usize)?)),
            Self::File(file) => file.read(range),
        }
    }
}

impl Bodies {
    pub(super) fn get(&self, pack: &Digest) -> Option<KeptBody> {
        self.known.get(pack).cloned()
    }

    /// Keeps another; what was kept goes where it would be too much.
    pub(super) fn keep(&mut self, pack: Digest, body: KeptBody) {
        let size = if let KeptBody::Memory(body) = &body { body.len() as u64 } else { 0 };
        if self.bytes + size > BODIES_KEPT || self.known.len() >= FILES_KEPT {
            *self = Self::default();
        }
        self.bytes += size;
        self.known.insert(pack, body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_open_files_are_bounded() {
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let mut bodies = Bodies::default();
        let half = Bytes::from(vec![7; BODIES_KEPT as usize / 2]);
        for pack in [one, other] {
            bodies.keep(pack, KeptBody::Memory(half.clone()));
        }
        assert_eq!(bodies.get(&one).unwrap().part(&(1..3)).as_deref(), Some(&[7, 7][..]));
        assert!(bodies.get(&one).unwrap().part(&(0..half.len() as u64 + 1)).is_none());
        bodies.keep(Digest::of(b"third"), KeptBody::Memory(half));
        assert!(bodies.get(&one).is_none() && bodies.get(&other).is_none());
        let few = Bytes::from_static(b"few");
        for number in 0..FILES_KEPT * 2 {
            bodies.keep(Digest::of(&number.to_le_bytes()), KeptBody::Memory(few.clone()));
            assert!(bodies.known.len() <= FILES_KEPT);
        }
    }
}
