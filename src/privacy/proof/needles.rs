//! What the second scanner looks for: the identifiers of a person as people write them, in every encoding.
//!
//! Only what stands for one person by itself. A family name alone, a short handle, an id of four digits stand in
//! many texts by chance: nothing raw can say whose they are, so they are counted as [weak](Needles::weak) and left
//! to the search of what is restored, which reads texts and knows names. Ids of documents about the person are not
//! looked for: catalogs and links name documents by their ids, and stay as they are by design of the format. What
//! only supports other findings (employer, town) is nobody's.

use std::collections::HashSet;
use std::fmt;

use super::encodings::{Encoding, encoded, spellings};
use crate::privacy::subject::{
    EmailAddress, Handle, IdNumber, IdentifierKind, PersonName, PhoneNumber, Subject,
};

/// Shortest text that is looked for, in bytes: a shorter one stands in compressed or encrypted bytes by chance.
const TEXT_MIN: usize = 5;
/// Fewest characters of Base64 or hexadecimal, of which many stand in a vault.
const CODED_MIN: usize = 8;
/// Bytes of all needles. The automaton takes some tens of bytes for each.
const BYTES_MAX: usize = 6 << 20;
/// Digits of a phone number within its country, without which it is no needle.
const DIGITS_MIN: usize = 7;
/// Letters without which the name written as one word is no needle.
const JOINED_MIN: usize = 9;

/// Bytes that are looked for.
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    pub(super) kind: IdentifierKind,
    pub(super) encoding: Encoding,
}

/// A phone number: found among digits, however they are grouped.
#[derive(Clone)]
pub(super) struct Number {
    /// Digits within the country.
    pub(super) national: Vec<u8>,
    /// What may stand before them: nothing, a trunk digit, the code of the country.
    pub(super) prefixes: Vec<Vec<u8>>,
}

/// How an identifier is written.
#[derive(Default)]
struct Forms {
    /// As people write it: looked for in all encodings.
    main: Vec<String>,
    /// As programs make it of that, or as somebody hides it: not looked for where everything is encoded.
    other: Vec<String>,
}

/// What is looked for of one person. Personal data, so it shows nothing of it.
#[derive(Default)]
pub struct Needles {
    pub(super) needles: Vec<Needle>,
    pub(super) numbers: Vec<Number>,
    weak: u64,
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needles")
            .field("count", &self.len())
            .field("weak", &self.weak)
            .finish_non_exhaustive()
    }
}

/// More identifiers than one automaton holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the person has more identifiers than can be looked for in one go; split the case, or leave out identifiers that others cover"
)]
pub struct TooMany;

impl Needles {
    /// Makes the needles of a person.
    ///
    /// # Errors
    ///
    /// [`TooMany`]; a part of them is never looked for in the place of all.
    pub fn of(subject: &Subject) -> Result<Self, TooMany> {
        let mut making = Making::default();
        for name in subject.names() {
            making.forms(IdentifierKind::Name, name_forms(name))?;
        }
        for email in subject.emails() {
            let forms = if email.is_weak() { Forms::default() } else { email_forms(email) };
            making.forms(IdentifierKind::Email, forms)?;
            making.punycode(IdentifierKind::Email, &email.domain, |host| format!("{}@{host}", email.local));
        }
        for handle in subject.handles() {
            let forms = if handle.is_weak() { Forms::default() } else { handle_forms(handle) };
            making.forms(IdentifierKind::Handle, forms)?;
            if let Some(host) = &handle.host {
                making.punycode(IdentifierKind::Handle, host, |host| format!("{host}/{}", handle.name));
            } else if handle.name.contains('.') {
                making.punycode(IdentifierKind::Handle, &handle.name, str::to_owned);
            }
        }
        for id in subject.ids() {
            let forms = if id.is_weak() { Forms::default() } else { id_forms(id) };
            making.forms(IdentifierKind::Id, forms)?;
        }
        for phone in subject.phones() {
            making.phone(phone)?;
        }
        Ok(making.made)
    }

    /// How many byte strings and numbers are looked for.
    pub fn len(&self) -> usize {
        self.needles.len() + self.numbers.len()
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Identifiers that are too weak to be looked for in raw bytes.
    pub fn weak(&self) -> u64 {
        self.weak
    }

    /// Only those in some encodings: for tests of what tells that one is missing.
    #[cfg(test)]
    pub(super) fn retain(&mut self, keep: impl Fn(Encoding) -> bool) {
        self.needles.retain(|needle| keep(needle.encoding));
    }
}

#[derive(Default)]
struct Making {
    made: Needles,
    seen: HashSet<Vec<u8>>,
    bytes: usize,
}

impl Making {
    /// Takes an identifier, in each of its forms; one without any is weak.
    fn forms(&mut self, kind: IdentifierKind, forms: Forms) -> Result<(), TooMany> {
        let before = self.made.len();
        let Forms { main, other } = forms;
        let is_known = main.iter().any(|form| self.seen.contains(&form.as_bytes().to_ascii_lowercase()));
        for (form, all) in main.iter().map(|form| (form, true)).chain(other.iter().map(|form| (form, false)))
        {
            for spelling in spellings(form) {
                encoded(&spelling, all, &mut |encoding, bytes| self.add(kind, encoding, bytes));
            }
            if self.bytes > BYTES_MAX {
                return Err(TooMany);
            }
        }
        if self.made.len() == before && !is_known {
            self.made.weak += 1;
        }
        Ok(())
    }

    fn add(&mut self, kind: IdentifierKind, encoding: Encoding, bytes: Vec<u8>) {
        let least = match encoding {
            Encoding::Utf16Le | Encoding::Utf16Be => 2 * TEXT_MIN,
            Encoding::Base64 | Encoding::Hex => CODED_MIN,
            _ => TEXT_MIN,
        };
        if bytes.len() < least {
            return;
        }
        let folded = if encoding.is_exact() { bytes.clone() } else { bytes.to_ascii_lowercase() };
        if self.seen.insert(folded) {
            self.bytes += bytes.len();
            self.made.needles.push(Needle { bytes, kind, encoding });
        }
    }

    fn punycode(&mut self, kind: IdentifierKind, host: &str, whole: impl Fn(&str) -> String) {
        if host.is_ascii() {
            return;
        }
        if let Ok(ascii) = idna::domain_to_ascii(host) {
            self.add(kind, Encoding::Punycode, whole(&ascii).into_bytes());
        }
    }

    /// Digits are found by themselves; here is what hides them.
    fn phone(&mut self, phone: &PhoneNumber) -> Result<(), TooMany> {
        if phone.national.len() < DIGITS_MIN {
            self.made.weak += 1;
            return Ok(());
        }
        let national = &phone.national;
        let mut written = vec![phone.typed.clone(), national.clone(), format!("0{national}")];
        let mut prefixes =
            vec![String::new(), "0".to_owned(), "1".to_owned(), "8".to_owned(), "06".to_owned()];
        if let Some(country) = &phone.country {
            prefixes.extend(["", "00", "011"].map(|before| format!("{before}{country}")));
            prefixes.extend(["", "00"].map(|before| format!("{before}{country}0")));
            written.extend([format!("+{country}{national}"), format!("00{country}{national}")]);
        }
        for text in written {
            encoded(&text, true, &mut |encoding, bytes| {
                if matches!(encoding, Encoding::Base64 | Encoding::Hex) {
                    self.add(IdentifierKind::Phone, encoding, bytes);
                } else if matches!(encoding, Encoding::Json | Encoding::Html) && bytes.len() > 2 * text.len()
                {
                    // Every digit is escaped.
                    self.add(IdentifierKind::Phone, encoding, bytes);
                }
            });
        }
        if self.bytes > BYTES_MAX {
            return Err(TooMany);
        }
        let prefixes = prefixes.into_iter().map(String::into_bytes).collect();
        self.made.numbers.push(Number { national: national.clone().into_bytes(), prefixes });
        Ok(())
    }
}

/// A name in the orders in which people and programs write it.
fn name_forms(name: &PersonName) -> Forms {
    if name.is_surname_only() {
        return Forms::default();
    }
    let PersonName { given, family, particles, .. } = name;
    if name.is_unspaced() {
        let (given, family) = (given.concat(), family.concat());
        let mut main = vec![name.text(), format!("{family}{given}"), format!("{given}{family}")];
        main.extend([format!("{family} {given}"), format!("{given} {family}")]);
        main.retain(|form| form.trim().chars().count() > 1);
        return Forms { main, other: Vec::new() };
    }
    let full_family = [&particles[..], family].concat();
    let mut given_forms = vec![given.clone()];
    given_forms.extend(given.first().map(|first| vec![first.clone()]));
    let (mut forms, mut orders) = (Forms::default(), Vec::new());
    for given in &given_forms {
        for family in [&full_family, family] {
            orders.push([&given[..], family].concat());
            orders.push([&family[..], given].concat());
            let (given, family) = (given.join(" "), family.join(" "));
            forms.main.push(format!("{family}, {given}"));
            forms.other.extend([",", "; ", ",\u{a0}"].map(|between| format!("{family}{between}{given}")));
        }
        // `Berg, Jan van den`
        orders.push([&family[..], given, particles].concat());
        let tail = [&given[..], particles].concat().join(" ");
        forms.main.push(format!("{}, {tail}", family.join(" ")));
    }
    for words in &orders {
        let text = words.join(" ");
        for separator in ["-", "_", ".", "+", "\u{a0}", "  ", "\n", "\u{2009}"] {
            forms.other.push(words.join(separator));
        }
        let joined = words.concat();
        if joined.chars().count() >= JOINED_MIN {
            forms.other.push(joined);
        }
        // `Jean-Luc` and `Jean Luc`, `O'Neill` and `ONeill`
        if text.contains(['-', '\'', '’']) {
            forms.other.extend([
                text.replace('-', " "),
                text.replace(['\'', '’'], ""),
                text.replace('\'', "’"),
            ]);
            forms.other.push(text.replace(['\'', '’', '-', ' '], "-"));
        }
        forms.main.push(text);
    }
    forms.without_repeats()
}

impl Forms {
    fn without_repeats(mut self) -> Self {
        self.main.sort_unstable();
        self.main.dedup();
        self.other.sort_unstable();
        self.other.dedup();
        self
    }
}

fn email_forms(email: &EmailAddress) -> Forms {
    let EmailAddress { local, domain } = email;
    let readable = idna::domain_to_unicode(domain).0;
    let mut forms = Forms::default();
    for domain in [domain, &readable] {
        forms.main.push(format!("{local}@{domain}"));
        let dotted = [
            domain.clone(),
            domain.replace('.', " dot "),
            domain.replace('.', " [dot] "),
            domain.replace('.', "(dot)"),
        ];
        for at in [" @ ", " (at) ", "(at)", " [at] ", "[at]", " at ", "\u{ff20}"] {
            forms.other.extend(dotted.iter().map(|domain| format!("{local}{at}{domain}")));
        }
    }
    forms.without_repeats()
}

fn handle_forms(handle: &Handle) -> Forms {
    let Handle { host, name } = handle;
    let bare = name.trim_start_matches('@');
    let Some(host) = host else {
        let main = vec![if name.contains('.') { name.clone() } else { format!("@{bare}") }];
        return Forms { main, other: Vec::new() };
    };
    let hosts = match &**host {
        "x.com" | "twitter.com" => vec!["x.com", "twitter.com"],
        other => vec![other],
    };
    let mut forms = Forms::default();
    for host in hosts {
        forms.main.extend([format!("{host}/{bare}"), format!("@{bare}@{host}")]);
        forms.other.extend([format!("{host}/@{bare}"), format!("{host}\\/{bare}")]);
    }
    // Other hosts have a path that is no name.
    if !bare.contains('/') {
        forms.main.push(format!("@{bare}"));
    }
    forms.without_repeats()
}

fn id_forms(id: &IdNumber) -> Forms {
    let compact: String = id.typed.chars().filter(|char| char.is_alphanumeric()).collect();
    let letters: Vec<char> = compact.chars().collect();
    let groups = |between: &str| {
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(between)
    };
    let other = vec![groups(" "), groups("-")];
    Forms { main: vec![id.typed.clone(), compact], other }.without_repeats()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, "Exampleton, Jean-Luc Perpetua").unwrap();
        subject.add(IdentifierKind::Email, "perpetua@bücher.example").unwrap();
        subject
    }

    fn has(needles: &Needles, bytes: &str) -> bool {
        needles.needles.iter().any(|needle| needle.bytes.eq_ignore_ascii_case(bytes.as_bytes()))
    }

    #[test]
    fn names_and_addresses_have_the_forms_that_people_write() {
        let needles = Needles::of(&subject()).unwrap();
        for written in [
            "Jean-Luc Exampleton",
            "exampleton, jean-luc",
            "jean-luc-exampleton",
            "Exampleton Jean-Luc Perpetua",
            "Jean Luc Exampleton",
            "jean-lucexampleton",
            "perpetua@bücher.example",
            "perpetua (at) bücher dot example",
            "perpetua@xn--bcher-kva.example",
            "perpetua%40b%C3%BCcher.example",
        ] {
            assert!(has(&needles, written), "{written}");
        }
        assert_eq!(needles.weak(), 0);
        assert!(!has(&needles, "exampleton"), "others bear it");
        let total: usize = needles.needles.iter().map(|needle| needle.bytes.len()).sum();
        assert!(total < BYTES_MAX / 4, "{total}");
    }

    #[test]
    fn what_stands_for_many_is_counted_and_not_looked_for() {
        let mut subject = Subject::default();
        for (kind, text) in [
            (IdentifierKind::Name, "Exampleton"),
            (IdentifierKind::Handle, "@pip"),
            (IdentifierKind::Id, "4711"),
            (IdentifierKind::Phone, "12345"),
        ] {
            subject.add(kind, text).unwrap();
        }
        subject.add(IdentifierKind::Context, "Nowhere Ltd").unwrap();
        let needles = Needles::of(&subject).unwrap();
        assert!(needles.is_empty());
        assert_eq!(needles.weak(), 4);
        assert!(!format!("{needles:?}").contains("xample"));
    }

    #[test]
    fn too_many_identifiers_are_refused_and_not_cut() {
        let mut subject = Subject::default();
        for number in 0..2_000 {
            subject.add(IdentifierKind::Name, &format!("Zoë{number} Exämpleton")).unwrap();
        }
        assert_eq!(Needles::of(&subject).unwrap_err(), TooMany);
    }
}
