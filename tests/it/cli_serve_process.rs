//! `prismvault serve` as a process of the system: its memory, the priorities of its threads.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Instant;

use crate::backups::small;
use crate::cli_run::PATIENCE;
use crate::cli_serve::{Site, place_of};

/// Name and niceness of each thread of a process, from proc(5).
fn threads(process: u32) -> Vec<(String, i32)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    // One that has ended meanwhile is none.
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats
        .map(|stat| {
            let (before, after) = stat.rsplit_once(") ").unwrap();
            let name = before.split_once('(').unwrap().1.to_owned();
            (name, after.split(' ').nth(16).unwrap().parse().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_answer_go_before_those_that_make_the_next_snapshot_ready() {
    let source = small();
    let place = place_of(&source);
    let site = Site::open(&place, &["--follow", "acme-blog", "--look-every", "10ms"]);
    let id = site.live.id();
    let first = site.snapshot();
    source.repository.edit(0.5, 60).unwrap();
    place.expect(0, &["snapshot"]);
    let begun = Instant::now();
    while site.served().await == first {
        assert!(begun.elapsed() < PATIENCE, "it does not move on");
    }
    let nices = |of: &str| -> Vec<i32> {
        threads(id).into_iter().filter(|(name, _)| name == of).map(|(_, nice)| nice).collect()
    };
    // The tests may run with a priority of their own.
    let own = nices("prismvault")[0];
    let (answering, preparing) = (nices("answers"), nices("prepares"));
    assert!(!answering.is_empty() && answering.iter().all(|nice| *nice == own), "{:?}", threads(id));
    assert!(!preparing.is_empty() && preparing.iter().all(|nice| *nice > own), "{:?}", threads(id));
    site.end();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test(flavor = "multi_thread")]
async fn memory_goes_back_to_the_system_unless_somebody_set_that_otherwise() {
    let source = small();
    let place = place_of(&source);
    let tunables = |id: u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap();
        let mut set =
            environment.split(|byte| *byte == 0).filter_map(|one| one.strip_prefix(b"GLIBC_TUNABLES="));
        set.next().map(|value| String::from_utf8(value.to_vec()).unwrap())
    };
    let site = Site::open(&place, &["latest"]);
    let set = tunables(site.live.id()).unwrap();
    // glibc ends the variable behind the first of its tunables when it has read them.
    assert!(set.starts_with("glibc.malloc.mmap_threshold="), "{set}");
    // The same process, by the same name.
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", site.live.id())).unwrap(), "prismvault\n");
    site.end();
    let mut command = place.command(&["serve", "latest", "--listen", "127.0.0.1:0", "--json"]);
    command.env("GLIBC_TUNABLES", "glibc.malloc.arena_max=3");
    let site = Site::of(command);
    assert_eq!(tunables(site.live.id()).as_deref(), Some("glibc.malloc.arena_max=3"));
    site.end();
}
