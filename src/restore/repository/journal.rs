//! The journal of a restore on this host: an append-only file of JSON lines.
//!
//! Prismic cannot be asked what a restore has made before it is published, so what is not written down
//! is lost: an entry is on the disk before [`Journal::append`] returns. The lines know nothing of what
//! they are about; that is for whoever writes them.
//!
//! A line is `{"n": 7, "sum": "…", "entry": …}`: its number from 1, the first 64 bits of the SHA-256 of
//! number and entry, and the entry. So a line that is damaged, missing or doubled is noticed, also where
//! it is still JSON: an id with one wrong letter would lead a restore to another document.
//!
//! **Where it lies** the caller says: with what this client remembers (`XDG_STATE_HOME`), never in a
//! cache, which people delete.
//!
//! **Invariants**
//! - One process at a time has a journal open, by a lock on the file that ends with the process.
//! - Nothing that was written is written again or changed.
//!
//! **If we crash here** the last line may be torn: it has no line break, and is cut off when the journal
//! is opened next. Its `append` had not returned. A journal is given its name when all its first lines
//! are on the disk, so one that is made from a copy is whole, or not there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::ids::{Digest, SnapshotId};
use crate::restore::blocking;
use crate::restore::error::{RestoreError, Result};

/// What names of journals end with.
const SUFFIX: &str = ".jsonl";

/// Hexadecimal digits of the checksum of a line.
const SUM_DIGITS: usize = 16;

/// An open journal of entries `E`, for this process alone.
pub struct Journal<E> {
    path: PathBuf,
    open: Arc<Mutex<Open>>,
    entries: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Journal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("lines", &self.lines())
            .finish_non_exhaustive()
    }
}

struct Open {
    /// Locked.
    file: File,
    /// Bytes of whole lines.
    len: u64,
    lines: u64,
    /// Whether nobody knows what is on the disk.
    is_broken: bool,
}

#[derive(Serialize)]
struct LineToWrite<'a> {
    n: u64,
    sum: &'a str,
    entry: &'a RawValue,
}

#[derive(Deserialize)]
struct ReadLine<'a> {
    n: u64,
    sum: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

impl<E> Journal<E> {
    /// How many lines it has.
    pub fn lines(&self) -> u64 {
        self.opened().lines
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the journals in a directory by the ids of their restores, oldest first; none where
    /// there is no such directory.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn list(directory: &Path) -> Result<Vec<SnapshotId>> {
        let cannot_list = |error| {
            RestoreError::local(format!("cannot list the journals in {}", directory.display()))(error)
        };
        let listed = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(cannot_list)?,
        };
        let mut ids = Vec::new();
        for file in listed {
            let name = file.map_err(cannot_list)?.file_name();
            // Other files, such as those of a process that was killed while it made one, are none.
            ids.extend(name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse::<SnapshotId>().ok()));
        }
        ids.sort();
        Ok(ids)
    }

    /// Returns all lines, for a copy.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn text(&self) -> Result<String> {
        let open = Arc::clone(&self.open);
        let read = blocking(move || locked(&open).text()).await;
        read.map_err(RestoreError::local(format!("cannot read the journal {}", self.path.display())))
    }

    fn opened(&self) -> MutexGuard<'_, Open> {
        locked(&self.open)
    }

    fn new(path: PathBuf, file: File, len: u64, lines: u64) -> Self {
        let open = Open { file, len, lines, is_broken: false };
        Self { path, open: Arc::new(Mutex::new(open)), entries: PhantomData }
    }
}

impl<E: Serialize + DeserializeOwned> Journal<E> {
    /// Makes the journal of a restore, and its directory, for this user only.
    ///
    /// # Errors
    ///
    /// [`RestoreErrorKind::Refused`](crate::restore::RestoreErrorKind::Refused) when there is one;
    /// those of the local disk.
    pub fn create(directory: &Path, id: &SnapshotId) -> Result<Self> {
        Self::create_with(directory, id, "", 0)
    }

    /// Opens the journal of a restore, and cuts off a last line that is torn.
    ///
    /// # Errors
    ///
    /// [`RestoreErrorKind::NotFound`](crate::restore::RestoreErrorKind::NotFound) when there is none,
    /// [`RestoreErrorKind::Refused`](crate::restore::RestoreErrorKind::Refused) when another process
    /// has it open, or a line is damaged; those of the local disk.
    pub fn open(directory: &Path, id: &SnapshotId) -> Result<(Self, Vec<E>)> {
        let path = path_of(directory, id);
        let cannot = |error: io::Error| not_opened(&path, error);
        let mut file = File::options().read(true).write(true).open(&path).map_err(cannot)?;
        lock(&file, &path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(cannot)?;
        let (entries, whole) = parse_lines(&bytes).map_err(|line| damaged(&path.display(), line))?;
        if whole < bytes.len() {
            tracing::info!(
                bytes = bytes.len() - whole,
                "the last line of the journal of {id} is torn; it goes"
            );
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(cannot)?;
        }
        let lines = entries.len() as u64;
        Ok((Self::new(path, file, whole as u64, lines), entries))
    }

    /// Reads what a journal says, whether or not a process has it open.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), but for the lock.
    pub fn read(directory: &Path, id: &SnapshotId) -> Result<Vec<E>> {
        let path = path_of(directory, id);
        let bytes = std::fs::read(&path).map_err(|error| not_opened(&path, error))?;
        parse_lines(&bytes).map(|(entries, _)| entries).map_err(|line| damaged(&path.display(), line))
    }

    /// Reads what a copy of a journal says.
    ///
    /// # Errors
    ///
    /// [`RestoreErrorKind::Refused`](crate::restore::RestoreErrorKind::Refused) when a line of it is
    /// damaged.
    pub fn parse(text: &str) -> Result<Vec<E>> {
        let parsed = parse_lines(text.as_bytes());
        parsed.map(|(entries, _)| entries).map_err(|line| damaged(&"a copy", line))
    }

    /// Makes the journal of a restore on this host from its copy.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`parse`](Self::parse).
    pub fn from_copy(directory: &Path, id: &SnapshotId, text: &str) -> Result<(Self, Vec<E>)> {
        let (entries, whole) = parse_lines(text.as_bytes())
            .map_err(|line| damaged(&format_args!("the copy of restore {id}"), line))?;
        let whole = text.get(..whole).unwrap_or_default();
        Ok((Self::create_with(directory, id, whole, entries.len() as u64)?, entries))
    }

    /// Opens the journal of a restore of which `entries` are known, from here or from a copy: made anew
    /// where there is none here, brought up to date where that here knows less.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and [`create`](Self::create);
    /// [`RestoreErrorKind::Refused`](crate::restore::RestoreErrorKind::Refused) when the one here says
    /// something else, or more.
    pub fn go_on(directory: &Path, id: &SnapshotId, entries: &[E]) -> Result<Self> {
        let path = path_of(directory, id);
        let cannot = |error: io::Error| not_written(&path, error);
        let known = entries.iter().map(to_raw_value).collect::<serde_json::Result<Vec<_>>>();
        let known = known.map_err(|error| cannot(error.into()))?;
        let (journal, here) = match Self::open(directory, id) {
            Ok(opened) => opened,
            Err(RestoreError::NotFound { .. }) => {
                let lines = (1..).zip(&known).map(|(n, entry)| line_of(n, entry));
                return Self::create_with(directory, id, &lines.collect::<String>(), known.len() as u64);
            }
            Err(error) => return Err(error),
        };
        let is_known = |(here, known): (&E, &str)| to_raw_value(here).is_ok_and(|here| here.get() == known);
        let texts = known.iter().map(|entry| entry.get());
        if here.len() > known.len() || !here.iter().zip(texts).all(is_known) {
            return Err(RestoreError::Refused {
                what: format!("the journal {} says something else than was just read of it", path.display()),
                hint: "another process or host went on with this restore; run the same command again"
                    .to_owned(),
            });
        }
        let rest = &known[here.len()..];
        journal.opened().append(rest).map_err(cannot)?;
        Ok(journal)
    }

    /// Adds an entry; it is on the disk when this returns. Dropping the future leaves it open whether it
    /// is.
    ///
    /// # Errors
    ///
    /// Those of the local disk. Where nobody knows what is on it then, all that follow fail as well,
    /// until the journal is opened anew.
    pub async fn append(&mut self, entry: &E) -> Result<()> {
        let cannot = |error: io::Error| not_written(&self.path, error);
        let entry = to_raw_value(entry).map_err(|error| cannot(error.into()))?;
        let open = Arc::clone(&self.open);
        blocking(move || locked(&open).append(&[entry])).await.map_err(cannot)
    }

    /// Gives a journal its name when these lines are on the disk.
    fn create_with(directory: &Path, id: &SnapshotId, text: &str, lines: u64) -> Result<Self> {
        let path = path_of(directory, id);
        let cannot = |error: io::Error| not_written(&path, error);
        make_directory(directory).map_err(cannot)?;
        // Readable by its owner only.
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(cannot)?;
        file.write_all(text.as_bytes()).map_err(cannot)?;
        file.as_file().sync_all().map_err(cannot)?;
        lock(file.as_file(), &path)?;
        let file = file.persist_noclobber(&path).map_err(|refused| match refused.error {
            error if error.kind() == io::ErrorKind::AlreadyExists => RestoreError::Refused {
                what: format!("there is a journal {} already", path.display()),
                hint: "run the same command again to go on with that restore".to_owned(),
            },
            error => cannot(error),
        })?;
        sync_directory(directory).map_err(cannot)?;
        Ok(Self::new(path, file, text.len() as u64, lines))
    }
}

impl Open {
    /// Writes entries after the last whole line, and waits for the disk.
    fn append(&mut self, entries: &[Box<RawValue>]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("what is on the disk is not known since an earlier line failed"));
        }
        let numbered = (self.lines + 1..).zip(entries);
        let text: String = numbered.map(|(n, entry)| line_of(n, entry)).collect();
        self.file.seek(SeekFrom::Start(self.len))?;
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // Whole lines of something that failed would be gone on with.
            self.is_broken = self.file.set_len(self.len).is_err();
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            self.is_broken = true;
            return Err(error);
        }
        self.len += text.len() as u64;
        self.lines += entries.len() as u64;
        Ok(())
    }

    fn text(&mut self) -> io::Result<String> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        (&self.file).take(self.len).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().expect("no holder of this lock can panic")
}

fn path_of(directory: &Path, id: &SnapshotId) -> PathBuf {
    directory.join(format!("{id}{SUFFIX}"))
}

fn sum_of(n: u64, entry: &str) -> String {
    let mut sum = Digest::of(format!("{n} {entry}").as_bytes()).to_string();
    sum.truncate(SUM_DIGITS);
    sum
}

fn line_of(n: u64, entry: &RawValue) -> String {
    let line = LineToWrite { n, sum: &sum_of(n, entry.get()), entry };
    let mut line = serde_json::to_string(&line).expect("numbers and texts are JSON");
    line.push('\n');
    line
}

/// Reads all whole lines; how many bytes these are. The error is the number of the line that is damaged.
fn parse_lines<E: DeserializeOwned>(bytes: &[u8]) -> std::result::Result<(Vec<E>, usize), u64> {
    let mut entries = Vec::new();
    let mut whole = 0;
    for (n, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        let read = serde_json::from_slice::<ReadLine<'_>>(text).ok();
        let read = read.filter(|line| line.n == n && line.sum == sum_of(n, line.entry.get()));
        let entry = read.and_then(|line| serde_json::from_str(line.entry.get()).ok());
        entries.push(entry.ok_or(n)?);
        whole += line.len();
    }
    Ok((entries, whole))
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(RestoreError::Refused {
            what: format!("another process has the journal {} open", path.display()),
            hint: "this restore is running already; wait for its end, or stop it".to_owned(),
        }),
        // A file system without locks: two processes cannot be told apart there.
        Err(std::fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!("the file system of {} has no locks: run each restore once only", path.display());
            Ok(())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(not_opened(path, error)),
    }
}

fn not_opened(path: &Path, error: io::Error) -> RestoreError {
    if error.kind() == io::ErrorKind::NotFound {
        return RestoreError::NotFound {
            what: format!("there is no journal {}", path.display()),
            hint: "a restore that began on another host is gone on with from its copy in the vault"
                .to_owned(),
        };
    }
    RestoreError::local(format!("cannot open the journal {}", path.display()))(error)
}

fn not_written(path: &Path, error: io::Error) -> RestoreError {
    RestoreError::local(format!("cannot write the journal {}", path.display()))(error)
}

fn damaged(place: &dyn fmt::Display, line: u64) -> RestoreError {
    RestoreError::Refused {
        what: format!("line {line} of the journal {place} is damaged"),
        hint: "move that file away, and the restore goes on from its copy in the vault; a document that was \
               made after the last copy may then be made twice"
            .to_owned(),
    }
}

/// Makes a directory that only its owner can enter, and its name last.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    directory.parent().map_or(Ok(()), sync_directory)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems cannot sync directories: they have nothing to sync.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::RestoreErrorKind;

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    struct Step {
        old: String,
        new: Option<String>,
    }

    fn step(n: usize) -> Step {
        Step { old: format!("old \"{n}\"\n"), new: n.is_multiple_of(2).then(|| format!("n\u{eb}w{n}")) }
    }

    fn id() -> SnapshotId {
        "20261121T020000Z-1a2b3c4d".parse().expect("valid")
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn directory(&self) -> PathBuf {
            self.0.path().join("state/restores")
        }

        fn file(&self) -> PathBuf {
            path_of(&self.directory(), &id())
        }

        fn open(&self) -> Result<(Journal<Step>, Vec<Step>)> {
            Journal::open(&self.directory(), &id())
        }

        /// Puts these bytes in its place.
        fn put(&self, bytes: &[u8]) {
            let mut file = File::create(self.file()).expect("writable");
            file.write_all(bytes).expect("written");
        }

        /// A journal with so many entries; its bytes.
        async fn with(&self, count: usize) -> Vec<u8> {
            let mut journal = Journal::create(&self.directory(), &id()).expect("made");
            for n in 0..count {
                journal.append(&step(n)).await.expect("written");
            }
            std::fs::read(self.file()).expect("there")
        }
    }

    fn steps(count: usize) -> Vec<Step> {
        (0..count).map(step).collect()
    }

    #[tokio::test]
    async fn a_restore_that_was_killed_at_any_byte_goes_on_with_all_that_was_said_before() {
        let place = Place::new();
        let bytes = place.with(4).await;
        for len in 0..=bytes.len() {
            place.put(&bytes[..len]);
            let whole = bytes[..len].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(
                Journal::<Step>::read(&place.directory(), &id()).expect("readable"),
                steps(whole),
                "{len}"
            );
            let (mut journal, entries) = place.open().expect("openable");
            assert_eq!(entries, steps(whole), "{len}");
            journal.append(&step(whole)).await.expect("written");
            assert_eq!(journal.lines(), whole as u64 + 1);
            drop(journal);
            assert_eq!(place.open().expect("openable").1, steps(whole + 1), "{len}");
        }
    }

    #[tokio::test]
    async fn a_line_that_changed_anywhere_is_named() {
        let place = Place::new();
        let bytes = place.with(3).await;
        for at in 0..bytes.len() - 1 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            place.put(&changed);
            let error = place.open().expect_err("damaged");
            assert_eq!(error.kind(), RestoreErrorKind::Refused);
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            assert!(error.to_string().contains(&format!("line {line} of")), "{at}: {error}");
        }
        // Lines that are missing, doubled or swapped are whole, and still not right.
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for (order, line) in [(&[1, 2][..], 1), (&[0, 2], 2), (&[0, 0, 1], 2), (&[0, 2, 1], 2)] {
            let text: Vec<u8> = order.iter().flat_map(|at| lines[*at]).copied().collect();
            place.put(&text);
            let error = place.open().expect_err("not in order").to_string();
            assert!(error.contains(&format!("line {line} of")), "{order:?}: {error}");
        }
    }

    #[tokio::test]
    async fn one_process_at_a_time_has_it_open() {
        let place = Place::new();
        let journal = Journal::<Step>::create(&place.directory(), &id()).expect("made");
        let error = place.open().expect_err("it is open");
        assert_eq!(error.kind(), RestoreErrorKind::Refused);
        assert!(error.to_string().contains("another process"), "{error}");
        let error = Journal::<Step>::create(&place.directory(), &id()).expect_err("it is there");
        assert!(error.to_string().contains("already"), "{error}");
        drop(journal);
        drop(place.open().expect("it is free"));
        Journal::<Step>::create(&place.directory(), &id()).expect_err("it is there");
        let listed = Journal::<Step>::list(&place.directory()).expect("listed");
        assert_eq!(listed, [id()], "nothing is left of what was refused");
    }

    #[tokio::test]
    async fn a_copy_is_gone_on_with_on_another_host() {
        let place = Place::new();
        place.with(3).await;
        let (journal, _) = place.open().expect("openable");
        let text = journal.text().await.expect("readable");
        assert_eq!(Journal::<Step>::parse(&text).expect("whole"), steps(3));
        let other = Place::new();
        let (mut copied, entries) =
            Journal::<Step>::from_copy(&other.directory(), &id(), &text).expect("made");
        assert_eq!((entries, copied.lines()), (steps(3), 3));
        copied.append(&step(3)).await.expect("written");
        assert_eq!(copied.text().await.expect("readable").lines().count(), 4);
        drop(copied);
        assert_eq!(other.open().expect("openable").1, steps(4));
        Journal::<Step>::from_copy(&other.directory(), &id(), &text).expect_err("there is one here");
        let wrong = text.replacen("old", "odd", 1);
        assert!(Journal::<Step>::parse(&wrong).expect_err("damaged").to_string().contains("line 1"));
        Journal::<Step>::from_copy(&Place::new().directory(), &id(), &wrong).expect_err("damaged");
    }

    #[tokio::test]
    async fn what_a_copy_knows_more_is_added_here_and_nothing_else() {
        let place = Place::new();
        let go_on = |entries: &[Step]| Journal::<Step>::go_on(&place.directory(), &id(), entries);
        // There is none here, then it knows as much, then less.
        for count in [2, 2, 5] {
            assert_eq!(go_on(&steps(count)).expect("opened").lines(), count as u64);
            assert_eq!(place.open().expect("openable").1, steps(count));
        }
        for other in [steps(4), vec![step(7); 6]] {
            let error = go_on(&other).expect_err("it says something else");
            assert_eq!(error.kind(), RestoreErrorKind::Refused, "{error}");
        }
        assert_eq!(place.open().expect("openable").1, steps(5), "as it was");
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_as_such() {
        let place = Place::new();
        assert_eq!(Journal::<Step>::list(&place.directory()).expect("listed"), []);
        assert_eq!(place.open().expect_err("none").kind(), RestoreErrorKind::NotFound);
        std::fs::create_dir_all(place.directory()).expect("made");
        File::create(place.directory().join("20261121T020000Z-1a2b3c4d.tmp")).expect("made");
        assert_eq!(Journal::<Step>::list(&place.directory()).expect("listed"), []);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_line_that_could_not_be_written_is_not_there() {
        use std::os::unix::fs::PermissionsExt as _;

        let place = Place::new();
        place.with(1).await;
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&place.directory()), mode(&place.file())), (0o700, 0o600), "for its owner only");
        // Open for reading only: each write fails.
        let file = File::open(place.file()).expect("there");
        let len = file.metadata().expect("there").len();
        let mut journal = Journal::<Step>::new(place.file(), file, len, 1);
        journal.append(&step(1)).await.expect_err("not writable");
        assert_eq!(journal.lines(), 1);
        drop(journal);
        assert_eq!(place.open().expect("openable").1, steps(1));
    }
}
