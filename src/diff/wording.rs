//! Changes in words, as a changelog has them.

use super::change::{Change, ChangeKind, FieldKind, Step};

/// What separates the steps to a value.
const ARROW: &str = " › ";

impl Change {
    /// Returns where it is, in words: `Body › slice "Quote" › Author`. Empty for the item as a whole.
    pub fn place(&self) -> String {
        place(&self.trail)
    }

    /// Returns the change in a few words: `Title changed`, `Body › slice "Quote" added`. Those of one
    /// field may have the same words.
    pub fn phrase(&self) -> String {
        let last_is_number = matches!(self.trail.last(), Some(Step::Row { .. } | Step::Cell { .. }));
        // Which paragraph or row it is stands in the path.
        let trail = &self.trail[..self.trail.len() - usize::from(last_is_number)];
        let place = place(trail);
        let (colon, subject) = match place.is_empty() {
            true => (String::new(), "the whole".to_owned()),
            false => (format!("{place}: "), place),
        };
        let element = match self.kind {
            _ if !last_is_number => None,
            FieldKind::TextBlock => Some("paragraph"),
            FieldKind::Image => Some("image"),
            FieldKind::Embed => Some("embed"),
            FieldKind::Link => Some("link"),
            FieldKind::TableCell => Some("cell"),
            _ => Some("row"),
        };
        let field = if self.kind == FieldKind::ModelField { "field " } else { "" };
        let variation = if self.kind == FieldKind::Variation { "variation " } else { "" };
        match (self.what, element) {
            (ChangeKind::Added, Some(element)) => format!("{colon}{element} added"),
            (ChangeKind::Removed, Some(element)) => format!("{colon}{element} removed"),
            (ChangeKind::Moved, Some(element)) => format!("{colon}{element} moved"),
            (ChangeKind::Replaced, Some(element)) => format!("{colon}{element} replaced"),
            (ChangeKind::Added, None) => format!("{field}{variation}{subject} added"),
            (ChangeKind::Removed, None) => format!("{field}{variation}{subject} removed"),
            (ChangeKind::Moved, None) => format!("{field}{subject} moved"),
            (ChangeKind::Replaced, None) if self.kind == FieldKind::Link => format!("{colon}file replaced"),
            (ChangeKind::Replaced, None) => format!("{subject} replaced"),
            (ChangeKind::TextChanged, _) if self.kind == FieldKind::RichText => format!("{subject} changed"),
            (ChangeKind::Changed, _) if self.kind == FieldKind::ModelField => {
                format!("field {subject}: settings changed")
            }
            (ChangeKind::Changed, _) => format!("{subject} changed"),
            (what, _) => format!("{colon}{}", words(what)),
        }
    }
}

fn words(what: ChangeKind) -> &'static str {
    match what {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Moved => "moved",
        ChangeKind::Changed => "changed",
        ChangeKind::TextChanged => "text changed",
        ChangeKind::FormattingChanged => "formatting changed",
        ChangeKind::LinkChanged => "link changed",
        ChangeKind::LinkTextChanged => "text of the link changed",
        ChangeKind::LinkOptionsChanged => "way the link opens changed",
        ChangeKind::Replaced => "replaced",
        ChangeKind::CropChanged => "crop changed",
        ChangeKind::AltTextChanged => "alt text changed",
        ChangeKind::CopyrightChanged => "credits changed",
        ChangeKind::VariationChanged => "variation changed",
        ChangeKind::Metadata => "metadata",
    }
}

fn place(trail: &[Step]) -> String {
    let steps: Vec<String> = trail.iter().filter_map(step).collect();
    steps.join(ARROW)
}

fn step(step: &Step) -> Option<String> {
    Some(match step {
        Step::Field { id, label } => label.as_ref().unwrap_or(id).clone(),
        Step::Slice { slice_type, label, .. } => {
            format!("slice \"{}\"", label.as_ref().unwrap_or(slice_type))
        }
        Step::Row { number } => format!("{number}"),
        Step::Cell { number } => format!("cell {number}"),
        Step::Thumbnail { name } => format!("crop \"{name}\""),
    })
}

/// Returns the changes in words, each once, in their order, with how often it is meant.
pub fn phrases(changes: &[Change]) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for phrase in changes.iter().map(Change::phrase) {
        match places.get(&phrase) {
            Some(at) => found[*at].1 += 1,
            None => {
                places.insert(phrase.clone(), found.len());
                found.push((phrase, 1));
            }
        }
    }
    found
}
