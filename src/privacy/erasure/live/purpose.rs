//! What is to become of something live, by what the plan is for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::change::Sorted;
use crate::privacy::channels::Bounds;
use crate::privacy::erasure::correct::{Correction, corrected, wrong_in};
use crate::privacy::erasure::mask::{Kept, Mask, Masked, Stuck};
use crate::privacy::erasure::plan::{Purpose, pseudonym};
use crate::privacy::matching::Matcher;
use crate::privacy::passage::Channel;
use crate::restore::paths::{Place, place};

/// Takes a person out of an item of JSON: by its path, its bytes, and what of it stays. The same for the same.
pub type Masking = Arc<dyn Fn(&str, &[u8], &HashSet<Kept>) -> Result<Masked, Stuck> + Send + Sync>;

/// What becomes of what is live.
#[derive(Clone)]
pub enum Change {
    /// The person goes.
    Erasing(Masking),
    /// Right values stand where wrong ones did.
    Correcting(Arc<Correcting>),
    /// It is not shown for a while: no interface does that, so all of it is left to people.
    Hiding,
    /// It may be shown again: left to people as well.
    Showing,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Erasing(_) => "Erasing",
            Self::Correcting(_) => "Correcting",
            Self::Hiding => "Hiding",
            Self::Showing => "Showing",
        })
    }
}

/// Wrong and right values of a rectification. Personal data.
#[derive(Default)]
pub struct Correcting {
    /// What is wrong, and what is right.
    pub corrections: Vec<Correction>,
    /// What reading one item may cost.
    pub bounds: Bounds,
    /// Paths of what was read in the vault, as it is live, and has no wrong value in it. What cannot be read live
    /// (files, releases, models, settings) and is not among them is a task for people.
    pub clean: BTreeSet<String>,
}

/// The change that takes the person out; `seed` is that of the plan.
pub fn erasing(matcher: &Arc<Matcher>, bounds: &Bounds, seed: [u8; 32]) -> Change {
    let (matcher, bounds) = (Arc::clone(matcher), bounds.clone());
    Change::Erasing(Arc::new(move |path, bytes, kept| {
        let mask = Mask { matcher: &matcher, bounds: &bounds, pseudonym: &|own| pseudonym(&seed, own) };
        mask.json(path, bytes, kept)
    }))
}

/// The change of a plan: what it is for, what it corrects, and its seed.
pub fn change_of(
    purpose: Purpose,
    correcting: Correcting,
    matcher: &Arc<Matcher>,
    bounds: &Bounds,
    seed: [u8; 32],
) -> Change {
    match purpose {
        Purpose::Erasure => erasing(matcher, bounds, seed),
        Purpose::Rectification => Change::Correcting(Arc::new(correcting)),
        Purpose::Restriction => Change::Hiding,
        Purpose::Lift => Change::Showing,
    }
}

/// An item as it is to be, and what of it is left to people.
pub(super) struct Rewritten {
    pub(super) bytes: Vec<u8>,
    /// Places that change.
    pub(super) places: Vec<String>,
    /// Places at which a wrong value stands still, with the kind of each.
    pub(super) left: BTreeMap<String, Channel>,
}

impl Change {
    /// Whether it takes the person out.
    pub(super) fn is_erasing(&self) -> bool {
        matches!(self, Self::Erasing(_))
    }

    /// What it corrects, where it does.
    pub(super) fn correcting(&self) -> Option<&Arc<Correcting>> {
        match self {
            Self::Correcting(own) => Some(own),
            _ => None,
        }
    }

    /// Returns an item as it is to be.
    ///
    /// # Errors
    ///
    /// [`Stuck`], where the person cannot be taken out of it.
    pub(super) fn apply(&self, path: &str, bytes: &[u8], sorted: &Sorted) -> Result<Rewritten, Stuck> {
        match self {
            Self::Erasing(mask) => {
                let Masked { bytes, places } = mask(path, bytes, &sorted.kept)?;
                Ok(Rewritten { bytes, places, left: BTreeMap::new() })
            }
            Self::Correcting(own) => Ok(own.apply(path, bytes, &sorted.others())),
            Self::Hiding | Self::Showing => {
                Ok(Rewritten { bytes: bytes.to_vec(), places: Vec::new(), left: BTreeMap::new() })
            }
        }
    }
}

impl Correcting {
    /// Places of an item where a wrong value stands, but for those of `others`.
    pub(super) fn wrong(
        &self,
        path: &str,
        bytes: &[u8],
        others: &HashSet<String>,
    ) -> BTreeMap<String, Channel> {
        wrong_in(path, bytes, &self.bounds, &self.corrections, &|place| others.contains(place))
    }

    fn apply(&self, path: &str, bytes: &[u8], others: &HashSet<String>) -> Rewritten {
        // No interface renames a tag of the media library, and a file without it would be another file.
        let is_tag = |at: &str| matches!(place(path), Place::Asset { .. }) && at.starts_with("/tags");
        let stays = |at: &str| others.contains(at) || is_tag(at);
        let now = corrected(path, bytes, &self.bounds, &self.corrections, &stays);
        let left = self.wrong(path, &now.bytes, others);
        Rewritten { bytes: now.bytes, places: now.places, left }
    }
}
