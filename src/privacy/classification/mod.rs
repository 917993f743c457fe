//! What each field of a repository may hold of people: `privacy/classification.toml`.
//!
//! Prismic's models say how a field is edited, never what it is about. This file says it, field by
//! field, so that nobody has to remember where people hide when a request comes; and a field that
//! was added since, of which nobody has said anything yet, is told after each snapshot and in every
//! certificate. A search does not go by it: it reads everything.
//!
//! ```toml
//! [types.author]
//! name = "name"
//! portrait = "image"
//! "rows.phone" = "contact"              # a field of a group
//! "body.quote.primary.person" = "name"  # a slice that only this type has
//!
//! [slices.quote]
//! "default.primary.text" = "none"       # variation, part, field
//!
//! [repositories.shop.types.author]      # only in this repository, before what stands above
//! name = "none"
//! ```
//!
//! **If we crash here**: [`Classification::write_missing`] replaces the file as a whole or not at all.

mod fields;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

pub use fields::{fields_of, fields_of_snapshot};
pub use file::Additions;

use crate::ids::Name;

/// Where the file is, from the directory of the configuration.
pub const FILE: &str = "privacy/classification.toml";

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing of a person.
    None,
    /// Names.
    Name,
    /// Ways to reach somebody: e-mail, telephone, address.
    Contact,
    /// Handles, profiles, numbers by which somebody is known.
    Identifier,
    /// Pictures, sound or video of somebody.
    Image,
    /// What somebody does or did: role, career, biography, opinions.
    Biography,
    /// Where somebody is or lives.
    Location,
    /// Birthdays and other dates of a life.
    Date,
    /// Special categories: health, beliefs, politics, origin, sex life (Art. 9 GDPR), offences (Art. 10).
    Special,
    /// Free text, which may hold anything.
    FreeText,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Name,
        Self::Contact,
        Self::Identifier,
        Self::Image,
        Self::Biography,
        Self::Location,
        Self::Date,
        Self::Special,
        Self::FreeText,
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Name => "name",
            Self::Contact => "contact",
            Self::Identifier => "identifier",
            Self::Image => "image",
            Self::Biography => "biography",
            Self::Location => "location",
            Self::Date => "date",
            Self::Special => "special",
            Self::FreeText => "free-text",
        }
    }

    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "nothing of a person",
            Self::Name => "names",
            Self::Contact => "e-mail, telephone, postal addresses",
            Self::Identifier => "handles, profiles, customer numbers",
            Self::Image => "pictures, sound or video of somebody",
            Self::Biography => "role, career, biography, opinions",
            Self::Location => "where somebody is or lives",
            Self::Date => "birthdays and other dates of a life",
            Self::Special => "health, beliefs, politics, origin, offences (Art. 9 and 10 GDPR)",
            Self::FreeText => "free text, which may hold anything",
        }
    }
}

impl std::str::FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|class| class.name() == text)
            .ok_or_else(|| format!("is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What has fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A custom type.
    Types,
    /// A shared slice.
    Slices,
}

impl Owner {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Types => "types",
            Self::Slices => "slices",
        }
    }
}

/// One field of a model: ids only, no content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FieldPlace {
    /// What it is a field of.
    pub owner: Owner,
    /// Id of the custom type or slice.
    pub id: String,
    /// Its keys, joined by dots: groups and slices come before their fields.
    pub field: String,
}

impl fmt::Display for FieldPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: {}", self.owner.name(), self.id, self.field)
    }
}

/// Classes by field; `None` for one that stands in the file without a class.
type Classes = BTreeMap<FieldPlace, Option<Class>>;

/// What was said of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classification {
    everywhere: Classes,
    by_repository: BTreeMap<Name, Classes>,
}

/// How a repository's fields are covered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Fields with a class.
    pub classified: usize,
    /// Fields without one, in order.
    pub unclassified: Vec<FieldPlace>,
    /// Fields of the file that no model has any more, or never had.
    pub unknown: Vec<FieldPlace>,
}

impl Classification {
    /// The class of a field in a repository; `None` where nobody has said it.
    pub fn class(&self, repository: &Name, field: &FieldPlace) -> Option<Class> {
        let own = self.by_repository.get(repository).and_then(|classes| classes.get(field));
        own.or_else(|| self.everywhere.get(field)).copied().flatten()
    }

    /// Compares it with the fields that a repository has.
    pub fn coverage(&self, repository: &Name, fields: &BTreeSet<FieldPlace>) -> Coverage {
        let (classified, unclassified): (Vec<_>, Vec<_>) =
            fields.iter().partition(|field| self.class(repository, field).is_some());
        let of_file = self
            .everywhere
            .keys()
            .chain(self.by_repository.get(repository).into_iter().flat_map(BTreeMap::keys));
        let unknown: BTreeSet<&FieldPlace> = of_file.filter(|field| !fields.contains(*field)).collect();
        Coverage {
            classified: classified.len(),
            unclassified: unclassified.into_iter().cloned().collect(),
            unknown: unknown.into_iter().cloned().collect(),
        }
    }
}
