//! Streams looked through, with what is packed in them: archives, compressed texts, encrypted parts.
//!
//! Nothing here knows of the readers that the search uses: what holds what is told by first bytes and by markers.
//! What cannot be unpacked within the bounds is counted, never passed over.

use std::io::{self, Cursor, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use tokio_util::sync::CancellationToken;

use super::hunt::{Found, Hunt, Hunter};

/// Bytes of one thing that are looked at as a whole, so that what is packed in it is seen. Larger ones are streamed.
pub(super) const WHOLE_MAX: u64 = 64 << 20;
/// Bytes that what is packed in one thing may come to.
const UNPACKED_MAX: u64 = 512 << 20;
/// Levels of packing: an e-mail with a document with a picture is three.
const DEPTH_MAX: u32 = 4;
/// Members of an archive.
const MEMBERS_MAX: usize = 10_000;
/// How an age file begins.
pub(super) const AGE: &[u8] = b"age-encryption.org/v1\n";
/// How a frame of zstd begins.
pub(super) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes that are read at once.
const PIECE: usize = 128 << 10;

/// What looking came to.
#[derive(Default)]
pub(super) struct Seen {
    /// What was found.
    pub(super) found: Found,
    /// Bytes that were looked at, unpacked ones too.
    pub(super) bytes: u64,
    /// Parts that could not be looked into.
    pub(super) unread: u64,
}

impl Seen {
    /// Takes in what was found elsewhere.
    pub(super) fn take(&mut self, found: Found) {
        for (what, times) in found {
            *self.found.entry(what).or_default() += times;
        }
    }

    /// Adds another.
    pub(super) fn add(&mut self, other: Self) {
        self.take(other.found);
        self.bytes += other.bytes;
        self.unread += other.unread;
    }
}

/// With what bytes are looked at.
pub(super) struct Look {
    pub(super) hunter: Hunter,
    /// Keys of age, as its own crate knows them.
    pub(super) identities: Vec<age::x25519::Identity>,
    pub(super) cancel: CancellationToken,
}

impl Look {
    /// Looks through a stream to its end, as it is.
    ///
    /// # Errors
    ///
    /// Those of the stream; what was read till then is in `seen`.
    pub(super) fn stream(&self, reader: &mut impl Read, seen: &mut Seen) -> io::Result<()> {
        let mut hunt = self.hunter.begin();
        let result = self.each_piece(reader, |piece| {
            seen.bytes += piece.len() as u64;
            hunt.push(piece);
        });
        seen.take(hunt.finish());
        result
    }

    fn each_piece(&self, reader: &mut impl Read, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            if self.cancel.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            match reader.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => each(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Looks at bytes, and at everything that is packed in them.
    pub(super) fn whole(&self, bytes: &[u8], seen: &mut Seen) {
        let mut unpacking = Unpacking { look: self, left: UNPACKED_MAX };
        unpacking.look_at(bytes, 0, seen);
    }

    /// Whether something begins as what has others packed in it.
    pub(super) fn is_packed(head: &[u8]) -> bool {
        Kind::of(head) != Kind::Plain
    }

    /// Decrypts an age file; `None` where no key that is here opens it.
    pub(super) fn decrypted<R: Read>(&self, sealed: R) -> Option<age::stream::StreamReader<R>> {
        let decryptor = age::Decryptor::new(sealed).ok()?;
        let keys = self.identities.iter().map(|key| key as &dyn age::Identity);
        decryptor.decrypt(keys).ok()
    }

    /// Whether a header opens with a key that is here. It is the beginning of an age file.
    pub(super) fn opens(&self, header: &[u8]) -> bool {
        self.decrypted(header).is_some()
    }
}

/// A reader that is looked at on the way, as it is.
pub(super) struct Raw<'a, R> {
    inner: R,
    hunt: Hunt<'a>,
    bytes: u64,
}

impl<'a, R: Read> Raw<'a, R> {
    pub(super) fn new(inner: R, hunter: &'a Hunter) -> Self {
        Self { inner, hunt: hunter.begin(), bytes: 0 }
    }

    /// Ends it; what nobody read is read.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub(super) fn finish(mut self, look: &Look, seen: &mut Seen) -> io::Result<()> {
        let (hunt, bytes) = (&mut self.hunt, &mut self.bytes);
        let result = look.each_piece(&mut self.inner, |piece| {
            hunt.push(piece);
            *bytes += piece.len() as u64;
        });
        seen.bytes += self.bytes;
        seen.take(self.hunt.finish());
        result
    }
}

impl<R: Read> Read for Raw<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hunt.push(&into[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// What has others packed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Gzip,
    Zstd,
    Age,
    Pdf,
    Png,
    Plain,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        let begins = |with: &[u8]| head.starts_with(with);
        if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
            Self::Zip
        } else if begins(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if begins(ZSTD) {
            Self::Zstd
        } else if begins(AGE) {
            Self::Age
        } else if memmem::find(&head[..head.len().min(1024)], b"%PDF-").is_some() {
            Self::Pdf
        } else if begins(b"\x89PNG\r\n\x1a\n") {
            Self::Png
        } else {
            Self::Plain
        }
    }
}

/// Looking at one thing and all that is packed in it.
struct Unpacking<'a> {
    look: &'a Look,
    left: u64,
}

impl Unpacking<'_> {
    fn look_at(&mut self, bytes: &[u8], depth: u32, seen: &mut Seen) {
        seen.bytes += bytes.len() as u64;
        seen.take(self.look.hunter.all(bytes));
        let kind = Kind::of(bytes);
        if kind != Kind::Plain && depth >= DEPTH_MAX {
            seen.unread += 1;
            return;
        }
        match kind {
            Kind::Zip => self.zip(bytes, depth, seen),
            Kind::Gzip => self.unpacked(flate2::read::MultiGzDecoder::new(bytes), depth, seen),
            Kind::Zstd => match zstd::stream::read::Decoder::new(bytes) {
                Ok(decoder) => self.unpacked(decoder, depth, seen),
                Err(_) => seen.unread += 1,
            },
            Kind::Age => match self.look.decrypted(bytes) {
                Some(plain) => self.unpacked(plain, depth, seen),
                None => seen.unread += 1,
            },
            Kind::Pdf => self.pdf(bytes, depth, seen),
            Kind::Png => self.png(bytes, depth, seen),
            Kind::Plain => {
                self.put_together(bytes, seen);
                self.sealed_members(bytes, depth, seen);
            }
        }
    }

    /// Looks at what a reader gives; what cannot be read to its end is counted, and looked at as far as it goes.
    fn unpacked(&mut self, reader: impl Read, depth: u32, seen: &mut Seen) {
        let mut bytes = Vec::new();
        let max = self.left.min(WHOLE_MAX);
        let result = reader.take(max + 1).read_to_end(&mut bytes);
        if result.is_err() || bytes.len() as u64 > max || self.look.cancel.is_cancelled() {
            seen.unread += 1;
        }
        self.left = self.left.saturating_sub(bytes.len() as u64);
        self.look_at(&bytes, depth + 1, seen);
    }

    fn zip(&mut self, bytes: &[u8], depth: u32, seen: &mut Seen) {
        let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
            seen.unread += 1;
            return;
        };
        for number in 0..archive.len() {
            if number >= MEMBERS_MAX {
                seen.unread += 1;
                return;
            }
            match archive.by_index(number) {
                Ok(member) if member.is_dir() => {}
                Ok(member) => self.unpacked(member, depth, seen),
                Err(_) => seen.unread += 1,
            }
        }
    }

    /// Streams of a PDF, inflated where they are deflated, and the strings in them put together: a text is cut
    /// there into pieces that are moved by fractions of a letter.
    fn pdf(&mut self, bytes: &[u8], depth: u32, seen: &mut Seen) {
        self.strings(bytes, seen);
        if memmem::find(bytes, b"/Encrypt").is_some() {
            seen.unread += 1;
        }
        let mut from = 0;
        while let Some(at) = memmem::find(&bytes[from..], b"stream") {
            let begin = from + at + b"stream".len();
            from = begin;
            if bytes[..begin].ends_with(b"endstream") {
                continue;
            }
            let data = &bytes[begin..];
            let data = data.strip_prefix(b"\r\n").or_else(|| data.strip_prefix(b"\n")).unwrap_or(data);
            let end = memmem::find(data, b"endstream").unwrap_or(data.len());
            let Some(inflated) = self.inflated(&data[..end]) else { continue };
            self.strings(&inflated, seen);
            self.look_at(&inflated, depth + 1, seen);
        }
    }

    /// What a stream of zlib gives; nothing where it is none.
    fn inflated(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        if packed.first()? & 0x0f != 8 {
            return None;
        }
        let mut bytes = Vec::new();
        let max = self.left.min(WHOLE_MAX);
        // What is cut off in the middle still gave what it gave.
        drop(flate2::read::ZlibDecoder::new(packed).take(max).read_to_end(&mut bytes));
        self.left = self.left.saturating_sub(bytes.len() as u64);
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Strings of PDF: in parentheses, and as hexadecimal digits, each kind put together.
    fn strings(&self, bytes: &[u8], seen: &mut Seen) {
        let (mut literal, mut digits) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'(' => {
                    let mut depth = 1;
                    at += 1;
                    while at < bytes.len() && depth > 0 {
                        match bytes[at] {
                            b'\\' => at += unescaped(&bytes[at + 1..], &mut literal),
                            b'(' => depth += 1,
                            b')' => depth -= 1,
                            byte => literal.push(byte),
                        }
                        at += 1;
                    }
                    continue;
                }
                b'<' if bytes.get(at + 1) != Some(&b'<') => {
                    let end = memchr::memchr(b'>', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                    let inner = &bytes[at + 1..end.max(at + 1)];
                    if inner.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace()) {
                        let clean: Vec<u8> =
                            inner.iter().filter(|byte| byte.is_ascii_hexdigit()).copied().collect();
                        digits.extend(
                            clean.chunks_exact(2).filter_map(|pair| {
                                u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
                            }),
                        );
                        at = end;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        seen.take(self.look.hunter.all(&literal));
        seen.take(self.look.hunter.all(&digits));
    }

    /// Compressed texts of a PNG: `zTXt`, `iTXt`, and the profile, each behind its name.
    fn png(&mut self, bytes: &[u8], depth: u32, seen: &mut Seen) {
        let mut at = 8;
        while let Some(head) = bytes.get(at..at + 8) {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let Some(data) = bytes.get(at + 8..(at + 8).saturating_add(length)) else { return };
            if matches!(&head[4..], b"zTXt" | b"iTXt" | b"iCCP") {
                let begins = (0..data.len().min(512))
                    .filter(|from| matches!(data[*from..], [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]));
                for from in begins {
                    if let Some(inflated) = self.inflated(&data[from..]) {
                        self.look_at(&inflated, depth + 1, seen);
                        break;
                    }
                }
            }
            at += 12 + length;
        }
    }

    /// Texts without what is in angle brackets, and with folded lines put together: word processors cut a name
    /// into several elements, and mail cuts lines.
    fn put_together(&self, bytes: &[u8], seen: &mut Seen) {
        if bytes.iter().take(512).any(|byte| *byte == 0) {
            return;
        }
        if memchr::memchr(b'<', bytes).is_some() {
            let mut text = Vec::with_capacity(bytes.len());
            let mut is_tag = false;
            for byte in bytes {
                match byte {
                    b'<' => is_tag = true,
                    b'>' => is_tag = false,
                    byte if !is_tag => text.push(*byte),
                    _ => {}
                }
            }
            seen.take(self.look.hunter.all(&text));
        }
        let folds: [&[u8]; 6] = [b"=\r\n", b"=\n", b"\r\n ", b"\n ", b"\r\n\t", b"\n\t"];
        if folds.iter().any(|fold| memmem::find(bytes, fold).is_some()) {
            let (mut text, mut at) = (Vec::with_capacity(bytes.len()), 0);
            while at < bytes.len() {
                match folds.iter().find(|fold| bytes[at..].starts_with(fold)) {
                    Some(fold) => at += fold.len(),
                    None => {
                        text.push(bytes[at]);
                        at += 1;
                    }
                }
            }
            seen.take(self.look.hunter.all(&text));
        }
    }

    /// Members of JSON with an age file in Base64: `{"age": "…"}`, as files of the vault have them.
    fn sealed_members(&mut self, bytes: &[u8], depth: u32, seen: &mut Seen) {
        let mut from = 0;
        while let Some(at) = memmem::find(&bytes[from..], b"\"age\"") {
            from += at + b"\"age\"".len();
            let rest = &bytes[from..];
            let Some(quote) = rest.iter().take(8).position(|byte| *byte == b'"') else { continue };
            let value = &rest[quote + 1..];
            let Some(end) = memchr::memchr(b'"', value) else { return };
            let Ok(sealed) = STANDARD.decode(&value[..end]) else { continue };
            if sealed.starts_with(AGE) && depth < DEPTH_MAX {
                self.look_at(&sealed, depth + 1, seen);
            }
        }
    }
}

/// What stands behind the backslash of a string of PDF; returns how many bytes that are.
fn unescaped(rest: &[u8], literal: &mut Vec<u8>) -> usize {
    let octal = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    if octal > 0 {
        let value = rest[..octal].iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
        literal.push((value & 0xff) as u8);
        return octal;
    }
    match rest.first() {
        None => return 0,
        // A line that goes on.
        Some(b'\r' | b'\n') => {}
        Some(byte) => literal.push(*byte),
    }
    1
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::privacy::proof::needles::Needles;
    use crate::privacy::subject::{IdentifierKind, Subject};

    fn look() -> Look {
        let mut subject = Subject::default();
        subject.add(IdentifierKind::Name, "Perpetua Exampleton").unwrap();
        let hunter = Hunter::new([Needles::of(&subject).unwrap()]).unwrap();
        Look { hunter, identities: vec![age::x25519::Identity::generate()], cancel: CancellationToken::new() }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("a.xml", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn sealed(look: &Look, bytes: &[u8]) -> Vec<u8> {
        let to = look.identities[0].to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&to as &dyn age::Recipient)).unwrap();
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap();
        sealed
    }

    #[test]
    fn what_is_packed_is_looked_into() {
        let look = look();
        let name = b"by Perpetua Exampleton, again by Perpetua Exampleton and nobody else";
        let pdf = |stream: &[u8]| [b"%PDF-1.7\n1 0 obj\nstream\r\n", stream, b"\r\nendstream"].concat();
        let png = {
            let text = [b"Author\0\0".as_slice(), &zlib(name)].concat();
            let length = u32::try_from(text.len()).unwrap().to_be_bytes();
            [b"\x89PNG\r\n\x1a\n".as_slice(), &length, b"zTXt", &text, &[0; 4]].concat()
        };
        let json = format!("{{\"summary\": {{\"age\": \"{}\"}}}}", STANDARD.encode(sealed(&look, name)));
        for (what, bytes) in [
            ("plain", name.to_vec()),
            ("gzip", gzip(name)),
            ("twice", gzip(&gzip(name))),
            ("zip", zip(name)),
            ("zip, cut by tags", zip(b"<w:t>Perpe</w:t><w:t>tua Exam</w:t><b/><w:t>pleton</w:t>")),
            ("zstd", zstd::bulk::compress(name, 3).unwrap()),
            ("age", sealed(&look, &zstd::bulk::compress(name, 3).unwrap())),
            ("pdf", pdf(&zlib(name))),
            ("pdf, cut by kerning", pdf(&zlib(b"[(Perpe) 12 (tua E) -3 (xampleton)] TJ"))),
            ("pdf, digits", pdf(&zlib(b"<5065727065747561204578616d70> Tj <6c65746f6e> Tj"))),
            ("pdf, octal", pdf(&zlib(br"(Perpetua\040Exam\160leton) Tj"))),
            ("mail", b"by Perpetua Exam=\r\npleton".to_vec()),
            ("card", b"FN:Perpetua Exa\r\n mpleton".to_vec()),
            ("elements in JSON", br#"{"html":"<b>Perpetua</b> <i>Exampleton</i>"}"#.to_vec()),
            ("png", png),
            ("json", json.into_bytes()),
        ] {
            let mut seen = Seen::default();
            look.whole(&bytes, &mut seen);
            assert!(!seen.found.is_empty(), "{what}");
            assert_eq!(seen.unread, 0, "{what}");
        }
    }

    #[test]
    fn what_cannot_be_looked_into_is_counted() {
        let look = look();
        let mut deep = b"by Perpetua Exampleton".to_vec();
        for _ in 0..=DEPTH_MAX {
            deep = gzip(&deep);
        }
        let other = age::x25519::Identity::generate();
        let foreign = sealed(&Look { identities: vec![other], ..self::look() }, b"x");
        for (what, bytes) in [
            ("too deep", deep),
            ("for others", foreign),
            ("cut", gzip(&[7; 100_000])[..60].to_vec()),
            ("no zip", b"PK\x03\x04 and nothing more".to_vec()),
        ] {
            let mut seen = Seen::default();
            look.whole(&bytes, &mut seen);
            assert_eq!((seen.unread, seen.found.len()), (1, 0), "{what}");
        }
        let cancelled = self::look();
        cancelled.cancel.cancel();
        assert!(cancelled.stream(&mut &b"x"[..], &mut Seen::default()).is_err());
    }
}
