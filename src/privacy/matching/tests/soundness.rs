//! The prefilter never loses what the search would find.

use super::*;

/// One way of writing a letter that hides it from a plain comparison.
fn disguised(char: char, how: u8) -> String {
    let mut utf8 = [0; 4];
    match how {
        0 => char.to_uppercase().to_string(),
        1 => char.to_lowercase().to_string(),
        2 => format!("\\u{:04x}", u32::from(char) & 0xffff),
        3 => char.encode_utf8(&mut utf8).bytes().map(|byte| format!("%{byte:02X}")).collect(),
        4 => char.encode_utf8(&mut utf8).bytes().map(|byte| format!("%25{byte:02x}")).collect(),
        5 => format!("&#{};", u32::from(char)),
        6 => format!("&amp;#x{:x};", u32::from(char)),
        7 => format!("{char}\u{ad}"),
        8 => format!("{char}\u{200b}\u{200d}"),
        9 => format!("{char}\u{301}"),
        10 if char.is_ascii_lowercase() => char::from_u32(u32::from(char) - 97 + 0xff41).unwrap().to_string(),
        11 => match char {
            'e' => "е".to_owned(),
            'a' => "а".to_owned(),
            'o' => "ο".to_owned(),
            'u' => "ü".to_owned(),
            char => char.to_string(),
        },
        12 => char.encode_utf8(&mut utf8).bytes().map(|byte| format!("={byte:02X}")).collect(),
        _ => char.to_string(),
    }
}

/// Several people, each also without the filter of passages.
fn subjects() -> Vec<[Matcher; 2]> {
    let unfiltered = |mut matcher: Matcher| {
        matcher.passages = prefilter::Prefilter::everything();
        matcher
    };
    people().into_iter().zip(people()).map(|(filtered, other)| [filtered, unfiltered(other)]).collect()
}

fn people() -> Vec<Matcher> {
    let names = [
        "Erika Mustermann",
        "Jürgen Müßig",
        "Jan van den Berg",
        "Sean O'Brien",
        "Bo Li",
        "王小明",
        "山田 太郎",
        "김 민준",
        "Пётр Образцов",
        "Ana Sousa e Silva",
        "Kowalska, Anna",
        "محمد النموذجي",
        "Anna Ek",
        "María José Probada Ficticia",
        "Образцов Пётр Ильевич",
        "O'Connor-Muster, Siobhán",
        "やまだ れいこ",
        "Omar ash-Shamuni",
        "J. R. R. Lindenprobe",
    ];
    let mut matchers: Vec<Matcher> = names.into_iter().map(named).collect();
    matchers.push(Matcher::new(&super::subject(), &[]));
    let mut subject = Subject::default();
    for (kind, text) in [
        (IdentifierKind::Email, "e.muster+x@gmail.com"),
        (IdentifierKind::Email, "ab@müller-probe.example"),
        (IdentifierKind::Phone, "030 4567"),
        (IdentifierKind::Handle, "@bo"),
        (IdentifierKind::Id, "77-1"),
        (IdentifierKind::Id, "AB-CD"),
        (IdentifierKind::Name, "Anna Maria Lindenprobe"),
        (IdentifierKind::Context, "Museum  am Lindentor"),
    ] {
        subject.add(kind, text).unwrap();
    }
    matchers.push(Matcher::new(&subject, &[]));
    matchers
}

/// What the texts are made from: identifiers, pieces of them, and what may stand between.
const SEEDS: [&str; 50] = [
    "erika",
    "mustermann",
    "Erika Mustermann",
    "Mustermanns",
    "erikamustermann",
    "emustermann",
    "Jürgen",
    "Juergen",
    "Müßig",
    "Muessig",
    "Jan",
    "van den",
    "Berg",
    "vandenberg",
    "O'Brien",
    "obrien",
    "Bo",
    "Li",
    "王小明",
    "王",
    "小明",
    "山田",
    "太郎",
    "김민준",
    "Пётр",
    "Образцов",
    "Petr Obrazcov",
    "erika.mustermann@example.org",
    "at",
    "dot",
    "example",
    "org",
    "e.m.uster@gmail.com",
    "ab@xn--mller-probe-thb.example",
    "030 4567",
    "+49 30 90182700",
    "901 82-700",
    "x.com/erikamuster",
    "@bo",
    "KD 4711 99",
    "77.1",
    "ab-cd",
    "Ana Silva",
    "محمد النموذجي",
    "Anna",
    "hannaMaria7",
    "Lindenprobe",
    "lindenθrobψ",
    "Anna Lindenprboe",
    "Museum am Lindentor",
];
const GAPS: [&str; 16] =
    [" ", "", ", ", "-", "_", ".", "\n", "・", "\u{a0}", "’", "/", " (", ") ", "; ", "@", " — "];

#[test]
fn a_mark_behind_a_handle_is_of_its_last_letter() {
    for (text, is_there) in
        [("@bo\u{301}erika went", false), ("by @bo\u{301} and others", true), ("by @bo", true)]
    {
        let handles = |matcher: &Matcher| {
            let findings = matcher.search(&[passage(text)]);
            findings.iter().filter(|own| own.identifier.kind == IdentifierKind::Handle).count()
        };
        for [matcher, unfiltered] in subjects() {
            let found = handles(&matcher);
            assert_eq!(found, handles(&unfiltered), "{text}");
            let knows = matcher.subject.handles().iter().any(|handle| handle.name.ends_with("bo"));
            assert_eq!(found > 0, is_there && knows, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_lost(
        words in proptest::collection::vec((0..SEEDS.len(), 0..GAPS.len(), proptest::collection::vec((0..24_usize, 0..13_u8), 0..4)), 1..5),
        fields in 1..3_usize,
    ) {
        let mut texts = vec![String::new(); fields];
        for (index, (seed, gap, disguises)) in words.into_iter().enumerate() {
            let mut letters: Vec<String> = SEEDS[seed].chars().map(String::from).collect();
            for (at, how) in disguises {
                let at = at % letters.len();
                let char = letters[at].chars().next().unwrap();
                letters[at] = disguised(char, how);
            }
            let text = &mut texts[index % fields];
            text.push_str(&letters.concat());
            text.push_str(GAPS[gap]);
        }
        // As a document holds them: each in a field, and a program read them as one, too.
        let joined = texts.join(" ");
        let mut passages: Vec<Passage<'_>> = texts.iter().map(|text| passage(text)).collect();
        passages.push(Passage { channel: Channel::Joined, ..passage(&joined) });
        let plain = serde_json::json!({ "fields": texts }).to_string();
        let escaped: String = plain.chars().flat_map(|char| {
            let mut units = [0; 2];
            if char.is_ascii() { vec![char.to_string()] } else { char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect() }
        }).collect();
        for [matcher, unfiltered] in subjects() {
            let findings = matcher.search(&passages);
            prop_assert_eq!(&findings, &unfiltered.search(&passages), "some passage was left out: {:?}", &texts);
            if findings.is_empty() {
                continue;
            }
            for raw in [&plain, &escaped, &texts.join("\n")] {
                prop_assert!(matcher.may_contain(raw.as_bytes()), "{:?} of {} in {raw}", findings[0].rule, matcher.subject.text(findings[0].identifier).unwrap());
            }
        }
    }
}
