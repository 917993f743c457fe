//! Looks into one file of this program's outputs as the search looks into an item.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;

use super::find::Holds;
use crate::privacy::channels::{self, Bounds, Item, Sink};
use crate::privacy::matching::{Finding, Matcher};
use crate::privacy::passage::{Passage, Reason, Unsearchable};
use crate::privacy::search::{PassageText, findings_in, likely_path};
use crate::vault::item::ItemKind;

/// How a file of Zstandard begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How a file of age begins.
const AGE: &[u8] = b"age-encryption.org/";
/// Where the format of a tar archive says its name, and what it is.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What is looked for, and how.
pub struct Scan<'a> {
    /// The person.
    pub matcher: &'a Matcher,
    /// What reading one file may cost.
    pub bounds: &'a Bounds,
    /// Whether a finding is the person: nobody has decided it here.
    pub is_person: &'a dyn Fn(&Finding) -> bool,
}

impl Scan<'_> {
    /// Looks into a file; `inside` is its path in the output. Archives of `export` are looked into entry by entry.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub fn holds(&self, inside: &Path, mut file: File) -> io::Result<Holds> {
        let mut start = Vec::new();
        file.by_ref().take(512).read_to_end(&mut start)?;
        file.rewind()?;
        let file = BufReader::new(file);
        if start.starts_with(AGE) {
            return Ok(Holds::NotKnown("it is encrypted".to_owned()));
        }
        if start.starts_with(&ZSTD) {
            return self.archive(zstd::Decoder::with_buffer(file)?);
        }
        if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
            return self.archive(file);
        }
        let name = inside.to_string_lossy().replace('\\', "/");
        self.item(&name, file)
    }

    fn archive(&self, bytes: impl Read) -> io::Result<Holds> {
        let mut archive = tar::Archive::new(bytes);
        let mut all = Holds::Nothing;
        for entry in archive.entries()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            match self.item(&name, entry)? {
                Holds::Person => return Ok(Holds::Person),
                Holds::Nothing => {}
                unknown @ Holds::NotKnown(_) => all = unknown,
            }
        }
        Ok(all)
    }

    fn item(&self, name: &str, bytes: impl Read) -> io::Result<Holds> {
        let mut whole = Vec::new();
        let max = self.bounds.bytes_max;
        bytes.take(max as u64 + 1).read_to_end(&mut whole)?;
        if whole.len() > max {
            return Ok(Holds::NotKnown(Reason::TooLarge.words().to_owned()));
        }
        let mut kept = Kept::default();
        let path = item_path(name).unwrap_or_else(|| likely_path(&whole));
        channels::read(Item { path, file_name: None, bytes: &whole }, self.bounds, &mut kept);
        if findings_in(self.matcher, &kept.passages).iter().any(self.is_person) {
            return Ok(Holds::Person);
        }
        Ok(kept.unknown.map_or(Holds::Nothing, |reason| Holds::NotKnown(reason.words().to_owned())))
    }
}

/// The part of a path that is that of an item in a snapshot.
fn item_path(name: &str) -> Option<&str> {
    let starts = std::iter::once(0).chain(name.match_indices('/').map(|(at, _)| at + 1));
    starts.map(|start| &name[start..]).find(|path| ItemKind::of_path(path).is_some())
}

/// Passages of one file.
#[derive(Default)]
struct Kept {
    passages: Vec<PassageText>,
    unknown: Option<Reason>,
}

impl Sink for Kept {
    fn passage(&mut self, passage: Passage<'_>) {
        self.passages.push(PassageText::of(passage));
    }

    fn unsearchable(&mut self, unsearchable: Unsearchable) {
        // What pictures show is no text, and what looks like text in bytes of any format was read: the same
        // stands in the vault, and is told of the search there.
        if !matches!(unsearchable.reason, Reason::NoText | Reason::UnknownFormat) {
            self.unknown = Some(unsearchable.reason);
        }
    }
}
