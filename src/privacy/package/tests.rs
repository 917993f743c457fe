//! Packages of hostile entries: what pages, tables, manifests and archives make of them.

use std::fs;
use std::io::Read as _;

use serde_json::Value;

use super::verify::{Fault, verify};
use super::*;
use crate::ids::SnapshotId;
use crate::privacy::passage::Reason;
use crate::privacy::processing::tests::FILLED;
use crate::privacy::search::{Not, SearchedRepository};
use crate::secret::Secret;
use crate::vault::envelope::Identity;
use crate::vault::signing::SigningKey;

/// Writes a file, whatever was there before.
fn put_file(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes.as_ref()).unwrap();
}

const HOSTILE: [&str; 9] = [
    "</td></script><script>alert(1)</script>",
    "\" onmouseover=\"x\" '<b>bold</b>'",
    "=HYPERLINK(\"http://evil.example\")",
    "+1+1|cmd",
    "-2",
    "@SUM(A1)",
    "\tTab, \"quote\"\r\nand a line",
    "\u{202e}שלום عليكم",
    "nul \0 and \u{1b}[31m",
];

fn snapshot(day: u32) -> SnapshotId {
    format!("202611{day:02}T020000Z-0badcafe").parse().unwrap()
}

fn key(section: Section, path: &str, text: &str) -> Key {
    Key {
        section,
        repository: Some("blog".parse().unwrap()),
        path: path.to_owned(),
        place: "/data/text".to_owned(),
        kind: PlaceKind::Text,
        text: text.to_owned(),
    }
}

fn seen() -> Seen {
    Seen {
        evidence: [Evidence::FullName].into(),
        first: Some(snapshot(1)),
        last: Some(snapshot(9)),
        snapshots: 3,
        live: Some(true),
        is_hidden: false,
    }
}

fn package(texts: &[&str], right: Right, language: Language) -> Package {
    let mut records = Records::default();
    for (number, text) in texts.iter().enumerate() {
        records
            .add(key(Section::Documents, &format!("documents/en-us/page/{number:05}.json"), text), seen())
            .unwrap();
    }
    records.add(key(Section::Members, "repository/members.json", "perpetua@example.org"), seen()).unwrap();
    let place = ("blog".parse().unwrap(), "assets/A/original".to_owned());
    records.add(key(Section::Files, &place.1, "by Perpetua Exampleton"), seen()).unwrap();
    let copy = |number, not_copied| FileCopy {
        number,
        extension: "jpg",
        size: 3,
        places: [place.clone()].into(),
        not_copied,
    };
    let coverage = Coverage {
        repositories: vec![SearchedRepository {
            repository: "blog".parse().unwrap(),
            snapshots: 9,
            from: snapshot(1),
            to: snapshot(9),
        }],
        unsearchable: [(Reason::Encrypted, 2), (Reason::NoText, 5)].into(),
        unread: 1,
        beyond: Not::ALL.to_vec(),
        ..Coverage::default()
    };
    Package {
        case: "2026-7K3F9Q".parse().unwrap(),
        right,
        rules: RulesUsed { profile: "eu".to_owned(), search: "0.1.0".to_owned() },
        language,
        prepared_on: "2026-11-23".parse().unwrap(),
        searched_on: "2026-11-22".parse().unwrap(),
        processing: Processing::parse(FILLED, Language::En).unwrap(),
        scope: None,
        coverage,
        records,
        files: [(1, copy(1, None)), (2, copy(2, Some(NotCopied::Others)))].into(),
        copies: [(place.clone(), 1)].into(),
        key: SigningKey::generate().public().clone(),
    }
}

/// Writes a package, as `write` does with what it read.
fn written(package: &Package, signer: &SigningKey, place: &Path, protection: &Protection) {
    let mut out = Out::create(place, "2026-7K3F9Q-access", protection, 1_795_392_000).unwrap();
    out.put("files/0001.jpg", Class::Subject, b"jpg").unwrap();
    let manifest = package.fill(&mut out).unwrap();
    let signature = signer.sign(&manifest, MANIFEST);
    out.write(MANIFEST, &manifest).unwrap();
    out.write(SIGNATURE, signature.as_bytes()).unwrap();
    out.finish().unwrap();
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let within = files(&entry.path());
            found.extend(within.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn text_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn hostile_texts_stay_texts_in_pages() {
    for language in Language::ALL {
        let package = package(&HOSTILE, Right::Access, language);
        let pages = html::pages(&package, Texts::of(language), &["index.html", "data.json"]);
        assert_eq!(pages.len(), 1);
        let html = String::from_utf8(pages[0].1.clone()).unwrap();
        assert!(html.contains(&format!("<html lang=\"{}\">", language.code())), "{html}");
        for never in ["<script", "<b>", "onmouseover=\"", "\u{1b}", "\0", "http-equiv=\"refresh", "src="] {
            assert!(!html.contains(never), "{never}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(html.contains("default-src 'none'"));
        let cells = html.matches("<td class=\"text\" dir=\"auto\">").count();
        assert_eq!(cells, HOSTILE.len() + 2, "each text has a cell with a direction of its own");
        let captions = html.matches("<caption>").count();
        assert_eq!(captions, html.matches("<table>").count());
        // The style is the one that the policy allows.
        let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Sha256::digest(style));
        assert!(html.contains(&format!("style-src 'sha256-{hash}'")));
        // Every link of the page leads somewhere in it, or to a file.
        for link in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            match link.strip_prefix('#') {
                Some(id) => assert!(html.contains(&format!("id=\"{id}\"")), "{link}"),
                None => assert_eq!(link, "files/0001.jpg"),
            }
        }
    }
}

#[test]
fn tables_run_no_formulas_and_keep_every_text() {
    let package = package(&HOSTILE, Right::Access, Language::En);
    for bytes in
        [data::csv(&package, Texts::of(Language::En)), data::sources(&package, Texts::of(Language::En))]
    {
        let mut reader = csv::Reader::from_reader(&*bytes);
        let width = reader.headers().unwrap().len();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), HOSTILE.len() + 2);
        for cell in rows.iter().flat_map(|row| row.iter()) {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
        }
        assert!(rows.iter().all(|row| row.len() == width));
    }
    let bytes = data::csv(&package, Texts::of(Language::En));
    let mut reader = csv::Reader::from_reader(&*bytes);
    let texts: Vec<String> = reader.records().map(|row| row.unwrap()[6].to_owned()).collect();
    for text in HOSTILE {
        assert!(texts.iter().any(|cell| cell.trim_start_matches('\'') == text), "{text:?}");
    }
}

/// Checks a value against the parts of JSON Schema that the schema uses; says what does not fit.
fn check(schema: &Value, root: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let known = [
        "$schema",
        "title",
        "description",
        "type",
        "required",
        "additionalProperties",
        "properties",
        "$defs",
        "items",
        "$ref",
        "const",
        "enum",
        "minimum",
        "format",
    ];
    for keyword in schema.as_object().unwrap().keys() {
        assert!(known.contains(&&**keyword), "this check does not know {keyword}");
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.strip_prefix('#').unwrap()).unwrap();
        return check(target, root, value, at, wrong);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let is = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    if !types.is_empty() && !types.iter().any(is) {
        wrong.push(format!("{at} is none of {types:?}"));
    }
    if schema.get("const").is_some_and(|one| one != value) {
        wrong.push(format!("{at} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|some| !some.contains(value)) {
        wrong.push(format!("{at} is {value}, none of {}", schema["enum"]));
    }
    if schema["minimum"].as_i64().is_some_and(|min| value.as_i64().is_some_and(|value| value < min)) {
        wrong.push(format!("{at} is too small"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            wrong.push(format!("{at} lacks {name}"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => check(schema, root, member, &format!("{at}/{name}"), wrong),
            None if schema["additionalProperties"] == false => wrong.push(format!("{at} has {name}")),
            None => {}
        }
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        if schema.get("items").is_some() {
            check(&schema["items"], root, element, &format!("{at}/{index}"), wrong);
        }
    }
}

#[test]
fn data_is_as_its_schema_says_and_the_check_bites() {
    let schema: Value = serde_json::from_str(data::SCHEMA).unwrap();
    let wrong = |value: &Value| {
        let mut wrong = Vec::new();
        check(&schema, &schema, value, "", &mut wrong);
        wrong
    };
    for right in [Right::Access, Right::Portability] {
        let mut package = package(&HOSTILE, right, Language::De);
        let lost = Key { repository: None, path: String::new(), ..key(Section::Documents, "", "gone") };
        package.records.add(lost, Seen { evidence: [Evidence::Record].into(), ..Seen::default() }).unwrap();
        let value: Value = serde_json::from_slice(&data::json(&package, Texts::of(Language::De))).unwrap();
        assert_eq!(wrong(&value), Vec::<String>::new());
        assert!(HOSTILE.iter().all(|text| {
            value["records"].as_array().unwrap().iter().any(|record| record["text"] == *text)
        }));
        let file = value["records"].as_array().unwrap().iter().find(|record| record["section"] == "files");
        assert_eq!(file.unwrap()["file"], "files/0001.jpg");
        for (pointer, bad) in
            [("/format", 2.into()), ("/records/0/kind", "smell".into()), ("/files/0/size", (-1).into())]
        {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = bad;
            assert_eq!(wrong(&changed).len(), 1, "{pointer}");
        }
    }
    // Every word that the program can write is in the schema.
    let names = |pointer: &str| schema.pointer(pointer).unwrap().as_array().unwrap().len();
    assert_eq!(names("/$defs/record/properties/kind/enum"), Texts::of(Language::En).place.len());
    assert_eq!(names("/$defs/record/properties/evidence/items/enum"), Texts::of(Language::En).evidence.len());
    assert_eq!(names("/$defs/record/properties/section/enum"), Section::ALL.len());
    assert_eq!(names("/$defs/beyond/properties/what/enum"), Not::ALL.len());
    assert_eq!(
        names("/$defs/not_searched/properties/reason/enum"),
        Texts::of(Language::En).unsearchable.len()
    );
}

#[test]
fn many_entries_are_on_pages_that_lead_to_each_other() {
    let texts: Vec<String> = (0..1_200).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let package = package(&texts, Right::Access, Language::En);
    let pages = html::pages(&package, Texts::of(Language::En), &[]);
    let names: Vec<&str> = pages.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["index.html", "data-0001.html", "data-0002.html", "data-0003.html"]);
    let html: Vec<String> =
        pages.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect();
    assert!(names[1..].iter().all(|name| html[0].contains(&format!("href=\"{name}\""))));
    assert!(html[2].contains("href=\"data-0001.html\"") && html[2].contains("href=\"data-0003.html\""));
    assert!(!html[1].contains("href=\"data-0000.html\"") && !html[3].contains("href=\"data-0004.html\""));
    let rows: usize = html.iter().map(|page| page.matches("<tr id=\"entry-").count()).sum();
    assert_eq!(rows, 1_202);
    assert!(html[1..].iter().all(|page| page.matches("<tr id=\"entry-").count() <= html::RECORDS_A_PAGE));
}

#[test]
fn a_package_is_verified_and_whatever_is_changed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (signer, place) = (SigningKey::generate(), directory.path().join("answer"));
    let package = package(&HOSTILE, Right::Access, Language::Fr);
    written(&package, &signer, &place, &Protection::Directory);
    let keys = [SigningKey::generate().public().clone(), signer.public().clone()];
    let good = verify(&place, &keys).unwrap();
    assert!(good.is_good() && good.key.as_ref() == Some(signer.public()), "{:?}", good.faults);
    let there = files(&place);
    let manifest = good.manifest.unwrap();
    assert_eq!(manifest.files.len() + 2, there.len());
    for name in [
        "index.html",
        "data.json",
        "data.schema.json",
        "data.csv",
        "sources.csv",
        "article15.json",
        "ask-prismic.fr.txt",
        "how-to-read.fr.txt",
        "files/0001.jpg",
    ] {
        assert!(there.contains_key(name), "{name}: {:?}", there.keys());
    }
    let text = text_of(&there, MANIFEST);
    assert!(!text.contains("Perpetua") && !text.contains("perpetua"), "{text}");
    assert!(text_of(&there, "how-to-read.fr.txt").contains(&package.key.to_string()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&place.join("files"))), (0o700, 0o700));
        assert_eq!(mode(&place.join("data.json")), 0o600);
    }

    let faults = |keys: &[VerifyingKey]| verify(&place, keys).unwrap().faults;
    let named = |faults: &[Fault], path: &str, words: &str| {
        assert!(faults.iter().any(|fault| fault.path == path && fault.what.contains(words)), "{faults:?}");
    };
    named(&faults(&keys[..1]), SIGNATURE, "not the signature");
    named(&faults(&[]), SIGNATURE, "no key");
    let data = &there["data.json"];
    put_file(place.join("data.json"), vec![b'x'; data.len()]);
    named(&faults(&keys), "data.json", "changed since");
    put_file(place.join("data.json"), b"x");
    named(&faults(&keys), "data.json", "had");
    fs::remove_file(place.join("data.json")).unwrap();
    named(&faults(&keys), "data.json", "missing");
    put_file(place.join("data.json"), data);
    fs::create_dir(place.join("more")).unwrap();
    put_file(place.join("more/\u{1b}[2J"), "x");
    let more = faults(&keys);
    assert_eq!(more.len(), 1);
    assert!(more[0].what.contains("nobody signed it") && !more[0].path.contains('\u{1b}'), "{more:?}");
    fs::remove_dir_all(place.join("more")).unwrap();
    #[cfg(unix)]
    {
        fs::rename(place.join("data.csv"), directory.path().join("data.csv")).unwrap();
        std::os::unix::fs::symlink(directory.path().join("data.csv"), place.join("data.csv")).unwrap();
        let linked = faults(&keys);
        named(&linked, "data.csv", "a link");
        fs::remove_file(place.join("data.csv")).unwrap();
        fs::rename(directory.path().join("data.csv"), place.join("data.csv")).unwrap();
    }
    assert!(faults(&keys).is_empty());
    let longer = [text.as_bytes(), b"\n"].concat();
    put_file(place.join(MANIFEST), longer);
    named(&faults(&keys), SIGNATURE, "not the signature");
    fs::remove_file(place.join(SIGNATURE)).unwrap();
    named(&faults(&keys), SIGNATURE, "missing");
    assert!(verify(&place.join("nowhere"), &keys).is_err());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let signer = SigningKey::generate();
    let mut package = package(&HOSTILE, Right::Access, Language::De);
    package.key = signer.public().clone();
    let mut both = ["one", "two"].map(|name| {
        let place = directory.path().join(name);
        written(&package, &signer, &place, &Protection::Directory);
        files(&place)
    });
    both.iter_mut().for_each(|files| drop(files.remove(SIGNATURE)));
    assert_eq!(both[0], both[1]);
}

#[test]
fn nothing_is_replaced_and_nothing_unfinished_stays() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("answer");
    fs::create_dir(&place).unwrap();
    let create = |place: &Path| Out::create(place, "x", &Protection::Directory, 0);
    assert!(matches!(create(&place), Err(PackageError::Exists(_))));
    let begun = create(&directory.path().join("begun")).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    drop(begun);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let nowhere = create(&directory.path().join("no/such/place"));
    assert!(matches!(nowhere, Err(PackageError::Local { .. })));
    // Somebody was quicker.
    let mut late = create(&directory.path().join("late")).unwrap();
    late.put("a", Class::Public, b"a").unwrap();
    fs::create_dir(directory.path().join("late")).unwrap();
    assert!(matches!(late.finish(), Err(PackageError::Exists(_))));
}

/// Unpacks what `age -d | tar x` would.
fn unpacked(sealed: &[u8], identity: &dyn age::Identity) -> BTreeMap<String, Vec<u8>> {
    let decryptor = age::Decryptor::new(sealed).unwrap();
    let mut plain = Vec::new();
    decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_end(&mut plain).unwrap();
    let mut archive = tar::Archive::new(&*plain);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let read = entries.map(|mut entry| {
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (path, bytes)
    });
    read.collect()
}

#[test]
fn an_encrypted_package_is_opened_by_its_recipient_only_and_leaves_nothing_readable() {
    let directory = tempfile::tempdir().unwrap();
    let (signer, identity) = (SigningKey::generate(), Identity::generate());
    let package = package(&["by Perpetua Exampleton"], Right::Access, Language::En);
    let plain = directory.path().join("plain");
    written(&package, &signer, &plain, &Protection::Directory);
    let to_key = Protection::Recipients(vec![identity.recipient()]);
    let place = destination(&directory.path().join("answer"), &to_key);
    assert!(place.to_str().unwrap().ends_with("answer.tar.age"));
    assert_eq!(destination(&place, &to_key), place);
    written(&package, &signer, &place, &to_key);
    let mut names: Vec<String> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["answer.tar.age", "plain"], "nothing else is left");
    let sealed = fs::read(&place).unwrap();
    assert!(!sealed.windows(8).any(|part| part == b"Perpetua"));
    let text = identity.to_secret_text("test");
    let line = text.expose().lines().last().unwrap();
    let key: age::x25519::Identity = line.parse().unwrap();
    let found = unpacked(&sealed, &key);
    let expected = files(&plain);
    assert_eq!(found.len(), expected.len());
    for (path, bytes) in &expected {
        if path != SIGNATURE {
            assert_eq!(found.get(&format!("2026-7K3F9Q-access/{path}")), Some(bytes), "{path}");
        }
    }
    let other = age::x25519::Identity::generate();
    let refused =
        age::Decryptor::new(&*sealed).unwrap().decrypt(std::iter::once(&other as &dyn age::Identity));
    assert!(refused.is_err());
}

#[test]
fn a_passphrase_opens_a_package() {
    let directory = tempfile::tempdir().unwrap();
    let mut package = package(&[], Right::Access, Language::En);
    package.records = Records::default();
    let protection = Protection::Passphrase(Secret::new("four invented words here"));
    let place = directory.path().join("answer.tar.age");
    written(&package, &SigningKey::generate(), &place, &protection);
    let sealed = fs::read(&place).unwrap();
    let words = age::secrecy::SecretString::from("four invented words here".to_owned());
    let found = unpacked(&sealed, &age::scrypt::Identity::new(words));
    let index = String::from_utf8(found["2026-7K3F9Q-access/index.html"].clone()).unwrap();
    assert!(index.contains("Nothing about you was found where we searched"), "{index}");
    let wrong = age::scrypt::Identity::new(age::secrecy::SecretString::from("others".to_owned()));
    let refused =
        age::Decryptor::new(&*sealed).unwrap().decrypt(std::iter::once(&wrong as &dyn age::Identity));
    assert!(refused.is_err());
}

#[test]
fn nothing_qualifies_is_an_answer_with_its_reason_and_no_data() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("portability");
    let mut package = package(&[], Right::Portability, Language::En);
    (package.records, package.files, package.copies) = Default::default();
    let reason = "All of it is processed on legitimate interest.".to_owned();
    let scope = Scope { decided_by: "Anna of privacy".to_owned(), basis: None, reason, provided: Vec::new() };
    package.scope = Some(scope);
    let mut out = Out::create(&place, "x", &Protection::Directory, 0).unwrap();
    let manifest = package.fill(&mut out).unwrap();
    out.write(MANIFEST, &manifest).unwrap();
    out.finish().unwrap();
    let there = files(&place);
    let names: Vec<&str> = there.keys().map(String::as_str).collect();
    assert_eq!(names, [MANIFEST, "how-to-read.en.txt", "index.html", "scope.json"]);
    let index = text_of(&there, "index.html");
    assert!(
        index.contains("processed on legitimate interest")
            && index.contains("No data falls under this right")
    );
    for (name, bytes) in &there {
        assert!(!String::from_utf8_lossy(bytes).contains("Anna"), "{name} says who decided");
    }
}

#[test]
fn more_than_a_package_holds_is_refused() {
    let mut records = Records::default();
    let half = "x".repeat(TEXT_BYTES_MAX / 2 + 1);
    records.add(key(Section::Documents, "a", &half), seen()).unwrap();
    // The same once more is no more.
    records.add(key(Section::Documents, "a", &half), seen()).unwrap();
    let more = records.add(key(Section::Documents, "b", &half), seen());
    assert!(matches!(more, Err(PackageError::TooMuch)));
    let merged = &records.all.values().next().unwrap();
    assert_eq!(
        (merged.snapshots, merged.first.clone(), merged.last.clone()),
        (6, Some(snapshot(1)), Some(snapshot(9)))
    );
}
