//! Numbers out of bytes that may end anywhere.

/// Bytes with a byte order, read at any place.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) all: &'a [u8],
    pub(super) big_endian: bool,
}

impl<'a> Bytes<'a> {
    pub(super) fn big_endian(all: &'a [u8]) -> Self {
        Self { all, big_endian: true }
    }

    pub(super) fn little_endian(all: &'a [u8]) -> Self {
        Self { all, big_endian: false }
    }

    /// `length` bytes at `at`; `None` where they are not all there.
    pub(super) fn slice(&self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.all.get(at..at.checked_add(length)?)
    }

    /// A number of 0 to 8 bytes.
    pub(super) fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.slice(at, length.min(8))?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        self.number(at, 2)?.try_into().ok()
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        self.number(at, 4)?.try_into().ok()
    }

    /// A number of 4 bytes as a place or length.
    pub(super) fn place(&self, at: usize) -> Option<usize> {
        usize::try_from(self.u32(at)?).ok()
    }
}

/// First place of `needle` at or after `from`.
pub(super) fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find(bytes.get(from..)?, needle).map(|at| from + at)
}
