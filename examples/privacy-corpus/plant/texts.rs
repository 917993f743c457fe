//! Places in files that are text, and in archives of files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prismvault::privacy::passage::Channel as C;
use serde_json::json;

use super::office::archive;
use super::pictures::{exif, jpeg, png};
use super::{Place, Planted, Takes, escaped, file, latin1, plain, split, utf16_be, utf16_le, xmp};

fn in_two(text: &str, write: impl FnOnce(&str, &str) -> String) -> Planted {
    let (first, last) = split(text);
    plain(write(first, last), &format!("{first} {last}"))
}

fn svg(inner: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"><path d="M0 0L9 9"/>{inner}</svg>"#
    )
}

pub(super) const PLACES: &[Place] = &[
    file("text.utf8", C::PlainText, "a.txt", Takes::Text, |t| {
        plain(format!("First line\n\nBy {t}\nLast line\n"), t)
    }),
    file("text.latin1", C::PlainText, "a.txt", Takes::Latin1, |t| {
        plain([b"A letter to ", &latin1(t)[..], b" of this town\n"].concat(), t)
    }),
    file("text.utf16_le", C::PlainText, "a.txt", Takes::Text, |t| {
        plain([&[0xff, 0xfe][..], &utf16_le(t)].concat(), t)
    }),
    file("text.utf16_be", C::PlainText, "a.txt", Takes::Text, |t| {
        plain([&[0xfe, 0xff][..], &utf16_be(t)].concat(), t)
    }),
    file("text.without_name", C::PlainText, "a", Takes::Text, |t| plain(format!("Only {t} stands here"), t)),
    file("markdown.text", C::PlainText, "a.md", Takes::Text, |t| {
        plain(format!("# A page\n\n* [{t}](https://a.example)\n"), t)
    }),
    file("subtitles.text", C::PlainText, "a.vtt", Takes::Text, |t| {
        plain(format!("WEBVTT\n\n00:00.000 --> 00:01.000\n<v Speaker>{t}</v>\n"), t)
    }),
    file("csv.cell", C::PlainText, "a.csv", Takes::Text, |t| {
        plain(format!("id;who\n7;\"{}\"\n", t.replace('"', "\"\"")), t)
    }),
    file("csv.row", C::Joined, "a.csv", Takes::Words, |t| {
        in_two(t, |first, last| format!("id,first,last\n7,{first},{last}\n"))
    }),
    file("json.text", C::PlainText, "a.json", Takes::Text, |t| {
        plain(json!({"people": [{"name": t}]}).to_string(), t)
    }),
    file("json.joined", C::Joined, "a.json", Takes::Words, |t| {
        in_two(t, |first, last| json!([{"first": first, "last": last}]).to_string())
    }),
    file("xml.text", C::PlainText, "a.xml", Takes::Text, |t| {
        plain(format!("<?xml version=\"1.0\"?><a><b>{}</b></a>", escaped(t)), t)
    }),
    file("xml.attribute", C::PlainText, "a.xml", Takes::Text, |t| {
        plain(format!("<?xml version=\"1.0\"?><a><b who=\"{}\"/></a>", escaped(t)), t)
    }),
    file("xml.data", C::PlainText, "a.xml", Takes::Text, |t| {
        plain(format!("<?xml version=\"1.0\"?><a><![CDATA[{t}]]></a>"), t)
    }),
    file("html.text", C::PlainText, "a.html", Takes::Words, |t| {
        in_two(t, |first, last| {
            format!("<!DOCTYPE html><html><body><p><b>{first}</b> {last}</p></body></html>")
        })
    }),
    file("html.attribute", C::PlainText, "a.html", Takes::Latin1, |t| {
        plain(format!("<!DOCTYPE html><html><body><img alt=\"{t}\" src=a.png></body></html>"), t)
    }),
    file("svg.text", C::Svg, "a.svg", Takes::Words, |t| {
        in_two(t, |first, last| {
            svg(&format!("<text x=\"1\">{} <tspan>{}</tspan></text>", escaped(first), escaped(last)))
        })
    }),
    file("svg.title", C::Svg, "a.svg", Takes::Text, |t| {
        plain(svg(&format!("<title>{}</title>", escaped(t))), t)
    }),
    file("svg.metadata", C::Svg, "a.svg", Takes::Text, |t| {
        plain(
            svg(&format!(
                "<metadata><rdf:RDF><cc:Work><dc:creator>{}</dc:creator></cc:Work></rdf:RDF></metadata>",
                escaped(t)
            )),
            t,
        )
    }),
    file("svg.attribute", C::Svg, "a.svg", Takes::Text, |t| {
        plain(svg(&format!("<g aria-label=\"{}\"/>", escaped(t))), t)
    }),
    file("svg.xmp", C::Xmp, "a.svg", Takes::Text, |t| {
        plain(svg(&format!("<metadata>{}</metadata>", xmp(t, ""))), t)
    }),
    file("svg.picture", C::Exif, "a.svg", Takes::Text, |t| {
        let artist = exif(&[(0x013b, 2, [t.as_bytes(), b"\0"].concat())], &[], &[]);
        let picture = STANDARD.encode(jpeg(0xe1, &[b"Exif\0\0", &artist[..]].concat()));
        plain(svg(&format!("<image xlink:href=\"data:image/jpeg;base64,{picture}\"/>")), t)
    }),
    file("zip.text", C::PlainText, "a.zip", Takes::Text, |t| {
        plain(archive(&[("docs/", b""), ("docs/a.txt", t.as_bytes())]), t)
    }),
    file("zip.name", C::PlainText, "a.zip", Takes::Text, |t| {
        plain(archive(&[(&format!("{t}.txt"), b"x")]), t)
    }),
    file("zip.picture", C::ImageText, "a.zip", Takes::Text, |t| {
        let picture = png(b"iTXt", &[b"Author\0\0\0\0\0", t.as_bytes()].concat());
        plain(archive(&[("a.png", &picture)]), t)
    }),
    file("zip.office", C::OfficeText, "a.zip", Takes::Text, |t| {
        let part = format!("<w:document><w:p><w:t>{}</w:t></w:p></w:document>", escaped(t));
        let document =
            archive(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", part.as_bytes())]);
        plain(archive(&[("a.docx", &document)]), t)
    }),
];
