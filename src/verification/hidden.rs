//! What somebody hid: objects that a plain reader of a bucket no longer sees, or sees with other
//! bytes, although they are there.
//!
//! All readers of the vault see through that, so nothing is lost, and verification ends with exit
//! code 3. It is told all the same: nobody but an intruder, or a mistake with other tools, deletes or
//! overwrites what is in a vault, and other tools cannot read what is hidden.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{DamageKind, VerifyOptions, VerifyReport};
use crate::progress::Problem;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::Replica;
use crate::vault::see_through::Hidden;
use crate::vault::snapshots::Snapshots;

/// What to do about it.
const HINT: &str =
    "it is read all the same, `prismvault repair` uncovers it; find out who may delete or overwrite there";

/// Reports those of `needed` that are hidden on a replica.
pub(super) fn objects<'a>(
    replica: &Replica,
    needed: impl IntoIterator<Item = &'a str>,
    report: &mut VerifyReport,
) {
    let hidden: BTreeMap<String, Hidden> =
        replica.hidden().into_iter().map(|hidden| (hidden.key.clone(), hidden)).collect();
    if hidden.is_empty() {
        return;
    }
    for hidden in needed.into_iter().filter_map(|key| hidden.get(key)) {
        add(replica, hidden, report);
    }
}

/// Reports what else is hidden: manifests, ledger, trust records and the files of the replica.
pub(super) fn signed_files(
    vault: &Vault,
    snapshots: &Snapshots,
    options: &VerifyOptions<'_>,
    report: &mut VerifyReport,
) {
    for replica in vault.replicas.live().filter(|replica| options.scope.includes(&replica.name)) {
        if let Some(why) = replica.is_blind() {
            let detail = format!(
                "whether anything is hidden on {} is not known ({why}); allow s3:ListBucketVersions",
                replica.name
            );
            report.warnings.push(Problem::new("hidden-not-known", replica.name.clone(), detail));
        }
        // What was removed is about to go; it is kept readable, but nobody relies on it.
        let removed: BTreeSet<&str> =
            snapshots.removed().iter().map(|snapshot| snapshot.manifest.key.as_str()).collect();
        for hidden in replica.hidden() {
            let file = layout::signed_file(&hidden.key);
            if layout::promised_digest(&hidden.key).is_none()
                && !removed.contains(file)
                && !file.starts_with(layout::MARKS)
            {
                add(replica, &hidden, report);
            }
        }
    }
}

fn add(replica: &Replica, hidden: &Hidden, report: &mut VerifyReport) {
    let detail = format!("{}; {HINT}", hidden.describe());
    report.add(DamageKind::Hidden, &replica.name, hidden.key.clone(), detail);
}
