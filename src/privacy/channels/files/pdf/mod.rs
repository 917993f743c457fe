//! PDF (ISO 32000): text of pages, properties, XMP, form fields, annotations, outline, attachments, and the
//! metadata of pictures.
//!
//! `lopdf` reads the objects; the text of pages is put together here ([`page`], [`font`]), because what
//! divides words is where they stand.
//!
//! Bounds. Reading happens on a thread of its own with a stack of [`STACK_BYTES`]: `lopdf` nests up to a hundred
//! deep, which is more than a thread of the pool has room for in a debug build, and a panic of it ends that
//! thread and nothing else. What a stream of objects may unpack to is `pdf_objects_max` divided by the number
//! of those that the file has, since all of them are unpacked while it is opened. Opening cannot be
//! interrupted; it is linear in bytes read and unpacked, both of which are bounded. Pages and their
//! operators look at the clock.
//!
//! Not read: earlier revisions that an update left in the file, and what pictures show.

mod cmap;
mod font;
mod page;

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Error, LoadOptions, Object, Stream, xref::XrefEntry};

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::encodings::utf16_marked;
use super::xml::{self, read_text};
use super::{jpeg, xmp};

/// Stack of the thread that reads.
const STACK_BYTES: usize = 16 << 20;
/// Deepest nesting of values in one object; `lopdf` parses a hundred.
const NESTING_MAX: usize = 100;

/// Reads a PDF.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("pdf".to_owned()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, || read_here(desk, bytes)) {
            // A panic: the file is one that the library was not made for.
            Ok(thread) => thread.join().unwrap_or(Err(Stop::Part(Reason::Damaged))),
            // No memory for its stack, so there is none for the file.
            Err(_) => Err(Stop::Part(Reason::TooLarge)),
        }
    })
}

fn read_here(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    let document = match open(desk, bytes) {
        Ok(document) => document,
        Err(stop @ (Stop::Item(_) | Stop::Part(Reason::Encrypted | Reason::UnpacksToMore))) => {
            return Err(stop);
        }
        Err(stop) => {
            super::strings(desk, bytes)?;
            return Err(stop);
        }
    };
    if document.is_encrypted() && document.encryption_state.is_none() {
        return Err(Stop::Part(Reason::Encrypted));
    }
    objects(desk, &document)?;
    let pages = page::read_all(desk, &document)?;
    let lost = document.reference_table.entries.iter().any(|(number, entry)| match entry {
        XrefEntry::Compressed { .. } => !document.objects.contains_key(&(*number, 0)),
        XrefEntry::Normal { generation, .. } => !document.objects.contains_key(&(*number, *generation)),
        XrefEntry::Free | XrefEntry::UnusableFree => false,
    });
    // Rebuilt from what was found in the file: other objects may be missing.
    let rebuilt = document.xref_recovery == Some(lopdf::xref::XrefRecovery::Reconstructed);
    // After decryption the dictionary that says how is gone.
    if (lost && document.encryption_state.is_none()) || rebuilt || pages == 0 {
        return Err(Stop::Part(Reason::Damaged));
    }
    Ok(())
}

fn open(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome<Document> {
    if bytes_of_objects(bytes) > desk.bounds.pdf_objects_max {
        return Err(Stop::Part(Reason::TooLarge));
    }
    let eager = streams_unpacked_at_once(bytes).max(1);
    let limit = desk.unpack_allowance().min(desk.bounds.pdf_objects_max / eager);
    let options = LoadOptions { max_decompressed_size: Some(limit), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(bytes, options);
    desk.unpacked(0)?;
    document.map_err(|error| Stop::Part(reason(&error)))
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::InvalidPassword | Error::Decryption(_) | Error::UnsupportedSecurityHandler(_) => {
            Reason::Encrypted
        }
        Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. }) => Reason::UnpacksToMore,
        Error::RecursionLimit => Reason::TooDeep,
        _ => Reason::Damaged,
    }
}

/// Bytes outside of streams, as far as a look without parsing tells. Who hides objects in what looks like
/// a stream makes it less than it is; the bound on the bytes of the item is then what is left.
fn bytes_of_objects(bytes: &[u8]) -> usize {
    let (mut outside, mut at) = (0, 0);
    let mut starts = memchr::memmem::find_iter(bytes, b"stream");
    while let Some(start) = starts.find(|start| *start >= at) {
        outside += start - at;
        let Some(end) = super::bytes::find(bytes, b"endstream", start) else { return outside };
        at = end + b"endstream".len();
    }
    outside + bytes.len() - at
}

/// Streams of objects and of references that a file seems to have: names, also those with letters
/// written as `#4f`.
fn streams_unpacked_at_once(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'/', bytes)
        .filter(|at| {
            let mut rest = bytes.get(at + 1..).unwrap_or_default();
            let mut name = Vec::new();
            while let Some((byte, after)) = rest.split_first() {
                rest = after;
                let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                match (byte, digit(0), digit(1)) {
                    (b'#', Some(high), Some(low)) => {
                        name.push((high * 16 + low) as u8);
                        rest = &after[2..];
                    }
                    (byte, ..) if byte.is_ascii_alphabetic() => name.push(*byte),
                    _ => break,
                }
                if name.len() > 6 {
                    break;
                }
            }
            name == b"ObjStm" || name == b"XRef"
        })
        .count()
}

/// A text string as dictionaries hold it: UTF-16, UTF-8 or the encoding of PDF documents.
pub(super) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => utf16_marked(bytes, true).into_owned(),
        [0xef, 0xbb, 0xbf, text @ ..] => String::from_utf8_lossy(text).into_owned(),
        // Forbidden without its mark, and written all the same.
        _ if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        _ => lopdf::decode_text_string(&Object::string_literal(bytes))
            .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Reads every string of every object, whatever it belongs to: fields, annotations, bookmarks, actions,
/// attachments, descriptions for screen readers; and what lies in streams that are no pages.
fn objects(desk: &mut Desk<'_>, document: &Document) -> Outcome {
    let information = document.trailer.get(b"Info").ok();
    let information_id = information.and_then(|info| info.as_reference().ok());
    if let Some(Object::Dictionary(properties)) = information {
        let group = desk.group();
        dictionary(desk, properties, Place { channel: Channel::PdfProperties, name: "Info", group }, 0)?;
    }
    let forms = form_streams(document);
    for (id, object) in &document.objects {
        desk.tick()?;
        let group = desk.group();
        let name = format!("object {}", id.0);
        let place = if information_id == Some(*id) {
            Place { channel: Channel::PdfProperties, name: "Info", group }
        } else {
            Place { channel: Channel::PdfText, name: kind_of(object).unwrap_or(&name), group }
        };
        value(desk, object, place, 0)?;
        if let Object::Stream(stream) = object {
            let read = read_stream(desk, stream, forms.get(id).copied().unwrap_or(false));
            desk.settle(&name, read)?;
        }
    }
    Ok(())
}

/// Streams of forms in XML (XFA), by their ids.
fn form_streams(document: &Document) -> HashMap<lopdf::ObjectId, bool> {
    let dictionaries = document.objects.values().filter_map(|object| object.as_dict().ok());
    let nested = dictionaries.flat_map(|dictionary| {
        let inner = dictionary.get(b"AcroForm").ok().and_then(|form| form.as_dict().ok());
        [Some(dictionary), inner].into_iter().flatten()
    });
    nested
        .filter_map(|dictionary| dictionary.get(b"XFA").ok())
        .flat_map(|packets| match packets {
            Object::Array(packets) => packets.iter().collect(),
            packet => vec![packet],
        })
        .filter_map(|packet| packet.as_reference().ok())
        .map(|id| (id, true))
        .collect()
}

#[derive(Clone, Copy)]
struct Place<'a> {
    channel: Channel,
    name: &'a str,
    group: u32,
}

/// What a reader would call an object.
fn kind_of(object: &Object) -> Option<&'static str> {
    let dictionary = object.as_dict().ok()?;
    let has = |key: &[u8]| dictionary.has(key);
    if has(b"FT") || (has(b"T") && has(b"Kids")) {
        Some("field")
    } else if has(b"Subtype") && has(b"Rect") {
        Some("annotation")
    } else if has(b"EF") || has(b"UF") {
        Some("attachment")
    } else if has(b"Title") && has(b"Parent") {
        Some("outline")
    } else {
        None
    }
}

fn value(desk: &mut Desk<'_>, object: &Object, place: Place<'_>, depth: usize) -> Outcome {
    if depth > NESTING_MAX {
        return Err(Stop::Item(Reason::TooDeep));
    }
    match object {
        Object::String(bytes, _) => {
            desk.hand_out(place.channel, place.name, place.group, &text_string(bytes))
        }
        Object::Array(values) => values.iter().try_for_each(|inner| value(desk, inner, place, depth + 1)),
        Object::Dictionary(members) => dictionary(desk, members, place, depth + 1),
        Object::Stream(stream) => dictionary(desk, &stream.dict, place, depth + 1),
        _ => Ok(()),
    }
}

fn dictionary(desk: &mut Desk<'_>, members: &Dictionary, place: Place<'_>, depth: usize) -> Outcome {
    for (key, member) in members {
        desk.tick()?;
        let name = format!("{}/{}", place.name, String::from_utf8_lossy(key));
        match (key.as_slice(), member) {
            // Numbers of the file, and of fonts.
            (b"ID" | b"Ordering" | b"Registry" | b"CharSet", _) => {}
            // What was chosen from a list is a name.
            (b"V", Object::Name(chosen)) => {
                desk.hand_out(place.channel, &name, place.group, &text_string(chosen))?;
            }
            // Places grow by one name only, however deep.
            _ if depth <= 1 => value(desk, member, Place { name: &name, ..place }, depth)?,
            _ => value(desk, member, place, depth)?,
        }
    }
    Ok(())
}

/// Reads a stream that is no page: XMP, an attached file, a form in XML, a JPEG.
fn read_stream(desk: &mut Desk<'_>, stream: &Stream, is_form: bool) -> Outcome {
    let filters = stream.filters().unwrap_or_default();
    if filters == [b"DCTDecode"] {
        return jpeg::read(desk, &stream.content);
    }
    let is_attached = stream.dict.has_type(b"EmbeddedFile");
    let is_metadata = stream.dict.has_type(b"Metadata");
    if !(is_attached || is_metadata || is_form) {
        return Ok(());
    }
    let bytes = unpacked(desk, stream)?;
    if is_metadata {
        xmp::read(desk, &bytes)
    } else if is_form {
        read_text(desk, "XFA", &bytes, &xml::Layout { channel: Channel::PdfText, ..xml::PLAIN })
    } else {
        desk.within("attachment", |desk| super::read(desk, None, &bytes))
    }
}

/// What a stream unpacks to, within what is left.
fn unpacked(desk: &mut Desk<'_>, stream: &Stream) -> Outcome<Vec<u8>> {
    let allowance = desk.unpack_allowance();
    match stream.get_plain_content_with_limit(allowance) {
        Ok(bytes) => {
            desk.unpacked(bytes.len())?;
            Ok(bytes)
        }
        Err(error) => {
            desk.unpacked(stream.content.len())?;
            Err(Stop::Part(reason(&error)))
        }
    }
}
