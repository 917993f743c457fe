//! The person a request is about: what a privacy officer knows to look for.
//!
//! Identifiers are kept as they were typed and read strictly: what cannot be told apart from
//! something else is refused or taken with a [`Warning`], never guessed. `Debug` shows how many
//! there are and nothing of them.

use std::fmt;

use serde::{Deserialize, Serialize};

mod name;
mod number;

pub use name::PersonName;
pub(crate) use name::{is_title_word, may_stand_between};
pub(crate) use number::NATIONAL_MIN;
pub use number::{IdKind, IdNumber, PhoneNumber};

/// Identifiers of one kind that a subject may have. Aliases of one person are a few; a list of
/// thousands is somebody who searches for many people in the name of one.
pub const IDENTIFIERS_MAX: usize = 2_000;
/// Longest identifier, in bytes. The longest e-mail address has 254 (RFC 5321), profile addresses
/// are longer.
pub const IDENTIFIER_BYTES_MAX: usize = 500;

/// Kind of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// A name, aliases and earlier names among them.
    Name,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A handle (`@name`) or the address of a profile.
    Handle,
    /// A number or code that stands for the person: of a customer, a bank account, a membership.
    Id,
    /// The id of a document that is about the person: an author, a member of a team.
    AuthorDocument,
    /// What only supports other findings: employer, role, town, date of birth.
    Context,
}

impl IdentifierKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Email, Self::Phone, Self::Handle, Self::Id, Self::AuthorDocument, Self::Context];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "e-mail address",
            Self::Phone => "phone number",
            Self::Handle => "handle",
            Self::Id => "id",
            Self::AuthorDocument => "author document",
            Self::Context => "context",
        }
    }
}

/// An identifier of a subject: its kind, and which one of that kind. Says nothing of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdentifierRef {
    /// Its kind.
    pub kind: IdentifierKind,
    /// Which one, from 0, in the order in which they were added.
    pub index: u32,
}

/// An e-mail address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailAddress {
    /// What stands before the last `@`.
    pub local: String,
    /// What stands after it, as typed.
    pub domain: String,
}

/// A handle or the address of a profile.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// Host of the platform in lower case, without `www.`; `None` where only `@name` is known.
    pub host: Option<String>,
    /// The name there, or the path of the profile, without `@` and `/` around it.
    pub name: String,
}

/// The person a request is about.
///
/// Invariant: whatever is in it went through one of the `add` methods; what was deserialised is
/// believed, as it comes from an encrypted case of the vault.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    #[serde(default)]
    names: Vec<PersonName>,
    #[serde(default)]
    emails: Vec<EmailAddress>,
    #[serde(default)]
    phones: Vec<PhoneNumber>,
    #[serde(default)]
    handles: Vec<Handle>,
    #[serde(default)]
    ids: Vec<IdNumber>,
    #[serde(default)]
    author_documents: Vec<String>,
    #[serde(default)]
    context: Vec<String>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = f.debug_struct("Subject");
        for kind in IdentifierKind::ALL {
            counts.field(kind.word(), &self.count(kind));
        }
        counts.finish()
    }
}

/// Shows nothing of what is in it.
macro_rules! redacted {
    ($($type:ty),+) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(…)"))
            }
        }
    )+};
}
redacted!(EmailAddress, Handle, PersonName, PhoneNumber, IdNumber);

/// Why an identifier was not taken. The message does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Nothing was typed.
    #[error("the {} is empty", .0.word())]
    Empty(IdentifierKind),
    /// Longer than [`IDENTIFIER_BYTES_MAX`].
    #[error("the {} is longer than {IDENTIFIER_BYTES_MAX} bytes; give one identifier at a time", .0.word())]
    TooLong(IdentifierKind),
    /// Characters that no identifier has: line breaks and other control characters.
    #[error("the {} holds a line break or another control character; give one identifier at a time", .0.word())]
    ControlCharacter(IdentifierKind),
    /// More than [`IDENTIFIERS_MAX`].
    #[error("a subject can have {IDENTIFIERS_MAX} of the kind {}; open another case for another person", .0.word())]
    TooMany(IdentifierKind),
    /// A name without any letter.
    #[error("a name needs at least two letters, or one of a script in which a letter is a word")]
    NoLetters,
    /// Not an address.
    #[error("an e-mail address has the form name@example.com, without spaces")]
    NotAnEmail,
    /// Too few or too many digits.
    #[error("a phone number has 5 to 15 digits; letters belong nowhere in it")]
    NotAPhone,
    /// No such country.
    #[error("the country of a phone number is two letters such as DE, or a calling code such as +49")]
    UnknownCountry,
    /// Not a handle.
    #[error("a handle is @name, or the address of a profile such as https://example.com/name")]
    NotAHandle,
    /// An IBAN whose check digits are wrong.
    #[error("the check digits of this IBAN are wrong; please compare it with the letter")]
    WrongCheckDigits,
    /// An id without letters and digits.
    #[error("an id needs letters or digits")]
    NoAlphanumerics,
}

/// What the person who typed an identifier should know. It was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// One word as a name: others bear it too.
    SurnameOnly,
    /// A full name so short that it may stand for many.
    ShortName,
    /// Three words or more without saying which is the family name.
    UnclearNameParts,
    /// A host without a dot, or an address of a handful of letters.
    ShortEmail,
    /// A mailbox that usually has several readers: `info`, `office`.
    SharedMailbox,
    /// A number so short that it stands in many texts by chance.
    ShortNumber,
    /// A phone number without its country.
    NoCountry,
    /// A short handle, or one without its platform.
    VagueHandle,
    /// An identifier that was there already.
    Repeated,
}

impl Warning {
    /// What it means, in one sentence for the person who typed.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SurnameOnly => {
                "A single name stands for many people: what it finds is only shown for review, and never taken by itself. Add the full name if you know it."
            }
            Self::ShortName => "This name is very short; expect findings about other people.",
            Self::UnclearNameParts => {
                "It is not clear which part is the family name; write \"Family, Given\" to say so. The last word was taken for it."
            }
            Self::ShortEmail => {
                "This address is very short or has no full domain: what it finds is only shown for review."
            }
            Self::SharedMailbox => {
                "This looks like a mailbox that several people read; expect findings about others."
            }
            Self::ShortNumber => {
                "This is so short that it stands in many texts by chance: what it finds is only shown for review."
            }
            Self::NoCountry => "Without a country code the number may belong to somebody in another country.",
            Self::VagueHandle => {
                "This handle is short or its platform is unknown: the same name may be somebody else's elsewhere."
            }
            Self::Repeated => "This identifier was there already and was not added again.",
        }
    }
}

impl Subject {
    /// Adds an identifier as it was typed.
    ///
    /// Phones: with `+` and country code, or national.
    pub fn add(&mut self, kind: IdentifierKind, text: &str) -> Result<Vec<Warning>, SubjectError> {
        match kind {
            IdentifierKind::Name => {
                let (names, warnings) = PersonName::parse(checked(kind, text)?)?;
                let mut repeated = true;
                for name in names {
                    repeated &= push(&mut self.names, name, kind)?;
                }
                Ok(if repeated { vec![Warning::Repeated] } else { warnings })
            }
            IdentifierKind::Email => {
                let (email, warnings) = EmailAddress::parse(checked(kind, text)?)?;
                told(push(&mut self.emails, email, kind)?, warnings)
            }
            IdentifierKind::Phone => self.add_phone(text, None),
            IdentifierKind::Handle => {
                let (handle, warnings) = Handle::parse(checked(kind, text)?)?;
                told(push(&mut self.handles, handle, kind)?, warnings)
            }
            IdentifierKind::Id => self.add_id(IdKind::Plain, text),
            IdentifierKind::AuthorDocument => {
                let text = checked(kind, text)?;
                if !text.chars().any(char::is_alphanumeric) {
                    return Err(SubjectError::NoAlphanumerics);
                }
                let warnings = if text.len() < 6 { vec![Warning::ShortNumber] } else { Vec::new() };
                told(push(&mut self.author_documents, text.to_owned(), kind)?, warnings)
            }
            IdentifierKind::Context => {
                let text = checked(kind, text)?;
                if !text.chars().any(char::is_alphanumeric) {
                    return Err(SubjectError::NoAlphanumerics);
                }
                told(push(&mut self.context, text.to_owned(), kind)?, Vec::new())
            }
        }
    }

    /// Adds a name whose parts are known.
    pub fn add_name(&mut self, given: &str, family: &str) -> Result<Vec<Warning>, SubjectError> {
        let kind = IdentifierKind::Name;
        if !given.is_empty() {
            checked(kind, given)?;
        }
        if !family.is_empty() {
            checked(kind, family)?;
        }
        let (name, warnings) = PersonName::from_parts(given, family)?;
        told(push(&mut self.names, name, kind)?, warnings)
    }

    /// Adds a phone number; `country` (`DE` or `+49`) for one that was typed without.
    pub fn add_phone(&mut self, text: &str, country: Option<&str>) -> Result<Vec<Warning>, SubjectError> {
        let kind = IdentifierKind::Phone;
        let (phone, warnings) = PhoneNumber::parse(checked(kind, text)?, country)?;
        told(push(&mut self.phones, phone, kind)?, warnings)
    }

    /// Adds an id, of a kind whose check digits can be tested.
    pub fn add_id(&mut self, id: IdKind, text: &str) -> Result<Vec<Warning>, SubjectError> {
        let kind = IdentifierKind::Id;
        let (id, warnings) = IdNumber::parse(id, checked(kind, text)?)?;
        told(push(&mut self.ids, id, kind)?, warnings)
    }

    /// How many identifiers of a kind there are.
    pub fn count(&self, kind: IdentifierKind) -> usize {
        match kind {
            IdentifierKind::Name => self.names.len(),
            IdentifierKind::Email => self.emails.len(),
            IdentifierKind::Phone => self.phones.len(),
            IdentifierKind::Handle => self.handles.len(),
            IdentifierKind::Id => self.ids.len(),
            IdentifierKind::AuthorDocument => self.author_documents.len(),
            IdentifierKind::Context => self.context.len(),
        }
    }

    /// Whether there is anything to look for: what only supports other findings is not.
    pub fn is_searchable(&self) -> bool {
        IdentifierKind::ALL.into_iter().any(|kind| kind != IdentifierKind::Context && self.count(kind) > 0)
    }

    /// The names.
    pub fn names(&self) -> &[PersonName] {
        &self.names
    }

    /// The e-mail addresses.
    pub fn emails(&self) -> &[EmailAddress] {
        &self.emails
    }

    /// The phone numbers.
    pub fn phones(&self) -> &[PhoneNumber] {
        &self.phones
    }

    /// The handles and profiles.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The ids.
    pub fn ids(&self) -> &[IdNumber] {
        &self.ids
    }

    /// The ids of documents about the person.
    pub fn author_documents(&self) -> &[String] {
        &self.author_documents
    }

    /// What supports other findings.
    pub fn context(&self) -> &[String] {
        &self.context
    }

    /// An identifier as it was typed, for the screen of the person who handles the case; `None`
    /// where there is none of that number.
    pub fn text(&self, identifier: IdentifierRef) -> Option<String> {
        let index = usize::try_from(identifier.index).ok()?;
        match identifier.kind {
            IdentifierKind::Name => self.names.get(index).map(PersonName::text),
            IdentifierKind::Email => self.emails.get(index).map(EmailAddress::text),
            IdentifierKind::Phone => self.phones.get(index).map(|phone| phone.typed.clone()),
            IdentifierKind::Handle => self.handles.get(index).map(Handle::text),
            IdentifierKind::Id => self.ids.get(index).map(|id| id.typed.clone()),
            IdentifierKind::AuthorDocument => self.author_documents.get(index).cloned(),
            IdentifierKind::Context => self.context.get(index).cloned(),
        }
    }
}

/// Adds what is not there yet; says whether it was.
fn push<T: PartialEq>(list: &mut Vec<T>, value: T, kind: IdentifierKind) -> Result<bool, SubjectError> {
    if list.contains(&value) {
        return Ok(true);
    }
    if list.len() >= IDENTIFIERS_MAX {
        return Err(SubjectError::TooMany(kind));
    }
    list.push(value);
    Ok(false)
}

fn told(repeated: bool, warnings: Vec<Warning>) -> Result<Vec<Warning>, SubjectError> {
    Ok(if repeated { vec![Warning::Repeated] } else { warnings })
}

fn checked(kind: IdentifierKind, text: &str) -> Result<&str, SubjectError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SubjectError::Empty(kind));
    }
    if text.len() > IDENTIFIER_BYTES_MAX {
        return Err(SubjectError::TooLong(kind));
    }
    if text.chars().any(char::is_control) {
        return Err(SubjectError::ControlCharacter(kind));
    }
    Ok(text)
}

impl EmailAddress {
    fn parse(text: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        const SHARED: [&str; 12] = [
            "info", "office", "contact", "kontakt", "mail", "hello", "press", "presse", "support", "admin",
            "team", "sales",
        ];
        let text = text.strip_prefix("mailto:").unwrap_or(text);
        let (local, domain) = text.rsplit_once('@').ok_or(SubjectError::NotAnEmail)?;
        let bad = |part: &str| {
            part.is_empty() || part.contains(|char: char| char.is_whitespace() || "<>,;\"()[]".contains(char))
        };
        let letters = |part: &str| part.chars().any(char::is_alphanumeric);
        if bad(local)
            || bad(domain)
            || local.contains('@')
            || domain.contains('/')
            || !letters(local)
            || !letters(domain)
        {
            return Err(SubjectError::NotAnEmail);
        }
        let domain = domain.trim_end_matches('.');
        if domain.starts_with('.') || domain.contains("..") {
            return Err(SubjectError::NotAnEmail);
        }
        let email = Self { local: local.to_owned(), domain: domain.to_owned() };
        let mut warnings = Vec::new();
        if email.is_weak() {
            warnings.push(Warning::ShortEmail);
        }
        if SHARED.contains(&local.to_lowercase().as_str()) {
            warnings.push(Warning::SharedMailbox);
        }
        Ok((email, warnings))
    }

    /// The address as it was typed.
    pub fn text(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// Whether it is too short, or too little of an address, to stand for one person.
    pub fn is_weak(&self) -> bool {
        !self.domain.contains('.') || self.local.len() + self.domain.len() < 6
    }
}

impl Handle {
    fn parse(text: &str) -> Result<(Self, Vec<Warning>), SubjectError> {
        let address = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .or_else(|| text.strip_prefix("//"));
        let clean = |name: &str| {
            let name = name.split(['?', '#']).next().unwrap_or_default().trim_matches(['/', '@']).to_owned();
            let good = name.chars().any(char::is_alphanumeric) && !name.contains(char::is_whitespace);
            if good { Ok(name) } else { Err(SubjectError::NotAHandle) }
        };
        let of_host = |host: &str| {
            let host = host.to_lowercase();
            host.strip_prefix("www.").unwrap_or(&host).to_owned()
        };
        let rest = address.unwrap_or(text);
        let handle = if let Some((host, path)) = rest.split_once('/').filter(|(host, _)| host.contains('.')) {
            let name = clean(path)?;
            match name
                .strip_prefix("profile/")
                .filter(|name| of_host(host) == "bsky.app" && name.contains('.'))
            {
                // A handle of Bluesky is a host.
                Some(own) => Self { host: None, name: own.to_lowercase() },
                None => Self { host: Some(of_host(host)), name },
            }
        } else if address.is_some() {
            // A site of one's own: the host is the name.
            if !rest.contains('.') {
                return Err(SubjectError::NotAHandle);
            }
            Self { host: None, name: clean(&of_host(rest))? }
        } else if let Some((name, host)) = text.trim_start_matches('@').split_once('@') {
            // @name@host: the Fediverse.
            Self { host: Some(of_host(host)), name: format!("@{}", clean(name)?) }
        } else {
            Self { host: None, name: clean(text)? }
        };
        let vague = handle.host.is_none() || handle.is_weak();
        Ok((handle, if vague { vec![Warning::VagueHandle] } else { Vec::new() }))
    }

    /// The handle in one line.
    pub fn text(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}/{}", self.name),
            None if self.name.contains('.') => self.name.clone(),
            None => format!("@{}", self.name),
        }
    }

    /// Whether the name is too short to stand for one person where its platform is not named.
    pub fn is_weak(&self) -> bool {
        self.name.chars().count() < 4
    }
}

#[cfg(test)]
mod tests;
