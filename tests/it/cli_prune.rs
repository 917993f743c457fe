//! `prune`, its job, and `show --storage` as operators meet them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock, Timestamp};
use prismvault::objects::local::LocalStore;
use serde_json::Value;

use crate::backups::copy_objects;
use crate::pruning::{BASE, FIRST, SECOND, a_day, prune, remove};
use crate::repack::kill_most;
use crate::restore::objects;
use crate::vaults::TestVault;
use crate::workplace::Workplace;

/// A vault on two directories, in which what a removed snapshot needed was marked a week ago.
pub(crate) async fn ripe() -> Workplace {
    let vault = TestVault::starting(SystemClock.now() - TimeDelta::days(10), 2, true).await;
    vault.snapshot("blog", BASE).await;
    let first = vault.snapshot("blog", FIRST).await;
    vault.snapshot("blog", SECOND).await;
    vault.backup.clock.advance(a_day());
    remove(&vault.backup, &[&first], None).await;
    prune(&vault.backup).await;
    on_directories(&vault).await
}

/// A vault on two stores in memory, moved to the directories `one` and `two` of a workplace.
async fn on_directories(vault: &TestVault) -> Workplace {
    let place = Workplace::new();
    let mut config = "[repositories.blog]\nrepository = \"acme-blog\"\n".to_owned();
    config.push_str(&vault.backup.write_keys(&place).await);
    for (name, store) in ["one", "two"].into_iter().zip(&vault.stores) {
        let directory = place.file(name);
        let copy = LocalStore::create(&directory).await.unwrap();
        copy_objects(store, &copy).await;
        make_old(&directory, vault.backup.clock.now());
        let url = url::Url::from_file_path(&directory).unwrap();
        config.push_str(&format!("[[replicas]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
    }
    place.write("prismvault.toml", &config);
    place
}

/// Files as if they had been written then.
fn make_old(directory: &Path, at: Timestamp) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            make_old(&path, at);
        } else {
            std::fs::File::open(&path).unwrap().set_modified(SystemTime::from(at)).unwrap();
        }
    }
}

fn both(place: &Workplace) -> [BTreeMap<String, Vec<u8>>; 2] {
    ["one", "two"].map(|name| objects(&place.file(name)))
}

fn packs(files: &BTreeMap<String, Vec<u8>>) -> usize {
    files.keys().filter(|key| key.starts_with("packs/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_the_plan_and_only_that_plan_runs_when_it_is_asked_for() {
    let place = ripe().await;
    let before = both(&place);
    let dry = place.expect(0, &["prune", "--dry-run"]);
    for told in ["would delete packs/blog/", "no snapshot", "removed by", "keep_daily", "requests", "plan "] {
        assert!(dry.stdout.contains(told), "{told}: {dry:?}");
    }
    let json = place.expect(0, &["prune", "--dry-run", "--json"]).json();
    let hash = json["plan_hash"].as_str().unwrap().to_owned();
    assert!(dry.stdout.contains(&hash), "the same plan: {dry:?}");
    let plans = json["plan"]["replicas"].as_array().unwrap();
    assert_eq!(plans.len(), 2);
    for plan in plans {
        let kinds: Vec<&str> =
            plan["delete"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
        let order = ["manifest", "signature", "index", "header", "header", "body", "body", "mark", "mark"];
        assert_eq!(kinds, order);
    }
    let other = place.expect(5, &["prune", "--yes", "--expect-plan", &"0".repeat(64)]);
    assert!(other.stderr.contains(&hash), "{other:?}");
    assert_eq!(both(&place), before);

    let done = place.expect(0, &["prune", "--yes", "--expect-plan", &hash]);
    assert!(done.stdout.contains("deleted 2 objects"), "{done:?}");
    for (files, before) in both(&place).iter().zip(&before) {
        assert_eq!((packs(files), packs(before)), (4, 6));
    }
    let again = place.expect(0, &["prune"]);
    assert!(!again.stdout.contains("deleted"), "{again:?}");
    let verified = place.expect(0, &["verify", "--level", "bytes"]);
    assert!(verified.stdout.contains('2'), "{verified:?}");
    let list = place.expect(0, &["list", "--json"]).json();
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 2);
    let identity = place.file("keys/recovery.txt");
    place.expect(0, &["verify", "--full", "--identity", identity.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_and_without_consent_nothing_is_deleted() {
    let place = ripe().await;
    let before = both(&place);
    let refused = place.expect(5, &["prune"]);
    assert!(refused.stdout.contains("--yes"), "{refused:?}");
    let json = place.expect(5, &["prune", "--json"]).json();
    assert_eq!(json["done"]["held_back"], true);
    assert_eq!(both(&place), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_away_is_named_and_nothing_is_deleted_anywhere() {
    let place = ripe().await;
    std::fs::rename(place.file("two"), place.file("elsewhere")).unwrap();
    let before = objects(&place.file("one"));
    let away = place.expect(3, &["prune", "--yes"]);
    assert!(away.stdout.contains("not pruned") && away.stdout.contains("two"), "{away:?}");
    let json = place.expect(3, &["prune", "--yes", "--json"]).json();
    assert_eq!(json["unreachable"][0][0], "two");
    assert_eq!(objects(&place.file("one")), before);
    place.expect(3, &["show", "--storage"]);
    std::fs::rename(place.file("elsewhere"), place.file("two")).unwrap();
    place.expect(0, &["prune", "--yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_maintenance_key_nothing_is_planned() {
    let place = ripe().await;
    std::fs::remove_file(place.file("keys/signing.key")).unwrap();
    let refused = place.expect(2, &["prune", "--dry-run"]);
    assert!(refused.stderr.contains("maintenance"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_prunes_without_asking_and_is_for_the_whole_vault() {
    let place = ripe().await;
    std::fs::create_dir(place.file("schedules")).unwrap();
    let job = |repositories: &str| {
        format!("job = \"prune\"\nrepositories = [{repositories}]\ncron = \"@weekly\"\n")
    };
    place.write("schedules/weekly.toml", &job("\"blog\""));
    let wrong = place.expect(2, &["jobs", "check"]);
    assert!(wrong.stdout.contains("pruning is for all"), "{wrong:?}");
    place.write("schedules/weekly.toml", &job("\"*\""));
    place.expect(0, &["jobs", "check"]);
    // Nobody knows yet whether a replica can give leases; the way out is the one that is named.
    let refused = place.expect(5, &["jobs", "run", "weekly"]);
    assert!(refused.stderr.contains("`prismvault doctor` finds out"), "{refused:?}");
    place.run(&["doctor"]);
    let done = place.expect(0, &["jobs", "run", "weekly"]);
    assert!(done.stdout.contains("deleted"), "{done:?}");
    assert_eq!(both(&place).each_ref().map(packs), [4, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_rewrites_packs_where_its_file_says_so_and_content_can_be_read() {
    let vault = TestVault::starting(SystemClock.now() - TimeDelta::days(10), 2, true).await;
    kill_most(&vault).await;
    let place = on_directories(&vault).await;
    std::fs::create_dir(place.file("schedules")).unwrap();
    let job = "job = \"prune\"\nrepositories = [\"*\"]\ncron = \"@weekly\"\n";
    place.write("schedules/plain.toml", job);
    place.write("schedules/thorough.toml", &format!("{job}repack = true\nrepack_below = 100\n"));
    let listed = place.expect(0, &["jobs", "list"]).stdout;
    assert!(listed.contains("prune (repack below 100 %)"), "{listed}");
    let jobs = place.expect(0, &["jobs", "list", "--json"]).json()["jobs"].clone();
    assert_eq!((&jobs[0]["repack_below"], &jobs[1]["repack_below"]), (&Value::Null, &100.into()));
    place.run(&["doctor"]);
    let refused = place.expect(2, &["jobs", "run", "thorough"]);
    assert!(refused.stderr.contains("needs the recovery identity"), "{refused:?}");
    let thorough = ["jobs", "run", "thorough", "--identity", "keys/recovery.txt", "--json"];
    let done = place.expect(0, &thorough).json();
    assert_eq!(done["plan"]["repack"]["below_percent"], 100, "{done}");
    assert!(done["done"]["repacked"]["packs"].as_u64() > Some(0), "{done}");
    assert_eq!(place.expect(0, &["jobs", "run", "plain", "--json"]).json()["plan"]["repack"], Value::Null);
    place.expect(0, &["verify", "--full", "--identity", "keys/recovery.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_is_shown_by_kind_and_by_snapshot() {
    let place = ripe().await;
    let shown = place.expect(0, &["show", "--storage"]);
    for told in ["documents", "catalog", "manifests", "marked", "in all", "alone", "to 1"] {
        assert!(shown.stdout.contains(told), "{told}: {shown:?}");
    }
    let json = place.expect(0, &["show", "--storage", "--json"]).json();
    assert_eq!(json["replicas"].as_array().unwrap().len(), 2);
    assert!(json["replicas"][0]["marked"]["bytes"].as_u64().unwrap() > 0);
    assert_eq!(json["snapshots"].as_array().unwrap().len(), 2);
    let one = place.expect(0, &["show", "--storage", "latest", "--json"]).json();
    assert_eq!(one["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(one["snapshots"][0], json["snapshots"][1]);
    place.expect(2, &["show"]);
    place.expect(2, &["show", "--storage", "nothing"]);
}
