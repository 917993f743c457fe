//! One item: its passages, and what was found in them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;

use bytes::Bytes;
use memchr::memmem;

use crate::privacy::channels::{self, Bounds, Item, Sink};
use crate::privacy::matching::{Finding, Matcher, Tier};
use crate::privacy::passage::{Channel, Passage, Reason, Unsearchable};
use crate::privacy::subject::IdentifierRef;
use crate::vault::pack::ItemData;

/// Bytes of text that are searched in one go, at least: a group of passages is never cut.
pub(super) const TEXT_AT_ONCE: usize = 4 << 20;

/// What reading an item gave.
#[derive(Debug, Default, Clone)]
pub(super) struct Reading {
    /// What was found, in the order of the item.
    pub(super) findings: Vec<Finding>,
    /// What could not be searched.
    pub(super) unsearchable: Vec<Unsearchable>,
    /// Passages by kind of place.
    pub(super) passages: BTreeMap<Channel, u64>,
    /// Bytes of the item.
    pub(super) size: u64,
}

impl Reading {
    /// Reads and searches an item. Without a path it is known by its bytes.
    pub(super) fn of(data: ItemData, path: Option<&str>, matcher: &Matcher, bounds: &Bounds) -> Self {
        let mut gathered = Gathered::new(matcher);
        gathered.reading.size = data.len();
        match whole(data, bounds) {
            Ok(bytes) => {
                let path = path.unwrap_or_else(|| likely_path(&bytes));
                channels::read(Item { path, file_name: None, bytes: &bytes }, bounds, &mut gathered);
            }
            Err(reason) => gathered.unsearchable(Unsearchable { place: String::new(), reason }),
        }
        gathered.finish()
    }
}

/// Returns the bytes of an item, where they are not more than is read.
pub(super) fn whole(data: ItemData, bounds: &Bounds) -> Result<Bytes, Reason> {
    if data.len() > bounds.bytes_max as u64 {
        return Err(Reason::TooLarge);
    }
    match data {
        ItemData::Memory(bytes) => Ok(bytes),
        mut data @ ItemData::File(..) => {
            let mut bytes = Vec::new();
            let read = data.reader().and_then(|mut reader| reader.read_to_end(&mut bytes));
            read.map_err(|_| Reason::Damaged)?;
            Ok(bytes.into())
        }
    }
}

/// What an item probably is that no snapshot names any more, as a path that says so.
pub(crate) fn likely_path(bytes: &[u8]) -> &'static str {
    let has = |member: &str| memmem::find(bytes, member.as_bytes()).is_some();
    match bytes.first() {
        Some(b'{') if has("\"alternate_languages\"") => "documents/none/none/none.json",
        Some(b'{') if has("\"filename\"") => "assets/none/metadata.json",
        Some(b'{' | b'[') if has("\"json\"") || has("\"variations\"") => "models/slices/none.json",
        _ => "assets/none/original",
    }
}

/// A passage that outlives the item that it was read from.
///
/// Personal data, so it has no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct PassageText {
    /// As in [`Passage::channel`].
    pub channel: Channel,
    /// As in [`Passage::place`].
    pub place: String,
    /// As in [`Passage::group`].
    pub group: u32,
    /// As in [`Passage::text`].
    pub text: String,
}

impl PassageText {
    /// Keeps a passage.
    pub fn of(passage: Passage<'_>) -> Self {
        let Passage { channel, place, group, text } = passage;
        Self { channel, place: place.to_owned(), group, text: text.to_owned() }
    }

    /// Returns it as what a search reads.
    pub fn passage(&self) -> Passage<'_> {
        Passage { channel: self.channel, place: &self.place, group: self.group, text: &self.text }
    }
}

impl fmt::Debug for PassageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PassageText({:?}, …)", self.channel)
    }
}

/// What is found in passages of whole groups, told once where it stands in two of them.
pub(crate) fn findings_in(matcher: &Matcher, kept: &[PassageText]) -> Vec<Finding> {
    let passages: Vec<Passage<'_>> = kept.iter().map(PassageText::passage).collect();
    let mut found = matcher.search(&passages);
    // A name that stands whole in one field stands in the fields read as one as well.
    let group = |finding: &Finding| passages.get(finding.passage).map(|passage| passage.group);
    let direct: HashSet<(Option<u32>, IdentifierRef, Tier)> = found
        .iter()
        .filter(|finding| finding.channel != Channel::Joined)
        .map(|finding| (group(finding), finding.identifier, finding.tier))
        .collect();
    found.retain(|finding| {
        let has = |tier| direct.contains(&(group(finding), finding.identifier, tier));
        finding.channel != Channel::Joined
            || !Tier::ALL.into_iter().filter(|tier| *tier <= finding.tier).any(has)
    });
    found
}

/// Gathers passages and searches them group by group.
struct Gathered<'a> {
    matcher: &'a Matcher,
    kept: Vec<PassageText>,
    bytes: usize,
    reading: Reading,
}

impl<'a> Gathered<'a> {
    fn new(matcher: &'a Matcher) -> Self {
        Self { matcher, kept: Vec::new(), bytes: 0, reading: Reading::default() }
    }

    fn search(&mut self) {
        self.reading.findings.extend(findings_in(self.matcher, &self.kept));
        self.kept.clear();
        self.bytes = 0;
    }

    fn finish(mut self) -> Reading {
        self.search();
        self.reading
    }
}

impl Sink for Gathered<'_> {
    fn passage(&mut self, passage: Passage<'_>) {
        if self.bytes >= TEXT_AT_ONCE && self.kept.last().is_some_and(|last| last.group != passage.group) {
            self.search();
        }
        *self.reading.passages.entry(passage.channel).or_default() += 1;
        self.bytes += passage.text.len();
        self.kept.push(PassageText::of(passage));
    }

    fn unsearchable(&mut self, unsearchable: Unsearchable) {
        self.reading.unsearchable.push(unsearchable);
    }
}
