//! Random numbers that stay the same for ever.
//!
//! Synthetic content is named by its seed in tests and benchmarks, so the generator must not
//! change with a dependency: it is SplitMix64 (Steele, Lea, Flood: "Fast splittable
//! pseudorandom number generators", 2014). Not for secrets.

use crate::contentapi::Millis;

/// A sequence of numbers that its seeds decide.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence; each combination of seeds has its own.
    pub fn new(seeds: &[u64]) -> Self {
        let mut random = Self(0x005e_ed0f_ab1e);
        for seed in seeds {
            random.0 = random.next() ^ seed;
        }
        random
    }

    /// Returns the next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and nothing iterates over it")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, or 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the result is below a usize")]
        let below = ((u128::from(self.next()) * end as u128) >> 64) as usize;
        below
    }

    /// Returns a number from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns true with a probability of one in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Chooses one; the slice must not be empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Makes an id in Prismic's form: 16 characters of `[A-Za-z0-9_-]`, the first bytes of which
    /// are a time.
    pub fn id(&mut self, created: Millis) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let seconds = u32::try_from(created / 1000).unwrap_or(0);
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..].copy_from_slice(&self.next().to_be_bytes());
        let mut id = String::with_capacity(16);
        for three in bytes.chunks_exact(3) {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            for shift in [18, 12, 6, 0] {
                id.push(char::from(ALPHABET[(bits >> shift) as usize & 63]));
            }
        }
        id
    }

    /// Makes a version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff,
        )
    }

    /// Fills a buffer with bytes that do not compress.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random::new(&[1, 2]);
        let numbers = [random.next(), random.next()];
        assert_eq!(numbers, Random::new(&[1, 2]).0.pipe_twice());
        assert_ne!(numbers[0], Random::new(&[2, 1]).next());
        assert_eq!(Random::new(&[3]).id(1_520_000_000_000).len(), 16);
        assert_eq!(Random::new(&[3]).uuid().len(), 36);
        assert_eq!(Random::new(&[3]).below(0), 0);
    }

    trait Twice {
        fn pipe_twice(self) -> [u64; 2];
    }

    impl Twice for u64 {
        fn pipe_twice(self) -> [u64; 2] {
            let mut random = Random(self);
            [random.next(), random.next()]
        }
    }
}
