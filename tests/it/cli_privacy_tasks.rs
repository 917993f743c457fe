//! `prismvault privacy tasks` and the letter to Prismic's support, as the people meet them who do what no interface
//! does; and two hosts that carry out one erasure.

use std::sync::mpsc;

use prismvault::sandbox::{Endpoint, Model};
use serde_json::{Value, json};

use crate::cli_privacy_erase::{EDITED, Two};

impl Two {
    /// All tasks: id, code, state.
    fn tasks(&self) -> Vec<(String, String, String)> {
        let shown = self.office.json(&["tasks", &self.case]);
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = shown["tasks"].as_array().unwrap().iter();
        rows.map(|row| (text(row, "id"), text(row, "code"), text(row, "state"))).collect()
    }

    /// Ids of the tasks of these kinds.
    fn ids(&self, codes: &[&str]) -> Vec<String> {
        let own = self.tasks().into_iter().filter(|(_, code, _)| codes.contains(&&**code));
        own.map(|(id, ..)| id).collect()
    }

    /// States of the tasks of a kind, each once.
    fn states(&self, code: &str) -> Vec<String> {
        let mut states: Vec<String> =
            self.tasks().into_iter().filter(|own| own.1 == code).map(|own| own.2).collect();
        states.sort();
        states.dedup();
        states
    }

    fn next(&self) -> String {
        self.office.json(&["show", &self.case])["next"]["command"].as_str().unwrap_or_default().to_owned()
    }
}

fn with<'a>(head: &[&'a str], ids: &'a [String], tail: &[&'a str]) -> Vec<&'a str> {
    head.iter().copied().chain(ids.iter().map(String::as_str)).chain(tail.iter().copied()).collect()
}

const HIDDEN: &[&str] = &["support-history", "check-hidden"];

#[tokio::test(flavor = "multi_thread")]
async fn people_say_what_they_did_and_what_is_seen_counts_over_it() {
    let two = Two::new();
    let case = &*two.case;
    let none = two.office.run(2, &["tasks", case]);
    assert!(none.stderr.contains("has no plan"), "{none:?}");
    two.approved();
    assert!(two.tasks().iter().all(|(.., state)| state == "open"));
    let hidden = two.ids(HIDDEN);
    let early = two.anna(5, &with(&["tasks", case, "--done"], &hidden, &[]));
    assert!(early.stderr.contains("not possible now"), "{early:?}");
    let letter = two.office.run(5, &["letter", case, "support"]);
    assert!(letter.stderr.contains("is not done yet"), "{letter:?}");
    two.anna(3, &["erase", case, "--yes"]);

    // What there is, for whom, and that an id of nothing is told with those that there are.
    assert_eq!((hidden.len(), two.tasks().len()), (3, 5), "{:?}", two.tasks());
    let shown = two.anna(0, &["tasks", case, "--lang", "de"]);
    for words in ["for an editor, open: ", "for Prismic's support, open: ", "5 tasks, 5 open", "letter"] {
        assert!(shown.stdout.contains(words), "{words}: {shown:?}");
    }
    assert!(shown.stdout.contains("https://acme-blog.prismic.io/") && !shown.stdout.contains("Exampleton"));
    let wrong = two.anna(2, &["tasks", case, "--done", &hidden[0], "0123456789abcdef"]);
    assert!(
        wrong.stderr.contains("has no task 0123456789abcdef") && wrong.stderr.contains(&hidden[1]),
        "{wrong:?}"
    );
    two.anna(2, &["tasks", case, "--reopen", &hidden[0]]);
    let unsaid = two.anna(5, &["tasks", case, "--reopen", &hidden[0], "--reason", "x"]);
    assert!(unsaid.stderr.contains("nobody said"), "{unsaid:?}");
    assert!(two.tasks().iter().all(|(.., state)| state == "open"), "a mistake marks nothing");

    // They say it before the documents are clean: it is seen otherwise, and their word counts no more.
    let dry = two.anna(0, &with(&["tasks", case, "--done"], &hidden, &["--dry-run"]));
    assert!(dry.stdout.contains("Would record") && two.states("check-hidden") == ["open"], "{dry:?}");
    let said = two.anna(0, &with(&["tasks", case, "--done"], &hidden, &["--note", "ticket 4711"]));
    assert!(said.stdout.contains("Recorded in case"), "{said:?}");
    let seen = two.anna(3, &["erase", case]);
    assert!(seen.stdout.contains("was said to be done, and is seen not to be"), "{seen:?}");
    assert_eq!(two.states("support-history"), ["open"]);
    assert_eq!(two.states("check-hidden"), ["said"], "of which nobody can see anything");
    // A dry run looks at nothing, and records nothing.
    let before = two.office.requests("one").len();
    two.anna(0, &["erase", case, "--dry-run"]);
    assert_eq!(two.office.requests("one").len(), before);
    two.edited(&EDITED);
    two.anna(0, &["erase", case]);
    assert_eq!(
        (two.states("edit-document"), two.states("support-history")),
        (vec!["seen".into()], vec!["open".into()])
    );
    assert!(two.next().contains("privacy recipients"), "nobody waits for support: {}", two.next());
    support(&two);
    closed(&two);
}

/// The letter names what only Prismic reaches, and nobody.
fn support(two: &Two) {
    let case = &*two.case;
    let letter = two.office.json(&["letter", case, "support"]);
    let own = &letter["letters"][0];
    assert_eq!((own["host"].as_str(), letter["language"].as_str()), (Some("acme-blog"), Some("en")));
    let text = own["text"].as_str().unwrap();
    for words in
        ["Art. 28(3)(a) and (e) GDPR", "ErasePerson00001", "ErasePerson00002", "version history", case]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Exampleton") && !text.contains("perpetua") && !text.contains("{{"), "{text}");
    let told = two.office.run(0, &["letter", case, "support"]);
    assert!(told.stderr.contains("privacy/letters/en/support.txt"), "{told:?}");
    let german = two.office.run(0, &["letter", case, "support", "--lang", "de"]);
    assert!(german.stdout.contains("ErasePerson00001") && german.stdout.contains("DSGVO"), "{german:?}");
    let sent = two.office.run(2, &["letter", case, "support", "--sent", "2026-11-20"]);
    assert!(sent.stderr.contains("privacy tasks"), "{sent:?}");
    two.office.run(0, &["letter", "--write-templates"]);
    let path = "privacy/letters/en/support.txt";
    two.office.place.write(path, "About {{items}} in {{host}}, {{case}}.\n");
    let edited = two.office.run(0, &["letter", case, "support"]);
    assert!(edited.stdout.starts_with("About - the version history"), "{edited:?}");
    two.office.place.write(path, "Dear {{name}}");
    let wrong = two.office.run(2, &["letter", case, "support"]);
    assert!(wrong.stderr.contains(path) && wrong.stderr.contains("today, case, host, items"), "{wrong:?}");
    std::fs::remove_file(two.office.place.file(path)).unwrap();
}

/// With the tasks done the case can be closed, and the certificate says what rests on words.
fn closed(two: &Two) {
    let case = &*two.case;
    two.anna(0, &["recipients", case, "--told", "0"]);
    two.anna(0, &["letter", case, "answer", "--sent", &crate::cli_privacy::days_ago(0)]);
    assert!(two.next().ends_with(&format!("privacy tasks {case}")), "{}", two.next());
    let early = two.anna(5, &["close", case]);
    assert!(early.stderr.contains("2 tasks for people were open"), "{early:?}");
    let open = claims(two, "open-certificate");
    assert!(open.contains("2 tasks for people in acme-blog"), "{open}");
    let history = two.ids(&["support-history"]);
    two.anna(0, &with(&["tasks", case, "--done"], &history, &["--note", "answer of support, 4711"]));
    assert!(two.next().contains("privacy erase"), "{}", two.next());
    two.anna(0, &["erase", case]);
    let shown = two.anna(0, &["tasks", case]);
    assert!(
        shown.stdout.contains("5 tasks, 0 open") && shown.stdout.contains("as anna said on"),
        "{shown:?}"
    );
    let letter = two.office.run(5, &["letter", case, "support"]);
    assert!(letter.stderr.contains("every task for Prismic's support is done"), "{letter:?}");
    let shown = claims(two, "certificate");
    assert!(shown.contains("3 tasks of it rest on the word of people"), "{shown}");
    let page = two.office.place.read("certificate/certificate.en.html");
    assert!(page.contains("What rests on the word of people") && !page.contains("anna"), "{page}");

    // It was not done after all.
    two.anna(0, &["tasks", case, "--reopen", &history[0], "--reason", "support wrote again"]);
    two.anna(5, &["close", case]);
    assert_eq!(two.states("support-history"), ["open", "said"]);
    two.anna(0, &["tasks", case, "--done", &history[0]]);
    two.anna(0, &["erase", case]);
    two.anna(0, &["close", case]);
    assert_eq!(two.state(), "completed");
    let shown = two.office.run(0, &["show", case]);
    assert!(
        shown.stdout.contains("mark tasks for people as done") && shown.stdout.contains("4711"),
        "{shown:?}"
    );
}

fn claims(two: &Two, to: &str) -> String {
    two.office.run(0, &["certificate", &two.case, "--to", to, "--lang", "en"]).stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_host_writes_into_prismic_another_is_refused() {
    let two = Two::new();
    let case = &*two.case;
    // Now notes have a type, so that they can be written.
    let text = json!({ "type": "StructuredText", "config": { "multi": "paragraph" } });
    let model = json!({ "id": "note", "label": "Note", "repeatable": true, "status": true, "format": "custom",
        "json": { "Main": { "content": text } } });
    two.office.source.repository.put_custom_type(Model::parse(&model.to_string()).unwrap());
    two.approved();
    let mut other = two.office.place.command(&["privacy", "erase", case, "--yes", "--by", "anna"]);
    let (sender, receiver) = mpsc::channel();
    let control = two.office.source.control();
    control.reset_counters();
    // It begins while the first document of the other is on its way.
    control.on_request_to(Endpoint::Documents, 1, move |_| {
        drop(sender.send(other.output().unwrap()));
    });
    let done = two.anna(0, &["erase", case, "--yes", "--publish"]);
    assert!(done.stdout.contains("note/ErasePerson00001.json: done"), "{done:?}");
    let refused: crate::workplace::Run = receiver.recv().unwrap().into();
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("is writing into") && refused.stderr.contains("its lease ends in"),
        "{refused:?}"
    );
    assert!(!two.live().contains("Exampleton"));
    // The lease was given back.
    let again = two.anna(0, &["erase", case]);
    assert!(again.stdout.contains("done before"), "{again:?}");
}
