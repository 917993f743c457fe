//! How identifiers are read, and what is refused. The people are invented.

use proptest::prelude::*;

use super::*;

use IdentifierKind as Kind;

fn added(kind: Kind, text: &str) -> (Subject, Vec<Warning>) {
    let mut subject = Subject::default();
    let warnings = subject.add(kind, text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    (subject, warnings)
}

fn refused(kind: Kind, text: &str) -> SubjectError {
    let mut subject = Subject::default();
    let error = subject.add(kind, text).expect_err(text);
    assert_eq!(subject, Subject::default(), "{text:?} left something behind");
    error
}

/// Given names, particles and family names, one string each.
fn parts(name: &PersonName) -> [String; 3] {
    [name.given.join(" "), name.particles.join(" "), name.family.join(" ")]
}

#[test]
fn names_are_told_apart_into_parts() {
    for (text, expected) in [
        ("Erika Mustermann", ["Erika", "", "Mustermann"]),
        ("  Erika \u{a0} Mustermann ", ["Erika", "", "Mustermann"]),
        ("Mustermann, Erika", ["Erika", "", "Mustermann"]),
        ("Erika von der Musterburg", ["Erika", "von der", "Musterburg"]),
        ("von der Musterburg, Erika", ["Erika", "von der", "Musterburg"]),
        ("Probe, Jan van den", ["Jan", "van den", "Probe"]),
        ("Gabriela /Modelo Ejemplo/", ["Gabriela", "", "Modelo Ejemplo"]),
        ("Modelo Ejemplo, Ana de la", ["Ana", "de la", "Modelo Ejemplo"]),
        ("Jean-Luc Exemple", ["Jean-Luc", "", "Exemple"]),
        ("E. Mustermann", ["E.", "", "Mustermann"]),
        ("Prof. Dr.med. Erika Mustermann, PhD", ["Erika", "", "Mustermann"]),
        ("Frau Dipl.-Ing. Mustermann, Erika", ["Erika", "", "Mustermann"]),
        ("Dr. Dr. h.c. mult. Max Muster", ["Max", "", "Muster"]),
        ("Prof. Dr. rer. nat. habil. Max Muster, M.A., MBA", ["Max", "", "Muster"]),
        ("Erika Mustermann M.Sc.", ["Erika", "", "Mustermann"]),
        ("Muster, Max, Jr.", ["Max", "", "Muster"]),
        // Titles that are names, and particles.
        ("Phil Muster", ["Phil", "", "Muster"]),
        ("Yo-Yo Ma", ["Yo-Yo", "", "Ma"]),
        ("Md. Probani", ["Md.", "", "Probani"]),
        ("Don Muster", ["Don", "", "Muster"]),
        ("Ben Muster", ["Ben", "", "Muster"]),
        ("Al Van Muster", ["Al", "Van", "Muster"]),
        ("Van Der Muster", ["", "Van Der", "Muster"]),
        ("Max Born", ["Max", "", "Born"]),
        // Ranks.
        ("Graf Otto von Probe", ["Otto", "von", "Probe"]),
        ("Otto Graf von und zu Probe", ["Otto", "Graf von und zu", "Probe"]),
        ("Steffi Graf", ["Steffi", "", "Graf"]),
        ("Prinz Muster", ["Prinz", "", "Muster"]),
        // Capitals and patronymics tell the family name.
        ("MUSTERMANN Erika Maria", ["Erika Maria", "", "MUSTERMANN"]),
        ("Erika Maria VON MUSTERMANN", ["Erika Maria", "VON", "MUSTERMANN"]),
        ("ERIKA MARIA MUSTERMANN", ["ERIKA MARIA", "", "MUSTERMANN"]),
        ("Образцов Пётр Ильевич", ["Пётр Ильевич", "", "Образцов"]),
        ("Anna Petrovna Obrazcova", ["Anna Petrovna", "", "Obrazcova"]),
        ("Samir al-Namudhaji", ["Samir", "al", "Namudhaji"]),
        ("Max Mustermann Jr.", ["Max", "", "Mustermann"]),
        ("Sean O'Specimen", ["Sean", "", "O'Specimen"]),
        ("محمد النموذجي", ["محمد", "", "النموذجي"]),
        ("דוגמה, ישראלה", ["ישראלה", "", "דוגמה"]),
        ("Пётр Образцов", ["Пётр", "", "Образцов"]),
        ("様本 太郎", ["太郎", "", "様本"]),
        ("様本太郎", ["", "", "様本太郎"]),
        ("エリカ サンプル", ["エリカ", "", "サンプル"]),
        ("de", ["", "", "de"]),
    ] {
        let (subject, _) = added(Kind::Name, text);
        assert_eq!(subject.names().len(), 1, "{text}");
        assert_eq!(parts(&subject.names()[0]), expected, "{text}");
    }
}

#[test]
fn an_earlier_name_is_one_more() {
    for text in [
        "Erika von Mustermann geb. Vorlage",
        "Erika von Mustermann (geb. Vorlage)",
        "Frau Dr. Erika von Mustermann, geborene Vorlage",
        "Erika von Mustermann née Vorlage",
    ] {
        let (subject, _) = added(Kind::Name, text);
        let names: Vec<[String; 3]> = subject.names().iter().map(parts).collect();
        assert_eq!(names.len(), 2, "{text}");
        assert_eq!(names[1], ["Erika", "", "Vorlage"], "{text}");
    }
    // First it is a name like others.
    assert_eq!(added(Kind::Name, "Born Mustermann").0.names().len(), 1);
}

#[test]
fn what_a_person_goes_by_is_one_more() {
    for (text, expected) in [
        ("Erika \"Rike\" von Mustermann", &["Erika von Mustermann", "Rike von Mustermann"] as &[&str]),
        ("Erika „Rike“ Mustermann", &["Erika Mustermann", "Rike Mustermann"]),
        ("Mustermann, Erika 'Rike'", &["Erika Mustermann", "Rike Mustermann", "Erika Rike"]),
        ("Erika (Rike) Mustermann", &["Erika Mustermann", "Rike Mustermann"]),
        ("Erika Mustermann (Vorlage)", &["Erika Mustermann", "Vorlage Mustermann", "Erika Vorlage"]),
        ("Max Muster genannt Probe", &["Max Muster", "Probe Muster", "Max Probe"]),
        ("Max Muster a.k.a. Bob Table", &["Max Muster", "Bob Table"]),
        ("Max Muster, also known as Bob Table", &["Max Muster", "Bob Table"]),
        (
            "Erika Vorlage verh. Mustermann alias Rike",
            &["Erika Vorlage", "Erika Mustermann", "Rike Vorlage", "Erika Rike"],
        ),
        ("Sean O'Muster", &["Sean O'Muster"]),
        ("Erika Mustermann ()", &["Erika Mustermann"]),
        ("(Erika Mustermann)", &["Erika Mustermann"]),
        ("Erika \"Mustermann", &["Erika Mustermann"]),
    ] {
        let (subject, _) = added(Kind::Name, text);
        let names: Vec<String> = subject.names().iter().map(PersonName::text).collect();
        assert_eq!(names, expected, "{text}");
    }
}

#[test]
fn names_are_warned_of() {
    for (text, warnings) in [
        ("Erika Mustermann", &[] as &[Warning]),
        ("Mustermann", &[Warning::SurnameOnly]),
        ("Dr. Mustermann", &[Warning::SurnameOnly]),
        ("Bo Li", &[Warning::ShortName]),
        ("様本", &[Warning::ShortName]),
        ("様本 太郎", &[]),
        ("Anna Maria Mustermann", &[Warning::UnclearNameParts]),
        ("Mustermann, Anna Maria", &[]),
        ("Anna M. Mustermann", &[]),
        ("Anna Maria MUSTERMANN", &[]),
    ] {
        assert_eq!(added(Kind::Name, text).1, warnings, "{text}");
    }
    let (subject, _) = added(Kind::Name, "Mustermann");
    assert!(subject.names()[0].is_surname_only() && !subject.names()[0].is_unspaced());
    let (subject, _) = added(Kind::Name, "様本太郎");
    assert!(!subject.names()[0].is_surname_only() && subject.names()[0].is_unspaced());
}

#[test]
fn names_need_letters() {
    for text in ["A", "!!", "12 34", ",", "//", "-, -", ".*", "Dr. Prof.", "E.", "\u{200f}"] {
        assert_eq!(refused(Kind::Name, text), SubjectError::NoLetters, "{text:?}");
    }
    assert_eq!(Subject::default().add_name("", ""), Err(SubjectError::NoLetters));
}

#[test]
fn names_in_parts_are_believed() {
    let mut subject = Subject::default();
    assert_eq!(subject.add_name("Anna Maria", "von Modelo Ejemplo"), Ok(vec![]));
    assert_eq!(parts(&subject.names()[0]), ["Anna Maria", "von", "Modelo Ejemplo"]);
    assert!(subject.names()[0].split);
    assert_eq!(subject.add_name("Beispielina", ""), Ok(vec![Warning::SurnameOnly]));
    assert_eq!(subject.add_name("x\ny", "Mustermann"), Err(SubjectError::ControlCharacter(Kind::Name)));
    assert_eq!(subject.add_name("  ", "Mustermann"), Err(SubjectError::Empty(Kind::Name)));
}

#[test]
fn email_addresses_are_read() {
    for (text, local, domain, warnings) in [
        ("erika.mustermann@example.org", "erika.mustermann", "example.org", &[] as &[Warning]),
        (" mailto:Erika+x@EXAMPLE.org. ", "Erika+x", "EXAMPLE.org", &[]),
        ("müsterin@müller-probe.example", "müsterin", "müller-probe.example", &[]),
        ("erika@localhost", "erika", "localhost", &[Warning::ShortEmail]),
        ("a@b.c", "a", "b.c", &[Warning::ShortEmail]),
        ("Info@example.org", "Info", "example.org", &[Warning::SharedMailbox]),
        ("info@b", "info", "b", &[Warning::ShortEmail, Warning::SharedMailbox]),
    ] {
        let (subject, found) = added(Kind::Email, text);
        let email = &subject.emails()[0];
        assert_eq!((email.local.as_str(), email.domain.as_str()), (local, domain), "{text}");
        assert_eq!(found, warnings, "{text}");
    }
    for text in [
        "erika",
        "@example.org",
        "erika@",
        "a b@example.org",
        "<erika@example.org>",
        "a@b@example.org",
        "a@example.org,b@example.org",
        "erika@example.org/x",
        "erika@.example.org",
        "erika@example..org",
        "..@example.org",
        "erika@---",
        "@",
        ".*@.*",
    ] {
        assert_eq!(refused(Kind::Email, text), SubjectError::NotAnEmail, "{text}");
    }
}

#[test]
fn phone_numbers_are_read_with_their_country() {
    for (text, country, code, national, warnings) in [
        ("+49 30 90182700", None, Some("49"), "3090182700", &[] as &[Warning]),
        ("tel:+49-30-90182700;ext=5", None, Some("49"), "3090182700", &[]),
        ("+49 (0)30 90182700", None, Some("49"), "3090182700", &[]),
        ("0049 30 90182700", None, Some("49"), "3090182700", &[]),
        ("+49 30 90182700 x12", None, Some("49"), "3090182700", &[]),
        ("030 90182700", Some("DE"), Some("49"), "3090182700", &[]),
        ("030 90182700", Some("de"), Some("49"), "3090182700", &[]),
        ("030 90182700", Some(" +49 "), Some("49"), "3090182700", &[]),
        ("030 90182700", None, None, "3090182700", &[Warning::NoCountry]),
        // What was typed with its country is not of another one.
        ("+43 1 5550100", Some("DE"), Some("43"), "15550100", &[]),
        ("06 5550 1000", Some("IT"), Some("39"), "0655501000", &[]),
        ("8 999 555 01 00", Some("RU"), Some("7"), "9995550100", &[]),
        ("1-202-555-0100", Some("US"), Some("1"), "2025550100", &[]),
        ("+1 (202) 555-0100", None, Some("1"), "2025550100", &[]),
        ("06 1 555 0100", Some("HU"), Some("36"), "15550100", &[]),
        ("+354 555 0100", None, Some("354"), "5550100", &[]),
        ("030 4567", Some("DE"), Some("49"), "304567", &[Warning::ShortNumber]),
        ("12345", None, None, "12345", &[Warning::NoCountry, Warning::ShortNumber]),
    ] {
        let mut subject = Subject::default();
        assert_eq!(subject.add_phone(text, country), Ok(warnings.to_vec()), "{text} {country:?}");
        let phone = &subject.phones()[0];
        assert_eq!(
            (phone.country.as_deref(), phone.national.as_str()),
            (code, national),
            "{text} {country:?}"
        );
        assert_eq!(phone.typed, text.trim());
    }
    for text in [
        "1234",
        "1234567890123456",
        "0800 PROBE",
        "+",
        "()",
        "123 x 99 9999",
        "00",
        "0001234",
        "+49 123",
        ".*",
    ] {
        assert_eq!(refused(Kind::Phone, text), SubjectError::NotAPhone, "{text}");
    }
    for country in ["XX", "", "+", "+1234", "+4x", "Germany", "49", "ÄÄ"] {
        let error = Subject::default().add_phone("030 90182700", Some(country));
        assert_eq!(error, Err(SubjectError::UnknownCountry), "{country}");
    }
}

#[test]
fn handles_are_read_with_their_platform() {
    for (text, host, name, vague) in [
        ("@erikamuster", None, "erikamuster", true),
        ("erikamuster", None, "erikamuster", true),
        ("https://www.Example.com/erikamuster/?tab=1#top", Some("example.com"), "erikamuster", false),
        ("http://example.com/@erikamuster", Some("example.com"), "erikamuster", false),
        ("//example.com/in/erikamuster", Some("example.com"), "in/erikamuster", false),
        ("example.com/erikamuster", Some("example.com"), "erikamuster", false),
        ("https://example.com/abc", Some("example.com"), "abc", true),
        ("@erikamuster@social.example", Some("social.example"), "@erikamuster", false),
        ("https://www.erikamuster.example", None, "erikamuster.example", true),
    ] {
        let (subject, warnings) = added(Kind::Handle, text);
        let handle = &subject.handles()[0];
        assert_eq!((handle.host.as_deref(), handle.name.as_str()), (host, name), "{text}");
        assert_eq!(warnings == [Warning::VagueHandle], vague, "{text}");
        assert_eq!(warnings.is_empty(), !vague, "{text}");
    }
    for text in [
        "@",
        "https://",
        "https://localhost",
        "https://example.com/",
        "erika muster",
        "@@",
        "?x",
        "example.com/a b",
        "//",
    ] {
        assert_eq!(refused(Kind::Handle, text), SubjectError::NotAHandle, "{text}");
    }
}

#[test]
fn check_digits_of_bank_accounts_are_tested() {
    // The examples of the registry of ISO 13616.
    let good = [
        "DE89 3704 0044 0532 0130 00",
        "gb82-west-1234-5698-7654-32",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ];
    for text in good {
        assert_eq!(Subject::default().add_id(IdKind::Iban, text), Ok(vec![]), "{text}");
    }
    for text in [
        "DE88 3704 0044 0532 0130 00",
        "DE89 3704 0044 0532 0130 0",
        "DE89 3704 0044 0532 0103 00",
        "NO93860111179",
        "DE",
        "DE89.3704.0044.0532.0130.00",
        "ÄE89370400440532013000",
    ] {
        assert_eq!(
            Subject::default().add_id(IdKind::Iban, text),
            Err(SubjectError::WrongCheckDigits),
            "{text}"
        );
    }
    // Only what was said to be one is tested.
    assert_eq!(Subject::default().add(Kind::Id, good[0].replace("89", "88").as_str()), Ok(vec![]));
}

#[test]
fn ids_and_documents_need_letters_or_digits() {
    for (kind, text, warnings) in [
        (Kind::Id, "KD-4711-99", &[] as &[Warning]),
        (Kind::Id, "77-1", &[Warning::ShortNumber]),
        (Kind::Id, "(a+)+$", &[Warning::ShortNumber]),
        (Kind::AuthorDocument, "XyZ12aBcD-EfG_h9", &[]),
        (Kind::AuthorDocument, "Xy_", &[Warning::ShortNumber]),
        (Kind::Context, "Beispielwerke", &[]),
        (Kind::Context, "1", &[]),
    ] {
        assert_eq!(added(kind, text).1, warnings, "{text}");
    }
    for kind in [Kind::Id, Kind::AuthorDocument, Kind::Context] {
        for text in ["-", ".*", "()[]{}", "\u{200b}"] {
            assert_eq!(refused(kind, text), SubjectError::NoAlphanumerics, "{text:?}");
        }
    }
}

#[test]
fn what_no_identifier_is_gets_refused_for_every_kind() {
    for kind in Kind::ALL {
        for text in ["", "   ", "\u{3000}\n"] {
            assert_eq!(refused(kind, text), SubjectError::Empty(kind));
        }
        for text in ["a\nb", "a\0b", "a\u{85}b", "a\u{1b}[31mb"] {
            assert_eq!(refused(kind, text), SubjectError::ControlCharacter(kind));
        }
        assert_eq!(refused(kind, &"a".repeat(IDENTIFIER_BYTES_MAX + 1)), SubjectError::TooLong(kind));
        assert_eq!(refused(kind, &"語".repeat(IDENTIFIER_BYTES_MAX / 3 + 1)), SubjectError::TooLong(kind));
    }
    let longest = format!("{}@example.org", "a".repeat(IDENTIFIER_BYTES_MAX - 12));
    assert_eq!(added(Kind::Email, &longest).1, []);
}

#[test]
fn a_subject_has_a_bounded_number_of_each() {
    let mut subject = Subject::default();
    for number in 0..IDENTIFIERS_MAX {
        subject.add(Kind::Context, &format!("place {number}")).unwrap();
    }
    assert_eq!(subject.add(Kind::Context, "one more"), Err(SubjectError::TooMany(Kind::Context)));
    // What is there already is no more.
    assert_eq!(subject.add(Kind::Context, "place 7"), Ok(vec![Warning::Repeated]));
    assert_eq!(subject.count(Kind::Context), IDENTIFIERS_MAX);
    assert!(!subject.is_searchable());
}

fn one_of_each() -> Subject {
    let mut subject = Subject::default();
    for (kind, text) in [
        (Kind::Name, "Erika Mustermann"),
        (Kind::Email, "erika@example.org"),
        (Kind::Phone, "+49 30 90182700"),
        (Kind::Handle, "https://example.com/erikamuster"),
        (Kind::Id, "KD-4711-99"),
        (Kind::AuthorDocument, "XyZ12aBcD-EfG_h9"),
        (Kind::Context, "Beispielwerke"),
    ] {
        subject.add(kind, text).unwrap();
        assert_eq!(subject.add(kind, text), Ok(vec![Warning::Repeated]));
        assert_eq!(subject.count(kind), 1);
    }
    subject
}

#[test]
fn identifiers_are_shown_to_who_asks_and_nowhere_else() {
    let subject = one_of_each();
    assert!(subject.is_searchable());
    let shown: Vec<String> =
        Kind::ALL.into_iter().filter_map(|kind| subject.text(IdentifierRef { kind, index: 0 })).collect();
    let expected = [
        "Erika Mustermann",
        "erika@example.org",
        "+49 30 90182700",
        "example.com/erikamuster",
        "KD-4711-99",
        "XyZ12aBcD-EfG_h9",
        "Beispielwerke",
    ];
    assert_eq!(shown, expected);
    assert_eq!(subject.text(IdentifierRef { kind: Kind::Name, index: 1 }), None);
    let debug = format!(
        "{subject:?}{:?}{:?}{:?}{:?}{:?}",
        subject.names(),
        subject.emails(),
        subject.phones(),
        subject.handles(),
        subject.ids()
    );
    for secret in ["Erika", "muster", "erika", "9018", "4711"] {
        assert!(!debug.contains(secret), "{debug}");
    }
    let read: Subject = serde_json::from_str(&serde_json::to_string(&subject).unwrap()).unwrap();
    assert_eq!(read, subject);
    assert!(serde_json::from_str::<Subject>(r#"{"nicknames":[]}"#).is_err());
}

#[test]
fn errors_and_warnings_say_what_to_do() {
    let kind = Kind::Email;
    let errors = [
        SubjectError::Empty(kind),
        SubjectError::TooLong(kind),
        SubjectError::ControlCharacter(kind),
        SubjectError::TooMany(kind),
    ];
    for error in errors {
        assert!(error.to_string().contains("e-mail address"), "{error}");
    }
    let warnings = [
        Warning::SurnameOnly,
        Warning::ShortName,
        Warning::UnclearNameParts,
        Warning::ShortEmail,
        Warning::SharedMailbox,
        Warning::ShortNumber,
        Warning::NoCountry,
        Warning::VagueHandle,
        Warning::Repeated,
    ];
    let sentences: std::collections::HashSet<&str> = warnings.into_iter().map(Warning::sentence).collect();
    assert_eq!(sentences.len(), warnings.len());
}

proptest! {
    /// Whatever is typed is taken or refused, and what was taken is there.
    #[test]
    fn anything_may_be_typed(text in "(\\PC|[0-9+@./(),; :א-תا-ي\u{202e}\u{301}*?\\[\\]\\\\]){0,40}", country in proptest::option::of("\\PC{0,4}|[A-Z]{2}")) {
        for kind in Kind::ALL {
            let mut subject = Subject::default();
            if subject.add(kind, &text).is_ok() {
                prop_assert!(subject.count(kind) > 0);
                let shown = subject.text(IdentifierRef { kind, index: 0 }).unwrap();
                prop_assert!(!shown.is_empty());
                prop_assert!(subject.add(kind, &text).unwrap().contains(&Warning::Repeated));
            } else {
                prop_assert_eq!(subject, Subject::default());
            }
        }
        let mut subject = Subject::default();
        let taken = [
            subject.add_phone(&text, country.as_deref()),
            subject.add_id(IdKind::Iban, &text),
            subject.add_name(&text, &text),
        ];
        let count: usize = Kind::ALL.into_iter().map(|kind| subject.count(kind)).sum();
        prop_assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), count);
    }
}
