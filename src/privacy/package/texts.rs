//! What packages say, in the language of the person. The words are in `texts/*.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::privacy::letters::Language;
use crate::privacy::matching::Rule;
use crate::privacy::passage::{Channel, Reason};
use crate::privacy::processing::Entry;
use crate::privacy::search::Not;

/// The words of one language. Names in double braces stand for what is filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::privacy) struct Texts {
    pub(super) page: Page,
    pub(super) columns: Columns,
    pub(super) words: Words,
    pub(super) hidden: Hidden,
    pub(super) section: BTreeMap<Section, String>,
    pub(super) place: BTreeMap<PlaceKind, String>,
    pub(super) evidence: BTreeMap<Evidence, String>,
    pub(super) unsearchable: BTreeMap<Reason, String>,
    pub(super) beyond: BTreeMap<Not, String>,
    pub(super) article15: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, String>,
    pub(super) how_to_read: String,
    pub(super) prismic: Prismic,
}

/// Sentences of the pages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) title_access: String,
    pub(super) title_portability: String,
    pub(super) intro_access: String,
    pub(super) intro_portability: String,
    pub(super) contents: String,
    pub(super) controller: String,
    pub(super) article15: String,
    pub(super) data: String,
    pub(super) counts: String,
    pub(super) nothing_found: String,
    pub(super) searched: String,
    pub(super) pages: String,
    pub(super) page_of: String,
    pub(super) next: String,
    pub(super) previous: String,
    pub(super) back: String,
    pub(super) copies: String,
    pub(super) copies_intro: String,
    pub(super) not_copied: String,
    pub(super) others: String,
    pub(super) others_text: String,
    pub(super) limits: String,
    pub(super) limits_intro: String,
    pub(super) limits_unread: String,
    pub(super) limits_problems: String,
    pub(super) beyond: String,
    pub(super) scope: String,
    pub(super) scope_basis_consent: String,
    pub(super) scope_basis_contract: String,
    pub(super) nothing_qualifies: String,
    pub(super) package: String,
}

/// Heads of columns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    pub(super) number: String,
    pub(super) place: String,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) seen: String,
    pub(super) evidence: String,
    pub(super) file: String,
    pub(super) size: String,
    pub(super) name: String,
    pub(super) meaning: String,
}

/// Single words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) from_to: String,
    pub(super) live: String,
    pub(super) not_live: String,
    pub(super) live_only: String,
    pub(super) no_snapshot: String,
    pub(super) bytes: String,
    pub(super) hidden_note: String,
}

/// What stands in place of something that is of others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hidden {
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) person: String,
}

/// What is said of accounts at Prismic itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prismic {
    pub(super) heading: String,
    pub(super) text: String,
    pub(super) letter: String,
}

/// Parts of the data, by where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Lists of members of repositories: people with an account.
    Members,
    /// Published documents, now or then.
    Documents,
    /// Documents of releases: planned, or published together.
    Releases,
    /// Texts in files.
    Files,
    /// What the media library says of files.
    Library,
    /// Models, tags and other metadata.
    Repository,
}

impl Section {
    pub(super) const ALL: [Self; 6] =
        [Self::Members, Self::Documents, Self::Releases, Self::Files, Self::Library, Self::Repository];
}

/// Kinds of places, as a reader tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// Text that people read.
    Text,
    /// Texts beside each other, read as one.
    Joined,
    /// A number.
    Number,
    /// A day or time.
    Date,
    /// A place on the map.
    Geo,
    /// A link, and what it shows.
    Link,
    /// A reference to a document or file.
    Reference,
    /// Something embedded from elsewhere.
    Embed,
    /// Data of programs.
    Integration,
    /// Description or copyright of an image.
    Image,
    /// Address and former addresses of a page.
    Address,
    /// A tag.
    Tag,
    /// The id of a document.
    Id,
    /// Name of a file.
    FileName,
    /// What the media library says of a file.
    FileNotes,
    /// What stands in a picture besides what it shows.
    Picture,
    /// Text in a file.
    FileText,
    /// Properties of a file.
    FileProperties,
    /// A list of members.
    Member,
    /// Metadata of a repository.
    Repository,
}

impl PlaceKind {
    /// The kind of a channel.
    pub fn of(channel: Channel) -> Self {
        use Channel as C;
        match channel {
            C::RichText | C::KeyText | C::Table => Self::Text,
            C::Joined => Self::Joined,
            C::Number => Self::Number,
            C::Date => Self::Date,
            C::GeoPoint => Self::Geo,
            C::Link | C::LinkText => Self::Link,
            C::Relationship => Self::Reference,
            C::Embed => Self::Embed,
            C::Integration => Self::Integration,
            C::Alt | C::Copyright => Self::Image,
            C::Uid | C::Slug => Self::Address,
            C::Tag => Self::Tag,
            C::DocumentId => Self::Id,
            C::AssetFileName => Self::FileName,
            C::AssetNotes | C::AssetCredits | C::AssetAlt | C::AssetTag | C::AssetMetadata => Self::FileNotes,
            C::Exif | C::Iptc | C::Xmp | C::ImageText => Self::Picture,
            C::PdfText | C::Svg | C::OfficeText | C::PlainText => Self::FileText,
            C::PdfProperties | C::OfficeProperties => Self::FileProperties,
            C::Member => Self::Member,
            C::Repository => Self::Repository,
        }
    }
}

/// Why a text is about the person, as a reader tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Their e-mail address.
    Email,
    /// Their telephone number.
    Phone,
    /// Their profile or handle.
    Profile,
    /// A number or code that stands for them.
    Id,
    /// The document is about them.
    Document,
    /// Their full name.
    FullName,
    /// A part of their name.
    PartOfName,
    /// Another form of their name.
    FormOfName,
    /// It belongs to a record about them.
    Record,
}

impl Evidence {
    /// The kind of a rule.
    pub fn of(rule: Rule) -> Self {
        use Rule as R;
        match rule {
            R::EmailExact | R::EmailProvider | R::EmailWritten | R::EmailTag | R::EmailShort => Self::Email,
            R::PhoneInternational | R::PhoneNational | R::PhoneShort | R::PhoneSuffix => Self::Phone,
            R::HandleAddress | R::HandleMention | R::HandleBare => Self::Profile,
            R::IdExact | R::IdShort => Self::Id,
            R::AuthorDocument => Self::Document,
            R::NameFull => Self::FullName,
            R::NameNear
            | R::NamePartial
            | R::GivenNameNear
            | R::Surname
            | R::SurnamePart
            | R::NameInitial
            | R::GivenName => Self::PartOfName,
            R::SurnameVariant
            | R::NameInflected
            | R::NameTransliterated
            | R::NameLookAlike
            | R::NameFuzzy => Self::FormOfName,
        }
    }
}

/// The catalogues, in the order of [`Language::ALL`].
static CATALOGUES: LazyLock<[Texts; 3]> = LazyLock::new(|| {
    [include_str!("texts/en.toml"), include_str!("texts/de.toml"), include_str!("texts/fr.toml")]
        .map(|text| toml::from_str(text).expect("the catalogues of the program are read by a test"))
});

impl Texts {
    /// Returns the words of a language.
    pub(in crate::privacy) fn of(language: Language) -> &'static Self {
        let [en, de, fr] = &*CATALOGUES;
        match language {
            Language::En => en,
            Language::De => de,
            Language::Fr => fr,
        }
    }

    /// Why something could not be searched.
    pub(in crate::privacy) fn reason(&self, reason: Reason) -> &str {
        word(&self.unsearchable, &reason)
    }

    /// What no search reaches.
    pub(in crate::privacy) fn not(&self, not: Not) -> &str {
        word(&self.beyond, &not)
    }

    /// The heading of an entry of Art. 15.
    pub(super) fn article15(&self, entry: Entry) -> &str {
        word(&self.article15, &entry.key().to_owned())
    }

    /// What a file of the package is, by its name.
    pub(super) fn file(&self, name: &str) -> &str {
        word(&self.files, &name.to_owned())
    }
}

/// A word that the catalogues have for every key: a test asks for all of them.
pub(in crate::privacy) fn word<'t, K: Ord>(words: &'t BTreeMap<K, String>, key: &K) -> &'t str {
    words.get(key).map_or("", String::as_str)
}

/// The key under which the catalogues explain a file of a package.
pub(super) fn file_key(name: &str) -> &str {
    let begins = ["how-to-read", "ask-prismic"].into_iter().find(|begin| name.starts_with(begin));
    begins.unwrap_or(name)
}

/// Fills in names in double braces. What is filled in is not looked at for names.
pub(in crate::privacy) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(own, _)| *own == name) {
            out.push_str(value);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_word_for_everything() {
        let reasons = [
            Reason::Encrypted,
            Reason::UnknownFormat,
            Reason::NoText,
            Reason::TooLarge,
            Reason::UnpacksToMore,
            Reason::TooDeep,
            Reason::TooSlow,
            Reason::Damaged,
        ];
        let (mut places, mut evidence) = (Vec::new(), Vec::new());
        for text in
            [include_str!("texts/en.toml"), include_str!("texts/de.toml"), include_str!("texts/fr.toml")]
        {
            let texts: Texts = toml::from_str(text).unwrap();
            let all_filled = |words: Vec<&String>| words.iter().all(|word| !word.trim().is_empty());
            assert!(
                all_filled(texts.section.values().collect()) && texts.section.len() == Section::ALL.len()
            );
            assert!(all_filled(texts.beyond.values().collect()) && texts.beyond.len() == Not::ALL.len());
            assert!(reasons.iter().all(|reason| texts.unsearchable.contains_key(reason)));
            assert!(Entry::ALL.iter().all(|entry| !texts.article15(*entry).is_empty()));
            places.push(texts.place.keys().copied().collect::<Vec<_>>());
            evidence.push(texts.evidence.keys().copied().collect::<Vec<_>>());
            assert_eq!((places[0].len(), evidence[0].len()), (20, 9), "one for each kind");
            assert_eq!((places.last(), evidence.last()), (places.first(), evidence.first()));
        }
        let names = |language| Texts::of(language).files.keys().collect::<Vec<_>>();
        assert_eq!(names(Language::En), names(Language::De));
        assert_eq!(names(Language::En), names(Language::Fr));
    }

    #[test]
    fn what_is_filled_in_is_not_looked_at() {
        assert_eq!(fill("a {{x}} {{y}} {{", &[("x", "{{y}}"), ("y", "2")]), "a {{y}} 2 {{");
    }
}
