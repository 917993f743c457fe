//! What carrying a plan out costs: requests and bytes on each replica.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::plan::{How, Plan};
use crate::vault::layout;

/// Requests and bytes that copying takes on one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Objects written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes read from it.
    pub bytes_read: u64,
    /// PUT requests.
    pub put: u64,
    /// GET requests.
    pub get: u64,
    /// HEAD requests.
    pub head: u64,
    /// LIST requests of the plan, of up to 1,000 keys each; they are made by then.
    pub list: u64,
}

/// Forecasts requests and bytes for each replica, if every first source has a good copy. On a store
/// that was never probed, signed files are read back instead of looked up.
pub fn traffic_of(plan: &Plan, range_bytes: u64) -> BTreeMap<String, Traffic> {
    let listed =
        plan.lists.iter().map(|(name, list)| (name.clone(), Traffic { list: *list, ..Traffic::default() }));
    let mut traffic: BTreeMap<String, Traffic> = listed.collect();
    // An object that goes to several replicas is read once.
    let mut read: HashSet<&str> = HashSet::new();
    for target in &plan.targets {
        for copy in &target.copies {
            let own = traffic.entry(target.replica.clone()).or_default();
            if copy.how == How::Unconfirmed {
                own.head += 1;
                continue;
            }
            let signed = layout::promised_digest(&copy.key).is_none();
            let objects = 1 + u64::from(signed && layout::signed_file(&copy.key) == copy.key);
            own.objects += objects;
            own.bytes += copy.size;
            own.put += objects;
            own.head += objects;
            if let Some(from) = copy.from.first().filter(|_| read.insert(&copy.key)) {
                let source = traffic.entry(from.clone()).or_default();
                source.bytes_read += copy.size;
                source.head += objects;
                // Signed files are read once more, to be checked with their signature.
                source.get +=
                    if signed { objects * 3 } else { copy.size.div_ceil(range_bytes.max(1)).max(1) };
            }
        }
        for snapshot in &target.snapshots {
            let own = traffic.entry(target.replica.clone()).or_default();
            own.objects += 2;
            own.put += 2;
            own.head += 2;
            if let Some(from) = snapshot.from.first().filter(|_| read.insert(snapshot.snapshot.as_str())) {
                let source = traffic.entry(from.clone()).or_default();
                source.head += 2;
                source.get += 6;
            }
        }
    }
    traffic
}
