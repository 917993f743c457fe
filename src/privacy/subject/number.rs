//! Phone numbers and other numbers.

use serde::{Deserialize, Serialize};

use super::{SubjectError, Warning};

/// Digits that a number has within its country, at the least: emergency numbers are nobody's.
pub(crate) const NATIONAL_MIN: usize = 4;

/// A phone number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// As it was typed.
    pub typed: String,
    /// Calling code of its country, in digits; `None` where nobody said which.
    pub country: Option<String>,
    /// The number within the country, in digits, without the digit that is dialled only there.
    pub national: String,
}

/// What an id is, as far as that can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// Anything: of a customer, a membership, a ticket.
    Plain,
    /// International bank account number (ISO 13616), with two check digits.
    Iban,
}

/// A number or code that stands for a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdNumber {
    /// What it is.
    pub kind: IdKind,
    /// As it was typed.
    pub typed: String,
}

/// Calling codes by country (ITU-T E.164), and the digits dialled before a number only within it.
/// Countries of the European Economic Area, and those that share much content with them; a number
/// of another is typed with its `+`.
const COUNTRIES: [(&str, &str); 52] = [
    ("AT", "43"),
    ("AU", "61"),
    ("BE", "32"),
    ("BG", "359"),
    ("BR", "55"),
    ("CA", "1"),
    ("CH", "41"),
    ("CN", "86"),
    ("CY", "357"),
    ("CZ", "420"),
    ("DE", "49"),
    ("DK", "45"),
    ("EE", "372"),
    ("EG", "20"),
    ("ES", "34"),
    ("FI", "358"),
    ("FR", "33"),
    ("GB", "44"),
    ("GR", "30"),
    ("HR", "385"),
    ("HU", "36"),
    ("IE", "353"),
    ("IL", "972"),
    ("IN", "91"),
    ("IS", "354"),
    ("IT", "39"),
    ("JP", "81"),
    ("KR", "82"),
    ("LI", "423"),
    ("LT", "370"),
    ("LU", "352"),
    ("LV", "371"),
    ("MA", "212"),
    ("MT", "356"),
    ("MX", "52"),
    ("NL", "31"),
    ("NO", "47"),
    ("NZ", "64"),
    ("PL", "48"),
    ("PT", "351"),
    ("RO", "40"),
    ("RS", "381"),
    ("RU", "7"),
    ("SE", "46"),
    ("SI", "386"),
    ("SK", "421"),
    ("TR", "90"),
    ("UA", "380"),
    ("US", "1"),
    ("VN", "84"),
    ("ZA", "27"),
    ("UK", "44"),
];

/// Calling codes of two digits; 1 and 7 have one, all others three (ITU-T E.164, annex).
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
    "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

impl PhoneNumber {
    pub(super) fn parse(text: &str, country: Option<&str>) -> Result<(Self, Vec<Warning>), SubjectError> {
        let number = text.strip_prefix("tel:").unwrap_or(text);
        // Parameters and extensions are not part of the number.
        let number = number.split([';', 'x', 'X']).next().unwrap_or_default();
        if number.chars().any(char::is_alphabetic) {
            return Err(SubjectError::NotAPhone);
        }
        // In `+49 (0)30` the zero is not dialled from abroad.
        let international = number.trim_start().starts_with('+') || number.trim_start().starts_with("00");
        let number = if international { number.replace("(0)", "") } else { number.to_owned() };
        let digits: String = number
            .chars()
            .filter_map(|char| char.to_digit(10))
            .filter_map(|digit| char::from_digit(digit, 10))
            .collect();
        let digits = if number.trim_start().starts_with("00") { digits[2..].to_owned() } else { digits };
        if !(5..=15).contains(&digits.len()) {
            return Err(SubjectError::NotAPhone);
        }
        let typed = text.to_owned();
        let given = country.map(calling_code).transpose()?;
        let (country, national) = if international {
            let length = code_length(&digits);
            (Some(digits[..length].to_owned()), digits[length..].to_owned())
        } else {
            (given, digits)
        };
        let national = without_trunk(country.as_deref(), &national).to_owned();
        if national.len() < NATIONAL_MIN {
            return Err(SubjectError::NotAPhone);
        }
        let mut warnings = Vec::new();
        if country.is_none() {
            warnings.push(Warning::NoCountry);
        }
        if national.len() < 7 {
            warnings.push(Warning::ShortNumber);
        }
        Ok((Self { typed, country, national }, warnings))
    }
}

fn calling_code(country: &str) -> Result<String, SubjectError> {
    let country = country.trim();
    if let Some(code) = country.strip_prefix('+') {
        let good = !code.is_empty() && code.len() <= 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        return if good { Ok(code.to_owned()) } else { Err(SubjectError::UnknownCountry) };
    }
    let known = COUNTRIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(country));
    known.map(|(_, code)| (*code).to_owned()).ok_or(SubjectError::UnknownCountry)
}

fn code_length(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if TWO_DIGITS.contains(&&digits[..2]) => 2,
        _ => 3,
    }
}

/// Leaves out the digit that is dialled only within the country. Italy has none: its zero belongs
/// to the number.
fn without_trunk<'a>(country: Option<&str>, national: &'a str) -> &'a str {
    let trunk = match country {
        Some("39") => "",
        Some("1") => "1",
        Some("7") if national.len() == 11 => "8",
        Some("36") => "06",
        _ => "0",
    };
    if trunk.is_empty() { national } else { national.strip_prefix(trunk).unwrap_or(national) }
}

impl IdNumber {
    pub(super) fn parse(kind: IdKind, text: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        let id = Self { kind, typed: text.to_owned() };
        let letters = text.chars().filter(|char| char.is_alphanumeric()).count();
        if letters == 0 {
            return Err(SubjectError::NoAlphanumerics);
        }
        if kind == IdKind::Iban && !is_iban(text) {
            return Err(SubjectError::WrongCheckDigits);
        }
        let warnings = if id.is_weak() { vec![Warning::ShortNumber] } else { Vec::new() };
        Ok((id, warnings))
    }

    /// Whether it is so short that it stands in many texts by chance.
    pub fn is_weak(&self) -> bool {
        self.typed.chars().filter(|char| char.is_alphanumeric()).count() < 5
    }
}

/// ISO 13616: the first four characters moved to the end, letters as two digits, modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let characters: Vec<u32> = text
        .chars()
        .filter(|char| !char.is_whitespace() && *char != '-')
        .filter_map(|char| char.to_digit(36))
        .collect();
    let all = text.chars().filter(|char| !char.is_whitespace() && *char != '-').count();
    if characters.len() != all || !(15..=34).contains(&all) {
        return false;
    }
    let rotated = characters[4..].iter().chain(&characters[..4]);
    rotated.fold(0, |rest, value| (if *value < 10 { rest * 10 + value } else { rest * 100 + value }) % 97)
        == 1
}
