//! `repository/members.json`: who could do what in a repository, as an administrator copied it.
//!
//! Personal data. It is an item like a document, so it lies in content packs and nowhere else; the
//! types print nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kind of [`MembersFile`].
pub const KIND: &str = "members";

/// The list of the members of one repository.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersFile {
    /// [`KIND`].
    pub kind: String,
    /// Version of the format.
    pub format: u32,
    /// The members, sorted by e-mail address. No time: equal lists are equal bytes.
    pub members: Vec<MemberEntry>,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEntry {
    /// E-mail address, by which a member is known.
    pub email: String,
    /// Name, where one was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Roles, at least one.
    pub roles: Vec<RoleEntry>,
}

/// One role of a member.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEntry {
    /// Prismic's name of the role, or that of a custom one.
    pub role: String,
    /// The locale that it is for; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl fmt::Debug for MembersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MembersFile({} members)", self.members.len())
    }
}

impl fmt::Debug for MemberEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberEntry(…)")
    }
}

impl fmt::Debug for RoleEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoleEntry(…)")
    }
}
