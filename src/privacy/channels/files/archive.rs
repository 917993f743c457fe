//! ZIP archives: Office documents are one, all others are read member by member.

use std::io::Cursor;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::privacy::passage::{Channel, Reason};

use super::super::desk::{Desk, Outcome, Stop};
use super::office::{self, Kind};

/// Reads an archive.
pub(super) fn read(desk: &mut Desk<'_>, bytes: &[u8]) -> Outcome {
    // Before the index is read, which takes some hundred bytes of memory for every member.
    let members = memchr::memmem::find_iter(bytes, b"PK\x01\x02").take(desk.bounds.members_max + 1).count();
    if members > desk.bounds.members_max {
        return Err(Stop::Part(Reason::TooLarge));
    }
    desk.unpacked(0)?;
    let mut archive = match ZipArchive::new(Cursor::new(bytes)) {
        Ok(archive) => archive,
        Err(_) => {
            super::strings(desk, bytes)?;
            return Err(Stop::Part(Reason::Damaged));
        }
    };
    let group = desk.group();
    desk.hand_out(Channel::PlainText, "comment", group, &super::encodings::decode(archive.comment()))?;
    let kind = office::kind_of(|name| archive.index_for_name(name).is_some());
    let mut shared = office::Shared::default();
    if kind == Some(Kind::Office)
        && let Some(index) = archive.index_for_name(office::SHARED_STRINGS)
    {
        let read = member(desk, &mut archive, index).and_then(|(_, bytes)| shared.read(desk, &bytes));
        desk.settle(office::SHARED_STRINGS, read)?;
    }
    for index in 0..archive.len() {
        // The name alone where not even that can be opened.
        let name = archive.name_for_index(index).and_then(Result::ok).unwrap_or_default().into_owned();
        let read = one(desk, &mut archive, index, kind, &shared);
        desk.settle(&name, read)?;
    }
    Ok(())
}

fn one(
    desk: &mut Desk<'_>,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    kind: Option<Kind>,
    shared: &office::Shared,
) -> Outcome {
    let (name, bytes) = member(desk, archive, index)?;
    if name.ends_with('/') && bytes.is_empty() {
        return Ok(());
    }
    match kind {
        Some(kind) => office::read_part(desk, kind, &name, &bytes, shared),
        // One level: what such a file holds is read, an archive in an archive is not.
        None if bytes.starts_with(b"PK\x03\x04") && desk.depth() > 0 => Err(Stop::Part(Reason::TooDeep)),
        None => desk.within(&name, |desk| {
            if super::archive_in_archive(&bytes) {
                Err(Stop::Part(Reason::TooDeep))
            } else {
                super::read(desk, Some(&name), &bytes)
            }
        }),
    }
}

/// Name and bytes of a member. The name is handed out.
fn member(
    desk: &mut Desk<'_>,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
) -> Outcome<(String, Vec<u8>)> {
    let group = desk.group();
    let file = archive.by_index(index).map_err(|error| {
        Stop::Part(match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
                Reason::Encrypted
            }
            ZipError::UnsupportedArchive(_) => Reason::UnknownFormat,
            _ => Reason::Damaged,
        })
    })?;
    let name = super::encodings::utf8_or_latin1(file.name_raw()).into_owned();
    desk.hand_out(Channel::PlainText, "member", group, &name)?;
    desk.hand_out(Channel::PlainText, "member comment", group, file.comment())?;
    let bytes = desk.unpack(file)?;
    Ok((name, bytes))
}
