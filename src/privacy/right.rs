//! What a person can ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A right of a data subject; one request can name several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Know what is held, and get a copy: GDPR Art. 15.
    Access,
    /// Get what one provided in a form that machines read: Art. 20.
    Portability,
    /// Have it deleted: Art. 17.
    Erasure,
    /// Have it corrected: Art. 16.
    Rectification,
    /// Have it kept and not used: Art. 18.
    Restriction,
    /// Have its use ended: Art. 21.
    Objection,
}

impl Right {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Access,
        Self::Portability,
        Self::Erasure,
        Self::Rectification,
        Self::Restriction,
        Self::Objection,
    ];

    /// Returns its name, as people type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Erasure => "erasure",
            Self::Rectification => "rectification",
            Self::Restriction => "restriction",
            Self::Objection => "objection",
        }
    }

    /// Whether what it asks for changes or removes stored data, and so is carried out by a plan that
    /// others approve.
    pub fn changes_data(self) -> bool {
        !matches!(self, Self::Access | Self::Portability)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|right| right.name() == text).ok_or_else(|| {
            "not a right: access, portability, erasure, rectification, restriction or objection".to_owned()
        })
    }
}
