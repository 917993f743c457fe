//! Lost answers, kills, and hosts that go on: nothing twice, nothing missing.

use std::collections::BTreeMap;

use prismvault::contentapi::ASSET_HOST;
use prismvault::sandbox::{
    Asset, AssetContent, Content, Endpoint, ErrorRate, Faults, Library, RateLimit, RepositoryOptions,
    RetryAfter, WriteBounds,
};

use super::{Rehearsal, bare, content, options};

/// Runs it until it is done.
async fn until_done(rehearsal: &Rehearsal) -> prismvault::restore::repository::Report {
    for _ in 0..40 {
        match rehearsal.run().await {
            Ok(report) if report.read_back.is_some() => return report,
            Ok(_) | Err(_) => {}
        }
    }
    panic!("it never ends: {:?}", rehearsal.run().await);
}

#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    for seed in 1..4 {
        let rehearsal = Rehearsal::of(content(50, 10, seed)).await;
        rehearsal.control().set_faults(Faults {
            seed,
            lost_answers: 0.15,
            lost_requests: 0.1,
            late_errors: Some(ErrorRate { status: 504, share: 0.05 }),
            ..Faults::default()
        });
        let report = until_done(&rehearsal).await;
        rehearsal.assert_restored(&report);
        assert_eq!(report.possible_orphans, [] as [String; 0]);
    }
}

#[tokio::test]
async fn refusals_above_the_rate_are_waited_for() {
    let rehearsal = Rehearsal::of(content(30, 5, 4)).await;
    rehearsal.control().set_faults(Faults {
        rate_limit: Some(RateLimit { per_second: 40, retry_after: RetryAfter::Seconds(1) }),
        ..Faults::default()
    });
    let report = until_done(&rehearsal).await;
    rehearsal.assert_restored(&report);
}

#[tokio::test]
async fn a_restore_that_is_killed_at_any_write_goes_on() {
    for (endpoint, numbers) in [
        (Endpoint::Slices, 1..3),
        (Endpoint::CustomTypes, 2..4),
        (Endpoint::Assets, 3..14),
        (Endpoint::Documents, 1..40),
        (Endpoint::Publish, 1..2),
    ] {
        for n in numbers.step_by(4) {
            let rehearsal = Rehearsal::of(content(24, 6, 5)).await;
            let killed = rehearsal.killed_at(endpoint, n).await;
            let report = match killed {
                Some(outcome) => outcome.unwrap(),
                None => until_done(&rehearsal).await,
            };
            rehearsal.assert_restored(&report);
        }
    }
}

#[tokio::test]
async fn another_host_goes_on_from_the_copy_in_the_vault() {
    let mut rehearsal = Rehearsal::of(content(24, 6, 6)).await;
    rehearsal.control().set_faults(Faults {
        lost_answers_to: (10..13).map(|n| (Endpoint::Documents, n)).collect(),
        ..Faults::default()
    });
    let stopped = rehearsal.run().await;
    assert!(stopped.is_err(), "three answers in a row that never come end a run: {stopped:?}");
    rehearsal.host = tempfile::tempdir().unwrap();
    let report = until_done(&rehearsal).await;
    rehearsal.assert_restored(&report);
}

/// All at once: small releases, lost requests and answers, failures after the fact, refusals above a
/// rate, a publish that takes its time, and a kill every few writes, each time on another host.
#[tokio::test]
async fn whatever_happens_at_once_nothing_is_there_twice_and_nothing_is_missing() {
    for seed in 61..64 {
        let content = content(40, 8, seed);
        let target = bare(&content);
        let writing = WriteBounds { release_documents_max: 15, ..WriteBounds::default() };
        let options = RepositoryOptions { writing, ..options() };
        let mut rehearsal = Rehearsal::into(content, target, options).await;
        rehearsal.choice.release_documents = 15;
        rehearsal.control().set_faults(Faults {
            seed,
            lost_answers: 0.04,
            lost_requests: 0.04,
            late_errors: Some(ErrorRate { status: 502, share: 0.03 }),
            rate_limit: Some(RateLimit { per_second: 400, retry_after: RetryAfter::Absent }),
            publish_takes: std::time::Duration::from_millis(30),
            ..Faults::default()
        });
        let mut report = None;
        for kill in [4, 11, 7, 16] {
            rehearsal.control().reset_counters();
            if let Some(Ok(done)) = rehearsal.killed_at(Endpoint::Documents, kill + seed % 3).await
                && done.read_back.is_some()
            {
                report = Some(done);
                break;
            }
            if kill % 2 == 0 {
                rehearsal.host = tempfile::tempdir().unwrap();
            }
        }
        let report = match report {
            Some(report) => report,
            None => until_done(&rehearsal).await,
        };
        rehearsal.assert_restored(&report);
        assert_eq!(report.possible_orphans, [] as [String; 0]);
    }
}

/// Two files of one name, size and description that are not the same.
fn with_doubles(mut content: Content) -> Content {
    for (at, byte) in [(1, b'a'), (2, b'b')] {
        let mut item = content.library.assets()[at].item();
        item["filename"] = "same.png".into();
        item["size"] = 500.into();
        for text in ["alt", "notes", "credits"] {
            item[text] = serde_json::Value::Null;
        }
        let bytes = AssetContent::Bytes(vec![byte; 500].into());
        content.library.put(Asset::parse(&item.to_string(), &[ASSET_HOST], bytes).unwrap());
    }
    content
}

#[tokio::test]
async fn files_that_look_the_same_are_never_taken_for_each_other() {
    let mut rehearsal = Rehearsal::of(with_doubles(content(12, 6, 9))).await;
    // All but the last are uploaded, and the copy in the vault knows of none: another host asks for them.
    let uploads = 6;
    assert!(rehearsal.killed_at(Endpoint::Assets, uploads).await.is_none());
    rehearsal.host = tempfile::tempdir().unwrap();
    let report = until_done(&rehearsal).await;
    let new: BTreeMap<&str, &str> = report.ids.assets().collect();
    let (ours, theirs) = (rehearsal.source.repository.library(), rehearsal.target.repository.library());
    let bytes = |library: &Library, id: &str| match &library.find(id).unwrap().content {
        AssetContent::Bytes(bytes) => bytes.clone(),
        _ => panic!("{id} has no bytes"),
    };
    let doubles: Vec<&Asset> =
        ours.assets().iter().filter(|asset| asset.filename == "same.png").map(|asset| &**asset).collect();
    assert_eq!(doubles.len(), 2);
    for asset in doubles {
        assert_eq!(bytes(&theirs, new[&*asset.id]), bytes(&ours, &asset.id), "{}", asset.id);
    }
    let told = report.problems.iter().filter(|problem| problem.code == "asset-maybe-twice").count();
    let more = theirs.assets().len() - ours.assets().len();
    assert!((1..=told).contains(&more), "{more} too many, {told} told: {:?}", report.problems);
}
