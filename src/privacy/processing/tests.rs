//! What is refused, and that everything is named at once.

use super::*;

/// A file that can be used.
pub(crate) const FILLED: &str = r#"
[controller]
name = "Example Press Ltd"
address = "1 Invented Street, Nowhere"
contact = "privacy@press.example"
data_protection_officer = "dpo@press.example"

[en]
purposes = "Names of authors are published beside their articles (Art. 6(1)(f))."
categories = "Names, portraits, e-mail addresses, texts."
recipients = ["Prismic.io, Inc., United States", "Example Hosting GmbH, Germany"]
retention = "As long as the article is published; backups for one year."
rights = "You can ask for correction, deletion and restriction, and object, at the address above."
complaint = "The Authority of Nowhere, 2 Invented Street"
source = "From you, and from the editors who wrote about you."
automated_decisions = "None."
transfers = "Standard contractual clauses with Prismic.io, Inc."
"#;

fn gaps(text: &str, language: Language) -> Vec<String> {
    match Processing::parse(text, language) {
        Err(ProcessingError::Incomplete { gaps, .. }) => gaps.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_says_everything_is_read() {
    let read = Processing::parse(FILLED, Language::En).unwrap();
    assert_eq!(read.controller.name, "Example Press Ltd");
    let entries: Vec<Entry> = read.entries.iter().map(|(entry, _)| *entry).collect();
    assert_eq!(entries, Entry::ALL);
    assert_eq!(read.entries[2].1.lines().count(), 2);
}

#[test]
fn the_template_names_everything_that_is_to_be_filled_in() {
    for language in Language::ALL {
        let found = gaps(TEMPLATE, language);
        assert_eq!(found.len(), 4 + Entry::ALL.len(), "{found:#?}");
        for entry in Entry::ALL {
            let start = format!("Art. {}: {}.{}", entry.article(), language.code(), entry.key());
            assert!(found.iter().any(|gap| gap.starts_with(&start) && gap.contains("line")), "{start}");
        }
    }
    let error = Processing::parse(TEMPLATE, Language::En).unwrap_err().to_string();
    assert!(
        error.contains("15(1)(a)") && error.contains("15(2)") && error.contains("controller.name"),
        "{error}"
    );
}

#[test]
fn what_says_nothing_is_named_with_its_letter() {
    for (key, value, words) in [
        ("recipients", "[\"Prismic.io, Inc.\", \"various\"]", "Art. 15(1)(c): en.recipients[1]"),
        ("recipients", "[]", "is empty"),
        ("recipients", "\"Service providers.\"", "too general"),
        ("purposes", "\"\"", "Art. 15(1)(a): en.purposes"),
        ("purposes", "\"  …  \"", "placeholder"),
        ("purposes", "\"We use it for todo\"", "placeholder"),
        ("complaint", "\"[name of the authority]\"", "Art. 15(1)(f)"),
        ("source", "\"n/a\"", "Art. 15(1)(g)"),
        ("source", "\"None\"", "placeholder"),
        ("retention", "\"as long as necessary\"", "too general"),
        ("transfers", "\"TBD\"", "Art. 15(2)"),
        ("automated_decisions", "\"-\"", "Art. 15(1)(h)"),
    ] {
        let line = FILLED.lines().find(|line| line.starts_with(key)).unwrap();
        let changed = FILLED.replace(line, &format!("{key} = {value}"));
        let found = gaps(&changed, Language::En);
        assert!(found.len() == 1 && found[0].contains(words), "{key} = {value}: {found:?}");
    }
    let without = FILLED.lines().filter(|line| !line.starts_with("rights") && !line.starts_with("name"));
    let found = gaps(&without.collect::<Vec<_>>().join("\n"), Language::En);
    assert_eq!(found, ["controller.name is missing", "Art. 15(1)(e): en.rights is missing"]);
    // The address of a mailbox in angle brackets is no placeholder.
    let mailbox = FILLED.replace("\"dpo@press.example\"", "\"Data protection <dpo@press.example>\"");
    Processing::parse(&mailbox, Language::En).unwrap();
}

#[test]
fn mistakes_have_their_line_and_a_missing_language_is_said() {
    let error = Processing::parse(FILLED, Language::Fr).unwrap_err();
    assert!(error.to_string().contains("language fr (there are: en)"), "{error}");
    for (from, to, words) in [
        ("purposes", "purpose", "did you mean"),
        ("[en]", "[english]", "processing.toml:8"),
        ("contact = \"privacy@press.example\"", "contact = 7", "must be text"),
        ("transfers", "transfers = 1 #", "not valid TOML"),
    ] {
        let error = Processing::parse(&FILLED.replacen(from, to, 1), Language::En).unwrap_err();
        assert!(matches!(error, ProcessingError::Wrong(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("processing.toml") && (text.contains(words) || words.starts_with("not")),
            "{text}"
        );
    }
    assert!(matches!(
        Processing::load(std::path::Path::new("/nowhere/processing.toml"), Language::En, &Default::default()),
        Err(ProcessingError::NoFile(_))
    ));
}
