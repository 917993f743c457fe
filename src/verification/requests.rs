//! Checks the files of data-subject requests on each replica, by signature and place in their row.

use super::objects::damage_kind;
use super::report::{DamageKind, VerifyOptions, VerifyReport};
use crate::objects::ErrorKind as StoreKind;
use crate::vault::error::ErrorKind;
use crate::vault::layout;
use crate::vault::open::Vault;
use crate::vault::replica::with_causes;
use crate::vault::requests::check_copies;

/// Reports every file of a case that is damaged on a replica, or that it lacks.
pub(super) async fn check(vault: &Vault, options: &VerifyOptions<'_>, report: &mut VerifyReport) {
    let wrong = match check_copies(vault).await {
        Ok(wrong) => wrong,
        Err(error) => return report.add(damage_kind(&error), "", layout::REQUESTS, with_causes(&error)),
    };
    for (replica, key, error) in wrong {
        if !replica.is_empty() && !options.scope.includes(&replica) {
            continue;
        }
        let kind = match error.kind {
            // It was away when that was recorded.
            ErrorKind::Store(StoreKind::NotFound) => DamageKind::Behind,
            _ => damage_kind(&error),
        };
        report.add(kind, &replica, key, with_causes(&error));
    }
}
