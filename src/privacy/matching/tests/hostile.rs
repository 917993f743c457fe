//! Texts and subjects that are meant to hurt: bounded time and memory.

use std::time::{Duration, Instant};

use super::*;

/// Far more than a megabyte takes, also where nothing is optimised; what is not linear takes hours.
const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

fn is_read(matcher: &Matcher, text: &str) {
    let begun = Instant::now();
    matcher.may_contain(text.as_bytes());
    matcher.search(&[passage(text)]);
    assert!(begun.elapsed() < PATIENCE, "{} bytes took {:?}", text.len(), begun.elapsed());
}

#[test]
fn a_mebibyte_of_one_thing() {
    let matcher = Matcher::new(&subject(), &[]);
    for unit in [
        "m",
        "\u{301}",
        "%25",
        "%2525",
        "&amp;",
        "\\u0025",
        "=3D",
        "xn--",
        ";base64,",
        "@",
        "a@",
        "e.",
        "1 ",
        "+49 30 9018270",
        "erika ",
        "mustermann ",
        "erika mustermann ",
        "mustermann, ",
        "@erikamuster ",
        "KD-",
        "王",
        "\u{202e}",
        "(((((",
        "<a ",
        "אבג ",
        "Mustermanm Erico ",
    ] {
        is_read(&matcher, &unit.repeat(MIB / 16 / unit.len()));
    }
    is_read(&matcher, &"m".repeat(MIB));
    is_read(&matcher, &"\u{301}".repeat(MIB / 2));
    is_read(&matcher, &"%25".repeat(MIB / 3));
}

#[test]
fn encodings_are_taken_off_so_deep_and_no_deeper() {
    let matcher = Matcher::new(&subject(), &[]);
    let mut text = "Erika Mustermann".to_owned();
    for layer in 1..=5 {
        text = text
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02x}")
                }
            })
            .collect();
        let whole = matcher.search(&[passage(&text)]).iter().any(|finding| finding.rule == Rule::NameFull);
        assert_eq!(whole, layer <= decode::LAYERS_MAX, "{text}");
    }
}

#[test]
fn signs_of_regular_expressions_are_letters_like_others() {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Id, "a.*(b|c)+[12345]$").unwrap();
    subject.add(IdentifierKind::Handle, "@.*name").unwrap();
    subject.add(IdentifierKind::Name, "(Erika) [Muster*mann]").unwrap();
    let matcher = Matcher::new(&subject, &[]);
    assert_eq!(best(&matcher, "everything and 12345"), None);
    assert!(best(&matcher, "a.*(b|c)+[12345]$").is_none_or(|(tier, _)| tier == Tier::A));
}

#[test]
fn writing_from_right_to_left_hides_nothing() {
    let matcher = Matcher::new(&subject(), &[]);
    assert_eq!(
        best(&matcher, "\u{202e}Erika\u{202c} \u{2067}Muster\u{200f}mann\u{2069}"),
        Some((Tier::B, Rule::NameFull))
    );
    let hebrew = named("דוד דוגמאי");
    assert_eq!(best(&hebrew, "\u{200f}נכתב על ידי דוד דוגמאי, עורך"), Some((Tier::B, Rule::NameFull)));
}

#[test]
fn thousands_of_aliases() {
    let mut subject = Subject::default();
    for index in 0..2_000_u32 {
        let letters: String =
            index.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        subject.add(IdentifierKind::Name, &format!("Erika{letters} Mustermann")).unwrap();
        subject.add(IdentifierKind::Email, &format!("erika{index}@example.org")).unwrap();
        subject.add(IdentifierKind::Phone, &format!("+49 30 9018{index:04}")).unwrap();
    }
    let begun = Instant::now();
    let matcher = Matcher::new(&subject, &[]);
    assert!(begun.elapsed() < PATIENCE);
    is_read(&matcher, &"Erikabcd Mustermann, erika7@example.org, 030 90180007. ".repeat(20));
    assert_eq!(best(&matcher, "Erikabcd Mustermann").map(|(tier, _)| tier), Some(Tier::B));
    assert!(subject.add(IdentifierKind::Name, "Erika Zuviel").is_err());
}

#[test]
fn many_hits_are_counted_and_not_all_kept() {
    let matcher = Matcher::new(&subject(), &[]);
    let findings = matcher.search(&[passage(&"Erika Mustermann; ".repeat(HITS_MAX + 5))]);
    assert_eq!((findings[0].hits.len(), findings[0].more_hits), (HITS_MAX, 5));
}
