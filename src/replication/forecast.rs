//! What carrying a plan out costs: requests and bytes on each replica.

use std::collections::{BTreeMap, HashSet};

use super::plan::{How, Plan};
use crate::objects::traffic::Traffic;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::Replica;

/// Forecasts requests and bytes for each replica, if every first source has a good copy.
pub fn traffic_of(plan: &Plan, vault: &Vault) -> BTreeMap<String, Traffic> {
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
            confirmed(own, vault, &target.replica, objects, signed);
            if let Some(from) = copy.from.first().filter(|_| read.insert(&copy.key)) {
                let source = traffic.entry(from.clone()).or_default();
                source.bytes_read += copy.size;
                // Signed files are read once more, to be checked with their signature.
                source.get += if signed { objects * 3 } else { 1 };
            }
        }
        for snapshot in &target.snapshots {
            let own = traffic.entry(target.replica.clone()).or_default();
            own.objects += 2;
            own.put += 2;
            confirmed(own, vault, &target.replica, 2, true);
            if let Some(from) = snapshot.from.first().filter(|_| read.insert(snapshot.snapshot.as_str())) {
                let source = traffic.entry(from.clone()).or_default();
                source.get += 6;
            }
        }
    }
    traffic
}

/// Counts how what was put is confirmed: what is not named by its digest is read back where it is
/// not known that the store refuses a second put; the rest is looked up where the answer of the put
/// itself does not count.
fn confirmed(own: &mut Traffic, vault: &Vault, replica: &str, objects: u64, signed: bool) {
    let replica = vault.replicas.named(replica);
    if signed && !replica.is_none_or(Replica::refuses_second_puts) {
        own.get += objects;
    } else if !replica.is_some_and(Replica::answers_for_puts) {
        own.head += objects;
    }
}
