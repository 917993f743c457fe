//! One object of a vault, looked through: bodies of packs entry by entry, all else as it is.
//!
//! Written for the second scanner alone: of the vault it uses no reader, no envelope and no index, only what
//! `age -d | zstd -d | tar t` would.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Cursor, Read};

use super::unpack::{AGE, Look, Raw, Seen, WHOLE_MAX, ZSTD};
use crate::ids::{ItemId, unhex};

/// Bytes of a block of tar.
const BLOCK: usize = 512;

/// An entry of a pack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its item.
    pub(super) item: ItemId,
    /// The path under which it was stored first.
    pub(super) path: String,
}

/// What looking through one object came to.
#[derive(Default)]
pub(super) struct Looked {
    /// By entry, where something was found or could not be read; `None`: in no entry.
    pub(super) seen: BTreeMap<Option<Entry>, Seen>,
    /// Bytes that were looked at.
    pub(super) bytes: u64,
    /// Why it could not be looked into to its end.
    pub(super) failure: Option<String>,
}

impl Looked {
    fn take(&mut self, entry: Option<Entry>, seen: Seen) {
        self.bytes += seen.bytes;
        if !seen.found.is_empty() || seen.unread > 0 {
            self.seen.entry(entry).or_default().add(Seen { bytes: 0, ..seen });
        }
    }

    fn failed(mut self, why: impl Into<String>) -> Self {
        self.failure.get_or_insert(why.into());
        self
    }
}

/// How an object is to be read.
pub(super) enum Form {
    /// The body of a pack, with the headers that may open it.
    Body(Vec<Vec<u8>>),
    /// Bytes that have nothing packed in them: headers, parts of bodies.
    Bytes,
    /// Anything else.
    Other,
}

/// Looks through an object of `size` bytes.
pub(super) fn look_through(look: &Look, form: Form, size: u64, mut reader: impl Read) -> Looked {
    let mut head = Vec::new();
    let begun = (&mut reader).take(AGE.len() as u64).read_to_end(&mut head);
    if let Err(error) = begun {
        return Looked::default().failed(error.to_string());
    }
    let whole = Cursor::new(head.clone()).chain(reader);
    match form {
        Form::Bytes => raw(look, whole, false),
        Form::Body(_) if head.starts_with(ZSTD) => compressed(look, whole),
        Form::Body(headers) => body(look, &headers, whole),
        Form::Other if size <= WHOLE_MAX => {
            let (mut looked, mut bytes) = (Looked::default(), Vec::new());
            if let Err(error) = whole.take(WHOLE_MAX + 1).read_to_end(&mut bytes) {
                looked = looked.failed(error.to_string());
            }
            let mut seen = Seen::default();
            look.whole(&bytes, &mut seen);
            looked.take(None, seen);
            looked
        }
        Form::Other if head == AGE => sealed(look, whole),
        Form::Other => raw(look, whole, Look::is_packed(&head)),
    }
}

/// As it is, to its end.
fn raw(look: &Look, mut reader: impl Read, is_packed: bool) -> Looked {
    let (mut looked, mut seen) =
        (Looked::default(), Seen { unread: u64::from(is_packed), ..Seen::default() });
    if let Err(error) = look.stream(&mut reader, &mut seen) {
        looked = looked.failed(error.to_string());
    }
    looked.take(None, seen);
    looked
}

/// A large age file that is no pack.
fn sealed(look: &Look, reader: impl Read) -> Looked {
    let (mut looked, mut seen) = (Looked::default(), Seen::default());
    let mut tee = Raw::new(reader, &look.hunter);
    let result = match look.decrypted(BufReader::new(&mut tee)) {
        None => Err(io::Error::other("no key that is here opens it")),
        Some(mut plain) => {
            let mut head = Vec::new();
            (&mut plain).take(ZSTD.len() as u64).read_to_end(&mut head).and_then(|_| {
                let is_compressed = head == ZSTD;
                let mut plain = Cursor::new(head).chain(plain);
                match is_compressed {
                    true => look.stream(&mut zstd::stream::read::Decoder::new(plain)?, &mut seen),
                    false => look.stream(&mut plain, &mut seen),
                }
            })
        }
    };
    let ended = tee.finish(look, &mut seen);
    if let Err(error) = result.and(ended) {
        looked = looked.failed(error.to_string());
    }
    looked.take(None, seen);
    looked
}

/// A body of a vault with encryption: joined with each header that opens, until one gives all of it.
fn body(look: &Look, headers: &[Vec<u8>], reader: impl Read) -> Looked {
    let Some(header) = headers.iter().find(|header| look.opens(header)) else {
        let why = match headers.is_empty() {
            true => "no header of it is anywhere",
            false => "no key that is here opens any header of it",
        };
        return raw(look, reader, false).failed(why);
    };
    let mut tee = Raw::new(reader, &look.hunter);
    let mut looked = Looked::default();
    let joined = Cursor::new(header).chain(BufReader::with_capacity(1 << 17, &mut tee));
    match look.decrypted(joined) {
        None => looked = looked.failed("it does not decrypt"),
        Some(plain) => {
            if let Err(error) = tar_of(look, plain, &mut looked) {
                looked = looked.failed(error.to_string());
            }
        }
    }
    ended(look, tee, looked)
}

/// A body of a vault without encryption.
fn compressed(look: &Look, reader: impl Read) -> Looked {
    let mut tee = Raw::new(reader, &look.hunter);
    let mut looked = Looked::default();
    if let Err(error) = tar_of(look, &mut tee, &mut looked) {
        looked = looked.failed(error.to_string());
    }
    ended(look, tee, looked)
}

/// Reads what is left of the stored bytes, and takes in what was found in them as they are.
fn ended<R: Read>(look: &Look, tee: Raw<'_, R>, mut looked: Looked) -> Looked {
    let mut seen = Seen::default();
    if let Err(error) = tee.finish(look, &mut seen) {
        looked = looked.failed(error.to_string());
    }
    looked.take(None, seen);
    looked
}

/// Goes through the archive in a compressed stream.
fn tar_of(look: &Look, compressed: impl Read, looked: &mut Looked) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 17, zstd::stream::read::Decoder::new(compressed)?);
    let mut long_name: Option<Vec<u8>> = None;
    loop {
        if look.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let mut block = [0; BLOCK];
        let got = read_up_to(&mut reader, &mut block)?;
        let header = Header::parse(&block[..got]);
        let Some(header) = header else {
            // The end marker, or what is no archive: it is looked at as it is.
            let mut seen = Seen::default();
            let result = look.stream(&mut Cursor::new(&block[..got]).chain(reader), &mut seen);
            looked.take(None, seen);
            return result;
        };
        let padded = header.size.div_ceil(BLOCK as u64) * BLOCK as u64;
        if header.is_pax {
            let mut records = Vec::new();
            (&mut reader).take(padded.min(1 << 20)).read_to_end(&mut records)?;
            let mut seen = Seen::default();
            look.whole(&records, &mut seen);
            looked.take(None, seen);
            long_name = pax_path(&records);
            if padded > 1 << 20 {
                return Err(io::Error::other("the header of an entry is too long"));
            }
            continue;
        }
        let name = long_name.take().unwrap_or(header.name);
        let entry = entry_of(&name);
        let mut seen = Seen::default();
        // The header as it is, and the name put together.
        seen.take(look.hunter.all(&block));
        seen.take(look.hunter.all(&name));
        let mut data = (&mut reader).take(padded);
        if header.size <= WHOLE_MAX {
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes)?;
            if (bytes.len() as u64) < header.size {
                looked.take(entry, seen);
                return Err(io::Error::other("the archive ends within an entry"));
            }
            let (content, padding) = bytes.split_at(usize::try_from(header.size).unwrap_or(usize::MAX));
            look.whole(content, &mut seen);
            seen.take(look.hunter.all(padding));
        } else {
            let mut head = Vec::new();
            (&mut data).take(1024).read_to_end(&mut head)?;
            seen.unread += u64::from(Look::is_packed(&head));
            look.stream(&mut Cursor::new(head).chain(data), &mut seen)?;
        }
        looked.take(entry, seen);
    }
}

fn read_up_to(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match reader.read(&mut into[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// The header of an entry (POSIX ustar).
struct Header {
    name: Vec<u8>,
    size: u64,
    is_pax: bool,
}

impl Header {
    fn parse(block: &[u8]) -> Option<Self> {
        if block.len() < BLOCK || &block[257..262] != b"ustar" {
            return None;
        }
        let text = |range: std::ops::Range<usize>| {
            let field = &block[range];
            field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())].to_vec()
        };
        let octal = |range| {
            let digits = text(range);
            u64::from_str_radix(std::str::from_utf8(&digits).ok()?.trim(), 8).ok()
        };
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
            .sum();
        if octal(148..156)? != sum {
            return None;
        }
        // A size that octal digits cannot hold is binary, with the first bit set.
        let size = match block[124] & 0x80 {
            0 => octal(124..136)?,
            _ => u64::from_be_bytes(block[128..136].try_into().ok()?),
        };
        let (prefix, own) = (text(345..500), text(0..100));
        let name = if prefix.is_empty() { own } else { [&prefix[..], b"/", &own].concat() };
        Some(Self { name, size, is_pax: block[156] == b'x' })
    }
}

/// The path in the records of a pax header.
fn pax_path(records: &[u8]) -> Option<Vec<u8>> {
    let mut rest = records;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length.checked_sub(1)?)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(path.to_vec());
        }
        rest = rest.get(length..)?;
    }
    None
}

/// `items/<item>/<salt>/<path>`.
fn entry_of(name: &[u8]) -> Option<Entry> {
    let mut parts = std::str::from_utf8(name).ok()?.splitn(4, '/');
    let (first, item, _, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (first == "items").then_some(Entry { item: ItemId(unhex(item)?), path: path.to_owned() })
}
