//! Many strings looked for at once, in one pass over a text that hardly ever holds them.
//!
//! Of each string a few grams (two to four bytes in a row) are known, chosen so that at every
//! occurrence one of them begins at a multiple of the stride: only there is the text looked at,
//! each time with one look into a set of bits. Automata look at every byte, one after the other.

/// Bytes of the longest gram.
const GRAM_MAX: usize = 4;
/// Places of the text that are passed over at most: longer strides need more grams, and more grams
/// are met by chance.
const STRIDE_MAX: usize = 3;
/// Bits of a hash: the set takes eight kilobytes and stays in the nearest cache.
const HASH_BITS: u32 = 16;
/// Hashes that share one list of grams, in bits.
const LIST_BITS: u32 = 4;

/// The strings of one subject, by their grams.
#[derive(Debug)]
pub(super) struct Grams {
    stride: usize,
    /// Selects the bytes of a gram in a word.
    mask: u32,
    /// One bit a hash: whether there are such grams.
    known: Vec<u64>,
    /// Where the lists begin in `grams`, by the upper bits of the hash.
    lists: Vec<u32>,
    grams: Vec<Gram>,
}

#[derive(Debug, Clone, Copy)]
struct Gram {
    value: u32,
    /// Which string.
    string: u32,
    /// Where in it.
    offset: usize,
}

/// A string that may be in the text: its first bytes were not compared yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Which string.
    pub(super) string: usize,
    /// Where it would begin.
    pub(super) at: usize,
}

impl Grams {
    /// `None` without strings, and where one is empty.
    pub(super) fn new(strings: &[&[u8]]) -> Option<Self> {
        let shortest = strings.iter().map(|string| string.len()).min().filter(|length| *length > 0)?;
        let (length, stride) = match shortest {
            // Two places in three of a trigram are better than a longer gram at each.
            4 => (3, 2),
            shortest => {
                let length = shortest.min(GRAM_MAX);
                (length, (shortest - length + 1).min(STRIDE_MAX))
            }
        };
        let mask = u32::MAX >> (8 * (GRAM_MAX - length));
        let mut grams = Vec::with_capacity(strings.len() * stride);
        for (index, string) in (0..).zip(strings) {
            let window = rarest(string, length + stride - 1);
            grams.extend((window..window + stride).map(|offset| {
                let value = word(string, offset) & mask;
                Gram { value, string: index, offset }
            }));
        }
        grams.sort_by_key(|gram| hash(gram.value));
        let mut known = vec![0; 1 << (HASH_BITS - 6)];
        let mut lists = vec![0; (1 << (HASH_BITS - LIST_BITS)) + 1];
        for gram in &grams {
            let hash = hash(gram.value);
            known[hash >> 6] |= 1 << (hash & 63);
            lists[(hash >> LIST_BITS) + 1] += 1;
        }
        let mut sum = 0;
        for list in &mut lists {
            sum += *list;
            *list = sum;
        }
        Some(Self { stride, mask, known, lists, grams })
    }

    /// Hands out every place where a string may begin, each once, until `accept` takes one; says
    /// whether it did.
    pub(super) fn any(&self, text: &[u8], mut accept: impl FnMut(Candidate) -> bool) -> bool {
        let mut at = 0;
        while let Some(word) = text[at..].first_chunk::<GRAM_MAX>() {
            if self.is_known(u32::from_le_bytes(*word)) && self.listed(text, at, &mut accept) {
                return true;
            }
            at += self.stride;
            if at > text.len() {
                return false;
            }
        }
        // Too near to the end for a whole word.
        while at < text.len() {
            if self.listed(text, at, &mut accept) {
                return true;
            }
            at += self.stride;
        }
        false
    }

    fn is_known(&self, word: u32) -> bool {
        let hash = hash(word & self.mask);
        (self.known[hash >> 6] >> (hash & 63)) & 1 == 1
    }

    #[cold]
    fn listed(&self, text: &[u8], at: usize, accept: &mut impl FnMut(Candidate) -> bool) -> bool {
        let value = word(text, at) & self.mask;
        let list = hash(value) >> LIST_BITS;
        let grams = &self.grams[self.lists[list] as usize..self.lists[list + 1] as usize];
        grams.iter().any(|gram| {
            gram.value == value
                && at >= gram.offset
                && accept(Candidate { string: gram.string as usize, at: at - gram.offset })
        })
    }
}

/// The bytes from a place on as a word; zeros behind the end.
fn word(text: &[u8], at: usize) -> u32 {
    let mut word = [0; GRAM_MAX];
    for (to, from) in word.iter_mut().zip(&text[at..]) {
        *to = *from;
    }
    u32::from_le_bytes(word)
}

/// Multiplicative (Fibonacci) hashing.
fn hash(value: u32) -> usize {
    (value.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HASH_BITS)) as usize
}

/// Where the stretch of that length begins that is the least likely in other words, going by how
/// often letters are used in European languages.
fn rarest(string: &[u8], length: usize) -> usize {
    const COMMON: &[u8] = b"enairtsoldhucmgpfbkvwzyjxq";
    let rarity = |byte: &u8| COMMON.iter().position(|common| common == byte).unwrap_or(COMMON.len());
    let windows = string.windows(length).map(|window| window.iter().map(rarity).sum::<usize>());
    windows.enumerate().max_by_key(|(_, rarity)| *rarity).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the strings are, each place where one stands is handed out once.
        #[test]
        fn every_occurrence_is_found_once(
            strings in proptest::collection::vec("[a-c]{1,9}", 1..6), shortest in 1..8_usize, text in "[a-c]{0,80}",
        ) {
            let strings: Vec<&[u8]> = strings.iter().map(String::as_bytes).filter(|string| string.len() >= shortest).collect();
            let text = text.as_bytes();
            let mut expected = Vec::new();
            for (string, bytes) in strings.iter().enumerate() {
                expected.extend((0..text.len()).filter(|at| text[*at..].starts_with(bytes)).map(|at| (string, at)));
            }
            let mut found = Vec::new();
            if let Some(grams) = Grams::new(&strings) {
                let taken = grams.any(text, |Candidate { string, at }| {
                    if text[at..].starts_with(strings[string]) { found.push((string, at)); }
                    false
                });
                prop_assert!(!taken);
            }
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_first_one_taken_ends_it() {
        let grams = Grams::new(&[b"muster", b"probe"]).unwrap();
        let mut seen = 0;
        assert!(grams.any(b"eine probe, ein muster, eine probe", |_| {
            seen += 1;
            seen == 2
        }));
        assert_eq!(seen, 2);
        assert!(Grams::new(&[]).is_none());
        assert!(Grams::new(&[b"a", b""]).is_none());
    }
}
