//! What a drill looks at besides what every drill looks at: queries, commands, pages.

use std::time::Duration;

use serde::Serialize;

use crate::ids::Name;

/// One thing that is looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What it is called in reports.
    pub name: String,
    /// How it is looked at.
    #[serde(flatten)]
    pub probe: Probe,
}

/// How something is looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A query to the restored repository.
    Query {
        /// Which; the only one of the drill where none is named.
        #[serde(skip_serializing_if = "Option::is_none")]
        repository: Option<Name>,
        /// Predicates, as `q` has them: `[[at(document.type, "page")]]`.
        query: String,
        /// Language, as `lang` has it; `*` where none is named.
        lang: String,
        /// What must come.
        expect: Expected,
    },
    /// A program that ends with 0 when all is well. It is told where the restored repository answers by
    /// `PRISMVAULT_DRILL_API` (of several: `PRISMVAULT_DRILL_API_<NAME>`).
    Command {
        /// Program and arguments; no shell.
        command: Vec<String>,
        /// After which it is ended, and has failed.
        #[serde(serialize_with = "seconds")]
        timeout: Duration,
    },
}

/// What must come of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// So many documents.
    Count(u64),
    /// So many documents or more.
    AtLeast(u64),
    /// These documents by UID, in any order, and no others.
    Uids(Vec<String>),
    /// As many as the snapshot has.
    AsInSnapshot,
}

impl Expected {
    /// What it says, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Count(count) => format!("{count} documents"),
            Self::AtLeast(count) => format!("{count} documents or more"),
            Self::Uids(uids) => format!("the documents {}", uids.join(", ")),
            Self::AsInSnapshot => "as many documents as in the snapshot".to_owned(),
        }
    }

    /// Whether so many documents with these UIDs are what must come; `in_snapshot` is how many the snapshot has.
    pub fn is_met(&self, total: u64, uids: &[String], in_snapshot: Option<u64>) -> bool {
        match self {
            Self::Count(count) => total == *count,
            Self::AtLeast(count) => total >= *count,
            Self::AsInSnapshot => Some(total) == in_snapshot,
            Self::Uids(wanted) => {
                let sorted = |all: &[String]| {
                    let mut all = all.to_vec();
                    all.sort_unstable();
                    all
                };
                sorted(wanted) == sorted(uids) && total == uids.len() as u64
            }
        }
    }
}

/// A real site that is started against what was restored, and whose pages are rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Site {
    /// Program and arguments; no shell. It is told where the restored repository answers as a command check is.
    pub command: Vec<String>,
    /// Where the site answers then.
    pub url: String,
    /// Pages, as paths from there.
    pub pages: Vec<Page>,
    /// How long it may take until it answers.
    #[serde(serialize_with = "seconds")]
    pub timeout: Duration,
}

/// A page that is rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// A text that must be seen on it; any page that is not empty where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_secs_f64().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_met_by_nothing_else() {
        let uids = |all: &[&str]| all.iter().map(|uid| (*uid).to_owned()).collect::<Vec<_>>();
        let home = Expected::Uids(uids(&["home", "about"]));
        assert!(home.is_met(2, &uids(&["about", "home"]), None));
        assert!(!home.is_met(3, &uids(&["about", "home"]), None), "there is one without UID");
        assert!(!home.is_met(1, &uids(&["home"]), None));
        assert!(!home.is_met(2, &uids(&["home", "home"]), None));
        assert!(Expected::Count(2).is_met(2, &[], None) && !Expected::Count(2).is_met(3, &[], None));
        assert!(Expected::AtLeast(2).is_met(3, &[], None) && !Expected::AtLeast(2).is_met(1, &[], None));
        assert!(Expected::AsInSnapshot.is_met(3, &[], Some(3)));
        assert!(
            !Expected::AsInSnapshot.is_met(3, &[], Some(4)) && !Expected::AsInSnapshot.is_met(0, &[], None)
        );
    }
}
