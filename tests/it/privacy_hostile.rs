//! Files made to hurt whoever reads them: each ends soon, with a reason, and without taking back what was
//! read before.

use std::time::Duration;

use flate2::write::ZlibEncoder;
use prismvault::privacy::channels::Bounds;
use prismvault::privacy::passage::{Channel, Reason};
use proptest::prelude::*;

use crate::privacy_channels::plant::{Takes, archive, assemble, exif, jpeg, places, png, stream};
use crate::privacy_channels::{Kept, read_file, read_with};

/// Bounds that are soon hit.
fn small() -> Bounds {
    Bounds {
        unpacked_max: 4 << 20,
        json_bytes_max: 1 << 20,
        pdf_objects_max: 1 << 20,
        text_max: 8 << 20,
        passages_max: 50_000,
        members_max: 100,
        ..Bounds::default()
    }
}

fn read_small(bytes: &[u8]) -> Kept {
    read_with("assets/a/original", None, bytes, &small())
}

fn zeros(count: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; count]).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_item_that_is_too_large_is_said_to_be() {
    let bounds = Bounds { bytes_max: 10, ..Bounds::default() };
    let kept = read_with("assets/a/original", None, b"Nora Vale was here", &bounds);
    assert_eq!((kept.reasons(), kept.passages.len()), (vec![Reason::TooLarge], 0));
}

#[test]
fn a_bomb_in_an_archive_ends_that_member_and_the_others_are_read() {
    let bomb = vec![b'x'; 3 << 20];
    let kept = read_small(&archive(&[("a.txt", b"Nora Vale"), ("bomb.txt", &bomb), ("c.txt", b"Ida Falk")]));
    assert_eq!(kept.reasons(), [Reason::UnpacksToMore]);
    assert_eq!(kept.unsearchable[0].place, "bomb.txt");
    assert!(kept.has(Channel::PlainText, "Nora Vale") && kept.has(Channel::PlainText, "Ida Falk"));
}

#[test]
fn many_small_bombs_are_one() {
    let part = vec![b'x'; 900 << 10];
    let names: Vec<_> = (0..20).map(|number| format!("{number}.txt")).collect();
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), part.as_slice())).collect();
    let kept = read_small(&archive(&members));
    assert_eq!(kept.reasons().last(), Some(&Reason::UnpacksToMore));
    assert!(
        kept.passages.iter().map(|passage| passage.3.len()).sum::<usize>()
            <= small().unpacked_max + (1 << 20)
    );
}

#[test]
fn archives_in_archives_are_not_opened() {
    let inner = archive(&[("a.txt", b"Nora Vale")]);
    let kept = read_small(&archive(&[("inner.zip", &inner), ("b.txt", b"Ida Falk")]));
    assert_eq!(kept.reasons(), [Reason::TooDeep]);
    assert!(kept.has(Channel::PlainText, "Ida Falk") && !kept.has(Channel::PlainText, "Nora Vale"));
    let members: Vec<(String, &[u8])> = (0..200).map(|number| (number.to_string(), &b""[..])).collect();
    let members: Vec<_> = members.iter().map(|(name, body)| (name.as_str(), *body)).collect();
    assert_eq!(read_small(&archive(&members)).reasons(), [Reason::TooLarge]);
}

#[test]
fn a_packed_text_of_a_picture_can_be_a_bomb() {
    let body = [b"Author\0\0", &zeros(64 << 20)[..]].concat();
    let kept = read_small(&png(b"zTXt", &body));
    assert_eq!(kept.reasons(), [Reason::UnpacksToMore, Reason::NoText]);
    let damaged = read_small(&png(b"zTXt", b"Author\0\0this is not packed"));
    assert_eq!(damaged.reasons(), [Reason::Damaged, Reason::NoText]);
}

#[test]
fn entities_of_xml_are_never_expanded() {
    let levels: String =
        (1..30).map(|n| format!("<!ENTITY a{n} \"&a{0};&a{0};&a{0};&a{0};\">", n - 1)).collect();
    let text =
        format!("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a0 \"Nora Vale\">{levels}]><a>&a29; Ida</a>");
    let kept = read_small(text.as_bytes());
    assert!(kept.has(Channel::PlainText, "Nora Vale") && kept.has(Channel::PlainText, "&a29; Ida"));
    assert!(kept.passages.iter().map(|passage| passage.3.len()).sum::<usize>() < 2 * text.len());
    let outside = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/hosts\">]><a>&x;</a>";
    assert!(read_small(outside.as_bytes()).has(Channel::PlainText, "&x;"));
}

#[test]
fn depth_of_markup_costs_nothing() {
    for (open, close) in
        [("<a>", "</a>"), ("<svg><g>", "</g></svg>"), ("<div>", "</div>"), ("{\"a\":", "}"), ("[", "]")]
    {
        let deep = format!("{}Nora Vale{}", open.repeat(50_000), close.repeat(50_000));
        let kept = read_with("assets/a/original", Some("a.xml"), deep.as_bytes(), &Bounds::default());
        assert!(kept.passages.iter().any(|passage| passage.3.contains("Nora Vale")), "{open}");
    }
    // Quotes and brackets that never end.
    for start in ["<a \"", "<a '", "<!--", "<", "<a b=", "</", "<script>", "&", "&#x"] {
        let kept = read_with("assets/a/original", Some("a.html"), start.repeat(100_000).as_bytes(), &small());
        assert!(kept.passages.len() < 50_000, "{start}");
    }
}

#[test]
fn json_that_is_too_deep_or_cut_is_read_string_by_string() {
    let deep = format!("{{\"id\":\"a\",\"data\":{}\"Nora \\u0056ale\"{}}}", "[".repeat(300), "]".repeat(300));
    let kept = read_with("documents/en-us/page/a.json", None, deep.as_bytes(), &Bounds::default());
    assert_eq!(kept.reasons(), [Reason::TooDeep]);
    assert!(kept.has(Channel::KeyText, "Nora Vale"));
    for cut in [
        &br#"{"data":{"name":"Nora Vale","x":"cut"#[..],
        b"{\"a\":Nora Vale}",
        b"Nora Vale",
        b"\"Nora Vale\xff\"",
    ] {
        for path in [
            "documents/en-us/page/a.json",
            "assets/a/metadata.json",
            "repository/tags.json",
            "models/slices/a.json",
        ] {
            let kept = read_with(path, None, cut, &Bounds::default());
            assert_eq!(kept.reasons(), [Reason::Damaged], "{path}");
            assert!(kept.passages.iter().any(|passage| passage.3.contains("Nora Vale")), "{path}");
        }
    }
}

#[test]
fn json_and_objects_that_would_take_much_memory_are_not_parsed() {
    let many = format!(r#"{{"id":"a","data":[{}"Nora Vale"]}}"#, r#"{"a":"b"},"#.repeat(200_000));
    let few = Bounds { passages_max: 1_000_000, ..small() };
    let kept = read_with("documents/en-us/page/a.json", None, many.as_bytes(), &few);
    assert_eq!(kept.reasons(), [Reason::TooLarge]);
    assert!(kept.has(Channel::KeyText, "Nora Vale"));
    let kept = read_with("assets/a/original", Some("a.json"), many.as_bytes(), &few);
    assert!(kept.has(Channel::PlainText, "Nora Vale"));
    let list = format!("[{}]", "0 ".repeat(700_000));
    assert_eq!(read_small(&pdf(&[list.as_bytes()])).reasons(), [Reason::TooLarge]);
}

#[test]
fn parts_that_cannot_be_searched_are_told_up_to_a_number() {
    let picture = r#"<image href="data:image/png;base64,AAAA"/>"#.repeat(5_000);
    let kept = read_file(format!("<svg>{picture}</svg>").as_bytes());
    assert_eq!(kept.unsearchable.len(), Bounds::default().unsearchable_max + 1);
    assert_eq!(kept.reasons().last(), Some(&Reason::TooLarge));
}

#[test]
fn exif_that_points_in_circles_or_counts_to_heaven_ends() {
    let artist = |at: u32, count: u32| {
        let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x3b\0\x02".to_vec();
        tiff.extend(count.to_be_bytes());
        tiff.extend(at.to_be_bytes());
        // The next directory is this one.
        tiff.extend(8_u32.to_be_bytes());
        tiff.extend(b"Nora Vale\0");
        tiff
    };
    let kept = read_file(&artist(26, 10));
    assert!(kept.has(Channel::Exif, "Nora Vale"));
    assert_eq!(kept.reasons(), [Reason::NoText], "a circle is read once");
    for (at, count) in [(26, u32::MAX), (26, 11), (u32::MAX, 10), (26, 0x8000_0000)] {
        let kept = read_file(&artist(at, count));
        assert_eq!(kept.reasons(), [Reason::Damaged, Reason::NoText], "{at} {count}");
    }
    // As many tags as a directory can have, all with the same long value.
    let mut tiff = b"II\x2a\0\x08\0\0\0\xff\xff".to_vec();
    let value = 10 + 65_535 * 12 + 4;
    for _ in 0..65_535 {
        tiff.extend([0x3b, 1, 2, 0]);
        tiff.extend(60_000_u32.to_le_bytes());
        tiff.extend((value as u32).to_le_bytes());
    }
    tiff.extend([0; 4]);
    tiff.extend([b'x'; 60_000]);
    assert_eq!(read_small(&tiff).reasons(), [Reason::TooLarge]);
}

#[test]
fn pictures_that_are_cut_give_what_they_have() {
    let artist = [&b"Exif\0\0"[..], &exif(&[(0x013b, 2, b"Nora Vale\0".to_vec())], &[], &[])].concat();
    let whole = jpeg(0xe1, &artist);
    let kept = read_file(&whole[..120]);
    assert!(kept.has(Channel::Exif, "Nora Vale"));
    assert_eq!(kept.reasons(), [Reason::Damaged, Reason::NoText]);
    for place in places() {
        let planted = place.plant(place.takes.sample());
        for cut in 1..8 {
            let bytes = &planted.bytes[..planted.bytes.len() * cut / 8];
            let kept = read_with(place.path, place.file_name, bytes, &small());
            // A text that ends early is a text.
            let texts = ["text", "markdown", "subtitles", "csv", "json", "html", "xml", "svg"];
            let is_text = texts.iter().any(|text| place.name.starts_with(text));
            assert!(
                is_text || bytes.is_empty() || !kept.unsearchable.is_empty() || kept.passages.is_empty(),
                "{} {cut}",
                place.name
            );
        }
    }
}

const CATALOG: &[u8] = b"<< /Type /Catalog /Pages 2 0 R >>";
const PAGES: &[u8] = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
const PAGE: &[u8] = b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> /XObject << /X1 5 0 R /X6 6 0 R >> >> >>";
const FONT: &[u8] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";

fn pdf(objects: &[&[u8]]) -> Vec<u8> {
    let objects: Vec<_> =
        [CATALOG, PAGES, PAGE, FONT].iter().chain(objects).map(|object| object.to_vec()).collect();
    assemble(&objects, "")
}

#[test]
fn a_pdf_whose_page_unpacks_to_more_says_so() {
    let page = stream("/Filter /FlateDecode", &zeros(64 << 20));
    assert_eq!(read_small(&pdf(&[&page])).reasons(), [Reason::UnpacksToMore]);
    // A chain of filters, each of which makes more of it.
    let mut twice = Vec::new();
    let mut encoder = ZlibEncoder::new(&mut twice, flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &zeros(512 << 20)).unwrap();
    encoder.finish().unwrap();
    let page = stream("/Filter [/FlateDecode /FlateDecode]", &twice);
    assert_eq!(read_small(&pdf(&[&page])).reasons(), [Reason::UnpacksToMore]);
    let filters = format!("/Filter [{}]", "/FlateDecode ".repeat(5_000));
    let kept = read_small(&pdf(&[&stream(&filters, b"x")]));
    assert!(kept.reasons().iter().all(|reason| matches!(reason, Reason::Damaged | Reason::UnpacksToMore)));
}

#[test]
fn object_streams_that_unpack_to_more_say_so() {
    let bomb = stream("/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode", &zeros(64 << 20));
    let hidden = stream("/Type /#4fbjStm /N 1 /First 4 /Filter /FlateDecode", &zeros(900 << 10));
    assert_eq!(read_small(&pdf(&[&stream("", b""), &bomb])).reasons(), [Reason::UnpacksToMore]);
    let many: Vec<&[u8]> = std::iter::repeat_n(hidden.as_slice(), 40).collect();
    assert_eq!(read_small(&pdf(&[&[&b""[..]], &many[..]].concat())).reasons(), [Reason::UnpacksToMore]);
}

#[test]
fn forms_and_pages_in_circles_are_read_once() {
    let form = stream(
        "/Subtype /Form /Resources << /Font << /F1 4 0 R >> /XObject << /X1 5 0 R /X6 6 0 R >> >>",
        b"BT /F1 9 Tf (Nora Vale) Tj ET /X1 Do /X6 Do /X1 Do",
    );
    let kept = read_small(&pdf(&[&form, &form]));
    assert!(kept.has(Channel::PdfText, "Nora Vale"));
    assert!(kept.passages.len() < 10);
    let circle = [
        CATALOG,
        b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 9 /Parent 2 0 R >>",
        PAGE,
        FONT,
        &stream("", b"BT /F1 9 Tf (Nora Vale) Tj ET"),
    ];
    let kept = read_small(&assemble(&circle.map(<[u8]>::to_vec), ""));
    assert!(kept.has(Channel::PdfText, "Nora Vale"));
    let alone: Vec<Vec<u8>> = vec![b"1 0 R".to_vec(), b"2 0 R".to_vec()];
    assert_eq!(read_small(&assemble(&alone, "")).reasons(), [Reason::Damaged]);
}

#[test]
fn forms_that_multiply_end() {
    // Each shows the next ten times: ten thousand million texts, were each read as often as it is shown.
    let mut objects = vec![CATALOG.to_vec(), PAGES.to_vec(), PAGE.to_vec(), FONT.to_vec()];
    for number in 5..15 {
        let resources = format!(
            "/Subtype /Form /Resources << /Font << /F1 4 0 R >> /XObject << /N {} 0 R >> >>",
            number + 1
        );
        objects.push(stream(
            &resources,
            b"BT /F1 9 Tf (Nora Vale) Tj ET /N Do /N Do /N Do /N Do /N Do /N Do /N Do /N Do /N Do /N Do",
        ));
    }
    objects.push(stream("/Subtype /Form", b""));
    let kept = read_small(&assemble(&objects, ""));
    assert!(kept.has(Channel::PdfText, "Nora Vale"));
}

#[test]
fn deep_values_of_a_pdf_do_not_end_the_program() {
    for (open, close) in [("[", "]"), ("<< /A ", ">>"), ("(", ")")] {
        let deep = format!("{}{}", open.repeat(200_000), close.repeat(200_000));
        let kept = read_small(&pdf(&[deep.as_bytes()]));
        assert!(!kept.reasons().is_empty(), "{open}");
        let content = stream("", format!("{deep} Tj").as_bytes());
        read_small(&pdf(&[&content]));
    }
}

#[test]
fn encrypted_files_are_said_to_be() {
    let trailer =
        "/ID [<00112233445566778899AABBCCDDEEFF> <00112233445566778899AABBCCDDEEFF>] /Encrypt 6 0 R";
    let secret =
        format!("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{0}> /U <{0}> >>", "41".repeat(32));
    let objects = [CATALOG, PAGES, PAGE, FONT, &stream("", b"xxxx"), secret.as_bytes()].map(<[u8]>::to_vec);
    assert_eq!(read_small(&assemble(&objects, trailer)).reasons(), [Reason::Encrypted]);
    // A member of an archive with the mark of encryption.
    let mut packed = archive(&[("a.txt", b"Nora Vale, Nora Vale")]);
    packed[6] |= 1;
    let central = packed.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    packed[central + 8] |= 1;
    assert_eq!(read_small(&packed).reasons(), [Reason::Encrypted]);
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        read_small(&[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &name[..]].concat()).reasons(),
        [Reason::Encrypted]
    );
    let manifest = br#"<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>"#;
    let document =
        archive(&[("mimetype", b"x"), ("content.xml", b"\x01\x02\x03"), ("META-INF/manifest.xml", manifest)]);
    assert!(read_small(&document).reasons().contains(&Reason::Encrypted));
}

#[test]
fn pages_without_text_and_fonts_without_meaning_are_told() {
    let drawn = stream("", b"0 0 m 9 9 l S");
    let kept = read_small(&pdf(&[&drawn]));
    assert_eq!((kept.reasons(), kept.unsearchable[0].place.as_str()), (vec![Reason::NoText], "page 1"));
    let glyphs = b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [] >>";
    let objects =
        [CATALOG, PAGES, PAGE, glyphs, &stream("", b"BT /F1 9 Tf <000100020003> Tj ET")].map(<[u8]>::to_vec);
    assert_eq!(read_small(&assemble(&objects, "")).reasons(), [Reason::NoText]);
}

#[test]
fn a_format_without_reader_is_told_and_its_strings_are_read() {
    for head in [
        &b"Rar!\x1a\x07\0"[..],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\x1a\x45\xdf\xa3",
        b"{\\rtf1 ",
        b"\0\x01\x02\x03\xff\xfe\xfd",
    ] {
        let wide: Vec<u8> = "Ida Falk".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let kept = read_small(&[head, b"\x01Nora Vale\0\0\x02", &wide].concat());
        assert_eq!(kept.reasons(), [Reason::UnknownFormat]);
        assert!(
            kept.has(Channel::PlainText, "Nora Vale") && kept.has(Channel::PlainText, "Ida Falk"),
            "{head:?}"
        );
    }
    assert_eq!(read_small(b"").reasons(), []);
}

#[test]
fn an_item_takes_no_more_time_passages_or_text_than_it_may() {
    for place in places() {
        let planted = place.plant(place.takes.sample());
        let late = Bounds { time_max: Duration::ZERO, ..Bounds::default() };
        let kept = read_with(place.path, place.file_name, &planted.bytes, &late);
        assert!(kept.reasons().contains(&Reason::TooSlow) && kept.passages.is_empty(), "{}", place.name);
        for bounds in
            [Bounds { passages_max: 0, ..Bounds::default() }, Bounds { text_max: 0, ..Bounds::default() }]
        {
            let kept = read_with(place.path, place.file_name, &planted.bytes, &bounds);
            assert!(kept.reasons().contains(&Reason::TooLarge) && kept.passages.is_empty(), "{}", place.name);
        }
    }
    let lines = "Nora Vale\n\n".repeat(1_000);
    let few = Bounds { passages_max: 10, ..Bounds::default() };
    let kept = read_with("assets/a/original", None, lines.as_bytes(), &few);
    assert_eq!((kept.passages.len(), kept.reasons()), (10, vec![Reason::TooLarge]));
}

#[test]
fn a_long_line_is_cut_so_that_no_name_is_torn() {
    let text = "wörd ".repeat(40_000) + "Nora Vale";
    for cut in 0..40 {
        let text = format!("{}{text}", "é".repeat(cut));
        let kept = read_file(text.as_bytes());
        assert!(kept.has(Channel::PlainText, "Nora Vale"));
        assert!(kept.passages.iter().all(|passage| passage.3.len() <= 16 << 10));
        // Whatever stands in the text stands in one passage.
        assert!(kept.passages.windows(2).all(|pair| {
            let end = &pair[0].3[pair[0].3.floor_char_boundary(pair[0].3.len() - 100)..];
            pair[1].3.contains(end)
        }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_a_reader_fail(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let places = places();
        let place = which.get(&places);
        let mut bytes = place.plant(Takes::sample(place.takes)).bytes;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for length in [bytes.len(), cut.index(bytes.len())] {
            let kept = read_with(place.path, place.file_name, &bytes[..length], &small());
            prop_assert!(kept.passages.len() <= small().passages_max);
        }
    }

    #[test]
    fn bytes_of_nothing_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400), head in 0_usize..12) {
        let heads: [&[u8]; 12] = [b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\x10WEBP", b"II\x2a\0",
            b"%PDF-1.4\n", b"PK\x03\x04", b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\x20meta\0\0\0\0", b"ID3\x04\0\0\0\0\x01\0", b"fLaC\x84", b"OggS\x03vorbis"];
        let kept = read_small(&[heads[head], &bytes].concat());
        prop_assert!(!kept.unsearchable.is_empty() || head == 0);
    }
}
