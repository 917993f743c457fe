//! Identifiers as people type them, and as texts have them: the tables in `names.txt` and
//! `identifiers.txt`.

use super::*;

/// Compares each line of a table with what is found; `+` wants evidence of `strong` or better.
fn compare(table: &str, strong: Tier, subject_of: impl Fn(&str) -> Subject) {
    let mut matcher = None;
    let mut wrong = Vec::new();
    let mut typed = "";
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (mark, text) = line.split_once(' ').unwrap();
        if mark == "=" {
            (typed, matcher) = (text, Some(Matcher::new(&subject_of(text), &[])));
            continue;
        }
        let text = text.replace("\\n", "\n").replace("\\t", "\t");
        let best = best(matcher.as_ref().unwrap(), &text);
        let alone =
            |rule| matches!(rule, Rule::Surname | Rule::SurnamePart | Rule::GivenName | Rule::GivenNameNear);
        let right = match mark {
            "+" => best.is_some_and(|(tier, _)| tier <= strong),
            "?" => best.is_some_and(|(_, rule)| !alone(rule)),
            "-" => best.is_none_or(|(tier, _)| tier > strong),
            _ => panic!("{line}"),
        };
        if !right {
            wrong.push(format!("{typed}: {text} {mark} {best:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_are_found_as_they_are_written() {
    compare(include_str!("names.txt"), Tier::B, |typed| {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, typed).unwrap();
        subject
    });
}

#[test]
fn identifiers_are_found_as_they_are_written() {
    compare(include_str!("identifiers.txt"), Tier::A, |typed| {
        let (kind, text) = typed.split_once(' ').unwrap();
        let kind = serde_json::from_value(kind.into()).unwrap();
        let mut subject = Subject::default();
        subject.add(kind, text).unwrap();
        subject
    });
}
