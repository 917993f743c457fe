//! Places in PDF documents.

use prismvault::privacy::passage::Channel as C;

use super::pictures::{exif, jpeg};
use super::{Place, Takes, file, latin1, percent, plain, split, utf16_be, xmp, zlib};

/// A PDF of these objects, the first of which is the catalog, with a table of references. What is said in `trailer`
/// goes into it.
pub(crate) fn assemble(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n", index + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let table = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    out.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
    let size = objects.len() + 1;
    out.extend(
        format!("trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n").bytes(),
    );
    out
}

/// A stream with what is said in its dictionary.
pub(crate) fn stream(dictionary: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("<< {dictionary} /Length {} >>\nstream\n", body.len());
    [head.as_bytes(), body, b"\nendstream"].concat()
}

/// The four objects that every page needs; fonts and content are objects 4 and 5.
fn pages(catalog: &str, page: &str, font: Vec<u8>, content: Vec<u8>) -> Vec<Vec<u8>> {
    vec![
        format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>").into_bytes(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R \
             /Resources << /Font << /F1 4 0 R >> /XObject << /X1 6 0 R >> >> {page} >>"
        )
        .into_bytes(),
        font,
        content,
    ]
}

fn helvetica() -> Vec<u8> {
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec()
}

/// A literal string.
fn literal(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"(".to_vec();
    for byte in bytes {
        match byte {
            b'(' | b')' | b'\\' => out.extend([b'\\', *byte]),
            0x20..=0x7e => out.push(*byte),
            byte => out.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    out.push(b')');
    out
}

/// A text string in hexadecimal UTF-16.
fn hexadecimal(text: &str) -> String {
    let digits: String = utf16_be(text).iter().map(|byte| format!("{byte:02X}")).collect();
    format!("<FEFF{digits}>")
}

fn shown(text: &[u8]) -> Vec<u8> {
    [b"BT /F1 12 Tf 72 720 Td ", &literal(text)[..], b" Tj ET"].concat()
}

/// A page whose other objects are those given.
fn with(catalog: &str, page: &str, content: &[u8], others: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut objects = pages(catalog, page, helvetica(), stream("", content));
    objects.extend_from_slice(others);
    assemble(&objects, trailer)
}

fn with_content(content: &[u8]) -> Vec<u8> {
    with("", "", content, &[], "")
}

/// A page in a font whose codes are numbers of its own, with a table of what they mean.
fn composite(text: &str) -> Vec<u8> {
    let chars: Vec<char> = text.chars().collect();
    let mut map = "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n".to_owned();
    for (index, char) in chars.iter().enumerate() {
        let units: String = char.to_string().encode_utf16().map(|unit| format!("{unit:04X}")).collect();
        map.push_str(&format!("1 beginbfchar <{:04X}> <{units}> endbfchar\n", index + 1));
    }
    map.push_str("endcmap end");
    let codes: String = (1..=chars.len()).map(|code| format!("{code:04X}")).collect();
    let font = b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>";
    let mut objects = pages(
        "",
        "",
        font.to_vec(),
        stream("", format!("BT /F1 12 Tf 72 720 Td <{codes}> Tj ET").as_bytes()),
    );
    objects.push(b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 >>".to_vec());
    objects.push(stream("/Filter /FlateDecode", &zlib(map.as_bytes())));
    assemble(&objects, "")
}

/// The same page with its objects in a stream and its references in another.
fn in_object_stream(content: &[u8]) -> Vec<u8> {
    let objects = pages("", "", helvetica(), Vec::new());
    let (mut numbers, mut bodies) = (String::new(), Vec::new());
    for (index, object) in objects[..4].iter().enumerate() {
        numbers.push_str(&format!("{} {} ", index + 1, bodies.len()));
        bodies.extend(object);
        bodies.push(b' ');
    }
    let packed = zlib(&[numbers.as_bytes(), &bodies].concat());
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, body) in [
        (5, stream("/Filter /FlateDecode", &zlib(content))),
        (6, stream(&format!("/Type /ObjStm /N 4 /First {} /Filter /FlateDecode", numbers.len()), &packed)),
    ] {
        places.push(out.len());
        out.extend(format!("{number} 0 obj\n").bytes());
        out.extend(body);
        out.extend(b"\nendobj\n");
    }
    let table = out.len();
    // One byte of kind, four of place, one of index.
    let mut entries = vec![0, 0, 0, 0, 0, 255];
    entries.extend((0..4).flat_map(|index| [2, 0, 0, 0, 6, index]));
    for place in places.into_iter().chain([table]) {
        entries.push(1);
        entries.extend((place as u32).to_be_bytes());
        entries.push(0);
    }
    out.extend(b"7 0 obj\n");
    out.extend(stream("/Type /XRef /Size 8 /W [1 4 1] /Root 1 0 R /Filter /FlateDecode", &zlib(&entries)));
    out.extend(format!("\nendobj\nstartxref\n{table}\n%%EOF\n").bytes());
    out
}

/// Each letter placed by itself, a wider step for each blank.
fn by_letters(text: &str) -> Vec<u8> {
    let mut content = b"BT /F1 10 Tf 72 720 Td ".to_vec();
    let mut x = 72.0;
    for byte in latin1(text) {
        if byte != b' ' {
            content.extend(format!("1 0 0 1 {x:.2} 720 Tm ").bytes());
            content.extend(literal(&[byte]));
            content.extend(b" Tj ");
        }
        // Every letter of a typewriter is as wide.
        x += 6.0;
    }
    content.extend(b"ET");
    let mut objects = pages("", "", Vec::new(), stream("", &content));
    let widths = "600 ".repeat(224);
    objects[3] = format!("<< /Type /Font /Subtype /TrueType /BaseFont /Courier /Encoding /WinAnsiEncoding /FirstChar 32 /LastChar 255 /Widths [{widths}] >>").into_bytes();
    assemble(&objects, "")
}

fn with_info(key: &str, value: &str) -> Vec<u8> {
    with("", "", &shown(b"A page"), &[format!("<< /{key} {value} >>").into_bytes()], "/Info 6 0 R")
}

pub(super) const PLACES: &[Place] = &[
    file("pdf.page", C::PdfText, "a.pdf", Takes::Latin1, |t| plain(with_content(&shown(&latin1(t))), t)),
    file("pdf.packed_page", C::PdfText, "a.pdf", Takes::Latin1, |t| {
        let content = stream("/Filter /FlateDecode", &zlib(&shown(&latin1(t))));
        plain(assemble(&pages("", "", helvetica(), content), ""), t)
    }),
    file("pdf.object_stream", C::PdfText, "a.pdf", Takes::Latin1, |t| {
        plain(in_object_stream(&shown(&latin1(t))), t)
    }),
    file("pdf.composite_font", C::PdfText, "a.pdf", Takes::Text, |t| plain(composite(t), t)),
    file("pdf.kerned", C::PdfText, "a.pdf", Takes::Words, |t| {
        // Blanks are steps, and letters are moved a little.
        let (first, last) = split(t);
        let (first, last) = (latin1(first), latin1(last));
        let (head, tail) = first.split_at(1);
        let pieces =
            [b"[", &literal(head)[..], b" 40 ", &literal(tail), b" -280 ", &literal(&last), b"]"].concat();
        plain(with_content(&[b"BT /F1 12 Tf 72 720 Td ", &pieces[..], b" TJ ET"].concat()), t)
    }),
    file("pdf.by_letters", C::PdfText, "a.pdf", Takes::Latin1, |t| plain(by_letters(t), t)),
    file("pdf.form", C::PdfText, "a.pdf", Takes::Latin1, |t| {
        let form = stream(
            "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 4 0 R >> >>",
            &shown(&latin1(t)),
        );
        plain(with("", "", b"q /X1 Do Q", &[form], ""), t)
    }),
    file("pdf.author", C::PdfProperties, "a.pdf", Takes::Text, |t| {
        plain(with_info("Author", &hexadecimal(t)), t)
    }),
    file("pdf.author_literal", C::PdfProperties, "a.pdf", Takes::Latin1, |t| {
        let value = String::from_utf8(literal(&latin1(t))).expect("escaped");
        plain(with_info("Author", &value), t)
    }),
    file("pdf.author_wide_literal", C::PdfProperties, "a.pdf", Takes::Text, |t| {
        let value = String::from_utf8(literal(&[&[0xfe, 0xff][..], &utf16_be(t)].concat())).expect("escaped");
        plain(with_info("Author", &value), t)
    }),
    file("pdf.xmp", C::Xmp, "a.pdf", Takes::Text, |t| {
        plain(
            with(
                "/Metadata 6 0 R",
                "",
                &shown(b"A page"),
                &[stream("/Type /Metadata /Subtype /XML", xmp(t, "").as_bytes())],
                "",
            ),
            t,
        )
    }),
    file("pdf.field", C::PdfText, "a.pdf", Takes::Text, |t| {
        let field = format!("<< /FT /Tx /T (who) /V {} /Subtype /Widget /Rect [0 0 9 9] >>", hexadecimal(t));
        plain(
            with(
                "/AcroForm << /Fields [6 0 R] >>",
                "/Annots [6 0 R]",
                &shown(b"A page"),
                &[field.into_bytes()],
                "",
            ),
            t,
        )
    }),
    file("pdf.annotation", C::PdfText, "a.pdf", Takes::Text, |t| {
        let note = format!(
            "<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (Note) /T {} >>",
            hexadecimal(t)
        );
        plain(with("", "/Annots [6 0 R]", &shown(b"A page"), &[note.into_bytes()], ""), t)
    }),
    file("pdf.link", C::PdfText, "a.pdf", Takes::Text, |t| {
        let surface = percent(t);
        let link = format!(
            "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (mailto:{surface}) >> >>"
        );
        let bytes = with("", "/Annots [6 0 R]", &shown(b"A page"), &[link.into_bytes()], "");
        super::Planted { bytes, surface }
    }),
    file("pdf.outline", C::PdfText, "a.pdf", Takes::Text, |t| {
        let outline = [
            b"<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>".to_vec(),
            format!("<< /Title {} /Parent 6 0 R /Dest [3 0 R /Fit] >>", hexadecimal(t)).into_bytes(),
        ];
        plain(with("/Outlines 6 0 R", "", &shown(b"A page"), &outline, ""), t)
    }),
    file("pdf.attachment_name", C::PdfText, "a.pdf", Takes::Text, |t| {
        let named = format!("<< /Type /Filespec /F (x.txt) /UF {} /EF << /F 7 0 R >> >>", hexadecimal(t));
        let others = [named.into_bytes(), stream("/Type /EmbeddedFile", b"nothing")];
        plain(
            with("/Names << /EmbeddedFiles << /Names [(x) 6 0 R] >> >>", "", &shown(b"A page"), &others, ""),
            t,
        )
    }),
    file("pdf.attachment", C::PlainText, "a.pdf", Takes::Text, |t| {
        let others = [
            b"<< /Type /Filespec /F (x.txt) /EF << /F 7 0 R >> >>".to_vec(),
            stream("/Type /EmbeddedFile /Filter /FlateDecode", &zlib(t.as_bytes())),
        ];
        plain(with("", "", &shown(b"A page"), &others, ""), t)
    }),
    file("pdf.picture", C::Exif, "a.pdf", Takes::Text, |t| {
        let artist = exif(&[(0x013b, 2, [t.as_bytes(), b"\0"].concat())], &[], &[]);
        let picture = jpeg(0xe1, &[b"Exif\0\0", &artist[..]].concat());
        let object = stream(
            "/Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
            &picture,
        );
        plain(with("", "", b"q 9 0 0 9 0 0 cm /X1 Do Q", &[object], ""), t)
    }),
];
