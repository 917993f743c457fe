//! Numbers by their digits in a row, whatever separates their groups.

use super::super::numbers::{GROUP_GAP_MAX, is_group_gap, is_id_gap};

/// Digits that a number is looked up by.
const LOOKED_UP: u32 = 3;
/// Selects them, four bits a digit.
const LOW: u64 = (1 << (4 * LOOKED_UP)) - 1;
/// Digits of a number that count: as many as there are nibbles.
const COUNTED: usize = 16;

/// The numbers of one subject.
#[derive(Debug)]
pub(super) struct Digits {
    /// One bit for each ending of three digits.
    endings: Vec<u64>,
    /// The digits as nibbles, and which of them count, by their ending.
    numbers: Vec<(u64, u64)>,
    /// What may stand between digits of one number.
    gaps: [bool; 256],
}

impl Digits {
    /// Numbers of at least three digits; of longer ones the last sixteen count.
    pub(super) fn new(numbers: &[String]) -> Option<Self> {
        if numbers.is_empty() {
            return None;
        }
        let mut endings = vec![0; (LOW as usize + 1) / 64];
        let mut rows = Vec::with_capacity(numbers.len());
        for number in numbers {
            let value = number.bytes().fold(0_u64, |value, digit| (value << 4) | u64::from(digit - b'0'));
            let mask = u64::MAX >> (64 - 4 * number.len().min(COUNTED));
            let value = value & mask;
            endings[(value & LOW) as usize / 64] |= 1 << ((value & LOW) % 64);
            rows.push((value, mask));
        }
        rows.sort_unstable_by_key(|(value, _)| value & LOW);
        let gap = |byte: usize| u8::try_from(byte).is_ok_and(|byte| is_group_gap(byte) || is_id_gap(byte));
        Some(Self { endings, numbers: rows, gaps: std::array::from_fn(gap) })
    }

    /// Whether one of them is in a text.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        const CHUNK: usize = 32;
        // A nibble of 15 is no digit.
        let (mut row, mut behind) = (u64::MAX, 0);
        for (start, chunk) in (0..).step_by(CHUNK).zip(text.chunks(CHUNK)) {
            // Most have none, which is seen in a few instructions.
            if !chunk.iter().fold(false, |any, byte| any | (byte.wrapping_sub(b'0') < 10)) {
                continue;
            }
            for (start, bytes) in (start..).step_by(WORD).zip(chunk.chunks(WORD)) {
                let mut word = [0; WORD];
                word[..bytes.len()].copy_from_slice(bytes);
                let mut digits = digits(u64::from_le_bytes(word));
                while digits != 0 {
                    let at = start + digits.trailing_zeros() as usize / 8;
                    digits &= digits - 1;
                    if at > behind && !self.is_gap(&text[behind..at]) {
                        row = u64::MAX;
                    }
                    row = (row << 4) | u64::from(text[at] & 15);
                    behind = at + 1;
                    let ending = (row & LOW) as usize;
                    if (self.endings[ending / 64] >> (ending % 64)) & 1 == 1 && self.ends(row) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whether this may stand between two groups of one number.
    fn is_gap(&self, between: &[u8]) -> bool {
        between.len() <= GROUP_GAP_MAX && between.iter().all(|byte| self.gaps[usize::from(*byte)])
    }

    #[cold]
    fn ends(&self, row: u64) -> bool {
        let first = self.numbers.partition_point(|(value, _)| value & LOW < row & LOW);
        let same = self.numbers[first..].iter().take_while(|(value, _)| value & LOW == row & LOW);
        same.into_iter().any(|(value, mask)| row & mask == *value)
    }
}

/// Bytes that are looked at as one.
const WORD: usize = 8;

/// The highest bit of each byte that is a digit.
fn digits(word: u64) -> u64 {
    // Digits become 0 to 9; whatever is above has the highest bit, or gets it by the addition.
    let value = word ^ u64::from_ne_bytes([b'0'; WORD]);
    let above = (value & u64::from_ne_bytes([0x7f; WORD])) + u64::from_ne_bytes([0x76; WORD]);
    !(above | value) & u64::from_ne_bytes([0x80; WORD])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_one() {
        let digits = Digits::new(&["0182700".to_owned(), "4711".to_owned()]).unwrap();
        let long = format!("{}4711", " ".repeat(70));
        for text in ["90182700", "9 01 82-700", "(901) 82 700", "47 - 11", "a4711b", long.as_str()] {
            assert!(digits.are_in(text.as_bytes()), "{text}");
        }
        let far = format!("47{}11", "-".repeat(64));
        for text in ["0182", "47\"11", "47    11", "47a11", "1174", "", far.as_str()] {
            assert!(!digits.are_in(text.as_bytes()), "{text}");
        }
        assert!(Digits::new(&[]).is_none());
    }

    #[test]
    fn digits_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            let bits = digits(u64::from_le_bytes([b'a', byte, b'7', byte, 0xff, 0, byte, b'/']));
            let digit = if byte.is_ascii_digit() { 0x80 } else { 0 };
            assert_eq!(bits.to_le_bytes(), [0, digit, 0x80, digit, 0, 0, digit, 0], "{byte}");
        }
    }

    #[test]
    fn of_a_long_number_the_end_counts() {
        let digits = Digits::new(&["12345678901234567890".to_owned()]).unwrap();
        assert!(digits.are_in(b"99995678901234567890"));
        assert!(!digits.are_in(b"99996678901234567890"));
    }

    #[test]
    fn many_numbers_of_one_ending() {
        let numbers: Vec<String> = (1000..3000).map(|number| format!("{number}700")).collect();
        let digits = Digits::new(&numbers).unwrap();
        assert!(digits.are_in(b"2999 700") && !digits.are_in(b"3000 700"));
    }
}
