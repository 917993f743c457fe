//! Verifying a part at a time: what was verified longest ago comes first.
//!
//! A vault of many years cannot be read every night. With a sample or a longest duration, every
//! run takes the packs that were verified least recently (never, before all others), on whichever
//! replica they lie; what it found good is remembered, so the next run goes on where it stopped.
//! The order is the same for the same state. Listings, signed files and catalogs are looked at
//! in every run: that costs little.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::memory::{Memory, unit_of};
use super::objects::{Object, check_object, note_object, object_level, presence};
use super::report::{Level, VerifyOptions, VerifyReport};
use crate::clock::Timestamp;
use crate::ids::{Digest, Name};
use crate::progress::Phase;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::needs::{Needed, Needs};
use crate::vault::open::Vault;
use crate::vault::reader::Reader;
use crate::vault::replica::Replica;
use crate::vault::snapshots::Snapshot;
use crate::vault::space::Space;

/// A part of all bytes, above nothing and at most everything; in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        number
            .filter(|percent| *percent >= 0.0001 && *percent <= 100.0)
            .map(|percent| Self((percent * 10_000.0).round() as u32))
            .ok_or_else(|| format!("{text:?} is not a share; write 5% or 0.5%, at most 100%"))
    }
}

/// What of the vault is looked at, and for how long.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these replicas; empty: all.
    pub replicas: Vec<String>,
    /// This share of the bytes on each replica, in each space, and at least one pack.
    pub sample: Option<Share>,
    /// No new object is begun after this time. Decrypting content gets the second half of it.
    pub max_duration: Option<Duration>,
    /// Whether what is found good is remembered in the vault. A read-only look leaves no trace.
    pub remember: bool,
}

impl Scope {
    /// Whether a replica is looked at.
    pub fn includes(&self, replica: &str) -> bool {
        self.replicas.is_empty() || self.replicas.iter().any(|name| name == replica)
    }

    /// Whether only a part is looked at.
    pub fn is_limited(&self) -> bool {
        self.sample.is_some() || self.max_duration.is_some()
    }
}

/// A time that is so much later.
pub(super) fn after(now: Timestamp, longest: Duration) -> Timestamp {
    let longest = chrono::TimeDelta::from_std(longest).unwrap_or(chrono::TimeDelta::MAX);
    now.checked_add_signed(longest).unwrap_or(Timestamp::MAX_UTC)
}

/// A pack with its header, or an index object, on one replica.
struct Unit<'a> {
    last: Option<Timestamp>,
    space: &'a Name,
    digest: Digest,
    replica: usize,
    objects: Vec<Object>,
}

impl Unit<'_> {
    fn bytes(&self) -> u64 {
        self.objects.iter().filter_map(|object| object.size).sum()
    }
}

/// Looks at the objects that were verified least recently, as many as the budget allows; what it
/// finds is in the report.
pub(super) async fn check(
    vault: &Vault,
    by_space: &BTreeMap<&Name, Vec<&Snapshot>>,
    memory: &Memory,
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) -> Result<()> {
    let (units, all) = in_turn(vault, by_space, memory, options).await?;
    // Half of what is left by now, if content comes after it.
    let until = report.until.map(|until| match options.level {
        Some(Level::Content) => until - (until - vault.now()).max(chrono::TimeDelta::zero()) / 2,
        _ => until,
    });
    options.progress.start(Phase::Verify, Some(units.len() as u64));
    let mut done = 0;
    let goes_on = || !options.cancel.is_cancelled() && until.is_none_or(|until| vault.now() < until);
    let mut checks = stream::iter(units.into_iter().take_while(|_| goes_on()))
        .map(|unit| async move {
            let replica = &vault.replicas.all()[unit.replica];
            let level = object_level(replica, options)?;
            let mut results = Vec::new();
            for object in unit.objects {
                let result = check_object(replica, level, &object).await;
                results.push((object, result));
            }
            Ok::<_, VaultError>((replica, level, unit.digest, results))
        })
        .buffered(vault.limits().store_concurrency);
    while let Some(checked) = checks.next().await {
        let (replica, level, unit, results): (&Replica, Level, Digest, _) = checked?;
        done += 1;
        report.looked_at.push(unit);
        let before = report.bytes_read;
        for (object, result) in results {
            note_object(replica, level, object, result, report);
        }
        options.progress.advance(Phase::Verify, 1, report.bytes_read - before);
    }
    options.progress.finish(Phase::Verify);
    report.left = (all - done) as u64;
    Ok(())
}

/// Returns what a sample takes, the least recently verified first, and how much there is in all.
async fn in_turn<'a>(
    vault: &Vault,
    by_space: &BTreeMap<&'a Name, Vec<&Snapshot>>,
    memory: &Memory,
    options: &VerifyOptions<'_>,
) -> Result<(Vec<Unit<'a>>, usize)> {
    let mut units = Vec::new();
    for (space, snapshots) in by_space {
        units.extend(units_of(vault, space, snapshots, memory, options).await?);
    }
    let all = units.len();
    Ok((sampled(units, options.scope.sample), all))
}

/// Returns the objects that a sample takes: the number of their replica, the pack or index object
/// that they belong to, and themselves.
pub(super) async fn chosen(
    vault: &Vault,
    by_space: &BTreeMap<&Name, Vec<&Snapshot>>,
    memory: &Memory,
    options: &VerifyOptions<'_>,
) -> Result<Vec<(usize, Digest, Vec<Object>)>> {
    let (units, _) = in_turn(vault, by_space, memory, options).await?;
    Ok(units.into_iter().map(|unit| (unit.replica, unit.digest, unit.objects)).collect())
}

/// Returns what there is to be looked at in a space; what is wrong by the listings is found again,
/// and reported, by whoever compares them.
async fn units_of<'a>(
    vault: &Vault,
    name: &'a Name,
    snapshots: &[&Snapshot],
    memory: &Memory,
    options: &VerifyOptions<'_>,
) -> Result<Vec<Unit<'a>>> {
    let space = Space::load(vault, name).await?;
    let reader = Reader::new(vault, &space);
    let mut needs = Needs::new(&reader, &space);
    let mut readable = Vec::new();
    for snapshot in snapshots {
        match needs.of(&snapshot.manifest).await {
            Ok(needed) => readable.push((*snapshot, needed)),
            Err(error) if error.kind == ErrorKind::Identity => return Err(error),
            // Reported by whoever reads the catalogs next.
            Err(_) => {}
        }
    }
    let mut units = Vec::new();
    for (at, replica) in vault.replicas.all().iter().enumerate() {
        if !replica.is_live() || !options.scope.includes(&replica.name) {
            continue;
        }
        let needed = Needed::on(replica, &readable);
        let objects = presence(&space, at, replica, &needed, &mut VerifyReport::default());
        let mut of_unit: BTreeMap<Digest, Vec<Object>> = BTreeMap::new();
        for object in objects {
            of_unit.entry(unit_of(&object.key).unwrap_or(object.digest)).or_default().push(object);
        }
        let level = match options.level {
            Some(Level::Content) => Level::Content,
            _ => object_level(replica, options)?,
        };
        units.extend(of_unit.into_iter().map(|(digest, objects)| Unit {
            last: memory.last(&replica.name, name, &digest, level, vault.now()),
            space: name,
            digest,
            replica: at,
            objects,
        }));
    }
    Ok(units)
}

/// Sorts, the least recently verified first, and takes a share of the bytes on each replica in
/// each space; so after as many runs as it takes, everything was looked at.
fn sampled(mut units: Vec<Unit<'_>>, share: Option<Share>) -> Vec<Unit<'_>> {
    units.sort_by(|a, b| (a.last, a.space, a.digest, a.replica).cmp(&(b.last, b.space, b.digest, b.replica)));
    let Some(Share(share)) = share else { return units };
    let mut total: BTreeMap<(&Name, usize), (u64, u64)> = BTreeMap::new();
    for unit in &units {
        total.entry((unit.space, unit.replica)).or_default().0 += unit.bytes();
    }
    units.retain(|unit| {
        let (all, taken) = total.entry((unit.space, unit.replica)).or_default();
        let goes_on = *taken == 0 || u128::from(*taken) * 1_000_000 < u128::from(share) * u128::from(*all);
        *taken += if goes_on { unit.bytes().max(1) } else { 0 };
        goes_on
    });
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_type_them() {
        for (typed, expected) in [("5%", Some(50_000)), ("0.5%", Some(5_000)), ("100%", Some(1_000_000))] {
            assert_eq!(typed.parse::<Share>().ok(), expected.map(Share), "{typed}");
        }
        for wrong in ["", "5", "0%", "-1%", "101%", "%", "x%", "NaN%", "inf%"] {
            let error = wrong.parse::<Share>().unwrap_err();
            assert!(error.contains("5%"), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_was_never_verified_comes_first_and_a_share_takes_at_least_one() {
        let space: Name = "blog".parse().unwrap();
        let day = |day: u32| {
            let date = chrono::NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
            Some(date.and_hms_opt(0, 0, 0).unwrap().and_utc())
        };
        let make = || -> Vec<Unit<'_>> {
            [(1, day(3), 50), (2, None, 30), (3, day(1), 10), (4, day(2), 10)]
                .into_iter()
                .map(|(n, last, size)| Unit {
                    last,
                    space: &space,
                    digest: Digest([n; 32]),
                    replica: 0,
                    objects: vec![Object { key: String::new(), size: Some(size), digest: Digest([n; 32]) }],
                })
                .collect()
        };
        let order = |share: Option<&str>| {
            let units = sampled(make(), share.map(|share| share.parse().unwrap()));
            units.iter().map(|unit| unit.digest.0[0]).collect::<Vec<_>>()
        };
        assert_eq!(order(None), [2, 3, 4, 1]);
        assert_eq!(order(Some("1%")), [2]);
        assert_eq!(order(Some("30%")), [2]);
        assert_eq!(order(Some("31%")), [2, 3]);
        assert_eq!(order(Some("100%")), [2, 3, 4, 1]);
    }
}
