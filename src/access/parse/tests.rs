use super::*;

fn read(text: impl AsRef<[u8]>) -> std::result::Result<Vec<String>, String> {
    let list = parse(text.as_ref(), &Limits::default()).map_err(|error| error.to_string())?;
    let line = |member: &Member| format!("{} <{}> {}", member.name, member.email, member.roles_in_words());
    Ok(list.members().iter().map(line).collect())
}

const TWO: [&str; 2] = ["Anna Beck <anna@acme.example> Owner", "Zoé <zoe@acme.example> Writer"];

#[test]
fn a_table_is_read_however_it_was_saved() {
    let plain = "name,email,role\nAnna Beck,anna@acme.example,Owner\nZoé,zoe@acme.example,Writer\n";
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(plain.replace(',', "\t").encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let windows: Vec<u8> = plain.replace(',', ";").chars().map(|char| char as u32 as u8).collect();
    let saved: [Vec<u8>; 9] = [
        plain.into(),
        format!("\u{feff}{plain}").into(),
        plain.replace(',', ";").replace('\n', "\r\n").into(),
        plain.replace(',', "\t").into(),
        format!("sep=;\n{}", plain.replace(',', ";")).into(),
        utf16,
        windows,
        "E-Mail Address;Status;Full Name;User Role\nanna@acme.example;active;\"Anna Beck\";owner\n\n;;;\n\
         zoe@acme.example;;Zoé;WRITER"
            .into(),
        "First name,Last name,Mail,Roles\nAnna,Beck,mailto:anna@acme.example,Owner\nZoé,,<zoe@acme.example>,Writer"
            .into(),
    ];
    for bytes in saved {
        assert_eq!(read(&bytes).unwrap(), TWO, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn json_is_read_in_its_usual_shapes() {
    for text in [
        r#"[{"name":"Anna Beck","email":"anna@acme.example","role":"Owner"},
            {"name":"Zoé","email":"zoe@acme.example","role":"Writer","id":7}]"#,
        r#"{"page":1,"members":[{"fullName":"Anna Beck","Email":"anna@acme.example","roles":["Owner"]},
            {"firstName":"Zoé","mail":"zoe@acme.example","role":{"role":"writer"},"name":null}]}"#,
    ] {
        assert_eq!(read(text).unwrap(), TWO, "{text}");
    }
}

#[test]
fn roles_of_single_locales_and_custom_roles_are_kept() {
    let table = "email,role,locale\n\
                 a@x.example,\"Writer (fr-fr), Publisher (en-us)\",\n\
                 b@x.example,Writer,fr-fr\nb@x.example,Publisher,\"en-us de-de\"\n\
                 c@x.example,SEO (Marketing),\nd@x.example,fr-FR: Writer,\ne@x.example,Guest,all\n";
    let expected = [
        " <a@x.example> Publisher (en-us), Writer (fr-fr)",
        " <b@x.example> Publisher (de-de), Publisher (en-us), Writer (fr-fr)",
        " <c@x.example> SEO (Marketing)",
        " <d@x.example> Writer (fr-fr)",
        " <e@x.example> Guest",
    ];
    assert_eq!(read(table).unwrap(), expected);
    let json = r#"[{"email":"a@x.example","role":{"fr-fr":"Writer","en-us":"Publisher"}},
        {"email":"c@x.example","role":["SEO, Marketing",{"role":"Writer","locale":"fr-fr"}]}]"#;
    assert_eq!(read(json).unwrap(), [expected[0], " <c@x.example> Writer (fr-fr), SEO, Marketing"]);
}

#[test]
fn a_mistake_is_named_by_its_line_and_repeats_nothing_of_the_file() {
    let head = "name,email,role\nAnna,anna@acme.example,Owner\n";
    for (text, mistake) in [
        (String::new(), "the file: it is empty"),
        ("\u{feff} \n".to_owned(), "the file: it is empty"),
        ("name,email,role\n".to_owned(), "the file: it names no member"),
        ("[]".to_owned(), "the file: it names no member"),
        ("Anna,anna@acme.example,Owner\n".to_owned(), "line 1: no column is called \"e-mail\""),
        ("sep=,\nname,email\nAnna,anna@acme.example".to_owned(), "line 2: no column is called \"role\""),
        ("email,mail,role\na@b,c@d,Owner".to_owned(), "line 1: two columns are called \"e-mail\""),
        (format!("{head}Secret Person,,Writer"), "line 3: the e-mail address is missing"),
        (format!("{head}Secret Person,secret.person,Writer"), "line 3: the e-mail address is none"),
        (format!("{head}Secret Person,a@b@c,Writer"), "line 3: the e-mail address is none"),
        (format!("{head}Secret Person,secret@acme.example,"), "line 3: the role is missing"),
        (format!("{head}Secret Person,secret@acme.example"), "line 3: the role is missing"),
        (
            format!("{head}\n\nS,ANNA@acme.example,Writer"),
            "line 5: the e-mail address stands in line 2 already",
        ),
        (
            format!("{head}Person, Secret,secret@acme.example,Writer"),
            "line 3: it has 4 fields, the first line 3",
        ),
        (format!("{head}\"Secret,secret@acme.example,Writer\nB,b@x,Guest\n"), "line 3: a field runs over"),
        (
            format!("{head}Sec\x1bret,secret@acme.example,Writer"),
            "line 3: the name holds a control character",
        ),
        (format!("{head}{},secret@acme.example,Writer", "x".repeat(400)), "line 3: the name is too long"),
        ("[{\"email\":\"secret@acme.example\"}]".to_owned(), "line 1: the role is missing"),
        ("[\n{\"email\":\"secret@acme.example\",\"role\":7}]".to_owned(), "line 2: the role is no text"),
        (
            "[\n{\"email\":[\"secret\"],\"role\":\"Owner\"}]".to_owned(),
            "line 2: the e-mail of a member is no text",
        ),
        ("[\n\"secret@acme.example\"]".to_owned(), "line 2: a member is no object"),
        ("[\n{\"email\":\"secret@acme.example\",}]".to_owned(), "line 2: it is no valid JSON here"),
        ("{\"people\":[]}".to_owned(), "the file: it is an object without a list \"members\""),
        ("{\n\"members\":\"secret\"}".to_owned(), "line 2: the members are no list"),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(mistake), "{text:?}: {error}");
        for word in ["secret", "anna", "Person"] {
            assert!(!error.contains(word), "{error}");
        }
    }
    assert_eq!(read([0x80, 0, 1]).unwrap_err(), "the file: it is no text");
    assert_eq!(read([0xff, 0xfe, 0x00, 0xd8]).unwrap_err(), "the file: it is no valid UTF-16LE");
    let limits = Limits { member_list_bytes_max: 10, ..Limits::default() };
    assert!(parse(b"name,email,role", &limits).unwrap_err().to_string().contains("more than 10 bytes"));
}

proptest::proptest! {
    #[test]
    fn whatever_a_file_holds_it_is_read_or_refused(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        text in "(email|name|role|locale|[a-z@., ;:\"\n\t(){}\\[\\]=é\u{feff}]){0,60}",
        rows in proptest::collection::vec("[a-z]{0,3}@?[a-z.]{0,5}[,;\"\n]?(Owner|Writer|\\(fr-fr\\)|fr:)?", 0..8),
    ) {
        let table = format!("email,role\n{}", rows.join("\n"));
        for file in [&bytes[..], text.as_bytes(), table.as_bytes()] {
            if let Ok(list) = parse(file, &Limits::default()) {
                // What is taken is kept and read back as it is.
                proptest::prop_assert_eq!(&MemberList::from_bytes(&list.to_bytes()).unwrap(), &list);
                proptest::prop_assert!(list.members().iter().all(|member| !member.roles.is_empty()));
            }
        }
    }
}
