//! Approval of a plan: signatures over its hash and over each of its orders, by people other than who made it.
//!
//! What is signed beside the orders is the [statement] of the plan: it holds the plan's hash, so that a plan
//! that changes only what is live, and has no orders, is approved in the same way.

use super::plan::{Plan, PlanFile};
use crate::ids::Digest;
use crate::privacy::case::{Case, What};
use crate::privacy::store::StoredCase;
use crate::vault::case_files;
use crate::vault::error::{ErrorKind, Result, VaultError};
use crate::vault::format::order::{Approval, OrderHead};
use crate::vault::open::Vault;
use crate::vault::signing::{SigningKey, VerifyingKey};

/// What signatures over orders say in their trusted comment that they are about.
const ORDER: &str = "erasure order";

/// Returns the text that everybody who approves a plan signs first.
pub fn statement(plan: &Plan) -> String {
    format!("plan {}\ncase {}\nvault {}\n", plan.hash(), plan.case, plan.vault)
}

/// Stores a plan with its orders; returns the name for the event.
///
/// # Errors
///
/// Those of [`case_files::store`].
pub async fn store(vault: &Vault, file: &PlanFile) -> Result<Digest> {
    let plain = serde_json::to_vec(file).expect("plans always serialise");
    case_files::store(vault, &file.plan.case, plain).await
}

/// Reads the plan that waits for approval, or has it, with its orders.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::Integrity`] when the file is not what the case
/// says; those of [`case_files::load`].
pub async fn load(vault: &Vault, stored: &StoredCase) -> Result<PlanFile> {
    let case = &stored.case;
    let id = case.id();
    let (Some(state), Some(file)) = (&case.state().plan, case.files().plan) else {
        return Err(VaultError::new(ErrorKind::NotFound, format!("case {id} has no plan"))
            .hint(format!("make one with `prismvault privacy plan {id}`")));
    };
    let bytes = case_files::load(vault, id, &file).await?;
    // What serde says may quote what it read.
    let wrong = |why: &str| {
        VaultError::new(ErrorKind::Integrity, format!("the plan of case {id} {why}"))
            .hint(format!("make it anew: `prismvault privacy plan {id}`"))
    };
    let file: PlanFile = serde_json::from_slice(&bytes).map_err(|_| wrong("cannot be read"))?;
    let is_of_it = |text: &String| {
        serde_json::from_str::<OrderHead>(text)
            .is_ok_and(|order| order.plan == state.hash && order.case == *id && order.planned_by == state.key)
    };
    if file.plan.hash() != state.hash || file.plan.case != *id || file.plan.vault != vault.file.vault {
        return Err(wrong("is another than the one that the case names"));
    }
    if file.orders.len() != state.orders as usize || !file.orders.iter().all(is_of_it) {
        return Err(wrong("comes with orders that are not its own"));
    }
    Ok(file)
}

/// Signs a plan and its orders.
pub fn sign(file: &PlanFile, signer: &SigningKey) -> Vec<String> {
    let of_plan = signer.sign(statement(&file.plan).as_bytes(), "erasure plan");
    std::iter::once(of_plan)
        .chain(file.orders.iter().map(|order| signer.sign(order.as_bytes(), ORDER)))
        .collect()
}

/// Whether these are a key's signatures over a plan and its orders.
pub fn verifies(file: &PlanFile, key: &VerifyingKey, signatures: &[String]) -> bool {
    let statement = statement(&file.plan);
    let texts: Vec<&str> =
        std::iter::once(statement.as_str()).chain(file.orders.iter().map(String::as_str)).collect();
    let mut pairs = texts.iter().zip(signatures);
    texts.len() == signatures.len() && pairs.all(|(text, own)| key.verifies(text.as_bytes(), own))
}

/// Returns the orders of an approved plan, each with the signatures over it, as the ledger takes them.
///
/// # Errors
///
/// [`ErrorKind::Refused`] while approvals are missing; [`ErrorKind::NotTrusted`] when a signature is not over
/// this plan.
pub fn approved(case: &Case, file: &PlanFile) -> Result<Vec<(String, Vec<Approval>)>> {
    let id = case.id();
    let hash = file.plan.hash();
    let state = case.state().plan.as_ref().filter(|state| state.hash == hash);
    let missing = state.map_or(1, super::super::case::state::PlanState::missing);
    if missing > 0 {
        return Err(VaultError::new(
            ErrorKind::Refused,
            format!("{missing} more people are to approve the plan of case {id}"),
        )
        .hint(format!("each runs `prismvault privacy approve {id}` with a key of their own")));
    }
    // Events since the plan: an earlier plan of the same hash was approved as another.
    let events = case.events();
    let since = events.iter().rposition(|event| matches!(event.what, What::ApprovalRequested { .. }));
    let mut orders: Vec<(String, Vec<Approval>)> =
        file.orders.iter().map(|order| (order.clone(), Vec::new())).collect();
    for event in &events[since.unwrap_or(0)..] {
        let What::Approved { key, signatures, .. } = &event.what else { continue };
        if !verifies(file, key, signatures) {
            return Err(VaultError::new(
                ErrorKind::NotTrusted,
                format!("an approval in case {id} does not sign the plan that is there"),
            )
            .hint(format!("find out who recorded it; then plan again: `prismvault privacy plan {id}`")));
        }
        for ((_, approvals), signature) in orders.iter_mut().zip(&signatures[1..]) {
            approvals.push(Approval { key: key.clone(), signature: signature.clone() });
        }
    }
    Ok(orders)
}
