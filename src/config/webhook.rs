//! `[webhook]`: where Prismic's webhooks are received, and who may send them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::error::ConfigError;
use super::read::Value;
use super::secret_ref::SecretRef;
use super::value::listen_address;
use crate::clock::parse_duration;

const KEYS: &[&str] = &["listen", "allow", "trusted_proxies", "header", "quiet", "longest_wait"];
const HEADER_KEYS: &[&str] = &["name", "value"];

/// Port of the examples.
const PORT: u16 = 8788;
/// How long nothing must be published before a snapshot is taken, where a file says nothing.
/// Editors publish in bursts; one snapshot shows them all.
const QUIET: Duration = Duration::from_secs(10);
/// After which time it is taken although publishing goes on.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// Longest times that a file may set: beyond them polling is quicker.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// `[webhook]`.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Networks that may send; empty for all.
    pub allow: Vec<Network>,
    /// Networks of reverse proxies whose `X-Forwarded-For` is believed; empty for none.
    pub trusted_proxies: Vec<Network>,
    /// A header that every request must carry.
    pub header: Option<WebhookHeader>,
    /// How long nothing must be published before a snapshot is taken.
    pub quiet: Duration,
    /// After which time it is taken in any case; at least `quiet`.
    pub longest_wait: Duration,
}

/// A header and where its value is.
#[derive(Debug, Clone)]
pub struct WebhookHeader {
    /// Its name, in lower case.
    pub name: String,
    /// Where its value is.
    pub value: SecretRef,
}

/// A network in CIDR notation: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Text that is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no network, write an address, or one and the bits that count: \"192.0.2.0/24\"")]
pub struct InvalidNetwork;

impl WebhookSettings {
    /// [`quiet`](Self::quiet) and [`longest_wait`](Self::longest_wait) where a file says nothing.
    pub const WAITS: (Duration, Duration) = (QUIET, LONGEST_WAIT);
}

impl Network {
    /// Whether an address is in it. An IPv4 address that came over IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= most).ok_or(InvalidNetwork)?
            }
            Some(_) => return Err(InvalidNetwork),
            None => most,
        };
        Ok(Self { address, bits })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Reads `[webhook]`.
pub(super) fn read(value: &Value<'_>, directory: &Path) -> Result<WebhookSettings, ConfigError> {
    let table = value.table(KEYS)?;
    let listen = table.need("listen")?;
    let networks = |value: &Value<'_>| -> Result<Vec<Network>, ConfigError> {
        let read = |item: &Value<'_>| {
            item.text()?.parse().map_err(|error: InvalidNetwork| item.invalid(error.to_string()))
        };
        let networks = value.list()?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        match networks.is_empty() {
            true => Err(value.invalid("is empty, which would mean nobody; leave it out")),
            false => Ok(networks),
        }
    };
    let wait = |value: &Value<'_>| {
        let wait = parse_duration(value.text()?).filter(|wait| *wait <= WAIT_MAX);
        wait.ok_or_else(|| value.invalid("must be a duration of at most 24h, such as \"10s\""))
    };
    let quiet = table.read("quiet", wait)?.unwrap_or(QUIET);
    let longest_wait = table.read("longest_wait", wait)?.unwrap_or(LONGEST_WAIT.max(quiet));
    if let (Some(value), true) = (table.get("longest_wait"), longest_wait < quiet) {
        return Err(value.invalid("is shorter than \"quiet\""));
    }
    Ok(WebhookSettings {
        listen: listen_address(listen, PORT)?,
        allow: table.read("allow", networks)?.unwrap_or_default(),
        trusted_proxies: table.read("trusted_proxies", networks)?.unwrap_or_default(),
        header: table.read("header", |value| read_header(value, directory))?,
        quiet,
        longest_wait,
    })
}

fn read_header(value: &Value<'_>, directory: &Path) -> Result<WebhookHeader, ConfigError> {
    let table = value.table(HEADER_KEYS)?;
    let name = table.need("name")?;
    let text = name.text()?;
    let valid = text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !valid {
        return Err(name.invalid("is no name of a header (letters, digits and \"-\")"));
    }
    Ok(WebhookHeader {
        name: text.to_ascii_lowercase(),
        value: SecretRef::read(table.need("value")?, directory)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_whose_bits_agree() {
        for (network, inside, outside) in [
            (
                "192.0.2.0/24",
                &["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"][..],
                &["192.0.3.0", "::1"][..],
            ),
            ("10.0.0.0/8", &["10.255.0.1"], &["11.0.0.0"]),
            ("0.0.0.0/0", &["8.8.8.8"], &["2001:db8::1"]),
            ("192.0.2.7", &["192.0.2.7"], &["192.0.2.6"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::"]),
            ("::/0", &["::1"], &["127.0.0.1"]),
        ] {
            let network: Network = network.parse().unwrap();
            for address in inside {
                assert!(network.contains(address.parse().unwrap()), "{network} {address}");
            }
            for address in outside {
                assert!(!network.contains(address.parse().unwrap()), "{network} {address}");
            }
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/+8", "example.com/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
