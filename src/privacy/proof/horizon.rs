//! The horizon of an erasure: the last date on which any copy can survive, replica by replica.
//!
//! In an encrypted vault it is the date on which no header of a pack with the person is left, for then nobody can
//! read it, also where a lock keeps the body; without encryption there is no key to destroy, and it is the date on
//! which everything is deleted. Nothing here guesses: what is not known has no date.

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, rfc3339};
use crate::ids::ReplicaId;
use crate::vault::format::receipt::{Pending, Receipt};
use crate::vault::layout;

/// Until when a copy can survive on one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// None can, since then.
    Reached(Timestamp),
    /// A lock keeps one until then, and nothing renews it.
    Locked(Timestamp),
    /// Nobody can say, and why.
    Unknown(String),
}

/// What is known of an erasure on one replica.
#[derive(Debug, Clone)]
pub struct OnReplica<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its id, where it is known.
    pub id: Option<ReplicaId>,
    /// Why it takes no part, where it does not.
    pub failure: Option<String>,
    /// For each order of the case its last receipt; `None` where nobody has begun.
    pub receipts: Vec<Option<&'a Receipt>>,
    /// For how long the store locks what is put there, in days.
    pub lock_days: Option<i64>,
}

/// The horizon of one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Horizon {
    /// Name of the replica.
    pub replica: String,
    /// Its id, where it is known.
    pub id: Option<ReplicaId>,
    /// Since when nobody can open any of the packs, RFC 3339; never in a vault without encryption.
    pub unreadable: Option<String>,
    /// Since when nothing of them is there, RFC 3339.
    pub gone: Option<String>,
    /// Objects that are still there.
    pub pending: u64,
    /// Until when a copy can survive.
    pub until: Until,
    /// For how long the store locks what is put there, in days.
    pub lock_days: Option<i64>,
}

/// Computes the horizon of a replica.
pub fn horizon(on: &OnReplica<'_>, encrypted: bool) -> Horizon {
    let begun: Vec<&Receipt> = on.receipts.iter().flatten().copied().collect();
    let is_begun = begun.len() == on.receipts.len() && !begun.is_empty();
    // Of all orders: the last, and only where each has one.
    let last = |date: fn(&Receipt) -> Option<&String>| {
        let dates: Option<Vec<&String>> = begun.iter().map(|receipt| date(receipt)).collect();
        dates.filter(|_| is_begun)?.into_iter().max_by_key(|text| time(text)).cloned()
    };
    let unreadable = last(|receipt| receipt.unreadable.as_ref()).filter(|_| encrypted);
    let gone = last(|receipt| receipt.gone.as_ref());
    let until = match &on.failure {
        Some(why) => Until::Unknown(format!("it takes no part: {why}")),
        None if on.id.is_none() => Until::Unknown("nobody knows which replica it is".to_owned()),
        None if !is_begun => Until::Unknown("nothing was destroyed there yet".to_owned()),
        None => {
            let of = begun.iter().map(|receipt| of_receipt(receipt, encrypted));
            of.reduce(later).unwrap_or_else(|| Until::Unknown("there is no order".to_owned()))
        }
    };
    Horizon {
        replica: on.name.to_owned(),
        id: on.id,
        unreadable,
        gone,
        pending: begun.iter().map(|receipt| receipt.pending).sum(),
        until,
        lock_days: on.lock_days,
    }
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn of_receipt(receipt: &Receipt, encrypted: bool) -> Until {
    let over = match encrypted {
        true => receipt.unreadable.as_ref().or(receipt.gone.as_ref()),
        false => receipt.gone.as_ref(),
    };
    if let Some(over) = over {
        return time(over)
            .map_or_else(|| Until::Unknown("its receipt has no date".to_owned()), Until::Reached);
    }
    if (receipt.listed.len() as u64) < receipt.pending {
        return Until::Unknown(format!("{} objects are left, and not all are listed", receipt.pending));
    }
    let is_of_content = |left: &&Pending| {
        let key = layout::parse_damaged(&left.key).unwrap_or(&left.key);
        // Of an encrypted pack it is the header that counts; a file of a drill has its own. What is told of a pack as a whole is not begun.
        !encrypted
            || layout::parse_header(key).is_some()
            || layout::parse_drill_file(key).is_some()
            || left.until.is_none()
    };
    let left =
        receipt.listed.iter().filter(is_of_content).map(|left| match left.until.as_deref().map(time) {
            Some(Some(until)) => Until::Locked(until),
            Some(None) => Until::Unknown("the end of a lock is no date".to_owned()),
            None => Until::Unknown(format!("{} is still there: {}", left.key, left.why)),
        });
    left.reduce(later).unwrap_or_else(|| {
        Until::Unknown("its receipt says neither that it is over nor what is left".to_owned())
    })
}

/// What both leave: the later date, and nothing known where one is not.
fn later(one: Until, other: Until) -> Until {
    let rank = |until: &Until| match until {
        Until::Reached(at) => (0, Some(*at)),
        Until::Locked(at) => (1, Some(*at)),
        Until::Unknown(_) => (2, None),
    };
    if rank(&other) > rank(&one) { other } else { one }
}

impl Horizon {
    /// The date, RFC 3339; `None` where nobody knows it.
    pub fn date(&self) -> Option<String> {
        match &self.until {
            Until::Reached(at) | Until::Locked(at) => Some(rfc3339(*at)),
            Until::Unknown(_) => None,
        }
    }

    /// Whether nothing is left that anybody could read.
    pub fn is_reached(&self) -> bool {
        matches!(self.until, Until::Reached(_))
    }

    /// Why what was promised for `promise` will not hold, or may not; `None` while nothing speaks against it.
    /// Where nothing was destroyed yet, it is in danger as soon as the locks of the replica last longer.
    pub fn danger(&self, promise: Timestamp, now: Timestamp) -> Option<String> {
        let (replica, day) = (&self.replica, promise.date_naive());
        match &self.until {
            Until::Reached(_) => None,
            Until::Locked(at) if *at > promise => Some(format!(
                "a lock of replica {replica} keeps a copy until {}, and {day} was promised",
                at.date_naive()
            )),
            Until::Locked(_) if now > promise => {
                Some(format!("a copy is still on replica {replica}, and {day} was promised"))
            }
            Until::Locked(_) => None,
            Until::Unknown(why) if self.earliest(now) > promise => Some(format!(
                "nobody knows until when a copy survives on replica {replica} ({why}), and {day} was promised"
            )),
            Until::Unknown(_) => None,
        }
    }

    /// The earliest that can be promised of this replica: what is known, and where nothing was destroyed yet the end
    /// of a lock that begins now.
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        match &self.until {
            Until::Reached(at) | Until::Locked(at) => *at,
            Until::Unknown(_) => {
                let lock = chrono::TimeDelta::try_days(self.lock_days.unwrap_or(0));
                lock.and_then(|lock| now.checked_add_signed(lock)).unwrap_or(Timestamp::MAX_UTC)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, random};

    const HEADER: &str = "keys/blog/";
    const BODY: &str = "packs/blog/";

    fn at(day: u32) -> Timestamp {
        format!("2026-11-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn pending(what: &str, until: Option<u32>) -> Pending {
        let digest = Digest([1; 32]);
        let key = if what == HEADER { format!("{what}{digest}.{digest}") } else { format!("{what}{digest}") };
        Pending { key, until: until.map(|day| rfc3339(at(day))), why: "locked".to_owned() }
    }

    fn receipt(unreadable: Option<u32>, gone: Option<u32>, listed: Vec<Pending>) -> Receipt {
        Receipt {
            order: Digest([2; 32]),
            replica: ReplicaId(random()),
            at: rfc3339(at(9)),
            packs: Vec::new(),
            unreadable: unreadable.map(|day| rfc3339(at(day))),
            gone: gone.map(|day| rfc3339(at(day))),
            pending: listed.len() as u64,
            listed,
        }
    }

    fn of(receipts: Vec<Option<&Receipt>>, encrypted: bool) -> Horizon {
        let id = Some(ReplicaId(random()));
        horizon(&OnReplica { name: "near", id, failure: None, receipts, lock_days: None }, encrypted)
    }

    #[test]
    fn the_horizon_follows_from_receipts() {
        let is_unknown = |horizon: &Horizon| matches!(horizon.until, Until::Unknown(_));
        let done = receipt(Some(3), Some(4), vec![]);
        assert_eq!(of(vec![Some(&done)], true).until, Until::Reached(at(3)));
        assert_eq!(of(vec![Some(&done)], false).until, Until::Reached(at(4)), "without a key: deleted");
        assert_eq!(of(vec![Some(&done)], false).unreadable, None);
        // Only the body is locked: nobody reads it.
        let body = receipt(Some(3), None, vec![pending(BODY, Some(20))]);
        assert_eq!(of(vec![Some(&body)], true).until, Until::Reached(at(3)));
        let plain = receipt(None, None, vec![pending(BODY, Some(20)), pending("index/blog/", Some(21))]);
        assert_eq!(of(vec![Some(&plain)], false).until, Until::Locked(at(21)));
        let header = receipt(None, None, vec![pending(HEADER, Some(15)), pending(BODY, Some(20))]);
        let locked = of(vec![Some(&header)], true);
        assert_eq!((locked.until.clone(), locked.pending), (Until::Locked(at(15)), 2));
        // The last of several orders decides, and what is unknown of one is unknown of all.
        assert_eq!(of(vec![Some(&done), Some(&header)], true).until, Until::Locked(at(15)));
        assert!(is_unknown(&of(vec![Some(&done), None], true)));
        assert_eq!(of(vec![Some(&done), None], true).gone, None, "not of all orders");
        assert!(is_unknown(&of(vec![], true)));
        assert!(is_unknown(&of(vec![Some(&receipt(None, None, vec![pending(BODY, None)]))], true)));
        assert!(is_unknown(&of(vec![Some(&Receipt { pending: 5_000, ..header.clone() })], true)));
        let away = OnReplica {
            name: "far",
            id: None,
            failure: Some("no route".to_owned()),
            receipts: vec![Some(&done)],
            lock_days: None,
        };
        assert!(is_unknown(&horizon(&away, true)));
    }

    #[test]
    fn a_promise_in_danger_is_told_before_it_is_broken() {
        let done = receipt(Some(3), Some(4), vec![]);
        let header = receipt(None, None, vec![pending(HEADER, Some(15))]);
        let locking = |receipts: Vec<Option<&Receipt>>, lock_days: Option<i64>| Horizon {
            lock_days,
            ..of(receipts, true)
        };
        let (reached, locked) =
            (locking(vec![Some(&done)], Some(30)), locking(vec![Some(&header)], Some(30)));
        let open = |lock_days: Option<i64>| locking(vec![None], lock_days);
        assert_eq!(reached.danger(at(2), at(9)), None, "it is over");
        assert_eq!(locked.danger(at(16), at(9)), None);
        assert!(locked.danger(at(14), at(9)).unwrap().contains("2026-11-14"));
        assert!(locked.danger(at(16), at(17)).is_some(), "the day is over");
        assert_eq!(open(Some(14)).danger(at(28), at(9)), None);
        assert!(open(Some(14)).danger(at(20), at(9)).is_some(), "the lock alone lasts longer");
        assert!(open(None).danger(at(8), at(9)).is_some());
        assert_eq!((reached.earliest(at(9)), locked.earliest(at(9))), (at(3), at(15)));
        assert_eq!((open(Some(14)).earliest(at(1)), open(None).earliest(at(1))), (at(15), at(1)));
        // A lock without end promises nothing.
        assert_eq!(open(Some(i64::MAX)).earliest(at(1)), Timestamp::MAX_UTC);
    }
}
