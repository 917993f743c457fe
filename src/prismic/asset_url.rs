//! Addresses of asset files: every form that Prismic has used, reduced to the original file.
//!
//! The original bytes are what an address gives without its query: parameters (`auto=format`,
//! `rect=`, `w=`) make imgix convert and crop. Forms met in real documents:
//!
//! | form | example |
//! | --- | --- |
//! | image | `https://images.prismic.io/{repo}/{asset id}_{name}?auto=format,compress` |
//! | older image | `https://images.prismic.io/{repo}%2F{uuid}_{name}` (the slash is encoded, the uuid is no asset id) |
//! | file | `https://{repo}.cdn.prismic.io/{repo}/{asset id}_{name}`, or with `%2F{uuid}_` |
//! | oldest | `https://prismic-io.s3.amazonaws.com/{repo}/…`, `https://prismic-io.imgix.net/…` |
//! | stock photo | `https://images.unsplash.com/…`, not stored by Prismic |
//!
//! Invariants: an address that came through [`original`] is absolute, `http` or `https`, and has
//! no user, password, query, fragment or `..` segment, plain or encoded. It is what is fetched;
//! whether two of them are the same file is asked of [`comparison_key`].

use std::fmt;

use url::{Host, Url};

use super::endpoints::Endpoints;

/// Why an address cannot be that of an asset. It never shows the address, which may hold
/// credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum AssetUrlError {
    /// Not an absolute address.
    #[error("the address of the asset is not an absolute URL")]
    Invalid,
    /// Neither `http` nor `https`.
    #[error("the address of the asset is neither http nor https")]
    Scheme,
    /// Holds a user or a password.
    #[error("the address of the asset holds a user name or password")]
    Credentials,
    /// Holds a `..` segment.
    #[error("the address of the asset climbs directories")]
    Traversal,
    /// Names no file.
    #[error("the address of the asset names no file")]
    NoFile,
}

/// Returns the address of the original file: `text` without query and fragment.
///
/// # Errors
///
/// When `text` is not an address that may be fetched; see [`AssetUrlError`].
pub fn original(text: &str) -> Result<Url, AssetUrlError> {
    let text = text.trim();
    let mut url = Url::parse(text).map_err(|_| AssetUrlError::Invalid)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(AssetUrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AssetUrlError::Credentials);
    }
    // `Url` has resolved `..` in the path already, so the text as written is looked at too.
    let written = text.split(['?', '#']).next().unwrap_or_default();
    if climbs(written) || climbs(url.path()) {
        return Err(AssetUrlError::Traversal);
    }
    if file_segment(&url).is_empty() {
        return Err(AssetUrlError::NoFile);
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Returns a text that is equal for two addresses of the same file: without scheme, with host and
/// port, and with `%2F` read as `/`.
pub fn comparison_key(url: &Url) -> String {
    let mut key = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        key.push(':');
        key.push_str(&port.to_string());
    }
    key.push_str(&with_slashes(url.path()));
    key
}

/// Returns what may be the asset id in `{asset id}_{name}`, when the last segment looks like that:
/// 16 of `A-Z a-z 0-9 _ -`.
///
/// Only a guess, to be looked up among ids that are known: `Veronica_Schmidt_cv.pdf` looks the
/// same, and so do ids of any shape that could be asked for. Nothing may be named by it.
pub fn possible_asset_id(url: &Url) -> Option<String> {
    let file = file_segment(url);
    let id = file.get(..16)?;
    let shaped = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    (shaped && file.as_bytes().get(16) == Some(&b'_')).then(|| id.to_owned())
}

/// Returns an address as it may be shown in errors and logs: without the name of the file, because
/// names are what people chose and can be personal. What looks like an asset id may be part of
/// one; a uuid is not, and helps to find the file.
pub fn shown(url: &Url) -> String {
    let file = file_segment(url);
    let uuid = file.get(..36).filter(|text| is_uuid(text) && file.as_bytes().get(36) == Some(&b'_'));
    match uuid {
        Some(uuid) => format!("{}/…/{uuid}_…", place(url)),
        None => format!("{}/…", place(url)),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whose host an asset lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetHost {
    /// One of Prismic's own.
    Prismic,
    /// That of a configured endpoint, or one that the configuration allows.
    Allowed,
    /// Anybody else's: listed, never fetched.
    External,
}

/// The hosts that assets may be fetched from.
#[derive(Debug, Clone, Default)]
pub struct AssetHosts {
    /// `host` for the scheme's usual port, `host:port` for another; lower case.
    allowed: Vec<String>,
}

impl AssetHosts {
    /// Returns the hosts for a repository: Prismic's, those of its endpoints, and `asset_hosts`
    /// of the configuration (`host`, or `host:port`).
    pub fn new(endpoints: &Endpoints, asset_hosts: &[String]) -> Self {
        let mut allowed: Vec<_> =
            [&endpoints.content_api, &endpoints.asset_api, &endpoints.types_api, &endpoints.migration_api]
                .into_iter()
                .map(place)
                .collect();
        allowed.extend(asset_hosts.iter().map(|host| host.trim().to_ascii_lowercase()));
        Self { allowed }
    }

    /// Says whose host `url` is on.
    pub fn classify(&self, url: &Url) -> AssetHost {
        if is_prismic(url) {
            AssetHost::Prismic
        } else if matches!(url.scheme(), "http" | "https") && self.allowed.contains(&place(url)) {
            AssetHost::Allowed
        } else {
            AssetHost::External
        }
    }
}

/// Whether an address is on one of the hosts where Prismic keeps files, on its usual port.
pub fn is_prismic(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else { return false };
    let known = matches!(host, "images.prismic.io" | "prismic-io.s3.amazonaws.com" | "prismic-io.imgix.net")
        || host.strip_suffix(".cdn.prismic.io").is_some_and(|repository| !repository.is_empty());
    known && url.port().is_none() && matches!(url.scheme(), "http" | "https")
}

/// Whether an address is that of a file kept by Prismic rather than of one of its APIs, which
/// answer on the same host.
pub fn is_file_of_prismic(url: &Url) -> bool {
    let path = with_slashes(url.path());
    let is_api = ["/api", "/graphql", "/previews", "/app", "/auth"]
        .iter()
        .any(|api| path.strip_prefix(api).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    is_prismic(url) && !is_api && path.trim_start_matches('/').contains('/')
}

impl fmt::Display for AssetHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prismic => "Prismic",
            Self::Allowed => "allowed",
            Self::External => "external",
        })
    }
}

/// Host and, where it is not the usual one, port.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

fn with_slashes(path: &str) -> String {
    path.replace("%2F", "/").replace("%2f", "/")
}

fn file_segment(url: &Url) -> String {
    with_slashes(url.path()).rsplit('/').next().unwrap_or_default().to_owned()
}

/// Whether a segment of the path is `..` once what is percent-encoded is read.
fn climbs(path: &str) -> bool {
    let mut text = path.to_owned();
    // Twice, so that `%252e` is seen as well by those who decode twice.
    for _ in 0..2 {
        if !text.contains('%') {
            break;
        }
        for (encoded, plain) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "\\")] {
            text = text.replace(encoded, plain).replace(&encoded.to_ascii_uppercase(), plain);
        }
    }
    text.split(['/', '\\']).any(|segment| segment.trim() == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> AssetHosts {
        let endpoints = Endpoints::for_repository("acme-blog").expect("a valid name");
        AssetHosts::new(&endpoints, &["assets.acme.example".to_owned(), "127.0.0.1:4000".to_owned()])
    }

    #[test]
    fn every_form_of_the_services_history_becomes_the_original() {
        use AssetHost::{Allowed, External, Prismic};
        for (sent, expected, host, id) in [
            (
                "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_PoeticUnity.jpg?auto=format,compress&rect=0,0,1,1",
                "https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_PoeticUnity.jpg",
                Prismic,
                Some("ZoQE4h5LeNNTwtnO"),
            ),
            (
                "https://images.prismic.io/acme/WsuS_R8AACS1Nwlx_a_b.jpg",
                "https://images.prismic.io/acme/WsuS_R8AACS1Nwlx_a_b.jpg",
                Prismic,
                Some("WsuS_R8AACS1Nwlx"),
            ),
            (
                "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_kenarnold.jpg?auto=compress",
                "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_kenarnold.jpg",
                Prismic,
                None,
            ),
            (
                "https://acme.cdn.prismic.io/acme/ZoQE4h5LeNNTwtnO_plan.pdf#page=2",
                "https://acme.cdn.prismic.io/acme/ZoQE4h5LeNNTwtnO_plan.pdf",
                Prismic,
                Some("ZoQE4h5LeNNTwtnO"),
            ),
            (
                "https://prismic-io.s3.amazonaws.com/acme/plan.pdf",
                "https://prismic-io.s3.amazonaws.com/acme/plan.pdf",
                Prismic,
                None,
            ),
            (
                "https://prismic-io.imgix.net/acme/a.png?w=10",
                "https://prismic-io.imgix.net/acme/a.png",
                Prismic,
                None,
            ),
            (
                "https://images.unsplash.com/photo-1?ixid=1",
                "https://images.unsplash.com/photo-1",
                External,
                None,
            ),
            ("http://127.0.0.1:4000/a/b.png?x", "http://127.0.0.1:4000/a/b.png", Allowed, None),
            ("http://127.0.0.1:4001/a/b.png", "http://127.0.0.1:4001/a/b.png", External, None),
            ("https://assets.acme.example/b.png", "https://assets.acme.example/b.png", Allowed, None),
            (
                "https://acme-blog.cdn.prismic.io/x/b.png",
                "https://acme-blog.cdn.prismic.io/x/b.png",
                Prismic,
                None,
            ),
        ] {
            let url = original(sent).expect("a usable address");
            assert_eq!(url.as_str(), expected);
            assert_eq!(hosts().classify(&url), host, "{sent}");
            assert_eq!(possible_asset_id(&url).as_deref(), id, "{sent}");
        }
    }

    #[test]
    fn an_encoded_slash_is_kept_for_fetching_and_equal_for_comparing() {
        let encoded = original("https://images.prismic.io/acme%2Fa.png?w=1").expect("usable");
        let plain = original("http://images.prismic.io/acme/a.png").expect("usable");
        assert!(encoded.as_str().contains("%2F"));
        assert_eq!(comparison_key(&encoded), comparison_key(&plain));
        let other = original("https://images.prismic.io:8443/acme/a.png").expect("usable");
        assert_ne!(comparison_key(&other), comparison_key(&plain));
    }

    #[test]
    fn hostile_addresses_are_refused() {
        use AssetUrlError::{Credentials, Invalid, NoFile, Scheme, Traversal};
        for (sent, why) in [
            ("", Invalid),
            ("/acme/a.png", Invalid),
            ("//images.prismic.io/acme/a.png", Invalid),
            ("file:///etc/passwd", Scheme),
            ("javascript:alert(1)", Scheme),
            ("data:image/png;base64,AA", Scheme),
            ("ftp://images.prismic.io/acme/a.png", Scheme),
            ("https://user@images.prismic.io/a.png", Credentials),
            ("https://images.prismic.io:x@evil.example/a.png", Credentials),
            ("https://images.prismic.io/acme/../a.png", Traversal),
            ("https://images.prismic.io/acme%2F..%2f..%2Fetc", Traversal),
            ("https://images.prismic.io/acme/%2e%2E/a.png", Traversal),
            ("https://images.prismic.io/acme/..%5Ca.png", Traversal),
            ("https://images.prismic.io/acme/%252e%252e%252fa.png", Traversal),
            ("https://images.prismic.io/", NoFile),
            ("https://images.prismic.io/acme%2F", NoFile),
        ] {
            assert_eq!(original(sent), Err(why), "{sent}");
        }
    }

    #[test]
    fn an_address_is_shown_without_the_name_of_the_file() {
        for (sent, expected) in [
            ("https://images.prismic.io/acme/ZoQE4h5LeNNTwtnO_Jane.jpg", "images.prismic.io/…"),
            ("https://images.prismic.io/acme/Veronica_Schmidt_cv.pdf", "images.prismic.io/…"),
            (
                "https://images.prismic.io/acme/de-ad-be-ef-de-ad-be-ef-de-ad-be-ef-_cv.pdf",
                "images.prismic.io/…",
            ),
            (
                "https://images.prismic.io/acme%2F2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_Jane.jpg",
                "images.prismic.io/…/2927805a-18c8-4c5a-9c5c-4fb9ffe1e2d5_…",
            ),
            ("http://127.0.0.1:8080/Jane.jpg", "127.0.0.1:8080/…"),
        ] {
            assert_eq!(shown(&original(sent).expect("usable")), expected);
        }
    }

    #[test]
    fn a_host_that_only_resembles_prismics_is_external() {
        for sent in [
            "https://images.prismic.io.evil.example/a.png",
            "https://evil-images.prismic.io.example/a.png",
            "https://xcdn.prismic.io/a.png",
            "https://.cdn.prismic.io/a.png",
            "https://images.prismic.io:8443/a.png",
            "https://evil.example/images.prismic.io/a.png",
        ] {
            if let Ok(url) = original(sent) {
                assert_eq!(hosts().classify(&url), AssetHost::External, "{sent}");
            }
        }
    }

    #[test]
    fn a_name_that_cannot_be_an_id_gives_none() {
        for sent in [
            "https://a.example/abcdefghijklmno.png",
            "https://a.example/ZoQE4h5LeNNTwtn.x_a.png",
            "https://a.example/ZoQE4h5LeNNTwtn_x.png",
            "https://a.example/é",
        ] {
            assert_eq!(possible_asset_id(&original(sent).expect("usable")), None, "{sent}");
        }
    }
}
