//! The audit log, as a part of verification.

use super::budget::Scope;
use super::report::{DamageKind, VerifyReport};
use crate::vault::audit::{AuditLog, FindingKind};
use crate::vault::error::Result;
use crate::vault::open::Vault;
use crate::vault::snapshots::Snapshots;

/// Reads the audit log on every replica; what manifests name of it must be there.
pub(super) async fn check_audit(
    vault: &Vault,
    snapshots: &Snapshots,
    scope: &Scope,
    report: &mut VerifyReport,
) -> Result<()> {
    let log = AuditLog::load(vault, snapshots.audit_heads()).await?;
    report.objects += log.copies;
    report.audit_entries = log.entries().len() as u64;
    report.audit_writers = log.chains.len() as u64;
    // All replicas are compared; what is wrong on those that are not asked for is not told.
    let is_asked = |replica: &str| replica.is_empty() || scope.includes(replica);
    for finding in log.findings.iter().filter(|finding| is_asked(&finding.replica)) {
        let kind = match finding.kind {
            FindingKind::Missing => DamageKind::Missing,
            FindingKind::Behind => DamageKind::Behind,
            FindingKind::Changed | FindingKind::Forked => DamageKind::Damaged,
            FindingKind::Misplaced => DamageKind::NotAuthentic,
            FindingKind::Unreadable => DamageKind::Unreadable,
        };
        report.add(kind, &finding.replica, finding.key.clone(), finding.detail.clone());
        report.audit_digests.extend(log.digest_of(&finding.key).map(|digest| (finding.key.clone(), digest)));
    }
    report.warnings.extend(log.warnings);
    Ok(())
}
