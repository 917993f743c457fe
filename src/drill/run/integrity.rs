//! Integrity before use (NIST CSF RC.RP-03): what is there, every stored byte, every item.

use tokio_util::sync::CancellationToken;

use crate::drill::findings::{Met, Severity};
use crate::drill::timeline::Ended;
use crate::ids::SnapshotId;
use crate::progress::Progress;
use crate::vault::error::VaultError;
use crate::vault::open::Vault;
use crate::verification::{Damage, Level, Scope, VerifyOptions, VerifyReport, verify};

/// What one level came to.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) ended: Ended,
    pub(super) notes: Vec<String>,
    pub(super) met: Vec<Met>,
    /// Snapshots that cannot be recovered whole, with how many items are lost.
    pub(super) affected: Vec<(SnapshotId, u64)>,
}

/// Looks at these snapshots at one level. `is_injected` says of a damage whether the scenario made it: that is
/// what is rehearsed, and no finding where the recovery goes on all the same.
pub(super) async fn look(
    vault: &Vault,
    level: Level,
    snapshots: &[SnapshotId],
    is_injected: &(dyn Fn(&Damage) -> bool + Sync),
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Looked, VaultError> {
    let options = VerifyOptions {
        level: Some(level),
        snapshots: snapshots.to_vec(),
        progress,
        cancel: cancel.clone(),
        scope: Scope::default(),
    };
    Ok(judged(verify(vault, &options).await?, level, is_injected))
}

fn judged(report: VerifyReport, level: Level, is_injected: &(dyn Fn(&Damage) -> bool + Sync)) -> Looked {
    let (injected, own): (Vec<&Damage>, Vec<&Damage>) = report
        .damage
        .iter()
        .filter(|damage| damage.kind.is_integrity())
        .partition(|damage| is_injected(damage));
    let affected: Vec<(SnapshotId, u64)> =
        report.affected.iter().map(|own| (own.snapshot.clone(), own.items)).collect();
    let mut met = Vec::new();
    for (snapshot, items) in &affected {
        let what = match items {
            0 => format!("the catalog of {snapshot} has no good copy left"),
            items => format!("{items} items of {snapshot} have no good copy left"),
        };
        met.push(Met::new(format!("integrity:{snapshot}"), Severity::Critical, what));
    }
    if !own.is_empty() {
        let what = format!(
            "{} objects are damaged or missing on a replica: prismvault verify --full, then prismvault repair",
            own.len()
        );
        met.push(Met::new("integrity:copies", Severity::Major, what));
    }
    let read = match level {
        Level::Presence | Level::Stored => {
            format!("{} objects are there, signatures and chain are whole", report.objects)
        }
        Level::Bytes => format!("{} objects read and hashed", report.objects),
        Level::Content => format!("{} items decrypted, hashed and parsed", report.items),
    };
    let mut notes = vec![read];
    if !injected.is_empty() {
        notes.push(format!("{} objects are damaged as the scenario has it", injected.len()));
    }
    notes.extend(met.iter().map(|met| met.what.clone()));
    let ended = if met.is_empty() { Ended::Good } else { Ended::Bad };
    Looked { ended, notes, met, affected }
}
