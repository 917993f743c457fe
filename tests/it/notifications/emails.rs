//! E-mail: what arrives, and that nothing is said before the connection is safe.

use std::time::Duration;

use prismvault::notify::{Routes, SendErrorKind};
use prismvault::status::Alarm;

use super::receivers::{MailSink, MailTls, fixture};
use super::{Site, alarm};

const LOGIN: &str = "user = \"ops\"\npassword = { file = \"password\" }";

/// A site with one e-mail `ops` by this server.
fn site(sink: &MailSink, more: &str) -> Site {
    let mut site = Site::new("");
    site.secret("password", "mail-password");
    site.add(&format!(
        "[notifications.ops]\nkind = \"email\"\ndefault = true\nhost = \"127.0.0.1\"\nport = {}\n\
         from = \"prismvault@acme.example\"\nto = [\"ops@acme.example\", \"cto@acme.example\"]\n{more}",
        sink.address.port()
    ));
    site
}

fn believed() -> String {
    format!("ca = \"{}\"", fixture("ca.pem"))
}

async fn tell(site: &Site, alarms: &[Alarm]) -> Vec<String> {
    let problems = site.notifier().alarms(None, &Routes::of(&site.config(), []), alarms).await;
    problems.into_iter().map(|problem| problem.detail).collect()
}

#[tokio::test]
async fn an_email_arrives_over_tls_with_login_whole_and_in_order() {
    for (tls, word) in [(MailTls::Start, "starttls"), (MailTls::Implicit, "implicit")] {
        let sink = MailSink::start(tls, &["250 ok"]).await;
        let site = site(&sink, &format!("tls = \"{word}\"\n{LOGIN}\n{}", believed()));
        assert_eq!(tell(&site, &[alarm(Some("blog")), alarm(None)]).await, [""; 0], "{word}");
        let mails = sink.take();
        let [mail] = mails.as_slice() else { panic!("one mail: {mails:?}") };
        assert!(mail.over_tls, "{word}");
        assert_eq!(mail.login, Some(("ops".to_owned(), "mail-password".to_owned())));
        assert!(mail.from.starts_with("MAIL FROM:<prismvault@acme.example>"), "{}", mail.from);
        assert_eq!(mail.to, ["RCPT TO:<ops@acme.example>", "RCPT TO:<cto@acme.example>"]);
        for line in [
            "From: prismvault <prismvault@acme.example>",
            "To: ops@acme.example, cto@acme.example",
            "Subject: prismvault: 2 critical",
            "Date: Sat, 21 Nov 2026 02:00:00 +0000",
            "[critical] blog: the last complete snapshot is older than 24h",
            "  since 2026-11-20T23:00:00Z, next: prismvault snapshot",
        ] {
            assert!(mail.data.lines().any(|own| own == line), "{line:?} in {}", mail.data);
        }
    }
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_is_said_without_it() {
    let sink = MailSink::start(MailTls::None, &["250 ok"]).await;
    // The default is STARTTLS, and so is not saying anything.
    let site = site(&sink, LOGIN);
    assert_eq!(tell(&site, &[alarm(None)]).await.len(), 1);
    assert_eq!(sink.take(), []);
    let commands = sink.commands();
    assert!(commands.iter().all(|verb| matches!(verb.as_str(), "EHLO" | "QUIT")), "{commands:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_it() {
    for (tls, word) in [(MailTls::Start, "starttls"), (MailTls::Implicit, "implicit")] {
        let sink = MailSink::start(tls, &["250 ok"]).await;
        let site = site(&sink, &format!("tls = \"{word}\"\n{LOGIN}"));
        let tried = site.test().await;
        let error = tried[0].result.as_ref().unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Tls, "{word}: {error}");
        assert_eq!(sink.take(), []);
        assert!(!sink.commands().iter().any(|verb| matches!(verb.as_str(), "AUTH" | "MAIL")));
    }
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code_and_quotes_nobody() {
    let sink = MailSink::start(MailTls::Start, &["554 5.7.1 ops@acme.example is hunter2"]).await;
    let site_of_mail = site(&sink, &format!("{LOGIN}\n{}", believed()));
    assert_eq!(
        tell(&site_of_mail, &[alarm(None)]).await,
        ["the mail server refused it (code 554); check user, password, sender and receivers"]
    );
    assert_eq!(sink.take().len(), 1, "a refusal is not tried again");
    site_of_mail.secret("password", "wrong");
    let tried = format!("{:?}", site_of_mail.test().await);
    assert!(tried.contains("535") && !tried.contains("hunter2") && !tried.contains('@'), "{tried}");
}

#[tokio::test]
async fn what_the_server_does_not_take_now_is_sent_again() {
    let sink = MailSink::start(MailTls::Start, &["451 4.3.0 later", "250 ok"]).await;
    let site = site(&sink, &format!("{LOGIN}\n{}", believed()));
    assert_eq!(tell(&site, &[alarm(None)]).await, [""; 0]);
    assert_eq!(sink.take().len(), 2);
}

#[tokio::test]
async fn a_sentence_cannot_add_headers_or_receivers() {
    let sink = MailSink::start(MailTls::None, &["250 ok"]).await;
    let site = site(&sink, "tls = \"none\"");
    let what = "bad\r\nBcc: x@hunter2.example\r\n\r\nbody\n.\nMAIL FROM:<x@y>".to_owned();
    assert_eq!(tell(&site, &[Alarm { what, ..alarm(None) }]).await, [""; 0]);
    let mails = sink.take();
    let [mail] = mails.as_slice() else { panic!("one mail: {mails:?}") };
    assert_eq!(mail.to.len(), 2);
    assert_eq!(mail.login, None);
    let header = mail.data.split("\n\n").next().unwrap();
    assert!(!header.lines().any(|line| line.starts_with("Bcc") || line.starts_with("body")), "{header}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_away_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut site = Site::new("");
    site.limits.notice_timeout = Duration::from_millis(100);
    let port = listener.local_addr().unwrap().port();
    site.add(&format!(
        "[notifications.ops]\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"a@acme.example\"\nto = [\"b@acme.example\"]"
    ));
    let tried = site.test().await;
    assert_eq!(tried[0].result.as_ref().unwrap_err().kind, SendErrorKind::TimedOut);
    drop(listener);
    let tried = site.test().await;
    assert_eq!(tried[0].result.as_ref().unwrap_err().kind, SendErrorKind::Unreachable);
}
