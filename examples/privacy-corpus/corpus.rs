//! People from many naming cultures, the ways in which they are written, and where: with the truth
//! of who is meant. Independent of the matcher: nothing here uses its code.
//!
//! All people are invented. Used by the example beside it and by a test, with a smaller share.

use prismvault::privacy::passage::Channel;
use prismvault::privacy::subject::{IdentifierKind, Subject};

/// An invented person.
pub(crate) struct Person {
    pub(crate) culture: &'static str,
    pub(crate) given: &'static str,
    pub(crate) particles: &'static str,
    pub(crate) family: &'static str,
    /// Another given name and family name of the culture: for namesakes.
    pub(crate) other_given: &'static str,
    pub(crate) other_family: &'static str,
    /// The name in another alphabet or system of letters; empty where there is none.
    pub(crate) elsewhere: &'static str,
    /// An inflected form of the full name; empty where the culture has none.
    pub(crate) inflected: &'static str,
}

const fn person(
    culture: &'static str,
    given: &'static str,
    family: &'static str,
    other_given: &'static str,
    other_family: &'static str,
) -> Person {
    Person { culture, given, particles: "", family, other_given, other_family, elsewhere: "", inflected: "" }
}

pub(crate) const PEOPLE: [Person; 34] = [
    person("english", "Alice", "Exampleton", "Harriet", "Placeholder"),
    person("english", "Rory", "McSample", "Angus", "Trialman"),
    person("irish", "Sean", "O'Muster", "Niamh", "Dummigan"),
    Person {
        inflected: "Jürgen Müßterichs",
        ..person("german", "Jürgen", "Müßterich", "Sabine", "Probstmeier")
    },
    Person {
        inflected: "Erika Müsterfraus",
        ..person("german", "Erika", "Müsterfrau", "Anke", "Beispieler")
    },
    person("french", "Jean-Luc", "Modèlier", "Odile", "Fictivaud"),
    person("spanish", "Íñigo", "Ejemplar Muñestra", "Begoña", "Ficticia Prueba"),
    person("portuguese", "Conceição", "Exemplão", "Joaquim", "Fictício"),
    Person { particles: "van den", ..person("dutch", "Joris", "Voorbeeldt", "Femke", "Proefstra") },
    Person { particles: "von", ..person("german", "Kunibert", "Mustersdorff", "Adele", "Probenheim") },
    person("danish", "Søren", "Prøvegård", "Bodil", "Eksempelsen"),
    person("swedish", "Åsa", "Exempelström", "Göran", "Provlöf"),
    Person {
        inflected: "Małgorzaty Wzorcowskiej",
        ..person("polish", "Małgorzata", "Wzorcowska", "Łucja", "Przykładna")
    },
    Person {
        inflected: "Bořivoje Vzorníčka",
        ..person("czech", "Bořivoj", "Vzorníček", "Růžena", "Zkušebná")
    },
    person("turkish", "Işıl", "Örnekoğlu", "Çağrı", "Denemeci"),
    Person {
        elsewhere: "Panagiotis Ypodeigmatos",
        ..person("greek", "Παναγιώτης", "Υποδειγμάτος", "Σταυρούλα", "Δοκιμάκη")
    },
    Person {
        elsewhere: "Anatoliy Obraztsovskiy",
        inflected: "Анатолию Образцовскому",
        ..person("russian", "Анатолий", "Образцовский", "Людмила", "Примерова")
    },
    Person {
        elsewhere: "Евгения Примерчук",
        ..person("russian-latin", "Evgeniya", "Primerchuk", "Oksana", "Zrazkova")
    },
    person("ukrainian", "Оксана", "Зразковенко", "Тарас", "Прикладний"),
    person("arabic", "سعيد", "النموذجي", "ليلى", "التجريبي"),
    person("hebrew", "אביגיל", "דוגמאית", "יואב", "ניסיון"),
    person("hindi", "विक्रम", "उदाहरणवाल", "सुनीता", "नमूनेकर"),
    person("chinese", "试样", "范", "例子", "虚"),
    person("chinese-latin", "Shiyang", "Fanli", "Xuni", "Lizi"),
    person("japanese", "見本子", "架空山", "例太郎", "仮想田"),
    person("japanese-kana", "ミホコ", "カクウヤマ", "レイタ", "カソウダ"),
    person("korean", "예시람", "견", "가상이", "본"),
    person("vietnamese", "Thị Mẫu", "Nguyễnví", "Văn Thử", "Trầndụ"),
    person("icelandic", "Þórdís", "Dæmisdóttir", "Björk", "Sýnisdóttir"),
    person("hungarian", "Ödön", "Példaváry", "Piroska", "Mintakúti"),
    person("romanian", "Ștefăniță", "Exemplescu", "Țuța", "Modelăreanu"),
    person("croatian", "Željko", "Primjerđić", "Đurđica", "Uzorčić"),
    person("finnish", "Väinö", "Esimerkkilä", "Aino", "Malliranta"),
    person("italian", "Niccolò", "D'Esempio", "Fiorenza", "Provetti"),
];

/// What must hold of a class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Gate {
    /// Recall of 1: exact identifiers.
    Exact,
    /// Recall of 0.99: full names.
    FullName,
    /// Recall of 0.9: what is only for review.
    Review,
}

/// One planted mention, or a decoy.
pub(crate) struct Case {
    pub(crate) culture: &'static str,
    pub(crate) class: &'static str,
    pub(crate) gate: Gate,
    pub(crate) channel: Channel,
    /// Passages of one document: channel, text.
    pub(crate) texts: Vec<(Channel, String)>,
    pub(crate) is_decoy: bool,
    /// Which person of [`PEOPLE`] is looked for.
    pub(crate) person: usize,
}

fn ascii_name(index: usize) -> String {
    // Addresses are made from the number and not from the name: many names have no Latin letters.
    const SYLLABLES: [&str; 10] = ["ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu"];
    format!("{}{}x{}", SYLLABLES[index / 10 % 10], SYLLABLES[index % 10], SYLLABLES[(index * 7 + 3) % 10])
}

/// What is known of a person.
pub(crate) fn subject(index: usize) -> Subject {
    let person = &PEOPLE[index];
    let code = ascii_name(index);
    let mut subject = Subject::default();
    let family = format!("{} {}", person.particles, person.family);
    let added = [
        subject.add_name(person.given, family.trim()).map(|_| ()),
        subject.add(IdentifierKind::Email, &format!("{code}.private@prüf-{code}.example")).map(|_| ()),
        subject.add(IdentifierKind::Email, &format!("{code}.box@gmail.com")).map(|_| ()),
        subject.add(IdentifierKind::Phone, &phone(index, "+49 30 ", "")).map(|_| ()),
        subject.add(IdentifierKind::Handle, &format!("https://twitter.com/{code}_writes")).map(|_| ()),
        subject.add(IdentifierKind::Id, &format!("KD-{:04}-{:02}", 4200 + index, index)).map(|_| ()),
    ];
    assert!(added.iter().all(Result::is_ok), "the identifiers of the corpus are good");
    subject
}

fn phone(index: usize, before: &str, between: &str) -> String {
    // Berlin numbers kept free for fiction: 030 23125 xxx.
    format!("{before}23125{between}{:03}", 100 + index)
}

fn escaped(text: &str, each: impl Fn(char) -> String) -> String {
    text.chars()
        .map(|char| if char.is_ascii_alphanumeric() { char.to_string() } else { each(char) })
        .collect()
}

fn percent(text: &str) -> String {
    escaped(text, |char| char.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect())
}

/// Letters without marks, by a table of this corpus's own letters.
fn bare(text: &str) -> String {
    text.chars()
        .map(|char| {
            match char {
                'Í' => "I",
                'ñ' => "n",
                'è' | 'é' | 'ễ' => "e",
                'ç' => "c",
                'ã' | 'á' | 'ă' | 'ä' | 'å' | 'ẫ' | 'ầ' => "a",
                'Å' => "A",
                'ø' | 'ö' | 'ó' | 'ò' => "o",
                'Ö' => "O",
                'ü' | 'ú' | 'ụ' => "u",
                'ß' => "ss",
                'ł' => "l",
                'ğ' => "g",
                'ı' | 'í' | 'ị' => "i",
                'ş' => "s",
                'ř' => "r",
                'č' | 'ć' => "c",
                'æ' => "ae",
                'Þ' => "Th",
                'Ș' => "S",
                'ț' => "t",
                'Ž' => "Z",
                'đ' => "d",
                'ý' => "y",
                other => return other.to_string(),
            }
            .to_owned()
        })
        .collect()
}

fn expanded(text: &str) -> String {
    text.replace('ü', "ue")
        .replace('ö', "oe")
        .replace('ä', "ae")
        .replace('ß', "ss")
        .replace('ø', "oe")
        .replace('å', "aa")
        .replace('Å', "Aa")
}

/// Decomposed, for the letters of the corpus and all of Hangul.
fn decomposed(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        let code = u32::from(char);
        if (0xac00..=0xd7a3).contains(&code) {
            let index = code - 0xac00;
            out.extend(char::from_u32(0x1100 + index / 588));
            out.extend(char::from_u32(0x1161 + index % 588 / 28));
            out.extend(char::from_u32(0x11a7 + index % 28).filter(|_| index % 28 > 0));
            continue;
        }
        let (letter, mark) = match char {
            'ü' => ('u', '\u{308}'),
            'ö' => ('o', '\u{308}'),
            'ä' => ('a', '\u{308}'),
            'Ö' => ('O', '\u{308}'),
            'ñ' => ('n', '\u{303}'),
            'ã' => ('a', '\u{303}'),
            'è' => ('e', '\u{300}'),
            'ò' => ('o', '\u{300}'),
            'á' => ('a', '\u{301}'),
            'í' => ('i', '\u{301}'),
            'é' => ('e', '\u{301}'),
            'Í' => ('I', '\u{301}'),
            'å' => ('a', '\u{30a}'),
            'Å' => ('A', '\u{30a}'),
            'ç' => ('c', '\u{327}'),
            'č' => ('c', '\u{30c}'),
            'ř' => ('r', '\u{30c}'),
            'Ž' => ('Z', '\u{30c}'),
            'й' => ('и', '\u{306}'),
            'ğ' => ('g', '\u{306}'),
            'ş' => ('s', '\u{327}'),
            'ό' => ('ο', '\u{301}'),
            'ώ' => ('ω', '\u{301}'),
            'ά' => ('α', '\u{301}'),
            other => {
                out.push(other);
                continue;
            }
        };
        out.push(letter);
        out.push(mark);
    }
    out
}

fn wide(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char::from_u32(u32::from(char) + 0xfee0).unwrap_or(char)
            } else {
                char
            }
        })
        .collect()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Swaps two letters in the middle of the family name.
fn mistyped(person: &Person) -> Option<String> {
    let mut letters: Vec<char> = person.family.chars().collect();
    let middle = letters.len() / 2;
    if letters.len() < 6
        || letters[middle] == letters[middle - 1]
        || !letters.iter().all(|char| char.is_alphabetic())
    {
        return None;
    }
    letters.swap(middle - 1, middle);
    Some(format!("{} {}", person.given, letters.into_iter().collect::<String>()))
}

fn unspaced(person: &Person) -> bool {
    matches!(person.culture, "chinese" | "japanese" | "japanese-kana" | "korean")
}

type Variation = (&'static str, Gate, Option<String>);

/// The ways in which the full name is written.
#[allow(clippy::too_many_lines, reason = "a table, one line a class")]
fn names(person: &Person) -> Vec<Variation> {
    let family = format!("{} {}", person.particles, person.family).trim().to_owned();
    let full = if person.culture == "japanese-kana" {
        format!("{}・{family}", person.given)
    } else {
        format!("{} {family}", person.given)
    };
    let full = if unspaced(person) && person.culture != "japanese-kana" {
        format!("{family}{}", person.given)
    } else {
        full
    };
    let latin = full.chars().any(|char| char.is_ascii_alphabetic());
    let changed = |text: String| (text != full).then_some(text);
    let initial = person.given.chars().next().unwrap_or('x');
    let entity = |char: char| if char == ' ' { " ".to_owned() } else { format!("&#{};", u32::from(char)) };
    let json = |char: char| if char == ' ' { " ".to_owned() } else { format!("\\u{:04x}", u32::from(char)) };
    let hyphenless = full.replace(['-', '\'', '’'], " ");
    let utf8 = |char: char| {
        if char == ' ' {
            " ".to_owned()
        } else {
            char.to_string().bytes().map(|byte| format!("={byte:02X}")).collect()
        }
    };
    vec![
        ("plain", Gate::FullName, Some(full.clone())),
        ("case", Gate::FullName, changed(full.to_uppercase())),
        ("diacritics", Gate::FullName, latin.then(|| bare(&full)).and_then(changed)),
        (
            "transcribed",
            Gate::FullName,
            matches!(person.culture, "german" | "danish" | "swedish")
                .then(|| expanded(&full))
                .and_then(changed),
        ),
        ("order", Gate::FullName, (!unspaced(person)).then(|| format!("{family}, {}", person.given))),
        ("form", Gate::FullName, changed(decomposed(&full))),
        ("full width", Gate::FullName, latin.then(|| wide(&full))),
        (
            "invisible",
            Gate::FullName,
            Some(
                full.chars()
                    .map(
                        |char| {
                            if char.is_alphabetic() { format!("{char}\u{200b}") } else { char.to_string() }
                        },
                    )
                    .collect(),
            ),
        ),
        ("percent", Gate::FullName, Some(percent(&full))),
        ("percent twice", Gate::FullName, Some(percent(&full).replace('%', "%25"))),
        ("entities", Gate::FullName, changed(escaped(&full, entity))),
        ("json", Gate::FullName, changed(escaped(&full, json))),
        ("quoted-printable", Gate::FullName, changed(escaped(&full, utf8))),
        (
            "base64",
            Gate::FullName,
            Some(format!("data:text/plain;base64,{}", base64(&format!("by {full}.")))),
        ),
        ("separators", Gate::FullName, (hyphenless != full).then_some(hyphenless)),
        (
            "spaced",
            Gate::FullName,
            (person.culture == "korean" || person.culture == "chinese")
                .then(|| format!("{family} {}", person.given)),
        ),
        (
            "particles",
            Gate::FullName,
            (!person.particles.is_empty()).then(|| format!("{} {}", person.given, person.family)),
        ),
        ("slug", Gate::FullName, latin.then(|| bare(&full).to_lowercase().replace([' ', '\''], "-") + "-2")),
        (
            "file name",
            Gate::FullName,
            latin.then(|| format!("IMG_{}_2024.jpg", bare(&full).replace(' ', "_"))),
        ),
        ("initial", Gate::Review, (!unspaced(person)).then(|| format!("{initial}. {family}"))),
        ("elsewhere", Gate::Review, (!person.elsewhere.is_empty()).then(|| person.elsewhere.to_owned())),
        ("inflected", Gate::Review, (!person.inflected.is_empty()).then(|| person.inflected.to_owned())),
        ("mistyped", Gate::Review, mistyped(person)),
        (
            "look-alike",
            Gate::Review,
            latin.then(|| full.replace('e', "е").replace('s', "ѕ")).and_then(changed),
        ),
    ]
}

/// The ways in which the exact identifiers are written.
fn exact(index: usize) -> Vec<Variation> {
    let code = ascii_name(index);
    let email = format!("{code}.private@prüf-{code}.example");
    let is = |text: String| Some(text);
    let mut all = vec![
        ("e-mail", is(email.clone())),
        ("e-mail case", is(email.to_uppercase())),
        ("e-mail mailto", is(format!("mailto:{email}?subject=hello"))),
        ("e-mail percent", is(percent(&email))),
        ("e-mail entities", is(email.replace('@', "&#64;"))),
        ("e-mail written", is(format!("{code}.private (at) prüf-{code} (dot) example"))),
        ("e-mail provider", is(format!("{code}.bo.x+news@googlemail.com"))),
        ("phone", is(phone(index, "+49 30 ", " "))),
        ("phone digits", is(phone(index, "004930", ""))),
        ("phone national", is(phone(index, "(030) ", "-"))),
        ("phone tel", is(format!("tel:{};ext=7", phone(index, "+49-30-", "-")))),
        ("profile", is(format!("https://twitter.com/{code}_writes"))),
        ("profile host", is(format!("http://www.x.com/{}_writes?s=20", code.to_uppercase()))),
        ("id", is(format!("KD-{:04}-{:02}", 4200 + index, index))),
        ("id spaced", is(format!("kd {:04} {:02}", 4200 + index, index))),
    ];
    // The host in punycode, as a browser copies it; of the first person only, encoded by another program.
    if index == 0 {
        all.push(("e-mail punycode", is(format!("{code}.private@xn--prf-babaxgo-uhb.example"))));
    }
    all.into_iter().map(|(class, text)| (class, Gate::Exact, text)).collect()
}

/// Channels, and how a mention stands in each.
const CHANNELS: [(Channel, &str); 8] = [
    (Channel::RichText, "The text was written with {} and others."),
    (Channel::KeyText, "{}"),
    (Channel::Alt, "{}, portrait"),
    (Channel::Copyright, "© 2024 {}"),
    (Channel::Table, "{}"),
    (Channel::Exif, "{}"),
    (Channel::PdfText, "Annual report\n\nContact: {}\nPage 2"),
    (Channel::AssetNotes, "from {}; do not crop"),
];

/// All cases of the corpus for every `step`-th person, from one on.
pub(crate) fn cases(step: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, person) in PEOPLE.iter().enumerate().step_by(step) {
        for (class, gate, text) in names(person).into_iter().chain(exact(index)) {
            let Some(text) = text else { continue };
            let channels: Vec<(Channel, &str)> = match class {
                "slug" => vec![(Channel::Uid, "{}"), (Channel::Slug, "{}"), (Channel::Link, "/authors/{}")],
                "file name" => {
                    vec![(Channel::AssetFileName, "{}"), (Channel::Link, "https://images.example/{}?w=100")]
                }
                _ => CHANNELS.to_vec(),
            };
            for (channel, template) in channels {
                let texts = vec![(channel, template.replace("{}", &text))];
                cases.push(Case {
                    culture: person.culture,
                    class,
                    gate,
                    channel,
                    texts,
                    is_decoy: false,
                    person: index,
                });
            }
        }
        // A name over two fields, and read as one.
        let (given, family) =
            (person.given.to_owned(), format!("{} {}", person.particles, person.family).trim().to_owned());
        for joined in [format!("{given} {family}"), format!("{family} {given}")] {
            let texts = vec![
                (Channel::KeyText, given.clone()),
                (Channel::KeyText, family.clone()),
                (Channel::Joined, joined),
            ];
            cases.push(Case {
                culture: person.culture,
                class: "two fields",
                gate: Gate::FullName,
                channel: Channel::Joined,
                texts,
                is_decoy: false,
                person: index,
            });
        }
        // Namesakes, strangers, and numbers that are near.
        let space = if unspaced(person) { "" } else { " " };
        for text in [
            format!("{}{space}{}", person.other_given, person.other_family),
            format!("{} {}", person.given, person.other_family),
            format!("{} {}", person.other_given, person.family),
            format!("{}.private@example.net", ascii_name(index)),
            phone(index + 300, "+49 30 ", " "),
            format!("KD-{:04}-{:02}7", 4200 + index, index),
            "Our team writes about cities, rivers and trains.".to_owned(),
        ] {
            for (channel, template) in CHANNELS {
                let texts = vec![(channel, template.replace("{}", &text))];
                cases.push(Case {
                    culture: person.culture,
                    class: "decoys",
                    gate: Gate::Review,
                    channel,
                    texts,
                    is_decoy: true,
                    person: index,
                });
            }
        }
    }
    cases
}
