//! The normalisers by name, so that each can be switched off and its worth be measured.

use std::fmt;
use std::str::FromStr;

/// One way in which two spellings are made the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Normaliser {
    /// Capital and small letters.
    Case,
    /// Composed and decomposed characters (NFC, NFD).
    Form,
    /// Full width, ligatures, letters of mathematics (NFKC).
    Compatibility,
    /// Marks on letters, strokes through them.
    Diacritics,
    /// ae for ä, ss for ß; Cyrillic and Greek in Latin letters and back.
    Transliteration,
    /// Family name first.
    Order,
    /// Initials for given names.
    Initials,
    /// Particles and titles within a name.
    Particles,
    /// Hyphens, spaces and apostrophes within one part of a name.
    Separators,
    /// Characters that nobody sees: soft hyphens, zero-width characters, marks of direction.
    Invisible,
    /// Letters of other scripts that look alike. For review.
    Confusables,
    /// `%C3%BC`.
    Percent,
    /// `&uuml;`, `&#252;`.
    Entities,
    /// `\u00fc` inside a string.
    JsonEscapes,
    /// Punycode of domain names.
    Idna,
    /// `data:` addresses in Base64.
    Base64,
    /// `=C3=BC`.
    QuotedPrintable,
    /// E-mail addresses in words: `name (at) host dot com`.
    Obfuscation,
    /// Rules of mail providers: dots and tags.
    Providers,
    /// Phone numbers by their digits.
    PhoneDigits,
    /// Hosts under which a platform is known.
    HandleHosts,
    /// Names as parts of file names and addresses.
    Slugs,
    /// Endings of inflected languages. For review.
    Inflection,
    /// Mistypings. For review.
    Fuzzy,
}

impl Normaliser {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Case,
        Self::Form,
        Self::Compatibility,
        Self::Diacritics,
        Self::Transliteration,
        Self::Order,
        Self::Initials,
        Self::Particles,
        Self::Separators,
        Self::Invisible,
        Self::Confusables,
        Self::Percent,
        Self::Entities,
        Self::JsonEscapes,
        Self::Idna,
        Self::Base64,
        Self::QuotedPrintable,
        Self::Obfuscation,
        Self::Providers,
        Self::PhoneDigits,
        Self::HandleHosts,
        Self::Slugs,
        Self::Inflection,
        Self::Fuzzy,
    ];

    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Form => "form",
            Self::Compatibility => "compatibility",
            Self::Diacritics => "diacritics",
            Self::Transliteration => "transliteration",
            Self::Order => "order",
            Self::Initials => "initials",
            Self::Particles => "particles",
            Self::Separators => "separators",
            Self::Invisible => "invisible",
            Self::Confusables => "confusables",
            Self::Percent => "percent",
            Self::Entities => "entities",
            Self::JsonEscapes => "json-escapes",
            Self::Idna => "idna",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
            Self::Obfuscation => "obfuscation",
            Self::Providers => "providers",
            Self::PhoneDigits => "phone-digits",
            Self::HandleHosts => "handle-hosts",
            Self::Slugs => "slugs",
            Self::Inflection => "inflection",
            Self::Fuzzy => "fuzzy",
        }
    }

    fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Normaliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No normaliser of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no normaliser is called {0:?}")]
pub struct UnknownNormaliser(String);

impl FromStr for Normaliser {
    type Err = UnknownNormaliser;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or_else(|| UnknownNormaliser(name.to_owned()))
    }
}

/// Which normalisers are on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switches(u32);

impl Switches {
    pub(super) fn without(off: &[Normaliser]) -> Self {
        Self(off.iter().fold(u32::MAX, |on, normaliser| on & !normaliser.bit()))
    }

    pub(super) fn on(self, normaliser: Normaliser) -> bool {
        self.0 & normaliser.bit() != 0
    }
}
