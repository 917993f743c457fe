//! `[metrics]`: where numbers for monitoring go.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::read::{Table, Value};
use super::value::listen_address;

const KEYS: &[&str] = &["listen", "textfile"];
/// Port of the examples: the one that Prometheus' list of ports gives to whoever exports metrics by
/// OpenTelemetry's libraries, and so what people expect.
const PORT: u16 = 9464;

/// `[metrics]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Address and port on which `prismvault run` answers `/metrics`, `/healthz` and `/readyz`.
    pub listen: Option<SocketAddr>,
    /// File that `status`, `snapshot`, `jobs run` and `run` write their numbers into, for the
    /// textfile collector of Prometheus' node_exporter.
    pub textfile: Option<PathBuf>,
}

impl MetricsSettings {
    /// Reads the table; relative paths are meant from `directory`.
    pub(super) fn read(value: &Value<'_>, directory: &Path) -> Result<Self, ConfigError> {
        let table = value.table(KEYS)?;
        Ok(Self {
            listen: table.read("listen", |value| listen_address(value, PORT))?,
            textfile: table.read("textfile", |value| {
                let file = directory.join(value.text()?);
                match file.extension().is_some_and(|extension| extension == "prom") {
                    true => Ok(file),
                    false => Err(value.invalid("must end in .prom, or node_exporter does not read it")),
                }
            })?,
        })
    }

    /// Refuses the port on which webhooks are received: whoever sends those is not to read numbers.
    pub(super) fn check_port(
        &self,
        root: &Table<'_>,
        webhook: Option<SocketAddr>,
    ) -> Result<(), ConfigError> {
        let (Some(own), Some(webhook), Some(value)) = (self.listen, webhook, root.get("metrics")) else {
            return Ok(());
        };
        let table = value.table(KEYS)?;
        match table.get("listen").filter(|_| collide(own, webhook)) {
            Some(value) => Err(value.invalid(format!(
                "is taken by \"listen\" in [webhook], which has {webhook}; choose another port"
            ))),
            None => Ok(()),
        }
    }
}

/// Whether two cannot be listened on at once.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    // Port 0 is a free one each time.
    one.port() == other.port() && one.port() != 0 && (any || one.ip() == other.ip())
}
