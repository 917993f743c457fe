//! What becomes of one item.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;

use super::super::correct::{Correction, corrected};
use super::super::mask::{Kept, Mask, Read};
use super::super::strip::{same_pixels, stripped};
use crate::privacy::channels::Bounds;
use crate::privacy::search::findings_in;
use crate::vault::item::ItemKind;

/// Why a model is neither masked as a whole nor withheld.
const NEEDED: &str = "models and settings of a repository are needed to restore anything; change it in Prismic, and take a snapshot";

/// What becomes of an item.
pub(super) enum Becomes {
    Masked { bytes: Vec<u8>, places: Vec<String> },
    Removed,
    Corrected { bytes: Vec<u8>, places: Vec<String> },
    Restricted,
    Stays,
}

/// What becomes of an item, what of it stays by place and why, and which corrections occur in it.
pub(super) struct Changed {
    pub(super) becomes: Becomes,
    pub(super) left: BTreeMap<String, &'static str>,
    pub(super) seen: BTreeSet<usize>,
}

impl From<Becomes> for Changed {
    fn from(becomes: Becomes) -> Self {
        let left = match becomes {
            Becomes::Stays => BTreeMap::from([(String::new(), NEEDED)]),
            _ => BTreeMap::new(),
        };
        Self { becomes, left, seen: BTreeSet::new() }
    }
}

/// Takes the person out of an item.
pub(super) fn erased(mask: &Mask<'_>, path: &str, bytes: &Bytes, kept: &HashSet<Kept>) -> Changed {
    let becomes = match ItemKind::of_path(path) {
        Some(ItemKind::Asset) | None => {
            // Without pixels that can be compared, all of it goes.
            let left = stripped(bytes).filter(|left| same_pixels(bytes, left) != Some(false));
            match left.filter(|left| is_clean(mask, path, left, kept)) {
                Some(bytes) => Becomes::Masked { bytes, places: vec!["metadata of the picture".to_owned()] },
                None => Becomes::Removed,
            }
        }
        Some(kind) => match mask.json(path, bytes, kept) {
            Ok(masked) => Becomes::Masked { bytes: masked.bytes, places: masked.places },
            Err(_) if matches!(kind, ItemKind::Document | ItemKind::AssetMetadata) => Becomes::Removed,
            Err(_) => Becomes::Stays,
        },
    };
    becomes.into()
}

/// Puts right values into an item, but where only somebody else was found or what is kept.
pub(super) fn right(
    path: &str,
    bytes: &Bytes,
    bounds: &Bounds,
    corrections: &[Correction],
    others: &HashSet<String>,
) -> Changed {
    let now = corrected(path, bytes, bounds, corrections, &|place| others.contains(place));
    let becomes = match now.places.is_empty() {
        true => Becomes::Stays,
        false => Becomes::Corrected { bytes: now.bytes, places: now.places },
    };
    Changed { becomes, left: now.left, seen: now.seen }
}

/// Withholds an item; what everything else of a snapshot needs stays.
pub(super) fn withheld(path: &str) -> Changed {
    match ItemKind::of_path(path) {
        Some(ItemKind::Model | ItemKind::Repository | ItemKind::Page) => Becomes::Stays.into(),
        Some(ItemKind::Document | ItemKind::AssetMetadata | ItemKind::Asset) | None => {
            Becomes::Restricted.into()
        }
    }
}

/// Whether a search finds nothing in it that was to go.
fn is_clean(mask: &Mask<'_>, path: &str, bytes: &[u8], kept: &HashSet<Kept>) -> bool {
    let texts = Read::of(path, bytes, mask.bounds);
    findings_in(mask.matcher, &texts.0).iter().all(|finding| kept.contains(&Kept::of(finding)))
}
