//! Runs of jobs: messages, pings and hooks around them.

use chrono::TimeDelta;
use prismvault::notify::{RunEnd, RunFacts};

use super::receivers::{Answer, WebReceiver};
use super::{Site, name};

/// A site with a webhook `chat` and a ping `hc`.
async fn site(chat: &WebReceiver, ping: &WebReceiver) -> Site {
    let mut site = Site::new("");
    let chat = site.secret("chat", &chat.url("/"));
    let ping = site.secret("ping", &ping.url("/uuid-of-hunter2/"));
    site.add(&format!(
        "[notifications.chat]\nkind = \"webhook\"\nurl = {chat}\n[notifications.hc]\nkind = \"ping\"\nurl = {ping}"
    ));
    site
}

fn paths(receiver: &WebReceiver) -> Vec<String> {
    receiver.take().into_iter().map(|request| request.path).collect()
}

/// What was said: how, and about what.
fn said(receiver: &WebReceiver) -> Vec<(String, String)> {
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    receiver
        .take()
        .iter()
        .map(|request| request.json()["notices"][0].clone())
        .map(|notice| (word(&notice["change"]), word(&notice["what"])))
        .collect()
}

#[tokio::test]
async fn a_ping_goes_with_each_run_and_calls_nothing_incomplete_a_success() {
    let (chat, ping) = (WebReceiver::good().await, WebReceiver::good().await);
    let site = site(&chat, &ping).await;
    let job = site.job("ping = [\"hc\"]");
    let (notifier, facts) = (site.notifier(), site.facts(&job));
    for (code, path) in [
        (0, "/uuid-of-hunter2/"),
        (0, "/uuid-of-hunter2/"),
        (3, "/uuid-of-hunter2/fail"),
        (1, "/uuid-of-hunter2/fail"),
        (130, "/uuid-of-hunter2/fail"),
    ] {
        notifier.before(&facts).await.unwrap();
        assert_eq!(paths(&ping), ["/uuid-of-hunter2/start"]);
        assert_eq!(notifier.ended(None, &facts, &RunEnd::Ended(code)).await, []);
        assert_eq!(paths(&ping), [path], "{code}");
    }
    // Of attempts that are followed by another one only the last counts.
    let first = RunFacts { is_last: false, ..facts };
    notifier.ended(None, &first, &RunEnd::Ended(1)).await;
    assert_eq!(paths(&ping), [""; 0]);
    assert!(chat.take().is_empty());
}

#[tokio::test]
async fn a_ping_that_fails_is_a_problem_and_stops_nothing() {
    let chat = WebReceiver::good().await;
    let ping = WebReceiver::answering(|_| Answer::Status(404, String::new())).await;
    let site = site(&chat, &ping).await;
    let job = site.job("ping = [\"hc\"]");
    let problems = site.notifier().before(&site.facts(&job)).await.unwrap();
    assert_eq!(
        (problems[0].code.as_str(), problems[0].subject.as_str()),
        ("notification-not-sent", "notification hc")
    );
    assert!(!problems[0].detail.contains("hunter2"), "{problems:?}");
}

#[tokio::test]
async fn a_job_that_fails_is_told_once_reminded_of_and_told_to_work_again() {
    let (chat, ping) = (WebReceiver::good().await, WebReceiver::good().await);
    let site = site(&chat, &ping).await;
    let job = site.job("on_failure = [\"chat\"]");
    let notifier = site.notifier();
    let failed = "job nightly (snapshot of *) failed, exit code 1".to_owned();
    let partly = "job nightly (snapshot of *) is incomplete: the source or a replica did not give everything, exit code 3".to_owned();
    for (hours, code, expected) in [
        (0, 0, vec![]),
        (1, 3, vec![("began".to_owned(), partly)]),
        (2, 3, vec![]),
        (3, 1, vec![("worse".to_owned(), failed.clone())]),
        (4, 1, vec![]),
        (28, 1, vec![("reminder".to_owned(), failed.clone())]),
        (29, 0, vec![("ended".to_owned(), failed)]),
        (30, 0, vec![]),
    ] {
        site.clock
            .advance(super::now() + TimeDelta::hours(hours) - prismvault::clock::Clock::now(&*site.clock));
        assert_eq!(notifier.ended(None, &site.facts(&job), &RunEnd::Ended(code)).await, []);
        assert_eq!(said(&chat), expected, "{hours}");
    }
}

#[tokio::test]
async fn on_success_hears_only_that_it_works_again() {
    let (chat, ping) = (WebReceiver::good().await, WebReceiver::good().await);
    let site = site(&chat, &ping).await;
    let job = site.job("on_success = [\"chat\"]");
    let notifier = site.notifier();
    for (code, expected) in [(1, 0), (1, 0), (0, 1), (0, 0)] {
        notifier.ended(None, &site.facts(&job), &RunEnd::Ended(code)).await;
        assert_eq!(said(&chat).len(), expected, "{code}");
    }
}

#[tokio::test]
async fn a_default_receiver_is_told_of_every_job() {
    let chat = WebReceiver::good().await;
    let mut site = Site::new("");
    let url = site.secret("chat", &chat.url("/"));
    site.add(&format!("[notifications.chat]\nkind = \"webhook\"\ndefault = true\nurl = {url}"));
    let job = site.job("");
    site.notifier().ended(None, &site.facts(&job), &RunEnd::Ended(4)).await;
    let [(change, what)] = said(&chat).try_into().unwrap();
    assert_eq!(change, "began");
    assert!(what.contains("found damage"), "{what}");
}

#[cfg(unix)]
mod hooks {
    use super::*;

    /// A site whose hook `h` appends to `log` what it is told.
    fn hooked(more: &str) -> Site {
        Site::new(&format!("[notifications.h]\nkind = \"command\"\n{more}"))
    }

    fn line(event: &str, code: i32) -> String {
        let script = format!(
            "echo \"{event} $PRISMVAULT_EVENT $PRISMVAULT_JOB $PRISMVAULT_DOES $PRISMVAULT_EXIT_CODE\" >> log; exit {code}"
        );
        format!("{event} = [\"sh\", \"-c\", '{script}']\n")
    }

    fn log(site: &Site) -> Vec<String> {
        let text = std::fs::read_to_string(site.path("log")).unwrap_or_default();
        std::fs::remove_file(site.path("log")).ok();
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn hooks_run_before_after_or_failed_and_finally() {
        let all = ["before", "after", "failed", "finally"].map(|event| line(event, 0)).concat();
        let site = hooked(&all);
        let job = site.job("hooks = [\"h\"]");
        let (notifier, facts) = (site.notifier(), site.facts(&job));
        assert_eq!(notifier.before(&facts).await, Ok(Vec::new()));
        assert_eq!(log(&site), ["before before nightly snapshot "]);
        notifier.ended(None, &facts, &RunEnd::Ended(0)).await;
        assert_eq!(log(&site), ["after after nightly snapshot 0", "finally finally nightly snapshot 0"]);
        notifier.ended(None, &RunFacts { is_last: false, ..facts }, &RunEnd::Ended(1)).await;
        assert_eq!(log(&site), ["failed failed nightly snapshot 1", "finally finally nightly snapshot 1"]);
    }

    #[tokio::test]
    async fn a_before_that_fails_stops_the_run_or_is_warned_of() {
        for (policy, stops) in
            [("on_error = \"abort\"\n", true), ("on_error = \"warn\"\n", false), ("", false)]
        {
            let site = hooked(&[line("before", 3), line("finally", 0), policy.to_owned()].concat());
            let job = site.job("hooks = [\"h\"]");
            let (notifier, facts) = (site.notifier(), site.facts(&job));
            match notifier.before(&facts).await {
                Err(stopped) => {
                    assert!(stops, "{policy}");
                    assert_eq!(stopped.hook, name("h"));
                    let end = RunEnd::Stopped(stopped);
                    assert!(!end.is_well());
                    assert!(end.alarm(&facts).unwrap().what.contains("was not begun"));
                    notifier.ended(None, &facts, &end).await;
                    assert!(log(&site).contains(&"finally finally nightly snapshot 5".to_owned()));
                }
                Ok(problems) => {
                    assert!(!stops, "{policy}");
                    assert_eq!(problems[0].code, "hook-failed");
                    assert!(problems[0].detail.contains("exit status: 3"), "{problems:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_hook_gets_no_variable_of_ours() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "one that would be inherited");
        let site = hooked("before = [\"sh\", \"-c\", 'env | cut -d= -f1 | sort > log']");
        let job = site.job("hooks = [\"h\"]");
        site.notifier().before(&site.facts(&job)).await.unwrap();
        let names = log(&site);
        let known = |name: &String| {
            // The last ones are the shell's own.
            name.starts_with("PRISMVAULT_")
                || [
                    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP",
                    "PWD", "OLDPWD", "SHLVL", "_",
                ]
                .contains(&name.as_str())
        };
        assert!(names.iter().all(known), "{names:?}");
        assert!(
            names.contains(&"PRISMVAULT_RUN".to_owned()) && names.contains(&"PATH".to_owned()),
            "{names:?}"
        );
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_killed() {
        let site = hooked("before = [\"sleep\", \"600\"]\ntimeout = \"100ms\"\non_error = \"abort\"");
        let job = site.job("hooks = [\"h\"]");
        assert!(site.notifier().before(&site.facts(&job)).await.is_err());
    }

    #[tokio::test]
    async fn no_shell_reads_the_arguments_and_programs_are_found_beside_the_configuration() {
        use std::os::unix::fs::PermissionsExt as _;
        let site = hooked("before = [\"./hook\", \"$(touch pwned); `id`\", \"*\"]");
        crate::notifications::write_file(&site.path("hook"), "#!/bin/sh\nprintf '%s|' \"$@\" > log\n");
        std::fs::set_permissions(site.path("hook"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let job = site.job("hooks = [\"h\"]");
        assert_eq!(site.notifier().before(&site.facts(&job)).await, Ok(Vec::new()));
        assert_eq!(log(&site), ["$(touch pwned); `id`|*|"]);
        assert!(!site.path("pwned").exists());
        assert!(site.test().await[0].result.is_ok());
        assert!(!site.path("log").exists(), "a test does not run it");
        std::fs::remove_file(site.path("hook")).unwrap();
        assert!(site.test().await[0].result.is_err());
        assert_eq!(site.notifier().before(&site.facts(&job)).await.unwrap()[0].code, "hook-failed");
    }
}
