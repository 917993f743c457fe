//! What every reader works with: the way to hand out passages, and the bounds of one item.

use std::time::{Duration, Instant};

use crate::privacy::passage::{Channel, Passage, Reason, Unsearchable};

/// Takes what is read of an item.
///
/// It is `Send` because some formats are read on a thread of their own.
pub trait Sink: Send {
    /// A piece of text.
    fn passage(&mut self, passage: Passage<'_>);
    /// Something that could not be searched. Passages from other places of the same item may
    /// come before and after.
    fn unsearchable(&mut self, unsearchable: Unsearchable);
}

/// What reading one item may cost. Whatever is hit ends the item, or the part of it that is too much, with
/// its [`Reason`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one item. The media library takes 100 MB, and nothing that is read is larger.
    pub bytes_max: usize,
    /// Bytes that everything in one item may unpack to, over all of its streams and members: more than
    /// the texts of books come to, pictures not counted. No single stream is held that is larger than
    /// a quarter of it.
    pub unpacked_max: usize,
    /// Bytes of JSON that are parsed as such; more is read string by string, without its shapes. A
    /// parsed value takes up to sixty times its bytes of memory, and documents have less than one
    /// megabyte.
    pub json_bytes_max: usize,
    /// Bytes of the objects of a PDF, outside of its streams and in those that hold objects, all together: a
    /// parsed object takes up to sixty times its bytes of memory. Documents of a thousand pages have a
    /// few megabytes.
    pub pdf_objects_max: usize,
    /// Bytes of text handed out for one item. Text can be more than the item: a few bytes may be
    /// referred to from thousands of places. Whoever searches pays for every one of them.
    pub text_max: usize,
    /// Passages handed out for one item. A table of 100 MB has a few million cells.
    pub passages_max: usize,
    /// Parts of one item that are said not to be searchable; with more, the item ends.
    pub unsearchable_max: usize,
    /// Files in files: an archive in an archive is not opened, an Office document in an archive is,
    /// and so is a picture in that.
    pub depth_max: usize,
    /// Members of one archive that are looked at. Workbooks have some hundred.
    pub members_max: usize,
    /// Time for one item, looked at between units: records, members, pages, operators.
    pub time_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes_max: 100 << 20,
            unpacked_max: 256 << 20,
            json_bytes_max: 8 << 20,
            pdf_objects_max: 32 << 20,
            text_max: 256 << 20,
            passages_max: 4_000_000,
            unsearchable_max: 1_000,
            depth_max: 3,
            members_max: 10_000,
            time_max: Duration::from_secs(60),
        }
    }
}

/// Why reading ends here. It ends the unit that the reader says, at most the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// This part cannot be read; others may be.
    Part(Reason),
    /// A bound of the item is used up: nothing more is read of it.
    Item(Reason),
}

/// What readers return.
pub(super) type Outcome<T = ()> = Result<T, Stop>;

/// Times that are asked for between two looks at the clock: a look costs as much as many small records.
const TICKS_A_LOOK: u32 = 64;

/// One item on the desk: counts what was handed out, and knows when it is enough.
pub(super) struct Desk<'a> {
    sink: &'a mut dyn Sink,
    pub(super) bounds: &'a Bounds,
    begun: Instant,
    ticks: u32,
    passages: usize,
    text: usize,
    unpacked: usize,
    unsettled: usize,
    groups: u32,
    /// What stands before every place: the members of archives that lead here.
    prefix: String,
    /// Files that this one lies in.
    depth: usize,
}

impl<'a> Desk<'a> {
    pub(super) fn new(bounds: &'a Bounds, sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            bounds,
            begun: Instant::now(),
            ticks: 0,
            passages: 0,
            text: 0,
            unpacked: 0,
            unsettled: 0,
            groups: 0,
            prefix: String::new(),
            depth: 0,
        }
    }

    /// Returns the number of a new group.
    pub(super) fn group(&mut self) -> u32 {
        self.groups += 1;
        self.groups
    }

    /// Hands out a text, unless there is nothing but blanks in it.
    pub(super) fn hand_out(&mut self, channel: Channel, place: &str, group: u32, text: &str) -> Outcome {
        self.tick()?;
        if text.chars().all(|char| char.is_whitespace() || char == '\0') {
            return Ok(());
        }
        self.passages += 1;
        self.text = self.text.saturating_add(text.len());
        if self.passages > self.bounds.passages_max || self.text > self.bounds.text_max {
            return Err(Stop::Item(Reason::TooLarge));
        }
        if self.prefix.is_empty() {
            self.sink.passage(Passage { channel, place, group, text });
        } else {
            let place = format!("{}{place}", self.prefix);
            self.sink.passage(Passage { channel, place: &place, group, text });
        }
        Ok(())
    }

    /// Says that something cannot be searched.
    pub(super) fn unsearchable(&mut self, place: &str, reason: Reason) {
        let mut whole = format!("{}{place}", self.prefix);
        // The prefix ends where a place would begin.
        if place.is_empty() {
            whole.truncate(whole.trim_end_matches(['!', '/']).len());
        }
        self.sink.unsearchable(Unsearchable { place: whole, reason });
    }

    /// Says why a part ended, and goes on with the next; what ends the item is passed on.
    pub(super) fn settle(&mut self, place: &str, outcome: Outcome) -> Outcome {
        let Err(Stop::Part(reason)) = outcome else { return outcome };
        self.unsettled += 1;
        if self.unsettled > self.bounds.unsearchable_max {
            return Err(Stop::Item(Reason::TooLarge));
        }
        self.unsearchable(place, reason);
        Ok(())
    }

    /// Looks at the clock now and then.
    pub(super) fn tick(&mut self) -> Outcome {
        if self.ticks == 0 {
            self.ticks = TICKS_A_LOOK;
            if self.begun.elapsed() >= self.bounds.time_max {
                return Err(Stop::Item(Reason::TooSlow));
            }
        }
        self.ticks -= 1;
        Ok(())
    }

    /// Bytes that one stream may unpack to now.
    pub(super) fn unpack_allowance(&self) -> usize {
        let left = self.bounds.unpacked_max.saturating_sub(self.unpacked);
        left.min(self.bounds.unpacked_max / 4)
    }

    /// Counts bytes that were unpacked.
    pub(super) fn unpacked(&mut self, bytes: usize) -> Outcome {
        self.unpacked = self.unpacked.saturating_add(bytes);
        // Nobody unpacks byte by byte: the clock is due.
        self.ticks = 0;
        self.tick()?;
        if self.unpacked > self.bounds.unpacked_max {
            return Err(Stop::Item(Reason::UnpacksToMore));
        }
        Ok(())
    }

    /// Unpacks a stream to its end, within what is left.
    ///
    /// # Errors
    ///
    /// [`Reason::UnpacksToMore`], or [`Reason::Damaged`] together with nothing of what came before.
    pub(super) fn unpack(&mut self, stream: impl std::io::Read) -> Outcome<Vec<u8>> {
        let (bytes, whole) = self.unpack_what_can_be(stream)?;
        if whole { Ok(bytes) } else { Err(Stop::Part(Reason::Damaged)) }
    }

    /// The same, with what came before the damage and whether there was none.
    pub(super) fn unpack_what_can_be(&mut self, stream: impl std::io::Read) -> Outcome<(Vec<u8>, bool)> {
        use std::io::Read as _;

        let allowance = self.unpack_allowance();
        let mut bytes = Vec::new();
        let mut stream = stream.take(allowance as u64 + 1);
        let mut whole = true;
        loop {
            let before = bytes.len();
            let read = (&mut stream).take(UNPACKED_AT_ONCE).read_to_end(&mut bytes);
            self.unpacked(bytes.len() - before)?;
            if bytes.len() > allowance {
                return Err(Stop::Part(Reason::UnpacksToMore));
            }
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Ok((bytes, whole))
    }

    /// Reads a file that lies in this one, under its name.
    ///
    /// # Errors
    ///
    /// [`Reason::TooDeep`] when it lies in too many.
    pub(super) fn within(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if self.depth >= self.bounds.depth_max {
            return Err(Stop::Part(Reason::TooDeep));
        }
        let before = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('!');
        self.depth += 1;
        let outcome = read(self);
        let settled = self.settle("", outcome);
        self.depth -= 1;
        self.prefix.truncate(before);
        settled
    }

    /// Files that this one lies in; 0 for the item itself.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

/// Bytes that are unpacked between two looks at the clock.
const UNPACKED_AT_ONCE: u64 = 1 << 20;
