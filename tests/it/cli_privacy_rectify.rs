//! `prismvault privacy plan` and `erase` for a rectification, a restriction and its end, as people meet them.

use prismvault::sandbox::{Changes, Model};
use serde_json::json;

use crate::cli_privacy::note;
use crate::cli_privacy_erase::{TEXTS, Two};

const PERSON: &str = "Perpetua Exampleton";
const NOTES: [&str; 2] = [TEXTS[0].0, TEXTS[1].0];

/// Notes can be written.
fn with_model(two: &Two) {
    let model = json!({"id": "note", "label": "Note", "repeatable": true, "status": true, "json": {"Main": {
        "content": {"type": "StructuredText", "config": {"multi": "paragraph"}}}}});
    two.office.source.repository.put_custom_type(Model::parse(&model.to_string()).unwrap());
}

fn approve(two: &Two, arguments: &[&str]) -> String {
    let plan = two.anna(0, &[&["plan", &two.case, "--json"], arguments].concat()).json();
    let hash = plan["summary"]["plan"].as_str().unwrap().to_owned();
    two.berta(0, &["approve", &two.case, "--plan", &hash, "--yes"]);
    hash
}

fn close(two: &Two) {
    two.anna(0, &["recipients", &two.case, "--told", "0"]);
    two.anna(0, &["letter", &two.case, "answer", "--sent", &crate::cli_privacy::days_ago(0)]);
    let closed = two.anna(0, &["close", &two.case]);
    assert!(closed.stdout.contains("The case is completed"), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_put_right_everywhere_and_it_is_looked_at() {
    let two = Two::asked("rectification");
    with_model(&two);
    let (case, place) = (&*two.case, &two.office.place);
    let none = two.anna(2, &["plan", case]);
    assert!(none.stderr.contains("--corrections"), "{none:?}");
    place.write("corrections.txt", "wrong: Perpetua Exampletn\nright: Perpetua Other\n");
    let slip = two.anna(2, &["plan", case, "--corrections", "corrections.txt"]);
    assert!(slip.stderr.contains("correction 1") && !slip.stderr.contains("Perpetua"), "{slip:?}");
    place.write("corrections.txt", "wrong: Perpetua Exampleton\nright: Perpetua Other-Exampleton\n");
    let told = two.anna(2, &["plan", case, "--corrections", "corrections.txt", "--told-on", "2026-01-01"]);
    assert!(told.stderr.contains("belongs to a lift"), "{told:?}");
    let dry = two.anna(0, &["plan", case, "--corrections", "corrections.txt", "--dry-run"]);
    for words in [
        format!("correct documents/en-us/note/{}.json", NOTES[0]),
        format!("documents/en-us/note/{}.json  written anew", NOTES[0]),
        "a task for an editor".to_owned(),
    ] {
        assert!(dry.stdout.contains(&words), "{words}: {dry:?}");
    }
    assert!(!dry.stdout.contains("Exampleton"), "{dry:?}");
    approve(&two, &["--corrections", "corrections.txt"]);

    // Without --publish it waits for a person, and nothing is said to be right.
    let staged = two.anna(3, &["erase", case, "--yes"]);
    assert!(staged.stdout.contains("waits in the migration release"), "{staged:?}");
    assert!(two.live().contains(PERSON) && two.state() == "executing");
    let done = two.anna(0, &["erase", case, "--publish"]);
    for words in [
        "No wrong value was found where it was to be corrected, and a right one stands there.",
        "Look for wrong values where no interface looks",
        "as a restore would",
        "1 task for people is open: `tasks` lists what to do",
    ] {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
    assert!(!done.stdout.contains("Exampleton") && !done.stdout.contains("Looked through"), "{done:?}");
    let live = two.live();
    assert!(live.contains("by Perpetua Other-Exampleton, of course") && !live.contains(PERSON));
    let (run, text) = two.restored("after");
    assert!(run.stdout.contains("1 corrected"), "{run:?}");
    assert!(text.contains("Perpetua Other-Exampleton") && !text.contains(PERSON));
    let refused = two.office.run(5, &["certificate", case, "--to", "certificate"]);
    assert!(refused.stderr.contains("a certificate is of an erasure"), "{refused:?}");

    // The same again: nothing is written, and it is looked again.
    let again = two.anna(0, &["erase", case]);
    assert!(again.stdout.contains("done before"), "{again:?}");
    // Somebody writes the wrong value anew, before it is answered.
    let put = vec![note(NOTES[0], "said to be by Perpetua Exampleton")];
    two.office.source.repository.publish(Changes { put, ..Changes::default() });
    let wrong = two.anna(3, &["erase", case, "--publish"]);
    assert!(
        wrong.stdout.contains(&format!("live in acme-blog: documents/en-us/note/{}.json", NOTES[0])),
        "{wrong:?}"
    );
    assert!(
        wrong.stdout.contains("left; this is not done yet") && !wrong.stdout.contains(PERSON),
        "{wrong:?}"
    );
    let put = vec![note(NOTES[0], "by Perpetua Other-Exampleton")];
    two.office.source.repository.publish(Changes { put, ..Changes::default() });
    two.anna(0, &["erase", case]);
    // What nobody can see is told by people.
    let tasks = two.office.json(&["tasks", case]);
    let open: Vec<&str> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| task["is_open"] == true)
        .map(|task| task["id"].as_str().unwrap())
        .collect();
    assert_eq!(open.len(), 1, "{tasks}");
    two.anna(0, &["tasks", case, "--done", open[0], "--note", "an editor looked"]);
    let all = two.anna(0, &["erase", case]);
    assert!(all.stdout.contains("Next: prismvault privacy recipients"), "{all:?}");
    close(&two);
    place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restriction_ends_after_the_person_was_told_and_not_before() {
    let two = Two::asked("restriction");
    with_model(&two);
    let (case, repository) = (&*two.case, &two.office.source.repository);
    let plan = two.anna(0, &["plan", case]);
    assert!(
        plan.stdout.contains("Nothing is destroyed") && plan.stdout.contains("a task for an editor"),
        "{plan:?}"
    );
    approve(&two, &[]);
    let begun = two.anna(3, &["erase", case, "--yes"]);
    for words in ["Take a document offline for a while", "left; this is not done yet", NOTES[0], NOTES[1]] {
        assert!(begun.stdout.contains(words), "{words}: {begun:?}");
    }
    assert!(two.live().contains(PERSON), "nothing is written");
    assert!(!two.restored("meanwhile").1.contains(PERSON), "and nothing handed out");
    let early = two.anna(0, &["recipients", case, "--told", "0"]);
    assert!(early.stdout.contains("is to be answered"), "{early:?}");
    repository.remove_documents(&NOTES);
    let hidden = two.anna(0, &["erase", case]);
    assert!(
        hidden.stdout.contains("Nothing of what is restricted is handed out or published."),
        "{hidden:?}"
    );
    assert!(!hidden.stdout.contains("Task "), "{hidden:?}");
    two.anna(0, &["letter", case, "answer", "--sent", &crate::cli_privacy::days_ago(0)]);
    two.anna(0, &["close", case]);

    // Later.
    two.anna(0, &["reopen", case, "--reason", "the ground is gone"]);
    two.office.run(0, &["search", case]);
    two.anna(0, &["review", case, "--finish"]);
    two.anna(0, &["assess", case, "--changes", "--note", "the ground is gone"]);
    let untold = two.anna(2, &["plan", case, "--purpose", "lift"]);
    assert!(untold.stderr.contains("Art. 18(3)") && untold.stderr.contains("--told-on"), "{untold:?}");
    let past = two.anna(5, &["plan", case, "--purpose", "lift", "--told-on", "2020-01-01"]);
    assert!(past.stderr.contains("before the restriction"), "{past:?}");
    let today = crate::cli_privacy::days_ago(0);
    let lift = ["--purpose", "lift", "--told-on", &*today];
    approve(&two, &lift);
    let shown = two.anna(0, &["plan", case, "--show"]);
    assert!(shown.stdout.contains(&format!("The person was told on {today}")), "{shown:?}");
    let events = two.office.json(&["show", case])["events"].to_string();
    assert!(events.contains("the person was told on"), "{events}");
    let lifted = two.anna(0, &["erase", case, "--yes"]);
    for words in ["Publish a document again", "The restriction has ended: snapshots read as before."] {
        assert!(lifted.stdout.contains(words), "{words}: {lifted:?}");
    }
    assert!(two.restored("after").1.contains(PERSON), "it is handed out again");
    let put = TEXTS.iter().map(|(id, text)| note(id, text)).collect();
    repository.publish(Changes { put, ..Changes::default() });
    let again = two.anna(0, &["erase", case]);
    assert!(!again.stdout.contains("Task "), "{again:?}");
    close(&two);
}
