//! Values with a form of their own: addresses, hosts, keys, Prismic's names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use super::error::ConfigError;
use super::read::Value;

/// Reads the name of a repository of Prismic: `^[a-zA-Z0-9][-a-zA-Z0-9]{2,}[a-zA-Z0-9]$`, as
/// Prismic's own client checks it.
pub(super) fn prismic_repository(value: &Value<'_>) -> Result<String, ConfigError> {
    let name = value.text()?;
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let valid = bytes.len() >= 4
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    match valid {
        true => Ok(name.to_owned()),
        false => Err(value.invalid(format!(
            "{:?} is not the name of a Prismic repository (at least 4 letters, digits or \"-\", no \"-\" at \
             the ends, no address)",
            shortened(name)
        ))),
    }
}

/// Reads the address of an API: `http` or `https`, and nothing secret in it.
///
/// The text is never shown: addresses are where tokens get pasted.
pub(super) fn api_address(value: &Value<'_>) -> Result<Url, ConfigError> {
    let url = address(value, "an address, write https:// and a host")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(value.invalid("must begin with https:// or http://"));
    }
    Ok(url)
}

/// Reads the address of a replica.
pub(super) fn replica_address(value: &Value<'_>) -> Result<Url, ConfigError> {
    let url = address(value, "an address, write s3://bucket/prefix, or file:// and an absolute path")?;
    match url.scheme() {
        "s3" if url.host_str().is_none_or(str::is_empty) => Err(value.invalid("names no bucket")),
        "s3" if url.port().is_some() => {
            Err(value.invalid("has a port; the address of a store other than AWS goes into \"endpoint\""))
        }
        "s3" => Ok(url),
        "file" if url.host_str().is_some_and(|host| !host.is_empty()) => {
            Err(value.invalid("must be an absolute path, with three slashes: file:///…"))
        }
        "file" => Ok(url),
        _ => Err(value.invalid("must begin with s3:// or file://")),
    }
}

fn address(value: &Value<'_>, wanted: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(value.text()?).map_err(|_| value.invalid(format!("is not {wanted}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(value.invalid("holds a user or password; secrets are never values in the file"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(value.invalid("must have no \"?\" and no \"#\""));
    }
    Ok(url)
}

/// Reads a host that assets may come from.
pub(super) fn host(value: &Value<'_>) -> Result<String, ConfigError> {
    let text = value.text()?;
    let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.[:]".contains(&b));
    let host = url::Host::parse(text).ok().map(|host| host.to_string()).filter(|host| plain(host));
    host.ok_or_else(|| {
        value.invalid(format!("{:?} is not a host name (no scheme, port or path)", shortened(text)))
    })
}

/// Reads an address and port to listen on. No names: what a name means may change, and what is then
/// listened on nobody chose.
pub(super) fn listen_address(value: &Value<'_>, port: u16) -> Result<SocketAddr, ConfigError> {
    let text = value.text()?;
    text.parse().map_err(|_| {
        let reason = "is no address with a port";
        value.invalid(match meant_by(text, port) {
            Some(meant) => format!("{reason}, did you mean \"{meant}\"?"),
            None => format!("{reason}, write \"127.0.0.1:{port}\" or \"[::1]:{port}\""),
        })
    })
}

/// What somebody may have meant who wrote only an address, only a port, or a name for this machine.
fn meant_by(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let address = match host {
        "" | "localhost" => Ipv4Addr::LOCALHOST,
        "*" => Ipv4Addr::UNSPECIFIED,
        _ => return None,
    };
    Some(SocketAddr::new(address.into(), port.parse().ok()?))
}

/// Reads a short text that people and logs are shown: at most 200 characters, no line breaks or
/// other control characters.
pub(crate) fn label(value: &Value<'_>) -> Result<String, ConfigError> {
    let text = value.text()?;
    if text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(value.invalid("must have at most 200 characters, and no control characters"));
    }
    Ok(text.to_owned())
}

/// Reads a minisign public key: base64 of an algorithm, a key id and an Ed25519 key.
pub(super) fn public_key(value: &Value<'_>) -> Result<String, ConfigError> {
    const LENGTH: usize = 2 + 8 + 32;
    let text = value.text()?;
    let valid =
        BASE64_STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == LENGTH && bytes.starts_with(b"Ed"));
    match valid {
        true => Ok(text.to_owned()),
        // A secret key pasted here must not come back in a message, so the text is not shown.
        false => Err(value.invalid("is not a minisign public key (56 characters that begin with RW)")),
    }
}

/// Reads a storage class: Amazon's, or one that another store has made up. Those from which
/// objects must be fetched back for hours are refused: verification and restores read.
pub(super) fn storage_class(value: &Value<'_>) -> Result<String, ConfigError> {
    let class = value.text()?;
    if matches!(class, "GLACIER" | "DEEP_ARCHIVE") {
        let why = "is an archive, from which nothing can be read at once; \"GLACIER_IR\" can be used";
        return Err(value.invalid(why));
    }
    let valid =
        class.len() <= 80 && class.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    match valid {
        true => Ok(class.to_owned()),
        false => Err(value.invalid("is not a storage class, such as \"STANDARD_IA\"")),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
