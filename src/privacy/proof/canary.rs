//! The canary: an invented person, planted in every encoding where the scanner must find them, in the same run and
//! with the same automaton and keys. A scanner that finds nothing proves something only if it finds this.
//!
//! The texts are written down here, not made by the encoders that the needles come from. They lie in memory, in
//! packs of the vault's own format; nothing of it reaches a replica.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::ProofError;
use super::encodings::Encoding;
use super::needles::{Needles, TooMany};
use super::scan::{Leak, Leaked, Place, Scanner};
use crate::clock::{ManualClock, Timestamp};
use crate::ids::{ItemId, Mac, Salt, random};
use crate::objects::memory::MemoryStore;
use crate::objects::{Abilities, Body, ObjectStore, PutMode};
use crate::privacy::subject::{IdentifierKind, Subject};
use crate::progress::Silent;
use crate::vault::envelope::Recipient;
use crate::vault::error::VaultError;
use crate::vault::format::index::PackKind;
use crate::vault::layout;
use crate::vault::pack::{ItemData, PackBuilder, PackOptions};

const NAME: &str = "Zoë Quillfeather-Ømsk";
const EMAIL: &str = "zoe.quillfeather@möwe.example";
const PHONE: &str = "+49 30 9017 4242";

/// What is planted: what it is for people, its kind, how it is found, and its bytes.
type Plant = (&'static str, IdentifierKind, Encoding, Vec<u8>);

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Canary {
    /// How many texts were planted.
    pub planted: u64,
    /// What was not found.
    pub missed: Vec<String>,
}

impl Canary {
    /// Whether all of it was found.
    pub fn is_found(&self) -> bool {
        self.planted > 0 && self.missed.is_empty()
    }
}

/// What the invented person is looked for by.
///
/// # Errors
///
/// None in practice: they are a few.
pub fn needles() -> Result<Needles, TooMany> {
    let mut subject = Subject::default();
    for (kind, text) in
        [(IdentifierKind::Name, NAME), (IdentifierKind::Email, EMAIL), (IdentifierKind::Phone, PHONE)]
    {
        subject.add(kind, text).expect("the invented person is well-formed");
    }
    Needles::of(&subject)
}

/// The texts, as other programs encode them (Python's `json`, `urllib`, `html`, `quopri`, `base64`).
fn plants() -> Vec<Plant> {
    use Encoding::{
        Base64, Hex, Html, Json, Legacy, Percent, Punycode, QuotedPrintable, Text, Utf16Be, Utf16Le,
    };
    use IdentifierKind::{Email, Name, Phone};
    let wide =
        |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let texts: &[(&'static str, IdentifierKind, Encoding, &[u8])] = &[
        ("text", Name, Text, "by Zoë Quillfeather-Ømsk.".as_bytes()),
        ("text in capitals", Name, Text, "ZOË QUILLFEATHER-ØMSK".as_bytes()),
        ("text with the family name first", Name, Text, "quillfeather-ømsk, zoë".as_bytes()),
        ("text without marks", Name, Text, b"zoe-quillfeather-omsk"),
        ("text that is not composed", Name, Text, "Zoe\u{308} Quillfeather-Ømsk".as_bytes()),
        ("JSON", Name, Json, br#"{"a":"Zo\u00eb Quillfeather-\u00d8msk"}"#),
        ("JSON, all of it", Name, Json, br"\u005a\u006f\u00eb\u0020\u0051\u0075\u0069\u006c\u006c\u0066\u0065\u0061\u0074\u0068\u0065\u0072\u002d\u00d8\u006d\u0073\u006b"),
        ("JSON in JSON", Name, Json, br#"{\"a\":\"Zo\\u00eb Quillfeather-\\u00d8msk\"}"#),
        ("a query", Name, Percent, b"?q=Zo%C3%AB+Quillfeather-%C3%98msk&"),
        ("a path", Name, Percent, b"/Zo%C3%AB%20Quillfeather-%C3%98msk/"),
        ("a path in a query", Name, Percent, b"Zo%25C3%25AB%2520Quillfeather-%25C3%2598msk"),
        ("percent, all of it", Name, Percent, b"%5A%6F%C3%AB%20%51%75%69%6C%6C%66%65%61%74%68%65%72%2D%C3%98%6D%73%6B"),
        ("HTML, names", Name, Html, b"<b>Zo&euml; Quillfeather-&Oslash;msk</b>"),
        ("HTML, decimal", Name, Html, b"Zo&#235; Quillfeather-&#216;msk"),
        ("HTML, hexadecimal", Name, Html, b"&#x5a;&#x6f;&#xeb;&#x20;&#x51;&#x75;&#x69;&#x6c;&#x6c;&#x66;&#x65;&#x61;&#x74;&#x68;&#x65;&#x72;&#x2d;&#xd8;&#x6d;&#x73;&#x6b;"),
        ("quoted-printable", Name, QuotedPrintable, b"Zo=C3=AB Quillfeather-=C3=98msk"),
        ("quoted-printable of Latin-1", Name, QuotedPrintable, b"Zo=EB Quillfeather-=D8msk"),
        ("Latin-1", Name, Legacy, b"Zo\xeb Quillfeather-\xd8msk"),
        ("Mac Roman", Name, Legacy, b"Zo\x91 Quillfeather-\xafmsk"),
        ("taken for Latin-1", Name, Legacy, "ZoÃ« Quillfeather-Ã˜msk".as_bytes()),
        ("Base64", Name, Base64, b"Wm/DqyBRdWlsbGZlYXRoZXItw5htc2s+Pg=="),
        ("Base64, one further", Name, Base64, b"PFpvw6sgUXVpbGxmZWF0aGVyLcOYbXNrPj4="),
        ("Base64, two further", Name, Base64, b"PDxab8OrIFF1aWxsZmVhdGhlci3DmG1zaz4+"),
        ("Base64 for addresses", Name, Base64, b"Pz4_Pnpvw6sgcXVpbGxmZWF0aGVyLcO4bXNr"),
        ("Base64 of UTF-16", Name, Base64, b"WgBvAOsAIABRAHUAaQBsAGwAZgBlAGEAdABoAGUAcgAtANgAbQBzAGsA"),
        ("hexadecimal", Name, Hex, b"<5A6FC3AB205175696C6C666561746865722DC3986D736B>"),
        ("hexadecimal of UTF-16", Name, Hex, b"<FEFF005A006F00EB0020005100750069006C006C0066006500610074006800650072002D00D8006D0073006B>"),
        ("address", Email, Text, "mailto:ZOE.Quillfeather@möwe.example".as_bytes()),
        ("address in words", Email, Text, "zoe.quillfeather (at) möwe dot example".as_bytes()),
        ("address, references", Email, Html, b"zoe&#46;quillfeather&#64;m&#246;we&#46;example"),
        ("address, Punycode", Email, Punycode, b"zoe.quillfeather@xn--mwe-sna.example"),
        ("number", Phone, Text, b"tel:+493090174242"),
        ("number, grouped", Phone, Text, b"(030) 90 17-42 42"),
        ("number, percent", Phone, Text, b"%2B49%2030%2090174242"),
        ("number, Base64", Phone, Base64, b"dGVsICs0OTMwOTAxNzQyNDI="),
    ];
    let mut plants: Vec<Plant> =
        texts.iter().map(|(what, kind, encoding, bytes)| (*what, *kind, *encoding, bytes.to_vec())).collect();
    plants.push(("UTF-16, little-endian", Name, Utf16Le, wide(NAME, u16::to_le_bytes)));
    plants.push(("UTF-16, big-endian", Name, Utf16Be, wide(NAME, u16::to_be_bytes)));
    plants.push(("compressed", Name, Text, gzip(NAME.as_bytes())));
    plants.push(("compressed twice", Name, Text, gzip(&gzip(NAME.as_bytes()))));
    // Beyond the first bytes, which might be all that somebody looks at.
    plants.push(("far behind", Name, Text, [&[b' '; 300_000][..], NAME.as_bytes()].concat()));
    plants
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// Plants the person where only this run sees them, and looks.
///
/// `recipients` are those of the keys that the scanner has; without any the packs are as in a vault without
/// encryption.
///
/// # Errors
///
/// [`ProofError::Cancelled`]; when the spool directory cannot be written.
pub async fn sing(
    scanner: &Scanner,
    recipients: Vec<Recipient>,
    spool: &Path,
    now: Timestamp,
) -> Result<Canary, ProofError> {
    let clock = Arc::new(ManualClock::new(now));
    let abilities = Abilities { versions: true, create_only: true, ..Abilities::NONE };
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("canary", clock).with_abilities(abilities));
    let plants = plants();
    let options = PackOptions { recipients, frame_bytes: 1 << 16, zstd_level: 1, spool: spool.to_owned() };
    let mut builder = PackBuilder::new(PackKind::Content, &options)?;
    let mut items = Vec::new();
    for (number, (.., bytes)) in plants.iter().enumerate() {
        let salt = Salt(random());
        let id = ItemId::of(&salt, bytes);
        let path = format!("documents/en-us/canary/{number}.json");
        builder.add(id, &salt, Mac::UNKNOWN, &path, &mut ItemData::Memory(Bytes::copy_from_slice(bytes)))?;
        items.push(id);
    }
    let pack = builder.finish()?;
    let space = "canary".parse().expect("it is a name");
    let put = async |key: &str, body: Body| {
        store.put(key, body, PutMode::Overwrite).await.map_err(VaultError::from)
    };
    put(&layout::pack(&space, &pack.record.id), pack.body).await?;
    if let (Some(header), Some((digest, _))) = (pack.header, pack.record.header) {
        put(&layout::header(&space, &pack.record.id, &digest), header).await?;
    }
    // Beside packs: an object as it is, and one that another hides.
    let beside = layout::restore(&crate::ids::SnapshotId::new(now));
    put(&beside, Body::bytes(NAME.as_bytes().to_vec())).await?;
    put(layout::NOTIFICATIONS, Body::bytes(NAME.as_bytes().to_vec())).await?;
    put(layout::NOTIFICATIONS, Body::bytes(&b"nobody"[..])).await?;
    let place = Place { name: "canary".to_owned(), store };
    let scanned = scanner.places(&[place], &Silent).await?.pop().unwrap_or_default();
    Ok(heard(&plants, &items, &[&beside, layout::NOTIFICATIONS], &scanned.leaks))
}

/// Compares what was planted with what was found.
fn heard(plants: &[Plant], items: &[ItemId], beside: &[&str], leaks: &[Leak]) -> Canary {
    let in_items: HashSet<(ItemId, Leaked)> =
        leaks.iter().filter_map(|leak| Some((leak.item?, leak.what))).collect();
    let is_missed = |(plant, item): &(&Plant, &ItemId)| {
        let (_, kind, encoding, _) = plant;
        !in_items.contains(&(**item, Leaked::Identifier { kind: *kind, encoding: *encoding }))
    };
    let missed = plants.iter().zip(items).filter(is_missed).map(|(plant, _)| plant.0.to_owned());
    let mut missed: Vec<String> = missed.collect();
    for key in beside {
        if !leaks.iter().any(|leak| leak.item.is_none() && leak.place == *key) {
            missed.push(format!("an object {key}"));
        }
    }
    Canary { planted: (plants.len() + beside.len()) as u64, missed }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::ids::Digest;
    use crate::privacy::proof::stays::Stays;
    use crate::vault::envelope::Identity;

    async fn canary(needles: Needles, keys: &[Identity], to: Vec<Recipient>) -> Canary {
        let spool = tempfile::tempdir().unwrap();
        let (stays, erased) = (Stays::default(), HashSet::<Digest>::new());
        let scanner = Scanner::new([needles], keys, stays, erased, CancellationToken::new()).unwrap();
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        sing(&scanner, to, spool.path(), now).await.unwrap()
    }

    #[tokio::test]
    async fn every_encoding_is_found_with_and_without_encryption() {
        let key = Identity::generate();
        for to in [vec![key.recipient()], Vec::new()] {
            let found = canary(needles().unwrap(), std::slice::from_ref(&key), to).await;
            assert_eq!(found.missed, Vec::<String>::new());
            assert!(found.is_found() && found.planted > 40);
        }
    }

    #[tokio::test]
    async fn a_scanner_that_misses_an_encoding_is_told() {
        for encoding in Encoding::ALL {
            let mut broken = needles().unwrap();
            broken.retain(|own| own != encoding);
            let found = canary(broken, &[], Vec::new()).await;
            assert!(!found.is_found(), "{encoding:?}");
            let of_it = plants().iter().filter(|plant| plant.2 == encoding).count();
            assert!(of_it > 0 && found.missed.len() <= of_it + 2, "{encoding:?}: {:?}", found.missed);
        }
        // Without the key all but what lies beside the pack is missed.
        let (own, other) = (Identity::generate(), Identity::generate());
        let found = canary(needles().unwrap(), &[other], vec![own.recipient()]).await;
        assert_eq!(found.missed.len() as u64, found.planted - 2);
        assert!(!canary(Needles::default(), &[], Vec::new()).await.is_found());
    }
}
