//! Checks records of drills, their files and what was said of them, on each replica.
//!
//! Signed files are read with every level. Files are looked for; their bytes are read and hashed with those levels
//! that read bytes, and only where no budget bounds what is read. What an order of erasure took is not missing.

use super::objects::damage_kind;
use super::report::{DamageKind, Level, VerifyOptions, VerifyReport};
use crate::vault::drill_copies::{WrongCopy, check_copies};
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;

/// Reports every copy that is damaged, or that a replica lacks.
pub(super) async fn check(vault: &Vault, options: &VerifyOptions<'_>, report: &mut VerifyReport) {
    let reads = matches!(options.level, Some(Level::Bytes | Level::Content)) && !options.scope.is_limited();
    let includes = |name: &str| name.is_empty() || options.scope.includes(name);
    let checked = match check_copies(vault, |replica| reads && includes(&replica.name)).await {
        Ok(checked) => checked,
        Err(error) => return report.add(damage_kind(&error), "", layout::DRILLS, with_causes(&error)),
    };
    for (replica, objects) in checked.objects.iter().filter(|(replica, _)| includes(replica)) {
        report.count(replica, *objects);
    }
    report.bytes_read += checked.bytes;
    report.drill_leftovers += checked.unneeded;
    report.warnings.extend(checked.warnings);
    for WrongCopy { replica, key, error, is_behind } in checked.wrong {
        if includes(&replica) {
            let kind = if is_behind { DamageKind::Behind } else { damage_kind(&error) };
            report.add(kind, &replica, key, with_causes(&error));
        }
    }
}
