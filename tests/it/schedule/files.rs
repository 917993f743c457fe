//! Job files: the examples, and what each mistake is told.

use std::path::{Path, PathBuf};

use prismvault::clock::Timestamp;
use prismvault::config::{Config, ConfigErrorKind};
use prismvault::drill::plan::Plan;
use prismvault::limits::Limits;
use prismvault::schedule::{Job, Schedules, Work};
use prismvault::vault::signing::SigningKey;
use prismvault::verification::Level;
use tempfile::TempDir;

const CONFIG: &str = r#"
[repositories.blog]
repository = "acme-blog"
groups = ["clients"]

[repositories.shop]
repository = "acme-shop"
groups = ["clients"]
priority = 1
"#;

/// A configuration with a directory of jobs beside it.
struct Files(TempDir);

impl Files {
    fn new(jobs: &[(&str, &str)]) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(files.directory()).unwrap();
        files.write("prismvault.toml", CONFIG);
        for (name, text) in jobs {
            files.write(&format!("schedules/{name}"), text);
        }
        files
    }

    fn write(&self, name: &str, text: &str) {
        let mut file = std::fs::File::create(self.0.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("schedules")
    }

    fn config(&self) -> Config {
        Config::load(&self.0.path().join("prismvault.toml")).unwrap()
    }

    fn load(&self) -> Schedules {
        Schedules::load(&self.directory(), &self.config(), now()).unwrap()
    }

    /// The mistakes, with the directory left out.
    fn mistakes(&self) -> Vec<String> {
        let directory = format!("{}/", self.0.path().display());
        self.load().mistakes.iter().map(|error| error.to_string().replace(&directory, "")).collect()
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

const GOOD: &str = "job = \"snapshot\"\nrepositories = [\"*\"]\ncron = \"@daily\"\n";

#[test]
fn the_examples_of_the_repository_are_good() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let config = Files::new(&[]).config();
    let schedules = Schedules::load(&directory, &config, now()).unwrap();
    assert!(schedules.mistakes.is_empty(), "{:?}", schedules.mistakes);
    let found: Vec<_> = schedules.jobs.iter().map(|job| (job.name.as_str(), job.work)).collect();
    let verify = Work::Verify { level: Some(Level::Bytes), sample: None, max_duration: None };
    let full = Work::Verify { level: Some(Level::Content), sample: None, max_duration: None };
    let sample = Work::Verify {
        level: Some(Level::Bytes),
        sample: Some("5%".parse().unwrap()),
        max_duration: Some(std::time::Duration::from_mins(30)),
    };
    assert_eq!(
        found,
        [
            ("continuous", Work::Snapshot { full_every: Some(std::time::Duration::from_hours(168)) }),
            ("monthly-full-verify", full),
            ("nightly-replicate", Work::Replicate),
            ("nightly-verify", sample),
            ("nightly", Work::Snapshot { full_every: None }),
            ("quarterly-access-review", Work::AccessReview),
            ("retain", Work::Retain),
            ("weekly-prune", Work::Prune { repack_below: None }),
            ("weekly-verify", verify)
        ]
    );
    // The README names every key, every job and every level.
    let readme = std::fs::read_to_string(directory.join("README.md")).unwrap();
    for word in [
        "job",
        "repositories",
        "cron",
        "timezone",
        "after",
        "catch_up",
        "jitter",
        "timeout",
        "retries",
        "read",
        "full_every",
        "on_publish",
        "poll",
        "level",
        "sample",
        "max_duration",
        "repack",
        "repack_below",
        "to",
        "access-review",
        "privacy-check",
        "privacy-purge",
        "drill",
        "plan",
        "presence",
        "stored",
        "bytes",
        "content",
    ] {
        assert!(readme.contains(&format!("`{word}`")) || readme.contains(&format!("\"{word}\"")), "{word}");
    }
    for (job, _) in found {
        assert!(readme.contains(&format!("jobs run {job}")), "{job}");
    }
    // Those of privacy officers are for their hosts, and lie apart.
    let schedules = Schedules::load(&directory.join("privacy"), &config, now()).unwrap();
    assert!(schedules.mistakes.is_empty(), "{:?}", schedules.mistakes);
    let found: Vec<_> = schedules.jobs.iter().map(|job| (job.name.as_str(), job.work)).collect();
    assert_eq!(
        found,
        [("daily-privacy-purge", Work::PrivacyPurge), ("weekly-privacy-check", Work::PrivacyCheck)]
    );
    for (job, _) in found {
        assert!(readme.contains(&format!("privacy/{job}.toml")), "{job}");
    }
}

/// A configuration with people, replicas and the plans of the documentation, as they ask for.
fn with_plans(jobs: &[(&str, &str)]) -> Files {
    let files = Files::new(jobs);
    let replicas =
        [("office", "file:///nowhere/office", ""), ("frankfurt", "s3://bucket", "region = \"eu-central-1\"")]
            .map(|(name, url, more)| format!("[[replicas]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n"));
    let people = ["anna", "bela", "clara"].map(|name| {
        let key = SigningKey::generate().public().to_string();
        format!("[people.{name}]\nkey = \"{key}\"\nmay = [\"sign-off\"]\n")
    });
    files.write("prismvault.toml", &format!("{CONFIG}\n{}\n{}", replicas.concat(), people.concat()));
    std::fs::create_dir(files.0.path().join("drills")).unwrap();
    for plan in plans() {
        let text = std::fs::read_to_string(&plan).unwrap();
        files.write(&format!("drills/{}", plan.file_name().unwrap().display()), &text);
    }
    files
}

fn plans() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drills");
    let listed = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut plans: Vec<PathBuf> =
        listed.filter(|path| path.extension().is_some_and(|own| own == "toml")).collect();
    plans.sort();
    plans
}

#[test]
fn the_plans_of_the_documentation_are_good_and_a_job_runs_each() {
    let names = ["monthly", "quarterly", "weekly", "yearly"];
    let found: Vec<String> =
        plans().iter().map(|plan| plan.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(found, names);
    let files = with_plans(&[]);
    for name in names {
        let plan = Plan::load(&files.0.path().join(format!("drills/{name}.toml"))).unwrap();
        let config = files.config();
        let selected = plan.select(&config).unwrap();
        assert!(!selected.repositories.is_empty(), "{name}");
        // What a plan sets is what its page says: no two of them rehearse the same.
        assert!(!plan.scenario.is_empty() && plan.objectives.rto.is_some(), "{name}");
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/drills/weekly-drill.toml");
    let example = std::fs::read_to_string(example).unwrap();
    let files = with_plans(&[("weekly-drill.toml", &example)]);
    let schedules = files.load();
    assert!(schedules.mistakes.is_empty(), "{:?}", schedules.mistakes);
    let [job] = &schedules.jobs[..] else { panic!("{schedules:?}") };
    assert_eq!(job.work, Work::Drill);
    assert_eq!(job.plan_file(&files.config()), Some(files.0.path().join("drills/weekly.toml")));
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/README.md");
    assert!(std::fs::read_to_string(readme).unwrap().contains("drills/weekly-drill.toml"));
}

#[test]
fn a_drill_job_whose_plan_is_not_good_is_refused_with_the_reason() {
    let job = |plan: &str, repositories: &str| {
        format!("job = \"drill\"\n{plan}\nrepositories = {repositories}\ncron = \"@weekly\"\n")
    };
    let weekly = "plan = \"drills/weekly.toml\"";
    for (text, expected) in [
        (job("", "[\"*\"]"), "x.toml:1: the key \"plan\" is missing"),
        (job("plan = \"drills/weakly.toml\"", "[\"*\"]"), "drills/weakly.toml"),
        (job(weekly, "[\"blog\"]"), "x.toml:3: repositories: are others than those that "),
        (GOOD.replace("job", &format!("{weekly}\njob")), "plan: is for drill jobs only"),
    ] {
        let mistakes = with_plans(&[("x.toml", &text)]).mistakes();
        assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{expected}: {mistakes:?}");
    }
    // A mistake in the plan is one of the job: it would fail at night.
    let files = with_plans(&[("x.toml", &job(weekly, "[\"*\"]"))]);
    let text = std::fs::read_to_string(files.0.path().join("drills/weekly.toml")).unwrap();
    files.write("drills/weekly.toml", &text.replace("standby", "nowhere"));
    let mistakes = files.mistakes();
    assert!(mistakes.len() == 1 && mistakes[0].contains("has no repository nowhere"), "{mistakes:?}");
}

#[test]
fn a_job_has_the_repositories_that_it_names_in_the_order_of_recovery() {
    let files = Files::new(&[
        ("a.toml", "job = \"verify\"\nrepositories = [\"blog\", \"@clients\"]\ncron = \"0 4 * * sun\"\n"),
        (
            "b.toml",
            "job = \"snapshot\"\nrepositories = [\"blog\"]\ncron = \"0 4 * * *\"\ntimezone = \"Asia/Tokyo\"\n",
        ),
        ("README.md", "not a job"),
        (".hidden.toml", "not a job"),
        ("c.toml~", "not a job"),
    ]);
    let (schedules, config) = (files.load(), files.config());
    assert!(schedules.mistakes.is_empty(), "{:?}", schedules.mistakes);
    let names = |job: &Job| -> Vec<String> {
        job.select(&config).unwrap().iter().map(|repository| repository.name.to_string()).collect()
    };
    let [a, b] = schedules.jobs.as_slice() else { panic!("{:?}", schedules.jobs) };
    assert_eq!((names(a), names(b)), (vec!["shop".to_owned(), "blog".to_owned()], vec!["blog".to_owned()]));
    assert_eq!(
        (a.work, a.cron.as_ref().unwrap().zone()),
        (Work::Verify { level: None, sample: None, max_duration: None }, "UTC")
    );
    assert_eq!(
        b.cron.as_ref().unwrap().local("2026-11-21T19:00:00Z".parse().unwrap()).to_rfc3339(),
        "2026-11-22T04:00:00+09:00"
    );
}

#[test]
fn every_mistake_names_file_line_and_what_was_probably_meant() {
    let job =
        |line: &str| format!("job = \"snapshot\"\nrepositories = [\"blog\"]\ncron = \"@daily\"\n{line}\n");
    expect_mistakes([
        (
            job("timezon = \"UTC\""),
            "x.toml:4: timezon: unknown key, did you mean \"timezone\"? (known here: ",
        ),
        (
            job("timezone = \"Europe/Pariss\""),
            "x.toml:4: timezone: \"Europe/Pariss\" is no time zone, did you mean \"Europe/Paris\"?",
        ),
        (job("timezone = 1"), "x.toml:4: timezone: must be text in quotes, not a number"),
        (job("level = \"bytes\""), "x.toml:4: level: is for verify jobs only"),
        (job("sample = \"5%\""), "x.toml:4: sample: is for verify jobs only"),
        (job("read = \"incremental \""), "x.toml:4: read: there is no way to read"),
        (job("full_every = \"7d\""), "x.toml:4: full_every: is used only with read = \"incremental\""),
        (job("poll = \"1m\""), "x.toml:4: poll: is used only with on_publish = true"),
        (job("on_publish = true\npoll = \"1s\""), "x.toml:5: poll: is too short: at least \"5s\""),
        (
            GOOD.replace("snapshot", "retain") + "on_publish = true\n",
            "x.toml:4: on_publish: is for snapshot jobs only",
        ),
        (
            GOOD.replace("snapshot", "prune") + "read = \"full\"\n",
            "x.toml:4: read: is for snapshot jobs only",
        ),
        (
            GOOD.replace("snapshot", "verify") + "sample = \"5\"\n",
            "x.toml:4: sample: \"5\" is not a share; write 5% or 0.5%, at most 100%",
        ),
        (
            GOOD.replace("snapshot", "verify") + "max_duration = \"long\"\n",
            "x.toml:4: max_duration: must be a duration such as \"30m\" or \"2h\"",
        ),
        (job("repack = true"), "x.toml:4: repack: is for prune jobs only"),
        (job("to = \"reviews\""), "x.toml:4: to: is for access-review jobs only"),
        (GOOD.replace("snapshot", "access-review") + "to = \"\"\n", "x.toml:4: to: is empty"),
        (
            GOOD.replace("snapshot", "prune") + "repack_below = 40\n",
            "x.toml:4: repack_below: is used only with repack = true",
        ),
        (
            GOOD.replace("snapshot", "prune") + "repack = true\nrepack_below = 0\n",
            "x.toml:5: repack_below: must be from 1 to 100",
        ),
        (job("catchup = true"), "x.toml:4: catchup: unknown key, did you mean \"catch_up\"?"),
        (job("catch_up = \"yes\""), "x.toml:4: catch_up: must be true or false, not text"),
        (job("jitter = \"soon\""), "x.toml:4: jitter: must be a duration such as \"30m\" or \"2h\""),
        (job("timeout = \"0s\""), "x.toml:4: timeout: leaves no time to run"),
        (job("timeout = \"25h\""), "x.toml:4: timeout: is longer than any run may take (24h)"),
        (job("retries = 21"), "x.toml:4: retries: must be from 0 to 20"),
        (job("after = []"), "x.toml:4: after: is empty; leave it out"),
        (job("after = \"x\""), "x.toml:4: after: names the job itself"),
        (job("after = [\"a\", \"a\"]"), "x.toml:4: after: names \"a\" twice"),
        (job("after = \"nightly\""), "x.toml:4: after: there is no job \"nightly\" that can run"),
    ]);
}

#[test]
fn mistakes_of_time_and_choice_are_named_the_same_way() {
    expect_mistakes([
        (
            GOOD.replace("cron = \"@daily\"", "after = \"x2\"\njitter = \"5m\""),
            "x.toml:4: jitter: is for jobs with `cron`",
        ),
        (
            GOOD.replace("@daily", "@dayly"),
            "x.toml:3: cron: \"@dayly\" is no short form, did you mean \"@daily\"?",
        ),
        (GOOD.replace("@daily", "0 0 30 2 *"), "x.toml:3: cron: \"0 0 30 2 *\" never comes"),
        (
            GOOD.replace("@daily", "0 0 0 1 1 * 2020"),
            "x.toml:3: cron: \"0 0 0 1 1 * 2020\" never comes again after 2026-11-21T12:00:00Z",
        ),
        (
            GOOD.replace("@daily", "0 25 * * *"),
            "x.toml:3: cron: \"25\" in the field of hours is not a number from 0 to 23",
        ),
        (GOOD.replace("@daily", ""), "x.toml:3: cron: is empty"),
        (
            GOOD.replace("snapshot", "snapshoot"),
            "x.toml:1: job: there is no job \"snapshoot\", did you mean \"snapshot\"? (known: snapshot, replicate, verify, retain, prune, access-review, privacy-check, privacy-purge, drill)",
        ),
        (
            GOOD.replace("[\"*\"]", "[]"),
            "x.toml:2: repositories: is empty; write [\"*\"] for every repository",
        ),
        (GOOD.replace("[\"*\"]", "\"*\""), "x.toml:2: repositories: must be a list in brackets, not text"),
        (
            GOOD.replace("[\"*\"]", "[\n\"blog\",\n\"shpo\"]"),
            "x.toml:4: repositories[1]: there is no repository \"shpo\", did you mean \"shop\"? (known: blog, shop)",
        ),
        (
            GOOD.replace("[\"*\"]", "[\"@client\"]"),
            "x.toml:2: repositories[0]: there is no group \"@client\", did you mean \"@clients\"?",
        ),
        (GOOD.replace("[\"*\"]", "[\"../blog\"]"), "x.toml:2: repositories[0]: \"../blog\" is not a name"),
        (
            GOOD.replace("[\"*\"]", "[\"blog\", \"blog\"]"),
            "x.toml:2: repositories[1]: \"blog\" is there already",
        ),
        (GOOD.replace("cron", "#"), "x.toml:1: the key \"cron\" is missing"),
        (String::new(), "x.toml:1: the key \"job\" is missing"),
        ("job = ".to_owned(), "x.toml:1: not valid TOML"),
        (
            format!("job = \"verify\"\nlevel = \"byte\"\n{}", &GOOD[17..]),
            "x.toml:2: level: there is no level \"byte\", did you mean \"bytes\"? (known: presence, stored, bytes, content)",
        ),
    ]);
}

fn expect_mistakes<const N: usize>(mistakes: [(String, &str); N]) {
    for (text, expected) in mistakes {
        let mistakes = Files::new(&[("x.toml", &text)]).mistakes();
        let [mistake] = mistakes.as_slice() else { panic!("{text}: {mistakes:?}") };
        let expected = format!("schedules/{expected}");
        assert!(mistake.starts_with(&expected), "{text}\n  {mistake}\n  {expected}");
    }
}

#[test]
fn no_job_has_the_name_of_the_lease_under_which_alarms_are_told() {
    let mistakes = Files::new(&[("Alarms.toml", GOOD)]).mistakes();
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:?}") };
    assert!(mistake.contains("\"Alarms\" is the name of the lease under which alarms are told"), "{mistake}");
}

#[test]
fn what_jobs_prune_and_review_is_read_with_its_defaults() {
    let prune = |more: &str| GOOD.replace("snapshot", "prune") + more;
    let files = Files::new(&[
        ("a.toml", &prune("")),
        ("b.toml", &prune("repack = false\n")),
        ("c.toml", &prune("repack = true\n")),
        ("d.toml", &prune("repack = true\nrepack_below = 30\n")),
        ("e.toml", &(GOOD.replace("snapshot", "access-review") + "to = \"reviews\"\n")),
    ]);
    let schedules = files.load();
    let [.., review] = schedules.jobs.as_slice() else { panic!("{:?}", schedules.mistakes) };
    let below = schedules.jobs.iter().filter_map(|job| match job.work {
        Work::Prune { repack_below } => Some(repack_below),
        _ => None,
    });
    assert_eq!(below.collect::<Vec<_>>(), [None, None, Some(Limits::default().repack_below), Some(30)]);
    assert_eq!((review.work, review.reviews.as_deref()), (Work::AccessReview, Some(Path::new("reviews"))));
}

#[test]
fn jobs_say_how_they_run() {
    let files = Files::new(&[
        ("a.toml", GOOD),
        (
            "b.toml",
            &format!(
                "{GOOD}catch_up = false\njitter = \"5m\"\ntimeout = \"2h\"\nretries = 3\nafter = \"a\"\n"
            ),
        ),
        ("c.toml", "job = \"retain\"\nrepositories = [\"*\"]\nafter = [\"b\", \"a\"]\n"),
    ]);
    let schedules = files.load();
    let [a, b, c] = schedules.jobs.as_slice() else { panic!("{:?}", schedules.mistakes) };
    let how = |job: &Job| (job.catch_up, job.jitter.as_secs(), job.timeout.as_secs(), job.retries);
    assert_eq!(how(a), (true, 0, 24 * 3600, 0));
    assert_eq!(how(b), (false, 300, 7200, 3));
    assert!(a.after.is_empty() && a.cron.is_some());
    assert_eq!(b.after, ["a".parse().unwrap()]);
    assert!(c.cron.is_none() && c.after.len() == 2);
    assert_eq!(schedules.next_runs(now(), 4).len(), 4, "jobs without a time have no next run of their own");
}

#[test]
fn jobs_that_would_wait_for_each_other_for_ever_are_refused() {
    let after = |name: &str| GOOD.replace("cron = \"@daily\"", &format!("after = \"{name}\""));
    let files = Files::new(&[
        ("a.toml", &after("b")),
        ("b.toml", &after("c")),
        ("c.toml", &after("a")),
        ("d.toml", &after("a")),
        ("e.toml", GOOD),
        ("f.toml", &after("e")),
    ]);
    let names: Vec<_> = files.load().jobs.iter().map(|job| job.name.to_string()).collect();
    assert_eq!(names, ["e", "f"]);
    let mistakes = files.mistakes();
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    assert!(
        mistakes[..3].iter().all(|mistake| mistake.contains("none of them would ever begin")),
        "{mistakes:?}"
    );
    assert!(
        mistakes[3].starts_with("schedules/d.toml:3: after: there is no job \"a\" that can run"),
        "{mistakes:?}"
    );
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let files = Files::new(&[
        ("a.toml", "job = 1"),
        ("b.toml", GOOD),
        ("c d.toml", GOOD),
        ("B.toml", GOOD),
        ("e.toml", "\u{0}"),
    ]);
    let names: Vec<_> = files.load().jobs.iter().map(|job| job.name.to_string()).collect();
    assert_eq!(names, ["B"]);
    let mistakes = files.mistakes();
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    assert!(mistakes[1].contains("differs only in case from \"B\""), "{mistakes:?}");
    assert!(mistakes[2].contains("the name of the file is that of the job"), "{mistakes:?}");
    // For one job the others do not matter.
    let config = files.config();
    let one = |name: &str| Schedules::load_one(&files.directory(), &name.parse().unwrap(), &config);
    assert_eq!(one("b").unwrap().name.as_str(), "b");
    let unknown = one("bb").unwrap_err();
    assert_eq!(unknown.kind(), ConfigErrorKind::UnknownName);
    assert!(unknown.to_string().contains("there is no job \"bb\""), "{unknown}");
    assert_eq!(one("a").unwrap_err().line(), Some(1));
}

#[test]
fn no_jobs_at_all_are_not_taken_for_good_ones() {
    let files = Files::new(&[]);
    let load = |directory: &Path| Schedules::load(directory, &files.config(), now()).unwrap_err();
    assert_eq!(load(&files.directory()).kind(), ConfigErrorKind::Missing);
    assert_eq!(load(&files.directory().join("nothing")).kind(), ConfigErrorKind::Missing);
    // And "*" of nothing is no job either.
    let files = Files::new(&[("a.toml", GOOD)]);
    files.write("prismvault.toml", "");
    let mistakes = files.mistakes();
    assert!(mistakes[0].contains("repositories[0]: prismvault.toml names no repository"), "{mistakes:?}");
}

#[test]
fn a_file_that_is_too_large_or_a_directory_is_refused() {
    let files = Files::new(&[("big.toml", &"#".repeat(2000))]);
    let file = files.directory().join("big.toml");
    let error = Job::load(&file, &Limits { config_bytes_max: 1000, ..Limits::default() }).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
    let error = Job::load(&files.directory(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
}

#[test]
fn the_next_runs_of_all_jobs_come_in_order() {
    let files = Files::new(&[
        ("a.toml", &GOOD.replace("@daily", "0 */8 * * *")),
        ("b.toml", &GOOD.replace("@daily", "0 0 * * *")),
    ]);
    let schedules = files.load();
    let runs: Vec<_> = schedules
        .next_runs(now(), 5)
        .iter()
        .map(|run| format!("{} {}", run.at.format("%d %H"), run.job.name))
        .collect();
    assert_eq!(runs, ["21 16 a", "22 00 a", "22 00 b", "22 08 a", "22 16 a"]);
    assert!(schedules.next_runs(now(), 0).is_empty());
}
