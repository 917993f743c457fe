//! Places in Office documents.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use prismvault::privacy::passage::Channel as C;

use super::{Place, Planted, Takes, escaped, file, plain, split};

/// A ZIP archive; members are packed, save for an empty one and `mimetype`.
pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut index) = (Vec::new(), Vec::new());
    for (name, body) in members {
        let is_packed = !body.is_empty() && *name != "mimetype";
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("writing to memory");
        let packed = if is_packed { encoder.finish().expect("writing to memory") } else { body.to_vec() };
        let mut crc = Crc::new();
        crc.update(body);
        // Version, names in UTF-8, method, time, date, sum, sizes.
        let common = [
            &[20, 0, 0, 8, if is_packed { 8 } else { 0 }, 0, 0, 0, 0x21, 0x5a][..],
            &crc.sum().to_le_bytes(),
            &(packed.len() as u32).to_le_bytes(),
            &(body.len() as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        index.extend(
            [b"PK\x01\x02\x14\0", &common[..], &[0; 10], &(out.len() as u32).to_le_bytes(), name.as_bytes()]
                .concat(),
        );
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let place = (out.len() as u32).to_le_bytes();
    let size = (index.len() as u32).to_le_bytes();
    [&out[..], &index, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &place, &[0, 0]].concat()
}

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>"#;
const WORD: &str = r#"xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main""#;

/// A document with one part besides those that it must have.
fn office(part: &str, body: &str) -> Vec<u8> {
    archive(&[("[Content_Types].xml", TYPES.as_bytes()), (part, body.as_bytes())])
}

fn docx(body: &str) -> Vec<u8> {
    office(
        "word/document.xml",
        &format!(r#"<?xml version="1.0"?><w:document {WORD}><w:body>{body}</w:body></w:document>"#),
    )
}

fn paragraph(text: &str) -> String {
    format!(r#"<w:p w:rsidR="00A77B3E"><w:r><w:t xml:space="preserve">{}</w:t></w:r></w:p>"#, escaped(text))
}

fn in_two(text: &str, write: impl FnOnce(&str, &str) -> Vec<u8>) -> Planted {
    let (first, last) = split(text);
    plain(write(&escaped(first), &escaped(last)), &format!("{first} {last}"))
}

fn core(text: &str) -> String {
    format!(
        r#"<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>x</dc:title><dc:creator>{}</dc:creator></cp:coreProperties>"#,
        escaped(text)
    )
}

/// A workbook whose cells refer to these strings, in one row.
fn workbook(strings: &[&str]) -> Vec<u8> {
    let items: String = strings.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
    let cells: String = (0..strings.len()).map(|index| format!(r#"<c t="s"><v>{index}</v></c>"#)).collect();
    archive(&[
        ("[Content_Types].xml", TYPES.as_bytes()),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>").as_bytes(),
        ),
        ("xl/sharedStrings.xml", format!("<sst>{items}</sst>").as_bytes()),
    ])
}

fn open_document(part: &str, body: &str) -> Vec<u8> {
    let content =
        r#"<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"/>"#;
    let mut members: Vec<(&str, &[u8])> = vec![("mimetype", b"application/vnd.oasis.opendocument.text")];
    if part != "content.xml" {
        members.push(("content.xml", content.as_bytes()));
    }
    members.push((part, body.as_bytes()));
    archive(&members)
}

fn odt(body: &str) -> String {
    format!(
        r#"<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:text>{body}</office:text></office:body></office:document-content>"#
    )
}

pub(super) const PLACES: &[Place] = &[
    file("docx.text", C::OfficeText, "a.docx", Takes::Text, |t| {
        plain(docx(&paragraph(&format!("By {t}."))), t)
    }),
    file("docx.runs", C::OfficeText, "a.docx", Takes::Words, |t| {
        in_two(t, |first, last| {
            docx(&format!(
                r#"<w:p><w:r><w:t>{first}</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve"> {last}</w:t></w:r></w:p>"#
            ))
        })
    }),
    file("docx.tab", C::OfficeText, "a.docx", Takes::Words, |t| {
        in_two(t, |first, last| {
            docx(&format!("<w:p><w:r><w:t>{first}</w:t><w:tab/><w:t>{last}</w:t></w:r></w:p>"))
        })
    }),
    file("docx.deleted", C::OfficeText, "a.docx", Takes::Text, |t| {
        plain(docx(&format!("<w:p><w:del><w:r><w:delText>{}</w:delText></w:r></w:del></w:p>", escaped(t))), t)
    }),
    file("docx.header", C::OfficeText, "a.docx", Takes::Text, |t| {
        plain(office("word/header1.xml", &format!("<w:hdr {WORD}>{}</w:hdr>", paragraph(t))), t)
    }),
    file("docx.comment_author", C::OfficeText, "a.docx", Takes::Text, |t| {
        let comment = format!(
            r#"<w:comments {WORD}><w:comment w:author="{}">{}</w:comment></w:comments>"#,
            escaped(t),
            paragraph("x")
        );
        plain(office("word/comments.xml", &comment), t)
    }),
    file("docx.link", C::OfficeText, "a.docx", Takes::Text, |t| {
        let links = format!(
            r#"<Relationships><Relationship Id="r1" Target="mailto:{}" TargetMode="External"/></Relationships>"#,
            escaped(t)
        );
        plain(office("word/_rels/document.xml.rels", &links), t)
    }),
    file("docx.table", C::Joined, "a.docx", Takes::Words, |t| {
        in_two(t, |first, last| {
            let cell = |text: &str| format!("<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>");
            docx(&format!("<w:tbl><w:tr>{}{}</w:tr></w:tbl>", cell(first), cell(last)))
        })
    }),
    file("docx.creator", C::OfficeProperties, "a.docx", Takes::Text, |t| {
        plain(office("docProps/core.xml", &core(t)), t)
    }),
    file("docx.company", C::OfficeProperties, "a.docx", Takes::Text, |t| {
        plain(
            office(
                "docProps/app.xml",
                &format!("<Properties><Company>{}</Company></Properties>", escaped(t)),
            ),
            t,
        )
    }),
    file("xlsx.text", C::OfficeText, "a.xlsx", Takes::Text, |t| plain(workbook(&["x", &escaped(t)]), t)),
    file("xlsx.inline", C::OfficeText, "a.xlsx", Takes::Text, |t| {
        let sheet = format!(
            r#"<worksheet><sheetData><row><c t="inlineStr"><is><t>{}</t></is></c></row></sheetData></worksheet>"#,
            escaped(t)
        );
        plain(office("xl/worksheets/sheet1.xml", &sheet), t)
    }),
    file("xlsx.number", C::OfficeText, "a.xlsx", Takes::Digits, |t| {
        plain(
            office(
                "xl/worksheets/sheet1.xml",
                &format!("<worksheet><sheetData><row><c><v>{t}</v></c></row></sheetData></worksheet>"),
            ),
            t,
        )
    }),
    file("xlsx.row", C::Joined, "a.xlsx", Takes::Words, |t| {
        in_two(t, |first, last| workbook(&["7", first, last, "Berlin"]))
    }),
    file("pptx.slide", C::OfficeText, "a.pptx", Takes::Text, |t| {
        plain(
            office(
                "ppt/slides/slide1.xml",
                &format!(
                    "<p:sld><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sld>",
                    escaped(t)
                ),
            ),
            t,
        )
    }),
    file("pptx.notes", C::OfficeText, "a.pptx", Takes::Text, |t| {
        plain(
            office(
                "ppt/notesSlides/notesSlide1.xml",
                &format!("<p:notes><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:notes>", escaped(t)),
            ),
            t,
        )
    }),
    file("odt.text", C::OfficeText, "a.odt", Takes::Words, |t| {
        in_two(t, |first, last| {
            open_document(
                "content.xml",
                &odt(&format!("<text:p>{first}<text:s/><text:span>{last}</text:span></text:p>")),
            )
        })
    }),
    file("ods.row", C::Joined, "a.ods", Takes::Words, |t| {
        in_two(t, |first, last| {
            let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
            open_document(
                "content.xml",
                &odt(&format!("<table:table-row>{}{}</table:table-row>", cell(first), cell(last))),
            )
        })
    }),
    file("odt.creator", C::OfficeProperties, "a.odt", Takes::Text, |t| {
        plain(
            open_document(
                "meta.xml",
                &format!(
                    "<office:document-meta><office:meta><dc:creator>{}</dc:creator></office:meta></office:document-meta>",
                    escaped(t)
                ),
            ),
            t,
        )
    }),
];
