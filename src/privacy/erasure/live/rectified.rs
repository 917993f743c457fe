//! What is live after a rectification: wrong values that are still there, and right ones that are not.
//!
//! Wrong are only documents and metadata about the person: those of the plan, and others in which the person is
//! found by what nobody decided to be somebody else. The same words elsewhere may be right.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::look::{Kind, Planned, Seen, in_master};
use super::purpose::Correcting;
use super::read::Item;
use super::{Cause, Live};
use crate::ids::Name;
use crate::prismic::parse_json;
use crate::privacy::erasure::correct::{is_right_at, is_right_in};
use crate::privacy::matching::Finding;
use crate::privacy::passage::Channel;

impl Live<'_> {
    /// Counts places of items where a wrong value stands, and places that were written and say no right one.
    pub(super) async fn take_corrected(
        &self,
        own: &Arc<Correcting>,
        name: &Name,
        items: Vec<Item>,
        planned: &Planned<'_>,
        seen: &mut Seen,
    ) -> Result<(), Cause> {
        let all = items.iter().map(|item| Item { path: item.path.clone(), bytes: item.bytes.clone() });
        let found = self.found(all.collect()).await?.into_iter();
        let mut found: HashMap<String, Vec<Finding>> =
            found.map(|(item, found)| (item.path, found)).collect();
        for item in items {
            let path = item.path.clone();
            let sorted = self.sorted(name, &path, found.remove(&path).unwrap_or_default());
            let is_planned = [&*path, in_master(&path)].iter().any(|own| planned.paths.contains(own));
            if !is_planned && sorted.goes.is_empty() && sorted.undecided == 0 {
                continue;
            }
            let written = planned.written.get(&*path).cloned().unwrap_or_default();
            let (own, others) = (Arc::clone(own), sorted.others());
            let looking = tokio::task::spawn_blocking(move || {
                let wrong = own.wrong(&item.path, &item.bytes, &others);
                let lacking = own.lacking(&item, written);
                (wrong, lacking)
            });
            let looked = looking.await.expect("looking through an item does not panic");
            let (wrong, lacking): (BTreeMap<String, Channel>, Vec<String>) = looked;
            let is_decided = is_planned || !sorted.goes.is_empty();
            for (place, channel) in wrong {
                let kind = Kind::of(&place, channel);
                seen.count_place(&path, place, kind, is_decided);
            }
            for place in lacking {
                let place = format!("{place} (without the right value)");
                seen.count_place(&path, place, Kind::Other, is_decided);
            }
        }
        Ok(())
    }
}

impl Correcting {
    /// Of the places that were written those where no right value stands. One that an editor moved since stands
    /// elsewhere in the item.
    fn lacking(&self, item: &Item, mut written: Vec<String>) -> Vec<String> {
        let Ok(value) = parse_json(&item.bytes) else { return written };
        written.retain(|place| !is_right_at(&value, place, &self.corrections));
        let has = || is_right_in(&item.path, &item.bytes, &self.bounds, &self.corrections);
        if written.is_empty() || has() { Vec::new() } else { written }
    }
}
