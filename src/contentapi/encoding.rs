//! Answers in fewer bytes: brotli or gzip, as `Accept-Encoding` has it (RFC 9110, 12.5.3).
//!
//! Bodies are whole when they come here, so their compressed size is known and sent. Small ones are
//! left alone: they fit into one packet anyway. Large ones are work for threads that may wait, which
//! [`is_quick`] tells.

use std::io::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes that go as they are: they fit into one packet with their head.
const SMALL: usize = 1 << 10;
/// Bytes that are compressed where they are; it takes about as long as sending them.
const QUICK: usize = 16 << 10;
/// Bytes from which on brotli is worth its larger tables.
const BROTLI_FROM: usize = 8 << 10;
/// Effort of gzip, of 9: fast, and close to what more effort gives.
const GZIP_LEVEL: u32 = 4;
/// Effort of brotli, of 11: as fast as gzip and smaller.
const BROTLI_QUALITY: i32 = 4;

/// How a body can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Accepted {
    gzip: bool,
    brotli: bool,
}

/// A body as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    name: Option<&'static str>,
}

impl Accepted {
    /// Reads what the other side takes.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        let values = headers.get_all(header::ACCEPT_ENCODING).iter();
        for entry in values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let is_wanted = quality.is_none_or(|quality| quality.parse::<f32>().is_ok_and(|q| q > 0.0));
            match name.as_str() {
                "gzip" | "x-gzip" => accepted.gzip = is_wanted,
                "br" => accepted.brotli = is_wanted,
                _ => {}
            }
        }
        accepted
    }

    /// Whether encoding a body of this size holds nobody up.
    pub(super) fn is_quick(self, len: usize) -> bool {
        len <= QUICK || !(self.gzip || self.brotli)
    }

    /// Compresses a body where that is wanted and wins something.
    pub(super) fn encode(self, body: Vec<u8>) -> Encoded {
        let as_it_is = |bytes| Encoded { bytes, name: None };
        if body.len() <= SMALL {
            return as_it_is(body);
        }
        let (compressed, name) = if self.brotli && (body.len() >= BROTLI_FROM || !self.gzip) {
            (brotli(&body), "br")
        } else if self.gzip {
            (gzip(&body), "gzip")
        } else {
            return as_it_is(body);
        };
        match compressed.filter(|bytes| bytes.len() < body.len()) {
            Some(bytes) => Encoded { bytes, name: Some(name) },
            None => as_it_is(body),
        }
    }
}

impl Encoded {
    /// Says in an answer how its body is encoded.
    pub(super) fn tell(name: Option<&'static str>, response: &mut Response) {
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(name) = name {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }

    /// The bytes, and what they are encoded by.
    pub(super) fn into_parts(self) -> (Vec<u8>, Option<&'static str>) {
        (self.bytes, self.name)
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(GZIP_LEVEL));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn brotli(body: &[u8]) -> Option<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        // A window as large as the body: a larger one is only memory.
        lgwin: i32::try_from(body.len().next_power_of_two().ilog2()).unwrap_or(22).clamp(16, 22),
        size_hint: body.len(),
        ..Default::default()
    };
    let mut out = Vec::with_capacity(body.len() / 4);
    brotli::BrotliCompress(&mut &*body, &mut out, &parameters).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn accepted(text: &'static str) -> Accepted {
        Accepted::of(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]))
    }

    #[test]
    fn what_the_other_side_takes_is_read_with_its_weights() {
        for (text, gzip, brotli) in [
            ("", false, false),
            ("gzip, deflate, br", true, true),
            ("BR;q=0.5,gzip;q=0", false, true),
            ("gzip ; q=1.0", true, false),
            ("br;q=x", false, false),
            ("identity, *", false, false),
        ] {
            assert_eq!(accepted(text), Accepted { gzip, brotli }, "{text}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()), Accepted::default());
    }

    #[test]
    fn a_body_is_smaller_and_comes_back_as_it_was() {
        let body = r#"{"id":"YFkXbhMAACcAjYgR","type":"page","lang":"en-us"},"#.repeat(1_000).into_bytes();
        let encoded = accepted("gzip").encode(body.clone());
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&encoded.bytes[..]).read_to_end(&mut back).expect("gzip");
        assert_eq!((&back, encoded.name), (&body, Some("gzip")));
        let encoded = accepted("gzip, br").encode(body.clone());
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &encoded.bytes[..], &mut back).expect("brotli");
        assert_eq!((&back, encoded.name), (&body, Some("br")));
        assert!(encoded.bytes.len() < body.len() / 10);
        assert_eq!(accepted("gzip, br").encode(body[..4_000].to_vec()).name, Some("gzip"));
        assert_eq!(accepted("br").encode(body[..4_000].to_vec()).name, Some("br"));
        assert_eq!(accepted("").encode(body.clone()), Encoded { bytes: body.clone(), name: None });
        assert_eq!(accepted("br").encode(b"{}".to_vec()).name, None);
        assert!(!accepted("br").is_quick(body.len()) && Accepted::default().is_quick(body.len()));
    }

    #[test]
    fn what_does_not_become_smaller_goes_as_it_is() {
        let mut seed = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .take(20_000)
        .collect();
        for text in ["gzip", "br"] {
            assert_eq!(accepted(text).encode(noise.clone()).name, None, "{text}");
        }
    }
}
