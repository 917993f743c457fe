//! A drill that is killed leaves nothing for long, and is told by the next one.

use std::process::Stdio;

use prismvault::drill::timeline::Phase;

use super::{CHECK, Desk};

/// Runs the plan until a file appears that one of its checks makes, and does `strike` to it then.
fn killed_in_function(desk: &Desk) -> u32 {
    let marker = desk.place.file("begun");
    let script = format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600", marker.display());
    let check = format!(
        "{CHECK}\n[[check]]\nname = \"waits\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\ntimeout = \"10m\"\n"
    );
    desk.plan("", "standby", &check);
    let line = ["drill", "run", "drills/weekly.toml"];
    let mut child = desk.place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !marker.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    // A second one of the same plan does not begin.
    let run = desk.place.expect(5, &line);
    assert!(run.stderr.contains("is under way"), "{}", run.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    desk.place.read("begun").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_drill_left_is_cleared_away_and_kept_in_the_record() {
    let desk = Desk::new();
    let program = killed_in_function(&desk);
    let alive = |pid: u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert!(alive(program), "the program that it had started goes on");
    assert_eq!(desk.traces().len(), 2, "its directory, and the file that says so");
    desk.plan("", "standby", CHECK);
    let report = desk.drill(0).json();
    assert!(report["abandoned"][0].as_str().unwrap().contains("in the phase function"), "{report:#}");
    assert!(report["deviations"].to_string().contains("an earlier drill was killed"));
    assert_eq!(report["earlier"][0]["result"], "abandoned");
    assert!(desk.traces().is_empty());
    // A zombie is nobody's program any more.
    let stat = std::fs::read_to_string(format!("/proc/{program}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    let records = desk.keys("one", "drills/").into_iter().filter(|key| key.ends_with("drill.json"));
    assert_eq!(records.count(), 2, "failed and killed drills are kept like others");
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
    let line = ["drill", "run", "drills/weekly.toml"];
    let mut killed = 0;
    for phase in Phase::ALL {
        desk.plan("", "sandbox", CHECK);
        let mut child =
            desk.place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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
