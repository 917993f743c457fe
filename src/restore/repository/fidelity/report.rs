//! The report before a restore.

use serde::Serialize;

use super::{Counted, Example, Fidelity, FindingKind};

/// What cannot come back, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KindReport {
    /// Its kind.
    pub kind: FindingKind,
    /// What people call it.
    pub label: &'static str,
    /// What to do about it.
    pub what_to_do: &'static str,
    /// How often; `None` for what a snapshot cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// In how many documents or assets, where it is found in such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// Whether the target has less or something else for it, so that a read-back sees it.
    pub differs_at_read_back: bool,
    /// The first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// What Prismic cannot take back for one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FidelityReport {
    /// Documents that were looked at.
    pub documents: u64,
    /// Assets that were looked at.
    pub assets: u64,
    /// What was found in this snapshot, content first.
    pub found: Vec<KindReport>,
    /// What is true of every restore, or of what no snapshot can have: a checklist.
    pub always: Vec<KindReport>,
}

/// What is true of every restore, and whether documents or assets are counted for it.
const ALWAYS: [(FindingKind, Whose); 13] = [
    (FindingKind::DocumentIds, Whose::Documents),
    (FindingKind::AssetIds, Whose::Assets),
    (FindingKind::PublicationDates, Whose::Documents),
    (FindingKind::EditorTitles, Whose::Documents),
    (FindingKind::Derived, Whose::Documents),
    (FindingKind::Uploader, Whose::Assets),
    (FindingKind::AssetDates, Whose::Assets),
    (FindingKind::AuthorsAndHistory, Whose::Nobody),
    (FindingKind::Drafts, Whose::Nobody),
    (FindingKind::Webhooks, Whose::Nobody),
    (FindingKind::Members, Whose::Nobody),
    (FindingKind::Tokens, Whose::Nobody),
    (FindingKind::PreviewSettings, Whose::Nobody),
];

enum Whose {
    Documents,
    Assets,
    Nobody,
}

pub(super) fn of(fidelity: &Fidelity) -> FidelityReport {
    let entry =
        |kind: FindingKind, count: Option<u64>, items: Option<u64>, examples: Vec<Example>| KindReport {
            kind,
            label: kind.label(),
            what_to_do: kind.what_to_do(),
            count,
            items,
            differs_at_read_back: kind.differs_at_read_back(),
            examples,
        };
    let found = fidelity.kinds.iter().filter(|(_, counted)| counted.count > 0);
    let found = found.map(|(kind, Counted { count, items, examples })| {
        entry(*kind, Some(*count), Some(*items).filter(|items| *items > 0), examples.clone())
    });
    let always = ALWAYS.iter().map(|(kind, whose)| {
        let count = match whose {
            Whose::Documents => Some(fidelity.documents),
            Whose::Assets => Some(fidelity.assets),
            Whose::Nobody => None,
        };
        entry(*kind, count, None, Vec::new())
    });
    FidelityReport {
        documents: fidelity.documents,
        assets: fidelity.assets,
        found: found.collect(),
        always: always.collect(),
    }
}
