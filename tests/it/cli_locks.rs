//! The program on a bucket with versions and Object Lock: what an intruder with the credentials of
//! the backup host can hide, and how what was pruned goes for good.

use chrono::TimeDelta;
use prismvault::clock::{Clock as _, SystemClock};
use prismvault::objects::{Abilities, Body, LockMode, LockRule, ObjectStore as _, PutMode};

use crate::backups::{configuration, copy_objects, small};
use crate::pruning::{BASE, FIRST, SECOND, a_day, prune, remove};
use crate::restore::tree;
use crate::s3_server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use crate::s3_strict::{Flaws, StrictServer};
use crate::vaults::TestVault;
use crate::workplace::{Run, Workplace};

const ALL: Abilities = Abilities { create_only: true, stored_checksums: true, versions: true, locks: true };

fn ends(place: &Workplace, code: i32, arguments: &[&str]) -> Run {
    let mut command = place.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, code, "{arguments:?}: {run:?}");
    run
}

fn bucket(server: &StrictServer, days: i64) -> String {
    format!(
        "\n[[replicas]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}\"\nregion = \"eu-central-1\"\n\
         endpoint = \"http://{}\"\nforce_path_style = true\nobject_lock = {{ mode = \"governance\", days = {days} }}\n",
        server.address
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intruder_who_deletes_and_overwrites_everything_hides_it_and_loses_nothing() {
    let (source, place) = (small(), Workplace::new());
    let server = StrictServer::start(ALL, 7, Flaws::default()).await;
    let config = configuration(&source, &[]) + &bucket(&server, 14);
    place.write("prismvault.toml", &config);
    ends(&place, 0, &["init"]);
    ends(&place, 0, &["snapshot"]);
    ends(&place, 0, &["restore", "files", "latest", "--to", "before"]);
    let good = ends(&place, 0, &["verify"]);
    assert!(good.stdout.contains("locks on bucket") && good.stdout.contains(" days left"), "{good:?}");

    let objects = server.memory.list("").await.unwrap();
    for (n, object) in objects.iter().enumerate() {
        if n % 2 == 0 {
            let garbage = Body::bytes(vec![b'x'; object.size as usize]);
            server.memory.put(&object.key, garbage, PutMode::Overwrite).await.unwrap();
        }
        if n % 3 != 0 || n % 2 != 0 {
            server.memory.delete(&object.key).await.unwrap();
        }
    }
    // Nothing that this client kept helps it.
    std::fs::remove_dir_all(place.home().join(".cache")).unwrap();
    let listed = ends(&place, 0, &["list", "--json"]).json();
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 1, "{listed}");
    ends(&place, 0, &["restore", "files", "latest", "--to", "after"]);
    assert_eq!(tree(&place.file("after")), tree(&place.file("before")));
    let told = ends(&place, 3, &["verify", "--level", "bytes"]);
    for words in ["hidden on bucket", "delete marker", "since 20", "prismvault repair"] {
        assert!(told.stdout.contains(words), "{words}: {told:?}");
    }
    let count = |run: &Run| run.json()["damage"].as_array().unwrap().len();
    let hidden = count(&ends(&place, 3, &["verify", "--level", "bytes", "--json"]));
    let of_vault = objects.iter().filter(|object| !object.key.starts_with("state/")).count();
    assert_eq!(hidden, of_vault);
    // Another snapshot finds everything that is hidden, and stores nothing again.
    ends(&place, 0, &["snapshot"]);

    let plan = ends(&place, 0, &["repair", "--dry-run"]);
    assert!(plan.stdout.contains("would uncover"), "{plan:?}");
    assert_eq!(count(&ends(&place, 3, &["verify", "--level", "bytes", "--json"])), hidden);
    let done = ends(&place, 0, &["repair"]);
    assert!(done.stdout.contains("uncovered") && done.stdout.contains("deleted for good"), "{done:?}");
    ends(&place, 0, &["verify", "--full"]);
    let seen: Vec<String> =
        server.memory.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    for object in objects.iter().filter(|object| !object.key.starts_with("state/")) {
        assert!(seen.contains(&object.key), "a plain reader sees {} again", object.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_uncovers_what_lives_and_renews_its_lock() {
    let (source, place) = (small(), Workplace::new());
    let server = StrictServer::start(ALL, 1000, Flaws::default()).await;
    place.write("prismvault.toml", &(configuration(&source, &[]) + &bucket(&server, 14)));
    ends(&place, 0, &["init"]);
    ends(&place, 0, &["snapshot"]);
    let mut packs = server.memory.list("packs").await.unwrap().into_iter().map(|object| object.key);
    let (pack, another) = (packs.next().unwrap(), packs.next().unwrap());
    let hash = || {
        ends(&place, 0, &["prune", "--dry-run", "--json"]).json()["plan_hash"].as_str().unwrap().to_owned()
    };
    let nothing_hidden = hash();
    server.memory.delete(&pack).await.unwrap();
    let dry = ends(&place, 0, &["prune", "--dry-run"]);
    assert!(dry.stdout.contains(&format!("would uncover {pack}")), "{dry:?}");
    assert!(dry.stdout.contains("are asked for first"), "{dry:?}");
    // What hides it would be deleted for good, so that is part of the plan.
    let one_hidden = hash();
    assert_ne!(one_hidden, nothing_hidden);
    server.memory.delete(&another).await.unwrap();
    ends(&place, 5, &["prune", "--yes", "--expect-plan", &one_hidden]);
    assert!(server.memory.head(&pack).await.is_err(), "another plan than the one that was asked for");
    // Nor is anything deleted for good to which nobody agreed.
    let asked = ends(&place, 5, &["prune"]);
    assert!(asked.stdout.contains("2 objects stay hidden") && asked.stdout.contains("--yes"), "{asked:?}");
    assert!(server.memory.head(&pack).await.is_err());
    let done = ends(&place, 0, &["prune", "--yes", "--expect-plan", &hash()]);
    assert!(done.stdout.contains("uncovered 2 objects"), "{done:?}");
    for key in [&pack, &another] {
        server.memory.head(key).await.unwrap();
    }
    let json = ends(&place, 0, &["prune", "--json"]).json();
    let own = &json["locks"]["plan"]["replicas"][0];
    // All but the entry of the audit log that the last run wrote.
    let remembered = own["not_due"].as_u64().unwrap();
    assert_eq!((remembered + 1, own["unknown"].as_u64()), (own["live"].as_u64().unwrap(), Some(1)), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_keeps_is_pending_and_goes_in_every_version_once_it_ends() {
    for (days, is_locked) in [(14, true), (5, false)] {
        let vault = TestVault::starting(SystemClock.now() - TimeDelta::days(10), 1, true).await;
        vault.snapshot("blog", BASE).await;
        let first = vault.snapshot("blog", FIRST).await;
        vault.snapshot("blog", SECOND).await;
        vault.backup.clock.advance(a_day());
        remove(&vault.backup, &[&first], None).await;
        prune(&vault.backup).await;
        let server = StrictServer::start(ALL, 1000, Flaws::default()).await;
        let age = SystemClock.now() - vault.backup.clock.now();
        server.clock.advance(-age);
        let rule = LockRule { mode: LockMode::Governance, window: TimeDelta::days(days) };
        copy_objects(&vault.stores[0], &*server.memory.locking(Some(rule)).unwrap()).await;
        server.clock.advance(age);

        let place = Workplace::new();
        let mut config = "[repositories.blog]\nrepository = \"acme-blog\"\n".to_owned();
        config.push_str(&vault.backup.write_keys(&place).await);
        place.write("prismvault.toml", &(config + &bucket(&server, days)));
        let before = server.memory.list("packs").await.unwrap();
        let done = ends(&place, 0, &["prune", "--yes"]);
        let after = server.memory.list("packs").await.unwrap();
        assert!(done.stdout.contains("locks made longer"), "{done:?}");
        if is_locked {
            assert!(done.stdout.contains("pending packs/blog/"), "{done:?}");
            assert!(done.stdout.contains("it is locked until"), "{done:?}");
            assert_eq!(before, after);
            // Its mark stays, so that a later run goes on.
            assert!(!server.memory.list("marks").await.unwrap().is_empty());
        } else {
            assert_eq!(after.len() + 2, before.len(), "{done:?}");
            for gone in before.iter().filter(|pack| !after.contains(pack)) {
                assert_eq!(server.memory.list_versions(&gone.key).await.unwrap(), [], "{}", gone.key);
            }
            let locked = server.memory.list_versions(&after[0].key).await.unwrap().remove(0);
            let lock = server.memory.lock_of(&locked.key, &locked.version).await.unwrap().unwrap();
            assert!(lock.until().unwrap() > SystemClock.now() + TimeDelta::days(4), "{lock:?}");
            assert!(server.memory.list("marks").await.unwrap().is_empty());
        }
        ends(&place, 0, &["verify", "--level", "bytes"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_without_encryption_is_not_made_where_objects_are_locked() {
    let (source, place) = (small(), Workplace::new());
    let server = StrictServer::start(ALL, 1000, Flaws::default()).await;
    place.write("prismvault.toml", &(configuration(&source, &[]) + &bucket(&server, 14)));
    let refused = ends(&place, 5, &["init", "--no-encryption"]);
    assert!(refused.stderr.contains("object_lock") && refused.stderr.contains("erased"), "{refused:?}");
    assert!(server.memory.is_empty() && !place.file("keys").exists());
}
