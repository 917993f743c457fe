//! What the snapshots hold: documents of the generator in five languages, and now and then the person.

use std::sync::Arc;

use prismvault::contentapi::Document;
use prismvault::privacy::subject::{IdentifierKind, Subject};
use prismvault::sandbox::SandboxError;
use prismvault::sandbox::synthetic::{SyntheticOptions, generate};
use serde_json::Value;

/// The person: two names, two addresses, a telephone number, a handle and an id.
const PERSON: [(IdentifierKind, &str); 7] = [
    (IdentifierKind::Name, "Perpetua Exampleton"),
    (IdentifierKind::Name, "Theodora Planksworth"),
    (IdentifierKind::Email, PLANTED),
    (IdentifierKind::Email, "t.planksworth@museum.example"),
    (IdentifierKind::Phone, "+49 30 90182700"),
    (IdentifierKind::Handle, "@perpetuaex"),
    (IdentifierKind::Id, "KD-471199"),
];
/// A name that the generator gives to invented people: one document in fifteen has a part of it.
const FREQUENT: &str = "Greta Lindqvast";
/// What is written into one document in a thousand.
const PLANTED: &str = "perpetua.exampleton@example.org";
const PLANTED_EVERY: u64 = 1000;

/// The person who is looked for, also by a name that many have.
pub(crate) fn subject(frequent: bool) -> Result<Subject, Box<dyn std::error::Error>> {
    let mut subject = Subject::default();
    for (kind, text) in PERSON {
        subject.add(kind, text)?;
    }
    if frequent {
        subject.add(IdentifierKind::Name, FREQUENT)?;
    }
    Ok(subject)
}

/// The same for a program that looks for strings: as a person would write them down for it.
pub(crate) fn patterns() -> String {
    let mut lines: Vec<String> =
        PERSON.iter().map(|(_, text)| text.trim_start_matches('@').to_owned()).collect();
    for spelling in
        ["Exampleton, Perpetua", "Planksworth, Theodora", "030 90182700", "493090182700", "KD471199"]
    {
        lines.push(spelling.to_owned());
    }
    lines.join("\n") + "\n"
}

/// As many documents.
pub(crate) fn documents(count: usize) -> Result<Vec<Arc<Document>>, SandboxError> {
    let options = SyntheticOptions { documents: count, assets: 100, ..SyntheticOptions::default() };
    Ok(generate("acme-blog", &options)?.documents)
}

/// What a snapshot stores of a document that was edited so often, and whether it names the person. One in
/// ten is Russian and one in ten Japanese, as far as an alphabet goes.
pub(crate) fn stored(document: &Document, edits: u32) -> (String, bool) {
    const DATA: &str = "\"data\":{";
    let mut text = document.stored();
    if let Some(at) = text.find(DATA).filter(|_| edits > 0) {
        text.insert_str(at + DATA.len(), &format!("\"revision\":\"rev-{edits}\","));
    }
    // By the id: what was edited stays in its language.
    let number = document.head.id().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) >> 16;
    let letters = match number % 10 {
        0 => Letters::Cyrillic,
        1 => Letters::Japanese,
        _ => Letters::Latin,
    };
    let names_person = number % PLANTED_EVERY == 7;
    if letters == Letters::Latin && !names_person {
        return (text, false);
    }
    let Ok(mut value) = serde_json::from_str(&text) else { return (text, false) };
    if letters != Letters::Latin {
        respell(&mut value, letters);
    }
    if names_person {
        value["data"]["contact"] = Value::from(format!("Write to {PLANTED}."));
    }
    (value.to_string(), names_person)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Latin,
    Cyrillic,
    Japanese,
}

/// Puts the letters of texts into another alphabet.
fn respell(value: &mut Value, letters: Letters) {
    const CYRILLIC: [char; 26] = [
        'а', 'б', 'ц', 'д', 'е', 'ф', 'г', 'х', 'и', 'й', 'к', 'л', 'м', 'н', 'о', 'п', 'ж', 'р', 'с', 'т',
        'у', 'в', 'ш', 'ы', 'ч', 'з',
    ];
    const JAPANESE: [char; 26] = [
        '本', 'の', '市', '場', 'は', '静', 'か', '庭', 'に', '紙', '光', 'と', '色', 'を', '手', '作', '人',
        'る', '町', 'て', '川', '道', '冬', '家', '石', '窓',
    ];
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| respell(value, letters)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "text" => {
                        let other = |char: char| {
                            let place = char.to_ascii_lowercase() as usize;
                            let table = if letters == Letters::Cyrillic { CYRILLIC } else { JAPANESE };
                            match place.checked_sub(usize::from(b'a')).and_then(|place| table.get(place)) {
                                Some(letter) => *letter,
                                None => char,
                            }
                        };
                        *text = text.chars().map(other).collect();
                    }
                    value => respell(value, letters),
                }
            }
        }
        _ => {}
    }
}
