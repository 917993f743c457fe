//! Places in films and sound.

use prismvault::privacy::passage::Channel as C;

use super::{Place, Takes, file, plain, utf16_le, xmp};

fn boxed(kind: &[u8], body: &[u8]) -> Vec<u8> {
    [&((body.len() + 8) as u32).to_be_bytes()[..], kind, body].concat()
}

/// A film with what users say of it.
fn mp4(said: &[u8]) -> Vec<u8> {
    [boxed(b"ftyp", b"isom\0\0\0\0isom"), boxed(b"moov", &boxed(b"udta", said)), boxed(b"mdat", &[0; 16])]
        .concat()
}

/// A list of iTunes with one value.
fn listed(kind: &[u8], text: &str) -> Vec<u8> {
    let data = boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()].concat());
    let list = boxed(b"ilst", &boxed(kind, &data));
    let handler = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
    boxed(b"meta", &[&[0, 0, 0, 0], &handler[..], &list].concat())
}

/// A text of QuickTime: length, language, text.
fn quicktime(kind: &[u8], text: &str) -> Vec<u8> {
    boxed(kind, &[&(text.len() as u16).to_be_bytes()[..], &[0x15, 0xc7], text.as_bytes()].concat())
}

/// An MP3 with one frame of ID3.
fn mp3(version: u8, name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    // Short frames have the same length with seven and with eight bits a byte.
    let frame = [name, &length, &[0, 0], body].concat();
    let size = frame.len() as u32;
    let synchsafe =
        [(size >> 21) as u8 & 0x7f, (size >> 14) as u8 & 0x7f, (size >> 7) as u8 & 0x7f, size as u8 & 0x7f];
    [b"ID3", &[version, 0, 0][..], &synchsafe, &frame, &[0xff, 0xfb, 0x90, 0x64], &[0; 413]].concat()
}

fn comments(text: &str) -> Vec<u8> {
    let comment = format!("ARTIST={text}");
    [
        &3_u32.to_le_bytes()[..],
        b"lib",
        &1_u32.to_le_bytes(),
        &(comment.len() as u32).to_le_bytes(),
        comment.as_bytes(),
    ]
    .concat()
}

fn flac(text: &str) -> Vec<u8> {
    let block = |kind: u8, body: &[u8]| [&[kind], &(body.len() as u32).to_be_bytes()[1..], body].concat();
    [&b"fLaC"[..], &block(0, &[0; 34]), &block(0x84, &comments(text))].concat()
}

fn ogg(text: &str) -> Vec<u8> {
    let body = [&b"\x03vorbis"[..], &comments(text), &[1]].concat();
    [&b"OggS\0\x02"[..], &[0; 20], &[1, body.len() as u8], &body].concat()
}

fn wav(text: &str) -> Vec<u8> {
    let chunk = |kind: &[u8], body: &[u8]| {
        [kind, &(body.len() as u32).to_le_bytes(), body, &[0][..body.len() % 2]].concat()
    };
    let list = [b"INFO", &chunk(b"IART", &[text.as_bytes(), b"\0"].concat())[..]].concat();
    let all = [
        b"WAVE",
        &chunk(b"fmt ", &[1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0])[..],
        &chunk(b"LIST", &list),
        &chunk(b"data", &[128; 8]),
    ]
    .concat();
    chunk(b"RIFF", &all)
}

const XMP_UUID: &[u8] = b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";

pub(super) const PLACES: &[Place] = &[
    file("mp4.artist", C::ImageText, "a.mp4", Takes::Text, |t| plain(mp4(&listed(b"\xa9ART", t)), t)),
    file("mp4.quicktime", C::ImageText, "a.mov", Takes::Text, |t| plain(mp4(&quicktime(b"\xa9aut", t)), t)),
    file("mp4.xmp", C::Xmp, "a.mp4", Takes::Text, |t| {
        plain(
            [
                boxed(b"ftyp", b"isom\0\0\0\0isom"),
                boxed(b"uuid", &[XMP_UUID, xmp(t, "").as_bytes()].concat()),
            ]
            .concat(),
            t,
        )
    }),
    file("mp3.artist", C::ImageText, "a.mp3", Takes::Text, |t| {
        plain(mp3(4, b"TPE1", &[b"\x03", t.as_bytes()].concat()), t)
    }),
    file("mp3.wide_artist", C::ImageText, "a.mp3", Takes::Text, |t| {
        plain(mp3(3, b"TPE1", &[&[1, 0xff, 0xfe][..], &utf16_le(t)].concat()), t)
    }),
    file("mp3.comment", C::ImageText, "a.mp3", Takes::Text, |t| {
        plain(mp3(4, b"COMM", &[b"\x03eng\0", t.as_bytes()].concat()), t)
    }),
    file("flac.artist", C::ImageText, "a.flac", Takes::Text, |t| plain(flac(t), t)),
    file("ogg.artist", C::ImageText, "a.ogg", Takes::Text, |t| plain(ogg(t), t)),
    file("wav.artist", C::ImageText, "a.wav", Takes::Text, |t| plain(wav(t), t)),
];
