//! What this host holds of the person outside the vault, and what became of it.

use std::sync::Arc;

use crate::cli::error::{CommandError, ErrorKind};
use crate::cli::places::Places;
use crate::cli::session::Session;
use crate::ids::CaseId;
use crate::privacy::certificate::OwnFilesState;
use crate::privacy::channels::Bounds;
use crate::privacy::matching::{Finding, Matcher, Tier};
use crate::privacy::own_files::scan::Scan;
use crate::privacy::own_files::{Register, Removed, Why, sweep};

/// Deletes exports, packages, worksheets and reports of this host in which the person is found by an exact
/// identifier or the full name. `removed` were removed before.
pub(super) async fn swept(
    case: &CaseId,
    matcher: &Arc<Matcher>,
    removed: u64,
    session: &Session,
) -> Result<(OwnFilesState, Removed), CommandError> {
    let register = Register::at(&Places::of_environment()?.state);
    let (case, matcher, now) = (case.clone(), Arc::clone(matcher), session.vault.now());
    let sweeping = tokio::task::spawn_blocking(move || {
        let bounds = Bounds::default();
        let is_person = |finding: &Finding| finding.tier <= Tier::B;
        sweep(&register, &case, &Scan { matcher: &matcher, bounds: &bounds, is_person: &is_person }, now)
    });
    let swept = sweeping.await.expect("looking through files does not panic");
    let (mut state, done) = swept.map_err(|error| {
        CommandError::because(ErrorKind::Failed, "what was written on this host is not known", error)
    })?;
    state.removed += removed;
    // What no reader reads is not read in the vault either: it is told, as there.
    state.left -= done.left.iter().filter(|own| matches!(own.why, Why::NotKnown(_))).count() as u64;
    Ok((state, done))
}
