//! The ports of `prismvault run`: whether they can be had, who has them, and who reaches them.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::finding::{Finding, Section};
use crate::cli::exit::Outcome;
use crate::config::{Config, WebhookSettings};
use crate::server::GREETING;

const SECTION: Section = Section::Schedules;
const WEBHOOK: &str = "listen in [webhook]";
const METRICS: &str = "listen in [metrics]";

/// How long whoever has a port is waited for, and how much of the answer is read.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const ANSWER_BYTES: u64 = 4 << 10;

/// Checks the addresses that the configuration names.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(webhook) = &config.webhook {
        let has_it = |answer: &str| is_of_webhooks(answer).then(|| "ok".to_owned());
        findings.push(port(WEBHOOK, webhook.listen, "/webhook", has_it).await);
        findings.extend(senders(webhook));
        findings.extend(secrets(config));
    }
    if let Some(listen) = config.metrics.listen {
        findings.push(port(METRICS, listen, "/readyz", health).await);
        if !listen.ip().is_loopback() {
            findings.push(
                Finding::notice(SECTION, METRICS, format!("whoever reaches {listen} reads the metrics"))
                    .because("they name repositories, replicas and jobs")
                    .then("let only Prometheus reach it, by a firewall or a network policy"),
            );
        }
    }
    findings
}

/// What the port of webhooks of this program answers to somebody who does not post.
fn is_of_webhooks(answer: &str) -> bool {
    let head = answer.to_ascii_lowercase();
    head.starts_with("http/1.1 405 ") && head.lines().any(|line| line == "allow: post")
}

/// What the scheduler says of itself, where it is one that answers.
fn health(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.strip_prefix(GREETING)?.trim_end().to_owned())
}

/// Whether a port is free, or has who should have it.
async fn port(
    subject: &str,
    listen: SocketAddr,
    path: &str,
    of_scheduler: impl Fn(&str) -> Option<String>,
) -> Finding {
    let error = match TcpListener::bind(listen).await {
        Ok(_) => return Finding::ok(SECTION, subject, format!("{listen} is free")),
        Err(error) => error,
    };
    let finding = match error.kind() {
        ErrorKind::AddrInUse => match of_scheduler(&ask(listen, path).await.unwrap_or_default()) {
            Some(said) if said == "ok" => {
                return Finding::ok(SECTION, subject, format!("{listen} is that of the running scheduler"));
            }
            Some(said) => {
                return Finding::warning(SECTION, subject, "the scheduler is running, and not ready")
                    .because(said)
                    .then("its standard error says more");
            }
            None => Finding::error(SECTION, subject, format!("{listen} belongs to another program"))
                .then("choose another port, or end that program; `ss -ltnp` shows which it is"),
        },
        ErrorKind::AddrNotAvailable => {
            Finding::error(SECTION, subject, format!("{listen} is no address of this machine"))
                .then("write 127.0.0.1, an address that `ip address` shows, or 0.0.0.0 for all of them")
        }
        ErrorKind::PermissionDenied => {
            Finding::error(SECTION, subject, format!("{listen} needs a privilege that this user lacks"))
                .then("choose a port from 1024 on")
        }
        _ => Finding::error(SECTION, subject, format!("{listen} cannot be listened on"))
            .because(error.to_string()),
    };
    // As `prismvault run` ends by it.
    finding.ends(Outcome::Usage)
}

/// Asks who has a port; the whole answer.
async fn ask(listen: SocketAddr, path: &str) -> Option<String> {
    let here = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let asking = async {
        let mut stream = TcpStream::connect((here, listen.port())).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer).await.ok()?;
        String::from_utf8(answer).ok()
    };
    timeout(ANSWER_WITHIN, asking).await.ok().flatten()
}

/// Who can send webhooks.
fn senders(webhook: &WebhookSettings) -> Option<Finding> {
    let listen = webhook.listen;
    if listen.ip().is_loopback() {
        let is_here = |network: &crate::config::Network| network.contains(listen.ip());
        let refuses = !webhook.allow.is_empty() && !webhook.allow.iter().any(is_here);
        return (refuses && webhook.trusted_proxies.is_empty()).then(|| {
            Finding::warning(SECTION, "allow in [webhook]", "refuses every webhook that a proxy passes on")
                .because("only this machine reaches the port, and is not among those who may send")
                .then(format!(
                    "name the proxy, which sends X-Forwarded-For: trusted_proxies = [\"{}\"]",
                    listen.ip()
                ))
        });
    }
    let plain = "there is no TLS on it: the secret in a webhook can be read on the way";
    let proxy = "listen on 127.0.0.1, behind a reverse proxy with TLS";
    Some(match webhook.allow.is_empty() {
        true => {
            Finding::warning(SECTION, WEBHOOK, format!("everybody who reaches {listen} may send webhooks"))
                .because(plain)
                .then(format!("{proxy}; or name in `allow` who may send"))
        }
        false => Finding::notice(SECTION, WEBHOOK, format!("{listen} is reached by other machines"))
            .because(plain)
            .then(format!("{proxy}, unless what reaches it is one")),
    })
}

/// Secrets without which the scheduler does not begin.
fn secrets(config: &Config) -> Vec<Finding> {
    let absent = config.repositories.iter().filter_map(|own| {
        let absence = own.webhook_secret.as_ref()?.absence()?;
        Some(
            Finding::error(SECTION, format!("webhook_secret of {}", own.name), absence)
                .because("`prismvault run` does not begin without it")
                .ends(Outcome::Usage),
        )
    });
    absent.collect()
}
