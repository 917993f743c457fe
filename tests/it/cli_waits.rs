//! What people see while the program waits, and that it ends when its terminal goes.
#![cfg(unix)]

use std::process::{Child, Command};
use std::time::Duration;

use prismvault::sandbox::{Faults, RateLimit, RetryAfter};

use crate::backups::{Source, first_try, small, struck_at, words};
use crate::workplace::{Run, Workplace};

fn set(source: &Source, faults: Faults) {
    source.control().set_faults(faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_is_in_the_log_with_its_reason() {
    let (source, place) = (small(), Workplace::new());
    let line = first_try(&source);
    // Every request of a second but one is refused for so long.
    let rate_limit = Some(RateLimit { per_second: 1, retry_after: RetryAfter::Seconds(6) });
    set(&source, Faults { rate_limit, ..Faults::default() });
    let mut child = place.command(&words(&line));
    let child =
        child.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let (child, first) = first_line_with(child, "WARN");
    assert!(first.contains("waiting 6 s: "), "{first}");
    assert!(first.contains(" answered 429 (attempt 2 of "), "{first}");
    end(child);
}

/// Reads standard error of a program up to a line that holds `mark`.
fn first_line_with(mut child: Child, mark: &str) -> (Child, String) {
    use std::io::{BufRead as _, BufReader};
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains(mark));
    (child, line.unwrap_or_else(|| panic!("no line with {mark}")))
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn hang_up(child: &mut Child) {
    let sent = Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status();
    assert!(sent.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_goes_away_ends_a_run_cleanly_and_the_next_is_complete() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    source.repository.edit(0.2, 7).unwrap();
    let ended = Run::from(struck_at(&place, &["snapshot"], &source, 1, hang_up));
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.stderr.contains("stopping cleanly"), "{ended:?}");
    assert_eq!(place.expect(0, &["snapshot", "--json"]).json()["manifest"]["status"], "complete");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_to_outlive_its_terminal_does() {
    let (source, place) = (small(), Workplace::new());
    place.expect(0, &words(&first_try(&source)));
    set(&source, Faults { latency: Duration::from_millis(200), ..Faults::default() });
    // What `nohup` does.
    let script = format!("trap '' HUP; exec '{}' snapshot", env!("CARGO_BIN_EXE_prismvault"));
    let template = place.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().current_dir(place.path());
    shell.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let before = source.control().request_count();
    let mut child = shell.stdout(std::process::Stdio::null()).spawn().unwrap();
    // It runs, and has said what it listens to, once it asks for something.
    while source.control().request_count() == before {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it asked for anything");
        tokio::task::yield_now().await;
    }
    hang_up(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
