//! Which differences at read-back were to be expected.
//!
//! A finding stands at a place of a document, and a difference at one too. They belong together when
//! one is at or below the other, and the difference is of a kind that the finding can cause. Where a
//! list is told as changed because one of its elements could not be matched, what went away must have
//! come again: else a whole slice could be lost for the crop of an image in it.

use std::collections::HashMap;

use super::{Finding, FindingKind};
use crate::diff::{Change, ChangeKind, FieldKind, ItemDiff};

/// Findings of documents, packed: 20,000 documents with some findings each need few MiB.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// For each document where its findings begin and end in `findings`.
    documents: HashMap<Box<str>, (u32, u32)>,
    findings: Vec<Packed>,
    /// The places of all findings, one after the other.
    places: String,
    absent: std::collections::HashSet<Box<str>>,
}

/// One finding: where its places stand in the text of all.
#[derive(Debug, Clone, Copy)]
struct Packed {
    kind: FindingKind,
    is_left_out: bool,
    start: u32,
    at: u16,
    sent_at: u16,
}

/// How two places are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// The difference is at the finding or below it.
    Within,
    /// The difference is of something that the finding is in.
    Around,
}

impl Expected {
    pub(super) fn add(&mut self, document: &str, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        let start = self.findings.len();
        for finding in findings {
            let sent_at = finding.sent_at.as_deref().unwrap_or_default();
            let length = |text: &str| u16::try_from(text.len()).ok();
            // Places are short; one that is not is in a document that is no real one.
            let (Ok(start), Some(at), Some(sent)) =
                (u32::try_from(self.places.len()), length(&finding.at), length(sent_at))
            else {
                continue;
            };
            self.places.push_str(&finding.at);
            self.places.push_str(sent_at);
            let (kind, is_left_out) = (finding.kind, finding.is_left_out);
            self.findings.push(Packed { kind, is_left_out, start, at, sent_at: sent });
        }
        let range = (u32::try_from(start), u32::try_from(self.findings.len()));
        if let (Ok(start), Ok(end)) = range {
            self.documents.insert(document.into(), (start, end));
        }
    }

    pub(super) fn add_absent(&mut self, document: &str) {
        self.absent.insert(document.into());
    }

    /// Whether a document of the snapshot could not be written, so that the target does not have it.
    pub fn is_absent(&self, document: &str) -> bool {
        self.absent.contains(document)
    }

    /// About how many bytes of memory it holds.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let of_documents = self.documents.capacity() * (size_of::<(Box<str>, (u32, u32))>() + 1)
            + self.documents.keys().map(|id| id.len()).sum::<usize>();
        of_documents + self.findings.capacity() * size_of::<Packed>() + self.places.capacity()
    }

    fn findings(&self, document: &str) -> impl Iterator<Item = (Packed, &str, &str)> {
        let (start, end) = self.documents.get(document).copied().unwrap_or_default();
        self.findings[start as usize..end as usize].iter().map(|packed| {
            let at = packed.start as usize;
            let sent_at = at + usize::from(packed.at);
            let end = sent_at + usize::from(packed.sent_at);
            (*packed, &self.places[at..sent_at], &self.places[sent_at..end])
        })
    }

    /// Returns why a difference between a document of the snapshot and the same in the target was to be
    /// expected; `None`: it is a defect. For all differences of a document at once, which is stricter,
    /// there is [`classify`](Self::classify).
    pub fn expects(&self, document: &str, change: &Change) -> Option<FindingKind> {
        self.reason(document, change).map(|(kind, _)| kind)
    }

    /// Returns the same for all differences of a document, edited ones first, then metadata. What went
    /// away from a list around a finding must have come again in another form.
    pub fn classify(&self, document: &str, diff: &ItemDiff) -> Vec<Option<FindingKind>> {
        let changes: Vec<&Change> = diff.changes.iter().chain(&diff.metadata).collect();
        let reasons: Vec<_> = changes.iter().map(|change| self.reason(document, change)).collect();
        let is_replaced = |change: &Change, relation: Relation| {
            relation == Relation::Around && !self.all_left_out(document, change)
        };
        let number = |what: ChangeKind, kind: FieldKind| {
            let found = changes.iter().zip(&reasons).filter(|(change, reason)| {
                let counts = |relation| what == ChangeKind::Added || is_replaced(change, relation);
                change.what == what && change.kind == kind && reason.is_some_and(|(_, how)| counts(how))
            });
            found.count()
        };
        changes
            .iter()
            .zip(&reasons)
            .map(|(change, reason)| {
                let (kind, relation) = (*reason)?;
                let is_element = matches!(change.what, ChangeKind::Removed | ChangeKind::Added);
                let balanced =
                    || number(ChangeKind::Removed, change.kind) == number(ChangeKind::Added, change.kind);
                let needs_other = match change.what {
                    ChangeKind::Removed => is_replaced(change, relation),
                    _ => relation == Relation::Around,
                };
                (!is_element || !needs_other || balanced()).then_some(kind)
            })
            .collect()
    }

    fn reason(&self, document: &str, change: &Change) -> Option<(FindingKind, Relation)> {
        if change.what == ChangeKind::Metadata {
            return Some((of_metadata(change), Relation::Within));
        }
        let mut around = None;
        for (finding, at, sent_at) in self.findings(document) {
            if finding.kind == FindingKind::More {
                continue;
            }
            let sent_at = if sent_at.is_empty() { at } else { sent_at };
            let old = change.old_path.as_deref().and_then(|path| relation(path, at));
            let new = change.new_path.as_deref().and_then(|path| relation(path, sent_at));
            // An element that was left out is nothing new: what is there now is the next one. What it
            // is missing from may be new, and a member may get what its model begins with.
            let is_element = sent_at.rsplit('/').next().is_some_and(|name| name.parse::<u32>().is_ok());
            let is_gone = finding.is_left_out && is_element;
            let new = new.filter(|relation| !is_gone || *relation == Relation::Around);
            // Of several links in a text, one of which is gone, any may seem to be the one.
            if finding.kind == FindingKind::Span && is_lost_link(change, at) {
                return Some((finding.kind, Relation::Within));
            }
            // Where both are known, the older place counts: what is new there may be anything.
            match if change.old_path.is_some() { old } else { new } {
                Some(Relation::Within) if finding.kind.causes(change.what) => {
                    return Some((finding.kind, Relation::Within));
                }
                Some(Relation::Around) if finding.kind.causes_around(change.what) => {
                    around.get_or_insert((finding.kind, Relation::Around));
                }
                _ => {}
            }
        }
        around
    }

    /// Whether a list is gone because each of its elements was left out.
    fn all_left_out(&self, document: &str, change: &Change) -> bool {
        let (Some(path), Some(value)) = (&change.old_path, &change.old) else { return false };
        let Some(elements) = value.as_array() else {
            // A link of which only its text was left is gone with that.
            let is_link = change.kind == FieldKind::Link;
            let is_last = |at: &str| at == path || (is_link && relation(at, path).is_some());
            return self.findings(document).any(|(finding, at, _)| finding.is_left_out && is_last(at));
        };
        (0..elements.len()).all(|number| {
            let place = format!("{path}/{number}");
            self.findings(document).any(|(finding, at, _)| finding.is_left_out && at == place)
        })
    }
}

/// How the place of a difference is to that of a finding.
fn relation(difference: &str, finding: &str) -> Option<Relation> {
    let is_below = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match () {
        () if is_below(difference, finding) => Some(Relation::Within),
        () if is_below(finding, difference) => Some(Relation::Around),
        () => None,
    }
}

/// Whether a difference is a link that is gone from the text whose mark at `at` was left out.
fn is_lost_link(change: &Change, at: &str) -> bool {
    let (Some(path), Some((spans, _))) = (&change.old_path, at.rsplit_once('/')) else { return false };
    let is_lost = change.what == ChangeKind::LinkChanged && change.new_path.is_none();
    is_lost && relation(path, spans) == Some(Relation::Within)
}

fn of_metadata(change: &Change) -> FindingKind {
    match change.path() {
        "/first_publication_date" | "/last_publication_date" => FindingKind::PublicationDates,
        _ if change.kind == FieldKind::Embed => FindingKind::Embed,
        _ => FindingKind::Derived,
    }
}

impl FindingKind {
    /// Whether the target has something else, or nothing, where this was found.
    pub fn differs_at_read_back(self) -> bool {
        !matches!(
            self,
            Self::OldFileAddress
                | Self::Drafts
                | Self::EditorTitles
                | Self::AuthorsAndHistory
                | Self::Webhooks
                | Self::Members
                | Self::Tokens
                | Self::PreviewSettings
        )
    }

    /// Whether it can be the reason for a difference at its place, or below.
    fn causes(self, what: ChangeKind) -> bool {
        match self {
            Self::Crop => what == ChangeKind::CropChanged,
            Self::Embed | Self::OldFileAddress => false,
            Self::Integration => what == ChangeKind::Changed,
            Self::BrokenLink | Self::LinkToAbsent => what == ChangeKind::LinkChanged,
            Self::LinkOption => what == ChangeKind::LinkOptionsChanged,
            Self::AssetByAddress => {
                matches!(what, ChangeKind::Replaced | ChangeKind::LinkChanged | ChangeKind::CropChanged)
            }
            Self::UidMade => matches!(what, ChangeKind::Changed | ChangeKind::Added),
            _ => true,
        }
    }

    /// Whether it can be the reason for a difference of something that it is in: an element of a list
    /// that was not recognised, a value that looks like one of another kind now, text whose marks
    /// differ, an image of which another part is shown.
    fn causes_around(self, what: ChangeKind) -> bool {
        let is_whole = matches!(what, ChangeKind::Added | ChangeKind::Removed | ChangeKind::Changed);
        match self {
            Self::Embed | Self::OldFileAddress => false,
            Self::Span => is_whole || what == ChangeKind::FormattingChanged,
            Self::WrongKind | Self::Repaired => {
                is_whole || matches!(what, ChangeKind::FormattingChanged | ChangeKind::CropChanged)
            }
            _ => is_whole,
        }
    }
}
