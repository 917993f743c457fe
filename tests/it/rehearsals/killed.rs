//! A drill that is killed leaves nothing for long, and is told by the next one.

use std::process::{Child, Stdio};

use prismvault::drill::timeline::Phase;

use super::{CHECK, Desk, phase};
use crate::cli_faults::interrupt;

const LINE: [&str; 4] = ["drill", "run", "drills/weekly.toml", "--json"];

/// Runs the plan until a program that one of its checks starts waits; returns the drill, and that program's number.
fn waiting_in_function(desk: &Desk) -> (Child, u32) {
    let marker = desk.place.file("begun");
    let script = format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600", marker.display());
    let check = format!(
        "{CHECK}\n[[check]]\nname = \"waits\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\ntimeout = \"10m\"\n"
    );
    desk.plan("", "standby", &check);
    let mut child = desk.place.command(&LINE).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while !marker.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    (child, desk.place.read("begun").trim().parse().unwrap())
}

/// Whether a process runs; a zombie is nobody's program any more.
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_drill_left_is_cleared_away_and_kept_in_the_record() {
    let desk = Desk::new();
    let (mut child, program) = waiting_in_function(&desk);
    // A second one of the same plan does not begin.
    let run = desk.place.expect(5, &LINE);
    assert!(run.stdout.contains("is under way"), "{}", run.stdout);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_alive(program), "the program that it had started goes on");
    assert_eq!(desk.traces().len(), 2, "its directory, and the file that says so");
    desk.plan("", "standby", CHECK);
    let report = desk.drill(0).json();
    assert!(report["abandoned"][0].as_str().unwrap().contains("in the phase function"), "{report:#}");
    assert!(report["deviations"].to_string().contains("an earlier drill was killed"));
    assert_eq!(report["earlier"][0]["result"], "abandoned");
    assert!(desk.traces().is_empty());
    assert!(!is_alive(program));
    let shown = desk.place.expect(0, &["drill", "list", "--json"]).json();
    let listed = shown["drills"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "failed and killed drills are kept like others: {listed:#?}");
    // What it was to show had been fixed, whatever became of it.
    let records = desk.keys("one", "drills/").into_iter().filter(|key| key.ends_with("drill.json"));
    for key in records {
        let record: serde_json::Value =
            serde_json::from_str(&desk.place.read(&format!("one/{key}"))).unwrap();
        assert_ne!(record["criteria"], "0".repeat(64), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_somebody_ends_cleans_up_and_is_kept_without_findings() {
    let desk = Desk::new();
    let (mut child, program) = waiting_in_function(&desk);
    interrupt(&mut child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (&report["result"], phase(&report, "function")),
        (&"abandoned".into(), "broken"),
        "{report:#}"
    );
    assert_eq!(report["findings"], serde_json::json!([]), "nothing is wrong with what was rehearsed");
    assert_eq!(phase(&report, "clean-up"), "good");
    assert!(!is_alive(program) && desk.traces().is_empty(), "{:?}", desk.traces());
    // It is none that was killed, and what it could not show is no reason for another to fail.
    desk.plan("", "standby", CHECK);
    let next = desk.drill(0).json();
    assert_eq!(
        (&next["abandoned"], &next["earlier"][0]["result"]),
        (&serde_json::json!([]), &"abandoned".into())
    );
}

/// The phase that the drill of this desk is in, as it says itself.
fn phase_of(desk: &Desk) -> Option<String> {
    let trace = desk.traces().into_iter().find(|path| path.extension().is_some_and(|own| own == "json"))?;
    // It may be written just now.
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(trace).ok()?).ok()?;
    trace["phase"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_is_killed_in_any_phase_leaves_nothing_after_the_next_command() {
    let desk = Desk::new();
    let mut killed = 0;
    for phase in Phase::ALL {
        desk.plan("", "sandbox", CHECK);
        let mut child =
            desk.place.command(&LINE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A short phase may be over before anybody looks; then it is killed in one of the next.
        let is_before = |own: String| !Phase::ALL.iter().any(|other| *other >= phase && other.name() == own);
        while child.try_wait().unwrap().is_none() && phase_of(&desk).is_none_or(is_before) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = desk.traces().len();
        let report = desk.drill(0).json();
        assert!(desk.traces().is_empty(), "{}: {:?}", phase.name(), desk.traces());
        // Whoever was killed behind the last step had cleaned up itself.
        assert_eq!(report["abandoned"].as_array().unwrap().len(), usize::from(left > 0), "{}", phase.name());
        killed += usize::from(left > 0);
    }
    // The restore takes a while, so whoever is to be killed in it or before it is.
    assert!(killed >= 6, "{killed} of {} were killed", Phase::ALL.len());
    // The vault is whole, and so is every record.
    desk.place.expect(0, &["verify", "--full"]);
}
