//! What Prismic cannot take back for one snapshot: counted, said for people, and expected at read-back.
//!
//! Before a restore this is a report and a checklist; after it, it tells the differences that were to
//! be expected from defects. Both must be the same list, or one of them is a promise that nobody keeps.
//!
//! **Invariants.** Ids and pointers only, never values. Of each kind some examples are kept; what is
//! needed to expect differences is kept for each document, in some tens of bytes for each finding: the
//! places are texts in one piece. Equal input gives an equal report.
//!
//! **Crash.** Nothing is kept anywhere.

mod expected;
mod report;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::expected::Expected;
pub use self::report::{FidelityReport, KindReport};
use super::convert::{Converted, Unconvertible};
pub use super::convert::{Finding, FindingKind};
use crate::prismic::write::{ASSET_BYTES_MAX, ASSET_TAG_CHARS_MAX, ASSET_TEXT_CHARS_MAX};

/// Examples of each kind that are kept.
const EXAMPLES_MAX: usize = 10;

/// Where something was found, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Id in the snapshot: of a document, or of an asset.
    pub id: String,
    /// JSON pointer in a document.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
}

/// What the media library of a snapshot says of a file, as far as it may not come back.
#[derive(Debug, Clone, Copy, Default)]
pub struct AssetFacts<'a> {
    /// Size of the file.
    pub bytes: u64,
    /// Whether the snapshot has its bytes.
    pub has_bytes: bool,
    /// Description, notes and credits, those that there are.
    pub texts: &'a [&'a str],
    /// Names of its tags.
    pub tags: &'a [&'a str],
}

/// Why a file cannot be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUploadable(
    /// [`AssetTooLarge`](FindingKind::AssetTooLarge) or [`AssetMissing`](FindingKind::AssetMissing).
    pub FindingKind,
);

#[derive(Debug, Clone, Default)]
struct Counted {
    count: u64,
    /// Documents or assets that it was found in.
    items: u64,
    examples: Vec<Example>,
}

/// Gathers what a restore cannot bring back.
#[derive(Debug, Clone, Default)]
pub struct Fidelity {
    kinds: BTreeMap<FindingKind, Counted>,
    documents: u64,
    assets: u64,
    expected: Expected,
}

impl Fidelity {
    /// Takes a document in: the id that the snapshot knows it by, and what became of it.
    pub fn add_document(&mut self, id: &str, converted: &Converted) {
        self.documents += 1;
        let mut last: Option<FindingKind> = None;
        let mut seen: Vec<FindingKind> = Vec::new();
        for finding in &converted.findings {
            let is_first = last != Some(finding.kind) && !seen.contains(&finding.kind);
            if is_first {
                seen.push(finding.kind);
            }
            last = Some(finding.kind);
            self.count(finding.kind, is_first, id, &finding.at);
        }
        self.expected.add(id, &converted.findings);
    }

    /// Takes a document in that cannot be written.
    pub fn add_unconvertible(&mut self, id: &str, why: &Unconvertible) {
        self.documents += 1;
        let kind = match why {
            Unconvertible::NoType(_) | Unconvertible::DisabledType(_) => FindingKind::TypeNotInModel,
            Unconvertible::Without(_) => FindingKind::WrongKind,
        };
        self.count(kind, true, id, "");
        self.expected.add_absent(id);
    }

    /// Takes a file in; returns why it cannot be uploaded, if so.
    pub fn add_asset(&mut self, id: &str, asset: AssetFacts<'_>) -> Option<NotUploadable> {
        self.assets += 1;
        if asset.texts.iter().any(|text| text.chars().count() > ASSET_TEXT_CHARS_MAX) {
            self.count(FindingKind::AssetTextTooLong, true, id, "");
        }
        if asset.tags.iter().any(|tag| tag.chars().count() > ASSET_TAG_CHARS_MAX) {
            self.count(FindingKind::TagTooLong, true, id, "");
        }
        let kind = match asset {
            AssetFacts { has_bytes: false, .. } => FindingKind::AssetMissing,
            AssetFacts { bytes, .. } if bytes > ASSET_BYTES_MAX => FindingKind::AssetTooLarge,
            _ => return None,
        };
        self.count(kind, true, id, "");
        Some(NotUploadable(kind))
    }

    /// Takes in what the snapshot knows and no API makes: releases, and those of them with a schedule.
    pub fn add_releases(&mut self, releases: u64, scheduled: u64) {
        for (kind, count) in [(FindingKind::Releases, releases), (FindingKind::Schedules, scheduled)] {
            self.kinds.entry(kind).or_default().count += count;
        }
    }

    fn count(&mut self, kind: FindingKind, is_first: bool, id: &str, at: &str) {
        let counted = self.kinds.entry(kind).or_default();
        counted.count += 1;
        counted.items += u64::from(is_first);
        if counted.examples.len() < EXAMPLES_MAX && is_first {
            counted.examples.push(Example { id: id.to_owned(), at: at.to_owned() });
        }
    }

    /// Returns what is to be expected at read-back.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Returns the report: what cannot come back and is there, by weight; then what every restore
    /// leaves to people.
    pub fn report(&self) -> FidelityReport {
        report::of(self)
    }
}
