//! Reads every item that can hold personal data: hands out its texts, and says what it could not read.
//!
//! | file | reads |
//! | --- | --- |
//! | `documents` | documents of the Content API, also of releases |
//! | `metadata` | what the media library says of a file; models, lists of members, other JSON |
//! | `joins` | texts beside each other, as one: a first name and a last name |
//! | `files` | the bytes of assets, by what they are and not by what they are called |
//! | `desk` | the bounds of one item, and the way out for passages |
//!
//! Reading is synchronous, takes processor time, and does no input or output: call it off the async
//! threads. It knows nothing of who is looked for.
//!
//! Invariants
//! - Nothing is dropped in silence: what has no reader, is damaged or exceeds a bound is handed out
//!   as [`Unsearchable`](super::passage::Unsearchable). A bound that is hit does not take back what was
//!   handed out before.
//! - A text is decoded from what holds it (a JSON string, a PDF string, an XML text), and nothing else is
//!   done to it: whoever compares it decodes addresses and character references in it.
//! - No input makes it panic, recurse without end, or hold more than the item, what [`Bounds`] let it
//!   unpack, what these make of JSON and of the objects of a PDF, and a few times the largest single
//!   string.
//!
//! What bounds its time: the clock is looked at between records, members, pages and operators. Between two
//! looks lies at most a megabyte unpacked, or one call of a library: parsing one JSON of
//! [`Bounds::bytes_max`], the index of an archive, or the objects of a PDF, each of which is linear in bytes
//! that are bounded.

mod desk;
mod documents;
mod files;
mod joins;
mod json;
mod metadata;

pub use desk::{Bounds, Sink};
pub(in crate::privacy) use files::next_marker;
pub(in crate::privacy) use json::is_date;

use desk::{Desk, Outcome, Stop};

use super::passage::{Channel, Reason};
use crate::vault::item::ItemKind;

/// An item of a snapshot, as it is read.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its path in the snapshot: says what it is.
    pub path: &'a str,
    /// For bytes of an asset the file name, where it is known. It says what text is (CSV, Markdown);
    /// everything else is known by its bytes.
    pub file_name: Option<&'a str>,
    /// All of its bytes.
    pub bytes: &'a [u8],
}

/// Path of the list of members in its own chain of snapshots.
const MEMBERS_PATH: &str = "repository/members.json";

/// Reads one item.
pub fn read(item: Item<'_>, bounds: &Bounds, sink: &mut dyn Sink) {
    let mut desk = Desk::new(bounds, sink);
    if let Err(Stop::Part(reason) | Stop::Item(reason)) = read_at(&mut desk, item) {
        desk.unsearchable("", reason);
    }
}

fn read_at(desk: &mut Desk<'_>, item: Item<'_>) -> Outcome {
    if item.bytes.len() > desk.bounds.bytes_max {
        return Err(Stop::Item(Reason::TooLarge));
    }
    match ItemKind::of_path(item.path) {
        Some(ItemKind::Document) => documents::read(desk, item.bytes),
        Some(ItemKind::AssetMetadata) => metadata::read_asset(desk, item.bytes),
        Some(ItemKind::Repository) if item.path == MEMBERS_PATH => {
            metadata::read_json(desk, item.bytes, Channel::Member)
        }
        Some(ItemKind::Model | ItemKind::Repository) => {
            metadata::read_json(desk, item.bytes, Channel::Repository)
        }
        // A path that the format does not have yet is a file like any other.
        Some(ItemKind::Asset | ItemKind::Page) | None => files::read(desk, item.file_name, item.bytes),
    }
}
