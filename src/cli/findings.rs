//! What verification found, for people: a line a replica, damage in groups, what is lost.
//!
//! A disk that lost a directory damages thousands of objects at once. Whoever looks at that needs
//! the numbers, a few examples, and what it means for the snapshots; `-v` and `--json` list all.

use std::collections::{BTreeMap, BTreeSet};

use super::output::Page;
use super::text::{Style, Table, Text};
use super::units::counted;
use crate::verification::{AffectedSnapshot, Damage, DamageKind, VerifyReport};

/// Examples shown of each group.
const SHOWN: usize = 10;

/// Paths shown of each snapshot that is affected.
const PATHS_SHOWN: usize = 5;

/// How much of each group is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// The first few.
    Some,
    /// Everything.
    All,
}

impl Detail {
    /// Returns what `-v` means here.
    pub(super) fn of(verbose: bool) -> Self {
        if verbose { Self::All } else { Self::Some }
    }

    fn shown(self, few: usize) -> usize {
        if self == Self::All { usize::MAX } else { few }
    }
}

/// Adds lines, the first few of them; what is left out is counted.
pub(super) fn with_some(
    mut page: Page,
    lines: impl IntoIterator<Item = impl Into<Text>>,
    detail: Detail,
) -> Page {
    let mut lines = lines.into_iter();
    for line in lines.by_ref().take(detail.shown(SHOWN)) {
        page = page.line(line);
    }
    match lines.count() {
        0 => page,
        more => page
            .line(Text::styled(Style::Dim, format!("  … and {more} more; -v shows all, --json lists all"))),
    }
}

/// A table with a line a replica: how deep, how much, and what of it is not good.
pub(super) fn replicas(report: &VerifyReport) -> Table {
    let mut table = Table::new(["replica", "level", "objects", "good", "damaged", "missing", "behind"])
        .right(&["objects", "good", "damaged", "missing", "behind"]);
    let levels: BTreeMap<&str, String> = report
        .levels
        .iter()
        .map(|(name, level)| (name.as_str(), format!("{level:?}").to_lowercase()))
        .collect();
    let names: BTreeSet<&str> = report
        .objects_by_replica
        .keys()
        .map(String::as_str)
        .chain(levels.keys().copied())
        .chain(report.damage.iter().map(|damage| damage.replica.as_str()).filter(|name| !name.is_empty()))
        .collect();
    for name in names {
        let own = || report.damage.iter().filter(|damage| damage.replica == name);
        let of = |kinds: &[DamageKind]| {
            let keys: BTreeSet<_> =
                own().filter(|damage| kinds.contains(&damage.kind)).map(|damage| &damage.key).collect();
            keys.len()
        };
        let bad: BTreeSet<_> = own().map(|damage| &damage.key).collect();
        let objects = report.objects_by_replica.get(name).copied().unwrap_or(0);
        let unreadable = own().any(|damage| damage.kind == DamageKind::Unreadable && damage.key.is_empty());
        let level = match levels.get(name) {
            _ if unreadable => "not read".to_owned(),
            Some(level) => level.clone(),
            None => "-".to_owned(),
        };
        let number = |count: usize, style: Style| match count {
            0 => Text::from("0"),
            count => Text::styled(style, count.to_string()),
        };
        let damaged = of(&[
            DamageKind::WrongSize,
            DamageKind::Damaged,
            DamageKind::NotAuthentic,
            DamageKind::Content,
            DamageKind::Unreadable,
        ]);
        table.row([
            name.into(),
            level.into(),
            objects.to_string().into(),
            objects.saturating_sub(bad.len() as u64).to_string().into(),
            number(damaged, Style::Red),
            number(of(&[DamageKind::Missing]), Style::Red),
            number(of(&[DamageKind::Behind, DamageKind::Hidden]), Style::Yellow),
        ]);
    }
    table
}

/// The word for a kind of damage, as in `--json`.
fn word(kind: DamageKind) -> String {
    let value = serde_json::to_value(kind).ok();
    value.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Adds damage in groups by replica and kind.
pub(super) fn with_damage(mut page: Page, damage: &[Damage], detail: Detail) -> Page {
    let mut groups: BTreeMap<(&str, DamageKind), Vec<&Damage>> = BTreeMap::new();
    for damage in damage {
        groups.entry((damage.replica.as_str(), damage.kind)).or_default().push(damage);
    }
    for ((replica, kind), damage) in groups {
        let style = if kind.is_integrity() { Style::Red } else { Style::Yellow };
        let place = if replica.is_empty() { String::new() } else { format!(" on {replica}") };
        page = page.line(
            Text::styled(style, word(kind))
                .and(Style::Plain, format!("{place}: {}", counted(damage.len() as u64, "thing"))),
        );
        let lines = damage.iter().map(|damage| match damage.key.as_str() {
            "" => format!("  {}", damage.detail),
            key => format!("  {key}: {}", damage.detail),
        });
        page = with_some(page, lines, detail);
    }
    page
}

/// Adds what has no good copy anywhere, which snapshots that affects, and what to do.
pub(super) fn with_losses(mut page: Page, report: &VerifyReport, detail: Detail) -> Page {
    if report.lost.is_empty() && report.affected.is_empty() {
        return page;
    }
    page = page.line("");
    if !report.lost.is_empty() {
        page = page.line(Text::styled(
            Style::Red,
            format!("no good copy is left of {}", counted(report.lost.len() as u64, "object")),
        ));
        page = with_some(page, report.lost.iter().map(|key| format!("  {key}")), detail);
    }
    if !report.affected.is_empty() {
        page = page.line(Text::styled(
            Style::Red,
            format!("{} cannot be restored whole", counted(report.affected.len() as u64, "snapshot")),
        ));
        page = with_some(page, report.affected.iter().map(|one| affected_line(one, detail)), detail);
    }
    let unread: Vec<&str> = report
        .damage
        .iter()
        .filter(|damage| damage.kind == DamageKind::Unreadable && damage.key.is_empty())
        .map(|damage| damage.replica.as_str())
        .collect();
    if !unread.is_empty() {
        return page.line(format!(
            "next: bring back {}, which could not be read and may hold good copies, and verify again",
            unread.join(", ")
        ));
    }
    let damaged_bytes = report.damage.iter().any(|damage| {
        matches!(damage.kind, DamageKind::Damaged | DamageKind::NotAuthentic)
            && report.lost.contains(&damage.key)
    });
    if damaged_bytes {
        page = page.line(
            "next: move the damaged objects named above out of the replicas (a copy kept elsewhere may hold good ones),",
        );
        page.line("  then a new `prismvault snapshot` stores again what Prismic still has")
    } else {
        page.line("next: look for the lost objects in any copy of a replica kept elsewhere; a new `prismvault snapshot`")
            .line("  stores again what Prismic still has")
    }
}

fn affected_line(affected: &AffectedSnapshot, detail: Detail) -> String {
    let AffectedSnapshot { repository, snapshot, catalog_lost, items, paths } = affected;
    if *catalog_lost {
        return format!("  {snapshot} of {repository}: its catalog is lost");
    }
    let shown: Vec<&str> = paths.iter().map(String::as_str).take(detail.shown(PATHS_SHOWN)).collect();
    let more = match paths.len() - shown.len() {
        0 => String::new(),
        more => format!(", … and {more} more"),
    };
    let names = if shown.is_empty() { "pages of its catalog".to_owned() } else { shown.join(", ") };
    format!("  {snapshot} of {repository}: {} ({names}{more})", counted(*items, "item"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verification::Level;

    fn damage(kind: DamageKind, replica: &str, number: usize) -> Damage {
        let key = format!("packs/blog/{number:04}");
        Damage { kind, replica: replica.to_owned(), key, detail: "it is not good".to_owned() }
    }

    fn report() -> VerifyReport {
        let mut damage_found: Vec<_> =
            (0..222).map(|number| damage(DamageKind::Missing, "office", number)).collect();
        damage_found.push(damage(DamageKind::Damaged, "frankfurt", 7));
        damage_found.push(damage(DamageKind::Behind, "frankfurt", 900));
        let mut report = VerifyReport::default();
        report.levels = vec![("frankfurt".to_owned(), Level::Stored), ("office".to_owned(), Level::Bytes)];
        report.snapshots = 2;
        report.objects = 600;
        report.objects_by_replica = [("frankfurt".to_owned(), 300), ("office".to_owned(), 300)].into();
        report.damage = damage_found;
        report.lost = vec!["packs/blog/0007".to_owned()];
        report.affected = vec![AffectedSnapshot {
            repository: "blog".parse().unwrap(),
            snapshot: crate::ids::SnapshotId::new("2026-11-21T02:00:00Z".parse().unwrap()),
            catalog_lost: false,
            items: 7,
            paths: (0..7).map(|number| format!("documents/en-us/page/{number}.json")).collect(),
        }];
        report
    }

    #[test]
    fn every_replica_has_a_line_with_its_numbers() {
        let table = replicas(&report()).render(false, None);
        let expected = "replica    level   objects  good  damaged  missing  behind\n\
                        frankfurt  stored      300   298        1        0       1\n\
                        office     bytes       300    78        0      222       0\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn damage_is_grouped_and_only_examples_are_shown_unless_all_is_asked_for() {
        let report = report();
        let text = with_damage(Page::new(), &report.damage, Detail::Some).render(false, None);
        assert!(
            text.contains("missing on office: 222 things\n  packs/blog/0000: it is not good\n"),
            "{text}"
        );
        assert!(text.contains("  … and 212 more; -v shows all, --json lists all\n"), "{text}");
        assert!(text.contains("damaged on frankfurt: 1 thing\n"), "{text}");
        assert_eq!(text.lines().count(), 3 + 10 + 1 + 2, "{text}");
        let all = with_damage(Page::new(), &report.damage, Detail::All).render(false, None);
        assert_eq!(all.lines().count(), 3 + 224, "{all}");
    }

    #[test]
    fn a_loss_names_the_snapshots_and_the_next_step() {
        let text = with_losses(Page::new(), &report(), Detail::Some).render(false, None);
        assert!(text.contains("no good copy is left of 1 object\n  packs/blog/0007\n"), "{text}");
        assert!(text.contains("1 snapshot cannot be restored whole\n"), "{text}");
        assert!(text.contains("of blog: 7 items (documents/en-us/page/0.json, "), "{text}");
        assert!(text.contains("page/4.json, … and 2 more)\n"), "{text}");
        assert!(text.contains("`prismvault snapshot`"), "{text}");
        assert_eq!(with_losses(Page::new(), &VerifyReport::default(), Detail::Some).render(false, None), "");
    }
}
