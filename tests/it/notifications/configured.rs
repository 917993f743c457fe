//! `[notifications.NAME]`, `[notify]` of jobs, and `jobs notify-test`: what is accepted, and what
//! each mistake is told.

use prismvault::config::{Channel, Target};

use super::Site;
use super::receivers::{Answer, MailSink, MailTls, WebReceiver, fixture};
use crate::workplace::Workplace;

const URL: &str = "url = { env = \"OPS_URL\" }";

#[track_caller]
fn refused(lines: &str, expected: &str) {
    let site = Site::new(&format!("[notifications.x]\n{lines}"));
    assert_eq!(site.try_config().unwrap_err(), expected, "{lines}");
}

#[test]
fn mistakes_are_named_with_line_and_suggestion() {
    for (lines, expected) in [
        (URL.to_owned(), "prismvault.toml:6: notifications.x: the key \"kind\" is missing"),
        (
            "kind = \"webhok\"".to_owned(),
            "prismvault.toml:7: notifications.x.kind: there is no kind \"webhok\", did you mean \"webhook\"? (known: webhook, email, ping, command)",
        ),
        ("kind = \"webhook\"".to_owned(), "prismvault.toml:6: notifications.x: the key \"url\" is missing"),
        (
            "kind = \"webhook\"\nurl = \"https://hooks.slack.com/services/hunter2\"".to_owned(),
            "prismvault.toml:8: notifications.x.url: secrets are never values in the file, write { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\npreset = \"slak\""),
            "prismvault.toml:9: notifications.x.preset: there is no preset \"slak\", did you mean \"slack\"? (known: slack, teams, generic)",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\npreset = \"slack\"\ntemplate = '{{}}'"),
            "prismvault.toml:10: notifications.x.template: has no meaning beside \"preset\"; leave one of them out",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\ntemplate = '{{\"a\": \"{{{{titel}}}}\"}}'"),
            "prismvault.toml:9: notifications.x.template: has the unknown placeholder {{titel}}, did you mean {{title}}? (known: title, text, severity, change, repository, job, what, since, next, key)",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\ntemplate = 'hunter2'"),
            "prismvault.toml:9: notifications.x.template: is not JSON (line 1, column 1 of the template)",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\nremind_evry = \"1h\""),
            "prismvault.toml:9: notifications.x.remind_evry: unknown key, did you mean \"remind_every\"? (known here: kind, default, remind_every, url, preset, template)",
        ),
        (
            format!("kind = \"webhook\"\n{URL}\nremind_every = \"soon\""),
            "prismvault.toml:9: notifications.x.remind_every: \"soon\" is no span of time, write a number and h, d, w, m (months) or y: \"90d\", \"6m\", \"1y6m\"",
        ),
        (
            format!("kind = \"ping\"\n{URL}\npreset = \"slack\""),
            "prismvault.toml:9: notifications.x.preset: unknown key (known here: kind, url)",
        ),
    ] {
        refused(&lines, expected);
    }
}

#[test]
fn mistakes_of_emails_and_commands_are_named_with_line_and_suggestion() {
    let email = "kind = \"email\"\nhost = \"mail.acme.example\"\nfrom = \"a@acme.example\"\nto = [\"b@acme.example\"]";
    for (lines, expected) in [
        (
            format!("{email}\ntls = \"ssl\""),
            "prismvault.toml:11: notifications.x.tls: there is no way \"ssl\" (known: starttls, implicit, none)",
        ),
        (
            format!("{email}\ntls = \"none\"\nuser = \"a\"\npassword = {{ env = \"P\" }}"),
            "prismvault.toml:11: notifications.x.tls: would send the password in plain text to another machine; write \"starttls\" or \"implicit\"",
        ),
        (
            format!("{email}\nuser = \"a\""),
            "prismvault.toml:11: notifications.x.user: needs a \"password\" beside it",
        ),
        (
            email.replace("b@acme", "b acme"),
            "prismvault.toml:10: notifications.x.to[0]: is no e-mail address, write it as \"ops@example.com\"",
        ),
        (
            email.replace("\"b@acme.example\"", ""),
            "prismvault.toml:10: notifications.x.to: must have from 1 to 50 addresses",
        ),
        (
            "kind = \"command\"".to_owned(),
            "prismvault.toml:6: notifications.x: runs nothing; write at least one of before, after, failed and finally",
        ),
        (
            "kind = \"command\"\nbefore = \"rm -rf /\"".to_owned(),
            "prismvault.toml:8: notifications.x.before: must be a list of program and arguments; no shell reads it",
        ),
        (
            "kind = \"command\"\nafter = [\"true\"]\non_error = \"abort\"".to_owned(),
            "prismvault.toml:9: notifications.x.on_error: is about \"before\", which is not there",
        ),
        (
            "kind = \"command\"\nbefore = [\"true\"]\ntimeout = \"7h\"".to_owned(),
            "prismvault.toml:9: notifications.x.timeout: must be a duration above 0 and at most 6h, such as \"5m\"",
        ),
    ] {
        refused(&lines, expected);
    }
}

#[test]
fn what_is_not_said_has_a_sensible_value() {
    let site = Site::new(&format!(
        "[notifications.a]\nkind = \"webhook\"\n{URL}\n[notifications.b]\nkind = \"email\"\nhost = \"m.acme.example\"\n\
         from = \"a@acme.example\"\nto = [\"b@acme.example\"]\n[notifications.c]\nkind = \"command\"\nbefore = [\"true\"]"
    ));
    let config = site.config();
    let [web, mail, hook] = config.notifications.as_slice() else { panic!("three") };
    let Target::Message { default: false, remind_every, .. } = &web.target else { panic!("{web:?}") };
    assert_eq!(remind_every.to_string(), "24h");
    let Target::Message { channel: Channel::Email(email), .. } = &mail.target else { panic!("{mail:?}") };
    assert_eq!((email.port, email.tls), (587, prismvault::config::SmtpTls::StartTls));
    let Target::Hooks(hooks) = &hook.target else { panic!("{hook:?}") };
    assert!(!hooks.before_stops && hooks.timeout.as_secs() == 300);
}

#[test]
fn a_job_that_names_what_does_not_exist_is_refused_with_its_line() {
    let site = Site::new(&format!(
        "[notifications.ops-slack]\nkind = \"webhook\"\n{URL}\n[notifications.hc]\nkind = \"ping\"\n{URL}\n\
         [notifications.freeze]\nkind = \"command\"\nbefore = [\"true\"]"
    ));
    for (notify, expected) in [
        (
            "on_failure = [\"ops-slak\"]",
            "schedules/nightly.toml:5: notify.on_failure[0]: there is no notification \"ops-slak\", did you mean \"ops-slack\"? (known: ops-slack, hc, freeze)",
        ),
        (
            "\non_alarm = [\"hc\"]",
            "schedules/nightly.toml:6: notify.on_alarm[0]: \"hc\" is of the kind \"ping\", which belongs in ping",
        ),
        (
            "ping = [\"ops-slack\"]",
            "schedules/nightly.toml:5: notify.ping[0]: \"ops-slack\" is of the kind \"webhook\", which belongs in on_failure, on_success or on_alarm",
        ),
        (
            "hooks = [\"ops-slack\"]",
            "schedules/nightly.toml:5: notify.hooks[0]: \"ops-slack\" is of the kind \"webhook\", which belongs in on_failure, on_success or on_alarm",
        ),
        (
            "on_success = [\"freeze\"]",
            "schedules/nightly.toml:5: notify.on_success[0]: \"freeze\" is of the kind \"command\", which belongs in hooks",
        ),
        (
            "on_failure = [\"ops-slack\", \"ops-slack\"]",
            "schedules/nightly.toml:5: notify.on_failure[1]: names \"ops-slack\" twice",
        ),
        (
            "on_failur = []",
            "schedules/nightly.toml:5: notify.on_failur: unknown key, did you mean \"on_failure\"? (known here: on_failure, on_success, on_alarm, ping, hooks)",
        ),
    ] {
        assert_eq!(site.try_job(notify).unwrap_err(), expected, "{notify}");
    }
    let job = site.job("on_failure = [\"ops-slack\"]\nping = [\"hc\"]\nhooks = [\"freeze\"]");
    assert_eq!(job.notify.on_failure[0].name.as_str(), "ops-slack");
}

/// A place with a webhook, an e-mail and a ping that these receivers take.
fn place(web: &WebReceiver, mail: &MailSink, ping: &WebReceiver) -> Workplace {
    let place = Workplace::new();
    for (file, text) in [("web", web.url("/hunter2")), ("ping", ping.url("/hunter2"))] {
        place.write(file, &text);
    }
    place.write("password", "mail-password");
    place.write(
        "prismvault.toml",
        &format!(
            "[notifications.chat]\nkind = \"webhook\"\npreset = \"slack\"\nurl = {{ file = \"web\" }}\n\
             [notifications.mail]\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {}\nca = \"{}\"\nuser = \"ops\"\n\
             password = {{ file = \"password\" }}\nfrom = \"a@acme.example\"\nto = [\"b@acme.example\"]\n\
             [notifications.hc]\nkind = \"ping\"\nurl = {{ file = \"ping\" }}\n\
             [notifications.freeze]\nkind = \"command\"\nbefore = [\"true\"]\n",
            mail.address.port(),
            fixture("ca.pem"),
        ),
    );
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_test_tries_each_and_says_what_came_of_it() {
    let (web, ping) = (WebReceiver::good().await, WebReceiver::good().await);
    let mail = MailSink::start(MailTls::Start, &["250 ok"]).await;
    let place = place(&web, &mail, &ping);
    let run = place.expect(0, &["jobs", "notify-test", "--json"]);
    let report = run.json();
    let names: Vec<_> =
        report["notifications"].as_array().unwrap().iter().map(|tried| tried["name"].clone()).collect();
    assert_eq!(names, ["chat", "mail", "hc", "freeze"]);
    assert!(report["notifications"].as_array().unwrap().iter().all(|tried| tried["ok"] == true), "{report}");
    assert!(web.take()[0].json()["text"].as_str().unwrap().starts_with("[test] this is a test"));
    assert!(mail.take()[0].data.contains("Subject: prismvault: [test] this is a test"));
    let pinged: Vec<_> = ping.take().into_iter().map(|request| request.path).collect();
    assert_eq!(pinged, ["/hunter2/log"], "neither a success nor a failure");
    let one = place.expect(0, &["jobs", "notify-test", "chat"]);
    assert!(one.stdout.contains("chat") && !one.stdout.contains("freeze"), "{one:?}");
    assert_eq!((web.take().len(), mail.take().len(), ping.take().len()), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_test_ends_with_1_when_one_fails_and_shows_no_address() {
    let deaf = WebReceiver::answering(|_| Answer::Status(403, String::new())).await;
    let ping = WebReceiver::good().await;
    let mail = MailSink::start(MailTls::Start, &["250 ok"]).await;
    let place = place(&deaf, &mail, &ping);
    for arguments in
        [&["jobs", "notify-test"][..], &["jobs", "notify-test", "--json"], &["jobs", "notify-test", "-vv"]]
    {
        let run = place.expect(1, arguments);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains("status 403") && !text.contains("hunter2"), "{text}");
    }
    let unknown = place.expect(2, &["jobs", "notify-test", "chatt"]);
    assert!(unknown.stderr.contains("did you mean \"chat\"?"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_shown_without_secrets() {
    let (web, ping) = (WebReceiver::good().await, WebReceiver::good().await);
    let mail = MailSink::start(MailTls::Start, &["250 ok"]).await;
    let place = place(&web, &mail, &ping);
    for arguments in [&["config"][..], &["config", "--json"]] {
        let run = place.expect(0, arguments);
        assert!(run.stdout.contains("chat") && run.stdout.contains("file web"), "{run:?}");
        assert!(!run.stdout.contains("hunter2") && !run.stdout.contains("mail-password"), "{run:?}");
    }
}
