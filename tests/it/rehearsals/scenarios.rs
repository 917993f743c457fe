//! What has happened, and what of it a recovery survives.

use std::sync::Arc;

use prismvault::contentapi::Document;
use prismvault::sandbox::Changes;
use serde_json::json;

use super::{CHECK, Desk, check, objective, phase};
use crate::backups::{configuration, small};
use crate::cli_s3::run;
use crate::restoring::crafted::{HOME, data, document, put};
use crate::s3_server::{BUCKET, S3Server};
use crate::workplace::Workplace;

/// Everything that a rehearsal looks at is as it must be.
#[track_caller]
fn assert_good(report: &serde_json::Value) {
    assert_eq!(report["result"], "passed", "{report:#}");
    for own in report["phases"].as_array().unwrap() {
        assert_eq!(own["ended"], "good", "{own:#}");
    }
    assert_eq!(report["phases"].as_array().unwrap().len(), 11);
    assert_eq!(report["findings"], json!([]));
    let gates: Vec<&str> =
        report["gates"].as_array().unwrap().iter().map(|own| own["standing"].as_str().unwrap()).collect();
    assert_eq!(gates, ["passed", "passed", "passed", "passed", "waits", "not-reached", "not-reached"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_gives_everything_back_and_the_evidence_is_on_every_replica() {
    let desk = Desk::new();
    let report = desk.rehearse(0, "", "standby");
    assert_good(&report);
    let own = &report["repositories"][0];
    assert_eq!((&own["documents"], &own["assets"]), (&json!([4, 4]), &json!([8, 8])));
    assert_eq!(own["counts"][0], json!(["article", "en-us", 2, 2]));
    assert_eq!(own["lost_edits"], json!([]), "live has nothing that the snapshot has not");
    assert_eq!(check(&report, "resurrection test")["light"], "green");
    assert_eq!(check(&report, "articles")["seen"], "3 documents");
    assert_eq!(check(&report, "clean-up")["seen"], "nothing");
    for replica in ["one", "two"] {
        let keys = desk.keys(replica, "drills/");
        assert!(keys.iter().any(|key| key.ends_with("drill.json")), "{keys:?}");
        assert!(keys.iter().any(|key| key.ends_with("drill.json.minisig")), "{keys:?}");
        assert!(keys.iter().filter(|key| key.contains("/files/")).count() >= 5, "{keys:?}");
    }
    assert_eq!(desk.traces(), [] as [std::path::PathBuf; 0]);
    // What it showed is for who reads content: no text of a document is in the clear.
    let tree = crate::restore::tree(&desk.place.file("one"));
    for (key, bytes) in tree.iter().filter(|(key, _)| key.starts_with("drills/")) {
        assert!(!String::from_utf8_lossy(bytes).contains("before"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_filled_through_the_write_apis_and_read_back() {
    let desk = Desk::new();
    desk.plan("", "sandbox", &CHECK.replace("expect = 3", "expect = \"as-in-snapshot\""));
    let report = desk.drill(0).json();
    assert_good(&report);
    assert_eq!(check(&report, "acme-blog: files and models")["light"], "green");
    assert_eq!(check(&report, "articles")["seen"], "3 documents, in the snapshot 3");
    assert_eq!(report["floor"]["requests"], 12);
    assert!(desk.keys("one", "state/restores").is_empty(), "it keeps no journal in the vault");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_is_enough_and_none_is_not() {
    let desk = Desk::new();
    assert_good(&desk.rehearse(0, "{ kind = \"replica-gone\", replica = \"one\" }", "standby"));
    let both =
        "{ kind = \"replica-gone\", replica = \"one\" }, { kind = \"replica-gone\", replica = \"two\" }";
    let report = desk.rehearse(4, both, "standby");
    assert_eq!((report["result"].as_str(), phase(&report, "locate")), (Some("failed"), "broken"));
    assert_eq!((phase(&report, "restore"), phase(&report, "clean-up")), ("skipped", "good"));
    assert_eq!(objective(&report, "fidelity")["light"], "red", "what was not measured was not shown");
    assert_eq!(report["gates"][0]["standing"], "stopped");
    assert!(report["findings"][0]["what"].as_str().unwrap().contains("cannot be opened"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_packs_are_read_from_the_other_replica_where_it_has_good_ones() {
    let desk = Desk::new();
    let report =
        desk.rehearse(0, "{ kind = \"packs-damaged\", share = \"100%\", replica = \"one\" }", "standby");
    assert_good(&report);
    let notes = report["phases"][3]["notes"].to_string();
    assert!(notes.contains("damaged as the scenario has it"), "{notes}");
    let report = desk.rehearse(4, "{ kind = \"packs-damaged\", share = \"100%\" }", "standby");
    assert_eq!(check(&report, "bytes")["light"], "red");
    assert_eq!(report["gates"][1]["standing"], "not-reached", "{:#}", report["gates"]);
    // Nothing was harmed: the vault is as good as before.
    desk.place.expect(0, &["verify", "--full"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_newest_snapshot_the_one_before_comes_back_and_the_loss_is_counted() {
    let desk = Desk::new();
    let text = document((HOME, "article", "en-us"), Some("home"), &[], &data("later")).stored();
    let later = text.replace("\"last_publication_date\":\"2024", "\"last_publication_date\":\"2025");
    put(&desk.source, vec![Arc::new(Document::parse(&later, &[]).unwrap())]);
    desk.source
        .repository
        .publish(Changes { put: Vec::new(), remove: [crate::restoring::crafted::NOTE.into()].into() });
    desk.place.expect(0, &["snapshot", "acme-blog"]);
    let report = desk.rehearse(0, "\"newest-missing\"", "standby");
    let own = &report["repositories"][0];
    assert_eq!(own["documents"], json!([4, 4]), "the note is back");
    let lost: Vec<(&str, &str)> = own["lost_edits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (edit["what"].as_str().unwrap(), edit["type"].as_str().unwrap()))
        .collect();
    assert_eq!(lost, [("changed", "article"), ("removed", "note")]);
    // The snapshot that was hidden is there as before.
    assert_eq!(desk.place.expect(0, &["list", "--json"]).json()["snapshots"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_without_the_operator_identity_recovers_with_the_recovery_identity() {
    let desk = Desk::new();
    assert_good(&desk.rehearse(0, "\"machine-gone\", \"operator-lost\", \"prismic-unreachable\"", "sandbox"));
    // Without the identity that reads content nothing is begun, and that is said.
    std::fs::rename(desk.place.file("keys/recovery.txt"), desk.place.file("elsewhere.txt")).unwrap();
    let run = desk.drill(2);
    assert!(run.stdout.contains("needs the recovery identity"), "{}", run.stdout);
    assert_eq!(desk.keys("one", "drills/").iter().filter(|key| key.ends_with("drill.json")).count(), 1);
    let line = ["drill", "run", "drills/weekly.toml", "--identity", "elsewhere.txt"];
    desk.place.expect(0, &line);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_away_needs_a_substitute() {
    let desk = Desk::new();
    let people = |substitute: &str| {
        format!("{CHECK}\n[[participants]]\nname = \"anna\"\nrole = \"recovery lead\"\n{substitute}")
    };
    desk.plan(
        "{ kind = \"person-absent\", person = \"anna\" }",
        "standby",
        &people("substitute = \"bela\"\n"),
    );
    let report = desk.drill(0).json();
    assert_eq!(report["participants"][0]["absent"], true);
    desk.plan("{ kind = \"person-absent\", person = \"anna\" }", "standby", &people(""));
    let report = desk.drill(4).json();
    let check = check(&report, "somebody stands in for the recovery lead");
    assert_eq!(
        (&check["light"], check["seen"].as_str()),
        (&json!("red"), Some("nobody whom the plan names can be reached"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_region_that_is_gone_no_replica_answers() {
    let (source, place, server) = (small(), Workplace::new(), S3Server::start().await);
    let bucket = format!(
        "\n[[replicas]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/prismic\"\nregion = \"eu-central-1\"\n\
         endpoint = \"http://{}\"\nforce_path_style = true\n",
        server.address
    );
    place.write("prismvault.toml", &(configuration(&source, &[("local", &place.file("local"))]) + &bucket));
    std::fs::create_dir_all(place.file("drills")).unwrap();
    let ends = |code: i32, arguments: &[&str]| {
        let run = run(&place, &server, arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        run
    };
    ends(0, &["init"]);
    ends(0, &["snapshot"]);
    let plan = |region: &str| {
        let check =
            "[[check]]\nname = \"all\"\nquery = '[at(document.type, \"page\")]'\nexpect = { at_least = 0 }\n";
        let head = "repositories = [\"acme-blog\"]\nsummary = \"Frankfurt is gone\"\ntarget = \"standby\"\n";
        let gone = format!("scenario = [{{ kind = \"region-gone\", region = \"{region}\" }}]\n");
        place.write("drills/region.toml", &format!("{head}{gone}{check}"));
    };
    plan("eu-central-1");
    let before = server.dir.path().join(BUCKET);
    let before = crate::restore::tree(&before);
    let report = ends(0, &["drill", "run", "drills/region.toml", "--json"]).json();
    assert_good(&report);
    assert_eq!(report["environment"]["replicas"][1], json!(["bucket", "no replica in eu-central-1 answers"]));
    assert!(report["phases"][0]["notes"].to_string().contains("bucket does not take part"), "{report:#}");
    // The record is on it all the same: the region is only gone for the drill.
    let after = crate::restore::tree(&server.dir.path().join(BUCKET));
    let new: Vec<&String> = after.keys().filter(|key| !before.contains_key(*key)).collect();
    assert!(new.iter().any(|key| key.ends_with("drill.json")), "{new:?}");
    // One that no replica has is a mistake of the plan.
    plan("eu-central-2");
    let run = ends(2, &["drill", "run", "drills/region.toml"]);
    assert!(run.stderr.contains("no replica has the region"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_of_two_plans_run_beside_each_other() {
    let desk = Desk::new();
    desk.plan("", "sandbox", CHECK);
    let other = desk.place.read("drills/weekly.toml").replace("\"sandbox\"", "\"standby\"");
    desk.place.write("drills/other.toml", &other);
    let line = |plan: &'static str| ["drill", "run", plan, "--json"];
    let start = |plan| {
        let mut command = desk.place.command(&line(plan));
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let both = [start("drills/weekly.toml"), start("drills/other.toml")];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        assert_good(&serde_json::from_slice(&output.stdout).unwrap());
    }
    assert!(desk.traces().is_empty());
    assert_eq!(desk.keys("two", "drills/").iter().filter(|key| key.ends_with("drill.json")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_disaster_says_who_is_to_be_told_until_when() {
    let desk = Desk::new();
    desk.plan("", "standby", &format!("{CHECK}\n[contacts]\nacme-blog = [\"dr@example.org\"]\n"));
    let line = ["drill", "run", "drills/weekly.toml", "--json", "--real"];
    let times = ["--struck", "2026-01-10T08:00:00Z", "--aware", "2026-01-10T10:00:00Z"];
    // Nothing in the vault is as old as that disaster, and the deadlines run all the same.
    let report = desk.place.expect(4, &[&line[..], &times].concat()).json();
    assert_eq!(
        (&report["real"], report["incident"]["struck"].as_str()),
        (&json!(true), Some("2026-01-10T08:00:00Z"))
    );
    let due = |report: &serde_json::Value| -> Vec<(String, Option<String>)> {
        let all = report["incident"]["communications"].as_array().unwrap().clone();
        let text = |own: &serde_json::Value| own.as_str().map(str::to_owned);
        all.iter().map(|own| (text(&own["id"]).unwrap(), text(&own["due"]))).collect()
    };
    let told = due(&report);
    assert!(told.contains(&("authority".to_owned(), Some("2026-01-13T10:00:00Z".to_owned()))), "{told:?}");
    assert_eq!(told[0].0, "contacts-acme-blog");
    let report = desk.place.expect(0, &[&line[..], &["--personal-data", "no"]].concat()).json();
    assert_eq!(due(&report).len(), 1, "no personal data, no authority");
    assert_eq!(report["result"], "passed-with-findings", "what the first one found is open");
    for wrong in [["--struck", "tomorrow"], ["--aware", "2099-01-01T00:00:00Z"]] {
        desk.place.expect(2, &[&line[..], &wrong].concat());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_rehearses_by_itself_and_status_knows() {
    let desk = Desk::new();
    desk.plan("", "standby", CHECK);
    std::fs::create_dir_all(desk.place.file("schedules")).unwrap();
    let job = "job = \"drill\"\nplan = \"drills/weekly.toml\"\nrepositories = [\"acme-blog\"]\ncron = \"30 5 * * wed\"\n";
    desk.place.write("schedules/weekly-drill.toml", job);
    desk.place.expect(0, &["jobs", "check"]);
    desk.place.expect(0, &["jobs", "run", "weekly-drill"]);
    assert_eq!(desk.keys("one", "drills/").iter().filter(|key| key.ends_with("drill.json")).count(), 1);
    let status = desk.place.run(&["status", "--json"]).json();
    let confidence = &status["repositories"][0]["confidence"];
    let rehearsed =
        confidence["factors"].as_array().unwrap().iter().find(|own| own["name"] == "rehearsed").unwrap();
    assert_eq!(rehearsed["value"], 1.0, "{confidence:#}");
    // One that fails ends the job as it ends.
    desk.plan("{ kind = \"packs-damaged\", share = \"100%\" }", "standby", CHECK);
    desk.place.expect(4, &["jobs", "run", "weekly-drill"]);
    let status = desk.place.run(&["status", "--json"]).json();
    let keys = status["alarms"].to_string();
    assert!(keys.contains("drill-failed:acme-blog"), "{keys}");
}
