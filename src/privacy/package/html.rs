//! The pages for people: one file each, nothing loaded from anywhere, no scripts.
//!
//! What stands in a repository may be hostile: every text is escaped, lies in an element of its own whose
//! direction follows the text, and the policy of the page forbids everything but its own style.

use std::fmt::Write as _;

use super::portability::Basis;
use super::records::{Key, Seen};
use super::texts::{Section, Texts, fill, word};
use super::{NotCopied, Package};
use crate::markup::{Page, escaped};
use crate::privacy::passage::Reason;
use crate::privacy::processing::Controller;
use crate::privacy::right::Right;

/// Entries on one page: more take browsers long to lay out.
pub(super) const RECORDS_A_PAGE: usize = 500;

/// Name of a page with entries, from 1; used where there is more than one.
fn page_name(page: usize) -> String {
    format!("data-{page:04}.html")
}

/// The pages of a package: their names and bytes, `index.html` first.
pub(super) fn pages(package: &Package, texts: &Texts, files: &[&str]) -> Vec<(String, Vec<u8>)> {
    let count = package.records.all.len();
    let pages = count.div_ceil(RECORDS_A_PAGE);
    let mut out = vec![("index.html".to_owned(), index(package, texts, pages, files))];
    if pages > 1 {
        let all: Vec<(usize, &Key, &Seen)> = package.numbered().collect();
        for (number, part) in (1..).zip(all.chunks(RECORDS_A_PAGE)) {
            out.push((page_name(number), data_page(package, texts, (number, pages), part)));
        }
    }
    out
}

/// The parts of the first page: their anchors and headings.
fn parts<'t>(package: &Package, texts: &'t Texts) -> Vec<(&'static str, &'t str)> {
    let (say, is_access) = (&texts.page, package.right == Right::Access);
    let all: [(bool, &str, &str); 10] = [
        (true, "controller", &say.controller),
        (is_access, "article15", &say.article15),
        (package.scope.is_some(), "scope", &say.scope),
        (true, "data", &say.data),
        (!package.files.is_empty(), "copies", &say.copies),
        (hidden(package) > 0, "others", &say.others),
        (is_access, "limits", &say.limits),
        (is_access, "beyond", &say.beyond),
        (package.has_members(), "prismic", &texts.prismic.heading),
        (true, "package", &say.package),
    ];
    all.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, id, heading)| (id, heading)).collect()
}

/// Entries in which something is hidden.
fn hidden(package: &Package) -> usize {
    package.records.all.values().filter(|seen| seen.is_hidden).count()
}

fn index(package: &Package, texts: &Texts, pages: usize, files: &[&str]) -> Vec<u8> {
    let (say, is_access) = (&texts.page, package.right == Right::Access);
    let title = if is_access { &say.title_access } else { &say.title_portability };
    let mut page = Page::new(package.language.code(), &format!("{title} – {}", package.case));
    page.paragraph(if is_access { &say.intro_access } else { &say.intro_portability });
    let parts = parts(package, texts);
    let _ = writeln!(page.html, "<nav aria-label=\"{}\">\n<ul>", escaped(&say.contents));
    for (id, heading) in &parts {
        let _ = writeln!(page.html, "<li><a href=\"#{id}\">{}</a></li>", escaped(heading));
    }
    page.html.push_str("</ul>\n</nav>\n");
    for (id, heading) in parts {
        page.heading(2, id, heading);
        match id {
            "controller" => controller(&mut page, &package.processing.controller),
            "article15" => article15(&mut page, package, texts),
            "scope" => scope(&mut page, package, texts),
            "data" => data(&mut page, package, texts, pages),
            "copies" => copies(&mut page, package, texts),
            "others" => {
                let count = hidden(package).to_string();
                page.paragraph(&fill(&say.others_text, &[("hidden", &count)]));
            }
            "limits" => limits(&mut page, package, texts),
            "beyond" => {
                let beyond = package.coverage.beyond.iter();
                page.list(beyond.map(|one| word(&texts.beyond, one).to_owned()));
            }
            "prismic" => page.paragraph(&texts.prismic.text),
            _ => contents(&mut page, texts, files),
        }
    }
    page.finish()
}

fn article15(page: &mut Page, package: &Package, texts: &Texts) {
    for (entry, text) in &package.processing.entries {
        let heading = format!("{} (Art. {})", texts.article15(*entry), entry.article());
        page.heading(3, entry.key(), &heading);
        text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| page.paragraph(line));
    }
}

/// The entries, or where they are.
fn data(page: &mut Page, package: &Package, texts: &Texts, pages: usize) {
    searched(page, package, texts);
    if package.records.all.is_empty() && package.right == Right::Access {
        page.paragraph(&texts.page.nothing_found);
    }
    if pages <= 1 {
        records(page, package, texts, &package.numbered().collect::<Vec<_>>(), 3);
        return;
    }
    page.paragraph(&fill(&texts.page.pages, &[("pages", &pages.to_string())]));
    page.html.push_str("<ul>\n");
    for number in 1..=pages {
        let words = page_of(texts, number, pages);
        let name = page_name(number);
        let _ = writeln!(page.html, "<li><a href=\"{name}\">{words}</a></li>");
    }
    page.html.push_str("</ul>\n");
}

/// What the files of the package are.
fn contents(page: &mut Page, texts: &Texts, files: &[&str]) {
    page.begin_table(&texts.page.package, &[&texts.columns.name, &texts.columns.meaning]);
    for name in files {
        page.html.push_str("<tr>");
        page.cell("", name);
        page.cell("", texts.file(super::texts::file_key(name)));
        page.html.push_str("</tr>\n");
    }
    page.end_table();
}

fn page_of(texts: &Texts, number: usize, pages: usize) -> String {
    escaped(&fill(&texts.page.page_of, &[("page", &number.to_string()), ("pages", &pages.to_string())]))
}

fn controller(page: &mut Page, controller: &Controller) {
    let Controller { name, address, contact, data_protection_officer } = controller;
    for text in [name, address, contact, data_protection_officer] {
        page.paragraph(text);
    }
}

fn scope(page: &mut Page, package: &Package, texts: &Texts) {
    let Some(scope) = &package.scope else { return };
    if scope.is_nothing() {
        page.paragraph(&texts.page.nothing_qualifies);
    }
    match scope.basis {
        Some(Basis::Consent) => page.paragraph(&texts.page.scope_basis_consent),
        Some(Basis::Contract) => page.paragraph(&texts.page.scope_basis_contract),
        None => {}
    }
    scope.reason.lines().for_each(|line| page.paragraph(line));
}

/// What was searched, when, and how much was found.
fn searched(page: &mut Page, package: &Package, texts: &Texts) {
    let language = package.language;
    for one in &package.coverage.repositories {
        let text = fill(
            &texts.page.searched,
            &[
                ("day", &language.date(package.searched_on)),
                ("snapshots", &one.snapshots.to_string()),
                ("repositories", one.repository.as_str()),
                ("from", &language.date(one.from.time().date_naive())),
                ("to", &language.date(one.to.time().date_naive())),
            ],
        );
        page.paragraph(&text);
    }
    let items: std::collections::BTreeSet<(Option<&str>, &str)> = package
        .records
        .all
        .keys()
        .map(|key| (key.repository.as_ref().map(crate::ids::Name::as_str), &*key.path))
        .collect();
    let copied = package.files.values().filter(|file| file.not_copied.is_none()).count();
    let numbers = [package.records.all.len(), items.len(), copied].map(|number| number.to_string());
    let [records, items, files] = &numbers;
    page.paragraph(&fill(&texts.page.counts, &[("records", records), ("items", items), ("files", files)]));
}

/// Tables of entries, one for each section.
fn records(page: &mut Page, package: &Package, texts: &Texts, all: &[(usize, &Key, &Seen)], level: u8) {
    let columns = &texts.columns;
    let heads =
        [&*columns.number, &columns.text, &columns.kind, &columns.place, &columns.seen, &columns.evidence];
    for section in Section::ALL {
        let mut own = all.iter().filter(|(_, key, _)| key.section == section).peekable();
        if own.peek().is_none() {
            continue;
        }
        let title = word(&texts.section, &section);
        let id = serde_json::to_value(section).ok();
        let id = id.as_ref().and_then(|id| id.as_str()).unwrap_or("section");
        page.heading(level, &format!("section-{id}"), title);
        page.begin_table(title, &heads);
        for (number, key, seen) in own {
            let _ = write!(page.html, "<tr id=\"entry-{number}\"><th scope=\"row\">{number}</th>");
            page.cell(" class=\"text\"", &key.text);
            page.cell("", word(&texts.place, &key.kind));
            page.cell("", &place(package, texts, key));
            page.cell("", &seen_words(package, texts, seen));
            let evidence: Vec<&str> = seen.evidence.iter().map(|one| word(&texts.evidence, one)).collect();
            let mut evidence = evidence.join("; ");
            if seen.is_hidden {
                evidence.push_str(" – ");
                evidence.push_str(&texts.words.hidden_note);
            }
            page.cell("", &evidence);
            page.html.push_str("</tr>\n");
        }
        page.end_table();
    }
}

fn place(package: &Package, texts: &Texts, key: &Key) -> String {
    let mut words = match &key.repository {
        Some(repository) => format!("{repository}: {}", key.path),
        None => texts.words.no_snapshot.clone(),
    };
    if !key.place.is_empty() {
        let _ = write!(words, " – {}", key.place);
    }
    if let Some(file) = package.copy_of(key) {
        let _ = write!(words, " – {}", file.path());
    }
    words
}

fn seen_words(package: &Package, texts: &Texts, seen: &Seen) -> String {
    let words = &texts.words;
    let (Some(first), Some(last)) = (&seen.first, &seen.last) else {
        return match seen.live {
            Some(true) => words.live_only.clone(),
            _ => words.no_snapshot.clone(),
        };
    };
    let day = |id: &crate::ids::SnapshotId| package.language.date(id.time().date_naive());
    let mut out = fill(
        &words.from_to,
        &[("from", &day(first)), ("to", &day(last)), ("count", &seen.snapshots.to_string())],
    );
    if let Some(live) = seen.live {
        out.push_str("; ");
        out.push_str(if live { &words.live } else { &words.not_live });
    }
    out
}

fn copies(page: &mut Page, package: &Package, texts: &Texts) {
    let columns = &texts.columns;
    page.paragraph(&texts.page.copies_intro);
    page.begin_table(&texts.page.copies, &[&columns.file, &columns.size, &columns.place]);
    for file in package.files.values() {
        page.html.push_str("<tr>");
        match file.not_copied {
            None => {
                // Made of digits and one of our own ends.
                let path = file.path();
                let _ = write!(page.html, "<td><a href=\"{path}\" download>{path}</a></td>");
            }
            Some(NotCopied::Others) => page.cell("", &texts.page.not_copied),
            Some(NotCopied::NotRead) => page.cell("", word(&texts.unsearchable, &Reason::TooLarge)),
        }
        page.cell("", &format!("{} {}", file.size, texts.words.bytes));
        let places: Vec<String> =
            file.places.iter().map(|(repository, path)| format!("{repository}: {path}")).collect();
        page.cell("", &places.join("\n"));
        page.html.push_str("</tr>\n");
    }
    page.end_table();
}

fn limits(page: &mut Page, package: &Package, texts: &Texts) {
    let (coverage, say) = (&package.coverage, &texts.page);
    page.paragraph(&say.limits_intro);
    let counted = |(reason, count): (_, &u64)| format!("{count}: {}", word(&texts.unsearchable, reason));
    let mut lines: Vec<String> = coverage.unsearchable.iter().map(counted).collect();
    if coverage.unread > 0 {
        lines.push(fill(&say.limits_unread, &[("count", &coverage.unread.to_string())]));
    }
    if !coverage.problems.is_empty() {
        lines.push(fill(&say.limits_problems, &[("count", &coverage.problems.len().to_string())]));
    }
    page.list(lines.into_iter());
}

fn data_page(
    package: &Package,
    texts: &Texts,
    (number, pages): (usize, usize),
    part: &[(usize, &Key, &Seen)],
) -> Vec<u8> {
    let title = format!("{} – {}", texts.page.data, package.case);
    let mut page = Page::new(package.language.code(), &title);
    let links = |page: &mut Page| {
        let words = page_of(texts, number, pages);
        let _ = write!(page.html, "<nav aria-label=\"{words}\">\n<p>{words}</p>\n<ul>\n");
        let mut link = |name: &str, text: &str| {
            let text = escaped(text);
            let _ = writeln!(page.html, "<li><a href=\"{name}\">{text}</a></li>");
        };
        if number > 1 {
            link(&page_name(number - 1), &texts.page.previous);
        }
        if number < pages {
            link(&page_name(number + 1), &texts.page.next);
        }
        link("index.html", &texts.page.back);
        page.html.push_str("</ul>\n</nav>\n");
    };
    links(&mut page);
    records(&mut page, package, texts, part, 2);
    page.finish()
}
