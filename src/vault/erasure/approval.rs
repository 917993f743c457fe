//! Which orders count: those that enough privacy keys signed.
//!
//! **An order counts** when as many privacy keys signed it as the trust record asks for, that of the planner
//! not among them. It says what its decision is for: nothing that was signed as a restriction erases, and an
//! erasure restricts nothing.

use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format;
use crate::vault::format::ledger::{Decision, LedgerEntry};
use crate::vault::format::order::{
    Approval, Change, ITEMS_MAX, KIND, LIFT_KIND, LiftOrder, Order, OrderHead, RESTRICTION_KIND,
};
use crate::vault::format::trust::{Role, TrustRecord};
use crate::vault::open::Vault;
use crate::vault::signing::VerifyingKey;

/// Whether an order counts, and by keys of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::vault) enum Approved {
    /// By privacy keys of now.
    Now,
    /// By those that once were: it counts where somebody names it who may.
    Once,
}

impl Vault {
    /// Checks the order of a ledger entry of this space, and who approved it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotTrusted`] otherwise.
    pub(in crate::vault) fn check_order(
        &self,
        entry: &LedgerEntry,
        text: &str,
        approvals: &[Approval],
    ) -> Result<Approved> {
        let refused = |why: String| {
            VaultError::new(ErrorKind::NotTrusted, format!("{} is refused: {why}", entry.key))
                .hint("an order of erasure or restriction counts only with the signatures of privacy keys; find out who wrote this one")
        };
        let unreadable =
            |error: serde_json::Error| refused("its order cannot be read".to_owned()).because(error);
        let head: OrderHead = serde_json::from_str(text).map_err(unreadable)?;
        if (Some(head.kind.as_str()), head.format) != (kind_of(&entry.decision), format::VERSION) {
            return Err(refused("what it holds is no order of this version and kind".to_owned()));
        }
        if head.vault != self.file.vault || head.space != entry.space {
            return Err(refused("its order is of another vault or space".to_owned()));
        }
        let named = match entry.decision {
            Decision::Lift { .. } => {
                serde_json::from_str::<LiftOrder>(text).map_err(unreadable)?.restrictions.len()
            }
            _ => {
                let order: Order = serde_json::from_str(text).map_err(unreadable)?;
                let restricts = head.kind == RESTRICTION_KIND;
                if order.items.iter().any(|item| (item.change == Change::Restricted) != restricts) {
                    return Err(refused("its order does to items what its kind does not".to_owned()));
                }
                order.items.len()
            }
        };
        if named > ITEMS_MAX {
            return Err(refused(format!("its order names more than {ITEMS_MAX} items")));
        }
        let mut approvers: Vec<&VerifyingKey> = approvals
            .iter()
            .filter(|approval| approval.key != head.planned_by)
            .filter(|approval| approval.key.verifies(text.as_bytes(), &approval.signature))
            .map(|approval| &approval.key)
            .collect();
        approvers.sort_unstable();
        approvers.dedup();
        if enough(&self.trust, &approvers) {
            return Ok(Approved::Now);
        }
        if self.trust_history().any(|record| enough(record, &approvers)) {
            return Ok(Approved::Once);
        }
        Err(refused(format!(
            "{} of the privacy keys that may approve erasures signed its order, and {} must; that of the planner does not count",
            approvers.len(),
            needed(&self.trust)
        )))
    }
}

/// The kind of order that a decision holds.
fn kind_of(decision: &Decision) -> Option<&'static str> {
    match decision {
        Decision::Erasure { .. } => Some(KIND),
        Decision::Restriction { .. } => Some(RESTRICTION_KIND),
        Decision::Lift { .. } => Some(LIFT_KIND),
        _ => None,
    }
}

/// Signatures that an order needs; one at least, whatever the record says.
pub(in crate::vault) fn needed(record: &TrustRecord) -> usize {
    (record.erasure_approvals as usize).max(1)
}

fn enough(record: &TrustRecord, approvers: &[&VerifyingKey]) -> bool {
    let may = |key: &&&VerifyingKey| {
        record.signers.iter().any(|signer| signer.key == ***key && signer.roles.contains(&Role::Privacy))
    };
    approvers.iter().filter(may).count() >= needed(record)
}
