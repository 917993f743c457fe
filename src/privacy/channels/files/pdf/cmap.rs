//! `ToUnicode`: what the codes of a font mean. Read for its pairs alone, because what stands around them
//! is written in as many ways as there are programs.

use std::collections::{BTreeMap, HashMap};

use super::super::super::desk::{Desk, Outcome};

/// Pairs and ranges that are kept. Fonts have at most 65,536 glyphs.
const ENTRIES_MAX: usize = 1 << 17;

/// A code with its length in bytes: `<41>` is not `<0041>`.
type Code = (usize, u32);

/// What codes mean.
#[derive(Default)]
pub(super) struct CMap {
    /// Lowest and highest code of each length.
    spaces: Vec<(usize, u32, u32)>,
    chars: HashMap<Code, Vec<u16>>,
    /// By the first code: the last one, and the text of the first.
    ranges: BTreeMap<Code, (u32, Vec<u16>)>,
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Hex(Vec<u8>),
    Word(&'a [u8]),
    Open,
    Close,
}

struct Tokens<'a>(&'a [u8]);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let whole = self.0;
            let (first, rest) = whole.split_first()?;
            self.0 = rest;
            let until = |ends: fn(&u8) -> bool| rest.iter().position(ends).unwrap_or(rest.len());
            match first {
                b'%' => self.0 = &rest[until(|byte| matches!(byte, b'\r' | b'\n'))..],
                b'[' => return Some(Token::Open),
                b']' => return Some(Token::Close),
                b'<' if rest.first() != Some(&b'<') => {
                    let end = until(|byte| *byte == b'>');
                    self.0 = rest.get(end + 1..).unwrap_or_default();
                    let digits: Vec<u8> = rest[..end]
                        .iter()
                        .filter_map(|byte| char::from(*byte).to_digit(16))
                        .filter_map(|digit| u8::try_from(digit).ok())
                        .collect();
                    return Some(Token::Hex(
                        digits
                            .chunks(2)
                            .map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0))
                            .collect(),
                    ));
                }
                byte if byte.is_ascii_alphabetic() => {
                    let end = until(|byte| !byte.is_ascii_alphanumeric());
                    self.0 = &rest[end..];
                    return Some(Token::Word(&whole[..=end]));
                }
                _ => {}
            }
        }
    }
}

fn code(bytes: &[u8]) -> Code {
    (bytes.len(), bytes.iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        bytes => bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
    }
}

impl CMap {
    /// Reads what it can.
    ///
    /// # Errors
    ///
    /// Only when a bound of the item is hit.
    pub(super) fn read(desk: &mut Desk<'_>, text: &[u8]) -> Outcome<Self> {
        let mut map = Self::default();
        let mut tokens = Tokens(text);
        while let Some(token) = tokens.next() {
            desk.tick()?;
            match token {
                Token::Word(b"begincodespacerange") => {
                    while let Some(Token::Hex(low)) = tokens.next() {
                        desk.tick()?;
                        let Some(Token::Hex(high)) = tokens.next() else { break };
                        let ((length, low), (_, high)) = (code(&low), code(&high));
                        if (1..=4).contains(&length) && map.spaces.len() < 256 {
                            map.spaces.push((length, low, high));
                        }
                    }
                }
                Token::Word(b"beginbfchar") => {
                    while let Some(Token::Hex(from)) = tokens.next() {
                        desk.tick()?;
                        let Some(Token::Hex(to)) = tokens.next() else { break };
                        map.keep(code(&from), units(&to));
                    }
                }
                Token::Word(b"beginbfrange") => map.read_ranges(desk, &mut tokens)?,
                _ => {}
            }
        }
        Ok(map)
    }

    fn keep(&mut self, code: Code, text: Vec<u16>) {
        if self.chars.len() < ENTRIES_MAX {
            self.chars.insert(code, text);
        }
    }

    fn read_ranges(&mut self, desk: &mut Desk<'_>, tokens: &mut Tokens<'_>) -> Outcome {
        while let Some(Token::Hex(first)) = tokens.next() {
            desk.tick()?;
            let Some(Token::Hex(last)) = tokens.next() else { break };
            let ((length, first), (_, last)) = (code(&first), code(&last));
            match tokens.next() {
                Some(Token::Hex(text)) => {
                    if self.ranges.len() < ENTRIES_MAX {
                        self.ranges.insert((length, first), (last, units(&text)));
                    }
                }
                Some(Token::Open) => {
                    let mut at = first;
                    while let Some(Token::Hex(text)) = tokens.next() {
                        desk.tick()?;
                        self.keep((length, at), units(&text));
                        at = at.saturating_add(1);
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn text(&self, (length, code): Code) -> Option<Vec<u16>> {
        if let Some(text) = self.chars.get(&(length, code)) {
            return Some(text.clone());
        }
        let ((found, first), (last, text)) = self.ranges.range(..=(length, code)).next_back()?;
        if *found != length || code > *last {
            return None;
        }
        let mut text = text.clone();
        // Only the last unit counts up.
        if let Some(unit) = text.last_mut() {
            *unit = unit.wrapping_add(u16::try_from(code - first).unwrap_or(u16::MAX));
        }
        Some(text)
    }

    /// Bytes of the code at the beginning: as the spaces say, else the usual number.
    fn length(&self, bytes: &[u8], usual: usize) -> usize {
        let is_in = |(length, low, high): &(usize, u32, u32)| {
            bytes.get(..*length).is_some_and(|bytes| {
                let code = code(bytes).1;
                // Each byte by itself.
                (0..*length).all(|at| {
                    let byte = |code: u32| code >> (8 * at) & 0xff;
                    (byte(*low)..=byte(*high)).contains(&byte(code))
                })
            })
        };
        self.spaces.iter().find(|space| is_in(space)).map_or(usual, |space| space.0).min(bytes.len())
    }

    /// Adds the characters of a string. Each code without meaning is given to `unknown`.
    pub(super) fn decode(
        &self,
        bytes: &[u8],
        usual: usize,
        out: &mut String,
        mut unknown: impl FnMut(&[u8], &mut String),
    ) {
        let mut rest = bytes;
        let mut pending: Vec<u16> = Vec::new();
        while !rest.is_empty() {
            let length = self.length(rest, usual).max(1);
            let (now, after) = rest.split_at(length);
            rest = after;
            match self.text(code(now)) {
                // Halves of one character may have codes of their own.
                Some(text) => pending.extend(text),
                None => {
                    out.push_str(&String::from_utf16_lossy(&std::mem::take(&mut pending)));
                    unknown(now, out);
                }
            }
        }
        out.push_str(&String::from_utf16_lossy(&pending));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::channels::desk::{Bounds, Sink};
    use crate::privacy::passage::{Passage, Unsearchable};

    struct Nobody;

    impl Sink for Nobody {
        fn passage(&mut self, _: Passage<'_>) {}
        fn unsearchable(&mut self, _: Unsearchable) {}
    }

    fn decode(map: &str, bytes: &[u8], usual: usize) -> String {
        let (bounds, mut nobody) = (Bounds::default(), Nobody);
        let mut desk = Desk::new(&bounds, &mut nobody);
        let Ok(map) = CMap::read(&mut desk, map.as_bytes()) else { panic!("no bound was hit") };
        let mut out = String::new();
        map.decode(bytes, usual, &mut out, |_, out| out.push('?'));
        out
    }

    #[test]
    fn pairs_ranges_and_lists_are_read_however_they_are_written() {
        let map =
            "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CIDSystemInfo<</Registry(A)>>def
            1 begincodespacerange<0000><FFFF>endcodespacerange % a comment <00>
            2 beginbfchar<0001><004E><0002> <006f> endbfchar
            2 beginbfrange <0003> <0005> <0072>\n<0010><0011>[<D83DDE00> <00660069>]endbfrange endcmap";
        assert_eq!(decode(map, b"\0\x01\0\x02\0\x03\0\x10\0\x11\0\x05\0\x09", 2), "Nor😀fit?");
        // An odd byte at the end.
        assert_eq!(decode(map, b"\0\x01\0", 2), "N?");
    }

    #[test]
    fn codes_have_the_length_that_their_space_says() {
        let map = "begincodespacerange <00> <80> <8100> <FEFF> endcodespacerange
            beginbfchar <41> <0042> <8141> <4E00> endbfchar";
        assert_eq!(decode(map, b"A\x81AA", 1), "B一B");
    }

    #[test]
    fn damaged_maps_end() {
        for map in [
            "",
            "beginbfchar",
            "beginbfchar <",
            "beginbfrange <00> <",
            "beginbfrange <00> <FFFFFFFF> <0041>",
            "beginbfrange <00000000> <FFFFFFFF> [",
            "begincodespacerange <> <> endcodespacerange",
            "beginbfchar <00> <D800> <01> <0041>",
        ] {
            decode(map, &[0, 1, 2, 255], 1);
        }
    }
}
