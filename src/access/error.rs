//! Why a list of members is refused.

use std::fmt;

/// Where a mistake is; never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MistakeAt {
    /// The file as a whole.
    File,
    /// A line, counted from 1.
    Line(u64),
}

impl fmt::Display for MistakeAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// A list that is refused, at its first mistake. Holds nothing of what the file says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct MistakenList {
    /// Where.
    pub at: MistakeAt,
    /// What is wrong, in words.
    pub why: String,
}

impl MistakenList {
    pub(super) fn file(why: impl Into<String>) -> Self {
        Self { at: MistakeAt::File, why: why.into() }
    }

    pub(super) fn line(line: u64, why: impl Into<String>) -> Self {
        Self { at: MistakeAt::Line(line), why: why.into() }
    }
}
