//! Tasks in words: one by one for editors, as one letter for Prismic's support.
//!
//! Words tell ids, types, languages and places of fields, never what stands there: they go into mails and tickets.
//! A name in a place that no model would give a field is not told either.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::step::{Doer, LiveStep, Task, TaskCode};
use crate::ids::{CaseId, Name};
use crate::privacy::letters::{Language, LetterError, fill_with};

/// Names that the words of a task may have.
const NAMES: [&str; 11] =
    ["repository", "host", "path", "id", "ids", "type", "language", "places", "documents", "why", "loses"];

/// Names that a template of the letter to Prismic's support may have.
pub const LETTER_NAMES: [&str; 4] = ["today", "case", "host", "items"];

/// Places that are told one by one.
const PLACES_MAX: usize = 50;

/// A task in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// [`LiveStep::id`].
    pub id: String,
    /// What, for programs.
    pub code: TaskCode,
    /// One line.
    pub title: String,
    /// What to open, and what to do.
    pub text: String,
}

fn file(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("templates/en/tasks.txt"),
        Language::De => include_str!("templates/de/tasks.txt"),
        Language::Fr => include_str!("templates/fr/tasks.txt"),
    }
}

/// The letter to Prismic's support that comes with the program.
pub fn letter_template(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("templates/en/support.txt"),
        Language::De => include_str!("templates/de/support.txt"),
        Language::Fr => include_str!("templates/fr/support.txt"),
    }
}

/// Finds the lines below `[name]`.
fn section(language: Language, name: &str) -> Result<&'static str, LetterError> {
    let head = format!("[{name}]\n");
    let file = file(language);
    let begin =
        if file.starts_with(&head) { Some(0) } else { file.find(&format!("\n{head}")).map(|at| at + 1) };
    let unknown = || LetterError::UnknownName { line: 0, name: name.to_owned() };
    let text = &file[begin.ok_or_else(unknown)? + head.len()..];
    Ok(text.split("\n[").next().unwrap_or_default().trim())
}

/// Returns a task in words; `None` for a step that is none. `host` is Prismic's name of the repository.
///
/// # Errors
///
/// Where the words of this program have a hole, which its tests rule out.
pub fn words(step: &LiveStep, host: &str, language: Language) -> Result<Option<Words>, LetterError> {
    let Some(task) = step.task() else { return Ok(None) };
    let all = section(language, task.code.name())?;
    let (title, text) = all.split_once('\n').unwrap_or((all, ""));
    let why = section(language, &format!("why-{}", task.why.name()))?;
    let documents: Vec<&str> = task.documents.iter().map(String::as_str).collect();
    let values = BTreeMap::from([
        ("repository", step.repository.to_string()),
        ("host", host.to_owned()),
        ("path", shown(&step.path)),
        ("id", shown(&task.id)),
        ("type", shown(&task.type_)),
        ("language", shown(&task.language)),
        ("places", places(task)),
        ("documents", if documents.is_empty() { "…".to_owned() } else { documents.join(", ") }),
        ("why", why.to_owned()),
        ("loses", task.loses.iter().map(|lost| format!("({})", shown(lost))).collect::<Vec<_>>().join(" ")),
    ]);
    let text = fill_with(&NAMES, text, &values)?.trim().to_owned();
    Ok(Some(Words { id: step.id(), code: task.code, title: title.to_owned(), text }))
}

/// Writes the letter to Prismic's support about one repository, from `template`; `None` where nothing is for it.
///
/// # Errors
///
/// [`LetterError`] when the template is wrong.
pub fn support_letter(
    steps: &[LiveStep],
    (repository, host): (&Name, &str),
    case: &CaseId,
    (language, template): (Language, &str),
    today: NaiveDate,
) -> Result<Option<String>, LetterError> {
    let mut ids: BTreeMap<TaskCode, BTreeSet<&str>> = BTreeMap::new();
    let own = steps.iter().filter(|step| step.repository == *repository).filter_map(LiveStep::task);
    for task in own.filter(|task| task.code.doer() == Doer::Support) {
        ids.entry(task.code).or_default().insert(&task.id);
    }
    if ids.is_empty() {
        return Ok(None);
    }
    let mut items = Vec::new();
    for (code, ids) in ids {
        let name = code.name().replace("support-", "letter-");
        let ids = ids.into_iter().collect::<Vec<_>>().join(", ");
        items.push(fill_with(&NAMES, section(language, &name)?, &BTreeMap::from([("ids", ids)]))?);
    }
    let values = BTreeMap::from([
        ("today", language.date(today)),
        ("case", case.to_string()),
        ("host", host.to_owned()),
        ("items", items.join("\n")),
    ]);
    fill_with(&LETTER_NAMES, template, &values).map(Some)
}

/// The places of a task, as an editor looks for them.
fn places(task: &Task) -> String {
    let told: Vec<String> = task.places.iter().take(PLACES_MAX).map(|place| shown(place)).collect();
    let more = if task.places.len() > PLACES_MAX { ", …" } else { "" };
    if told.is_empty() { "…".to_owned() } else { format!("{}{more}", told.join(", ")) }
}

/// A place or path without names that are no names of fields, ids or types.
fn shown(place: &str) -> String {
    let is_plain = |name: &&str| {
        name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' '))
    };
    let names = place.split('/').map(|name| if is_plain(&name) { name } else { "…" });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::erasure::live::step::{LiveAction, Why};

    fn step(task: Task) -> LiveStep {
        let path = "documents/en-us/article/XDoc0AAAAAAAAAAA.json".to_owned();
        LiveStep { repository: "blog".parse().unwrap(), path, action: LiveAction::Task(task) }
    }

    fn task(code: TaskCode, why: Why) -> Task {
        Task {
            id: "XDoc0AAAAAAAAAAA".to_owned(),
            type_: "article".to_owned(),
            language: "en-us".to_owned(),
            places: vec!["/data/body/0/primary/text".to_owned(), "/data/map/Perpetua Exämpleton".to_owned()],
            documents: vec!["XOther0AAAAAAAAA".to_owned()],
            urls: vec!["https://images.prismic.io/acme/X_perpetua.jpg".to_owned()],
            loses: vec!["field-not-in-model /data/old".to_owned()],
            ..Task::new(code, why)
        }
    }

    #[test]
    fn every_task_and_every_reason_has_words_in_every_language_without_a_value() {
        for language in Language::ALL {
            let mut seen = BTreeSet::new();
            for code in TaskCode::ALL {
                for why in Why::ALL {
                    let words = words(&step(task(code, why)), "acme", language).unwrap().unwrap();
                    let all = format!("{}\n{}", words.title, words.text);
                    assert!(!all.contains("{{") && !all.contains('['), "{all}");
                    assert!(!all.contains("perpetua") && !all.contains("Perpetua"), "{all}");
                    assert!(words.text.contains("blog") && words.title.len() > 10, "{all}");
                    use TaskCode::{CheckHidden, CorrectHidden, EditSettings};
                    if ![CheckHidden, CorrectHidden, EditSettings].contains(&code) {
                        assert!(words.text.contains("XDoc0AAAAAAAAAAA"), "{all}");
                    }
                    seen.insert(words.title);
                }
            }
            assert_eq!(seen.len(), TaskCode::ALL.len(), "each task has its own title");
            let words = words(&step(task(TaskCode::EditDocument, Why::WouldLose)), "acme", language);
            let text = words.unwrap().unwrap().text;
            assert!(
                text.contains("/data/body/0/primary/text") && text.contains("field-not-in-model"),
                "{text}"
            );
        }
    }

    #[test]
    fn one_letter_tells_support_all_that_is_theirs_and_nothing_else() {
        let steps: Vec<LiveStep> =
            TaskCode::ALL.into_iter().map(|code| step(task(code, Why::NoInterface))).collect();
        let (repository, case) = ("blog".parse().unwrap(), "2026-7K3F9Q".parse().unwrap());
        let today = "2026-11-23".parse().unwrap();
        for language in Language::ALL {
            let with = (language, letter_template(language));
            let letter = support_letter(&steps, (&repository, "acme"), &case, with, today).unwrap().unwrap();
            assert_eq!(letter.matches("XDoc0AAAAAAAAAAA").count(), 3, "{letter}");
            assert!(letter.contains("2026-7K3F9Q") && !letter.contains("{{"), "{letter}");
            assert!(!letter.contains("perpetua"), "{letter}");
            let editors: Vec<LiveStep> =
                vec![step(task(TaskCode::EditDocument, Why::WouldLose)), steps[0].clone()];
            let none = support_letter(&editors, (&repository, "acme"), &case, with, today).unwrap();
            assert_eq!(none, None);
            let wrong = support_letter(&steps, (&repository, "acme"), &case, (language, "{{name}}"), today);
            assert!(matches!(wrong, Err(LetterError::UnknownName { .. })));
        }
    }
}
