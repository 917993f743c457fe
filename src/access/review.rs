//! The access review: what stands out, and every member with an empty decision beside it.

use std::collections::HashMap;

use super::compare::{Change, compare};
use super::member::{MemberList, RepositoryRole};
use crate::clock::Timestamp;
use crate::limits::Limits;

/// A token of the configuration and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAge {
    /// Its key in the configuration: `access_token`, `write_token`.
    pub name: String,
    /// Days since it was issued; `None` where nothing says.
    pub days: Option<i64>,
    /// What is to be thought of it.
    pub state: TokenState,
}

/// What is to be thought of a token's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It is young enough.
    Fresh,
    /// It is older than advised.
    Old,
    /// Nothing says how old it is.
    Unknown,
}

impl TokenAge {
    /// Judges the age of a token that was issued then.
    pub fn of(name: &str, issued: Option<Timestamp>, now: Timestamp, limits: &Limits) -> Self {
        let advised = i64::try_from(limits.token_age_advised.as_secs() / 86_400).unwrap_or(i64::MAX);
        let days = issued.map(|issued| (now - issued).num_days().max(0));
        let state = match days {
            None => TokenState::Unknown,
            Some(days) if days > advised => TokenState::Old,
            Some(_) => TokenState::Fresh,
        };
        Self { name: name.to_owned(), days, state }
    }
}

/// Something that stands out. It names nobody: the lines of members do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A word for programs.
    pub code: &'static str,
    /// What was found.
    pub what: String,
    /// What is usually done about it.
    pub next: String,
}

/// One member of a review.
#[derive(Clone, PartialEq, Eq)]
pub struct ReviewLine {
    /// Name; may be empty.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Roles in words.
    pub roles: String,
    /// What changed since the list before: empty, `new`, `was Writer`, or `left` for who is no
    /// member any more.
    pub change: String,
    /// Why to look at this one in particular; may be empty.
    pub note: String,
    /// Whether it is a member now.
    pub is_member: bool,
}

impl std::fmt::Debug for ReviewLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReviewLine(…)")
    }
}

/// A review of who has access to one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Repository, by its name in the configuration.
    pub repository: String,
    /// When the list was imported.
    pub listed: Timestamp,
    /// When the list before was imported.
    pub before: Option<Timestamp>,
    /// What stands out.
    pub remarks: Vec<Remark>,
    /// Every member, and those who left since the list before.
    pub lines: Vec<ReviewLine>,
    /// Tokens.
    pub tokens: Vec<TokenAge>,
}

/// Reviews a list against the one before it, if there is one.
pub fn review(
    repository: &str,
    (listed, list): (Timestamp, &MemberList),
    before: Option<(Timestamp, &MemberList)>,
    tokens: Vec<TokenAge>,
    now: Timestamp,
    limits: &Limits,
) -> Review {
    let mut remarks = Vec::from_iter(of_age(listed, now, limits));
    remarks.extend(of_roles(list, limits));
    remarks.extend(of_tokens(&tokens));
    let changes = before.map(|(_, before)| compare(before, list).changes).unwrap_or_default();
    let changed: HashMap<String, &Change> =
        changes.iter().map(|change| (change.member().key(), change)).collect();
    let left = changes.iter().filter(|change| matches!(change, Change::Went(_))).count();
    if left > 0 {
        remarks.push(Remark {
            code: "left",
            what: format!("{left} left since the list before"),
            next: "revoke what they held besides: tokens, shared passwords, recovery copies".to_owned(),
        });
    }
    let is_custom = |role: &RepositoryRole| matches!(role, RepositoryRole::Custom(_));
    let mut lines: Vec<ReviewLine> = list
        .members()
        .iter()
        .map(|member| ReviewLine {
            name: member.name.clone(),
            email: member.email.clone(),
            roles: member.roles_in_words(),
            change: match changed.get(&member.key()) {
                Some(Change::Came(_)) => "new".to_owned(),
                Some(Change::Role { before, .. }) => format!("was {}", before.roles_in_words()),
                _ => String::new(),
            },
            note: match member.roles.iter().any(|own| is_custom(&own.role)) {
                true => "custom or unknown role".to_owned(),
                false => String::new(),
            },
            is_member: true,
        })
        .collect();
    lines.extend(changes.iter().filter_map(|change| match change {
        Change::Went(member) => Some(ReviewLine {
            name: member.name.clone(),
            email: member.email.clone(),
            roles: member.roles_in_words(),
            change: "left".to_owned(),
            note: String::new(),
            is_member: false,
        }),
        _ => None,
    }));
    Review {
        repository: repository.to_owned(),
        listed,
        before: before.map(|(at, _)| at),
        remarks,
        lines,
        tokens,
    }
}

fn of_age(listed: Timestamp, now: Timestamp, limits: &Limits) -> Option<Remark> {
    let age = (now - listed).to_std().ok()?;
    (age > limits.member_list_age_advised).then(|| Remark {
        code: "old-list",
        what: format!("the list was imported {} days ago", age.as_secs() / 86_400),
        next: "copy the members page again and import it, then review".to_owned(),
    })
}

fn of_roles(list: &MemberList, limits: &Limits) -> Vec<Remark> {
    let count = |role: &RepositoryRole| list.members().iter().filter(|member| member.has(role)).count();
    let (owners, administrators) = (count(&RepositoryRole::Owner), count(&RepositoryRole::Administrator));
    let mut remarks = Vec::new();
    match owners {
        0 => remarks.push(Remark {
            code: "no-owner",
            what: "nobody is owner".to_owned(),
            next: "look whether the list is whole; else somebody must own the repository".to_owned(),
        }),
        1 => {}
        several => remarks.push(Remark {
            code: "several-owners",
            what: format!("{several} members are owner"),
            next: "leave one, the others can be administrators".to_owned(),
        }),
    }
    if administrators > limits.administrators_advised {
        remarks.push(Remark {
            code: "many-administrators",
            what: format!(
                "{administrators} members are administrator, more than {}",
                limits.administrators_advised
            ),
            next: "leave those who change settings and members, the others can publish or write".to_owned(),
        });
    }
    let is_custom = |member: &&super::Member| {
        member.roles.iter().any(|own| matches!(own.role, RepositoryRole::Custom(_)))
    };
    let custom = list.members().iter().filter(is_custom).count();
    if custom > 0 {
        remarks.push(Remark {
            code: "unknown-roles",
            what: match custom {
                1 => "1 member has a role that is none of Prismic's own".to_owned(),
                several => format!("{several} members have roles that are none of Prismic's own"),
            },
            next: "look up what these custom roles allow".to_owned(),
        });
    }
    remarks
}

fn of_tokens(tokens: &[TokenAge]) -> Vec<Remark> {
    let old = tokens.iter().filter(|token| token.state == TokenState::Old).map(|token| Remark {
        code: "old-token",
        what: format!("{} is {} days old", token.name, token.days.unwrap_or_default()),
        next: "make a new one under Settings > API & Security, put it in place, then remove the old one"
            .to_owned(),
    });
    let unknown = tokens.iter().filter(|token| token.state == TokenState::Unknown).map(|token| Remark {
        code: "token-of-unknown-age",
        what: format!("nothing says how old {} is", token.name),
        next: "write the day beside the reference, such as issued = \"2026-08-01\"".to_owned(),
    });
    old.chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::parse;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn list(rows: &str) -> MemberList {
        parse(format!("email,role\n{rows}").as_bytes(), &Limits::default()).unwrap()
    }

    fn codes(list: &MemberList, tokens: Vec<TokenAge>, now: &str) -> Vec<&'static str> {
        let listed = (at("2026-01-01T00:00:00Z"), list);
        let review = review("blog", listed, None, tokens, at(now), &Limits::default());
        review.remarks.iter().map(|remark| remark.code).collect()
    }

    #[test]
    fn what_stands_out_is_said_and_nothing_else() {
        let good = list("a@x,Owner\nb@x,Admin\nc@x,Admin\nd@x,Admin\ne@x,Writer");
        assert_eq!(codes(&good, Vec::new(), "2026-04-01T00:00:00Z"), [""; 0]);
        assert_eq!(codes(&good, Vec::new(), "2026-04-02T00:00:00Z"), ["old-list"]);
        let many = list("a@x,Admin\nb@x,Admin\nc@x,Admin\nd@x,Admin (fr-fr)\ne@x,SEO");
        let expected = ["no-owner", "many-administrators", "unknown-roles"];
        assert_eq!(codes(&many, Vec::new(), "2026-01-02T00:00:00Z"), expected);
        let owners = list("a@x,Owner\nb@x,Owner");
        let now = at("2026-04-02T00:00:00Z");
        let age = |day: Option<&str>| TokenAge::of("access_token", day.map(at), now, &Limits::default());
        let tokens = vec![age(Some("2026-01-02T00:00:00Z")), age(Some("2026-01-01T00:00:00Z")), age(None)];
        assert_eq!(
            codes(&owners, tokens, "2026-01-02T00:00:00Z"),
            ["several-owners", "old-token", "token-of-unknown-age"]
        );
    }

    #[test]
    fn every_member_has_a_line_and_those_who_left_too() {
        let (before, now) =
            (list("a@x,Owner\nb@x,Writer\nc@x,Guest"), list("a@x,Owner\nb@x,Admin\nd@x,Guest"));
        let (then, later) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
        let review =
            review("blog", (later, &now), Some((then, &before)), Vec::new(), later, &Limits::default());
        let lines: Vec<_> = review
            .lines
            .iter()
            .map(|line| (line.email.as_str(), line.change.as_str(), line.is_member))
            .collect();
        assert_eq!(
            lines,
            [("a@x", "", true), ("b@x", "was Writer", true), ("d@x", "new", true), ("c@x", "left", false)]
        );
        assert_eq!(review.remarks.last().unwrap().code, "left");
    }
}
