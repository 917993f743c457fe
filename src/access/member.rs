//! Members of a Prismic repository and their roles.

use std::collections::BTreeMap;
use std::fmt;

use super::error::MistakenList;
use crate::vault::format::members::{KIND, MemberEntry, MembersFile, RoleEntry};
use crate::vault::format::{VERSION, to_json};

/// A role in a Prismic repository.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryRole {
    /// Pays and may delete the repository.
    Owner,
    /// Settings, members, tokens.
    Administrator,
    /// Releases and publishing.
    ReleaseManager,
    /// Publishes documents.
    Publisher,
    /// Writes drafts.
    Writer,
    /// Translations between locales.
    TranslationManager,
    /// Reads.
    Guest,
    /// A role that this repository defined, or a word that is none.
    Custom(String),
}

impl RepositoryRole {
    const KNOWN: [(Self, &'static str, &'static [&'static str]); 7] = [
        (Self::Owner, "Owner", &["owner", "repositoryowner"]),
        (Self::Administrator, "Administrator", &["administrator", "admin"]),
        (Self::ReleaseManager, "Release Manager", &["releasemanager"]),
        (Self::Publisher, "Publisher", &["publisher"]),
        (Self::Writer, "Writer", &["writer"]),
        (Self::TranslationManager, "Translation Manager", &["translationmanager"]),
        (Self::Guest, "Guest", &["guest"]),
    ];

    /// Reads a role as people and pages write it; what is none of Prismic's is a custom one.
    pub fn of(text: &str) -> Self {
        let plain = plain_word(text);
        let known = Self::KNOWN.into_iter().find(|(_, _, spellings)| spellings.contains(&plain.as_str()));
        known.map_or_else(|| Self::Custom(text.to_owned()), |(role, _, _)| role)
    }

    /// Its name; of a custom role the one it was given.
    pub fn name(&self) -> &str {
        let known = Self::KNOWN.iter().find(|(role, _, _)| role == self);
        match (known, self) {
            (Some((_, name, _)), _) => name,
            (None, Self::Custom(name)) => name,
            (None, _) => "",
        }
    }

    /// Its name, and `custom` for all custom roles: what may be told to everybody.
    pub fn public_name(&self) -> &str {
        if matches!(self, Self::Custom(_)) { "custom" } else { self.name() }
    }
}

impl fmt::Debug for RepositoryRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public_name())
    }
}

/// A word without case, spaces and marks: how headers and roles are compared.
pub(super) fn plain_word(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A role, for all locales or for one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assignment {
    /// The role.
    pub role: RepositoryRole,
    /// The locale that it is for; `None` for all.
    pub locale: Option<String>,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.role, f)
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.locale {
            Some(locale) => write!(f, "{} ({locale})", self.role.name()),
            None => f.write_str(self.role.name()),
        }
    }
}

/// One member. Its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// E-mail address as it was written.
    pub email: String,
    /// Name; empty where none was given.
    pub name: String,
    /// Roles, sorted, at least one.
    pub roles: Vec<Assignment>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member(…)")
    }
}

impl Member {
    /// By what a member is known: the address without case.
    pub fn key(&self) -> String {
        self.email.to_lowercase()
    }

    /// Whether it has a role, for any locale.
    pub fn has(&self, role: &RepositoryRole) -> bool {
        self.roles.iter().any(|own| own.role == *role)
    }

    /// Its roles in words.
    pub fn roles_in_words(&self) -> String {
        self.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// The members of a repository at one time, sorted by [`Member::key`], each once.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberList {
    members: Vec<Member>,
}

impl fmt::Debug for MemberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberList({} members)", self.members.len())
    }
}

impl MemberList {
    /// Makes a list of members that differ in their keys.
    pub(super) fn new(mut members: Vec<Member>) -> Self {
        for member in &mut members {
            member.roles.sort();
            member.roles.dedup();
        }
        members.sort_by_key(Member::key);
        Self { members }
    }

    /// The members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many have which role; custom roles are one. Without personal data.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for member in &self.members {
            let mut names: Vec<&str> = member.roles.iter().map(|own| own.role.public_name()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// The bytes that are kept.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let role =
            |own: &Assignment| RoleEntry { role: own.role.name().to_owned(), locale: own.locale.clone() };
        let entry = |member: &Member| MemberEntry {
            email: member.email.clone(),
            name: member.name.clone(),
            roles: member.roles.iter().map(role).collect(),
        };
        to_json(&MembersFile {
            kind: KIND.to_owned(),
            format: VERSION,
            members: self.members.iter().map(entry).collect(),
        })
    }

    /// Reads what was kept.
    ///
    /// # Errors
    ///
    /// When it is no list of members, or one of a later version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, MistakenList> {
        let file: MembersFile = serde_json::from_slice(bytes)
            .ok()
            .filter(|file: &MembersFile| file.kind == KIND)
            .ok_or_else(|| MistakenList::file("it is no list of members"))?;
        if file.format != VERSION {
            return Err(MistakenList::file(format!(
                "it has the format {}, this prismvault knows {VERSION}",
                file.format
            )));
        }
        let role = |own: RoleEntry| Assignment { role: RepositoryRole::of(&own.role), locale: own.locale };
        let member = |entry: MemberEntry| Member {
            email: entry.email,
            name: entry.name,
            roles: entry.roles.into_iter().map(role).collect(),
        };
        Ok(Self::new(file.members.into_iter().map(member).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(email: &str, role: &str) -> Member {
        let role = Assignment { role: RepositoryRole::of(role), locale: None };
        Member { email: email.to_owned(), name: "Anna Beck".to_owned(), roles: vec![role] }
    }

    #[test]
    fn roles_are_known_in_every_spelling_and_others_are_custom() {
        for (text, name) in [
            ("Owner", "Owner"),
            ("ADMINISTRATOR", "Administrator"),
            ("admin", "Administrator"),
            ("release-manager", "Release Manager"),
            ("Translation manager", "Translation Manager"),
            ("guest", "Guest"),
            ("SEO team", "SEO team"),
        ] {
            assert_eq!(RepositoryRole::of(text).name(), name);
        }
        assert_eq!(RepositoryRole::of("SEO team").public_name(), "custom");
    }

    #[test]
    fn what_is_kept_reads_back_and_prints_nothing_of_anybody() {
        let list = MemberList::new(vec![member("b@acme.example", "Writer"), member("A@acme.example", "SEO")]);
        assert_eq!(list.members()[0].email, "A@acme.example");
        let bytes = list.to_bytes();
        assert_eq!(MemberList::from_bytes(&bytes).unwrap(), list);
        let printed = format!("{list:?} {:?} {:?}", list.members(), list.counts());
        assert!(
            !printed.contains("acme") && !printed.contains("Anna") && !printed.contains("SEO"),
            "{printed}"
        );
        for other in ["{}", "", "{\"kind\":\"members\",\"format\":2,\"members\":[]}"] {
            MemberList::from_bytes(other.as_bytes()).unwrap_err();
        }
    }
}
