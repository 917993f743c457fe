//! Checks about locks. They are short: whoever checks a real store has to wait for them.

use std::sync::Arc;

use chrono::{SubsecRound as _, TimeDelta};

use super::versions::newest;
use super::{Area, Check, expect, fails, works};
use crate::clock::Timestamp;
use crate::objects::{
    Body, ErrorKind, LockMode, LockRule, ObjectStore, PutMode, Result, Retention, VersionId,
};

/// For how long the checks lock.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// By how much the clocks of store and handle may differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);

fn rule(area: &Area) -> LockRule {
    let mode = area.store.lock_rule().map_or(LockMode::Governance, |rule| rule.mode);
    LockRule { mode, window: WINDOW }
}

/// A handle on the store that locks for a short time.
fn locking(area: &Area) -> std::result::Result<Arc<dyn ObjectStore>, String> {
    works("a handle with locks", area.store.locking(Some(rule(area))))
}

/// Reads the retention of a version that has one.
async fn retention(area: &Area, name: &str, version: &VersionId) -> std::result::Result<Retention, String> {
    let lock = works("reading a lock", area.store.lock_of(&area.key(name), version).await)?;
    lock.and_then(|lock| lock.retention).ok_or_else(|| format!("{name} is not locked"))
}

/// Puts a locked object and returns its version.
async fn put_locked(area: &Area, name: &str) -> std::result::Result<VersionId, String> {
    let body = Body::bytes("locked");
    works("a locked put", locking(area)?.put(&area.key(name), body, PutMode::Overwrite).await)?;
    newest(area, name).await
}

pub(super) async fn puts_are_locked_by_rule(area: &Area) -> Check {
    if !area.store.abilities().locks {
        return Ok(());
    }
    let locking = locking(area)?;
    expect("rule of the handle", locking.lock_rule(), Some(rule(area)))?;
    let modes = match area.store.abilities().create_only {
        true => &[PutMode::CreateOnly, PutMode::Overwrite][..],
        false => &[PutMode::Overwrite],
    };
    for mode in modes {
        let told = works("asking for the time", area.store.server_time().await)?;
        works("a locked put", locking.put(&area.key("locked"), Body::bytes("x"), *mode).await)?;
        let version = newest(area, "locked").await?;
        let found = retention(area, "locked", &version).await?;
        expect("mode of the lock", found.mode, rule(area).mode)?;
        if let Some(now) = told {
            let right = (found.until - (now + WINDOW)).abs() <= SKEW;
            expect(&format!("{} is about {WINDOW} after {now}", found.until), right, true)?;
        }
    }
    Ok(())
}

pub(super) async fn locked_versions_stay(area: &Area) -> Check {
    if !area.store.abilities().locks {
        return Ok(());
    }
    let (store, key) = (area.unlocked()?, area.key("stays"));
    let version = put_locked(area, "stays").await?;
    let stays = async |when: &str| -> Check {
        fails(
            &format!("deleting a locked version {when}"),
            store.delete_version(&key, &version).await,
            ErrorKind::Locked,
        )?;
        let bytes = works("get of a locked version", store.get_version(&key, &version, 10).await)?;
        expect("bytes of a locked version", bytes, "locked".into())
    };
    stays("that is seen").await?;
    works("a put over it", store.put(&key, Body::bytes("new"), PutMode::Overwrite).await)?;
    expect("content of the new version", area.read("stays").await?, "new".into())?;
    works("a delete", store.delete(&key).await)?;
    fails("get of what is hidden", store.get(&key, 10).await, ErrorKind::NotFound)?;
    stays("that is hidden").await?;
    // What hides it is not locked.
    for _ in 0..2 {
        let newest = newest(area, "stays").await?;
        works("deleting what hides it", store.delete_version(&key, &newest).await)?;
    }
    expect("content that is seen again", area.read("stays").await?, "locked".into())
}

pub(super) async fn only_grow(area: &Area) -> Check {
    if !area.store.abilities().locks {
        return Ok(());
    }
    let (store, key) = (locking(area)?, area.key("grows"));
    let version = put_locked(area, "grows").await?;
    let first = retention(area, "grows", &version).await?;
    let longer = first.until + WINDOW;
    for _ in 0..2 {
        works("a longer lock", store.extend_lock(&key, &version, longer).await)?;
        let found = retention(area, "grows", &version).await?;
        expect("lock after it was made longer", found, Retention { until: longer, ..first })?;
    }
    let shorter = store.extend_lock(&key, &version, first.until).await;
    fails("a shorter lock", shorter, ErrorKind::Locked)?;
    expect(
        "lock after a shorter one was asked for",
        retention(area, "grows", &version).await?.until,
        longer,
    )?;
    Ok(())
}

pub(super) async fn can_be_added(area: &Area) -> Check {
    let key = area.key("free");
    works("a put", area.unlocked()?.put(&key, Body::bytes("x"), PutMode::Overwrite).await)?;
    let version = newest(area, "free").await?;
    let lock = works("reading a lock", area.store.lock_of(&key, &version).await)?;
    expect("lock of an object put without one", lock, None)?;
    if !area.store.abilities().locks {
        let refused: Result<Arc<dyn ObjectStore>> = area.store.locking(Some(rule(area)));
        fails("a rule for a store without locks", refused, ErrorKind::Unsupported)?;
        let extended = area.store.extend_lock(&key, &version, Timestamp::MAX_UTC).await;
        return fails("a lock on a store without locks", extended, ErrorKind::Unsupported);
    }
    let Some(now) = works("asking for the time", area.store.server_time().await)? else {
        return Err("a store with locks does not tell the time".to_owned());
    };
    let until = (now + WINDOW).trunc_subsecs(0);
    works("a first lock", locking(area)?.extend_lock(&key, &version, until).await)?;
    let found = retention(area, "free", &version).await?;
    expect("a first lock", found, Retention { mode: rule(area).mode, until })
}
