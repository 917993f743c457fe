//! E-mail, by SMTP.
//!
//! A connection a message: there are few, and a pool would hold one open for a day. With `starttls`
//! and `implicit` nothing is said, no password and no message, before the certificate was checked.

use std::path::Path;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};

use super::error::{SendError, SendErrorKind, is_of_tls};
use super::message::Message;
use crate::clock::Timestamp;
use crate::config::{Email, SmtpTls};
use crate::ids::{hex, random};
use crate::secret::Secret;

/// Largest file of certificates that is read.
const CA_BYTES_MAX: u64 = 1 << 20;

/// Sends one e-mail, once.
pub(super) async fn send(
    email: &Email,
    password: Option<&Secret>,
    message: &Message,
    now: Timestamp,
    timeout: Duration,
) -> Result<(), SendError> {
    let mail = compose(email, message, now)?;
    let tls = match email.tls {
        SmtpTls::StartTls => Tls::Required(parameters(email).await?),
        SmtpTls::Implicit => Tls::Wrapper(parameters(email).await?),
        SmtpTls::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.as_str())
        .port(email.port)
        .tls(tls)
        // The name of this machine is nobody's business.
        .hello_name(ClientId::Domain(email.from.domain().to_owned()))
        .timeout(Some(timeout));
    if let (Some((user, _)), Some(password)) = (&email.login, password) {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        transport = transport.credentials(credentials);
    }
    let sent = tokio::time::timeout(timeout, transport.build().send(mail)).await;
    match sent {
        Err(_) => Err(late()),
        Ok(sent) => sent.map(drop).map_err(|error| failure(&error)),
    }
}

fn compose(email: &Email, message: &Message, now: Timestamp) -> Result<Mail, SendError> {
    let from = email.from.clone();
    let id = format!("<{}@{}>", hex(&random::<16>()), from.domain());
    let mut mail = Mail::builder()
        .from(Mailbox::new(Some("prismvault".to_owned()), from))
        .subject(message.title())
        .date(now.into())
        .message_id(Some(id))
        .header(ContentType::TEXT_PLAIN);
    for receiver in &email.to {
        mail = mail.to(Mailbox::new(None, receiver.clone()));
    }
    mail.body(message.text())
        .map_err(|_| SendError::new(SendErrorKind::Local, "the e-mail cannot be composed"))
}

async fn parameters(email: &Email) -> Result<TlsParameters, SendError> {
    let mut builder = TlsParameters::builder(email.host.clone());
    if let Some(ca) = &email.ca {
        builder = builder.certificate_store(CertificateStore::None);
        for certificate in certificates(ca).await? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build_rustls().map_err(|_| {
        let why = "this machine has no usable TLS set-up (CA certificates?)";
        SendError::new(SendErrorKind::Tls, why)
    })
}

async fn certificates(file: &Path) -> Result<Vec<Certificate>, SendError> {
    use tokio::io::AsyncReadExt as _;
    let unusable = || {
        SendError::new(SendErrorKind::Local, "its \"ca\" holds no certificates that can be read")
            .hint("write the path of a PEM file")
    };
    let open = tokio::fs::File::open(file).await.map_err(|_| unusable())?;
    let mut pem = Vec::new();
    open.take(CA_BYTES_MAX).read_to_end(&mut pem).await.map_err(|_| unusable())?;
    let certificates = Certificate::from_pem(&pem).map_err(|_| unusable())?;
    Ok(vec![certificates])
}

fn late() -> SendError {
    SendError::new(SendErrorKind::TimedOut, "the mail server did not answer in time")
}

/// What a mail server answers may quote addresses; its code is enough.
fn failure(error: &SmtpError) -> SendError {
    if error.is_timeout() {
        return late();
    }
    if error.is_tls() || is_of_tls(error) {
        return SendError::new(SendErrorKind::Tls, "no safe connection to the mail server: TLS failed")
            .hint("is its certificate for this host, and from a CA that is believed here (\"ca\")?");
    }
    let code = error.status().map(|code| format!(" (code {code})")).unwrap_or_default();
    if error.is_permanent() {
        return SendError::new(SendErrorKind::Refused, format!("the mail server refused it{code}"))
            .hint("check user, password, sender and receivers");
    }
    if error.is_transient() {
        return SendError::new(SendErrorKind::Busy, format!("the mail server does not take it now{code}"));
    }
    if error.is_client() {
        return SendError::new(
            SendErrorKind::Refused,
            "the mail server cannot do what the configuration asks",
        )
        .hint("check \"tls\" (starttls needs STARTTLS, implicit another port) and the login");
    }
    SendError::new(SendErrorKind::Unreachable, "the mail server cannot be reached")
        .hint("check host and port, and that this machine may connect to it")
}
