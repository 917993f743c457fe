//! What changed, for people: a changelog, grouped by what it is about.
//!
//! Everything here comes from editors, so nothing is printed but through [`Text`], which escapes what
//! could steer a terminal.

use serde_json::Value;

use crate::cli::output::Page;
use crate::cli::replay::with_applied;
use crate::cli::restore::files::with_problems;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::diff::{
    AssetDiff, Change, ChangeKind, DiffReport, DocumentDiff, ItemChange, ItemDiff, ModelDiff, SideReport,
    Tally, phrases,
};

/// Characters of a value that are shown; `--json` has all of it.
const VALUE_MAX: usize = 120;
/// Characters before the first difference of two long texts that are shown with it.
const CONTEXT: usize = 24;
/// Changes of one item that are named on its line; `--fields` has all of them.
const PHRASES_MAX: usize = 8;

/// How much is shown.
#[derive(Clone, Copy)]
struct Depth {
    fields: bool,
    metadata: bool,
}

/// Renders a comparison. `fields` shows values, `metadata` what nobody edited as well.
pub(super) fn page(report: &DiffReport, fields: bool, metadata: bool) -> Page {
    let depth = Depth { fields, metadata };
    let head = format!("{}: {} → {}", report.old.repository, side(&report.old), side(&report.new));
    let mut page = Page::new().line(Text::styled(Style::Bold, head));
    if report.is_empty() {
        page = page.line("Nothing was edited.");
    }
    page = documents(page, report, depth);
    page = assets(page, &report.assets, depth);
    page = models(page, &report.models, depth);
    page = repository(page, report, depth);
    page = summary(page, report, depth);
    for side in [&report.old, &report.new] {
        page = with_applied(page, &side.applied);
    }
    for left in &report.not_compared {
        page = page.line(
            Text::styled(Style::Yellow, "not compared ")
                .and(Style::Plain, format!("{}: {}", left.subject, left.detail)),
        );
    }
    if report.values_left_out {
        page = page.line("Values of further changes are left out, because there are too many: choose with --type, --lang or --id.");
    }
    with_problems(page, &report.problems)
}

fn side(side: &SideReport) -> String {
    let at = side.at.get(..16).unwrap_or(&side.at).replace('T', " ");
    match &side.snapshot {
        Some(snapshot) => format!("{snapshot} ({at})"),
        None => format!("live ({at})"),
    }
}

fn heading(page: Page, text: impl Into<String>) -> Page {
    page.line("").line(Text::styled(Style::Bold, text.into()))
}

fn mark(what: ItemChange) -> Text {
    match what {
        ItemChange::Added => Text::styled(Style::Green, "  + "),
        ItemChange::Removed => Text::styled(Style::Red, "  - "),
        ItemChange::Changed => Text::styled(Style::Yellow, "  ~ "),
        ItemChange::Metadata => Text::styled(Style::Dim, "  · "),
    }
}

/// An item with what became of it, where it came or went.
fn named(what: ItemChange, name: &str, (added, removed): (&str, &str)) -> Text {
    let word = match what {
        ItemChange::Added => format!(" {added}"),
        ItemChange::Removed => format!(" {removed}"),
        ItemChange::Changed | ItemChange::Metadata => String::new(),
    };
    mark(what).and(Style::Bold, name).and(Style::Plain, word)
}

fn documents(mut page: Page, report: &DiffReport, depth: Depth) -> Page {
    let mut group = None;
    for document in &report.documents {
        // It is named where the document is that it translates.
        let is_told = document.translation_of.is_some() && !depth.fields;
        if is_told || (document.what == ItemChange::Metadata && !depth.metadata) {
            continue;
        }
        let own = (&document.release, &document.type_);
        if group != Some(own) {
            group = Some(own);
            let label = document.type_label.as_deref().unwrap_or(&document.type_);
            page = match &document.release {
                Some(release) => heading(page, format!("{label}, in the release {release}")),
                None => heading(page, label),
            };
        }
        page = one_document(page, document, depth);
    }
    page
}

fn one_document(page: Page, document: &DocumentDiff, depth: Depth) -> Page {
    let name = document.title.as_deref().unwrap_or(&document.id);
    let words = if document.release.is_some() { ("added", "removed") } else { ("published", "unpublished") };
    let mut what = told(&document.diff);
    for translation in &document.translations {
        let word = if translation.what == ItemChange::Added { "published" } else { "unpublished" };
        what.push(format!("{} translation {word}", translation.language_name));
    }
    if document.what == ItemChange::Metadata {
        what.push("only what the API tells of it".to_owned());
    }
    let about = format!("  {}, {}", document.language_name, document.id);
    let line = named(document.what, name, words).and(Style::Dim, about);
    lines(page, line, &what, &document.diff, depth)
}

/// Adds what changed in one item, below its name; `fields` shows values.
pub(in crate::cli) fn one_item(page: Page, name: Text, diff: &ItemDiff, fields: bool) -> Page {
    lines(page, name, &told(diff), diff, Depth { fields, metadata: false })
}

/// The changes in words, those that say the same as one.
fn told(diff: &ItemDiff) -> Vec<String> {
    let all = phrases(&diff.changes);
    let mut told: Vec<String> = all
        .iter()
        .take(PHRASES_MAX)
        .map(|(phrase, count)| if *count > 1 { format!("{phrase} ({count} times)") } else { phrase.clone() })
        .collect();
    let more = (all.len() - told.len()) as u64 + diff.more;
    if more > 0 {
        told.push(format!("{} more", counted(more, "change")));
    }
    told
}

/// Adds an item: its name, what happened in words, and where it is asked for, the values.
fn lines(page: Page, name: Text, what: &[String], diff: &ItemDiff, depth: Depth) -> Page {
    let mut page = page.line(name);
    if !what.is_empty() {
        page = page.line(format!("      {}", one_line(&what.join(", "))));
    }
    if depth.fields {
        page = diff.changes.iter().fold(page, values);
        if depth.metadata {
            page = diff.metadata.iter().fold(page, values);
        }
    }
    page
}

/// Adds a change with its values.
fn values(page: Page, change: &Change) -> Page {
    let path = Text::styled(Style::Cyan, format!("      {}", one_line(change.path())));
    let what = format!("  {}", one_line(&change.phrase()));
    let page = page
        .line(path.and(if change.what == ChangeKind::Metadata { Style::Dim } else { Style::Plain }, what));
    let text = |value: &Option<Value>| value.as_ref().map(text_of);
    let (old, new) = (text(&change.old), text(&change.new));
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => {
            let from = differs_from(&old, &new);
            (Some(cut(&old, from)), Some(cut(&new, from)))
        }
        (old, new) => (old.map(|old| cut(&old, 0)), new.map(|new| cut(&new, 0))),
    };
    let page = old
        .into_iter()
        .fold(page, |page, old| page.line(Text::styled(Style::Red, format!("        - {old}"))));
    new.into_iter().fold(page, |page, new| page.line(Text::styled(Style::Green, format!("        + {new}"))))
}

/// A value on one line.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        // Objects of content: escaped as JSON is.
        value => value.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\r', "\\r").replace('\n', "\\n")
}

/// Number of the character from which on two texts are worth showing.
fn differs_from(old: &str, new: &str) -> usize {
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    match old.chars().count().max(new.chars().count()) > VALUE_MAX {
        true => same.saturating_sub(CONTEXT),
        false => 0,
    }
}

fn cut(text: &str, from: usize) -> String {
    let mut shown: String = text.chars().skip(from).take(VALUE_MAX).collect();
    if text.chars().count() > from + VALUE_MAX {
        shown.push('…');
    }
    if from > 0 { format!("…{shown}") } else { shown }
}

fn is_shown(what: ItemChange, depth: Depth) -> bool {
    what != ItemChange::Metadata || depth.metadata
}

fn assets(mut page: Page, assets: &[AssetDiff], depth: Depth) -> Page {
    let shown: Vec<&AssetDiff> = assets.iter().filter(|one| is_shown(one.what, depth)).collect();
    if !shown.is_empty() {
        page = heading(page, "Assets");
    }
    for one in shown {
        let mut what = told(&one.diff);
        if one.file_changed {
            what.push("file changed".to_owned());
        }
        let name = one.title.as_deref().unwrap_or(&one.id);
        let line = named(one.what, name, ("added", "removed")).and(Style::Dim, format!("  {}", one.id));
        page = lines(page, line, &what, &one.diff, depth);
    }
    page
}

fn models(mut page: Page, models: &[ModelDiff], depth: Depth) -> Page {
    let shown: Vec<&ModelDiff> = models.iter().filter(|one| is_shown(one.what, depth)).collect();
    if !shown.is_empty() {
        page = heading(page, "Models");
    }
    for one in shown {
        let what = told(&one.diff);
        let sort = if one.path.starts_with("models/slices/") { "slice" } else { "custom type" };
        let name = one.title.as_deref().unwrap_or(&one.id);
        let line =
            named(one.what, name, ("added", "removed")).and(Style::Dim, format!("  {sort} {}", one.id));
        page = lines(page, line, &what, &one.diff, depth);
    }
    page
}

fn repository(mut page: Page, report: &DiffReport, depth: Depth) -> Page {
    let shown: Vec<_> = report.repository.iter().filter(|one| is_shown(one.what, depth)).collect();
    if !shown.is_empty() {
        page = heading(page, "Repository");
    }
    for one in shown {
        let what = told(&one.diff);
        page = lines(page, mark(one.what).and(Style::Bold, one.path.as_str()), &what, &one.diff, depth);
    }
    page
}

fn summary(page: Page, report: &DiffReport, depth: Depth) -> Page {
    let sums = &report.summary;
    let in_words = |tally: &Tally, noun: &str, added: &str, removed: &str| {
        let parts = [(tally.added, added), (tally.removed, removed), (tally.changed, "changed")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        (!parts.is_empty()).then(|| format!("{} ({})", counted(tally.edits(), noun), parts.join(", ")))
    };
    let all: Vec<String> = [
        in_words(&sums.documents, "document", "published", "unpublished"),
        in_words(&sums.assets, "asset", "added", "removed"),
        in_words(&sums.models, "model", "added", "removed"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut page = page;
    if !all.is_empty() {
        page = page.line("").line(format!("{}.", all.join(", ")));
    }
    let told = sums.documents.metadata;
    if told > 0 && !depth.metadata {
        page = page.line(Text::styled(
            Style::Dim,
            format!(
                "{} only in what the API tells of them (dates, copies of what they link to); -v lists them",
                match told {
                    1 => "1 more document differs".to_owned(),
                    told => format!("{told} more documents differ"),
                }
            ),
        ));
    }
    page
}
