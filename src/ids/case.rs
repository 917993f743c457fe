//! Ids of data-subject requests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidId, random};

/// Letters and digits that nobody takes for one another when they are read out or written by hand:
/// no 0, 1, I, L, O, U.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random letters of an id: some 700 million a year.
const LETTERS: usize = 6;

/// Id of the case of a data-subject request: `2026-7K3F9Q`, the year of receipt and random letters.
/// It says nothing of the person, so it may stand where people and programs read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId(String);

impl CaseId {
    /// Returns a new id for a request received in this year.
    pub fn new(year: u16) -> Self {
        let mut letters = String::with_capacity(LETTERS);
        while letters.len() < LETTERS {
            let [byte] = random::<1>();
            // 240 is a multiple of 30, so that every letter is as likely.
            if byte < 240 {
                letters.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
        Self(format!("{:04}-{letters}", year.min(9999)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CaseId {
    type Err = InvalidId;

    /// Reads an id as people type it: in any case of letters.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let upper = text.to_ascii_uppercase();
        let valid = upper.split_once('-').is_some_and(|(year, letters)| {
            year.len() == 4
                && year.bytes().all(|byte| byte.is_ascii_digit())
                && letters.len() == LETTERS
                && letters.bytes().all(|byte| ALPHABET.contains(&byte))
        });
        match valid {
            true => Ok(Self(upper)),
            false => Err(InvalidId::new(text, "the id of a case, such as 2026-7K3F9Q")),
        }
    }
}

impl TryFrom<String> for CaseId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<CaseId> for String {
    fn from(id: CaseId) -> Self {
        id.0
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_typed() {
        for _ in 0..200 {
            let id = CaseId::new(2026);
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
            assert_eq!(id.as_str().to_ascii_lowercase().parse(), Ok(id));
        }
        for wrong in
            ["", "2026", "2026-7K3F9", "2026-7K3F9QQ", "2026-0K3F9Q", "26-7K3F9Q", "2026-7K3F9é", "../../x"]
        {
            assert!(wrong.parse::<CaseId>().is_err(), "{wrong}");
        }
    }
}
