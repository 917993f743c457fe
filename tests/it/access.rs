//! `prismvault access`: members of a repository over time, as administrators and reviewers meet it.

use std::fs;

use crate::backups::{Source, configuration, small};
use crate::notifications::receivers::WebReceiver;
use crate::restore::tree;
use crate::workplace::{Run, Workplace};

/// Words of the lists that must be nowhere but in encrypted content and in what people asked for.
const PERSONAL: [&str; 6] = ["anna@", "Anna ", "Beck,", "zoe@", "Zoé", "acme.example"];

const FIRST: &str = "Name;E-Mail;Role\nAnna Beck;anna@acme.example;Owner\nZoé;zoe@acme.example;Writer\n\
                     Max;max@other.example;Administrator\n";
const SECOND: &str = r#"{"members": [
    {"name": "Anna Beck", "email": "Anna@acme.example", "role": "Owner"},
    {"name": "=cmd()", "email": "zoe@acme.example", "role": {"fr-fr": "Publisher"}},
    {"name": "Ida", "email": "ida@acme.example", "role": "SEO"}]}"#;

struct Place {
    workplace: Workplace,
    _source: Source,
}

impl Place {
    /// Two directories and a snapshot.
    fn new(more: &str) -> Self {
        let (workplace, source) = (Workplace::new(), small());
        let replicas = [("first", &*workplace.file("first")), ("second", &*workplace.file("second"))];
        workplace.write("prismvault.toml", &(configuration(&source, &replicas) + more));
        workplace.write("first.csv", FIRST);
        workplace.write("second.json", SECOND);
        workplace.expect(0, &["init"]);
        workplace.expect(0, &["snapshot"]);
        Self { workplace, _source: source }
    }

    #[track_caller]
    fn expect(&self, code: i32, arguments: &[&str]) -> Run {
        self.workplace.expect(code, arguments)
    }

    /// Objects on a replica that begin so.
    fn objects(&self, replica: &str, beginning: &str) -> Vec<String> {
        let all = tree(&self.workplace.file(replica)).into_keys();
        all.filter(|key| key.starts_with(beginning)).collect()
    }
}

#[track_caller]
fn names_nobody(what: &str, text: &str) {
    for word in PERSONAL {
        assert!(!text.contains(word), "{what} has {word:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_kept_compared_and_reviewed_and_names_are_nowhere_else() {
    let place = Place::new("");
    let dry = place.expect(0, &["access", "import", "first.csv", "--dry-run"]);
    assert!(
        dry.stdout.contains("Would keep 3 members of acme-blog: 1 Administrator, 1 Owner, 1 Writer"),
        "{dry:?}"
    );
    assert!(place.objects("first", "snapshots/access").is_empty());
    let mut said = dry.stdout + &dry.stderr;
    for file in ["first.csv", "second.json"] {
        let run = place.expect(0, &["access", "import", file, "--repository", "acme-blog", "--json"]);
        assert_eq!(run.json()["members"], 3);
        said += &(run.stdout + &run.stderr);
    }
    for arguments in [
        &["list", "--json"][..],
        &["list", "access.acme-blog"],
        &["show", "access.acme-blog@latest"],
        &["audit", "list", "--json"],
        &["verify", "--full", "--json"],
        &["show", "--storage", "--json"],
        &["find", "Anna", "--all", "--text", "--json"],
        &["-vv", "retain", "--dry-run"],
    ] {
        let run = place.workplace.run(arguments);
        said += &(run.stdout + &run.stderr);
    }
    names_nobody("what other commands say", &said);
    for replica in ["first", "second"] {
        for (key, bytes) in tree(&place.workplace.file(replica)) {
            names_nobody(&key, &key);
            names_nobody(&key, &String::from_utf8_lossy(&bytes));
        }
    }

    let diff = place.expect(0, &["access", "diff", "--json"]).json();
    let changes: Vec<String> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {} {} {}", line["change"], line["email"], line["roles"], line["before"]))
        .collect();
    assert_eq!(
        changes,
        [
            r#""came" "ida@acme.example" ["SEO"] null"#,
            r#""went" "max@other.example" ["Administrator"] null"#,
            r#""role" "zoe@acme.example" ["Publisher (fr-fr)"] ["Writer"]"#,
        ]
    );
    assert_eq!(diff["unchanged"], 1);
    let review = place.expect(0, &["access", "review"]).stdout;
    for part in
        ["# Access review of acme-blog", "| Anna Beck | Anna@acme.example | Owner |", "was Writer", "1 left"]
    {
        assert!(review.contains(part), "{part}: {review}");
    }
    place.expect(0, &["access", "review", "--format", "csv", "--to", "review.csv"]);
    let sheet = place.workplace.read("review.csv");
    assert!(sheet.contains("\"member\",\"acme-blog\",\"'=cmd()\",\"zoe@acme.example\""), "{sheet}");
    let again = place.expect(5, &["access", "review", "--to", "review.csv"]);
    assert!(again.stderr.contains("is not overwritten"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_content_imports_and_is_told_before_anything_is_read_that_the_rest_needs_it() {
    let place = Place::new("");
    fs::rename(place.workplace.file("keys/recovery.txt"), place.workplace.file("recovery.txt")).unwrap();
    for _ in 0..2 {
        place.expect(0, &["access", "import", "first.csv"]);
    }
    for command in ["diff", "review"] {
        let run = place.expect(2, &["access", command]);
        assert!(run.stderr.contains("this command reads content and needs the recovery identity"), "{run:?}");
        assert_eq!(run.stdout, "");
        place.expect(0, &["access", command, "--identity", "recovery.txt"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_says_where_the_review_is_due_and_writes_it_where_content_can_be_read() {
    let chat = WebReceiver::good().await;
    let place =
        Place::new("\n[notifications.chat]\nkind = \"webhook\"\ndefault = true\nurl = { file = \"chat\" }\n");
    place.workplace.write("chat", &chat.url("/"));
    fs::rename(place.workplace.file("keys/recovery.txt"), place.workplace.file("recovery.txt")).unwrap();
    fs::create_dir(place.workplace.file("schedules")).unwrap();
    let job = "job = \"access-review\"\nrepositories = [\"*\"]\ncron = \"0 9 1 1,4,7,10 *\"\n";
    place.workplace.write("schedules/who.toml", job);
    let by_hand = "`prismvault access review --repository acme-blog --to FILE --identity recovery.txt`";
    let said = |count: usize| {
        let said = chat.take();
        assert_eq!(said.len(), count, "{said:?}");
        said.iter().for_each(|request| names_nobody("a message", &request.body));
        said.first().map(|request| request.json()["notices"][0].clone()).unwrap_or_default()
    };
    let run = place.expect(6, &["jobs", "run", "who"]);
    for part in
        ["due acme-blog: its members were never listed", "access import FILE --repository acme-blog", by_hand]
    {
        assert!(run.stdout.contains(part), "{part}: {run:?}");
    }
    let notice = said(1);
    assert_eq!(
        notice["what"],
        "job who (access-review of *): the access review of acme-blog is due: its members were never listed"
    );
    assert!(notice["next"].as_str().unwrap().contains(by_hand), "{notice}");

    place.expect(0, &["access", "import", "first.csv"]);
    let run = place.expect(6, &["jobs", "run", "who", "--json"]);
    names_nobody("the run", &run.stdout);
    let line = &run.json()["reviews"][0];
    assert_eq!((&line["days"], &line["file"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(line["due"], "no identity that is here reads content; its members were listed today");
    assert_eq!(line["next"], format!("{by_hand} where content can be read"));
    // It was said, and it lasts.
    said(0);
    let with_identity = ["jobs", "run", "who", "--identity", "recovery.txt"];
    let run = place.expect(6, &with_identity);
    assert!(run.stdout.contains("does not say where to write it (`to = \"DIRECTORY\"`)"), "{run:?}");
    assert!(run.stdout.contains("--repository acme-blog --to FILE` where"), "{run:?}");

    place.workplace.write("schedules/who.toml", &format!("{job}to = \"reviews\"\n"));
    let run = place.expect(0, &with_identity);
    names_nobody("the run", &(run.stdout + &run.stderr));
    assert_eq!(said(1)["change"], "ended");
    let files: Vec<_> = fs::read_dir(place.workplace.file("reviews")).unwrap().map(Result::unwrap).collect();
    let [file] = files.as_slice() else { panic!("one review: {files:?}") };
    assert!(file.file_name().to_string_lossy().starts_with("access-review-acme-blog-20"), "{file:?}");
    assert!(fs::read_to_string(file.path()).unwrap().contains("| Anna Beck | anna@acme.example | Owner |"));
    #[cfg(unix)]
    for (path, mode) in [(file.path(), 0o600), (place.workplace.file("reviews"), 0o700)] {
        let found = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(found & 0o777, mode, "{}", path.display());
    }
    place.workplace.write("schedules/who.toml", &format!("{job}to = \"first.csv\"\n"));
    let run = place.expect(1, &with_identity);
    assert!(run.stderr.contains("who has access to acme-blog was not reviewed"), "{run:?}");
    assert!(run.stderr.contains("this user must be able to write there"), "{run:?}");
    let status = place.workplace.run(&["status", "--repository", "acme-blog", "--json"]).json();
    assert!(status["repositories"][0]["facts"]["members_listed"].is_string(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_mistake_is_refused_whole_with_its_line() {
    let place = Place::new("");
    place
        .workplace
        .write("bad.csv", "name,email,role\nAnna,anna@acme.example,Owner\nZoe,zoe.acme.example,Writer\n");
    let run = place.expect(2, &["access", "import", "bad.csv"]);
    assert!(run.stderr.contains("line 3: the e-mail address is none"), "{run:?}");
    assert!(run.stderr.contains("nothing was kept"), "{run:?}");
    names_nobody("the error", &run.stderr);
    assert!(!run.stderr.contains("zoe.acme"), "{run:?}");
    let run = place.expect(2, &["access", "import", "nowhere.csv", "--json"]);
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("cannot read nowhere.csv"));
    assert!(place.objects("first", "snapshots/access").is_empty());
    let run = place.expect(2, &["access", "review"]);
    assert!(run.stderr.contains("no list of the members of acme-blog"), "{run:?}");
    place.expect(0, &["access", "import", "first.csv"]);
    let run = place.expect(2, &["access", "diff"]);
    assert!(run.stderr.contains("one list of the members of acme-blog only"), "{run:?}");
    let run = place.expect(2, &["access", "diff", "--since", "2020-01-01"]);
    assert!(run.stderr.contains("there is no snapshot of access.acme-blog at or before"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_replicated_verified_retained_and_forgotten_with_their_repository() {
    let place = Place::new("\n[retention]\nkeep_last = 1\n");
    for file in ["first.csv", "second.json", "second.json"] {
        place.expect(0, &["access", "import", file]);
    }
    // They are no snapshots of a repository: what people type means what it meant.
    assert_eq!(place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(place.expect(0, &["show", "latest", "--json"]).json()["manifest"]["repository"], "acme-blog");
    // Equal lists are one item.
    let listed = place.expect(0, &["list", "access.acme-blog", "--json"]).json();
    let added: Vec<_> = listed["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["added_bytes"].as_u64().unwrap())
        .collect();
    assert!(added[0] > 0 && added[1] > 0 && added[2] == 0, "{added:?}");

    fs::remove_dir_all(place.workplace.file("second/snapshots/access.acme-blog")).unwrap();
    place.expect(0, &["replicate"]);
    assert_eq!(place.objects("second", "snapshots/access.").len(), 6);
    let manifest = place.objects("first", "snapshots/access.").remove(0);
    place.workplace.write(&format!("first/{manifest}"), "{}");
    fs::create_dir(place.workplace.file("schedules")).unwrap();
    place.workplace.write(
        "schedules/look.toml",
        "job = \"verify\"\nrepositories = [\"acme-blog\"]\ncron = \"@daily\"\nlevel = \"bytes\"\n",
    );
    let verified = place.expect(4, &["jobs", "run", "look", "--json"]);
    assert!(verified.stdout.contains(&manifest), "{verified:?}");
    place.expect(0, &["repair"]);
    place.expect(0, &["jobs", "run", "look"]);
    place.expect(0, &["verify", "--full"]);

    let plan = place.expect(0, &["retain", "--dry-run", "--json"]).json();
    let repositories: Vec<_> = plan["repositories"].as_array().unwrap().iter().collect();
    assert_eq!(repositories[1]["repository"], "access.acme-blog");
    place.expect(0, &["retain"]);
    let left = place.expect(0, &["list", "access.acme-blog", "--json"]).json();
    assert_eq!(left["snapshots"].as_array().unwrap().len(), 1);
    // The list that stays has what it needs after pruning.
    place.expect(0, &["prune", "--yes"]);
    place.expect(0, &["access", "review"]);
    place.expect(0, &["forget", "acme-blog", "--yes"]);
    let run = place.expect(2, &["access", "review"]);
    assert!(run.stderr.contains("no list of the members"), "{run:?}");
}

#[test]
fn no_repository_may_have_the_name_of_a_list() {
    let place = Workplace::new();
    for name in ["access.blog", "Access.blog"] {
        place.write("prismvault.toml", &format!("[repositories.\"{name}\"]\nrepository = \"acme-blog\"\n"));
        let run = place.expect(2, &["config"]);
        assert!(run.stderr.contains("prismvault.toml:1"), "{run:?}");
        assert!(run.stderr.contains("under which lists of members are kept"), "{run:?}");
    }
}
