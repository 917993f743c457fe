//! The receipt of a replay: what orders of erasure, restriction and correction changed of what was read.

use crate::cli::output::Page;
use crate::cli::text::{Style, Text};
use crate::cli::units::counted;
use crate::vault::erasure::Applied;

/// Adds a line that says what orders changed of a snapshot; none where they changed nothing.
pub(in crate::cli) fn with_applied(page: Page, applied: &Applied) -> Page {
    match applied.words() {
        None => page,
        Some(words) => {
            let orders = counted(applied.orders.len() as u64, "order");
            let text = format!("{words}, as {orders} of the ledger asked");
            page.line(Text::styled(Style::Yellow, "Applied ").and(Style::Plain, text))
        }
    }
}
