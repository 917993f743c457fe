//! Receivers on this machine: a web server that keeps what it is sent, and a strict mail server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A request that a [`WebReceiver`] got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// How a [`WebReceiver`] answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status, these headers and a body that no message may repeat.
    Status(u16, String),
    /// Never.
    Silence,
}

/// A web server that keeps every request.
pub(crate) struct WebReceiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    _tasks: JoinSet<()>,
}

impl WebReceiver {
    pub(crate) async fn good() -> Self {
        Self::answering(|_| Answer::Status(200, String::new())).await
    }

    /// `answer` gets the number of the request, from 0.
    pub(crate) async fn answering(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let (address, tasks) = listen(move |stream| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let mut stream = BufStream::new(stream);
                let Some(request) = read_request(&mut stream).await else { return };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request);
                    seen.len() - 1
                };
                match answer(number) {
                    Answer::Silence => std::future::pending().await,
                    Answer::Status(status, headers) => {
                        let body = "document-body-of-hunter2";
                        let text = format!(
                            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        );
                        drop(stream.write_all(text.as_bytes()).await);
                        drop(stream.flush().await);
                    }
                }
            }
        })
        .await;
        Self { address, requests, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Takes the requests that came until now.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

async fn read_request(stream: &mut BufStream<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = head.split(' ');
    Some(Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        head: head.clone(),
        body: String::from_utf8(body).unwrap(),
    })
}

/// What a mail server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailTls {
    /// It knows STARTTLS, and takes nothing before.
    Start,
    /// TLS from the first byte.
    Implicit,
    /// It knows no TLS.
    None,
}

/// An e-mail, or the beginning of one, that a [`MailSink`] got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) over_tls: bool,
    /// User and password, as they were sent.
    pub(crate) login: Option<(String, String)>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
}

/// A mail server that keeps to the order of commands and refuses anything else.
pub(crate) struct MailSink {
    pub(crate) address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

struct Session {
    tls: MailTls,
    /// The answers to the end of the data, from the first; the last one goes on.
    verdicts: Arc<Mutex<Vec<&'static str>>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
}

impl MailSink {
    /// `verdicts` are the answers to messages, one after the other.
    pub(crate) async fn start(tls: MailTls, verdicts: &[&'static str]) -> Self {
        let (mails, commands) = (Arc::default(), Arc::default());
        let verdicts = Arc::new(Mutex::new(verdicts.iter().rev().copied().collect::<Vec<_>>()));
        let acceptor = acceptor();
        let (kept, heard) = (Arc::clone(&mails), Arc::clone(&commands));
        let (address, tasks) = listen(move |stream| {
            let (mails, commands) = (Arc::clone(&kept), Arc::clone(&heard));
            let session = Session { tls, verdicts: Arc::clone(&verdicts), mails, commands };
            let acceptor = acceptor.clone();
            async move {
                if tls == MailTls::Implicit {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    session.talk(BufStream::new(stream), true).await;
                } else if let Some(stream) = session.talk(BufStream::new(stream), false).await {
                    let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
                    session.talk(BufStream::new(stream), true).await;
                }
            }
        })
        .await;
        Self { address, mails, commands, _tasks: tasks }
    }

    /// Takes the mails that came until now.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.mails.lock().unwrap())
    }

    /// The commands that came, without what follows their first word.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

impl Session {
    /// Talks until the end; returns the connection where the client begins TLS.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufStream<S>,
        over_tls: bool,
    ) -> Option<BufStream<S>> {
        let mut mail = Mail { over_tls, ..Mail::default() };
        let mut greeted = false;
        if !(over_tls && self.tls == MailTls::Start) {
            say(&mut stream, "220 sink ESMTP").await?;
        }
        loop {
            let line = hear(&mut stream).await?;
            let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            self.commands.lock().unwrap().push(verb.clone());
            let must_encrypt = self.tls == MailTls::Start && !over_tls;
            match verb.as_str() {
                "EHLO" => {
                    greeted = true;
                    let offer = if must_encrypt { "STARTTLS" } else { "AUTH PLAIN" };
                    say(&mut stream, &format!("250-sink\r\n250 {offer}")).await?;
                }
                "STARTTLS" if must_encrypt && greeted => {
                    say(&mut stream, "220 go on").await?;
                    return Some(stream);
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return None;
                }
                _ if must_encrypt => say(&mut stream, "530 5.7.0 STARTTLS first").await?,
                "AUTH" if greeted => {
                    use base64::Engine as _;
                    let given = line.split(' ').nth(2).unwrap_or_default();
                    let bytes = base64::prelude::BASE64_STANDARD.decode(given).unwrap();
                    let text = String::from_utf8(bytes).unwrap();
                    let words: Vec<&str> = text.split('\0').collect();
                    mail.login = Some((words[1].to_owned(), words[2].to_owned()));
                    let right = words[2] == "mail-password";
                    say(&mut stream, if right { "235 ok" } else { "535 no such user ops@hunter2.example" })
                        .await?;
                }
                "MAIL" if greeted && mail.from.is_empty() => {
                    line.clone_into(&mut mail.from);
                    say(&mut stream, "250 ok").await?;
                }
                "RCPT" if !mail.from.is_empty() => {
                    mail.to.push(line.clone());
                    say(&mut stream, "250 ok").await?;
                }
                "DATA" if !mail.to.is_empty() => {
                    say(&mut stream, "354 go on").await?;
                    loop {
                        let line = hear(&mut stream).await?;
                        if line == "." {
                            break;
                        }
                        mail.data += line.strip_prefix('.').unwrap_or(&line);
                        mail.data.push('\n');
                    }
                    let verdict = {
                        let mut verdicts = self.verdicts.lock().unwrap();
                        if verdicts.len() > 1 { verdicts.pop().unwrap() } else { verdicts[0] }
                    };
                    self.mails.lock().unwrap().push(std::mem::take(&mut mail));
                    mail.over_tls = over_tls;
                    say(&mut stream, verdict).await?;
                }
                _ => say(&mut stream, "503 5.5.1 bad sequence of commands").await?,
            }
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> Option<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let line = line.strip_suffix("\r\n").expect("lines of SMTP end with CR and LF");
    assert!(!line.contains('\r') && line.len() <= 998, "a line of SMTP: {line:?}");
    Some(line.to_owned())
}

/// A file of the certificate for 127.0.0.1 that only tests believe.
pub(crate) fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(fixture("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn listen<F, S>(serve: F) -> (SocketAddr, JoinSet<()>)
where
    F: Fn(TcpStream) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(serve(stream));
        }
    });
    (address, tasks)
}
