//! All of it in one go: finds what holds the person on this host, deletes it, and says so as a certificate does.

use super::find::find;
use super::register::{Register, RegisterError};
use super::remove::{Removed, remove};
use super::scan::Scan;
use crate::clock::{Timestamp, rfc3339};
use crate::ids::CaseId;
use crate::privacy::certificate::OwnFilesState;

/// Removes what this host holds of a person: packages and worksheets of the case as a whole, of everything else
/// the files in which the scan finds them. Reads files and blocks the thread.
///
/// What cannot be removed, or cannot be looked into, is in the report and counts as left. Once more, it finds
/// what is left.
///
/// # Errors
///
/// [`RegisterError`].
pub fn sweep(
    register: &Register,
    case: &CaseId,
    scan: &Scan<'_>,
    now: Timestamp,
) -> Result<(OwnFilesState, Removed), RegisterError> {
    let outputs = register.outputs()?;
    let is_of_case = |output: &super::Output| output.case.as_ref() == Some(case);
    let found = find(&outputs, is_of_case, |_, inside, file| scan.holds(inside, file));
    let removed = remove(register, &found)?;
    let state = OwnFilesState {
        looked: Some(rfc3339(now)),
        removed: removed.files.len() as u64,
        left: removed.left(),
    };
    Ok((state, removed))
}
