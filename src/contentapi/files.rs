//! Files over HTTP, as Prismic's hosts of images and files give them: parts, media types, and paths
//! whose slashes are encoded.

use std::ops::Range;

/// Returns the decoded path of an address without scheme and host: what stands before `?` or `#`,
/// percent-decoded. `/{repo}%2F{name}` and `/{repo}/{name}` are the same file.
pub fn decode_path(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Which part of a file a `Range` header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// These bytes.
    Part(Range<u64>),
    /// None that there are: 416.
    Outside,
    /// Several parts, other units, nonsense: the whole is answered (RFC 9110, 14.2).
    Unclear,
}

/// Reads a `Range` header over a file of `len` bytes.
pub fn parse_range(text: &str, len: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Unclear;
    };
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if last >= from => (from, last.saturating_add(1).min(len)),
        (Ok(from), Err(_)) if last.is_empty() => (from, len),
        (Err(_), Ok(suffix)) if first.is_empty() => (len.saturating_sub(suffix), len),
        _ => return Asked::Unclear,
    };
    if from < to { Asked::Part(from..to) } else { Asked::Outside }
}

/// Returns the media type of a file by its name; of what is not known, plain bytes.
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-", Some(2..10)),
            ("bytes=5-99", Some(5..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-99", Some(0..10)),
            ("bytes=10-", None),
            ("bytes=-0", None),
        ] {
            let part = match parse_range(text, 10) {
                Asked::Part(range) => Some(range),
                Asked::Outside => None,
                Asked::Unclear => panic!("{text} is clear"),
            };
            assert_eq!(part, expected, "{text}");
        }
        for text in ["bytes=3-1", "bytes=1-2,4-5", "items=1-2", "bytes=a-b", ""] {
            assert!(matches!(parse_range(text, 10), Asked::Unclear), "{text}");
        }
    }
}
