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
    /// The last digits that there are.
    lasts: Vec<u8>,
    /// For each last digit, one bit for each digit that is before it in a number.
    pairs: [u16; 10],
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
        let is_last = |digit: &u8| rows.iter().any(|(value, _)| value & 15 == u64::from(digit - b'0'));
        let lasts = (b'0'..=b'9').filter(is_last).collect();
        let mut pairs = [0; 10];
        for (value, _) in &rows {
            pairs[(value & 15) as usize] |= 1 << (value >> 4 & 15);
        }
        let gap = |byte: usize| u8::try_from(byte).is_ok_and(|byte| is_group_gap(byte) || is_id_gap(byte));
        Some(Self { endings, numbers: rows, lasts, pairs, gaps: std::array::from_fn(gap) })
    }

    /// Whether one of them is in a text. Only where a last digit stands the others are looked at.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        let (chunks, rest) = text.as_chunks();
        let mut last = [0; CHUNK];
        last[..rest.len()].copy_from_slice(rest);
        (0..).step_by(CHUNK).zip(chunks.iter().chain([&last])).any(|(start, chunk)| {
            // Of arrays that all are as long, for which the compiler takes a few wide instructions.
            let has = |digit: &u8| chunk.iter().fold(false, |any, byte| any | (byte == digit));
            self.lasts.iter().any(has) && self.are_in_chunk(text, start, chunk)
        })
    }

    fn are_in_chunk(&self, text: &[u8], start: usize, chunk: &[u8; CHUNK]) -> bool {
        let (words, _) = chunk.as_chunks();
        (start..).step_by(WORD).zip(words).any(|(start, word)| {
            let word = u64::from_le_bytes(*word);
            let lasts = self.lasts.iter().map(|last| zeros(word ^ (u64::from(*last) * ONES)));
            let mut lasts = lasts.fold(0, |found, zeros| found | zeros);
            while lasts != 0 {
                let at = start + lasts.trailing_zeros() as usize / 8;
                lasts &= lasts - 1;
                if self.end_at(text, at) {
                    return true;
                }
            }
            false
        })
    }

    /// Whether one of them ends with this digit.
    fn end_at(&self, text: &[u8], at: usize) -> bool {
        // Nearly always the digit before says that it is none.
        if let Some(before) = at.checked_sub(1).map(|before| text[before]).filter(u8::is_ascii_digit)
            && (self.pairs[usize::from(text[at] - b'0')] >> (before - b'0')) & 1 == 0
        {
            return false;
        }
        // A nibble of 15 is no digit.
        let (mut row, mut next) = (u64::MAX, Some(at));
        for digit in 0..COUNTED {
            let Some(at) = next else { break };
            let shift = 4 * digit as u32;
            row = row & !(15 << shift) | u64::from(text[at] & 15) << shift;
            if digit + 1 == LOOKED_UP as usize {
                let ending = (row & LOW) as usize;
                if (self.endings[ending / 64] >> (ending % 64)) & 1 == 0 {
                    return false;
                }
            }
            next = self.before(text, at);
        }
        self.ends(row)
    }

    /// The digit before one, as far as both can be of one number.
    fn before(&self, text: &[u8], at: usize) -> Option<usize> {
        let gap =
            text[..at].iter().rev().take(GROUP_GAP_MAX).take_while(|byte| self.gaps[usize::from(**byte)]);
        let before = at.checked_sub(gap.count() + 1)?;
        text[before].is_ascii_digit().then_some(before)
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
/// Bytes in which often there is nothing.
const CHUNK: usize = 4 * WORD;

/// A one in each byte.
const ONES: u64 = u64::from_ne_bytes([1; WORD]);

/// The highest bit of each byte that is zero.
fn zeros(word: u64) -> u64 {
    !(((word & (0x7f * ONES)) + 0x7f * ONES) | word) & (0x80 * ONES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn zeros_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            let bits = zeros(u64::from_le_bytes([1, byte, 0, byte, 0xff, 0x80, byte, 0x7f]));
            let zero = if byte == 0 { 0x80 } else { 0 };
            assert_eq!(bits.to_le_bytes(), [0, zero, 0x80, zero, 0, 0, zero, 0], "{byte}");
        }
    }

    proptest! {
        /// As one reads it: digits in a row with gaps between them.
        #[test]
        fn every_number_is_found(
            numbers in proptest::collection::vec("[0-3]{3,18}", 1..4), text in "[0-3]{0,6}([ -]{0,5}[0-3x]{1,6}){0,6}",
        ) {
            let digits = Digits::new(&numbers).unwrap();
            let mut rows = vec![String::new()];
            let mut gap = 0;
            for byte in text.bytes() {
                if byte.is_ascii_digit() {
                    if gap > GROUP_GAP_MAX { rows.push(String::new()); }
                    rows.last_mut().unwrap().push(char::from(byte));
                    gap = 0;
                } else {
                    gap += if digits.gaps[usize::from(byte)] { 1 } else { GROUP_GAP_MAX + 1 };
                }
            }
            let counted = |number: &String| number[number.len().saturating_sub(COUNTED)..].to_owned();
            let expected = numbers.iter().any(|number| rows.iter().any(|row| row.contains(&counted(number))));
            prop_assert_eq!(digits.are_in(text.as_bytes()), expected);
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
