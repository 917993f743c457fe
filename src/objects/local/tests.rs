#![expect(clippy::unwrap_used, reason = "`allow-unwrap-in-tests` covers test functions, not their helpers")]

use std::fs::FileTimes;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::{SpoolFile, TEMPORARY};
use super::*;

async fn store() -> (tempfile::TempDir, LocalStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::create(&dir.path().join("vault")).await.unwrap();
    (dir, store)
}

async fn put(store: &LocalStore, key: &str, bytes: &'static str) -> Result<ObjectMeta> {
    store.put(key, Body::bytes(bytes), PutMode::CreateOnly).await
}

fn temporary_files(store: &LocalStore) -> usize {
    fs::read_dir(store.path().join(TEMPORARY)).map_or(0, Iterator::count)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    io::Write::write_all(&mut File::create(path).unwrap(), text.as_bytes()).unwrap();
}

#[tokio::test]
async fn an_object_is_a_file_of_the_same_name_and_nothing_temporary_stays() {
    let (_dir, store) = store().await;
    put(&store, "things/blog/ab", "bytes").await.unwrap();
    assert_eq!(fs::read(store.path().join("things/blog/ab")).unwrap(), b"bytes");
    let mode = fs::metadata(store.path().join("things/blog/ab")).unwrap().permissions().mode();
    assert_eq!(mode & 0o400, 0o400);
    assert!(put(&store, "things/blog/ab", "other").await.is_err());
    assert_eq!(temporary_files(&store), 0);
}

#[tokio::test]
async fn a_run_killed_in_the_middle_of_a_put_leaves_no_object() {
    let (_dir, store) = store().await;
    put(&store, "a", "1").await.unwrap();
    write(&store.path().join(".tmp/put-killed.part"), "half of a bo");
    let listed = store.list("").await.unwrap();
    assert_eq!(listed.iter().map(|meta| meta.key.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(store.get(".tmp/put-killed.part", 100).await.unwrap_err().kind, ErrorKind::Permanent);
    put(&store, "b", "2").await.unwrap();
}

#[tokio::test]
async fn unfinished_files_are_removed_when_no_live_run_can_own_them() {
    let (_dir, store) = store().await;
    let day = Duration::from_hours(24);
    let now = std::time::SystemTime::from(store.server_time().await.unwrap().unwrap());
    for (name, age) in [("old", day + Duration::from_mins(1)), ("live", day - Duration::from_mins(1))] {
        let path = store.path().join(TEMPORARY).join(name);
        write(&path, "half");
        let times = FileTimes::new().set_modified(now - age);
        File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    }
    put(&store, "a", "1").await.unwrap();
    assert!(!store.path().join(".tmp/old").exists());
    assert!(store.path().join(".tmp/live").exists());
}

#[tokio::test]
async fn symbolic_links_are_never_followed() {
    let (dir, store) = store().await;
    let outside = dir.path().join("outside");
    write(&outside.join("secret"), "not yours");
    put(&store, "real/x", "1").await.unwrap();
    symlink(&outside, store.path().join("linked")).unwrap();
    symlink(outside.join("secret"), store.path().join("real/file")).unwrap();
    for key in ["linked/secret", "linked/new", "real/file"] {
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            let err = store.put(key, Body::bytes("x"), mode).await.unwrap_err();
            assert_eq!(err.kind, ErrorKind::Permanent, "{err}");
        }
        assert_eq!(store.get(key, 100).await.unwrap_err().kind, ErrorKind::Permanent);
        assert_eq!(store.head(key).await.unwrap_err().kind, ErrorKind::Permanent);
        assert_eq!(store.delete(key).await.unwrap_err().kind, ErrorKind::Permanent);
        assert!(store.list(key).await.is_err());
    }
    assert!(store.list("").await.unwrap_err().to_string().contains("symbolic link"));
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"not yours");
    assert!(!outside.join("new").exists());
}

#[tokio::test]
async fn the_temporary_directory_may_not_lead_elsewhere() {
    let (dir, store) = store().await;
    symlink(dir.path(), store.path().join(TEMPORARY)).unwrap();
    assert_eq!(put(&store, "a", "1").await.unwrap_err().kind, ErrorKind::Permanent);
}

#[tokio::test]
async fn a_pipe_or_a_directory_is_not_an_object() {
    let (_dir, store) = store().await;
    put(&store, "a/b", "1").await.unwrap();
    assert_eq!(store.get("a", 10).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.head("a/b/c").await.unwrap_err().kind, ErrorKind::NotFound);
    store.delete("a").await.unwrap();
    store.delete("a/b/c").await.unwrap();
    assert_eq!(put(&store, "a", "x").await.unwrap_err().kind, ErrorKind::Permanent);
    assert_eq!(put(&store, "a/b/c", "x").await.unwrap_err().kind, ErrorKind::Permanent);
    let _socket = std::os::unix::net::UnixListener::bind(store.path().join("socket")).unwrap();
    assert_eq!(store.get("socket", 10).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.list("").await.unwrap().len(), 1);
    assert_eq!(store.get("a/b", 10).await.unwrap(), "1");
}

#[tokio::test]
async fn files_that_no_key_can_name_are_not_listed() {
    let (_dir, store) = store().await;
    put(&store, "a", "1").await.unwrap();
    write(&store.path().join("not a key"), "x");
    write(&store.path().join("é"), "x");
    assert_eq!(store.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn opening_tells_what_is_wrong_and_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    assert_eq!(LocalStore::open(&missing).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(!missing.exists());
    let file = dir.path().join("file");
    write(&file, "x");
    assert_eq!(LocalStore::open(&file).await.unwrap_err().kind, ErrorKind::Permanent);
    assert!(LocalStore::create(&file).await.is_err());
    let deep = dir.path().join("a/b/c");
    LocalStore::create(&deep).await.unwrap();
    let store = LocalStore::create(&deep).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), []);
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_an_error_not_an_empty_store() {
    let (_dir, store) = store().await;
    put(&store, "a", "1").await.unwrap();
    fs::remove_dir_all(store.path()).unwrap();
    assert_eq!(store.list("").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.list("a").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.delete("a").await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(put(&store, "a", "1").await.is_err());
}

#[tokio::test]
async fn a_body_cut_after_spooling_is_refused_and_leaves_nothing() {
    let (dir, store) = store().await;
    let spool = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
    io::Write::write_all(&mut spool.as_file(), b"whole").unwrap();
    let spool = Arc::new(SpoolFile::new(spool.into_temp_path()));
    let body = Body::file(spool, 50, crate::ids::Digest::of(b"whole"));
    let err = store.put("k", body, PutMode::CreateOnly).await.unwrap_err();
    assert_eq!(err.kind, ErrorKind::Corrupt);
    assert_eq!(temporary_files(&store), 0);
    assert_eq!(store.list("").await.unwrap(), []);
}

#[test]
fn system_errors_become_kinds_a_caller_can_decide_by() {
    let kind =
        |code, effect| io_error(io::Error::from_raw_os_error(code), effect, "write", "k", &"d", "why").kind;
    for (code, expected) in [
        (2, ErrorKind::NotFound),
        (13, ErrorKind::Denied),
        (30, ErrorKind::Denied),
        (28, ErrorKind::NoSpace),
        (24, ErrorKind::Transient),
        (116, ErrorKind::Unknown),
        (5, ErrorKind::Permanent),
    ] {
        assert_eq!(kind(code, Effect::Possible), expected, "{code}");
    }
    assert_eq!(kind(116, Effect::None), ErrorKind::Transient);
    assert_eq!(kind(20, Effect::None), ErrorKind::NotFound);
}
