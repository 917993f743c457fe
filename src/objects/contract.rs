//! The contract of [`ObjectStore`] as checks that run on any store.
//!
//! No store is honest about everything: some ignore checksums, some accept `If-None-Match` and
//! overwrite. So the checks return what they found instead of panicking, and serve the tests of
//! every implementation and wrapper as well as someone who wants to know what a replica really
//! does. What a store says it cannot do ([`ObjectStore::abilities`]) must be refused, not ignored.
//!
//! Each check works below a random prefix, and removes its objects, all versions, when it has found
//! nothing wrong. After a crash or a violation some small objects of such a prefix stay, and on a
//! store with locks those that are locked for as long as that lasts.

mod locks;
mod versions;

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use chrono::DateTime;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use super::memory::MemoryStore;
use super::{Body, ErrorKind, ObjectMeta, ObjectStore, PutMode, Result, SourceObject, SpoolFile, VersionId};
use crate::clock::SystemClock;
use crate::ids::{Digest, hex, random};

/// One line of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// What was put is what every way of reading gives.
    PutIsSeen,
    /// A body from a file is stored like one in memory.
    FilesAreStored,
    /// So is one from an object of another store.
    ObjectsArePassedOn,
    /// A create-only put on an existing key is refused and leaves the first content.
    CreateKeepsTheFirst,
    /// Of several create-only puts at once exactly one succeeds.
    OneCreatorWins,
    /// An overwriting put replaces.
    OverwriteReplaces,
    /// A put whose body is not what it says fails and changes nothing.
    WrongBodyLeavesNothing,
    /// `head` tells the stored SHA-256 if and only if the store says that it keeps one.
    ChecksumsAreToldAsAnnounced,
    /// Listings are by path segment, complete and sorted.
    ListIsBySegment,
    /// `get` reads no object larger than allowed.
    GetIsBounded,
    /// A range gives just these bytes, or is refused.
    RangesAreExact,
    /// What is not there is [`ErrorKind::NotFound`], and an empty list.
    MissingIsNotFound,
    /// So is what is only the beginning of keys, or goes on where a key has ended.
    PartOfAKeyIsNotFound,
    /// A deleted object is gone for every way of reading, and can be deleted again.
    DeleteIsIdempotent,
    /// Keys that leave the store are refused by every operation.
    InvalidKeysAreRefused,
    /// Errors name the key and the place.
    ErrorsNameKeyAndPlace,
    /// The store's clock, where it has one, does not run backwards.
    TimeIsTold,
    /// All versions are listed, by path segment and from the newest on; without versions each
    /// object is its only one.
    VersionsAreListed,
    /// Hidden versions are read as they were; markers and what is not there are
    /// [`ErrorKind::NotFound`].
    VersionsAreRead,
    /// A deleted version is gone, and what it hid is seen again.
    DeletedVersionsAreGone,
    /// A put is locked by the rule of its handle.
    PutsAreLockedByRule,
    /// An object that was put without a lock has none, and can be locked later; where there are no
    /// locks, rules and locks are refused.
    LocksCanBeAdded,
    /// A locked version cannot be deleted, only hidden.
    LockedVersionsStay,
    /// A lock can be made longer and not shorter.
    LocksOnlyGrow,
}

impl Line {
    /// All lines.
    pub const ALL: [Self; 24] = [
        Self::PutIsSeen,
        Self::FilesAreStored,
        Self::ObjectsArePassedOn,
        Self::CreateKeepsTheFirst,
        Self::OneCreatorWins,
        Self::OverwriteReplaces,
        Self::WrongBodyLeavesNothing,
        Self::ChecksumsAreToldAsAnnounced,
        Self::ListIsBySegment,
        Self::GetIsBounded,
        Self::RangesAreExact,
        Self::MissingIsNotFound,
        Self::PartOfAKeyIsNotFound,
        Self::DeleteIsIdempotent,
        Self::InvalidKeysAreRefused,
        Self::ErrorsNameKeyAndPlace,
        Self::TimeIsTold,
        Self::VersionsAreListed,
        Self::VersionsAreRead,
        Self::DeletedVersionsAreGone,
        Self::PutsAreLockedByRule,
        Self::LocksCanBeAdded,
        Self::LockedVersionsStay,
        Self::LocksOnlyGrow,
    ];
}

/// A line of the contract that a store does not keep.
#[derive(Debug, thiserror::Error)]
#[error("{line:?}: {found}")]
pub struct Violation {
    /// Which line.
    pub line: Line,
    /// What the store did.
    pub found: String,
}

/// Checks all lines, and returns those that are not kept.
pub async fn check_all(store: &Arc<dyn ObjectStore>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for line in Line::ALL {
        violations.extend(check(store, line).await.err());
    }
    violations
}

/// Checks one line.
///
/// # Errors
///
/// What the store did instead.
pub async fn check(store: &Arc<dyn ObjectStore>, line: Line) -> std::result::Result<(), Violation> {
    let area = Area { store: Arc::clone(store), prefix: format!("contract-{}", hex(&random::<6>())) };
    let kept = match line {
        Line::PutIsSeen => put_is_seen(&area).await,
        Line::FilesAreStored => files_are_stored(&area).await,
        Line::ObjectsArePassedOn => objects_are_passed_on(&area).await,
        Line::CreateKeepsTheFirst => create_keeps_the_first(&area).await,
        Line::OneCreatorWins => one_creator_wins(&area).await,
        Line::OverwriteReplaces => overwrite_replaces(&area).await,
        Line::WrongBodyLeavesNothing => wrong_body_leaves_nothing(&area).await,
        Line::ChecksumsAreToldAsAnnounced => checksums_are_told_as_announced(&area).await,
        Line::ListIsBySegment => list_is_by_segment(&area).await,
        Line::GetIsBounded => get_is_bounded(&area).await,
        Line::RangesAreExact => ranges_are_exact(&area).await,
        Line::MissingIsNotFound => are_not_found(&area, &["none", "there/b", "no/such/path"]).await,
        Line::PartOfAKeyIsNotFound => are_not_found(&area, &["there", "there/a/b"]).await,
        Line::DeleteIsIdempotent => delete_is_idempotent(&area).await,
        Line::InvalidKeysAreRefused => invalid_keys_are_refused(&area).await,
        Line::ErrorsNameKeyAndPlace => errors_name_key_and_place(&area).await,
        Line::TimeIsTold => time_is_told(&area).await,
        Line::VersionsAreListed => versions::are_listed(&area).await,
        Line::VersionsAreRead => versions::are_read(&area).await,
        Line::DeletedVersionsAreGone => versions::are_gone_when_deleted(&area).await,
        Line::PutsAreLockedByRule => locks::puts_are_locked_by_rule(&area).await,
        Line::LocksCanBeAdded => locks::can_be_added(&area).await,
        Line::LockedVersionsStay => locks::locked_versions_stay(&area).await,
        Line::LocksOnlyGrow => locks::only_grow(&area).await,
    };
    let kept = match kept {
        Ok(()) => area.clear().await,
        failed => failed,
    };
    kept.map_err(|found| Violation { line, found })
}

/// Result of a check: what was found when it was not what should be.
type Check = std::result::Result<(), String>;

/// Fails the check with what was found.
fn expect<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Check {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

/// Returns the value of a call that has to succeed.
fn works<T>(what: &str, result: Result<T>) -> std::result::Result<T, String> {
    result.map_err(|err| format!("{what} fails: {err} ({:?})", err.kind))
}

/// Checks that a call fails with this kind.
fn fails<T: fmt::Debug>(what: &str, result: Result<T>, kind: ErrorKind) -> Check {
    match result {
        Ok(value) => Err(format!("{what} succeeds with {value:?} instead of {kind:?}")),
        Err(err) if err.kind == kind => Ok(()),
        Err(err) => Err(format!("{what} fails: {err} ({:?} instead of {kind:?})", err.kind)),
    }
}

/// The keys of one check.
struct Area {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl Area {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Puts a new object in the way this store can.
    async fn put(&self, name: &str, body: Body) -> std::result::Result<ObjectMeta, String> {
        let mode = match self.store.abilities().create_only {
            true => PutMode::CreateOnly,
            false => PutMode::Overwrite,
        };
        works("a put", self.store.put(&self.key(name), body, mode).await)
    }

    async fn read(&self, name: &str) -> std::result::Result<bytes::Bytes, String> {
        works("reading", self.store.get(&self.key(name), 64 << 20).await)
    }

    /// Lists below a name of this area and returns the names.
    async fn list(&self, name: &str) -> std::result::Result<Vec<String>, String> {
        let prefix = if name.is_empty() { self.prefix.clone() } else { self.key(name) };
        let listed = works("listing", self.store.list(&prefix).await)?;
        let name = |meta: ObjectMeta| {
            meta.key.strip_prefix(&format!("{}/", self.prefix)).unwrap_or(&meta.key).to_owned()
        };
        Ok(listed.into_iter().map(name).collect())
    }

    /// A handle on the store whose puts are not locked.
    fn unlocked(&self) -> std::result::Result<Arc<dyn ObjectStore>, String> {
        works("a handle without locks", self.store.locking(None))
    }

    async fn clear(&self) -> Check {
        let mut locked = Vec::new();
        for version in works("listing versions", self.store.list_versions(&self.prefix).await)? {
            match self.store.delete_version(&version.key, &version.version).await {
                Err(err) if err.kind == ErrorKind::Locked => locked.push(version),
                deleted => works("deleting a version", deleted)?,
            }
        }
        let mut left = works("listing versions", self.store.list_versions(&self.prefix).await)?;
        left.retain(|version| {
            !locked.iter().any(|locked| (&locked.key, &locked.version) == (&version.key, &version.version))
        });
        expect("versions left after deleting all", left, vec![])
    }
}

/// Writes a spool file, as a pack is.
async fn spooled(bytes: Vec<u8>) -> std::result::Result<Arc<SpoolFile>, String> {
    let write = move || -> std::io::Result<SpoolFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(&bytes)?;
        Ok(SpoolFile::new(file.into_temp_path()))
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(file)) => Ok(Arc::new(file)),
        Ok(Err(err)) => Err(format!("no spool file can be made: {err}")),
        Err(err) => Err(format!("no spool file can be made: {err}")),
    }
}

/// Bytes in which every piece is different.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Reads a range in pieces and puts them together.
async fn in_pieces(store: &Arc<dyn ObjectStore>, key: &str, range: Range<u64>) -> Result<Vec<u8>> {
    let mut pieces = store.get_pieces(key, range).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn put_is_seen(area: &Area) -> Check {
    let large = pattern((1 << 20) + 7);
    for (name, bytes) in [("empty", vec![]), ("small", b"bytes".to_vec()), ("deep/er/large", large)] {
        let key = area.key(name);
        let size = bytes.len() as u64;
        let meta = area.put(name, Body::bytes(bytes.clone())).await?;
        expect("what put tells", (meta.key.as_str(), meta.size), (key.as_str(), size))?;
        expect("get gives the bytes", area.read(name).await? == bytes, true)?;
        let range = works("a range", area.store.get_range(&key, 0..size).await)?;
        expect("the whole range gives the bytes", range == bytes, true)?;
        let pieces = works("pieces", in_pieces(&area.store, &key, 0..size).await)?;
        expect("the pieces together are the bytes", pieces == bytes, true)?;
        let meta = works("head", area.store.head(&key).await)?;
        expect("what head tells", (meta.key.as_str(), meta.size), (key.as_str(), size))?;
        for prefix in [&key, &area.prefix, ""] {
            let listed = works("listing", area.store.list(prefix).await)?;
            let found = listed.iter().find(|meta| meta.key == key).map(|meta| meta.size);
            expect("size in the listing", found, Some(size))?;
        }
    }
    Ok(())
}

async fn files_are_stored(area: &Area) -> Check {
    for (name, bytes) in [("empty", vec![]), ("large", pattern(3 << 20))] {
        let body = Body::file(spooled(bytes.clone()).await?, bytes.len() as u64, Digest::of(&bytes));
        area.put(name, body).await?;
        expect("get gives the bytes of the file", area.read(name).await? == bytes, true)?;
    }
    Ok(())
}

/// Returns the object of another store that holds these bytes, if any, in pieces of an odd size.
async fn elsewhere(bytes: Option<Vec<u8>>) -> std::result::Result<Arc<SourceObject>, String> {
    let store = MemoryStore::new("elsewhere", Arc::new(SystemClock));
    if let Some(bytes) = bytes {
        works("the first put", store.put("object", Body::bytes(bytes), PutMode::Overwrite).await)?;
    }
    Ok(Arc::new(SourceObject::new(Arc::new(store), "object", 99_991)))
}

async fn objects_are_passed_on(area: &Area) -> Check {
    for (name, bytes) in [("empty", vec![]), ("one-piece", pattern(50)), ("large", pattern((1 << 20) + 7))] {
        let (len, digest) = (bytes.len() as u64, Digest::of(&bytes));
        let body = Body::object(elsewhere(Some(bytes.clone())).await?, len, digest);
        // Twice: an attempt may have to be repeated.
        for _ in 0..2 {
            works("passing on", area.store.put(&area.key(name), body.clone(), PutMode::Overwrite).await)?;
            expect("get gives the bytes of the object", area.read(name).await? == bytes, true)?;
        }
    }
    let bytes = pattern(300_000);
    let (len, digest) = (bytes.len() as u64, Digest::of(&bytes));
    let with_a_flip_at = |at: usize| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        Some(flipped)
    };
    for (what, actual) in [
        ("a flipped bit", with_a_flip_at(1000)),
        ("a flipped last bit", with_a_flip_at(299_999)),
        ("a cut object", Some(bytes[..150_000].to_vec())),
        ("no object", None),
    ] {
        let body = Body::object(elsewhere(actual).await?, len, digest);
        for name in ["new", "large"] {
            let put = area.store.put(&area.key(name), body.clone(), PutMode::Overwrite).await;
            fails(&format!("a put with {what}"), put, ErrorKind::Corrupt)?;
        }
        fails("head", area.store.head(&area.key("new")).await, ErrorKind::NotFound)?;
        let size = works("head", area.store.head(&area.key("large")).await)?.size;
        expect("size of what was there before", size, (1 << 20) + 7)?;
    }
    Ok(())
}

async fn create_keeps_the_first(area: &Area) -> Check {
    let key = area.key("once");
    let put = |text: &'static str| area.store.put(&key, Body::bytes(text), PutMode::CreateOnly);
    if !area.store.abilities().create_only {
        fails("a create-only put", put("first").await, ErrorKind::Unsupported)?;
        return fails("head", area.store.head(&key).await, ErrorKind::NotFound);
    }
    works("the first put", put("first").await)?;
    for again in ["second", "first"] {
        fails("a second put", put(again).await, ErrorKind::AlreadyExists)?;
        expect("content", area.read("once").await?, "first".into())?;
    }
    Ok(())
}

async fn one_creator_wins(area: &Area) -> Check {
    if !area.store.abilities().create_only {
        return Ok(());
    }
    let key = area.key("contended");
    let bodies: Vec<String> = (0..8_u8).map(|writer| format!("by writer {writer} ").repeat(5000)).collect();
    let put = |text: &String| area.store.put(&key, Body::bytes(text.clone()), PutMode::CreateOnly);
    let results = join_all(bodies.iter().map(put)).await;
    let winners: Vec<_> = results.iter().zip(&bodies).filter(|(result, _)| result.is_ok()).collect();
    expect("number of winners", winners.len(), 1)?;
    expect("the winner's bytes are stored", area.read("contended").await? == *winners[0].1, true)?;
    for result in results {
        if result.is_err() {
            fails("a loser's put", result, ErrorKind::AlreadyExists)?;
        }
    }
    Ok(())
}

async fn overwrite_replaces(area: &Area) -> Check {
    let key = area.key("state");
    for text in ["long first content", "short", ""] {
        works("overwriting", area.store.put(&key, Body::bytes(text), PutMode::Overwrite).await)?;
        expect("content", area.read("state").await?, text.into())?;
        expect("size", works("head", area.store.head(&key).await)?.size, text.len() as u64)?;
    }
    expect("objects", area.list("").await?, vec!["state".to_owned()])
}

async fn wrong_body_leaves_nothing(area: &Area) -> Check {
    let bytes = pattern(300_000);
    let (len, digest) = (bytes.len() as u64, Digest::of(&bytes));
    let mut flipped = bytes.clone();
    flipped[200_000] ^= 1;
    let longer = [&bytes[..], b"more"].concat();
    area.put("before", Body::bytes("before")).await?;
    for (what, actual) in
        [("a flipped bit", flipped), ("a cut file", bytes[..1000].to_vec()), ("a longer file", longer)]
    {
        let body = Body::file(spooled(actual).await?, len, digest);
        for (name, mode) in [("new", PutMode::CreateOnly), ("before", PutMode::Overwrite)] {
            if mode == PutMode::CreateOnly && !area.store.abilities().create_only {
                continue;
            }
            let put = area.store.put(&area.key(name), body.clone(), mode).await;
            fails(&format!("a put with {what}"), put, ErrorKind::Corrupt)?;
        }
        expect("objects", area.list("").await?, vec!["before".to_owned()])?;
        expect("content", area.read("before").await?, "before".into())?;
    }
    Ok(())
}

async fn checksums_are_told_as_announced(area: &Area) -> Check {
    let body = Body::bytes(pattern(5000));
    let told = area.store.abilities().stored_checksums.then_some(body.sha256());
    let put = area.put("summed", body).await?;
    let head = works("head", area.store.head(&area.key("summed")).await)?;
    expect("checksum that head tells", head.sha256, told)?;
    expect(
        "checksum that put tells is that of head or none",
        put.sha256.is_none() || put.sha256 == told,
        true,
    )?;
    let listed = works("listing", area.store.list(&area.prefix).await)?;
    expect("checksums in a listing", listed.iter().filter(|meta| meta.sha256.is_some()).count(), 0)
}

async fn list_is_by_segment(area: &Area) -> Check {
    for name in ["x/b", "x/bc", "x/b-", "x/b.c/d", "y/b/c", "y/b/d/e", "y/b/D", "y/b-c/f", "y/bc/g", "y/b0"] {
        area.put(name, Body::bytes(name)).await?;
    }
    let all = ["x/b", "x/b-", "x/b.c/d", "x/bc", "y/b-c/f", "y/b/D", "y/b/c", "y/b/d/e", "y/b0", "y/bc/g"];
    for (prefix, expected) in [
        ("", &all[..]),
        ("x", &all[..4]),
        ("x/b", &all[..1]),
        ("y/b", &all[5..8]),
        ("y/b/d", &all[7..8]),
        ("y/b/d/e", &all[7..8]),
        ("y/b/d/e/f", &[]),
        ("y/", &[]),
        ("none", &[]),
    ] {
        if prefix.ends_with('/') {
            fails(
                "a prefix that ends with a slash",
                area.store.list(&area.key(prefix)).await,
                ErrorKind::Permanent,
            )?;
            continue;
        }
        let expected: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        expect(&format!("list of {prefix:?}"), area.list(prefix).await?, expected)?;
    }
    let everything = works("listing", area.store.list("").await)?;
    expect("the list of everything is sorted", everything.is_sorted_by(|a, b| a.key < b.key), true)?;
    let ours = everything.iter().filter(|meta| meta.key.starts_with(&format!("{}/", area.prefix))).count();
    expect("objects of this check in the list of everything", ours, all.len())
}

async fn get_is_bounded(area: &Area) -> Check {
    let key = area.key("ten");
    area.put("ten", Body::bytes("0123456789")).await?;
    expect("get", works("get", area.store.get(&key, 10).await)?, "0123456789".into())?;
    fails("get of more than allowed", area.store.get(&key, 9).await, ErrorKind::TooLarge)?;
    fails("get of nothing", area.store.get(&key, 0).await, ErrorKind::TooLarge)
}

async fn ranges_are_exact(area: &Area) -> Check {
    let key = area.key("ten");
    area.put("ten", Body::bytes("0123456789")).await?;
    for (start, end, expected) in [
        (0, 10, "0123456789"),
        (0, 1, "0"),
        (3, 7, "3456"),
        (9, 10, "9"),
        (0, 0, ""),
        (4, 4, ""),
        (10, 10, ""),
    ] {
        let range = works("a range", area.store.get_range(&key, start..end).await)?;
        expect(&format!("bytes {start}..{end}"), range, expected.into())?;
        let pieces = works("pieces", in_pieces(&area.store, &key, start..end).await)?;
        expect(&format!("pieces of {start}..{end}"), pieces, expected.into())?;
    }
    for (start, end) in
        [(0, 11), (5, 11), (10, 11), (11, 11), (20, 30), (7, 3), (5, u64::MAX), (u64::MAX, u64::MAX)]
    {
        let range = area.store.get_range(&key, start..end).await;
        fails(&format!("bytes {start}..{end}"), range, ErrorKind::OutOfRange)?;
        let pieces = area.store.get_pieces(&key, start..end).await.map(drop);
        fails(&format!("pieces of {start}..{end}"), pieces, ErrorKind::OutOfRange)?;
    }
    Ok(())
}

async fn are_not_found(area: &Area, names: &[&str]) -> Check {
    area.put("there/a", Body::bytes("a")).await?;
    for name in names {
        let key = area.key(name);
        fails("get", area.store.get(&key, 10).await, ErrorKind::NotFound)?;
        fails("get_range", area.store.get_range(&key, 0..1).await, ErrorKind::NotFound)?;
        fails("get_pieces", area.store.get_pieces(&key, 0..1).await.map(drop), ErrorKind::NotFound)?;
        fails("get_range of nothing", area.store.get_range(&key, 0..0).await, ErrorKind::NotFound)?;
        fails("head", area.store.head(&key).await, ErrorKind::NotFound)?;
    }
    expect("list", area.list("none").await?, vec![])
}

async fn delete_is_idempotent(area: &Area) -> Check {
    let key = area.key("gone");
    area.put("gone", Body::bytes("x")).await?;
    area.put("gone-not", Body::bytes("x")).await?;
    for _ in 0..2 {
        works("deleting", area.store.delete(&key).await)?;
        fails("get", area.store.get(&key, 10).await, ErrorKind::NotFound)?;
        fails("head", area.store.head(&key).await, ErrorKind::NotFound)?;
        expect("objects", area.list("").await?, vec!["gone-not".to_owned()])?;
    }
    works("deleting below what is not there", area.store.delete(&area.key("no/such/path")).await)?;
    area.put("gone", Body::bytes("again")).await?;
    expect("content", area.read("gone").await?, "again".into())
}

async fn invalid_keys_are_refused(area: &Area) -> Check {
    let long = "x".repeat(256);
    let many = ["abcdefg"; 129].join("/");
    let keys = [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a b",
        "a\\b",
        "é",
        "a\0b",
        "a\nb",
        ".tmp",
        ".tmp/x",
        &long,
        &many,
    ];
    for key in keys {
        let what = |operation: &str| format!("{operation} of {:?}", key.chars().take(20).collect::<String>());
        for mode in [PutMode::CreateOnly, PutMode::Overwrite] {
            let put = area.store.put(key, Body::bytes("x"), mode).await;
            fails(&what("put"), put, ErrorKind::Permanent)?;
        }
        fails(&what("get"), area.store.get(key, 10).await, ErrorKind::Permanent)?;
        fails(&what("get_range"), area.store.get_range(key, 0..1).await, ErrorKind::Permanent)?;
        fails(&what("get_pieces"), area.store.get_pieces(key, 0..1).await.map(drop), ErrorKind::Permanent)?;
        fails(&what("head"), area.store.head(key).await, ErrorKind::Permanent)?;
        fails(&what("delete"), area.store.delete(key).await, ErrorKind::Permanent)?;
        let (store, only) = (&area.store, VersionId::null());
        fails(&what("get_version"), store.get_version(key, &only, 10).await, ErrorKind::Permanent)?;
        fails(
            &what("get_range_version"),
            store.get_range_version(key, &only, 0..1).await,
            ErrorKind::Permanent,
        )?;
        fails(&what("head_version"), store.head_version(key, &only).await, ErrorKind::Permanent)?;
        fails(&what("delete_version"), store.delete_version(key, &only).await, ErrorKind::Permanent)?;
        fails(&what("lock_of"), store.lock_of(key, &only).await, ErrorKind::Permanent)?;
        fails(
            &what("extend_lock"),
            store.extend_lock(key, &only, DateTime::UNIX_EPOCH).await,
            ErrorKind::Permanent,
        )?;
        if !key.is_empty() {
            fails(&what("list"), area.store.list(key).await, ErrorKind::Permanent)?;
            fails(&what("list_versions"), area.store.list_versions(key).await, ErrorKind::Permanent)?;
        }
    }
    Ok(())
}

async fn errors_name_key_and_place(area: &Area) -> Check {
    let key = area.key("none");
    let place = area.store.to_string();
    expect("the place has a name", place.is_empty(), false)?;
    match area.store.get(&key, 10).await {
        Ok(_) => Err("an object that is not there can be read".to_owned()),
        Err(err) => {
            expect("key of the error", err.key(), &key)?;
            let text = err.to_string();
            let names = text.contains(&key) && text.contains(&place);
            expect(&format!("{text:?} names key and place"), names, true)
        }
    }
}

async fn time_is_told(area: &Area) -> Check {
    let before = works("asking for the time", area.store.server_time().await)?;
    area.put("now", Body::bytes("x")).await?;
    let after = works("asking for the time", area.store.server_time().await)?;
    expect("a clock is told always or never", before.is_some(), after.is_some())?;
    expect("time runs forward", after >= before, true)?;
    let modified = works("head", area.store.head(&area.key("now")).await)?.modified;
    if let (Some(before), Some(modified)) = (before, modified) {
        // Both are the store's clock; some tell whole seconds.
        let between = (modified - before).num_seconds().abs() <= 60;
        expect(&format!("{modified} is about {before}"), between, true)?;
    }
    Ok(())
}
