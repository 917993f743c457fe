//! The way back to service, gate by gate: nothing that was restored is trusted before somebody says so.
//!
//! After NIST SP 800-34 (reconstitution), NIST CSF 2.0 RC.RP-05 and RC.RP-06, and DORA Art. 12(7). A gate is
//! passed when all before it are, and its criterion is met. The first four a machine can decide by what it saw;
//! the last three are people's: no program can accept content on behalf of its owner.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A gate, in the order in which they are passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// What was restored is apart from what the public sees.
    Quarantine,
    /// It is what the snapshot holds, by hashes and field by field.
    Integrity,
    /// What orders of erasure took away is not there again.
    Privacy,
    /// Queries, pages and commands answer as they should.
    Functional,
    /// Who owns the content says that it is theirs.
    Acceptance,
    /// A part of the public sees it.
    Limited,
    /// It is over: everybody sees it.
    Declared,
}

impl Gate {
    /// All, in order.
    pub const ALL: [Self; 7] = [
        Self::Quarantine,
        Self::Integrity,
        Self::Privacy,
        Self::Functional,
        Self::Acceptance,
        Self::Limited,
        Self::Declared,
    ];

    /// Its name, as people type it and files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
            Self::Functional => "functional",
            Self::Acceptance => "acceptance",
            Self::Limited => "limited",
            Self::Declared => "declared",
        }
    }

    /// What must be true for it to be passed.
    pub fn criterion(self) -> &'static str {
        match self {
            Self::Quarantine => "what was restored is apart from what the public sees",
            Self::Integrity => "everything restored is what the snapshot holds, by hashes and field by field",
            Self::Privacy => "what orders took away is not there again, and the resurrection test passed",
            Self::Functional => "every check, query, page and command answered as the plan expects",
            Self::Acceptance => "the owner of the content looked at it and accepts it",
            Self::Limited => "a part of the public is served from it, and nothing is wrong",
            Self::Declared => "everybody is served from it, and the recovery is declared to be over",
        }
    }

    /// Whether a machine can decide it by what it saw.
    pub fn is_for_machines(self) -> bool {
        self < Self::Acceptance
    }

    /// The gate before it; `None` for the first.
    pub fn before(self) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|gate| *gate < self)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|gate| gate.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("not a gate: {}", names.join(", "))
        })
    }
}

/// What somebody, or the machine, decided at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// On to the next.
    Go,
    /// Stop.
    NoGo,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::NoGo => "no-go",
        }
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "go" => Ok(Self::Go),
            "no-go" => Ok(Self::NoGo),
            _ => Err("a decision is go or no-go".to_owned()),
        }
    }
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A gate before it is not passed.
    NotReached,
    /// It waits for a decision.
    Waits,
    /// It is passed.
    Passed,
    /// Somebody, or the machine, said no.
    Stopped,
}

/// Where every gate stands, given what was decided at each: the last decision counts, and nothing behind a gate
/// that is not passed does.
pub fn standings(decided: impl Fn(Gate) -> Option<Verdict>) -> [(Gate, Standing); 7] {
    let mut is_open = true;
    Gate::ALL.map(|gate| {
        let standing = match (is_open, decided(gate)) {
            (false, _) => Standing::NotReached,
            (true, Some(Verdict::Go)) => Standing::Passed,
            (true, Some(Verdict::NoGo)) => Standing::Stopped,
            (true, None) => Standing::Waits,
        };
        is_open = standing == Standing::Passed;
        (gate, standing)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_passed_one_after_the_other() {
        let decided = |upto: Gate, no: Option<Gate>| {
            standings(move |gate| match no {
                Some(no) if no == gate => Some(Verdict::NoGo),
                _ => (gate <= upto).then_some(Verdict::Go),
            })
        };
        let of = |all: [(Gate, Standing); 7]| all.map(|(_, standing)| standing);
        use Standing::{NotReached, Passed, Stopped, Waits};
        assert_eq!(
            of(decided(Gate::Functional, None)),
            [Passed, Passed, Passed, Passed, Waits, NotReached, NotReached]
        );
        // A no stops all behind it, whatever was said there.
        assert_eq!(
            of(decided(Gate::Declared, Some(Gate::Privacy))),
            [Passed, Passed, Stopped, NotReached, NotReached, NotReached, NotReached]
        );
        assert_eq!(of(decided(Gate::Declared, None)), [Passed; 7]);
        assert_eq!(of(standings(|_| None))[0], Waits);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for gate in Gate::ALL {
            assert_eq!(gate.name().parse(), Ok(gate));
            assert_eq!(serde_json::to_value(gate).unwrap(), gate.name());
        }
        assert!("go".parse::<Gate>().is_err() && "no".parse::<Verdict>().is_err());
        assert_eq!((Gate::Quarantine.before(), Gate::Limited.before()), (None, Some(Gate::Acceptance)));
        assert!(Gate::Functional.is_for_machines() && !Gate::Acceptance.is_for_machines());
    }
}
