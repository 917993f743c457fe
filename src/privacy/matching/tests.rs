//! Rules, tiers, masks and bounds. Recall over cultures and spellings is measured by the corpus
//! (`tests/it/privacy_corpus`), whose people are made independently of this code.

use proptest::prelude::*;

use super::*;
use crate::privacy::subject::IdentifierKind;

mod hostile;
mod soundness;
mod written;

fn subject() -> Subject {
    let mut subject = Subject::default();
    for (kind, text) in [
        (IdentifierKind::Name, "Erika Mustermann"),
        (IdentifierKind::Email, "erika.mustermann@example.org"),
        (IdentifierKind::Phone, "+49 30 90182700"),
        (IdentifierKind::Handle, "https://twitter.com/erikamuster"),
        (IdentifierKind::Id, "KD-4711-99"),
        (IdentifierKind::AuthorDocument, "XyZ12aBcD-EfG_h9"),
        (IdentifierKind::Context, "Beispielwerke"),
    ] {
        subject.add(kind, text).unwrap();
    }
    subject
}

fn named(name: &str) -> Matcher {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Name, name).unwrap();
    Matcher::new(&subject, &[])
}

fn passage(text: &str) -> Passage<'_> {
    Passage { channel: Channel::RichText, place: "/data/text", group: 0, text }
}

/// The best evidence in one passage.
fn best(matcher: &Matcher, text: &str) -> Option<(Tier, Rule)> {
    let findings = matcher.search(&[passage(text)]);
    for finding in &findings {
        for hit in &finding.hits {
            assert!(text.get(hit.range()).is_some(), "{text:?}: {hit:?}");
        }
    }
    if !findings.is_empty() {
        assert!(matcher.may_contain(text.as_bytes()), "the prefilter loses {text:?}");
    }
    findings.iter().map(|finding| (finding.tier, finding.rule)).min()
}

#[test]
fn each_spelling_has_its_tier() {
    let matcher = Matcher::new(&subject(), &[]);
    let cases: &[(&str, Option<(Tier, Rule)>)] = &[
        ("write to erika.mustermann@example.org.", Some((Tier::A, Rule::EmailExact))),
        ("mailto:ERIKA.Mustermann@EXAMPLE.org?subject=x", Some((Tier::A, Rule::EmailExact))),
        ("mailto:a@b.example,erika.mustermann@example.org", Some((Tier::A, Rule::EmailExact))),
        ("erika.mustermann%40example.org", Some((Tier::A, Rule::EmailExact))),
        ("erika.mustermann&#64;example.org", Some((Tier::A, Rule::EmailExact))),
        ("erika.mustermann (at) example (dot) org", Some((Tier::A, Rule::EmailWritten))),
        ("erika dot mustermann at example dot org", Some((Tier::A, Rule::EmailWritten))),
        ("call 030 / 901 82 700", Some((Tier::A, Rule::PhoneNational))),
        ("tel:+49-30-90182700;ext=12", Some((Tier::A, Rule::PhoneInternational))),
        ("0049 (0)30 90182700", Some((Tier::A, Rule::PhoneInternational))),
        ("+43 1 90182700 30 90182700", Some((Tier::A, Rule::PhoneNational))),
        ("+44 7 3090182700", Some((Tier::D, Rule::PhoneSuffix))),
        ("https://x.com/ErikaMuster", Some((Tier::A, Rule::HandleAddress))),
        ("thanks @erikamuster!", Some((Tier::A, Rule::HandleMention))),
        ("erikamuster", Some((Tier::D, Rule::HandleBare))),
        ("@erikamuster_2", None),
        ("customer kd471199", Some((Tier::A, Rule::IdExact))),
        ("customer KD 4711 99", Some((Tier::A, Rule::IdExact))),
        ("customer KD-4711-990", None),
        ("XyZ12aBcD-EfG_h9", Some((Tier::A, Rule::AuthorDocument))),
        ("by Erika Mustermann, editor", Some((Tier::B, Rule::NameFull))),
        ("MUSTERMANN, ERIKA", Some((Tier::B, Rule::NameFull))),
        ("Mustermann, Dr. Erika", Some((Tier::B, Rule::NameFull))),
        ("Erika\u{a0}Muster\u{ad}mann", Some((Tier::B, Rule::NameFull))),
        ("authors/erika-mustermann-2", Some((Tier::B, Rule::NameFull))),
        ("portraitErikaMustermann2019.jpg", Some((Tier::B, Rule::NameFull))),
        ("erikamustermann.jpg", Some((Tier::B, Rule::NameFull))),
        ("Ｅｒｉｋａ　Ｍｕｓｔｅｒｍａｎｎ", Some((Tier::B, Rule::NameFull))),
        ("Erika%2520Mustermann", Some((Tier::B, Rule::NameFull))),
        (r"Erika\u0020Mustermann", Some((Tier::B, Rule::NameFull))),
        ("data:text/plain;base64,RXJpa2EgTXVzdGVybWFubg==", Some((Tier::B, Rule::NameFull))),
        ("E. Mustermann", Some((Tier::D, Rule::NameInitial))),
        ("Mustermann wrote", Some((Tier::D, Rule::Surname))),
        ("Mustermann of Beispielwerke", Some((Tier::C, Rule::Surname))),
        ("Erika Mustermanns Buch", Some((Tier::D, Rule::NameInflected))),
        ("Erica Mustermann", Some((Tier::D, Rule::NameFuzzy))),
        ("Erika Musterman", Some((Tier::D, Rule::NameFuzzy))),
        ("Эрика Мустерманн", Some((Tier::D, Rule::NameTransliterated))),
        ("Erika Mustеrmann", Some((Tier::D, Rule::NameLookAlike))),
        ("Peter Mustermann, Erika Beispiel", Some((Tier::C, Rule::NameNear))),
        ("Erika", None),
        ("Das ist ein Muster.", None),
        ("ZinErika Mann", None),
        ("max.erika.mustermann@example.org", Some((Tier::B, Rule::NameFull))),
        ("erika.mustermann@example.org.uk", Some((Tier::B, Rule::NameFull))),
    ];
    for (text, expected) in cases {
        assert_eq!(best(&matcher, text), *expected, "{text}");
    }
}

#[test]
fn names_of_many_kinds() {
    for (name, texts) in [
        (
            "Jürgen Müßig",
            &[
                "Juergen Muessig",
                "JÜRGEN MÜSSIG",
                "Jurgen Mussig",
                "Mu\u{308}ßig, Ju\u{308}rgen",
                "J&uuml;rgen M&uuml;&szlig;ig",
                "J=C3=BCrgen M=C3=BC=C3=9Fig",
            ] as &[&str],
        ),
        ("Juergen Mueller", &["Jürgen Müller"]),
        (
            "Gabriel /García Márquez/",
            &["Gabriel Garcia Marquez", "García Márquez, Gabriel", "gabriel-garcia-marquez"],
        ),
        (
            "Jan van den Berg",
            &["Jan van den Berg", "Berg, Jan van den", "Jan Berg", "Jan vandenBerg", "J. van den Berg"],
        ),
        ("Sean O'Brien", &["Sean O’Brien", "Sean OBrien", "Sean O Brien", "sean-obrien"]),
        ("Sean Obrien", &["Sean O'Brien"]),
        ("Jean-Luc Modèle", &["Jean Luc Modele", "Jeanluc Modèle", "JEAN-LUC MODÈLE"]),
        ("İpek Işık", &["Ipek Isik", "ipek-isik", "İPEK IŞIK"]),
        ("Łukasz Wzór", &["Lukasz Wzor", "WZÓR ŁUKASZ"]),
        ("Søren Prøve", &["Soeren Proeve", "Soren Prove"]),
        ("王小明", &["作者王小明认为", "王 小明"]),
        ("山田 太郎", &["山田太郎さん", "太郎 山田"]),
        (
            "김 민준",
            &["김민준은 말했다", "\u{1100}\u{1175}\u{11b7}\u{1106}\u{1175}\u{11ab}\u{110c}\u{116e}\u{11ab}"],
        ),
        ("Пётр Образцов", &["Петр Образцов", "ОБРАЗЦОВ ПЁТР", "Petr Obraztsov"]),
        ("Γιώργος Υποδειγματικός", &["ΓΙΩΡΓΟΣ ΥΠΟΔΕΙΓΜΑΤΙΚΟΣ"]),
        ("محمد النموذجي", &["مُحَمَّد النموذجي"]),
        ("דוד דוגמאי", &["דָּוִד דוגמאי"]),
        ("राज उदाहरण", &["लेखक राज उदाहरण ने"]),
        ("Nguyễn Văn Mẫu", &["Nguyen Van Mau", "Nguyễn Văn Mẫu"]),
        ("Bo Li", &["Bo Li", "Li Bo"]),
    ] {
        let matcher = named(name);
        for text in texts {
            assert!(best(&matcher, text).is_some(), "{name}: {text}");
        }
    }
}

#[test]
fn a_surname_alone_is_never_sure() {
    let mut subject = Subject::default();
    subject.add(IdentifierKind::Name, "Mustermann").unwrap();
    subject.add(IdentifierKind::Context, "Beispielwerke").unwrap();
    subject.add(IdentifierKind::Email, "a@b").unwrap();
    subject.add(IdentifierKind::Id, "42").unwrap();
    let matcher = Matcher::new(&subject, &[]);
    for text in ["Erika Mustermann", "Mustermann", "Mustermann, Beispielwerke, a@b, 42"] {
        assert!(best(&matcher, text).is_some_and(|(tier, _)| tier >= Tier::C), "{text}");
    }
}

#[test]
fn fields_of_one_group_support_each_other() {
    let matcher = Matcher::new(&subject(), &[]);
    let at = |group, text| Passage { group, ..passage(text) };
    let tiers = |passages: &[Passage<'_>]| -> Vec<Tier> {
        matcher.search(passages).iter().map(|found| found.tier).collect()
    };
    assert_eq!(tiers(&[at(1, "Mustermann"), at(1, "Erika")]), [Tier::C]);
    assert_eq!(tiers(&[at(1, "Mustermann"), at(2, "Erika")]), [Tier::D]);
    assert_eq!(tiers(&[at(1, "Mustermann"), at(1, "030 90182700")]), [Tier::C, Tier::A]);
    // Within one passage only what is near counts.
    let far = format!("Mustermann {} Beispielwerke", "x ".repeat(500));
    assert_eq!(tiers(&[at(1, &far)]), [Tier::D]);
}

#[test]
fn excerpts_are_masked_unless_asked_for() {
    let matcher = Matcher::new(&subject(), &[]);
    let text = "A text by Erika Mustermann, editor at Beispielwerke, +49 30 90182700, anna@example.com";
    let passage = passage(text);
    let findings = matcher.search(&[passage]);
    let name = findings.iter().find(|finding| finding.rule == Rule::NameFull).unwrap();
    assert_eq!(name.excerpt, "A text by E▒▒▒▒ M▒▒▒▒▒▒▒▒▒, editor at B▒▒▒▒▒▒▒▒▒▒▒▒, ▒▒▒ ▒▒ ▒▒▒▒▒▒…");
    let unmasked = matcher.unmasked_excerpt(&passage, name).unwrap();
    assert!(unmasked.contains("by Erika Mustermann, editor"));
    for finding in &findings {
        let shown = format!("{finding:?} {matcher:?}").to_lowercase();
        for secret in ["erika", "muster", "90182", "anna", "example"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[test]
fn a_fingerprint_is_of_content() {
    let matcher = Matcher::new(&subject(), &[]);
    let of = |text: &str, place: &str| matcher.search(&[Passage { place, ..passage(text) }])[0].fingerprint;
    assert_eq!(of("by Erika Mustermann", "/a"), of("by  ERIKA Mustermann", "/b"));
    assert_ne!(of("by Erika Mustermann", "/a"), of("not by Erika Mustermann", "/a"));
}

#[test]
fn rare_identifiers_come_first() {
    let matcher = Matcher::new(&subject(), &[]);
    let name = matcher.search(&[passage("Erika Mustermann")]);
    let surname = matcher.search(&[passage("Mustermann")]);
    let email: Vec<Finding> = matcher
        .search(&[passage("erika.mustermann@example.org")])
        .into_iter()
        .filter(|finding| finding.tier == Tier::A)
        .collect();
    let mut rarity = Rarity::default();
    for _ in 0..40 {
        rarity.count(&surname);
    }
    rarity.count_others(1000);
    assert!(rarity.of(name[0].identifier) < rarity.of(email[0].identifier));
    assert!(rarity.score(&name[0]) > rarity.score(&surname[0]));
    assert!(rarity.score(&email[0]) > rarity.score(&name[0]));
}

#[test]
fn an_unrelated_document_is_passed_over() {
    let matcher = Matcher::new(&subject(), &[]);
    for text in [
        "{\"title\":\"Über uns\",\"text\":\"Die Mitarbeiterinnen \\u00fcben & 100%20 testen\",\"w\":1200,\"d\":\"2024-01-02\"}",
        "{\"text\":\"これは日本語の文章です。\"}",
        "{\"text\":\"Обычный русский текст о разных вещах.\"}",
        "Erika Musterfrau and Hans Beispielmaus",
    ] {
        assert!(!matcher.may_contain(text.as_bytes()), "{text}");
    }
    assert!(!Matcher::new(&Subject::default(), &[]).may_contain(b"anything"));
    assert!(matcher.with_given_names().may_contain(b"anything"));
}

#[test]
fn mistyped_names_within_words_are_not_passed_over() {
    let matcher = named("Ana Sousa e Silva");
    for text in ["xyzAna ilva", "ПётрAna ilva", "xyz%41na ilva"] {
        assert_eq!(best(&matcher, text), Some((Tier::D, Rule::NameFuzzy)), "{text}");
    }
    assert!(matcher.may_contain(b"{\"text\":\"xyz\\u0041na ilva\"}"));
    assert!(!matcher.may_contain(b"bananas of gold"));
}

#[test]
fn letters_in_several_escapes_beside_bytes_of_an_old_form_are_read() {
    let matcher = named("山田 太郎");
    for text in
        ["%E5%B1%B1%E7%94%B0%E5%A4%AA%E9%83%8E%FF", "%FC=E5=B1=B1%E5 %E5%B1%B1田太郎", "%FF 山%E7%94%B0太郎"]
    {
        assert_eq!(best(&matcher, text).map(|(_, rule)| rule), Some(Rule::NameFull), "{text}");
    }
}

proptest! {
    /// Whatever the bytes are, it ends, and the hits are places in the text.
    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        best(&Matcher::new(&subject(), &[]), &text);
    }
}
