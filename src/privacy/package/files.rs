//! What kind of file some bytes are, for the end of its name.

/// The end of the name of a file with these bytes, so that a double click opens it. Names of files as
/// people gave them are not used: they may name somebody, and the manifest may not.
pub(super) fn extension(bytes: &[u8]) -> &'static str {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let text = || std::str::from_utf8(&bytes[..bytes.len().min(4096)]).ok();
    match () {
        () if begins(b"\xff\xd8\xff") => "jpg",
        () if begins(b"\x89PNG\r\n\x1a\n") => "png",
        () if begins(b"GIF8") => "gif",
        () if begins(b"RIFF") && at(8, b"WEBP") => "webp",
        () if begins(b"RIFF") && at(8, b"WAVE") => "wav",
        () if begins(b"%PDF-") => "pdf",
        () if at(4, b"ftypavif") => "avif",
        () if at(4, b"ftypheic") => "heic",
        () if at(4, b"ftyp") => "mp4",
        () if begins(b"II*\0") || begins(b"MM\0*") => "tif",
        () if begins(b"ID3") => "mp3",
        () if begins(b"PK\x03\x04") => office(bytes),
        () if text().is_some_and(|text| text.contains("<svg")) => "svg",
        () if text().is_some_and(|text| !text.contains('\0')) => "txt",
        () => "bin",
    }
}

/// Which of the formats that are ZIP archives.
fn office(bytes: &[u8]) -> &'static str {
    let has = |name: &[u8]| memchr::memmem::find(bytes, name).is_some();
    match () {
        () if has(b"word/document.xml") => "docx",
        () if has(b"xl/workbook.xml") => "xlsx",
        () if has(b"ppt/presentation.xml") => "pptx",
        () => "zip",
    }
}

#[cfg(test)]
mod tests {
    use super::extension;

    #[test]
    fn files_are_known_by_their_bytes() {
        for (bytes, expected) in [
            (&b"\xff\xd8\xff\xe0"[..], "jpg"),
            (b"%PDF-1.7", "pdf"),
            (b"RIFF....WEBP", "webp"),
            (b"PK\x03\x04....word/document.xml", "docx"),
            (b"PK\x03\x04", "zip"),
            (b"<?xml version=\"1.0\"?><svg/>", "svg"),
            (b"plain words", "txt"),
            (b"\x00\x01\xfe", "bin"),
            (b"", "txt"),
        ] {
            assert_eq!(extension(bytes), expected, "{bytes:?}");
        }
    }
}
