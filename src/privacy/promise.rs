//! Until when copies of what a case erased can survive: what the case promises, and when that is reached.
//!
//! The promise is a day in the case. It is set when nobody has set one and every replica has a date, or by a person
//! who tells it somebody; from then on it stays, whatever comes: where a lock, a replica that is away or a longer
//! retention would break it, that is told (`status`, `privacy horizon`), and never quietly promised anew.

use chrono::{NaiveDate, NaiveTime};

use super::case::What;
use super::case::state::{Horizon as Promise, State};
use super::proof::evidence::{Evidence, ReplicaEvidence};
use super::proof::horizon::Horizon;
use crate::clock::Timestamp;

/// The last moment of a day, in UTC: what is promised for a day holds when the day is over.
pub fn end_of(day: NaiveDate) -> Timestamp {
    day.and_time(NaiveTime::MIN).and_utc() + chrono::TimeDelta::seconds(24 * 60 * 60 - 1)
}

/// What follows for the promise of a case from what was seen of its erasure, to be recorded in this order. Nothing
/// does where something of the person was seen that is no copy of what was erased, or where nobody could see: a
/// date for the rest would be read as one for all.
pub fn follows(state: &State, evidence: &Evidence) -> Vec<What> {
    if !is_sound(evidence) {
        return Vec::new();
    }
    let dates: Option<Vec<NaiveDate>> = evidence.replicas.iter().map(date).collect();
    let Some(last) = dates.into_iter().flatten().max() else { return Vec::new() };
    let is_reached = evidence.replicas.iter().all(is_reached);
    match (state.horizon, is_reached) {
        (None, false) => vec![What::HorizonSet { until: last }],
        (None, true) => vec![What::HorizonSet { until: last }, What::HorizonReached],
        (Some(Promise::Pending(_)), true) => vec![What::HorizonReached],
        (Some(Promise::Pending(_) | Promise::Reached), _) => Vec::new(),
    }
}

fn date(on: &ReplicaEvidence) -> Option<NaiveDate> {
    let at: Timestamp = on.horizon.as_ref()?.parse().ok()?;
    on.id.map(|_| at.date_naive())
}

/// Whether the look could find somebody, and found nobody in backups or on the machine that looked.
fn is_sound(evidence: &Evidence) -> bool {
    let sought = evidence.sought.is_none_or(|sought| sought.needles > 0);
    let local = evidence.local.iter().all(|own| own.leaks == 0 && own.unscanned == 0);
    let restored = evidence.restored.iter().all(|own| own.remaining == 0);
    let replicas = evidence.replicas.iter().all(|own| own.leaks == 0);
    evidence.canary && sought && local && restored && replicas
}

/// Whether nobody can read anything of it there, and that was seen.
fn is_reached(on: &ReplicaEvidence) -> bool {
    let is_over = on.unreadable.is_some() || on.gone.is_some();
    on.id.is_some() && is_over && on.leaks == 0 && on.unscanned == 0 && on.headers.1 == 0
}

/// The earliest day that can be promised, as far as replicas can be asked.
pub fn earliest(horizons: &[Horizon], now: Timestamp) -> NaiveDate {
    let last = horizons.iter().map(|own| own.earliest(now)).max().unwrap_or(now);
    last.max(now).date_naive()
}

/// Why what is promised for this day will not hold, or may not; replica by replica.
pub fn dangers(horizons: &[Horizon], promise: NaiveDate, now: Timestamp) -> Vec<(&str, String)> {
    let danger = |own: &Horizon| own.danger(end_of(promise), now);
    horizons.iter().filter_map(|own| Some((&*own.replica, danger(own)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::SnapshotId;
    use crate::privacy::proof::evidence::{LocalEvidence, RestoreEvidence, Sought};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn evidence(replicas: serde_json::Value) -> Evidence {
        serde_json::from_value(json!({
            "case": "2026-7K3F9Q", "plan": "07".repeat(32), "looked": "2026-11-20T10:00:00Z", "tool": "1",
            "live": [], "urls": [], "restored": [], "canary": true, "replicas": replicas,
        }))
        .unwrap()
    }

    fn replica(more: &serde_json::Value) -> serde_json::Value {
        let mut own = json!({
            "name": "near", "id": "5f".repeat(16), "unreadable": "2026-11-03T00:00:00Z",
            "gone": "2026-11-04T00:00:00Z", "horizon": "2026-11-03T00:00:00Z",
            "pending": 0, "scanned": [9, 9], "leaks": 0, "unscanned": 0, "headers": [4, 0],
        });
        for (name, value) in more.as_object().unwrap() {
            own[name] = value.clone();
        }
        own
    }

    fn state(horizon: Option<Promise>) -> State {
        State { horizon, ..State::received(Vec::new()) }
    }

    #[test]
    fn what_is_seen_sets_the_promise_once_and_says_when_it_is_reached() {
        let set = |text| What::HorizonSet { until: day(text) };
        let done = || replica(&json!({}));
        let locked = || {
            replica(&json!({ "name": "far", "unreadable": null, "gone": null, "pending": 3,
                             "horizon": "2026-12-24T08:00:00Z" }))
        };
        let all = evidence(json!([done(), done()]));
        assert!(follows(&state(None), &all) == [set("2026-11-03"), What::HorizonReached]);
        assert!(follows(&state(Some(Promise::Pending(day("2026-11-01")))), &all) == [What::HorizonReached]);
        assert!(follows(&state(Some(Promise::Reached)), &all).is_empty());
        let waits = evidence(json!([done(), locked()]));
        assert!(follows(&state(None), &waits) == [set("2026-12-24")]);
        // A later date is no other promise.
        assert!(follows(&state(Some(Promise::Pending(day("2026-12-01")))), &waits).is_empty());
    }

    #[test]
    fn nothing_is_promised_or_reached_that_was_not_seen() {
        let pending = state(Some(Promise::Pending(day("2026-12-01"))));
        for (what, more) in [
            ("away", json!({ "id": null, "horizon": null })),
            ("no date", json!({ "horizon": null, "unreadable": null, "gone": null })),
            ("an old header opened", json!({ "headers": [4, 1] })),
            ("found again", json!({ "leaks": 1 })),
            ("not looked into", json!({ "unscanned": 1 })),
            ("only a date", json!({ "unreadable": null, "gone": null })),
        ] {
            let seen = evidence(json!([replica(&json!({})), replica(&more)]));
            assert!(!follows(&pending, &seen).contains(&What::HorizonReached), "{what}");
            assert!(!follows(&state(None), &seen).contains(&What::HorizonReached), "{what}");
        }
        for more in [json!({ "id": null }), json!({ "horizon": null }), json!({ "horizon": "soon" })] {
            assert!(follows(&state(None), &evidence(json!([replica(&more)]))).is_empty(), "{more}");
        }
        let good = || evidence(json!([replica(&json!({}))]));
        let restored = |remaining| RestoreEvidence {
            repository: "blog".parse().unwrap(),
            snapshot: SnapshotId::new("2026-11-20T09:00:00Z".parse().unwrap()),
            items: 9,
            remaining,
        };
        let local =
            |leaks, unscanned| LocalEvidence { name: "cache".to_owned(), scanned: (1, 1), leaks, unscanned };
        let sought = |needles| Some(Sought { needles, weak: 1 });
        assert!(!follows(&pending, &good()).is_empty());
        let seen =
            Evidence { restored: vec![restored(0)], sought: sought(3), local: vec![local(0, 0)], ..good() };
        assert!(!follows(&pending, &seen).is_empty());
        for (what, unsound) in [
            ("the scanner found nothing planted", Evidence { canary: false, ..good() }),
            ("a snapshot names the person", Evidence { restored: vec![restored(0), restored(1)], ..good() }),
            ("nothing could be looked for", Evidence { sought: sought(0), ..good() }),
            ("in the cache", Evidence { local: vec![local(1, 0)], ..good() }),
            ("the cache could not be looked into", Evidence { local: vec![local(0, 1)], ..good() }),
        ] {
            assert!(
                follows(&pending, &unsound).is_empty() && follows(&state(None), &unsound).is_empty(),
                "{what}"
            );
        }
        assert!(follows(&state(None), &evidence(json!([]))).is_empty(), "without a replica");
    }

    #[test]
    fn a_promise_holds_to_the_end_of_its_day() {
        assert_eq!(end_of(day("2026-11-20")).to_rfc3339(), "2026-11-20T23:59:59+00:00");
    }
}
