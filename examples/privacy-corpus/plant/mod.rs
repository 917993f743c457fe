//! Plants a text in every place where a person can stand: whole, valid items of a snapshot, written byte by
//! byte and without the readers that are to find it. For tests, and for measuring how much is found.

mod documents;
mod films;
mod metadata;
mod office;
mod pdf;
mod pictures;
mod texts;

use prismvault::privacy::passage::Channel;

#[allow(unused_imports, reason = "for tests that make files that are not sound")]
pub(crate) use self::{
    office::archive,
    pdf::{assemble, stream},
    pictures::{exif, jpeg, png},
};

/// What a place can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Any text of one line.
    Text,
    /// Text of Latin-1 only.
    Latin1,
    /// At least two words, which are put into places beside each other.
    Words,
    /// Digits.
    Digits,
    /// `latitude,longitude` in degrees.
    Position,
    /// A day: `1985-03-12`.
    Day,
}

impl Takes {
    /// Whether a text can be planted in such a place.
    pub(crate) fn accepts(self, text: &str) -> bool {
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Text => !text.trim().is_empty() && !text.contains(char::is_control),
            Self::Latin1 => {
                Self::Text.accepts(text)
                    && text.chars().all(|char| matches!(u32::from(char), 0x20..=0x7e | 0xa0..=0xff))
            }
            Self::Words => Self::Text.accepts(text) && text.split_whitespace().count() >= 2,
            Self::Digits => is_digits(text) && text.len() <= 15 && !text.starts_with('0'),
            Self::Position => text
                .split_once(',')
                .is_some_and(|(a, b)| a.parse::<f64>().is_ok() && b.parse::<f64>().is_ok()),
            Self::Day => text.len() == 10 && text.split('-').count() == 3 && text.split('-').all(is_digits),
        }
    }

    /// A text that such a place takes, of invented people.
    #[allow(dead_code, reason = "not every program that plants needs one")]
    pub(crate) fn sample(self) -> &'static str {
        match self {
            Self::Text => "Zoë O'Példa-Šafářová & 例子 👩‍🔬",
            Self::Latin1 => "Zoë Exámple-Müller",
            Self::Words => "Perpetua Exámple-Fictíva",
            Self::Digits => "49301234567",
            Self::Position => "45.764043,4.835659",
            Self::Day => "1985-03-12",
        }
    }
}

/// A place in some kind of item.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Its name: `document.rich_text`, `jpeg.exif_artist`.
    pub name: &'static str,
    /// Channel in which it is to be found.
    pub channel: Channel,
    /// Path of the item in a snapshot.
    pub path: &'static str,
    /// File name of the asset, where that is one.
    pub file_name: Option<&'static str>,
    /// What it can hold.
    pub takes: Takes,
    /// Writes an item that holds a text here.
    pub write: fn(&str) -> Planted,
}

/// A planted item.
pub(crate) struct Planted {
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// How the text is spelled there, once what holds it is decoded: `Ada%20Example` in an address.
    #[allow(dead_code, reason = "not every program that plants looks at it")]
    pub surface: String,
}

impl Place {
    /// Returns an item that holds the text here, and nowhere else.
    pub(crate) fn plant(&self, text: &str) -> Planted {
        (self.write)(text)
    }
}

/// All places.
pub(crate) fn places() -> Vec<Place> {
    [
        documents::PLACES,
        metadata::PLACES,
        pictures::PLACES,
        films::PLACES,
        pdf::PLACES,
        office::PLACES,
        texts::PLACES,
    ]
    .concat()
}

const DOCUMENT: &str = "documents/en-us/page/ZplantedAACwAIxx.json";
const ORIGINAL: &str = "assets/ZplantedAACwAIyy/original";

/// A place in a document.
const fn document(name: &'static str, channel: Channel, takes: Takes, write: fn(&str) -> Planted) -> Place {
    Place { name, channel, path: DOCUMENT, file_name: None, takes, write }
}

/// A place in a file.
const fn file(
    name: &'static str,
    channel: Channel,
    file_name: &'static str,
    takes: Takes,
    write: fn(&str) -> Planted,
) -> Place {
    Place { name, channel, path: ORIGINAL, file_name: Some(file_name), takes, write }
}

/// An item in which the text is spelled as it was given.
fn plain(bytes: impl Into<Vec<u8>>, text: &str) -> Planted {
    Planted { bytes: bytes.into(), surface: text.to_owned() }
}

/// First word, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// Everything but letters and digits of ASCII percent-encoded.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// For XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn utf16_le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?')).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;

    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// A packet of XMP with a creator, or with a person as an attribute.
fn xmp(creator: &str, attribute: &str) -> String {
    format!(
        r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Credit="{}"><dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"#,
        escaped(attribute),
        escaped(creator)
    )
}
