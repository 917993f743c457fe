//! One index object in place of several.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::format::index::PackRecord;
use super::index::Headers;
use super::open::Vault;
use super::space::read_index;
use crate::ids::{Digest, Name};

/// Returns what several index objects say of these packs; of a pack that several describe, once, with a
/// header that the ledger does not name: of those it knows by itself.
///
/// # Errors
///
/// Those of [`read_index`].
pub async fn merged(
    vault: &Vault,
    space: &Name,
    indexes: &[Digest],
    wanted: &BTreeSet<Digest>,
    headers: &Headers,
) -> Result<BTreeMap<Digest, PackRecord>> {
    let mut packs: BTreeMap<Digest, PackRecord> = BTreeMap::new();
    for index in indexes {
        let file = read_index(vault, space, index).await?;
        let records = file.packs.into_iter().filter(|record| wanted.contains(&record.id));
        for record in records {
            let kept = packs.entry(record.id).or_insert_with(|| record.clone());
            let named = headers.rewrapped.get(&record.id).into_iter().flatten();
            let is_named =
                kept.header.is_some_and(|own| named.clone().any(|one| (one.header, one.size) == own));
            if kept.header == record.header {
                kept.trust = kept.trust.max(record.trust);
            } else if is_named {
                (kept.header, kept.trust) = (record.header, record.trust);
            }
        }
    }
    Ok(packs)
}
