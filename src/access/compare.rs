//! What changed between two lists of members.

use std::collections::BTreeMap;

use super::member::{Member, MemberList};

/// What became of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Came since.
    Came(Member),
    /// Went since.
    Went(Member),
    /// Has other roles than before.
    Role {
        /// As it was.
        before: Member,
        /// As it is.
        now: Member,
    },
}

impl Change {
    /// The member as last seen.
    pub fn member(&self) -> &Member {
        match self {
            Self::Came(member) | Self::Went(member) | Self::Role { now: member, .. } => member,
        }
    }
}

/// What changed, and how many did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// By e-mail address.
    pub changes: Vec<Change>,
    /// Members with the roles that they had.
    pub unchanged: usize,
}

/// Compares two lists. Members are known by their address without case; another name alone is no
/// change.
pub fn compare(before: &MemberList, now: &MemberList) -> Changes {
    let mut old: BTreeMap<String, &Member> =
        before.members().iter().map(|member| (member.key(), member)).collect();
    let mut changes = BTreeMap::new();
    let mut unchanged = 0;
    for member in now.members() {
        let change = match old.remove(&member.key()) {
            None => Change::Came(member.clone()),
            Some(before) if before.roles != member.roles => {
                Change::Role { before: before.clone(), now: member.clone() }
            }
            Some(_) => {
                unchanged += 1;
                continue;
            }
        };
        changes.insert(member.key(), change);
    }
    changes.extend(old.into_iter().map(|(key, member)| (key, Change::Went(member.clone()))));
    Changes { changes: changes.into_values().collect(), unchanged }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::parse;
    use crate::limits::Limits;

    fn list(rows: &str) -> MemberList {
        parse(format!("email,name,role\n{rows}").as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn who_came_went_and_changed_role_is_told_once() {
        let before = list("a@x,A,Owner\nb@x,B,Writer\nc@x,C,Guest\nd@x,D,\"Writer,Guest\"");
        let now = list("A@x,Anna,Owner\nb@x,B,Administrator\nd@x,D,\"Guest,Writer\"\ne@x,E,Guest");
        let changes = compare(&before, &now);
        let told: Vec<String> = changes
            .changes
            .iter()
            .map(|change| match change {
                Change::Came(member) => format!("came {}", member.email),
                Change::Went(member) => format!("went {}", member.email),
                Change::Role { before, now } => {
                    format!("{} {} to {}", now.email, before.roles_in_words(), now.roles_in_words())
                }
            })
            .collect();
        assert_eq!(told, ["b@x Writer to Administrator", "went c@x", "came e@x"]);
        assert_eq!(changes.unchanged, 2);
        assert!(compare(&now, &now).changes.is_empty());
    }
}
