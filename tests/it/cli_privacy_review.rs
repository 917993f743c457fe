//! What was found is decided, as the people who do it see it.

use std::fs;

use serde_json::{Value, json};

use crate::cli_privacy::{CONFIG, Office, days_ago, note};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_decided_place_by_place_and_nobody_is_asked_twice() {
    let office = Office::new();
    let texts = [
        ("ReviewPerson0001", "by Perpetua Exampleton, of course"),
        ("ReviewPerson0002", "write to perpetua@example.org or to otto@example.org"),
        ("ReviewPerson0003", "the Exampleton family of another town"),
    ];
    let case = office.searched("access", &texts);
    let overview = office.run(0, &[]);
    assert!(overview.stdout.contains(&format!("privacy review {case}")), "{overview:?}");

    // Without a terminal the questions are listed, most certain first, and masked.
    let listed = office.run(0, &["review", &case]);
    assert!(listed.stdout.contains("ReviewPerson0001") && listed.stdout.contains("3 open"), "{listed:?}");
    assert!(!listed.stdout.contains("Exampleton"), "{listed:?}");
    let questions = office.questions(&case);
    assert_eq!(questions.len(), 3);
    let row = |id: &str| {
        let of = |question: &&Value| question["document"].as_str().unwrap().contains(id);
        questions.iter().find(of).unwrap()["row"].as_str().unwrap().to_owned()
    };
    // Who cannot tell by that asks for the text itself.
    let plain = office.run(0, &["review", &case, "--unmasked"]);
    assert!(plain.stdout.contains("the Exampleton family of another town"), "{plain:?}");
    let refused = office.run(5, &["review", &case, "--finish"]);
    assert!(refused.stderr.contains("3 places have no decision"), "{refused:?}");

    // A worksheet goes out, comes back wrong, and then right.
    office.run(2, &["review", &case, "--worksheet", "sheet.pdf"]);
    office.run(0, &["review", &case, "--worksheet", "sheet.csv"]);
    office.run(1, &["review", &case, "--worksheet", "sheet.csv"]);
    let sheet = fs::read_to_string(office.place.file("sheet.csv")).unwrap();
    assert!(sheet.contains(&row("0002")) && !sheet.contains("perpetua@"), "{sheet}");
    let decide = |sheet: &str, id: &str, what: &str| {
        let start = format!("r{},{case},review,", row(id));
        assert!(sheet.contains(&start), "{sheet}");
        sheet.replacen(&format!("{start},,"), &format!("{start}{what}"), 1)
    };
    let wrong = decide(&decide(&sheet, "0001", "subject,,"), "0002", "yes,,");
    office.place.write("wrong.csv", &wrong);
    let told = office.run(2, &["review", &case, "--from", "wrong.csv"]);
    assert!(
        told.stderr.contains("`yes` is none of") && told.stderr.contains("nothing of it was"),
        "{told:?}"
    );
    assert_eq!(office.json(&["review", &case])["review"]["open"], 3);
    let right = decide(&decide(&sheet, "0001", "subject,,"), "0002", "third-party,,otto@example.org");
    office.place.write("right.csv", &decide(&right, "0003", "unsure,,"));
    let dry = office.run(0, &["review", &case, "--from", "right.csv", "--dry-run"]);
    assert!(dry.stdout.contains("Would record"), "{dry:?}");
    assert_eq!(office.json(&["review", &case])["review"]["open"], 3);
    let taken = office.run(0, &["review", &case, "--from", "right.csv", "--by", "anna"]);
    assert!(taken.stdout.contains("Took in 3 decisions") && taken.stdout.contains("1 unsure"), "{taken:?}");
    let again = office.json(&["review", &case, "--from", "right.csv", "--by", "berta"]);
    assert_eq!(again["taken"]["unchanged"], 3);
    let blocked = office.run(5, &["review", &case, "--finish"]);
    assert!(blocked.stderr.contains("1 are unsure"), "{blocked:?}");

    // One by one, by the row.
    let short = &row("0003")[..8];
    office.run(2, &["review", &case, "--decide", "keep", "--row", short]);
    office.run(2, &["review", &case, "--decide", "not-subject", "--row", "ffffffff"]);
    office.run(0, &["review", &case, "--decide", "not-subject", "--row", short, "--by", "anna"]);

    // A second look that comes to something else opens it again.
    let own = office.json(&["review", &case, "--check", "--by", "anna"]);
    assert_eq!(own["questions"].as_array().unwrap().len(), 0, "nobody checks oneself");
    office.run(0, &["review", &case, "--check", "100%", "--worksheet", "check.html", "--by", "berta"]);
    let page = fs::read_to_string(office.place.file("check.html")).unwrap();
    assert!(page.contains("A second look") && !page.contains("not-subject\",\"ground"), "{page}");
    office.place.write("checked.html", &page.replace("\"decision\":\"\"", "\"decision\":\"subject\""));
    let own = office.run(3, &["review", &case, "--from", "checked.html", "--by", "anna"]);
    assert!(own.stdout.contains("who decided it cannot check it"), "{own:?}");
    let differs = office.run(0, &["review", &case, "--from", "checked.html", "--by", "berta"]);
    assert!(differs.stdout.contains("1 of which came to something else"), "{differs:?}");
    assert!(differs.stdout.contains("1 of 1 rejected places"), "{differs:?}");
    office.run(5, &["review", &case, "--finish"]);
    office.run(0, &["review", &case, "--decide", "not-subject", "--row", short, "--by", "berta"]);
    let finished = office.run(0, &["review", &case, "--finish"]);
    assert!(finished.stdout.contains("Next: prismvault privacy export"), "{finished:?}");

    searched_again_only_what_is_new_is_asked(&office, &case);
}

fn searched_again_only_what_is_new_is_asked(office: &Office, case: &str) {
    let more = [("ReviewPerson0004", "Perpetua Exampleton, again")];
    let put = more.iter().map(|(id, text)| note(id, text)).collect();
    office.source.repository.publish(prismvault::sandbox::Changes { put, ..Default::default() });
    office.place.expect(0, &["snapshot"]);
    office.run(3, &["search", case]);
    let open = office.json(&["review", case]);
    assert_eq!((&open["review"]["decided"], &open["review"]["open"]), (&json!(3), &json!(1)), "{open}");
    let old = office.run(2, &["review", case, "--from", "wrong.csv"]);
    assert!(old.stderr.contains("`yes`"), "{old:?}");
    office.run(0, &["review", case, "--decide", "subject", "--evidence", "B"]);
    office.run(0, &["review", case, "--finish"]);

    // What follows: the assessment and the answer.
    office.run(0, &["assess", case, "--note", "no exception; the rights of one other person are respected"]);
    office.run(0, &["letter", case, "answer", "--sent", &days_ago(0)]);
    let closed = office.run(5, &["close", case]);
    assert!(closed.stderr.contains("no copy for access was made"), "{closed:?}");
    let partly =
        ["close", case, "--partly", "the copy was printed by hand", "--reason", "the person asked for paper"];
    let closed = office.run(0, &partly);
    assert!(closed.stdout.contains("is completed"), "{closed:?}");
    for bytes in office.requests("one").values() {
        assert!(!bytes.windows(4).any(|part| part == b"otto"), "readable outside");
    }
    office.place.expect(0, &["verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_decide_at_once_lose_nothing() {
    let office = Office::new();
    let texts: Vec<(String, String)> = (1..=6)
        .map(|n| (format!("ReviewTogether{n:02}"), format!("Perpetua Exampleton, number {n}")))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (&**id, &**text)).collect();
    let case = office.searched("access", &texts);
    let questions = office.questions(&case);
    let rows: Vec<&str> = questions.iter().map(|question| question["row"].as_str().unwrap()).collect();
    assert_eq!(rows.len(), 6);
    std::thread::scope(|scope| {
        for (row, by) in rows.iter().zip(["anna", "berta", "clara", "doris", "edith", "frida"]) {
            let (office, case) = (&office, &case);
            scope.spawn(move || {
                office.run(0, &["review", case, "--decide", "subject", "--row", row, "--by", by]);
            });
        }
    });
    let review = office.json(&["review", &case, "--all"]);
    assert_eq!(review["review"]["decided"], 6, "{review}");
    let people: std::collections::BTreeSet<&str> = review["questions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|question| question["decision"]["by"].as_str().unwrap())
        .collect();
    assert_eq!(people.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_comes_later_goes_on_with_what_was_decided() {
    let office = Office::new();
    let case = office.searched("access", &[("ReviewShared0001", "by Perpetua Exampleton, of course")]);
    office.run(0, &["review", &case, "--decide", "subject", "--evidence", "B", "--by", "anna"]);
    let config = office.place.read(CONFIG);
    office.appoint("berta");
    let as_berta = config.replace("anna.txt", "berta.txt").replace("anna.key", "berta.key");
    // A note alone makes the events readable, and not what was found and decided.
    office.run(0, &["note", &case, "shared with Berta"]);
    office.place.write(CONFIG, &as_berta);
    office.run(2, &["review", &case]);
    office.place.write(CONFIG, &config);
    assert!(office.run(0, &["rewrap"]).stdout.contains(&case));
    assert!(office.run(0, &["rewrap"]).stdout.contains("already"));
    office.place.write(CONFIG, &as_berta);
    let shared = office.json(&["review", &case, "--all"]);
    assert_eq!(
        (&shared["review"]["decided"], &shared["questions"][0]["decision"]["by"]),
        (&json!(1), &json!("anna"))
    );
    office.run(3, &["search", &case]);
    assert_eq!(office.json(&["review", &case])["review"]["open"], 0);
    office.run(0, &["review", &case, "--finish"]);
}
