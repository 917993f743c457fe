//! What was carried out, as it is shown.

use crate::cli::Outcome;
use crate::cli::output::Page;
use crate::cli::units::{counted, human_bytes};
use crate::ids::Name;
use crate::privacy::erasure::carry_out::Carried;
use crate::vault::erasure::destroy::Destroyed;
use crate::vault::format::receipt::Pending;

/// Objects of one replica that are listed; all are in the report.
const LISTED_MAX: usize = 10;

/// How it ended: as something that is incomplete while anything is left anywhere.
pub(super) fn outcome_of(done: &Carried) -> Outcome {
    if done.is_complete() { Outcome::Complete } else { Outcome::Partial }
}

/// In which spaces something is to be carried out.
pub(super) fn spaces_page(spaces: &[Name]) -> Page {
    match spaces.is_empty() {
        true => Page::new().line("No order of erasure is in this vault."),
        false => spaces.iter().fold(Page::new(), |page, space| {
            page.line(format!("Would go on with the orders in space {space}"))
        }),
    }
}

/// What was done, and what is left.
pub(super) fn carried_page(done: &Carried) -> Page {
    let mut page = Page::new();
    for (space, own) in &done.spaces {
        if let Some(rewritten) = own.rewritten.as_ref().filter(|rewritten| rewritten.packs > 0) {
            page = page.line(format!(
                "{space}: of {} that held what is erased, {} with what stays ({} read, {} written for each replica)",
                counted(rewritten.packs, "pack"),
                counted(rewritten.new_packs, "new one"),
                human_bytes(rewritten.read),
                human_bytes(rewritten.written)
            ));
            for unread in &rewritten.unread {
                page =
                    page.line(format!("  {} stays until it can be read: {}", unread.subject, unread.detail));
            }
        }
        for replica in own.destroyed.iter().flatten() {
            page = on_replica(page, space, replica);
        }
        for why in own.left_to_others.iter().filter(|_| !own.is_carried_out()) {
            page = page.line(format!(
                "{space}: not done here: {why}; run `prismvault privacy erase --pending` on the host that has it"
            ));
        }
    }
    for name in &done.unreachable {
        page = page.line(format!(
            "{name} could not be reached: what is erased is still there; run this again when it is back"
        ));
    }
    match done.is_complete() {
        true => page.line("Nothing of it is left on any replica that this vault names."),
        false => page.line("It is not gone everywhere yet: run the same command again until it says so."),
    }
}

fn on_replica(mut page: Page, space: &Name, replica: &Destroyed) -> Page {
    if replica.bodies + replica.headers + replica.indexes > 0 {
        page = page.line(format!(
            "{space} on {}: destroyed {}, {} and {} ({})",
            replica.replica,
            counted(replica.headers, "header"),
            counted(replica.bodies, "pack"),
            counted(replica.indexes, "index object"),
            human_bytes(replica.bytes)
        ));
    }
    if replica.drill_files > 0 {
        let files = counted(replica.drill_files, "file");
        page = page
            .line(format!("{space} on {}: destroyed {files} of drills that might show it", replica.replica));
    }
    if let Some(words) = kept_words(&replica.pending) {
        page = page.line(format!("{space} on {}: {words}", replica.replica));
    }
    for blocked in replica.blocked.iter().take(LISTED_MAX) {
        page = page
            .line(format!("{space} on {}: {} stays: {}", replica.replica, blocked.subject, blocked.detail));
    }
    page
}

/// What is still there, and until when at the latest.
fn kept_words(pending: &[Pending]) -> Option<String> {
    let first = pending.first()?;
    let still = counted(pending.len() as u64, "object");
    // Times of one form: the later one is the greater text.
    let until = pending.iter().map(|own| own.until.as_deref()).max().flatten();
    Some(match until {
        Some(until) => format!("{still} still there, kept by a lock until {until}"),
        None => format!("{still} still there: {}", first.why),
    })
}
