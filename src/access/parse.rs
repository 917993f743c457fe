//! Reading a list of members as an administrator saved it.
//!
//! Tolerant of how it is written, because it comes from a page, a spreadsheet or a script: CSV (RFC
//! 4180), semicolons as Excel writes them in half of Europe, tabs, JSON; UTF-8, UTF-16 or
//! Windows-1252; several spellings of each column. Strict about what it says: a row without
//! address or role, two rows of one member, a quote that never ends are mistakes, named by line,
//! and nothing of the file is taken then.

use std::borrow::Cow;
use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::error::MistakenList;
use super::member::{Assignment, Member, MemberList, RepositoryRole, plain_word};
use crate::limits::Limits;

mod json;
mod table;

type Result<T> = std::result::Result<T, MistakenList>;

/// Longest e-mail address, RFC 5321.
const EMAIL_MAX: usize = 254;
/// Longest name or role; longer is a mistake in the file.
const TEXT_MAX: usize = 300;

/// Reads a list of members.
///
/// # Errors
///
/// The first mistake, with its line; never with anything that stands there.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<MemberList> {
    if bytes.len() as u64 > limits.member_list_bytes_max {
        return Err(MistakenList::file(format!(
            "it has more than {} bytes, which no list of members has",
            limits.member_list_bytes_max
        )));
    }
    let text = decode(bytes)?;
    let rows = match text.trim_start().as_bytes().first() {
        None => return Err(MistakenList::file("it is empty")),
        Some(b'[' | b'{') => json::rows(&text)?,
        Some(_) => table::rows(&text)?,
    };
    collect(rows)
}

/// What encodings there are to expect: with a mark what it says, else UTF-8, else that of Windows.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
        return text.ok_or_else(|| MistakenList::file(format!("it is no valid {}", encoding.name())));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) if bytes.contains(&0) => Err(MistakenList::file("it is no text")),
        Err(_) => Ok(WINDOWS_1252.decode_without_bom_handling(bytes).0),
    }
}

/// A row of the file, whatever its form.
struct Row {
    line: u64,
    email: String,
    name: String,
    roles: Vec<Assignment>,
    /// Whether it is about single locales, so that there may be more rows of this member.
    has_locale: bool,
}

fn collect(rows: Vec<Row>) -> Result<MemberList> {
    let mut members: Vec<Member> = Vec::with_capacity(rows.len());
    let mut seen: HashMap<String, (usize, u64, bool)> = HashMap::new();
    for row in rows {
        let member = Member { email: row.email, name: row.name, roles: row.roles };
        match seen.get(&member.key()) {
            None => {
                seen.insert(member.key(), (members.len(), row.line, row.has_locale));
                members.push(member);
            }
            Some(&(at, _, true)) if row.has_locale => members[at].roles.extend(member.roles),
            Some((_, first, _)) => {
                return Err(MistakenList::line(
                    row.line,
                    format!("the e-mail address stands in line {first} already"),
                ));
            }
        }
    }
    match members.is_empty() {
        true => Err(MistakenList::file("it names no member")),
        false => Ok(MemberList::new(members)),
    }
}

/// A field without blanks around it, hard spaces and marks of no width included.
fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| {
        char.is_whitespace() || matches!(char, '\u{a0}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
    })
}

fn text<'a>(line: u64, what: &str, text: &'a str) -> Result<&'a str> {
    let text = trim(text);
    let wrong = |why: &str| Err(MistakenList::line(line, format!("the {what} {why}")));
    if text.contains(['\n', '\r']) {
        return wrong("runs over the end of a line; is a quotation mark missing?");
    }
    if text.chars().any(char::is_control) {
        return wrong("holds a control character");
    }
    if text.len() > TEXT_MAX {
        return wrong("is too long; is a quotation mark or a delimiter missing?");
    }
    Ok(text)
}

/// Reads an address: bare, `mailto:`, or `Name <address>`.
fn email(line: u64, field: &str) -> Result<String> {
    let mut address = text(line, "e-mail address", field)?;
    if let Some((_, inner)) = address.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        address = trim(inner);
    }
    if let Some(rest) = address.get(..7).filter(|start| start.eq_ignore_ascii_case("mailto:")) {
        address = trim(&address[rest.len()..]);
    }
    if address.is_empty() {
        return Err(MistakenList::line(line, "the e-mail address is missing"));
    }
    let is_address = address.len() <= EMAIL_MAX
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !address
                    .contains(|char: char| char.is_whitespace() || matches!(char, ',' | ';' | '<' | '>'))
        });
    match is_address {
        true => Ok(address.to_owned()),
        false => Err(MistakenList::line(line, "the e-mail address is none")),
    }
}

/// Whether a word is a locale as Prismic writes them (`en-us`, `fr`), not part of a role's name.
fn is_locale(word: &str) -> bool {
    let mut parts = word.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let is_word =
        |part: &&str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    language.bytes().all(|b| b.is_ascii_alphabetic())
        && (language.len() == 2 || (language.len() == 3 && !rest.is_empty()))
        && rest.iter().all(is_word)
}

fn locale(line: u64, word: &str) -> Result<Option<String>> {
    let word = text(line, "locale", word)?;
    match plain_word(word).as_str() {
        "all" | "alllocales" | "alllanguages" => Ok(None),
        "" if word == "*" => Ok(None),
        _ if is_locale(word) => Ok(Some(word.to_lowercase())),
        _ => Err(MistakenList::line(line, "the locale is none")),
    }
}

/// Reads roles: `Writer`, `Writer, Publisher`, `Writer (fr-fr), Publisher (en-us)`, `fr-fr: Writer`.
fn roles(line: u64, field: &str) -> Result<Vec<Assignment>> {
    let field = text(line, "role", field)?;
    let parts = field.split([',', ';', '|']).map(trim).filter(|part| !part.is_empty());
    let roles: Vec<Assignment> = parts.map(role).collect();
    match roles.is_empty() {
        true => Err(MistakenList::line(line, "the role is missing")),
        false => Ok(roles),
    }
}

fn role(part: &str) -> Assignment {
    let of = |role: &str, locale: &str| Assignment {
        role: RepositoryRole::of(trim(role)),
        locale: Some(locale.to_lowercase()),
    };
    if let Some((role, locale)) = part.strip_suffix(')').and_then(|rest| rest.rsplit_once('('))
        && is_locale(trim(locale))
        && !trim(role).is_empty()
    {
        return of(role, trim(locale));
    }
    if let Some((left, right)) = part.split_once(':') {
        let (left, right) = (trim(left), trim(right));
        if is_locale(left) && !right.is_empty() {
            return of(right, left);
        }
        if is_locale(right) && !left.is_empty() {
            return of(left, right);
        }
    }
    Assignment { role: RepositoryRole::of(part), locale: None }
}

/// A column of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Column {
    Email,
    Name,
    FirstName,
    LastName,
    Role,
    Locale,
}

impl Column {
    /// Knows a column by its header, or a member of an object by its name.
    fn of(header: &str) -> Option<Self> {
        Some(match plain_word(header).as_str() {
            "email" | "emailaddress" | "mail" | "useremail" | "memberemail" | "emailadresse"
            | "adresseemail" | "courriel" => Self::Email,
            "name" | "fullname" | "displayname" | "member" | "user" | "membername" | "username" | "nom" => {
                Self::Name
            }
            "firstname" | "givenname" | "vorname" | "prénom" | "prenom" => Self::FirstName,
            "lastname" | "familyname" | "surname" | "nachname" => Self::LastName,
            "role" | "roles" | "userrole" | "memberrole" | "permission" | "permissions" | "profile"
            | "rolle" | "rôle" => Self::Role,
            "locale" | "locales" | "language" | "languages" | "lang" | "langue" | "sprache" => Self::Locale,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Name => "name",
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::Role => "role",
            Self::Locale => "locale",
        }
    }
}

/// Puts a row together from its fields.
fn row(line: u64, field: impl Fn(Column) -> Option<String>, roles: Vec<Assignment>) -> Result<Row> {
    let get = |column| field(column).unwrap_or_default();
    let (first, last, whole) = (get(Column::FirstName), get(Column::LastName), get(Column::Name));
    let (first, last) = (text(line, "name", &first)?, text(line, "name", &last)?);
    let name = match text(line, "name", &whole)? {
        "" => trim(&format!("{first} {last}")).to_owned(),
        name => name.to_owned(),
    };
    let mut roles = roles;
    let locales = get(Column::Locale);
    let locales: Vec<&str> =
        locales.split([',', ';', '|', ' ']).map(trim).filter(|word| !word.is_empty()).collect();
    if !locales.is_empty() {
        let mut of_locales = Vec::new();
        for own in &roles {
            match &own.locale {
                Some(_) => of_locales.push(own.clone()),
                None => {
                    for word in &locales {
                        of_locales.push(Assignment { role: own.role.clone(), locale: locale(line, word)? });
                    }
                }
            }
        }
        roles = of_locales;
    }
    let has_locale = roles.iter().all(|own| own.locale.is_some());
    Ok(Row { line, email: email(line, &get(Column::Email))?, name, roles, has_locale })
}

#[cfg(test)]
mod tests;
